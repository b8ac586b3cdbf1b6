/* segment_impl – what the files of segment share with each other and with nobody else. */
#pragma once
#include <stdbool.h>

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
