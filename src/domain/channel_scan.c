/* channel_scan – all channels that a filter lets through, and all that somebody is in.
 *
 * Where a filter asks for cids, ids or members, only those are looked at; else the table is
 * read through in the order of the numbers.  Half of what a channel is follows from its form
 * and its campaign, so each is loaded and tested in memory, a slice at a time. */
#include "domain/channel_scan.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/bitset.h"
#include "domain/channel.h"
#include "domain/channel_filter.h"
#include "domain/channel_origin.h"
#include "domain/channel_set.h"
#include "domain/match.h"
#include "domain/user.h"
#include "store/db.h"

/* Channels in memory at a time. */
#define SLICE 512
/* What is kept of campaigns that made channels, before it is read anew. */
#define ORIGINS_MAX ((size_t)16 << 20)

/* ---- the channels of a member ---------------------------------------------------------- */

struct membership {
	struct db *db;
	struct arena arena;
	int64_t uid;
	struct channel_set *out;
	struct channel_set left; /* channels that he has left */
	struct bitset origins;   /* campaigns that have him in the channels they made */
	bool has_origins;
};

static void
note(struct membership *m, int64_t channel)
{
	if (!channel_set_has(&m->left, channel))
		channel_set_add(m->out, channel);
}

/* A row says that he is in it, or that he has left. */
static bool
add_by_row(struct membership *m, struct err *e)
{
	struct rows r;

	if (!db_query(m->db, SQL_SCAN_ROWS_OF_MEMBER, ARGS(V_INT(m->uid)), NO_BULK, &r, e))
		return false;
	while (rows_next(&r))
		channel_set_add(row_null(&r, 1) ? m->out : &m->left, row_int(&r, 0));
	return rows_end(&r, e);
}

static bool
add_by_number(struct membership *m, struct err *e)
{
	struct rows r;

	if (!db_query(m->db, SQL_SCAN_HOME,
		    ARGS(V_INT(CHANNEL_NO(m->uid, 0)), V_INT(CHANNEL_NO(m->uid, FORM_MAX))),
		    NO_BULK, &r, e))
		return false;
	while (rows_next(&r))
		note(m, row_int(&r, 0));
	return rows_end(&r, e);
}

static void
note_origin(struct membership *m, int64_t campaign)
{
	bitset_add(&m->origins, campaign);
	m->has_origins = true;
}

static bool
load_origins(struct membership *m, struct err *e)
{
	struct str pattern;
	struct user u;
	struct rows r;

	if (!user_by_uid(m->db, &m->arena, m->uid, &u, e) ||
		!db_query(m->db, SQL_CHANNEL_ORIGINS_OF_SENDER,
			ARGS(V_INT(m->uid), V_INT(INT64_MAX)), NO_BULK, &r, e))
		return false;
	while (rows_next(&r))
		note_origin(m, row_int(&r, 0));
	if (!rows_end(&r, e))
		return false;
	pattern = arena_printf(&m->arena, "%%\"%.*s\"%%", STR_ARG(u.id));
	if (!db_query(m->db, SQL_CHANNEL_ORIGINS_OF_MEMBER,
		    ARGS(V_TEXT(pattern), V_INT(INT64_MAX)), NO_BULK, &r, e))
		return false;
	while (rows_next(&r))
		if (channel_template_names(&m->arena, row_str(&r, 1), u.id, NULL))
			note_origin(m, row_int(&r, 0));
	return rows_end(&r, e);
}

/* There is no index by campaign: one pass over the table finds those of all campaigns. */
static bool
add_by_origin(struct membership *m, struct err *e)
{
	struct rows r;

	if (!load_origins(m, e))
		return false;
	if (!m->has_origins)
		return true;
	if (!db_query(m->db, SQL_SCAN_ORIGINS, NO_ARGS, NO_BULK, &r, e))
		return false;
	while (rows_next(&r))
		if (bitset_has(&m->origins, row_int(&r, 1)))
			note(m, row_int(&r, 0));
	return rows_end(&r, e);
}

bool
channel_scan_member(struct db *db, int64_t uid, struct channel_set *out, struct err *e)
{
	struct membership m = {.db = db, .uid = uid, .out = out};
	bool ok;

	arena_init(&m.arena, 4096, SIZE_MAX);
	channel_set_init(&m.left);
	bitset_init(&m.origins);
	ok = add_by_row(&m, e) && add_by_number(&m, e) && add_by_origin(&m, e);
	bitset_fini(&m.origins);
	channel_set_fini(&m.left);
	arena_fini(&m.arena);
	return ok;
}

/* ---- a slice of candidates -------------------------------------------------------------- */

struct scan {
	struct db *db;
	struct arena compiled, slice, kept; /* the filter; one slice; origins */
	struct channel_origins origins;
	struct match *filter;
	bool needs_origins, needs_creators, needs_last;
	channel_visit_fn visit;
	void *arg;
	int64_t nos[SLICE];
	size_t n;
};

static bool
scan_init(struct scan *s, struct db *db, const json_t *filter, struct err *e)
{
	s->db = db;
	arena_init(&s->compiled, 4096, SIZE_MAX);
	arena_init(&s->slice, 65536, SIZE_MAX);
	arena_init(&s->kept, 4096, SIZE_MAX);
	channel_origins_init(&s->origins, &s->kept);
	if (!match_compile(db, &s->compiled, filter, &channel_schema, &s->filter, e))
		return false;
	s->needs_origins = channel_filter_needs_origin(s->filter);
	s->needs_creators = match_mentions(s->filter, CHANNEL_CREATED_BY);
	s->needs_last = match_mentions(s->filter, CHANNEL_LAST_MESSAGE_AT) ||
			match_mentions(s->filter, CHANNEL_LAST_UPDATED);
	return true;
}

static void
scan_fini(struct scan *s)
{
	arena_fini(&s->compiled);
	arena_fini(&s->slice);
	arena_fini(&s->kept);
}

/* Puts what stands in channel templates into the channels. */
static bool
complete(struct scan *s, struct channel *channels, size_t n, struct err *e)
{
	if (!s->needs_origins)
		return true;
	if (s->kept.used > ORIGINS_MAX) {
		arena_reset(&s->kept);
		channel_origins_init(&s->origins, &s->kept);
	}
	return channel_origins_give(&s->origins, s->db, channels, n, e);
}

/* Adds the ids of the creators. */
static bool
look_up_creators(struct scan *s, struct channel_look *looks, size_t n, struct err *e)
{
	int64_t *uids = arena_array(&s->slice, n + 1, sizeof(*uids));
	struct col cols[] = {COL_INTS(uids)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;

	for (size_t i = 0; i < n; i++)
		uids[i] = looks[i].channel->creator;
	if (!db_query(s->db, SQL_USER_IDS, NO_ARGS, &bulk, &r, e))
		return false;
	while (rows_next(&r))
		looks[row_int(&r, 0)].creator_id = arena_dup(&s->slice, row_str(&r, 1));
	return rows_end(&r, e);
}

/* Adds the times of the newest messages that are not cut off. */
static bool
look_up_last(struct scan *s, struct channel_look *looks, size_t n, struct err *e)
{
	int64_t *nos = arena_array(&s->slice, n + 1, sizeof(*nos));
	int64_t *last = arena_array(&s->slice, n + 1, sizeof(*last));

	for (size_t i = 0; i < n; i++)
		nos[i] = looks[i].channel->no;
	if (!channel_last_messages(s->db, nos, n, last, e))
		return false;
	for (size_t i = 0; i < n; i++)
		if (last[i] > looks[i].channel->truncated_at)
			looks[i].last_message_at = last[i];
	return true;
}

/* What tests of ${channels}, at most SLICE, may need; in the slice's arena. */
static bool
look_at(struct scan *s, struct channel *channels, size_t n, struct channel_look **out,
	struct err *e)
{
	static const struct member nobody;

	*out = arena_array(&s->slice, n + 1, sizeof(**out));
	for (size_t i = 0; i < n; i++)
		(*out)[i] = (struct channel_look){.db = s->db,
			.arena = &s->slice,
			.channel = &channels[i],
			.me = &nobody,
			.last_message_at = NO_TIME};
	return complete(s, channels, n, e) &&
	       (!s->needs_creators || n == 0 || look_up_creators(s, *out, n, e)) &&
	       (!s->needs_last || look_up_last(s, *out, n, e));
}

static bool
passes(struct scan *s, const struct channel_look *look, bool *out, struct err *e)
{
	struct arena_mark mark = arena_mark(&s->slice);
	bool ok;

	*out = false;
	if (look->channel->deleted_at != NO_TIME)
		return true;
	ok = match_test(s->filter, channel_meets, look, out, e);
	arena_rewind(&s->slice, mark);
	return ok;
}

/* Tests the candidates that were collected and gives those that pass. */
static bool
flush(struct scan *s, struct err *e)
{
	struct channel_look *looks;
	struct channel *channels;
	size_t n;

	arena_reset(&s->slice);
	if (!channel_by_nos(s->db, &s->slice, s->nos, s->n, &channels, &n, e) ||
		!look_at(s, channels, n, &looks, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		bool hit;

		if (!passes(s, &looks[i], &hit, e) ||
			(hit && !s->visit(s->arg, &channels[i], e)))
			return false;
	}
	s->n = 0;
	return true;
}

static bool
consider(struct scan *s, int64_t no, struct err *e)
{
	s->nos[s->n++] = no;
	return s->n < SLICE || flush(s, e);
}

/* ---- candidates ------------------------------------------------------------------------- */

static bool
scan_set(struct scan *s, const struct channel_set *set, struct err *e)
{
	struct channel_walk walk;
	int64_t no;
	bool ok = true;

	channel_walk_init(&walk, set);
	while (ok && (no = channel_walk_next(&walk)) >= 0)
		ok = consider(s, no, e);
	channel_walk_fini(&walk);
	return ok && flush(s, e);
}

/* In pages, so that other statements can run in between. */
static bool
scan_table(struct scan *s, struct err *e)
{
	int64_t last = 0;
	bool more = true;

	while (more) {
		struct rows r;

		if (!db_query(s->db, SQL_SCAN_CHANNELS, ARGS(V_INT(last), V_INT(SLICE)),
			    NO_BULK, &r, e))
			return false;
		while (rows_next(&r))
			s->nos[s->n++] = last = row_int(&r, 0);
		more = s->n == SLICE;
		if (!rows_end(&r, e) || !flush(s, e))
			return false;
	}
	return true;
}

static bool
find_id(struct scan *s, struct str type, struct str id, struct channel_set *out, struct err *e)
{
	struct channel hit;
	bool found;

	arena_reset(&s->slice);
	if (!channel_find(s->db, &s->slice, type, id, &hit, &found, e))
		return false;
	if (found)
		channel_set_add(out, hit.no);
	return true;
}

static bool
find_cid(struct scan *s, struct str cid, struct channel_set *out, struct err *e)
{
	size_t colon = str_find(cid, ':', 0);

	return colon == cid.n || find_id(s, str_sub(cid, 0, colon),
					 str_sub(cid, colon + 1, cid.n - colon - 1), out, e);
}

static bool
find_ids(struct scan *s, const struct match *types, const struct match *ids,
	struct channel_set *out, struct err *e)
{
	for (size_t i = 0; i < types->nvalues; i++)
		for (size_t k = 0; k < ids->nvalues; k++)
			if (!find_id(s, types->values[i].s, ids->values[k].s, out, e))
				return false;
	return true;
}

/* What can match, when the filter tells; *narrow false: anything can. */
static bool
candidates(struct scan *s, struct channel_set *out, bool *narrow, struct err *e)
{
	const struct match *cids = match_required(s->filter, CHANNEL_CID);
	const struct match *ids = match_required(s->filter, CHANNEL_ID);
	const struct match *types = match_required(s->filter, CHANNEL_TYPE);
	const struct match *members = match_required(s->filter, CHANNEL_MEMBERS);

	*narrow = true;
	if (cids != NULL) {
		for (size_t i = 0; i < cids->nvalues; i++)
			if (!find_cid(s, cids->values[i].s, out, e))
				return false;
		return true;
	}
	if (ids != NULL && types != NULL)
		return find_ids(s, types, ids, out, e);
	*narrow = members != NULL;
	/* Of a whole set any one will do; 0: nobody. */
	for (size_t i = 0; members != NULL && i < members->nvalues; i++) {
		if (members->values[i].i != 0 &&
			!channel_scan_member(s->db, members->values[i].i, out, e))
			return false;
		if (members->op == OP_EQ)
			break;
	}
	return true;
}

static bool
run(struct scan *s, struct err *e)
{
	struct channel_set set;
	bool narrow, ok;

	channel_set_init(&set);
	ok = candidates(s, &set, &narrow, e) &&
	     (narrow ? scan_set(s, &set, e) : scan_table(s, e));
	channel_set_fini(&set);
	return ok;
}

/* ---- exported --------------------------------------------------------------------------- */

bool
channel_scan(
	struct db *db, const json_t *filter, channel_visit_fn visit, void *arg, struct err *e)
{
	struct scan s = {.visit = visit, .arg = arg};
	bool ok = scan_init(&s, db, filter, e) && run(&s, e);

	scan_fini(&s);
	return ok;
}

bool
channel_scan_one(
	struct db *db, const json_t *filter, const struct channel *c, bool *out, struct err *e)
{
	struct channel whole = *c;
	struct channel_look *look;
	struct scan s = {0};
	bool ok;

	ok = scan_init(&s, db, filter, e) && look_at(&s, &whole, 1, &look, e) &&
	     passes(&s, look, out, e);
	scan_fini(&s);
	return ok;
}
