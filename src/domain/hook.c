/* hook – checking event_hooks, and putting new ones in the place of old ones. */
#include "domain/hook.h"

#include <ctype.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/jr.h"
#include "domain/route.h"
#include "domain/shape.h"

#define EVENT_TYPES_MAX 200
#define TIMEOUT_MAX_MS  60000

#define TEXT_MAX        512

static const struct shape callback[] = {
	{.name = "mode",
		.kind = SHAPE_CHOICE,
		.words = "CALLBACK_MODE_NONE CALLBACK_MODE_REST CALLBACK_MODE_TWIRP"},
	{.name = "server_url", .kind = SHAPE_URL},
};

static const struct shape failover[] = {
	{.name = "type", .kind = SHAPE_TEXT, .hi = TEXT_MAX},
	{.name = "gcs_bucket", .kind = SHAPE_TEXT, .hi = TEXT_MAX},
	{.name = "gcs_path", .kind = SHAPE_TEXT, .hi = TEXT_MAX},
	{.name = "gcs_credentials", .kind = SHAPE_TEXT, .is_secret = true, .hi = 16384},
};

static const struct shape shapes[] = {
	{.name = "id", .kind = SHAPE_TEXT, .hi = ID_UUID_LEN},
	{.name = "hook_type", .kind = SHAPE_CHOICE, .words = "webhook sqs sns pending_message"},
	{.name = "enabled", .kind = SHAPE_BOOL},
	{.name = "product", .kind = SHAPE_CHOICE, .words = "all chat video moderation feeds"},
	{.name = "event_types", .kind = SHAPE_TEXTS, .hi = EVENT_TYPES_MAX},
	{.name = "webhook_url", .kind = SHAPE_URL},
	{.name = "timeout_ms", .kind = SHAPE_INT, .lo = 0, .hi = TIMEOUT_MAX_MS},
	{.name = "should_send_custom_events", .kind = SHAPE_BOOL},
	{.name = "payload_dialect", .kind = SHAPE_CHOICE, .words = "v1 v2"},
	{.name = "callback",
		.kind = SHAPE_OBJECT,
		.members = callback,
		.nmembers = ARRAY_LEN(callback)},
	{.name = "failover_config",
		.kind = SHAPE_OBJECT,
		.members = failover,
		.nmembers = ARRAY_LEN(failover)},
	{.name = "sqs_queue_url", .kind = SHAPE_URL},
	{.name = "sqs_region", .kind = SHAPE_TEXT, .hi = TEXT_MAX},
	{.name = "sqs_auth_type", .kind = SHAPE_TEXT, .hi = TEXT_MAX},
	{.name = "sqs_key", .kind = SHAPE_TEXT, .is_secret = true, .hi = TEXT_MAX},
	{.name = "sqs_secret", .kind = SHAPE_TEXT, .is_secret = true, .hi = TEXT_MAX},
	{.name = "sqs_role_arn", .kind = SHAPE_TEXT, .hi = TEXT_MAX},
	{.name = "sns_topic_arn", .kind = SHAPE_TEXT, .hi = TEXT_MAX},
	{.name = "sns_region", .kind = SHAPE_TEXT, .hi = TEXT_MAX},
	{.name = "sns_auth_type", .kind = SHAPE_TEXT, .hi = TEXT_MAX},
	{.name = "sns_key", .kind = SHAPE_TEXT, .is_secret = true, .hi = TEXT_MAX},
	{.name = "sns_secret", .kind = SHAPE_TEXT, .is_secret = true, .hi = TEXT_MAX},
	{.name = "sns_role_arn", .kind = SHAPE_TEXT, .hi = TEXT_MAX},
};

/* Where each type of hook needs to be told where to send to. */
static const struct {
	const char *type, *address;
} addresses[] = {
	{"webhook", "webhook_url"},
	{"pending_message", "webhook_url"},
	{"sqs", "sqs_queue_url"},
	{"sns", "sns_topic_arn"},
};

const struct shape *
hook_shape(size_t *n)
{
	*n = ARRAY_LEN(shapes);
	return shapes;
}

/* ---- reading ----------------------------------------------------------------------------- */

static bool
check_id(const json_t *hook, struct err *e)
{
	struct str id = jr_text(json_object_get(hook, "id"));
	bool ok = id.n == 0 || id.n == ID_UUID_LEN;

	for (size_t i = 0; i < id.n && ok; i++)
		ok = isxdigit((unsigned char)id.p[i]) || id.p[i] == '-';
	return ok || fail(e, ERR_INPUT, "id: expected a UUID, got \"%.*s\"", STR_ARG(id));
}

/* "message.new"; "*" alone means all. */
static bool
check_event_types(const json_t *hook, struct err *e)
{
	const json_t *list = json_object_get(hook, "event_types");

	for (size_t i = 0; i < json_array_size(list); i++) {
		struct str type = jr_text(json_array_get(list, i)), shown = str_clip(type, 64);
		bool ok = type.n > 0;

		for (size_t k = 0; k < type.n && ok; k++)
			ok = islower((unsigned char)type.p[k]) ||
			     isdigit((unsigned char)type.p[k]) ||
			     memchr("._*", type.p[k], 3) != NULL;
		if (!ok)
			return fail(e, ERR_INPUT,
				"event_types[%zu]: \"%.*s\" is not the name of an event type",
				i, STR_ARG(shown));
	}
	return true;
}

static bool
check_address(const json_t *hook, struct err *e)
{
	struct str type = jr_text(json_object_get(hook, "hook_type"));

	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		if (str_eq(type, str_of(addresses[i].type)) &&
			jr_text(json_object_get(hook, addresses[i].address)).n == 0)
			return fail(e, ERR_INPUT, "%s: is required when hook_type is \"%.*s\"",
				addresses[i].address, STR_ARG(type));
	return true;
}

static void
set_default(json_t *hook, const char *name, json_t *v)
{
	if (json_object_get(hook, name) == NULL)
		json_object_set(hook, name, v);
	json_decref(v);
}

static bool
read_hook(struct arena *a, const json_t *v, json_t **out, bool *is_gone, struct err *e)
{
	*is_gone = false;
	if (!json_is_object(v))
		return fail(e, ERR_INPUT, "expected an object, got %s", jr_type_name(v));
	if (!jr_bool(v, "delete", OPTIONAL, is_gone, e) ||
		!shape_read(a, v, shapes, ARRAY_LEN(shapes), out, e))
		return false;
	set_default(*out, "hook_type", json_string("webhook"));
	set_default(*out, "enabled", json_true());
	set_default(*out, "product", json_string("all"));
	set_default(*out, "event_types", json_array());
	set_default(*out, "should_send_custom_events", json_false());
	return check_id(*out, e) && check_event_types(*out, e) &&
	       (*is_gone || check_address(*out, e));
}

bool
hooks_read(struct arena *a, json_t *list, json_t **out, struct err *e)
{
	json_t *kept = jr_own(a, json_array()), *hook = NULL, *v;
	bool is_gone;
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (!read_hook(a, v, &hook, &is_gone, e)) {
			char where[40];

			snprintf(where, sizeof(where), "event_hooks[%zu]", i);
			return fail_in(e, where);
		}
		if (!is_gone)
			json_array_append(kept, hook);
	}
	*out = kept;
	return true;
}

/* ---- merging ----------------------------------------------------------------------------- */

static json_t *
find(const json_t *hooks, struct str id)
{
	for (size_t i = 0; i < json_array_size(hooks); i++) {
		json_t *hook = json_array_get(hooks, i);

		if (id.n > 0 && str_eq(jr_text(json_object_get(hook, "id")), id))
			return hook;
	}
	return NULL;
}

static void
take_times(json_t *hook, const json_t *old, int64_t now)
{
	json_t *created = json_object_get(old, "created_at");
	json_t *updated = json_object_get(old, "updated_at");

	if (created == NULL) {
		json_object_set_new(hook, "created_at", json_integer(now));
		json_object_set_new(hook, "updated_at", json_integer(now));
		return;
	}
	json_object_set(hook, "created_at", created);
	json_object_set(hook, "updated_at", updated);
	if (!json_equal(hook, old))
		json_object_set_new(hook, "updated_at", json_integer(now));
}

static void
merge_one(json_t *hook, const json_t *old, int64_t now)
{
	if (old == NULL && jr_text(json_object_get(hook, "id")).n == 0) {
		char uuid[ID_UUID_LEN];

		id_uuid4(uuid);
		json_object_set_new(hook, "id", json_stringn(uuid, sizeof(uuid)));
	}
	shape_keep_secrets(hook, old, shapes, ARRAY_LEN(shapes));
	take_times(hook, old, now);
}

bool
hooks_merge(struct arena *a, const json_t *old, json_t *new, int64_t now, json_t **out,
	struct err *e)
{
	json_t *kept = jr_own(a, json_array()), *hook;
	size_t i;

	json_array_foreach(new, i, hook)
	{
		struct str id = jr_text(json_object_get(hook, "id"));

		if (find(kept, id) != NULL)
			return fail(e, ERR_INPUT,
				"event_hooks[%zu].id: hook %.*s stands there twice", i,
				STR_ARG(id));
		/* A copy: the transaction may be run again. */
		hook = json_deep_copy(hook);
		json_array_append_new(kept, hook);
		merge_one(hook, find(old, id), now);
	}
	*out = kept;
	return true;
}

/* ---- routes ------------------------------------------------------------------------------ */

void
hook_routes(struct arena *a, const json_t *settings, struct out_route **out, size_t *n)
{
	const json_t *hooks = json_object_get(settings, "event_hooks");
	struct out_route *routes = arena_array(a, json_array_size(hooks) + 1, sizeof(*routes));

	*out = routes;
	*n = 0;
	if (jr_text(json_object_get(settings, "webhook_url")).n > 0)
		routes[(*n)++] = (struct out_route){
			.kind = ROUTE_WEBHOOK, .ident = STR("legacy"), .changed_at = NO_TIME};
	for (size_t i = 0; i < json_array_size(hooks); i++) {
		const json_t *hook = json_array_get(hooks, i);

		if (str_is(jr_text(json_object_get(hook, "hook_type")), "webhook"))
			routes[(*n)++] = (struct out_route){.kind = ROUTE_WEBHOOK,
				.ident = jr_text(json_object_get(hook, "id")),
				.is_off = !json_is_true(json_object_get(hook, "enabled")),
				.changed_at = NO_TIME};
	}
}
