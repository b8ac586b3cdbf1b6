/* event – the outbox: rows that tell of what their transactions did. */
#include "domain/event.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/jw.h"
#include "store/db.h"

/* Rows that one transaction removes at most. */
#define TRIM_STEP 4096
/* Rows that are added with one statement. */
#define ADD_STEP 128

#define DAY_US   (86400 * INT64_C(1000000))

static int64_t
or_null(int64_t n)
{
	return n == 0 ? COL_NULL : n;
}

/* ${extra} with who asked for it. */
static struct str
with_cause(struct arena *a, struct str cause, struct str extra)
{
	struct buf b;
	struct jw w;

	buf_init(&b, a, cause.n + extra.n + 32);
	jw_init(&w, &b);
	jw_obj(&w);
	jw_kraw(&w, "request", cause);
	if (extra.p != NULL)
		jw_members(&w, extra);
	jw_end_obj(&w);
	return buf_view(&b);
}

static bool
insert(struct db *w, struct event *events, const struct str *extra, size_t n, int64_t first,
	struct err *e)
{
	int64_t kind[ADD_STEP], at[ADD_STEP], channel[ADD_STEP], uid[ADD_STEP],
		object[ADD_STEP];
	struct col cols[] = {COL_INTS(kind), COL_INTS(at), COL_INTS(channel), COL_INTS(uid),
		COL_INTS(object), COL_TEXTS(extra)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};

	for (size_t i = 0; i < n; i++) {
		events[i].pos = first + (int64_t)i;
		kind[i] = events[i].kind;
		at[i] = events[i].at;
		channel[i] = or_null(events[i].channel);
		uid[i] = or_null(events[i].uid);
		object[i] = or_null(events[i].object);
	}
	return db_exec(w, SQL_EVENT_INSERT, ARGS(V_INT(first)), &bulk, NULL, e);
}

static bool
add_some(struct db *w, struct event *events, size_t n, int64_t first, struct err *e)
{
	struct str extra[ADD_STEP], cause = db_cause(w), alone = STR_NONE;
	struct arena a;
	bool ok;

	arena_init(&a, 1024, SIZE_MAX);
	if (cause.p != NULL)
		alone = with_cause(&a, cause, STR_NONE);
	for (size_t i = 0; i < n; i++) {
		extra[i] = events[i].extra;
		if (cause.p != NULL)
			extra[i] = extra[i].p == NULL ? alone : with_cause(&a, cause, extra[i]);
	}
	ok = insert(w, events, extra, n, first, e);
	arena_fini(&a);
	return ok;
}

bool
event_add(struct db *w, struct event *events, size_t n, struct err *e)
{
	int64_t first;

	if (n == 0)
		return true;
	if (!db_take(w, COUNTER_EVENT, (int64_t)n, &first, e))
		return false;
	for (size_t i = 0; i < n; i += ADD_STEP)
		if (!add_some(w, events + i, MIN_OF(n - i, (size_t)ADD_STEP),
			    first + (int64_t)i, e))
			return false;
	return true;
}

bool
event_last(struct db *db, int64_t *pos, struct err *e)
{
	bool found;

	*pos = 0;
	return db_get_int(db, SQL_EVENT_LAST, NO_ARGS, pos, &found, e);
}

static bool
read_rows(struct rows *r, struct arena *a, struct event **out, size_t *n, struct err *e)
{
	struct buf list;

	buf_init(&list, a, 16 * sizeof(struct event));
	while (!arena_overflowed(a) && rows_next(r)) {
		struct event ev = {
			.pos = row_int(r, 0),
			.kind = (enum event_kind)row_int(r, 1),
			.at = row_int(r, 2),
			.channel = row_int(r, 3),
			.uid = row_int(r, 4),
			.object = row_int(r, 5),
			.extra = arena_dup(a, row_str(r, 6)),
		};

		buf_add(&list, &ev, sizeof(ev));
	}
	*out = (struct event *)(void *)list.p;
	*n = list.n / sizeof(struct event);
	return rows_end(r, e) && arena_check(a, e);
}

bool
event_after(struct db *db, struct arena *a, int64_t pos, size_t max, struct event **out,
	size_t *n, struct err *e)
{
	struct rows r;

	return db_query(db, SQL_EVENT_AFTER, ARGS(V_INT(pos), V_INT((int64_t)max)), NO_BULK, &r,
		       e) &&
	       read_rows(&r, a, out, n, e);
}

static int
cmp_pos(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	return (x->pos > y->pos) - (x->pos < y->pos);
}

bool
event_of_channels(struct db *db, struct arena *a, const int64_t *nos, size_t nnos,
	int64_t after, size_t max, struct event **out, size_t *n, struct err *e)
{
	struct col cols[] = {COL_INTS(nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), nnos};
	struct rows r;

	*n = 0;
	if (nnos == 0)
		return true;
	if (!db_query(db, SQL_EVENT_OF_CHANNELS, ARGS(V_INT(after), V_INT((int64_t)max + 1)),
		    &bulk, &r, e) ||
		!read_rows(&r, a, out, n, e))
		return false;
	if (*n > 1)
		qsort(*out, *n, sizeof(**out), cmp_pos);
	return true;
}

/* ---- trimming ------------------------------------------------------------------------- */

struct trimming {
	int64_t from;   /* position */
	int64_t to;     /* up to and with this one whatever its time */
	int64_t before; /* time */
};

static bool
trim_in(struct db *w, void *arg, struct err *e)
{
	const struct trimming *t = arg;

	return db_exec(w, SQL_EVENT_TRIM_MISSED,
		       ARGS(V_INT(t->from), V_INT(t->from + TRIM_STEP), V_INT(t->to),
			       V_INT(t->before)),
		       NO_BULK, NULL, e) &&
	       db_exec(w, SQL_EVENT_TRIM,
		       ARGS(V_INT(t->from), V_INT(t->from + TRIM_STEP), V_INT(t->to),
			       V_INT(t->before)),
		       NO_BULK, NULL, e);
}

/* Up to which position every route has read; INT64_MAX: there is none. */
static bool
read_by_all(struct db *db, int64_t *out, struct err *e)
{
	struct rows r;

	*out = INT64_MAX;
	if (!db_query(db, SQL_EVENT_UNREAD_FROM, NO_ARGS, NO_BULK, &r, e))
		return false;
	if (rows_next(&r) && !row_null(&r, 0))
		*out = row_int(&r, 0);
	return rows_end(&r, e);
}

bool
event_trim(struct db *db, int64_t now, bool *more, struct err *e)
{
	struct trimming t = {.before = now - EVENT_KEEP_DAYS * DAY_US};
	int64_t last, at = 0, unread;
	struct rows r;

	*more = false;
	if (!event_last(db, &last, e) ||
		!db_query(db, SQL_EVENT_OLDEST, NO_ARGS, NO_BULK, &r, e))
		return false;
	*more = rows_next(&r);
	if (*more) {
		t.from = row_int(&r, 0);
		at = row_int(&r, 1);
	}
	if (!rows_end(&r, e))
		return false;
	/* What a route has still to read is kept although there are many. */
	if (!read_by_all(db, &unread, e))
		return false;
	t.to = MIN_OF(last - EVENT_KEEP_MAX, unread);
	*more = *more && (t.from <= t.to || at < t.before);
	return !*more || db_write(db, trim_in, &t, e);
}
