/* test_str – comparing, numbers, UTF-8, and buffers on heap and arena. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"
#include "support.h"

static void
comparing(void **state)
{
	struct str list[] = {STR("b"), STR("ab"), STR(""), STR("a"), STR("\xff"), STR("B")};

	(void)state;
	assert_true(str_starts(STR("{{receiver.id}}"), STR("{{")));
	assert_true(str_starts(STR("a"), STR("")));
	assert_true(str_starts(STR_NONE, STR_NONE));
	assert_false(str_starts(STR("a"), STR("ab")));
	assert_true(str_ends(STR("a.json"), STR(".json")));
	assert_false(str_ends(STR("json"), STR(".json")));
	assert_true(str_ieq(STR("Content-Type"), STR("content-tYPE")));
	assert_false(str_ieq(STR("a@"), STR("a`")));
	assert_false(str_ieq(STR("a"), STR("ab")));
	assert_true(str_is(STR("POST"), "POST"));
	assert_true(str_cmp(STR("a"), STR("ab")) < 0);
	assert_int_equal(str_cmp(STR("a"), STR("a")), 0);
	assert_int_equal(str_cmp(STR_NONE, STR("")), 0);
	qsort(list, ARRAY_LEN(list), sizeof(list[0]), str_cmp_qsort);
	assert_str(list[0], "");
	assert_str(list[1], "B");
	assert_str(list[2], "a");
	assert_str(list[3], "ab");
	assert_str(list[5], "\xff");
}

static void
finding(void **state)
{
	(void)state;
	assert_int_equal(str_find(STR("a:b:c"), ':', 0), 1);
	assert_int_equal(str_find(STR("a:b:c"), ':', 1), 1);
	assert_int_equal(str_find(STR("a:b:c"), ':', 2), 3);
	assert_int_equal(str_find(STR("a:b:c"), ':', 4), 5);
	assert_int_equal(str_find(STR("a:b:c"), ':', 99), 5);
	assert_int_equal(str_find(STR_NONE, ':', 0), 0);
}

static void
trimming(void **state)
{
	(void)state;
	assert_str(str_trim(STR(" \t\r\n\v\fa b\n ")), "a b");
	assert_str(str_trim(STR("a")), "a");
	assert_int_equal(str_trim(STR(" \t ")).n, 0);
	assert_null(str_trim(STR_NONE).p);
}

/* What is put is one sequence, and code points keep their order. */
static void
code_points_become_utf8(void **state)
{
	static const uint32_t edges[] = {
		0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff};
	char text[4], before[4];
	struct str last = STR_NONE;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		struct str s = {text, str_utf8_put(edges[i], text)};

		assert_int_equal(str_utf8_seq(s), s.n);
		assert_true(str_cmp(last, s) < 0);
		memcpy(before, text, s.n);
		last = (struct str){before, s.n};
	}
	assert_memory_equal(text, "\xf4\x8f\xbf\xbf", 4);
}

static void
integers_are_read_whole_or_not(void **state)
{
	static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "1.0", "0x1", "--1",
		"9223372036854775808", "-9223372036854775809", "99999999999999999999999"};
	int64_t v = 42;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(str_to_i64(str_of(bad[i]), &v));
	assert_int_equal(v, 42);
	assert_true(str_to_i64(STR("0"), &v) && v == 0);
	assert_true(str_to_i64(STR("-0"), &v) && v == 0);
	assert_true(str_to_i64(STR("007"), &v) && v == 7);
	assert_true(str_to_i64(STR("9223372036854775807"), &v) && v == INT64_MAX);
	assert_true(str_to_i64(STR("-9223372036854775808"), &v) && v == INT64_MIN);
}

static void
printed_integers_read_back(void **state)
{
	static const int64_t some[] = {0, 1, -1, 9, 10, -10, INT64_MAX, INT64_MIN};
	uint64_t seed = 2;
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 0);
	for (size_t i = 0; i < 10000; i++) {
		int64_t v = i < ARRAY_LEN(some)
				    ? some[i]
				    : (int64_t)(next_random(&seed) >> random_below(&seed, 64));
		char expected[32];

		b.n = 0;
		buf_i64(&b, v);
		snprintf(expected, sizeof(expected), "%" PRId64, v);
		assert_str(buf_view(&b), expected);
		assert_true(str_to_i64(buf_view(&b), &v));
	}
	buf_free(&b);
}

static void
utf8_follows_the_standard(void **state)
{
	static const char *const good[] = {"a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2",
		"\xe0\x9f\xbf", "\xe1\x80", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
		"\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe1\x80\x61",
		"\xc2\x61"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(str_utf8_seq(str_of(good[i])), strlen(good[i]));
		assert_int_equal(str_utf8_len(str_of(good[i])), 1);
		assert_true(str_utf8_valid(str_of(good[i])));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(str_utf8_seq(str_of(bad[i])), 0);
		assert_false(str_utf8_valid(str_of(bad[i])));
	}
	assert_true(str_utf8_valid(STR("")));
	assert_int_equal(str_utf8_seq(STR("")), 0);
	assert_int_equal(str_utf8_len(STR("Grüße 🎉")), 7);
	assert_int_equal(str_utf8_len(STR("\xff\xff"
					  "a")),
		3);
}

static void
clipping_keeps_characters_whole(void **state)
{
	struct str text = STR("aü🎉z"); /* 1 + 2 + 4 + 1 bytes */
	static const size_t expected[] = {0, 1, 1, 3, 3, 3, 3, 7, 8, 8};

	(void)state;
	for (size_t max = 0; max < ARRAY_LEN(expected); max++)
		assert_int_equal(str_clip(text, max).n, expected[max]);
	assert_int_equal(str_clip(STR("\x80\x80\x80\x80\x80\x80"), 5).n, 2);
}

static void
urls_are_shown_without_what_may_be_secret(void **state)
{
	static const struct {
		struct str value, shown;
	} cases[] = {
		{STR_INIT("postgresql://ann:pw@host/x"), STR_INIT("postgresql://")},
		{STR_INIT("--store=postgresql://ann:pw@host/x"),
			STR_INIT("--store=postgresql://")},
		{STR_INIT("://"), STR_INIT("://")},
		{STR_INIT("sqlite:/a/b"), STR_INIT("sqlite:/a/b")},
		{STR_INIT("a:/"), STR_INIT("a:/")},
		{STR_INIT(""), STR_INIT("")},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_true(str_eq(str_public(cases[i].value), cases[i].shown));
	assert_int_equal(str_public(STR_NONE).n, 0);
}

static void
grow_and_check(struct arena *arena)
{
	struct arena_mark *other = NULL;
	struct buf b;
	uint64_t seed = 3;

	buf_init(&b, arena, 0);
	assert_str(buf_view(&b), "");
	buf_str(&b, STR_NONE);
	assert_int_equal(b.n, 0);
	for (size_t i = 0; i < 3000; i++) {
		size_t n = random_below(&seed, 100);

		for (size_t k = 0; k < n; k++)
			buf_char(&b, (char)('a' + b.n % 26));
		if (arena != NULL && i % 7 == 0)
			other = arena_zalloc(arena, sizeof(*other));
		assert_true(b.n <= b.cap);
	}
	for (size_t i = 0; i < b.n; i++)
		assert_int_equal(b.p[i], (char)('a' + i % 26));
	buf_free(&b);
	assert_int_equal(b.p == NULL, arena == NULL);
}

static void
buffers_grow_on_heap_and_arena(void **state)
{
	struct arena a;

	(void)state;
	grow_and_check(NULL);
	arena_init(&a, 4096, 1 << 24);
	grow_and_check(&a);
	arena_fini(&a);
}

static void
printf_fits_any_length(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 10);
	for (int width = 0; width < 300; width++) {
		size_t before = b.n;

		buf_printf(&b, "<%*s>", width, "");
		assert_int_equal(b.n - before, width + 2);
		assert_int_equal(b.p[before], '<');
		assert_int_equal(b.p[b.n - 1], '>');
	}
	buf_free(&b);
}

static void
grow_beyond_memory(void)
{
	struct buf b;

	buf_init(&b, NULL, 16);
	b.n = 8;
	buf_room(&b, SIZE_MAX - 4);
}

static void
sizes_are_checked(void **state)
{
	(void)state;
	assert_true(dies(grow_beyond_memory));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparing),
		cmocka_unit_test(finding),
		cmocka_unit_test(trimming),
		cmocka_unit_test(code_points_become_utf8),
		cmocka_unit_test(integers_are_read_whole_or_not),
		cmocka_unit_test(printed_integers_read_back),
		cmocka_unit_test(utf8_follows_the_standard),
		cmocka_unit_test(clipping_keeps_characters_whole),
		cmocka_unit_test(urls_are_shown_without_what_may_be_secret),
		cmocka_unit_test(buffers_grow_on_heap_and_arena),
		cmocka_unit_test(printf_fits_any_length),
		cmocka_unit_test(sizes_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
