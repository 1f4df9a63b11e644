// Children by ways whose innermost frame is not like others: vfork takes its
// return address off the stack, clone3 under posix_spawn has no call frame
// information at the call, and a leaf function has no frame.
#define _GNU_SOURCE
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

__attribute__((noinline)) static void by_vfork(void) {
    pid_t child = vfork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
}

__attribute__((noinline)) static void by_spawn(void) {
    char *words[] = {"true", NULL};
    pid_t child;
    if (posix_spawn(&child, "/bin/true", NULL, NULL, words, environ) == 0)
        waitpid(child, NULL, 0);
}

__attribute__((noinline)) static long leaf(void) {
    long result = SYS_wait4;
    __asm__ volatile("xorl %%edx, %%edx\n\txorl %%esi, %%esi\n\t"
                     "xorl %%r10d, %%r10d\n\tmovq $-1, %%rdi\n\tsyscall"
                     : "+a"(result)
                     :
                     : "rdi", "rsi", "rdx", "r10", "rcx", "r11", "memory");
    return result;
}

int main(void) {
    by_vfork();
    by_spawn();
    if (fork() == 0)
        _exit(0);
    return leaf() < 0;
}
