/* db – the seam to the store: open by URL, named statements, transactions, bulk.
 *
 * SQL lives in store/sql, one statement per name, the same text for every engine;
 * tools/embed turns `-- name: user_get` into SQL_USER_GET.  Parameters are $1 … $n and are
 * given in that order.  A struct db is used by one thread at a time.
 *
 * Dialect differences live in five places: `-- only:` blocks, `@rows(…)` and `@probe(…)` (bulk
 * input, and what is looked up for it), the claim suffix, the words of composed SQL
 * (db_json_cmp, db_probe), and the schema's type words. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "store/sql_table.h"

struct db;
struct store;
struct err;

enum val_type { VAL_NULL, VAL_INT, VAL_REAL, VAL_TEXT, VAL_BLOB };

/* One parameter.  Text and blobs are borrowed for the duration of the call. */
struct val {
	enum val_type type;
	union {
		int64_t i;
		double d;
		struct str s;
	};
};

#define V_NULL    ((struct val){.type = VAL_NULL})
#define V_INT(x)  ((struct val){.type = VAL_INT, .i = (x)})
#define V_REAL(x) ((struct val){.type = VAL_REAL, .d = (x)})
#define V_TEXT(x) db_val_text(x) /* NULL when p == NULL */
#define V_BLOB(x) db_val_blob(x) /* NULL when p == NULL */
/* NULL when x == ${none} */
#define V_TIME(x) db_val_time(x) /* NULL when NO_TIME */

static inline struct val
db_val_text(struct str s)
{
	return (struct val){.type = s.p ? VAL_TEXT : VAL_NULL, .s = s};
}

static inline struct val
db_val_blob(struct str s)
{
	return (struct val){.type = s.p ? VAL_BLOB : VAL_NULL, .s = s};
}

static inline struct val
db_val_time(int64_t us)
{
	return (struct val){.type = us == INT64_MIN ? VAL_NULL : VAL_INT, .i = us};
}

/* Parameters of a call: ARGS(V_INT(1), V_TEXT(id)).  NO_ARGS for none. */
struct args {
	const struct val *v;
	size_t n;
};
#define ARGS(...)                                         \
	((struct args){(const struct val[]){__VA_ARGS__}, \
		sizeof((const struct val[]){__VA_ARGS__}) / sizeof(struct val)})
#define NO_ARGS ((struct args){NULL, 0})

/* Rows offered to a statement that says @rows(a BIGINT, b TEXT): one array per column, in
 * the order of the names there; `ord` (0-based) comes for free.  Borrowed. */
struct col {
	const int64_t *ints;     /* BIGINT column, or NULL; COL_NULL stands for SQL NULL */
	const struct str *texts; /* TEXT / BLOB / JSON column, or NULL; p == NULL: SQL NULL */
};
#define COL_INTS(a)   ((struct col){.ints = (a)})
#define COL_TEXTS(a)  ((struct col){.texts = (a)})
#define COL_NULL      INT64_MIN

#define BULK_MAX_COLS 16

struct bulk {
	const struct col *cols;
	size_t ncols;
	size_t nrows;
};
#define NO_BULK ((const struct bulk *)NULL)

/* ---- open and close -------------------------------------------------------------- */

struct store_opts {
	int64_t wait_ms; /* PostgreSQL: how long to wait for a server that does not answer */
	/* Told before each pause what is waited for; false ends the waiting.  NULL: go on. */
	bool (*go_on)(void *arg, const char *why);
	void *arg;
	int64_t connections; /* PostgreSQL: how many at most; 0: one for each thread */
};

/* Opens the store at ${url} ("sqlite:PATH", "postgresql://…"), creating or migrating its
 * schema.  SQLite: takes it for this process alone (a lock on PATH.lock).  PostgreSQL: any
 * number of processes may share it, and start at once.  Fails: INPUT (bad URL), STORE (cannot
 * be opened, is newer than the program, is in use: each said in one line, without the
 * password). */
bool store_open_with(struct store **out, const char *url, const struct store_opts *opts,
	struct err *e) MUST_USE;
/* The same with a wait of 10 s and as many connections as threads. */
bool store_open(struct store **out, const char *url, struct err *e) MUST_USE;
/* Ends the writer; every struct db must be closed before. */
void store_close(struct store *s);

/* True when no other process can work on this store: claims found at start are of the dead. */
bool store_is_exclusive(const struct store *s);

/* What the processes on a store say to each other; bits. */
enum store_word {
	STORE_WORK = 1,   /* something may have become due */
	STORE_EVENTS = 2, /* something was committed that is to be told (domain/event.h) */
};

/* Calls on_wake(arg, words), on a thread of the store's own, whenever another process on the
 * store says store_wake(), and with all words when something may have been missed.  One
 * listener a store: no effect while there is one. */
typedef void (*store_wake_fn)(void *arg, unsigned words);
void store_listen(struct store *s, store_wake_fn on_wake, void *arg);
/* Ends that; no effect when nobody listens. */
void store_unlisten(struct store *s);
/* Says it to the other processes, soon; once for many calls.  It may get lost, as when the
 * database restarts: they look by themselves every now and then.  No effect when nobody
 * listens.
 */
void store_wake(struct store *s, enum store_word word);

/* Texts that pass between the processes on a store and are kept nowhere: at most STORE_SAID_MAX
 * bytes, without NUL; longer ones, and those that find too many waiting, are lost, as are
 * words. on_said(arg, text): as on_wake; set before store_listen(). */
#define STORE_SAID_MAX 7500
typedef void (*store_said_fn)(void *arg, struct str text);
void store_hear(struct store *s, store_said_fn on_said, void *arg);
void store_say(struct store *s, struct str text);

/* The store as one thread uses it.  SQLite: a connection that only reads.  PostgreSQL: what
 * borrows a connection for each statement or transaction. */
bool db_open(struct db **out, struct store *s, struct err *e) MUST_USE;
void db_close(struct db *db); /* NULL is legal */

/* Queries on this connection that still run at ${mono_us} (clock_mono_us) fail with TIMEOUT;
 * 0: never.  For requests of clients, who choose what is looked for.  A db_write that
 * committed lifts it: what was done must not be answered as a failure. */
void db_set_deadline(struct db *db, int64_t mono_us);

/* ---- transactions ---------------------------------------------------------------- */

typedef bool (*tx_fn)(struct db *db, void *arg, struct err *e);

/* Runs ${fn} inside one read snapshot of ${db}.  Nested calls join the outer snapshot. */
bool db_read(struct db *db, tx_fn fn, void *arg, struct err *e) MUST_USE;

/* Runs ${fn} inside one write transaction; true = committed and durable (I-19).  ${fn} gets
 * another struct db, on which it must do all its SQL; it does SQL and nothing else, may run
 * on another thread, and may be run again.  Its failure rolls everything back and is passed
 * on.  Fails: what fn fails with, STORE, UNCERTAIN. */
bool db_write(struct db *db, tx_fn fn, void *arg, struct err *e) MUST_USE;

/* The same for a transaction of thousands of rows.  On SQLite it has a commit of its own and
 * takes turns with those of clients, instead of sharing one with them. */
bool db_write_long(struct db *db, tx_fn fn, void *arg, struct err *e) MUST_USE;
/* Into how many rows such work is cut: others get their turn within a fraction of a second. */
size_t db_slice_rows(const struct db *db);

/* Whether a db_write has committed since the last call: a failure that follows it, of reading
 * for the answer, must not be told as if nothing were done. */
bool db_take_written(struct db *db);

/* What the writes of this connection are done for, a text that db_write and db_write_long hand
 * on to their transactions, where db_cause() tells it (domain/event.h keeps it).  Borrowed
 * until it is set anew; p == NULL: nobody knows. */
void db_set_cause(struct db *db, struct str cause);
struct str db_cause(const struct db *w);

/* Like db_write, for the engine's long transactions: other such ones may be at work at the same
 * time, as may one db_write (on SQLite they take turns instead).  ${fn} must not rest on what
 * it has read, save by conditional updates, unique keys and db_lock_channels(). */
bool db_write_beside(struct db *db, tx_fn fn, void *arg, struct err *e) MUST_USE;

/* Runs ${fn} inside the write transaction that is open: when it fails, what it did is undone
 * and nothing else, and the transaction can go on, unless it failed with STORE.  May be nested.
 * Fails: what fn fails with, STORE. */
bool db_attempt(struct db *w, tx_fn fn, void *arg, struct err *e) MUST_USE;

/* Until the transaction ends: nobody else makes forms or channels by id (${shared}: nobody
 * who took it unshared).  First in the transaction, before anything is read.  Fails: STORE. */
bool db_lock_channels(struct db *w, bool shared, struct err *e) MUST_USE;

/* The time by the store's clock, which all processes on it share: for leases. */
bool db_now(struct db *db, int64_t *us, struct err *e) MUST_USE;

/* ---- statements ------------------------------------------------------------------ */

/* The rows of a query.  On the caller's stack; between db_query and rows_end the statement
 * is busy: the same statement cannot be run again on the same db (others can). */
struct rows {
	struct db *db;
	void *stmt; /* the driver's */
	int state;  /* the driver's */
};

/* Runs a statement that returns no rows.  ${changed} (may be NULL): rows inserted, updated
 * or deleted.  ${bulk} may be NO_BULK.  Fails: STORE; STALE when a unique key was hit; UNFIT
 * when a value is not one that the store can hold, which will be so the next time. */
bool db_exec(struct db *db, enum sql_id id, struct args args, const struct bulk *bulk,
	int64_t *changed, struct err *e) MUST_USE;
/* The same for a statement to which each row of ${bulk} stands for itself: many bytes are
 * written by several statements, so that neither we nor the server hold them twice. */
bool db_exec_rows(struct db *db, enum sql_id id, struct args args, const struct bulk *bulk,
	struct err *e) MUST_USE;

/* Starts a query.  On false there is nothing to end. */
bool db_query(struct db *db, enum sql_id id, struct args args, const struct bulk *bulk,
	struct rows *out, struct err *e) MUST_USE;
/* The same for SQL composed at run time (filter, sort, page); ${sql} uses $1 … $n and only
 * constants otherwise (I-27).  Inside db_read, any number of rows costs bounded memory, as
 * with named statements marked "-- large". */
bool db_query_text(struct db *db, struct str sql, struct args args, struct rows *out,
	struct err *e) MUST_USE;

/* The next row; false at the end or on failure. */
bool rows_next(struct rows *r);
/* Ends the query in any state; false when it had failed.  Always call it.  Fails: STORE. */
bool rows_end(struct rows *r, struct err *e);

/* Columns from 0.  Text is borrowed until the next rows_next / rows_end; SQL NULL gives
 * p == NULL, 0. */
int64_t row_int(struct rows *r, int col);
double row_real(struct rows *r, int col);
struct str row_str(struct rows *r, int col);
bool row_null(struct rows *r, int col);
/* A time: NO_TIME (base/clock.h) for SQL NULL. */
int64_t row_time(struct rows *r, int col);

/* One row, one integer: *out untouched and *found false when there is no row. */
bool db_get_int(struct db *db, enum sql_id id, struct args args, int64_t *out, bool *found,
	struct err *e) MUST_USE;

/* ---- numbers --------------------------------------------------------------------- */

/* Inner keys are handed out by named counters, inside the writing transaction. */
enum counter {
	COUNTER_USER,
	COUNTER_CHANNEL,
	COUNTER_MESSAGE,
	COUNTER_CAMPAIGN,
	COUNTER_SEGMENT,
	COUNTER_POLL,
	COUNTER_VOTE,
	COUNTER_TASK,
	COUNTER_EVENT,
	COUNTER_ROUTE,
	COUNTER_REMOVAL /* of channels: how often; see engine/batch_write.c */
};

/* Takes ${n} numbers; *first is the lowest.  Only inside db_write. */
bool db_take(struct db *db, enum counter c, int64_t n, int64_t *first, struct err *e) MUST_USE;

/* ---- dialect, for SQL composed at run time --------------------------------------- */

/* A comparison of a value inside a JSON column: by ${op} (store/json_cmp.h has the list, and
 * what they mean), at the dotted path of keys bound at $path_param, with the JSON text bound at
 * $value_param.  Both texts are borrowed during the call. */
struct json_test {
	const char *column, *op;
	struct str path, value;
	int path_param, value_param;
};
/* Appends it as an SQL boolean. */
void db_json_cmp(struct db *db, struct buf *sql, const struct json_test *t);

/* Appends ORDER BY keys for the value under the key (one, bound at $key_param) of a JSON
 * column: ascending nothing comes first, then numbers (true is 1), then texts by their bytes.
 */
void db_json_order(
	struct db *db, struct buf *sql, const char *column, int key_param, bool descending);
/* Appends to a FROM list a join with the row of ${table} that is looked up by ${on} for each
 * row so far, as @probe does in named statements: never the other way round, whatever the
 * engine thinks of the tables (docs/decisions/007-plans-that-do-not-flip.md). */
void
db_probe(struct db *db, struct buf *sql, const char *table, const char *alias, const char *on);
