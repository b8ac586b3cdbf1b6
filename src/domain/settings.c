/* settings – the app's settings: their table, and the one row that keeps them. */
#include "domain/settings.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/event.h"
#include "domain/hook.h"
#include "domain/push_route.h"
#include "domain/route.h"
#include "domain/shape.h"
#include "store/db.h"

#define KEY_MAX   16384 /* characters of a key file */
#define TEXT_MAX  16384 /* of a template */
#define LISTS_MAX 200

static const struct shape push[] = {
	{.name = "version", .kind = SHAPE_CHOICE, .words = "v1 v2 v3"},
	{.name = "offline_only", .kind = SHAPE_BOOL},
};

static const struct shape firebase[] = {
	{.name = "credentials_json", .kind = SHAPE_TEXT, .hi = KEY_MAX},
	{.name = "server_key", .kind = SHAPE_TEXT, .hi = KEY_MAX},
	{.name = "notification_template", .kind = SHAPE_TEXT, .hi = TEXT_MAX},
	{.name = "data_template", .kind = SHAPE_TEXT, .hi = TEXT_MAX},
	{.name = "apn_template", .kind = SHAPE_TEXT, .hi = TEXT_MAX},
	{.name = "disabled", .kind = SHAPE_BOOL},
};

static const struct shape apn[] = {
	{.name = "auth_key", .kind = SHAPE_TEXT, .hi = KEY_MAX},
	{.name = "p12_cert", .kind = SHAPE_TEXT, .hi = KEY_MAX},
	{.name = "auth_type", .kind = SHAPE_CHOICE, .words = "token certificate"},
	{.name = "bundle_id", .kind = SHAPE_TEXT, .hi = 255},
	{.name = "host", .kind = SHAPE_TEXT, .hi = 255},
	{.name = "key_id", .kind = SHAPE_TEXT, .hi = 255},
	{.name = "team_id", .kind = SHAPE_TEXT, .hi = 255},
	{.name = "notification_template", .kind = SHAPE_TEXT, .hi = TEXT_MAX},
	{.name = "development", .kind = SHAPE_BOOL},
	{.name = "disabled", .kind = SHAPE_BOOL},
};

static const struct shape upload[] = {
	{.name = "allowed_file_extensions", .kind = SHAPE_TEXTS, .hi = LISTS_MAX},
	{.name = "allowed_mime_types", .kind = SHAPE_TEXTS, .hi = LISTS_MAX},
	{.name = "blocked_file_extensions", .kind = SHAPE_TEXTS, .hi = LISTS_MAX},
	{.name = "blocked_mime_types", .kind = SHAPE_TEXTS, .hi = LISTS_MAX},
	{.name = "size_limit", .kind = SHAPE_INT, .lo = 0, .hi = INT64_C(1) << 40},
};

static const struct shape shapes[] = {
	{.name = "multi_tenant_enabled", .kind = SHAPE_BOOL},
	{.name = "disable_auth_checks", .kind = SHAPE_BOOL},
	{.name = "disable_permissions_checks", .kind = SHAPE_BOOL},
	{.name = "enable_hook_payload_compression", .kind = SHAPE_BOOL},
	{.name = "revoke_tokens_issued_before", .kind = SHAPE_TIME, .keeps_null = true},
	{.name = "enforce_unique_usernames", .kind = SHAPE_CHOICE, .words = "no app team"},
	{.name = "permission_version", .kind = SHAPE_CHOICE, .words = "v1 v2"},
	{.name = "grants", .kind = SHAPE_LISTS, .hi = LISTS_MAX},
	{.name = "reminders_interval", .kind = SHAPE_INT, .lo = 0, .hi = 86400 * 365},
	{.name = "webhook_url", .kind = SHAPE_URL},
	{.name = "webhook_events", .kind = SHAPE_TEXTS, .keeps_null = true, .hi = LISTS_MAX},
	{.name = "before_message_send_hook_url", .kind = SHAPE_URL},
	{.name = "before_message_send_hook_attempt_timeout_ms",
		.kind = SHAPE_INT,
		.lo = 1,
		.hi = 5000},
	{.name = "custom_action_handler_url", .kind = SHAPE_URL},
	{.name = "sqs_url", .kind = SHAPE_URL},
	{.name = "sqs_key", .kind = SHAPE_TEXT, .hi = 255},
	{.name = "sqs_secret", .kind = SHAPE_TEXT, .hi = 255},
	{.name = "sns_topic_arn", .kind = SHAPE_TEXT, .hi = 255},
	{.name = "sns_key", .kind = SHAPE_TEXT, .hi = 255},
	{.name = "sns_secret", .kind = SHAPE_TEXT, .hi = 255},
	{.name = "push_config",
		.kind = SHAPE_OBJECT,
		.members = push,
		.nmembers = ARRAY_LEN(push)},
	{.name = "firebase_config",
		.kind = SHAPE_OBJECT,
		.members = firebase,
		.nmembers = ARRAY_LEN(firebase)},
	{.name = "apn_config",
		.kind = SHAPE_OBJECT,
		.members = apn,
		.nmembers = ARRAY_LEN(apn)},
	{.name = "file_upload_config",
		.kind = SHAPE_OBJECT,
		.members = upload,
		.nmembers = ARRAY_LEN(upload)},
	{.name = "image_upload_config",
		.kind = SHAPE_OBJECT,
		.members = upload,
		.nmembers = ARRAY_LEN(upload)},
};

/* ---- reading ----------------------------------------------------------------------------- */

static bool
is_on(const json_t *all, const char *name)
{
	return json_is_true(json_object_get(all, name));
}

static int64_t
revoked_before(const json_t *all)
{
	const json_t *at = settings_of(all, "revoke_tokens_issued_before");

	return at != NULL ? json_integer_value(at) : NO_TIME;
}

static void
derive(struct settings *s)
{
	s->multi_tenant = is_on(s->all, "multi_tenant_enabled");
	s->no_auth_checks = is_on(s->all, "disable_auth_checks");
	s->no_permission_checks = is_on(s->all, "disable_permissions_checks");
	s->revoked_before = revoked_before(s->all);
}

bool
settings_load(struct db *db, struct arena *a, struct settings *out, struct err *e)
{
	struct str text = STR("{}");
	struct rows r;

	*out = (struct settings){0};
	if (!db_query(db, SQL_SETTINGS_GET, NO_ARGS, NO_BULK, &r, e))
		return false;
	if (rows_next(&r)) {
		out->version = row_int(&r, 0);
		text = arena_dup(a, row_str(&r, 1));
	}
	if (!rows_end(&r, e) || !jr_parse(a, text, &out->all, e))
		return false;
	derive(out);
	return true;
}

bool
settings_version(struct db *db, int64_t *out, struct err *e)
{
	bool found;

	*out = 0;
	return db_get_int(db, SQL_SETTINGS_VERSION, NO_ARGS, out, &found, e);
}

bool
settings_multi_tenant(struct db *db, struct arena *a, bool *out, struct err *e)
{
	struct settings s;

	if (!settings_load(db, a, &s, e))
		return false;
	*out = s.multi_tenant;
	return true;
}

bool
settings_touch(struct db *w, struct err *e)
{
	return db_exec(w, SQL_SETTINGS_TOUCH, NO_ARGS, NO_BULK, NULL, e);
}

/* ---- changing ---------------------------------------------------------------------------- */

struct change {
	struct arena *arena;
	json_t *patch; /* as shape_read() took it over */
	json_t *hooks; /* the new event_hooks; NULL: unchanged */
};

/* Objects are merged member by member, so that one template can be set without the keys. */
static void
merge(json_t *all, json_t *patch)
{
	const char *key;
	json_t *v;

	json_object_foreach(patch, key, v)
	{
		json_t *old = json_object_get(all, key);

		if (json_is_object(v) && json_is_object(old))
			json_object_update(old, v);
		else
			json_object_set(all, key, v);
	}
}

static enum unique_names
unique_names(const json_t *all)
{
	struct str mode = jr_text(json_object_get(all, "enforce_unique_usernames"));

	return str_is(mode, "app")    ? UNIQUE_APP
	       : str_is(mode, "team") ? UNIQUE_TEAM
				      : UNIQUE_NO;
}

/* Hooks and push providers hear of what is committed from here on. */
static bool
make_routes(struct db *w, const struct change *c, const json_t *all, struct err *e)
{
	bool fresh = json_object_get(c->patch, "firebase_config") != NULL ||
		     json_object_get(c->patch, "apn_config") != NULL;
	struct out_route *routes;
	size_t n;

	hook_routes(c->arena, all, &routes, &n);
	return route_sync_in(w, c->arena, ROUTE_WEBHOOK, routes, n, e) &&
	       push_routes_settings(w, c->arena, all, fresh, e);
}

/* Who is connected by such a token has to go, to whatever process. */
static bool
tell_revoked(struct db *w, int64_t before, struct err *e)
{
	struct event ev = {
		.kind = EVENT_TOKENS_REVOKED, .at = clock_now_us(), .object = before};

	return event_add(w, &ev, 1, e);
}

static bool
change_in(struct db *w, void *arg, struct err *e)
{
	struct change *c = arg;
	enum unique_names before, after;
	int64_t revoked;
	struct settings s;
	json_t *hooks;

	if (!settings_load(w, c->arena, &s, e))
		return false;
	before = unique_names(s.all);
	revoked = revoked_before(s.all);
	merge(s.all, c->patch);
	after = unique_names(s.all);
	if (c->hooks != NULL) {
		if (!hooks_merge(c->arena, json_object_get(s.all, "event_hooks"), c->hooks,
			    clock_now_us(), &hooks, e))
			return false;
		json_object_set(s.all, "event_hooks", hooks);
	}
	if (!db_exec(w, SQL_SETTINGS_PUT, ARGS(V_INT(after), V_TEXT(jr_dump(c->arena, s.all))),
		    NO_BULK, NULL, e) ||
		(before != after && !db_exec(w, SQL_SETTINGS_NAMES_FROM,
					    ARGS(after == UNIQUE_NO ? V_NULL : V_INT(0)),
					    NO_BULK, NULL, e)))
		return false;
	return make_routes(w, c, s.all, e) &&
	       (revoked_before(s.all) <= revoked || tell_revoked(w, revoked_before(s.all), e));
}

bool
settings_change(struct db *db, struct arena *a, const json_t *body, struct err *e)
{
	struct change c = {.arena = a};
	json_t *list = NULL;

	if (!shape_read(a, body, shapes, ARRAY_LEN(shapes), &c.patch, e) ||
		!jr_arr(body, "event_hooks", OPTIONAL, HOOK_MAX, &list, e) ||
		(list != NULL && !hooks_read(a, list, &c.hooks, e)))
		return false;
	if (json_object_size(c.patch) == 0 && c.hooks == NULL)
		return true;
	return db_write(db, change_in, &c, e);
}
