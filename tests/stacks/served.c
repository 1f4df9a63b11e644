// A file system (FUSE) with one program in it, served by this process with a
// thread for each request, as libfuse does it. A child executes the program.
//   served MOUNTPOINT PROGRAM [deaf]
// If it is deaf, what the process that started us asks of the program is never
// answered; we go on when it has asked. Status 77: not allowed to mount.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROOT = 1, FILE_NODE = 2, LARGEST = 1 << 18 };

static int device, program, is_deaf;
static struct stat about;
static atomic_int unanswered;

static void reply(const struct fuse_in_header *to, int error, const void *data, size_t size) {
    struct fuse_out_header head = {sizeof head + size, -error, to->unique};
    char *whole = malloc(head.len);
    memcpy(whole, &head, sizeof head);
    if (size > 0)
        memcpy(whole + sizeof head, data, size);
    if (write(device, whole, head.len) < 0 && errno != ENOENT)
        perror("reply");
    free(whole);
}

static struct fuse_attr attributes(uint64_t node) {
    struct fuse_attr of = {.ino = node, .nlink = 1, .blksize = 4096};
    of.mode = node == ROOT ? S_IFDIR | 0755 : S_IFREG | 0755;
    of.size = node == ROOT ? 0 : about.st_size;
    of.blocks = (of.size + 511) / 512;
    return of;
}

// Whether the process that started us asks, by any of its threads.
static int asks_parent(pid_t thread) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d", getppid(), thread);
    return access(path, F_OK) == 0;
}

static void *answer(void *request) {
    struct fuse_in_header *head = request;
    const void *argument = head + 1;
    if (is_deaf && head->nodeid == FILE_NODE && asks_parent(head->pid)) {
        unanswered = 1;
        return NULL;
    }
    switch (head->opcode) {
    case FUSE_INIT: {
        struct fuse_init_out out = {.major = 7, .minor = 31, .max_readahead = 65536, .max_write = 65536};
        reply(head, 0, &out, sizeof out);
        break;
    }
    case FUSE_LOOKUP: {
        struct fuse_entry_out out = {.nodeid = FILE_NODE, .attr = attributes(FILE_NODE)};
        int is_there = strcmp(argument, "program") == 0;
        reply(head, is_there ? 0 : ENOENT, &out, is_there ? sizeof out : 0);
        break;
    }
    case FUSE_GETATTR: {
        struct fuse_attr_out out = {.attr = attributes(head->nodeid)};
        reply(head, 0, &out, sizeof out);
        break;
    }
    case FUSE_OPEN:
    case FUSE_OPENDIR: {
        struct fuse_open_out out = {0};
        reply(head, 0, &out, sizeof out);
        break;
    }
    case FUSE_READ: {
        const struct fuse_read_in *in = argument;
        char *data = malloc(in->size);
        ssize_t got = pread(program, data, in->size, in->offset);
        reply(head, 0, data, got < 0 ? 0 : got);
        free(data);
        break;
    }
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        break;
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_FLUSH:
        reply(head, 0, NULL, 0);
        break;
    default:
        reply(head, ENOSYS, NULL, 0);
    }
    free(request);
    return NULL;
}

static void *serve(void *unused) {
    for (;;) {
        char *request = malloc(LARGEST);
        if (read(device, request, LARGEST) < 0) {
            free(request);
            if (errno == EINTR || errno == ENOENT)
                continue;
            return unused;
        }
        pthread_t thread;
        if (pthread_create(&thread, NULL, answer, request) == 0)
            pthread_detach(thread);
    }
}

static void child(const char *mountpoint) {
    char path[4096];
    snprintf(path, sizeof path, "%s/program", mountpoint);
    execl(path, path, NULL);
    perror("exec");
    _exit(127);
}

int main(int count, char **words) {
    if (count < 3)
        return 2;
    is_deaf = count > 3;
    program = open(words[2], O_RDONLY | O_CLOEXEC);
    device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (program < 0 || fstat(program, &about) < 0 || device < 0)
        return 77;
    char options[128];
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%d,group_id=%d,allow_other",
             device, getuid(), getgid());
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("test", words[1], "fuse.test", 0, options) < 0)
        return 77;
    pthread_t server;
    pthread_create(&server, NULL, serve, NULL);
    pid_t pid = fork();
    if (pid == 0)
        child(words[1]);
    int status = 0;
    waitpid(pid, &status, 0);
    for (int tenths = 0; is_deaf && !unanswered; tenths++) {
        if (tenths == 600)
            return 3;
        usleep(100000);
    }
    // Who traces us goes on although its question is not answered.
    for (int round = 0; round < 3; round++) {
        pid = fork();
        if (pid == 0)
            _exit(0);
        waitpid(pid, NULL, 0);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
