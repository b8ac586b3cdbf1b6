/* test_config – precedence, refusals, and secrets that stay out of flags and messages. */
#include <stdio.h>
#include <stdlib.h>

#include "base/config.h"
#include "base/err.h"
#include "support.h"

#define MAX_ARGS 8

static struct config config;
static struct err err;
static char path[64];

static int
set_up(void **state)
{
	static const char *const names[] = {"STORE", "LISTEN", "API_KEY", "API_SECRET",
		"WEBHOOK_ALLOW", "HTTP_THREADS", "WORKERS", "BATCH_SIZE", "LEASE_MS",
		"RENDER_MAX", "LOG_LEVEL", "CONFIG"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char name[32];

		snprintf(name, sizeof(name), "FANFARE_%s", names[i]);
		unsetenv(name);
	}
	err = (struct err){0};
	return 0;
}

/* Arguments are separated by single spaces. */
static bool
load(const char *args)
{
	char copy[256];
	char *argv[MAX_ARGS];
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", args);
	for (char *p = strtok(copy, " "); p != NULL && argc < MAX_ARGS; p = strtok(NULL, " "))
		argv[argc++] = p;
	return config_load(&config, argc, argv, &err);
}

static void
write_file(const char *text)
{
	FILE *f;
	int fd;

	strcpy(path, "/tmp/fanfare-config-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int
remove_file(void **state)
{
	(void)state;
	if (path[0] != '\0')
		remove(path);
	path[0] = '\0';
	return 0;
}

static void
assert_failed(const char *part)
{
	assert_int_equal(err.code, ERR_INPUT);
	if (strstr(err.msg, part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, err.msg);
	err = (struct err){0};
}

static void
defaults(void **state)
{
	(void)state;
	assert_true(load(""));
	assert_string_equal(config.store, "sqlite:fanfare.db");
	assert_string_equal(config.listen, "127.0.0.1:8080");
	assert_string_equal(config.api_key, "");
	assert_int_equal(config.http_threads, 16);
	assert_int_equal(config.batch_size, 4096);
	assert_string_equal(config.log_level, "info");
}

static void
flags_in_both_forms(void **state)
{
	(void)state;
	assert_true(
		load("--store sqlite:a.db --listen=[::1]:0 --http-threads=3 --lease_ms 50"));
	assert_string_equal(config.store, "sqlite:a.db");
	assert_string_equal(config.listen, "[::1]:0");
	assert_int_equal(config.http_threads, 3);
	assert_int_equal(config.lease_ms, 50);
	assert_true(load("--store=a=b --store=c=d --webhook-allow="));
	assert_string_equal(config.store, "c=d");
	assert_string_equal(config.webhook_allow, "");
}

static void
higher_places_win(void **state)
{
	char args[128];

	(void)state;
	write_file("# where things are\n"
		   "\n"
		   "store = sqlite:file.db   # a comment\r\n"
		   "  listen=127.0.0.1:1\n"
		   "workers = 1\n"
		   "api_secret = with#hash and = sign\n"
		   "log-level = warn");
	setenv("FANFARE_LISTEN", "127.0.0.1:2", 1);
	setenv("FANFARE_WORKERS", "2", 1);
	setenv("FANFARE_LOG_LEVEL", "", 1);
	snprintf(args, sizeof(args), "--workers=3 --config %s", path);
	assert_true(load(args));
	assert_string_equal(config.store, "sqlite:file.db");
	assert_string_equal(config.listen, "127.0.0.1:2");
	assert_int_equal(config.workers, 3);
	assert_string_equal(config.api_secret, "with#hash and = sign");
	assert_string_equal(config.log_level, "warn");
	setenv("FANFARE_CONFIG", path, 1);
	assert_true(load(""));
	assert_string_equal(config.store, "sqlite:file.db");
	assert_int_equal(config.workers, 2);
	setenv("FANFARE_CONFIG", "/nowhere", 1);
	assert_true(load(args));
}

static void
secrets_have_no_flag(void **state)
{
	(void)state;
	assert_false(load("--api-key key --api-secret=hush"));
	assert_failed("FANFARE_API_KEY");
	assert_false(load("--api_secret=hush"));
	assert_null(strstr(err.msg, "hush"));
	assert_failed("FANFARE_API_SECRET");
	setenv("FANFARE_API_SECRET", "from the environment", 1);
	assert_true(load(""));
	assert_string_equal(config.api_secret, "from the environment");
}

/* The address of a database may hold a password; it may have been put anywhere. */
static void
addresses_are_not_repeated(void **state)
{
#define URL "postgresql://ann:hush@host/x"
	static const char *const args[] = {URL, "-store=" URL, "--stor=" URL, "--workers " URL,
		"--log-level " URL, "--config " URL};
	static const char *const lines[] = {URL, URL " = x", "workers = " URL, "stor = " URL};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(args); i++) {
		assert_false(load(args[i]));
		assert_null(strstr(err.msg, "hush"));
	}
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char flag[80];

		write_file(lines[i]);
		snprintf(flag, sizeof(flag), "--config %s", path);
		assert_false(load(flag));
		assert_null(strstr(err.msg, "hush"));
		remove_file(NULL);
	}
#undef URL
}

static void
bad_flags(void **state)
{
	static const char *const cases[][2] = {
		{"--colour=red", "unknown flag \"--colour\""},
		{"--stor x", "unknown flag \"--stor\""},
		{"--stores=x", "unknown flag \"--stores\""},
		{"serve", "unexpected argument \"serve\""},
		{"-s", "unexpected argument \"-s\""},
		{"--", "unexpected argument \"--\""},
		{"--=x", "unknown flag"},
		{"--store", "--store: a value is missing"},
		{"--config", "--config: a value is missing"},
		{"--workers=two", "--workers: expected an integer from 1 to 64, got \"two\""},
		{"--workers=", "got \"\""},
		{"--workers 0", "got \"0\""},
		{"--workers 65", "got \"65\""},
		{"--http-threads=257", "--http-threads: expected an integer from 1 to 256"},
		{"--batch_size=4097", "from 1 to 4096"},
		{"--workers=99999999999999999999", "from 1 to 64"},
		{"--log-level=loud",
			"--log-level: expected debug, info, warn or error, got \"loud\""},
		{"--config=/nowhere/at/all", "No such file"},
		{"--config=/tmp", "directory"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_false(load(cases[i][0]));
		assert_failed(cases[i][1]);
	}
}

static void
bad_environment(void **state)
{
	char large[600];

	(void)state;
	setenv("FANFARE_HTTP_THREADS", "many", 1);
	assert_false(load("--http-threads=4"));
	assert_failed("FANFARE_HTTP_THREADS: expected an integer from 1 to 256, got \"many\"");
	unsetenv("FANFARE_HTTP_THREADS");
	memset(large, 's', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	setenv("FANFARE_API_SECRET", large, 1);
	assert_false(load(""));
	assert_null(strstr(err.msg, "sss"));
	assert_failed("FANFARE_API_SECRET: longer than 511 bytes");
	large[511] = '\0';
	setenv("FANFARE_API_SECRET", large, 1);
	assert_true(load(""));
	assert_int_equal(strlen(config.api_secret), 511);
}

static void
bad_files(void **state)
{
	static const char *const cases[][2] = {
		{"store = a\ncolour = red\n", ":2: unknown setting \"colour\""},
		{"\n\nstore\n", ":3: expected \"name = value\""},
		{"= x", ":1: unknown setting \"\""},
		{"workers = 2 3\n",
			":1: workers: expected an integer from 1 to 64, got \"2 3\""},
		{"workers =\n", "got \"\""},
		{"config = other\n", "unknown setting"},
		{"[section]\n", "expected \"name = value\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		write_file(cases[i][0]);
		setenv("FANFARE_CONFIG", path, 1);
		assert_false(load(""));
		assert_failed(cases[i][1]);
		remove_file(NULL);
	}
}

static void
help_names_everything_once(void **state)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	assert_non_null(f);
	config_help(f);
	fclose(f);
	assert_non_null(strstr(text, "--http-threads N"));
	assert_non_null(strstr(text, "[sqlite:fanfare.db]"));
	assert_non_null(strstr(text, "FANFARE_API_SECRET "));
	assert_null(strstr(text, "--api-secret"));
	assert_non_null(strstr(text, "--config PATH"));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(str_utf8_len(str_of(line)) <= 100);
	free(text);
}

#define CLEAN(f) cmocka_unit_test_setup_teardown(f, set_up, remove_file)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CLEAN(defaults),
		CLEAN(flags_in_both_forms),
		CLEAN(higher_places_win),
		CLEAN(secrets_have_no_flag),
		CLEAN(addresses_are_not_repeated),
		CLEAN(bad_flags),
		CLEAN(bad_environment),
		CLEAN(bad_files),
		CLEAN(help_names_everything_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
