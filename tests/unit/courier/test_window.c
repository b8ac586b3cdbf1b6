/* test_window – attempts under way: slowly more, quickly fewer, then probes; and when what has
 * failed is tried again (courier/window.h, courier/ladder.h). */
#include "../unit.h"
#include "base/clock.h"
#include "courier/ladder.h"
#include "courier/window.h"

#define SECOND INT64_C(1000000)

static void
end_one(struct window *w, enum sign sign, int64_t now)
{
	window_end(w, window_begin(w), sign, now);
}

static void
opens_by_one_with_each_window(void **state)
{
	struct window w;
	unsigned before;

	(void)state;
	window_init(&w, 8);
	while (w.width < 8) {
		before = w.width;
		for (unsigned i = 0; i < before; i++) {
			assert_int_equal(w.width, before);
			end_one(&w, SIGN_GOOD, 0);
		}
		assert_int_equal(w.width, before + 1);
	}
	for (int i = 0; i < 100; i++)
		end_one(&w, SIGN_GOOD, 0);
	assert_int_equal(w.width, 8);
	for (int i = 0; i < 8; i++) {
		assert_true(window_admits(&w, 0));
		window_begin(&w);
	}
	assert_false(window_admits(&w, 0));
	assert_int_equal(window_opens(&w, 0), INT64_MAX);
	window_cancel(&w);
	assert_true(window_admits(&w, 0));
}

/* Those that were under way together are one failure. */
static void
is_halved_once_for_all_that_fail_together(void **state)
{
	struct window w;
	uint64_t under_way[16];

	(void)state;
	window_init(&w, 64);
	while (w.width < 16)
		end_one(&w, SIGN_GOOD, 0);
	for (int i = 0; i < 16; i++)
		under_way[i] = window_begin(&w);
	for (int i = 0; i < 8; i++)
		window_end(&w, under_way[i], SIGN_BAD, 0);
	assert_int_equal(w.width, 8);
	for (int i = 8; i < 16; i++)
		window_end(&w, under_way[i], SIGN_GOOD, 0);
	end_one(&w, SIGN_BAD, 0);
	assert_int_equal(w.width, 4);
}

static void
is_shut_by_a_series_and_opened_by_a_probe(void **state)
{
	int64_t now = 0, opens, pause = 0;
	struct window w;

	(void)state;
	window_init(&w, 64);
	for (int i = 0; i < 19; i++)
		end_one(&w, SIGN_BAD, now);
	assert_int_equal(w.width, 2);
	end_one(&w, SIGN_BAD, now);
	assert_int_equal(w.width, 0);
	for (int i = 0; i < 12; i++) {
		assert_false(window_admits(&w, now));
		opens = window_opens(&w, now);
		assert_true(opens - now >= pause / 2 && opens - now <= 75 * SECOND);
		pause = opens - now;
		now = opens;
		assert_true(window_admits(&w, now));
		window_begin(&w);
		assert_false(window_admits(&w, now)); /* a probe at a time */
		window_end(&w, w.begun, i % 2 ? SIGN_BAD : SIGN_SILENT, now);
	}
	assert_true(pause >= 45 * SECOND);
	now = window_opens(&w, now);
	end_one(&w, SIGN_GOOD, now);
	assert_int_equal(w.width, 2);
	assert_true(window_admits(&w, now));
}

static void
silence_counts_more_and_a_success_forgives(void **state)
{
	struct window w;

	(void)state;
	window_init(&w, 64);
	for (int i = 0; i < 5; i++)
		end_one(&w, SIGN_SILENT, 0);
	assert_int_equal(w.width, 0);
	window_init(&w, 64);
	for (int i = 0; i < 100; i++) {
		end_one(&w, SIGN_BAD, 0);
		end_one(&w, SIGN_GOOD, 0);
	}
	assert_true(w.width > 0);
	/* An endpoint that fails half of the time is not shut out. */
	window_hold(&w, 5 * SECOND);
	assert_false(window_admits(&w, 4 * SECOND));
	assert_true(window_admits(&w, 5 * SECOND));
}

/* ---- the ladder -------------------------------------------------------------------------- */

static void
between(int64_t at, int64_t now, int64_t pause)
{
	assert_true(at >= now + pause * 3 / 4 && at <= now + pause * 5 / 4);
}

static void
first_attempts_then_steps_then_never(void **state)
{
	const int64_t t = 1000 * SECOND;
	struct ladder l;
	struct err e;

	(void)state;
	must(ladder_read(&l, "5, 30,120.5", 3600, &e), &e);
	assert_int_equal(l.n, 3);
	assert_int_equal(l.steps[2], 120500000);
	between(ladder_next(&l, t, 1, true, 0, t), t, SECOND / 2);
	between(ladder_next(&l, t, 2, true, 0, t + SECOND), t + SECOND, SECOND);
	between(ladder_next(&l, t, 3, true, 0, t + SECOND), t + SECOND, 5 * SECOND);
	between(ladder_next(&l, t, 4, true, 0, t + SECOND), t + SECOND, 30 * SECOND);
	between(ladder_next(&l, t, 5, true, 0, t + SECOND), t + SECOND, l.steps[2]);
	between(ladder_next(&l, t, 50, true, 0, t + SECOND), t + SECOND, l.steps[2]);
	/* Two where nobody was reached. */
	between(ladder_next(&l, t, 1, false, 0, t), t, SECOND / 2);
	between(ladder_next(&l, t, 2, false, 0, t), t, 5 * SECOND);
	/* What took too long has had its first attempts. */
	between(ladder_next(&l, t, 2, true, 0, t + 15 * SECOND), t + 15 * SECOND, 5 * SECOND);
	assert_int_equal(ladder_next(&l, t, 9, true, 0, t + 3600 * SECOND), NO_TIME);
}

static void
a_pause_that_is_asked_for_is_given_within_limits(void **state)
{
	const int64_t t = 1000 * SECOND;
	struct ladder l;
	struct err e;

	(void)state;
	must(ladder_read(&l, "5,30", 3600, &e), &e);
	assert_int_equal(ladder_next(&l, t, 1, true, 20 * SECOND, t), t + 20 * SECOND);
	assert_int_equal(ladder_next(&l, t, 1, true, INT64_MAX / 2, t), t + 30 * SECOND);
	must(ladder_read(&l, "5,86400", 3600, &e), &e);
	assert_int_equal(ladder_cap(&l, INT64_MAX / 2), 3600 * SECOND);
}

static void
the_third_attempt_ends_within_15_seconds(void **state)
{
	const int64_t t = 1000 * SECOND;

	(void)state;
	assert_int_equal(ladder_timeout_ms(t, 1, 6000, t), 6000);
	assert_int_equal(ladder_timeout_ms(t, 3, 6000, t + 13 * SECOND), 2000);
	assert_int_equal(ladder_timeout_ms(t, 3, 6000, t + 14900000), 1000);
	assert_int_equal(ladder_timeout_ms(t, 4, 6000, t + 14 * SECOND), 6000);
	assert_int_equal(ladder_timeout_ms(t, 2, 6000, t + 60 * SECOND), 6000);
}

static void
ladders_that_are_none(void **state)
{
	static const char *const wrong[] = {"", "x", "1,", ",1", "0", "-1", "1;2", "0.0000001",
		"1.", "2592001",
		"1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"};
	struct ladder l;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		bool ok = ladder_read(&l, wrong[i], 1, &e);

		if (ok && strcmp(wrong[i], "1.") == 0)
			continue; /* a second */
		must_fail(ok, &e, ERR_INPUT, "retry_ladder");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_by_one_with_each_window),
		cmocka_unit_test(is_halved_once_for_all_that_fail_together),
		cmocka_unit_test(is_shut_by_a_series_and_opened_by_a_probe),
		cmocka_unit_test(silence_counts_more_and_a_success_forgives),
		cmocka_unit_test(first_attempts_then_steps_then_never),
		cmocka_unit_test(a_pause_that_is_asked_for_is_given_within_limits),
		cmocka_unit_test(the_third_attempt_ends_within_15_seconds),
		cmocka_unit_test(ladders_that_are_none),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
