/* client – JSON calls to a running server (libcurl behind it).
 *
 * For the commands that talk to `fanfare serve`: a few connections that stay open, several
 * calls in flight, one thread.  Goes straight to the server: no proxy, no redirects.  Knows
 * nothing of secrets: the token is made by the caller. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct client;
struct err;

struct client_opts {
	const char *url;    /* "http://127.0.0.1:8080", with or without a '/' at the end */
	struct str api_key; /* added to the query of every call */
	struct str token;   /* for the header Authorization */
	int timeout_ms;     /* for a whole call */
};

/* A call.  Set the first group, begin it, and leave it alone until it is handed back. */
struct client_call {
	const char *method;
	struct str path; /* "/campaigns/x?limit=1", already encoded; borrowed */
	struct str body; /* p == NULL: none; borrowed */
	bool is_ndjson;  /* of the body; else JSON */

	int status;       /* of the answer; 0: none came */
	bool reached;     /* without an answer: the server may have handled the call */
	struct buf reply; /* on the heap, reused by the next call */
	char why[160];    /* without an answer: the reason */
	void *handle;     /* libcurl's, reused by the next call */
};

/* Fails: INPUT (the URL is none). */
bool client_new(struct client **out, const struct client_opts *opts, struct err *e) MUST_USE;
/* Every call must be handed back or finished before; NULL is legal. */
void client_free(struct client *c);

/* A descriptor whose readability ends client_next, such as a signalfd or an input; -1:
 * none. */
void client_watch(struct client *c, int fd);

/* Starts a call whose struct is all zero or was handed back; its outcome comes from
 * client_next, failure included. */
void client_begin(struct client *c, struct client_call *call);
/* The next call that ended, or NULL: time out, or the watched descriptor is readable. */
struct client_call *client_next(struct client *c, int timeout_ms);
/* Gives up a call in any state and frees what it holds. */
void client_finish(struct client *c, struct client_call *call);

/* Turns the outcome of a call into its JSON, in the arena; *out is NULL when the answer had
 * no body.  ${out} may be NULL.  Fails: STORE (never reached the server), UNCERTAIN (no
 * answer), and the code that belongs to an error answer, with the server's message. */
bool client_read(
	const struct client_call *call, struct arena *a, json_t **out, struct err *e) MUST_USE;

/* One call from begin to end.  Fails: as client_read; UNCERTAIN also when the watched
 * descriptor became readable first. */
bool client_json(struct client *c, struct arena *a, const char *method, struct str path,
	struct str body, json_t **out, struct err *e) MUST_USE;
