/* read – read marks, unread counts, and the read bits of campaign batches. */
#include "domain/read.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jscan.h"
#include "base/pack.h"
#include "domain/channel.h"
#include "domain/message.h"
#include "store/db.h"

/* Campaign messages that one mark looks at. */
#define MAX_CAMPAIGN_MESSAGES 1000
/* A message may be committed a little after its time, behind a mark: look back so far. */
#define LATE_US (60 * INT64_C(1000000))

struct newer {
	int64_t created_at;
	int64_t author;
};

/* From where messages count for a member who never read: those before he joined do not. */
static int64_t
unread_since(const struct channel *c, const struct member *m)
{
	if (m->last_read != NO_TIME)
		return m->last_read;
	return m->created_at <= c->created_at ? INT64_MIN + 1 : m->created_at - 1;
}

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
	if (!db_query(db, SQL_READ_NEWER,
		    ARGS(V_INT(channel), V_INT(since), V_INT(READ_MAX_UNREAD)), NO_BULK, &r, e))
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

/* ---- the read bits of campaigns ------------------------------------------------------- */

/* Notes that ${uid} read the campaign message ${key}, if it was sent to him. */
static bool
note_read(struct db *w, struct arena *a, int64_t key, int64_t uid, struct err *e)
{
	int64_t campaign, seq, first, *uids;
	struct str packed, reads;
	struct rows r;
	size_t n, i;
	char *bits;
	bool corrupt;

	if (!db_query(w, SQL_READ_BATCH, ARGS(V_INT(key)), NO_BULK, &r, e))
		return false;
	if (!rows_next(&r))
		return rows_end(&r, e);
	campaign = row_int(&r, 0);
	seq = row_int(&r, 1);
	first = row_int(&r, 2);
	n = (size_t)row_int(&r, 3);
	packed = arena_dup(a, row_str(&r, 4));
	reads = arena_dup(a, row_str(&r, 5));
	if (!rows_end(&r, e))
		return false;
	if (key < first || key - first >= (int64_t)n)
		return true;
	i = (size_t)(key - first);
	uids = arena_array(a, n, sizeof(*uids));
	corrupt = !pack_keys_read(packed, uids, n);
	if (corrupt)
		return fail(e, ERR_BUG,
			"batch %lld of campaign %lld: recipients are unreadable",
			(long long)seq, (long long)campaign);
	bits = arena_zalloc(a, (n + 7) / 8);
	if (reads.n > 0)
		memcpy(bits, reads.p, MIN_OF(reads.n, (n + 7) / 8));
	if (uids[i] != uid || (bits[i / 8] & 1 << i % 8) != 0)
		return true;
	bits[i / 8] |= (char)(1 << i % 8);
	return db_exec(w, SQL_READ_SET_BITS,
		       ARGS(V_INT(campaign), V_INT(seq),
			       V_BLOB(((struct str){bits, (n + 7) / 8}))),
		       NO_BULK, NULL, e) &&
	       db_exec(w, SQL_READ_COUNT_USER, ARGS(V_INT(campaign)), NO_BULK, NULL, e);
}

static bool
note_reads(struct db *w, struct arena *a, int64_t channel, int64_t uid, int64_t from,
	int64_t to, struct err *e)
{
	struct rows r;
	struct buf list;
	const int64_t *keys;

	buf_init(&list, a, 16 * sizeof(int64_t));
	if (!db_query(w, SQL_READ_CAMPAIGN_KEYS,
		    ARGS(V_INT(channel), V_INT(from), V_INT(to), V_INT(MAX_CAMPAIGN_MESSAGES)),
		    NO_BULK, &r, e))
		return false;
	while (rows_next(&r)) {
		int64_t key = row_int(&r, 0);

		buf_add(&list, &key, sizeof(key));
	}
	if (!rows_end(&r, e))
		return false;
	keys = (const int64_t *)(const void *)list.p;
	for (size_t i = 0; i < list.n / sizeof(*keys); i++) {
		struct arena_mark m = arena_mark(a);
		bool ok = note_read(w, a, keys[i], uid, e);

		arena_rewind(a, m);
		if (!ok)
			return false;
	}
	return true;
}

/* ---- marking -------------------------------------------------------------------------- */

struct marking {
	struct arena *arena;
	const struct app *app;
	const struct channel *channel;
	int64_t uid;
	struct str message_id;
	struct read_state *out;
};

/* The place to mark: now and the newest message, or that of the message asked for. */
static bool
target(struct db *w, const struct marking *m, int64_t *at, int64_t *key, struct err *e)
{
	struct message given = {0};
	struct rows r;

	*key = 0;
	*at = clock_now_us();
	if (m->message_id.p != NULL) {
		if (!message_get(w, m->arena, m->app, m->message_id, &given, e))
			return false;
		if (given.channel != m->channel->no)
			return fail(e, ERR_NOT_FOUND, "message with id %.*s doesn't exist",
				STR_ARG(m->message_id));
	}
	if (!db_query(w, SQL_READ_NEWEST, ARGS(V_INT(m->channel->no)), NO_BULK, &r, e))
		return false;
	if (rows_next(&r)) {
		*key = row_int(&r, 0);
		/* Clocks can step back: a mark covers what it stands behind. */
		*at = MAX_OF(*at, row_int(&r, 1));
	}
	if (given.key != 0 && given.key != *key) {
		*key = given.key;
		*at = given.created_at;
	}
	return rows_end(&r, e);
}

static bool
mark(struct db *w, void *arg, struct err *e)
{
	const struct marking *m = arg;
	const struct channel *c = m->channel;
	struct member who;
	int64_t at, key, from;
	struct read_state *states;
	bool found;

	if (!channel_member(w, m->arena, c, m->uid, &who, &found, e))
		return false;
	if (!found)
		return fail(e, ERR_INPUT, "the user is not a member of channel %.*s",
			STR_ARG(c->cid));
	if (!target(w, m, &at, &key, e))
		return false;
	from = who.last_read == NO_TIME ? INT64_MIN + 1 : who.last_read - LATE_US;
	if (who.last_read == NO_TIME || at > who.last_read) {
		if (!db_exec(w, SQL_READ_MARK,
			    ARGS(V_INT(c->no), V_INT(m->uid), V_INT(who.created_at), V_INT(at),
				    key ? V_INT(key) : V_NULL, V_TIME(who.hidden_at),
				    V_TIME(who.archived_at)),
			    NO_BULK, NULL, e))
			return false;
		who.last_read = at;
		who.last_read_key = key;
	}
	if (!note_reads(w, m->arena, c->no, m->uid, from, who.last_read, e) ||
		!read_states(w, m->arena, m->app, c, &who, 1, &states, e))
		return false;
	*m->out = states[0];
	return true;
}

/* ---- exported ------------------------------------------------------------------------- */

bool
read_mark(struct db *db, struct arena *a, const struct app *app, const struct channel *c,
	int64_t uid, struct str message_id, struct read_state *out, struct err *e)
{
	struct marking m = {.arena = a, .app = app, .channel = c, .uid = uid, .out = out};

	m.message_id = message_id;
	return db_write(db, mark, &m, e);
}

bool
read_states(struct db *db, struct arena *a, const struct app *app, const struct channel *c,
	const struct member *members, size_t n, struct read_state **out, struct err *e)
{
	struct read_state *states = arena_zalloc(a, (n + 1) * sizeof(*states));
	int64_t *keys = arena_array(a, n + 1, sizeof(*keys)), oldest = INT64_MAX;
	struct col cols[] = {COL_INTS(keys)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct newer *newer;
	size_t nnewer;
	struct rows r;

	*out = states;
	if (n == 0)
		return true;
	for (size_t i = 0; i < n; i++)
		oldest = MIN_OF(oldest, unread_since(c, &members[i]));
	if (!load_newer(db, a, c->no, oldest, &newer, &nnewer, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct member *m = &members[i];

		keys[i] = m->last_read_key;
		states[i].uid = m->uid;
		states[i].last_read = m->last_read == NO_TIME ? m->created_at : m->last_read;
		states[i].unread = count_unread(newer, nnewer, unread_since(c, m), m->uid);
	}
	if (!db_query(db, SQL_READ_IDS, NO_ARGS, &bulk, &r, e))
		return false;
	while (rows_next(&r)) {
		int64_t i = row_int(&r, 0);

		states[i].last_message_id = message_wire_id(a, app, keys[i], row_str(&r, 1));
	}
	return rows_end(&r, e);
}

bool
read_unread(struct db *db, struct arena *a, const struct channel *c, const struct member *m,
	int64_t *out, struct err *e)
{
	struct arena_mark at = arena_mark(a);
	int64_t since = unread_since(c, m);
	struct newer *newer;
	size_t n;
	bool ok = load_newer(db, a, c->no, since, &newer, &n, e);

	if (ok)
		*out = count_unread(newer, n, since, m->uid);
	arena_rewind(a, at);
	return ok;
}
