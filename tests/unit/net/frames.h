/* frames – WebSocket frames as a client writes them, well-formed or not, and reads them. */
#pragma once
#include <sys/socket.h>
#include <sys/time.h>

#include <errno.h>

#include "../unit.h"

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

/* Appends a frame whose first byte is ${first}, masked unless told otherwise. */
static inline void
frame_raw(struct buf *b, unsigned first, bool masked, struct str data)
{
	static const unsigned char mask[4] = {0x12, 0x34, 0x56, 0x78};
	unsigned bit = masked ? 0x80 : 0;

	buf_char(b, (char)first);
	if (data.n < 126) {
		buf_char(b, (char)(bit | data.n));
	} else if (data.n <= UINT16_MAX) {
		buf_char(b, (char)(bit | 126));
		buf_char(b, (char)(data.n >> 8));
		buf_char(b, (char)data.n);
	} else {
		buf_char(b, (char)(bit | 127));
		for (int shift = 56; shift >= 0; shift -= 8)
			buf_char(b, (char)(data.n >> shift));
	}
	if (masked)
		buf_add(b, mask, 4);
	for (size_t i = 0; i < data.n; i++)
		buf_char(b, (char)(data.p[i] ^ (masked ? mask[i % 4] : 0)));
}

static inline void
frame_add(struct buf *b, unsigned opcode, struct str data)
{
	frame_raw(b, 0x80 | opcode, true, data);
}

/* ---- what a server sends ------------------------------------------------------------- */

/* One end of a socket, with what was read of it. */
struct peer {
	int fd;
	char *buf, *data;
	size_t n, cap;
};

struct frame {
	int opcode;      /* −1: the other side hung up */
	struct str data; /* until the next one is read */
	int code;        /* CLOSE: its code */
};

static inline void
peer_init(struct peer *p, int fd)
{
	struct timeval patience = {.tv_sec = 20};

	*p = (struct peer){.fd = fd, .cap = 1 << 20};
	p->buf = malloc(p->cap);
	p->data = malloc(p->cap);
	assert_non_null(p->buf);
	assert_non_null(p->data);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

static inline void
peer_fini(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	free(p->buf);
	free(p->data);
	*p = (struct peer){.fd = -1};
}

/* False when the other side is gone. */
static inline bool
peer_send(struct peer *p, struct str bytes)
{
	while (bytes.n > 0) {
		ssize_t n = send(p->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes = str_sub(bytes, (size_t)n, bytes.n - (size_t)n);
	}
	return true;
}

static inline bool
peer_frame(struct peer *p, unsigned opcode, struct str data)
{
	struct buf b;
	bool ok;

	buf_init(&b, NULL, data.n + 16);
	frame_add(&b, opcode, data);
	ok = peer_send(p, buf_view(&b));
	buf_free(&b);
	return ok;
}

/* A time-out is a failure. */
static inline bool
peer_fill(struct peer *p)
{
	ssize_t n;

	assert_true(p->n < p->cap);
	n = recv(p->fd, p->buf + p->n, p->cap - p->n, 0);
	assert_false(n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
	if (n <= 0)
		return false;
	p->n += (size_t)n;
	return true;
}

/* Bytes of the first frame in the buffer; 0: it is not complete. */
static inline size_t
frame_len(const struct peer *p, size_t *head)
{
	const unsigned char *b = (const unsigned char *)p->buf;
	size_t n;

	if (p->n < 2)
		return 0;
	assert_int_equal(b[1] & 0x80, 0);
	n = b[1];
	*head = n < 126 ? 2 : n == 126 ? 4 : 10;
	if (p->n < *head)
		return 0;
	if (n >= 126) {
		size_t digits = *head - 2;

		n = 0;
		for (size_t i = 0; i < digits; i++)
			n = n << 8 | b[2 + i];
	}
	return p->n < *head + n ? 0 : *head + n;
}

/* The next frame; ${last}, when there was one, is thrown away. */
static inline struct frame
peer_read(struct peer *p)
{
	struct frame f = {.opcode = -1};
	size_t head = 0, n;

	while ((n = frame_len(p, &head)) == 0)
		if (!peer_fill(p))
			return f;
	f.opcode = p->buf[0] & 0x0f;
	assert_int_equal(p->buf[0] & 0xf0, 0x80);
	f.data = (struct str){p->data, n - head};
	memcpy(p->data, p->buf + head, n - head);
	if (f.opcode == CLOSE && f.data.n >= 2)
		f.code = (unsigned char)p->data[0] << 8 | (unsigned char)p->data[1];
	memmove(p->buf, p->buf + n, p->n - n);
	p->n -= n;
	return f;
}

static inline void
must_read_text(struct peer *p, const char *text)
{
	struct frame f = peer_read(p);

	assert_int_equal(f.opcode, TEXT);
	assert_str(f.data, text);
}

/* Reads on until the close frame; 0: there was none before the end. */
static inline int
peer_close_code(struct peer *p)
{
	struct frame f;

	do
		f = peer_read(p);
	while (f.opcode != CLOSE && f.opcode >= 0);
	return f.code;
}
