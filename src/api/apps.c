/* apps – the endpoints of the app's settings (api.md §6.8). */
#include "api/address_rule.h"
#include "api/app_wire.h"
#include "api/req.h"
#include "domain/settings.h"
#include "domain/settings_live.h"
#include "engine/engine.h"

static bool
get(struct req *r, struct err *e)
{
	struct settings s;

	if (!settings_load(r->db, r->arena, &s, e))
		return false;
	jw_kobj(&r->w, "app");
	if (r->user_id.p != NULL)
		app_wire_client(r, &s);
	else
		app_wire(r, &s);
	jw_end_obj(&r->w);
	return true;
}

static bool
update(struct req *r, struct err *e)
{
	json_t *body;

	if (!req_body(r, &body, e) || !address_rule_app(r, body, e) ||
		!settings_change(r->db, r->arena, body, e) ||
		!settings_live_read(r->ctx->settings, r->db, e))
		return false;
	engine_wake(r->ctx->engine);
	return true;
}

/* ---- events ------------------------------------------------------------------------------ */

static const struct {
	const char *name, *description;
} events[] = {
	{"campaign.started", "a campaign begins to send"},
	{"campaign.completed", "a campaign has handled its whole audience"},
	{"campaign.stopped", "a campaign was stopped; only sent to hooks that name it"},
	{"channel.created", "a channel was made"},
	{"channel.updated", "a channel was changed"},
	{"channel.deleted", "a channel was deleted"},
	{"channel.truncated", "the messages of a channel were removed"},
	{"channel.hidden", "a member hid a channel"},
	{"channel.visible", "a channel that was hidden is shown again"},
	{"member.added", "a user became a member of a channel"},
	{"member.updated", "a membership was changed"},
	{"member.removed", "a user left a channel"},
	{"message.new", "a message was sent"},
	{"message.read", "a member read a channel"},
	{"user.updated", "a user was changed"},
	{"user.deactivated", "a user was deactivated"},
	{"user.reactivated", "a user was reactivated"},
	{"user.deleted", "a user was deleted"},
};

/* product=chat,video: whether chat is among them, or none is asked for. */
static bool
wants_chat(struct req *r, bool *out, struct err *e)
{
	static const char *const products[] = {"all", "chat", "video", "moderation", "feeds"};
	struct str list = req_query(r, "product");

	*out = list.p == NULL;
	for (size_t at = 0; list.p != NULL && at <= list.n;) {
		size_t end = str_find(list, ',', at), i = 0;
		struct str name = str_trim(str_sub(list, at, end - at)),
			   shown = str_clip(name, 64);

		while (i < ARRAY_LEN(products) && !str_eq(name, str_of(products[i])))
			i++;
		if (i == ARRAY_LEN(products))
			return fail(e, ERR_INPUT,
				"product: expected all, chat, video, moderation or feeds, got "
				"\"%.*s\"",
				STR_ARG(shown));
		*out = *out || i <= 1;
		at = end + 1;
	}
	return true;
}

static bool
hook_events(struct req *r, struct err *e)
{
	bool wanted;

	if (!wants_chat(r, &wanted, e))
		return false;
	jw_karr(&r->w, "events");
	for (size_t i = 0; i < ARRAY_LEN(events) && wanted; i++) {
		jw_obj(&r->w);
		jw_kstr(&r->w, "name", str_of(events[i].name));
		jw_kstr(&r->w, "description", str_of(events[i].description));
		jw_karr(&r->w, "products");
		jw_str(&r->w, STR("chat"));
		jw_end_arr(&r->w);
		jw_end_obj(&r->w);
	}
	jw_end_arr(&r->w);
	return true;
}

static const struct route routes[] = {
	{"GET", "/app", "GetApp", get, ROUTE_COMMON | ROUTE_CLIENT, BODY_NONE,
		"the settings of the app, without secrets"},
	{"PATCH", "/app", "UpdateApp", update, ROUTE_COMMON, BODY_SMALL,
		"change settings of the app"},
	{"GET", "/hook/events", "GetHookEvents", hook_events, ROUTE_COMMON, BODY_NONE,
		"the events that a hook can ask for"},
};

const struct route_group routes_apps = {routes, ARRAY_LEN(routes)};
