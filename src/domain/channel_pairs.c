/* channel_pairs – who is in many channels at once, and how many in each. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "domain/channel.h"
#include "domain/channel_members_impl.h"
#include "domain/channel_origin.h"
#include "store/db.h"

/* Whether his membership follows from the campaign; the channel is complete. */
static bool
follows(const struct channel *c, int64_t uid)
{
	return c->origin != 0 && (channel_is_home(c, uid) || channel_is_sender(c, uid) ||
					 channel_origin_find(c->from, uid) != NULL);
}

static void
add_pair(struct buf *pairs, size_t channel, int64_t uid)
{
	const struct channel_pair p = {channel, uid};

	buf_add(pairs, &p, sizeof(p));
}

/* Members of a complete channel that follow from the campaign, from a uid on; each once. */
static void
add_derived(const struct channel *c, size_t channel, int64_t from, struct buf *pairs)
{
	int64_t home = CHANNEL_HOME(c->no);

	if (c->origin == 0)
		return;
	if (channel_is_home(c, home) && home >= from)
		add_pair(pairs, channel, home);
	if (channel_is_sender(c, c->sender) && !channel_is_home(c, c->sender) &&
		c->sender >= from)
		add_pair(pairs, channel, c->sender);
	for (size_t i = 0; i < c->from->nknown; i++) {
		int64_t uid = c->from->by_uid[i]->uid;

		if (uid >= from && !channel_is_home(c, uid) && !channel_is_sender(c, uid))
			add_pair(pairs, channel, uid);
	}
}

static size_t
count_of(const struct buf *pairs)
{
	return pairs->n / sizeof(struct channel_pair);
}

static struct channel_pair *
list_of(const struct buf *pairs)
{
	return (struct channel_pair *)(void *)pairs->p;
}

int
channel_pair_cmp(const void *a, const void *b)
{
	const struct channel_pair *x = a, *y = b;

	if (x->channel != y->channel)
		return x->channel < y->channel ? -1 : 1;
	return (x->uid > y->uid) - (x->uid < y->uid);
}

static size_t
sort(const struct buf *pairs)
{
	size_t n = count_of(pairs);

	if (n > 1)
		qsort(list_of(pairs), n, sizeof(struct channel_pair), channel_pair_cmp);
	return n;
}

static int64_t *
numbers_of(struct arena *a, const struct channel *channels, size_t n)
{
	int64_t *nos = arena_array(a, n + 1, sizeof(*nos));

	for (size_t i = 0; i < n; i++)
		nos[i] = channels[i].no;
	return nos;
}

/* ---- who ------------------------------------------------------------------------------ */

/* Adds those whom rows make members; those whom the campaign does but who have left go to
 * ${left}. */
static bool
read_marks(struct db *db, struct arena *a, const struct channel *channels, size_t n,
	int64_t from, size_t max, struct buf *in, struct buf *left, struct err *e)
{
	int64_t *nos = numbers_of(a, channels, n);
	struct col cols[] = {COL_INTS(nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;

	if (!db_query(
		    db, SQL_MEMBER_MARKS, ARGS(V_INT(from), V_INT((int64_t)max)), &bulk, &r, e))
		return false;
	while (!arena_overflowed(a) && rows_next(&r)) {
		size_t i = (size_t)row_int(&r, 0);
		int64_t uid = row_int(&r, 1);
		bool is_derived = follows(&channels[i], uid), has_left = !row_null(&r, 3);

		if (is_derived && has_left)
			add_pair(left, i, uid);
		else if (!is_derived && !has_left && !row_null(&r, 2))
			add_pair(in, i, uid);
	}
	return rows_end(&r, e) && arena_check(a, e);
}

bool
channel_pairs(struct db *db, struct arena *a, const struct channel *channels, size_t n,
	int64_t from, size_t max, struct channel_pair **out, size_t *nout, struct err *e)
{
	struct buf in, left;
	struct channel_pair *all, *gone;
	size_t nall, ngone, kept = 0, of_channel = 0;

	*nout = 0;
	if (n == 0)
		return true;
	buf_init(&in, a, 4 * n * sizeof(*all));
	buf_init(&left, a, sizeof(*gone));
	for (size_t i = 0; i < n; i++)
		add_derived(&channels[i], i, from, &in);
	if (!read_marks(db, a, channels, n, from, max, &in, &left, e))
		return false;
	nall = sort(&in);
	ngone = sort(&left);
	all = list_of(&in);
	gone = list_of(&left);
	for (size_t i = 0, k = 0; i < nall; i++) {
		if (i == 0 || all[i].channel != all[i - 1].channel)
			of_channel = 0;
		while (k < ngone && channel_pair_cmp(&gone[k], &all[i]) < 0)
			k++;
		if (k < ngone && channel_pair_cmp(&gone[k], &all[i]) == 0)
			continue;
		/* Rows behind these were not read. */
		if (of_channel++ < max)
			all[kept++] = all[i];
	}
	*out = all;
	*nout = kept;
	return true;
}

/* ---- how many -------------------------------------------------------------------------- */

/* Counts those whom the campaign makes members, without those whose rows say all of them. */
static bool
count_derived(struct db *db, struct arena *a, const struct channel *channels, size_t n,
	int64_t *out, struct err *e)
{
	int64_t *nos, *uids;
	struct col cols[2];
	struct bulk bulk = {cols, ARRAY_LEN(cols), 0};
	struct channel_pair *all;
	struct buf derived;
	struct rows r;
	size_t nall;

	buf_init(&derived, a, 4 * n * sizeof(*all));
	for (size_t i = 0; i < n; i++)
		add_derived(&channels[i], i, INT64_MIN, &derived);
	all = list_of(&derived);
	nall = count_of(&derived);
	if (nall == 0)
		return arena_check(a, e);
	nos = arena_array(a, 2 * nall, sizeof(*nos));
	uids = nos + nall;
	cols[0] = COL_INTS(nos);
	cols[1] = COL_INTS(uids);
	bulk.nrows = nall;
	for (size_t i = 0; i < nall; i++) {
		nos[i] = channels[all[i].channel].no;
		uids[i] = all[i].uid;
		out[all[i].channel]++;
	}
	if (!db_query(db, SQL_MEMBER_MARKS_OF_PAIRS, NO_ARGS, &bulk, &r, e))
		return false;
	/* Who has left is in it no longer; who has a role was counted among the rows. */
	while (rows_next(&r))
		out[all[row_int(&r, 0)].channel] -= !row_null(&r, 1) || !row_null(&r, 2);
	return rows_end(&r, e);
}

bool
channel_member_counts(struct db *db, struct arena *a, const struct channel *channels, size_t n,
	int64_t *out, struct err *e)
{
	int64_t *nos = numbers_of(a, channels, n);
	struct col cols[] = {COL_INTS(nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;

	if (n == 0)
		return true;
	if (!db_query(db, SQL_MEMBER_COUNTS, NO_ARGS, &bulk, &r, e))
		return false;
	while (rows_next(&r))
		out[row_int(&r, 0)] = row_int(&r, 1);
	return rows_end(&r, e) && count_derived(db, a, channels, n, out, e);
}

bool
channel_count_pairs(struct db *db, struct arena *a, const struct channel *channels, size_t n,
	const struct channel_pair *pairs, size_t npairs, size_t max, int64_t *out,
	struct err *e)
{
	struct channel *large;
	int64_t *counts;
	size_t *whose, nlarge = 0;

	for (size_t i = 0; i < n; i++)
		out[i] = 0;
	for (size_t i = 0; i < npairs; i++)
		out[pairs[i].channel]++;
	for (size_t i = 0; i < n; i++)
		nlarge += out[i] == (int64_t)max;
	if (nlarge == 0)
		return true;
	large = arena_array(a, nlarge, sizeof(*large));
	whose = arena_array(a, nlarge, sizeof(*whose));
	counts = arena_array(a, nlarge, sizeof(*counts));
	nlarge = 0;
	for (size_t i = 0; i < n; i++)
		if (out[i] == (int64_t)max) {
			large[nlarge] = channels[i];
			whose[nlarge++] = i;
		}
	if (!channel_member_counts(db, a, large, nlarge, counts, e))
		return false;
	for (size_t i = 0; i < nlarge; i++)
		out[whose[i]] = counts[i];
	return true;
}

bool
channel_are_pairs(struct db *db, struct arena *a, const struct channel *channels, size_t n,
	int64_t uid, bool *out, struct err *e)
{
	size_t *counts = arena_zalloc(a, (n + 1) * sizeof(*counts)), npairs;
	struct channel_pair *pairs;

	/* A third says that it is none. */
	if (!channel_pairs(db, a, channels, n, INT64_MIN, 3, &pairs, &npairs, e))
		return false;
	for (size_t i = 0; i < n; i++)
		out[i] = false;
	for (size_t i = 0; i < npairs; i++) {
		counts[pairs[i].channel]++;
		out[pairs[i].channel] |= pairs[i].uid == uid;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = out[i] && counts[i] == 2;
	return true;
}
