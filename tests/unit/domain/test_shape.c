/* test_shape – one table says what is taken over, refused, shown and kept. */
#include "base/jw.h"
#include "domain/shape.h"
#include "store_fixture.h"

static const struct shape inner[] = {
	{.name = "on", .kind = SHAPE_BOOL},
	{.name = "key", .kind = SHAPE_TEXT, .is_secret = true, .hi = 5},
};

static const struct shape table[] = {
	{.name = "b", .kind = SHAPE_BOOL},
	{.name = "n", .kind = SHAPE_INT, .lo = 1, .hi = 9},
	{.name = "t", .kind = SHAPE_TEXT, .hi = 3},
	{.name = "u", .kind = SHAPE_URL},
	{.name = "at", .kind = SHAPE_TIME, .keeps_null = true},
	{.name = "c", .kind = SHAPE_CHOICE, .words = "no app team"},
	{.name = "l", .kind = SHAPE_TEXTS, .hi = 2},
	{.name = "m", .kind = SHAPE_LISTS, .hi = 2},
	{.name = "o", .kind = SHAPE_OBJECT, .members = inner, .nmembers = ARRAY_LEN(inner)},
};

static json_t *
tree_of(struct arena *a, const char *text)
{
	json_t *tree;
	struct err e;

	must(jr_parse(a, str_of(text), &tree, &e), &e);
	return tree;
}

static void
takes_over(void **state)
{
	/* What goes in, and what comes out. */
	static const char *const cases[][2] = {
		{"{}", "{}"},
		{"{\"x\":1,\"b\":null,\"o\":null}", "{}"},
		{"{\"at\":null}", "{\"at\":null}"},
		{"{\"b\":false,\"n\":9.0,\"t\":\"äöü\",\"u\":\"\"}",
			"{\"b\":false,\"n\":9,\"t\":\"äöü\",\"u\":\"\"}"},
		{"{\"u\":\"http://a\"}", "{\"u\":\"http://a\"}"},
		{"{\"u\":\"https://a.b:1/c?d=e#f\"}", "{\"u\":\"https://a.b:1/c?d=e#f\"}"},
		{"{\"at\":\"1970-01-01T00:00:01Z\"}", "{\"at\":1000000}"},
		{"{\"at\":2000000000}", "{\"at\":2000000}"},
		{"{\"c\":\"team\",\"l\":[\"\",\"x\"],\"m\":{\"k\":[],\"j\":[\"v\"]}}",
			"{\"c\":\"team\",\"l\":[\"\",\"x\"],\"m\":{\"k\":[],\"j\":[\"v\"]}}"},
		{"{\"o\":{\"on\":true,\"key\":\"12345\",\"x\":1}}",
			"{\"o\":{\"on\":true,\"key\":\"12345\"}}"},
	};
	struct arena *a = *state;
	json_t *out;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		must(shape_read(a, tree_of(a, cases[i][0]), table, ARRAY_LEN(table), &out, &e),
			&e);
		assert_str(jr_dump(a, out), cases[i][1]);
	}
}

static void
refuses(void **state)
{
	static const char *const cases[][2] = {
		{"{\"b\":1}", "b: expected a boolean, got an integer"},
		{"{\"n\":10}", "n: must be between 1 and 9, got 10"},
		{"{\"t\":\"1234\"}", "t: longer than 3 characters"},
		{"{\"u\":\"ftp://a\"}",
			"u: expected an http:// or https:// URL, got \"ftp://a\""},
		{"{\"u\":\"http://\"}", "u: expected an http"},
		{"{\"u\":\"https:///a\"}", "u: expected an http"},
		{"{\"u\":\"http://:80/\"}", "u: expected an http"},
		{"{\"u\":\"http://a b\"}", "u: expected an http"},
		{"{\"u\":\"http://a\\u0009x: y\"}", "u: expected an http"},
		{"{\"u\":\"http://a\\u007f\"}", "u: expected an http"},
		{"{\"at\":\"soon\"}", "at: expected an RFC 3339 time"},
		{"{\"c\":\"\"}", "c: expected one of no app team, got \"\""},
		{"{\"c\":\"ap\"}", "got \"ap\""},
		{"{\"c\":\"no app\"}", "got \"no app\""},
		{"{\"l\":[\"a\",\"b\",\"c\"]}", "l: at most 2 elements, got 3"},
		{"{\"l\":[5]}", "l[0]: expected a string, got an integer"},
		{"{\"m\":{\"k\":5}}", "m: expected each member to be an array"},
		{"{\"m\":{\"k\":[null]}}", "m[0]: expected a string, got null"},
		{"{\"m\":{\"a\":[],\"b\":[],\"c\":[]}}", "m: at most 2 members, got 3"},
		{"{\"o\":[]}", "o: expected an object, got an array"},
		{"{\"o\":{\"on\":5}}", "o.on: expected a boolean"},
	};
	struct arena *a = *state;
	json_t *out;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		must_fail(shape_read(a, tree_of(a, cases[i][0]), table, ARRAY_LEN(table), &out,
				  &e),
			&e, ERR_INPUT, cases[i][1]);
}

static struct str
shown(struct arena *a, const json_t *object)
{
	struct buf text;
	struct jw w;

	buf_init(&text, a, 64);
	jw_init(&w, &text);
	jw_obj(&w);
	shape_write(&w, object, table, ARRAY_LEN(table));
	jw_end_obj(&w);
	return buf_view(&text);
}

static void
secrets(void **state)
{
	struct arena *a = *state;
	json_t *old = tree_of(a, "{\"n\":5,\"o\":{\"on\":true,\"key\":\"hush\"},\"x\":1}");
	json_t *new = tree_of(a, "{\"n\":6,\"o\":{\"on\":false}}");
	json_t *other = tree_of(a, "{\"o\":{\"key\":\"own\"}}");

	assert_str(shown(a, old), "{\"n\":5,\"o\":{\"on\":true}}");
	shape_keep_secrets(new, old, table, ARRAY_LEN(table));
	assert_str(jr_dump(a, new), "{\"n\":6,\"o\":{\"on\":false,\"key\":\"hush\"}}");
	shape_keep_secrets(other, old, table, ARRAY_LEN(table));
	assert_str(jr_dump(a, other), "{\"o\":{\"key\":\"own\"}}");
	shape_keep_secrets(other, NULL, table, ARRAY_LEN(table));
	assert_str(jr_dump(a, other), "{\"o\":{\"key\":\"own\"}}");
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, arena_setup, arena_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ARENA(takes_over),
		WITH_ARENA(refuses),
		WITH_ARENA(secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
