/* clock – wall time and monotonic time, and their text forms. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* All stored times: microseconds since the epoch, UTC.  Range of what the API accepts:
 * year 1 to 9999. */
#define NO_TIME INT64_MIN /* "never", "unset"; SQL NULL */

int64_t clock_now_us(void);
/* Never goes back; for leases inside one process, durations, time-outs. */
int64_t clock_mono_us(void);

/* The calendar month of a time, UTC, in years of 12: the next one has the next number. */
int64_t clock_month(int64_t us);
/* When a month begins. */
int64_t clock_month_begin(int64_t month);

/* "2027-01-01T00:00:00.123456Z", always 27 bytes, not NUL-terminated. */
#define CLOCK_RFC3339_LEN 27
void clock_to_rfc3339(int64_t us, char out[CLOCK_RFC3339_LEN]);
/* RFC 3339 with 'T' or 't' or ' ', any number of fraction digits (cut to µs), 'Z' or a
 * numeric offset; false on anything else, impossible dates included. */
bool clock_from_rfc3339(struct str s, int64_t *us);
