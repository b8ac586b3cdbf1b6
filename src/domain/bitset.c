/* bitset – a set of uids in memory: at most one bit per user. */
#include "domain/bitset.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define MIN_CHUNKS 16

static size_t
chunk_of(int64_t uid)
{
	assert(uid >= 0);
	return (size_t)(uid >> BITSET_CHUNK_BITS);
}

static size_t
word_of(int64_t uid)
{
	return (size_t)(uid & (BITSET_CHUNK - 1)) / 64;
}

static uint64_t
bit_of(int64_t uid)
{
	return (uint64_t)1 << (uid & 63);
}

/* At least doubles, so that adding in ascending order stays linear. */
static void
grow(struct bitset *b, size_t n)
{
	uint64_t **chunks;

	n = MAX_OF(MAX_OF(n, 2 * b->nchunks), (size_t)MIN_CHUNKS);
	chunks = realloc(b->chunks, n * sizeof(uint64_t *));
	if (chunks == NULL)
		abort();
	memset(chunks + b->nchunks, 0, (n - b->nchunks) * sizeof(uint64_t *));
	b->chunks = chunks;
	b->nchunks = n;
}

void
bitset_init(struct bitset *b)
{
	*b = (struct bitset){0};
}

void
bitset_fini(struct bitset *b)
{
	for (size_t i = 0; i < b->nchunks; i++)
		free(b->chunks[i]);
	free(b->chunks);
	*b = (struct bitset){0};
}

uint64_t *
bitset_chunk(struct bitset *b, size_t no)
{
	if (no >= b->nchunks)
		grow(b, no + 1);
	if (b->chunks[no] == NULL) {
		b->chunks[no] = calloc(BITSET_WORDS, sizeof(uint64_t));
		if (b->chunks[no] == NULL)
			abort();
	}
	return b->chunks[no];
}

void
bitset_add(struct bitset *b, int64_t uid)
{
	bitset_chunk(b, chunk_of(uid))[word_of(uid)] |= bit_of(uid);
}

bool
bitset_has(const struct bitset *b, int64_t uid)
{
	size_t no;

	if (uid < 0)
		return false;
	no = chunk_of(uid);
	return no < b->nchunks && b->chunks[no] != NULL &&
	       (b->chunks[no][word_of(uid)] & bit_of(uid)) != 0;
}

int64_t
bitset_count(const struct bitset *b)
{
	int64_t n = 0;

	for (size_t i = 0; i < b->nchunks; i++)
		for (size_t w = 0; b->chunks[i] != NULL && w < BITSET_WORDS; w++)
			n += __builtin_popcountll(b->chunks[i][w]);
	return n;
}

int64_t
bitset_next(const struct bitset *b, int64_t from)
{
	uint64_t mask;
	size_t w;

	from = MAX_OF(from, 0);
	mask = ~(bit_of(from) - 1);
	w = word_of(from);
	for (size_t no = chunk_of(from); no < b->nchunks; no++, w = 0, mask = ~(uint64_t)0) {
		if (b->chunks[no] == NULL)
			continue;
		for (; w < BITSET_WORDS; w++, mask = ~(uint64_t)0) {
			uint64_t bits = b->chunks[no][w] & mask;

			if (bits != 0)
				return (int64_t)(no * BITSET_CHUNK + w * 64) +
				       __builtin_ctzll(bits);
		}
	}
	return -1;
}
