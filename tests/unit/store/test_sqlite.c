/* test_sqlite – the SQLite engine: values, bulk, transactions, opening. */
#include "sqlite_fixture.h"

/* ---- values ---------------------------------------------------------------------- */

static void
values_come_back(void **state)
{
	struct fixture *f = *state;
	struct str bytes = {"a\0b\xff", 4};
	struct rows r;
	struct err e;

	must(db_query_text(f->db, STR("SELECT $2, $1, $3, $4, $5, $6, $7, $8, typeof($4), $9"),
		     ARGS(V_INT(1), V_INT(INT64_MAX), V_INT(INT64_MIN), V_REAL(0.1),
			     V_TEXT(STR("h\xc3\xa9 \0x")), V_BLOB(bytes), V_TEXT(STR("")),
			     V_NULL, V_BLOB(STR(""))),
		     &r, &e),
		&e);
	assert_true(rows_next(&r));
	assert_int_equal(row_int(&r, 0), INT64_MAX);
	assert_int_equal(row_int(&r, 1), 1);
	assert_int_equal(row_int(&r, 2), INT64_MIN);
	assert_true(row_real(&r, 3) == 0.1);
	assert_same(row_str(&r, 4), STR("h\xc3\xa9 \0x"));
	assert_same(row_str(&r, 5), bytes);
	assert_same(row_str(&r, 6), STR(""));
	assert_false(row_null(&r, 6));
	assert_true(row_null(&r, 7));
	assert_same(row_str(&r, 8), STR("real"));
	assert_same(row_str(&r, 9), STR(""));
	assert_false(rows_next(&r));
	must(rows_end(&r, &e), &e);
}

static void
nulls_of_all_types(void **state)
{
	struct fixture *f = *state;
	struct rows r;
	struct err e;

	must(db_query_text(f->db, STR("SELECT $1, $2, $3, $4"),
		     ARGS(V_NULL, V_TEXT(STR_NONE), V_BLOB(STR_NONE), V_TIME(INT64_MIN)), &r,
		     &e),
		&e);
	assert_true(rows_next(&r));
	for (int i = 0; i < 4; i++) {
		assert_true(row_null(&r, i));
		assert_int_equal(row_int(&r, i), 0);
		assert_int_equal(row_time(&r, i), INT64_MIN);
		assert_null(row_str(&r, i).p);
		assert_int_equal(row_str(&r, i).n, 0);
	}
	must(rows_end(&r, &e), &e);
}

static void
statements_are_used_again(void **state)
{
	struct fixture *f = *state;
	struct err e;
	bool found = true;
	int64_t v = 42;

	must(db_get_int(f->db, SQL_MESSAGE_ID_TAKEN, ARGS(V_TEXT(STR("m"))), &v, &found, &e),
		&e);
	assert_false(found);
	assert_int_equal(v, 42);
	for (int64_t key = 1; key <= 3; key++) {
		put_one(f, key);
		assert_int_equal(value(f->db, "SELECT MAX(key) FROM messages"), key);
		must(db_get_int(
			     f->db, SQL_CHANNEL_LAST_MESSAGE, ARGS(V_INT(key)), &v, &found, &e),
			&e);
		assert_true(found);
		assert_int_equal(v, 0);
	}
}

static void
a_query_may_be_left_early(void **state)
{
	struct fixture *f = *state;
	struct rows r;
	struct err e;

	for (int64_t key = 1; key <= 3; key++)
		put_one(f, key);
	for (int i = 0; i < 2; i++) {
		must(db_query(f->db, SQL_CHANNEL_ANY, ARGS(V_INT(5)), NO_BULK, &r, &e), &e);
		must(rows_end(&r, &e), &e);
		must(db_query_text(f->db, STR("SELECT key FROM messages"), NO_ARGS, &r, &e),
			&e);
		assert_true(rows_next(&r));
		must(rows_end(&r, &e), &e);
	}
}

static void
failures_are_told(void **state)
{
	struct fixture *f = *state;
	int64_t v;
	struct rows r;
	struct err e;

	must_fail(ask(f->db, "SELECT absent FROM nowhere", &v, &e), &e, ERR_STORE, "nowhere");
	must_fail(ask(f->db, "SELECT \"absent\"", &v, &e), &e, ERR_STORE, "absent");
	/* In the midst of the rows, and the next query is none the worse. */
	must(db_query_text(f->db, STR("SELECT abs(v) FROM (SELECT 1 AS v UNION ALL SELECT $1)"),
		     ARGS(V_INT(INT64_MIN)), &r, &e),
		&e);
	assert_true(rows_next(&r));
	assert_false(rows_next(&r));
	must_fail(rows_end(&r, &e), &e, ERR_STORE, "overflow");
	assert_int_equal(value(f->db, "SELECT 7"), 7);
}

/* ---- bulk ------------------------------------------------------------------------ */

static bool
put_members(struct db *w, void *arg, struct err *e)
{
	return db_exec(w, SQL_MEMBER_INSERT, ARGS(V_INT(9), V_INT(77)), arg, NULL, e);
}

static void
bulk_of_all_types(void **state)
{
	static const int64_t uid[] = {3, 1, 2}, hidden[] = {COL_NULL, 5, INT64_MAX},
			     archived[] = {0, COL_NULL, -1};
	static const struct str role[] = {STR_INIT("r\0x"), {NULL, 0}, STR_INIT("")},
				custom[] = {{NULL, 0}, STR_INIT("{\"a\":1}"), {NULL, 0}};
	struct col cols[] = {COL_INTS(uid), COL_TEXTS(role), COL_INTS(hidden),
		COL_INTS(archived), COL_TEXTS(custom)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), 3};
	static const int order[] = {1, 2, 0};
	struct fixture *f = *state;
	struct rows r;
	struct err e;

	must(db_write(f->db, put_members, &bulk, &e), &e);
	must(db_query(f->db, SQL_MEMBER_ROWS, ARGS(V_INT(9), V_INT(10)), NO_BULK, &r, &e), &e);
	for (int i = 0; i < 3; i++) {
		int k = order[i];

		assert_true(rows_next(&r));
		assert_int_equal(row_int(&r, 0), uid[k]);
		assert_same(row_str(&r, 1), role[k]);
		assert_int_equal(row_int(&r, 2), 77);
		assert_int_equal(row_time(&r, 6), hidden[k]);
		assert_int_equal(row_time(&r, 8), archived[k]);
		assert_same(row_str(&r, 11), custom[k]);
	}
	assert_false(rows_next(&r));
	must(rows_end(&r, &e), &e);
	bulk.nrows = 0;
	must(db_write(f->db, put_members, &bulk, &e), &e);
	assert_int_equal(value(f->db, "SELECT COUNT(*) FROM members"), 3);
}

static bool
put_targets(struct db *w, void *arg, struct err *e)
{
	return db_exec(w, SQL_TARGETS_PUT, ARGS(V_INT(1)), arg, NULL, e);
}

static void
bulk_of_blobs(void **state)
{
	static const int64_t key[] = {1, 2}, n[] = {1, 2};
	static const struct str uids[] = {STR_INIT("\0\xff\xc3 not utf-8"), STR_INIT("")},
				none[] = {STR_INIT("x"), {NULL, 0}};
	struct col cols[] = {COL_INTS(key), COL_INTS(n), COL_TEXTS(uids)};
	struct bulk bulk = {cols, 3, 2};
	struct fixture *f = *state;
	struct rows r;
	struct err e;

	must(db_write(f->db, put_targets, &bulk, &e), &e);
	for (int i = 0; i < 2; i++) {
		must(db_query_text(f->db,
			     STR("SELECT uids, typeof(uids) FROM targets WHERE key = $1"),
			     ARGS(V_INT(key[i])), &r, &e),
			&e);
		assert_true(rows_next(&r));
		assert_same(row_str(&r, 0), uids[i]);
		assert_same(row_str(&r, 1), STR("blob"));
		must(rows_end(&r, &e), &e);
	}
	/* NULL arrives as NULL, and this column has none; the first row goes with it. */
	cols[2] = COL_TEXTS(none);
	must_fail(db_write(f->db, put_targets, &bulk, &e), &e, ERR_UNFIT, "NOT NULL");
	assert_int_equal(value(f->db, "SELECT COUNT(*) FROM targets WHERE uids = x'78'"), 0);
}

static bool
mention(struct db *w, void *arg, struct err *e)
{
	return db_exec(w, SQL_USER_IDS_INSERT, NO_ARGS, arg, NULL, e) &&
	       db_exec(w, SQL_USER_MENTION, NO_ARGS, arg, NULL, e);
}

static void
bulk_within_bulk(void **state)
{
	static const int64_t uid[] = {10, 20, 30}, back[] = {30, 10};
	static const struct str id[] = {STR_INIT("a"), STR_INIT("b"), STR_INIT("c")},
				asked[] = {STR_INIT("c"), STR_INIT("nobody"), STR_INIT("a"),
					STR_INIT("c")};
	static const int64_t wanted[][2] = {{0, 30}, {2, 10}, {3, 30}};
	struct col users[] = {COL_INTS(uid), COL_TEXTS(id)}, ids = COL_TEXTS(asked),
		   uids = COL_INTS(back);
	struct bulk put_bulk = {users, 2, 3}, outer = {&ids, 1, 4}, inner = {&uids, 1, 2};
	struct fixture *f = *state;
	struct rows o, i;
	struct err e;

	must(db_write(f->db, mention, &put_bulk, &e), &e);
	must(db_query(f->db, SQL_USER_RESOLVE, NO_ARGS, &outer, &o, &e), &e);
	for (size_t k = 0; k < ARRAY_LEN(wanted); k++) {
		assert_true(rows_next(&o));
		assert_int_equal(row_int(&o, 0), wanted[k][0]);
		assert_int_equal(row_int(&o, 1), wanted[k][1]);
		must(db_query(f->db, SQL_USER_IDS, NO_ARGS, &inner, &i, &e), &e);
		assert_true(rows_next(&i));
		assert_same(row_str(&i, 1), STR("c"));
		assert_true(rows_next(&i));
		assert_same(row_str(&i, 1), STR("a"));
		assert_false(rows_next(&i));
		must(rows_end(&i, &e), &e);
	}
	assert_false(rows_next(&o));
	must(rows_end(&o, &e), &e);
}

static void
bulk_of_many(void **state)
{
	enum { N = 100000 };
	static int64_t uid[N];
	static struct str id[N];
	static char text[N][16];
	struct col cols[] = {COL_INTS(uid), COL_TEXTS(id)};
	struct bulk bulk = {cols, 2, N};
	struct fixture *f = *state;
	struct err e;

	for (int i = 0; i < N; i++) {
		uid[i] = i + 1;
		snprintf(text[i], sizeof(text[i]), "u%d", i);
		id[i] = str_of(text[i]);
	}
	must(db_write(f->db, mention, &bulk, &e), &e);
	assert_int_equal(value(f->db, "SELECT COUNT(*) FROM users"), N);
	assert_int_equal(value(f->db, "SELECT uid FROM users WHERE id = 'u99999'"), N);
}

/* ---- transactions ---------------------------------------------------------------- */

static bool
put_three_then_fail(struct db *w, void *arg UNUSED, struct err *e)
{
	int64_t first;

	for (int64_t key = 1; key <= 3; key++)
		if (!put(w, key, STR("x"), e))
			return false;
	if (!db_take(w, COUNTER_USER, 10, &first, e))
		return false;
	return fail(e, ERR_INPUT, "field: no");
}

static bool
take_one(struct db *w, void *arg, struct err *e)
{
	return db_take(w, COUNTER_USER, 1, arg, e);
}

static void
a_failure_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t first;
	struct err e;

	put_one(f, 100);
	must_fail(db_write(f->db, put_three_then_fail, NULL, &e), &e, ERR_INPUT, "field: no");
	assert_int_equal(value(f->db, "SELECT COUNT(*) FROM messages"), 1);
	must(db_write(f->db, take_one, &first, &e), &e);
	assert_int_equal(first, 1);
	reopen(f);
	assert_int_equal(value(f->db, "SELECT COUNT(*) FROM messages"), 1);
}

static void
a_unique_key_taken_is_stale(void **state)
{
	struct one again = {5, STR("other")};
	struct fixture *f = *state;
	struct rows r;
	struct err e;

	put_one(f, 5);
	must_fail(db_write(f->db, put_in, &again, &e), &e, ERR_STALE, "message_insert");
	must(db_query_text(f->db, STR("SELECT text FROM messages"), NO_ARGS, &r, &e), &e);
	assert_true(rows_next(&r));
	assert_same(row_str(&r, 0), STR("x"));
	must(rows_end(&r, &e), &e);
}

static bool
count_changes(struct db *w, void *arg, struct err *e)
{
	int64_t *changed = arg;

	return db_exec(w, SQL_MESSAGE_INSERT,
		       ARGS(V_INT(1), V_INT(1), V_INT(1), V_TEXT(STR("")), V_NULL, V_NULL,
			       V_NULL),
		       NO_BULK, &changed[0], e) &&
	       db_exec(w, SQL_CAMPAIGN_STOP, ARGS(V_INT(99), V_INT(1)), NO_BULK, &changed[1],
		       e);
}

static void
changes_are_counted(void **state)
{
	struct fixture *f = *state;
	int64_t changed[2] = {7, 7};
	struct err e;

	must(db_write(f->db, count_changes, changed, &e), &e);
	assert_int_equal(changed[0], 1);
	assert_int_equal(changed[1], 0);
}

static bool
write_within(struct db *w, void *arg, struct err *e)
{
	struct one inner = {2, STR("x")};

	return put(w, 1, STR("x"), e) && db_write(w, put_in, &inner, e) &&
	       db_read(w, put_in, &(struct one){3, STR("x")}, e) &&
	       (arg == NULL || fail(e, ERR_INPUT, "after all"));
}

static void
a_write_within_a_write_is_part_of_it(void **state)
{
	struct fixture *f = *state;
	struct err e;

	must_fail(db_write(f->db, write_within, f, &e), &e, ERR_INPUT, "after all");
	assert_int_equal(value(f->db, "SELECT COUNT(*) FROM messages"), 0);
	must(db_write(f->db, write_within, NULL, &e), &e);
	assert_int_equal(value(f->db, "SELECT COUNT(*) FROM messages"), 3);
}

struct snapshot {
	struct fixture *f;
	struct db *other;
	bool nested;
};

static bool
count_in(struct db *db, void *arg, struct err *e)
{
	return ask(db, "SELECT COUNT(*) FROM messages", arg, e);
}

/* What is committed meanwhile is not seen, in nested reads neither. */
static bool
read_twice(struct db *db, void *arg, struct err *e)
{
	struct snapshot *s = arg;
	int64_t before, after, nested;

	if (!count_in(db, &before, e))
		return false;
	put_one(s->f, before + 1);
	assert_int_equal(value(s->other, "SELECT COUNT(*) FROM messages"), before + 1);
	if (!count_in(db, &after, e) || !db_read(db, count_in, &nested, e))
		return false;
	assert_int_equal(after, before);
	assert_int_equal(nested, before);
	return s->nested || fail(e, ERR_INPUT, "passed on");
}

static void
a_read_is_of_one_moment(void **state)
{
	struct fixture *f = *state;
	struct snapshot s = {.f = f, .nested = true};
	struct err e;

	must(db_open(&s.other, f->store, &e), &e);
	must(db_read(f->db, read_twice, &s, &e), &e);
	assert_int_equal(value(f->db, "SELECT COUNT(*) FROM messages"), 1);
	s.nested = false;
	must_fail(db_read(f->db, read_twice, &s, &e), &e, ERR_INPUT, "passed on");
	/* The snapshot has ended with the failure. */
	assert_int_equal(value(f->db, "SELECT COUNT(*) FROM messages"), 2);
	put_one(f, 50);
	assert_int_equal(value(f->db, "SELECT COUNT(*) FROM messages"), 3);
	db_close(s.other);
}

struct take {
	enum counter counter;
	int64_t n, first;
};

static bool
take_in(struct db *w, void *arg, struct err *e)
{
	struct take *t = arg;

	return db_take(w, t->counter, t->n, &t->first, e);
}

static void
numbers_are_handed_out_once(void **state)
{
	static const struct take takes[] = {
		{COUNTER_USER, 1, 1},
		{COUNTER_USER, 5, 2},
		{COUNTER_MESSAGE, 10000000000, 1},
		{COUNTER_MESSAGE, 1, 10000000001},
		{COUNTER_USER, 1, 7},
		{COUNTER_CHANNEL, 1, 1},
		{COUNTER_CAMPAIGN, 1, 1},
		{COUNTER_SEGMENT, 1, 1},
		{COUNTER_CAMPAIGN, 1, 2},
	};
	struct fixture *f = *state;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(takes); i++) {
		struct take t = takes[i];

		if (i == 4)
			reopen(f);
		t.first = -1;
		must(db_write(f->db, take_in, &t, &e), &e);
		assert_int_equal(t.first, takes[i].first);
	}
}

/* ---- opening --------------------------------------------------------------------- */

static void
one_process_a_store(void **state)
{
	struct fixture *f = *state;
	struct store *second;
	struct err e;

	assert_true(store_is_exclusive(f->store));
	must_fail(store_open(&second, f->url, &e), &e, ERR_STORE, "is in use");
	assert_non_null(strstr(e.msg, f->path));
	/* The one who was there first does not notice. */
	put_one(f, 1);
	reopen(f);
	assert_int_equal(value(f->db, "SELECT COUNT(*) FROM messages"), 1);
}

static void
plain_sql(const char *path, const char *sql)
{
	sqlite3 *h;

	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(h);
}

static void
a_newer_schema_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err e;

	put_one(f, 1);
	assert_int_equal(value(f->db, "SELECT MAX(version) FROM schema_version"), sql_nsteps);
	fixture_close(f);
	plain_sql(f->path, "INSERT INTO schema_version VALUES (999)");
	must_fail(store_open(&f->store, f->url, &e), &e, ERR_STORE, "newer than this program");
	assert_non_null(strstr(e.msg, f->path));
	assert_non_null(strstr(e.msg, "999"));
	/* Nothing was touched, and the lock was given back. */
	f->store = NULL;
	plain_sql(f->path, "DELETE FROM schema_version WHERE version = 999");
	must(store_open(&f->store, f->url, &e), &e);
	must(db_open(&f->db, f->store, &e), &e);
	assert_int_equal(value(f->db, "SELECT COUNT(*) FROM messages"), 1);
}

static void
a_schema_begun_is_made(void **state)
{
	struct fixture *f = *state;
	struct err e;

	/* As a process leaves it that was killed before its first step. */
	fixture_close(f);
	unlink(f->path);
	plain_sql(f->path, "CREATE TABLE schema_version (version BIGINT NOT NULL)");
	must(store_open(&f->store, f->url, &e), &e);
	must(db_open(&f->db, f->store, &e), &e);
	put_one(f, 1);
}

static void
a_database_of_others_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err e;

	fixture_close(f);
	unlink(f->path);
	plain_sql(f->path, "CREATE TABLE photos (no INTEGER); INSERT INTO photos VALUES (1)");
	must_fail(store_open(&f->store, f->url, &e), &e, ERR_STORE, f->path);
	f->store = NULL;
	plain_sql(f->path, "SELECT no FROM photos");
}

static void
what_cannot_be_opened(void **state)
{
	struct fixture *f = *state;
	char url[160];
	struct store *s;
	struct err e;
	int fd;

	must_fail(store_open(&s, "mysql://x", &e), &e, ERR_INPUT, "store mysql: expected");
	must_fail(store_open(&s, "", &e), &e, ERR_INPUT, "sqlite:PATH");
	must_fail(store_open(&s, "sqlite:", &e), &e, ERR_INPUT, "path");
	must_fail(store_open(&s, "sqlite:/no/such/folder/x.db", &e), &e, ERR_STORE,
		"/no/such/folder/x.db");
	snprintf(url, sizeof(url), "sqlite:%s/folder", f->dir);
	assert_int_equal(mkdir(url + 7, 0700), 0);
	must_fail(store_open(&s, url, &e), &e, ERR_STORE, url + 7);
	assert_int_equal(rmdir(url + 7), 0);
	strcat(url, ".lock");
	unlink(url + 7);

	fixture_close(f);
	fd = open(f->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(write(fd, "this is no database\n", 20), 20);
	close(fd);
	must_fail(store_open(&s, f->url, &e), &e, ERR_STORE, f->path);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(values_come_back),
		TEST(nulls_of_all_types),
		TEST(statements_are_used_again),
		TEST(a_query_may_be_left_early),
		TEST(failures_are_told),
		TEST(bulk_of_all_types),
		TEST(bulk_of_blobs),
		TEST(bulk_within_bulk),
		TEST(bulk_of_many),
		TEST(a_failure_leaves_nothing),
		TEST(a_unique_key_taken_is_stale),
		TEST(changes_are_counted),
		TEST(a_write_within_a_write_is_part_of_it),
		TEST(a_read_is_of_one_moment),
		TEST(numbers_are_handed_out_once),
		TEST(one_process_a_store),
		TEST(a_newer_schema_is_refused),
		TEST(a_schema_begun_is_made),
		TEST(a_database_of_others_is_refused),
		TEST(what_cannot_be_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
