/* test_user_connect – a user as his own client says: made, merged, seen, and most often not
 * written. */
#include "base/clock.h"
#include "domain/event.h"
#include "store_fixture.h"

static bool
try_connect(
	struct fixture *f, const char *id, const char *details, struct user *out, struct err *e)
{
	json_t *tree = NULL;

	if (details != NULL)
		must(jr_parse(&f->arena, str_of(details), &tree, e), e);
	return user_connect(f->db, &f->arena, str_of(id), tree, out, e);
}

static struct user
connect_as(struct fixture *f, const char *id, const char *details)
{
	struct user told, stored;
	struct err e;

	must(try_connect(f, id, details, &told, &e), &e);
	must(user_get(f->db, &f->arena, str_of(id), &stored, &e), &e);
	/* What the caller is given is what is there. */
	assert_int_equal(told.uid, stored.uid);
	assert_true(str_eq(told.name, stored.name) && str_eq(told.role, stored.role));
	assert_int_equal(told.created_at, stored.created_at);
	assert_int_equal(told.updated_at, stored.updated_at);
	assert_int_equal(told.last_active, stored.last_active);
	return stored;
}

static int64_t
events(struct fixture *f)
{
	return sql_int(f->db, "SELECT count(*) FROM events", NO_ARGS);
}

static void
who_is_new_is_made(void **state)
{
	struct user u = connect_as(*state, "ann",
		"{\"id\":\"ann\",\"name\":\"Ann\",\"role\":\"admin\",\"teams\":[\"red\"],\"x\":"
		"1,"
		"\"online\":true,\"created_at\":\"x\",\"image\":null}");

	assert_str(u.name, "Ann");
	assert_str(u.custom, "{\"x\":1}");
	assert_null(u.role.p);
	assert_null(u.teams.p);
	assert_null(u.image.p);
	assert_true(u.last_active != NO_TIME && user_is_live(&u));
	u = connect_as(*state, "bob", NULL);
	assert_null(u.name.p);
}

/* The name of a target that was never a user, with the same key. */
static void
who_was_mentioned_begins(void **state)
{
	struct fixture *f = *state;
	int64_t uid;

	sql_script(f, "INSERT INTO user_ids (id, uid) VALUES ('eve', 900)");
	sql_script(f, "INSERT INTO users (uid, id) VALUES (900, 'eve')");
	uid = connect_as(f, "eve", "{\"name\":\"Eve\"}").uid;
	assert_int_equal(uid, 900);
}

static void
what_is_not_said_stays(void **state)
{
	struct fixture *f = *state;
	struct user before, u;

	put_users(f,
		"[{\"id\":\"ann\",\"name\":\"Ann\",\"role\":\"admin\",\"teams\":[\"red\"],"
		"\"x\":1,\"y\":[2]}]",
		NULL);
	before = connect_as(f, "ann", "{\"name\":\"Ann\",\"y\":[2],\"role\":\"user\"}");
	u = connect_as(f, "ann", "{\"y\":[3],\"teams\":[],\"x\":null}");
	assert_str(u.name, "Ann");
	assert_str(u.role, "admin");
	assert_str(u.teams, "[\"red\"]");
	assert_non_null(strstr(u.custom.p, "\"x\":1"));
	assert_non_null(strstr(u.custom.p, "\"y\":[3]"));
	assert_true(u.updated_at > before.updated_at);
	assert_int_equal(u.created_at, before.created_at);
}

/* Nothing new within the minute: not a row is written; his other clients hear of what is. */
static void
who_says_nothing_new_is_not_written(void **state)
{
	struct fixture *f = *state;
	struct user first = connect_as(f, "ann", "{\"b\":1,\"a\":2}"), u;
	int64_t told = events(f);

	u = connect_as(f, "ann", "{\"a\":2,\"b\":1}");
	assert_int_equal(u.last_active, first.last_active);
	assert_int_equal(u.updated_at, first.updated_at);
	sql_script(f, "UPDATE users SET last_active = last_active - 61000000");
	u = connect_as(f, "ann", NULL);
	assert_true(u.last_active > first.last_active);
	assert_int_equal(u.updated_at, first.updated_at);
	assert_int_equal(events(f), told);
	connect_as(f, "ann", "{\"a\":3}");
	assert_int_equal(events(f), told + 1);
}

static void
who_is_refused(void **state)
{
	static const struct {
		const char *details, *text;
	} cases[] = {
		{"{\"name\":7}", "user_details.name"},
		{"{\"image\":[]}", "user_details.image"},
		{"{\"language\":{}}", "user_details.language"},
		{"{\"invisible\":\"x\"}", "user_details.invisible"},
		{"{\"privacy_settings\":1}", "user_details.privacy_settings"},
	};
	struct fixture *f = *state;
	struct user u;
	struct err e;

	connect_as(f, "bob", NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int is_new = 0; is_new < 2; is_new++)
			must_fail(try_connect(
					  f, is_new ? "new" : "bob", cases[i].details, &u, &e),
				&e, ERR_INPUT, cases[i].text);
	sql_script(f, "UPDATE users SET deleted_at = 1 WHERE id = 'bob'");
	must_fail(try_connect(f, "bob", NULL, &u, &e), &e, ERR_NOT_FOUND, "deleted");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			who_is_new_is_made, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			who_was_mentioned_begins, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			what_is_not_said_stays, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			who_says_nothing_new_is_not_written, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			who_is_refused, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
