/* campaign – stored campaigns: create, update, get, start, stop, delete. */
#include "domain/campaign.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/jscan.h"
#include "domain/bitset.h"
#include "domain/capacity.h"
#include "domain/channel.h"
#include "domain/channel_audience.h"
#include "domain/channel_type.h"
#include "domain/content.h"
#include "domain/event.h"
#include "domain/poll.h"
#include "domain/reach.h"
#include "domain/segment.h"
#include "domain/settings.h"
#include "domain/uidset.h"
#include "domain/user.h"
#include "store/db.h"

/* ---- create and update ---------------------------------------------------------------- */

/* What create and update do inside their transaction. */
struct put {
	struct arena *a;
	const struct campaign_edit *edit;
	struct str id; /* of the campaign to update */
	struct campaign *out;
};

static struct val
or_null(int64_t n)
{
	return n == 0 ? V_NULL : V_INT(n);
}

static void
merge(const struct campaign_edit *d, struct campaign *c)
{
	if (d->name.p != NULL)
		c->name = d->name;
	if (d->description.p != NULL)
		c->description = d->description;
	if (d->sender_mode.p != NULL)
		c->sender_mode = d->sender_mode;
	if (d->sender_visibility.p != NULL)
		c->sender_visibility = d->sender_visibility;
	if (d->message_template.p != NULL)
		c->message_template = d->message_template;
	if (d->channel_template.p != NULL)
		c->channel_template = d->channel_template;
	if (d->create_channels >= 0)
		c->create_channels = d->create_channels > 0;
	if (d->show_channels >= 0)
		c->show_channels = d->show_channels > 0;
	if (d->skip_push >= 0)
		c->skip_push = d->skip_push > 0;
	if (d->skip_webhook >= 0)
		c->skip_webhook = d->skip_webhook > 0;
	if (d->max_webhook_lag >= 0)
		c->max_webhook_lag = d->max_webhook_lag;
	if (d->has_segments) {
		c->segment_ids = d->segment_ids;
		c->nsegments = d->nsegments;
	}
}

static bool
check_type(struct db *db, struct str type, struct err *e)
{
	bool exists;

	if (!channel_type_exists(db, type, &exists, e))
		return false;
	if (!exists)
		return fail(e, ERR_INPUT,
			"channel_template.type: \"%.*s\" is not a channel type", STR_ARG(type));
	return true;
}

/* The merged campaign must be one that can be sent. */
static bool
check(struct db *db, struct arena *a, const struct campaign_edit *d, struct campaign *c,
	struct err *e)
{
	struct content content;
	struct user sender;
	bool has_users = d->has_users ? d->nusers > 0 : c->user_set != 0;
	bool to_channels;

	if (d->sender_id.p == NULL && c->sender == 0)
		return fail(e, ERR_INPUT, "sender_id: is required");
	if (c->message_template.p == NULL)
		return fail(e, ERR_INPUT, "message_template: is required");
	if (has_users && c->nsegments > 0)
		return fail(e, ERR_INPUT, "segment_ids: cannot be used together with user_ids");
	if (!campaign_is_to_channels(db, a, c, true, &to_channels, e))
		return false;
	/* Channels that are the audience exist. */
	if (c->create_channels && c->channel_template.p == NULL && !to_channels)
		return fail(e, ERR_INPUT,
			"channel_template: is required when create_channels is true");
	if (!content_compile(a, c->message_template, c->channel_template, &content, e) ||
		!check_type(db, content.channel_type, e))
		return false;
	if (d->sender_id.p != NULL) {
		if (!user_get(db, a, d->sender_id, &sender, e))
			return fail_in(e, "sender_id");
		c->sender = sender.uid;
	}
	/* Once in a template it may be deleted: then the messages show its id alone. */
	if (d->message_template.p != NULL && content.poll_id.p != NULL &&
		!poll_check(db, content.poll_id, 0, e))
		return fail(e, e->code, "message_template.poll_id: %s", e->msg);
	for (size_t i = 0; i < d->nusers; i++)
		if (!id_user_valid(d->user_ids[i]))
			return fail(e, ERR_INPUT, "user_ids[%zu]: \"%.*s\" is not a user id", i,
				STR_ARG(d->user_ids[i]));
	return true;
}

/* Stores the lists: segments as given, users as a set of their own. */
static bool
put_targets(struct db *w, struct put *p, struct campaign *c, struct err *e)
{
	const struct campaign_edit *d = p->edit;
	struct col ids = COL_TEXTS(c->segment_ids);
	struct bulk bulk = {&ids, 1, c->nsegments};
	int64_t *uids, added;

	if (d->has_segments && (!db_exec(w, SQL_CAMPAIGN_SEGMENTS_CLEAR, ARGS(V_INT(c->no)),
					NO_BULK, NULL, e) ||
				       !db_exec(w, SQL_CAMPAIGN_SEGMENTS_INSERT,
					       ARGS(V_INT(c->no)), &bulk, NULL, e)))
		return false;
	if (!d->has_users)
		return true;
	if (c->user_set != 0 && !uidset_clear(w, c->user_set, e))
		return false;
	if (d->nusers == 0) {
		c->user_set = 0;
		return true;
	}
	/* Set numbers are shared with segments, whose list is the set of their own number. */
	if (c->user_set == 0 && !db_take(w, COUNTER_SEGMENT, 1, &c->user_set, e))
		return false;
	uids = arena_array(p->a, d->nusers, sizeof(*uids));
	return user_mention(w, p->a, d->user_ids, d->nusers, uids, e) &&
	       uidset_add(w, p->a, c->user_set, uids, d->nusers, c->updated_at, &added, e);
}

static bool
create_tx(struct db *w, void *arg, struct err *e)
{
	struct put *p = arg;
	struct campaign *c = p->out, other;
	bool found;

	*c = (struct campaign){
		.name = STR(""),
		.description = STR(""),
		.status = STR("draft"),
		.sender_mode = STR(""),
		.sender_visibility = STR(""),
		.deleted_at = NO_TIME,
		.scheduled_for = NO_TIME,
		.stop_at = NO_TIME,
		.started_at = NO_TIME,
		.completed_at = NO_TIME,
	};
	merge(p->edit, c);
	c->id = p->id;
	c->created_at = c->updated_at = clock_now_us();
	if (!campaign_find(w, p->a, c->id, &other, &found, e))
		return false;
	if (found)
		return fail(
			e, ERR_INPUT, "id: campaign \"%.*s\" exists already", STR_ARG(c->id));
	if (!check(w, p->a, p->edit, c, e) || !db_take(w, COUNTER_CAMPAIGN, 1, &c->no, e) ||
		!put_targets(w, p, c, e))
		return false;
	return db_exec(w, SQL_CAMPAIGN_INSERT,
		ARGS(V_INT(c->no), V_TEXT(c->id), V_TEXT(c->name), V_TEXT(c->description),
			V_INT(c->sender), V_TEXT(c->sender_mode), V_TEXT(c->sender_visibility),
			V_INT(c->create_channels), V_INT(c->show_channels), V_INT(c->skip_push),
			V_INT(c->skip_webhook), V_TEXT(c->message_template),
			V_TEXT(c->channel_template), V_INT(c->user_set), V_INT(c->created_at),
			or_null(c->max_webhook_lag)),
		NO_BULK, NULL, e);
}

bool
campaign_create(struct db *db, struct arena *a, const struct campaign_edit *edit,
	struct campaign *out, struct err *e)
{
	struct put p = {a, edit, edit->id, out};
	char uuid[ID_UUID_LEN];

	if (p.id.n == 0) {
		id_uuid4(uuid);
		p.id = arena_dup(a, (struct str){uuid, sizeof(uuid)});
	}
	return db_write(db, create_tx, &p, e);
}

static bool
update_tx(struct db *w, void *arg, struct err *e)
{
	struct put *p = arg;
	struct campaign *c = p->out;
	int64_t changed;

	if (!campaign_get(w, p->a, p->id, c, e))
		return false;
	if (!campaign_is(c, "draft") && !campaign_is(c, "scheduled"))
		return fail(e, ERR_INPUT,
			"campaign \"%.*s\" is %.*s; only a draft or scheduled one can be "
			"changed",
			STR_ARG(c->id), STR_ARG(c->status));
	merge(p->edit, c);
	c->updated_at = clock_now_us();
	if (!check(w, p->a, p->edit, c, e) || !put_targets(w, p, c, e))
		return false;
	return db_exec(w, SQL_CAMPAIGN_REPLACE,
		ARGS(V_INT(c->no), V_TEXT(c->name), V_TEXT(c->description), V_INT(c->sender),
			V_TEXT(c->sender_mode), V_TEXT(c->sender_visibility),
			V_INT(c->create_channels), V_INT(c->show_channels), V_INT(c->skip_push),
			V_INT(c->skip_webhook), V_TEXT(c->message_template),
			V_TEXT(c->channel_template), V_INT(c->user_set), V_INT(c->updated_at),
			or_null(c->max_webhook_lag)),
		NO_BULK, &changed, e);
}

bool
campaign_update(struct db *db, struct arena *a, struct str id, const struct campaign_edit *edit,
	struct campaign *out, struct err *e)
{
	struct put p = {a, edit, id, out};

	return db_write(db, update_tx, &p, e);
}

/* ---- start, stop, delete --------------------------------------------------------------- */

struct move {
	struct arena *a;
	struct str id;
	const struct campaign_start *start;
	struct campaign *out;
};

static bool
check_start(
	const struct campaign *c, const struct campaign_start *s, int64_t begins, struct err *e)
{
	if (!campaign_is(c, "draft"))
		return fail(e, ERR_INPUT,
			"campaign \"%.*s\" is %.*s; a campaign is started once, from draft",
			STR_ARG(c->id), STR_ARG(c->status));
	if (c->nsegments == 0 && c->user_set == 0)
		return fail(
			e, ERR_INPUT, "segment_ids: give segment_ids or user_ids before start");
	if (s->stop_at != NO_TIME && s->stop_at <= begins)
		return fail(e, ERR_INPUT, "stop_at: must lie after the start");
	return true;
}

static bool
count_users(struct db *db, struct arena *a, const struct campaign *c, int64_t *n, struct err *e)
{
	struct bitset audience;
	bool ok;

	bitset_init(&audience);
	ok = campaign_audience(db, a, c, &audience, e);
	*n = bitset_count(&audience);
	bitset_fini(&audience);
	return ok;
}

static bool
count_channels(
	struct db *db, struct arena *a, const struct campaign *c, int64_t *n, struct err *e)
{
	struct channel_audience audience;
	bool ok;

	channel_audience_init(&audience);
	ok = channel_audience_load(db, a, c, &audience, e);
	*n = audience.channels.n;
	channel_audience_fini(&audience);
	return ok;
}

/* Outside the transaction, which others wait for; whoever is not a draft is not counted, and
 * refused by the transaction. */
static bool
count_audience(struct db *db, const struct move *m, int64_t *n, struct err *e)
{
	struct campaign c;
	bool to_channels;

	*n = 0;
	if (!campaign_get(db, m->a, m->id, &c, e))
		return false;
	if (!campaign_is(&c, "draft"))
		return true;
	return campaign_is_to_channels(db, m->a, &c, false, &to_channels, e) &&
	       (to_channels ? count_channels : count_users)(db, m->a, &c, n, e);
}

/* A type of the app's own may have been deleted since the campaign was made. */
static bool
check_type_still(struct db *w, struct arena *a, const struct campaign *c, struct err *e)
{
	struct str type = STR_NONE;

	if (c->channel_template.p != NULL)
		type = jscan_text(a, jscan_member(c->channel_template, STR("type")));
	return type.p == NULL || check_type(w, type, e);
}

static bool
tell(struct db *w, enum event_kind kind, int64_t no, int64_t now, struct err *e)
{
	struct event ev = {.kind = kind, .at = now, .object = no};

	return event_add(w, &ev, 1, e);
}

static bool
start_tx(struct db *w, void *arg, struct err *e)
{
	struct move *m = arg;
	struct campaign *c = m->out;
	struct capacity *capacity = m->start->capacity;
	int64_t now = clock_now_us(), changed, begins = now;
	bool to_channels;

	if (!campaign_get(w, m->a, m->id, c, e))
		return false;
	if (m->start->scheduled_for != NO_TIME && m->start->scheduled_for > now)
		begins = m->start->scheduled_for;
	if (!check_start(c, m->start, begins, e) || !check_type_still(w, m->a, c, e) ||
		!campaign_is_to_channels(w, m->a, c, false, &to_channels, e))
		return false;
	c->status = begins > now ? STR("scheduled") : STR("in_progress");
	c->scheduled_for = m->start->scheduled_for;
	c->stop_at = m->start->stop_at;
	if (m->start->max_webhook_lag >= 0)
		c->max_webhook_lag = m->start->max_webhook_lag;
	c->started_at = begins > now ? NO_TIME : now;
	c->updated_at = now;
	if (capacity != NULL &&
		(!capacity_load(w, now, capacity, e) || !capacity_take(capacity, e)))
		return false;
	if (!db_exec(w, SQL_CAMPAIGN_START,
		    ARGS(V_INT(c->no), V_TEXT(c->status), V_TIME(c->scheduled_for),
			    V_TIME(c->stop_at), V_TIME(c->started_at), V_INT(now),
			    V_INT(capacity != NULL ? capacity->audience : 0),
			    or_null(c->max_webhook_lag)),
		    NO_BULK, &changed, e))
		return false;
	if (changed != 1)
		return fail(e, ERR_STALE, "campaign moved on");
	return begins > now || tell(w, EVENT_CAMPAIGN_STARTED, c->no, now, e);
}

bool
campaign_start(struct db *db, struct arena *a, struct str id,
	const struct campaign_start *start, struct campaign *out, struct err *e)
{
	struct move m = {a, id, start, out};

	if (start->capacity != NULL && !count_audience(db, &m, &start->capacity->audience, e))
		return false;
	return db_write(db, start_tx, &m, e);
}

static bool
stop_tx(struct db *w, void *arg, struct err *e)
{
	struct move *m = arg;
	struct campaign *c = m->out;
	int64_t now = clock_now_us(), changed;

	if (!campaign_get(w, m->a, m->id, c, e))
		return false;
	if (campaign_is(c, "draft"))
		return fail(e, ERR_INPUT, "campaign \"%.*s\" is a draft; it was not started",
			STR_ARG(c->id));
	if (!db_exec(
		    w, SQL_CAMPAIGN_STOP, ARGS(V_INT(c->no), V_INT(now)), NO_BULK, &changed, e))
		return false;
	/* Anew: batches, even the last, may have been committed until this had its turn. */
	return campaign_get(w, m->a, m->id, c, e) &&
	       (changed == 0 || tell(w, EVENT_CAMPAIGN_STOPPED, c->no, now, e));
}

bool
campaign_stop(
	struct db *db, struct arena *a, struct str id, struct campaign *out, struct err *e)
{
	struct move m = {a, id, NULL, out};

	return db_write(db, stop_tx, &m, e);
}

static bool
delete_tx(struct db *w, void *arg, struct err *e)
{
	struct move *m = arg;
	struct campaign c;
	int64_t changed;

	if (!campaign_get(w, m->a, m->id, &c, e))
		return false;
	if (!db_exec(w, SQL_CAMPAIGN_DELETE, ARGS(V_INT(c.no), V_INT(clock_now_us())), NO_BULK,
		    &changed, e))
		return false;
	return changed == 1 ||
	       fail(e, ERR_INPUT, "campaign \"%.*s\" is in_progress; stop it first",
		       STR_ARG(m->id));
}

bool
campaign_delete(struct db *db, struct arena *a, struct str id, struct err *e)
{
	struct move m = {.a = a, .id = id};

	return db_write(db, delete_tx, &m, e);
}

/* ---- for the engine -------------------------------------------------------------------- */

struct due {
	int64_t now, late_us, *moved;
};

/* Changes the campaigns that a statement finds, and notes what is to be told of them. */
static bool
move_due(struct db *w, const struct due *d, enum sql_id sql, struct args args,
	enum event_kind kind, struct buf *told, struct err *e)
{
	struct rows r;

	if (!db_query(w, sql, args, NO_BULK, &r, e))
		return false;
	while (rows_next(&r)) {
		struct event ev = {.kind = kind, .at = d->now, .object = row_int(&r, 0)};

		buf_add(told, &ev, sizeof(ev));
	}
	return rows_end(&r, e);
}

static bool
due_tx(struct db *w, void *arg, struct err *e)
{
	struct due *d = arg;
	struct args now = ARGS(V_INT(d->now));
	struct args late = ARGS(V_INT(d->now), V_INT(d->now - d->late_us));
	struct buf told;
	bool ok;

	buf_init(&told, NULL, 4 * sizeof(struct event));
	/* Stops first: what is due for both never starts. */
	ok = move_due(w, d, SQL_CAMPAIGN_DUE_STOP, now, EVENT_CAMPAIGN_STOPPED, &told, e) &&
	     (d->late_us <= 0 || move_due(w, d, SQL_CAMPAIGN_DUE_MISSED, late,
					 EVENT_CAMPAIGN_STOPPED, &told, e)) &&
	     move_due(w, d, SQL_CAMPAIGN_DUE_START, now, EVENT_CAMPAIGN_STARTED, &told, e);
	*d->moved = (int64_t)(told.n / sizeof(struct event));
	ok = ok && event_add(w, (struct event *)(void *)told.p, (size_t)*d->moved, e);
	buf_free(&told);
	return ok;
}

static bool
next_due(struct db *db, int64_t *next, struct err *e)
{
	struct rows r;

	if (!db_query(db, SQL_CAMPAIGN_NEXT_DUE, NO_ARGS, NO_BULK, &r, e))
		return false;
	*next = rows_next(&r) ? row_time(&r, 0) : NO_TIME;
	return rows_end(&r, e);
}

bool
campaign_due(struct db *db, int64_t now, int64_t late_us, int64_t *moved, int64_t *next,
	struct err *e)
{
	struct due d = {now, late_us, moved};

	*moved = 0;
	if (!next_due(db, next, e))
		return false;
	if (*next == NO_TIME || *next > now)
		return true;
	return db_write(db, due_tx, &d, e) && next_due(db, next, e);
}

bool
campaign_unplanned(struct db *db, int64_t *no, bool *found, struct err *e)
{
	int64_t now;

	return db_now(db, &now, e) &&
	       db_get_int(db, SQL_CAMPAIGN_UNPLANNED, ARGS(V_INT(now)), no, found, e);
}

bool
campaign_awaits_plan(struct db *db, int64_t no, bool *out, struct err *e)
{
	return db_get_int(db, SQL_CAMPAIGN_AWAITS_PLAN, ARGS(V_INT(no)), &no, out, e);
}

bool
campaign_fix_team(
	struct db *w, struct arena *a, int64_t no, const struct content *content, struct err *e)
{
	struct str team = STR_NONE;
	bool on;

	if (!content->has_team)
		return true;
	if (!settings_multi_tenant(w, a, &on, e))
		return false;
	if (on)
		team = content->channel_team != NULL ? STR("") : content->constant_team;
	return db_exec(
		w, SQL_CAMPAIGN_SET_TEAM, ARGS(V_INT(no), V_TEXT(team)), NO_BULK, NULL, e);
}

struct audience {
	struct arena *a;
	const struct campaign *c;
	struct bitset *out;
};

static bool
audience_read(struct db *db, void *arg, struct err *e)
{
	struct audience *q = arg;

	if (q->c->user_set != 0 && !bitset_load(q->out, db, q->c->user_set, e))
		return false;
	for (size_t i = 0; i < q->c->nsegments; i++) {
		struct segment segment;

		if (!segment_get(db, q->a, q->c->segment_ids[i], &segment, e)) {
			/* A segment deleted meanwhile has no targets (api.md §2.5.4). */
			if (e->code != ERR_NOT_FOUND)
				return false;
			continue;
		}
		if (!segment_load(db, q->a, &segment, q->out, e))
			return false;
	}
	return true;
}

bool
campaign_audience(struct db *db, struct arena *a, const struct campaign *c, struct bitset *out,
	struct err *e)
{
	struct audience q = {a, c, out};

	return db_read(db, audience_read, &q, e);
}
