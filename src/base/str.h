/* str – a borrowed piece of text (pointer and length), and buf, a growing one.
 *
 * A struct str owns nothing and need not end in NUL; p == NULL means "no value" (SQL NULL,
 * absent JSON key), which is different from the empty string. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/macros.h"

struct str {
	const char *p; /* NULL: no value */
	size_t n;
};

#define STR(lit) ((struct str){"" lit, sizeof(lit) - 1})
#define STR_INIT(lit)                   \
	{                               \
		"" lit, sizeof(lit) - 1 \
	} /* in initialisers of static data */
#define STR_NONE ((struct str){NULL, 0})
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)MIN_OF((s).n, (size_t)1 << 20), ((s).p ? (s).p : "")

static inline struct str
str_of(const char *c)
{
	return (struct str){c, c ? strlen(c) : 0};
}

static inline struct str
str_sub(struct str s, size_t from, size_t n)
{
	return (struct str){s.p + from, n};
}

static inline bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

#define str_is(s, lit) str_eq((s), STR(lit))

static inline bool
str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_sub(s, 0, prefix.n), prefix);
}

bool str_ends(struct str s, struct str suffix);
/* ASCII only. */
bool str_ieq(struct str a, struct str b);
/* Byte order, shorter first: <0, 0, >0.  For qsort: str_cmp_qsort over struct str. */
int str_cmp(struct str a, struct str b);
int str_cmp_qsort(const void *a, const void *b);
/* Without ASCII white space at both ends. */
struct str str_trim(struct str s);
/* Index of the first ${c} at or after ${from}, or s.n. */
size_t str_find(struct str s, char c, size_t from);

/* The whole of ${s} as a decimal integer; false on anything else, overflow included. */
bool str_to_i64(struct str s, int64_t *out);
/* The number of Unicode code points; bytes that are not UTF-8 count one each. */
size_t str_utf8_len(struct str s);
bool str_utf8_valid(struct str s);
/* The length (1 to 4) of the UTF-8 sequence that ${s} begins with; 0 when it begins with
 * none.  Overlong forms and surrogates are none. */
size_t str_utf8_seq(struct str s);
/* The UTF-8 of the code point ${c}; returns its length. */
size_t str_utf8_put(uint32_t c, char to[4]);
/* ${s} cut to at most ${max} bytes, never inside a UTF-8 sequence. */
struct str str_clip(struct str s, size_t max);
/* What messages may repeat of ${s}: an URL only up to "://", since a password may follow. */
struct str str_public(struct str s);

/* ---- buf ------------------------------------------------------------------------ */

struct arena;

/* Invariants: n <= cap; p[n] may be written when n < cap; memory belongs to ${arena}, or
 * to the heap when arena is NULL (then buf_free it).  Growing moves p. */
struct buf {
	char *p;
	size_t n, cap;
	struct arena *arena;
};

void buf_init(struct buf *b, struct arena *arena, size_t cap);
void buf_free(struct buf *b); /* heap buffers only; arena ones: no effect */

/* For buf_room() alone. */
void buf_grow(struct buf *b, size_t n);

/* Room for ${n} more bytes; returns where they go.  Commit with b->n += written. */
static inline char *
buf_room(struct buf *b, size_t n)
{
	if (b->p == NULL || b->cap - b->n < n)
		buf_grow(b, n);
	return b->p + b->n;
}

void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_i64(struct buf *b, int64_t v);

static inline void
buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	memcpy(buf_room(b, n), p, n);
	b->n += n;
}

static inline void
buf_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}

static inline void
buf_char(struct buf *b, char c)
{
	*buf_room(b, 1) = c;
	b->n++;
}

static inline struct str
buf_view(const struct buf *b)
{
	return (struct str){b->p ? b->p : "", b->n};
}
