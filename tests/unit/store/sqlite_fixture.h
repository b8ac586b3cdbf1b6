/* sqlite_fixture – a fresh SQLite store on disk, and the shortest ways to use it. */
#pragma once
#include <sys/stat.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "../unit_store.h"
#include "base/thread.h"

/* ---- fixture --------------------------------------------------------------------- */

static inline void
assert_same(struct str seen, struct str wanted)
{
	assert_int_equal(seen.n, wanted.n);
	assert_int_equal(seen.p == NULL, wanted.p == NULL);
	if (wanted.n > 0)
		assert_memory_equal(seen.p, wanted.p, wanted.n);
}

static inline void
reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

/* ---- small calls ----------------------------------------------------------------- */

static inline bool
ask(struct db *db, const char *sql, int64_t *out, struct err *e)
{
	return sql_ask(db, sql, NO_ARGS, out, e);
}

static inline int64_t
value(struct db *db, const char *sql)
{
	return sql_int(db, sql, NO_ARGS);
}

/* A message as a row to count; unique by its key. */
static inline bool
put(struct db *w, int64_t key, struct str text, struct err *e)
{
	return db_exec(w, SQL_MESSAGE_INSERT,
		ARGS(V_INT(key), V_INT(key % 7), V_INT(0), V_TEXT(text), V_NULL, V_NULL,
			V_NULL),
		NO_BULK, NULL, e);
}

struct one {
	int64_t key;
	struct str text;
};

static inline bool
put_in(struct db *w, void *arg, struct err *e)
{
	struct one *one = arg;

	return put(w, one->key, one->text, e);
}

static inline void
put_one(struct fixture *f, int64_t key)
{
	struct one one = {key, STR("x")};
	struct err e;

	must(db_write(f->db, put_in, &one, &e), &e);
}
