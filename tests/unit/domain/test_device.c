/* test_device – devices of one user and of many. */
#include "domain/device.h"
#include "store_fixture.h"

static void
add(struct fixture *f, int64_t uid, struct str id)
{
	struct device d = {.uid = uid, .id = id, .provider = STR("apn")};
	struct err e;

	must(device_add(f->db, &d, &e), &e);
}

/* Grouped in the order asked for; who has none, or is nobody, has an empty group. */
static void
of_many_users(void **state)
{
	struct fixture *f = *state;
	struct user *u = put_users(f,
		"[{\"id\":\"ann\"},{\"id\":\"bob\"},{\"id\":\"cid\"},{\"id\":\"dan\"}]", NULL);
	const int64_t asked[] = {0, u[2].uid, u[1].uid, u[0].uid, u[3].uid, u[2].uid};
	struct device *devices;
	size_t *first;
	struct err e;

	add(f, u[0].uid, STR("a1"));
	add(f, u[2].uid, STR("c1"));
	add(f, u[2].uid, STR("c2"));
	must(device_list_many(f->db, &f->arena, asked, 6, &devices, &first, &e), &e);
	for (size_t i = 0; i <= 6; i++)
		assert_int_equal(first[i], ((const size_t[]){0, 0, 2, 2, 3, 3, 5})[i]);
	assert_str(devices[0].id, "c1");
	assert_str(devices[1].id, "c2");
	assert_str(devices[2].id, "a1");
	assert_int_equal(devices[2].uid, u[0].uid);
	assert_str(devices[4].id, "c2");
	must(device_list_many(f->db, &f->arena, asked, 0, &devices, &first, &e), &e);
	assert_int_equal(first[0], 0);
}

static void
the_longest_unseen_goes(void **state)
{
	struct fixture *f = *state;
	struct user *u = put_users(f, "[{\"id\":\"ann\"},{\"id\":\"bob\"}]", NULL);
	struct device *devices;
	size_t n;
	struct err e;

	add(f, u[1].uid, STR("other"));
	for (int i = 0; i < DEVICE_MAX + 3; i++) {
		add(f, u[0].uid, arena_printf(&f->arena, "d%02d", i));
		add(f, u[0].uid, STR("d00"));
	}
	must(device_list(f->db, &f->arena, u[0].uid, &devices, &n, &e), &e);
	assert_int_equal(n, DEVICE_MAX);
	assert_str(devices[0].id, "d00");
	assert_str(devices[1].id, "d04");
	must(device_list(f->db, &f->arena, u[1].uid, &devices, &n, &e), &e);
	assert_int_equal(n, 1);
}

/* Registering it again makes a device good that the push service had refused. */
static void
registered_again_it_is_no_longer_disabled(void **state)
{
	struct fixture *f = *state;
	struct user *u = put_users(f, "[{\"id\":\"ann\"}]", NULL);
	struct device *devices;
	size_t n;
	struct err e;

	add(f, u[0].uid, STR("d"));
	sql_script(f, "UPDATE devices SET disabled_at = 7, disabled_reason = 'Unregistered'");
	must(device_list(f->db, &f->arena, u[0].uid, &devices, &n, &e), &e);
	assert_int_equal(devices[0].disabled_at, 7);
	assert_str(devices[0].disabled_reason, "Unregistered");
	add(f, u[0].uid, STR("d"));
	must(device_list(f->db, &f->arena, u[0].uid, &devices, &n, &e), &e);
	assert_int_equal(devices[0].disabled_at, NO_TIME);
	assert_null(devices[0].disabled_reason.p);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(of_many_users),
		TEST(the_longest_unseen_goes),
		TEST(registered_again_it_is_no_longer_disabled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
