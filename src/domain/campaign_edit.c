/* campaign_edit – what a client says about a campaign, read and checked. */
#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/campaign.h"

static bool
read_enum(const json_t *body, const char *key, const char *one, const char *two,
	struct str *out, struct err *e)
{
	if (!jr_str(body, key, OPTIONAL, out, e))
		return false;
	/* "" is what we answer for "unset", so it may come back. */
	if (out->p == NULL || out->n == 0 || str_eq(*out, str_of(one)) ||
		str_eq(*out, str_of(two)))
		return true;
	return fail(e, ERR_INPUT, "%s: \"%.*s\" is neither \"%s\" nor \"%s\"", key,
		STR_ARG(*out), one, two);
}

static bool
read_object(
	struct arena *a, const json_t *body, const char *key, struct str *out, struct err *e)
{
	json_t *v = NULL;

	if (!jr_obj(body, key, OPTIONAL, &v, e))
		return false;
	if (v != NULL)
		*out = jr_dump(a, v);
	return true;
}

static bool
is_given(const json_t *body, const char *key)
{
	json_t *v = json_object_get(body, key);

	return v != NULL && !json_is_null(v);
}

static bool
read_targets(struct arena *a, const json_t *body, struct campaign_edit *out, struct err *e)
{
	const json_t *first = json_array_get(json_object_get(body, "segment_ids"), 0);

	/* The JavaScript SDK does not learn the id of a segment it creates (api.md §5 row 12):
	 * say so, since the caller cannot see it. */
	if (first != NULL && json_is_null(first))
		return fail(e, ERR_INPUT,
			"segment_ids[0]: is null; segment.id stays null after create() in the "
			"JavaScript SDK, take the id from its response");
	out->has_segments = is_given(body, "segment_ids");
	out->has_users = is_given(body, "user_ids");
	return jr_strs(a, body, "segment_ids", OPTIONAL, CAMPAIGN_MAX_SEGMENTS,
		       &out->segment_ids, &out->nsegments, e) &&
	       jr_strs(a, body, "user_ids", OPTIONAL, CAMPAIGN_MAX_USERS, &out->user_ids,
		       &out->nusers, e);
}

bool
campaign_read_edit(
	struct arena *a, const json_t *body, struct campaign_edit *out, struct err *e)
{
	*out = (struct campaign_edit){.max_webhook_lag = -1};
	return jr_str_max(body, "id", OPTIONAL, 255, &out->id, e) &&
	       jr_str_max(body, "name", OPTIONAL, 1024, &out->name, e) &&
	       jr_str_max(body, "description", OPTIONAL, 4096, &out->description, e) &&
	       jr_str(body, "sender_id", OPTIONAL, &out->sender_id, e) &&
	       read_enum(body, "sender_mode", "exclude", "include", &out->sender_mode, e) &&
	       read_enum(body, "sender_visibility", "hidden", "archived",
		       &out->sender_visibility, e) &&
	       read_object(a, body, "message_template", &out->message_template, e) &&
	       read_object(a, body, "channel_template", &out->channel_template, e) &&
	       jr_flag(body, "create_channels", &out->create_channels, e) &&
	       jr_flag(body, "show_channels", &out->show_channels, e) &&
	       jr_flag(body, "skip_push", &out->skip_push, e) &&
	       jr_flag(body, "skip_webhook", &out->skip_webhook, e) &&
	       jr_int(body, "max_webhook_lag", OPTIONAL, 0, CAMPAIGN_LAG_MAX,
		       &out->max_webhook_lag, e) &&
	       read_targets(a, body, out, e);
}
