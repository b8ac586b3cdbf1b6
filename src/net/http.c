/* http – the listening side over libmicrohttpd; see http.h.
 *
 * A request is one struct request from its complete head to its last byte sent: it owns the
 * body and the arena that the answer lives in, so nothing is copied on the way out.  A pool
 * thread keeps the ones it is done with for its next requests.
 *
 * libmicrohttpd 0.9 guesses where RFC 9112 tells to refuse (two lengths, length and chunks
 * together, blanks in field names), so the head is judged here once more (I-30). */
#include "net/http.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#define CONNECTION_MEMORY ((size_t)16 * 1024)
#define IDLE_TIMEOUT_S    120u
#define LISTEN_BACKLOG    1024
#define MAX_FIELDS        100

#define ARENA_FIRST       ((size_t)16 * 1024)
#define ARENA_CAP         ((size_t)64 * 1024 * 1024)
#define SPARE_MAX         4 /* requests a thread keeps */

/* A body that comes in chunks cannot be answered before its end: this much more than the
 * limit is read for the sake of a proper 413, then the connection is cut. */
#define EXCESS_MAX ((size_t)1024 * 1024)

/* The least a client must send, once it had some seconds (F9). */
#define SLOW_AFTER_US  5000000
#define SLOW_BYTES_SEC 500

struct request {
	struct http *http;
	struct worker *worker;
	struct MHD_Connection *conn;
	struct http_in in;
	struct arena arena;
	struct buf body;
	size_t body_limit;
	size_t reserved;             /* of HTTP_BODIES_MAX */
	size_t excess;               /* bytes above the limit, thrown away */
	struct http_upgrade upgrade; /* still to be called; else zero */
	struct request *next;
};

struct worker {
	unsigned no;
	unsigned nspare;
	struct request *spare;
};

struct http {
	struct http_opts opts;
	struct MHD_Daemon *daemon;
	char address[80];
	pthread_key_t self; /* of a pool thread: its struct worker */
	atomic_uint claimed;
	atomic_size_t reserved; /* by bodies that are being read or worked on */
	struct worker *workers;
	atomic_bool draining;
	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned in_flight; /* under lock */
};

/* ---- text ------------------------------------------------------------------------- */

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
http_unescape(struct arena *a, struct str s, struct str *out)
{
	char *p;
	size_t n = 0;

	if (str_find(s, '%', 0) == s.n) {
		*out = s;
		return str_utf8_valid(s);
	}
	p = arena_alloc(a, s.n);
	for (size_t i = 0; i < s.n; i++) {
		int hi, lo;

		if (s.p[i] != '%') {
			p[n++] = s.p[i];
			continue;
		}
		if (s.n - i < 3)
			return false;
		hi = hex_value(s.p[i + 1]);
		lo = hex_value(s.p[i + 2]);
		if (hi < 0 || lo < 0 || (hi == 0 && lo == 0))
			return false;
		p[n++] = (char)(hi << 4 | lo);
		i += 2;
	}
	*out = (struct str){p, n};
	return str_utf8_valid(*out);
}

/* The characters of methods and field names (RFC 9110 §5.6.2). */
static bool
is_token(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = p[i];
		bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			     (c >= 'A' && c <= 'Z');

		if (!alnum && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return n > 0;
}

/* ---- requests --------------------------------------------------------------------- */

static struct worker *
this_worker(struct http *h)
{
	struct worker *w = pthread_getspecific(h->self);
	unsigned no;

	if (w)
		return w;
	no = atomic_fetch_add(&h->claimed, 1);
	assert(no < h->opts.threads);
	w = &h->workers[no];
	w->no = no;
	if (pthread_setspecific(h->self, w) != 0)
		panic("http: out of memory");
	return w;
}

static struct request *
request_new(struct http *h, struct MHD_Connection *conn)
{
	struct worker *w = this_worker(h);
	struct request *r = w->spare;

	if (r) {
		w->spare = r->next;
		w->nspare--;
	} else {
		r = calloc(1, sizeof *r);
		if (!r)
			panic("http: out of memory");
		arena_init(&r->arena, ARENA_FIRST, ARENA_CAP);
	}
	r->http = h;
	r->worker = w;
	r->conn = conn;
	r->excess = 0;
	r->reserved = 0;
	r->upgrade = (struct http_upgrade){0};
	buf_init(&r->body, NULL, 0);
	pthread_mutex_lock(&h->lock);
	h->in_flight++;
	pthread_mutex_unlock(&h->lock);
	return r;
}

static void
request_destroy(struct request *r)
{
	arena_fini(&r->arena);
	free(r);
}

static void
request_done(struct request *r)
{
	struct http *h = r->http;
	struct worker *w = r->worker;

	if (r->upgrade.drop)
		r->upgrade.drop(r->upgrade.arg);
	buf_free(&r->body);
	atomic_fetch_sub(&h->reserved, r->reserved);
	arena_reset(&r->arena);
	if (w->nspare < SPARE_MAX) {
		r->next = w->spare;
		w->spare = r;
		w->nspare++;
	} else {
		request_destroy(r);
	}
	pthread_mutex_lock(&h->lock);
	if (--h->in_flight == 0)
		pthread_cond_signal(&h->idle);
	pthread_mutex_unlock(&h->lock);
}

struct str
http_query(const struct http_in *in, const char *name)
{
	struct request *r = in->conn;
	const char *value = NULL;
	size_t n = 0;
	struct str out;

	if (MHD_lookup_connection_value_n(
		    r->conn, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, &n) != MHD_YES)
		return STR_NONE;
	if (!value)
		return STR("");
	return http_unescape(&r->arena, (struct str){value, n}, &out) ? out : STR_NONE;
}

struct str
http_header(const struct http_in *in, const char *name)
{
	struct request *r = in->conn;
	const char *value = NULL;
	size_t n = 0;

	if (MHD_lookup_connection_value_n(
		    r->conn, MHD_HEADER_KIND, name, strlen(name), &value, &n) != MHD_YES ||
		!value)
		return STR_NONE;
	return (struct str){value, n};
}

struct str
http_peer(const struct http_in *in)
{
	struct request *r = in->conn;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	char host[64];
	socklen_t len;

	if (info == NULL || info->client_addr == NULL)
		return STR_NONE;
	len = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						       : sizeof(struct sockaddr_in);
	if (getnameinfo(info->client_addr, len, host, sizeof host, NULL, 0, NI_NUMERICHOST) !=
		0)
		return STR_NONE;
	return arena_dup(&r->arena, str_of(host));
}

/* ---- answers ---------------------------------------------------------------------- */

/* The client said it sends no more.  libmicrohttpd misses that when it comes together with
 * the request, and would keep the connection until it times out. */
static bool
is_half_closed(struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	char byte;

	return info && recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void
add_headers(struct request *r, const struct http_out *out, struct MHD_Response *resp)
{
	assert(out->nheaders <= HTTP_MAX_HEADERS);
	for (size_t i = 0; i < out->nheaders; i++) {
		struct str value = arena_dup(&r->arena, out->headers[i].value);

		MHD_add_response_header(resp, out->headers[i].name, value.p);
	}
}

/* The socket leaves as a duplicate, and libmicrohttpd is done with the connection at once: else
 * it would keep its buffers and its place among the connections for as long as the socket
 * lives. */
static void
on_upgrade(void *arg, struct MHD_Connection *conn, void *state, const char *early,
	size_t early_n, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
	struct request *r = arg;
	struct http_upgrade up = r->upgrade;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	(void)conn;
	(void)state;
	if (own >= 0) {
		r->upgrade = (struct http_upgrade){0};
		up.take(up.arg, own, (struct str){early, early_n});
	}
	MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

static enum MHD_Result
send_upgrade(struct request *r, const struct http_out *out)
{
	struct MHD_Response *resp = MHD_create_response_for_upgrade(on_upgrade, r);
	enum MHD_Result result;

	r->upgrade = out->upgrade;
	if (!resp)
		return MHD_NO;
	add_headers(r, out, resp);
	result = MHD_queue_response(r->conn, MHD_HTTP_SWITCHING_PROTOCOLS, resp);
	MHD_destroy_response(resp);
	return result;
}

static enum MHD_Result
send_answer(struct request *r, const struct http_out *out, bool close)
{
	const char *type = out->content_type ? out->content_type : "application/json";
	struct MHD_Response *resp;
	enum MHD_Result result;

	if (out->upgrade.take)
		return send_upgrade(r, out);

	/* The arena outlives the sending: it is reset when the request is done. */
	resp = MHD_create_response_from_buffer(out->body.n,
		(void *)(uintptr_t)(out->body.p ? out->body.p : ""), MHD_RESPMEM_PERSISTENT);
	if (!resp)
		return MHD_NO;
	MHD_add_response_header(resp, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	add_headers(r, out, resp);
	if (close || atomic_load(&r->http->draining) || is_half_closed(r->conn))
		MHD_add_response_header(resp, MHD_HTTP_HEADER_CONNECTION, "close");
	result = MHD_queue_response(r->conn, (unsigned)out->status, resp);
	MHD_destroy_response(resp);
	return result;
}

static enum MHD_Result
refuse(struct request *r, int status, const char *why)
{
	const struct http_opts *o = &r->http->opts;
	struct http_out out = {.status = status};

	o->refuse(o->arg, status, why, &r->arena, &out);
	return send_answer(r, &out, true);
}

/* ---- the head --------------------------------------------------------------------- */

struct head {
	struct arena *arena;
	unsigned nfields, nlengths, nencodings, nhosts;
	struct str length, encoding;
	const char *why; /* NULL: nothing wrong so far */
};

static enum MHD_Result
judge_field(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_n,
	const char *value, size_t value_n)
{
	struct head *head = arg;
	struct str key = {name, name_n}, val = {value ? value : "", value ? value_n : 0};

	(void)kind;
	head->nfields++;
	if (!is_token(name, name_n)) {
		head->why = "malformed header name";
		return MHD_NO;
	}
	for (size_t i = 0; i < val.n; i++) {
		unsigned char c = (unsigned char)val.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			head->why = "control character in a header";
			return MHD_NO;
		}
	}
	if (str_ieq(key, STR("content-length"))) {
		head->nlengths++;
		head->length = val;
	} else if (str_ieq(key, STR("transfer-encoding"))) {
		head->nencodings++;
		head->encoding = val;
	} else if (str_ieq(key, STR("host"))) {
		head->nhosts++;
	}
	return MHD_YES;
}

static enum MHD_Result
judge_argument(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_n,
	const char *value, size_t value_n)
{
	struct head *head = arg;
	struct str key = {name, name_n}, val = {value ? value : "", value ? value_n : 0},
		   ignored;

	(void)kind;
	if (http_unescape(head->arena, key, &ignored) &&
		http_unescape(head->arena, val, &ignored))
		return MHD_YES;
	head->why = "the query is not percent-encoded UTF-8";
	return MHD_NO;
}

/* What is wrong with how the body is announced, or NULL; *length is that of the body, 0 when
 * it comes in chunks. */
static const char *
judge_framing(const struct head *head, const char *version, int64_t *length)
{
	*length = 0;
	if (head->nlengths > 1)
		return "more than one Content-Length";
	if (head->nencodings > 1)
		return "more than one Transfer-Encoding";
	if (head->nlengths && head->nencodings)
		return "both Content-Length and Transfer-Encoding";
	if (head->nencodings && strcmp(version, MHD_HTTP_VERSION_1_1) != 0)
		return "Transfer-Encoding needs HTTP/1.1";
	if (head->nencodings && !str_ieq(head->encoding, STR("chunked")))
		return "unknown Transfer-Encoding";
	if (!head->nlengths)
		return NULL;
	for (size_t i = 0; i < head->length.n; i++)
		if (head->length.p[i] < '0' || head->length.p[i] > '9')
			return "malformed Content-Length";
	if (!str_to_i64(head->length, length))
		return "malformed Content-Length";
	return NULL;
}

static const char *
judge_line(const struct http_in *in, const char *version)
{
	if (!is_token(in->method.p, in->method.n))
		return "malformed method";
	if (in->path.n == 0 || in->path.p[0] != '/')
		return "the request target must be a path";
	for (size_t i = 0; i < in->path.n; i++) {
		unsigned char c = (unsigned char)in->path.p[i];

		if (c <= 0x20 || c == 0x7f)
			return "control character in the path";
	}
	if (strcmp(version, MHD_HTTP_VERSION_1_1) != 0 &&
		strcmp(version, MHD_HTTP_VERSION_1_0) != 0)
		return "unknown HTTP version";
	return NULL;
}

/* Looks at the complete head; an answer given from here ends the connection unread. */
/* Decides whether a large body of ${n} bytes is read at all. */
static enum MHD_Result
admit_body(struct request *r, size_t n)
{
	const struct http_opts *o = &r->http->opts;
	struct http_out out = {0};

	if (o->admit && !o->admit(o->arg, r->worker->no, &r->in, &r->arena, &out))
		return send_answer(r, &out, true);
	r->reserved = n;
	if (atomic_fetch_add(&r->http->reserved, n) + n > HTTP_BODIES_MAX)
		return refuse(r, 503, "too many large bodies at once");
	return MHD_YES;
}

static enum MHD_Result
judge_head(struct request *r, const char *version)
{
	const struct http_opts *o = &r->http->opts;
	struct head head = {.arena = &r->arena};
	struct arena_mark mark = arena_mark(&r->arena);
	const char *why = judge_line(&r->in, version);
	int64_t length = 0;

	if (!why) {
		MHD_get_connection_values_n(r->conn, MHD_HEADER_KIND, judge_field, &head);
		MHD_get_connection_values_n(
			r->conn, MHD_GET_ARGUMENT_KIND, judge_argument, &head);
		why = head.why;
	}
	arena_rewind(&r->arena, mark);
	if (!why && head.nfields > MAX_FIELDS)
		return refuse(r, 431, "more than 100 header fields");
	if (!why && head.nhosts > 1)
		why = "more than one Host";
	if (!why)
		why = judge_framing(&head, version, &length);
	if (why)
		return refuse(r, 400, why);
	r->body_limit = o->body_limit(o->arg, r->in.method, r->in.path);
	if ((uint64_t)length > r->body_limit)
		return refuse(r, 413, "the body is larger than this call takes");
	/* In chunks: nobody knows how much, so as much as is allowed. */
	if (head.nencodings)
		length = (int64_t)r->body_limit;
	return (size_t)length > HTTP_SMALL_BODY ? admit_body(r, (size_t)length) : MHD_YES;
}

/* ---- callbacks of libmicrohttpd --------------------------------------------------- */

static enum MHD_Result
take_body(struct request *r, const char *p, size_t n)
{
	int64_t took_us = clock_mono_us() - r->in.began_us;
	size_t room = r->body_limit - r->body.n;

	if (n > room) {
		r->excess += n - room;
		n = room;
	}
	buf_add(&r->body, p, n);
	if (r->excess > EXCESS_MAX)
		return MHD_NO;
	if (took_us > SLOW_AFTER_US &&
		(int64_t)r->body.n < (took_us - SLOW_AFTER_US) / 1000000 * SLOW_BYTES_SEC)
		return MHD_NO;
	return MHD_YES;
}

static enum MHD_Result
answer(struct request *r)
{
	const struct http_opts *o = &r->http->opts;
	struct http_out out = {0};

	if (r->excess)
		return refuse(r, 413, "the body is larger than this call takes");
	r->in.body = buf_view(&r->body);
	o->handle(o->arg, r->worker->no, &r->in, &r->arena, &out);
	return send_answer(r, &out, false);
}

/* Called with the head, with each piece of the body, and at the end. */
static enum MHD_Result
on_request(void *arg, struct MHD_Connection *conn, const char *path, const char *method,
	const char *version, const char *piece, size_t *piece_n, void **state)
{
	struct request *r = *state;
	size_t n = *piece_n;

	if (!r) {
		r = request_new(arg, conn);
		*state = r;
		r->in = (struct http_in){.method = str_of(method),
			.path = str_of(path),
			.began_us = clock_mono_us(),
			.conn = r};
		return judge_head(r, version);
	}
	if (n == 0)
		return answer(r);
	*piece_n = 0;
	return take_body(r, piece, n);
}

static void
on_done(void *arg, struct MHD_Connection *conn, void **state,
	enum MHD_RequestTerminationCode how)
{
	(void)arg;
	(void)conn;
	(void)how;
	if (*state)
		request_done(*state);
	*state = NULL;
}

/* Stands in for MHD_quiesce_daemon, which in 0.9 can abort the process when a thread takes
 * the listening socket out of its epoll set at the same moment. */
static enum MHD_Result
on_accept(void *arg, const struct sockaddr *addr, socklen_t addr_n)
{
	struct http *h = arg;

	(void)addr;
	(void)addr_n;
	return atomic_load(&h->draining) ? MHD_NO : MHD_YES;
}

/* Keeps paths and arguments as they were sent: '/' and "%2F" must stay two things. */
static size_t
leave_escaped(void *arg, struct MHD_Connection *conn, char *s)
{
	(void)arg;
	(void)conn;
	return strlen(s);
}

/* ---- listening -------------------------------------------------------------------- */

/* "127.0.0.1:80", "[::1]:80" → host and port, as C strings. */
static bool
split_address(const char *listen_on, char host[static 64], char port[static 8], struct err *e)
{
	struct str s = str_of(listen_on), h, p;
	size_t colon = s.n;
	int64_t number;

	while (colon > 0 && s.p[colon - 1] != ':')
		colon--;
	if (colon == 0)
		goto malformed;
	h = str_sub(s, 0, colon - 1);
	p = str_sub(s, colon, s.n - colon);
	if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
		h = str_sub(h, 1, h.n - 2);
	else if (str_find(h, ':', 0) < h.n)
		goto malformed;
	if (h.n == 0 || h.n >= 64 || p.n == 0 || p.n > 5 || !str_to_i64(p, &number) ||
		number < 0 || number > 65535)
		goto malformed;
	snprintf(host, 64, "%.*s", STR_ARG(h));
	snprintf(port, 8, "%lld", (long long)number);
	return true;
malformed:
	s = str_public(s);
	return fail(e, ERR_INPUT, "listen \"%.*s\": expected ADDRESS:PORT, like 127.0.0.1:8080",
		STR_ARG(s));
}

static int
open_socket(const struct addrinfo *ai)
{
	int on = 1, saved;
	int fd = socket(
		ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
		bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static bool
listen_at(const char *listen_on, int *fd, struct err *e)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	char host[64], port[8];
	int rc;

	if (!split_address(listen_on, host, port, e))
		return false;
	rc = getaddrinfo(host, port, &hints, &list);
	if (rc != 0)
		return fail(e, ERR_INPUT, "listen %s: %s", listen_on, gai_strerror(rc));
	*fd = -1;
	for (const struct addrinfo *ai = list; ai && *fd < 0; ai = ai->ai_next)
		*fd = open_socket(ai);
	rc = errno;
	freeaddrinfo(list);
	if (*fd < 0)
		return fail(e, ERR_INPUT, "listen %s: %s", listen_on, strerror(rc));
	return true;
}

static void
write_address(int fd, char *out, size_t n)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof ss;
	char host[64] = "?", port[8] = "0";

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		getnameinfo((struct sockaddr *)&ss, len, host, sizeof host, port, sizeof port,
			NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(out, n, ss.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static struct MHD_Daemon *
start_daemon(struct http *h, int fd)
{
	const unsigned connections = MAX_OF(h->opts.max_connections, h->opts.threads);

	return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_UPGRADE,
		0, on_accept, h, on_request, h, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_THREAD_POOL_SIZE, h->opts.threads, MHD_OPTION_CONNECTION_LIMIT,
		connections, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,
		MHD_OPTION_NOTIFY_COMPLETED, on_done, NULL, MHD_OPTION_UNESCAPE_CALLBACK,
		leave_escaped, NULL,
#if MHD_VERSION >= 0x00097701
		MHD_OPTION_CLIENT_DISCIPLINE_LVL, 3,
#else
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
#endif
		MHD_OPTION_END);
}

/* ---- exported --------------------------------------------------------------------- */

static void
http_free(struct http *h)
{
	for (unsigned i = 0; i < h->opts.threads; i++) {
		struct request *r = h->workers[i].spare;

		while (r) {
			struct request *next = r->next;

			request_destroy(r);
			r = next;
		}
	}
	pthread_cond_destroy(&h->idle);
	pthread_mutex_destroy(&h->lock);
	pthread_key_delete(h->self);
	free(h->workers);
	free(h);
}

bool
http_start(struct http **out, const struct http_opts *opts, struct err *e)
{
	pthread_condattr_t monotonic;
	struct http *h;
	int fd = -1;

	assert(opts->threads > 0);
	if (!listen_at(opts->listen, &fd, e))
		return false;
	h = calloc(1, sizeof *h);
	if (!h || !(h->workers = calloc(opts->threads, sizeof *h->workers)) ||
		pthread_key_create(&h->self, NULL) != 0)
		panic("http: out of memory");
	h->opts = *opts;
	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&h->idle, &monotonic);
	pthread_condattr_destroy(&monotonic);
	write_address(fd, h->address, sizeof h->address);
	h->daemon = start_daemon(h, fd);
	if (!h->daemon) {
		/* Whether fd was closed on the way is not told, so it is left alone. */
		http_free(h);
		return fail(e, ERR_INPUT, "listen %s: cannot start %u threads: %s",
			opts->listen, opts->threads, strerror(errno));
	}
	*out = h;
	return true;
}

const char *
http_address(const struct http *h)
{
	return h->address;
}

void
http_stop(struct http *h, int drain_ms)
{
	struct timespec until;
	int rc = 0;

	atomic_store(&h->draining, true);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += drain_ms / 1000;
	until.tv_nsec += (long)(drain_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&h->lock);
	while (h->in_flight > 0 && rc == 0)
		rc = pthread_cond_timedwait(&h->idle, &h->lock, &until);
	pthread_mutex_unlock(&h->lock);
	MHD_stop_daemon(h->daemon);
	http_free(h);
}
