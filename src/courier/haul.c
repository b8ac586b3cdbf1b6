/* haul – what is under way on a route. */
#include "courier/haul.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

static void *
zalloc(size_t n)
{
	void *p = calloc(1, n);

	if (p == NULL)
		panic("out of memory: courier");
	return p;
}

struct haul *
haul_new(struct courier *c, const struct route_row *row)
{
	struct haul *h = zalloc(sizeof(*h));

	h->route = row->route;
	h->ident = strndup(row->route.ident.p, row->route.ident.n);
	if (h->ident == NULL)
		panic("out of memory: courier");
	h->route.ident = str_of(h->ident);
	h->packed = row->route.place;
	h->nudged = row->nudged;
	h->next_no = row->next_no;
	h->has_more = true;
	h->must_look = true;
	h->pack_max = LOAD_MAX;
	h->due_at = NO_TIME;
	window_init(&h->window, c->trade.width_max);
	arena_init(&h->ask_arena, 4096, SIZE_MAX);
	return h;
}

void
freight_free(struct freight *f)
{
	buf_free(&f->blob);
	buf_free(&f->stored);
	free(f);
}

void
haul_free(struct haul *h)
{
	while (h->freights != NULL) {
		struct freight *f = h->freights;

		h->freights = f->next;
		freight_free(f);
	}
	arena_fini(&h->ask_arena);
	free(h->ident);
	free(h);
}

struct freight *
freight_new(const struct parcel *parcels, size_t n)
{
	struct freight *f = zalloc(sizeof(*f) + n * sizeof(struct item));
	struct parcel *copies = zalloc((n + 1) * sizeof(*copies));
	size_t bytes = 64;

	for (size_t i = 0; i < n; i++)
		bytes += parcels[i].id.n + parcels[i].type.n + parcels[i].address.n +
			 parcels[i].body.n + 32;
	buf_init(&f->blob, NULL, bytes);
	load_pack(&f->blob, parcels, n);
	if (!load_unpack(buf_view(&f->blob), copies, n))
		panic("a load cannot be read back");
	f->n = n;
	f->at = n > 0 ? parcels[0].at : 0;
	for (size_t i = 0; i < n; i++) {
		f->items[i].parcel = copies[i];
		f->items[i].first_at = NO_TIME;
		f->at = MIN_OF(f->at, copies[i].at);
	}
	free(copies);
	return f;
}

void
haul_add(struct haul *h, struct freight *f)
{
	struct freight **at = &h->freights;

	while (*at != NULL)
		at = &(*at)->next;
	*at = f;
	h->nfreights++;
}

void
haul_touch(struct haul *h)
{
	if (h->pending_since == 0)
		h->pending_since = clock_mono_us();
}

static void
count_reason(struct haul *h, const char *why)
{
	size_t i = 0;

	while (i < h->nreasons && strcmp(h->reasons[i].why, why) != 0)
		i++;
	if (i == h->nreasons && i == REASONS_MAX - 1)
		why = "other";
	if (i == h->nreasons && i < REASONS_MAX) {
		snprintf(h->reasons[i].why, sizeof(h->reasons[i].why), "%s", why);
		h->reasons[i].n = 0;
		h->nreasons++;
	}
	h->reasons[MIN_OF(i, (size_t)REASONS_MAX - 1)].n++;
}

void
haul_bar(struct haul *h, const char *why)
{
	snprintf(h->bar_why, sizeof(h->bar_why), "%s", why[0] != '\0' ? why : "refused");
	h->route.barred_at = clock_now_us();
	haul_touch(h);
}

void
haul_end_item(struct courier *c, struct haul *h, struct freight *f, struct item *item,
	const struct judgement *j, bool was_reached)
{
	int64_t now = clock_now_us();

	item->judgement = *j;
	item->state = ITEM_ENDED;
	item->due_at = NO_TIME;
	f->ended++;
	haul_touch(h);
	if (j->verdict == VERDICT_OK) {
		h->sent++;
		return;
	}
	h->failed++;
	count_reason(h, j->why);
	if (j->verdict == VERDICT_GONE)
		return;
	if (j->verdict != VERDICT_PERMFAIL)
		item->due_at = ladder_next(&c->ladder, item->first_at, item->attempts,
			was_reached, j->retry_after_ms * 1000, now);
	h->dead += item->due_at == NO_TIME;
	if (!item->was_aside)
		item->no = h->next_no++;
	if (j->verdict == VERDICT_BARRED)
		haul_bar(h, j->why);
}

bool
haul_is_open(const struct haul *h, int64_t now)
{
	return h->is_held && !h->is_lost && !h->route.is_off && h->route.paused_at == NO_TIME &&
	       h->route.barred_at == NO_TIME && now < h->kept_until;
}

struct item *
haul_next_item(struct haul *h, struct freight **out)
{
	for (struct freight *f = h->freights; f != NULL; f = f->next) {
		if (!f->is_stored)
			continue;
		while (f->begun < f->n && f->items[f->begun].state != ITEM_WAITS)
			f->begun++;
		if (f->begun < f->n) {
			*out = f;
			return &f->items[f->begun];
		}
	}
	return NULL;
}
