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

struct pg_store {
	struct store base;
	char *url;   /* may hold the password: never shown */
	char *shown; /* host, port and database, for messages */
};

/* A statement that this connection has prepared. */
struct pg_stmt {
	Oid *types; /* of its parameters, arrays of @rows included; NULL: not prepared */
	int n;
};

struct pg_db {
	struct db base;
	PGconn *conn; /* NULL: not connected */
	enum pg_tx tx;
	bool again; /* what failed last may pass when its transaction is run anew */
	/* Reconnecting: how often it failed in a row, and when to try next (clock_mono_us). */
	int failures;
	int64_t next_try;
	unsigned cursors; /* numbers their names */
	int64_t deadline; /* of what only reads; clock_mono_us, 0: none */
	struct buf scratch;
	struct pg_stmt stmts[SQL_COUNT];
};

static inline struct pg_db *
pg_of(struct db *db)
{
	return (struct pg_db *)db;
}

/* ---- pg_conn.c ---------------------------------------------------------------------- */

/* A connection that was alive a moment ago, made anew when it was lost; between failed
 * attempts it fails at once.  Fails: STORE. */
bool pg_ready(struct pg_db *d, struct err *e) MUST_USE;
bool pg_is_lost(const struct pg_db *d);
/* Closes the connection and forgets what was prepared on it. */
void pg_disconnect(struct pg_db *d);
/* One attempt at the address of ${url}; *hopeless: trying again is of no use (wrong password,
 * unknown database).  Fails: INPUT, STORE. */
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
/* Sleeps a random part of ${max_ms}, at least half of it. */
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

/* ---- pg_migrate.c ------------------------------------------------------------------- */

/* Checks version and encoding of the server, and brings the schema to the newest step; of
 * several processes that try, one does it.  Fails: STORE. */
bool pg_migrate(struct pg_db *d, struct err *e) MUST_USE;
