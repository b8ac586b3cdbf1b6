/* auth – who calls: api_key, HS256 token, server or user (api.md §1.2). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct app;
struct arena;
struct err;

/* What a valid token says. */
struct token {
	struct str user_id; /* p == NULL: server-side */
	int64_t iat, exp;   /* seconds; INT64_MIN when absent */
};

/* Checks ${jwt} against the app's secret at ${now_s} (seconds).  Only HS256 with canonical
 * base64url passes; the header's alg is compared, never obeyed; crit is refused; exp, nbf and
 * iat must be numbers (leeway for iat and nbf: 10 s).  A valid signature without user_id, or
 * with server:true, is server-side.  Fails: AUTH, SIGNATURE, EXPIRED, NOT_YET,
 * BEFORE_ISSUED. */
bool auth_check(struct arena *a, const struct app *app, struct str jwt, int64_t now_s,
	struct token *out, struct err *e);

/* What is revoked by a moment (microseconds, or NO_TIME: nothing): tokens made before the
 * second that is returned, and those without iat. */
int64_t auth_revoked_s(int64_t before_us);

/* True for a token whose signature is the literal "devtoken": made by a client for itself. */
bool auth_is_development(struct str jwt);
/* Reads one, where the app takes them.  It always is a user's.  Fails: AUTH. */
bool auth_check_development(struct arena *a, struct str jwt, struct token *out, struct err *e);

/* Makes a token: ${user_id} p == NULL gives {"server":true}; ttl_s 0 = without exp. */
struct str
auth_sign(struct arena *a, struct str secret, struct str user_id, int64_t now_s, int64_t ttl_s);
