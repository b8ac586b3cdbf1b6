/* read_note – the read bits of campaign batches, and the counts of their campaigns (I-7). */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/pack.h"
#include "base/str.h"
#include "domain/reach.h"
#include "domain/read_impl.h"
#include "store/db.h"

/* Campaign messages that one mark looks at, the newest ones. */
#define MAX_MESSAGES 4000
/* Batches in memory at a time. */
#define MAX_BATCHES 64

/* A batch whose bits change, or may. */
struct bits {
	int64_t campaign, first_key;
	struct str reads;
};

/* A campaign to channels, of which he has read a message. */
struct seen {
	int64_t campaign;
	struct reach reach;
};

static int
cmp_keys(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Runs a statement that gives a number per row of input; gathers the numbers, sorted, each
 * once. */
static bool
gather(struct db *w, struct arena *a, enum sql_id sql, struct args args,
	const struct bulk *bulk, int64_t **out, size_t *n, struct err *e)
{
	struct buf list;
	struct rows r;
	size_t all, kept = 0;

	*n = 0;
	if (!db_query(w, sql, args, bulk, &r, e))
		return false;
	buf_init(&list, a, 16 * sizeof(int64_t));
	while (rows_next(&r)) {
		int64_t number = row_int(&r, 0);

		buf_add(&list, &number, sizeof(number));
	}
	if (!rows_end(&r, e))
		return false;
	*out = (int64_t *)(void *)list.p;
	all = list.n / sizeof(int64_t);
	if (all > 1)
		qsort(*out, all, sizeof(**out), cmp_keys);
	for (size_t i = 0; i < all; i++)
		if (kept == 0 || (*out)[i] != (*out)[kept - 1])
			(*out)[kept++] = (*out)[i];
	*n = kept;
	return true;
}

/* Sets the user's bit of the batch at hand when his message is among ${keys}; *out tells
 * what becomes of the bits (p == NULL: nothing). */
static bool
set_bit(struct arena *a, struct rows *r, int64_t uid, const int64_t *keys, size_t nkeys,
	struct bits *out, struct err *e)
{
	size_t n = (size_t)row_int(r, 2), i = 0, nbytes = (n + 7) / 8;
	struct str reads = row_str(r, 4);
	int64_t *uids = arena_array(a, n + 1, sizeof(*uids)), key;
	char *bits = arena_zalloc(a, nbytes + 1);

	*out = (struct bits){.campaign = row_int(r, 0), .first_key = row_int(r, 1)};
	if (!pack_keys_read(row_str(r, 3), uids, n))
		return fail(e, ERR_BUG, "batch of campaign %lld: recipients are unreadable",
			(long long)out->campaign);
	while (i < n && uids[i] != uid)
		i++;
	key = out->first_key + (int64_t)i;
	if (i == n || bsearch(&key, keys, nkeys, sizeof(*keys), cmp_keys) == NULL)
		return true;
	if (reads.n > 0)
		memcpy(bits, reads.p, MIN_OF(reads.n, nbytes));
	if ((bits[i / 8] & 1 << i % 8) != 0)
		return true;
	bits[i / 8] |= (char)(1 << i % 8);
	out->reads = (struct str){bits, nbytes};
	return true;
}

static bool
store_bits(struct db *w, struct arena *a, const struct bits *bits, size_t n, struct err *e)
{
	int64_t *campaigns = arena_array(a, n + 1, sizeof(*campaigns));
	int64_t *firsts = arena_array(a, n + 1, sizeof(*firsts));
	struct str *reads = arena_array(a, n + 1, sizeof(*reads));
	struct col changed[] = {COL_INTS(firsts), COL_TEXTS(reads)},
		   counted[] = {COL_INTS(campaigns)};
	struct bulk rows = {changed, ARRAY_LEN(changed), n}, counts = {counted, 1, n};

	for (size_t i = 0; i < n; i++) {
		campaigns[i] = bits[i].campaign;
		firsts[i] = bits[i].first_key;
		reads[i] = bits[i].reads;
	}
	return n == 0 || (db_exec(w, SQL_READ_SET_BITS, NO_ARGS, &rows, NULL, e) &&
				 db_exec(w, SQL_READ_COUNT_USER, NO_ARGS, &counts, NULL, e));
}

/* Whether one of ${keys} is of the batch at hand. */
static bool
has_key(struct rows *r, const int64_t *keys, size_t nkeys)
{
	int64_t first = row_int(r, 1), end = first + row_int(r, 2);
	size_t lo = 0, hi = nkeys;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (keys[mid] < first)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < nkeys && keys[lo] < end;
}

/* Counts the reader in campaigns to channels, if he was in one of the channels when its message
 * was sent, and had read none. */
static bool
count_reader(struct db *w, struct arena *a, const struct seen *seen, size_t n, int64_t uid,
	struct err *e)
{
	int64_t *campaigns = arena_array(a, n + 1, sizeof(*campaigns)), now = clock_now_us();
	struct col col = COL_INTS(campaigns);
	struct bulk bulk = {&col, 1, 0};

	for (size_t i = 0; i < n; i++) {
		bool first;

		if (i > 0 && seen[i].campaign == seen[i - 1].campaign)
			continue;
		if (!reach_read(w, a, &seen[i].reach, uid, now, &first, e))
			return false;
		if (first)
			campaigns[bulk.nrows++] = seen[i].campaign;
	}
	return bulk.nrows == 0 || db_exec(w, SQL_READ_COUNT_USER, NO_ARGS, &bulk, NULL, e);
}

/* Looks at some batches, given by their first keys. */
static bool
note_batches(struct db *w, struct arena *a, const int64_t *firsts, size_t n, int64_t uid,
	const int64_t *keys, size_t nkeys, struct err *e)
{
	struct bits *bits = arena_array(a, n + 1, sizeof(*bits));
	struct seen *seen = arena_array(a, n + 1, sizeof(*seen));
	struct col cols[] = {COL_INTS(firsts)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;
	size_t nbits = 0, nseen = 0;
	bool ok = true;

	if (!db_query(w, SQL_READ_BATCHES, NO_ARGS, &bulk, &r, e))
		return false;
	while (ok && nbits + nseen < n && rows_next(&r)) {
		if (!row_null(&r, 5)) {
			seen[nseen] = (struct seen){
				row_int(&r, 0), {row_int(&r, 5), row_int(&r, 6), 0}};
			nseen += has_key(&r, keys, nkeys);
			continue;
		}
		ok = set_bit(a, &r, uid, keys, nkeys, &bits[nbits], e);
		nbits += ok && bits[nbits].reads.p != NULL;
	}
	return rows_end(&r, ok ? e : &(struct err){0}) && ok &&
	       store_bits(w, a, bits, nbits, e) && count_reader(w, a, seen, nseen, uid, e);
}

bool
read_note(struct db *w, struct arena *a, const struct read_ranges *ranges, int64_t uid,
	struct err *e)
{
	struct col in[] = {
		COL_INTS(ranges->channels), COL_INTS(ranges->from), COL_INTS(ranges->to)};
	struct bulk channels = {in, ARRAY_LEN(in), ranges->n}, bulk;
	int64_t *keys = NULL, *firsts = NULL;
	struct col col;
	size_t nkeys, nfirsts = 0;

	if (ranges->n == 0)
		return true;
	if (!gather(w, a, SQL_READ_CAMPAIGN_KEYS, ARGS(V_INT(MAX_MESSAGES)), &channels, &keys,
		    &nkeys, e))
		return false;
	col = COL_INTS(keys);
	bulk = (struct bulk){&col, 1, nkeys};
	if (nkeys > 0 &&
		!gather(w, a, SQL_READ_BATCHES_OF, NO_ARGS, &bulk, &firsts, &nfirsts, e))
		return false;
	for (size_t i = 0; i < nfirsts; i += MAX_BATCHES) {
		struct arena_mark mark = arena_mark(a);
		size_t n = MIN_OF(nfirsts - i, (size_t)MAX_BATCHES);
		bool ok = note_batches(w, a, firsts + i, n, uid, keys, nkeys, e);

		arena_rewind(a, mark);
		if (!ok)
			return false;
	}
	return true;
}
