/* pg_migrate – checks a PostgreSQL database and applies the numbered schema steps to it. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "store/pg.h"
#include "store/schema.h"

#define MIN_VERSION 150000

/* The schema's words in PostgreSQL.  Ids and texts compare by bytes, as everywhere in the
 * program; JSON keeps documents as they were written (003_functions_pg.sql). */
static const struct schema_word words[] = {
	{STR_INIT("KEY@"), STR_INIT("BIGINT PRIMARY KEY")},
	{STR_INIT("BLOB@"), STR_INIT("BYTEA")},
	{STR_INIT("JSON@"), STR_INIT("JSON")},
	{STR_INIT("CLUSTERED@"), STR_INIT("")},
	{STR_INIT(" TEXT"), STR_INIT(" TEXT COLLATE \"C\"")},
};

void
pg_schema_step(int version, struct buf *out)
{
	struct str sql = str_of(sql_steps[version - 1].pg);

	/* Written for PostgreSQL alone: as it stands. */
	if (str_starts(sql, STR("-- only:")))
		buf_str(out, sql);
	else
		schema_translate(sql, words, ARRAY_LEN(words), out);
}

static const char *
shown(const struct pg_db *d)
{
	return ((const struct pg_store *)d->base.store)->shown;
}

/* One integer in the first row. */
static bool
get_int(struct pg_db *d, const char *sql, int *out, struct err *e)
{
	PGresult *res = PQexec(d->s->conn, sql);

	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return pg_fail(d, res, "store", e);
	*out = PQntuples(res) > 0 ? atoi(PQgetvalue(res, 0, 0)) : 0;
	PQclear(res);
	return true;
}

static bool
check_server(struct pg_db *d, struct err *e)
{
	int version = PQserverVersion(d->s->conn);
	const char *encoding = PQparameterStatus(d->s->conn, "server_encoding");

	if (version < MIN_VERSION)
		return fail(e, ERR_STORE,
			"store %s: is PostgreSQL %d; version 15 or newer is needed", shown(d),
			version / 10000);
	if (encoding == NULL || strcmp(encoding, "UTF8") != 0)
		return fail(e, ERR_STORE, "store %s: has the encoding %s; UTF8 is needed",
			shown(d), encoding ? encoding : "?");
	return true;
}

/* 0: an empty database.  Whether the schema is there, and whether anything else is, is asked at
 * once: another process may be making it. */
static bool
version_get(struct pg_db *d, int *version, struct err *e)
{
	int others = 0;

	*version = 0;
	if (!get_int(d,
		    "SELECT CASE WHEN to_regclass('schema_version') IS NULL THEN "
		    "(SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema()) "
		    "ELSE -1 END",
		    &others, e))
		return false;
	if (others < 0)
		return get_int(
			d, "SELECT COALESCE(MAX(version), 0) FROM schema_version", version, e);
	return others == 0 || fail(e, ERR_STORE,
				      "store %s: holds tables of something else; Fanfare "
				      "needs a database (or schema) of its own",
				      shown(d));
}

static bool
is_not_newer(const struct pg_db *d, int version, struct err *e)
{
	return version <= sql_nsteps ||
	       fail(e, ERR_STORE,
		       "store %s: has schema version %d, newer than this program knows (%d)",
		       shown(d), version, sql_nsteps);
}

bool
pg_check_version(struct pg_db *d, struct err *e)
{
	int version;

	return version_get(d, &version, e) && is_not_newer(d, version, e);
}

/* Who may not write learns it at the start, and not with each request.  The role may be another
 * than the one that made the tables, which then need rights granted one by one. */
static bool
check_rights(struct pg_db *d, struct err *e)
{
	PGresult *res = PQexec(d->s->conn,
		"SELECT current_user, t.tablename"
		" FROM pg_tables o JOIN pg_tables t USING (schemaname, tableowner),"
		" LATERAL (SELECT format('%I.%I', t.schemaname, t.tablename) AS name) AS f"
		" WHERE o.schemaname = current_schema() AND o.tablename = 'schema_version'"
		" AND t.tablename <> 'schema_version' AND NOT ("
		" has_table_privilege(name, 'SELECT') AND has_table_privilege(name, 'INSERT')"
		" AND has_table_privilege(name, 'UPDATE')"
		" AND has_table_privilege(name, 'DELETE')) ORDER BY 2 LIMIT 1");
	bool ok = PQresultStatus(res) == PGRES_TUPLES_OK;

	if (!ok)
		return pg_fail(d, res, "store", e);
	if (PQntuples(res) > 0)
		ok = fail(e, ERR_STORE,
			"store %s: the role %s may not change the table %s; grant it SELECT, "
			"INSERT, UPDATE and DELETE",
			shown(d), PQgetvalue(res, 0, 0), PQgetvalue(res, 0, 1));
	PQclear(res);
	return ok;
}

static bool
step_apply(struct pg_db *d, int version, struct err *e)
{
	struct err ignored;
	struct buf sql;
	bool ok;

	buf_init(&sql, NULL, 16384);
	buf_printf(&sql,
		"BEGIN READ WRITE;"
		"CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL);"
		"INSERT INTO schema_version VALUES (%d);",
		version);
	pg_schema_step(version, &sql);
	buf_str(&sql, STR("; COMMIT"));
	buf_char(&sql, '\0');
	ok = pg_run(d, sql.p, e);
	if (!ok && !pg_is_lost(d) && !pg_run(d, "ROLLBACK", &ignored))
		ok = false;
	buf_free(&sql);
	return ok;
}

static bool
apply_all(struct pg_db *d, int version, struct err *e)
{
	while (version < sql_nsteps)
		if (!step_apply(d, ++version, e))
			return false;
	return true;
}

bool
pg_migrate(struct pg_db *d, struct err *e)
{
	struct err ignored;
	int version;
	bool ok;

	if (!check_server(d, e) || !version_get(d, &version, e))
		return false;
	if (version < sql_nsteps) {
		/* Others may be at it; the version is looked at again once it is our turn. */
		if (!pg_run(d,
			    "SET lock_timeout = 0; SET statement_timeout = 0;"
			    "SELECT pg_advisory_lock(" PG_LOCK_MIGRATE ")",
			    e))
			return false;
		ok = version_get(d, &version, e) && apply_all(d, version, e);
		if (!pg_is_lost(d) &&
			!pg_run(d, "SELECT pg_advisory_unlock(" PG_LOCK_MIGRATE ")", &ignored))
			ok = false;
		if (!ok)
			return false;
	}
	return is_not_newer(d, version, e) && check_rights(d, e);
}
