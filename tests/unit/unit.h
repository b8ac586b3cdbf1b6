/* unit – what all unit tests share: cmocka with what it needs in front of it, words to assert
 * with, an arena, and a folder to work in. */
#pragma once
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* Needs some of the above in front of it. */
#include <cmocka.h>

/* In this house fail() is that of err.h; tests say fail_msg(), which must not use it. */
#undef fail
#undef fail_msg
#define fail_msg(...)                      \
	do {                               \
		print_error(__VA_ARGS__);  \
		print_error("\n");         \
		_fail(__FILE__, __LINE__); \
	} while (0)

#define assert_str(s, text)                                  \
	do {                                                 \
		struct str seen_ = (s);                      \
		assert_int_equal(seen_.n, strlen(text));     \
		assert_memory_equal(seen_.p, text, seen_.n); \
	} while (0)

static inline void
must(bool ok, const struct err *e)
{
	if (!ok)
		print_error("%s\n", e->msg);
	assert_true(ok);
}

/* The call failed with this code, and its message, one line, contains ${text}. */
static inline void
must_fail(bool ok, const struct err *e, enum err_code code, const char *text)
{
	assert_false(ok);
	if (e->code != code || strstr(e->msg, text) == NULL)
		print_error("got %s: %s\nwanted %s: %s\n", err_name(e->code), e->msg,
			err_name(code), text);
	assert_int_equal(e->code, code);
	assert_non_null(strstr(e->msg, text));
	assert_null(strchr(e->msg, '\n'));
}

/* ---- an arena as the state of a test ------------------------------------------------- */

static inline int
arena_setup(void **state)
{
	struct arena *a = malloc(sizeof(*a));

	assert_non_null(a);
	arena_init(a, 4096, SIZE_MAX);
	*state = a;
	return 0;
}

static inline int
arena_teardown(void **state)
{
	arena_fini(*state);
	free(*state);
	return 0;
}

/* ---- a folder of its own ------------------------------------------------------------- */

#define DIR_MAX 32

static inline void
make_dir(char dir[DIR_MAX])
{
	snprintf(dir, DIR_MAX, "/tmp/fanfare-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
}

/* With the files in it. */
static inline void
remove_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL)
		unlinkat(dirfd(d), entry->d_name, 0);
	closedir(d);
	rmdir(dir);
}
