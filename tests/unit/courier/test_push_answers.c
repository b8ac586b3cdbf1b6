/* test_push_answers – how both services are asked, and what their answers mean: every error
 * that they document. */
#include <openssl/ecdsa.h>

#include "base/crypt.h"
#include "push_fixture.h"

static const struct parcel parcel = {
	.id = STR_INIT("0d9b7a6e-1111-8222-8333-444455556666"),
	.type = STR_INIT("message.new"),
	.address = STR_INIT("ab/..%cd"),
	.body = STR_INIT("{\"x\":1}"),
	.at = 1,
};

static const char *
header(const struct fetch *f, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; f->headers[i] != NULL; i++)
		if (strncmp(f->headers[i], name, n) == 0 &&
			strncmp(f->headers[i] + n, ": ", 2) == 0)
			return f->headers[i] + n + 2;
	fail_msg("there is no header %s", name);
	return "";
}

/* The claims or the header of a token. */
static json_t *
part_of(struct post *p, const char *token, int which)
{
	struct str rest = str_of(token), json;

	for (int i = 0; i < which; i++) {
		size_t dot = str_find(rest, '.', 0);

		rest = str_sub(rest, dot + 1, rest.n - dot - 1);
	}
	rest = str_sub(rest, 0, str_find(rest, '.', 0));
	assert_true(crypt_b64url_read(&p->h->f->arena, rest, &json));
	return parse(p->h->f, json.p);
}

static void
is(json_t *obj, const char *key, const char *want)
{
	assert_non_null(json_object_get(obj, key));
	assert_string_equal(json_string_value(json_object_get(obj, key)), want);
}

/* ---- asking ---------------------------------------------------------------------------- */

/* What ask() wants; false: nothing. */
static bool
ask(struct post *p, const struct out_route *r, struct fetch *out)
{
	struct fixture *f = p->h->f;
	bool wanted;
	struct err e;

	*out = (struct fetch){0};
	must(p->trade.ask(p->trade.arg, f->db, &f->arena, r, out, &wanted, &e), &e);
	return wanted;
}

static void
answer(struct fetch *f, int status, const char *reply)
{
	f->end = FETCH_ANSWERED;
	f->status = status;
	f->reply = str_of(reply);
	f->retry_after_s = 0;
}

static struct judgement
asked(struct post *p, const struct out_route *r, struct fetch *f, int status, const char *reply)
{
	struct judgement j;

	answer(f, status, reply);
	p->trade.asked(p->trade.arg, r, f, &j);
	return j;
}

static void
dress(struct post *p, const struct out_route *r, struct fetch *out)
{
	struct fixture *f = p->h->f;
	struct err e;

	*out = (struct fetch){0};
	must(p->trade.dress(p->trade.arg, f->db, &f->arena, r, &parcel, 1, out, &e), &e);
}

static void
firebase_wants_a_token_first(void **state)
{
	struct post *p = *state;
	struct fixture *fx = p->h->f;
	struct out_route r;
	struct fetch f;
	struct judgement j;
	json_t *claims;
	const char *assertion;
	struct err e;

	put_firebase(p, "main");
	r = route(p, "firebase:main");
	must_fail(p->trade.dress(p->trade.arg, fx->db, &fx->arena, &r, &parcel, 1, &f, &e), &e,
		ERR_INPUT, "no access token yet");
	assert_true(ask(p, &r, &f));
	assert_string_equal(f.url, "https://tokens.test/t");
	assert_string_equal(f.method, "POST");
	assert_string_equal(header(&f, "Content-Type"), "application/x-www-form-urlencoded");
	assert_true(str_starts(f.body, STR("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-"
					   "type%3Ajwt-bearer&assertion="
					   "")));
	assertion = strstr(f.body.p, "assertion=") + strlen("assertion=");
	is(part_of(p, assertion, 0), "alg", "RS256");
	is(part_of(p, assertion, 0), "kid", "kid1");
	claims = part_of(p, assertion, 1);
	is(claims, "iss", "x@proj.iam");
	is(claims, "aud", "https://tokens.test/t");
	is(claims, "scope", "https://www.googleapis.com/auth/firebase.messaging");
	assert_int_equal(json_integer_value(json_object_get(claims, "exp")) -
				 json_integer_value(json_object_get(claims, "iat")),
		3600);
	j = asked(p, &r, &f, 200, "{\"access_token\":\"ya29.x\",\"expires_in\":3599}");
	assert_int_equal(j.verdict, VERDICT_OK);
	assert_false(ask(p, &r, &f));
	dress(p, &r, &f);
	assert_string_equal(f.url, "https://fcm.test/v1/projects/proj/messages:send");
	assert_string_equal(header(&f, "Authorization"), "Bearer ya29.x");
	assert_true(f.http2 && str_eq(f.body, parcel.body));
	/* Settings that change do not lose it, other credentials do. */
	put_event(p, "{\"event_type\":\"message.new\",\"push_provider_type\":\"firebase\"}");
	r = route(p, "firebase:main");
	assert_false(ask(p, &r, &f));
	p->rsa = pem_of(&fx->arena, EVP_RSA_gen(2048));
	put_firebase(p, "main");
	r = route(p, "firebase:main");
	assert_true(ask(p, &r, &f));
}

/* A token that lives for a minute is used for half of it. */
static void
answers_to_the_question(void **state)
{
	static const struct {
		int status;
		const char *reply;
		enum verdict verdict;
		const char *why;
	} cases[] = {
		{400, "{\"error\":\"invalid_grant\",\"error_description\":\"x\"}",
			VERDICT_BARRED, "invalid_grant"},
		{401, "{\"error\":\"invalid_client\"}", VERDICT_BARRED, "http_401"},
		{403, "no", VERDICT_BARRED, "http_403"},
		{404, "", VERDICT_BARRED, "http_404"},
		{500, "", VERDICT_TEMPFAIL, "http_500"},
		{503, "{", VERDICT_TEMPFAIL, "http_503"},
		{429, "", VERDICT_TEMPFAIL, "http_429"},
		{302, "", VERDICT_TEMPFAIL, "http_302"},
		{200, "", VERDICT_TEMPFAIL, "token_answer"},
		{200, "[]", VERDICT_TEMPFAIL, "token_answer"},
		{200, "{\"access_token\":\"\"}", VERDICT_TEMPFAIL, "token_answer"},
		{200, "{\"access_token\":\"a\\r\\nX: y\"}", VERDICT_TEMPFAIL, "token_answer"},
		{200, "{\"access_token\":7}", VERDICT_TEMPFAIL, "token_answer"},
		{200, "{\"access_token\":\"a\",\"expires_in\":-5}", VERDICT_TEMPFAIL,
			"token_answer"},
		{200, "{\"access_token\":\"a\",\"expires_in\":60}", VERDICT_OK, "http_200"},
	};
	struct post *p = *state;
	struct out_route r;
	struct fetch f;

	put_firebase(p, "main");
	r = route(p, "firebase:main");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct judgement j;

		assert_true(ask(p, &r, &f));
		j = asked(p, &r, &f, cases[i].status, cases[i].reply);
		if (j.verdict != cases[i].verdict || strcmp(j.why, cases[i].why) != 0)
			print_error("%d %s: %d %s\n", cases[i].status, cases[i].reply,
				j.verdict, j.why);
		assert_int_equal(j.verdict, cases[i].verdict);
		assert_string_equal(j.why, cases[i].why);
	}
	assert_false(ask(p, &r, &f));
}

static void
credentials_of_no_use(void **state)
{
	static const struct {
		const char *provider, *ident, *why;
	} cases[] = {
		{"{\"type\":\"firebase\",\"name\":\"a\"}", "firebase:a", "no service account"},
		{"{\"type\":\"firebase\",\"name\":\"b\",\"firebase_credentials\":"
		 "\"{\\\"project_id\\\":\\\"p\\\",\\\"client_email\\\":\\\"e\\\","
		 "\\\"private_key\\\":\\\"-----BEGIN\\\"}\"}",
			"firebase:b", "private_key: expected a private key in PEM"},
		{"{\"type\":\"apn\",\"name\":\"c\"}", "apn:c", "no topic"},
		{"{\"type\":\"apn\",\"name\":\"d\",\"apn_topic\":\"x\"}", "apn:d", "p12_cert"},
		{"{\"type\":\"apn\",\"name\":\"e\",\"apn_topic\":\"x\",\"apn_p12_cert\":\"!\"}",
			"apn:e", "not base64"},
		{"{\"type\":\"apn\",\"name\":\"f\",\"apn_topic\":\"x\","
		 "\"apn_auth_type\":\"token\"}",
			"apn:f", "key_id and team_id"},
		{"{\"type\":\"apn\",\"name\":\"g\",\"apn_topic\":\"x\\r\\ny: z\"}", "apn:g",
			"topic"},
	};
	struct post *p = *state;
	struct fixture *fx = p->h->f;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fetch f = {0};
		struct out_route r;
		bool wanted;
		struct err e;

		put_provider(p, cases[i].provider);
		r = route(p, cases[i].ident);
		must_fail(p->trade.ask(p->trade.arg, fx->db, &fx->arena, &r, &f, &wanted, &e),
			&e, ERR_INPUT, cases[i].why);
		must_fail(p->trade.dress(
				  p->trade.arg, fx->db, &fx->arena, &r, &parcel, 1, &f, &e),
			&e, ERR_INPUT, cases[i].why);
	}
}

static void
apple_wants_its_headers(void **state)
{
	struct post *p = *state;
	struct out_route r;
	struct fetch f, again;
	json_t *claims;

	put_apn(p, "ios");
	r = route(p, "apn:ios");
	assert_false(ask(p, &r, &f));
	dress(p, &r, &f);
	assert_string_equal(f.method, "POST");
	/* What was registered must not lead elsewhere. */
	assert_string_equal(f.url, "https://apns.test/3/device/ab%2F%2E%2E%25cd");
	assert_string_equal(header(&f, "apns-topic"), "org.example.app");
	assert_string_equal(header(&f, "apns-id"), parcel.id.p);
	assert_string_equal(header(&f, "apns-collapse-id"), parcel.id.p);
	assert_string_equal(header(&f, "apns-push-type"), "alert");
	assert_string_equal(header(&f, "apns-priority"), "10");
	assert_true(f.http2 && f.cert == NULL && str_eq(f.body, parcel.body));
	is(part_of(p, header(&f, "authorization") + strlen("bearer "), 0), "alg", "ES256");
	is(part_of(p, header(&f, "authorization") + strlen("bearer "), 0), "kid", "KEY1");
	claims = part_of(p, header(&f, "authorization") + strlen("bearer "), 1);
	is(claims, "iss", "TEAM1");
	assert_true(llabs((long long)(json_integer_value(json_object_get(claims, "iat")) -
				      clock_now_us() / 1000000)) < 60);
	/* It stays the same, or Apple complains. */
	dress(p, &r, &again);
	assert_string_equal(header(&f, "authorization"), header(&again, "authorization"));
}

static void
hosts(void **state)
{
	static const struct {
		const char *provider, *url;
	} cases[] = {
		{"{\"type\":\"apn\",\"name\":\"ios\",\"apn_host\":\"\"}",
			"https://api.push.apple.com/3/device/ab%2F%2E%2E%25cd"},
		{"{\"type\":\"apn\",\"name\":\"ios\",\"apn_development\":true}",
			"https://api.sandbox.push.apple.com/3/device/ab%2F%2E%2E%25cd"},
		{"{\"type\":\"apn\",\"name\":\"ios\",\"apn_host\":\"https://h:2197//\"}",
			"https://h:2197/3/device/ab%2F%2E%2E%25cd"},
	};
	struct post *p = *state;

	put_apn(p, "ios");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct out_route r;
		struct fetch f;

		put_provider(p, cases[i].provider);
		r = route(p, "apn:ios");
		dress(p, &r, &f);
		assert_string_equal(f.url, cases[i].url);
	}
}

/* ---- judging --------------------------------------------------------------------------- */

#define FCM(code, status, error)                                                \
	"{\"error\":{\"code\":" #code ",\"message\":\"m\",\"status\":\"" status \
	"\",\"details\":[{\"@type\":\"type.googleapis.com/"                     \
	"google.firebase.fcm.v1.FcmError\",\"errorCode\":\"" error "\"}]}}"
#define BLAMES(field)                                                                 \
	"{\"error\":{\"code\":400,\"message\":\"m\",\"status\":\"INVALID_ARGUMENT\"," \
	"\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\","      \
	"\"fieldViolations\":[{\"field\":\"" field "\",\"description\":\"d\"}]},"     \
	"{\"@type\":\"type.googleapis.com/google.firebase.fcm.v1.FcmError\","         \
	"\"errorCode\":\"INVALID_ARGUMENT\"}]}}"
#define REASON(r) "{\"reason\":\"" r "\"}"

struct vector {
	int status;
	const char *reply;
	enum verdict verdict;
	const char *why;
};

static void
judge_all(struct post *p, const struct out_route *r, const struct vector *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct judgement j;
		struct fetch f;

		dress(p, r, &f);
		answer(&f, v[i].status, v[i].reply);
		p->trade.judge(p->trade.arg, r, &parcel, &f, &j);
		if (j.verdict != v[i].verdict || strcmp(j.why, v[i].why) != 0)
			print_error(
				"%d %s: %d %s\n", v[i].status, v[i].reply, j.verdict, j.why);
		assert_int_equal(j.verdict, v[i].verdict);
		assert_string_equal(j.why, v[i].why);
	}
}

static void
give_token(struct post *p, const struct out_route *r, const char *token)
{
	struct fetch f;
	const char *reply = arena_printf(&p->h->f->arena, "{\"access_token\":\"%s\"}", token).p;

	assert_true(ask(p, r, &f));
	assert_int_equal(asked(p, r, &f, 200, reply).verdict, VERDICT_OK);
}

static void
firebase_errors(void **state)
{
	static const struct vector v[] = {
		{200, "{\"name\":\"projects/p/messages/1\"}", VERDICT_OK, "http_200"},
		{404, FCM(404, "NOT_FOUND", "UNREGISTERED"), VERDICT_GONE, "UNREGISTERED"},
		{400, FCM(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"), VERDICT_GONE,
			"INVALID_ARGUMENT"},
		{400, BLAMES("message.token"), VERDICT_GONE, "INVALID_ARGUMENT"},
		{400, BLAMES("message.data[0].value"), VERDICT_PERMFAIL, "INVALID_ARGUMENT"},
		{403, FCM(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), VERDICT_GONE,
			"SENDER_ID_MISMATCH"},
		{429, FCM(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), VERDICT_TEMPFAIL,
			"QUOTA_EXCEEDED"},
		{503, FCM(503, "UNAVAILABLE", "UNAVAILABLE"), VERDICT_TEMPFAIL, "UNAVAILABLE"},
		{500, FCM(500, "INTERNAL", "INTERNAL"), VERDICT_TEMPFAIL, "INTERNAL"},
		{500, FCM(500, "INTERNAL", "UNSPECIFIED_ERROR"), VERDICT_TEMPFAIL,
			"UNSPECIFIED_ERROR"},
		{401, FCM(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), VERDICT_TEMPFAIL,
			"THIRD_PARTY_AUTH_ERROR"},
		{403, "{\"error\":{\"status\":\"PERMISSION_DENIED\"}}", VERDICT_BARRED,
			"PERMISSION_DENIED"},
		{404, "{\"error\":{\"status\":\"NOT_FOUND\"}}", VERDICT_PERMFAIL, "NOT_FOUND"},
		{404, "<html>", VERDICT_PERMFAIL, "http_404"},
		{413, "", VERDICT_PERMFAIL, "http_413"},
		{408, "", VERDICT_TEMPFAIL, "http_408"},
		{500, "{\"error\":7}", VERDICT_TEMPFAIL, "http_500"},
		{500, "{\"error\":{\"details\":{},\"status\":\"a \\\"b\\nc\"}}",
			VERDICT_TEMPFAIL, "a__b_c"},
		{400, "{\"error\":{\"details\":[7,{\"fieldViolations\":7}]}}", VERDICT_PERMFAIL,
			"http_400"},
		{302, "", VERDICT_TEMPFAIL, "http_302"},
	};
	struct post *p = *state;
	struct out_route r;

	put_firebase(p, "main");
	r = route(p, "firebase:main");
	give_token(p, &r, "one");
	judge_all(p, &r, v, ARRAY_LEN(v));
}

/* One that was good and runs out is renewed; one that never was bars the provider. */
static void
tokens_that_are_refused(void **state)
{
	static const char refusal[] = "{\"error\":{\"status\":\"UNAUTHENTICATED\"}}";
	struct post *p = *state;
	struct fetch early, late, f;
	struct judgement j;
	struct out_route r;

	put_firebase(p, "main");
	r = route(p, "firebase:main");
	give_token(p, &r, "one");
	dress(p, &r, &early);
	dress(p, &r, &late);
	dress(p, &r, &f);
	answer(&f, 200, "{}");
	p->trade.judge(p->trade.arg, &r, &parcel, &f, &j);
	answer(&early, 401, refusal);
	p->trade.judge(p->trade.arg, &r, &parcel, &early, &j);
	assert_int_equal(j.verdict, VERDICT_TEMPFAIL);
	give_token(p, &r, "two");
	/* The answer to the old one says nothing of the new one. */
	answer(&late, 401, refusal);
	p->trade.judge(p->trade.arg, &r, &parcel, &late, &j);
	assert_int_equal(j.verdict, VERDICT_TEMPFAIL);
	assert_false(ask(p, &r, &f));
	dress(p, &r, &f);
	answer(&f, 401, refusal);
	p->trade.judge(p->trade.arg, &r, &parcel, &f, &j);
	assert_int_equal(j.verdict, VERDICT_BARRED);
	assert_string_equal(j.why, "UNAUTHENTICATED");
}

static void
apple_errors(void **state)
{
	static const struct vector v[] = {
		{200, "", VERDICT_OK, "http_200"},
		{400, REASON("BadCollapseId"), VERDICT_PERMFAIL, "BadCollapseId"},
		{400, REASON("BadDeviceToken"), VERDICT_GONE, "BadDeviceToken"},
		{400, REASON("BadExpirationDate"), VERDICT_PERMFAIL, "BadExpirationDate"},
		{400, REASON("BadMessageId"), VERDICT_PERMFAIL, "BadMessageId"},
		{400, REASON("BadPriority"), VERDICT_PERMFAIL, "BadPriority"},
		{400, REASON("BadTopic"), VERDICT_BARRED, "BadTopic"},
		{400, REASON("DeviceTokenNotForTopic"), VERDICT_GONE, "DeviceTokenNotForTopic"},
		{400, REASON("DuplicateHeaders"), VERDICT_PERMFAIL, "DuplicateHeaders"},
		{400, REASON("IdleTimeout"), VERDICT_TEMPFAIL, "IdleTimeout"},
		{400, REASON("InvalidPushType"), VERDICT_PERMFAIL, "InvalidPushType"},
		{400, REASON("MissingDeviceToken"), VERDICT_GONE, "MissingDeviceToken"},
		{400, REASON("MissingTopic"), VERDICT_BARRED, "MissingTopic"},
		{400, REASON("PayloadEmpty"), VERDICT_PERMFAIL, "PayloadEmpty"},
		{400, REASON("TopicDisallowed"), VERDICT_BARRED, "TopicDisallowed"},
		{403, REASON("BadCertificate"), VERDICT_BARRED, "BadCertificate"},
		{403, REASON("BadCertificateEnvironment"), VERDICT_BARRED,
			"BadCertificateEnvironment"},
		{403, REASON("ExpiredProviderToken"), VERDICT_TEMPFAIL, "ExpiredProviderToken"},
		{403, REASON("Forbidden"), VERDICT_BARRED, "Forbidden"},
		{403, REASON("InvalidProviderToken"), VERDICT_BARRED, "InvalidProviderToken"},
		{403, REASON("MissingProviderToken"), VERDICT_BARRED, "MissingProviderToken"},
		{403, REASON("UnrelatedKeyIdInToken"), VERDICT_BARRED, "UnrelatedKeyIdInToken"},
		{403, REASON("BadEnvironmentKeyIdInToken"), VERDICT_BARRED,
			"BadEnvironmentKeyIdInToken"},
		{404, REASON("BadPath"), VERDICT_PERMFAIL, "BadPath"},
		{405, REASON("MethodNotAllowed"), VERDICT_PERMFAIL, "MethodNotAllowed"},
		{410, REASON("ExpiredToken"), VERDICT_GONE, "ExpiredToken"},
		{410, "{\"reason\":\"Unregistered\",\"timestamp\":1700000000000}", VERDICT_GONE,
			"Unregistered"},
		{410, "", VERDICT_GONE, "http_410"},
		{413, REASON("PayloadTooLarge"), VERDICT_PERMFAIL, "PayloadTooLarge"},
		{429, REASON("TooManyProviderTokenUpdates"), VERDICT_TEMPFAIL,
			"TooManyProviderTokenUpdates"},
		{429, REASON("TooManyRequests"), VERDICT_TEMPFAIL, "TooManyRequests"},
		{500, REASON("InternalServerError"), VERDICT_TEMPFAIL, "InternalServerError"},
		{503, REASON("ServiceUnavailable"), VERDICT_TEMPFAIL, "ServiceUnavailable"},
		{503, REASON("Shutdown"), VERDICT_TEMPFAIL, "Shutdown"},
		{403, "{\"reason\":7}", VERDICT_BARRED, "http_403"},
		{500, "garbage", VERDICT_TEMPFAIL, "http_500"},
	};
	struct post *p = *state;
	struct out_route r;

	put_apn(p, "ios");
	r = route(p, "apn:ios");
	judge_all(p, &r, v, ARRAY_LEN(v));
}

static void
no_answer_at_all(void **state)
{
	static const struct {
		enum fetch_end end;
		const char *why;
	} ends[] = {{FETCH_TIMEOUT, "timeout"}, {FETCH_REFUSED, "address_refused"},
		{FETCH_BROKEN, "connection"}};
	struct post *p = *state;
	struct judgement j;
	struct out_route r;
	struct fetch f;

	put_apn(p, "ios");
	r = route(p, "apn:ios");
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		dress(p, &r, &f);
		f.end = ends[i].end;
		f.retry_after_s = 0;
		p->trade.judge(p->trade.arg, &r, &parcel, &f, &j);
		assert_int_equal(j.verdict, VERDICT_TEMPFAIL);
		assert_string_equal(j.why, ends[i].why);
		assert_int_equal(j.retry_after_ms, 0);
	}
	dress(p, &r, &f);
	answer(&f, 429, REASON("TooManyRequests"));
	f.retry_after_s = 30;
	p->trade.judge(p->trade.arg, &r, &parcel, &f, &j);
	assert_int_equal(j.retry_after_ms, 30000);
}

/* ---- settling -------------------------------------------------------------------------- */

struct settling {
	struct post *p;
	const struct out_route *r;
	const struct parcel *parcel;
	struct judgement j;
};

static bool
settle_in(struct db *w, void *arg, struct err *e)
{
	struct settling *s = arg;

	return s->p->trade.settle(s->p->trade.arg, w, s->r, s->parcel, &s->j, e);
}

static void
settle(struct post *p, const struct out_route *r, const struct parcel *what,
	enum verdict verdict, const char *why)
{
	struct settling s = {p, r, what, {.verdict = verdict}};
	struct err e;

	snprintf(s.j.why, sizeof(s.j.why), "%s", why);
	must(db_write(p->h->f->db, settle_in, &s, &e), &e);
}

static struct device
device(struct post *p, const char *user)
{
	struct fixture *f = p->h->f;
	struct device *list;
	size_t n;
	struct err e;

	must(device_list(f->db, &f->arena, uid_of(p->h, user), &list, &n, &e), &e);
	assert_int_equal(n, 1);
	return list[0];
}

/* Whoever has it; but not who registered it again meanwhile. */
static void
tokens_that_are_gone(void **state)
{
	struct post *p = *state;
	struct parcel what = parcel;
	struct out_route r;

	put_apn(p, "ios");
	r = route(p, "apn:ios");
	put_device(p, "bob", "tok", "apn", NULL);
	put_device(p, "cid", "tok", "apn", NULL);
	put_device(p, "dan", "tok", "firebase", NULL);
	put_device(p, "eve", "other", "apn", NULL);
	what.address = STR("tok");
	what.at = 1;
	settle(p, &r, &what, VERDICT_GONE, "Unregistered");
	assert_int_equal(device(p, "bob").disabled_at, NO_TIME);
	what.at = clock_now_us();
	settle(p, &r, &what, VERDICT_OK, "http_200");
	assert_int_equal(device(p, "bob").disabled_at, NO_TIME);
	settle(p, &r, &what, VERDICT_GONE, "Unregistered");
	assert_true(device(p, "bob").disabled_at != NO_TIME);
	assert_str(device(p, "bob").disabled_reason, "Unregistered");
	assert_true(device(p, "cid").disabled_at != NO_TIME);
	assert_int_equal(device(p, "dan").disabled_at, NO_TIME);
	assert_int_equal(device(p, "eve").disabled_at, NO_TIME);
}

static const char *
disabled_reason(struct post *p)
{
	struct fixture *f = p->h->f;
	struct push_provider *list;
	json_t *settings;
	size_t n;
	struct err e;

	must(push_provider_list(f->db, &f->arena, &list, &n, &e), &e);
	assert_int_equal(n, 1);
	must(jr_parse(&f->arena, list[0].settings, &settings, &e), &e);
	assert_int_equal(json_object_get(settings, "disabled_at") == NULL,
		json_object_get(settings, "disabled_reason") == NULL);
	return json_string_value(json_object_get(settings, "disabled_reason"));
}

static void
credentials_that_are_refused(void **state)
{
	struct post *p = *state;
	struct fixture *f = p->h->f;
	struct out_route r;
	int64_t before, after;
	struct err e;

	put_apn(p, "ios");
	r = route(p, "apn:ios");
	must(settings_version(f->db, &before, &e), &e);
	settle(p, &r, NULL, VERDICT_BARRED, "InvalidProviderToken");
	assert_string_equal(disabled_reason(p), "InvalidProviderToken");
	must(settings_version(f->db, &after, &e), &e);
	assert_int_equal(after, before + 1);
	settle(p, &r, NULL, VERDICT_BARRED, "TooLate");
	assert_string_equal(disabled_reason(p), "InvalidProviderToken");
	/* It is no more off than any other: what happens is kept until they change. */
	assert_false(route(p, "apn:ios").is_off);
	assert_int_equal(route(p, "apn:ios").changed_at, NO_TIME);
	put_provider(p, "{\"type\":\"apn\",\"name\":\"ios\",\"description\":\"x\"}");
	assert_string_equal(disabled_reason(p), "InvalidProviderToken");
	put_provider(p, "{\"type\":\"apn\",\"name\":\"ios\",\"apn_key_id\":\"KEY2\"}");
	assert_null(disabled_reason(p));
	assert_true(route(p, "apn:ios").changed_at != NO_TIME);
}

#define T(f) cmocka_unit_test_setup_teardown(f, post_setup, post_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(firebase_wants_a_token_first),
		T(answers_to_the_question),
		T(credentials_of_no_use),
		T(apple_wants_its_headers),
		T(hosts),
		T(firebase_errors),
		T(tokens_that_are_refused),
		T(apple_errors),
		T(no_answer_at_all),
		T(tokens_that_are_gone),
		T(credentials_that_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
