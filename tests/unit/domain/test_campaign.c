/* test_campaign – what a campaign may become: every verb in every status, what is due, whom it
 * is for (I-2, I-3, I-13). */
#include "campaign_fixture.h"
#include "domain/bitset.h"

/* ---- every verb in every status -------------------------------------------------- */

enum verb { UPDATE, START, SCHEDULE, STOP, DELETE, VERBS };

static const char *const statuses[] = {
	"draft", "scheduled", "in_progress", "completed", "stopped"};

/* What comes of it; NULL: refused, "": gone. */
static const char *const outcomes[][VERBS] = {
	/*                UPDATE       START          SCHEDULE     STOP         DELETE */
	/* draft */ {"draft", "in_progress", "scheduled", NULL, ""},
	/* scheduled */ {"scheduled", NULL, NULL, "stopped", ""},
	/* in_progress */ {NULL, NULL, NULL, "stopped", NULL},
	/* completed */ {NULL, NULL, NULL, "completed", ""},
	/* stopped */ {NULL, NULL, NULL, "stopped", ""},
};

static bool
act(struct fixture *f, const char *id, enum verb verb, struct campaign *out, struct err *e)
{
	switch (verb) {
	case UPDATE:
		return try_update(f, id, "{\"message_template\":{\"text\":\"new\"}}", out, e);
	case START:
		return try_start(f, id, NO_TIME, NO_TIME, out, e);
	case SCHEDULE:
		return try_start(f, id, clock_now_us() + HOUR, NO_TIME, out, e);
	case STOP:
		return campaign_stop(f->db, &f->arena, str_of(id), out, e);
	default:
		return campaign_delete(f->db, &f->arena, str_of(id), e);
	}
}

static void
every_verb_in_every_status(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(statuses) * VERBS; i++) {
		const char *from = statuses[i / VERBS], *to = outcomes[i / VERBS][i % VERBS];
		const char *id = arena_printf(&f->arena, "c%zu", i).p;
		struct campaign before = in_status(f, id, from), out, after;
		struct err e = {0};
		bool ok = act(f, id, i % VERBS, &out, &e);

		if (ok != (to != NULL))
			print_error("%s, verb %zu: %s\n", from, i % VERBS, ok ? "ok" : e.msg);
		if (to == NULL) {
			must_fail(ok, &e, ERR_INPUT, id);
			after = look(f, id);
			assert_string_equal(told(f, &after), told(f, &before));
		} else if (*to == '\0') {
			must(ok, &e);
			must_fail(campaign_get(f->db, &f->arena, str_of(id), &after, &e), &e,
				ERR_NOT_FOUND, id);
		} else {
			must(ok, &e);
			after = look(f, id);
			assert_str(after.status, to);
			assert_string_equal(told(f, &after), told(f, &out));
		}
	}
}

static void
a_start_says_when(void **state)
{
	struct fixture *f = *state;
	int64_t now = clock_now_us();
	struct campaign c;
	struct err e;

	in_status(f, "a", "draft");
	must(try_start(f, "a", now - HOUR, NO_TIME, &c, &e), &e);
	assert_str(c.status, "in_progress");
	assert_int_equal(c.scheduled_for, now - HOUR);
	assert_true(c.started_at >= now);
	in_status(f, "b", "draft");
	must(try_start(f, "b", now + HOUR, now + 2 * HOUR, &c, &e), &e);
	assert_str(c.status, "scheduled");
	assert_int_equal(c.scheduled_for, now + HOUR);
	assert_int_equal(c.stop_at, now + 2 * HOUR);
	assert_int_equal(c.started_at, NO_TIME);
	in_status(f, "c", "draft");
	must_fail(try_start(f, "c", NO_TIME, now - HOUR, &c, &e), &e, ERR_INPUT, "stop_at");
	must_fail(try_start(f, "c", now - 2 * HOUR, now - HOUR, &c, &e), &e, ERR_INPUT,
		"stop_at");
	must_fail(try_start(f, "c", now + 2 * HOUR, now + HOUR, &c, &e), &e, ERR_INPUT,
		"stop_at");
	must_fail(try_start(f, "c", now + HOUR, now + HOUR, &c, &e), &e, ERR_INPUT, "stop_at");
	assert_str(look(f, "c").status, "draft");
	must(try_start(f, "c", now - 2 * HOUR, now + HOUR, &c, &e), &e);
	assert_str(c.status, "in_progress");
	create(f, "{\"id\":\"d\"," BASE "}");
	must_fail(try_start(f, "d", NO_TIME, NO_TIME, &c, &e), &e, ERR_INPUT, "segment_ids");
	update(f, "d", "{\"segment_ids\":[\"s1\"]}");
	must(try_start(f, "d", NO_TIME, NO_TIME, &c, &e), &e);
}

/* ---- what is due ----------------------------------------------------------------- */

static void
due_within(struct fixture *f, int64_t now, int64_t late_us, int64_t moved, int64_t next)
{
	int64_t m, n;
	struct err e;

	must(campaign_due(f->db, now, late_us, &m, &n, &e), &e);
	assert_int_equal(m, moved);
	assert_int_equal(n, next);
}

static void
due(struct fixture *f, int64_t now, int64_t moved, int64_t next)
{
	due_within(f, now, 0, moved, next);
}

static void
starts_and_stops_that_are_due(void **state)
{
	struct fixture *f = *state;
	int64_t t = clock_now_us();
	struct campaign c;
	struct err e;

	due(f, t, 0, NO_TIME);
	for (const char *id = "abcd"; *id != '\0'; id++)
		in_status(f, (char[]){*id, '\0'}, "draft");
	must(try_start(f, "a", t + HOUR, NO_TIME, &c, &e), &e);
	must(try_start(f, "b", t + 2 * HOUR, t + 4 * HOUR, &c, &e), &e);
	must(try_start(f, "c", NO_TIME, t + 3 * HOUR, &c, &e), &e);
	must(try_start(f, "d", t + 5 * HOUR, t + 6 * HOUR, &c, &e), &e);
	due(f, t, 0, t + HOUR);
	due(f, t + HOUR - 1, 0, t + HOUR);
	due(f, t + HOUR, 1, t + 2 * HOUR);
	c = look(f, "a");
	assert_str(c.status, "in_progress");
	assert_int_equal(c.started_at, t + HOUR);
	due(f, t + HOUR, 0, t + 2 * HOUR);
	due(f, t + 3 * HOUR, 2, t + 4 * HOUR);
	assert_str(look(f, "b").status, "in_progress");
	assert_str(look(f, "c").status, "stopped");
	due(f, t + 4 * HOUR, 1, t + 5 * HOUR);
	assert_str(look(f, "b").status, "stopped");
	/* Slept through both: it never starts. */
	due(f, t + 7 * HOUR, 1, NO_TIME);
	c = look(f, "d");
	assert_str(c.status, "stopped");
	assert_int_equal(c.started_at, NO_TIME);
	assert_str(look(f, "a").status, "in_progress");
}

/* I-23: a schedule that was slept through is not made up for, and says so. */
static void
late_schedules_are_stated(void **state)
{
	struct fixture *f = *state;
	int64_t t = clock_now_us();
	struct campaign c;
	struct err e;

	for (const char *id = "abc"; *id != '\0'; id++)
		in_status(f, (char[]){*id, '\0'}, "draft");
	must(try_start(f, "a", t + HOUR, NO_TIME, &c, &e), &e);
	must(try_start(f, "b", t + 3 * HOUR, NO_TIME, &c, &e), &e);
	must(try_start(f, "c", t + 2 * HOUR, t + 3 * HOUR, &c, &e), &e);
	due_within(f, t + 4 * HOUR, HOUR, 3, NO_TIME);
	c = look(f, "a");
	assert_str(c.status, "stopped");
	assert_str(c.stop_reason, "missed_schedule");
	assert_int_equal(c.started_at, NO_TIME);
	/* Just in time. */
	c = look(f, "b");
	assert_str(c.status, "in_progress");
	assert_null(c.stop_reason.p);
	c = look(f, "c");
	assert_str(c.status, "stopped");
	assert_str(c.stop_reason, "stop_at");
}

static void
nothing_deleted_is_due(void **state)
{
	struct fixture *f = *state;
	struct campaign c = in_status(f, "a", "scheduled");
	struct err e;

	must(campaign_delete(f->db, &f->arena, STR("a"), &e), &e);
	due(f, c.scheduled_for + HOUR, 0, NO_TIME);
	must(campaign_by_no(f->db, &f->arena, c.no, &c, &e), &e);
	assert_str(c.status, "stopped");
	assert_int_equal(c.started_at, NO_TIME);
}

static void
the_oldest_without_a_plan(void **state)
{
	struct fixture *f = *state;
	int64_t no;
	bool found;
	struct campaign a, b;
	struct err e;

	must(campaign_unplanned(f->db, &no, &found, &e), &e);
	assert_false(found);
	in_status(f, "x", "scheduled");
	in_status(f, "y", "stopped");
	a = in_status(f, "a", "in_progress");
	b = in_status(f, "b", "in_progress");
	must(campaign_unplanned(f->db, &no, &found, &e), &e);
	assert_true(found);
	assert_int_equal(no, a.no);
	sql_run(f->db, "UPDATE campaigns SET planned = 1 WHERE no = $1", ARGS(V_INT(a.no)));
	must(campaign_unplanned(f->db, &no, &found, &e), &e);
	assert_int_equal(no, b.no);
}

/* ---- the audience ---------------------------------------------------------------- */

static void
audience_is(struct fixture *f, const char *id, const struct str *ids, size_t n)
{
	struct campaign c = look(f, id);
	int64_t uids[8];
	struct bitset b;
	struct err e;

	bitset_init(&b);
	must(campaign_audience(f->db, &f->arena, &c, &b, &e), &e);
	assert_int_equal(bitset_count(&b), n);
	must(user_resolve(f->db, &f->arena, ids, n, uids, &e), &e);
	for (size_t i = 0; i < n; i++)
		assert_true(bitset_has(&b, uids[i]));
	bitset_fini(&b);
}

static void
audiences(void **state)
{
	static const struct str people[] = {
		STR_INIT("ann"), STR_INIT("bob"), STR_INIT("ghost"), STR_INIT("cid")};
	struct fixture *f = *state;
	struct err e;

	must(segment_add_targets(f->db, &f->arena, STR("s1"), people, 3, &e), &e);
	must(segment_add_targets(f->db, &f->arena, STR("s2"), people + 1, 3, &e), &e);
	create(f, "{\"id\":\"seg\"," BASE ",\"segment_ids\":[\"s1\",\"s2\",\"s1\",\"s3\"]}");
	audience_is(f, "seg", people, 4);
	/* A segment deleted meanwhile has no targets (api.md §2.5.4). */
	must(segment_delete(f->db, &f->arena, STR("s2"), &e), &e);
	audience_is(f, "seg", people, 3);
	must(segment_delete(f->db, &f->arena, STR("s1"), &e), &e);
	audience_is(f, "seg", people, 0);
	create(f,
		"{\"id\":\"list\"," BASE ",\"user_ids\":[\"bob\",\"ghost\",\"bob\",\"ann\"]}");
	audience_is(f, "list", people, 3);
	update(f, "list", "{\"user_ids\":[\"ann\",\"bob\"]}");
	audience_is(f, "list", people, 2);
	update(f, "list", "{\"name\":\"other\"}");
	audience_is(f, "list", people, 2);
	update(f, "list", "{\"user_ids\":[]}");
	audience_is(f, "list", people, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_verb_in_every_status),
		TEST(a_start_says_when),
		TEST(starts_and_stops_that_are_due),
		TEST(late_schedules_are_stated),
		TEST(nothing_deleted_is_due),
		TEST(the_oldest_without_a_plan),
		TEST(audiences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
