/* pg_json – values inside JSON columns in the words of PostgreSQL.
 *
 * fan_json_cmp() can do every comparison, in PL/pgSQL: 10 µs a row, most of it entering and
 * leaving.  The common ones, on a key that is no path, are expressions here: one operator finds
 * the value, another its type, and what is compared with is a scalar sub-query, which is run
 * once.  tests/unit/domain/test_filter.c holds both against a model. */
#include <stdio.h>
#include <string.h>

#include "base/jscan.h"
#include "base/macros.h"
#include "store/pg.h"

/* One comparison being written. */
struct writing {
	struct buf *sql;
	const struct json_test *test;
	char text[160]; /* the value at the key, as text */
	char type[176]; /* "string", "number" …; NULL where there is none */
	char want[64];  /* the text of what it is compared with */
};

/* The operators between two values of one type; NULL: "in", "exists" and the like. */
static const char *
operator_of(const char *op)
{
	static const char *const names[][2] = {
		{"eq", "="}, {"gt", ">"}, {"gte", ">="}, {"lt", "<"}, {"lte", "<="}};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i][0], op) == 0)
			return names[i][1];
	return NULL;
}

static void
put_call(struct buf *sql, const struct json_test *t)
{
	buf_printf(sql, "fan_json_cmp(%s, $%d, '%s', $%d)", t->column, t->path_param, t->op,
		t->value_param);
}

/* Never NULL, as it may stand below a NOT.  Text by its bytes. */
static void
put_same_type(const struct writing *w, const char *operator, const char * type)
{
	if (strcmp(type, "number") == 0)
		buf_printf(w->sql,
			"CASE %s WHEN 'number' THEN CAST(%s AS NUMERIC) %s "
			"(SELECT CAST(%s AS NUMERIC)) ELSE false END",
			w->type, w->text, operator, w->want);
	else
		buf_printf(w->sql,
			"COALESCE((%s) COLLATE \"C\" %s (SELECT %s) AND %s = '%s', false)",
			w->text, operator, w->want, w->type, type);
}

/* The elements of one type, as a set that is made once. */
static void
put_in(const struct writing *w)
{
	static const char *const types[] = {"string", "number", "boolean"};
	const struct json_test *t = w->test;

	buf_printf(w->sql, "CASE COALESCE(%s, 'null')", w->type);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		bool is_number = strcmp(types[i], "number") == 0;
		const char *open = is_number ? "CAST(" : "";
		const char *close = is_number ? " AS NUMERIC)" : "";

		buf_printf(w->sql,
			" WHEN '%s' THEN %s%s%s IN (SELECT %se #>> '{}'%s FROM "
			"json_array_elements(CAST($%d AS JSON)) AS e "
			"WHERE json_typeof(e) = '%s')",
			types[i], open, w->text, close, open, close, t->value_param, types[i]);
	}
	buf_printf(w->sql,
		" WHEN 'null' THEN EXISTS (SELECT 1 FROM json_array_elements(CAST($%d AS "
		"JSON)) "
		"AS e WHERE json_typeof(e) = 'null') ELSE ",
		t->value_param);
	put_call(w->sql, t);
	buf_printf(w->sql, " END");
}

/* False: it takes the function. */
static bool
put_expression(const struct writing *w)
{
	const struct json_test *t = w->test;
	const char *operator= operator_of(t->op);

	if (strcmp(t->op, "in") == 0) {
		put_in(w);
		return true;
	}
	if (strcmp(t->op, "exists") == 0) {
		buf_printf(w->sql,
			"(COALESCE(%s, 'null') <> 'null') = (SELECT CAST(%s AS BOOLEAN))",
			w->type, w->want);
		return true;
	}
	if (operator== NULL)
		return false;
	switch (jscan_path(t->value, NULL, 0).type) {
	case JSCAN_STRING:
		put_same_type(w, operator, "string");
		return true;
	case JSCAN_NUMBER:
		put_same_type(w, operator, "number");
		return true;
	case JSCAN_TRUE:
	case JSCAN_FALSE:
		put_same_type(w, operator, "boolean");
		return true;
	default:
		return false;
	}
}

void
pg_json_cmp(struct buf *sql, const struct json_test *t)
{
	struct writing w = {.sql = sql, .test = t};
	bool is_key = t->path.n > 0 && str_find(t->path, '.', 0) == t->path.n;

	snprintf(w.text, sizeof(w.text), "%s ->> CAST($%d AS TEXT)", t->column, t->path_param);
	snprintf(w.type, sizeof(w.type), "json_typeof(%s -> CAST($%d AS TEXT))", t->column,
		t->path_param);
	snprintf(w.want, sizeof(w.want), "CAST($%d AS JSON) #>> '{}'", t->value_param);
	if (!is_key || !put_expression(&w))
		put_call(sql, t);
}

/* As SQLite sorts what ->> gives: by kind, then numbers as such, then text. */
void
pg_json_order(struct buf *sql, const char *column, int key_param, bool descending)
{
	const char *turn = descending ? "DESC NULLS LAST" : "ASC NULLS FIRST";
	char value[128], kind[160];

	snprintf(value, sizeof(value), "%s ->> CAST($%d AS TEXT)", column, key_param);
	snprintf(kind, sizeof(kind), "json_typeof(%s -> CAST($%d AS TEXT))", column, key_param);
	buf_printf(sql,
		"CASE %s WHEN 'number' THEN 1 WHEN 'boolean' THEN 1 WHEN 'string' THEN 2 "
		"WHEN 'array' THEN 2 WHEN 'object' THEN 2 END %s, "
		"CASE %s WHEN 'number' THEN CAST(%s AS NUMERIC) "
		"WHEN 'boolean' THEN CAST(CAST(CAST(%s AS BOOLEAN) AS INT) AS NUMERIC) END %s, "
		"CASE WHEN %s NOT IN ('number', 'boolean') THEN %s END COLLATE \"C\" %s",
		kind, turn, kind, value, value, turn, kind, value, turn);
}
