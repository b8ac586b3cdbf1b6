/* turn – the transaction in which a courier notes what it did and what it will do. */
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "courier/haul.h"
#include "domain/aside.h"
#include "store/db.h"

/* What has ended waits so long for more of its kind, unless nothing else is left to be sent. */
#define GATHER_US 100000
/* A place that moved over what concerns nobody is noted so late. */
#define PLACE_US 1000000
/* Parcels that are taken for another attempt at once; while the window is shut, so many. */
#define TAKE_MAX   256
#define TAKE_PROBE 4
/* Freights besides which nothing is taken. */
#define TAKE_BESIDE 10

struct turn {
	struct courier *c;
	bool last;
	int64_t now; /* wall */
	struct haul *at;
};

/* What a turn writes of one haul, in the turn's arena. */
struct draft {
	struct load *loads;
	struct aside *put, *update;
	int64_t *gone_loads, *gone_asides;
	size_t nloads, nput, nupdate, ngone_loads, ngone_asides;
	bool has_dead;
};

/* ---- when -------------------------------------------------------------------------------- */

static bool
has_ended(const struct freight *f)
{
	return f->is_stored && f->ended == f->n;
}

static size_t
take_max(const struct courier *c, const struct haul *h, int64_t now)
{
	if (h->due_at == NO_TIME || h->due_at > clock_now_us() || !haul_is_open(h, now) ||
		atomic_load(&c->is_stopping))
		return 0;
	if (h->window.width == 0)
		return h->nfreights == 0 ? TAKE_PROBE : 0;
	return h->nfreights < TAKE_BESIDE ? TAKE_MAX : 0;
}

static bool
has_work(const struct haul *h)
{
	for (const struct freight *f = h->freights; f != NULL; f = f->next)
		if (!f->is_stored || has_ended(f))
			return true;
	return h->bar_why[0] != '\0';
}

/* Without parcels left to begin, waiting would leave the line idle. */
static bool
is_starving(const struct haul *h)
{
	size_t left = 0;

	for (const struct freight *f = h->freights; f != NULL; f = f->next)
		if (f->is_stored)
			left += f->n - f->begun;
	return left <= h->window.width;
}

int64_t
turn_due(const struct courier *c, const struct haul *h, int64_t now)
{
	int64_t due = h->renew_at;

	if (!h->is_held || h->is_lost)
		return INT64_MAX;
	if (take_max(c, h, now) > 0)
		return now;
	if (h->pending_since == 0)
		return due;
	if (has_work(h))
		return MIN_OF(due, is_starving(h) ? now : h->pending_since + GATHER_US);
	return MIN_OF(due, h->pending_since + PLACE_US);
}

/* ---- what -------------------------------------------------------------------------------- */

static void
draft_item(struct draft *d, const struct item *item, int64_t now)
{
	const struct judgement *j = &item->judgement;
	struct aside s = {
		.no = item->no,
		.state = item->due_at == NO_TIME ? ASIDE_DEAD : ASIDE_WAITS,
		.due_at = item->due_at == NO_TIME ? now : item->due_at,
		.first_at = item->first_at,
		.attempts = item->attempts,
		.why = str_of(j->why),
		.parcel = item->parcel,
	};

	if (j->verdict == VERDICT_OK || j->verdict == VERDICT_GONE) {
		if (item->was_aside)
			d->gone_asides[d->ngone_asides++] = item->no;
		return;
	}
	d->has_dead = d->has_dead || s.state == ASIDE_DEAD;
	if (item->was_aside) {
		d->update[d->nupdate++] = s;
	} else {
		d->put[d->nput++] = s;
	}
}

/* A freight is written when all of it has ended; at the end of the courier, what has ended. */
static bool
is_written(const struct turn *t, const struct freight *f)
{
	return f->is_stored && f->ended > 0 && (f->ended == f->n || t->last);
}

static void
draft_haul(const struct turn *t, const struct haul *h, struct arena *a, struct draft *d)
{
	size_t items = 0;

	for (const struct freight *f = h->freights; f != NULL; f = f->next)
		items += is_written(t, f) ? f->n : 0;
	*d = (struct draft){
		.loads = arena_array(a, h->nfreights, sizeof(*d->loads)),
		.put = arena_array(a, items, sizeof(*d->put)),
		.update = arena_array(a, items, sizeof(*d->update)),
		.gone_loads = arena_array(a, h->nfreights, sizeof(int64_t)),
		.gone_asides = arena_array(a, items, sizeof(int64_t)),
	};
	for (const struct freight *f = h->freights; f != NULL; f = f->next) {
		if (!f->is_stored)
			d->loads[d->nloads++] = (struct load){
				f->no, f->at, 1, f->n, STR_NONE, buf_view(&f->stored)};
		if (!is_written(t, f))
			continue;
		for (size_t i = 0; i < f->n; i++)
			if (f->items[i].state == ITEM_ENDED)
				draft_item(d, &f->items[i], t->now);
		if (f->no != 0 && f->ended == f->n)
			d->gone_loads[d->ngone_loads++] = f->no;
	}
}

static bool
write_draft(struct db *w, int64_t route, const struct draft *d, struct err *e)
{
	return load_put(w, route, d->loads, d->nloads, e) &&
	       load_delete(w, route, d->gone_loads, d->ngone_loads, e) &&
	       aside_put(w, route, d->put, d->nput, e) &&
	       aside_update(w, route, d->update, d->nupdate, e) &&
	       aside_delete(w, route, d->gone_asides, d->ngone_asides, e) &&
	       (!d->has_dead || aside_trim_dead(w, route, e));
}

static bool
write_row(struct db *w, const struct haul *h, struct err *e)
{
	const struct route_change change = {
		.before = h->route.place,
		.place = h->packed,
		.next_no = h->next_no,
		.width = h->window.width,
		.sent = h->sent,
		.failed = h->failed,
		.dead = h->dead,
		.missed = h->missed,
	};
	struct str why[REASONS_MAX];
	int64_t counts[REASONS_MAX];

	for (size_t i = 0; i < h->nreasons; i++) {
		why[i] = str_of(h->reasons[i].why);
		counts[i] = h->reasons[i].n;
	}
	return route_move(w, h->route.no, &change, e) &&
	       route_fail(w, h->route.no, why, counts, h->nreasons, e) &&
	       (h->bar_why[0] == '\0' ||
		       route_bar(w, h->route.no, h->route.barred_at, str_of(h->bar_why), e));
}

/* What the trade has to do about parcels whose address is gone, and credentials of no use. */
static bool
tell_trade(const struct turn *t, struct db *w, const struct haul *h, struct err *e)
{
	const struct trade *trade = &t->c->trade;

	struct judgement barred = {.verdict = VERDICT_BARRED};

	if (trade->settle == NULL)
		return true;
	if (h->bar_why[0] != '\0') {
		snprintf(barred.why, sizeof(barred.why), "%s", h->bar_why);
		if (!trade->settle(trade->arg, w, &h->route, NULL, &barred, e))
			return false;
	}
	for (const struct freight *f = h->freights; f != NULL; f = f->next) {
		if (!is_written(t, f))
			continue;
		for (size_t i = 0; i < f->n; i++) {
			const struct item *item = &f->items[i];
			enum verdict v = item->judgement.verdict;

			if (item->state != ITEM_ENDED || v != VERDICT_GONE)
				continue;
			if (!trade->settle(trade->arg, w, &h->route, &item->parcel,
				    &item->judgement, e))
				return false;
		}
	}
	return true;
}

/* Which parcels of a load that goes on after the next start need not be sent again. */
static bool
mark_halves(const struct turn *t, struct db *w, const struct haul *h, struct err *e)
{
	struct arena *a = &t->c->turn_arena;

	for (const struct freight *f = h->freights; f != NULL; f = f->next) {
		char *ended;

		if (!is_written(t, f) || f->no == 0 || f->ended == f->n)
			continue;
		ended = arena_alloc(a, f->n);
		for (size_t i = 0; i < f->n; i++)
			ended[i] = f->items[i].state == ITEM_ENDED;
		if (!load_mark(w, h->route.no, f->no, (struct str){ended, f->n}, e))
			return false;
	}
	return true;
}

static bool
is_in_turn(const struct turn *t, const struct haul *h, int64_t mono)
{
	return h->is_held && !h->is_lost &&
	       (t->last || h->pending_since != 0 || mono >= h->renew_at ||
		       take_max(t->c, h, mono) > 0);
}

/* What a haul takes back to be tried again, once the transaction is committed. */
struct taken {
	struct haul *haul;
	struct aside *asides;
	size_t n;
};

struct turn_tx {
	struct turn turn;
	struct taken *taken; /* one for each haul in the turn */
	size_t ntaken;
	int64_t mono;
};

static bool
write_haul(struct turn_tx *x, struct db *w, struct haul *h, struct err *e)
{
	struct turn *t = &x->turn;
	struct taken *taken = &x->taken[x->ntaken++];
	struct arena *a = &t->c->turn_arena;
	size_t max = t->last ? 0 : take_max(t->c, h, x->mono);
	struct draft d;

	*taken = (struct taken){.haul = h};
	draft_haul(t, h, a, &d);
	return claim_keep(w, &h->claim, e) && write_row(w, h, e) &&
	       write_draft(w, h->route.no, &d, e) && tell_trade(t, w, h, e) &&
	       mark_halves(t, w, h, e) &&
	       (max == 0 || aside_take(w, a, h->route.no, t->now, max, &taken->asides,
				    &taken->n, e));
}

static bool
turn_in(struct db *w, void *arg, struct err *e)
{
	struct turn_tx *x = arg;
	struct turn *t = &x->turn;
	size_t n = 0;

	arena_reset(&t->c->turn_arena);
	for (struct haul *h = t->c->hauls; h != NULL; h = h->next)
		n++;
	x->taken = arena_array(&t->c->turn_arena, n, sizeof(*x->taken));
	x->ntaken = 0;
	for (struct haul *h = t->c->hauls; h != NULL; h = h->next) {
		t->at = h;
		if (is_in_turn(t, h, x->mono) && !write_haul(x, w, h, e))
			return false;
	}
	return true;
}

/* ---- once it is committed ---------------------------------------------------------------- */

static void
forget_written(struct haul *h)
{
	for (struct freight **at = &h->freights; *at != NULL;) {
		struct freight *f = *at;

		if (!has_ended(f)) {
			f->is_stored = true;
			buf_free(&f->stored);
			at = &f->next;
			continue;
		}
		for (size_t i = 0; i < f->n; i++) {
			const struct item *item = &f->items[i];
			bool waits = item->due_at != NO_TIME;

			h->aside += (int)waits - (int)item->was_aside;
			if (waits && (h->due_at == NO_TIME || item->due_at < h->due_at))
				h->due_at = item->due_at;
		}
		*at = f->next;
		h->nfreights--;
		freight_free(f);
	}
}

static void
add_taken(const struct taken *taken)
{
	struct haul *h = taken->haul;
	struct parcel *parcels;
	struct freight *f;
	struct arena a;

	if (taken->n == 0)
		return;
	arena_init(&a, 4096, SIZE_MAX);
	parcels = arena_array(&a, taken->n, sizeof(*parcels));
	for (size_t i = 0; i < taken->n; i++)
		parcels[i] = taken->asides[i].parcel;
	f = freight_new(parcels, taken->n);
	arena_fini(&a);
	f->is_stored = true;
	for (size_t i = 0; i < taken->n; i++) {
		f->items[i].was_aside = true;
		f->items[i].no = taken->asides[i].no;
		f->items[i].first_at = taken->asides[i].first_at;
		f->items[i].attempts = taken->asides[i].attempts - 1;
	}
	haul_add(h, f);
}

static void
set_kept(const struct courier *c, struct haul *h, int64_t mono)
{
	int64_t lease_us = c->opts.lease_ms * 1000;

	h->kept_until = c->is_exclusive ? INT64_MAX : mono + lease_us * 3 / 4;
	h->renew_at = c->is_exclusive ? INT64_MAX : mono + lease_us / 3;
}

static void
note_written(const struct turn_tx *x)
{
	struct courier *c = x->turn.c;

	for (size_t i = 0; i < x->ntaken; i++) {
		struct haul *h = x->taken[i].haul;

		h->must_look =
			h->must_look || (h->due_at != NO_TIME && h->due_at <= x->turn.now);
		forget_written(h);
		add_taken(&x->taken[i]);
		h->route.place = h->packed;
		h->sent = h->failed = h->dead = h->missed = 0;
		h->nreasons = 0;
		h->pending_since = 0;
		h->bar_why[0] = '\0';
		set_kept(c, h, x->mono);
	}
}

bool
turn_write(struct courier *c, bool last, struct err *e)
{
	struct turn_tx x = {
		.turn = {.c = c, .last = last, .now = clock_now_us()},
		.mono = clock_mono_us(),
	};

	if (db_write_beside(c->db, turn_in, &x, e)) {
		note_written(&x);
		return true;
	}
	/* It may have been committed: what is stored is known to the store alone. */
	for (struct haul *h = c->hauls; h != NULL && e->code == ERR_UNCERTAIN; h = h->next)
		h->is_lost = h->is_lost || h->is_held;
	if (e->code != ERR_STALE || x.turn.at == NULL)
		return false;
	x.turn.at->is_lost = true;
	return true;
}

/* ---- taking over ------------------------------------------------------------------------- */

struct take_over {
	struct courier *c;
	struct haul *h;
	struct load *loads;
	size_t n;
};

static bool
take_over_in(struct db *w, void *arg, struct err *e)
{
	struct take_over *t = arg;
	struct arena *a = &t->c->turn_arena;

	arena_reset(a);
	return claim_keep(w, &t->h->claim, e) &&
	       load_take_over(w, a, t->h->route.no, &t->loads, &t->n, e) &&
	       aside_take_over(w, t->h->route.no, e);
}

/* Its attempts go on behind those that may have been made before. */
static struct freight *
freight_of_load(struct arena *a, const struct load *l)
{
	struct parcel *parcels = arena_array(a, l->n, sizeof(*parcels));
	struct freight *f;
	struct str blob;

	if (!load_inflate(a, l->parcels, &blob) || !load_unpack(blob, parcels, l->n))
		return NULL;
	f = freight_new(parcels, l->n);
	f->no = l->no;
	f->is_stored = true;
	for (size_t i = 0; i < f->n; i++) {
		f->items[i].attempts = l->tries - 1;
		if (l->ended.n == l->n && l->ended.p[i] != 0) {
			f->items[i].state = ITEM_ENDED;
			f->items[i].due_at = NO_TIME;
			f->ended++;
		}
	}
	return f;
}

bool
turn_take_over(struct courier *c, struct haul *h, struct err *e)
{
	struct take_over t = {.c = c, .h = h};
	int64_t mono = clock_mono_us();

	if (!db_write_beside(c->db, take_over_in, &t, e))
		return false;
	for (size_t i = 0; i < t.n; i++) {
		struct freight *f = freight_of_load(&c->turn_arena, &t.loads[i]);

		if (f == NULL)
			return fail(e, ERR_STORE, "load %lld of route %lld cannot be read",
				(long long)t.loads[i].no, (long long)h->route.no);
		haul_add(h, f);
		h->pending_since = h->pending_since != 0 ? h->pending_since : mono;
	}
	h->is_held = true;
	set_kept(c, h, mono);
	return true;
}
