/* limit – counters per operation and platform that start anew every minute and every second.
 *
 * The second is asked before the minute.  Both counts stay exact: a call that the second
 * refuses is not in the minute; one that the minute refuses is in a second of a minute that is
 * full anyway. */
#include "api/limit.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "api/limit_users.h"
#include "base/err.h"
#include "base/log.h"

#define NONE           SIZE_MAX
#define SECONDS        30 /* a second takes this part of what a minute takes */
#define MAX_PER_MINUTE INT64_C(1000000000)
#define CACHE_LINE     64

/* Each word holds the number of a window (upper half) and the calls in it (lower half), so that
 * one compare-and-swap both counts and starts the next window.  On a cache line of its own:
 * platforms and operations do not disturb each other. */
struct bucket {
	_Alignas(CACHE_LINE) _Atomic uint64_t minute;
	_Atomic uint64_t second;
};

struct operation {
	struct bucket platforms[PLATFORM_COUNT];
	const char *name;
	int64_t per_minute, per_second;
};

struct limit {
	int64_t per_minute; /* where no override says otherwise */
	int64_t per_user;
	struct limit_users *users; /* NULL: not limited */
	size_t *of_route;          /* place in ${operations}, or NONE */
	size_t nroutes;
	struct operation *operations;
	size_t noperations;
};

/* ---- who calls ------------------------------------------------------------------------- */

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

/* ---- making ---------------------------------------------------------------------------- */

static void
set_rate(struct operation *o, int64_t per_minute)
{
	o->per_minute = per_minute;
	o->per_second = (per_minute + SECONDS - 1) / SECONDS;
}

bool
limit_find(const struct limit *l, struct str name, size_t *at)
{
	for (*at = 0; *at < l->noperations; ++*at)
		if (str_eq(str_of(l->operations[*at].name), name))
			return true;
	return false;
}

/* Gives every name its place. */
static void
add_operations(struct limit *l, const struct limit_opts *opts)
{
	size_t at;

	for (size_t i = 0; i < opts->nroutes; i++) {
		const char *name = opts->operations[i];

		l->of_route[i] = NONE;
		if (name == NULL)
			continue;
		if (!limit_find(l, str_of(name), &at)) {
			at = l->noperations++;
			l->operations[at].name = name;
			set_rate(&l->operations[at], opts->per_minute);
		}
		l->of_route[i] = at;
	}
}

/* "SendMessage:1000" */
static bool
override(struct limit *l, struct str rule, struct err *e)
{
	size_t colon = str_find(rule, ':', 0), at;
	struct str name = str_trim(str_sub(rule, 0, colon));
	int64_t n;

	if (!limit_find(l, name, &at))
		return fail(e, ERR_INPUT, "rate_limits: no operation is named \"%.*s\"",
			STR_ARG(name));
	if (colon == rule.n ||
		!str_to_i64(str_trim(str_sub(rule, colon + 1, rule.n - colon - 1)), &n) ||
		n < 1 || n > MAX_PER_MINUTE)
		return fail(e, ERR_INPUT,
			"rate_limits: %.*s: expected OPERATION:CALLS with 1 to %lld calls a "
			"minute, got \"%.*s\"",
			STR_ARG(name), (long long)MAX_PER_MINUTE, STR_ARG(rule));
	set_rate(&l->operations[at], n);
	return true;
}

static bool
override_all(struct limit *l, struct str rules, struct err *e)
{
	for (size_t at = 0; rules.n > 0 && at <= rules.n;) {
		size_t end = str_find(rules, ',', at);

		if (!override(l, str_trim(str_sub(rules, at, end - at)), e))
			return false;
		at = end + 1;
	}
	return true;
}

static void *
zeroed(size_t n)
{
	void *p = aligned_alloc(CACHE_LINE, (n + CACHE_LINE) / CACHE_LINE * CACHE_LINE);

	if (p == NULL)
		panic("limit: out of memory");
	return memset(p, 0, n);
}

bool
limit_new(struct limit **out, const struct limit_opts *opts, struct err *e)
{
	struct limit *l = zeroed(sizeof(*l));

	assert(opts->per_minute > 0 && opts->per_minute <= MAX_PER_MINUTE);
	assert(opts->per_user >= 0 && opts->per_user <= LIMIT_USERS_MAX);
	l->per_minute = opts->per_minute;
	l->per_user = opts->per_user;
	l->nroutes = opts->nroutes;
	l->of_route = zeroed(opts->nroutes * sizeof(*l->of_route));
	l->operations = zeroed(opts->nroutes * sizeof(*l->operations));
	add_operations(l, opts);
	if (!override_all(l, str_of(opts->overrides), e)) {
		limit_free(l);
		return false;
	}
	if (l->per_user > 0)
		l->users = limit_users_new();
	*out = l;
	return true;
}

void
limit_free(struct limit *l)
{
	if (l == NULL)
		return;
	limit_users_free(l->users);
	free(l->operations);
	free(l->of_route);
	free(l);
}

/* ---- counting -------------------------------------------------------------------------- */

/* How many calls window ${no} has seen.  A later window, seen by a thread whose clock was read
 * earlier, stands. */
static int64_t
calls_in(uint64_t seen, int64_t no)
{
	return seen >> 32 >= (uint64_t)no ? (int64_t)(seen & UINT32_MAX) : 0;
}

/* Counts one more in window ${no}; *calls: how many there are then.  False when it is full. */
static bool
count(_Atomic uint64_t *w, int64_t no, int64_t max, int64_t *calls)
{
	uint64_t old = atomic_load_explicit(w, memory_order_relaxed);

	do {
		*calls = calls_in(old, no);
		if (*calls >= max)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(w, &old,
		MAX_OF((uint64_t)no, old >> 32) << 32 | (uint64_t)(*calls + 1),
		memory_order_relaxed, memory_order_relaxed));
	++*calls;
	return true;
}

static int64_t
next_minute(int64_t now_s)
{
	return (now_s / 60 + 1) * 60;
}

enum limit_verdict
limit_take(struct limit *l, const struct limit_call *c, struct limit_state *out)
{
	struct operation *o;
	struct bucket *b;
	int64_t calls, by_user = 0;

	limit_untouched(l, c->now_s, out);
	if (l == NULL)
		return LIMIT_OK;
	assert(c->route < l->nroutes && l->of_route[c->route] != NONE);
	o = &l->operations[l->of_route[c->route]];
	b = &o->platforms[c->platform];
	*out = (struct limit_state){l->per_user, 0, next_minute(c->now_s)};
	if (c->user.p != NULL && l->users != NULL &&
		!limit_users_take(l->users, c->user, (size_t)(o - l->operations), l->per_user,
			c->now_s, &by_user))
		return LIMIT_USER;
	*out = (struct limit_state){o->per_second, 0, c->now_s + 1};
	if (!count(&b->second, c->now_s, o->per_second, &calls))
		return LIMIT_SECOND;
	*out = (struct limit_state){o->per_minute, 0, next_minute(c->now_s)};
	if (!count(&b->minute, c->now_s / 60, o->per_minute, &calls))
		return LIMIT_MINUTE;
	out->remaining = o->per_minute - calls;
	if (by_user > 0 && l->per_user - by_user < out->remaining) {
		out->limit = l->per_user;
		out->remaining = l->per_user - by_user;
	}
	return LIMIT_OK;
}

void
limit_untouched(const struct limit *l, int64_t now_s, struct limit_state *out)
{
	out->limit = l ? l->per_minute : LIMIT_PER_MINUTE;
	out->remaining = out->limit;
	out->reset_s = next_minute(now_s);
}

void
limit_look_at(const struct limit *l, size_t at, enum platform p, int64_t now_s,
	struct limit_state *out)
{
	struct operation *o = &l->operations[at];
	uint64_t seen = atomic_load_explicit(&o->platforms[p].minute, memory_order_relaxed);

	out->limit = o->per_minute;
	out->remaining = o->per_minute - calls_in(seen, now_s / 60);
	out->reset_s = next_minute(now_s);
}

void
limit_look(const struct limit *l, const struct limit_call *c, struct limit_state *out)
{
	limit_untouched(l, c->now_s, out);
	if (l != NULL && l->of_route[c->route] != NONE)
		limit_look_at(l, l->of_route[c->route], c->platform, c->now_s, out);
}

const char *
limit_operation(const struct limit *l, size_t at)
{
	return l != NULL && at < l->noperations ? l->operations[at].name : NULL;
}
