/* filter – {"age":{"$gte":18}} → checked → SQL text and bound values.
 *
 * Every expression made here is true or false, never NULL, wherever its negation can be
 * asked for: `(x = $1) IS NOT TRUE` instead of `x <> $1`, which is NULL for x NULL. */
#include "domain/filter.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"

#define IN_CHUNK         512 /* values in one IN list */
#define AUTOCOMPLETE_MAX 256 /* bytes */
#define PARAMS_FIRST     16

/* 0001-01-01 to the last microsecond of 9999. */
#define TIME_MIN (-62135596800LL * 1000000)
#define TIME_MAX (253402300800LL * 1000000 - 1)

struct op {
	const char *name;
	enum filter_op bit;
	const char *sql;  /* between a column and a value */
	const char *json; /* for db_json_cmp(); NULL: not for values in JSON */
};

static const struct op ops[] = {
	{"$eq", OP_EQ, "=", "eq"},
	{"$ne", OP_NE, "=", "eq"}, /* negated around */
	{"$gt", OP_GT, ">", "gt"},
	{"$gte", OP_GTE, ">=", "gte"},
	{"$lt", OP_LT, "<", "lt"},
	{"$lte", OP_LTE, "<=", "lte"},
	{"$in", OP_IN, "IN", "in"},
	{"$nin", OP_NIN, "IN", "in"}, /* negated around */
	{"$exists", OP_EXISTS, NULL, "exists"},
	{"$contains", OP_CONTAINS, NULL, "contains"},
	{"$autocomplete", OP_AUTOCOMPLETE, NULL, "autocomplete"},
};

static const struct filter_field custom_sort = {.name = "", .sql = "NULL", .sortable = true};

/* What one compilation carries around. */
struct compiler {
	struct db *db;
	struct arena *arena;
	const struct filter_schema *schema;
	struct buf *sql;
	struct filter_params *params;
	size_t nodes;
	struct err *e;
};

/* One condition: field, operator, value. */
struct cond {
	const char *name; /* as the client wrote it */
	const struct filter_field *field;
	const struct op *op;
	const json_t *value;
};

/* ---- parameters ------------------------------------------------------------------ */

static int
bind(struct compiler *c, struct val v)
{
	return filter_param(c->params, v);
}

/* ---- values ---------------------------------------------------------------------- */

static bool
fail_type(struct compiler *c, const struct cond *k, const char *want, const json_t *got)
{
	return fail(c->e, ERR_INPUT, "filter: %s.%s: expected %s, got %s", k->name, k->op->name,
		want, jr_type_name(got));
}

static bool
read_text(struct compiler *c, const struct cond *k, const json_t *v, struct val *out)
{
	if (!json_is_string(v))
		return fail_type(c, k, "a string", v);
	*out = V_TEXT(jr_text(v));
	return true;
}

static bool
read_time(struct compiler *c, const struct cond *k, const json_t *v, struct val *out)
{
	int64_t us;

	if (json_is_integer(v)) {
		int64_t ns = json_integer_value(v);

		us = ns / 1000 - (ns % 1000 < 0);
	} else if (!json_is_string(v)) {
		return fail_type(c, k, "a time", v);
	} else if (!clock_from_rfc3339(jr_text(v), &us)) {
		return fail(c->e, ERR_INPUT, "filter: %s.%s: not an RFC 3339 time: %.64s",
			k->name, k->op->name, json_string_value(v));
	}
	if (us < TIME_MIN || us > TIME_MAX)
		return fail(c->e, ERR_INPUT, "filter: %s.%s: outside of the years 1 to 9999",
			k->name, k->op->name);
	*out = V_INT(us);
	return true;
}

static bool
read_int(struct compiler *c, const struct cond *k, const json_t *v, struct val *out)
{
	if (json_is_integer(v))
		*out = V_INT(json_integer_value(v));
	else if (json_is_real(v))
		*out = V_REAL(json_real_value(v));
	else
		return fail_type(c, k, "a number", v);
	return true;
}

static bool
read_bool(struct compiler *c, const struct cond *k, const json_t *v, struct val *out)
{
	if (!json_is_boolean(v))
		return fail_type(c, k, "a boolean", v);
	*out = V_INT(json_is_true(v));
	return true;
}

static bool
read_scalar(struct compiler *c, const struct cond *k, const json_t *v, struct val *out)
{
	switch (k->field->type) {
	case FILTER_TIME:
		return read_time(c, k, v, out);
	case FILTER_INT:
		return read_int(c, k, v, out);
	case FILTER_BOOL:
		return read_bool(c, k, v, out);
	default:
		return read_text(c, k, v, out);
	}
}

static bool
check_list(struct compiler *c, const struct cond *k, const json_t *v)
{
	if (!json_is_array(v))
		return fail_type(c, k, "an array", v);
	if (json_array_size(v) > FILTER_MAX_IN)
		return fail(c->e, ERR_INPUT, "filter: %s.%s: more than %d values", k->name,
			k->op->name, FILTER_MAX_IN);
	return true;
}

/* ---- conditions on columns ------------------------------------------------------- */

/* "($3, $4)" with the elements of ${list} from ${from} on; it has at least one there. */
static bool
append_list(struct compiler *c, const struct cond *k, const json_t *list, size_t from, size_t n)
{
	for (size_t i = from; i < from + n; i++) {
		struct val v;

		if (!read_scalar(c, k, json_array_get(list, i), &v))
			return false;
		buf_printf(c->sql, "%s$%d", i == from ? "(" : ", ", bind(c, v));
	}
	buf_char(c->sql, ')');
	return true;
}

static bool
append_in(struct compiler *c, const struct cond *k)
{
	size_t n;

	if (!check_list(c, k, k->value))
		return false;
	n = json_array_size(k->value);
	buf_str(c->sql, n == 0 ? STR("(1=0") : STR("("));
	for (size_t from = 0; from < n; from += IN_CHUNK) {
		buf_printf(c->sql, "%s%s IN ", from == 0 ? "" : " OR ", k->field->sql);
		if (!append_list(c, k, k->value, from, MIN_OF(n - from, (size_t)IN_CHUNK)))
			return false;
	}
	buf_char(c->sql, ')');
	return true;
}

static bool
append_exists(struct compiler *c, const struct cond *k)
{
	if (!json_is_boolean(k->value))
		return fail_type(c, k, "a boolean", k->value);
	buf_printf(c->sql, "%s IS %sNULL", k->field->sql, json_is_true(k->value) ? "NOT " : "");
	return true;
}

static bool
check_autocomplete(struct compiler *c, const struct cond *k)
{
	if (!json_is_string(k->value))
		return fail_type(c, k, "a string", k->value);
	if (json_string_length(k->value) > 0 &&
		json_string_length(k->value) <= AUTOCOMPLETE_MAX)
		return true;
	return fail(c->e, ERR_INPUT, "filter: %s.%s: expected 1 to %d bytes of text", k->name,
		k->op->name, AUTOCOMPLETE_MAX);
}

static char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* A word starts where a blank is before it, so one blank goes in front of the text. */
static bool
append_autocomplete(struct compiler *c, const struct cond *k)
{
	struct buf pattern;
	struct str text;

	if (!check_autocomplete(c, k))
		return false;
	text = jr_text(k->value);
	buf_init(&pattern, c->arena, 2 * text.n + 3);
	buf_str(&pattern, STR("% "));
	for (size_t i = 0; i < text.n; i++) {
		if (strchr("%_\\", text.p[i]) != NULL)
			buf_char(&pattern, '\\');
		buf_char(&pattern, ascii_lower(text.p[i]));
	}
	buf_char(&pattern, '%');
	/* lower() knows ASCII only: in SQLite, and under the "C" collation of our columns. */
	buf_printf(c->sql, "lower(' ' || %s) LIKE $%d ESCAPE '\\'", k->field->sql,
		bind(c, V_TEXT(buf_view(&pattern))));
	return true;
}

static bool
append_compare(struct compiler *c, const struct cond *k)
{
	struct val v;

	if (json_is_null(k->value) && (k->op->bit & (OP_EQ | OP_NE)) != 0) {
		buf_printf(c->sql, "%s IS NULL", k->field->sql);
		return true;
	}
	if (!read_scalar(c, k, k->value, &v))
		return false;
	buf_printf(c->sql, "%s %s $%d", k->field->sql, k->op->sql, bind(c, v));
	return true;
}

static bool
append_scalar(struct compiler *c, const struct cond *k)
{
	switch (k->op->bit) {
	case OP_EXISTS:
		return append_exists(c, k);
	case OP_IN:
	case OP_NIN:
		return append_in(c, k);
	case OP_AUTOCOMPLETE:
		return append_autocomplete(c, k);
	case OP_CONTAINS:
		return fail(
			c->e, ERR_INPUT, "filter: %s: %s is for lists", k->name, k->op->name);
	default:
		return append_compare(c, k);
	}
}

/* "EXISTS (… IN %s)" with the values in the place of %s. */
static bool
append_link(struct compiler *c, const struct cond *k)
{
	const char *place = strstr(k->field->sql, "%s");
	const json_t *list = k->value;
	json_t *one = NULL;
	bool ok;

	assert(place != NULL);
	if (k->op->bit != OP_IN && k->op->bit != OP_NIN) {
		one = json_pack("[O]", k->value);
		list = one;
	}
	ok = check_list(c, k, list);
	if (ok && json_array_size(list) == 0) {
		buf_str(c->sql, STR("1=0"));
	} else if (ok) {
		buf_add(c->sql, k->field->sql, (size_t)(place - k->field->sql));
		ok = append_list(c, k, list, 0, json_array_size(list));
		buf_str(c->sql, str_of(place + 2));
	}
	json_decref(one);
	return ok;
}

/* ---- conditions on values inside JSON -------------------------------------------- */

static bool
is_json_scalar(const json_t *v)
{
	return json_is_string(v) || json_is_number(v) || json_is_boolean(v);
}

static bool
check_json_value(struct compiler *c, const struct cond *k)
{
	const json_t *element;
	size_t i;

	switch (k->op->bit) {
	case OP_EXISTS:
		return json_is_boolean(k->value) || fail_type(c, k, "a boolean", k->value);
	case OP_AUTOCOMPLETE:
		return check_autocomplete(c, k);
	case OP_GT:
	case OP_GTE:
	case OP_LT:
	case OP_LTE:
		return json_is_string(k->value) || json_is_number(k->value) ||
		       fail_type(c, k, "a string or a number", k->value);
	case OP_CONTAINS:
		return is_json_scalar(k->value) ||
		       fail_type(c, k, "a string, a number or a boolean", k->value);
	case OP_IN:
	case OP_NIN:
		if (!check_list(c, k, k->value))
			return false;
		json_array_foreach(
			k->value, i, element) if (!is_json_scalar(element)) return fail_type(c,
			k, "strings, numbers or booleans", element);
		return true;
	default:
		return true;
	}
}

static void
append_json(struct compiler *c, const char *column, const char *op, struct str path,
	const json_t *value)
{
	struct json_test t = {
		.column = column, .op = op, .path = path, .value = jr_dump(c->arena, value)};

	t.path_param = bind(c, V_TEXT(path));
	t.value_param = bind(c, V_TEXT(t.value));
	db_json_cmp(c->db, c->sql, &t);
}

static bool
append_custom(struct compiler *c, const struct cond *k, const char *column)
{
	if (!check_json_value(c, k))
		return false;
	append_json(c, column, k->op->json, str_of(k->name), k->value);
	return true;
}

/* No list at all and an empty one are the same to the client. */
static bool
append_whole_list(struct compiler *c, const struct cond *k)
{
	json_t *empty;

	if (!json_is_array(k->value) && !json_is_null(k->value))
		return fail_type(c, k, "an array", k->value);
	if (json_array_size(k->value) > 0) {
		append_json(c, k->field->sql, "eq", STR(""), k->value);
		return true;
	}
	empty = json_array();
	buf_printf(c->sql, "(%s IS NULL OR ", k->field->sql);
	append_json(c, k->field->sql, "eq", STR(""), empty);
	buf_char(c->sql, ')');
	json_decref(empty);
	return true;
}

/* ${op}: "contains" for one value, "any" for an array of them. */
static bool
append_in_list(struct compiler *c, const struct cond *k, const char *op)
{
	if (!check_json_value(c, k))
		return false;
	append_json(c, k->field->sql, op, STR(""), k->value);
	return true;
}

static bool
append_text_list(struct compiler *c, const struct cond *k)
{
	switch (k->op->bit) {
	case OP_EXISTS:
		return append_exists(c, k);
	case OP_EQ:
	case OP_NE:
		return append_whole_list(c, k);
	case OP_IN:
	case OP_NIN:
		return append_in_list(c, k, "any");
	case OP_CONTAINS:
		return append_in_list(c, k, "contains");
	default:
		return fail(c->e, ERR_INPUT, "filter: %s: %s is not for lists", k->name,
			k->op->name);
	}
}

static bool
append_custom_or_list(struct compiler *c, const struct cond *k)
{
	bool is_list = (k->op->bit & (OP_IN | OP_NIN)) != 0;
	bool is_one =
		(k->op->bit & (OP_EQ | OP_NE | OP_CONTAINS)) != 0 && is_json_scalar(k->value);

	if (!is_list && !is_one)
		return append_custom(c, k, c->schema->custom);
	buf_char(c->sql, '(');
	if (!append_custom(c, k, c->schema->custom))
		return false;
	buf_str(c->sql, STR(" OR "));
	if (!append_in_list(c, k, is_list ? "any" : "contains"))
		return false;
	buf_char(c->sql, ')');
	return true;
}

/* ---- fields ---------------------------------------------------------------------- */

static bool
append_cond(struct compiler *c, const struct cond *k)
{
	switch (k->field->type) {
	case FILTER_TEXT_LIST:
		return append_text_list(c, k);
	case FILTER_LINK:
		return append_link(c, k);
	case FILTER_JSON:
		return append_custom(c, k, k->field->sql);
	case FILTER_CUSTOM_OR_LIST:
		return append_custom_or_list(c, k);
	default:
		return append_scalar(c, k);
	}
}

static bool
append_checked_cond(struct compiler *c, struct cond *k, const char *op_name)
{
	bool negated;

	k->op = NULL;
	for (size_t i = 0; i < ARRAY_LEN(ops) && k->op == NULL; i++)
		if (strcmp(ops[i].name, op_name) == 0)
			k->op = &ops[i];
	if (k->op == NULL)
		return fail(c->e, ERR_INPUT, "filter: %.64s: unknown operator %.64s", k->name,
			op_name);
	if ((k->field->ops & k->op->bit) == 0)
		return fail(c->e, ERR_INPUT, "filter: %.64s does not take the operator %s",
			k->name, k->op->name);
	if (++c->nodes > FILTER_MAX_NODES)
		return fail(
			c->e, ERR_INPUT, "filter: more than %d conditions", FILTER_MAX_NODES);
	negated = (k->op->bit & (OP_NE | OP_NIN)) != 0;
	if (negated)
		buf_char(c->sql, '(');
	if (!append_cond(c, k))
		return false;
	if (negated)
		buf_str(c->sql, STR(") IS NOT TRUE"));
	return true;
}

static bool
append_field(struct compiler *c, const char *name, const json_t *value)
{
	struct filter_field custom = {
		.name = name, .type = FILTER_JSON, .ops = OP_CUSTOM, .sql = c->schema->custom};
	struct cond k = {.name = name, .value = value};
	const char *op, *and = "";
	json_t *operand;

	for (size_t i = 0; i < c->schema->n && k.field == NULL; i++)
		if (strcmp(c->schema->fields[i].name, name) == 0)
			k.field = &c->schema->fields[i];
	if (k.field == NULL) {
		if (c->schema->custom == NULL || name[0] == '\0')
			return fail(c->e, ERR_INPUT, "filter: unknown field \"%.64s\" of %s",
				name, c->schema->subject);
		if (strlen(name) > FILTER_MAX_NAME)
			return fail(c->e, ERR_INPUT,
				"filter: field %.64s…: longer than %d bytes", name,
				FILTER_MAX_NAME);
		k.field = &custom;
	}
	if (!json_is_object(value))
		return append_checked_cond(c, &k, "$eq");
	if (json_object_size(value) == 0)
		return fail(c->e, ERR_INPUT, "filter: %.64s: has no operator", name);
	json_object_foreach((json_t *)value, op, operand)
	{
		buf_str(c->sql, str_of(and));
		and = " AND ";
		k.value = operand;
		if (!append_checked_cond(c, &k, op))
			return false;
	}
	return true;
}

/* ---- combinators ----------------------------------------------------------------- */

static bool append_object(struct compiler *c, const json_t *filter, int depth);

static bool
append_combinator(struct compiler *c, const char *name, const json_t *list, int depth)
{
	bool is_and = strcmp(name, "$and") == 0, is_nor = strcmp(name, "$nor") == 0;
	const json_t *element;
	size_t i;

	if (!is_and && !is_nor && strcmp(name, "$or") != 0)
		return fail(c->e, ERR_INPUT, "filter: unknown operator %.64s", name);
	if (!json_is_array(list) || json_array_size(list) == 0)
		return fail(c->e, ERR_INPUT, "filter: %s: expected a non-empty array, got %s",
			name, json_is_array(list) ? "an empty one" : jr_type_name(list));
	buf_str(c->sql, is_nor ? STR("((") : STR("("));
	json_array_foreach(list, i, element)
	{
		if (!json_is_object(element))
			return fail(c->e, ERR_INPUT,
				"filter: %s[%zu]: expected an object, got %s", name, i,
				jr_type_name(element));
		if (i > 0)
			buf_str(c->sql, is_and ? STR(" AND ") : STR(" OR "));
		if (!append_object(c, element, depth + 1))
			return false;
	}
	buf_str(c->sql, is_nor ? STR(") IS NOT TRUE)") : STR(")"));
	return true;
}

/* The members of ${filter} joined by AND, in parentheses when there are many. */
static bool
append_object(struct compiler *c, const json_t *filter, int depth)
{
	bool many = json_object_size(filter) > 1, first = true;
	const char *name;
	json_t *value;

	if (depth > FILTER_MAX_DEPTH)
		return fail(c->e, ERR_INPUT, "filter: nested deeper than %d", FILTER_MAX_DEPTH);
	if (++c->nodes > FILTER_MAX_NODES)
		return fail(
			c->e, ERR_INPUT, "filter: more than %d conditions", FILTER_MAX_NODES);
	if (json_object_size(filter) == 0) {
		buf_str(c->sql, STR("1=1"));
		return true;
	}
	buf_str(c->sql, many ? STR("(") : STR(""));
	json_object_foreach((json_t *)filter, name, value)
	{
		if (!first)
			buf_str(c->sql, STR(" AND "));
		first = false;
		if (name[0] == '$' ? !append_combinator(c, name, value, depth)
				   : !append_field(c, name, value))
			return false;
	}
	buf_str(c->sql, many ? STR(")") : STR(""));
	return true;
}

/* ---- sorts ------------------------------------------------------------------------ */

/* What SQLite and PostgreSQL both read as one plain key. */
static bool
is_custom_sortable(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i], lower = c | 0x20;
		bool alpha = (lower >= 'a' && lower <= 'z') || c == '_';

		if (!alpha && (i == 0 || ((c < '0' || c > '9') && c != '-')))
			return false;
	}
	return name.n > 0 && name.n <= FILTER_MAX_NAME;
}

bool
filter_read_sort_item(
	const json_t *sort, size_t i, struct str *field, int64_t *direction, struct err *e)
{
	const json_t *item = json_array_get(sort, i);
	struct str type;

	if (!json_is_object(item))
		return fail(e, ERR_INPUT, "sort[%zu]: expected an object, got %s", i,
			jr_type_name(item));
	*direction = 1;
	if (!jr_str(item, "field", REQUIRED, field, e) ||
		!jr_int(item, "direction", OPTIONAL, -1, 1, direction, e) ||
		!jr_str(item, "type", OPTIONAL, &type,
			e)) /* the values have types of their own */
		return fail_in(e, "sort");
	if (*direction == 0)
		return fail(e, ERR_INPUT, "sort[%zu].direction: expected 1 or -1, got 0", i);
	return true;
}

static bool
read_sort_key(const json_t *sort, size_t i, const struct filter_schema *schema,
	struct filter_sort *out, struct err *e)
{
	struct str name;
	int64_t direction;

	if (!filter_read_sort_item(sort, i, &name, &direction, e))
		return false;
	*out = (struct filter_sort){.descending = direction < 0};
	for (size_t k = 0; k < schema->n; k++)
		if (str_eq(name, str_of(schema->fields[k].name)))
			out->field = &schema->fields[k];
	if (out->field == NULL && schema->custom != NULL && is_custom_sortable(name)) {
		out->field = &custom_sort;
		out->custom = name;
	}
	if (out->field != NULL && out->field->sortable)
		return true;
	return fail(e, ERR_INPUT, "sort[%zu].field: %ss cannot be sorted by \"%.*s\"", i,
		schema->subject, (int)MIN_OF(name.n, (size_t)64), name.p);
}

/* ---- exported -------------------------------------------------------------------- */

void
filter_params_init(struct filter_params *p, struct arena *arena)
{
	*p = (struct filter_params){.arena = arena};
}

int
filter_param(struct filter_params *p, struct val v)
{
	if (p->n == p->cap) {
		struct val *more;

		p->cap = MAX_OF(2 * p->cap, (size_t)PARAMS_FIRST);
		more = arena_array(p->arena, p->cap, sizeof(*more));
		if (p->n > 0)
			memcpy(more, p->v, p->n * sizeof(*more));
		p->v = more;
	}
	p->v[p->n++] = v;
	return (int)p->n;
}

bool
filter_sql(struct db *db, struct arena *arena, const json_t *filter,
	const struct filter_schema *schema, struct buf *sql, struct filter_params *params,
	struct err *e)
{
	struct compiler c = {.db = db,
		.arena = arena,
		.schema = schema,
		.sql = sql,
		.params = params,
		.e = e};

	if (filter == NULL || json_is_null(filter)) {
		buf_str(sql, STR("1=1"));
		return true;
	}
	if (!json_is_object(filter))
		return fail(e, ERR_INPUT, "filter: expected an object, got %s",
			jr_type_name(filter));
	if (!append_object(&c, filter, 1))
		return false;
	if (params->n > FILTER_MAX_VALUES)
		return fail(e, ERR_INPUT, "filter: more than %d values", FILTER_MAX_VALUES);
	return true;
}

bool
filter_check(struct db *db, struct arena *arena, const json_t *filter,
	const struct filter_schema *schema, struct err *e)
{
	struct arena_mark mark = arena_mark(arena);
	struct filter_params params;
	struct buf sql;
	bool ok;

	filter_params_init(&params, arena);
	buf_init(&sql, arena, 256);
	ok = filter_sql(db, arena, filter, schema, &sql, &params, e);
	arena_rewind(arena, mark);
	return ok;
}

bool
filter_read_sort(const json_t *sort, const struct filter_schema *schema,
	struct filter_sort out[FILTER_MAX_SORTS], size_t *n, struct err *e)
{
	*n = 0;
	if (sort == NULL || json_is_null(sort))
		return true;
	if (!json_is_array(sort))
		return fail(
			e, ERR_INPUT, "sort: expected an array, got %s", jr_type_name(sort));
	if (json_array_size(sort) > FILTER_MAX_SORTS)
		return fail(e, ERR_INPUT, "sort: more than %d fields", FILTER_MAX_SORTS);
	for (size_t i = 0; i < json_array_size(sort); i++)
		if (!read_sort_key(sort, i, schema, &out[i], e))
			return false;
	*n = json_array_size(sort);
	return true;
}

void
filter_order(struct db *db, struct buf *sql, struct filter_params *params,
	const struct filter_schema *schema, const struct filter_sort *sorts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool descending = sorts[i].descending;

		if (sorts[i].custom.p != NULL)
			db_json_order(db, sql, schema->custom,
				filter_param(params, V_TEXT(sorts[i].custom)), descending);
		else
			buf_printf(sql, "%s%s", sorts[i].field->sql,
				descending ? " DESC" : " ASC");
		/* Said only where it matters: PostgreSQL does not find an index by it. */
		if (sorts[i].custom.p == NULL && sorts[i].field->sortable != FILTER_NEVER_NULL)
			buf_str(sql, descending ? STR(" NULLS LAST") : STR(" NULLS FIRST"));
		buf_str(sql, STR(", "));
	}
	buf_str(sql, str_of(schema->tie));
}
