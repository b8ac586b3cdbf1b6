/* patch – applying set and unset by dotted path. */
#include "domain/patch.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"

bool
patch_path(struct arena *a, json_t *doc, struct str path, json_t *value, struct err *e)
{
	json_t *at = doc;
	size_t from = 0;

	for (int depth = 1;; depth++) {
		size_t dot = str_find(path, '.', from);
		struct str key = arena_dup(a, str_sub(path, from, dot - from));
		json_t *next;

		if (key.n == 0 || depth > PATCH_MAX_KEYS)
			return fail(e, ERR_INPUT,
				"%.*s: expected 1 to %d keys between dots, none of them empty",
				STR_ARG(path), PATCH_MAX_KEYS);
		if (dot == path.n) {
			if (value == NULL)
				json_object_del(at, key.p);
			else
				json_object_set(at, key.p, value);
			return true;
		}
		next = json_object_get(at, key.p);
		if (next == NULL && value == NULL)
			return true;
		if (next == NULL || json_is_null(next)) {
			next = json_object();
			json_object_set_new(at, key.p, next);
		}
		if (!json_is_object(next))
			return fail(e, ERR_INPUT, "%.*s: %.*s is %s, not an object",
				STR_ARG(path), STR_ARG(key), jr_type_name(next));
		at = next;
		from = dot + 1;
	}
}

static bool
is_among(struct str name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(name, str_of(names[i])))
			return true;
	return false;
}

struct change {
	struct arena *arena;
	json_t *doc;
	bool nests_custom;
	const char *const *own, *const *reserved;
	size_t nown, nreserved;
};

/* One path of custom data; value NULL removes it. */
static bool
change(const struct change *c, struct str path, json_t *value, struct err *e)
{
	struct str first = str_sub(path, 0, str_find(path, '.', 0));

	if (is_among(path, c->own, c->nown))
		return true;
	if (c->nests_custom && str_is(path, "custom")) {
		if (value != NULL && !json_is_object(value))
			return fail(e, ERR_INPUT, "custom: expected an object, got %s",
				jr_type_name(value));
		json_object_clear(c->doc);
		if (value != NULL)
			json_object_update(c->doc, value);
		return true;
	}
	if (c->nests_custom && str_is(first, "custom"))
		return patch_path(c->arena, c->doc, str_sub(path, 7, path.n - 7), value, e);
	if (is_among(first, c->reserved, c->nreserved))
		return fail(e, ERR_INPUT, "%.*s: cannot be changed here", STR_ARG(path));
	return patch_path(c->arena, c->doc, path, value, e);
}

bool
patch_custom(struct arena *a, const struct patch *p, struct str custom, const char *const *own,
	size_t nown, const char *const *reserved, size_t nreserved, size_t max, struct str *out,
	struct err *e)
{
	struct change c = {a, NULL, p->nests_custom, own, reserved, nown, nreserved};
	json_t *value, *tree;
	const char *key;

	if (!jr_parse(a, custom.p ? custom : STR("{}"), &c.doc, e))
		return false;
	json_object_foreach(p->set, key, value)
	{
		if (!change(&c, str_of(key), value, e))
			return fail_in(e, "set");
	}
	for (size_t i = 0; i < p->nunset; i++)
		if (!change(&c, p->unset[i], NULL, e))
			return fail_in(e, "unset");
	*out = jr_dump(a, c.doc);
	if (out->n > max)
		return fail(e, ERR_INPUT, "set: custom data is larger than %zu bytes", max);
	/* Paths can nest deeper than one request may: it must stay readable. */
	return jr_parse(a, *out, &tree, e);
}

bool
patch_touches(const struct patch *p, const char *name, json_t **value)
{
	*value = json_object_get(p->set, name);
	if (*value != NULL) {
		if (json_is_null(*value))
			*value = NULL;
		return true;
	}
	for (size_t i = 0; i < p->nunset; i++)
		if (str_eq(p->unset[i], str_of(name)))
			return true;
	return false;
}
