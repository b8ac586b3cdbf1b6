/* carry – attempts. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "courier/haul.h"

/* After a failure of the store. */
#define RETRY_US 500000
/* Between requests of a trade's own that fail. */
#define ASK_FIRST_US 1000000
#define ASK_LAST_US  INT64_C(60000000)

/* ---- attempts ---------------------------------------------------------------------------- */

static struct attempt *
take_attempt(struct courier *c)
{
	struct attempt *a = c->idle;

	if (a != NULL) {
		c->idle = a->next;
		return a;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		panic("out of memory: courier");
	arena_init(&a->arena, 8192, SIZE_MAX);
	a->sibling = c->all;
	c->all = a;
	return a;
}

static void
give_back(struct courier *c, struct attempt *a)
{
	arena_reset(&a->arena);
	a->next = c->idle;
	c->idle = a;
}

/* It cannot be sent as things are: that is no sign of the other side. */
static void
fail_undressed(struct courier *c, struct haul *h, struct freight *f, struct item *item)
{
	struct judgement j = {.verdict = VERDICT_TEMPFAIL, .why = "not_sendable"};

	haul_end_item(c, h, f, item, &j, true);
}

static bool
begin(struct courier *c, struct haul *h, struct freight *f, struct item *item)
{
	struct attempt *a = take_attempt(c);
	int64_t now = clock_now_us();
	struct err e;

	item->attempts++;
	if (item->first_at == NO_TIME)
		item->first_at = now;
	a->fetch = (struct fetch){.arg = a};
	if (!c->trade.dress(c->trade.arg, c->db, &a->arena, &h->route, &item->parcel,
		    (int)item->attempts, &a->fetch, &e)) {
		give_back(c, a);
		if (e.code == ERR_INPUT) {
			fail_undressed(c, h, f, item);
			return true;
		}
		item->attempts--;
		courier_complain(c, &e);
		h->pack_at = clock_mono_us() + RETRY_US;
		return false;
	}
	a->fetch.arg = a;
	a->fetch.timeout_ms =
		ladder_timeout_ms(item->first_at, item->attempts, a->fetch.timeout_ms, now);
	a->haul = h;
	a->freight = f;
	a->item = item;
	a->no = window_begin(&h->window);
	item->state = ITEM_AWAY;
	h->away++;
	c->away++;
	fetch_begin(c->fetcher, &a->fetch);
	return true;
}

/* The trade's own request goes first; false while attempts have to wait for it. */
static bool
ask_first(struct courier *c, struct haul *h, int64_t now)
{
	bool wanted = false;
	struct err e;

	if (c->trade.ask == NULL)
		return true;
	if (h->is_asking || now < h->ask_at)
		return false;
	arena_reset(&h->ask_arena);
	h->asking = (struct fetch){0};
	if (!c->trade.ask(
		    c->trade.arg, c->db, &h->ask_arena, &h->route, &h->asking, &wanted, &e)) {
		if (e.code == ERR_INPUT) {
			log_error("courier: %s is barred: %s", h->ident, e.msg);
			haul_bar(h, "credentials_invalid");
			return false;
		}
		courier_complain(c, &e);
		h->ask_at = now + RETRY_US;
		return false;
	}
	if (!wanted)
		return true;
	h->asking.arg = NULL;
	h->is_asking = true;
	h->away++;
	c->away++;
	fetch_begin(c->fetcher, &h->asking);
	return false;
}

/* One attempt of the haul; false when it has none, or must wait. */
static bool
begin_next(struct courier *c, struct haul *h, int64_t now)
{
	struct freight *f;
	struct item *item;

	if (!haul_is_open(h, now) || now < h->pack_at || !window_admits(&h->window, now))
		return false;
	item = haul_next_item(h, &f);
	return item != NULL && ask_first(c, h, now) && begin(c, h, f, item);
}

/* In turns, so that no route's backlog is in front of another's first parcel. */
void
carry_begin(struct courier *c)
{
	int64_t now = clock_mono_us();
	bool any = !atomic_load(&c->is_stopping);

	while (any) {
		any = false;
		for (struct haul *h = c->hauls; h != NULL; h = h->next)
			any |= begin_next(c, h, now);
	}
}

static struct haul *
who_asked(struct courier *c, const struct fetch *f)
{
	struct haul *h = c->hauls;

	while (h != NULL && &h->asking != f)
		h = h->next;
	if (h == NULL)
		panic("an answer to nobody");
	return h;
}

static void
asked(struct courier *c, struct haul *h, const struct fetch *f)
{
	struct judgement j = {0};

	h->is_asking = false;
	h->away--;
	c->away--;
	c->trade.asked(c->trade.arg, &h->route, f, &j);
	if (j.verdict == VERDICT_OK) {
		h->ask_pause_us = 0;
		return;
	}
	if (j.verdict == VERDICT_BARRED) {
		log_error("courier: %s is barred: %s", h->ident, j.why);
		haul_bar(h, j.why);
		return;
	}
	h->ask_pause_us =
		h->ask_pause_us == 0 ? ASK_FIRST_US : MIN_OF(h->ask_pause_us * 2, ASK_LAST_US);
	h->ask_at = clock_mono_us() + ladder_jitter(h->ask_pause_us);
}

static enum sign
sign_of(const struct fetch *f, const struct judgement *j)
{
	if (f->end != FETCH_ANSWERED)
		return SIGN_SILENT;
	return j->verdict == VERDICT_OK || j->verdict == VERDICT_GONE ? SIGN_GOOD : SIGN_BAD;
}

void
carry_ended(struct courier *c, struct fetch *f)
{
	struct attempt *a = f->arg;
	struct judgement j = {0};
	int64_t now = clock_mono_us();
	struct haul *h;

	if (a == NULL) {
		asked(c, who_asked(c, f), f);
		return;
	}
	h = a->haul;
	h->away--;
	c->away--;
	c->trade.judge(c->trade.arg, &h->route, &a->item->parcel, f, &j);
	window_end(&h->window, a->no, sign_of(f, &j), now);
	if (j.verdict == VERDICT_TEMPFAIL && j.retry_after_ms > 0)
		window_hold(&h->window, now + ladder_cap(&c->ladder, j.retry_after_ms * 1000));
	haul_end_item(c, h, a->freight, a->item, &j,
		f->end == FETCH_ANSWERED || f->end == FETCH_TIMEOUT);
	give_back(c, a);
}

/* ---- waiting ----------------------------------------------------------------------------- */

static int64_t
begins_at(const struct courier *c, struct haul *h, int64_t now)
{
	int64_t at = window_opens(&h->window, now);
	struct freight *f;

	if (!haul_is_open(h, now) || at == INT64_MAX || haul_next_item(h, &f) == NULL)
		return INT64_MAX;
	if (c->trade.ask != NULL) {
		if (h->is_asking)
			return INT64_MAX;
		at = MAX_OF(at, h->ask_at);
	}
	return MAX_OF(at, h->pack_at);
}

int64_t
carry_until(struct courier *c, int64_t now)
{
	int64_t until = c->look_at;

	if (atomic_load(&c->is_told))
		until = MIN_OF(until, MAX_OF(c->read_at, now));
	for (struct haul *h = c->hauls; h != NULL; h = h->next) {
		int64_t due_in = h->due_at == NO_TIME ? 0 : h->due_at - clock_now_us();

		until = MIN_OF(until, turn_due(c, h, now));
		if (!haul_is_open(h, now))
			continue;
		until = MIN_OF(until, begins_at(c, h, now));
		if (due_in > 0)
			until = MIN_OF(until, now + due_in);
		until = MIN_OF(until, reading_at(c, h, now));
	}
	return until;
}
