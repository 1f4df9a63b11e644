/* Reaps in a handler that has a stack of its own. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void reap(int signo)
{
	(void)signo;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

int main(void)
{
	stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
	struct sigaction action = {.sa_handler = reap, .sa_flags = SA_ONSTACK | SA_RESTART};

	sigaltstack(&stack, NULL);
	sigaction(SIGCHLD, &action, NULL);
	if (fork() == 0)
		_exit(0);
	usleep(100000);
	return 0;
}
