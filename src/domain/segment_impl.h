/* segment_impl – what the files of segment share with each other and with nobody else. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "domain/user.h"

struct arena;
struct buf;
struct db;
struct err;
struct filter_params;
struct segment;

/* segment_get for a change of who is in it; inside db_write.  Fails besides: TIMEOUT (a started
 * campaign is about to read it, I-2; gone in a moment). */
bool segment_get_to_change(struct db *w, struct arena *, struct str id, struct segment *out,
	struct err *) MUST_USE;

/* Appends what stands behind FROM for the members of a segment that is not a list, with the
 * aliases of user_from(). */
bool segment_members_sql(struct db *, struct arena *, const struct segment *, enum user_way,
	struct buf *sql, struct filter_params *, struct err *) MUST_USE;

/* ---- pages of targets (segment_pages.c) ------------------------------------------------- */

/* Conditions on target_id: joined by AND they are a range and a list, where a walk can begin
 * and end; the others are tested for each id. */
struct segment_range {
	struct str low, high; /* p == NULL: open */
	bool low_excluded, high_excluded;
	bool listed;      /* only ids of the list */
	struct str *list; /* sorted, each once */
	size_t nlist;
	const json_t *rest; /* a filter that must let the id through, too; NULL: none */
};

struct segment_found {
	struct str id;
	int64_t uid;        /* of a user */
	int64_t created_at; /* of a channel */
};

struct segment_search {
	struct db *db;
	struct arena *a;
	const struct segment *segment;
	struct segment_range range;
	bool descending;
	size_t want;
	struct segment_found *found; /* up to want, in the order asked for */
	size_t n;
};

/* Whether the id lies between low and high and passes the rest; not whether it is listed. */
bool segment_range_has(const struct segment_range *, struct str id);
/* Puts the first ${n} found into the order asked for and keeps as many as are wanted. */
void segment_search_cut(struct segment_search *, size_t n);
/* Finds the targets of a segment of channels.  Fails: INPUT, STORE. */
bool segment_search_cids(struct segment_search *, struct err *e) MUST_USE;
