/* test_settings – what is changed is kept, what is not is not, and who holds settings sees
 * changes in time. */
#include "domain/hook.h"
#include "domain/settings.h"
#include "domain/settings_live.h"
#include "store_fixture.h"

static bool
try_change(struct fixture *f, const char *body, struct err *e)
{
	return settings_change(f->db, &f->arena, parse(f, body), e);
}

static void
change(struct fixture *f, const char *body)
{
	struct err e;

	must(try_change(f, body, &e), &e);
}

static struct settings
load(struct fixture *f)
{
	struct settings s;
	struct err e;

	must(settings_load(f->db, &f->arena, &s, &e), &e);
	return s;
}

static int64_t
version(struct fixture *f)
{
	int64_t v;
	struct err e;

	must(settings_version(f->db, &v, &e), &e);
	return v;
}

static void
defaults(void **state)
{
	struct settings s = load(*state);

	assert_int_equal(s.version, 0);
	assert_int_equal(json_object_size(s.all), 0);
	assert_false(s.multi_tenant || s.no_auth_checks || s.no_permission_checks);
	assert_true(s.revoked_before == NO_TIME);
}

static void
changes_are_kept(void **state)
{
	struct fixture *f = *state;
	struct settings s;
	struct err e;
	bool on;

	change(f, "{\"multi_tenant_enabled\":true,\"disable_auth_checks\":true,"
		  "\"revoke_tokens_issued_before\":\"1970-01-01T00:00:01Z\","
		  "\"push_config\":{\"version\":\"v3\",\"offline_only\":true}}");
	assert_int_equal(version(f), 1);
	change(f, "{\"disable_permissions_checks\":true,\"push_config\":{\"version\":\"v1\"}}");
	s = load(f);
	assert_int_equal(s.version, 2);
	assert_true(s.multi_tenant && s.no_auth_checks && s.no_permission_checks);
	assert_true(s.revoked_before == 1000000);
	assert_str(jr_dump(&f->arena, settings_of(s.all, "push_config")),
		"{\"version\":\"v1\",\"offline_only\":true}");
	must(settings_multi_tenant(f->db, &f->arena, &on, &e), &e);
	assert_true(on);
	change(f, "{\"multi_tenant_enabled\":false,\"revoke_tokens_issued_before\":null}");
	s = load(f);
	assert_false(s.multi_tenant);
	assert_true(s.no_auth_checks);
	assert_true(s.revoked_before == NO_TIME);
	/* What says nothing, or is refused, changes nothing. */
	change(f, "{\"nonsense\":1,\"event_hooks\":null}");
	must_fail(try_change(f, "{\"disable_auth_checks\":false,\"webhook_url\":\"x\"}", &e),
		&e, ERR_INPUT, "webhook_url: expected an http");
	assert_int_equal(version(f), 3);
	assert_true(load(f).no_auth_checks);
	fixture_close(f);
	fixture_open(f);
	assert_true(load(f).no_auth_checks);
}

/* ---- hooks ----------------------------------------------------------------------------- */

static const json_t *
hook(struct fixture *f, size_t i)
{
	return json_array_get(json_object_get(load(f).all, "event_hooks"), i);
}

static int64_t
time_of(const json_t *h, const char *name)
{
	return json_integer_value(json_object_get(h, name));
}

static void
hooks_are_replaced(void **state)
{
	struct fixture *f = *state;
	struct str id;
	const json_t *first;
	int64_t made;
	struct err e;

	change(f, "{\"event_hooks\":[{\"webhook_url\":\"http://a\"},{\"hook_type\":\"sns\","
		  "\"sns_topic_arn\":\"arn\",\"sns_secret\":\"hush\"}]}");
	first = hook(f, 0);
	id = jr_text(json_object_get(first, "id"));
	made = time_of(first, "created_at");
	assert_int_equal(id.n, 36);
	assert_true(made > 0 && made == time_of(first, "updated_at"));
	assert_true(json_is_true(json_object_get(first, "enabled")));
	/* As it was: nothing changes; something else: its time does. */
	for (int changed = 0; changed < 2; changed++) {
		change(f, arena_printf(&f->arena,
				  "{\"event_hooks\":[{\"id\":\"%.*s\",\"webhook_url\":\"http://"
				  "a\","
				  "\"enabled\":%s}]}",
				  STR_ARG(id), changed ? "false" : "true")
				  .p);
		assert_true(time_of(hook(f, 0), "created_at") == made);
		assert_int_equal(time_of(hook(f, 0), "updated_at") > made, changed);
		assert_null(hook(f, 1));
	}
	must_fail(try_change(f,
			  "{\"event_hooks\":[{\"webhook_url\":\"http://"
			  "a\"},{\"hook_type\":\"sqs\"}]}",
			  &e),
		&e, ERR_INPUT, "event_hooks[1].sqs_queue_url: is required");
	must_fail(try_change(f, "{\"event_hooks\":{}}", &e), &e, ERR_INPUT,
		"event_hooks: expected an array");
	change(f, "{\"event_hooks\":[{\"webhook_url\":\"\",\"delete\":true}]}");
	assert_null(hook(f, 0));
}

/* ---- live ------------------------------------------------------------------------------ */

static const struct settings *
hold(struct fixture *f, struct settings_live *l, size_t thread)
{
	const struct settings *s;
	struct err e;

	must(settings_hold(l, thread, f->db, &s, &e), &e);
	return s;
}

static void
held_by_threads(void **state)
{
	struct fixture *f = *state;
	const struct settings *mine, *theirs;
	struct settings_live *l;
	struct err e;

	must(settings_live_new(&l, f->db, 2, false, &e), &e);
	mine = hold(f, l, 0);
	theirs = hold(f, l, 1);
	assert_ptr_equal(mine, theirs);
	change(f, "{\"multi_tenant_enabled\":true}");
	/* Nobody else changes this store, so nobody looks before he is told to. */
	assert_false(hold(f, l, 0)->multi_tenant);
	must(settings_live_read(l, f->db, &e), &e);
	assert_true(hold(f, l, 0)->multi_tenant);
	/* What another thread works with stays what it was, until it asks again. */
	assert_false(theirs->multi_tenant);
	assert_int_equal(theirs->version, 0);
	assert_true(hold(f, l, 1)->multi_tenant);
	settings_live_free(l);
	settings_live_free(NULL);
	assert_false(hold(f, NULL, 7)->multi_tenant);
	must(settings_live_read(NULL, f->db, &e), &e);
}

/* Another process changed them: seen within a second, and not asked for at every call. */
static void
shared_with_other_processes(void **state)
{
	struct fixture *f = *state;
	struct settings_live *l;
	int64_t began;
	int early = 0;
	struct err e;

	must(settings_live_new(&l, f->db, 1, true, &e), &e);
	began = clock_mono_us();
	change(f, "{\"multi_tenant_enabled\":true}");
	while (!hold(f, l, 0)->multi_tenant) {
		assert_true(clock_mono_us() - began < 5000000);
		early++;
	}
	/* Thousands of calls fit into the time in which nobody looks. */
	assert_true(early > 10);
	settings_live_free(l);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(defaults),
		WITH_STORE(changes_are_kept),
		WITH_STORE(hooks_are_replaced),
		WITH_STORE(held_by_threads),
		WITH_STORE(shared_with_other_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
