/* scheduler – does what is due: starts, stops, plans. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/err.h"
#include "base/log.h"
#include "domain/campaign.h"
#include "domain/claim.h"
#include "engine/engine.h"
#include "engine/keeper.h"
#include "engine/planner.h"
#include "engine/role.h"
#include "store/db.h"

/* Plans the oldest campaign that waits for it and that nobody else is planning.  One at a time,
 * so that what became due meanwhile does not wait for all of them; *more: there was one. */
static bool
plan_one(struct engine *g, struct db *db, struct arena *a, bool *more, struct err *e)
{
	struct keeper keeper;
	struct claim claim;
	int64_t no;
	bool got, ok;

	if (!campaign_unplanned(db, &no, more, e))
		return false;
	if (!*more)
		return true;
	if (!claim_take(db, CLAIM_PLAN, no, g->config->lease_ms, &claim, &got, e))
		return false;
	if (!got)
		return true;
	arena_reset(a);
	keeper_start(&keeper, g->store, &claim);
	ok = planner_plan(db, a, g->config, &claim, e);
	keeper_stop(&keeper);
	if (!ok && e->code != ERR_STALE) {
		claim_defer(db, &claim, DEFER_MS);
		return false;
	}
	engine_wake(g);
	engine_tell(g); /* a plan without recipients is all of the campaign */
	signal_raise(&g->planned);
	return true;
}

/* How long to sleep until ${next}. */
static int
sleep_ms(int64_t next)
{
	int64_t left;

	if (next == NO_TIME)
		return LOOK_AGAIN_MS;
	left = (next - clock_now_us()) / 1000 + 1;
	return (int)MAX_OF(0, MIN_OF(left, LOOK_AGAIN_MS));
}

void
scheduler_run(void *arg)
{
	struct engine *g = arg;
	struct arena arena;
	struct db *db;
	struct err e;
	uint64_t seen = 0;
	int wait = 0;

	if (!db_open(&db, g->store, &e))
		panic("scheduler: %s", e.msg);
	arena_init(&arena, 65536, SIZE_MAX);
	while (signal_wait(&g->work, &seen, wait)) {
		int64_t moved, next = NO_TIME;
		bool plans = false, ok;

		ok = campaign_due(db, clock_now_us(), g->config->max_lateness * 1000000, &moved,
			&next, &e);
		if (ok && moved > 0)
			engine_tell(g);
		if (ok && plan_one(g, db, &arena, &plans, &e)) {
			wait = plans ? 0 : sleep_ms(next);
			continue;
		}
		log_error("scheduler: %s", e.msg);
		wait = RETRY_MS;
	}
	arena_fini(&arena);
	db_close(db);
}
