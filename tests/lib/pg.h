/* pg – a PostgreSQL for C tests: the server that FANFARE_TEST_PG names, or a throw-away one of
 * this process (tests/lib/pg.sh); and databases in it, one per store. */
#pragma once
#include <sys/stat.h>

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PG_URL_MAX 256

struct pg_server {
	char url[PG_URL_MAX]; /* of its database "postgres"; empty: there is none */
	char dir[64];         /* of our own; empty: not ours */
};

static inline const char *
pg_script(void)
{
	const char *script = getenv("FANFARE_PG_SH");

	return script != NULL ? script : "tests/lib/pg.sh";
}

/* False: PostgreSQL is not installed, and FANFARE_TEST_PG is not set. */
static inline bool
pg_server_start(struct pg_server *s)
{
	const char *given = getenv("FANFARE_TEST_PG");
	char command[512];
	FILE *out;

	*s = (struct pg_server){0};
	if (given != NULL && *given != '\0') {
		snprintf(s->url, sizeof(s->url), "%s", given);
		return true;
	}
	strcpy(s->dir, "/tmp/fanfare-pg-XXXXXX");
	/* The server runs as another user when we are root. */
	if (mkdtemp(s->dir) == NULL || chmod(s->dir, 0755) != 0)
		return false;
	snprintf(command, sizeof(command), "%s start %s/pg", pg_script(), s->dir);
	out = popen(command, "r");
	if (out == NULL)
		return false;
	if (fgets(s->url, sizeof(s->url), out) == NULL)
		s->url[0] = '\0';
	s->url[strcspn(s->url, "\n")] = '\0';
	return pclose(out) == 0 && s->url[0] != '\0';
}

static inline void
pg_server_stop(struct pg_server *s)
{
	char command[512];

	if (s->dir[0] == '\0')
		return;
	snprintf(command, sizeof(command), "%s stop %s/pg; rmdir %s", pg_script(), s->dir,
		s->dir);
	if (system(command) != 0)
		fprintf(stderr, "pg: %s failed\n", command);
}

static inline bool
pg_admin(const struct pg_server *s, const char *sql)
{
	PGconn *conn = PQconnectdb(s->url);
	PGresult *res = PQexec(conn, sql);
	bool ok = PQresultStatus(res) == PGRES_COMMAND_OK;

	if (!ok)
		fprintf(stderr, "pg: %s: %s", sql, PQerrorMessage(conn));
	PQclear(res);
	PQfinish(conn);
	return ok;
}

/* Makes a database as a copy of another; ${url} gets its address. */
static inline bool
pg_database_copy(struct pg_server *s, const char *of, char url[PG_URL_MAX])
{
	static unsigned databases;
	char sql[256], name[64];
	size_t base = (size_t)(strrchr(s->url, '/') - s->url);

	snprintf(name, sizeof(name), "fanfare_%d_%u", (int)getpid(), ++databases);
	snprintf(url, PG_URL_MAX, "%.*s/%s", (int)base, s->url, name);
	snprintf(sql, sizeof(sql), "CREATE DATABASE %s TEMPLATE %s", name, of);
	return pg_admin(s, sql);
}

/* An empty one. */
static inline bool
pg_database_make(struct pg_server *s, char url[PG_URL_MAX])
{
	return pg_database_copy(s, "template0", url);
}

/* One that has the schema, where FANFARE_TEST_PG_TEMPLATE names such a one. */
static inline bool
pg_database_ready(struct pg_server *s, char url[PG_URL_MAX])
{
	const char *made = getenv("FANFARE_TEST_PG_TEMPLATE");

	return pg_database_copy(s, made != NULL ? made : "template0", url);
}

static inline void
pg_database_drop(struct pg_server *s, const char *url)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS %s WITH (FORCE)",
		strrchr(url, '/') + 1);
	pg_admin(s, sql);
}
