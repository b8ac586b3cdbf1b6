/* route_report – reading how routes go; pausing them. */
#include "domain/route_report.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "domain/event.h"
#include "store/db.h"

struct str
route_kind_name(enum route_kind kind)
{
	return kind == ROUTE_WEBHOOK ? STR("webhook") : STR("push");
}

bool
route_kind_read(struct str name, enum route_kind *out)
{
	*out = str_is(name, "webhook") ? ROUTE_WEBHOOK : ROUTE_PUSH;
	return str_is(name, "webhook") || str_is(name, "push");
}

static struct str
text_of(struct arena *a, struct rows *r, int col)
{
	return row_null(r, col) ? STR_NONE : arena_dup(a, row_str(r, col));
}

static void
read_row(struct rows *r, struct arena *a, int64_t last, int64_t now, struct route_report *out)
{
	int64_t oldest = now;

	*out = (struct route_report){
		.route = {.no = row_int(r, 0),
			.kind = (enum route_kind)row_int(r, 1),
			.ident = text_of(a, r, 2),
			.is_off = row_int(r, 3) != 0,
			.changed_at = NO_TIME,
			.place = {row_int(r, 13), 0},
			.paused_at = row_time(r, 5),
			.barred_at = row_time(r, 6)},
		.created_at = row_int(r, 4),
		.barred_why = text_of(a, r, 7),
		.width = row_int(r, 8),
		.sent = row_int(r, 9),
		.failed = row_int(r, 10),
		.dropped = row_int(r, 11),
		.missed = row_int(r, 12),
		.put_aside = row_int(r, 14),
		.dead = row_int(r, 15),
		.behind = MAX_OF(last - row_int(r, 13), 0),
	};
	for (int col = 16; col <= 17 && !out->route.is_off; col++)
		if (!row_null(r, col))
			oldest = MIN_OF(oldest, row_int(r, col));
	out->lag_us = now - oldest;
}

static bool
read_failures(
	struct db *db, struct arena *a, struct route_report *list, size_t n, struct err *e)
{
	int64_t *nos = arena_array(a, n, sizeof(*nos));
	struct col cols[] = {COL_INTS(nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;
	struct buf all;
	size_t at = 0;

	if (n == 0)
		return true;
	for (size_t i = 0; i < n; i++)
		nos[i] = list[i].route.no;
	if (!db_query(db, SQL_ROUTE_FAILURES_LIST, NO_ARGS, &bulk, &r, e))
		return false;
	buf_init(&all, a, 16 * sizeof(struct route_failure));
	while (rows_next(&r)) {
		struct route_failure f = {arena_dup(a, row_str(&r, 1)), row_int(&r, 2)};

		for (; list[at].route.no != row_int(&r, 0); at++)
			continue;
		list[at].nfailures++;
		buf_add(&all, &f, sizeof(f));
	}
	for (size_t i = 0, begin = 0; i < n; begin += list[i++].nfailures)
		list[i].failures = (struct route_failure *)(void *)all.p + begin;
	return rows_end(&r, e);
}

struct asking {
	struct arena *arena;
	int kind;
	struct str ident;
	struct route_report *list;
	size_t n;
};

static bool
report_in(struct db *db, void *arg, struct err *e)
{
	struct asking *q = arg;
	int64_t last, now = clock_now_us();
	struct buf list;
	struct rows r;

	if (!event_last(db, &last, e) ||
		!db_query(db, SQL_ROUTE_REPORT,
			ARGS(q->kind == 0 ? V_NULL : V_INT(q->kind), V_TEXT(q->ident)), NO_BULK,
			&r, e))
		return false;
	buf_init(&list, q->arena, 8 * sizeof(struct route_report));
	while (rows_next(&r)) {
		struct route_report one;

		read_row(&r, q->arena, last, now, &one);
		buf_add(&list, &one, sizeof(one));
	}
	q->list = (struct route_report *)(void *)list.p;
	q->n = list.n / sizeof(struct route_report);
	return rows_end(&r, e) && read_failures(db, q->arena, q->list, q->n, e);
}

bool
route_report(struct db *db, struct arena *a, int kind, struct str ident,
	struct route_report **out, size_t *n, struct err *e)
{
	struct asking q = {.arena = a, .kind = kind, .ident = ident};

	if (!db_read(db, report_in, &q, e))
		return false;
	*out = q.list;
	*n = q.n;
	return true;
}

bool
route_find(struct db *db, enum route_kind kind, struct str ident, int64_t *no, struct err *e)
{
	struct str name = route_kind_name(kind);
	bool found;

	return db_get_int(db, SQL_ROUTE_NO, ARGS(V_INT(kind), V_TEXT(ident)), no, &found, e) &&
	       (found || fail(e, ERR_NOT_FOUND, "route %.*s/%.*s doesn't exist", STR_ARG(name),
				 STR_ARG(ident)));
}

struct pausing {
	int64_t no;
	bool on;
};

static bool
pause_in(struct db *w, void *arg, struct err *e)
{
	const struct pausing *p = arg;

	if (p->on)
		return db_exec(w, SQL_ROUTE_PAUSE, ARGS(V_INT(p->no), V_INT(clock_now_us())),
			NO_BULK, NULL, e);
	return db_exec(w, SQL_ROUTE_RESUME, ARGS(V_INT(p->no)), NO_BULK, NULL, e);
}

bool
route_pause(struct db *db, int64_t no, bool on, struct err *e)
{
	struct pausing p = {no, on};

	return db_write(db, pause_in, &p, e);
}
