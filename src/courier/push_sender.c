/* push_sender – providers made ready for use: their keys read, their templates compiled. */
#include <jansson.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crypt.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/sign.h"
#include "courier/push_impl.h"
#include "domain/push_event.h"
#include "domain/push_provider.h"
#include "domain/settings.h"

#define FCM_HOST     "https://fcm.googleapis.com"
#define FCM_TOKENS   "https://oauth2.googleapis.com/token"
#define APNS_HOST    "https://api.push.apple.com"
#define APNS_SANDBOX "https://api.sandbox.push.apple.com"

/* Where settings of a provider stand: the names differ between named ones and the app's. */
struct source {
	const json_t *settings;
	bool is_app;
};

/* ---- reading --------------------------------------------------------------------------- */

static struct str
text(struct arena *a, const json_t *obj, const char *name)
{
	const json_t *v = json_object_get(obj, name);

	return json_is_string(v) && json_string_length(v) > 0 ? arena_dup(a, jr_text(v))
							      : STR_NONE;
}

/* The setting ${name} of a provider, which is ${app_name} in the app's settings. */
static struct str
setting(struct arena *a, const struct source *s, const char *name, const char *app_name)
{
	return text(a, s->settings, s->is_app ? app_name : name);
}

static struct str
host(struct arena *a, struct str said, const char *standard)
{
	struct str s = said.p != NULL ? said : str_of(standard);
	bool has_scheme = str_starts(s, STR("https://")) || str_starts(s, STR("http://"));

	while (str_ends(s, STR("/")))
		s.n--;
	return has_scheme ? s : arena_printf(a, "https://%.*s", STR_ARG(s));
}

/* What no longer compiles, or never did, is as if it were not there. */
static const struct push_template *
compile(struct arena *a, struct str source)
{
	const struct push_template *t;
	struct err ignored;

	return source.p != NULL && push_template_compile(a, source, "template", &t, &ignored)
		       ? t
		       : NULL;
}

/* What becomes part of an URL or a header. */
static bool
is_plain(struct str s)
{
	for (size_t i = 0; s.p != NULL && i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("/?#%\\", s.p[i]) != NULL)
			return false;
	return true;
}

static void
free_key(void *key)
{
	sign_key_free(key);
}

/* ${what} is of no use. */
static void
give_up(struct arena *a, struct push_sender *s, const char *what, const struct err *e)
{
	if (s->trouble.p == NULL)
		s->trouble = arena_printf(a, "%s: %s", what, e->msg);
}

static void
read_key(struct arena *a, struct push_sender *s, enum sign_alg alg, struct str pem,
	const char *what)
{
	struct err e;

	if (sign_key_read(&s->key, alg, pem, &e))
		arena_defer(a, free_key, s->key);
	else
		give_up(a, s, what, &e);
}

/* ---- the services ---------------------------------------------------------------------- */

static void
read_firebase(struct arena *a, const struct source *from, struct push_sender *s)
{
	struct str credentials = setting(a, from, "firebase_credentials", "credentials_json");
	json_t *account = NULL;
	struct err e;

	s->host = host(a, text(a, from->settings, "firebase_host"), FCM_HOST);
	s->data = compile(a, setting(a, from, "firebase_data_template", "data_template"));
	s->notification = compile(
		a, setting(a, from, "firebase_notification_template", "notification_template"));
	s->apn = compile(a, setting(a, from, "firebase_apn_template", "apn_template"));
	crypt_sha256(credentials, s->credentials);
	if (!jr_parse(a, credentials, &account, &e) || !json_is_object(account)) {
		s->trouble = STR("there is no service account");
		return;
	}
	s->project = text(a, account, "project_id");
	s->email = text(a, account, "client_email");
	s->key_id = text(a, account, "private_key_id");
	s->token_uri = text(a, account, "token_uri");
	if (s->token_uri.p == NULL)
		s->token_uri = STR(FCM_TOKENS);
	if (s->project.p == NULL || s->email.p == NULL)
		s->trouble = STR("the service account lacks project_id or client_email");
	if (!is_plain(s->project))
		s->trouble = STR("project_id is none");
	read_key(a, s, SIGN_RS256, text(a, account, "private_key"), "private_key");
}

static void
read_certificate(struct arena *a, struct push_sender *s, struct str p12)
{
	struct str bytes;
	struct err e;

	if (!crypt_base64_read(a, p12, &bytes)) {
		fail(&e, ERR_INPUT, "it is not base64");
		give_up(a, s, "p12_cert", &e);
	} else if (!sign_read_p12(a, bytes, &s->cert, &s->cert_key, &e)) {
		give_up(a, s, "p12_cert", &e);
	}
}

static void
read_apn(struct arena *a, const struct source *from, struct push_sender *s)
{
	struct str auth_type = setting(a, from, "apn_auth_type", "auth_type");
	struct str p12 = setting(a, from, "apn_p12_cert", "p12_cert");
	struct str pem = setting(a, from, "apn_auth_key", "auth_key");
	bool is_sandbox = json_is_true(json_object_get(
		from->settings, from->is_app ? "development" : "apn_development"));

	s->host = host(
		a, setting(a, from, "apn_host", "host"), is_sandbox ? APNS_SANDBOX : APNS_HOST);
	s->topic = setting(a, from, "apn_topic", "bundle_id");
	s->key_id = setting(a, from, "apn_key_id", "key_id");
	s->team = setting(a, from, "apn_team_id", "team_id");
	s->apn = compile(
		a, setting(a, from, "apn_notification_template", "notification_template"));
	crypt_sha256(arena_printf(a, "%.*s\n%.*s\n%.*s", STR_ARG(s->key_id), STR_ARG(s->team),
			     STR_ARG(pem)),
		s->credentials);
	if (s->topic.p == NULL)
		s->trouble = STR("there is no topic (bundle id)");
	if (!is_plain(s->topic))
		s->trouble = STR("the topic (bundle id) is none");
	if (str_is(auth_type, "certificate") || (auth_type.p == NULL && pem.p == NULL)) {
		read_certificate(a, s, p12);
		return;
	}
	if (s->key_id.p == NULL || s->team.p == NULL)
		s->trouble = STR("a token needs key_id and team_id");
	read_key(a, s, SIGN_ES256, pem, "auth_key");
}

/* ---- all of them ----------------------------------------------------------------------- */

/* What the provider of a route was set to; the app's own is of its settings. */
static bool
find_source(struct arena *a, const struct push_sender *s, const json_t *settings,
	const struct push_provider *providers, size_t n, struct source *out, struct err *e)
{
	json_t *tree = NULL;

	out->is_app = s->name.p == NULL;
	out->settings = settings_of(
		settings, s->service == PUSH_APN ? "apn_config" : "firebase_config");
	for (size_t i = 0; i < n && !out->is_app; i++) {
		if (!str_eq(providers[i].type, s->type) || !str_eq(providers[i].name, s->name))
			continue;
		if (!jr_parse(a, providers[i].settings, &tree, e))
			return false;
		out->settings = tree;
	}
	return true;
}

/* "type:name" */
static void
read_ident(struct arena *a, struct str ident, struct push_sender *out)
{
	size_t colon = str_find(ident, ':', 0);

	out->ident = arena_dup(a, ident);
	out->type = str_sub(out->ident, 0, colon);
	out->service = str_is(out->type, "apn") ? PUSH_APN : PUSH_FIREBASE;
	if (colon + 1 < ident.n)
		out->name = str_sub(out->ident, colon + 1, ident.n - colon - 1);
}

bool
push_senders_load(struct db *db, struct arena *a, const json_t *settings,
	const struct out_route *routes, size_t n, struct push_sender **out, struct err *e)
{
	struct push_provider *providers;
	struct push_event *events;
	size_t nproviders, nevents;

	if (!push_provider_list(db, a, &providers, &nproviders, e) ||
		!push_event_list(db, a, &events, &nevents, e))
		return false;
	*out = arena_zalloc(a, (n + 1) * sizeof(**out));
	for (size_t i = 0; i < n; i++) {
		struct push_sender *s = &(*out)[i];
		const struct push_event *ev;
		struct source from;

		read_ident(a, routes[i].ident, s);
		if (!find_source(a, s, settings, providers, nproviders, &from, e))
			return false;
		if (s->service == PUSH_APN)
			read_apn(a, &from, s);
		else
			read_firebase(a, &from, s);
		ev = push_event_for(events, nevents, s->type, s->name, STR(PUSH_EVENT));
		s->whole = ev != NULL ? compile(a, ev->template) : NULL;
	}
	return true;
}

/* ---- tokens ---------------------------------------------------------------------------- */

bool
push_token_set(struct push_token *t, struct str text, int64_t made_us, int64_t until_us)
{
	if (text.n == 0 || text.n > PUSH_TOKEN_MAX)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] > '~')
			return false;
	*t = (struct push_token){.n = text.n, .made_us = made_us, .until_us = until_us};
	memcpy(t->bytes, text.p, text.n);
	return true;
}

void
push_senders_inherit(struct push_sender *to, size_t n, const struct push_sender *from, size_t m)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < m; k++)
			if (str_eq(to[i].ident, from[k].ident) &&
				crypt_equal(to[i].credentials, from[k].credentials,
					sizeof(to[i].credentials)))
				to[i].token = from[k].token;
}
