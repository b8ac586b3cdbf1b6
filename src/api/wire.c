/* wire – users, segments and page links as clients read them. */
#include "api/wire.h"

#include "api/req.h"
#include "base/clock.h"
#include "base/jscan.h"
#include "domain/device.h"
#include "domain/page.h"
#include "domain/segment.h"
#include "domain/unread.h"
#include "domain/user.h"
#include "net/hub.h"

static void
write_opt(struct req *r, const char *key, struct str s)
{
	if (s.p != NULL)
		jw_kstr(&r->w, key, s);
}

static void
write_empty_array(struct req *r, const char *key)
{
	jw_karr(&r->w, key);
	jw_end_arr(&r->w);
}

/* A member of users.extra, copied as it is. */
static void
write_extra(struct req *r, const struct user *u, const char *key)
{
	struct jscan_value v = {JSCAN_NONE, STR_NONE};

	if (u->extra.p != NULL)
		v = jscan_member(u->extra, str_of(key));
	if (v.type != JSCAN_NONE)
		jw_kraw(&r->w, key, v.raw);
}

bool
wire_user_is_invisible(const struct user *u)
{
	return u->extra.p != NULL &&
	       jscan_member(u->extra, STR("invisible")).type == JSCAN_TRUE;
}

/* Whether he is connected to this process; who is invisible never seems to be. */
static bool
is_online(const struct req *r, const struct user *u)
{
	int64_t found;

	return r->ctx->hub != NULL && !wire_user_is_invisible(u) &&
	       hub_online(r->ctx->hub, &u->uid, 1, &found) == 1;
}

/* Nobody can be banned or blocked yet: those members are constant. */
static void
write_members(struct req *r, const struct user *u, bool online)
{
	jw_kstr(&r->w, "id", u->id);
	write_opt(r, "name", u->name);
	write_opt(r, "image", u->image);
	jw_kstr(&r->w, "role", u->role.p == NULL ? STR("user") : u->role);
	jw_kstr(&r->w, "language", u->language.p == NULL ? STR("") : u->language);
	jw_kraw(&r->w, "teams", u->teams.p == NULL ? STR("[]") : u->teams);
	write_extra(r, u, "teams_role");
	write_extra(r, u, "privacy_settings");
	req_ktime(r, "created_at", u->created_at);
	req_ktime(r, "updated_at", u->updated_at);
	req_ktime_opt(r, "last_active", u->last_active);
	req_ktime_opt(r, "deactivated_at", u->deactivated_at);
	req_ktime_opt(r, "deleted_at", u->deleted_at);
	req_ktime_opt(r, "revoke_tokens_issued_before", u->revoked_before);
	jw_kbool(&r->w, "banned", false);
	jw_kbool(&r->w, "shadow_banned", false);
	jw_kbool(&r->w, "online", online);
	jw_kbool(&r->w, "invisible", wire_user_is_invisible(u));
	write_empty_array(r, "blocked_user_ids");
	req_custom(r, u->custom);
}

void
wire_user_members(struct req *r, const struct user *u)
{
	write_members(r, u, is_online(r, u));
}

void
wire_user_seen(struct req *r, const struct user *u, bool online)
{
	jw_obj(&r->w);
	write_members(r, u, online);
	jw_end_obj(&r->w);
}

void
wire_user(struct req *r, const struct user *u)
{
	jw_obj(&r->w);
	wire_user_members(r, u);
	jw_end_obj(&r->w);
}

void
wire_unread(struct req *r, const struct unread *unread)
{
	jw_ki64(&r->w, "total_unread_count", unread->messages);
	jw_ki64(&r->w, "unread_count", unread->messages);
	jw_ki64(&r->w, "unread_channels", (int64_t)unread->n);
}

static void
write_device(struct req *r, const struct user *u, const struct device *d)
{
	jw_obj(&r->w);
	jw_kstr(&r->w, "id", d->id);
	jw_kstr(&r->w, "push_provider", d->provider);
	write_opt(r, "push_provider_name", d->provider_name);
	write_opt(r, "hardware_id", d->hardware_id);
	jw_kstr(&r->w, "user_id", u->id);
	req_ktime(r, "created_at", d->created_at);
	if (d->voip)
		jw_kbool(&r->w, "voip", true);
	if (d->disabled_at != NO_TIME)
		jw_kbool(&r->w, "disabled", true);
	write_opt(r, "disabled_reason", d->disabled_reason);
	jw_end_obj(&r->w);
}

void
wire_devices(struct req *r, const struct user *u, const struct device *devices, size_t n)
{
	jw_karr(&r->w, "devices");
	for (size_t i = 0; i < n; i++)
		write_device(r, u, &devices[i]);
	jw_end_arr(&r->w);
}

void
wire_user_full(struct req *r, const struct user *u, const struct device *devices,
	size_t ndevices, const struct unread *unread)
{
	static const char *const lists[] = {"channel_mutes", "mutes"};

	jw_obj(&r->w);
	wire_user_members(r, u);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		write_empty_array(r, lists[i]);
	wire_devices(r, u, devices, ndevices);
	wire_unread(r, unread);
	jw_ki64(&r->w, "unread_threads", 0);
	jw_end_obj(&r->w);
}

void
wire_segment(struct req *r, const struct segment *s)
{
	jw_obj(&r->w);
	jw_kstr(&r->w, "id", s->id);
	jw_kstr(&r->w, "type", s->type);
	jw_kstr(&r->w, "name", s->name);
	jw_kstr(&r->w, "description", s->description);
	jw_kraw(&r->w, "filter", s->filter.p == NULL ? STR("{}") : s->filter);
	jw_kbool(&r->w, "all_users", s->all_users);
	jw_kbool(&r->w, "all_sender_channels", s->all_sender_channels);
	jw_ki64(&r->w, "size", MIN_OF(s->size, INT32_MAX));
	req_ktime(r, "created_at", s->created_at);
	req_ktime(r, "updated_at", s->updated_at);
	req_ktime(r, "deleted_at", s->deleted_at);
	if (r->dialect == DIALECT_V1) {
		jw_kbool(&r->w, "locked", false);
		jw_kstr(&r->w, "task_id", STR(""));
	}
	jw_end_obj(&r->w);
}

void
wire_links(struct req *r, const struct page_links *links)
{
	write_opt(r, "next", links->next);
	write_opt(r, "prev", links->prev);
}
