/* test_user_unique – names that nobody else may have. */
#include "domain/settings.h"
#include "domain/user_state.h"
#include "store_fixture.h"

static void
set_mode(struct fixture *f, const char *mode)
{
	struct str body =
		arena_printf(&f->arena, "{\"enforce_unique_usernames\":\"%s\"}", mode);
	struct err e;

	must(settings_change(f->db, &f->arena, parse(f, body.p), &e), &e);
}

static bool
try_put(struct fixture *f, const char *json, struct err *e)
{
	json_t *list = parse(f, json);
	size_t n = json_array_size(list);
	struct user *users = arena_zalloc(&f->arena, n * sizeof(*users));

	for (size_t i = 0; i < n; i++)
		must(user_read(&f->arena, json_array_get(list, i), false, &users[i], e), e);
	return user_upsert(f->db, &f->arena, users, n, e);
}

static void
refuse(struct fixture *f, const char *json, const char *message)
{
	struct err e;

	must_fail(try_put(f, json, &e), &e, ERR_DUPLICATE, message);
}

/* Enters the names of earlier users; returns how many slices that took. */
static int
fill(struct fixture *f)
{
	struct arena scratch;
	struct err e;
	bool more;
	int slices = 0;

	arena_init(&scratch, 4096, SIZE_MAX);
	do {
		must(user_unique_fill(f->db, &scratch, &more, &e), &e);
		slices++;
	} while (more);
	arena_fini(&scratch);
	return slices;
}

static void
off_by_default(void **state)
{
	struct fixture *f = *state;

	put_users(f, "[{\"id\":\"a\",\"name\":\"N\"},{\"id\":\"b\",\"name\":\"N\"}]", NULL);
	assert_int_equal(fill(f), 1);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM user_names", NO_ARGS), 0);
}

static void
in_the_app(void **state)
{
	struct fixture *f = *state;
	struct err e;
	struct str a = STR("a");

	put_users(f, "[{\"id\":\"a\",\"name\":\"A\"},{\"id\":\"b\",\"name\":\"A\"}]", NULL);
	set_mode(f, "app");
	fill(f);
	refuse(f, "[{\"id\":\"c\",\"name\":\"A\"}]",
		"users.c.name: \"A\" is the name of another user");
	refuse(f, "[{\"id\":\"c\",\"name\":\"C\"},{\"id\":\"d\",\"name\":\"C\"}]",
		"users.d.name: \"C\"");
	/* The same id twice is one user; equal bytes make a name, nothing else. */
	put_users(f,
		"[{\"id\":\"c\",\"name\":\"C\"},{\"id\":\"c\",\"name\":\"C\"},"
		"{\"id\":\"d\",\"name\":\"c\"},{\"id\":\"e\"},{\"id\":\"f\",\"name\":\"\"},"
		"{\"id\":\"g\",\"name\":\"\"}]",
		NULL);
	/* Both who were called A before may stay so, whatever else changes. */
	put_users(f, "[{\"id\":\"a\",\"name\":\"A\",\"x\":1},{\"id\":\"b\",\"name\":\"A\"}]",
		NULL);
	/* Free is what nobody is called any more, and what two give each other. */
	put_users(f, "[{\"id\":\"c\",\"name\":\"c\"},{\"id\":\"d\",\"name\":\"C\"}]", NULL);
	refuse(f, "[{\"id\":\"c\",\"name\":\"C\"},{\"id\":\"d\",\"name\":\"C\"}]", "\"C\"");
	put_users(f, "[{\"id\":\"b\",\"name\":\"B\"}]", NULL);
	must(delete_users(f, &a, 1, PURGE_HIDE, &e), &e);
	put_users(f, "[{\"id\":\"e\",\"name\":\"A\"}]", NULL);
	refuse(f, "[{\"id\":\"a\",\"name\":\"A\"}]", "users.a.name");
}

/* Users come back with names that are still theirs. */
static void
coming_back(void **state)
{
	struct fixture *f = *state;
	struct str a = STR("a"), task;
	const struct user_list list = {.ids = &a, .n = 1};
	const struct user_belongings none = {0};
	struct err e;

	set_mode(f, "app");
	put_users(f, "[{\"id\":\"a\",\"name\":\"A\"},{\"id\":\"b\",\"name\":\"B\"}]", NULL);
	must(delete_users(f, &a, 1, PURGE_HIDE, &e), &e);
	must(user_restore(f->db, &f->arena, &list, &e), &e);
	must(delete_users(f, &a, 1, PURGE_HIDE, &e), &e);
	put_users(f, "[{\"id\":\"b\",\"name\":\"A\"}]", NULL);
	must_fail(user_restore(f->db, &f->arena, &list, &e), &e, ERR_DUPLICATE,
		"users.a.name: \"A\"");
	put_users(f, "[{\"id\":\"b\",\"name\":\"B\"}]", NULL);
	must(user_restore(f->db, &f->arena, &list, &e), &e);
	must(user_deactivate(f->db, &f->arena, &list, &none, &task, &e), &e);
	must_fail(user_reactivate(f->db, &f->arena, &list, &none, STR("B"), &task, &e), &e,
		ERR_DUPLICATE, "users.a.name: \"B\"");
	must(user_reactivate(f->db, &f->arena, &list, &none, STR("C"), &task, &e), &e);
	refuse(f, "[{\"id\":\"b\",\"name\":\"C\"}]", "users.b.name");
}

static void
in_a_team(void **state)
{
	struct fixture *f = *state;

	put_users(f,
		"[{\"id\":\"a\",\"name\":\"N\",\"teams\":[\"red\",\"bl\\u00e4u\"]},"
		"{\"id\":\"b\",\"name\":\"N\"}]",
		NULL);
	set_mode(f, "team");
	fill(f);
	refuse(f, "[{\"id\":\"c\",\"name\":\"N\",\"teams\":[\"green\",\"bläu\"]}]",
		"users.c.name: \"N\" is the name of another user of team \"bläu\"");
	put_users(f,
		"[{\"id\":\"c\",\"name\":\"N\",\"teams\":[\"green\"]},"
		"{\"id\":\"d\",\"name\":\"N\"},{\"id\":\"e\",\"name\":\"M\",\"teams\":[\"red\"]"
		"}]",
		NULL);
	/* Who leaves a team leaves his name behind. */
	put_users(f, "[{\"id\":\"a\",\"name\":\"N\",\"teams\":[\"bläu\"]}]", NULL);
	put_users(f, "[{\"id\":\"d\",\"name\":\"N\",\"teams\":[\"red\"]}]", NULL);
	/* Another mode looks at the same users anew. */
	set_mode(f, "app");
	fill(f);
	refuse(f, "[{\"id\":\"x\",\"name\":\"M\"}]", "\"M\"");
	set_mode(f, "no");
	put_users(f, "[{\"id\":\"x\",\"name\":\"M\"}]", NULL);
}

/* Users of before are entered in slices of 5,000 uids, and writes meanwhile are not missed. */
static void
many_who_were_there(void **state)
{
	enum { USERS = 12000 };
	struct fixture *f = *state;
	struct user *users = arena_zalloc(&f->arena, USERS * sizeof(*users));
	struct err e;

	for (int i = 0; i < USERS; i++) {
		users[i].id = arena_printf(&f->arena, "u%d", i);
		users[i].name = arena_printf(&f->arena, "name %d", i);
	}
	must(user_upsert(f->db, &f->arena, users, USERS, &e), &e);
	set_mode(f, "app");
	put_users(f, "[{\"id\":\"early\",\"name\":\"Early\"}]", NULL);
	assert_int_equal(fill(f), 3);
	assert_int_equal(fill(f), 1);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM user_names", NO_ARGS), USERS + 1);
	refuse(f, "[{\"id\":\"x\",\"name\":\"name 11999\"}]", "\"name 11999\"");
	refuse(f, "[{\"id\":\"x\",\"name\":\"Early\"}]", "\"Early\"");
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(off_by_default),
		WITH_STORE(in_the_app),
		WITH_STORE(coming_back),
		WITH_STORE(in_a_team),
		WITH_STORE(many_who_were_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
