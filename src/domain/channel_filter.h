/* channel_filter – filters over channels, tested in memory (api.md §6.2).
 *
 * Half of what a channel is does not stand in its row (domain/channel.h), so its filters
 * are not SQL: channel_query.c finds candidates through an index, channel_match.c tests them.
 * Bounded: depth ≤ 8, ≤ 256 conditions, $in ≤ 1,000. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "domain/channel.h"

struct arena;
struct db;
struct err;

/* A channel with what a test of it may need. */
struct channel_look {
	struct db *db;
	struct arena *arena;
	const struct channel *channel;
	int64_t last_message_at;
	const struct member *me; /* of the viewer; uid 0: he is not in it */
};

struct channel_filter; /* compiled; lives in the arena */

/* Fails: INPUT naming field or operator, STORE (user ids are resolved). */
bool channel_filter_compile(struct db *, struct arena *, const json_t *filter,
	struct channel_filter **out, struct err *e) MUST_USE;
/* Fails: STORE. */
bool channel_filter_test(const struct channel_filter *, const struct channel_look *, bool *out,
	struct err *e) MUST_USE;

/* What every match must satisfy, for choosing an index: the values of a condition
 * "${field} is one of" among those joined by $and; *n = 0 when there is none.  Texts for
 * cid, id and type; uids for members, *whole when they are all the members. */
void channel_filter_texts(const struct channel_filter *, struct arena *, const char *field,
	struct str **out, size_t *n);
void channel_filter_members(
	const struct channel_filter *, struct arena *, int64_t **out, size_t *n, bool *whole);
/* True when it speaks of the field at all. */
bool channel_filter_mentions(const struct channel_filter *, const char *field);
/* True when tests look at what channel_complete() gives. */
bool channel_filter_needs_origin(const struct channel_filter *);

/* ---- sorting ------------------------------------------------------------------------ */

struct channel_field; /* what channels are sorted by; in the arena, borrows its name */

/* What a channel has there; types sort in this order. */
struct channel_key {
	enum { KEY_NONE, KEY_BOOL, KEY_NUMBER, KEY_TEXT, KEY_OTHER } type;
	union {
		struct {
			double d;
			int64_t i; /* decides between integers that are one double */
		};
		struct str s;
	};
};

/* NULL for a field that channels cannot be sorted by; any other name is a path into custom
 * data. */
const struct channel_field *channel_sort_field(struct arena *, struct str name) MUST_USE;
bool channel_field_needs_origin(const struct channel_field *);
/* The key borrows from the look.  Fails: STORE. */
bool channel_sort_key(const struct channel_look *, const struct channel_field *,
	struct channel_key *out, struct err *e) MUST_USE;
int channel_key_cmp(const struct channel_key *, const struct channel_key *);
