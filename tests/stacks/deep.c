/* Waits below a thousand frames, on a realigned stack, and then after it has
 * deleted its own file. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int depth;

static void wait_for_child(void)
{
	pid_t job = fork();
	if (job == 0)
		_exit(0);
	waitpid(job, NULL, 0);
}

static int __attribute__((noinline)) descend(int levels)
{
	if (levels == 0)
		wait_for_child();
	else
		descend(levels - 1);
	return ++depth;
}

static int __attribute__((noinline)) realigned(int size)
{
	char room[64] __attribute__((aligned(64)));
	char *more = __builtin_alloca((size_t)size);
	room[0] = more[0] = 1;
	wait_for_child();
	return (int)((uintptr_t)room % 64) + more[0];
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return descend(atoi(argv[1])) == 0;
	unlink(argv[0]);
	return realigned(1000) != 1;
}
