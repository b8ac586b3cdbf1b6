/* uidset – large sets of uids: the targets of a segment, the user_ids of a campaign.
 *
 * Stored in rows of 32,768 uids (table targets): a bitmap, or sorted 16-bit offsets when
 * that is smaller.  Sets are joined by OR-ing chunks, so a union of overlapping segments
 * costs no memory per element and removes duplicates for free. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "domain/bitset.h"

struct arena;
struct db;
struct err;

/* A stored chunk holds the same uids as a chunk in memory. */
#define UIDSET_CHUNK_BITS BITSET_CHUNK_BITS
#define UIDSET_CHUNK      BITSET_CHUNK
/* Both uids and set numbers are in [0, 2^39). */
#define UIDSET_LIMIT ((int64_t)1 << 39)

/* ---- stored sets; ${set} is the no of a segment, or a campaign's user_set ------------ */

/* Adds / removes ${uids} (any order, duplicates allowed); *changed = how many were new /
 * were there.  Only inside db_write. */
bool uidset_add(struct db *w, struct arena *, int64_t set, const int64_t *uids, size_t n,
	int64_t now, int64_t *changed, struct err *) MUST_USE;
bool uidset_remove(struct db *w, struct arena *, int64_t set, const int64_t *uids, size_t n,
	int64_t *changed, struct err *) MUST_USE;
bool uidset_clear(struct db *w, int64_t set, struct err *) MUST_USE;
bool uidset_has(struct db *, int64_t set, int64_t uid, bool *out, struct err *) MUST_USE;

/* The uids of a set, sorted. */
struct uid_list {
	int64_t *v;
	size_t n;
};
/* Of many small sets: out[i] is sets[i], its memory in the arena. */
bool uidset_list_many(struct db *, struct arena *, const int64_t *sets, size_t n,
	struct uid_list *out, struct err *) MUST_USE;

/* ORs a stored set into one in memory. */
bool bitset_load(struct bitset *, struct db *, int64_t set, struct err *) MUST_USE;
