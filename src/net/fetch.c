/* fetch – many HTTP requests at once: libcurl's multi interface, driven by an epoll of ours. */
#include "net/fetch.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <curl/curl.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "net/guard.h"

/* Of an answer, its headers may be so long, and so much of its body is read to keep the
 * connection. */
#define HEAD_MAX  65536
#define DRAIN_MAX 65536
/* Connections that are kept although nobody uses them. */
#define KEPT_MAX 1024
#define EVENTS   64
/* Connections of many streams that are corked. */
#define SHARED_MAX 8
/* Of one connection, where the other side allows so many; libcurl's own limit is 100. */
#define STREAMS_MAX 1000L

/* An easy handle and what its callbacks write to: set up once, used for one fetch after the
 * other. */
struct slot {
	CURL *easy;
	struct fetcher *owner;
	struct fetch *fetch;
	struct curl_slist headers[FETCH_HEADERS_MAX];
	int64_t begun; /* monotonic */
	size_t head, got;
	bool is_whole; /* the headers of the answer */
	bool is_cut;   /* by us: the body was too long */
	bool is_refused;
	bool is_http2, has_cert; /* what it was last set up for */
	struct slot *next;       /* in the list it is in */
	struct slot *sibling;    /* in that of all */
	char reply[FETCH_REPLY_MAX];
};

struct fetcher {
	CURLM *multi;
	struct fetcher_opts opts;
	struct curl_slist *resolve;
	int epoll, bell;
	_Atomic bool rung;
	int shared[SHARED_MAX];
	size_t nshared;
	int64_t timer; /* monotonic µs at which libcurl wants its turn; −1: never */
	struct slot *idle, *ended, **last_ended;
	struct slot *told; /* whose fetch was handed back last: its reply is still looked at */
	struct slot *all;
};

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

static size_t
take_body(char *p, size_t size, size_t n, void *arg)
{
	struct slot *s = arg;
	struct str kept = reply_of(s);
	size_t bytes = size * n, room = reply_max(s) - kept.n;

	memcpy((char *)(uintptr_t)kept.p + kept.n, p, MIN_OF(bytes, room));
	s->got += bytes;
	s->is_cut = s->got > DRAIN_MAX;
	return s->is_cut ? 0 : bytes;
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
	struct slot *s = arg;

	if (!guard_allows(s->owner->opts.guard, &to->addr)) {
		s->is_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* What is sent on a connection of many streams leaves together: each frame is a write of its
 * own to libcurl, and would be a packet of its own. */
static void
cork(const struct fetcher *f, int on)
{
	for (size_t i = 0; i < f->nshared; i++)
		setsockopt(f->shared[i], IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

/* Notes connections of many streams while libcurl is interested in them. */
static void
note_shared(struct fetcher *f, CURL *easy, int fd, bool is_watched)
{
	const struct slot *s = NULL;
	size_t i = 0;

	while (i < f->nshared && f->shared[i] != fd)
		i++;
	if (!is_watched && i < f->nshared)
		f->shared[i] = f->shared[--f->nshared];
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &s);
	if (is_watched && i == f->nshared && i < SHARED_MAX && s != NULL && s->is_http2)
		f->shared[f->nshared++] = fd;
}

static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct fetcher *f = arg;
	struct epoll_event ev = {.data.fd = fd};

	note_shared(f, easy, fd, what != CURL_POLL_REMOVE);
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

static struct slot *
make_slot(struct fetcher *f)
{
	struct slot *s = need(calloc(1, sizeof(*s)));
	CURL *h = need(curl_easy_init());

	s->easy = h;
	s->owner = f;
	s->sibling = f->all;
	f->all = s;
	curl_easy_setopt(h, CURLOPT_PRIVATE, s);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	/* A resolver that hangs must not hold up the thread when its fetch is over. */
	curl_easy_setopt(h, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)f->opts.connect_timeout_ms);
	curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, s);
	if (f->opts.ca_file != NULL)
		curl_easy_setopt(h, CURLOPT_CAINFO, f->opts.ca_file);
	if (f->resolve != NULL)
		curl_easy_setopt(h, CURLOPT_RESOLVE, f->resolve);
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
		curl_multi_remove_handle(f->multi, s->easy);
		curl_easy_cleanup(s->easy);
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

static void
set_cert(struct slot *s)
{
	const struct fetch *f = s->fetch;
	struct curl_blob cert = {(void *)(uintptr_t)f->cert, 0, CURL_BLOB_COPY};
	struct curl_blob key = {(void *)(uintptr_t)f->key, 0, CURL_BLOB_COPY};

	if (f->cert == NULL && !s->has_cert)
		return;
	s->has_cert = f->cert != NULL;
	cert.len = f->cert != NULL ? strlen(f->cert) : 0;
	key.len = f->key != NULL ? strlen(f->key) : 0;
	curl_easy_setopt(s->easy, CURLOPT_SSLCERT_BLOB, f->cert != NULL ? &cert : NULL);
	curl_easy_setopt(s->easy, CURLOPT_SSLKEY_BLOB, f->key != NULL ? &key : NULL);
}

/* ---- begin and end ----------------------------------------------------------------------- */

static void
end_slot(struct slot *s)
{
	struct fetcher *f = s->owner;

	s->next = NULL;
	*f->last_ended = s;
	f->last_ended = &s->next;
}

void
fetch_begin(struct fetcher *f, struct fetch *fetch)
{
	struct slot *s = take_slot(f);

	s->fetch = fetch;
	s->head = s->got = 0;
	s->is_whole = s->is_cut = s->is_refused = false;
	s->begun = clock_mono_us();
	fetch->end = FETCH_BROKEN;
	fetch->status = 0;
	fetch->reply = STR_NONE;
	fetch->retry_after_s = 0;
	fetch->took_us = 0;
	fetch->why[0] = '\0';
	fetch->handle = s;
	set_headers(s);
	set_method(s);
	set_http2(s, fetch->http2);
	set_cert(s);
	curl_easy_setopt(s->easy, CURLOPT_TIMEOUT_MS, (long)MAX_OF(fetch->timeout_ms, 1));
	if (curl_easy_setopt(s->easy, CURLOPT_URL, fetch->url) != CURLE_OK) {
		snprintf(fetch->why, sizeof(fetch->why), "not a URL");
		end_slot(s);
	} else if (curl_multi_add_handle(f->multi, s->easy) != CURLM_OK) {
		panic("libcurl takes no request");
	}
}

static void
judge(struct slot *s, CURLcode result)
{
	struct fetch *f = s->fetch;
	curl_off_t retry_after = 0;
	long status = 0;

	f->took_us = clock_mono_us() - s->begun;
	f->reply = reply_of(s);
	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(s->easy, CURLINFO_RETRY_AFTER, &retry_after);
	if (result == CURLE_OK || s->is_whole) {
		f->end = FETCH_ANSWERED;
		f->status = (int)status;
		f->retry_after_s = retry_after;
	} else if (s->head > HEAD_MAX) {
		snprintf(f->why, sizeof(f->why), "its headers never end");
	} else if (s->is_refused) {
		f->end = FETCH_REFUSED;
		snprintf(f->why, sizeof(f->why), "the address is private or reserved");
	} else {
		f->end = result == CURLE_OPERATION_TIMEDOUT ? FETCH_TIMEOUT : FETCH_BROKEN;
		snprintf(f->why, sizeof(f->why), "%s", curl_easy_strerror(result));
	}
}

static void
collect(struct fetcher *f)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(f->multi, &left)) != NULL) {
		CURLcode result = m->data.result;
		struct slot *s = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &s);
		curl_multi_remove_handle(f->multi, m->easy_handle); /* ${m} is gone now */
		judge(s, result);
		end_slot(s);
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
	return left <= 0 ? 0 : (int)((left + 999) / 1000);
}

/* *rung: somebody called fetcher_wake(). */
static void
wait_once(struct fetcher *f, int64_t until, bool *rung)
{
	struct epoll_event ev[EVENTS];
	long ms = -1;
	int running, n = epoll_wait(f->epoll, ev, EVENTS, pause_ms(f, until));

	cork(f, 1);
	for (int i = 0; i < n; i++) {
		int what = (ev[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
			   (ev[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			   (ev[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
		uint64_t count;

		if (ev[i].data.fd == f->bell) {
			*rung = read(f->bell, &count, sizeof(count)) == sizeof(count);
			atomic_store(&f->rung, false);
			continue;
		}
		curl_multi_socket_action(f->multi, ev[i].data.fd, what, &running);
	}
	if (f->timer >= 0 && f->timer <= clock_mono_us()) {
		f->timer = -1;
		curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
		/* Of a time that it has told before it does not tell again, come or not. */
		if (f->timer < 0 && curl_multi_timeout(f->multi, &ms) == CURLM_OK)
			set_timer(f->multi, ms, f);
	}
	cork(f, 0);
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
	curl_multi_setopt(f->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, STREAMS_MAX);
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
