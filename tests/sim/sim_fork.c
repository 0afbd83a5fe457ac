/* A process for each seed, see sim_fork.h. */
#include "sim_fork.h"
#include "sim_flow.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_CRASHED 77
#define EXIT_FAILED  78
#define FAILURES_MAX 3
/* A run of a simulation takes no real time to speak of; one that never ends is a failure. */
#define CHILD_SECONDS 120

/* Of the sanitizers, when they are there. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static uint64_t seed_now;
static bool in_child;

static void print_replay(void)
{
	fprintf(stderr, "replay: SEED=%llu %s\n", (unsigned long long)seed_now, program_invocation_name);
}

void sim_failed(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	sim_flow_print(stderr);
	print_replay();
	fflush(NULL);
	if (in_child)
		_exit(EXIT_FAILED);
	abort();
}

void sim_crash(void)
{
	_exit(EXIT_CRASHED);
}

void *sim_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static _Noreturn void child(uint64_t seed, void (*fn)(uint64_t seed, void *arg), void *arg)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

	/* cmocka's handlers would go on with the parent's tests in here. */
	for (unsigned i = 0; i < RS_ARRAY_SIZE(fatal); i++)
		signal(fatal[i], SIG_DFL);
	in_child = true;
	alarm(CHILD_SECONDS);
	fn(seed, arg);
	if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check()) {
		fprintf(stderr, "memory was leaked\n");
		print_replay();
		fflush(NULL);
		_exit(EXIT_FAILED);
	}
	fflush(NULL);
	_exit(0);
}

enum sim_verdict sim_fork_run(uint64_t seed, void (*fn)(uint64_t seed, void *arg), void *arg)
{
	int status;
	pid_t pid;

	seed_now = seed;
	sim_flow_reset(); /* makes the shared memory, when this is the first run */
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		sim_failed(__FILE_NAME__, __LINE__, "fork: %s", strerror(errno));
	if (pid == 0)
		child(seed, fn, arg);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			sim_failed(__FILE_NAME__, __LINE__, "waitpid: %s", strerror(errno));
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return SIM_PASSED;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CRASHED)
		return SIM_CRASHED;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_FAILED) {
		/* It could not say so itself. */
		if (WIFSIGNALED(status))
			fprintf(stderr, "the simulation died of signal %d (%s)\n", WTERMSIG(status),
				strsignal(WTERMSIG(status)));
		else
			fprintf(stderr, "the simulation ended with exit code %d\n", WEXITSTATUS(status));
		sim_flow_print(stderr);
		print_replay();
	}
	return SIM_FAILED;
}

unsigned sim_failures_max(void)
{
	const char *max = getenv("SIM_FAILURES");

	return max ? (unsigned)strtoul(max, NULL, 10) : FAILURES_MAX;
}

void sim_seeds(uint64_t *first, unsigned *n)
{
	const char *seed = getenv("SEED"), *runs = getenv("SIM_RUNS"), *from = getenv("SIM_FIRST");

	if (from)
		*first = strtoull(from, NULL, 10);
	if (runs)
		*n = (unsigned)strtoul(runs, NULL, 10);
	if (seed) {
		*first = strtoull(seed, NULL, 10);
		*n = 1;
	}
}

unsigned sim_fork_seeds(uint64_t first, unsigned n, void (*fn)(uint64_t seed, void *arg), void *arg)
{
	unsigned failed = 0;

	sim_seeds(&first, &n);
	for (unsigned i = 0; i < n && failed < sim_failures_max(); i++)
		failed += sim_fork_run(first + i, fn, arg) != SIM_PASSED;
	return failed;
}
