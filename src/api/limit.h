/* limit – how many calls an operation takes: in a minute and in a second from all clients of
 * one platform, in a minute from one user (api.md §11.1).
 *
 * Counts are exact for what one process answers; several processes on a store count each for
 * itself.  A call is counted once, before it is done.  Server-side calls have no user. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct err;
struct limit;

/* Generous: it stops a caller that runs wild, not one that works. */
#define LIMIT_PER_MINUTE 600000

enum platform {
	PLATFORM_SERVER,
	PLATFORM_ANDROID,
	PLATFORM_IOS,
	PLATFORM_WEB,
	PLATFORM_UNITY,
	PLATFORM_COUNT
};

/* Server for a server-side token; else what the X-Stream-Client header says, web when it says
 * nothing known. */
enum platform limit_platform(bool server_side, struct str client);

struct limit_opts {
	const char *const
		*operations; /* of each route; NULL: counted nowhere.  Equal names
			      * are one operation; they must live as long as the limit */
	size_t nroutes;
	int64_t per_minute;    /* of an operation on a platform; a second takes a 30th */
	int64_t per_user;      /* of an operation by a user, in a minute; 0: no such limit */
	const char *overrides; /* "SendMessage:1000,QueryUsers:500" instead of per_minute */
};

/* Safe for use by all threads at once.  Fails: INPUT (overrides). */
bool limit_new(struct limit **out, const struct limit_opts *, struct err *e) MUST_USE;
void limit_free(struct limit *l); /* NULL is legal */

/* ---- counting ------------------------------------------------------------------------- */

/* Of one window. */
struct limit_state {
	int64_t limit;     /* calls that it takes */
	int64_t remaining; /* of them, after this call */
	int64_t reset_s;   /* when the next one begins, seconds since the epoch */
};

enum limit_verdict { LIMIT_OK, LIMIT_SECOND, LIMIT_MINUTE, LIMIT_USER };

struct limit_call {
	size_t route;
	enum platform platform;
	struct str user; /* p == NULL: server-side */
	int64_t now_s;
};

/* Counts one call, unless a window is full: the verdict names it, ${out} shows it.  When all
 * take it, ${out} is the minute that has least left: the platform's or the user's. */
enum limit_verdict
limit_take(struct limit *l, const struct limit_call *call, struct limit_state *out);
/* The minute of the platform as it stands, counting nothing.  ${l} may be NULL. */
void limit_look(const struct limit *l, const struct limit_call *call, struct limit_state *out);
/* What an untouched minute shows: for answers that belong to no route.  ${l} may be NULL. */
void limit_untouched(const struct limit *l, int64_t now_s, struct limit_state *out);

/* ---- for the list of all --------------------------------------------------------------- */

/* The place of the operation that has this name; false when there is none. */
bool limit_find(const struct limit *l, struct str operation, size_t *at);
/* Walks the operations from 0; NULL at the end. */
const char *limit_operation(const struct limit *l, size_t at);
void limit_look_at(const struct limit *l, size_t at, enum platform platform, int64_t now_s,
	struct limit_state *out);
