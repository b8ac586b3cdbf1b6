/* filter – {"age":{"$gte":18}} → checked → SQL text and bound values.
 *
 * Only constants and parameter numbers reach the SQL text; every value and every custom
 * path is bound (I-27).  Bounded in depth, conditions and values (F28), so that no filter
 * costs more than one pass over the rows with a bounded test for each. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"
#include "store/db.h"

struct arena;
struct err;

enum filter_type {
	FILTER_TEXT,
	FILTER_TIME, /* RFC 3339 text, or integer nanoseconds */
	FILTER_INT,
	FILTER_BOOL,
	FILTER_TEXT_LIST, /* a JSON array column: $contains, $eq (whole), $in (any of) */
	/* .sql is "EXISTS (SELECT 1 FROM … WHERE … IN %s)"; the one %s becomes "($3, $4, …)".
	 * $contains and $eq take one string, $in takes many. */
	FILTER_LINK,
	FILTER_ID_OF_USER, /* text that is compared through users.id; .sql as FILTER_TEXT */
	FILTER_JSON,       /* the value at path .name inside the JSON column .sql */
	/* The custom field .name, or the JSON array column .sql holds the value (api.md §6.1:
	 * users by "team"). */
	FILTER_CUSTOM_OR_LIST
};

#define FILTER_MAX_DEPTH  8
#define FILTER_MAX_NODES  256
#define FILTER_MAX_IN     10000
#define FILTER_MAX_VALUES 30000 /* in one filter; SQLite binds 32,766 */
#define FILTER_MAX_NAME   255   /* bytes of a custom field's path */

enum filter_op {
	OP_EQ = 1,
	OP_NE = 2,
	OP_GT = 4,
	OP_GTE = 8,
	OP_LT = 16,
	OP_LTE = 32,
	OP_IN = 64,
	OP_NIN = 128,
	OP_EXISTS = 256,
	OP_CONTAINS = 512,
	OP_AUTOCOMPLETE = 1024,
	OP_RANGE = OP_GT | OP_GTE | OP_LT | OP_LTE,
	OP_SCALAR = OP_EQ | OP_EXISTS | OP_RANGE | OP_IN,
	OP_CUSTOM = OP_SCALAR | OP_CONTAINS /* of fields that the schema does not name */
};

/* Instead of true: sortable, and no row has NULL there (page.c finds its rows faster). */
#define FILTER_NEVER_NULL 2

struct filter_field {
	const char *name;
	enum filter_type type;
	unsigned ops;
	const char *sql; /* over the subject's alias; a name, a call, or in parentheses */
	int sortable;    /* false, true or FILTER_NEVER_NULL */
};

struct filter_schema {
	const char *subject; /* "user", for messages */
	const struct filter_field *fields;
	size_t n;
	const char *custom; /* JSON column for unknown fields ("u.custom"); NULL: none */
	/* Unique, never NULL, breaks ties in sorts.  Text when it is the .sql of a text field
	 * ("u.id"), else an integer. */
	const char *tie;
};

/* Values bound so far; grows in the arena. */
struct filter_params {
	struct val *v;
	size_t n, cap;
	struct arena *arena;
};
void filter_params_init(struct filter_params *, struct arena *);
/* Adds a value, returns its number (from 1). */
int filter_param(struct filter_params *, struct val v);

/* Appends a boolean expression ("1=1" for an empty or NULL filter), safe to put between
 * ANDs.  A field without a value matches only $ne, $nin, $exists: false, $eq: null and
 * $nor.  Values stay borrowed from ${filter}.  Fails: INPUT naming field and operator. */
bool filter_sql(struct db *, struct arena *, const json_t *filter, const struct filter_schema *,
	struct buf *sql, struct filter_params *, struct err *) MUST_USE;
/* The same check without a use. */
bool filter_check(struct db *, struct arena *, const json_t *filter,
	const struct filter_schema *, struct err *) MUST_USE;

/* One key of a sort, checked against the sortable fields (custom fields are sortable when
 * the schema has them: then .field is a field named "", .custom the path). */
struct filter_sort {
	const struct filter_field *field; /* never NULL */
	bool descending;
	struct str custom; /* borrowed from the JSON; p == NULL: not a custom field */
};
#define FILTER_MAX_SORTS 5
/* Reads sort[i], {field, direction}: 1, which is the default, or -1.  Fails: INPUT. */
bool filter_read_sort_item(const json_t *sort, size_t i, struct str *field, int64_t *direction,
	struct err *) MUST_USE;
/* Reads [{field, direction, type}]; *n = 0 for NULL or an empty list.  Fails: INPUT. */
bool filter_read_sort(const json_t *sort, const struct filter_schema *,
	struct filter_sort out[FILTER_MAX_SORTS], size_t *n, struct err *) MUST_USE;
/* Appends the keys for ORDER BY, the tie included: "u.name DESC NULLS LAST, u.id". */
void filter_order(struct db *, struct buf *sql, struct filter_params *,
	const struct filter_schema *, const struct filter_sort *sorts, size_t n);
