/* test_req – the way of a request over a real socket: order of checks, errors, headers. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "../unit.h"
#include "api/auth.h"
#include "api/limit.h"
#include "api/req.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/app.h"
#include "net/http.h"
#include "store/db.h"

#define PER_MINUTE 300
#define PER_SECOND 10

struct fixture {
	char dir[DIR_MAX];
	struct arena arena;
	struct store *store;
	struct db *db;
	struct app app;
	struct ctx ctx;
	struct http *http;
	struct str server; /* tokens */
	struct str bob;
};

struct answer {
	int status;
	char *head;
	json_t *body;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct http_opts opts = {.listen = "127.0.0.1:0",
		.threads = 1,
		.max_connections = 10,
		.body_limit = req_body_limit,
		.handle = req_handle,
		.refuse = req_refuse};
	struct limit_opts limits = {.nroutes = routes_count(), .per_minute = PER_MINUTE};
	char url[64];
	struct err e;
	bool made;

	assert_non_null(f);
	make_dir(f->dir);
	snprintf(url, sizeof url, "sqlite:%s/t.db", f->dir);
	arena_init(&f->arena, 4096, 1 << 20);
	assert_true(store_open(&f->store, url, &e));
	assert_true(db_open(&f->db, f->store, &e));
	assert_true(
		app_load(f->db, &f->arena, STR("key"), STR("a secret"), &f->app, &made, &e));
	f->ctx = (struct ctx){.store = f->store, .app = &f->app, .dbs = &f->db};
	limits.operations = routes_operations(&f->arena);
	must(limit_new(&f->ctx.limit, &limits, &e), &e);
	opts.arg = &f->ctx;
	assert_true(http_start(&f->http, &opts, &e));
	f->server = auth_sign(&f->arena, f->app.api_secret, STR_NONE, 0, 0);
	f->bob = auth_sign(
		&f->arena, f->app.api_secret, STR("bob"), clock_now_us() / 1000000 - 5, 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	http_stop(f->http, 5000);
	limit_free(f->ctx.limit);
	db_close(f->db);
	store_close(f->store);
	remove_dir(f->dir);
	arena_fini(&f->arena);
	free(f);
	return 0;
}

/* Sends ${text} on a connection of its own and reads to its end. */
static struct answer
send_raw(struct fixture *f, struct str text)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct answer a = {0};
	struct buf in;
	char *body;
	ssize_t m;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_port = htons((uint16_t)atoi(strrchr(http_address(f->http), ':') + 1));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(send(fd, text.p, text.n, MSG_NOSIGNAL), text.n);
	buf_init(&in, &f->arena, 4096);
	while ((m = recv(fd, buf_room(&in, 4096), 4096, 0)) > 0)
		in.n += (size_t)m;
	close(fd);
	buf_char(&in, '\0');
	assert_int_equal(sscanf(in.p, "HTTP/1.1 %d", &a.status), 1);
	a.head = in.p;
	body = strstr(in.p, "\r\n\r\n");
	assert_non_null(body);
	body[2] = '\0';
	a.body = json_loads(body + 4, 0, NULL);
	assert_non_null(a.body);
	jr_own(&f->arena, a.body);
	assert_true(json_is_string(json_object_get(a.body, "duration")));
	return a;
}

/* ${target} with the query; ${token} p == NULL: without one. */
static struct answer
call(struct fixture *f, const char *method, const char *target, struct str token,
	const char *body)
{
	struct str authorization = STR("");

	if (token.p)
		authorization =
			arena_printf(&f->arena, "Authorization: %.*s\r\n", STR_ARG(token));
	return send_raw(f, arena_printf(&f->arena,
				   "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%.*s"
				   "Content-Length: %zu\r\n\r\n%s",
				   method, target, STR_ARG(authorization), strlen(body), body));
}

static const char *
text_of(const struct answer *a, const char *key)
{
	const char *s = json_string_value(json_object_get(a->body, key));

	return s ? s : "(no text)";
}

/* The value of a response header, −1 without it. */
static long
header_of(const struct answer *a, const char *name)
{
	const char *at = strstr(a->head, name);

	return at ? strtol(at + strlen(name) + 2, NULL, 10) : -1;
}

static void
assert_error(const struct answer *a, int status, int code, const char *message)
{
	json_t *details = json_object_get(a->body, "details");

	if (a->status != status || strcmp(text_of(a, "message"), message) != 0)
		fail_msg("%d %s", a->status, text_of(a, "message"));
	assert_int_equal(json_integer_value(json_object_get(a->body, "code")), code);
	assert_int_equal(json_integer_value(json_object_get(a->body, "StatusCode")), status);
	assert_string_equal(
		text_of(a, "more_info"), "https://getstream.io/chat/docs/api_errors_response");
	assert_true(json_is_array(details) && json_array_size(details) == 0);
	assert_int_equal(json_object_size(a->body), 6);
	assert_non_null(strstr(a->head, "Content-Type: application/json"));
	assert_true(header_of(a, "X-RateLimit-Limit") == PER_MINUTE);
	assert_true(header_of(a, "X-RateLimit-Remaining") >= 0);
	assert_true(header_of(a, "X-RateLimit-Reset") * 1000000 > clock_now_us());
}

/* ---- tests ------------------------------------------------------------------------- */

static void
open_routes(void **state)
{
	struct answer a = call(*state, "GET", "/healthz", STR_NONE, "");

	assert_int_equal(a.status, 200);
	assert_string_equal(text_of(&a, "status"), "ok");
	a = call(*state, "GET", "/readyz", STR_NONE, "");
	assert_int_equal(a.status, 200);
	assert_string_equal(text_of(&a, "status"), "ready");
}

/* Each check is reached only when the ones before it passed. */
static void
order_of_checks(void **state)
{
	struct fixture *f = *state;
	const char *bad = "{\"users\":";
	struct answer a;

	a = call(f, "POST", "/nope?x=1", STR_NONE, bad);
	assert_error(&a, 404, 16, "POST /nope: no such endpoint");
	a = call(f, "PUT", "/users", STR_NONE, bad);
	assert_int_equal(a.status, 405);
	assert_non_null(strstr(a.head, "\r\nAllow: GET, POST, PATCH\r\n"));
	assert_error(&a, 405, 4, "PUT /users: this path takes GET, POST, PATCH");
	a = call(f, "POST", "/users", STR_NONE, bad);
	assert_error(&a, 401, 2,
		"UpdateUsers failed with error: \"api_key: missing from the query\"");
	a = call(f, "POST", "/users?api_key=other", STR_NONE, bad);
	assert_error(&a, 401, 2,
		"UpdateUsers failed with error: \"api_key: unknown key \"other\"\"");
	a = call(f, "POST", "/users?api_key=key", STR_NONE, bad);
	assert_error(
		&a, 401, 5, "UpdateUsers failed with error: \"Authorization header: missing\"");
	a = call(f, "POST", "/users?api_key=key", STR("x.y.devtoken"), bad);
	assert_int_equal(a.status, 401);
	a = call(f, "POST", "/users?api_key=key", f->bob, bad);
	assert_error(&a, 403, 17,
		"UpdateUsers failed with error: \"only a server-side token may call this, "
		"not one of user \"bob\"\"");
	a = call(f, "POST", "/users?api_key=key", f->server, "[]");
	assert_error(&a, 400, 4,
		"UpdateUsers failed with error: \"body: expected an object, got an array\"");
	a = call(f, "POST", "/users?api_key=key", f->server, bad);
	assert_int_equal(a.status, 400);
	assert_int_equal(json_integer_value(json_object_get(a.body, "code")), 4);
}

static void
stream_auth_type(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *type;
		int status;
	} cases[] = {{"jwt", 404}, {"JWT", 404}, {"", 404}, {"anonymous", 401}, {"x", 401}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str token =
			arena_printf(&f->arena, "bEARER  %.*s\r\nStream-Auth-Type: %s",
				STR_ARG(f->server), cases[i].type);
		struct answer a = call(f, "GET", "/tasks/none?api_key=key", token, "");

		assert_int_equal(a.status, cases[i].status);
	}
}

static void
success(void **state)
{
	struct fixture *f = *state;
	struct answer a = call(f, "POST", "/users?api_key=key", f->server,
		"{\"users\":{\"bob\":{\"id\":\"bob\",\"x\":1}}}");

	assert_int_equal(a.status, 201);
	assert_non_null(json_object_get(json_object_get(a.body, "users"), "bob"));
	assert_int_equal(header_of(&a, "X-RateLimit-Limit"), PER_MINUTE);
	assert_int_equal(header_of(&a, "X-RateLimit-Remaining"), PER_MINUTE - 1);
	a = call(f, "GET", "/api/v2/users?api_key=key&payload=%7B%7D", f->server, "null");
	assert_int_equal(a.status, 200);
	assert_int_equal(json_array_size(json_object_get(a.body, "users")), 1);
}

/* api.md §1.2: an earlier token, or one without iat, is refused as expired. */
static void
revoked_tokens(void **state)
{
	struct fixture *f = *state;
	struct str fresh = auth_sign(
		&f->arena, f->app.api_secret, STR("bob"), clock_now_us() / 1000000 + 5, 0);
	struct answer a;
	char now[CLOCK_RFC3339_LEN];

	call(f, "POST", "/users?api_key=key", f->server,
		"{\"users\":{\"bob\":{\"id\":\"bob\"}}}");
	a = call(f, "GET", "/users?api_key=key&payload=%7B%7D", f->bob, "");
	assert_int_equal(a.status, 200);
	clock_to_rfc3339(clock_now_us(), now);
	a = call(f, "PATCH", "/users?api_key=key", f->server,
		arena_printf(&f->arena,
			"{\"users\":[{\"id\":\"bob\",\"set\":"
			"{\"revoke_tokens_issued_before\":\"%.27s\"}}]}",
			now)
			.p);
	assert_int_equal(a.status, 200);
	a = call(f, "GET", "/users?api_key=key&payload=%7B%7D", f->bob, "");
	assert_error(&a, 401, 40, "QueryUsers failed with error: \"token: revoked\"");
	a = call(f, "GET", "/users?api_key=key&payload=%7B%7D", fresh, "");
	assert_int_equal(a.status, 200);
}

/* The 429 tells which window is full, and when to come again. */
static void
rate_limit(void **state)
{
	struct fixture *f = *state;
	struct answer a;
	bool by_second;
	int n = 0;

	/* Twice what a minute takes, and one: refused whatever minute begins meanwhile. */
	do {
		a = call(f, "GET", "/tasks/none?api_key=key", f->server, "");
	} while (a.status == 404 && ++n <= 2 * PER_MINUTE);
	assert_int_equal(a.status, 429);
	assert_int_equal(json_integer_value(json_object_get(a.body, "code")), 9);
	by_second = header_of(&a, "X-RateLimit-Limit") == PER_SECOND;
	assert_string_equal(text_of(&a, "message"),
		by_second ? "GetTask failed with error: \"rate limit: more than 10 calls a "
			    "second\""
			  : "GetTask failed with error: \"rate limit: more than 300 calls a "
			    "minute\"");
	assert_int_equal(header_of(&a, "X-RateLimit-Remaining"), 0);
	assert_in_range(header_of(&a, "Retry-After"), 1, by_second ? 1 : 60);
	a = call(f, "GET", "/campaigns/none?api_key=key", f->server, "");
	assert_int_equal(a.status, 404);
}

static void
refused_by_the_listener(void **state)
{
	struct answer a;

	a = send_raw(*state, STR("POST /campaigns/c/start HTTP/1.1\r\nHost: "
				 "h\r\nContent-Length: 16385\r\n\r\n"));
	assert_error(&a, 413, 22, "the body is larger than this call takes");
	assert_non_null(strstr(a.head, "\r\nConnection: close\r\n"));
	a = send_raw(*state, STR("GET /users HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"));
	assert_error(&a, 400, 4, "more than one Host");
}

/* ---- what handlers use ------------------------------------------------------------- */

static void
times_and_custom_data(void **state)
{
	struct fixture *f = *state;
	struct req r = {.arena = &f->arena};

	for (int v2 = 0; v2 < 2; v2++) {
		r.dialect = v2 ? DIALECT_V2 : DIALECT_V1;
		buf_init(&r.out, &f->arena, 256);
		jw_init(&r.w, &r.out);
		jw_obj(&r.w);
		req_ktime(&r, "a", 1798761600123456);
		req_ktime(&r, "b", NO_TIME);
		req_ktime_opt(&r, "c", NO_TIME);
		req_ktime(&r, "d", INT64_C(253402300799000000));
		req_custom(&r, STR("{\"x\":1}"));
		jw_end_obj(&r.w);
		buf_char(&r.out, '\0');
		assert_string_equal(r.out.p,
			v2 ? "{\"a\":1798761600123456000,\"b\":null,\"d\":9223372036854775000,"
			     "\"custom\":{\"x\":1}}"
			   : "{\"a\":\"2027-01-01T00:00:00.123456Z\",\"b\":null,"
			     "\"d\":\"9999-12-31T23:59:59.000000Z\",\"x\":1}");
	}
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(open_routes),
		WITH_SERVER(order_of_checks),
		WITH_SERVER(stream_auth_type),
		WITH_SERVER(success),
		WITH_SERVER(revoked_tokens),
		WITH_SERVER(rate_limit),
		WITH_SERVER(refused_by_the_listener),
		WITH_SERVER(times_and_custom_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
