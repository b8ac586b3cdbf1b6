/* intmap – a map from integers to pointers, in one array.
 *
 * For tables that grow and shrink while the program runs: an entry costs 16 bytes at a load
 * between an eighth and three quarters, and an empty map nothing. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct intmap_slot {
	int64_t key;
	void *value; /* NULL: the slot is free */
};

/* All zero is an empty map. */
struct intmap {
	struct intmap_slot *slots;
	size_t cap; /* 0 or a power of two */
	size_t n;   /* entries */
};

void intmap_fini(struct intmap *m); /* the values are the caller's */
/* NULL when there is no such key. */
void *intmap_get(const struct intmap *m, int64_t key);
/* ${value}, not NULL, takes the place of what was there. */
void intmap_set(struct intmap *m, int64_t key, void *value);
/* Returns what was there, NULL for nothing. */
void *intmap_remove(struct intmap *m, int64_t key);
/* Walks the values in no order: *at begins with 0; NULL at the end.  The map must not change
 * meanwhile. */
void *intmap_next(const struct intmap *m, size_t *at);
/* The same with the keys; false at the end. */
bool intmap_next_key(const struct intmap *m, size_t *at, int64_t *key);
