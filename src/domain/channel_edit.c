/* channel_edit – channels as they are changed, cut off, deleted. */
#include "domain/channel_edit.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/channel.h"
#include "domain/event.h"
#include "domain/oblivion.h"
#include "domain/patch.h"
#include "domain/task.h"
#include "store/db.h"

#define MAX_TEAM 1000
#define MAX_TAG  255

/* Fields of a channel that a patch handles by themselves, and those it must not touch. */
static const char *const own_names[] = {
	"frozen", "disabled", "team", "filter_tags", "cooldown"};
static const char *const reserved_names[] = {"frozen", "disabled", "team", "filter_tags",
	"cooldown", "id", "type", "cid", "members", "created_by", "created_by_id", "created_at",
	"updated_at", "deleted_at", "last_message_at", "member_count", "message_count",
	"own_capabilities", "config", "config_overrides", "hidden", "muted", "blocked",
	"truncated_at", "truncated_by", "invites", "auto_translation_enabled",
	"auto_translation_language"};

/* The channel as it is now; its custom data is what was stored of its own. */
static bool
reload(struct db *w, struct arena *a, const struct channel *c, struct channel *out,
	struct err *e)
{
	bool found;

	if (!channel_by_no(w, a, c->no, out, &found, e))
		return false;
	if (!found || out->deleted_at != NO_TIME)
		return fail(e, ERR_NOT_FOUND, "channel with cid %.*s doesn't exist",
			STR_ARG(c->cid));
	return true;
}

static bool
store(struct db *w, struct arena *a, struct channel *c, struct err *e)
{
	/* Not NULL, which would mean that of the campaign. */
	struct str team = c->team.p ? c->team : STR("");

	c->updated_at = clock_now_us();
	return db_exec(w, SQL_CHANNEL_REPLACE,
		ARGS(V_INT(c->no), V_TEXT(team), V_TEXT(c->custom),
			c->frozen ? V_INT(1) : V_NULL, c->disabled ? V_INT(1) : V_NULL,
			V_TEXT(channel_extra(a, c->filter_tags, c->cooldown)),
			V_INT(c->updated_at)),
		NO_BULK, NULL, e);
}

/* What became of the channel, for those who hear of it. */
static bool
tell(struct db *w, enum event_kind kind, const struct channel *c, int64_t by, struct err *e)
{
	struct event ev = {.kind = kind, .at = clock_now_us(), .channel = c->no, .uid = by};

	return event_add(w, &ev, 1, e);
}

/* ---- tags -------------------------------------------------------------------------------- */

static bool
has_tag(const json_t *list, struct str tag)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (str_eq(jr_text(v), tag))
			return true;
	}
	return false;
}

bool
channel_check_tags(struct arena *a, const json_t *list, struct str *out, struct err *e)
{
	const json_t *v;
	size_t i;

	if (json_array_size(list) > CHANNEL_MAX_TAGS)
		return fail(e, ERR_INPUT, "filter_tags: more than %d", CHANNEL_MAX_TAGS);
	json_array_foreach(list, i, v)
	{
		if (!json_is_string(v) || jr_text(v).n == 0 || jr_text(v).n > MAX_TAG)
			return fail(e, ERR_INPUT,
				"filter_tags[%zu]: expected a text of 1 to %d bytes", i,
				MAX_TAG);
	}
	*out = json_array_size(list) > 0 ? jr_dump(a, list) : STR_NONE;
	return true;
}

static bool
edit_tags(struct arena *a, const struct channel_edit *ed, struct str *tags, struct err *e)
{
	json_t *list = NULL, *kept = jr_own(a, json_array());

	if (ed->nadd_tags + ed->nremove_tags == 0)
		return true;
	if (!jr_parse(a, tags->p ? *tags : STR("[]"), &list, e))
		return false;
	for (size_t i = 0; i < ed->nadd_tags; i++)
		if (!has_tag(list, ed->add_tags[i]))
			json_array_append_new(
				list, json_stringn(ed->add_tags[i].p, ed->add_tags[i].n));
	for (size_t i = 0; i < json_array_size(list); i++) {
		bool gone = false;

		for (size_t k = 0; k < ed->nremove_tags && !gone; k++)
			gone = str_eq(jr_text(json_array_get(list, i)), ed->remove_tags[k]);
		if (!gone)
			json_array_append(kept, json_array_get(list, i));
	}
	return channel_check_tags(a, kept, tags, e);
}

/* ---- update ------------------------------------------------------------------------------ */

struct updating {
	struct arena *arena;
	const struct channel *channel;
	const struct channel_edit *edit;
	const struct patch *patch;
	int64_t by; /* of the patch */
	struct channel *out;
};

/* Else only its members change, which is told by itself. */
static bool
changes_channel(const struct channel_edit *ed)
{
	const struct membership_edit *m = &ed->members;

	return ed->has_data || ed->has_cooldown || ed->nadd_tags + ed->nremove_tags > 0 ||
	       (m->nadd + m->nremove + m->nroles == 0 && m->accept == 0 && m->reject == 0);
}

static bool
update_in(struct db *w, void *arg, struct err *e)
{
	const struct updating *u = arg;
	const struct channel_edit *ed = u->edit;
	struct channel *c = u->out;

	if (!reload(w, u->arena, u->channel, c, e) ||
		!edit_tags(u->arena, ed, &c->filter_tags, e))
		return false;
	/* Not NULL, which would mean that of the campaign. */
	if (ed->has_data)
		c->custom = ed->custom.p ? ed->custom : STR("{}");
	if (ed->has_team)
		c->team = ed->team;
	if (ed->frozen >= 0)
		c->frozen = ed->frozen > 0;
	if (ed->disabled >= 0)
		c->disabled = ed->disabled > 0;
	if (ed->has_cooldown)
		c->cooldown = ed->cooldown;
	/* What tells of it comes last (domain/event.h). */
	return store(w, u->arena, c, e) && membership_change(w, u->arena, c, &ed->members, e) &&
	       (!changes_channel(ed) || tell(w, EVENT_CHANNEL_UPDATED, c, ed->by, e));
}

bool
channel_update(struct db *db, struct arena *a, const struct channel *c,
	const struct channel_edit *edit, struct channel *out, struct err *e)
{
	struct updating u = {.arena = a, .channel = c, .edit = edit, .out = out};

	return db_write(db, update_in, &u, e);
}

static bool
patch_flag(const struct patch *p, const char *name, bool *flag, struct err *e)
{
	json_t *value;

	if (!patch_touches(p, name, &value))
		return true;
	*flag = json_is_true(value);
	if (value != NULL && !json_is_boolean(value))
		return fail(e, ERR_INPUT, "set.%s: expected a boolean, got %s", name,
			jr_type_name(value));
	return true;
}

static bool
patch_fields(struct arena *a, const struct patch *p, struct channel *c, struct err *e)
{
	json_t *value;

	if (!patch_flag(p, "frozen", &c->frozen, e) ||
		!patch_flag(p, "disabled", &c->disabled, e))
		return false;
	if (patch_touches(p, "team", &value)) {
		c->team = STR_NONE;
		if (!jr_str_max(p->set, "team", OPTIONAL, MAX_TEAM, &c->team, e))
			return fail_in(e, "set");
		if (c->team.n == 0)
			c->team = STR_NONE;
	}
	if (patch_touches(p, "cooldown", &value)) {
		c->cooldown = 0;
		if (!jr_int(p->set, "cooldown", OPTIONAL, 0, CHANNEL_MAX_COOLDOWN, &c->cooldown,
			    e))
			return fail_in(e, "set");
	}
	if (!patch_touches(p, "filter_tags", &value))
		return true;
	c->filter_tags = STR_NONE;
	if (value != NULL && !json_is_array(value))
		return fail(e, ERR_INPUT, "set.filter_tags: expected an array, got %s",
			jr_type_name(value));
	return channel_check_tags(a, value, &c->filter_tags, e) || fail_in(e, "set");
}

static bool
patch_in(struct db *w, void *arg, struct err *e)
{
	const struct updating *u = arg;
	struct channel *c = u->out;

	/* Paths go into what the channel shows, be it of its campaign. */
	return reload(w, u->arena, u->channel, c, e) &&
	       channel_complete(w, u->arena, c, 1, e) &&
	       patch_fields(u->arena, u->patch, c, e) &&
	       patch_custom(u->arena, u->patch, c->custom, own_names, ARRAY_LEN(own_names),
		       reserved_names, ARRAY_LEN(reserved_names), CHANNEL_CUSTOM_MAX,
		       &c->custom, e) &&
	       store(w, u->arena, c, e) && tell(w, EVENT_CHANNEL_UPDATED, c, u->by, e);
}

bool
channel_patch(struct db *db, struct arena *a, const struct channel *c, const struct patch *p,
	int64_t by, struct channel *out, struct err *e)
{
	struct updating u = {.arena = a, .channel = c, .patch = p, .by = by, .out = out};

	return db_write(db, patch_in, &u, e);
}

/* ---- truncation ---------------------------------------------------------------------------
 */

struct cutting {
	struct arena *arena;
	const struct channel *channel;
	const struct channel_cut *cut;
	struct channel *out;
};

static bool
truncate_in(struct db *w, void *arg, struct err *e)
{
	const struct cutting *t = arg;
	const struct channel_cut *cut = t->cut;
	struct channel *c = t->out;
	int64_t now = clock_now_us(), last, at;

	if (!reload(w, t->arena, t->channel, c, e) || !channel_last_message_at(w, c, &last, e))
		return false;
	/* Clocks can step back: all that is there is cut off.  What comes later never is. */
	at = MAX_OF(now, last);
	if (cut->at != NO_TIME)
		at = MIN_OF(at, cut->at);
	if (cut->nuids > 0)
		return membership_clear(w, t->arena, c, cut->uids, cut->nuids, at, e);
	c->truncated_at = MAX_OF(c->truncated_at, at);
	c->updated_at = now;
	return db_exec(w, SQL_CHANNEL_TRUNCATE,
		       ARGS(V_INT(c->no), V_INT(c->truncated_at), V_INT(now)), NO_BULK, NULL,
		       e) &&
	       (!cut->hard || oblivion_add(w, &c->no, 1, c->truncated_at, e)) &&
	       tell(w, EVENT_CHANNEL_TRUNCATED, c, cut->by, e);
}

bool
channel_truncate(struct db *db, struct arena *a, const struct channel *c,
	const struct channel_cut *cut, struct channel *out, struct err *e)
{
	struct cutting t = {a, c, cut, out};

	return db_write(db, truncate_in, &t, e);
}

/* ---- deletion ------------------------------------------------------------------------------
 */

struct deleting {
	struct arena *arena;
	const struct channel_deletion *deletion;
	struct task_work done;
	struct str *task;
};

static bool
tell_deleted(struct db *w, const struct deleting *g, int64_t now, struct err *e)
{
	const struct channel_deletion *d = g->deletion;
	struct event *events = arena_array(g->arena, d->n + 1, sizeof(*events));

	for (size_t i = 0; i < d->n; i++)
		events[i] = (struct event){.kind = EVENT_CHANNEL_DELETED,
			.at = now,
			.channel = d->nos[i],
			.uid = d->by};
	return event_add(w, events, d->n, e);
}

static bool
delete_in(struct db *w, void *arg, struct err *e)
{
	const struct deleting *g = arg;
	const struct channel_deletion *d = g->deletion;
	struct col cols[] = {COL_INTS(d->nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), d->n};
	int64_t now = clock_now_us();

	if (d->n > 0 && !db_exec(w, SQL_CHANNEL_DELETE, ARGS(V_INT(now)), &bulk, NULL, e))
		return false;
	if (d->n > 0 && d->hard &&
		(!db_exec(w, SQL_CHANNEL_BLANK, NO_ARGS, &bulk, NULL, e) ||
			!oblivion_add(w, d->nos, d->n, now, e)))
		return false;
	return (g->done.result.p == NULL || task_add(w, g->arena, &g->done, g->task, e)) &&
	       tell_deleted(w, g, now, e);
}

bool
channel_delete(struct db *db, struct arena *a, const struct channel_deletion *d,
	struct str result, struct str *task, struct err *e)
{
	struct deleting g = {a, d, {.result = result}, task};

	return db_write(db, delete_in, &g, e);
}
