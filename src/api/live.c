/* live – events of API writes, told to clients. */
#include "api/live.h"

#include <stdlib.h>

#include "api/auth.h"
#include "api/event_wire.h"
#include "api/live_impl.h"
#include "api/presence.h"
#include "base/clock.h"
#include "base/log.h"
#include "domain/form.h"
#include "domain/unread.h"
#include "domain/user.h"
#include "engine/dispatch.h"

/* How old what is known of channel types and of campaigns' templates may be. */
#define KEPT_US 1000000

/* ---- posting --------------------------------------------------------------------------- */

void
live_flush(struct live *l)
{
	hub_post(l->hub, l->posts, l->nposts);
	for (size_t i = 0; i < l->nposts; i++)
		payload_unref(l->posts[i].payload);
	l->nposts = 0;
}

void
live_room(struct live *l, size_t n)
{
	if (l->nposts + n > POSTS_MAX)
		live_flush(l);
}

void
live_order(struct live *l, enum hub_whom whom, int64_t uid, int64_t channel)
{
	live_room(l, 1);
	l->posts[l->nposts++] = (struct hub_post){.whom = whom, .uid = uid, .channel = channel};
}

void
live_post(struct live *l, enum hub_whom whom, int64_t uid, int64_t channel, struct str text)
{
	live_order(l, whom, uid, channel);
	l->posts[l->nposts - 1].payload = payload_new(text);
}

static const struct unread *
unread_of(const struct live_members *m, int64_t uid)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->uids[mid] < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->n && m->uids[lo] == uid ? &m->unread[lo] : NULL;
}

void
live_post_watchers(
	struct telling *t, int64_t channel, struct str text, const struct live_members *members)
{
	int64_t uids[PRESENT_MAX + 1];
	size_t n = hub_watchers(t->live->hub, channel, uids, ARRAY_LEN(uids));
	bool by_name = members->n > 0 && n <= PRESENT_MAX;

	/* Who has no name cannot be told by it. */
	for (size_t i = 0; i < n; i++)
		by_name = by_name && uids[i] != 0;
	if (!by_name) {
		live_post(t->live, HUB_WATCHERS, 0, channel, text);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const struct unread *u = unread_of(members, uids[i]);

		live_post(t->live, HUB_PRESENT, uids[i], channel,
			u != NULL ? event_with_counts(&t->req, text, u) : text);
	}
}

/* ---- who hears it ---------------------------------------------------------------------- */

/* Who is to be told of one event. */
struct audience {
	bool watchers;
	bool user;       /* the event's own, who is connected */
	int64_t *absent; /* connected members, sorted */
	size_t nabsent;
	struct unread *unread; /* of each of them */
	struct unread of_user;
};

static bool
is_online(struct telling *t, int64_t uid)
{
	int64_t found;

	return uid != 0 && hub_online(t->live->hub, &uid, 1, &found) == 1;
}

/* Not who has the channel hidden; and who joined a new channel since hears of that by itself.
 */
static bool
is_to_hear(const struct event *ev, const struct member *m)
{
	return m->hidden_at == NO_TIME &&
	       (ev->kind != EVENT_CHANNEL_CREATED || m->created_at <= ev->at);
}

/* Members who are connected. */
static void
find_absent(struct telling *t, const struct event_tale *tale, const struct event *ev,
	const struct chat_state *s, struct audience *out)
{
	int64_t *uids = arena_array(t->req.arena, s->nmembers + 1, sizeof(*uids));
	size_t n = 0;

	out->absent = arena_array(t->req.arena, s->nmembers + 1, sizeof(*uids));
	if (tale->absent_is_user)
		uids[n++] = ev->uid;
	for (size_t i = 0; i < s->nmembers && !tale->absent_is_user; i++)
		if (is_to_hear(ev, &s->members[i]))
			uids[n++] = s->members[i].uid;
	n = form_sort_uids(uids, n);
	out->nabsent = hub_online(t->live->hub, uids, n, out->absent);
}

/* Before anything is loaded: whether there can be anybody. */
static bool
may_be_heard(struct telling *t, const struct event_tale *tale, const struct event *ev,
	struct audience *out)
{
	*out = (struct audience){0};
	out->watchers = tale->watchers.type != NULL && event_room(ev) != 0 &&
			hub_watcher_count(t->live->hub, event_room(ev)) > 0;
	out->user = tale->user.type != NULL && is_online(t, ev->uid);
	if (tale->absent.type == NULL)
		return out->watchers || out->user;
	return out->watchers || out->user || !tale->absent_is_user || is_online(t, ev->uid);
}

static bool
load_counts(struct telling *t, const struct event_tale *tale, const struct event *ev,
	struct audience *a, struct err *e)
{
	struct req *r = &t->req;

	a->unread = arena_array(r->arena, a->nabsent + 1, sizeof(*a->unread));
	if (tale->absent.parts & PART_COUNTS &&
		!unread_of_users(r->db, r->arena, a->absent, a->nabsent, a->unread, e))
		return false;
	return !a->user || !(tale->user.parts & PART_COUNTS) ||
	       unread_of_users(r->db, r->arena, &ev->uid, 1, &a->of_user, e);
}

/* ---- telling --------------------------------------------------------------------------- */

static const struct member *
member_of(const struct event_things *things, int64_t uid)
{
	const struct chat_state *s = &things->state;

	for (size_t i = 0; i < s->nmembers; i++)
		if (s->members[i].uid == uid)
			return &s->members[i];
	return &things->member;
}

/* What is the same for all of them is written once. */
static void
post_absent(struct telling *t, const struct event_tale *tale, const struct event *ev,
	const struct event_things *things, const struct audience *a,
	const struct chat_people *people)
{
	struct str text = STR_NONE;

	for (size_t i = 0; i < a->nabsent; i++) {
		int64_t uid = a->absent[i];

		if (text.p == NULL || tale->absent.parts & PART_MEMBER)
			text = event_text(&t->req, &tale->absent, ev, things,
				member_of(things, uid), NULL, people);
		live_post(t->live, HUB_ABSENT, uid, ev->channel,
			tale->absent.parts & PART_COUNTS
				? event_with_counts(&t->req, text, &a->unread[i])
				: text);
	}
}

/* Deleted or deactivated: he could not connect now. */
static bool
has_to_go(const struct chat_people *people, int64_t uid)
{
	const struct user *u = chat_people_find(people, uid);

	return u != NULL && (u->deleted_at != NO_TIME || u->deactivated_at != NO_TIME);
}

static void
post_revoked(struct live *l, int64_t uid, int64_t before)
{
	if (before == NO_TIME)
		return;
	live_order(l, HUB_REVOKE, uid, 0);
	l->posts[l->nposts - 1].value = auth_revoked_s(before);
}

/* His connections end because of what he is now, or those by older tokens. */
static void
post_end(struct telling *t, const struct event *ev, const struct chat_people *people)
{
	const struct user *u = chat_people_find(people, ev->uid);

	if (has_to_go(people, ev->uid))
		live_order(t->live, HUB_END, ev->uid, 0);
	else if (u != NULL)
		post_revoked(t->live, ev->uid, u->revoked_before);
}

static void
post(struct telling *t, const struct event_tale *tale, const struct event *ev,
	struct event_things *things, const struct audience *a, const struct chat_people *people)
{
	struct live_members members = {.uids = a->absent, .unread = a->unread};
	struct live *l = t->live;
	struct str text;

	live_room(l, PRESENT_MAX + 2 + a->nabsent);
	if (a->watchers) {
		things->watchers =
			ev->channel != 0 ? hub_watcher_count(l->hub, ev->channel) : -1;
		text = event_text(
			&t->req, &tale->watchers, ev, things, &things->member, NULL, people);
		members.n = tale->watchers.parts & PART_COUNTS ? a->nabsent : 0;
		live_post_watchers(t, event_room(ev), text, &members);
		things->watchers = -1;
	}
	post_absent(t, tale, ev, things, a, people);
	if (a->user) {
		text = event_text(
			&t->req, &tale->user, ev, things, &things->member, &a->of_user, people);
		/* Those of his own that look at him were told so above. */
		live_post(l, ev->kind == EVENT_USER_UPDATED ? HUB_ABSENT : HUB_USER, ev->uid,
			event_room(ev), text);
	}
	/* Who is gone does not hear what is said from now on. */
	if (ev->kind == EVENT_CHANNEL_DELETED)
		live_order(l, HUB_UNWATCH, 0, ev->channel);
	if (ev->kind == EVENT_USER_UPDATED)
		post_end(t, ev, people);
	if (ev->kind == EVENT_MEMBER_REMOVED && ev->uid != things->state.channel.creator)
		live_order(l, HUB_UNWATCH, ev->uid, ev->channel);
}

static bool
tell_event(struct telling *t, const struct event *ev, struct err *e)
{
	const struct event_tale *tale = event_tale(ev->kind);
	struct req *r = &t->req;
	struct event_things things;
	struct chat_people people;
	struct audience a;
	bool found;

	if (ev->kind == EVENT_TOKENS_REVOKED)
		post_revoked(t->live, 0, ev->object);
	if (!may_be_heard(t, tale, ev, &a))
		return true;
	chat_people_init(&people, r);
	if (!event_load(r, ev, &people, &things, &found, e))
		return false;
	if (!found)
		return true;
	if (tale->absent.type != NULL)
		find_absent(t, tale, ev, &things.state, &a);
	if (!a.watchers && !a.user && a.nabsent == 0)
		return true;
	for (size_t i = 0; i < a.nabsent && tale->absent.parts & PART_MEMBER; i++)
		chat_people_add(&people, a.absent[i]);
	if (!chat_people_load(&people, r, e) || !load_counts(t, tale, ev, &a, e))
		return false;
	post(t, tale, ev, &things, &a, &people);
	return arena_check(r->arena, e);
}

/* One event, or several that are told together. */
static bool
tell_next(struct telling *t, const struct event *events, size_t n, size_t *ntold, struct err *e)
{
	size_t run = 0;

	while (run < n && live_is_messages(&events[run]))
		run++;
	*ntold = 1;
	if (run > 0 ? !live_messages(t, events, run, ntold, e) : !tell_event(t, events, e))
		return false;
	t->live->pos = events[*ntold - 1].pos;
	t->live->next_key = 0;
	return true;
}

/* Whoever changes a type or a template may wait for a second; who makes one, for nothing. */
static bool
use_kept(struct telling *t, struct err *e)
{
	struct live *l = t->live;
	struct req *r = &t->req;

	if (l->kept_since == 0 || clock_mono_us() - l->kept_since > KEPT_US) {
		l->kept_since = 0;
		arena_reset(&l->kept);
		channel_origins_init(&l->origins, &l->kept);
		if (!chat_types(r, &l->kept, e))
			return false;
		chat_keep_configs(r, &l->kept);
		l->types = r->types;
		l->ntypes = r->ntypes;
		l->configs = r->configs;
		l->kept_since = clock_mono_us();
	}
	r->types = l->types;
	r->ntypes = l->ntypes;
	r->configs = l->configs;
	r->origins = &l->origins;
	return true;
}

static bool
tell_all(struct telling *t, const struct event *events, size_t n, struct err *e)
{
	struct arena *a = t->req.arena;

	while (n > 0) {
		struct arena_mark mark = arena_mark(a);
		size_t ntold = 1;
		bool ok = true;

		if (events->pos > t->live->pos) {
			ok = tell_next(t, events, n, &ntold, e);
			arena_rewind(a, mark);
		}
		if (!ok)
			return false;
		events += ntold;
		n -= ntold;
	}
	return true;
}

static bool
tell(void *arg, struct db *db, struct arena *a, const struct event *events, size_t n,
	struct err *e)
{
	struct live *l = arg;
	struct telling t = {.live = l, .req = {.ctx = l->ctx, .arena = a, .db = db}};
	int64_t kept_since = l->kept_since;
	bool ok = use_kept(&t, e) && tell_all(&t, events, n, e);

	/* It may be of a type that was made since. */
	if (!ok && e->code == ERR_BUG && kept_since != 0 && l->kept_since == kept_since) {
		l->kept_since = 0;
		ok = use_kept(&t, e) && tell_all(&t, events, n, e);
	}
	/* Something may have been read by half. */
	if (!ok)
		l->kept_since = 0;
	live_flush(l);
	return ok;
}

static bool
pass(void *arg, struct db *db, struct arena *a, struct err *e)
{
	struct live *l = arg;
	struct presence *p = l->ctx->presence;

	return p == NULL || presence_tell(p, db, a, e);
}

static bool
has_ears(void *arg)
{
	struct live *l = arg;
	struct hub_counters c;

	hub_counters(l->hub, &c);
	return c.connections > 0;
}

struct live *
live_new(const struct ctx *ctx, struct hub *hub)
{
	struct live *l = calloc(1, sizeof(*l));

	if (l == NULL)
		panic("out of memory");
	l->ctx = ctx;
	l->hub = hub;
	arena_init(&l->kept, 64 * 1024, SIZE_MAX);
	return l;
}

void
live_free(struct live *l)
{
	if (l == NULL)
		return;
	arena_fini(&l->kept);
	free(l->heard);
	free(l);
}

void
live_sink(struct live *l, struct dispatch_sink *out)
{
	*out = (struct dispatch_sink){
		.has_ears = has_ears, .tell = tell, .pass = pass, .arg = l};
}
