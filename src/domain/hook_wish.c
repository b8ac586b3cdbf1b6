/* hook_wish – which events a hook wants. */
#include "domain/hook_wish.h"

#include "base/jr.h"
#include "domain/settings.h"

static bool
hears_chat(const json_t *hook)
{
	struct str product = jr_text(json_object_get(hook, "product"));

	return str_is(jr_text(json_object_get(hook, "hook_type")), "webhook") &&
	       (product.n == 0 || str_is(product, "all") || str_is(product, "chat"));
}

bool
hook_wish(const json_t *settings, struct str ident, struct hook_wish *out)
{
	const json_t *hooks = settings_of(settings, "event_hooks"), *hook;
	size_t i;

	*out = (struct hook_wish){0};
	if (str_is(ident, HOOK_LEGACY)) {
		out->types = settings_of(settings, "webhook_events");
		out->url = jr_text(settings_of(settings, "webhook_url"));
		out->hooks = hooks;
		return out->url.n > 0;
	}
	json_array_foreach(hooks, i, hook)
	{
		if (!str_eq(jr_text(json_object_get(hook, "id")), ident))
			continue;
		out->types = settings_of(hook, "event_types");
		out->dialect = jr_text(settings_of(hook, "payload_dialect"));
		return hears_chat(hook);
	}
	return false;
}

/* ${pattern}: a name, or one that ends in "*". */
static bool
fits(struct str pattern, struct str type)
{
	if (pattern.n > 0 && pattern.p[pattern.n - 1] == '*')
		return str_starts(type, str_sub(pattern, 0, pattern.n - 1));
	return str_eq(pattern, type);
}

static bool
is_named(const json_t *types, struct str type)
{
	bool by_name = str_is(type, "campaign.stopped");
	const json_t *v;
	size_t i;

	json_array_foreach(types, i, v)
	{
		struct str wanted = jr_text(v);

		if (by_name ? str_eq(wanted, type) : fits(wanted, type))
			return true;
	}
	return !by_name && json_array_size(types) == 0;
}

bool
hook_wants(const struct hook_wish *w, struct str type)
{
	const json_t *hook;
	size_t i;

	json_array_foreach(w->hooks, i, hook)
	{
		if (str_eq(jr_text(json_object_get(hook, "webhook_url")), w->url) &&
			json_is_true(json_object_get(hook, "enabled")) && hears_chat(hook) &&
			is_named(settings_of(hook, "event_types"), type))
			return false;
	}
	return is_named(w->types, type);
}
