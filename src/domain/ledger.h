/* ledger – the batch rows of a campaign: plan, claim, commit (ARCHITECTURE.md, "The batch").
 *
 *            plan             claim (fence+1)          commit (same fence)
 *   ────────────▶ PLANNED ───────────────▶ CLAIMED ──────────────────▶ DONE
 *                                             │ ▲
 *                                             └─┘ lease over: claimed anew, fence+1
 *
 * Every write of a worker names its fence and expects CLAIMED; a worker that woke up late
 * changes 0 rows and nothing of its transaction stays (I-9). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "domain/outcome.h"

struct arena;
struct bitset;
struct channel_set;
struct claim;
struct db;
struct err;

#define BATCH_MAX 4096

enum batch_state { BATCH_PLANNED, BATCH_CLAIMED, BATCH_DONE };

struct batch {
	int64_t campaign, seq;
	int64_t first_ord; /* place of its first recipient in the plan */
	int64_t n;
	int64_t first_key; /* key of the message of its first recipient */
	struct str uids;   /* packed (base/pack.h); of a campaign to channels: their numbers */
	int64_t fence;
};

/* ---- plan ---------------------------------------------------------------------------- */

/* Writes the whole plan of an audience: batches of at most ${batch_size} in uid order, message
 * keys reserved; the last write makes the campaign planned, with its audience, form and pending
 * count, or completed when the audience is empty (I-5).  Batches of an unfinished plan
 * cannot be claimed; one that a dead process left is dropped first.  *done false: the
 * campaign is no longer in_progress.  Fails: STORE. */
bool ledger_plan(struct db *, int64_t campaign, const struct bitset *audience, int64_t form,
	int64_t batch_size, bool *done, struct err *e) MUST_USE;
/* The same by the holder of a claim on the work, which is renewed with each transaction.
 * Fails besides: STALE (somebody else took the work). */
bool ledger_plan_claimed(struct db *, const struct claim *, const struct bitset *audience,
	int64_t form, int64_t batch_size, bool *done, struct err *e) MUST_USE;
/* The same for an audience of channels and ${strays} listed cids that are none, which are
 * skipped(no_such_channel) from the beginning. */
bool ledger_plan_channels(struct db *, const struct claim *, const struct channel_set *audience,
	int64_t strays, int64_t batch_size, bool *done, struct err *e) MUST_USE;

/* ---- claim --------------------------------------------------------------------------- */

/* Claims an open batch of the campaign that has the fewest claimed ones (so that a small
 * campaign never waits for a large one).  Only inside db_write; ${out}'s blob is in ${a}. */
bool ledger_claim(struct db *w, struct arena *a, int64_t lease_ms, struct batch *out,
	bool *found, struct err *e) MUST_USE;
/* Frees all claims: at the start of the one process that works on a store. */
bool ledger_release_all(struct db *, struct err *e) MUST_USE;

/* ---- commit -------------------------------------------------------------------------- */

/* What a worker did with a batch. */
struct batch_result {
	const uint8_t *outcomes; /* n bytes, enum outcome; none pending */
	int64_t channels_created;
};

/* Two halves of one transaction.  begin: the batch becomes DONE if it is still ours.
 * end, last because campaign rows are what workers queue for: outcomes are counted, and the
 * campaign is completed when nothing is pending (I-6); it must still be in_progress (I-12).
 * *lost true (then also false, ERR_STALE): the claim or the campaign moved on; give up.
 * Fails: STALE, STORE. */
bool ledger_commit_begin(struct db *w, const struct batch *, const struct batch_result *,
	int64_t now, bool *lost, struct err *e) MUST_USE;
/* Between the two: other outcomes than begin was told.  Fails: STORE, UNFIT. */
bool ledger_commit_outcomes(struct db *w, const struct batch *, const struct batch_result *,
	struct err *e) MUST_USE;
bool ledger_commit_end(struct db *w, const struct batch *, const struct batch_result *,
	int64_t now, bool *lost, struct err *e) MUST_USE;
