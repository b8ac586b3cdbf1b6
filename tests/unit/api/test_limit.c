/* test_limit – calls are counted per operation, platform, minute, second and user. */
#include <pthread.h>

#include "../unit.h"
#include "api/limit.h"
#include "base/err.h"
#include "base/macros.h"

#define MINUTE INT64_C(1800000000) /* begins one */
#define HUGE   600000              /* what no test reaches */

/* Two routes of one operation, one that is not counted, and another operation. */
static const char *const operations[] = {"Query", "Query", NULL, "Send"};
enum { QUERY, QUERY_TOO, OPEN, SEND };

static struct limit *
make(int64_t per_minute, int64_t per_user, const char *overrides)
{
	const struct limit_opts opts = {
		operations, ARRAY_LEN(operations), per_minute, per_user, overrides};
	struct limit *l;
	struct err e;

	must(limit_new(&l, &opts, &e), &e);
	return l;
}

static enum limit_verdict
take(struct limit *l, size_t route, enum platform p, const char *user, int64_t now_s,
	struct limit_state *out)
{
	const struct limit_call call = {route, p, str_of(user), now_s};

	return limit_take(l, &call, out);
}

static void
assert_state(const struct limit_state *s, int64_t limit, int64_t remaining, int64_t reset_s)
{
	assert_int_equal(s->limit, limit);
	assert_int_equal(s->remaining, remaining);
	assert_int_equal(s->reset_s, reset_s);
}

/* Of 90 a minute a second takes 3. */
static void
counts_down_to_the_limit(void **state)
{
	struct limit *l = make(90, 0, "");
	struct limit_state s;

	(void)state;
	for (int i = 0; i < 90; i++) {
		assert_int_equal(
			take(l, QUERY, PLATFORM_SERVER, NULL, MINUTE + i / 3, &s), LIMIT_OK);
		assert_state(&s, 90, 89 - i, MINUTE + 60);
	}
	assert_int_equal(take(l, QUERY, PLATFORM_SERVER, NULL, MINUTE + 59, &s), LIMIT_MINUTE);
	assert_state(&s, 90, 0, MINUTE + 60);
	/* Another route of the same operation is as full; neither another operation nor another
	 * platform is touched. */
	assert_int_equal(
		take(l, QUERY_TOO, PLATFORM_SERVER, NULL, MINUTE + 58, &s), LIMIT_MINUTE);
	assert_int_equal(take(l, SEND, PLATFORM_SERVER, NULL, MINUTE, &s), LIMIT_OK);
	assert_int_equal(take(l, QUERY, PLATFORM_WEB, NULL, MINUTE, &s), LIMIT_OK);
	assert_state(&s, 90, 89, MINUTE + 60);
	/* The next minute is a new one; a clock that lags does not bring the old one back. */
	assert_int_equal(take(l, QUERY, PLATFORM_SERVER, NULL, MINUTE + 60, &s), LIMIT_OK);
	assert_state(&s, 90, 89, MINUTE + 120);
	assert_int_equal(take(l, QUERY, PLATFORM_SERVER, NULL, MINUTE + 59, &s), LIMIT_OK);
	assert_int_equal(s.remaining, 88);
	limit_free(l);
}

/* A refusal by the second is told as such, and takes nothing from the minute. */
static void
a_second_takes_a_thirtieth(void **state)
{
	struct limit *l = make(61, 0, "");
	struct limit_state s;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(take(l, SEND, PLATFORM_IOS, NULL, MINUTE + 7, &s), LIMIT_OK);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(
			take(l, SEND, PLATFORM_IOS, NULL, MINUTE + 7, &s), LIMIT_SECOND);
		assert_state(&s, 3, 0, MINUTE + 8);
	}
	assert_int_equal(take(l, SEND, PLATFORM_IOS, NULL, MINUTE + 8, &s), LIMIT_OK);
	assert_state(&s, 61, 57, MINUTE + 60);
	limit_free(l);
	/* However few there are, one a second passes. */
	l = make(2, 0, "");
	assert_int_equal(take(l, SEND, PLATFORM_IOS, NULL, MINUTE, &s), LIMIT_OK);
	assert_int_equal(take(l, SEND, PLATFORM_IOS, NULL, MINUTE, &s), LIMIT_SECOND);
	assert_int_equal(take(l, SEND, PLATFORM_IOS, NULL, MINUTE + 1, &s), LIMIT_OK);
	assert_int_equal(take(l, SEND, PLATFORM_IOS, NULL, MINUTE + 2, &s), LIMIT_MINUTE);
	limit_free(l);
}

static void
users_have_a_limit_of_their_own(void **state)
{
	struct limit *l = make(HUGE, 2, "");
	struct limit_state s;

	(void)state;
	assert_int_equal(take(l, QUERY, PLATFORM_WEB, "bob", MINUTE, &s), LIMIT_OK);
	assert_state(&s, 2, 1, MINUTE + 60);
	assert_int_equal(take(l, QUERY_TOO, PLATFORM_IOS, "bob", MINUTE, &s), LIMIT_OK);
	assert_int_equal(take(l, QUERY, PLATFORM_WEB, "bob", MINUTE + 59, &s), LIMIT_USER);
	assert_state(&s, 2, 0, MINUTE + 60);
	/* Other users, other operations and the server are free. */
	assert_int_equal(take(l, QUERY, PLATFORM_WEB, "bo", MINUTE, &s), LIMIT_OK);
	assert_int_equal(take(l, SEND, PLATFORM_WEB, "bob", MINUTE, &s), LIMIT_OK);
	for (int i = 0; i < 5; i++)
		assert_int_equal(take(l, QUERY, PLATFORM_SERVER, NULL, MINUTE, &s), LIMIT_OK);
	assert_state(&s, HUGE, HUGE - 5, MINUTE + 60);
	assert_int_equal(take(l, QUERY, PLATFORM_WEB, "bob", MINUTE + 60, &s), LIMIT_OK);
	limit_free(l);
	/* What the platform has left is shown when it is less. */
	l = make(30, 100, "");
	assert_int_equal(take(l, QUERY, PLATFORM_WEB, "bob", MINUTE, &s), LIMIT_OK);
	assert_state(&s, 30, 29, MINUTE + 60);
	limit_free(l);
}

static void
overrides(void **state)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{"Nope:5", "no operation is named \"Nope\""},
		{"Query", "expected OPERATION:CALLS"},
		{"Query:", "got \"Query:\""},
		{"Query:0", "1 to 1000000000"},
		{"Query:-1", "1 to 1000000000"},
		{"Query:1000000001", "1 to 1000000000"},
		{"Query:5x", "got \"Query:5x\""},
		{"Query:5,", "no operation is named \"\""},
		{"Query:5,,Send:3", "no operation is named \"\""},
	};
	struct limit *l = make(HUGE, 0, " Send : 60 ,Query:300");
	struct limit_state s;
	struct err e;

	(void)state;
	assert_int_equal(take(l, SEND, PLATFORM_SERVER, NULL, MINUTE, &s), LIMIT_OK);
	assert_int_equal(s.limit, 60);
	assert_int_equal(take(l, QUERY_TOO, PLATFORM_SERVER, NULL, MINUTE, &s), LIMIT_OK);
	assert_int_equal(s.limit, 300);
	limit_free(l);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct limit_opts opts = {
			operations, ARRAY_LEN(operations), HUGE, 0, bad[i].text};

		must_fail(limit_new(&l, &opts, &e), &e, ERR_INPUT, bad[i].message);
	}
}

static void
looking_counts_nothing(void **state)
{
	const struct limit_call send = {SEND, PLATFORM_UNITY, STR_NONE, MINUTE + 1};
	struct limit *l = make(HUGE, 5, "Send:60");
	struct limit_state s;
	size_t at;

	(void)state;
	take(l, SEND, PLATFORM_UNITY, "bob", MINUTE, &s);
	for (int i = 0; i < 3; i++) {
		limit_look(l, &send, &s);
		assert_state(&s, 60, 59, MINUTE + 60);
	}
	assert_true(limit_find(l, STR("Send"), &at));
	limit_look_at(l, at, PLATFORM_UNITY, MINUTE, &s);
	assert_state(&s, 60, 59, MINUTE + 60);
	limit_look_at(l, at, PLATFORM_UNITY, MINUTE + 60, &s);
	assert_state(&s, 60, 60, MINUTE + 120);
	assert_false(limit_find(l, STR("Sen"), &at));
	/* Each operation is listed once, the open route never. */
	assert_string_equal(limit_operation(l, 0), "Query");
	assert_string_equal(limit_operation(l, 1), "Send");
	assert_null(limit_operation(l, 2));
	limit_untouched(l, MINUTE, &s);
	assert_state(&s, HUGE, HUGE, MINUTE + 60);
	limit_free(l);
}

static void
without_counting(void **state)
{
	const struct limit_call call = {7, PLATFORM_WEB, STR_NONE, MINUTE};
	struct limit_state s;

	(void)state;
	assert_int_equal(limit_take(NULL, &call, &s), LIMIT_OK);
	assert_state(&s, LIMIT_PER_MINUTE, LIMIT_PER_MINUTE, MINUTE + 60);
	limit_look(NULL, &call, &s);
	assert_state(&s, LIMIT_PER_MINUTE, LIMIT_PER_MINUTE, MINUTE + 60);
	assert_null(limit_operation(NULL, 0));
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
	const char *user;
	int taken;
};

static void *
take_many(void *arg)
{
	struct taker *t = arg;
	struct limit_state s;

	for (int i = 0; i < EACH; i++)
		t->taken +=
			take(t->limit, QUERY, PLATFORM_SERVER, t->user, MINUTE, &s) == LIMIT_OK;
	return NULL;
}

static void
assert_let_through(int64_t per_minute, int64_t per_user, const char *user, int expected)
{
	struct limit *l = make(per_minute, per_user, "");
	struct taker takers[4] = {0};
	pthread_t threads[4];
	int sum = 0;

	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		takers[i].limit = l;
		takers[i].user = user;
		assert_int_equal(pthread_create(&threads[i], NULL, take_many, &takers[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], NULL);
		sum += takers[i].taken;
	}
	assert_int_equal(sum, expected);
	limit_free(l);
}

/* However many threads ask, exactly the limit is let through. */
static void
many_threads(void **state)
{
	(void)state;
	assert_let_through(30 * 3 * EACH, 0, NULL, 3 * EACH);
	assert_let_through(30 * 4 * EACH, 3 * EACH, "bob", 3 * EACH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_down_to_the_limit),
		cmocka_unit_test(a_second_takes_a_thirtieth),
		cmocka_unit_test(users_have_a_limit_of_their_own),
		cmocka_unit_test(overrides),
		cmocka_unit_test(looking_counts_nothing),
		cmocka_unit_test(without_counting),
		cmocka_unit_test(platforms),
		cmocka_unit_test(many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
