/* cors – listed origins, and the answers to preflights. */
#include "api/cors.h"

#include <assert.h>

#include "base/arena.h"
#include "base/err.h"
#include "net/http.h"

#define METHODS "GET, POST, PUT, PATCH, DELETE"
/* What the stock clients send. */
#define HEADERS                                                            \
	"Authorization, Content-Type, stream-auth-type, X-Stream-Client, " \
	"x-client-request-id, X-Requested-With"
#define EXPOSED "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
#define MAX_AGE "86400"

/* The next of a list between commas; false at the end. */
static bool
next_origin(struct str list, size_t *at, struct str *out)
{
	size_t end;

	if (*at >= list.n)
		return false;
	end = str_find(list, ',', *at);
	*out = str_trim(str_sub(list, *at, end - *at));
	*at = end + 1;
	return true;
}

/* scheme://host, with a port or not, and nothing behind. */
static bool
is_origin(struct str s)
{
	size_t scheme = str_starts(s, STR("http://"))    ? 7
			: str_starts(s, STR("https://")) ? 8
							 : 0;

	if (scheme == 0 || s.n == scheme)
		return false;
	for (size_t i = scheme; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c >= 0x7f || c == '/' || c == '?' || c == '#' || c == '@' ||
			c == '*')
			return false;
	}
	return true;
}

bool
cors_check(struct str origins, struct err *e)
{
	struct str one;

	if (str_is(str_trim(origins), "*"))
		return true;
	for (size_t at = 0; next_origin(origins, &at, &one);)
		if (!is_origin(one))
			return fail(e, ERR_INPUT,
				"origins: expected http://HOST or https://HOST between commas, "
				"or *, got \"%.*s\"",
				STR_ARG(str_clip(one, 64)));
	return true;
}

static bool
is_listed(struct str origins, struct str origin)
{
	struct str one;

	if (str_is(str_trim(origins), "*"))
		return true;
	for (size_t at = 0; next_origin(origins, &at, &one);)
		if (str_ieq(one, origin))
			return true;
	return false;
}

static void
add(struct http_out *out, const char *name, struct str value)
{
	assert(out->nheaders < HTTP_MAX_HEADERS);
	out->headers[out->nheaders++] = (struct http_header){name, value};
}

bool
cors_answer(struct arena *a, struct str origins, const struct http_in *in, struct http_out *out)
{
	struct str origin = http_header(in, "Origin");
	bool asks = str_is(in->method, "OPTIONS") &&
		    http_header(in, "Access-Control-Request-Method").p != NULL;

	if (origins.n == 0 || origin.n == 0 || !is_listed(origins, origin))
		return false;
	add(out, "Access-Control-Allow-Origin", arena_dup(a, origin));
	add(out, "Vary", STR("Origin"));
	if (!asks) {
		add(out, "Access-Control-Expose-Headers", STR(EXPOSED));
		return false;
	}
	add(out, "Access-Control-Allow-Methods", STR(METHODS));
	add(out, "Access-Control-Allow-Headers", STR(HEADERS));
	add(out, "Access-Control-Max-Age", STR(MAX_AGE));
	out->status = 204;
	return true;
}
