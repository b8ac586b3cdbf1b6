/* lane – a connection that many requests share (HTTP/2): libcurl resolves, asks the guard,
 * connects and encrypts, as for any other; what is said on it is lane_h2.c's.
 *
 * libcurl speaks HTTP/2 as well, but a small request costs it six times as much: it writes each
 * frame by itself, looks at every request of the connection when one is answered, and writes
 * an HTTP/1.1 request to take it apart again. */
#include <sys/epoll.h>

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/lane_impl.h"

/* So long an idle connection is kept; somebody on the way may have forgotten it since. */
#define IDLE_MS 118000
/* At once: a record of TLS, as libcurl gives them. */
#define IN_BYTES 16384
/* Records that are read before others get their turn. */
#define READS_MAX 64

static void *
need(void *p)
{
	if (p == NULL)
		panic("out of memory: lane");
	return p;
}

static int64_t
idle_until(const struct lane *l)
{
	int ms = l->owner->opts.lane_idle_ms;

	return l->idle_since + (ms > 0 ? ms : IDLE_MS) * INT64_C(1000);
}

/* ---- queues ---------------------------------------------------------------------------- */

static struct queue *
queue_of(const struct slot *s)
{
	return s->stream == 0 ? &s->lane->waits : &s->lane->away;
}

void
lane_put(struct lane *l, struct queue *q, struct slot *s)
{
	s->lane = l;
	s->stream = 0;
	s->before = q->last;
	s->after = NULL;
	*(q->last != NULL ? &q->last->after : &q->first) = s;
	q->last = s;
	q->n++;
}

void
lane_drop(struct slot *s)
{
	struct queue *q = queue_of(s);

	*(s->before != NULL ? &s->before->after : &q->first) = s->after;
	*(s->after != NULL ? &s->after->before : &q->last) = s->before;
	q->n--;
	if (s->lane->waits.n + s->lane->away.n == 0) {
		s->lane->idle_since = clock_mono_us();
		s->owner->lanes_due = MIN_OF(s->owner->lanes_due, idle_until(s->lane));
	}
	s->lane = NULL;
	s->stream = 0;
}

void
lane_move(struct slot *s, const char *why)
{
	lane_drop(s);
	if (s->was_moved) {
		slot_end_broken(s, why);
		return;
	}
	s->was_moved = true;
	if (!lane_begin(s))
		slot_begin_alone(s);
}

/* ---- the socket ------------------------------------------------------------------------ */

static void
watch(struct lane *l, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.fd = l->fd};
	int op = l->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (l->events == events)
		return;
	if (epoll_ctl(l->owner->epoll, op, l->fd, &ev) != 0)
		panic("epoll_ctl: %s", strerror(errno));
	l->events = events;
}

static void
dispose(struct lane *l)
{
	if (l->events != 0)
		epoll_ctl(l->owner->epoll, EPOLL_CTL_DEL, l->fd, NULL);
	if (l->h2 != NULL)
		h2_close(l);
	if (l->easy != NULL) {
		curl_multi_remove_handle(l->owner->multi, l->easy);
		curl_easy_cleanup(l->easy);
	}
	free(l->origin);
	free(l->cert);
	free(l);
}

static void
free_lane(struct lane *l)
{
	struct lane **at = &l->owner->lanes;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	dispose(l);
}

/* The connection is gone.  A request that it took in may have been looked at, unless it was an
 * old one: then the other side is likely to have hung up meanwhile. */
static void
lose(struct lane *l, const char *why)
{
	l->is_leaving = true;
	while (l->away.n > 0) {
		struct slot *s = l->away.first;

		if (s->head > 0 || !l->is_used)
			h2_end(s, FETCH_BROKEN, why);
		else
			lane_move(s, why);
	}
	while (l->waits.n > 0)
		lane_move(l->waits.first, why);
	free_lane(l);
}

/* Sends what there is, as far as the socket takes it; false: it is broken. */
static bool
send_out(struct lane *l)
{
	CURLcode rc = CURLE_OK;

	do {
		size_t n = 0;

		if (!h2_gather(l))
			return false;
		if (l->out_at == l->out_n)
			break;
		rc = curl_easy_send(l->easy, l->out + l->out_at, l->out_n - l->out_at, &n);
		l->out_at += n;
		/* What TLS has begun to write is offered to it again at the same place. */
		if (l->out_at == l->out_n)
			l->out_at = l->out_n = 0;
	} while (rc == CURLE_OK);
	watch(l, rc == CURLE_AGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
	return rc == CURLE_OK || rc == CURLE_AGAIN;
}

/* False: it is over. */
static bool
receive(struct lane *l)
{
	uint8_t in[IN_BYTES];
	CURLcode rc = CURLE_OK;

	for (int i = 0; i < READS_MAX; i++) {
		size_t n = 0;

		rc = curl_easy_recv(l->easy, in, sizeof(in), &n);
		if (rc != CURLE_OK || n == 0)
			break;
		l->heard_at = clock_mono_us();
		if (!h2_take(l, in, n))
			return false;
		rc = CURLE_AGAIN;
	}
	return rc == CURLE_AGAIN;
}

static void
flush(struct lane *l)
{
	h2_begin_waiting(l);
	/* What leaves the lane now is no longer known to it: nothing may wait on it. */
	if (l->is_leaving)
		while (l->waits.n > 0)
			lane_move(l->waits.first, "it takes no more requests");
	if (!send_out(l) || h2_is_over(l) || (l->is_leaving && l->away.n == 0))
		lose(l, "the connection broke off");
}

void
lane_turn(struct lane *l)
{
	if (receive(l))
		flush(l);
	else
		lose(l, "the connection broke off");
}

void
lanes_flush(struct fetcher *f)
{
	for (struct lane *l = f->lanes, *next; l != NULL; l = next) {
		next = l->next;
		if (l->h2 != NULL && (l->waits.n > 0 || h2_has_to_send(l)))
			flush(l);
	}
}

struct lane *
lane_at(const struct fetcher *f, int fd)
{
	struct lane *l = f->lanes;

	while (l != NULL && (l->h2 == NULL || l->fd != fd))
		l = l->next;
	return l;
}

/* ---- opening --------------------------------------------------------------------------- */

/* Of both, the other side takes what it knows. */
static CURLcode
offer_protocols(CURL *easy UNUSED, void *ctx, void *arg UNUSED)
{
	static const unsigned char names[] = "\x02h2\x08http/1.1";

	return SSL_CTX_set_alpn_protos(ctx, names, sizeof(names) - 1) == 0
		       ? CURLE_OK
		       : CURLE_SSL_CONNECT_ERROR;
}

/* Without TLS it was agreed upon beforehand. */
static bool
speaks_h2(const struct lane *l)
{
	struct curl_tlssessioninfo *tls = NULL;
	const unsigned char *name = NULL;
	unsigned n = 0;

	if (str_starts(str_of(l->origin), STR("http:")))
		return true;
	if (curl_easy_getinfo(l->easy, CURLINFO_TLS_SSL_PTR, &tls) != CURLE_OK || tls == NULL ||
		tls->backend != CURLSSLBACKEND_OPENSSL || tls->internals == NULL)
		return false;
	SSL_get0_alpn_selected(tls->internals, &name, &n);
	return n == 2 && memcmp(name, "h2", 2) == 0;
}

static void
go_alone(struct lane *l)
{
	curl_multi_remove_handle(l->owner->multi, l->easy);
	curl_easy_cleanup(l->easy);
	l->easy = NULL;
	while (l->waits.n > 0) {
		struct slot *s = l->waits.first;

		lane_drop(s);
		slot_begin_alone(s);
	}
}

static void
fail_opening(struct lane *l, CURLcode rc)
{
	l->is_leaving = true;
	while (l->waits.n > 0) {
		struct slot *s = l->waits.first;

		lane_drop(s);
		slot_end_failed(s, rc, l->gate.is_refused);
	}
	free_lane(l);
}

bool
lane_connected(struct fetcher *f, CURL *easy, CURLcode rc)
{
	struct lane *l = f->lanes;
	curl_socket_t fd = CURL_SOCKET_BAD;
	uint8_t in[IN_BYTES];
	size_t n = 0;

	while (l != NULL && l->easy != easy)
		l = l->next;
	if (l == NULL)
		return false;
	if (rc != CURLE_OK) {
		fail_opening(l, rc);
		return true;
	}
	/* libcurl knows what was agreed upon while the handle is used, and by that it is. */
	rc = curl_easy_recv(easy, in, sizeof(in), &n);
	if (!speaks_h2(l)) {
		go_alone(l);
		return true;
	}
	curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
	l->fd = fd;
	l->heard_at = clock_mono_us();
	h2_open(l);
	if ((rc == CURLE_OK && n > 0 && h2_take(l, in, n)) || rc == CURLE_AGAIN)
		flush(l);
	else
		lose(l, "the connection broke off");
	return true;
}

static struct lane *
open_lane(struct fetcher *f, const struct fetch *fetch, size_t norigin)
{
	struct lane *l = need(calloc(1, sizeof(*l)));

	l->owner = f;
	l->fd = -1;
	l->origin = need(strndup(fetch->url, norigin));
	l->cert = fetch->cert != NULL ? need(strdup(fetch->cert)) : NULL;
	l->gate.guard = f->opts.guard;
	l->idle_since = clock_mono_us();
	l->easy = need(curl_easy_init());
	l->next = f->lanes;
	f->lanes = l;
	fetch_set_up(f, l->easy, &l->gate);
	fetch_set_cert(l->easy, fetch->cert, fetch->key);
	curl_easy_setopt(l->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(l->easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
	if (curl_easy_setopt(l->easy, CURLOPT_SSL_CTX_FUNCTION, offer_protocols) != CURLE_OK) {
		/* Built with another library than OpenSSL. */
		curl_easy_cleanup(l->easy);
		l->easy = NULL;
		return l;
	}
	curl_easy_setopt(l->easy, CURLOPT_URL, l->origin);
	if (curl_multi_add_handle(f->multi, l->easy) != CURLM_OK)
		panic("libcurl takes no request");
	return l;
}

/* ---- finding --------------------------------------------------------------------------- */

/* The length of "https://host:port"; 0: libcurl has to look at this one. */
static size_t
origin_of(const char *url)
{
	struct str all = str_of(url);
	size_t head = str_starts(all, STR("https://"))  ? 8
		      : str_starts(all, STR("http://")) ? 7
							: 0,
	       n = head;

	if (head == 0)
		return 0;
	for (size_t i = 0; i < all.n; i++)
		if (url[i] <= ' ' || url[i] >= 0x7f)
			return 0;
	while (n < all.n && strchr("/?#@%", url[n]) == NULL)
		n++;
	return n > head && (url[n] == '/' || url[n] == '\0') ? n : 0;
}

static bool
leads_there(const struct lane *l, const struct fetch *fetch, size_t norigin)
{
	return !l->is_leaving && strlen(l->origin) == norigin &&
	       memcmp(l->origin, fetch->url, norigin) == 0 &&
	       (l->cert == NULL || fetch->cert == NULL ? l->cert == fetch->cert
						       : strcmp(l->cert, fetch->cert) == 0);
}

bool
lane_begin(struct slot *s)
{
	struct fetcher *f = s->owner;
	size_t norigin = origin_of(s->fetch->url);
	struct lane *l = f->lanes;

	if (norigin == 0)
		return false;
	while (l != NULL && !leads_there(l, s->fetch, norigin))
		l = l->next;
	if (l == NULL)
		l = open_lane(f, s->fetch, norigin);
	if (l->easy == NULL)
		return false;
	lane_put(l, &l->waits, s);
	f->lanes_due = MIN_OF(f->lanes_due, s->deadline);
	return true;
}

/* ---- time ------------------------------------------------------------------------------ */

/* The earliest of those that are left. */
static int64_t
end_overdue(struct queue *q, int64_t now)
{
	int64_t due = INT64_MAX;

	for (struct slot *s = q->first, *after; s != NULL; s = after) {
		after = s->after;
		if (s->deadline > now) {
			due = MIN_OF(due, s->deadline);
			continue;
		}
		/* Nothing at all has come since: it may lead nowhere by now. */
		if (s->stream != 0 && s->lane->heard_at < s->begun)
			s->lane->is_leaving = true;
		h2_cancel(s);
		h2_end(s, FETCH_TIMEOUT, curl_easy_strerror(CURLE_OPERATION_TIMEDOUT));
	}
	return due;
}

static bool
is_stale(const struct lane *l, int64_t now)
{
	return l->waits.n + l->away.n == 0 && (l->h2 != NULL || l->easy == NULL) &&
	       (l->is_leaving || idle_until(l) <= now);
}

void
lanes_tick(struct fetcher *f, int64_t now)
{
	int64_t due = INT64_MAX;

	for (struct lane *l = f->lanes, *next; l != NULL; l = next) {
		next = l->next;
		due = MIN_OF(due, end_overdue(&l->waits, now));
		due = MIN_OF(due, end_overdue(&l->away, now));
		if (is_stale(l, now))
			free_lane(l);
		else if (l->waits.n + l->away.n == 0)
			due = MIN_OF(due, idle_until(l));
	}
	f->lanes_due = due;
}

void
lanes_free(struct fetcher *f)
{
	for (struct lane *l = f->lanes, *next; l != NULL; l = next) {
		next = l->next;
		dispose(l);
	}
	f->lanes = NULL;
}
