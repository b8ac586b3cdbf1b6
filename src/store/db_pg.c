/* db_pg – the PostgreSQL engine: a struct db borrows a connection for each statement or
 * transaction.
 *
 * Statements are prepared once per connection and travel with binary parameters; columns of
 * @rows are arrays.  A result is fetched whole, so that statements may be run while its rows
 * are read; only statements marked large, when their rows turn out to be many or inside a
 * snapshot, and composed ones inside a snapshot, are fetched in pieces through a cursor, which
 * keeps memory bounded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "store/pg.h"

#define FETCH_ROWS 10000
#define FETCH_TEXT "10000"
/* A large statement is asked for so many rows first: mostly these are all, and a cursor would
 * cost three round trips more, and a plan. */
#define FEW_ROWS     4000
#define NAME_MAX_LEN 80
#define WRITE_TRIES  6
#define RETRY_MS     4 /* doubled with each try */

/* The rows of one query. */
struct pg_rows {
	PGresult *res;
	int at, n;
	char cursor[24]; /* its name; empty: the result is whole */
	bool own_tx;     /* a snapshot was begun for the cursor */
	bool failed;
	struct err why;
};

/* ---- statements ------------------------------------------------------------------------ */

/* Ready to run something.  A transaction whose connection was lost stays failed. */
static bool
usable(struct pg_db *d, struct err *e)
{
	if (d->tx == PG_TX_NONE)
		return pg_take(d, e);
	return !pg_is_lost(d) || fail(e, ERR_STORE, "the connection to the database was lost");
}

/* What failed outside of transactions met a dead connection: as everything only reads there
 * (pg_conn.c, SESSION), it may be asked again, on another one. */
static bool
may_ask_again(struct pg_db *d)
{
	if (d->tx != PG_TX_NONE || d->s == NULL || !pg_is_lost(d))
		return false;
	pg_give(d);
	return true;
}

/* Where no transaction is open the session is not needed any more. */
static bool
leave(struct pg_db *d, bool ok)
{
	if (d->tx == PG_TX_NONE)
		pg_give(d);
	return ok;
}

static bool
is_good(const PGresult *res)
{
	ExecStatusType status = PQresultStatus(res);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

/* Prepares under a name and learns the types of the parameters. */
static bool
prepare_as(
	struct pg_db *d, const char *name, const char *sql, struct pg_stmt *out, struct err *e)
{
	PGresult *res = PQprepare(d->s->conn, name, sql, 0, NULL);

	if (!is_good(res))
		return pg_fail(d, res, name, e);
	PQclear(res);
	res = PQdescribePrepared(d->s->conn, name);
	if (!is_good(res)) {
		/* Its name is taken now. */
		d->s->broken = true;
		return pg_fail(d, res, name, e);
	}
	out->n = PQnparams(res);
	out->types = calloc((size_t)out->n + 1, sizeof(*out->types));
	if (out->types == NULL)
		panic("out of memory");
	for (int i = 0; i < out->n; i++)
		out->types[i] = PQparamtype(res, i);
	PQclear(res);
	return true;
}

/* Borrowed from the table, or from ${few}. */
static const char *
name_of(enum sql_id id, enum pg_bite bite, char few[NAME_MAX_LEN])
{
	if (bite == PG_WHOLE)
		return sql_table[id].name;
	snprintf(few, NAME_MAX_LEN, "few_%s", sql_table[id].name);
	return few;
}

static bool
prepare(struct pg_db *d, enum sql_id id, enum pg_bite bite, struct err *e)
{
	const struct sql_text *text = &sql_table[id];
	struct pg_stmt *s = &d->s->stmts[id][bite];
	char name[NAME_MAX_LEN];
	struct buf few;
	bool ok;

	if (text->pg == NULL)
		panic("store: statement %s is not for PostgreSQL", text->name);
	if (s->types != NULL)
		return true;
	if (bite == PG_WHOLE)
		return prepare_as(d, text->name, text->pg, s, e);
	buf_init(&few, NULL, 1024);
	buf_printf(&few, "SELECT * FROM (%s) AS few LIMIT %d + 1", text->pg, FEW_ROWS);
	buf_char(&few, '\0');
	ok = prepare_as(d, name_of(id, bite, name), few.p, s, e);
	buf_free(&few);
	return ok;
}

static void
make_params(struct pg_db *d, enum sql_id id, struct args args, const struct bulk *bulk,
	const struct pg_stmt *s, struct pg_params *out)
{
	size_t ncols = bulk == NULL ? 0 : bulk->ncols;

	if ((int)(args.n + ncols) != s->n || (int)args.n != sql_table[id].params)
		panic("store: statement %s wants %d parameters and %d in all, not %zu and %zu",
			sql_table[id].name, sql_table[id].params, s->n, args.n, args.n + ncols);
	pg_params_make(out, d, s->types, args, bulk);
}

static bool
run_once(struct pg_db *d, enum sql_id id, enum pg_bite bite, struct args args,
	const struct bulk *bulk, PGresult **out, struct err *e)
{
	char name[NAME_MAX_LEN];
	struct pg_params p;

	if (!usable(d, e) || !prepare(d, id, bite, e))
		return false;
	make_params(d, id, args, bulk, &d->s->stmts[id][bite], &p);
	*out = pg_result(d, PQsendQueryPrepared(d->s->conn, name_of(id, bite, name), p.n,
				    p.values, p.lengths, p.formats, 1));
	pg_params_free(&p);
	return is_good(*out) || pg_fail(d, *out, sql_table[id].name, e);
}

static bool
run_statement(struct pg_db *d, enum sql_id id, enum pg_bite bite, struct args args,
	const struct bulk *bulk, PGresult **out, struct err *e)
{
	return leave(
		d, run_once(d, id, bite, args, bulk, out, e) ||
			   (may_ask_again(d) && run_once(d, id, bite, args, bulk, out, e)));
}

static bool
pg_exec(struct db *db, enum sql_id id, struct args args, const struct bulk *bulk,
	int64_t *changed, struct err *e)
{
	PGresult *res;

	if (!run_statement(pg_of(db), id, PG_WHOLE, args, bulk, &res, e))
		return false;
	if (changed != NULL)
		*changed = strtoll(PQcmdTuples(res), NULL, 10);
	PQclear(res);
	return true;
}

/* ---- rows ------------------------------------------------------------------------------ */

static struct pg_rows *
rows_new(struct db *db, PGresult *res, struct rows *out)
{
	struct pg_rows *r = calloc(1, sizeof(*r));

	if (r == NULL)
		panic("out of memory");
	r->res = res;
	r->n = res == NULL ? 0 : PQntuples(res);
	r->at = -1;
	*out = (struct rows){.db = db, .stmt = r};
	return r;
}

static bool
fetch(struct pg_db *d, struct pg_rows *r)
{
	char sql[64];

	PQclear(r->res);
	snprintf(sql, sizeof(sql), "FETCH FORWARD " FETCH_TEXT " FROM %s", r->cursor);
	r->res = pg_result(d, PQsendQueryParams(d->s->conn, sql, 0, NULL, NULL, NULL, NULL, 1));
	r->at = -1;
	r->n = 0;
	if (!is_good(r->res)) {
		r->failed = true;
		pg_fail(d, r->res, "query", &r->why);
		r->res = NULL;
		return false;
	}
	r->n = PQntuples(r->res);
	return true;
}

/* Opens a cursor, with a snapshot of its own when there is none, and fetches the first
 * piece. */
static bool
open_cursor(struct db *db, struct str sql, const struct pg_params *p, struct rows *out,
	struct err *e)
{
	struct pg_db *d = pg_of(db);
	struct pg_rows *r = rows_new(db, NULL, out);
	struct buf declare;
	PGresult *res;
	bool ok = true;

	if (d->tx == PG_TX_NONE) {
		ok = pg_run(d, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", e);
		r->own_tx = ok;
		d->tx = ok ? PG_TX_READ : PG_TX_NONE;
	}
	if (ok) {
		snprintf(r->cursor, sizeof(r->cursor), "fan_%u", ++d->cursors);
		buf_init(&declare, NULL, sql.n + 64);
		buf_printf(&declare, "DECLARE %s NO SCROLL CURSOR FOR ", r->cursor);
		buf_str(&declare, sql);
		buf_char(&declare, '\0');
		res = PQexecParams(d->s->conn, declare.p, p->n, p->types, p->values, p->lengths,
			p->formats, 1);
		buf_free(&declare);
		ok = is_good(res);
		if (ok)
			PQclear(res);
		else
			pg_fail(d, res, "query", &r->why);
		r->failed = !ok;
	}
	ok = ok && fetch(d, r);
	if (!ok && r->failed)
		rows_end(out, e);
	else if (!ok)
		free(r);
	return ok;
}

static bool
query_large_once(struct db *db, enum sql_id id, struct args args, const struct bulk *bulk,
	struct rows *out, struct err *e)
{
	struct pg_db *d = pg_of(db);
	struct pg_params p;
	bool ok;

	if (!usable(d, e) || !prepare(d, id, PG_WHOLE, e))
		return false;
	make_params(d, id, args, bulk, &d->s->stmts[id][PG_WHOLE], &p);
	ok = open_cursor(db, str_of(sql_table[id].pg), &p, out, e);
	pg_params_free(&p);
	return ok;
}

static bool
query_large(struct db *db, enum sql_id id, struct args args, const struct bulk *bulk,
	struct rows *out, struct err *e)
{
	struct pg_db *d = pg_of(db);

	return leave(
		d, query_large_once(db, id, args, bulk, out, e) ||
			   (may_ask_again(d) && query_large_once(db, id, args, bulk, out, e)));
}

static bool
pg_query(struct db *db, enum sql_id id, struct args args, const struct bulk *bulk,
	struct rows *out, struct err *e)
{
	struct pg_db *d = pg_of(db);
	bool is_large = sql_table[id].large;
	PGresult *res;

	/* In a snapshot there is work for many rows, and no snapshot to be begun. */
	if (is_large && d->tx != PG_TX_NONE)
		return query_large(db, id, args, bulk, out, e);
	if (!run_statement(d, id, is_large ? PG_FEW : PG_WHOLE, args, bulk, &res, e))
		return false;
	if (is_large && PQntuples(res) > FEW_ROWS) {
		PQclear(res);
		return query_large(db, id, args, bulk, out, e);
	}
	rows_new(db, res, out);
	return true;
}

static bool
query_text_once(struct db *db, struct str sql, const struct pg_params *p, struct rows *out,
	struct err *e)
{
	struct pg_db *d = pg_of(db);
	PGresult *res;
	char *text;

	if (!usable(d, e))
		return false;
	if (d->tx == PG_TX_READ)
		return open_cursor(db, sql, p, out, e);
	text = strndup(sql.p, sql.n);
	if (text == NULL)
		panic("out of memory");
	res = pg_result(d, PQsendQueryParams(d->s->conn, text, p->n, p->types, p->values,
				   p->lengths, p->formats, 1));
	free(text);
	if (!is_good(res))
		return pg_fail(d, res, "query", e);
	rows_new(db, res, out);
	return true;
}

static bool
pg_query_text(struct db *db, struct str sql, struct args args, struct rows *out, struct err *e)
{
	struct pg_db *d = pg_of(db);
	struct pg_params p;
	bool ok;

	pg_params_make(&p, d, NULL, args, NO_BULK);
	ok = query_text_once(db, sql, &p, out, e) ||
	     (may_ask_again(d) && query_text_once(db, sql, &p, out, e));
	pg_params_free(&p);
	return leave(d, ok);
}

static bool
pg_rows_next(struct rows *rows)
{
	struct pg_rows *r = rows->stmt;

	if (++r->at < r->n)
		return true;
	if (r->cursor[0] == '\0' || r->n < FETCH_ROWS || r->failed)
		return false;
	return fetch(pg_of(rows->db), r) && ++r->at < r->n;
}

static bool
pg_rows_end(struct rows *rows, struct err *e)
{
	struct pg_db *d = pg_of(rows->db);
	struct pg_rows *r = rows->stmt;
	bool ok = !r->failed;
	struct err ignored;
	char close[48];

	if (r->own_tx) {
		d->tx = PG_TX_NONE;
		if (!pg_is_lost(d) && !pg_run(d, "ROLLBACK", &ignored))
			pg_drop(d);
		pg_give(d);
	} else if (r->cursor[0] != '\0' && ok) {
		snprintf(close, sizeof(close), "CLOSE %s", r->cursor);
		ok = pg_run(d, close, &r->why);
	}
	if (!ok)
		*e = r->why;
	PQclear(r->res);
	free(r);
	rows->stmt = NULL;
	return ok;
}

static int64_t
pg_row_int(struct rows *rows, int col)
{
	const struct pg_rows *r = rows->stmt;

	return pg_cell_int(r->res, r->at, col);
}

static double
pg_row_real(struct rows *rows, int col)
{
	const struct pg_rows *r = rows->stmt;

	return pg_cell_real(r->res, r->at, col);
}

static struct str
pg_row_str(struct rows *rows, int col)
{
	const struct pg_rows *r = rows->stmt;

	if (PQgetisnull(r->res, r->at, col))
		return STR_NONE;
	return (struct str){
		PQgetvalue(r->res, r->at, col), (size_t)PQgetlength(r->res, r->at, col)};
}

static bool
pg_row_null(struct rows *rows, int col)
{
	const struct pg_rows *r = rows->stmt;

	return PQgetisnull(r->res, r->at, col) != 0;
}

/* A sub-query that cannot be merged is run row by row. */
static void
pg_probe(struct buf *sql, const char *table, const char *alias, const char *on)
{
	buf_printf(sql, " JOIN LATERAL (SELECT * FROM %s %s WHERE %s OFFSET 0) AS %s ON true",
		table, alias, on, alias);
}

static void
pg_set_deadline(struct db *db, int64_t mono_us)
{
	pg_of(db)->deadline = mono_us;
}

/* ---- transactions ---------------------------------------------------------------------- */

enum outcome { DONE, FAILED, AGAIN };

/* Ends what is open; a connection that cannot even do that is not used again. */
static void
roll_back(struct pg_db *d)
{
	struct err ignored;

	if (!pg_is_lost(d) && !pg_run(d, "ROLLBACK", &ignored))
		pg_drop(d);
}

static bool
begin_read(struct pg_db *d, struct err *e)
{
	return pg_take(d, e) && pg_run(d, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", e);
}

static bool
pg_read(struct db *db, tx_fn fn, void *arg, struct err *e)
{
	struct pg_db *d = pg_of(db);
	bool ok;

	if (d->tx != PG_TX_NONE)
		return fn(db, arg, e);
	/* Begun anew only where ${fn} has seen nothing yet. */
	if (!begin_read(d, e) && !(may_ask_again(d) && begin_read(d, e)))
		return leave(d, false);
	d->tx = PG_TX_READ;
	ok = fn(db, arg, e);
	d->tx = PG_TX_NONE;
	roll_back(d);
	return leave(d, ok);
}

/* After COMMIT was sent, a lost connection says nothing about its fate: it is neither told as
 * a success nor done once more (I-19, I-20). */
static enum outcome
commit(struct pg_db *d, struct err *e)
{
	PGresult *res = PQexec(d->s->conn, "COMMIT");
	enum outcome outcome = DONE;

	if (PQresultStatus(res) == PGRES_COMMAND_OK) {
		if (strcmp(PQcmdStatus(res), "COMMIT") != 0) {
			fail(e, ERR_STORE, "store: the transaction was undone");
			outcome = FAILED;
		}
		PQclear(res);
		return outcome;
	}
	pg_fail(d, res, "commit", e);
	if (pg_is_lost(d)) {
		e->code = ERR_UNCERTAIN;
		return FAILED;
	}
	return d->again ? AGAIN : FAILED;
}

static enum outcome
write_once(struct pg_db *d, const char *begin, tx_fn fn, void *arg, struct err *e)
{
	bool ok;

	d->again = false;
	if (!pg_take(d, e))
		return FAILED;
	ok = pg_run(d, begin, e);
	if (ok) {
		d->tx = PG_TX_WRITE;
		ok = fn(&d->base, arg, e);
		d->tx = PG_TX_NONE;
		if (ok && !pg_is_lost(d))
			return commit(d, e);
	}
	if (pg_is_lost(d))
		return AGAIN;
	roll_back(d);
	return d->again ? AGAIN : FAILED;
}

static bool
write_in(struct db *db, const char *begin, tx_fn fn, void *arg, struct err *e)
{
	struct pg_db *d = pg_of(db);

	if (d->tx == PG_TX_WRITE)
		return fn(db, arg, e);
	if (d->tx == PG_TX_READ)
		panic("store: db_write inside db_read");
	for (int try = 1;; try++) {
		enum outcome outcome = write_once(d, begin, fn, arg, e);

		pg_give(d);
		if (outcome == DONE)
			d->deadline = 0;
		if (outcome != AGAIN || try == WRITE_TRIES)
			return outcome == DONE;
		if (d->again)
			pg_sleep((int64_t)RETRY_MS << try);
	}
}

/* One after the other, as SQLite does it: what ${fn} has read stays true until it is done
 * (docs/decisions/006-writers-in-line.md). */
static bool
pg_write(struct db *db, tx_fn fn, void *arg, struct err *e)
{
	return write_in(db, "BEGIN READ WRITE; SELECT pg_advisory_xact_lock(" PG_LOCK_WRITE ")",
		fn, arg, e);
}

static bool
pg_write_beside(struct db *db, tx_fn fn, void *arg, struct err *e)
{
	return write_in(db, "BEGIN READ WRITE", fn, arg, e);
}

static bool
pg_attempt(struct db *db, tx_fn fn, void *arg, struct err *e)
{
	struct pg_db *d = pg_of(db);
	struct err broken;

	if (!usable(d, e) || !pg_run(d, "SAVEPOINT attempt", e))
		return false;
	if (fn(db, arg, e))
		return pg_run(d, "RELEASE SAVEPOINT attempt", e);
	if (!pg_is_lost(d) &&
		!pg_run(d, "ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt", &broken))
		*e = broken;
	return false;
}

static bool
pg_lock(struct db *db, bool shared, struct err *e)
{
	return pg_exec(db, shared ? SQL_LOCK_SHARE : SQL_LOCK_TAKE,
		ARGS(V_INT(PG_LOCK_CHANNELS)), NO_BULK, NULL, e);
}

static bool
pg_now(struct db *db, int64_t *us, struct err *e)
{
	bool found;

	return db_get_int(db, SQL_STORE_NOW, NO_ARGS, us, &found, e);
}

/* ---- open and close -------------------------------------------------------------------- */

static void
pg_close(struct db *db)
{
	struct pg_db *d = pg_of(db);

	pg_give(d);
	buf_free(&d->scratch);
	free(d);
}

/* Connects with the first statement: a server that is away fails statements, not threads. */
static bool
pg_open(struct db **out, struct store *s, struct err *e UNUSED)
{
	struct pg_db *d = calloc(1, sizeof(*d));

	if (d == NULL)
		panic("out of memory");
	d->base = (struct db){.driver = &driver_pg, .store = s};
	buf_init(&d->scratch, NULL, 4096);
	*out = &d->base;
	return true;
}

static void
pg_store_close(struct store *store)
{
	struct pg_store *s = (struct pg_store *)store;

	pg_pool_free(s->pool);
	free(s->url);
	free(s->shown);
	free(s);
}

/* A server that goes away again meanwhile is waited for once more. */
static bool
open_patiently(struct pg_db *d, struct store_opts opts, struct err *e)
{
	int64_t until = clock_mono_us() + opts.wait_ms * 1000;
	bool ok, lost;

	do {
		opts.wait_ms = MAX_OF(until - clock_mono_us(), 0) / 1000;
		ok = pg_take_patiently(d, &opts, e) && pg_migrate(d, e);
		lost = d->s != NULL && pg_is_lost(d);
		/* Its time limits were lifted. */
		pg_drop(d);
	} while (!ok && lost && clock_mono_us() < until);
	return ok;
}

static bool
pg_store_open(struct store **out, const char *url, const struct store_opts *opts, struct err *e)
{
	struct pg_store *s = calloc(1, sizeof(*s));
	struct db *db;
	bool ok;

	if (s == NULL)
		panic("out of memory");
	s->base.driver = &driver_pg;
	s->shown = pg_show(url, e);
	s->url = strdup(url);
	if (s->url == NULL)
		panic("out of memory");
	s->pool = pg_pool_new(s->url, s->shown, opts->connections);
	ok = s->shown != NULL && pg_open(&db, &s->base, e);
	if (ok) {
		ok = open_patiently(pg_of(db), *opts, e);
		pg_close(db);
	}
	if (ok)
		*out = &s->base;
	else
		pg_store_close(&s->base);
	return ok;
}

const struct driver driver_pg = {
	.exclusive = false,
	.slice_rows = 5000,
	.store_open = pg_store_open,
	.store_close = pg_store_close,
	.open = pg_open,
	.close = pg_close,
	.set_deadline = pg_set_deadline,
	.read = pg_read,
	.write = pg_write,
	.write_long = pg_write,
	.write_beside = pg_write_beside,
	.attempt = pg_attempt,
	.lock = pg_lock,
	.now = pg_now,
	.listen = pg_listen,
	.unlisten = pg_unlisten,
	.wake = pg_wake,
	.hear = pg_hear,
	.say = pg_say,
	.exec = pg_exec,
	.query = pg_query,
	.query_text = pg_query_text,
	.rows_next = pg_rows_next,
	.rows_end = pg_rows_end,
	.row_int = pg_row_int,
	.row_real = pg_row_real,
	.row_str = pg_row_str,
	.row_null = pg_row_null,
	.json_cmp = pg_json_cmp,
	.json_order = pg_json_order,
	.probe = pg_probe,
};
