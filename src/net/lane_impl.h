/* lane_impl – what the two files of a lane share: its connection (lane.c), and what is said on
 * it (lane_h2.c). */
#pragma once
#include <nghttp2/nghttp2.h>

#include "net/fetch_impl.h"

/* What is gathered for one write; a frame has always room. */
#define LANE_OUT   65536
#define FRAME_ROOM 20480

struct lane {
	struct lane *next;
	struct fetcher *owner;
	char *origin; /* "https://host:port" */
	char *cert;   /* the client's; NULL: none */
	CURL *easy;   /* NULL: the other side does not speak HTTP/2, its fetches go alone */
	struct gate gate;
	int fd;              /* −1: it is not open yet */
	uint32_t events;     /* that epoll watches for */
	bool is_leaving;     /* takes no more requests */
	bool is_used;        /* something was answered on it */
	struct queue waits;  /* for a stream */
	struct queue away;   /* on their streams */
	int64_t heard_at;    /* monotonic; when the other side last said something */
	int64_t idle_since;  /* monotonic; when the last request left it */
	nghttp2_session *h2; /* NULL: it is not open yet */
	size_t out_at, out_n;
	uint8_t out[LANE_OUT];
};

/* ---- lane.c ---- */

void lane_put(struct lane *, struct queue *, struct slot *);
/* Off its lane. */
void lane_drop(struct slot *);
/* Its stream is gone and nobody has looked at the request: another lane's, once; else it ends
 * broken. */
void lane_move(struct slot *, const char *why);

/* ---- lane_h2.c ---- */

void h2_open(struct lane *);
void h2_close(struct lane *);
/* Begins what waits, as far as the other side allows. */
void h2_begin_waiting(struct lane *);
/* Fills ${out} with what is to be sent; false: the session is broken. */
bool h2_gather(struct lane *) MUST_USE;
/* By itself, whatever waits. */
bool h2_has_to_send(const struct lane *);
/* Takes what was received; false: it is not HTTP/2. */
bool h2_take(struct lane *, const uint8_t *p, size_t n) MUST_USE;
/* Neither side has anything more to say. */
bool h2_is_over(const struct lane *);
/* Gives its stream up. */
void h2_cancel(struct slot *);
/* With what has come of its answer: whole, or not. */
void h2_end(struct slot *, enum fetch_end otherwise, const char *why);
