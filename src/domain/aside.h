/* aside – parcels that were not taken at once: put aside until they are tried again, or dead
 * letters, which stay until somebody replays or drops them (domain/route.h). */
#pragma once
#include "domain/route.h"

struct app;
struct page_ask;
struct page_links;

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

/* ---- inside the transactions of the route's courier; they fail with STORE ---- */

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

/* So many dead letters of a route are kept; of more, the oldest are dropped, and counted. */
#define ASIDE_DEAD_MAX 10000
bool aside_trim_dead(struct db *w, int64_t route, struct err *e) MUST_USE;

/* ---- for others ---- */

/* How many are put aside, and when the first of them is due (NO_TIME: none).  Fails: STORE. */
bool
aside_look(struct db *, int64_t route, int64_t *count, int64_t *due_at, struct err *e) MUST_USE;

/* A page of a route's dead letters, the oldest first; in the arena.  Fails: INPUT, STORE. */
bool aside_dead_page(struct db *, struct arena *, const struct app *, int64_t route,
	const struct page_ask *, struct aside **out, size_t *n, struct page_links *,
	struct err *e) MUST_USE;
/* Dead letters, or that of the event ${id}, are tried again as if they were new, but their
 * attempts are counted on; or are dropped.  *n: how many.  Fails: STORE, UNCERTAIN. */
bool
aside_replay(struct db *, int64_t route, struct str id, int64_t *n, struct err *e) MUST_USE;
bool aside_drop(struct db *, int64_t route, struct str id, int64_t *n, struct err *e) MUST_USE;
