/* test_capacity – what is used of a month follows from the campaigns, whatever becomes of them.
 */
#include "domain/capacity.h"
#include "ledger_fixture.h"

/* 2027-01-31T23:59:59.999999Z, and a microsecond later. */
#define JANUARY  INT64_C(1801439999999999)
#define FEBRUARY (JANUARY + 1)
#define LIMIT    100

static int64_t
used(struct fixture *f, int64_t now)
{
	struct capacity c = {.limit = LIMIT};
	struct err e;

	must(capacity_load(f->db, now, &c, &e), &e);
	assert_int_equal(c.left, MAX_OF(LIMIT - c.used, 0));
	assert_true(c.resets_at == (now < FEBRUARY ? FEBRUARY : INT64_C(1803859200000000)));
	return c.used;
}

/* Commits the next batch at a moment, with so many recipients skipped and the rest sent. */
struct turn {
	struct arena *arena;
	int64_t now, skipped;
};

static bool
turn_in(struct db *w, void *arg, struct err *e)
{
	uint8_t outcomes[BATCH_MAX];
	struct batch_result result = {.outcomes = outcomes};
	struct turn *t = arg;
	struct batch b;
	bool found, lost;

	if (!ledger_claim(w, t->arena, LONG_LEASE_MS, &b, &found, e))
		return false;
	assert_true(found);
	for (int64_t i = 0; i < b.n; i++)
		outcomes[i] = i < t->skipped ? OUTCOME_NO_SUCH_USER : OUTCOME_SENT;
	return ledger_commit_begin(w, &b, &result, t->now, &lost, e) &&
	       ledger_commit_end(w, &b, &result, t->now, &lost, e);
}

static void
commit(struct fixture *f, int64_t now, int64_t skipped)
{
	struct turn t = {&f->arena, now, skipped};
	struct err e;

	must(db_write(f->db, turn_in, &t, &e), &e);
}

static void
follows_from_the_batches(void **state)
{
	struct fixture *f = *state;
	int64_t c = started(f, "c");

	assert_int_equal(used(f, JANUARY), 0);
	assert_true(plan(f, c, 20, 1, 5));
	assert_int_equal(used(f, JANUARY), 20);
	commit(f, JANUARY, 2);
	assert_int_equal(used(f, JANUARY), 3 + 15);
	/* What is not sent yet will be sent in the month that has begun. */
	assert_int_equal(used(f, FEBRUARY), 15);
	commit(f, FEBRUARY, 0);
	assert_int_equal(used(f, FEBRUARY), 5 + 10);
	/* A clock that lags counts where the others are. */
	commit(f, JANUARY, 0);
	assert_int_equal(used(f, FEBRUARY), 10 + 5);
	stop(f, c);
	assert_int_equal(used(f, FEBRUARY), 10);
}

static void
completed_and_deleted(void **state)
{
	struct fixture *f = *state;
	int64_t c = started(f, "c");
	struct err e;

	assert_true(plan(f, c, 10, 1, 5));
	commit(f, JANUARY, 0);
	commit(f, JANUARY, 5);
	assert_str(look(f, c).status, "completed");
	assert_int_equal(used(f, JANUARY), 5);
	must(campaign_delete(f->db, &f->arena, STR("c"), &e), &e);
	assert_int_equal(used(f, JANUARY), 5);
	assert_int_equal(used(f, FEBRUARY), 0);
}

/* Between start and plan the audience of the start call is held. */
static void
held_until_planned(void **state)
{
	struct fixture *f = *state;
	struct capacity capacity = {.limit = LIMIT};
	struct campaign_start start = {
		.scheduled_for = NO_TIME, .stop_at = NO_TIME, .capacity = &capacity};
	struct campaign_edit edit = {
		.id = STR("held"),
		.sender_id = STR("ann"),
		.message_template = STR("{\"text\":\"hi\"}"),
		.create_channels = -1,
		.show_channels = -1,
		.skip_push = -1,
		.skip_webhook = -1,
		.user_ids = (struct str[]){STR("a"), STR("b"), STR("a"), STR("ann")},
		.nusers = 4,
		.has_users = true,
	};
	struct campaign c;
	struct err e;

	stop(f, started(f, "without"));
	assert_int_equal(used(f, JANUARY), 0);
	must(campaign_create(f->db, &f->arena, &edit, &c, &e), &e);
	capacity.limit = 2;
	must_fail(campaign_start(f->db, &f->arena, c.id, &start, &c, &e), &e, ERR_DENIED,
		"the audience is 3, 0 of 2 messages are used, 2 are left this month");
	assert_true(capacity.is_exceeded);
	assert_str(look(f, c.no).status, "draft");
	capacity.limit = 3;
	must(campaign_start(f->db, &f->arena, c.id, &start, &c, &e), &e);
	assert_false(capacity.is_exceeded);
	assert_int_equal(capacity.used, 3);
	assert_int_equal(capacity.left, 0);
	assert_int_equal(used(f, JANUARY), 3);
	/* The plan says how many there really are. */
	assert_true(plan(f, c.no, 7, 1, 5));
	assert_int_equal(used(f, JANUARY), 7);
	stop(f, c.no);
	assert_int_equal(used(f, JANUARY), 0);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(follows_from_the_batches),
		WITH_STORE(completed_and_deleted),
		WITH_STORE(held_until_planned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
