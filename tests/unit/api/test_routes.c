/* test_routes – every row of the table is reached, in both dialects, and nothing else is. */

#include "../unit.h"
#include "api/routes.h"
#include "base/arena.h"
#include "base/err.h"

/* ${pattern} with each {…} replaced by ${value}. */
static struct str
path_of(struct arena *a, const char *prefix, const char *pattern, const char *value)
{
	struct buf b;

	buf_init(&b, a, 128);
	buf_str(&b, str_of(prefix));
	for (const char *p = pattern; *p; p++) {
		if (*p == '{') {
			buf_str(&b, str_of(value));
			p = strchr(p, '}');
		} else {
			buf_char(&b, *p);
		}
	}
	return buf_view(&b);
}

static size_t
count_params(const char *pattern)
{
	size_t n = 0;

	for (const char *p = pattern; *p; p++)
		n += *p == '{';
	return n;
}

static const char *
found_name(struct arena *a, const char *method, const char *path)
{
	struct route_match m;

	routes_match(a, str_of(method), str_of(path), &m);
	return m.route ? m.route->name : "nothing";
}

static const char *
v2_prefix(const struct route *r)
{
	return r->flags & ROUTE_COMMON ? "/api/v2" : "/api/v2/chat";
}

/* ---- the table itself -------------------------------------------------------------- */

static void
rows_are_sound(void **state)
{
	static const char *const known[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
	const struct route *r, *other;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; routes_each(&i, &r); n++) {
		bool ok = false;

		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			ok = ok || strcmp(known[k], r->method) == 0;
		assert_true(ok);
		assert_true(r->path[0] == '/' && r->path[strlen(r->path) - 1] != '/');
		assert_true(count_params(r->path) <= 3);
		assert_true(r->name && r->name[0] && r->summary && r->summary[0]);
		assert_non_null(r->handler);
		assert_true(r->body_max > 0);
		for (size_t j = i; routes_each(&j, &other);)
			if (strcmp(r->method, other->method) == 0 &&
				strcmp(r->path, other->path) == 0)
				fail_msg("twice: %s %s", r->method, r->path);
	}
	assert_int_equal(n, routes_count());
	assert_true(n > 10);
}

static void
every_row_is_found(void **state)
{
	const struct route *r;
	size_t no = 0;

	for (size_t i = 0; routes_each(&i, &r); no++) {
		struct str v1 = path_of(*state, "", r->path, "z%2F1+%c3%a4");
		struct str v2 = path_of(*state, v2_prefix(r), r->path, "z");
		struct route_match m;

		routes_match(*state, str_of(r->method), v1, &m);
		if (m.route != r || m.no != no || m.dialect != DIALECT_V1)
			fail_msg("%s %s is not found", r->method, r->path);
		for (size_t p = 0; p < count_params(r->path); p++)
			assert_true(str_is(m.param[p], "z/1+ä"));
		assert_null(m.allow.p);
		assert_int_equal(routes_body_max(str_of(r->method), v1), r->body_max);

		routes_match(*state, str_of(r->method), v2, &m);
		if (r->flags & (ROUTE_OPEN | ROUTE_SOCKET)) {
			assert_null(m.route);
			continue;
		}
		if (m.route != r || m.no != no || m.dialect != DIALECT_V2)
			fail_msg("%s %.*s is not found", r->method, STR_ARG(v2));
		assert_int_equal(routes_body_max(str_of(r->method), v2), r->body_max);
	}
}

static void
wrong_methods_are_told(void **state)
{
	const struct route *r;
	struct route_match m;

	for (size_t i = 0; routes_each(&i, &r);) {
		struct str path = path_of(*state, "", r->path, "z");

		routes_match(*state, STR("BREW"), path, &m);
		assert_null(m.route);
		assert_non_null(m.allow.p);
		if (!strstr(arena_dup(*state, m.allow).p, r->method))
			fail_msg("%.*s: Allow has no %s", STR_ARG(path), r->method);
	}
	routes_match(*state, STR("PATCH"), STR("/campaigns/c"), &m);
	assert_null(m.route);
	assert_true(str_is(m.allow, "GET, PUT, DELETE"));
	routes_match(*state, STR("get"), STR("/api/v2/chat/campaigns/c"), &m);
	assert_null(m.route);
	assert_true(str_is(m.allow, "GET, PUT, DELETE"));
	routes_match(*state, STR("HEAD"), STR("/healthz"), &m);
	assert_true(str_is(m.allow, "GET"));
}

/* ---- paths ------------------------------------------------------------------------- */

static void
literals_beat_parameters(void **state)
{
	assert_string_equal(found_name(*state, "POST", "/campaigns/query"), "QueryCampaigns");
	assert_string_equal(found_name(*state, "POST", "/segments/query"), "QuerySegments");
	assert_string_equal(found_name(*state, "POST", "/%71uery/x/y"), "nothing");
	assert_string_equal(found_name(*state, "POST", "/campaigns/%71uery"), "QueryCampaigns");
	/* Of another method: then it is an id like any other. */
	assert_string_equal(found_name(*state, "GET", "/campaigns/query"), "GetCampaign");
	assert_string_equal(found_name(*state, "GET", "/segments/query/target/query"),
		"SegmentTargetExists");
}

/* api.md §1.4 and appendix C: '/' splits before %2F is decoded; ':' and '+' are ordinary. */
static void
parameters_are_decoded(void **state)
{
	struct route_match m;

	routes_match(*state, STR("GET"), STR("/segments/sid%2F1/target/messaging%3Ax"), &m);
	assert_string_equal(m.route->name, "SegmentTargetExists");
	assert_true(str_is(m.param[0], "sid/1"));
	assert_true(str_is(m.param[1], "messaging:x"));
	assert_null(m.param[2].p);
	routes_match(
		*state, STR("GET"), STR("/api/v2/chat/segments/a b+c/target/messaging:x"), &m);
	assert_true(str_is(m.param[0], "a b+c"));
	assert_true(str_is(m.param[1], "messaging:x"));
	assert_int_equal(m.dialect, DIALECT_V2);
}

static void
other_paths_lead_nowhere(void **state)
{
	static const char *const paths[] = {"", "/", "//", "*", "campaigns/c", "/campaigns/",
		"//campaigns/c", "/campaigns//c", "/campaigns/c/", "/campaign/c",
		"/Campaigns/c", "/campaigns/c/d", "/api", "/api/v2", "/api/v2/", "/api/v2/chat",
		"/api/v2/chat/", "/api/v2/campaigns/c", "/api/v2/chat/tasks/t",
		"/api/v1/chat/campaigns/c", "/API/v2/chat/campaigns/c",
		"/api/v2/chat/chat/campaigns/c", "/api/v2/chat/healthz", "/api/v2/healthz",
		"/campaigns/%", "/campaigns/%4", "/campaigns/%zz", "/campaigns/%00",
		"/campaigns/a%00b", "/campaigns/%ff", "/campaigns/\xff", "/campaigns%2Fc",
		"/1/2/3/4/5/6/7/8/9/10/11/12", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15"};
	struct route_match m;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		routes_match(*state, STR("GET"), str_of(paths[i]), &m);
		if (m.route || m.allow.p)
			fail_msg("%s leads somewhere", paths[i]);
		assert_true(routes_body_max(STR("POST"), str_of(paths[i])) > 0);
	}
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, arena_setup, arena_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sound),
		WITH_ARENA(every_row_is_found),
		WITH_ARENA(wrong_methods_are_told),
		WITH_ARENA(literals_beat_parameters),
		WITH_ARENA(parameters_are_decoded),
		WITH_ARENA(other_paths_lead_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
