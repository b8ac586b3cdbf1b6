/* hub_conn – one connection: what waits for it, what comes in, when and how it ends.
 *
 * Everything here but conn_new() runs on the hub's thread. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "net/hub_impl.h"
#include "net/ws.h"

#define SEND_BUFFER  (64 * 1024) /* of the kernel, for a connection; else it may grow to MiB */
#define IOV_MAX_USED 64
#define RING_MIN     4
#define RING_KEPT    16 /* a larger one is given back when it is empty */

/* How long a client may take to answer our close frame. */
#define PARTING_MS 3000

/* Frames of one client: stock clients send one in 25 s. */
#define FRAMES_BURST 100
#define MS_PER_FRAME 200 /* one more is allowed after each of these */

static const char ping_frame[] = {(char)0x89, 0};

/* ---- what waits -------------------------------------------------------------------- */

static struct payload **
queue_at(const struct conn_queue *q, size_t i)
{
	return &q->ring[(q->first + i) & (q->cap - 1)];
}

static void
queue_grow(struct conn_queue *q)
{
	size_t cap = q->cap == 0 ? RING_MIN : 2 * q->cap;
	struct payload **ring = malloc(cap * sizeof(*ring));

	if (ring == NULL)
		panic("hub: out of memory");
	for (size_t i = 0; i < q->n; i++)
		ring[i] = *queue_at(q, i);
	free(q->ring);
	q->ring = ring;
	q->cap = cap;
	q->first = 0;
}

static void
queue_put(struct conn_queue *q, struct payload *p)
{
	if (q->n == q->cap)
		queue_grow(q);
	*queue_at(q, q->n++) = payload_ref(p);
	q->bytes += payload_bytes(p).n;
}

/* The first frame overtakes what was posted since the seat was taken. */
static void
queue_put_first(struct conn_queue *q, struct payload *p)
{
	if (q->n == q->cap)
		queue_grow(q);
	q->first = (q->first - 1) & (q->cap - 1);
	q->n++;
	*queue_at(q, 0) = payload_ref(p);
	q->bytes += payload_bytes(p).n;
}

/* Everything from the ${from}th on. */
static void
queue_cut(struct conn_queue *q, size_t from)
{
	while (q->n > from) {
		struct payload *p = *queue_at(q, --q->n);

		q->bytes -= payload_bytes(p).n - (q->n == 0 ? q->sent : 0);
		payload_unref(p);
	}
	if (q->n == 0)
		q->sent = 0;
}

static void
queue_fini(struct conn_queue *q)
{
	queue_cut(q, 0);
	free(q->ring);
	*q = (struct conn_queue){0};
}

/* ${n} bytes were sent. */
static void
queue_sent(struct conn_queue *q, size_t n)
{
	q->bytes -= n;
	for (q->sent += n; q->n > 0; q->n--) {
		struct payload *p = *queue_at(q, 0);

		if (q->sent < payload_bytes(p).n)
			break;
		q->sent -= payload_bytes(p).n;
		q->first = (q->first + 1) & (q->cap - 1);
		payload_unref(p);
	}
	if (q->n == 0 && q->cap > RING_KEPT)
		queue_fini(q);
}

static size_t
queue_iov(const struct conn_queue *q, struct iovec iov[static IOV_MAX_USED])
{
	size_t n = MIN_OF(q->n, (size_t)IOV_MAX_USED);

	for (size_t i = 0; i < n; i++) {
		struct str bytes = payload_bytes(*queue_at(q, i));
		size_t skip = i == 0 ? q->sent : 0;

		iov[i] = (struct iovec){(char *)(uintptr_t)bytes.p + skip, bytes.n - skip};
	}
	return n;
}

/* ---- life -------------------------------------------------------------------------- */

struct hub_conn *
conn_new(struct hub *h, int64_t uid, int64_t issued_s, int64_t expires_us)
{
	struct hub_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		panic("hub: out of memory");
	c->hub = h;
	c->uid = uid;
	c->issued_s = issued_s;
	c->expires_us = expires_us;
	c->fd = -1;
	atomic_init(&c->heard_ms, clock_mono_us() / 1000);
	id_uuid4(c->id);
	return c;
}

void
conn_free(struct hub_conn *c)
{
	assert(!c->is_listed && c->fd < 0);
	queue_fini(&c->queue);
	ws_free(c->ws);
	free(c);
}

static struct str
id_of(const struct hub_conn *c)
{
	return (struct str){c->id, HUB_ID_LEN};
}

void
conn_want_work(struct hub_conn *c)
{
	struct hub *h = c->hub;

	if (c->has_work || c->state == CONN_SEATED || c->state == CONN_GONE)
		return;
	c->has_work = true;
	c->work_next = h->work;
	h->work = c;
}

/* Nobody finds it any more, so nothing is posted to it. */
static void
leave_list(struct hub_conn *c)
{
	struct hub *h = c->hub;
	bool moved;

	pthread_mutex_lock(&h->lock);
	moved = list_remove(&h->list, c);
	pthread_mutex_unlock(&h->lock);
	hub_moved(h, moved);
}

void
conn_hang_up(struct hub_conn *c)
{
	struct hub *h = c->hub;

	if (c->state == CONN_GONE)
		return;
	leave_list(c);
	loop_remove(&h->loop, c->fd);
	close(c->fd);
	c->fd = -1;
	c->state = CONN_GONE;
	loop_timer_clear(&h->loop, &c->timer);
	queue_fini(&c->queue);
	*(c->all_prev ? &c->all_prev->all_next : &h->all) = c->all_next;
	if (c->all_next)
		c->all_next->all_prev = c->all_prev;
	h->nall--;
	atomic_fetch_sub(&h->count.seats, 1);
	/* Events of this turn, or the list of work, may still name it. */
	c->all_next = h->grave;
	h->grave = c;
}

/* ${goodbye} is the last that it gets. */
static void
part(struct hub_conn *c, struct payload *goodbye, bool at_once)
{
	struct hub *h = c->hub;

	leave_list(c);
	/* A frame that has begun must end, or the client could not read the next one. */
	if (at_once)
		queue_cut(&c->queue, c->queue.sent > 0 ? 1 : 0);
	queue_put(&c->queue, goodbye);
	c->state = CONN_ENDING;
	c->close_by_ms = h->now_ms + PARTING_MS;
	loop_timer_set(&h->loop, &c->timer, c->close_by_ms);
	conn_want_work(c);
}

void
conn_end(struct hub_conn *c, uint16_t code, struct str why, bool at_once)
{
	struct payload *goodbye;

	if (c->state != CONN_OPEN)
		return;
	goodbye = payload_close(code, why);
	part(c, goodbye, at_once);
	payload_unref(goodbye);
}

void
conn_doom(struct hub_conn *c, uint16_t code)
{
	if (c->doom == 0)
		c->doom = code;
	conn_want_work(c);
}

/* ---- sending ----------------------------------------------------------------------- */

/* False when the socket failed. */
static bool
flush(struct hub_conn *c)
{
	struct iovec iov[IOV_MAX_USED];
	struct hub *h = c->hub;

	while (c->queue.n > 0) {
		struct msghdr m = {.msg_iov = iov};
		ssize_t n;

		m.msg_iovlen = queue_iov(&c->queue, iov);
		n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n < 0)
			break;
		atomic_fetch_add_explicit(&h->count.bytes_sent, n, memory_order_relaxed);
		queue_sent(&c->queue, (size_t)n);
	}
	if (c->wants_write != (c->queue.n > 0)) {
		c->wants_write = !c->wants_write;
		loop_want_write(&h->loop, c->fd, c, c->wants_write);
	}
	return true;
}

void
conn_push(struct hub_conn *c, struct payload *p)
{
	size_t n = payload_bytes(p).n;

	if (c->doom != 0 || c->is_lost || c->state > CONN_OPEN)
		return;
	/* Much may be posted in one turn, to a client that reads well. */
	if (c->queue.n > 0 && c->queue.bytes + n > HUB_QUEUE_MAX && c->state == CONN_OPEN &&
		!flush(c))
		c->is_lost = true;
	if (c->queue.n > 0 && c->queue.bytes + n > HUB_QUEUE_MAX) {
		conn_doom(c, HUB_CLOSE_SLOW);
		return;
	}
	queue_put(&c->queue, p);
	count_one(&c->hub->count.frames);
	conn_want_work(c);
}

static void
push_keep_alive(struct hub_conn *c, bool with_ping)
{
	struct hub *h = c->hub;
	struct payload *p;

	h->scratch.n = 0;
	h->opts.keep_alive(h->opts.arg, id_of(c), &h->scratch);
	p = payload_new(buf_view(&h->scratch));
	conn_push(c, p);
	payload_unref(p);
	if (with_ping) {
		p = payload_of_frames((struct str){ping_frame, sizeof(ping_frame)});
		conn_push(c, p);
		payload_unref(p);
	}
	c->alive_ms = h->now_ms;
}

/* Ends it by the code that it is marked with. */
static void
meet_doom(struct hub_conn *c)
{
	if (c->doom == HUB_CLOSE_SLOW) {
		count_one(&c->hub->count.ended_slow);
		conn_end(c, c->doom, STR("reading too slowly"), true);
	} else {
		conn_end(c, c->doom, STR("ended by the server"), false);
	}
}

void
conn_work(struct hub_conn *c)
{
	/* Marked as having work until the end, so that nothing below lists it again. */
	if (c->doom != 0 && c->state == CONN_OPEN)
		meet_doom(c);
	if (c->state != CONN_GONE &&
		(c->is_lost || !flush(c) || (c->is_agreed && c->queue.n == 0)))
		conn_hang_up(c);
	c->has_work = false;
}

/* ---- receiving --------------------------------------------------------------------- */

static void
on_text(void *arg, struct str text)
{
	struct hub_conn *c = arg;
	struct hub *h = c->hub;

	c->is_pinged |= h->opts.on_text(h->opts.arg, id_of(c), c->uid, text);
}

/* False when it sent more frames than a client ever needs. */
static bool
allow_frames(struct hub_conn *c, unsigned n)
{
	int64_t now_ms = c->hub->now_ms;
	int64_t more = (now_ms - c->allowance_ms) / MS_PER_FRAME;

	c->allowance_ms += more * MS_PER_FRAME;
	c->allowance = MIN_OF(c->allowance + more, FRAMES_BURST) - n;
	return c->allowance >= 0;
}

/* It closed, or broke the protocol: ${answer} is frames of ws. */
static void
part_with(struct hub_conn *c, struct str answer, bool is_agreed)
{
	struct payload *goodbye = payload_of_frames(answer);

	if (!is_agreed)
		count_one(&c->hub->count.ended_policy);
	c->is_agreed = is_agreed;
	c->is_broken = !is_agreed;
	part(c, goodbye, true);
	payload_unref(goodbye);
}

static void
take(struct hub_conn *c, struct str bytes)
{
	struct hub *h = c->hub;
	enum ws_verdict verdict;
	unsigned nframes;

	h->scratch.n = 0;
	verdict = ws_feed(c->ws, bytes, &h->scratch, &nframes);
	if (nframes > 0)
		atomic_store_explicit(&c->heard_ms, h->now_ms, memory_order_relaxed);
	if (verdict != WS_OPEN) {
		part_with(c, buf_view(&h->scratch), verdict == WS_CLOSED);
		return;
	}
	if (!allow_frames(c, nframes)) {
		count_one(&h->count.ended_policy);
		conn_end(c, HUB_CLOSE_POLICY, STR("too many frames"), true);
		return;
	}
	if (h->scratch.n > 0) {
		struct payload *answer = payload_of_frames(buf_view(&h->scratch));

		conn_push(c, answer);
		payload_unref(answer);
	}
	if (c->is_pinged)
		push_keep_alive(c, false);
	c->is_pinged = false;
}

/* After our close frame only the client's is waited for. */
static void
take_farewell(struct hub_conn *c, struct str bytes)
{
	struct hub *h = c->hub;
	enum ws_verdict verdict = WS_CLOSED;
	unsigned nframes;

	h->scratch.n = 0;
	/* Without frames, whoever was refused: what he says when he has it all is goodbye. */
	if (c->ws != NULL)
		verdict = ws_feed(c->ws, bytes, &h->scratch, &nframes);
	else if (c->queue.n > 0)
		verdict = WS_OPEN;
	c->is_broken = verdict == WS_BROKEN;
	c->is_agreed = verdict == WS_CLOSED;
	if (c->is_agreed)
		conn_want_work(c);
}

void
conn_read(struct hub_conn *c)
{
	struct hub *h = c->hub;
	ssize_t n = recv(c->fd, h->piece, sizeof(h->piece), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_hang_up(c);
	} else if (c->state == CONN_OPEN) {
		take(c, (struct str){h->piece, (size_t)n});
	} else if (!c->is_broken) {
		take_farewell(c, (struct str){h->piece, (size_t)n});
	}
	/* Who broke the protocol is read from until he hangs up or time is up: to close with
	 * bytes unread resets the connection, which can tear our close frame out of his hands.
	 */
}

/* ---- opening ----------------------------------------------------------------------- */

static void
settle(struct hub_conn *c, int fd)
{
	struct hub *h = c->hub;
	const int on = 1, size = SEND_BUFFER;

	c->fd = fd;
	/* Not all sockets are TCP, in tests. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	c->state = CONN_OPEN;
	c->alive_ms = c->allowance_ms = h->now_ms;
	c->allowance = FRAMES_BURST;
	c->all_next = h->all;
	if (h->all)
		h->all->all_prev = c;
	h->all = c;
	h->nall++;
	c->is_lost = !loop_add(&h->loop, fd, c);
	if (c->doom != 0 || c->is_lost)
		conn_want_work(c);
}

void
conn_open(struct hub_conn *c, int fd, struct str early, struct payload *first)
{
	struct hub *h = c->hub;
	const struct ws_opts opts = {.text_max = HUB_TEXT_MAX, .on_text = on_text, .arg = c};

	c->ws = ws_new(&opts);
	queue_put_first(&c->queue, first);
	settle(c, fd);
	atomic_store(&c->is_open, true);
	atomic_store(&c->heard_ms, h->now_ms);
	conn_want_work(c);
	conn_on_timer(c);
	if (early.n > 0 && c->state == CONN_OPEN)
		take(c, early);
}

void
conn_refuse(struct hub_conn *c, int fd, struct payload *frame, uint16_t code)
{
	struct payload *goodbye = payload_close(code, STR(""));

	settle(c, fd);
	queue_put(&c->queue, frame);
	part(c, goodbye, false);
	payload_unref(goodbye);
}

/* ---- time -------------------------------------------------------------------------- */

/* Wall clock to monotonic, as of now: reckoned anew each time, in case somebody sets it. */
static int64_t
expiry_ms(const struct hub_conn *c)
{
	int64_t left_us = c->expires_us - clock_now_us();

	return c->expires_us == NO_TIME ? INT64_MAX : c->hub->now_ms + (left_us + 999) / 1000;
}

void
conn_on_timer(struct hub_conn *c)
{
	struct hub *h = c->hub;
	int64_t now_ms = h->now_ms, expires_ms, silent_ms, alive_ms;

	if (c->state == CONN_ENDING && now_ms >= c->close_by_ms)
		conn_hang_up(c);
	else if (c->state == CONN_ENDING)
		loop_timer_set(&h->loop, &c->timer, c->close_by_ms);
	if (c->state != CONN_OPEN)
		return;
	expires_ms = expiry_ms(c);
	silent_ms = atomic_load(&c->heard_ms) + h->opts.silence_ms;
	if (now_ms >= expires_ms) {
		count_one(&h->count.ended_expired);
		conn_end(c, HUB_CLOSE_POLICY, STR("token expired"), false);
		return;
	}
	if (now_ms >= silent_ms) {
		count_one(&h->count.ended_silent);
		conn_end(c, HUB_CLOSE_POLICY, STR("nothing was heard for too long"), true);
		return;
	}
	if (now_ms >= c->alive_ms + h->opts.keep_alive_ms)
		push_keep_alive(c, true);
	alive_ms = c->alive_ms + h->opts.keep_alive_ms;
	loop_timer_set(&h->loop, &c->timer, MIN_OF(expires_ms, MIN_OF(silent_ms, alive_ms)));
}
