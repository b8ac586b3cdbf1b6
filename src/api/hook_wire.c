/* hook_wire – the envelopes of webhooks. */
#include "api/hook_wire.h"

#include <string.h>

#include "api/campaign_wire.h"
#include "api/event_wire.h"
#include "api/req.h"
#include "api/wire.h"
#include "base/jscan.h"
#include "domain/campaign.h"
#include "net/hub.h"

/* Listed users of a campaign that are shown, as in answers. */
#define CAMPAIGN_USERS 10

/* The user is written by hook_write(): with what he has not read. */
static const struct event_shape shapes[] = {
	[EVENT_MESSAGE_NEW] = {"message.new", PART_MESSAGE},
	[EVENT_MESSAGE_UPDATED] = {"message.updated", PART_MESSAGE},
	[EVENT_MESSAGE_DELETED] = {"message.deleted", PART_MESSAGE},
	[EVENT_READ] = {"message.read", PART_MARK},
	[EVENT_UNREAD] = {"notification.mark_unread", PART_CHANNEL | PART_UNREAD},
	[EVENT_CHANNEL_CREATED] = {"channel.created", 0}, /* the channel with its members */
	[EVENT_CHANNEL_UPDATED] = {"channel.updated", PART_CHANNEL},
	[EVENT_CHANNEL_DELETED] = {"channel.deleted", PART_CHANNEL},
	[EVENT_CHANNEL_TRUNCATED] = {"channel.truncated", PART_CHANNEL},
	[EVENT_CHANNEL_HIDDEN] = {"channel.hidden", PART_CHANNEL | PART_CLEARED},
	[EVENT_CHANNEL_VISIBLE] = {"channel.visible", PART_CHANNEL},
	[EVENT_MEMBER_ADDED] = {"member.added", PART_CHANNEL | PART_MEMBER},
	[EVENT_MEMBER_UPDATED] = {"member.updated", PART_CHANNEL | PART_MEMBER},
	[EVENT_MEMBER_REMOVED] = {"member.removed", PART_CHANNEL | PART_MEMBER},
	[EVENT_USER_UPDATED] = {"user.updated", 0},
	[EVENT_VOTE_CAST] = {"poll.vote_casted", PART_VOTE},
	[EVENT_VOTE_CHANGED] = {"poll.vote_changed", PART_VOTE},
	[EVENT_VOTE_REMOVED] = {"poll.vote_removed", PART_VOTE},
	[EVENT_POLL_UPDATED] = {"poll.updated", PART_POLL},
	[EVENT_POLL_CLOSED] = {"poll.closed", PART_POLL},
	[EVENT_POLL_DELETED] = {"poll.deleted", PART_POLL},
	[EVENT_CAMPAIGN_STARTED] = {"campaign.started", 0},
	[EVENT_CAMPAIGN_COMPLETED] = {"campaign.completed", 0},
	[EVENT_CAMPAIGN_STOPPED] = {"campaign.stopped", 0},
};

/* Of a user who did not only change. */
static const char *const states[] = {"user.deleted", "user.deactivated", "user.reactivated"};

/* A newer program may have written kinds that this one has never heard of. */
const char *
hook_type(const struct event *ev)
{
	struct jscan_value became;

	if (ev->kind < 0 || ev->kind >= ARRAY_LEN(shapes))
		return NULL;
	became = jscan_member(ev->extra, STR("became"));
	for (size_t i = 0; i < ARRAY_LEN(states) && became.raw.n > 2; i++)
		if (str_eq(str_sub(became.raw, 1, became.raw.n - 2),
			    str_of(states[i] + strlen("user."))))
			return states[i];
	return shapes[ev->kind].type;
}

/* ---- parts ----------------------------------------------------------------------------- */

/* Who asked; what nobody asked for by a request, the server did by itself. */
static void
write_request(struct req *r, const struct event *ev)
{
	struct str told = jscan_member(ev->extra, STR("request")).raw;

	jw_kraw(&r->w, "request_info", told.p != NULL ? told : STR("{\"type\":\"server\"}"));
}

static void
write_members(struct req *r, const struct chat_state *s, const struct chat_people *people)
{
	jw_karr(&r->w, "members");
	for (size_t i = 0; i < s->nmembers; i++)
		chat_write_member(r, &s->members[i], &s->channel, people);
	jw_end_arr(&r->w);
}

/* Typed parsers of the second dialect ask for it. */
static void
write_no_custom(struct req *r)
{
	jw_kobj(&r->w, "custom");
	jw_end_obj(&r->w);
}

/* A word of the event's; "" when it says nothing. */
static struct str
word_of(struct req *r, const struct event *ev, struct str key)
{
	struct str word = jscan_text(r->arena, jscan_member(ev->extra, key));

	return word.p != NULL ? word : STR("");
}

/* How much of a deleted user went. */
static void
write_deletion(struct req *r, const struct event *ev)
{
	struct str user = word_of(r, ev, STR("user"));
	struct str messages = word_of(r, ev, STR("messages"));
	struct str conversations = word_of(r, ev, STR("conversations"));

	jw_kstr(&r->w, "delete_user", user);
	jw_kstr(&r->w, "delete_messages", messages);
	jw_kstr(&r->w, "delete_conversation", conversations);
	jw_kbool(&r->w, "hard_delete", str_is(user, "hard"));
	jw_kbool(&r->w, "mark_messages_deleted", messages.n > 0);
	jw_kbool(&r->w, "delete_conversation_channels", conversations.n > 0);
}

static void
write_counts(struct req *r, const struct unread *u)
{
	if (u == NULL)
		return;
	wire_unread(r, u);
	jw_ki64(&r->w, "unread_threads", 0);
	jw_ki64(&r->w, "unread_thread_messages", 0);
}

/* ---- envelopes ------------------------------------------------------------------------- */

void
hook_write(struct req *r, const struct event *ev, const struct event_things *t,
	const struct member *of, const struct chat_people *people)
{
	struct event_shape shape = shapes[ev->kind];
	int64_t uid = ev->uid;

	if (uid == 0 && t->message.key != 0)
		uid = t->message.author;
	shape.type = hook_type(ev);
	jw_obj(&r->w);
	event_write_parts(r, &shape, ev, t, &t->member, people);
	chat_write_counted(r, "user", uid, ev->channel, of, people);
	if (shape.type == states[0])
		write_deletion(r, ev);
	if (ev->kind == EVENT_UNREAD)
		write_counts(r, chat_people_unread(people, uid));
	if (ev->kind == EVENT_MESSAGE_NEW)
		jw_ki64(&r->w, "watcher_count",
			r->ctx->hub ? hub_watcher_count(r->ctx->hub, ev->channel) : 0);
	if (ev->kind == EVENT_CHANNEL_CREATED) {
		jw_name(&r->w, STR("channel"));
		chat_write_channel_full(r, &t->state, people);
	}
	write_members(r, &t->state, people);
	if (r->dialect == DIALECT_V2)
		write_no_custom(r);
	write_request(r, ev);
	jw_end_obj(&r->w);
}

/* As it was when it began, whatever has become of it since. */
static void
set_back(struct campaign *c, int64_t at)
{
	c->status = STR("in_progress");
	c->stop_reason = STR_NONE;
	c->updated_at = at;
	c->completed_at = NO_TIME;
	c->audience = c->pending = 0;
	c->channels_created = c->users_read = c->users_sent = 0;
	c->tallies = (struct campaign_tallies){0};
}

bool
hook_write_campaign(struct req *r, const struct event *ev, bool *found, struct err *e)
{
	struct campaign_company *company;
	struct campaign_page page;
	struct campaign c;

	*found = campaign_by_no(r->db, r->arena, ev->object, &c, e);
	if (!*found)
		return e->code == ERR_NOT_FOUND;
	if (!campaign_users_of_many(r->db, r->arena, &c, 1, CAMPAIGN_USERS, &page, e) ||
		!campaign_wire_load(r, &c, 1, &company, e))
		return false;
	if (ev->kind == EVENT_CAMPAIGN_STARTED)
		set_back(&c, ev->at);
	jw_obj(&r->w);
	jw_kstr(&r->w, "type", str_of(hook_type(ev)));
	req_ktime(r, "created_at", ev->at);
	jw_kobj(&r->w, "campaign");
	campaign_wire(r, &c, &page, company);
	jw_end_obj(&r->w);
	write_no_custom(r);
	write_request(r, ev);
	jw_end_obj(&r->w);
	return arena_check(r->arena, e);
}
