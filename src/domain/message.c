/* message – messages: reading with what follows from their campaign, and sending. */
#include "domain/message.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/jscan.h"
#include "base/jw.h"
#include "domain/app.h"
#include "domain/channel.h"
#include "domain/channel_type.h"
#include "domain/event.h"
#include "domain/oblivion.h"
#include "domain/patch.h"
#include "domain/poll.h"
#include "store/db.h"

#define MARK_CAMPAIGN STR("campaign_id")
#define MARK_CREATED  STR("created_by_campaign_id")

/* ---- what extra says ----------------------------------------------------------------- */

static struct str
raw_member(struct str json, struct str key, enum jscan_type type)
{
	struct jscan_value v = jscan_member(json, key);

	return v.type == type ? v.raw : STR_NONE;
}

static void
read_mentions(struct arena *a, struct str extra, struct message *m)
{
	struct str list = raw_member(extra, STR("mentioned"), JSCAN_ARRAY);
	struct jscan_value v;

	if (list.p == NULL)
		return;
	m->mentioned = arena_array(a, MESSAGE_MAX_MENTIONS, sizeof(*m->mentioned));
	for (size_t at = 0; m->nmentioned < MESSAGE_MAX_MENTIONS && jscan_next(list, &at, &v);)
		if (str_to_i64(v.raw, &m->mentioned[m->nmentioned]))
			m->nmentioned++;
}

/* ${custom} with the campaign's marks, which win over members of the same names. */
static struct str
mark_custom(struct arena *a, struct str campaign_id, struct str custom)
{
	struct jscan_value v;
	struct str key;
	struct buf b;
	struct jw w;

	buf_init(&b, a, custom.n + 2 * campaign_id.n + 80);
	jw_init(&w, &b);
	jw_obj(&w);
	jw_kstr(&w, "campaign_id", campaign_id);
	jw_kstr(&w, "created_by_campaign_id", campaign_id);
	for (size_t at = 0; custom.p != NULL && jscan_next_member(custom, &at, &key, &v);) {
		struct buf plain;

		buf_init(&plain, a, key.n + 1);
		jscan_unescape(&plain, (struct str){key.p - 1, key.n + 2});
		if (str_eq(buf_view(&plain), MARK_CAMPAIGN) ||
			str_eq(buf_view(&plain), MARK_CREATED))
			continue;
		jw_key(&w, buf_view(&plain));
		jw_raw(&w, v.raw);
	}
	jw_end_obj(&w);
	return buf_view(&b);
}

/* What messages have of their campaign. */
struct origin {
	int64_t campaign; /* number; 0: of none yet */
	struct str poll_id, attachments, custom;
};

/* Messages that are read together are mostly of one campaign. */
static void
read_origin(struct rows *r, struct arena *a, struct origin *o)
{
	/* Borrowed: only what is shown is copied. */
	struct str template = row_str(r, 12);

	if (o->campaign == row_int(r, 9))
		return;
	o->campaign = row_int(r, 9);
	o->poll_id = jscan_text(a, jscan_member(template, STR("poll_id")));
	if (o->poll_id.n == 0)
		o->poll_id = STR_NONE;
	o->attachments = arena_dup(a, raw_member(template, STR("attachments"), JSCAN_ARRAY));
	o->custom = mark_custom(
		a, row_str(r, 10), raw_member(template, STR("custom"), JSCAN_OBJECT));
}

/* What the row itself says, of a campaign's message if its owner has changed it. */
static void
read_extra(struct rows *r, struct arena *a, struct message *m)
{
	struct str extra = row_str(r, 6);

	m->type = jscan_text(a, jscan_member(extra, STR("type")));
	if (m->type.p == NULL)
		m->type = STR("regular");
	m->parent_id = jscan_text(a, jscan_member(extra, STR("parent_id")));
	m->poll_id = jscan_text(a, jscan_member(extra, STR("poll_id")));
	m->silent = jscan_member(extra, STR("silent")).type == JSCAN_TRUE;
	m->skip_push = jscan_member(extra, STR("skip_push")).type == JSCAN_TRUE;
	read_mentions(a, extra, m);
	m->attachments = arena_dup(a, raw_member(extra, STR("attachments"), JSCAN_ARRAY));
	m->custom = raw_member(extra, STR("custom"), JSCAN_OBJECT);
	m->custom = m->campaign != 0 ? mark_custom(a, row_str(r, 10), m->custom)
				     : arena_dup(a, m->custom);
}

/* ${o}: of the rows before, {0} at first. */
static void
message_from_row(struct rows *r, struct arena *a, const struct app *app, struct origin *o,
	struct message *out)
{
	bool by_campaign = row_null(r, 4) && !row_null(r, 9);

	*out = (struct message){.key = row_int(r, 0), .channel = row_int(r, 1)};
	out->created_at = row_int(r, 2);
	out->text = arena_dup(a, row_str(r, 3));
	out->author = by_campaign ? row_int(r, 11) : row_int(r, 4);
	out->id = message_wire_id(a, app, out->key, row_str(r, 5));
	out->updated_at = row_null(r, 7) ? out->created_at : row_int(r, 7);
	out->deleted_at = row_time(r, 8);
	out->type = STR("regular");
	if (by_campaign)
		out->campaign = row_int(r, 9);
	if (!row_null(r, 6))
		read_extra(r, a, out);
	if (!by_campaign)
		return;
	read_origin(r, a, o);
	out->poll_id = o->poll_id;
	if (!row_null(r, 6))
		return;
	out->attachments = o->attachments;
	out->custom = o->custom;
}

/* What differs from the defaults, as the column extra; p == NULL: nothing. */
static struct str
write_extra(struct arena *a, const struct message_draft *d)
{
	struct buf b;
	struct jw w;

	buf_init(&b, a, 64 + d->attachments.n + d->custom.n);
	jw_init(&w, &b);
	jw_obj(&w);
	if (d->attachments.p != NULL && !str_is(d->attachments, "[]"))
		jw_kraw(&w, "attachments", d->attachments);
	if (d->custom.p != NULL && !str_is(d->custom, "{}"))
		jw_kraw(&w, "custom", d->custom);
	if (d->type.p != NULL && !str_is(d->type, "regular"))
		jw_kstr(&w, "type", d->type);
	if (d->parent_id.p != NULL)
		jw_kstr(&w, "parent_id", d->parent_id);
	if (d->poll_id.p != NULL)
		jw_kstr(&w, "poll_id", d->poll_id);
	if (d->silent)
		jw_kbool(&w, "silent", true);
	if (d->skip_push)
		jw_kbool(&w, "skip_push", true);
	if (d->nmentioned > 0) {
		jw_karr(&w, "mentioned");
		for (size_t i = 0; i < d->nmentioned; i++)
			jw_i64(&w, d->mentioned[i]);
		jw_end_arr(&w);
	}
	jw_end_obj(&w);
	return b.n == 2 ? STR_NONE : buf_view(&b);
}

/* ---- reading ------------------------------------------------------------------------- */

struct str
message_wire_id(struct arena *a, const struct app *app, int64_t key, struct str stored)
{
	char id[ID_UUID_LEN];

	if (stored.p != NULL)
		return arena_dup(a, stored);
	id_from_key(app->id_tag, key, id);
	return arena_dup(a, (struct str){id, sizeof(id)});
}

bool
message_find(struct db *db, struct arena *a, const struct app *app, struct str id,
	struct message *out, bool *found, struct err *e)
{
	struct origin origin = {0};
	struct rows r;
	int64_t key;
	bool ok;

	*found = false;
	if (id_to_key(app->id_tag, id, &key))
		ok = db_query(db, SQL_MESSAGE_BY_KEY, ARGS(V_INT(key)), NO_BULK, &r, e);
	else
		ok = db_query(db, SQL_MESSAGE_BY_ID, ARGS(V_TEXT(id)), NO_BULK, &r, e);
	if (!ok)
		return false;
	if (rows_next(&r)) {
		message_from_row(&r, a, app, &origin, out);
		*found = true;
	}
	return rows_end(&r, e);
}

bool
message_by_keys(struct db *db, struct arena *a, const struct app *app, const int64_t *keys,
	size_t n, struct message *out, struct err *e)
{
	struct col cols[] = {COL_INTS(keys)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct origin origin = {0};
	struct rows r;

	for (size_t i = 0; i < n; i++)
		out[i] = (struct message){0};
	if (n == 0)
		return true;
	if (!db_query(db, SQL_MESSAGE_BY_KEYS, NO_ARGS, &bulk, &r, e))
		return false;
	while (!arena_overflowed(a) && rows_next(&r))
		message_from_row(&r, a, app, &origin, &out[row_int(&r, 13)]);
	return rows_end(&r, e) && arena_check(a, e);
}

void
message_blank(struct message *m)
{
	m->type = STR("deleted");
	m->text = STR("");
	m->attachments = m->custom = m->poll_id = STR_NONE;
	m->nmentioned = 0;
}

bool
message_get(struct db *db, struct arena *a, const struct app *app, struct str id,
	struct message *out, struct err *e)
{
	bool found;

	if (!message_find(db, a, app, id, out, &found, e))
		return false;
	if (!found || out->deleted_at != NO_TIME)
		return fail(
			e, ERR_NOT_FOUND, "message with id %.*s doesn't exist", STR_ARG(id));
	return true;
}

/* A walk along the messages of a channel. */
struct walk {
	struct db *db;
	struct arena *arena;
	const struct app *app;
	int64_t channel, floor;
	struct message *list; /* has room for the limit */
	size_t n;
};

/* Adds at most ${limit} messages from the place on, in the direction of the statement. */
static bool
walk(struct walk *w, enum sql_id sql, int64_t at, int64_t key, size_t limit, struct err *e)
{
	size_t end = w->n + limit;
	struct origin origin = {0};
	struct rows r;

	if (limit == 0)
		return true;
	if (!db_query(w->db, sql,
		    ARGS(V_INT(w->channel), V_INT(at), V_INT(key), V_INT((int64_t)limit),
			    V_INT(w->floor)),
		    NO_BULK, &r, e))
		return false;
	while (w->n < end && !arena_overflowed(w->arena) && rows_next(&r)) {
		struct message *m = &w->list[w->n++];

		message_from_row(&r, w->arena, w->app, &origin, m);
		if (m->deleted_at != NO_TIME)
			message_blank(m);
	}
	return rows_end(&r, e) && arena_check(w->arena, e);
}

/* The same towards the older ones; they end up in order. */
static bool
walk_back(struct walk *w, int64_t at, int64_t key, size_t limit, struct err *e)
{
	size_t first = w->n;

	if (!walk(w, SQL_MESSAGE_BEFORE, at, key, limit, e))
		return false;
	for (size_t i = first, k = w->n; i + 1 < k; i++, k--) {
		struct message swap = w->list[i];

		w->list[i] = w->list[k - 1];
		w->list[k - 1] = swap;
	}
	return true;
}

/* The place a page refers to: ${at} and the keys right before and right behind it. */
static bool
find_place(const struct walk *w, const struct message_page *p, int64_t *at, int64_t *before,
	int64_t *behind, bool *found, struct err *e)
{
	struct message m = {0};

	*found = true;
	*at = p->at;
	*before = INT64_MIN;
	*behind = INT64_MAX;
	if (p->id.p == NULL)
		return true;
	if (!message_find(w->db, w->arena, w->app, p->id, &m, found, e))
		return false;
	*found = *found && m.channel == w->channel;
	*at = m.created_at;
	*before = m.key - 1;
	*behind = m.key + 1;
	return true;
}

bool
message_list(struct db *db, struct arena *a, const struct app *app, int64_t channel,
	const struct message_page *page, struct message **out, size_t *n, struct err *e)
{
	struct walk w = {db, a, app, channel, page->floor, NULL, 0};
	int64_t at = INT64_MAX, before = INT64_MAX, behind = INT64_MAX;
	size_t half = page->limit / 2;
	bool found = true, ok = false;

	w.list = arena_array(a, page->limit + 1, sizeof(*w.list));
	*out = w.list;
	*n = 0;
	if (page->side != PAGE_NEWEST &&
		!find_place(&w, page, &at, &before, &behind, &found, e))
		return false;
	if (!found)
		return true;
	switch (page->side) {
	case PAGE_NEWEST:
		ok = walk_back(&w, at, INT64_MAX, page->limit, e);
		break;
	case PAGE_BEFORE:
		ok = walk_back(&w, at, page->inclusive ? behind - 1 : before, page->limit, e);
		break;
	case PAGE_AFTER:
		ok = walk(&w, SQL_MESSAGE_AFTER, at, page->inclusive ? before + 1 : behind,
			page->limit, e);
		break;
	case PAGE_AROUND:
		ok = walk_back(&w, at, before, half, e) &&
		     walk(&w, SQL_MESSAGE_AFTER, at, before + 1, page->limit - half, e);
		break;
	}
	*n = w.n;
	return ok;
}

bool
message_since(struct db *db, struct arena *a, const int64_t *channels, const int64_t *since,
	size_t nchannels, size_t max, struct message_ref **out, size_t *n, struct err *e)
{
	struct col cols[] = {COL_INTS(channels), COL_INTS(since)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), nchannels};
	struct buf list;
	struct rows r;

	*n = 0;
	buf_init(&list, a, 32 * sizeof(struct message_ref));
	if (nchannels == 0)
		return true;
	if (!db_query(db, SQL_MESSAGE_SINCE, ARGS(V_INT((int64_t)max + 1)), &bulk, &r, e))
		return false;
	while (rows_next(&r)) {
		struct message_ref m = {row_int(&r, 0), row_int(&r, 1), (size_t)row_int(&r, 2)};

		buf_add(&list, &m, sizeof(m));
	}
	*out = (struct message_ref *)(void *)list.p;
	*n = list.n / sizeof(struct message_ref);
	return rows_end(&r, e);
}

/* ---- sending ------------------------------------------------------------------------- */

/* What every message must keep to; ${max} is the length that its channel allows. */
static bool
check_content(const struct message_draft *d, int64_t max, struct err *e)
{
	if (str_utf8_len(d->text) > (size_t)max)
		return fail(e, ERR_TOO_LONG, "message.text: longer than %lld characters",
			(long long)max);
	if (d->custom.n > MESSAGE_MAX_CUSTOM)
		return fail(e, ERR_INPUT, "message: custom data is larger than %d bytes",
			MESSAGE_MAX_CUSTOM);
	if (d->attachments.n + d->custom.n > MESSAGE_MAX_EXTRA)
		return fail(e, ERR_INPUT,
			"message.attachments: with custom data larger than %d bytes of JSON",
			MESSAGE_MAX_EXTRA);
	if (d->nmentioned > MESSAGE_MAX_MENTIONS)
		return fail(e, ERR_INPUT, "message.mentioned_users: more than %d",
			MESSAGE_MAX_MENTIONS);
	return true;
}

/* How long texts in the channel may be. */
static bool
max_length(struct db *db, struct arena *a, const struct channel *c, int64_t *out, struct err *e)
{
	struct channel_type type;

	if (!channel_type_get(db, a, c->type, &type, e))
		return false;
	*out = channel_type_max_message(&type);
	return true;
}

static bool
check_id(const struct app *app, const struct message_draft *d, struct err *e)
{
	int64_t key;

	if (d->id.p == NULL)
		return true;
	if (d->id.n == 0 || d->id.n > MESSAGE_MAX_ID || str_find(d->id, ',', 0) < d->id.n ||
		str_find(d->id, '%', 0) < d->id.n)
		return fail(e, ERR_INPUT,
			"message.id: expected 1 to %d bytes without ',' and '%%', got \"%.*s\"",
			MESSAGE_MAX_ID, STR_ARG(d->id));
	if (id_to_key(app->id_tag, d->id, &key))
		return fail(e, ERR_INPUT,
			"message.id: \"%.*s\" has the form of ids that the server makes",
			STR_ARG(d->id));
	return true;
}

/* What became of a message, for those who hear of it. */
static bool
tell(struct db *w, enum event_kind kind, const struct message *m, struct str extra,
	struct err *e)
{
	struct event ev = {.kind = kind,
		.channel = m->channel,
		.uid = m->author,
		.object = m->key,
		.extra = extra};

	ev.at = kind == EVENT_MESSAGE_NEW ? m->created_at : clock_now_us();
	return event_add(w, &ev, 1, e);
}

struct sending {
	struct arena *arena;
	const struct app *app;
	const struct channel *channel;
	const struct message_draft *draft;
	struct str extra;
	struct message *out;
};

static bool
check_parent(struct db *w, const struct sending *s, struct err *e)
{
	struct str id = s->draft->parent_id;
	struct message parent;
	bool found;

	if (id.p == NULL)
		return true;
	if (!message_find(w, s->arena, s->app, id, &parent, &found, e))
		return false;
	if (!found || parent.channel != s->channel->no)
		return fail(e, ERR_INPUT,
			"message.parent_id: message with id %.*s doesn't exist", STR_ARG(id));
	return true;
}

/* The channel was found before the transaction. */
static bool
check_channel(struct db *w, const struct channel *c, struct err *e)
{
	int64_t no;
	bool found;

	if (!db_get_int(w, SQL_CHANNEL_IS_LIVE, ARGS(V_INT(c->no)), &no, &found, e))
		return false;
	return found ||
	       fail(e, ERR_NOT_FOUND, "channel with cid %.*s doesn't exist", STR_ARG(c->cid));
}

/* In the transaction: two messages at once do not slip through together. */
static bool
check_cooldown(struct db *w, const struct sending *s, int64_t now, struct err *e)
{
	const struct message_draft *d = s->draft;
	int64_t span = d->cooldown * INT64_C(1000000), last;
	bool found;

	if (span == 0)
		return true;
	if (!db_get_int(w, SQL_MESSAGE_LAST_OF,
		    ARGS(V_INT(s->channel->no), V_INT(now - span), V_INT(d->author)), &last,
		    &found, e))
		return false;
	return !found ||
	       fail(e, ERR_COOL_DOWN,
		       "channel %.*s is in slow mode: one message in %lld s, the next "
		       "in %lld s",
		       STR_ARG(s->channel->cid), (long long)d->cooldown,
		       (long long)((last + span - now) / 1000000 + 1));
}

static bool
check_poll(struct db *w, const struct message_draft *d, struct err *e)
{
	if (d->poll_id.p == NULL ||
		poll_check(w, d->poll_id, d->own_polls_only ? d->author : 0, e))
		return true;
	return fail(e, e->code, "message.poll_id: %s", e->msg);
}

static bool
send(struct db *w, void *arg, struct err *e)
{
	const struct sending *s = arg;
	const struct message_draft *d = s->draft;
	const struct channel *c = s->channel;
	/* Clocks can step back: what is new is never cut off. */
	int64_t key, other, now = MAX_OF(clock_now_us(), c->truncated_at + 1);
	bool taken = false, found;

	if (!check_channel(w, c, e) || !check_cooldown(w, s, now, e))
		return false;
	if (d->id.p != NULL &&
		!db_get_int(w, SQL_MESSAGE_ID_TAKEN, ARGS(V_TEXT(d->id)), &other, &taken, e))
		return false;
	if (taken)
		return fail(e, ERR_INPUT, "message.id: message with id %.*s already exists",
			STR_ARG(d->id));
	if (!check_parent(w, s, e) || !check_poll(w, d, e) ||
		!db_take(w, COUNTER_MESSAGE, 1, &key, e))
		return false;
	if (d->id.p != NULL && !db_exec(w, SQL_MESSAGE_IDS_INSERT,
				       ARGS(V_TEXT(d->id), V_INT(key)), NO_BULK, NULL, e))
		return false;
	if (!db_exec(w, SQL_MESSAGE_INSERT,
		    ARGS(V_INT(key), V_INT(c->no), V_INT(now), V_TEXT(d->text),
			    V_INT(d->author), V_TEXT(d->id), V_TEXT(s->extra)),
		    NO_BULK, NULL, e))
		return false;
	/* Someone wrote: the campaign's people must find the channel without a walk. */
	if (c->origin != 0 && !channel_keep_members(w, s->arena, c, e))
		return false;
	if (!d->silent && !d->keep_hidden && d->parent_id.p == NULL &&
		!channel_show(w, s->arena, c, d->author, now, e))
		return false;
	return message_find(w, s->arena, s->app, message_wire_id(s->arena, s->app, key, d->id),
		       s->out, &found, e) &&
	       tell(w, EVENT_MESSAGE_NEW, s->out, STR_NONE, e);
}

bool
message_check(struct db *db, struct arena *a, const struct app *app, const struct channel *c,
	const struct message_draft *d, struct err *e)
{
	int64_t max;

	return check_id(app, d, e) && max_length(db, a, c, &max, e) && check_content(d, max, e);
}

bool
message_send(struct db *db, struct arena *a, const struct app *app, const struct channel *c,
	const struct message_draft *d, struct message *out, struct err *e)
{
	struct sending s = {.arena = a, .app = app, .channel = c, .draft = d, .out = out};

	if (!message_check(db, a, app, c, d, e))
		return false;
	s.extra = write_extra(a, d);
	return db_write(db, send, &s, e);
}

/* ---- changing ------------------------------------------------------------------------ */

/* Fields of a message that are no custom data. */
static const char *const field_names[] = {"text", "attachments", "mentioned_users"};
static const char *const reserved_names[] = {"id", "text", "html", "mml", "type", "user",
	"user_id", "cid", "channel", "attachments", "mentioned_users", "mentioned_channel",
	"mentioned_here", "parent_id", "poll_id", "poll", "quoted_message", "quoted_message_id",
	"silent", "shadowed", "created_at", "updated_at", "deleted_at", "latest_reactions",
	"own_reactions", "reaction_counts", "reaction_scores", "reaction_groups", "reply_count",
	"deleted_reply_count", "restricted_visibility", "pinned", "pinned_at", "pinned_by",
	"pin_expires"};

struct updating {
	struct arena *arena;
	const struct app *app;
	const struct channel *channel;
	struct str id;
	const struct message_edit *edit;
	int64_t max; /* code points */
	struct message *out;
};

/* The message as it becomes, as if it were sent anew. */
static bool
edited(const struct updating *u, const struct message *m, struct message_draft *d,
	struct err *e)
{
	const struct message_edit *ed = u->edit;

	*d = (struct message_draft){
		.text = ed->has_text ? ed->text : m->text,
		.attachments = ed->has_attachments ? ed->attachments : m->attachments,
		.custom = ed->has_custom ? ed->custom : m->custom,
		.mentioned = ed->has_mentioned ? ed->mentioned : m->mentioned,
		.nmentioned = ed->has_mentioned ? ed->nmentioned : m->nmentioned,
		.type = m->type,
		.parent_id = m->parent_id,
		.poll_id = m->poll_id,
		.silent = m->silent,
		.skip_push = m->skip_push,
	};
	if (ed->patch != NULL &&
		!patch_custom(u->arena, ed->patch, d->custom, field_names,
			ARRAY_LEN(field_names), reserved_names, ARRAY_LEN(reserved_names),
			MESSAGE_MAX_CUSTOM, &d->custom, e))
		return false;
	if (d->text.n == 0 && d->attachments.p == NULL && d->poll_id.p == NULL)
		return fail(e, ERR_INPUT,
			"message.text: expected a text, attachments or a poll_id");
	return check_content(d, u->max, e);
}

static bool
update_in(struct db *w, void *arg, struct err *e)
{
	const struct updating *u = arg;
	struct message_draft d;
	struct str extra;
	bool found;

	if (!message_get(w, u->arena, u->app, u->id, u->out, e) || !edited(u, u->out, &d, e))
		return false;
	extra = write_extra(u->arena, &d);
	/* Without any, that of the campaign's template would count. */
	if (extra.p == NULL && u->out->campaign != 0)
		extra = STR("{}");
	return db_exec(w, SQL_MESSAGE_UPDATE,
		       ARGS(V_INT(u->out->key), V_TEXT(d.text), V_TEXT(extra),
			       V_INT(clock_now_us())),
		       NO_BULK, NULL, e) &&
	       message_find(w, u->arena, u->app, u->id, u->out, &found, e) &&
	       tell(w, EVENT_MESSAGE_UPDATED, u->out, STR_NONE, e);
}

bool
message_update(struct db *db, struct arena *a, const struct app *app, const struct channel *c,
	struct str id, const struct message_edit *edit, struct message *out, struct err *e)
{
	struct updating u = {.arena = a, .app = app, .channel = c, .id = id, .out = out};

	u.edit = edit;
	return max_length(db, a, c, &u.max, e) && db_write(db, update_in, &u, e);
}

struct deletion {
	const struct message *message;
	bool hard;
	struct str extra; /* of the event */
};

/* Of a message that is forgotten the event must say what it was called. */
static struct str
last_words(struct arena *a, const struct message *m)
{
	struct buf b;
	struct jw w;

	buf_init(&b, a, 64);
	jw_init(&w, &b);
	jw_obj(&w);
	jw_kstr(&w, "id", m->id);
	jw_kbool(&w, "hard", true);
	jw_end_obj(&w);
	return buf_view(&b);
}

static bool
delete_in(struct db *w, void *arg, struct err *e)
{
	const struct deletion *d = arg;
	const struct message *m = d->message;

	if (d->hard ? !oblivion_take(w, &m->key, 1, e)
		    : !db_exec(w, SQL_MESSAGE_DELETE,
			      ARGS(V_INT(m->key), V_INT(clock_now_us())), NO_BULK, NULL, e))
		return false;
	return tell(w, EVENT_MESSAGE_DELETED, m, d->extra, e);
}

bool
message_delete(
	struct db *db, struct arena *a, const struct message *m, bool hard, struct err *e)
{
	struct deletion d = {m, hard, hard ? last_words(a, m) : STR_NONE};

	return db_write(db, delete_in, &d, e);
}
