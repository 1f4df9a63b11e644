// Hangs, each in another call: the word says in which.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t *mutex = &own;
static int ready[2];
static char bytes[256];

static void *locks(void *p) { pthread_mutex_lock(mutex); return p; }
static void *locks_and_stays(void *p) {
    pthread_mutex_lock(mutex);
    write(ready[1], "x", 1);
    pause();
    return p;
}

static void share(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    mutex = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutex_init(mutex, &attributes);
}

static void *stays(void *p) { pause(); return p; }
static void ends_but_for_a_thread(void) {
    pthread_t thread;
    pthread_create(&thread, 0, stays, 0);
    pthread_exit(0);
}

static void hold_fifo(const char *path) {
    mkfifo(path, 0600);
    int both = open(path, O_RDWR);
    if (!fork()) {
        int end = open(path, O_RDONLY);
        close(both);
        read(end, bytes, 1);
    }
}

static int waits(void *p) { pause(); return 0; }
static char stack[65536];

int main(int count, char **words) {
    const char *in = words[1];
    const char *path = count > 2 ? words[2] : "";
    pthread_t thread;
    // What tests beside this one may have left open: descriptors have known numbers.
    for (int other = 3; other < 64; other++) close(other);
    pipe(ready);
    if (!strcmp(in, "shared")) {
        share();
        pthread_mutex_lock(mutex);
        if (!fork()) pthread_mutex_lock(mutex);
        pause();
    }
    if (!strcmp(in, "shared-dead")) {
        share();
        if (!fork()) { pthread_mutex_lock(mutex); _exit(0); }
        wait(0);
        pthread_mutex_lock(mutex);
    }
    if (!strcmp(in, "dead")) {
        pthread_create(&thread, 0, locks, 0);
        pthread_join(thread, 0);
        pthread_mutex_lock(mutex);
    }
    if (!strcmp(in, "forked")) {
        pthread_create(&thread, 0, locks_and_stays, 0);
        read(ready[0], bytes, 1);
        if (!fork()) pthread_mutex_lock(mutex);
        pause();
    }
    if (!strcmp(in, "alone")) {
        sem_t semaphore;
        sem_init(&semaphore, 0, 0);
        sem_wait(&semaphore);
    }
    if (!strcmp(in, "eventfd")) read(eventfd(0, 0), bytes, 8);
    if (!strcmp(in, "signalfd")) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, 0);
        read(signalfd(-1, &set, 0), bytes, sizeof bytes);
    }
    if (!strcmp(in, "timerfd")) read(timerfd_create(CLOCK_MONOTONIC, 0), bytes, 8);
    if (!strcmp(in, "backlog")) {
        struct sockaddr_un address = {AF_UNIX};
        strncpy(address.sun_path, path, sizeof address.sun_path - 1);
        int listener = socket(AF_UNIX, SOCK_STREAM, 0);
        bind(listener, (void *)&address, sizeof address);
        listen(listener, 0);
        if (!fork()) for (;;) connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, sizeof address);
        pause();
    }
    if (!strcmp(in, "fifo-alone")) {
        mkfifo(path, 0600);
        read(open(path, O_RDWR), bytes, 1);
    }
    if (!strcmp(in, "fifo-held")) {
        hold_fifo(path);
        pause();
    }
    if (!strcmp(in, "fifo-of-a-thread")) {
        hold_fifo(path);
        ends_but_for_a_thread();
    }
    if (!strcmp(in, "lock-of-a-thread")) {
        flock(open(path, O_RDWR | O_CREAT, 0600), LOCK_EX);
        if (!fork()) flock(open(path, O_RDWR), LOCK_EX);
        ends_but_for_a_thread();
    }
    if (!strcmp(in, "fifo-opened")) {
        mkfifo(path, 0600);
        open(path, O_WRONLY);
    }
    if (!strcmp(in, "pipes")) {
        struct pollfd polled[30];
        for (int i = 0; i < 30; i++) {
            int ends[2];
            pipe(ends);
            polled[i].fd = ends[0];
            polled[i].events = POLLIN;
        }
        poll(polled, 30, -1);
    }
    if (!strcmp(in, "clone")) {
        clone(waits, stack + sizeof stack, CLONE_VM, 0);
        waitpid(-1, 0, __WCLONE);
    }
    return 0;
}
