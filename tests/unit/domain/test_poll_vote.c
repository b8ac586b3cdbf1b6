/* test_poll_vote – votes: cast, taken back, counted, found. */
#include "poll_fixture.h"

/* ---- votes ------------------------------------------------------------------------------ */

static void
votes_are_counted_once(void **state)
{
	struct fixture *f = *state;
	struct poll_vote first, again;
	struct poll_edit d;
	struct world w;
	struct poll p;
	struct err e;

	world_make(f, &w);
	d = lettered(f, "abc");
	d.max_votes_allowed = 2;
	create(f, &d, w.ann);
	first = vote(f, "p", "a", w.bob);
	assert_int_equal(first.id.n, 36);
	assert_str(first.option_id, "a");
	again = vote(f, "p", "a", w.bob);
	assert_int_equal(again.key, first.key);
	assert_int_equal(again.cast_at, first.cast_at);
	vote(f, "p", "b", w.bob);
	must_fail(try_vote(f, "p", "c", w.bob, &again, &e), &e, ERR_INPUT,
		"2 votes in poll with id p, which allows 2");
	vote(f, "p", "a", w.bob); /* one he has is no third */
	vote(f, "p", "b", w.carl);
	p = get(f, "p", w.bob);
	assert_int_equal(p.votes, 3);
	assert_int_equal(votes_of(&p, "a"), 1);
	assert_int_equal(votes_of(&p, "b"), 2);
	assert_int_equal(p.own.n, 2);
	assert_str(p.own.v[0].option_id, "a");
	assert_int_equal(p.latest.n, 3);
	assert_int_equal(p.latest.v[1].uid, w.carl); /* the newer one for b */
	assert_int_equal(get(f, "p", 0).own.n, 0);
	recount(f, "p");
}

static void
a_unique_vote_moves(void **state)
{
	struct fixture *f = *state;
	struct poll_vote first, second;
	struct poll_edit d;
	struct world w;
	struct poll p;

	world_make(f, &w);
	d = lettered(f, "abc");
	d.enforce_unique_vote = 1;
	create(f, &d, w.ann);
	first = vote(f, "p", "a", w.bob);
	second = vote(f, "p", "b", w.bob);
	assert_int_equal(second.key, first.key);
	assert_true(second.cast_at >= first.cast_at);
	p = get(f, "p", w.bob);
	assert_int_equal(p.votes, 1);
	assert_int_equal(votes_of(&p, "a"), 0);
	assert_int_equal(votes_of(&p, "b"), 1);
	/* Votes from a time when there could be many become one. */
	d = POLL_EDIT_NONE;
	d.enforce_unique_vote = 0;
	update(f, "p", &d, false);
	vote(f, "p", "a", w.bob);
	vote(f, "p", "c", w.bob);
	d.enforce_unique_vote = 1;
	update(f, "p", &d, false);
	assert_int_equal(get(f, "p", 0).votes, 3);
	assert_str(vote(f, "p", "c", w.bob).option_id, "c");
	p = get(f, "p", w.bob);
	assert_int_equal(p.votes, 1);
	assert_int_equal(votes_of(&p, "c"), 1);
	recount(f, "p");
}

static void
one_answer_each(void **state)
{
	struct fixture *f = *state;
	struct poll_vote first, second, v;
	struct poll_edit d;
	struct world w;
	struct poll p;
	struct err e;

	world_make(f, &w);
	d = lettered(f, "a");
	d.enforce_unique_vote = 1;
	create(f, &d, w.ann);
	must_fail(try_answer(f, "p", "hm", w.bob, &v, &e), &e, ERR_INPUT, "takes no answers");
	d = POLL_EDIT_NONE;
	d.allow_answers = 1;
	update(f, "p", &d, false);
	first = answer(f, "p", "one", w.bob);
	second = answer(f, "p", "two", w.bob);
	vote(f, "p", "a", w.bob);
	answer(f, "p", "other", w.carl);
	assert_int_equal(first.key, second.key);
	p = get(f, "p", w.bob);
	assert_int_equal(p.answers, 2);
	assert_int_equal(p.votes, 1);
	assert_int_equal(p.own.n, 2);
	assert_int_equal(p.latest.n, 3);
	assert_str(p.latest.v[0].option_id, "a");
	assert_null(p.latest.v[0].answer.p);
	assert_str(p.latest.v[1].answer, "other");
	assert_null(p.latest.v[1].option_id.p);
	assert_str(p.latest.v[2].answer, "two");
	must_fail(try_answer(f, "p", "", w.bob, &v, &e), &e, ERR_INPUT, "vote.answer_text");
	recount(f, "p");
}

static void
votes_are_refused(void **state)
{
	struct fixture *f = *state;
	struct poll_vote v, mine;
	struct poll_edit d;
	struct world w;
	struct err e;

	world_make(f, &w);
	d = lettered(f, "a");
	d.allow_answers = 1;
	create(f, &d, w.ann);
	mine = vote(f, "p", "a", w.bob);
	must_fail(try_vote(f, "none", "a", w.bob, &v, &e), &e, ERR_NOT_FOUND,
		"poll with id none doesn't exist");
	must_fail(try_vote(f, "p", "z", w.bob, &v, &e), &e, ERR_NOT_FOUND,
		"vote.option_id: option with id z doesn't exist");
	d = POLL_EDIT_NONE;
	d.is_closed = 1;
	update(f, "p", &d, false);
	must_fail(try_vote(f, "p", "a", w.carl, &v, &e), &e, ERR_INPUT, "closed");
	must_fail(try_answer(f, "p", "x", w.carl, &v, &e), &e, ERR_INPUT, "closed");
	must_fail(poll_remove_vote(
			  f->db, &f->arena, &app, STR("p"), mine.id, NULL, w.bob, &v, &e),
		&e, ERR_INPUT, "closed");
	recount(f, "p");
}

static void
votes_are_taken_back(void **state)
{
	struct fixture *f = *state;
	struct poll_vote a, b, text, out;
	struct poll_edit d;
	struct world w;
	struct poll p;
	struct err e;

	world_make(f, &w);
	d = lettered(f, "ab");
	d.allow_answers = 1;
	create(f, &d, w.ann);
	d.id = STR("other");
	create(f, &d, w.ann);
	a = vote(f, "p", "a", w.bob);
	b = vote(f, "p", "b", w.bob);
	text = answer(f, "p", "hm", w.bob);
#define REMOVE(poll, id, by) \
	poll_remove_vote(f->db, &f->arena, &app, STR(poll), id, NULL, by, &out, &e)
	must_fail(REMOVE("p", a.id, w.carl), &e, ERR_DENIED, "cast by another user");
	must_fail(REMOVE("other", a.id, w.bob), &e, ERR_NOT_FOUND, "doesn't exist in poll");
	must_fail(REMOVE("p", STR("x"), w.bob), &e, ERR_NOT_FOUND, "vote with id x");
	/* Of the form of the ids of messages. */
	must_fail(REMOVE("p", message_wire_id(&f->arena, &app, a.key, STR_NONE), w.bob), &e,
		ERR_NOT_FOUND, "vote with id");
	must(REMOVE("p", a.id, w.bob), &e);
	assert_int_equal(out.key, a.key);
	assert_str(out.option_id, "a");
	must_fail(REMOVE("p", a.id, w.bob), &e, ERR_NOT_FOUND, "vote with id");
	must(REMOVE("p", text.id, 0), &e);
	assert_str(out.answer, "hm");
	p = get(f, "p", w.bob);
	assert_int_equal(p.votes, 1);
	assert_int_equal(p.answers, 0);
	must(poll_remove_option(f->db, &f->arena, STR("p"), STR("b"), 0, &e), &e);
	must_fail(REMOVE("p", b.id, w.bob), &e, ERR_NOT_FOUND, "vote with id");
#undef REMOVE
	recount(f, "p");
}

static void
the_latest_ten(void **state)
{
	enum { N = 25 };
	struct fixture *f = *state;
	struct poll_edit d;
	struct world w;
	struct poll p;
	int64_t *uids;
	size_t n = 0;

	world_make(f, &w);
	uids = put_voters(f, N);
	d = lettered(f, "abc");
	d.allow_answers = 1;
	create(f, &d, w.ann);
	for (size_t i = 0; i < N; i++)
		vote(f, "p", i == 7 ? "c" : "a", uids[i]);
	for (size_t i = 0; i < N; i++)
		answer(f, "p", "x", uids[i]);
	p = get(f, "p", uids[3]);
	assert_int_equal(p.latest.n, 2 * POLL_LATEST + 1);
	for (size_t i = 0; i < POLL_LATEST; i++, n++) {
		assert_str(p.latest.v[n].option_id, "a");
		assert_int_equal(p.latest.v[n].uid, uids[N - 1 - i]);
	}
	assert_int_equal(p.latest.v[n].uid, uids[7]);
	assert_str(p.latest.v[n++].option_id, "c");
	for (size_t i = 0; i < POLL_LATEST; i++, n++)
		assert_int_equal(p.latest.v[n].uid, uids[N - 1 - i]);
	assert_int_equal(p.own.n, 2);
}

/* Many polls in one call, in the order of the ids, each with what is its own. */
static void
many_at_once(void **state)
{
	const struct str ids[] = {STR("x"), STR("gone"), STR("none"), STR("y"), STR("z")};
	struct fixture *f = *state;
	struct poll_edit d;
	struct world w;
	struct poll *p;
	struct err e;
	size_t n;

	world_make(f, &w);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		d = lettered(f, i == 4 ? "" : "abc");
		d.id = ids[i];
		d.allow_answers = 1;
		if (i != 2)
			create(f, &d, w.ann);
	}
	must(poll_delete(f->db, &f->arena, STR("gone"), 0, &e), &e);
	vote(f, "x", "b", w.bob);
	vote(f, "y", "a", w.bob);
	vote(f, "y", "c", w.carl);
	answer(f, "y", "hm", w.carl);
	must(poll_list(f->db, &f->arena, &app, ids, ARRAY_LEN(ids), w.carl, &p, &n, &e), &e);
	assert_int_equal(n, 3);
	assert_str(p[0].id, "x");
	assert_str(p[1].id, "y");
	assert_str(p[2].id, "z");
	assert_int_equal(p[0].noptions, 3);
	assert_int_equal(p[2].noptions, 0);
	assert_int_equal(p[0].latest.n, 1);
	assert_int_equal(p[1].latest.n, 3);
	assert_int_equal(p[2].latest.n, 0);
	assert_int_equal(p[0].latest.v[0].uid, w.bob);
	assert_int_equal(p[1].latest.v[1].uid, w.carl);
	assert_int_equal(p[0].own.n, 0);
	assert_int_equal(p[1].own.n, 2);
	must(poll_list(f->db, &f->arena, &app, ids, 0, w.carl, &p, &n, &e), &e);
	assert_int_equal(n, 0);
}

/* Whatever happens in whatever order, the counts are those of the votes. */
static void
counts_are_exact(void **state)
{
	static const char *const options[] = {"a", "b", "c", "d"};
	struct fixture *f = *state;
	struct poll_vote v;
	struct poll_edit d;
	struct world w;
	int64_t *uids;
	unsigned seed = 5;

	world_make(f, &w);
	uids = put_voters(f, 6);
	d = lettered(f, "abc");
	d.allow_answers = 1;
	d.max_votes_allowed = 2;
	create(f, &d, w.ann);
	for (int i = 0; i < 120; i++) {
		unsigned what = (unsigned)rand_r(&seed) % 20;
		const char *option = options[(unsigned)rand_r(&seed) % 4];
		int64_t uid = uids[(unsigned)rand_r(&seed) % 6];
		struct arena_mark mark = arena_mark(&f->arena);
		struct poll p = get(f, "p", uid);
		struct err e = {0};
		bool ok = true;

		if (what < 9) {
			ok = try_vote(f, "p", option, uid, &v, &e);
		} else if (what < 12) {
			ok = try_answer(f, "p", "hm", uid, &v, &e);
		} else if (what < 16 && p.own.n > 0) {
			ok = poll_remove_vote(f->db, &f->arena, &app, STR("p"), p.own.v[0].id,
				NULL, uid, &v, &e);
		} else if (what == 17) {
			ok = poll_remove_option(
				f->db, &f->arena, STR("p"), str_of(option), 0, &e);
		} else if (what == 18) {
			d = lettered(f, "dcba");
			d.allow_answers = 1;
			d.enforce_unique_vote = i % 2;
			ok = poll_update(f->db, &f->arena, STR("p"), &d, true, 0, &e);
		}
		if (!ok && e.code != ERR_INPUT && e.code != ERR_NOT_FOUND)
			must(ok, &e);
		recount(f, "p");
		arena_rewind(&f->arena, mark);
	}
}

static void
anonymous_votes_stay_so(void **state)
{
	struct fixture *f = *state;
	struct poll_edit d;
	struct world w;
	struct err e;

	world_make(f, &w);
	d = lettered(f, "a");
	d.voting_visibility = STR("anonymous");
	create(f, &d, w.ann);
	d.voting_visibility = STR("public");
	update(f, "p", &d, true);
	d.voting_visibility = STR("anonymous");
	update(f, "p", &d, true);
	vote(f, "p", "a", w.bob);
	d.voting_visibility = STR("public");
	must_fail(poll_update(f->db, &f->arena, STR("p"), &d, true, 0, &e), &e, ERR_INPUT,
		"voting_visibility: poll with id p has votes that were cast anonymously");
	/* Not said is not public. */
	d.voting_visibility = STR_NONE;
	update(f, "p", &d, true);
	assert_str(get(f, "p", 0).voting_visibility, "anonymous");
}

/* ---- pages ------------------------------------------------------------------------------ */

struct page {
	struct poll p;
	struct poll_vote *votes;
	size_t n;
	struct page_links links;
};

static bool
ask_votes(struct fixture *f, const struct page_ask *ask, struct page *out, struct err *e)
{
	return poll_query_votes(f->db, &f->arena, &app, STR("p"), ask, &out->p, &out->votes,
		&out->n, &out->links, e);
}

/* How many votes a filter finds, in pages of two, forwards and then back again. */
static size_t
count_found(struct fixture *f, const char *filter)
{
	struct page_ask ask = {.limit = 2, .filter = parse(f, filter)};
	int64_t seen[64], last = INT64_MAX;
	size_t n = 0;
	struct page page;
	struct err e;

	must(ask_votes(f, &ask, &page, &e), &e);
	assert_null(page.links.prev.p);
	for (;;) {
		for (size_t i = 0; i < page.n; i++) {
			assert_true(page.votes[i].cast_at <= last);
			last = page.votes[i].cast_at;
			seen[n++] = page.votes[i].key;
		}
		if (page.links.next.p == NULL)
			break;
		/* The cursor stands for itself (api.md §2.2). */
		ask = (struct page_ask){.limit = 2, .next = page.links.next};
		must(ask_votes(f, &ask, &page, &e), &e);
	}
	for (size_t back = n - page.n; page.links.prev.p != NULL;) {
		ask = (struct page_ask){.limit = 2, .prev = page.links.prev};
		must(ask_votes(f, &ask, &page, &e), &e);
		for (size_t i = page.n; i > 0; i--)
			assert_int_equal(page.votes[i - 1].key, seen[--back]);
	}
	return n;
}

/* v000 … v006 vote for a, v000 … v002 for b too, v000 and v001 answer; c was removed. */
static struct str
fill_with_votes(struct fixture *f)
{
	struct poll_edit d = lettered(f, "abc");
	struct poll_vote last = {0};
	int64_t *uids;
	struct world w;
	struct err e;

	world_make(f, &w);
	uids = put_voters(f, 7);
	d.allow_answers = 1;
	create(f, &d, w.ann);
	for (size_t i = 0; i < 7; i++) {
		vote(f, "p", "c", uids[i]);
		last = vote(f, "p", "a", uids[i]);
		if (i < 3)
			vote(f, "p", "b", uids[i]);
		if (i < 2)
			answer(f, "p", "x", uids[i]);
	}
	must(poll_remove_option(f->db, &f->arena, STR("p"), STR("c"), 0, &e), &e);
	return last.id;
}

static void
votes_are_found(void **state)
{
	static const struct {
		const char *filter;
		size_t n;
	} cases[] = {
		{"{}", 12},
		{"{\"option_id\":\"a\"}", 7},
		{"{\"option_id\":\"c\"}", 0},
		{"{\"option_id\":{\"$in\":[\"a\",\"b\",\"zz\"]}}", 10},
		{"{\"option_id\":{\"$in\":[]}}", 0},
		{"{\"option_id\":{\"$exists\":true}}", 10},
		{"{\"option_id\":{\"$exists\":false}}", 2},
		{"{\"option_id\":{\"$eq\":\"a\",\"$exists\":false}}", 0},
		{"{\"is_answer\":true}", 2},
		{"{\"is_answer\":{\"$eq\":false}}", 10},
		{"{\"is_answer\":true,\"option_id\":\"a\"}", 0},
		{"{\"user_id\":\"v001\"}", 3},
		{"{\"user_id\":\"v001\",\"option_id\":\"b\"}", 1},
		{"{\"user_id\":{\"$in\":[\"v000\",\"v006\",\"nobody\"]}}", 4},
		{"{\"created_by_id\":{\"$eq\":\"v006\"}}", 1},
		{"{\"$or\":[{\"user_id\":\"v006\"},{\"is_answer\":true}]}", 3},
		{"{\"$and\":[{\"user_id\":\"v000\"},{\"$nor\":[{\"option_id\":\"a\"}]}]}", 2},
		{"{\"created_at\":{\"$gt\":\"2020-01-01T00:00:00Z\"}}", 12},
		{"{\"updated_at\":{\"$lt\":\"2020-01-01T00:00:00Z\"}}", 0},
		{"{\"id\":\"nonsense\"}", 0},
	};
	struct fixture *f = *state;
	struct str last = fill_with_votes(f);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = count_found(f, cases[i].filter);

		if (n != cases[i].n)
			print_error("%s: %zu\n", cases[i].filter, n);
		assert_int_equal(n, cases[i].n);
	}
	assert_int_equal(count_found(f, arena_printf(&f->arena, "{\"id\":{\"$in\":[\"%.*s\"]}}",
						STR_ARG(last))
						.p),
		1);
}

static void
votes_are_sorted(void **state)
{
	struct fixture *f = *state;
	struct page_ask ask = {
		.limit = 12, .sort = parse(f, "[{\"field\":\"created_at\",\"direction\":1}]")};
	struct page page;
	struct err e;

	fill_with_votes(f);
	must(ask_votes(f, &ask, &page, &e), &e);
	assert_int_equal(page.n, 12);
	for (size_t i = 1; i < page.n; i++)
		assert_true(page.votes[i - 1].key < page.votes[i].key);
	ask.sort = parse(f, "[{\"field\":\"id\",\"direction\":-1}]");
	must(ask_votes(f, &ask, &page, &e), &e);
	for (size_t i = 1; i < page.n; i++)
		assert_true(page.votes[i - 1].key > page.votes[i].key);
}

static void
vote_filters_refuse(void **state)
{
	static const char *const cases[][2] = {
		{"{\"poll_id\":\"p\"}", "unknown field"},
		{"{\"option_id\":5}", "option_id: expected a string, got an integer"},
		{"{\"option_id\":null}", "option_id: expected a string, got null"},
		{"{\"option_id\":{\"$gt\":\"a\"}}", "option_id does not take the operator $gt"},
		{"{\"option_id\":{\"$in\":\"a\"}}", "option_id.$in: expected an array"},
		{"{\"option_id\":{\"$in\":[5]}}", "option_id: expected a string"},
		{"{\"option_id\":{\"$exists\":1}}", "option_id.$exists: expected a boolean"},
		{"{\"option_id\":{}}", "has no operator"},
		{"{\"user_id\":[\"a\"]}", "user_id.$eq: expected a string"},
		{"{\"user_id\":{\"$exists\":true}}", "user_id does not take"},
		{"{\"user_id\":{\"$ne\":\"a\"}}", "user_id does not take"},
		{"{\"is_answer\":\"yes\"}", "is_answer.$eq: expected a boolean"},
		{"{\"is_answer\":{\"$in\":[true]}}", "is_answer does not take"},
		{"{\"id\":{\"$lt\":\"a\"}}", "id does not take"},
		{"{\"created_at\":5.5}", "created_at"},
		{"{\"$or\":[]}", "$or"},
		{"{\"$or\":[5]}", "$or"},
		{"{\"$or\":{}}", "$or"},
		{"{\"$nothing\":[]}", "$nothing"},
		{"[]", "filter"},
	};
	struct fixture *f = *state;
	struct page_ask ask = {.limit = 2};
	struct page page;
	struct err e;
	struct buf deep, wide;

	fill_with_votes(f);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask.filter = parse(f, cases[i][0]);
		must_fail(ask_votes(f, &ask, &page, &e), &e, ERR_INPUT, cases[i][1]);
	}
	buf_init(&deep, &f->arena, 1024);
	buf_init(&wide, &f->arena, 1024);
	for (int i = 0; i < 12; i++)
		buf_str(&deep, STR("{\"$and\":["));
	buf_str(&deep, STR("{}"));
	for (int i = 0; i < 12; i++)
		buf_str(&deep, STR("]}"));
	buf_str(&wide, STR("{\"$or\":[{}"));
	for (int i = 0; i < 300; i++)
		buf_str(&wide, STR(",{\"user_id\":\"v000\"}"));
	buf_str(&wide, STR("]}"));
	ask.filter = parse(f, arena_dup(&f->arena, buf_view(&deep)).p);
	must_fail(ask_votes(f, &ask, &page, &e), &e, ERR_INPUT, "nested deeper");
	ask.filter = parse(f, arena_dup(&f->arena, buf_view(&wide)).p);
	must_fail(ask_votes(f, &ask, &page, &e), &e, ERR_INPUT, "more than 256 conditions");
	ask = (struct page_ask){.limit = 2, .sort = parse(f, "[{\"field\":\"user_id\"}]")};
	must_fail(ask_votes(f, &ask, &page, &e), &e, ERR_INPUT, "user_id");
}

/* Neither directly nor by trying out users. */
static void
anonymous_votes_have_no_user(void **state)
{
	static const char *const filters[] = {"{\"user_id\":\"v000\"}",
		"{\"user_id\":{\"$in\":[\"v000\"]}}", "{\"created_by_id\":\"v000\"}",
		"{\"$or\":[{\"user_id\":\"v000\"}]}"};
	struct fixture *f = *state;
	struct page_ask ask = {.limit = 2};
	struct poll_edit d = POLL_EDIT_NONE;
	struct page page;
	struct err e;

	fill_with_votes(f);
	d.voting_visibility = STR("anonymous");
	update(f, "p", &d, false);
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		ask.filter = parse(f, filters[i]);
		must_fail(ask_votes(f, &ask, &page, &e), &e, ERR_INPUT, "anonymous");
	}
	assert_int_equal(count_found(f, "{\"option_id\":\"a\"}"), 7);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(votes_are_counted_once),
		TEST(a_unique_vote_moves),
		TEST(one_answer_each),
		TEST(votes_are_refused),
		TEST(votes_are_taken_back),
		TEST(the_latest_ten),
		TEST(many_at_once),
		TEST(counts_are_exact),
		TEST(anonymous_votes_stay_so),
		TEST(votes_are_found),
		TEST(votes_are_sorted),
		TEST(vote_filters_refuse),
		TEST(anonymous_votes_have_no_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
