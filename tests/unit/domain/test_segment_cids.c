/* test_segment_cids – segments of channels: rules, who is in them, pages against a model. */
#include "chat_fixture.h"
#include "domain/channel_scan.h"
#include "domain/channel_set.h"
#include "domain/page.h"
#include "domain/segment.h"
#include "domain/segment_cids.h"

#define MANY 120

static const struct app app = {.api_secret = {"0123456789abcdef0123456789abcdef", 32}};

static void
create(struct fixture *f, const char *id, const char *filter, bool all)
{
	struct segment_change c = {
		.id = str_of(id), .type = STR("channel"), .all_sender_channels = all};
	struct segment s;
	struct err e;

	if (filter != NULL)
		c.filter = parse(f, filter);
	must(segment_create(f->db, &f->arena, &c, &s, &e), &e);
	assert_int_equal(s.size_due, filter != NULL);
}

static struct segment
get(struct fixture *f, const char *id)
{
	struct segment s;
	struct err e;

	must(segment_get(f->db, &f->arena, str_of(id), &s, &e), &e);
	return s;
}

static void
add(struct fixture *f, const char *id, const struct str *cids, size_t n)
{
	struct err e;

	must(segment_add_targets(f->db, &f->arena, str_of(id), cids, n, &e), &e);
}

/* How many channels are in it; those of ${nos} among them are counted. */
static int64_t
load(struct fixture *f, const char *id, int64_t sender, int64_t *missing, const int64_t *nos,
	size_t n, size_t *hits)
{
	struct segment s = get(f, id);
	struct channel_set set;
	int64_t count;
	struct err e;

	channel_set_init(&set);
	must(segment_load_channels(f->db, &f->arena, &s, sender, &set, missing, &e), &e);
	*hits = 0;
	for (size_t i = 0; i < n; i++)
		*hits += channel_set_has(&set, nos[i]);
	count = set.n;
	channel_set_fini(&set);
	return count;
}

/* ---- rules --------------------------------------------------------------------------- */

static void
cids_that_are_none(void **state)
{
	static const char *const bad[] = {"", ":", "bob", "messaging:", ":x", "a:b:c", "a b:c",
		"messaging:\xc3\xa4", "messaging:!"};
	static const char *const good[] = {"a:b", "messaging:!members-AAA", "Team_1:x-Y_9"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(segment_cid_valid(str_of(bad[i])));
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(segment_cid_valid(str_of(good[i])));
}

static void
a_list_is_a_set(void **state)
{
	const struct str cids[] = {STR("team:b"), STR("messaging:a"), STR("team:b")};
	struct fixture *f = *state;
	struct err e;

	create(f, "s", NULL, false);
	add(f, "s", cids, 3);
	add(f, "s", cids, 1);
	assert_int_equal(get(f, "s").size, 2);
	must(segment_has_target(f->db, &f->arena, STR("s"), cids[0], &e), &e);
	must_fail(segment_has_target(f->db, &f->arena, STR("s"), STR("team:a"), &e), &e,
		ERR_NOT_FOUND, "team:a");
	must_fail(segment_add_targets(f->db, &f->arena, STR("s"), &STR("bob"), 1, &e), &e,
		ERR_INPUT, "target_ids[0]: \"bob\" is no cid");
	must(segment_remove_targets(f->db, &f->arena, STR("s"), cids, 2, &e), &e);
	assert_int_equal(get(f, "s").size, 0);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM segment_cids", NO_ARGS), 0);
}

/* Piece by piece, by the thread that counts; what is there of others stays. */
static void
lists_of_the_deleted_are_swept(void **state)
{
	const struct str cids[] = {STR("team:a"), STR("team:b"), STR("team:c")};
	struct fixture *f = *state;
	int64_t no;
	bool found;
	struct err e;

	create(f, "s", NULL, false);
	create(f, "t", NULL, false);
	add(f, "s", cids, 3);
	add(f, "t", cids, 2);
	must(segment_delete(f->db, &f->arena, STR("s"), &e), &e);
	must(segment_size_due(f->db, &no, &found, &e), &e);
	assert_true(found);
	must(segment_size_refresh(f->db, &f->arena, no, &e), &e);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM segment_cids", NO_ARGS), 2);
	must(segment_size_due(f->db, &no, &found, &e), &e);
	assert_false(found);
}

/* ---- who is in it ---------------------------------------------------------------------- */

static void
lists_find_living_channels(void **state)
{
	struct str cids[] = {STR("messaging:bob-ann"), STR("messaging:carl-ann"),
		STR("messaging:x"), STR("messaging:y"), STR("team:x"), STR("klingon:x"),
		STR("distinct")};
	struct channel distinct;
	struct fixture *f = *state;
	struct world w;
	int64_t nos[3], missing;
	size_t hits;

	world_make(f, &w);
	put_campaign(f, &w, 1, "", "", "{\"text\":\"x\"}", "{\"type\":\"messaging\"}");
	put_batch(f, &w, 1, 100, &w.bob, 1, T0);
	distinct = make_channel(f, "messaging", NULL, w.ann, &w.bob, 1);
	nos[2] = distinct.no;
	cids[6] = distinct.cid;
	nos[0] = CHANNEL_NO(w.bob, w.form.form);
	nos[1] = make_channel(f, "messaging", "x", w.ann, &w.bob, 1).no;
	make_channel(f, "messaging", "y", w.ann, &w.bob, 1);
	run_sql(f, "UPDATE channels SET deleted_at = 1 WHERE cid = 'messaging:y'");
	create(f, "s", NULL, false);
	add(f, "s", cids, ARRAY_LEN(cids));
	assert_int_equal(load(f, "s", w.ann, &missing, nos, 3, &hits), 3);
	assert_int_equal(hits, 3);
	assert_int_equal(missing, 4);
}

/* By rows, by number, as the sender, as named in a template; but not where he left. */
static void
all_channels_of_a_member(void **state)
{
	struct fixture *f = *state;
	struct world w;
	int64_t uids[3], nos[3], missing, by_row;
	size_t hits;

	world_make(f, &w);
	put_campaign(f, &w, 1, "", "", "{\"text\":\"x\"}",
		"{\"type\":\"messaging\",\"members\":[\"dora\",\"nobody\"]}");
	put_campaign(f, &w, 2, "exclude", "", "{\"text\":\"x\"}", "{\"type\":\"messaging\"}");
	uids[0] = w.bob;
	uids[1] = w.carl;
	put_batch(f, &w, 1, 100, uids, 2, T0);
	put_batch(f, &w, 2, 200, &w.dora, 1, T0);
	for (size_t i = 0; i < 2; i++)
		nos[i] = CHANNEL_NO(uids[i], w.form.form);
	nos[2] = CHANNEL_NO(w.dora, w.form.form);
	by_row = make_channel(f, "messaging", "x", w.carl, &w.dora, 1).no;
	make_channel(f, "messaging", "y", w.carl, &w.carl, 1);
	create(f, "all", NULL, true);
	assert_int_equal(load(f, "all", w.ann, &missing, nos, 3, &hits), 2); /* not of 2 */
	assert_int_equal(hits, 2);
	assert_int_equal(load(f, "all", w.bob, &missing, nos, 3, &hits), 1);
	assert_int_equal(load(f, "all", w.dora, &missing, nos, 3, &hits), 4);
	assert_int_equal(hits, 3);
	assert_int_equal(load(f, "all", w.dora, &missing, &by_row, 1, &hits), 4);
	assert_int_equal(hits, 1);
	run_sql(f,
		"INSERT INTO members (channel, uid, created_at, removed_at) VALUES (%lld, "
		"%lld, 1, 2), (%lld, %lld, 1, 2)",
		(long long)nos[0], (long long)w.ann, (long long)nos[0], (long long)w.bob);
	assert_int_equal(load(f, "all", w.ann, &missing, nos, 3, &hits), 1);
	assert_int_equal(load(f, "all", w.bob, &missing, nos, 3, &hits), 0);
	run_sql(f, "UPDATE channels SET deleted_at = 1 WHERE no = %lld", (long long)nos[1]);
	assert_int_equal(load(f, "all", w.ann, &missing, nos, 3, &hits), 0);
}

static void
filters_go_through_all(void **state)
{
	static const struct {
		const char *filter;
		int64_t n;
	} cases[] = {
		{"{\"type\":\"messaging\"}", 1000 + 2},
		{"{\"type\":\"team\"}", 500},
		{"{\"shelf\":1}", 2},
		{"{\"members\":{\"$in\":[\"ann\"]}}", 2},
		{"{\"members\":[\"ann\",\"bob\"]}", 1},
		{"{\"members\":{\"$in\":[\"nobody\"]}}", 0},
		{"{\"id\":{\"$in\":[\"x1\",\"x2\"]},\"type\":\"team\"}", 1},
		{"{\"id\":{\"$in\":[\"x1\",\"x2\"]}}", 2},
		{"{\"cid\":{\"$in\":[\"team:x1\",\"messaging:x1\",\"oops\"]}}", 1},
		{"{\"last_message_at\":{\"$exists\":true}}", 2},
		{"{\"joined\":true}", 0},
		{"{\"cid\":{\"$gte\":\"team:\"}}", 500},
	};
	struct fixture *f = *state;
	struct world w;
	int64_t uids[2], missing;
	size_t hits;

	world_make(f, &w);
	put_campaign(f, &w, 1, "", "", "{\"text\":\"x\"}",
		"{\"type\":\"messaging\",\"custom\":{\"shelf\":1}}");
	uids[0] = w.bob;
	uids[1] = w.carl;
	put_batch(f, &w, 1, 100, uids, 2, T0);
	/* More than a slice: homes from 1000 on, every third of type team. */
	for (int i = 0; i < 1500; i += 500) {
		struct buf sql;

		buf_init(&sql, &f->arena, 65536);
		buf_str(&sql,
			STR("INSERT INTO channels (no, origin, created_at, cid) VALUES "));
		for (int k = i; k < i + 500; k++)
			buf_printf(&sql, "%s(%d, 0, 1, '%s:x%d')", k > i ? "," : "",
				(1000 + k) << FORM_BITS, k % 3 == 1 ? "team" : "messaging", k);
		buf_char(&sql, '\0');
		sql_script(f, sql.p);
	}
	sql_script(f,
		"INSERT INTO channel_ids (cid, no) SELECT cid, no FROM channels WHERE cid IS "
		"NOT NULL");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *id = arena_printf(&f->arena, "f%zu", i).p;
		struct segment s;
		struct err e;

		create(f, id, cases[i].filter, false);
		if (load(f, id, w.ann, &missing, NULL, 0, &hits) != cases[i].n)
			print_error("%s\n", cases[i].filter);
		assert_int_equal(load(f, id, w.ann, &missing, NULL, 0, &hits), cases[i].n);
		s = get(f, id);
		must(segment_size_refresh(f->db, &f->arena, s.no, &e), &e);
		assert_int_equal(get(f, id).size, cases[i].n);
	}
}

/* ---- pages against a model --------------------------------------------------------------- */

static void
page_through(struct fixture *f, const char *id, const struct str *cids, size_t n, int64_t limit,
	int direction)
{
	struct page_ask ask = {.limit = limit};
	struct page_links links = {STR_NONE, STR_NONE};
	struct segment_target *targets;
	size_t seen = 0, count;
	struct err e;

	ask.sort = parse(f, direction > 0 ? "[{\"field\":\"target_id\"}]"
					  : "[{\"field\":\"target_id\",\"direction\":-1}]");
	do {
		must(segment_query_targets(f->db, &f->arena, &app, str_of(id), &ask, &targets,
			     &count, &links, &e),
			&e);
		assert_int_equal(links.prev.p != NULL, seen > 0);
		for (size_t i = 0; i < count; i++, seen++) {
			struct str want = cids[direction > 0 ? seen : n - 1 - seen];

			assert_true(str_eq(targets[i].id, want));
		}
		assert_true(links.next.p == NULL || (int64_t)count == limit);
		ask.next = links.next;
	} while (links.next.p != NULL);
	assert_int_equal(seen, n);
}

static void
pages(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct str cids[MANY];
	const struct str *shuffled[MANY];

	world_make(f, &w);
	create(f, "list", NULL, false);
	create(f, "filter", "{\"type\":\"team\"}", false);
	for (int i = 0; i < MANY; i++) {
		cids[i] = arena_printf(&f->arena, "team:k%03d", i);
		shuffled[(i * 77) % MANY] = &cids[i];
	}
	for (int i = 0; i < MANY; i++) {
		add(f, "list", shuffled[i], 1);
		make_channel(f, "team", str_sub(*shuffled[i], 5, 4).p, w.ann, &w.bob, 1);
	}
	for (int64_t limit = 1; limit <= MANY + 1; limit += 17) {
		page_through(f, "list", cids, MANY, limit, 1);
		page_through(f, "list", cids, MANY, limit, -1);
		page_through(f, "filter", cids, MANY, limit, 1);
		page_through(f, "filter", cids, MANY, limit, -1);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cids_that_are_none),
		TEST(a_list_is_a_set),
		TEST(lists_of_the_deleted_are_swept),
		TEST(lists_find_living_channels),
		TEST(all_channels_of_a_member),
		TEST(filters_go_through_all),
		TEST(pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
