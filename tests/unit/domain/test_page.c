/* test_page – walks in both directions over every kind of order, against qsort(); cursors
 * that were tampered with (F29). */
#include "domain/app.h"
#include "domain/page.h"
#include "store_fixture.h"

#define USERS 97

struct person {
	int64_t uid;
	char id[8];
	const char *name; /* NULL: none */
	int64_t n;        /* −1: none */
	int64_t since;
};

struct world {
	struct fixture *f;
	struct app app;
	struct person users[USERS];
};

static const struct filter_field fields[] = {
	{"id", FILTER_TEXT, OP_SCALAR, "u.id", true},
	{"name", FILTER_TEXT, OP_SCALAR, "u.name", true},
	{"n", FILTER_INT, OP_SCALAR, "u.updated_at", true},
	{"since", FILTER_TIME, OP_SCALAR, "u.created_at", true},
	{"teams", FILTER_TEXT_LIST, OP_EQ, "u.teams", false},
};

/* The same table, but no user lacks these. */
static const struct filter_field full_fields[] = {
	{"id", FILTER_TEXT, OP_SCALAR, "u.id", FILTER_NEVER_NULL},
	{"since", FILTER_TIME, OP_SCALAR, "u.created_at", FILTER_NEVER_NULL},
};
static const struct filter_schema full = {
	"user", full_fields, ARRAY_LEN(full_fields), NULL, "u.id"};

/* Ids in the order of their directory. */
static const struct filter_field directory_fields[] = {
	{"id", FILTER_TEXT, OP_SCALAR, "i.id", FILTER_NEVER_NULL},
};
static const struct filter_schema directory = {
	"user", directory_fields, ARRAY_LEN(directory_fields), NULL, "i.id"};

static const struct filter_schema by_id = {
	"user", fields, ARRAY_LEN(fields), "u.custom", "u.id"};
static const struct filter_schema by_uid = {"user", fields, ARRAY_LEN(fields), NULL, "u.uid"};

static struct page_list
users_list(const struct filter_schema *schema)
{
	static const struct val above[] = {{.type = VAL_INT, .i = 0}};

	return (struct page_list){
		.name = "users",
		.scope = STR("here"),
		.schema = schema,
		.columns = "u.uid, COALESCE(u.name, ',', 'x'), u.id",
		.from_where = "users u WHERE u.uid > $1",
		.default_field = "since",
		.default_descending = true,
		.args = {above, 1},
	};
}

/* ---- one page -------------------------------------------------------------------- */

struct seen {
	int64_t uids[USERS];
	size_t n;
};

static bool
see(void *arg, struct rows *r, struct err *e UNUSED)
{
	struct seen *s = arg;

	assert_false(row_null(r, 1));
	assert_true(row_str(r, 2).n > 0);
	s->uids[s->n++] = row_int(r, 0);
	return true;
}

static bool
run(struct world *w, const struct page_list *list, const struct page_ask *ask, struct seen *s,
	struct page_links *links, struct err *e)
{
	s->n = 0;
	return page_run(w->f->db, &w->f->arena, &w->app, list, ask, see, s, links, e);
}

/* ---- the expected order ---------------------------------------------------------- */

struct order {
	const json_t *sort;
	bool tie_is_uid;
};

static int
compare_names(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

static int
compare_by(const struct person *a, const struct person *b, const char *field)
{
	if (strcmp(field, "id") == 0)
		return strcmp(a->id, b->id);
	if (strcmp(field, "name") == 0)
		return compare_names(a->name, b->name);
	if (strcmp(field, "n") == 0)
		return (a->n > b->n) - (a->n < b->n);
	return (a->since > b->since) - (a->since < b->since);
}

static int
compare(const void *x, const void *y, void *arg)
{
	const struct person *a = x, *b = y;
	const struct order *o = arg;
	const json_t *key;
	size_t i;

	json_array_foreach(o->sort, i, key)
	{
		json_int_t direction = json_integer_value(json_object_get(key, "direction"));
		int c = compare_by(a, b, json_string_value(json_object_get(key, "field")));

		if (c != 0)
			return direction < 0 ? -c : c;
	}
	if (json_array_size(o->sort) == 0 && a->since != b->since)
		return a->since < b->since ? 1 : -1;
	return o->tie_is_uid ? (a->uid > b->uid) - (a->uid < b->uid) : strcmp(a->id, b->id);
}

/* Forward to the end, then back to the start: each page where it belongs. */
static void
walk(struct world *w, const struct filter_schema *schema, const char *sort, int64_t limit,
	int64_t min_n)
{
	struct page_list list = users_list(schema);
	struct person want[USERS];
	struct order order = {parse(w->f, sort), schema == &by_uid};
	struct page_ask ask = {.sort = order.sort, .limit = limit};
	struct page_links links;
	struct seen s;
	struct err e;
	size_t n = 0, at = 0;
	char filter[64];

	for (size_t i = 0; i < USERS; i++)
		if (min_n < 0 || w->users[i].n >= min_n)
			want[n++] = w->users[i];
	qsort_r(want, n, sizeof(*want), compare, &order);
	snprintf(filter, sizeof(filter), "{\"n\":{\"$gte\":%d}}", (int)min_n);
	ask.filter = min_n < 0 ? NULL : parse(w->f, filter);
	for (;;) {
		must(run(w, &list, &ask, &s, &links, &e), &e);
		assert_int_equal(MIN_OF((size_t)limit, n - at), s.n);
		for (size_t i = 0; i < s.n; i++)
			assert_int_equal(want[at + i].uid, s.uids[i]);
		assert_int_equal(at > 0 && s.n > 0, links.prev.p != NULL);
		at += s.n;
		assert_int_equal(at < n, links.next.p != NULL);
		if (at == n)
			break;
		/* What the body says beside a cursor does not count. */
		ask = (struct page_ask){.filter = parse(w->f, "{\"id\":\"nobody\"}"),
			.limit = limit,
			.next = links.next};
	}
	at -= s.n;
	while (at > 0) {
		size_t here = MIN_OF((size_t)limit, at);

		ask = (struct page_ask){.limit = limit, .prev = links.prev};
		must(run(w, &list, &ask, &s, &links, &e), &e);
		assert_int_equal(here, s.n);
		at -= here;
		for (size_t i = 0; i < s.n; i++)
			assert_int_equal(want[at + i].uid, s.uids[i]);
		assert_int_equal(at > 0, links.prev.p != NULL);
		assert_non_null(links.next.p);
	}
	arena_reset(&w->f->arena);
}

static void
walks(void **state)
{
	static const char *const sorts[] = {
		"[]",
		"[{\"field\":\"since\",\"direction\":1}]",
		"[{\"field\":\"name\",\"direction\":1}]",
		"[{\"field\":\"name\",\"direction\":-1}]",
		"[{\"field\":\"id\",\"direction\":-1}]",
		"[{\"field\":\"n\",\"direction\":-1},{\"field\":\"name\",\"direction\":1}]",
		"[{\"field\":\"n\",\"direction\":1},{\"field\":\"name\",\"direction\":-1}]",
		("[{\"field\":\"name\",\"direction\":-1},{\"field\":\"n\",\"direction\":-1},"
		 "{\"field\":\"since\",\"direction\":1}]"),
		"[{\"field\":\"n\",\"direction\":1},{\"field\":\"n\",\"direction\":-1}]",
	};
	static const int64_t limits[] = {1, 2, 7, USERS - 1, USERS, USERS + 1};

	for (size_t i = 0; i < ARRAY_LEN(sorts); i++)
		for (size_t k = 0; k < ARRAY_LEN(limits); k++) {
			walk(*state, &by_id, sorts[i], limits[k], -1);
			walk(*state, &by_uid, sorts[i], limits[k], -1);
			walk(*state, &by_id, sorts[i], limits[k], 1);
			walk(*state, &by_id, sorts[i], limits[k], 99);
			if (strstr(sorts[i], "\"n") == NULL)
				walk(*state, &full, sorts[i], limits[k], -1);
		}
}

/* ---- cursors --------------------------------------------------------------------- */

static void
refuse(struct world *w, const struct page_list *list, struct page_ask ask)
{
	struct page_links links;
	struct seen s;
	struct err e;

	assert_false(run(w, list, &ask, &s, &links, &e));
	assert_int_equal(ERR_INPUT, e.code);
	assert_int_equal(0, s.n);
}

static void
tampering(void **state)
{
	struct world *w = *state;
	struct page_list list = users_list(&by_id), other = list;
	struct page_ask ask = {.filter = parse(w->f, "{\"n\":{\"$gte\":0}}"), .limit = 5};
	struct page_links links;
	struct app stranger = {.api_secret = STR("another secret")}, own = w->app;
	struct seen s;
	struct err e;
	char *copy;

	must(run(w, &list, &ask, &s, &links, &e), &e);
	assert_null(links.prev.p);
	assert_non_null(links.next.p);
	copy = malloc(links.next.n);
	for (size_t i = 0; i < links.next.n * 8; i++) {
		memcpy(copy, links.next.p, links.next.n);
		copy[i / 8] = (char)(copy[i / 8] ^ (1 << (i % 8)));
		refuse(w, &list, (struct page_ask){.limit = 5, .next = {copy, links.next.n}});
	}
	for (size_t n = 1; n < links.next.n; n++) {
		memcpy(copy, links.next.p, n);
		refuse(w, &list, (struct page_ask){.limit = 5, .next = {copy, n}});
	}
	free(copy);
	refuse(w, &list, (struct page_ask){.limit = 5, .prev = links.next});
	refuse(w, &list, (struct page_ask){.limit = 5, .next = STR("abc")});
	refuse(w, &list, (struct page_ask){.limit = 5, .next = STR("!")});
	other.name = "others";
	refuse(w, &other, (struct page_ask){.limit = 5, .next = links.next});
	other = list;
	other.scope = STR("there");
	refuse(w, &other, (struct page_ask){.limit = 5, .next = links.next});
	w->app = stranger;
	refuse(w, &list, (struct page_ask){.limit = 5, .next = links.next});
	w->app = own;
	arena_reset(&w->f->arena);
}

/* Well sealed, but not what page_run() makes: a cursor of another use under the same name. */
static void
foreign_bodies(void **state)
{
	static const char *const bodies[] = {"{}", "[]", "null",
		"{\"v\":2,\"d\":\"n\",\"p\":[1,\"a\"]}", "{\"v\":1,\"d\":\"n\",\"p\":[1]}",
		"{\"v\":1,\"d\":\"n\",\"p\":[\"x\",\"a\"]}",
		"{\"v\":1,\"d\":\"n\",\"p\":[1,2]}", "{\"v\":1,\"d\":\"n\"}",
		"{\"v\":1,\"d\":\"n\",\"p\":[1,\"a\"],\"f\":{\"$foo\":1}}",
		"{\"v\":1,\"d\":\"n\",\"p\":[1,\"a\"],\"s\":[{\"field\":\"foo\"}]}"};
	struct world *w = *state;
	struct page_list list = users_list(&by_id);

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct str c = page_seal(&w->f->arena, &w->app, list.name, list.scope,
			i == 2 ? json_null() : parse(w->f, bodies[i]));

		refuse(w, &list, (struct page_ask){.limit = 5, .next = c});
	}
	arena_reset(&w->f->arena);
}

static void
seals(void **state)
{
	struct world *w = *state;
	json_t *body = parse(w->f, "{\"x\":[1,\"é\"]}"), *back;
	struct str c = page_seal(&w->f->arena, &w->app, "t", STR("s"), body);
	struct err e;

	must(page_open(&w->f->arena, &w->app, "t", STR("s"), c, &back, &e), &e);
	assert_true(json_equal(body, back));
	assert_false(page_open(&w->f->arena, &w->app, "t", STR(""), c, &back, &e));
	assert_int_equal(ERR_INPUT, e.code);
}

/* A custom field can be sorted by where users are listed, not here. */
static void
bad_sorts(void **state)
{
	struct world *w = *state;
	struct page_list list = users_list(&by_id);

	refuse(w, &list,
		(struct page_ask){.limit = 5, .sort = parse(w->f, "[{\"field\":\"score\"}]")});
	refuse(w, &list,
		(struct page_ask){.limit = 5, .sort = parse(w->f, "[{\"field\":\"teams\"}]")});
	refuse(w, &list, (struct page_ask){.limit = 5, .filter = parse(w->f, "[]")});
}

/* Each page after the first begins with a search of the index, not with its first row. */
static void
pages_are_searched_for(void **state)
{
	static const char users[] = "users u WHERE u.deleted_at IS NULL";
	static const char ids[] = "user_ids i CROSS JOIN users u WHERE u.uid = i.uid";
	static const struct {
		const char *sort, *from_where;
		const struct filter_schema *schema;
		const char *step;
	} sorts[] = {
		{"[]", users, &full, "users_created (created_at<?)"},
		{"[{\"field\":\"since\"}]", users, &full, "users_created (created_at>?)"},
		{"[{\"field\":\"id\"}]", ids, &directory, "i USING PRIMARY KEY (id>?)"},
		{"[{\"field\":\"id\",\"direction\":-1}]", ids, &directory,
			"i USING PRIMARY KEY (id<?)"},
	};
	struct world *w = *state;
	struct page_list list = users_list(&full);
	struct filter_params params;
	struct page_links links;
	struct buf sql, plan;
	struct seen seen;
	struct rows r;
	struct err e;

	if (!store_is_exclusive(w->f->store))
		return; /* plans are told in SQLite's words */
	list.args = NO_ARGS;
	for (size_t i = 0; i < ARRAY_LEN(sorts); i++) {
		struct page_ask ask = {.limit = 5, .sort = parse(w->f, sorts[i].sort)};

		list.from_where = sorts[i].from_where;
		list.schema = sorts[i].schema;
		must(run(w, &list, &ask, &seen, &links, &e), &e);
		ask.next = links.next;
		filter_params_init(&params, &w->f->arena);
		buf_init(&sql, &w->f->arena, 512);
		buf_init(&plan, &w->f->arena, 512);
		buf_str(&sql, STR("EXPLAIN QUERY PLAN "));
		must(page_sql(w->f->db, &w->f->arena, &w->app, &list, &ask, &sql, &params, &e),
			&e);
		must(db_query_text(w->f->db, buf_view(&sql), (struct args){params.v, params.n},
			     &r, &e),
			&e);
		while (rows_next(&r))
			buf_str(&plan, row_str(&r, 3));
		must(rows_end(&r, &e), &e);
		buf_char(&plan, '\0');
		if (strstr(plan.p, sorts[i].step) == NULL)
			fail_msg("%s: %s", sorts[i].sort, plan.p);
		if (sorts[i].schema == &directory)
			assert_null(strstr(plan.p, "TEMP B-TREE"));
	}
}

/* PostgreSQL walks no index for an order that says where nulls go. */
static void
orders_name_nulls_where_there_are_some(void **state)
{
	struct world *w = *state;
	const struct filter_schema *const schemas[] = {&full, &by_id};
	static const char *const orders[] = {" ORDER BY u.created_at DESC, u.id ASC LIMIT",
		" ORDER BY u.created_at DESC NULLS LAST, u.id ASC LIMIT"};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(schemas); i++) {
		struct page_list list = users_list(schemas[i]);
		struct page_ask ask = {.limit = 5};
		struct filter_params params;
		struct buf sql;

		filter_params_init(&params, &w->f->arena);
		buf_init(&sql, &w->f->arena, 512);
		must(page_sql(w->f->db, &w->f->arena, &w->app, &list, &ask, &sql, &params, &e),
			&e);
		buf_char(&sql, '\0');
		if (strstr(sql.p, orders[i]) == NULL)
			fail_msg("%s", sql.p);
	}
}

static void
reading(void **state)
{
	static const char *const bad[] = {"{\"limit\":101}", "{\"limit\":-1}",
		"{\"limit\":\"1\"}", "{\"limit\":1.5}", "{\"next\":\"a\",\"prev\":\"b\"}",
		"{\"next\":1}"};
	struct world *w = *state;
	struct page_ask ask;
	struct err e;

	must(page_read(NULL, 30, 100, &ask, &e), &e);
	assert_int_equal(30, ask.limit);
	must(page_read(
		     parse(w->f, "{\"limit\":0,\"next\":\"\",\"prev\":\"x\",\"filter\":null}"),
		     30, 100, &ask, &e),
		&e);
	assert_int_equal(30, ask.limit);
	assert_null(ask.filter);
	assert_null(ask.next.p);
	assert_true(str_is(ask.prev, "x"));
	must(page_read(
		     parse(w->f,
			     "{\"limit\":100,\"Filter\":{\"a\":1},\"sort\":null,\"Sort\":[]}"),
		     30, 100, &ask, &e),
		&e);
	assert_int_equal(100, ask.limit);
	assert_int_equal(1, json_object_size(ask.filter));
	assert_true(json_is_array(ask.sort));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(page_read(parse(w->f, bad[i]), 30, 100, &ask, &e));
		assert_int_equal(ERR_INPUT, e.code);
	}
}

/* ---- fixture --------------------------------------------------------------------- */

static void
make_user(struct fixture *f, struct person *p, int i)
{
	static const char *const names[] = {NULL, "", "Ann", "Bob", "ann", "Zo\xc3\xab"};

	p->uid = i + 1;
	snprintf(p->id, sizeof(p->id), "u%d", i * 61 % USERS);
	p->name = names[i * 7 % 6];
	p->n = i % 5 - 1;
	p->since = i % 11 * 1000000;
	sql_run(f->db,
		"INSERT INTO users (uid, id, name, updated_at, created_at) "
		"VALUES ($1, $2, $3, NULLIF($4, -1), $5)",
		ARGS(V_INT(p->uid), V_TEXT(str_of(p->id)), V_TEXT(str_of(p->name)), V_INT(p->n),
			V_INT(p->since)));
	sql_run(f->db, "INSERT INTO user_ids (id, uid) VALUES ($1, $2)",
		ARGS(V_TEXT(str_of(p->id)), V_INT(p->uid)));
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	void *f;

	fixture_setup(&f);
	w->f = f;
	w->app.api_secret = STR("the secret of the tests");
	for (int i = 0; i < USERS; i++)
		make_user(w->f, &w->users[i], i);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	void *f = w->f;

	free(w);
	return fixture_teardown(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks),
		cmocka_unit_test(tampering),
		cmocka_unit_test(foreign_bodies),
		cmocka_unit_test(seals),
		cmocka_unit_test(bad_sorts),
		cmocka_unit_test(pages_are_searched_for),
		cmocka_unit_test(orders_name_nulls_where_there_are_some),
		cmocka_unit_test(reading),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
