/* engine – owns the scheduler, the clerk and the workers. */
#include "engine/engine.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/err.h"
#include "base/log.h"
#include "domain/campaign.h"
#include "domain/claim.h"
#include "domain/ledger.h"
#include "engine/role.h"
#include "store/db.h"

/* On a store of ours alone, every claim found is that of a dead process. */
static bool
release_claims(struct store *store, struct err *e)
{
	struct db *db;
	bool ok;

	if (!store_is_exclusive(store))
		return true;
	if (!db_open(&db, store, e))
		return false;
	ok = ledger_release_all(db, e) && claim_release_all(db, e);
	db_close(db);
	return ok;
}

static void
tell_here(struct engine *g)
{
	int n = atomic_load(&g->nhearers);

	signal_raise(&g->told);
	for (int i = 0; i < n; i++)
		g->hearers[i].fn(g->hearers[i].arg);
}

/* Another process started, planned or changed something. */
static void
hear(void *arg, unsigned words)
{
	struct engine *g = arg;

	if (words & STORE_WORK) {
		signal_raise(&g->work);
		signal_raise(&g->planned);
	}
	if (words & STORE_EVENTS)
		tell_here(g);
}

bool
engine_start(
	struct engine **out, struct store *store, const struct config *config, struct err *e)
{
	struct engine *g;

	if (!release_claims(store, e))
		return false;
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		panic("out of memory");
	g->store = store;
	g->config = config;
	g->nworkers = config->workers;
	g->workers = calloc((size_t)g->nworkers, sizeof(*g->workers));
	if (g->workers == NULL)
		panic("out of memory");
	signal_init(&g->work);
	signal_init(&g->planned);
	signal_init(&g->told);
	store_listen(store, hear, g);
	thread_start(&g->scheduler, "scheduler", scheduler_run, g);
	thread_start(&g->sizer, "sizer", sizer_run, g);
	thread_start(&g->clerk, "clerk", clerk_run, g);
	for (int64_t i = 0; i < g->nworkers; i++)
		thread_start(&g->workers[i], "worker", worker_run, g);
	*out = g;
	return true;
}

void
engine_wake(struct engine *g)
{
	signal_raise(&g->work);
	store_wake(g->store, STORE_WORK);
}

void
engine_tell(struct engine *g)
{
	tell_here(g);
	store_wake(g->store, STORE_EVENTS);
}

void
engine_look(struct engine *g)
{
	signal_raise(&g->told);
}

void
engine_hear(struct engine *g, engine_hear_fn fn, void *arg)
{
	int n = atomic_load(&g->nhearers);

	if (n == ENGINE_HEARERS)
		panic("engine: %d hearers are the most", ENGINE_HEARERS);
	g->hearers[n].fn = fn;
	g->hearers[n].arg = arg;
	atomic_store(&g->nhearers, n + 1);
}

void
engine_dispatch(struct engine *g, const struct dispatch_sink *sink)
{
	g->sink = *sink;
	thread_start(&g->dispatch, "dispatch", dispatch_run, g);
}

bool
engine_wait_planned(struct engine *g, struct db *db, int64_t campaign, int timeout_ms)
{
	int64_t until = clock_mono_us() + (int64_t)timeout_ms * 1000;
	uint64_t seen = 0;

	for (;;) {
		int64_t left = (until - clock_mono_us()) / 1000;
		bool waits;
		struct err e;

		if (!campaign_awaits_plan(db, campaign, &waits, &e))
			return false;
		if (!waits)
			return true;
		if (left <= 0 || !signal_wait(&g->planned, &seen, (int)left))
			return false;
	}
}

void
engine_stop(struct engine *g)
{
	if (g == NULL)
		return;
	store_unlisten(g->store);
	signal_stop(&g->work);
	signal_stop(&g->planned);
	signal_stop(&g->told);
	thread_join(&g->scheduler);
	thread_join(&g->sizer);
	thread_join(&g->clerk);
	thread_join(&g->dispatch);
	for (int64_t i = 0; i < g->nworkers; i++)
		thread_join(&g->workers[i]);
	signal_fini(&g->work);
	signal_fini(&g->planned);
	signal_fini(&g->told);
	free(g->workers);
	free(g);
}
