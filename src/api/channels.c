/* channels – the endpoints of channels: query, get or create (api.md §6.2). */
#include <string.h>

#include "api/chat_read.h"
#include "api/chat_wire.h"
#include "api/req.h"
#include "api/team_rule.h"
#include "api/watching.h"
#include "base/clock.h"
#include "base/id.h"
#include "domain/channel_edit.h"
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

/* The ways to say where a page of messages lies. */
static const struct place {
	const char *key;
	bool is_time;
	int side;
	bool inclusive;
} places[] = {
	{"id_lt", false, PAGE_BEFORE, false},
	{"id_lte", false, PAGE_BEFORE, true},
	{"id_gt", false, PAGE_AFTER, false},
	{"id_gte", false, PAGE_AFTER, true},
	{"id_around", false, PAGE_AROUND, true},
	{"created_at_before", true, PAGE_BEFORE, false},
	{"created_at_before_or_equal", true, PAGE_BEFORE, true},
	{"created_at_after", true, PAGE_AFTER, false},
	{"created_at_after_or_equal", true, PAGE_AFTER, true},
	{"created_at_around", true, PAGE_AROUND, true},
};

/* The place that ${p} names; at most one of ${places} may be there. */
static bool
take_place(const struct place *p, const struct place **taken, struct message_page *out,
	struct err *e)
{
	if (*taken != NULL)
		return fail(e, ERR_INPUT, "%s: cannot be used together with %s", p->key,
			(*taken)->key);
	*taken = p;
	out->side = p->side;
	out->inclusive = p->inclusive;
	return true;
}

/* {limit, id_lt, …}. */
static bool
read_page(const json_t *obj, struct message_page *out, struct err *e)
{
	const struct place *taken = NULL;

	if (!read_size(obj, "limit", MESSAGES_MAX, MESSAGES_DEFAULT, &out->limit, e))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const struct place *p = &places[i];
		struct str id = STR_NONE;
		int64_t at = NO_TIME;

		if (p->is_time ? !jr_time(obj, p->key, OPTIONAL, &at, e)
			       : !jr_str(obj, p->key, OPTIONAL, &id, e))
			return false;
		if (id.n == 0 && at == NO_TIME)
			continue;
		if (!take_place(p, &taken, out, e))
			return false;
		out->id = id.n > 0 ? id : STR_NONE;
		out->at = at;
	}
	return true;
}

/* messages: {limit, id_lt, …}, members: {limit, offset}. */
static bool
read_limits(const json_t *body, struct chat_limits *out, struct err *e)
{
	json_t *messages = NULL, *members = NULL;
	int64_t offset = 0;

	*out = (struct chat_limits){.messages.limit = MESSAGES_DEFAULT, .members = MEMBERS_MAX};
	if (!jr_obj(body, "messages", OPTIONAL, &messages, e) ||
		!jr_obj(body, "members", OPTIONAL, &members, e))
		return false;
	if (messages != NULL && !read_page(messages, &out->messages, e))
		return fail_in(e, "messages");
	if (members != NULL &&
		(!read_size(members, "limit", MEMBERS_MAX, MEMBERS_MAX, &out->members, e) ||
			!jr_int(members, "offset", OPTIONAL, 0, INT32_MAX, &offset, e)))
		return fail_in(e, "members");
	out->members_offset = (size_t)offset;
	return true;
}

/* The same as messages_limit, messages_id_lt, …, members_limit in the query. */
static bool
read_query_limits(const struct req *r, struct chat_limits *out, struct err *e)
{
	const struct place *taken = NULL;
	int64_t messages = 0, members = 0;

	*out = (struct chat_limits){0};
	if (!req_query_int(r, "messages_limit", 0, MESSAGES_MAX, &messages, e) ||
		!req_query_int(r, "members_limit", 0, MEMBERS_MAX, &members, e))
		return false;
	out->messages.limit = (size_t)(messages == 0 ? MESSAGES_DEFAULT : messages);
	out->members = (size_t)(members == 0 ? MEMBERS_MAX : members);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct str name = arena_printf(r->arena, "messages_%s", places[i].key);
		struct str id = places[i].is_time ? STR_NONE : req_query(r, name.p);

		if (id.p == NULL)
			continue;
		if (!take_place(&places[i], &taken, &out->messages, e))
			return fail(e, e->code, "messages_%s", e->msg);
		out->messages.id = id;
	}
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
watch_hits(struct req *r, const struct watching *w, int64_t viewer,
	const struct channel_hit *hits, size_t n, struct err *e)
{
	int64_t *nos = arena_array(r->arena, n + 1, sizeof(*nos));

	for (size_t i = 0; i < n; i++)
		nos[i] = hits[i].channel.no;
	return watching_begin(r, w, viewer, nos, n, e);
}

/* The members that it is shown. */
static bool
watch_members(struct req *r, const struct watching *w, int64_t viewer,
	const struct chat_state *states, size_t n, struct err *e)
{
	int64_t *uids;
	size_t nuids = 0;

	if (!w->presence)
		return true;
	for (size_t i = 0; i < n; i++)
		nuids += states[i].nmembers;
	uids = arena_array(r->arena, nuids + 1, sizeof(*uids));
	nuids = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < states[i].nmembers; k++)
			uids[nuids++] = states[i].members[k].uid;
	return watching_users(r, w, viewer, uids, nuids, e);
}

static bool
query(struct req *r, struct err *e)
{
	struct channel_query q;
	struct chat_limits limits;
	struct chat_people people;
	struct chat_state *states;
	struct channel_hit *hits;
	struct watching watching;
	json_t *body;
	size_t n;

	if (!req_body(r, &body, e) || !read_query(r, body, &q, &limits, e) ||
		!watching_read(r, body, &watching, e) || !apply_team_rule(r, &q, e) ||
		!channel_query(r->db, r->arena, &q, &hits, &n, e) ||
		!watch_hits(r, &watching, q.viewer, hits, n, e))
		return false;
	chat_people_init(&people, r);
	states = arena_array(r->arena, n + 1, sizeof(*states));
	for (size_t i = 0; i < n; i++)
		if (!chat_load(r, &hits[i].channel, &limits, q.viewer, &people, &states[i], e))
			return false;
	if (!watch_members(r, &watching, q.viewer, states, n, e) ||
		!chat_people_load(&people, r, e) ||
		!watching_polls(r, &watching, q.viewer, people.polls, people.npolls, e))
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
	struct chat_members members, invites;
	struct str creator; /* n == 0: none is named */
	bool hide_for_creator;
};

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
	json_t *data = NULL, *tags = NULL;

	*out = (struct wanted){.spec.type = r->param[0]};
	if (!jr_obj(body, "data", OPTIONAL, &data, e) ||
		!jr_bool(body, "hide_for_creator", OPTIONAL, &out->hide_for_creator, e))
		return false;
	if (!chat_read_members(r, data, "members", &out->members, e) ||
		!chat_read_members(r, data, "invites", &out->invites, e))
		return fail_in(e, "data");
	if (!read_creator(r, body, data, &out->creator, e))
		return false;
	if (!jr_str_max(data, "team", OPTIONAL, TEAM_MAX, &s->team, e) ||
		!jr_bool(data, "frozen", OPTIONAL, &s->frozen, e) ||
		!jr_bool(data, "disabled", OPTIONAL, &s->disabled, e) ||
		!jr_arr(data, "filter_tags", OPTIONAL, CHANNEL_MAX_TAGS, &tags, e) ||
		(tags != NULL && !channel_check_tags(r->arena, tags, &s->filter_tags, e)))
		return fail_in(e, "data");
	if (s->team.n == 0)
		s->team = STR_NONE;
	return chat_read_channel_custom(r, data, &s->custom, e) || fail_in(e, "data");
}

/* Adds who is invited to the members, unless he is one anyway. */
static void
add_invited(struct req *r, struct wanted *w)
{
	struct chat_members *m = &w->members;
	size_t n = m->n + w->invites.n;
	struct member_spec *all = arena_array(r->arena, n + 1, sizeof(*all));

	if (m->n > 0)
		memcpy(all, m->specs, m->n * sizeof(*all));
	for (size_t i = 0; i < w->invites.n; i++) {
		bool there = false;

		for (size_t k = 0; k < m->n && !there; k++)
			there = all[k].uid == w->invites.specs[i].uid;
		if (there)
			continue;
		all[m->n] = w->invites.specs[i];
		all[m->n++].is_invited = true;
	}
	m->specs = all;
}

/* Fills in the uids; every user that is named must exist. */
static bool
resolve(struct req *r, struct wanted *w, struct err *e)
{
	if (!chat_resolve_members(r, "data.members", &w->members, e) ||
		!chat_resolve_members(r, "data.invites", &w->invites, e) ||
		!chat_resolve_users(r, "data.created_by_id", &w->creator, w->creator.n > 0,
			&w->spec.creator, e))
		return false;
	add_invited(r, w);
	for (size_t i = 0; i < w->members.n; i++)
		if (w->hide_for_creator && w->members.specs[i].uid == w->spec.creator)
			w->members.specs[i].hidden_at = clock_now_us();
	w->spec.members = w->members.specs;
	w->spec.nmembers = w->members.n;
	return true;
}

/* Clients that know a distinct channel by its id name it so, with its members: the same as
 * without an id. */
static void
drop_distinct_id(struct req *r, struct wanted *w)
{
	size_t n = w->spec.nmembers;
	int64_t *uids = arena_array(r->arena, n + 1, sizeof(*uids));

	if (w->spec.id.n == 0 || w->spec.id.p[0] != '!' || n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		uids[i] = w->spec.members[i].uid;
	if (str_eq(w->spec.id, channel_distinct_id(r->arena, uids, n)))
		w->spec.id = STR_NONE;
}

static bool
may_create(struct req *r, const struct wanted *w, struct err *e)
{
	bool inside = false;

	if (w->creator.n == 0)
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
	const struct watching *w, int64_t viewer, struct err *e)
{
	struct chat_people people;
	struct chat_state state;

	chat_people_init(&people, r);
	if (!chat_check_access(r, c, viewer, e) ||
		!watching_begin(r, w, viewer, &c->no, 1, e) ||
		!chat_load(r, c, limits, viewer, &people, &state, e) ||
		!watch_members(r, w, viewer, &state, 1, e) ||
		!chat_people_load(&people, r, e) ||
		!watching_polls(r, w, viewer, people.polls, people.npolls, e))
		return false;
	chat_write_state(r, &state, &people);
	return true;
}

static bool
get_or_create(struct req *r, struct str id, struct err *e)
{
	struct watching watching;
	struct chat_limits limits;
	struct channel channel;
	struct wanted w;
	int64_t viewer;
	json_t *body;
	bool found, made;

	if (!req_body(r, &body, e) || !read_wanted(r, body, &w, e) ||
		!read_limits(body, &limits, e) || !watching_read(r, body, &watching, e))
		return false;
	w.spec.id = id;
	if (!channel_check_type(r->db, w.spec.type, e))
		return false;
	if (id.p != NULL && !id_channel_valid(id))
		return fail(e, ERR_INPUT,
			"id: \"%.*s\" is no channel id (1 to 64 of A-Z a-z 0-9 _ -)",
			STR_ARG(id));
	if (id.p == NULL && w.members.n == 0)
		return fail(e, ERR_INPUT,
			"data.members: expected at least one, for a channel without an id");
	if (!chat_viewer(r, body, &viewer, e) || !resolve(r, &w, e))
		return false;
	drop_distinct_id(r, &w);
	if (!find(r, &w, &channel, &found, e))
		return false;
	w.spec.created_at = clock_now_us();
	if (!found || channel.deleted_at != NO_TIME)
		if (!may_create(r, &w, e) ||
			!channel_get_or_create(r->db, r->arena, &w.spec, &channel, &made, e))
			return false;
	return answer_state(r, &channel, &limits, &watching, viewer, e);
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
	const struct watching nobody = {0};
	struct chat_limits limits;
	struct channel channel;
	int64_t viewer;

	if (!read_query_limits(r, &limits, e) || !chat_viewer(r, NULL, &viewer, e) ||
		!channel_get(r->db, r->arena, r->param[0], r->param[1], &channel, e))
		return false;
	return answer_state(r, &channel, &limits, &nobody, viewer, e);
}

static bool
stop_watching(struct req *r, struct err *e)
{
	struct watching watching;
	struct channel channel;
	int64_t viewer;
	json_t *body;

	return req_body(r, &body, e) && watching_read(r, body, &watching, e) &&
	       chat_viewer(r, body, &viewer, e) &&
	       channel_get(r->db, r->arena, r->param[0], r->param[1], &channel, e) &&
	       watching_end(r, &watching, viewer, channel.no, e);
}

static const struct route routes[] = {
	{"POST", "/channels", "QueryChannels", query, ROUTE_CHAT | ROUTE_CLIENT, BODY_SMALL,
		"Lists channels by a filter, with members, messages and read states"},
	{"POST", "/channels/{type}/query", "GetOrCreateChannel", query_distinct,
		ROUTE_CHAT | ROUTE_CLIENT, BODY_SMALL,
		"Finds or creates the channel of exactly these members"},
	{"POST", "/channels/{type}/{id}/query", "GetOrCreateChannel", query_one,
		ROUTE_CHAT | ROUTE_CLIENT, BODY_SMALL, "Finds or creates a channel by its id"},
	{"POST", "/channels/{type}/{id}/stop-watching", "StopWatchingChannel", stop_watching,
		ROUTE_CHAT | ROUTE_CLIENT, BODY_NONE,
		"Ends what a connection hears as a watcher of a channel"},
	{"GET", "/channels/{type}/{id}", "GetChannel", get, ROUTE_CHAT | ROUTE_CLIENT,
		BODY_NONE, "Shows a channel"},
};

const struct route_group routes_channels = {routes, ARRAY_LEN(routes)};
