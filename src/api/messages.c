/* messages – the endpoints of messages: send, get, change, delete (api.md §6.2, §6.4). */
#include "api/messages.h"

#include "api/before_send.h"
#include "api/chat_read.h"
#include "api/chat_wire.h"
#include "api/req.h"
#include "base/clock.h"
#include "domain/patch.h"
#include "domain/user.h"

/* What a message in a request may hold besides custom fields (v1), and what only the server
 * says. */
static const char *const message_keys[] = {"id", "text", "mml", "html", "type", "user",
	"user_id", "attachments", "mentioned_users", "mentioned_channel", "mentioned_here",
	"parent_id", "quoted_message_id", "quoted_message", "show_in_channel", "silent",
	"poll_id", "poll", "pinned", "pinned_at", "pinned_by", "pin_expires", "cid",
	"created_at", "updated_at", "deleted_at", "status", "latest_reactions", "own_reactions",
	"reaction_counts", "reaction_scores", "reaction_groups", "reply_count",
	"deleted_reply_count", "restricted_visibility", "shadowed", "shared_location", "i18n",
	"command", "channel"};

/* ---- send ------------------------------------------------------------------------------- */

static bool
read_attachments(struct req *r, const json_t *obj, struct message_draft *out, struct err *e)
{
	json_t *list = NULL;

	if (!jr_arr(obj, "attachments", OPTIONAL, MESSAGE_MAX_ATTACHMENTS, &list, e))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!json_is_object(json_array_get(list, i)))
			return fail(e, ERR_INPUT,
				"attachments[%zu]: expected an object, got %s", i,
				jr_type_name(json_array_get(list, i)));
	if (json_array_size(list) > 0)
		out->attachments = jr_dump(r->arena, list);
	return true;
}

/* Unknown users are left out. */
static bool
read_mentions(struct req *r, const json_t *obj, struct message_draft *out, struct err *e)
{
	struct str *ids = NULL;
	int64_t *uids;
	size_t n = 0;

	if (!jr_strs(r->arena, obj, "mentioned_users", OPTIONAL, MESSAGE_MAX_MENTIONS, &ids, &n,
		    e))
		return false;
	if (n == 0)
		return true;
	uids = arena_array(r->arena, n, sizeof(*uids));
	if (!user_resolve(r->db, r->arena, ids, n, uids, e))
		return false;
	for (size_t i = 0; i < n; i++)
		if (uids[i] != 0)
			uids[out->nmentioned++] = uids[i];
	out->mentioned = uids;
	return true;
}

static bool
read_type(const struct req *r, const json_t *obj, struct message_draft *out, struct err *e)
{
	if (!jr_str(obj, "type", OPTIONAL, &out->type, e))
		return false;
	if (out->type.n == 0)
		out->type = STR_NONE;
	if (out->type.p == NULL || str_is(out->type, "regular") || str_is(out->type, "reply"))
		return true;
	if (!str_is(out->type, "system") || r->user_id.p != NULL)
		return fail(e, ERR_INPUT, "type: expected \"regular\"%s, got \"%.*s\"",
			r->user_id.p ? "" : " or \"system\"", STR_ARG(out->type));
	return true;
}

static bool
read_message(struct req *r, const json_t *obj, struct message_draft *out, struct err *e)
{
	out->text = STR("");
	if (!jr_str(obj, "id", OPTIONAL, &out->id, e) ||
		!jr_str(obj, "text", OPTIONAL, &out->text, e) || !read_type(r, obj, out, e) ||
		!jr_str(obj, "parent_id", OPTIONAL, &out->parent_id, e) ||
		!jr_str(obj, "poll_id", OPTIONAL, &out->poll_id, e) ||
		!jr_bool(obj, "silent", OPTIONAL, &out->silent, e) ||
		!read_attachments(r, obj, out, e) || !read_mentions(r, obj, out, e))
		return fail_in(e, "message");
	if (out->id.n == 0)
		out->id = STR_NONE;
	if (out->parent_id.n == 0)
		out->parent_id = STR_NONE;
	if (out->poll_id.n == 0)
		out->poll_id = STR_NONE;
	if (out->text.n == 0 && out->attachments.p == NULL && out->poll_id.p == NULL)
		return fail(e, ERR_INPUT,
			"message.text: expected a text, attachments or a poll_id");
	out->own_polls_only = r->user_id.p != NULL;
	return chat_read_custom(r, obj, message_keys, ARRAY_LEN(message_keys),
		       MESSAGE_MAX_CUSTOM, &out->custom, e) ||
	       fail_in(e, "message");
}

/* Who sends: the token's user, else message.user_id or message.user.id, else the body's. */
static bool
read_author(struct req *r, const json_t *body, const json_t *obj, int64_t *uid, struct err *e)
{
	struct str id = STR_NONE;
	struct user author;

	if (!req_acting_user(r, obj, &id, e))
		return fail_in(e, "message");
	if (id.n == 0 && !req_acting_user(r, body, &id, e))
		return false;
	if (id.n == 0)
		return fail(e, ERR_INPUT,
			"either message.user or message.user_id must be provided when using "
			"server "
			"side auth.");
	if (!user_get(r->db, r->arena, id, &author, e))
		return false;
	if (author.deactivated_at != NO_TIME)
		return fail(e, ERR_DENIED, "the user %.*s was deactivated", STR_ARG(id));
	*uid = author.uid;
	return true;
}

bool
messages_read(struct req *r, const json_t *body, const json_t *obj, bool is_system,
	struct message_draft *out, struct err *e)
{
	if (!jr_bool(body, "skip_push", OPTIONAL, &out->skip_push, e) ||
		!read_message(r, obj, out, e) || !read_author(r, body, obj, &out->author, e))
		return false;
	if (is_system)
		out->type = STR("system");
	return true;
}

/* What is named anew takes the place of what was there. */
static bool
amend_custom(struct req *r, const json_t *obj, struct message_draft *draft, struct err *e)
{
	json_t *old, *more;
	struct str custom;

	if (!chat_read_custom(r, obj, message_keys, ARRAY_LEN(message_keys), MESSAGE_MAX_CUSTOM,
		    &custom, e))
		return false;
	if (custom.p == NULL || draft->custom.p == NULL) {
		draft->custom = custom.p != NULL ? custom : draft->custom;
		return true;
	}
	if (!jr_parse(r->arena, draft->custom, &old, e) ||
		!jr_parse(r->arena, custom, &more, e))
		return false;
	json_object_update(old, more);
	draft->custom = jr_dump(r->arena, old);
	return draft->custom.n <= MESSAGE_MAX_CUSTOM ||
	       fail(e, ERR_INPUT, "custom: expected at most %d bytes", MESSAGE_MAX_CUSTOM);
}

bool
messages_amend(struct req *r, const json_t *obj, struct message_draft *draft, struct err *e)
{
	bool has_list = json_is_array(json_object_get(obj, "attachments"));
	struct message_draft said = {.text = draft->text, .silent = draft->silent};

	if (!jr_str(obj, "text", OPTIONAL, &said.text, e) || !read_type(r, obj, &said, e) ||
		!jr_bool(obj, "silent", OPTIONAL, &said.silent, e) ||
		!read_attachments(r, obj, &said, e) || !amend_custom(r, obj, draft, e))
		return fail_in(e, "message");
	draft->text = said.text;
	draft->silent = said.silent;
	if (said.type.p != NULL)
		draft->type = said.type;
	if (has_list)
		draft->attachments = said.attachments;
	return true;
}

static bool
may_send(struct req *r, const struct channel *c, int64_t author, struct err *e)
{
	if (!chat_check_access(r, c, author, e))
		return false;
	if (c->disabled)
		return fail(e, ERR_DENIED, "channel %.*s is disabled", STR_ARG(c->cid));
	if (c->frozen && r->user_id.p != NULL)
		return fail(e, ERR_DENIED, "channel %.*s is frozen", STR_ARG(c->cid));
	return true;
}

/* Slow mode is for those who do not moderate. */
static bool
read_cooldown(struct req *r, const struct channel *c, struct message_draft *d, struct err *e)
{
	struct member m = {.uid = d->author};
	bool found;

	if (c->cooldown == 0 || r->user_id.p == NULL)
		return true;
	if (!channel_member(r->db, r->arena, c, d->author, &m, &found, e))
		return false;
	if (!chat_is_moderator(&m, c))
		d->cooldown = c->cooldown;
	return true;
}

static bool
answer_message(struct req *r, const struct message *m, const struct channel *c, int64_t viewer,
	bool with_channel, struct err *e)
{
	struct chat_limits limits = {.members = 1};
	struct chat_state state = {.channel = *c};
	struct chat_people people;

	chat_people_init(&people, r);
	people.viewer = viewer;
	if (with_channel && !chat_load(r, c, &limits, viewer, &people, &state, e))
		return false;
	chat_note_message(&people, m);
	if (!chat_people_load(&people, r, e))
		return false;
	jw_name(&r->w, STR("message"));
	chat_write_message(r, m, &state, &people, with_channel);
	return true;
}

static bool
send(struct req *r, struct err *e)
{
	struct message_draft draft = {0};
	struct channel channel;
	struct message sent;
	json_t *body, *obj;
	bool refused;

	if (!req_body(r, &body, e) || !jr_obj(body, "message", REQUIRED, &obj, e) ||
		!jr_bool(body, "keep_channel_hidden", OPTIONAL, &draft.keep_hidden, e) ||
		!messages_read(r, body, obj, false, &draft, e) ||
		!channel_get(r->db, r->arena, r->param[0], r->param[1], &channel, e) ||
		!may_send(r, &channel, draft.author, e) ||
		!read_cooldown(r, &channel, &draft, e) ||
		!before_send_ask(r, &channel, &draft, &refused, &sent, e))
		return false;
	if (!refused && !message_send(r->db, r->arena, r->ctx->app, &channel, &draft, &sent, e))
		return false;
	return answer_message(r, &sent, &channel, draft.author, false, e);
}

/* ---- get --------------------------------------------------------------------------------- */

static bool
missing(struct req *r, struct err *e)
{
	return fail(
		e, ERR_NOT_FOUND, "message with id %.*s doesn't exist", STR_ARG(r->param[0]));
}

/* The message of the path and its channel, for the caller; deleted ones too. */
static bool
load(struct req *r, const json_t *body, struct message *m, struct channel *c, int64_t *viewer,
	struct err *e)
{
	return chat_viewer(r, body, viewer, e) &&
	       chat_find_message(r, r->param[0], *viewer, m, c, e);
}

static bool
get(struct req *r, struct err *e)
{
	struct channel channel;
	struct message m;
	int64_t viewer;
	bool show_deleted = false;

	if (!req_query_bool(r, "show_deleted_message", &show_deleted, e) ||
		!load(r, NULL, &m, &channel, &viewer, e))
		return false;
	if (show_deleted && r->user_id.p != NULL)
		return fail(e, ERR_DENIED,
			"show_deleted_message: only a server-side token may see it");
	if (m.deleted_at != NO_TIME && !show_deleted)
		message_blank(&m);
	return answer_message(r, &m, &channel, viewer, true, e);
}

/* ---- change and delete ------------------------------------------------------------------- */

/* Users change what they wrote themselves. */
static bool
check_author(struct req *r, const struct message *m, int64_t viewer, struct err *e)
{
	if (r->user_id.p != NULL && m->author != viewer)
		return fail(e, ERR_DENIED, "message %.*s is not of user \"%.*s\"",
			STR_ARG(m->id), STR_ARG(r->user_id));
	return true;
}

static bool
change(struct req *r, const json_t *body, const struct message_edit *edit, struct err *e)
{
	struct channel channel;
	struct message m;
	int64_t viewer;

	if (!load(r, body, &m, &channel, &viewer, e) || !check_author(r, &m, viewer, e) ||
		!message_update(r->db, r->arena, r->ctx->app, &channel, m.id, edit, &m, e))
		return false;
	return answer_message(r, &m, &channel, viewer, false, e);
}

/* Who acts may stand inside the message, as when it is sent. */
static const json_t *
actor_of(const json_t *body, const json_t *message)
{
	bool inside = json_object_get(message, "user_id") != NULL ||
		      json_object_get(message, "user") != NULL;

	return inside ? message : body;
}

static bool
update(struct req *r, struct err *e)
{
	struct message_draft draft = {0};
	struct message_edit edit;
	json_t *body, *obj;

	if (!req_body(r, &body, e) || !jr_obj(body, "message", REQUIRED, &obj, e) ||
		!read_message(r, obj, &draft, e))
		return false;
	edit = (struct message_edit){
		.has_text = true,
		.has_attachments = true,
		.has_mentioned = true,
		.has_custom = true,
		.text = draft.text,
		.attachments = draft.attachments,
		.custom = draft.custom,
		.mentioned = draft.mentioned,
		.nmentioned = draft.nmentioned,
	};
	return change(r, actor_of(body, obj), &edit, e);
}

static bool
update_partial(struct req *r, struct err *e)
{
	struct message_draft draft = {.text = STR("")};
	struct message_edit edit = {0};
	struct patch patch;
	json_t *body, *value;

	if (!req_body(r, &body, e) || !chat_read_patch(r, body, &patch, e))
		return false;
	if (patch.set != NULL && (!jr_str(patch.set, "text", OPTIONAL, &draft.text, e) ||
					 !read_attachments(r, patch.set, &draft, e) ||
					 !read_mentions(r, patch.set, &draft, e)))
		return fail_in(e, "set");
	edit.has_text = patch_touches(&patch, "text", &value);
	edit.text = draft.text;
	edit.has_attachments = patch_touches(&patch, "attachments", &value);
	edit.attachments = draft.attachments;
	edit.has_mentioned = patch_touches(&patch, "mentioned_users", &value);
	edit.mentioned = draft.mentioned;
	edit.nmentioned = draft.nmentioned;
	edit.patch = &patch;
	return change(r, body, &edit, e);
}

static bool
remove_message(struct req *r, struct err *e)
{
	struct channel channel;
	struct message m;
	int64_t viewer;
	bool hard = false, for_me = false;

	if (!req_query_bool(r, "hard", &hard, e) ||
		!req_query_bool(r, "delete_for_me", &for_me, e) ||
		!load(r, NULL, &m, &channel, &viewer, e))
		return false;
	if (for_me)
		return fail(e, ERR_INPUT,
			"delete_for_me: a message is deleted for everybody or not at all");
	if (hard && r->user_id.p != NULL)
		return fail(e, ERR_DENIED, "hard: only a server-side token may");
	if (m.deleted_at != NO_TIME && !hard)
		return missing(r, e);
	if (r->user_id.p != NULL && m.author != viewer &&
		!chat_check_moderator(r, &channel, viewer, e))
		return false;
	if (!message_delete(r->db, r->arena, &m, hard, e))
		return false;
	if (m.deleted_at == NO_TIME)
		m.deleted_at = clock_now_us();
	message_blank(&m);
	return answer_message(r, &m, &channel, viewer, false, e);
}

static const struct route routes[] = {
	{"POST", "/channels/{type}/{id}/message", "SendMessage", send,
		ROUTE_CHAT | ROUTE_CLIENT, BODY_SMALL, "Sends a message to a channel"},
	{"GET", "/messages/{id}", "GetMessage", get, ROUTE_CHAT | ROUTE_CLIENT, BODY_NONE,
		"Shows a message"},
	{"POST", "/messages/{id}", "UpdateMessage", update, ROUTE_CHAT | ROUTE_CLIENT,
		BODY_SMALL, "Replaces what a message says"},
	{"PUT", "/messages/{id}", "UpdateMessagePartial", update_partial,
		ROUTE_CHAT | ROUTE_CLIENT, BODY_SMALL, "Changes some fields of a message"},
	{"DELETE", "/messages/{id}", "DeleteMessage", remove_message, ROUTE_CHAT | ROUTE_CLIENT,
		BODY_NONE, "Deletes a message"},
};

const struct route_group routes_messages = {routes, ARRAY_LEN(routes)};
