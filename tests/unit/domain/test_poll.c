/* test_poll – polls and their options: made, changed, found. */
#include "poll_fixture.h"

/* ---- polls ------------------------------------------------------------------------------ */

static void
what_is_created_can_be_read(void **state)
{
	struct fixture *f = *state;
	struct poll_edit d;
	struct world w;
	struct poll p;
	struct str id;
	struct err e;

	world_make(f, &w);
	d = lettered(f, "ba");
	d.id = STR_NONE;
	d.description = STR("d");
	d.voting_visibility = STR("anonymous");
	d.enforce_unique_vote = d.allow_answers = 1;
	d.max_votes_allowed = 3;
	d.custom = STR("{\"k\":1}");
	d.options[0].custom = STR("{\"o\":[]}");
	d.options[1].id = STR("");
	must(poll_create(f->db, &f->arena, &d, w.ann, &id, &e), &e);
	assert_int_equal(id.n, 36);
	p = get(f, arena_dup(&f->arena, id).p, w.bob);
	assert_str(p.name, "Lunch?");
	assert_str(p.description, "d");
	assert_true(poll_is_anonymous(&p));
	assert_int_equal(p.creator, w.ann);
	assert_true(p.enforce_unique_vote && p.allow_answers);
	assert_false(p.allow_user_suggested_options || p.is_closed);
	assert_int_equal(p.max_votes_allowed, 3);
	assert_str(p.custom, "{\"k\":1}");
	assert_int_equal(p.noptions, 2);
	assert_str(p.options[0].id, "b");
	assert_str(p.options[0].text, "B");
	assert_str(p.options[0].custom, "{\"o\":[]}");
	assert_int_equal(p.options[1].id.n, 36);
	assert_null(p.options[1].custom.p);
	assert_int_equal(p.votes + p.answers, 0);
	assert_int_equal(p.latest.n + p.own.n, 0);
	assert_int_equal(p.created_at, p.updated_at);
}

static void
defaults(void **state)
{
	struct fixture *f = *state;
	struct poll_edit d = POLL_EDIT_NONE;
	struct world w;
	struct poll p;

	world_make(f, &w);
	d.id = STR("bare");
	d.name = STR("n");
	create(f, &d, w.ann);
	p = get(f, "bare", 0);
	assert_str(p.voting_visibility, "public");
	assert_str(p.description, "");
	assert_int_equal(p.max_votes_allowed, 0);
	assert_int_equal(p.noptions, 0);
	assert_null(p.custom.p);
}

static struct str
long_text(struct fixture *f, size_t n)
{
	char *p = arena_alloc(&f->arena, n);

	memset(p, 'x', n);
	return (struct str){p, n};
}

static void
create_refuses(void **state)
{
	struct fixture *f = *state;
	struct poll_edit d;
	struct world w;
	struct str id;
	struct err e;

	world_make(f, &w);
#define REFUSES(change, text)                                                               \
	do {                                                                                \
		d = lettered(f, "ab");                                                      \
		change;                                                                     \
		must_fail(poll_create(f->db, &f->arena, &d, w.ann, &id, &e), &e, ERR_INPUT, \
			text);                                                              \
	} while (0)
	REFUSES(d.name = STR(""), "name: expected a text");
	REFUSES(d.name = long_text(f, POLL_MAX_NAME + 1), "name: longer");
	REFUSES(d.description = long_text(f, POLL_MAX_DESCRIPTION + 1), "description: longer");
	REFUSES(d.id = long_text(f, POLL_MAX_ID + 1), "id: longer");
	REFUSES(d.voting_visibility = STR("secret"), "voting_visibility: expected");
	REFUSES(d.max_votes_allowed = 11, "max_votes_allowed");
	REFUSES(d.options[1].text = STR_NONE, "options[1].text: is required");
	REFUSES(d.options[1].text = STR(""), "options[1].text: expected");
	REFUSES(d.options[0].text = long_text(f, POLL_MAX_TEXT + 1), "options[0].text: longer");
	REFUSES(d.options[1].id = STR("a"), "options[1].id: \"a\" stands there twice");
	REFUSES(d.options[1].id = long_text(f, POLL_MAX_ID + 1), "options[1].id: longer");
	REFUSES((d.custom = arena_printf(
			 &f->arena, "{\"k\":\"%.*s\"}", 4000, long_text(f, 4000).p),
			d.options[0].custom = d.custom),
		"custom: 8016 bytes");
#undef REFUSES
	d = lettered(f, "ab");
	d.id = STR("taken");
	create(f, &d, w.ann);
	must_fail(poll_create(f->db, &f->arena, &d, w.bob, &id, &e), &e, ERR_INPUT,
		"id: a poll with id taken exists");
	/* Messages still name it. */
	must(poll_delete(f->db, &f->arena, STR("taken"), 0, &e), &e);
	must_fail(poll_create(f->db, &f->arena, &d, w.bob, &id, &e), &e, ERR_INPUT,
		"id: a poll with id taken exists");
}

static void
a_hundred_options(void **state)
{
	struct fixture *f = *state;
	struct poll_option_edit more = {.text = STR("one too many")};
	struct poll_edit d;
	struct world w;
	struct str id;
	struct err e;

	world_make(f, &w);
	d = lettered(f, "");
	d.noptions = POLL_MAX_OPTIONS;
	d.options = arena_zalloc(&f->arena, d.noptions * sizeof(*d.options));
	for (size_t i = 0; i < d.noptions; i++)
		d.options[i].text = arena_printf(&f->arena, "option %zu", i);
	create(f, &d, w.ann);
	assert_int_equal(get(f, "p", 0).noptions, POLL_MAX_OPTIONS);
	assert_str(get(f, "p", 0).options[99].text, "option 99");
	must_fail(poll_add_option(f->db, &f->arena, STR("p"), &more, 0, &id, &e), &e, ERR_INPUT,
		"options: at most 100");
}

static void
a_full_update_says_everything(void **state)
{
	struct fixture *f = *state;
	struct poll before, after;
	struct poll_edit d;
	struct world w;

	world_make(f, &w);
	d = lettered(f, "abc");
	d.description = STR("d");
	d.allow_answers = d.is_closed = 0;
	d.max_votes_allowed = 2;
	d.custom = STR("{\"k\":1,\"l\":2}");
	create(f, &d, w.ann);
	vote(f, "p", "c", w.bob);
	vote(f, "p", "a", w.bob);
	before = get(f, "p", 0);
	/* c stays with its vote and comes first, a and b go, d is new. */
	d = lettered(f, "cd");
	d.name = STR("Dinner?");
	d.options[0].text = STR("See");
	d.custom = STR("{\"m\":3}");
	update(f, "p", &d, true);
	after = get(f, "p", w.bob);
	assert_str(after.name, "Dinner?");
	assert_str(after.description, "");
	assert_int_equal(after.max_votes_allowed, 0);
	assert_str(after.custom, "{\"m\":3}");
	assert_str(letters_of(f, &after), "cd");
	assert_str(after.options[0].text, "See");
	assert_int_equal(after.options[0].created_at, before.options[2].created_at);
	assert_int_equal(votes_of(&after, "c"), 1);
	assert_int_equal(votes_of(&after, "d"), 0);
	assert_int_equal(after.votes, 1);
	assert_int_equal(after.own.n, 1);
	assert_str(after.own.v[0].option_id, "c");
	assert_int_equal(after.created_at, before.created_at);
	assert_true(after.updated_at > before.updated_at);
	/* Numbers are not given twice: the vote for a is not one for what came later. */
	d = lettered(f, "cda");
	update(f, "p", &d, true);
	after = get(f, "p", w.bob);
	assert_int_equal(votes_of(&after, "a"), 0);
	assert_int_equal(after.own.n, 1);
	/* Nothing said of options: none are left. */
	d.has_options = false;
	d.noptions = 0;
	update(f, "p", &d, true);
	assert_int_equal(get(f, "p", 0).noptions, 0);
	assert_int_equal(get(f, "p", 0).votes, 0);
}

static void
a_partial_update_keeps_the_rest(void **state)
{
	const struct str names[] = {STR("k"), STR("nothing")};
	struct fixture *f = *state;
	struct poll_edit d;
	struct world w;
	struct poll p;

	world_make(f, &w);
	d = lettered(f, "ab");
	d.description = STR("d");
	d.max_votes_allowed = 2;
	d.custom = STR("{\"k\":1,\"l\":2}");
	create(f, &d, w.ann);
	d = POLL_EDIT_NONE;
	d.is_closed = 1;
	d.custom = STR("{\"m\":3,\"l\":4}");
	d.unset = names;
	d.nunset = ARRAY_LEN(names);
	update(f, "p", &d, false);
	p = get(f, "p", 0);
	assert_true(p.is_closed);
	assert_str(p.name, "Lunch?");
	assert_str(p.description, "d");
	assert_int_equal(p.max_votes_allowed, 2);
	assert_str(p.custom, "{\"l\":4,\"m\":3}");
	assert_str(letters_of(f, &p), "ab");
	d = POLL_EDIT_NONE;
	d.max_votes_allowed = 0;
	d.is_closed = 0;
	d.drop_custom = true;
	update(f, "p", &d, false);
	p = get(f, "p", 0);
	assert_false(p.is_closed);
	assert_int_equal(p.max_votes_allowed, 0);
	assert_null(p.custom.p);
}

static void
only_the_creator_changes_it(void **state)
{
	struct fixture *f = *state;
	struct poll_option_edit option = {.id = STR("a"), .text = STR("x")};
	struct poll_edit d;
	struct world w;
	struct str id;
	struct err e;

	world_make(f, &w);
	d = lettered(f, "a");
	create(f, &d, w.ann);
#define DENIED(call) must_fail(call, &e, ERR_DENIED, "only by the user who created it")
	DENIED(poll_update(f->db, &f->arena, STR("p"), &d, true, w.bob, &e));
	DENIED(poll_delete(f->db, &f->arena, STR("p"), w.bob, &e));
	DENIED(poll_change_option(f->db, &f->arena, STR("p"), &option, w.bob, &e));
	DENIED(poll_remove_option(f->db, &f->arena, STR("p"), STR("a"), w.bob, &e));
	option.id = STR("b");
	DENIED(poll_add_option(f->db, &f->arena, STR("p"), &option, w.bob, &id, &e));
	DENIED(poll_check(f->db, STR("p"), w.bob, &e));
#undef DENIED
	must(poll_check(f->db, STR("p"), w.ann, &e), &e);
	must(poll_check(f->db, STR("p"), 0, &e), &e);
	d.allow_user_suggested_options = 1;
	must(poll_update(f->db, &f->arena, STR("p"), &d, true, w.ann, &e), &e);
	must(poll_add_option(f->db, &f->arena, STR("p"), &option, w.bob, &id, &e), &e);
	assert_str(id, "b");
	must_fail(poll_add_option(f->db, &f->arena, STR("p"), &option, w.bob, &id, &e), &e,
		ERR_INPUT, "option with id b exists already");
	must(poll_delete(f->db, &f->arena, STR("p"), w.ann, &e), &e);
	must_fail(poll_delete(f->db, &f->arena, STR("p"), 0, &e), &e, ERR_NOT_FOUND,
		"poll with id p doesn't exist");
	must_fail(poll_check(f->db, STR("p"), 0, &e), &e, ERR_NOT_FOUND, "poll with id p");
}

static void
options_are_changed_and_removed(void **state)
{
	struct fixture *f = *state;
	struct poll_option_edit option = {
		.id = STR("b"), .text = STR("Bee"), .custom = STR("{\"k\":1}")};
	struct poll_edit d;
	struct world w;
	struct poll p;
	struct str id;
	struct err e;

	world_make(f, &w);
	d = lettered(f, "abc");
	create(f, &d, w.ann);
	vote(f, "p", "b", w.bob);
	vote(f, "p", "c", w.bob);
	must(poll_change_option(f->db, &f->arena, STR("p"), &option, 0, &e), &e);
	p = get(f, "p", 0);
	assert_str(letters_of(f, &p), "abc");
	assert_str(p.options[1].text, "Bee");
	assert_str(p.options[1].custom, "{\"k\":1}");
	assert_int_equal(p.options[1].votes, 1);
	must(poll_remove_option(f->db, &f->arena, STR("p"), STR("b"), 0, &e), &e);
	p = get(f, "p", w.bob);
	assert_str(letters_of(f, &p), "ac");
	assert_int_equal(p.votes, 1);
	assert_int_equal(p.own.n, 1);
	assert_int_equal(p.latest.n, 1);
	must_fail(poll_remove_option(f->db, &f->arena, STR("p"), STR("b"), 0, &e), &e,
		ERR_NOT_FOUND, "option with id b doesn't exist in poll with id p");
	must_fail(poll_change_option(f->db, &f->arena, STR("p"), &option, 0, &e), &e,
		ERR_NOT_FOUND, "option with id b");
	option = (struct poll_option_edit){.text = STR("")};
	must_fail(poll_add_option(f->db, &f->arena, STR("p"), &option, 0, &id, &e), &e,
		ERR_INPUT, "text: expected a text");
	option.text = STR("new");
	must(poll_add_option(f->db, &f->arena, STR("p"), &option, 0, &id, &e), &e);
	assert_int_equal(id.n, 36);
	p = get(f, "p", 0);
	assert_int_equal(p.noptions, 3);
	assert_str(p.options[2].text, "new");
	recount(f, "p");
}

/* ---- pages ------------------------------------------------------------------------------ */

static void
polls_are_found(void **state)
{
	static const struct {
		const char *filter, *want;
	} cases[] = {
		{"{}", "dcba"},
		{"{\"id\":\"b\"}", "b"},
		{"{\"poll_id\":{\"$in\":[\"a\",\"c\",\"x\"]}}", "ca"},
		{"{\"name\":{\"$eq\":\"B\"}}", "b"},
		{"{\"is_closed\":true}", "c"},
		{"{\"voting_visibility\":\"anonymous\"}", "d"},
		{"{\"max_votes_allowed\":{\"$gte\":2}}", "b"},
		{"{\"max_votes_allowed\":{\"$ne\":2}}", "dca"},
		{"{\"allow_answers\":true}", "a"},
		{"{\"allow_user_suggested_options\":false}", "dcba"},
		{"{\"created_by_id\":\"bob\"}", "d"},
		{"{\"created_at\":{\"$gt\":\"2020-01-01T00:00:00Z\"}}", "dcba"},
	};
	struct fixture *f = *state;
	struct page_links links;
	struct world w;
	struct poll *p;
	struct err e;
	size_t n;

	world_make(f, &w);
	for (int i = 0; i < 4; i++) {
		struct poll_edit d = lettered(f, "ab");

		d.id = arena_printf(&f->arena, "%c", 'a' + i);
		d.name = arena_printf(&f->arena, "%c", 'A' + i);
		d.is_closed = i == 2;
		d.allow_answers = i == 0;
		d.max_votes_allowed = i == 1 ? 2 : -1;
		d.voting_visibility = i == 3 ? STR("anonymous") : STR_NONE;
		create(f, &d, i == 3 ? w.bob : w.ann);
	}
	vote(f, "a", "b", w.bob);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct page_ask ask = {.limit = 10, .filter = parse(f, cases[i].filter)};
		struct buf got;

		must(poll_query(f->db, &f->arena, &app, &ask, 0, 0, &p, &n, &links, &e), &e);
		buf_init(&got, &f->arena, 16);
		for (size_t k = 0; k < n; k++)
			buf_str(&got, p[k].id);
		assert_str(buf_view(&got), cases[i].want);
	}
	/* With what belongs to them; of one creator; in pages. */
	struct page_ask ask = {.limit = 2};

	must(poll_query(f->db, &f->arena, &app, &ask, w.ann, w.bob, &p, &n, &links, &e), &e);
	assert_int_equal(n, 2);
	assert_str(p[0].id, "c");
	ask.next = links.next;
	must(poll_query(f->db, &f->arena, &app, &ask, w.ann, w.bob, &p, &n, &links, &e), &e);
	assert_int_equal(n, 1);
	assert_str(p[0].id, "a");
	assert_int_equal(p[0].own.n, 1);
	assert_int_equal(p[0].noptions, 2);
	assert_null(links.next.p);
	/* A cursor of the server does not show a user what is not his. */
	ask = (struct page_ask){.limit = 1};
	must(poll_query(f->db, &f->arena, &app, &ask, 0, 0, &p, &n, &links, &e), &e);
	ask.next = links.next;
	must(poll_query(f->db, &f->arena, &app, &ask, w.bob, 0, &p, &n, &links, &e), &e);
	assert_int_equal(n, 0);
	ask = (struct page_ask){.limit = 1, .filter = parse(f, "{\"description\":\"x\"}")};
	must_fail(poll_query(f->db, &f->arena, &app, &ask, 0, 0, &p, &n, &links, &e), &e,
		ERR_INPUT, "description");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_created_can_be_read),
		TEST(defaults),
		TEST(create_refuses),
		TEST(a_hundred_options),
		TEST(a_full_update_says_everything),
		TEST(a_partial_update_keeps_the_rest),
		TEST(only_the_creator_changes_it),
		TEST(options_are_changed_and_removed),
		TEST(polls_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
