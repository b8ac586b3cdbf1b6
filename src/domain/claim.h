/* claim – work that exactly one process may do: taken for a while, by the store's clock.
 *
 * Like a batch, a claim has a lease and a fence.  What its holder writes is written in
 * transactions that begin with claim_keep(): once the lease is over and another has taken
 * the work, they fail, whenever the first one wakes up (I-9). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct db;
struct err;

/* Stored, and named in campaign.sql, segment.sql, task.sql and route.sql. */
enum claim_kind { CLAIM_PLAN = 1, CLAIM_SIZE = 2, CLAIM_TASK = 3, CLAIM_ROUTE = 4 };

struct claim {
	enum claim_kind kind;
	int64_t no; /* of the campaign, segment, task or route */
	int64_t fence;
	int64_t lease_ms;
};

/* *got false: somebody else holds it.  Fails: STORE, UNCERTAIN. */
bool claim_take(struct db *db, enum claim_kind kind, int64_t no, int64_t lease_ms,
	struct claim *out, bool *got, struct err *e) MUST_USE;
/* Renews the lease; inside db_write.  Fails: STALE (somebody else holds it), STORE. */
bool claim_keep(struct db *w, const struct claim *c, struct err *e) MUST_USE;
/* Gives it back; what fails here runs out by itself. */
void claim_drop(struct db *db, const struct claim *c);
/* Nobody gets it for ${ms}: what failed is not the first thing to be tried again. */
void claim_defer(struct db *db, const struct claim *c, int64_t ms);
/* Frees all: at the start of the one process that works on a store. */
bool claim_release_all(struct db *db, struct err *e) MUST_USE;
