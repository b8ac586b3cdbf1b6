/* test_text – numbers, times and foreign text for people. */
#include "../unit.h"
#include "main/text.h"

#define SECOND INT64_C(1000000)

static void
counts_are_grouped(void **state)
{
	static const struct {
		int64_t n;
		const char *text;
	} cases[] = {
		{0, "0"},
		{7, "7"},
		{999, "999"},
		{1000, "1,000"},
		{60000, "60,000"},
		{123456, "123,456"},
		{1234567, "1,234,567"},
		{-5, "-5"},
		{-123, "-123"},
		{-1234, "-1,234"},
		{INT64_MAX, "9,223,372,036,854,775,807"},
		{INT64_MIN, "-9,223,372,036,854,775,808"},
	};
	char out[TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(text_count(cases[i].n, out), cases[i].text);
}

static void
spans_fit_their_size(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
		{0, "0.00 s"},
		{412345, "0.41 s"},
		{9990000, "9.99 s"},
		{12300000, "12.3 s"},
		{125 * SECOND, "2:05 min"},
		{3599 * SECOND, "59:59 min"},
		{3725 * SECOND, "1:02:05 h"},
		{100 * 3600 * SECOND, "100:00:00 h"},
	};
	char out[TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(text_span(cases[i].us, out), cases[i].text);
}

/* I-27: text of users cannot steer what reads our output. */
static void
controls_are_disarmed(void **state)
{
	char *printed = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&printed, &n);

	(void)state;
	assert_non_null(f);
	text_print(f,
		STR("a\x1b[2Jb\rc\x7f \xc2\x9b"
		    "31m\xc3\xa9\nnext"),
		"  ");
	fclose(f);
	assert_string_equal(printed, "a?[2Jb?c? ?31m\xc3\xa9\n  next");
	free(printed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_grouped),
		cmocka_unit_test(spans_fit_their_size),
		cmocka_unit_test(controls_are_disarmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
