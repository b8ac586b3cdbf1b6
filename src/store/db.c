/* db – chooses the engine by URL and hands each call to it. */
#include "store/db.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "store/driver.h"

#define WAIT_MS 10000
/* Of text in the rows of one statement, where these may be divided. */
#define STATEMENT_BYTES ((size_t)4 << 20)

static const struct {
	const char *scheme;
	const struct driver *driver;
} engines[] = {
	{"sqlite:", &driver_sqlite},
	{"postgresql://", &driver_pg},
	{"postgres://", &driver_pg},
};

bool
store_open_with(
	struct store **out, const char *url, const struct store_opts *opts, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(engines); i++)
		if (str_starts(str_of(url), str_of(engines[i].scheme)))
			return engines[i].driver->store_open(out, url, opts, e);
	/* Behind these may stand what is a password. */
	return fail(e, ERR_INPUT,
		"store %.*s: expected sqlite:PATH or postgresql://USER@HOST/DATABASE",
		(int)strcspn(url, ":=@?"), url);
}

bool
store_open(struct store **out, const char *url, struct err *e)
{
	return store_open_with(out, url, &(struct store_opts){.wait_ms = WAIT_MS}, e);
}

void
store_close(struct store *s)
{
	if (s != NULL)
		s->driver->store_close(s);
}

bool
store_is_exclusive(const struct store *s)
{
	return s->driver->exclusive;
}

void
store_listen(struct store *s, store_wake_fn on_wake, void *arg)
{
	if (s->driver->listen != NULL)
		s->driver->listen(s, on_wake, arg);
}

void
store_unlisten(struct store *s)
{
	if (s->driver->unlisten != NULL)
		s->driver->unlisten(s);
}

void
store_wake(struct store *s, enum store_word word)
{
	if (s->driver->wake != NULL)
		s->driver->wake(s, word);
}

void
store_hear(struct store *s, store_said_fn on_said, void *arg)
{
	if (s->driver->hear != NULL)
		s->driver->hear(s, on_said, arg);
}

void
store_say(struct store *s, struct str text)
{
	if (s->driver->say != NULL && text.n <= STORE_SAID_MAX)
		s->driver->say(s, text);
}

bool
db_open(struct db **out, struct store *s, struct err *e)
{
	return s->driver->open(out, s, e);
}

void
db_close(struct db *db)
{
	if (db != NULL)
		db->driver->close(db);
}

void
db_set_deadline(struct db *db, int64_t mono_us)
{
	db->driver->set_deadline(db, mono_us);
}

bool
db_read(struct db *db, tx_fn fn, void *arg, struct err *e)
{
	return db->driver->read(db, fn, arg, e);
}

void
db_set_cause(struct db *db, struct str cause)
{
	db->cause = cause;
}

struct str
db_cause(const struct db *w)
{
	return w->cause;
}

/* A transaction with the cause of who asked for it. */
struct caused {
	tx_fn fn;
	void *arg;
	struct str cause;
};

/* What it runs on is others' before and afterwards. */
static bool
run_caused(struct db *w, void *arg, struct err *e)
{
	const struct caused *c = arg;
	struct str before = w->cause;
	bool ok;

	w->cause = c->cause;
	ok = c->fn(w, c->arg, e);
	w->cause = before;
	return ok;
}

bool
db_write(struct db *db, tx_fn fn, void *arg, struct err *e)
{
	struct caused c = {fn, arg, db->cause};

	if (!db->driver->write(db, run_caused, &c, e))
		return false;
	db->has_written = true;
	return true;
}

bool
db_write_long(struct db *db, tx_fn fn, void *arg, struct err *e)
{
	struct caused c = {fn, arg, db->cause};

	if (!db->driver->write_long(db, run_caused, &c, e))
		return false;
	db->has_written = true;
	return true;
}

size_t
db_slice_rows(const struct db *db)
{
	return db->driver->slice_rows;
}

bool
db_take_written(struct db *db)
{
	bool written = db->has_written;

	db->has_written = false;
	return written;
}

bool
db_write_beside(struct db *db, tx_fn fn, void *arg, struct err *e)
{
	return db->driver->write_beside(db, fn, arg, e);
}

bool
db_attempt(struct db *w, tx_fn fn, void *arg, struct err *e)
{
	return w->driver->attempt(w, fn, arg, e);
}

bool
db_lock_channels(struct db *w, bool shared, struct err *e)
{
	return w->driver->lock == NULL || w->driver->lock(w, shared, e);
}

bool
db_now(struct db *db, int64_t *us, struct err *e)
{
	if (db->driver->now != NULL)
		return db->driver->now(db, us, e);
	*us = clock_now_us();
	return true;
}

bool
db_exec(struct db *db, enum sql_id id, struct args args, const struct bulk *bulk,
	int64_t *changed, struct err *e)
{
	return db->driver->exec(db, id, args, bulk, changed, e);
}

static size_t
row_bytes(const struct bulk *bulk, size_t row)
{
	size_t bytes = 0;

	for (size_t c = 0; c < bulk->ncols; c++)
		if (bulk->cols[c].texts != NULL)
			bytes += bulk->cols[c].texts[row].n;
	return bytes;
}

/* The rows from ${from} on that make one statement; at least one. */
static struct bulk
cut_rows(const struct bulk *bulk, size_t from, struct col cols[BULK_MAX_COLS])
{
	struct bulk part = {cols, bulk->ncols, 0};
	size_t bytes = 0;

	for (size_t c = 0; c < bulk->ncols; c++) {
		const struct col *col = &bulk->cols[c];

		cols[c].ints = col->ints == NULL ? NULL : col->ints + from;
		cols[c].texts = col->texts == NULL ? NULL : col->texts + from;
	}
	while (from + part.nrows < bulk->nrows && bytes < STATEMENT_BYTES)
		bytes += row_bytes(bulk, from + part.nrows++);
	return part;
}

bool
db_exec_rows(
	struct db *db, enum sql_id id, struct args args, const struct bulk *bulk, struct err *e)
{
	struct col cols[BULK_MAX_COLS];
	size_t at = 0;

	while (at < bulk->nrows) {
		struct bulk part = cut_rows(bulk, at, cols);

		if (!db_exec(db, id, args, &part, NULL, e))
			return false;
		at += part.nrows;
	}
	return true;
}

bool
db_query(struct db *db, enum sql_id id, struct args args, const struct bulk *bulk,
	struct rows *out, struct err *e)
{
	return db->driver->query(db, id, args, bulk, out, e);
}

bool
db_query_text(struct db *db, struct str sql, struct args args, struct rows *out, struct err *e)
{
	return db->driver->query_text(db, sql, args, out, e);
}

bool
rows_next(struct rows *r)
{
	return r->db->driver->rows_next(r);
}

bool
rows_end(struct rows *r, struct err *e)
{
	return r->db->driver->rows_end(r, e);
}

int64_t
row_int(struct rows *r, int col)
{
	return r->db->driver->row_int(r, col);
}

double
row_real(struct rows *r, int col)
{
	return r->db->driver->row_real(r, col);
}

struct str
row_str(struct rows *r, int col)
{
	return r->db->driver->row_str(r, col);
}

bool
row_null(struct rows *r, int col)
{
	return r->db->driver->row_null(r, col);
}

int64_t
row_time(struct rows *r, int col)
{
	return row_null(r, col) ? INT64_MIN : row_int(r, col);
}

bool
db_get_int(struct db *db, enum sql_id id, struct args args, int64_t *out, bool *found,
	struct err *e)
{
	struct rows r;

	if (!db_query(db, id, args, NO_BULK, &r, e))
		return false;
	*found = rows_next(&r);
	if (*found)
		*out = row_int(&r, 0);
	return rows_end(&r, e);
}

bool
db_take(struct db *db, enum counter c, int64_t n, int64_t *first, struct err *e)
{
	static const char *const names[] = {
		[COUNTER_USER] = "user",
		[COUNTER_CHANNEL] = "channel",
		[COUNTER_MESSAGE] = "message",
		[COUNTER_CAMPAIGN] = "campaign",
		[COUNTER_SEGMENT] = "segment",
		[COUNTER_POLL] = "poll",
		[COUNTER_VOTE] = "vote",
		[COUNTER_TASK] = "task",
		[COUNTER_EVENT] = "event",
		[COUNTER_ROUTE] = "route",
		[COUNTER_REMOVAL] = "removal",
	};
	bool found;

	return db_get_int(db, SQL_COUNTER_TAKE, ARGS(V_TEXT(str_of(names[c])), V_INT(n)), first,
		&found, e);
}

void
db_json_cmp(struct db *db, struct buf *sql, const struct json_test *t)
{
	db->driver->json_cmp(sql, t);
}

void
db_json_order(
	struct db *db, struct buf *sql, const char *column, int key_param, bool descending)
{
	db->driver->json_order(sql, column, key_param, descending);
}

void
db_probe(struct db *db, struct buf *sql, const char *table, const char *alias, const char *on)
{
	db->driver->probe(sql, table, alias, on);
}
