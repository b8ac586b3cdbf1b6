/* channel_query – lists of channels: candidates from an index, tested, sorted, cut to a page.
 *
 * Candidates are found, in this order, by cid, by id, through members, or among all; at
 * most CHANNEL_MAX_CANDIDATES.  The channels of a user are the derived ones of his own
 * number, those where he has a row, and those that his campaigns made: these can be
 * millions, so they are walked from the newest message backwards until there are enough.
 * They are looked at slice by slice, so that no more than sort keys is kept of each. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "domain/channel.h"
#include "domain/channel_filter.h"
#include "domain/channel_origin.h"
#include "domain/channel_type.h"
#include "domain/unread.h"
#include "domain/user.h"
#include "store/db.h"

#define MAX_ORIGINS 1000 /* campaigns of a user that are walked */
#define MAX_BATCHES 1000
/* Channels beyond the page that a walk still collects, for what tests take away. */
#define WALK_AHEAD 1024
/* Channels in memory at a time, and the bytes that they may take. */
#define SLICE       200
#define SLICE_FIRST ((size_t)256 << 10)
#define SLICE_CAP   ((size_t)32 << 20)

/* ---- candidates ----------------------------------------------------------------------- */

struct candidates {
	struct db *db;
	struct arena *arena;
	struct buf nos;
	size_t max;
	struct err *e;
};

static size_t
count(const struct candidates *c)
{
	return c->nos.n / sizeof(int64_t);
}

static void
add(struct candidates *c, int64_t no)
{
	if (count(c) < c->max)
		buf_add(&c->nos, &no, sizeof(no));
}

/* Adds the numbers that a statement gives. */
static bool
add_rows(struct candidates *c, enum sql_id sql, struct args args)
{
	struct rows r;

	if (!db_query(c->db, sql, args, NO_BULK, &r, c->e))
		return false;
	while (rows_next(&r))
		add(c, row_int(&r, 0));
	return rows_end(&r, c->e);
}

/* Adds the channel when there is one; nothing else of the search stays. */
static bool
add_found(struct candidates *c, struct str type, struct str id)
{
	struct arena_mark mark = arena_mark(c->arena);
	struct channel hit;
	bool found, ok = channel_find(c->db, c->arena, type, id, &hit, &found, c->e);

	arena_rewind(c->arena, mark);
	if (ok && found)
		add(c, hit.no);
	return ok;
}

static bool
add_cids(struct candidates *c, const struct str *cids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t colon = str_find(cids[i], ':', 0);

		if (colon < cids[i].n &&
			!add_found(c, str_sub(cids[i], 0, colon),
				str_sub(cids[i], colon + 1, cids[i].n - colon - 1)))
			return false;
	}
	return true;
}

static bool
all_types(struct candidates *c, struct str **out, size_t *n)
{
	struct channel_type *types;

	if (!channel_type_list(c->db, c->arena, &types, n, c->e))
		return false;
	*out = arena_array(c->arena, *n, sizeof(**out));
	for (size_t i = 0; i < *n; i++)
		(*out)[i] = types[i].name;
	return true;
}

static bool
add_ids(struct candidates *c, const struct str *ids, size_t n, struct str *types, size_t ntypes)
{
	if (ntypes == 0 && !all_types(c, &types, &ntypes))
		return false;
	for (size_t i = 0; i < n * ntypes; i++)
		if (!add_found(c, types[i % ntypes], ids[i / ntypes]))
			return false;
	return true;
}

/* Of any channel at least one member is found this way. */
static bool
add_by_number_and_rows(struct candidates *c, int64_t uid)
{
	return add_rows(c, SQL_CHANNEL_OF_HOME,
		       ARGS(V_INT(CHANNEL_NO(uid, 0)), V_INT(CHANNEL_NO(uid, FORM_MAX)))) &&
	       add_rows(c, SQL_CHANNEL_OF_MEMBER,
		       ARGS(V_INT(uid), V_INT(CHANNEL_MAX_CANDIDATES)));
}

static int
cmp_descending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x < y) - (x > y);
}

/* The campaigns whose channels the user is in without a row, newest first. */
static bool
origins_of(struct candidates *c, int64_t uid, int64_t **out, size_t *n)
{
	struct candidates list = {.db = c->db, .arena = c->arena, .max = SIZE_MAX, .e = c->e};
	struct str pattern;
	struct user u;
	struct rows r;

	buf_init(&list.nos, c->arena, 256);
	if (!user_by_uid(c->db, c->arena, uid, &u, c->e) ||
		!add_rows(&list, SQL_CHANNEL_ORIGINS_OF_SENDER,
			ARGS(V_INT(uid), V_INT(MAX_ORIGINS))))
		return false;
	pattern = arena_printf(c->arena, "%%\"%.*s\"%%", STR_ARG(u.id));
	if (!db_query(c->db, SQL_CHANNEL_ORIGINS_OF_MEMBER,
		    ARGS(V_TEXT(pattern), V_INT(MAX_ORIGINS)), NO_BULK, &r, c->e))
		return false;
	while (rows_next(&r))
		if (channel_template_names(c->arena, row_str(&r, 1), u.id, NULL))
			add(&list, row_int(&r, 0));
	*out = (int64_t *)(void *)list.nos.p;
	*n = count(&list);
	qsort(*out, *n, sizeof(**out), cmp_descending);
	return rows_end(&r, c->e);
}

static bool
add_of_campaign(struct candidates *c, int64_t campaign, size_t *batches, size_t *looked)
{
	struct rows r;
	struct buf list;
	const int64_t *range;

	buf_init(&list, c->arena, 64 * sizeof(int64_t));
	if (!db_query(c->db, SQL_CHANNEL_BATCHES,
		    ARGS(V_INT(campaign), V_INT((int64_t)(MAX_BATCHES - *batches))), NO_BULK,
		    &r, c->e))
		return false;
	while (rows_next(&r)) {
		int64_t both[] = {row_int(&r, 0), row_int(&r, 0) + row_int(&r, 1)};

		buf_add(&list, both, sizeof(both));
		++*batches;
	}
	if (!rows_end(&r, c->e))
		return false;
	range = (const int64_t *)(const void *)list.p;
	for (size_t i = 0; i < list.n / sizeof(int64_t); i += 2) {
		size_t before = count(c);

		if (before >= c->max || *looked >= CHANNEL_MAX_CANDIDATES)
			break;
		if (!add_rows(c, SQL_CHANNEL_OF_KEYS,
			    ARGS(V_INT(range[i]), V_INT(range[i + 1]),
				    V_INT(CHANNEL_MAX_CANDIDATES - (int64_t)*looked))))
			return false;
		*looked += count(c) - before;
	}
	return true;
}

/* Adds up to ${max} channels of the campaigns that speak for the user. */
static bool
walk_campaigns(struct candidates *c, int64_t uid, size_t max)
{
	size_t n, batches = 0, looked = 0, all = c->max;
	int64_t *origins;
	bool ok = true;

	if (!origins_of(c, uid, &origins, &n))
		return false;
	c->max = MIN_OF(all, count(c) + max);
	for (size_t i = 0; i < n && ok && batches < MAX_BATCHES && count(c) < c->max; i++)
		ok = add_of_campaign(c, origins[i], &batches, &looked);
	c->max = all;
	return ok;
}

/* The texts that every match has one of at a field. */
static size_t
required_texts(const struct candidates *c, const struct match *f, int which, struct str **out)
{
	const struct match *hit = match_required(f, which);
	size_t n = hit ? hit->nvalues : 0;

	*out = arena_array(c->arena, n + 1, sizeof(**out));
	for (size_t i = 0; i < n; i++)
		(*out)[i] = hit->values[i].s;
	return n;
}

/* The users of whom every match has one, or, when *whole, all. */
static size_t
required_members(const struct candidates *c, const struct match *f, int64_t **out, bool *whole)
{
	const struct match *hit = match_required(f, CHANNEL_MEMBERS);
	size_t n = hit ? hit->nvalues : 0;

	*whole = hit != NULL && hit->op == OP_EQ;
	*out = arena_array(c->arena, n + 1, sizeof(**out));
	for (size_t i = 0; i < n; i++)
		(*out)[i] = hit->values[i].i;
	return n;
}

/* Collects what can match; ${walk}: how many of a user's campaign channels are enough. */
static bool
collect(struct candidates *c, const struct channel_query *q, const struct match *f, size_t walk)
{
	struct str *texts, *types;
	size_t n, ntypes;
	int64_t *uids;
	bool whole = false;

	n = required_texts(c, f, CHANNEL_CID, &texts);
	if (n > 0)
		return add_cids(c, texts, n);
	n = required_texts(c, f, CHANNEL_ID, &texts);
	ntypes = required_texts(c, f, CHANNEL_TYPE, &types);
	if (n > 0)
		return add_ids(c, texts, n, types, ntypes);
	n = required_members(c, f, &uids, &whole);
	if (n == 0 && q->members_only) {
		uids[0] = q->viewer;
		n = 1;
	}
	for (size_t i = 0; i < n; i++) {
		if (uids[i] == 0)
			continue;
		if (!add_by_number_and_rows(c, uids[i]) ||
			(!whole && !walk_campaigns(c, uids[i], walk)))
			return false;
	}
	return n > 0 || add_rows(c, SQL_CHANNEL_ANY, ARGS(V_INT(CHANNEL_MAX_CANDIDATES)));
}

/* ---- sort ------------------------------------------------------------------------------ */

struct sortable {
	struct match_key keys[MATCH_MAX_SORTS];
	const struct match_order *order;
	int64_t no;
	int64_t last_message_at;
};

/* Newest first, which is how a walk goes. */
static bool
is_newest_first(const struct match_order *o)
{
	int which = o->at[0].field->which;

	return o->descending[0] &&
	       (which == CHANNEL_LAST_UPDATED || which == CHANNEL_LAST_MESSAGE_AT ||
		       which == CHANNEL_CREATED_AT);
}

static bool
read_order(const json_t *sort, struct match_order *out, struct err *e)
{
	if (!match_read_order(sort, &channel_schema, "channels", MATCH_MAX_SORTS, out, e))
		return false;
	if (out->n == 0)
		*out = (struct match_order){
			{match_find(&channel_schema, STR("last_updated"))}, {true}, 1};
	return true;
}

static int
cmp_sortable(const void *a, const void *b)
{
	const struct sortable *x = a, *y = b;
	int c = match_order_cmp(x->order, x->keys, y->keys);

	return c != 0 ? c : (x->no < y->no) - (x->no > y->no);
}

/* ---- the query --------------------------------------------------------------------------- */

struct query {
	const struct channel_query *ask;
	struct db *db;
	struct arena *arena;
	struct arena slice; /* emptied slice by slice */
	struct channel_origins origins;
	struct match_order order;
	struct match *filter;
	bool hidden_too, needs_origins, needs_creators, needs_unread;
	struct sortable *found;
	size_t nfound;
	struct channel_hit *hits; /* the page */
	size_t nhits;
};

/* Tests one candidate; keeps it with its sort keys when it passes. */
static bool
consider(struct query *q, const struct channel_look *l, struct err *e)
{
	struct sortable *hit = &q->found[q->nfound];
	struct arena_mark mark = arena_mark(&q->slice);
	bool passes, ok;

	if (l->channel->deleted_at != NO_TIME || (q->ask->members_only && l->me->uid == 0) ||
		(q->ask->without_team && l->channel->team.p != NULL))
		return true;
	if (!q->hidden_too && l->me->uid != 0 && l->me->hidden_at != NO_TIME)
		return true;
	ok = match_test(q->filter, channel_meets, l, &passes, e);
	arena_rewind(&q->slice, mark);
	if (!ok || !passes)
		return ok;
	*hit = (struct sortable){.order = &q->order, .no = l->channel->no};
	hit->last_message_at = l->last_message_at;
	for (size_t i = 0; i < q->order.n; i++) {
		struct match_key *key = &hit->keys[i];

		if (!channel_sort_key(l, &q->order.at[i], key, e))
			return false;
		if (key->type == KEY_TEXT)
			key->s = arena_dup(q->arena, key->s);
	}
	q->nfound++;
	return arena_check(q->arena, e);
}

/* Adds the ids of the creators. */
static bool
look_up_creators(struct query *q, struct channel_look *looks, size_t n, struct err *e)
{
	int64_t *uids = arena_array(&q->slice, n + 1, sizeof(*uids));
	struct col cols[] = {COL_INTS(uids)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;

	for (size_t i = 0; i < n; i++)
		uids[i] = looks[i].channel->creator;
	if (!db_query(q->db, SQL_USER_IDS, NO_ARGS, &bulk, &r, e))
		return false;
	while (rows_next(&r))
		looks[row_int(&r, 0)].creator_id = arena_dup(&q->slice, row_str(&r, 1));
	return rows_end(&r, e);
}

/* Adds how much the viewer has not read. */
static bool
look_up_unread(struct query *q, struct channel_look *looks, size_t n, struct err *e)
{
	int64_t *all = arena_array(&q->slice, 4 * n + 1, sizeof(*all));
	int64_t *nos = all, *uids = all + n, *since = all + 2 * n, *counts = all + 3 * n;
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (looks[i].me->uid == 0)
			continue;
		nos[k] = looks[i].channel->no;
		uids[k] = looks[i].me->uid;
		since[k++] = MAX_OF(unread_since(looks[i].channel, looks[i].me), INT64_MIN + 1);
	}
	if (!unread_counts(q->db, nos, uids, since, k, counts, e))
		return false;
	k = 0;
	for (size_t i = 0; i < n; i++)
		if (looks[i].me->uid != 0)
			looks[i].unread = counts[k++];
	return true;
}

static bool
consider_slice(struct query *q, int64_t *nos, size_t n, struct err *e)
{
	struct arena *a = &q->slice;
	struct channel_look *looks;
	struct channel *channels;
	struct member *mine;
	int64_t *last;
	size_t found;

	if (!channel_by_nos(q->db, a, nos, n, &channels, &found, e) ||
		(q->needs_origins &&
			!channel_origins_give(&q->origins, q->db, channels, found, e)))
		return false;
	last = arena_array(a, found + 1, sizeof(*last));
	mine = arena_zalloc(a, (found + 1) * sizeof(*mine));
	looks = arena_array(a, found + 1, sizeof(*looks));
	for (size_t i = 0; i < found; i++)
		nos[i] = channels[i].no;
	if (!channel_last_messages(q->db, nos, found, last, e) ||
		(q->ask->viewer != 0 && !channel_member_in_many(q->db, a, channels, found,
						q->ask->viewer, mine, e)))
		return false;
	for (size_t i = 0; i < found; i++)
		looks[i] = (struct channel_look){.db = q->db,
			.arena = a,
			.channel = &channels[i],
			.me = &mine[i],
			.last_message_at =
				last[i] > channels[i].truncated_at ? last[i] : NO_TIME};
	if ((q->needs_creators && !look_up_creators(q, looks, found, e)) ||
		(q->needs_unread && !look_up_unread(q, looks, found, e)))
		return false;
	for (size_t i = 0; i < found; i++)
		if (!consider(q, &looks[i], e))
			return false;
	return true;
}

static bool
consider_all(struct query *q, int64_t *nos, size_t n, struct err *e)
{
	q->found = arena_array(q->arena, n + 1, sizeof(*q->found));
	q->nfound = 0;
	for (size_t i = 0; i < n; i += SLICE) {
		arena_reset(&q->slice);
		if (!consider_slice(q, nos + i, MIN_OF(n - i, (size_t)SLICE), e))
			return false;
	}
	return true;
}

/* Loads the page asked for out of what was found. */
static bool
load_page(struct query *q, struct err *e)
{
	size_t first = MIN_OF((size_t)q->ask->offset, q->nfound);
	size_t n = MIN_OF((size_t)q->ask->limit, q->nfound - first);
	int64_t *nos = arena_array(q->arena, n + 1, sizeof(*nos));
	struct sortable *shown = q->found + first;
	struct channel *channels;

	qsort(q->found, q->nfound, sizeof(*q->found), cmp_sortable);
	for (size_t i = 0; i < n; i++)
		nos[i] = shown[i].no;
	if (!channel_by_nos(q->db, q->arena, nos, n, &channels, &n, e) ||
		!channel_origins_give(&q->origins, q->db, channels, n, e))
		return false;
	q->hits = arena_array(q->arena, n + 1, sizeof(*q->hits));
	q->nhits = n;
	for (size_t i = 0; i < n; i++)
		q->hits[i] = (struct channel_hit){channels[i], shown[i].last_message_at};
	return true;
}

static bool
run(struct db *db, void *arg, struct err *e)
{
	struct query *q = arg;
	struct candidates c = {.db = db, .arena = q->arena, .max = CHANNEL_MAX_CANDIDATES};
	size_t walk = CHANNEL_MAX_CANDIDATES;
	int64_t *nos;

	c.e = e;
	q->db = db;
	channel_origins_init(&q->origins, q->arena);
	buf_init(&c.nos, q->arena, 512);
	if (is_newest_first(&q->order))
		walk = (size_t)(q->ask->offset + q->ask->limit) + WALK_AHEAD;
	if (!collect(&c, q->ask, q->filter, walk))
		return false;
	nos = (int64_t *)(void *)c.nos.p;
	return consider_all(q, nos, form_sort_uids(nos, count(&c)), e) && load_page(q, e);
}

/* What every slice must look up. */
static void
note_needs(struct query *q)
{
	q->hidden_too = match_mentions(q->filter, CHANNEL_HIDDEN);
	q->needs_creators = match_mentions(q->filter, CHANNEL_CREATED_BY);
	q->needs_unread = match_mentions(q->filter, CHANNEL_UNREAD_COUNT) ||
			  match_mentions(q->filter, CHANNEL_HAS_UNREAD) ||
			  match_order_mentions(&q->order, CHANNEL_UNREAD_COUNT) ||
			  match_order_mentions(&q->order, CHANNEL_HAS_UNREAD);
	q->needs_origins = channel_filter_needs_origin(q->filter);
	for (size_t i = 0; i < q->order.n; i++)
		q->needs_origins =
			q->needs_origins || channel_field_needs_origin(q->order.at[i].field);
}

bool
channel_query(struct db *db, struct arena *a, const struct channel_query *ask,
	struct channel_hit **out, size_t *n, struct err *e)
{
	struct query q = {.ask = ask, .arena = a};
	bool ok;

	*n = 0;
	if (!read_order(ask->sort, &q.order, e) ||
		!match_compile(db, a, ask->filter, &channel_schema, &q.filter, e))
		return false;
	note_needs(&q);
	arena_init(&q.slice, SLICE_FIRST, SLICE_CAP);
	ok = db_read(db, run, &q, e);
	arena_fini(&q.slice);
	*out = q.hits;
	*n = q.nhits;
	return ok;
}
