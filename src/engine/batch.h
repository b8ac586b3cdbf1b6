/* batch – one batch of recipients: prepared outside any transaction, written in one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "domain/ledger.h"

struct arena;
struct db;
struct err;
struct sending;

/* What was prepared, column by column, ready for the bulk statements.  In the batch's
 * arena. */
struct prepared {
	const struct batch *batch;
	struct sending *sending;
	struct arena *arena;
	int64_t *uids;     /* of all recipients, in order */
	uint8_t *outcomes; /* the same */
	size_t n;
	/* One per message. */
	int64_t *key, *channel, *receiver;
	struct str *text, *extra;
	size_t nmessages;
	/* Derived channels to make. */
	int64_t *new_no;
	struct str *new_custom;
	struct str *new_team; /* NULL: they have none of their own */
	size_t nnew;
	/* Messages into channels that existed, as indexes; for sender_mode and show_channels.
	 */
	int64_t *old_channel, *old_receiver;
	size_t nold;
	/* Channels that must be made one by one, since their id is stored or was looked up. */
	struct slow_channel *slow;
	size_t nslow;
	size_t max_bytes; /* of one rendered message */
	int64_t removals; /* how often channels had been removed when it was begun */
};

struct slow_channel {
	struct str key; /* its id; equal ones of a batch are one channel */
	struct str id;  /* the same, or p == NULL: distinct */
	int64_t receiver;
	struct str custom; /* rendered, or p == NULL */
	struct str team;   /* the same */
	size_t *messages;  /* indexes whose channel it becomes */
	size_t nmessages, cap;
};

/* Loads the recipients of ${b}, decides every outcome and renders.  Fails: STORE; BUG when
 * the row of the batch is corrupt. */
bool batch_prepare(struct db *db, struct arena *a, struct sending *s, const struct batch *b,
	size_t max_bytes, struct prepared *out, struct err *e) MUST_USE;

/* The way out for a batch that cannot be prepared or written: all its recipients fail with
 * internal_error, so that the campaign ends (I-5). */
void
batch_give_up(struct arena *a, struct sending *s, const struct batch *b, struct prepared *out);

/* Writes channels, members, messages, outcomes and counters; inside one db_write.  *lost: the
 * claim or the campaign moved on, nothing may be written.  STALE without *lost: something
 * was made meanwhile that the preparation did not see; prepare again.  Fails: STALE, STORE. */
bool batch_write(struct db *w, struct prepared *p, bool *lost, struct err *e) MUST_USE;
