/* window – additive increase, multiplicative decrease, and probes. */
#include "courier/window.h"

#include "base/macros.h"
#include "courier/ladder.h"

#define FIRST_WIDTH 4
/* While it is open it is never narrower: one failing attempt does not hold up another. */
#define LEAST_WIDTH 2
/* So many failures in a row shut it. */
#define SHUT_AFTER     20
#define SILENT_COUNTS  4
#define FIRST_PAUSE_US 500000
#define LAST_PAUSE_US  INT64_C(60000000)

void
window_init(struct window *w, unsigned max)
{
	*w = (struct window){.max = max, .width = MIN_OF(max, (unsigned)FIRST_WIDTH)};
}

bool
window_admits(const struct window *w, int64_t now)
{
	return now >= w->opens_at && w->under_way < MAX_OF(w->width, 1u);
}

int64_t
window_opens(const struct window *w, int64_t now)
{
	if (w->under_way >= MAX_OF(w->width, 1u))
		return INT64_MAX;
	return MAX_OF(now, w->opens_at);
}

uint64_t
window_begin(struct window *w)
{
	w->under_way++;
	return ++w->begun;
}

static void
succeed(struct window *w)
{
	w->bad = 0;
	w->pause_us = 0;
	if (w->width == 0) {
		w->width = LEAST_WIDTH;
		w->good = 0;
	} else if (++w->good >= w->width) {
		w->good = 0;
		w->width = MIN_OF(w->width + 1, w->max);
	}
}

static void
shut(struct window *w, int64_t now)
{
	w->width = 0;
	w->pause_us =
		w->pause_us == 0 ? FIRST_PAUSE_US : MIN_OF(w->pause_us * 2, LAST_PAUSE_US);
	w->opens_at = MAX_OF(w->opens_at, now + ladder_jitter(w->pause_us));
	w->halved = w->begun;
}

void
window_end(struct window *w, uint64_t attempt, enum sign sign, int64_t now)
{
	w->under_way--;
	if (sign == SIGN_GOOD) {
		succeed(w);
		return;
	}
	w->good = 0;
	w->bad += sign == SIGN_SILENT ? SILENT_COUNTS : 1;
	if (attempt <= w->halved)
		return;
	if (w->width == 0 || w->bad >= SHUT_AFTER) {
		shut(w, now);
	} else {
		w->halved = w->begun;
		w->width = MAX_OF(w->width / 2, (unsigned)LEAST_WIDTH);
	}
}

void
window_cancel(struct window *w)
{
	w->under_way--;
}

void
window_hold(struct window *w, int64_t until)
{
	w->opens_at = MAX_OF(w->opens_at, until);
}
