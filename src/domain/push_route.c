/* push_route – providers as routes. */
#include "domain/push_route.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/jr.h"
#include "domain/push_event.h"
#include "domain/push_provider.h"
#include "domain/route.h"
#include "domain/settings.h"

struct listing {
	struct arena *arena;
	const struct push_event *events;
	size_t nevents;
	struct out_route *out;
	size_t n;
};

static struct out_route *
add(struct listing *l, struct str type, struct str name, bool is_disabled)
{
	struct out_route *r = &l->out[l->n++];
	const struct push_event *ev =
		push_event_for(l->events, l->nevents, type, name, STR("message.new"));

	*r = (struct out_route){
		.kind = ROUTE_PUSH,
		.ident = arena_printf(l->arena, "%.*s:%.*s", STR_ARG(type), STR_ARG(name)),
		.is_off = is_disabled || (ev != NULL && !ev->enabled),
		.changed_at = NO_TIME,
		.paused_at = NO_TIME,
		.barred_at = NO_TIME,
	};
	return r;
}

static void
add_app(struct listing *l, const json_t *config, const char *type, const char *key,
	const char *other)
{
	if (jr_text(settings_of(config, key)).n > 0 ||
		jr_text(settings_of(config, other)).n > 0)
		add(l, str_of(type), STR(""),
			json_is_true(json_object_get(config, "disabled")));
}

static bool
add_provider(struct listing *l, const struct push_provider *p, struct err *e)
{
	struct out_route *r;
	json_t *settings;
	bool is_barred;

	if (!str_is(p->type, "firebase") && !str_is(p->type, "apn"))
		return true;
	if (!jr_parse(l->arena, p->settings, &settings, e))
		return false;
	is_barred = push_provider_is_barred(settings);
	r = add(l, p->type, p->name,
		settings_of(settings, "disabled_at") != NULL && !is_barred);
	if (!is_barred)
		r->changed_at = p->updated_at;
	return true;
}

bool
push_routes(struct db *db, struct arena *a, const json_t *settings, struct out_route **out,
	size_t *n, struct err *e)
{
	struct listing l = {.arena = a};
	struct push_provider *providers;
	struct push_event *events;
	size_t nproviders;

	if (!push_provider_list(db, a, &providers, &nproviders, e) ||
		!push_event_list(db, a, &events, &l.nevents, e))
		return false;
	l.events = events;
	l.out = arena_array(a, nproviders + 2, sizeof(*l.out));
	add_app(&l, settings_of(settings, "firebase_config"), "firebase", "credentials_json",
		"credentials_json");
	add_app(&l, settings_of(settings, "apn_config"), "apn", "auth_key", "p12_cert");
	for (size_t i = 0; i < nproviders; i++)
		if (!add_provider(&l, &providers[i], e))
			return false;
	*out = l.out;
	*n = l.n;
	return true;
}

bool
push_routes_settings(
	struct db *w, struct arena *a, const json_t *settings, bool fresh, struct err *e)
{
	struct out_route *routes;
	size_t n;

	if (!push_routes(w, a, settings, &routes, &n, e))
		return false;
	for (size_t i = 0; i < n && fresh; i++)
		if (str_ends(routes[i].ident, STR(":")))
			routes[i].changed_at = clock_now_us();
	return route_sync_in(w, a, ROUTE_PUSH, routes, n, e);
}

bool
push_routes_make(struct db *w, struct arena *a, struct err *e)
{
	struct settings s;

	return settings_touch(w, e) && settings_load(w, a, &s, e) &&
	       push_routes_settings(w, a, s.all, false, e);
}
