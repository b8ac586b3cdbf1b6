/* channel_filter_impl – what the two halves of channel_filter share: compiling and testing. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "domain/filter.h"

#define CHANNEL_FILTER_PATH 8 /* keys in a dotted custom path */

enum kind { TEXT, TIME, INT, BOOL, USER, USERS, CUSTOM };

enum which {
	CID,
	ID,
	TYPE,
	CREATED_BY,
	TEAM,
	ROLE,
	CREATED_AT,
	UPDATED_AT,
	LAST_MESSAGE_AT,
	LAST_UPDATED,
	PINNED_AT,
	MEMBER_COUNT,
	UNREAD_COUNT,
	FROZEN,
	DISABLED,
	HIDDEN,
	ARCHIVED,
	PINNED,
	JOINED,
	DISTINCT,
	HAS_UNREAD,
	NEVER,
	MEMBERS,
	OTHER
};

struct field {
	const char *name;
	enum which which;
	enum kind kind;
	unsigned ops;
	bool sortable;
};

/* One value; also what a channel has. */
struct value {
	enum { NOTHING, IS_TEXT, IS_INT, IS_REAL, IS_BOOL, IS_JSON } type;
	struct str s; /* IS_JSON: raw */
	int64_t i;
	double d;
	const json_t *json; /* of the filter */
};

enum node_kind { ALL, ANY, NONE_OF, TEST };

struct channel_field {
	const struct field *field;
	struct str path[CHANNEL_FILTER_PATH]; /* of a custom field */
	size_t npath;
};

struct channel_filter {
	enum node_kind kind;
	struct channel_filter *kids; /* of all but TEST */
	size_t nkids;
	struct channel_field at;
	enum filter_op op;
	struct value *values; /* as many as the operator takes */
	size_t nvalues;
};
