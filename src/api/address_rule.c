/* address_rule – the fields that hold addresses. */
#include "api/address_rule.h"

#include <stdio.h>

#include "api/req.h"
#include "net/guard.h"

static bool
check(const struct req *r, const char *where, const json_t *object, const char *name,
	struct err *e)
{
	struct str url = jr_text(json_object_get(object, name));
	char field[96];

	if (url.n == 0)
		return true;
	snprintf(field, sizeof(field), "%s%s", where, name);
	if (str_find(url, ':', 0) == url.n ||
		!str_starts(str_sub(url, str_find(url, ':', 0), url.n - str_find(url, ':', 0)),
			STR("://")))
		url = arena_printf(r->arena, "https://%.*s", STR_ARG(url));
	return guard_check_url(r->ctx->guard, field, url, e);
}

/* What is no http URL at all is refused by the shape of the settings, in better words. */
static bool
check_url(const struct req *r, const char *where, const json_t *object, const char *name,
	struct err *e)
{
	struct str url = jr_text(json_object_get(object, name));

	if (!str_ieq(str_sub(url, 0, MIN_OF(url.n, (size_t)7)), STR("http://")) &&
		!str_ieq(str_sub(url, 0, MIN_OF(url.n, (size_t)8)), STR("https://")))
		return true;
	return check(r, where, object, name, e);
}

bool
address_rule_app(const struct req *r, const json_t *settings, struct err *e)
{
	static const char *const urls[] = {
		"webhook_url", "before_message_send_hook_url", "custom_action_handler_url"};
	const json_t *hooks = json_object_get(settings, "event_hooks");

	for (size_t i = 0; i < ARRAY_LEN(urls); i++)
		if (!check_url(r, "", settings, urls[i], e))
			return false;
	for (size_t i = 0; i < json_array_size(hooks); i++) {
		const json_t *hook = json_array_get(hooks, i);
		char where[48], inner[64];

		snprintf(where, sizeof(where), "event_hooks[%zu].", i);
		snprintf(inner, sizeof(inner), "%scallback.", where);
		if (!check_url(r, where, hook, "webhook_url", e) ||
			!check_url(
				r, inner, json_object_get(hook, "callback"), "server_url", e))
			return false;
	}
	return check(r, "apn_config.", json_object_get(settings, "apn_config"), "host", e);
}

bool
address_rule_provider(const struct req *r, const json_t *provider, struct err *e)
{
	return check(r, "push_provider.", provider, "firebase_host", e) &&
	       check(r, "push_provider.", provider, "apn_host", e);
}
