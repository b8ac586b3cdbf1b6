/* arena – blocks in a chain; allocation moves a mark in the last one. */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"

#define ALIGN     16
#define BLOCK_MIN 256
#define BLOCK_MAX ((size_t)1 << 22) /* blocks double up to here */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#endif
#ifndef WITH_ASAN
#define WITH_ASAN 0
#endif

/* With AddressSanitizer the first block is empty and each allocation is a block of its own,
 * exactly as large as asked for: the red zones are malloc's. */
struct arena_block {
	struct arena_block *next;
	size_t size; /* of data */
	size_t at;   /* data[0..at) is handed out */
	_Alignas(ALIGN) char data[];
};

struct arena_defer {
	struct arena_defer *next;
	void (*fn)(void *);
	void *p;
};

static struct arena_block *
block_new(size_t size)
{
	struct arena_block *b = malloc(sizeof(*b) + size);

	if (b == NULL)
		panic("out of memory: a block of %zu bytes", size);
	b->next = NULL;
	b->size = size;
	b->at = 0;
	return b;
}

/* Frees what follows ${keep}, which becomes the last block. */
static void
free_after(struct arena *a, struct arena_block *keep)
{
	struct arena_block *b = keep->next;

	while (b != NULL) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
	keep->next = NULL;
	a->last = keep;
}

/* The list is popped before the call, so a cleanup that defers cannot run twice. */
static void
run_defers(struct arena *a, const struct arena_defer *until)
{
	while (a->defers != until) {
		struct arena_defer *d = a->defers;

		a->defers = d->next;
		d->fn(d->p);
	}
}

static size_t
round_up(size_t n)
{
	if (n > PTRDIFF_MAX - ALIGN)
		panic("allocation of %zu bytes", n);
	return (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

void
arena_init(struct arena *a, size_t first, size_t cap)
{
	a->first = block_new(WITH_ASAN ? 0 : round_up(MAX_OF(first, (size_t)BLOCK_MIN)));
	a->last = a->first;
	a->defers = NULL;
	a->used = 0;
	a->cap = cap;
}

void
arena_reset(struct arena *a)
{
	run_defers(a, NULL);
	free_after(a, a->first);
	a->first->at = 0;
	a->used = 0;
}

void
arena_fini(struct arena *a)
{
	if (a->first == NULL)
		return;
	arena_reset(a);
	free(a->first);
	*a = (struct arena){0};
}

void *
arena_alloc(struct arena *a, size_t n)
{
	size_t rounded = round_up(n);
	struct arena_block *b = a->last;
	void *p;

	if (WITH_ASAN || b->size - b->at < rounded) {
		size_t grown = MIN_OF(2 * b->size, BLOCK_MAX);

		b->next = block_new(WITH_ASAN ? n : MAX_OF(grown, rounded));
		b = a->last = b->next;
	}
	p = b->data + b->at;
	b->at += WITH_ASAN ? n : rounded;
	a->used += rounded;
	return p;
}

void *
arena_zalloc(struct arena *a, size_t n)
{
	return memset(arena_alloc(a, n), 0, n);
}

void *
arena_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		panic("array of %zu objects of %zu bytes", n, size);
	return arena_alloc(a, bytes);
}

bool
arena_extend(struct arena *a, const void *p, size_t from, size_t to)
{
	struct arena_block *b = a->last;
	size_t had = round_up(from);
	size_t more;

	if (WITH_ASAN || to < from || b->at < had || p != b->data + (b->at - had))
		return false;
	more = round_up(to) - had;
	if (b->size - b->at < more)
		return false;
	b->at += more;
	a->used += more;
	return true;
}

struct str
arena_dup(struct arena *a, struct str s)
{
	char *p;

	if (s.p == NULL)
		return STR_NONE;
	p = arena_alloc(a, s.n + 1);
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct str){p, s.n};
}

struct str
arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char *p;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		panic("vsnprintf cannot print a format");
	p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	return (struct str){p, (size_t)n};
}

struct str
arena_printf(struct arena *a, const char *fmt, ...)
{
	struct str s;
	va_list ap;

	va_start(ap, fmt);
	s = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return s;
}

void
arena_defer(struct arena *a, void (*fn)(void *), void *p)
{
	struct arena_defer *d = arena_alloc(a, sizeof(*d));

	*d = (struct arena_defer){a->defers, fn, p};
	a->defers = d;
}

struct arena_mark
arena_mark(const struct arena *a)
{
	return (struct arena_mark){a->last, a->last->at, a->used, a->defers};
}

void
arena_rewind(struct arena *a, struct arena_mark m)
{
	run_defers(a, m.defers);
	free_after(a, m.block);
	m.block->at = m.at;
	a->used = m.used;
}

bool
arena_check(const struct arena *a, struct err *e)
{
	if (arena_overflowed(a))
		return fail(e, ERR_TOO_LARGE, "the answer would be too large");
	return true;
}
