/* user_state – the endpoints by which users go and come back (api.md §6.1): delete, restore,
 * deactivate, reactivate. */
#include "domain/user_state.h"

#include "api/req.h"
#include "api/wire.h"
#include "domain/user.h"
#include "engine/engine.h"

/* ---- what they have in common ------------------------------------------------------- */

static bool
read_ids(struct req *r, const json_t *body, struct user_list *out, struct err *e)
{
	struct str *ids;

	if (!jr_strs(r->arena, body, "user_ids", REQUIRED, USER_STATES_MAX, &ids, &out->n, e))
		return false;
	if (out->n == 0)
		return fail(e, ERR_INPUT, "user_ids: expected 1 to %d elements, got 0",
			USER_STATES_MAX);
	out->ids = ids;
	out->wants_task = true;
	return true;
}

/* The one user that the path names. */
static struct user_list
one(const struct req *r)
{
	return (struct user_list){.ids = &r->param[0], .n = 1};
}

/* The engine does the task. */
static void
answer_task(struct req *r, struct str task)
{
	if (task.p == NULL)
		return;
	jw_kstr(&r->w, "task_id", task);
	if (r->ctx->engine != NULL)
		engine_wake(r->ctx->engine);
}

static bool
answer_user(struct req *r, struct str task, struct err *e)
{
	struct user u;
	int64_t uid;

	if (!user_resolve(r->db, r->arena, &r->param[0], 1, &uid, e) ||
		!user_by_uid(r->db, r->arena, uid, &u, e))
		return false;
	jw_name(&r->w, STR("user"));
	wire_user(r, &u);
	answer_task(r, task);
	return true;
}

/* ---- deletion ----------------------------------------------------------------------- */

static const struct mode {
	struct str name;
	enum purge_mode mode;
} modes[] = {
	{STR_INIT("soft"), PURGE_HIDE}, {STR_INIT("hard"), PURGE_REMOVE},
	{STR_INIT("pruning"), PURGE_EMPTY}, /* the last, since some take only the first two */
};

/* *out stays when nothing is said; an empty text says nothing, too. */
static bool
read_mode(const json_t *body, const char *key, bool may_prune, enum purge_mode *out,
	struct err *e)
{
	struct str said = STR_NONE, shown;

	if (!jr_str(body, key, OPTIONAL, &said, e))
		return false;
	if (said.n == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(modes) - !may_prune; i++)
		if (str_eq(said, modes[i].name)) {
			*out = modes[i].mode;
			return true;
		}
	shown = str_clip(said, 64);
	return fail(e, ERR_INPUT, "%s: expected \"soft\"%s or \"hard\", got \"%.*s\"", key,
		may_prune ? ", \"pruning\"" : "", STR_ARG(shown));
}

/* There are neither calls nor files here: what is said of them is checked, and is true. */
static bool
read_foreign(const json_t *body, struct err *e)
{
	enum purge_mode calls;
	struct str owner;
	bool files;

	return read_mode(body, "calls", false, &calls, e) &&
	       jr_bool(body, "files", OPTIONAL, &files, e) &&
	       jr_str(body, "new_call_owner_id", OPTIONAL, &owner, e);
}

static bool
delete_many(struct req *r, struct err *e)
{
	struct user_deletion d = {.user = PURGE_HIDE};
	struct user_list list;
	struct str task;
	json_t *body;

	if (!req_body(r, &body, e) || !read_ids(r, body, &list, e) ||
		!read_mode(body, "user", true, &d.user, e) ||
		!read_mode(body, "messages", true, &d.messages, e) ||
		!read_mode(body, "conversations", false, &d.conversations, e) ||
		!jr_str(body, "new_channel_owner_id", OPTIONAL, &d.new_owner, e) ||
		!read_foreign(body, e))
		return false;
	if (d.new_owner.n == 0)
		d.new_owner = STR_NONE;
	if (!user_delete(r->db, r->arena, &list, &d, &task, e))
		return false;
	answer_task(r, task);
	return true;
}

static bool
delete_one(struct req *r, struct err *e)
{
	struct user_deletion d = {.user = PURGE_HIDE};
	struct user_list list = one(r);
	bool messages = false, conversations = false, hard = false;
	struct str task;

	if (!req_query_bool(r, "mark_messages_deleted", &messages, e) ||
		!req_query_bool(r, "delete_conversation_channels", &conversations, e) ||
		!req_query_bool(r, "hard_delete", &hard, e))
		return false;
	if (hard)
		d.user = PURGE_REMOVE;
	if (messages)
		d.messages = d.user;
	if (conversations)
		d.conversations = d.user;
	return user_delete(r->db, r->arena, &list, &d, &task, e) && answer_user(r, task, e);
}

static bool
restore(struct req *r, struct err *e)
{
	struct user_list list;
	json_t *body;

	return req_body(r, &body, e) && read_ids(r, body, &list, e) &&
	       user_restore(r->db, r->arena, &list, e);
}

/* ---- deactivation ------------------------------------------------------------------- */

/* Who did it is checked and told nobody yet. */
static bool
read_belongings(const json_t *body, const char *messages, const char *channels,
	struct user_belongings *out, struct err *e)
{
	struct str by;

	*out = (struct user_belongings){0};
	return jr_bool(body, messages, OPTIONAL, &out->messages, e) &&
	       jr_bool(body, channels, OPTIONAL, &out->conversations, e) &&
	       jr_str(body, "created_by_id", OPTIONAL, &by, e);
}

static bool
read_hiding(const json_t *body, struct user_belongings *out, struct err *e)
{
	return read_belongings(body, "mark_messages_deleted", "mark_channels_deleted", out, e);
}

static bool
read_showing(const json_t *body, struct user_belongings *out, struct err *e)
{
	return read_belongings(body, "restore_messages", "restore_channels", out, e);
}

static bool
deactivate_one(struct req *r, struct err *e)
{
	struct user_list list = one(r);
	struct user_belongings b;
	struct str task;
	json_t *body;

	return req_body(r, &body, e) && read_hiding(body, &b, e) &&
	       user_deactivate(r->db, r->arena, &list, &b, &task, e) && answer_user(r, task, e);
}

static bool
deactivate_many(struct req *r, struct err *e)
{
	struct user_belongings b;
	struct user_list list;
	struct str task;
	json_t *body;

	if (!req_body(r, &body, e) || !read_ids(r, body, &list, e) ||
		!read_hiding(body, &b, e) ||
		!user_deactivate(r->db, r->arena, &list, &b, &task, e))
		return false;
	answer_task(r, task);
	return true;
}

static bool
reactivate_one(struct req *r, struct err *e)
{
	struct user_list list = one(r);
	struct user_belongings b;
	struct str task, name = STR_NONE;
	json_t *body;

	return req_body(r, &body, e) && read_showing(body, &b, e) &&
	       user_read_name(r->arena, body, &name, e) &&
	       user_reactivate(r->db, r->arena, &list, &b, name, &task, e) &&
	       answer_user(r, task, e);
}

static bool
reactivate_many(struct req *r, struct err *e)
{
	struct user_belongings b;
	struct user_list list;
	struct str task;
	json_t *body;

	if (!req_body(r, &body, e) || !read_ids(r, body, &list, e) ||
		!read_showing(body, &b, e) ||
		!user_reactivate(r->db, r->arena, &list, &b, STR_NONE, &task, e))
		return false;
	answer_task(r, task);
	return true;
}

static const struct route routes[] = {
	{"POST", "/users/delete", "DeleteUsers", delete_many, ROUTE_COMMON, BODY_SMALL,
		"delete up to 100 users"},
	{"DELETE", "/users/{id}", "DeleteUser", delete_one, ROUTE_COMMON, BODY_NONE,
		"delete a user"},
	{"POST", "/users/restore", "RestoreUsers", restore, ROUTE_COMMON, BODY_SMALL,
		"bring back up to 100 users that were deleted softly"},
	{"POST", "/users/deactivate", "DeactivateUsers", deactivate_many, ROUTE_COMMON,
		BODY_SMALL, "deactivate up to 100 users"},
	{"POST", "/users/reactivate", "ReactivateUsers", reactivate_many, ROUTE_COMMON,
		BODY_SMALL, "reactivate up to 100 users"},
	{"POST", "/users/{id}/deactivate", "DeactivateUser", deactivate_one, ROUTE_COMMON,
		BODY_SMALL, "deactivate a user"},
	{"POST", "/users/{id}/reactivate", "ReactivateUser", reactivate_one, ROUTE_COMMON,
		BODY_SMALL, "reactivate a user"},
};

const struct route_group routes_user_state = {routes, ARRAY_LEN(routes)};
