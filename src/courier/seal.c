/* seal – signing what is sent to the app's owner. */
#include "courier/seal.h"

#include <assert.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crypt.h"
#include "base/log.h"
#include "base/macros.h"
#include "domain/app.h"

struct seal {
	const struct app *app;
	struct crypt_mac *mac; /* with its secret */
};

static const char *
header(struct arena *a, const char *name, struct str value)
{
	return arena_printf(a, "%s: %.*s", name, STR_ARG(value)).p;
}

/* api.md §9.2: over the uncompressed body. */
static const char *
signature(struct seal *s, struct arena *a, struct str body)
{
	uint8_t mac[CRYPT_SHA256_LEN];

	crypt_mac_sum(s->mac, &body, 1, mac);
	return header(a, "X-Signature", crypt_hex(a, (struct str){(char *)mac, sizeof(mac)}));
}

/* Standard Webhooks: over the id, the time of the attempt and the body, so that a repetition by
 * others is found out. */
static const char *
standard_signature(
	struct seal *s, struct arena *a, struct str id, struct str body, int64_t seconds)
{
	struct str time = arena_printf(a, ".%lld.", (long long)seconds);
	struct str parts[] = {id, time, body};
	char base64[CRYPT_BASE64_LEN(CRYPT_SHA256_LEN)];
	uint8_t mac[CRYPT_SHA256_LEN];

	crypt_mac_sum(s->mac, parts, ARRAY_LEN(parts), mac);
	crypt_base64((struct str){(char *)mac, sizeof(mac)}, base64);
	return arena_printf(a, "webhook-signature: v1,%.*s", (int)sizeof(base64), base64).p;
}

struct seal *
seal_new(const struct app *app)
{
	struct seal *s = calloc(1, sizeof(*s));

	if (s == NULL)
		panic("out of memory");
	s->app = app;
	s->mac = crypt_mac_new(app->api_secret);
	return s;
}

void
seal_free(struct seal *s)
{
	if (s == NULL)
		return;
	crypt_mac_free(s->mac);
	free(s);
}

void
seal_headers(struct seal *s, struct arena *a, struct str id, struct str body, int attempt,
	const char **out)
{
	int64_t seconds = clock_now_us() / 1000000;
	size_t n = 0;

	out[n++] = "Content-Type: application/json";
	out[n++] = "User-Agent: Fanfare/" FANFARE_VERSION;
	out[n++] = "Accept: */*";
	out[n++] = "Expect:"; /* a large body goes at once */
	out[n++] = header(a, "X-Api-Key", s->app->api_key);
	out[n++] = header(a, "X-Webhook-Id", id);
	out[n++] = arena_printf(a, "X-Webhook-Attempt: %d", attempt).p;
	out[n++] = signature(s, a, body);
	out[n++] = header(a, "webhook-id", id);
	out[n++] = arena_printf(a, "webhook-timestamp: %lld", (long long)seconds).p;
	out[n++] = standard_signature(s, a, id, body, seconds);
	assert(n == SEAL_HEADERS);
}
