/* batch – one batch of recipients: prepared outside any transaction, written in one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "domain/ledger.h"

struct arena;
struct channel_homes;
struct channel_place;
struct db;
struct err;
struct sending;

/* Channels to make, column by column. */
struct new_channels {
	size_t n;
	int64_t *no;
	size_t *maker;      /* the message for which it is made */
	int64_t *receiver;  /* of that message */
	struct str *custom; /* JSON object, or p == NULL */
	struct str *team;   /* or p == NULL */
	struct str *cid;    /* of stored ones */
};

/* Ids that lead to no channel, and where each would be made. */
struct absent {
	size_t n;
	struct str *ids;
	struct channel_place *places;
};

/* What was prepared, column by column, ready for the bulk statements.  In the batch's
 * arena. */
struct prepared {
	const struct batch *batch;
	struct sending *sending;
	struct arena *arena;
	int64_t *uids;     /* of all recipients, in order; or numbers of channels */
	uint8_t *outcomes; /* the same */
	size_t n;
	/* One per message. */
	int64_t *key, *channel, *receiver;
	struct str *text, *extra;
	size_t nmessages;
	/* Messages into channels that existed; for sender_mode and show_channels. */
	int64_t *old_channel, *old_receiver;
	size_t nold;
	/* Channels to make: on the number of their receiver, so that all follows from the
	 * campaign; with their id stored; on the number of somebody else, where nothing may
	 * follow. */
	struct new_channels own, stored, foreign;
	int64_t *shadows; /* forms that ids of ${stored} fit */
	size_t nshadows;
	/* What was looked for by id and is to be stored, or to be derived. */
	struct absent to_store, to_derive;
	bool has_own_teams; /* each channel of ${own} has its own, else they have none */
	size_t max_bytes;   /* of one rendered message */
	int64_t removals;   /* how often channels had been removed when it was begun */
	/* Of channels: who is in those that get a message, sorted. */
	int64_t *reached;
	size_t nreached;
};

/* Loads the recipients of ${b}, decides every outcome and renders.  Fails: STORE, UNCERTAIN;
 * BUG when the row of the batch is corrupt. */
bool batch_prepare(struct db *db, struct arena *a, struct sending *s, const struct batch *b,
	size_t max_bytes, struct channel_homes *, struct prepared *out, struct err *e) MUST_USE;

/* The way out for a batch that cannot be prepared or written: all its recipients fail with
 * internal_error, so that the campaign ends (I-5). */
void
batch_give_up(struct arena *a, struct sending *s, const struct batch *b, struct prepared *out);

/* Writes channels, members, messages, outcomes and counters; inside one db_write.  *lost: the
 * claim or the campaign moved on, nothing may be written.  STALE without *lost: something
 * was made meanwhile that the preparation did not see; prepare again.  Fails: STALE, STORE. */
bool batch_write(struct db *w, struct prepared *p, bool *lost, struct err *e) MUST_USE;

/* The same two for a campaign to channels (engine/channel_batch.c). */
bool channel_batch_prepare(struct db *db, struct arena *a, struct sending *s,
	const struct batch *b, size_t max_bytes, struct prepared *out, struct err *e) MUST_USE;
bool channel_batch_write(struct db *w, struct prepared *p, bool *lost, struct err *e) MUST_USE;
