/* push_fcm – Firebase Cloud Messaging, HTTP v1: a bearer token of the service account, requests
 * that carry one message each, and what its errors mean. */
#include <jansson.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/jscan.h"
#include "base/jw.h"
#include "base/sign.h"
#include "courier/push_impl.h"
#include "net/fetch.h"

#define SCOPE   "https://www.googleapis.com/auth/firebase.messaging"
#define GRANT   "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
#define SECOND  INT64_C(1000000)
#define HOUR_S  3600
#define RENEW_S 300 /* before it runs out */

/* ---- the bearer token ------------------------------------------------------------------ */

static struct str
claims(struct arena *a, const struct push_sender *s, int64_t now_s)
{
	struct buf b;
	struct jw w;

	buf_init(&b, a, 512);
	jw_init(&w, &b);
	jw_obj(&w);
	jw_kstr(&w, "iss", s->email);
	jw_kstr(&w, "scope", STR(SCOPE));
	jw_kstr(&w, "aud", s->token_uri);
	jw_ki64(&w, "iat", now_s);
	jw_ki64(&w, "exp", now_s + HOUR_S);
	jw_end_obj(&w);
	return buf_view(&b);
}

static struct str
header(struct arena *a, const struct push_sender *s)
{
	struct buf b;
	struct jw w;

	buf_init(&b, a, 128);
	jw_init(&w, &b);
	jw_obj(&w);
	jw_kstr(&w, "alg", STR("RS256"));
	jw_kstr(&w, "typ", STR("JWT"));
	if (s->key_id.p != NULL)
		jw_kstr(&w, "kid", s->key_id);
	jw_end_obj(&w);
	return buf_view(&b);
}

bool
push_fcm_ask(
	struct push_sender *s, struct arena *a, struct fetch *out, bool *wanted, struct err *e)
{
	int64_t now = clock_now_us();
	struct str assertion;

	*wanted = s->token.n == 0 || s->token.until_us - RENEW_S * SECOND < now;
	if (!*wanted)
		return true;
	if (!sign_jwt(a, s->key, header(a, s), claims(a, s, now / SECOND), &assertion, e))
		return false;
	out->method = "POST";
	out->url = arena_dup(a, s->token_uri).p;
	out->headers[0] = "Content-Type: application/x-www-form-urlencoded";
	out->headers[1] = NULL;
	out->body = arena_printf(a, "grant_type=%s&assertion=%.*s", GRANT, STR_ARG(assertion));
	out->timeout_ms = PUSH_TIMEOUT_MS;
	/* A connection that it leaves behind is one for messages, where the host is the same.
	 */
	out->http2 = true;
	return true;
}

void
push_fcm_asked(struct push_sender *s, const struct fetch *f, struct judgement *out)
{
	struct arena a;
	json_t *answer = NULL;
	struct str token = STR_NONE;
	int64_t seconds = HOUR_S, now = clock_now_us();
	struct err ignored;

	push_judge_status(f, out);
	if (f->end != FETCH_ANSWERED)
		return;
	arena_init(&a, 4096, SIZE_MAX);
	(void)(jr_parse(&a, f->reply, &answer, &ignored) && json_is_object(answer));
	if (out->verdict == VERDICT_OK) {
		bool has = jr_str(answer, "access_token", REQUIRED, &token, &ignored) &&
			   jr_int(answer, "expires_in", OPTIONAL, 1, 86400, &seconds, &ignored);

		/* Of a short life half is for use. */
		if (seconds < 2 * RENEW_S)
			seconds = seconds / 2 + RENEW_S;
		if (!has || !push_token_set(&s->token, token, now, now + seconds * SECOND)) {
			out->verdict = VERDICT_TEMPFAIL;
			push_say(out, STR("token_answer"));
		}
	} else if (out->verdict == VERDICT_PERMFAIL) {
		/* Whatever it says of our own credentials: invalid_grant, invalid_client … */
		out->verdict = VERDICT_BARRED;
		if (jr_str(answer, "error", OPTIONAL, &token, &ignored) && token.n > 0)
			push_say(out, token);
	}
	arena_fini(&a);
}

/* ---- a message ------------------------------------------------------------------------- */

bool
push_fcm_dress(struct push_sender *s, struct arena *a, const struct parcel *p,
	struct fetch *out, struct err *e)
{
	if (s->token.n == 0)
		return fail(e, ERR_INPUT, "no access token yet");
	out->method = "POST";
	out->url = arena_printf(
		a, "%.*s/v1/projects/%.*s/messages:send", STR_ARG(s->host), STR_ARG(s->project))
			   .p;
	out->headers[0] = arena_printf(
		a, "Authorization: Bearer %.*s", STR_ARG(push_token_text(&s->token)))
				  .p;
	out->headers[1] = "Content-Type: application/json";
	out->headers[2] = NULL;
	out->body = p->body;
	out->timeout_ms = PUSH_TIMEOUT_MS;
	out->http2 = true;
	return true;
}

/* ---- what it answers ------------------------------------------------------------------- */

static const struct {
	const char *code;
	enum verdict verdict;
} meanings[] = {
	{"UNREGISTERED", VERDICT_GONE},
	{"SENDER_ID_MISMATCH", VERDICT_GONE}, /* the token of another app's sender */
	{"INVALID_ARGUMENT", VERDICT_PERMFAIL},
	{"QUOTA_EXCEEDED", VERDICT_TEMPFAIL},
	{"RESOURCE_EXHAUSTED", VERDICT_TEMPFAIL},
	{"UNAVAILABLE", VERDICT_TEMPFAIL},
	{"INTERNAL", VERDICT_TEMPFAIL},
	{"UNSPECIFIED_ERROR", VERDICT_TEMPFAIL},
	/* The APNs key that Firebase was given: other devices are not concerned. */
	{"THIRD_PARTY_AUTH_ERROR", VERDICT_TEMPFAIL},
	{"UNAUTHENTICATED", VERDICT_BARRED},
	{"PERMISSION_DENIED", VERDICT_BARRED},
};

/* The word for an error: that of FCM, where it says one, else Google's general status. */
static struct str
error_code(struct arena *a, struct str reply, bool *blames_payload)
{
	struct jscan_value error = jscan_member(reply, STR("error")), detail, violation;
	struct str details = jscan_member(error.raw, STR("details")).raw, code = STR_NONE;
	size_t at = 0;

	*blames_payload = false;
	while (details.n > 0 && details.p[0] == '[' && jscan_next(details, &at, &detail)) {
		struct str said = jscan_text(a, jscan_member(detail.raw, STR("errorCode")));
		struct str list = jscan_member(detail.raw, STR("fieldViolations")).raw;
		size_t k = 0;

		if (said.n > 0)
			code = said;
		while (list.n > 0 && list.p[0] == '[' && jscan_next(list, &k, &violation)) {
			struct str field =
				jscan_text(a, jscan_member(violation.raw, STR("field")));

			*blames_payload = *blames_payload || !str_is(field, "message.token");
		}
	}
	return code.n > 0 ? code : jscan_text(a, jscan_member(error.raw, STR("status")));
}

static void
judge_code(struct arena *a, struct str reply, struct judgement *out)
{
	bool blames_payload;
	struct str code = error_code(a, reply, &blames_payload);

	for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
		if (!str_eq(code, str_of(meanings[i].code)))
			continue;
		out->verdict = meanings[i].verdict;
		push_say(out, code);
		/* It says so of a malformed token, without naming a field. */
		if (str_is(code, "INVALID_ARGUMENT") && !blames_payload)
			out->verdict = VERDICT_GONE;
		return;
	}
	if (code.n > 0)
		push_say(out, code);
}

void
push_fcm_judge(struct push_sender *s, const struct fetch *f, struct judgement *out)
{
	struct arena a;
	json_t *tree = NULL;
	struct err ignored;

	push_judge_status(f, out);
	if (out->verdict == VERDICT_OK) {
		s->token.is_proven = s->token.is_proven || push_was_sent_with(f, &s->token);
		return;
	}
	if (f->end != FETCH_ANSWERED)
		return;
	arena_init(&a, 4096, SIZE_MAX);
	/* Only what is JSON as a whole may be looked through. */
	if (jr_parse(&a, f->reply, &tree, &ignored) && json_is_object(tree))
		judge_code(&a, f->reply, out);
	arena_fini(&a);
	/* A token that was good, or is no longer in use, ran out; a new one is asked for. */
	if (f->status == 401 && out->verdict == VERDICT_BARRED) {
		bool is_current = push_was_sent_with(f, &s->token);

		if (is_current && !s->token.is_proven)
			return;
		out->verdict = VERDICT_TEMPFAIL;
		if (is_current)
			s->token.n = 0;
	}
}
