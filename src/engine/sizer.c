/* sizer – does what can wait: counts segments whose size is due, enters names that are to be
 * unique, forgets what was deleted hard, and events that are old; a thread of its own, since
 * that may last and must not keep a campaign from being planned. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/err.h"
#include "base/log.h"
#include "domain/claim.h"
#include "domain/event.h"
#include "domain/oblivion.h"
#include "domain/segment.h"
#include "domain/user.h"
#include "engine/keeper.h"
#include "engine/role.h"
#include "store/db.h"

/* *more: there was one. */
static bool
size_one(struct engine *g, struct db *db, struct arena *a, bool *more, struct err *e)
{
	struct keeper keeper;
	struct claim claim;
	int64_t no;
	bool got, ok;

	arena_reset(a);
	if (!segment_size_due(db, &no, more, e))
		return false;
	if (!*more)
		return true;
	if (!claim_take(db, CLAIM_SIZE, no, g->config->lease_ms, &claim, &got, e))
		return false;
	if (!got)
		return true;
	keeper_start(&keeper, g->store, &claim);
	ok = segment_size_refresh(db, a, no, e);
	keeper_stop(&keeper);
	if (ok)
		claim_drop(db, &claim);
	else
		claim_defer(db, &claim, DEFER_MS);
	return ok;
}

/* A size, or else names, or else a piece of what is to be forgotten, or is kept no longer. */
static bool
do_one(struct engine *g, struct db *db, struct arena *a, bool *more, struct err *e)
{
	if (!size_one(g, db, a, more, e) || (!*more && !user_unique_fill(db, a, more, e)))
		return false;
	if (*more)
		return true;
	arena_reset(a);
	if (!oblivion_step(db, a, more, e))
		return false;
	return *more || event_trim(db, clock_now_us(), more, e);
}

void
sizer_run(void *arg)
{
	struct engine *g = arg;
	struct arena arena;
	struct db *db;
	struct err e;
	uint64_t seen = 0;
	int wait = 0;

	if (!db_open(&db, g->store, &e))
		panic("sizer: %s", e.msg);
	arena_init(&arena, 65536, SIZE_MAX);
	while (signal_wait(&g->work, &seen, wait)) {
		bool more = false;

		if (do_one(g, db, &arena, &more, &e)) {
			wait = more ? 0 : LOOK_AGAIN_MS;
			continue;
		}
		log_error("sizer: %s", e.msg);
		wait = RETRY_MS;
	}
	arena_fini(&arena);
	db_close(db);
}
