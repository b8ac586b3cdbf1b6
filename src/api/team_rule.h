/* team_rule – what a client may find where the app has teams (api.md §6.11): with a user's
 * token only users and channels of his teams, or those without a team when he is in none. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "base/macros.h"

struct err;
struct req;

/* *applies false: the caller is the back end, or multi-tenancy is off, and *teams stays as it
 * is.  Else *teams is the array of his teams, NULL when he is in none.  Fails: STORE. */
bool team_rule(struct req *r, bool *applies, json_t **teams, struct err *e) MUST_USE;

/* ${filter} (may be NULL) and, besides, {${field}: {$in: teams}}. */
json_t *team_rule_narrow(struct req *r, json_t *filter, const char *field, json_t *teams);
