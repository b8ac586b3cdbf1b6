/* hook_wish – what a hook wants to hear, and in which form (api.md §9.1). */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "base/str.h"

/* The route of the settings webhook_url and webhook_events; others bear the id of their hook.
 */
#define HOOK_LEGACY "legacy"

/* Parts of the settings that it was read from. */
struct hook_wish {
	const json_t *types; /* names of events; NULL or empty: all */
	struct str dialect;  /* "v1", "v2"; p == NULL: not said */
	const json_t *hooks; /* of webhook_url: those that may be at the same URL; else NULL */
	struct str url;
};

/* False: the settings (struct settings, all) name no such hook, or it is not for webhooks. */
bool hook_wish(const json_t *settings, struct str ident, struct hook_wish *out);
/* "message.new" is wanted by its name, by "message.*" and by "*".  What Stream does not have,
 * "campaign.stopped", only by its name.  What a hook at the URL of webhook_url is told anyway
 * is not wanted a second time. */
bool hook_wants(const struct hook_wish *, struct str type);
