/* live_batch – a committed batch of a campaign, told to those of its recipients who are
 * connected and to whoever watches the channels it went to (api.md §3.4).
 *
 * The batch row is the outbox: who got which message follows from it.  For who is not there
 * nothing is read. */
#include <stdlib.h>

#include "api/event_wire.h"
#include "api/live_impl.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/pack.h"
#include "domain/channel_type.h"
#include "domain/form.h"
#include "domain/ledger.h"
#include "domain/unread.h"
#include "store/db.h"

/* Messages that are loaded together: it bounds the memory. */
#define SLICE 128

struct committed {
	const struct event *event;
	/* Of its campaign. */
	int64_t form, sender;
	bool shows_channels, to_channels;
	int64_t n;
	int64_t *keys; /* of the messages that somebody may hear of, in order */
	size_t nkeys;
	int64_t *receivers; /* of each; 0: nobody who is connected, or whoever is in the channel
			     */
	int64_t at;         /* when they were sent */
};

/* Some of its messages, and what belongs to them. */
struct slice {
	const struct committed *batch;
	struct chat_state *states; /* of each message */
	struct message *messages;
	size_t n;
	/* Who is told of which message, in the order of the messages. */
	struct channel_pair *hears;
	int64_t *uids;          /* beside them */
	struct member *members; /* the same */
	struct unread *unread;
	size_t nhears;
	struct chat_people people;
};

/* ---- the batch ------------------------------------------------------------------------- */

/* Recipients who got a message; the others have key 0. */
static bool
read_batch(struct telling *t, struct committed *c, int64_t **recipients, int64_t **keys,
	struct err *e)
{
	struct arena *a = t->req.arena;
	int64_t first = c->event->object;
	uint8_t *outcomes = NULL;
	struct rows r;
	bool sound = true;

	if (!db_query(t->req.db, SQL_EVENT_BATCH, ARGS(V_INT(first)), NO_BULK, &r, e))
		return false;
	if (rows_next(&r)) {
		c->n = row_int(&r, 0);
		*recipients = arena_array(a, (size_t)c->n, sizeof(**recipients));
		*keys = arena_array(a, (size_t)c->n, sizeof(**keys));
		outcomes = arena_zalloc(a, (size_t)c->n);
		sound = pack_keys_read(row_str(&r, 1), *recipients, (size_t)c->n) &&
			pack_bytes_read(row_str(&r, 2), outcomes, (size_t)c->n);
		c->at = row_int(&r, 3);
		c->form = row_int(&r, 4);
		c->sender = row_int(&r, 5);
		c->shows_channels = row_int(&r, 6) != 0;
		c->to_channels = row_int(&r, 7) != 0;
	}
	if (!rows_end(&r, e))
		return false;
	if (!sound)
		return fail(
			e, ERR_BUG, "the batch of message %lld is damaged", (long long)first);
	for (int64_t i = 0; i < c->n; i++)
		(*keys)[i] = outcomes[i] == OUTCOME_SENT ? first + i : 0;
	return true;
}

/* Marks the messages to receivers who are connected. */
static void
mark_online(struct telling *t, const struct committed *c, const int64_t *uids,
	const int64_t *keys, bool *heard)
{
	int64_t *online = arena_array(t->req.arena, (size_t)c->n, sizeof(*online));
	size_t n = hub_online(t->live->hub, uids, (size_t)c->n, online), k = 0;

	for (int64_t i = 0; i < c->n && k < n; i++) {
		if (uids[i] != online[k])
			continue;
		heard[i] = keys[i] != 0;
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
mark_watched(struct telling *t, const struct committed *c, const int64_t *uids,
	const int64_t *keys, bool *heard, struct err *e)
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
		if (keys[i] != 0 &&
			hub_watcher_count(t->live->hub, CHANNEL_NO(uids[i], c->form)) > 0)
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
find_messages(struct telling *t, struct committed *c, struct err *e)
{
	struct arena *a = t->req.arena;
	int64_t *recipients = NULL, *keys = NULL;
	bool *heard, *connected;

	if (!read_batch(t, c, &recipients, &keys, e))
		return false;
	if (c->n == 0)
		return true;
	heard = arena_zalloc(a, (size_t)c->n);
	connected = arena_zalloc(a, (size_t)c->n);
	c->keys = arena_array(a, (size_t)c->n, sizeof(*c->keys));
	c->receivers = arena_array(a, (size_t)c->n, sizeof(*c->receivers));
	if (!c->to_channels) {
		mark_online(t, c, recipients, keys, connected);
		memcpy(heard, connected, (size_t)c->n);
		if (!mark_watched(t, c, recipients, keys, heard, e))
			return false;
	}
	for (int64_t i = 0; i < c->n; i++) {
		if (keys[i] == 0 || (!heard[i] && !c->to_channels))
			continue;
		c->keys[c->nkeys] = keys[i];
		c->receivers[c->nkeys++] = connected[i] ? recipients[i] : 0;
	}
	return true;
}

/* ---- a slice --------------------------------------------------------------------------- */

/* Drops what is gone by now: messages, channels; in order of the messages. */
static bool
load_places(struct telling *t, struct slice *s, const int64_t *keys, int64_t *receivers,
	size_t n, struct err *e)
{
	struct req *r = &t->req;
	int64_t *nos = arena_array(r->arena, n + 1, sizeof(*nos));
	struct message *messages = arena_array(r->arena, n + 1, sizeof(*messages));
	struct channel *channels;
	size_t nchannels, kept = 0;

	if (!message_by_keys(r->db, r->arena, r->ctx->app, keys, n, messages, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (messages[i].key == 0 || messages[i].deleted_at != NO_TIME)
			continue;
		nos[kept] = messages[i].channel;
		receivers[kept] = receivers[i];
		messages[kept++] = messages[i];
	}
	if (!channel_by_nos(r->db, r->arena, nos, kept, &channels, &nchannels, e) ||
		!channel_complete(r->db, r->arena, channels, nchannels, e))
		return false;
	s->states = arena_zalloc(r->arena, (nchannels + 1) * sizeof(*s->states));
	s->messages = messages;
	for (size_t i = 0, k = 0; i < kept && k < nchannels; i++) {
		if (channels[k].no != messages[i].channel)
			continue;
		receivers[s->n] = receivers[i];
		messages[s->n] = messages[i];
		s->states[s->n++] = (struct chat_state){
			.channel = channels[k++],
			.last_message_at = messages[i].created_at,
			.is_shared = true,
		};
	}
	return true;
}

static bool
load_types(struct telling *t, struct slice *s, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		struct chat_state *state = &s->states[i];

		if (!chat_type(&t->req, state->channel.type, &state->type, e))
			return false;
		if (state->type == NULL)
			return fail(e, ERR_BUG, "channel %.*s is of no type",
				STR_ARG(state->channel.cid));
		if (channel_type_flag(state->type, "count_messages") &&
			!channel_message_count(
				t->req.db, &state->channel, &state->message_count, e))
			return false;
	}
	return true;
}

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
		if (pairs[i].uid != s->batch->sender &&
			bsearch(&pairs[i].uid, online, nuids, sizeof(*online), cmp_uids) !=
				NULL)
			s->hears[s->nhears++] = pairs[i];
}

/* Who is in the channels, and who is told. */
static bool
load_members(struct telling *t, struct slice *s, const int64_t *receivers, struct err *e)
{
	struct req *r = &t->req;
	struct channel *channels = arena_array(r->arena, s->n + 1, sizeof(*channels));
	struct channel *theirs;
	struct channel_pair *pairs;
	size_t npairs;

	for (size_t i = 0; i < s->n; i++)
		channels[i] = s->states[i].channel;
	if (!channel_pairs(r->db, r->arena, channels, s->n, &pairs, &npairs, e))
		return false;
	for (size_t i = 0; i < npairs; i++)
		s->states[pairs[i].channel].member_count++;
	s->hears = arena_array(r->arena, npairs + s->n + 1, sizeof(*s->hears));
	if (s->batch->to_channels)
		keep_online(t, s, pairs, npairs);
	else
		for (size_t i = 0; i < s->n; i++)
			if (receivers[i] != 0)
				s->hears[s->nhears++] = (struct channel_pair){i, receivers[i]};
	theirs = arena_array(r->arena, s->nhears + 1, sizeof(*theirs));
	s->uids = arena_array(r->arena, s->nhears + 1, sizeof(*s->uids));
	s->members = arena_zalloc(r->arena, (s->nhears + 1) * sizeof(*s->members));
	s->unread = arena_array(r->arena, s->nhears + 1, sizeof(*s->unread));
	for (size_t i = 0; i < s->nhears; i++) {
		theirs[i] = channels[s->hears[i].channel];
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
	for (size_t i = 0; i < s->n; i++) {
		chat_people_add(p, s->states[i].channel.creator);
		chat_note_message(p, &s->messages[i]);
	}
	for (size_t i = 0; i < s->nhears; i++)
		chat_people_add(p, s->hears[i].uid);
	return chat_people_load(p, &t->req, e) && arena_check(t->req.arena, e);
}

/* ---- telling --------------------------------------------------------------------------- */

/* What one message is told as: the event as if it stood in the outbox by itself. */
static struct event
event_of(enum event_kind kind, const struct message *m, int64_t uid)
{
	return (struct event){.kind = kind,
		.at = m->created_at,
		.channel = m->channel,
		.uid = uid,
		.object = m->key};
}

/* The campaign's transaction un-hid it: nothing else has touched his row since. */
static bool
was_shown(const struct slice *s, const struct member *m)
{
	return s->batch->shows_channels && m->has_row && m->hidden_at == NO_TIME &&
	       m->updated_at == s->batch->at;
}

/* Hidden channels stay so, and silent, unless the campaign shows them. */
static void
post_member(struct telling *t, struct slice *s, size_t h, struct event_things *things)
{
	const struct message *m = &things->message;
	const struct member *member = &s->members[h];
	int64_t uid = s->hears[h].uid, channel = m->channel;
	struct event created = event_of(EVENT_CHANNEL_CREATED, m, uid);
	struct event shown = event_of(EVENT_CHANNEL_VISIBLE, m, uid);
	struct event sent = event_of(EVENT_MESSAGE_NEW, m, m->author);
	struct str text;

	if (member->uid == 0 || member->hidden_at != NO_TIME)
		return;
	if (things->state.channel.created_at == s->batch->at) {
		text = event_text(&t->req, &event_tale(created.kind)->absent, &created, things,
			member, &s->people);
		live_post(t->live, HUB_ABSENT, uid, channel,
			event_with_counts(&t->req, text, &s->unread[h]));
	}
	if (was_shown(s, member)) {
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
	const struct message *m = &s->messages[i];
	struct event_things things = {.state = s->states[i], .message = *m, .watchers = -1};
	struct event sent = event_of(EVENT_MESSAGE_NEW, m, m->author);
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
tell_slice(struct telling *t, const struct committed *c, size_t first, struct err *e)
{
	size_t n = MIN_OF(c->nkeys - first, (size_t)SLICE), h = 0;
	struct slice s = {.batch = c};

	if (!load_places(t, &s, c->keys + first, c->receivers + first, n, e) ||
		!load_types(t, &s, e) || !load_members(t, &s, c->receivers + first, e) ||
		!load_people(t, &s, e))
		return false;
	for (size_t i = 0; i < s.n; i++) {
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
	struct committed c = {.event = ev};
	struct arena *a = t->req.arena;
	struct live *l = t->live;

	if (!find_messages(t, &c, e))
		return false;
	/* What a failure cut short goes on where it was. */
	for (size_t i = 0; i < c.nkeys; i += SLICE) {
		struct arena_mark mark = arena_mark(a);
		bool ok;

		if (c.keys[i] < l->next_key)
			continue;
		ok = tell_slice(t, &c, i, e);
		arena_rewind(a, mark);
		if (!ok)
			return false;
		l->next_key = c.keys[MIN_OF(i + SLICE, c.nkeys) - 1] + 1;
	}
	return true;
}
