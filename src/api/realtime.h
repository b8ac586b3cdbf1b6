/* realtime – how a client connects: from the request of a WebSocket to a connection of the hub
 * (api.md §7). */
#pragma once
#include <stdbool.h>

#include "base/str.h"

struct err;
struct hub_opts;
struct http_out;
struct req;

/* What the hub asks of this floor. */
void realtime_hub_opts(struct hub_opts *opts);

/* Clients that are browsers cannot set headers: kind and token from the query, or from the JSON
 * in it, when the header has none. */
void realtime_credentials(const struct req *r, struct str *type, struct str *jwt);

/* ${out} is the answer to a GET /connect that failed, ${why}.  Who asked for a WebSocket can
 * read only that: the refusal becomes its first frame, behind which it is closed.  Refusals
 * that are over soon stay answers: clients try again after those, never after a frame with an
 * error. */
void realtime_refuse(struct req *r, const struct err *why, struct http_out *out);
