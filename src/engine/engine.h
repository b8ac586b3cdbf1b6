/* engine – the threads that act without being asked: schedule, plan, send, do tasks. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct config;
struct db;
struct dispatch_sink;
struct engine;
struct err;
struct store;

/* Starts the scheduler, the sizer, the clerk and the workers.  Fails: STORE. */
bool engine_start(struct engine **out, struct store *store, const struct config *config,
	struct err *e) MUST_USE;
/* "Something may have become due": after a commit that starts, schedules or changes; other
 * processes on the store hear it as well. */
void engine_wake(struct engine *e);
/* "Something was committed that is to be told" (domain/event.h): after any commit of an API
 * write; cheap, and once for many. */
void engine_tell(struct engine *e);
/* "Something passed here that is to be told": wakes the dispatcher of this process alone. */
void engine_look(struct engine *e);
/* Has fn(arg) called, on any thread, for each engine_tell() of any process, until the engine
 * has stopped; it must be quick.  At most ENGINE_HEARERS, by one thread. */
#define ENGINE_HEARERS 4
typedef void (*engine_hear_fn)(void *arg);
void engine_hear(struct engine *e, engine_hear_fn fn, void *arg);
/* Has ${sink} told of all that is committed from now on, by whatever process.  Once. */
void engine_dispatch(struct engine *e, const struct dispatch_sink *sink);
/* Waits until the campaign's audience is fixed (or it is no longer in_progress); false when
 * that takes longer. */
bool engine_wait_planned(struct engine *e, struct db *db, int64_t campaign, int timeout_ms);
/* Lets batches in work commit, then ends the threads.  NULL is legal. */
void engine_stop(struct engine *e);
