/* hook – where events are sent: the entries of the setting event_hooks (api.md §6.8, §9.1). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct arena;
struct err;
struct out_route;
struct shape;

#define HOOK_MAX 50 /* hooks of an app */

/* The members of a hook but created_at and updated_at. */
const struct shape *hook_shape(size_t *n);

/* Checks a list of a request; what results is for hooks_merge().  Fails: INPUT naming hook and
 * field. */
bool hooks_read(struct arena *, json_t *list, json_t **out, struct err *e) MUST_USE;

/* The hooks as they are kept once ${new} has taken the place of ${old} (NULL: none): new ones
 * get an id and their times; those whose id was there keep created_at, updated_at when nothing
 * else changed, and the secrets that are not sent anew.  Fails: INPUT (two of one id). */
bool hooks_merge(struct arena *, const json_t *old, json_t *new, int64_t now, json_t **out,
	struct err *e) MUST_USE;

/* The routes that the settings name: each hook of type webhook under its id, and webhook_url,
 * when it is set, under "legacy".  Texts are borrowed from ${settings}. */
void hook_routes(struct arena *, const json_t *settings, struct out_route **out, size_t *n);
