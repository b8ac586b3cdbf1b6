/* test_directories – text ids lead to their rows through a directory, which keeps them unique;
 * a store made before there were directories gets them, with all that is in it. */
#include <sqlite3.h>

#include "chat_fixture.h"
#include "domain/channel.h"
#include "domain/filter.h"
#include "store/pg.h"
#include "store/sqlite.h"

#define BEFORE 3 /* the schema's last step without directories */

/* ---- a store of the old schema --------------------------------------------------------- */

/* What the program of then had written: two users and a mention, channels with a cid and
 * without, a message with an id of its own and one without, two batches. */
static const char content[] =
	"INSERT INTO counters VALUES ('user', 4), ('channel', 3), ('message', 7);"
	"INSERT INTO users (uid, id, created_at, updated_at) VALUES (1, 'zoe', 1, 1), "
	"(2, 'ann', 1, 1);"
	"INSERT INTO users (uid, id) VALUES (3, 'ghost');"
	"INSERT INTO forms VALUES (1, 'messaging', 0, '', '-zoe', 0);"
	"INSERT INTO channels (no, origin, created_at, cid, creator) VALUES "
	"(4096, 0, 1, 'team:red', 1), (8192, 0, 1, 'messaging:blue', 1);"
	"INSERT INTO channels (no, origin, created_at) VALUES (8193, 0, 1);"
	"INSERT INTO messages (key, channel, created_at, text, author, id) VALUES "
	"(5, 4096, 2, 'own', 1, 'her-own'), (6, 4096, 3, 'none', 1, NULL);"
	"INSERT INTO batches VALUES (1, 0, 0, 2, 1, '', 2, 1, 0, 1, '', NULL), "
	"(1, 1, 2, 2, 3, '', 2, 1, 0, 1, '', NULL)";

/* The step that makes the directories cannot end without it. */
#define LAST_INDEX     "batches_first_key"
#define LAST_INDEX_SQL "CREATE UNIQUE INDEX batches_first_key ON batches (first_key)"

static void
run_on_file(const char *path, const char *sql)
{
	sqlite3 *h;

	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	if (sqlite3_exec(h, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(h));
	sqlite3_close(h);
}

static void
run_on_server(const char *url, const char *sql)
{
	PGconn *conn = PQconnectdb(url);
	PGresult *res = PQexec(conn, sql);

	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		fail_msg("%s", PQerrorMessage(conn));
	PQclear(res);
	PQfinish(conn);
}

static void
run_plain(struct fixture *f, const char *sql)
{
	if (f->server.url[0] != '\0')
		run_on_server(f->url, sql);
	else
		run_on_file(f->path, sql);
}

/* The steps up to ${last} and ${more}, in an empty store. */
static void
build_old(struct fixture *f, int last, const char *more)
{
	bool on_pg = f->server.url[0] != '\0';
	struct buf sql;

	fixture_close(f);
	if (on_pg) {
		pg_database_drop(&f->server, f->url);
		assert_true(pg_database_make(&f->server, f->url));
	} else {
		assert_int_equal(unlink(f->path), 0);
	}
	buf_init(&sql, NULL, 16384);
	buf_str(&sql, STR("CREATE TABLE schema_version (version BIGINT NOT NULL);"));
	for (int step = 1; step <= last; step++) {
		(on_pg ? pg_schema_step : sqlite_schema_step)(step, &sql);
		buf_printf(&sql, ";INSERT INTO schema_version VALUES (%d);", step);
	}
	buf_str(&sql, str_of(more));
	buf_char(&sql, '\0');
	run_plain(f, sql.p);
	buf_free(&sql);
}

static void
an_old_store_gets_its_directories(void **state)
{
	static const struct str ids[] = {STR_INIT("ghost"), STR_INIT("zoe"), STR_INIT("ann")};
	struct fixture *f = *state;
	struct message m;
	struct user *u;
	struct err e;
	int64_t uids[3];

	build_old(f, BEFORE, content);
	fixture_open(f);
	assert_int_equal(
		sql_int(f->db, "SELECT MAX(version) FROM schema_version", NO_ARGS), sql_nsteps);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM user_ids", NO_ARGS), 3);
	must(user_resolve(f->db, &f->arena, ids, 3, uids, &e), &e);
	assert_true(uids[0] == 3 && uids[1] == 1 && uids[2] == 2);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM channel_ids", NO_ARGS), 2);
	assert_int_equal(must_find(f, "team", "red").no, 4096);
	assert_int_equal(must_find(f, "messaging", "blue").no, 8192);
	assert_int_equal(must_find(f, "messaging", "ann-zoe").no, 8193);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM message_ids", NO_ARGS), 1);
	must(message_get(f->db, &f->arena, &test_app, STR("her-own"), &m, &e), &e);
	assert_int_equal(m.key, 5);
	/* It goes on: the mentioned one begins under his key, a new one gets the next. */
	u = put_users(f, "[{\"id\":\"ghost\"},{\"id\":\"new\"}]", NULL);
	assert_int_equal(u[0].uid, 3);
	assert_int_equal(u[1].uid, 4);
}

/* A failing step leaves the store as it was, to be tried again (one transaction). */
static void
a_step_that_fails_changes_nothing(void **state)
{
	struct fixture *f = *state;
	char more[sizeof(content) + 64];
	struct err e;

	snprintf(more, sizeof(more), "%s; DROP INDEX " LAST_INDEX, content);
	build_old(f, BEFORE, more);
	must_fail(store_open(&f->store, f->url, &e), &e, ERR_STORE, LAST_INDEX);
	run_plain(f, LAST_INDEX_SQL);
	fixture_open(f);
	assert_int_equal(must_find(f, "team", "red").no, 4096);
}

/* The number of the step of that name. */
static int
step_named(const char *name)
{
	for (int i = 0; i < sql_nsteps; i++)
		if (strcmp(sql_steps[i].name, name) == 0)
			return i + 1;
	fail_msg("no step %s", name);
	return 0;
}

static bool
vote_in(struct db *w, void *arg UNUSED, struct err *e)
{
	return db_exec(w, SQL_POLL_VOTE_INSERT,
		ARGS(V_INT(9), V_INT(1), V_INT(3), V_INT(1), V_INT(5), V_NULL), NO_BULK, NULL,
		e);
}

/* Votes get another primary key; they stay, and a user has one for an option as before. */
static void
an_old_store_keeps_its_votes(void **state)
{
	struct fixture *f = *state;
	struct err e;

	build_old(f, step_named("011_vote_keys.sql") - 1,
		"INSERT INTO poll_votes (key, poll, uid, option, cast_at, answer) VALUES "
		"(7, 1, 3, 1, 5, NULL), (8, 1, 4, 0, 6, 'why?'), (6, 2, 3, 1, 7, NULL)");
	fixture_open(f);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM poll_votes", NO_ARGS), 3);
	assert_int_equal(sql_int(f->db,
				 "SELECT cast_at FROM poll_votes WHERE poll = 1 AND uid = 4 "
				 "AND answer = 'why?'",
				 NO_ARGS),
		6);
	must_fail(db_write(f->db, vote_in, NULL, &e), &e, ERR_STALE, "poll_vote");
	sql_script(f, "DELETE FROM poll_votes WHERE key = 7");
	must(db_write(f->db, vote_in, NULL, &e), &e);
}

/* ---- unique ------------------------------------------------------------------------------ */

struct insert {
	struct fixture *f;
	struct channel_spec spec;
};

static bool
create_in(struct db *w, void *arg, struct err *e)
{
	struct insert *i = arg;
	int64_t no;

	return channel_create(w, &i->f->arena, &i->spec, &no, e);
}

/* Whoever makes a channel without having looked, or looked too early, is told. */
static void
a_cid_stands_once(void **state)
{
	struct fixture *f = *state;
	struct insert i = {.f = f, .spec = {.type = STR("team"), .id = STR("red")}};
	struct err e;

	must(db_write(f->db, create_in, &i, &e), &e);
	must_fail(db_write(f->db, create_in, &i, &e), &e, ERR_STALE, "channel_ids");
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM channels", NO_ARGS), 1);
	i.spec.type = STR("messaging");
	must(db_write(f->db, create_in, &i, &e), &e);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM channel_ids", NO_ARGS), 2);
}

static bool
register_in(struct db *w, void *arg, struct err *e)
{
	return db_exec(w, SQL_USER_IDS_INSERT, NO_ARGS, arg, NULL, e);
}

static void
a_user_id_stands_once(void **state)
{
	static const int64_t uids[] = {1001, 1002};
	static const struct str ids[] = {STR_INIT("new"), STR_INIT("ann")};
	struct col cols[] = {COL_INTS(uids), COL_TEXTS(ids)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), 2};
	struct fixture *f = *state;
	struct user u;
	struct err e;

	put_users(f, "[{\"id\":\"ann\"},{\"id\":\"bob\"},{\"id\":\"ann\"}]", NULL);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM user_ids", NO_ARGS), 2);
	must_fail(db_write(f->db, register_in, &bulk, &e), &e, ERR_STALE, "user_ids");
	must_fail(user_get(f->db, &f->arena, ids[0], &u, &e), &e, ERR_NOT_FOUND, "new");
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM user_ids", NO_ARGS), 2);
}

/* A refused message leaves nothing that keeps its id for ever. */
static void
a_message_id_stands_once(void **state)
{
	struct fixture *f = *state;
	struct message_draft d = {
		.id = STR("mine"), .text = STR("x"), .parent_id = STR("none")};
	struct message m;
	struct world w;
	struct channel c;
	struct err e;

	world_make(f, &w);
	c = make_channel(f, "team", "red", w.ann, &w.ann, 1);
	d.author = w.ann;
	must_fail(message_send(f->db, &f->arena, &test_app, &c, &d, &m, &e), &e, ERR_INPUT,
		"parent_id");
	d.parent_id = STR_NONE;
	must_send(f, &c, &d);
	must_fail(message_send(f->db, &f->arena, &test_app, &c, &d, &m, &e), &e, ERR_INPUT,
		"already exists");
	must(message_get(f->db, &f->arena, &test_app, d.id, &m, &e), &e);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM message_ids", NO_ARGS), 1);
	assert_int_equal(sql_int(f->db, "SELECT key FROM message_ids", NO_ARGS), m.key);
}

/* ---- composed queries -------------------------------------------------------------------- */

/* The plan of a statement, in the engine's words. */
static char *
plan_of(struct fixture *f, struct str sql, const struct filter_params *p)
{
	bool on_pg = f->server.url[0] != '\0';
	struct buf text, plan;
	struct rows r;
	struct err e;

	buf_init(&text, &f->arena, 512);
	buf_init(&plan, &f->arena, 512);
	buf_str(&text, on_pg ? STR("EXPLAIN ") : STR("EXPLAIN QUERY PLAN "));
	buf_str(&text, sql);
	must(db_query_text(f->db, buf_view(&text), (struct args){p->v, p->n}, &r, &e), &e);
	while (rows_next(&r)) {
		buf_str(&plan, row_str(&r, on_pg ? 0 : 3));
		buf_char(&plan, '\n');
	}
	must(rows_end(&r, &e), &e);
	buf_char(&plan, '\0');
	return plan.p;
}

static void
check_plan(struct fixture *f, const char *filter, const char *sort, bool may_sort)
{
	struct user_query q = {.limit = 10};
	struct filter_params params;
	struct buf sql;
	struct err e;
	const char *plan;

	if (filter != NULL)
		q.filter = parse(f, filter);
	if (sort != NULL)
		q.sort = parse(f, sort);
	filter_params_init(&params, &f->arena);
	buf_init(&sql, &f->arena, 512);
	must(user_query_sql(f->db, &f->arena, &q, &sql, &params, &e), &e);
	plan = plan_of(f, buf_view(&sql), &params);
	if (strstr(plan, "SEARCH i USING PRIMARY KEY") == NULL &&
		strstr(plan, "SCAN i\nSEARCH u USING INTEGER PRIMARY KEY") == NULL &&
		strstr(plan, "user_ids_pkey") == NULL)
		fail_msg("%.*s\n%s", STR_ARG(buf_view(&sql)), plan);
	if (strstr(plan, "Seq Scan") != NULL || strstr(plan, "SCAN u") != NULL ||
		strstr(plan, "users_created") != NULL || strstr(plan, "Join Filter") != NULL)
		fail_msg("%.*s\n%s", STR_ARG(buf_view(&sql)), plan);
	if (!may_sort &&
		(strstr(plan, "TEMP B-TREE") != NULL || strstr(plan, "->  Sort") != NULL))
		fail_msg("%.*s\n%s", STR_ARG(buf_view(&sql)), plan);
}

/* By ids users are found, and walked in order, through the directory: never by looking at
 * all of them, never by sorting all of them, before the tables were first analysed too. */
static void
composed_queries_begin_with_the_directory(void **state)
{
	static const struct {
		const char *filter, *sort; /* NULL: none */
		bool may_sort;             /* what was found */
	} cases[] = {
		{"{\"id\":\"u0007\"}", NULL, true},
		{"{\"id\":{\"$in\":[\"u0007\",\"u0100\"]}}", NULL, true},
		{"{\"$or\":[{\"id\":\"u0007\"},{\"id\":\"u0100\"}]}", NULL, true},
		{"{\"$and\":[{\"id\":{\"$gt\":\"u0990\"}},{\"a\":1}]}", NULL, true},
		{NULL, "[{\"field\":\"id\"}]", false},
		{"{\"a\":1}", "[{\"field\":\"id\",\"direction\":-1}]", false},
		{"{\"id\":{\"$gt\":\"u0500\"}}", "[{\"field\":\"id\"}]", false},
	};
	struct fixture *f = *state;

	sql_script(f,
		"INSERT INTO users (uid, id, created_at, updated_at) WITH RECURSIVE n(i) AS "
		"(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999) "
		"SELECT i, 'u' || substr(CAST(10000 + i AS TEXT), 2), 1, 1 FROM n");
	sql_script(f, "INSERT INTO user_ids (id, uid) SELECT id, uid FROM users");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_plan(f, cases[i].filter, cases[i].sort, cases[i].may_sort);
	sql_script(f, "ANALYZE");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_plan(f, cases[i].filter, cases[i].sort, cases[i].may_sort);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_old_store_gets_its_directories),
		TEST(a_step_that_fails_changes_nothing),
		TEST(an_old_store_keeps_its_votes),
		TEST(a_cid_stands_once),
		TEST(a_user_id_stands_once),
		TEST(a_message_id_stands_once),
		TEST(composed_queries_begin_with_the_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
