/* limit_users – a table of sets of atomics: one set is one cache line, so a call touches one.
 */
#include "api/limit_users.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypt.h"
#include "base/log.h"
#include "base/macros.h"

#define SETS       16384 /* 1 MiB in all */
#define PLACES     8     /* of a set: a cache line */
#define KEY_LEN    32
#define LONGEST_ID 255

/* A place is one word: tag of user and operation | minute | calls.  The minute comes round
 * after 45 days; the tag tells users of one set apart but for one in some ten millions. */
#define CALL_BITS   18
#define MINUTE_BITS 16
#define CALL_MASK   ((UINT64_C(1) << CALL_BITS) - 1)
#define MINUTE_MASK ((UINT64_C(1) << MINUTE_BITS) - 1)

static_assert(LIMIT_USERS_MAX <= CALL_MASK, "calls do not fit into a place");

struct limit_users {
	_Alignas(64) _Atomic uint64_t sets[SETS][PLACES];
	/* Random, so that nobody can choose ids that fall into one set. */
	char key[KEY_LEN];
};

struct limit_users *
limit_users_new(void)
{
	struct limit_users *t = aligned_alloc(_Alignof(struct limit_users), sizeof(*t));

	if (t == NULL)
		panic("limit: out of memory");
	memset(t, 0, sizeof(*t));
	crypt_random(t->key, sizeof(t->key));
	return t;
}

void
limit_users_free(struct limit_users *t)
{
	free(t);
}

static uint64_t
hash(const struct limit_users *t, struct str user, size_t operation)
{
	char text[LONGEST_ID + sizeof(operation)];
	uint8_t mac[CRYPT_SHA256_LEN];
	size_t n = MIN_OF(user.n, (size_t)LONGEST_ID);
	uint64_t out;

	memcpy(text, user.p, n);
	memcpy(text + n, &operation, sizeof(operation));
	crypt_hmac_sha256((struct str){t->key, sizeof(t->key)},
		(struct str){text, n + sizeof(operation)}, mac);
	memcpy(&out, mac, sizeof(out));
	return out;
}

static uint64_t
tag_of_place(uint64_t place)
{
	return place >> (CALL_BITS + MINUTE_BITS);
}

/* Of this minute, or of the next one, seen by a thread whose clock was read later. */
static bool
is_live(uint64_t place, uint64_t minute)
{
	return (((place >> CALL_BITS) - minute) & MINUTE_MASK) <= 1;
}

/* The place of ${tag} in this minute, or else the one that is given up for it: of an earlier
 * minute, or with the fewest calls. */
static size_t
find(const uint64_t seen[PLACES], uint64_t tag, uint64_t minute, bool *found)
{
	size_t best = 0;
	uint64_t fewest = UINT64_MAX;

	for (size_t i = 0; i < PLACES; i++) {
		bool live = is_live(seen[i], minute);
		uint64_t calls = live ? (seen[i] & CALL_MASK) : 0;

		*found = live && tag_of_place(seen[i]) == tag;
		if (*found)
			return i;
		if (calls < fewest) {
			fewest = calls;
			best = i;
		}
	}
	return best;
}

bool
limit_users_take(struct limit_users *t, struct str user, size_t operation, int64_t max,
	int64_t now_s, int64_t *calls)
{
	uint64_t h = hash(t, user, operation), minute = (uint64_t)(now_s / 60) & MINUTE_MASK;
	uint64_t tag = h >> (CALL_BITS + MINUTE_BITS), seen[PLACES], next;
	_Atomic uint64_t *set = t->sets[h % SETS];
	bool found;
	size_t at;

	/* All threads look in the same order and replace only what they have seen, so that two
	 * of them do not give one user two places. */
	do {
		for (size_t i = 0; i < PLACES; i++)
			seen[i] = atomic_load_explicit(&set[i], memory_order_relaxed);
		at = find(seen, tag, minute, &found);
		*calls = found ? (int64_t)(seen[at] & CALL_MASK) : 0;
		if (*calls >= max)
			return false;
		next = found ? seen[at] + 1 : (tag << MINUTE_BITS | minute) << CALL_BITS | 1;
	} while (!atomic_compare_exchange_strong_explicit(
		&set[at], &seen[at], next, memory_order_relaxed, memory_order_relaxed));
	++*calls;
	return true;
}
