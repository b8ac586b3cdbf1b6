/* shape – objects of requests, checked against a table. */
#include "domain/shape.h"

#include <assert.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/jw.h"

#define SHOWN_MAX 64

/* Whether ${word} stands in a list with spaces between. */
static bool
is_listed(const char *words, struct str word)
{
	struct str list;

	assert(words != NULL);
	list = str_of(words);

	for (size_t at = 0; at <= list.n;) {
		size_t end = str_find(list, ' ', at);

		if (str_eq(str_sub(list, at, end - at), word))
			return true;
		at = end + 1;
	}
	return false;
}

/* A scheme that can be called, a host, and nothing that would end a line or a header. */
static bool
is_url(struct str s)
{
	size_t host = str_starts(s, STR("http://"))    ? 7
		      : str_starts(s, STR("https://")) ? 8
						       : 0;

	if (host == 0 || host == s.n || memchr("/?#:@", s.p[host], 5) != NULL)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

static bool
check_texts(const struct shape *s, const json_t *list, struct err *e)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);

		if (!json_is_string(v))
			return fail(e, ERR_INPUT, "%s[%zu]: expected a string, got %s", s->name,
				i, jr_type_name(v));
		if (str_utf8_len(jr_text(v)) > SHAPE_ELEMENT_MAX)
			return fail(e, ERR_INPUT, "%s[%zu]: longer than %d characters", s->name,
				i, SHAPE_ELEMENT_MAX);
	}
	return true;
}

static bool
check_lists(const struct shape *s, json_t *lists, struct err *e)
{
	const char *key;
	json_t *list;

	if (json_object_size(lists) > (size_t)s->hi)
		return fail(e, ERR_INPUT, "%s: at most %lld members, got %zu", s->name,
			(long long)s->hi, json_object_size(lists));
	json_object_foreach(lists, key, list)
	{
		struct shape one = {.name = s->name};

		if (!json_is_array(list) || json_array_size(list) > (size_t)s->hi)
			return fail(e, ERR_INPUT,
				"%s: expected each member to be an array of at most %lld "
				"strings",
				s->name, (long long)s->hi);
		if (!check_texts(&one, list, e))
			return false;
	}
	return true;
}

static bool
read_text(const json_t *from, const struct shape *s, struct err *e)
{
	struct str text = STR_NONE, shown;

	if (s->kind == SHAPE_TEXT)
		return jr_str_max(from, s->name, REQUIRED, (size_t)s->hi, &text, e);
	if (!jr_str_max(from, s->name, REQUIRED, SHAPE_URL_MAX, &text, e))
		return false;
	shown = str_clip(text, SHOWN_MAX);
	if (s->kind == SHAPE_URL && text.n > 0 && !is_url(text))
		return fail(e, ERR_INPUT,
			"%s: expected an http:// or https:// URL, got \"%.*s\"", s->name,
			STR_ARG(shown));
	if (s->kind == SHAPE_CHOICE && !is_listed(s->words, text))
		return fail(e, ERR_INPUT, "%s: expected one of %s, got \"%.*s\"", s->name,
			s->words, STR_ARG(shown));
	return true;
}

/* One member that is there and not null; *v becomes what is taken over. */
static bool
read_member(
	struct arena *a, const json_t *from, const struct shape *s, json_t **v, struct err *e)
{
	int64_t n = 0;
	bool b = false;

	switch (s->kind) {
	case SHAPE_BOOL:
		return jr_bool(from, s->name, REQUIRED, &b, e);
	case SHAPE_TEXT:
	case SHAPE_URL:
	case SHAPE_CHOICE:
		return read_text(from, s, e);
	case SHAPE_INT:
	case SHAPE_TIME:
		if (s->kind == SHAPE_INT ? !jr_int(from, s->name, REQUIRED, s->lo, s->hi, &n, e)
					 : !jr_time(from, s->name, REQUIRED, &n, e))
			return false;
		*v = jr_own(a, json_integer(n));
		return true;
	case SHAPE_TEXTS:
		return jr_arr(from, s->name, REQUIRED, (size_t)s->hi, v, e) &&
		       check_texts(s, *v, e);
	case SHAPE_LISTS:
		return jr_obj(from, s->name, REQUIRED, v, e) && check_lists(s, *v, e);
	case SHAPE_OBJECT:
		if (!jr_obj(from, s->name, REQUIRED, v, e))
			return false;
		return shape_read(a, *v, s->members, s->nmembers, v, e) || fail_in(e, s->name);
	}
	return true;
}

bool
shape_read(struct arena *a, const json_t *from, const struct shape *members, size_t n,
	json_t **out, struct err *e)
{
	json_t *taken = jr_own(a, json_object());

	for (size_t i = 0; i < n; i++) {
		const struct shape *s = &members[i];
		json_t *v = json_object_get(from, s->name);

		if (v == NULL || (json_is_null(v) && !s->keeps_null))
			continue;
		if (!json_is_null(v) && !read_member(a, from, s, &v, e))
			return false;
		json_object_set(taken, s->name, v);
	}
	*out = taken;
	return true;
}

void
shape_write(struct jw *w, const json_t *object, const struct shape *members, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct shape *s = &members[i];
		const json_t *v = json_object_get(object, s->name);

		if (v == NULL || s->is_secret)
			continue;
		jw_key(w, str_of(s->name));
		if (s->kind != SHAPE_OBJECT) {
			jr_write(w, v);
			continue;
		}
		jw_obj(w);
		shape_write(w, v, s->members, s->nmembers);
		jw_end_obj(w);
	}
}

void
shape_keep_secrets(json_t *object, const json_t *old, const struct shape *members, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct shape *s = &members[i];
		json_t *v = json_object_get(object, s->name);
		json_t *before = json_object_get(old, s->name);

		if (s->kind == SHAPE_OBJECT && v != NULL)
			shape_keep_secrets(v, before, s->members, s->nmembers);
		else if (s->is_secret && before != NULL && jr_text(v).n == 0)
			json_object_set(object, s->name, before);
	}
}
