/* channel_filter – what filters and sorts say of channels (api.md §6.2).
 *
 * Half of what a channel is does not stand in its row (domain/channel.h), so its filters
 * are not SQL: channel_query.c finds candidates through an index and tests them with this. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "domain/channel.h"
#include "domain/match.h"

struct arena;
struct db;
struct err;

enum channel_which {
	CHANNEL_CID,
	CHANNEL_ID,
	CHANNEL_TYPE,
	CHANNEL_CREATED_BY,
	CHANNEL_TEAM,
	CHANNEL_ROLE,
	CHANNEL_INVITE,
	CHANNEL_CREATED_AT,
	CHANNEL_UPDATED_AT,
	CHANNEL_LAST_MESSAGE_AT,
	CHANNEL_LAST_UPDATED,
	CHANNEL_PINNED_AT,
	CHANNEL_MEMBER_COUNT,
	CHANNEL_MESSAGE_COUNT,
	CHANNEL_UNREAD_COUNT,
	CHANNEL_FROZEN,
	CHANNEL_DISABLED,
	CHANNEL_HIDDEN,
	CHANNEL_ARCHIVED,
	CHANNEL_PINNED,
	CHANNEL_JOINED,
	CHANNEL_DISTINCT,
	CHANNEL_HAS_UNREAD,
	CHANNEL_NEVER,      /* what no channel is: muted, blocked */
	CHANNEL_APP_BANNED, /* "only" or "excluded" members that are banned: there are none */
	CHANNEL_MEMBERS,
	CHANNEL_MEMBER_NAME,
	CHANNEL_TAGS,
	CHANNEL_OTHER /* custom data */
};

extern const struct match_schema channel_schema;

/* A channel with what a test of it may need; what is not asked for need not be there. */
struct channel_look {
	struct db *db;
	struct arena *arena;
	const struct channel *channel; /* complete when the filter needs its origin */
	const struct member *me;       /* of the viewer; uid 0: he is not in it */
	struct str creator_id;         /* p == NULL: nobody */
	int64_t last_message_at;
	int64_t unread;
};

/* A match_leaf_fn over struct channel_look.  Fails: STORE. */
bool
channel_meets(const struct match *leaf, const void *look, bool *out, struct err *e) MUST_USE;
/* True when tests look at what channel_complete() gives. */
bool channel_filter_needs_origin(const struct match *);
bool channel_field_needs_origin(const struct match_field *);

/* The key of a channel at a field of a sort; borrows from the look.  Fails: STORE. */
bool channel_sort_key(const struct channel_look *, const struct match_at *,
	struct match_key *out, struct err *e) MUST_USE;
