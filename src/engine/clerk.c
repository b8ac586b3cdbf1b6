/* clerk – does the tasks that requests left behind (domain/task.h), one at a time. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/err.h"
#include "base/log.h"
#include "domain/claim.h"
#include "domain/purge.h"
#include "domain/task.h"
#include "engine/keeper.h"
#include "engine/role.h"
#include "store/db.h"

/* The kinds of work there are.  Each may be run again from its beginning. */
static const struct errand {
	struct str kind;
	bool (*run)(const struct task_turn *, struct str work, struct err *);
} errands[] = {
	{STR_INIT("purge"), purge_run},
};

static bool
is_stopping(void *arg)
{
	struct engine *g = arg;

	return signal_stopped(&g->work);
}

static bool
run(const struct task_turn *turn, const struct task_job *job, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(errands); i++)
		if (str_eq(errands[i].kind, job->kind))
			return errands[i].run(turn, job->work, e);
	return fail(e, ERR_BUG, "nobody knows work of the kind \"%.*s\"", STR_ARG(job->kind));
}

/* The store may be well again in a moment, or a lock free, and who lost the claim leaves the
 * task to others; anything else will not go away by itself. */
static bool
comes_again(enum err_code code)
{
	return code == ERR_STORE || code == ERR_UNCERTAIN || code == ERR_TIMEOUT ||
	       code == ERR_STALE;
}

static bool
do_task(const struct task_turn *turn, const struct task_job *job, struct err *e)
{
	int64_t began = clock_mono_us();
	struct err why;

	if (!task_begin(turn, e))
		return false;
	if (run(turn, job, &why)) {
		if (!task_end(turn, NULL, e))
			return false;
		log_info("task %lld done: kind=%.*s ms=%lld", (long long)job->no,
			STR_ARG(job->kind), (long long)((clock_mono_us() - began) / 1000));
		return true;
	}
	if (comes_again(why.code)) {
		*e = why;
		return false;
	}
	log_error("task %lld has failed: %s", (long long)job->no, why.msg);
	return task_end(turn, &why, e);
}

/* *more: a task was done. */
static bool
take_one(struct engine *g, struct db *db, struct arena *a, bool *more, struct err *e)
{
	struct task_turn turn = {.db = db, .is_stopping = is_stopping, .arg = g};
	struct keeper keeper;
	struct task_job job;
	struct claim claim;
	bool found, got = false, ok;

	arena_reset(a);
	*more = false;
	if (!task_next(db, a, &job, &found, e))
		return false;
	if (!found)
		return true;
	if (!claim_take(db, CLAIM_TASK, job.no, g->config->lease_ms, &claim, &got, e))
		return false;
	if (!got)
		return true;
	turn.claim = &claim;
	keeper_start(&keeper, g->store, &claim);
	ok = do_task(&turn, &job, e);
	keeper_stop(&keeper);
	*more = ok;
	if (ok || e->code == ERR_STALE) {
		claim_drop(db, &claim);
		return true;
	}
	claim_defer(db, &claim, DEFER_MS);
	return false;
}

void
clerk_run(void *arg)
{
	struct engine *g = arg;
	struct arena arena;
	struct db *db;
	struct err e;
	uint64_t seen = 0;
	int wait = 0;

	if (!db_open(&db, g->store, &e))
		panic("clerk: %s", e.msg);
	arena_init(&arena, 16384, SIZE_MAX);
	while (signal_wait(&g->work, &seen, wait)) {
		bool more;

		if (take_one(g, db, &arena, &more, &e)) {
			wait = more ? 0 : LOOK_AGAIN_MS;
			continue;
		}
		log_error("clerk: %s", e.msg);
		wait = RETRY_MS;
	}
	arena_fini(&arena);
	db_close(db);
}
