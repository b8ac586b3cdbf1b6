/* test_hub_conn – what keeps a connection alive, and how it ends: by its client, by what it
 * sends, by reading too slowly, with the hub. */
#include <pthread.h>

#include "place.h"

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
	assert_int_equal(hub_reserve(h, ANN, NO_TIME, NO_TIME, &conn), HUB_SEAT_TAKEN);
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
	assert_int_equal(hub_reserve(h, CARL, NO_TIME, NO_TIME, &conn), HUB_SEAT_TAKEN);
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
	assert_int_equal(hub_reserve(h, CARL, NO_TIME, NO_TIME, &late), HUB_SEAT_STOPPED);
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
