/* thread – named threads with a stop flag. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct thread {
	pthread_t id;
	bool started;
	const char *name; /* ≤ 15 bytes, shown by ps and perf; literal */
	void (*run)(void *arg);
	void *arg;
};

/* Starts run(arg).  Ends the process when the kernel gives no thread. Signals are blocked
 * in the new thread: main handles them. */
void thread_start(struct thread *t, const char *name, void (*run)(void *), void *arg);
void thread_join(struct thread *t); /* no effect when never started */

/* A flag that many wait on: set wakes all.  Used for stop and for "there is work". */
struct signal_flag {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t count; /* rises with each signal_raise */
	bool stopped;
};

void signal_init(struct signal_flag *s);
void signal_fini(struct signal_flag *s);
void signal_raise(struct signal_flag *s); /* "there may be work" */
void signal_stop(struct signal_flag *s);  /* for ever */
bool signal_stopped(struct signal_flag *s);
/* Waits until raised since *seen, stopped, or ${timeout_ms} passed (< 0: no limit); updates
 * *seen.  False when stopped. */
bool signal_wait(struct signal_flag *s, uint64_t *seen, int timeout_ms);
