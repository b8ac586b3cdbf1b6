/* test_match – filters tested in memory: conditions, trees, what they refuse, sorting. */
#include "domain/match.h"
#include "store_fixture.h"

enum { COLOUR, SIZE, BORN, OPEN, TAGS, OTHER };

static const struct match_field fields[] = {
	{"colour", COLOUR, MATCH_TEXT, MATCH_OPS_TEXT, true},
	{"size", SIZE, MATCH_INT, MATCH_OPS_NUMBER, true},
	{"born", BORN, MATCH_TIME, MATCH_OPS_NUMBER, true},
	{"open", OPEN, MATCH_BOOL, OP_EQ, false},
	{"tags", TAGS, MATCH_TAGS, OP_EQ | OP_IN, false},
};
static const struct match_field custom = {
	"", OTHER, MATCH_CUSTOM, MATCH_OPS_TEXT | OP_CONTAINS, true};
static const struct match_schema schema = {fields, ARRAY_LEN(fields), &custom};

struct thing {
	struct arena *arena;
	struct str colour; /* p == NULL: none */
	int64_t size, born;
	bool open;
	struct str tags, custom;
};

static bool
meets(const struct match *leaf, const void *arg, bool *out, struct err *e)
{
	const struct thing *t = arg;
	struct match_value v = {.type = MATCH_NOTHING};

	(void)e;
	switch (leaf->at.field->which) {
	case COLOUR:
		v = (struct match_value){
			.type = t->colour.p ? IS_TEXT : MATCH_NOTHING, .s = t->colour};
		break;
	case SIZE:
		v = (struct match_value){.type = IS_INT, .i = t->size};
		break;
	case BORN:
		v = (struct match_value){.type = IS_INT, .i = t->born};
		break;
	case OPEN:
		v = (struct match_value){.type = IS_BOOL, .i = t->open};
		break;
	case TAGS:
		*out = match_tags_meet(t->arena, leaf, t->tags);
		return true;
	default:
		v = match_custom(t->arena, t->custom, &leaf->at);
	}
	*out = match_value_meets(t->arena, leaf, &v);
	return true;
}

static struct match *
must_compile(struct fixture *f, const char *filter)
{
	struct match *out;
	struct err e;

	must(match_compile(f->db, &f->arena, parse(f, filter), &schema, &out, &e), &e);
	return out;
}

static void
conditions(void **state)
{
	static const struct {
		const char *filter;
		bool passes;
	} cases[] = {
		{"{}", true},
		{"{\"colour\":\"red\"}", true},
		{"{\"colour\":{\"$ne\":\"red\"}}", false},
		{"{\"colour\":{\"$in\":[\"x\",\"red\"]}}", true},
		{"{\"colour\":{\"$nin\":[\"x\"]}}", true},
		{"{\"colour\":{\"$gt\":\"blue\",\"$lt\":\"z\"}}", true},
		{"{\"colour\":{\"$autocomplete\":\"RE\"}}", true},
		{"{\"colour\":{\"$exists\":false}}", false},
		{"{\"size\":{\"$gte\":7,\"$lte\":7}}", true},
		{"{\"size\":8}", false},
		{"{\"born\":{\"$lt\":\"1970-01-01T00:00:00.001Z\"}}", true},
		{"{\"born\":5000}", true}, /* nanoseconds */
		{"{\"open\":true}", true},
		{"{\"tags\":\"a\"}", true},
		{"{\"tags\":[\"b\",\"a\"]}", true},
		{"{\"tags\":[\"a\"]}", false},
		{"{\"tags\":{\"$in\":[\"x\",\"b\"]}}", true},
		{"{\"tags\":{\"$in\":[\"x\"]}}", false},
		{"{\"deep.n\":{\"$gt\":1}}", true},
		{"{\"deep.n\":1.5}", true},
		{"{\"deep\":{\"n\":1.5}}", true},
		{"{\"list\":{\"$contains\":\"y\"}}", true},
		{"{\"list\":{\"$contains\":\"z\"}}", false},
		{"{\"nothing\":{\"$exists\":false}}", true},
		{"{\"nothing\":\"x\"}", false},
		{"{\"nothing\":{\"$ne\":\"x\"}}", true},
		{"{\"$and\":[{\"size\":7},{\"colour\":\"red\"}]}", true},
		{"{\"$or\":[{\"size\":8},{\"colour\":\"red\"}]}", true},
		{"{\"$nor\":[{\"size\":8},{\"colour\":\"blue\"}]}", true},
		{"{\"$nor\":[{\"size\":7}]}", false},
		{"{\"$and\":[{\"$or\":[{\"size\":8},{\"$nor\":[{\"open\":true}]}]}]}", false},
	};
	struct fixture *f = *state;
	struct thing t = {&f->arena, STR("red"), 7, 5, true, STR("[\"a\",\"b\"]"),
		STR("{\"deep\":{\"n\":1.5},\"list\":[1,\"y\"]}")};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool passes;

		must(match_test(must_compile(f, cases[i].filter), meets, &t, &passes, &e), &e);
		if (passes != cases[i].passes)
			print_error("%s\n", cases[i].filter);
		assert_int_equal(passes, cases[i].passes);
	}
}

static void
refused(void **state)
{
	static const struct {
		const char *filter, *why;
	} cases[] = {
		{"[]", "expected an object"},
		{"{\"colour\":5}", "colour: expected a string"},
		{"{\"size\":\"x\"}", "size: expected an integer"},
		{"{\"born\":\"yesterday\"}", "born: expected a time"},
		{"{\"open\":{\"$gt\":true}}", "open: operator $gt"},
		{"{\"open\":{\"$in\":[true]}}", "operator $in"},
		{"{\"colour\":{\"$in\":\"red\"}}", "expected an array"},
		{"{\"colour\":{\"$near\":1}}", "operator $near"},
		{"{\"colour\":{\"$exists\":1}}", "expected a boolean"},
		{"{\"tags\":[5]}", "tags: expected a string"},
		{"{\"$not\":[]}", "unknown operator $not"},
		{"{\"$and\":[]}", "expected an array"},
		{"{\"$or\":{}}", "expected an array"},
		{"{\"$or\":[5]}", "expected an object"},
	};
	struct fixture *f = *state;
	struct str deep = STR("{\"size\":1}"), wide = STR("");
	struct match *m;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		must_fail(match_compile(
				  f->db, &f->arena, parse(f, cases[i].filter), &schema, &m, &e),
			&e, ERR_INPUT, cases[i].why);
	for (int i = 0; i < 9; i++)
		deep = arena_printf(&f->arena, "{\"$and\":[%.*s]}", STR_ARG(deep));
	must_fail(match_compile(f->db, &f->arena, parse(f, deep.p), &schema, &m, &e), &e,
		ERR_INPUT, "nested deeper than 8");
	for (int i = 0; i < 1001; i++)
		wide = arena_printf(&f->arena, "%.*s%s\"x\"", STR_ARG(wide), i > 0 ? "," : "");
	wide = arena_printf(&f->arena, "{\"colour\":{\"$in\":[%.*s]}}", STR_ARG(wide));
	must_fail(match_compile(f->db, &f->arena, parse(f, wide.p), &schema, &m, &e), &e,
		ERR_INPUT, "at most 1000 values");
}

static void
what_every_match_must_meet(void **state)
{
	struct fixture *f = *state;
	struct match *m;

	m = must_compile(f, "{\"colour\":{\"$in\":[\"red\",\"blue\"]},\"size\":{\"$gt\":1}}");
	assert_int_equal(match_required(m, COLOUR)->nvalues, 2);
	assert_null(match_required(m, SIZE));
	m = must_compile(f, "{\"$and\":[{\"colour\":\"red\"},{\"$or\":[{\"size\":1}]}]}");
	assert_int_equal(match_required(m, COLOUR)->nvalues, 1);
	assert_null(match_required(m, SIZE));
	assert_true(match_mentions(m, SIZE));
	assert_false(match_mentions(m, BORN));
	m = must_compile(f, "{\"$nor\":[{\"colour\":\"red\"}]}");
	assert_null(match_required(m, COLOUR));
}

static void
keys_sort_by_type_then_value(void **state)
{
	/* Absent, booleans, numbers, texts, anything else. */
	static const struct match_value values[] = {
		{.type = MATCH_NOTHING},
		{.type = IS_BOOL, .i = 0},
		{.type = IS_BOOL, .i = 1},
		{.type = IS_INT, .i = -5},
		{.type = IS_REAL, .d = 1.5},
		{.type = IS_INT, .i = 2},
		{.type = IS_INT, .i = INT64_C(9007199254740992)},
		{.type = IS_INT, .i = INT64_C(9007199254740993)},
		{.type = IS_TEXT, .s = STR_INIT("a")},
		{.type = IS_TEXT, .s = STR_INIT("b")},
		{.type = IS_JSON, .s = STR_INIT("[]")},
	};
	struct fixture *f = *state;
	struct match_order up, down;
	struct err e;

	must(match_read_order(parse(f, "[{\"field\":\"x\"}]"), &schema, "things", 5, &up, &e),
		&e);
	must(match_read_order(parse(f, "[{\"field\":\"x\",\"direction\":-1}]"), &schema,
		     "things", 5, &down, &e),
		&e);
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		for (size_t k = 0; k < ARRAY_LEN(values); k++) {
			struct match_key a = match_key_of(&values[i]);
			struct match_key b = match_key_of(&values[k]);
			int order = match_order_cmp(&up, &a, &b);

			assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
			assert_int_equal(match_order_cmp(&down, &a, &b), -order);
		}
}

static void
sorts_that_are_refused(void **state)
{
	struct fixture *f = *state;
	struct match_order order;
	struct err e;

	must_fail(match_read_order(
			  parse(f, "[{\"field\":\"open\"}]"), &schema, "things", 5, &order, &e),
		&e, ERR_INPUT, "things cannot be sorted by \"open\"");
	must_fail(match_read_order(parse(f, "[{\"field\":\"size\"},{\"field\":\"born\"}]"),
			  &schema, "things", 1, &order, &e),
		&e, ERR_INPUT, "sort must contain at maximum 1 item");
	must(match_read_order(NULL, &schema, "things", 1, &order, &e), &e);
	assert_int_equal(order.n, 0);
}

#define with_store(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(conditions),
		with_store(refused),
		with_store(what_every_match_must_meet),
		with_store(keys_sort_by_type_then_value),
		with_store(sorts_that_are_refused),
	};

	return cmocka_run_group_tests_name("match", tests, NULL, NULL);
}
