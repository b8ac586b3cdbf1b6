/* unread – how much members have not read: in channels, and over all channels of a user.
 *
 * Unread are messages by others after those that were there at last_read, not silent, no
 * replies in threads, not deleted; of what was before he joined, or was cut off, nothing
 * (api.md §6.5). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct arena;
struct channel;
struct db;
struct err;
struct member;

#define UNREAD_MAX          1000  /* of a channel: counts stop there */
#define UNREAD_MAX_CHANNELS 1000  /* of a user, besides those derived from him */
#define UNREAD_ALL_CHANNELS 10000 /* for marking all read */

/* From where messages count for the member: later ones than this. */
int64_t unread_since(const struct channel *, const struct member *);
/* What he has not read of it.  Fails: STORE. */
bool unread_count(struct db *, const struct channel *, const struct member *, int64_t *out,
	struct err *e) MUST_USE;
/* Many at once: of channels[i] for uids[i] since[i].  Fails: STORE. */
bool unread_counts(struct db *, const int64_t *channels, const int64_t *uids,
	const int64_t *since, size_t n, int64_t *out, struct err *e) MUST_USE;

struct unread_channel {
	int64_t no;
	int64_t count;
	int64_t last_read; /* when he was last there: joining counts */
	int64_t newest_at; /* of its messages */
};

struct unread {
	int64_t messages;            /* in all channels */
	struct unread_channel *list; /* newest message first; each with a count > 0 */
	size_t n;
};

/* Of many users; out[i] belongs to uids[i].  Channels that campaigns made count for their
 * receivers, for others once they were touched (domain/channel.h).  Fails: STORE, TOO_LARGE. */
bool unread_of_users(struct db *, struct arena *, const int64_t *uids, size_t n,
	struct unread *out, struct err *e) MUST_USE;
/* The numbers of the channels of a user that have messages behind his last_read, whoever
 * wrote them.  Fails: STORE, TOO_LARGE. */
bool unread_channels(struct db *, struct arena *, int64_t uid, int64_t **nos, size_t *n,
	struct err *e) MUST_USE;
