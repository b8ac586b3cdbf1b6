/* capacity – how many campaign messages may be sent in a calendar month (api.md §11.2).
 *
 * What is used of it is never kept as a number of its own; it follows from the campaigns:
 *
 *   used = Σ month_sent of all campaigns, for this month   messages that were committed
 *        + Σ of those that may still send:
 *            pending,  once planned                        moves with each batch
 *            reserved, before                              the audience when start was called
 *
 * So whatever ends a campaign gives back what it did not send, in the same commit, and nothing
 * can get lost in a crash (docs/decisions/008-message-capacity.md). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct db;
struct err;

#define CAPACITY_PER_USER 3 /* messages a month for each user of the plan */

struct capacity {
	int64_t limit;     /* messages a month; 0: unlimited, and nothing below is set */
	int64_t used;      /* of it; may be more, when the plan became smaller */
	int64_t left;      /* 0 when more is used */
	int64_t audience;  /* of the campaign that asks */
	int64_t resets_at; /* when the next month begins */
	bool is_exceeded;  /* the campaign was refused for it */
};

/* What is used of ${c->limit} at ${now}.  Inside db_write nobody else starts a campaign
 * meanwhile.  Fails: STORE. */
bool capacity_load(struct db *, int64_t now, struct capacity *c, struct err *e) MUST_USE;
/* Takes ${c->audience} out of what is left.  Fails: DENIED with the numbers; then is_exceeded.
 */
bool capacity_take(struct capacity *c, struct err *e) MUST_USE;
