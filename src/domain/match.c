/* match – filters tested in memory: compiling, comparing, sorting. */
#include "domain/match.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/jscan.h"
#include "domain/user.h"

#define MAX_DEPTH  8
#define MAX_NODES  256
#define MAX_VALUES 1000

static const struct {
	const char *name;
	enum filter_op op;
} ops[] = {
	{"$eq", OP_EQ},
	{"$ne", OP_NE},
	{"$gt", OP_GT},
	{"$gte", OP_GTE},
	{"$lt", OP_LT},
	{"$lte", OP_LTE},
	{"$in", OP_IN},
	{"$nin", OP_NIN},
	{"$exists", OP_EXISTS},
	{"$contains", OP_CONTAINS},
	{"$autocomplete", OP_AUTOCOMPLETE},
	{"$q", OP_AUTOCOMPLETE},
};

struct compiler {
	struct db *db;
	struct arena *arena;
	const struct match_schema *schema;
	size_t nodes;
	struct err *e;
};

/* ---- compiling ----------------------------------------------------------------------- */

static bool
read_time(const json_t *v, int64_t *us)
{
	if (json_is_integer(v)) {
		*us = json_integer_value(v) / 1000;
		return true;
	}
	return json_is_string(v) && clock_from_rfc3339(jr_text(v), us);
}

static bool
read_user(struct compiler *c, const char *name, const json_t *v, struct match_value *out)
{
	struct str id = jr_text(v);

	if (!json_is_string(v))
		return fail(c->e, ERR_INPUT, "filter: %s: expected a user id, got %s", name,
			jr_type_name(v));
	out->type = IS_INT;
	out->i = 0;
	return user_resolve(c->db, c->arena, &id, 1, &out->i, c->e);
}

static struct match_value
read_custom(const json_t *v)
{
	struct match_value out = {.json = v, .s = jr_text(v), .d = json_number_value(v)};

	out.type = json_is_string(v)    ? IS_TEXT
		   : json_is_integer(v) ? IS_INT
		   : json_is_real(v)    ? IS_REAL
		   : json_is_boolean(v) ? IS_BOOL
					: IS_JSON;
	out.i = json_is_integer(v) ? json_integer_value(v) : json_is_true(v);
	return out;
}

static bool
read_value(struct compiler *c, const struct match *n, const char *name, const json_t *v,
	struct match_value *out)
{
	enum match_kind kind = n->op == OP_EXISTS ? MATCH_BOOL : n->at.field->kind;
	const char *expected = NULL;

	*out = (struct match_value){.json = v};
	switch (kind) {
	case MATCH_TEXT:
	case MATCH_TAGS:
		out->type = IS_TEXT;
		out->s = jr_text(v);
		expected = json_is_string(v) ? NULL : "a string";
		break;
	case MATCH_TIME:
		out->type = IS_INT;
		expected = read_time(v, &out->i) ? NULL : "a time";
		break;
	case MATCH_INT:
		out->type = IS_INT;
		out->i = json_integer_value(v);
		expected = json_is_integer(v) ? NULL : "an integer";
		break;
	case MATCH_BOOL:
		out->type = IS_BOOL;
		out->i = json_is_true(v);
		expected = json_is_boolean(v) ? NULL : "a boolean";
		break;
	case MATCH_USERS:
		return read_user(c, name, v, out);
	case MATCH_CUSTOM:
		*out = read_custom(v);
		break;
	}
	if (expected != NULL)
		return fail(c->e, ERR_INPUT, "filter: %s: expected %s, got %s", name, expected,
			jr_type_name(v));
	return true;
}

static bool
is_set_field(const struct match *n)
{
	return n->at.field->kind == MATCH_USERS || n->at.field->kind == MATCH_TAGS;
}

/* Whether the operator takes a list of values. */
static bool
takes_list(const struct match *n, const json_t *v)
{
	return n->op == OP_IN || n->op == OP_NIN || (is_set_field(n) && json_is_array(v));
}

static bool
compile_test(struct compiler *c, const char *name, const struct match_at *at, enum filter_op op,
	const json_t *v, struct match *out)
{
	size_t n;

	*out = (struct match){.kind = MATCH_TEST, .at = *at, .op = op};
	if (++c->nodes > MAX_NODES)
		return fail(c->e, ERR_INPUT, "filter: more than %d conditions", MAX_NODES);
	if (!takes_list(out, v)) {
		if (is_set_field(out))
			out->op = OP_IN; /* "members": "ann" */
		out->values = arena_alloc(c->arena, sizeof(*out->values));
		out->nvalues = 1;
		return read_value(c, out, name, v, out->values);
	}
	n = json_array_size(v);
	if (!json_is_array(v) || n > MAX_VALUES)
		return fail(c->e, ERR_INPUT,
			"filter: %s: expected an array of at most %d values", name, MAX_VALUES);
	out->values = arena_array(c->arena, n + 1, sizeof(*out->values));
	for (size_t i = 0; i < n; i++)
		if (!read_value(
			    c, out, name, json_array_get(v, i), &out->values[out->nvalues++]))
			return false;
	return true;
}

struct match_at
match_find(const struct match_schema *schema, struct str name)
{
	struct match_at out = {.field = schema->custom};

	for (size_t i = 0; i < schema->n; i++)
		if (str_eq(name, str_of(schema->fields[i].name)))
			return (struct match_at){.field = &schema->fields[i]};
	for (size_t at = 0; at <= name.n && out.npath < MATCH_PATH;) {
		size_t end = str_find(name, '.', at);

		out.path[out.npath++] = str_sub(name, at, end - at);
		at = end + 1;
	}
	return out;
}

static bool
find_op(struct compiler *c, const char *name, const struct match_field *field, const char *key,
	enum filter_op *out)
{
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (strcmp(key, ops[i].name) == 0 && (field->ops & ops[i].op) != 0) {
			*out = ops[i].op;
			return true;
		}
	}
	return fail(c->e, ERR_INPUT, "filter: %s: operator %s cannot be used on it", name, key);
}

/* {"field": value} or {"field": {"$op": value, …}}: one test per operator, joined. */
static bool
compile_field(struct compiler *c, const char *name, json_t *v, struct match *out)
{
	struct match_at at = match_find(c->schema, str_of(name));
	const char *first = json_object_iter_key(json_object_iter(v));
	const char *key;
	json_t *operand;

	if (first == NULL || first[0] != '$') {
		enum filter_op eq = OP_EQ;

		return find_op(c, name, at.field, "$eq", &eq) &&
		       compile_test(c, name, &at, eq, v, out);
	}
	*out = (struct match){.kind = MATCH_ALL};
	out->kids = arena_array(c->arena, json_object_size(v), sizeof(*out->kids));
	json_object_foreach(v, key, operand)
	{
		enum filter_op op = OP_EQ;

		if (!find_op(c, name, at.field, key, &op) ||
			!compile_test(c, name, &at, op, operand, &out->kids[out->nkids]))
			return false;
		out->nkids++;
	}
	return true;
}

static bool
compile(struct compiler *c, const json_t *filter, unsigned depth, struct match *out);

static bool
compile_list(struct compiler *c, const char *key, const json_t *list, unsigned depth,
	struct match *out)
{
	*out = (struct match){.kind = MATCH_ALL};
	if (strcmp(key, "$or") == 0)
		out->kind = MATCH_ANY;
	else if (strcmp(key, "$nor") == 0)
		out->kind = MATCH_NONE;
	else if (strcmp(key, "$and") != 0)
		return fail(c->e, ERR_INPUT, "filter: unknown operator %s", key);
	if (!json_is_array(list) || json_array_size(list) == 0 ||
		json_array_size(list) > MAX_NODES)
		return fail(c->e, ERR_INPUT, "filter: %s: expected an array of 1 to %d filters",
			key, MAX_NODES);
	out->kids = arena_array(c->arena, json_array_size(list), sizeof(*out->kids));
	for (size_t i = 0; i < json_array_size(list); i++, out->nkids++)
		if (!compile(c, json_array_get(list, i), depth + 1, &out->kids[i]))
			return false;
	return true;
}

static bool
compile(struct compiler *c, const json_t *filter, unsigned depth, struct match *out)
{
	json_t *object = (json_t *)(uintptr_t)filter, *v;
	const char *key;

	*out = (struct match){.kind = MATCH_ALL};
	if (filter == NULL)
		return true;
	if (!json_is_object(filter))
		return fail(c->e, ERR_INPUT, "filter: expected an object, got %s",
			jr_type_name(filter));
	if (depth > MAX_DEPTH || ++c->nodes > MAX_NODES)
		return fail(c->e, ERR_INPUT,
			"filter: nested deeper than %d, or more than %d parts", MAX_DEPTH,
			MAX_NODES);
	out->kids = arena_array(c->arena, json_object_size(filter) + 1, sizeof(*out->kids));
	json_object_foreach(object, key, v)
	{
		struct match *kid = &out->kids[out->nkids++];

		if (key[0] == '$' ? !compile_list(c, key, v, depth, kid)
				  : !compile_field(c, key, v, kid))
			return false;
	}
	return true;
}

bool
match_compile(struct db *db, struct arena *a, const json_t *filter,
	const struct match_schema *schema, struct match **out, struct err *e)
{
	struct compiler c = {.db = db, .arena = a, .schema = schema, .e = e};

	*out = arena_alloc(a, sizeof(**out));
	return compile(&c, filter, 0, *out);
}

/* ---- for choosing an index --------------------------------------------------------------- */

const struct match *
match_required(const struct match *n, int which)
{
	const struct match *hit = NULL;

	if (n->kind == MATCH_TEST)
		return n->at.field->which == which && (n->op == OP_EQ || n->op == OP_IN) ? n
											 : NULL;
	if (n->kind != MATCH_ALL)
		return NULL;
	for (size_t i = 0; i < n->nkids; i++) {
		const struct match *kid = match_required(&n->kids[i], which);

		/* A whole set narrows more than one of its members. */
		if (kid != NULL && (hit == NULL || kid->op == OP_EQ))
			hit = kid;
	}
	return hit;
}

bool
match_mentions(const struct match *n, int which)
{
	if (n->kind == MATCH_TEST)
		return n->at.field->which == which;
	for (size_t i = 0; i < n->nkids; i++)
		if (match_mentions(&n->kids[i], which))
			return true;
	return false;
}

bool
match_mentions_kind(const struct match *n, enum match_kind kind)
{
	if (n->kind == MATCH_TEST)
		return n->at.field->kind == kind;
	for (size_t i = 0; i < n->nkids; i++)
		if (match_mentions_kind(&n->kids[i], kind))
			return true;
	return false;
}

/* ---- testing --------------------------------------------------------------------------- */

static struct match_value
value_of_json(struct arena *a, struct jscan_value v)
{
	struct match_value out = {.type = MATCH_NOTHING};

	switch (v.type) {
	case JSCAN_NONE:
	case JSCAN_NULL:
		break;
	case JSCAN_STRING:
		out.type = IS_TEXT;
		out.s = jscan_text(a, v);
		break;
	case JSCAN_NUMBER:
		out.type = str_to_i64(v.raw, &out.i) ? IS_INT : IS_REAL;
		out.d = jscan_number(v.raw);
		break;
	case JSCAN_TRUE:
	case JSCAN_FALSE:
		out.type = IS_BOOL;
		out.i = v.type == JSCAN_TRUE;
		break;
	default:
		out.type = IS_JSON;
		out.s = v.raw;
		break;
	}
	return out;
}

struct match_value
match_custom(struct arena *a, struct str custom, const struct match_at *at)
{
	if (custom.p == NULL)
		return (struct match_value){.type = MATCH_NOTHING};
	return value_of_json(a, jscan_path(custom, at->path, at->npath));
}

static bool
is_number(const struct match_value *v)
{
	return v->type == IS_INT || v->type == IS_REAL;
}

/* False when the two cannot be compared. */
static bool
compare(const struct match_value *a, const struct match_value *b, int *order)
{
	if (a->type == IS_TEXT && b->type == IS_TEXT) {
		*order = str_cmp(a->s, b->s);
		return true;
	}
	if (a->type == b->type && (a->type == IS_INT || a->type == IS_BOOL)) {
		*order = (a->i > b->i) - (a->i < b->i);
		return true;
	}
	if (is_number(a) && is_number(b)) {
		*order = (a->d > b->d) - (a->d < b->d);
		return true;
	}
	return false;
}

static bool
equals(struct arena *arena, const struct match_value *has, const struct match_value *want)
{
	json_t *tree;
	struct err ignored;
	int order;

	if (has->type == IS_JSON && want->type == IS_JSON)
		return jr_parse(arena, has->s, &tree, &ignored) && tree != NULL &&
		       json_equal(tree, want->json);
	return compare(has, want, &order) && order == 0;
}

/* Whether a word of ${text} begins with ${start}; ASCII case does not matter. */
static bool
has_word(struct str text, struct str start)
{
	for (size_t i = 0; start.n <= text.n && i <= text.n - start.n; i++) {
		if ((i == 0 || text.p[i - 1] == ' ') &&
			str_ieq(str_sub(text, i, start.n), start))
			return true;
	}
	return false;
}

static bool
contains(struct arena *arena, const struct match_value *has, const struct match_value *want)
{
	struct jscan_value item;

	if (has->type == IS_TEXT && want->type == IS_TEXT)
		return memmem(has->s.p, has->s.n, want->s.p, want->s.n) != NULL;
	if (has->type != IS_JSON || has->s.p[0] != '[')
		return false;
	for (size_t at = 0; jscan_next(has->s, &at, &item);) {
		struct match_value v = value_of_json(arena, item);

		if (equals(arena, &v, want))
			return true;
	}
	return false;
}

bool
match_value_meets(struct arena *arena, const struct match *n, const struct match_value *has)
{
	const struct match_value *want = n->values;
	int order = 0;
	bool comparable, any = false;

	switch (n->op) {
	case OP_EXISTS:
		return (has->type != MATCH_NOTHING) == (want->i != 0);
	case OP_IN:
	case OP_NIN:
		for (size_t i = 0; i < n->nvalues && !any; i++)
			any = equals(arena, has, &want[i]);
		return any == (n->op == OP_IN);
	case OP_EQ:
		return equals(arena, has, want);
	case OP_NE:
		return !equals(arena, has, want);
	case OP_CONTAINS:
		return contains(arena, has, want);
	case OP_AUTOCOMPLETE:
		return has->type == IS_TEXT && want->type == IS_TEXT &&
		       has_word(has->s, want->s);
	default:
		break;
	}
	comparable = compare(has, want, &order);
	return comparable &&
	       ((n->op == OP_GT && order > 0) || (n->op == OP_GTE && order >= 0) ||
		       (n->op == OP_LT && order < 0) || (n->op == OP_LTE && order <= 0));
}

bool
match_tags_meet(struct arena *a, const struct match *n, struct str tags)
{
	const struct match_value has = {.type = IS_JSON, .s = tags.p ? tags : STR("[]")};
	struct jscan_value item;
	size_t wanted = 0, there = 0;

	for (size_t i = 0; i < n->nvalues; i++)
		wanted += contains(a, &has, &n->values[i]);
	if (n->op == OP_IN)
		return wanted > 0;
	for (size_t at = 0; jscan_next(has.s, &at, &item);)
		there++;
	return wanted == n->nvalues && there == wanted;
}

/* Depth is bounded by compile(). */
bool
match_test(
	const struct match *n, match_leaf_fn leaf, const void *thing, bool *out, struct err *e)
{
	if (n->kind == MATCH_TEST)
		return leaf(n, thing, out, e);
	for (size_t i = 0; i < n->nkids; i++) {
		bool kid;

		if (!match_test(&n->kids[i], leaf, thing, &kid, e))
			return false;
		if (kid != (n->kind == MATCH_ALL)) {
			*out = n->kind == MATCH_ANY;
			return true;
		}
	}
	*out = n->kind != MATCH_ANY;
	return true;
}

/* ---- sorting --------------------------------------------------------------------------- */

bool
match_read_order(const json_t *sort, const struct match_schema *schema, const char *subject,
	size_t max, struct match_order *out, struct err *e)
{
	size_t n = json_array_size(sort);

	*out = (struct match_order){0};
	if (n > max)
		return fail(e, ERR_INPUT, "sort must contain at maximum %zu item%s", max,
			max == 1 ? "" : "s");
	for (size_t i = 0; i < n; i++) {
		struct str name;
		int64_t direction;

		if (!filter_read_sort_item(sort, i, &name, &direction, e))
			return false;
		out->at[i] = match_find(schema, name);
		out->descending[i] = direction < 0;
		if (!out->at[i].field->sortable)
			return fail(e, ERR_INPUT, "sort: %s cannot be sorted by \"%.*s\"",
				subject, STR_ARG(name));
		out->n++;
	}
	return true;
}

bool
match_order_mentions(const struct match_order *o, int which)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->at[i].field->which == which)
			return true;
	return false;
}

struct match_key
match_key_of(const struct match_value *has)
{
	struct match_key out = {.type = KEY_NONE};

	switch (has->type) {
	case MATCH_NOTHING:
		break;
	case IS_BOOL:
	case IS_INT:
	case IS_REAL:
		out.type = has->type == IS_BOOL ? KEY_BOOL : KEY_NUMBER;
		out.d = has->type == IS_REAL ? has->d : (double)has->i;
		out.i = has->i;
		if (has->type == IS_REAL && has->d > -0x1p62 && has->d < 0x1p62)
			out.i = (int64_t)has->d;
		break;
	case IS_TEXT:
		out.type = KEY_TEXT;
		out.s = has->s;
		break;
	case IS_JSON:
		out.type = KEY_OTHER;
		break;
	}
	return out;
}

static int
key_cmp(const struct match_key *a, const struct match_key *b)
{
	if (a->type != b->type)
		return (a->type > b->type) - (a->type < b->type);
	if (a->type == KEY_TEXT)
		return str_cmp(a->s, b->s);
	if (a->type == KEY_NONE || a->type == KEY_OTHER)
		return 0;
	if (a->d != b->d)
		return a->d > b->d ? 1 : -1;
	return (a->i > b->i) - (a->i < b->i);
}

int
match_order_cmp(
	const struct match_order *o, const struct match_key *a, const struct match_key *b)
{
	for (size_t i = 0; i < o->n; i++) {
		int c = key_cmp(&a[i], &b[i]);

		if (c != 0)
			return (c > 0) == o->descending[i] ? -1 : 1;
	}
	return 0;
}
