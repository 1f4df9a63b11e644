// Stacks with a page that somebody else must fill (userfaultfd), who forks and
// waits before it does. The program itself never touches that page.
//   pages above|within
// It lies right above the stack of a thread, or amid it. Status 77: not allowed.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, STACK = 64 * PAGE };

static int faults, is_within;

static void *fill(void *unused) {
    static char data[PAGE] __attribute__((aligned(PAGE)));
    struct uffd_msg message;
    while (read(faults, &message, sizeof message) == sizeof message) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
        struct uffdio_copy copy = {.dst = message.arg.pagefault.address & ~(PAGE - 1UL),
                                   .src = (uintptr_t)data,
                                   .len = PAGE};
        ioctl(faults, UFFDIO_COPY, &copy);
        printf("filled\n");
        fflush(stdout);
    }
    return unused;
}

static int watch(char *memory, size_t size) {
    struct uffdio_register wanted = {.range = {(uintptr_t)memory, size},
                                     .mode = UFFDIO_REGISTER_MODE_MISSING};
    return ioctl(faults, UFFDIO_REGISTER, &wanted);
}

__attribute__((noinline)) static void fork_and_wait(void) {
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
}

static void *work(void *unused) {
    // Untouched but for its ends.
    volatile char room[8 * PAGE];
    room[0] = room[sizeof room - 1] = 0;
    uintptr_t middle = ((uintptr_t)room + 4 * PAGE) & ~(PAGE - 1UL);
    if (is_within)
        madvise((void *)middle, PAGE, MADV_DONTNEED);
    fork_and_wait();
    room[1] = 0;
    return unused;
}

int main(int count, char **words) {
    is_within = count > 1 && strcmp(words[1], "within") == 0;
    faults = syscall(SYS_userfaultfd, O_CLOEXEC);
    struct uffdio_api api = {.api = UFFD_API};
    if (faults < 0 || ioctl(faults, UFFDIO_API, &api) < 0)
        return 77;
    char *memory = mmap(NULL, STACK + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(memory, 0, STACK);
    if ((is_within ? watch(memory, STACK) : watch(memory + STACK, PAGE)) < 0)
        return 77;
    pthread_t filler, worker;
    pthread_create(&filler, NULL, fill, NULL);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, memory, STACK);
    pthread_create(&worker, &attributes, work, NULL);
    pthread_join(worker, NULL);
    return 0;
}
