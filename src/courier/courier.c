/* courier – a thread, its loop, and its end. */
#include "courier/courier.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "courier/haul.h"
#include "store/db.h"

#define CONNECT_TIMEOUT_MS 5000
/* Settings, pauses and free routes are looked for so often; so soon again after a failure. */
#define LOOK_US      1000000
#define LOOK_TOLD_US 100000
#define RETRY_US     500000
/* So long commits gather before they are read. */
#define READ_US 2000
/* A failure of the store is told once in this time. */
#define COMPLAIN_US 10000000
/* Answers that are taken before others get their turn. */
#define ANSWERS_MAX 64

void
courier_complain(struct courier *c, const struct err *e)
{
	int64_t now = clock_mono_us();

	if (now < c->log_at)
		return;
	c->log_at = now + COMPLAIN_US;
	log_error("%s: %s", c->opts.name, e->msg);
}

static void
look(struct courier *c, int64_t now)
{
	struct err e;

	if (now >= c->read_at && atomic_exchange(&c->is_told, false)) {
		c->read_at = now + READ_US;
		for (struct haul *h = c->hauls; h != NULL; h = h->next)
			h->has_more = true;
		/* It may have been the settings. */
		c->look_at = MIN_OF(c->look_at, c->looked_at + LOOK_TOLD_US);
	}
	if (now < c->look_at && look_aside(c, &e))
		return;
	c->looked_at = now;
	c->look_at = now + LOOK_US;
	if (look_around(c, &e) && look_aside(c, &e))
		return;
	courier_complain(c, &e);
	c->look_at = now + RETRY_US;
}

static void
write_turn(struct courier *c, int64_t now)
{
	int64_t due = INT64_MAX;
	struct err e;

	for (struct haul *h = c->hauls; h != NULL; h = h->next)
		due = MIN_OF(due, turn_due(c, h, now));
	if (due > now || now < c->write_at || turn_write(c, false, &e))
		return;
	courier_complain(c, &e);
	c->write_at = now + RETRY_US;
}

static void
take_answers(struct courier *c, int64_t until)
{
	int64_t wait_us = until - clock_mono_us();
	struct fetch *f;
	int n = 0;

	f = fetcher_next(
		c->fetcher, wait_us <= 0 ? 0 : (int)MIN_OF((wait_us + 999) / 1000, 1000));
	while (f != NULL) {
		carry_ended(c, f);
		f = ++n < ANSWERS_MAX ? fetcher_next(c->fetcher, 0) : NULL;
	}
}

static void
work(struct courier *c)
{
	int64_t now = clock_mono_us();

	look(c, now);
	reading_go_on(c);
	write_turn(c, now);
	carry_begin(c);
	now = clock_mono_us();
	take_answers(c, MAX_OF(carry_until(c, now), MIN_OF(c->write_at, now + RETRY_US)));
}

/* What is under way may end; then all that is known is written, and others may take over. */
static void
drain(struct courier *c)
{
	int64_t until = atomic_load(&c->drain_until);
	struct err e;

	while (c->away > 0 && clock_mono_us() < until)
		take_answers(c, until);
	if (!turn_write(c, true, &e))
		courier_complain(c, &e);
	for (struct haul *h = c->hauls; h != NULL; h = h->next)
		if (h->is_held && !h->is_lost)
			claim_drop(c->db, &h->claim);
}

static void
run(void *arg)
{
	struct courier *c = arg;

	while (!atomic_load(&c->is_stopping))
		work(c);
	drain(c);
}

bool
courier_start(struct courier **out, const struct trade *trade, const struct courier_opts *opts,
	struct err *e)
{
	struct fetcher_opts fetch_opts = {
		.guard = opts->guard,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.ca_file = opts->ca_file,
	};
	struct courier *c = calloc(1, sizeof(*c));

	if (c == NULL)
		panic("out of memory: courier");
	c->opts = *opts;
	c->trade = *trade;
	c->is_exclusive = store_is_exclusive(opts->store);
	arena_init(&c->arena, 1 << 16, SIZE_MAX);
	arena_init(&c->turn_arena, 1 << 16, SIZE_MAX);
	if (!ladder_read(&c->ladder, opts->retry_ladder, opts->retry_for_s, e) ||
		!db_open(&c->db, opts->store, e))
		goto err0;
	if (!fetcher_new(&c->fetcher, &fetch_opts, e))
		goto err1;
	if (!reading_start(c, e))
		goto err2;
	thread_start(&c->thread, opts->name, run, c);
	*out = c;
	return true;
err2:
	fetcher_free(c->fetcher);
err1:
	db_close(c->db);
err0:
	arena_fini(&c->turn_arena);
	arena_fini(&c->arena);
	free(c);
	return false;
}

void
courier_wake(void *arg)
{
	struct courier *c = arg;

	atomic_store(&c->is_told, true);
	fetcher_wake(c->fetcher);
}

static void
free_attempts(struct courier *c)
{
	while (c->all != NULL) {
		struct attempt *a = c->all;

		c->all = a->sibling;
		arena_fini(&a->arena);
		free(a);
	}
}

void
courier_stop(struct courier *c, int drain_ms)
{
	if (c == NULL)
		return;
	atomic_store(&c->drain_until, clock_mono_us() + drain_ms * INT64_C(1000));
	atomic_store(&c->is_stopping, true);
	courier_wake(c);
	thread_join(&c->thread);
	reading_stop(c);
	fetcher_free(c->fetcher);
	while (c->hauls != NULL) {
		struct haul *h = c->hauls;

		c->hauls = h->next;
		haul_free(h);
	}
	free_attempts(c);
	db_close(c->db);
	arena_fini(&c->turn_arena);
	arena_fini(&c->arena);
	free(c);
}
