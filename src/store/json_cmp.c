/* json_cmp – compares one value inside a JSON text with a constant. */
#include "store/json_cmp.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/jr.h"
#include "base/jscan.h"

enum json_op {
	JSON_EQ,
	JSON_GT,
	JSON_GTE,
	JSON_LT,
	JSON_LTE,
	JSON_IN,
	JSON_CONTAINS,
	JSON_ANY,
	JSON_EXISTS,
	JSON_AUTOCOMPLETE,
	JSON_OPS
};

static const char *const op_names[JSON_OPS] = {
	[JSON_EQ] = "eq",
	[JSON_GT] = "gt",
	[JSON_GTE] = "gte",
	[JSON_LT] = "lt",
	[JSON_LTE] = "lte",
	[JSON_IN] = "in",
	[JSON_CONTAINS] = "contains",
	[JSON_ANY] = "any",
	[JSON_EXISTS] = "exists",
	[JSON_AUTOCOMPLETE] = "autocomplete",
};

/* A decoded value.  The type NONE never occurs: what is absent is null. */
struct operand {
	enum jscan_type type;
	struct str text;    /* STRING: without escapes; OBJECT, ARRAY: as it stands */
	long double number; /* holds every int64_t and every double exactly */
};

struct json_pred {
	enum json_op op;
	struct str path;
	struct str *keys; /* the path between its dots; nkeys 0: it has none */
	size_t nkeys;
	struct operand *values; /* sorted for IN and ANY, one for the others */
	size_t nvalues;
	struct arena mem;
};

/* ---- values ---------------------------------------------------------------------- */

static long double
number_of(struct str raw)
{
	int64_t i;

	return str_to_i64(raw, &i) ? (long double)i : (long double)jscan_number(raw);
}

/* ${scratch} is only touched by text with escapes, which is rare. */
static struct operand
decode(struct jscan_value v, struct buf *scratch)
{
	struct operand o = {.type = v.type == JSCAN_NONE ? JSCAN_NULL : v.type, .text = v.raw};

	if (o.type == JSCAN_NUMBER) {
		o.number = number_of(v.raw);
	} else if (o.type == JSCAN_STRING && !jscan_plain(v.raw, &o.text)) {
		scratch->n = 0;
		jscan_unescape(scratch, v.raw);
		o.text = buf_view(scratch);
	}
	return o;
}

/* Within one type: <0, 0, >0. */
static int
compare_same(const struct operand *a, const struct operand *b)
{
	switch (a->type) {
	case JSCAN_NUMBER:
		return (a->number > b->number) - (a->number < b->number);
	case JSCAN_STRING:
	case JSCAN_OBJECT:
	case JSCAN_ARRAY:
		return str_cmp(a->text, b->text);
	default:
		return 0;
	}
}

static int
compare(const void *x, const void *y)
{
	const struct operand *a = x, *b = y;

	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return compare_same(a, b);
}

/* ---- tests ----------------------------------------------------------------------- */

static struct jscan_value
find(const struct json_pred *p, struct str json)
{
	struct jscan_value v;

	if (json.n == 0)
		return (struct jscan_value){.type = JSCAN_NONE};
	if (p->path.n == 0)
		return jscan_path(json, NULL, 0);
	v = jscan_member(json, p->path);
	if (v.type == JSCAN_NONE && p->nkeys > 0)
		v = jscan_path(json, p->keys, p->nkeys);
	return v;
}

static bool
is_listed(const struct json_pred *p, const struct operand *o)
{
	if (p->nvalues == 1)
		return compare(o, p->values) == 0;
	return bsearch(o, p->values, p->nvalues, sizeof(*o), compare) != NULL;
}

static bool
has_listed(const struct json_pred *p, struct str array, struct buf *scratch)
{
	struct jscan_value v;
	size_t at = 0;

	while (jscan_next(array, &at, &v)) {
		struct operand o = decode(v, scratch);

		if (is_listed(p, &o))
			return true;
	}
	return false;
}

static bool
has_text(struct str text, struct str part)
{
	return part.n == 0 || memmem(text.p, text.n, part.p, part.n) != NULL;
}

static bool
has_word(struct str text, struct str start)
{
	for (size_t at = 0; at + start.n <= text.n; at = str_find(text, ' ', at) + 1)
		if (str_ieq(str_sub(text, at, start.n), start))
			return true;
	return false;
}

static bool
test(const struct json_pred *p, struct jscan_value v, struct buf *scratch)
{
	const struct operand *want = p->values;
	struct operand got;
	bool comparable;

	if (v.type == JSCAN_ARRAY && (p->op == JSON_CONTAINS || p->op == JSON_ANY))
		return has_listed(p, v.raw, scratch);
	got = decode(v, scratch);
	comparable = p->nvalues > 0 && got.type == want->type;
	switch (p->op) {
	case JSON_EQ:
		return comparable && compare_same(&got, want) == 0;
	case JSON_GT:
		return comparable && compare_same(&got, want) > 0;
	case JSON_GTE:
		return comparable && compare_same(&got, want) >= 0;
	case JSON_LT:
		return comparable && compare_same(&got, want) < 0;
	case JSON_LTE:
		return comparable && compare_same(&got, want) <= 0;
	case JSON_IN:
		return is_listed(p, &got);
	case JSON_CONTAINS:
		return comparable && got.type == JSCAN_STRING && has_text(got.text, want->text);
	case JSON_AUTOCOMPLETE:
		return comparable && has_word(got.text, want->text);
	case JSON_EXISTS:
		return (got.type != JSCAN_NULL) == (want->type == JSCAN_TRUE);
	default:
		return false;
	}
}

/* ---- preparation ----------------------------------------------------------------- */

static struct operand
copy_operand(struct arena *a, struct jscan_value v)
{
	struct buf text;
	struct operand o;

	buf_init(&text, a, 0);
	v.raw = arena_dup(a, v.raw);
	o = decode(v, &text);
	return o;
}

static void
copy_list(struct json_pred *p, struct str array)
{
	struct jscan_value v;
	size_t n = 0;

	for (size_t at = 0; jscan_next(array, &at, &v);)
		n++;
	p->values = arena_array(&p->mem, n, sizeof(*p->values));
	for (size_t at = 0; jscan_next(array, &at, &v);)
		p->values[p->nvalues++] = copy_operand(&p->mem, v);
	qsort(p->values, p->nvalues, sizeof(*p->values), compare);
}

/* False when the operator does not take values of this type. */
static bool
copy_values(struct json_pred *p, struct str json)
{
	struct jscan_value v = jscan_path(json, NULL, 0);
	bool is_bool = v.type == JSCAN_TRUE || v.type == JSCAN_FALSE;
	bool ok;

	switch (p->op) {
	case JSON_GT:
	case JSON_GTE:
	case JSON_LT:
	case JSON_LTE:
		ok = v.type == JSCAN_NUMBER || v.type == JSCAN_STRING;
		break;
	case JSON_IN:
	case JSON_ANY:
		ok = v.type == JSCAN_ARRAY;
		break;
	case JSON_EXISTS:
		ok = is_bool;
		break;
	case JSON_AUTOCOMPLETE:
		ok = v.type == JSCAN_STRING;
		break;
	default:
		ok = v.type != JSCAN_NONE;
		break;
	}
	if (!ok)
		return false;
	if (p->op == JSON_IN || p->op == JSON_ANY) {
		copy_list(p, v.raw);
		return true;
	}
	p->values = arena_alloc(&p->mem, sizeof(*p->values));
	p->values[0] = copy_operand(&p->mem, v);
	p->nvalues = 1;
	return true;
}

/* A path with more keys than JSON of ours can have levels finds nothing either way. */
static void
copy_path(struct json_pred *p, struct str path)
{
	size_t from = 0;

	p->path = arena_dup(&p->mem, path);
	if (str_find(p->path, '.', 0) == p->path.n)
		return;
	p->keys = arena_array(&p->mem, JR_MAX_DEPTH, sizeof(*p->keys));
	while (p->nkeys < JR_MAX_DEPTH && from <= p->path.n) {
		size_t dot = str_find(p->path, '.', from);

		p->keys[p->nkeys++] = str_sub(p->path, from, dot - from);
		from = dot + 1;
	}
	if (from <= p->path.n)
		p->nkeys = 0;
}

/* ---- exported -------------------------------------------------------------------- */

struct json_pred *
json_pred_new(struct str path, struct str op, struct str value_json)
{
	struct json_pred *p;
	struct arena mem;
	size_t k = 0;

	while (k < JSON_OPS && !str_eq(op, str_of(op_names[k])))
		k++;
	if (k == JSON_OPS)
		return NULL;
	arena_init(&mem, 1024, SIZE_MAX);
	p = arena_zalloc(&mem, sizeof(*p));
	p->op = (enum json_op)k;
	p->mem = mem;
	copy_path(p, path);
	if (copy_values(p, value_json))
		return p;
	json_pred_free(p);
	return NULL;
}

void
json_pred_free(struct json_pred *p)
{
	struct arena mem;

	if (p == NULL)
		return;
	mem = p->mem;
	arena_fini(&mem);
}

bool
json_pred_test(const struct json_pred *p, struct str json)
{
	struct buf scratch;
	bool ok;

	buf_init(&scratch, NULL, 0);
	ok = test(p, find(p, json), &scratch);
	buf_free(&scratch);
	return ok;
}

int
json_cmp(struct str json, struct str path, const char *op, struct str value_json)
{
	struct json_pred *p = json_pred_new(path, str_of(op), value_json);
	int result;

	if (p == NULL)
		return -1;
	result = json_pred_test(p, json);
	json_pred_free(p);
	return result;
}
