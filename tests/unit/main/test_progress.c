/* test_progress – the progress line, and when it is printed. */
#include "../unit.h"
#include "main/progress.h"

#define SECOND INT64_C(1000000)

static void
line_has_share_rate_and_time_left(void **state)
{
	struct progress p = {
		.what = "sending", .unit = "messages", .rate = 104000, .pace = 0.25};
	char line[PROGRESS_LINE_MAX];

	(void)state;
	progress_line(&p, 30000, 0.5, 80, line);
	assert_string_equal(line, "sending  [==========>           ]  50%  30,000 messages  "
				  "104,000/s  2.00 s left");
	assert_true(strlen(line) < 80);
}

static void
line_without_a_whole_has_no_bar(void **state)
{
	struct progress p = {.what = "importing", .unit = "users", .rate = 1000};
	char line[PROGRESS_LINE_MAX];

	(void)state;
	progress_line(&p, 2500, -1, 80, line);
	assert_string_equal(line, "importing  2,500 users  1,000/s");
}

/* A line that wraps cannot be wiped. */
static void
line_never_exceeds_the_terminal(void **state)
{
	struct progress p = {
		.what = "importing", .unit = "users", .rate = 123456, .pace = 0.001};
	char line[PROGRESS_LINE_MAX];

	(void)state;
	for (int columns = 1; columns < 400; columns++) {
		progress_line(&p, INT64_MAX, 0.333, columns, line);
		assert_true(strlen(line) < (size_t)columns);
	}
}

static void
bar_is_empty_at_first_and_full_at_last(void **state)
{
	struct progress p = {.what = "w", .unit = "u"};
	char line[PROGRESS_LINE_MAX];

	(void)state;
	progress_line(&p, 0, 0, 30, line);
	assert_string_equal(line, "w  [              ]   0%  0 u");
	progress_line(&p, 9, 1, 30, line);
	assert_string_equal(line, "w  [==============] 100%  9 u");
	progress_line(&p, 9, 1.5, 30, line);
	assert_string_equal(line, "w  [==============] 100%  9 u");
}

/* Not on a terminal: one plain line a second, none for what ends sooner. */
static void
plain_lines_come_once_a_second(void **state)
{
	char *printed = NULL;
	size_t n = 0;
	FILE *f = tmpfile();
	FILE *copy;
	struct progress p;
	char line[256];
	int lines = 0;

	(void)state;
	assert_non_null(f);
	progress_init(&p, f, "sending", "messages", 0);
	assert_false(p.live);
	for (int64_t t = 0; t <= 3 * SECOND; t += SECOND / 10)
		progress_update(&p, t / 1000, (double)t / (6 * SECOND), t);
	progress_end(&p);
	rewind(f);
	copy = open_memstream(&printed, &n);
	while (fgets(line, sizeof line, f)) {
		fputs(line, copy);
		lines++;
	}
	fclose(copy);
	fclose(f);
	assert_int_equal(lines, 3);
	assert_null(strchr(printed, '\r'));
	assert_non_null(
		strstr(printed, "sending   50%  3,000 messages  1,000/s  3.00 s left\n"));
	free(printed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_has_share_rate_and_time_left),
		cmocka_unit_test(line_without_a_whole_has_no_bar),
		cmocka_unit_test(line_never_exceeds_the_terminal),
		cmocka_unit_test(bar_is_empty_at_first_and_full_at_last),
		cmocka_unit_test(plain_lines_come_once_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
