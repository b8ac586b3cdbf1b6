/* limit – a counter per operation and platform that starts anew every minute. */
#include "api/limit.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/macros.h"

/* A bucket holds the minute (upper half) and the calls in it (lower half), so that one
 * compare-and-swap both counts and starts the next minute. */
struct limit {
	int64_t per_minute;
	size_t nbuckets;
	_Atomic uint64_t buckets[];
};

static bool
has_word(struct str s, const char *word)
{
	struct str w = str_of(word);

	for (size_t i = 0; i + w.n <= s.n; i++)
		if (str_ieq(str_sub(s, i, w.n), w))
			return true;
	return false;
}

enum platform
limit_platform(bool server_side, struct str client)
{
	if (server_side)
		return PLATFORM_SERVER;
	if (has_word(client, "unity"))
		return PLATFORM_UNITY;
	if (has_word(client, "android"))
		return PLATFORM_ANDROID;
	if (has_word(client, "ios") || has_word(client, "swift"))
		return PLATFORM_IOS;
	return PLATFORM_WEB;
}

struct limit *
limit_new(size_t routes, int64_t per_minute)
{
	size_t n = routes * PLATFORM_COUNT;
	struct limit *l = calloc(1, sizeof *l + n * sizeof l->buckets[0]);

	assert(per_minute > 0 && per_minute < UINT32_MAX);
	if (!l)
		panic("limit: out of memory");
	l->per_minute = per_minute;
	l->nbuckets = n;
	return l;
}

void
limit_free(struct limit *l)
{
	free(l);
}

void
limit_untouched(const struct limit *l, int64_t now_s, struct limit_state *out)
{
	out->limit = l ? l->per_minute : LIMIT_PER_MINUTE;
	out->remaining = out->limit;
	out->reset_s = (now_s / 60 + 1) * 60;
}

bool
limit_take(
	struct limit *l, size_t route, enum platform p, int64_t now_s, struct limit_state *out)
{
	const uint64_t minute = (uint64_t)(now_s / 60);
	size_t at = route * PLATFORM_COUNT + p;
	uint64_t old, calls;

	limit_untouched(l, now_s, out);
	if (!l)
		return true;
	assert(at < l->nbuckets);
	old = atomic_load_explicit(&l->buckets[at], memory_order_relaxed);
	do {
		/* A later minute, seen by a thread whose clock was read earlier, stands. */
		calls = old >> 32 >= minute ? (old & UINT32_MAX) : 0;
		if (calls >= (uint64_t)l->per_minute) {
			out->remaining = 0;
			return false;
		}
	} while (!atomic_compare_exchange_weak_explicit(&l->buckets[at], &old,
		MAX_OF(minute, old >> 32) << 32 | (calls + 1), memory_order_relaxed,
		memory_order_relaxed));
	out->remaining = l->per_minute - (int64_t)calls - 1;
	return true;
}
