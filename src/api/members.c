/* members – the endpoints of members: list, change, hide and show a channel (api.md §6.2). */
#include "api/chat_read.h"
#include "api/chat_wire.h"
#include "api/req.h"
#include "domain/member_query.h"
#include "domain/membership.h"
#include "domain/patch.h"
#include "domain/user.h"

#define LIMIT_MAX  100
#define OFFSET_MAX 1000

/* ---- query ------------------------------------------------------------------------------- */

/* The older way to page, by user_id_gt and the like, becomes part of the filter. */
static json_t *
with_bounds(struct req *r, const json_t *payload, json_t *filter)
{
	static const char *const bounds[][3] = {{"user_id_gt", "user_id", "$gt"},
		{"user_id_gte", "user_id", "$gte"}, {"user_id_lt", "user_id", "$lt"},
		{"user_id_lte", "user_id", "$lte"}, {"created_at_after", "created_at", "$gt"},
		{"created_at_after_or_equal", "created_at", "$gte"},
		{"created_at_before", "created_at", "$lt"},
		{"created_at_before_or_equal", "created_at", "$lte"}};
	json_t *all = jr_own(r->arena, json_array());

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		json_t *v = json_object_get(payload, bounds[i][0]);

		if (v != NULL && !json_is_null(v))
			json_array_append_new(
				all, json_pack("{s:{s:O}}", bounds[i][1], bounds[i][2], v));
	}
	if (json_array_size(all) == 0)
		return filter;
	if (filter != NULL)
		json_array_append(all, filter);
	return jr_own(r->arena, json_pack("{s:O}", "$and", all));
}

/* payload: {type, id or members, filter_conditions, sort, limit, offset}. */
static bool
read_payload(struct req *r, json_t **out, struct member_query *q, struct err *e)
{
	struct str text = req_query(r, "payload");
	json_t *payload = NULL, *filter = NULL, *sort = NULL;

	*q = (struct member_query){0};
	if (text.p != NULL && !jr_parse(r->arena, text, &payload, e))
		return fail(e, ERR_INPUT, "payload: %s", e->msg);
	if (!json_is_object(payload))
		return fail(e, ERR_INPUT, "payload: expected an object, got %s",
			payload ? jr_type_name(payload) : "nothing");
	if (!jr_obj(payload, "filter_conditions", OPTIONAL, &filter, e) ||
		!jr_arr(payload, "sort", OPTIONAL, SIZE_MAX, &sort, e) ||
		!jr_int(payload, "limit", OPTIONAL, 0, LIMIT_MAX, &q->limit, e) ||
		!jr_int(payload, "offset", OPTIONAL, 0, OFFSET_MAX, &q->offset, e))
		return false;
	if (q->limit == 0)
		q->limit = LIMIT_MAX;
	q->filter = with_bounds(r, payload, filter);
	q->sort = sort;
	*out = payload;
	return true;
}

/* The channel of exactly these members. */
static bool
find_distinct(struct req *r, const json_t *payload, struct str type, struct channel *out,
	struct err *e)
{
	struct chat_members members;
	int64_t *uids;
	bool found;

	if (!chat_read_members(r, payload, "members", &members, e))
		return false;
	if (members.n == 0)
		return fail(e, ERR_INPUT, "id: expected it, or the members of a channel");
	uids = arena_array(r->arena, members.n, sizeof(*uids));
	if (!chat_resolve_users(r, "members", members.ids, members.n, uids, e) ||
		!channel_check_type(r->db, type, e) ||
		!channel_find_distinct(r->db, r->arena, type, uids, members.n, out, &found, e))
		return false;
	if (!found || out->deleted_at != NO_TIME)
		return fail(e, ERR_NOT_FOUND, "there is no channel of exactly these members");
	return true;
}

static bool
query(struct req *r, struct err *e)
{
	struct str type = STR_NONE, id = STR_NONE;
	struct chat_people people;
	struct channel channel;
	struct member_query q;
	struct member *members;
	json_t *payload;
	int64_t viewer;
	size_t n;

	if (!read_payload(r, &payload, &q, e) || !jr_str(payload, "type", REQUIRED, &type, e) ||
		!jr_str(payload, "id", OPTIONAL, &id, e) ||
		!chat_viewer(r, payload, &viewer, e))
		return false;
	if (id.n > 0 ? !channel_get(r->db, r->arena, type, id, &channel, e)
		     : !find_distinct(r, payload, type, &channel, e))
		return false;
	if (!chat_check_access(r, &channel, viewer, e) ||
		!member_query(r->db, r->arena, &channel, &q, &members, &n, e))
		return false;
	chat_people_init(&people, r);
	for (size_t i = 0; i < n; i++)
		chat_people_add(&people, members[i].uid);
	if (!chat_people_load(&people, r, e))
		return false;
	jw_karr(&r->w, "members");
	for (size_t i = 0; i < n; i++)
		chat_write_member(r, &members[i], &channel, &people);
	jw_end_arr(&r->w);
	return true;
}

/* ---- one member -------------------------------------------------------------------------- */

/* The channel of the path and the user who acts on it for himself. */
static bool
load(struct req *r, const json_t *body, struct channel *c, int64_t *uid, struct err *e)
{
	if (!chat_viewer(r, body, uid, e))
		return false;
	if (*uid == 0)
		return fail(e, ERR_INPUT,
			"user_id: missing; with server side auth it says whose membership it "
			"is");
	return channel_get(r->db, r->arena, r->param[0], r->param[1], c, e) &&
	       chat_check_access(r, c, *uid, e);
}

static bool
patch_member(struct req *r, const struct channel *c, int64_t uid, const struct patch *patch,
	struct err *e)
{
	struct chat_people people;
	struct member m;

	/* What somebody is in the channel is not his to say. */
	if (!membership_patch(r->db, r->arena, c, uid, patch, r->user_id.p != NULL, &m, e))
		return false;
	chat_people_init(&people, r);
	chat_people_add(&people, uid);
	if (!chat_people_load(&people, r, e))
		return false;
	jw_name(&r->w, STR("channel_member"));
	chat_write_member(r, &m, c, &people);
	return true;
}

static bool
update_own(struct req *r, struct err *e)
{
	struct channel channel;
	struct patch patch;
	json_t *body;
	int64_t uid;

	return req_body(r, &body, e) && chat_read_patch(r, body, &patch, e) &&
	       load(r, body, &channel, &uid, e) && patch_member(r, &channel, uid, &patch, e);
}

static bool
update_named(struct req *r, struct err *e)
{
	struct channel channel;
	struct patch patch;
	struct user user;
	json_t *body;

	if (!req_body(r, &body, e) || !chat_read_patch(r, body, &patch, e))
		return false;
	if (r->user_id.p != NULL && !str_eq(r->user_id, r->param[2]))
		return fail(e, ERR_DENIED,
			"user \"%.*s\" may not change the membership of %.*s",
			STR_ARG(r->user_id), STR_ARG(r->param[2]));
	return user_get(r->db, r->arena, r->param[2], &user, e) &&
	       channel_get(r->db, r->arena, r->param[0], r->param[1], &channel, e) &&
	       chat_check_access(r, &channel, user.uid, e) &&
	       patch_member(r, &channel, user.uid, &patch, e);
}

static bool
hide(struct req *r, struct err *e)
{
	struct channel channel;
	bool clear = false;
	json_t *body;
	int64_t uid;

	return req_body(r, &body, e) && jr_bool(body, "clear_history", OPTIONAL, &clear, e) &&
	       load(r, body, &channel, &uid, e) &&
	       membership_hide(r->db, r->arena, &channel, uid, clear, e);
}

static bool
show(struct req *r, struct err *e)
{
	struct channel channel;
	json_t *body;
	int64_t uid;

	return req_body(r, &body, e) && load(r, body, &channel, &uid, e) &&
	       membership_show(r->db, r->arena, &channel, uid, e);
}

static const struct route routes[] = {
	{"GET", "/members", "QueryMembers", query, ROUTE_CHAT | ROUTE_CLIENT, BODY_NONE,
		"Lists members of a channel by a filter"},
	{"PATCH", "/channels/{type}/{id}/member", "UpdateMemberPartial", update_own,
		ROUTE_CHAT | ROUTE_CLIENT, BODY_SMALL, "Archives, pins, changes a membership"},
	{"PATCH", "/channels/{type}/{id}/member/{user_id}", "UpdateMemberPartial", update_named,
		ROUTE_CHAT | ROUTE_CLIENT, BODY_SMALL,
		"Archives, pins, changes the membership of a user"},
	{"POST", "/channels/{type}/{id}/hide", "HideChannel", hide, ROUTE_CHAT | ROUTE_CLIENT,
		BODY_NONE, "Hides a channel from the lists of a member"},
	{"POST", "/channels/{type}/{id}/show", "ShowChannel", show, ROUTE_CHAT | ROUTE_CLIENT,
		BODY_NONE, "Shows a hidden channel again"},
};

const struct route_group routes_members = {routes, ARRAY_LEN(routes)};
