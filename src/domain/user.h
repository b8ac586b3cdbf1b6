/* user – users, and the names of users that were only mentioned as targets. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/str.h"
#include "domain/filter.h"

struct arena;
struct db;
struct err;

/* A user's record; strings in the arena of the call that loaded it. */
struct user {
	int64_t uid;
	struct str id;
	struct str name; /* p == NULL: unset; the same below */
	struct str image;
	struct str role;     /* unset means "user" */
	struct str language; /* unset means "" */
	struct str teams;    /* JSON array */
	struct str custom;   /* JSON object */
	/* JSON object: privacy_settings, teams_role, invisible; or {"forgotten":true} of who
	 * was deleted with his data. */
	struct str extra;
	int64_t created_at; /* NO_TIME: only mentioned, never created */
	int64_t updated_at, last_active, deactivated_at, deleted_at, revoked_before;
};

#define USER_UPSERT_MAX 100  /* a call of the API; imports take more */
#define USER_CUSTOM_MAX 5120 /* bytes of custom data */

/* The select list that user_from_row reads, over table alias u; user.sql repeats it. */
#define USER_SELECT                                                                      \
	"u.uid, u.id, u.name, u.image, u.role, u.language, u.teams, u.custom, u.extra, " \
	"u.created_at, u.updated_at, u.last_active, u.deactivated_at, u.deleted_at, "    \
	"u.revoked_before"
#define USER_COLS 15
struct rows;
void user_from_row(struct rows *r, int first_col, struct arena *a, struct user *out);

/* True for a user that exists for the API: created and not deleted. */
static inline bool
user_is_live(const struct user *u)
{
	return u->created_at != NO_TIME && u->deleted_at == NO_TIME;
}

/* By wire id / inner key, live or not.  Fails: NOT_FOUND ("user with id x doesn't exist"),
 * STORE.  user_get: also NOT_FOUND when not live. */
bool
user_get(struct db *, struct arena *, struct str id, struct user *out, struct err *) MUST_USE;
bool
user_by_uid(struct db *, struct arena *, int64_t uid, struct user *out, struct err *) MUST_USE;
/* Many at once, in the order of ${uids}; *out has n elements, unknown ones with uid 0.
 * Fails: STORE, TOO_LARGE for the arena. */
bool user_by_uids(struct db *, struct arena *, const int64_t *uids, size_t n, struct user **out,
	struct err *) MUST_USE;

/* Reads one user object of a request: v1 (custom keys at the top level) or v2 (nested
 * custom).  Fails: INPUT naming the field. */
bool user_read(struct arena *, const json_t *obj, bool nested_custom, struct user *out,
	struct err *) MUST_USE;

/* Reads "name" of a request.  Fails: INPUT. */
bool user_read_name(struct arena *, const json_t *obj, struct str *out, struct err *) MUST_USE;

/* Creates or replaces ${n} users (of more than USER_UPSERT_MAX nobody is told; their uid,
 * created_at, updated_at are filled in); the same id twice: the last one counts.  One
 * transaction. */
bool
user_upsert(struct db *, struct arena *, struct user *users, size_t n, struct err *) MUST_USE;

/* The user ${id} as his own client says when it connects: made when there is none, changed
 * where
 * ${details} (an object, or NULL) says something else of what a client may say, and seen just
 * now (last_active, to the minute).  Most often nothing is written.  Fails: NOT_FOUND (he was
 * deleted), INPUT, DUPLICATE, STORE. */
bool user_connect(struct db *, struct arena *, struct str id, const json_t *details,
	struct user *out, struct err *) MUST_USE;

/* One partial update: set and unset by dotted path. */
struct user_patch {
	struct str id;
	json_t *set; /* object or NULL */
	struct str *unset;
	size_t nunset;
};
/* All or nothing.  Fails: NOT_FOUND, INPUT. */
bool user_patch(struct db *, struct arena *, const struct user_patch *patches, size_t n,
	bool nested_custom, struct user **out, struct err *) MUST_USE;

/* Resolves ids to inner keys; ids never seen get one (a mention).  Only inside db_write.
 * uids[i] belongs to ids[i].  Ids must be valid (id_user_valid). */
bool user_mention(struct db *w, struct arena *, const struct str *ids, size_t n, int64_t *uids,
	struct err *) MUST_USE;
/* Resolves without mentioning: uids[i] = 0 when never seen. */
bool user_resolve(struct db *, struct arena *, const struct str *ids, size_t n, int64_t *uids,
	struct err *) MUST_USE;

/* When names are to be unique (domain/settings.h): enters some of those of users who were there
 * before; *more: there are others.  ${a} is emptied.  Fails: STORE, UNCERTAIN. */
bool user_unique_fill(struct db *, struct arena *a, bool *more, struct err *) MUST_USE;

/* Query of api.md §6.1. */
struct user_query {
	json_t *filter; /* NULL = all */
	json_t *sort;   /* NULL = created_at desc */
	int64_t limit, offset;
	bool include_deactivated;
	bool without_team; /* only users who are in no team */
};
bool user_query(struct db *, struct arena *, const struct user_query *, struct user **out,
	size_t *n, struct err *) MUST_USE;
/* The statement that user_query would run, for looking at its plan. */
bool user_query_sql(struct db *, struct arena *, const struct user_query *, struct buf *sql,
	struct filter_params *, struct err *) MUST_USE;

/* Fields and operators of user filters, over alias u (also for segments). */
extern const struct filter_schema user_filter;

/* How a composed query finds users: by an index of ids, or without one. */
enum user_way {
	USERS_BY_FILTER, /* by id when nobody matches but by an id that is named or bounded */
	USERS_BY_ID,     /* in the order of ids */
	USERS_BY_UID     /* the caller knows their keys, or wants no order */
};
/* Appends what stands behind FROM: users as alias u; by id, the directory as i in front of
 * them.  Returns the schema for filters and sorts over it. */
struct filter_schema
user_from(struct db *, struct arena *, const json_t *filter, enum user_way, struct buf *sql);
