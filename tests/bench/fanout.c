/* fanout – how fast the hub puts one event before everybody who watches: ${1} connections over
 * loopback TCP, ${2} events of ${3} bytes, read by another process; one line of JSON.
 *
 * Time runs from the first post until the last byte has been read there.  Also told: memory of
 * the hub's process per idle connection, without what the kernel keeps, and without HTTP. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "net/hub.h"

#define CHANNEL 7

static void
keep_alive(void *arg, struct str id, struct buf *out)
{
	(void)arg;
	buf_str(out, id);
}

static bool
on_text(void *arg, struct str id, int64_t uid, struct str text)
{
	(void)arg;
	(void)id;
	(void)uid;
	(void)text;
	return false;
}

/* Pages of the process that are in memory, as bytes. */
static long
resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long all, here = 0;

	if (f == NULL || fscanf(f, "%ld %ld", &all, &here) != 2)
		panic("no /proc/self/statm");
	fclose(f);
	return here * sysconf(_SC_PAGESIZE);
}

static void
raise_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* The other process: ${n} connections, read until ${want} bytes came. */
static void
read_all(const struct sockaddr_in *to, size_t n, int64_t want)
{
	static char piece[256 * 1024];
	int epoll = epoll_create1(0);

	for (size_t i = 0; i < n; i++) {
		struct epoll_event event = {.events = EPOLLIN};
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		event.data.fd = fd;
		if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0 ||
			epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
			panic("fanout: cannot connect");
	}
	while (want > 0) {
		struct epoll_event events[256];
		int got = epoll_wait(epoll, events, 256, 60000);

		if (got <= 0)
			panic("fanout: %lld bytes did not come", (long long)want);
		for (int i = 0; i < got; i++) {
			ssize_t len = recv(events[i].data.fd, piece, sizeof(piece), 0);

			if (len <= 0)
				panic("fanout: a connection ended");
			want -= len;
		}
	}
	_exit(0);
}

static int
listen_on(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*at = (struct sockaddr_in){.sin_family = AF_INET};
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)at, sizeof(*at)) != 0 ||
		listen(fd, 4096) != 0 || getsockname(fd, (struct sockaddr *)at, &len) != 0)
		panic("fanout: cannot listen");
	return fd;
}

/* Fifty connections a user, all of whom watch. */
static void
take_in(struct hub *h, int listener, size_t n)
{
	const int64_t channel = CHANNEL;

	for (size_t i = 0; i < n; i++) {
		int64_t uid = (int64_t)(i / HUB_USER_MAX) + 1;
		int fd = accept(listener, NULL, NULL);
		struct hub_conn *c;

		if (fd < 0 || hub_reserve(h, uid, INT64_MIN, INT64_MIN, &c) != HUB_SEAT_TAKEN)
			panic("fanout: connection %zu", i);
		hub_watch(h, hub_conn_id(c), uid, &channel, 1);
		hub_adopt(h, c, fd, STR_NONE, payload_new(STR("{}")));
	}
}

static void
wait_for_frames(struct hub *h, int64_t bytes)
{
	struct hub_counters c;

	do {
		usleep(1000);
		hub_counters(h, &c);
	} while (c.bytes_sent < bytes);
}

int
main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 5000;
	size_t events = argc > 2 ? strtoul(argv[2], NULL, 10) : 200;
	size_t size = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
	const struct hub_opts opts = {
		.max_connections = n, .keep_alive = keep_alive, .on_text = on_text};
	struct payload *first = payload_new(STR("{}")), *p;
	char *text = calloc(1, size + 1);
	int64_t greeting, want, began, took;
	struct hub_counters c;
	struct sockaddr_in at;
	struct hub *h;
	int listener, status = 1;
	struct err e;
	pid_t reader;
	long before;

	if (text == NULL)
		panic("fanout: out of memory");
	memset(text, 'x', size);
	p = payload_new((struct str){text, size});
	raise_files();
	listener = listen_on(&at);
	greeting = (int64_t)(n * payload_bytes(first).n);
	want = (int64_t)(n * events * payload_bytes(p).n);
	reader = fork();
	if (reader == 0)
		read_all(&at, n, greeting + want);
	before = resident();
	if (reader < 0 || !hub_open(&h, &opts, &e))
		panic("fanout: cannot start");
	take_in(h, listener, n);
	wait_for_frames(h, greeting);
	before = resident() - before;
	began = clock_mono_us();
	for (size_t i = 0; i < events; i++)
		hub_post_watchers(h, CHANNEL, p);
	waitpid(reader, &status, 0);
	took = clock_mono_us() - began;
	hub_counters(h, &c);
	printf("{\"connections\":%zu,\"events\":%zu,\"bytes\":%zu,\"frames_per_s\":%lld,"
	       "\"ended_slow\":%lld,\"idle_kib\":%.1f}\n",
		n, events, size, (long long)((int64_t)(n * events) * 1000000 / took),
		(long long)c.ended_slow, (double)before / 1024 / (double)n);
	hub_stop(h, 0);
	hub_free(h);
	payload_unref(p);
	payload_unref(first);
	free(text);
	return status == 0 ? 0 : 1;
}
