/* guard – networks that are refused, and those that were opened. */
#include "net/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"

#define NETWORKS_MAX 64

/* Addresses of both families are compared as IPv6, IPv4 as ::ffff:a.b.c.d. */
struct network {
	struct in6_addr base;
	unsigned bits;
};

struct guard {
	struct network allowed[NETWORKS_MAX];
	size_t n;
};

#define V4(a, b, c, d, width)                                                            \
	{                                                                                \
		{{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}}}, 96 + (width) \
	}
#define V6(width, ...)                     \
	{                                  \
		{{{__VA_ARGS__}}}, (width) \
	}

/* The registries of special addresses (IANA), and all that is not yet given out. */
static const struct network refused[] = {
	V4(0, 0, 0, 0, 8),                    /* this network */
	V4(10, 0, 0, 0, 8),                   /* private */
	V4(100, 64, 0, 0, 10),                /* shared by the customers of a carrier */
	V4(127, 0, 0, 0, 8),                  /* loopback */
	V4(169, 254, 0, 0, 16),               /* link-local, metadata of clouds */
	V4(172, 16, 0, 0, 12),                /* private */
	V4(192, 0, 0, 0, 24),                 /* protocol assignments */
	V4(192, 0, 2, 0, 24),                 /* documentation */
	V4(192, 31, 196, 0, 24),              /* AS112 */
	V4(192, 52, 193, 0, 24),              /* AMT */
	V4(192, 88, 99, 0, 24),               /* 6to4 relays */
	V4(192, 168, 0, 0, 16),               /* private */
	V4(192, 175, 48, 0, 24),              /* AS112 */
	V4(198, 18, 0, 0, 15),                /* benchmarks */
	V4(198, 51, 100, 0, 24),              /* documentation */
	V4(203, 0, 113, 0, 24),               /* documentation */
	V4(224, 0, 0, 0, 3),                  /* multicast, reserved, broadcast */
	V4(168, 63, 129, 16, 32),             /* a cloud's agent, public by number alone */
	V6(23, 0x20, 0x01),                   /* protocol assignments, Teredo, ORCHID */
	V6(32, 0x20, 0x01, 0x0d, 0xb8),       /* documentation */
	V6(16, 0x20, 0x02),                   /* 6to4 */
	V6(48, 0x26, 0x20, 0, 0x4f, 0x80, 0), /* AS112 */
	V6(20, 0x3f, 0xff),                   /* documentation */
};

/* Of IPv6 only this was given out to the world; what is not in it is refused as a whole: the
 * unspecified address, loopback, IPv4 in most of its clothes, discard, SRv6, unique local,
 * link-local, site-local, multicast. */
static const struct network global = V6(3, 0x20);
static const struct network mapped = V4(0, 0, 0, 0, 0);

/* IPv4 inside IPv6: what leads to the last four bytes. */
static const struct network carriers[] = {
	V6(96, 0),                                        /* compatible */
	V6(96, 0, 0x64, 0xff, 0x9b),                      /* NAT64 */
	V6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0), /* translated */
};

static bool
is_in(const struct in6_addr *a, const struct network *n)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;
	uint8_t mask = (uint8_t)(0xff << (8 - rest));

	return memcmp(a, &n->base, whole) == 0 &&
	       (rest == 0 || ((a->s6_addr[whole] ^ n->base.s6_addr[whole]) & mask) == 0);
}

static bool
is_in_any(const struct in6_addr *a, const struct network *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_in(a, &list[i]))
			return true;
	return false;
}

static struct in6_addr
map_v4(const void *four_bytes)
{
	struct in6_addr a = mapped.base;

	memcpy(a.s6_addr + 12, four_bytes, 4);
	return a;
}

/* ::127.0.0.1 and the like as what they reach; but :: and ::1 are themselves. */
static struct in6_addr
canonical(struct in6_addr a)
{
	if (IN6_IS_ADDR_UNSPECIFIED(&a) || IN6_IS_ADDR_LOOPBACK(&a) ||
		!is_in_any(&a, carriers, ARRAY_LEN(carriers)))
		return a;
	return map_v4(a.s6_addr + 12);
}

static bool
allows(const struct guard *g, struct in6_addr a)
{
	a = canonical(a);
	if (g != NULL && is_in_any(&a, g->allowed, g->n))
		return true;
	return (is_in(&a, &mapped) || is_in(&a, &global)) &&
	       !is_in_any(&a, refused, ARRAY_LEN(refused));
}

bool
guard_allows(const struct guard *g, const struct sockaddr *sa)
{
	struct sockaddr_in6 six;
	struct sockaddr_in four;

	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&four, sa, sizeof(four));
		return allows(g, map_v4(&four.sin_addr));
	case AF_INET6:
		memcpy(&six, sa, sizeof(six));
		return allows(g, six.sin6_addr);
	default:
		return false;
	}
}

/* ---- the operator's list ----------------------------------------------------------------- */

static bool
read_network(struct str text, struct network *out)
{
	size_t slash = str_find(text, '/', 0);
	struct str host = str_sub(text, 0, slash);
	char zero[INET6_ADDRSTRLEN];
	struct in_addr four;
	int64_t bits = -1;
	bool is_four;

	if (host.n >= sizeof(zero))
		return false;
	memcpy(zero, host.p, host.n);
	zero[host.n] = '\0';
	is_four = inet_pton(AF_INET, zero, &four) == 1;
	if (is_four)
		out->base = map_v4(&four);
	else if (inet_pton(AF_INET6, zero, &out->base) != 1)
		return false;
	if (slash == text.n)
		bits = is_four ? 32 : 128;
	else if (!str_to_i64(str_sub(text, slash + 1, text.n - slash - 1), &bits))
		return false;
	out->bits = (unsigned)bits + (is_four ? 96 : 0);
	return bits >= 0 && bits <= (is_four ? 32 : 128);
}

bool
guard_new(struct guard **out, const char *allow, struct err *e)
{
	struct str list = str_of(allow);
	struct guard *g = calloc(1, sizeof(*g));

	if (g == NULL)
		panic("out of memory: guard");
	for (size_t at = 0; at < list.n;) {
		size_t end = str_find(list, ',', at);
		struct str one = str_trim(str_sub(list, at, end - at)), shown;

		at = end + 1;
		if (one.n == 0)
			continue;
		if (g->n < NETWORKS_MAX && read_network(one, &g->allowed[g->n])) {
			g->n++;
			continue;
		}
		shown = str_clip(one, 64);
		free(g);
		return fail(e, ERR_INPUT,
			"webhook_allow: expected at most %d networks such as 127.0.0.0/8, got "
			"\"%.*s\"",
			NETWORKS_MAX, STR_ARG(shown));
	}
	*out = g;
	return true;
}

void
guard_free(struct guard *g)
{
	free(g);
}

/* ---- URLs -------------------------------------------------------------------------------- */

/* In lower case, without the dots of a complete name at its end.  International names stay as
 * they are: what they lead to is judged when they are resolved. */
static bool
read_host(CURLU *u, char *to, size_t size)
{
	char *host = NULL;
	size_t n;
	bool ok;

	if (curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		return false;
	n = strlen(host);
	while (n > 0 && host[n - 1] == '.')
		n--;
	ok = n > 0 && n < size;
	for (size_t i = 0; ok && i < n; i++)
		to[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] - 'A' + 'a')
							 : host[i];
	if (ok)
		to[n] = '\0';
	curl_free(host);
	return ok;
}

/* inet_aton() knows the spellings that resolvers accept: 2130706433, 0x7f.1, 0177.0.0.1. */
static bool
host_is_allowed(const struct guard *g, const char *host)
{
	struct in6_addr six;
	struct in_addr four;
	size_t n = strlen(host);

	if (strcmp(host, "localhost") == 0 || str_ends(str_of(host), STR(".localhost"))) {
		four.s_addr = htonl(INADDR_LOOPBACK);
		return allows(g, map_v4(&four));
	}
	if (inet_aton(host, &four) != 0)
		return allows(g, map_v4(&four));
	if (host[0] != '[')
		return true;
	/* With a zone it is link-local, whatever it says. */
	if (n < 3 || strchr(host, '%') != NULL)
		return false;
	{
		char inner[INET6_ADDRSTRLEN];

		if (n - 2 >= sizeof(inner))
			return false;
		memcpy(inner, host + 1, n - 2);
		inner[n - 2] = '\0';
		return inet_pton(AF_INET6, inner, &six) == 1 && allows(g, six);
	}
}

static bool
has_part(CURLU *u, CURLUPart part)
{
	char *text = NULL;
	bool has = curl_url_get(u, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return has;
}

static bool
check_parts(const struct guard *g, const char *field, CURLU *u, struct err *e)
{
	char host[256], *scheme = NULL;
	bool http;

	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		panic("a URL without a scheme was accepted");
	http = str_is(str_of(scheme), "http") || str_is(str_of(scheme), "https");
	curl_free(scheme);
	if (!http)
		return fail(e, ERR_INPUT, "%s: expected an http:// or https:// URL", field);
	if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD))
		return fail(e, ERR_INPUT,
			"%s: expected a URL without a user and a password, got one with",
			field);
	if (!read_host(u, host, sizeof(host)))
		return fail(e, ERR_INPUT,
			"%s: expected a URL with a host of 1 to 255 "
			"characters",
			field);
	if (!host_is_allowed(g, host))
		return fail(e, ERR_INPUT,
			"%s: \"%s\" is a private or reserved address, which this server does "
			"not "
			"call (see webhook_allow)",
			field, host);
	return true;
}

bool
guard_check_url(const struct guard *g, const char *field, struct str url, struct err *e)
{
	CURLU *u = curl_url();
	char *text = strndup(url.p != NULL ? url.p : "", url.n);
	bool ok;

	if (u == NULL || text == NULL)
		panic("out of memory: guard");
	/* A NUL would hide what follows it. */
	if (strlen(text) != url.n || curl_url_set(u, CURLUPART_URL, text, 0) != CURLUE_OK)
		ok = fail(e, ERR_INPUT, "%s: expected an http:// or https:// URL", field);
	else
		ok = check_parts(g, field, u, e);
	free(text);
	curl_url_cleanup(u);
	return ok;
}
