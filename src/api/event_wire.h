/* event_wire – events as clients read them (api.md §7.6, §7.7): which of them a row of the
 * outbox is told as, to whom, and what stands in them.
 *
 * Three steps, as with channels (api/chat_wire.h): load what an event is about, then the
 * people, then write. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/chat_wire.h"
#include "base/macros.h"
#include "base/str.h"
#include "domain/event.h"

struct err;
struct req;
struct unread;

/* What stands in an event besides its head; bits. */
enum event_part {
	PART_CHANNEL = 1,
	PART_MESSAGE = 2, /* message, message_id */
	PART_USER = 4,
	PART_MEMBER = 8,
	PART_COUNTS = 16,   /* what its reader has not read, when that is known */
	PART_MARK = 32,     /* last_read_message_id */
	PART_UNREAD = 64,   /* what is unread from where on */
	PART_CLEARED = 128, /* clear_history */
	PART_VOTE = 256,    /* poll, poll_vote, message_id */
	PART_POLL = 512,
	PART_MEMBERS = 1024, /* channel.members, the first EVENT_MEMBERS_MAX of them */
};

#define EVENT_MEMBERS_MAX 30

struct event_shape {
	const char *type; /* NULL: it is not told to them */
	unsigned parts;
};

/* How a kind of event is told. */
struct event_tale {
	struct event_shape watchers; /* to the connections that watch it (event_room()) */
	struct event_shape absent;   /* to those of members that do not watch it */
	struct event_shape user;     /* to all connections of its user */
	bool absent_is_user;         /* of the members only to the event's user */
};
const struct event_tale *event_tale(enum event_kind);
/* What is watched by those who are told of it as watchers: its channel, its poll, or its user.
 */
int64_t event_room(const struct event *);

/* What an event is about. */
struct event_things {
	struct chat_state state; /* with all members, without messages; unset: no channel */
	struct message message;  /* key 0: none */
	struct member member;    /* of the event's user; uid 0: he is none */
	struct str mark_id;      /* of the message before what is unread; p == NULL: none */
	int64_t unread;          /* messages in the channel */
	bool is_hard;            /* the message is forgotten */
	int64_t watchers;        /* −1: not to be told */
	struct poll poll;        /* no 0: none */
	struct poll_vote vote;
	/* The channel with members as it was written for another event of the same moment; p ==
	 * NULL: it was not. */
	struct str channel_text;
};

/* Loads and notes the people.  *found false: it is gone, and there is nothing to tell any more.
 * Fails: STORE, TOO_LARGE. */
bool event_load(struct req *r, const struct event *, struct chat_people *,
	struct event_things *out, bool *found, struct err *e) MUST_USE;

/* For who loads many by himself: what the message that was read (key 0: it is gone) means to
 * the event.  False: there is nothing to tell any more. */
bool event_settle(struct req *r, const struct event *, struct event_things *);

/* One complete object where a value is due.  ${member}: for PART_MEMBER; ${unread}: for
 * PART_COUNTS, NULL: not known. */
void event_write(struct req *r, const struct event_shape *, const struct event *,
	const struct event_things *, const struct member *, const struct unread *,
	const struct chat_people *);
/* The same without counts, as members of an object that is open. */
void event_write_parts(struct req *r, const struct event_shape *, const struct event *,
	const struct event_things *, const struct member *, const struct chat_people *);
/* An event as a text of its own. */
struct str event_text(struct req *r, const struct event_shape *, const struct event *,
	const struct event_things *, const struct member *, const struct unread *,
	const struct chat_people *);
/* The channel with members, for several events. */
struct str
event_channel_text(struct req *r, const struct event_things *, const struct chat_people *);
/* The text of an event with what its reader has not read. */
struct str event_with_counts(struct req *r, struct str text, const struct unread *);
