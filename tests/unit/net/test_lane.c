/* test_lane – many requests on one connection: they leave together, come back each with its own
 * answer, and survive what may happen to the connection. */
#include "base/clock.h"
#include "h2_peer.h"
#include "net/fetch.h"
#include "net/guard.h"

#define MANY 64

struct scene {
	struct peer peer;
	struct guard *guard;
	struct fetcher *fetcher;
	char cert[64]; /* "": without TLS */
	char url[64];
	struct fetch fetch;
};

static void
open_scene_at(struct scene *s, uint32_t max_streams, const char *cert)
{
	struct fetcher_opts opts = {.connect_timeout_ms = 2000, .ca_file = cert};
	struct err e;

	snprintf(s->cert, sizeof(s->cert), "%s", cert != NULL ? cert : "");
	peer_open(&s->peer, max_streams, cert);
	must(guard_new(&s->guard, "127.0.0.1", &e), &e);
	opts.guard = s->guard;
	must(fetcher_new(&s->fetcher, &opts, &e), &e);
}

static void
open_scene(struct scene *s, uint32_t max_streams)
{
	open_scene_at(s, max_streams, NULL);
}

static void
close_scene(struct scene *s)
{
	fetcher_free(s->fetcher);
	guard_free(s->guard);
	peer_free(&s->peer);
}

static void
begin(struct scene *s, struct fetch *fetch, char url[64], const char *path, int timeout_ms)
{
	snprintf(url, 64, "http%s://127.0.0.1:%d%s", s->cert[0] != '\0' ? "s" : "",
		s->peer.port, path);
	*fetch = (struct fetch){.method = "POST",
		.url = url,
		.body = STR("hello"),
		.headers = {"Content-Type: text/plain", "X-Name: value"},
		.timeout_ms = timeout_ms,
		.http2 = true};
	fetch_begin(s->fetcher, fetch);
}

static struct fetch *
next(struct scene *s)
{
	for (int i = 0; i < 10; i++) {
		struct fetch *ended = fetcher_next(s->fetcher, 1000);

		if (ended != NULL)
			return ended;
	}
	fail_msg("nothing has ended");
	return NULL;
}

static const struct fetch *
ask(struct scene *s, const char *path, int timeout_ms)
{
	begin(s, &s->fetch, s->url, path, timeout_ms);
	assert_ptr_equal(next(s), &s->fetch);
	return &s->fetch;
}

static void
assert_answered(const struct fetch *f, int status)
{
	assert_string_equal(f->why, "");
	assert_int_equal(f->end, FETCH_ANSWERED);
	assert_int_equal(f->status, status);
}

/* Each frame would be a packet of its own: 2 × MANY of them. */
static void
what_is_begun_together_leaves_together(void **state)
{
	static struct fetch fetch[MANY];
	static char urls[MANY][64];
	unsigned before;
	struct scene s;

	(void)state;
	open_scene(&s, 100);
	/* The second one is behind all that is said once on a connection. */
	assert_answered(ask(&s, "/ok", 5000), 200);
	assert_answered(ask(&s, "/ok", 5000), 200);
	before = peer_packets(&s.peer);
	for (int i = 0; i < MANY; i++)
		begin(&s, &fetch[i], urls[i], "/ok", 5000);
	for (int i = 0; i < MANY; i++)
		assert_answered(next(&s), 200);
	assert_int_equal(s.peer.requests, MANY + 2);
	assert_int_equal(s.peer.connections, 1);
	assert_true(peer_packets(&s.peer) - before <= 4);
	close_scene(&s);
}

static void
answers_are_read(void **state)
{
	const struct fetch *f;
	struct scene s;

	(void)state;
	open_scene(&s, 100);
	f = ask(&s, "/ok", 5000);
	assert_answered(f, 200);
	assert_str(f->reply, "oo");
	assert_int_equal(f->retry_after_s, 0);
	assert_true(f->took_us > 0);
	assert_int_equal(s.peer.taken, 5);
	f = ask(&s, "/busy", 5000);
	assert_answered(f, 429);
	assert_int_equal(f->retry_after_s, 7);
	f = ask(&s, "/date", 5000);
	assert_answered(f, 503);
	assert_true(f->retry_after_s > INT64_C(1000000000));
	assert_int_equal(ask(&s, "/past", 5000)->retry_after_s, 0);
	f = ask(&s, "/interim", 5000);
	assert_answered(f, 200);
	assert_str(f->reply, "oo");
	assert_int_equal(s.peer.connections, 1);
	close_scene(&s);
}

/* Longer than what the other side takes at once: it says how it goes on. */
static void
long_bodies_arrive_whole(void **state)
{
	static char body[300000];
	char url[64];
	struct fetch fetch;
	uint32_t sum = 0;
	struct scene s;

	(void)state;
	for (size_t i = 0; i < sizeof(body); i++) {
		body[i] = (char)(i * 7 + i / 1000);
		sum = sum * 31 + (uint8_t)body[i];
	}
	open_scene(&s, 100);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/ok", s.peer.port);
	fetch = (struct fetch){.method = "POST",
		.url = url,
		.body = {body, sizeof(body)},
		.timeout_ms = 5000,
		.http2 = true};
	fetch_begin(s.fetcher, &fetch);
	assert_answered(next(&s), 200);
	assert_int_equal(s.peer.taken, sizeof(body));
	assert_int_equal(s.peer.sum, sum);
	close_scene(&s);
}

/* More than fits into the sockets, while the other side reads nothing: the rest follows.  TLS
 * wants what it could not write offered again as it was. */
static void
hold_and_release(const char *cert)
{
	static struct fetch fetch[200];
	static char urls[200][64], header[40000] = "X-Long: ";
	struct scene s;

	for (size_t i = strlen(header); i < sizeof(header) - 1; i++)
		header[i] = (char)('A' + (i * i + i / 7) % 57);
	open_scene_at(&s, 250, cert);
	assert_answered(ask(&s, "/ok", 20000), 200);
	s.peer.is_held = true;
	for (size_t i = 0; i < ARRAY_LEN(fetch); i++) {
		begin(&s, &fetch[i], urls[i], "/ok", 20000);
		fetch[i].headers[1] = header;
	}
	assert_null(fetcher_next(s.fetcher, 100));
	assert_int_equal(s.peer.requests, 1);
	peer_release(&s.peer);
	for (size_t i = 0; i < ARRAY_LEN(fetch); i++)
		assert_answered(next(&s), 200);
	assert_int_equal(s.peer.connections, 1);
	close_scene(&s);
}

static void
what_does_not_fit_follows(void **state)
{
	(void)state;
	hold_and_release(NULL);
}

static void
what_does_not_fit_follows_in_tls(void **state)
{
	char dir[DIR_MAX], cert[64];

	(void)state;
	make_dir(dir);
	snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
	hold_and_release(cert);
	remove_dir(dir);
}

static void
no_more_are_under_way_than_the_other_side_allows(void **state)
{
	static struct fetch fetch[MANY];
	static char urls[MANY][64];
	struct scene s;

	(void)state;
	open_scene(&s, 3);
	assert_answered(ask(&s, "/ok", 5000), 200);
	for (int i = 0; i < MANY; i++)
		begin(&s, &fetch[i], urls[i], "/ok", 5000);
	for (int i = 0; i < MANY; i++)
		assert_answered(next(&s), 200);
	assert_int_equal(s.peer.connections, 1);
	assert_in_range(s.peer.most_at_once, 1, 3);
	close_scene(&s);
}

/* An answer counts as soon as its headers are whole. */
static void
who_hangs_is_given_up_and_others_are_not(void **state)
{
	struct fetch hang, half;
	char urls[2][64];
	struct scene s;

	(void)state;
	open_scene(&s, 100);
	begin(&s, &hang, urls[0], "/hang", 300);
	begin(&s, &half, urls[1], "/half", 300);
	assert_answered(ask(&s, "/ok", 5000), 200);
	(void)next(&s);
	(void)next(&s);
	assert_int_equal(hang.end, FETCH_TIMEOUT);
	assert_true(hang.why[0] != '\0');
	assert_true(hang.took_us >= 299000);
	assert_answered(&half, 200);
	assert_answered(ask(&s, "/huge", 5000), 200);
	assert_int_equal(s.fetch.reply.n, FETCH_REPLY_MAX);
	assert_answered(ask(&s, "/ok", 5000), 200);
	assert_int_equal(s.peer.connections, 1);
	close_scene(&s);
}

/* Where nothing at all is heard, it may be the connection. */
static void
a_silent_connection_is_left(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s, 100);
	assert_answered(ask(&s, "/ok", 5000), 200);
	assert_int_equal(ask(&s, "/hang", 200)->end, FETCH_TIMEOUT);
	assert_answered(ask(&s, "/ok", 5000), 200);
	assert_int_equal(s.peer.connections, 2);
	close_scene(&s);
}

static void
an_idle_connection_is_closed(void **state)
{
	struct fetcher_opts opts = {.connect_timeout_ms = 2000, .lane_idle_ms = 100};
	struct scene s;
	struct err e;

	(void)state;
	open_scene(&s, 100);
	fetcher_free(s.fetcher);
	opts.guard = s.guard;
	must(fetcher_new(&s.fetcher, &opts, &e), &e);
	assert_answered(ask(&s, "/ok", 5000), 200);
	assert_answered(ask(&s, "/ok", 5000), 200);
	assert_int_equal(s.peer.open, 1);
	for (int i = 0; i < 50 && s.peer.open > 0; i++)
		assert_null(fetcher_next(s.fetcher, 100));
	assert_int_equal(s.peer.open, 0);
	assert_answered(ask(&s, "/ok", 5000), 200);
	assert_int_equal(s.peer.connections, 2);
	close_scene(&s);
}

static void
a_failing_stream_is_no_failing_connection(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s, 100);
	assert_int_equal(ask(&s, "/reset", 5000)->end, FETCH_BROKEN);
	assert_true(s.fetch.why[0] != '\0');
	/* What nobody has looked at is sent again, once. */
	s.peer.refusals = 0;
	assert_answered(ask(&s, "/refuse-once", 5000), 200);
	assert_int_equal(s.peer.refusals, 1);
	assert_int_equal(ask(&s, "/refuse", 5000)->end, FETCH_BROKEN);
	assert_int_equal(s.peer.refusals, 3);
	assert_int_equal(s.peer.connections, 1);
	close_scene(&s);
}

static void
what_is_no_answer_is_none(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s, 100);
	assert_int_equal(ask(&s, "/wide", 5000)->end, FETCH_BROKEN);
	assert_string_equal(s.fetch.why, "its headers never end");
	assert_answered(ask(&s, "/ok", 5000), 200);
	assert_int_equal(s.peer.connections, 1);
	/* On an old connection it is tried once more. */
	assert_int_equal(ask(&s, "/garbage", 5000)->end, FETCH_BROKEN);
	assert_true(s.fetch.why[0] != '\0');
	assert_int_equal(s.peer.connections, 2);
	assert_answered(ask(&s, "/ok", 5000), 200);
	close_scene(&s);
}

static void
a_connection_that_ends_is_followed_by_another(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s, 100);
	assert_answered(ask(&s, "/ok", 5000), 200);
	assert_answered(ask(&s, "/leave-once", 5000), 200);
	assert_int_equal(s.peer.connections, 2);
	assert_int_equal(s.peer.requests, 3);
	/* An old one that is cut was idle for all we know; a new one was not. */
	assert_int_equal(ask(&s, "/cut", 5000)->end, FETCH_BROKEN);
	assert_int_equal(s.peer.connections, 3);
	assert_int_equal(s.peer.requests, 5);
	assert_answered(ask(&s, "/ok", 5000), 200);
	assert_int_equal(s.peer.connections, 4);
	close_scene(&s);
	open_scene(&s, 100);
	assert_int_equal(ask(&s, "/cut-once", 5000)->end, FETCH_BROKEN);
	assert_int_equal(s.peer.requests, 1);
	assert_answered(ask(&s, "/cut-once", 5000), 200);
	close_scene(&s);
}

/* I-18: as for any other connection. */
static void
lanes_lead_nowhere_inward(void **state)
{
	struct fetcher_opts opts = {.connect_timeout_ms = 2000};
	struct scene s;
	struct err e;

	(void)state;
	open_scene(&s, 100);
	fetcher_free(s.fetcher);
	must(fetcher_new(&s.fetcher, &opts, &e), &e);
	assert_int_equal(ask(&s, "/ok", 5000)->end, FETCH_REFUSED);
	assert_null(strstr(s.fetch.why, "127"));
	assert_int_equal(s.peer.connections, 0);
	close_scene(&s);
}

static void
who_is_not_trusted_hears_nothing(void **state)
{
	struct fetcher_opts opts = {.connect_timeout_ms = 2000};
	char dir[DIR_MAX], cert[64];
	struct scene s;
	struct err e;

	(void)state;
	make_dir(dir);
	snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
	open_scene_at(&s, 100, cert);
	assert_answered(ask(&s, "/ok", 5000), 200);
	fetcher_free(s.fetcher);
	opts.guard = s.guard;
	must(fetcher_new(&s.fetcher, &opts, &e), &e);
	assert_int_equal(ask(&s, "/ok", 5000)->end, FETCH_BROKEN);
	assert_non_null(strstr(s.fetch.why, "certificate"));
	assert_int_equal(s.peer.requests, 1);
	close_scene(&s);
	remove_dir(dir);
}

static void
who_is_not_there_is_told_of(void **state)
{
	struct scene s;
	int port;

	(void)state;
	open_scene(&s, 100);
	port = s.peer.port;
	peer_free(&s.peer);
	s.peer.port = port;
	assert_int_equal(ask(&s, "/ok", 5000)->end, FETCH_BROKEN);
	assert_true(s.fetch.why[0] != '\0');
	fetcher_free(s.fetcher);
	guard_free(s.guard);
}

static void
ends_with_requests_under_way(void **state)
{
	struct fetch fetch[3];
	char urls[3][64];
	struct scene s;

	(void)state;
	open_scene(&s, 2);
	for (int i = 0; i < 3; i++)
		begin(&s, &fetch[i], urls[i], "/hang", 60000);
	assert_null(fetcher_next(s.fetcher, 100));
	close_scene(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_begun_together_leaves_together),
		cmocka_unit_test(answers_are_read),
		cmocka_unit_test(long_bodies_arrive_whole),
		cmocka_unit_test(what_does_not_fit_follows),
		cmocka_unit_test(what_does_not_fit_follows_in_tls),
		cmocka_unit_test(no_more_are_under_way_than_the_other_side_allows),
		cmocka_unit_test(who_hangs_is_given_up_and_others_are_not),
		cmocka_unit_test(a_silent_connection_is_left),
		cmocka_unit_test(an_idle_connection_is_closed),
		cmocka_unit_test(a_failing_stream_is_no_failing_connection),
		cmocka_unit_test(what_is_no_answer_is_none),
		cmocka_unit_test(a_connection_that_ends_is_followed_by_another),
		cmocka_unit_test(lanes_lead_nowhere_inward),
		cmocka_unit_test(who_is_not_trusted_hears_nothing),
		cmocka_unit_test(who_is_not_there_is_told_of),
		cmocka_unit_test(ends_with_requests_under_way),
	};

	return cmocka_run_group_tests_name("lane", tests, NULL, NULL);
}
