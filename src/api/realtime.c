/* realtime – GET /connect: who is it, what is he told first; then the hub has the socket. */
#include "api/realtime.h"

#include "api/req.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/jscan.h"
#include "domain/device.h"
#include "domain/unread.h"
#include "domain/user.h"
#include "net/http.h"
#include "net/hub.h"
#include "net/ws.h"

/* ---- what the hub asks --------------------------------------------------------------- */

static void
open_health_check(struct jw *w, struct str id)
{
	char now[CLOCK_RFC3339_LEN];

	clock_to_rfc3339(clock_now_us(), now);
	jw_obj(w);
	jw_kstr(w, "type", STR("health.check"));
	jw_kstr(w, "connection_id", id);
	jw_kstr(w, "cid", STR("*"));
	jw_kstr(w, "created_at", (struct str){now, sizeof(now)});
}

static void
write_keep_alive(void *arg, struct str id, struct buf *out)
{
	struct jw w;

	(void)arg;
	jw_init(&w, out);
	open_health_check(&w, id);
	jw_end_obj(&w);
}

/* [{"type":"health.check", …}], or the object alone, which some clients send. */
static bool
is_ping(void *arg, struct str id, int64_t uid, struct str text)
{
	struct str event = str_trim(text);
	struct jscan_value type;

	(void)arg;
	(void)id;
	(void)uid;
	if (str_starts(event, STR("[")))
		event = str_trim(str_sub(event, 1, event.n - 1));
	if (!str_starts(event, STR("{")))
		return false;
	type = jscan_member(event, STR("type"));
	return str_is(type.raw, "\"health.check\"");
}

void
realtime_hub_opts(struct hub_opts *opts)
{
	opts->keep_alive = write_keep_alive;
	opts->on_text = is_ping;
}

/* ---- the request ----------------------------------------------------------------------- */

/* What the client says in ?json=. */
struct hello {
	json_t *all;
	struct str user_id;
	json_t *details; /* NULL: none */
	json_t *device;
};

static bool
read_json(const struct req *r, json_t **out, struct err *e)
{
	struct str text = req_query(r, "json");
	struct err why;

	if (text.p == NULL)
		return fail(e, ERR_INPUT, "json: is required");
	if (!jr_parse(r->arena, text, out, &why))
		return fail(e, ERR_INPUT, "json: %s", why.msg);
	return json_is_object(*out) || fail(e, ERR_INPUT, "json: expected an object, got %s",
					       *out ? jr_type_name(*out) : "null");
}

void
realtime_credentials(const struct req *r, struct str *type, struct str *jwt)
{
	json_t *json = NULL;
	struct err why;

	if (type->n == 0)
		*type = str_trim(req_query(r, "stream-auth-type"));
	if (jwt->n == 0)
		*jwt = str_trim(req_query(r, "authorization"));
	/* How a missing token looks when JavaScript writes it. */
	if (str_is(*jwt, "undefined") || str_is(*jwt, "null"))
		*jwt = STR_NONE;
	if (jwt->n == 0 && read_json(r, &json, &why) &&
		!jr_str(json, "user_token", OPTIONAL, jwt, &why))
		*jwt = STR_NONE;
}

static bool
read_hello(struct req *r, struct hello *out, struct err *e)
{
	struct str id;

	*out = (struct hello){0};
	if (!read_json(r, &out->all, e))
		return false;
	if (!jr_str(out->all, "user_id", OPTIONAL, &out->user_id, e) ||
		!jr_obj(out->all, "user_details", OPTIONAL, &out->details, e) ||
		!jr_obj(out->all, "device", OPTIONAL, &out->device, e))
		return fail_in(e, "json");
	id = out->user_id;
	if (!jr_str(out->details, "id", OPTIONAL, &id, e))
		return fail_in(e, "json.user_details");
	if (out->user_id.n == 0)
		out->user_id = id;
	if (!id_user_valid(out->user_id))
		return fail(e, ERR_INPUT, "json.user_id: expected a user id, got \"%.*s\"",
			STR_ARG(out->user_id));
	return str_eq(id, out->user_id) ||
	       fail(e, ERR_INPUT, "json.user_details.id: differs from user_id");
}

static bool
check_identity(const struct req *r, const struct hello *h, struct err *e)
{
	if (r->is_anonymous)
		return true;
	if (r->user_id.p == NULL)
		return fail(e, ERR_AUTH, "token: expected one of a user, with his user_id");
	return str_eq(r->user_id, h->user_id) ||
	       fail(e, ERR_AUTH,
		       "json.user_id: \"%.*s\" is not the user of the token, \"%.*s\"",
		       STR_ARG(h->user_id), STR_ARG(r->user_id));
}

static bool
add_device(struct req *r, const json_t *device, int64_t uid, struct err *e)
{
	struct device d = {.uid = uid};

	if (!jr_str(device, "id", REQUIRED, &d.id, e) ||
		!jr_str(device, "push_provider", REQUIRED, &d.provider, e) ||
		!jr_str(device, "push_provider_name", OPTIONAL, &d.provider_name, e) ||
		!jr_str(device, "hardware_id", OPTIONAL, &d.hardware_id, e) ||
		!jr_bool(device, "voip_token", OPTIONAL, &d.voip, e))
		return fail_in(e, "json.device");
	if (d.provider_name.n == 0)
		d.provider_name = STR_NONE;
	if (d.hardware_id.n == 0)
		d.hardware_id = STR_NONE;
	return device_add(r->db, &d, e);
}

/* ---- from request to connection -------------------------------------------------------- */

/* A place in the hub, until the socket comes. */
struct seat {
	struct hub *hub;
	struct hub_conn *conn; /* NULL: it is refused, behind the frame */
	struct str frame;      /* the first one */
};

static void
take_socket(void *arg, int fd, struct str early)
{
	struct seat *s = arg;
	struct payload *first = payload_new(s->frame);

	if (s->conn != NULL)
		hub_adopt(s->hub, s->conn, fd, early, first);
	else
		hub_refuse(s->hub, fd, first, HUB_CLOSE_FOR_GOOD);
}

static void
give_up_seat(void *arg)
{
	struct seat *s = arg;

	if (s->conn != NULL)
		hub_release(s->hub, s->conn);
}

static bool
shake_hands(struct req *r, char accept[WS_ACCEPT_LEN], struct err *e)
{
	const struct ws_request q = {
		.method = r->in->method,
		.upgrade = http_header(r->in, "Upgrade"),
		.connection = http_header(r->in, "Connection"),
		.version = http_header(r->in, "Sec-WebSocket-Version"),
		.key = http_header(r->in, "Sec-WebSocket-Key"),
	};

	return ws_handshake(&q, accept, e);
}

/* The answer is an upgrade; the socket goes to ${s}. */
static void
answer_upgrade(struct req *r, const char accept[WS_ACCEPT_LEN], struct seat *s)
{
	struct http_out *out = r->http;
	struct str value = arena_dup(r->arena, (struct str){accept, WS_ACCEPT_LEN});

	out->headers[out->nheaders++] = (struct http_header){"Upgrade", STR("websocket")};
	out->headers[out->nheaders++] = (struct http_header){"Sec-WebSocket-Accept", value};
	out->upgrade = (struct http_upgrade){take_socket, give_up_seat, s};
}

void
realtime_refuse(struct req *r, const struct err *why, struct http_out *out)
{
	char accept[WS_ACCEPT_LEN];
	struct seat *s;
	struct err ignored;

	if (err_http(why->code) >= 500 || why->code == ERR_TIMEOUT ||
		why->code == ERR_LIMITED || !shake_hands(r, accept, &ignored))
		return;
	s = arena_alloc(r->arena, sizeof(*s));
	*s = (struct seat){.hub = r->ctx->hub};
	s->frame = arena_printf(r->arena, "{\"error\":%.*s}", STR_ARG(out->body));
	answer_upgrade(r, accept, s);
}

static bool
take_seat(struct req *r, int64_t uid, struct hub_conn **out, struct err *e)
{
	switch (hub_reserve(r->ctx->hub, uid, r->issued_s, r->expires_at, out)) {
	case HUB_SEAT_TAKEN:
		return true;
	case HUB_SEAT_USER_FULL:
		return fail(e, ERR_CROWDED,
			"user \"%.*s\" has %d connections, which is the limit",
			STR_ARG(r->user_id), HUB_USER_MAX);
	case HUB_SEAT_HUB_FULL:
		return fail(e, ERR_LIMITED, "the server has as many connections as it takes");
	case HUB_SEAT_STOPPED:
		break;
	}
	return fail(e, ERR_STORE, "the server is about to stop");
}

/* {"type":"health.check", …, "me": …}: nothing is known of who is anonymous but his id. */
static bool
write_first(struct req *r, struct str conn_id, const struct user *u, struct err *e)
{
	struct device *devices = NULL;
	struct unread unread = {0};
	size_t ndevices = 0;

	if (u->uid != 0 && (!device_list(r->db, r->arena, u->uid, &devices, &ndevices, e) ||
				   !unread_of_users(r->db, r->arena, &u->uid, 1, &unread, e)))
		return false;
	open_health_check(&r->w, conn_id);
	jw_name(&r->w, STR("me"));
	wire_user_full(r, u, devices, ndevices, &unread);
	jw_end_obj(&r->w);
	return arena_check(r->arena, e);
}

static struct user
nobody(struct str id)
{
	int64_t now = clock_now_us();

	return (struct user){.id = id,
		.role = STR("anonymous"),
		.created_at = now,
		.updated_at = now,
		.last_active = now,
		.deactivated_at = NO_TIME,
		.deleted_at = NO_TIME,
		.revoked_before = NO_TIME};
}

static bool
connect(struct req *r, struct err *e)
{
	struct seat *s = arena_zalloc(r->arena, sizeof(*s));
	char accept[WS_ACCEPT_LEN];
	struct hello hello;
	struct user user;

	if (!shake_hands(r, accept, e) || !read_hello(r, &hello, e) ||
		!check_identity(r, &hello, e))
		return false;
	user = nobody(hello.user_id);
	if (!r->is_anonymous &&
		!user_connect(r->db, r->arena, hello.user_id, hello.details, &user, e))
		return false;
	if (hello.device != NULL && !r->is_anonymous &&
		!add_device(r, hello.device, user.uid, e))
		return false;
	s->hub = r->ctx->hub;
	/* From here on nothing that happens to the user is missed. */
	if (!take_seat(r, user.uid, &s->conn, e))
		return false;
	if (!write_first(r, hub_conn_id(s->conn), &user, e)) {
		give_up_seat(s);
		return false;
	}
	s->frame = buf_view(&r->out);
	answer_upgrade(r, accept, s);
	return true;
}

static const struct route routes[] = {
	{"GET", "/connect", "Connect", connect,
		ROUTE_COMMON | ROUTE_CLIENT | ROUTE_ANONYMOUS | ROUTE_SOCKET | ROUTE_RAW_ANSWER,
		BODY_NONE, "becomes the WebSocket of a user, which tells him what happens"},
};

const struct route_group routes_realtime = {routes, ARRAY_LEN(routes)};
