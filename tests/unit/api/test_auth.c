/* test_auth – tokens: what passes, what does not, and that nothing else does (I-25). */

#include "../unit.h"
#include "api/auth.h"
#include "base/arena.h"
#include "base/crypt.h"
#include "base/err.h"
#include "domain/app.h"

#define NOW     1800000000
#define SECRET  "a secret of the tests"
#define HS256   "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define LONGEST 8192

static const struct app app = {
	.api_key = {"key", 3}, .api_secret = {SECRET, sizeof SECRET - 1}};

/* Any header and claims, signed properly. */
static struct str
sign(struct arena *a, struct str header, struct str claims, struct str secret)
{
	struct str head = crypt_b64url(a, header), body = crypt_b64url(a, claims), mac;
	uint8_t bytes[CRYPT_SHA256_LEN];
	struct str text = arena_printf(a, "%.*s.%.*s", STR_ARG(head), STR_ARG(body));

	crypt_hmac_sha256(secret, text, bytes);
	mac = crypt_b64url(a, (struct str){(const char *)bytes, sizeof bytes});
	return arena_printf(a, "%.*s.%.*s", STR_ARG(text), STR_ARG(mac));
}

static struct str
signed_claims(struct arena *a, const char *claims)
{
	return sign(a, STR(HS256), str_of(claims), app.api_secret);
}

static enum err_code
check(struct arena *a, struct str jwt, struct token *out)
{
	struct err e = {0};

	if (auth_check(a, &app, jwt, NOW, out, &e))
		return ERR_NONE;
	assert_int_not_equal(e.code, ERR_NONE);
	assert_true(e.msg[0] != '\0');
	return e.code;
}

static void
expect(struct arena *a, const char *what, struct str jwt, enum err_code code)
{
	struct token t;
	enum err_code got = check(a, jwt, &t);

	if (got != code)
		fail_msg("%s: %s instead of %s", what, err_name(got), err_name(code));
}

/* ---- what passes ------------------------------------------------------------------- */

static void
server_tokens(void **state)
{
	static const char *const claims[] = {
		"{\"server\":true}",
		"{}",
		"{\"iat\":1799999995,\"iss\":\"x\",\"sub\":\"y\",\"scope\":\"admins\"}",
		"{\"server\":true,\"user_id\":\"bob\"}",
		"{\"server\":true,\"user_id\":null}",
		"{\"server\":false}",
		"{\"exp\":1800000001}",
		"{\"exp\":1800000001.5}",
		"{\"exp\":null,\"nbf\":null,\"iat\":null}",
		"{\"exp\":9223372036854775807}",
		"{\"exp\":1e300,\"nbf\":-1e300,\"iat\":-9223372036854775808}",
		"{\"nbf\":1800000010,\"iat\":1800000010}",
		" {\"a\":[{\"b\":\"\\u00e4\"}]} ",
	};
	struct token t;

	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		enum err_code code = check(*state, signed_claims(*state, claims[i]), &t);

		if (code != ERR_NONE || t.user_id.p)
			fail_msg("%s: %s", claims[i], err_name(code));
	}
}

static void
user_tokens(void **state)
{
	struct token t;

	assert_int_equal(
		check(*state, signed_claims(*state, "{\"user_id\":\"bob\"}"), &t), ERR_NONE);
	assert_true(str_is(t.user_id, "bob"));
	assert_int_equal(t.iat, INT64_MIN);
	assert_int_equal(check(*state,
				 signed_claims(*state, "{\"user_id\":\"b@x-1_\",\"iat\":17,"
						       "\"server\":\"true\"}"),
				 &t),
		ERR_NONE);
	assert_true(str_is(t.user_id, "b@x-1_"));
	assert_int_equal(t.iat, 17);
}

static void
headers_may_say_more(void **state)
{
	static const char *const headers[] = {
		"{\"alg\":\"HS256\"}",
		"{\"typ\":5,\"alg\":\"HS256\"}",
		"{\"alg\":\"HS256\",\"kid\":\"../../key\",\"jku\":\"http://x\",\"x5u\":\"y\"}",
	};
	struct token t;

	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		assert_int_equal(
			check(*state,
				sign(*state, str_of(headers[i]), STR("{}"), app.api_secret),
				&t),
			ERR_NONE);
}

static void
own_tokens_pass(void **state)
{
	struct token t;
	struct str jwt = auth_sign(*state, app.api_secret, STR_NONE, NOW, 0);

	/* The header and claims that the JavaScript SDK makes, byte for byte. */
	assert_true(str_starts(
		jwt, STR("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzZXJ2ZXIiOnRydWV9.")));
	assert_int_equal(check(*state, jwt, &t), ERR_NONE);
	assert_null(t.user_id.p);
	jwt = auth_sign(*state, app.api_secret, STR("bob"), NOW, 60);
	assert_int_equal(check(*state, jwt, &t), ERR_NONE);
	assert_true(str_is(t.user_id, "bob"));
	assert_int_equal(t.iat, NOW);
	expect(*state, "ttl", auth_sign(*state, app.api_secret, STR("bob"), NOW - 60, 60),
		ERR_EXPIRED);
	expect(*state, "secret", auth_sign(*state, STR("another"), STR("bob"), NOW, 60),
		ERR_SIGNATURE);
}

/* ---- what does not ----------------------------------------------------------------- */

static void
bad_claims(void **state)
{
	static const struct {
		const char *claims;
		enum err_code code;
	} cases[] = {
		{"{\"exp\":1800000000}", ERR_EXPIRED},
		{"{\"exp\":1799999999.9}", ERR_EXPIRED},
		{"{\"exp\":0}", ERR_EXPIRED},
		{"{\"exp\":-1}", ERR_EXPIRED},
		{"{\"exp\":-9223372036854775808}", ERR_EXPIRED},
		{"{\"exp\":-1e300}", ERR_EXPIRED},
		{"{\"exp\":1,\"nbf\":1900000000,\"iat\":1900000000}", ERR_EXPIRED},
		{"{\"nbf\":1800000011}", ERR_NOT_YET},
		{"{\"nbf\":9223372036854775807}", ERR_NOT_YET},
		{"{\"nbf\":1900000000,\"iat\":1900000000}", ERR_NOT_YET},
		{"{\"iat\":1800000011}", ERR_BEFORE_ISSUED},
		{"{\"iat\":1e30}", ERR_BEFORE_ISSUED},
		{"{\"exp\":\"1900000000\"}", ERR_AUTH},
		{"{\"exp\":1e400}", ERR_AUTH},
		{"{\"exp\":true}", ERR_AUTH},
		{"{\"nbf\":\"0\"}", ERR_AUTH},
		{"{\"nbf\":[]}", ERR_AUTH},
		{"{\"iat\":{}}", ERR_AUTH},
		{"{\"user_id\":\"\"}", ERR_AUTH},
		{"{\"user_id\":null}", ERR_AUTH},
		{"{\"user_id\":5}", ERR_AUTH},
		{"{\"user_id\":[\"bob\"]}", ERR_AUTH},
		{"{\"user_id\":\"a b\"}", ERR_AUTH},
		{"{\"user_id\":\"bob\\u0000\"}", ERR_AUTH},
		{"{\"user_id\":\"bob\",\"user_id\":\"ann\"}", ERR_AUTH},
		{"{\"server\":true", ERR_AUTH},
		{"{\"server\":true}}", ERR_AUTH},
		{"[]", ERR_AUTH},
		{"\"server\"", ERR_AUTH},
		{"null", ERR_AUTH},
		{"", ERR_AUTH},
		{"server", ERR_AUTH},
		{"{\"a\":\"\xff\"}", ERR_AUTH},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect(*state, cases[i].claims, signed_claims(*state, cases[i].claims),
			cases[i].code);
}

static void
bad_headers(void **state)
{
	static const char *const headers[] = {
		"{\"alg\":\"none\"}",
		"{\"alg\":\"None\"}",
		"{\"alg\":\"NONE\"}",
		"{\"alg\":\"nOnE\"}",
		"{\"alg\":\"hs256\"}",
		"{\"alg\":\"HS384\"}",
		"{\"alg\":\"RS256\"}",
		"{\"alg\":\"ES256\"}",
		"{\"alg\":\"PS256\"}",
		"{\"alg\":\"\"}",
		"{\"alg\":null}",
		"{\"alg\":256}",
		"{\"alg\":[\"HS256\"]}",
		"{\"alg\":\"HS256 \"}",
		"{\"Alg\":\"HS256\"}",
		"{}",
		"[]",
		"null",
		"",
		"\"HS256\"",
		"HS256",
		"{\"alg\":\"none\",\"alg\":\"HS256\"}",
		"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
		"{\"alg\":\"HS256\",\"crit\":[]}",
		"{\"alg\":\"HS256\",\"crit\":null}",
	};

	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		expect(*state, headers[i],
			sign(*state, str_of(headers[i]), STR("{\"server\":true}"),
				app.api_secret),
			ERR_AUTH);
}

static void
bad_shapes(void **state)
{
	struct str good = signed_claims(*state, "{\"server\":true}");
	struct str parts = crypt_b64url(*state, STR(HS256));
	static char long_claims[LONGEST];

	expect(*state, "nothing", STR(""), ERR_AUTH);
	expect(*state, "one part", parts, ERR_AUTH);
	expect(*state, "two parts", arena_printf(*state, "%.*s.e30", STR_ARG(parts)), ERR_AUTH);
	expect(*state, "four parts", arena_printf(*state, "%.*s.x", STR_ARG(good)), ERR_AUTH);
	expect(*state, "five parts", arena_printf(*state, "%.*s.x.y", STR_ARG(good)), ERR_AUTH);
	expect(*state, "dots", STR(".."), ERR_AUTH);
	expect(*state, "padding", arena_printf(*state, "%.*s=", STR_ARG(good)), ERR_AUTH);
	expect(*state, "a blank", arena_printf(*state, " %.*s", STR_ARG(good)), ERR_AUTH);
	expect(*state, "a newline", arena_printf(*state, "%.*s\n", STR_ARG(good)), ERR_AUTH);
	expect(*state, "devtoken",
		arena_printf(*state, "%.*s.eyJ1c2VyX2lkIjoiYm9iIn0.devtoken", STR_ARG(parts)),
		ERR_SIGNATURE);
	expect(*state, "no signature", arena_printf(*state, "%.*s.e30.", STR_ARG(parts)),
		ERR_SIGNATURE);
	memset(long_claims, ' ', sizeof long_claims);
	expect(*state, "too long",
		sign(*state, STR(HS256), (struct str){long_claims, sizeof long_claims},
			app.api_secret),
		ERR_AUTH);
}

/* The 43rd character of a signature carries 4 bits; the other 2 must be 0. */
static void
only_canonical_signatures(void **state)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct str good = signed_claims(*state, "{}");
	char *twin = arena_alloc(*state, good.n);
	size_t last = (size_t)(strchr(digits, good.p[good.n - 1]) - digits);

	for (size_t bits = 1; bits < 4; bits++) {
		memcpy(twin, good.p, good.n);
		twin[good.n - 1] = digits[last ^ bits];
		expect(*state, "unused bits", (struct str){twin, good.n}, ERR_AUTH);
	}
}

/* No token with one byte changed passes. */
static void
every_byte_counts(void **state)
{
	struct str good = signed_claims(*state, "{\"user_id\":\"bob\",\"iat\":5}");
	struct token t;

	for (size_t i = 0; i < good.n; i++) {
		struct arena_mark m = arena_mark(*state);
		char *bad = arena_alloc(*state, good.n);

		for (int bit = 0; bit < 8; bit++) {
			memcpy(bad, good.p, good.n);
			bad[i] = (char)(bad[i] ^ 1 << bit);
			assert_int_not_equal(
				check(*state, (struct str){bad, good.n}, &t), ERR_NONE);
		}
		arena_rewind(*state, m);
	}
	for (size_t n = 0; n < good.n; n++)
		assert_int_not_equal(check(*state, str_sub(good, 0, n), &t), ERR_NONE);
}

static void
another_secret(void **state)
{
	static const char *const secrets[] = {
		"", "another", SECRET "x", "a secret of the test"};

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		expect(*state, secrets[i],
			sign(*state, STR(HS256), STR("{\"server\":true}"), str_of(secrets[i])),
			ERR_SIGNATURE);
	/* The signature is told before what an unproven token claims. */
	expect(*state, "expired", sign(*state, STR(HS256), STR("{\"exp\":1}"), STR("another")),
		ERR_SIGNATURE);
}

/* ---- development tokens -------------------------------------------------------------- */

/* Made by clients for themselves: they can name a user, and nothing more. */
static void
development_tokens(void **state)
{
	static const struct {
		const char *jwt, *user; /* NULL: refused */
	} cases[] = {
		{"e30.eyJ1c2VyX2lkIjoiYm9iIn0.devtoken", "bob"},
		{"e30.eyJ1c2VyX2lkIjoiYm9iIn0=.devtoken", "bob"},
		{"anything.eyJ1c2VyX2lkIjoiYm9iIiwieCI6Ij8_Pz8ifQ==.devtoken", "bob"},
		{"e30.eyJ1c2VyX2lkIjoiYm9iIiwieCI6Ij8/Pz8ifQ==.devtoken", "bob"},
		{"e30.e30.devtoken", NULL},                  /* {} */
		{"e30.eyJzZXJ2ZXIiOnRydWV9.devtoken", NULL}, /* server: true */
		{"e30.eyJzZXJ2ZXIiOnRydWUsInVzZXJfaWQiOiJib2IifQ.devtoken", NULL},
		{"e30.eyJ1c2VyX2lkIjpudWxsfQ.devtoken", NULL}, /* user_id: null */
		{"e30.W10.devtoken", NULL},                    /* [] */
		{"e30.eyJ1c2VyX2lkIjoiYm9iIn0.x.devtoken", NULL},
		{"e30.!.devtoken", NULL},
		{"e30..devtoken", NULL},
		{"e30.devtoken", NULL},
		{".devtoken", NULL},
	};
	struct token t;
	struct err e;

	assert_false(auth_is_development(STR("devtoken")));
	assert_false(auth_is_development(STR("e30.e30.devtokens")));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str jwt = str_of(cases[i].jwt);

		assert_true(auth_is_development(jwt));
		if (cases[i].user == NULL) {
			must_fail(auth_check_development(*state, jwt, &t, &e), &e, ERR_AUTH,
				"token: ");
			continue;
		}
		must(auth_check_development(*state, jwt, &t, &e), &e);
		assert_str(t.user_id, cases[i].user);
		assert_true(t.iat == INT64_MIN);
	}
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, arena_setup, arena_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ARENA(server_tokens),
		WITH_ARENA(user_tokens),
		WITH_ARENA(headers_may_say_more),
		WITH_ARENA(own_tokens_pass),
		WITH_ARENA(bad_claims),
		WITH_ARENA(bad_headers),
		WITH_ARENA(bad_shapes),
		WITH_ARENA(only_canonical_signatures),
		WITH_ARENA(every_byte_counts),
		WITH_ARENA(another_secret),
		WITH_ARENA(development_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
