/* test_command – arguments read by a table. */
#include "../unit.h"
#include "main/command.h"

enum { NAME, LOUD, OPTIONS };

static const struct opt opts[OPTIONS] = {
	[NAME] = {"name", "TEXT", "a text"},
	[LOUD] = {"loud", NULL, "a flag"},
};

static const struct command cmd = {
	.name = "test", .args = "", .summary = "a command", .opts = opts, .nopts = OPTIONS};

struct parsed {
	const char *value[OPTIONS];
	char *argv[8];
	int argc;
	struct err e;
};

/* Reads the arguments in ${text}, which are separated by blanks. */
static bool
parse(struct parsed *p, char *text)
{
	*p = (struct parsed){0};
	for (char *arg = strtok(text, " "); arg; arg = strtok(NULL, " "))
		p->argv[p->argc++] = arg;
	return command_read(&cmd, &p->argc, p->argv, p->value, &p->e);
}

static void
options_and_arguments_mix(void **state)
{
	char text[] = "one --name Ann - --loud two";
	struct parsed p;

	(void)state;
	assert_true(parse(&p, text));
	assert_string_equal(p.value[NAME], "Ann");
	assert_string_equal(p.value[LOUD], "");
	assert_int_equal(p.argc, 3);
	assert_string_equal(p.argv[0], "one");
	assert_string_equal(p.argv[1], "-");
	assert_string_equal(p.argv[2], "two");
}

static void
values_may_be_joined_and_look_like_options(void **state)
{
	char joined[] = "--name=--loud";
	char apart[] = "--name --loud";
	struct parsed p;

	(void)state;
	assert_true(parse(&p, joined));
	assert_string_equal(p.value[NAME], "--loud");
	assert_null(p.value[LOUD]);
	assert_true(parse(&p, apart));
	assert_string_equal(p.value[NAME], "--loud");
	assert_null(p.value[LOUD]);
}

static void
two_dashes_end_the_options(void **state)
{
	char text[] = "--loud -- --name";
	struct parsed p;

	(void)state;
	assert_true(parse(&p, text));
	assert_null(p.value[NAME]);
	assert_int_equal(p.argc, 1);
	assert_string_equal(p.argv[0], "--name");
}

static void
mistakes_are_named(void **state)
{
	static const struct {
		const char *args, *message;
	} cases[] = {
		{"--nope", "test has no option --nope"},
		{"--nam x", "test has no option --nam"},
		{"--names x", "test has no option --names"},
		{"-n x", "test has no option -n"},
		{"--name", "--name needs a value: TEXT"},
		{"--loud=yes", "--loud takes no value"},
		{"--name a --name b", "--name is given twice"},
		{"--loud --loud", "--loud is given twice"},
	};
	struct parsed p;
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof text, "%s", cases[i].args);
		assert_false(parse(&p, text));
		assert_int_equal(p.e.code, ERR_INPUT);
		assert_string_equal(p.e.msg, cases[i].message);
	}
}

static void
durations_have_a_unit(void **state)
{
	static const char *const bad[] = {"", "h", "1", "0s", "-1h", "1.5h", "1w", "1h ",
		"99999999999999999999d", "1000000d"};
	int64_t s;
	struct err e;

	(void)state;
	assert_true(command_seconds("90s", &s, &e));
	assert_int_equal(s, 90);
	assert_true(command_seconds("15m", &s, &e));
	assert_int_equal(s, 900);
	assert_true(command_seconds("1h", &s, &e));
	assert_int_equal(s, 3600);
	assert_true(command_seconds("7d", &s, &e));
	assert_int_equal(s, 7 * 86400);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(command_seconds(bad[i], &s, &e));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_and_arguments_mix),
		cmocka_unit_test(values_may_be_joined_and_look_like_options),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(durations_have_a_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
