/* str – comparing, searching and measuring text; the growing buffer. */
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"

#define BUF_MIN 64

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool
str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_eq(str_sub(s, s.n - suffix.n, suffix.n), suffix);
}

bool
str_ieq(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

int
str_cmp(struct str a, struct str b)
{
	size_t n = MIN_OF(a.n, b.n);
	int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

	if (c != 0)
		return c;
	return (a.n > b.n) - (a.n < b.n);
}

int
str_cmp_qsort(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str
str_trim(struct str s)
{
	while (s.n > 0 && is_space(s.p[0]))
		s = str_sub(s, 1, s.n - 1);
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

size_t
str_find(struct str s, char c, size_t from)
{
	const char *hit;

	if (from >= s.n)
		return s.n;
	hit = memchr(s.p + from, c, s.n - from);
	return hit ? (size_t)(hit - s.p) : s.n;
}

/* Counts downwards from zero: the negative range is the larger one. */
bool
str_to_i64(struct str s, int64_t *out)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	size_t i = negative ? 1 : 0;
	int64_t v = 0;

	if (i == s.n)
		return false;
	for (; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(v, 10, &v) ||
			__builtin_sub_overflow(v, s.p[i] - '0', &v))
			return false;
	}
	if (!negative && __builtin_sub_overflow(0, v, &v))
		return false;
	*out = v;
	return true;
}

size_t
str_utf8_seq(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned char lo = 0x80, hi = 0xbf; /* what the second byte may be */
	size_t len;

	if (s.n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (s.n < len)
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

size_t
str_utf8_len(struct str s)
{
	size_t count = 0;

	for (size_t i = 0; i < s.n; count++) {
		size_t len = str_utf8_seq(str_sub(s, i, s.n - i));

		i += len ? len : 1;
	}
	return count;
}

bool
str_utf8_valid(struct str s)
{
	for (size_t i = 0; i < s.n;) {
		size_t len = str_utf8_seq(str_sub(s, i, s.n - i));

		if (len == 0)
			return false;
		i += len;
	}
	return true;
}

size_t
str_utf8_put(uint32_t c, char to[4])
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xC0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xE0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3F));
		to[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	to[0] = (char)(0xF0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3F));
	to[2] = (char)(0x80 | (c >> 6 & 0x3F));
	to[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}

struct str
str_clip(struct str s, size_t max)
{
	size_t n = max;

	if (s.n <= max)
		return s;
	/* At most three steps back: text that is not UTF-8 is cut anywhere. */
	while (n > 0 && max - n < 3 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return (struct str){s.p, n};
}

struct str
str_public(struct str s)
{
	const char *scheme = s.n == 0 ? NULL : memmem(s.p, s.n, "://", 3);

	return scheme == NULL ? s : str_sub(s, 0, (size_t)(scheme + 3 - s.p));
}

void
buf_grow(struct buf *b, size_t n)
{
	size_t need, cap;
	char *p;

	if (__builtin_add_overflow(b->n, n, &need) || need > PTRDIFF_MAX)
		panic("buffer of %zu bytes cannot take %zu more", b->n, n);
	cap = MAX_OF(MAX_OF(need, 2 * b->cap), (size_t)BUF_MIN);
	if (b->arena == NULL) {
		p = realloc(b->p, cap);
		if (p == NULL)
			panic("out of memory: a buffer of %zu bytes", cap);
	} else if (b->p != NULL && arena_extend(b->arena, b->p, b->cap, cap)) {
		p = b->p;
	} else {
		p = arena_alloc(b->arena, cap);
		if (b->p != NULL)
			memcpy(p, b->p, b->n);
	}
	b->p = p;
	b->cap = cap;
}

void
buf_init(struct buf *b, struct arena *arena, size_t cap)
{
	*b = (struct buf){.arena = arena};
	if (cap > 0)
		buf_grow(b, cap);
}

void
buf_free(struct buf *b)
{
	if (b->arena != NULL)
		return;
	free(b->p);
	*b = (struct buf){0};
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	char *room = buf_room(b, BUF_MIN);
	size_t space = b->cap - b->n;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room, space, fmt, ap);
	va_end(ap);
	if (n < 0)
		panic("unprintable format \"%s\"", fmt);
	if ((size_t)n >= space) {
		room = buf_room(b, (size_t)n + 1);
		va_start(ap, fmt);
		vsnprintf(room, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->n += (size_t)n;
}

void
buf_i64(struct buf *b, int64_t v)
{
	char digits[20];
	char *p = digits + sizeof(digits);
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;

	do
		*--p = (char)('0' + u % 10);
	while ((u /= 10) != 0);
	if (v < 0)
		*--p = '-';
	buf_add(b, p, (size_t)(digits + sizeof(digits) - p));
}
