/* test_hub – connections over socket pairs: who gets what, in which order, and how each ends.
 */
#include "../unit.h"
#include "base/clock.h"
#include "base/thread.h"
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

static void
keep_alive(void *arg, struct str id, struct buf *out)
{
	(void)arg;
	(void)id;
	buf_str(out, STR("alive"));
}

static bool
on_text(void *arg, struct str id, int64_t uid, struct str text)
{
	(void)arg;
	(void)id;
	(void)uid;
	return str_is(text, "ping");
}

static void
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

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	open_place(p, &(struct hub_opts){0});
	*state = p;
	return 0;
}

/* Another hub than setup()'s. */
static struct hub *
reopen(struct place *p, const struct hub_opts *opts)
{
	hub_stop(p->hub, 0);
	hub_free(p->hub);
	open_place(p, opts);
	return p->hub;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	hub_stop(p->hub, 100);
	hub_free(p->hub);
	free(p);
	return 0;
}

static void
make_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

/* Connects until ${expires_us}; the first frame is read. */
static void
join_until(struct hub *h, struct client *c, int64_t uid, int64_t expires_us)
{
	struct hub_conn *conn;
	int fds[2];

	make_pair(fds);
	peer_init(&c->peer, fds[0]);
	c->uid = uid;
	assert_int_equal(hub_reserve(h, uid, expires_us, &conn), HUB_SEAT_TAKEN);
	memcpy(c->id, hub_conn_id(conn).p, HUB_ID_LEN);
	hub_adopt(h, conn, fds[1], STR_NONE, payload_new(STR("first")));
	must_read_text(&c->peer, "first");
}

static void
join(struct hub *h, struct client *c, int64_t uid)
{
	join_until(h, c, uid, NO_TIME);
}

static struct str
id_of(const struct client *c)
{
	return (struct str){c->id, HUB_ID_LEN};
}

static void
watch(struct hub *h, const struct client *c, int64_t channel)
{
	assert_true(hub_watch(h, id_of(c), c->uid, &channel, 1));
}

static void
leave(struct client *c)
{
	peer_fini(&c->peer);
}

/* Posts a text; the hub has references of its own. */
static void
post(struct hub *h, enum hub_whom whom, int64_t uid, int64_t channel, const char *text)
{
	struct payload *p = payload_new(str_of(text));

	hub_post(h, &(struct hub_post){whom, uid, channel, p}, 1);
	payload_unref(p);
}

/* Whatever was posted before has reached its connections: the mark comes last. */
static void
must_get(struct hub *h, struct client *c, const char *only)
{
	post(h, HUB_USER, c->uid, 0, "mark");
	if (only != NULL)
		must_read_text(&c->peer, only);
	must_read_text(&c->peer, "mark");
}

static struct hub_counters
counters(struct hub *h)
{
	struct hub_counters n;

	hub_counters(h, &n);
	return n;
}

/* Waits until ${n} are connected. */
static void
until_connected(struct hub *h, int64_t n)
{
	for (int tries = 0; counters(h).connections != n; tries++) {
		assert_true(tries < 20000);
		usleep(1000);
	}
}

static void
must_end(struct client *c, int code)
{
	assert_int_equal(peer_close_code(&c->peer), code);
}

/* ---- who gets what ---------------------------------------------------------------------- */

static void
test_whom(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct client ann, ann2, bob;

	join(h, &ann, ANN);
	join(h, &ann2, ANN);
	join(h, &bob, BOB);
	watch(h, &ann, NEWS);
	watch(h, &bob, SPORT);
	post(h, HUB_WATCHERS, 0, NEWS, "to watchers");
	post(h, HUB_USER, BOB, 0, "to bob");
	post(h, HUB_ABSENT, ANN, NEWS, "to who is absent");
	post(h, HUB_ABSENT, BOB, SPORT, "to nobody");
	post(h, HUB_PRESENT, BOB, NEWS, "to nobody");
	post(h, HUB_PRESENT, BOB, SPORT, "to who is present");
	post(h, HUB_USER, CARL, 0, "to nobody");
	post(h, HUB_USER, ANN, 0, "mark");
	post(h, HUB_USER, BOB, 0, "mark");
	must_read_text(&ann.peer, "to watchers");
	must_read_text(&ann.peer, "mark");
	must_read_text(&ann2.peer, "to who is absent");
	must_read_text(&ann2.peer, "mark");
	must_read_text(&bob.peer, "to bob");
	must_read_text(&bob.peer, "to who is present");
	must_read_text(&bob.peer, "mark");
	leave(&ann);
	leave(&ann2);
	leave(&bob);
	until_connected(h, 0);
	assert_int_equal(counters(h).watches, 0);
	assert_int_equal(counters(h).users, 0);
}

/* Between the seat and the socket nothing is lost, and nothing comes before the first frame. */
static void
test_first_frame_is_first(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct hub_conn *conn;
	struct peer peer;
	int64_t channel = NEWS;
	int fds[2];

	make_pair(fds);
	peer_init(&peer, fds[0]);
	assert_int_equal(hub_reserve(h, ANN, NO_TIME, &conn), HUB_SEAT_TAKEN);
	assert_true(hub_watch(h, hub_conn_id(conn), ANN, &channel, 1));
	for (int i = 0; i < 20; i++)
		post(h, i % 2 ? HUB_USER : HUB_WATCHERS, ANN, NEWS, "early");
	hub_adopt(h, conn, fds[1], STR_NONE, payload_new(STR("first")));
	must_read_text(&peer, "first");
	for (int i = 0; i < 20; i++)
		must_read_text(&peer, "early");
	peer_fini(&peer);
}

static void
test_bytes_behind_the_handshake(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct hub_conn *conn;
	struct peer peer;
	struct buf early;
	int fds[2];

	make_pair(fds);
	peer_init(&peer, fds[0]);
	buf_init(&early, NULL, 64);
	frame_add(&early, TEXT, STR("ping"));
	assert_int_equal(hub_reserve(h, ANN, NO_TIME, &conn), HUB_SEAT_TAKEN);
	hub_adopt(h, conn, fds[1], buf_view(&early), payload_new(STR("first")));
	must_read_text(&peer, "first");
	must_read_text(&peer, "alive");
	peer_fini(&peer);
	buf_free(&early);
}

static void
test_released_seat(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct hub_conn *conn;

	assert_int_equal(hub_reserve(h, ANN, NO_TIME, &conn), HUB_SEAT_TAKEN);
	assert_int_equal(counters(h).connections, 1);
	post(h, HUB_USER, ANN, 0, "lost");
	hub_release(h, conn);
	until_connected(h, 0);
}

static void
test_order(void **state)
{
	enum { MANY = 5000 };
	struct hub *h = ((struct place *)*state)->hub;
	struct client ann;
	char text[32];

	join(h, &ann, ANN);
	watch(h, &ann, NEWS);
	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "%d", i);
		post(h, i % 3 ? HUB_WATCHERS : HUB_USER, ANN, NEWS, text);
	}
	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "%d", i);
		must_read_text(&ann.peer, text);
	}
	leave(&ann);
}

/* ---- watching -----------------------------------------------------------------------------
 */

static void
test_watching(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct client ann, ann2, bob;
	int64_t channels[] = {NEWS, SPORT, NEWS}, out[4];

	join(h, &ann, ANN);
	join(h, &ann2, ANN);
	join(h, &bob, BOB);
	/* Of another user, of nobody, unknown. */
	assert_false(hub_watch(h, id_of(&ann), BOB, channels, 1));
	assert_false(hub_watch(h, id_of(&ann), 0, channels, 1));
	assert_false(hub_watch(h, STR("x"), ANN, channels, 1));
	assert_false(hub_watch(h, STR_NONE, ANN, channels, 1));
	assert_true(hub_watch(h, id_of(&ann), ANN, channels, 3));
	watch(h, &ann2, NEWS);
	watch(h, &bob, NEWS);
	assert_int_equal(hub_watcher_count(h, NEWS), 3);
	assert_int_equal(hub_watcher_count(h, SPORT), 1);
	assert_int_equal(hub_watcher_count(h, 999), 0);
	assert_int_equal(hub_watchers(h, NEWS, out, 4), 2);
	assert_int_equal(out[0] + out[1], ANN + BOB);
	assert_int_equal(hub_watchers(h, NEWS, out, 1), 1);
	assert_true(hub_unwatch(h, id_of(&ann), ANN, channels, 1));
	assert_true(hub_unwatch(h, id_of(&ann), ANN, channels, 1));
	assert_false(hub_unwatch(h, id_of(&ann), BOB, channels, 1));
	assert_int_equal(hub_watcher_count(h, NEWS), 2);
	leave(&bob);
	until_connected(h, 2);
	assert_int_equal(hub_watcher_count(h, NEWS), 1);
	/* In order with posts, for whoever is taken out of a channel. */
	post(h, HUB_UNWATCH, ANN, NEWS, "");
	post(h, HUB_WATCHERS, 0, NEWS, "unheard");
	must_get(h, &ann, NULL);
	watch(h, &ann, NEWS);
	watch(h, &ann2, NEWS);
	post(h, HUB_UNWATCH, 0, NEWS, "");
	must_get(h, &ann, NULL);
	assert_int_equal(counters(h).watches, 1);
	leave(&ann);
	leave(&ann2);
}

static void
test_most_watches(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct client ann;

	join(h, &ann, ANN);
	for (int64_t i = 0; i <= HUB_WATCH_MAX; i++)
		watch(h, &ann, 1000 + i);
	assert_int_equal(counters(h).watches, HUB_WATCH_MAX);
	assert_int_equal(hub_watcher_count(h, 1000), 0);
	assert_int_equal(hub_watcher_count(h, 1001), 1);
	leave(&ann);
	until_connected(h, 0);
	assert_int_equal(hub_watcher_count(h, 1001), 0);
}

static void
test_online(void **state)
{
	enum { MANY = 4096 };
	struct hub *h = ((struct place *)*state)->hub;
	static int64_t uids[MANY], out[MANY];
	struct client ann, bob, stranger;

	for (int i = 0; i < MANY; i++)
		uids[i] = i + 1;
	assert_int_equal(hub_online(h, uids, MANY, out), 0);
	join(h, &bob, BOB);
	join(h, &ann, ANN);
	join(h, &stranger, 0);
	/* Few users in many uids, and many in few. */
	assert_int_equal(hub_online(h, uids, MANY, out), 2);
	assert_int_equal(out[0], ANN);
	assert_int_equal(out[1], BOB);
	assert_int_equal(hub_online(h, uids, 12, out), 2);
	assert_int_equal(out[1], BOB);
	assert_int_equal(hub_online(h, uids, 10, out), 0);
	post(h, HUB_USER, 0, 0, "nobody is uid 0");
	assert_int_equal(counters(h).connections, 3);
	assert_int_equal(counters(h).users, 2);
	must_get(h, &bob, NULL);
	leave(&bob);
	until_connected(h, 2);
	assert_int_equal(hub_online(h, uids, MANY, out), 1);
	leave(&ann);
	leave(&stranger);
}

/* ---- how many ------------------------------------------------------------------------------
 */

static void
test_most_of_a_user(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct client some[HUB_USER_MAX], bob;
	struct hub_conn *conn;

	for (size_t i = 0; i < HUB_USER_MAX; i++)
		join(h, &some[i], ANN);
	assert_int_equal(hub_reserve(h, ANN, NO_TIME, &conn), HUB_SEAT_USER_FULL);
	assert_int_equal(counters(h).refused, 1);
	join(h, &bob, BOB);
	leave(&some[7]);
	until_connected(h, HUB_USER_MAX);
	join(h, &some[7], ANN);
	post(h, HUB_USER, ANN, 0, "all");
	for (size_t i = 0; i < HUB_USER_MAX; i++) {
		must_read_text(&some[i].peer, "all");
		leave(&some[i]);
	}
	leave(&bob);
}

/* Half-open connections do not lock a user out. */
static void
test_silent_ones_give_way(void **state)
{
	struct hub *h =
		reopen(*state, &(struct hub_opts){.silence_ms = 2000, .keep_alive_ms = 100000});
	struct client some[HUB_USER_MAX], more;

	for (size_t i = 0; i < HUB_USER_MAX; i++)
		join(h, &some[i], ANN);
	/* All but one keep talking past the time of doubt. */
	for (int64_t until = clock_mono_us() + 1200000; clock_mono_us() < until;) {
		for (size_t i = 1; i < HUB_USER_MAX; i++) {
			peer_frame(&some[i].peer, TEXT, STR("ping"));
			must_read_text(&some[i].peer, "alive");
		}
		usleep(100000);
	}
	join(h, &more, ANN);
	must_end(&some[0], HUB_CLOSE_POLICY);
	must_get(h, &more, NULL);
	for (size_t i = 0; i < HUB_USER_MAX; i++)
		leave(&some[i]);
	leave(&more);
}

static void
test_most_of_the_hub(void **state)
{
	struct hub *h = reopen(*state, &(struct hub_opts){.max_connections = 2});
	struct client ann, bob;
	struct hub_conn *conn;

	join(h, &ann, ANN);
	join(h, &bob, BOB);
	assert_int_equal(hub_reserve(h, CARL, NO_TIME, &conn), HUB_SEAT_HUB_FULL);
	leave(&ann);
	for (int tries = 0; hub_reserve(h, CARL, NO_TIME, &conn) != HUB_SEAT_TAKEN; tries++) {
		assert_true(tries < 20000);
		usleep(1000);
	}
	hub_release(h, conn);
	leave(&bob);
}

/* ---- life and death ------------------------------------------------------------------------
 */

static void
test_ping(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct client ann;
	struct frame f;

	join(h, &ann, ANN);
	peer_frame(&ann.peer, TEXT, STR("other"));
	peer_frame(&ann.peer, TEXT, STR("ping"));
	must_read_text(&ann.peer, "alive");
	peer_frame(&ann.peer, PING, STR("x"));
	f = peer_read(&ann.peer);
	assert_int_equal(f.opcode, PONG);
	assert_str(f.data, "x");
	leave(&ann);
}

/* Who says nothing is told to live, asked, and dropped; a pong is life enough. */
static void
test_silence(void **state)
{
	struct hub *h =
		reopen(*state, &(struct hub_opts){.keep_alive_ms = 200, .silence_ms = 1500});
	int64_t began = clock_mono_us(), took_ms;
	struct client ann, bob;
	struct frame f;

	join(h, &ann, ANN);
	join(h, &bob, BOB);
	must_read_text(&ann.peer, "alive");
	f = peer_read(&ann.peer);
	assert_int_equal(f.opcode, PING);
	while (clock_mono_us() < began + 2000000) {
		f = peer_read(&bob.peer);
		assert_true(f.opcode == TEXT || f.opcode == PING);
		if (f.opcode == PING)
			assert_true(peer_frame(&bob.peer, PONG, f.data));
	}
	must_end(&ann, HUB_CLOSE_POLICY);
	took_ms = (clock_mono_us() - began) / 1000;
	assert_true(took_ms >= 1500);
	assert_int_equal(counters(h).ended_silent, 1);
	assert_int_equal(counters(h).connections, 1);
	leave(&ann);
	leave(&bob);
}

static void
test_expiry(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	int64_t now = clock_now_us();
	struct client ann, bob;

	join_until(h, &ann, ANN, now + 1000000);
	join_until(h, &bob, BOB, now + 3600 * INT64_C(1000000));
	must_end(&ann, HUB_CLOSE_POLICY);
	assert_true(clock_now_us() >= now + 1000000);
	assert_true(clock_now_us() < now + 3000000);
	assert_int_equal(counters(h).ended_expired, 1);
	must_get(h, &bob, NULL);
	leave(&ann);
	leave(&bob);
}

static void
test_client_closes(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct client ann;
	struct frame f;

	join(h, &ann, ANN);
	watch(h, &ann, NEWS);
	peer_frame(&ann.peer, CLOSE,
		STR("\x03\xe8"
		    "bye"));
	f = peer_read(&ann.peer);
	assert_int_equal(f.opcode, CLOSE);
	assert_int_equal(f.code, 1000);
	assert_int_equal(peer_read(&ann.peer).opcode, -1);
	assert_int_equal(counters(h).connections, 0);
	assert_int_equal(hub_watcher_count(h, NEWS), 0);
	leave(&ann);
}

/* The HTTP library closes its own descriptor of the socket when it comes to it: until then the
 * socket is open, and speaks to a connection that is gone. */
static void
test_duplicate_descriptor(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct hub_conn *conn;
	struct client ann, bob;
	int fds[2], other;

	make_pair(fds);
	other = dup(fds[1]);
	assert_true(other >= 0);
	peer_init(&ann.peer, fds[0]);
	assert_int_equal(hub_reserve(h, ANN, NO_TIME, &conn), HUB_SEAT_TAKEN);
	hub_adopt(h, conn, fds[1], STR_NONE, payload_new(STR("first")));
	must_read_text(&ann.peer, "first");
	join(h, &bob, BOB);
	peer_frame(&ann.peer, CLOSE, STR(""));
	must_end(&ann, 0);
	until_connected(h, 1);
	for (int i = 0; i < 100; i++) {
		assert_true(peer_frame(&ann.peer, TEXT, STR("ping")));
		must_get(h, &bob, NULL);
	}
	close(other);
	leave(&ann);
	leave(&bob);
}

static void
test_broken_client(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct client ann, bob;
	struct buf b;

	join(h, &ann, ANN);
	join(h, &bob, BOB);
	buf_init(&b, NULL, 64);
	frame_raw(&b, 0x81, false, STR("unmasked"));
	peer_send(&ann.peer, buf_view(&b));
	/* It goes on as if nothing were. */
	for (int i = 0; i < 100; i++)
		peer_send(&ann.peer, buf_view(&b));
	must_end(&ann, 1002);
	assert_int_equal(counters(h).ended_policy, 1);
	must_get(h, &bob, NULL);
	buf_free(&b);
	leave(&ann);
	leave(&bob);
}

static void
test_ping_flood(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct client ann, bob;

	join(h, &ann, ANN);
	join(h, &bob, BOB);
	for (int i = 0; i < 1000; i++)
		if (!peer_frame(&ann.peer, PING, STR("flood")))
			break;
	must_end(&ann, HUB_CLOSE_POLICY);
	must_get(h, &bob, NULL);
	leave(&ann);
	leave(&bob);
}

/* Whoever got our close frame answers it, and the connection is over at once. */
static void
test_end_by_post(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	int64_t began = clock_mono_us();
	struct client ann, bob;

	join(h, &ann, ANN);
	join(h, &bob, BOB);
	post(h, HUB_USER, ANN, 0, "last words");
	post(h, HUB_END, ANN, 0, "");
	must_read_text(&ann.peer, "last words");
	must_end(&ann, HUB_CLOSE_POLICY);
	assert_int_equal(counters(h).connections, 1);
	peer_frame(&ann.peer, CLOSE, STR("\x03\xf0"));
	assert_int_equal(peer_read(&ann.peer).opcode, -1);
	assert_true(clock_mono_us() < began + 2000000);
	must_get(h, &bob, NULL);
	leave(&ann);
	leave(&bob);
}

static void
test_refuse(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct peer peer;
	struct frame f;
	int fds[2];

	make_pair(fds);
	peer_init(&peer, fds[0]);
	hub_refuse(h, fds[1], payload_new(STR("no")), HUB_CLOSE_FOR_GOOD);
	must_read_text(&peer, "no");
	f = peer_read(&peer);
	assert_int_equal(f.opcode, CLOSE);
	assert_int_equal(f.code, 1000);
	/* Without an answer it is over as well. */
	assert_int_equal(peer_read(&peer).opcode, -1);
	peer_fini(&peer);
}

/* ---- slow readers ---------------------------------------------------------------------------
 */

#define PIECE 10000

static void
test_slow_reader(void **state)
{
	enum { MANY = 300 };
	struct hub *h = ((struct place *)*state)->hub;
	static char text[PIECE];
	struct payload *p;
	struct client slow, bob;
	struct frame f;

	memset(text, 'x', sizeof(text));
	p = payload_new((struct str){text, sizeof(text)});
	join(h, &slow, ANN);
	join(h, &bob, BOB);
	watch(h, &slow, NEWS);
	watch(h, &bob, NEWS);
	for (int i = 0; i < MANY; i++) {
		hub_post_watchers(h, NEWS, p);
		/* Bob reads all of it, whatever the other does. */
		f = peer_read(&bob.peer);
		assert_int_equal(f.opcode, TEXT);
		assert_int_equal(f.data.n, PIECE);
	}
	payload_unref(p);
	assert_int_equal(counters(h).ended_slow, 1);
	assert_int_equal(counters(h).connections, 1);
	/* What it reads now is whole frames up to the goodbye. */
	do {
		f = peer_read(&slow.peer);
		if (f.opcode == TEXT)
			assert_int_equal(f.data.n, PIECE);
	} while (f.opcode == TEXT);
	assert_int_equal(f.opcode, CLOSE);
	assert_int_equal(f.code, HUB_CLOSE_SLOW);
	leave(&slow);
	leave(&bob);
}

/* Much at once, in one batch, is no fault of a client that reads. */
static void
test_burst(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	size_t large = 2 * HUB_QUEUE_MAX;
	char *text = malloc(large);
	struct payload *p;
	struct client ann;
	struct frame f;

	assert_non_null(text);
	memset(text, 'x', large);
	join(h, &ann, ANN);
	p = payload_new((struct str){text, large});
	hub_post_user(h, ANN, p);
	f = peer_read(&ann.peer);
	assert_int_equal(f.data.n, large);
	must_get(h, &ann, NULL);
	payload_unref(p);
	free(text);
	leave(&ann);
}

/* It never reads and is told to go: its socket is closed all the same. */
static void
test_never_reading(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	static char text[PIECE];
	struct payload *p;
	struct client ann;

	p = payload_new((struct str){text, sizeof(text)});
	join(h, &ann, ANN);
	while (counters(h).ended_slow == 0)
		hub_post_user(h, ANN, p);
	payload_unref(p);
	until_connected(h, 0);
	/* A second hub-wide look: only a closed socket gives its seat back. */
	for (int tries = 0; peer_send(&ann.peer, STR("x")); tries++) {
		assert_true(tries < 20000);
		usleep(1000);
	}
	leave(&ann);
}

/* ---- the end --------------------------------------------------------------------------------
 */

static void *
read_to_close(void *arg)
{
	struct client *c = arg;
	int code = peer_close_code(&c->peer);

	peer_frame(&c->peer, CLOSE, STR("\x03\xf4"));
	return (void *)(intptr_t)code;
}

static void
test_stop(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct hub_conn *conn, *late;
	struct client ann, deaf;
	struct peer peer;
	pthread_t reader;
	void *code;
	int fds[2];
	int64_t began;

	join(h, &ann, ANN);
	join(h, &deaf, BOB);
	assert_int_equal(hub_reserve(h, CARL, NO_TIME, &conn), HUB_SEAT_TAKEN);
	post(h, HUB_USER, ANN, 0, "last words");
	assert_int_equal(pthread_create(&reader, NULL, read_to_close, &ann), 0);
	began = clock_mono_us();
	hub_stop(h, 500);
	assert_in_range(clock_mono_us() - began, 400000, 5000000);
	pthread_join(reader, &code);
	assert_int_equal((intptr_t)code, HUB_CLOSE_RESTART);
	/* Deaf did not answer, and is hung up upon. */
	must_end(&deaf, HUB_CLOSE_RESTART);
	assert_int_equal(peer_read(&deaf.peer).opcode, -1);
	/* Whoever was on the way does not come in any more. */
	make_pair(fds);
	peer_init(&peer, fds[0]);
	hub_adopt(h, conn, fds[1], STR_NONE, payload_new(STR("first")));
	assert_int_equal(peer_read(&peer).opcode, -1);
	assert_int_equal(hub_reserve(h, CARL, NO_TIME, &late), HUB_SEAT_STOPPED);
	post(h, HUB_USER, ANN, 0, "nobody hears it");
	assert_int_equal(counters(h).connections, 0);
	peer_fini(&peer);
	leave(&ann);
	leave(&deaf);
}

/* ---- many threads
 * ---------------------------------------------------------------------------- */

struct crowd {
	struct hub *hub;
	int no;
};

static void *
come_and_go(void *arg)
{
	struct crowd *c = arg;
	int64_t out[8], uids[] = {1, 2, 3, 4};

	for (int i = 0; i < 100; i++) {
		struct client me;
		int64_t channel = i % 3 + 1;

		join(c->hub, &me, c->no + 1);
		/* It may have been ended already. */
		(void)hub_watch(c->hub, id_of(&me), me.uid, &channel, 1);
		post(c->hub, HUB_WATCHERS, 0, channel, "hello");
		post(c->hub, HUB_USER, (c->no + 1) % 4 + 1, 0, "you");
		post(c->hub, HUB_ABSENT, (c->no + 2) % 4 + 1, channel, "absent");
		if (i % 10 == 9)
			post(c->hub, HUB_UNWATCH, c->no + 1, channel, "");
		if (i % 20 == 19)
			post(c->hub, HUB_END, (c->no + 3) % 4 + 1, 0, "");
		hub_online(c->hub, uids, 4, out);
		hub_watchers(c->hub, channel, out, 8);
		hub_watcher_count(c->hub, channel);
		peer_frame(&me.peer, TEXT, STR("ping"));
		if (i % 2)
			peer_read(&me.peer);
		if (i % 5 == 0)
			peer_frame(&me.peer, CLOSE, STR(""));
		leave(&me);
	}
	return NULL;
}

static void
test_crowd(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct crowd crowd[4];
	pthread_t threads[4];

	for (int i = 0; i < 4; i++) {
		crowd[i] = (struct crowd){h, i};
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &crowd[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	until_connected(h, 0);
	assert_int_equal(counters(h).watches, 0);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_whom),
		T(test_first_frame_is_first),
		T(test_bytes_behind_the_handshake),
		T(test_released_seat),
		T(test_order),
		T(test_watching),
		T(test_most_watches),
		T(test_online),
		T(test_most_of_a_user),
		T(test_silent_ones_give_way),
		T(test_most_of_the_hub),
		T(test_ping),
		T(test_silence),
		T(test_expiry),
		T(test_client_closes),
		T(test_duplicate_descriptor),
		T(test_broken_client),
		T(test_ping_flood),
		T(test_end_by_post),
		T(test_refuse),
		T(test_slow_reader),
		T(test_burst),
		T(test_never_reading),
		T(test_stop),
		T(test_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
