/* chat_read – what requests say of channels, members and messages, and whether they may. */
#include "api/chat_read.h"

#include <stdio.h>

#include "api/chat_wire.h"
#include "api/req.h"
#include "base/id.h"
#include "domain/channel.h"
#include "domain/channel_place.h"
#include "domain/message.h"
#include "domain/patch.h"
#include "domain/settings.h"
#include "domain/user.h"

#define MAX_ROLE        64
#define PATCH_MAX_UNSET 256

static bool
is_among(struct str key, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(key, str_of(names[i])))
			return true;
	return false;
}

bool
chat_viewer(struct req *r, const json_t *body, int64_t *uid, struct err *e)
{
	struct str id = STR_NONE;
	struct user u;

	*uid = 0;
	if (!req_acting_user(r, body, &id, e))
		return false;
	if (id.p == NULL)
		return true;
	if (!user_get(r->db, r->arena, id, &u, e))
		return false;
	*uid = u.uid;
	return true;
}

/* Nothing is asked of the server, nor of anybody when the app checks no permissions. */
static bool
has_free_hand(const struct req *r)
{
	return r->user_id.p == NULL || r->settings->no_permission_checks;
}

bool
chat_check_access(struct req *r, const struct channel *c, int64_t viewer, struct err *e)
{
	struct member m;
	bool found;

	if (has_free_hand(r) || (viewer != 0 && viewer == c->creator))
		return true;
	if (!channel_member(r->db, r->arena, c, viewer, &m, &found, e))
		return false;
	if (!found)
		return fail(e, ERR_DENIED, "user \"%.*s\" is not a member of channel %.*s",
			STR_ARG(r->user_id), STR_ARG(c->cid));
	return true;
}

bool
chat_is_moderator(const struct member *m, const struct channel *c)
{
	return m->uid != 0 && (m->uid == c->creator || str_is(m->role, "channel_moderator"));
}

bool
chat_check_moderator(struct req *r, const struct channel *c, int64_t viewer, struct err *e)
{
	struct member m = {.uid = viewer};
	bool found;

	if (has_free_hand(r) || chat_is_moderator(&m, c))
		return true;
	if (!channel_member(r->db, r->arena, c, viewer, &m, &found, e))
		return false;
	if (!found || !chat_is_moderator(&m, c))
		return fail(e, ERR_DENIED, "user \"%.*s\" is not a moderator of channel %.*s",
			STR_ARG(r->user_id), STR_ARG(c->cid));
	return true;
}

bool
chat_find_message(struct req *r, struct str id, int64_t viewer, struct message *m,
	struct channel *c, struct err *e)
{
	bool found;

	if (!message_find(r->db, r->arena, r->ctx->app, id, m, &found, e))
		return false;
	if (found && !channel_by_no(r->db, r->arena, m->channel, c, &found, e))
		return false;
	if (!found || c->deleted_at != NO_TIME || m->created_at <= c->truncated_at)
		return fail(
			e, ERR_NOT_FOUND, "message with id %.*s doesn't exist", STR_ARG(id));
	return chat_check_access(r, c, viewer, e);
}

/* Every key of ${obj} that is not reserved, as the text of an object. */
static struct str
gather_custom(struct req *r, const json_t *obj, const char *const *reserved, size_t n)
{
	json_t *members = (json_t *)(uintptr_t)obj, *v;
	const char *key;
	struct buf b;
	struct jw w;

	buf_init(&b, r->arena, 128);
	jw_init(&w, &b);
	jw_obj(&w);
	json_object_foreach(members, key, v)
	{
		if (json_is_null(v) || is_among(str_of(key), reserved, n))
			continue;
		jw_key(&w, str_of(key));
		jw_raw(&w, jr_dump(r->arena, v));
	}
	jw_end_obj(&w);
	return b.n == 2 ? STR_NONE : buf_view(&b);
}

bool
chat_read_custom(struct req *r, const json_t *obj, const char *const *reserved, size_t n,
	size_t max, struct str *out, struct err *e)
{
	json_t *custom = NULL;

	*out = STR_NONE;
	if (r->dialect == DIALECT_V1)
		*out = gather_custom(r, obj, reserved, n);
	else if (!jr_obj(obj, "custom", OPTIONAL, &custom, e))
		return false;
	if (json_object_size(custom) > 0)
		*out = jr_dump(r->arena, custom);
	if (out->n > max)
		return fail(e, ERR_INPUT, "custom: the data is larger than %zu bytes", max);
	return true;
}

/* What the data of a channel may hold besides custom fields (v1), and what only the server
 * says.
 */
static const char *const data_names[] = {"id", "type", "cid", "members", "created_by",
	"created_by_id", "team", "frozen", "disabled", "invites", "created_at", "updated_at",
	"deleted_at", "last_message_at", "member_count", "own_capabilities", "config",
	"config_overrides", "hidden", "muted", "blocked", "truncated_at", "truncated_by",
	"truncated_by_id", "cooldown", "filter_tags", "auto_translation_enabled",
	"auto_translation_language"};

bool
chat_read_channel_custom(struct req *r, const json_t *data, struct str *out, struct err *e)
{
	return chat_read_custom(
		r, data, data_names, ARRAY_LEN(data_names), CHANNEL_CUSTOM_MAX, out, e);
}

bool
chat_read_patch(struct req *r, const json_t *body, struct patch *out, struct err *e)
{
	*out = (struct patch){.nests_custom = r->dialect == DIALECT_V2};
	return jr_obj(body, "set", OPTIONAL, &out->set, e) &&
	       jr_strs(r->arena, body, "unset", OPTIONAL, PATCH_MAX_UNSET, &out->unset,
		       &out->nunset, e);
}

/* What a member in a request may hold besides custom fields (v1). */
static const char *const member_names[] = {"user_id", "user", "role", "channel_role",
	"created_at", "updated_at", "invited", "is_moderator", "banned", "shadow_banned",
	"notifications_muted", "status", "pinned_at", "archived_at", "invite_accepted_at",
	"invite_rejected_at"};

/* "id", {user_id, channel_role, custom} or {user: {id}}. */
static bool
read_member(struct req *r, const char *where, const json_t *v, struct str *id,
	struct member_spec *out, struct err *e)
{
	json_t *user = NULL;

	*id = STR_NONE;
	*out = (struct member_spec){.hidden_at = NO_TIME, .archived_at = NO_TIME};
	if (json_is_string(v)) {
		*id = jr_text(v);
		return true;
	}
	if (!json_is_object(v))
		return fail(e, ERR_INPUT, "%s: expected a user id or an object, got %s", where,
			jr_type_name(v));
	if (!jr_str(v, "user_id", OPTIONAL, id, e) || !jr_obj(v, "user", OPTIONAL, &user, e) ||
		!jr_str_max(v, "channel_role", OPTIONAL, MAX_ROLE, &out->role, e))
		return fail_in(e, where);
	if (id->n == 0 && user != NULL && !jr_str(user, "id", REQUIRED, id, e))
		return fail_in(e, where);
	if (id->n == 0)
		return fail(e, ERR_INPUT, "%s.user_id: missing", where);
	if (out->role.n == 0)
		out->role = STR_NONE;
	return chat_read_custom(r, v, member_names, ARRAY_LEN(member_names), CHANNEL_CUSTOM_MAX,
		       &out->custom, e) ||
	       fail_in(e, where);
}

bool
chat_read_members(struct req *r, const json_t *obj, const char *key, struct chat_members *out,
	struct err *e)
{
	json_t *list = NULL;
	char where[64];
	size_t n;

	*out = (struct chat_members){0};
	if (!jr_arr(obj, key, OPTIONAL, CHANNEL_MAX_MEMBERS, &list, e))
		return false;
	n = json_array_size(list);
	out->ids = arena_array(r->arena, n + 1, sizeof(*out->ids));
	out->specs = arena_array(r->arena, n + 1, sizeof(*out->specs));
	for (; out->n < n; out->n++) {
		snprintf(where, sizeof(where), "%s[%zu]", key, out->n);
		if (!read_member(r, where, json_array_get(list, out->n), &out->ids[out->n],
			    &out->specs[out->n], e))
			return false;
	}
	return true;
}

bool
chat_resolve_users(struct req *r, const char *what, const struct str *ids, size_t n,
	int64_t *uids, struct err *e)
{
	struct user *users;

	if (n == 0)
		return true;
	if (!user_resolve(r->db, r->arena, ids, n, uids, e) ||
		!user_by_uids(r->db, r->arena, uids, n, &users, e))
		return false;
	for (size_t i = 0; i < n; i++)
		if (users[i].uid == 0 || !user_is_live(&users[i]))
			return fail(e, ERR_INPUT, "%s: user with id \"%.*s\" doesn't exist",
				what, STR_ARG(ids[i]));
	return true;
}

bool
chat_resolve_members(struct req *r, const char *what, struct chat_members *m, struct err *e)
{
	int64_t *uids = arena_array(r->arena, m->n + 1, sizeof(*uids));
	size_t kept = 0;

	if (!chat_resolve_users(r, what, m->ids, m->n, uids, e))
		return false;
	for (size_t i = 0; i < m->n; i++) {
		bool again = false;

		for (size_t k = 0; k < kept && !again; k++)
			again = m->specs[k].uid == uids[i];
		if (again)
			continue;
		m->specs[kept] = m->specs[i];
		m->specs[kept++].uid = uids[i];
	}
	m->n = kept;
	return true;
}

static struct str
type_of(struct str cid)
{
	return str_sub(cid, 0, str_find(cid, ':', 0));
}

/* Looks for all channels of one type at once. */
static bool
find_of_type(struct req *r, const struct str *cids, size_t n, struct str type,
	struct channel *out, struct err *e)
{
	struct arena *a = r->arena;
	struct str *ids = arena_array(a, n, sizeof(*ids));
	size_t *whose = arena_array(a, n, sizeof(*whose)), k = 0;
	struct channel *found = arena_zalloc(a, n * sizeof(*found));
	struct channel_place *places = arena_array(a, n, sizeof(*places));

	for (size_t i = 0; i < n; i++) {
		struct str id;

		if (!str_eq(type_of(cids[i]), type) || type.n == cids[i].n)
			continue;
		id = str_sub(cids[i], type.n + 1, cids[i].n - type.n - 1);
		if (!id_channel_valid(id))
			continue;
		whose[k] = i;
		ids[k++] = id;
	}
	if (k > 0 && !channel_find_many(r->db, a, type, ids, k, found, places, e))
		return false;
	for (size_t i = 0; i < k; i++)
		out[whose[i]] = found[i];
	return true;
}

bool
chat_find_cids(
	struct req *r, const struct str *cids, size_t n, struct channel *out, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (struct channel){0};
	for (size_t i = 0; i < n; i++) {
		struct str type = type_of(cids[i]);
		const struct channel_type *known;
		bool again = false;

		for (size_t k = 0; k < i && !again; k++)
			again = str_eq(type_of(cids[k]), type);
		if (again)
			continue;
		if (!chat_type(r, type, &known, e) ||
			(known != NULL && !find_of_type(r, cids, n, type, out, e)))
			return false;
	}
	return true;
}

bool
chat_get_cid(
	struct req *r, const char *where, struct str cid, struct channel *out, struct err *e)
{
	size_t colon = str_find(cid, ':', 0);

	if (colon == cid.n)
		return fail(e, ERR_INPUT, "%s: expected type:id, got \"%.*s\"", where,
			STR_ARG(str_clip(cid, 128)));
	return channel_get(r->db, r->arena, str_sub(cid, 0, colon),
		str_sub(cid, colon + 1, cid.n - colon - 1), out, e);
}
