/* patch – partial updates of JSON documents: {"set": {"a.b": 1}, "unset": ["c"]}. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct err;

#define PATCH_MAX_KEYS 8 /* in a dotted path */

struct patch {
	json_t *set; /* object or NULL */
	struct str *unset;
	size_t nunset;
	/* v2: custom data may be said as "custom" or "custom.x" too. */
	bool nests_custom;
};

/* Sets what stands at the dotted ${path} of ${doc}; value NULL removes it.  Fails: INPUT. */
bool
patch_path(struct arena *, json_t *doc, struct str path, json_t *value, struct err *e) MUST_USE;

/* Applies a patch to custom data (a JSON object, or p == NULL), but for the names ${own},
 * which the caller handles.  A path that begins with one of ${reserved} is refused.  *out: the
 * object, at most ${max} bytes.  Fails: INPUT naming the path. */
bool patch_custom(struct arena *, const struct patch *, struct str custom,
	const char *const *own, size_t nown, const char *const *reserved, size_t nreserved,
	size_t max, struct str *out, struct err *e) MUST_USE;

/* Whether a patch touches the field ${name} of an object: *value is what it sets, or NULL when
 * it unsets it or sets it to null. */
bool patch_touches(const struct patch *, const char *name, json_t **value);
