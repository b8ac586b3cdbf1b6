/* push_provider – named push services: stored, changed, listed. */
#include "domain/push_provider.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/push_route.h"
#include "domain/settings.h"
#include "store/db.h"

#define TEXT_MAX     16384 /* bytes of one setting */
#define SETTINGS_MAX 65536 /* of all */
/* Our own setting: what disabled it were its credentials. */
#define BARRED "barred"

static const char *const types[] = {"firebase", "apn", "huawei", "xiaomi"};

const struct push_setting push_settings[] = {
	{"description", PUSH_TEXT, false},
	{"firebase_credentials", PUSH_TEXT, true},
	{"firebase_server_key", PUSH_TEXT, true},
	{"firebase_host", PUSH_TEXT, false},
	{"firebase_data_template", PUSH_TEXT, false},
	{"firebase_apn_template", PUSH_TEXT, false},
	{"firebase_notification_template", PUSH_TEXT, false},
	{"apn_auth_key", PUSH_TEXT, true},
	{"apn_p12_cert", PUSH_TEXT, true},
	{"apn_auth_type", PUSH_TEXT, false},
	{"apn_key_id", PUSH_TEXT, false},
	{"apn_team_id", PUSH_TEXT, false},
	{"apn_topic", PUSH_TEXT, false},
	{"apn_host", PUSH_TEXT, false},
	{"apn_development", PUSH_FLAG, false},
	{"apn_notification_template", PUSH_TEXT, false},
	{"huawei_app_id", PUSH_TEXT, false},
	{"huawei_app_secret", PUSH_TEXT, true},
	{"huawei_host", PUSH_TEXT, false},
	{"xiaomi_package_name", PUSH_TEXT, false},
	{"xiaomi_app_secret", PUSH_TEXT, true},
	{"disabled_at", PUSH_TIME, false},
	{"disabled_reason", PUSH_TEXT, false},
};
const size_t push_nsettings = ARRAY_LEN(push_settings);

bool
push_type_check(const char *field, struct str type, struct err *e)
{
	struct str shown = str_clip(type, 64);

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_eq(type, str_of(types[i])))
			return true;
	return fail(e, ERR_INPUT,
		"%s: expected \"firebase\", \"apn\", \"huawei\" or \"xiaomi\", got \"%.*s\"",
		field, STR_ARG(shown));
}

/* ---- what a request says ------------------------------------------------------------- */

static bool
read_setting(const json_t *obj, const struct push_setting *s, json_t *settings, struct err *e)
{
	const json_t *said = json_object_get(obj, s->name);
	struct str text = STR_NONE;
	bool flag = false;
	int64_t at = 0;

	if (said == NULL || json_is_null(said))
		return true;
	switch (s->kind) {
	case PUSH_FLAG:
		if (!jr_bool(obj, s->name, REQUIRED, &flag, e))
			return false;
		json_object_set_new(settings, s->name, json_boolean(flag));
		return true;
	case PUSH_TIME:
		if (!jr_time(obj, s->name, REQUIRED, &at, e))
			return false;
		json_object_set_new(settings, s->name, json_integer(at));
		return true;
	default:
		if (!jr_str(obj, s->name, REQUIRED, &text, e))
			return false;
		if (text.n > TEXT_MAX)
			return fail(
				e, ERR_INPUT, "%s: longer than %d bytes", s->name, TEXT_MAX);
		if (text.n == 0)
			json_object_del(settings, s->name);
		else
			json_object_set_new(settings, s->name, json_stringn(text.p, text.n));
		return true;
	}
}

static bool
read_names(const json_t *obj, struct push_provider *out, struct err *e)
{
	size_t n;

	if (!jr_str(obj, "name", REQUIRED, &out->name, e) ||
		!jr_str(obj, "type", REQUIRED, &out->type, e) ||
		!push_type_check("type", out->type, e))
		return false;
	n = str_utf8_len(out->name);
	return (n >= 1 && n <= PUSH_NAME_MAX) ||
	       fail(e, ERR_INPUT, "name: expected 1 to %d characters, got %zu", PUSH_NAME_MAX,
		       n);
}

/* ---- credentials --------------------------------------------------------------------- */

static struct str
setting(const json_t *settings, const char *name)
{
	const json_t *v = json_object_get(settings, name);

	return json_is_string(v) ? jr_text(v) : STR_NONE;
}

/* A service account as the console of Firebase hands it out. */
static bool
is_service_account(struct arena *a, struct str text)
{
	static const char *const needs[] = {"project_id", "client_email", "private_key"};
	json_t *account = NULL;
	struct err ignored;

	if (!jr_parse(a, text, &account, &ignored) || !json_is_object(account))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(needs); i++)
		if (setting(account, needs[i]).n == 0)
			return false;
	return true;
}

/* ${n} characters of ${alphabet}; 0: at least one. */
static bool
is_made_of(struct str s, const char *alphabet, size_t n)
{
	if (s.n == 0 || (n != 0 && s.n != n))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || strchr(alphabet, s.p[i]) == NULL)
			return false;
	return true;
}

#define DIGITS  "0123456789"
#define HEX     DIGITS "abcdefABCDEF"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define BASE64  LETTERS DIGITS "+/="

/* Only what cannot be a credential at all is refused; whether it opens anything is seen when
 * it is used.  None at all is taken, but of Xiaomi, whose two always go together. */
static bool
are_plausible(struct arena *a, struct str type, const json_t *s)
{
	struct str account = setting(s, "firebase_credentials");
	struct str secret = setting(s, "huawei_app_secret"), id = setting(s, "huawei_app_id");
	struct str auth = setting(s, "apn_auth_type");

	if (str_is(type, "firebase"))
		return account.n == 0 || is_service_account(a, account);
	if (str_is(type, "apn"))
		return auth.n == 0 || str_is(auth, "token") || str_is(auth, "certificate");
	if (str_is(type, "huawei"))
		return (secret.n == 0 || is_made_of(secret, HEX, 64)) &&
		       (id.n == 0 || is_made_of(id, DIGITS, 0));
	return is_made_of(setting(s, "xiaomi_app_secret"), BASE64, 24) &&
	       is_made_of(setting(s, "xiaomi_package_name"), LETTERS DIGITS "._", 0);
}

/* ---- changes ------------------------------------------------------------------------- */

static void
from_row(struct rows *r, struct arena *a, struct push_provider *out)
{
	*out = (struct push_provider){
		.type = arena_dup(a, row_str(r, 0)),
		.name = arena_dup(a, row_str(r, 1)),
		.settings = arena_dup(a, row_str(r, 2)),
		.created_at = row_time(r, 3),
		.updated_at = row_time(r, 4),
	};
}

static bool
find(struct db *db, struct arena *a, struct str type, struct str name,
	struct push_provider *out, bool *found, struct err *e)
{
	struct rows r;

	if (!db_query(db, SQL_PUSH_PROVIDER_GET, ARGS(V_TEXT(type), V_TEXT(name)), NO_BULK, &r,
		    e))
		return false;
	*found = rows_next(&r);
	if (*found)
		from_row(&r, a, out);
	return rows_end(&r, e);
}

struct put {
	struct arena *a;
	const json_t *obj;
	struct push_provider *out;
};

/* There is room for one more. */
static bool
check_room(struct db *w, struct err *e)
{
	int64_t n = 0;
	bool found;

	if (!db_get_int(w, SQL_PUSH_PROVIDER_COUNT, NO_ARGS, &n, &found, e))
		return false;
	return n < PUSH_PROVIDERS_MAX ||
	       fail(e, ERR_INPUT, "push_provider: an app has at most %d of them",
		       PUSH_PROVIDERS_MAX);
}

static bool
names_any(const json_t *obj, bool (*is)(const struct push_setting *))
{
	for (size_t i = 0; i < push_nsettings; i++)
		if (is(&push_settings[i]) && settings_of(obj, push_settings[i].name) != NULL)
			return true;
	return false;
}

/* What a push service may have refused. */
static bool
is_credential(const struct push_setting *s)
{
	return s->is_secret || strcmp(s->name, "apn_key_id") == 0 ||
	       strcmp(s->name, "apn_team_id") == 0 || strcmp(s->name, "apn_topic") == 0 ||
	       strcmp(s->name, "apn_auth_type") == 0 || strcmp(s->name, "apn_host") == 0 ||
	       strcmp(s->name, "apn_development") == 0 || strcmp(s->name, "firebase_host") == 0;
}

static bool
is_disabling(const struct push_setting *s)
{
	return strcmp(s->name, "disabled_at") == 0 || strcmp(s->name, "disabled_reason") == 0;
}

/* What is stored with what is said over it.  Other credentials deserve another try. */
static bool
merge(struct put *p, struct str stored, struct str *out, struct err *e)
{
	json_t *settings = NULL;

	if (!jr_parse(p->a, stored, &settings, e))
		return false;
	if (names_any(p->obj, is_disabling)) {
		json_object_del(settings, BARRED);
	} else if (names_any(p->obj, is_credential)) {
		json_object_del(settings, BARRED);
		json_object_del(settings, "disabled_at");
		json_object_del(settings, "disabled_reason");
	}
	for (size_t i = 0; i < push_nsettings; i++)
		if (!read_setting(p->obj, &push_settings[i], settings, e))
			return false;
	if (!are_plausible(p->a, p->out->type, settings))
		return fail(
			e, ERR_INPUT, "%.*s credentials are invalid", STR_ARG(p->out->type));
	*out = jr_dump(p->a, settings);
	return out->n <= SETTINGS_MAX ||
	       fail(e, ERR_INPUT, "push_provider: larger than %d bytes", SETTINGS_MAX);
}

static bool
put_in(struct db *w, void *arg, struct err *e)
{
	struct put *p = arg;
	struct push_provider *out = p->out;
	int64_t now = clock_now_us();
	bool found;

	if (!find(w, p->a, out->type, out->name, out, &found, e))
		return false;
	if (!found) {
		out->settings = STR("{}");
		out->created_at = now;
		if (!check_room(w, e))
			return false;
	}
	out->updated_at = now;
	return merge(p, out->settings, &out->settings, e) &&
	       db_exec(w, SQL_PUSH_PROVIDER_PUT,
		       ARGS(V_TEXT(out->type), V_TEXT(out->name), V_TEXT(out->settings),
			       V_TIME(now)),
		       NO_BULK, NULL, e) &&
	       push_routes_make(w, p->a, e);
}

bool
push_provider_put(struct db *db, struct arena *a, const json_t *obj, struct push_provider *out,
	struct err *e)
{
	struct put p = {a, obj, out};

	*out = (struct push_provider){0};
	return read_names(obj, out, e) && db_write(db, put_in, &p, e);
}

struct removal {
	struct arena *arena;
	struct str type, name;
};

static bool
remove_in(struct db *w, void *arg, struct err *e)
{
	const struct removal *d = arg;
	struct str type = str_clip(d->type, 64), name = str_clip(d->name, 64);
	int64_t gone = 0;

	if (!db_exec(w, SQL_PUSH_PROVIDER_DELETE, ARGS(V_TEXT(d->type), V_TEXT(d->name)),
		    NO_BULK, &gone, e))
		return false;
	if (gone > 0)
		return db_exec(w, SQL_PUSH_EVENT_FORGET, ARGS(V_TEXT(d->type), V_TEXT(d->name)),
			       NO_BULK, NULL, e) &&
		       push_routes_make(w, d->arena, e);
	return fail(e, ERR_NOT_FOUND, "push provider %.*s of type %.*s doesn't exist",
		STR_ARG(name), STR_ARG(type));
}

bool
push_provider_remove(
	struct db *db, struct arena *a, struct str type, struct str name, struct err *e)
{
	struct removal d = {a, type, name};

	return db_write(db, remove_in, &d, e);
}

bool
push_provider_is_barred(const json_t *settings)
{
	return json_is_true(json_object_get(settings, BARRED));
}

bool
push_provider_disable(struct db *w, struct arena *a, struct str type, struct str name,
	struct str reason, struct err *e)
{
	struct push_provider p;
	json_t *settings = NULL;
	int64_t changed = 0;
	bool found;

	if (!find(w, a, type, name, &p, &found, e) ||
		(found && !jr_parse(a, p.settings, &settings, e)))
		return false;
	if (!found || settings_of(settings, "disabled_at") != NULL)
		return true;
	json_object_set_new(settings, BARRED, json_true());
	json_object_set_new(settings, "disabled_at", json_integer(clock_now_us()));
	json_object_set_new(settings, "disabled_reason", json_stringn(reason.p, reason.n));
	if (!db_exec(w, SQL_PUSH_PROVIDER_DISABLE,
		    ARGS(V_TEXT(type), V_TEXT(name), V_TIME(p.updated_at),
			    V_TEXT(jr_dump(a, settings))),
		    NO_BULK, &changed, e))
		return false;
	return changed == 0 || settings_touch(w, e);
}

/* ---- lists --------------------------------------------------------------------------- */

bool
push_provider_list(
	struct db *db, struct arena *a, struct push_provider **out, size_t *n, struct err *e)
{
	struct push_provider *list = arena_array(a, PUSH_PROVIDERS_MAX, sizeof(*list));
	struct rows r;

	*out = list;
	*n = 0;
	if (!db_query(db, SQL_PUSH_PROVIDER_LIST, ARGS(V_INT(PUSH_PROVIDERS_MAX)), NO_BULK, &r,
		    e))
		return false;
	while (*n < PUSH_PROVIDERS_MAX && rows_next(&r))
		from_row(&r, a, &list[(*n)++]);
	return rows_end(&r, e);
}

bool
push_provider_exists(struct db *db, struct str type, struct str name, bool *out, struct err *e)
{
	int64_t one;

	return db_get_int(
		db, SQL_PUSH_PROVIDER_EXISTS, ARGS(V_TEXT(type), V_TEXT(name)), &one, out, e);
}
