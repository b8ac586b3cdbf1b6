/* h2_peer – the other side of a lane: an HTTP/2 server on loopback, that behaves as the path of
 * each request tells it to. */
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "../unit.h"

#define PEER_CONNECTIONS 16
#define PEER_STREAMS     256

struct peer_stream {
	char path[32];
	size_t taken, given; /* bytes of bodies */
	uint32_t sum;        /* of the bytes taken */
};

struct peer_connection {
	struct peer *peer;
	int fd;   /* −1: closed */
	SSL *tls; /* NULL: plain */
	nghttp2_session *h2;
	struct peer_stream streams[PEER_STREAMS]; /* by half of their numbers */
	bool is_cut;
};

struct peer {
	int fd, port, stop[2], gate[2];
	SSL_CTX *tls;         /* NULL: plain */
	_Atomic bool is_held; /* until a byte comes through the gate it does nothing more */
	uint32_t max_streams; /* that it allows; 0: says nothing of it */
	_Atomic int connections, open, requests, refusals, at_once, most_at_once;
	_Atomic size_t taken; /* bytes of the body that ended last */
	_Atomic uint32_t sum;
	size_t n;
	struct peer_connection *v[PEER_CONNECTIONS];
	pthread_t thread;
};

static inline struct peer_stream *
peer_stream(struct peer_connection *c, int32_t id)
{
	assert_true(id / 2 < PEER_STREAMS);
	return &c->streams[id / 2];
}

static inline ssize_t
peer_body(nghttp2_session *h2, int32_t id, uint8_t *to, size_t max, uint32_t *flags,
	nghttp2_data_source *source, void *arg)
{
	struct peer_stream *s = peer_stream(arg, id);
	size_t n = strcmp(s->path, "/huge") == 0 ? max : MIN_OF(max, 2 - s->given);

	(void)h2;
	(void)source;
	if (strcmp(s->path, "/half") == 0)
		return NGHTTP2_ERR_DEFERRED;
	memset(to, 'o', n);
	s->given += n;
	if (strcmp(s->path, "/huge") != 0 && s->given == 2)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

#define PEER_PAIR(name, value)                                                             \
	(nghttp2_nv)                                                                       \
	{                                                                                  \
		(uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name), \
			strlen(value), NGHTTP2_NV_FLAG_NONE                                \
	}

static inline void
peer_answer(struct peer_connection *c, int32_t id, const char *path)
{
	nghttp2_data_provider body = {.read_callback = peer_body};
	nghttp2_nv v[] = {PEER_PAIR(":status", "200"), PEER_PAIR("retry-after", "7"),
		PEER_PAIR("x", "y")};
	size_t n = 1;

	if (strcmp(path, "/busy") == 0) {
		v[0] = PEER_PAIR(":status", "429");
		n = 2;
	} else if (strcmp(path, "/date") == 0) {
		v[0] = PEER_PAIR(":status", "503");
		v[1] = PEER_PAIR("retry-after", "Fri, 31 Dec 2094 23:59:59 GMT");
		n = 2;
	} else if (strcmp(path, "/past") == 0) {
		v[1] = PEER_PAIR("retry-after", "Mon, 31 Dec 2001 23:59:59 GMT");
		n = 2;
	}
	if (strcmp(path, "/interim") == 0) {
		nghttp2_nv early = PEER_PAIR(":status", "103");

		nghttp2_submit_headers(c->h2, NGHTTP2_FLAG_NONE, id, NULL, &early, 1, NULL);
	}
	nghttp2_submit_response(c->h2, id, v, n, &body);
}

/* Headers that are short on the wire and long once they were unpacked. */
static inline void
peer_answer_wide(struct peer_connection *c, int32_t id)
{
	static char value[256];
	nghttp2_nv v[400];

	memset(value, 'x', sizeof(value) - 1);
	v[0] = PEER_PAIR(":status", "200");
	for (size_t i = 1; i < ARRAY_LEN(v); i++)
		v[i] = PEER_PAIR("x", value);
	nghttp2_submit_response(c->h2, id, v, ARRAY_LEN(v), NULL);
}

static inline void
peer_take(struct peer_connection *c, int32_t id)
{
	struct peer_stream *s = peer_stream(c, id);
	struct peer *p = c->peer;
	bool is_first = p->requests++ == 0;

	p->taken = s->taken;
	p->sum = s->sum;
	p->most_at_once = MAX_OF(p->most_at_once, p->at_once);
	if (strcmp(s->path, "/hang") == 0)
		return;
	if (strcmp(s->path, "/cut") == 0 || (strcmp(s->path, "/cut-once") == 0 && is_first)) {
		c->is_cut = true;
		return;
	}
	if (strcmp(s->path, "/garbage") == 0) {
		static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

		assert_int_equal(write(c->fd, text, sizeof(text) - 1), sizeof(text) - 1);
		return;
	}
	if (strcmp(s->path, "/wide") == 0) {
		peer_answer_wide(c, id);
		return;
	}
	if (strcmp(s->path, "/reset") == 0 ||
		(strcmp(s->path, "/refuse-once") == 0 && p->refusals == 0) ||
		strcmp(s->path, "/refuse") == 0) {
		p->refusals++;
		nghttp2_submit_rst_stream(c->h2, NGHTTP2_FLAG_NONE, id,
			strcmp(s->path, "/reset") == 0 ? NGHTTP2_INTERNAL_ERROR
						       : NGHTTP2_REFUSED_STREAM);
		return;
	}
	if (strcmp(s->path, "/leave-once") == 0 && p->connections == 1) {
		nghttp2_submit_goaway(
			c->h2, NGHTTP2_FLAG_NONE, id - 2, NGHTTP2_NO_ERROR, NULL, 0);
		return;
	}
	peer_answer(c, id, s->path);
}

static inline int
peer_on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t nname, const uint8_t *value, size_t nvalue, uint8_t flags, void *arg)
{
	struct peer_stream *s = peer_stream(arg, frame->hd.stream_id);

	(void)h2;
	(void)flags;
	if (nname == 5 && memcmp(name, ":path", 5) == 0)
		snprintf(s->path, sizeof(s->path), "%.*s", (int)nvalue, (const char *)value);
	return 0;
}

static inline int
peer_on_begin(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	struct peer_connection *c = arg;

	(void)h2;
	*peer_stream(c, frame->hd.stream_id) = (struct peer_stream){0};
	c->peer->at_once++;
	return 0;
}

static inline int
peer_on_chunk(
	nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
	struct peer_stream *s = peer_stream(arg, id);

	(void)h2;
	(void)flags;
	s->taken += n;
	for (size_t i = 0; i < n; i++)
		s->sum = s->sum * 31 + p[i];
	return 0;
}

static inline int
peer_on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	(void)h2;
	if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
		frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		peer_take(arg, frame->hd.stream_id);
	return 0;
}

static inline int
peer_on_close(nghttp2_session *h2, int32_t id, uint32_t error, void *arg)
{
	struct peer_connection *c = arg;

	(void)h2;
	(void)id;
	(void)error;
	c->peer->at_once--;
	return 0;
}

static inline ssize_t
peer_send(nghttp2_session *h2, const uint8_t *p, size_t n, int flags, void *arg)
{
	struct peer_connection *c = arg;
	ssize_t sent =
		c->tls != NULL ? SSL_write(c->tls, p, (int)n) : send(c->fd, p, n, MSG_NOSIGNAL);

	(void)h2;
	(void)flags;
	return sent > 0 ? sent : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static inline void
peer_accept(struct peer *p)
{
	struct peer_connection *c = calloc(1, sizeof(*c));
	nghttp2_session_callbacks *calls;
	nghttp2_option *option;
	nghttp2_settings_entry max = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, p->max_streams};

	assert_non_null(c);
	assert_true(p->n < PEER_CONNECTIONS);
	c->peer = p;
	c->fd = accept(p->fd, NULL, NULL);
	if (p->tls != NULL) {
		c->tls = SSL_new(p->tls);
		assert_int_equal(SSL_set_fd(c->tls, c->fd), 1);
		if (SSL_accept(c->tls) != 1) {
			SSL_free(c->tls);
			close(c->fd);
			free(c);
			return;
		}
	}
	nghttp2_session_callbacks_new(&calls);
	nghttp2_session_callbacks_set_send_callback(calls, peer_send);
	nghttp2_session_callbacks_set_on_begin_headers_callback(calls, peer_on_begin);
	nghttp2_session_callbacks_set_on_header_callback(calls, peer_on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, peer_on_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(calls, peer_on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(calls, peer_on_close);
	nghttp2_option_new(&option);
	nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
	nghttp2_session_server_new2(&c->h2, calls, c, option);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(calls);
	nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, &max, p->max_streams > 0 ? 1 : 0);
	nghttp2_session_send(c->h2);
	p->v[p->n++] = c;
	p->connections++;
	p->open++;
}

static inline void
peer_close(struct peer_connection *c)
{
	if (c->fd < 0)
		return;
	close(c->fd);
	c->fd = -1;
	c->peer->open--;
}

static inline void
peer_serve(struct peer_connection *c)
{
	uint8_t in[16384];
	ssize_t n =
		c->tls != NULL ? SSL_read(c->tls, in, sizeof(in)) : read(c->fd, in, sizeof(in));

	if (n <= 0 || nghttp2_session_mem_recv(c->h2, in, (size_t)n) < 0 || c->is_cut ||
		nghttp2_session_send(c->h2) != 0)
		peer_close(c);
}

static inline void *
peer_run(void *arg)
{
	struct peer *p = arg;

	for (;;) {
		struct pollfd at[PEER_CONNECTIONS + 2] = {
			{.fd = p->stop[0], .events = POLLIN}, {.fd = p->fd, .events = POLLIN}};
		size_t n = p->n;
		char byte;

		for (size_t i = 0; i < n; i++)
			at[i + 2] = (struct pollfd){.fd = p->v[i]->fd, .events = POLLIN};
		if (poll(at, n + 2, -1) < 0 || at[0].revents != 0)
			return NULL;
		if (p->is_held && read(p->gate[0], &byte, 1) == 1)
			p->is_held = false;
		for (size_t i = 0; i < n; i++)
			if (at[i + 2].revents != 0)
				peer_serve(p->v[i]);
		if (at[1].revents != 0)
			peer_accept(p);
	}
}

/* A key and a certificate of its own; the latter is written to ${path}, to be trusted. */
static inline SSL_CTX *
peer_certify(const char *path)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_EXTENSION *names =
		X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
	FILE *f = fopen(path, "w");

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
		(const unsigned char *)"peer", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_version(cert, X509_VERSION_3);
	X509_set_pubkey(cert, key);
	X509_add_ext(cert, names, -1);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	assert_int_equal(PEM_write_X509(f, cert), 1);
	fclose(f);
	X509_EXTENSION_free(names);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

/* ${arg}: the protocols that it takes. */
static inline int
peer_choose(SSL *tls, const unsigned char **out, unsigned char *n, const unsigned char *in,
	unsigned nin, void *arg)
{
	const unsigned char *taken = arg;

	(void)tls;
	return SSL_select_next_proto((unsigned char **)(uintptr_t)out, n, taken, taken[0] + 1u,
		       in, nin) == OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ${cert}: where to write the certificate; NULL: without TLS. */
static inline void
peer_open(struct peer *p, uint32_t max_streams, const char *cert)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);

	*p = (struct peer){.max_streams = max_streams, .fd = socket(AF_INET, SOCK_STREAM, 0)};
	if (cert != NULL) {
		p->tls = peer_certify(cert);
		SSL_CTX_set_alpn_select_cb(p->tls, peer_choose, (void *)(uintptr_t) "\x02h2");
	}
	assert_int_equal(bind(p->fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(p->fd, 16), 0);
	assert_int_equal(getsockname(p->fd, (struct sockaddr *)&at, &n), 0);
	assert_int_equal(pipe(p->stop), 0);
	assert_int_equal(pipe(p->gate), 0);
	p->port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&p->thread, NULL, peer_run, p), 0);
}

static inline void
peer_release(struct peer *p)
{
	assert_int_equal(write(p->gate[1], "x", 1), 1);
}

static inline void
peer_free(struct peer *p)
{
	assert_int_equal(write(p->stop[1], "x", 1), 1);
	pthread_join(p->thread, NULL);
	for (size_t i = 0; i < p->n; i++) {
		SSL_free(p->v[i]->tls);
		peer_close(p->v[i]);
		nghttp2_session_del(p->v[i]->h2);
		free(p->v[i]);
	}
	SSL_CTX_free(p->tls);
	close(p->fd);
	for (int i = 0; i < 2; i++) {
		close(p->stop[i]);
		close(p->gate[i]);
	}
}

/* Packets with data that its first connection got so far. */
static inline unsigned
peer_packets(const struct peer *p)
{
	struct tcp_info info = {0};
	socklen_t n = sizeof(info);

	assert_int_equal(getsockopt(p->v[0]->fd, IPPROTO_TCP, TCP_INFO, &info, &n), 0);
	return info.tcpi_data_segs_in;
}
