/* read_impl – what the files of read share with each other and with nobody else. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct arena;
struct db;
struct err;

/* Campaign messages in channels[i] of a time from from[i] to to[i]. */
struct read_ranges {
	const int64_t *channels, *from, *to;
	size_t n;
};
/* Counts those of them that were sent to ${uid} and not counted yet.  Only inside db_write.
 * Fails: STORE, BUG. */
bool read_note(struct db *w, struct arena *, const struct read_ranges *, int64_t uid,
	struct err *e) MUST_USE;
