/* template_eval – expressions of a compiled template, looked up and computed. */
#include "base/clock.h"
#include "base/jw.h"
#include "domain/template_int.h"
#include "domain/user.h"

/* What filters may pile up at the end of the output, beyond its own maximum. */
#define SCRATCH_MAX ((size_t)64 << 10)

enum ordering { ORDER_LESS, ORDER_EQUAL, ORDER_GREATER, ORDER_NONE };

struct str
template_eval_view(const struct template_run *r, const struct value *v)
{
	if (!v->in_out)
		return v->text;
	return (struct str){r->out->p + v->at, v->text.n};
}

struct value
template_eval_made(struct template_run *r, enum value_type type, size_t at)
{
	size_t total = r->out->n - r->start;

	if (total > r->max && total - r->max > SCRATCH_MAX) {
		r->too_large = true;
		r->out->n = at;
		return VALUE_UNDEFINED;
	}
	return (struct value){
		.type = type, .in_out = true, .at = at, .text = {NULL, r->out->n - at}};
}

struct value
template_eval_settle(struct template_run *r, size_t mark, struct value v)
{
	struct buf *out = r->out;

	if (v.in_out) {
		if (v.at != mark && v.text.n > 0)
			memmove(out->p + mark, out->p + v.at, v.text.n);
		v.at = mark;
		out->n = mark + v.text.n;
	} else {
		out->n = mark;
	}
	return v;
}

static struct value
text_of(struct str s)
{
	return (struct value){.type = s.p ? VALUE_TEXT : VALUE_NONE, .text = s};
}

static struct value
time_of(int64_t us)
{
	return (struct value){.type = us == NO_TIME ? VALUE_NONE : VALUE_TIME, .time = us};
}

static struct value
bool_of(bool truth)
{
	return (struct value){.type = VALUE_BOOL, .truth = truth};
}

struct value
template_eval_json(struct jscan_value v)
{
	struct value text = {.type = VALUE_TEXT};

	switch (v.type) {
	case JSCAN_FALSE:
	case JSCAN_TRUE:
		return bool_of(v.type == JSCAN_TRUE);
	case JSCAN_NUMBER:
		return (struct value){.type = VALUE_NUMBER, .text = v.raw};
	case JSCAN_STRING:
		if (jscan_plain(v.raw, &text.text))
			return text;
		return (struct value){.type = VALUE_ESCAPED, .text = v.raw};
	case JSCAN_OBJECT:
	case JSCAN_ARRAY:
		return (struct value){.type = VALUE_JSON, .text = v.raw};
	default:
		return VALUE_UNDEFINED;
	}
}

struct value
template_eval_text(struct template_run *r, struct value v)
{
	size_t at = r->out->n;

	switch (v.type) {
	case VALUE_NONE:
		return text_of(STR(""));
	case VALUE_BOOL:
		return text_of(v.truth ? STR("true") : STR("false"));
	case VALUE_ESCAPED:
		jscan_unescape(r->out, v.text);
		return template_eval_made(r, VALUE_TEXT, at);
	case VALUE_TIME:
		clock_to_rfc3339(v.time, buf_room(r->out, CLOCK_RFC3339_LEN));
		r->out->n += CLOCK_RFC3339_LEN;
		return template_eval_made(r, VALUE_TEXT, at);
	default:
		v.type = VALUE_TEXT;
		return v;
	}
}

void
template_eval_escape(struct template_run *r, const struct value *v)
{
	char piece[512]; /* out of the output, which moves when it grows */

	if (!v->in_out) {
		jw_escape(r->out, v->text);
		return;
	}
	for (size_t done = 0; done < v->text.n;) {
		struct str s = template_eval_view(r, v);

		s = str_clip(str_sub(s, done, s.n - done), sizeof(piece));
		memcpy(piece, s.p, s.n);
		jw_escape(r->out, (struct str){piece, s.n});
		done += s.n;
	}
}

bool
template_eval_time(struct template_run *r, struct value v, int64_t *us)
{
	char midnight[] = "YYYY-MM-DDT00:00:00Z";
	struct str s;

	if (v.type == VALUE_TIME) {
		*us = v.time;
		return true;
	}
	if (v.type != VALUE_TEXT)
		return false;
	s = template_eval_view(r, &v);
	if (s.n == strlen("YYYY-MM-DD")) {
		memcpy(midnight, s.p, s.n);
		s = str_of(midnight);
	}
	return clock_from_rfc3339(s, us);
}

bool
template_eval_truth(const struct template_run *r, const struct value *v)
{
	struct jscan_value any;
	struct str key;
	size_t at = 0;

	switch (v->type) {
	case VALUE_NONE:
		return false;
	case VALUE_BOOL:
		return v->truth;
	case VALUE_NUMBER:
		return jscan_number(template_eval_view(r, v)) != 0;
	case VALUE_TEXT:
		return v->text.n > 0;
	case VALUE_JSON:
		return jscan_next(v->text, &at, &any) ||
		       jscan_next_member(v->text, &at, &key, &any);
	default:
		return true;
	}
}

/* ---- variables ------------------------------------------------------------------ */

static struct jscan_value
element_at(struct str array, struct str index)
{
	struct jscan_value v;
	int64_t left;
	size_t at = 0;

	if (str_to_i64(index, &left))
		while (left >= 0 && jscan_next(array, &at, &v))
			if (left-- == 0)
				return v;
	return (struct jscan_value){JSCAN_NONE, STR_NONE};
}

static struct value
walk(enum jscan_type type, struct str json, const struct variable *var)
{
	struct jscan_value v = {json.p ? type : JSCAN_NONE, json};

	for (size_t i = 0; i < var->npath; i++)
		v = v.type == JSCAN_ARRAY ? element_at(v.raw, var->path[i])
					  : jscan_member(v.raw, var->path[i]);
	return template_eval_json(v);
}

static struct value
user_field(const struct user *u, const struct variable *var)
{
	if (u == NULL)
		return VALUE_UNDEFINED;
	if (var->field == FIELD_CUSTOM)
		return walk(JSCAN_OBJECT, u->custom, var);
	if (var->field == FIELD_TEAMS)
		return walk(JSCAN_ARRAY, u->teams, var);
	if (var->npath > 0)
		return VALUE_UNDEFINED;
	switch (var->field) {
	case FIELD_ID:
		return text_of(u->id);
	case FIELD_NAME:
		return text_of(u->name);
	case FIELD_IMAGE:
		return text_of(u->image);
	case FIELD_ROLE:
		return text_of(u->role.p ? u->role : STR("user"));
	case FIELD_LANGUAGE:
		return text_of(u->language.p ? u->language : STR(""));
	case FIELD_CREATED_AT:
		return time_of(u->created_at);
	case FIELD_UPDATED_AT:
		return time_of(u->updated_at);
	case FIELD_LAST_ACTIVE:
		return time_of(u->last_active);
	default:
		return VALUE_UNDEFINED;
	}
}

static struct value
channel_field(const struct template_channel *c, const struct variable *var)
{
	if (c == NULL)
		return VALUE_UNDEFINED;
	if (var->field == FIELD_CUSTOM)
		return walk(JSCAN_OBJECT, c->custom, var);
	if (var->npath > 0)
		return VALUE_UNDEFINED;
	switch (var->field) {
	case FIELD_ID:
		return text_of(c->id);
	case FIELD_TYPE:
		return text_of(c->type);
	case FIELD_CID:
		return text_of(c->cid);
	case FIELD_TEAM:
		return text_of(c->team);
	default:
		return VALUE_UNDEFINED;
	}
}

static struct value
look_up(const struct template_vars *vars, const struct variable *var)
{
	struct value v;

	switch (var->root) {
	case ROOT_SENDER:
		v = user_field(vars->sender, var);
		break;
	case ROOT_RECEIVER:
		v = user_field(vars->receiver, var);
		break;
	case ROOT_CHANNEL:
		v = channel_field(vars->channel, var);
		break;
	default:
		v = VALUE_UNDEFINED;
		break;
	}
	if (v.type == VALUE_NONE && vars->undefined != NULL)
		vars->undefined(vars->arg, var->name);
	return v;
}

/* ---- operators ------------------------------------------------------------------ */

static enum ordering
ordering_of(int sign)
{
	return sign < 0 ? ORDER_LESS : sign > 0 ? ORDER_GREATER : ORDER_EQUAL;
}

/* Numbers and truth values, which count as 0 and 1. */
static bool
number_of(const struct template_run *r, const struct value *v, double *out)
{
	if (v->type == VALUE_BOOL)
		*out = v->truth;
	else if (v->type == VALUE_NUMBER)
		*out = jscan_number(template_eval_view(r, v));
	else
		return false;
	return true;
}

/* Values of different kinds have no order and are not equal, as in Python; a text that
 * reads as a time compares with times. */
static enum ordering
compare(struct template_run *r, struct value a, struct value b)
{
	int64_t ai, bi;
	double ad, bd;

	if (a.type == VALUE_ESCAPED)
		a = template_eval_text(r, a);
	if (b.type == VALUE_ESCAPED)
		b = template_eval_text(r, b);
	if (a.type == VALUE_TIME || b.type == VALUE_TIME) {
		if (!template_eval_time(r, a, &ai) || !template_eval_time(r, b, &bi))
			return ORDER_NONE;
		return ordering_of(ai < bi ? -1 : ai > bi);
	}
	if (a.type == VALUE_NUMBER && b.type == VALUE_NUMBER &&
		str_to_i64(template_eval_view(r, &a), &ai) &&
		str_to_i64(template_eval_view(r, &b), &bi)) /* beyond 2^53, too */
		return ordering_of(ai < bi ? -1 : ai > bi);
	if (number_of(r, &a, &ad) && number_of(r, &b, &bd))
		return ordering_of(ad < bd ? -1 : ad > bd);
	if (a.type != b.type)
		return ORDER_NONE;
	switch (a.type) {
	case VALUE_NONE:
		return ORDER_EQUAL;
	case VALUE_TEXT:
		return ordering_of(
			str_cmp(template_eval_view(r, &a), template_eval_view(r, &b)));
	case VALUE_JSON:
		return str_eq(a.text, b.text) ? ORDER_EQUAL : ORDER_NONE;
	default:
		return ORDER_NONE;
	}
}

/* An element of an array, a key of an object, a part of a text. */
static bool
is_in(struct template_run *r, struct value item, struct value whole)
{
	size_t mark, at = 0;
	struct jscan_value v;
	struct str a, b;

	if (item.type == VALUE_ESCAPED)
		item = template_eval_text(r, item);
	mark = r->out->n;
	if (whole.type == VALUE_JSON && whole.text.p[0] == '[') {
		while (jscan_next(whole.text, &at, &v)) {
			bool hit = compare(r, item, template_eval_json(v)) == ORDER_EQUAL;

			r->out->n = mark;
			if (hit)
				return true;
		}
		return false;
	}
	if (item.type != VALUE_TEXT)
		return false;
	if (whole.type == VALUE_JSON)
		return jscan_member(whole.text, template_eval_view(r, &item)).type !=
		       JSCAN_NONE;
	if (whole.type != VALUE_TEXT && whole.type != VALUE_ESCAPED)
		return false;
	whole = template_eval_text(r, whole);
	a = template_eval_view(r, &item);
	b = template_eval_view(r, &whole);
	return a.n == 0 || (b.n > 0 && memmem(b.p, b.n, a.p, a.n) != NULL);
}

static bool
holds(struct template_run *r, enum node_type op, struct value a, struct value b)
{
	switch (op) {
	case NODE_EQ:
		return compare(r, a, b) == ORDER_EQUAL;
	case NODE_NE:
		return compare(r, a, b) != ORDER_EQUAL;
	case NODE_LT:
		return compare(r, a, b) == ORDER_LESS;
	case NODE_GT:
		return compare(r, a, b) == ORDER_GREATER;
	case NODE_LE:
		return compare(r, a, b) <= ORDER_EQUAL;
	case NODE_GE: {
		enum ordering o = compare(r, a, b);

		return o == ORDER_EQUAL || o == ORDER_GREATER;
	}
	case NODE_IN:
		return is_in(r, a, b);
	default:
		return !is_in(r, a, b);
	}
}

static struct value
eval_compare(struct template_run *r, const struct node *n)
{
	size_t mark = r->out->n;
	struct value a = template_eval_node(r, n->first);
	struct value b = template_eval_node(r, n->first->next);
	bool result = holds(r, n->type, a, b);

	r->out->n = mark;
	return bool_of(result);
}

/* As in Jinja the result is the operand that decided, so that "a or b" picks a value. */
static struct value
eval_logic(struct template_run *r, const struct node *n)
{
	size_t mark = r->out->n;
	struct value v = VALUE_UNDEFINED;

	for (const struct node *k = n->first; k != NULL; k = k->next) {
		r->out->n = mark;
		v = template_eval_node(r, k);
		if (template_eval_truth(r, &v) == (n->type == NODE_OR))
			break;
	}
	return v;
}

static struct value
eval_filtered(struct template_run *r, const struct node *n)
{
	size_t mark = r->out->n;
	struct value v = template_eval_node(r, n->first);

	for (const struct node *f = n->first->next; f != NULL && !r->too_large; f = f->next) {
		struct value arg = VALUE_UNDEFINED;

		if (f->first != NULL)
			arg = template_eval_node(r, f->first);
		v = f->filter->apply(r, v, f->first != NULL ? &arg : NULL);
		v = template_eval_settle(r, mark, v);
	}
	return v;
}

struct value
template_eval_node(struct template_run *r, const struct node *n)
{
	struct value v;
	size_t mark;

	switch (n->type) {
	case NODE_LITERAL:
		return n->literal;
	case NODE_VARIABLE:
		return look_up(r->vars, &n->variable);
	case NODE_FILTERED:
		return eval_filtered(r, n);
	case NODE_NOT:
		mark = r->out->n;
		v = template_eval_node(r, n->first);
		v = bool_of(!template_eval_truth(r, &v));
		r->out->n = mark;
		return v;
	case NODE_AND:
	case NODE_OR:
		return eval_logic(r, n);
	default:
		return eval_compare(r, n);
	}
}
