/* poll_vote_query – pages of votes: filters in wire ids, put into numbers. */
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/filter.h"
#include "domain/page.h"
#include "domain/poll.h"
#include "domain/poll_impl.h"
#include "domain/user.h"
#include "store/db.h"

/* Clients name votes, options and users by their wire ids; the table has numbers, and only
 * conditions on these go by its indexes.  So a filter is put into numbers first. */
static const struct filter_field fields[] = {
	{"id", FILTER_INT, OP_EQ | OP_IN, "v.key", FILTER_NEVER_NULL},
	{"option_id", FILTER_INT, OP_EQ | OP_IN | OP_NE | OP_LT, "v.option", false},
	{"is_answer", FILTER_INT, OP_EQ | OP_NE, "v.option", false},
	{"user_id", FILTER_INT, OP_EQ | OP_IN, "v.uid", false},
	{"created_by_id", FILTER_INT, OP_EQ | OP_IN, "v.uid", false},
	{"created_at", FILTER_TIME, OP_EQ | OP_RANGE, "v.cast_at", FILTER_NEVER_NULL},
	{"updated_at", FILTER_TIME, OP_EQ | OP_RANGE, "v.cast_at", FILTER_NEVER_NULL},
};

static const struct filter_schema schema = {
	.subject = "vote",
	.fields = fields,
	.n = ARRAY_LEN(fields),
	.tie = "v.key",
};

/* Votes for options that were removed are not. */
#define IS_SHOWN                                                      \
	" AND (v.option = 0 OR EXISTS (SELECT 1 FROM poll_options o " \
	"WHERE o.poll = v.poll AND o.option = v.option))"

/* Cursors tell by the name of their list which of the two it was. */
#define LIST        "poll_votes"
#define LIST_OF_FEW "poll_votes_of_few"

struct query {
	struct arena *a;
	const struct app *app;
	struct str id;
	const struct page_ask *ask;
	struct poll *p;
	struct poll_vote *votes;
	size_t *n;
	struct page_links *links;
	size_t conditions; /* put into numbers so far */
	bool finds_few;    /* a vote must be of users that are named, or named itself */
};

/* For the votes of few users, or few votes: to go through all votes of the poll in the order of
 * time until the page is full is the slowest way to find them, so that order must not be one
 * of an index (nor the poll be looked up as those have it, as poll + 0). */
static const struct filter_schema *
schema_of_few(struct arena *a)
{
	struct filter_field *few = arena_array(a, ARRAY_LEN(fields), sizeof(*few));
	struct filter_schema *out = arena_alloc(a, sizeof(*out));

	memcpy(few, fields, sizeof(fields));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (few[i].type == FILTER_TIME)
			few[i].sql = "(v.cast_at + 0)";
	*out = schema;
	out->fields = few;
	return out;
}

/* Wire ids as numbers; an unknown one becomes a number that nothing has. */
typedef bool (*numbers_fn)(struct db *, struct query *, const struct str *ids, size_t n,
	int64_t *out, struct err *);

static bool
vote_numbers(struct db *db UNUSED, struct query *q, const struct str *ids, size_t n,
	int64_t *out, struct err *e UNUSED)
{
	for (size_t i = 0; i < n; i++)
		if (!poll_vote_key(q->app, ids[i], &out[i]))
			out[i] = 0;
	return true;
}

static bool
option_numbers(struct db *db UNUSED, struct query *q, const struct str *ids, size_t n,
	int64_t *out, struct err *e UNUSED)
{
	for (size_t i = 0; i < n; i++) {
		const struct poll_option *o = poll_option_find(q->p, ids[i]);

		out[i] = o != NULL ? o->no : -1;
	}
	return true;
}

static bool
user_numbers(struct db *db, struct query *q, const struct str *ids, size_t n, int64_t *out,
	struct err *e)
{
	if (poll_is_anonymous(q->p))
		return fail(e, ERR_INPUT,
			"filter: the votes of poll with id %.*s are anonymous, they cannot "
			"be found by user",
			STR_ARG(q->id));
	return user_resolve(db, q->a, ids, n, out, e);
}

static numbers_fn
numbers_of(const char *field)
{
	static const struct {
		const char *field;
		numbers_fn numbers;
	} of[] = {{"id", vote_numbers}, {"option_id", option_numbers},
		{"user_id", user_numbers}, {"created_by_id", user_numbers}};

	for (size_t i = 0; i < ARRAY_LEN(of); i++)
		if (strcmp(of[i].field, field) == 0)
			return of[i].numbers;
	return NULL;
}

/* "x" → 5, ["x", "y"] → [5, 6] */
static bool
ids_to_numbers(struct db *db, struct query *q, const char *field, const json_t *value,
	json_t **out, struct err *e)
{
	bool is_list = json_is_array(value);
	size_t n = is_list ? json_array_size(value) : 1;
	struct str *ids = arena_array(q->a, n, sizeof(*ids));
	int64_t *numbers = arena_array(q->a, n, sizeof(*numbers));
	json_t *list = jr_own(q->a, json_array());

	if (n > FILTER_MAX_IN)
		return fail(
			e, ERR_INPUT, "filter: %s: more than %d values", field, FILTER_MAX_IN);
	for (size_t i = 0; i < n; i++) {
		const json_t *v = is_list ? json_array_get(value, i) : value;

		if (!json_is_string(v))
			return fail(e, ERR_INPUT, "filter: %s: expected a string, got %s",
				field, jr_type_name(v));
		ids[i] = jr_text(v);
	}
	if (!numbers_of(field)(db, q, ids, n, numbers, e))
		return false;
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_integer(numbers[i]));
	*out = is_list ? list : json_array_get(list, 0);
	return true;
}

/* {"$eq": false} of is_answer, {"$exists": true} of option_id: answers are those of option 0.
 * "$lt" since an "$eq" may stand beside "$exists"; "$ne" goes by time, not by option. */
static bool
flag_condition(
	const char *field, const char *op, const json_t *value, json_t *out, struct err *e)
{
	bool is_answer = strcmp(op, "$eq") == 0 ? json_is_true(value) : json_is_false(value);

	if (!json_is_boolean(value))
		return fail(e, ERR_INPUT, "filter: %s.%s: expected a boolean, got %s", field,
			op, jr_type_name(value));
	if (!is_answer)
		json_object_set_new(out, "$ne", json_integer(0));
	else if (strcmp(op, "$eq") == 0)
		json_object_set_new(out, "$eq", json_integer(0));
	else
		json_object_set_new(out, "$lt", json_integer(1));
	return true;
}

/* Adds one condition of a field to ${out}. */
static bool
condition(struct db *db, struct query *q, const char *field, const char *op,
	const json_t *value, json_t *out, struct err *e)
{
	bool is_flag = strcmp(field, "is_answer") == 0, is_eq = strcmp(op, "$eq") == 0;
	bool is_list = strcmp(op, "$in") == 0;
	json_t *numbers;

	if (++q->conditions > FILTER_MAX_NODES)
		return fail(e, ERR_INPUT, "filter: more than %d conditions", FILTER_MAX_NODES);
	if ((is_flag && is_eq) ||
		(strcmp(field, "option_id") == 0 && strcmp(op, "$exists") == 0))
		return flag_condition(field, op, value, out, e);
	if (is_flag || (!is_list && !is_eq))
		return fail(
			e, ERR_INPUT, "filter: %s does not take the operator %.64s", field, op);
	if (is_list != json_is_array(value))
		return fail(e, ERR_INPUT, "filter: %s.%s: expected %s, got %s", field, op,
			is_list ? "an array" : "a string", jr_type_name(value));
	if (!ids_to_numbers(db, q, field, value, &numbers, e))
		return false;
	json_object_set(out, op, numbers);
	return true;
}

static bool
conditions(struct db *db, struct query *q, const char *field, json_t *value, json_t *out,
	struct err *e)
{
	json_t *operand;
	const char *op;

	if (!json_is_object(value))
		return condition(db, q, field, "$eq", value, out, e);
	json_object_foreach(value, op, operand)
	{
		if (!condition(db, q, field, op, operand, out, e))
			return false;
	}
	return true;
}

/* The same filter in numbers; what is not understood stays as it is, for filter.c to refuse.
 * ${must_hold}: no vote is found without it. */
static bool
in_numbers(struct db *db, struct query *q, const json_t *filter, int depth, bool must_hold,
	json_t **out, struct err *e)
{
	json_t *all, *value, *item, *inner;
	const char *name;
	size_t i;

	*out = (json_t *)filter; /* jansson's iterators are not const */
	if (!json_is_object(filter) || depth > FILTER_MAX_DEPTH)
		return true;
	all = jr_own(q->a, json_object());
	json_object_foreach((json_t *)filter, name, value)
	{
		numbers_fn numbers = numbers_of(name);
		bool is_ours = numbers != NULL || strcmp(name, "is_answer") == 0;
		bool is_and = strcmp(name, "$and") == 0;

		if (!is_ours && (name[0] != '$' || !json_is_array(value))) {
			json_object_set(all, name, value);
			continue;
		}
		inner = is_ours ? json_object() : json_array();
		json_object_set_new(all, name, inner);
		if (is_ours && !conditions(db, q, name, value, inner, e))
			return false;
		if (must_hold && (numbers == user_numbers || numbers == vote_numbers))
			q->finds_few = true;
		for (i = 0; !is_ours && i < json_array_size(value); i++) {
			if (!in_numbers(db, q, json_array_get(value, i), depth + 1,
				    must_hold && is_and, &item, e))
				return false;
			json_array_append(inner, item);
		}
	}
	*out = all;
	return true;
}

static bool
collect(void *arg, struct rows *r, struct err *e UNUSED)
{
	struct query *q = arg;

	*q->n += poll_vote_from_row(r, q->a, q->app, q->p, &q->votes[*q->n]);
	return true;
}

static bool
query_in(struct db *db, void *arg, struct err *e)
{
	struct query *q = arg;
	struct page_ask ask = *q->ask;
	struct str cursor = ask.next.p != NULL ? ask.next : ask.prev;
	json_t *filter = NULL, *unused;
	struct err no_cursor_of_few;
	struct val poll;
	struct page_list list = {
		.name = LIST,
		.scope = q->id,
		.schema = &schema,
		/* Columns from 1, as poll_vote_from_row reads them. */
		.columns = "v.poll, v.key, v.uid, v.option, v.cast_at, v.answer",
		.from_where = "poll_votes v WHERE v.poll + 0 = $1" IS_SHOWN,
		.default_field = "created_at",
		.default_descending = true,
		.args = {&poll, 1},
	};

	if (!poll_load(db, q->a, q->id, q->p, e) ||
		!in_numbers(db, q, ask.filter, 1, true, &filter, e))
		return false;
	if (cursor.p == NULL ? q->finds_few
			     : page_open(q->a, q->app, LIST_OF_FEW, q->id, cursor, &unused,
				       &no_cursor_of_few)) {
		list.name = LIST_OF_FEW;
		list.schema = schema_of_few(q->a);
		list.from_where = "poll_votes v WHERE v.poll = $1" IS_SHOWN;
	}
	poll = V_INT(q->p->no);
	ask.filter = filter;
	return page_run(db, q->a, q->app, &list, &ask, collect, q, q->links, e) &&
	       arena_check(q->a, e);
}

bool
poll_query_votes(struct db *db, struct arena *a, const struct app *app, struct str id,
	const struct page_ask *ask, struct poll *p, struct poll_vote **out, size_t *n,
	struct page_links *links, struct err *e)
{
	struct query q = {a, app, id, ask, p, arena_array(a, (size_t)ask->limit, sizeof(**out)),
		n, links, 0, false};

	*out = q.votes;
	*n = 0;
	return db_read(db, query_in, &q, e);
}
