/* users – the endpoints of users: upsert, change, query, import (api.md §6.1). */
#include <stdio.h>

#include "api/auth.h"
#include "api/chat_read.h"
#include "api/req.h"
#include "api/team_rule.h"
#include "api/watching.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/id.h"
#include "domain/app.h"
#include "domain/device.h"
#include "domain/unread.h"
#include "domain/user.h"
#include "store/db.h"

#define QUERY_DEFAULT    30
#define QUERY_MAX        100
#define QUERY_OFFSET_MAX 1000
#define IMPORT_BODY_MAX  (16 * KIB * KIB)
#define IMPORT_LINE_MAX  (64 * KIB)
#define IMPORT_TOLD_MAX  100 /* failed lines listed in the answer */

static bool
nests_custom(const struct req *r)
{
	return r->dialect == DIALECT_V2;
}

/* What full answers show besides the users. */
struct details {
	struct device *devices;
	size_t *first; /* those of users[i] are devices[first[i]] up to devices[first[i + 1]] */
	struct unread *unread; /* unread[i] of users[i] */
};

static bool
load_details(
	struct req *r, const struct user *users, size_t n, struct details *out, struct err *e)
{
	int64_t *all = arena_array(r->arena, n + 1, sizeof(*all));
	int64_t *owners = arena_array(r->arena, n + 1, sizeof(*owners));

	out->unread = arena_array(r->arena, n + 1, sizeof(*out->unread));
	/* Where his notifications go is nobody's business but his own and the server's. */
	for (size_t i = 0; i < n; i++) {
		all[i] = users[i].uid;
		owners[i] = r->user_id.p == NULL || str_eq(r->user_id, users[i].id)
				    ? users[i].uid
				    : 0;
	}
	return device_list_many(r->db, r->arena, owners, n, &out->devices, &out->first, e) &&
	       unread_of_users(r->db, r->arena, all, n, out->unread, e);
}

static void
write_full(struct req *r, const struct user *users, size_t i, const struct details *d)
{
	wire_user_full(r, &users[i], d->devices + d->first[i], d->first[i + 1] - d->first[i],
		&d->unread[i]);
}

static bool
answer_users(struct req *r, const struct user *users, size_t n, struct err *e)
{
	struct details details;

	if (!load_details(r, users, n, &details, e))
		return false;
	jw_kobj(&r->w, "users");
	for (size_t i = 0; i < n; i++) {
		jw_key(&r->w, users[i].id);
		write_full(r, users, i, &details);
	}
	jw_end_obj(&r->w);
	jw_kstr(&r->w, "membership_deletion_task_id", STR(""));
	return true;
}

static bool
check_count(const char *key, size_t n, size_t max, struct err *e)
{
	if (n < 1 || n > max)
		return fail(
			e, ERR_INPUT, "%s: expected 1 to %zu elements, got %zu", key, max, n);
	return true;
}

/* ---- upsert ---------------------------------------------------------------------- */

static bool
read_keyed_user(
	struct req *r, const char *key, const json_t *obj, struct user *out, struct err *e)
{
	char where[300];

	snprintf(where, sizeof(where), "users.%s", key);
	if (!json_is_object(obj))
		return fail(e, ERR_INPUT, "%s: expected an object, got %s", where,
			jr_type_name(obj));
	if (!user_read(r->arena, obj, nests_custom(r), out, e))
		return fail_in(e, where);
	if (!str_eq(out->id, str_of(key)))
		return fail(e, ERR_INPUT,
			"%s.id: expected the id it stands under, got \"%.*s\"", where,
			STR_ARG(out->id));
	return true;
}

static bool
upsert(struct req *r, struct err *e)
{
	json_t *body, *users, *value;
	struct user *out;
	const char *key;
	size_t n = 0;

	if (!req_body(r, &body, e) || !jr_obj(body, "users", REQUIRED, &users, e) ||
		!check_count("users", json_object_size(users), USER_UPSERT_MAX, e))
		return false;
	out = arena_array(r->arena, json_object_size(users), sizeof(*out));
	json_object_foreach(users, key, value)
	{
		if (!read_keyed_user(r, key, value, &out[n++], e))
			return false;
	}
	if (!user_upsert(r->db, r->arena, out, n, e))
		return false;
	return answer_users(r, out, n, e);
}

/* ---- partial update -------------------------------------------------------------- */

static bool
read_patch(struct req *r, size_t i, const json_t *obj, struct user_patch *out, struct err *e)
{
	char where[32];

	snprintf(where, sizeof(where), "users[%zu]", i);
	if (!json_is_object(obj))
		return fail(e, ERR_INPUT, "%s: expected an object, got %s", where,
			jr_type_name(obj));
	*out = (struct user_patch){0};
	if (!jr_str(obj, "id", REQUIRED, &out->id, e) ||
		!jr_obj(obj, "set", OPTIONAL, &out->set, e) ||
		!jr_strs(r->arena, obj, "unset", OPTIONAL, SIZE_MAX, &out->unset, &out->nunset,
			e))
		return fail_in(e, where);
	return true;
}

static bool
patch(struct req *r, struct err *e)
{
	json_t *body, *list, *value;
	struct user_patch *patches;
	struct user *users;
	size_t i, n;

	if (!req_body(r, &body, e) ||
		!jr_arr(body, "users", REQUIRED, USER_UPSERT_MAX, &list, e) ||
		!check_count("users", json_array_size(list), USER_UPSERT_MAX, e))
		return false;
	n = json_array_size(list);
	patches = arena_array(r->arena, n, sizeof(*patches));
	json_array_foreach(list, i, value)
	{
		if (!read_patch(r, i, value, &patches[i], e))
			return false;
	}
	if (!user_patch(r->db, r->arena, patches, n, nests_custom(r), &users, e))
		return false;
	return answer_users(r, users, n, e);
}

/* ---- query ----------------------------------------------------------------------- */

/* The older way to page, by id_gt and the like, becomes part of the filter. */
static json_t *
with_id_bounds(struct req *r, json_t *payload, json_t *filter)
{
	static const char *const bounds[][2] = {
		{"id_gt", "$gt"}, {"id_gte", "$gte"}, {"id_lt", "$lt"}, {"id_lte", "$lte"}};
	json_t *on_id = jr_own(r->arena, json_object());

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		json_t *v = json_object_get(payload, bounds[i][0]);

		if (v != NULL && !json_is_null(v))
			json_object_set(on_id, bounds[i][1], v);
	}
	if (json_object_size(on_id) == 0)
		return filter;
	return jr_own(r->arena,
		filter == NULL ? json_pack("{s:O}", "id", on_id)
			       : json_pack("{s:[O,{s:O}]}", "$and", filter, "id", on_id));
}

static bool
read_query(
	struct req *r, struct user_query *q, struct watching *w, int64_t *viewer, struct err *e)
{
	struct str text = req_query(r, "payload"), user_id;
	json_t *payload = NULL, *filter = NULL;

	*q = (struct user_query){0};
	if (text.p != NULL && !jr_parse(r->arena, text, &payload, e))
		return fail(e, ERR_INPUT, "payload: %s", e->msg);
	if (payload != NULL && !json_is_object(payload))
		return fail(e, ERR_INPUT, "payload: expected an object, got %s",
			jr_type_name(payload));
	if (!jr_obj(payload, "filter_conditions", OPTIONAL, &filter, e) ||
		!jr_arr(payload, "sort", OPTIONAL, SIZE_MAX, &q->sort, e) ||
		!jr_int(payload, "limit", OPTIONAL, 0, QUERY_MAX, &q->limit, e) ||
		!jr_int(payload, "offset", OPTIONAL, 0, QUERY_OFFSET_MAX, &q->offset, e) ||
		!jr_bool(payload, "include_deactivated_users", OPTIONAL,
			&q->include_deactivated, e) ||
		!jr_str(payload, "user_id", OPTIONAL, &user_id, e) ||
		!watching_read_presence(r, payload, w, e) ||
		(w->presence && !chat_viewer(r, payload, viewer, e)))
		return false;
	if (q->limit == 0)
		q->limit = QUERY_DEFAULT;
	q->filter = with_id_bounds(r, payload, filter);
	return true;
}

static bool
apply_team_rule(struct req *r, struct user_query *q, struct err *e)
{
	json_t *teams = NULL;
	bool applies;

	if (!team_rule(r, &applies, &teams, e))
		return false;
	if (applies && teams != NULL)
		q->filter = team_rule_narrow(r, q->filter, "teams", teams);
	q->without_team = applies && teams == NULL;
	return true;
}

/* Before it is said who of them is online. */
static bool
watch_users(struct req *r, const struct watching *w, int64_t viewer, const struct user *users,
	size_t n, struct err *e)
{
	int64_t *uids = arena_array(r->arena, n + 1, sizeof(*uids));

	for (size_t i = 0; i < n; i++)
		uids[i] = users[i].uid;
	return watching_users(r, w, viewer, uids, n, e);
}

static bool
query(struct req *r, struct err *e)
{
	struct watching watching;
	struct details details;
	struct user_query q;
	struct user *users;
	int64_t viewer = 0;
	size_t n;

	if (!read_query(r, &q, &watching, &viewer, e) || !apply_team_rule(r, &q, e) ||
		!user_query(r->db, r->arena, &q, &users, &n, e) ||
		!watch_users(r, &watching, viewer, users, n, e) ||
		!load_details(r, users, n, &details, e))
		return false;
	jw_karr(&r->w, "users");
	for (size_t i = 0; i < n; i++)
		write_full(r, users, i, &details);
	jw_end_arr(&r->w);
	return true;
}

/* ---- guests ---------------------------------------------------------------------- */

/* Anybody who knows the api_key may become a guest, so nobody may choose whom: the id that he
 * wants stands behind one of ours, which is also why it cannot be a user's to come. */
static bool
name_guest(struct req *r, struct user *u, struct err *e)
{
	char uuid[ID_UUID_LEN];
	struct str id;

	id_uuid4(uuid);
	id = arena_printf(r->arena, "guest-%.*s-%.*s", ID_UUID_LEN, uuid, STR_ARG(u->id));
	if (!id_user_valid(id))
		return fail(e, ERR_INPUT,
			"user.id: too long for a guest, at most %d characters",
			255 - (int)(id.n - u->id.n));
	u->id = id;
	return true;
}

/* The server chooses, but makes no guest of a user. */
static bool
check_guest(struct req *r, const struct user *u, struct err *e)
{
	struct user found;
	struct err why;

	if (!user_get(r->db, r->arena, u->id, &found, &why)) {
		*e = why;
		return why.code == ERR_NOT_FOUND;
	}
	return str_is(found.role, "guest") ||
	       fail(e, ERR_INPUT, "user.id: user \"%.*s\" exists and is no guest",
		       STR_ARG(u->id));
}

/* Tokens have seconds: one of this second counts as older than a revocation in it. */
static int64_t
next_second(void)
{
	return clock_now_us() / 1000000 + 1;
}

static bool
guest(struct req *r, struct err *e)
{
	json_t *body, *obj;
	struct user u;

	if (!req_body(r, &body, e) || !jr_obj(body, "user", REQUIRED, &obj, e))
		return false;
	if (!user_read(r->arena, obj, nests_custom(r), &u, e))
		return fail_in(e, "user");
	u.role = STR("guest");
	if (r->is_anonymous)
		u.teams = u.extra = STR_NONE; /* whose teams: only the server can say */
	if (!(r->is_anonymous ? name_guest(r, &u, e) : check_guest(r, &u, e)) ||
		!user_upsert(r->db, r->arena, &u, 1, e))
		return false;
	jw_name(&r->w, STR("user"));
	wire_user(r, &u);
	jw_kstr(&r->w, "access_token",
		auth_sign(r->arena, r->ctx->app->api_secret, u.id, next_second(), 0));
	return true;
}

/* ---- import ---------------------------------------------------------------------- */

struct bad_line {
	size_t line; /* from 1 */
	struct str reason;
};

struct import {
	struct arena users_arena;
	struct arena line_arena; /* emptied line by line: trees are ten times the text */
	struct user *users;      /* of the slice at hand */
	size_t n, slice;
	size_t nstored;
	struct bad_line bad[IMPORT_TOLD_MAX];
	size_t nbad;
};

static void
finish_import(void *arg)
{
	struct import *im = arg;

	arena_fini(&im->line_arena);
	arena_fini(&im->users_arena);
}

static void
begin_slice(struct import *im)
{
	arena_reset(&im->users_arena);
	im->users = arena_array(&im->users_arena, im->slice, sizeof(*im->users));
	im->n = 0;
}

/* Several transactions instead of a large one: others get their turn in between. */
static bool
store_slice(struct req *r, struct import *im, struct err *e)
{
	struct err why;

	if (!user_upsert(r->db, &im->users_arena, im->users, im->n, &why))
		return fail(e, why.code, "%s (%zu users before were imported)", why.msg,
			im->nstored);
	im->nstored += im->n;
	begin_slice(im);
	return true;
}

static void
import_line(struct req *r, struct import *im, size_t no, struct str line)
{
	struct err why;
	json_t *tree = NULL;
	bool ok;

	if (line.n > IMPORT_LINE_MAX)
		ok = fail(&why, ERR_INPUT, "longer than %zu bytes", IMPORT_LINE_MAX);
	else
		ok = jr_parse(&im->line_arena, line, &tree, &why) &&
		     user_read(
			     &im->users_arena, tree, nests_custom(r), &im->users[im->n], &why);
	arena_reset(&im->line_arena);
	if (ok) {
		im->n++;
		return;
	}
	if (im->nbad < IMPORT_TOLD_MAX)
		im->bad[im->nbad] = (struct bad_line){no, arena_dup(r->arena, str_of(why.msg))};
	im->nbad++;
}

static bool
is_blank(struct str line)
{
	return line.n == 0 || (line.n == 1 && line.p[0] == '\r');
}

static bool
import(struct req *r, struct err *e)
{
	struct import *im = arena_zalloc(r->arena, sizeof(*im));
	struct str text = r->raw_body;
	size_t no = 1;

	arena_init(&im->users_arena, 256 * KIB, SIZE_MAX);
	arena_init(&im->line_arena, 64 * KIB, SIZE_MAX);
	arena_defer(r->arena, finish_import, im);
	im->slice = db_slice_rows(r->db);
	begin_slice(im);
	for (size_t at = 0; at < text.n; no++) {
		size_t end = str_find(text, '\n', at);
		struct str line = str_sub(text, at, end - at);

		if (!is_blank(line))
			import_line(r, im, no, line);
		if (im->n == im->slice && !store_slice(r, im, e))
			return false;
		at = end + 1;
	}
	if (!store_slice(r, im, e))
		return false;
	if (im->nstored + im->nbad == 0)
		return fail(e, ERR_INPUT, "body: expected one JSON object per line, got none");
	jw_ki64(&r->w, "imported", (int64_t)im->nstored);
	jw_karr(&r->w, "failed");
	for (size_t i = 0; i < MIN_OF(im->nbad, IMPORT_TOLD_MAX); i++) {
		jw_obj(&r->w);
		jw_ki64(&r->w, "line", (int64_t)im->bad[i].line);
		jw_kstr(&r->w, "reason", im->bad[i].reason);
		jw_end_obj(&r->w);
	}
	jw_end_arr(&r->w);
	jw_ki64(&r->w, "failed_count", (int64_t)im->nbad);
	return true;
}

static const struct route routes[] = {
	{"POST", "/users", "UpdateUsers", upsert, ROUTE_COMMON, BODY_DEFAULT,
		"create or replace up to 100 users"},
	{"PATCH", "/users", "UpdateUsersPartial", patch, ROUTE_COMMON, BODY_DEFAULT,
		"change some fields of up to 100 users"},
	{"GET", "/users", "QueryUsers", query, ROUTE_COMMON | ROUTE_CLIENT, BODY_NONE,
		"list users by filter"},
	{"POST", "/guest", "CreateGuest", guest, ROUTE_COMMON | ROUTE_ANONYMOUS, BODY_SMALL,
		"create a guest and a token for it"},
	{"POST", "/users/import", "ImportUsers", import, ROUTE_COMMON | ROUTE_RAW_BODY,
		IMPORT_BODY_MAX, "create or replace users, one JSON object per line"},
};

const struct route_group routes_users = {routes, ARRAY_LEN(routes)};
