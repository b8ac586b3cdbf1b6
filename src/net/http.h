/* http – the listening side: whole request in, whole reply out (libmicrohttpd behind it).
 *
 * Nothing named MHD_ leaves http.c, so a change of library costs one file.  A pool of
 * threads; each runs the handler straight through, blocking.  Requests whose framing is
 * ambiguous or oversize are answered and closed here (I-30). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"

struct err;
struct http;

/* A request.  Everything is borrowed until the handler returns. */
struct http_in {
	struct str method;
	struct str path;  /* as sent: percent-encoded, without the query */
	struct str body;  /* empty when none was sent */
	int64_t began_us; /* monotonic, when the head was complete */
	void *conn;       /* for http_query, http_header */
};

struct http_header {
	const char *name; /* literal */
	struct str value;
};

#define HTTP_MAX_HEADERS 12

/* What becomes of the connection when the answer is "101 Switching Protocols".  Exactly one of
 * both is called, on the thread of the handler, with its arena still there. */
struct http_upgrade {
	/* The socket is the callee's from here on; ${early}: what the client sent behind its
	 * request, borrowed.  NULL: an ordinary answer. */
	void (*take)(void *arg, int fd, struct str early);
	void (*drop)(void *arg); /* the client went away before */
	void *arg;
};

struct http_out {
	int status;
	struct str body;          /* lives in the arena given to the handler */
	const char *content_type; /* literal; NULL = application/json */
	struct http_header headers[HTTP_MAX_HEADERS];
	size_t nheaders;
	struct http_upgrade upgrade;
};

/* A decoded query parameter / a request header; p == NULL when absent. */
struct str http_query(const struct http_in *in, const char *name);
struct str http_header(const struct http_in *in, const char *name);

/* The address that the client called from, in the arena of the request; p == NULL: not known.
 */
struct str http_peer(const struct http_in *in);

/* ${s} with its %XX decoded, in the arena (borrowed when there are none).  False for broken
 * %XX, for NUL and for what is not UTF-8.  Query parameters passed it already. */
bool http_unescape(struct arena *a, struct str s, struct str *out) MUST_USE;

/* Bodies above this are read only for callers that were admitted, and all of them together may
 * take HTTP_BODIES_MAX (I-16). */
#define HTTP_SMALL_BODY ((size_t)16 * 1024)
#define HTTP_BODIES_MAX ((size_t)256 * 1024 * 1024)

struct http_opts {
	const char *listen; /* "127.0.0.1:8080", "[::1]:0"; port 0 = any free */
	unsigned threads;
	unsigned max_connections;
	/* The largest body accepted for this method and path; 0 = none.  Asked before the body
	 * is read. */
	size_t (*body_limit)(void *arg, struct str method, struct str path);
	/* Asked with the head of a request whose body is larger than HTTP_SMALL_BODY: may it be
	 * read?  False: ${out} is the refusal. */
	bool (*admit)(void *arg, unsigned thread, const struct http_in *in, struct arena *arena,
		struct http_out *out);
	/* Called by pool thread ${thread} (0 … threads−1) with an arena of its own, empty, that
	 * lives until the reply is sent. */
	void (*handle)(void *arg, unsigned thread, const struct http_in *in,
		struct arena *arena, struct http_out *out);
	/* Writes the error body for a request refused here (413, 400 …). */
	void (*refuse)(void *arg, int status, const char *why, struct arena *arena,
		struct http_out *out);
	void *arg;
};

/* Starts listening.  Fails: INPUT (address), STORE never. */
bool http_start(struct http **out, const struct http_opts *opts, struct err *e) MUST_USE;
/* The address really bound, "127.0.0.1:43211". */
const char *http_address(const struct http *h);
/* Stops accepting, lets requests in flight finish (≤ drain_ms), closes. */
void http_stop(struct http *h, int drain_ms);
