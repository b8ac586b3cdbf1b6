/* arena – bump memory for one task (a request, a batch), thrown away whole.
 *
 * Gain: no free() in business code, no leaks on error paths, allocation is an addition.
 * Price: nothing is given back before the task ends, and a pointer kept beyond
 * arena_reset() dangles: never store arena memory in a longer-lived struct.
 * Under AddressSanitizer every allocation is its own malloc, so overruns are caught. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

struct arena_block;
struct arena_defer;
struct err;

struct arena {
	struct arena_block *first;  /* kept over arena_reset() */
	struct arena_block *last;   /* where allocation happens */
	struct arena_defer *defers; /* run newest first */
	size_t used;                /* bytes handed out since the last reset */
	size_t cap;                 /* soft limit; see arena_overflowed() */
};

/* A place to rewind to.  Cleanups deferred after the mark run at the rewind.  A buf made
 * before the mark must not grow between the two: its new memory would go too. */
struct arena_mark {
	struct arena_block *block;
	size_t at;
	size_t used;
	struct arena_defer *defers;
};

/* Makes ${a} ready.  ${first} is the size of the block kept over resets; ${cap} the number
 * of bytes after which arena_overflowed() tells so. */
void arena_init(struct arena *a, size_t first, size_t cap);
void arena_fini(struct arena *a);

/* Forgets everything but the first block; runs the deferred cleanups. */
void arena_reset(struct arena *a);

/* Never NULL: memory that cannot be had ends the process.  Aligned to 16, not cleared. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_zalloc(struct arena *a, size_t n);
/* An array of ${n} objects of ${size}; the product is checked. */
void *arena_array(struct arena *a, size_t n, size_t size);
/* Grows an allocation of ${from} bytes at ${p} to ${to} without moving it.  False when it is
 * not the newest one, or its block is full: allocate and copy. */
bool arena_extend(struct arena *a, const void *p, size_t from, size_t to);

/* Copies, with a NUL behind (not counted) so that C libraries can read them. */
struct str arena_dup(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap) PRINTF(2, 0);

/* Runs fn(p) when the arena is reset, finished, or rewound before this call. */
void arena_defer(struct arena *a, void (*fn)(void *), void *p);

struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark m);

/* True once more than the cap was handed out.  Looked at in loops over what clients stored
 * and before replying, instead of after each allocation. */
static inline bool
arena_overflowed(const struct arena *a)
{
	return a->used > a->cap;
}

/* Fails with TOO_LARGE once it overflowed. */
bool arena_check(const struct arena *a, struct err *e) MUST_USE;
