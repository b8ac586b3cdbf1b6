/* test_user_state – users deleted, restored, deactivated, reactivated, and the work that it
 * leaves. */
#include "domain/claim.h"
#include "domain/purge.h"
#include "domain/task.h"
#include "store_fixture.h"

static const struct str both[] = {STR_INIT("ann"), STR_INIT("bob"), STR_INIT("ann")};

static int
setup(void **state)
{
	fixture_setup(state);
	put_users(*state,
		"[{\"id\":\"ann\",\"name\":\"Ann\",\"x\":1,\"invisible\":true},{\"id\":\"bob\"}"
		","
		"{\"id\":\"cid\"}]",
		NULL);
	return 0;
}

static struct user
look(struct fixture *f, const char *id)
{
	struct str name = str_of(id);
	struct user u;
	int64_t uid;
	struct err e;

	must(user_resolve(f->db, &f->arena, &name, 1, &uid, &e), &e);
	must(user_by_uid(f->db, &f->arena, uid, &u, &e), &e);
	return u;
}

/* The work of the newest task; false: it has none. */
static bool
work_left(struct fixture *f, struct purge *out)
{
	struct task_job job;
	bool found;
	struct err e;

	must(task_next(f->db, &f->arena, &job, &found, &e), &e);
	if (found) {
		assert_str(job.kind, "purge");
		must(purge_read(&f->arena, job.work, out, &e), &e);
	}
	return found;
}

static void
forget_tasks(struct fixture *f)
{
	sql_script(f, "DELETE FROM tasks");
}

/* ---- work as JSON ------------------------------------------------------------------ */

static void
work_is_read_as_written(void **state)
{
	static const char *const bad[] = {"", "[]", "{}", "{\"messages\":\"keep\"}",
		"{\"messages\":\"burn\",\"conversations\":\"keep\",\"until\":1,\"new_owner\":0,"
		"\"users\":[]"
		"}",
		"{\"messages\":\"hide\",\"conversations\":\"keep\",\"until\":1,\"new_owner\":0,"
		"\"users\":["
		"1]}",
		"{\"messages\":\"hide\",\"conversations\":\"keep\",\"until\":1,\"new_owner\":0,"
		"\"users\":[{"
		"\"uid\":0,\"stamp\":1}]}"};
	struct purge_user users[] = {{7, 1700000000000001}, {9, -5}};
	struct purge p = {PURGE_EMPTY, PURGE_REMOVE, 99, 12, users, 2}, got;
	struct fixture *f = *state;
	struct err e;

	must(purge_read(&f->arena, purge_write(&f->arena, &p), &got, &e), &e);
	assert_int_equal(got.messages, PURGE_EMPTY);
	assert_int_equal(got.conversations, PURGE_REMOVE);
	assert_int_equal(got.until, 99);
	assert_int_equal(got.new_owner, 12);
	assert_int_equal(got.nusers, 2);
	assert_memory_equal(got.users, users, sizeof(users));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		must_fail(purge_read(&f->arena, str_of(bad[i]), &got, &e), &e, ERR_BUG,
			"cannot be read");
}

/* ---- deletion ---------------------------------------------------------------------- */

static void
deletion_hides_forgets_and_leaves_work(void **state)
{
	struct fixture *f = *state;
	struct user_list list = {.ids = both, .n = 3};
	struct user_deletion d = {.user = PURGE_HIDE};
	struct str task;
	struct purge p;
	struct user u;
	struct err e;

	must(user_delete(f->db, &f->arena, &list, &d, &task, &e), &e);
	assert_null(task.p); /* nothing left, nothing asked for */
	u = look(f, "ann");
	assert_false(user_is_live(&u));
	assert_str(u.name, "Ann");
	must_fail(user_delete(f->db, &f->arena, &list, &d, &task, &e), &e, ERR_NOT_FOUND,
		"user with id ann");

	/* Again, to forget: the mark keeps its time. */
	d = (struct user_deletion){
		.user = PURGE_REMOVE, .messages = PURGE_REMOVE, .new_owner = STR("cid")};
	must(user_delete(f->db, &f->arena, &list, &d, &task, &e), &e);
	assert_int_equal(look(f, "ann").deleted_at, u.deleted_at);
	assert_null(look(f, "ann").name.p);
	assert_null(look(f, "ann").custom.p);
	assert_true(work_left(f, &p));
	assert_int_equal(p.messages, PURGE_REMOVE);
	assert_int_equal(p.conversations, PURGE_KEEP);
	assert_int_equal(p.new_owner, look(f, "cid").uid);
	assert_int_equal(p.nusers, 2); /* who is named twice is meant once */
	assert_int_equal(p.users[0].uid, u.uid);
	assert_int_equal(p.users[0].stamp, u.deleted_at);

	/* Only channels of who is removed find a new owner. */
	put_users(f, "[{\"id\":\"ann\"}]", NULL);
	forget_tasks(f);
	list.n = 1;
	d.user = PURGE_HIDE;
	must(user_delete(f->db, &f->arena, &list, &d, &task, &e), &e);
	assert_true(work_left(f, &p));
	assert_int_equal(p.new_owner, 0);
}

static void
a_task_without_work_is_done(void **state)
{
	struct fixture *f = *state;
	struct user_list list = {.ids = both, .n = 3, .wants_task = true};
	struct user_deletion d = {.user = PURGE_HIDE};
	struct str id;
	struct task t;
	struct purge p;
	struct err e;

	must(user_delete(f->db, &f->arena, &list, &d, &id, &e), &e);
	must(task_get(f->db, &f->arena, id, &t, &e), &e);
	assert_str(t.status, "completed");
	assert_str(t.result, "{\"ann\":{\"status\":\"ok\"},\"bob\":{\"status\":\"ok\"}}");
	assert_false(work_left(f, &p));
}

/* All or none, and no task. */
static void
refused_calls_change_nothing(void **state)
{
	const struct str odd[] = {STR("ann"), STR("nobody")}, one[] = {STR("ann")};
	struct fixture *f = *state;
	struct user_list list = {.ids = odd, .n = 2, .wants_task = true};
	struct user_list good = {.ids = one, .n = 1, .wants_task = true};
	struct user_deletion d = {.user = PURGE_REMOVE};
	struct user_belongings all = {true, true};
	struct str task;
	int64_t uid;
	struct err e;

	mention(f, &odd[1], 1, &uid);
	must_fail(user_delete(f->db, &f->arena, &list, &d, &task, &e), &e, ERR_NOT_FOUND,
		"nobody");
	must_fail(user_deactivate(f->db, &f->arena, &list, &all, &task, &e), &e, ERR_NOT_FOUND,
		"nobody");
	must_fail(user_restore(f->db, &f->arena, &list, &e), &e, ERR_NOT_FOUND, "nobody");
	d.new_owner = STR("nobody");
	must_fail(user_delete(f->db, &f->arena, &good, &d, &task, &e), &e, ERR_NOT_FOUND,
		"nobody");
	d.new_owner = STR("ann");
	must_fail(user_delete(f->db, &f->arena, &good, &d, &task, &e), &e, ERR_INPUT,
		"new_channel_owner_id");
	must_fail(user_reactivate(f->db, &f->arena, &good, &all, STR_NONE, &task, &e), &e,
		ERR_INPUT, "\"ann\" is not deactivated");
	assert_int_equal(sql_int(f->db,
				 "SELECT COUNT(*) FROM users WHERE deleted_at IS NOT NULL OR "
				 "deactivated_at IS NOT NULL OR (id = 'ann' AND name IS NULL)",
				 NO_ARGS),
		0);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM tasks", NO_ARGS), 0);
}

static void
restored_as_they_were(void **state)
{
	struct fixture *f = *state;
	struct user_list list = {.ids = both, .n = 3};
	struct user u = look(f, "ann");
	struct err e;

	must_fail(user_restore(f->db, &f->arena, &list, &e), &e, ERR_INPUT,
		"user \"ann\" is not deleted, it can't be restored");
	must(delete_users(f, both, 3, PURGE_HIDE, &e), &e);
	must(user_restore(f->db, &f->arena, &list, &e), &e);
	assert_int_equal(look(f, "ann").deleted_at, NO_TIME);
	assert_int_equal(look(f, "ann").created_at, u.created_at);
	assert_str(look(f, "ann").custom, "{\"x\":1}");
	assert_str(look(f, "ann").extra, "{\"invisible\":true}");

	must(delete_users(f, both, 3, PURGE_EMPTY, &e), &e);
	must_fail(user_restore(f->db, &f->arena, &list, &e), &e, ERR_INPUT,
		"\"ann\" was deleted with its data");
	/* Created anew he can be deleted and restored again. */
	put_users(f, "[{\"id\":\"ann\"},{\"id\":\"bob\"}]", NULL);
	must(delete_users(f, both, 3, PURGE_HIDE, &e), &e);
	must(user_restore(f->db, &f->arena, &list, &e), &e);
}

/* ---- deactivation ------------------------------------------------------------------ */

static void
deactivated_and_back(void **state)
{
	struct fixture *f = *state;
	struct user_list list = {.ids = both, .n = 3}, one = {.ids = both, .n = 1};
	struct user_belongings none = {0}, all = {true, true};
	struct str task;
	struct purge p;
	int64_t at;
	struct err e;

	must(user_deactivate(f->db, &f->arena, &list, &none, &task, &e), &e);
	assert_null(task.p);
	at = look(f, "ann").deactivated_at;
	assert_int_not_equal(at, NO_TIME);
	assert_int_equal(look(f, "bob").deactivated_at, at);

	/* The second time keeps the mark, and what it hides has the same. */
	must(user_deactivate(f->db, &f->arena, &one, &all, &task, &e), &e);
	assert_non_null(task.p);
	assert_int_equal(look(f, "ann").deactivated_at, at);
	assert_true(work_left(f, &p));
	assert_int_equal(p.messages, PURGE_HIDE);
	assert_int_equal(p.conversations, PURGE_HIDE);
	assert_int_equal(p.users[0].stamp, at);
	forget_tasks(f);

	must(user_reactivate(f->db, &f->arena, &one, &all, STR("New"), &task, &e), &e);
	assert_int_equal(look(f, "ann").deactivated_at, NO_TIME);
	assert_str(look(f, "ann").name, "New");
	assert_true(work_left(f, &p));
	assert_int_equal(p.messages, PURGE_SHOW);
	assert_int_equal(p.users[0].stamp, at);
	must_fail(user_reactivate(f->db, &f->arena, &list, &all, STR_NONE, &task, &e), &e,
		ERR_INPUT, "\"ann\" is not deactivated");
	assert_int_equal(look(f, "bob").deactivated_at, at);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(work_is_read_as_written),
		TEST(deletion_hides_forgets_and_leaves_work),
		TEST(a_task_without_work_is_done),
		TEST(refused_calls_change_nothing),
		TEST(restored_as_they_were),
		TEST(deactivated_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
