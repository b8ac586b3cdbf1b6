/* h2sink – a push service that says yes: HTTP/2 over TLS on loopback, as little of it as a
 * client needs.  Run by tests/bench/push.py, so that what is measured is the sender: h2sink
 * CERT KEY.
 *
 * It does not look into requests: each stream that ends is answered by ":status: 200", which
 * HPACK has a single byte for.  Prints "PORT" at its start and "CONNECTIONS ANSWERED" when its
 * standard input ends. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define BUFFER          (1 << 20)
#define PREFACE_LEN     24
#define HEAD_LEN        9
/* Credit that is given back at once, however much was used. */
#define CREDIT (1 << 30)

enum frame { DATA = 0, HEADERS = 1, SETTINGS = 4, PING = 6, WINDOW_UPDATE = 8 };
#define END_STREAM 0x1
#define ACK        0x1
#define ALL_HERE   0x5 /* END_STREAM, END_HEADERS */

struct connection {
	int fd;
	SSL *tls;
	bool greeted;
	size_t n;        /* bytes in ${in} */
	size_t to_send;  /* bytes in ${out} */
	uint64_t unpaid; /* bytes of data since credit was given */
	uint8_t in[BUFFER], out[BUFFER];
};

static struct connection *connections[CONNECTIONS_MAX];
static size_t nconnections, nseen;
static uint64_t answered;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
put(struct connection *c, const void *p, size_t n)
{
	if (c->to_send + n > BUFFER) {
		fprintf(stderr, "h2sink: the client does not read\n");
		exit(1);
	}
	memcpy(c->out + c->to_send, p, n);
	c->to_send += n;
}

static void
put_frame(struct connection *c, enum frame type, uint8_t flags, uint32_t stream,
	const void *payload, size_t n)
{
	uint8_t head[HEAD_LEN] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n,
		(uint8_t)type, flags, (uint8_t)(stream >> 24), (uint8_t)(stream >> 16),
		(uint8_t)(stream >> 8), (uint8_t)stream};

	put(c, head, sizeof(head));
	put(c, payload, n);
}

static void
give_credit(struct connection *c, uint32_t bytes)
{
	uint8_t payload[4] = {(uint8_t)(bytes >> 24), (uint8_t)(bytes >> 16),
		(uint8_t)(bytes >> 8), (uint8_t)bytes};

	put_frame(c, WINDOW_UPDATE, 0, 0, payload, sizeof(payload));
}

/* A thousand streams at once, and room for whatever each has to say. */
static void
greet(struct connection *c)
{
	static const uint8_t settings[] = {
		0, 3, 0, 0, 0x03, 0xe8, 0, 4, 0x3f, 0xff, 0xff, 0xff};

	put_frame(c, SETTINGS, 0, 0, settings, sizeof(settings));
	give_credit(c, CREDIT);
	c->greeted = true;
}

static void
answer(struct connection *c, uint32_t stream)
{
	static const uint8_t status_200 = 0x88;

	put_frame(c, HEADERS, ALL_HERE, stream, &status_200, 1);
	answered++;
}

static void
take(struct connection *c, enum frame type, uint8_t flags, uint32_t stream,
	const uint8_t *payload, size_t n)
{
	if (type == SETTINGS && !(flags & ACK))
		put_frame(c, SETTINGS, ACK, 0, NULL, 0);
	if (type == PING && !(flags & ACK))
		put_frame(c, PING, ACK, 0, payload, n);
	if (type == DATA)
		c->unpaid += n;
	if (c->unpaid > CREDIT / 2) {
		give_credit(c, (uint32_t)c->unpaid);
		c->unpaid = 0;
	}
	if ((type == DATA || type == HEADERS) && flags & END_STREAM)
		answer(c, stream);
}

static void
take_all(struct connection *c)
{
	size_t at = 0;

	if (!c->greeted) {
		if (c->n < PREFACE_LEN)
			return;
		greet(c);
		at = PREFACE_LEN;
	}
	while (c->n - at >= HEAD_LEN) {
		const uint8_t *h = c->in + at;
		size_t n = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
		uint32_t stream = ((uint32_t)h[5] & 0x7f) << 24 | (uint32_t)h[6] << 16 |
				  (uint32_t)h[7] << 8 | h[8];

		if (c->n - at < HEAD_LEN + n)
			break;
		take(c, (enum frame)h[3], h[4], stream, h + HEAD_LEN, n);
		at += HEAD_LEN + n;
	}
	memmove(c->in, c->in + at, c->n - at);
	c->n -= at;
}

static void
send_all(struct connection *c)
{
	size_t at = 0;

	while (at < c->to_send) {
		int n = SSL_write(c->tls, c->out + at, (int)(c->to_send - at));

		if (n <= 0)
			break;
		at += (size_t)n;
	}
	c->to_send = 0;
}

/* False when the client has gone. */
static bool
serve(struct connection *c)
{
	do {
		int n = SSL_read(c->tls, c->in + c->n, (int)(BUFFER - c->n));

		if (n <= 0)
			return false;
		c->n += (size_t)n;
		take_all(c);
	} while (SSL_pending(c->tls) > 0);
	send_all(c);
	return true;
}

static int
choose_h2(SSL *tls, const unsigned char **out, unsigned char *n, const unsigned char *in,
	unsigned int nin, void *arg)
{
	static const unsigned char h2[] = "\x02h2";

	(void)tls;
	(void)arg;
	return SSL_select_next_proto((unsigned char **)(uintptr_t)out, n, h2, 3, in, nin) ==
			       OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *
make_context(const char *cert, const char *key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL || SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
		SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		die("h2sink: certificate");
	SSL_CTX_set_alpn_select_cb(ctx, choose_h2, NULL);
	return ctx;
}

static void
welcome(int listener, SSL_CTX *ctx)
{
	struct connection *c = calloc(1, sizeof(*c));
	int one = 1;

	if (c == NULL || nconnections == CONNECTIONS_MAX)
		die("h2sink: too many connections");
	c->fd = accept(listener, NULL, NULL);
	if (c->fd < 0)
		die("accept");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->tls = SSL_new(ctx);
	if (c->tls == NULL || SSL_set_fd(c->tls, c->fd) != 1 || SSL_accept(c->tls) != 1)
		die("h2sink: handshake");
	connections[nconnections++] = c;
	nseen++;
}

static void
part(size_t i)
{
	SSL_free(connections[i]->tls);
	close(connections[i]->fd);
	free(connections[i]);
	connections[i] = connections[--nconnections];
}

static int
listen_somewhere(void)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 64) != 0 ||
		getsockname(fd, (struct sockaddr *)&a, &n) != 0)
		die("listen");
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

int
main(int argc, char **argv)
{
	SSL_CTX *ctx;
	int listener;

	if (argc != 3) {
		fprintf(stderr, "usage: h2sink CERT KEY\n");
		return 2;
	}
	ctx = make_context(argv[1], argv[2]);
	listener = listen_somewhere();

	for (;;) {
		struct pollfd p[CONNECTIONS_MAX + 2] = {{.fd = STDIN_FILENO, .events = POLLIN},
			{.fd = listener, .events = POLLIN}};
		size_t n = nconnections;

		for (size_t i = 0; i < n; i++)
			p[i + 2] = (struct pollfd){.fd = connections[i]->fd, .events = POLLIN};
		if (poll(p, n + 2, -1) < 0)
			die("poll");
		if (p[0].revents != 0)
			break;
		for (size_t i = n; i-- > 0;)
			if (p[i + 2].revents != 0 && !serve(connections[i]))
				part(i);
		if (p[1].revents != 0)
			welcome(listener, ctx);
	}
	SSL_CTX_free(ctx);
	printf("%zu %llu\n", nseen, (unsigned long long)answered);
	return 0;
}
