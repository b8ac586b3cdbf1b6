/* test_user – users read, written, mentioned, patched, deleted, filtered. */
#include "store_fixture.h"

/* ---- reading JSON ---------------------------------------------------------------- */

static void
read_v1_flattens_custom(void **state)
{
	struct fixture *f = *state;
	struct user u;
	struct err e;

	must(user_read(&f->arena,
		     parse(f, "{\"id\":\"bob\",\"name\":\"Bob\",\"country\":\"USA\",\"age\":7,"
			      "\"banned\":true,\"online\":true,\"created_at\":\"nonsense\","
			      "\"custom\":{\"a\":[1,2.5]},\"gone\":null,"
			      "\"teams\":[\"red\",\"blue\"],\"invisible\":true}"),
		     false, &u, &e),
		&e);
	assert_str(u.id, "bob");
	assert_str(u.name, "Bob");
	assert_null(u.image.p);
	assert_str(u.teams, "[\"red\",\"blue\"]");
	assert_str(u.custom, "{\"country\":\"USA\",\"age\":7,\"custom\":{\"a\":[1,2.5]}}");
	assert_str(u.extra, "{\"invisible\":true}");
	assert_int_equal(u.created_at, NO_TIME);
}

static void
read_v2_nests_custom(void **state)
{
	struct fixture *f = *state;
	struct user u;
	struct err e;

	must(user_read(&f->arena,
		     parse(f,
			     "{\"id\":\"bob\",\"unknown\":1,\"custom\":{\"country\":\"USA\"}}"),
		     true, &u, &e),
		&e);
	assert_str(u.custom, "{\"country\":\"USA\"}");
	must(user_read(&f->arena, parse(f, "{\"id\":\"bob\",\"custom\":{}}"), true, &u, &e),
		&e);
	assert_null(u.custom.p);
	/* It would come back as the field to a v1 client. */
	must_fail(user_read(&f->arena, parse(f, "{\"id\":\"b\",\"custom\":{\"role\":\"x\"}}"),
			  true, &u, &e),
		&e, ERR_INPUT, "custom.role");
}

static void
read_refuses(void **state)
{
	static const char *const cases[][2] = {
		{"[]", "expected an object, got an array"},
		{"{}", "id: is required"},
		{"{\"id\":\"\"}", "id: \"\""},
		{"{\"id\":\"a b\"}", "id: \"a b\""},
		{"{\"id\":7}", "id: expected a string"},
		{"{\"id\":\"a\",\"name\":{}}", "name: expected a string, got an object"},
		{"{\"id\":\"a\",\"teams\":[7]}", "teams[0]: expected a string"},
		{"{\"id\":\"a\",\"teams\":[\"\"]}", "teams[0]"},
		{"{\"id\":\"a\",\"invisible\":1}", "invisible: expected a boolean"},
		{"{\"id\":\"a\",\"privacy_settings\":1}", "privacy_settings: expected an obj"},
		{"{\"id\":\"a\",\"privacy_settings\":{\"read_receipts\":true}}",
			"privacy_settings.read_receipts: expected an obj"},
		{"{\"id\":\"a\",\"privacy_settings\":{\"read_receipts\":{\"enabled\":1}}}",
			"privacy_settings.read_receipts.enabled: expected a bool"},
		{"{\"id\":\"a\",\"teams_role\":[]}", "teams_role: expected an obj"},
		{"{\"id\":\"a\",\"teams_role\":{\"red\":7}}",
			"teams_role.red: expected a role"},
		{"{\"id\":\"a\",\"teams_role\":{\"\":\"x\"}}", "teams_role: expected teams"},
	};
	struct fixture *f = *state;
	char big[USER_CUSTOM_MAX + 64];
	struct user u;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		must_fail(user_read(&f->arena, parse(f, cases[i][0]), false, &u, &e), &e,
			ERR_INPUT, cases[i][1]);
	/* {"k":"…"} is eight bytes longer than its text. */
	snprintf(big, sizeof(big), "{\"id\":\"a\",\"k\":\"%0*d\"}", USER_CUSTOM_MAX - 8, 0);
	must(user_read(&f->arena, parse(f, big), false, &u, &e), &e);
	snprintf(big, sizeof(big), "{\"id\":\"a\",\"k\":\"%0*d\"}", USER_CUSTOM_MAX - 7, 0);
	must_fail(user_read(&f->arena, parse(f, big), false, &u, &e), &e, ERR_INPUT,
		"custom: 5121 bytes");
}

/* ---- upsert and mention ---------------------------------------------------------- */

static void
upsert_numbers_in_order_of_input(void **state)
{
	struct fixture *f = *state;
	struct user *u =
		put_users(f, "[{\"id\":\"zoe\"},{\"id\":\"ann\"},{\"id\":\"mia\"}]", NULL);

	assert_int_equal(u[1].uid, u[0].uid + 1);
	assert_int_equal(u[2].uid, u[0].uid + 2);
	assert_int_not_equal(u[0].created_at, NO_TIME);
	assert_int_equal(u[0].created_at, u[0].updated_at);
}

static void
upsert_replaces_data(void **state)
{
	struct fixture *f = *state;
	struct user first, again, *u;
	struct err e;

	put_users(f, "[{\"id\":\"bob\",\"name\":\"Bob\",\"a\":1}]", NULL);
	must(user_get(f->db, &f->arena, STR("bob"), &first, &e), &e);
	u = put_users(f, "[{\"id\":\"new\"},{\"id\":\"bob\",\"image\":\"i\",\"b\":2}]", NULL);
	assert_int_equal(u[1].created_at, first.created_at);
	must(user_get(f->db, &f->arena, STR("bob"), &again, &e), &e);
	assert_int_equal(again.uid, first.uid);
	assert_int_equal(again.created_at, first.created_at);
	assert_true(again.updated_at >= first.updated_at);
	assert_null(again.name.p);
	assert_str(again.image, "i");
	assert_str(again.custom, "{\"b\":2}");
}

static void
upsert_last_of_the_same_id_wins(void **state)
{
	struct fixture *f = *state;
	struct user *u, got;
	struct err e;

	for (int round = 0; round < 2; round++) {
		u = put_users(f,
			"[{\"id\":\"bob\",\"name\":\"1\"},{\"id\":\"ann\"},"
			"{\"id\":\"bob\",\"name\":\"2\"},{\"id\":\"bob\",\"name\":\"3\"}]",
			NULL);
		assert_int_equal(u[0].uid, u[2].uid);
		assert_int_equal(u[0].uid, u[3].uid);
		assert_int_equal(u[1].uid, u[0].uid + 1);
		must(user_get(f->db, &f->arena, STR("bob"), &got, &e), &e);
		assert_str(got.name, "3");
	}
}

static void
mention_numbers_in_byte_order(void **state)
{
	const struct str ids[] = {STR("zoe"), STR("ann"), STR("zoe"), STR("mia")};
	const struct str more[] = {STR("mia"), STR("unknown"), STR("ann")};
	struct fixture *f = *state;
	int64_t uids[4], found[3];
	struct user u;
	struct err e;

	mention(f, ids, 4, uids);
	assert_int_equal(uids[3], uids[1] + 1);
	assert_int_equal(uids[0], uids[1] + 2);
	assert_int_equal(uids[2], uids[0]);
	must(user_resolve(f->db, &f->arena, more, 3, found, &e), &e);
	assert_int_equal(found[0], uids[3]);
	assert_int_equal(found[1], 0);
	assert_int_equal(found[2], uids[1]);
	must_fail(user_get(f->db, &f->arena, STR("zoe"), &u, &e), &e, ERR_NOT_FOUND,
		"user with id zoe doesn't exist");
}

/* Ids that begin alike, for longer than is looked at first, and end anywhere. */
static void
many_mentions_are_numbered_in_byte_order(void **state)
{
	enum { IDS = 3000, LEN_MAX = 24 };
	struct fixture *f = *state;
	struct str *ids = arena_array(&f->arena, IDS, sizeof(*ids));
	int64_t *uids = arena_array(&f->arena, IDS, sizeof(*uids)), next;
	unsigned seed = 11;

	for (int i = 0; i < IDS; i++) {
		char *p = arena_alloc(&f->arena, LEN_MAX + 1);
		size_t n = 5;

		memcpy(p, "alike", n);
		for (size_t end = n + (size_t)rand_r(&seed) % (LEN_MAX - n); n < end;) {
			struct str piece = rand_r(&seed) % 16 == 0 ? STR("é") : STR("a");

			memcpy(p + n, piece.p, piece.n);
			n += piece.n;
		}
		ids[i] = (struct str){p, n};
	}
	mention(f, ids, IDS, uids);
	next = uids[0];
	for (int i = 0; i < IDS; i++)
		next = MIN_OF(next, uids[i]);
	qsort(ids, IDS, sizeof(*ids), str_cmp_qsort);
	mention(f, ids, IDS, uids);
	for (int i = 0; i < IDS; i++) {
		next += i > 0 && !str_eq(ids[i - 1], ids[i]);
		assert_int_equal(uids[i], next);
	}
}

static void
mentioned_user_begins_with_upsert(void **state)
{
	const struct str ids[] = {STR("bob")};
	struct fixture *f = *state;
	struct user *u, got;
	struct err e;
	int64_t uid;

	mention(f, ids, 1, &uid);
	u = put_users(f, "[{\"id\":\"bob\"}]", NULL);
	assert_int_equal(u[0].uid, uid);
	must(user_get(f->db, &f->arena, STR("bob"), &got, &e), &e);
	assert_int_not_equal(got.created_at, NO_TIME);
}

/* Against a model: random ids, some of them again and again. */
static void
many_upserts_keep_keys(void **state)
{
	enum { IDS = 500, ROUNDS = 20, BATCH = 300 };
	struct fixture *f = *state;
	int64_t uid_of[IDS] = {0};
	struct user users[BATCH];
	unsigned seed = 7;
	struct err e;

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < BATCH; i++) {
			struct str id =
				arena_printf(&f->arena, "user-name-%d", rand_r(&seed) % IDS);

			users[i] = (struct user){.id = id};
		}
		must(user_upsert(f->db, &f->arena, users, BATCH, &e), &e);
		for (int i = 0; i < BATCH; i++) {
			int k = atoi(users[i].id.p + strlen("user-name-"));

			if (uid_of[k] == 0)
				uid_of[k] = users[i].uid;
			assert_int_equal(uid_of[k], users[i].uid);
		}
	}
	for (int i = 0; i < IDS; i++)
		for (int k = i + 1; k < IDS; k++)
			assert_true(uid_of[i] == 0 || uid_of[i] != uid_of[k]);
}

static void
by_uids_keeps_the_order_asked_for(void **state)
{
	struct fixture *f = *state;
	struct user *u = put_users(f, "[{\"id\":\"a\",\"x\":1},{\"id\":\"b\"}]", NULL);
	int64_t uids[] = {u[1].uid, 4711, u[0].uid, u[1].uid};
	struct user *got, one;
	struct err e;

	must(user_by_uids(f->db, &f->arena, uids, 4, &got, &e), &e);
	assert_str(got[0].id, "b");
	assert_int_equal(got[1].uid, 0);
	assert_str(got[2].custom, "{\"x\":1}");
	assert_str(got[3].id, "b");
	must_fail(user_by_uid(f->db, &f->arena, 4711, &one, &e), &e, ERR_NOT_FOUND, "4711");
}

/* ---- partial updates ------------------------------------------------------------- */

static bool
patch(struct fixture *f, const char *id, const char *set, const char *unset, bool nested,
	struct user **out, struct err *e)
{
	struct str gone = str_of(unset);
	struct user_patch p = {.id = str_of(id), .unset = &gone, .nunset = unset != NULL};

	if (set != NULL)
		p.set = parse(f, set);
	return user_patch(f->db, &f->arena, &p, 1, nested, out, e);
}

static void
patch_changes_only_what_is_said(void **state)
{
	struct fixture *f = *state;
	struct user *u, got;
	struct err e;

	put_users(f,
		"[{\"id\":\"bob\",\"name\":\"Bob\",\"role\":\"admin\",\"teams\":[\"t\"],"
		"\"address\":{\"city\":\"Rome\",\"zip\":1},\"color\":\"red\"}]",
		NULL);
	must(patch(f, "bob", "{\"address.city\":\"Oslo\",\"a.b.c\":true,\"image\":\"i\"}",
		     "name", false, &u, &e),
		&e);
	must(user_get(f->db, &f->arena, STR("bob"), &got, &e), &e);
	assert_null(got.name.p);
	assert_str(got.role, "admin");
	assert_str(got.teams, "[\"t\"]");
	assert_str(got.image, "i");
	assert_str(got.custom, "{\"address\":{\"city\":\"Oslo\",\"zip\":1},\"color\":\"red\","
			       "\"a\":{\"b\":{\"c\":true}}}");
	assert_int_equal(got.created_at, u[0].created_at);
	must(patch(f, "bob", NULL, "address.zip", false, &u, &e), &e);
	must(patch(f, "bob", NULL, "nothing.there", false, &u, &e), &e);
	assert_str(u[0].custom, "{\"address\":{\"city\":\"Oslo\"},\"color\":\"red\",\"a\":{"
				"\"b\":{\"c\":true}}}");
}

static void
patch_of_v2_knows_custom(void **state)
{
	struct fixture *f = *state;
	struct user *u;
	struct err e;

	put_users(f, "[{\"id\":\"bob\",\"x\":1}]", NULL);
	must(patch(f, "bob", "{\"custom.y\":2,\"z\":3}", NULL, true, &u, &e), &e);
	assert_str(u[0].custom, "{\"x\":1,\"y\":2,\"z\":3}");
	must(patch(f, "bob", "{\"custom\":{\"only\":1}}", NULL, true, &u, &e), &e);
	assert_str(u[0].custom, "{\"only\":1}");
	must_fail(patch(f, "bob", "{\"custom.name\":\"x\"}", NULL, true, &u, &e), &e, ERR_INPUT,
		"users[0].set.custom.name");
}

static void
patch_revokes_tokens(void **state)
{
	struct fixture *f = *state;
	struct user *u;
	struct err e;

	put_users(f, "[{\"id\":\"bob\"}]", NULL);
	must(patch(f, "bob", "{\"revoke_tokens_issued_before\":\"1970-01-01T00:00:01Z\"}", NULL,
		     false, &u, &e),
		&e);
	assert_int_equal(u[0].revoked_before, 1000000);
	/* A replacement of the data does not give old tokens back. */
	u = put_users(f, "[{\"id\":\"bob\"}]", NULL);
	assert_int_equal(u[0].revoked_before, 1000000);
	must(patch(f, "bob", "{\"revoke_tokens_issued_before\":null}", NULL, false, &u, &e),
		&e);
	assert_int_equal(u[0].revoked_before, NO_TIME);
}

static void
patch_refuses_and_changes_nothing(void **state)
{
	static const char *const cases[][2] = {
		{"{\"id\":\"else\"}", "users[0].set.id"},
		{"{\"color.x\":1}", "color is a string, not an object"},
		{"{\"a..b\":1}", "users[0].set.a..b"},
		{"{\"a.b.c.d.e.f.g.h.i\":1}", "1 to 8 keys"},
		{"{\"name\":7}", "users[0].name: expected a string"},
	};
	struct fixture *f = *state;
	struct user_patch two[2];
	struct user *u, got;
	struct err e;

	put_users(f, "[{\"id\":\"bob\",\"color\":\"red\"}]", NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		must_fail(patch(f, "bob", cases[i][0], NULL, false, &u, &e), &e, ERR_INPUT,
			cases[i][1]);
	two[0] = (struct user_patch){.id = STR("bob"), .set = parse(f, "{\"color\":\"blue\"}")};
	two[1] = (struct user_patch){.id = STR("nobody"), .set = parse(f, "{}")};
	must_fail(user_patch(f->db, &f->arena, two, 2, false, &u, &e), &e, ERR_NOT_FOUND,
		"user with id nobody");
	must(user_get(f->db, &f->arena, STR("bob"), &got, &e), &e);
	assert_str(got.custom, "{\"color\":\"red\"}");
}

/* ---- deletion -------------------------------------------------------------------- */

static void
deleted_user_is_gone_and_can_begin_anew(void **state)
{
	const struct str ids[] = {STR("bob")}, with_unknown[] = {STR("ann"), STR("nobody")};
	struct fixture *f = *state;
	struct user *u = put_users(f, "[{\"id\":\"bob\",\"x\":1},{\"id\":\"ann\"}]", NULL), got;
	int64_t uid = u[0].uid, created_at = u[0].created_at;
	struct err e;

	must_fail(delete_users(f, with_unknown, 2, PURGE_HIDE, &e), &e, ERR_NOT_FOUND,
		"user with id nobody");
	must(user_get(f->db, &f->arena, STR("ann"), &got, &e), &e);
	must(delete_users(f, ids, 1, PURGE_HIDE, &e), &e);
	must_fail(user_get(f->db, &f->arena, ids[0], &got, &e), &e, ERR_NOT_FOUND, "bob");
	must_fail(delete_users(f, ids, 1, PURGE_HIDE, &e), &e, ERR_NOT_FOUND, "bob");
	must(user_by_uid(f->db, &f->arena, uid, &got, &e), &e);
	assert_str(got.custom, "{\"x\":1}");
	must(delete_users(f, ids, 1, PURGE_REMOVE, &e), &e);
	must(user_by_uid(f->db, &f->arena, uid, &got, &e), &e);
	assert_null(got.custom.p);
	u = put_users(f, "[{\"id\":\"bob\"}]", NULL);
	assert_int_equal(u[0].uid, uid);
	must(user_get(f->db, &f->arena, ids[0], &got, &e), &e);
	assert_true(got.created_at > created_at);
	assert_int_equal(got.deleted_at, NO_TIME);
}

/* ---- query ----------------------------------------------------------------------- */

/* The ids that a query finds, in its order, separated by commas. */
static const char *
found_by(struct fixture *f, const char *filter, const char *sort, int64_t limit, int64_t offset,
	bool deactivated)
{
	struct user_query q = {
		.limit = limit, .offset = offset, .include_deactivated = deactivated};
	struct buf ids;
	struct user *users;
	struct err e;
	size_t n;

	if (filter != NULL)
		q.filter = parse(f, filter);
	if (sort != NULL)
		q.sort = parse(f, sort);
	must(user_query(f->db, &f->arena, &q, &users, &n, &e), &e);
	buf_init(&ids, &f->arena, 64);
	for (size_t i = 0; i < n; i++)
		buf_printf(&ids, "%s%.*s", i > 0 ? "," : "", STR_ARG(users[i].id));
	buf_char(&ids, '\0');
	return ids.p;
}

static void
fill(struct fixture *f)
{
	const struct str ghost[] = {STR("ghost")}, gone[] = {STR("gone")};
	int64_t uid;
	struct err e;

	mention(f, ghost, 1, &uid);
	put_users(f,
		"[{\"id\":\"ann\",\"name\":\"Ann Lee\",\"role\":\"admin\",\"country\":\"USA\","
		"\"age\":30,\"teams\":[\"red\",\"blue\"],\"email\":\"ann@x\"},"
		"{\"id\":\"bob\",\"name\":\"Bob\",\"country\":\"USA\",\"age\":17,"
		"\"team\":\"red\",\"username\":\"bobby\"},"
		"{\"id\":\"cid\",\"country\":\"NL\",\"language\":\"nl\",\"tags\":[\"a\",\"b\"]}"
		","
		"{\"id\":\"dea\",\"country\":\"USA\"},{\"id\":\"gone\",\"country\":\"USA\"}]",
		NULL);
	must(delete_users(f, gone, 1, PURGE_HIDE, &e), &e);
	sql_script(f, "UPDATE users SET deactivated_at = 1 WHERE id = 'dea'");
}

static void
query_by_filter(void **state)
{
	static const char *const cases[][2] = {
		{"{}", "cid,bob,ann"},
		{"{\"id\":\"ann\"}", "ann"},
		{"{\"id\":{\"$in\":[\"ann\",\"cid\",\"ghost\",\"gone\"]}}", "cid,ann"},
		{"{\"id\":{\"$ne\":\"ann\"}}", "cid,bob"},
		{"{\"id\":{\"$nin\":[\"ann\",\"bob\"]}}", "cid"},
		{"{\"id\":{\"$gt\":\"ann\",\"$lte\":\"bob\"}}", "bob"},
		{"{\"id\":{\"$autocomplete\":\"an\"}}", "ann"},
		{"{\"id\":null}", ""},
		{"{\"id\":{\"$in\":[\"ann\",\"bob\"]},\"country\":\"USA\",\"age\":17}", "bob"},
		{"{\"$or\":[{\"id\":\"ann\"},{\"id\":{\"$gt\":\"bob\"}}]}", "cid,ann"},
		{"{\"$or\":[{\"id\":\"ann\"},{\"country\":\"NL\"}]}", "cid,ann"},
		{"{\"$and\":[{\"country\":\"USA\"},{\"id\":{\"$gte\":\"b\"}}]}", "bob"},
		{"{\"$nor\":[{\"id\":\"ann\"}]}", "cid,bob"},
		{"{\"name\":{\"$autocomplete\":\"le\"}}", "ann"},
		{"{\"name\":{\"$exists\":false}}", "cid"},
		{"{\"username\":{\"$autocomplete\":\"bob\"}}", "bob"},
		{"{\"email\":{\"$in\":[\"ann@x\",\"y\"]}}", "ann"},
		{"{\"role\":\"user\"}", "cid,bob"},
		{"{\"role\":{\"$in\":[\"admin\"]}}", "ann"},
		{"{\"teams\":{\"$contains\":\"blue\"}}", "ann"},
		{"{\"teams\":{\"$in\":[\"blue\",\"green\"]}}", "ann"},
		{"{\"team\":\"red\"}", "bob,ann"},
		{"{\"banned\":false}", "cid,bob,ann"},
		{"{\"banned\":true}", ""},
		{"{\"shadow_banned\":{\"$ne\":true}}", "cid,bob,ann"},
		{"{\"language\":\"nl\"}", "cid"},
		{"{\"created_at\":{\"$gte\":\"2020-01-01T00:00:00Z\"}}", "cid,bob,ann"},
		{"{\"created_at\":{\"$lt\":\"2020-01-01T00:00:00Z\"}}", ""},
		{"{\"last_active\":{\"$exists\":true}}", ""},
		{"{\"country\":\"USA\"}", "bob,ann"},
		{"{\"age\":{\"$gte\":18}}", "ann"},
		{"{\"tags\":{\"$contains\":\"b\"}}", "cid"},
		{"{\"$or\":[{\"age\":17},{\"country\":\"NL\"}]}", "cid,bob"},
		{"{\"$nor\":[{\"age\":17},{\"country\":\"NL\"}]}", "ann"},
	};
	struct fixture *f = *state;

	fill(f);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = found_by(f, cases[i][0], NULL, 30, 0, false);

		if (strcmp(got, cases[i][1]) != 0)
			print_error("%s\n", cases[i][0]);
		assert_string_equal(got, cases[i][1]);
	}
}

static void
query_by_order_and_place(void **state)
{
	struct fixture *f = *state;

	fill(f);
	assert_string_equal(found_by(f, NULL, NULL, 30, 0, false), "cid,bob,ann");
	assert_string_equal(found_by(f, NULL, NULL, 30, 0, true), "dea,cid,bob,ann");
	assert_string_equal(found_by(f, NULL, "[]", 1, 1, false), "bob");
	assert_string_equal(
		found_by(f, NULL, "[{\"field\":\"id\",\"direction\":1}]", 2, 0, false),
		"ann,bob");
	assert_string_equal(
		found_by(f, NULL, "[{\"field\":\"id\",\"direction\":-1}]", 2, 1, false),
		"bob,ann");
	assert_string_equal(found_by(f, "{\"id\":{\"$gt\":\"ann\"},\"country\":\"USA\"}",
				    "[{\"field\":\"id\"},{\"field\":\"name\"}]", 30, 0, true),
		"bob,dea");
	assert_string_equal(
		found_by(f, NULL, "[{\"field\":\"role\",\"direction\":-1},{\"field\":\"id\"}]",
			30, 0, false),
		"bob,cid,ann");
}

static void
query_refuses(void **state)
{
	static const char *const cases[][2] = {
		{"{\"role\":{\"$autocomplete\":\"x\"}}", "role"},
		{"{\"banned\":{\"$gt\":true}}", "banned"},
		{"{\"language\":{\"$in\":[\"x\"]}}", "language"},
		{"{\"id\":{\"$foo\":1}}", "$foo"},
		{"{\"created_at\":\"yesterday\"}", "created_at"},
	};
	struct fixture *f = *state;
	struct user_query q = {.limit = 30};
	struct user *users;
	struct err e;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		q.filter = parse(f, cases[i][0]);
		must_fail(user_query(f->db, &f->arena, &q, &users, &n, &e), &e, ERR_INPUT,
			cases[i][1]);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(read_v1_flattens_custom),
		TEST(read_v2_nests_custom),
		TEST(read_refuses),
		TEST(upsert_numbers_in_order_of_input),
		TEST(upsert_replaces_data),
		TEST(upsert_last_of_the_same_id_wins),
		TEST(mention_numbers_in_byte_order),
		TEST(many_mentions_are_numbered_in_byte_order),
		TEST(mentioned_user_begins_with_upsert),
		TEST(many_upserts_keep_keys),
		TEST(by_uids_keeps_the_order_asked_for),
		TEST(patch_changes_only_what_is_said),
		TEST(patch_of_v2_knows_custom),
		TEST(patch_revokes_tokens),
		TEST(patch_refuses_and_changes_nothing),
		TEST(deleted_user_is_gone_and_can_begin_anew),
		TEST(query_by_filter),
		TEST(query_by_order_and_place),
		TEST(query_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
