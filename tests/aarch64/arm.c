/* 32-bit code under a 64-bit kernel: waits of each kind, a wait that a handler ends, and a
 * sleep that a child's death disturbs, by an instruction of arm and by one of Thumb. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* epoll_wait(2), whose number is 252; the C library's is Thumb alone. */
__attribute__((naked, target("arm"))) static int arm_epoll_wait(
	int epoll, struct epoll_event *events, int most, int milliseconds)
{
	__asm__("push {r7}\n\tmov r7, #252\n\tsvc #0\n\tpop {r7}\n\tbx lr");
}

__attribute__((naked, target("thumb"))) static int thumb_epoll_wait(
	int epoll, struct epoll_event *events, int most, int milliseconds)
{
	__asm__("push {r7}\n\tmovs r7, #252\n\tsvc #0\n\tpop {r7}\n\tbx lr");
}

static void on_alarm(int signal) { (void)signal; }

static pid_t child_that_exits(unsigned after_ms, int code)
{
	pid_t child = fork();
	if (child == 0) {
		usleep(after_ms * 1000);
		_exit(code);
	}
	return child;
}

static int waits(void)
{
	int status;
	struct rusage usage;
	siginfo_t info;
	pid_t child = child_that_exits(0, 3);
	if (wait4(child, &status, 0, &usage) != child || WEXITSTATUS(status) != 3)
		return 1;
	child = child_that_exits(0, 4);
	if (waitid(P_PID, child, &info, WEXITED) != 0 || info.si_status != 4)
		return 2;
	return 0;
}

/* With the flags of a handler: EINTR, or the kernel's restart. */
static int handled(int flags)
{
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_handler = on_alarm;
	action.sa_flags = flags;
	sigaction(SIGALRM, &action, NULL);
	pid_t child = child_that_exits(1500, 5);
	ualarm(300000, 0);
	int result = waitpid(child, NULL, 0);
	if (flags & SA_RESTART)
		return result == child ? 0 : 1;
	return result == -1 && errno == EINTR && waitpid(child, NULL, 0) == child ? 0 : 2;
}

/* Ended by its time-out, by a handler, but not by a child's death. */
static int sleeps(int is_thumb, int with_handler)
{
	struct epoll_event event;
	int epoll = epoll_create1(0);
	if (with_handler) {
		struct sigaction action;
		memset(&action, 0, sizeof action);
		action.sa_handler = on_alarm;
		sigaction(SIGALRM, &action, NULL);
		ualarm(900000, 0);
	}
	child_that_exits(300, 0);
	int result = is_thumb ? thumb_epoll_wait(epoll, &event, 1, 2000)
			      : arm_epoll_wait(epoll, &event, 1, 2000);
	if (with_handler)
		return result == -EINTR ? 0 : 1;
	return result == 0 ? 0 : 2;
}

int main(int argc, char **argv)
{
	const char *part = argc > 1 ? argv[1] : "";
	if (!strcmp(part, "waits"))
		return waits();
	if (!strcmp(part, "eintr"))
		return handled(0);
	if (!strcmp(part, "restart"))
		return handled(SA_RESTART);
	if (!strcmp(part, "sleeps_in_arm") || !strcmp(part, "sleeps_in_thumb"))
		return sleeps(!!strstr(part, "thumb"), 0);
	if (!strcmp(part, "handler_in_arm") || !strcmp(part, "handler_in_thumb"))
		return sleeps(!!strstr(part, "thumb"), 1);
	return 99;
}
