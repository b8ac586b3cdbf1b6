/* test_jw – what is written is valid JSON and means what went in (I-27). */
#include <float.h>
#include <jansson.h>
#include <math.h>

#include "base/jw.h"
#include "support.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* Reads the buffer back with a parser that is not ours. */
static json_t *
parse(const struct buf *b)
{
	json_error_t why;
	json_t *v = json_loadb(b->p, b->n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);

	if (v == NULL)
		fail_msg("%s in %.*s", why.text, (int)b->n, b->p);
	return v;
}

static void
values_and_commas(void **state)
{
	struct buf b;
	struct jw w;

	(void)state;
	buf_init(&b, NULL, 0);
	jw_init(&w, &b);
	jw_obj(&w);
	jw_kstr(&w, "id", STR("ann"));
	jw_kstr(&w, "team", STR_NONE);
	jw_kstr(&w, "empty", STR(""));
	jw_ki64(&w, "n", -5);
	jw_kbool(&w, "yes", true);
	jw_kbool(&w, "no", false);
	jw_knull(&w, "none");
	jw_kobj(&w, "o");
	jw_end_obj(&w);
	jw_karr(&w, "a");
	jw_i64(&w, 1);
	jw_arr(&w);
	jw_end_arr(&w);
	jw_obj(&w);
	jw_kraw(&w, "raw", STR("[1, 2]"));
	jw_kraw(&w, "unset", STR_NONE);
	jw_end_obj(&w);
	jw_bool(&w, true);
	jw_null(&w);
	jw_str(&w, STR("x"));
	jw_raw(&w, STR("{}"));
	jw_double(&w, 1.5);
	jw_end_arr(&w);
	jw_key(&w, STR("a\"b"));
	jw_str(&w, STR("last"));
	jw_end_obj(&w);
	assert_str(buf_view(&b),
		"{\"id\":\"ann\",\"team\":null,\"empty\":\"\",\"n\":-5,\"yes\":true,\"no\":"
		"false,"
		"\"none\":null,\"o\":{},\"a\":[1,[],{\"raw\":[1, 2],\"unset\":null},true,null,"
		"\"x\",{},1.5],\"a\\\"b\":\"last\"}");
	json_decref(parse(&b));
	buf_free(&b);
}

static void
members_are_flattened(void **state)
{
	static const struct {
		const char *first, *custom, *text;
	} cases[] = {
		{NULL, "{}", "{\"z\":1}"},
		{NULL, " {\n} ", "{\"z\":1}"},
		{NULL, NULL, "{\"z\":1}"},
		{NULL, "{\"a\":{\"b\":{}}}", "{\"a\":{\"b\":{}},\"z\":1}"},
		{"id", "{}", "{\"id\":0,\"z\":1}"},
		{"id", "{ \"a\": [1] , \"b\":2 }\n", "{\"id\":0,\"a\": [1] , \"b\":2,\"z\":1}"},
	};
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct jw w;

		b.n = 0;
		jw_init(&w, &b);
		jw_obj(&w);
		if (cases[i].first)
			jw_ki64(&w, cases[i].first, 0);
		jw_members(&w, str_of(cases[i].custom));
		jw_ki64(&w, "z", 1);
		jw_end_obj(&w);
		assert_str(buf_view(&b), cases[i].text);
		json_decref(parse(&b));
	}
	buf_free(&b);
}

static void
escapes(void **state)
{
	static const struct {
		struct str in;
		const char *out;
	} cases[] = {
		{{"", 0}, ""},
		{{"a\"b\\c/d", 7}, "a\\\"b\\\\c/d"},
		{{"\b\f\n\r\t", 5}, "\\b\\f\\n\\r\\t"},
		{{"\0\x01\x1f\x7f", 4}, "\\u0000\\u0001\\u001f\x7f"},
		{{"Grüße 🎉", 12}, "Grüße 🎉"},
		{{"\xff", 1}, REPLACEMENT},
		{{"a\xe2\x82", 3}, "a" REPLACEMENT REPLACEMENT},
		{{"\xed\xa0\x80", 3}, REPLACEMENT REPLACEMENT REPLACEMENT},
		{{"\xc0\xaf\"", 3}, REPLACEMENT REPLACEMENT "\\\""},
	};
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		b.n = 0;
		jw_escape(&b, cases[i].in);
		assert_str(buf_view(&b), cases[i].out);
	}
	buf_free(&b);
}

/* Each special byte at each place of a text longer than the words that are scanned. */
static void
every_byte_at_every_place_survives(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 0);
	for (unsigned c = 0; c < 0x80; c++)
		for (size_t at = 0; at < 20; at++) {
			char text[20];
			struct jw w;
			json_t *v;

			memset(text, 'x', sizeof(text));
			text[at] = (char)c;
			b.n = 0;
			jw_init(&w, &b);
			jw_str(&w, (struct str){text, sizeof(text)});
			v = parse(&b);
			assert_int_equal(json_string_length(v), sizeof(text));
			assert_memory_equal(json_string_value(v), text, sizeof(text));
			json_decref(v);
		}
	buf_free(&b);
}

/* The meaning of text that is not UTF-8, byte by byte. */
static void
repair(struct buf *out, struct str s)
{
	out->n = 0;
	while (s.n > 0) {
		size_t seq = str_utf8_seq(s);

		buf_str(out, seq ? str_sub(s, 0, seq) : STR(REPLACEMENT));
		s = str_sub(s, seq ? seq : 1, s.n - (seq ? seq : 1));
	}
}

static void
random_text_reads_back(void **state)
{
	static const char *const pieces[] = {"plain ascii text", "\"", "\\", "\n", "\x01", "ü",
		"€", "🎉", "\xff", "\xe2\x82", "\xf0\x9f", "{{receiver.name}}", " "};
	struct buf in, out, expected;
	uint64_t seed = 5;

	(void)state;
	buf_init(&in, NULL, 0);
	buf_init(&out, NULL, 0);
	buf_init(&expected, NULL, 0);
	for (int round = 0; round < 20000; round++) {
		struct jw w;
		json_t *v;

		in.n = out.n = 0;
		for (size_t n = random_below(&seed, 12); n > 0; n--)
			if (random_below(&seed, 3) > 0)
				buf_str(&in,
					str_of(pieces[random_below(&seed, ARRAY_LEN(pieces))]));
			else
				buf_char(&in, (char)next_random(&seed));
		jw_init(&w, &out);
		jw_str(&w, buf_view(&in));
		repair(&expected, buf_view(&in));
		v = parse(&out);
		assert_int_equal(json_string_length(v), expected.n);
		if (expected.n > 0)
			assert_memory_equal(json_string_value(v), expected.p, expected.n);
		json_decref(v);
	}
	buf_free(&expected);
	buf_free(&out);
	buf_free(&in);
}

static void
write_double(struct buf *b, double v)
{
	struct jw w;

	b->n = 0;
	jw_init(&w, b);
	jw_double(&w, v);
}

static void
doubles_are_short_and_exact(void **state)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {{0, "0"}, {0.1, "0.1"}, {-2.5, "-2.5"}, {1e21, "1e+21"}, {100, "100"},
		{1.0 / 3, "0.3333333333333333"}, {0.1 + 0.2, "0.30000000000000004"},
		{5e-324, "5e-324"}, {DBL_MAX, "1.7976931348623157e+308"}};
	uint64_t seed = 6;
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		write_double(&b, cases[i].v);
		assert_str(buf_view(&b), cases[i].text);
	}
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = next_random(&seed);
		json_t *v;
		double d;

		memcpy(&d, &bits, sizeof(d));
		if (!isfinite(d))
			continue;
		write_double(&b, d);
		v = parse(&b);
		assert_true(json_number_value(v) == d);
		json_decref(v);
	}
	buf_free(&b);
}

static void
depth_is_limited(void **state)
{
	struct buf b;
	struct jw w;
	json_t *v;

	(void)state;
	buf_init(&b, NULL, 0);
	jw_init(&w, &b);
	for (int i = 1; i < JW_MAX_DEPTH; i++)
		jw_arr(&w);
	for (int i = 1; i < JW_MAX_DEPTH; i++)
		jw_end_arr(&w);
	v = parse(&b);
	json_decref(v);
	buf_free(&b);
}

static struct jw *
fresh_writer(void)
{
	static struct buf b;
	static struct jw w;

	buf_init(&b, NULL, 64);
	jw_init(&w, &b);
	return &w;
}

static void
open_too_many(void)
{
	struct jw *w = fresh_writer();

	for (int i = 0; i < JW_MAX_DEPTH; i++)
		jw_arr(w);
}

static void
close_the_wrong_kind(void)
{
	struct jw *w = fresh_writer();

	jw_obj(w);
	jw_end_arr(w);
}

static void
close_nothing(void)
{
	jw_end_obj(fresh_writer());
}

static void
value_without_key(void)
{
	struct jw *w = fresh_writer();

	jw_obj(w);
	jw_i64(w, 1);
}

static void
key_without_value(void)
{
	struct jw *w = fresh_writer();

	jw_obj(w);
	jw_key(w, STR("a"));
	jw_end_obj(w);
}

static void
key_in_array(void)
{
	struct jw *w = fresh_writer();

	jw_arr(w);
	jw_key(w, STR("a"));
}

static void
two_roots(void)
{
	struct jw *w = fresh_writer();

	jw_null(w);
	jw_null(w);
}

static void
infinity(void)
{
	jw_double(fresh_writer(), HUGE_VAL);
}

static void
misuse_is_caught(void **state)
{
	(void)state;
	assert_true(dies(open_too_many));
	assert_true(dies(close_the_wrong_kind));
	assert_true(dies(close_nothing));
	assert_true(dies(value_without_key));
	assert_true(dies(key_without_value));
	assert_true(dies(key_in_array));
	assert_true(dies(two_roots));
	assert_true(dies(infinity));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_and_commas),
		cmocka_unit_test(members_are_flattened),
		cmocka_unit_test(escapes),
		cmocka_unit_test(every_byte_at_every_place_survives),
		cmocka_unit_test(random_text_reads_back),
		cmocka_unit_test(doubles_are_short_and_exact),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(misuse_is_caught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
