/* push_body – payloads: the defaults of api.md §10, or what the owner's templates give. */
#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/jscan.h"
#include "base/jw.h"
#include "courier/push_impl.h"

#define NAME_MAX 100 /* characters of a name that are shown */

/* ---- texts ----------------------------------------------------------------------------- */

/* The first ${max} characters. */
static struct str
cut(struct str s, size_t max)
{
	struct str rest = s;

	while (max-- > 0 && rest.n > 0) {
		size_t n = MAX_OF(str_utf8_seq(rest), (size_t)1);

		rest = str_sub(rest, n, rest.n - n);
	}
	s.n -= rest.n;
	return s;
}

static struct str
name_of(const struct user *u)
{
	if (u == NULL)
		return STR("");
	return cut(u->name.n > 0 ? u->name : u->id, NAME_MAX);
}

/* ---- defaults -------------------------------------------------------------------------- */

static void
write_aps(struct jw *w, const struct push_scene *s, struct str title, size_t text_max)
{
	jw_kobj(w, "aps");
	jw_kobj(w, "alert");
	jw_kstr(w, "title", title);
	jw_kstr(w, "body", cut(s->message->text, text_max));
	jw_end_obj(w);
	jw_ki64(w, "badge", s->unread->messages);
	jw_kstr(w, "sound", STR("default"));
	jw_ki64(w, "mutable-content", 1);
	jw_ki64(w, "content-available", 0);
	jw_end_obj(w);
}

/* What an app needs to find the message. */
static void
write_names(struct jw *w, const struct push_scene *s)
{
	jw_kstr(w, "version", STR("v2"));
	jw_kstr(w, "sender", STR("stream.chat"));
	jw_kstr(w, "type", STR(PUSH_EVENT));
	jw_kstr(w, "id", s->message->id);
}

static void
write_data(struct jw *w, const struct push_scene *s)
{
	jw_kobj(w, "data");
	write_names(w, s);
	jw_kstr(w, "message_id", s->message->id);
	jw_kstr(w, "channel_type", s->channel->type);
	jw_kstr(w, "channel_id", s->channel->id);
	jw_kstr(w, "cid", s->channel->cid);
	jw_kstr(w, "receiver_id", s->receiver->id);
	jw_end_obj(w);
}

static void
write_apns(struct jw *w, const struct push_scene *s, size_t text_max)
{
	write_aps(w, s, STR("You have a new message"), text_max);
	jw_kobj(w, "stream");
	write_names(w, s);
	jw_kstr(w, "cid", s->channel->cid);
	jw_kstr(w, "receiver_id", s->receiver->id);
	jw_end_obj(w);
}

/* ---- templates ------------------------------------------------------------------------- */

/* What a template gives for one receiver, once for all his devices; p == NULL: nothing that
 * can be sent. */
static struct str
render(struct arena *a, const struct push_template *t, const struct push_var *vars, size_t n)
{
	json_t *tree = NULL;
	struct err ignored;
	struct buf out;

	if (t == NULL)
		return STR_NONE;
	buf_init(&out, a, 1024);
	if (!push_template_render(t, a, vars, n, &out) ||
		!jr_parse(a, buf_view(&out), &tree, &ignored) || !json_is_object(tree))
		return STR_NONE;
	return buf_view(&out);
}

/* Firebase takes texts only. */
static void
write_texts(struct arena *a, struct jw *w, struct str object)
{
	struct jscan_value v;
	struct str key;
	size_t at = 0;

	jw_kobj(w, "data");
	while (jscan_next_member(object, &at, &key, &v)) {
		struct buf plain;

		buf_init(&plain, a, key.n + 1);
		jscan_unescape(&plain, (struct str){key.p - 1, key.n + 2});
		jw_key(w, buf_view(&plain));
		if (v.type == JSCAN_STRING)
			jw_raw(w, v.raw);
		else
			jw_str(w, v.type == JSCAN_NULL ? STR("") : v.raw);
	}
	jw_end_obj(w);
}

/* The parts of a message to Firebase as the owner's templates have them. */
struct parts {
	struct str whole, data, notification, apn;
};

/* A whole message of the owner's: the token is ours to say. */
static void
write_whole(struct arena *a, struct jw *w, struct str whole)
{
	struct jscan_value v;
	struct str key;
	size_t at = 0;

	while (jscan_next_member(whole, &at, &key, &v)) {
		if (str_is(key, "token") || str_is(key, "topic") || str_is(key, "condition"))
			continue;
		if (str_is(key, "data") && v.type == JSCAN_OBJECT) {
			write_texts(a, w, v.raw);
			continue;
		}
		jw_key(w, key);
		jw_raw(w, v.raw);
	}
}

static void
write_fcm(struct arena *a, struct jw *w, const struct push_scene *s, const struct parts *p,
	struct str device, size_t text_max)
{
	struct str name = name_of(s->sender);

	jw_kobj(w, "message");
	jw_kstr(w, "token", device);
	if (p->whole.p != NULL) {
		write_whole(a, w, p->whole);
		jw_end_obj(w);
		return;
	}
	if (p->data.p != NULL)
		write_texts(a, w, p->data);
	else
		write_data(w, s);
	if (p->notification.p != NULL)
		jw_kraw(w, "notification", p->notification);
	jw_kobj(w, "android");
	jw_kstr(w, "priority", STR("high"));
	jw_end_obj(w);
	jw_kobj(w, "apns");
	if (p->apn.p != NULL) {
		jw_kraw(w, "payload", p->apn);
	} else {
		jw_kobj(w, "payload");
		write_aps(w, s, arena_printf(a, "New message from %.*s", STR_ARG(name)),
			text_max);
		jw_end_obj(w);
	}
	jw_end_obj(w);
	jw_end_obj(w);
}

/* ---- what templates see ---------------------------------------------------------------- */

/* Custom data comes last, so that none of it takes the place of what is ours. */
static void
end_object(struct jw *w, struct str custom)
{
	if (custom.p != NULL)
		jw_members(w, custom);
	jw_end_obj(w);
}

static void
write_user(struct jw *w, const struct user *u)
{
	if (u == NULL) {
		jw_obj(w);
		jw_end_obj(w);
		return;
	}
	jw_obj(w);
	jw_kstr(w, "id", u->id);
	if (u->name.p != NULL)
		jw_kstr(w, "name", u->name);
	if (u->image.p != NULL)
		jw_kstr(w, "image", u->image);
	jw_kstr(w, "role", u->role.p != NULL ? u->role : STR("user"));
	if (u->language.p != NULL)
		jw_kstr(w, "language", u->language);
	end_object(w, u->custom);
}

static void
write_message(struct jw *w, const struct push_scene *s)
{
	const struct message *m = s->message;

	jw_obj(w);
	jw_kstr(w, "id", m->id);
	jw_kstr(w, "text", m->text);
	jw_kstr(w, "type", m->type);
	jw_kraw(w, "attachments", m->attachments.p != NULL ? m->attachments : STR("[]"));
	if (m->parent_id.p != NULL)
		jw_kstr(w, "parent_id", m->parent_id);
	if (m->poll_id.p != NULL)
		jw_kstr(w, "poll_id", m->poll_id);
	jw_name(w, STR("user"));
	write_user(w, s->sender);
	end_object(w, m->custom);
}

static void
write_channel(struct jw *w, const struct channel *c)
{
	jw_obj(w);
	jw_kstr(w, "id", c->id);
	jw_kstr(w, "type", c->type);
	jw_kstr(w, "cid", c->cid);
	if (c->team.p != NULL)
		jw_kstr(w, "team", c->team);
	end_object(w, c->custom);
}

static void
write_members(struct jw *w, const struct push_scene *s, bool others_only)
{
	jw_arr(w);
	for (size_t i = 0; i < s->nmembers; i++)
		if (!others_only || s->members[i].uid != s->receiver->uid)
			write_user(w, &s->members[i]);
	jw_end_arr(w);
}

#define VARS_MAX 11

struct writing {
	struct arena *arena;
	struct buf text;
	struct jw w;
};

static struct jw *
begin(struct writing *x)
{
	buf_init(&x->text, x->arena, 512);
	jw_init(&x->w, &x->text);
	return &x->w;
}

static size_t
fill_vars(struct arena *a, const struct push_scene *s, struct push_var *out)
{
	struct writing x = {.arena = a};
	size_t n = 0;

	write_user(begin(&x), s->sender);
	out[n++] = (struct push_var){"sender", buf_view(&x.text)};
	write_user(begin(&x), s->receiver);
	out[n++] = (struct push_var){"receiver", buf_view(&x.text)};
	write_message(begin(&x), s);
	out[n++] = (struct push_var){"message", buf_view(&x.text)};
	write_channel(begin(&x), s->channel);
	out[n++] = (struct push_var){"channel", buf_view(&x.text)};
	write_members(begin(&x), s, false);
	out[n++] = (struct push_var){"members", buf_view(&x.text)};
	write_members(begin(&x), s, true);
	out[n++] = (struct push_var){"otherMembers", buf_view(&x.text)};
	jw_i64(begin(&x), s->unread->messages);
	out[n++] = (struct push_var){"unread_count", buf_view(&x.text)};
	jw_i64(begin(&x), (int64_t)s->unread->n);
	out[n++] = (struct push_var){"unread_channels", buf_view(&x.text)};
	jw_bool(begin(&x), s->is_mentioned);
	out[n++] = (struct push_var){"isMentioned", buf_view(&x.text)};
	jw_bool(begin(&x), s->message->parent_id.p != NULL);
	out[n++] = (struct push_var){"isThread", buf_view(&x.text)};
	jw_str(begin(&x), STR(PUSH_EVENT));
	out[n++] = (struct push_var){"event_type", buf_view(&x.text)};
	return n;
}

static bool
has_templates(const struct push_sender *s)
{
	return s->whole != NULL || s->data != NULL || s->notification != NULL || s->apn != NULL;
}

static bool
wants(const struct push_template *t)
{
	return t != NULL && (push_template_names(t, STR("members")) ||
				    push_template_names(t, STR("otherMembers")));
}

bool
push_wants_members(const struct push_sender *s)
{
	return wants(s->whole) || wants(s->data) || wants(s->notification) || wants(s->apn);
}

/* ---- all of it ------------------------------------------------------------------------- */

static struct str
write_all(struct arena *a, const struct push_sender *sender, const struct push_scene *s,
	const struct parts *p, struct str device, size_t text_max)
{
	struct buf out;
	struct jw w;

	buf_init(&out, a, 1024);
	jw_init(&w, &out);
	if (sender->service == PUSH_APN && (p->whole.p != NULL || p->apn.p != NULL)) {
		jw_raw(&w, p->whole.p != NULL ? p->whole : p->apn);
		return buf_view(&out);
	}
	jw_obj(&w);
	if (sender->service == PUSH_APN)
		write_apns(&w, s, text_max);
	else
		write_fcm(a, &w, s, p, device, text_max);
	jw_end_obj(&w);
	return buf_view(&out);
}

struct str
push_body(struct arena *a, const struct push_sender *sender, const struct push_scene *s,
	struct str device)
{
	struct push_var vars[VARS_MAX];
	struct parts parts = {0};
	struct str body;

	if (has_templates(sender)) {
		size_t n = fill_vars(a, s, vars);

		parts.whole = render(a, sender->whole, vars, n);
		parts.data = render(a, sender->data, vars, n);
		parts.notification = render(a, sender->notification, vars, n);
		parts.apn = render(a, sender->apn, vars, n);
		body = write_all(a, sender, s, &parts, device, PUSH_TEXT_MAX);
		if (body.n <= PUSH_BODY_MAX)
			return body;
		/* The service would refuse it: better the usual words than none. */
		parts = (struct parts){0};
	}
	body = write_all(a, sender, s, &parts, device, PUSH_TEXT_MAX);
	for (size_t max = PUSH_TEXT_MAX / 2; body.n > PUSH_BODY_MAX && max > 0; max /= 2)
		body = write_all(a, sender, s, &parts, device, max);
	return body;
}
