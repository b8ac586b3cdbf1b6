/* test_jscan – the cursor finds what a parser would find, and survives what is no JSON. */
#include <jansson.h>

#include "base/arena.h"
#include "base/jscan.h"
#include "base/jw.h"
#include "support.h"

static struct jscan_value
path(const char *json, const char *a, const char *b)
{
	const struct str keys[] = {str_of(a), str_of(b)};

	return jscan_path(str_of(json), keys, b ? 2 : a ? 1 : 0);
}

static void
members_by_name(void **state)
{
	const char *json =
		" { \"a\" : 1 , \"b\" : { \"c\" : [ {}, \"}\" ] , \"d\":\"x\" },\n"
		"\"\":true,\"e\\\"f\":false,\"\\u00e4\\ud83d\\ude00\":null,\"a\\\\\":-2.5e3 } ";

	(void)state;
	assert_str(path(json, "a", NULL).raw, "1");
	assert_int_equal(path(json, "a", NULL).type, JSCAN_NUMBER);
	assert_str(path(json, "b", "c").raw, "[ {}, \"}\" ]");
	assert_int_equal(path(json, "b", "c").type, JSCAN_ARRAY);
	assert_str(path(json, "b", "d").raw, "\"x\"");
	assert_int_equal(path(json, "", NULL).type, JSCAN_TRUE);
	assert_int_equal(path(json, "e\"f", NULL).type, JSCAN_FALSE);
	assert_int_equal(path(json, "\xc3\xa4\xf0\x9f\x98\x80", NULL).type, JSCAN_NULL);
	assert_str(path(json, "a\\", NULL).raw, "-2.5e3");
	assert_int_equal(path(json, "a\\\\", NULL).type, JSCAN_NONE); /* as it is spelt */
	assert_int_equal(path(json, NULL, NULL).type, JSCAN_OBJECT);
	assert_str(path(" [1] ", NULL, NULL).raw, "[1]");
	assert_int_equal(path(json, "c", NULL).type, JSCAN_NONE); /* only deeper */
	assert_int_equal(path(json, "a", "c").type, JSCAN_NONE);
	assert_int_equal(path(json, "nowhere", "c").type, JSCAN_NONE);
	assert_null(path(json, "nowhere", NULL).raw.p);
	assert_int_equal(path("[1]", "0", NULL).type, JSCAN_NONE);
	assert_int_equal(jscan_member(STR_NONE, STR("a")).type, JSCAN_NONE);
	assert_int_equal(jscan_path(STR_NONE, NULL, 0).type, JSCAN_NONE);
}

static void
walks_arrays_and_objects(void **state)
{
	struct str array = STR("[ 1,\"two\" ,[3, 3],{\"four\":4},null,true , false ]");
	static const enum jscan_type types[] = {JSCAN_NUMBER, JSCAN_STRING, JSCAN_ARRAY,
		JSCAN_OBJECT, JSCAN_NULL, JSCAN_TRUE, JSCAN_FALSE};
	struct str object = STR("{\"a\":1, \"b\\n\" : [2]}"), key;
	struct jscan_value v;
	size_t at = 0, n = 0;

	(void)state;
	while (jscan_next(array, &at, &v))
		assert_int_equal(v.type, types[n++]);
	assert_int_equal(n, ARRAY_LEN(types));
	assert_false(jscan_next(array, &at, &v));

	at = 0;
	assert_true(jscan_next_member(object, &at, &key, &v));
	assert_str(key, "a");
	assert_str(v.raw, "1");
	assert_true(jscan_next_member(object, &at, &key, &v));
	assert_str(key, "b\\n");
	assert_str(v.raw, "[2]");
	assert_false(jscan_next_member(object, &at, &key, &v));
	assert_false(jscan_next_member(object, &at, &key, &v));

	at = 0;
	assert_false(jscan_next(STR("[]"), &at, &v));
	assert_false(jscan_next(STR(" [ ] "), &at, &v));
	assert_false(jscan_next(object, &at, &v));
	assert_false(jscan_next_member(STR("{ }"), &at, &key, &v));
	assert_false(jscan_next_member(array, &at, &key, &v));
}

static void
text_and_numbers(void **state)
{
	struct buf b;
	struct str text;

	(void)state;
	buf_init(&b, NULL, 0);
	jscan_unescape(
		&b, STR("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\uD83D\\uDE00z\""));
	assert_str(buf_view(&b), "a\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
	b.n = 0;
	jscan_unescape(&b, STR("\"\\ud83d \\ud83d\\u0041 \\ude00\"")); /* halves */
	assert_str(buf_view(&b), "\xef\xbf\xbd \xef\xbf\xbd"
				 "A \xef\xbf\xbd");
	b.n = 0;
	jscan_unescape(&b, STR("\"\""));
	assert_int_equal(b.n, 0);
	buf_free(&b);

	assert_true(jscan_plain(STR("\"plain \xc3\xa9\""), &text));
	assert_str(text, "plain \xc3\xa9");
	assert_true(jscan_plain(STR("\"\""), &text));
	assert_int_equal(text.n, 0);
	assert_false(jscan_plain(STR("\"a\\n\""), &text));

	assert_true(jscan_number(STR("-12.5e2")) == -1250.0);
	assert_true(jscan_number(STR("9007199254740993")) == 9007199254740992.0);
	assert_true(jscan_number(STR("0.1")) == 0.1);
}

/* Deep nesting costs no stack. */
static void
depth_is_no_recursion(void **state)
{
	const size_t depth = 1000000;
	struct jscan_value v;
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 2 * depth + 32);
	buf_str(&b, STR("{\"deep\":"));
	memset(buf_room(&b, depth), '[', depth);
	b.n += depth;
	memset(buf_room(&b, depth), ']', depth);
	b.n += depth;
	buf_str(&b, STR(",\"x\":7}"));
	v = jscan_member(buf_view(&b), STR("x"));
	assert_str(v.raw, "7");
	buf_free(&b);
}

/* Every way of cutting a text off, in memory of exactly that size: ASan watches. */
static void
cut_texts_are_survived(void **state)
{
	static const char whole[] =
		"{\"a\":{\"b\\u00e9\":[1,\"\\ud83d\\ude00\",true]},\"c\":-1.5}";
	struct str keys[] = {STR("a"), STR("b\xc3\xa9")};

	(void)state;
	for (size_t n = 0; n < sizeof(whole); n++) {
		struct arena a;
		struct str s, key;
		struct jscan_value v;
		struct buf b;
		size_t at = 0;
		char *copy;

		arena_init(&a, 256, 1 << 20);
		copy = arena_alloc(&a, n);
		memcpy(copy, whole, n);
		s = (struct str){copy, n};
		buf_init(&b, &a, 0);
		jscan_path(s, keys, 2);
		jscan_member(s, STR("c"));
		while (jscan_next_member(s, &at, &key, &v))
			jscan_unescape(&b, v.raw);
		jscan_unescape(&b, s);
		jscan_number(s);
		arena_fini(&a);
	}
}

static void
put_random(struct jw *w, uint64_t *seed, int depth)
{
	size_t kind = random_below(seed, depth > 3 ? 5 : 7), n = random_below(seed, 4);
	char text[8];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = "ab\\\"\n/{]"[random_below(seed, 8)];
	switch (kind) {
	case 0:
		jw_null(w);
		break;
	case 1:
		jw_bool(w, n & 1);
		break;
	case 2:
		jw_i64(w, (int64_t)next_random(seed));
		break;
	case 3:
	case 4:
		jw_str(w, (struct str){text, n});
		break;
	case 5:
		jw_arr(w);
		for (size_t i = 0; i < n; i++)
			put_random(w, seed, depth + 1);
		jw_end_arr(w);
		break;
	default:
		jw_obj(w);
		for (size_t i = 0; i < n; i++) {
			text[0] = (char)('p' + i);
			jw_key(w, (struct str){text, 3});
			put_random(w, seed, depth + 1);
		}
		jw_end_obj(w);
		break;
	}
}

/* The same tree, built by the cursor's walk and by jansson. */
static json_t *
rebuild(struct jscan_value v)
{
	json_t *out = NULL;
	struct jscan_value kid;
	struct buf text;
	struct str key;
	size_t at = 0;

	buf_init(&text, NULL, 16);
	switch (v.type) {
	case JSCAN_ARRAY:
		out = json_array();
		while (jscan_next(v.raw, &at, &kid))
			json_array_append_new(out, rebuild(kid));
		break;
	case JSCAN_OBJECT:
		out = json_object();
		while (jscan_next_member(v.raw, &at, &key, &kid)) {
			text.n = 0;
			jscan_unescape(&text, (struct str){key.p - 1, key.n + 2});
			assert_ptr_equal(jscan_member(v.raw, buf_view(&text)).raw.p, kid.raw.p);
			buf_char(&text, '\0');
			json_object_set_new(out, text.p, rebuild(kid));
		}
		break;
	case JSCAN_STRING:
		jscan_unescape(&text, v.raw);
		out = json_stringn(buf_view(&text).p, text.n);
		break;
	default:
		out = json_loadb(v.raw.p, v.raw.n, JSON_DECODE_ANY, NULL);
		break;
	}
	buf_free(&text);
	assert_non_null(out);
	return out;
}

static void
agrees_with_a_parser(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		json_t *want, *got;
		struct buf b;
		struct jw w;

		buf_init(&b, NULL, 0);
		jw_init(&w, &b);
		put_random(&w, &seed, 0);
		want = json_loadb(b.p, b.n, JSON_DECODE_ANY, NULL);
		got = rebuild(jscan_path(buf_view(&b), NULL, 0));
		if (!json_equal(want, got))
			fail_msg("differs: %.*s", (int)b.n, b.p);
		json_decref(want);
		json_decref(got);
		buf_free(&b);
	}
}

static void
types_by_how_they_begin(void **state)
{
	static const struct {
		const char *json;
		enum jscan_type type;
	} cases[] = {{"\"x", JSCAN_STRING}, {"{", JSCAN_OBJECT}, {"[1]", JSCAN_ARRAY},
		{"true", JSCAN_TRUE}, {"false", JSCAN_FALSE}, {"null", JSCAN_NULL},
		{"-1", JSCAN_NUMBER}, {"0", JSCAN_NUMBER}, {"9e9", JSCAN_NUMBER},
		{"", JSCAN_NONE}, {" 1", JSCAN_NONE}, {"+1", JSCAN_NONE}, {".5", JSCAN_NONE},
		{"x", JSCAN_NONE}, {"}", JSCAN_NONE}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(jscan_type_of(str_of(cases[i].json)), cases[i].type);
	assert_int_equal(jscan_type_of(STR_NONE), JSCAN_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_by_name),
		cmocka_unit_test(types_by_how_they_begin),
		cmocka_unit_test(walks_arrays_and_objects),
		cmocka_unit_test(text_and_numbers),
		cmocka_unit_test(depth_is_no_recursion),
		cmocka_unit_test(cut_texts_are_survived),
		cmocka_unit_test(agrees_with_a_parser),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
