/* settings – what the app's owner may change while the server runs (api.md §6.8).
 *
 * They are one JSON object in one row, with a version that rises by one with each change; it
 * holds what was set, as settings_change() took it over: times as microseconds, secrets in it.
 * What is absent has its default.  Requests do not read that row: settings_live.h. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/macros.h"

struct arena;
struct db;
struct err;

/* Among whom a name is to be unique.  Stored. */
enum unique_names { UNIQUE_NO, UNIQUE_APP, UNIQUE_TEAM };

struct settings {
	int64_t version; /* 0: never changed */
	json_t *all;     /* what was set; never NULL */
	/* Of it, what is asked for often. */
	bool multi_tenant;
	bool no_auth_checks;       /* development tokens pass */
	bool no_permission_checks; /* user tokens reach every channel */
	int64_t revoked_before;    /* NO_TIME: no token of a user is revoked */
};

/* Fails: STORE. */
bool settings_load(struct db *, struct arena *, struct settings *out, struct err *e) MUST_USE;
bool settings_version(struct db *, int64_t *out, struct err *e) MUST_USE;
/* Lets the version rise, since something that is read with them was changed (push providers).
 * Only inside a write transaction.  Fails: STORE. */
bool settings_touch(struct db *w, struct err *e) MUST_USE;
/* Whether multi-tenancy is on at this moment.  Fails: STORE. */
bool settings_multi_tenant(struct db *, struct arena *, bool *out, struct err *e) MUST_USE;

/* Changes what ${body} names; objects member by member, but event_hooks as a whole.  Fails:
 * INPUT, STORE. */
bool settings_change(struct db *, struct arena *, const json_t *body, struct err *e) MUST_USE;

/* The member of an object of settings; NULL when it was not set. */
static inline const json_t *
settings_of(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);

	return json_is_null(v) ? NULL : v;
}
