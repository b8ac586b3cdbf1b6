/* push_apns – Apple's push notification service: a token that we sign ourselves, or the
 * client's certificate; one request for each notification. */
#include <jansson.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/jw.h"
#include "base/sign.h"
#include "courier/push_impl.h"
#include "net/fetch.h"

#define SECOND INT64_C(1000000)
/* It takes tokens that are at most an hour old, and new ones at most every 20 minutes. */
#define RENEW_S (50 * 60)
#define SPARE_S (20 * 60)

/* ---- the provider token ---------------------------------------------------------------- */

static struct str
object(struct arena *a, const char *name, struct str text, const char *other, struct str value,
	int64_t issued_s)
{
	struct buf b;
	struct jw w;

	buf_init(&b, a, 128);
	jw_init(&w, &b);
	jw_obj(&w);
	jw_kstr(&w, name, text);
	if (other != NULL)
		jw_kstr(&w, other, value);
	if (issued_s != 0)
		jw_ki64(&w, "iat", issued_s);
	jw_end_obj(&w);
	return buf_view(&b);
}

static bool
renew(struct push_sender *s, struct arena *a, struct err *e)
{
	int64_t now = clock_now_us();
	struct str token;

	if (s->token.n > 0 && now < s->token.until_us && now >= s->token.made_us)
		return true;
	if (!sign_jwt(a, s->key, object(a, "alg", STR("ES256"), "kid", s->key_id, 0),
		    object(a, "iss", s->team, NULL, STR_NONE, now / SECOND), &token, e))
		return false;
	return push_token_set(&s->token, token, now, now + RENEW_S * SECOND) ||
	       fail(e, ERR_INPUT, "the provider token is too long");
}

/* ---- a notification -------------------------------------------------------------------- */

/* Tokens are hex; whatever else was registered must not lead elsewhere. */
static struct str
url_of(struct arena *a, struct str host, struct str device)
{
	struct buf b;

	buf_init(&b, a, host.n + 3 * device.n + 16);
	buf_str(&b, host);
	buf_str(&b, STR("/3/device/"));
	for (size_t i = 0; i < device.n; i++) {
		unsigned char c = (unsigned char)device.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			(c >= 'A' && c <= 'Z') || c == '-' || c == '_')
			buf_char(&b, (char)c);
		else
			buf_printf(&b, "%%%02X", c);
	}
	buf_char(&b, '\0');
	return buf_view(&b);
}

bool
push_apns_dress(struct push_sender *s, struct arena *a, const struct parcel *p,
	struct fetch *out, struct err *e)
{
	size_t n = 0;

	if (s->cert.p == NULL && !renew(s, a, e))
		return false;
	out->method = "POST";
	out->url = url_of(a, s->host, p->address).p;
	out->headers[n++] = arena_printf(a, "apns-topic: %.*s", STR_ARG(s->topic)).p;
	out->headers[n++] = arena_printf(a, "apns-id: %.*s", STR_ARG(p->id)).p;
	/* What comes twice takes the place of what came first. */
	out->headers[n++] = arena_printf(a, "apns-collapse-id: %.*s", STR_ARG(p->id)).p;
	out->headers[n++] = "apns-push-type: alert";
	out->headers[n++] = "apns-priority: 10";
	out->headers[n++] = "Content-Type: application/json";
	if (s->cert.p == NULL)
		out->headers[n++] = arena_printf(
			a, "authorization: bearer %.*s", STR_ARG(push_token_text(&s->token)))
					    .p;
	out->headers[n] = NULL;
	if (s->cert.p != NULL) {
		out->cert = arena_dup(a, s->cert).p;
		out->key = arena_dup(a, s->cert_key).p;
	}
	out->body = p->body;
	out->timeout_ms = PUSH_TIMEOUT_MS;
	out->http2 = true;
	return true;
}

/* ---- what it answers ------------------------------------------------------------------- */

/* Those whose status does not say enough. */
static const struct {
	const char *reason;
	enum verdict verdict;
} meanings[] = {
	{"BadDeviceToken", VERDICT_GONE},
	{"DeviceTokenNotForTopic", VERDICT_GONE},
	{"MissingDeviceToken", VERDICT_GONE},
	{"Unregistered", VERDICT_GONE},
	{"ExpiredToken", VERDICT_GONE},
	{"BadTopic", VERDICT_BARRED},
	{"MissingTopic", VERDICT_BARRED},
	{"TopicDisallowed", VERDICT_BARRED},
	{"BadCertificate", VERDICT_BARRED},
	{"BadCertificateEnvironment", VERDICT_BARRED},
	{"InvalidProviderToken", VERDICT_BARRED},
	{"MissingProviderToken", VERDICT_BARRED},
	{"UnrelatedKeyIdInToken", VERDICT_BARRED},
	{"BadEnvironmentKeyIdInToken", VERDICT_BARRED},
	{"Forbidden", VERDICT_BARRED},
	{"ExpiredProviderToken", VERDICT_TEMPFAIL},
	{"TooManyProviderTokenUpdates", VERDICT_TEMPFAIL},
	{"TooManyRequests", VERDICT_TEMPFAIL},
	{"IdleTimeout", VERDICT_TEMPFAIL},
	{"InternalServerError", VERDICT_TEMPFAIL},
	{"ServiceUnavailable", VERDICT_TEMPFAIL},
	{"Shutdown", VERDICT_TEMPFAIL},
};

/* Our clock may differ from theirs: another one, unless this one is quite new. */
static void
drop_token(struct push_sender *s, const struct fetch *f)
{
	if (push_was_sent_with(f, &s->token) &&
		clock_now_us() - s->token.made_us > SPARE_S * SECOND)
		s->token.n = 0;
}

void
push_apns_judge(struct push_sender *s, const struct fetch *f, struct judgement *out)
{
	struct arena a;
	json_t *answer = NULL;
	struct str reason = STR_NONE;
	struct err ignored;

	push_judge_status(f, out);
	if (f->end != FETCH_ANSWERED || out->verdict == VERDICT_OK)
		return;
	arena_init(&a, 1024, SIZE_MAX);
	if (jr_parse(&a, f->reply, &answer, &ignored) && json_is_object(answer))
		(void)jr_str(answer, "reason", OPTIONAL, &reason, &ignored);
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (str_eq(reason, str_of(meanings[i].reason)))
			out->verdict = meanings[i].verdict;
	if (reason.n > 0)
		push_say(out, reason);
	else if (f->status == 410)
		out->verdict = VERDICT_GONE;
	if (str_is(reason, "ExpiredProviderToken"))
		drop_token(s, f);
	arena_fini(&a);
}
