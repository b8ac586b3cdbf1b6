/* batch_pieces – a batch that cannot be written whole, because the store cannot hold something
 * of it or it needs too much memory: piece by piece, in one transaction (I-1, I-5, I-7). */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/pack.h"
#include "domain/bitset.h"
#include "domain/channel_place.h"
#include "domain/reach.h"
#include "engine/batch.h"
#include "engine/sending.h"
#include "store/db.h"

struct pieces {
	struct arena *arena;
	struct sending *sending;
	const struct batch *batch;
	size_t max_bytes;
	int64_t *keys; /* of all recipients: uids, or numbers of channels */
	int64_t now;
	bool alone; /* nobody else makes forms or channels by id meanwhile */
	/* Taken in this transaction, and given back with it should it fail. */
	struct channel_homes homes;
	/* What became of the batch so far. */
	uint8_t *outcomes;
	int64_t channels_created;
	struct bitset reached;
	struct pieces_report *report;
};

/* Recipients from..from+n of the batch, as a batch of their own. */
struct piece {
	struct pieces *all;
	size_t from, n;
	struct batch batch;
	struct prepared prepared;
};

/* ---- one piece ----------------------------------------------------------------------- */

static void
cut(struct piece *piece)
{
	const struct pieces *q = piece->all;
	const struct batch *b = q->batch;
	struct buf packed;

	buf_init(&packed, q->arena, piece->n + 64);
	pack_keys(&packed, q->keys + piece->from, piece->n);
	piece->batch = (struct batch){
		.campaign = b->campaign,
		.seq = b->seq,
		.first_ord = b->first_ord + (int64_t)piece->from,
		.n = (int64_t)piece->n,
		.first_key = b->first_key + (int64_t)piece->from,
		.uids = buf_view(&packed),
		.fence = b->fence,
	};
}

static bool
write_to_channels(struct db *w, struct piece *piece, struct err *e)
{
	struct pieces *q = piece->all;
	struct prepared *p = &piece->prepared;

	return channel_batch_prepare(
		       w, q->arena, q->sending, &piece->batch, q->max_bytes, p, e) &&
	       channel_batch_write_chat(w, p, q->now, e);
}

static bool
write_to_users(struct db *w, struct piece *piece, struct err *e)
{
	struct pieces *q = piece->all;
	struct prepared *p = &piece->prepared;

	if (!batch_prepare(
		    w, q->arena, q->sending, &piece->batch, q->max_bytes, &q->homes, p, e))
		return false;
	if (batch_needs_alone(p) && !q->alone)
		return fail(e, ERR_STALE, "a form was shadowed meanwhile");
	return batch_write_chat(w, p, q->now, e);
}

static bool
write_piece(struct db *w, void *arg, struct err *e)
{
	struct piece *piece = arg;

	cut(piece);
	return (piece->all->sending->campaign.to_channels ? write_to_channels : write_to_users)(
		w, piece, e);
}

/* What stays of a piece that was written. */
static void
keep(struct pieces *q, const struct piece *piece)
{
	const struct prepared *p = &piece->prepared;

	memcpy(q->outcomes + piece->from, p->outcomes, piece->n);
	q->channels_created += prepared_channels(p);
	for (size_t i = 0; i < p->nreached; i++)
		bitset_add(&q->reached, p->reached[i]);
}

static void
give_up_on(struct pieces *q, size_t i, const struct err *why)
{
	q->outcomes[i] = OUTCOME_INTERNAL_ERROR;
	if (q->report->nfailed++ == 0)
		q->report->why = *why;
}

static bool
write_range(struct db *w, struct pieces *q, size_t from, size_t n, struct err *e)
{
	struct arena_mark mark = arena_mark(q->arena);
	struct piece piece = {.all = q, .from = from, .n = n};
	bool ok = db_attempt(w, write_piece, &piece, e);

	q->report->npieces++;
	if (ok)
		keep(q, &piece);
	arena_rewind(q->arena, mark);
	if (ok || e->code != ERR_UNFIT)
		return ok;
	if (n == 1) {
		give_up_on(q, from, e);
		return true;
	}
	return write_range(w, q, from, n / 2, e) &&
	       write_range(w, q, from + n / 2, n - n / 2, e);
}

/* ---- the batch ------------------------------------------------------------------------ */

/* Whether pieces may come to need that: where all numbers follow from the form, and it cannot
 * change while others wait for the lock, they do not. */
static bool
may_need_alone(struct sending *s)
{
	return !s->campaign.to_channels &&
	       (s->form.form == 0 || s->form.shadowed || s->nmeetings > 0);
}

static bool
begin(struct db *w, struct pieces *q, bool *lost, struct err *e)
{
	const struct batch_result nothing = {.outcomes = q->outcomes};

	if (!sending_refresh(q->sending, w, q->arena, e))
		return false;
	q->alone = may_need_alone(q->sending);
	if (!q->sending->campaign.to_channels && !db_lock_channels(w, !q->alone, e))
		return false;
	q->now = clock_now_us();
	return ledger_commit_begin(w, q->batch, &nothing, q->now, lost, e);
}

static bool
note_reached(struct db *w, struct pieces *q, struct err *e)
{
	int64_t *uids = arena_array(q->arena, (size_t)bitset_count(&q->reached), sizeof(*uids));
	int64_t uid = -1;
	size_t n = 0;

	while ((uid = bitset_next(&q->reached, uid + 1)) >= 0)
		uids[n++] = uid;
	return reach_add(w, q->arena, q->batch->campaign, uids, n, q->now, e);
}

static bool
end(struct db *w, struct pieces *q, bool *lost, struct err *e)
{
	const struct batch_result result = {
		.outcomes = q->outcomes, .channels_created = q->channels_created};

	return ledger_commit_outcomes(w, q->batch, &result, e) &&
	       ledger_commit_end(w, q->batch, &result, q->now, lost, e) &&
	       note_reached(w, q, e);
}

bool
batch_write_in_pieces(struct db *w, struct arena *a, struct sending *s, const struct batch *b,
	size_t max_bytes, struct pieces_report *report, bool *lost, struct err *e)
{
	struct arena_mark mark = arena_mark(a);
	size_t n = (size_t)b->n;
	struct pieces q = {.arena = a,
		.sending = s,
		.batch = b,
		.max_bytes = max_bytes,
		.keys = arena_array(a, n, sizeof(int64_t)),
		.outcomes = arena_zalloc(a, n),
		.report = report};
	bool ok;

	*lost = false;
	*report = (struct pieces_report){0};
	if (!pack_keys_read(b->uids, q.keys, n))
		return fail(e, ERR_BUG, "batch %lld/%lld: the list of recipients is damaged",
			(long long)b->campaign, (long long)b->seq);
	bitset_init(&q.reached);
	ok = begin(w, &q, lost, e) && write_range(w, &q, 0, n, e) && end(w, &q, lost, e);
	bitset_fini(&q.reached);
	arena_rewind(a, mark);
	return ok;
}
