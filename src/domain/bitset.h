/* bitset – a set of uids in memory: at most one bit per user.
 *
 * Made of chunks that exist only where a uid is, so a small set with large uids stays
 * small.  Memory that cannot be had ends the process. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BITSET_CHUNK_BITS 15
#define BITSET_CHUNK      (1 << BITSET_CHUNK_BITS) /* uids in a chunk */
#define BITSET_WORDS      (BITSET_CHUNK / 64)

struct bitset {
	uint64_t **chunks; /* BITSET_WORDS words each, NULL: empty */
	size_t nchunks;
};

void bitset_init(struct bitset *);
void bitset_fini(struct bitset *);
void bitset_add(struct bitset *, int64_t uid);
bool bitset_has(const struct bitset *, int64_t uid);
int64_t bitset_count(const struct bitset *);
/* The next uid ≥ ${from}, or −1. */
int64_t bitset_next(const struct bitset *, int64_t from);
/* The words of chunk ${no}, made when missing. */
uint64_t *bitset_chunk(struct bitset *, size_t no);
