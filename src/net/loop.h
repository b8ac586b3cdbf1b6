/* loop – what an event-driven thread waits on: descriptors (epoll), other threads (eventfd) and
 * timers (a wheel).  Used by the hub and nothing else. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct err;

#define LOOP_SLOTS 256 /* a power of two */

/* Inside of what it is for.  All zero: not set. */
struct loop_timer {
	struct loop_timer *prev, *next;
};

struct loop {
	int epoll, wake;
	int64_t tick_ms;
	int64_t tick; /* whose timers are told next; those before it have been */
	size_t ntimers;
	struct loop_timer slots[LOOP_SLOTS];
};

struct loop_event {
	void *of; /* as given to loop_add() */
	bool readable, writable;
};

/* Timers come at multiples of ${tick_ms}.  Fails: BUG (no descriptors left). */
bool loop_init(struct loop *l, int64_t tick_ms, struct err *e) MUST_USE;
void loop_fini(struct loop *l);

/* Readable is always told, as long as it is so; writable only when asked for.  False when the
 * kernel takes no more. */
bool loop_add(struct loop *l, int fd, void *of) MUST_USE;
/* Before the descriptor is closed: closing it is not enough as long as a duplicate lives. */
void loop_remove(struct loop *l, int fd);
void loop_want_write(struct loop *l, int fd, void *of, bool wanted);

/* Ends loop_wait() of the loop's thread, at once or the next time; from any thread. */
void loop_wake(struct loop *l);
/* Waits for descriptors, a wake, a timer, or ${max_ms} (< 0: no limit); returns how many
 * events. */
size_t loop_wait(struct loop *l, struct loop_event *out, size_t max, int64_t max_ms);

/* At ${at_ms} (monotonic), or earlier when that is more than some LOOP_SLOTS ticks away:
 * whoever is told looks at the clock and sets it again.  In place of what was set. */
void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t at_ms);
void loop_timer_clear(struct loop *l, struct loop_timer *t);
/* The next timer that is due, no longer set; NULL: none. */
struct loop_timer *loop_due(struct loop *l, int64_t now_ms);
