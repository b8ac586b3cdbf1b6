/* worker – claims batches, prepares them, commits them; the next claim rides on the commit,
 * so that a batch costs one fsync. */
#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/log.h"
#include "domain/channel_place.h"
#include "engine/batch.h"
#include "engine/engine.h"
#include "engine/role.h"
#include "engine/sending.h"
#include "store/db.h"

/* Claims of others may run out without a signal. */
#define LOOK_FOR_CLAIMS_MS 1000
/* What others make meanwhile collides a few times, not more. */
#define MAX_TRIES 20

/* How a batch is done: the next where the one before cannot. */
enum way { WHOLE, IN_PIECES, GIVING_UP };

struct worker {
	struct engine *engine;
	struct db *db;
	/* A claimed batch lives in one arena while the next is claimed into the other. */
	struct arena arenas[2];
	int at;
	struct batch batch;
	bool has_batch;
	int tries; /* of the batch at hand that collided */
	enum way way;
	struct sending sending;
	int64_t loaded; /* campaign in ${sending}; 0: none */
	struct channel_homes homes;
};

/* What a write transaction is given. */
struct turn {
	struct worker *w;
	struct prepared *prepared; /* NULL: in pieces, or only claim */
	bool in_pieces;
	struct pieces_report report;
	bool lost;
	bool claim;
	struct batch next;
	bool has_next;
};

static bool
write_batch(struct db *db, struct prepared *p, bool *lost, struct err *e)
{
	return p->sending->campaign.to_channels ? channel_batch_write(db, p, lost, e)
						: batch_write(db, p, lost, e);
}

static bool
turn_tx(struct db *db, void *arg, struct err *e)
{
	struct turn *t = arg;
	struct worker *w = t->w;

	t->lost = t->has_next = false;
	if (t->prepared != NULL && !write_batch(db, t->prepared, &t->lost, e))
		return false;
	if (t->in_pieces &&
		!batch_write_in_pieces(db, &w->arenas[w->at], &w->sending, &w->batch,
			(size_t)w->engine->config->render_max, &t->report, &t->lost, e))
		return false;
	if (!t->claim)
		return true;
	return ledger_claim(
		db, &w->arenas[!w->at], w->engine->config->lease_ms, &t->next, &t->has_next, e);
}

static void
tell_failures(const struct batch *b, const struct pieces_report *report)
{
	if (report->nfailed > 0)
		log_error("batch %lld/%lld: %zu of its recipients fail with internal_error, "
			  "the first since %s",
			(long long)b->campaign, (long long)b->seq, report->nfailed,
			report->why.msg);
}

/* Commits what was prepared, or prepares and commits in pieces, or neither, and claims the next
 * batch.  The memory of what was committed is given back. */
static bool
take_turn(
	struct worker *w, struct prepared *prepared, bool in_pieces, bool *lost, struct err *e)
{
	struct turn t = {.w = w,
		.prepared = prepared,
		.in_pieces = in_pieces,
		.claim = !signal_stopped(&w->engine->work)};

	arena_reset(&w->arenas[!w->at]);
	if (!db_write_beside(w->db, turn_tx, &t, e)) {
		*lost = t.lost;
		return false;
	}
	if (prepared != NULL || in_pieces)
		engine_tell(w->engine);
	tell_failures(&w->batch, &t.report);
	arena_reset(&w->arenas[w->at]);
	w->batch = t.next;
	w->has_batch = t.has_next;
	w->tries = 0;
	w->way = WHOLE;
	w->at = !w->at;
	return true;
}

static bool
load_campaign(struct worker *w, struct err *e)
{
	if (w->loaded == w->batch.campaign)
		return true;
	if (w->loaded != 0)
		sending_fini(&w->sending);
	w->loaded = 0;
	if (!sending_load(&w->sending, w->db, w->batch.campaign, e))
		return false;
	w->loaded = w->batch.campaign;
	return true;
}

/* The store may be well again in a moment; anything else will not go away by itself. */
static bool
is_transient(enum err_code code)
{
	return code == ERR_STORE || code == ERR_UNCERTAIN;
}

static bool
prepare_batch(struct worker *w, struct prepared *out, struct err *e)
{
	size_t max_bytes = (size_t)w->engine->config->render_max;
	struct arena *a = &w->arenas[w->at];

	if (w->sending.campaign.to_channels)
		return channel_batch_prepare(
			w->db, a, &w->sending, &w->batch, max_bytes, out, e);
	return batch_prepare(w->db, a, &w->sending, &w->batch, max_bytes, &w->homes, out, e);
}

/* One attempt at the batch at hand, in its way. */
static bool
try_batch(struct worker *w, bool *lost, struct err *e)
{
	struct prepared prepared;

	if (w->way == GIVING_UP) {
		batch_give_up(&w->arenas[w->at], &w->sending, &w->batch, &prepared);
		return take_turn(w, &prepared, false, lost, e);
	}
	if (!load_campaign(w, e))
		return false;
	if (w->way == IN_PIECES)
		return take_turn(w, NULL, true, lost, e);
	return prepare_batch(w, &prepared, e) && take_turn(w, &prepared, false, lost, e);
}

/* After an attempt that failed.  True: to be tried again at once, perhaps in another way. */
static bool
find_a_way(struct worker *w, const struct err *e)
{
	long long campaign = w->batch.campaign, seq = w->batch.seq;

	if (e->code == ERR_STALE && w->tries++ < MAX_TRIES)
		return true;
	if (is_transient(e->code) || w->way == GIVING_UP)
		return false;
	if (e->code == ERR_UNFIT && w->way == WHOLE) {
		log_info("batch %lld/%lld is written in pieces: %s", campaign, seq, e->msg);
		w->way = IN_PIECES;
	} else {
		log_error(
			"batch %lld/%lld fails with internal_error: %s", campaign, seq, e->msg);
		w->way = GIVING_UP;
	}
	return true;
}

/* Commits the batch at hand, then has the next one or none. */
static bool
send_batch(struct worker *w, struct err *e)
{
	struct arena *a = &w->arenas[w->at];
	struct arena_mark mark = arena_mark(a);
	bool lost = false;

	if (try_batch(w, &lost, e))
		return true;
	if (lost)
		w->has_batch = false;
	arena_rewind(a, mark);
	return lost || find_a_way(w, e);
}

void
worker_run(void *arg)
{
	struct engine *g = arg;
	struct worker w = {.engine = g};
	struct err e;
	bool lost;
	uint64_t seen = 0;
	int wait = 0;

	if (!db_open(&w.db, g->store, &e))
		panic("worker: %s", e.msg);
	arena_init(&w.arenas[0], 1 << 20, SIZE_MAX);
	arena_init(&w.arenas[1], 1 << 20, SIZE_MAX);
	while (w.has_batch || signal_wait(&g->work, &seen, wait)) {
		bool had_batch = w.has_batch;

		if (had_batch ? send_batch(&w, &e) : take_turn(&w, NULL, false, &lost, &e)) {
			wait = had_batch || w.has_batch ? 0 : LOOK_FOR_CLAIMS_MS;
			continue;
		}
		/* The batch stays ours and is tried again; the fence decides if it still is. */
		log_error("worker: %s", e.msg);
		if (!signal_wait(&g->work, &seen, RETRY_MS))
			break;
	}
	if (w.loaded != 0)
		sending_fini(&w.sending);
	arena_fini(&w.arenas[0]);
	arena_fini(&w.arenas[1]);
	db_close(w.db);
}
