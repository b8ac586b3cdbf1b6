/* test_directories – text ids lead to their rows through a directory, which keeps them unique;
 * a store made before there were directories gets them, with all that is in it. */
#include <sqlite3.h>

#include "chat_fixture.h"
#include "domain/channel.h"
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
#define LAST_INDEX "channels_cid"
#define LAST_INDEX_SQL \
	"CREATE UNIQUE INDEX channels_cid ON channels (cid) WHERE cid IS NOT NULL"

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
	struct fixture *f = *state;

	build_old(f, BEFORE, content);
	fixture_open(f);
	assert_int_equal(
		sql_int(f->db, "SELECT MAX(version) FROM schema_version", NO_ARGS), sql_nsteps);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM channel_ids", NO_ARGS), 2);
	assert_int_equal(must_find(f, "team", "red").no, 4096);
	assert_int_equal(must_find(f, "messaging", "blue").no, 8192);
	assert_int_equal(must_find(f, "messaging", "ann-zoe").no, 8193);
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

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_old_store_gets_its_directories),
		TEST(a_step_that_fails_changes_nothing),
		TEST(a_cid_stands_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
