/* devices – the endpoints of devices and push providers (api.md §6.6, §6.9). */
#include "api/address_rule.h"
#include "api/req.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/jscan.h"
#include "domain/device.h"
#include "domain/push_provider.h"
#include "domain/user.h"

/* ---- devices ------------------------------------------------------------------------ */

/* Whose devices: the token's user, else the one that the request names. */
static bool
read_owner(struct req *r, const json_t *body, struct user *out, struct err *e)
{
	struct str id;

	if (!req_acting_user(r, body, &id, e))
		return false;
	if (id.n == 0)
		return fail(e, ERR_INPUT,
			"user_id: is required when using server side authentication");
	return user_get(r->db, r->arena, id, out, e);
}

static bool
add(struct req *r, struct err *e)
{
	struct device d = {0};
	struct user owner;
	json_t *body;

	if (!req_body(r, &body, e) || !jr_str(body, "id", REQUIRED, &d.id, e) ||
		!jr_str(body, "push_provider", REQUIRED, &d.provider, e) ||
		!jr_str(body, "push_provider_name", OPTIONAL, &d.provider_name, e) ||
		!jr_str(body, "hardware_id", OPTIONAL, &d.hardware_id, e) ||
		!jr_bool(body, "voip_token", OPTIONAL, &d.voip, e) ||
		!read_owner(r, body, &owner, e))
		return false;
	d.uid = owner.uid;
	/* Clients without a name send an empty one. */
	if (d.provider_name.n == 0)
		d.provider_name = STR_NONE;
	if (d.hardware_id.n == 0)
		d.hardware_id = STR_NONE;
	return device_add(r->db, &d, e);
}

static bool
list(struct req *r, struct err *e)
{
	struct device *devices;
	struct user owner;
	size_t n;

	if (!read_owner(r, NULL, &owner, e) ||
		!device_list(r->db, r->arena, owner.uid, &devices, &n, e))
		return false;
	wire_devices(r, &owner, devices, n);
	return true;
}

static bool
remove_device(struct req *r, struct err *e)
{
	struct str id = req_query(r, "id");
	struct user owner;

	if (id.p == NULL)
		return fail(e, ERR_INPUT, "id: is required");
	return read_owner(r, NULL, &owner, e) && device_remove(r->db, owner.uid, id, e);
}

/* ---- push providers ----------------------------------------------------------------- */

/* What is a secret is not even hinted at. */
static void
write_setting(struct req *r, const struct push_provider *p, const struct push_setting *s)
{
	struct jscan_value v = jscan_member(p->settings, str_of(s->name));
	int64_t us;

	if (s->is_secret || v.type == JSCAN_NONE)
		return;
	if (s->kind != PUSH_TIME)
		jw_kraw(&r->w, s->name, v.raw);
	else if (str_to_i64(v.raw, &us))
		req_ktime(r, s->name, us);
}

static void
write_provider(struct req *r, const struct push_provider *p)
{
	jw_obj(&r->w);
	jw_kstr(&r->w, "name", p->name);
	jw_kstr(&r->w, "type", p->type);
	for (size_t i = 0; i < push_nsettings; i++)
		write_setting(r, p, &push_settings[i]);
	req_ktime(r, "created_at", p->created_at);
	req_ktime(r, "updated_at", p->updated_at);
	jw_end_obj(&r->w);
}

static bool
put_provider(struct req *r, struct err *e)
{
	struct push_provider p;
	json_t *body, *obj = NULL;

	if (!req_body(r, &body, e) || !jr_obj(body, "push_provider", REQUIRED, &obj, e) ||
		!address_rule_provider(r, obj, e) ||
		!push_provider_put(r->db, r->arena, obj, &p, e))
		return false;
	jw_name(&r->w, STR("push_provider"));
	write_provider(r, &p);
	return true;
}

static bool
list_providers(struct req *r, struct err *e)
{
	struct push_provider *providers;
	size_t n;

	if (!push_provider_list(r->db, r->arena, &providers, &n, e))
		return false;
	jw_karr(&r->w, "push_providers");
	for (size_t i = 0; i < n; i++)
		write_provider(r, &providers[i]);
	jw_end_arr(&r->w);
	return true;
}

static bool
remove_provider(struct req *r, struct err *e)
{
	return push_provider_remove(r->db, r->arena, r->param[0], r->param[1], e);
}

static const struct route routes[] = {
	{"POST", "/devices", "CreateDevice", add, ROUTE_COMMON | ROUTE_CLIENT, BODY_SMALL,
		"register a device for push notifications"},
	{"GET", "/devices", "ListDevices", list, ROUTE_COMMON | ROUTE_CLIENT, BODY_NONE,
		"list the devices of a user"},
	{"DELETE", "/devices", "DeleteDevice", remove_device, ROUTE_COMMON | ROUTE_CLIENT,
		BODY_NONE, "forget a device"},
	{"POST", "/push_providers", "UpsertPushProvider", put_provider, ROUTE_COMMON,
		BODY_SMALL, "create or change a push provider"},
	{"GET", "/push_providers", "ListPushProviders", list_providers, ROUTE_COMMON, BODY_NONE,
		"list the push providers"},
	{"DELETE", "/push_providers/{type}/{name}", "DeletePushProvider", remove_provider,
		ROUTE_COMMON, BODY_NONE, "delete a push provider"},
};

const struct route_group routes_devices = {routes, ARRAY_LEN(routes)};
