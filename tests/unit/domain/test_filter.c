/* test_filter – SQL texts, refusals and bounds (F25, F28, I-27); and random filters over
 * random users: the store's answer against an evaluator that shares no code with it. */
#include "filter_model.h"

#define USERS 300

struct world {
	struct fixture *f;
	struct person users[USERS];
};

static const struct filter_schema schema = {
	"user", model_fields, ARRAY_LEN(model_fields), "u.custom", "u.id"};
static const struct filter_schema plain = {"campaign", model_fields, 5, NULL, "u.id"};

/* ---- running --------------------------------------------------------------------- */

/* hits[i]: user i + 1 was found. */
static void
find(struct world *w, const json_t *filter, bool hits[USERS])
{
	struct filter_params params;
	struct buf sql;
	struct rows r;
	struct err e;

	memset(hits, 0, USERS);
	filter_params_init(&params, &w->f->arena);
	buf_init(&sql, &w->f->arena, 0);
	buf_str(&sql, STR("SELECT u.uid FROM users u WHERE "));
	must(filter_sql(w->f->db, &w->f->arena, filter, &schema, &sql, &params, &e), &e);
	buf_str(&sql, STR(" AND u.uid > 0"));
	must(db_query_text(w->f->db, buf_view(&sql), (struct args){params.v, params.n}, &r, &e),
		&e);
	while (rows_next(&r))
		hits[row_int(&r, 0) - 1] = true;
	must(rows_end(&r, &e), &e);
}

static void
differential(void **state)
{
	struct world *w = *state;
	const char *asked = getenv("FAN_RUNS");
	int runs = asked == NULL ? 3000 : atoi(asked);
	size_t found = 0;

	for (int run = 0; run < runs; run++) {
		json_t *filter = random_filter(0);
		bool hits[USERS];

		find(w, filter, hits);
		for (size_t i = 0; i < USERS; i++) {
			found += hits[i];
			if (hits[i] == judge(&w->users[i], filter))
				continue;
			print_error("SQL says %d\nfilter %s\nuser %s\n", hits[i],
				json_dumps(filter, 0), json_dumps(w->users[i].as, 0));
			assert_true(false);
		}
		json_decref(filter);
		arena_reset(&w->f->arena);
	}
	assert_in_range(found, (size_t)runs * USERS / 20, (size_t)runs * USERS * 19 / 20);
}

static const char *
compile(struct world *w, const struct filter_schema *s, const char *json, struct err *e)
{
	struct filter_params params;
	json_t *filter;
	struct buf sql;

	e->msg[0] = '\0';
	must(jr_parse(&w->f->arena, str_of(json), &filter, e), e);
	filter_params_init(&params, &w->f->arena);
	buf_init(&sql, &w->f->arena, 0);
	if (!filter_sql(w->f->db, &w->f->arena, filter, s, &sql, &params, e)) {
		assert_false(filter_check(w->f->db, &w->f->arena, filter, s, e));
		assert_int_equal(ERR_INPUT, e->code);
		return NULL;
	}
	must(filter_check(w->f->db, &w->f->arena, filter, s, e), e);
	return arena_dup(&w->f->arena, buf_view(&sql)).p;
}

static void
texts(void **state)
{
	static const struct {
		const char *filter, *sql;
	} cases[] = {
		{"null", "1=1"},
		{"{}", "1=1"},
		{"{\"name\":\"x\"}", "u.name = $1"},
		{"{\"name\":{\"$eq\":\"x\",\"$gt\":\"a\"}}", "u.name = $1 AND u.name > $2"},
		{"{\"name\":{\"$ne\":\"x\"}}", "(u.name = $1) IS NOT TRUE"},
		{"{\"name\":null}", "u.name IS NULL"},
		{"{\"name\":{\"$ne\":null}}", "(u.name IS NULL) IS NOT TRUE"},
		{"{\"name\":{\"$exists\":true}}", "u.name IS NOT NULL"},
		{"{\"id\":{\"$in\":[\"a\",\"b\"]}}", "(u.id IN ($1, $2))"},
		{"{\"id\":{\"$in\":[]}}", "(1=0)"},
		{"{\"id\":{\"$nin\":[]}}", "((1=0)) IS NOT TRUE"},
		{"{\"$or\":[{\"id\":\"a\"},{\"n\":1,\"name\":\"y\"}]}",
			"(u.id = $1 OR (u.n = $2 AND u.name = $3))"},
		{"{\"$nor\":[{\"id\":\"a\"},{}]}", "((u.id = $1 OR 1=1) IS NOT TRUE)"},
		{"{\"age'; --.x\":5}", "fan_json_cmp(u.custom, $1, 'eq', $2)"},
		{"{\"teams\":{\"$in\":[\"a\"]}}", "fan_json_cmp(u.teams, $1, 'any', $2)"},
		{"{\"roles\":{\"$in\":[\"a\",\"b\"]}}",
			"EXISTS (SELECT 1 FROM members m WHERE m.channel = u.uid AND m.role IN "
			"($1, $2))"},
		{"{\"name\":{\"$autocomplete\":\"50%\"}}",
			"lower(' ' || u.name) LIKE $1 ESCAPE '\\'"},
	};
	struct filter_field own[ARRAY_LEN(model_fields)];
	struct filter_schema s = schema;

	memcpy(own, model_fields, sizeof(own));
	own[3].sql = "u.n";
	s.fields = own;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		const char *sql = compile(*state, &s, cases[i].filter, &e);

		if (sql == NULL)
			print_error("%s: %s\n", cases[i].filter, e.msg);
		assert_non_null(sql);
		assert_string_equal(cases[i].sql, sql);
	}
}

/* A key of custom data is a parameter, whatever it looks like (I-27). */
static void
keys_are_parameters(void **state)
{
	struct err e;
	const char *sql = compile(*state, &schema, "{\"age'; --\":5}", &e);

	assert_string_equal(sql,
		getenv("FANFARE_TEST_PG") == NULL
			? "fan_json_cmp(u.custom, $1, 'eq', $2)"
			: "CASE json_typeof(u.custom -> CAST($1 AS TEXT)) WHEN 'number' THEN "
			  "CAST(u.custom ->> CAST($1 AS TEXT) AS NUMERIC) = "
			  "(SELECT CAST(CAST($2 AS JSON) #>> '{}' AS NUMERIC)) ELSE false END");
}

static void
refusals(void **state)
{
	static const struct {
		const char *filter, *says;
	} cases[] = {
		{"[]", "filter: expected an object, got an array"},
		{"{\"foo\":1}", "filter: unknown field \"foo\" of campaign"},
		{"{\"\":1}", "unknown field"},
		{"{\"name\":{\"$regex\":\"x\"}}", "name: unknown operator $regex"},
		{"{\"name\":{\"first\":\"x\"}}", "name: unknown operator first"},
		{"{\"name\":{}}", "name: has no operator"},
		{"{\"$where\":\"1\"}", "unknown operator $where"},
		{"{\"name\":{\"$contains\":\"x\"}}",
			"name does not take the operator $contains"},
		{"{\"name\":5}", "name.$eq: expected a string, got an integer"},
		{"{\"name\":{\"$in\":\"x\"}}", "name.$in: expected an array, got a string"},
		{"{\"name\":{\"$in\":[\"x\",null]}}", "name.$in: expected a string, got null"},
		{"{\"name\":{\"$gt\":null}}", "name.$gt: expected a string, got null"},
		{"{\"name\":{\"$exists\":1}}", "name.$exists: expected a boolean"},
		{"{\"name\":{\"$autocomplete\":\"\"}}",
			"name.$autocomplete: expected 1 to 256"},
		{"{\"since\":true}", "since.$eq: expected a time"},
		{"{\"since\":\"yesterday\"}", "since.$eq: not an RFC 3339 time: yesterday"},
		{"{\"since\":-9000000000000000000}", NULL},
		{"{\"n\":\"1\"}", "n.$eq: expected a number, got a string"},
		{"{\"banned\":1}", "banned.$eq: expected a boolean"},
		{"{\"$and\":[]}", "$and: expected a non-empty array"},
		{"{\"$or\":{}}", "$or: expected a non-empty array"},
		{"{\"$nor\":[1]}", "$nor[0]: expected an object"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		const char *sql = compile(*state, &plain, cases[i].filter, &e);

		if (cases[i].says == NULL) {
			assert_non_null(sql);
			continue;
		}
		assert_null(sql);
		if (strstr(e.msg, cases[i].says) == NULL)
			print_error("%s\n", e.msg);
		assert_non_null(strstr(e.msg, cases[i].says));
	}
}

static void
custom_refusals(void **state)
{
	static const char *const cases[] = {
		"{\"a\":{\"$gt\":true}}",
		"{\"a\":{\"$in\":[[1]]}}",
		"{\"a\":{\"$in\":[null]}}",
		"{\"a\":{\"$contains\":[1]}}",
		"{\"a\":{\"$ne\":1}}",
		"{\"a\":{\"b\":1}}",
		"{\"$a\":1}",
		"{\"teams\":\"red\"}",
		"{\"teams\":{\"$in\":[{}]}}",
		"{\"roles\":[\"a\"]}",
		"{\"roles\":null}",
		"{\"team\":{\"$in\":\"x\"}}",
		"{\"username\":{\"$autocomplete\":1}}",
		"{\"username\":{\"$gt\":\"a\"}}",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;

		if (compile(*state, &schema, cases[i], &e) != NULL)
			print_error("accepted: %s\n", cases[i]);
		assert_int_not_equal('\0', e.msg[0]);
	}
}

/* ${open} "a0","a1",… ${close} */
static const char *
big_in(struct world *w, const char *open, size_t n, const char *close)
{
	struct buf b;

	buf_init(&b, &w->f->arena, 0);
	buf_str(&b, str_of(open));
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s\"a%zu\"", i == 0 ? "" : ",", i);
	buf_str(&b, str_of(close));
	buf_char(&b, '\0');
	return b.p;
}

/* A condition inside ${depth} combinators. */
static const char *
nested(struct world *w, int depth)
{
	struct buf b;

	buf_init(&b, &w->f->arena, 0);
	for (int i = 0; i < depth; i++)
		buf_str(&b, STR("{\"$or\":["));
	buf_str(&b, STR("{\"n\":1}"));
	for (int i = 0; i < depth; i++)
		buf_str(&b, STR("]}"));
	buf_char(&b, '\0');
	return b.p;
}

/* F28 */
static void
bounds(void **state)
{
	struct world *w = *state;
	struct buf b;
	struct err e;
	json_t *filter;
	bool hits[USERS];

	assert_non_null(compile(w, &schema, big_in(w, "{\"id\":{\"$in\":[", 10000, "]}}"), &e));
	must(jr_parse(&w->f->arena, str_of(big_in(w, "{\"id\":{\"$in\":[", 10000, "]}}")),
		     &filter, &e),
		&e);
	find(w, filter, hits);
	for (size_t i = 0; i < USERS; i++)
		assert_int_equal(w->users[i].id[0] == 'a', hits[i]);
	assert_null(compile(w, &schema, big_in(w, "{\"id\":{\"$in\":[", 10001, "]}}"), &e));
	assert_null(compile(w, &schema, big_in(w, "{\"x\":{\"$in\":[", 10001, "]}}"), &e));
	buf_init(&b, &w->f->arena, 0);
	for (int i = 0; i < 4; i++)
		buf_str(&b,
			str_of(big_in(w,
				i == 0 ? "{\"$or\":[{\"id\":{\"$in\":[" : ",{\"id\":{\"$in\":[",
				9000, "]}}")));
	buf_str(&b, str_of("]}"));
	buf_char(&b, '\0');
	assert_null(compile(w, &schema, b.p, &e));
	assert_non_null(strstr(e.msg, "30000 values"));

	assert_non_null(compile(w, &schema, nested(w, 7), &e));
	assert_null(compile(w, &schema, nested(w, 8), &e));
	assert_non_null(strstr(e.msg, "deeper than 8"));

	b.n = 0;
	for (int i = 0; i < 256; i++)
		buf_printf(&b, "%s{\"n\":%d}", i == 0 ? "{\"$or\":[" : ",", i);
	buf_str(&b, STR("]}"));
	buf_char(&b, '\0');
	assert_null(compile(w, &schema, b.p, &e));
	assert_non_null(strstr(e.msg, "256 conditions"));
	arena_reset(&w->f->arena);
}

static void
sorts(void **state)
{
	struct world *w = *state;
	static const char *const bad[] = {"{}", "[1]", "[{}]", "[{\"field\":\"teams\"}]",
		"[{\"field\":\"n\",\"direction\":0}]", "[{\"field\":\"n\",\"direction\":2}]",
		"[{\"field\":\"n\",\"direction\":\"asc\"}]", "[{\"field\":\"$.x\"}]",
		"[{\"field\":\"x'y\"}]", "[{\"field\":\"[x\"}]", "[{\"field\":\"a..b\"}]",
		"[{\"field\":\"1\"}]",
		("[{\"field\":\"n\"},{\"field\":\"n\"},{\"field\":\"n\"},{\"field\":\"n\"},"
		 "{\"field\":\"n\"},{\"field\":\"n\"}]")};
	struct filter_sort out[FILTER_MAX_SORTS];
	struct filter_params params;
	struct buf sql;
	struct rows r;
	struct err e;
	json_t *sort;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		must(jr_parse(&w->f->arena, str_of(bad[i]), &sort, &e), &e);
		assert_false(filter_read_sort(sort, &schema, out, &n, &e));
		assert_int_equal(ERR_INPUT, e.code);
	}
	assert_true(filter_read_sort(NULL, &schema, out, &n, &e));
	assert_int_equal(0, n);
	must(jr_parse(&w->f->arena,
		     STR("[{\"field\":\"name\",\"direction\":-1},{\"field\":\"score\",\"type\":"
			 "\"number\"},{\"field\":\"n\"}]"),
		     &sort, &e),
		&e);
	must(filter_read_sort(sort, &schema, out, &n, &e), &e);
	assert_int_equal(3, n);
	assert_false(filter_read_sort(sort, &plain, out, &n, &e));
	must(filter_read_sort(sort, &schema, out, &n, &e), &e);
	filter_params_init(&params, &w->f->arena);
	buf_init(&sql, &w->f->arena, 0);
	buf_str(&sql, STR("SELECT 1 FROM users u ORDER BY "));
	filter_order(w->f->db, &sql, &params, &schema, out, n);
	buf_char(&sql, '\0');
	assert_non_null(strstr(sql.p, " ORDER BY u.name DESC NULLS LAST, "));
	assert_non_null(strstr(sql.p, "u.custom ->> CAST($1 AS TEXT)"));
	sql.n--;
	assert_true(str_ends(buf_view(&sql), STR(", u.updated_at ASC NULLS FIRST, u.id")));
	must(db_query_text(w->f->db, buf_view(&sql), (struct args){params.v, params.n}, &r, &e),
		&e);
	for (n = 0; rows_next(&r); n++)
		continue;
	must(rows_end(&r, &e), &e);
	assert_int_equal(USERS, n);
}

/* ---- fixture --------------------------------------------------------------------- */

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	void *f;

	fixture_setup(&f);
	w->f = f;
	for (size_t i = 0; i < USERS; i++)
		make_user(w->f, &w->users[i], (int64_t)i + 1);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	void *f = w->f;

	for (size_t i = 0; i < USERS; i++)
		json_decref(w->users[i].as);
	free(w);
	return fixture_teardown(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(keys_are_parameters),
		cmocka_unit_test(refusals),
		cmocka_unit_test(custom_refusals),
		cmocka_unit_test(bounds),
		cmocka_unit_test(sorts),
		cmocka_unit_test(differential),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
