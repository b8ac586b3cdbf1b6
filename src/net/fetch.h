/* fetch – HTTP requests to servers outside: many at once, one thread (libcurl's multi interface
 * behind it).
 *
 * Never follows a redirect, uses no proxy, no cookies and no .netrc, speaks http and https
 * only, and connects to no address that the guard refuses: it is asked about the one that
 * the name resolved to, at each connect (I-18). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct err;
struct fetcher;
struct guard;

#define FETCH_HEADERS_MAX 16
#define FETCH_REPLY_MAX   4096 /* bytes of an answer's body that are kept, unless asked for */

enum fetch_end {
	FETCH_ANSWERED, /* status is set */
	FETCH_TIMEOUT,
	FETCH_REFUSED, /* the address is not allowed */
	FETCH_BROKEN,  /* no connection, no name, TLS, cut off, not HTTP */
};

/* Set the first group and begin it; it and all it points to stay until it is handed back. */
struct fetch {
	const char *method, *url; /* NUL-terminated */
	struct str body;
	const char *headers[FETCH_HEADERS_MAX]; /* "Name: value"; NULL ends them */
	int timeout_ms;                         /* of the whole attempt */
	bool http2;             /* many on one connection, http:// too: for push hosts */
	const char *cert, *key; /* PEM of the client's certificate; NULL: none */
	/* Where the body of the answer goes, as far as there is room; NULL: to the fetcher's
	 * own memory, FETCH_REPLY_MAX bytes. */
	char *room;
	size_t room_max;
	void *arg;

	enum fetch_end end;
	int status;
	struct str reply; /* the beginning of the body; valid until fetcher_next() is called */
	int64_t retry_after_s; /* 0: not said */
	int64_t took_us;
	char why[96]; /* unless ANSWERED: the reason, without secrets */

	void *handle; /* the fetcher's, while it is under way */
};

struct fetcher_opts {
	const struct guard *guard; /* NULL: nothing was opened */
	int connect_timeout_ms;
	int lane_idle_ms;    /* a connection for many is kept so long without any; 0: 118 s */
	const char *ca_file; /* NULL: the system's */
	const char *const
		*resolve; /* "host:port:address", NULL ends them: for tests; or NULL */
};

bool fetcher_new(struct fetcher **out, const struct fetcher_opts *, struct err *e) MUST_USE;
/* Gives up what is under way.  NULL is legal. */
void fetcher_free(struct fetcher *f);
/* Its outcome comes from fetcher_next(), failure included. */
void fetch_begin(struct fetcher *f, struct fetch *);
/* The next one that ended; NULL: the time is over, or fetcher_wake() was called since the last
 * time that it was NULL. */
struct fetch *fetcher_next(struct fetcher *f, int timeout_ms);
/* From any thread. */
void fetcher_wake(struct fetcher *f);
