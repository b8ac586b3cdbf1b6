/* segment – making, changing and reading segments, and who is in them. */
#include "domain/segment.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/jr.h"
#include "domain/channel_filter.h"
#include "domain/filter.h"
#include "domain/page.h"
#include "domain/segment_cids.h"
#include "domain/segment_impl.h"
#include "domain/uidset.h"
#include "domain/user.h"
#include "store/db.h"

#define COLUMNS                                                              \
	"s.no, s.id, s.type, s.name, s.description, s.filter, s.all_users, " \
	"s.all_sender_channels, s.size, s.size_due, s.created_at, s.updated_at, s.deleted_at"

/* What a filter, or all_users, can find.  The plus keeps the order of the table. */
#define MEMBERS                                                   \
	"+u.created_at IS NOT NULL AND u.deleted_at IS NULL AND " \
	"u.deactivated_at IS NULL"

static const struct filter_field fields[] = {
	{"id", FILTER_TEXT, OP_SCALAR, "s.id", FILTER_NEVER_NULL},
	{"name", FILTER_TEXT, OP_SCALAR, "s.name", FILTER_NEVER_NULL},
	{"type", FILTER_TEXT, OP_EQ | OP_EXISTS | OP_IN, "s.type", FILTER_NEVER_NULL},
	{"all_users", FILTER_BOOL, OP_SCALAR, "s.all_users", FILTER_NEVER_NULL},
	{"created_at", FILTER_TIME, OP_SCALAR, "s.created_at", FILTER_NEVER_NULL},
	{"updated_at", FILTER_TIME, OP_SCALAR, "s.updated_at", FILTER_NEVER_NULL},
};

static const struct filter_schema schema = {
	.subject = "segment",
	.fields = fields,
	.n = ARRAY_LEN(fields),
	.tie = "s.id",
};

static void
from_row(struct rows *r, struct arena *a, struct segment *out)
{
	*out = (struct segment){
		.no = row_int(r, 0),
		.id = arena_dup(a, row_str(r, 1)),
		.type = arena_dup(a, row_str(r, 2)),
		.name = arena_dup(a, row_str(r, 3)),
		.description = arena_dup(a, row_str(r, 4)),
		.filter = row_null(r, 5) ? STR_NONE : arena_dup(a, row_str(r, 5)),
		.all_users = row_int(r, 6) != 0,
		.all_sender_channels = row_int(r, 7) != 0,
		.size = row_int(r, 8),
		.size_due = row_int(r, 9) != 0,
		.created_at = row_time(r, 10),
		.updated_at = row_time(r, 11),
		.deleted_at = row_time(r, 12),
	};
}

static bool
get_one(struct db *db, struct arena *a, enum sql_id statement, struct val key,
	struct segment *out, bool *found, struct err *e)
{
	struct rows rows;

	if (!db_query(db, statement, ARGS(key), NO_BULK, &rows, e))
		return false;
	*found = rows_next(&rows);
	if (*found)
		from_row(&rows, a, out);
	return rows_end(&rows, e);
}

bool
segment_get(struct db *db, struct arena *a, struct str id, struct segment *out, struct err *e)
{
	bool found = false;

	if (!get_one(db, a, SQL_SEGMENT_BY_ID, V_TEXT(id), out, &found, e))
		return false;
	if (!found)
		return fail(
			e, ERR_NOT_FOUND, "segment with id %.*s doesn't exist", STR_ARG(id));
	return true;
}

bool
segment_by_ids(struct db *db, struct arena *a, const struct str *ids, size_t n,
	struct segment *out, struct err *e)
{
	struct col cols[] = {COL_TEXTS(ids)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;

	for (size_t i = 0; i < n; i++)
		out[i] = (struct segment){0};
	if (n == 0 || !db_query(db, SQL_SEGMENT_BY_IDS, NO_ARGS, &bulk, &r, e))
		return n == 0;
	while (rows_next(&r))
		from_row(&r, a, &out[row_int(&r, 13)]);
	return rows_end(&r, e);
}

/* ---- rules ----------------------------------------------------------------------- */

static bool
check_lengths(const struct segment_change *c, struct err *e)
{
	if (str_utf8_len(c->id) > SEGMENT_ID_MAX)
		return fail(e, ERR_INPUT, "id: longer than %d characters", SEGMENT_ID_MAX);
	if (str_utf8_len(c->name) > SEGMENT_NAME_MAX)
		return fail(e, ERR_INPUT, "name: longer than %d characters", SEGMENT_NAME_MAX);
	if (str_utf8_len(c->description) > SEGMENT_DESCRIPTION_MAX)
		return fail(e, ERR_INPUT, "description: longer than %d characters",
			SEGMENT_DESCRIPTION_MAX);
	return true;
}

static bool
check_filter(
	struct db *db, struct arena *a, struct str type, const json_t *filter, struct err *e)
{
	struct match *compiled;

	if (filter == NULL)
		return true;
	if (!json_is_object(filter))
		return fail(e, ERR_INPUT, "filter: expected an object, got %s",
			jr_type_name(filter));
	if (json_object_size(filter) == 0)
		return fail(e, ERR_INPUT,
			"filter: expected at least one condition; all_users aims at everybody");
	if (str_is(type, "channel"))
		return match_compile(db, a, filter, &channel_schema, &compiled, e);
	return filter_check(db, a, filter, &user_filter, e);
}

static bool
check_kind(const struct segment_change *c, struct err *e)
{
	struct str shown = str_clip(c->type, 64);
	bool channels = str_is(c->type, "channel");

	if (!channels && !str_is(c->type, "user"))
		return fail(e, ERR_INPUT,
			"type: expected \"user\" or \"channel\", got \"%.*s\"", STR_ARG(shown));
	if ((c->filter != NULL) + c->all_users + c->all_sender_channels > 1)
		return fail(e, ERR_INPUT,
			"filter, all_users, all_sender_channels: at most one of them may be "
			"set");
	if (c->all_users && channels)
		return fail(e, ERR_INPUT, "all_users: only for segments of type \"user\"");
	if (c->all_sender_channels && !channels)
		return fail(e, ERR_INPUT,
			"all_sender_channels: only for segments of type \"channel\"");
	return true;
}

/* ---- create, update, delete ------------------------------------------------------ */

static bool
insert_in(struct db *w, void *arg, struct err *e)
{
	struct segment *s = arg;

	if (!db_take(w, COUNTER_SEGMENT, 1, &s->no, e))
		return false;
	if (db_exec(w, SQL_SEGMENT_INSERT,
		    ARGS(V_INT(s->no), V_TEXT(s->id), V_TEXT(s->type), V_TEXT(s->name),
			    V_TEXT(s->description), V_TEXT(s->filter), V_INT(s->all_users),
			    V_INT(s->all_sender_channels), V_INT(s->size_due),
			    V_TIME(s->created_at)),
		    NO_BULK, NULL, e))
		return true;
	if (e->code == ERR_STALE)
		return fail(e, ERR_INPUT, "id: a segment with id %.*s exists already",
			STR_ARG(s->id));
	return false;
}

static struct str
or_empty(struct str s)
{
	return s.p == NULL ? STR("") : s;
}

bool
segment_create(struct db *db, struct arena *a, const struct segment_change *c,
	struct segment *out, struct err *e)
{
	char uuid[ID_UUID_LEN];
	int64_t now = clock_now_us();

	if (!check_lengths(c, e) || !check_kind(c, e) ||
		!check_filter(db, a, c->type, c->filter, e))
		return false;
	id_uuid4(uuid);
	*out = (struct segment){
		.id = c->id.n > 0 ? c->id : arena_dup(a, (struct str){uuid, sizeof(uuid)}),
		.type = c->type,
		.name = or_empty(c->name),
		.description = or_empty(c->description),
		.filter = c->filter == NULL ? STR_NONE : jr_dump(a, c->filter),
		.all_users = c->all_users,
		.all_sender_channels = c->all_sender_channels,
		.created_at = now,
		.updated_at = now,
		.deleted_at = NO_TIME,
	};
	/* Whose channels they are is known only in a campaign. */
	out->size_due = !segment_is_list(out) && !out->all_sender_channels;
	return db_write(db, insert_in, out, e);
}

struct update {
	struct arena *a;
	struct str id;
	const struct segment_change *change;
	struct segment *out;
};

bool
segment_get_to_change(
	struct db *w, struct arena *a, struct str id, struct segment *out, struct err *e)
{
	int64_t campaign;
	bool is_awaited;

	if (!segment_get(w, a, id, out, e) ||
		!db_get_int(
			w, SQL_SEGMENT_AWAITED, ARGS(V_TEXT(id)), &campaign, &is_awaited, e))
		return false;
	return !is_awaited || fail(e, ERR_TIMEOUT,
				      "segment %.*s is being read by a campaign that has just "
				      "started; try again",
				      STR_ARG(id));
}

/* A list that has targets cannot become a filter: they would be lost without a word. */
static bool
check_refilter(const struct segment *s, struct err *e)
{
	if (s->all_users)
		return fail(e, ERR_INPUT, "filter: segment %.*s is made of all users",
			STR_ARG(s->id));
	if (s->all_sender_channels)
		return fail(e, ERR_INPUT,
			"filter: segment %.*s is made of all channels of the sender",
			STR_ARG(s->id));
	if (segment_is_list(s) && s->size > 0)
		return fail(e, ERR_INPUT, "filter: segment %.*s is a list of %lld targets",
			STR_ARG(s->id), (long long)s->size);
	return true;
}

static bool
update_in(struct db *w, void *arg, struct err *e)
{
	struct update *u = arg;
	const struct segment_change *c = u->change;
	struct segment *s = u->out;

	if (!(c->filter != NULL ? segment_get_to_change : segment_get)(w, u->a, u->id, s, e))
		return false;
	if (c->filter != NULL &&
		(!check_filter(w, u->a, s->type, c->filter, e) || !check_refilter(s, e)))
		return false;
	if (c->name.p != NULL)
		s->name = c->name;
	if (c->description.p != NULL)
		s->description = c->description;
	if (c->filter != NULL) {
		s->filter = jr_dump(u->a, c->filter);
		s->size_due = true;
	}
	s->updated_at = MAX_OF(clock_now_us(), s->updated_at + 1);
	return db_exec(w, SQL_SEGMENT_UPDATE,
		ARGS(V_INT(s->no), V_TEXT(s->name), V_TEXT(s->description), V_TEXT(s->filter),
			V_INT(s->size_due), V_TIME(s->updated_at)),
		NO_BULK, NULL, e);
}

bool
segment_update(struct db *db, struct arena *a, struct str id, const struct segment_change *c,
	struct segment *out, struct err *e)
{
	struct update u = {a, id, c, out};

	return check_lengths(c, e) && db_write(db, update_in, &u, e);
}

static bool
delete_in(struct db *w, void *arg, struct err *e)
{
	struct update *u = arg;
	struct segment s;

	if (!segment_get_to_change(w, u->a, u->id, &s, e) || !uidset_clear(w, s.no, e))
		return false;
	s.size_due = segment_is_of_channels(&s) && segment_is_list(&s);
	return db_exec(w, SQL_SEGMENT_DELETE,
		ARGS(V_INT(s.no), V_TIME(clock_now_us()), V_INT(s.size_due)), NO_BULK, NULL, e);
}

bool
segment_delete(struct db *db, struct arena *a, struct str id, struct err *e)
{
	struct update u = {a, id, NULL, NULL};

	return db_write(db, delete_in, &u, e);
}

/* ---- query ----------------------------------------------------------------------- */

struct collected {
	struct arena *a;
	struct segment *segments;
	size_t n;
};

static bool
collect(void *arg, struct rows *r, struct err *e UNUSED)
{
	struct collected *c = arg;

	from_row(r, c->a, &c->segments[c->n++]);
	return true;
}

bool
segment_query(struct db *db, struct arena *a, const struct app *app, const struct page_ask *ask,
	struct segment **out, size_t *n, struct page_links *links, struct err *e)
{
	static const struct page_list list = {
		.name = "segments",
		.schema = &schema,
		.columns = COLUMNS,
		.from_where = "segments s WHERE s.deleted_at IS NULL",
		.default_field = "created_at",
		.default_descending = true,
	};
	struct collected c = {.a = a};

	c.segments = arena_array(a, (size_t)ask->limit, sizeof(*c.segments));
	if (!page_run(db, a, app, &list, ask, collect, &c, links, e))
		return false;
	*out = c.segments;
	*n = c.n;
	return true;
}

/* ---- members --------------------------------------------------------------------- */

bool
segment_members_sql(struct db *db, struct arena *a, const struct segment *s, enum user_way way,
	struct buf *sql, struct filter_params *params, struct err *e)
{
	struct filter_schema of_users;
	json_t *filter = NULL;

	if (s->filter.p != NULL && !jr_parse(a, s->filter, &filter, e))
		return false;
	of_users = user_from(db, a, filter, way, sql);
	buf_str(sql, STR(" WHERE " MEMBERS " AND "));
	return filter_sql(db, a, filter, &of_users, sql, params, e);
}

static bool
query_members(struct db *db, struct arena *a, const struct segment *s, const char *columns,
	struct rows *rows, struct err *e)
{
	struct filter_params params;
	struct buf sql;

	filter_params_init(&params, a);
	buf_init(&sql, a, 1024);
	buf_printf(&sql, "SELECT %s FROM ", columns);
	return segment_members_sql(db, a, s, USERS_BY_FILTER, &sql, &params, e) &&
	       db_query_text(db, buf_view(&sql), (struct args){params.v, params.n}, rows, e);
}

bool
segment_load(struct db *db, struct arena *a, const struct segment *s, struct bitset *out,
	struct err *e)
{
	struct arena_mark mark = arena_mark(a);
	struct rows rows;
	bool ok;

	if (s->deleted_at != NO_TIME)
		return true;
	if (segment_is_list(s))
		return bitset_load(out, db, s->no, e);
	ok = s->all_users ? db_query(db, SQL_SEGMENT_ALL_USERS, NO_ARGS, NO_BULK, &rows, e)
			  : query_members(db, a, s, "u.uid", &rows, e);
	if (ok) {
		while (rows_next(&rows))
			bitset_add(out, row_int(&rows, 0));
		ok = rows_end(&rows, e);
	}
	arena_rewind(a, mark);
	return ok;
}

bool
segment_size_due(struct db *db, int64_t *no, bool *found, struct err *e)
{
	int64_t now;

	return db_now(db, &now, e) &&
	       db_get_int(db, SQL_SEGMENT_SIZE_DUE, ARGS(V_INT(now)), no, found, e);
}

static bool
store_size_in(struct db *w, void *arg, struct err *e)
{
	const struct segment *s = arg;

	return db_exec(w, SQL_SEGMENT_SET_SIZE,
		ARGS(V_INT(s->no), V_INT(s->size), V_TIME(s->updated_at)), NO_BULK, NULL, e);
}

bool
segment_size_refresh(struct db *db, struct arena *a, int64_t no, struct err *e)
{
	struct segment s;
	struct rows rows;
	bool found = false;

	if (!get_one(db, a, SQL_SEGMENT_BY_NO, V_INT(no), &s, &found, e))
		return false;
	if (!found || !s.size_due)
		return true;
	if (s.deleted_at != NO_TIME)
		return segment_cids_sweep(db, no, e) && db_write(db, store_size_in, &s, e);
	if (segment_is_of_channels(&s))
		return segment_count_channels(db, a, &s, &s.size, e) &&
		       db_write(db, store_size_in, &s, e);
	if (!query_members(db, a, &s, "COUNT(*)", &rows, e))
		return false;
	if (rows_next(&rows))
		s.size = row_int(&rows, 0);
	return rows_end(&rows, e) && db_write(db, store_size_in, &s, e);
}
