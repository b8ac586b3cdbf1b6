/* jscan – a cursor over JSON bytes: finds one value by path without building a tree.
 *
 * For the per-recipient paths (filters on custom fields, templates), where a tree costs ten
 * times more.  The text must be valid JSON (it came out of our own store). */
#pragma once
#include <stdbool.h>

#include "base/str.h"

struct arena;

enum jscan_type {
	JSCAN_NONE,
	JSCAN_NULL,
	JSCAN_FALSE,
	JSCAN_TRUE,
	JSCAN_NUMBER,
	JSCAN_STRING,
	JSCAN_OBJECT,
	JSCAN_ARRAY
};

struct jscan_value {
	enum jscan_type type;
	struct str raw; /* the bytes of the value, quotes and brackets included; borrowed */
};

/* Of the value that ${json} begins with, which is not looked at any further; NONE: it begins
 * with none. */
enum jscan_type jscan_type_of(struct str json);

/* The member ${key} of the object ${json}; type NONE when absent or no object.  Keys are
 * compared after unescaping. */
struct jscan_value jscan_member(struct str json, struct str key);
/* A path of keys: "address.city" split by the caller into ${keys}. */
struct jscan_value jscan_path(struct str json, const struct str *keys, size_t n);

/* Walks the elements of an array: *at starts at 0; false at the end. */
bool jscan_next(struct str array, size_t *at, struct jscan_value *out);
/* Walks the members of an object; ${key} is the raw text between the quotes. */
bool jscan_next_member(struct str object, size_t *at, struct str *key, struct jscan_value *out);

/* The text of a STRING value with escapes resolved, appended to ${out}. */
void jscan_unescape(struct buf *out, struct str raw);
/* The text of a STRING, in the arena; p == NULL for any other type. */
struct str jscan_text(struct arena *, struct jscan_value v);
/* True when ${raw} (a STRING) has no escapes; then the text is raw without its quotes. */
bool jscan_plain(struct str raw, struct str *text);
/* A NUMBER as double. */
double jscan_number(struct str raw);
