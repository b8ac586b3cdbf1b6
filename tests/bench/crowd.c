/* crowd – many connected users, as lightly as can be: what a bench lets hear.
 *
 * ${1} and ${2} are the server's address and port.  Standard input says what to do, a line
 * each:
 *
 * "+ PATH": connect by GET PATH, many at a time.
 *
 * "!": wait until all are in.  Answered by the ids of those that are new, in their order.
 *
 * "= EVENTS": wait until so many events came since the last such line.  Answered by the time of
 * the last one (wall clock, microseconds).
 *
 * "? EVENTS": the same, answered by a line for each of them: its created_at, and when it came.
 *
 * The end of input ends it.  Keep-alives are answered meanwhile and not counted. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define PIECE      (64 * 1024)
#define INPUT      (64 * 1024)
#define ID_LEN     36
#define DIALS      64 /* handshakes under way */
#define PATIENCE_S 120
#define EVENTS     256
#define GREETING   8192
#define ID_KEY     "\"connection_id\":\""
#define MADE_KEY   "\"created_at\":\""
#define HEAD       10  /* of a frame, at most */
#define START      120 /* bytes of an event, in which its created_at stands */

enum { OP_TEXT = 1, OP_PING = 9 };

static const char keep_alive[] = "{\"type\":\"health.check\"";

struct guest {
	int fd;
	char id[ID_LEN];
	/* The frame at hand: its head and how its text begins, and what is still to come. */
	char start[HEAD + START];
	size_t nstart;
	uint64_t left;
	bool is_body;
	/* Until the upgrade and the first frame have come; NULL: they have. */
	char *greeting;
	size_t ngreeting;
};

static struct guest **guests;
static size_t nguests, cap;
static size_t nin;   /* of them, whose first frame has come */
static size_t ntold; /* whose ids were printed */
static int epoll;
static int64_t last_us;

/* Events that nobody has asked for yet. */
static struct note {
	char made[CLOCK_RFC3339_LEN];
	int64_t came_us;
} * notes;
static size_t nnotes, notes_cap;

/* ---- hearing ------------------------------------------------------------------------- */

/* How long the head is, with *left the bytes behind it; 0: it is not whole. */
static size_t
read_head(const struct guest *g, uint64_t *left)
{
	const unsigned char *h = (const unsigned char *)g->start;
	size_t extra, n;

	if (g->nstart < 2)
		return 0;
	*left = h[1] & 127;
	extra = *left == 126 ? 2 : *left == 127 ? 8 : 0;
	n = 2 + extra;
	if (g->nstart < n)
		return 0;
	if (extra > 0)
		*left = 0;
	for (size_t i = 0; i < extra; i++)
		*left = *left << 8 | h[2 + i];
	return n;
}

static void
note_event(struct str start)
{
	const char *made = memmem(start.p, start.n, MADE_KEY, strlen(MADE_KEY));
	struct note *note;

	if (nnotes == notes_cap) {
		notes_cap = MAX_OF(2 * notes_cap, (size_t)1024);
		notes = realloc(notes, notes_cap * sizeof(*notes));
		if (notes == NULL)
			panic("crowd: out of memory");
	}
	note = &notes[nnotes++];
	*note = (struct note){.came_us = last_us};
	if (made != NULL && made + strlen(MADE_KEY) + sizeof(note->made) <= start.p + start.n)
		memcpy(note->made, made + strlen(MADE_KEY), sizeof(note->made));
}

static void
end_frame(struct guest *g)
{
	static const char pong[] = {(char)0x8a, (char)0x80, 0, 0, 0, 0};
	uint64_t left;
	size_t nhead = read_head(g, &left), n = sizeof(keep_alive) - 1;

	if ((g->start[0] & 15) == OP_PING) {
		if (send(g->fd, pong, sizeof(pong), MSG_NOSIGNAL) != sizeof(pong))
			panic("crowd: cannot answer a ping");
	} else if ((g->start[0] & 15) != OP_TEXT) {
		panic("crowd: the server ended a connection");
	} else if (g->nstart < nhead + n || memcmp(g->start + nhead, keep_alive, n) != 0) {
		note_event((struct str){g->start + nhead, g->nstart - nhead});
	}
	g->nstart = 0;
	g->is_body = false;
}

static void
take_frames(struct guest *g, const char *p, size_t n)
{
	while (n > 0) {
		size_t some = 1;

		if (g->is_body && g->nstart == sizeof(g->start))
			some = MIN_OF(n, (size_t)g->left);
		else
			g->start[g->nstart++] = *p;
		p += some;
		n -= some;
		if (g->is_body)
			g->left -= some;
		else
			g->is_body = read_head(g, &g->left) > 0;
		if (g->is_body && g->left == 0)
			end_frame(g);
	}
}

/* The answer to the handshake and the first frame, which names the connection. */
static void
take_greeting(struct guest *g, const char *p, size_t n)
{
	const char *id;

	if (g->ngreeting + n >= GREETING)
		panic("crowd: a long greeting");
	memcpy(g->greeting + g->ngreeting, p, n);
	g->ngreeting += n;
	g->greeting[g->ngreeting] = '\0';
	if (strstr(g->greeting, "\"error\"") != NULL)
		panic("crowd: refused: %s", g->greeting);
	id = strstr(g->greeting, ID_KEY);
	if (id == NULL || strcmp(g->greeting + g->ngreeting - 2, "}}") != 0)
		return;
	memcpy(g->id, id + strlen(ID_KEY), ID_LEN);
	free(g->greeting);
	g->greeting = NULL;
	nin++;
}

/* True when there is input. */
static bool
hear(int wait_ms)
{
	static char piece[PIECE];
	struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll, events, EVENTS, wait_ms);
	bool is_told = false;

	for (int i = 0; i < n; i++) {
		struct guest *g = events[i].data.ptr;
		ssize_t len;

		if (g == NULL) {
			is_told = true;
			continue;
		}
		len = recv(g->fd, piece, sizeof(piece), MSG_DONTWAIT);
		if (len < 0 && errno == EAGAIN)
			continue;
		if (len <= 0)
			panic("crowd: a connection ended");
		last_us = clock_now_us();
		if (g->greeting == NULL)
			take_frames(g, piece, (size_t)len);
		else
			take_greeting(g, piece, (size_t)len);
	}
	return is_told;
}

/* ---- orders -------------------------------------------------------------------------- */

static struct guest *
add_guest(void)
{
	struct guest *g = calloc(1, sizeof(*g));

	if (nguests == cap) {
		cap = MAX_OF(2 * cap, (size_t)1024);
		guests = realloc(guests, cap * sizeof(struct guest *));
	}
	if (g == NULL || guests == NULL || (g->greeting = malloc(GREETING)) == NULL)
		panic("crowd: out of memory");
	guests[nguests++] = g;
	return g;
}

static void
come_in(const struct sockaddr_in *to, const char *path)
{
	struct guest *g = add_guest();
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = g};

	g->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (g->fd < 0 || connect(g->fd, (const struct sockaddr *)to, sizeof(*to)) != 0 ||
		epoll_ctl(epoll, EPOLL_CTL_ADD, g->fd, &event) != 0 ||
		dprintf(g->fd,
			"GET %s HTTP/1.1\r\nHost: crowd\r\nUpgrade: websocket\r\n"
			"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
			"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
			path) < 0)
		panic("crowd: cannot connect");
	while (nguests - nin >= DIALS)
		hear(-1);
}

static void
tell_ids(void)
{
	while (nin < nguests)
		hear(-1);
	for (; ntold < nguests; ntold++)
		printf("%.*s\n", ID_LEN, guests[ntold]->id);
	fflush(stdout);
}

static void
wait_for(size_t want, bool tells_each)
{
	int64_t until = clock_mono_us() + PATIENCE_S * INT64_C(1000000);

	while (nnotes < want && clock_mono_us() < until)
		hear(100);
	if (nnotes < want)
		panic("crowd: %zu of %zu events came", nnotes, want);
	for (size_t i = 0; i < want && tells_each; i++)
		printf("%.*s %lld\n", CLOCK_RFC3339_LEN, notes[i].made,
			(long long)notes[i].came_us);
	if (!tells_each)
		printf("%lld\n", (long long)last_us);
	fflush(stdout);
	nnotes -= want;
	memmove(notes, notes + want, nnotes * sizeof(*notes));
}

static void
obey(const struct sockaddr_in *to, const char *line)
{
	if (line[0] == '+')
		come_in(to, line + 2);
	else if (line[0] == '=' || line[0] == '?')
		wait_for(strtoul(line + 2, NULL, 10), line[0] == '?');
	else
		tell_ids();
}

/* Reads what is there and obeys whole lines; false at the end. */
static bool
read_orders(const struct sockaddr_in *to)
{
	static char input[INPUT + 1];
	static size_t n;
	ssize_t more = read(STDIN_FILENO, input + n, INPUT - n);
	char *line = input, *end;

	if (more <= 0)
		return false;
	n += (size_t)more;
	input[n] = '\0';
	while ((end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		obey(to, line);
		line = end + 1;
	}
	n -= (size_t)(line - input);
	memmove(input, line, n);
	return true;
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

int
main(int argc, char **argv)
{
	struct epoll_event input = {.events = EPOLLIN};
	struct sockaddr_in to = {.sin_family = AF_INET};

	if (argc != 3 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		panic("usage: crowd ADDRESS PORT");
	to.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	raise_files();
	epoll = epoll_create1(0);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0)
		panic("crowd: standard input must be a pipe");
	while (!hear(-1) || read_orders(&to))
		continue;
	for (size_t i = 0; i < nguests; i++) {
		close(guests[i]->fd);
		free(guests[i]->greeting);
		free(guests[i]);
	}
	free(guests);
	free(notes);
	return 0;
}
