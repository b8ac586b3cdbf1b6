/* sqlite – what the parts of the SQLite driver share; private to store/. */
#pragma once
#include <stdbool.h>

#include "base/macros.h"

struct buf;
struct db;
struct err;

/* Runs SQL text without results on a connection.  Fails: STORE. */
bool sqlite_run(struct db *db, const char *sql, struct err *e) MUST_USE;

/* Whether the log has become long, and moves it into the database.  Only by the thread that
 * commits. */
bool sqlite_checkpoint_due(struct db *writing);
void sqlite_checkpoint(struct db *writing);

/* Appends schema step ${version} (1 … sql_nsteps) in SQLite's words; nothing when it is not for
 * this engine. */
void sqlite_schema_step(int version, struct buf *out);

/* Brings the schema to the newest step, each step in a transaction of its own.  Fails: STORE
 * (newer than the program, not a Fanfare store, or the step's own failure). */
bool sqlite_migrate(struct db *writing, const char *path, struct err *e) MUST_USE;
