/* test_app – the key pair is made once, kept, and replaced when the settings say so. */

#include "../unit_store.h"
#include "domain/app.h"

static struct app
load(struct fixture *f, struct str key, struct str secret, bool *made)
{
	struct app app = {0};
	struct err e = {0};

	if (!app_load(f->db, &f->arena, key, secret, &app, made, &e))
		fail_msg("%s", e.msg);
	return app;
}

static void
assert_same(const struct app *a, const struct app *b)
{
	assert_true(str_eq(a->api_key, b->api_key));
	assert_true(str_eq(a->api_secret, b->api_secret));
	assert_true(a->id_tag == b->id_tag);
}

static bool
consists_of(struct str s, const char *alphabet)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr(alphabet, s.p[i]))
			return false;
	return true;
}

static void
made_once_and_kept(void **state)
{
	struct fixture *f = *state;
	struct app first, again;
	bool made;

	first = load(f, STR_NONE, STR_NONE, &made);
	assert_true(made);
	assert_int_equal(first.api_key.n, 12);
	assert_true(consists_of(first.api_key, "abcdefghijkmnpqrstuvwxyz23456789"));
	assert_int_equal(first.api_secret.n, 64);
	assert_true(consists_of(first.api_secret, "0123456789abcdef"));
	assert_true(first.id_tag >> 58 == 0);
	again = load(f, STR_NONE, STR_NONE, &made);
	assert_false(made);
	assert_same(&first, &again);
	fixture_close(f);
	fixture_open(f);
	again = load(f, STR(""), STR(""), &made); /* unset settings are empty texts */
	assert_false(made);
	assert_same(&first, &again);
}

static void
settings_replace_the_pair_but_not_the_tag(void **state)
{
	struct fixture *f = *state;
	struct app first, now;
	bool made;

	first = load(f, STR_NONE, STR_NONE, &made);
	now = load(f, STR("key"), STR("a secret"), &made);
	assert_false(made);
	assert_true(str_is(now.api_key, "key"));
	assert_true(str_is(now.api_secret, "a secret"));
	assert_true(now.id_tag == first.id_tag);
	fixture_close(f);
	fixture_open(f);
	now = load(f, STR_NONE, STR_NONE, &made);
	assert_false(made);
	assert_true(str_is(now.api_key, "key"));
	assert_true(str_is(now.api_secret, "a secret"));
	assert_true(now.id_tag == first.id_tag);
}

static void
settings_at_the_first_start(void **state)
{
	struct fixture *f = *state;
	struct app app;
	bool made = true;

	app = load(f, STR("key"), STR("a secret"), &made);
	assert_false(made);
	assert_true(str_is(app.api_key, "key"));
	assert_true(app.id_tag != 0);
}

static void
bad_pairs_change_nothing(void **state)
{
	static const struct {
		const char *key, *secret, *why;
	} cases[] = {
		{"key", "", "api_key: given without api_secret"},
		{"", "a secret", "api_secret: given without api_key"},
		{"key", "1234567", "api_secret: expected 8 to 512 bytes, got 7"},
		{"a key", "a secret", "api_key: only printable ASCII is allowed"},
		{"k\xc3\xa4y", "a secret", "api_key: only printable ASCII is allowed"},
		{"key", "a secret\xff", "api_secret: not UTF-8"},
	};
	struct fixture *f = *state;
	struct app first, app;
	struct err e;
	bool made;

	first = load(f, STR_NONE, STR_NONE, &made);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_false(app_load(f->db, &f->arena, str_of(cases[i].key),
			str_of(cases[i].secret), &app, &made, &e));
		assert_int_equal(e.code, ERR_INPUT);
		assert_string_equal(e.msg, cases[i].why);
	}
	app = load(f, STR_NONE, STR_NONE, &made);
	assert_same(&first, &app);
}

static void
no_two_alike(void **state)
{
	struct fixture *f = *state;
	struct fixture *other;
	void *second = NULL;
	struct app a, b;
	bool made;

	assert_int_equal(fixture_setup(&second), 0);
	other = second;
	a = load(f, STR_NONE, STR_NONE, &made);
	b = load(other, STR_NONE, STR_NONE, &made);
	assert_false(str_eq(a.api_key, b.api_key));
	assert_false(str_eq(a.api_secret, b.api_secret));
	assert_true(a.id_tag != b.id_tag);
	fixture_teardown(&second);
}

static void
ready(void **state)
{
	struct fixture *f = *state;
	struct err e;

	assert_true(app_ready(f->db, &e));
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(made_once_and_kept),
		WITH_STORE(settings_replace_the_pair_but_not_the_tag),
		WITH_STORE(settings_at_the_first_start),
		WITH_STORE(bad_pairs_change_nothing),
		WITH_STORE(no_two_alike),
		WITH_STORE(ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
