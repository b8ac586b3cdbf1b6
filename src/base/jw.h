/* jw – writing JSON: straight into a buf, no tree, no allocation of its own.
 *
 * Commas and quoting are kept by the writer; nesting is checked with assert().  Strings are
 * expected to be UTF-8; bytes that are not are replaced by U+FFFD, so output is always
 * valid JSON. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define JW_MAX_DEPTH 128

struct jw {
	struct buf *out;
	unsigned depth;
	bool after_key;
	bool after_item;                  /* a comma is due */
	uint8_t is_obj[JW_MAX_DEPTH / 8]; /* bit per level: members, so keys are due */
};

void jw_init(struct jw *w, struct buf *out);

void jw_obj(struct jw *w); /* { */
void jw_end_obj(struct jw *w);
void jw_arr(struct jw *w); /* [ */
void jw_end_arr(struct jw *w);
void jw_key(struct jw *w, struct str key);

void jw_str(struct jw *w, struct str s); /* p == NULL writes null */
void jw_i64(struct jw *w, int64_t v);
void jw_double(struct jw *w, double v); /* shortest form that reads back equal; finite */
void jw_bool(struct jw *w, bool v);
void jw_null(struct jw *w);
/* ${json} is one complete JSON value, written as it is. */
void jw_raw(struct jw *w, struct str json);
/* ${json} is one complete JSON object: its members are written into the object that is
 * open here, without its braces.  Used to flatten custom data (api.md §0.4). */
void jw_members(struct jw *w, struct str json);

/* A key of the program's own: it needs no escape. */
void jw_name(struct jw *w, struct str key);

/* Such a key and its value in one call.  Inline, so that the lengths of literals are constants.
 */
static inline void
jw_kstr(struct jw *w, const char *key, struct str s)
{
	jw_name(w, str_of(key));
	jw_str(w, s);
}

static inline void
jw_ki64(struct jw *w, const char *key, int64_t v)
{
	jw_name(w, str_of(key));
	jw_i64(w, v);
}

static inline void
jw_kbool(struct jw *w, const char *key, bool v)
{
	jw_name(w, str_of(key));
	jw_bool(w, v);
}

static inline void
jw_knull(struct jw *w, const char *key)
{
	jw_name(w, str_of(key));
	jw_null(w);
}

static inline void
jw_kraw(struct jw *w, const char *key, struct str json)
{
	jw_name(w, str_of(key));
	jw_raw(w, json);
}

static inline void
jw_kobj(struct jw *w, const char *key)
{
	jw_name(w, str_of(key));
	jw_obj(w);
}

static inline void
jw_karr(struct jw *w, const char *key)
{
	jw_name(w, str_of(key));
	jw_arr(w);
}

/* ${s} with JSON escaping and no quotes, appended to ${out}; shared with templates. */
void jw_escape(struct buf *out, struct str s);
