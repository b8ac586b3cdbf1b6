/* fetch_impl – what the files of fetch share: a fetch under way, and who drives it.
 *
 * A fetch is alone on its connection as far as HTTP goes (fetch.c: libcurl does it all), or one
 * of many on a lane (lane.c: libcurl connects, nghttp2 speaks). */
#pragma once
#include <curl/curl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/fetch.h"

struct lane;
struct slot;

/* Of an answer, its headers may be so long, and so much of its body is read to keep the
 * connection. */
#define HEAD_MAX  65536
#define DRAIN_MAX 65536
/* Requests on one lane, where the other side allows so many. */
#define STREAMS_MAX 1000
/* A value of Retry-After that is looked at. */
#define RETRY_AFTER_MAX 48

/* Where a connect asks whether it may. */
struct gate {
	const struct guard *guard;
	bool is_refused; /* it may not */
};

struct queue {
	struct slot *first, *last;
	size_t n;
};

/* A fetch under way, and the memory of its answer; used for one after the other. */
struct slot {
	struct fetcher *owner;
	struct fetch *fetch;
	int64_t begun, deadline; /* monotonic */
	size_t head, got;
	bool is_whole;        /* the headers of the answer */
	bool is_cut;          /* by us: the body was too long */
	struct slot *next;    /* in the list it is in */
	struct slot *sibling; /* in that of all */

	/* Alone: set up once. */
	CURL *easy; /* NULL: not yet */
	struct curl_slist headers[FETCH_HEADERS_MAX];
	struct gate gate;
	bool is_http2, has_cert; /* what it was last set up for */

	/* On a lane. */
	struct lane *lane; /* NULL: it is on none */
	struct slot *before, *after;
	int32_t stream; /* 0: it waits for one */
	size_t sent;    /* of its body */
	bool was_moved; /* from a lane that was lost: only once */
	int status;
	char retry_after[RETRY_AFTER_MAX]; /* "": not said */

	char reply[FETCH_REPLY_MAX];
};

struct fetcher {
	CURLM *multi;
	struct fetcher_opts opts;
	struct curl_slist *resolve;
	int epoll, bell;
	_Atomic bool rung;
	int64_t timer; /* monotonic µs at which libcurl wants its turn; −1: never */
	struct lane *lanes;
	int64_t lanes_due; /* monotonic; when one has to be looked at; INT64_MAX: never */
	struct slot *idle, *ended, **last_ended;
	struct slot *told; /* whose fetch was handed back last: its reply is still looked at */
	struct slot *all;
};

/* ---- fetch.c ---- */

/* What is the same for all that libcurl connects; ${gate} is asked about the address. */
void fetch_set_up(const struct fetcher *, CURL *, struct gate *gate);
void fetch_set_cert(CURL *, const char *cert, const char *key);
/* Takes what has come of a body; false: it is cut, there was too much. */
bool slot_take_body(struct slot *, const void *p, size_t n);
void slot_begin_alone(struct slot *);
/* Its outcome is known: what stands in the fetch, and what was kept of the answer. */
void slot_end(struct slot *);
void slot_end_broken(struct slot *, const char *why);
/* libcurl says so. */
void slot_end_failed(struct slot *, CURLcode, bool was_refused);

/* ---- lane.c ---- */

/* Takes a fetch on a lane to where it leads; false: it has to go alone. */
bool lane_begin(struct slot *) MUST_USE;
/* Sends what waits, on all. */
void lanes_flush(struct fetcher *);
/* The one that has the socket; NULL: none. */
struct lane *lane_at(const struct fetcher *, int fd);
/* Its socket is ready. */
void lane_turn(struct lane *);
/* libcurl has connected one, or has failed to; false: the handle is no lane's. */
bool lane_connected(struct fetcher *, CURL *, CURLcode) MUST_USE;
/* Ends what is overdue. */
void lanes_tick(struct fetcher *, int64_t now);
void lanes_free(struct fetcher *);
