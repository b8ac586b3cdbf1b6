/* reach – whom a campaign to channels has reached: each member other than the sender counts
 * once, in however many channels (api.md §3.5). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct arena;
struct bitset;
struct channel;
struct db;
struct err;

struct reach {
	int64_t reach_set, read_set; /* domain/uidset.h; 0: the campaign is not of channels, or
				      * not planned */
	int64_t users_sent;
};

/* Fails: STORE. */
bool reach_get(struct db *, int64_t campaign, struct reach *out, struct err *) MUST_USE;
/* Makes the sets of a campaign; only inside db_write. */
bool reach_begin(struct db *w, int64_t campaign, struct err *) MUST_USE;

/* Adds who is in the channels, which must be complete, to ${out}.  Fails: STORE. */
bool reach_members(struct db *, struct arena *, const struct channel *channels, size_t n,
	struct bitset *out, struct err *) MUST_USE;

/* Notes that the campaign reached ${uids}, sorted.  In the transaction of a batch, once the row
 * of the campaign was updated: batches of one campaign stand in line for it, so what is read of
 * the set stays true.  Fails: STORE. */
bool reach_add(struct db *w, struct arena *, int64_t campaign, const int64_t *uids, size_t n,
	int64_t now, struct err *) MUST_USE;
/* Notes that ${uid} read a message of the campaign.  *first: he was reached and had read none.
 * Only inside db_write.  Fails: STORE. */
bool reach_read(struct db *w, struct arena *, const struct reach *, int64_t uid, int64_t now,
	bool *first, struct err *) MUST_USE;
