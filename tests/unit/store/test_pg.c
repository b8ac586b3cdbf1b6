/* test_pg – the PostgreSQL driver alone: every statement is valid there and keeps to the
 * types that the driver reads; plans; lost connections; wrong databases.  Skipped where
 * PostgreSQL is not installed. */
#include <libpq-fe.h>

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
#include "store/json_cmp.h"
#include "store/pg.h"

static struct pg_server server;

struct fixture {
	struct pg_server server;
	char url[PG_URL_MAX];
	struct store *store;
	struct db *db;
};

static void
must(bool ok, const struct err *e)
{
	if (!ok)
		print_error("%s\n", e->msg);
	assert_true(ok);
}

static int
group_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	f->server = server;
	return 0;
}

static int
group_teardown(void **state)
{
	struct fixture *f = *state;

	free(f);
	return 0;
}

static int
setup(void **state)
{
	struct fixture *f = *state;
	struct err e;

	assert_true(pg_database_make(&f->server, f->url));
	must(store_open(&f->store, f->url, &e), &e);
	must(db_open(&f->db, f->store, &e), &e);
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	db_close(f->db);
	store_close(f->store);
	pg_database_drop(&f->server, f->url);
	return 0;
}

/* ---- statements ------------------------------------------------------------------------ */

static int
prepare_one(PGconn *conn, const struct sql_text *text)
{
	PGresult *res = PQprepare(conn, text->name, text->pg, 0, NULL);
	int bad = PQresultStatus(res) != PGRES_COMMAND_OK;

	if (bad)
		print_error("%s: %s\n", text->name, PQerrorMessage(conn));
	PQclear(res);
	if (bad)
		return 1;
	res = PQdescribePrepared(conn, text->name);
	if (PQnparams(res) < text->params) {
		print_error("%s: %d of %d parameters are used\n", text->name, PQnparams(res),
			text->params);
		bad++;
	}
	for (int i = 0; i < PQnfields(res); i++) {
		if (PQftype(res, i) == 2278 || pg_type_is_known(PQftype(res, i)))
			continue;
		print_error("%s: column %d has the type %u\n", text->name, i, PQftype(res, i));
		bad++;
	}
	PQclear(res);
	return bad;
}

static void
every_statement_is_valid(void **state)
{
	struct fixture *f = *state;
	PGconn *conn = PQconnectdb(f->url);
	int bad = 0;

	for (int i = 0; i < SQL_COUNT; i++)
		if (sql_table[i].pg != NULL)
			bad += prepare_one(conn, &sql_table[i]);
	PQfinish(conn);
	assert_int_equal(bad, 0);
}

/* ---- plans ----------------------------------------------------------------------------- */

/* A walk along a whole index, and not along a partial one, which holds what is open. */
static bool
walks_all(const PGresult *plan, int step)
{
	static const char *const partial[] = {
		"campaigns_sending", "campaigns_active", "batches_open"};
	const char *text = PQgetvalue(plan, step, 0);

	if (strstr(text, "Index Scan") == NULL && strstr(text, "Index Only Scan") == NULL)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(partial); i++)
		if (strstr(text, partial[i]) != NULL)
			return false;
	for (int k = step + 1; k < PQntuples(plan); k++) {
		text = PQgetvalue(plan, k, 0);
		if (strstr(text, "Index Cond") != NULL)
			return false;
		if (strstr(text, "->") != NULL)
			break;
	}
	return true;
}

static bool
reads_all(const PGresult *plan, int step)
{
	const char *text = PQgetvalue(plan, step, 0);

	return strstr(text, "Seq Scan") != NULL || strstr(text, "Hash Join") != NULL ||
	       strstr(text, "Merge Join") != NULL || strstr(text, "Materialize") != NULL ||
	       walks_all(plan, step);
}

/* Statements that are given rows, or run for every message, go by an index however small the
 * tables were when they were planned: here they are empty, and known to be. */
static void
plans_do_not_flip(void **state)
{
	static const enum sql_id hot[] = {SQL_BATCH_RECIPIENTS, SQL_USER_RESOLVE,
		SQL_USER_BY_UIDS, SQL_USER_IDS, SQL_USER_MARKS, SQL_CHANNEL_BY_NOS,
		SQL_MEMBER_ROWS_OF_USER, SQL_TARGETS_GET_MANY, SQL_READ_IDS,
		SQL_CHANNEL_LAST_MESSAGES, SQL_BATCH_INCLUDE_SENDER, SQL_BATCH_CLAIM,
		SQL_BATCH_DONE, SQL_CAMPAIGN_PROGRESS, SQL_MESSAGE_BEFORE,
		SQL_BATCH_SHOW_CHANNELS, SQL_MESSAGE_BY_KEY, SQL_MESSAGE_AFTER,
		SQL_CHANNEL_BY_CIDS, SQL_FORM_FIND, SQL_FORM_SHADOW, SQL_CHANNEL_OF_KEYS,
		SQL_READ_NEWER, SQL_TARGETS_DROP, SQL_USER_DELETE, SQL_USER_FORGET,
		SQL_POLL_BY_IDS, SQL_POLL_OPTIONS_OF, SQL_POLL_VOTES_LATEST,
		SQL_POLL_VOTES_OF_USER, SQL_BATCH_COUNT_CHANNELS, SQL_DEVICE_LIST_MANY,
		SQL_MEMBER_MARKS, SQL_MEMBER_COUNTS, SQL_MEMBER_MARKS_OF_PAIRS,
		SQL_PURGE_KEYS_OF_AUTHOR, SQL_PURGE_KEYS_OF_CHANNELS,
		SQL_PURGE_CHANNELS_BY_NUMBER, SQL_PURGE_CHANNELS_OF_RECEIVERS,
		SQL_PURGE_HIDE_MESSAGES, SQL_PURGE_REMOVE_MESSAGES, SQL_PURGE_HIDE_CHANNELS,
		SQL_PURGE_REMOVE_CHANNELS, SQL_PURGE_REMOVE_MEMBERS, SQL_UNIQUE_NAMES_TAKEN,
		SQL_UNIQUE_NAMES_BEFORE, SQL_MESSAGE_BY_ID, SQL_USER_BY_ID, SQL_FORM_EXPLICIT,
		SQL_SEGMENT_WALK_UP, SQL_SEGMENT_WALK_DOWN,

		SQL_MEMBER_ROWS_OF, SQL_MEMBER_NAMES, SQL_MEMBER_SET_ROLES, SQL_MEMBER_DELETE,
		SQL_MEMBER_CLEAR, SQL_UNREAD_COUNTS, SQL_UNREAD_CANDIDATES, SQL_READ_NEWEST,
		SQL_READ_CAMPAIGN_KEYS, SQL_READ_BATCHES_OF, SQL_READ_BATCHES,
		SQL_READ_SET_BITS, SQL_READ_COUNT_USER, SQL_CHANNEL_DELETE, SQL_CHANNEL_BLANK,
		SQL_CHANNEL_MESSAGE_COUNT, SQL_CHANNEL_CLEAR_MEMBERS, SQL_OBLIVION_KEYS,
		SQL_OBLIVION_BLANK, SQL_OBLIVION_DELETE, SQL_OBLIVION_MEMBERS,

		SQL_SCAN_CHANNELS, SQL_SCAN_MEMBERS, SQL_SCAN_ROWS_OF_MEMBER, SQL_SCAN_HOME,
		SQL_CIDS_FIND, SQL_CIDS_PAGE, SQL_CIDS_UP, SQL_CIDS_DOWN, SQL_CIDS_REMOVE,
		SQL_CIDS_SWEEP, SQL_CHANNEL_BATCH_UNHIDE, SQL_CHANNEL_BATCH_UNHIDE_SENDERS};
	struct fixture *f = *state;
	char sql[256], nulls[64];
	int bad = 0;
	struct err e;

	must(pg_take(pg_of(f->db), &e), &e);
	must(pg_run(pg_of(f->db), "SET default_transaction_read_only = off", &e), &e);
	must(pg_run(pg_of(f->db), "VACUUM ANALYZE", &e), &e);
	for (size_t i = 0; i < ARRAY_LEN(hot); i++) {
		const struct sql_text *text = &sql_table[hot[i]];
		PGconn *conn = pg_of(f->db)->s->conn;
		PGresult *res = PQprepare(conn, text->name, text->pg, 0, NULL);
		int n;

		PQclear(res);
		res = PQdescribePrepared(conn, text->name);
		n = PQnparams(res);
		PQclear(res);
		nulls[0] = '\0';
		for (int k = 0; k < n; k++)
			strcat(nulls, k > 0 ? ", NULL" : "NULL");
		snprintf(sql, sizeof(sql), "EXPLAIN EXECUTE %s(%s)", text->name, nulls);
		res = PQexec(conn, sql);
		assert_int_equal(PQresultStatus(res), PGRES_TUPLES_OK);
		for (int k = 0; k < PQntuples(res); k++) {
			if (!reads_all(res, k))
				continue;
			print_error("%s: %s\n", text->name, PQgetvalue(res, k, 0));
			bad++;
		}
		PQclear(res);
	}
	assert_int_equal(bad, 0);
}

/* Many indexes begin with the poll, and only one goes on with the user: while a table is small
 * all of them look alike. */
static void
votes_are_looked_up_by_their_index(void **state)
{
	static const struct {
		enum sql_id id;
		const char *args, *index;
	} want[] = {{SQL_POLL_VOTES_OF_USER, "NULL, NULL", "poll_votes_user"},
		{SQL_POLL_VOTES_LATEST, "NULL, NULL, NULL", "poll_votes_option"}};
	struct fixture *f = *state;
	struct err e;

	must(pg_take(pg_of(f->db), &e), &e);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		const struct sql_text *text = &sql_table[want[i].id];
		PGconn *conn = pg_of(f->db)->s->conn;
		bool found = false;
		char sql[128];
		PGresult *res;

		PQclear(PQprepare(conn, text->name, text->pg, 0, NULL));
		snprintf(sql, sizeof(sql), "EXPLAIN EXECUTE %s(%s)", text->name, want[i].args);
		res = PQexec(conn, sql);
		assert_int_equal(PQresultStatus(res), PGRES_TUPLES_OK);
		for (int k = 0; k < PQntuples(res); k++)
			found = found || strstr(PQgetvalue(res, k, 0), want[i].index) != NULL;
		PQclear(res);
		if (!found)
			print_error("%s does not use %s\n", text->name, want[i].index);
		assert_true(found);
	}
}

/* ---- claims ---------------------------------------------------------------------------- */

struct claiming {
	struct db *other; /* claims while this claim is not committed; NULL: nobody does */
	int64_t seq, other_seq, rows;
};

static bool
claim(struct db *w, void *arg, struct err *e)
{
	struct claiming *c = arg, inner = {.other = NULL};
	struct rows r;

	c->rows = 0;
	if (!db_query(w, SQL_BATCH_CLAIM, ARGS(V_INT(1000), V_INT(1000)), NO_BULK, &r, e))
		return false;
	for (; rows_next(&r); c->rows++)
		c->seq = row_int(&r, 1);
	if (!rows_end(&r, e))
		return false;
	if (c->other != NULL && !db_write_beside(c->other, claim, &inner, e))
		return false;
	c->other_seq = inner.rows == 1 ? inner.seq : -1;
	return true;
}

/* A claim is of one batch, whatever the plan, and passes over what another is claiming
 * instead of waiting (I-9). */
static void
a_claim_takes_one_batch(void **state)
{
	struct fixture *f = *state;
	struct claiming c = {0};
	struct err e;

	must(pg_take(pg_of(f->db), &e), &e);
	must(pg_run(pg_of(f->db), "SET default_transaction_read_only = off", &e), &e);
	must(pg_run(pg_of(f->db),
		     "INSERT INTO campaigns (no, id, name, description, status, sender, "
		     "sender_mode, sender_visibility, create_channels, show_channels, "
		     "skip_push, "
		     "skip_webhook, message_template, user_set, created_at, updated_at, form, "
		     "planned, audience, pending, channels_created, users_read) VALUES (1, "
		     "'c', '', "
		     "'', 'in_progress', 1, '', '', 1, 0, 0, 0, '{}', 0, 0, 0, 0, 1, 8, 8, 0, "
		     "0)",
		     &e),
		&e);
	must(pg_run(pg_of(f->db), "VACUUM ANALYZE", &e), &e);
	must(pg_run(pg_of(f->db),
		     "INSERT INTO batches SELECT 1, i, i, 1, i, '', 0, 0, 0 "
		     "FROM generate_series(0, 7) AS i",
		     &e),
		&e);
	must(db_open(&c.other, f->store, &e), &e);
	must(db_write_beside(f->db, claim, &c, &e), &e);
	assert_int_equal(c.rows, 1);
	assert_int_equal(c.seq, 0);
	assert_int_equal(c.other_seq, 1);
	db_close(c.other);
	c.other = NULL;
	for (int64_t seq = 2; seq < 8; seq++) {
		must(db_write_beside(f->db, claim, &c, &e), &e);
		assert_int_equal(c.rows, 1);
		assert_int_equal(c.seq, seq);
	}
	must(db_write_beside(f->db, claim, &c, &e), &e);
	assert_int_equal(c.rows, 0);
}

/* ---- custom data ----------------------------------------------------------------------- */

/* fan_json_cmp() and store/json_cmp.h must agree on everything. */
static void
json_compares_alike(void **state)
{
	static const char *const documents[] = {"{\"a\":1,\"b\":\"x\",\"t\":true,\"n\":null}",
		"{\"a\":1.0,\"b\":\"Ann-Marie o'Neil\",\"l\":[1,\"x\",null,{\"k\":1}]}",
		"{\"a\":{\"b\":2,\"c\":[7]},\"a.b\":3}", "{\"a\":{\"b\":\"\\u00e4 x\"}}",
		"[1,2]", "{\"a\":\"1\",\"b\":\"\",\"l\":[]}",
		"{\"a\":9007199254740993,\"b\":\"line\\nbreak x\"}", "{\"a\":-1.5e3}"};
	static const char *const paths[] = {
		"a", "b", "t", "n", "l", "a.b", "a.c", "zz", "", "a.b.c"};
	static const char *const ops[] = {"eq", "gt", "gte", "lt", "lte", "in", "contains",
		"any", "exists", "autocomplete"};
	static const char *const values[] = {"1", "1.00", "\"x\"", "\"\"", "true", "false",
		"null", "[1,\"x\"]", "[]", "[null]", "{\"b\":2,\"c\":[7]}", "\"o'n\"",
		"\"ANN\"", "9007199254740992", "\"1\"", "-1500", "[7]"};
	struct fixture *f = *state;
	int compared = 0;

	for (size_t d = 0; d < ARRAY_LEN(documents); d++)
		for (size_t p = 0; p < ARRAY_LEN(paths); p++)
			for (size_t o = 0; o < ARRAY_LEN(ops); o++)
				for (size_t v = 0; v < ARRAY_LEN(values); v++) {
					int want = json_cmp(str_of(documents[d]),
						str_of(paths[p]), ops[o], str_of(values[v]));
					int64_t got = -1;
					struct rows r;
					struct err e;

					if (want < 0)
						continue;
					must(db_query_text(f->db,
						     STR("SELECT fan_json_cmp($1, $2, $3, $4)"),
						     ARGS(V_TEXT(str_of(documents[d])),
							     V_TEXT(str_of(paths[p])),
							     V_TEXT(str_of(ops[o])),
							     V_TEXT(str_of(values[v]))),
						     &r, &e),
						&e);
					if (rows_next(&r))
						got = row_int(&r, 0);
					must(rows_end(&r, &e), &e);
					if (got != want)
						print_error("%s: %s %s %s is %d, not %d\n",
							documents[d], paths[p], ops[o],
							values[v], want, (int)got);
					assert_int_equal(got, want);
					compared++;
				}
	assert_true(compared > 5000);
}

/* ---- lost connections ------------------------------------------------------------------ */

static void
terminate(struct fixture *f)
{
	PGconn *conn = PQconnectdb(f->url);

	PQclear(PQexec(conn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
			     "WHERE datname = current_database() AND pid <> pg_backend_pid()"));
	PQfinish(conn);
}

struct cut {
	struct fixture *f;
	int runs;
};

static bool
cut_once(struct db *w, void *arg, struct err *e)
{
	struct cut *c = arg;
	int64_t first;

	if (!db_take(w, COUNTER_USER, 1, &first, e))
		return false;
	if (c->runs++ == 0)
		terminate(c->f);
	return db_take(w, COUNTER_USER, 1, &first, e);
}

static void
lost_connections_are_made_anew(void **state)
{
	struct fixture *f = *state;
	struct cut cut = {f, 0};
	struct rows r;
	int64_t now;
	struct err e;

	must(db_now(f->db, &now, &e), &e);
	terminate(f);
	/* What only reads is asked again. */
	must(db_now(f->db, &now, &e), &e);
	/* A transaction that was not committed is run again, and counts once. */
	must(db_write(f->db, cut_once, &cut, &e), &e);
	assert_int_equal(cut.runs, 2);
	must(db_query_text(f->db, STR("SELECT next FROM counters"), NO_ARGS, &r, &e), &e);
	assert_true(rows_next(&r));
	assert_int_equal(row_int(&r, 0), 3);
	must(rows_end(&r, &e), &e);
}

/* What stands outside of db_write cannot write. */
static void
reading_cannot_write(void **state)
{
	struct fixture *f = *state;
	int64_t first;
	struct err e;

	assert_false(db_take(f->db, COUNTER_USER, 1, &first, &e));
	assert_int_equal(e.code, ERR_STORE);
}

static void
slow_queries_time_out(void **state)
{
	struct fixture *f = *state;
	int64_t began = clock_mono_us(), now;
	struct rows r;
	struct err e;

	db_set_deadline(f->db, began + 100000);
	assert_false(db_query_text(
		f->db, STR("SELECT CAST(pg_sleep(20) AS TEXT)"), NO_ARGS, &r, &e));
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_true(clock_mono_us() - began < 10000000);
	db_set_deadline(f->db, 0);
	must(db_now(f->db, &now, &e), &e);
}

/* A program that runs while a newer one changes the schema must not write to it: it notices
 * with the next connection (I-24). */
static void
newer_schemas_are_noticed(void **state)
{
	struct fixture *f = *state;
	PGconn *conn;
	int64_t now;
	struct err e;

	must(db_now(f->db, &now, &e), &e);
	conn = PQconnectdb(f->url);
	PQclear(PQexec(conn, "INSERT INTO schema_version VALUES (999)"));
	PQfinish(conn);
	terminate(f);
	assert_false(db_now(f->db, &now, &e));
	assert_non_null(strstr(e.msg, "newer than this program"));
	conn = PQconnectdb(f->url);
	PQclear(PQexec(conn, "DELETE FROM schema_version WHERE version = 999"));
	PQfinish(conn);
	must(db_now(f->db, &now, &e), &e);
}

/* ---- databases that do not fit --------------------------------------------------------- */

static void
refused(struct fixture *f, const char *sql, const char *why)
{
	char url[PG_URL_MAX];
	struct store *s;
	struct err e;
	PGconn *conn;

	assert_true(pg_database_make(&f->server, url));
	conn = PQconnectdb(url);
	PQclear(PQexec(conn, sql));
	PQfinish(conn);
	assert_false(store_open_with(&s, url, &(struct store_opts){0}, &e));
	if (strstr(e.msg, why) == NULL)
		print_error("%s\n", e.msg);
	assert_non_null(strstr(e.msg, why));
	pg_database_drop(&f->server, url);
}

static void
wrong_databases_are_refused(void **state)
{
	struct fixture *f = *state;

	refused(f, "CREATE TABLE letters (text TEXT)", "something else");
	refused(f,
		"CREATE TABLE schema_version (version BIGINT); "
		"INSERT INTO schema_version VALUES (999)",
		"newer than this program");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_statement_is_valid, setup, teardown),
		cmocka_unit_test_setup_teardown(plans_do_not_flip, setup, teardown),
		cmocka_unit_test_setup_teardown(
			votes_are_looked_up_by_their_index, setup, teardown),
		cmocka_unit_test_setup_teardown(a_claim_takes_one_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(json_compares_alike, setup, teardown),
		cmocka_unit_test_setup_teardown(
			lost_connections_are_made_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(reading_cannot_write, setup, teardown),
		cmocka_unit_test_setup_teardown(newer_schemas_are_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(slow_queries_time_out, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_databases_are_refused, setup, teardown),
	};

	int failed;

	if (!pg_server_start(&server)) {
		puts("1..0 # SKIP PostgreSQL is not installed");
		return 0;
	}
	failed = cmocka_run_group_tests(tests, group_setup, group_teardown);
	pg_server_stop(&server);
	return failed;
}
