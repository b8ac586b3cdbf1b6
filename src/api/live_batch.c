/* live_batch – which messages of a committed batch of a campaign somebody may hear of: those to
 * recipients who are connected, and those in channels that somebody watches (api.md §3.4).
 *
 * The batch row is the outbox: who got which message follows from it.  For who is not there
 * nothing is read. */
#include "api/committed.h"
#include "api/live_impl.h"
#include "base/arena.h"
#include "domain/form.h"
#include "store/db.h"

/* Marks the messages to receivers who are connected. */
static void
mark_online(struct telling *t, const struct committed *c, bool *heard)
{
	int64_t *online = arena_array(t->req.arena, (size_t)c->n, sizeof(*online));
	size_t n = hub_online(t->live->hub, c->recipients, (size_t)c->n, online), k = 0;

	for (int64_t i = 0; i < c->n && k < n; i++) {
		if (c->recipients[i] != online[k])
			continue;
		heard[i] = c->keys[i] != 0;
		k++;
	}
}

/* Marks the messages in channels that somebody watches, whoever that is. */
static bool
mark_watched(struct telling *t, const struct committed *c, bool *heard, struct err *e)
{
	int64_t first = c->event->object;
	struct hub_counters counters;
	struct rows r;

	hub_counters(t->live->hub, &counters);
	if (counters.watches == 0)
		return true;
	for (int64_t i = 0; i < c->n && c->follows_form; i++)
		if (c->keys[i] != 0 && hub_watcher_count(t->live->hub,
					       CHANNEL_NO(c->recipients[i], c->form)) > 0)
			heard[i] = true;
	if (c->follows_form)
		return true;
	if (!db_query(t->req.db, SQL_EVENT_BATCH_CHANNELS,
		    ARGS(V_INT(first), V_INT(first + c->n)), NO_BULK, &r, e))
		return false;
	while (rows_next(&r))
		if (hub_watcher_count(t->live->hub, row_int(&r, 1)) > 0)
			heard[row_int(&r, 0) - first] = true;
	return rows_end(&r, e);
}

bool
live_batch(struct telling *t, const struct event *ev, struct committed *c, struct err *e)
{
	struct arena *a = t->req.arena;
	bool *watched, *connected;

	if (!committed_read(&t->req, ev, c, e))
		return false;
	watched = arena_zalloc(a, (size_t)c->n);
	connected = arena_zalloc(a, (size_t)c->n);
	if (!c->to_channels) {
		mark_online(t, c, connected);
		if (c->n > 0 && !mark_watched(t, c, watched, e))
			return false;
	}
	for (int64_t i = 0; i < c->n; i++) {
		struct heard heard = {.pos = ev->pos,
			.key = c->keys[i],
			.batch = c,
			.is_open = c->to_channels,
			.receiver = connected[i] ? c->recipients[i] : 0};

		if (heard.key != 0 && (watched[i] || connected[i] || c->to_channels))
			live_hear(t->live, &heard);
	}
	return true;
}
