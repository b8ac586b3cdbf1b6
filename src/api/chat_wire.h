/* chat_wire – channels, members, messages and read states as clients read them (api.md §6.3,
 * §6.4), and the loading that goes before.
 *
 * Two steps, so that nothing fails between the braces: load states, people last; then write. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "domain/channel.h"
#include "domain/message.h"
#include "domain/poll.h"
#include "domain/read.h"

struct channel_type;
struct err;
struct req;
struct user;

/* ---- users and polls named by what is written ------------------------------------------ */

struct chat_people {
	struct buf wanted; /* uids */
	int64_t *uids;     /* sorted; with users[i] since chat_people_load() */
	struct user *users;
	size_t n;
	struct unread *unread;   /* beside users, once they were counted; else NULL */
	struct buf wanted_polls; /* ids, as struct str */
	struct poll *polls;      /* sorted by id since chat_people_load() */
	size_t npolls;
	int64_t viewer;    /* whose own votes are shown; 0: nobody's */
	struct str *texts; /* of users, once they were written; NULL: they are not kept */
};

void chat_people_init(struct chat_people *, struct req *r);
void chat_people_add(struct chat_people *, int64_t uid);
/* All polls in the same few statements, then the users, those named by the polls among them.
 * Fails: STORE, TOO_LARGE. */
bool chat_people_load(struct chat_people *, struct req *r, struct err *e) MUST_USE;
/* Counts what each of them has not read; members are written with it from here on.  Fails:
 * STORE, TOO_LARGE. */
bool chat_people_count(struct chat_people *, struct req *r, struct err *e) MUST_USE;
/* For who writes the same few again and again: they are kept as texts from here on. */
void chat_people_keep(struct chat_people *, struct req *r);
/* NULL when there is no such poll. */
const struct poll *chat_people_poll(const struct chat_people *, struct str id);
/* NULL when there is no such user. */
const struct user *chat_people_find(const struct chat_people *, int64_t uid);
/* NULL when he was not counted. */
const struct unread *chat_people_unread(const struct chat_people *, int64_t uid);

/* ---- the state of a channel ------------------------------------------------------------- */

struct chat_limits {
	struct message_page messages;
	size_t members, members_offset;
};

struct chat_state {
	struct channel channel;
	const struct channel_type *type;
	int64_t last_message_at;
	struct member *members;
	size_t nmembers;
	int64_t member_count;
	int64_t message_count; /* only when its type counts them */
	struct message *messages;
	size_t nmessages;
	struct read_state *reads; /* of the members, and of me when I am not among them */
	size_t nreads;
	struct member me; /* uid 0: the viewer is no member, or nobody */
	bool is_shared;   /* written for many viewers: what differs between them is left out */
};

/* Loads what a client sees of a channel and notes the people in it.  ${viewer}: uid or 0.
 * Fails: STORE, TOO_LARGE. */
bool chat_load(struct req *r, const struct channel *, const struct chat_limits *,
	int64_t viewer, struct chat_people *, struct chat_state *out, struct err *e) MUST_USE;
void chat_note_message(struct chat_people *, const struct message *);
/* The channel type of this name, NULL when there is none.  Fails: STORE. */
bool chat_type(struct req *r, struct str name, const struct channel_type **out,
	struct err *e) MUST_USE;
/* Reads all of them anew, to ${memory}.  Fails: STORE. */
bool chat_types(struct req *r, struct arena *memory, struct err *e) MUST_USE;
/* channel_complete(), from what is kept (r->origins) where something is. */
bool chat_complete(struct req *r, struct channel *channels, size_t n, struct err *e) MUST_USE;
/* For who writes many channels: what each type's channels say of it is written once. */
void chat_keep_configs(struct req *r, struct arena *memory);

/* Members of the object that is open: channel, members, messages, read … */
void chat_write_state(struct req *r, const struct chat_state *, const struct chat_people *);
/* The same: the fields of a channel type, or only those that stand in channel.config. */
void chat_write_type(struct req *r, const struct channel_type *, bool is_config);

/* Key and user, left out when there is none; if people were counted, with what he has not read
 * of all, and as ${m} (NULL: he is no member) of the channel. */
void chat_write_counted(struct req *r, const char *key, int64_t uid, int64_t channel,
	const struct member *m, const struct chat_people *);

/* Key and user; nothing when there is no such user. */
void chat_write_user(struct req *r, const char *key, int64_t uid, const struct chat_people *);

/* Each writes one complete object. */
void chat_write_channel(struct req *r, const struct chat_state *, const struct chat_people *);
/* The same with "members". */
void
chat_write_channel_full(struct req *r, const struct chat_state *, const struct chat_people *);
void chat_write_member(struct req *r, const struct member *, const struct channel *,
	const struct chat_people *);
void chat_write_message(struct req *r, const struct message *, const struct chat_state *,
	const struct chat_people *, bool with_channel);
/* Custom data as members of the open object: nested (v2), or flat (v1), where it gives way to
 * the object's own fields, ${names}. */
void chat_write_custom(struct req *r, struct str custom, const char *const *names, size_t n);
