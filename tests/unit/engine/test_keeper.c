/* test_keeper – a claim outlives its lease while it is kept, and only then. */
#include "../unit_store.h"
#include "base/clock.h"
#include "engine/keeper.h"

#define LEASE_MS 150

/* Whether somebody else gets the work within ${ms}. */
static bool
others_get_it(struct fixture *f, int64_t ms)
{
	int64_t until = clock_mono_us() + ms * 1000;
	struct claim claim;
	bool got = false;
	struct err e;

	while (!got && clock_mono_us() < until)
		must(claim_take(f->db, CLAIM_PLAN, 7, LEASE_MS, &claim, &got, &e), &e);
	return got;
}

static void
kept_claims_are_not_taken(void **state)
{
	struct fixture *f = *state;
	struct keeper keeper;
	struct claim claim;
	struct err e;
	bool got;

	must(claim_take(f->db, CLAIM_PLAN, 7, LEASE_MS, &claim, &got, &e), &e);
	assert_true(got);
	keeper_start(&keeper, f->store, &claim);
	assert_int_equal(keeper.thread.started, !store_is_exclusive(f->store));
	if (keeper.thread.started)
		assert_false(others_get_it(f, (int64_t)8 * LEASE_MS));
	keeper_stop(&keeper);
	/* A worker that is alone on its store needs no keeper; the lease counts all the same.
	 */
	assert_true(others_get_it(f, (int64_t)20 * LEASE_MS));
}

/* Who lost the claim stops renewing it (I-9). */
static void
lost_claims_are_not_renewed(void **state)
{
	struct fixture *f = *state;
	struct claim mine, other;
	struct keeper keeper;
	struct err e;
	bool got;

	must(claim_take(f->db, CLAIM_SIZE, 3, 0, &mine, &got, &e), &e);
	assert_true(got);
	do
		must(claim_take(f->db, CLAIM_SIZE, 3, 60000, &other, &got, &e), &e);
	while (!got);
	assert_true(other.fence > mine.fence);
	keeper_start(&keeper, f->store, &mine);
	if (keeper.thread.started)
		thread_join(&keeper.thread); /* it ends by itself */
	must(claim_take(f->db, CLAIM_SIZE, 3, 60000, &mine, &got, &e), &e);
	assert_false(got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			kept_claims_are_not_taken, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			lost_claims_are_not_renewed, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
