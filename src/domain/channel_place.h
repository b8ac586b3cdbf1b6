/* channel_place – where a channel of an id stands, or would stand if it was made: on a number
 * that follows from a form (docs/decisions/002-derived-channels.md), or on one of its own,
 * with its id stored. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "domain/form.h"

struct arena;
struct db;
struct err;

struct channel_place {
	/* The numbers that the channel can have, several for a distinct one.  It is made on the
	 * first; there may be none, then its id is stored. */
	int64_t nos[FORM_MAX_DISTINCT];
	int64_t nnos;
	/* The form that the id fits though nobody has the user id in it: when a channel of this
	 * id is made, the form is shadowed.  0: none. */
	int64_t shadows;
};

/* The places of channels of ${type}: out[i] belongs to ids[i].  They depend on the forms of
 * the type, and where the id fits one on whether its user is there: both only ever appear.
 * No memory is kept.  Fails: STORE. */
bool channel_places(struct db *, struct arena *, struct str type, const struct str *ids,
	size_t n, struct channel_place *out, struct err *e) MUST_USE;
/* Whether two are the same. */
bool channel_place_eq(const struct channel_place *, const struct channel_place *);

/* Homes of channels whose id is stored, taken thousands at a time before they are needed: who
 * takes some inside the transaction that makes the channels keeps all others waiting for theirs
 * until he is done.  Zeroed is ready. */
struct channel_homes {
	int64_t next, left;
};

/* The first of ${n} in a row; they are not given again, used or not.  Outside of transactions.
 * Fails: STORE, UNCERTAIN. */
bool channel_homes_take(
	struct channel_homes *, struct db *, int64_t n, int64_t *first, struct err *e) MUST_USE;
