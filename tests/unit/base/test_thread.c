/* test_thread – names, signals kept away, and the flag that many wait on. */
#include "base/clock.h"
#include "base/thread.h"
#include "support.h"

#define WAITERS 4

struct seen_inside {
	char name[16];
	bool term_blocked, segv_blocked;
};

static void
look_around(void *arg)
{
	struct seen_inside *seen = arg;
	sigset_t set;

	pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	seen->term_blocked = sigismember(&set, SIGTERM) == 1;
	seen->segv_blocked = sigismember(&set, SIGSEGV) == 1;
}

static void
threads_have_names_and_no_signals(void **state)
{
	struct seen_inside seen = {.segv_blocked = true};
	struct thread t;
	sigset_t set;

	(void)state;
	thread_start(&t, "planner", look_around, &seen);
	assert_true(t.started);
	thread_join(&t);
	assert_false(t.started);
	assert_string_equal(seen.name, "planner");
	assert_true(seen.term_blocked);
	assert_false(seen.segv_blocked);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	assert_int_equal(sigismember(&set, SIGTERM), 0);
}

static void
joining_a_thread_never_started_does_nothing(void **state)
{
	struct thread t = {.started = false};

	(void)state;
	thread_join(&t);
}

static void
waiting_ends_with_the_time(void **state)
{
	struct signal_flag s;
	uint64_t seen = 0;
	int64_t began = clock_mono_us();

	(void)state;
	signal_init(&s);
	assert_true(signal_wait(&s, &seen, 0));
	assert_true(signal_wait(&s, &seen, 30));
	assert_true(clock_mono_us() - began >= 30000);
	assert_int_equal(seen, 0);
	signal_fini(&s);
}

static void
a_raise_before_the_wait_is_not_lost(void **state)
{
	struct signal_flag s;
	uint64_t seen = 0;

	(void)state;
	signal_init(&s);
	signal_raise(&s);
	signal_raise(&s);
	assert_true(signal_wait(&s, &seen, -1));
	assert_int_equal(seen, 2);
	assert_true(signal_wait(&s, &seen, 0));
	signal_fini(&s);
}

static void
stop_is_for_ever(void **state)
{
	struct signal_flag s;
	uint64_t seen = 0;

	(void)state;
	signal_init(&s);
	assert_false(signal_stopped(&s));
	signal_stop(&s);
	assert_true(signal_stopped(&s));
	assert_false(signal_wait(&s, &seen, -1));
	signal_raise(&s);
	assert_false(signal_wait(&s, &seen, -1));
	signal_fini(&s);
}

/* Two flags make a game of ping-pong: any lost wake-up would hang it. */
struct game {
	struct signal_flag ping, pong;
};

static void
answer_pings(void *arg)
{
	struct game *g = arg;
	uint64_t seen = 0;

	while (signal_wait(&g->ping, &seen, -1))
		signal_raise(&g->pong);
}

static void
no_wake_up_is_lost(void **state)
{
	struct thread players[WAITERS];
	struct game g;
	uint64_t seen = 0;

	(void)state;
	signal_init(&g.ping);
	signal_init(&g.pong);
	for (size_t i = 0; i < WAITERS; i++)
		thread_start(&players[i], "player", answer_pings, &g);
	for (size_t i = 1; i <= 200; i++) {
		signal_raise(&g.ping);
		while (seen < i)
			assert_true(signal_wait(&g.pong, &seen, -1));
	}
	signal_stop(&g.ping);
	for (size_t i = 0; i < WAITERS; i++)
		thread_join(&players[i]);
	assert_true(signal_wait(&g.pong, &seen, 0));
	signal_fini(&g.pong);
	signal_fini(&g.ping);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_have_names_and_no_signals),
		cmocka_unit_test(joining_a_thread_never_started_does_nothing),
		cmocka_unit_test(waiting_ends_with_the_time),
		cmocka_unit_test(a_raise_before_the_wait_is_not_lost),
		cmocka_unit_test(stop_is_for_ever),
		cmocka_unit_test(no_wake_up_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
