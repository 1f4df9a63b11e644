#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_sigchld(int signo)
{
	(void)signo;
	waitpid(-1, NULL, WNOHANG); /* a child has ended: reap it */
}

static void start_worker(int milliseconds)
{
	if (fork() == 0) {
		usleep(milliseconds * 1000);
		_exit(0);
	}
}

static void save_state(sigset_t *sigchld)
{
	sigprocmask(SIG_BLOCK, sigchld, NULL); /* not while we write */
	usleep(300 * 1000);
	sigprocmask(SIG_UNBLOCK, sigchld, NULL);
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_sigchld, .sa_flags = SA_RESTART};
	sigset_t sigchld;

	sigemptyset(&sigchld);
	sigaddset(&sigchld, SIGCHLD);
	sigaction(SIGCHLD, &action, NULL);
	for (int worker = 1; worker <= 6; worker++)
		start_worker(100 * worker);
	usleep(50 * 1000);
	for (int second = 0; second < 4; second++) {
		save_state(&sigchld);
		usleep(200 * 1000);
	}
	return 0;
}
