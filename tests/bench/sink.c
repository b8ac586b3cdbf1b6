/* sink – a light endpoint for tests/bench/out.py: HTTP/1.1 on a free port of loopback, one
 * thread, keep-alive.  Prints its port; a GET is answered with what it has counted, as one line
 * of JSON, a POST with 200 and nothing.  "sink dead" takes and never answers; of "sink half"
 * each second POST fails with 503. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define REQUEST_MAX (1 << 20)
#define EVENTS      256

struct peer {
	int fd;
	size_t n, cap;
	char *in;
};

struct sink {
	int epoll;
	bool is_dead, fails_half;
	int64_t posts, failed, connections, first_us, last_us, bytes;
};

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
static const char bad[] = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";

static void
must(bool good, const char *what)
{
	if (!good)
		panic("sink: %s", what);
}

static int
listen_here(void)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && bind(fd, (struct sockaddr *)&at, n) == 0 && listen(fd, 1024) == 0 &&
			getsockname(fd, (struct sockaddr *)&at, &n) == 0,
		"no port");
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

static void
watch(const struct sink *s, int fd, void *data)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = data};

	must(epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) == 0, "epoll");
}

static void
take_peer(struct sink *s, int listener)
{
	struct peer *p = calloc(1, sizeof(*p));
	int one = 1;

	must(p != NULL, "memory");
	p->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (p->fd < 0) {
		free(p);
		return;
	}
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->connections++;
	watch(s, p->fd, p);
}

static void
drop(struct peer *p)
{
	close(p->fd);
	free(p->in);
	free(p);
}

static void
tell(const struct sink *s, int fd)
{
	char body[256], text[384];
	int n = snprintf(body, sizeof(body),
		"{\"posts\":%lld,\"failed\":%lld,\"connections\":%lld,\"first_us\":%lld,"
		"\"last_us\":%lld,\"bytes\":%lld}",
		(long long)s->posts, (long long)s->failed, (long long)s->connections,
		(long long)s->first_us, (long long)s->last_us, (long long)s->bytes);

	n = snprintf(
		text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", n, body);
	(void)!write(fd, text, (size_t)n);
}

static void
answer(struct sink *s, const struct peer *p, size_t bytes)
{
	bool fails;

	if (memcmp(p->in, "GET", 3) == 0) {
		tell(s, p->fd);
		return;
	}
	s->last_us = clock_mono_us();
	if (s->posts++ == 0)
		s->first_us = s->last_us;
	s->bytes += (int64_t)bytes;
	if (s->is_dead)
		return;
	fails = s->fails_half && s->posts % 2 == 0;
	s->failed += fails;
	(void)!write(p->fd, fails ? bad : ok, (fails ? sizeof(bad) : sizeof(ok)) - 1);
}

/* The length of the first request in what has come; 0: it is not whole yet. */
static size_t
request_len(const struct peer *p)
{
	const char *end = memmem(p->in, p->n, "\r\n\r\n", 4), *length;
	size_t head;

	if (end == NULL)
		return 0;
	head = (size_t)(end - p->in) + 4;
	length = memmem(p->in, head, "Content-Length: ", 16);
	head += length != NULL ? strtoul(length + 16, NULL, 10) : 0;
	return head <= p->n ? head : 0;
}

static bool
read_peer(struct sink *s, struct peer *p)
{
	ssize_t got;
	size_t len;

	if (p->cap - p->n < 65536) {
		p->cap = p->cap == 0 ? 65536 : p->cap * 2;
		must(p->cap <= REQUEST_MAX * 2, "a request is too large");
		p->in = realloc(p->in, p->cap + 1);
		must(p->in != NULL, "memory");
	}
	got = read(p->fd, p->in + p->n, p->cap - p->n);
	if (got <= 0)
		return false;
	p->n += (size_t)got;
	while ((len = request_len(p)) > 0) {
		answer(s, p, len);
		memmove(p->in, p->in + len, p->n - len);
		p->n -= len;
	}
	return true;
}

int
main(int argc, char **argv)
{
	struct sink s = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
	int listener = listen_here();

	s.is_dead = argc > 1 && strcmp(argv[1], "dead") == 0;
	s.fails_half = argc > 1 && strcmp(argv[1], "half") == 0;
	watch(&s, listener, NULL);
	for (;;) {
		struct epoll_event ev[EVENTS];
		int n = epoll_wait(s.epoll, ev, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct peer *p = ev[i].data.ptr;

			if (p == NULL)
				take_peer(&s, listener);
			else if (!read_peer(&s, p))
				drop(p);
		}
	}
}
