/* thread – starting threads that no signal reaches, and waiting with a deadline. */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

static void
must(int rc, const char *what, const char *name)
{
	if (rc != 0)
		panic("%s %s: %s", what, name, strerror(rc));
}

static void *
run_thread(void *arg)
{
	struct thread *t = arg;

	pthread_setname_np(pthread_self(), t->name);
	t->run(t->arg);
	return NULL;
}

/* Everything but what the thread's own instructions can cause: those signals must reach
 * their handlers (sanitizers) or kill with the right cause. */
static void
fill_blocked(sigset_t *set)
{
	static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};

	sigfillset(set);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		sigdelset(set, own[i]);
}

void
thread_start(struct thread *t, const char *name, void (*run)(void *), void *arg)
{
	sigset_t blocked, before;

	*t = (struct thread){.name = name, .run = run, .arg = arg};
	fill_blocked(&blocked);
	/* Blocked here and inherited: no instant in which the new thread could take one. */
	must(pthread_sigmask(SIG_SETMASK, &blocked, &before), "signal mask of", name);
	must(pthread_create(&t->id, NULL, run_thread, t), "starting thread", name);
	must(pthread_sigmask(SIG_SETMASK, &before, NULL), "signal mask of", name);
	t->started = true;
}

void
thread_join(struct thread *t)
{
	if (!t->started)
		return;
	must(pthread_join(t->id, NULL), "joining thread", t->name);
	t->started = false;
}

static struct timespec
deadline_in(int timeout_ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += timeout_ms / 1000;
	t.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

void
signal_init(struct signal_flag *s)
{
	pthread_condattr_t attr;

	*s = (struct signal_flag){0};
	must(pthread_mutex_init(&s->lock, NULL), "making", "a lock");
	must(pthread_condattr_init(&attr), "making", "a condition");
	must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), "making", "a condition");
	must(pthread_cond_init(&s->changed, &attr), "making", "a condition");
	pthread_condattr_destroy(&attr);
}

void
signal_fini(struct signal_flag *s)
{
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
}

void
signal_raise(struct signal_flag *s)
{
	pthread_mutex_lock(&s->lock);
	s->count++;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void
signal_stop(struct signal_flag *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopped = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

bool
signal_stopped(struct signal_flag *s)
{
	bool stopped;

	pthread_mutex_lock(&s->lock);
	stopped = s->stopped;
	pthread_mutex_unlock(&s->lock);
	return stopped;
}

bool
signal_wait(struct signal_flag *s, uint64_t *seen, int timeout_ms)
{
	struct timespec deadline = deadline_in(timeout_ms < 0 ? 0 : timeout_ms);
	int rc = 0;
	bool stopped;

	pthread_mutex_lock(&s->lock);
	while (!s->stopped && s->count == *seen && rc != ETIMEDOUT) {
		if (timeout_ms < 0)
			pthread_cond_wait(&s->changed, &s->lock);
		else
			rc = pthread_cond_timedwait(&s->changed, &s->lock, &deadline);
	}
	*seen = s->count;
	stopped = s->stopped;
	pthread_mutex_unlock(&s->lock);
	return !stopped;
}
