/* sqlite_migrate – applies the numbered schema steps to a SQLite store. */
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "store/db.h"
#include "store/schema.h"
#include "store/sqlite.h"

/* The schema's type words in SQLite. */
static const struct schema_word words[] = {
	{STR_INIT("KEY@"), STR_INIT("INTEGER PRIMARY KEY")},
	{STR_INIT("BLOB@"), STR_INIT("BLOB")},
	{STR_INIT("JSON@"), STR_INIT("TEXT")},
	{STR_INIT("CLUSTERED@"), STR_INIT("WITHOUT ROWID")},
};

/* A file with tables of others is left alone. */
static bool
check_ours(struct db *db, const char *path, struct err *e)
{
	struct rows r;
	bool foreign = false;

	if (!db_query_text(db,
		    STR("SELECT COUNT(*), SUM(name = 'schema_version') FROM sqlite_schema"),
		    NO_ARGS, &r, e))
		return false;
	if (rows_next(&r))
		foreign = row_int(&r, 0) > 0 && row_int(&r, 1) == 0;
	return rows_end(&r, e) &&
	       (!foreign || fail(e, ERR_STORE, "store %s: is not a Fanfare store", path));
}

static bool
version_get(struct db *db, int64_t *version, struct err *e)
{
	struct rows r;

	*version = 0;
	if (!sqlite_run(db,
		    "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)", e) ||
		!db_query_text(
			db, STR("SELECT MAX(version) FROM schema_version"), NO_ARGS, &r, e))
		return false;
	if (rows_next(&r))
		*version = row_int(&r, 0);
	return rows_end(&r, e);
}

void
sqlite_schema_step(int version, struct buf *out)
{
	schema_translate(str_of(sql_steps[version - 1].sqlite), words, ARRAY_LEN(words), out);
}

static bool
step_apply(struct db *db, int64_t version, struct err *e)
{
	struct err ignored;
	struct buf sql;
	bool ok;

	buf_init(&sql, NULL, 16384);
	buf_printf(
		&sql, "BEGIN IMMEDIATE; INSERT INTO schema_version VALUES (%d);", (int)version);
	sqlite_schema_step((int)version, &sql);
	buf_char(&sql, '\0');
	ok = sqlite_run(db, sql.p, e) && sqlite_run(db, "COMMIT", e);
	if (!ok && !sqlite_run(db, "ROLLBACK", &ignored))
		ok = false;
	buf_free(&sql);
	return ok;
}

bool
sqlite_migrate(struct db *db, const char *path, struct err *e)
{
	int64_t version;

	if (!check_ours(db, path, e) || !version_get(db, &version, e))
		return false;
	if (version > sql_nsteps)
		return fail(e, ERR_STORE,
			"store %s: has schema version %d, newer than this program knows (%d)",
			path, (int)version, sql_nsteps);
	while (version < sql_nsteps)
		if (!step_apply(db, ++version, e))
			return false;
	return true;
}
