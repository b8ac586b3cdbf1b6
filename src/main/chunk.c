/* chunk – cuts a stream of lines into pieces of whole lines for upload. */
#include "main/chunk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

void
chunk_open(struct chunk_reader *r, int fd, size_t max)
{
	*r = (struct chunk_reader){.fd = fd, .max = max, .p = malloc(max), .line = 1};
	if (!r->p)
		panic("no memory for a chunk of %zu bytes", max);
}

void
chunk_close(struct chunk_reader *r)
{
	free(r->p);
	r->p = NULL;
}

/* Forgets the first ${n} bytes. */
static void
drop(struct chunk_reader *r, size_t n)
{
	r->n -= n;
	if (r->n > 0)
		memmove(r->p, r->p + n, r->n);
}

static void
skip_rest_of_line(struct chunk_reader *r)
{
	const char *end = memchr(r->p, '\n', r->n);

	if (!end) {
		r->n = 0;
		return;
	}
	drop(r, (size_t)(end - r->p) + 1);
	r->is_skipping = false;
	r->line++;
}

static bool
read_more(struct chunk_reader *r)
{
	ssize_t got = read(r->fd, r->p + r->n, r->max - r->n);

	if (got < 0)
		return errno == EINTR || errno == EAGAIN;
	if (got == 0)
		r->at_end = true;
	r->n += (size_t)got;
	if (r->is_skipping)
		skip_rest_of_line(r);
	return true;
}

static int64_t
count_lines(const char *p, size_t n)
{
	const char *end = p + n;
	int64_t lines = 0;

	for (const char *at = p; at < end; lines++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		at = newline ? newline + 1 : end;
	}
	return lines;
}

enum chunk_state
chunk_next(struct chunk_reader *r, struct chunk *out)
{
	const char *last;

	drop(r, r->taken);
	r->taken = 0;
	if (r->n < r->max && !r->at_end && !read_more(r))
		return CHUNK_FAILED;
	if (r->n < r->max && !r->at_end)
		return CHUNK_MORE;
	if (r->n == 0)
		return CHUNK_OVER;
	last = memrchr(r->p, '\n', r->n);
	if (!last && !r->at_end) {
		*out = (struct chunk){.first_line = r->line, .lines = 1};
		r->is_skipping = true;
		r->n = 0;
		return CHUNK_LONG;
	}
	r->taken = r->at_end ? r->n : (size_t)(last - r->p) + 1;
	*out = (struct chunk){
		.p = r->p,
		.n = r->taken,
		.first_line = r->line,
		.lines = count_lines(r->p, r->taken),
	};
	r->line += out->lines;
	return CHUNK_READY;
}
