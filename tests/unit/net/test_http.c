/* test_http – the listening side against raw sockets: framing, limits, keep-alive, drain. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "../unit.h"
#include "base/err.h"
#include "net/http.h"

#define THREADS    4
#define BODY_LIMIT 1000
#define BIG        (8 * 1024 * 1024)

/* ---- the server under test --------------------------------------------------------- */

struct server {
	struct http *http;
	struct http_opts opts;
	atomic_int handled, refused, smuggled;
	atomic_bool busy[THREADS];
	sem_t entered, go; /* for /slow */
};

static size_t
body_limit(void *arg, struct str method, struct str path)
{
	(void)arg;
	(void)method;
	return str_is(path, "/none") ? 0 : BODY_LIMIT;
}

static void
handle(void *arg, unsigned thread, const struct http_in *in, struct arena *arena,
	struct http_out *out)
{
	struct server *s = arg;
	struct str x, h;

	/* Not cmocka's, which must not fail on a thread of the server. */
	assert(thread < THREADS);
	assert(!atomic_exchange(&s->busy[thread], true));
	assert(arena->used == 0);
	x = http_query(in, "x");
	h = http_header(in, "x-echo");
	if (str_is(in->path, "/smuggled"))
		atomic_fetch_add(&s->smuggled, 1);
	if (str_is(in->path, "/slow")) {
		sem_post(&s->entered);
		sem_wait(&s->go);
	}
	out->status = 200;
	if (str_is(in->path, "/big")) {
		char *p = arena_alloc(arena, BIG);

		memset(p, 'x', BIG);
		out->body = (struct str){p, BIG};
	} else {
		out->body = arena_printf(arena, "%.*s %.*s x=%s%.*s h=%.*s body=%.*s",
			STR_ARG(in->method), STR_ARG(in->path), x.p ? "" : "(none)", STR_ARG(x),
			STR_ARG(h), STR_ARG(in->body));
	}
	out->headers[out->nheaders++] = (struct http_header){"X-Test", STR("yes")};
	atomic_fetch_add(&s->handled, 1);
	atomic_store(&s->busy[thread], false);
}

static void
refuse(void *arg, int status, const char *why, struct arena *arena, struct http_out *out)
{
	struct server *s = arg;

	atomic_fetch_add(&s->refused, 1);
	out->status = status;
	out->body = arena_printf(arena, "refused: %s", why);
}

static int
start(void **state)
{
	struct server *s = calloc(1, sizeof *s);
	struct err e;

	assert_non_null(s);
	sem_init(&s->entered, 0, 0);
	sem_init(&s->go, 0, 0);
	s->opts = (struct http_opts){.listen = "127.0.0.1:0",
		.threads = THREADS,
		.max_connections = 64,
		.body_limit = body_limit,
		.handle = handle,
		.refuse = refuse,
		.arg = s};
	assert_true(http_start(&s->http, &s->opts, &e));
	*state = s;
	return 0;
}

static int
stop(void **state)
{
	struct server *s = *state;

	if (s->http)
		http_stop(s->http, 10000);
	assert_int_equal(s->smuggled, 0);
	sem_destroy(&s->entered);
	sem_destroy(&s->go);
	free(s);
	return 0;
}

/* ---- a client ---------------------------------------------------------------------- */

struct client {
	int fd;
	char buf[256 * 1024];
	size_t n;
};

struct answer {
	int status; /* 0: the connection ended instead */
	bool close;
	size_t length;
	char body[4096];
};

static struct client *
dial(const struct server *s)
{
	struct client *c = malloc(sizeof *c);
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct timeval patience = {.tv_sec = 20};
	const char *port = strrchr(http_address(s->http), ':') + 1;

	assert_non_null(c);
	c->n = 0;
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	to.sin_port = htons((uint16_t)atoi(port));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(c->fd, (struct sockaddr *)&to, sizeof to), 0);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	return c;
}

static void
hang_up(struct client *c)
{
	close(c->fd);
	free(c);
}

/* False when the other side is gone. */
static bool
put(struct client *c, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t m = send(c->fd, p, n, MSG_NOSIGNAL);

		if (m <= 0)
			return false;
		p += m;
		n -= (size_t)m;
	}
	return true;
}

static void
say(struct client *c, const char *text)
{
	put(c, text, strlen(text));
}

/* False at the end of the connection; a time-out is a failure. */
static bool
fill(struct client *c)
{
	ssize_t m;

	assert_true(c->n < sizeof c->buf - 1);
	m = recv(c->fd, c->buf + c->n, sizeof c->buf - 1 - c->n, 0);
	assert_false(m < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
	if (m <= 0)
		return false;
	c->n += (size_t)m;
	return true;
}

static void
hear(struct client *c, struct answer *a)
{
	char *end, *field;
	size_t head;

	memset(a, 0, sizeof *a);
	for (;;) {
		c->buf[c->n] = '\0';
		end = strstr(c->buf, "\r\n\r\n");
		if (end)
			break;
		if (!fill(c))
			return;
	}
	head = (size_t)(end - c->buf) + 4;
	assert_int_equal(sscanf(c->buf, "HTTP/1.%*d %d", &a->status), 1);
	*end = '\0';
	a->close = strcasestr(c->buf, "\r\nConnection: close") != NULL;
	field = strcasestr(c->buf, "\r\nContent-Length: ");
	assert_non_null(field);
	a->length = strtoul(field + 18, NULL, 10);
	if (a->length >= sizeof a->body)
		return;
	while (c->n < head + a->length && fill(c)) {
	}
	assert_true(c->n >= head + a->length);
	memcpy(a->body, c->buf + head, a->length);
	memmove(c->buf, c->buf + head + a->length, c->n - head - a->length);
	c->n -= head + a->length;
}

/* Nothing more comes: the server closed the connection. */
static void
assert_ended(struct client *c)
{
	c->n = 0;
	assert_false(fill(c));
}

static struct answer
ask_once(const struct server *s, const char *text)
{
	struct client *c = dial(s);
	struct answer a;

	say(c, text);
	hear(c, &a);
	hang_up(c);
	return a;
}

/* ---- tests ------------------------------------------------------------------------- */

static void
test_request(void **state)
{
	struct answer a = ask_once(*state, "POST /a%2Fb%20c?y=1&x=1%202+3%C3%A4 HTTP/1.1\r\n"
					   "Host: h\r\nX-Echo: one\r\n"
					   "Content-Length: 5\r\n\r\nhello");

	assert_int_equal(a.status, 200);
	assert_false(a.close);
	assert_string_equal(a.body, "POST /a%2Fb%20c x=1 2 3ä h=one body=hello");
	a = ask_once(*state, "GET /q?x HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_string_equal(a.body, "GET /q x= h= body=");
	a = ask_once(*state, "GET /q?X-ECHO=1 HTTP/1.1\r\nHost: h\r\nx-ECHO:\t v \r\n\r\n");
	assert_int_equal(a.status, 200);
}

static void
test_chunked_body(void **state)
{
	struct answer a = ask_once(*state,
		"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
		"5\r\nhello\r\nA\r\n, world...\r\n0\r\n\r\n");

	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "POST /c x=(none) h= body=hello, world...");
}

static void
test_keep_alive(void **state)
{
	struct server *s = *state;
	struct client *c = dial(s);
	struct answer a;

	for (int i = 0; i < 100; i++) {
		char text[128], want[64];

		snprintf(text, sizeof text,
			"PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n%03d", i);
		snprintf(want, sizeof want, "PUT /k x=(none) h= body=%03d", i);
		say(c, text);
		hear(c, &a);
		assert_int_equal(a.status, 200);
		assert_string_equal(a.body, want);
	}
	say(c, "GET /k HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	hear(c, &a);
	assert_int_equal(a.status, 200);
	assert_ended(c);
	hang_up(c);
}

/* F12: answers come in order, and a body does not run into the next request. */
static void
test_pipelining(void **state)
{
	struct client *c = dial(*state);
	struct answer a;

	say(c, "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
	       "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
	hear(c, &a);
	assert_string_equal(a.body, "POST /1 x=(none) h= body=abc");
	hear(c, &a);
	assert_string_equal(a.body, "GET /2 x=(none) h= body=");
	hang_up(c);
}

static void
test_pipelining_many(void **state)
{
	enum { MANY = 2000 };
	struct client *c = dial(*state);
	struct buf text;
	struct answer a;

	buf_init(&text, NULL, 0);
	for (int i = 0; i < MANY; i++)
		buf_printf(&text, "GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i);
	assert_true(put(c, text.p, text.n));
	for (int i = 0; i < MANY; i++) {
		char want[64];

		snprintf(want, sizeof want, "GET /%d x=(none) h= body=", i);
		hear(c, &a);
		assert_string_equal(a.body, want);
	}
	buf_free(&text);
	hang_up(c);
}

/* F10: told at once, before any of the body is there. */
static void
test_too_large_by_length(void **state)
{
	struct server *s = *state;
	struct client *c = dial(s);
	struct answer a;

	say(c, "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n");
	hear(c, &a);
	assert_int_equal(a.status, 413);
	assert_true(a.close);
	assert_ended(c);
	hang_up(c);
	a = ask_once(s, "POST /none HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n");
	assert_int_equal(a.status, 413);
	assert_int_equal(s->handled, 0);
	assert_int_equal(s->refused, 2);
}

static void
test_exactly_the_limit(void **state)
{
	struct client *c = dial(*state);
	char body[BODY_LIMIT];
	struct answer a;

	memset(body, 'b', sizeof body);
	say(c, "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
	put(c, body, sizeof body);
	hear(c, &a);
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.body, "bbbb"));
	hang_up(c);
}

static void
test_too_large_by_chunks(void **state)
{
	struct server *s = *state;
	struct client *c = dial(s);
	struct answer a;

	say(c, "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 101; i++)
		say(c, "a\r\n0123456789\r\n");
	say(c, "0\r\n\r\n");
	hear(c, &a);
	assert_int_equal(a.status, 413);
	assert_true(a.close);
	assert_ended(c);
	assert_int_equal(s->handled, 0);
	hang_up(c);
}

/* A body without end is cut off, not read for ever. */
static void
test_endless_chunks(void **state)
{
	static char chunk[0x10000 + 9] = "10000\r\n";
	struct server *s = *state;
	struct client *c = dial(s);
	int sent = 0;

	memset(chunk + 7, 'x', 0x10000);
	memcpy(chunk + 7 + 0x10000, "\r\n", 2);
	say(c, "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	while (sent < 10000 && put(c, chunk, sizeof chunk))
		sent++;
	assert_true(sent < 10000);
	assert_int_equal(s->handled, 0);
	hang_up(c);
}

/* F11, I-30: whatever is ambiguous is refused and ends the connection, so that what follows
 * is never taken for a request. */
static void
test_ambiguous(void **state)
{
	static const struct {
		const char *head;
		int status;
	} cases[] = {
		{"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
		 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			400},
		{"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
		 "Content-Length: 5\r\n\r\n0\r\n\r\n",
			400},
		{"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: "
		 "3\r\n\r\nabc",
			400},
		{"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: "
		 "44\r\n\r\n",
			400},
		{"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
			400},
		{"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
		{"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
		 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			400},
		{"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n", 400},
		{"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length : 44\r\n\r\n", 400},
		{"POST /x HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400},
		{"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\n", 400},
		{"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\n", 400},
		{"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5,5\r\n\r\n", 400},
		{"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\n", 400},
		{"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
			413},
		{"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775807\r\n\r\n",
			413},
		{"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "FFFFFFFFFFFFFFFF1\r\n",
			413},
		{"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
			400},
		{"GET /x HTTP/1.1\r\nHost: h\r\nno colon here\r\n\r\n", 400},
		{"GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		{"GET /x HTTP/1.1\r\n\r\n", 400},
		{"GET http://h/x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"GET x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"G(T /x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"GET /x\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"GET /x HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n", 400},
		{"GET /x?a=%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"GET /x?a=%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"GET /x?a=%C3 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"GET /x HTTP/2.0\r\nHost: h\r\n\r\n", 505},
		{"GET /x HTTP/0.9\r\nHost: h\r\n\r\n", 505},
		{"GET /x\r\n", 400},
	};
	struct server *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct client *c = dial(s);
		struct answer a;

		say(c, cases[i].head);
		say(c, "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
		hear(c, &a);
		/* Some are refused by hanging up, which is as good. */
		if (a.status != 0 && a.status != cases[i].status)
			fail_msg("%s answered %d: %s", cases[i].head, a.status, a.body);
		if (a.status != 0)
			assert_true(a.close);
		assert_ended(c);
		hang_up(c);
	}
	assert_int_equal(s->handled, 0);
}

static void
test_header_flood(void **state)
{
	struct server *s = *state;
	struct client *c;
	struct answer a;
	char line[64];

	c = dial(s);
	say(c, "GET /x HTTP/1.1\r\nHost: h\r\n");
	for (int i = 0; i < 101; i++) {
		snprintf(line, sizeof line, "a%d: b\r\n", i);
		say(c, line);
	}
	say(c, "\r\n");
	hear(c, &a);
	assert_int_equal(a.status, 431);
	assert_true(a.close);
	hang_up(c);

	c = dial(s);
	say(c, "GET /x HTTP/1.1\r\nHost: h\r\n");
	for (int i = 0; i < 100000; i++) {
		snprintf(line, sizeof line, "header-%d: value\r\n", i);
		if (!put(c, line, strlen(line)))
			break;
	}
	/* The reset that follows may overtake the answer. */
	hear(c, &a);
	assert_true(a.status == 431 || a.status == 0);
	hang_up(c);
	assert_int_equal(s->handled, 0);
	assert_int_equal(ask_once(s, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
}

/* A token of 8 KiB, the longest that is looked at, still fits. */
static void
test_long_header(void **state)
{
	struct client *c = dial(*state);
	static char token[8192];
	struct answer a;

	memset(token, 't', sizeof token);
	say(c, "GET /x?x=1 HTTP/1.1\r\nHost: h\r\nAuthorization: ");
	put(c, token, sizeof token);
	say(c, "\r\n\r\n");
	hear(c, &a);
	assert_int_equal(a.status, 200);
	hang_up(c);
}

static void
test_half_close(void **state)
{
	struct client *c = dial(*state);
	struct answer a;

	say(c, "POST /h HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok");
	shutdown(c->fd, SHUT_WR);
	hear(c, &a);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "POST /h x=(none) h= body=ok");
	assert_ended(c);
	hang_up(c);
}

/* F12: whoever leaves in the middle hurts nobody, and leaves nothing behind (the leak
 * checker and the drain at the end look). */
static void
test_vanishing_clients(void **state)
{
	struct server *s = *state;

	for (int i = 0; i < 20; i++) {
		struct client *c = dial(s);
		struct linger reset = {.l_onoff = 1};

		say(c, i % 2 ? "GET /big HTTP/1.1\r\nHost: h\r\n\r\n"
			     : "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf");
		if (i % 2)
			assert_true(fill(c));
		if (i % 4 < 2)
			setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		hang_up(c);
	}
	assert_int_equal(ask_once(s, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
}

static void
test_large_answer(void **state)
{
	struct client *c = dial(*state);
	struct answer a;
	size_t got;

	say(c, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
	hear(c, &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.length, BIG);
	got = c->n;
	while (got < BIG) {
		c->n = 0;
		assert_true(fill(c));
		got += c->n;
	}
	hang_up(c);
}

static void *
ask_many(void *arg)
{
	struct client *c = dial(arg);
	struct answer a;

	for (int i = 0; i < 200; i++) {
		char text[128], want[64];
		int id = c->fd * 1000 + i;

		snprintf(text, sizeof text,
			"POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n%08d", id,
			id);
		snprintf(want, sizeof want, "POST /%d x=(none) h= body=%08d", id, id);
		say(c, text);
		hear(c, &a);
		assert_string_equal(a.body, want);
	}
	hang_up(c);
	return NULL;
}

/* A pool thread runs one handler at a time, and each answer reaches its own client. */
static void
test_many_at_once(void **state)
{
	pthread_t threads[16];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_many, *state), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(((struct server *)*state)->handled, 16 * 200);
}

static void *
stop_now(void *arg)
{
	struct server *s = arg;

	http_stop(s->http, 20000);
	return NULL;
}

/* A request in flight is finished; nobody new is let in. */
static void
test_drain(void **state)
{
	struct server *s = *state;
	struct client *slow = dial(s);
	pthread_t stopper;
	struct answer a;

	say(slow, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
	sem_wait(&s->entered);
	pthread_create(&stopper, NULL, stop_now, s);
	for (;;) { /* until draining shows: the connection is dropped unanswered */
		struct client *late = dial(s);

		say(late, "GET /late HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
		hear(late, &a);
		hang_up(late);
		if (a.status == 0)
			break;
	}
	sem_post(&s->go);
	hear(slow, &a);
	assert_int_equal(a.status, 200);
	assert_true(a.close);
	pthread_join(stopper, NULL);
	s->http = NULL;
	hang_up(slow);
}

/* Waiting for a client that never finishes ends after drain_ms. */
static void
test_drain_limit(void **state)
{
	struct server *s = *state;
	struct client *c = dial(s);
	struct answer a;

	say(c, "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
	       "Content-Length: 5\r\n\r\n");
	while (!strstr(c->buf, "100 Continue")) {
		assert_true(fill(c));
		c->buf[c->n] = '\0';
	}
	http_stop(s->http, 50);
	s->http = NULL;
	c->n = 0;
	hear(c, &a);
	assert_int_equal(a.status, 0);
	hang_up(c);
}

static void
test_addresses(void **state)
{
	static const char *const bad[] = {"", "127.0.0.1", "8080", ":8080",
		"127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
		"[::1:80", "[]:80", "127.0.0.1:80 "};
	struct server *s = *state;
	struct http_opts opts = s->opts;
	struct http *h;
	char want[128];
	struct err e;

	assert_memory_equal(http_address(s->http), "127.0.0.1:", 10);
	assert_true(atoi(http_address(s->http) + 10) > 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		opts.listen = bad[i];
		if (http_start(&h, &opts, &e))
			fail_msg("listens on \"%s\"", bad[i]);
		assert_int_equal(e.code, ERR_INPUT);
		assert_non_null(strstr(e.msg, "expected ADDRESS:PORT"));
	}
	opts.listen = http_address(s->http);
	assert_false(http_start(&h, &opts, &e));
	snprintf(want, sizeof want, "listen %s: Address already in use", opts.listen);
	assert_string_equal(e.msg, want);
	opts.listen = "[::1]:0";
	if (!http_start(&h, &opts, &e)) /* a machine without IPv6 */
		return;
	assert_memory_equal(http_address(h), "[::1]:", 6);
	http_stop(h, 0);
}

static void
test_unescape(void **state)
{
	struct arena a;
	struct str out;

	(void)state;
	arena_init(&a, 1024, 1024);
	assert_true(http_unescape(&a, STR("sid%2F1"), &out));
	assert_true(str_is(out, "sid/1"));
	assert_true(http_unescape(&a, STR("messaging%3ax+y"), &out));
	assert_true(str_is(out, "messaging:x+y"));
	assert_true(http_unescape(&a, STR("%C3%a4"), &out));
	assert_true(str_is(out, "ä"));
	assert_true(http_unescape(&a, STR(""), &out));
	assert_int_equal(out.n, 0);
	assert_false(http_unescape(&a, STR("%"), &out));
	assert_false(http_unescape(&a, STR("a%4"), &out));
	assert_false(http_unescape(&a, STR("%4g"), &out));
	assert_false(http_unescape(&a, STR("%00"), &out));
	assert_false(http_unescape(&a, STR("%FF"), &out));
	assert_false(http_unescape(&a, STR("\xff"), &out));
	arena_fini(&a);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(test_request),
		WITH_SERVER(test_chunked_body),
		WITH_SERVER(test_keep_alive),
		WITH_SERVER(test_pipelining),
		WITH_SERVER(test_pipelining_many),
		WITH_SERVER(test_too_large_by_length),
		WITH_SERVER(test_exactly_the_limit),
		WITH_SERVER(test_too_large_by_chunks),
		WITH_SERVER(test_endless_chunks),
		WITH_SERVER(test_ambiguous),
		WITH_SERVER(test_header_flood),
		WITH_SERVER(test_long_header),
		WITH_SERVER(test_half_close),
		WITH_SERVER(test_vanishing_clients),
		WITH_SERVER(test_large_answer),
		WITH_SERVER(test_many_at_once),
		WITH_SERVER(test_drain),
		WITH_SERVER(test_drain_limit),
		WITH_SERVER(test_addresses),
		cmocka_unit_test(test_unescape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
