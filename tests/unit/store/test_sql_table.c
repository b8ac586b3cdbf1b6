/* test_sql_table – every statement there is: it can be prepared, wants the parameters that are
 * given to it, and finds its rows by an index. */
#include <ctype.h>
#include <sqlite3.h>

#include "../unit.h"
#include "store/db.h"
#include "store/sqlite_fn.h"

/* Statements that may look at all rows of a table, and why. */
static const struct {
	enum sql_id id;
	const char *why;
} scanning[] = {
	{SQL_APP_COUNT, "there is one row"},
	{SQL_CHANNEL_ANY, "in the order of the key, with a LIMIT"},
	{SQL_CHANNEL_ORIGINS_OF_MEMBER, "the same"},
	{SQL_CHANNEL_TYPE_LIST, "there are 55 at most"},
	{SQL_CLAIM_RELEASE_ALL, "once, at the start"},
	{SQL_EVENT_TRIM_MISSED, "there are a hundred routes or so"},
	{SQL_EVENT_UNREAD_FROM, "the same"},
	{SQL_ROUTE_REPORT, "the same"},
	{SQL_EVENT_OLDEST, "in the order of the key, LIMIT 1"},
	{SQL_METRICS_CAMPAIGNS, "all are counted, every two seconds at most"},
	{SQL_METRICS_SENT, "the same"},
	{SQL_OBLIVION_NEXT, "in the order of the key, LIMIT 1"},
	{SQL_DEVICE_ANY, "whatever comes first, LIMIT 1"},
	{SQL_PUSH_EVENT_LIST, "a few for each of 25 providers"},
	{SQL_PUSH_PROVIDER_COUNT, "there are 25 at most"},
	{SQL_PUSH_PROVIDER_LIST, "the same"},
	{SQL_SEGMENT_ALL_USERS, "all users are what is asked for"},
	{SQL_SCAN_ORIGINS, "once per campaign to all channels of its sender"},
};

struct world {
	char dir[DIR_MAX], path[64];
	struct bulk_source source;
	sqlite3 *h;
};

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct store *store;
	char url[96];
	struct err e;

	make_dir(w->dir);
	snprintf(w->path, sizeof(w->path), "%s/x.db", w->dir);
	snprintf(url, sizeof(url), "sqlite:%s", w->path);
	assert_true(store_open(&store, url, &e));
	store_close(store);
	assert_int_equal(sqlite3_open(w->path, &w->h), SQLITE_OK);
	assert_int_equal(sqlite_fn_register(w->h, &w->source), SQLITE_OK);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	sqlite3_close(w->h);
	remove_dir(w->dir);
	free(w);
	return 0;
}

static void
all_are_prepared(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < SQL_COUNT; i++) {
		const struct sql_text *t = &sql_table[i];
		sqlite3_stmt *stmt = NULL;
		const char *rest = "";

		assert_true(t->sqlite != NULL || t->pg != NULL);
		if (t->sqlite == NULL)
			continue;
		if (sqlite3_prepare_v2(w->h, t->sqlite, -1, &stmt, &rest) != SQLITE_OK)
			print_error("%s: %s\n", t->name, sqlite3_errmsg(w->h));
		assert_non_null(stmt);
		/* One statement, and as many parameters as its callers must give. */
		assert_string_equal(rest, "");
		if (sqlite3_bind_parameter_count(stmt) != t->params)
			print_error("%s: wants %d, the table says %d\n", t->name,
				sqlite3_bind_parameter_count(stmt), t->params);
		assert_int_equal(sqlite3_bind_parameter_count(stmt), t->params);
		sqlite3_finalize(stmt);
	}
}

/* Each parameter up to the highest is used: a hole is a mistake in counting. */
static void
parameters_have_no_holes(void **state UNUSED)
{
	for (int i = 0; i < SQL_COUNT; i++) {
		for (int k = 1; k <= sql_table[i].params; k++) {
			const char *sql = sql_table[i].sqlite;
			char mark[16];
			bool is_used = false;

			snprintf(mark, sizeof(mark), "?%d", k);
			for (; sql != NULL && (sql = strstr(sql, mark)) != NULL; sql++)
				is_used |= !isdigit((unsigned char)sql[strlen(mark)]);
			if (!is_used && sql_table[i].sqlite != NULL)
				print_error("%s: %s is not used\n", sql_table[i].name, mark);
			assert_true(is_used || sql_table[i].sqlite == NULL);
		}
	}
}

static void
names_stand_for_one_statement(void **state UNUSED)
{
	for (int i = 0; i < SQL_COUNT; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(sql_table[i].name, sql_table[k].name);
}

/* Nothing of the one engine is left in the text of the other. */
static void
texts_are_of_their_engine(void **state UNUSED)
{
	for (int i = 0; i < SQL_COUNT; i++) {
		const struct sql_text *t = &sql_table[i];

		if (t->sqlite != NULL) {
			assert_null(strchr(t->sqlite, '@'));
			assert_null(strchr(t->sqlite, '$'));
			assert_null(strstr(t->sqlite, "unnest("));
			assert_null(strstr(t->sqlite, "::"));
			assert_null(strstr(t->sqlite, "--"));
		}
		if (t->pg != NULL) {
			assert_null(strchr(t->pg, '@'));
			assert_null(strchr(t->pg, '?'));
			assert_null(strstr(t->pg, " bulk"));
			assert_null(strstr(t->pg, "--"));
		}
	}
}

static bool
may_scan(enum sql_id id)
{
	for (size_t i = 0; i < ARRAY_LEN(scanning); i++)
		if (scanning[i].id == id)
			return true;
	return false;
}

/* A step that goes through all of a stored table, or all of an index of it.  What is given
 * with the statement, a subquery (which has steps of its own), and an index over the few rows
 * that wait for something are no tables in this sense. */
static bool
is_scan(const char *step)
{
	static const char *const fine[] = {
		"SCAN bulk", "SCAN CONSTANT", "SCAN (", "SCAN x", "SCAN claimed"};
	static const char *const waiting[] = {
		"campaigns_active", "campaigns_sending", "batches_open", "segments_size_due"};

	if (strncmp(step, "SCAN ", 5) != 0)
		return strncmp(step, "SEARCH ", 7) == 0 && strstr(step, "AUTOMATIC") != NULL;
	for (size_t i = 0; i < ARRAY_LEN(fine); i++)
		if (strncmp(step, fine[i], strlen(fine[i])) == 0)
			return false;
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		if (strstr(step, waiting[i]) != NULL)
			return false;
	return true;
}

/* Whatever is done per recipient, per message or per request finds its rows by an index. */
static void
none_scans_a_table(void **state)
{
	struct world *w = *state;
	int bad = 0;

	for (int i = 0; i < SQL_COUNT; i++) {
		const struct sql_text *t = &sql_table[i];
		sqlite3_stmt *stmt;
		char *sql;

		if (t->sqlite == NULL || may_scan((enum sql_id)i))
			continue;
		sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", t->sqlite);
		assert_int_equal(sqlite3_prepare_v2(w->h, sql, -1, &stmt, NULL), SQLITE_OK);
		while (sqlite3_step(stmt) == SQLITE_ROW) {
			const char *step = (const char *)sqlite3_column_text(stmt, 3);

			if (!is_scan(step))
				continue;
			print_error("%s: %s\n", t->name, step);
			bad++;
		}
		sqlite3_finalize(stmt);
		sqlite3_free(sql);
	}
	assert_int_equal(bad, 0);
}

/* The steps of the statements that are run for every batch, in full: a change of plan there
 * is a change of speed. */
static void
hot_statements_use_their_index(void **state)
{
	static const struct {
		enum sql_id id;
		const char *steps[4];
	} hot[] = {
		{SQL_BATCH_CLAIM, {"batches USING INDEX sqlite_autoindex_batches_1 (campaign=? "
				   "AND seq=?)",
					  "c USING INDEX campaigns_sending",
					  "o USING INDEX batches_open (campaign=?)",
					  "k USING INDEX batches_open (campaign=?)"}},
		{SQL_BATCH_RECIPIENTS,
			{"u USING INTEGER PRIMARY KEY", "c USING INTEGER PRIMARY KEY"}},
		{SQL_BATCH_DONE, {"batches USING"}},
		{SQL_CAMPAIGN_PROGRESS, {"campaigns USING INTEGER PRIMARY KEY"}},
		{SQL_CAMPAIGN_BY_ID, {"c USING INDEX campaigns_id"}},
		{SQL_CAMPAIGN_BY_NOS, {"c USING INTEGER PRIMARY KEY"}},
		{SQL_CAMPAIGN_UNPLANNED, {"c USING INDEX campaigns_active"}},
		{SQL_MESSAGE_BY_KEY, {"m USING INTEGER PRIMARY KEY", "batches_first_key"}},
		{SQL_MESSAGE_BY_ID, {"m USING INTEGER PRIMARY KEY",
					    "i USING PRIMARY KEY (id=?)", "batches_first_key"}},
		{SQL_MESSAGE_BEFORE, {"m USING INDEX messages_channel", "batches_first_key"}},
		{SQL_CHANNEL_LAST_MESSAGE, {"messages_channel"}},
		{SQL_CHANNEL_BY_NOS, {"c USING INTEGER PRIMARY KEY"}},
		{SQL_USER_RESOLVE, {"i USING PRIMARY KEY (id=?)"}},
		{SQL_USER_BY_ID, {"u USING INTEGER PRIMARY KEY", "i USING PRIMARY KEY (id=?)"}},
		{SQL_CHANNEL_BY_CIDS,
			{"c USING INTEGER PRIMARY KEY", "i USING PRIMARY KEY (cid=?)"}},
		{SQL_SEGMENT_WALK_UP, {"i USING PRIMARY KEY (id>? AND id<?)"}},
		{SQL_SEGMENT_WALK_DOWN, {"i USING PRIMARY KEY (id>? AND id<?)"}},
		{SQL_FORM_EXPLICIT, {"channel_ids USING PRIMARY KEY (cid>? AND cid<?)"}},
		{SQL_USER_BY_UIDS, {"u USING INTEGER PRIMARY KEY"}},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(hot); i++) {
		char plan[4096] = "";
		sqlite3_stmt *stmt;
		char *sql =
			sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql_table[hot[i].id].sqlite);

		assert_int_equal(sqlite3_prepare_v2(w->h, sql, -1, &stmt, NULL), SQLITE_OK);
		while (sqlite3_step(stmt) == SQLITE_ROW) {
			strncat(plan, (const char *)sqlite3_column_text(stmt, 3),
				sizeof(plan) - strlen(plan) - 2);
			strcat(plan, "\n");
		}
		sqlite3_finalize(stmt);
		sqlite3_free(sql);
		for (size_t k = 0; k < 4 && hot[i].steps[k] != NULL; k++) {
			if (strstr(plan, hot[i].steps[k]) == NULL)
				print_error("%s has no step \"%s\":\n%s",
					sql_table[hot[i].id].name, hot[i].steps[k], plan);
			assert_non_null(strstr(plan, hot[i].steps[k]));
		}
	}
}

/* Large tables, and the column that each can be distributed or partitioned by. */
static const char *const distributed[][2] = {{"users", "uid"}, {"channels", "no"},
	{"members", "channel"}, {"messages", "key"}, {"batches", "campaign"},
	{"targets", "key"}, {"user_ids", "id"}, {"channel_ids", "cid"}, {"message_ids", "id"},
	{"poll_votes", "poll"}, {"devices", "uid"}, {"user_names", "hash"}};

static int64_t
count_by(struct world *w, const char *sql, const char *a, const char *b)
{
	sqlite3_stmt *stmt;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(w->h, sql, -1, &stmt, NULL), SQLITE_OK);
	sqlite3_bind_text(stmt, 1, a, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, b, -1, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

/* A unique constraint without the column could not be kept by one shard alone. */
static void
unique_keys_hold_the_column_of_distribution(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(distributed); i++) {
		const char *table = distributed[i][0], *column = distributed[i][1];

		assert_int_equal(count_by(w,
					 "SELECT COUNT(*) FROM pragma_table_info(?1) "
					 "WHERE name = ?2 AND pk > 0",
					 table, column),
			1);
		if (count_by(w,
			    "SELECT COUNT(*) FROM pragma_index_list(?1) AS l "
			    "WHERE l.\"unique\" AND NOT EXISTS (SELECT 1 FROM "
			    "pragma_index_info(l.name) AS c WHERE c.name = ?2)",
			    table, column) != 0)
			fail_msg("%s: a unique index does not contain %s", table, column);
		assert_int_equal(count_by(w,
					 "SELECT COUNT(*) FROM pragma_foreign_key_list(?1) "
					 "WHERE ?2 IS NOT NULL",
					 table, column),
			0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_prepared),
		cmocka_unit_test(parameters_have_no_holes),
		cmocka_unit_test(names_stand_for_one_statement),
		cmocka_unit_test(texts_are_of_their_engine),
		cmocka_unit_test(none_scans_a_table),
		cmocka_unit_test(hot_statements_use_their_index),
		cmocka_unit_test(unique_keys_hold_the_column_of_distribution),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
