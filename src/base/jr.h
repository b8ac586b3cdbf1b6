/* jr – reading JSON: a strict parse, and typed getters that say where it went wrong.
 *
 * The tree is jansson's; getters fail with ERR_INPUT and a message such as
 * "message_template.text: expected a string, got an integer".  A key that is absent or
 * null counts as absent (api.md §1.1).  Strings in results are borrowed from the tree. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct err;
struct jw;

enum jr_need { OPTIONAL, REQUIRED };

#define JR_MAX_DEPTH 64

/* Parses the whole of ${text}: duplicate keys, NUL, lone surrogates, invalid UTF-8, numbers
 * out of range and nesting deeper than JR_MAX_DEPTH are refused.  The tree lives as long as
 * the arena.  Empty text and "null" give *out = NULL (api.md §1.1: bodies of bodyless
 * calls).  Fails: INPUT. */
bool jr_parse(struct arena *a, struct str text, json_t **out, struct err *e) MUST_USE;

/* Frees ${tree} with the arena; returns it.  NULL is jansson's way to say that memory ran out,
 * and ends the process. */
json_t *jr_own(struct arena *, json_t *tree);

/* Each leaves *out untouched when the key is absent or null and OPTIONAL.  Fails: INPUT. */
bool jr_str(const json_t *obj, const char *key, enum jr_need, struct str *out, struct err *);
bool jr_bool(const json_t *obj, const char *key, enum jr_need, bool *out, struct err *);
/* A boolean of three states: 0, 1, or −1 when absent. */
bool jr_flag(const json_t *obj, const char *key, int *out, struct err *);
/* An integer (also a float without fraction) in [lo, hi]. */
bool jr_int(const json_t *obj, const char *key, enum jr_need, int64_t lo, int64_t hi,
	int64_t *out, struct err *);
/* RFC 3339 text or an integer of nanoseconds (api.md §0.4) → microseconds. */
bool jr_time(const json_t *obj, const char *key, enum jr_need, int64_t *us, struct err *);
bool jr_obj(const json_t *obj, const char *key, enum jr_need, json_t **out, struct err *);
/* At most ${max} elements. */
bool jr_arr(const json_t *obj, const char *key, enum jr_need, size_t max, json_t **out,
	struct err *);
/* A list of strings, in the arena; the same element rules as jr_arr.  Elements that are
 * null or not strings are refused by position: "user_ids[3]: expected a string, got null". */
bool jr_strs(struct arena *, const json_t *obj, const char *key, enum jr_need, size_t max,
	struct str **out, size_t *n, struct err *);
/* As jr_str, and at most ${max} code points long ("name: longer than 128 characters"). */
bool jr_str_max(const json_t *obj, const char *key, enum jr_need, size_t max, struct str *out,
	struct err *);

/* "a string", "an integer", "null" … for messages. */
const char *jr_type_name(const json_t *v);
/* A jansson string as a str. */
struct str jr_text(const json_t *v);
/* Writes the value, keys in their order of insertion. */
void jr_write(struct jw *, const json_t *v);
/* The same as compact JSON text in the arena. */
struct str jr_dump(struct arena *, const json_t *v);
