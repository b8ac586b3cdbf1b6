/* test_ledger – plans, claims and commits: who is in which batch, whose turn it is, what is
 * counted (I-1, I-2, I-5, I-6, I-7). */
#include "domain/event.h"
#include "ledger_fixture.h"

/* ---- plan ------------------------------------------------------------------------ */

/* Every uid of the audience once, in order, at the ordinal that its place says. */
static void
check_plan(struct fixture *f, int64_t campaign, int64_t n, int64_t step, int64_t level,
	int64_t *first_key)
{
	int64_t seq = 0, ord = 0;
	struct campaign c = look(f, campaign);
	struct rows r;
	struct err e;

	must(db_query_text(f->db,
		     STR("SELECT seq, first_ord, n, first_key, uids, state, fence, lease_until "
			 "FROM batches WHERE campaign = $1 ORDER BY seq"),
		     ARGS(V_INT(campaign)), &r, &e),
		&e);
	while (rows_next(&r)) {
		int64_t uids[BATCH_MAX], here = row_int(&r, 2);

		assert_int_equal(row_int(&r, 0), seq++);
		assert_int_equal(row_int(&r, 1), ord);
		assert_int_equal(here, MIN_OF(level, n - ord));
		if (ord == 0)
			*first_key = row_int(&r, 3);
		assert_int_equal(row_int(&r, 3), *first_key + ord);
		assert_true(pack_keys_read(row_str(&r, 4), uids, (size_t)here));
		for (int64_t i = 0; i < here; i++)
			assert_int_equal(uids[i], 1 + (ord + i) * step);
		for (int i = 5; i < 8; i++)
			assert_int_equal(row_int(&r, i), 0);
		ord += here;
	}
	must(rows_end(&r, &e), &e);
	assert_int_equal(ord, n);
	assert_true(c.planned);
	assert_int_equal(c.audience, n);
	assert_int_equal(c.pending, n);
	assert_int_equal(c.form, 5);
	/* An empty audience completes (I-5). */
	assert_str(c.status, n == 0 ? "completed" : "in_progress");
	assert_int_equal(c.completed_at != NO_TIME, n == 0);
}

static void
plans_of_all_sizes(void **state)
{
	static const int64_t sizes[] = {0, 1, 4095, 4096, 4097, 8193};
	/* Large batches are made of one size, eight of them where they are not too small. */
	static const int64_t levels[] = {1024, 1024, 1024, 1024, 1024, 1025};
	static const int64_t batches[] = {1, 8, BATCH_MAX}, steps[] = {1, 7, 70001};
	struct fixture *f = *state;
	int64_t end = 0;

	for (size_t k = 0; k < ARRAY_LEN(batches) * ARRAY_LEN(steps) * ARRAY_LEN(sizes); k++) {
		int64_t n = sizes[k % 6], batch = batches[k / 6 % 3], step = steps[k / 18];
		int64_t campaign, first = end;
		char id[32];

		snprintf(id, sizeof(id), "c%zu", k);
		campaign = started(f, id);
		assert_true(plan(f, campaign, n, step, batch));
		check_plan(f, campaign, n, step, batch == BATCH_MAX ? levels[k % 6] : batch,
			&first);
		/* No key belongs to two campaigns: the half of I-1 that the plan owes. */
		assert_true(first >= end);
		end = first + n;
	}
}

static void
what_a_dead_planner_left_is_dropped(void **state)
{
	struct fixture *f = *state;
	int64_t c = started(f, "c"), other = started(f, "other"), first;

	assert_true(plan(f, other, 3, 1, 1));
	for (int64_t seq = 0; seq < 9; seq++)
		sql_run(f->db,
			"INSERT INTO batches (campaign, seq, first_ord, n, first_key, uids, "
			"state, fence, lease_until) "
			"VALUES ($1, $2, $2, 1, 1000000 + $2, $3, 0, 0, 0)",
			ARGS(V_INT(c), V_INT(seq), V_BLOB(STR("\x01\x05"))));
	assert_true(plan(f, c, 5, 2, 2));
	check_plan(f, c, 5, 2, 2, &first);
	check_plan(f, other, 3, 1, 1, &first);
}

static void
plan_of_a_stopped_campaign(void **state)
{
	struct fixture *f = *state;
	int64_t c = started(f, "c");
	struct campaign seen;

	stop(f, c);
	assert_false(plan(f, c, 4097, 1, 8));
	seen = look(f, c);
	assert_str(seen.status, "stopped");
	assert_false(seen.planned);
	assert_int_equal(seen.audience, 0);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM batches", NO_ARGS), 0);
	assert_false(plan(f, c, 0, 1, 8));
	assert_str(look(f, c).status, "stopped");
}

static void
a_plan_is_made_once(void **state)
{
	struct fixture *f = *state;
	int64_t c = started(f, "c"), first;

	assert_true(plan(f, c, 5, 2, 2));
	check_plan(f, c, 5, 2, 2, &first);
	/* A planner that was late by a whole plan changes nothing (I-2). */
	assert_false(plan(f, c, 100, 1, 2));
	check_plan(f, c, 5, 2, 2, &first);
}

struct stopper {
	struct fixture *f;
	struct thread thread;
	struct str id;
};

/* Stops the campaign as soon as the first part of its plan is committed. */
static void
stop_amid(void *arg)
{
	struct stopper *s = arg;
	struct arena arena;
	struct campaign c;
	struct db *db;
	struct err e;

	must(db_open(&db, s->f->store, &e), &e);
	while (sql_int(db, "SELECT COUNT(*) FROM batches", NO_ARGS) == 0)
		continue;
	arena_init(&arena, 4096, SIZE_MAX);
	must(campaign_stop(db, &arena, s->id, &c, &e), &e);
	arena_fini(&arena);
	db_close(db);
}

static void
stop_while_planning(void **state)
{
	struct fixture *f = *state;
	bool fell_inside = false;

	for (int round = 0; round < 20 && !fell_inside; round++) {
		struct stopper s = {.f = f};
		char id[32];
		int64_t c;

		snprintf(id, sizeof(id), "c%d", round);
		s.id = str_of(id);
		c = started(f, id);
		thread_start(&s.thread, "stopper", stop_amid, &s);
		fell_inside = !plan(f, c, 8193, 1, 1);
		thread_join(&s.thread);
		assert_str(look(f, c).status, "stopped");
		assert_int_equal(look(f, c).planned, !fell_inside);
		if (fell_inside)
			assert_int_equal(
				sql_int(f->db, "SELECT COUNT(*) FROM batches", NO_ARGS), 0);
		sql_run(f->db, "DELETE FROM batches", NO_ARGS);
	}
	assert_true(fell_inside);
}

/* ---- claim ----------------------------------------------------------------------- */

static bool
claim(struct fixture *f, int64_t lease_ms, struct batch *out)
{
	struct claim c = {.arena = &f->arena, .lease_ms = lease_ms};
	struct err e;

	must(db_write(f->db, claim_in, &c, &e), &e);
	*out = c.batch;
	return c.found;
}

/* The next claim is that of campaign/seq, with this fence. */
static void
claims(struct fixture *f, int64_t lease_ms, int64_t campaign, int64_t seq, int64_t fence)
{
	struct batch b;

	assert_true(claim(f, lease_ms, &b));
	assert_int_equal(b.campaign, campaign);
	assert_int_equal(b.seq, seq);
	assert_int_equal(b.fence, fence);
}

static void
claims_none(struct fixture *f)
{
	struct batch b;

	assert_false(claim(f, LONG_LEASE_MS, &b));
}

static void
a_claim_says_what_was_planned(void **state)
{
	struct fixture *f = *state;
	int64_t c = started(f, "c"), uids[3];
	struct batch b;

	assert_true(plan(f, c, 5, 2, 3));
	assert_true(claim(f, LONG_LEASE_MS, &b));
	assert_int_equal(b.first_ord, 0);
	assert_int_equal(b.n, 3);
	assert_true(pack_keys_read(b.uids, uids, 3));
	assert_int_equal(uids[2], 5);
	assert_true(claim(f, LONG_LEASE_MS, &b));
	assert_int_equal(b.first_ord, 3);
	assert_int_equal(b.n, 2);
	assert_int_equal(b.first_key,
		sql_int(f->db, "SELECT first_key FROM batches WHERE seq = 1", NO_ARGS));
	assert_true(pack_keys_read(b.uids, uids, 2));
	assert_int_equal(uids[1], 9);
	claims_none(f);
}

static void
fewest_claims_first(void **state)
{
	struct fixture *f = *state;
	int64_t big = started(f, "big"), small = started(f, "small");

	assert_true(plan(f, big, 6, 1, 1));
	assert_true(plan(f, small, 2, 1, 1));
	claims(f, LONG_LEASE_MS, big, 0, 1);
	claims(f, LONG_LEASE_MS, small, 0, 1);
	claims(f, LONG_LEASE_MS, big, 1, 1);
	claims(f, LONG_LEASE_MS, small, 1, 1);
	for (int64_t seq = 2; seq < 6; seq++)
		claims(f, LONG_LEASE_MS, big, seq, 1);
	claims_none(f);
}

static void
the_dead_do_not_count_as_claims(void **state)
{
	struct fixture *f = *state;
	int64_t a = started(f, "a"), b = started(f, "b");

	assert_true(plan(f, a, 4, 1, 1));
	assert_true(plan(f, b, 4, 1, 1));
	for (int i = 0; i < 4; i++) {
		claims(f, OVER_LEASE_MS, a, 0, i + 1);
	}
	claims(f, LONG_LEASE_MS, a, 0, 5);
	claims(f, LONG_LEASE_MS, b, 0, 1);
}

static void
nothing_to_claim(void **state)
{
	struct fixture *f = *state;
	int64_t stopped = started(f, "stopped"), unplanned = started(f, "unplanned");

	claims_none(f);
	assert_true(plan(f, stopped, 4, 1, 1));
	stop(f, stopped);
	sql_run(f->db,
		"INSERT INTO batches (campaign, seq, first_ord, n, first_key, uids, state, "
		"fence, "
		"lease_until) VALUES ($1, 0, 0, 1, 999, $2, 0, 0, 0)",
		ARGS(V_INT(unplanned), V_BLOB(STR("\x01\x05"))));
	claims_none(f);
}

static void
leases_run_out(void **state)
{
	struct fixture *f = *state;
	int64_t c = started(f, "c");
	struct err e;

	assert_true(plan(f, c, 2, 1, 1));
	claims(f, LONG_LEASE_MS, c, 0, 1);
	claims(f, LONG_LEASE_MS, c, 1, 1);
	claims_none(f);
	sql_run(f->db, "UPDATE batches SET lease_until = lease_until - 599000000 WHERE seq = 1",
		NO_ARGS);
	claims_none(f);
	sql_run(f->db, "UPDATE batches SET lease_until = lease_until - 2000000 WHERE seq = 1",
		NO_ARGS);
	claims(f, LONG_LEASE_MS, c, 1, 2);
	claims_none(f);
	must(ledger_release_all(f->db, &e), &e);
	/* Fences go on: a worker of before is still told from one of now. */
	claims(f, LONG_LEASE_MS, c, 0, 2);
	claims(f, LONG_LEASE_MS, c, 1, 3);
	claims_none(f);
}

/* ---- commit ---------------------------------------------------------------------- */

/* False: lost, as the caller is told. */
static bool
commit(struct fixture *f, const struct batch *b, const uint8_t *outcomes, int64_t channels)
{
	struct commit c = {b, {outcomes, channels}, false};
	struct err e;

	if (db_write(f->db, commit_in, &c, &e)) {
		assert_false(c.lost);
		return true;
	}
	assert_int_equal(e.code, ERR_STALE);
	assert_true(c.lost);
	return false;
}

static void
sums_and_completion(void **state)
{
	static const uint8_t outcomes[3][3] = {
		{OUTCOME_SENT, OUTCOME_SENT, OUTCOME_IS_SENDER},
		{OUTCOME_NO_CHANNEL, OUTCOME_SENT, OUTCOME_INVALID_CHANNEL_ID},
		{OUTCOME_INTERNAL_ERROR, OUTCOME_NO_CHANNEL},
	};
	struct fixture *f = *state;
	int64_t c = started(f, "c"), other = started(f, "other"), before;
	struct campaign seen;
	struct event *told;
	uint8_t back[3];
	struct batch b;
	struct rows r;
	size_t ntold;
	struct err e;

	must(event_last(f->db, &before, &e), &e);
	assert_true(plan(f, c, 8, 1, 3));
	for (int64_t i = 0; i < 3; i++) {
		int64_t counted = 0;

		assert_true(claim(f, LONG_LEASE_MS, &b));
		assert_true(commit(f, &b, outcomes[i], i));
		seen = look(f, c);
		for (size_t k = 0; k < seen.tallies.n; k++)
			counted += seen.tallies.v[k].n;
		assert_int_equal(counted + seen.pending, 8); /* I-7 */
		assert_int_equal(seen.pending, i == 2 ? 0 : 5 - 3 * i);
		/* Not before the last, and with it (I-6). */
		assert_str(seen.status, i == 2 ? "completed" : "in_progress");
		assert_int_equal(seen.completed_at, i == 2 ? 7 : NO_TIME);
		/* Who has no message is not told (I-10). */
		must(event_after(f->db, &f->arena, before, 9, &told, &ntold, &e), &e);
		assert_int_equal(ntold, i + 1);
		assert_int_equal(told[i].kind, i < 2 ? EVENT_BATCH : EVENT_CAMPAIGN_COMPLETED);
		assert_int_equal(told[i].object, i < 2 ? b.first_key : c);
	}
	assert_int_equal(seen.channels_created, 0 + 1 + 2);
	assert_int_equal(seen.tallies.sent, 3);
	assert_int_equal(seen.tallies.n, 5);
	for (size_t k = 0; k < seen.tallies.n; k++)
		if (seen.tallies.v[k].outcome == OUTCOME_NO_CHANNEL)
			assert_int_equal(seen.tallies.v[k].n, 2);
	assert_int_equal(look(f, other).tallies.n, 0);
	claims_none(f);
	must(db_query_text(f->db,
		     STR("SELECT outcomes, done_at FROM batches WHERE campaign = $1 AND seq = "
			 "1"),
		     ARGS(V_INT(c)), &r, &e),
		&e);
	assert_true(rows_next(&r));
	assert_true(pack_bytes_read(row_str(&r, 0), back, 3));
	assert_memory_equal(back, outcomes[1], 3);
	assert_int_equal(row_int(&r, 1), 7);
	must(rows_end(&r, &e), &e);
}

static void
last_batch_may_be_any(void **state)
{
	static const uint8_t sent[1] = {OUTCOME_SENT};
	struct fixture *f = *state;
	int64_t c = started(f, "c");
	struct batch b[3];

	assert_true(plan(f, c, 3, 1, 1));
	for (int i = 0; i < 3; i++)
		assert_true(claim(f, LONG_LEASE_MS, &b[i]));
	for (int i = 2; i >= 0; i--) {
		assert_str(look(f, c).status, "in_progress");
		assert_true(commit(f, &b[i], sent, 0));
	}
	assert_str(look(f, c).status, "completed");
}

static void
a_batch_is_committed_once(void **state)
{
	static const uint8_t sent[2] = {OUTCOME_SENT, OUTCOME_SENT};
	struct fixture *f = *state;
	int64_t c = started(f, "c");
	struct batch b;

	assert_true(plan(f, c, 4, 1, 2));
	assert_true(claim(f, LONG_LEASE_MS, &b));
	assert_true(commit(f, &b, sent, 2));
	assert_false(commit(f, &b, sent, 2));
	assert_int_equal(look(f, c).pending, 2);
	assert_int_equal(look(f, c).tallies.sent, 2);
	assert_int_equal(look(f, c).channels_created, 2);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(plans_of_all_sizes),
		TEST(what_a_dead_planner_left_is_dropped),
		TEST(plan_of_a_stopped_campaign),
		TEST(a_plan_is_made_once),
		TEST(stop_while_planning),
		TEST(a_claim_says_what_was_planned),
		TEST(fewest_claims_first),
		TEST(the_dead_do_not_count_as_claims),
		TEST(nothing_to_claim),
		TEST(leases_run_out),
		TEST(sums_and_completion),
		TEST(last_batch_may_be_any),
		TEST(a_batch_is_committed_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
