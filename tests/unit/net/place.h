/* place – a hub, and clients of it over socket pairs. */
#pragma once
#include "../unit.h"
#include "base/clock.h"
#include "frames.h"
#include "net/hub.h"

enum { ANN = 11, BOB = 12, CARL = 13, NEWS = 101, SPORT = 102 };

struct place {
	struct hub *hub;
	struct hub_opts opts;
};

/* A client, as both sides see it. */
struct client {
	struct peer peer;
	char id[HUB_ID_LEN];
	int64_t uid;
};

static inline void
keep_alive(void *arg, struct str id, struct buf *out)
{
	(void)arg;
	(void)id;
	buf_str(out, STR("alive"));
}

static inline bool
on_text(void *arg, struct str id, int64_t uid, struct str text)
{
	(void)arg;
	(void)id;
	(void)uid;
	return str_is(text, "ping");
}

static inline void
open_place(struct place *p, const struct hub_opts *opts)
{
	struct err e;

	p->opts = *opts;
	p->opts.keep_alive = keep_alive;
	p->opts.on_text = on_text;
	if (p->opts.max_connections == 0)
		p->opts.max_connections = 1000;
	must(hub_open(&p->hub, &p->opts, &e), &e);
}

static inline int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	open_place(p, &(struct hub_opts){0});
	*state = p;
	return 0;
}

/* Another hub than setup()'s. */
static inline struct hub *
reopen(struct place *p, const struct hub_opts *opts)
{
	hub_stop(p->hub, 0);
	hub_free(p->hub);
	open_place(p, opts);
	return p->hub;
}

static inline int
teardown(void **state)
{
	struct place *p = *state;

	hub_stop(p->hub, 100);
	hub_free(p->hub);
	free(p);
	return 0;
}

static inline void
make_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

/* Connects until ${expires_us}; the first frame is read. */
static inline void
join_until(struct hub *h, struct client *c, int64_t uid, int64_t expires_us)
{
	struct hub_conn *conn;
	int fds[2];

	make_pair(fds);
	peer_init(&c->peer, fds[0]);
	c->uid = uid;
	assert_int_equal(hub_reserve(h, uid, NO_TIME, expires_us, &conn), HUB_SEAT_TAKEN);
	memcpy(c->id, hub_conn_id(conn).p, HUB_ID_LEN);
	hub_adopt(h, conn, fds[1], STR_NONE, payload_new(STR("first")));
	must_read_text(&c->peer, "first");
}

static inline void
join(struct hub *h, struct client *c, int64_t uid)
{
	join_until(h, c, uid, NO_TIME);
}

static inline struct str
id_of(const struct client *c)
{
	return (struct str){c->id, HUB_ID_LEN};
}

static inline void
watch(struct hub *h, const struct client *c, int64_t channel)
{
	assert_true(hub_watch(h, id_of(c), c->uid, &channel, 1));
}

static inline void
leave(struct client *c)
{
	peer_fini(&c->peer);
}

/* Posts a text; the hub has references of its own. */
static inline void
post(struct hub *h, enum hub_whom whom, int64_t uid, int64_t channel, const char *text)
{
	struct payload *p = payload_new(str_of(text));

	hub_post(h, &(struct hub_post){whom, uid, channel, p, 0}, 1);
	payload_unref(p);
}

/* Whatever was posted before has reached its connections: the mark comes last. */
static inline void
must_get(struct hub *h, struct client *c, const char *only)
{
	post(h, HUB_USER, c->uid, 0, "mark");
	if (only != NULL)
		must_read_text(&c->peer, only);
	must_read_text(&c->peer, "mark");
}

static inline struct hub_counters
counters(struct hub *h)
{
	struct hub_counters n;

	hub_counters(h, &n);
	return n;
}

/* Waits until ${n} are connected. */
static inline void
until_connected(struct hub *h, int64_t n)
{
	for (int tries = 0; counters(h).connections != n; tries++) {
		assert_true(tries < 20000);
		usleep(1000);
	}
}

static inline void
must_end(struct client *c, int code)
{
	assert_int_equal(peer_close_code(&c->peer), code);
}
