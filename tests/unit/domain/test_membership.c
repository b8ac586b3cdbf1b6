/* test_membership – joining, leaving, roles, invitations, and what members do for themselves,
 * in channels with stored members and with derived ones. */
#include "chat_fixture.h"
#include "domain/member_query.h"
#include "domain/membership.h"
#include "domain/patch.h"

#define TEMPLATE                                                                        \
	"{\"type\":\"messaging\",\"id\":\"{{receiver.id}}-ann\",\"members_template\":[" \
	"{\"user_id\":\"carl\",\"channel_role\":\"guide\",\"custom\":{\"desk\":4}}]}"

struct change {
	struct arena *a;
	const struct channel *c;
	const struct membership_edit *edit;
};

static bool
change_in(struct db *w, void *arg, struct err *e)
{
	struct change *c = arg;

	return membership_change(w, c->a, c->c, c->edit, e);
}

static bool
change(struct fixture *f, const struct channel *c, struct membership_edit edit, struct err *e)
{
	struct change arg = {&f->arena, c, &edit};

	if (edit.history_hidden == 0)
		edit.history_hidden = NO_TIME;
	return db_write(f->db, change_in, &arg, e);
}

static struct member_spec
spec(int64_t uid)
{
	return (struct member_spec){.uid = uid, .hidden_at = NO_TIME, .archived_at = NO_TIME};
}

/* ${all} of the channels, found one by one. */
static void
assert_pages(struct fixture *f, const struct channel *many, size_t n,
	const struct channel_pair *all, size_t nall)
{
	int64_t *counts = arena_array(&f->arena, 2 * n, sizeof(*counts)),
		*by_pairs = counts + n;
	struct channel_pair *page;
	size_t npage, found = 0;
	struct err e;

	for (size_t c = 0; c < n; c++)
		for (int64_t from = 0;; from = page[0].uid + 1) {
			must(channel_pairs(
				     f->db, &f->arena, &many[c], 1, from, 1, &page, &npage, &e),
				&e);
			if (npage == 0)
				break;
			assert_int_equal(npage, 1);
			assert_true(found < nall);
			assert_int_equal(all[found].channel, c);
			assert_int_equal(all[found++].uid, page[0].uid);
		}
	assert_int_equal(found, nall);
	must(channel_member_counts(f->db, &f->arena, many, n, counts, &e), &e);
	for (size_t c = 0, i = 0; c < n; c++)
		for (int64_t k = 0; k < counts[c]; k++)
			assert_int_equal(all[i++].channel, c);
	for (size_t max = 1; max < 4; max++) {
		must(channel_pairs(f->db, &f->arena, many, n, 0, max, &page, &npage, &e), &e);
		must(channel_count_pairs(
			     f->db, &f->arena, many, n, page, npage, max, by_pairs, &e),
			&e);
		assert_memory_equal(by_pairs, counts, n * sizeof(*counts));
	}
}

/* Who is in it, by the ways that take many channels: ${c} between two others. */
static void
assert_members_of_many(struct fixture *f, const struct channel *c, const int64_t *uids,
	size_t n, int64_t stranger)
{
	struct channel many[3], *theirs = arena_array(&f->arena, n + 1, sizeof(*theirs));
	int64_t *asked = arena_array(&f->arena, n + 1, sizeof(*asked));
	struct member *members = arena_zalloc(&f->arena, (n + 1) * sizeof(*members));
	struct channel_pair *pairs;
	size_t npairs, own = 0;
	struct err e;

	many[0] = make_channel(f, "messaging",
		arena_printf(&f->arena, "one-%lld", (long long)stranger).p, stranger, &stranger,
		1);
	many[1] = *c;
	many[2] = make_channel(f, "messaging", "none", stranger, NULL, 0);
	must(channel_complete(f->db, &f->arena, many, 3, &e), &e);
	must(channel_pairs(
		     f->db, &f->arena, many, 3, 0, CHANNEL_PAIRS_MAX, &pairs, &npairs, &e),
		&e);
	assert_int_equal(npairs, n + 1);
	for (size_t i = 0; i < npairs; i++) {
		bool there = false;

		for (size_t k = 0; k < n; k++)
			there = there || uids[k] == pairs[i].uid;
		assert_true(pairs[i].channel == 0 ? pairs[i].uid == stranger
						  : there && pairs[i].channel == 1);
		own += pairs[i].channel == 1;
		assert_true(i == 0 || pairs[i].channel > pairs[i - 1].channel ||
			    pairs[i].uid > pairs[i - 1].uid);
	}
	assert_int_equal(own, n);
	assert_pages(f, many, 3, pairs, npairs);
	for (size_t i = 0; i < n; i++) {
		theirs[i] = many[1];
		asked[i] = uids[i];
	}
	theirs[n] = many[2];
	asked[n] = stranger;
	must(channel_members_paired(f->db, &f->arena, theirs, asked, n + 1, members, &e), &e);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(members[i].uid, uids[i]);
	assert_int_equal(members[n].uid, 0);
}

/* Who is in the channel, by every way to ask; uids sorted, in text. */
static void
assert_members(struct fixture *f, const struct channel *c, const int64_t *uids, size_t n)
{
	struct member *all, *of = arena_zalloc(&f->arena, (n + 1) * sizeof(*of));
	int64_t total, count, *sorted = arena_array(&f->arena, n + 1, sizeof(*sorted));
	struct err e;
	size_t nall;

	if (n > 0)
		memcpy(sorted, uids, n * sizeof(*sorted));
	must(channel_members(f->db, &f->arena, c, 0, &all, &nall, &total, &e), &e);
	must(channel_member_count(f->db, &f->arena, c, &count, &e), &e);
	assert_int_equal(nall, n);
	assert_int_equal(total, n);
	assert_int_equal(count, n);
	must(channel_members_of(f->db, &f->arena, c, sorted, n, of, &e), &e);
	for (size_t i = 0; i < n; i++) {
		struct member one;
		bool found, there = false;

		for (size_t k = 0; k < nall; k++)
			there = there || all[k].uid == uids[i];
		assert_true(there);
		assert_int_equal(of[i].uid, uids[i]);
		must(channel_member(f->db, &f->arena, c, uids[i], &one, &found, &e), &e);
		assert_true(found);
		assert_true(str_eq(one.role, of[i].role));
	}
	if (n > 0)
		assert_members_of_many(f, c, uids, n, uids[0]);
}

static struct member
member_of(struct fixture *f, const struct channel *c, int64_t uid)
{
	struct member m;
	struct err e;

	must(channel_members_of(f->db, &f->arena, c, &uid, 1, &m, &e), &e);
	return m;
}

static void
members_come_and_go(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct err e;

	world_make(f, &w);
	c = make_channel(f, "messaging", "x", w.ann, &w.ann, 1);
	struct member_spec add[] = {spec(w.bob), spec(w.carl), spec(w.bob), spec(w.ann)};
	add[0].custom = STR("{\"k\":1}");
	int64_t gone[] = {w.carl, w.dora, w.carl};

	must(change(f, &c, (struct membership_edit){.add = add, .nadd = 4}, &e), &e);
	assert_members(f, &c, (int64_t[]){w.ann, w.bob, w.carl}, 3);
	assert_str(member_of(f, &c, w.bob).custom, "{\"k\":1}");
	must(change(f, &c, (struct membership_edit){.remove = gone, .nremove = 3}, &e), &e);
	assert_members(f, &c, (int64_t[]){w.ann, w.bob}, 2);
	assert_int_equal(member_of(f, &c, w.carl).uid, 0);
	/* In one call: who is added and removed is gone. */
	add[0] = spec(w.carl);
	must(change(f, &c,
		     (struct membership_edit){
			     .add = add, .nadd = 1, .remove = gone, .nremove = 1},
		     &e),
		&e);
	assert_members(f, &c, (int64_t[]){w.ann, w.bob}, 2);
}

static void
derived_members_leave_and_return(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct err e;

	world_make(f, &w);
	put_campaign(f, &w, 1, "", "hidden", "{\"text\":\"x\"}", TEMPLATE);
	put_batch(f, &w, 1, 100, &w.bob, 1, T0);
	c = must_find(f, "messaging", "bob-ann");
	struct member_spec add[] = {spec(w.bob), spec(w.dora)};
	struct member_role roles[] = {{w.carl, STR("captain"), false}, {w.bob, STR("x"), false},
		{w.bob, STR("first"), false}};
	int64_t gone[] = {w.ann, w.bob, w.carl};

	assert_members(f, &c, (int64_t[]){w.ann, w.bob, w.carl}, 3);
	assert_str(member_of(f, &c, w.carl).role, "guide");
	must(change(f, &c, (struct membership_edit){.roles = roles, .nroles = 3}, &e), &e);
	assert_str(member_of(f, &c, w.carl).role, "captain");
	assert_str(member_of(f, &c, w.carl).custom, "{\"desk\":4}");
	assert_str(member_of(f, &c, w.bob).role, "first"); /* the last counts */
	assert_int_equal(member_of(f, &c, w.ann).hidden_at, T0);
	must(change(f, &c, (struct membership_edit){.remove = gone, .nremove = 3}, &e), &e);
	assert_members(f, &c, NULL, 0);
	must(change(f, &c, (struct membership_edit){.add = add, .nadd = 2}, &e), &e);
	assert_members(f, &c, (int64_t[]){w.bob, w.dora}, 2);
	assert_str(member_of(f, &c, w.bob).role, "channel_member");
}

static void
what_a_change_refuses(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c, distinct;
	struct err e;

	world_make(f, &w);
	int64_t both[] = {w.ann, w.bob};
	c = make_channel(f, "messaging", "x", w.ann, both, 2);
	distinct = make_channel(f, "messaging", NULL, w.ann, both, 2);
	struct member_spec add[] = {spec(w.ann), spec(w.carl)};
	struct member_role stranger = {w.carl, STR("x"), false},
			   joins = {w.carl, STR("x"), true};

	must_fail(change(f, &distinct, (struct membership_edit){.add = add, .nadd = 2}, &e), &e,
		ERR_INPUT, "nobody can be added");
	must_fail(change(f, &distinct, (struct membership_edit){.roles = &joins, .nroles = 1},
			  &e),
		&e, ERR_INPUT, "nobody can be added");
	must(change(f, &distinct, (struct membership_edit){.add = add, .nadd = 1}, &e), &e);
	must_fail(change(f, &c, (struct membership_edit){.roles = &stranger, .nroles = 1}, &e),
		&e, ERR_INPUT, "only members");
	must_fail(change(f, &c, (struct membership_edit){.accept = w.bob}, &e), &e, ERR_INPUT,
		"not invited");
	must_fail(change(f, &c, (struct membership_edit){.reject = w.dora}, &e), &e, ERR_INPUT,
		"not invited");
	assert_members(f, &c, both, 2);
	must(change(f, &c, (struct membership_edit){.roles = &joins, .nroles = 1}, &e), &e);
	assert_str(member_of(f, &c, w.carl).role, "x");
}

static void
invitations_are_answered(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct member m;
	struct err e;

	world_make(f, &w);
	c = make_channel(f, "messaging", "x", w.ann, &w.ann, 1);
	struct member_spec add[] = {spec(w.bob), spec(w.carl)};

	add[0].is_invited = true;
	must(change(f, &c, (struct membership_edit){.add = add, .nadd = 2}, &e), &e);
	m = member_of(f, &c, w.bob);
	assert_str(channel_invite(&m), "pending");
	must(change(f, &c, (struct membership_edit){.reject = w.bob}, &e), &e);
	m = member_of(f, &c, w.bob);
	assert_str(channel_invite(&m), "rejected");
	must(change(f, &c, (struct membership_edit){.accept = w.bob}, &e), &e);
	m = member_of(f, &c, w.bob);
	assert_str(channel_invite(&m), "accepted");
	m = member_of(f, &c, w.carl);
	assert_str(channel_invite(&m), "member");
}

static void
hiding_is_for_one_member(void **state)
{
	struct fixture *f = *state;
	struct message_draft d = {.text = STR("x")};
	struct world w;
	struct channel c;
	struct message m;
	struct err e;

	world_make(f, &w);
	put_campaign(f, &w, 1, "", "", "{\"text\":\"x\"}", TEMPLATE);
	put_batch(f, &w, 1, 100, &w.bob, 1, T0);
	c = must_find(f, "messaging", "bob-ann");
	d.author = w.ann;
	m = must_send(f, &c, &d);
	must(membership_hide(f->db, &f->arena, &c, w.bob, true, &e), &e);
	assert_int_not_equal(member_of(f, &c, w.bob).hidden_at, NO_TIME);
	assert_true(member_of(f, &c, w.bob).cleared_at >= m.created_at);
	assert_int_equal(member_of(f, &c, w.ann).hidden_at, NO_TIME);
	must(membership_show(f->db, &f->arena, &c, w.bob, &e), &e);
	assert_int_equal(member_of(f, &c, w.bob).hidden_at, NO_TIME);
	assert_true(member_of(f, &c, w.bob).cleared_at >= m.created_at);
	must_fail(membership_hide(f->db, &f->arena, &c, w.dora, false, &e), &e, ERR_INPUT,
		"not a member");
}

static void
patches_change_one_member(void **state)
{
	struct fixture *f = *state;
	struct str unset[] = {STR("archived"), STR("desk")};
	struct patch p = {0};
	struct world w;
	struct channel c;
	struct member m;
	struct err e;
	int64_t first;

	world_make(f, &w);
	put_campaign(f, &w, 1, "", "", "{\"text\":\"x\"}", TEMPLATE);
	put_batch(f, &w, 1, 100, &w.bob, 1, T0);
	c = must_find(f, "messaging", "bob-ann");
	p.set = parse(f, "{\"archived\":true,\"pinned\":true,\"floor\":2}");
	must(membership_patch(f->db, &f->arena, &c, w.carl, &p, true, &m, &e), &e);
	assert_true(m.archived_at != NO_TIME && m.pinned_at != NO_TIME);
	assert_str(m.custom, "{\"desk\":4,\"floor\":2}");
	assert_str(m.role, "guide");
	first = m.pinned_at;
	p = (struct patch){.set = parse(f, "{\"pinned\":true}"), .unset = unset, .nunset = 2};
	must(membership_patch(f->db, &f->arena, &c, w.carl, &p, true, &m, &e), &e);
	assert_int_equal(m.pinned_at, first);
	assert_int_equal(m.archived_at, NO_TIME);
	assert_str(m.custom, "{\"floor\":2}");
	p = (struct patch){.set = parse(f, "{\"channel_role\":\"boss\"}")};
	must_fail(membership_patch(f->db, &f->arena, &c, w.carl, &p, true, &m, &e), &e,
		ERR_DENIED, "channel_role");
	must(membership_patch(f->db, &f->arena, &c, w.carl, &p, false, &m, &e), &e);
	assert_str(m.role, "boss");
	must_fail(membership_patch(f->db, &f->arena, &c, w.dora, &p, false, &m, &e), &e,
		ERR_INPUT, "not a member");
}

static void
queries_see_derived_members(void **state)
{
	static const struct {
		const char *filter;
		size_t n;
	} cases[] = {{"{}", 3}, {"{\"id\":\"carl\"}", 1}, {"{\"channel_role\":\"guide\"}", 1},
		{"{\"desk\":{\"$gt\":3}}", 1}, {"{\"joined\":true}", 3},
		{"{\"name\":{\"$exists\":true}}", 0},
		{"{\"id\":{\"$in\":[\"ann\",\"dora\"]}}", 1}};
	struct fixture *f = *state;
	struct member_query q = {.limit = 10};
	struct world w;
	struct channel c;
	struct member *found;
	struct err e;
	size_t n;

	world_make(f, &w);
	put_campaign(f, &w, 1, "", "", "{\"text\":\"x\"}", TEMPLATE);
	put_batch(f, &w, 1, 100, &w.bob, 1, T0);
	c = must_find(f, "messaging", "bob-ann");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		q.filter = parse(f, cases[i].filter);
		must(member_query(f->db, &f->arena, &c, &q, &found, &n, &e), &e);
		if (n != cases[i].n)
			print_error("%s\n", cases[i].filter);
		assert_int_equal(n, cases[i].n);
	}
	q = (struct member_query){.limit = 2, .offset = 1};
	q.sort = parse(f, "[{\"field\":\"user_id\",\"direction\":-1}]");
	must(member_query(f->db, &f->arena, &c, &q, &found, &n, &e), &e);
	assert_int_equal(n, 2);
	assert_int_equal(found[0].uid, w.bob);
	assert_int_equal(found[1].uid, w.ann);
}

/* However many are in a channel, no more are read than asked for, and all are counted (I-28).
 */
static void
large_channels_are_read_in_part(void **state)
{
	enum { EXTRA = 7, ALL = CHANNEL_PAIRS_MAX + EXTRA };
	struct fixture *f = *state;
	struct world w;
	struct channel many[2];
	struct channel_pair *pairs;
	struct member *members;
	int64_t counts[2], total, first = 1000000;
	size_t n;
	struct err e;

	world_make(f, &w);
	many[0] = make_channel(f, "messaging", "large", w.ann, NULL, 0);
	many[1] = make_channel(f, "messaging", "small", w.ann, &w.ann, 1);
	/* Two who have left stand before the others, and in their midst. */
	run_sql(f,
		"INSERT INTO members (channel, uid, role, created_at, removed_at) "
		"WITH RECURSIVE i (k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM i WHERE k < %d) "
		"SELECT %lld, %lld + k, 'channel_member', 1, CASE WHEN k IN (0, 5000) THEN 2 "
		"END "
		"FROM i",
		ALL + 1, (long long)many[0].no, (long long)first);
	must(channel_complete(f->db, &f->arena, many, 2, &e), &e);
	must(channel_pairs(f->db, &f->arena, many, 2, 0, CHANNEL_PAIRS_MAX, &pairs, &n, &e),
		&e);
	assert_int_equal(n, CHANNEL_PAIRS_MAX + 1);
	assert_int_equal(pairs[0].uid, first + 1);
	assert_int_equal(pairs[CHANNEL_PAIRS_MAX - 1].uid, first + CHANNEL_PAIRS_MAX + 1);
	assert_int_equal(pairs[CHANNEL_PAIRS_MAX].uid, w.ann);
	must(channel_count_pairs(
		     f->db, &f->arena, many, 2, pairs, n, CHANNEL_PAIRS_MAX, counts, &e),
		&e);
	assert_int_equal(counts[0], ALL);
	assert_int_equal(counts[1], 1);
	must(channel_pairs(f->db, &f->arena, many, 1, pairs[CHANNEL_PAIRS_MAX - 1].uid + 1,
		     CHANNEL_PAIRS_MAX, &pairs, &n, &e),
		&e);
	assert_int_equal(n, EXTRA);
	must(channel_member_count(f->db, &f->arena, many, counts, &e), &e);
	assert_int_equal(counts[0], ALL);
	must(channel_members(f->db, &f->arena, many, 100, &members, &n, &total, &e), &e);
	assert_int_equal(n, 100);
	assert_int_equal(total, ALL);
}

#define with_store(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(members_come_and_go),
		with_store(derived_members_leave_and_return),
		with_store(what_a_change_refuses),
		with_store(invitations_are_answered),
		with_store(hiding_is_for_one_member),
		with_store(patches_change_one_member),
		with_store(queries_see_derived_members),
		with_store(large_channels_are_read_in_part),
	};

	return cmocka_run_group_tests_name("membership", tests, NULL, NULL);
}
