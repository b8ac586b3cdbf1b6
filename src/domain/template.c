/* template – compiling whole texts and JSON values, and running their programs. */
#include "domain/template.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/jw.h"
#include "domain/template_int.h"

#define AFFIX_MAX ((size_t)4 << 10) /* far beyond the longest id */

/* ---- compiling ------------------------------------------------------------------ */

static void
begin_build(struct template_build *b, struct arena *a, const char *field, struct err *e)
{
	*b = (struct template_build){.arena = a, .field = field, .e = e};
	b->t = arena_zalloc(a, sizeof(*b->t));
	buf_init(&b->literal, a, 0);
}

bool
template_text(struct arena *a, struct str text, const char *field, struct template **out,
	struct err *e)
{
	struct template_build b;

	begin_build(&b, a, field, e);
	if (!template_parse_text(&b, text, false))
		return false;
	template_parse_flush(&b);
	*out = b.t;
	return true;
}

static bool build_value(struct template_build *b, const json_t *v);

static bool
build_element(struct template_build *b, struct template_place here, const json_t *v)
{
	bool ok;

	here.up = b->place;
	b->place = &here;
	ok = build_value(b, v);
	b->place = here.up;
	return ok;
}

static bool
build_array(struct template_build *b, const json_t *array)
{
	json_t *v;
	size_t i;

	buf_char(&b->literal, '[');
	json_array_foreach(array, i, v)
	{
		if (i > 0)
			buf_char(&b->literal, ',');
		if (!build_element(b, (struct template_place){.index = i}, v))
			return false;
	}
	buf_char(&b->literal, ']');
	return true;
}

static bool
build_object(struct template_build *b, json_t *object)
{
	const char *key;
	json_t *v;
	bool first = true;

	buf_char(&b->literal, '{');
	json_object_foreach(object, key, v)
	{
		struct str name = str_of(key);

		buf_str(&b->literal, first ? STR("\"") : STR(",\""));
		jw_escape(&b->literal, name);
		buf_str(&b->literal, STR("\":"));
		if (!build_element(b, (struct template_place){.key = name}, v))
			return false;
		first = false;
	}
	buf_char(&b->literal, '}');
	return true;
}

/* Its depth is bounded by jr_parse. */
static bool
build_value(struct template_build *b, const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return build_object(b, (json_t *)v);
	case JSON_ARRAY:
		return build_array(b, v);
	case JSON_STRING:
		return template_parse_text(b, jr_text(v), true);
	default:
		buf_str(&b->literal, jr_dump(b->arena, v));
		return true;
	}
}

bool
template_json(struct arena *a, struct str json, const char *field, struct template **out,
	struct err *e)
{
	struct template_build b;
	struct err why;
	json_t *v;

	if (json.n > TEMPLATE_JSON_MAX)
		return fail(
			e, ERR_INPUT, "%s: longer than %zu bytes", field, TEMPLATE_JSON_MAX);
	if (!jr_parse(a, json, &v, &why))
		return fail(e, ERR_INPUT, "%s: %s", field, why.msg);
	begin_build(&b, a, field, e);
	b.t->is_json = true;
	if (v == NULL)
		buf_str(&b.literal, STR("null"));
	else if (!build_value(&b, v))
		return false;
	template_parse_flush(&b);
	*out = b.t;
	return true;
}

/* ---- rendering ------------------------------------------------------------------ */

/* ${v} is settled at ${mark}. */
static void
put_text(struct template_run *r, size_t mark, struct value v)
{
	v = template_eval_settle(r, mark, template_eval_text(r, v));
	if (!v.in_out)
		buf_str(r->out, v.text);
}

/* As part of a JSON string, or with ${quote} as one. */
static void
put_string(struct template_run *r, size_t mark, struct value v, struct str quote)
{
	size_t at;

	if (v.type != VALUE_ESCAPED)
		v = template_eval_settle(r, mark, template_eval_text(r, v));
	at = r->out->n;
	buf_str(r->out, quote);
	if (v.type == VALUE_ESCAPED)
		buf_add(r->out, v.text.p + 1, v.text.n - 2);
	else
		template_eval_escape(r, &v);
	buf_str(r->out, quote);
	if (v.in_out)
		template_eval_settle(r, mark, template_eval_made(r, VALUE_TEXT, at));
}

static void
put_typed(struct template_run *r, size_t mark, struct value v)
{
	if (v.type == VALUE_BOOL || v.type == VALUE_NUMBER || v.type == VALUE_JSON)
		put_text(r, mark, v);
	else
		put_string(r, mark, v, STR("\""));
}

/* Runs chunk ${i}; returns the one to run next. */
static size_t
step(struct template_run *r, const struct template *t, size_t i)
{
	const struct chunk *c = &t->chunks[i];
	size_t mark = r->out->n;
	struct value v;

	if (c->op == CHUNK_LITERAL) {
		buf_str(r->out, c->literal);
		return i + 1;
	}
	if (c->op == CHUNK_JUMP)
		return c->target;
	v = template_eval_settle(r, mark, template_eval_node(r, c->expr));
	switch (c->op) {
	case CHUNK_STRING:
		put_string(r, mark, v, STR(""));
		break;
	case CHUNK_TYPED:
		put_typed(r, mark, v);
		break;
	case CHUNK_JUMP_UNLESS:
		i = template_eval_truth(r, &v) ? i + 1 : c->target;
		r->out->n = mark;
		return i;
	default:
		put_text(r, mark, v);
		break;
	}
	return i + 1;
}

static bool
is_too_large(const struct template_run *r)
{
	return r->too_large || r->out->n - r->start > r->max;
}

bool
template_render(
	const struct template *t, const struct template_vars *v, size_t max, struct buf *out)
{
	struct template_run r = {.vars = v, .out = out, .start = out->n, .max = max};

	for (size_t i = 0; i < t->nchunks;) {
		i = step(&r, t, i);
		if (is_too_large(&r)) {
			out->n = r.start;
			return false;
		}
	}
	return true;
}

bool
template_is_constant(const struct template *t)
{
	return !t->uses_variables;
}

bool
template_uses_channel(const struct template *t)
{
	return t->uses_channel;
}

/* Runs the program for the sender alone, and sees where the id would have gone. */
bool
template_as_affix(const struct template *t, struct arena *a, const struct user *sender,
	struct str *prefix, struct str *suffix)
{
	struct template_vars vars = {.sender = sender};
	struct template_run r = {.vars = &vars, .max = AFFIX_MAX};
	size_t ids = 0, split = 0;
	struct buf out;

	if (t->is_json || t->uses_channel || t->uses_receiver)
		return false;
	buf_init(&out, a, 64);
	r.out = &out;
	for (size_t i = 0; i < t->nchunks;) {
		if (t->chunks[i].op == CHUNK_RECEIVER_ID) {
			ids++;
			i++;
			split = out.n;
		} else {
			i = step(&r, t, i);
		}
		if (is_too_large(&r))
			return false;
	}
	if (ids != 1)
		return false;
	*prefix = str_sub(buf_view(&out), 0, split);
	*suffix = str_sub(buf_view(&out), split, out.n - split);
	return true;
}
