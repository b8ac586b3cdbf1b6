/* limit_users – how often each user called each operation in this minute, in memory of fixed
 * size.
 *
 * The table has a set of places for each hash.  When more users call in a minute than a set has
 * places, the one with the fewest calls is forgotten: too many users make the limit looser for
 * those who hardly call, and never cost memory. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct limit_users;

#define LIMIT_USERS_MAX 200000 /* calls a minute, the largest limit that can be kept */

struct limit_users *limit_users_new(void);
void limit_users_free(struct limit_users *t); /* NULL is legal */

/* Counts one call of ${operation} by ${user}; *calls: how many there are in this minute then.
 * False, and not counted, when there are ${max} already.  Safe for use by all threads. */
bool limit_users_take(struct limit_users *t, struct str user, size_t operation, int64_t max,
	int64_t now_s, int64_t *calls);
