/* match – filters that are tested in memory, for things of which half does not stand in a row
 * (channels, members): compiled to a tree of tests, values checked once.
 *
 * What a thing has is told by the noun's own function (match_leaf_fn), so the tree knows no
 * nouns.  Bounded: depth ≤ 8, ≤ 256 conditions, $in ≤ 1,000. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "domain/filter.h"

struct arena;
struct db;
struct err;

#define MATCH_PATH 8 /* keys in a dotted custom path */

enum match_kind {
	MATCH_TEXT,
	MATCH_TIME,
	MATCH_INT,
	MATCH_BOOL,
	MATCH_USERS, /* user ids, as uids; a list is one value of $eq */
	MATCH_TAGS,  /* texts; a list is one value of $eq */
	MATCH_CUSTOM
};

#define MATCH_OPS_TEXT   (OP_SCALAR | OP_NE | OP_NIN | OP_AUTOCOMPLETE)
#define MATCH_OPS_NUMBER (OP_SCALAR | OP_NE | OP_NIN)
#define MATCH_OPS_BOOL   (OP_EQ | OP_NE | OP_IN | OP_EXISTS)

struct match_field {
	const char *name;
	int which; /* the noun's own number for it */
	enum match_kind kind;
	unsigned ops; /* enum filter_op */
	bool sortable;
};

struct match_schema {
	const struct match_field *fields;
	size_t n;
	const struct match_field *custom; /* of any other name: a path into custom data */
};

/* A field, or a place in custom data. */
struct match_at {
	const struct match_field *field;
	struct str path[MATCH_PATH]; /* of a custom field */
	size_t npath;
};

/* One value of a filter; also what a thing has. */
struct match_value {
	enum { MATCH_NOTHING, IS_TEXT, IS_INT, IS_REAL, IS_BOOL, IS_JSON } type;
	struct str s; /* IS_JSON: raw */
	int64_t i;    /* IS_BOOL too */
	double d;
	const json_t *json; /* of the filter */
};

/* A condition, or several joined. */
struct match {
	enum { MATCH_ALL, MATCH_ANY, MATCH_NONE, MATCH_TEST } kind;
	struct match *kids; /* of all but MATCH_TEST */
	size_t nkids;
	struct match_at at;
	enum filter_op op;
	struct match_value *values; /* as many as the operator takes */
	size_t nvalues;
};

/* NULL stands for the filter that all pass.  Borrows from ${filter}; the tree lives in the
 * arena.  Fails: INPUT naming field and operator, STORE (user ids are resolved). */
bool match_compile(struct db *, struct arena *, const json_t *filter,
	const struct match_schema *, struct match **out, struct err *e) MUST_USE;

/* Tests one condition (a MATCH_TEST) of a thing. */
typedef bool (*match_leaf_fn)(
	const struct match *leaf, const void *thing, bool *out, struct err *e);
/* Fails: what ${leaf} fails with. */
bool match_test(const struct match *, match_leaf_fn leaf, const void *thing, bool *out,
	struct err *e) MUST_USE;

/* Whether a thing that has ${has} there meets the condition ${leaf}. */
bool match_value_meets(struct arena *, const struct match *leaf, const struct match_value *has);
/* The value of custom data (a JSON object, or p == NULL) at the path. */
struct match_value match_custom(struct arena *, struct str custom, const struct match_at *);
/* The same for a list of texts (a JSON array, or p == NULL). */
bool match_tags_meet(struct arena *, const struct match *leaf, struct str tags);

/* A condition that every match meets, "the field is one of …"; NULL: there is none. */
const struct match *match_required(const struct match *, int which);
/* True when it speaks of the field at all. */
bool match_mentions(const struct match *, int which);
bool match_mentions_kind(const struct match *, enum match_kind);

/* ---- sorting ------------------------------------------------------------------------ */

#define MATCH_MAX_SORTS 5

/* A key to sort by; types sort in this order. */
struct match_key {
	enum { KEY_NONE, KEY_BOOL, KEY_NUMBER, KEY_TEXT, KEY_OTHER } type;
	union {
		struct {
			double d;
			int64_t i; /* decides between integers that are one double */
		};
		struct str s;
	};
};

struct match_order {
	struct match_at at[MATCH_MAX_SORTS];
	bool descending[MATCH_MAX_SORTS];
	size_t n;
};

/* The field of that name, or the place in custom data. */
struct match_at match_find(const struct match_schema *, struct str name);
/* Reads [{field, direction}], at most ${max}; *out is empty for none.  Fails: INPUT. */
bool match_read_order(const json_t *sort, const struct match_schema *, const char *subject,
	size_t max, struct match_order *out, struct err *e) MUST_USE;
bool match_order_mentions(const struct match_order *, int which);
/* The key borrows from the value. */
struct match_key match_key_of(const struct match_value *);
/* <0, 0, >0 in the order asked for: ${a} and ${b} have a key per field. */
int match_order_cmp(
	const struct match_order *, const struct match_key *a, const struct match_key *b);
