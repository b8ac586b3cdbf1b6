/* campaign_load – stored campaigns with their segments and tallies, all of one moment; for any
 * number of them with the same few statements. */
#include "base/arena.h"
#include "base/err.h"
#include "domain/campaign.h"
#include "domain/outcome.h"
#include "store/db.h"

/* Campaigns that are being loaded: bulk has their numbers. */
struct loading {
	struct arena *a;
	struct campaign *v;
	size_t n;
};

/* Columns as campaign_by_id and campaign_by_nos select them. */
static void
from_row(struct rows *r, struct arena *a, struct campaign *c)
{
	*c = (struct campaign){
		.no = row_int(r, 0),
		.id = arena_dup(a, row_str(r, 1)),
		.name = arena_dup(a, row_str(r, 2)),
		.description = arena_dup(a, row_str(r, 3)),
		.status = arena_dup(a, row_str(r, 4)),
		.sender = row_int(r, 5),
		.sender_mode = arena_dup(a, row_str(r, 6)),
		.sender_visibility = arena_dup(a, row_str(r, 7)),
		.create_channels = row_int(r, 8) != 0,
		.show_channels = row_int(r, 9) != 0,
		.skip_push = row_int(r, 10) != 0,
		.skip_webhook = row_int(r, 11) != 0,
		.message_template = arena_dup(a, row_str(r, 12)),
		.channel_template = row_null(r, 13) ? STR_NONE : arena_dup(a, row_str(r, 13)),
		.user_set = row_int(r, 14),
		.created_at = row_int(r, 15),
		.updated_at = row_int(r, 16),
		.deleted_at = row_time(r, 17),
		.scheduled_for = row_time(r, 18),
		.stop_at = row_time(r, 19),
		.started_at = row_time(r, 20),
		.completed_at = row_time(r, 21),
		.form = row_int(r, 22),
		.planned = row_int(r, 23) != 0,
		.audience = row_int(r, 24),
		.pending = row_int(r, 25),
		.channels_created = row_int(r, 26),
		.users_read = row_int(r, 27),
		.stop_reason = arena_dup(a, row_str(r, 28)),
		.team = arena_dup(a, row_str(r, 29)),
		.to_channels = !row_null(r, 30),
		.users_sent = row_int(r, 31),
		.max_webhook_lag = row_int(r, 32),
	};
}

/* What the query is given must be there for as long as its rows are read. */
static bool
query_of_all(
	struct db *db, const struct loading *l, enum sql_id sql, struct rows *r, struct err *e)
{
	int64_t *nos = arena_array(l->a, l->n, sizeof(*nos));
	struct col *col = arena_alloc(l->a, sizeof(*col));
	struct bulk *bulk = arena_alloc(l->a, sizeof(*bulk));

	for (size_t i = 0; i < l->n; i++)
		nos[i] = l->v[i].no;
	*col = COL_INTS(nos);
	*bulk = (struct bulk){col, 1, l->n};
	return db_query(db, sql, NO_ARGS, bulk, r, e);
}

static bool
load_segment_ids(struct db *db, const struct loading *l, struct err *e)
{
	struct rows r;

	for (size_t i = 0; i < l->n; i++)
		l->v[i].segment_ids =
			arena_array(l->a, CAMPAIGN_MAX_SEGMENTS, sizeof(struct str));
	if (!query_of_all(db, l, SQL_CAMPAIGN_SEGMENTS_GET, &r, e))
		return false;
	while (rows_next(&r)) {
		struct campaign *c = &l->v[row_int(&r, 0)];

		if (c->nsegments < CAMPAIGN_MAX_SEGMENTS)
			c->segment_ids[c->nsegments++] = arena_dup(l->a, row_str(&r, 1));
	}
	return rows_end(&r, e);
}

static bool
load_tallies(struct db *db, const struct loading *l, struct err *e)
{
	struct rows r;

	for (size_t i = 0; i < l->n; i++)
		l->v[i].tallies.v =
			arena_array(l->a, OUTCOME_VALUES, sizeof(struct campaign_tally));
	if (!query_of_all(db, l, SQL_CAMPAIGN_TALLIES, &r, e))
		return false;
	while (rows_next(&r)) {
		struct campaign_tallies *t = &l->v[row_int(&r, 0)].tallies;
		struct campaign_tally tally = {row_int(&r, 1), row_int(&r, 2)};

		if (t->n < OUTCOME_VALUES)
			t->v[t->n++] = tally;
		if (tally.outcome == OUTCOME_SENT)
			t->sent = tally.n;
	}
	return rows_end(&r, e);
}

static bool
load_parts(struct db *db, const struct loading *l, struct err *e)
{
	if (l->n == 0)
		return true;
	if (!load_segment_ids(db, l, e) || !load_tallies(db, l, e))
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (!l->v[i].to_channels)
			l->v[i].users_sent = l->v[i].tallies.sent;
	return true;
}

/* ---- by id ----------------------------------------------------------------------------- */

struct finding {
	struct arena *a;
	struct str id;
	struct campaign *out;
	bool *found;
};

static bool
find_in(struct db *db, void *arg, struct err *e)
{
	const struct finding *f = arg;
	struct loading l = {f->a, f->out, 1};
	struct rows r;

	if (!db_query(db, SQL_CAMPAIGN_BY_ID, ARGS(V_TEXT(f->id)), NO_BULK, &r, e))
		return false;
	*f->found = rows_next(&r);
	if (*f->found)
		from_row(&r, f->a, f->out);
	return rows_end(&r, e) && (!*f->found || load_parts(db, &l, e));
}

bool
campaign_find(struct db *db, struct arena *a, struct str id, struct campaign *out, bool *found,
	struct err *e)
{
	struct finding f = {a, id, out, found};

	return db_read(db, find_in, &f, e);
}

bool
campaign_get(struct db *db, struct arena *a, struct str id, struct campaign *out, struct err *e)
{
	bool found;

	if (!campaign_find(db, a, id, out, &found, e))
		return false;
	return found ||
	       fail(e, ERR_NOT_FOUND, "campaign with id %.*s doesn't exist", STR_ARG(id));
}

/* ---- by number ------------------------------------------------------------------------- */

struct listing {
	struct arena *a;
	const int64_t *nos;
	size_t n;
	struct campaign *out;
};

static bool
list_in(struct db *db, void *arg, struct err *e)
{
	const struct listing *g = arg;
	struct col cols[] = {COL_INTS(g->nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), g->n};
	struct loading l = {g->a, g->out, 0};
	struct rows r;

	if (!db_query(db, SQL_CAMPAIGN_BY_NOS, NO_ARGS, &bulk, &r, e))
		return false;
	while (l.n < g->n && rows_next(&r))
		from_row(&r, g->a, &g->out[l.n++]);
	if (!rows_end(&r, e))
		return false;
	for (size_t i = 0; i < g->n; i++)
		if (i == l.n || g->out[i].no != g->nos[i])
			return fail(e, ERR_NOT_FOUND, "campaign %lld doesn't exist",
				(long long)g->nos[i]);
	return load_parts(db, &l, e);
}

bool
campaign_by_nos(struct db *db, struct arena *a, const int64_t *nos, size_t n,
	struct campaign *out, struct err *e)
{
	struct listing g = {a, nos, n, out};

	return n == 0 || db_read(db, list_in, &g, e);
}

bool
campaign_by_no(struct db *db, struct arena *a, int64_t no, struct campaign *out, struct err *e)
{
	return campaign_by_nos(db, a, &no, 1, out, e);
}
