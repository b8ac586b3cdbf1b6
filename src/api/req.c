/* req – one request from its bytes to its answer: who, where to, what came of it. */
#include "api/req.h"

#include <assert.h>

#include "api/auth.h"
#include "api/cause.h"
#include "api/cors.h"
#include "api/limit.h"
#include "api/realtime.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/log.h"
#include "domain/app.h"
#include "domain/settings.h"
#include "domain/settings_live.h"
#include "domain/user.h"
#include "engine/engine.h"
#include "net/http.h"
#include "store/db.h"

#define MORE_INFO     "https://getstream.io/chat/docs/api_errors_response"

#define RETRY_STORE_S 1 /* what a 503 asks for */

/* ---- answers ---------------------------------------------------------------------- */

/* What an error body needs to know. */
struct failure {
	int status, code;
	const char *route; /* operation id; NULL: none was reached */
	const char *text;
	struct str
		members;  /* a JSON object whose members belong to the body; p == NULL: none */
	int64_t began_us; /* monotonic */
};

static void
add_header(struct http_out *out, const char *name, struct str value)
{
	assert(out->nheaders < HTTP_MAX_HEADERS);
	out->headers[out->nheaders++] = (struct http_header){name, value};
}

static void
add_number(struct arena *a, struct http_out *out, const char *name, int64_t value)
{
	add_header(out, name, arena_printf(a, "%lld", (long long)value));
}

static void
add_limits(struct arena *a, struct http_out *out, const struct limit_state *l)
{
	add_number(a, out, "X-RateLimit-Limit", l->limit);
	add_number(a, out, "X-RateLimit-Remaining", l->remaining);
	add_number(a, out, "X-RateLimit-Reset", l->reset_s);
}

static void
write_duration(struct jw *w, int64_t began_us)
{
	char text[32];
	int64_t us = clock_mono_us() - began_us;
	int n = snprintf(text, sizeof text, "%lld.%02lldms", (long long)(us / 1000),
		(long long)(us % 1000 / 10));

	jw_kstr(w, "duration", (struct str){text, (size_t)n});
}

static void
write_failure(struct arena *a, struct http_out *out, const struct failure *f)
{
	struct str message = str_of(f->text);
	struct buf b;
	struct jw w;

	if (f->route)
		message = arena_printf(a, "%s failed with error: \"%s\"", f->route, f->text);
	buf_init(&b, a, 1024);
	jw_init(&w, &b);
	jw_obj(&w);
	jw_ki64(&w, "code", f->code);
	jw_kstr(&w, "message", message);
	jw_ki64(&w, "StatusCode", f->status);
	write_duration(&w, f->began_us);
	jw_kstr(&w, "more_info", STR(MORE_INFO));
	jw_karr(&w, "details");
	jw_end_arr(&w);
	if (f->members.p)
		jw_members(&w, f->members);
	jw_end_obj(&w);
	out->status = f->status;
	out->body = buf_view(&b);
}

static void
answer_failure(struct req *r, const struct err *e, const struct limit_state *limits,
	struct http_out *out)
{
	struct failure f = {.status = err_http(e->code),
		.code = err_wire(e->code),
		.route = r->route ? r->route->name : NULL,
		.text = e->msg,
		.began_us = r->in->began_us};

	if (r->tells_failure) {
		jw_end_obj(&r->w);
		f.members = buf_view(&r->out);
	}
	if (f.status >= 500 || e->code == ERR_UNFIT)
		log_error("request failed route=%s code=%s: %s", f.route ? f.route : "none",
			err_name(e->code), e->msg);
	if (f.status >= 500) {
		/* What went wrong inside is for the log, not for whoever calls. */
		f.text = e->code == ERR_BUG         ? "internal error"
			 : e->code == ERR_UNCERTAIN ? "the store did not say whether this was "
						      "done; ask before trying again"
						    : "the store is busy or cannot be reached; "
						      "nothing was changed";
	}
	if (f.status == 503)
		add_number(r->arena, out, "Retry-After", RETRY_STORE_S);
	if (e->code == ERR_LIMITED)
		add_number(r->arena, out, "Retry-After",
			MAX_OF(limits->reset_s - clock_now_us() / 1000000, 1));
	write_failure(r->arena, out, &f);
}

static void
answer_success(struct req *r, struct http_out *out)
{
	const char *method = r->route->method;
	bool makes = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0;

	out->status = r->status ? r->status : makes ? 201 : 200;
	out->body = buf_view(&r->out);
}

/* ---- who calls -------------------------------------------------------------------- */

static bool
check_key(const struct req *r, struct err *e)
{
	struct str key = http_query(r->in, "api_key");

	if (!key.p)
		return fail(e, ERR_KEY, "api_key: missing from the query");
	if (!str_eq(key, r->ctx->app->api_key))
		return fail(e, ERR_KEY, "api_key: unknown key \"%.*s\"", STR_ARG(key));
	return true;
}

static bool
is_revoked(const struct token *t, int64_t before)
{
	return t->iat < auth_revoked_s(before);
}

static int64_t
ends_at(const struct token *t)
{
	return t->exp == INT64_MIN ? NO_TIME : MIN_OF(t->exp, INT64_MAX / 1000000) * 1000000;
}

/* A token outlives what becomes of its user.  One of a user that was never created is good:
 * clients create theirs. */
static bool
check_user(const struct req *r, const struct token *t, struct err *e)
{
	struct user user;
	int64_t uid;

	if (is_revoked(t, r->settings->revoked_before))
		return fail(e, ERR_EXPIRED, "token: revoked");
	if (!user_resolve(r->db, r->arena, &t->user_id, 1, &uid, e))
		return false;
	if (uid == 0)
		return true;
	if (!user_by_uid(r->db, r->arena, uid, &user, e))
		return false;
	if (is_revoked(t, user.revoked_before))
		return fail(e, ERR_EXPIRED, "token: revoked");
	if (user.deleted_at != NO_TIME)
		return fail(e, ERR_NOT_FOUND, "the user %.*s was deleted", STR_ARG(user.id));
	if (user.deactivated_at != NO_TIME)
		return fail(e, ERR_DENIED, "the user %.*s was deactivated", STR_ARG(user.id));
	return true;
}

static bool
check_jwt(const struct req *r, struct str jwt, struct token *out, struct err *e)
{
	if (!auth_is_development(jwt))
		return auth_check(r->arena, r->ctx->app, jwt, clock_now_us() / 1000000, out, e);
	return r->settings->no_auth_checks
		       ? auth_check_development(r->arena, jwt, out, e)
		       : fail(e, ERR_SIGNATURE,
				 "token: made for development; the app checks signatures");
}

static bool
check_token(struct req *r, struct err *e)
{
	struct str type = str_trim(http_header(r->in, "stream-auth-type"));
	struct str jwt = str_trim(http_header(r->in, "Authorization"));
	const struct str bearer = STR("Bearer ");
	bool is_socket = r->route->flags & ROUTE_SOCKET;
	struct token token;

	if (is_socket)
		realtime_credentials(r, &type, &jwt);
	r->is_anonymous = r->route->flags & ROUTE_ANONYMOUS &&
			  (str_ieq(type, STR("anonymous")) || (jwt.n == 0 && !is_socket));
	if (r->is_anonymous)
		return true;
	if (type.n > 0 && !str_ieq(type, STR("jwt")))
		return fail(e, ERR_AUTH, "stream-auth-type: expected jwt, got \"%.*s\"",
			STR_ARG(type));
	if (jwt.n >= bearer.n && str_ieq(str_sub(jwt, 0, bearer.n), bearer))
		jwt = str_trim(str_sub(jwt, bearer.n, jwt.n - bearer.n));
	if (jwt.n == 0)
		return fail(e, ERR_AUTH, "Authorization header: missing");
	if (!check_jwt(r, jwt, &token, e))
		return false;
	r->issued_s = token.iat;
	r->expires_at = ends_at(&token);
	if (!token.user_id.p)
		return true;
	if (!(r->route->flags & ROUTE_CLIENT))
		return fail(e, ERR_DENIED,
			"only a server-side token may call this, not one of "
			"user \"%.*s\"",
			STR_ARG(token.user_id));
	r->user_id = token.user_id;
	return check_user(r, &token, e);
}

/* ---- the way of a request --------------------------------------------------------- */

/* NULL when it fails. */
static const struct route *
find_route(struct req *r, size_t *no, struct http_out *out, struct err *e)
{
	struct str method = r->in->method, path = r->in->path;
	struct route_match m;

	routes_match(r->arena, method, path, &m);
	if (m.allow.p) {
		add_header(out, "Allow", m.allow);
		fail(e, ERR_METHOD, "%.*s %.*s: this path takes %.*s", STR_ARG(method),
			STR_ARG(path), STR_ARG(m.allow));
	} else if (!m.route) {
		fail(e, ERR_NOT_FOUND, "%.*s %.*s: no such endpoint", STR_ARG(method),
			STR_ARG(path));
	}
	r->dialect = m.dialect;
	memcpy(r->param, m.param, sizeof r->param);
	*no = m.no;
	return m.route;
}

/* The call as the limits see it; before the caller is known he is taken for a user. */
static struct limit_call
call_of(const struct req *r, size_t no, bool server_side)
{
	struct str client = http_header(r->in, "X-Stream-Client");

	/* Browsers set no headers of a WebSocket. */
	if (client.p == NULL && r->route && r->route->flags & ROUTE_SOCKET)
		client = http_query(r->in, "X-Stream-Client");
	return (struct limit_call){
		.route = no,
		.platform = limit_platform(server_side, client),
		.user = r->user_id,
		.now_s = clock_now_us() / 1000000,
	};
}

static bool
count_call(const struct req *r, size_t no, struct limit_state *limits, struct err *e)
{
	static const char *const windows[] = {
		[LIMIT_SECOND] = "a second",
		[LIMIT_MINUTE] = "a minute",
		[LIMIT_USER] = "a minute by one user",
	};
	struct limit_call call = call_of(r, no, !r->user_id.p && !r->is_anonymous);
	enum limit_verdict verdict = limit_take(r->ctx->limit, &call, limits);

	return verdict == LIMIT_OK ||
	       fail(e, ERR_LIMITED, "rate limit: more than %lld calls %s",
		       (long long)limits->limit, windows[verdict]);
}

/* What an answer shows that counts nowhere. */
static void
look_at_limits(const struct req *r, size_t no, struct limit_state *limits)
{
	struct limit_call call = call_of(r, no, false);

	if (r->route)
		limit_look(r->ctx->limit, &call, limits);
	else
		limit_untouched(r->ctx->limit, call.now_s, limits);
}

static bool
read_body(struct req *r, struct err *e)
{
	r->raw_body = r->in->body;
	if (r->route->flags & ROUTE_RAW_BODY)
		return true;
	if (!jr_parse(r->arena, r->raw_body, &r->body, e))
		return false;
	if (r->body && !json_is_object(r->body))
		return fail(e, ERR_INPUT, "body: expected an object, got %s",
			jr_type_name(r->body));
	return true;
}

/* A store that fails behind a commit, when it is read for the answer, leaves done what was
 * done: the answer must not deny it. */
static bool
call_handler(struct req *r, struct err *e)
{
	bool ok, has_written;

	cause_set(r);
	ok = r->route->handler(r, e);
	cause_clear(r);
	has_written = r->db != NULL && db_take_written(r->db);
	if (has_written && r->ctx->engine != NULL)
		engine_tell(r->ctx->engine);
	if (!ok && has_written && err_http(e->code) == 503)
		e->code = ERR_UNCERTAIN;
	return ok;
}

static bool
run_handler(struct req *r, struct err *e)
{
	buf_init(&r->out, r->arena, 4096);
	jw_init(&r->w, &r->out);
	if (r->route->flags & ROUTE_RAW_ANSWER)
		return call_handler(r, e);
	jw_obj(&r->w);
	if (!call_handler(r, e))
		return false;
	write_duration(&r->w, r->in->began_us);
	jw_end_obj(&r->w);
	assert(r->w.depth == 0);
	if (arena_overflowed(r->arena))
		return fail(e, ERR_TOO_LARGE, "the answer would be too large");
	return true;
}

/* A request as far as its head tells; from here on its queries have little time. */
static struct req
begin(const struct ctx *ctx, unsigned thread, const struct http_in *in, struct arena *arena,
	struct http_out *out)
{
	struct db *db = ctx->dbs ? ctx->dbs[thread] : NULL;

	if (db)
		db_set_deadline(db, clock_mono_us() + REQ_QUERY_MAX_US);
	return (struct req){.ctx = ctx,
		.arena = arena,
		.in = in,
		.http = out,
		.thread = thread,
		.db = db,
		.issued_s = NO_TIME,
		.expires_at = NO_TIME};
}

static bool
is_open(const struct req *r)
{
	return r->route && r->route->flags & ROUTE_OPEN;
}

static bool
check_caller(struct req *r, struct err *e)
{
	return is_open(r) ||
	       (settings_hold(r->ctx->settings, r->thread, r->db, &r->settings, e) &&
		       check_key(r, e) && check_token(r, e));
}

bool
req_admit(void *arg, unsigned thread, const struct http_in *in, struct arena *arena,
	struct http_out *out)
{
	const struct ctx *ctx = arg;
	struct req r = begin(ctx, thread, in, arena, out);
	struct limit_state limits;
	struct err e = {0};
	size_t no;

	if (cors_answer(arena, ctx->origins, in, out))
		return false;
	r.route = find_route(&r, &no, out, &e);
	if (r.route && check_caller(&r, &e)) {
		out->nheaders = 0; /* they are added when it is answered */
		return true;
	}
	look_at_limits(&r, no, &limits);
	answer_failure(&r, &e, &limits, out);
	add_limits(arena, out, &limits);
	return false;
}

void
req_handle(void *arg, unsigned thread, const struct http_in *in, struct arena *arena,
	struct http_out *out)
{
	const struct ctx *ctx = arg;
	struct req r = begin(ctx, thread, in, arena, out);
	struct limit_state limits;
	struct err e = {0};
	size_t no = 0;
	bool ok;

	if (cors_answer(arena, ctx->origins, in, out))
		return;
	r.route = find_route(&r, &no, out, &e);
	look_at_limits(&r, no, &limits);
	ok = r.route && check_caller(&r, &e) &&
	     (is_open(&r) || count_call(&r, no, &limits, &e)) && read_body(&r, &e) &&
	     run_handler(&r, &e);
	if (ok)
		answer_success(&r, out);
	else
		answer_failure(&r, &e, &limits, out);
	if (!is_open(&r))
		add_limits(arena, out, &limits);
	if (!ok && r.route && r.route->flags & ROUTE_SOCKET)
		realtime_refuse(&r, &e, out);
}

size_t
req_body_limit(void *arg, struct str method, struct str path)
{
	(void)arg;
	return routes_body_max(method, path);
}

void
req_refuse(void *arg, int status, const char *why, struct arena *arena, struct http_out *out)
{
	const struct ctx *ctx = arg;
	/* Codes of api.md §8: PayloadTooBig, MaxHeaderSizeExceeded, InputError,
	 * InternalSystemError. */
	int code = status == 413 ? 22 : status == 431 ? 24 : status >= 500 ? -1 : 4;
	struct limit_state limits;

	write_failure(arena, out,
		&(struct failure){.status = status,
			.code = code,
			.text = why,
			.began_us = clock_mono_us()});
	limit_untouched(ctx->limit, clock_now_us() / 1000000, &limits);
	add_limits(arena, out, &limits);
}

/* ---- for handlers ----------------------------------------------------------------- */

struct str
req_query(const struct req *r, const char *name)
{
	struct str s = http_query(r->in, name);

	return s.n > 0 ? s : STR_NONE;
}

bool
req_query_int(const struct req *r, const char *name, int64_t lo, int64_t hi, int64_t *out,
	struct err *e)
{
	struct str s = req_query(r, name);
	int64_t v;

	if (!s.p)
		return true;
	if (!str_to_i64(s, &v) || v < lo || v > hi)
		return fail(e, ERR_INPUT,
			"%s: expected an integer from %lld to %lld, got \"%.*s\"", name,
			(long long)lo, (long long)hi, STR_ARG(s));
	*out = v;
	return true;
}

bool
req_query_bool(const struct req *r, const char *name, bool *out, struct err *e)
{
	struct str s = req_query(r, name);

	if (!s.p)
		return true;
	if (str_ieq(s, STR("true")) || str_is(s, "1"))
		*out = true;
	else if (str_ieq(s, STR("false")) || str_is(s, "0"))
		*out = false;
	else
		return fail(e, ERR_INPUT, "%s: expected true or false, got \"%.*s\"", name,
			STR_ARG(s));
	return true;
}

void
req_header_int(struct req *r, const char *name, int64_t value)
{
	add_number(r->arena, r->http, name, value);
}

bool
req_body(struct req *r, json_t **obj, struct err *e)
{
	(void)e; /* read_body() refused what is no object */
	if (!r->body)
		r->body = jr_own(r->arena, json_object());
	*obj = r->body;
	return true;
}

bool
req_acting_user(struct req *r, const json_t *body, struct str *id, struct err *e)
{
	json_t *user = NULL;

	*id = r->user_id;
	if (id->p)
		return true;
	if (!jr_str(body, "user_id", OPTIONAL, id, e) ||
		!jr_obj(body, "user", OPTIONAL, &user, e))
		return false;
	if (!id->p && user && !jr_str(user, "id", REQUIRED, id, e))
		return fail_in(e, "user");
	if (id->n == 0)
		*id = req_query(r, "user_id");
	return true;
}

void
req_ktime(struct req *r, const char *key, int64_t us)
{
	char text[CLOCK_RFC3339_LEN + 2];

	if (us == NO_TIME) {
		jw_knull(&r->w, key);
	} else if (r->dialect == DIALECT_V1) {
		text[0] = text[sizeof(text) - 1] = '"';
		clock_to_rfc3339(us, text + 1);
		jw_kraw(&r->w, key, (struct str){text, sizeof(text)});
	} else {
		/* int64 nanoseconds end in the year 2262; later times stop there. */
		jw_ki64(&r->w, key,
			MAX_OF(MIN_OF(us, INT64_MAX / 1000), INT64_MIN / 1000) * 1000);
	}
}

void
req_ktime_opt(struct req *r, const char *key, int64_t us)
{
	if (us != NO_TIME)
		req_ktime(r, key, us);
}

void
req_custom(struct req *r, struct str custom)
{
	if (r->dialect == DIALECT_V2)
		jw_kraw(&r->w, "custom", custom.p ? custom : STR("{}"));
	else if (custom.p)
		jw_members(&r->w, custom);
}
