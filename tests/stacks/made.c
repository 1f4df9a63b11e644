// Waits below code that was made at run time, like CPython's trampolines without a
// frame pointer.
//   made map|fifo|pages PREFIX
// Its first child ends when the file PREFIX1 is there, the second by PREFIX2.
// With `map` the code has a name, which is appended to a perf map that exists; with
// `fifo` a named pipe stands in the map's place. With `pages` the program says that it
// contains a CPython interpreter, whose state lies in a page that nobody fills
// (userfaultfd). Status 77: not allowed.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

#define SYMBOL __attribute__((used, visibility("default"), aligned(PAGE)))
SYMBOL char Py_Version[PAGE];
SYMBOL char _PyRuntime[PAGE], PyCode_Type[PAGE], PyUnicode_Type[PAGE], PyBytes_Type[PAGE];

static const char *prefix;
static volatile int waits;

__attribute__((noinline)) static void fork_and_wait(void) {
    char end[512];
    snprintf(end, sizeof end, "%s%d", prefix, waits + 1);
    pid_t child = fork();
    if (child == 0) {
        while (access(end, F_OK) != 0)
            usleep(10000);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    waits++;
}

int main(int count, char **words) {
    const char *what = count > 2 ? words[1] : "";
    prefix = count > 2 ? words[2] : "";
    // sub $8, %rsp; call *%rdi; add $8, %rsp; ret
    static const unsigned char code[] = {0x48, 0x83, 0xec, 8, 0xff, 0xd7, 0x48, 0x83, 0xc4, 8, 0xc3};
    void *made = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        return 77;
    memcpy(made, code, sizeof code);

    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
    void (*call)(void (*)(void)) = (void (*)(void (*)(void)))(uintptr_t)made;
    if (strcmp(what, "map") == 0) {
        FILE *map = fopen(path, "w");
        fprintf(map, "nonsense\n1 1 other code\n");
        fflush(map);
        call(fork_and_wait);
        fprintf(map, "%lx %zx code made by made.c\n", (unsigned long)made, sizeof code);
        fclose(map);
    } else if (strcmp(what, "fifo") == 0) {
        mkfifo(path, 0600);
    } else {
        int faults = syscall(SYS_userfaultfd, O_CLOEXEC);
        struct uffdio_api api = {.api = UFFD_API};
        struct uffdio_register wanted = {.range = {(uintptr_t)Py_Version, PAGE},
                                         .mode = UFFDIO_REGISTER_MODE_MISSING};
        if (faults < 0 || ioctl(faults, UFFDIO_API, &api) < 0 ||
            ioctl(faults, UFFDIO_REGISTER, &wanted) < 0)
            return 77;
    }
    call(fork_and_wait);
    unlink(path);
    return 0;
}
