/* lane_h2 – what is said on a lane: requests and answers as streams of HTTP/2 (nghttp2). */
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/lane_impl.h"

#define NAME_MAX_LEN   64 /* of a header of a request */
#define PSEUDO_HEADERS 4
/* Bytes of answers that may be on their way at once. */
#define WINDOW (1 << 24)

/* nghttp2 fails like this without memory, and where we misuse it. */
static void
need(int rc)
{
	if (rc != 0)
		panic("nghttp2: %s", nghttp2_strerror(rc));
}

static struct slot *
slot_of(nghttp2_session *h2, int32_t stream)
{
	return stream == 0 ? NULL : nghttp2_session_get_stream_user_data(h2, stream);
}

/* ---- the end of a stream --------------------------------------------------------------- */

static int64_t
seconds_of(const char *retry_after)
{
	struct str text = str_trim(str_of(retry_after));
	int64_t seconds = 0;
	time_t date;

	if (text.n == 0 || str_to_i64(text, &seconds))
		return MAX_OF(seconds, 0);
	date = curl_getdate(retry_after, NULL);
	return date < 0 ? 0 : MAX_OF((int64_t)date - (int64_t)time(NULL), 0);
}

void
h2_end(struct slot *s, enum fetch_end otherwise, const char *why)
{
	struct fetch *f = s->fetch;

	s->lane->is_used |= s->is_whole;
	lane_drop(s);
	if (s->is_whole) {
		f->end = FETCH_ANSWERED;
		f->status = s->status;
		f->retry_after_s = seconds_of(s->retry_after);
	} else {
		f->end = otherwise;
		snprintf(f->why, sizeof(f->why), "%s", why);
	}
	slot_end(s);
}

void
h2_cancel(struct slot *s)
{
	nghttp2_session *h2 = s->lane->h2;

	if (s->stream == 0)
		return;
	nghttp2_session_set_stream_user_data(h2, s->stream, NULL);
	need(nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, s->stream, NGHTTP2_CANCEL));
}

/* ---- what comes ------------------------------------------------------------------------ */

static int
on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t nname,
	const uint8_t *value, size_t nvalue, uint8_t flags UNUSED, void *arg UNUSED)
{
	struct slot *s = slot_of(h2, frame->hd.stream_id);
	struct str n = {(const char *)name, nname}, v = {(const char *)value, nvalue};
	int64_t status;

	if (s == NULL)
		return 0;
	s->head += nname + nvalue + 4;
	if (s->head > HEAD_MAX) {
		h2_cancel(s);
		h2_end(s, FETCH_BROKEN, "its headers never end");
	} else if (str_is(n, ":status") && str_to_i64(v, &status)) {
		s->status = (int)status;
	} else if (str_is(n, "retry-after") && v.n < RETRY_AFTER_MAX) {
		memcpy(s->retry_after, v.p, v.n);
		s->retry_after[v.n] = '\0';
	}
	return 0;
}

static int
on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	struct lane *l = arg;
	struct slot *s = slot_of(h2, frame->hd.stream_id);

	if (frame->hd.type == NGHTTP2_GOAWAY)
		l->is_leaving = true;
	/* Headers of an interim answer (1xx) are followed by others. */
	if (frame->hd.type == NGHTTP2_HEADERS && s != NULL && s->status >= 200)
		s->is_whole = true;
	return 0;
}

static int
on_body(nghttp2_session *h2, uint8_t flags UNUSED, int32_t stream, const uint8_t *p, size_t n,
	void *arg UNUSED)
{
	struct slot *s = slot_of(h2, stream);

	if (s != NULL && !slot_take_body(s, p, n)) {
		h2_cancel(s);
		h2_end(s, FETCH_BROKEN, "its body never ends");
	}
	return 0;
}

static int
on_close(nghttp2_session *h2, int32_t stream, uint32_t error, void *arg UNUSED)
{
	struct slot *s = slot_of(h2, stream);

	if (s == NULL)
		return 0;
	/* Refused, also by GOAWAY: nobody has looked at it. */
	if (error == NGHTTP2_REFUSED_STREAM && s->head == 0)
		lane_move(s, "the stream was refused");
	else
		h2_end(s, FETCH_BROKEN,
			error == NGHTTP2_NO_ERROR ? "no answer"
						  : nghttp2_http2_strerror(error));
	return 0;
}

bool
h2_take(struct lane *l, const uint8_t *p, size_t n)
{
	return nghttp2_session_mem_recv(l->h2, p, n) >= 0;
}

/* ---- what goes ------------------------------------------------------------------------- */

static ssize_t
read_body(nghttp2_session *h2, int32_t stream, uint8_t *to, size_t max, uint32_t *flags,
	nghttp2_data_source *source UNUSED, void *arg UNUSED)
{
	struct slot *s = slot_of(h2, stream);
	size_t n;

	if (s == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = MIN_OF(max, s->fetch->body.n - s->sent);
	if (n > 0)
		memcpy(to, s->fetch->body.p + s->sent, n);
	s->sent += n;
	if (s->sent == s->fetch->body.n)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static nghttp2_nv
pair(const char *name, size_t nname, const char *value, size_t nvalue)
{
	return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
		.namelen = nname,
		.value = (uint8_t *)(uintptr_t)value,
		.valuelen = nvalue};
}

/* "Name: value"; names are written small here. */
static nghttp2_nv
pair_of(const char *header, char name[NAME_MAX_LEN])
{
	const char *value = strchr(header, ':');
	size_t n = value != NULL ? (size_t)(value - header) : NAME_MAX_LEN;
	struct str v;

	assert(n < NAME_MAX_LEN);
	for (size_t i = 0; i < n; i++)
		name[i] = (char)tolower((unsigned char)header[i]);
	v = str_trim(str_of(value + 1));
	return pair(name, n, v.p, v.n);
}

/* Returns their number; texts are those of the fetch, but for names and ${length}. */
static size_t
request_of(const struct slot *s, char names[][NAME_MAX_LEN], char length[24], nghttp2_nv *out)
{
	const struct fetch *f = s->fetch;
	const char *host = strstr(f->url, "://") + 3, *path = f->url + strlen(s->lane->origin);
	size_t n = 0, nhost = strcspn(host, "/?#"), npath = strcspn(path, "#");
	bool is_rooted = path[0] == '/';

	assert(is_rooted || npath == 0);
	out[n++] = pair(":method", 7, f->method, strlen(f->method));
	out[n++] = pair(":scheme", 7, f->url, (size_t)(host - f->url) - 3);
	out[n++] = pair(":authority", 10, host, nhost);
	out[n++] = pair(":path", 5, is_rooted ? path : "/", is_rooted ? npath : 1);
	for (size_t i = 0; i < FETCH_HEADERS_MAX && f->headers[i] != NULL; i++, n++)
		out[n] = pair_of(f->headers[i], names[i]);
	if (strcmp(f->method, "GET") != 0) {
		int digits = snprintf(length, 24, "%zu", f->body.n);

		out[n++] = pair("content-length", 14, length, (size_t)digits);
	}
	return n;
}

static void
begin(struct lane *l, struct slot *s)
{
	char names[FETCH_HEADERS_MAX][NAME_MAX_LEN], length[24];
	nghttp2_nv pairs[PSEUDO_HEADERS + FETCH_HEADERS_MAX + 1];
	nghttp2_data_provider body = {.read_callback = read_body};
	size_t n = request_of(s, names, length, pairs);
	bool has_body = s->fetch->body.n > 0;
	int32_t stream =
		nghttp2_submit_request(l->h2, NULL, pairs, n, has_body ? &body : NULL, s);

	if (stream == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE) {
		l->is_leaving = true;
		lane_move(s, "no stream is left");
		return;
	}
	need(MIN_OF(stream, 0));
	s->sent = 0;
	lane_drop(s);
	lane_put(l, &l->away, s);
	s->stream = stream;
}

void
h2_begin_waiting(struct lane *l)
{
	uint32_t max = nghttp2_session_get_remote_settings(
		l->h2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	max = MIN_OF(max, (uint32_t)STREAMS_MAX);
	while (l->waits.n > 0 && l->away.n < max && !l->is_leaving)
		begin(l, l->waits.first);
}

/* All that there is goes in one write: a write, a record of TLS and a packet for each frame
 * would be most of what a small request costs, here and on the other side. */
bool
h2_gather(struct lane *l)
{
	const uint8_t *p;
	ssize_t n = 1;

	while (n > 0 && LANE_OUT - l->out_n >= FRAME_ROOM) {
		n = nghttp2_session_mem_send(l->h2, &p);
		if (n > FRAME_ROOM)
			panic("nghttp2: a frame of %zd bytes", n);
		if (n > 0) {
			memcpy(l->out + l->out_n, p, (size_t)n);
			l->out_n += (size_t)n;
		}
	}
	return n >= 0;
}

/* ---- life ------------------------------------------------------------------------------ */

bool
h2_has_to_send(const struct lane *l)
{
	return nghttp2_session_want_write(l->h2) != 0;
}

bool
h2_is_over(const struct lane *l)
{
	return !nghttp2_session_want_read(l->h2) && !nghttp2_session_want_write(l->h2);
}

void
h2_open(struct lane *l)
{
	static const nghttp2_settings_entry no_push = {NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
	nghttp2_session_callbacks *calls;

	need(nghttp2_session_callbacks_new(&calls));
	nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_body);
	nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
	need(nghttp2_session_client_new(&l->h2, calls, l));
	nghttp2_session_callbacks_del(calls);
	need(nghttp2_submit_settings(l->h2, NGHTTP2_FLAG_NONE, &no_push, 1));
	need(nghttp2_session_set_local_window_size(l->h2, NGHTTP2_FLAG_NONE, 0, WINDOW));
}

void
h2_close(struct lane *l)
{
	nghttp2_session_del(l->h2);
	l->h2 = NULL;
}
