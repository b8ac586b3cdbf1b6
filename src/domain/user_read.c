/* user_read – users from the JSON of requests, and partial updates of them. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/jr.h"
#include "base/jw.h"
#include "domain/patch.h"
#include "domain/user.h"
#include "domain/user_impl.h"

#define TEAMS_MAX      250
#define TEAM_MAX_BYTES 100
#define ROLE_MAX_BYTES 100
#define TEXT_MAX       5120 /* bytes of name, image, role, language */
#define REVOKED        "revoke_tokens_issued_before"

/* Keys of a user object that are no custom data: fields, and what only the server says
 * (ignored in requests).  Sorted. */
static const char *const reserved[] = {
	"avg_response_time",
	"ban_expires",
	"banned",
	"blocked_user_ids",
	"bypass_moderation",
	"channel_mutes",
	"created_at",
	"deactivated_at",
	"deleted_at",
	"devices",
	"id",
	"image",
	"invisible",
	"language",
	"last_active",
	"latest_hidden_channels",
	"mutes",
	"name",
	"online",
	"privacy_settings",
	"push_notifications",
	REVOKED,
	"role",
	"shadow_banned",
	"teams",
	"teams_role",
	"total_unread_count",
	"unread_channels",
	"unread_count",
	"unread_threads",
	"updated_at",
};

static int
compare_names(const void *key, const void *member)
{
	return strcmp(key, *(const char *const *)member);
}

static bool
is_reserved(const char *key)
{
	return bsearch(key, reserved, ARRAY_LEN(reserved), sizeof(reserved[0]),
		       compare_names) != NULL;
}

static bool
read_text(struct arena *a, const json_t *obj, const char *key, struct str *out, struct err *e)
{
	struct str s = STR_NONE;

	if (!jr_str(obj, key, OPTIONAL, &s, e))
		return false;
	if (s.n > TEXT_MAX)
		return fail(e, ERR_INPUT, "%s: longer than %d bytes", key, TEXT_MAX);
	*out = s.p == NULL ? s : arena_dup(a, s);
	return true;
}

bool
user_read_name(struct arena *a, const json_t *obj, struct str *out, struct err *e)
{
	return read_text(a, obj, "name", out, e);
}

static bool
read_id(struct arena *a, const json_t *obj, struct str *out, struct err *e)
{
	struct str id = STR_NONE, shown;

	if (!jr_str(obj, "id", REQUIRED, &id, e))
		return false;
	shown = str_clip(id, 64);
	if (!id_user_valid(id))
		return fail(e, ERR_INPUT,
			"id: \"%.*s\" is no user id (1 to 255 of A-Z a-z 0-9 @ _ -)",
			STR_ARG(shown));
	*out = arena_dup(a, id);
	return true;
}

static bool
read_teams(struct arena *a, const json_t *obj, struct str *out, struct err *e)
{
	json_t *list = NULL;
	struct str *names = NULL;
	size_t n = 0;

	*out = STR_NONE;
	if (!jr_strs(a, obj, "teams", OPTIONAL, TEAMS_MAX, &names, &n, e))
		return false;
	for (size_t i = 0; i < n; i++)
		if (names[i].n == 0 || names[i].n > TEAM_MAX_BYTES)
			return fail(e, ERR_INPUT, "teams[%zu]: expected 1 to %d bytes, got %zu",
				i, TEAM_MAX_BYTES, names[i].n);
	list = json_object_get(obj, "teams");
	if (n > 0)
		*out = jr_dump(a, list);
	return true;
}

/* Clients with types read it as a map from text to text. */
static bool
check_teams_role(struct arena *a UNUSED, const json_t *roles, struct err *e)
{
	const char *team;
	json_t *role;

	if (json_object_size(roles) > TEAMS_MAX)
		return fail(e, ERR_INPUT, "teams_role: more than %d teams", TEAMS_MAX);
	json_object_foreach((json_t *)roles, team, role)
	{
		size_t n = strlen(team);

		if (n < 1 || n > TEAM_MAX_BYTES)
			return fail(e, ERR_INPUT,
				"teams_role: expected teams of 1 to %d bytes, got %zu",
				TEAM_MAX_BYTES, n);
		if (!json_is_string(role) || json_string_length(role) < 1 ||
			json_string_length(role) > ROLE_MAX_BYTES)
			return fail(e, ERR_INPUT,
				"teams_role.%s: expected a role of 1 to %d bytes", team,
				ROLE_MAX_BYTES);
	}
	return true;
}

/* {"read_receipts":{"enabled":false}} and two more of the kind; what else there is stays. */
static bool
check_privacy(struct arena *a, const json_t *settings, struct err *e)
{
	static const char *const names[] = {
		"typing_indicators", "read_receipts", "delivery_receipts"};
	size_t n = jr_dump(a, settings).n;

	if (n > USER_CUSTOM_MAX)
		return fail(e, ERR_INPUT, "privacy_settings: %zu bytes, at most %d are kept", n,
			USER_CUSTOM_MAX);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		json_t *one = NULL;
		bool enabled;

		if (!jr_obj(settings, names[i], OPTIONAL, &one, e))
			return fail_in(e, "privacy_settings");
		if (one != NULL && !jr_bool(one, "enabled", OPTIONAL, &enabled, e)) {
			fail_in(e, names[i]);
			return fail_in(e, "privacy_settings");
		}
	}
	return true;
}

/* invisible, teams_role and privacy_settings: stored together, since they are rare. */
static bool
read_extra(struct arena *a, const json_t *obj, struct str *out, struct err *e)
{
	static const struct {
		const char *name;
		bool (*check)(struct arena *, const json_t *, struct err *);
	} objects[] = {{"teams_role", check_teams_role}, {"privacy_settings", check_privacy}};
	json_t *parts[ARRAY_LEN(objects)] = {NULL};
	bool invisible = false, any;
	struct buf text;
	struct jw w;

	*out = STR_NONE;
	if (!jr_bool(obj, "invisible", OPTIONAL, &invisible, e))
		return false;
	any = invisible;
	for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
		if (!jr_obj(obj, objects[i].name, OPTIONAL, &parts[i], e) ||
			(parts[i] != NULL && !objects[i].check(a, parts[i], e)))
			return false;
		any = any || parts[i] != NULL;
	}
	if (!any)
		return true;
	buf_init(&text, a, 128);
	jw_init(&w, &text);
	jw_obj(&w);
	if (invisible)
		jw_kbool(&w, "invisible", true);
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		if (parts[i] != NULL)
			jw_kraw(&w, objects[i].name, jr_dump(a, parts[i]));
	jw_end_obj(&w);
	*out = buf_view(&text);
	return true;
}

/* ${from}: the object whose keys are custom data: the user itself in v1, where fields are
 * left out, its "custom" in v2, where they would come back as fields to a v1 client. */
static bool
read_custom(struct arena *a, json_t *from, bool nested, struct str *out, struct err *e)
{
	struct buf text;
	struct jw w;
	const char *key;
	json_t *v;
	bool any = false;

	*out = STR_NONE;
	if (from == NULL)
		return true;
	buf_init(&text, a, 128);
	jw_init(&w, &text);
	jw_obj(&w);
	json_object_foreach(from, key, v)
	{
		if (is_reserved(key)) {
			if (nested)
				return fail(e, ERR_INPUT,
					"custom.%s: the name belongs to a field of users", key);
			continue;
		}
		if (json_is_null(v))
			continue;
		jw_key(&w, str_of(key));
		jr_write(&w, v);
		any = true;
	}
	jw_end_obj(&w);
	if (text.n > USER_CUSTOM_MAX)
		return fail(e, ERR_INPUT,
			"custom: %zu bytes of custom data, at most %d are kept", text.n,
			USER_CUSTOM_MAX);
	if (any)
		*out = buf_view(&text);
	return true;
}

bool
user_read(
	struct arena *a, const json_t *obj, bool nested_custom, struct user *out, struct err *e)
{
	json_t *custom = (json_t *)obj; /* jansson's iterators are not const */

	if (!json_is_object(obj))
		return fail(
			e, ERR_INPUT, "user: expected an object, got %s", jr_type_name(obj));
	*out = (struct user){
		.created_at = NO_TIME,
		.updated_at = NO_TIME,
		.last_active = NO_TIME,
		.deactivated_at = NO_TIME,
		.deleted_at = NO_TIME,
		.revoked_before = NO_TIME,
	};
	if (!read_id(a, obj, &out->id, e) || !read_text(a, obj, "name", &out->name, e) ||
		!read_text(a, obj, "image", &out->image, e) ||
		!read_text(a, obj, "role", &out->role, e) ||
		!read_text(a, obj, "language", &out->language, e) ||
		!read_teams(a, obj, &out->teams, e) || !read_extra(a, obj, &out->extra, e))
		return false;
	if (out->role.n == 0)
		out->role = STR_NONE;
	if (nested_custom) {
		custom = NULL;
		if (!jr_obj(obj, "custom", OPTIONAL, &custom, e))
			return false;
	}
	return read_custom(a, custom, nested_custom, &out->custom, e);
}

/* ---- partial updates ------------------------------------------------------------- */

static bool
add_members(struct arena *a, json_t *doc, struct str json, struct err *e)
{
	json_t *tree = NULL;

	if (json.p == NULL)
		return true;
	if (!jr_parse(a, json, &tree, e))
		return false;
	json_object_update(doc, tree);
	return true;
}

static void
add_text(json_t *doc, const char *key, struct str s)
{
	if (s.p != NULL)
		json_object_set_new(doc, key, json_stringn(s.p, s.n));
}

/* The user as a v1 client would send it. */
static bool
to_document(struct arena *a, const struct user *u, json_t *doc, struct err *e)
{
	json_t *teams = NULL;

	if (!add_members(a, doc, u->custom, e) || !add_members(a, doc, u->extra, e) ||
		!jr_parse(a, u->teams.p == NULL ? STR("[]") : u->teams, &teams, e))
		return false;
	json_object_set(doc, "teams", teams);
	add_text(doc, "id", u->id);
	add_text(doc, "name", u->name);
	add_text(doc, "image", u->image);
	add_text(doc, "role", u->role);
	add_text(doc, "language", u->language);
	return true;
}

static void
remove_custom(json_t *doc)
{
	const char *key;
	void *next;
	json_t *v;

	json_object_foreach_safe(doc, next, key, v)
	{
		if (!is_reserved(key))
			json_object_del(doc, key);
	}
}

/* v2 clients may say custom data as "custom" or "custom.x"; the document has it on top. */
static bool
change_nested(struct arena *a, json_t *doc, struct str path, json_t *value, struct err *e)
{
	struct str rest, first;
	const char *key;
	json_t *v;

	if (str_starts(path, STR("custom."))) {
		rest = str_sub(path, 7, path.n - 7);
		first = arena_dup(a, str_sub(rest, 0, str_find(rest, '.', 0)));
		if (is_reserved(first.p))
			return fail(e, ERR_INPUT, "%.*s: the name belongs to a field of users",
				STR_ARG(path));
		return patch_path(a, doc, rest, value, e);
	}
	if (!str_is(path, "custom"))
		return patch_path(a, doc, path, value, e);
	if (value != NULL && !json_is_object(value))
		return fail(e, ERR_INPUT, "custom: expected an object, got %s",
			jr_type_name(value));
	remove_custom(doc);
	json_object_foreach(value, key, v)
	{
		if (is_reserved(key))
			return fail(e, ERR_INPUT,
				"custom.%s: the name belongs to a field of users", key);
		json_object_set(doc, key, v);
	}
	return true;
}

static bool
change(struct arena *a, json_t *doc, struct str path, json_t *value, bool nested,
	struct user *out, struct err *e)
{
	if (str_is(path, "id") && value != NULL &&
		json_equal(value, json_object_get(doc, "id")))
		return true;
	if (str_is(path, "id"))
		return fail(e, ERR_INPUT, "id: the id of a user cannot be changed");
	if (str_is(path, REVOKED)) {
		json_t *one = jr_own(a, json_object());

		out->revoked_before = NO_TIME;
		json_object_set(one, REVOKED, value);
		return jr_time(one, REVOKED, OPTIONAL, &out->revoked_before, e);
	}
	return nested ? change_nested(a, doc, path, value, e)
		      : patch_path(a, doc, path, value, e);
}

bool
user_apply_patch(struct arena *a, const struct user *u, const struct user_patch *p,
	bool nested_custom, struct user *out, struct err *e)
{
	json_t *doc = jr_own(a, json_object()), *value;
	struct user changed, keep = *u;
	const char *key;

	if (!to_document(a, u, doc, e))
		return false;
	json_object_foreach(p->set, key, value)
	{
		if (!change(a, doc, str_of(key), value, nested_custom, &keep, e))
			return fail_in(e, "set");
	}
	for (size_t i = 0; i < p->nunset; i++)
		if (!change(a, doc, p->unset[i], NULL, nested_custom, &keep, e))
			return fail_in(e, "unset");
	/* Paths can nest custom data deeper than one request may: it must stay readable. */
	if (!user_read(a, doc, false, &changed, e) || !jr_parse(a, changed.custom, &value, e))
		return false;
	*out = changed;
	out->uid = u->uid;
	out->created_at = u->created_at;
	out->updated_at = u->updated_at;
	out->last_active = u->last_active;
	out->deactivated_at = u->deactivated_at;
	out->deleted_at = u->deleted_at;
	out->revoked_before = keep.revoked_before;
	return true;
}
