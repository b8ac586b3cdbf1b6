/* routes – finds the row of the table for a method and a path. */
#include "api/routes.h"

#include "net/http.h"

/* No pattern is longer, the v2 prefix included; a longer path leads nowhere. */
#define MAX_PARTS 12

static const struct route_group *const groups[] = {&routes_campaigns, &routes_segments,
	&routes_users, &routes_user_state, &routes_tasks, &routes_devices, &routes_pushes,
	&routes_channels, &routes_channel_update, &routes_channel_types, &routes_members,
	&routes_reads, &routes_messages, &routes_polls, &routes_rates, &routes_apps,
	&routes_ops, &routes_realtime, &routes_sync, &routes_signals, &routes_outgoing,
	&routes_metrics};

static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

/* The pieces of a path between its slashes. */
struct parts {
	struct str v[MAX_PARTS];
	size_t n;
};

struct found {
	const struct route *route; /* NULL: none has this method */
	size_t no;
	size_t skip;      /* parts of the v2 prefix */
	unsigned allowed; /* bit i: methods[i] leads somewhere */
};

static bool
split(struct str path, struct parts *out)
{
	size_t at = 1;

	out->n = 0;
	if (path.n == 0 || path.p[0] != '/')
		return false;
	while (at <= path.n) {
		size_t end = str_find(path, '/', at);

		if (out->n == MAX_PARTS || end == at)
			return false;
		out->v[out->n++] = str_sub(path, at, end - at);
		at = end + 1;
	}
	return out->n > 0;
}

/* Parts of the prefix in front of ${route}'s own pattern; false when it does not answer to
 * the prefix that the path has. */
static bool
prefix_of(const struct route *route, const struct parts *parts, size_t *skip)
{
	bool v2 = parts->n >= 2 && str_is(parts->v[0], "api") && str_is(parts->v[1], "v2");

	*skip = 0;
	if (!v2)
		return true;
	if (route->flags & (ROUTE_OPEN | ROUTE_SOCKET))
		return false;
	*skip = route->flags & ROUTE_COMMON ? 2 : 3;
	return *skip == 2 || (parts->n > 2 && str_is(parts->v[2], "chat"));
}

/* True when the parts from ${skip} on fit ${pattern}.  *literals has a bit per part, the
 * first one highest, set where the pattern has a literal: the larger, the more specific. */
static bool
fits(const char *pattern, const struct parts *parts, size_t skip, unsigned *literals)
{
	struct str rest = str_of(pattern);
	size_t at = 1, i = skip;

	*literals = 0;
	for (; at <= rest.n; i++) {
		size_t end = str_find(rest, '/', at);
		struct str want = str_sub(rest, at, end - at);

		if (i == parts->n)
			return false;
		if (want.p[0] != '{') {
			if (!str_eq(want, parts->v[i]))
				return false;
			*literals |= 1u << (MAX_PARTS - i);
		}
		at = end + 1;
	}
	return i == parts->n;
}

static unsigned
method_bit(struct str method)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (str_eq(str_of(methods[i]), method))
			return 1u << i;
	return 0;
}

static void
find(struct str method, const struct parts *parts, struct found *out)
{
	const struct route *route;
	unsigned best = 0, literals;
	size_t skip;

	*out = (struct found){0};
	for (size_t no = 0; routes_each(&no, &route);) {
		if (!prefix_of(route, parts, &skip) ||
			!fits(route->path, parts, skip, &literals))
			continue;
		out->allowed |= method_bit(str_of(route->method));
		if (!str_eq(method, str_of(route->method)) || (out->route && literals <= best))
			continue;
		best = literals;
		out->route = route;
		out->no = no - 1;
		out->skip = skip;
	}
}

static struct str
allow_text(struct arena *a, unsigned allowed)
{
	struct buf b;

	buf_init(&b, a, 64);
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (allowed & 1u << i)
			buf_printf(&b, "%s%s", b.n ? ", " : "", methods[i]);
	return buf_view(&b);
}

/* The decoded parts that stand where the pattern has {…}. */
static void
take_params(const struct found *f, const struct parts *parts, struct route_match *out)
{
	struct str pattern = str_of(f->route->path);
	size_t at = 1, n = 0;

	for (size_t i = f->skip; at <= pattern.n; i++) {
		if (pattern.p[at] == '{' && n < ARRAY_LEN(out->param))
			out->param[n++] = parts->v[i];
		at = str_find(pattern, '/', at) + 1;
	}
}

void
routes_match(struct arena *a, struct str method, struct str path, struct route_match *out)
{
	struct parts parts;
	struct found f;

	*out = (struct route_match){0};
	if (!split(path, &parts))
		return;
	for (size_t i = 0; i < parts.n; i++)
		if (!http_unescape(a, parts.v[i], &parts.v[i]))
			return;
	find(method, &parts, &f);
	if (!f.route) {
		if (f.allowed)
			out->allow = allow_text(a, f.allowed);
		return;
	}
	out->route = f.route;
	out->no = f.no;
	out->dialect = f.skip ? DIALECT_V2 : DIALECT_V1;
	take_params(&f, &parts, out);
}

size_t
routes_body_max(struct str method, struct str path)
{
	struct parts parts;
	struct found f;

	if (!split(path, &parts))
		return BODY_SMALL;
	find(method, &parts, &f);
	return f.route ? f.route->body_max : BODY_SMALL;
}

size_t
routes_count(void)
{
	size_t n = 0;

	for (size_t g = 0; g < ARRAY_LEN(groups); g++)
		n += groups[g]->n;
	return n;
}

bool
routes_each(size_t *at, const struct route **out)
{
	size_t i = *at;

	for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
		if (i < groups[g]->n) {
			*out = &groups[g]->routes[i];
			++*at;
			return true;
		}
		i -= groups[g]->n;
	}
	return false;
}

const char **
routes_operations(struct arena *a)
{
	const char **out = arena_array(a, routes_count(), sizeof(*out));
	const struct route *route;

	for (size_t no = 0; routes_each(&no, &route);)
		out[no - 1] = route->flags & ROUTE_OPEN ? NULL : route->name;
	return out;
}
