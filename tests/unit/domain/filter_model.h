/* filter_model – random users, random filters, and an evaluator of filters that shares no
 * code with the one under test. */
#pragma once
#include <strings.h>

#include "base/clock.h"
#include "domain/filter.h"
#include "store_fixture.h"

struct person {
	char id[16];
	json_t *as; /* the fields by name, custom ones flat */
};

static const struct filter_field model_fields[] = {
	{"id", FILTER_TEXT, OP_SCALAR | OP_NE | OP_NIN | OP_AUTOCOMPLETE, "u.id", true},
	{"name", FILTER_TEXT, OP_SCALAR | OP_NE | OP_NIN | OP_AUTOCOMPLETE, "u.name", true},
	{"since", FILTER_TIME, OP_SCALAR | OP_NE, "u.created_at", true},
	{"n", FILTER_INT, OP_SCALAR | OP_NE | OP_NIN, "u.updated_at", true},
	{"banned", FILTER_BOOL, OP_EQ | OP_NE | OP_EXISTS, "u.last_active", true},
	{"teams", FILTER_TEXT_LIST, OP_EQ | OP_NE | OP_IN | OP_NIN | OP_CONTAINS, "u.teams",
		false},
	{"team", FILTER_CUSTOM_OR_LIST, OP_CUSTOM, "u.teams", false},
	{"username", FILTER_JSON, OP_EQ | OP_NE | OP_AUTOCOMPLETE, "u.custom", false},
	{"roles", FILTER_LINK, OP_CONTAINS | OP_EQ | OP_IN | OP_NIN,
		"EXISTS (SELECT 1 FROM members m WHERE m.channel = u.uid AND m.role IN %s)",
		false},
};

static uint64_t seed = 88172645463325252u;

static size_t
below(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed >> 11) % n;
}

/* ---- random users ---------------------------------------------------------------- */

static const char *const words[] = {"Ann", "bob", "Bob Ann", "ann-b", "100%", "a_b", "a\\b", "",
	"O'Neil", "Zo\xc3\xab \"x\"", "red", "blue", "red blue", "ANN"};

static const char *
word(void)
{
	return words[below(ARRAY_LEN(words))];
}

static const int64_t times[] = {0, 1, -1, 1700000000000000, 1700000000000001};

static json_t *
random_scalar(void)
{
	switch (below(6)) {
	case 0:
		return json_integer((json_int_t)below(4));
	case 1:
		return json_real((double)below(8) / 2);
	case 2:
		return json_boolean(below(2));
	default:
		return json_string(word());
	}
}

static json_t *
random_list(size_t max, bool text_only)
{
	json_t *list = json_array();

	for (size_t n = below(max + 1); n > 0; n--)
		json_array_append_new(list, text_only ? json_string(word()) : random_scalar());
	return list;
}

static json_t *
random_custom(void)
{
	static const char *const keys[] = {"a", "b", "a.b", "team", "username", "$x", "k'k"};
	json_t *custom = json_object();

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		switch (below(8)) {
		case 0:
		case 1:
		case 2:
			json_object_set_new(custom, keys[i], random_scalar());
			break;
		case 3:
			json_object_set_new(custom, keys[i], random_list(3, false));
			break;
		case 4:
			json_object_set_new(custom, keys[i], json_null());
			break;
		case 5:
			json_object_set_new(
				custom, keys[i], json_pack("{s:o}", "b", random_scalar()));
			break;
		default:
			break;
		}
	return custom;
}

static json_t *
maybe(json_t *v)
{
	if (below(4) > 0)
		return v;
	json_decref(v);
	return json_null();
}

static struct val
value_of_json(struct fixture *f, const json_t *v)
{
	if (json_is_string(v))
		return V_TEXT(str_of(json_string_value(v)));
	if (json_is_integer(v))
		return V_INT(json_integer_value(v));
	if (json_is_boolean(v))
		return V_INT(json_is_true(v));
	return json_is_null(v) ? V_NULL : V_TEXT(jr_dump(&f->arena, v));
}

static void
insert(struct fixture *f, const char *sql, int64_t key, json_t **values, size_t n)
{
	struct val vals[16] = {V_INT(key)};

	assert_true(n < ARRAY_LEN(vals));
	for (size_t i = 0; i < n; i++)
		vals[i + 1] = value_of_json(f, values[i]);
	sql_run(f->db, sql, (struct args){vals, n + 1});
}

static void
make_user(struct fixture *f, struct person *p, int64_t uid)
{
	json_t *custom = random_custom(), *roles = random_list(2, true), *role;
	json_t *values[] = {NULL, maybe(json_string(word())),
		maybe(json_integer(times[below(ARRAY_LEN(times))])),
		maybe(json_integer((json_int_t)below(4))), maybe(json_boolean(below(2))),
		maybe(random_list(3, true)), custom};
	static const char *const names[] = {"id", "name", "since", "n", "banned", "teams"};
	size_t i;

	snprintf(p->id, sizeof(p->id), "%c%d", "abB"[below(3)], (int)uid);
	values[0] = json_string(p->id);
	insert(f,
		"INSERT INTO users (uid, id, name, created_at, updated_at, last_active, teams, "
		"custom) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		uid, values, 7);
	json_array_foreach(roles, i, role)
	{
		json_t *row[] = {json_integer((json_int_t)i), role};

		insert(f,
			"INSERT INTO members (channel, uid, role, created_at) "
			"VALUES ($1, $2, $3, 0)",
			uid, row, 2);
		json_decref(row[0]);
	}
	p->as = json_object();
	for (i = 0; i < ARRAY_LEN(names); i++)
		json_object_set_new(p->as, names[i], values[i]);
	json_object_set_new(p->as, "roles", roles);
	json_object_set_new(p->as, "custom", custom);
}

/* ---- the other evaluator --------------------------------------------------------- */

static json_t *
custom_value(const struct person *p, const char *path)
{
	json_t *at = json_object_get(p->as, "custom"), *v = json_object_get(at, path);
	const char *dot;

	while (v == NULL && (dot = strchr(path, '.')) != NULL) {
		char key[32];

		snprintf(key, sizeof(key), "%.*s", (int)(dot - path), path);
		at = json_object_get(at, key);
		path = dot + 1;
		v = strchr(path, '.') == NULL ? json_object_get(at, path) : NULL;
	}
	return v;
}

static bool
same(const json_t *a, const json_t *b)
{
	if (a == NULL || json_is_null(a) || b == NULL || json_is_null(b))
		return (a == NULL || json_is_null(a)) && (b == NULL || json_is_null(b));
	if (json_is_number(a) && json_is_number(b))
		return json_number_value(a) == json_number_value(b);
	if (!json_is_array(a) || !json_is_array(b))
		return json_equal(a, b);
	if (json_array_size(a) != json_array_size(b))
		return false;
	for (size_t i = 0; i < json_array_size(a); i++)
		if (!same(json_array_get(a, i), json_array_get(b, i)))
			return false;
	return true;
}

static bool
any_same(const json_t *list, const json_t *v)
{
	const json_t *element;
	size_t i;

	json_array_foreach(list, i, element)
	{
		if (same(element, v))
			return true;
	}
	return false;
}

static bool
any_common(const json_t *list, const json_t *other)
{
	const json_t *element;
	size_t i;

	json_array_foreach(list, i, element)
	{
		if (any_same(other, element))
			return true;
	}
	return false;
}

/* −2: not comparable. */
static int
order(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b)) {
		double x = json_number_value(a), y = json_number_value(b);

		return (x > y) - (x < y);
	}
	if (json_is_string(a) && json_is_string(b)) {
		int c = strcmp(json_string_value(a), json_string_value(b));

		return (c > 0) - (c < 0);
	}
	return -2;
}

static bool
begins_word(const json_t *v, const char *start)
{
	const char *at = json_string_value(v);

	for (; at != NULL; at = strchr(at, ' ') == NULL ? NULL : strchr(at, ' ') + 1)
		if (strncasecmp(at, start, strlen(start)) == 0)
			return true;
	return false;
}

static bool
is_in(const char *op, const char *list)
{
	return strstr(list, op) != NULL && strchr(" ", op[0]) == NULL;
}

static bool
judge_scalar(const json_t *have, const char *op, const json_t *want)
{
	int c = order(have, want);

	if (strcmp(op, "$eq") == 0)
		return same(have, want);
	if (strcmp(op, "$ne") == 0)
		return !same(have, want);
	if (strcmp(op, "$in") == 0)
		return any_same(want, have);
	if (strcmp(op, "$nin") == 0)
		return !any_same(want, have);
	if (strcmp(op, "$exists") == 0)
		return (have != NULL && !json_is_null(have)) == json_is_true(want);
	if (strcmp(op, "$autocomplete") == 0)
		return begins_word(have, json_string_value(want));
	if (strcmp(op, "$contains") == 0)
		return json_is_array(have) ? any_same(have, want)
					   : json_is_string(have) && json_is_string(want) &&
						     strstr(json_string_value(have),
							     json_string_value(want)) != NULL;
	if (c == -2)
		return false;
	return strcmp(op, "$gt") == 0    ? c > 0
	       : strcmp(op, "$gte") == 0 ? c >= 0
	       : strcmp(op, "$lt") == 0  ? c < 0
					 : c <= 0;
}

static bool
judge_list(const json_t *have, const char *op, const json_t *want)
{
	if (strcmp(op, "$in") == 0)
		return any_common(have, want);
	if (strcmp(op, "$nin") == 0)
		return !any_common(have, want);
	if (strcmp(op, "$contains") == 0)
		return any_same(have, want);
	return (json_array_size(have) == 0 && json_array_size(want) == 0
			       ? true
			       : same(have, want)) == (strcmp(op, "$eq") == 0);
}

/* Times in the filter are text or nanoseconds, those of the users are microseconds. */
static json_t *
in_us(const json_t *v)
{
	json_t *list, *element;
	int64_t us;
	size_t i;

	if (json_is_string(v)) {
		assert_true(clock_from_rfc3339(jr_text(v), &us));
		return json_integer(us);
	}
	if (json_is_integer(v)) {
		us = json_integer_value(v);
		return json_integer((us - ((us % 1000) + 1000) % 1000) / 1000);
	}
	if (!json_is_array(v))
		return json_deep_copy(v);
	list = json_array();
	json_array_foreach((json_t *)v, i, element) json_array_append_new(list, in_us(element));
	return list;
}

static bool
judge_cond(const struct person *p, const char *field, const char *op, const json_t *want)
{
	const json_t *have = json_object_get(p->as, field);
	bool ok;

	if (strcmp(field, "since") == 0) {
		json_t *us = in_us(want);

		ok = judge_scalar(have, op, us);
		json_decref(us);
		return ok;
	}
	if (strcmp(field, "teams") == 0)
		return judge_list(have, op, want);
	if (strcmp(field, "roles") == 0)
		return judge_list(have, strcmp(op, "$eq") == 0 ? "$contains" : op, want);
	if (strcmp(field, "custom") != 0 && have != NULL)
		return judge_scalar(have, op, want);
	ok = judge_scalar(custom_value(p, field), op, want);
	if (strcmp(field, "team") == 0 && is_in(op, "$eq $contains") && !json_is_array(want))
		ok = ok || any_same(json_object_get(p->as, "teams"), want);
	if (strcmp(field, "team") == 0 && strcmp(op, "$in") == 0)
		ok = ok || any_common(json_object_get(p->as, "teams"), want);
	return ok;
}

static bool
judge(const struct person *p, const json_t *filter)
{
	const char *name, *op;
	json_t *value, *operand, *element;
	bool all = true;
	size_t i;

	json_object_foreach((json_t *)filter, name, value)
	{
		if (name[0] == '$') {
			bool and = true, or = false;

			json_array_foreach(value, i, element)
			{
				bool one = judge(p, element);

				and = and&&one;
				or = or || one;
			}
			all = all && (strcmp(name, "$and") == 0         ? and
					     : strcmp(name, "$or") == 0 ? or
									: ! or);
		} else if (json_is_object(value)) {
			json_object_foreach(value, op, operand) all =
				judge_cond(p, name, op, operand) && all;
		} else {
			all = judge_cond(p, name, "$eq", value) && all;
		}
	}
	return all;
}

/* ---- random filters -------------------------------------------------------------- */

static json_t *
random_time(void)
{
	int64_t us = times[below(ARRAY_LEN(times))] + (int64_t)below(2);
	char text[CLOCK_RFC3339_LEN];

	if (below(2) == 0)
		return json_integer(us * 1000 + (json_int_t)below(1000));
	clock_to_rfc3339(us, text);
	return json_stringn(text, sizeof(text));
}

static json_t *
random_one(const struct filter_field *f)
{
	switch (f == NULL ? FILTER_JSON : f->type) {
	case FILTER_TIME:
		return random_time();
	case FILTER_INT:
		return json_integer((json_int_t)below(4));
	case FILTER_BOOL:
		return json_boolean(below(2));
	case FILTER_JSON:
	case FILTER_CUSTOM_OR_LIST:
		return random_scalar();
	default:
		return json_string(word());
	}
}

static json_t *
random_operand(const struct filter_field *f, const char *op)
{
	bool is_json = f == NULL || f->type == FILTER_JSON || f->type == FILTER_CUSTOM_OR_LIST;
	json_t *list, *v;

	if (strcmp(op, "$exists") == 0)
		return json_boolean(below(2));
	if (strcmp(op, "$autocomplete") == 0)
		return json_string(words[below(6)]);
	if (is_in(op, "$in $nin")) {
		list = json_array();
		for (size_t n = below(4); n > 0; n--)
			json_array_append_new(list, random_one(f));
		return list;
	}
	if (f != NULL && f->type == FILTER_TEXT_LIST && is_in(op, "$eq $ne"))
		return below(5) == 0 ? json_null() : random_list(2, true);
	if (is_in(op, "$eq $ne") && below(6) == 0 && (f == NULL || f->type != FILTER_LINK))
		return json_null();
	if (is_json && is_in(op, "$eq $ne") && below(8) == 0)
		return random_list(2, false);
	do {
		v = random_one(f);
		if (!json_is_boolean(v) || !is_in(op, "$gt $gte $lt $lte") || !is_json)
			return v;
		json_decref(v);
	} while (true);
}

static void
add_random_cond(json_t *filter)
{
	static const struct {
		const char *name;
		unsigned bit;
	} op_bits[] = {{"$eq", OP_EQ}, {"$ne", OP_NE}, {"$gt", OP_GT}, {"$gte", OP_GTE},
		{"$lt", OP_LT}, {"$lte", OP_LTE}, {"$in", OP_IN}, {"$nin", OP_NIN},
		{"$exists", OP_EXISTS}, {"$contains", OP_CONTAINS},
		{"$autocomplete", OP_AUTOCOMPLETE}};
	static const char *const customs[] = {"a", "b", "a.b", "k'k", "zz"};
	size_t which = below(ARRAY_LEN(model_fields) + 4);
	const struct filter_field *f =
		which < ARRAY_LEN(model_fields) ? &model_fields[which] : NULL;
	const char *name = f == NULL ? customs[below(ARRAY_LEN(customs))] : f->name;
	unsigned allowed = f == NULL ? OP_CUSTOM : f->ops;
	json_t *conds = json_object();

	for (size_t n = 1 + below(2); n > 0; n--) {
		size_t i;

		do
			i = below(ARRAY_LEN(op_bits));
		while ((op_bits[i].bit & allowed) == 0);
		json_object_set_new(conds, op_bits[i].name, random_operand(f, op_bits[i].name));
	}
	json_object_set_new(filter, name, conds);
}

static json_t *
random_filter(int depth)
{
	static const char *const combinators[] = {"$and", "$or", "$nor"};
	json_t *filter = json_object();

	for (size_t n = below(3) + (depth == 0); n > 0; n--) {
		json_t *list;

		if (depth == 3 || below(3) > 0) {
			add_random_cond(filter);
			continue;
		}
		list = json_array();
		for (size_t k = 1 + below(3); k > 0; k--)
			json_array_append_new(list, random_filter(depth + 1));
		json_object_set_new(filter, combinators[below(3)], list);
	}
	return filter;
}
