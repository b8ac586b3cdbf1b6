/* test_task – tasks: noted, done in their order by one at a time, and told. */
#include "base/clock.h"
#include "domain/claim.h"
#include "domain/task.h"
#include "store_fixture.h"

#define LEASE_MS 60000

struct noting {
	struct arena *a;
	struct task_work work;
	struct str id;
};

static bool
note_in(struct db *w, void *arg, struct err *e)
{
	struct noting *n = arg;

	return task_add(w, n->a, &n->work, &n->id, e);
}

static struct str
note(struct fixture *f, struct str kind, struct str work)
{
	struct noting n = {&f->arena, {kind, work, STR("{\"a\":1}")}, STR_NONE};
	struct err e;

	must(db_write(f->db, note_in, &n, &e), &e);
	return n.id;
}

static bool
next(struct fixture *f, struct task_job *out)
{
	bool found;
	struct err e;

	must(task_next(f->db, &f->arena, out, &found, &e), &e);
	return found;
}

static struct claim
take(struct fixture *f, int64_t no, int64_t lease_ms)
{
	struct claim c;
	bool got;
	struct err e;

	must(claim_take(f->db, CLAIM_TASK, no, lease_ms, &c, &got, &e), &e);
	assert_true(got);
	return c;
}

static struct task
look(struct fixture *f, struct str id)
{
	struct task t;
	struct err e;

	must(task_get(f->db, &f->arena, id, &t, &e), &e);
	return t;
}

static void
done_already(void **state)
{
	struct fixture *f = *state;
	struct task t = look(f, note(f, STR_NONE, STR_NONE));
	struct task_job job;
	struct err e;

	assert_str(t.status, "completed");
	assert_str(t.result, "{\"a\":1}");
	assert_null(t.error.p);
	assert_int_equal(t.created_at, t.updated_at);
	assert_false(next(f, &job));
	must_fail(task_get(f->db, &f->arena, STR("none"), &t, &e), &e, ERR_NOT_FOUND,
		"task with id none");
}

/* The second is not begun while somebody is at the first. */
static void
one_after_the_other(void **state)
{
	struct fixture *f = *state;
	struct str one = note(f, STR("k"), STR("[1]")), two = note(f, STR("k"), STR("[2]"));
	struct task_turn turn = {.db = f->db};
	struct task_job job;
	struct claim claim;
	struct task t;
	struct err e;

	assert_str(look(f, one).status, "waiting");
	assert_null(look(f, one).result.p);
	assert_true(next(f, &job));
	assert_str(job.kind, "k");
	assert_str(job.work, "[1]");
	claim = take(f, job.no, LEASE_MS);
	turn.claim = &claim;
	assert_false(next(f, &job));
	must(task_begin(&turn, &e), &e);
	assert_str(look(f, one).status, "running");
	claim_drop(f->db, &claim);

	assert_true(next(f, &job));
	assert_str(job.work, "[1]");
	claim = take(f, job.no, LEASE_MS);
	must(task_end(&turn, NULL, &e), &e);
	claim_drop(f->db, &claim);
	t = look(f, one);
	assert_str(t.status, "completed");
	assert_str(t.result, "{\"a\":1}");
	assert_true(t.updated_at > t.created_at);

	assert_true(next(f, &job));
	assert_str(job.work, "[2]");
	claim = take(f, job.no, LEASE_MS);
	must(task_end(&turn, &(struct err){ERR_BUG, "no such luck"}, &e), &e);
	claim_drop(f->db, &claim);
	t = look(f, two);
	assert_str(t.status, "failed");
	assert_null(t.result.p);
	assert_str(t.error, "no such luck");
	assert_false(next(f, &job));
}

static bool
count_in(struct db *w, void *arg, struct err *e)
{
	int64_t first;

	++*(int *)arg;
	return db_take(w, COUNTER_USER, 1, &first, e);
}

static bool
yes(void *arg)
{
	return arg == NULL;
}

/* Who comes too late changes nothing (I-9); nor does who is told to stop. */
static void
lost_claims_write_nothing(void **state)
{
	struct fixture *f = *state;
	struct str id = note(f, STR("k"), STR("[1]"));
	struct task_turn turn = {.db = f->db};
	struct claim old, young;
	struct task_job job;
	int64_t end;
	int runs = 0;
	struct err e;

	assert_true(next(f, &job));
	old = take(f, job.no, 1);
	end = clock_now_us() + 2000;
	while (clock_now_us() < end)
		continue;
	young = take(f, job.no, LEASE_MS);
	turn.claim = &old;
	must_fail(task_write(&turn, true, count_in, &runs, &e), &e, ERR_STALE, "claim");
	must_fail(task_write(&turn, false, count_in, &runs, &e), &e, ERR_STALE, "claim");
	must_fail(task_end(&turn, NULL, &e), &e, ERR_STALE, "claim");
	assert_int_equal(runs, 0);
	assert_str(look(f, id).status, "waiting");
	turn.claim = &young;
	must(task_write(&turn, true, count_in, &runs, &e), &e);
	assert_int_equal(runs, 1);
	must(task_go_on(&turn, &e), &e);
	turn.is_stopping = yes;
	must_fail(task_go_on(&turn, &e), &e, ERR_STALE, "stops");
	must_fail(task_write(&turn, false, count_in, &runs, &e), &e, ERR_STALE, "stops");
	assert_int_equal(runs, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(done_already),
		TEST(one_after_the_other),
		TEST(lost_claims_write_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
