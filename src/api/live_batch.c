/* live_batch – a committed batch of a campaign, told to those of its recipients who are
 * connected and to whoever watches the channels it went to (api.md §3.4).
 *
 * The batch row is the outbox: who got which message follows from it.  For who is not there
 * nothing is read. */
#include <stdlib.h>

#include "api/committed.h"
#include "api/event_wire.h"
#include "api/live_impl.h"
#include "base/arena.h"
#include "base/clock.h"
#include "domain/form.h"
#include "domain/unread.h"
#include "store/db.h"

/* Messages that are loaded together: it bounds the memory. */
#define SLICE 128

/* Messages of a batch that somebody may hear of, in order. */
struct heard {
	struct committed batch;
	int64_t *keys;
	size_t nkeys;
	int64_t *receivers; /* of each; 0: nobody who is connected, or whoever is in the channel
			     */
};

/* Some of them, and what belongs to them. */
struct slice {
	struct committed_slice of;
	/* Who is told of which message, in the order of the messages. */
	struct channel_pair *hears;
	int64_t *uids;          /* beside them */
	struct member *members; /* the same */
	struct unread *unread;
	size_t nhears;
	struct chat_people people;
};

/* ---- the batch ------------------------------------------------------------------------- */

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

/* Whether all receivers have their channel on the number that the form gives them. */
static bool
follow_form(struct telling *t, const struct committed *c, bool *out, struct err *e)
{
	struct form form;

	*out = false;
	if (c->form == 0)
		return true;
	if (!form_get(t->req.db, t->req.arena, c->form, &form, e))
		return false;
	*out = form.kind == FORM_AFFIX && !form.shadowed;
	return true;
}

/* Marks the messages in channels that somebody watches, whoever that is. */
static bool
mark_watched(struct telling *t, const struct committed *c, bool *heard, struct err *e)
{
	int64_t first = c->event->object;
	struct hub_counters counters;
	struct rows r;
	bool follow;

	hub_counters(t->live->hub, &counters);
	if (counters.watches == 0)
		return true;
	if (!follow_form(t, c, &follow, e))
		return false;
	for (int64_t i = 0; i < c->n && follow; i++)
		if (c->keys[i] != 0 && hub_watcher_count(t->live->hub,
					       CHANNEL_NO(c->recipients[i], c->form)) > 0)
			heard[i] = true;
	if (follow)
		return true;
	if (!db_query(t->req.db, SQL_EVENT_BATCH_CHANNELS,
		    ARGS(V_INT(first), V_INT(first + c->n)), NO_BULK, &r, e))
		return false;
	while (rows_next(&r))
		if (hub_watcher_count(t->live->hub, row_int(&r, 1)) > 0)
			heard[row_int(&r, 0) - first] = true;
	return rows_end(&r, e);
}

static bool
find_messages(struct telling *t, const struct event *ev, struct heard *out, struct err *e)
{
	struct committed *c = &out->batch;
	struct arena *a = t->req.arena;
	bool *heard, *connected;

	if (!committed_read(&t->req, ev, c, e))
		return false;
	if (c->n == 0)
		return true;
	heard = arena_zalloc(a, (size_t)c->n);
	connected = arena_zalloc(a, (size_t)c->n);
	out->keys = arena_array(a, (size_t)c->n, sizeof(*out->keys));
	out->receivers = arena_array(a, (size_t)c->n, sizeof(*out->receivers));
	if (!c->to_channels) {
		mark_online(t, c, connected);
		memcpy(heard, connected, (size_t)c->n);
		if (!mark_watched(t, c, heard, e))
			return false;
	}
	for (int64_t i = 0; i < c->n; i++) {
		if (c->keys[i] == 0 || (!heard[i] && !c->to_channels))
			continue;
		out->keys[out->nkeys] = c->keys[i];
		out->receivers[out->nkeys++] = connected[i] ? c->recipients[i] : 0;
	}
	return true;
}

/* ---- a slice --------------------------------------------------------------------------- */

static int
cmp_uids(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Of a campaign to channels: members who are connected.  The author knows what he sent, and is
 * in all of them: he hears of it where he watches. */
static void
keep_online(struct telling *t, struct slice *s, const struct channel_pair *pairs, size_t n)
{
	struct arena *a = t->req.arena;
	int64_t *uids = arena_array(a, n + 1, sizeof(*uids));
	int64_t *online = arena_array(a, n + 1, sizeof(*online));
	size_t nuids;

	for (size_t i = 0; i < n; i++)
		uids[i] = pairs[i].uid;
	nuids = form_sort_uids(uids, n);
	nuids = hub_online(t->live->hub, uids, nuids, online);
	for (size_t i = 0; i < n; i++)
		if (pairs[i].uid != s->of.batch->sender &&
			bsearch(&pairs[i].uid, online, nuids, sizeof(*online), cmp_uids) !=
				NULL)
			s->hears[s->nhears++] = pairs[i];
}

/* Who is in the channels, and who is told. */
static bool
load_members(struct telling *t, struct slice *s, struct err *e)
{
	struct committed_slice *of = &s->of;
	struct req *r = &t->req;
	struct channel *theirs;
	struct channel_pair *pairs;
	size_t npairs;

	if (!channel_pairs(r->db, r->arena, of->channels, of->n, &pairs, &npairs, e))
		return false;
	for (size_t i = 0; i < npairs; i++)
		of->states[pairs[i].channel].member_count++;
	s->hears = arena_array(r->arena, npairs + of->n + 1, sizeof(*s->hears));
	if (of->batch->to_channels)
		keep_online(t, s, pairs, npairs);
	else
		for (size_t i = 0; i < of->n; i++)
			if (of->receivers[i] != 0)
				s->hears[s->nhears++] =
					(struct channel_pair){i, of->receivers[i]};
	theirs = arena_array(r->arena, s->nhears + 1, sizeof(*theirs));
	s->uids = arena_array(r->arena, s->nhears + 1, sizeof(*s->uids));
	s->members = arena_zalloc(r->arena, (s->nhears + 1) * sizeof(*s->members));
	s->unread = arena_array(r->arena, s->nhears + 1, sizeof(*s->unread));
	for (size_t i = 0; i < s->nhears; i++) {
		theirs[i] = of->channels[s->hears[i].channel];
		s->uids[i] = s->hears[i].uid;
	}
	return channel_members_paired(
		       r->db, r->arena, theirs, s->uids, s->nhears, s->members, e) &&
	       unread_of_users(r->db, r->arena, s->uids, s->nhears, s->unread, e);
}

static bool
load_people(struct telling *t, struct slice *s, struct err *e)
{
	struct chat_people *p = &s->people;

	chat_people_init(p, &t->req);
	for (size_t i = 0; i < s->of.n; i++) {
		chat_people_add(p, s->of.states[i].channel.creator);
		chat_note_message(p, &s->of.messages[i]);
	}
	for (size_t i = 0; i < s->nhears; i++)
		chat_people_add(p, s->hears[i].uid);
	return chat_people_load(p, &t->req, e) && arena_check(t->req.arena, e);
}

/* ---- telling --------------------------------------------------------------------------- */

/* Hidden channels stay so, and silent, unless the campaign shows them. */
static void
post_member(struct telling *t, struct slice *s, size_t h, struct event_things *things)
{
	const struct message *m = &things->message;
	const struct member *member = &s->members[h];
	int64_t uid = s->hears[h].uid, channel = m->channel;
	struct event created = committed_event(EVENT_CHANNEL_CREATED, m, uid);
	struct event shown = committed_event(EVENT_CHANNEL_VISIBLE, m, uid);
	struct event sent = committed_event(EVENT_MESSAGE_NEW, m, m->author);
	struct str text;

	if (member->uid == 0 || member->hidden_at != NO_TIME)
		return;
	if (committed_made(s->of.batch, &things->state.channel)) {
		text = event_text(&t->req, &event_tale(created.kind)->absent, &created, things,
			member, &s->people);
		live_post(t->live, HUB_ABSENT, uid, channel,
			event_with_counts(&t->req, text, &s->unread[h]));
	}
	if (committed_showed(s->of.batch, member)) {
		things->state.me = *member;
		things->state.is_shared = false;
		text = event_text(&t->req, &event_tale(shown.kind)->user, &shown, things,
			member, &s->people);
		live_post(t->live, HUB_USER, uid, 0, text);
		things->state.is_shared = true;
	}
	text = event_text(
		&t->req, &event_tale(sent.kind)->absent, &sent, things, member, &s->people);
	live_post(t->live, HUB_ABSENT, uid, channel,
		event_with_counts(&t->req, text, &s->unread[h]));
}

/* ${from} to ${to}: who hears of the message besides those who watch. */
static void
post_message(struct telling *t, struct slice *s, size_t i, size_t from, size_t to)
{
	const struct message *m = &s->of.messages[i];
	struct event_things things = {.state = s->of.states[i], .message = *m, .watchers = -1};
	struct event sent = committed_event(EVENT_MESSAGE_NEW, m, m->author);
	int64_t watchers = hub_watcher_count(t->live->hub, m->channel);
	struct live_members members = {s->uids + from, s->unread + from, to - from};
	struct str text;

	live_room(t->live, PRESENT_MAX + 3 * (to - from));
	if (watchers > 0) {
		things.watchers = watchers;
		text = event_text(&t->req, &event_tale(sent.kind)->watchers, &sent, &things,
			&things.member, &s->people);
		live_post_watchers(t, m->channel, text, &members);
		things.watchers = -1;
	}
	for (size_t h = from; h < to; h++)
		post_member(t, s, h, &things);
}

static bool
tell_slice(struct telling *t, const struct heard *heard, size_t first, struct err *e)
{
	size_t n = MIN_OF(heard->nkeys - first, (size_t)SLICE), h = 0;
	struct slice s = {0};

	if (!committed_load(&t->req, &heard->batch, heard->keys + first,
		    heard->receivers + first, n, &s.of, e) ||
		!load_members(t, &s, e) || !load_people(t, &s, e))
		return false;
	for (size_t i = 0; i < s.of.n; i++) {
		size_t from = h;

		while (h < s.nhears && s.hears[h].channel == i)
			h++;
		post_message(t, &s, i, from, h);
	}
	live_flush(t->live);
	return true;
}

bool
live_batch(struct telling *t, const struct event *ev, struct err *e)
{
	struct heard heard = {0};
	struct arena *a = t->req.arena;
	struct live *l = t->live;

	if (!find_messages(t, ev, &heard, e))
		return false;
	/* What a failure cut short goes on where it was. */
	for (size_t i = 0; i < heard.nkeys; i += SLICE) {
		struct arena_mark mark = arena_mark(a);
		bool ok;

		if (heard.keys[i] < l->next_key)
			continue;
		ok = tell_slice(t, &heard, i, e);
		arena_rewind(a, mark);
		if (!ok)
			return false;
		l->next_key = heard.keys[MIN_OF(i + SLICE, heard.nkeys) - 1] + 1;
	}
	return true;
}
