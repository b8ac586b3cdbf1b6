/* test_json_cmp – every operator on every type; paths; agreement of the prepared form. */
#include "../unit.h"
#include "base/clock.h"
#include "base/str.h"
#include "store/json_cmp.h"

#define USER                                                                                 \
	"{\"country\":\"USA\",\"age\":30,\"score\":2.5,\"vip\":true,\"old\":false,"          \
	"\"none\":null,\"tags\":[\"red\",\"blue\",7],\"a.b\":1,\"a\":{\"b\":2,\"c\":{\"d\":" \
	"\"x\"}},"                                                                           \
	"\"quote\":\"say \\\"hi\\\" \\u00e9\",\"empty\":\"\",\"list\":[],"                   \
	"\"big\":9007199254740993,\"full\":\"Ann-Marie O'Neil\"}"

struct row {
	const char *path, *op, *value;
	int want;
};

static int
cmp(const struct row *r)
{
	return json_cmp(STR(USER), str_of(r->path), r->op, str_of(r->value));
}

static void
check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (cmp(&rows[i]) != rows[i].want)
			fail_msg("%s %s %s: %d", rows[i].path, rows[i].op, rows[i].value,
				cmp(&rows[i]));
}

static void
equality(void **state UNUSED)
{
	static const struct row rows[] = {
		{"country", "eq", "\"USA\"", 1},
		{"country", "eq", "\"usa\"", 0},
		{"country", "eq", "\"\\u0055SA\"", 1},
		{"country", "eq", " \"USA\" ", 1},
		{"country", "eq", "5", 0},
		{"age", "eq", "30", 1},
		{"age", "eq", "30.0", 1},
		{"age", "eq", "3e1", 1},
		{"age", "eq", "\"30\"", 0},
		{"score", "eq", "2.5", 1},
		{"vip", "eq", "true", 1},
		{"vip", "eq", "false", 0},
		{"vip", "eq", "1", 0},
		{"old", "eq", "false", 1},
		{"none", "eq", "null", 1},
		{"absent", "eq", "null", 1},
		{"age", "eq", "null", 0},
		{"absent", "eq", "\"\"", 0},
		{"empty", "eq", "\"\"", 1},
		{"quote", "eq", "\"say \\\"hi\\\" é\"", 1},
		{"tags", "eq", "[\"red\",\"blue\",7]", 1},
		{"tags", "eq", "[\"red\"]", 0},
		{"a", "eq", "{\"b\":2,\"c\":{\"d\":\"x\"}}", 1},
		{"big", "eq", "9007199254740993", 1},
		{"big", "eq", "9007199254740992", 0},
	};

	check(rows, ARRAY_LEN(rows));
}

static void
ranges(void **state UNUSED)
{
	static const struct row rows[] = {
		{"age", "gt", "29", 1},
		{"age", "gt", "30", 0},
		{"age", "gte", "30", 1},
		{"age", "lt", "30.5", 1},
		{"age", "lte", "29.999", 0},
		{"age", "gt", "\"1\"", 0},
		{"country", "gt", "\"US\"", 1},
		{"country", "gt", "\"USA\"", 0},
		{"country", "lt", "\"V\"", 1},
		{"country", "lte", "\"USA\"", 1},
		{"country", "lt", "5", 0},
		{"absent", "lt", "5", 0},
		{"none", "gte", "0", 0},
		{"vip", "gt", "0", 0},
		{"big", "gt", "9007199254740992", 1},
	};

	check(rows, ARRAY_LEN(rows));
}

static void
lists(void **state UNUSED)
{
	static const struct row rows[] = {
		{"country", "in", "[\"DE\",\"USA\"]", 1},
		{"country", "in", "[]", 0},
		{"country", "in", "[1,null,\"FR\"]", 0},
		{"absent", "in", "[1,null]", 1},
		{"age", "in", "[1,2,3,30,\"30\"]", 1},
		{"vip", "in", "[true]", 1},
		{"tags", "contains", "\"red\"", 1},
		{"tags", "contains", "7", 1},
		{"tags", "contains", "\"re\"", 0},
		{"list", "contains", "\"\"", 0},
		{"country", "contains", "\"S\"", 1},
		{"country", "contains", "\"\"", 1},
		{"country", "contains", "\"USA!\"", 0},
		{"quote", "contains", "\"\\\"hi\\\"\"", 1},
		{"age", "contains", "30", 0},
		{"absent", "contains", "\"\"", 0},
		{"tags", "any", "[\"x\",\"blue\"]", 1},
		{"tags", "any", "[\"x\",\"y\"]", 0},
		{"tags", "any", "[]", 0},
		{"country", "any", "[\"USA\"]", 0},
		{"absent", "any", "[null]", 0},
	};

	check(rows, ARRAY_LEN(rows));
}

static void
existence_and_words(void **state UNUSED)
{
	static const struct row rows[] = {
		{"country", "exists", "true", 1},
		{"country", "exists", "false", 0},
		{"absent", "exists", "true", 0},
		{"absent", "exists", "false", 1},
		{"none", "exists", "true", 0},
		{"empty", "exists", "true", 1},
		{"full", "autocomplete", "\"ann\"", 1},
		{"full", "autocomplete", "\"O'N\"", 1},
		{"full", "autocomplete", "\"o'neil\"", 1},
		{"full", "autocomplete", "\"o'neill\"", 0},
		{"full", "autocomplete", "\"marie\"", 0},
		{"full", "autocomplete", "\"ann-marie o'n\"", 1},
		{"age", "autocomplete", "\"3\"", 0},
		{"absent", "autocomplete", "\"a\"", 0},
	};

	check(rows, ARRAY_LEN(rows));
}

/* The whole path wins as one key; then its parts. */
static void
paths(void **state UNUSED)
{
	static const struct row rows[] = {
		{"a.b", "eq", "1", 1},
		{"a.b", "eq", "2", 0},
		{"a.c.d", "eq", "\"x\"", 1},
		{"a.c.e", "exists", "true", 0},
		{"country.x", "exists", "true", 0},
		{".", "exists", "true", 0},
		{"a.", "exists", "true", 0},
		{"", "exists", "true", 1},
	};
	char deep[400];

	check(rows, ARRAY_LEN(rows));
	memset(deep, '.', sizeof(deep));
	assert_int_equal(0,
		json_cmp(STR(USER), (struct str){deep, sizeof(deep)}, "exists", STR("true")));
}

static void
whole_values(void **state UNUSED)
{
	struct str list = STR(" [\"a\", \"b\"]\n");

	assert_int_equal(1, json_cmp(list, STR(""), "contains", STR("\"a\"")));
	assert_int_equal(0, json_cmp(list, STR(""), "contains", STR("\"c\"")));
	assert_int_equal(1, json_cmp(list, STR(""), "any", STR("[\"c\",\"b\"]")));
	assert_int_equal(1, json_cmp(STR_NONE, STR(""), "exists", STR("false")));
	assert_int_equal(1, json_cmp(STR_NONE, STR("x"), "eq", STR("null")));
	assert_int_equal(0, json_cmp(STR_NONE, STR("x"), "any", STR("[1]")));
	assert_int_equal(1, json_cmp(STR("true"), STR(""), "eq", STR("true")));
	assert_int_equal(1, json_cmp(STR("-3"), STR(""), "lt", STR("-2")));
}

static void
refused(void **state UNUSED)
{
	static const struct row rows[] = {
		{"a", "like", "1", -1},
		{"a", "", "1", -1},
		{"a", "gt", "true", -1},
		{"a", "gt", "[1]", -1},
		{"a", "in", "1", -1},
		{"a", "any", "{}", -1},
		{"a", "exists", "1", -1},
		{"a", "autocomplete", "1", -1},
		{"a", "eq", "", -1},
	};

	check(rows, ARRAY_LEN(rows));
	json_pred_free(NULL);
}

/* Ten thousand values cost a search, not a walk. */
static void
long_lists(void **state UNUSED)
{
	struct json_pred *p;
	struct buf list;
	char json[64];

	buf_init(&list, NULL, 0);
	for (int i = 0; i < 10000; i++)
		buf_printf(&list, "%s\"v%d\",%d", i == 0 ? "[" : ",", i * 2, i * 3);
	buf_char(&list, ']');
	p = json_pred_new(STR("k"), STR("in"), buf_view(&list));
	buf_free(&list);
	assert_non_null(p);
	for (int i = 0; i < 20000; i++) {
		struct str s = {json, 0};

		s.n = (size_t)snprintf(json, sizeof(json), "{\"k\":\"v%d\"}", i);
		assert_int_equal(i % 2 == 0, json_pred_test(p, s));
		s.n = (size_t)snprintf(json, sizeof(json), "{\"k\":%d}", i);
		assert_int_equal(i % 3 == 0, json_pred_test(p, s));
	}
	json_pred_free(p);
}

/* Storage.md asks for a scan of millions of users a second; FAN_BENCH prints the figure. */
static void
speed(void **state UNUSED)
{
	static const char user[] =
		"{\"plan\":\"pro\",\"age\":31,\"city\":\"Amsterdam\",\"score\":12.75,\"tags\":"
		"[\"a\",\"b\"],\"country\":\"USA\",\"x\":true}";
	struct json_pred *p = json_pred_new(STR("country"), STR("eq"), STR("\"USA\""));
	int64_t start = clock_mono_us();
	int hits = 0;

	for (int i = 0; i < 1000000; i++)
		hits += json_pred_test(p, (struct str){user, sizeof(user) - 1});
	assert_int_equal(1000000, hits);
	if (getenv("FAN_BENCH") != NULL)
		print_message("# json_pred_test: %.1f M/s\n",
			1e6 / (double)(clock_mono_us() - start));
	json_pred_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equality),
		cmocka_unit_test(ranges),
		cmocka_unit_test(lists),
		cmocka_unit_test(existence_and_words),
		cmocka_unit_test(paths),
		cmocka_unit_test(whole_values),
		cmocka_unit_test(refused),
		cmocka_unit_test(long_lists),
		cmocka_unit_test(speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
