/* hub – the thread, its mailbox, and the questions that other threads ask. */
#include "net/hub.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "net/hub_impl.h"

#define TICK_MS       250
#define KEEP_ALIVE_MS 30000
#define SILENCE_MS    90000
#define EVENTS_A_TURN 256
#define BOX_FIRST     256

/* Of the time until somebody silent is gone: a living client pings within 25 s of the last
 * keep-alive (api.md §7.3), and is doubted after 40 of 90. */
#define DOUBTED_MS(silence_ms) ((silence_ms)*4 / 9)

enum mail_kind {
	MAIL_POST,    /* a struct hub_post */
	MAIL_ADOPT,   /* a socket for a connection that has a seat */
	MAIL_RELEASE, /* there will be none */
	MAIL_REFUSE,  /* a socket for a frame and a goodbye */
	MAIL_REPLACE, /* another has the seat of this one */
};

/* What came with a socket. */
struct arrival {
	int fd;
	uint16_t code;
	struct payload *first;
	struct str early; /* behind the struct */
};

struct mail {
	enum mail_kind kind;
	bool is_last; /* of its call */
	struct hub_post post;
	struct hub_conn *conn;
	struct arrival *arrival;
	char id[HUB_ID_LEN]; /* MAIL_REPLACE: of post.uid */
};

/* ---- delivery ------------------------------------------------------------------------ */

static void
deliver_watchers(struct hub *h, const struct hub_post *p)
{
	struct room *room = intmap_get(&h->list.rooms, p->channel);

	for (struct watch *w = room ? room->first : NULL; w != NULL; w = w->next)
		conn_push(w->conn, p->payload);
}

/* A connection that watches too much loses its oldest watch, which may be this one. */
static void
follow(struct hub *h, const struct hub_post *p)
{
	struct room *room = intmap_get(&h->list.rooms, p->channel);

	for (struct watch *w = room ? room->first : NULL, *next; w != NULL; w = next) {
		next = w->next;
		list_watch(&h->list, w->conn, p->value);
	}
}

static void
doom_older(struct hub_conn *first, int64_t before_s)
{
	for (struct hub_conn *c = first; c != NULL; c = c->next)
		if (c->issued_s < before_s)
			conn_doom(c, HUB_CLOSE_POLICY);
}

static void
doom_all_older(struct hub *h, int64_t before_s)
{
	struct person *p;

	for (size_t at = 0; (p = intmap_next(&h->list.people, &at)) != NULL;)
		doom_older(p->first, before_s);
}

/* The lock is held. */
static void
deliver(struct hub *h, const struct hub_post *p)
{
	struct hub_conn *c = list_of_user(&h->list, p->uid);

	switch (p->whom) {
	case HUB_WATCHERS:
		deliver_watchers(h, p);
		break;
	case HUB_USER:
		for (; c != NULL; c = c->next)
			conn_push(c, p->payload);
		break;
	case HUB_ABSENT:
		for (; c != NULL; c = c->next)
			if (intmap_get(&c->watches, p->channel) == NULL)
				conn_push(c, p->payload);
		break;
	case HUB_PRESENT:
		for (; c != NULL; c = c->next)
			if (intmap_get(&c->watches, p->channel) != NULL)
				conn_push(c, p->payload);
		break;
	case HUB_UNWATCH:
		if (p->uid == 0)
			list_unwatch_all(&h->list, p->channel);
		for (; c != NULL; c = c->next)
			list_unwatch(&h->list, c, p->channel);
		break;
	case HUB_END:
		for (; c != NULL; c = c->next)
			conn_doom(c, HUB_CLOSE_POLICY);
		break;
	case HUB_FOLLOW:
		follow(h, p);
		break;
	case HUB_REVOKE:
		if (p->uid == 0)
			doom_all_older(h, p->value);
		doom_older(c, p->value);
		break;
	}
}

static void
free_arrival(struct arrival *a)
{
	payload_unref(a->first);
	free(a);
}

static void
forget(struct hub *h, struct hub_conn *c)
{
	bool moved;

	pthread_mutex_lock(&h->lock);
	moved = list_remove(&h->list, c);
	pthread_mutex_unlock(&h->lock);
	hub_moved(h, moved);
	atomic_fetch_sub(&h->count.seats, 1);
	conn_free(c);
}

static void
replace(struct hub *h, const struct mail *m)
{
	struct hub_conn *c;

	pthread_mutex_lock(&h->lock);
	c = list_find(&h->list, m->post.uid, (struct str){m->id, HUB_ID_LEN});
	pthread_mutex_unlock(&h->lock);
	if (c == NULL)
		return;
	count_one(&h->count.ended_silent);
	conn_end(c, HUB_CLOSE_POLICY, STR("silent, and another connection came"), true);
}

/* Whatever is not a post; the lock is not held. */
static void
handle(struct hub *h, const struct mail *m)
{
	struct arrival *a = m->arrival;

	switch (m->kind) {
	case MAIL_ADOPT:
		conn_open(m->conn, a->fd, a->early, a->first);
		free_arrival(a);
		break;
	case MAIL_REFUSE:
		conn_refuse(m->conn, a->fd, a->first, a->code);
		free_arrival(a);
		break;
	case MAIL_RELEASE:
		forget(h, m->conn);
		break;
	case MAIL_REPLACE:
		replace(h, m);
		break;
	case MAIL_POST:
		break;
	}
}

/* The posts of one call, under one lock; returns how many. */
static size_t
deliver_call(struct hub *h, const struct mail *mails)
{
	size_t n = 0;

	pthread_mutex_lock(&h->lock);
	do
		deliver(h, &mails[n].post);
	while (!mails[n++].is_last);
	pthread_mutex_unlock(&h->lock);
	for (size_t i = 0; i < n; i++)
		payload_unref(mails[i].post.payload);
	atomic_fetch_add_explicit(&h->count.posts, n, memory_order_relaxed);
	return n;
}

/* Takes what lies in the mailbox and leaves ${spare} for it. */
static size_t
empty_box(struct hub *h, struct mail **mails, size_t *cap)
{
	struct mail *spare = *mails;
	size_t spare_cap = *cap, n;

	pthread_mutex_lock(&h->box_lock);
	*mails = h->box;
	*cap = h->box_cap;
	n = h->nbox;
	h->box = spare;
	h->box_cap = spare_cap;
	h->nbox = 0;
	pthread_cond_broadcast(&h->has_room);
	pthread_mutex_unlock(&h->box_lock);
	return n;
}

static void
read_mails(struct hub *h, const struct mail *mails, size_t n)
{
	for (size_t i = 0; i < n;) {
		if (mails[i].kind == MAIL_POST)
			i += deliver_call(h, &mails[i]);
		else
			handle(h, &mails[i++]);
	}
}

/* ---- the thread ------------------------------------------------------------------------ */

static void
do_work(struct hub *h)
{
	while (h->work != NULL) {
		struct hub_conn *c = h->work;

		h->work = c->work_next;
		conn_work(c);
	}
	while (h->grave != NULL) {
		struct hub_conn *c = h->grave;

		h->grave = c->all_next;
		conn_free(c);
	}
}

static void
see_timers(struct hub *h)
{
	struct loop_timer *t;

	while ((t = loop_due(&h->loop, h->now_ms)) != NULL)
		conn_on_timer((struct hub_conn *)(void *)((char *)t -
							  offsetof(struct hub_conn, timer)));
}

static void
see_sockets(const struct loop_event *events, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct hub_conn *c = events[i].of;

		if (events[i].writable)
			conn_want_work(c);
		if (events[i].readable && c->state != CONN_GONE)
			conn_read(c);
	}
}

static void
say_goodbye(struct hub *h)
{
	for (struct hub_conn *c = h->all; c != NULL; c = c->all_next)
		conn_end(c, HUB_CLOSE_RESTART, STR("the server restarts"), false);
}

static void
hang_up_all(struct hub *h)
{
	while (h->all != NULL)
		conn_hang_up(h->all);
	do_work(h);
}

static void
run(void *arg)
{
	struct hub *h = arg;
	struct loop_event events[EVENTS_A_TURN];
	struct mail *mails = NULL;
	size_t nmails, cap = 0;
	int64_t end_ms = INT64_MAX;

	while (end_ms == INT64_MAX || (h->nall > 0 && h->now_ms < end_ms)) {
		int64_t patience = end_ms == INT64_MAX ? -1 : MAX_OF(end_ms - h->now_ms, 0);
		size_t n = loop_wait(&h->loop, events, EVENTS_A_TURN, patience);
		bool is_ending = atomic_load(&h->is_ending);

		h->now_ms = clock_mono_us() / 1000;
		nmails = empty_box(h, &mails, &cap);
		read_mails(h, mails, nmails);
		see_sockets(events, n);
		see_timers(h);
		/* Whoever comes while it ends is greeted and sent away in one. */
		if (is_ending)
			say_goodbye(h);
		if (is_ending && end_ms == INT64_MAX)
			end_ms = h->now_ms + atomic_load(&h->drain_ms);
		do_work(h);
	}
	hang_up_all(h);
	free(mails);
}

/* ---- life -------------------------------------------------------------------------------- */

bool
hub_open(struct hub **out, const struct hub_opts *opts, struct err *e)
{
	struct hub *h = calloc(1, sizeof(*h));
	int64_t tick_ms = TICK_MS;

	if (h == NULL)
		panic("hub: out of memory");
	h->opts = *opts;
	if (h->opts.keep_alive_ms == 0)
		h->opts.keep_alive_ms = KEEP_ALIVE_MS;
	if (h->opts.silence_ms == 0)
		h->opts.silence_ms = SILENCE_MS;
	tick_ms = MAX_OF(MIN_OF(tick_ms, h->opts.keep_alive_ms / 4), 1);
	if (!loop_init(&h->loop, tick_ms, e)) {
		free(h);
		return false;
	}
	pthread_mutex_init(&h->lock, NULL);
	pthread_mutex_init(&h->box_lock, NULL);
	pthread_cond_init(&h->has_room, NULL);
	buf_init(&h->scratch, NULL, 4096);
	h->now_ms = clock_mono_us() / 1000;
	thread_start(&h->thread, "hub", run, h);
	*out = h;
	return true;
}

/* A mail that the thread did not see any more. */
static void
discard(struct hub *h, struct mail *m)
{
	payload_unref(m->post.payload);
	if (m->arrival != NULL) {
		close(m->arrival->fd);
		free_arrival(m->arrival);
	}
	if (m->conn != NULL)
		forget(h, m->conn);
}

void
hub_stop(struct hub *h, int drain_ms)
{
	atomic_store(&h->drain_ms, drain_ms);
	atomic_store(&h->is_ending, true);
	loop_wake(&h->loop);
	thread_join(&h->thread);
	pthread_mutex_lock(&h->box_lock);
	h->is_closed = true;
	pthread_cond_broadcast(&h->has_room);
	pthread_mutex_unlock(&h->box_lock);
	/* Nobody puts anything in any more. */
	for (size_t i = 0; i < h->nbox; i++)
		discard(h, &h->box[i]);
	h->nbox = 0;
}

void
hub_free(struct hub *h)
{
	if (h == NULL)
		return;
	assert(!h->thread.started && atomic_load(&h->list.nconns) == 0);
	list_fini(&h->list);
	loop_fini(&h->loop);
	pthread_cond_destroy(&h->has_room);
	pthread_mutex_destroy(&h->box_lock);
	pthread_mutex_destroy(&h->lock);
	buf_free(&h->scratch);
	free(h->box);
	free(h);
}

/* ---- the mailbox ---------------------------------------------------------------------------
 */

/* Room for ${n} more; the lock is held. */
static void
make_room(struct hub *h, size_t n)
{
	size_t cap = MAX_OF(h->box_cap, (size_t)BOX_FIRST);

	while (cap < h->nbox + n)
		cap *= 2;
	if (cap == h->box_cap)
		return;
	h->box = realloc(h->box, cap * sizeof(*h->box));
	if (h->box == NULL)
		panic("hub: out of memory");
	h->box_cap = cap;
}

/* False when the hub has ended. */
static bool
put_mail(struct hub *h, const struct mail *m)
{
	bool wake = false, ok;

	pthread_mutex_lock(&h->box_lock);
	ok = !h->is_closed;
	if (ok) {
		make_room(h, 1);
		wake = h->nbox == 0;
		h->box[h->nbox++] = *m;
	}
	pthread_mutex_unlock(&h->box_lock);
	if (wake)
		loop_wake(&h->loop);
	return ok;
}

void
hub_post(struct hub *h, const struct hub_post *posts, size_t n)
{
	bool wake;

	if (n == 0 || atomic_load(&h->list.nconns) == 0 || atomic_load(&h->is_ending))
		return;
	pthread_mutex_lock(&h->box_lock);
	while (h->nbox > 0 && h->nbox + n > HUB_MAILBOX_MAX && !h->is_closed)
		pthread_cond_wait(&h->has_room, &h->box_lock);
	wake = h->nbox == 0 && !h->is_closed;
	if (!h->is_closed)
		make_room(h, n);
	for (size_t i = 0; i < n && !h->is_closed; i++) {
		struct mail m = {.kind = MAIL_POST, .is_last = i + 1 == n, .post = posts[i]};

		if (m.post.payload != NULL)
			payload_ref(m.post.payload);
		h->box[h->nbox++] = m;
	}
	pthread_mutex_unlock(&h->box_lock);
	if (wake)
		loop_wake(&h->loop);
}

void
hub_post_watchers(struct hub *h, int64_t channel, struct payload *p)
{
	hub_post(h, &(struct hub_post){HUB_WATCHERS, 0, channel, p, 0}, 1);
}

void
hub_post_user(struct hub *h, int64_t uid, struct payload *p)
{
	hub_post(h, &(struct hub_post){HUB_USER, uid, 0, p, 0}, 1);
}

void
hub_post_absent(struct hub *h, int64_t uid, int64_t channel, struct payload *p)
{
	hub_post(h, &(struct hub_post){HUB_ABSENT, uid, channel, p, 0}, 1);
}

/* ---- connections ---------------------------------------------------------------------------
 */

/* The connection that is silent for the longest, if that is doubtful; the lock is held. */
static const struct hub_conn *
find_doubtful(struct hub *h, int64_t uid)
{
	int64_t before = clock_mono_us() / 1000 - DOUBTED_MS(h->opts.silence_ms);
	const struct hub_conn *found = NULL;

	for (struct hub_conn *c = list_of_user(&h->list, uid); c != NULL; c = c->next) {
		int64_t heard_ms = atomic_load(&c->heard_ms);

		if (atomic_load(&c->is_open) && heard_ms < before) {
			before = heard_ms;
			found = c;
		}
	}
	return found;
}

/* Lists ${c}, unless its user has as many as he may; *m says who goes for it, if anybody. */
static bool
take_seat(struct hub *h, struct hub_conn *c, struct mail *m)
{
	const struct hub_conn *doubtful = NULL;
	struct person *p;
	bool ok = true, moved;

	pthread_mutex_lock(&h->lock);
	p = c->uid == 0 ? NULL : intmap_get(&h->list.people, c->uid);
	if (p != NULL && p->n >= HUB_USER_MAX)
		ok = (doubtful = find_doubtful(h, c->uid)) != NULL;
	if (doubtful != NULL)
		memcpy(m->id, doubtful->id, HUB_ID_LEN);
	m->kind = doubtful != NULL ? MAIL_REPLACE : MAIL_POST;
	moved = ok && list_add(&h->list, c);
	pthread_mutex_unlock(&h->lock);
	hub_moved(h, moved);
	return ok;
}

enum hub_seat
hub_reserve(
	struct hub *h, int64_t uid, int64_t issued_s, int64_t expires_us, struct hub_conn **out)
{
	struct mail m = {.post.uid = uid};
	struct hub_conn *c;

	if (atomic_load(&h->is_ending))
		return HUB_SEAT_STOPPED;
	if (atomic_fetch_add(&h->count.seats, 1) >= (long long)h->opts.max_connections) {
		atomic_fetch_sub(&h->count.seats, 1);
		count_one(&h->count.refused);
		return HUB_SEAT_HUB_FULL;
	}
	c = conn_new(h, uid, issued_s, expires_us);
	if (!take_seat(h, c, &m)) {
		atomic_fetch_sub(&h->count.seats, 1);
		count_one(&h->count.refused);
		conn_free(c);
		return HUB_SEAT_USER_FULL;
	}
	if (m.kind == MAIL_REPLACE)
		put_mail(h, &m);
	*out = c;
	return HUB_SEAT_TAKEN;
}

struct str
hub_conn_id(const struct hub_conn *c)
{
	return (struct str){c->id, HUB_ID_LEN};
}

static void
put_arrival(struct hub *h, enum mail_kind kind, struct hub_conn *c, const struct arrival *what)
{
	struct arrival *a = malloc(sizeof(*a) + what->early.n);
	struct mail m = {.kind = kind, .conn = c, .arrival = a};

	if (a == NULL)
		panic("hub: out of memory");
	*a = *what;
	a->early.p = (char *)(a + 1);
	if (what->early.n > 0)
		memcpy(a + 1, what->early.p, what->early.n);
	if (!put_mail(h, &m))
		discard(h, &m);
}

void
hub_adopt(struct hub *h, struct hub_conn *c, int fd, struct str early, struct payload *first)
{
	put_arrival(h, MAIL_ADOPT, c, &(struct arrival){fd, 0, first, early});
}

void
hub_release(struct hub *h, struct hub_conn *c)
{
	struct mail m = {.kind = MAIL_RELEASE, .conn = c};

	if (!put_mail(h, &m))
		discard(h, &m);
}

void
hub_refuse(struct hub *h, int fd, struct payload *frame, uint16_t code)
{
	struct hub_conn *c = conn_new(h, 0, NO_TIME, NO_TIME);

	atomic_fetch_add(&h->count.seats, 1);
	put_arrival(h, MAIL_REFUSE, c, &(struct arrival){fd, code, frame, STR_NONE});
}

/* ---- questions -----------------------------------------------------------------------------
 */

/* What hub_watch() and hub_unwatch() have in common. */
static bool
change_watches(struct hub *h, struct str id, int64_t uid, const int64_t *channels, size_t n,
	void (*change)(struct hub_list *, struct hub_conn *, int64_t))
{
	struct hub_conn *c;
	bool began;

	pthread_mutex_lock(&h->lock);
	began = h->list.nuser_watches == 0;
	c = list_find(&h->list, uid, id);
	for (size_t i = 0; c != NULL && i < n; i++)
		change(&h->list, c, channels[i]);
	began = began && h->list.nuser_watches > 0;
	pthread_mutex_unlock(&h->lock);
	hub_moved(h, began);
	return c != NULL;
}

bool
hub_watch(struct hub *h, struct str id, int64_t uid, const int64_t *channels, size_t n)
{
	return change_watches(h, id, uid, channels, n, list_watch);
}

bool
hub_unwatch(struct hub *h, struct str id, int64_t uid, const int64_t *channels, size_t n)
{
	return change_watches(h, id, uid, channels, n, list_unwatch);
}

int64_t
hub_watcher_count(struct hub *h, int64_t channel)
{
	struct room *room;
	int64_t n;

	if (atomic_load(&h->list.nconns) == 0)
		return 0;
	pthread_mutex_lock(&h->lock);
	room = intmap_get(&h->list.rooms, channel);
	n = room ? room->n : 0;
	pthread_mutex_unlock(&h->lock);
	return n;
}

size_t
hub_watchers(struct hub *h, int64_t channel, int64_t *out, size_t max)
{
	struct room *room;
	size_t n = 0;

	pthread_mutex_lock(&h->lock);
	room = intmap_get(&h->list.rooms, channel);
	for (struct watch *w = room ? room->first : NULL; w != NULL && n < max; w = w->next) {
		bool is_there = false;

		for (size_t i = 0; i < n && !is_there; i++)
			is_there = out[i] == w->conn->uid;
		if (!is_there)
			out[n++] = w->conn->uid;
	}
	pthread_mutex_unlock(&h->lock);
	return n;
}

void
hub_counters(struct hub *h, struct hub_counters *out)
{
	pthread_mutex_lock(&h->lock);
	*out = (struct hub_counters){
		.connections = atomic_load(&h->list.nconns),
		.users = (int64_t)h->list.people.n,
		.watches = h->list.nwatches,
		.user_watches = h->list.nuser_watches,
	};
	pthread_mutex_unlock(&h->lock);
	out->posts = atomic_load(&h->count.posts);
	out->frames = atomic_load(&h->count.frames);
	out->bytes_sent = atomic_load(&h->count.bytes_sent);
	out->ended_slow = atomic_load(&h->count.ended_slow);
	out->ended_silent = atomic_load(&h->count.ended_silent);
	out->ended_expired = atomic_load(&h->count.ended_expired);
	out->ended_policy = atomic_load(&h->count.ended_policy);
	out->refused = atomic_load(&h->count.refused);
}
