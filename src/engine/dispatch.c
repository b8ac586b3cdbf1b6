/* dispatch – from the outbox to the sink. */
#include "engine/dispatch.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "domain/event.h"
#include "engine/role.h"
#include "store/db.h"

/* Events read with one statement. */
#define READ_MAX 64
/* A word from another process may be lost, and who waits for a message does not wait long. */
#define LISTEN_AGAIN_MS 1000
/* What cannot be told is tried so often. */
#define MAX_TRIES 5

struct dispatch {
	struct engine *engine;
	struct db *db;
	struct arena arena;
	int64_t pos; /* told up to there; −1: not known yet */
	int tries;   /* that failed at this position */
};

/* Who is not there now reads what is committed when he comes: his position is the end.  The end
 * is looked up before the ears, or a client who comes in between would miss what is in between.
 */
static bool
skip(struct dispatch *d, bool *skipped, struct err *e)
{
	const struct dispatch_sink *sink = &d->engine->sink;
	int64_t last;

	*skipped = d->pos < 0 || !sink->has_ears(sink->arg);
	if (!*skipped)
		return true;
	if (!event_last(d->db, &last, e))
		return false;
	*skipped = d->pos < 0 || !sink->has_ears(sink->arg);
	if (*skipped)
		d->pos = last;
	return true;
}

/* What cannot be told again and again must not keep back everything behind it; nobody relies on
 * hearing it (clients ask when they connect). */
static bool
give_up(struct dispatch *d, const struct event *events, size_t n, const struct err *e)
{
	if (++d->tries < MAX_TRIES)
		return false;
	log_error("dispatch: events %lld to %lld are not told: %s", (long long)events[0].pos,
		(long long)events[n - 1].pos, e->msg);
	d->tries = 0;
	d->pos = events[n - 1].pos;
	return true;
}

/* *more: there may be others. */
static bool
tell_some(struct dispatch *d, bool *more, struct err *e)
{
	const struct dispatch_sink *sink = &d->engine->sink;
	struct event *events;
	bool skipped;
	size_t n;

	*more = false;
	arena_reset(&d->arena);
	if (!skip(d, &skipped, e))
		return false;
	if (skipped)
		return true;
	if (!event_after(d->db, &d->arena, d->pos, READ_MAX, &events, &n, e))
		return false;
	*more = n == READ_MAX;
	if (n == 0)
		return true;
	if (!sink->tell(sink->arg, d->db, &d->arena, events, n, e))
		return give_up(d, events, n, e);
	d->pos = events[n - 1].pos;
	d->tries = 0;
	return true;
}

static bool
tell_passing(struct dispatch *d, struct err *e)
{
	const struct dispatch_sink *sink = &d->engine->sink;

	arena_reset(&d->arena);
	return sink->pass == NULL || sink->pass(sink->arg, d->db, &d->arena, e);
}

void
dispatch_run(void *arg)
{
	struct dispatch d = {.engine = arg, .pos = -1};
	struct signal_flag *told = &d.engine->told;
	struct err e;
	uint64_t seen = 0;
	int wait = 0;

	if (!db_open(&d.db, d.engine->store, &e))
		panic("dispatch: %s", e.msg);
	arena_init(&d.arena, 1 << 20, SIZE_MAX);
	while (signal_wait(told, &seen, wait)) {
		bool more;

		if (tell_some(&d, &more, &e) && tell_passing(&d, &e)) {
			wait = more ? 0 : LISTEN_AGAIN_MS;
			continue;
		}
		log_error("dispatch: %s", e.msg);
		wait = RETRY_MS;
	}
	arena_fini(&d.arena);
	db_close(d.db);
}
