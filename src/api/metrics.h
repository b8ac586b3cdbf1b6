/* metrics – what the store and this process count, as text for Prometheus. */
#pragma once

struct metrics;

/* What was counted last, for a few seconds: however often it is asked for, the store is asked
 * once in that time. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *); /* NULL is legal */
