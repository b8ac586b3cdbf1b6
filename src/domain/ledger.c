/* ledger – writes plans, hands out claims, commits outcomes. */
#include "domain/ledger.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/pack.h"
#include "domain/bitset.h"
#include "domain/channel_set.h"
#include "domain/claim.h"
#include "domain/event.h"
#include "domain/reach.h"
#include "store/db.h"

/* A plan is written in transactions of so many batches, so that API writes get their turn. */
#define PLAN_CHUNK 128
/* The number of batches is a multiple of it, and a batch not smaller than so many. */
#define TOGETHER       8
#define WORTH_A_COMMIT 1024

/* ---- plan ---------------------------------------------------------------------------- */

/* The keys of an audience, ascending: uids, or numbers of channels. */
struct keys {
	const struct bitset *uids; /* NULL: of channels */
	int64_t next_uid;          /* where the walk goes on */
	struct channel_walk channels;
};

struct plan {
	struct arena arena; /* one chunk of packed batches */
	struct keys keys;
	const struct claim *claim; /* NULL: nobody else can be at it */
	int64_t campaign, form, batch_size;
	int64_t count;     /* of keys */
	int64_t strays;    /* targets that have none */
	int64_t first_key; /* of the campaign's range */
	int64_t next_ord, next_seq;
	int64_t *uids; /* room for one batch */
	bool begun, given_up, done;
	/* The chunk, column by column. */
	int64_t seq[PLAN_CHUNK], first_ord[PLAN_CHUNK], n[PLAN_CHUNK];
	struct str blob[PLAN_CHUNK];
	size_t nbatches;
};

/* The next key, or −1. */
static int64_t
next_key(struct keys *k)
{
	int64_t key;

	if (k->uids == NULL)
		return channel_walk_next(&k->channels);
	key = bitset_next(k->uids, k->next_uid);
	k->next_uid = key + 1;
	return key;
}

/* The next batch of the walk; false at its end. */
static bool
pack_batch(struct plan *p)
{
	struct buf packed;
	size_t k = p->nbatches;
	int64_t n = 0;

	while (n < p->batch_size && p->next_ord + n < p->count)
		p->uids[n++] = next_key(&p->keys);
	if (n == 0)
		return false;
	buf_init(&packed, &p->arena, (size_t)n + 64);
	pack_keys(&packed, p->uids, (size_t)n);
	p->seq[k] = p->next_seq++;
	p->first_ord[k] = p->next_ord;
	p->n[k] = n;
	p->blob[k] = buf_view(&packed);
	p->nbatches++;
	p->next_ord += n;
	return true;
}

/* What a plan of channels has besides its batches. */
static bool
plan_channels(struct db *w, const struct plan *p, struct err *e)
{
	const int64_t outcome = OUTCOME_NO_SUCH_CHANNEL;
	struct col cols[] = {COL_INTS(&outcome), COL_INTS(&p->strays)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), 1};

	return reach_begin(w, p->campaign, e) &&
	       (p->strays == 0 ||
		       db_exec(w, SQL_TALLY_ADD, ARGS(V_INT(p->campaign)), &bulk, NULL, e));
}

/* Gives up, and leaves nothing. */
static bool
drop_plan(struct db *w, const struct plan *p, struct err *e)
{
	return db_exec(w, SQL_BATCH_DROP_PLAN, ARGS(V_INT(p->campaign)), NO_BULK, NULL, e) &&
	       (!p->given_up || p->strays == 0 ||
		       db_exec(w, SQL_STRAY_CLEAR, ARGS(V_INT(p->campaign)), NO_BULK, NULL, e));
}

/* Without recipients it is all that there was to do. */
static bool
end_plan(struct db *w, const struct plan *p, struct err *e)
{
	struct event ev = {
		.kind = EVENT_CAMPAIGN_COMPLETED, .at = clock_now_us(), .object = p->campaign};
	int64_t changed;

	if (!db_exec(w, SQL_CAMPAIGN_PLANNED,
		    ARGS(V_INT(p->campaign), V_INT(p->count + p->strays), V_INT(p->form),
			    V_INT(ev.at), V_INT(p->count)),
		    NO_BULK, &changed, e))
		return false;
	return changed == 0 || p->count > 0 || event_add(w, &ev, 1, e);
}

/* One transaction: begins the plan the first time, ends it when all is written; gives up, and
 * leaves nothing of it, when the campaign was stopped or planned by another. */
static bool
plan_tx(struct db *w, void *arg, struct err *e)
{
	struct plan *p = arg;
	struct col cols[] = {
		COL_INTS(p->seq), COL_INTS(p->first_ord), COL_INTS(p->n), COL_TEXTS(p->blob)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), p->nbatches};
	int64_t no;
	bool awaits;

	if (p->claim != NULL && !claim_keep(w, p->claim, e))
		return false;
	if (!db_get_int(w, SQL_CAMPAIGN_AWAITS_PLAN, ARGS(V_INT(p->campaign)), &no, &awaits, e))
		return false;
	p->given_up = !awaits;
	if ((p->given_up || !p->begun) && !drop_plan(w, p, e))
		return false;
	if (p->given_up)
		return true;
	if (!p->begun && !db_take(w, COUNTER_MESSAGE, MAX_OF(p->count, 1), &p->first_key, e))
		return false;
	if (p->nbatches > 0 &&
		!db_exec(w, SQL_BATCH_INSERT, ARGS(V_INT(p->campaign), V_INT(p->first_key)),
			&bulk, NULL, e))
		return false;
	p->done = p->next_ord == p->count;
	return !p->done ||
	       ((p->keys.uids != NULL || plan_channels(w, p, e)) && end_plan(w, p, e));
}

/* Workers that begin together should end together: batches of one size, as many as a multiple
 * of the usual numbers of workers, unless that made them too small to be worth a commit. */
static int64_t
level_size(int64_t count, int64_t most)
{
	int64_t n = (count + most - 1) / most;

	n = MAX_OF((n + TOGETHER - 1) / TOGETHER * TOGETHER, 1);
	return MAX_OF((count + n - 1) / n, MIN_OF(most, WORTH_A_COMMIT));
}

static bool
run(struct db *db, struct plan *p, bool *done, struct err *e)
{
	bool ok;

	p->batch_size = level_size(p->count, p->batch_size);

	arena_init(&p->arena, 65536, SIZE_MAX);
	p->uids = arena_array(&p->arena, (size_t)p->batch_size, sizeof(int64_t));
	do {
		struct arena_mark mark = arena_mark(&p->arena);

		p->nbatches = 0;
		while (p->nbatches < PLAN_CHUNK && pack_batch(p))
			continue;
		ok = db_write(db, plan_tx, p, e);
		p->begun = true;
		arena_rewind(&p->arena, mark);
	} while (ok && !p->given_up && !p->done);
	arena_fini(&p->arena);
	*done = ok && p->done && !p->given_up;
	return ok;
}

bool
ledger_plan(struct db *db, int64_t campaign, const struct bitset *audience, int64_t form,
	int64_t batch_size, bool *done, struct err *e)
{
	struct plan p = {
		.keys = {.uids = audience},
		.campaign = campaign,
		.form = form,
		.batch_size = batch_size,
		.count = bitset_count(audience),
	};

	return run(db, &p, done, e);
}

bool
ledger_plan_claimed(struct db *db, const struct claim *claim, const struct bitset *audience,
	int64_t form, int64_t batch_size, bool *done, struct err *e)
{
	struct plan p = {
		.keys = {.uids = audience},
		.claim = claim,
		.campaign = claim->no,
		.form = form,
		.batch_size = batch_size,
		.count = bitset_count(audience),
	};

	return run(db, &p, done, e);
}

bool
ledger_plan_channels(struct db *db, const struct claim *claim,
	const struct channel_set *audience, int64_t strays, int64_t batch_size, bool *done,
	struct err *e)
{
	struct plan p = {
		.claim = claim,
		.campaign = claim->no,
		.batch_size = batch_size,
		.count = audience->n,
		.strays = strays,
	};
	bool ok;

	channel_walk_init(&p.keys.channels, audience);
	ok = run(db, &p, done, e);
	channel_walk_fini(&p.keys.channels);
	return ok;
}

/* ---- claim --------------------------------------------------------------------------- */

bool
ledger_claim(struct db *w, struct arena *a, int64_t lease_ms, struct batch *out, bool *found,
	struct err *e)
{
	struct rows r;
	int64_t now;

	if (!db_now(w, &now, e) ||
		!db_query(w, SQL_BATCH_CLAIM, ARGS(V_INT(now), V_INT(lease_ms * 1000)), NO_BULK,
			&r, e))
		return false;
	*found = rows_next(&r);
	if (*found)
		*out = (struct batch){
			.campaign = row_int(&r, 0),
			.seq = row_int(&r, 1),
			.first_ord = row_int(&r, 2),
			.n = row_int(&r, 3),
			.first_key = row_int(&r, 4),
			.uids = arena_dup(a, row_str(&r, 5)),
			.fence = row_int(&r, 6),
		};
	return rows_end(&r, e);
}

static bool
release_tx(struct db *w, void *arg UNUSED, struct err *e)
{
	return db_exec(w, SQL_BATCH_RELEASE_ALL, NO_ARGS, NO_BULK, NULL, e);
}

bool
ledger_release_all(struct db *db, struct err *e)
{
	return db_write(db, release_tx, NULL, e);
}

/* ---- commit -------------------------------------------------------------------------- */

bool
ledger_commit_begin(struct db *w, const struct batch *b, const struct batch_result *result,
	int64_t now, bool *lost, struct err *e)
{
	struct buf packed;
	int64_t changed = 0;
	bool ok;

	buf_init(&packed, NULL, 256);
	pack_bytes(&packed, result->outcomes, (size_t)b->n);
	ok = db_exec(w, SQL_BATCH_DONE,
		ARGS(V_INT(b->campaign), V_INT(b->seq), V_INT(b->fence), V_INT(now),
			V_BLOB(buf_view(&packed))),
		NO_BULK, &changed, e);
	buf_free(&packed);
	*lost = ok && changed != 1;
	return ok && (changed == 1 || fail(e, ERR_STALE, "the claim moved on"));
}

bool
ledger_commit_outcomes(
	struct db *w, const struct batch *b, const struct batch_result *result, struct err *e)
{
	struct buf packed;
	bool ok;

	buf_init(&packed, NULL, 256);
	pack_bytes(&packed, result->outcomes, (size_t)b->n);
	ok = db_exec(w, SQL_BATCH_OUTCOMES,
		ARGS(V_INT(b->campaign), V_INT(b->seq), V_BLOB(buf_view(&packed))), NO_BULK,
		NULL, e);
	buf_free(&packed);
	return ok;
}

/* The campaign's counters; *lost: it is no longer in_progress. */
static bool
progress(struct db *w, const struct batch *b, int64_t channels_created, int64_t sent,
	int64_t now, bool *lost, bool *completed, struct err *e)
{
	struct rows r;

	if (!db_query(w, SQL_CAMPAIGN_PROGRESS,
		    ARGS(V_INT(b->campaign), V_INT(b->n), V_INT(channels_created), V_INT(now),
			    V_INT(sent), V_INT(clock_month(now))),
		    NO_BULK, &r, e))
		return false;
	*lost = !rows_next(&r);
	*completed = !*lost && row_int(&r, 0) != 0;
	return rows_end(&r, e);
}

bool
ledger_commit_end(struct db *w, const struct batch *b, const struct batch_result *result,
	int64_t now, bool *lost, struct err *e)
{
	int64_t counts[OUTCOME_VALUES] = {0}, outcome[OUTCOME_VALUES], n[OUTCOME_VALUES];
	struct col cols[] = {COL_INTS(outcome), COL_INTS(n)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), 0};
	struct event told[2];
	size_t ntold = 0;
	bool completed;

	for (int64_t i = 0; i < b->n; i++)
		counts[result->outcomes[i] % OUTCOME_VALUES]++;
	for (int64_t o = 0; o < OUTCOME_VALUES; o++) {
		if (counts[o] == 0)
			continue;
		outcome[bulk.nrows] = o;
		n[bulk.nrows++] = counts[o];
	}
	if (!db_exec(w, SQL_TALLY_ADD, ARGS(V_INT(b->campaign)), &bulk, NULL, e) ||
		!progress(w, b, result->channels_created, counts[OUTCOME_SENT], now, lost,
			&completed, e))
		return false;
	if (*lost)
		return fail(e, ERR_STALE, "the campaign is no longer in_progress");
	/* Behind the row of the campaign, for which its batches stand in line anyway. */
	if (counts[OUTCOME_SENT] > 0)
		told[ntold++] =
			(struct event){.kind = EVENT_BATCH, .at = now, .object = b->first_key};
	if (completed)
		told[ntold++] = (struct event){
			.kind = EVENT_CAMPAIGN_COMPLETED, .at = now, .object = b->campaign};
	return event_add(w, told, ntold, e);
}
