/* signals – the endpoint of events that pass and are kept nowhere: who is typing, and the app's
 * own (api.md §6.2, §7.6). */
#include "api/signals.h"

#include "api/chat_read.h"
#include "api/chat_wire.h"
#include "api/presence.h"
#include "api/req.h"
#include "api/wire.h"
#include "base/clock.h"
#include "domain/channel_type.h"
#include "domain/user.h"
#include "net/hub.h"
#include "store/db.h"

#define TYPE_MAX   100
#define CUSTOM_MAX 5120

/* What the server says of an event, and not who sends it. */
static const char *const event_keys[] = {"type", "cid", "channel_id", "channel_type",
	"created_at", "received_at", "user", "user_id", "parent_id", "watcher_count", "channel",
	"me", "custom"};

/* Whatever begins so is told by the server alone. */
static const char *const own_kinds[] = {"message", "notification", "channel", "member", "user",
	"poll", "reaction", "health", "connection", "thread", "capabilities", "transport"};

struct signal_event {
	struct str type, parent_id, custom;
	struct user user;
};

static bool
read_own(struct req *r, json_t *obj, struct signal_event *out, struct err *e)
{
	return jr_str_max(obj, "type", REQUIRED, TYPE_MAX, &out->type, e) &&
	       jr_str_max(obj, "parent_id", OPTIONAL, 255, &out->parent_id, e) &&
	       chat_read_custom(
		       r, obj, event_keys, ARRAY_LEN(event_keys), CUSTOM_MAX, &out->custom, e);
}

static bool
is_typing(struct str type)
{
	return str_is(type, "typing.start") || str_is(type, "typing.stop");
}

static bool
is_own_kind(struct str type)
{
	struct str kind = str_sub(type, 0, str_find(type, '.', 0));

	for (size_t i = 0; i < ARRAY_LEN(own_kinds); i++)
		if (str_eq(kind, str_of(own_kinds[i])))
			return true;
	return str_starts(type, STR("typing.")) && !is_typing(type);
}

static bool
check_type(struct req *r, const struct channel *c, struct str type, struct err *e)
{
	const char *flag = is_typing(type) ? "typing_events" : "custom_events";
	const struct channel_type *t;

	if (type.n == 0 || is_own_kind(type))
		return fail(e, ERR_INPUT,
			"event.type: expected \"typing.start\", \"typing.stop\" or a word of "
			"the "
			"app's own, got \"%.*s\"",
			STR_ARG(type));
	if (!chat_type(r, c->type, &t, e))
		return false;
	if (t == NULL || !channel_type_flag(t, flag))
		return fail(e, ERR_DENIED, "%s are off in channels of type \"%.*s\"", flag,
			STR_ARG(c->type));
	return true;
}

static bool
read_event(struct req *r, struct signal_event *out, int64_t *viewer, struct err *e)
{
	json_t *body, *obj;

	*out = (struct signal_event){0};
	if (!req_body(r, &body, e) || !jr_obj(body, "event", REQUIRED, &obj, e))
		return false;
	if (!read_own(r, obj, out, e) || !chat_viewer(r, obj, viewer, e))
		return fail_in(e, "event");
	if (*viewer == 0)
		return fail(e, ERR_INPUT,
			"event.user_id: missing; with server side auth it says whose event it "
			"is");
	return true;
}

static void
write_event(struct req *r, const struct channel *c, const struct signal_event *s, int64_t now)
{
	jw_obj(&r->w);
	jw_kstr(&r->w, "type", s->type);
	if (c != NULL) {
		jw_kstr(&r->w, "cid", c->cid);
		jw_kstr(&r->w, "channel_id", c->id);
		jw_kstr(&r->w, "channel_type", c->type);
	}
	req_ktime(r, "created_at", now);
	if (s->parent_id.n > 0)
		jw_kstr(&r->w, "parent_id", s->parent_id);
	jw_name(&r->w, STR("user"));
	wire_user(r, &s->user);
	chat_write_custom(r, s->custom, event_keys, ARRAY_LEN(event_keys));
	jw_end_obj(&r->w);
}

/* As sockets have it: in the older dialect, whoever sends.  ${c} NULL: to a user. */
static struct str
frame_of(
	const struct req *r, const struct channel *c, const struct signal_event *s, int64_t now)
{
	struct req w = {.ctx = r->ctx, .arena = r->arena, .dialect = DIALECT_V1};

	buf_init(&w.out, w.arena, 1024);
	jw_init(&w.w, &w.out);
	write_event(&w, c, s, now);
	return buf_view(&w.out);
}

/* Who hears it: a channel's number, or a user's below zero. */
static void
post(struct hub *hub, int64_t whom, struct str frame)
{
	struct payload *p = payload_new(frame);

	if (whom < 0)
		hub_post_user(hub, -whom, p);
	else
		hub_post_watchers(hub, whom, p);
	payload_unref(p);
}

/* Here and in all other processes. */
static void
post_everywhere(const struct req *r, int64_t whom, struct str frame)
{
	if (r->ctx->hub != NULL)
		post(r->ctx->hub, whom, frame);
	store_say(r->ctx->store,
		arena_printf(r->arena, "%lld %.*s", (long long)whom, STR_ARG(frame)));
}

void
signals_hear(void *arg, struct str text)
{
	const struct ctx *ctx = arg;
	size_t space = str_find(text, ' ', 0);
	int64_t whom;

	if (ctx->presence != NULL && presence_hear(ctx->presence, text))
		return;
	if (space < text.n && str_to_i64(str_sub(text, 0, space), &whom))
		post(ctx->hub, whom, str_sub(text, space + 1, text.n - space - 1));
}

static bool
send_event(struct req *r, struct err *e)
{
	int64_t viewer, now = clock_now_us();
	struct signal_event s;
	struct channel c;

	if (!read_event(r, &s, &viewer, e) ||
		!channel_get(r->db, r->arena, r->param[0], r->param[1], &c, e) ||
		!chat_check_access(r, &c, viewer, e) || !check_type(r, &c, s.type, e) ||
		!user_by_uid(r->db, r->arena, viewer, &s.user, e))
		return false;
	post_everywhere(r, c.no, frame_of(r, &c, &s, now));
	jw_name(&r->w, STR("event"));
	write_event(r, &c, &s, now);
	return true;
}

/* From the back end to one user, in his name: to all of his connections. */
static bool
send_user_event(struct req *r, struct err *e)
{
	struct signal_event s = {0};
	json_t *body, *obj;

	if (!req_body(r, &body, e) || !jr_obj(body, "event", REQUIRED, &obj, e))
		return false;
	if (!read_own(r, obj, &s, e))
		return fail_in(e, "event");
	if (s.type.n == 0 || is_own_kind(s.type) || is_typing(s.type))
		return fail(e, ERR_INPUT,
			"event.type: expected a word of the app's own, got \"%.*s\"",
			STR_ARG(s.type));
	if (!user_get(r->db, r->arena, r->param[0], &s.user, e))
		return false;
	post_everywhere(r, -s.user.uid, frame_of(r, NULL, &s, clock_now_us()));
	return true;
}

static const struct route routes[] = {
	{"POST", "/channels/{type}/{id}/event", "SendEvent", send_event,
		ROUTE_CHAT | ROUTE_CLIENT, BODY_NONE,
		"Tells who watches a channel that somebody types, or an event of the app's "
		"own"},
	{"POST", "/users/{user_id}/event", "SendUserCustomEvent", send_user_event, ROUTE_CHAT,
		BODY_NONE,
		"Tells a user, on all of his connections, an event of the app's own"},
};

const struct route_group routes_signals = {routes, ARRAY_LEN(routes)};
