/* test_jr – what is refused and in which words; the getters; dumping. */
#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "support.h"

static struct arena arena;
static struct err err;

static int
set_up(void **state)
{
	(void)state;
	arena_init(&arena, 4096, 1 << 20);
	err = (struct err){0};
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static json_t *
must_parse(const char *text)
{
	json_t *v;

	if (!jr_parse(&arena, str_of(text), &v, &err))
		fail_msg("%s: %s", text, err.msg);
	return v;
}

static void
assert_failed(const char *message)
{
	assert_int_equal(err.code, ERR_INPUT);
	assert_string_equal(err.msg, message);
	err = (struct err){0};
}

static void
bodies_without_content_are_null(void **state)
{
	json_t *v = (json_t *)1;

	(void)state;
	assert_true(jr_parse(&arena, STR_NONE, &v, &err));
	assert_null(v);
	assert_null(must_parse(""));
	assert_null(must_parse(" \r\n\t"));
	assert_null(must_parse("null"));
	assert_null(must_parse(" null "));
	assert_non_null(must_parse("{}"));
	assert_non_null(must_parse("false"));
}

static void
bad_json_is_refused(void **state)
{
	static const char *const bad[] = {"{", "{}x", "{} {}", "[1,]", "{\"a\":1,}", "{'a':1}",
		"nul", "NaN", "Infinity", "01", "+1", "1.", ".5", "\"\n\"", "\"\\x\"",
		"{\"a\":1,\"a\":2}", "[{\"a\":{\"b\":1,\"b\":1}}]", "\"\\u0000\"",
		"{\"a\\u0000b\":1}", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
		"\"\xff\"", "\"\xed\xa0\x80\"", "\"\xc0\x80\"", "99999999999999999999",
		"-9223372036854775809", "1e999", "[\"\\u12\"]", "}", "]"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		json_t *v;

		if (jr_parse(&arena, str_of(bad[i]), &v, &err))
			fail_msg("accepted %s", bad[i]);
		assert_null(v);
		assert_int_equal(err.code, ERR_INPUT);
		assert_true(str_starts(str_of(err.msg), STR("invalid JSON at line ")));
	}
	assert_false(jr_parse(&arena, STR("[1]\0"), &(json_t *){NULL}, &err));
	assert_false(jr_parse(&arena, STR("{\n \"a\":: 1}"), &(json_t *){NULL}, &err));
	assert_true(str_starts(str_of(err.msg), STR("invalid JSON at line 2, column 6: ")));
}

static void
depth_is_limited(void **state)
{
	char text[4 * JR_MAX_DEPTH + 16];
	json_t *v;

	(void)state;
	memset(text, '[', JR_MAX_DEPTH);
	memset(text + JR_MAX_DEPTH, ']', JR_MAX_DEPTH);
	assert_true(jr_parse(&arena, (struct str){text, 2 * JR_MAX_DEPTH}, &v, &err));
	memset(text, '[', JR_MAX_DEPTH + 1);
	memset(text + JR_MAX_DEPTH + 1, ']', JR_MAX_DEPTH + 1);
	assert_false(jr_parse(&arena, (struct str){text, 2 * JR_MAX_DEPTH + 2}, &v, &err));
	assert_failed("invalid JSON: nested deeper than 64 levels");
	/* Brackets inside strings do not count, those behind an escaped quote neither. */
	memset(text, '[', sizeof(text));
	memcpy(text, "[\"\\\"", 4);
	memcpy(text + sizeof(text) - 4, "\\\\\"]", 4);
	assert_true(jr_parse(&arena, (struct str){text, sizeof(text)}, &v, &err));
	/* Siblings are not depth. */
	assert_non_null(
		must_parse("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
			   "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
			   "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
			   "[],[],[],[],[],[],[],[],[]]"));
}

static void
strings(void **state)
{
	json_t *o = must_parse("{\"s\":\"ann\",\"e\":\"\",\"n\":null,\"i\":1,\"l\":[],\"o\":{},"
			       "\"r\":1.5,\"b\":true,\"u\":\"üüü\"}");
	struct str s = STR("untouched");

	(void)state;
	assert_true(jr_str(o, "absent", OPTIONAL, &s, &err));
	assert_true(jr_str(o, "n", OPTIONAL, &s, &err));
	assert_true(jr_str(NULL, "s", OPTIONAL, &s, &err));
	assert_str(s, "untouched");
	assert_true(jr_str(o, "s", REQUIRED, &s, &err));
	assert_str(s, "ann");
	assert_true(jr_str(o, "e", REQUIRED, &s, &err));
	assert_non_null(s.p);
	assert_int_equal(s.n, 0);
	assert_false(jr_str(o, "absent", REQUIRED, &s, &err));
	assert_failed("absent: is required");
	assert_false(jr_str(o, "n", REQUIRED, &s, &err));
	assert_failed("n: is required");
	assert_false(jr_str(NULL, "s", REQUIRED, &s, &err));
	assert_failed("s: is required");
	assert_false(jr_str(o, "i", OPTIONAL, &s, &err));
	assert_failed("i: expected a string, got an integer");
	assert_false(jr_str(o, "l", OPTIONAL, &s, &err));
	assert_failed("l: expected a string, got an array");
	assert_false(jr_str(o, "o", OPTIONAL, &s, &err));
	assert_failed("o: expected a string, got an object");
	assert_false(jr_str(o, "r", OPTIONAL, &s, &err));
	assert_failed("r: expected a string, got a number");
	assert_false(jr_str(o, "b", OPTIONAL, &s, &err));
	assert_failed("b: expected a string, got a boolean");
	assert_true(jr_str_max(o, "u", REQUIRED, 3, &s, &err));
	assert_str(s, "üüü");
	assert_false(jr_str_max(o, "u", REQUIRED, 2, &s, &err));
	assert_failed("u: longer than 2 characters");
	assert_str(s, "üüü");
	assert_true(jr_str_max(o, "absent", OPTIONAL, 2, &s, &err));
	assert_str(s, "üüü");
}

static void
integers_and_booleans(void **state)
{
	json_t *o =
		must_parse("{\"i\":5,\"f\":7.0,\"h\":7.5,\"big\":1e300,\"s\":\"5\",\"t\":true,"
			   "\"min\":-9223372036854775808,\"edge\":9223372036854775808.0}");
	int64_t v = 42;
	bool b = false;
	int flag = 5;

	(void)state;
	assert_true(jr_int(o, "absent", OPTIONAL, 0, 9, &v, &err));
	assert_int_equal(v, 42);
	assert_true(jr_int(o, "i", REQUIRED, 5, 5, &v, &err));
	assert_int_equal(v, 5);
	assert_true(jr_int(o, "f", REQUIRED, 0, 9, &v, &err));
	assert_int_equal(v, 7);
	assert_true(jr_int(o, "min", REQUIRED, INT64_MIN, INT64_MAX, &v, &err));
	assert_true(v == INT64_MIN);
	assert_false(jr_int(o, "h", OPTIONAL, 0, 9, &v, &err));
	assert_failed("h: expected an integer, got 7.5");
	assert_false(jr_int(o, "big", OPTIONAL, 0, 9, &v, &err));
	assert_false(jr_int(o, "edge", OPTIONAL, INT64_MIN, INT64_MAX, &v, &err));
	assert_false(jr_int(o, "s", OPTIONAL, 0, 9, &v, &err));
	assert_failed("s: expected an integer, got a string");
	assert_false(jr_int(o, "i", OPTIONAL, 6, 100, &v, &err));
	assert_failed("i: must be between 6 and 100, got 5");
	assert_true(v == INT64_MIN);
	assert_true(jr_bool(o, "t", REQUIRED, &b, &err));
	assert_true(b);
	assert_true(jr_bool(o, "absent", OPTIONAL, &b, &err));
	assert_true(b);
	assert_false(jr_bool(o, "i", OPTIONAL, &b, &err));
	assert_failed("i: expected a boolean, got an integer");
	assert_false(jr_bool(o, "absent", REQUIRED, &b, &err));
	assert_true(jr_flag(o, "t", &flag, &err));
	assert_int_equal(flag, 1);
	assert_true(jr_flag(o, "absent", &flag, &err));
	assert_int_equal(flag, -1);
	assert_false(jr_flag(o, "i", &flag, &err));
	assert_failed("i: expected a boolean, got an integer");
}

static void
times(void **state)
{
	/* The nanoseconds are those of api.md, Appendix C. */
	json_t *o = must_parse(
		"{\"s\":\"2027-01-01T00:00:00.123456789Z\",\"n\":1798761600123456789,"
		"\"f\":1000.0,\"neg\":-1,\"bad\":\"2024-23-02 00:00:00\","
		"\"e\":\"\",\"o\":{}}");
	int64_t us = 42;

	(void)state;
	assert_true(jr_time(o, "absent", OPTIONAL, &us, &err));
	assert_int_equal(us, 42);
	assert_true(jr_time(o, "s", REQUIRED, &us, &err));
	assert_int_equal(us, 1798761600123456);
	us = 0;
	assert_true(jr_time(o, "n", REQUIRED, &us, &err));
	assert_int_equal(us, 1798761600123456);
	assert_true(jr_time(o, "f", REQUIRED, &us, &err));
	assert_int_equal(us, 1);
	assert_true(jr_time(o, "neg", REQUIRED, &us, &err));
	assert_int_equal(us, -1);
	assert_false(jr_time(o, "bad", OPTIONAL, &us, &err));
	assert_failed("bad: expected an RFC 3339 time, got \"2024-23-02 00:00:00\"");
	assert_false(jr_time(o, "e", OPTIONAL, &us, &err));
	assert_failed("e: expected an RFC 3339 time, got \"\"");
	assert_false(jr_time(o, "o", OPTIONAL, &us, &err));
	assert_failed(
		"o: expected an RFC 3339 time or an integer of nanoseconds, got an object");
	assert_int_equal(us, -1);
}

static void
objects_and_lists(void **state)
{
	json_t *o = must_parse("{\"o\":{\"x\":1},\"l\":[\"a\",\"b\",\"ü\"],\"e\":[],\"i\":1,"
			       "\"mixed\":[\"a\",\"b\",\"c\",null],\"nums\":[1]}");
	json_t *v = NULL;
	struct str *list = NULL;
	size_t n = 42;

	(void)state;
	assert_true(jr_obj(o, "absent", OPTIONAL, &v, &err));
	assert_null(v);
	assert_true(jr_obj(o, "o", REQUIRED, &v, &err));
	assert_int_equal(json_object_size(v), 1);
	assert_false(jr_obj(o, "l", OPTIONAL, &v, &err));
	assert_failed("l: expected an object, got an array");
	assert_true(jr_arr(o, "l", REQUIRED, 3, &v, &err));
	assert_int_equal(json_array_size(v), 3);
	assert_false(jr_arr(o, "l", REQUIRED, 2, &v, &err));
	assert_failed("l: at most 2 elements, got 3");
	assert_false(jr_arr(o, "i", REQUIRED, 2, &v, &err));
	assert_failed("i: expected an array, got an integer");
	assert_true(jr_strs(&arena, o, "absent", OPTIONAL, 3, &list, &n, &err));
	assert_null(list);
	assert_int_equal(n, 42);
	assert_true(jr_strs(&arena, o, "l", REQUIRED, 3, &list, &n, &err));
	assert_int_equal(n, 3);
	assert_str(list[0], "a");
	assert_str(list[2], "ü");
	assert_true(jr_strs(&arena, o, "e", REQUIRED, 3, &list, &n, &err));
	assert_int_equal(n, 0);
	assert_false(jr_strs(&arena, o, "mixed", OPTIONAL, 9, &list, &n, &err));
	assert_failed("mixed[3]: expected a string, got null");
	assert_false(jr_strs(&arena, o, "nums", OPTIONAL, 9, &list, &n, &err));
	assert_failed("nums[0]: expected a string, got an integer");
	assert_false(jr_strs(&arena, o, "l", OPTIONAL, 2, &list, &n, &err));
	assert_failed("l: at most 2 elements, got 3");
	assert_false(jr_strs(&arena, o, "absent", REQUIRED, 2, &list, &n, &err));
	assert_failed("absent: is required");
}

static void
dumps_keep_order_and_value(void **state)
{
	static const char *const texts[] = {"{}", "[]", "\"\"", "0", "true", "false",
		"{\"z\":1,\"a\":[1,-2,0.1,1e+21],\"m\":{\"x\":null,\"\":\"\"}}",
		"\"\\\"\\\\\\n\\u0001ü🎉\"", "[[[[]]]]", "-9223372036854775808"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_str(jr_dump(&arena, must_parse(texts[i])), texts[i]);
	assert_str(jr_dump(&arena, must_parse(" { \"a\" : [ 1 , 2 ] } ")), "{\"a\":[1,2]}");
}

static void
type_names(void **state)
{
	(void)state;
	assert_string_equal(jr_type_name(NULL), "nothing");
	assert_string_equal(jr_type_name(json_null()), "null");
	assert_null(jr_text(must_parse("5")).p);
	assert_str(jr_text(must_parse("\"x\"")), "x");
}

#define WITH_ARENA(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ARENA(bodies_without_content_are_null),
		WITH_ARENA(bad_json_is_refused),
		WITH_ARENA(depth_is_limited),
		WITH_ARENA(strings),
		WITH_ARENA(integers_and_booleans),
		WITH_ARENA(times),
		WITH_ARENA(objects_and_lists),
		WITH_ARENA(dumps_keep_order_and_value),
		WITH_ARENA(type_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
