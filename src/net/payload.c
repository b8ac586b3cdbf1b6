/* payload – a counted block of bytes: the head of the frame, then its text. */
#include "net/payload.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"

#define OP_TEXT  0x1
#define OP_CLOSE 0x8
#define FIN      0x80
#define HEAD_MAX 10

struct payload {
	atomic_uint refs;
	size_t n;
	char bytes[];
};

static struct payload *
allocate(size_t n)
{
	struct payload *p = malloc(sizeof(*p) + n);

	if (p == NULL)
		panic("payload: no memory for %zu bytes", n);
	atomic_init(&p->refs, 1);
	p->n = n;
	return p;
}

/* The head of an unmasked frame of ${n} bytes (RFC 6455 §5.2); returns its length. */
static size_t
put_head(unsigned char head[static HEAD_MAX], unsigned opcode, uint64_t n)
{
	size_t nlength = n < 126 ? 0 : n <= UINT16_MAX ? 2 : 8;

	head[0] = (unsigned char)(FIN | opcode);
	head[1] = (unsigned char)(nlength == 0 ? n : nlength == 2 ? 126 : 127);
	for (size_t i = 0; i < nlength; i++)
		head[2 + i] = (unsigned char)(n >> 8 * (nlength - 1 - i));
	return 2 + nlength;
}

struct payload *
payload_of_frames(struct str frames)
{
	struct payload *p = allocate(frames.n);

	memcpy(p->bytes, frames.p, frames.n);
	return p;
}

struct payload *
payload_new(struct str text)
{
	unsigned char head[HEAD_MAX];
	size_t n = put_head(head, OP_TEXT, text.n);
	struct payload *p = allocate(n + text.n);

	memcpy(p->bytes, head, n);
	if (text.n > 0)
		memcpy(p->bytes + n, text.p, text.n);
	return p;
}

struct payload *
payload_close(uint16_t code, struct str reason)
{
	unsigned char head[HEAD_MAX];
	size_t n = put_head(head, OP_CLOSE, 2 + reason.n);
	struct payload *p = allocate(n + 2 + reason.n);

	assert(reason.n <= 123);
	memcpy(p->bytes, head, n);
	p->bytes[n] = (char)(code >> 8);
	p->bytes[n + 1] = (char)(code & 0xff);
	if (reason.n > 0)
		memcpy(p->bytes + n + 2, reason.p, reason.n);
	return p;
}

struct payload *
payload_ref(struct payload *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void
payload_unref(struct payload *p)
{
	if (p != NULL && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
		free(p);
}

struct str
payload_bytes(const struct payload *p)
{
	return (struct str){p->bytes, p->n};
}
