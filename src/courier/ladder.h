/* ladder – when what has failed is tried again.
 *
 * The first attempts follow each other as the documentation says (api.md §9.3): three when the
 * other side failed, two when it could not be reached, after half a second and a second, within
 * 15 s.  Behind them are the ladder's steps, the last one again and again, until a parcel is
 * too old. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct err;

#define LADDER_STEPS 32

struct ladder {
	int64_t steps[LADDER_STEPS]; /* µs */
	size_t n;
	int64_t keep_us; /* from the first attempt; then it is a dead letter */
};

/* ${steps}: seconds between commas, "5,30,120".  Fails: INPUT naming retry_ladder. */
bool ladder_read(struct ladder *out, const char *steps, int64_t keep_s, struct err *e) MUST_USE;

/* When the parcel, whose ${attempts} attempts failed, the last one just now, is tried again;
 * NO_TIME: never.  ${wanted_us}: a pause that the other side asked for, 0: none; it is given at
 * most the ladder's longest step, and an hour. */
int64_t ladder_next(const struct ladder *, int64_t first_at, int64_t attempts, bool was_reached,
	int64_t wanted_us, int64_t now);
/* 75 to 125 % of it, by chance: those who fell silent together do not come back together. */
int64_t ladder_jitter(int64_t us);
/* What a pause that the other side asked for is worth. */
int64_t ladder_cap(const struct ladder *, int64_t wanted_us);
/* How long attempt ${no} may take at most: the last of the first ones must end in time. */
int ladder_timeout_ms(int64_t first_at, int64_t no, int wanted_ms, int64_t now);
