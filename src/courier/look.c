/* look – which routes there are, and which of them this process serves. */
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "courier/haul.h"
#include "domain/aside.h"
#include "store/db.h"

/* Whether the rows are not those that are named. */
static bool
differ(const struct out_route *named, size_t n, const struct route_row *rows, size_t nrows)
{
	if (n != nrows)
		return true;
	for (size_t i = 0; i < n; i++) {
		const struct out_route *r = NULL;

		for (size_t k = 0; k < nrows && r == NULL; k++)
			if (str_eq(rows[k].route.ident, named[i].ident))
				r = &rows[k].route;
		if (r == NULL || r->is_off != named[i].is_off ||
			(r->barred_at != NO_TIME && named[i].changed_at > r->barred_at))
			return true;
	}
	return false;
}

/* The names are read anew inside: settings that were changed since have routes already. */
static bool
sync_in(struct db *w, void *arg, struct err *e)
{
	struct courier *c = arg;
	struct out_route *named = NULL;
	size_t n = 0;

	return c->trade.routes(c->trade.arg, w, &c->arena, &named, &n, e) &&
	       route_sync_in(w, &c->arena, c->trade.kind, named, n, e);
}

/* Whoever changes settings makes routes as well, so that nothing is missed in between; this is
 * for what was changed otherwise. */
static bool
list_routes(struct courier *c, struct route_row **rows, size_t *nrows, struct err *e)
{
	struct out_route *named = NULL;
	size_t n = 0;

	return c->trade.routes(c->trade.arg, c->db, &c->arena, &named, &n, e) &&
	       route_list(c->db, &c->arena, c->trade.kind, rows, nrows, e) &&
	       (!differ(named, n, *rows, *nrows) ||
		       (db_write(c->db, sync_in, c, e) &&
			       route_list(c->db, &c->arena, c->trade.kind, rows, nrows, e)));
}

static struct haul *
find_haul(const struct courier *c, int64_t no)
{
	struct haul *h = c->hauls;

	while (h != NULL && (h->route.no != no || h->is_lost))
		h = h->next;
	return h;
}

static void
update_haul(struct haul *h, const struct route_row *row)
{
	h->route.paused_at = row->route.paused_at;
	/* A bar of ours may not be written yet. */
	if (h->bar_why[0] == '\0')
		h->route.barred_at = row->route.barred_at;
	/* Off, or off and on again: it is taken up anew where it begins now. */
	h->is_lost = h->is_lost || row->route.is_off ||
		     row->route.place.pos != h->route.place.pos ||
		     row->route.place.next_key != h->route.place.next_key;
	if (row->nudged != h->nudged) {
		h->nudged = row->nudged;
		h->must_look = true;
		h->window.opens_at = 0;
		h->ask_at = 0;
	}
}

/* Ours, when it is free. */
static bool
try_to_take(struct courier *c, const struct route_row *row, struct err *e)
{
	struct haul *h = haul_new(c, row);
	bool got;

	if (!claim_take(
		    c->db, CLAIM_ROUTE, row->route.no, c->opts.lease_ms, &h->claim, &got, e)) {
		haul_free(h);
		return false;
	}
	if (!got) {
		haul_free(h);
		return true;
	}
	if (!turn_take_over(c, h, e)) {
		claim_drop(c->db, &h->claim);
		haul_free(h);
		return e->code == ERR_STALE;
	}
	h->next = c->hauls;
	c->hauls = h;
	return true;
}

/* What this process does not serve any more, once none of its attempts is away. */
static void
forget_lost(struct courier *c)
{
	for (struct haul **at = &c->hauls; *at != NULL;) {
		struct haul *h = *at;

		if (!h->is_lost || h->away > 0 || c->reader.haul == h) {
			at = &h->next;
			continue;
		}
		*at = h->next;
		claim_drop(c->db, &h->claim);
		haul_free(h);
	}
}

static bool
is_listed(const struct haul *h, const struct route_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].route.no == h->route.no)
			return true;
	return false;
}

bool
look_aside(struct courier *c, struct err *e)
{
	for (struct haul *h = c->hauls; h != NULL; h = h->next) {
		if (!h->must_look)
			continue;
		if (!aside_look(c->db, h->route.no, &h->aside, &h->due_at, e))
			return false;
		h->must_look = false;
	}
	return true;
}

bool
look_around(struct courier *c, struct err *e)
{
	struct route_row *rows;
	int64_t now;
	size_t n;

	arena_reset(&c->arena);
	if (!list_routes(c, &rows, &n, e) || !db_now(c->db, &now, e))
		return false;
	for (struct haul *h = c->hauls; h != NULL; h = h->next)
		h->is_lost = h->is_lost || !is_listed(h, rows, n);
	for (size_t i = 0; i < n; i++) {
		struct haul *h = find_haul(c, rows[i].route.no);

		if (h != NULL)
			update_haul(h, &rows[i]);
		else if (!rows[i].route.is_off && rows[i].lease_until < now &&
			 !try_to_take(c, &rows[i], e))
			return false;
	}
	forget_lost(c);
	return true;
}
