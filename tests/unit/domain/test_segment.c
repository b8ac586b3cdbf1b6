/* test_segment – the rules of segments, their members, and pages of targets against a model. */
#include "domain/app.h"
#include "domain/bitset.h"
#include "domain/page.h"
#include "domain/segment.h"
#include "store_fixture.h"

static const struct app app = {.api_secret = {"0123456789abcdef0123456789abcdef", 32}};

static bool
create(struct fixture *f, const char *id, const char *filter, bool all_users,
	struct segment *out, struct err *e)
{
	struct segment_change c = {
		.id = str_of(id), .type = STR("user"), .all_users = all_users};

	if (filter != NULL)
		c.filter = parse(f, filter);
	return segment_create(f->db, &f->arena, &c, out, e);
}

static void
add(struct fixture *f, const char *id, const struct str *ids, size_t n)
{
	struct err e;

	must(segment_add_targets(f->db, &f->arena, str_of(id), ids, n, &e), &e);
}

static int64_t
size_of(struct fixture *f, const char *id)
{
	struct segment s;
	struct err e;

	must(segment_get(f->db, &f->arena, str_of(id), &s, &e), &e);
	return s.size;
}

/* ---- rules ----------------------------------------------------------------------- */

static void
create_and_read_back(void **state)
{
	struct fixture *f = *state;
	struct segment_change c = {.type = STR("user"),
		.name = STR("n"),
		.description = STR("d"),
		.filter = parse(f, "{\"country\":\"USA\"}")};
	struct segment made, got;
	struct err e;

	must(segment_create(f->db, &f->arena, &c, &made, &e), &e);
	assert_int_equal(made.id.n, 36);
	must(segment_get(f->db, &f->arena, made.id, &got, &e), &e);
	assert_int_equal(got.no, made.no);
	assert_str(got.type, "user");
	assert_str(got.name, "n");
	assert_str(got.description, "d");
	assert_str(got.filter, "{\"country\":\"USA\"}");
	assert_false(got.all_users);
	assert_true(got.size_due);
	assert_int_equal(got.size, 0);
	assert_int_equal(got.created_at, made.created_at);
	assert_int_equal(got.deleted_at, NO_TIME);
	must(create(f, "sid/1", NULL, false, &made, &e), &e);
	assert_str(made.id, "sid/1");
	assert_str(made.name, "");
	assert_false(made.size_due);
	must(create(f, "", NULL, false, &made, &e), &e);
	assert_int_equal(made.id.n, 36);
}

static void
create_refuses(void **state)
{
	struct fixture *f = *state;
	const json_t *filter = parse(f, "{\"id\":\"a\"}"), *empty = parse(f, "{}"),
		     *bad = parse(f, "{\"role\":{\"$contains\":\"x\"}}");
	char long_text[300];
	const struct {
		struct segment_change c;
		const char *text;
	} cases[] = {
		{{.type = STR("users")}, "type: expected"},
		{{.type = STR("channel"), .filter = empty}, "filter: expected at least one"},
		{{.type = STR("channel"), .all_users = true}, "all_users: only for"},
		{{.type = STR("user"), .all_sender_channels = true},
			"all_sender_channels: only"},
		{{.type = STR("user"), .filter = filter, .all_users = true}, "at most one"},
		{{.type = STR("user"), .filter = empty}, "filter: expected at least one"},
		{{.type = STR("user"), .filter = bad}, "filter: role does not take"},
		{{.type = STR("user"), .id = {long_text, 256}}, "id: longer than 255"},
		{{.type = STR("user"), .name = {long_text, 129}}, "name: longer than 128"},
		{{.type = STR("user"), .description = {long_text, 257}}, "description: longer"},
	};
	struct segment s;
	struct err e;

	memset(long_text, 'x', sizeof(long_text));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		must_fail(segment_create(f->db, &f->arena, &cases[i].c, &s, &e), &e, ERR_INPUT,
			cases[i].text);
}

static void
id_is_taken_until_deleted(void **state)
{
	struct fixture *f = *state;
	struct segment first, second;
	struct err e;

	must(create(f, "s", NULL, false, &first, &e), &e);
	must_fail(create(f, "s", NULL, false, &second, &e), &e, ERR_INPUT,
		"id: a segment with id s exists already");
	add(f, "s", &STR("bob"), 1);
	must(segment_delete(f->db, &f->arena, STR("s"), &e), &e);
	must_fail(segment_get(f->db, &f->arena, STR("s"), &second, &e), &e, ERR_NOT_FOUND,
		"segment with id s doesn't exist");
	must_fail(segment_delete(f->db, &f->arena, STR("s"), &e), &e, ERR_NOT_FOUND, "s");
	must_fail(segment_add_targets(f->db, &f->arena, STR("s"), &STR("a"), 1, &e), &e,
		ERR_NOT_FOUND, "s");
	must(create(f, "s", NULL, false, &second, &e), &e);
	assert_int_not_equal(second.no, first.no);
	must_fail(segment_has_target(f->db, &f->arena, STR("s"), STR("bob"), &e), &e,
		ERR_NOT_FOUND, "target with id bob doesn't exist in segment s");
}

static void
update_is_partial(void **state)
{
	struct fixture *f = *state;
	struct segment_change c = {.description = STR("d")};
	struct segment s;
	struct err e;

	must(create(f, "s", "{\"id\":\"a\"}", false, &s, &e), &e);
	must(segment_size_refresh(f->db, &f->arena, s.no, &e), &e);
	must(segment_update(f->db, &f->arena, STR("s"), &c, &s, &e), &e);
	assert_str(s.description, "d");
	assert_str(s.filter, "{\"id\":\"a\"}");
	assert_false(s.size_due);
	c = (struct segment_change){.name = STR("n"), .filter = parse(f, "{\"age\":7}")};
	must(segment_update(f->db, &f->arena, STR("s"), &c, &s, &e), &e);
	must(segment_get(f->db, &f->arena, STR("s"), &s, &e), &e);
	assert_str(s.name, "n");
	assert_str(s.description, "d");
	assert_str(s.filter, "{\"age\":7}");
	assert_true(s.size_due);
	assert_true(s.updated_at > s.created_at);
	must_fail(segment_update(f->db, &f->arena, STR("none"), &c, &s, &e), &e, ERR_NOT_FOUND,
		"segment with id none");
	c.filter = parse(f, "{\"id\":{\"$foo\":1}}");
	must_fail(segment_update(f->db, &f->arena, STR("s"), &c, &s, &e), &e, ERR_INPUT,
		"filter: id: unknown operator");
}

static void
update_keeps_the_kind(void **state)
{
	struct fixture *f = *state;
	struct segment_change c = {.filter = parse(f, "{\"age\":7}")};
	struct segment s;
	struct err e;

	must(create(f, "all", NULL, true, &s, &e), &e);
	must(create(f, "list", NULL, false, &s, &e), &e);
	must(create(f, "empty", NULL, false, &s, &e), &e);
	add(f, "list", &STR("bob"), 1);
	must_fail(segment_update(f->db, &f->arena, STR("all"), &c, &s, &e), &e, ERR_INPUT,
		"filter: segment all is made of all users");
	must_fail(segment_update(f->db, &f->arena, STR("list"), &c, &s, &e), &e, ERR_INPUT,
		"filter: segment list is a list of 1 targets");
	must(segment_update(f->db, &f->arena, STR("empty"), &c, &s, &e), &e);
	assert_true(s.size_due);
}

/* ---- targets --------------------------------------------------------------------- */

static void
targets_are_a_set(void **state)
{
	const struct str some[] = {STR("ann"), STR("bob"), STR("ann"), STR("nobody-yet")};
	const struct str more[] = {STR("bob"), STR("cid")};
	const struct str off[] = {STR("bob"), STR("never seen"), STR("stranger")};
	struct fixture *f = *state;
	struct segment s;
	struct err e;

	must(create(f, "s", NULL, false, &s, &e), &e);
	add(f, "s", some, 4);
	assert_int_equal(size_of(f, "s"), 3);
	add(f, "s", more, 2);
	assert_int_equal(size_of(f, "s"), 4);
	must(segment_has_target(f->db, &f->arena, STR("s"), STR("nobody-yet"), &e), &e);
	for (int round = 0; round < 2; round++) {
		must(segment_remove_targets(f->db, &f->arena, STR("s"), off, 3, &e), &e);
		assert_int_equal(size_of(f, "s"), 3);
	}
	must_fail(segment_has_target(f->db, &f->arena, STR("s"), STR("bob"), &e), &e,
		ERR_NOT_FOUND, "target with id bob");
	must_fail(segment_has_target(f->db, &f->arena, STR("t"), STR("bob"), &e), &e,
		ERR_NOT_FOUND, "segment with id t");
}

static void
targets_refuse(void **state)
{
	struct fixture *f = *state;
	struct str *many = calloc(SEGMENT_TARGETS_MAX + 1, sizeof(*many));
	struct segment s;
	struct err e;

	for (size_t i = 0; i <= SEGMENT_TARGETS_MAX; i++)
		many[i] = STR("x");
	must(create(f, "s", NULL, false, &s, &e), &e);
	must(create(f, "all", NULL, true, &s, &e), &e);
	must(create(f, "fil", "{\"id\":\"a\"}", false, &s, &e), &e);
	must_fail(segment_add_targets(f->db, &f->arena, STR("s"), many, 0, &e), &e, ERR_INPUT,
		"target_ids: expected 1 to 10000");
	must_fail(segment_add_targets(
			  f->db, &f->arena, STR("s"), many, SEGMENT_TARGETS_MAX + 1, &e),
		&e, ERR_INPUT, "got 10001");
	must(segment_add_targets(f->db, &f->arena, STR("s"), many, SEGMENT_TARGETS_MAX, &e),
		&e);
	assert_int_equal(size_of(f, "s"), 1);
	many[3] = STR("messaging:x");
	must_fail(segment_add_targets(f->db, &f->arena, STR("s"), many, 10, &e), &e, ERR_INPUT,
		"target_ids[3]: \"messaging:x\"");
	must_fail(segment_add_targets(f->db, &f->arena, STR("all"), many, 1, &e), &e, ERR_INPUT,
		"target_ids: segment all is made of all users");
	must_fail(segment_remove_targets(f->db, &f->arena, STR("fil"), many, 1, &e), &e,
		ERR_INPUT, "target_ids: segment fil is made of a filter");
	free(many);
}

/* ---- members --------------------------------------------------------------------- */

static int64_t
loaded(struct fixture *f, const char *id, const char *with, const char *without)
{
	const struct str ids[] = {str_of(with), str_of(without)};
	struct bitset set;
	struct segment s;
	struct err e;
	int64_t uids[2], n;

	must(user_resolve(f->db, &f->arena, ids, 2, uids, &e), &e);
	must(segment_get(f->db, &f->arena, str_of(id), &s, &e), &e);
	bitset_init(&set);
	must(segment_load(f->db, &f->arena, &s, &set, &e), &e);
	assert_true(bitset_has(&set, uids[0]));
	assert_false(bitset_has(&set, uids[1]));
	n = bitset_count(&set);
	bitset_fini(&set);
	return n;
}

/* Users of every kind: ann and bob live, dea deactivated, gone deleted, ghost mentioned. */
static void
fill(struct fixture *f)
{
	const struct str ghost[] = {STR("ghost")}, gone[] = {STR("gone")};
	struct err e;
	int64_t uid;

	mention(f, ghost, 1, &uid);
	put_users(f,
		"[{\"id\":\"ann\",\"age\":30},{\"id\":\"bob\",\"age\":17},"
		"{\"id\":\"dea\",\"age\":40},{\"id\":\"gone\",\"age\":50}]",
		NULL);
	must(delete_users(f, gone, 1, PURGE_HIDE, &e), &e);
	sql_script(f, "UPDATE users SET deactivated_at = 1 WHERE id = 'dea'");
}

static void
load_finds_the_members(void **state)
{
	const struct str listed[] = {STR("ghost"), STR("gone"), STR("dea"), STR("ann")};
	struct fixture *f = *state;
	struct bitset set;
	struct segment s;
	struct err e;

	fill(f);
	must(create(f, "list", NULL, false, &s, &e), &e);
	must(create(f, "all", NULL, true, &s, &e), &e);
	must(create(f, "adults", "{\"age\":{\"$gte\":18}}", false, &s, &e), &e);
	add(f, "list", listed, 4);
	assert_int_equal(loaded(f, "list", "ghost", "bob"), 4);
	assert_int_equal(loaded(f, "all", "bob", "dea"), 2);
	assert_int_equal(loaded(f, "adults", "ann", "dea"), 1);
	/* At the call, not at creation. */
	put_users(f, "[{\"id\":\"eve\",\"age\":99}]", NULL);
	assert_int_equal(loaded(f, "all", "eve", "gone"), 3);
	assert_int_equal(loaded(f, "adults", "eve", "bob"), 2);
	bitset_init(&set);
	s.deleted_at = 1;
	must(segment_load(f->db, &f->arena, &s, &set, &e), &e);
	assert_int_equal(bitset_count(&set), 0);
	bitset_fini(&set);
}

static void
dynamic_targets_exist_at_the_call(void **state)
{
	struct fixture *f = *state;
	struct segment s;
	struct err e;

	fill(f);
	must(create(f, "all", NULL, true, &s, &e), &e);
	must(create(f, "adults", "{\"age\":{\"$gte\":18}}", false, &s, &e), &e);
	must(segment_has_target(f->db, &f->arena, STR("all"), STR("bob"), &e), &e);
	must(segment_has_target(f->db, &f->arena, STR("adults"), STR("ann"), &e), &e);
	must_fail(segment_has_target(f->db, &f->arena, STR("adults"), STR("bob"), &e), &e,
		ERR_NOT_FOUND, "bob");
	must_fail(segment_has_target(f->db, &f->arena, STR("all"), STR("ghost"), &e), &e,
		ERR_NOT_FOUND, "ghost");
	must_fail(segment_has_target(f->db, &f->arena, STR("all"), STR("dea"), &e), &e,
		ERR_NOT_FOUND, "dea");
}

static void
sizes_are_counted_later(void **state)
{
	struct fixture *f = *state;
	struct segment s;
	struct err e;
	int64_t no;
	bool found;
	int rounds = 0;

	fill(f);
	must(create(f, "all", NULL, true, &s, &e), &e);
	must(create(f, "adults", "{\"age\":{\"$gte\":18}}", false, &s, &e), &e);
	must(create(f, "list", NULL, false, &s, &e), &e);
	assert_int_equal(size_of(f, "all"), 0);
	for (;;) {
		must(segment_size_due(f->db, &no, &found, &e), &e);
		if (!found)
			break;
		must(segment_size_refresh(f->db, &f->arena, no, &e), &e);
		assert_true(++rounds <= 2);
	}
	assert_int_equal(rounds, 2);
	assert_int_equal(size_of(f, "all"), 2);
	assert_int_equal(size_of(f, "adults"), 1);
}

/* ---- pages of targets ------------------------------------------------------------ */

struct page {
	struct segment_target *targets;
	size_t n;
	struct page_links links;
};

static bool
ask_page(struct fixture *f, const char *id, const struct page_ask *ask, struct page *out,
	struct err *e)
{
	return segment_query_targets(f->db, &f->arena, &app, str_of(id), ask, &out->targets,
		&out->n, &out->links, e);
}

/* Follows next to the end, then prev back to the start: both must show ${want}. */
static void
check_pages(struct fixture *f, const char *id, const struct page_ask *first,
	const struct str *want, size_t nwant)
{
	struct page_ask ask = *first;
	struct page page;
	struct err e;
	size_t at = 0;

	for (bool more = true; more;) {
		must(ask_page(f, id, &ask, &page, &e), &e);
		assert_true(page.n <= (size_t)ask.limit);
		assert_int_equal(page.links.prev.p != NULL, at > 0 && page.n > 0);
		for (size_t i = 0; i < page.n; i++) {
			assert_true(at < nwant);
			assert_true(str_eq(page.targets[i].id, want[at++]));
			assert_int_not_equal(page.targets[i].created_at, NO_TIME);
		}
		more = page.links.next.p != NULL;
		/* A cursor wins over filter and sort of the request. */
		ask = (struct page_ask){.limit = first->limit,
			.next = page.links.next,
			.filter = parse(f, "{\"target_id\":\"no such\"}")};
	}
	assert_int_equal(at, nwant);
	at -= page.n;
	while (page.links.prev.p != NULL) {
		ask = (struct page_ask){.limit = first->limit, .prev = page.links.prev};
		must(ask_page(f, id, &ask, &page, &e), &e);
		assert_non_null(page.links.next.p);
		assert_true(page.n > 0 && page.n <= at);
		at -= page.n;
		for (size_t i = 0; i < page.n; i++)
			assert_true(str_eq(page.targets[i].id, want[at + i]));
	}
	assert_int_equal(at, 0);
}

enum { USERS = 3000 };

/* User i is "uNNNN"; created in another order than that of the ids. */
static struct str *
make_users(struct fixture *f, int n, int digits)
{
	struct str *ids = arena_array(&f->arena, (size_t)n, sizeof(*ids));
	struct user *users = arena_zalloc(&f->arena, (size_t)n * sizeof(*users));
	struct err e;

	for (int i = 0; i < n; i++) {
		ids[i] = arena_printf(&f->arena, "u%0*d", digits, i);
		users[(i * 1237) % n] = (struct user){
			.id = ids[i],
			.custom = arena_printf(&f->arena, "{\"n\":%d}", i),
		};
	}
	must(user_upsert(f->db, &f->arena, users, (size_t)n, &e), &e);
	return ids;
}

static struct str *
many_users(struct fixture *f)
{
	return make_users(f, USERS, 4);
}

static const struct {
	const char *filter;
	const char *low, *high; /* both included */
} windows[] = {
	{NULL, "", "~"},
	{"{\"target_id\":{\"$gte\":\"u0100\"}}", "u0100", "~"},
	{"{\"target_id\":{\"$gt\":\"u0099\",\"$lte\":\"u2500\"}}", "u0100", "u2500"},
	{"{\"$and\":[{\"target_id\":{\"$lt\":\"u1501\"}},{\"target_id\":{\"$gt\":\"u15\"}},"
	 "{\"target_id\":{\"$gte\":\"u1\"}}]}",
		"u1500", "u1500"},
	{"{\"target_id\":{\"$in\":[\"u2000\",\"u0002\",\"u0100\",\"zz\",\"u0002\"],"
	 "\"$lt\":\"u2\"}}",
		NULL, NULL},
	{"{\"target_id\":\"u0100\"}", "u0100", "u0100"},
	/* $or and $nor do not narrow; what stands beside them does. */
	{"{\"$or\":[{\"target_id\":{\"$lt\":\"u0300\"}},{\"target_id\":{\"$gte\":\"u0200\","
	 "\"$lte\":\"u0700\"}}]}",
		"", "u0700"},
	{"{\"$nor\":[{\"target_id\":{\"$gt\":\"u0900\"}},{\"target_id\":\"zz\"}],\"target_id\":"
	 "{\"$gte\":\"u0400\"}}",
		"u0400", "u0900"},
	{"{\"$and\":[{\"$or\":[{\"target_id\":{\"$gte\":\"u1000\"}},{\"$nor\":[{}]}]},{\"$"
	 "nor\":[{"
	 "\"$and\":[{\"target_id\":{\"$gte\":\"u2000\"}},{\"target_id\":{\"$lt\":\"z\"}}]}]}]}",
		"u1000", "u1999"},
};

static bool
is_shown(size_t window, struct str id)
{
	if (windows[window].low == NULL)
		return str_is(id, "u0002") || str_is(id, "u0100");
	return str_cmp(id, str_of(windows[window].low)) >= 0 &&
	       str_cmp(id, str_of(windows[window].high)) <= 0;
}

/* All windows, both directions; ids[i] is in the segment when i % step == 0. */
static void
check_windows(
	struct fixture *f, const char *segment, const struct str *ids, int step, int64_t limit)
{
	struct str *want = arena_array(&f->arena, USERS, sizeof(*want));

	for (size_t w = 0; w < ARRAY_LEN(windows) * 2; w++) {
		bool down = w % 2 == 1;
		struct page_ask ask = {.limit = limit};
		size_t n = 0;

		if (windows[w / 2].filter != NULL)
			ask.filter = parse(f, windows[w / 2].filter);
		if (down)
			ask.sort = parse(f, "[{\"field\":\"target_id\",\"direction\":-1}]");
		for (int k = 0; k < USERS; k++) {
			int i = down ? USERS - 1 - k : k;

			if (i % step == 0 && is_shown(w / 2, ids[i]))
				want[n++] = ids[i];
		}
		check_pages(f, segment, &ask, want, n);
	}
}

static void
add_each(struct fixture *f, const char *segment, const struct str *ids, int step)
{
	struct str *some = arena_array(&f->arena, USERS, sizeof(*some));
	size_t n = 0;

	for (int i = 0; i < USERS; i += step)
		some[n++] = ids[USERS - step - i];
	add(f, segment, some, n);
}

static void
pages_of_a_dense_list(void **state)
{
	struct fixture *f = *state;
	struct str *ids = many_users(f);
	struct segment s;
	struct err e;

	must(create(f, "dense", NULL, false, &s, &e), &e);
	add_each(f, "dense", ids, 2);
	check_windows(f, "dense", ids, 2, 97);
	check_windows(f, "dense", ids, 2, 1500);
	check_windows(f, "dense", ids, 2, 10000);
}

static void
pages_of_a_sparse_list(void **state)
{
	struct fixture *f = *state;
	struct str *ids = many_users(f);
	struct segment s;
	struct err e;

	must(create(f, "sparse", NULL, false, &s, &e), &e);
	add_each(f, "sparse", ids, 100);
	check_windows(f, "sparse", ids, 100, 7);
	check_windows(f, "sparse", ids, 100, 1000);
	must(create(f, "none", NULL, false, &s, &e), &e);
	check_pages(f, "none", &(struct page_ask){.limit = 10}, NULL, 0);
}

/* Ids that lie together far from the page: a walk gives up and the set is gathered, in more
 * than one block. */
static void
pages_of_a_list_in_one_place(void **state)
{
	enum { ALL = 44000, FIRST = 38000, N = 5000 };
	struct fixture *f = *state;
	struct str *ids = make_users(f, ALL, 5);
	struct str *back = arena_array(&f->arena, N, sizeof(*back));
	struct page_ask ask = {.limit = 200};
	struct segment s;
	struct err e;

	must(create(f, "close", NULL, false, &s, &e), &e);
	add(f, "close", ids + FIRST, N);
	check_pages(f, "close", &ask, ids + FIRST, N);
	ask.limit = 4999;
	check_pages(f, "close", &ask, ids + FIRST, N);
	for (size_t i = 0; i < N; i++)
		back[i] = ids[FIRST + N - 1 - i];
	ask.limit = 200;
	ask.sort = parse(f, "[{\"field\":\"target_id\",\"direction\":-1}]");
	check_pages(f, "close", &ask, back, N);
}

static void
pages_of_dynamic_segments(void **state)
{
	struct fixture *f = *state;
	struct str *ids = many_users(f);
	struct segment s;
	struct err e;

	must(create(f, "all", NULL, true, &s, &e), &e);
	must(create(f, "some", "{\"n\":{\"$lt\":3000}}", false, &s, &e), &e);
	check_windows(f, "all", ids, 1, 700);
	check_windows(f, "some", ids, 1, 1000);
}

static void
targets_query_refuses(void **state)
{
	static const char *const cases[][2] = {
		{"{\"name\":\"x\"}", "filter: unknown field"},
		{"{\"target_id\":{\"$ne\":\"x\"}}", "target_id"},
		{"{\"target_id\":{\"$gt\":7}}", "target_id"},
		{"{\"$or\":[{\"name\":\"x\"}]}", "filter: unknown field"},
		{"{\"$or\":[]}", "$or"},
	};
	const struct str three[] = {STR("a"), STR("b"), STR("c")};
	struct fixture *f = *state;
	struct page_ask ask = {.limit = 2};
	struct page page;
	struct segment s;
	struct err e;
	char *forged;

	must(create(f, "s", NULL, false, &s, &e), &e);
	must(create(f, "t", NULL, false, &s, &e), &e);
	add(f, "s", three, 3);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask.filter = parse(f, cases[i][0]);
		must_fail(ask_page(f, "s", &ask, &page, &e), &e, ERR_INPUT, cases[i][1]);
	}
	ask.filter = NULL;
	must_fail(ask_page(f, "none", &ask, &page, &e), &e, ERR_NOT_FOUND, "segment with id");
	must(ask_page(f, "s", &ask, &page, &e), &e);
	ask.next = page.links.next;
	must_fail(ask_page(f, "t", &ask, &page, &e), &e, ERR_INPUT, "next");
	forged = (char *)arena_dup(&f->arena, ask.next).p;
	forged[3] = forged[3] == 'A' ? 'B' : 'A';
	ask.next.p = forged;
	must_fail(ask_page(f, "s", &ask, &page, &e), &e, ERR_INPUT, "next");
	ask = (struct page_ask){.limit = 2, .sort = parse(f, "[{\"field\":\"created_at\"}]")};
	must_fail(ask_page(f, "s", &ask, &page, &e), &e, ERR_INPUT, "created_at");
}

/* ---- query of segments ----------------------------------------------------------- */

static void
query_lists_segments(void **state)
{
	struct fixture *f = *state;
	struct page_ask ask = {.limit = 2};
	struct segment s, *got;
	struct page_links links;
	struct err e;
	size_t n;

	must(create(f, "a", NULL, false, &s, &e), &e);
	must(create(f, "b", NULL, true, &s, &e), &e);
	must(create(f, "c", NULL, false, &s, &e), &e);
	must(create(f, "gone", NULL, false, &s, &e), &e);
	must(segment_delete(f->db, &f->arena, STR("gone"), &e), &e);
	must(segment_query(f->db, &f->arena, &app, &ask, &got, &n, &links, &e), &e);
	assert_int_equal(n, 2);
	assert_str(got[0].id, "c");
	assert_str(got[1].id, "b");
	assert_true(got[1].all_users);
	assert_non_null(links.next.p);
	assert_null(links.prev.p);
	ask = (struct page_ask){.limit = 2, .next = links.next};
	must(segment_query(f->db, &f->arena, &app, &ask, &got, &n, &links, &e), &e);
	assert_int_equal(n, 1);
	assert_str(got[0].id, "a");
	ask = (struct page_ask){
		.limit = 2, .filter = parse(f, "{\"all_users\":true,\"type\":\"user\"}")};
	must(segment_query(f->db, &f->arena, &app, &ask, &got, &n, &links, &e), &e);
	assert_int_equal(n, 1);
	assert_str(got[0].id, "b");
	ask.filter = parse(f, "{\"size\":1}");
	must_fail(segment_query(f->db, &f->arena, &app, &ask, &got, &n, &links, &e), &e,
		ERR_INPUT, "size");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(create_and_read_back),
		TEST(create_refuses),
		TEST(id_is_taken_until_deleted),
		TEST(update_is_partial),
		TEST(update_keeps_the_kind),
		TEST(targets_are_a_set),
		TEST(targets_refuse),
		TEST(load_finds_the_members),
		TEST(dynamic_targets_exist_at_the_call),
		TEST(sizes_are_counted_later),
		TEST(pages_of_a_dense_list),
		TEST(pages_of_a_sparse_list),
		TEST(pages_of_a_list_in_one_place),
		TEST(pages_of_dynamic_segments),
		TEST(targets_query_refuses),
		TEST(query_lists_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
