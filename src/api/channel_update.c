/* channel_update – the endpoints that change, cut off and delete channels (api.md §6.2). */
#include "api/chat_read.h"
#include "api/chat_wire.h"
#include "api/messages.h"
#include "api/req.h"
#include "base/clock.h"
#include "domain/channel_edit.h"
#include "domain/patch.h"
#include "domain/task.h"
#include "domain/user.h"

#define TEAM_MAX    1000
#define MEMBERS_MAX 100 /* in an answer */
#define DELETE_MAX  100
#define ROLE_MAX    64

/* The channel of the path, which the caller may change. */
static bool
get_mine(struct req *r, const json_t *body, struct channel *out, int64_t *viewer, struct err *e)
{
	return chat_viewer(r, body, viewer, e) &&
	       channel_get(r->db, r->arena, r->param[0], r->param[1], out, e) &&
	       chat_check_access(r, out, *viewer, e);
}

/* Writes channel and members, and a message when there is one. */
static bool
answer_channel(struct req *r, const struct channel *c, int64_t viewer, bool with_members,
	const struct message *m, struct err *e)
{
	struct chat_limits limits = {.members = MEMBERS_MAX};
	struct chat_people people;
	struct chat_state state;

	chat_people_init(&people, r);
	if (!chat_load(r, c, &limits, viewer, &people, &state, e))
		return false;
	if (m != NULL)
		chat_note_message(&people, m);
	if (!chat_people_load(&people, r, e))
		return false;
	jw_name(&r->w, STR("channel"));
	chat_write_channel(r, &state, &people);
	if (with_members) {
		jw_karr(&r->w, "members");
		for (size_t i = 0; i < state.nmembers; i++)
			chat_write_member(r, &state.members[i], c, &people);
		jw_end_arr(&r->w);
	}
	if (m != NULL) {
		jw_name(&r->w, STR("message"));
		chat_write_message(r, m, &state, &people, false);
	}
	return true;
}

/* The message that tells of the change, if there is one; it must be such that it can be sent.
 */
static bool
read_message(struct req *r, const json_t *body, const json_t *obj, const struct channel *c,
	struct message_draft *out, struct err *e)
{
	return obj == NULL || (messages_read(r, body, obj, true, out, e) &&
				      message_check(r->db, r->arena, r->ctx->app, c, out, e));
}

/* ---- update -------------------------------------------------------------------------- */

/* A request to update, read but not yet looked up. */
struct wanted {
	struct channel_edit edit;
	struct chat_members add, invites, roles;
	struct str *remove, *promote, *demote;
	size_t nremove, npromote, ndemote;
	bool accepts, rejects;
	json_t *message;
};

static bool
read_flag(const json_t *obj, const char *key, int8_t *out, struct err *e)
{
	bool flag;
	json_t *v = json_object_get(obj, key);

	*out = -1;
	if (v == NULL || json_is_null(v))
		return true;
	if (!jr_bool(obj, key, REQUIRED, &flag, e))
		return false;
	*out = flag;
	return true;
}

static bool
read_data(struct req *r, const json_t *data, struct channel_edit *ed, struct err *e)
{
	ed->has_data = data != NULL;
	ed->frozen = ed->disabled = -1;
	if (data == NULL)
		return true;
	ed->has_team = json_is_string(json_object_get(data, "team"));
	if (!jr_str_max(data, "team", OPTIONAL, TEAM_MAX, &ed->team, e) ||
		!read_flag(data, "frozen", &ed->frozen, e) ||
		!read_flag(data, "disabled", &ed->disabled, e))
		return false;
	if (ed->team.n == 0)
		ed->team = STR_NONE;
	return chat_read_channel_custom(r, data, &ed->custom, e);
}

/* Members that are hidden what was said before: now, or at the time given. */
static bool
read_hidden_history(const json_t *body, struct channel_edit *ed, struct err *e)
{
	bool hides = false;
	int64_t before = NO_TIME;

	ed->members.history_hidden = NO_TIME;
	if (!jr_bool(body, "hide_history", OPTIONAL, &hides, e) ||
		!jr_time(body, "hide_history_before", OPTIONAL, &before, e))
		return false;
	if (before != NO_TIME)
		ed->members.history_hidden = before - 1;
	else if (hides)
		ed->members.history_hidden = clock_now_us();
	return true;
}

static bool
read_ids(struct req *r, const json_t *body, const char *key, struct str **out, size_t *n,
	struct err *e)
{
	return jr_strs(r->arena, body, key, OPTIONAL, CHANNEL_MAX_CHANGES, out, n, e);
}

static bool
read_tags(struct req *r, const json_t *body, struct channel_edit *ed, struct err *e)
{
	struct str *add = NULL, *remove = NULL;

	if (!read_ids(r, body, "add_filter_tags", &add, &ed->nadd_tags, e) ||
		!read_ids(r, body, "remove_filter_tags", &remove, &ed->nremove_tags, e))
		return false;
	ed->add_tags = add;
	ed->remove_tags = remove;
	return true;
}

static bool
read_wanted(struct req *r, const json_t *body, struct wanted *w, struct err *e)
{
	const json_t *cooldown = json_object_get(body, "cooldown");
	json_t *data = NULL;

	*w = (struct wanted){.edit.has_cooldown = json_is_number(cooldown)};
	if (!jr_obj(body, "data", OPTIONAL, &data, e) ||
		!jr_int(body, "cooldown", OPTIONAL, 0, CHANNEL_MAX_COOLDOWN, &w->edit.cooldown,
			e) ||
		!jr_obj(body, "message", OPTIONAL, &w->message, e))
		return false;
	if (!read_data(r, data, &w->edit, e))
		return fail_in(e, "data");
	if (!chat_read_members(r, body, "add_members", &w->add, e) ||
		!chat_read_members(r, body, "invites", &w->invites, e) ||
		!chat_read_members(r, body, "assign_roles", &w->roles, e) ||
		!read_ids(r, body, "remove_members", &w->remove, &w->nremove, e) ||
		!read_ids(r, body, "add_moderators", &w->promote, &w->npromote, e) ||
		!read_ids(r, body, "demote_moderators", &w->demote, &w->ndemote, e) ||
		!jr_bool(body, "accept_invite", OPTIONAL, &w->accepts, e) ||
		!jr_bool(body, "reject_invite", OPTIONAL, &w->rejects, e) ||
		!read_tags(r, body, &w->edit, e) || !read_hidden_history(body, &w->edit, e))
		return false;
	if (w->accepts && w->rejects)
		return fail(e, ERR_INPUT, "accept_invite: cannot be used with reject_invite");
	for (size_t i = 0; i < w->roles.n; i++)
		if (w->roles.specs[i].role.p == NULL)
			return fail(e, ERR_INPUT, "assign_roles[%zu].channel_role: missing", i);
	return true;
}

/* Roles of assign_roles, add_moderators and demote_moderators, in this order. */
static bool
resolve_roles(struct req *r, struct wanted *w, struct err *e)
{
	size_t n = w->roles.n + w->npromote + w->ndemote, k = 0;
	struct member_role *roles = arena_array(r->arena, n + 1, sizeof(*roles));
	int64_t *uids = arena_array(r->arena, w->npromote + w->ndemote + 1, sizeof(*uids));

	if (!chat_resolve_users(r, "add_moderators", w->promote, w->npromote, uids, e) ||
		!chat_resolve_users(
			r, "demote_moderators", w->demote, w->ndemote, uids + w->npromote, e))
		return false;
	for (size_t i = 0; i < w->roles.n; i++)
		roles[k++] = (struct member_role){
			w->roles.specs[i].uid, w->roles.specs[i].role, false};
	for (size_t i = 0; i < w->npromote; i++)
		roles[k++] = (struct member_role){uids[i], STR("channel_moderator"), true};
	for (size_t i = 0; i < w->ndemote; i++)
		roles[k++] = (struct member_role){
			uids[w->npromote + i], STR("channel_member"), false};
	w->edit.members.roles = roles;
	w->edit.members.nroles = n;
	return true;
}

/* Fills in the uids: who comes must exist, who goes need not be anybody. */
static bool
resolve(struct req *r, struct wanted *w, int64_t viewer, struct err *e)
{
	struct membership_edit *ed = &w->edit.members;
	size_t n = w->add.n + w->invites.n;
	struct member_spec *add = arena_array(r->arena, n + 1, sizeof(*add));
	int64_t *gone = arena_zalloc(r->arena, (w->nremove + 1) * sizeof(*gone));

	if (!chat_resolve_members(r, "add_members", &w->add, e) ||
		!chat_resolve_members(r, "invites", &w->invites, e) ||
		!chat_resolve_members(r, "assign_roles", &w->roles, e) ||
		!resolve_roles(r, w, e) ||
		!user_resolve(r->db, r->arena, w->remove, w->nremove, gone, e))
		return false;
	for (size_t i = 0; i < w->add.n; i++)
		add[ed->nadd++] = w->add.specs[i];
	for (size_t i = 0; i < w->invites.n; i++) {
		add[ed->nadd] = w->invites.specs[i];
		add[ed->nadd++].is_invited = true;
	}
	for (size_t i = 0; i < w->nremove; i++)
		if (gone[i] != 0)
			gone[ed->nremove++] = gone[i];
	ed->add = add;
	ed->remove = gone;
	if ((w->accepts || w->rejects) && viewer == 0)
		return fail(e, ERR_INPUT,
			"user_id: missing; with server side auth it says who answers");
	ed->accept = w->accepts ? viewer : 0;
	ed->reject = w->rejects ? viewer : 0;
	return true;
}

/* A user may leave, and answer for himself, and tell so; all else is for moderators. */
static bool
may_update(struct req *r, const struct channel *c, const struct wanted *w, int64_t viewer,
	struct err *e)
{
	const struct membership_edit *ed = &w->edit.members;
	bool leaves = ed->nremove == 1 && ed->remove[0] == viewer;
	bool others = ed->nadd + ed->nroles > 0 || (ed->nremove > 0 && !leaves);
	bool data = w->edit.has_data || w->edit.has_cooldown ||
		    w->edit.nadd_tags + w->edit.nremove_tags > 0;

	if ((leaves || w->accepts || w->rejects || w->message == NULL) && !others && !data)
		return true;
	return chat_check_moderator(r, c, viewer, e);
}

static bool
update(struct req *r, struct err *e)
{
	struct message_draft draft = {0};
	struct channel channel, changed;
	struct message sent;
	struct wanted w;
	int64_t viewer;
	json_t *body;

	if (!req_body(r, &body, e) || !read_wanted(r, body, &w, e) ||
		!get_mine(r, body, &channel, &viewer, e) || !resolve(r, &w, viewer, e) ||
		!may_update(r, &channel, &w, viewer, e))
		return false;
	if (!read_message(r, body, w.message, &channel, &draft, e))
		return false;
	w.edit.by = viewer;
	if (!channel_update(r->db, r->arena, &channel, &w.edit, &changed, e))
		return false;
	if (w.message != NULL &&
		!message_send(r->db, r->arena, r->ctx->app, &changed, &draft, &sent, e))
		return false;
	return answer_channel(r, &changed, viewer, true, w.message ? &sent : NULL, e);
}

static bool
update_partial(struct req *r, struct err *e)
{
	struct channel channel, changed;
	struct patch patch;
	int64_t viewer;
	json_t *body;

	if (!req_body(r, &body, e) || !chat_read_patch(r, body, &patch, e) ||
		!get_mine(r, body, &channel, &viewer, e) ||
		!chat_check_moderator(r, &channel, viewer, e) ||
		!channel_patch(r->db, r->arena, &channel, &patch, viewer, &changed, e))
		return false;
	return answer_channel(r, &changed, viewer, true, NULL, e);
}

/* ---- truncate -------------------------------------------------------------------------- */

static bool
read_cut(struct req *r, const json_t *body, struct channel_cut *cut, struct err *e)
{
	struct str *ids = NULL;
	int64_t *uids;

	*cut = (struct channel_cut){.at = NO_TIME};
	if (!jr_time(body, "truncated_at", OPTIONAL, &cut->at, e) ||
		!jr_bool(body, "hard_delete", OPTIONAL, &cut->hard, e) ||
		!read_ids(r, body, "member_ids", &ids, &cut->nuids, e))
		return false;
	uids = arena_array(r->arena, cut->nuids + 1, sizeof(*uids));
	cut->uids = uids;
	return chat_resolve_users(r, "member_ids", ids, cut->nuids, uids, e);
}

static bool
truncate_channel(struct req *r, struct err *e)
{
	struct message_draft draft = {0};
	struct channel channel, cut_off;
	struct channel_cut cut;
	struct message sent;
	json_t *body, *message = NULL;
	int64_t viewer;

	if (!req_body(r, &body, e) || !read_cut(r, body, &cut, e) ||
		!jr_obj(body, "message", OPTIONAL, &message, e) ||
		!get_mine(r, body, &channel, &viewer, e) ||
		!chat_check_moderator(r, &channel, viewer, e))
		return false;
	if (!read_message(r, body, message, &channel, &draft, e))
		return false;
	cut.by = viewer;
	if (!channel_truncate(r->db, r->arena, &channel, &cut, &cut_off, e))
		return false;
	if (message != NULL &&
		!message_send(r->db, r->arena, r->ctx->app, &cut_off, &draft, &sent, e))
		return false;
	return answer_channel(r, &cut_off, viewer, false, message ? &sent : NULL, e);
}

/* ---- delete ---------------------------------------------------------------------------- */

static bool
delete_one(struct req *r, struct err *e)
{
	struct channel_deletion d = {.n = 1};
	struct channel channel;
	int64_t viewer;
	bool found;

	if (!req_query_bool(r, "hard_delete", &d.hard, e) ||
		!get_mine(r, NULL, &channel, &viewer, e) ||
		!chat_check_moderator(r, &channel, viewer, e))
		return false;
	if (d.hard && r->user_id.p != NULL)
		return fail(e, ERR_DENIED, "hard_delete: only a server-side token may");
	d.nos = &channel.no;
	d.by = viewer;
	if (!channel_delete(r->db, r->arena, &d, STR_NONE, NULL, e) ||
		!channel_by_no(r->db, r->arena, channel.no, &channel, &found, e))
		return false;
	return answer_channel(r, &channel, viewer, false, NULL, e);
}

/* What became of each channel: reasons[i] is its error, n == 0: none. */
static struct str
deletion_result(struct req *r, const struct str *cids, const struct str *reasons, size_t n)
{
	struct buf text;
	struct jw w;

	buf_init(&text, r->arena, 64 * n + 16);
	jw_init(&w, &text);
	jw_obj(&w);
	for (size_t i = 0; i < n; i++) {
		bool again = false;

		for (size_t k = 0; k < i && !again; k++)
			again = str_eq(cids[k], cids[i]);
		if (again)
			continue;
		jw_key(&w, cids[i]);
		jw_obj(&w);
		jw_kstr(&w, "status", reasons[i].n > 0 ? STR("error") : STR("ok"));
		if (reasons[i].n > 0)
			jw_kstr(&w, "error", reasons[i]);
		jw_end_obj(&w);
	}
	jw_end_obj(&w);
	return buf_view(&text);
}

/* The task is done before it can be asked after: deleting is a mark, and what takes longer
 * nobody can see. */
static bool
delete_many(struct req *r, struct err *e)
{
	struct channel_deletion d = {0};
	struct str *cids, *reasons, result, task;
	int64_t *nos;
	json_t *body;
	size_t n;

	if (!req_body(r, &body, e) ||
		!jr_strs(r->arena, body, "cids", REQUIRED, DELETE_MAX, &cids, &n, e) ||
		!jr_bool(body, "hard_delete", OPTIONAL, &d.hard, e))
		return false;
	if (n == 0)
		return fail(e, ERR_INPUT, "cids: expected 1 to %d elements, got 0", DELETE_MAX);
	reasons = arena_zalloc(r->arena, n * sizeof(*reasons));
	d.nos = nos = arena_array(r->arena, n, sizeof(*nos));
	for (size_t i = 0; i < n; i++) {
		struct channel c;
		struct err why;

		if (chat_get_cid(r, "cid", cids[i], &c, &why))
			nos[d.n++] = c.no;
		else if (why.code != ERR_INPUT && why.code != ERR_NOT_FOUND)
			return fail(e, why.code, "%s", why.msg);
		else
			reasons[i] = arena_dup(r->arena, str_of(why.msg));
	}
	result = deletion_result(r, cids, reasons, n);
	if (!channel_delete(r->db, r->arena, &d, result, &task, e))
		return false;
	jw_kstr(&r->w, "task_id", task);
	jw_kraw(&r->w, "result", result);
	return true;
}

static const struct route routes[] = {
	{"POST", "/channels/{type}/{id}", "UpdateChannel", update, ROUTE_CHAT | ROUTE_CLIENT,
		BODY_SMALL, "Changes a channel, its members and their roles"},
	{"PATCH", "/channels/{type}/{id}", "UpdateChannelPartial", update_partial,
		ROUTE_CHAT | ROUTE_CLIENT, BODY_SMALL, "Changes some fields of a channel"},
	{"DELETE", "/channels/{type}/{id}", "DeleteChannel", delete_one,
		ROUTE_CHAT | ROUTE_CLIENT, BODY_NONE, "Deletes a channel"},
	{"POST", "/channels/delete", "DeleteChannels", delete_many, ROUTE_CHAT, BODY_SMALL,
		"Deletes up to 100 channels"},
	{"POST", "/channels/{type}/{id}/truncate", "TruncateChannel", truncate_channel,
		ROUTE_CHAT | ROUTE_CLIENT, BODY_SMALL, "Cuts off the messages of a channel"},
};

const struct route_group routes_channel_update = {routes, ARRAY_LEN(routes)};
