/* segment – named sets of users, or of channels, that a campaign can aim at: a list of targets,
 * a filter, all users, or all channels of the sender (api.md §2.5).  What only segments of
 * channels do is in segment_cids.h. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/str.h"

struct app;
struct arena;
struct bitset;
struct db;
struct err;
struct page_ask;
struct page_links;

#define SEGMENT_ID_MAX          255 /* characters */
#define SEGMENT_NAME_MAX        128
#define SEGMENT_DESCRIPTION_MAX 256
#define SEGMENT_TARGETS_MAX     10000 /* in one call */

/* A segment's row; strings in the arena of the call that loaded it. */
struct segment {
	int64_t no; /* also the number of its set of users (domain/uidset.h) */
	struct str id;
	struct str type; /* "user" or "channel" */
	struct str name, description;
	struct str filter; /* JSON object; p == NULL: unset */
	bool all_users, all_sender_channels;
	int64_t size;
	bool size_due; /* size is to be counted again */
	int64_t created_at, updated_at, deleted_at;
};

/* True when members are listed one by one, false when they are found at the call. */
static inline bool
segment_is_list(const struct segment *s)
{
	return s->filter.p == NULL && !s->all_users && !s->all_sender_channels;
}

static inline bool
segment_is_of_channels(const struct segment *s)
{
	return str_is(s->type, "channel");
}

/* What a request says of a segment. */
struct segment_change {
	struct str id;                /* p == NULL or empty: to be made; ignored by an update */
	struct str type;              /* the same */
	struct str name, description; /* p == NULL: not said */
	const json_t *filter;         /* NULL: not said */
	bool all_users, all_sender_channels; /* ignored by an update */
};

/* Fails: INPUT (also when the id is taken), STORE. */
bool segment_create(struct db *, struct arena *, const struct segment_change *,
	struct segment *out, struct err *) MUST_USE;
/* Deleted ones are not found.  Fails: NOT_FOUND, STORE. */
bool segment_get(
	struct db *, struct arena *, struct str id, struct segment *out, struct err *) MUST_USE;
/* Many: out[i] belongs to ids[i], no 0 where there is none.  Fails: STORE. */
bool segment_by_ids(struct db *, struct arena *, const struct str *ids, size_t n,
	struct segment *out, struct err *) MUST_USE;
/* Changes what is said and keeps the rest.  Fails: NOT_FOUND, INPUT, STORE. */
bool segment_update(struct db *, struct arena *, struct str id, const struct segment_change *,
	struct segment *out, struct err *) MUST_USE;
/* The row stays, its targets go (a list of channels piece by piece, by segment_size_refresh).
 * Fails: NOT_FOUND, STORE. */
bool segment_delete(struct db *, struct arena *, struct str id, struct err *) MUST_USE;
/* A page of segments.  Fails: INPUT, STORE. */
bool segment_query(struct db *, struct arena *, const struct app *, const struct page_ask *,
	struct segment **out, size_t *n, struct page_links *, struct err *) MUST_USE;

/* Adds / removes 1 … SEGMENT_TARGETS_MAX targets of a list; those that are there already /
 * are not there are no error.  Fails: NOT_FOUND, INPUT, STORE. */
bool segment_add_targets(struct db *, struct arena *, struct str id, const struct str *ids,
	size_t n, struct err *) MUST_USE;
bool segment_remove_targets(struct db *, struct arena *, struct str id, const struct str *ids,
	size_t n, struct err *) MUST_USE;
/* Fails: NOT_FOUND (segment, or target not in it), INPUT (all_sender_channels), STORE. */
bool segment_has_target(
	struct db *, struct arena *, struct str id, struct str target, struct err *) MUST_USE;

struct segment_target {
	struct str id;
	int64_t created_at; /* of a cid, of the chunk a user was put into, or of the dynamic
			     * segment */
};
/* A page of targets by id.  Fails: NOT_FOUND, INPUT, STORE. */
bool segment_query_targets(struct db *, struct arena *, const struct app *, struct str id,
	const struct page_ask *, struct segment_target **out, size_t *n, struct page_links *,
	struct err *) MUST_USE;

/* ORs the uids of the members of a segment of users at this moment into ${out}; nothing for a
 * deleted segment.  A list contributes all its targets, users or not; the others only users
 * that exist and are not deactivated.  Fails: STORE. */
bool segment_load(struct db *, struct arena *, const struct segment *, struct bitset *out,
	struct err *) MUST_USE;

/* A segment whose size is to be counted, or whose list is to be swept away. */
bool segment_size_due(struct db *, int64_t *no, bool *found, struct err *) MUST_USE;
/* Counts what a filter or all_users segment is made of and stores the number, unless the
 * segment was changed meanwhile: then it stays due.  Fails: STORE. */
bool segment_size_refresh(struct db *, struct arena *, int64_t no, struct err *) MUST_USE;
