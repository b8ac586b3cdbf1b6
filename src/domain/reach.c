/* reach – whom a campaign to channels has reached. */
#include "domain/reach.h"

#include <assert.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "domain/bitset.h"
#include "domain/channel.h"
#include "domain/channel_origin.h"
#include "domain/uidset.h"
#include "store/db.h"

/* uids of one change of a stored set. */
#define SLICE 65536

bool
reach_get(struct db *db, int64_t campaign, struct reach *out, struct err *e)
{
	struct rows r;

	*out = (struct reach){0};
	if (!db_query(db, SQL_REACH_GET, ARGS(V_INT(campaign)), NO_BULK, &r, e))
		return false;
	if (rows_next(&r))
		*out = (struct reach){row_int(&r, 0), row_int(&r, 1), row_int(&r, 2)};
	return rows_end(&r, e);
}

bool
reach_begin(struct db *w, int64_t campaign, struct err *e)
{
	int64_t set;

	/* Set numbers are shared with segments. */
	return db_take(w, COUNTER_SEGMENT, 2, &set, e) &&
	       db_exec(w, SQL_REACH_BEGIN, ARGS(V_INT(campaign), V_INT(set), V_INT(set + 1)),
		       NO_BULK, NULL, e);
}

/* ---- who is in channels ------------------------------------------------------------------ */

/* Somebody has left a channel that he would be in because of its campaign. */
struct leave {
	int64_t channel; /* its index */
	int64_t uid;
};

struct collecting {
	const struct channel *channels;
	size_t n;
	struct leave *left; /* sorted */
	size_t nleft;
	struct bitset *out;
};

static int
cmp_leaves(const void *a, const void *b)
{
	const struct leave *x = a, *y = b;

	if (x->channel != y->channel)
		return (x->channel > y->channel) - (x->channel < y->channel);
	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* Members by a row; a row of somebody who is in it anyway says no more. */
static bool
collect_rows(struct db *db, struct arena *a, struct collecting *c, struct err *e)
{
	int64_t *nos = arena_array(a, c->n, sizeof(*nos));
	struct col cols[] = {COL_INTS(nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), c->n};
	struct buf left;
	struct rows r;

	for (size_t i = 0; i < c->n; i++)
		nos[i] = c->channels[i].no;
	buf_init(&left, a, 16 * sizeof(struct leave));
	if (!db_query(db, SQL_SCAN_MEMBERS, NO_ARGS, &bulk, &r, e))
		return false;
	while (rows_next(&r)) {
		struct leave l = {row_int(&r, 0), row_int(&r, 1)};

		if (row_null(&r, 2))
			bitset_add(c->out, l.uid);
		else
			buf_add(&left, &l, sizeof(l));
	}
	c->left = (struct leave *)(void *)left.p;
	c->nleft = left.n / sizeof(struct leave);
	if (c->nleft > 1)
		qsort(c->left, c->nleft, sizeof(*c->left), cmp_leaves);
	return rows_end(&r, e);
}

static void
collect_one(struct collecting *c, size_t i, int64_t uid)
{
	struct leave key = {(int64_t)i, uid};

	if (uid != 0 && (c->nleft == 0 || bsearch(&key, c->left, c->nleft, sizeof(key),
						  cmp_leaves) == NULL))
		bitset_add(c->out, uid);
}

/* Members that follow from the campaign that made the channel.  Those its template names are
 * the same in the next channel of the campaign, which then need not add them again. */
static void
collect_derived(struct collecting *c)
{
	const struct channel_origin *last = NULL;

	for (size_t i = 0; i < c->n; i++) {
		const struct channel *ch = &c->channels[i];

		if (ch->origin == 0)
			continue;
		assert(ch->from != NULL);
		if (CHANNEL_FORM(ch->no) != 0)
			collect_one(c, i, CHANNEL_HOME(ch->no));
		if (ch->sender_is_member)
			collect_one(c, i, ch->sender);
		for (size_t k = 0; (ch->from != last || c->nleft > 0) && k < ch->from->nknown;
			k++)
			collect_one(c, i, ch->from->by_uid[k]->uid);
		last = ch->from;
	}
}

bool
reach_members(struct db *db, struct arena *a, const struct channel *channels, size_t n,
	struct bitset *out, struct err *e)
{
	struct collecting c = {.channels = channels, .n = n, .out = out};

	if (n == 0)
		return true;
	if (!collect_rows(db, a, &c, e))
		return false;
	collect_derived(&c);
	return true;
}

/* ---- noting ------------------------------------------------------------------------------ */

bool
reach_add(struct db *w, struct arena *a, int64_t campaign, const int64_t *uids, size_t n,
	int64_t now, struct err *e)
{
	int64_t added, total = 0;
	struct reach reach;

	if (n == 0)
		return true;
	if (!reach_get(w, campaign, &reach, e))
		return false;
	for (size_t i = 0; i < n; i += SLICE) {
		if (!uidset_add(w, a, reach.reach_set, uids + i, MIN_OF(n - i, (size_t)SLICE),
			    now, &added, e))
			return false;
		total += added;
	}
	return total == 0 || db_exec(w, SQL_REACH_GROW, ARGS(V_INT(campaign), V_INT(total)),
				     NO_BULK, NULL, e);
}

bool
reach_read(struct db *w, struct arena *a, const struct reach *reach, int64_t uid, int64_t now,
	bool *first, struct err *e)
{
	int64_t added = 0;
	bool reached;

	*first = false;
	if (!uidset_has(w, reach->reach_set, uid, &reached, e))
		return false;
	if (!reached)
		return true;
	if (!uidset_add(w, a, reach->read_set, &uid, 1, now, &added, e))
		return false;
	*first = added == 1;
	return true;
}
