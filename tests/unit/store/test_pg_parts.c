/* test_pg_parts – what statements do on tables that tools/partition.sql has partitioned: those
 * that are run per recipient or per request by a key look into one part of the table, and it is
 * known which ones look into all.  Skipped where PostgreSQL is not installed. */
#include "../../lib/pg.h"
#include "../unit.h"
#include "store/db.h"
#include "store/pg.h"

#define PARTS 4

struct world {
	struct pg_server server;
	char url[PG_URL_MAX];
	struct store *store;
	struct db *db;
};

static struct pg_server server;

/* 2,000 users with a channel and a message each, whose keys are those of two batches; a
 * campaign that still has one of them to do. */
static const char content[] =
	"INSERT INTO users (uid, id, created_at) SELECT i, 'u' || i, 1 FROM generate_series(1, "
	"2000) i;"
	"INSERT INTO user_ids SELECT id, uid FROM users;"
	"INSERT INTO channels (no, origin, created_at) SELECT uid * 4096 + 1, 1, 1 FROM users;"
	"INSERT INTO channels (no, origin, created_at, cid) SELECT uid * 4096, 0, 1, 'team:' "
	"|| id "
	"	FROM users;"
	"INSERT INTO channel_ids SELECT cid, no FROM channels WHERE cid IS NOT NULL;"
	"INSERT INTO members (channel, uid, created_at) SELECT no, no >> 12, 1 FROM channels;"
	"INSERT INTO messages (key, channel, created_at, text, id) "
	"	SELECT uid, uid * 4096 + 1, 1, 'x', 'm' || uid FROM users;"
	"INSERT INTO message_ids SELECT id, key FROM messages;"
	"INSERT INTO targets SELECT i, 1, '', 1 FROM generate_series(1, 2000) i;"
	"INSERT INTO batches SELECT 1, i, i * 1000, 1000, 1 + i * 1000, '', (1 - i) * 2, 0, 0 "
	"	FROM generate_series(0, 1) i;"
	"INSERT INTO campaigns (no, id, name, description, status, sender, sender_mode, "
	"	sender_visibility, create_channels, show_channels, skip_push, skip_webhook, "
	"	message_template, user_set, created_at, updated_at, form, planned, audience, "
	"pending, "
	"	channels_created, users_read) VALUES (1, 'c', '', '', 'in_progress', 1, '', "
	"'', 1, 0, 0, "
	"	0, '{}', 0, 0, 0, 1, 1, 2000, 1000, 0, 0)";

static int
setup(void **state)
{
	const char *script = getenv("FANFARE_PARTITION_SQL");
	struct world *w = calloc(1, sizeof(*w));
	char command[512];
	struct err e;

	w->server = server;
	assert_true(pg_database_make(&w->server, w->url));
	must(store_open(&w->store, w->url, &e), &e);
	snprintf(command, sizeof(command), "psql -X -q -v partitions=%d -f %s %s", PARTS,
		script == NULL ? "tools/partition.sql" : script, w->url);
	assert_int_equal(system(command), 0); /* NOLINT: a test's own words */
	must(db_open(&w->db, w->store, &e), &e);
	must(pg_take(pg_of(w->db), &e), &e);
	must(pg_run(pg_of(w->db), "SET default_transaction_read_only = off", &e), &e);
	must(pg_run(pg_of(w->db), content, &e), &e);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	db_close(w->db);
	store_close(w->store);
	pg_database_drop(&w->server, w->url);
	free(w);
	return 0;
}

/* How many scans of parts of ${table} a plan that was run has made. */
static int
scans_of(const PGresult *plan, const char *table)
{
	char part[64];
	int n = 0;

	snprintf(part, sizeof(part), " on %s_p", table);
	for (int i = 0; i < PQntuples(plan); i++) {
		const char *step = PQgetvalue(plan, i, 0), *loops = strstr(step, "loops=");

		/* A bitmap's index is part of the scan of its table. */
		if (strstr(step, "Scan") != NULL && strstr(step, "Bitmap Index") == NULL &&
			strstr(step, part) != NULL && loops != NULL)
			n += atoi(loops + 6);
	}
	return n;
}

static void
show(const PGresult *plan)
{
	for (int i = 0; i < PQntuples(plan); i++)
		print_error("%s\n", PQgetvalue(plan, i, 0));
}

/* Runs the statement with ${args} and rolls it back. */
static PGresult *
run(struct world *w, const struct sql_text *text, const char *args)
{
	PGconn *conn = pg_of(w->db)->s->conn;
	PGresult *res = PQprepare(conn, text->name, text->pg, 0, NULL);
	char sql[512];

	PQclear(res); /* prepared before: as good */
	snprintf(sql, sizeof(sql),
		"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE %s%s",
		text->name, args);
	PQclear(PQexec(conn, "BEGIN"));
	res = PQexec(conn, sql);
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", text->name, PQerrorMessage(conn));
	PQclear(PQexec(conn, "ROLLBACK"));
	for (int i = 0; i < PQntuples(res); i++) {
		if (strstr(PQgetvalue(res, i, 0), "Seq Scan") == NULL)
			continue;
		show(res);
		fail_msg("%s scans a table", text->name);
	}
	return res;
}

struct look {
	enum sql_id id;
	const char *args;
	const char *table;
	int scans; /* of parts of the table */
};

static void
check_looks(struct world *w, const struct look *looks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct sql_text *text = &sql_table[looks[i].id];
		PGresult *plan = run(w, text, looks[i].args);
		int scans = scans_of(plan, looks[i].table);

		if (scans != looks[i].scans) {
			show(plan);
			fail_msg("%s: %d scans of %s, not %d", text->name, scans,
				looks[i].table, looks[i].scans);
		}
		PQclear(plan);
	}
}

/* What is looked up by the column of distribution: one part for each row given. */
static void
keys_lead_to_one_part(void **state)
{
	static const struct look looks[] = {
		{SQL_BATCH_RECIPIENTS, "(1, '{7}')", "users", 1},
		{SQL_BATCH_RECIPIENTS, "(1, '{7}')", "channels", 1},
		{SQL_BATCH_RECIPIENTS, "(1, '{7,8,9,10,11,12,13,14}')", "users", 8},
		{SQL_BATCH_RECIPIENTS, "(1, '{7,8,9,10,11,12,13,14}')", "channels", 8},
		{SQL_USER_RESOLVE, "('{u7,u8,u9}')", "user_ids", 3},
		{SQL_USER_BY_ID, "('u7')", "user_ids", 1},
		{SQL_USER_BY_ID, "('u7')", "users", 1},
		{SQL_USER_BY_UID, "(7)", "users", 1},
		{SQL_USER_IDS, "('{7,8}')", "users", 2},
		{SQL_USER_MARKS, "('{7,8}')", "users", 2},
		{SQL_CHANNEL_BY_CIDS, "('{team:u7}')", "channel_ids", 1},
		{SQL_CHANNEL_BY_CIDS, "('{team:u7}')", "channels", 1},
		{SQL_CHANNEL_BY_NOS, "('{28673,32769}')", "channels", 2},
		{SQL_MEMBER_ROW, "(28673, 7)", "members", 1},
		{SQL_MEMBER_ROWS, "(28673, 10)", "members", 1},
		{SQL_MEMBER_ROWS_OF_USER, "(7, '{28673,32769}')", "members", 2},
		{SQL_MESSAGE_BY_KEY, "(7)", "messages", 1},
		{SQL_MESSAGE_BY_ID, "('m7')", "message_ids", 1},
		{SQL_MESSAGE_BY_ID, "('m7')", "messages", 1},
		{SQL_READ_IDS, "('{7,8}')", "messages", 2},
		{SQL_TARGETS_GET, "(7)", "targets", 1},
		{SQL_TARGETS_GET_MANY, "('{7,8}')", "targets", 2},
		{SQL_BATCH_DONE, "(1, 1, 0, 1, '')", "batches", 1},
		{SQL_CHANNEL_BATCHES, "(1, 10)", "batches", 1},
	};

	check_looks(*state, looks, ARRAY_LEN(looks));
}

/* A claim looks at the batches of each campaign that is being sent, in one part: how many are
 * claimed, which is the first open one, and the one it takes. */
static void
a_claim_stays_in_one_part(void **state)
{
	static const struct look claim = {SQL_BATCH_CLAIM, "(10, 10)", "batches", 3};

	check_looks(*state, &claim, 1);
}

/* What is looked up by something else asks every part, each by its index (docs/scale.md). */
static void
what_asks_every_part(void **state)
{
	static const struct look looks[] = {
		{SQL_MESSAGE_BEFORE, "(28673, 9, 9, 10, 0)", "messages", PARTS},
		{SQL_MESSAGE_AFTER, "(28673, 0, 0, 10, 0)", "messages", PARTS},
		{SQL_CHANNEL_LAST_MESSAGES, "('{28673}')", "messages", PARTS},
		{SQL_READ_NEWER, "(28673, 0, 10)", "messages", PARTS},
		{SQL_READ_BATCHES, "('{7}')", "batches", PARTS},
		{SQL_CHANNEL_OF_MEMBER, "(7, 10)", "members", PARTS},
		{SQL_CHANNEL_OF_HOME, "(28672, 32767)", "channels", PARTS},
		{SQL_CHANNEL_OF_KEYS, "(7, 8, 10)", "messages", PARTS},
		{SQL_SEGMENT_WALK_UP, "('', '~')", "user_ids", PARTS},
		{SQL_FORM_EXPLICIT, "('team:', 'team:~', '', 10001)", "channel_ids", PARTS},
	};

	check_looks(*state, looks, ARRAY_LEN(looks));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_lead_to_one_part),
		cmocka_unit_test(a_claim_stays_in_one_part),
		cmocka_unit_test(what_asks_every_part),
	};
	int failed;

	if (!pg_server_start(&server)) {
		puts("1..0 # SKIP PostgreSQL is not installed");
		return 0;
	}
	failed = cmocka_run_group_tests(tests, setup, teardown);
	pg_server_stop(&server);
	return failed;
}
