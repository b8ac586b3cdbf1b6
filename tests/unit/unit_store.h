/* unit_store – a fresh store on disk for a test, and SQL that no statement of ours runs. */
#pragma once
#include <sqlite3.h>

#include "store/db.h"
#include "unit.h"

struct fixture {
	char dir[DIR_MAX], path[64], url[96];
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
	snprintf(f->url, sizeof(f->url), "sqlite:%s", f->path);
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
	arena_fini(&f->arena);
	free(f);
	return 0;
}

/* ---- SQL ----------------------------------------------------------------------------- */

/* The number that a query finds; *out is untouched when there is no row. */
static inline bool
sql_ask(struct db *db, const char *sql, struct args args, int64_t *out, struct err *e)
{
	struct rows r;

	if (!db_query_text(db, str_of(sql), args, &r, e))
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

	if (!db_query_text(w, str_of(s->sql), s->args, &r, e))
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

/* Beside the store, for many statements at once. */
static inline void
sql_script(struct fixture *f, const char *sql)
{
	sqlite3 *h;

	assert_int_equal(sqlite3_open(f->path, &h), SQLITE_OK);
	assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(h);
}
