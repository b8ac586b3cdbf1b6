/* db_sqlite – the SQLite engine: WAL, free readers, one writing connection.
 *
 * SQLite before 3.51.3 (Debian 12 has 3.40.1) can lose commits when one connection commits
 * while another starts a checkpoint that resets the WAL.  So every commit and every
 * checkpoint is made by the one connection of store/writer.c: the others are query_only,
 * never checkpoint by themselves (wal_autocheckpoint = 0) nor when they close
 * (NO_CKPT_ON_CLOSE), and close before the writer.  connection_open() enforces it,
 * tests/unit/store/test_sqlite.c holds it to that. */
#include <sys/file.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "store/driver.h"
#include "store/sqlite.h"
#include "store/sqlite_fn.h"
#include "store/writer.h"

/* The writer's page cache: a batch dirties about 100 pages of 16 KiB.  Readers need little,
 * there are many of them. */
#define PRAGMAS_WRITER                                                          \
	"PRAGMA page_size = 16384; PRAGMA journal_mode = WAL;"                  \
	"PRAGMA synchronous = FULL;"                                            \
	"PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 134217728;" \
	"PRAGMA cache_size = -49152; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = 0;"
#define PRAGMAS_READER                                                                     \
	"PRAGMA query_only = 1; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -1024;" \
	"PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = 0; PRAGMA cell_size_check = ON;"

#define DEADLINE_STEPS 10000

/* How long the writer waits for whoever has locked the file: a copy of it is being made. */
#define BUSY_MS 2000

/* Pages in the log when it is time for a checkpoint: 16 MiB, which a disk takes in about as
 * long as a batch.  With four times as many, clients waited four times as long, and nothing
 * became faster. */
#define CHECKPOINT_PAGES 1000
/* The log begins anew when all of it was moved and nobody reads from it any more.  While
 * readers overlap that may never be so by itself: one that has grown to 64 MiB is moved for
 * good, for which the writer waits for readers a moment. */
#define LONG_LOG_PAGES  (4 * CHECKPOINT_PAGES)
#define READERS_WAIT_MS 100
/* What was not moved is tried again when the log has grown by so much. */
#define RETRY_PAGES 250

/* Ids that come in no order touch nearly every page of their directory, in a slice of 5,000 as
 * in one of 30,000: at a million UUIDs 7 KB were written for each user, and are 2 now. */
#define SLICE_ROWS 32768

struct sqlite_store {
	struct store base;
	char *path;
	int lock_fd;
	struct sqlite_db *writing; /* used by the writer's thread alone */
	struct writer *writer;
};

struct sqlite_db {
	struct db base;
	sqlite3 *h;
	struct bulk_source source;
	bool is_writer;
	int depth;        /* nested db_read */
	int64_t deadline; /* monotonic µs, 0: none */
	int failed;       /* the result code that ended the last rows_next */
	int log_pages;    /* of the writer: in the log */
	int due_pages;    /* when the log is so long a checkpoint is due */
	sqlite3_stmt *stmts[SQL_COUNT];
};

enum rows_state { ROWS_KEPT = 1, ROWS_TEXT = 2 }; /* statement stays prepared / goes */

static struct sqlite_db *
of(struct db *db)
{
	return (struct sqlite_db *)db;
}

/* Of the data and not of the moment: values that are too big, break a constraint, or that a
 * trigger of the operator refuses. */
static bool
is_of_data(int rc)
{
	return rc == SQLITE_CONSTRAINT || rc == SQLITE_TOOBIG || rc == SQLITE_MISMATCH;
}

static bool
is_collision(int extended)
{
	return extended == SQLITE_CONSTRAINT_UNIQUE ||
	       extended == SQLITE_CONSTRAINT_PRIMARYKEY || extended == SQLITE_CONSTRAINT_ROWID;
}

/* Maps a failure of SQLite.  A failed fsync must not be retried: what the kernel dropped is
 * gone although the next fsync succeeds, so the process ends and recovers from the log at
 * the next start (I-20). */
static bool
fail_sqlite(struct sqlite_db *d, int rc, const char *what, struct err *e)
{
	int extended = sqlite3_extended_errcode(d->h);

	if (extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC)
		panic("store: fsync failed; ending, to recover from the log at the next start");
	if (extended == SQLITE_NOMEM)
		panic("store: out of memory");
	if (rc == SQLITE_INTERRUPT)
		return fail(e, ERR_TIMEOUT, "the query takes too long; narrow the filter");
	if ((rc & 0xff) == SQLITE_CONSTRAINT && is_collision(extended))
		return fail(e, ERR_STALE, "%s: %s", what, sqlite3_errmsg(d->h));
	if (is_of_data(rc & 0xff))
		return fail(e, ERR_UNFIT, "the store cannot take a value: %s (%s)",
			sqlite3_errmsg(d->h), what);
	return fail(e, ERR_STORE, "%s: %s", what, sqlite3_errmsg(d->h));
}

bool
sqlite_run(struct db *db, const char *sql, struct err *e)
{
	struct sqlite_db *d = of(db);
	int rc = sqlite3_exec(d->h, sql, NULL, NULL, NULL);

	/* A script would be longer than the reason. */
	return rc == SQLITE_OK ||
	       fail_sqlite(d, rc, strchr(sql, '\n') == NULL ? sql : "store", e);
}

/* Called by SQLite after each commit, with the length of the log. */
static int
note_log(void *arg, sqlite3 *h UNUSED, const char *name UNUSED, int pages)
{
	struct sqlite_db *d = arg;

	if (pages < d->log_pages) /* it began anew */
		d->due_pages = CHECKPOINT_PAGES;
	d->log_pages = pages;
	return SQLITE_OK;
}

bool
sqlite_checkpoint_due(struct db *db)
{
	return of(db)->log_pages >= of(db)->due_pages;
}

/* What cannot be moved yet, since somebody reads an older state, is moved the next time.
 * SQLITE_CHECKPOINT_RESTART waits for who reads an older state, and then for who reads from the
 * log; who comes after that finds all in the file. */
void
sqlite_checkpoint(struct db *db)
{
	struct sqlite_db *d = of(db);
	struct err e;
	bool is_long = d->log_pages >= LONG_LOG_PAGES;
	int rc;

	sqlite3_busy_timeout(d->h, READERS_WAIT_MS);
	rc = sqlite3_wal_checkpoint_v2(d->h, NULL,
		is_long ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	sqlite3_busy_timeout(d->h, BUSY_MS);
	d->due_pages = d->log_pages + RETRY_PAGES;
	if (rc != SQLITE_OK && rc != SQLITE_BUSY)
		fail_sqlite(d, rc, "checkpoint", &e);
}

/* ---- statements ------------------------------------------------------------------ */

static int
bind_all(sqlite3_stmt *stmt, struct args args)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; i < args.n && rc == SQLITE_OK; i++) {
		const struct val *v = &args.v[i];
		int k = (int)i + 1;

		switch (v->type) {
		case VAL_NULL:
			rc = sqlite3_bind_null(stmt, k);
			break;
		case VAL_INT:
			rc = sqlite3_bind_int64(stmt, k, v->i);
			break;
		case VAL_REAL:
			rc = sqlite3_bind_double(stmt, k, v->d);
			break;
		case VAL_TEXT:
			rc = sqlite3_bind_text64(
				stmt, k, v->s.p, v->s.n, SQLITE_STATIC, SQLITE_UTF8);
			break;
		case VAL_BLOB:
			rc = sqlite3_bind_blob64(stmt, k, v->s.p, v->s.n, SQLITE_STATIC);
			break;
		}
	}
	return rc;
}

/* The prepared statement, bound and ready to step. */
static bool
prepare(struct sqlite_db *d, enum sql_id id, struct args args, const struct bulk *bulk,
	sqlite3_stmt **out, struct err *e)
{
	const struct sql_text *text = &sql_table[id];
	int rc;

	*out = NULL;
	if (d->stmts[id] == NULL) {
		rc = sqlite3_prepare_v3(
			d->h, text->sqlite, -1, SQLITE_PREPARE_PERSISTENT, &d->stmts[id], NULL);
		if (rc != SQLITE_OK)
			return fail_sqlite(d, rc, text->name, e);
	}
	*out = d->stmts[id];
	if (sqlite3_stmt_busy(*out))
		panic("store: statement %s is run while it is busy", text->name);
	if ((int)args.n != text->params)
		panic("store: statement %s wants %d parameters, not %zu", text->name,
			text->params, args.n);
	rc = bind_all(*out, args);
	if (rc != SQLITE_OK)
		return fail_sqlite(d, rc, text->name, e);
	d->source.now = bulk;
	return true;
}

static bool
sqlite_exec(struct db *db, enum sql_id id, struct args args, const struct bulk *bulk,
	int64_t *changed, struct err *e)
{
	struct sqlite_db *d = of(db);
	sqlite3_stmt *stmt;
	int rc;

	if (!prepare(d, id, args, bulk, &stmt, e))
		return false;
	rc = sqlite3_step(stmt);
	if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
		fail_sqlite(d, rc, sql_table[id].name, e);
		sqlite3_reset(stmt);
		return false;
	}
	if (changed != NULL)
		*changed = sqlite3_changes64(d->h);
	sqlite3_reset(stmt);
	return true;
}

static bool
sqlite_query(struct db *db, enum sql_id id, struct args args, const struct bulk *bulk,
	struct rows *out, struct err *e)
{
	sqlite3_stmt *stmt;

	if (!prepare(of(db), id, args, bulk, &stmt, e))
		return false;
	*out = (struct rows){db, stmt, ROWS_KEPT};
	of(db)->failed = SQLITE_OK;
	return true;
}

/* $1 → ?1: SQLite takes ?n by number, $n by order of appearance. */
static char *
number_params(struct str sql)
{
	char *copy = malloc(sql.n + 1);

	if (copy == NULL)
		panic("out of memory");
	for (size_t i = 0; i < sql.n; i++)
		copy[i] = sql.p[i] == '$' ? '?' : sql.p[i];
	copy[sql.n] = '\0';
	return copy;
}

static bool
sqlite_query_text(
	struct db *db, struct str sql, struct args args, struct rows *out, struct err *e)
{
	struct sqlite_db *d = of(db);
	char *text = number_params(sql);
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(d->h, text, -1, &stmt, NULL);

	free(text);
	if (rc == SQLITE_OK)
		rc = bind_all(stmt, args);
	if (rc != SQLITE_OK) {
		fail_sqlite(d, rc, "query", e);
		sqlite3_finalize(stmt);
		return false;
	}
	*out = (struct rows){db, stmt, ROWS_TEXT};
	d->failed = SQLITE_OK;
	return true;
}

static bool
sqlite_rows_next(struct rows *r)
{
	int rc = sqlite3_step(r->stmt);

	if (rc == SQLITE_ROW)
		return true;
	if (rc != SQLITE_DONE)
		of(r->db)->failed = rc;
	return false;
}

static bool
sqlite_rows_end(struct rows *r, struct err *e)
{
	struct sqlite_db *d = of(r->db);
	bool ok = d->failed == SQLITE_OK;

	if (!ok)
		fail_sqlite(d, d->failed, "query", e);
	d->failed = SQLITE_OK;
	if (r->state == ROWS_TEXT)
		sqlite3_finalize(r->stmt);
	else
		sqlite3_reset(r->stmt);
	r->stmt = NULL;
	return ok;
}

static int64_t
sqlite_row_int(struct rows *r, int col)
{
	return sqlite3_column_int64(r->stmt, col);
}

static double
sqlite_row_real(struct rows *r, int col)
{
	return sqlite3_column_double(r->stmt, col);
}

static struct str
sqlite_row_str(struct rows *r, int col)
{
	const char *p;

	switch (sqlite3_column_type(r->stmt, col)) {
	case SQLITE_NULL:
		return STR_NONE;
	case SQLITE_BLOB:
		p = sqlite3_column_blob(r->stmt, col);
		break;
	default:
		p = (const char *)sqlite3_column_text(r->stmt, col);
		break;
	}
	return (struct str){p == NULL ? "" : p, (size_t)sqlite3_column_bytes(r->stmt, col)};
}

static bool
sqlite_row_null(struct rows *r, int col)
{
	return sqlite3_column_type(r->stmt, col) == SQLITE_NULL;
}

static void
sqlite_json_order(struct buf *sql, const char *column, int key_param, bool descending)
{
	buf_printf(sql, "(%s ->> CAST($%d AS TEXT))%s", column, key_param,
		descending ? " DESC" : " ASC");
}

static void
sqlite_json_cmp(struct buf *sql, const struct json_test *t)
{
	buf_printf(sql, "fan_json_cmp(%s, $%d, '%s', $%d)", t->column, t->path_param, t->op,
		t->value_param);
}

/* SQLite takes CROSS JOIN for an order. */
static void
sqlite_probe(struct buf *sql, const char *table, const char *alias, const char *on)
{
	buf_printf(sql, " CROSS JOIN %s %s ON %s", table, alias, on);
}

/* ---- transactions ---------------------------------------------------------------- */

static bool
sqlite_read(struct db *db, tx_fn fn, void *arg, struct err *e)
{
	struct sqlite_db *d = of(db);
	struct err ignored;
	bool ok;

	if (d->depth > 0 || d->is_writer)
		return fn(db, arg, e);
	if (!sqlite_run(db, "BEGIN", e))
		return false;
	d->depth++;
	ok = fn(db, arg, e);
	d->depth--;
	return sqlite_run(db, "ROLLBACK", ok ? e : &ignored) && ok;
}

static bool
write_in_turn(struct db *db, enum writer_turn turn, tx_fn fn, void *arg, struct err *e)
{
	struct sqlite_store *s = (struct sqlite_store *)db->store;

	if (of(db)->is_writer)
		return fn(db, arg, e);
	if (!writer_do(s->writer, turn, fn, arg, e))
		return false;
	of(db)->deadline = 0;
	return true;
}

static bool
sqlite_write(struct db *db, tx_fn fn, void *arg, struct err *e)
{
	return write_in_turn(db, WRITER_SHORT, fn, arg, e);
}

static bool
sqlite_write_long(struct db *db, tx_fn fn, void *arg, struct err *e)
{
	return write_in_turn(db, WRITER_LONG, fn, arg, e);
}

static bool
sqlite_attempt(struct db *db, tx_fn fn, void *arg, struct err *e)
{
	struct err broken;

	if (!sqlite_run(db, "SAVEPOINT attempt", e))
		return false;
	if (fn(db, arg, e))
		return sqlite_run(db, "RELEASE attempt", e);
	if (!sqlite_run(db, "ROLLBACK TO attempt", &broken) ||
		!sqlite_run(db, "RELEASE attempt", &broken))
		*e = broken;
	return false;
}

/* Called by SQLite every DEADLINE_STEPS steps of its machine; not 0 interrupts. */
static int
is_overdue(void *arg)
{
	struct sqlite_db *d = arg;

	return d->deadline != 0 && clock_mono_us() > d->deadline;
}

static void
sqlite_set_deadline(struct db *db, int64_t mono_us)
{
	struct sqlite_db *d = of(db);

	d->deadline = mono_us;
	sqlite3_progress_handler(d->h, mono_us != 0 ? DEADLINE_STEPS : 0, is_overdue, d);
}

/* ---- open and close -------------------------------------------------------------- */

static void
connection_close(struct db *db)
{
	struct sqlite_db *d = of(db);

	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(d->stmts[i]);
	sqlite3_close(d->h);
	free(d);
}

static bool
connection_open(struct db **out, struct sqlite_store *s, bool is_writer, struct err *e)
{
	struct sqlite_db *d = calloc(1, sizeof(*d));
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
		    (is_writer ? SQLITE_OPEN_CREATE : 0);
	int rc;

	if (d == NULL)
		panic("out of memory");
	d->base = (struct db){.driver = &driver_sqlite, .store = &s->base};
	d->is_writer = is_writer;
	rc = sqlite3_open_v2(s->path, &d->h, flags, NULL);
	if (rc == SQLITE_OK && !is_writer)
		rc = sqlite3_db_config(d->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(d->h, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite_fn_register(d->h, &d->source);
	if (rc == SQLITE_OK && is_writer)
		rc = sqlite3_busy_timeout(d->h, BUSY_MS);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(
			d->h, is_writer ? PRAGMAS_WRITER : PRAGMAS_READER, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(d->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (rc != SQLITE_OK) {
		fail(e, ERR_STORE, "store %s: %s", s->path, sqlite3_errmsg(d->h));
		connection_close(&d->base);
		return false;
	}
	if (is_writer) {
		d->due_pages = CHECKPOINT_PAGES;
		sqlite3_wal_hook(d->h, note_log, d);
	}
	*out = &d->base;
	return true;
}

/* Some file systems cannot share memory between connections: no WAL there. */
static bool
check_wal(struct db *db, const char *path, struct err *e)
{
	struct rows r;
	bool is_wal = false;

	if (!db_query_text(db, STR("PRAGMA journal_mode"), NO_ARGS, &r, e))
		return false;
	if (rows_next(&r))
		is_wal = str_is(row_str(&r, 0), "wal");
	return rows_end(&r, e) &&
	       (is_wal ||
		       fail(e, ERR_STORE, "store %s: this file system has no WAL mode", path));
}

static bool
sqlite_open(struct db **out, struct store *s, struct err *e)
{
	return connection_open(out, (struct sqlite_store *)s, false, e);
}

/* One process a file: a lock beside it, given back by the kernel whatever happens. */
static bool
take_lock(struct sqlite_store *s, struct err *e)
{
	char lock[4096];

	if ((size_t)snprintf(lock, sizeof(lock), "%s.lock", s->path) >= sizeof(lock))
		return fail(e, ERR_INPUT, "store: the path is too long");
	s->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return fail(e, ERR_STORE, "store %s: cannot be opened: %s", s->path,
			strerror(errno));
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return fail(e, ERR_STORE, "store %s: is in use by another process", s->path);
	return true;
}

static void
configure_once(void)
{
	sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_initialize();
}

static void
sqlite_store_close(struct store *store)
{
	struct sqlite_store *s = (struct sqlite_store *)store;

	if (s->writer != NULL)
		writer_free(s->writer);
	if (s->writing != NULL)
		connection_close(&s->writing->base);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->path);
	free(s);
}

static bool
sqlite_store_open(struct store **out, const char *url, const struct store_opts *opts UNUSED,
	struct err *e)
{
	const char *path = url + sizeof("sqlite:") - 1;
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sqlite_store *s;
	struct db *writing;

	if (*path == '\0')
		return fail(e, ERR_INPUT, "store sqlite: the path is missing");
	pthread_once(&once, configure_once);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		panic("out of memory");
	s->base.driver = &driver_sqlite;
	s->lock_fd = -1;
	/* Through a link it is the same store, and must have the same lock. */
	s->path = realpath(path, NULL);
	if (s->path == NULL)
		s->path = strdup(path);
	if (!take_lock(s, e) || !connection_open(&writing, s, true, e))
		goto err;
	s->writing = of(writing);
	if (!check_wal(writing, path, e) || !sqlite_migrate(writing, path, e))
		goto err;
	s->writer = writer_new(writing);
	*out = &s->base;
	return true;
err:
	sqlite_store_close(&s->base);
	return false;
}

const struct driver driver_sqlite = {
	.exclusive = true,
	.slice_rows = SLICE_ROWS,
	.store_open = sqlite_store_open,
	.store_close = sqlite_store_close,
	.open = sqlite_open,
	.close = connection_close,
	.set_deadline = sqlite_set_deadline,
	.read = sqlite_read,
	.write = sqlite_write,
	.write_long = sqlite_write_long,
	.write_beside = sqlite_write_long,
	.attempt = sqlite_attempt,
	.exec = sqlite_exec,
	.query = sqlite_query,
	.query_text = sqlite_query_text,
	.rows_next = sqlite_rows_next,
	.rows_end = sqlite_rows_end,
	.row_int = sqlite_row_int,
	.row_real = sqlite_row_real,
	.row_str = sqlite_row_str,
	.row_null = sqlite_row_null,
	.json_cmp = sqlite_json_cmp,
	.json_order = sqlite_json_order,
	.probe = sqlite_probe,
};
