/* test_hub_presence – who is online, who came and went, and who is told that there is
 * something.
 */
#include <stdatomic.h>

#include "place.h"

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

/* ---- who came and went --------------------------------------------------------------- */

static void
look_at(struct hub *h, const struct client *c, int64_t uid)
{
	watch(h, c, HUB_ROOM_OF_USER(uid));
}

/* What is noted is ${uid} alone. */
static struct hub_move
must_move(struct hub *h, int64_t uid)
{
	struct hub_move *moves, one;

	assert_int_equal(hub_moves(h, &moves), 1);
	one = moves[0];
	free(moves);
	assert_int_equal(one.uid, uid);
	return one;
}

static void
must_be_still(struct hub *h)
{
	struct hub_move *moves;

	assert_int_equal(hub_moves(h, &moves), 0);
	assert_null(moves);
}

static void
test_moves_of_who_is_watched(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct client ann, bob, bob2, carl;
	struct hub_move move;

	join(h, &ann, ANN);
	join(h, &carl, CARL);
	must_be_still(h);
	look_at(h, &ann, BOB);
	assert_int_equal(counters(h).user_watches, 1);
	assert_int_equal(counters(h).watches, 0);
	join(h, &bob, BOB);
	move = must_move(h, BOB);
	assert_true(move.is_here && move.is_watched);
	/* Told once; another connection is no move, nor is one of several that goes. */
	join(h, &bob2, BOB);
	leave(&bob);
	until_connected(h, 3);
	must_be_still(h);
	leave(&bob2);
	leave(&carl);
	until_connected(h, 1);
	move = must_move(h, BOB);
	assert_true(!move.is_here && move.is_watched);
	/* Nobody looks any more. */
	leave(&ann);
	until_connected(h, 0);
	assert_int_equal(counters(h).user_watches, 0);
	join(h, &bob, BOB);
	must_be_still(h);
	leave(&bob);
}

/* Who comes and goes and comes is noted once, as he is. */
static void
test_moves_are_what_is(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct client ann, bob;

	join(h, &ann, ANN);
	look_at(h, &ann, BOB);
	for (int i = 0; i < 5; i++) {
		join(h, &bob, BOB);
		leave(&bob);
		until_connected(h, 1);
	}
	assert_false(must_move(h, BOB).is_here);
	join(h, &bob, BOB);
	assert_true(must_move(h, BOB).is_here);
	leave(&ann);
	leave(&bob);
}

/* A seat that nobody takes is one that came and went. */
static void
test_seats_move(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct hub_conn *conn;
	struct client ann;

	join(h, &ann, ANN);
	look_at(h, &ann, BOB);
	assert_int_equal(hub_reserve(h, BOB, NO_TIME, NO_TIME, &conn), HUB_SEAT_TAKEN);
	assert_true(must_move(h, BOB).is_here);
	hub_release(h, conn);
	until_connected(h, 1);
	assert_false(must_move(h, BOB).is_here);
	leave(&ann);
}

static void
test_all_are_noted_when_asked_for(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct client ann, stranger;
	struct hub_move move;

	hub_note_all(h, true);
	join(h, &stranger, 0);
	must_be_still(h);
	join(h, &ann, ANN);
	move = must_move(h, ANN);
	assert_true(move.is_here && !move.is_watched);
	hub_note_all(h, false);
	leave(&ann);
	until_connected(h, 1);
	must_be_still(h);
	leave(&stranger);
}

/* Each kind has a bound of its own: who looks at many users loses no channel. */
static void
test_users_take_no_place_of_channels(void **state)
{
	struct hub *h = ((struct place *)*state)->hub;
	struct client ann;

	join(h, &ann, ANN);
	watch(h, &ann, NEWS);
	for (int64_t i = 0; i <= HUB_WATCH_MAX; i++)
		look_at(h, &ann, 1000 + i);
	assert_int_equal(counters(h).user_watches, HUB_WATCH_MAX);
	assert_int_equal(hub_watcher_count(h, NEWS), 1);
	assert_int_equal(hub_watcher_count(h, HUB_ROOM_OF_USER(1000)), 0);
	assert_int_equal(hub_watcher_count(h, HUB_ROOM_OF_USER(1001)), 1);
	post(h, HUB_WATCHERS, 0, HUB_ROOM_OF_USER(1001), "about 1001");
	must_get(h, &ann, "about 1001");
	leave(&ann);
}

/* ---- who is told --------------------------------------------------------------------- */

static atomic_int nbells;

static void
ring(void *arg UNUSED)
{
	atomic_fetch_add(&nbells, 1);
}

static void
test_bell(void **state)
{
	struct hub *h = reopen(*state, &(struct hub_opts){.on_move = ring});
	struct client ann, bob, crowd[20];

	atomic_store(&nbells, 0);
	join(h, &ann, ANN);
	watch(h, &ann, NEWS);
	for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
		join(h, &crowd[i], 1000 + (int64_t)i);
	assert_int_equal(atomic_load(&nbells), 0);
	/* The first watch of a user, and no other. */
	look_at(h, &ann, BOB);
	look_at(h, &ann, CARL);
	assert_int_equal(atomic_load(&nbells), 1);
	join(h, &bob, BOB);
	assert_int_equal(atomic_load(&nbells), 2);
	for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
		leave(&crowd[i]);
	until_connected(h, 2);
	assert_int_equal(atomic_load(&nbells), 2);
	assert_true(must_move(h, BOB).is_here);
	leave(&bob);
	until_connected(h, 1);
	for (int tries = 0; atomic_load(&nbells) < 3; tries++) {
		assert_true(tries < 20000);
		usleep(1000);
	}
	leave(&ann);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_online),
		T(test_moves_of_who_is_watched),
		T(test_moves_are_what_is),
		T(test_seats_move),
		T(test_all_are_noted_when_asked_for),
		T(test_users_take_no_place_of_channels),
		T(test_bell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
