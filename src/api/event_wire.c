/* event_wire – loading and writing events. */
#include "api/event_wire.h"

#include "api/poll_wire.h"
#include "api/req.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/jscan.h"
#include "domain/channel_type.h"
#include "domain/unread.h"
#include "domain/user.h"
#include "net/hub.h"

#define MEMBERSHIP (PART_CHANNEL | PART_MEMBER | PART_USER)

static const struct event_tale tales[] = {
	[EVENT_MESSAGE_NEW] = {.watchers = {"message.new",
				       PART_MESSAGE | PART_USER | PART_COUNTS},
		.absent = {"notification.message_new",
			PART_CHANNEL | PART_MEMBERS | PART_MESSAGE | PART_USER | PART_COUNTS}},
	[EVENT_MESSAGE_UPDATED] = {.watchers = {"message.updated", PART_MESSAGE | PART_USER}},
	[EVENT_MESSAGE_DELETED] = {.watchers = {"message.deleted", PART_MESSAGE | PART_USER}},
	[EVENT_READ] = {.watchers = {"message.read", PART_USER | PART_MARK},
		.user = {"notification.mark_read",
			PART_CHANNEL | PART_USER | PART_MARK | PART_COUNTS}},
	[EVENT_UNREAD] = {.user = {"notification.mark_unread",
				  PART_CHANNEL | PART_USER | PART_UNREAD | PART_COUNTS}},
	[EVENT_CHANNEL_CREATED] = {.absent = {"notification.added_to_channel",
					   PART_CHANNEL | PART_MEMBERS | PART_MEMBER |
						   PART_COUNTS}},
	[EVENT_CHANNEL_UPDATED] = {.watchers = {"channel.updated", PART_CHANNEL | PART_USER}},
	[EVENT_CHANNEL_DELETED] = {.watchers = {"channel.deleted", PART_CHANNEL | PART_USER},
		.absent = {"notification.channel_deleted", PART_CHANNEL}},
	[EVENT_CHANNEL_TRUNCATED] =
		{.watchers = {"channel.truncated", PART_CHANNEL | PART_USER},
			.absent = {"notification.channel_truncated", PART_CHANNEL}},
	[EVENT_CHANNEL_HIDDEN] = {.user = {"channel.hidden",
					  PART_CHANNEL | PART_USER | PART_CLEARED}},
	[EVENT_CHANNEL_VISIBLE] = {.user = {"channel.visible", PART_CHANNEL | PART_USER}},
	[EVENT_MEMBER_ADDED] = {.watchers = {"member.added", MEMBERSHIP},
		.absent = {"notification.added_to_channel",
			PART_CHANNEL | PART_MEMBERS | PART_MEMBER | PART_COUNTS},
		.absent_is_user = true},
	[EVENT_MEMBER_UPDATED] = {.watchers = {"member.updated", MEMBERSHIP}},
	[EVENT_MEMBER_REMOVED] = {.watchers = {"member.removed", MEMBERSHIP},
		.absent = {"notification.removed_from_channel", MEMBERSHIP},
		.absent_is_user = true},
	[EVENT_VOTE_CAST] = {.watchers = {"poll.vote_casted", PART_VOTE}},
	[EVENT_VOTE_CHANGED] = {.watchers = {"poll.vote_changed", PART_VOTE}},
	[EVENT_VOTE_REMOVED] = {.watchers = {"poll.vote_removed", PART_VOTE}},
	[EVENT_USER_UPDATED] = {.watchers = {"user.updated", PART_USER},
		.user = {"user.updated", PART_USER}},
	[EVENT_POLL_UPDATED] = {.watchers = {"poll.updated", PART_POLL}},
	[EVENT_POLL_CLOSED] = {.watchers = {"poll.closed", PART_POLL}},
	[EVENT_POLL_DELETED] = {.watchers = {"poll.deleted", PART_POLL}},
};

/* A newer program may have written kinds that this one has never heard of. */
const struct event_tale *
event_tale(enum event_kind kind)
{
	static const struct event_tale nothing;

	return kind < 0 || kind >= ARRAY_LEN(tales) ? &nothing : &tales[kind];
}

int64_t
event_room(const struct event *ev)
{
	bool is_poll = event_tale(ev->kind)->watchers.parts & PART_POLL;

	if (ev->kind == EVENT_USER_UPDATED)
		return HUB_ROOM_OF_USER(ev->uid);
	return is_poll ? HUB_ROOM_OF_POLL(ev->object) : ev->channel;
}

/* ---- loading --------------------------------------------------------------------------- */

static bool
load_state(struct req *r, const struct channel *c, bool is_message, struct chat_state *s,
	struct err *e)
{
	*s = (struct chat_state){.channel = *c, .is_shared = true};
	if (!chat_type(r, c->type, &s->type, e))
		return false;
	if (s->type == NULL)
		return fail(e, ERR_BUG, "channel %.*s is of no type", STR_ARG(c->cid));
	s->last_message_at = NO_TIME;
	return chat_complete(r, &s->channel, 1, e) &&
	       (is_message || channel_last_message_at(r->db, c, &s->last_message_at, e)) &&
	       channel_members(r->db, r->arena, &s->channel, 0, &s->members, &s->nmembers,
		       &s->member_count, e) &&
	       (!channel_type_flag(s->type, "count_messages") ||
		       channel_message_count(r->db, c, &s->message_count, e));
}

static bool
load_channel(struct req *r, const struct event *ev, struct event_things *t, bool *found,
	struct err *e)
{
	struct channel c;

	*found = true;
	if (ev->channel == 0)
		return true;
	if (!channel_by_no(r->db, r->arena, ev->channel, &c, found, e))
		return false;
	/* Who does not know by now that it was deleted is told so in a moment. */
	*found = *found && (c.deleted_at == NO_TIME || ev->kind == EVENT_CHANNEL_DELETED);
	/* A new message is the last one. */
	return !*found || load_state(r, &c, ev->kind == EVENT_MESSAGE_NEW, &t->state, e);
}

/* A message that was deleted is told as what it is now: a place, or nothing but a name. */
static void
take_deleted(struct req *r, const struct event *ev, struct message *m)
{
	if (m->key == 0)
		*m = (struct message){
			.key = ev->object,
			.channel = ev->channel,
			.id = jscan_text(r->arena, jscan_member(ev->extra, STR("id"))),
			.author = ev->uid,
			.created_at = ev->at,
			.updated_at = ev->at,
		};
	message_blank(m);
	m->deleted_at = ev->at;
}

bool
event_settle(struct req *r, const struct event *ev, struct event_things *t)
{
	struct message *m = &t->message;

	switch (ev->kind) {
	case EVENT_MESSAGE_NEW:
	case EVENT_MESSAGE_UPDATED:
		return m->key != 0 && m->deleted_at == NO_TIME;
	case EVENT_MESSAGE_DELETED:
		t->is_hard = jscan_member(ev->extra, STR("hard")).type == JSCAN_TRUE;
		take_deleted(r, ev, m);
		return m->id.p != NULL;
	default: /* it is only named */
		return true;
	}
}

static bool
load_message(struct req *r, const struct event *ev, struct event_things *t, bool *found,
	struct err *e)
{
	if (ev->object != 0 &&
		!message_by_keys(r->db, r->arena, r->ctx->app, &ev->object, 1, &t->message, e))
		return false;
	*found = event_settle(r, ev, t);
	if (ev->kind == EVENT_MESSAGE_NEW && *found)
		t->state.last_message_at = t->message.created_at;
	return true;
}

static bool
load_unread(struct req *r, const struct event *ev, struct event_things *t, struct err *e)
{
	struct message last;

	if (ev->kind != EVENT_UNREAD || t->member.uid == 0)
		return true;
	if (!unread_count(r->db, &t->state.channel, &t->member, &t->unread, e))
		return false;
	if (t->member.last_read_key == 0)
		return true;
	if (!message_by_keys(
		    r->db, r->arena, r->ctx->app, &t->member.last_read_key, 1, &last, e))
		return false;
	t->mark_id = last.key == 0 ? STR_NONE : last.id;
	return true;
}

static bool
load_member(struct req *r, const struct event *ev, struct event_things *t, struct err *e)
{
	struct chat_state *s = &t->state;
	size_t i = 0;

	if (ev->channel == 0 || ev->uid == 0)
		return true;
	while (i < s->nmembers && s->members[i].uid != ev->uid)
		i++;
	if (i < s->nmembers)
		t->member = s->members[i];
	/* These are told to him alone. */
	if (ev->kind == EVENT_CHANNEL_HIDDEN || ev->kind == EVENT_CHANNEL_VISIBLE) {
		s->me = t->member;
		s->is_shared = false;
	}
	return load_unread(r, ev, t, e);
}

/* The vote as it is among those of its user, or as it was. */
static bool
find_vote(struct req *r, const struct event *ev, struct event_things *t)
{
	struct str id = jscan_text(r->arena, jscan_member(ev->extra, STR("vote")));
	struct poll *p = &t->poll;

	t->vote =
		(struct poll_vote){.id = id, .poll = p->no, .uid = ev->uid, .cast_at = ev->at};
	t->vote.option_id = jscan_text(r->arena, jscan_member(ev->extra, STR("option")));
	t->vote.answer = jscan_text(r->arena, jscan_member(ev->extra, STR("answer")));
	if (t->vote.option_id.p != NULL)
		t->vote.option = -1; /* any but an answer's */
	for (size_t i = 0; i < p->own.n; i++)
		if (ev->kind != EVENT_VOTE_REMOVED && str_eq(p->own.v[i].id, id))
			t->vote = p->own.v[i];
	/* What is told to all shows nobody's own. */
	p->own.n = 0;
	return t->vote.option_id.p != NULL || t->vote.answer.p != NULL;
}

static bool
load_vote(struct req *r, const struct event *ev, struct chat_people *people,
	struct event_things *t, bool *found, struct err *e)
{
	struct str id = jscan_text(r->arena, jscan_member(ev->extra, STR("poll")));

	if (!(event_tale(ev->kind)->watchers.parts & PART_VOTE))
		return true;
	*found = false;
	if (!poll_get(r->db, r->arena, r->ctx->app, id, ev->uid, &t->poll, e))
		return e->code == ERR_NOT_FOUND; /* it was deleted meanwhile */
	*found = t->message.key != 0 && find_vote(r, ev, t);
	if (!*found)
		return true;
	poll_wire_note(people, &t->poll);
	poll_wire_note_vote(people, &t->poll, &t->vote);
	return true;
}

/* The poll as it is; of one that is gone its id is all that is known. */
static bool
load_poll(struct req *r, const struct event *ev, struct chat_people *people,
	struct event_things *t, bool *found, struct err *e)
{
	struct str id = jscan_text(r->arena, jscan_member(ev->extra, STR("poll")));

	*found = poll_get(r->db, r->arena, r->ctx->app, id, 0, &t->poll, e);
	if (!*found && e->code != ERR_NOT_FOUND)
		return false;
	if (!*found && ev->kind == EVENT_POLL_DELETED) {
		t->poll = (struct poll){.no = ev->object,
			.id = id,
			.name = STR(""),
			.description = STR(""),
			.voting_visibility = STR("public"),
			.created_at = ev->at,
			.updated_at = ev->at};
		*found = true;
	}
	if (*found)
		poll_wire_note(people, &t->poll);
	return true;
}

bool
event_load(struct req *r, const struct event *ev, struct chat_people *people,
	struct event_things *t, bool *found, struct err *e)
{
	*t = (struct event_things){.watchers = -1};
	if (event_tale(ev->kind)->watchers.parts & PART_POLL)
		return load_poll(r, ev, people, t, found, e);
	if (!load_channel(r, ev, t, found, e))
		return false;
	if (!*found)
		return true;
	if (!load_message(r, ev, t, found, e))
		return false;
	if (*found && !load_vote(r, ev, people, t, found, e))
		return false;
	if (!*found)
		return true;
	if (!load_member(r, ev, t, e))
		return false;
	chat_people_add(people, ev->uid);
	chat_people_add(people, t->state.channel.creator);
	if (event_tale(ev->kind)->absent.parts & PART_MEMBERS)
		for (size_t i = 0; i < MIN_OF(t->state.nmembers, (size_t)EVENT_MEMBERS_MAX);
			i++)
			chat_people_add(people, t->state.members[i].uid);
	if (t->message.key != 0)
		chat_note_message(people, &t->message);
	return arena_check(r->arena, e);
}

/* ---- writing --------------------------------------------------------------------------- */

static void
write_head(struct req *r, const struct event_shape *shape, const struct event *ev,
	const struct event_things *t)
{
	const struct channel *c = &t->state.channel;

	jw_kstr(&r->w, "type", str_of(shape->type));
	req_ktime(r, "created_at", ev->at);
	if (c->no == 0)
		return;
	jw_kstr(&r->w, "cid", c->cid);
	jw_kstr(&r->w, "channel_id", c->id);
	jw_kstr(&r->w, "channel_type", c->type);
	if (c->team.p != NULL)
		jw_kstr(&r->w, "team", c->team);
	jw_ki64(&r->w, "channel_member_count", t->state.member_count);
	if (channel_type_flag(t->state.type, "count_messages"))
		jw_ki64(&r->w, "channel_message_count", t->state.message_count);
}

static void
write_message(struct req *r, const struct event_things *t, const struct chat_people *people)
{
	jw_kstr(&r->w, "message_id", t->message.id);
	jw_name(&r->w, STR("message"));
	chat_write_message(r, &t->message, &t->state, people, false);
	if (t->message.deleted_at != NO_TIME)
		jw_kbool(&r->w, "hard_delete", t->is_hard);
}

static void
write_user(struct req *r, const struct event *ev, const struct event_things *t,
	const struct chat_people *people)
{
	chat_write_user(r, "user",
		t->message.key != 0 && ev->uid == 0 ? t->message.author : ev->uid, people);
}

/* Who has left is still named. */
static void
write_member(struct req *r, const struct event *ev, const struct event_things *t,
	const struct member *member, const struct chat_people *people)
{
	struct member left = {
		.uid = ev->uid,
		.role = STR("channel_member"),
		.created_at = ev->at,
		.updated_at = ev->at,
		.archived_at = NO_TIME,
		.pinned_at = NO_TIME,
		.invited_at = NO_TIME,
		.accepted_at = NO_TIME,
		.rejected_at = NO_TIME,
	};

	jw_name(&r->w, STR("member"));
	chat_write_member(r, member->uid != 0 ? member : &left, &t->state.channel, people);
}

static void
write_channel_full(
	struct req *r, const struct event_things *t, const struct chat_people *people)
{
	struct chat_state few = t->state;

	few.nmembers = MIN_OF(few.nmembers, (size_t)EVENT_MEMBERS_MAX);
	chat_write_channel_full(r, &few, people);
}

static void
write_channel(struct req *r, const struct event_shape *shape, const struct event_things *t,
	const struct chat_people *people)
{
	jw_name(&r->w, STR("channel"));
	if (!(shape->parts & PART_MEMBERS))
		chat_write_channel(r, &t->state, people);
	else if (t->channel_text.p != NULL)
		jw_raw(&r->w, t->channel_text);
	else
		write_channel_full(r, t, people);
}

static void
write_unread(struct req *r, const struct event_things *t)
{
	if (t->message.key != 0)
		jw_kstr(&r->w, "first_unread_message_id", t->message.id);
	if (t->member.uid != 0)
		req_ktime_opt(r, "last_read_at", t->member.last_read);
	if (t->mark_id.p != NULL)
		jw_kstr(&r->w, "last_read_message_id", t->mark_id);
	jw_ki64(&r->w, "unread_messages", t->unread);
}

static void
write_vote(struct req *r, const struct event_things *t, const struct chat_people *people)
{
	jw_kstr(&r->w, "message_id", t->message.id);
	jw_name(&r->w, STR("poll"));
	poll_wire(r, &t->poll, people);
	jw_name(&r->w, STR("poll_vote"));
	poll_wire_vote(r, &t->poll, &t->vote, people);
}

static void
write_counts(struct jw *w, const struct unread *u)
{
	jw_ki64(w, "total_unread_count", u->messages);
	jw_ki64(w, "unread_count", u->messages);
	jw_ki64(w, "unread_channels", (int64_t)u->n);
	jw_ki64(w, "unread_threads", 0);
	jw_ki64(w, "unread_thread_messages", 0);
}

void
event_write_parts(struct req *r, const struct event_shape *shape, const struct event *ev,
	const struct event_things *t, const struct member *member,
	const struct chat_people *people)
{
	write_head(r, shape, ev, t);
	if (shape->parts & PART_MESSAGE)
		write_message(r, t, people);
	if (shape->parts & PART_USER)
		write_user(r, ev, t, people);
	if (shape->parts & PART_MEMBER)
		write_member(r, ev, t, member, people);
	if (shape->parts & PART_CHANNEL && t->state.channel.no != 0)
		write_channel(r, shape, t, people);
	if (shape->parts & PART_MARK && t->message.key != 0)
		jw_kstr(&r->w, "last_read_message_id", t->message.id);
	if (shape->parts & PART_UNREAD)
		write_unread(r, t);
	if (shape->parts & PART_VOTE)
		write_vote(r, t, people);
	if (shape->parts & PART_POLL) {
		jw_name(&r->w, STR("poll"));
		poll_wire(r, &t->poll, people);
	}
	if (shape->parts & PART_CLEARED)
		jw_kbool(&r->w, "clear_history",
			jscan_member(ev->extra, STR("clear_history")).type == JSCAN_TRUE);
	if (t->watchers >= 0)
		jw_ki64(&r->w, "watcher_count", t->watchers);
}

void
event_write(struct req *r, const struct event_shape *shape, const struct event *ev,
	const struct event_things *t, const struct member *member, const struct unread *unread,
	const struct chat_people *people)
{
	jw_obj(&r->w);
	event_write_parts(r, shape, ev, t, member, people);
	if (shape->parts & PART_COUNTS && unread != NULL)
		write_counts(&r->w, unread);
	jw_end_obj(&r->w);
}

static void
begin_text(struct req *r)
{
	buf_init(&r->out, r->arena, 8192);
	jw_init(&r->w, &r->out);
}

struct str
event_text(struct req *r, const struct event_shape *shape, const struct event *ev,
	const struct event_things *t, const struct member *member, const struct unread *unread,
	const struct chat_people *people)
{
	begin_text(r);
	event_write(r, shape, ev, t, member, unread, people);
	return buf_view(&r->out);
}

struct str
event_channel_text(
	struct req *r, const struct event_things *t, const struct chat_people *people)
{
	begin_text(r);
	write_channel_full(r, t, people);
	return buf_view(&r->out);
}

struct str
event_with_counts(struct req *r, struct str text, const struct unread *u)
{
	struct buf b;
	struct jw w;

	buf_init(&b, r->arena, text.n + 160);
	jw_init(&w, &b);
	jw_obj(&w);
	jw_members(&w, text);
	write_counts(&w, u);
	jw_end_obj(&w);
	return buf_view(&b);
}
