/* channels – the endpoints of channels: query, get or create, read marks (api.md §6.2, §6.5).
 */
#include <stdio.h>

#include "api/chat_wire.h"
#include "api/req.h"
#include "api/team_rule.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/id.h"
#include "domain/filter.h"
#include "domain/settings.h"
#include "domain/user.h"

#define LIMIT_DEFAULT    10
#define LIMIT_MAX        30
#define OFFSET_MAX       1000
#define MESSAGES_DEFAULT 25
#define MESSAGES_MAX     300
#define ANSWER_MESSAGES  3000 /* in all channels of a query */
#define MEMBERS_MAX      100
#define TEAM_MAX         1000

/* What data may hold besides custom fields (v1), and what only the server says. */
static const char *const data_keys[] = {"id", "type", "cid", "members", "created_by",
	"created_by_id", "team", "frozen", "disabled", "invites", "created_at", "updated_at",
	"deleted_at", "last_message_at", "member_count", "own_capabilities", "config",
	"config_overrides", "hidden", "muted", "blocked", "truncated_at", "truncated_by",
	"truncated_by_id", "cooldown", "auto_translation_enabled", "auto_translation_language"};

static const char *const member_keys[] = {"user_id", "user", "role", "channel_role",
	"created_at", "updated_at", "invited", "is_moderator", "banned", "shadow_banned",
	"notifications_muted", "status", "pinned_at", "archived_at"};

/* ---- limits -------------------------------------------------------------------------- */

/* A size that may be absent or 0, for the default. */
static bool
read_size(const json_t *obj, const char *key, int64_t max, int64_t def, size_t *out,
	struct err *e)
{
	int64_t n = 0;

	if (!jr_int(obj, key, OPTIONAL, 0, max, &n, e))
		return false;
	*out = (size_t)(n == 0 ? def : n);
	return true;
}

/* messages: {limit, id_lt, id_lte, id_gt, id_gte}, members: {limit, offset}. */
static bool
read_limits(const json_t *body, struct chat_limits *out, struct err *e)
{
	json_t *messages = NULL, *members = NULL;
	struct message_page *p = &out->messages;
	struct str lte = STR_NONE, gte = STR_NONE;
	int64_t offset = 0;

	*out = (struct chat_limits){.messages.limit = MESSAGES_DEFAULT, .members = MEMBERS_MAX};
	if (!jr_obj(body, "messages", OPTIONAL, &messages, e) ||
		!jr_obj(body, "members", OPTIONAL, &members, e))
		return false;
	if (messages != NULL &&
		(!read_size(messages, "limit", MESSAGES_MAX, MESSAGES_DEFAULT, &p->limit, e) ||
			!jr_str(messages, "id_lt", OPTIONAL, &p->before, e) ||
			!jr_str(messages, "id_lte", OPTIONAL, &lte, e) ||
			!jr_str(messages, "id_gt", OPTIONAL, &p->after, e) ||
			!jr_str(messages, "id_gte", OPTIONAL, &gte, e)))
		return fail_in(e, "messages");
	if (members != NULL &&
		(!read_size(members, "limit", MEMBERS_MAX, MEMBERS_MAX, &out->members, e) ||
			!jr_int(members, "offset", OPTIONAL, 0, INT32_MAX, &offset, e)))
		return fail_in(e, "members");
	out->members_offset = (size_t)offset;
	p->inclusive =
		(lte.p != NULL && p->before.p == NULL) || (gte.p != NULL && p->after.p == NULL);
	if (lte.p != NULL && p->before.p == NULL)
		p->before = lte;
	if (gte.p != NULL && p->after.p == NULL)
		p->after = gte;
	if (p->before.p != NULL && p->after.p != NULL)
		return fail(e, ERR_INPUT, "messages: id_lt and id_gt exclude each other");
	return true;
}

/* ---- query ----------------------------------------------------------------------------- */

static bool
read_query(struct req *r, const json_t *body, struct channel_query *q, struct chat_limits *l,
	struct err *e)
{
	json_t *filter = NULL, *sort = NULL;
	int64_t limit = 0;

	*q = (struct channel_query){
		.members_only = r->user_id.p != NULL && !r->settings->no_permission_checks};
	*l = (struct chat_limits){0};
	if (!jr_obj(body, "filter_conditions", OPTIONAL, &filter, e) ||
		!jr_arr(body, "sort", OPTIONAL, FILTER_MAX_SORTS, &sort, e) ||
		!jr_int(body, "limit", OPTIONAL, 0, LIMIT_MAX, &limit, e) ||
		!jr_int(body, "offset", OPTIONAL, 0, OFFSET_MAX, &q->offset, e) ||
		!read_size(body, "message_limit", MESSAGES_MAX, MESSAGES_DEFAULT,
			&l->messages.limit, e) ||
		!read_size(body, "member_limit", MEMBERS_MAX, MEMBERS_MAX, &l->members, e))
		return false;
	q->filter = filter;
	q->sort = sort;
	q->limit = limit == 0 ? LIMIT_DEFAULT : limit;
	if ((size_t)q->limit * l->messages.limit > ANSWER_MESSAGES)
		return fail(e, ERR_INPUT,
			"message_limit: %lld channels with %zu messages each are more than "
			"%d messages",
			(long long)q->limit, l->messages.limit, ANSWER_MESSAGES);
	return chat_viewer(r, body, &q->viewer, e);
}

static bool
apply_team_rule(struct req *r, struct channel_query *q, struct err *e)
{
	json_t *filter = (json_t *)(uintptr_t)q->filter, *teams = NULL;
	bool applies;

	if (!team_rule(r, &applies, &teams, e))
		return false;
	if (applies && teams != NULL)
		q->filter = team_rule_narrow(r, filter, "team", teams);
	q->without_team = applies && teams == NULL;
	return true;
}

static bool
query(struct req *r, struct err *e)
{
	struct channel_query q;
	struct chat_limits limits;
	struct chat_people people;
	struct chat_state *states;
	struct channel_hit *hits;
	json_t *body;
	size_t n;

	if (!req_body(r, &body, e) || !read_query(r, body, &q, &limits, e) ||
		!apply_team_rule(r, &q, e) || !channel_query(r->db, r->arena, &q, &hits, &n, e))
		return false;
	chat_people_init(&people, r);
	states = arena_array(r->arena, n + 1, sizeof(*states));
	for (size_t i = 0; i < n; i++)
		if (!chat_load(r, &hits[i].channel, &limits, q.viewer, &people, &states[i], e))
			return false;
	if (!chat_people_load(&people, r, e))
		return false;
	jw_karr(&r->w, "channels");
	for (size_t i = 0; i < n; i++) {
		jw_obj(&r->w);
		chat_write_state(r, &states[i], &people);
		jw_end_obj(&r->w);
		if (!arena_check(r->arena, e))
			return false;
	}
	jw_end_arr(&r->w);
	return true;
}

/* ---- get or create ------------------------------------------------------------------- */

/* A request to get or create, read but not yet looked up. */
struct wanted {
	struct channel_spec spec;
	struct str *ids; /* of the members, then of the creator when one is named */
	size_t nids;     /* of the members */
	struct member_spec *members;
	bool has_creator;
	bool hide_for_creator;
};

/* "id", {user_id, channel_role, custom} or {user: {id}}. */
static bool
read_member(struct req *r, size_t i, const json_t *v, struct str *id, struct member_spec *out,
	struct err *e)
{
	char where[40];
	json_t *user = NULL;

	snprintf(where, sizeof(where), "data.members[%zu]", i);
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
		!jr_str_max(v, "channel_role", OPTIONAL, 64, &out->role, e))
		return fail_in(e, where);
	if (id->n == 0 && user != NULL && !jr_str(user, "id", REQUIRED, id, e))
		return fail_in(e, where);
	if (id->n == 0)
		return fail(e, ERR_INPUT, "%s.user_id: missing", where);
	out->custom = chat_read_custom(r, v, member_keys, ARRAY_LEN(member_keys));
	return true;
}

static bool
read_members(struct req *r, const json_t *data, struct wanted *out, struct err *e)
{
	json_t *list = NULL;
	size_t n;

	if (!jr_arr(data, "members", OPTIONAL, CHANNEL_MAX_MEMBERS, &list, e))
		return fail_in(e, "data");
	n = json_array_size(list);
	out->ids = arena_array(r->arena, n + 1, sizeof(*out->ids));
	out->members = arena_array(r->arena, n + 1, sizeof(*out->members));
	for (size_t i = 0; i < n; i++, out->nids++)
		if (!read_member(
			    r, i, json_array_get(list, i), &out->ids[i], &out->members[i], e))
			return false;
	return true;
}

/* The user's own name for a token of his, else data.created_by_id, data.created_by.id, or
 * the acting user. */
static bool
read_creator(
	struct req *r, const json_t *body, const json_t *data, struct str *out, struct err *e)
{
	json_t *user = NULL;

	*out = r->user_id;
	if (out->p != NULL)
		return true;
	if (!jr_str(data, "created_by_id", OPTIONAL, out, e) ||
		!jr_obj(data, "created_by", OPTIONAL, &user, e))
		return fail_in(e, "data");
	if (out->n == 0 && user != NULL && !jr_str(user, "id", REQUIRED, out, e))
		return fail_in(e, "data.created_by");
	return out->n > 0 || req_acting_user(r, body, out, e);
}

static bool
read_wanted(struct req *r, const json_t *body, struct wanted *out, struct err *e)
{
	struct channel_spec *s = &out->spec;
	struct str creator;
	json_t *data = NULL;

	*out = (struct wanted){.spec.type = r->param[0]};
	if (!jr_obj(body, "data", OPTIONAL, &data, e) ||
		!jr_bool(body, "hide_for_creator", OPTIONAL, &out->hide_for_creator, e))
		return false;
	if (!read_members(r, data, out, e) || !read_creator(r, body, data, &creator, e))
		return false;
	out->has_creator = creator.n > 0;
	out->ids[out->nids] = creator;
	if (!jr_str_max(data, "team", OPTIONAL, TEAM_MAX, &s->team, e) ||
		!jr_bool(data, "frozen", OPTIONAL, &s->frozen, e) ||
		!jr_bool(data, "disabled", OPTIONAL, &s->disabled, e))
		return fail_in(e, "data");
	if (s->team.n == 0)
		s->team = STR_NONE;
	s->custom = chat_read_custom(r, data, data_keys, ARRAY_LEN(data_keys));
	if (s->custom.n > CHANNEL_CUSTOM_MAX)
		return fail(e, ERR_INPUT, "data: custom data is larger than %d bytes",
			CHANNEL_CUSTOM_MAX);
	return true;
}

/* Fills in the uids; every user that is named must exist. */
static bool
resolve(struct req *r, struct wanted *w, struct err *e)
{
	size_t n = w->nids + w->has_creator, kept = 0;
	int64_t *uids = arena_array(r->arena, n + 1, sizeof(*uids));
	struct user *users;

	if (!user_resolve(r->db, r->arena, w->ids, n, uids, e) ||
		!user_by_uids(r->db, r->arena, uids, n, &users, e))
		return false;
	for (size_t i = 0; i < n; i++)
		if (users[i].uid == 0 || !user_is_live(&users[i]))
			return fail(e, ERR_INPUT, "%s: user with id \"%.*s\" doesn't exist",
				i < w->nids ? "data.members" : "data.created_by_id",
				STR_ARG(w->ids[i]));
	if (w->has_creator)
		w->spec.creator = uids[w->nids];
	for (size_t i = 0; i < w->nids; i++) {
		bool again = false;

		for (size_t k = 0; k < kept && !again; k++)
			again = w->members[k].uid == uids[i];
		if (again)
			continue;
		w->members[kept] = w->members[i];
		w->members[kept].uid = uids[i];
		if (w->hide_for_creator && uids[i] == w->spec.creator)
			w->members[kept].hidden_at = clock_now_us();
		kept++;
	}
	w->spec.members = w->members;
	w->spec.nmembers = kept;
	return true;
}

static bool
may_create(struct req *r, const struct wanted *w, struct err *e)
{
	bool inside = false;

	if (!w->has_creator)
		return fail(e, ERR_INPUT,
			"either data.created_by or data.created_by_id must be provided when "
			"using "
			"server side auth.");
	if (w->spec.id.n > 0 && w->spec.id.p[0] == '!')
		return fail(e, ERR_INPUT,
			"id: \"%.*s\" is an id that the server makes from the members",
			STR_ARG(w->spec.id));
	for (size_t i = 0; i < w->spec.nmembers; i++)
		inside = inside || w->spec.members[i].uid == w->spec.creator;
	if (r->user_id.p != NULL && !r->settings->no_permission_checks &&
		w->spec.id.p == NULL && !inside)
		return fail(e, ERR_DENIED, "data.members: user \"%.*s\" must be one of them",
			STR_ARG(r->user_id));
	return true;
}

static bool
find(struct req *r, const struct wanted *w, struct channel *out, bool *found, struct err *e)
{
	int64_t *uids;

	if (w->spec.id.p != NULL)
		return channel_find(r->db, r->arena, w->spec.type, w->spec.id, out, found, e);
	uids = arena_array(r->arena, w->spec.nmembers + 1, sizeof(*uids));
	for (size_t i = 0; i < w->spec.nmembers; i++)
		uids[i] = w->spec.members[i].uid;
	return channel_find_distinct(
		r->db, r->arena, w->spec.type, uids, w->spec.nmembers, out, found, e);
}

static bool
answer_state(struct req *r, const struct channel *c, const struct chat_limits *limits,
	int64_t viewer, struct err *e)
{
	struct chat_people people;
	struct chat_state state;

	chat_people_init(&people, r);
	if (!chat_check_access(r, c, viewer, e) ||
		!chat_load(r, c, limits, viewer, &people, &state, e) ||
		!chat_people_load(&people, r, e))
		return false;
	chat_write_state(r, &state, &people);
	return true;
}

static bool
get_or_create(struct req *r, struct str id, struct err *e)
{
	struct chat_limits limits;
	struct channel channel;
	struct wanted w;
	int64_t viewer;
	json_t *body;
	bool found, made;

	if (!req_body(r, &body, e) || !read_wanted(r, body, &w, e) ||
		!read_limits(body, &limits, e))
		return false;
	w.spec.id = id;
	if (!channel_type_exists(w.spec.type))
		return fail(e, ERR_NOT_FOUND, "channel type \"%.*s\" doesn't exist",
			STR_ARG(w.spec.type));
	if (id.p != NULL && !id_channel_valid(id))
		return fail(e, ERR_INPUT,
			"id: \"%.*s\" is no channel id (1 to 64 of A-Z a-z 0-9 _ -)",
			STR_ARG(id));
	if (id.p == NULL && w.nids == 0)
		return fail(e, ERR_INPUT,
			"data.members: expected at least one, for a channel without an id");
	if (!chat_viewer(r, body, &viewer, e) || !resolve(r, &w, e) ||
		!find(r, &w, &channel, &found, e))
		return false;
	w.spec.created_at = clock_now_us();
	if (!found || channel.deleted_at != NO_TIME)
		if (!may_create(r, &w, e) ||
			!channel_get_or_create(r->db, r->arena, &w.spec, &channel, &made, e))
			return false;
	return answer_state(r, &channel, &limits, viewer, e);
}

static bool
query_one(struct req *r, struct err *e)
{
	return get_or_create(r, r->param[1], e);
}

static bool
query_distinct(struct req *r, struct err *e)
{
	return get_or_create(r, STR_NONE, e);
}

static bool
get(struct req *r, struct err *e)
{
	struct chat_limits limits = {
		.messages.limit = MESSAGES_DEFAULT, .members = MEMBERS_MAX};
	struct channel channel;
	int64_t viewer;

	if (!chat_viewer(r, NULL, &viewer, e) ||
		!channel_get(r->db, r->arena, r->param[0], r->param[1], &channel, e))
		return false;
	return answer_state(r, &channel, &limits, viewer, e);
}

/* ---- read marks ------------------------------------------------------------------------ */

static void
write_read_event(struct req *r, const struct channel *c, const struct user *u,
	const struct read_state *state)
{
	jw_kobj(&r->w, "event");
	jw_kstr(&r->w, "type", STR("message.read"));
	jw_kstr(&r->w, "cid", c->cid);
	jw_kstr(&r->w, "channel_id", c->id);
	jw_kstr(&r->w, "channel_type", c->type);
	req_ktime(r, "created_at", state->last_read);
	jw_key(&r->w, STR("user"));
	wire_user(r, u);
	if (state->last_message_id.p != NULL)
		jw_kstr(&r->w, "last_read_message_id", state->last_message_id);
	if (c->team.p != NULL)
		jw_kstr(&r->w, "team", c->team);
	jw_end_obj(&r->w);
}

static bool
mark_read(struct req *r, struct err *e)
{
	struct str message_id = STR_NONE;
	struct read_state state;
	struct channel channel;
	struct user user;
	int64_t viewer;
	json_t *body;

	if (!req_body(r, &body, e) || !jr_str(body, "message_id", OPTIONAL, &message_id, e) ||
		!chat_viewer(r, body, &viewer, e))
		return false;
	if (viewer == 0)
		return fail(e, ERR_INPUT,
			"user_id: missing; with server side auth it says who read");
	if (message_id.n == 0)
		message_id = STR_NONE;
	if (!channel_get(r->db, r->arena, r->param[0], r->param[1], &channel, e) ||
		!chat_check_access(r, &channel, viewer, e) ||
		!read_mark(r->db, r->arena, r->ctx->app, &channel, viewer, message_id, &state,
			e) ||
		!user_by_uid(r->db, r->arena, viewer, &user, e))
		return false;
	write_read_event(r, &channel, &user, &state);
	return true;
}

static const struct route routes[] = {
	{"POST", "/channels", "QueryChannels", query, ROUTE_CHAT | ROUTE_CLIENT, BODY_SMALL,
		"Lists channels by a filter, with members, messages and read states"},
	{"POST", "/channels/{type}/query", "GetOrCreateChannel", query_distinct,
		ROUTE_CHAT | ROUTE_CLIENT, BODY_SMALL,
		"Finds or creates the channel of exactly these members"},
	{"POST", "/channels/{type}/{id}/query", "GetOrCreateChannel", query_one,
		ROUTE_CHAT | ROUTE_CLIENT, BODY_SMALL, "Finds or creates a channel by its id"},
	{"GET", "/channels/{type}/{id}", "GetChannel", get, ROUTE_CHAT | ROUTE_CLIENT,
		BODY_NONE, "Shows a channel"},
	{"POST", "/channels/{type}/{id}/read", "MarkRead", mark_read, ROUTE_CHAT | ROUTE_CLIENT,
		BODY_NONE, "Marks a channel read"},
};

const struct route_group routes_channels = {routes, ARRAY_LEN(routes)};
