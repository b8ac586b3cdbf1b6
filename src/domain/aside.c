/* aside – the rows of parcels that were not taken at once. */
#include "domain/aside.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "domain/page.h"
#include "store/db.h"

/* Rows that are written with one statement. */
#define STEP 64

bool
aside_take(struct db *w, struct arena *a, int64_t route, int64_t now, size_t max,
	struct aside **out, size_t *n, struct err *e)
{
	struct rows r;
	struct buf list;

	if (!db_query(w, SQL_ASIDE_TAKE, ARGS(V_INT(route), V_INT(now), V_INT((int64_t)max)),
		    NO_BULK, &r, e))
		return false;
	buf_init(&list, a, 16 * sizeof(struct aside));
	while (rows_next(&r)) {
		struct aside s = {
			.no = row_int(&r, 0),
			.state = ASIDE_TAKEN,
			.first_at = row_int(&r, 1),
			.attempts = row_int(&r, 2),
			.parcel = {.id = arena_dup(a, row_str(&r, 3)),
				.type = arena_dup(a, row_str(&r, 4)),
				.address = row_null(&r, 5) ? STR_NONE
							   : arena_dup(a, row_str(&r, 5)),
				.at = row_int(&r, 6),
				.body = arena_dup(a, row_str(&r, 7))},
		};

		buf_add(&list, &s, sizeof(s));
	}
	*out = (struct aside *)(void *)list.p;
	*n = list.n / sizeof(struct aside);
	return rows_end(&r, e);
}

static bool
put_some(struct db *w, int64_t route, const struct aside *s, size_t n, struct err *e)
{
	int64_t no[STEP], state[STEP], due[STEP], first[STEP], attempts[STEP], at[STEP];
	struct str why[STEP], id[STEP], type[STEP], address[STEP], body[STEP];
	struct col cols[] = {COL_INTS(no), COL_INTS(state), COL_INTS(due), COL_INTS(first),
		COL_INTS(attempts), COL_TEXTS(why), COL_TEXTS(id), COL_TEXTS(type),
		COL_TEXTS(address), COL_INTS(at), COL_TEXTS(body)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};

	for (size_t i = 0; i < n; i++) {
		no[i] = s[i].no;
		state[i] = s[i].state;
		due[i] = s[i].due_at;
		first[i] = s[i].first_at;
		attempts[i] = s[i].attempts;
		why[i] = s[i].why;
		id[i] = s[i].parcel.id;
		type[i] = s[i].parcel.type;
		address[i] = s[i].parcel.address;
		at[i] = s[i].parcel.at;
		body[i] = s[i].parcel.body;
	}
	return db_exec(w, SQL_ASIDE_INSERT, ARGS(V_INT(route)), &bulk, NULL, e);
}

bool
aside_put(struct db *w, int64_t route, const struct aside *s, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i += STEP)
		if (!put_some(w, route, s + i, MIN_OF(n - i, (size_t)STEP), e))
			return false;
	return true;
}

static bool
update_some(struct db *w, int64_t route, const struct aside *s, size_t n, struct err *e)
{
	int64_t no[STEP], state[STEP], due[STEP];
	struct str why[STEP];
	struct col cols[] = {COL_INTS(no), COL_INTS(state), COL_INTS(due), COL_TEXTS(why)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};

	for (size_t i = 0; i < n; i++) {
		no[i] = s[i].no;
		state[i] = s[i].state;
		due[i] = s[i].due_at;
		why[i] = s[i].why;
	}
	return db_exec(w, SQL_ASIDE_UPDATE, ARGS(V_INT(route)), &bulk, NULL, e);
}

bool
aside_update(struct db *w, int64_t route, const struct aside *s, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i += STEP)
		if (!update_some(w, route, s + i, MIN_OF(n - i, (size_t)STEP), e))
			return false;
	return true;
}

bool
aside_delete(struct db *w, int64_t route, const int64_t *nos, size_t n, struct err *e)
{
	struct col cols[] = {COL_INTS(nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};

	return n == 0 || db_exec(w, SQL_ASIDE_DELETE, ARGS(V_INT(route)), &bulk, NULL, e);
}

bool
aside_take_over(struct db *w, int64_t route, struct err *e)
{
	return db_exec(w, SQL_ASIDE_TAKE_OVER, ARGS(V_INT(route)), NO_BULK, NULL, e);
}

bool
aside_look(struct db *db, int64_t route, int64_t *count, int64_t *due_at, struct err *e)
{
	struct rows r;
	bool found;

	*count = 0;
	*due_at = NO_TIME;
	if (!db_get_int(db, SQL_ASIDE_COUNT, ARGS(V_INT(route)), count, &found, e))
		return false;
	if (*count == 0)
		return true;
	if (!db_query(db, SQL_ASIDE_NEXT_DUE, ARGS(V_INT(route)), NO_BULK, &r, e))
		return false;
	if (rows_next(&r))
		*due_at = row_time(&r, 0);
	return rows_end(&r, e);
}

/* ---- dead letters ------------------------------------------------------------------------ */

bool
aside_trim_dead(struct db *w, int64_t route, struct err *e)
{
	int64_t dropped = 0;

	return db_exec(w, SQL_DEAD_TRIM, ARGS(V_INT(route), V_INT(ASIDE_DEAD_MAX)), NO_BULK,
		       &dropped, e) &&
	       (dropped == 0 || db_exec(w, SQL_ROUTE_DROP_NOTE,
					ARGS(V_INT(route), V_INT(dropped)), NO_BULK, NULL, e));
}

struct collected {
	struct arena *arena;
	struct aside *list;
	size_t n;
};

static bool
collect(void *arg, struct rows *r, struct err *e UNUSED)
{
	struct collected *c = arg;

	c->list[c->n++] = (struct aside){
		.no = row_int(r, 0),
		.state = ASIDE_DEAD,
		.due_at = row_int(r, 1),
		.first_at = row_int(r, 2),
		.attempts = row_int(r, 3),
		.why = arena_dup(c->arena, row_str(r, 4)),
		.parcel = {.id = arena_dup(c->arena, row_str(r, 5)),
			.type = arena_dup(c->arena, row_str(r, 6)),
			.address =
				row_null(r, 7) ? STR_NONE : arena_dup(c->arena, row_str(r, 7)),
			.at = row_int(r, 8),
			.body = arena_dup(c->arena, row_str(r, 9))},
	};
	return true;
}

bool
aside_dead_page(struct db *db, struct arena *a, const struct app *app, int64_t route,
	const struct page_ask *ask, struct aside **out, size_t *n, struct page_links *links,
	struct err *e)
{
	static const struct filter_field fields[] = {
		{"died_at", FILTER_TIME, OP_SCALAR, "p.due_at", FILTER_NEVER_NULL},
	};
	static const struct filter_schema schema = {
		.subject = "dead letter",
		.fields = fields,
		.n = ARRAY_LEN(fields),
		.tie = "p.no",
	};
	const struct page_list list = {
		.name = "dead",
		.scope = arena_printf(a, "%lld", (long long)route),
		.schema = &schema,
		.columns = "p.no, p.due_at, p.first_at, p.attempts, p.why, p.id, p.type, "
			   "p.address, p.at, p.body",
		.from_where = "parcels p WHERE p.route = $1 AND p.state = 2",
		.default_field = "died_at",
		.args = ARGS(V_INT(route)),
	};
	struct collected c = {.arena = a};

	c.list = arena_array(a, (size_t)ask->limit, sizeof(*c.list));
	if (!page_run(db, a, app, &list, ask, collect, &c, links, e))
		return false;
	*out = c.list;
	*n = c.n;
	return true;
}

struct dealing {
	int64_t route, changed;
	struct str id;
	bool replays;
};

static bool
deal_in(struct db *w, void *arg, struct err *e)
{
	struct dealing *d = arg;
	bool ok = d->replays
			  ? db_exec(w, SQL_DEAD_REPLAY,
				    ARGS(V_INT(d->route), V_INT(clock_now_us()), V_TEXT(d->id)),
				    NO_BULK, &d->changed, e)
			  : db_exec(w, SQL_DEAD_DROP, ARGS(V_INT(d->route), V_TEXT(d->id)),
				    NO_BULK, &d->changed, e);

	return ok && db_exec(w, SQL_ROUTE_NUDGE, ARGS(V_INT(d->route)), NO_BULK, NULL, e);
}

static bool
deal(struct db *db, int64_t route, struct str id, bool replays, int64_t *n, struct err *e)
{
	struct dealing d = {.route = route, .id = id, .replays = replays};

	if (!db_write(db, deal_in, &d, e))
		return false;
	*n = d.changed;
	return true;
}

bool
aside_replay(struct db *db, int64_t route, struct str id, int64_t *n, struct err *e)
{
	return deal(db, route, id, true, n, e);
}

bool
aside_drop(struct db *db, int64_t route, struct str id, int64_t *n, struct err *e)
{
	return deal(db, route, id, false, n, e);
}
