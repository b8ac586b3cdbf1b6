/* ladder – pauses between attempts. */
#include "courier/ladder.h"

#include "base/clock.h"
#include "base/crypt.h"
#include "base/err.h"
#include "base/str.h"

#define SECOND      INT64_C(1000000)
#define FIRST_TRIES 3
/* When nobody was reached. */
#define FIRST_TRIES_UNREACHED 2
#define FIRST_SPAN            (15 * SECOND)
#define HOUR                  (3600 * SECOND)
#define LEAST_TIMEOUT_MS      1000

static const int64_t first_pauses[] = {SECOND / 2, SECOND};

/* "0.25": seconds with at most six decimals, as µs. */
static bool
read_seconds(struct str s, int64_t *out)
{
	size_t dot = str_find(s, '.', 0);
	int64_t whole, part = 0, unit = SECOND;

	if (!str_to_i64(str_sub(s, 0, dot), &whole) || whole < 0 || whole > 30 * 86400)
		return false;
	for (size_t i = dot + 1; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || unit == 1)
			return false;
		unit /= 10;
		part += (s.p[i] - '0') * unit;
	}
	*out = whole * SECOND + part;
	return *out > 0;
}

bool
ladder_read(struct ladder *out, const char *steps, int64_t keep_s, struct err *e)
{
	struct str list = str_of(steps);

	*out = (struct ladder){.keep_us = keep_s * SECOND};
	for (size_t at = 0; at <= list.n;) {
		size_t end = str_find(list, ',', at);
		struct str one = str_trim(str_sub(list, at, end - at)), shown;

		at = end + 1;
		if (out->n < LADDER_STEPS && read_seconds(one, &out->steps[out->n])) {
			out->n++;
			continue;
		}
		shown = str_clip(one, 64);
		return fail(e, ERR_INPUT,
			"retry_ladder: expected 1 to %d times in seconds, such as 5,30,120, "
			"got "
			"\"%.*s\"",
			LADDER_STEPS, STR_ARG(shown));
	}
	return true;
}

int64_t
ladder_jitter(int64_t us)
{
	uint16_t random;

	crypt_random(&random, sizeof(random));
	return us * 3 / 4 + us / 2 * random / UINT16_MAX;
}

int64_t
ladder_cap(const struct ladder *l, int64_t wanted_us)
{
	int64_t longest = 0;

	for (size_t i = 0; i < l->n; i++)
		longest = MAX_OF(longest, l->steps[i]);
	return MIN_OF(MIN_OF(wanted_us, longest), HOUR);
}

int64_t
ladder_next(const struct ladder *l, int64_t first_at, int64_t attempts, bool was_reached,
	int64_t wanted_us, int64_t now)
{
	int64_t tries = was_reached ? FIRST_TRIES : FIRST_TRIES_UNREACHED, pause;

	if (now - first_at >= l->keep_us)
		return NO_TIME;
	if (attempts < tries && now - first_at + first_pauses[attempts - 1] < FIRST_SPAN) {
		pause = first_pauses[attempts - 1];
	} else {
		int64_t step = MAX_OF(attempts - tries, 0);

		pause = l->steps[MIN_OF((size_t)step, l->n - 1)];
	}
	return now + MAX_OF(ladder_jitter(pause), ladder_cap(l, wanted_us));
}

int
ladder_timeout_ms(int64_t first_at, int64_t no, int wanted_ms, int64_t now)
{
	int64_t left_ms = (first_at + FIRST_SPAN - now) / 1000;

	if (no > FIRST_TRIES || left_ms <= 0)
		return wanted_ms;
	return (int)MIN_OF((int64_t)wanted_ms, MAX_OF(left_ms, (int64_t)LEAST_TIMEOUT_MS));
}
