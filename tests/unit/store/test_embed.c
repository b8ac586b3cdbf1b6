/* test_embed – tools/embed, which turns SQL files into C: what it rewrites for each engine, and
 * what it refuses. */
#include <sys/wait.h>

#include <fcntl.h>

#include "../unit.h"

/* The tool itself, its main() under another name. */
int embed_main(int argc, char **argv);
#define main embed_main
#include "../../../tools/embed.c"
#undef main

static char folder[DIR_MAX];

static int
setup(void **state)
{
	(void)state;
	make_dir(folder);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	remove_dir(folder);
	return 0;
}

static char *
path_of(const char *name)
{
	size_t n = strlen(folder) + strlen(name) + 2;
	char *path = malloc(n);

	assert_non_null(path);
	snprintf(path, n, "%s/%s", folder, name);
	return path;
}

static char *
put_file(const char *name, const char *content)
{
	char *path = path_of(name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(content, f);
	fclose(f);
	return path;
}

/* ---- rewriting ------------------------------------------------------------------- */

static void
becomes(const char *sql, enum engine engine, const char *wanted)
{
	char *got = translate(sql, engine);

	assert_string_equal(got, wanted);
	free(got);
}

static void
parameters_and_spaces(void **state)
{
	(void)state;
	becomes("\nSELECT $1,\n\t $12 ;\n\n", SQLITE, "SELECT ?1, ?12");
	becomes("\nSELECT $1,\n\t $12 ;\n\n", PG, "SELECT $1, $12");
	becomes("SELECT 1 -- one $9 'x\n, 2 -- two", SQLITE, "SELECT 1 , 2");
	/* Text in quotes is left alone. */
	becomes("SELECT '$1  -- @skip_locked', 'it''s', $1", SQLITE,
		"SELECT '$1  -- @skip_locked', 'it''s', ?1");
	becomes("SELECT 1 LIMIT 1 @skip_locked)", SQLITE, "SELECT 1 LIMIT 1 )");
	becomes("SELECT 1 LIMIT 1 @skip_locked)", PG,
		"SELECT 1 LIMIT 1 FOR UPDATE SKIP LOCKED)");
}

static void
rows_of_all_types(void **state)
{
	static const char sql[] = "INSERT INTO t SELECT $2, r.a FROM "
				  "@rows(a BIGINT, b TEXT,\n\t c JSON , d BLOB) AS r WHERE $1";

	(void)state;
	becomes(sql, SQLITE,
		"INSERT OR FAIL INTO t SELECT ?2, r.a FROM "
		"(SELECT ord, c0 AS a, c1 AS b, c2 AS c, b3 AS d FROM bulk) AS r WHERE ?1");
	/* The arrays come behind the parameters. */
	becomes(sql, PG,
		"INSERT INTO t SELECT $2, r.a FROM "
		"(SELECT ord - 1 AS ord, a, b, c::json, d FROM unnest($3::bigint[], "
		"$4::text[], $5::text[], $6::bytea[]) WITH ORDINALITY AS x(a, b, c, d, ord)) "
		"AS r WHERE $1");
	becomes("SELECT 1 FROM @rows(a BIGINT) AS r", PG,
		"SELECT 1 FROM (SELECT ord - 1 AS ord, a FROM unnest($1::bigint[]) "
		"WITH ORDINALITY AS x(a, ord)) AS r");
}

static void
lists_of_values(void **state)
{
	static const char sql[] =
		"DELETE FROM t WHERE $1 AND a @in(SELECT f(r.a) FROM x AS r) AND (1)";

	(void)state;
	becomes(sql, SQLITE,
		"DELETE FROM t WHERE ?1 AND a IN (SELECT f(r.a) FROM x AS r) AND (1)");
	becomes(sql, PG,
		"DELETE FROM t WHERE $1 AND a = ANY (ARRAY(SELECT f(r.a) FROM x AS r)) AND "
		"(1)");
}

/* ---- the tool as it is run ------------------------------------------------------- */

/* Its exit status; what it says on standard error is in ${said}. */
static int
run(char *const files[], size_t n, char said[256])
{
	char *argv[8] = {(char *)(uintptr_t) "embed", path_of("out.h"), path_of("out.c")};
	char *err = path_of("err");
	int status = 0;
	FILE *f;
	pid_t pid;

	for (size_t i = 0; i < n; i++)
		argv[3 + i] = files[i];
	pid = fork();
	if (pid == 0) {
		dup2(open(err, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600), STDERR_FILENO);
		_exit(embed_main(3 + (int)n, argv) != 0 || fflush(NULL) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	f = fopen(err, "r");
	assert_non_null(f);
	said[fread(said, 1, 255, f)] = '\0';
	fclose(f);
	free(argv[1]);
	free(argv[2]);
	free(err);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
contains(const char *file, const char *text)
{
	char *path = path_of(file), *all = read_file(path);

	if (strstr(all, text) == NULL)
		print_error("%s has no \"%s\":\n%s\n", file, text, all);
	assert_non_null(strstr(all, text));
	free(all);
	free(path);
}

static void
files_become_a_table(void **state)
{
	char *files[] = {
		put_file("a.sql", "-- About it.\n\n"
				  "-- name: one\nSELECT \"a\\b\" FROM t WHERE x = $2\n\n"
				  "-- Of both.\n-- name: both\n-- only: sqlite\nSELECT 1\n"
				  "-- name: both\n-- only: pg\nSELECT 2, $1\n"),
		put_file("b.sql", "-- name: alone\n-- only: pg\nSELECT 3\n")};
	char said[256];

	(void)state;
	assert_int_equal(run(files, 2, said), 0);
	assert_string_equal(said, "");
	contains("out.h", "\tSQL_ONE, /* a.sql */\n\tSQL_BOTH, /* a.sql */\n"
			  "\tSQL_ALONE, /* b.sql */\n\tSQL_COUNT\n");
	contains("out.c", "{\"one\",\n\t\"SELECT \\\"a\\\\b\\\" FROM t WHERE x = ?2\",\n"
			  "\t\"SELECT \\\"a\\\\b\\\" FROM t WHERE x = $2\",\n\t2, 0},");
	contains("out.c", "{\"both\",\n\t\"SELECT 1\",\n\t\"SELECT 2, $1\",");
	contains("out.c", "{\"alone\",\n\tNULL,\n\t\"SELECT 3\",\n\t0, 0},");
	free(files[0]);
	free(files[1]);
}

/* What stands in a comment, here that of the statement below, is no parameter. */
static void
comments_have_no_parameters(void **state)
{
	char *file = put_file("a.sql", "-- name: one\nSELECT $1 -- not $3\n\n"
				       "-- As $7 says.\n-- name: two\nSELECT $1, $2\n");
	char said[256];

	(void)state;
	assert_int_equal(run(&file, 1, said), 0);
	contains("out.c", "{\"one\",\n\t\"SELECT ?1\",\n\t\"SELECT $1\",\n\t1, 0},");
	contains("out.c", "\"SELECT $1, $2\",\n\t2, 0},");
	free(file);
}

static void
mistakes_are_refused(void **state)
{
	static const struct {
		const char *sql, *says;
	} cases[] = {
		{"-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n", "statement a stands twice"},
		{"-- name: a\n-- only: pg\nSELECT 1\n-- name: a\nSELECT 2\n", "stands twice"},
		{"-- name: a\n-- only: pg\nSELECT 1\n-- name: a\n-- only: pg\nSELECT 2\n",
			"stands twice"},
		{"-- name: a\n\n-- name: b\nSELECT 1\n", "statement a is empty"},
		{"-- name: a\n-- only a comment\n", "statement a is empty"},
		{"-- name: \nSELECT 1\n", "malformed name line"},
		{"-- name: UPPER\nSELECT 1\n", "malformed name line"},
		{"-- name: a\nSELECT 1 FROM @rows(a FLOAT) AS r\n", "unknown type FLOAT"},
		{"-- name: a\nSELECT 1 FROM @rows(a BIGINT; b TEXT) AS r\n", "expected , or )"},
		{"-- name: a\nSELECT 1 FROM @rows() AS r\n", "expected a name and a type"},
		{"-- name: a\nSELECT 1 WHERE a @in(SELECT 1 WHERE b @in(SELECT 2))\n",
			"inside of another one"},
	};
	char said[256], *none = path_of("none.sql");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *file = put_file("a.sql", cases[i].sql);
		int status = run(&file, 1, said);

		if (status != 1 || strstr(said, cases[i].says) == NULL)
			print_error("%s%s", cases[i].sql, said);
		assert_int_equal(status, 1);
		assert_non_null(strstr(said, cases[i].says));
		free(file);
	}
	assert_int_equal(run(&none, 1, said), 1);
	assert_non_null(strstr(said, "none.sql: cannot be opened"));
	assert_int_equal(run(NULL, 0, said), 1);
	assert_non_null(strstr(said, "usage"));
	free(none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_and_spaces),
		cmocka_unit_test(rows_of_all_types),
		cmocka_unit_test(lists_of_values),
		cmocka_unit_test(files_become_a_table),
		cmocka_unit_test(comments_have_no_parameters),
		cmocka_unit_test(mistakes_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
