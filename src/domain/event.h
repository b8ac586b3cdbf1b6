/* event – what is to be told of what happened: the outbox that clients' sockets, and whatever
 * else has to hear of it, read from positions of their own.
 *
 * A row is written by the transaction that it tells of, as its last statement: the counter
 * that positions come from is locked from there to the commit, so that they become visible in
 * their order and no reader skips one (docs/decisions/012-events.md).
 *
 * A row names things by their numbers and holds nothing of what they say; who tells it reads
 * them.  A campaign is one row for each batch, whatever the number of its recipients: the batch
 * is the outbox of its messages (I-10). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct db;
struct err;

/* Numbers are stored: none is ever given another meaning. */
enum event_kind {
	EVENT_BATCH = 1, /* a batch with messages was committed; object: its first key */
	/* object: the message, uid: its author. */
	EVENT_MESSAGE_NEW = 2,
	EVENT_MESSAGE_UPDATED = 3,
	EVENT_MESSAGE_DELETED = 4, /* extra: {"id":…,"hard":true} when it is forgotten */
	/* uid: who reads. */
	EVENT_READ = 5,   /* object: up to which message; 0: none was there */
	EVENT_UNREAD = 6, /* object: from which message on; 0: it is not known */
	/* uid: who did it; 0: nobody knows. */
	EVENT_CHANNEL_CREATED = 7,
	EVENT_CHANNEL_UPDATED = 8,
	EVENT_CHANNEL_DELETED = 9,
	EVENT_CHANNEL_TRUNCATED = 10,
	/* uid: for whom. */
	EVENT_CHANNEL_HIDDEN = 11, /* extra: {"clear_history":true} or nothing */
	EVENT_CHANNEL_VISIBLE = 12,
	/* uid: the member. */
	EVENT_MEMBER_ADDED = 13,
	EVENT_MEMBER_UPDATED = 14,
	EVENT_MEMBER_REMOVED = 15,
	/* uid: who.  extra: {"became":"deleted","user":…,"messages":…,"conversations":…} with
	 * "soft", "hard" or "pruning" as far as they are; {"became":"deactivated"},
	 * {"became":"reactivated"}. */
	EVENT_USER_UPDATED = 16,
	/* object: the message that carries the poll, uid: who votes, extra: {"poll","vote"},
	 * ids, and of a vote that is gone what it was: {"option"} or {"answer"}. */
	EVENT_VOTE_CAST = 17,
	EVENT_VOTE_CHANGED = 18,
	EVENT_VOTE_REMOVED = 19,
	/* object: the campaign's number. */
	EVENT_CAMPAIGN_STARTED = 20,
	EVENT_CAMPAIGN_COMPLETED = 21, /* behind its last batch */
	EVENT_CAMPAIGN_STOPPED = 22,
	EVENT_TOKENS_REVOKED = 30, /* object: those of all users that were made before then */
	/* object: number of the poll, uid: who did it, 0: the server, extra: {"poll"}, its id.
	 */
	EVENT_POLL_UPDATED = 31,
	EVENT_POLL_CLOSED = 32,
	EVENT_POLL_DELETED = 33,
};

struct event {
	int64_t pos; /* set by event_add() */
	enum event_kind kind;
	int64_t at;
	int64_t channel; /* number; 0: none */
	int64_t uid, object;
	/* JSON object, or p == NULL.  Of any kind: "request", who asked for it (api/cause.h).
	 */
	struct str extra;
};

/* Only inside db_write or db_write_beside, as the last statement that may wait for others.
 * What the transaction is done for (db_cause), a JSON object, becomes part of ${extra}.  Fails:
 * STORE. */
bool event_add(struct db *w, struct event *, size_t n, struct err *e) MUST_USE;

/* The last position that was committed; 0: none.  Fails: STORE. */
bool event_last(struct db *, int64_t *pos, struct err *e) MUST_USE;
/* Up to ${max} events behind a position, in order.  Fails: STORE. */
bool event_after(struct db *, struct arena *, int64_t pos, size_t max, struct event **out,
	size_t *n, struct err *e) MUST_USE;
/* What happened in channels after a time, in order.  More than ${max}: *n is ${max} + 1 and
 * nothing is said.  Fails: STORE. */
bool event_of_channels(struct db *, struct arena *, const int64_t *nos, size_t nnos,
	int64_t after, size_t max, struct event **out, size_t *n, struct err *e) MUST_USE;

/* For so long, and so many of them, events are kept for who was away; more than so many for a
 * route that has not read them (domain/route.h).  What is removed unread is counted there. */
#define EVENT_KEEP_DAYS 30
#define EVENT_KEEP_MAX  1000000

/* Removes some of those that are not kept any longer; *more: there may be others.  Fails:
 * STORE, UNCERTAIN. */
bool event_trim(struct db *, int64_t now, bool *more, struct err *e) MUST_USE;
