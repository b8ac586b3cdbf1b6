/* test_crypt – known answers, and encodings with one text per value (I-25). */
#include "base/arena.h"
#include "base/crypt.h"
#include "support.h"

static struct arena arena;

static int
set_up(void **state)
{
	(void)state;
	arena_init(&arena, 4096, 1 << 20);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static struct str
hex_of(const uint8_t *digest)
{
	return crypt_hex(&arena, (struct str){(const char *)digest, CRYPT_SHA256_LEN});
}

static void
sha256_known_answers(void **state)
{
	uint8_t out[CRYPT_SHA256_LEN];

	(void)state;
	crypt_sha256(STR("abc"), out);
	assert_str(hex_of(out),
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	crypt_sha256(STR(""), out);
	assert_str(hex_of(out),
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	crypt_sha256(STR_NONE, out);
	assert_str(hex_of(out),
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void
hmac_known_answers(void **state)
{
	/* The first two: api.md, Appendix C; the third: RFC 4231, case 2. */
	static const struct {
		const char *key, *body, *hex;
	} cases[] = {
		{"porewqKAFDSAKZssecretsercretfads", "text",
			"d0b770e93a56adc3ee9ac5734533cc0acd71eea8e5e8204a28042ca0f60de1f3"},
		{"porewqKAFDSAKZssecretsercretfads", "{\"a\":1}",
			"e527a6ad4993a4c9a30680c8be4b3eda1c36ab104f1f7d39c744bd27016a9624"},
		{"Jefe", "what do ya want for nothing?",
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{NULL, NULL,
			"b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t out[CRYPT_SHA256_LEN];

		crypt_hmac_sha256(str_of(cases[i].key), str_of(cases[i].body), out);
		assert_str(hex_of(out), cases[i].hex);
	}
}

static void
equality(void **state)
{
	(void)state;
	assert_true(crypt_equal("abc", "abc", 3));
	assert_false(crypt_equal("abc", "abd", 3));
	assert_false(crypt_equal("xbc", "abc", 3));
	assert_true(crypt_equal("abc", "abd", 2));
	assert_true(crypt_equal("a", "b", 0));
}

static void
random_bytes_differ(void **state)
{
	uint8_t a[32] = {0}, b[32] = {0};

	(void)state;
	crypt_random(a, sizeof(a));
	crypt_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	crypt_random(a, 0);
}

static void
b64url_known_answers(void **state)
{
	/* RFC 4648, section 10, and the two characters that differ from plain base64. */
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"},
		{"foo", "Zm9v"}, {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"},
		{"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "-__-"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct str back;

		assert_str(crypt_b64url(&arena, str_of(pairs[i][0])), pairs[i][1]);
		assert_true(crypt_b64url_read(&arena, str_of(pairs[i][1]), &back));
		assert_str(back, pairs[i][0]);
	}
}

static void
b64url_refuses_all_other_forms(void **state)
{
	static const char *const bad[] = {"Zg==", "Zm8=", "A", "Zm9vY", "+//+", "Zm 8", "Zm8\n",
		"Zm8.", "Zg=", "\xc3\xbc", "Zh", "Zm9",
		"Zm9vYm" /* bits behind the last byte */};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct str out = STR("untouched");

		if (crypt_b64url_read(&arena, str_of(bad[i]), &out))
			fail_msg("accepted %s", bad[i]);
		assert_str(out, "untouched");
	}
}

/* What is read is exactly what would be written. */
static void
b64url_is_a_bijection(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		char bytes[64], text[4];
		size_t n = random_below(&seed, sizeof(bytes));
		struct str in = {bytes, n}, back, encoded;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (char)next_random(&seed);
		encoded = crypt_b64url(&arena, in);
		assert_true(crypt_b64url_read(&arena, encoded, &back));
		assert_true(str_eq(in, back));
		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = "AQgwZ_-9"[random_below(&seed, 8)];
		in = (struct str){text, random_below(&seed, 5)};
		if (crypt_b64url_read(&arena, in, &back))
			assert_true(str_eq(crypt_b64url(&arena, back), in));
	}
}

static void
hex(void **state)
{
	(void)state;
	assert_str(crypt_hex(&arena, STR("\x00\x7f\xff")), "007fff");
	assert_str(crypt_hex(&arena, STR_NONE), "");
}

#define WITH_ARENA(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void
base64_of_files(void **state)
{
	static const char *const bad[] = {"QUJD=X", "Q", "QUI===", "QU-D", "QUI*"};
	struct str out;

	(void)state;
	assert_true(crypt_base64_read(&arena, STR("QUJD\r\nREVG \n"), &out));
	assert_str(out, "ABCDEF");
	assert_true(crypt_base64_read(&arena, STR("QUI="), &out));
	assert_str(out, "AB");
	assert_true(crypt_base64_read(&arena, STR("+/+/"), &out));
	assert_str(out, "\xfb\xff\xbf");
	assert_true(crypt_base64_read(&arena, STR(""), &out));
	assert_int_equal(out.n, 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(crypt_base64_read(&arena, str_of(bad[i]), &out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ARENA(sha256_known_answers),
		WITH_ARENA(hmac_known_answers),
		WITH_ARENA(equality),
		WITH_ARENA(random_bytes_differ),
		WITH_ARENA(b64url_known_answers),
		WITH_ARENA(b64url_refuses_all_other_forms),
		WITH_ARENA(b64url_is_a_bijection),
		WITH_ARENA(hex),
		WITH_ARENA(base64_of_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
