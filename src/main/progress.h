/* progress – one line that tells how far a long command is.
 *
 * On a terminal the line is redrawn in place; elsewhere (a log, a pipe) a plain line is
 * printed about once a second.  Times are monotonic microseconds, given by the caller. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PROGRESS_LINE_MAX 256

struct progress {
	FILE *out;
	const char *what; /* literal: "importing" */
	const char *unit; /* literal: "users" */
	bool live;        /* out is a terminal */
	bool drawn;       /* a line stands on the terminal, to be wiped at the end */
	int64_t drawn_us; /* when the last line was printed */
	int64_t mark_us;  /* since when the next sample of the speed is taken … */
	int64_t mark_count;
	double mark_share; /* … and what stood then */
	double rate;       /* units per second, smoothed; 0: not known yet */
	double pace;       /* share per second, smoothed */
};

void progress_init(
	struct progress *p, FILE *out, const char *what, const char *unit, int64_t now_us);

/* ${count} units are done, and ${share} (0..1) of the whole; share < 0: the whole is not
 * known.  Cheap: prints only when a new line is due. */
void progress_update(struct progress *p, int64_t count, double share, int64_t now_us);

/* Wipes the line from the terminal. */
void progress_end(struct progress *p);

/* The line for ${columns} columns, without a line break. */
void progress_line(const struct progress *p, int64_t count, double share, int columns,
	char out[PROGRESS_LINE_MAX]);
