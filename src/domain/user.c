/* user – users as they are read: by id, by key, by filter. */
#include "domain/user.h"

#include "base/arena.h"
#include "base/err.h"
#include "domain/filter.h"
#include "store/db.h"

#define LIVE "u.created_at IS NOT NULL AND u.deleted_at IS NULL"

/* Nobody can be banned yet, so the three of moderation are constant. */
static const struct filter_field fields[] = {
	{"id", FILTER_TEXT, OP_SCALAR | OP_NE | OP_NIN | OP_AUTOCOMPLETE, "u.id",
		FILTER_NEVER_NULL},
	{"name", FILTER_TEXT, OP_SCALAR | OP_AUTOCOMPLETE, "u.name", true},
	{"username", FILTER_JSON, OP_EQ | OP_AUTOCOMPLETE, "u.custom", false},
	{"email", FILTER_JSON, OP_EQ | OP_IN, "u.custom", false},
	{"role", FILTER_TEXT, OP_SCALAR, "COALESCE(u.role, 'user')", FILTER_NEVER_NULL},
	{"teams", FILTER_TEXT_LIST, OP_EQ | OP_IN | OP_CONTAINS, "u.teams", false},
	{"team", FILTER_CUSTOM_OR_LIST, OP_CUSTOM, "u.teams", false},
	{"banned", FILTER_BOOL, OP_EQ | OP_NE, "0", false},
	{"shadow_banned", FILTER_BOOL, OP_EQ | OP_NE, "0", false},
	{"bypass_moderation", FILTER_BOOL, OP_EQ | OP_NE, "0", false},
	{"language", FILTER_TEXT, OP_EQ, "COALESCE(u.language, '')", FILTER_NEVER_NULL},
	{"created_at", FILTER_TIME, OP_SCALAR, "u.created_at", FILTER_NEVER_NULL},
	{"updated_at", FILTER_TIME, OP_SCALAR, "u.updated_at", FILTER_NEVER_NULL},
	{"last_active", FILTER_TIME, OP_SCALAR, "u.last_active", true},
};

const struct filter_schema user_filter = {
	.subject = "user",
	.fields = fields,
	.n = ARRAY_LEN(fields),
	.custom = "u.custom",
	.tie = "u.uid",
};

/* ---- where a query begins ------------------------------------------------------------ */

/* Of the conditions on an id those that an index of ids can answer. */
static bool
finds_ids(const json_t *value)
{
	static const char *const finding[] = {"$eq", "$in", "$gt", "$gte", "$lt", "$lte"};

	if (!json_is_object(value))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(finding); i++)
		if (json_object_get(value, finding[i]) != NULL)
			return true;
	return false;
}

/* Whether nobody matches but by an id that the filter names or bounds. */
static bool
requires_id(const json_t *filter, int depth)
{
	const json_t *id = json_object_get(filter, "id"), *part;
	const json_t *all = json_object_get(filter, "$and"),
		     *any = json_object_get(filter, "$or");
	size_t i, n = 0;

	if (depth > FILTER_MAX_DEPTH)
		return false;
	if (id != NULL && finds_ids(id))
		return true;
	json_array_foreach(all, i, part)
	{
		if (requires_id(part, depth + 1))
			return true;
	}
	json_array_foreach(any, i, part) n += requires_id(part, depth + 1);
	return n > 0 && n == json_array_size(any);
}

/* The fields where ids are those of the directory. */
static const struct filter_field *
directory_fields(struct arena *a)
{
	struct filter_field *out = arena_array(a, ARRAY_LEN(fields), sizeof(*out));

	memcpy(out, fields, sizeof(fields));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strcmp(out[i].sql, "u.id") == 0)
			out[i].sql = "i.id";
	return out;
}

struct filter_schema
user_from(struct db *db, struct arena *a, const json_t *filter, enum user_way way,
	struct buf *sql)
{
	struct filter_schema out = user_filter;

	if (way == USERS_BY_UID || (way == USERS_BY_FILTER && !requires_id(filter, 1))) {
		buf_str(sql, STR("users u"));
		return out;
	}
	buf_str(sql, STR("user_ids i"));
	db_probe(db, sql, "users", "u", "u.uid = i.uid");
	out.fields = directory_fields(a);
	return out;
}

/* ---- rows ---------------------------------------------------------------------------- */

static struct str
copy(struct arena *a, struct str s)
{
	return s.p == NULL ? s : arena_dup(a, s);
}

void
user_from_row(struct rows *r, int first_col, struct arena *a, struct user *out)
{
	int c = first_col;

	*out = (struct user){
		.uid = row_int(r, c),
		.id = copy(a, row_str(r, c + 1)),
		.name = copy(a, row_str(r, c + 2)),
		.image = copy(a, row_str(r, c + 3)),
		.role = copy(a, row_str(r, c + 4)),
		.language = copy(a, row_str(r, c + 5)),
		.teams = copy(a, row_str(r, c + 6)),
		.custom = copy(a, row_str(r, c + 7)),
		.extra = copy(a, row_str(r, c + 8)),
		.created_at = row_time(r, c + 9),
		.updated_at = row_time(r, c + 10),
		.last_active = row_time(r, c + 11),
		.deactivated_at = row_time(r, c + 12),
		.deleted_at = row_time(r, c + 13),
		.revoked_before = row_time(r, c + 14),
	};
}

static bool
get_one(struct db *db, struct arena *a, enum sql_id statement, struct val key, struct user *out,
	bool *found, struct err *e)
{
	struct rows rows;

	if (!db_query(db, statement, ARGS(key), NO_BULK, &rows, e))
		return false;
	*found = rows_next(&rows);
	if (*found)
		user_from_row(&rows, 0, a, out);
	return rows_end(&rows, e);
}

bool
user_get(struct db *db, struct arena *a, struct str id, struct user *out, struct err *e)
{
	bool found = false;

	if (!get_one(db, a, SQL_USER_BY_ID, V_TEXT(id), out, &found, e))
		return false;
	if (!found || !user_is_live(out))
		return fail(e, ERR_NOT_FOUND, "user with id %.*s doesn't exist", STR_ARG(id));
	return true;
}

bool
user_by_uid(struct db *db, struct arena *a, int64_t uid, struct user *out, struct err *e)
{
	bool found = false;

	if (!get_one(db, a, SQL_USER_BY_UID, V_INT(uid), out, &found, e))
		return false;
	if (!found)
		return fail(
			e, ERR_NOT_FOUND, "user with key %lld doesn't exist", (long long)uid);
	return true;
}

bool
user_by_uids(struct db *db, struct arena *a, const int64_t *uids, size_t n, struct user **out,
	struct err *e)
{
	struct col col = COL_INTS(uids);
	struct bulk bulk = {&col, 1, n};
	struct user *users = arena_zalloc(a, MAX_OF(n, 1) * sizeof(*users));
	struct rows rows;

	*out = users;
	if (n == 0)
		return true;
	if (!db_query(db, SQL_USER_BY_UIDS, NO_ARGS, &bulk, &rows, e))
		return false;
	while (!arena_overflowed(a) && rows_next(&rows))
		user_from_row(&rows, 0, a, &users[row_int(&rows, USER_COLS)]);
	return rows_end(&rows, e) && arena_check(a, e);
}

bool
user_query_sql(struct db *db, struct arena *a, const struct user_query *q, struct buf *sql,
	struct filter_params *params, struct err *e)
{
	struct filter_sort sorts[FILTER_MAX_SORTS];
	enum user_way way = USERS_BY_FILTER;
	struct filter_schema schema;
	size_t nsorts;

	if (!filter_read_sort(q->sort, &user_filter, sorts, &nsorts, e))
		return false;
	if (nsorts > 0 && strcmp(sorts[0].field->name, "id") == 0)
		way = USERS_BY_ID;
	buf_str(sql, STR("SELECT " USER_SELECT " FROM "));
	schema = user_from(db, a, q->filter, way, sql);
	buf_str(sql, STR(" WHERE " LIVE " AND "));
	if (!q->include_deactivated)
		buf_str(sql, STR("u.deactivated_at IS NULL AND "));
	if (q->without_team)
		buf_str(sql, STR("u.teams IS NULL AND "));
	if (!filter_sql(db, a, q->filter, &schema, sql, params, e) ||
		!filter_read_sort(q->sort, &schema, sorts, &nsorts, e))
		return false;
	buf_str(sql, STR(" ORDER BY "));
	if (nsorts == 0)
		buf_str(sql, STR("u.created_at DESC, u.uid DESC"));
	else
		filter_order(db, sql, params, &schema, sorts, nsorts);
	buf_printf(sql, " LIMIT %lld OFFSET %lld", (long long)q->limit, (long long)q->offset);
	return true;
}

bool
user_query(struct db *db, struct arena *a, const struct user_query *q, struct user **out,
	size_t *n, struct err *e)
{
	struct user *users = arena_array(a, (size_t)q->limit + 1, sizeof(*users));
	struct filter_params params;
	struct buf sql;
	struct rows rows;
	size_t count = 0;

	filter_params_init(&params, a);
	buf_init(&sql, a, 1024);
	if (!user_query_sql(db, a, q, &sql, &params, e) ||
		!db_query_text(db, buf_view(&sql), (struct args){params.v, params.n}, &rows, e))
		return false;
	while (rows_next(&rows) && count < (size_t)q->limit)
		user_from_row(&rows, 0, a, &users[count++]);
	*out = users;
	*n = count;
	return rows_end(&rows, e);
}
