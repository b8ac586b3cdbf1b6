/* user_ids – wire ids to inner keys, thousands at a time. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "domain/user.h"
#include "domain/user_impl.h"
#include "store/db.h"

/* The eight bytes behind what all ids begin with: they decide most comparisons without a jump
 * through memory. */
struct sort_key {
	uint64_t head; /* big-endian */
	uint32_t place;
};

static size_t
common_prefix(const struct str *ids, size_t n)
{
	size_t len = ids[0].n;

	for (size_t i = 1; i < n; i++) {
		size_t same = 0;

		len = MIN_OF(len, ids[i].n);
		while (same < len && ids[i].p[same] == ids[0].p[same])
			same++;
		len = same;
	}
	return len;
}

static uint64_t
head_of(struct str s, size_t from)
{
	uint64_t head = 0;

	for (size_t i = from; i < from + 8; i++)
		head = head << 8 | (i < s.n ? (unsigned char)s.p[i] : 0);
	return head;
}

/* Sorts by head, equal ones in their order: a counting sort by each byte, the last one first,
 * but for bytes that are the same in all.  ${spare} has room for as many; returns where they
 * are. */
static struct sort_key *
sort_heads(struct sort_key *keys, struct sort_key *spare, size_t n)
{
	for (unsigned shift = 0; shift < 64; shift += 8) {
		uint32_t ends[256] = {0}, sum = 0;
		struct sort_key *from = keys;

		for (size_t i = 0; i < n; i++)
			ends[keys[i].head >> shift & 255]++;
		if (ends[keys[0].head >> shift & 255] == n)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
			sum += ends[i];
			ends[i] = sum - ends[i];
		}
		for (size_t i = 0; i < n; i++)
			spare[ends[from[i].head >> shift & 255]++] = from[i];
		keys = spare;
		spare = from;
	}
	return keys;
}

static int
compare_places(const void *va, const void *vb, void *arg)
{
	const struct sort_key *a = va, *b = vb;
	const struct str *ids = arg;
	int c = str_cmp(ids[a->place], ids[b->place]);

	return c != 0 ? c : (a->place > b->place) - (a->place < b->place);
}

/* The same in the whole: where heads are equal, what follows decides. */
static void
sort_ties(struct sort_key *keys, size_t n, const struct str *ids)
{
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && keys[end].head == keys[i].head;)
			end++;
		if (end - i > 1)
			qsort_r(keys + i, end - i, sizeof(*keys), compare_places, (void *)ids);
	}
}

/* Probing an index in its own order touches each of its pages once. */
static uint32_t *
sorted_places(struct arena *a, const struct str *ids, size_t n)
{
	uint32_t *order = arena_array(a, n, sizeof(*order));
	struct sort_key *keys;
	struct arena_mark mark;
	bool sorted = true;
	size_t prefix;

	for (size_t i = 0; i < n; i++) {
		order[i] = (uint32_t)i;
		sorted = sorted && (i == 0 || str_cmp(ids[i - 1], ids[i]) <= 0);
	}
	if (sorted)
		return order;
	mark = arena_mark(a);
	keys = arena_array(a, 2 * n, sizeof(*keys));
	prefix = common_prefix(ids, n);
	for (size_t i = 0; i < n; i++)
		keys[i] = (struct sort_key){head_of(ids[i], prefix), (uint32_t)i};
	keys = sort_heads(keys, keys + n, n);
	sort_ties(keys, n, ids);
	for (size_t i = 0; i < n; i++)
		order[i] = keys[i].place;
	arena_rewind(a, mark);
	return order;
}

/* uids[i] = the key of ids[i], 0 when there is none. */
static bool
probe(struct db *db, struct arena *a, const struct str *ids, const uint32_t *order, size_t n,
	int64_t *uids, struct err *e)
{
	struct arena_mark mark = arena_mark(a);
	struct str *sorted = arena_array(a, n, sizeof(*sorted));
	struct col col = COL_TEXTS(sorted);
	struct bulk bulk = {&col, 1, n};
	struct rows rows;
	bool ok;

	for (size_t i = 0; i < n; i++) {
		sorted[i] = ids[order[i]];
		uids[i] = 0;
	}
	ok = db_query(db, SQL_USER_RESOLVE, NO_ARGS, &bulk, &rows, e);
	if (ok) {
		while (rows_next(&rows))
			uids[order[row_int(&rows, 0)]] = row_int(&rows, 1);
		ok = rows_end(&rows, e);
	}
	arena_rewind(a, mark);
	return ok;
}

static size_t
find_leads(const struct str *ids, size_t n, struct user_numbers *u)
{
	size_t nnew = 0;

	for (size_t k = 0; k < n; k++) {
		uint32_t i = u->order[k];

		if (k > 0 && str_eq(ids[u->order[k - 1]], ids[i])) {
			u->lead[i] = u->lead[u->order[k - 1]];
		} else {
			u->lead[i] = i;
			nnew += u->uids[i] == 0;
		}
	}
	return nnew;
}

/* Ids that are new, in byte order, with their keys. */
static bool
insert_ids(struct db *w, struct arena *a, const struct str *ids, size_t n,
	const struct user_numbers *u, struct err *e)
{
	struct arena_mark mark = arena_mark(a);
	struct str *new_ids = arena_array(a, u->nnew, sizeof(*new_ids));
	int64_t *new_uids = arena_array(a, u->nnew, sizeof(*new_uids));
	struct col cols[] = {COL_INTS(new_uids), COL_TEXTS(new_ids)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), 0};
	bool ok;

	for (size_t k = 0; k < n; k++) {
		uint32_t i = u->order[k];

		if (u->lead[i] != i || u->uids[i] < u->first_new)
			continue;
		new_ids[bulk.nrows] = ids[i];
		new_uids[bulk.nrows++] = u->uids[i];
	}
	ok = db_exec(w, SQL_USER_IDS_INSERT, NO_ARGS, &bulk, NULL, e);
	arena_rewind(a, mark);
	return ok;
}

bool
user_number(struct db *w, struct arena *a, const struct str *ids, size_t n, bool by_input,
	struct user_numbers *out, struct err *e)
{
	int64_t next = 0;

	*out = (struct user_numbers){
		.uids = arena_array(a, n, sizeof(*out->uids)),
		.order = sorted_places(a, ids, n),
		.lead = arena_array(a, n, sizeof(*out->lead)),
		.first_new = INT64_MAX,
	};
	if (!probe(w, a, ids, out->order, n, out->uids, e))
		return false;
	out->nnew = find_leads(ids, n, out);
	if (out->nnew == 0)
		return true;
	if (!db_take(w, COUNTER_USER, (int64_t)out->nnew, &out->first_new, e))
		return false;
	next = out->first_new;
	for (size_t k = 0; k < n; k++) {
		size_t i = by_input ? k : out->order[k];

		if (out->uids[i] == 0)
			out->uids[i] = out->lead[i] == i ? next++ : out->uids[out->lead[i]];
	}
	return insert_ids(w, a, ids, n, out, e);
}

bool
user_mention(struct db *w, struct arena *a, const struct str *ids, size_t n, int64_t *uids,
	struct err *e)
{
	struct arena_mark mark = arena_mark(a);
	struct user_numbers num;
	struct str *new_ids;
	int64_t *new_uids;
	bool ok = true;

	if (n == 0)
		return true;
	if (!user_number(w, a, ids, n, false, &num, e))
		return false;
	if (num.nnew > 0) {
		new_ids = arena_array(a, num.nnew, sizeof(*new_ids));
		new_uids = arena_array(a, num.nnew, sizeof(*new_uids));
		for (size_t i = 0; i < n; i++) {
			int64_t at = num.uids[i] - num.first_new;

			if (at < 0)
				continue;
			new_ids[at] = ids[i];
			new_uids[at] = num.uids[i];
		}
		ok = db_exec(w, SQL_USER_MENTION, NO_ARGS,
			&(struct bulk){(struct col[]){COL_INTS(new_uids), COL_TEXTS(new_ids)},
				2, num.nnew},
			NULL, e);
	}
	memcpy(uids, num.uids, n * sizeof(*uids));
	arena_rewind(a, mark);
	return ok;
}

bool
user_resolve(struct db *db, struct arena *a, const struct str *ids, size_t n, int64_t *uids,
	struct err *e)
{
	struct arena_mark mark = arena_mark(a);
	bool ok;

	if (n == 0)
		return true;
	ok = probe(db, a, ids, sorted_places(a, ids, n), n, uids, e);
	arena_rewind(a, mark);
	return ok;
}
