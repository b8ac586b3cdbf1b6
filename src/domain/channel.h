/* channel – channels, explicit and derived, and who is in them.
 *
 * The number of a channel is home << 12 | form (docs/decisions/002-derived-channels.md).
 * What is not stored in the row of a channel follows from its form (id) and from the
 * campaign that made it, its origin (creator, custom, members); struct channel holds what
 * results.  What stands in the origin's channel_template is read by channel_complete(), once
 * for all channels of one campaign: it can be large, and most callers need none of it.
 *
 * Members of a channel = derived ones (only with an origin: the home user of a derived
 * channel, the campaign's sender unless sender_mode is exclude, the members of its
 * channel_template) and rows of the table members.  A row with role NULL belongs to a
 * derived member and only says what he did; when there is a row, hidden_at and archived_at
 * are its alone, else the sender's follow from sender_visibility. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/str.h"
#include "domain/form.h"

struct arena;
struct channel_origin;
struct channel_place;
struct db;
struct err;
struct user;

#define CHANNEL_NO(home, form) (((int64_t)(home) << FORM_BITS) | (int64_t)(form))
#define CHANNEL_HOME(no)       ((int64_t)(no) >> FORM_BITS)
#define CHANNEL_FORM(no)       ((int64_t)(no)&FORM_MAX)

#define CHANNEL_MAX_MEMBERS    100 /* in one call of the API */
#define CHANNEL_CUSTOM_MAX     5120

struct channel {
	int64_t no;
	int64_t origin; /* campaign, or 0 */
	struct str cid, type, id;
	int64_t creator;   /* uid; 0: nobody */
	struct str team;   /* p == NULL: none */
	struct str custom; /* JSON object, or p == NULL; the origin's since it is complete */
	bool frozen, disabled;
	int64_t created_at, updated_at;
	int64_t deleted_at;     /* NO_TIME: alive */
	int64_t truncated_at;   /* messages up to then are cut off; NO_TIME: never */
	struct str filter_tags; /* JSON array, or p == NULL */
	int64_t cooldown;       /* slow mode: seconds between messages of a member; 0: off */
	/* Of the origin; unset when origin is 0. */
	int64_t sender;
	bool sender_is_member;
	struct str sender_visibility;      /* "", "hidden", "archived" */
	const struct channel_origin *from; /* NULL: not complete */
};

/* A member, derived or not. */
struct member {
	int64_t uid;
	bool derived;
	bool has_row;
	struct str role; /* "channel_member", "channel_moderator" or the app's own */
	int64_t created_at;
	int64_t updated_at;
	int64_t last_read;     /* NO_TIME: never; the same below */
	int64_t last_read_key; /* message; 0: none */
	int64_t read_upto;     /* time of the newest message that was there then; 0: none was */
	int64_t hidden_at, cleared_at, archived_at, pinned_at;
	int64_t invited_at, accepted_at, rejected_at;
	int64_t delivered_at, delivered_key; /* as last_read, last_read_key */
	struct str custom;                   /* JSON object, or p == NULL */
};

/* "member" for who was never invited, else "pending", "accepted" or "rejected". */
struct str channel_invite(const struct member *);

/* Messages up to this time are not there: for the member, or for anybody (NULL).  NO_TIME:
 * there are none such. */
static inline int64_t
channel_floor(const struct channel *c, const struct member *m)
{
	return m == NULL ? c->truncated_at : MAX_OF(c->truncated_at, m->cleared_at);
}

/* ---- names ------------------------------------------------------------------------- */

/* The distinct id of any members: sorts and removes duplicates on a copy. */
struct str channel_distinct_id(struct arena *, const int64_t *uids, size_t n);
/* "type:id". */
struct str channel_cid(struct arena *, struct str type, struct str id);
/* The cid of the channel that ${form} gives the user. */
struct str
channel_cid_of(struct arena *, const struct form *, struct str home_user_id, int64_t home_uid);

/* ---- finding ------------------------------------------------------------------------ */

/* Deleted channels are found too: look at deleted_at.  None is complete, so that one costs
 * some hundred bytes besides its own custom data.  Fail: STORE; TOO_LARGE for the arena. */
bool channel_find(struct db *, struct arena *, struct str type, struct str id,
	struct channel *out, bool *found, struct err *e) MUST_USE;
bool channel_find_distinct(struct db *, struct arena *, struct str type, const int64_t *uids,
	size_t n, struct channel *out, bool *found, struct err *e) MUST_USE;
/* Many of ${type} by id, with a few statements: out[i] belongs to ids[i] and has no == 0 where
 * there is none.  places[i] tells where it would be made; it is empty where the id is stored.
 */
bool channel_find_many(struct db *, struct arena *, struct str type, const struct str *ids,
	size_t n, struct channel *out, struct channel_place *places, struct err *e) MUST_USE;
bool channel_by_no(struct db *, struct arena *, int64_t no, struct channel *out, bool *found,
	struct err *e) MUST_USE;
/* Many; those that do not exist drop out.  *out has *n <= ${n} elements, in the order of
 * ${nos}. */
bool channel_by_nos(struct db *, struct arena *, const int64_t *nos, size_t n,
	struct channel **out, size_t *nout, struct err *e) MUST_USE;
/* Fills in what stands in the channel templates: custom and the members that follow. */
bool channel_complete(struct db *, struct arena *, struct channel *channels, size_t n,
	struct err *e) MUST_USE;
/* Fails: NOT_FOUND (there is no such channel type), STORE. */
bool channel_check_type(struct db *, struct str type, struct err *e) MUST_USE;
/* channel_find for the API: type unknown, absent, deleted.  Fails: NOT_FOUND, STORE. */
bool channel_get(struct db *, struct arena *, struct str type, struct str id,
	struct channel *out, struct err *e) MUST_USE;

/* ---- making ------------------------------------------------------------------------- */

struct member_spec {
	int64_t uid;
	struct str role;                /* p == NULL: "channel_member" */
	struct str custom;              /* JSON object, or p == NULL */
	int64_t hidden_at, archived_at; /* NO_TIME: not */
	bool is_invited;                /* and has not answered yet */
};

struct channel_spec {
	struct str type;
	struct str id;   /* p == NULL: the distinct channel of all members */
	int64_t creator; /* uid */
	int64_t created_at;
	struct str team, custom; /* p == NULL: none */
	struct str filter_tags;  /* JSON array, or p == NULL */
	bool frozen, disabled;
	const struct member_spec *members; /* all of them */
	size_t nmembers;
};

/* Makes a channel that channel_find does not find, as the derived row when its id fits a
 * form and the user exists, else with its cid stored (and the form noted as shadowed).
 * Only inside db_write, with db_lock_channels().  Those of campaigns are made by
 * engine/batch_write.c, thousands at a time.  Fails: STORE. */
bool channel_create(struct db *w, struct arena *, const struct channel_spec *, int64_t *no,
	struct err *e) MUST_USE;
#define CHANNEL_MAX_COOLDOWN 120
/* The column extra of a channel with these tags and this slow mode. */
struct str channel_extra(struct arena *, struct str filter_tags, int64_t cooldown);
/* Finds or creates in one transaction; *made tells which.  A deleted channel begins anew:
 * empty, as ${spec} says.  Fails: STORE. */
bool channel_get_or_create(struct db *, struct arena *, const struct channel_spec *,
	struct channel *out, bool *made, struct err *e) MUST_USE;

/* How often channels were removed, rows and all.  While it stays the same, those that were
 * found are still there.  Fails: STORE. */
bool channel_removals(struct db *, int64_t *out, struct err *e) MUST_USE;

/* ---- members ------------------------------------------------------------------------ */

/* Those who are in the channel: derived ones first, then by uid; at most ${max} (0: all).
 * *total: how many there are.  Fails: STORE. */
bool channel_members(struct db *, struct arena *, const struct channel *, size_t max,
	struct member **out, size_t *n, int64_t *total, struct err *e) MUST_USE;
/* How many there are. */
bool channel_member_count(struct db *, struct arena *, const struct channel *, int64_t *out,
	struct err *e) MUST_USE;
/* One; *found false when he is not in it. */
bool channel_member(struct db *, struct arena *, const struct channel *, int64_t uid,
	struct member *out, bool *found, struct err *e) MUST_USE;
/* Many of one channel: out[i] belongs to uids[i], uid 0 where he is no member. */
bool channel_members_of(struct db *, struct arena *, const struct channel *,
	const int64_t *uids, size_t n, struct member *out, struct err *e) MUST_USE;
/* Many users, each in a channel of his own: out[i] is uids[i] in channels[i], uid 0 where he is
 * no member.  The channels must be complete.  Fails: STORE, TOO_LARGE. */
bool channel_members_paired(struct db *, struct arena *, const struct channel *channels,
	const int64_t *uids, size_t n, struct member *out, struct err *e) MUST_USE;
/* Who is in many channels, which must be complete: in the order of the channels, then of the
 * uids; of each channel the first ${max} (CHANNEL_PAIRS_MAX at most: it bounds the memory) from
 * the uid ${from} on.  Fails: STORE, TOO_LARGE. */
struct channel_pair {
	size_t channel; /* its index */
	int64_t uid;
};
/* By channel, then by uid; for qsort. */
int channel_pair_cmp(const void *a, const void *b);
#define CHANNEL_PAIRS_MAX 10000
bool channel_pairs(struct db *, struct arena *, const struct channel *channels, size_t n,
	int64_t from, size_t max, struct channel_pair **out, size_t *nout,
	struct err *e) MUST_USE;
/* How many there are in each; the channels must be complete.  Fails: STORE. */
bool channel_member_counts(struct db *, struct arena *, const struct channel *channels,
	size_t n, int64_t *out, struct err *e) MUST_USE;
/* The same where channel_pairs() has found these, ${max} at most from 0 on: only for channels
 * of which it found so many is anything read.  Fails: STORE. */
bool channel_count_pairs(struct db *, struct arena *, const struct channel *channels, size_t n,
	const struct channel_pair *pairs, size_t npairs, size_t max, int64_t *out,
	struct err *e) MUST_USE;
/* One user in many channels: out[i].uid is 0 where he is no member. */
bool channel_member_in_many(struct db *, struct arena *, const struct channel *channels,
	size_t n, int64_t uid, struct member *out, struct err *e) MUST_USE;

/* out[i]: exactly two are in channels[i], and the user is one of them.  The channels must be
 * complete.  Fails: STORE. */
bool channel_are_pairs(struct db *, struct arena *, const struct channel *channels, size_t n,
	int64_t uid, bool *out, struct err *e) MUST_USE;

/* Writes members anew, whatever their rows said: ${at} is when they come, messages up to
 * ${cleared_at} (NO_TIME: none) are hidden from them.  Only inside db_write. */
bool channel_join(struct db *w, struct arena *, int64_t no, const struct member_spec *,
	size_t n, int64_t at, int64_t cleared_at, struct err *e) MUST_USE;
/* Un-hides the channel for everyone who has it hidden, but ${except_uid} (0: nobody).  Only
 * inside db_write. */
bool channel_show(struct db *w, struct arena *, const struct channel *, int64_t except_uid,
	int64_t now, struct err *e) MUST_USE;
/* Rows for derived members, which only keep what they do.  Only inside db_write.
 * keep_members: all but the home user, when the channel comes to life, so that they find it
 * among their rows; keep_member: one who has none yet. */
bool channel_keep_members(
	struct db *w, struct arena *, const struct channel *, struct err *e) MUST_USE;
bool channel_keep_member(struct db *w, struct arena *, const struct channel *,
	const struct member *, struct err *e) MUST_USE;
/* The same for several, of which some may have rows, or uid 0. */
bool channel_keep_these(struct db *w, struct arena *, const struct channel *,
	const struct member *, size_t n, struct err *e) MUST_USE;

/* ---- queries (api.md §6.2) ----------------------------------------------------------- */

#define CHANNEL_MAX_CANDIDATES    10000 /* channels looked at by one query */
#define CHANNEL_MAX_MESSAGE_COUNT 10000 /* counts of messages stop there */

struct channel_query {
	const json_t *filter; /* NULL = all */
	const json_t *sort;   /* NULL = last_updated, newest first */
	int64_t limit, offset;
	int64_t viewer;    /* uid for hidden, archived, joined …; 0: nobody */
	bool members_only; /* only channels the viewer is in (user tokens) */
	bool without_team; /* only channels of no team */
};

struct channel_hit {
	struct channel channel;  /* complete */
	int64_t last_message_at; /* NO_TIME: no message */
};

/* Fails: INPUT, STORE, TOO_LARGE. */
bool channel_query(struct db *, struct arena *, const struct channel_query *,
	struct channel_hit **out, size_t *n, struct err *e) MUST_USE;

/* The time of its newest message; NO_TIME: none. */
bool channel_last_message_at(
	struct db *, const struct channel *, int64_t *out, struct err *e) MUST_USE;
/* How many messages it has, at most CHANNEL_MAX_MESSAGE_COUNT. */
bool channel_message_count(
	struct db *, const struct channel *, int64_t *out, struct err *e) MUST_USE;
/* Of many, whatever was cut off: out[i] belongs to nos[i]. */
bool channel_last_messages(
	struct db *, const int64_t *nos, size_t n, int64_t *out, struct err *e) MUST_USE;
