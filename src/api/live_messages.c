/* live_messages – new messages, told to who watches their channels and to members who are
 * connected and do not (api.md §3.4, §7.6): those of the API and those of campaigns alike.
 *
 * What the messages of several events need is loaded together.  The further the dispatcher is
 * behind, the more it tells at once. */
#include <stdlib.h>

#include "api/committed.h"
#include "api/event_wire.h"
#include "api/live_impl.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "domain/form.h"
#include "domain/unread.h"

/* Messages that are loaded together: it bounds the memory. */
#define SLICE 128
/* No further event is taken when so many messages are found. */
#define ENOUGH (4 * SLICE)

/* Some messages, and what belongs to them. */
struct slice {
	const struct heard *heard;
	struct committed_slice of; /* receivers: the places among ${heard} */
	/* The channels, each once, by number. */
	int64_t *nos;
	struct channel *channels;
	int64_t *member_counts;
	size_t nchannels;
	size_t *channel_of; /* each message's */
	/* Who is in them, in order; of each channel the first are shown. */
	struct channel_pair *pairs;
	size_t npairs;
	struct member **shown;
	size_t *nshown;
	/* Who may be told of messages in which channel, in order. */
	struct channel_pair *hears;
	int64_t *uids;          /* beside them */
	struct member *members; /* the same */
	struct unread *unread;
	size_t nhears;
	struct chat_people people;
};

/* ---- finding --------------------------------------------------------------------------- */

void
live_hear(struct live *l, const struct heard *h)
{
	/* It was told before a failure. */
	if (h->key < l->next_key && h->pos == l->pos + 1)
		return;
	if (l->nheard == l->heard_cap) {
		l->heard_cap = MAX_OF(2 * l->heard_cap, (size_t)ENOUGH);
		l->heard = realloc(l->heard, l->heard_cap * sizeof(*l->heard));
		if (l->heard == NULL)
			panic("out of memory");
	}
	l->heard[l->nheard++] = *h;
}

bool
live_is_messages(const struct event *ev)
{
	return ev->kind == EVENT_BATCH || ev->kind == EVENT_MESSAGE_NEW;
}

static bool
find(struct telling *t, const struct event *ev, struct committed *batch, struct err *e)
{
	struct arena_mark mark = arena_mark(t->req.arena);
	struct heard heard = {.pos = ev->pos, .key = ev->object, .is_open = true};
	bool ok = true;

	if (ev->kind == EVENT_BATCH)
		ok = live_batch(t, ev, batch, e);
	else
		live_hear(t->live, &heard);
	arena_rewind(t->req.arena, mark);
	return ok;
}

/* ---- loading --------------------------------------------------------------------------- */

static int
cmp_ints(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static bool
is_among(int64_t key, const int64_t *sorted, size_t n)
{
	return bsearch(&key, sorted, n, sizeof(*sorted), cmp_ints) != NULL;
}

static bool
load_messages(struct telling *t, struct slice *s, size_t n, struct err *e)
{
	struct arena *a = t->req.arena;
	int64_t *keys = arena_array(a, 2 * n, sizeof(*keys)), *places = keys + n;

	for (size_t i = 0; i < n; i++) {
		keys[i] = s->heard[i].key;
		places[i] = (int64_t)i;
	}
	return committed_load(&t->req, NULL, keys, places, n, &s->of, e);
}

static const struct heard *
heard_of(const struct slice *s, size_t i)
{
	return &s->heard[s->of.receivers[i]];
}

/* Several messages may stand in one channel. */
static void
list_channels(struct telling *t, struct slice *s)
{
	struct arena *a = t->req.arena;
	size_t n = s->of.n;

	s->nos = arena_array(a, n + 1, sizeof(*s->nos));
	s->channels = arena_array(a, n + 1, sizeof(*s->channels));
	s->member_counts = arena_zalloc(a, (n + 1) * sizeof(*s->member_counts));
	s->channel_of = arena_array(a, n + 1, sizeof(*s->channel_of));
	for (size_t i = 0; i < n; i++)
		s->nos[i] = s->of.channels[i].no;
	s->nchannels = form_sort_uids(s->nos, n);
	for (size_t i = 0; i < n; i++) {
		const int64_t *at = bsearch(
			&s->of.channels[i].no, s->nos, s->nchannels, sizeof(*s->nos), cmp_ints);

		s->channel_of[i] = (size_t)(at - s->nos);
		s->channels[s->channel_of[i]] = s->of.channels[i];
	}
}

/* Members who are connected, of channels with messages to whoever is there. */
static void
hear_members(struct telling *t, struct slice *s)
{
	const struct channel_pair *pairs = s->pairs;
	struct arena *a = t->req.arena;
	size_t n = s->npairs;
	int64_t *uids = arena_array(a, n + 1, sizeof(*uids));
	int64_t *online = arena_array(a, n + 1, sizeof(*online));
	bool *is_open = arena_zalloc(a, s->nchannels + 1);
	size_t nuids = 0;

	for (size_t i = 0; i < s->of.n; i++)
		is_open[s->channel_of[i]] |= heard_of(s, i)->is_open;
	for (size_t i = 0; i < n; i++)
		if (is_open[pairs[i].channel])
			uids[nuids++] = pairs[i].uid;
	nuids = form_sort_uids(uids, nuids);
	nuids = hub_online(t->live->hub, uids, nuids, online);
	for (size_t i = 0; i < n; i++)
		if (is_open[pairs[i].channel] && is_among(pairs[i].uid, online, nuids))
			s->hears[s->nhears++] = pairs[i];
}

/* Each pair once, in order. */
static void
sort_hears(struct slice *s)
{
	size_t n = 0;

	if (s->nhears > 1)
		qsort(s->hears, s->nhears, sizeof(*s->hears), channel_pair_cmp);
	for (size_t i = 0; i < s->nhears; i++)
		if (n == 0 || channel_pair_cmp(&s->hears[n - 1], &s->hears[i]) != 0)
			s->hears[n++] = s->hears[i];
	s->nhears = n;
}

/* Who is in the channels, and who may be told. */
static bool
find_hears(struct telling *t, struct slice *s, struct err *e)
{
	struct req *r = &t->req;

	if (!channel_pairs(r->db, r->arena, s->channels, s->nchannels, 0, CHANNEL_PAIRS_MAX,
		    &s->pairs, &s->npairs, e) ||
		!channel_count_pairs(r->db, r->arena, s->channels, s->nchannels, s->pairs,
			s->npairs, CHANNEL_PAIRS_MAX, s->member_counts, e))
		return false;
	s->hears = arena_array(r->arena, s->npairs + s->of.n + 1, sizeof(*s->hears));
	hear_members(t, s);
	for (size_t i = 0; i < s->of.n; i++)
		if (heard_of(s, i)->receiver != 0)
			s->hears[s->nhears++] = (struct channel_pair){
				s->channel_of[i], heard_of(s, i)->receiver};
	sort_hears(s);
	return true;
}

/* Which members are shown: their places in ${members}; returns how many. */
static size_t
choose_shown(struct telling *t, struct slice *s, struct member *members, int64_t *uids,
	struct channel *theirs)
{
	struct arena *a = t->req.arena;
	size_t n = 0;

	s->shown = arena_zalloc(a, (s->nchannels + 1) * sizeof(struct member *));
	s->nshown = arena_zalloc(a, (s->nchannels + 1) * sizeof(*s->nshown));
	for (size_t i = 0; i < s->npairs; i++) {
		size_t c = s->pairs[i].channel;

		if (s->nshown[c] == EVENT_MEMBERS_MAX)
			continue;
		if (s->nshown[c]++ == 0)
			s->shown[c] = &members[n];
		theirs[n] = s->channels[c];
		uids[n++] = s->pairs[i].uid;
	}
	return n;
}

/* Who has left meanwhile is not shown. */
static void
drop_strangers(struct slice *s)
{
	for (size_t c = 0; c < s->nchannels; c++) {
		size_t kept = 0;

		for (size_t i = 0; i < s->nshown[c]; i++)
			if (s->shown[c][i].uid != 0)
				s->shown[c][kept++] = s->shown[c][i];
		s->nshown[c] = kept;
	}
}

/* Who is shown and who may be told, together. */
static bool
load_members(struct telling *t, struct slice *s, struct err *e)
{
	struct req *r = &t->req;
	size_t max = MIN_OF(s->npairs, s->nchannels * EVENT_MEMBERS_MAX) + s->nhears + 1, n;
	struct channel *theirs = arena_array(r->arena, max, sizeof(*theirs));
	struct member *members = arena_zalloc(r->arena, max * sizeof(*members));
	int64_t *uids = arena_array(r->arena, max, sizeof(*uids));

	n = choose_shown(t, s, members, uids, theirs);
	s->uids = uids + n;
	s->members = members + n;
	s->unread = arena_array(r->arena, s->nhears + 1, sizeof(*s->unread));
	for (size_t i = 0; i < s->nhears; i++) {
		theirs[n + i] = s->channels[s->hears[i].channel];
		s->uids[i] = s->hears[i].uid;
	}
	if (!channel_members_paired(r->db, r->arena, theirs, uids, n + s->nhears, members, e))
		return false;
	drop_strangers(s);
	return unread_of_users(r->db, r->arena, s->uids, s->nhears, s->unread, e);
}

static bool
load_people(struct telling *t, struct slice *s, struct err *e)
{
	struct chat_people *p = &s->people;

	chat_people_init(p, &t->req);
	for (size_t i = 0; i < s->of.n; i++) {
		chat_people_add(p, s->of.channels[i].creator);
		chat_note_message(p, &s->of.messages[i]);
	}
	for (size_t i = 0; i < s->nhears; i++)
		chat_people_add(p, s->hears[i].uid);
	for (size_t i = 0; i < s->nchannels; i++)
		for (size_t k = 0; k < s->nshown[i]; k++)
			chat_people_add(p, s->shown[i][k].uid);
	if (!chat_people_load(p, &t->req, e))
		return false;
	chat_people_keep(p, &t->req);
	return arena_check(t->req.arena, e);
}

/* ---- telling --------------------------------------------------------------------------- */

/* One message, and what is told of it. */
struct news {
	const struct committed *batch; /* NULL: it was sent through the API */
	struct event_things things;
	struct event sent;
	bool is_to_many;   /* then what is the same for all is written once: */
	struct str absent; /* the text for those who do not watch; p == NULL: not yet */
};

static void
post_made(struct telling *t, struct slice *s, size_t h, struct news *n)
{
	struct event made =
		committed_event(EVENT_CHANNEL_CREATED, &n->things.message, s->uids[h]);

	if (n->things.channel_text.p == NULL)
		n->things.channel_text = event_channel_text(&t->req, &n->things, &s->people);
	live_post(t->live, HUB_ABSENT, s->uids[h], n->sent.channel,
		event_text(&t->req, &event_tale(made.kind)->absent, &made, &n->things,
			&s->members[h], &s->unread[h], &s->people));
}

static void
post_shown(struct telling *t, struct slice *s, size_t h, const struct news *n)
{
	struct event shown =
		committed_event(EVENT_CHANNEL_VISIBLE, &n->things.message, s->uids[h]);
	struct event_things his = n->things;

	his.state.me = s->members[h];
	his.state.is_shared = false;
	live_post(t->live, HUB_USER, s->uids[h], 0,
		event_text(&t->req, &event_tale(shown.kind)->user, &shown, &his, &s->members[h],
			NULL, &s->people));
}

/* What is the same for all of them is written once. */
static void
post_new(struct telling *t, struct slice *s, size_t h, struct news *n)
{
	const struct event_shape *shape = &event_tale(n->sent.kind)->absent;
	const struct unread *unread = &s->unread[h];
	struct str text;

	if (!n->is_to_many || n->absent.p == NULL)
		text = event_text(&t->req, shape, &n->sent, &n->things, &n->things.member,
			n->is_to_many ? NULL : unread, &s->people);
	if (n->is_to_many) {
		if (n->absent.p == NULL)
			n->absent = text;
		text = event_with_counts(&t->req, n->absent, unread);
	}
	live_post(t->live, HUB_ABSENT, s->uids[h], n->sent.channel, text);
}

/* Hidden channels stay so, and silent, unless the campaign shows them. */
static void
post_member(struct telling *t, struct slice *s, size_t h, struct news *n)
{
	const struct member *m = &s->members[h];

	if (m->uid == 0 || m->hidden_at != NO_TIME)
		return;
	if (n->batch != NULL && committed_made(n->batch, &n->things.state.channel))
		post_made(t, s, h, n);
	if (n->batch != NULL && committed_showed(n->batch, m))
		post_shown(t, s, h, n);
	post_new(t, s, h, n);
}

/* Who sees it hears from here on what becomes of its poll. */
static void
post_poll(struct telling *t, const struct slice *s, const struct news *n)
{
	const struct poll *poll = chat_people_poll(&s->people, n->things.message.poll_id);
	struct live *l = t->live;

	if (poll == NULL)
		return;
	live_order(l, HUB_FOLLOW, 0, n->sent.channel);
	l->posts[l->nposts - 1].value = HUB_ROOM_OF_POLL(poll->no);
}

static void
post_watchers(struct telling *t, struct slice *s, size_t from, size_t to, struct news *n)
{
	struct live_members members = {s->uids + from, s->unread + from, to - from};
	int64_t watchers = hub_watcher_count(t->live->hub, n->sent.channel);

	if (watchers == 0)
		return;
	n->things.watchers = watchers;
	post_poll(t, s, n);
	live_post_watchers(t, n->sent.channel,
		event_text(&t->req, &event_tale(n->sent.kind)->watchers, &n->sent, &n->things,
			&n->things.member, NULL, &s->people),
		&members);
	n->things.watchers = -1;
}

/* Which of the pairs hear of a message. */
static void
range_of(const struct slice *s, size_t i, size_t *from, size_t *to)
{
	size_t channel = s->channel_of[i], lo = 0, hi = s->nhears;
	const struct heard *h = heard_of(s, i);
	struct channel_pair first = {channel, h->is_open ? INT64_MIN : h->receiver};

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (channel_pair_cmp(&s->hears[mid], &first) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*from = *to = lo;
	while (*to < s->nhears && s->hears[*to].channel == channel &&
		(h->is_open || s->hears[*to].uid == h->receiver))
		++*to;
}

static void
post_message(struct telling *t, struct slice *s, size_t i)
{
	const struct message *m = &s->of.messages[i];
	const struct heard *heard = heard_of(s, i);
	struct news n = {.batch = heard->batch,
		.things = {.state = s->of.states[i], .message = *m, .watchers = -1},
		.sent = committed_event(EVENT_MESSAGE_NEW, m, m->author)};
	size_t from, to;

	n.things.state.member_count = s->member_counts[s->channel_of[i]];
	n.things.state.members = s->shown[s->channel_of[i]];
	n.things.state.nmembers = s->nshown[s->channel_of[i]];
	range_of(s, i, &from, &to);
	n.is_to_many = to - from > 1;
	live_room(t->live, 1 + PRESENT_MAX + 3 * (to - from));
	post_watchers(t, s, from, to, &n);
	for (size_t h = from; h < to; h++)
		/* The author of a campaign knows what he sent, and is in all of its channels:
		 * he hears of it where he watches. */
		if (n.batch == NULL || !heard->is_open || s->uids[h] != m->author)
			post_member(t, s, h, &n);
}

static bool
tell_slice(struct telling *t, size_t first, struct err *e)
{
	const struct live *l = t->live;
	size_t n = MIN_OF(l->nheard - first, (size_t)SLICE);
	struct slice s = {.heard = l->heard + first};

	if (!load_messages(t, &s, n, e))
		return false;
	list_channels(t, &s);
	if (!find_hears(t, &s, e) || !load_members(t, &s, e) || !load_people(t, &s, e))
		return false;
	for (size_t i = 0; i < s.of.n; i++)
		post_message(t, &s, i);
	live_flush(t->live);
	return true;
}

/* What a failure cuts short goes on with this one. */
static void
note_next(struct live *l, const struct heard *h)
{
	l->pos = h->pos - 1;
	l->next_key = h->key;
}

bool
live_messages(
	struct telling *t, const struct event *events, size_t n, size_t *ntold, struct err *e)
{
	struct committed *batches = arena_array(t->req.arena, n, sizeof(*batches));
	struct arena *a = t->req.arena;
	struct live *l = t->live;

	l->nheard = 0;
	for (*ntold = 0; *ntold < n && l->nheard < ENOUGH; ++*ntold)
		if (!find(t, &events[*ntold], &batches[*ntold], e))
			return false;
	for (size_t i = 0; i < l->nheard; i += SLICE) {
		struct arena_mark mark = arena_mark(a);
		bool ok;

		note_next(l, &l->heard[i]);
		ok = tell_slice(t, i, e);
		arena_rewind(a, mark);
		if (!ok)
			return false;
	}
	return true;
}
