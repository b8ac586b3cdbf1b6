/* route – the rows of the ways out of the house. */
#include "domain/route.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "domain/event.h"
#include "store/db.h"

bool
route_list(struct db *db, struct arena *a, enum route_kind kind, struct route_row **out,
	size_t *n, struct err *e)
{
	struct rows r;
	struct buf list;

	if (!db_query(db, SQL_ROUTE_LIST, ARGS(V_INT(kind)), NO_BULK, &r, e))
		return false;
	buf_init(&list, a, 8 * sizeof(struct route_row));
	while (rows_next(&r)) {
		struct route_row row = {
			.route = {.no = row_int(&r, 0),
				.kind = (enum route_kind)row_int(&r, 1),
				.ident = arena_dup(a, row_str(&r, 2)),
				.is_off = row_int(&r, 3) != 0,
				.changed_at = NO_TIME,
				.place = {row_int(&r, 4), row_int(&r, 5)},
				.paused_at = row_time(&r, 6),
				.barred_at = row_time(&r, 7)},
			.nudged = row_int(&r, 8),
			.next_no = row_int(&r, 9),
			.lease_until = row_int(&r, 10),
		};

		buf_add(&list, &row, sizeof(row));
	}
	*out = (struct route_row *)(void *)list.p;
	*n = list.n / sizeof(struct route_row);
	return rows_end(&r, e);
}

/* ---- what the settings name -------------------------------------------------------------- */

struct sync {
	struct arena *arena;
	enum route_kind kind;
	const struct out_route *named;
	size_t n;
};

static const struct out_route *
find_named(const struct sync *s, struct str ident)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->named[i].ident, ident))
			return &s->named[i];
	return NULL;
}

static bool
delete_routes(struct db *w, const int64_t *nos, size_t n, struct err *e)
{
	struct col cols[] = {COL_INTS(nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};

	return n == 0 ||
	       (db_exec(w, SQL_ROUTE_DELETE_PARCELS, NO_ARGS, &bulk, NULL, e) &&
		       db_exec(w, SQL_ROUTE_DELETE_LOADS, NO_ARGS, &bulk, NULL, e) &&
		       db_exec(w, SQL_ROUTE_DELETE_FAILURES, NO_ARGS, &bulk, NULL, e) &&
		       db_exec(w, SQL_ROUTE_DELETE, NO_ARGS, &bulk, NULL, e));
}

static bool
insert_routes(struct db *w, const struct sync *s, const struct str *idents, const int64_t *off,
	size_t n, int64_t last, struct err *e)
{
	struct col cols[] = {COL_TEXTS(idents), COL_INTS(off)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	int64_t first;

	return n == 0 || (db_take(w, COUNTER_ROUTE, (int64_t)n, &first, e) &&
				 db_exec(w, SQL_ROUTE_INSERT,
					 ARGS(V_INT(first), V_INT(s->kind), V_INT(last),
						 V_INT(clock_now_us())),
					 &bulk, NULL, e));
}

/* What is known already; the names that are not go into ${is_known}. */
static bool
sync_known(struct db *w, const struct sync *s, const struct route_row *rows, size_t n,
	int64_t last, bool *is_known, struct err *e)
{
	int64_t *gone = arena_array(s->arena, n, sizeof(*gone));
	size_t ngone = 0;

	for (size_t i = 0; i < n; i++) {
		const struct out_route *r = &rows[i].route, *named = find_named(s, r->ident);

		if (named == NULL) {
			gone[ngone++] = r->no;
			continue;
		}
		is_known[named - s->named] = true;
		if (named->is_off != r->is_off &&
			!db_exec(w, SQL_ROUTE_SWITCH,
				ARGS(V_INT(r->no), V_INT(named->is_off), V_INT(last)), NO_BULK,
				NULL, e))
			return false;
		if (r->barred_at != NO_TIME && named->changed_at != NO_TIME &&
			!db_exec(w, SQL_ROUTE_UNBAR,
				ARGS(V_INT(r->no), V_INT(named->changed_at)), NO_BULK, NULL, e))
			return false;
	}
	return delete_routes(w, gone, ngone, e);
}

bool
route_sync_in(struct db *w, struct arena *a, enum route_kind kind,
	const struct out_route *named, size_t n, struct err *e)
{
	const struct sync s = {a, kind, named, n};
	struct str *idents = arena_array(a, n, sizeof(*idents));
	int64_t *off = arena_array(a, n, sizeof(*off)), last;
	bool *is_known = arena_zalloc(a, n);
	struct route_row *rows;
	size_t nrows, nfresh = 0;

	if (!event_last(w, &last, e) || !route_list(w, a, kind, &rows, &nrows, e) ||
		!sync_known(w, &s, rows, nrows, last, is_known, e))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_known[i]) {
			idents[nfresh] = named[i].ident;
			off[nfresh++] = named[i].is_off;
		}
	return insert_routes(w, &s, idents, off, nfresh, last, e);
}

/* ---- what its courier has done ----------------------------------------------------------- */

bool
route_move(struct db *w, int64_t no, const struct route_change *c, struct err *e)
{
	int64_t changed;

	return db_exec(w, SQL_ROUTE_MOVE,
		       ARGS(V_INT(no), V_INT(c->place.pos), V_INT(c->place.next_key),
			       V_INT(c->next_no), V_INT(c->width), V_INT(c->sent),
			       V_INT(c->failed), V_INT(c->dead), V_INT(c->missed),
			       V_INT(c->before.pos), V_INT(c->before.next_key)),
		       NO_BULK, &changed, e) &&
	       (changed == 1 || fail(e, ERR_STALE, "the route is gone"));
}

bool
route_fail(struct db *w, int64_t no, const struct str *why, const int64_t *counts, size_t n,
	struct err *e)
{
	struct col cols[] = {COL_TEXTS(why), COL_INTS(counts)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};

	return n == 0 || db_exec(w, SQL_ROUTE_FAIL, ARGS(V_INT(no)), &bulk, NULL, e);
}

bool
route_bar(struct db *w, int64_t no, int64_t now, struct str why, struct err *e)
{
	return db_exec(
		w, SQL_ROUTE_BAR, ARGS(V_INT(no), V_INT(now), V_TEXT(why)), NO_BULK, NULL, e);
}
