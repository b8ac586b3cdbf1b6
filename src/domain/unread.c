/* unread – counting what members have not read. */
#include "domain/unread.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "domain/channel.h"
#include "store/db.h"

/* A channel of a user with messages behind his mark. */
struct candidate {
	size_t user; /* its place among the users */
	int64_t since;
	struct unread_channel channel;
};

int64_t
unread_since(const struct channel *c, const struct member *m)
{
	/* Not last_read: what has an earlier time but was committed later was not seen. */
	int64_t since = m->read_upto;

	/* Who never read: those before he joined do not count. */
	if (since == NO_TIME && m->created_at > c->created_at)
		since = m->created_at - 1;
	return MAX_OF(since, channel_floor(c, m));
}

bool
unread_counts(struct db *db, const int64_t *channels, const int64_t *uids, const int64_t *since,
	size_t n, int64_t *out, struct err *e)
{
	struct col cols[] = {COL_INTS(channels), COL_INTS(uids), COL_INTS(since)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;

	if (n == 0)
		return true;
	if (!db_query(db, SQL_UNREAD_COUNTS, ARGS(V_INT(UNREAD_MAX)), &bulk, &r, e))
		return false;
	while (rows_next(&r))
		out[row_int(&r, 0)] = row_int(&r, 1);
	return rows_end(&r, e);
}

bool
unread_count(struct db *db, const struct channel *c, const struct member *m, int64_t *out,
	struct err *e)
{
	int64_t since = MAX_OF(unread_since(c, m), INT64_MIN + 1);

	return unread_counts(db, &c->no, &m->uid, &since, 1, out, e);
}

/* ---- all channels of users --------------------------------------------------------------- */

/* Channels that have messages behind the mark. */
static bool
find_candidates(struct db *db, struct arena *a, const int64_t *uids, size_t n, int64_t max,
	struct candidate **out, size_t *nout, struct err *e)
{
	struct col cols[] = {COL_INTS(uids)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct buf list;
	struct rows r;

	buf_init(&list, a, 16 * sizeof(struct candidate));
	if (!db_query(db, SQL_UNREAD_CANDIDATES, ARGS(V_INT(max)), &bulk, &r, e))
		return false;
	while (rows_next(&r)) {
		struct channel c = {.no = row_int(&r, 1), .created_at = row_int(&r, 2)};
		struct member m = {.last_read = row_time(&r, 5), .read_upto = row_time(&r, 8)};
		struct candidate k = {.user = (size_t)row_int(&r, 0)};

		c.truncated_at = row_time(&r, 3);
		m.created_at = row_null(&r, 4) ? c.created_at : row_int(&r, 4);
		m.cleared_at = row_time(&r, 6);
		k.since = MAX_OF(unread_since(&c, &m), INT64_MIN + 1);
		k.channel.no = c.no;
		k.channel.last_read = m.last_read == NO_TIME ? m.created_at : m.last_read;
		k.channel.newest_at = row_time(&r, 7);
		if (k.channel.newest_at > k.since)
			buf_add(&list, &k, sizeof(k));
	}
	if (!rows_end(&r, e))
		return false;
	*out = (struct candidate *)(void *)list.p;
	*nout = list.n / sizeof(struct candidate);
	return arena_check(a, e);
}

/* By user, newest message first. */
static int
cmp_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->user != y->user)
		return x->user < y->user ? -1 : 1;
	if (x->channel.newest_at != y->channel.newest_at)
		return x->channel.newest_at > y->channel.newest_at ? -1 : 1;
	return (x->channel.no < y->channel.no) - (x->channel.no > y->channel.no);
}

static bool
count_candidates(struct db *db, struct arena *a, const int64_t *uids, struct candidate *list,
	size_t n, struct err *e)
{
	int64_t *columns = arena_array(a, 4 * n + 1, sizeof(*columns));
	int64_t *channels = columns, *users = columns + n, *since = columns + 2 * n,
		*counts = columns + 3 * n;

	for (size_t i = 0; i < n; i++) {
		channels[i] = list[i].channel.no;
		users[i] = uids[list[i].user];
		since[i] = list[i].since;
		counts[i] = 0;
	}
	if (!unread_counts(db, channels, users, since, n, counts, e))
		return false;
	for (size_t i = 0; i < n; i++)
		list[i].channel.count = counts[i];
	return true;
}

bool
unread_of_users(struct db *db, struct arena *a, const int64_t *uids, size_t n,
	struct unread *out, struct err *e)
{
	struct unread_channel *channels;
	struct candidate *list;
	size_t nlist;

	for (size_t i = 0; i < n; i++)
		out[i] = (struct unread){0};
	if (n == 0)
		return true;
	if (!find_candidates(db, a, uids, n, UNREAD_MAX_CHANNELS, &list, &nlist, e) ||
		!count_candidates(db, a, uids, list, nlist, e))
		return false;
	if (nlist > 1)
		qsort(list, nlist, sizeof(*list), cmp_candidates);
	channels = arena_array(a, nlist + 1, sizeof(*channels));
	for (size_t i = 0; i < nlist; i++) {
		struct unread *u = &out[list[i].user];

		if (list[i].channel.count == 0)
			continue;
		if (u->n == 0)
			u->list = channels;
		u->list[u->n++] = list[i].channel;
		u->messages += list[i].channel.count;
		channels++;
	}
	return true;
}

bool
unread_channels(
	struct db *db, struct arena *a, int64_t uid, int64_t **nos, size_t *n, struct err *e)
{
	struct candidate *list;

	if (!find_candidates(db, a, &uid, 1, UNREAD_ALL_CHANNELS, &list, n, e))
		return false;
	*nos = arena_array(a, *n + 1, sizeof(**nos));
	for (size_t i = 0; i < *n; i++)
		(*nos)[i] = list[i].channel.no;
	return true;
}
