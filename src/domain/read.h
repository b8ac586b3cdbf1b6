/* read – what members have read: marks, and the campaigns' users_read.
 *
 * batches.reads has one bit per recipient of the batch, bit i in byte i / 8 at 1 << i % 8,
 * NULL before the first; campaigns.users_read counts them (I-7).  A bit is never taken back:
 * who marks a message unread has read it nevertheless (api.md §3.5, each user counts once). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct app;
struct arena;
struct channel;
struct db;
struct err;
struct member;

#define READ_MAX_CHANNELS 30 /* named in one call */

struct read_state {
	int64_t uid;
	int64_t last_read;               /* when he was last there: joining counts */
	struct str last_message_id;      /* p == NULL: never marked */
	int64_t unread;                  /* see domain/unread.h */
	int64_t delivered_at;            /* NO_TIME: never told */
	struct str delivered_message_id; /* p == NULL: never told */
};

/* Marks the channel read by ${uid} up to ${message_id} (p == NULL: all of it), never back.
 * Campaign messages to him that become read are counted once each.  Fails: INPUT (no
 * member), NOT_FOUND (message), STORE. */
bool read_mark(struct db *, struct arena *, const struct app *, const struct channel *,
	int64_t uid, struct str message_id, struct read_state *out, struct err *e) MUST_USE;
/* Several channels in one transaction; message_ids[i] belongs to channels[i]. */
bool
read_mark_many(struct db *, struct arena *, const struct app *, const struct channel *channels,
	const struct str *message_ids, size_t n, int64_t uid, struct err *e) MUST_USE;
/* All channels of the user (domain/unread.h), some at a time.  Fails: STORE, TOO_LARGE. */
bool read_mark_all(
	struct db *, struct arena *, const struct app *, int64_t uid, struct err *e) MUST_USE;

/* Takes the mark back to right before a message, or before ${at} (message_id.p == NULL);
 * never forward.  Fails: INPUT (no member), NOT_FOUND (message), STORE. */
bool read_unmark(struct db *, struct arena *, const struct app *, const struct channel *,
	int64_t uid, struct str message_id, int64_t at, struct err *e) MUST_USE;

/* Notes the newest messages that reached a device of the user: keys[i] in channels[i].
 * Channels that he is not in drop out.  Fails: STORE. */
bool read_deliver(struct db *, struct arena *, const struct channel *channels,
	const int64_t *keys, size_t n, int64_t uid, struct err *e) MUST_USE;

/* States of ${members} of one channel; out[i] belongs to members[i].  Fails: STORE. */
bool read_states(struct db *, struct arena *, const struct app *, const struct channel *,
	const struct member *members, size_t n, struct read_state **out,
	struct err *e) MUST_USE;
