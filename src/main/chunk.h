/* chunk – cuts a stream of lines into pieces of whole lines for upload.
 *
 * One read a call, so a slow pipe never holds up a caller who asked poll() first. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct chunk {
	const char *p; /* borrowed until the next call */
	size_t n;
	int64_t first_line; /* its number in the input, from 1 */
	int64_t lines;
};

struct chunk_reader {
	int fd;
	size_t max; /* bytes of a chunk at most */
	char *p;    /* room for max; what was read and not yet forgotten */
	size_t n;
	size_t taken;     /* of n: handed out by the last call */
	int64_t line;     /* the number of the line at p + taken */
	bool is_skipping; /* inside a line that was too long */
	bool at_end;      /* the input has ended */
};

void chunk_open(struct chunk_reader *r, int fd, size_t max);
void chunk_close(struct chunk_reader *r);

enum chunk_state {
	CHUNK_READY, /* *out has one or more whole lines */
	CHUNK_MORE,  /* not yet: call again when the input is readable */
	CHUNK_LONG,  /* line out->first_line does not fit and is left out */
	CHUNK_OVER,
	CHUNK_FAILED /* errno tells why */
};

enum chunk_state chunk_next(struct chunk_reader *r, struct chunk *out) MUST_USE;
