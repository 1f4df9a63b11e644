/* A job whose status a handler for SIGCHLD takes away. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void reap_children(int signo)
{
	(void)signo;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static inline __attribute__((always_inline)) int wait_for(pid_t job)
{
	int status;
	if (waitpid(job, &status, 0) < 0) {
		perror("waitpid");
		return -1;
	}
	return WEXITSTATUS(status);
}

static int run_job(const char *command)
{
	/* The handler runs in sigsuspend, however busy the machine is. */
	sigset_t block, before;
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &before);
	pid_t job = fork();
	if (job == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	sigsuspend(&before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return wait_for(job);
}

int main(void)
{
	struct sigaction action = {.sa_handler = reap_children, .sa_flags = SA_RESTART};
	sigaction(SIGCHLD, &action, NULL);
	printf("exit status: %d\n", run_job("exit 3"));
	return 0;
}
