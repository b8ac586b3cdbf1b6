/* sync – the endpoint that tells clients what they missed (api.md §6.11): what happened in some
 * channels since a time, as they would have heard it where they watch.
 *
 * Messages are found by themselves, those of campaigns stand in no row of the outbox;
 * everything else is in it.  All is read with a few statements, whatever the number of events.
 */
#include <stdlib.h>
#include <string.h>

#include "api/chat_read.h"
#include "api/event_wire.h"
#include "api/req.h"
#include "base/clock.h"
#include "domain/channel_type.h"
#include "domain/form.h"
#include "domain/settings.h"

#define CIDS_MAX   255
#define EVENTS_MAX 1000
#define DAY_US     (86400 * INT64_C(1000000))

/* A channel that is asked after. */
struct place {
	struct channel channel;
	struct member me; /* uid 0: the viewer is not in it */
	bool is_open;     /* to who asks */
};

struct syncing {
	struct req *r;
	int64_t since, viewer;
	struct str *cids;
	size_t ncids;
	struct place *places; /* of each cid; channel.no 0: there is none */
	/* The channels that he may hear of, each once, in the order of their numbers. */
	struct chat_state *states;
	int64_t *nos;
	size_t n;
	struct event *events; /* in order */
	struct event_things *things;
	size_t nevents;
	struct chat_people people;
};

/* ---- which channels -------------------------------------------------------------------- */

static bool
find_channels(struct syncing *s, struct err *e)
{
	struct channel *found = arena_zalloc(s->r->arena, s->ncids * sizeof(*found));

	if (!chat_find_cids(s->r, s->cids, s->ncids, found, e))
		return false;
	for (size_t i = 0; i < s->ncids; i++)
		s->places[i].channel = found[i];
	return true;
}

/* Which of them are his to hear of: the same as chat_check_access(), for all at once. */
static bool
check_access(struct syncing *s, struct err *e)
{
	struct req *r = s->r;
	bool is_free = r->user_id.p == NULL || r->settings->no_permission_checks;
	struct channel *channels = arena_array(r->arena, s->ncids, sizeof(*channels));
	struct member *members = arena_zalloc(r->arena, s->ncids * sizeof(*members));

	for (size_t i = 0; i < s->ncids; i++)
		channels[i] = s->places[i].channel;
	if (s->viewer != 0 && !channel_member_in_many(r->db, r->arena, channels, s->ncids,
				      s->viewer, members, e))
		return false;
	for (size_t i = 0; i < s->ncids; i++) {
		struct place *p = &s->places[i];

		p->me = members[i];
		p->is_open = p->channel.no != 0 &&
			     (is_free || p->me.uid != 0 ||
				     (s->viewer != 0 && s->viewer == p->channel.creator));
		if (p->is_open)
			s->nos[s->n++] = p->channel.no;
	}
	s->n = form_sort_uids(s->nos, s->n);
	return true;
}

static size_t
index_of(const struct syncing *s, int64_t no)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->nos[mid] < no)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
load_states(struct syncing *s, struct err *e)
{
	struct req *r = s->r;
	struct channel *channels = arena_array(r->arena, s->n + 1, sizeof(*channels));
	int64_t *last = arena_array(r->arena, s->n + 1, sizeof(*last));
	int64_t *counts = arena_array(r->arena, s->n + 1, sizeof(*counts));

	s->states = arena_zalloc(r->arena, (s->n + 1) * sizeof(*s->states));
	for (size_t i = 0; i < s->ncids; i++)
		if (s->places[i].is_open) {
			size_t k = index_of(s, s->places[i].channel.no);

			channels[k] = s->places[i].channel;
			s->states[k].me = s->places[i].me;
		}
	for (size_t i = 0; i < s->n; i++)
		last[i] = NO_TIME;
	if (!channel_complete(r->db, r->arena, channels, s->n, e) ||
		!channel_last_messages(r->db, s->nos, s->n, last, e) ||
		!channel_member_counts(r->db, r->arena, channels, s->n, counts, e))
		return false;
	for (size_t i = 0; i < s->n; i++) {
		struct chat_state *state = &s->states[i];

		state->channel = channels[i];
		state->member_count = counts[i];
		state->last_message_at = last[i] > channels[i].truncated_at ? last[i] : NO_TIME;
		if (!chat_type(r, channels[i].type, &state->type, e))
			return false;
		if (state->type == NULL)
			return fail(e, ERR_BUG, "channel %.*s is of no type",
				STR_ARG(channels[i].cid));
		chat_people_add(&s->people, channels[i].creator);
	}
	return true;
}

/* ---- which events ---------------------------------------------------------------------- */

/* What he would have heard: to watchers, or to himself. */
static const struct event_shape *
shape_of(const struct syncing *s, const struct event *ev)
{
	const struct event_tale *tale = event_tale(ev->kind);

	/* How a poll stands is shown by its message. */
	if (tale->watchers.parts & PART_VOTE)
		return NULL;
	if (tale->watchers.type != NULL)
		return &tale->watchers;
	return tale->user.type != NULL && ev->uid == s->viewer && s->viewer != 0 ? &tale->user
										 : NULL;
}

static int
cmp_events(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return (x->object > y->object) - (x->object < y->object);
}

static bool
too_many(struct err *e)
{
	return fail(e, ERR_INPUT,
		"Too many events to sync, please use a more recent last_sync_at parameter");
}

static bool
find_events(struct syncing *s, struct err *e)
{
	struct req *r = s->r;
	int64_t *since = arena_array(r->arena, s->n + 1, sizeof(*since));
	struct message_ref *refs;
	struct event *rows;
	size_t nrefs, nrows;

	for (size_t i = 0; i < s->n; i++) {
		const struct chat_state *state = &s->states[i];
		int64_t floor =
			channel_floor(&state->channel, state->me.uid != 0 ? &state->me : NULL);

		since[i] = MAX_OF(s->since, floor);
		if (state->channel.deleted_at != NO_TIME)
			since[i] = INT64_MAX;
	}
	if (!message_since(
		    r->db, r->arena, s->nos, since, s->n, EVENTS_MAX, &refs, &nrefs, e) ||
		!event_of_channels(
			r->db, r->arena, s->nos, s->n, s->since, EVENTS_MAX, &rows, &nrows, e))
		return false;
	if (nrefs > EVENTS_MAX || nrows > EVENTS_MAX)
		return too_many(e);
	s->events = arena_array(r->arena, nrefs + nrows + 1, sizeof(*s->events));
	for (size_t i = 0; i < nrefs; i++)
		s->events[s->nevents++] = (struct event){.kind = EVENT_MESSAGE_NEW,
			.at = refs[i].created_at,
			.channel = s->nos[refs[i].channel],
			.object = refs[i].key};
	for (size_t i = 0; i < nrows; i++)
		if (rows[i].kind != EVENT_MESSAGE_NEW && shape_of(s, &rows[i]) != NULL)
			s->events[s->nevents++] = rows[i];
	if (s->nevents > EVENTS_MAX)
		return too_many(e);
	if (s->nevents > 1)
		qsort(s->events, s->nevents, sizeof(*s->events), cmp_events);
	return true;
}

/* Messages and members of all events; what is gone by now drops out. */
static bool
load_events(struct syncing *s, struct err *e)
{
	struct req *r = s->r;
	size_t n = s->nevents, kept = 0;
	int64_t *keys = arena_array(r->arena, 2 * n + 1, sizeof(*keys)), *uids = keys + n;
	struct message *messages = arena_array(r->arena, n + 1, sizeof(*messages));
	struct channel *channels = arena_array(r->arena, n + 1, sizeof(*channels));
	struct member *members = arena_zalloc(r->arena, (n + 1) * sizeof(*members));

	s->things = arena_zalloc(r->arena, (n + 1) * sizeof(*s->things));
	for (size_t i = 0; i < n; i++) {
		keys[i] = s->events[i].object;
		uids[i] = s->events[i].uid;
		channels[i] = s->states[index_of(s, s->events[i].channel)].channel;
	}
	if (!message_by_keys(r->db, r->arena, r->ctx->app, keys, n, messages, e) ||
		!channel_members_paired(r->db, r->arena, channels, uids, n, members, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		struct event_things *t = &s->things[kept];
		struct event *ev = &s->events[i];

		*t = (struct event_things){
			.state = s->states[index_of(s, ev->channel)],
			.message = messages[i],
			.member = members[i],
			.watchers = -1,
		};
		if (!event_settle(r, ev, t))
			continue;
		if (ev->kind == EVENT_MESSAGE_NEW)
			ev->uid = t->message.author;
		chat_people_add(&s->people, ev->uid);
		if (t->message.key != 0)
			chat_note_message(&s->people, &t->message);
		s->events[kept++] = *ev;
	}
	s->nevents = kept;
	return chat_people_load(&s->people, r, e) && arena_check(r->arena, e);
}

/* ---- the request ------------------------------------------------------------------------ */

static bool
read_request(struct syncing *s, const json_t *body, bool *tells_closed, struct err *e)
{
	struct req *r = s->r;

	s->since = NO_TIME;
	if (!jr_strs(r->arena, body, "channel_cids", REQUIRED, CIDS_MAX, &s->cids, &s->ncids,
		    e) ||
		!jr_time(body, "last_sync_at", REQUIRED, &s->since, e) ||
		!jr_bool(body, "with_inaccessible_cids", OPTIONAL, tells_closed, e) ||
		!chat_viewer(r, body, &s->viewer, e))
		return false;
	if (s->ncids == 0)
		return fail(e, ERR_INPUT, "channel_cids: expected 1 to %d elements, got 0",
			CIDS_MAX);
	if (s->since < clock_now_us() - EVENT_KEEP_DAYS * DAY_US)
		return fail(e, ERR_INPUT, "last_sync_at: must not be more than %d days ago",
			EVENT_KEEP_DAYS);
	return true;
}

static void
write_closed(const struct syncing *s)
{
	jw_karr(&s->r->w, "inaccessible_cids");
	for (size_t i = 0; i < s->ncids; i++)
		if (!s->places[i].is_open || s->places[i].channel.deleted_at != NO_TIME)
			jw_str(&s->r->w, s->cids[i]);
	jw_end_arr(&s->r->w);
}

static bool
sync_events(struct req *r, struct err *e)
{
	struct syncing s = {.r = r};
	bool tells_closed = false;
	json_t *body;

	if (!req_body(r, &body, e) || !read_request(&s, body, &tells_closed, e))
		return false;
	s.places = arena_zalloc(r->arena, s.ncids * sizeof(*s.places));
	s.nos = arena_array(r->arena, s.ncids, sizeof(*s.nos));
	chat_people_init(&s.people, r);
	s.people.viewer = s.viewer;
	if (!find_channels(&s, e) || !check_access(&s, e) || !load_states(&s, e) ||
		!find_events(&s, e) || !load_events(&s, e))
		return false;
	jw_karr(&r->w, "events");
	for (size_t i = 0; i < s.nevents && !arena_overflowed(r->arena); i++)
		event_write(r, shape_of(&s, &s.events[i]), &s.events[i], &s.things[i],
			&s.things[i].member, NULL, &s.people);
	jw_end_arr(&r->w);
	if (tells_closed)
		write_closed(&s);
	return true;
}

static const struct route routes[] = {
	{"POST", "/sync", "Sync", sync_events, ROUTE_CHAT | ROUTE_CLIENT, BODY_SMALL,
		"Tells what happened in some channels since a time"},
};

const struct route_group routes_sync = {routes, ARRAY_LEN(routes)};
