/* push_event – rows of push_templates. */
#include "domain/push_event.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/push_provider.h"
#include "domain/push_route.h"
#include "domain/push_template.h"
#include "store/db.h"

static const char *const event_types[] = {
	"message.new", "message.updated", "reaction.new", "notification.reminder_due"};

/* ---- templates ------------------------------------------------------------------------- */

/* Values as they may be when a message comes. */
static const struct push_var samples[] = {
	{"event_type", STR_INIT("\"message.new\"")},
	{"sender", STR_INIT("{\"id\":\"ann\",\"name\":\"Ann\"}")},
	{"receiver", STR_INIT("{\"id\":\"bob\",\"name\":\"Bob\"}")},
	{"message", STR_INIT("{\"id\":\"m1\",\"text\":\"Hello\",\"type\":\"regular\"}")},
	{"channel",
		STR_INIT("{\"id\":\"c1\",\"type\":\"messaging\",\"cid\":\"messaging:c1\"}")},
	{"members", STR_INIT("[{\"id\":\"ann\",\"name\":\"Ann\"},{\"id\":\"bob\"}]")},
	{"otherMembers", STR_INIT("[{\"id\":\"ann\",\"name\":\"Ann\"}]")},
	{"unread_count", STR_INIT("1")},
	{"unread_channels", STR_INIT("1")},
	{"isThread", STR_INIT("false")},
	{"isMentioned", STR_INIT("false")},
};

static bool
gives_object(
	struct arena *a, const struct push_template *t, const struct push_var *vars, size_t n)
{
	json_t *tree = NULL;
	struct err ignored;
	struct buf out;

	buf_init(&out, a, 1024);
	return push_template_render(t, a, vars, n, &out) &&
	       jr_parse(a, buf_view(&out), &tree, &ignored) && json_is_object(tree);
}

bool
push_event_check_template(struct arena *a, struct str text, const char *field, struct err *e)
{
	const struct push_template *t;

	if (!push_template_compile(a, text, field, &t, e))
		return false;
	/* All values there, and none of them: both ways through most conditions. */
	return (gives_object(a, t, samples, ARRAY_LEN(samples)) &&
		       gives_object(a, t, NULL, 0)) ||
	       fail(e, ERR_INPUT, "%s: what it gives is no JSON object", field);
}

/* ---- changes --------------------------------------------------------------------------- */

struct put {
	struct arena *arena;
	const json_t *body;
	struct push_event *out;
};

static void
from_row(struct rows *r, struct arena *a, struct push_event *out)
{
	*out = (struct push_event){
		.provider_type = arena_dup(a, row_str(r, 0)),
		.provider_name = arena_dup(a, row_str(r, 1)),
		.event_type = arena_dup(a, row_str(r, 2)),
		.enabled = row_int(r, 3) != 0,
		.template = row_null(r, 4) ? STR_NONE : arena_dup(a, row_str(r, 4)),
		.created_at = row_time(r, 5),
		.updated_at = row_time(r, 6),
	};
}

/* What is stored; ${out} has the names and is left as it is when there is nothing. */
static bool
load(struct db *w, struct arena *a, struct push_event *out, struct err *e)
{
	struct rows r;

	if (!db_query(w, SQL_PUSH_EVENT_GET,
		    ARGS(V_TEXT(out->provider_type), V_TEXT(out->provider_name),
			    V_TEXT(out->event_type)),
		    NO_BULK, &r, e))
		return false;
	if (rows_next(&r))
		from_row(&r, a, out);
	return rows_end(&r, e);
}

static bool
check_provider(struct db *w, const struct push_event *ev, struct err *e)
{
	struct str shown = str_clip(ev->provider_name, 64);
	bool exists;

	if (ev->provider_name.n == 0)
		return true;
	if (!push_provider_exists(w, ev->provider_type, ev->provider_name, &exists, e))
		return false;
	return exists || fail(e, ERR_INPUT,
				 "push_provider_name: there is no %.*s provider named \"%.*s\"",
				 STR_ARG(ev->provider_type), STR_ARG(shown));
}

static bool
put_in(struct db *w, void *arg, struct err *e)
{
	struct put *p = arg;
	struct push_event *ev = p->out;
	int64_t now = clock_now_us();

	ev->created_at = now;
	ev->enabled = str_is(ev->event_type, "message.new");
	if (!check_provider(w, ev, e) || !load(w, p->arena, ev, e) ||
		!jr_bool(p->body, "enable_push", OPTIONAL, &ev->enabled, e) ||
		!jr_str(p->body, "template", OPTIONAL, &ev->template, e))
		return false;
	if (ev->template.n == 0)
		ev->template = STR_NONE;
	ev->updated_at = now;
	return db_exec(w, SQL_PUSH_EVENT_PUT,
		       ARGS(V_TEXT(ev->provider_type), V_TEXT(ev->provider_name),
			       V_TEXT(ev->event_type), V_INT(ev->enabled), V_TEXT(ev->template),
			       V_TIME(now)),
		       NO_BULK, NULL, e) &&
	       push_routes_make(w, p->arena, e);
}

static bool
read_names(const json_t *body, struct push_event *out, struct err *e)
{
	struct str shown;

	out->provider_name = STR("");
	if (!jr_str(body, "event_type", REQUIRED, &out->event_type, e) ||
		!jr_str(body, "push_provider_type", REQUIRED, &out->provider_type, e) ||
		!push_type_check("push_provider_type", out->provider_type, e) ||
		!jr_str(body, "push_provider_name", OPTIONAL, &out->provider_name, e))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(event_types); i++)
		if (str_eq(out->event_type, str_of(event_types[i])))
			return true;
	shown = str_clip(out->event_type, 64);
	return fail(e, ERR_INPUT,
		"event_type: expected \"message.new\", \"message.updated\", \"reaction.new\" "
		"or "
		"\"notification.reminder_due\", got \"%.*s\"",
		STR_ARG(shown));
}

bool
push_event_put(struct db *db, struct arena *a, const json_t *body, struct push_event *out,
	struct err *e)
{
	struct put p = {a, body, out};
	struct str template = STR_NONE;
	bool ignored;

	*out = (struct push_event){0};
	if (!read_names(body, out, e) || !jr_bool(body, "enable_push", OPTIONAL, &ignored, e) ||
		!jr_str(body, "template", OPTIONAL, &template, e) ||
		(template.n > 0 && !push_event_check_template(a, template, "template", e)))
		return false;
	return db_write(db, put_in, &p, e);
}

/* ---- lists ----------------------------------------------------------------------------- */

bool
push_event_list(
	struct db *db, struct arena *a, struct push_event **out, size_t *n, struct err *e)
{
	struct push_event *list = arena_array(a, PUSH_EVENTS_MAX, sizeof(*list));
	struct rows r;

	*out = list;
	*n = 0;
	if (!db_query(db, SQL_PUSH_EVENT_LIST, ARGS(V_INT(PUSH_EVENTS_MAX)), NO_BULK, &r, e))
		return false;
	while (*n < PUSH_EVENTS_MAX && rows_next(&r))
		from_row(&r, a, &list[(*n)++]);
	return rows_end(&r, e);
}

const struct push_event *
push_event_for(const struct push_event *list, size_t n, struct str type, struct str name,
	struct str event_type)
{
	const struct push_event *found = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct push_event *ev = &list[i];

		if (!str_eq(ev->provider_type, type) || !str_eq(ev->event_type, event_type))
			continue;
		if (name.n > 0 && str_eq(ev->provider_name, name))
			return ev;
		if (ev->provider_name.n == 0)
			found = ev;
	}
	return found;
}
