/* test_fetch – requests that leave the house go where they may, and come back in time (I-18).
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <pthread.h>

#include "../unit.h"
#include "base/clock.h"
#include "net/fetch.h"
#include "net/guard.h"

/* A listener that counts who connects, and answers each request with ${answer}. */
struct place {
	int fd, port;
	_Atomic int connections;
	const char *answer;
	pthread_t thread;
};

static void *
serve(void *arg)
{
	struct place *p = arg;
	char in[4096];
	int fd;

	while ((fd = accept(p->fd, NULL, NULL)) >= 0) {
		p->connections++;
		if (read(fd, in, sizeof(in)) > 0)
			(void)!write(fd, p->answer, strlen(p->answer));
		close(fd);
	}
	return NULL;
}

static void
open_place(struct place *p, const char *answer)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);

	*p = (struct place){.answer = answer, .fd = socket(AF_INET, SOCK_STREAM, 0)};
	assert_int_equal(bind(p->fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(p->fd, 16), 0);
	assert_int_equal(getsockname(p->fd, (struct sockaddr *)&at, &n), 0);
	p->port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
}

static void
close_place(struct place *p)
{
	shutdown(p->fd, SHUT_RDWR);
	close(p->fd);
	pthread_join(p->thread, NULL);
}

static struct fetcher *
make(const struct guard *g, const char *const *resolve)
{
	struct fetcher_opts opts = {.guard = g, .connect_timeout_ms = 2000, .resolve = resolve};
	struct fetcher *f;
	struct err e;

	must(fetcher_new(&f, &opts, &e), &e);
	return f;
}

static void
fetch_one(struct fetcher *f, struct fetch *fetch, const char *url)
{
	*fetch = (struct fetch){
		.method = "POST", .url = url, .body = STR("x"), .timeout_ms = 3000};
	fetch_begin(f, fetch);
	for (int i = 0; i < 10; i++) {
		struct fetch *ended = fetcher_next(f, 1000);

		if (ended != NULL) {
			assert_ptr_equal(ended, fetch);
			return;
		}
	}
	fail_msg("%s has not ended", url);
}

/* The name leads outside when it is saved, and inside when it is called. */
static void
names_that_lead_inward_are_refused_at_each_connect(void **state)
{
	static const char *const inward[] = {"127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0"};
	struct fetch fetch;
	struct place p;
	char url[64];

	(void)state;
	open_place(&p, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	for (size_t i = 0; i < ARRAY_LEN(inward); i++) {
		char entry[96];
		const char *resolve[] = {entry, NULL};
		struct fetcher *f;

		snprintf(entry, sizeof(entry), "rebind.example:%d:%s", p.port, inward[i]);
		snprintf(url, sizeof(url), "http://rebind.example:%d/", p.port);
		f = make(NULL, resolve);
		for (int k = 0; k < 2; k++) {
			fetch_one(f, &fetch, url);
			assert_int_equal(fetch.end, FETCH_REFUSED);
			assert_null(strstr(fetch.why, "127"));
		}
		fetcher_free(f);
	}
	assert_int_equal(p.connections, 0);
	close_place(&p);
}

static void
literal_addresses_are_refused(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "2130706433", "0x7f.1", "[::1]",
		"[::]", "169.254.169.254", "10.0.0.1", "localhost"};
	struct fetcher *f = make(NULL, NULL);
	struct fetch fetch;
	char url[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		snprintf(url, sizeof(url), "http://%s:9/", hosts[i]);
		fetch_one(f, &fetch, url);
		assert_int_equal(fetch.end, FETCH_REFUSED);
	}
	fetcher_free(f);
}

static void
what_is_opened_is_reached_and_answers_are_read(void **state)
{
	struct fetcher *f;
	struct fetch fetch;
	struct guard *g;
	struct place p;
	struct err e;
	char url[64];

	(void)state;
	must(guard_new(&g, "127.0.0.1", &e), &e);
	f = make(g, NULL);
	open_place(
		&p, "HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno");
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/x", p.port);
	fetch_one(f, &fetch, url);
	assert_int_equal(fetch.end, FETCH_ANSWERED);
	assert_int_equal(fetch.status, 429);
	assert_int_equal(fetch.retry_after_s, 7);
	assert_str(fetch.reply, "no");
	assert_true(fetch.took_us > 0);
	close_place(&p);
	fetch_one(f, &fetch, url);
	assert_int_equal(fetch.end, FETCH_BROKEN);
	assert_true(fetch.why[0] != '\0');
	fetcher_free(f);
	guard_free(g);
}

static void
redirects_and_other_schemes_are_not_followed(void **state)
{
	struct fetcher *f;
	struct fetch fetch;
	struct guard *g;
	struct place p;
	struct err e;
	char url[64];

	(void)state;
	must(guard_new(&g, "127.0.0.1", &e), &e);
	f = make(g, NULL);
	open_place(&p, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
		       "Content-Length: 0\r\n\r\n");
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", p.port);
	fetch_one(f, &fetch, url);
	assert_int_equal(fetch.end, FETCH_ANSWERED);
	assert_int_equal(fetch.status, 302);
	fetch_one(f, &fetch, "file:///etc/passwd");
	assert_int_equal(fetch.end, FETCH_BROKEN);
	assert_int_equal(fetch.reply.n, 0);
	fetch_one(f, &fetch, "not a url");
	assert_int_equal(fetch.end, FETCH_BROKEN);
	close_place(&p);
	fetcher_free(f);
	guard_free(g);
}

static void *
wake_soon(void *arg)
{
	fetcher_wake(arg);
	return NULL;
}

static void
a_wait_ends_by_a_call_or_in_time(void **state)
{
	struct fetcher *f = make(NULL, NULL);
	int64_t begun = clock_mono_us();
	pthread_t t;

	(void)state;
	assert_null(fetcher_next(f, 50));
	assert_true(clock_mono_us() - begun >= 49000);
	assert_int_equal(pthread_create(&t, NULL, wake_soon, f), 0);
	begun = clock_mono_us();
	assert_null(fetcher_next(f, 60000));
	assert_true(clock_mono_us() - begun < 50000000);
	pthread_join(t, NULL);
	fetcher_free(f);
}

/* What is under way when it ends is given up, without anybody being called. */
static void
ends_with_requests_under_way(void **state)
{
	struct fetcher *f;
	struct fetch fetch[3];
	struct guard *g;
	struct err e;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	char url[64];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(at.sin_port));
	must(guard_new(&g, "127.0.0.1", &e), &e);
	f = make(g, NULL);
	for (int i = 0; i < 3; i++) {
		fetch[i] = (struct fetch){.method = "GET", .url = url, .timeout_ms = 60000};
		fetch_begin(f, &fetch[i]);
	}
	assert_null(fetcher_next(f, 100));
	fetcher_free(f);
	guard_free(g);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_lead_inward_are_refused_at_each_connect),
		cmocka_unit_test(literal_addresses_are_refused),
		cmocka_unit_test(what_is_opened_is_reached_and_answers_are_read),
		cmocka_unit_test(redirects_and_other_schemes_are_not_followed),
		cmocka_unit_test(a_wait_ends_by_a_call_or_in_time),
		cmocka_unit_test(ends_with_requests_under_way),
	};

	return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
