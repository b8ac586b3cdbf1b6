/* route_report – how the ways out of the house go, for who looks from outside (domain/route.h).
 */
#pragma once
#include "domain/route.h"

struct route_failure {
	struct str why;
	int64_t n;
};

struct route_report {
	struct out_route route;
	int64_t created_at;
	struct str barred_why;
	int64_t width; /* attempts that may be under way; 0: it is probed, or not served */
	int64_t sent, failed, dropped, missed;
	int64_t put_aside, dead;
	int64_t behind; /* positions of the outbox */
	int64_t lag_us; /* age of the oldest that was not sent yet; 0: nothing waits */
	struct route_failure *failures;
	size_t nfailures;
};

/* The routes of a kind (0: all) with that ident (p == NULL: all); in the arena.  Fails: STORE.
 */
bool route_report(struct db *, struct arena *, int kind, struct str ident,
	struct route_report **out, size_t *n, struct err *e) MUST_USE;

/* "webhook" or "push", and back; false: it is neither. */
struct str route_kind_name(enum route_kind);
bool route_kind_read(struct str name, enum route_kind *out);

/* Its number.  Fails: NOT_FOUND, STORE. */
bool
route_find(struct db *, enum route_kind, struct str ident, int64_t *no, struct err *e) MUST_USE;
/* What happens is kept, and sent when it is resumed; resuming lifts a bar as well.  Fails:
 * STORE, UNCERTAIN. */
bool route_pause(struct db *, int64_t no, bool on, struct err *e) MUST_USE;
