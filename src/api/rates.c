/* rates – the endpoint that shows the rate limits as they stand (api.md §6.10). */
#include "api/limit.h"
#include "api/req.h"
#include "base/clock.h"

/* As the query and the answer name them. */
static const char *const platforms[PLATFORM_COUNT] = {
	[PLATFORM_SERVER] = "server_side",
	[PLATFORM_ANDROID] = "android",
	[PLATFORM_IOS] = "ios",
	[PLATFORM_WEB] = "web",
	[PLATFORM_UNITY] = "unity",
};

/* All platforms when none is asked for. */
static bool
read_platforms(struct req *r, bool wanted[PLATFORM_COUNT], struct err *e)
{
	bool any = false;

	for (size_t p = 0; p < PLATFORM_COUNT; p++) {
		wanted[p] = false;
		if (!req_query_bool(r, platforms[p], &wanted[p], e))
			return false;
		any = any || wanted[p];
	}
	for (size_t p = 0; p < PLATFORM_COUNT && !any; p++)
		wanted[p] = true;
	return true;
}

/* endpoints=A,B: wanted[i] says it of operation i; all when absent. */
static bool
read_operations(struct req *r, bool **wanted, struct err *e)
{
	const struct limit *l = r->ctx->limit;
	struct str list = req_query(r, "endpoints");
	size_t n = 0, place;

	while (limit_operation(l, n) != NULL)
		n++;
	*wanted = arena_array(r->arena, n, sizeof(**wanted));
	for (size_t i = 0; i < n; i++)
		(*wanted)[i] = list.p == NULL;
	for (size_t at = 0; list.p != NULL && at <= list.n;) {
		size_t end = str_find(list, ',', at);
		struct str name = str_trim(str_sub(list, at, end - at)), shown;

		if (!limit_find(l, name, &place)) {
			shown = str_clip(name, 64);
			return fail(e, ERR_INPUT, "endpoints: no operation is named \"%.*s\"",
				STR_ARG(shown));
		}
		(*wanted)[place] = true;
		at = end + 1;
	}
	return true;
}

static void
write_state(struct req *r, const char *operation, const struct limit_state *s)
{
	jw_kobj(&r->w, operation);
	jw_ki64(&r->w, "limit", s->limit);
	jw_ki64(&r->w, "remaining", s->remaining);
	jw_ki64(&r->w, "reset", s->reset_s);
	jw_end_obj(&r->w);
}

static bool
get(struct req *r, struct err *e)
{
	const struct limit *l = r->ctx->limit;
	int64_t now_s = clock_now_us() / 1000000;
	bool on[PLATFORM_COUNT], *wanted;
	struct limit_state state;

	if (!read_platforms(r, on, e) || !read_operations(r, &wanted, e))
		return false;
	for (size_t p = 0; p < PLATFORM_COUNT; p++) {
		if (!on[p])
			continue;
		jw_kobj(&r->w, platforms[p]);
		for (size_t i = 0; limit_operation(l, i) != NULL; i++) {
			if (!wanted[i])
				continue;
			limit_look_at(l, i, (enum platform)p, now_s, &state);
			write_state(r, limit_operation(l, i), &state);
		}
		jw_end_obj(&r->w);
	}
	return true;
}

static const struct route routes[] = {
	{"GET", "/rate_limits", "GetRateLimits", get, ROUTE_COMMON, BODY_NONE,
		"the rate limits and what is left of them"},
};

const struct route_group routes_rates = {routes, ARRAY_LEN(routes)};
