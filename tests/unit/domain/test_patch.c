/* test_patch – partial updates by dotted path. */
#include "../unit.h"
#include "base/jr.h"
#include "domain/patch.h"

static const char *const own[] = {"frozen"};
static const char *const reserved[] = {"frozen", "id", "user"};

static struct patch
patch_of(struct arena *a, const char *set, const char *unset, bool nests)
{
	struct patch p = {.nests_custom = nests};
	json_t *body;
	struct err e;

	must(jr_parse(a, arena_printf(a, "{\"set\":%s,\"unset\":%s}", set, unset), &body, &e),
		&e);
	assert_true(jr_obj(body, "set", OPTIONAL, &p.set, &e));
	assert_true(jr_strs(a, body, "unset", OPTIONAL, 100, &p.unset, &p.nunset, &e));
	return p;
}

static bool
apply(struct arena *a, const struct patch *p, const char *custom, struct str *out,
	struct err *e)
{
	return patch_custom(a, p, str_of(custom), own, ARRAY_LEN(own), reserved,
		ARRAY_LEN(reserved), 100, out, e);
}

static void
paths_lead_into_custom_data(void **state)
{
	static const struct {
		const char *custom, *set, *unset;
		bool nests;
		const char *becomes;
	} cases[] = {
		{NULL, "null", "null", false, "{}"},
		{NULL, "{\"a\":1}", "null", false, "{\"a\":1}"},
		{"{\"a\":1,\"b\":2}", "{\"a\":{\"x\":[1]}}", "[\"b\",\"c\",\"d.e\"]", false,
			"{\"a\":{\"x\":[1]}}"},
		{"{\"a\":{\"b\":1}}", "{\"a.b\":2,\"a.c.d\":3}", "null", false,
			"{\"a\":{\"b\":2,\"c\":{\"d\":3}}}"},
		{"{\"a\":{\"b\":1,\"c\":2}}", "{\"frozen\":true}", "[\"a.b\",\"frozen\"]",
			false, "{\"a\":{\"c\":2}}"},
		{"{\"a\":null}", "{\"a.b\":1}", "null", false, "{\"a\":{\"b\":1}}"},
		/* "custom" is a name like any other in v1, a way to say all of it in v2. */
		{"{\"a\":1}", "{\"custom\":{\"b\":2}}", "null", false,
			"{\"a\":1,\"custom\":{\"b\":2}}"},
		{"{\"a\":1}", "{\"custom\":{\"b\":2}}", "null", true, "{\"b\":2}"},
		{"{\"a\":1}", "{\"custom.b.c\":2,\"d\":3}", "[\"custom.a\"]", true,
			"{\"b\":{\"c\":2},\"d\":3}"},
		{"{\"a\":1}", "null", "[\"custom\"]", true, "{}"},
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct patch p = patch_of(a, cases[i].set, cases[i].unset, cases[i].nests);
		struct str out;
		struct err e;

		must(apply(a, &p, cases[i].custom, &out, &e), &e);
		assert_str(out, cases[i].becomes);
	}
}

static void
refused(void **state)
{
	static const struct {
		const char *set, *unset;
		bool nests;
		const char *why;
	} cases[] = {
		{"{\"id\":1}", "null", false, "set.id: cannot be changed"},
		{"{\"user.id\":1}", "null", false, "set.user.id: cannot be changed"},
		{"null", "[\"user\"]", false, "unset.user: cannot be changed"},
		{"{\"frozen.x\":1}", "null", false, "set.frozen.x: cannot be changed"},
		{"{\"\":1}", "null", false, "set.: expected 1 to 8 keys"},
		{"{\"a..b\":1}", "null", false, "set.a..b: expected 1 to 8 keys"},
		{"{\"a.b.c.d.e.f.g.h.i\":1}", "null", false, "expected 1 to 8 keys"},
		{"{\"n.x\":1}", "null", false, "set.n.x: n is an integer, not an object"},
		{"{\"custom\":5}", "null", true, "set.custom: expected an object"},
		{"{\"big\":"
		 "\"0123456789012345678901234567890123456789012345678901234567890123456"
		 "789012345678901234567890123456789\"}",
			"null", false, "larger than 100 bytes"},
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct patch p = patch_of(a, cases[i].set, cases[i].unset, cases[i].nests);
		struct str out;
		struct err e;

		must_fail(apply(a, &p, "{\"n\":1}", &out, &e), &e, ERR_INPUT, cases[i].why);
	}
}

static void
what_is_touched(void **state)
{
	struct arena *a = *state;
	struct patch p = patch_of(a, "{\"x\":false,\"n\":null}", "[\"y\"]", false);
	json_t *value;

	assert_true(patch_touches(&p, "x", &value));
	assert_true(json_is_false(value));
	assert_true(patch_touches(&p, "y", &value));
	assert_null(value);
	assert_true(patch_touches(&p, "n", &value));
	assert_null(value);
	assert_false(patch_touches(&p, "z", &value));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			paths_lead_into_custom_data, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(refused, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(what_is_touched, arena_setup, arena_teardown),
	};

	return cmocka_run_group_tests_name("patch", tests, NULL, NULL);
}
