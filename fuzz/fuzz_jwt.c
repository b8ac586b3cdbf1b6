/* fuzz_jwt – no bytes crash the token check, and none pass without the secret (I-25). */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "api/auth.h"
#include "base/arena.h"
#include "base/crypt.h"
#include "base/err.h"
#include "base/id.h"
#include "domain/app.h"

#define NOW 1800000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* "header.claims" as the fuzzer wrote them, with a genuine signature. */
static struct str
sign(struct arena *a, struct str header, struct str claims, struct str secret)
{
	struct str h = crypt_b64url(a, header), c = crypt_b64url(a, claims), s;
	uint8_t mac[CRYPT_SHA256_LEN];
	struct str text = arena_printf(a, "%.*s.%.*s", STR_ARG(h), STR_ARG(c));

	crypt_hmac_sha256(secret, text, mac);
	s = crypt_b64url(a, (struct str){(const char *)mac, sizeof mac});
	return arena_printf(a, "%.*s.%.*s", STR_ARG(text), STR_ARG(s));
}

static void
require(bool claim)
{
	if (!claim)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct app app = {.api_key = STR("key"), .api_secret = STR("fuzzing secret")};
	struct str input = {(const char *)data, n}, part;
	struct arena a;
	struct token t;
	struct err e = {0};

	arena_init(&a, 4096, 1 << 20);

	/* As a token: it was made without the secret. */
	require(!auth_check(&a, &app, input, NOW, &t, &e));
	require(e.code != ERR_NONE && err_http(e.code) == 401);

	/* As claims, signed: whatever passes has a well-formed user or none. */
	if (auth_check(&a, &app, sign(&a, STR("{\"alg\":\"HS256\"}"), input, app.api_secret),
		    NOW, &t, &e))
		require(!t.user_id.p || id_user_valid(t.user_id));
	else
		require(err_http(e.code) == 401);

	/* As a header, signed: canonical base64url means one text per content. */
	if (auth_check(&a, &app, sign(&a, input, STR("{}"), app.api_secret), NOW, &t, &e))
		require(!t.user_id.p && t.iat == INT64_MIN);
	if (crypt_b64url_read(&a, input, &part))
		require(str_eq(crypt_b64url(&a, part), input));

	arena_fini(&a);
	return 0;
}
