// Waits in a member function of a template, in a namespace, below others.
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace jobs {

template <typename Status> class Runner {
public:
	Status wait_for(pid_t job)
	{
		Status status = 0;
		waitpid(job, &status, 0);
		return status;
	}
};

}  // namespace jobs

int main()
{
	pid_t job = fork();
	if (job == 0)
		_exit(0);
	std::function<int()> wait = [job] { return jobs::Runner<int>().wait_for(job); };
	return wait();
}
