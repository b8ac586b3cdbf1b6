/* fetch – many HTTP requests at once: libcurl's multi interface, driven by an epoll of ours. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "net/fetch_impl.h"
#include "net/guard.h"

/* Connections that are kept although nobody uses them. */
#define KEPT_MAX 1024
#define EVENTS   64

/* libcurl without memory cannot go on, and neither can we. */
static void *
need(void *p)
{
	if (p == NULL)
		panic("out of memory: fetch");
	return p;
}

/* ---- what libcurl calls ------------------------------------------------------------------ */

static size_t
reply_max(const struct slot *s)
{
	return s->fetch->room != NULL ? s->fetch->room_max : FETCH_REPLY_MAX;
}

/* What is kept of the body so far. */
static struct str
reply_of(const struct slot *s)
{
	return (struct str){s->fetch->room != NULL ? s->fetch->room : s->reply,
		MIN_OF(s->got, reply_max(s))};
}

bool
slot_take_body(struct slot *s, const void *p, size_t n)
{
	struct str kept = reply_of(s);

	memcpy((char *)(uintptr_t)kept.p + kept.n, p, MIN_OF(n, reply_max(s) - kept.n));
	s->got += n;
	s->is_cut = s->got > DRAIN_MAX;
	return !s->is_cut;
}

static size_t
take_body(char *p, size_t size, size_t n, void *arg)
{
	return slot_take_body(arg, p, size * n) ? size * n : 0;
}

/* An empty line ends the headers, those of an interim answer (1xx) too. */
static size_t
take_header(char *p, size_t size, size_t n, void *arg)
{
	struct slot *s = arg;
	size_t bytes = size * n;
	long status = 0;

	s->head += bytes;
	if (s->head > HEAD_MAX)
		return 0;
	if (bytes > 0 && (p[0] == '\r' || p[0] == '\n')) {
		curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
		s->is_whole = status >= 200;
	}
	return bytes;
}

static curl_socket_t
open_socket(void *arg, curlsocktype purpose UNUSED, struct curl_sockaddr *to)
{
	struct gate *g = arg;

	if (!guard_allows(g->guard, &to->addr)) {
		g->is_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static int
watch_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *arg, void *known)
{
	struct fetcher *f = arg;
	struct epoll_event ev = {.data.fd = fd};

	if (what & CURL_POLL_IN)
		ev.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		ev.events |= EPOLLOUT;
	/* A descriptor that was closed has left by itself, and its number may be used anew. */
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(f->epoll, EPOLL_CTL_DEL, fd, NULL);
	} else if (epoll_ctl(f->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) != 0 &&
		   epoll_ctl(f->epoll, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev) != 0) {
		panic("epoll_ctl: %s", strerror(errno));
	}
	curl_multi_assign(f->multi, fd, what == CURL_POLL_REMOVE ? NULL : f);
	return 0;
}

static int
set_timer(CURLM *multi UNUSED, long ms, void *arg)
{
	struct fetcher *f = arg;

	/* Its milliseconds are cut off, not rounded up. */
	f->timer = ms < 0 ? -1 : clock_mono_us() + (ms > 0 ? ms + 1 : 0) * INT64_C(1000);
	return 0;
}

/* ---- slots ------------------------------------------------------------------------------- */

void
fetch_set_up(const struct fetcher *f, CURL *h, struct gate *gate)
{
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	/* A resolver that hangs must not hold up the thread when its fetch is over. */
	curl_easy_setopt(h, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)f->opts.connect_timeout_ms);
	curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, gate);
	if (f->opts.ca_file != NULL)
		curl_easy_setopt(h, CURLOPT_CAINFO, f->opts.ca_file);
	if (f->resolve != NULL)
		curl_easy_setopt(h, CURLOPT_RESOLVE, f->resolve);
}

static void
make_easy(struct slot *s)
{
	CURL *h = need(curl_easy_init());

	s->easy = h;
	s->gate.guard = s->owner->opts.guard;
	fetch_set_up(s->owner, h, &s->gate);
	curl_easy_setopt(h, CURLOPT_PRIVATE, s);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, s);
}

static struct slot *
make_slot(struct fetcher *f)
{
	struct slot *s = need(calloc(1, sizeof(*s)));

	s->owner = f;
	s->sibling = f->all;
	f->all = s;
	return s;
}

static struct slot *
take_slot(struct fetcher *f)
{
	struct slot *s = f->idle;

	if (s == NULL)
		return make_slot(f);
	f->idle = s->next;
	return s;
}

static void
free_slots(struct fetcher *f)
{
	while (f->all != NULL) {
		struct slot *s = f->all;

		f->all = s->sibling;
		if (s->easy != NULL) {
			curl_multi_remove_handle(f->multi, s->easy);
			curl_easy_cleanup(s->easy);
		}
		free(s);
	}
}

/* The nodes are ours: libcurl only reads them. */
static void
set_headers(struct slot *s)
{
	const char *const *texts = s->fetch->headers;
	size_t n = 0;

	for (; n < FETCH_HEADERS_MAX && texts[n] != NULL; n++)
		s->headers[n] = (struct curl_slist){(char *)(uintptr_t)texts[n], NULL};
	for (size_t i = 0; i + 1 < n; i++)
		s->headers[i].next = &s->headers[i + 1];
	curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, n > 0 ? s->headers : NULL);
}

static void
set_method(struct slot *s)
{
	const struct fetch *f = s->fetch;
	bool is_get = strcmp(f->method, "GET") == 0, is_post = strcmp(f->method, "POST") == 0;

	if (is_get) {
		curl_easy_setopt(s->easy, CURLOPT_HTTPGET, 1L);
	} else {
		curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, f->body.n > 0 ? f->body.p : "");
		curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body.n);
	}
	curl_easy_setopt(s->easy, CURLOPT_CUSTOMREQUEST, is_get || is_post ? NULL : f->method);
}

static void
set_http2(struct slot *s, bool on)
{
	bool plain = str_starts(str_of(s->fetch->url), STR("http:"));

	if (!on && !s->is_http2)
		return;
	s->is_http2 = on;
	curl_easy_setopt(s->easy, CURLOPT_HTTP_VERSION,
		(long)(!on      ? CURL_HTTP_VERSION_1_1
			: plain ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
				: CURL_HTTP_VERSION_2TLS));
	curl_easy_setopt(s->easy, CURLOPT_PIPEWAIT, (long)on);
}

void
fetch_set_cert(CURL *h, const char *cert, const char *key)
{
	struct curl_blob c = {(void *)(uintptr_t)cert, 0, CURL_BLOB_COPY};
	struct curl_blob k = {(void *)(uintptr_t)key, 0, CURL_BLOB_COPY};

	c.len = cert != NULL ? strlen(cert) : 0;
	k.len = key != NULL ? strlen(key) : 0;
	curl_easy_setopt(h, CURLOPT_SSLCERT_BLOB, cert != NULL ? &c : NULL);
	curl_easy_setopt(h, CURLOPT_SSLKEY_BLOB, key != NULL ? &k : NULL);
}

static void
set_cert(struct slot *s)
{
	const struct fetch *f = s->fetch;

	if (f->cert != NULL || s->has_cert)
		fetch_set_cert(s->easy, f->cert, f->key);
	s->has_cert = f->cert != NULL;
}

/* ---- begin and end ----------------------------------------------------------------------- */

void
slot_end(struct slot *s)
{
	struct fetcher *f = s->owner;

	s->fetch->took_us = clock_mono_us() - s->begun;
	s->fetch->reply = reply_of(s);
	s->next = NULL;
	*f->last_ended = s;
	f->last_ended = &s->next;
}

void
slot_end_broken(struct slot *s, const char *why)
{
	s->fetch->end = FETCH_BROKEN;
	snprintf(s->fetch->why, sizeof(s->fetch->why), "%s", why);
	slot_end(s);
}

void
slot_end_failed(struct slot *s, CURLcode result, bool was_refused)
{
	if (was_refused) {
		s->fetch->end = FETCH_REFUSED;
		snprintf(s->fetch->why, sizeof(s->fetch->why),
			"the address is private or reserved");
		slot_end(s);
		return;
	}
	slot_end_broken(s, curl_easy_strerror(result));
	if (result == CURLE_OPERATION_TIMEDOUT)
		s->fetch->end = FETCH_TIMEOUT;
}

void
slot_begin_alone(struct slot *s)
{
	const struct fetch *f = s->fetch;
	int64_t left_ms = (s->deadline - clock_mono_us()) / 1000;

	if (s->easy == NULL)
		make_easy(s);
	s->gate.is_refused = false;
	set_headers(s);
	set_method(s);
	set_http2(s, f->http2);
	set_cert(s);
	curl_easy_setopt(s->easy, CURLOPT_TIMEOUT_MS, (long)MAX_OF(left_ms, 1));
	if (curl_easy_setopt(s->easy, CURLOPT_URL, f->url) != CURLE_OK)
		slot_end_broken(s, "not a URL");
	else if (curl_multi_add_handle(s->owner->multi, s->easy) != CURLM_OK)
		panic("libcurl takes no request");
}

void
fetch_begin(struct fetcher *f, struct fetch *fetch)
{
	struct slot *s = take_slot(f);

	s->fetch = fetch;
	s->head = s->got = 0;
	s->status = 0;
	s->retry_after[0] = '\0';
	s->is_whole = s->is_cut = s->was_moved = false;
	s->begun = clock_mono_us();
	s->deadline = s->begun + MAX_OF(fetch->timeout_ms, 1) * INT64_C(1000);
	fetch->end = FETCH_BROKEN;
	fetch->status = 0;
	fetch->reply = STR_NONE;
	fetch->retry_after_s = 0;
	fetch->took_us = 0;
	fetch->why[0] = '\0';
	fetch->handle = s;
	if (!fetch->http2 || !lane_begin(s))
		slot_begin_alone(s);
}

static void
judge(struct slot *s, CURLcode result)
{
	struct fetch *f = s->fetch;
	curl_off_t retry_after = 0;
	long status = 0;

	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(s->easy, CURLINFO_RETRY_AFTER, &retry_after);
	if (result == CURLE_OK || s->is_whole) {
		f->end = FETCH_ANSWERED;
		f->status = (int)status;
		f->retry_after_s = retry_after;
		slot_end(s);
	} else if (s->head > HEAD_MAX) {
		slot_end_broken(s, "its headers never end");
	} else {
		slot_end_failed(s, result, s->gate.is_refused);
	}
}

static void
collect(struct fetcher *f)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(f->multi, &left)) != NULL) {
		CURLcode result = m->data.result;
		CURL *easy = m->easy_handle;
		struct slot *s = NULL;

		if (m->msg != CURLMSG_DONE || lane_connected(f, easy, result))
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &s);
		curl_multi_remove_handle(f->multi, easy); /* ${m} is gone now */
		judge(s, result);
	}
}

static struct fetch *
hand_back(struct fetcher *f)
{
	struct slot *s = f->ended;

	if (s == NULL)
		return NULL;
	f->ended = s->next;
	if (f->ended == NULL)
		f->last_ended = &f->ended;
	f->told = s;
	s->fetch->handle = NULL;
	return s->fetch;
}

static void
let_go(struct fetcher *f)
{
	struct slot *s = f->told;

	if (s == NULL)
		return;
	f->told = NULL;
	s->fetch = NULL;
	s->next = f->idle;
	f->idle = s;
}

/* How long to sleep: to the end of the wait or until libcurl wants its turn. */
static int
pause_ms(const struct fetcher *f, int64_t until)
{
	int64_t now = clock_mono_us(), left = until - now;

	if (f->timer >= 0)
		left = MIN_OF(left, f->timer - now);
	if (f->lanes_due != INT64_MAX)
		left = MIN_OF(left, f->lanes_due - now);
	return left <= 0 ? 0 : (int)((left + 999) / 1000);
}

static void
take_event(struct fetcher *f, const struct epoll_event *ev, bool *rung)
{
	int what = (ev->events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		   (ev->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		   (ev->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
	struct lane *l;
	uint64_t count;
	int running;

	if (ev->data.fd == f->bell) {
		*rung = read(f->bell, &count, sizeof(count)) == sizeof(count);
		atomic_store(&f->rung, false);
	} else if ((l = lane_at(f, ev->data.fd)) != NULL) {
		lane_turn(l);
	} else {
		curl_multi_socket_action(f->multi, ev->data.fd, what, &running);
	}
}

static void
take_time(struct fetcher *f)
{
	int64_t now = clock_mono_us();
	long ms = -1;
	int running;

	if (f->lanes_due <= now)
		lanes_tick(f, now);
	if (f->timer < 0 || f->timer > now)
		return;
	f->timer = -1;
	curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	/* Of a time that it has told before it does not tell again, come or not. */
	if (f->timer < 0 && curl_multi_timeout(f->multi, &ms) == CURLM_OK)
		set_timer(f->multi, ms, f);
}

/* *rung: somebody called fetcher_wake(). */
static void
wait_once(struct fetcher *f, int64_t until, bool *rung)
{
	struct epoll_event ev[EVENTS];
	int n;

	lanes_flush(f);
	n = epoll_wait(f->epoll, ev, EVENTS, f->ended != NULL ? 0 : pause_ms(f, until));
	for (int i = 0; i < n; i++)
		take_event(f, &ev[i], rung);
	take_time(f);
	collect(f);
}

struct fetch *
fetcher_next(struct fetcher *f, int timeout_ms)
{
	int64_t until = clock_mono_us() + timeout_ms * INT64_C(1000);
	struct fetch *ended;
	bool rung = false;

	let_go(f);
	while ((ended = hand_back(f)) == NULL) {
		wait_once(f, until, &rung);
		if (f->ended == NULL && (rung || clock_mono_us() >= until))
			return NULL;
	}
	return ended;
}

void
fetcher_wake(struct fetcher *f)
{
	const uint64_t one = 1;

	if (!atomic_exchange(&f->rung, true) && write(f->bell, &one, sizeof(one)) < 0)
		panic("eventfd: %s", strerror(errno));
}

/* ---- life -------------------------------------------------------------------------------- */

bool
fetcher_new(struct fetcher **out, const struct fetcher_opts *opts, struct err *e)
{
	struct fetcher *f = need(calloc(1, sizeof(*f)));
	struct epoll_event bell = {.events = EPOLLIN};

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		panic("libcurl does not start");
	f->opts = *opts;
	f->timer = -1;
	f->lanes_due = INT64_MAX;
	f->last_ended = &f->ended;
	f->multi = need(curl_multi_init());
	for (const char *const *r = opts->resolve; r != NULL && *r != NULL; r++)
		f->resolve = need(curl_slist_append(f->resolve, *r));
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_MAX);
	curl_multi_setopt(f->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(f->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)STREAMS_MAX);
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	f->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bell.data.fd = f->bell;
	if (f->epoll < 0 || f->bell < 0 ||
		epoll_ctl(f->epoll, EPOLL_CTL_ADD, f->bell, &bell) != 0) {
		fail(e, ERR_STORE, "fetch: %s", strerror(errno));
		fetcher_free(f);
		return false;
	}
	*out = f;
	return true;
}

void
fetcher_free(struct fetcher *f)
{
	if (f == NULL)
		return;
	lanes_free(f);
	free_slots(f);
	curl_multi_cleanup(f->multi);
	curl_slist_free_all(f->resolve);
	if (f->epoll >= 0)
		close(f->epoll);
	if (f->bell >= 0)
		close(f->bell);
	free(f);
	curl_global_cleanup();
}
