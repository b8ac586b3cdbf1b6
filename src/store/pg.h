/* pg – what the parts of the PostgreSQL driver share; private to store/. */
#pragma once
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "store/db.h"
#include "store/driver.h"

/* Keys of advisory locks, in the store's own database. */
#define PG_LOCK_MIGRATE  "4711000001"
#define PG_LOCK_WRITE    "4711000002"
#define PG_LOCK_CHANNELS 4711000003

enum pg_tx { PG_TX_NONE, PG_TX_READ, PG_TX_WRITE };

struct pg_pool;
struct pg_listener;

struct pg_store {
	struct store base;
	char *url;   /* may hold the password: never shown */
	char *shown; /* host, port and database, for messages */
	struct pg_pool *pool;
	struct pg_listener *listener; /* NULL: nobody listens */
	store_said_fn on_said;        /* NULL: nobody hears texts */
	void *said_arg;
};

/* A statement that a connection has prepared. */
struct pg_stmt {
	Oid *types; /* of its parameters, arrays of @rows included; NULL: not prepared */
	int n;
};

/* Whether a statement is prepared as it stands, or for its first rows alone. */
enum pg_bite { PG_WHOLE, PG_FEW, PG_BITES };

/* A connection and what was prepared on it. */
struct pg_session {
	PGconn *conn;
	struct pg_session *next;   /* while it is idle */
	const struct pg_db *whose; /* who had it last; to be compared only */
	bool broken;               /* not to be used again, though it is not lost */
	struct pg_stmt stmts[SQL_COUNT][PG_BITES];
};

/* A thread's view of the store.  It has a session during a statement or a transaction only. */
struct pg_db {
	struct db base;
	struct pg_session *s; /* borrowed from the pool; NULL: none at the moment */
	enum pg_tx tx;
	bool again;       /* what failed last may pass when its transaction is run anew */
	unsigned cursors; /* numbers their names */
	int64_t deadline; /* of what only reads; clock_mono_us, 0: none */
	struct buf scratch;
};

static inline struct pg_db *
pg_of(struct db *db)
{
	return (struct pg_db *)db;
}

/* ---- pg_pool.c ---------------------------------------------------------------------- */

/* ${max} sessions at most; 0: as many as are asked for at once.  ${url}, ${shown}: borrowed
 * until pg_pool_free(), to which all sessions must have come back. */
struct pg_pool *pg_pool_new(const char *url, const char *shown, int64_t max);
void pg_pool_free(struct pg_pool *p); /* NULL is legal */
/* Gives ${d} a session, if it has none: the one it had last, another idle one, a new one, or
 * the next that comes back; between failed attempts to connect it fails at once.  Fails: STORE.
 */
bool pg_take(struct pg_db *d, struct err *e) MUST_USE;
/* The same by a program that starts: waits as ${opts} say while no server answers, and ends at
 * once where waiting is of no use.  Fails: STORE. */
bool pg_take_patiently(struct pg_db *d, const struct store_opts *opts, struct err *e) MUST_USE;
/* Puts it back.  A lost one is closed, and so are the idle ones, which are likely to have died
 * of the same. */
void pg_give(struct pg_db *d);
/* Closes it: for one in an unknown state. */
void pg_drop(struct pg_db *d);

/* ---- pg_listen.c -------------------------------------------------------------------- */

/* See store_listen(), store_unlisten(), store_wake(), store_hear(), store_say(). */
void pg_listen(struct store *s, store_wake_fn on_wake, void *arg);
void pg_unlisten(struct store *s);
void pg_wake(struct store *s, enum store_word word);
void pg_hear(struct store *s, store_said_fn on_said, void *arg);
void pg_say(struct store *s, struct str text);

/* ---- pg_conn.c ---------------------------------------------------------------------- */

bool pg_is_lost(const struct pg_db *d);
/* One attempt at the address of ${url}; *hopeless (NULL: not asked for, which costs a second
 * attempt): trying again is of no use (wrong password, unknown database).  Fails: INPUT, STORE.
 */
PGconn *pg_connect(const char *url, const char *shown, bool *hopeless, struct err *e) MUST_USE;
/* "host:port/database" of an URL, on the heap; NULL and *e when the URL is malformed. */
char *pg_show(const char *url, struct err *e) MUST_USE;
/* The failure of ${res} (or of the connection, when NULL); clears it.  Always false. */
bool pg_fail(struct pg_db *d, PGresult *res, const char *what, struct err *e);
/* The result of what was sent by a PQsend… function (${sent}: its answer); it is cancelled
 * when it lasts beyond d->deadline. */
PGresult *pg_result(struct pg_db *d, int sent) MUST_USE;
/* Runs SQL text without results; several statements are one round trip. */
bool pg_run(struct pg_db *d, const char *sql, struct err *e) MUST_USE;
/* A random part of ${max}, at least half of it. */
int64_t pg_jitter(int64_t max);
/* Sleeps pg_jitter(${max_ms}). */
void pg_sleep(int64_t max_ms);

/* ---- pg_bind.c ---------------------------------------------------------------------- */

/* Parameters as libpq wants them; arrays on the heap, bytes in d->scratch or borrowed. */
struct pg_params {
	int n;
	Oid *types;
	const char **values;
	int *lengths, *formats;
};

/* ${types} NULL: they follow from the values.  ${bulk} columns follow ${args} as arrays. */
void pg_params_make(struct pg_params *p, struct pg_db *d, const Oid *types, struct args args,
	const struct bulk *bulk);
void pg_params_free(struct pg_params *p);

/* Cells of a binary result. */
int64_t pg_cell_int(const PGresult *res, int row, int col);
double pg_cell_real(const PGresult *res, int row, int col);
/* Whether the cells above can read columns of this type. */
bool pg_type_is_known(Oid type);

/* ---- pg_json.c ----------------------------------------------------------------------- */

/* See db_json_cmp(), db_json_order(). */
void pg_json_cmp(struct buf *sql, const struct json_test *t);
void pg_json_order(struct buf *sql, const char *column, int key_param, bool descending);

/* ---- pg_migrate.c ------------------------------------------------------------------- */

/* Appends schema step ${version} (1 … sql_nsteps) in PostgreSQL's words; nothing when it is not
 * for this engine. */
void pg_schema_step(int version, struct buf *out);

/* Checks version and encoding of the server, and brings the schema to the newest step; of
 * several processes that try, one does it.  Fails: STORE. */
bool pg_migrate(struct pg_db *d, struct err *e) MUST_USE;
/* That no newer program has changed the schema meanwhile (I-24).  Fails: STORE. */
bool pg_check_version(struct pg_db *d, struct err *e) MUST_USE;
