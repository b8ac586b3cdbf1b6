/* seal – signing what is sent to the app's owner. */
#include "courier/seal.h"

#include <assert.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crypt.h"
#include "domain/app.h"

static const char *
header(struct arena *a, const char *name, struct str value)
{
	return arena_printf(a, "%s: %.*s", name, STR_ARG(value)).p;
}

/* api.md §9.2: over the uncompressed body. */
static const char *
signature(struct arena *a, const struct app *app, struct str body)
{
	uint8_t mac[CRYPT_SHA256_LEN];

	crypt_hmac_sha256(app->api_secret, body, mac);
	return header(a, "X-Signature", crypt_hex(a, (struct str){(char *)mac, sizeof(mac)}));
}

/* Standard Webhooks: over the id, the time of the attempt and the body, so that a repetition by
 * others is found out. */
static const char *
standard_signature(
	struct arena *a, const struct app *app, struct str id, struct str body, int64_t seconds)
{
	struct str text = arena_printf(a, "%.*s.%lld.", STR_ARG(id), (long long)seconds);
	char base64[CRYPT_BASE64_LEN(CRYPT_SHA256_LEN)];
	uint8_t mac[CRYPT_SHA256_LEN];
	struct buf all;

	buf_init(&all, a, text.n + body.n);
	buf_str(&all, text);
	buf_str(&all, body);
	crypt_hmac_sha256(app->api_secret, buf_view(&all), mac);
	crypt_base64((struct str){(char *)mac, sizeof(mac)}, base64);
	return arena_printf(a, "webhook-signature: v1,%.*s", (int)sizeof(base64), base64).p;
}

void
seal_headers(struct arena *a, const struct app *app, struct str id, struct str body,
	int attempt, const char **out)
{
	int64_t seconds = clock_now_us() / 1000000;
	size_t n = 0;

	out[n++] = "Content-Type: application/json";
	out[n++] = "User-Agent: Fanfare/" FANFARE_VERSION;
	out[n++] = "Accept: */*";
	out[n++] = "Expect:"; /* a large body goes at once */
	out[n++] = header(a, "X-Api-Key", app->api_key);
	out[n++] = header(a, "X-Webhook-Id", id);
	out[n++] = arena_printf(a, "X-Webhook-Attempt: %d", attempt).p;
	out[n++] = signature(a, app, body);
	out[n++] = header(a, "webhook-id", id);
	out[n++] = arena_printf(a, "webhook-timestamp: %lld", (long long)seconds).p;
	out[n++] = standard_signature(a, app, id, body, seconds);
	assert(n == SEAL_HEADERS);
}
