/* courier – the thread that carries what was committed to those outside: one for each trade.
 *
 * It reads the outbox from the place of each route that it serves, stores what it read, sends
 * it, tries again what failed, and notes all of that (docs/decisions/014-couriers.md). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct courier;
struct err;
struct guard;
struct store;
struct trade;

struct courier_opts {
	struct store *store;
	const struct guard *guard;
	const char *name;         /* of its thread, ≤ 15 bytes; literal */
	const char *ca_file;      /* whom to trust; NULL: the system's authorities */
	const char *retry_ladder; /* courier/ladder.h */
	int64_t retry_for_s;      /* then a parcel is a dead letter */
	int64_t lease_ms;         /* of the routes it serves */
};

/* ${trade} is copied.  Fails: INPUT (retry_ladder), STORE. */
bool courier_start(struct courier **out, const struct trade *trade,
	const struct courier_opts *opts, struct err *e) MUST_USE;
/* "Something was committed, or settings were changed"; from any thread, cheap. */
void courier_wake(void *courier);
/* Ends what is under way within ${drain_ms}; what does not end stays stored, and is sent after
 * the next start.  NULL is legal. */
void courier_stop(struct courier *, int drain_ms);
