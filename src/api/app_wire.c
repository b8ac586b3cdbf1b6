/* app_wire – AppResponseFields (api.md §6.8). */
#include "api/app_wire.h"

#include "api/req.h"
#include "base/clock.h"
#include "domain/hook.h"
#include "domain/settings.h"
#include "domain/shape.h"

#define APP_ID 1 /* as app_pk elsewhere: a server has one app */

static struct str
text_of(const json_t *object, const char *name, const char *unset)
{
	const json_t *v = settings_of(object, name);

	return v != NULL ? jr_text(v) : str_of(unset);
}

static void
write_text(struct req *r, const json_t *object, const char *name, const char *unset)
{
	jw_kstr(&r->w, name, text_of(object, name, unset));
}

static void
write_bool(struct req *r, const json_t *object, const char *name)
{
	jw_kbool(&r->w, name, json_is_true(json_object_get(object, name)));
}

/* A value as it was set, or the JSON ${unset}. */
static void
write_json(struct req *r, const json_t *object, const char *name, const char *unset)
{
	const json_t *v = settings_of(object, name);

	jw_name(&r->w, str_of(name));
	if (v != NULL)
		jr_write(&r->w, v);
	else
		jw_raw(&r->w, str_of(unset));
}

static void
write_upload(struct req *r, const json_t *all, const char *name)
{
	static const char *const lists[] = {"allowed_file_extensions", "allowed_mime_types",
		"blocked_file_extensions", "blocked_mime_types"};
	const json_t *config = settings_of(all, name);

	jw_kobj(&r->w, name);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		write_json(r, config, lists[i], "[]");
	write_json(r, config, "size_limit", "0");
	jw_end_obj(&r->w);
}

/* ---- push -------------------------------------------------------------------------------- */

/* Whether messages can be pushed with it: a key is there, and it was not switched off. */
static bool
is_enabled(const json_t *config, const char *key, const char *other_key)
{
	return !json_is_true(json_object_get(config, "disabled")) &&
	       (text_of(config, key, "").n > 0 || text_of(config, other_key, "").n > 0);
}

static void
write_switched_off(struct req *r, const char *name)
{
	jw_kobj(&r->w, name);
	jw_kbool(&r->w, "enabled", false);
	jw_end_obj(&r->w);
}

static void
write_push(struct req *r, const json_t *all)
{
	static const char *const of_apn[] = {
		"auth_type", "bundle_id", "host", "key_id", "team_id", "notification_template"};
	static const char *const of_firebase[] = {
		"notification_template", "data_template", "apn_template"};
	const json_t *push = settings_of(all, "push_config");
	const json_t *apn = settings_of(all, "apn_config");
	const json_t *firebase = settings_of(all, "firebase_config");

	jw_kobj(&r->w, "push_notifications");
	write_text(r, push, "version", "v2");
	write_bool(r, push, "offline_only");
	jw_kobj(&r->w, "apn");
	jw_kbool(&r->w, "enabled", is_enabled(apn, "auth_key", "p12_cert"));
	write_bool(r, apn, "development");
	for (size_t i = 0; i < ARRAY_LEN(of_apn); i++)
		write_text(r, apn, of_apn[i], "");
	jw_end_obj(&r->w);
	jw_kobj(&r->w, "firebase");
	jw_kbool(&r->w, "enabled", is_enabled(firebase, "credentials_json", "server_key"));
	for (size_t i = 0; i < ARRAY_LEN(of_firebase); i++)
		write_text(r, firebase, of_firebase[i], "");
	jw_end_obj(&r->w);
	write_switched_off(r, "huawei");
	write_switched_off(r, "xiaomi");
	jw_karr(&r->w, "providers");
	jw_end_arr(&r->w);
	jw_end_obj(&r->w);
}

/* ---- hooks ------------------------------------------------------------------------------- */

static void
write_hook(struct req *r, const json_t *hook)
{
	static const char *const times[] = {"created_at", "updated_at"};
	size_t n;
	const struct shape *shape = hook_shape(&n);

	jw_obj(&r->w);
	shape_write(&r->w, hook, shape, n);
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		req_ktime(r, times[i], json_integer_value(json_object_get(hook, times[i])));
	jw_end_obj(&r->w);
}

static void
write_hooks(struct req *r, const json_t *all)
{
	const json_t *hooks = settings_of(all, "event_hooks");

	jw_karr(&r->w, "event_hooks");
	for (size_t i = 0; i < json_array_size(hooks); i++)
		write_hook(r, json_array_get(hooks, i));
	jw_end_arr(&r->w);
	jw_kbool(&r->w, "use_hook_v2", json_array_size(hooks) > 0);
	write_text(r, all, "webhook_url", "");
	write_json(r, all, "webhook_events", "[]");
	write_text(r, all, "before_message_send_hook_url", "");
	if (settings_of(all, "before_message_send_hook_attempt_timeout_ms") != NULL)
		write_json(r, all, "before_message_send_hook_attempt_timeout_ms", "0");
	write_text(r, all, "custom_action_handler_url", "");
	write_bool(r, all, "enable_hook_payload_compression");
	/* Where they lead to is told, what opens them is not. */
	write_text(r, all, "sqs_url", "");
	jw_kstr(&r->w, "sqs_key", STR(""));
	jw_kstr(&r->w, "sqs_secret", STR(""));
	write_text(r, all, "sns_topic_arn", "");
	jw_kstr(&r->w, "sns_key", STR(""));
	jw_kstr(&r->w, "sns_secret", STR(""));
}

/* ---- the app ----------------------------------------------------------------------------- */

/* What the types of the SDKs want to be there, and this server does not do. */
static void
write_constants(struct req *r)
{
	static const char *const off[] = {"allow_multi_user_devices", "feed_audit_logs_enabled",
		"guest_user_creation_disabled", "image_moderation_enabled",
		"member_custom_on_messages_enabled", "moderation_audio_call_moderation_enabled",
		"moderation_enabled", "moderation_llm_configurability_enabled",
		"moderation_multitenant_blocklist_enabled",
		"moderation_video_call_moderation_enabled", "suspended",
		"user_response_time_enabled"};
	static const char *const numbers[] = {
		"cdn_expiration_seconds", "max_aggregated_activities_length"};
	static const char *const texts[] = {
		"organization", "placement", "suspended_explanation", "moderation_webhook_url"};
	static const char *const objects[] = {"call_types", "channel_configs", "policies"};

	for (size_t i = 0; i < ARRAY_LEN(off); i++)
		jw_kbool(&r->w, off[i], false);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		jw_ki64(&r->w, numbers[i], 0);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		jw_kstr(&r->w, texts[i], STR(""));
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		jw_kraw(&r->w, objects[i], STR("{}"));
	jw_kraw(&r->w, "user_search_disallowed_roles", STR("[]"));
	jw_kbool(&r->w, "campaign_enabled", true);
	jw_kbool(&r->w, "poll_enabled", true);
}

void
app_wire_client(struct req *r, const struct settings *s)
{
	jw_ki64(&r->w, "id", APP_ID);
	jw_kstr(&r->w, "name", STR("Fanfare"));
	jw_kbool(&r->w, "async_url_enrich_enabled", false);
	jw_kbool(&r->w, "auto_translation_enabled", false);
	write_upload(r, s->all, "file_upload_config");
	write_upload(r, s->all, "image_upload_config");
}

void
app_wire(struct req *r, const struct settings *s)
{
	app_wire_client(r, s);
	write_constants(r);
	write_bool(r, s->all, "multi_tenant_enabled");
	write_bool(r, s->all, "disable_auth_checks");
	write_bool(r, s->all, "disable_permissions_checks");
	write_text(r, s->all, "enforce_unique_usernames", "no");
	write_text(r, s->all, "permission_version", "v2");
	write_json(r, s->all, "grants", "{}");
	write_json(r, s->all, "reminders_interval", "0");
	req_ktime_opt(r, "revoke_tokens_issued_before", s->revoked_before);
	write_hooks(r, s->all);
	write_push(r, s->all);
}
