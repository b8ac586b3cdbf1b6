/* segment_cids – segments of channels: their lists, who is in them, how many. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct channel_set;
struct db;
struct err;
struct segment;

/* Two times 64 characters and a colon. */
#define SEGMENT_CID_MAX 129

/* "type:id", each of its alphabet; there need be no such type. */
bool segment_cid_valid(struct str cid);

/* Adds to / removes from a list; *added / *removed: how many were new / were there.  Only
 * inside db_write. */
bool segment_cids_add(struct db *w, struct arena *, int64_t segment, const struct str *cids,
	size_t n, int64_t *added, struct err *) MUST_USE;
bool segment_cids_remove(struct db *w, struct arena *, int64_t segment, const struct str *cids,
	size_t n, int64_t *removed, struct err *) MUST_USE;
/* Deletes the list of a deleted segment, some rows in each transaction. */
bool segment_cids_sweep(struct db *, int64_t segment, struct err *) MUST_USE;

/* Adds the living channels of the segment at this moment; none for a deleted one.  ${sender} is
 * whose channels all_sender_channels means; *missing: how many listed cids are no channel.
 * Fails: STORE. */
bool segment_load_channels(struct db *, struct arena *, const struct segment *, int64_t sender,
	struct channel_set *out, int64_t *missing, struct err *) MUST_USE;

/* Calls fn with the cids of a list whose channels are not in ${fixed}, sorted, page by page.
 * Fails: STORE, what fn fails with. */
typedef bool (*segment_missing_fn)(void *arg, const struct str *cids, size_t n, struct err *);
bool segment_walk_missing(struct db *, const struct segment *, const struct channel_set *fixed,
	segment_missing_fn fn, void *arg, struct err *) MUST_USE;

/* How many channels the filter of the segment lets through. */
bool segment_count_channels(struct db *, struct arena *, const struct segment *, int64_t *out,
	struct err *) MUST_USE;
/* Whether a cid is listed, or its channel let through.  Fails: INPUT (all_sender_channels),
 * STORE. */
bool segment_has_cid(struct db *, struct arena *, const struct segment *, struct str cid,
	bool *out, struct err *) MUST_USE;
