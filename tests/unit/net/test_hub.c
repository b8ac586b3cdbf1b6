/* test_hub – who gets what and in which order, who watches, how many may come.
 */
#include "place.h"

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
	assert_int_equal(hub_reserve(h, ANN, NO_TIME, NO_TIME, &conn), HUB_SEAT_TAKEN);
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
	assert_int_equal(hub_reserve(h, ANN, NO_TIME, NO_TIME, &conn), HUB_SEAT_TAKEN);
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

	assert_int_equal(hub_reserve(h, ANN, NO_TIME, NO_TIME, &conn), HUB_SEAT_TAKEN);
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
	assert_int_equal(hub_reserve(h, ANN, NO_TIME, NO_TIME, &conn), HUB_SEAT_USER_FULL);
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
	assert_int_equal(hub_reserve(h, CARL, NO_TIME, NO_TIME, &conn), HUB_SEAT_HUB_FULL);
	leave(&ann);
	for (int tries = 0; hub_reserve(h, CARL, NO_TIME, NO_TIME, &conn) != HUB_SEAT_TAKEN;
		tries++) {
		assert_true(tries < 20000);
		usleep(1000);
	}
	hub_release(h, conn);
	leave(&bob);
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
		T(test_most_of_a_user),
		T(test_silent_ones_give_way),
		T(test_most_of_the_hub),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
