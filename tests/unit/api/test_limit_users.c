/* test_limit_users – a table that never grows: exact while it has room, looser when it has not.
 */
#include "../unit.h"
#include "api/limit_users.h"
#include "base/macros.h"

#define MINUTE INT64_C(1800000000)
#define MAX    5

static bool
take(struct limit_users *t, const char *user, size_t operation, int64_t now_s, int64_t *calls)
{
	return limit_users_take(t, str_of(user), operation, MAX, now_s, calls);
}

static void
counts_each_user_and_operation(void **state)
{
	struct limit_users *t = limit_users_new();
	int64_t calls;

	(void)state;
	for (int64_t i = 1; i <= MAX; i++) {
		assert_true(take(t, "bob", 0, MINUTE, &calls));
		assert_int_equal(calls, i);
	}
	assert_false(take(t, "bob", 0, MINUTE + 59, &calls));
	assert_int_equal(calls, MAX);
	assert_true(take(t, "bob", 1, MINUTE, &calls));
	assert_int_equal(calls, 1);
	assert_true(take(t, "ann", 0, MINUTE, &calls));
	assert_int_equal(calls, 1);
	/* A clock that lags does not bring an old minute back. */
	assert_true(take(t, "bob", 0, MINUTE + 60, &calls));
	assert_int_equal(calls, 1);
	assert_true(take(t, "bob", 0, MINUTE + 59, &calls));
	assert_int_equal(calls, 2);
	/* Nor is one of years ago mistaken for today's. */
	assert_true(take(t, "bob", 0, MINUTE + INT64_C(60) * 1000000, &calls));
	assert_int_equal(calls, 1);
	limit_users_free(t);
	limit_users_free(NULL);
}

/* Thousands of users are told apart, whatever their ids. */
static void
many_users(void **state)
{
	enum { USERS = 20000 };
	struct limit_users *t = limit_users_new();
	int64_t calls;
	size_t forgotten = 0;

	(void)state;
	for (int round = 1; round <= 2; round++) {
		for (int i = 0; i < USERS; i++) {
			char id[32];

			snprintf(id, sizeof(id), "user-%d", i);
			assert_true(take(t, id, 3, MINUTE, &calls));
			assert_in_range(calls, 1, round);
			forgotten += calls != round;
		}
	}
	/* 20,000 in 131,072 places: hardly a set has more than 8 of them. */
	assert_in_range(forgotten, 0, USERS / 1000);
	limit_users_free(t);
}

/* A million users in one minute: who calls most is remembered, and the others pass. */
static void
more_users_than_places(void **state)
{
	enum { USERS = 1000000 };
	struct limit_users *t = limit_users_new();
	int64_t calls, mistaken = 0;

	(void)state;
	for (int64_t i = 1; i <= MAX; i++)
		assert_true(take(t, "runs-wild", 0, MINUTE, &calls));
	for (int i = 0; i < USERS; i++) {
		char id[32];

		snprintf(id, sizeof(id), "%d", i);
		mistaken += !take(t, id, 0, MINUTE, &calls) || calls != 1;
	}
	assert_in_range(mistaken, 0, 2);
	assert_false(take(t, "runs-wild", 0, MINUTE, &calls));
	limit_users_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_each_user_and_operation),
		cmocka_unit_test(many_users),
		cmocka_unit_test(more_users_than_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
