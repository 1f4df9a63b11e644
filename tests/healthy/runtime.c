/* How runtimes probe for pidfds and wait by them, and a main thread that leaves. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long waitid_of(int fd, siginfo_t *info, int options) {
  return syscall(SYS_waitid, 3 /* P_PIDFD */, fd, info, options, NULL);
}

static void *work(void *nothing) {
  usleep(2500000);
  puts("worked");
  return nothing;
}

int main(int count, char **words) {
  (void)words;
  if (count > 1) { /* glib's probe for P_PIDFD */
    if (waitid_of(0x7fffffff, NULL, WEXITED | WNOHANG) != -1 || errno != EBADF) return 1;
    return system("exit 0");
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  siginfo_t info;
  int status, fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
  printf("%d\n", waitid_of(fd, NULL, WEXITED) == -1 && errno == ECHILD);
  syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0);
  close(fd);
  /* Go looks whether CLONE_PIDFD works with a child that sends no signal. */
  long pid = syscall(SYS_clone, CLONE_VFORK | CLONE_PIDFD, 0, &fd, 0, 0);
  if (pid == 0) _exit(0);
  printf("%ld\n", waitid_of(fd, NULL, WEXITED | __WCLONE));
  close(fd);
  pid = syscall(SYS_clone, SIGCHLD | CLONE_PIDFD, 0, &fd, 0, 0);
  if (pid == 0) {
    execlp("sh", "sh", "-c", "sleep 0.1; exit 3", NULL);
    _exit(127);
  }
  long waited = waitid_of(fd, &info, WEXITED);
  printf("%ld %d\n", waited, info.si_status);
  printf("%d\n", syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == -1 && errno == ESRCH);
  close(fd);
  /* Older ones look before they reap. */
  if ((pid = fork()) == 0) _exit(4);
  waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
  waitpid((pid_t)pid, &status, 0);
  printf("%d\n", WEXITSTATUS(status));
  /* What posix_spawn and daemon() leave to the caller. */
  printf("%d\n", WEXITSTATUS(system("exit 5")));
  printf("%d\n", waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD);
  pthread_t thread;
  pthread_create(&thread, NULL, work, NULL);
  pthread_exit(NULL);
}
