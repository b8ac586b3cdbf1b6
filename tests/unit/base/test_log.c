/* test_log – one line per fact whatever the text (I-27), levels, and the way out. */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "support.h"

#define WRITERS          4
#define LINES_PER_WRITER 500

/* Standard error goes to a file between begin and end. */
struct capture {
	FILE *file;
	int saved;
	char *text;
	size_t n;
};

static void
capture_begin(struct capture *c)
{
	c->file = tmpfile();
	assert_non_null(c->file);
	c->saved = dup(STDERR_FILENO);
	/* Appending, as for a real log: writers do not share a position otherwise. */
	fcntl(fileno(c->file), F_SETFL, O_APPEND);
	dup2(fileno(c->file), STDERR_FILENO);
}

static void
capture_end(struct capture *c)
{
	long size;

	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	fseek(c->file, 0, SEEK_END);
	size = ftell(c->file);
	rewind(c->file);
	c->text = malloc((size_t)size + 1);
	assert_non_null(c->text);
	c->n = fread(c->text, 1, (size_t)size, c->file);
	c->text[c->n] = '\0';
	fclose(c->file);
}

/* The message of a captured single line: behind time and level. */
static const char *
message_of(struct capture *c, const char *level)
{
	int64_t us;
	char *p = c->text + CLOCK_RFC3339_LEN;

	assert_true(c->n > CLOCK_RFC3339_LEN);
	assert_true(clock_from_rfc3339((struct str){c->text, CLOCK_RFC3339_LEN}, &us));
	assert_int_equal(*p++, ' ');
	assert_memory_equal(p, level, strlen(level));
	p += strlen(level);
	assert_int_equal(*p++, ' ');
	assert_ptr_equal(strchr(p, '\n'), c->text + c->n - 1);
	c->text[c->n - 1] = '\0';
	return p;
}

static void
text_cannot_forge_a_line(void **state)
{
	static const struct {
		const char *text, *logged;
	} cases[] = {
		{"plain text, key=value", "plain text, key=value"},
		{"a\n2027-01-01T00:00:00Z error forged",
			"a\\n2027-01-01T00:00:00Z error forged"},
		{"tab\tcr\rend", "tab\\tcr\\rend"},
		{"\x1b[31mred\x07", "\\x1b[31mred\\x07"},
		{"\xc2\x9b"
		 "31m",
			"\\x9b31m"}, /* CSI as a C1 control */
		{"back\\slash", "back\\\\slash"},
		{"\x7f", "\\x7f"},
		{"bad \xff\xc3", "bad \\xff\\xc3"},
		{"Grüße 🎉", "Grüße 🎉"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct capture c;

		capture_begin(&c);
		log_info("%s", cases[i].text);
		capture_end(&c);
		assert_string_equal(message_of(&c, "info"), cases[i].logged);
		free(c.text);
	}
}

static void
long_lines_are_cut_and_stay_atomic(void **state)
{
	static const char *const pieces[] = {"x", "\x01", "ü", "🎉"};
	char text[3 * PIPE_BUF];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		size_t n = 0;
		struct capture c;
		const char *m;

		for (; n + 5 < sizeof(text); n += strlen(pieces[i]))
			strcpy(text + n, pieces[i]);
		capture_begin(&c);
		log_warn("%s", text);
		capture_end(&c);
		assert_true(c.n <= PIPE_BUF && c.n > PIPE_BUF - 16);
		m = message_of(&c, "warn");
		assert_true(str_utf8_valid(str_of(m)));
		assert_true(str_ends(str_of(m), STR("...")));
		free(c.text);
	}
}

static void
levels_below_the_minimum_are_silent(void **state)
{
	struct capture c;

	(void)state;
	capture_begin(&c);
	log_debug("one");
	log_set_level(LOG_ERROR);
	log_warn("two");
	log_error("three");
	log_set_level(LOG_INFO);
	capture_end(&c);
	assert_string_equal(message_of(&c, "error"), "three");
	free(c.text);
}

static void
levels_have_names(void **state)
{
	enum log_level level = LOG_WARN;

	(void)state;
	assert_true(log_parse_level("debug", &level) && level == LOG_DEBUG);
	assert_true(log_parse_level("error", &level) && level == LOG_ERROR);
	assert_false(log_parse_level("Error", &level));
	assert_false(log_parse_level("", &level));
	assert_int_equal(level, LOG_ERROR);
}

static void *
write_many(void *arg)
{
	char pattern[200];

	memset(pattern, *(const char *)arg, sizeof(pattern) - 1);
	pattern[sizeof(pattern) - 1] = '\0';
	for (int i = 0; i < LINES_PER_WRITER; i++)
		log_info("%s", pattern);
	return NULL;
}

static void
lines_of_threads_do_not_mix(void **state)
{
	char names[] = "abcd";
	pthread_t writers[WRITERS];
	size_t lines = 0;
	struct capture c;

	(void)state;
	capture_begin(&c);
	for (size_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_many, &names[i]), 0);
	for (size_t i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	capture_end(&c);
	for (char *line = strtok(c.text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
		const char *m = line + CLOCK_RFC3339_LEN + strlen(" info ");

		assert_int_equal(strlen(m), 199);
		assert_int_equal(strspn(m, (char[]){m[0], '\0'}), 199);
	}
	assert_int_equal(lines, WRITERS * LINES_PER_WRITER);
	free(c.text);
}

static void
panic_now(void)
{
	panic("queue length %d below zero", -1);
}

static void
panic_aborts(void **state)
{
	(void)state;
	assert_true(dies(panic_now));
}

static void
panic_tells_what_and_where(void **state)
{
	struct capture c;
	int status;
	pid_t pid;

	(void)state;
	capture_begin(&c);
	pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		signal(SIGABRT, SIG_DFL);
		panic_now();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	capture_end(&c);
	assert_non_null(strstr(c.text, " panic queue length -1 below zero\n"));
	assert_non_null(strstr(c.text, "[0x"));
	free(c.text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_cannot_forge_a_line),
		cmocka_unit_test(long_lines_are_cut_and_stay_atomic),
		cmocka_unit_test(levels_below_the_minimum_are_silent),
		cmocka_unit_test(levels_have_names),
		cmocka_unit_test(lines_of_threads_do_not_mix),
		cmocka_unit_test(panic_aborts),
		cmocka_unit_test(panic_tells_what_and_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
