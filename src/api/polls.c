/* polls – the endpoints of polls, their options and votes (api.md §6.7).
 *
 * Whoever knows the id of a poll may read it and its votes, as the message that carries it is
 * in nobody's path here; to vote one must reach the channel of such a message.  User tokens
 * change and list only polls that their user created. */
#include <stdio.h>

#include "api/chat_read.h"
#include "api/chat_wire.h"
#include "api/poll_wire.h"
#include "api/req.h"
#include "api/wire.h"
#include "domain/page.h"
#include "domain/poll.h"

#define PAGE_DEFAULT 30
#define PAGE_MAX     100
#define UNSET_MAX    100

/* What a poll in a request may hold besides custom fields (v1), and what only the server
 * says. */
static const char *const poll_keys[] = {"id", "name", "description", "voting_visibility",
	"enforce_unique_vote", "max_votes_allowed", "allow_user_suggested_options",
	"allow_answers", "is_closed", "options", "vote_count", "answers_count",
	"vote_counts_by_option", "latest_votes_by_option", "latest_answers", "own_votes",
	"created_by_id", "created_by", "created_at", "updated_at", "user", "user_id"};

static const char *const option_keys[] = {"id", "text", "poll_id", "position", "vote_count",
	"votes", "created_at", "updated_at", "user", "user_id"};

/* ---- reading ---------------------------------------------------------------------------- */

static bool
read_option(struct req *r, const json_t *obj, struct poll_option_edit *out, struct err *e)
{
	*out = (struct poll_option_edit){0};
	if (!json_is_object(obj))
		return fail(e, ERR_INPUT, "expected an object, got %s", jr_type_name(obj));
	return jr_str(obj, "id", OPTIONAL, &out->id, e) &&
	       jr_str(obj, "text", OPTIONAL, &out->text, e) &&
	       chat_read_custom(r, obj, option_keys, ARRAY_LEN(option_keys), POLL_MAX_CUSTOM,
		       &out->custom, e);
}

static bool
read_options(struct req *r, const json_t *obj, struct poll_edit *out, struct err *e)
{
	json_t *list = NULL;

	if (!jr_arr(obj, "options", OPTIONAL, POLL_MAX_OPTIONS, &list, e))
		return false;
	out->has_options = list != NULL;
	out->noptions = json_array_size(list);
	out->options = arena_array(r->arena, out->noptions, sizeof(*out->options));
	for (size_t i = 0; i < out->noptions; i++) {
		char where[32];

		if (read_option(r, json_array_get(list, i), &out->options[i], e))
			continue;
		snprintf(where, sizeof(where), "options[%zu]", i);
		return fail_in(e, where);
	}
	return true;
}

/* All but custom data. */
static bool
read_fields(struct req *r, const json_t *obj, struct poll_edit *out, struct err *e)
{
	*out = POLL_EDIT_NONE;
	return jr_str(obj, "id", OPTIONAL, &out->id, e) &&
	       jr_str(obj, "name", OPTIONAL, &out->name, e) &&
	       jr_str(obj, "description", OPTIONAL, &out->description, e) &&
	       jr_str(obj, "voting_visibility", OPTIONAL, &out->voting_visibility, e) &&
	       jr_flag(obj, "enforce_unique_vote", &out->enforce_unique_vote, e) &&
	       jr_int(obj, "max_votes_allowed", OPTIONAL, 1, POLL_MAX_VOTES,
		       &out->max_votes_allowed, e) &&
	       jr_flag(obj, "allow_user_suggested_options", &out->allow_user_suggested_options,
		       e) &&
	       jr_flag(obj, "allow_answers", &out->allow_answers, e) &&
	       jr_flag(obj, "is_closed", &out->is_closed, e) && read_options(r, obj, out, e);
}

/* The body of create and full update. */
static bool
read_poll(struct req *r, const json_t *body, struct poll_edit *out, struct err *e)
{
	if (!read_fields(r, body, out, e) || !jr_str(body, "name", REQUIRED, &out->name, e))
		return false;
	out->drop_custom = true;
	return chat_read_custom(
		r, body, poll_keys, ARRAY_LEN(poll_keys), POLL_MAX_CUSTOM, &out->custom, e);
}

/* ---- partial updates -------------------------------------------------------------------- */

static bool
is_field(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(poll_keys); i++)
		if (str_eq(name, str_of(poll_keys[i])))
			return true;
	return false;
}

/* Clients of v2 may put the name of the nested object in front. */
static struct str
custom_name(const struct req *r, struct str name)
{
	const struct str prefix = STR("custom.");

	if (r->dialect == DIALECT_V1 || !str_starts(name, prefix))
		return name;
	return str_sub(name, prefix.n, name.n - prefix.n);
}

/* What ${set} says of custom data: names that are no fields, and the whole of it as "custom"
 * (v2). */
static bool
read_set_custom(struct req *r, json_t *set, struct poll_edit *out, struct err *e)
{
	json_t *all = jr_own(r->arena, json_object()), *whole = NULL, *value;
	const char *key;

	if (r->dialect == DIALECT_V2) {
		if (!jr_obj(set, "custom", OPTIONAL, &whole, e))
			return false;
		out->drop_custom = whole != NULL;
		json_object_update(all, whole);
	}
	json_object_foreach(set, key, value)
	{
		struct str name = custom_name(r, str_of(key));

		if (json_is_null(value) || is_field(str_of(key)) ||
			(r->dialect == DIALECT_V2 && str_is(name, "custom")))
			continue;
		json_object_set(all, arena_dup(r->arena, name).p, value);
	}
	if (json_object_size(all) > 0)
		out->custom = jr_dump(r->arena, all);
	return true;
}

/* What is unset is as in a new poll. */
static bool
unset_field(struct str name, struct poll_edit *out, struct err *e)
{
	if (str_is(name, "description"))
		out->description = STR("");
	else if (str_is(name, "voting_visibility"))
		out->voting_visibility = STR("public");
	else if (str_is(name, "enforce_unique_vote"))
		out->enforce_unique_vote = 0;
	else if (str_is(name, "max_votes_allowed"))
		out->max_votes_allowed = 0;
	else if (str_is(name, "allow_user_suggested_options"))
		out->allow_user_suggested_options = 0;
	else if (str_is(name, "allow_answers"))
		out->allow_answers = 0;
	else if (str_is(name, "is_closed"))
		out->is_closed = 0;
	else
		return fail(e, ERR_INPUT, "unset: \"%.*s\" cannot be unset", STR_ARG(name));
	return true;
}

static bool
read_unset(struct req *r, const json_t *body, struct poll_edit *out, struct err *e)
{
	struct str *names = NULL, *custom;
	size_t n = 0;

	if (!jr_strs(r->arena, body, "unset", OPTIONAL, UNSET_MAX, &names, &n, e))
		return false;
	custom = arena_array(r->arena, n, sizeof(*custom));
	out->unset = custom;
	for (size_t i = 0; i < n; i++) {
		if (is_field(names[i])) {
			if (!unset_field(names[i], out, e))
				return false;
		} else if (r->dialect == DIALECT_V2 && str_is(names[i], "custom")) {
			out->drop_custom = true;
			out->custom = STR_NONE;
		} else {
			custom[out->nunset++] = custom_name(r, names[i]);
		}
	}
	return true;
}

static bool
read_patch(struct req *r, const json_t *body, struct poll_edit *out, struct err *e)
{
	json_t *set = NULL;

	*out = POLL_EDIT_NONE;
	if (!jr_obj(body, "set", OPTIONAL, &set, e))
		return false;
	if (set != NULL && (!read_fields(r, set, out, e) || !read_set_custom(r, set, out, e)))
		return fail_in(e, "set");
	if (out->id.p != NULL && !str_eq(out->id, r->param[0]))
		return fail(e, ERR_INPUT, "set.id: the id of a poll cannot be changed");
	return read_unset(r, body, out, e);
}

/* ---- who asks --------------------------------------------------------------------------- */

/* *viewer: whose own votes are shown; *by: who must own what is changed, 0 for the server. */
static bool
read_caller(struct req *r, const json_t *body, int64_t *viewer, int64_t *by, struct err *e)
{
	if (!chat_viewer(r, body, viewer, e))
		return false;
	*by = r->user_id.p != NULL ? *viewer : 0;
	return true;
}

static bool
read_someone(struct req *r, const json_t *body, int64_t *uid, struct err *e)
{
	if (!chat_viewer(r, body, uid, e))
		return false;
	return *uid != 0 || fail(e, ERR_INPUT,
				    "user_id: either user or user_id must be provided when "
				    "using server side "
				    "auth.");
}

/* ---- answers ---------------------------------------------------------------------------- */

static bool
answer_poll(struct req *r, struct str id, int64_t viewer, const struct poll_vote *vote,
	struct err *e)
{
	struct chat_people people;
	struct poll p;

	if (!poll_get(r->db, r->arena, r->ctx->app, id, viewer, &p, e))
		return false;
	chat_people_init(&people, r);
	poll_wire_note(&people, &p);
	if (vote != NULL)
		poll_wire_note_vote(&people, &p, vote);
	if (!chat_people_load(&people, r, e))
		return false;
	jw_name(&r->w, STR("poll"));
	poll_wire(r, &p, &people);
	if (vote != NULL) {
		jw_name(&r->w, STR("vote"));
		poll_wire_vote(r, &p, vote, &people);
	}
	return true;
}

static bool
answer_option(struct req *r, struct str id, struct str option_id, struct err *e)
{
	const struct poll_option *option;
	struct poll p;

	if (!poll_get(r->db, r->arena, r->ctx->app, id, 0, &p, e))
		return false;
	option = poll_option_find(&p, option_id);
	if (option == NULL)
		return fail(e, ERR_NOT_FOUND,
			"option with id %.*s doesn't exist in poll with id %.*s",
			STR_ARG(option_id), STR_ARG(id));
	jw_name(&r->w, STR("poll_option"));
	poll_wire_option(r, &p, option);
	return true;
}

/* ---- polls ------------------------------------------------------------------------------ */

static bool
create(struct req *r, struct err *e)
{
	struct poll_edit edit;
	struct str id;
	int64_t creator;
	json_t *body;

	return req_body(r, &body, e) && read_poll(r, body, &edit, e) &&
	       read_someone(r, body, &creator, e) &&
	       poll_create(r->db, r->arena, &edit, creator, &id, e) &&
	       answer_poll(r, id, creator, NULL, e);
}

static bool
get(struct req *r, struct err *e)
{
	int64_t viewer;

	return chat_viewer(r, NULL, &viewer, e) && answer_poll(r, r->param[0], viewer, NULL, e);
}

static bool
update(struct req *r, struct err *e)
{
	struct poll_edit edit;
	int64_t viewer, by;
	json_t *body;

	return req_body(r, &body, e) && read_poll(r, body, &edit, e) &&
	       jr_str(body, "id", REQUIRED, &edit.id, e) &&
	       read_caller(r, body, &viewer, &by, e) &&
	       poll_update(r->db, r->arena, edit.id, &edit, true, by, e) &&
	       answer_poll(r, edit.id, viewer, NULL, e);
}

static bool
patch(struct req *r, struct err *e)
{
	struct poll_edit edit;
	int64_t viewer, by;
	json_t *body;

	return req_body(r, &body, e) && read_patch(r, body, &edit, e) &&
	       read_caller(r, body, &viewer, &by, e) &&
	       poll_update(r->db, r->arena, r->param[0], &edit, false, by, e) &&
	       answer_poll(r, r->param[0], viewer, NULL, e);
}

static bool
remove_poll(struct req *r, struct err *e)
{
	int64_t viewer, by;

	return read_caller(r, NULL, &viewer, &by, e) &&
	       poll_delete(r->db, r->arena, r->param[0], by, e);
}

static bool
query(struct req *r, struct err *e)
{
	struct chat_people people;
	struct page_links links;
	struct page_ask ask;
	struct poll *polls;
	int64_t viewer, by;
	json_t *body;
	size_t n;

	if (!req_body(r, &body, e) || !page_read(body, PAGE_DEFAULT, PAGE_MAX, &ask, e) ||
		!read_caller(r, body, &viewer, &by, e) ||
		!poll_query(
			r->db, r->arena, r->ctx->app, &ask, by, viewer, &polls, &n, &links, e))
		return false;
	chat_people_init(&people, r);
	for (size_t i = 0; i < n; i++)
		poll_wire_note(&people, &polls[i]);
	if (!chat_people_load(&people, r, e))
		return false;
	jw_karr(&r->w, "polls");
	for (size_t i = 0; i < n && !arena_overflowed(r->arena); i++)
		poll_wire(r, &polls[i], &people);
	jw_end_arr(&r->w);
	wire_links(r, &links);
	return true;
}

/* ---- options ---------------------------------------------------------------------------- */

static bool
create_option(struct req *r, struct err *e)
{
	struct poll_option_edit edit;
	int64_t viewer, by;
	struct str id;
	json_t *body;

	return req_body(r, &body, e) && read_option(r, body, &edit, e) &&
	       read_caller(r, body, &viewer, &by, e) &&
	       poll_add_option(r->db, r->arena, r->param[0], &edit, by, &id, e) &&
	       answer_option(r, r->param[0], id, e);
}

static bool
get_option(struct req *r, struct err *e)
{
	return answer_option(r, r->param[0], r->param[1], e);
}

static bool
update_option(struct req *r, struct err *e)
{
	struct poll_option_edit edit;
	int64_t viewer, by;
	json_t *body;

	return req_body(r, &body, e) && read_option(r, body, &edit, e) &&
	       jr_str(body, "id", REQUIRED, &edit.id, e) &&
	       read_caller(r, body, &viewer, &by, e) &&
	       poll_change_option(r->db, r->arena, r->param[0], &edit, by, e) &&
	       answer_option(r, r->param[0], edit.id, e);
}

static bool
remove_option(struct req *r, struct err *e)
{
	int64_t viewer, by;

	return read_caller(r, NULL, &viewer, &by, e) &&
	       poll_remove_option(r->db, r->arena, r->param[0], r->param[1], by, e);
}

/* ---- votes ------------------------------------------------------------------------------ */

/* The poll must be that of the message, and the voter be able to reach it. */
static bool
check_message(struct req *r, int64_t viewer, struct poll_carrier *out, struct err *e)
{
	struct channel c;
	struct message m;

	if (!chat_find_message(r, r->param[0], viewer, &m, &c, e))
		return false;
	if (m.deleted_at != NO_TIME || !str_eq(m.poll_id, r->param[1]))
		return fail(e, ERR_NOT_FOUND, "message with id %.*s has no poll with id %.*s",
			STR_ARG(r->param[0]), STR_ARG(r->param[1]));
	if (r->user_id.p != NULL && (c.frozen || c.disabled))
		return fail(e, ERR_DENIED, "channel %.*s is %s", STR_ARG(c.cid),
			c.disabled ? "disabled" : "frozen");
	*out = (struct poll_carrier){.message = m.key, .channel = c.no};
	return true;
}

static bool
read_choice(const json_t *body, struct poll_choice *out, struct err *e)
{
	json_t *vote;

	*out = (struct poll_choice){STR_NONE, STR_NONE};
	if (!jr_obj(body, "vote", REQUIRED, &vote, e))
		return false;
	if (!jr_str(vote, "option_id", OPTIONAL, &out->option_id, e) ||
		!jr_str(vote, "answer_text", OPTIONAL, &out->answer, e))
		return fail_in(e, "vote");
	/* Typed clients send every field, the unset ones empty. */
	if (out->option_id.n == 0)
		out->option_id = STR_NONE;
	if ((out->option_id.p != NULL) == (out->answer.p != NULL))
		return fail(e, ERR_INPUT, "vote: expected either option_id or answer_text");
	return true;
}

static bool
cast_vote(struct req *r, struct err *e)
{
	struct poll_carrier carrier;
	struct poll_choice choice;
	struct poll_vote vote;
	int64_t uid;
	json_t *body;

	return req_body(r, &body, e) && read_choice(body, &choice, e) &&
	       read_someone(r, body, &uid, e) && check_message(r, uid, &carrier, e) &&
	       poll_cast_vote(r->db, r->arena, r->ctx->app, r->param[1], &choice, &carrier, uid,
		       &vote, e) &&
	       answer_poll(r, r->param[1], uid, &vote, e);
}

static bool
remove_vote(struct req *r, struct err *e)
{
	struct poll_carrier carrier;
	struct poll_vote vote;
	int64_t uid;

	return chat_viewer(r, NULL, &uid, e) && check_message(r, uid, &carrier, e) &&
	       poll_remove_vote(r->db, r->arena, r->ctx->app, r->param[1], r->param[2],
		       &carrier, uid, &vote, e) &&
	       answer_poll(r, r->param[1], uid, &vote, e);
}

static bool
query_votes(struct req *r, struct err *e)
{
	struct chat_people people;
	struct page_links links;
	struct poll_vote *votes;
	struct page_ask ask;
	struct poll p;
	json_t *body;
	size_t n;

	if (!req_body(r, &body, e) || !page_read(body, PAGE_DEFAULT, PAGE_MAX, &ask, e) ||
		!poll_query_votes(r->db, r->arena, r->ctx->app, r->param[0], &ask, &p, &votes,
			&n, &links, e))
		return false;
	chat_people_init(&people, r);
	for (size_t i = 0; i < n; i++)
		poll_wire_note_vote(&people, &p, &votes[i]);
	if (!chat_people_load(&people, r, e))
		return false;
	jw_karr(&r->w, "votes");
	for (size_t i = 0; i < n; i++)
		poll_wire_vote(r, &p, &votes[i], &people);
	jw_end_arr(&r->w);
	wire_links(r, &links);
	return true;
}

#define COMMON (ROUTE_COMMON | ROUTE_CLIENT)
#define CHAT   (ROUTE_CHAT | ROUTE_CLIENT)

static const struct route routes[] = {
	{"POST", "/polls", "CreatePoll", create, COMMON, BODY_SMALL, "create a poll"},
	{"PUT", "/polls", "UpdatePoll", update, COMMON, BODY_SMALL, "replace a poll"},
	{"POST", "/polls/query", "QueryPolls", query, COMMON, BODY_SMALL, "list polls"},
	{"GET", "/polls/{poll_id}", "GetPoll", get, COMMON, BODY_NONE, "get a poll"},
	{"PATCH", "/polls/{poll_id}", "UpdatePollPartial", patch, COMMON, BODY_SMALL,
		"change fields of a poll"},
	{"DELETE", "/polls/{poll_id}", "DeletePoll", remove_poll, COMMON, BODY_NONE,
		"delete a poll"},
	{"POST", "/polls/{poll_id}/options", "CreatePollOption", create_option, COMMON,
		BODY_SMALL, "add an option to a poll"},
	{"PUT", "/polls/{poll_id}/options", "UpdatePollOption", update_option, COMMON,
		BODY_SMALL, "change an option of a poll"},
	{"GET", "/polls/{poll_id}/options/{option_id}", "GetPollOption", get_option, COMMON,
		BODY_NONE, "get an option of a poll"},
	{"DELETE", "/polls/{poll_id}/options/{option_id}", "DeletePollOption", remove_option,
		COMMON, BODY_NONE, "remove an option of a poll with its votes"},
	{"POST", "/polls/{poll_id}/votes", "QueryPollVotes", query_votes, COMMON, BODY_SMALL,
		"list the votes of a poll"},
	{"POST", "/messages/{id}/polls/{poll_id}/vote", "CastPollVote", cast_vote, CHAT,
		BODY_SMALL, "vote in the poll of a message"},
	{"DELETE", "/messages/{id}/polls/{poll_id}/vote/{vote_id}", "DeletePollVote",
		remove_vote, CHAT, BODY_NONE, "take a vote back"},
};

const struct route_group routes_polls = {routes, ARRAY_LEN(routes)};
