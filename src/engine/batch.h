/* batch – one batch of recipients: prepared outside any transaction, written in one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macros.h"
#include "domain/ledger.h"

struct arena;
struct channel_homes;
struct channel_place;
struct db;
struct sending;

/* Memory of one preparation; what needs more is prepared in pieces. */
#define BATCH_BYTES ((size_t)32 << 20)

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
	struct buf *out;    /* rendered text of all recipients; its bytes go with the arena */
	size_t used_before; /* of the arena, by others */
	/* Of channels: who is in those that get a message, sorted. */
	int64_t *reached;
	size_t nreached;
};

/* How many channels it makes. */
static inline int64_t
prepared_channels(const struct prepared *p)
{
	return (int64_t)(p->own.n + p->stored.n + p->foreign.n);
}

/* Makes p->out with room for ${cap} bytes.  On the heap, where growing needs no second copy. */
void prepared_out_init(struct prepared *p, size_t cap);
/* Fails with UNFIT once more than one recipient needs more than BATCH_BYTES. */
bool prepared_has_room(const struct prepared *p, struct err *e) MUST_USE;

/* Loads the recipients of ${b}, decides every outcome and renders.  Fails: STORE, UNCERTAIN;
 * BUG when the row of the batch is corrupt; UNFIT when they need more than BATCH_BYTES, or a
 * value cannot be read: smaller pieces may pass, and of one recipient the memory always does.
 */
bool batch_prepare(struct db *db, struct arena *a, struct sending *s, const struct batch *b,
	size_t max_bytes, struct channel_homes *, struct prepared *out, struct err *e) MUST_USE;

/* The way out for a batch that cannot be prepared or written: all its recipients fail with
 * internal_error, so that the campaign ends (I-5). */
void
batch_give_up(struct arena *a, struct sending *s, const struct batch *b, struct prepared *out);

/* Writes channels, members, messages, outcomes and counters; inside one db_write_beside.
 * *lost: the claim or the campaign moved on, nothing may be written.  STALE without *lost:
 * something was made meanwhile that the preparation did not see; prepare again.  UNFIT: the
 * store cannot hold something of it; write it in pieces.  Fails: STALE, UNFIT, STORE. */
bool batch_write(struct db *w, struct prepared *p, bool *lost, struct err *e) MUST_USE;
/* The part of it that is not the ledger's, at time ${now}; db_lock_channels() was called,
 * unshared when batch_needs_alone(). */
bool batch_write_chat(struct db *w, struct prepared *p, int64_t now, struct err *e) MUST_USE;
/* Whether it makes channels where no unique key tells of what others make meanwhile. */
bool batch_needs_alone(const struct prepared *p);

/* The same for a campaign to channels (engine/channel_batch.c); what was reached is noted
 * behind the ledger's part. */
bool channel_batch_prepare(struct db *db, struct arena *a, struct sending *s,
	const struct batch *b, size_t max_bytes, struct prepared *out, struct err *e) MUST_USE;
bool channel_batch_write(struct db *w, struct prepared *p, bool *lost, struct err *e) MUST_USE;
bool
channel_batch_write_chat(struct db *w, struct prepared *p, int64_t now, struct err *e) MUST_USE;

/* Channels that were found may have been removed since, and a message must not be without one.
 * Fails: STALE, STORE. */
bool batch_check_removals(struct db *w, const struct prepared *, const int64_t *channels,
	size_t n, struct err *e) MUST_USE;

/* What became of a batch in pieces. */
struct pieces_report {
	size_t npieces; /* tried */
	size_t nfailed; /* recipients whom the store cannot hold */
	struct err why; /* of the first of them */
};

/* Prepares and writes ${b}, of either kind, piece by piece in the transaction that is open: a
 * piece that is UNFIT is undone and divided, down to the recipients at fault, who fail with
 * internal_error, while all others get their message (I-5).  At most two pieces a recipient,
 * and for each recipient at fault about 2 log2(n).  *lost as in batch_write().  Fails: BUG,
 * STALE, STORE; UNFIT when the store cannot hold the outcomes. */
bool
batch_write_in_pieces(struct db *w, struct arena *a, struct sending *s, const struct batch *b,
	size_t max_bytes, struct pieces_report *report, bool *lost, struct err *e) MUST_USE;
