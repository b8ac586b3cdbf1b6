/* push_template_eval – renders compiled push templates. */
#include <stdio.h>

#include "base/arena.h"
#include "base/jw.h"
#include "domain/push_template_impl.h"

#define STEPS_MAX     10000
#define NAMES_DEFAULT 3

/* What {{#each}} goes through at the moment. */
struct item {
	const struct item *outer;
	struct jscan_value value;
	size_t index;
	bool is_last;
};

struct rendering {
	struct arena *arena;
	const struct push_var *vars;
	size_t nvars;
	struct buf *out;
	size_t begin; /* of this result in out */
	unsigned steps;
};

static const struct jscan_value nothing = {JSCAN_NONE, {NULL, 0}};

/* ---- values ---------------------------------------------------------------------------- */

static struct jscan_value
number(const struct rendering *r, int64_t n)
{
	return (struct jscan_value){JSCAN_NUMBER, arena_printf(r->arena, "%lld", (long long)n)};
}

static struct jscan_value
boolean(bool b)
{
	return b ? (struct jscan_value){JSCAN_TRUE, STR("true")}
		 : (struct jscan_value){JSCAN_FALSE, STR("false")};
}

static struct jscan_value
of_item(const struct rendering *r, const struct item *item, struct str name)
{
	if (item == NULL)
		return nothing;
	if (str_is(name, "@index"))
		return number(r, (int64_t)item->index);
	if (str_is(name, "@first"))
		return boolean(item->index == 0);
	return boolean(item->is_last);
}

/* Where a path begins: the member of what {{#each}} goes through, the innermost first, else a
 * variable. */
static struct jscan_value
begin_path(const struct rendering *r, const struct item *item, struct str key)
{
	if (key.p[0] == '@')
		return of_item(r, item, key);
	if (str_is(key, "this"))
		return item != NULL ? item->value : nothing;
	for (; item != NULL; item = item->outer) {
		struct jscan_value v = item->value.type == JSCAN_OBJECT
					       ? jscan_member(item->value.raw, key)
					       : nothing;

		if (v.type != JSCAN_NONE)
			return v;
	}
	for (size_t i = 0; i < r->nvars; i++)
		if (str_eq(key, str_of(r->vars[i].name)))
			return (struct jscan_value){
				jscan_type_of(r->vars[i].json), r->vars[i].json};
	return nothing;
}

static struct jscan_value
value_of(const struct rendering *r, const struct item *item, const struct push_arg *arg)
{
	struct jscan_value v;

	if (arg->constant.type != JSCAN_NONE)
		return arg->constant;
	if (arg->nkeys == 0)
		return nothing;
	v = begin_path(r, item, arg->keys[0]);
	for (size_t i = 1; i < arg->nkeys; i++)
		v = v.type == JSCAN_OBJECT ? jscan_member(v.raw, arg->keys[i]) : nothing;
	return v;
}

static bool
is_true(struct jscan_value v)
{
	size_t at = 0;
	struct jscan_value first;

	switch (v.type) {
	case JSCAN_NONE:
	case JSCAN_NULL:
	case JSCAN_FALSE:
		return false;
	case JSCAN_NUMBER:
		return jscan_number(v.raw) != 0;
	case JSCAN_STRING:
		return v.raw.n > 2;
	case JSCAN_ARRAY:
		return jscan_next(v.raw, &at, &first);
	default:
		return true;
	}
}

static int64_t
length(struct jscan_value array)
{
	struct jscan_value v;
	size_t at = 0;
	int64_t n = 0;

	while (array.type == JSCAN_ARRAY && jscan_next(array.raw, &at, &v))
		n++;
	return n;
}

/* A number, a text of digits, the length of an array; false for all else. */
static bool
count_of(const struct rendering *r, struct jscan_value v, double *out)
{
	int64_t n;

	if (v.type == JSCAN_NUMBER)
		*out = jscan_number(v.raw);
	else if (v.type == JSCAN_ARRAY)
		*out = (double)length(v);
	else if (v.type == JSCAN_STRING && str_to_i64(jscan_text(r->arena, v), &n))
		*out = (double)n;
	else
		return false;
	return true;
}

static bool
are_equal(const struct rendering *r, struct jscan_value a, struct jscan_value b)
{
	double x, y;

	if (a.type == JSCAN_NUMBER || b.type == JSCAN_NUMBER)
		return count_of(r, a, &x) && count_of(r, b, &y) && x == y;
	if (a.type == JSCAN_STRING && b.type == JSCAN_STRING)
		return str_eq(jscan_text(r->arena, a), jscan_text(r->arena, b));
	if ((a.type == JSCAN_NONE || a.type == JSCAN_NULL) &&
		(b.type == JSCAN_NONE || b.type == JSCAN_NULL))
		return true;
	return a.type == b.type && str_eq(a.raw, b.raw);
}

static bool
holds(const struct rendering *r, const struct item *item, const struct push_node *node)
{
	struct jscan_value a = value_of(r, item, &node->args[0]);
	struct jscan_value b = value_of(r, item, &node->args[1]);
	double x, y;

	switch (node->helper) {
	case PUSH_IF:
		return is_true(a);
	case PUSH_UNLESS:
		return !is_true(a);
	case PUSH_EQUAL:
		return are_equal(r, a, b);
	case PUSH_UNEQUAL:
		return !are_equal(r, a, b);
	default:
		break;
	}
	if (!count_of(r, a, &x) || !count_of(r, b, &y))
		return false;
	return node->helper == PUSH_LT    ? x < y
	       : node->helper == PUSH_LTE ? x <= y
	       : node->helper == PUSH_GT  ? x > y
					  : x >= y;
}

/* ---- writing --------------------------------------------------------------------------- */

static void
write_text(struct rendering *r, bool quoted, struct str text)
{
	if (!quoted)
		buf_char(r->out, '"');
	jw_escape(r->out, text);
	if (!quoted)
		buf_char(r->out, '"');
}

static void
write_value(struct rendering *r, bool quoted, struct jscan_value v)
{
	switch (v.type) {
	case JSCAN_NONE:
	case JSCAN_NULL:
		if (!quoted)
			buf_str(r->out, STR("\"\""));
		break;
	case JSCAN_STRING: /* escaped already */
		buf_str(r->out, quoted ? str_sub(v.raw, 1, v.raw.n - 2) : v.raw);
		break;
	case JSCAN_ARRAY:
		buf_str(r->out, STR("[]"));
		break;
	case JSCAN_OBJECT:
		buf_str(r->out, STR("{}"));
		break;
	default:
		buf_str(r->out, v.raw);
	}
}

/* The first characters of a text, with dots when there are more. */
static void
write_truncated(struct rendering *r, bool quoted, struct jscan_value v, double max)
{
	struct str text = jscan_text(r->arena, v), rest = text;
	size_t left = max > 0 && max < PUSH_RENDERED_MAX ? (size_t)max : 0;

	if (v.type != JSCAN_STRING) {
		write_value(r, quoted, v);
		return;
	}
	while (left-- > 0 && rest.n > 0) {
		size_t n = MAX_OF(str_utf8_seq(rest), (size_t)1);

		rest = str_sub(rest, n, rest.n - n);
	}
	text.n -= rest.n;
	write_text(r, quoted,
		rest.n == 0 ? text : arena_printf(r->arena, "%.*s...", STR_ARG(text)));
}

/* "Ann, Bob and 3 other(s)" */
static void
write_members(struct rendering *r, const struct item *item, const struct push_node *node)
{
	struct jscan_value list = value_of(r, item, &node->args[0]), member;
	struct str format = jscan_text(r->arena, value_of(r, item, &node->suffix));
	double limit = NAMES_DEFAULT;
	int64_t n = length(list), shown = 0;
	struct buf text;
	size_t at = 0;

	if (count_of(r, value_of(r, item, &node->limit), &limit) && !(limit >= 0))
		limit = 0;
	if (format.p == NULL)
		format = STR("and %d other(s)");
	buf_init(&text, r->arena, 256);
	while ((double)shown < limit && list.type == JSCAN_ARRAY &&
		jscan_next(list.raw, &at, &member)) {
		struct str name = jscan_text(r->arena, jscan_member(member.raw, STR("name")));

		if (name.n == 0)
			name = jscan_text(r->arena, jscan_member(member.raw, STR("id")));
		if (shown++ > 0)
			buf_str(&text, STR(", "));
		buf_str(&text, name);
	}
	if (n > shown && format.n > 0) {
		size_t d = 0;

		while (d + 1 < format.n && memcmp(format.p + d, "%d", 2) != 0)
			d++;
		buf_char(&text, ' ');
		if (d + 1 < format.n) {
			buf_str(&text, str_sub(format, 0, d));
			buf_i64(&text, n - shown);
			format = str_sub(format, d + 2, format.n - d - 2);
		}
		buf_str(&text, format);
	}
	write_text(r, node->quoted, buf_view(&text));
}

static void
write_expression(struct rendering *r, const struct item *item, const struct push_node *node)
{
	struct jscan_value v = value_of(r, item, &node->args[0]);
	double x = 0, y = 0;

	switch (node->helper) {
	case PUSH_JSON:
		if (v.type == JSCAN_NONE)
			v.raw = STR("null");
		if (node->quoted)
			jw_escape(r->out, v.raw);
		else
			buf_str(r->out, v.raw);
		break;
	case PUSH_TRUNCATE:
		(void)count_of(r, value_of(r, item, &node->args[1]), &y);
		write_truncated(r, node->quoted, v, y);
		break;
	case PUSH_REMAINDER:
		(void)count_of(r, v, &x);
		(void)count_of(r, value_of(r, item, &node->args[1]), &y);
		x = x - y > 0 ? x - y : 0;
		buf_i64(r->out, (int64_t)MIN_OF(x, 1e9));
		break;
	case PUSH_IMPLODE:
		write_members(r, item, node);
		break;
	default:
		write_value(r, node->quoted, v);
	}
}

static bool
write_nodes(struct rendering *r, const struct item *item, const struct push_node *node);

static bool
write_each(struct rendering *r, const struct item *outer, const struct push_node *node)
{
	struct jscan_value list = value_of(r, outer, &node->args[0]);
	struct item item = {.outer = outer};
	int64_t n = length(list);
	size_t at = 0;

	if (n == 0)
		return write_nodes(r, outer, node->otherwise);
	while (jscan_next(list.raw, &at, &item.value)) {
		item.is_last = item.index + 1 == (size_t)n;
		if (!write_nodes(r, &item, node->body))
			return false;
		item.index++;
	}
	return true;
}

static bool
write_nodes(struct rendering *r, const struct item *item, const struct push_node *node)
{
	for (; node != NULL; node = node->next) {
		if (++r->steps > STEPS_MAX || r->out->n - r->begin > PUSH_RENDERED_MAX)
			return false;
		if (node->text.p != NULL)
			buf_str(r->out, node->text);
		else if (node->helper < PUSH_IF)
			write_expression(r, item, node);
		else if (node->helper == PUSH_EACH) {
			if (!write_each(r, item, node))
				return false;
		} else if (!write_nodes(r, item,
				   holds(r, item, node) ? node->body : node->otherwise))
			return false;
	}
	return true;
}

bool
push_template_render(const struct push_template *t, struct arena *a,
	const struct push_var *vars, size_t n, struct buf *out)
{
	struct rendering r = {
		.arena = a, .vars = vars, .nvars = n, .out = out, .begin = out->n};

	if (write_nodes(&r, NULL, t->first) && out->n - r.begin <= PUSH_RENDERED_MAX)
		return true;
	out->n = r.begin;
	return false;
}
