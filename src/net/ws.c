/* ws – the handshake, and wslay fed from memory: no socket is known here. */
#include "net/ws.h"

#include <assert.h>
#include <stdlib.h>
#include <wslay/wslay.h>

#include "base/crypt.h"
#include "base/err.h"
#include "base/log.h"
#include "net/payload.h"

#define KEY_LEN 24 /* base64 of 16 bytes */

struct ws {
	wslay_event_context_ptr context;
	struct ws_opts opts;
	struct str in;   /* of the piece at hand, what is not read yet */
	struct buf *out; /* only during ws_feed() */
	unsigned nframes;
	unsigned nfragments; /* of the message that is coming in */
	uint16_t broken;     /* close code; 0: all is well */
	const char *why;
};

/* ---- handshake --------------------------------------------------------------------- */

/* A comma-separated list that has ${token} in it (RFC 9110 §5.6.1). */
static bool
lists_token(struct str list, struct str token)
{
	for (size_t at = 0; at <= list.n;) {
		size_t end = str_find(list, ',', at);

		if (str_ieq(str_trim(str_sub(list, at, end - at)), token))
			return true;
		at = end + 1;
	}
	return false;
}

/* 16 bytes in base64. */
static bool
is_key(struct str key)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789+/";

	for (size_t i = 0; key.n == KEY_LEN && i < KEY_LEN - 2; i++)
		if (key.p[i] == '\0' || !strchr(alphabet, key.p[i]))
			return false;
	return key.n == KEY_LEN && str_ends(key, STR("=="));
}

static void
write_accept(struct str key, char accept[WS_ACCEPT_LEN])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char text[KEY_LEN + sizeof(guid) - 1];
	uint8_t digest[CRYPT_SHA1_LEN];

	static_assert(WS_ACCEPT_LEN == CRYPT_BASE64_LEN(CRYPT_SHA1_LEN), "a digest fits");
	memcpy(text, key.p, KEY_LEN);
	memcpy(text + KEY_LEN, guid, sizeof(guid) - 1);
	crypt_sha1((struct str){text, sizeof(text)}, digest);
	crypt_base64((struct str){(const char *)digest, sizeof(digest)}, accept);
}

bool
ws_handshake(const struct ws_request *q, char accept[WS_ACCEPT_LEN], struct err *e)
{
	if (!str_is(q->method, "GET") || q->upgrade.p == NULL ||
		!lists_token(q->upgrade, STR("websocket")))
		return fail(e, ERR_INPUT, "Upgrade: expected websocket");
	if (q->connection.p == NULL || !lists_token(q->connection, STR("upgrade")))
		return fail(e, ERR_INPUT, "Connection: expected Upgrade");
	if (q->version.p == NULL || !str_is(str_trim(q->version), "13"))
		return fail(e, ERR_INPUT, "Sec-WebSocket-Version: expected 13");
	if (q->key.p == NULL || !is_key(str_trim(q->key)))
		return fail(e, ERR_INPUT, "Sec-WebSocket-Key: expected 16 bytes in base64");
	write_accept(str_trim(q->key), accept);
	return true;
}

/* ---- wslay's callbacks ------------------------------------------------------------- */

static void
give_up(struct ws *w, uint16_t code, const char *why)
{
	if (w->broken == 0) {
		w->broken = code;
		w->why = why;
	}
}

static ssize_t
on_recv(wslay_event_context_ptr context, uint8_t *to, size_t n, int flags, void *arg)
{
	struct ws *w = arg;

	(void)flags;
	if (w->broken != 0 || w->in.n == 0) {
		wslay_event_set_error(
			context, w->broken ? WSLAY_ERR_CALLBACK_FAILURE : WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	n = MIN_OF(n, w->in.n);
	memcpy(to, w->in.p, n);
	w->in = str_sub(w->in, n, w->in.n - n);
	return (ssize_t)n;
}

static ssize_t
on_send(wslay_event_context_ptr context, const uint8_t *p, size_t n, int flags, void *arg)
{
	struct ws *w = arg;

	(void)context;
	(void)flags;
	buf_add(w->out, p, n);
	return (ssize_t)n;
}

/* Each fragment is an allocation of wslay's, even when it is one byte. */
static void
on_frame(wslay_event_context_ptr context, const struct wslay_event_on_frame_recv_start_arg *f,
	void *arg)
{
	struct ws *w = arg;

	(void)context;
	w->nframes++;
	if (wslay_is_ctrl_frame(f->opcode))
		return;
	if (f->opcode == WSLAY_BINARY_FRAME)
		give_up(w, WSLAY_CODE_UNSUPPORTED_DATA, "text frames only");
	w->nfragments = f->opcode == WSLAY_CONTINUATION_FRAME ? w->nfragments + 1 : 1;
	if (w->nfragments > WS_FRAGMENTS_MAX)
		give_up(w, WSLAY_CODE_POLICY_VIOLATION, "too many fragments");
}

/* What wslay lets pass: one byte instead of none or two, and a reason that came in pieces. */
static void
judge_close(struct ws *w, struct str body)
{
	if (body.n == 1)
		give_up(w, WSLAY_CODE_PROTOCOL_ERROR, "half a close code");
	else if (body.n > 2 && !str_utf8_valid(str_sub(body, 2, body.n - 2)))
		give_up(w, WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA, "the reason is no UTF-8");
}

static void
on_message(
	wslay_event_context_ptr context, const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
	struct ws *w = arg;

	(void)context;
	if (m->opcode == WSLAY_CONNECTION_CLOSE)
		judge_close(w, (struct str){(const char *)m->msg, m->msg_length});
	if (m->opcode == WSLAY_TEXT_FRAME && w->broken == 0)
		w->opts.on_text(w->opts.arg, (struct str){(const char *)m->msg, m->msg_length});
}

/* ---- exported ---------------------------------------------------------------------- */

struct ws *
ws_new(const struct ws_opts *opts)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_recv,
		.send_callback = on_send,
		.on_frame_recv_start_callback = on_frame,
		.on_msg_recv_callback = on_message,
	};
	struct ws *w = calloc(1, sizeof(*w));

	if (w == NULL || wslay_event_context_server_init(&w->context, &callbacks, w) != 0)
		panic("ws: out of memory");
	w->opts = *opts;
	wslay_event_config_set_max_recv_msg_length(w->context, opts->text_max);
	return w;
}

void
ws_free(struct ws *w)
{
	if (w == NULL)
		return;
	wslay_event_context_free(w->context);
	free(w);
}

/* wslay says in its answer how the protocol was broken, but for faults in the head of a
 * frame, where its answer says nothing. */
static void
answer_fault(struct ws *w, size_t from)
{
	struct payload *p;

	if (w->broken == 0)
		give_up(w, WSLAY_CODE_PROTOCOL_ERROR, "malformed frame");
	w->out->n = from;
	p = payload_close(w->broken, str_of(w->why));
	buf_str(w->out, payload_bytes(p));
	payload_unref(p);
}

enum ws_verdict
ws_feed(struct ws *w, struct str bytes, struct buf *out, unsigned *nframes)
{
	size_t from = out->n;
	int failed;

	w->in = bytes;
	w->out = out;
	w->nframes = 0;
	failed = wslay_event_recv(w->context);
	*nframes = w->nframes;
	if (failed == WSLAY_ERR_NOMEM)
		panic("ws: out of memory");
	if (failed || w->broken) {
		answer_fault(w, from);
		return WS_BROKEN;
	}
	if (wslay_event_want_write(w->context) && wslay_event_send(w->context) != 0)
		panic("ws: a frame of ours cannot be made");
	if (wslay_event_get_close_received(w->context))
		return WS_CLOSED;
	return wslay_event_get_read_enabled(w->context) ? WS_OPEN : WS_BROKEN;
}
