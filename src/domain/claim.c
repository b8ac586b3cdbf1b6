/* claim – takes, renews and gives back claims. */
#include "domain/claim.h"

#include "base/err.h"
#include "store/db.h"

struct taking {
	struct claim *claim;
	bool got;
};

static bool
take(struct db *w, void *arg, struct err *e)
{
	struct taking *t = arg;
	struct claim *c = t->claim;
	int64_t now;

	return db_now(w, &now, e) && db_get_int(w, SQL_CLAIM_TAKE,
					     ARGS(V_INT(c->kind), V_INT(c->no), V_INT(now),
						     V_INT(c->lease_ms * 1000)),
					     &c->fence, &t->got, e);
}

bool
claim_take(struct db *db, enum claim_kind kind, int64_t no, int64_t lease_ms, struct claim *out,
	bool *got, struct err *e)
{
	struct taking t = {.claim = out};

	*out = (struct claim){.kind = kind, .no = no, .lease_ms = lease_ms};
	if (!db_write_beside(db, take, &t, e))
		return false;
	*got = t.got;
	return true;
}

static bool
set_lease(struct db *w, const struct claim *c, int64_t until, int64_t *changed, struct err *e)
{
	return db_exec(w, SQL_CLAIM_SET_LEASE,
		ARGS(V_INT(c->kind), V_INT(c->no), V_INT(c->fence), V_INT(until)), NO_BULK,
		changed, e);
}

bool
claim_keep(struct db *w, const struct claim *c, struct err *e)
{
	int64_t now, changed;

	if (!db_now(w, &now, e) || !set_lease(w, c, now + c->lease_ms * 1000, &changed, e))
		return false;
	return changed == 1 || fail(e, ERR_STALE, "the claim moved on");
}

struct ending {
	const struct claim *claim;
	int64_t defer_us; /* < 0: free at once */
};

static bool
end(struct db *w, void *arg, struct err *e)
{
	const struct ending *d = arg;
	int64_t now = 0;

	return (d->defer_us < 0 || db_now(w, &now, e)) &&
	       set_lease(w, d->claim, d->defer_us < 0 ? 0 : now + d->defer_us, NULL, e);
}

void
claim_drop(struct db *db, const struct claim *c)
{
	struct ending d = {c, -1};
	struct err ignored;

	if (!db_write_beside(db, end, &d, &ignored))
		return;
}

void
claim_defer(struct db *db, const struct claim *c, int64_t ms)
{
	struct ending d = {c, ms * 1000};
	struct err ignored;

	if (!db_write_beside(db, end, &d, &ignored))
		return;
}

static bool
release(struct db *w, void *arg UNUSED, struct err *e)
{
	return db_exec(w, SQL_CLAIM_RELEASE_ALL, NO_ARGS, NO_BULK, NULL, e);
}

bool
claim_release_all(struct db *db, struct err *e)
{
	return db_write(db, release, NULL, e);
}
