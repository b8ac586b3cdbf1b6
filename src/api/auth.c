/* auth – JSON web tokens, of one kind only: HS256 over the app's secret (I-25). */
#include "api/auth.h"

#include <jansson.h>

#include "base/arena.h"
#include "base/crypt.h"
#include "base/err.h"
#include "base/id.h"
#include "base/jr.h"
#include "base/jw.h"
#include "domain/app.h"

#define TOKEN_MAX 8192
#define LEEWAY_S  10
#define TWO_62    4611686018427387904.0

struct jwt {
	struct str header, claims, signature; /* decoded */
	struct str signed_text;               /* "header.claims" as sent */
};

/* The moments a token names; NO_CLAIM when it does not. */
struct moments {
	int64_t exp, nbf, iat;
};
#define NO_CLAIM INT64_MIN

static bool
split(struct arena *a, struct str jwt, struct jwt *out, struct err *e)
{
	size_t dot1 = str_find(jwt, '.', 0);
	size_t dot2 = dot1 < jwt.n ? str_find(jwt, '.', dot1 + 1) : jwt.n;

	if (jwt.n > TOKEN_MAX)
		return fail(e, ERR_AUTH, "token: longer than %d bytes", TOKEN_MAX);
	if (dot2 == jwt.n || str_find(jwt, '.', dot2 + 1) != jwt.n)
		return fail(e, ERR_AUTH, "token: expected three parts with dots between");
	out->signed_text = str_sub(jwt, 0, dot2);
	if (!crypt_b64url_read(a, str_sub(jwt, 0, dot1), &out->header) ||
		!crypt_b64url_read(a, str_sub(jwt, dot1 + 1, dot2 - dot1 - 1), &out->claims) ||
		!crypt_b64url_read(
			a, str_sub(jwt, dot2 + 1, jwt.n - dot2 - 1), &out->signature))
		return fail(e, ERR_AUTH, "token: not canonical base64url");
	return true;
}

static bool
parse_part(struct arena *a, struct str text, const char *what, json_t **out, struct err *e)
{
	struct err why = {0};

	if (!jr_parse(a, text, out, &why))
		return fail(e, ERR_AUTH, "token: %s: %s", what, why.msg);
	if (!json_is_object(*out))
		return fail(e, ERR_AUTH, "token: %s: expected an object", what);
	return true;
}

static bool
check_header(struct arena *a, struct str text, struct err *e)
{
	json_t *header;

	if (!parse_part(a, text, "header", &header, e))
		return false;
	if (!str_is(jr_text(json_object_get(header, "alg")), "HS256"))
		return fail(e, ERR_AUTH, "token: alg: expected \"HS256\"");
	if (json_object_get(header, "crit"))
		return fail(e, ERR_AUTH, "token: crit: no extension is understood");
	return true;
}

static bool
read_moment(const json_t *claims, const char *name, int64_t *out, struct err *e)
{
	const json_t *v = json_object_get(claims, name);
	double d;

	*out = NO_CLAIM;
	if (!v || json_is_null(v))
		return true;
	if (json_is_integer(v)) {
		*out = MAX_OF(json_integer_value(v), NO_CLAIM + 1);
		return true;
	}
	if (!json_is_real(v))
		return fail(e, ERR_AUTH, "token: %s: expected a number, got %s", name,
			jr_type_name(v));
	d = json_real_value(v);
	d = d > TWO_62 ? TWO_62 : d < -TWO_62 ? -TWO_62 : d;
	*out = (int64_t)d;
	return true;
}

static bool
read_user(const json_t *claims, struct str *out, struct err *e)
{
	const json_t *user = json_object_get(claims, "user_id");

	*out = STR_NONE;
	if (!user || json_is_true(json_object_get(claims, "server")))
		return true;
	/* A null here is a caller's mistake that must not make an administrator. */
	if (!json_is_string(user))
		return fail(e, ERR_AUTH, "token: user_id: expected a string, got %s",
			jr_type_name(user));
	if (!id_user_valid(jr_text(user)))
		return fail(e, ERR_AUTH, "token: user_id: not a user id");
	*out = jr_text(user);
	return true;
}

static bool
check_moments(const struct moments *m, int64_t now_s, struct err *e)
{
	if (m->exp != NO_CLAIM && m->exp <= now_s)
		return fail(e, ERR_EXPIRED, "token: expired (exp %lld)", (long long)m->exp);
	if (m->nbf != NO_CLAIM && m->nbf > now_s + LEEWAY_S)
		return fail(
			e, ERR_NOT_YET, "token: not valid yet (nbf %lld)", (long long)m->nbf);
	if (m->iat != NO_CLAIM && m->iat > now_s + LEEWAY_S)
		return fail(e, ERR_BEFORE_ISSUED, "token: used before issued at (iat %lld)",
			(long long)m->iat);
	return true;
}

bool
auth_check(struct arena *a, const struct app *app, struct str jwt, int64_t now_s,
	struct token *out, struct err *e)
{
	uint8_t mac[CRYPT_SHA256_LEN];
	struct moments m;
	struct jwt parts = {0};
	json_t *claims;

	if (!split(a, jwt, &parts, e) || !check_header(a, parts.header, e) ||
		!parse_part(a, parts.claims, "claims", &claims, e) ||
		!read_moment(claims, "exp", &m.exp, e) ||
		!read_moment(claims, "nbf", &m.nbf, e) ||
		!read_moment(claims, "iat", &m.iat, e) || !read_user(claims, &out->user_id, e))
		return false;
	out->iat = m.iat;
	out->exp = m.exp;
	crypt_hmac_sha256(app->api_secret, parts.signed_text, mac);
	if (parts.signature.n != sizeof mac || !crypt_equal(parts.signature.p, mac, sizeof mac))
		return fail(e, ERR_SIGNATURE, "token: the signature does not match");
	return check_moments(&m, now_s, e);
}

/* In seconds: iat can be any number. */
int64_t
auth_revoked_s(int64_t before_us)
{
	return before_us == INT64_MIN ? INT64_MIN
				      : before_us / 1000000 + (before_us % 1000000 > 0);
}

/* ---- development tokens ------------------------------------------------------------------ */

static const struct str unsigned_end = STR_INIT(".devtoken");

bool
auth_is_development(struct str jwt)
{
	return str_ends(jwt, unsigned_end);
}

/* Clients pad these, and use the alphabet of base64 as well. */
static struct str
canonical(struct arena *a, struct str claims)
{
	char *p = arena_alloc(a, claims.n + 1);

	while (claims.n > 0 && claims.p[claims.n - 1] == '=')
		claims.n--;
	for (size_t i = 0; i < claims.n; i++)
		p[i] = claims.p[i] == '+' ? '-' : claims.p[i] == '/' ? '_' : claims.p[i];
	return (struct str){p, claims.n};
}

bool
auth_check_development(struct arena *a, struct str jwt, struct token *out, struct err *e)
{
	size_t dot = str_find(jwt, '.', 0), end = jwt.n - unsigned_end.n;
	struct str claims;
	json_t *tree;

	if (dot >= end)
		return fail(e, ERR_AUTH, "token: expected three parts with dots between");
	if (!crypt_b64url_read(a, canonical(a, str_sub(jwt, dot + 1, end - dot - 1)), &claims))
		return fail(e, ERR_AUTH, "token: not base64url");
	if (!parse_part(a, claims, "claims", &tree, e) || !read_user(tree, &out->user_id, e))
		return false;
	out->iat = out->exp = NO_CLAIM;
	/* Unsigned, it can say who the user is, never that the back end calls. */
	return out->user_id.p != NULL ||
	       fail(e, ERR_AUTH, "token: a development token needs a user_id");
}

struct str
auth_sign(struct arena *a, struct str secret, struct str user_id, int64_t now_s, int64_t ttl_s)
{
	uint8_t mac[CRYPT_SHA256_LEN];
	struct buf claims, out;
	struct jw w;

	buf_init(&claims, a, 128);
	jw_init(&w, &claims);
	jw_obj(&w);
	if (user_id.p) {
		jw_kstr(&w, "user_id", user_id);
		jw_ki64(&w, "iat", now_s);
	} else {
		jw_kbool(&w, "server", true);
	}
	if (ttl_s > 0)
		jw_ki64(&w, "exp", now_s + ttl_s);
	jw_end_obj(&w);

	buf_init(&out, a, 256);
	buf_str(&out, crypt_b64url(a, STR("{\"alg\":\"HS256\",\"typ\":\"JWT\"}")));
	buf_char(&out, '.');
	buf_str(&out, crypt_b64url(a, buf_view(&claims)));
	crypt_hmac_sha256(secret, buf_view(&out), mac);
	buf_char(&out, '.');
	buf_str(&out, crypt_b64url(a, (struct str){(const char *)mac, sizeof mac}));
	return buf_view(&out);
}
