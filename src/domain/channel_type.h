/* channel_type – what the channels of a type can do (api.md §6.3, §6.11): five built-in types
 * that are always there, and those that the app makes.
 *
 * Only what was set is stored; the rest is as channel_type_fields says.  A built-in type has a
 * row when the app changed it. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct db;
struct err;

#define CHANNEL_TYPES_MAX        50    /* that the app makes */
#define CHANNEL_TYPE_MAX_CONFIG  16384 /* bytes of JSON */
#define CHANNEL_TYPE_MAX_MESSAGE 20000 /* code points */

struct channel_type {
	struct str name;
	struct str config; /* JSON object of what was set; p == NULL: nothing */
	int64_t created_at, updated_at;
};

/* A field of a type, in the order of answers. */
struct channel_type_field {
	const char *name;
	enum {
		TYPE_FLAG,
		TYPE_NUMBER, /* 1 to .max */
		TYPE_WORD,   /* one of .words */
		TYPE_TEXT,
		TYPE_OBJECT,
		TYPE_ARRAY
	} kind;
	const char *standard; /* JSON; NULL: absent unless it was set */
	bool is_config;       /* stands in channel.config too */
	int64_t max;
	const char *words; /* between spaces */
};
extern const struct channel_type_field channel_type_fields[];
extern const size_t channel_type_nfields;

/* The value of a field as JSON; p == NULL: absent.  Borrowed. */
struct str channel_type_value(const struct channel_type *, const struct channel_type_field *);
/* How many code points a message of such a channel may have. */
int64_t channel_type_max_message(const struct channel_type *);
bool channel_type_flag(const struct channel_type *, const char *field);

/* Built-in ones first, then those of the app by name.  Fails: STORE. */
bool channel_type_list(struct db *, struct arena *, struct channel_type **out, size_t *n,
	struct err *e) MUST_USE;
/* Fails: NOT_FOUND, STORE. */
bool channel_type_get(struct db *, struct arena *, struct str name, struct channel_type *out,
	struct err *e) MUST_USE;
/* Built-in ones cost no query.  Fails: STORE. */
bool channel_type_exists(struct db *, struct str name, bool *out, struct err *e) MUST_USE;

/* Both read the fields that ${body} has.  Fail: INPUT (a field, too many types, the name is
 * taken), NOT_FOUND (no such type to update), STORE. */
bool channel_type_create(struct db *, struct arena *, struct str name, const json_t *body,
	struct channel_type *out, struct err *e) MUST_USE;
bool channel_type_update(struct db *, struct arena *, struct str name, const json_t *body,
	struct channel_type *out, struct err *e) MUST_USE;
/* Fails: NOT_FOUND, INPUT (built-in, or there are channels of it), STORE. */
bool channel_type_delete(struct db *, struct arena *, struct str name, struct err *e) MUST_USE;
