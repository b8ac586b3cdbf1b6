/* test_pg_pool – connections are shared and bounded; processes hear each other.  Skipped where
 * PostgreSQL is not installed. */
#include <stdatomic.h>

#include "../../lib/pg.h"
#include "../unit.h"
#include "base/clock.h"
#include "base/thread.h"
#include "store/db.h"
#include "store/pg.h"

static struct pg_server server;
static char url[PG_URL_MAX];

static int
setup(void **state UNUSED)
{
	assert_true(pg_database_make(&server, url));
	return 0;
}

static int
teardown(void **state UNUSED)
{
	pg_database_drop(&server, url);
	return 0;
}

/* Backends in the test's database besides the one that asks. */
static int64_t
backends(void)
{
	PGconn *conn = PQconnectdb(url);
	PGresult *res = PQexec(conn, "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = "
				     "current_database() AND pid <> pg_backend_pid()");
	int64_t n = atoll(PQgetvalue(res, 0, 0));

	PQclear(res);
	PQfinish(conn);
	return n;
}

/* Without connections: the server may take a moment to see that the first one was closed. */
static struct store *
open_with(int64_t connections)
{
	struct store_opts opts = {.wait_ms = 10000, .connections = connections};
	struct store *s;
	struct err e;

	must(store_open_with(&s, url, &opts, &e), &e);
	while (backends() > 0)
		continue;
	return s;
}

static struct db *
open_db(struct store *s)
{
	struct db *db;
	struct err e;

	must(db_open(&db, s, &e), &e);
	return db;
}

/* ---- the pool -------------------------------------------------------------------------- */

/* The server's process behind the connection that ${db} has for a statement. */
static int64_t
backend_of(struct db *db)
{
	struct rows r;
	struct err e;
	int64_t pid;

	must(db_query_text(db, STR("SELECT pg_backend_pid()"), NO_ARGS, &r, &e), &e);
	assert_true(rows_next(&r));
	pid = row_int(&r, 0);
	must(rows_end(&r, &e), &e);
	return pid;
}

struct pair {
	struct db *db;
	int64_t pids[2];
};

static bool
ask_both(struct db *db, void *arg, struct err *e UNUSED)
{
	struct pair *pair = arg;

	pair->pids[0] = backend_of(db);
	pair->pids[1] = backend_of(pair->db);
	return true;
}

/* What was prepared for him is there. */
static void
each_gets_the_connection_he_had(void **state UNUSED)
{
	struct store *s = open_with(0);
	struct db *ann = open_db(s), *bob = open_db(s), *cid = open_db(s);
	struct pair pair = {.db = bob};
	struct err e;

	must(db_read(ann, ask_both, &pair, &e), &e);
	assert_int_not_equal(pair.pids[0], pair.pids[1]);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(backend_of(bob), pair.pids[1]);
		assert_int_equal(backend_of(ann), pair.pids[0]);
		assert_int_equal(backend_of(ann), pair.pids[0]);
	}
	/* Who had none gets one of theirs before another is made. */
	assert_int_equal(backend_of(cid), pair.pids[0]);
	assert_int_equal(backend_of(bob), pair.pids[1]);
	assert_int_equal(backends(), 2);
	db_close(ann);
	db_close(bob);
	db_close(cid);
	store_close(s);
}

static void
idle_users_hold_no_connection(void **state UNUSED)
{
	struct store *s = open_with(0);
	struct db *dbs[8];
	int64_t now;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(dbs); i++) {
		dbs[i] = open_db(s);
		must(db_now(dbs[i], &now, &e), &e);
	}
	assert_int_equal(backends(), 1);
	for (size_t i = 0; i < ARRAY_LEN(dbs); i++)
		db_close(dbs[i]);
	store_close(s);
}

/* One of many threads that write at once. */
struct writer {
	struct store *store;
	atomic_int *most; /* backends seen at most */
	struct thread thread;
	int done;
};

static bool
count_up(struct db *w, void *arg UNUSED, struct err *e)
{
	int64_t first;

	return db_take(w, COUNTER_USER, 1, &first, e);
}

static void
write_often(void *arg)
{
	struct writer *w = arg;
	struct db *db = open_db(w->store);
	struct err e;

	for (int i = 0; i < 20; i++)
		if (db_write(db, count_up, NULL, &e))
			w->done++;
	db_close(db);
}

static void
many_threads_share_few_connections(void **state UNUSED)
{
	struct store *s = open_with(2);
	struct writer writers[12] = {0};
	struct db *db = open_db(s);
	struct rows r;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(writers); i++) {
		writers[i].store = s;
		thread_start(&writers[i].thread, "writer", write_often, &writers[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(writers); i++) {
		assert_true(backends() <= 2);
		thread_join(&writers[i].thread);
		assert_int_equal(writers[i].done, 20);
	}
	must(db_query_text(
		     db, STR("SELECT next FROM counters WHERE name = 'user'"), NO_ARGS, &r, &e),
		&e);
	assert_true(rows_next(&r));
	assert_int_equal(row_int(&r, 0), 241);
	must(rows_end(&r, &e), &e);
	db_close(db);
	store_close(s);
}

static bool
ask_another(struct db *w UNUSED, void *arg, struct err *e)
{
	int64_t now;

	return db_now(arg, &now, e);
}

/* Whoever finds all connections busy is told so in time for his client to hear it. */
static void
waiting_ends(void **state UNUSED)
{
	struct store *s = open_with(1);
	struct db *a = open_db(s), *b = open_db(s);
	int64_t began = clock_mono_us(), now;
	struct err e;

	assert_false(db_write(a, ask_another, b, &e));
	assert_int_equal(e.code, ERR_STORE);
	assert_non_null(strstr(e.msg, "all 1 connections"));
	assert_true(clock_mono_us() - began < 3000000);
	must(db_now(b, &now, &e), &e);
	must(db_now(a, &now, &e), &e);
	db_close(a);
	db_close(b);
	store_close(s);
}

/* ---- hearing each other ---------------------------------------------------------------- */

/* How often each word was heard. */
struct ears {
	atomic_int work, events, texts;
};

/* Numbers, in their order. */
static void
hear_text(void *arg, struct str text)
{
	struct ears *ears = arg;
	int64_t n = -1;

	if (text.n > 8 && str_to_i64(str_sub(text, 0, 8), &n) && n == atomic_load(&ears->texts))
		atomic_fetch_add(&ears->texts, 1);
}

static void
count_words(void *arg, unsigned words)
{
	struct ears *ears = arg;

	if (words & STORE_WORK)
		atomic_fetch_add(&ears->work, 1);
	if (words & STORE_EVENTS)
		atomic_fetch_add(&ears->events, 1);
}

/* Says it again until it was heard: what is said before the other listens is lost. */
static bool
is_heard(struct store *speaker, enum store_word word, struct ears *ears)
{
	atomic_int *said = word == STORE_WORK ? &ears->work : &ears->events;
	int64_t until = clock_mono_us() + 15000000;
	int before = atomic_load(said);

	while (atomic_load(said) == before && clock_mono_us() < until) {
		store_wake(speaker, word);
		usleep(2000);
	}
	return atomic_load(said) > before;
}

static bool
all_is_heard(struct store *speaker, struct ears *ears)
{
	return is_heard(speaker, STORE_WORK, ears) && is_heard(speaker, STORE_EVENTS, ears);
}

/* Who is told of events need not look for work. */
static void
words_are_told_apart(struct store *speaker, struct ears *ears)
{
	int before = atomic_load(&ears->work);

	for (int i = 0; i < 20; i++)
		assert_true(is_heard(speaker, STORE_EVENTS, ears));
	assert_int_equal(atomic_load(&ears->work), before);
}

/* As they were said, with whatever is in them. */
static void
texts_arrive(struct store *speaker, struct ears *ears)
{
	int64_t until = clock_mono_us() + 15000000;
	char long_one[STORE_SAID_MAX + 1];

	memset(long_one, 'x', sizeof(long_one));
	for (int i = 0; i < 100; i++) {
		char text[64];

		snprintf(text, sizeof(text), "%08d it's $1 \\ \"é\"", i);
		store_say(speaker, str_of(text));
		store_say(speaker, (struct str){long_one, sizeof(long_one)}); /* is lost */
	}
	while (atomic_load(&ears->texts) < 100 && clock_mono_us() < until)
		usleep(2000);
	assert_int_equal(atomic_load(&ears->texts), 100);
}

static void
processes_hear_each_other(void **state UNUSED)
{
	struct store *a = open_with(0), *b = open_with(0);
	struct ears heard_a = {0}, heard_b = {0};
	PGconn *conn;

	store_wake(a, STORE_WORK); /* nobody listens: no effect */
	store_say(a, STR("nobody"));
	store_hear(b, hear_text, &heard_b);
	store_listen(a, count_words, &heard_a);
	store_listen(b, count_words, &heard_b);
	assert_true(all_is_heard(a, &heard_b));
	assert_true(all_is_heard(b, &heard_a));
	words_are_told_apart(a, &heard_b);
	texts_arrive(a, &heard_b);

	conn = PQconnectdb(url);
	PQclear(PQexec(conn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
			     "datname = current_database() AND pid <> pg_backend_pid()"));
	PQfinish(conn);
	assert_true(all_is_heard(a, &heard_b));
	assert_true(all_is_heard(b, &heard_a));
	store_unlisten(a);
	store_unlisten(b);
	store_close(a);
	store_close(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(idle_users_hold_no_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(
			each_gets_the_connection_he_had, setup, teardown),
		cmocka_unit_test_setup_teardown(
			many_threads_share_few_connections, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(processes_hear_each_other, setup, teardown),
	};
	int failed;

	if (!pg_server_start(&server)) {
		puts("1..0 # SKIP PostgreSQL is not installed");
		return 0;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	pg_server_stop(&server);
	return failed;
}
