/* role – what the threads of the engine share; private to engine/. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"
#include "engine/dispatch.h"
#include "engine/engine.h"

struct config;
struct store;

/* Nothing is waited for longer, so that a jump of the clock cannot hide what is due,
 * and work that other processes left, or made, is found. */
#define LOOK_AGAIN_MS 2000
/* After a failure of the store. */
#define RETRY_MS 500
/* For so long a piece of work that failed is left alone, while others get their turn. */
#define DEFER_MS 2000

struct engine {
	struct store *store;
	const struct config *config;
	struct signal_flag work;    /* raised when something may have become due */
	struct signal_flag planned; /* raised when a plan was written */
	struct signal_flag told;    /* raised when something was committed that is to be told */
	struct dispatch_sink sink;  /* of the dispatcher, which may not be running */
	struct {
		engine_hear_fn fn;
		void *arg;
	} hearers[ENGINE_HEARERS];
	_Atomic int nhearers; /* rises once a hearer is in its place */
	struct thread scheduler, sizer, clerk, dispatch;
	struct thread *workers;
	int64_t nworkers;
};

/* The threads' bodies; arg is the struct engine. */
void scheduler_run(void *engine);
void sizer_run(void *engine);
void worker_run(void *engine);
void clerk_run(void *engine);
void dispatch_run(void *engine);
