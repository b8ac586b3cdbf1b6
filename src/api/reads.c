/* reads – the endpoints of read marks and unread counts (api.md §6.5). */
#include "api/chat_read.h"
#include "api/chat_wire.h"
#include "api/req.h"
#include "api/wire.h"
#include "domain/unread.h"
#include "domain/user.h"

#define DELIVERED_MAX 100
#define USERS_MAX     100
#define LISTED_MAX    100 /* channels of one user in an answer */

static bool
need_viewer(struct req *r, const json_t *body, int64_t *uid, struct err *e)
{
	if (!chat_viewer(r, body, uid, e))
		return false;
	if (*uid == 0)
		return fail(e, ERR_INPUT,
			"user_id: missing; with server side auth it says who read");
	return true;
}

/* The channel of the path, and who reads in it. */
static bool
load(struct req *r, const json_t *body, struct channel *c, int64_t *uid, struct err *e)
{
	return need_viewer(r, body, uid, e) &&
	       channel_get(r->db, r->arena, r->param[0], r->param[1], c, e) &&
	       chat_check_access(r, c, *uid, e);
}

/* ---- mark read -----------------------------------------------------------------------------
 */

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
	jw_name(&r->w, STR("user"));
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
	int64_t uid;
	json_t *body;

	if (!req_body(r, &body, e) || !jr_str(body, "message_id", OPTIONAL, &message_id, e) ||
		!load(r, body, &channel, &uid, e))
		return false;
	if (message_id.n == 0)
		message_id = STR_NONE;
	if (!read_mark(r->db, r->arena, r->ctx->app, &channel, uid, message_id, &state, e) ||
		!user_by_uid(r->db, r->arena, uid, &user, e))
		return false;
	write_read_event(r, &channel, &user, &state);
	return true;
}

/* Marks the channels that the request names, with or without a message. */
static bool
mark_named(struct req *r, json_t *by_channel, int64_t uid, struct err *e)
{
	size_t n = json_object_size(by_channel), i = 0;
	struct channel *channels = arena_array(r->arena, n + 1, sizeof(*channels));
	struct str *ids = arena_array(r->arena, n + 1, sizeof(*ids));
	const char *cid;
	json_t *v;

	if (n > READ_MAX_CHANNELS)
		return fail(e, ERR_INPUT, "read_by_channel: more than %d channels",
			READ_MAX_CHANNELS);
	json_object_foreach(by_channel, cid, v)
	{
		if (!json_is_string(v) && !json_is_null(v))
			return fail(e, ERR_INPUT,
				"read_by_channel.%s: expected a message id, got %s", cid,
				jr_type_name(v));
		if (!chat_get_cid(r, "read_by_channel", str_of(cid), &channels[i], e) ||
			!chat_check_access(r, &channels[i], uid, e))
			return false;
		ids[i] = jr_text(v);
		if (ids[i].n == 0)
			ids[i] = STR_NONE;
		i++;
	}
	return read_mark_many(r->db, r->arena, r->ctx->app, channels, ids, n, uid, e);
}

static bool
mark_many(struct req *r, struct err *e)
{
	json_t *body, *by_channel = NULL;
	int64_t uid;

	if (!req_body(r, &body, e) ||
		!jr_obj(body, "read_by_channel", OPTIONAL, &by_channel, e) ||
		!need_viewer(r, body, &uid, e))
		return false;
	if (json_object_size(by_channel) > 0)
		return mark_named(r, by_channel, uid, e);
	return read_mark_all(r->db, r->arena, r->ctx->app, uid, e);
}

static bool
mark_unread(struct req *r, struct err *e)
{
	struct str message_id = STR_NONE;
	struct channel channel;
	int64_t uid, at = NO_TIME;
	json_t *body;

	if (!req_body(r, &body, e) || !jr_str(body, "message_id", OPTIONAL, &message_id, e) ||
		!jr_time(body, "message_timestamp", OPTIONAL, &at, e))
		return false;
	if (message_id.n == 0 && at == NO_TIME)
		return fail(e, ERR_INPUT, "message_id: expected it, or a message_timestamp");
	if (message_id.n == 0)
		message_id = STR_NONE;
	return load(r, body, &channel, &uid, e) &&
	       read_unmark(r->db, r->arena, r->ctx->app, &channel, uid, message_id, at, e);
}

/* ---- delivery ------------------------------------------------------------------------------
 */

struct delivered {
	struct channel *channels;
	int64_t *keys;
	size_t n;
};

/* One {cid, id}.  What was deleted meanwhile is passed over, as are channels that the user is
 * not in: that is no reason to send the others again. */
static bool
read_delivered(struct req *r, const json_t *v, struct delivered *d, struct err *e)
{
	struct channel *c = &d->channels[d->n];
	struct str cid = STR_NONE, id = STR_NONE;
	struct message m;
	size_t colon, i = 0;
	bool found;

	if (!json_is_object(v))
		return fail(e, ERR_INPUT, "latest_delivered_messages: expected objects, got %s",
			jr_type_name(v));
	if (!jr_str(v, "cid", REQUIRED, &cid, e) || !jr_str(v, "id", REQUIRED, &id, e))
		return fail_in(e, "latest_delivered_messages");
	colon = str_find(cid, ':', 0);
	if (colon == cid.n)
		return true;
	if (!channel_find(r->db, r->arena, str_sub(cid, 0, colon),
		    str_sub(cid, colon + 1, cid.n - colon - 1), c, &found, e))
		return false;
	if (!found || c->deleted_at != NO_TIME)
		return true;
	if (!message_find(r->db, r->arena, r->ctx->app, id, &m, &found, e))
		return false;
	if (!found || m.channel != c->no)
		return true;
	while (i < d->n && d->channels[i].no != c->no)
		i++;
	d->keys[i] = m.key;
	d->n += i == d->n;
	return true;
}

static bool
mark_delivered(struct req *r, struct err *e)
{
	struct delivered d = {0};
	json_t *body, *list = NULL;
	int64_t uid;

	if (!req_body(r, &body, e) ||
		!jr_arr(body, "latest_delivered_messages", OPTIONAL, DELIVERED_MAX, &list, e) ||
		!need_viewer(r, body, &uid, e))
		return false;
	d.channels = arena_array(r->arena, json_array_size(list) + 1, sizeof(*d.channels));
	d.keys = arena_array(r->arena, json_array_size(list) + 1, sizeof(*d.keys));
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!read_delivered(r, json_array_get(list, i), &d, e))
			return false;
	return read_deliver(r->db, r->arena, d.channels, d.keys, d.n, uid, e);
}

/* ---- counts --------------------------------------------------------------------------------
 */

/* A sum per name: channel types, teams. */
struct sums {
	struct sum {
		struct str name;
		int64_t channels, messages;
	} * v;
	size_t n;
};

static void
add_sum(struct sums *s, struct str name, int64_t messages)
{
	size_t i = 0;

	while (i < s->n && !str_eq(s->v[i].name, name))
		i++;
	if (i == s->n)
		s->v[s->n++] = (struct sum){.name = name};
	s->v[i].channels++;
	s->v[i].messages += messages;
}

static void
write_types(struct req *r, const struct sums *types)
{
	jw_karr(&r->w, "channel_type");
	for (size_t i = 0; i < types->n; i++) {
		jw_obj(&r->w);
		jw_kstr(&r->w, "channel_type", types->v[i].name);
		jw_ki64(&r->w, "channel_count", types->v[i].channels);
		jw_ki64(&r->w, "unread_count", types->v[i].messages);
		jw_end_obj(&r->w);
	}
	jw_end_arr(&r->w);
}

static void
write_teams(struct req *r, const struct sums *teams)
{
	jw_kobj(&r->w, "total_unread_count_by_team");
	for (size_t i = 0; i < teams->n; i++) {
		jw_key(&r->w, teams->v[i].name);
		jw_i64(&r->w, teams->v[i].messages);
	}
	jw_end_obj(&r->w);
}

/* Members of the object that is open.  ${scratch} is for this user alone. */
static bool
write_counts(struct req *r, struct arena *scratch, const struct unread *u, struct err *e)
{
	int64_t *nos = arena_array(scratch, u->n + 1, sizeof(*nos));
	struct sums types = {arena_array(scratch, u->n + 1, sizeof(*types.v)), 0};
	struct sums teams = {arena_array(scratch, u->n + 1, sizeof(*teams.v)), 0};
	struct channel *channels;
	size_t n;

	for (size_t i = 0; i < u->n; i++)
		nos[i] = u->list[i].no;
	if (!channel_by_nos(r->db, scratch, nos, u->n, &channels, &n, e))
		return false;
	jw_ki64(&r->w, "total_unread_count", u->messages);
	jw_ki64(&r->w, "total_unread_threads_count", 0);
	jw_karr(&r->w, "channels");
	/* In the same order; one that went meanwhile drops out. */
	for (size_t i = 0, k = 0; i < u->n && k < n; i++) {
		const struct unread_channel *c = &u->list[i];

		if (c->no != channels[k].no)
			continue;
		add_sum(&types, channels[k].type, c->count);
		if (channels[k].team.p != NULL)
			add_sum(&teams, channels[k].team, c->count);
		if (k < LISTED_MAX) {
			jw_obj(&r->w);
			jw_kstr(&r->w, "channel_id", channels[k].cid);
			jw_ki64(&r->w, "unread_count", c->count);
			req_ktime(r, "last_read", c->last_read);
			jw_end_obj(&r->w);
		}
		k++;
	}
	jw_end_arr(&r->w);
	write_types(r, &types);
	write_teams(r, &teams);
	jw_karr(&r->w, "threads");
	jw_end_arr(&r->w);
	return arena_check(r->arena, e);
}

static bool
count_one(struct req *r, struct err *e)
{
	struct unread unread;
	int64_t uid;

	return need_viewer(r, NULL, &uid, e) &&
	       unread_of_users(r->db, r->arena, &uid, 1, &unread, e) &&
	       write_counts(r, r->arena, &unread, e);
}

/* Users that are not there have read everything. */
static bool
count_many(struct req *r, struct err *e)
{
	struct unread *unread;
	struct arena scratch;
	struct str *ids;
	int64_t *uids;
	json_t *body;
	bool ok = true;
	size_t n;

	if (!req_body(r, &body, e) ||
		!jr_strs(r->arena, body, "user_ids", REQUIRED, USERS_MAX, &ids, &n, e))
		return false;
	if (n == 0)
		return fail(
			e, ERR_INPUT, "user_ids: expected 1 to %d elements, got 0", USERS_MAX);
	uids = arena_array(r->arena, n, sizeof(*uids));
	unread = arena_array(r->arena, n, sizeof(*unread));
	if (!user_resolve(r->db, r->arena, ids, n, uids, e) ||
		!unread_of_users(r->db, r->arena, uids, n, unread, e))
		return false;
	arena_init(&scratch, 64 * KIB, SIZE_MAX);
	jw_kobj(&r->w, "counts_by_user");
	for (size_t i = 0; i < n && ok; i++) {
		bool again = false;

		for (size_t k = 0; k < i && !again; k++)
			again = str_eq(ids[k], ids[i]);
		if (again)
			continue;
		jw_key(&r->w, ids[i]);
		jw_obj(&r->w);
		ok = write_counts(r, &scratch, &unread[i], e);
		jw_end_obj(&r->w);
		arena_reset(&scratch);
	}
	jw_end_obj(&r->w);
	arena_fini(&scratch);
	return ok;
}

static const struct route routes[] = {
	{"POST", "/channels/{type}/{id}/read", "MarkRead", mark_read, ROUTE_CHAT | ROUTE_CLIENT,
		BODY_NONE, "Marks a channel read"},
	{"POST", "/channels/read", "MarkChannelsRead", mark_many, ROUTE_CHAT | ROUTE_CLIENT,
		BODY_NONE, "Marks some or all channels read"},
	{"POST", "/channels/{type}/{id}/unread", "MarkUnread", mark_unread,
		ROUTE_CHAT | ROUTE_CLIENT, BODY_NONE, "Marks a channel unread from a message"},
	{"POST", "/channels/delivered", "MarkDelivered", mark_delivered,
		ROUTE_CHAT | ROUTE_CLIENT, BODY_SMALL, "Notes messages that reached a device"},
	{"GET", "/unread", "UnreadCounts", count_one, ROUTE_CHAT | ROUTE_CLIENT, BODY_NONE,
		"Counts what a user has not read"},
	{"POST", "/unread_batch", "UnreadCountsBatch", count_many, ROUTE_CHAT, BODY_SMALL,
		"Counts what up to 100 users have not read"},
};

const struct route_group routes_reads = {routes, ARRAY_LEN(routes)};
