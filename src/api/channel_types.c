/* channel_types – the endpoints of channel types (api.md §6.11). */
#include "api/chat_wire.h"
#include "api/req.h"
#include "domain/channel_type.h"

static bool
list(struct req *r, struct err *e)
{
	struct channel_type *types;
	size_t n;

	if (!channel_type_list(r->db, r->arena, &types, &n, e))
		return false;
	jw_kobj(&r->w, "channel_types");
	for (size_t i = 0; i < n; i++) {
		jw_key(&r->w, types[i].name);
		jw_obj(&r->w);
		chat_write_type(r, &types[i], false);
		jw_end_obj(&r->w);
	}
	jw_end_obj(&r->w);
	return true;
}

static bool
create(struct req *r, struct err *e)
{
	struct channel_type type;
	struct str name;
	json_t *body;

	if (!req_body(r, &body, e) || !jr_str(body, "name", REQUIRED, &name, e) ||
		!channel_type_create(r->db, r->arena, name, body, &type, e))
		return false;
	chat_write_type(r, &type, false);
	return true;
}

static bool
get(struct req *r, struct err *e)
{
	struct channel_type type;

	if (!channel_type_get(r->db, r->arena, r->param[0], &type, e))
		return false;
	chat_write_type(r, &type, false);
	return true;
}

static bool
update(struct req *r, struct err *e)
{
	struct channel_type type;
	json_t *body;

	if (!req_body(r, &body, e) ||
		!channel_type_update(r->db, r->arena, r->param[0], body, &type, e))
		return false;
	chat_write_type(r, &type, false);
	return true;
}

static bool
delete_type(struct req *r, struct err *e)
{
	return channel_type_delete(r->db, r->arena, r->param[0], e);
}

static const struct route routes[] = {
	{"GET", "/channeltypes", "ListChannelTypes", list, ROUTE_CHAT, BODY_NONE,
		"Lists the channel types"},
	{"POST", "/channeltypes", "CreateChannelType", create, ROUTE_CHAT, BODY_SMALL,
		"Makes a channel type"},
	{"GET", "/channeltypes/{name}", "GetChannelType", get, ROUTE_CHAT, BODY_NONE,
		"Shows a channel type"},
	{"PUT", "/channeltypes/{name}", "UpdateChannelType", update, ROUTE_CHAT, BODY_SMALL,
		"Changes a channel type"},
	{"DELETE", "/channeltypes/{name}", "DeleteChannelType", delete_type, ROUTE_CHAT,
		BODY_NONE, "Deletes a channel type that has no channels"},
};

const struct route_group routes_channel_types = {routes, ARRAY_LEN(routes)};
