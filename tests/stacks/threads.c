/* Two threads: one reaps whatever ends, the other wants its own child. */
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int gate[2];

static void *reap_anybody(void *unused)
{
	char byte = 0;
	waitpid(-1, NULL, 0);
	if (write(gate[1], &byte, 1) != 1)
		perror("write");
	return unused;
}

static int wait_for_mine(pid_t job)
{
	int status = 0;
	return waitpid(job, &status, 0) < 0 ? 3 : status;
}

int main(void)
{
	pthread_t reaper;
	char byte;
	pid_t job;

	if (pipe(gate) != 0)
		return 1;
	job = fork();
	if (job == 0) {
		usleep(50000);
		_exit(0);
	}
	pthread_create(&reaper, NULL, reap_anybody, NULL);
	if (read(gate[0], &byte, 1) != 1)
		return 1;
	return wait_for_mine(job);
}
