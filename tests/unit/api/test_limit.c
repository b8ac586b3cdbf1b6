/* test_limit – calls are counted per operation, platform and minute. */
#include <pthread.h>

#include "../unit.h"
#include "api/limit.h"
#include "base/err.h"
#include "base/macros.h"

#define MINUTE INT64_C(1800000000) /* begins one */

static void
counts_down_to_the_limit(void **state)
{
	struct limit *l = limit_new(2, 3);
	struct limit_state s;

	(void)state;
	for (int left = 2; left >= 0; left--) {
		assert_true(limit_take(l, 0, PLATFORM_SERVER, MINUTE + 59, &s));
		assert_int_equal(s.limit, 3);
		assert_int_equal(s.remaining, left);
		assert_int_equal(s.reset_s, MINUTE + 60);
	}
	assert_false(limit_take(l, 0, PLATFORM_SERVER, MINUTE + 59, &s));
	assert_int_equal(s.remaining, 0);
	assert_int_equal(s.reset_s, MINUTE + 60);
	/* Neither another operation nor another platform is touched. */
	assert_true(limit_take(l, 1, PLATFORM_SERVER, MINUTE, &s));
	assert_true(limit_take(l, 0, PLATFORM_WEB, MINUTE, &s));
	assert_int_equal(s.remaining, 2);
	/* The next minute is a new one; a clock that lags does not bring the old one back. */
	assert_true(limit_take(l, 0, PLATFORM_SERVER, MINUTE + 60, &s));
	assert_int_equal(s.remaining, 2);
	assert_int_equal(s.reset_s, MINUTE + 120);
	assert_true(limit_take(l, 0, PLATFORM_SERVER, MINUTE + 59, &s));
	assert_int_equal(s.remaining, 1);
	limit_free(l);
}

static void
without_counting(void **state)
{
	struct limit_state s;

	(void)state;
	assert_true(limit_take(NULL, 7, PLATFORM_WEB, MINUTE, &s));
	assert_int_equal(s.limit, LIMIT_PER_MINUTE);
	assert_int_equal(s.remaining, LIMIT_PER_MINUTE);
	limit_free(NULL);
}

static void
platforms(void **state)
{
	(void)state;
	assert_int_equal(limit_platform(true, STR("stream-chat-android-1")), PLATFORM_SERVER);
	assert_int_equal(
		limit_platform(false, STR("stream-chat-Android-6.0")), PLATFORM_ANDROID);
	assert_int_equal(
		limit_platform(false, STR("stream-chat-swift-client-v4")), PLATFORM_IOS);
	assert_int_equal(limit_platform(false, STR("stream-chat-unity-4")), PLATFORM_UNITY);
	assert_int_equal(limit_platform(false, STR("stream-chat-js-v9-browser")), PLATFORM_WEB);
	assert_int_equal(limit_platform(false, STR_NONE), PLATFORM_WEB);
}

#define EACH 20000

struct taker {
	struct limit *limit;
	int taken;
};

static void *
take_many(void *arg)
{
	struct taker *t = arg;
	struct limit_state s;

	for (int i = 0; i < EACH; i++)
		t->taken += limit_take(t->limit, 0, PLATFORM_SERVER, MINUTE, &s);
	return NULL;
}

/* However many threads ask, exactly the limit is let through. */
static void
many_threads(void **state)
{
	struct limit *l = limit_new(1, 3 * EACH);
	struct taker takers[4] = {0};
	pthread_t threads[4];
	int sum = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		takers[i].limit = l;
		assert_int_equal(pthread_create(&threads[i], NULL, take_many, &takers[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], NULL);
		sum += takers[i].taken;
	}
	assert_int_equal(sum, 3 * EACH);
	limit_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_down_to_the_limit),
		cmocka_unit_test(without_counting),
		cmocka_unit_test(platforms),
		cmocka_unit_test(many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
