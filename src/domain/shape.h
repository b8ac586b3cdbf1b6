/* shape – what an object of a request may hold, as a table: one walk checks all of it and takes
 * over what it knows.
 *
 * For objects that are stored as they come, such as the app's settings.  Members that are
 * absent or null are left out, unknown ones ignored (api.md §1.1). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct arena;
struct err;
struct jw;

enum shape_kind {
	SHAPE_BOOL,
	SHAPE_INT,    /* lo … hi */
	SHAPE_TEXT,   /* of at most hi characters */
	SHAPE_URL,    /* http:// or https:// and a host, or "" */
	SHAPE_TIME,   /* taken over as an integer of microseconds */
	SHAPE_CHOICE, /* one of the words */
	SHAPE_TEXTS,  /* at most hi texts */
	SHAPE_OBJECT, /* of members with a shape of their own */
	SHAPE_LISTS,  /* an object of at most hi lists of texts */
};

struct shape {
	const char *name;
	enum shape_kind kind;
	bool keeps_null; /* null means something, and is taken over */
	bool is_secret;  /* never shown */
	int64_t lo, hi;
	const char *words; /* with spaces between */
	const struct shape *members;
	size_t nmembers;
};

/* Elements of TEXTS and LISTS are at most so many characters long. */
#define SHAPE_ELEMENT_MAX 255
#define SHAPE_URL_MAX     2048

/* The members of ${from} that the table names, in a new object of the arena.  Fails: INPUT,
 * naming the member. */
bool shape_read(struct arena *, const json_t *from, const struct shape *members, size_t n,
	json_t **out, struct err *e) MUST_USE;

/* Writes the members that are there into the object that is open, but no secret. */
void shape_write(struct jw *, const json_t *object, const struct shape *members, size_t n);
/* Takes over the secrets of ${old} (may be NULL) that ${object} does not have, or has empty:
 * who was shown an object without them sends it back like that. */
void
shape_keep_secrets(json_t *object, const json_t *old, const struct shape *members, size_t n);
