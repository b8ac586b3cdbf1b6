/* read – read marks: set, taken back, told; the states of members. */
#include "domain/read.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jscan.h"
#include "domain/channel.h"
#include "domain/event.h"
#include "domain/message.h"
#include "domain/read_impl.h"
#include "domain/unread.h"
#include "store/db.h"

/* A message may be committed a little after its time, behind a mark: look back so far. */
#define LATE_US (60 * INT64_C(1000000))
/* Channels that one transaction marks. */
#define SLICE 100

/* ---- states -------------------------------------------------------------------------- */

struct newer {
	int64_t created_at;
	int64_t author;
};

static bool
counts(struct str extra)
{
	return jscan_member(extra, STR("silent")).type != JSCAN_TRUE &&
	       jscan_member(extra, STR("parent_id")).type != JSCAN_STRING;
}

/* The messages that can be unread, newest first. */
static bool
load_newer(struct db *db, struct arena *a, int64_t channel, int64_t since, struct newer **out,
	size_t *n, struct err *e)
{
	struct buf list;
	struct rows r;

	buf_init(&list, a, 32 * sizeof(struct newer));
	if (!db_query(db, SQL_READ_NEWER, ARGS(V_INT(channel), V_INT(since), V_INT(UNREAD_MAX)),
		    NO_BULK, &r, e))
		return false;
	while (rows_next(&r)) {
		struct newer m = {.created_at = row_int(&r, 0)};

		m.author = row_null(&r, 1) ? row_int(&r, 3) : row_int(&r, 1);
		if (counts(row_str(&r, 2)))
			buf_add(&list, &m, sizeof(m));
	}
	*out = (struct newer *)(void *)list.p;
	*n = list.n / sizeof(struct newer);
	return rows_end(&r, e);
}

static int64_t
count_unread(const struct newer *v, size_t n, int64_t since, int64_t uid)
{
	int64_t count = 0;

	for (size_t i = 0; i < n && v[i].created_at > since; i++)
		count += v[i].author != uid;
	return count;
}

/* The wire ids of messages; 0 stands for none. */
static bool
load_ids(struct db *db, struct arena *a, const struct app *app, const int64_t *keys, size_t n,
	struct str *out, struct err *e)
{
	struct col cols[] = {COL_INTS(keys)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;

	if (!db_query(db, SQL_READ_IDS, NO_ARGS, &bulk, &r, e))
		return false;
	while (rows_next(&r)) {
		int64_t i = row_int(&r, 0);

		out[i] = message_wire_id(a, app, keys[i], row_str(&r, 1));
	}
	return rows_end(&r, e);
}

bool
read_states(struct db *db, struct arena *a, const struct app *app, const struct channel *c,
	const struct member *members, size_t n, struct read_state **out, struct err *e)
{
	struct read_state *states = arena_zalloc(a, (n + 1) * sizeof(*states));
	int64_t *keys = arena_array(a, 2 * n + 1, sizeof(*keys)), oldest = INT64_MAX;
	struct str *ids = arena_zalloc(a, (2 * n + 1) * sizeof(*ids));
	struct newer *newer;
	size_t nnewer;

	*out = states;
	if (n == 0)
		return true;
	for (size_t i = 0; i < n; i++) {
		oldest = MIN_OF(oldest, unread_since(c, &members[i]));
		keys[i] = members[i].last_read_key;
		keys[n + i] = members[i].delivered_key;
	}
	if (!load_newer(db, a, c->no, oldest, &newer, &nnewer, e) ||
		!load_ids(db, a, app, keys, 2 * n, ids, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct member *m = &members[i];

		states[i] = (struct read_state){
			.uid = m->uid,
			.last_read = m->last_read == NO_TIME ? m->created_at : m->last_read,
			.last_message_id = ids[i],
			.unread = count_unread(newer, nnewer, unread_since(c, m), m->uid),
			.delivered_at = m->delivered_at,
			.delivered_message_id = ids[n + i],
		};
	}
	return true;
}

/* ---- marking -------------------------------------------------------------------------- */

struct marking {
	struct arena *arena;
	const struct app *app;
	const struct channel *channels;
	const struct str *message_ids; /* NULL: all of each channel */
	size_t n;
	const int64_t *nos; /* instead of channels: loaded in the transaction */
	int64_t uid;
	bool members_only;      /* channels that he is not in are passed over */
	struct read_state *out; /* of the only channel; NULL: not asked for */
};

/* Where a mark stands. */
struct mark_place {
	int64_t at;   /* last_read */
	int64_t key;  /* the newest message that it covers; 0: there is none */
	int64_t upto; /* the time of that message */
};

/* A column per value of a mark. */
struct marks {
	int64_t *channel, *joined, *at, *key, *hidden, *archived, *upto;
	size_t n;
};

static struct marks
marks_make(struct arena *a, size_t n)
{
	int64_t *all = arena_array(a, 7 * n + 1, sizeof(*all));

	return (struct marks){all, all + n, all + 2 * n, all + 3 * n, all + 4 * n, all + 5 * n,
		all + 6 * n, 0};
}

static void
add_mark(struct marks *m, const struct channel *c, const struct member *who,
	const struct mark_place *place)
{
	m->channel[m->n] = c->no;
	m->joined[m->n] = who->created_at;
	m->at[m->n] = place->at;
	m->key[m->n] = place->key != 0 ? place->key : COL_NULL;
	m->upto[m->n] = place->upto;
	m->hidden[m->n] = who->hidden_at;
	m->archived[m->n++] = who->archived_at;
}

static bool
store_marks(struct db *w, enum sql_id sql, int64_t uid, const struct marks *m, struct err *e)
{
	struct col cols[] = {COL_INTS(m->channel), COL_INTS(m->joined), COL_INTS(m->at),
		COL_INTS(m->key), COL_INTS(m->hidden), COL_INTS(m->archived),
		COL_INTS(m->upto)};
	/* That a message was delivered says nothing of those before it. */
	struct bulk bulk = {cols, ARRAY_LEN(cols) - (sql == SQL_READ_DELIVER), m->n};

	return m->n == 0 || db_exec(w, sql, ARGS(V_INT(uid)), &bulk, NULL, e);
}

/* The message of a channel with this id; what was cut off is not there. */
static bool
find_message(struct db *w, const struct marking *m, const struct channel *c, struct str id,
	struct message *out, struct err *e)
{
	if (!message_get(w, m->arena, m->app, id, out, e))
		return false;
	if (out->channel != c->no || out->created_at <= c->truncated_at)
		return fail(
			e, ERR_NOT_FOUND, "message with id %.*s doesn't exist", STR_ARG(id));
	return true;
}

/* The places to mark: now and the newest message, or those of the messages asked for. */
static bool
find_places(struct db *w, const struct marking *m, struct mark_place *out, struct err *e)
{
	int64_t *nos = arena_array(m->arena, m->n + 1, sizeof(*nos)), now = clock_now_us();
	struct col cols[] = {COL_INTS(nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), m->n};
	struct rows r;

	for (size_t i = 0; i < m->n; i++)
		nos[i] = m->channels[i].no;
	if (!db_query(w, SQL_READ_NEWEST, NO_ARGS, &bulk, &r, e))
		return false;
	while (rows_next(&r)) {
		struct mark_place *p = &out[row_int(&r, 0)];

		*p = (struct mark_place){.key = row_int(&r, 1), .upto = row_int(&r, 2)};
		/* Clocks can step back: a mark covers what it stands behind. */
		p->at = MAX_OF(now, p->upto);
	}
	if (!rows_end(&r, e))
		return false;
	for (size_t i = 0; i < m->n && m->message_ids != NULL; i++) {
		struct message given;

		if (m->message_ids[i].p == NULL)
			continue;
		if (!find_message(w, m, &m->channels[i], m->message_ids[i], &given, e))
			return false;
		if (given.key != out[i].key)
			out[i] = (struct mark_place){
				given.created_at, given.key, given.created_at};
	}
	return true;
}

static bool
check_member(const struct channel *c, const struct member *m, struct err *e)
{
	if (m->uid == 0)
		return fail(e, ERR_INPUT, "the user is not a member of channel %.*s",
			STR_ARG(c->cid));
	return true;
}

/* Never back: a mark is moved when it covers more, or is later. */
static bool
move_mark(struct member *me, struct mark_place *to)
{
	if (me->last_read != NO_TIME && to->at <= me->last_read && to->upto <= me->read_upto)
		return false;
	if (me->last_read != NO_TIME) {
		to->at = MAX_OF(to->at, me->last_read);
		if (to->upto < me->read_upto)
			to->key = me->last_read_key;
		to->upto = MAX_OF(to->upto, me->read_upto);
	}
	me->last_read = to->at;
	me->last_read_key = to->key;
	me->read_upto = to->upto;
	return true;
}

static bool
tell_marks(struct db *w, const struct marking *m, const struct marks *marks, struct err *e)
{
	struct event *events = arena_array(m->arena, marks->n + 1, sizeof(*events));

	for (size_t i = 0; i < marks->n; i++)
		events[i] = (struct event){
			.kind = EVENT_READ,
			.at = marks->at[i],
			.channel = marks->channel[i],
			.uid = m->uid,
			.object = marks->key[i] == COL_NULL ? 0 : marks->key[i],
		};
	return event_add(w, events, marks->n, e);
}

/* Marks channels of one user: ${who} is what he is in each, and is brought up to date. */
static bool
mark_channels(struct db *w, const struct marking *m, struct member *who, struct err *e)
{
	int64_t *from = arena_array(m->arena, 2 * m->n + 1, sizeof(*from)), *to = from + m->n;
	struct mark_place *places = arena_array(m->arena, m->n + 1, sizeof(*places));
	struct read_ranges ranges = {.from = from, .to = to};
	struct marks marks = marks_make(m->arena, m->n);
	int64_t *channels = arena_array(m->arena, m->n + 1, sizeof(*channels));

	if (!find_places(w, m, places, e))
		return false;
	for (size_t i = 0; i < m->n; i++) {
		const struct channel *c = &m->channels[i];
		struct member *me = &who[i];

		if (me->uid == 0)
			continue;
		channels[ranges.n] = c->no;
		from[ranges.n] =
			me->last_read == NO_TIME ? INT64_MIN + 1 : me->read_upto - LATE_US;
		from[ranges.n] = MAX_OF(from[ranges.n], channel_floor(c, me) + 1);
		if (move_mark(me, &places[i]))
			add_mark(&marks, c, me, &places[i]);
		to[ranges.n++] = me->read_upto;
	}
	ranges.channels = channels;
	return store_marks(w, SQL_READ_MARK, m->uid, &marks, e) &&
	       read_note(w, m->arena, &ranges, m->uid, e) && tell_marks(w, m, &marks, e);
}

static bool
mark(struct db *w, void *arg, struct err *e)
{
	struct marking m = *(const struct marking *)arg;
	struct channel *loaded;
	struct read_state *states;
	struct member *who;

	if (m.nos != NULL) {
		if (!channel_by_nos(w, m.arena, m.nos, m.n, &loaded, &m.n, e))
			return false;
		m.channels = loaded;
	}
	who = arena_zalloc(m.arena, (m.n + 1) * sizeof(*who));
	if (!channel_member_in_many(w, m.arena, m.channels, m.n, m.uid, who, e))
		return false;
	for (size_t i = 0; i < m.n && !m.members_only; i++)
		if (!check_member(&m.channels[i], &who[i], e))
			return false;
	if (!mark_channels(w, &m, who, e))
		return false;
	if (m.out == NULL)
		return true;
	if (!read_states(w, m.arena, m.app, m.channels, who, 1, &states, e))
		return false;
	*m.out = states[0];
	return true;
}

bool
read_mark(struct db *db, struct arena *a, const struct app *app, const struct channel *c,
	int64_t uid, struct str message_id, struct read_state *out, struct err *e)
{
	struct marking m = {.arena = a,
		.app = app,
		.channels = c,
		.message_ids = &message_id,
		.n = 1,
		.uid = uid,
		.out = out};

	return db_write(db, mark, &m, e);
}

bool
read_mark_many(struct db *db, struct arena *a, const struct app *app,
	const struct channel *channels, const struct str *message_ids, size_t n, int64_t uid,
	struct err *e)
{
	struct marking m = {.arena = a,
		.app = app,
		.channels = channels,
		.message_ids = message_ids,
		.n = n,
		.uid = uid};

	return n == 0 || db_write(db, mark, &m, e);
}

/* Some channels a transaction, so that others get their turn in between. */
bool
read_mark_all(struct db *db, struct arena *a, const struct app *app, int64_t uid, struct err *e)
{
	struct marking m = {.arena = a, .app = app, .uid = uid, .members_only = true};
	int64_t *nos;
	size_t n;

	if (!unread_channels(db, a, uid, &nos, &n, e))
		return false;
	for (size_t i = 0; i < n; i += SLICE) {
		struct arena_mark at = arena_mark(a);
		bool ok;

		m.nos = nos + i;
		m.n = MIN_OF(n - i, (size_t)SLICE);
		ok = db_write(db, mark, &m, e);
		arena_rewind(a, at);
		if (!ok)
			return false;
	}
	return true;
}

/* ---- taking back ------------------------------------------------------------------------ */

struct unmarking {
	struct marking m;
	int64_t at;
};

static bool
unmark(struct db *w, void *arg, struct err *e)
{
	const struct unmarking *u = arg;
	const struct marking *m = &u->m;
	const struct channel *c = m->channels;
	int64_t at = u->at - 1, key = 0;
	struct message given = {0};
	struct event ev = {.kind = EVENT_UNREAD, .channel = c->no, .uid = m->uid};
	struct member who;
	bool found;

	if (!channel_member(w, m->arena, c, m->uid, &who, &found, e))
		return false;
	if (!found)
		who.uid = 0;
	if (!check_member(c, &who, e))
		return false;
	if (m->message_ids->p != NULL) {
		if (!find_message(w, m, c, *m->message_ids, &given, e))
			return false;
		at = given.created_at - 1;
	}
	if (who.last_read == NO_TIME || who.read_upto <= at)
		return true;
	if (!db_get_int(
		    w, SQL_READ_LAST_BEFORE, ARGS(V_INT(c->no), V_INT(at)), &key, &found, e))
		return false;
	ev.at = clock_now_us();
	ev.object = given.key;
	return db_exec(w, SQL_READ_UNMARK,
		       ARGS(V_INT(c->no), V_INT(m->uid), V_INT(at), key ? V_INT(key) : V_NULL),
		       NO_BULK, NULL, e) &&
	       event_add(w, &ev, 1, e);
}

bool
read_unmark(struct db *db, struct arena *a, const struct app *app, const struct channel *c,
	int64_t uid, struct str message_id, int64_t at, struct err *e)
{
	struct unmarking u = {.at = at};

	u.m = (struct marking){.arena = a,
		.app = app,
		.channels = c,
		.message_ids = &message_id,
		.n = 1,
		.uid = uid};
	return db_write(db, unmark, &u, e);
}

/* ---- delivery --------------------------------------------------------------------------- */

struct delivery {
	struct arena *arena;
	const struct channel *channels;
	const int64_t *keys;
	size_t n;
	int64_t uid;
};

static bool
deliver(struct db *w, void *arg, struct err *e)
{
	const struct delivery *d = arg;
	struct member *who = arena_zalloc(d->arena, (d->n + 1) * sizeof(*who));
	struct marks marks = marks_make(d->arena, d->n);
	int64_t now = clock_now_us();

	if (!channel_member_in_many(w, d->arena, d->channels, d->n, d->uid, who, e))
		return false;
	for (size_t i = 0; i < d->n; i++)
		if (who[i].uid != 0)
			add_mark(&marks, &d->channels[i], &who[i],
				&(struct mark_place){.at = now, .key = d->keys[i]});
	return store_marks(w, SQL_READ_DELIVER, d->uid, &marks, e);
}

bool
read_deliver(struct db *db, struct arena *a, const struct channel *channels,
	const int64_t *keys, size_t n, int64_t uid, struct err *e)
{
	struct delivery d = {a, channels, keys, n, uid};

	return n == 0 || db_write(db, deliver, &d, e);
}
