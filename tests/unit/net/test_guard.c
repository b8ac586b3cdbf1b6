/* test_guard – no way inward, whatever an address looks like (I-18). */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "../unit.h"
#include "net/guard.h"

/* Whether each may be kept, with nothing opened. */
static const struct {
	const char *url;
	bool is_fine;
} urls[] = {
	/* Fine. */
	{"https://example.com/hook", true},
	{"http://example.com:8080/hook?x=1#y", true},
	{"https://93.184.216.34/", true},
	{"https://[2606:4700:4700::1111]/", true},
	{"http://[::ffff:8.8.8.8]/", true},
	{"http://100.63.255.255/", true},
	{"http://100.128.0.0/", true},
	{"http://172.15.255.255/", true},
	{"http://172.32.0.0/", true},
	{"http://11.0.0.1/", true},
	{"http://localhost.example.com/", true},
	{"https://m\xc3\xbcnchen.example/", true},
	{"HTTPS://EXAMPLE.COM", true},
	/* This machine. */
	{"http://127.0.0.1/", false},
	{"http://127.255.255.254:80/", false},
	{"http://localhost/", false},
	{"http://LocalHost:8080/", false},
	{"http://localhost./", false},
	{"http://localhost../", false},
	{"http://a.localhost/", false},
	{"http://[::1]/", false},
	{"http://[::]/", false},
	{"http://[0:0:0:0:0:0:0:1]/", false},
	{"http://0.0.0.0/", false},
	{"http://0/", false},
	/* The same in odd spellings. */
	{"http://2130706433/", false},
	{"http://0x7f000001/", false},
	{"http://0x7f.1/", false},
	{"http://0177.0.0.1/", false},
	{"http://017700000001/", false},
	{"http://127.1/", false},
	{"http://127.0.1/", false},
	{"http://127.0.0.1./", false},
	{"http://0x7f.0.0.0x1/", false},
	{"http://%31%32%37.0.0.1/", false},
	{"http://[::ffff:127.0.0.1]/", false},
	{"http://[::ffff:7f00:1]/", false},
	{"http://[::127.0.0.1]/", false},
	{"http://[64:ff9b::7f00:1]/", false},
	{"http://[64:ff9b::10.0.0.1]/", false},
	{"http://[64:ff9b:1::1]/", false},
	{"http://[::ffff:0:127.0.0.1]/", false},
	{"http://[2002:7f00:1::]/", false},
	{"http://[2001:0:7f00:1::]/", false},
	/* Networks of others. */
	{"http://10.0.0.1/", false},
	{"http://167772161/", false},
	{"http://012.0.0.1/", false},
	{"http://172.16.0.1/", false},
	{"http://172.31.255.255/", false},
	{"http://192.168.1.1/", false},
	{"http://192.168.257/", false},
	{"http://100.64.0.1/", false},
	{"http://100.127.255.255/", false},
	{"http://169.254.169.254/latest/meta-data/", false},
	{"http://0xa9fea9fe/", false},
	{"http://[::ffff:169.254.169.254]/", false},
	{"http://168.63.129.16/", false},
	{"http://192.0.0.192/", false},
	{"http://192.0.2.1/", false},
	{"http://198.18.0.1/", false},
	{"http://198.19.255.255/", false},
	{"http://198.51.100.7/", false},
	{"http://203.0.113.9/", false},
	{"http://192.88.99.1/", false},
	{"http://224.0.0.1/", false},
	{"http://239.255.255.250/", false},
	{"http://240.0.0.1/", false},
	{"http://255.255.255.255/", false},
	{"http://[fc00::1]/", false},
	{"http://[fd00:ec2::254]/", false},
	{"http://[fe80::1]/", false},
	{"http://[fe80::1%25eth0]/", false},
	{"http://[fec0::1]/", false},
	{"http://[ff02::1]/", false},
	{"http://[2001:db8::1]/", false},
	{"http://[3fff::1]/", false},
	{"http://[100::1]/", false},
	{"http://[5f00::1]/", false},
	/* Not what they seem. */
	{"http://user@example.com/", false},
	{"http://user:secret@example.com/", false},
	{"http://example.com@127.0.0.1/", false},
	{"http://127.0.0.1@example.com/", false},
	{"http://:@example.com/", false},
	{"file:///etc/passwd", false},
	{"gopher://example.com/", false},
	{"ftp://example.com/", false},
	{"dict://127.0.0.1:11211/", false},
	{"javascript:alert(1)", false},
	{"http://", false},
	{"http://exa mple.com/", false},
	{"http://example.com:99999/", false},
	{"http://[::1/", false},
	{"http://.../", false},
	{"", false},
};

static void
keeps_no_url_that_leads_inward(void **state)
{
	struct guard *g;
	struct err e;

	(void)state;
	must(guard_new(&g, "", &e), &e);
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		bool ok = guard_check_url(g, "field", str_of(urls[i].url), &e);

		if (ok != urls[i].is_fine)
			print_error("%s: %s\n", urls[i].url, ok ? "was kept" : e.msg);
		assert_int_equal(ok, urls[i].is_fine);
		if (!ok)
			must_fail(ok, &e, ERR_INPUT, "field: ");
	}
	guard_free(g);
}

static bool
allows(const struct guard *g, const char *address)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};

	if (inet_pton(AF_INET, address, &four.sin_addr) == 1)
		return guard_allows(g, (struct sockaddr *)&four);
	assert_int_equal(inet_pton(AF_INET6, address, &six.sin6_addr), 1);
	return guard_allows(g, (struct sockaddr *)&six);
}

static void
opens_what_the_operator_names(void **state)
{
	struct sockaddr other = {.sa_family = AF_UNIX};
	struct guard *g;
	struct err e;

	(void)state;
	assert_false(allows(NULL, "127.0.0.1"));
	assert_true(allows(NULL, "8.8.8.8"));
	assert_false(guard_allows(NULL, &other));
	must(guard_new(&g, " 127.0.0.0/8, 10.1.2.3,fd00:1::/33 ,::1", &e), &e);
	assert_true(allows(g, "127.0.0.1"));
	assert_true(allows(g, "::ffff:127.9.9.9"));
	assert_true(allows(g, "10.1.2.3"));
	assert_false(allows(g, "10.1.2.4"));
	assert_false(allows(g, "128.0.0.1") && allows(g, "0.0.0.0"));
	assert_true(allows(g, "fd00:1::1"));
	assert_true(allows(g, "fd00:1:7fff::1"));
	assert_false(allows(g, "fd00:1:8000::1"));
	assert_true(allows(g, "::1"));
	assert_false(allows(g, "::2"));
	must(guard_check_url(g, "f", STR("http://localhost:1/"), &e), &e);
	must(guard_check_url(g, "f", STR("http://[::1]:1/"), &e), &e);
	must_fail(guard_check_url(g, "f", STR("http://10.1.2.4/"), &e), &e, ERR_INPUT,
		"10.1.2.4");
	guard_free(g);
}

static void
refuses_lists_that_are_none(void **state)
{
	static const char *const wrong[] = {"x", "127.0.0.0/33", "127.0.0.0/-1", "::/129",
		"127.1/8", "127.0.0.0/8/8", "127.0.0.0/", "1.2.3.4 5.6.7.8", "example.com"};
	struct guard *g;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		must_fail(guard_new(&g, wrong[i], &e), &e, ERR_INPUT, "webhook_allow");
	must(guard_new(&g, ",,", &e), &e);
	guard_free(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_no_url_that_leads_inward),
		cmocka_unit_test(opens_what_the_operator_names),
		cmocka_unit_test(refuses_lists_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
