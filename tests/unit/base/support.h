/* support – what the tests of the base floor share: random numbers, and watching a death. */
#pragma once
#include <sys/resource.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>

#include "../unit.h"

/* A fixed sequence for each seed, so a failure can be repeated. */
static inline uint64_t
next_random(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 … n − 1 */
static inline size_t
random_below(uint64_t *seed, size_t n)
{
	return (size_t)(next_random(seed) % n);
}

/* True when fn() ends the process by abort(), as panic and assert do. */
static inline bool
dies(void (*fn)(void))
{
	const struct rlimit no_core = {0, 0};
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &no_core);
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}
