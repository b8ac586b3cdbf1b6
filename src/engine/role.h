/* role – what the threads of the engine share; private to engine/. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"

struct config;
struct store;

struct engine {
	struct store *store;
	const struct config *config;
	struct signal_flag work;    /* raised when something may have become due */
	struct signal_flag planned; /* raised when a plan was written */
	struct thread scheduler;
	struct thread *workers;
	int64_t nworkers;
};

/* The threads' bodies; arg is the struct engine. */
void scheduler_run(void *engine);
void worker_run(void *engine);
