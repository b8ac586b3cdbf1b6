/* limit – how many calls a minute an operation takes, per platform (api.md §11.1). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

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

struct limit_state {
	int64_t limit;     /* calls per minute */
	int64_t remaining; /* in this minute, after this call */
	int64_t reset_s;   /* when the next minute begins, seconds since the epoch */
};

/* ${routes}: how many operations there are.  Safe for use by all threads at once. */
struct limit *limit_new(size_t routes, int64_t per_minute);
void limit_free(struct limit *l); /* NULL is legal */

/* Counts one call of operation ${route}; false when it is one too many. */
bool limit_take(
	struct limit *l, size_t route, enum platform p, int64_t now_s, struct limit_state *out);
/* What an untouched bucket shows: for answers that count nowhere.  ${l} may be NULL. */
void limit_untouched(const struct limit *l, int64_t now_s, struct limit_state *out);
