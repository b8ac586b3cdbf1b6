/* keeper – the thread that renews a claim. */
#include "engine/keeper.h"

#include "base/err.h"
#include "base/log.h"
#include "store/db.h"

static bool
keep(struct db *w, void *arg, struct err *e)
{
	const struct keeper *k = arg;

	return claim_keep(w, k->claim, e);
}

/* A renewal that fails is tried again in time; one that comes too late changes nothing, and the
 * holder learns it with his next write. */
static void
run(void *arg)
{
	struct keeper *k = arg;
	int pause = (int)MAX_OF(k->claim->lease_ms / 3, 1);
	uint64_t seen = 0;
	struct db *db;
	struct err e;

	if (!db_open(&db, k->store, &e)) {
		log_error("keeper: %s", e.msg);
		return;
	}
	while (signal_wait(&k->end, &seen, pause))
		if (!db_write_beside(db, keep, k, &e)) {
			if (e.code == ERR_STALE)
				break;
			log_error("keeper: %s", e.msg);
		}
	db_close(db);
}

void
keeper_start(struct keeper *k, struct store *store, const struct claim *claim)
{
	*k = (struct keeper){.store = store, .claim = claim};
	if (store_is_exclusive(store))
		return;
	signal_init(&k->end);
	thread_start(&k->thread, "keeper", run, k);
}

void
keeper_stop(struct keeper *k)
{
	if (!k->thread.started)
		return;
	signal_stop(&k->end);
	thread_join(&k->thread);
	signal_fini(&k->end);
}
