/* test_form – shapes of derived ids: making without clashes, matching, distinct ids. */
#include "domain/form.h"
#include "store_fixture.h"

struct ask {
	struct fixture *f;
	struct str type, prefix, suffix;
	const int64_t *others; /* distinct when set */
	size_t n;
	struct form form;
	bool ok;
};

static bool
ask_in(struct db *w, void *arg, struct err *e)
{
	struct ask *q = arg;

	if (q->others != NULL)
		return form_for_distinct(
			w, &q->f->arena, q->type, q->others, q->n, &q->form, &q->ok, e);
	return form_for_affix(
		w, &q->f->arena, q->type, q->prefix, q->suffix, &q->form, &q->ok, e);
}

/* The number of the affix form, 0 when it may not be made. */
static int64_t
affix(struct fixture *f, const char *prefix, const char *suffix)
{
	struct ask q = {f, STR("messaging"), str_of(prefix), str_of(suffix), .ok = false};
	struct err e;

	must(db_write(f->db, ask_in, &q, &e), &e);
	return q.ok ? q.form.form : 0;
}

static int64_t
distinct(struct fixture *f, const int64_t *others, size_t n)
{
	static const int64_t nobody;
	struct ask q = {f, STR("messaging"), .others = n ? others : &nobody, .n = n};
	struct err e;

	must(db_write(f->db, ask_in, &q, &e), &e);
	return q.ok ? q.form.form : 0;
}

static void
same_shape_is_one_form(void **state)
{
	struct fixture *f = *state;
	int64_t ann = affix(f, "", "-ann"), zoe = affix(f, "", "-zoe");
	struct form form;
	struct err e;

	assert_true(ann > 0 && zoe > 0 && ann != zoe);
	assert_int_equal(affix(f, "", "-ann"), ann);
	must(form_get(f->db, &f->arena, ann, &form, &e), &e);
	assert_str(form.type, "messaging");
	assert_str(form.prefix, "");
	assert_str(form.suffix, "-ann");
	assert_false(form.shadowed);
	must_fail(form_get(f->db, &f->arena, 77, &form, &e), &e, ERR_NOT_FOUND, "77");
}

/* For one id text at most one number. */
static void
forms_never_clash(void **state)
{
	struct fixture *f = *state;

	assert_int_not_equal(affix(f, "", "-ann"), 0);
	assert_int_equal(affix(f, "", "-mary-ann"), 0); /* x-mary-ann fits both */
	assert_int_equal(affix(f, "vip-", ""), 0);      /* vip-x-ann fits both */
	assert_int_equal(affix(f, "", ""), 0);
	assert_int_not_equal(affix(f, "", "-bob"), 0);
	assert_int_not_equal(affix(f, "a-", "-carl"), 0);
	assert_int_not_equal(affix(f, "b-", "-carl"), 0);
	assert_int_equal(affix(f, "a-b-", "-carl"), 0);
}

static void
impossible_shapes_make_no_form(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(affix(f, "!members-", ""), 0);
	assert_int_equal(affix(f, "", "-a b"), 0);
	assert_int_equal(affix(f, "0123456789012345678901234567890123456789",
				 "012345678901234567890123"),
		0);
}

static void
ids_are_matched(void **state)
{
	struct fixture *f = *state;
	int64_t ann = affix(f, "w-", "-ann"), bob = affix(f, "", "-bob"),
		carl = affix(f, "", "-carl");
	const struct {
		const char *id;
		int64_t form;
		const char *middle;
	} cases[] = {
		{"w-bob-ann", ann, "bob"},
		/* Prefix and suffix may not share bytes, and someone must stand between. */
		{"w-ann", 0, NULL},
		{"w--ann", 0, NULL},
		{"x-bob", bob, "x"},
		{"w-x-bob", bob, "w-x"},
		{"me-carl", carl, "me"},
		{"me-dora", 0, NULL},
		{"-bob", 0, NULL},
	};
	struct str ids[ARRAY_LEN(cases)];
	struct form_fit fits[ARRAY_LEN(cases)], one;
	struct err e;

	assert_true(ann > 0 && bob > 0 && carl > 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ids[i] = str_of(cases[i].id);
	must(form_match(f->db, &f->arena, STR("messaging"), ids, ARRAY_LEN(ids), fits, &e), &e);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		/* One is asked of the store, many are matched here. */
		must(form_match(f->db, &f->arena, STR("messaging"), &ids[i], 1, &one, &e), &e);
		assert_int_equal(fits[i].form, cases[i].form);
		assert_int_equal(one.form, cases[i].form);
		if (cases[i].form == 0)
			continue;
		assert_str(fits[i].middle, cases[i].middle);
		assert_str(one.middle, cases[i].middle);
	}
	must(form_match(f->db, &f->arena, STR("team"), ids, ARRAY_LEN(ids), fits, &e), &e);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(fits[i].form, 0);
}

static void
explicit_channels_shadow_a_new_form(void **state)
{
	struct fixture *f = *state;
	struct form form;
	struct err e;

	sql_script(f, "INSERT INTO channel_ids (cid, no) VALUES "
		      "('messaging:late-ann', 4096), ('team:x-zoe', 8192)");
	must(form_get(f->db, &f->arena, affix(f, "", "-ann"), &form, &e), &e);
	assert_true(form.shadowed);
	must(form_get(f->db, &f->arena, affix(f, "", "-zoe"), &form, &e), &e);
	assert_false(form.shadowed);
}

static void
distinct_forms(void **state)
{
	struct fixture *f = *state;
	const int64_t two[] = {9, 7, 9}, sorted[] = {7, 9}, three[] = {1, 2, 3};
	int64_t no = distinct(f, two, 3), uids[FORM_MAX_DISTINCT - 1];
	struct str others[] = {STR("7"), form_others_text(&f->arena, sorted, 2), STR("9")};
	int64_t found[ARRAY_LEN(others)];
	struct form form;
	struct err e;

	assert_int_not_equal(no, 0);
	assert_int_equal(distinct(f, sorted, 2), no);
	assert_int_equal(distinct(f, three, 3), 0);
	assert_int_not_equal(distinct(f, NULL, 0), 0);
	must(form_find_distinct(f->db, STR("messaging"), others, ARRAY_LEN(others), found, &e),
		&e);
	assert_int_equal(found[0], 0);
	assert_int_equal(found[1], no);
	assert_int_equal(found[2], 0);
	must(form_get(f->db, &f->arena, no, &form, &e), &e);
	assert_int_equal(form_others(&form, uids), 2);
	assert_int_equal(uids[0], 7);
	assert_int_equal(uids[1], 9);
}

/* ann → bob and bob → ann reach the same member set by different forms. */
static void
meetings_name_the_receivers_to_look_up(void **state)
{
	struct fixture *f = *state;
	const int64_t seven = 7, nine = 9, pair[] = {7, 9}, other_pair[] = {7, 12},
		      far_pair[] = {20, 21};
	int64_t ann = distinct(f, &seven, 1), couple, *uids;
	struct form form;
	struct err e;
	size_t n;

	must(form_get(f->db, &f->arena, ann, &form, &e), &e);
	must(form_meetings(f->db, &f->arena, &form, &uids, &n, &e), &e);
	assert_int_equal(n, 1);
	assert_int_equal(uids[0], 7);
	distinct(f, &nine, 1);
	couple = distinct(f, pair, 2);
	distinct(f, other_pair, 2);
	distinct(f, far_pair, 2);
	must(form_meetings(f->db, &f->arena, &form, &uids, &n, &e), &e);
	assert_int_equal(n, 2);
	assert_int_equal(uids[1], 9);
	must(form_get(f->db, &f->arena, couple, &form, &e), &e);
	must(form_meetings(f->db, &f->arena, &form, &uids, &n, &e), &e);
	assert_int_equal(n, 3); /* 7, 9 and 12: {12} ∪ {7, 9} = {9} ∪ {7, 12} */
	assert_int_equal(uids[2], 12);
}

static void
distinct_ids_sort_and_read_back(void **state)
{
	struct fixture *f = *state;
	const int64_t sets[][3] = {{1, 2, 3}, {1, 2, 64}, {1, 63, 64}, {1, 4096, 1LL << 50}};
	struct str last = STR("");
	int64_t uids[FORM_MAX_DISTINCT];
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct str id = form_distinct_id(&f->arena, sets[i], 3);

		assert_int_equal(id.n, strlen("!members-") + 27);
		assert_true(memcmp(last.p, id.p, MIN_OF(last.n, id.n)) < 0 || last.n == 0);
		assert_true(form_distinct_read(id, uids, &n));
		assert_int_equal(n, 3);
		assert_memory_equal(uids, sets[i], sizeof(uids));
		last = id;
	}
	assert_false(form_distinct_read(STR("!members-"), uids, &n));
	assert_false(form_distinct_read(STR("!members----------"), uids, &n)); /* uid 0 */
	assert_false(form_distinct_read(STR("!members-00000000"), uids, &n));
	assert_false(form_distinct_read(STR("!members-0000000@0"), uids, &n));
	/* Not ascending: two texts for one set would be two channels. */
	assert_false(form_distinct_read(STR("!members---------1--------0"), uids, &n));
	assert_true(form_distinct_read(STR("!members---------0--------1"), uids, &n));
}

static void
large_sets_are_hashed(void **state)
{
	struct fixture *f = *state;
	const int64_t four[] = {1, 2, 3, 4}, five[] = {1, 2, 3, 4, 5};
	struct str a = form_distinct_id(&f->arena, four, 4);
	struct str b = form_distinct_id(&f->arena, five, 5);
	int64_t uids[FORM_MAX_DISTINCT];
	size_t n;

	assert_int_equal(a.n, strlen("!members-") + 43);
	assert_false(str_eq(a, b));
	assert_true(str_eq(a, form_distinct_id(&f->arena, four, 4)));
	assert_false(form_distinct_read(a, uids, &n));
}

#define with_store(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(same_shape_is_one_form),
		with_store(forms_never_clash),
		with_store(impossible_shapes_make_no_form),
		with_store(ids_are_matched),
		with_store(explicit_channels_shadow_a_new_form),
		with_store(distinct_forms),
		with_store(meetings_name_the_receivers_to_look_up),
		with_store(distinct_ids_sort_and_read_back),
		with_store(large_sets_are_hashed),
	};

	return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}
