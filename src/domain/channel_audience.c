/* channel_audience – the channels of a campaign to channels. */
#include "domain/channel_audience.h"

#include "base/arena.h"
#include "base/err.h"
#include "domain/claim.h"
#include "domain/segment.h"
#include "domain/segment_cids.h"
#include "store/db.h"

/* *found false: deleted meanwhile, so it has no targets (api.md §2.5.4). */
static bool
get_segment(struct db *db, struct arena *a, struct str id, struct segment *out, bool *found,
	struct err *e)
{
	*found = segment_get(db, a, id, out, e);
	return *found || e->code == ERR_NOT_FOUND;
}

bool
campaign_is_to_channels(struct db *db, struct arena *a, const struct campaign *c,
	bool must_exist, bool *to_channels, struct err *e)
{
	bool users = false, found;

	*to_channels = false;
	for (size_t i = 0; i < c->nsegments; i++) {
		struct segment s;

		if (!get_segment(db, a, c->segment_ids[i], &s, &found, e))
			return false;
		if (!found && must_exist)
			return fail_in(e, "segment_ids");
		if (found)
			*(segment_is_of_channels(&s) ? to_channels : &users) = true;
	}
	return !(users && *to_channels) ||
	       fail(e, ERR_INPUT,
		       "segment_ids: segments of users and of channels cannot be mixed in one "
		       "campaign");
}

void
channel_audience_init(struct channel_audience *q)
{
	*q = (struct channel_audience){0};
	channel_set_init(&q->channels);
}

void
channel_audience_fini(struct channel_audience *q)
{
	channel_set_fini(&q->channels);
}

struct loading {
	struct arena *a;
	const struct campaign *c;
	struct channel_audience *out;
};

static bool
load(struct db *db, void *arg, struct err *e)
{
	struct loading *l = arg;

	for (size_t i = 0; i < l->c->nsegments; i++) {
		struct segment s;
		bool found;

		if (!get_segment(db, l->a, l->c->segment_ids[i], &s, &found, e))
			return false;
		if (found && !segment_load_channels(db, l->a, &s, l->c->sender,
				     &l->out->channels, &l->out->missing[i], e))
			return false;
	}
	return true;
}

bool
channel_audience_load(struct db *db, struct arena *a, const struct campaign *c,
	struct channel_audience *out, struct err *e)
{
	struct loading l = {a, c, out};

	return db_read(db, load, &l, e);
}

/* ---- strays ------------------------------------------------------------------------------ */

struct storing {
	struct db *db;
	const struct claim *claim;
	const struct str *cids; /* of one transaction */
	size_t n;
	int64_t added, total;
};

static bool
clear_tx(struct db *w, void *arg, struct err *e)
{
	const struct storing *s = arg;

	return claim_keep(w, s->claim, e) &&
	       db_exec(w, SQL_STRAY_CLEAR, ARGS(V_INT(s->claim->no)), NO_BULK, NULL, e);
}

static bool
store_tx(struct db *w, void *arg, struct err *e)
{
	struct storing *s = arg;
	struct col cols[] = {COL_TEXTS(s->cids)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), s->n};

	return claim_keep(w, s->claim, e) &&
	       db_exec(w, SQL_STRAY_ADD, ARGS(V_INT(s->claim->no)), &bulk, &s->added, e);
}

static bool
store_page(void *arg, const struct str *cids, size_t n, struct err *e)
{
	struct storing *s = arg;

	s->cids = cids;
	s->n = n;
	if (!db_write(s->db, store_tx, s, e))
		return false;
	s->total += s->added;
	return true;
}

bool
channel_audience_store_strays(struct db *db, struct arena *a, const struct claim *claim,
	const struct campaign *c, const struct channel_audience *q, int64_t *n, struct err *e)
{
	struct storing s = {.db = db, .claim = claim};

	if (!db_write(db, clear_tx, &s, e))
		return false;
	for (size_t i = 0; i < c->nsegments; i++) {
		struct segment segment;
		bool found;

		if (q->missing[i] == 0)
			continue;
		if (!get_segment(db, a, c->segment_ids[i], &segment, &found, e) ||
			(found && !segment_walk_missing(
					  db, &segment, &q->channels, store_page, &s, e)))
			return false;
	}
	*n = s.total;
	return true;
}
