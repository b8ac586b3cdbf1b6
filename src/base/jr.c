/* jr – parsing with jansson, and reading typed members of an object. */
#include "base/jr.h"

#include <inttypes.h>
#include <math.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jw.h"
#include "base/log.h"

#define SHOWN_MAX 64 /* bytes of a client's text that a message repeats */
#define TWO_63    9223372036854775808.0

static void
release_tree(void *root)
{
	json_decref(root);
}

static bool
is_blank(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\n' && s.p[i] != '\r')
			return false;
	return true;
}

/* Looked at before parsing, so that the parser's recursion is bounded by us.  Text that is
 * not JSON may fool this count, but then the parser stops where the JSON does. */
static bool
is_too_deep(struct str s)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JR_MAX_DEPTH)
				return true;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

json_t *
jr_own(struct arena *a, json_t *tree)
{
	if (tree == NULL)
		panic("out of memory: a JSON tree");
	arena_defer(a, release_tree, tree);
	return tree;
}

bool
jr_parse(struct arena *a, struct str text, json_t **out, struct err *e)
{
	json_error_t why;
	json_t *root;

	*out = NULL;
	if (is_blank(text))
		return true;
	if (is_too_deep(text))
		return fail(e, ERR_INPUT, "invalid JSON: nested deeper than %d levels",
			JR_MAX_DEPTH);
	/* jansson lets one pass behind a number. */
	if (memchr(text.p, '\0', text.n) != NULL)
		return fail(e, ERR_INPUT, "invalid JSON: a NUL byte");
	root = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (root == NULL)
		return fail(e, ERR_INPUT, "invalid JSON at line %d, column %d: %s", why.line,
			why.column, why.text);
	if (json_is_null(root))
		return true;
	*out = jr_own(a, root);
	return true;
}

const char *
jr_type_name(const json_t *v)
{
	if (v == NULL)
		return "nothing";
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		return "null";
	}
	return "nothing";
}

struct str
jr_text(const json_t *v)
{
	return (struct str){json_string_value(v), json_string_length(v)};
}

/* Finds the member; *v = NULL when there is nothing to read.  False when that is wrong. */
static bool
find(const json_t *obj, const char *key, enum jr_need need, json_t **v, struct err *e)
{
	*v = json_object_get(obj, key);
	if (json_is_null(*v))
		*v = NULL;
	if (*v == NULL && need == REQUIRED)
		return fail(e, ERR_INPUT, "%s: is required", key);
	return true;
}

static bool
fail_type(struct err *e, const char *key, const char *wanted, const json_t *got)
{
	return fail(e, ERR_INPUT, "%s: expected %s, got %s", key, wanted, jr_type_name(got));
}

/* The value as an integer when it is one, written as 5 or 5.0. */
static bool
as_integer(const json_t *v, int64_t *out)
{
	double d;

	if (json_is_integer(v)) {
		*out = json_integer_value(v);
		return true;
	}
	if (!json_is_real(v))
		return false;
	d = json_real_value(v);
	if (d != floor(d) || d < -TWO_63 || d >= TWO_63)
		return false;
	*out = (int64_t)d;
	return true;
}

bool
jr_str(const json_t *obj, const char *key, enum jr_need need, struct str *out, struct err *e)
{
	json_t *v;

	if (!find(obj, key, need, &v, e))
		return false;
	if (v == NULL)
		return true;
	if (!json_is_string(v))
		return fail_type(e, key, "a string", v);
	*out = jr_text(v);
	return true;
}

bool
jr_str_max(const json_t *obj, const char *key, enum jr_need need, size_t max, struct str *out,
	struct err *e)
{
	struct str s = STR_NONE;

	if (!jr_str(obj, key, need, &s, e))
		return false;
	if (s.p == NULL)
		return true;
	if (s.n > max && str_utf8_len(s) > max)
		return fail(e, ERR_INPUT, "%s: longer than %zu characters", key, max);
	*out = s;
	return true;
}

bool
jr_bool(const json_t *obj, const char *key, enum jr_need need, bool *out, struct err *e)
{
	json_t *v;

	if (!find(obj, key, need, &v, e))
		return false;
	if (v == NULL)
		return true;
	if (!json_is_boolean(v))
		return fail_type(e, key, "a boolean", v);
	*out = json_is_true(v);
	return true;
}

bool
jr_flag(const json_t *obj, const char *key, int *out, struct err *e)
{
	json_t *v;
	bool is_true = false;

	*out = -1;
	if (!find(obj, key, OPTIONAL, &v, e) || v == NULL)
		return true;
	if (!jr_bool(obj, key, REQUIRED, &is_true, e))
		return false;
	*out = is_true;
	return true;
}

bool
jr_int(const json_t *obj, const char *key, enum jr_need need, int64_t lo, int64_t hi,
	int64_t *out, struct err *e)
{
	json_t *v;
	int64_t n;

	if (!find(obj, key, need, &v, e))
		return false;
	if (v == NULL)
		return true;
	if (!as_integer(v, &n)) {
		if (json_is_real(v))
			return fail(e, ERR_INPUT, "%s: expected an integer, got %.17g", key,
				json_real_value(v));
		return fail_type(e, key, "an integer", v);
	}
	if (n < lo || n > hi)
		return fail(e, ERR_INPUT,
			"%s: must be between %" PRId64 " and %" PRId64 ", got %" PRId64, key,
			lo, hi, n);
	*out = n;
	return true;
}

/* Nanoseconds are cut downwards, before 1970 too. */
bool
jr_time(const json_t *obj, const char *key, enum jr_need need, int64_t *us, struct err *e)
{
	struct str text;
	json_t *v;
	int64_t ns;

	if (!find(obj, key, need, &v, e))
		return false;
	if (v == NULL)
		return true;
	if (as_integer(v, &ns)) {
		*us = ns / 1000 - (ns % 1000 < 0 ? 1 : 0);
		return true;
	}
	if (!json_is_string(v))
		return fail_type(e, key, "an RFC 3339 time or an integer of nanoseconds", v);
	text = jr_text(v);
	if (!clock_from_rfc3339(text, us)) {
		text = str_clip(text, SHOWN_MAX);
		return fail(e, ERR_INPUT, "%s: expected an RFC 3339 time, got \"%.*s\"", key,
			STR_ARG(text));
	}
	return true;
}

bool
jr_obj(const json_t *obj, const char *key, enum jr_need need, json_t **out, struct err *e)
{
	json_t *v;

	if (!find(obj, key, need, &v, e))
		return false;
	if (v == NULL)
		return true;
	if (!json_is_object(v))
		return fail_type(e, key, "an object", v);
	*out = v;
	return true;
}

bool
jr_arr(const json_t *obj, const char *key, enum jr_need need, size_t max, json_t **out,
	struct err *e)
{
	json_t *v;

	if (!find(obj, key, need, &v, e))
		return false;
	if (v == NULL)
		return true;
	if (!json_is_array(v))
		return fail_type(e, key, "an array", v);
	if (json_array_size(v) > max)
		return fail(e, ERR_INPUT, "%s: at most %zu elements, got %zu", key, max,
			json_array_size(v));
	*out = v;
	return true;
}

bool
jr_strs(struct arena *a, const json_t *obj, const char *key, enum jr_need need, size_t max,
	struct str **out, size_t *n, struct err *e)
{
	json_t *list = NULL;
	struct str *strs;
	size_t count;

	if (!jr_arr(obj, key, need, max, &list, e))
		return false;
	if (list == NULL)
		return true;
	count = json_array_size(list);
	strs = arena_array(a, count, sizeof(*strs));
	for (size_t i = 0; i < count; i++) {
		const json_t *v = json_array_get(list, i);

		if (!json_is_string(v))
			return fail(e, ERR_INPUT, "%s[%zu]: expected a string, got %s", key, i,
				jr_type_name(v));
		strs[i] = jr_text(v);
	}
	*out = strs;
	*n = count;
	return true;
}

/* Recursion is bounded: jw refuses to open more than JW_MAX_DEPTH levels. */
void
jr_write(struct jw *w, const json_t *v)
{
	json_t *tree = (json_t *)v; /* jansson's iterators are not const */
	json_t *item;
	const char *key;
	size_t i, len;

	switch (json_typeof(v)) {
	case JSON_OBJECT:
		jw_obj(w);
		json_object_keylen_foreach(tree, key, len, item)
		{
			jw_key(w, (struct str){key, len});
			jr_write(w, item);
		}
		jw_end_obj(w);
		break;
	case JSON_ARRAY:
		jw_arr(w);
		json_array_foreach(tree, i, item) jr_write(w, item);
		jw_end_arr(w);
		break;
	case JSON_STRING:
		jw_str(w, jr_text(v));
		break;
	case JSON_INTEGER:
		jw_i64(w, json_integer_value(v));
		break;
	case JSON_REAL:
		jw_double(w, json_real_value(v));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		jw_bool(w, json_is_true(v));
		break;
	case JSON_NULL:
		jw_null(w);
		break;
	}
}

struct str
jr_dump(struct arena *a, const json_t *v)
{
	struct buf out;
	struct jw w;

	buf_init(&out, a, 256);
	jw_init(&w, &out);
	jr_write(&w, v);
	return buf_view(&out);
}
