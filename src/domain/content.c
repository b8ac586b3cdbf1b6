/* content – compiles and checks the templates of a campaign. */
#include "domain/content.h"

#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/jr.h"
#include "base/jw.h"
#include "domain/campaign.h"
#include "domain/poll.h"
#include "domain/template.h"

#define RENDER_CHECK_MAX (1 << 20)

/* The message's attachments and custom as one JSON object; p == NULL when neither is set. */
static bool
extra_json(struct arena *a, const json_t *message, struct str *out, struct err *e)
{
	json_t *attachments = NULL, *custom = NULL;
	struct buf text;
	struct jw w;

	if (!jr_arr(message, "attachments", OPTIONAL, CAMPAIGN_MAX_ATTACHMENTS, &attachments,
		    e) ||
		!jr_obj(message, "custom", OPTIONAL, &custom, e))
		return false;
	for (size_t i = 0; i < json_array_size(attachments); i++)
		if (!json_is_object(json_array_get(attachments, i)))
			return fail(e, ERR_INPUT,
				"attachments[%zu]: expected an object, got %s", i,
				jr_type_name(json_array_get(attachments, i)));
	*out = STR_NONE;
	if (json_array_size(attachments) == 0 && json_object_size(custom) == 0)
		return true;
	buf_init(&text, a, 256);
	jw_init(&w, &text);
	jw_obj(&w);
	if (json_array_size(attachments) > 0)
		jw_kraw(&w, "attachments", jr_dump(a, attachments));
	if (json_object_size(custom) > 0)
		jw_kraw(&w, "custom", jr_dump(a, custom));
	jw_end_obj(&w);
	*out = buf_view(&text);
	return true;
}

/* Compiles ${json}; *out = NULL when it always comes out as it is. */
static bool
compile_json(struct arena *a, struct str json, const char *field, struct template **out,
	struct err *e)
{
	static const struct template_vars nobody;
	struct buf text;

	if (!template_json(a, json, field, out, e))
		return false;
	if (!template_is_constant(*out))
		return true;
	buf_init(&text, a, json.n + 64);
	if (template_render(*out, &nobody, RENDER_CHECK_MAX, &text) &&
		str_eq(buf_view(&text), json))
		*out = NULL;
	return true;
}

static bool
compile_message(struct arena *a, struct str json, struct content *c, struct err *e)
{
	struct str text = STR_NONE, extra;
	bool searchable;
	json_t *message;

	if (!jr_parse(a, json, &message, e) || !jr_str(message, "text", REQUIRED, &text, e) ||
		!jr_str_max(message, "poll_id", OPTIONAL, POLL_MAX_ID, &c->poll_id, e) ||
		!jr_bool(message, "searchable", OPTIONAL, &searchable, e) ||
		!extra_json(a, message, &extra, e))
		return fail_in(e, "message_template");
	if (c->poll_id.n == 0)
		c->poll_id = STR_NONE;
	if (!template_text(a, text, "message_template.text", &c->text, e))
		return false;
	if (extra.p != NULL && !compile_json(a, extra, "message_template", &c->extra, e))
		return false;
	c->uses_channel = template_uses_channel(c->text) ||
			  (c->extra != NULL && template_uses_channel(c->extra));
	return true;
}

static bool
read_member(const json_t *v, struct arena *a, struct content_member *out, struct err *e)
{
	json_t *custom = NULL;

	*out = (struct content_member){0};
	if (!json_is_object(v))
		return fail(e, ERR_INPUT, "expected an object, got %s", jr_type_name(v));
	if (!jr_str(v, "user_id", REQUIRED, &out->user_id, e) ||
		!jr_str_max(v, "channel_role", OPTIONAL, 64, &out->role, e) ||
		!jr_obj(v, "custom", OPTIONAL, &custom, e))
		return false;
	if (custom != NULL)
		out->custom = jr_dump(a, custom);
	return true;
}

static bool
read_members(struct arena *a, const json_t *channel, struct content *c, struct err *e)
{
	json_t *templates = NULL;
	struct str *ids = NULL;
	size_t n = 0;

	if (!jr_strs(a, channel, "members", OPTIONAL, CAMPAIGN_MAX_MEMBERS, &ids, &n, e) ||
		!jr_arr(channel, "members_template", OPTIONAL, CAMPAIGN_MAX_MEMBERS, &templates,
			e))
		return false;
	if (n > 0 && json_array_size(templates) > 0)
		return fail(
			e, ERR_INPUT, "members: cannot be used together with members_template");
	c->nmembers = n + json_array_size(templates);
	c->members = arena_array(a, c->nmembers, sizeof(*c->members));
	for (size_t i = 0; i < n; i++)
		c->members[i] = (struct content_member){.user_id = ids[i]};
	for (size_t i = 0; i < json_array_size(templates); i++) {
		if (!read_member(json_array_get(templates, i), a, &c->members[i], e)) {
			char where[48];

			snprintf(where, sizeof(where), "members_template[%zu]", i);
			return fail_in(e, where);
		}
	}
	for (size_t i = 0; i < c->nmembers; i++)
		if (!id_user_valid(c->members[i].user_id))
			return fail(e, ERR_INPUT, "members: \"%.*s\" is not a user id",
				STR_ARG(c->members[i].user_id));
	return true;
}

/* A team without variables is that of all channels. */
static bool
compile_team(struct arena *a, struct str text, struct content *c, struct err *e)
{
	static const struct template_vars nobody;
	struct template *team;
	struct buf out;

	c->constant_team = STR("");
	c->has_team = text.n > 0;
	if (!c->has_team)
		return true;
	if (!template_text(a, text, "channel_template.team", &team, e))
		return false;
	if (!template_is_constant(team)) {
		c->channel_team = team;
		return true;
	}
	buf_init(&out, a, text.n);
	if (!template_render(team, &nobody, RENDER_CHECK_MAX, &out))
		return fail(e, ERR_INPUT,
			"channel_template.team: renders to more than %d bytes",
			RENDER_CHECK_MAX);
	c->constant_team = buf_view(&out);
	return true;
}

static bool
compile_channel(struct arena *a, struct str json, struct content *c, struct err *e)
{
	struct str id = STR_NONE, team = STR_NONE;
	json_t *channel, *custom = NULL;

	c->has_channel_template = true;
	if (!jr_parse(a, json, &channel, e) ||
		!jr_str_max(channel, "type", REQUIRED, 64, &c->channel_type, e) ||
		!jr_str(channel, "id", OPTIONAL, &id, e) ||
		!jr_str_max(channel, "team", OPTIONAL, CONTENT_TEAM_MAX, &team, e) ||
		!jr_obj(channel, "custom", OPTIONAL, &custom, e) ||
		!read_members(a, channel, c, e))
		return fail_in(e, "channel_template");
	if (!id_type_valid(c->channel_type))
		return fail(e, ERR_INPUT,
			"channel_template.type: \"%.*s\" is not a channel type",
			STR_ARG(c->channel_type));
	if (id.n > 0 && !template_text(a, id, "channel_template.id", &c->channel_id, e))
		return false;
	if (!compile_team(a, team, c, e))
		return false;
	if (json_object_size(custom) == 0)
		return true;
	if (!compile_json(
		    a, jr_dump(a, custom), "channel_template.custom", &c->channel_custom, e))
		return false;
	if (c->channel_custom == NULL)
		c->constant_custom = jr_dump(a, custom);
	return true;
}

bool
content_compile(struct arena *a, struct str message_template, struct str channel_template,
	struct content *out, struct err *e)
{
	*out = (struct content){.channel_type = STR("messaging")};
	if (!compile_message(a, message_template, out, e))
		return false;
	return channel_template.p == NULL || compile_channel(a, channel_template, out, e);
}
