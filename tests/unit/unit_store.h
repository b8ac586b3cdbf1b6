/* unit_store – a fresh store for a test, and SQL that no statement of ours runs: a SQLite file,
 * or, when FANFARE_TEST_PG names a server, a database there. */
#pragma once
#include "../lib/pg.h"
#include "store/db.h"
#include "unit.h"

struct fixture {
	char dir[DIR_MAX], path[64], url[PG_URL_MAX];
	struct pg_server server; /* empty: SQLite */
	struct store *store;
	struct db *db;
	struct arena arena;
};

static inline void
fixture_open(struct fixture *f)
{
	struct err e;

	must(store_open(&f->store, f->url, &e), &e);
	must(db_open(&f->db, f->store, &e), &e);
}

static inline void
fixture_close(struct fixture *f)
{
	db_close(f->db);
	store_close(f->store);
	f->db = NULL;
	f->store = NULL;
}

static inline int
fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	make_dir(f->dir);
	snprintf(f->path, sizeof(f->path), "%s/x.db", f->dir);
	if (getenv("FANFARE_TEST_PG") == NULL) {
		snprintf(f->url, sizeof(f->url), "sqlite:%s", f->path);
	} else {
		assert_true(pg_server_start(&f->server));
		assert_true(pg_database_ready(&f->server, f->url));
	}
	arena_init(&f->arena, 65536, SIZE_MAX);
	fixture_open(f);
	*state = f;
	return 0;
}

static inline int
fixture_teardown(void **state)
{
	struct fixture *f = *state;

	fixture_close(f);
	remove_dir(f->dir);
	if (f->server.url[0] != '\0')
		pg_database_drop(&f->server, f->url);
	arena_fini(&f->arena);
	free(f);
	return 0;
}

/* ---- SQL ----------------------------------------------------------------------------- */

/* Literals of blobs differ: x'01' is '\x01'::bytea on PostgreSQL. */
static inline void
sql_dialect(const char *sql, struct buf *out)
{
	buf_init(out, NULL, strlen(sql) + 64);
	for (const char *s = sql; *s != '\0'; s++) {
		if (getenv("FANFARE_TEST_PG") == NULL || s == sql ||
			strchr(" (,=", s[-1]) == NULL || strncmp(s, "x'", 2) != 0) {
			buf_char(out, *s);
			continue;
		}
		buf_str(out, STR("'\\x"));
		for (s += 2; *s != '\''; s++)
			buf_char(out, *s);
		buf_str(out, STR("'::bytea"));
	}
}

/* The number that a query finds; *out is untouched when there is no row. */
static inline bool
sql_ask(struct db *db, const char *sql, struct args args, int64_t *out, struct err *e)
{
	struct rows r;
	struct buf text;
	bool ok;

	sql_dialect(sql, &text);
	ok = db_query_text(db, buf_view(&text), args, &r, e);
	buf_free(&text);
	if (!ok)
		return false;
	if (rows_next(&r))
		*out = row_int(&r, 0);
	return rows_end(&r, e);
}

/* The same; INT64_MIN when there is no row. */
static inline int64_t
sql_int(struct db *db, const char *sql, struct args args)
{
	int64_t v = INT64_MIN;
	struct err e;

	must(sql_ask(db, sql, args, &v, &e), &e);
	return v;
}

struct statement {
	const char *sql;
	struct args args;
};

static inline bool
sql_run_in(struct db *w, void *arg, struct err *e)
{
	struct statement *s = arg;
	struct rows r;
	struct buf text;
	bool ok;

	sql_dialect(s->sql, &text);
	ok = db_query_text(w, buf_view(&text), s->args, &r, e);
	buf_free(&text);
	if (!ok)
		return false;
	while (rows_next(&r))
		continue;
	return rows_end(&r, e);
}

static inline void
sql_run(struct db *db, const char *sql, struct args args)
{
	struct statement s = {sql, args};
	struct err e;

	must(db_write(db, sql_run_in, &s, &e), &e);
}

/* One statement without parameters. */
static inline void
sql_script(struct fixture *f, const char *sql)
{
	sql_run(f->db, sql, NO_ARGS);
}
