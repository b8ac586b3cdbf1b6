/* read – what members have read: marks, unread counts, and the campaigns' users_read.
 *
 * batches.reads has one bit per recipient of the batch, bit i in byte i / 8 at 1 << i % 8,
 * NULL before the first; campaigns.users_read counts them (I-7). */
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

#define READ_MAX_UNREAD 1000 /* counts stop there */

struct read_state {
	int64_t uid;
	int64_t last_read;          /* when he was last there: joining counts */
	struct str last_message_id; /* p == NULL: never marked */
	int64_t unread;
};

/* Marks the channel read by ${uid} up to ${message_id} (p == NULL: all of it), never back.
 * Campaign messages to him that become read are counted once each.  Fails: INPUT (no
 * member), NOT_FOUND (message), STORE. */
bool read_mark(struct db *, struct arena *, const struct app *, const struct channel *,
	int64_t uid, struct str message_id, struct read_state *out, struct err *e) MUST_USE;

/* States of ${members} of one channel; out[i] belongs to members[i].  Fails: STORE. */
bool read_states(struct db *, struct arena *, const struct app *, const struct channel *,
	const struct member *members, size_t n, struct read_state **out,
	struct err *e) MUST_USE;

/* Messages by others after what ${m} has read, not silent, no replies in threads. */
bool read_unread(struct db *, struct arena *, const struct channel *, const struct member *m,
	int64_t *out, struct err *e) MUST_USE;
