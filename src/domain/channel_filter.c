/* channel_filter – filters over channels: compiled to a tree of tests, values checked once. */
#include "domain/channel_filter.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/channel_filter_impl.h"
#include "domain/user.h"

#define MAX_DEPTH  8
#define MAX_NODES  256
#define MAX_VALUES 1000

#define OPS_TEXT   (OP_SCALAR | OP_NE | OP_NIN | OP_AUTOCOMPLETE)
#define OPS_NUMBER (OP_SCALAR | OP_NE | OP_NIN)
#define OPS_BOOL   (OP_EQ | OP_NE | OP_IN | OP_EXISTS)

static const struct field fields[] = {
	{"cid", CID, TEXT, OPS_TEXT, false},
	{"id", ID, TEXT, OPS_TEXT, false},
	{"type", TYPE, TEXT, OPS_TEXT, false},
	{"created_by_id", CREATED_BY, USER, OP_EQ | OP_IN | OP_NE | OP_NIN | OP_EXISTS, false},
	{"team", TEAM, TEXT, OPS_TEXT, false},
	{"channel_role", ROLE, TEXT, OP_EQ | OP_IN, false},
	{"created_at", CREATED_AT, TIME, OPS_NUMBER, true},
	{"updated_at", UPDATED_AT, TIME, OPS_NUMBER, true},
	{"last_message_at", LAST_MESSAGE_AT, TIME, OPS_NUMBER, true},
	{"last_updated", LAST_UPDATED, TIME, OPS_NUMBER, true},
	{"pinned_at", PINNED_AT, TIME, OP_EXISTS, true},
	{"member_count", MEMBER_COUNT, INT, OPS_NUMBER, true},
	{"unread_count", UNREAD_COUNT, INT, OPS_NUMBER, true},
	{"frozen", FROZEN, BOOL, OPS_BOOL, false},
	{"disabled", DISABLED, BOOL, OPS_BOOL, false},
	{"hidden", HIDDEN, BOOL, OPS_BOOL, false},
	{"archived", ARCHIVED, BOOL, OPS_BOOL, false},
	{"pinned", PINNED, BOOL, OPS_BOOL, false},
	{"joined", JOINED, BOOL, OPS_BOOL, false},
	{"distinct", DISTINCT, BOOL, OPS_BOOL, false},
	{"has_unread", HAS_UNREAD, BOOL, OPS_BOOL, true},
	{"muted", NEVER, BOOL, OPS_BOOL, false},
	{"blocked", NEVER, BOOL, OPS_BOOL, false},
	{"app_banned", NEVER, BOOL, OPS_BOOL, false},
	{"members", MEMBERS, USERS, OP_EQ | OP_IN | OP_NIN, false},
};

static const struct field custom = {
	"",
	OTHER,
	CUSTOM,
	OPS_TEXT | OP_CONTAINS,
	true,
};

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
read_user(struct compiler *c, const char *name, const json_t *v, struct value *out)
{
	struct str id = jr_text(v);

	if (!json_is_string(v))
		return fail(c->e, ERR_INPUT, "filter: %s: expected a user id, got %s", name,
			jr_type_name(v));
	out->type = IS_INT;
	out->i = 0;
	return user_resolve(c->db, c->arena, &id, 1, &out->i, c->e);
}

static bool
read_value(struct compiler *c, const struct channel_filter *n, const char *name,
	const json_t *v, struct value *out)
{
	enum kind kind = n->op == OP_EXISTS ? BOOL : n->at.field->kind;
	const char *expected = NULL;

	*out = (struct value){.json = v};
	switch (kind) {
	case TEXT:
		out->type = IS_TEXT;
		out->s = jr_text(v);
		expected = json_is_string(v) ? NULL : "a string";
		break;
	case TIME:
		out->type = IS_INT;
		expected = read_time(v, &out->i) ? NULL : "a time";
		break;
	case INT:
		out->type = IS_INT;
		out->i = json_integer_value(v);
		expected = json_is_integer(v) ? NULL : "an integer";
		break;
	case BOOL:
		out->type = IS_BOOL;
		out->i = json_is_true(v);
		expected = json_is_boolean(v) ? NULL : "a boolean";
		break;
	case USER:
	case USERS:
		return read_user(c, name, v, out);
	case CUSTOM:
		out->type = json_is_string(v)    ? IS_TEXT
			    : json_is_integer(v) ? IS_INT
			    : json_is_real(v)    ? IS_REAL
			    : json_is_boolean(v) ? IS_BOOL
						 : IS_JSON;
		out->s = jr_text(v);
		out->i = json_is_integer(v) ? json_integer_value(v) : json_is_true(v);
		out->d = json_number_value(v);
		break;
	}
	if (expected != NULL)
		return fail(c->e, ERR_INPUT, "filter: %s: expected %s, got %s", name, expected,
			jr_type_name(v));
	return true;
}

/* Whether the operator takes a list of values. */
static bool
takes_list(const struct channel_filter *n, const json_t *v)
{
	return n->op == OP_IN || n->op == OP_NIN ||
	       (n->at.field->kind == USERS && json_is_array(v));
}

static bool
compile_test(struct compiler *c, const char *name, const struct channel_field *at,
	enum filter_op op, const json_t *v, struct channel_filter *out)
{
	size_t n;

	*out = (struct channel_filter){.kind = TEST, .at = *at, .op = op};
	if (++c->nodes > MAX_NODES)
		return fail(c->e, ERR_INPUT, "filter: more than %d conditions", MAX_NODES);
	if (!takes_list(out, v)) {
		if (at->field->kind == USERS)
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

static struct channel_field
find_field(struct str name)
{
	struct channel_field out = {.field = &custom};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_eq(name, str_of(fields[i].name)))
			return (struct channel_field){.field = &fields[i]};
	for (size_t at = 0; at <= name.n && out.npath < CHANNEL_FILTER_PATH;) {
		size_t end = str_find(name, '.', at);

		out.path[out.npath++] = str_sub(name, at, end - at);
		at = end + 1;
	}
	return out;
}

static bool
find_op(struct compiler *c, const char *name, const struct field *field, const char *key,
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
compile_field(struct compiler *c, const char *name, json_t *v, struct channel_filter *out)
{
	struct channel_field at = find_field(str_of(name));
	const char *first = json_object_iter_key(json_object_iter(v));
	const char *key;
	json_t *operand;

	if (first == NULL || first[0] != '$')
		return compile_test(c, name, &at, OP_EQ, v, out);
	*out = (struct channel_filter){.kind = ALL};
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
compile(struct compiler *c, const json_t *filter, unsigned depth, struct channel_filter *out);

static bool
compile_list(struct compiler *c, const char *key, const json_t *list, unsigned depth,
	struct channel_filter *out)
{
	*out = (struct channel_filter){.kind = ALL};
	if (strcmp(key, "$or") == 0)
		out->kind = ANY;
	else if (strcmp(key, "$nor") == 0)
		out->kind = NONE_OF;
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
compile(struct compiler *c, const json_t *filter, unsigned depth, struct channel_filter *out)
{
	json_t *object = (json_t *)(uintptr_t)filter, *v;
	const char *key;

	*out = (struct channel_filter){.kind = ALL};
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
		struct channel_filter *kid = &out->kids[out->nkids++];

		if (key[0] == '$' ? !compile_list(c, key, v, depth, kid)
				  : !compile_field(c, key, v, kid))
			return false;
	}
	return true;
}

bool
channel_filter_compile(struct db *db, struct arena *a, const json_t *filter,
	struct channel_filter **out, struct err *e)
{
	struct compiler c = {.db = db, .arena = a, .e = e};

	*out = arena_alloc(a, sizeof(**out));
	return compile(&c, filter, 0, *out);
}

/* ---- for choosing an index --------------------------------------------------------------- */

/* A condition that every match meets: "${which} is one of …". */
static const struct channel_filter *
required(const struct channel_filter *n, enum which which)
{
	const struct channel_filter *hit = NULL;

	if (n->kind == TEST)
		return n->at.field->which == which && (n->op == OP_EQ || n->op == OP_IN) ? n
											 : NULL;
	if (n->kind != ALL)
		return NULL;
	for (size_t i = 0; i < n->nkids; i++) {
		const struct channel_filter *kid = required(&n->kids[i], which);

		/* A whole set narrows more than one of its members. */
		if (kid != NULL && (hit == NULL || kid->op == OP_EQ))
			hit = kid;
	}
	return hit;
}

void
channel_filter_texts(const struct channel_filter *f, struct arena *a, const char *field,
	struct str **out, size_t *n)
{
	const struct channel_filter *hit = required(f, find_field(str_of(field)).field->which);

	*n = hit ? hit->nvalues : 0;
	*out = arena_array(a, *n + 1, sizeof(**out));
	for (size_t i = 0; i < *n; i++)
		(*out)[i] = hit->values[i].s;
}

void
channel_filter_members(
	const struct channel_filter *f, struct arena *a, int64_t **out, size_t *n, bool *whole)
{
	const struct channel_filter *hit = required(f, MEMBERS);

	*whole = hit != NULL && hit->op == OP_EQ;
	*n = hit ? hit->nvalues : 0;
	*out = arena_array(a, *n + 1, sizeof(**out));
	for (size_t i = 0; i < *n; i++)
		(*out)[i] = hit->values[i].i;
}

bool
channel_filter_mentions(const struct channel_filter *f, const char *field)
{
	if (f->kind == TEST)
		return str_eq(str_of(f->at.field->name), str_of(field));
	for (size_t i = 0; i < f->nkids; i++)
		if (channel_filter_mentions(&f->kids[i], field))
			return true;
	return false;
}

bool
channel_filter_needs_origin(const struct channel_filter *f)
{
	if (f->kind == TEST)
		return channel_field_needs_origin(&f->at);
	for (size_t i = 0; i < f->nkids; i++)
		if (channel_filter_needs_origin(&f->kids[i]))
			return true;
	return false;
}

/* ---- sorting ----------------------------------------------------------------------------- */

bool
channel_field_needs_origin(const struct channel_field *at)
{
	return at->field->kind == CUSTOM || at->field->kind == USERS ||
	       at->field->which == MEMBER_COUNT;
}

const struct channel_field *
channel_sort_field(struct arena *a, struct str name)
{
	struct channel_field *out = arena_alloc(a, sizeof(*out));

	*out = find_field(name);
	return out->field->sortable ? out : NULL;
}
