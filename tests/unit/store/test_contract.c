/* test_contract – what db.h promises, held against both engines: SQLite always, PostgreSQL
 * where it is installed or FANFARE_TEST_PG names a server. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
#include <setjmp.h> /* cmocka.h needs these four before it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#undef fail /* err.h has one */
/* clang-format on */

#include "../../lib/pg.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/thread.h"
#include "store/db.h"

#define THREADS 6
#define ROUNDS  20
#define MANY    25000 /* more than one piece of a large result */

struct fixture {
	struct pg_server *server; /* NULL: SQLite */
	char dir[64], url[PG_URL_MAX];
	struct store *store;
	struct db *db;
};

static struct pg_server pg;

static void
must(bool ok, const struct err *e)
{
	if (!ok)
		print_error("%s\n", e->msg);
	assert_true(ok);
}

static int
open_store(void **state, struct pg_server *server)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e;

	*state = f;
	f->server = server;
	strcpy(f->dir, "/tmp/contract-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	if (server != NULL)
		assert_true(pg_database_make(server, f->url));
	else
		snprintf(f->url, sizeof(f->url), "sqlite:%s/x.db", f->dir);
	must(store_open(&f->store, f->url, &e), &e);
	must(db_open(&f->db, f->store, &e), &e);
	return 0;
}

static int
on_sqlite(void **state)
{
	return open_store(state, NULL);
}

static int
on_pg(void **state)
{
	return open_store(state, &pg);
}

static int
teardown(void **state)
{
	static const char *const files[] = {"x.db", "x.db-wal", "x.db-shm", "x.db.lock"};
	struct fixture *f = *state;
	char path[96];

	if (f->store != NULL) {
		db_close(f->db);
		store_close(f->store);
	}
	if (f->store != NULL && f->server != NULL)
		pg_database_drop(f->server, f->url);
	for (size_t i = 0; i < ARRAY_LEN(files) && f->dir[0] != '\0'; i++) {
		snprintf(path, sizeof(path), "%s/%s", f->dir, files[i]);
		unlink(path);
	}
	if (f->dir[0] != '\0')
		rmdir(f->dir);
	free(f);
	return 0;
}

/* ---- helpers --------------------------------------------------------------------------- */

static bool
mention(struct db *w, int64_t uid, const char *id, struct err *e)
{
	struct str text = str_of(id);
	struct col cols[] = {COL_INTS(&uid), COL_TEXTS(&text)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), 1};

	return db_exec(w, SQL_USER_MENTION, NO_ARGS, &bulk, NULL, e);
}

static int64_t
count(struct db *db, const char *sql)
{
	struct rows r;
	struct err e;
	int64_t n;

	must(db_query_text(db, str_of(sql), NO_ARGS, &r, &e), &e);
	assert_true(rows_next(&r));
	n = row_int(&r, 0);
	must(rows_end(&r, &e), &e);
	return n;
}

/* ---- values ---------------------------------------------------------------------------- */

static bool
put_values(struct db *w, void *arg UNUSED, struct err *e)
{
	int64_t uids[] = {1, 2, 3}, revoked[] = {INT64_MAX, COL_NULL, -5};
	struct str ids[] = {STR("a"), STR("Z"), STR("\xc3\xa4")};
	struct str names[] = {STR(""), STR_NONE, STR("line\none \xf0\x9f\x98\x80")};
	struct str none[] = {STR_NONE, STR_NONE, STR_NONE};
	struct str custom[] = {STR("{\"b\": 1.50,\"a\":[ 1e2 ]}"), STR_NONE, STR("{}")};
	struct col cols[] = {COL_INTS(uids), COL_TEXTS(ids), COL_TEXTS(names), COL_TEXTS(none),
		COL_TEXTS(none), COL_TEXTS(none), COL_TEXTS(none), COL_TEXTS(custom),
		COL_TEXTS(none), COL_INTS(revoked)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), 3};

	return db_exec(w, SQL_USER_BEGIN, ARGS(V_INT(7)), &bulk, NULL, e);
}

/* What goes in comes out, to the byte: NULL and "" differ, documents stay as written, and
 * texts sort by bytes. */
static void
values_come_back(void **state)
{
	struct fixture *f = *state;
	static const char *const ids[] = {"Z", "a", "\xc3\xa4"};
	struct rows r;
	struct err e;
	int i = 0;

	must(db_write(f->db, put_values, NULL, &e), &e);
	must(db_query(f->db, SQL_USER_BY_UID, ARGS(V_INT(1)), NO_BULK, &r, &e), &e);
	assert_true(rows_next(&r));
	assert_int_equal(row_int(&r, 0), 1);
	assert_true(str_is(row_str(&r, 2), "") && !row_null(&r, 2));
	assert_true(row_null(&r, 3) && row_str(&r, 3).p == NULL);
	assert_true(str_is(row_str(&r, 7), "{\"b\": 1.50,\"a\":[ 1e2 ]}"));
	assert_int_equal(row_int(&r, 9), 7);
	assert_int_equal(row_time(&r, 11), NO_TIME);
	assert_int_equal(row_int(&r, 14), INT64_MAX);
	assert_false(rows_next(&r));
	must(rows_end(&r, &e), &e);
	must(db_query_text(f->db, STR("SELECT id, revoked_before FROM users ORDER BY id"),
		     NO_ARGS, &r, &e),
		&e);
	for (; rows_next(&r); i++)
		assert_true(str_eq(row_str(&r, 0), str_of(ids[i])));
	assert_int_equal(i, 3);
	must(rows_end(&r, &e), &e);
}

static bool
put_blob(struct db *w, void *arg, struct err *e)
{
	struct str *blob = arg;
	int64_t key = 5, n = 1;
	struct col cols[] = {COL_INTS(&key), COL_INTS(&n), COL_TEXTS(blob)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), 1};

	return db_exec(w, SQL_TARGETS_PUT, ARGS(V_INT(0)), &bulk, NULL, e);
}

static void
blobs_hold_any_byte(void **state)
{
	struct fixture *f = *state;
	char bytes[256];
	struct str blob = {bytes, sizeof(bytes)};
	struct rows r;
	struct err e;

	for (int i = 0; i < 256; i++)
		bytes[i] = (char)(255 - i);
	must(db_write(f->db, put_blob, &blob, &e), &e);
	must(db_query(f->db, SQL_TARGETS_GET, ARGS(V_INT(5)), NO_BULK, &r, &e), &e);
	assert_true(rows_next(&r) && str_eq(row_str(&r, 0), blob));
	must(rows_end(&r, &e), &e);
}

/* ---- transactions ---------------------------------------------------------------------- */

static bool
put_then_fail(struct db *w, void *arg UNUSED, struct err *e)
{
	return mention(w, 1, "gone", e) && fail(e, ERR_INPUT, "my own reason");
}

static bool
put_one(struct db *w, void *arg, struct err *e)
{
	return mention(w, 1, arg, e);
}

/* A failure takes everything with it, is passed on as it is, and the next one works. */
static void
failure_rolls_back(void **state)
{
	struct fixture *f = *state;
	char there[] = "there";
	struct err e;

	assert_false(db_write(f->db, put_then_fail, NULL, &e));
	assert_int_equal(e.code, ERR_INPUT);
	assert_string_equal(e.msg, "my own reason");
	assert_int_equal(count(f->db, "SELECT COUNT(*) FROM users"), 0);
	must(db_write(f->db, put_one, there, &e), &e);
	assert_false(db_write(f->db, put_one, there, &e));
	assert_int_equal(e.code, ERR_STALE);
	must(db_write_beside(f->db, put_blob, &STR("x"), &e), &e);
	assert_int_equal(count(f->db, "SELECT COUNT(*) FROM users"), 1);
}

/* Told once; only of what was committed (I-19). */
static void
commits_are_remembered(void **state)
{
	struct fixture *f = *state;
	char there[] = "there";
	struct err e;

	assert_false(db_take_written(f->db));
	assert_false(db_write(f->db, put_then_fail, NULL, &e));
	assert_false(db_take_written(f->db));
	must(db_write(f->db, put_one, there, &e), &e);
	assert_false(db_write(f->db, put_one, there, &e));
	assert_int_equal(count(f->db, "SELECT COUNT(*) FROM users"), 1);
	assert_true(db_take_written(f->db));
	assert_false(db_take_written(f->db));
}

static bool
mention_two_and_fail(struct db *w, void *arg UNUSED, struct err *e)
{
	return mention(w, 2, "two", e) && fail(e, ERR_INPUT, "two");
}

/* An id that is NULL, which no trying again makes better. */
static bool
mention_nobody(struct db *w, void *arg UNUSED, struct err *e)
{
	return mention(w, 3, "three", e) && mention(w, 4, NULL, e);
}

static bool
mention_five(struct db *w, void *arg UNUSED, struct err *e)
{
	struct err why;

	if (!mention(w, 5, "five", e) || db_attempt(w, mention_nobody, NULL, &why))
		return false;
	return why.code == ERR_UNFIT || fail(e, ERR_BUG, "%s", why.msg);
}

static bool
attempt_in(struct db *w, void *arg UNUSED, struct err *e)
{
	struct err why;

	if (!mention(w, 1, "one", e))
		return false;
	assert_false(db_attempt(w, mention_two_and_fail, NULL, &why));
	assert_int_equal(why.code, ERR_INPUT);
	assert_string_equal(why.msg, "two");
	assert_false(db_attempt(w, mention_nobody, NULL, &why));
	assert_int_equal(why.code, ERR_UNFIT);
	return db_attempt(w, mention_five, NULL, e) && mention(w, 6, "six", e);
}

/* What fails inside a transaction takes with it what it did, and nothing else. */
static void
attempts(void **state)
{
	struct fixture *f = *state;
	struct err e;

	must(db_write_beside(f->db, attempt_in, NULL, &e), &e);
	assert_int_equal(count(f->db, "SELECT COUNT(*) FROM users"), 3);
	assert_int_equal(count(f->db, "SELECT COUNT(*) FROM users WHERE uid IN (1, 5, 6)"), 3);
	assert_false(db_write(f->db, mention_nobody, NULL, &e));
	assert_int_equal(e.code, ERR_UNFIT);
	assert_int_equal(count(f->db, "SELECT COUNT(*) FROM users"), 3);
}

#define WIDE  40
#define WIDTH 300000

static bool
mention_wide(struct db *w, void *arg, struct err *e)
{
	return db_exec_rows(w, SQL_USER_MENTION, NO_ARGS, arg, e);
}

/* More bytes than one statement is given: every row arrives, as it was. */
static void
rows_of_many_bytes(void **state)
{
	struct fixture *f = *state;
	int64_t uid[WIDE];
	struct str id[WIDE];
	struct col cols[] = {COL_INTS(uid), COL_TEXTS(id)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), WIDE};
	char *text = malloc(WIDE * WIDTH);
	struct err e;

	assert_non_null(text);
	memset(text, 'x', WIDE * WIDTH);
	for (int i = 0; i < WIDE; i++) {
		uid[i] = i + 1;
		id[i] = (struct str){text + i * WIDTH, WIDTH - (size_t)i};
	}
	must(db_write(f->db, mention_wide, &bulk, &e), &e);
	bulk.nrows = 0;
	must(db_write(f->db, mention_wide, &bulk, &e), &e);
	free(text);
	assert_int_equal(
		count(f->db, "SELECT COUNT(*) FROM users WHERE length(id) = 300001 - uid"),
		WIDE);
}

struct snapshot {
	struct fixture *f;
	struct db *other;
};

static bool
look_twice(struct db *db, void *arg, struct err *e)
{
	struct snapshot *s = arg;
	char meanwhile[] = "meanwhile";

	assert_int_equal(count(db, "SELECT COUNT(*) FROM users"), 0);
	must(db_write(s->other, put_one, meanwhile, e), e);
	assert_int_equal(count(db, "SELECT COUNT(*) FROM users"), 0);
	return true;
}

static void
snapshots_stand_still(void **state)
{
	struct snapshot s = {.f = *state};
	struct err e;

	must(db_open(&s.other, s.f->store, &e), &e);
	must(db_read(s.f->db, look_twice, &s, &e), &e);
	assert_int_equal(count(s.f->db, "SELECT COUNT(*) FROM users"), 1);
	db_close(s.other);
}

struct contender {
	struct fixture *f;
	struct thread thread;
	int index;
};

/* Reads, thinks, writes: right only when nobody writes in between. */
static bool
raise_by_one(struct db *w, void *arg UNUSED, struct err *e)
{
	int64_t n = 0, first;
	bool found;

	if (!db_get_int(w, SQL_FORM_LAST, NO_ARGS, &n, &found, e))
		return false;
	return db_take(w, COUNTER_USER, 1, &first, e) &&
	       db_exec(w, SQL_FORM_INSERT,
		       ARGS(V_INT(n + 1), V_TEXT(STR("t")), V_INT(n + 1), V_TEXT(STR("")),
			       V_TEXT(STR("")), V_INT(first == n + 1)),
		       NO_BULK, NULL, e);
}

static void
contend(void *arg)
{
	struct contender *c = arg;
	struct db *db;
	struct err e;

	must(db_open(&db, c->f->store, &e), &e);
	for (int i = 0; i < ROUNDS; i++)
		must(db_write(db, raise_by_one, NULL, &e), &e);
	db_close(db);
}

/* db_write transactions run as if one after the other, whatever they read. */
static void
writers_stand_in_line(void **state)
{
	struct fixture *f = *state;
	struct contender c[THREADS] = {0};

	for (int i = 0; i < THREADS; i++) {
		c[i].f = f;
		thread_start(&c[i].thread, "contender", contend, &c[i]);
	}
	for (int i = 0; i < THREADS; i++)
		thread_join(&c[i].thread);
	assert_int_equal(count(f->db, "SELECT COUNT(*) FROM forms"), THREADS * ROUNDS);
	assert_int_equal(count(f->db, "SELECT MAX(form) FROM forms"), THREADS * ROUNDS);
	/* Counters gave each number once. */
	assert_int_equal(count(f->db, "SELECT SUM(shadowed) FROM forms"), THREADS * ROUNDS);
}

/* ---- large results --------------------------------------------------------------------- */

static bool
put_many(struct db *w, void *arg UNUSED, struct err *e)
{
	static int64_t uids[MANY];
	static struct str ids[MANY];
	static char text[MANY][8];
	struct col cols[] = {COL_INTS(uids), COL_TEXTS(ids)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), MANY};

	for (int i = 0; i < MANY; i++) {
		uids[i] = i + 1;
		snprintf(text[i], sizeof(text[i]), "u%05d", i + 1);
		ids[i] = str_of(text[i]);
	}
	return db_exec(w, SQL_USER_IDS_INSERT, NO_ARGS, &bulk, NULL, e) &&
	       db_exec(w, SQL_USER_MENTION, NO_ARGS, &bulk, NULL, e);
}

static void
walk(struct db *db, int64_t until)
{
	struct rows r, inner;
	struct err e;
	int64_t n = 0;

	must(db_query(db, SQL_SEGMENT_WALK_UP, ARGS(V_TEXT(STR("")), V_TEXT(STR("~"))), NO_BULK,
		     &r, &e),
		&e);
	while (n < until && rows_next(&r)) {
		assert_int_equal(row_int(&r, 0), ++n);
		if (n % 5000 != 0)
			continue;
		/* Statements may be run while rows are read. */
		must(db_query(db, SQL_USER_BY_UID, ARGS(V_INT(n)), NO_BULK, &inner, &e), &e);
		assert_true(rows_next(&inner) && row_int(&inner, 0) == n);
		must(rows_end(&inner, &e), &e);
	}
	assert_int_equal(n, until);
	must(rows_end(&r, &e), &e);
}

/* Those up to the ${n}th are ${n}, around the sizes where results begin to come in pieces. */
static void
count_up_to(struct db *db, int64_t n)
{
	char last[8];
	struct rows r;
	struct err e;
	int64_t seen = 0;

	snprintf(last, sizeof(last), "u%05d", (int)n);
	must(db_query(db, SQL_SEGMENT_WALK_UP, ARGS(V_TEXT(STR("")), V_TEXT(str_of(last))),
		     NO_BULK, &r, &e),
		&e);
	while (rows_next(&r))
		assert_int_equal(row_int(&r, 0), ++seen);
	must(rows_end(&r, &e), &e);
	assert_int_equal(seen, n);
}

static bool
walk_in_snapshot(struct db *db, void *arg UNUSED, struct err *e)
{
	struct rows r;
	int64_t n = 0;

	walk(db, MANY);
	must(db_query_text(db, STR("SELECT uid FROM users WHERE uid > $1 ORDER BY uid"),
		     ARGS(V_INT(0)), &r, e),
		e);
	while (rows_next(&r))
		assert_int_equal(row_int(&r, 0), ++n);
	assert_int_equal(n, MANY);
	return rows_end(&r, e);
}

static void
large_results_come_in_pieces(void **state)
{
	static const int64_t sizes[] = {1, 3999, 4000, 4001, 4002, 9999, 10000, 10001, 20000};
	struct fixture *f = *state;
	struct err e;

	must(db_write(f->db, put_many, NULL, &e), &e);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		count_up_to(f->db, sizes[i]);
	walk(f->db, MANY);
	walk(f->db, 3);
	must(db_read(f->db, walk_in_snapshot, NULL, &e), &e);
	walk(f->db, 10000);
}

static void
the_clock_is_now(void **state)
{
	struct fixture *f = *state;
	int64_t now;
	struct err e;

	must(db_now(f->db, &now, &e), &e);
	assert_true(llabs(now - clock_now_us()) < 5000000);
}

/* ---- deadlines ------------------------------------------------------------------------- */

static bool
wait_for_deadline(struct db *w UNUSED, void *arg, struct err *e UNUSED)
{
	while (clock_mono_us() <= *(const int64_t *)arg)
		continue;
	return true;
}

/* What was committed must not be answered as a failure (I-19). */
static void
commits_lift_the_deadline(void **state)
{
	struct fixture *f = *state;
	int64_t deadline = clock_mono_us() + 20000;
	struct rows r;
	struct err e;

	db_set_deadline(f->db, deadline);
	must(db_write(f->db, wait_for_deadline, &deadline, &e), &e);
	must(db_query_text(f->db, STR("SELECT COUNT(*) FROM users"), NO_ARGS, &r, &e), &e);
	assert_true(rows_next(&r));
	must(rows_end(&r, &e), &e);
}

/* ---- custom data ----------------------------------------------------------------------- */

/* Nothing first, then numbers as numbers (true is 1), then texts by their bytes, and so in
 * reverse. */
static void
json_sorts_alike(void **state)
{
	static const char *const values[] = {"null", "true", "1.5", "2", "9", "10", "1e3",
		"\"10\"", "\"B\"", "[1]", "\"_x\"", "\"a\"", "\"z\"", "{\"k\":1}",
		"\"\xc3\x89\""};
	static const struct str turns[] = {STR_INIT(""), STR_INIT(" DESC")};
	struct fixture *f = *state;

	for (int descending = 0; descending < 2; descending++) {
		struct buf sql;
		struct rows r;
		struct err e;

		/* From the last to the first, so that the order is not that of the rows. */
		buf_init(&sql, NULL, 4096);
		buf_str(&sql, STR("SELECT i FROM ("));
		for (size_t i = ARRAY_LEN(values); i-- > 0;)
			buf_printf(&sql, "SELECT %zu AS i, CAST('{\"k\":%s}' AS %s) AS j%s", i,
				values[i], f->server != NULL ? "JSON" : "TEXT",
				i > 0 ? " UNION ALL " : "");
		buf_str(&sql, STR(") AS x ORDER BY "));
		db_json_order(f->db, &sql, "x.j", 1, descending);
		buf_str(&sql, STR(", i"));
		buf_str(&sql, turns[descending]);
		must(db_query_text(f->db, buf_view(&sql), ARGS(V_TEXT(STR("k"))), &r, &e), &e);
		for (size_t i = 0; i < ARRAY_LEN(values); i++) {
			assert_true(rows_next(&r));
			assert_int_equal(
				row_int(&r, 0), descending ? ARRAY_LEN(values) - 1 - i : i);
		}
		assert_false(rows_next(&r));
		must(rows_end(&r, &e), &e);
		buf_free(&sql);
	}
}

#define TESTS(engine)                                                                          \
	{#engine ": values_come_back", values_come_back, on_##engine, teardown, NULL},         \
		{#engine ": blobs_hold_any_byte", blobs_hold_any_byte, on_##engine, teardown,  \
			NULL},                                                                 \
		{#engine ": failure_rolls_back", failure_rolls_back, on_##engine, teardown,    \
			NULL},                                                                 \
		{#engine ": attempts", attempts, on_##engine, teardown, NULL},                 \
		{#engine ": rows_of_many_bytes", rows_of_many_bytes, on_##engine, teardown,    \
			NULL},                                                                 \
		{#engine ": commits_are_remembered", commits_are_remembered, on_##engine,      \
			teardown, NULL},                                                       \
		{#engine ": snapshots_stand_still", snapshots_stand_still, on_##engine,        \
			teardown, NULL},                                                       \
		{#engine ": writers_stand_in_line", writers_stand_in_line, on_##engine,        \
			teardown, NULL},                                                       \
		{#engine ": large_results_come_in_pieces", large_results_come_in_pieces,       \
			on_##engine, teardown, NULL},                                          \
		{#engine ": commits_lift_the_deadline", commits_lift_the_deadline,             \
			on_##engine, teardown, NULL},                                          \
		{#engine ": json_sorts_alike", json_sorts_alike, on_##engine, teardown, NULL}, \
	{                                                                                      \
#engine ": the_clock_is_now", the_clock_is_now, on_##engine, teardown, NULL    \
	}

int
main(void)
{
	const struct CMUnitTest sqlite[] = {TESTS(sqlite)};
	const struct CMUnitTest both[] = {TESTS(sqlite), TESTS(pg)};
	int failed;

	if (!pg_server_start(&pg)) {
		fprintf(stderr, "PostgreSQL is not installed: its half is skipped\n");
		return cmocka_run_group_tests(sqlite, NULL, NULL);
	}
	failed = cmocka_run_group_tests(both, NULL, NULL);
	pg_server_stop(&pg);
	return failed;
}
