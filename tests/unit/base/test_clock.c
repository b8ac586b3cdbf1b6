/* test_clock – RFC 3339 both ways, against the C library's calendar. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "support.h"

#define S INT64_C(1000000)

static void
known_times(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01T00:00:00.5Z", S / 2},
		{"1969-12-31T23:59:59.999999Z", -1},
		{"2027-01-01T00:00:00Z", 1798761600 * S},
		/* api.md, Appendix C: nanoseconds are cut to microseconds. */
		{"2027-01-01T00:00:00.123456789Z", 1798761600 * S + 123456},
		{"2027-01-01t00:00:00.1234567899999999z", 1798761600 * S + 123456},
		{"2027-01-01 00:00:00.1Z", 1798761600 * S + 100000},
		{"2027-01-01T00:00:00+00:00", 1798761600 * S},
		{"2027-01-01T00:00:00-00:00", 1798761600 * S},
		{"2027-01-01T05:30:00+05:30", 1798761600 * S},
		{"2026-12-31T16:00:00.000001-08:00", 1798761600 * S + 1},
		{"2027-01-01T23:59:00+23:59", 1798761600 * S},
		{"2000-02-29T12:00:00Z", 951825600 * S},
		{"2024-02-29T00:00:00Z", 1709164800 * S},
		{"2016-12-31T23:59:60Z", 1483228800 * S}, /* a leap second */
		{"2017-01-01T00:59:60.25+01:00", 1483228800 * S + S / 4},
		{"0001-01-01T00:00:00Z", -62135596800 * S},
		{"9999-12-31T23:59:59.999999Z", 253402300799 * S + 999999},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t us = NO_TIME;

		if (!clock_from_rfc3339(str_of(cases[i].text), &us) || us != cases[i].us)
			fail_msg("%s: %lld", cases[i].text, (long long)us);
	}
}

static void
impossible_texts_are_refused(void **state)
{
	static const char *const bad[] = {"", "Z", "2027", "2027-01-01", "2027-01-01T00:00:00",
		"2027-01-01T00:00Z", "2027-01-01T00:00:00.Z", "2027-01-01T00:00:00,5Z",
		"2027-01-01T00:00:00ZZ", "2027-01-01T00:00:00 Z", "2027-01-01T00:00:00+0100",
		"2027-01-01T00:00:00+01", "2027-01-01T00:00:00+24:00",
		"2027-01-01T00:00:00+01:60", "2027-01-01T00:00:00+1:000",
		"2027-01-01X00:00:00Z", "2027/01/01T00:00:00Z", "2027-1-01T00:00:00ZZ",
		"2027-00-01T00:00:00Z", "2027-13-01T00:00:00Z", "2027-01-00T00:00:00Z",
		"2027-01-32T00:00:00Z", "2027-04-31T00:00:00Z", "2027-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2024-02-30T00:00:00Z",
		"2027-01-01T24:00:00Z", "2027-01-01T00:60:00Z", "2027-01-01T00:00:61Z",
		"2027-01-01T12:00:60Z", "2016-12-31T23:59:60+01:00", "0000-01-01T00:00:00Z",
		"0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
		"9999-12-31T23:59:60Z", "+027-01-01T00:00:00Z", "2027-01-01T00:00:0 Z",
		"2024-23-02 00:00:00Z", " 2027-01-01T00:00:00Z"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t us = 7;

		if (clock_from_rfc3339(str_of(bad[i]), &us))
			fail_msg("accepted %s", bad[i]);
		assert_int_equal(us, 7);
	}
	assert_false(clock_from_rfc3339(STR_NONE, &(int64_t){0}));
	assert_false(clock_from_rfc3339(STR("2027-01-01T00:00:00\0"), &(int64_t){0}));
}

/* Every day of four centuries and a random instant in it. */
static void
agrees_with_the_c_library(void **state)
{
	uint64_t seed = 4;

	(void)state;
	for (int64_t day = -719162; day <= 2932896;
		day += 1 + (int64_t)random_below(&seed, 20)) {
		int64_t us = day * 86400 * S + (int64_t)random_below(&seed, 86400 * (size_t)S);
		time_t s = (time_t)(us >= 0 ? us / S : -((-us + S - 1) / S));
		char got[CLOCK_RFC3339_LEN], expected[64];
		struct tm tm;
		int64_t back;

		gmtime_r(&s, &tm);
		snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
			tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			tm.tm_sec, (int)(us - (int64_t)s * S));
		clock_to_rfc3339(us, got);
		assert_memory_equal(got, expected, CLOCK_RFC3339_LEN);
		assert_true(clock_from_rfc3339((struct str){got, sizeof(got)}, &back));
		assert_int_equal(back, us);
	}
}

static void
times_out_of_range_print_as_the_nearest(void **state)
{
	char out[CLOCK_RFC3339_LEN];

	(void)state;
	clock_to_rfc3339(NO_TIME, out);
	assert_memory_equal(out, "0001-01-01T00:00:00.000000Z", sizeof(out));
	clock_to_rfc3339(INT64_MAX, out);
	assert_memory_equal(out, "9999-12-31T23:59:59.999999Z", sizeof(out));
}

static void
clocks_advance(void **state)
{
	int64_t wall = clock_now_us();
	int64_t mono = clock_mono_us();

	(void)state;
	assert_true(wall > 1700000000 * S);
	assert_true(wall / S - (int64_t)time(NULL) <= 1);
	for (int i = 0; i < 1000; i++) {
		int64_t next = clock_mono_us();

		assert_true(next >= mono);
		mono = next;
	}
}

static void
months(void **state)
{
	static const struct {
		const char *text;
		int64_t month;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 1970 * 12},
		{"1969-12-31T23:59:59.999999Z", 1969 * 12 + 11},
		{"2024-02-29T23:59:59.999999Z", 2024 * 12 + 1},
		{"2024-03-01T00:00:00Z", 2024 * 12 + 2},
		{"2026-12-31T23:59:59.999999Z", 2026 * 12 + 11},
		{"2027-01-01T00:00:00Z", 2027 * 12},
		{"2027-01-01T00:30:00+01:00", 2026 * 12 + 11},
		{"0001-01-01T00:00:00Z", 12},
		{"9999-12-31T23:59:59Z", 9999 * 12 + 11},
	};
	int64_t us;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(clock_from_rfc3339(str_of(cases[i].text), &us));
		assert_int_equal(clock_month(us), cases[i].month);
	}
	/* Each month begins where the one before ends. */
	for (int64_t month = 1600 * 12; month < 2400 * 12; month++) {
		assert_int_equal(clock_month(clock_month_begin(month)), month);
		assert_int_equal(clock_month(clock_month_begin(month) - 1), month - 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_times),
		cmocka_unit_test(impossible_texts_are_refused),
		cmocka_unit_test(agrees_with_the_c_library),
		cmocka_unit_test(times_out_of_range_print_as_the_nearest),
		cmocka_unit_test(months),
		cmocka_unit_test(clocks_advance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
