/* window – how many attempts may be under way on a route at once: opens slowly, shuts quickly.
 *
 * It grows by one with each window of successes and is halved by a failure, once for all
 * attempts that were under way with the one that failed.  After a series of failures it is
 * shut: from then on one attempt at a time, a probe, after pauses that double; the first
 * success opens it again. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* What an attempt says of the other side. */
enum sign {
	SIGN_GOOD,
	SIGN_BAD,    /* it answered, but not well */
	SIGN_SILENT, /* there was no answer */
};

struct window {
	unsigned max, width; /* 0: shut */
	unsigned under_way;
	unsigned good;    /* since it last grew */
	unsigned bad;     /* in a row; silence counts more */
	uint64_t begun;   /* attempts, ever */
	uint64_t halved;  /* up to this attempt, failures are accounted for */
	int64_t opens_at; /* monotonic µs; before, nothing is begun; 0: at once */
	int64_t pause_us; /* before the next probe */
};

void window_init(struct window *, unsigned max);
bool window_admits(const struct window *, int64_t now);
/* When it admits the next without anything having ended; ${now}: at once; INT64_MAX: never. */
int64_t window_opens(const struct window *, int64_t now);
/* Returns the attempt's number, for window_end(). */
uint64_t window_begin(struct window *);
void window_end(struct window *, uint64_t attempt, enum sign, int64_t now);
/* One that says nothing of the other side has ended. */
void window_cancel(struct window *);
/* The other side asks for a pause. */
void window_hold(struct window *, int64_t until);
