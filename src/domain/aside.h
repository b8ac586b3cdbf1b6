/* aside – parcels that were not taken at once: put aside until they are tried again, or dead
 * letters, which stay until somebody replays or drops them (domain/route.h). */
#pragma once
#include "domain/route.h"

/* Stored. */
enum aside_state { ASIDE_WAITS = 1, ASIDE_DEAD = 2, ASIDE_TAKEN = 3 };

struct aside {
	int64_t no; /* of its route's numbers */
	enum aside_state state;
	int64_t due_at;   /* WAITS: when it is tried again; DEAD: since when it is */
	int64_t first_at; /* when it was tried first */
	int64_t attempts; /* begun so far */
	struct str why;   /* the last one failed */
	struct parcel parcel;
};

/* All but the first inside the transaction of the route's courier.  They fail with STORE. */

/* Takes up to ${max} that are due for another attempt, which counts from here on.  What
 * results is in the arena, without why. */
bool aside_take(struct db *w, struct arena *, int64_t route, int64_t now, size_t max,
	struct aside **out, size_t *n, struct err *e) MUST_USE;
bool
aside_put(struct db *w, int64_t route, const struct aside *, size_t n, struct err *e) MUST_USE;
/* State, due_at and why of those that are there. */
bool aside_update(
	struct db *w, int64_t route, const struct aside *, size_t n, struct err *e) MUST_USE;
bool
aside_delete(struct db *w, int64_t route, const int64_t *nos, size_t n, struct err *e) MUST_USE;
/* Those that a courier before had taken wait again. */
bool aside_take_over(struct db *w, int64_t route, struct err *e) MUST_USE;

/* How many are put aside, and when the first of them is due (NO_TIME: none).  Fails: STORE. */
bool
aside_look(struct db *, int64_t route, int64_t *count, int64_t *due_at, struct err *e) MUST_USE;
