/* test_channel – channels derived and explicit: found, made, their members, their queries. */
#include "chat_fixture.h"

#define TEMPLATE "{\"type\":\"messaging\",\"id\":\"{{receiver.id}}-ann\"}"

static size_t
members_of(struct fixture *f, const struct channel *c, struct member **out)
{
	struct channel full = *c;
	struct member *same;
	int64_t total, count;
	struct err e;
	size_t n, nsame;

	must(channel_members(f->db, &f->arena, c, 0, out, &n, &total, &e), &e);
	assert_int_equal(total, n);
	must(channel_member_count(f->db, &f->arena, c, &count, &e), &e);
	assert_int_equal(count, n);
	must(channel_complete(f->db, &f->arena, &full, 1, &e), &e);
	must(channel_members(f->db, &f->arena, &full, 0, &same, &nsame, &total, &e), &e);
	assert_int_equal(nsame, n);
	for (size_t i = 0; i < n; i++) {
		const struct channel *either = i % 2 ? &full : c;
		struct member one;
		bool found;

		assert_int_equal(same[i].uid, (*out)[i].uid);
		must(channel_member(f->db, &f->arena, either, same[i].uid, &one, &found, &e),
			&e);
		assert_true(found && str_eq(one.role, same[i].role));
	}
	return n;
}

/* ---- finding --------------------------------------------------------------------------- */

static void
derived_channel_is_found_by_its_cid(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct member *m;
	struct err e;
	bool found;

	world_make(f, &w);
	put_campaign(f, &w, 1, "", "", "{\"text\":\"x\"}",
		"{\"type\":\"messaging\",\"team\":\"red\",\"custom\":{\"a\":1}}");
	put_batch(f, &w, 1, 100, &w.bob, 1, T0);
	c = must_find(f, "messaging", "bob-ann");
	assert_int_equal(c.no, CHANNEL_NO(w.bob, w.form.form));
	assert_str(c.cid, "messaging:bob-ann");
	assert_str(c.id, "bob-ann");
	assert_str(c.type, "messaging");
	assert_int_equal(c.creator, w.ann);
	assert_null(c.team.p); /* a template's counts with multi-tenancy only */
	assert_null(c.custom.p);
	must(channel_complete(f->db, &f->arena, &c, 1, &e), &e);
	assert_str(c.custom, "{\"a\":1}");
	assert_int_equal(members_of(f, &c, &m), 2);
	assert_int_equal(m[0].uid, w.bob);
	assert_int_equal(m[1].uid, w.ann);
	must(channel_find(f->db, &f->arena, STR("messaging"), STR("carl-ann"), &c, &found, &e),
		&e);
	assert_false(found);
	must_fail(channel_get(f->db, &f->arena, STR("messaging"), STR("carl-ann"), &c, &e), &e,
		ERR_NOT_FOUND, "messaging:carl-ann");
	must_fail(channel_get(f->db, &f->arena, STR("chess"), STR("x"), &c, &e), &e,
		ERR_NOT_FOUND, "chess");
}

/* For one cid at most one row: the API makes the row that a campaign would. */
static void
api_channel_takes_the_derived_place(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c, again;
	struct member *m;

	world_make(f, &w);
	c = make_channel(f, "messaging", "bob-ann", w.carl, &w.dora, 1);
	assert_int_equal(c.no, CHANNEL_NO(w.bob, w.form.form));
	assert_int_equal(c.creator, w.carl);
	assert_str(c.cid, "messaging:bob-ann");
	/* Its members are only those that were named. */
	assert_int_equal(members_of(f, &c, &m), 1);
	assert_int_equal(m[0].uid, w.dora);
	again = make_channel(f, "messaging", "bob-ann", w.ann, &w.ann, 1);
	assert_int_equal(again.no, c.no);
	assert_int_equal(again.creator, w.carl);
}

static void
explicit_channel_without_its_user_shadows_the_form(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct err e;

	world_make(f, &w);
	c = make_channel(f, "messaging", "nobody-ann", w.ann, &w.ann, 1);
	assert_int_equal(CHANNEL_FORM(c.no), 0);
	must(form_get(f->db, &f->arena, w.form.form, &w.form, &e), &e);
	assert_true(w.form.shadowed);
	put_users(f, "[{\"id\":\"nobody\"}]", NULL);
	assert_int_equal(must_find(f, "messaging", "nobody-ann").no, c.no);
	c = make_channel(f, "team", "bob-ann", w.ann, &w.ann, 1);
	assert_int_equal(CHANNEL_FORM(c.no), 0);
}

struct distinct_make {
	struct arena *a;
	int64_t other;
	struct form form;
	bool ok;
};

static bool
distinct_make_in(struct db *w, void *arg, struct err *e)
{
	struct distinct_make *m = arg;

	return form_for_distinct(w, m->a, STR("messaging"), &m->other, 1, &m->form, &m->ok, e);
}

static void
distinct_channel_is_one_for_a_set(void **state)
{
	struct fixture *f = *state;
	struct distinct_make ann = {.a = &f->arena}, bob = {.a = &f->arena};
	struct world w;
	struct channel first, c;
	struct err e;
	bool found;

	world_make(f, &w);
	int64_t pair[] = {w.bob, w.ann}, swapped[] = {w.ann, w.bob, w.ann},
		four[] = {w.ann, w.bob, w.carl, w.dora}, late[] = {w.ann, w.carl};

	first = make_channel(f, "messaging", NULL, w.ann, pair, 2);
	assert_int_equal(CHANNEL_FORM(first.no), 0);
	assert_true(str_eq(first.id, channel_distinct_id(&f->arena, swapped, 3)));
	c = make_channel(f, "messaging", NULL, w.bob, swapped, 2);
	assert_int_equal(c.no, first.no);
	c = make_channel(f, "messaging", NULL, w.ann, four, 4);
	assert_int_not_equal(c.no, first.no);
	assert_int_equal(make_channel(f, "messaging", NULL, w.ann, four, 4).no, c.no);

	/* With forms from both sides there is still one place. */
	ann.other = w.ann;
	bob.other = w.carl;
	must(db_write(f->db, distinct_make_in, &ann, &e), &e);
	must(db_write(f->db, distinct_make_in, &bob, &e), &e);
	assert_true(ann.form.shadowed);
	must(channel_find_distinct(f->db, &f->arena, STR("messaging"), pair, 2, &c, &found, &e),
		&e);
	assert_true(found);
	assert_int_equal(c.no, first.no);
	c = make_channel(f, "messaging", NULL, w.ann, late, 2);
	assert_int_not_equal(CHANNEL_FORM(c.no), 0);
	assert_int_equal(make_channel(f, "messaging", NULL, w.carl, late, 2).no, c.no);
	assert_int_equal(must_find(f, "messaging", arena_dup(&f->arena, c.id).p).no, c.no);
}

/* ---- members ---------------------------------------------------------------------------- */

static void
members_follow_from_the_campaign(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct member *m, one;
	struct err e;
	bool found;

	world_make(f, &w);
	put_campaign(f, &w, 1, "exclude", "hidden", "{\"text\":\"x\"}",
		"{\"type\":\"messaging\",\"members_template\":[{\"user_id\":\"carl\","
		"\"channel_role\":\"channel_moderator\",\"custom\":{\"k\":2}},"
		"{\"user_id\":\"bob\"},{\"user_id\":\"ghost\"}]}");
	put_batch(f, &w, 1, 100, &w.bob, 1, T0);
	c = must_find(f, "messaging", "bob-ann");
	assert_int_equal(members_of(f, &c, &m), 2);
	assert_int_equal(m[1].uid, w.carl);
	assert_str(m[1].role, "channel_moderator");
	assert_str(m[1].custom, "{\"k\":2}");
	must(channel_member(f->db, &f->arena, &c, w.ann, &one, &found, &e), &e);
	assert_false(found);
	must(channel_member(f->db, &f->arena, &c, w.carl, &one, &found, &e), &e);
	assert_true(found && one.derived && !one.has_row);

	run_sql(f,
		"INSERT INTO members (channel, uid, role, created_at, removed_at) VALUES "
		"(%lld, %lld, NULL, 1, 5), (%lld, %lld, 'channel_member', 1, NULL), "
		"(%lld, %lld, NULL, 1, NULL)",
		(long long)c.no, (long long)w.carl, (long long)c.no, (long long)w.ann,
		(long long)c.no, (long long)w.dora);
	/* carl was removed, ann added; dora's row only says what a non-member did. */
	assert_int_equal(members_of(f, &c, &m), 2);
	assert_int_equal(m[0].uid, w.bob);
	assert_int_equal(m[1].uid, w.ann);
}

struct show {
	struct arena *a;
	const struct channel *c;
	int64_t except;
};

static bool
show_in(struct db *w, void *arg, struct err *e)
{
	const struct show *s = arg;

	return channel_show(w, s->a, s->c, s->except, T0, e);
}

static void
sender_is_hidden_until_someone_shows_the_channel(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct member one;
	struct show show = {&f->arena, &c, 0};
	struct err e;
	bool found;

	world_make(f, &w);
	put_campaign(f, &w, 1, "", "hidden", "{\"text\":\"x\"}", TEMPLATE);
	put_batch(f, &w, 1, 100, &w.bob, 1, T0);
	c = must_find(f, "messaging", "bob-ann");
	must(channel_member(f->db, &f->arena, &c, w.ann, &one, &found, &e), &e);
	assert_true(found);
	assert_int_equal(one.hidden_at, T0);
	show.except = w.ann;
	must(db_write(f->db, show_in, &show, &e), &e);
	must(channel_member(f->db, &f->arena, &c, w.ann, &one, &found, &e), &e);
	assert_int_equal(one.hidden_at, T0);
	show.except = w.bob;
	must(db_write(f->db, show_in, &show, &e), &e);
	must(channel_member(f->db, &f->arena, &c, w.ann, &one, &found, &e), &e);
	assert_true(found && one.derived && one.has_row);
	assert_int_equal(one.hidden_at, NO_TIME);
}

/* ---- queries ----------------------------------------------------------------------------- */

struct hits {
	struct channel_hit *v;
	size_t n;
};

static struct hits
query(struct fixture *f, const char *filter, const char *sort, int64_t viewer)
{
	struct channel_query q = {.filter = parse(f, filter),
		.sort = parse(f, sort),
		.limit = 10,
		.viewer = viewer};
	struct hits h;
	struct err e;

	must(channel_query(f->db, &f->arena, &q, &h.v, &h.n, &e), &e);
	return h;
}

static void
assert_sorted(struct fixture *f, const char *filter, const char *sort, int64_t viewer,
	const char *cids)
{
	struct hits h = query(f, filter, sort, viewer);
	struct buf b;

	buf_init(&b, &f->arena, 64);
	for (size_t i = 0; i < h.n; i++) {
		if (i > 0)
			buf_char(&b, ' ');
		buf_str(&b, h.v[i].channel.cid);
	}
	if (!str_eq(buf_view(&b), str_of(cids)))
		print_error("%s %s: got %.*s\n", filter, sort, STR_ARG(buf_view(&b)));
	assert_str(buf_view(&b), cids);
}

static void
assert_hits(struct fixture *f, const char *filter, int64_t viewer, const char *cids)
{
	assert_sorted(f, filter, "[]", viewer, cids);
}

/* bob-ann and carl-ann by a campaign, team:x by the API; the newest message in bob's. */
static void
fill(struct fixture *f, struct world *w)
{
	int64_t both[2];

	world_make(f, w);
	both[0] = w->bob;
	both[1] = w->carl;
	put_campaign(f, w, 1, "", "", "{\"text\":\"x\"}",
		"{\"type\":\"messaging\",\"team\":\"red\",\"members\":[\"dora\"],"
		"\"custom\":{\"a\":1,\"name\":\"Big News\",\"tags\":[\"x\",2]}}");
	put_batch(f, w, 1, 100, both, 2, T0);
	make_channel(f, "team", "x", w->bob, both, 2);
	run_sql(f,
		"INSERT INTO messages (key, channel, created_at, text, author) VALUES "
		"(900, %lld, %lld, 'hi', %lld)",
		(long long)CHANNEL_NO(w->bob, w->form.form), (long long)(T0 + SECOND),
		(long long)w->bob);
}

static void
members_find_their_channels(void **state)
{
	struct fixture *f = *state;
	struct world w;

	fill(f, &w);
	assert_hits(f, "{\"members\":{\"$in\":[\"bob\"]}}", 0, "messaging:bob-ann team:x");
	/* The sender and a template's member have no rows. */
	assert_hits(f, "{\"members\":{\"$in\":[\"ann\"]}}", 0,
		"messaging:bob-ann messaging:carl-ann");
	assert_hits(f, "{\"members\":{\"$in\":[\"dora\"]}}", 0,
		"messaging:bob-ann messaging:carl-ann");
	assert_hits(f, "{\"members\":{\"$in\":[\"ghost\"]}}", 0, "");
	assert_hits(f, "{\"members\":{\"$eq\":[\"carl\",\"bob\"]}}", 0, "team:x");
	assert_hits(f, "{\"members\":[\"ann\",\"dora\",\"carl\"]}", 0, "messaging:carl-ann");
	assert_hits(f, "{\"members\":[\"bob\"]}", 0, "");
	assert_hits(f,
		"{\"$and\":[{\"members\":{\"$in\":[\"bob\"]}},{\"members\":{\"$in\":[\"carl\"]}"
		"}]}",
		0, "team:x");
}

static void
filters_test_derived_values(void **state)
{
	static const struct {
		const char *filter, *cids;
	} cases[] = {
		{"{\"cid\":\"messaging:bob-ann\"}", "messaging:bob-ann"},
		{"{\"cid\":{\"$in\":[\"team:x\",\"messaging:carl-ann\",\"no\",\"a:b\"]}}",
			"messaging:carl-ann team:x"},
		{"{\"id\":\"x\"}", "team:x"},
		{"{\"id\":\"x\",\"type\":\"messaging\"}", ""},
		{"{\"type\":\"team\"}", "team:x"},
		{"{}", "messaging:bob-ann messaging:carl-ann team:x"},
		{"{\"team\":\"red\"}", ""},
		{"{\"team\":\"blue\"}", "team:x"},
		{"{\"team\":{\"$exists\":false}}", "messaging:bob-ann messaging:carl-ann"},
		{"{\"created_by_id\":\"bob\"}", "team:x"},
		{"{\"created_by_id\":{\"$in\":[\"ann\",\"dora\"]}}",
			"messaging:bob-ann messaging:carl-ann"},
		{"{\"a\":1}", "messaging:bob-ann messaging:carl-ann"},
		{"{\"a\":{\"$gt\":1}}", ""},
		{"{\"a\":{\"$gt\":0.5,\"$lte\":1}}", "messaging:bob-ann messaging:carl-ann"},
		{"{\"a\":\"1\"}", ""},
		{"{\"tags\":{\"$contains\":2}}", "messaging:bob-ann messaging:carl-ann"},
		{"{\"tags\":[\"x\",2]}", "messaging:bob-ann messaging:carl-ann"},
		{"{\"name\":{\"$autocomplete\":\"new\"}}",
			"messaging:bob-ann messaging:carl-ann"},
		{"{\"name\":{\"$autocomplete\":\"ews\"}}", ""},
		{"{\"frozen\":true}", ""},
		{"{\"member_count\":{\"$gte\":3}}", "messaging:bob-ann messaging:carl-ann"},
		{"{\"last_message_at\":{\"$exists\":true}}",
			"messaging:bob-ann messaging:carl-ann"},
		{"{\"last_message_at\":{\"$gt\":1800000000000000000}}", "messaging:bob-ann"},
		{"{\"created_at\":{\"$lt\":\"2000-01-01T00:00:00Z\"}}", ""},
		{"{\"$or\":[{\"type\":\"team\"},{\"cid\":\"messaging:carl-ann\"}]}",
			"messaging:carl-ann team:x"},
		{"{\"$nor\":[{\"type\":\"team\"},{\"cid\":\"messaging:carl-ann\"}]}",
			"messaging:bob-ann"},
	};
	struct fixture *f = *state;
	struct world w;

	fill(f, &w);
	run_sql(f, "UPDATE channels SET team = 'blue' WHERE cid = 'team:x'");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_hits(f, cases[i].filter, 0, cases[i].cids);
}

static void
bad_queries_are_refused(void **state)
{
	static const char *const cases[][3] = {
		{"{\"type\":{\"$foo\":1}}", "[]", "type: operator $foo"},
		{"{\"type\":7}", "[]", "type: expected a string"},
		{"{\"members\":{\"$in\":\"bob\"}}", "[]", "members: expected an array"},
		{"{\"members\":{\"$gt\":\"bob\"}}", "[]", "operator $gt"},
		{"{\"created_at\":{\"$gt\":\"yesterday\"}}", "[]", "expected a time"},
		{"{\"$xor\":[]}", "[]", "$xor"},
		{"{\"$and\":[]}", "[]", "$and"},
		{"{}", "[{\"field\":\"cid\"}]", "sorted by \"cid\""},
		{"{}", "[{\"direction\":1}]", "sort.field"},
		{"{}", "[{\"field\":\"created_at\",\"direction\":0}]",
			"sort[0].direction: expected 1 or -1"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct channel_query q = {.filter = parse(f, cases[i][0]),
			.sort = parse(f, cases[i][1]),
			.limit = 10};
		struct channel_hit *hits;
		struct err e;
		size_t n;

		must_fail(channel_query(f->db, &f->arena, &q, &hits, &n, &e), &e, ERR_INPUT,
			cases[i][2]);
	}
}

static void
hidden_channels_are_left_out(void **state)
{
	struct fixture *f = *state;
	struct world w;

	fill(f, &w);
	run_sql(f, "UPDATE members SET hidden_at = 5 WHERE uid = %lld", (long long)w.bob);
	assert_hits(f, "{\"members\":{\"$in\":[\"bob\"]}}", w.bob, "messaging:bob-ann");
	assert_hits(f, "{\"members\":{\"$in\":[\"bob\"]},\"hidden\":true}", w.bob, "team:x");
	assert_hits(f, "{\"joined\":true}", w.carl, "messaging:carl-ann team:x");
}

static void
user_tokens_see_their_channels_only(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel_hit *hits;
	struct channel_query q = {.limit = 10, .members_only = true};
	struct err e;
	size_t n;

	fill(f, &w);
	q.viewer = w.carl;
	must(channel_query(f->db, &f->arena, &q, &hits, &n, &e), &e);
	assert_int_equal(n, 2);
	q.filter = parse(f, "{\"cid\":\"messaging:bob-ann\"}");
	must(channel_query(f->db, &f->arena, &q, &hits, &n, &e), &e);
	assert_int_equal(n, 0);
	q.viewer = 0;
	must(channel_query(f->db, &f->arena, &q, &hits, &n, &e), &e);
	assert_int_equal(n, 0);
}

static void
lists_are_sorted_and_paged(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct hits h;
	struct channel_hit *hits;
	struct channel_query q = {.limit = 1, .offset = 1};
	struct err e;
	size_t n;

	fill(f, &w);
	h = query(f, "{}", "[{\"field\":\"last_message_at\",\"direction\":1}]", 0);
	assert_int_equal(h.n, 3);
	assert_str(h.v[0].channel.cid, "team:x"); /* none: before all */
	assert_int_equal(h.v[0].last_message_at, NO_TIME);
	assert_str(h.v[2].channel.cid, "messaging:bob-ann");
	assert_int_equal(h.v[2].last_message_at, T0 + SECOND);
	must(channel_query(f->db, &f->arena, &q, &hits, &n, &e), &e);
	assert_int_equal(n, 1);
	assert_str(hits[0].channel.cid, "messaging:carl-ann");
	q.offset = 9;
	must(channel_query(f->db, &f->arena, &q, &hits, &n, &e), &e);
	assert_int_equal(n, 0);
}

/* Absent, booleans, numbers, text, the rest; integers exactly, against fractions too. */
static void
custom_fields_sort_by_type_then_value(void **state)
{
	static const char *const values[] = {"\"b\"", "10", "null", "2.5", "true", "\"a\"",
		"9007199254740993", "9007199254740992", "false", "[1]", "-3", "\"\"", "1e300",
		"2.0"};
	static const char *const ascending =
		"team:c2 team:c8 team:c4 team:c10 team:c13 team:c3 "
		"team:c1 team:c7 team:c6 team:c12";
	struct fixture *f = *state;
	struct world w;

	world_make(f, &w);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		make_channel(f, "team", arena_printf(&f->arena, "c%zu", i).p, w.ann, &w.bob, 1);
		run_sql(f,
			"UPDATE channels SET custom = '{\"a\":{\"b\":%s},\"one\":1}' "
			"WHERE cid = 'team:c%zu'",
			values[i], i);
	}
	/* Ten fit a page; the rest is text and the list. */
	assert_sorted(f, "{}", "[{\"field\":\"a.b\",\"direction\":1}]", 0, ascending);
	assert_sorted(f, "{\"a.b\":{\"$gte\":\"\"}}",
		"[{\"field\":\"one\"},{\"field\":\"a.b\",\"direction\":1}]", 0,
		"team:c11 team:c5 team:c0");
	assert_sorted(f, "{\"a.b\":{\"$gt\":2}}", "[{\"field\":\"a.b\"}]", 0,
		"team:c3 team:c1 team:c7 team:c6 team:c12");
	assert_sorted(f, "{\"id\":{\"$in\":[\"c0\",\"c2\",\"c9\"]}}",
		"[{\"field\":\"a.b\",\"direction\":-1}]", 0, "team:c9 team:c0 team:c2");
}

/* ---- large templates ------------------------------------------------------------------- */

enum { MANY = 1000 };

/* A campaign whose channels have dora and m0 … m999 as members, and large custom data. */
static void
put_large_campaign(struct fixture *f, const struct world *w, int no)
{
	struct user *users = arena_zalloc(&f->arena, MANY * sizeof(*users));
	struct err e;
	struct buf b;

	buf_init(&b, &f->arena, 65536);
	buf_str(&b, STR("{\"type\":\"messaging\",\"custom\":{\"pad\":\""));
	for (int i = 0; i < 20000; i++)
		buf_char(&b, 'x');
	buf_str(&b, STR("\"},\"members\":[\"dora\",\"dora\""));
	for (int i = 0; i < MANY; i++) {
		users[i].id = arena_printf(&f->arena, "m%d", i);
		buf_printf(&b, ",{\"user_id\":\"m%d\",\"channel_role\":\"%s\"}", i,
			i == 7 ? "channel_moderator" : "");
	}
	buf_str(&b, STR("]}"));
	buf_char(&b, '\0');
	must(user_upsert(f->db, &f->arena, users, MANY, &e), &e);
	put_campaign(f, w, no, "", "", "{\"text\":\"x\"}", b.p);
}

/* As the engine looks channels up: one per recipient (I-16). */
static void
finding_does_not_copy_the_template(void **state)
{
	struct fixture *f = *state;
	struct world w;
	size_t before;

	world_make(f, &w);
	put_large_campaign(f, &w, 1);
	put_batch(f, &w, 1, 100, &w.bob, 1, T0);
	before = f->arena.used;
	must_find(f, "messaging", "bob-ann");
	assert_true(f->arena.used - before < 2048);
}

static void
channels_share_their_template(void **state)
{
	struct fixture *f = *state;
	struct world w;
	int64_t both[2];
	struct channel c[2];
	struct err e;

	world_make(f, &w);
	both[0] = w.bob;
	both[1] = w.carl;
	put_large_campaign(f, &w, 1);
	put_batch(f, &w, 1, 100, both, 2, T0);
	c[0] = must_find(f, "messaging", "bob-ann");
	c[1] = must_find(f, "messaging", "carl-ann");
	must(channel_complete(f->db, &f->arena, c, 2, &e), &e);
	assert_ptr_equal(c[0].from, c[1].from);
	assert_ptr_equal(c[0].custom.p, c[1].custom.p);
	assert_int_equal(c[0].custom.n, 20010);
}

/* Every sort, by the viewer's token, within the memory of a request. */
static void
lists_of_large_templates_are_small(void **state)
{
	enum { RECEIVERS = 700 };
	static const char *const sorts[] = {"[]",
		"[{\"field\":\"member_count\"},{\"field\":\"last_message_at\"}]",
		"[{\"field\":\"unread_count\"}]", "[{\"field\":\"pad\"}]"};
	struct fixture *f = *state;
	struct user *users = arena_zalloc(&f->arena, RECEIVERS * sizeof(*users));
	int64_t *uids = arena_array(&f->arena, RECEIVERS, sizeof(*uids)), seven;
	struct world w;
	struct err e;

	world_make(f, &w);
	put_large_campaign(f, &w, 1);
	for (int i = 0; i < RECEIVERS; i++)
		users[i].id = arena_printf(&f->arena, "r%03d", i);
	must(user_upsert(f->db, &f->arena, users, RECEIVERS, &e), &e);
	for (size_t i = 0; i < RECEIVERS; i++)
		uids[i] = users[i].uid;
	put_batch(f, &w, 1, 100, uids, RECEIVERS, T0);
	must(user_resolve(f->db, &f->arena, &STR("m7"), 1, &seven, &e), &e);
	for (size_t i = 0; i < ARRAY_LEN(sorts); i++) {
		struct channel_query q = {.sort = parse(f, sorts[i]),
			.limit = 30,
			.offset = 10,
			.viewer = seven,
			.members_only = true};
		struct channel_hit *hits;
		struct member *m;
		struct arena small;
		size_t n;

		/* 700 keys of 20 kB do not fit. */
		arena_init(&small, 4096, 2 << 20);
		if (strstr(sorts[i], "pad") != NULL) {
			must_fail(channel_query(f->db, &small, &q, &hits, &n, &e), &e,
				ERR_TOO_LARGE, "too large");
			assert_true(small.used < 3 << 20);
		} else {
			must(channel_query(f->db, &small, &q, &hits, &n, &e), &e);
			assert_int_equal(n, 30);
			assert_int_equal(members_of(f, &hits[29].channel, &m), MANY + 3);
			assert_true(small.used < 1 << 20);
		}
		arena_fini(&small);
	}
}

#define with_store(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(derived_channel_is_found_by_its_cid),
		with_store(api_channel_takes_the_derived_place),
		with_store(explicit_channel_without_its_user_shadows_the_form),
		with_store(distinct_channel_is_one_for_a_set),
		with_store(members_follow_from_the_campaign),
		with_store(sender_is_hidden_until_someone_shows_the_channel),
		with_store(members_find_their_channels),
		with_store(filters_test_derived_values),
		with_store(bad_queries_are_refused),
		with_store(hidden_channels_are_left_out),
		with_store(user_tokens_see_their_channels_only),
		with_store(lists_are_sorted_and_paged),
		with_store(custom_fields_sort_by_type_then_value),
		with_store(finding_does_not_copy_the_template),
		with_store(channels_share_their_template),
		with_store(lists_of_large_templates_are_small),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
