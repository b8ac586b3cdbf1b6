/* ws – the WebSocket protocol (RFC 6455) as a server speaks it: the handshake, and the frames
 * that come in (wslay behind it).
 *
 * What goes out is payloads; only what the protocol itself answers, pongs and closes, is made
 * here.  No extension is offered: compression would cost memory for each connection. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct err;
struct ws;

/* ---- handshake --------------------------------------------------------------------- */

/* What a client asks with; p == NULL for a field that is absent. */
struct ws_request {
	struct str method, upgrade, connection, version, key;
};

#define WS_ACCEPT_LEN 28
/* Whether this is a proper handshake; ${accept}: the Sec-WebSocket-Accept of the answer. Fails:
 * INPUT. */
bool
ws_handshake(const struct ws_request *, char accept[WS_ACCEPT_LEN], struct err *e) MUST_USE;

/* ---- frames ------------------------------------------------------------------------ */

#define WS_FRAGMENTS_MAX 64 /* frames of one message */

struct ws_opts {
	size_t text_max; /* bytes of a message */
	/* A complete message of valid UTF-8; borrowed. */
	void (*on_text)(void *arg, struct str text);
	void *arg;
};

struct ws *ws_new(const struct ws_opts *opts);
void ws_free(struct ws *w); /* NULL is legal */

enum ws_verdict {
	WS_OPEN,
	WS_CLOSED, /* the client closed; the answer is in ${out} */
	WS_BROKEN, /* it broke the protocol; a close frame that says how is in ${out} */
};

/* Takes what came in, in pieces of any size, and appends the frames to answer with to ${out}.
 * After WS_CLOSED and WS_BROKEN nothing more is taken.  *nframes: how many frames have begun.
 */
enum ws_verdict ws_feed(struct ws *w, struct str bytes, struct buf *out, unsigned *nframes);
