/* pushes – the endpoints of push templates and preferences, and of trying both out (api.md
 * §6.9).
 */
#include <stdio.h>

#include "api/chat_read.h"
#include "api/req.h"
#include "base/clock.h"
#include "courier/push.h"
#include "domain/channel.h"
#include "domain/device.h"
#include "domain/message.h"
#include "domain/push_event.h"
#include "domain/push_preference.h"
#include "domain/push_provider.h"
#include "domain/user.h"

#define EXTRA_MAX 2048 /* bytes of what a preference says besides */

/* ---- templates ------------------------------------------------------------------------- */

static void
write_template(struct req *r, const struct push_event *ev)
{
	struct str type = ev->provider_type, name = ev->provider_name;

	jw_obj(&r->w);
	jw_kstr(&r->w, "event_type", ev->event_type);
	jw_kbool(&r->w, "enable_push", ev->enabled);
	if (ev->template.p != NULL)
		jw_kstr(&r->w, "template", ev->template);
	jw_kstr(&r->w, "push_provider_type", type);
	if (name.n > 0)
		jw_kstr(&r->w, "push_provider_name", name);
	jw_kstr(&r->w, "push_provider_internal_id",
		arena_printf(r->arena, "%.*s:%.*s", STR_ARG(type), STR_ARG(name)));
	req_ktime(r, "created_at", ev->created_at);
	req_ktime(r, "updated_at", ev->updated_at);
	jw_end_obj(&r->w);
}

static bool
put_template(struct req *r, struct err *e)
{
	struct push_event ev;
	json_t *body;

	if (!req_body(r, &body, e) || !push_event_put(r->db, r->arena, body, &ev, e))
		return false;
	jw_name(&r->w, STR("template"));
	write_template(r, &ev);
	return true;
}

static bool
list_templates(struct req *r, struct err *e)
{
	struct str type = req_query(r, "push_provider_type");
	struct str name = req_query(r, "push_provider_name");
	struct push_event *list;
	size_t n;

	if ((type.p != NULL && !push_type_check("push_provider_type", type, e)) ||
		!push_event_list(r->db, r->arena, &list, &n, e))
		return false;
	jw_karr(&r->w, "templates");
	for (size_t i = 0; i < n; i++)
		if ((type.p == NULL || str_eq(type, list[i].provider_type)) &&
			(name.p == NULL || str_eq(name, list[i].provider_name)))
			write_template(r, &list[i]);
	jw_end_arr(&r->w);
	return true;
}

/* ---- preferences ----------------------------------------------------------------------- */

struct preferences {
	struct push_preference_edit *edits;
	struct str *user_ids;
	struct str *cids; /* p == NULL: of all channels */
	size_t n;
};

/* A member of ${obj} that is one of some words; kept in ${extra}. */
static bool
read_word(const json_t *obj, const char *name, const char *const words[], size_t n,
	json_t *extra, struct err *e)
{
	struct str said = STR_NONE;

	if (!jr_str(obj, name, OPTIONAL, &said, e))
		return false;
	if (said.p == NULL)
		return true;
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(said, str_of(words[i])))
			continue;
		json_object_set_new(extra, name, json_stringn(said.p, said.n));
		return true;
	}
	said = str_clip(said, 64);
	return fail(e, ERR_INPUT, "%s: expected \"all\", \"none\"%s, got \"%.*s\"", name,
		n > 2 ? " or \"default\"" : "", STR_ARG(said));
}

static bool
read_finer(const json_t *obj, json_t *extra, struct err *e)
{
	static const char *const names[] = {"default_preference", "direct_mentions",
		"channel_mentions", "group_mentions", "here_mentions", "role_mentions",
		"thread_replies", "distinct_channel_messages"};
	static const char *const words[] = {"all", "none"};
	json_t *said = NULL, *kept;

	if (!jr_obj(obj, "chat_preferences", OPTIONAL, &said, e))
		return false;
	if (said == NULL)
		return true;
	kept = json_object();
	json_object_set_new(extra, "chat_preferences", kept);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!read_word(said, names[i], words, ARRAY_LEN(words), kept, e))
			return fail_in(e, "chat_preferences");
	return true;
}

static bool
read_extra(struct req *r, const json_t *obj, struct str *out, struct err *e)
{
	static const char *const words[] = {"all", "none", "default"};
	json_t *extra = jr_own(r->arena, json_object()), *feeds = NULL;

	if (!read_word(obj, "call_level", words, ARRAY_LEN(words), extra, e) ||
		!read_word(obj, "feeds_level", words, ARRAY_LEN(words), extra, e) ||
		!read_finer(obj, extra, e) ||
		!jr_obj(obj, "feeds_preferences", OPTIONAL, &feeds, e))
		return false;
	if (feeds != NULL)
		json_object_set(extra, "feeds_preferences", feeds);
	if (json_object_size(extra) == 0)
		return true;
	*out = jr_dump(r->arena, extra);
	return out->n <= EXTRA_MAX ||
	       fail(e, ERR_INPUT, "feeds_preferences: larger than %d bytes", EXTRA_MAX);
}

static bool
read_level(const json_t *obj, struct push_preference_edit *out, struct err *e)
{
	struct str said = STR_NONE;

	if (!jr_str(obj, "chat_level", OPTIONAL, &said, e))
		return false;
	out->has_level = said.p != NULL;
	if (said.p == NULL || push_level_read(said, &out->level))
		return true;
	said = str_clip(said, 64);
	return fail(e, ERR_INPUT,
		"chat_level: expected \"all\", \"mentions\", \"direct_mentions\", "
		"\"all_mentions\", \"none\" or \"default\", got \"%.*s\"",
		STR_ARG(said));
}

/* Until when it is silent; remove_disable ends that. */
static bool
read_until(const json_t *obj, struct push_preference_edit *out, struct err *e)
{
	bool removes = false;

	out->disabled_until = NO_TIME;
	if (!jr_time(obj, "disabled_until", OPTIONAL, &out->disabled_until, e) ||
		!jr_bool(obj, "remove_disable", OPTIONAL, &removes, e))
		return false;
	if (removes && out->disabled_until != NO_TIME)
		return fail(e, ERR_INPUT,
			"remove_disable: true contradicts disabled_until, which is set");
	out->has_until = removes || out->disabled_until != NO_TIME;
	return true;
}

static bool
read_one(struct req *r, const json_t *obj, struct preferences *p, struct err *e)
{
	struct push_preference_edit *edit = &p->edits[p->n];
	struct str *cid = &p->cids[p->n], *user = &p->user_ids[p->n];

	*edit = (struct push_preference_edit){0};
	*cid = STR_NONE;
	*user = r->user_id;
	if (!json_is_object(obj))
		return fail(e, ERR_INPUT, "expected an object, got %s", jr_type_name(obj));
	if (user->p == NULL && !jr_str(obj, "user_id", REQUIRED, user, e))
		return false;
	if (!jr_str(obj, "channel_cid", OPTIONAL, cid, e) || !read_level(obj, edit, e) ||
		!read_until(obj, edit, e) || !read_extra(r, obj, &edit->extra, e))
		return false;
	if (cid->n == 0)
		*cid = STR_NONE;
	p->n++;
	return true;
}

static bool
read_preferences(struct req *r, const json_t *list, struct preferences *out, struct err *e)
{
	size_t n = json_array_size(list);

	*out = (struct preferences){
		.edits = arena_array(r->arena, n + 1, sizeof(*out->edits)),
		.user_ids = arena_array(r->arena, n + 1, sizeof(*out->user_ids)),
		.cids = arena_array(r->arena, n + 1, sizeof(*out->cids)),
	};
	for (size_t i = 0; i < n; i++) {
		char where[40];

		if (read_one(r, json_array_get(list, i), out, e))
			continue;
		snprintf(where, sizeof(where), "preferences[%zu]", i);
		return json_is_object(json_array_get(list, i))
			       ? fail_in(e, where)
			       : fail(e, e->code, "%s: %s", where, e->msg);
	}
	return true;
}

static bool
resolve_users(struct req *r, struct preferences *p, struct err *e)
{
	int64_t *uids = arena_array(r->arena, p->n + 1, sizeof(*uids));
	struct user *users;

	if (!user_resolve(r->db, r->arena, p->user_ids, p->n, uids, e) ||
		!user_by_uids(r->db, r->arena, uids, p->n, &users, e))
		return false;
	for (size_t i = 0; i < p->n; i++) {
		struct str shown = str_clip(p->user_ids[i], 64);

		if (users[i].uid == 0 || !user_is_live(&users[i]))
			return fail(e, ERR_NOT_FOUND,
				"preferences[%zu].user_id: user with id %.*s doesn't exist", i,
				STR_ARG(shown));
		p->edits[i].uid = uids[i];
	}
	return true;
}

static bool
resolve_channels(struct req *r, struct preferences *p, struct err *e)
{
	struct str *cids = arena_array(r->arena, p->n + 1, sizeof(*cids));
	size_t *whose = arena_array(r->arena, p->n + 1, sizeof(*whose)), n = 0;
	struct channel *channels = arena_array(r->arena, p->n + 1, sizeof(*channels));

	for (size_t i = 0; i < p->n; i++)
		if (p->cids[i].p != NULL) {
			whose[n] = i;
			cids[n++] = p->cids[i];
		}
	if (!chat_find_cids(r, cids, n, channels, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		struct str shown = str_clip(cids[i], 64);

		if (channels[i].no == 0 || channels[i].deleted_at != NO_TIME)
			return fail(e, ERR_NOT_FOUND,
				"preferences[%zu].channel_cid: channel with cid %.*s doesn't "
				"exist",
				whose[i], STR_ARG(shown));
		p->edits[whose[i]].channel = channels[i].no;
	}
	return true;
}

static void
write_preference(struct req *r, const struct push_preference *p)
{
	struct str level = push_level_word(p->level);

	jw_obj(&r->w);
	if (level.p != NULL)
		jw_kstr(&r->w, "chat_level", level);
	req_ktime_opt(r, "disabled_until", p->disabled_until);
	if (p->extra.p != NULL)
		jw_members(&r->w, p->extra);
	jw_end_obj(&r->w);
}

/* What became of the last one of a user and channel counts for all of them. */
static bool
is_last(const struct preferences *p, size_t i)
{
	for (size_t k = i + 1; k < p->n; k++)
		if (p->edits[k].uid == p->edits[i].uid &&
			p->edits[k].channel == p->edits[i].channel)
			return false;
	return true;
}

static void
write_channels(struct req *r, const struct preferences *p, const struct push_preference *now,
	size_t first)
{
	jw_key(&r->w, p->user_ids[first]);
	jw_obj(&r->w);
	for (size_t i = first; i < p->n; i++) {
		if (p->cids[i].p == NULL || p->edits[i].uid != p->edits[first].uid ||
			!is_last(p, i))
			continue;
		jw_key(&r->w, p->cids[i]);
		write_preference(r, &now[i]);
	}
	jw_end_obj(&r->w);
}

static void
write_preferences(struct req *r, const struct preferences *p, const struct push_preference *now)
{
	jw_kobj(&r->w, "user_preferences");
	for (size_t i = 0; i < p->n; i++) {
		if (p->cids[i].p != NULL || !is_last(p, i))
			continue;
		jw_key(&r->w, p->user_ids[i]);
		write_preference(r, &now[i]);
	}
	jw_end_obj(&r->w);
	jw_kobj(&r->w, "user_channel_preferences");
	for (size_t i = 0; i < p->n; i++) {
		bool is_first = p->cids[i].p != NULL;

		for (size_t k = 0; k < i && is_first; k++)
			is_first = p->cids[k].p == NULL || p->edits[k].uid != p->edits[i].uid;
		if (is_first)
			write_channels(r, p, now, i);
	}
	jw_end_obj(&r->w);
}

static bool
put_preferences(struct req *r, struct err *e)
{
	struct push_preference *now;
	struct preferences p;
	json_t *body, *list;

	if (!req_body(r, &body, e) ||
		!jr_arr(body, "preferences", REQUIRED, PUSH_PREFERENCES_MAX, &list, e) ||
		!read_preferences(r, list, &p, e) || !resolve_users(r, &p, e) ||
		!resolve_channels(r, &p, e))
		return false;
	now = arena_array(r->arena, p.n + 1, sizeof(*now));
	if (!push_preference_change(r->db, r->arena, p.edits, p.n, now, e))
		return false;
	write_preferences(r, &p, now);
	return true;
}

/* ---- trying it out --------------------------------------------------------------------- */

struct check {
	struct user user;
	struct message message;
	bool skips_devices;
	struct push_question question;
	struct push_answer *answers;
	size_t nanswers;
	struct device *devices;
	size_t ndevices;
};

static bool
read_template(
	struct req *r, const json_t *body, const char *name, struct str *out, struct err *e)
{
	if (!jr_str(body, name, OPTIONAL, out, e))
		return false;
	if (out->n == 0)
		*out = STR_NONE;
	return out->p == NULL || push_event_check_template(r->arena, *out, name, e);
}

static bool
read_check(struct req *r, const json_t *body, struct check *c, struct err *e)
{
	struct push_question *q = &c->question;
	struct str user = STR_NONE, message = STR_NONE, event = STR("message.new");

	if (!req_acting_user(r, body, &user, e) ||
		!jr_str(body, "message_id", OPTIONAL, &message, e) ||
		!jr_str(body, "event_type", OPTIONAL, &event, e) ||
		!jr_bool(body, "skip_devices", OPTIONAL, &c->skips_devices, e) ||
		!jr_str(body, "push_provider_type", OPTIONAL, &q->type, e) ||
		!jr_str(body, "push_provider_name", OPTIONAL, &q->name, e) ||
		(q->type.p != NULL && !push_type_check("push_provider_type", q->type, e)) ||
		!read_template(r, body, "apn_template", &q->apn_template, e) ||
		!read_template(r, body, "firebase_template", &q->firebase_template, e) ||
		!read_template(
			r, body, "firebase_data_template", &q->firebase_data_template, e))
		return false;
	if (user.n == 0)
		return fail(e, ERR_INPUT,
			"user_id: is required when using server side authentication");
	if (!str_is(event, "message.new"))
		return fail(e, ERR_INPUT, "event_type: expected \"message.new\", got \"%.*s\"",
			STR_ARG(str_clip(event, 64)));
	if (!user_get(r->db, r->arena, user, &c->user, e))
		return false;
	q->receiver = &c->user;
	if (message.n == 0)
		return true;
	q->message = &c->message;
	return message_get(r->db, r->arena, r->ctx->app, message, &c->message, e);
}

static bool
serves(const struct push_answer *a, const struct device *d)
{
	return str_eq(a->type, d->provider) &&
	       (d->provider_name.p == NULL || str_eq(a->name, d->provider_name));
}

/* Devices that the providers in question do not have to serve do not matter. */
static bool
is_asked_about(const struct check *c, const struct device *d)
{
	const struct push_question *q = &c->question;

	return d->disabled_at == NO_TIME && !d->voip &&
	       (q->type.p == NULL || str_eq(q->type, d->provider)) &&
	       (q->name.p == NULL || d->provider_name.p == NULL ||
		       str_eq(q->name, d->provider_name));
}

static bool
find_devices(struct req *r, struct check *c, struct err *e)
{
	size_t n = 0;

	if (c->skips_devices)
		return true;
	if (!device_list(r->db, r->arena, c->user.uid, &c->devices, &c->ndevices, e))
		return false;
	for (size_t i = 0; i < c->ndevices; i++)
		if (is_asked_about(c, &c->devices[i]))
			c->devices[n++] = c->devices[i];
	c->ndevices = n;
	return n > 0 || fail(e, ERR_INPUT, "User has no enabled devices associated");
}

/* p == NULL: nothing is wrong with it. */
static struct str
trouble_of(const struct check *c, const struct device *d)
{
	struct str trouble = STR("no push provider serves it");

	for (size_t i = 0; i < c->nanswers; i++) {
		if (!serves(&c->answers[i], d))
			continue;
		if (c->answers[i].trouble.p == NULL)
			return STR_NONE;
		trouble = c->answers[i].trouble;
	}
	return trouble;
}

static void
write_device_errors(struct req *r, const struct check *c)
{
	jw_kobj(&r->w, "device_errors");
	for (size_t i = 0; i < c->ndevices; i++) {
		const struct device *d = &c->devices[i];
		struct str trouble = trouble_of(c, d);

		if (trouble.p == NULL)
			continue;
		jw_key(&r->w, d->id);
		jw_obj(&r->w);
		jw_kstr(&r->w, "provider", d->provider);
		jw_kstr(&r->w, "provider_name",
			d->provider_name.p != NULL ? d->provider_name : STR(""));
		jw_kstr(&r->w, "error_message", trouble);
		jw_end_obj(&r->w);
	}
	jw_end_obj(&r->w);
}

static void
write_general_errors(struct req *r, const struct check *c)
{
	jw_karr(&r->w, "general_errors");
	if (c->nanswers == 0)
		jw_str(&r->w, STR("there is no such push provider"));
	for (size_t i = 0; i < c->nanswers; i++) {
		const struct push_answer *a = &c->answers[i];

		if (a->trouble.p != NULL)
			jw_str(&r->w, arena_printf(r->arena, "%.*s provider \"%.*s\": %.*s",
					      STR_ARG(a->type), STR_ARG(a->name),
					      STR_ARG(a->trouble)));
	}
	jw_end_arr(&r->w);
}

static void
write_body(struct req *r, const struct check *c, const char *type, const char *key)
{
	for (size_t i = 0; i < c->nanswers; i++)
		if (str_eq(c->answers[i].type, str_of(type))) {
			jw_kstr(&r->w, key, c->answers[i].body);
			return;
		}
}

static bool
check_push(struct req *r, struct err *e)
{
	struct check c = {0};
	json_t *body;

	if (!req_body(r, &body, e) || !read_check(r, body, &c, e) || !find_devices(r, &c, e) ||
		!push_preview(r->db, r->arena, &c.question, &c.answers, &c.nanswers, e))
		return false;
	jw_kstr(&r->w, "event_type", STR("message.new"));
	jw_kbool(&r->w, "skip_devices", c.skips_devices);
	write_body(r, &c, "apn", "rendered_apn_template");
	write_body(r, &c, "firebase", "rendered_firebase_template");
	write_general_errors(r, &c);
	write_device_errors(r, &c);
	return true;
}

static const struct route routes[] = {
	{"POST", "/push_templates", "UpsertPushTemplate", put_template, ROUTE_COMMON,
		BODY_SMALL, "switch the push of an event on or off, or say it otherwise"},
	{"GET", "/push_templates", "GetPushTemplates", list_templates, ROUTE_COMMON, BODY_NONE,
		"list the push templates"},
	{"POST", "/push_preferences", "UpdatePushNotificationPreferences", put_preferences,
		ROUTE_COMMON | ROUTE_CLIENT, BODY_SMALL, "say what users want pushed"},
	{"POST", "/check_push", "CheckPush", check_push, ROUTE_COMMON, BODY_SMALL,
		"see what a push to a user would say, and what is wrong with it"},
};

const struct route_group routes_pushes = {routes, ARRAY_LEN(routes)};
