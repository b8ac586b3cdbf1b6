/* uidset – large sets of uids, stored in chunks of 32,768.
 *
 * A stored chunk is a format byte and, little-endian, either the sorted 16-bit offsets or
 * all bits.  The chunk in work is always bits in a scratch area: setting, clearing and
 * counting cost the same for both formats, and 4 KiB stay in the L1 cache. */
#include "domain/uidset.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "store/db.h"

#define CHUNK_NO_BITS 24 /* of a key; the set number is above */
#define BITMAP_BYTES  (UIDSET_CHUNK / 8)
#define LIST_MAX      (BITMAP_BYTES / 2 - 1) /* above, the bitmap is not larger */

enum format { FORMAT_LIST = 1, FORMAT_BITMAP = 2 };

/* The uids of a call that fall into one chunk. */
struct group {
	const int64_t *uids;
	size_t n;
	bool stored; /* a row was there */
};

struct change {
	struct arena *arena;
	bool add; /* else remove */
	struct group *groups;
	int64_t *keys; /* of the groups */
	size_t ngroups;
	/* What has to be written, in no order. */
	int64_t *put_keys, *put_n, *drop_keys;
	struct str *put_uids;
	size_t nput, ndrop;
	int64_t changed;
};

/* ---- one chunk ------------------------------------------------------------------- */

static bool
damaged(int64_t key, struct err *e)
{
	return fail(e, ERR_STORE, "targets: chunk %lld is damaged", (long long)key);
}

static uint16_t
offset_at(struct str blob, size_t i)
{
	uint16_t v;

	memcpy(&v, blob.p + 1 + 2 * i, sizeof(v));
	return le16toh(v);
}

static bool
is_list(struct str blob)
{
	return blob.n >= 1 && blob.p[0] == FORMAT_LIST && blob.n % 2 == 1;
}

static bool
is_bitmap(struct str blob)
{
	return blob.n == 1 + BITMAP_BYTES && blob.p[0] == FORMAT_BITMAP;
}

/* ORs the stored form into ${words}. */
static bool
chunk_read(struct str blob, int64_t key, uint64_t *words, struct err *e)
{
	if (is_list(blob)) {
		for (size_t i = 0; i < blob.n / 2; i++) {
			uint16_t at = offset_at(blob, i);

			if (at >= UIDSET_CHUNK)
				return damaged(key, e);
			words[at / 64] |= (uint64_t)1 << (at % 64);
		}
		return true;
	}
	if (!is_bitmap(blob))
		return damaged(key, e);
	for (size_t w = 0; w < BITSET_WORDS; w++) {
		uint64_t bits;

		memcpy(&bits, blob.p + 1 + w * sizeof(bits), sizeof(bits));
		words[w] |= le64toh(bits);
	}
	return true;
}

static bool
list_has(struct str blob, uint16_t want)
{
	size_t lo = 0, hi = blob.n / 2;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (offset_at(blob, mid) < want)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < blob.n / 2 && offset_at(blob, lo) == want;
}

static size_t
count(const uint64_t *words)
{
	size_t n = 0;

	for (size_t w = 0; w < BITSET_WORDS; w++)
		n += (size_t)__builtin_popcountll(words[w]);
	return n;
}

static struct str
chunk_write(struct arena *a, const uint64_t *words, size_t n)
{
	size_t len = n > LIST_MAX ? BITMAP_BYTES : 2 * n;
	char *out = arena_alloc(a, 1 + len), *at = out + 1;

	out[0] = n > LIST_MAX ? FORMAT_BITMAP : FORMAT_LIST;
	for (size_t w = 0; w < BITSET_WORDS; w++) {
		uint64_t bits = words[w];

		if (n > LIST_MAX) {
			bits = htole64(bits);
			memcpy(at, &bits, sizeof(bits));
			at += sizeof(bits);
			continue;
		}
		for (; bits != 0; bits &= bits - 1) {
			uint16_t v =
				htole16((uint16_t)(w * 64 + (size_t)__builtin_ctzll(bits)));

			memcpy(at, &v, sizeof(v));
			at += sizeof(v);
		}
	}
	return (struct str){out, 1 + len};
}

/* ---- changing a stored set ------------------------------------------------------- */

static int64_t
key_of(int64_t set, int64_t uid)
{
	assert(set >= 0 && set < UIDSET_LIMIT && uid >= 0 && uid < UIDSET_LIMIT);
	return set << CHUNK_NO_BITS | uid >> UIDSET_CHUNK_BITS;
}

static int
compare(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return (a > b) - (a < b);
}

/* Callers often come with sorted uids: new users get ascending ones. */
static const int64_t *
sorted(struct arena *a, const int64_t *uids, size_t n)
{
	int64_t *copy;
	size_t i = 1;

	while (i < n && uids[i - 1] <= uids[i])
		i++;
	if (i >= n)
		return uids;
	copy = arena_array(a, n, sizeof(*copy));
	memcpy(copy, uids, n * sizeof(*copy));
	qsort(copy, n, sizeof(*copy), compare);
	return copy;
}

static void
group(struct change *c, int64_t set, const int64_t *uids, size_t n)
{
	size_t most = 0;

	uids = sorted(c->arena, uids, n);
	for (size_t i = 0; i < n; i++)
		most += i == 0 || key_of(set, uids[i]) != key_of(set, uids[i - 1]);
	c->groups = arena_array(c->arena, most, sizeof(*c->groups));
	c->keys = arena_array(c->arena, most, sizeof(*c->keys));
	c->put_keys = arena_array(c->arena, most, sizeof(*c->put_keys));
	c->put_n = arena_array(c->arena, most, sizeof(*c->put_n));
	c->put_uids = arena_array(c->arena, most, sizeof(*c->put_uids));
	c->drop_keys = arena_array(c->arena, most, sizeof(*c->drop_keys));
	for (size_t i = 0; i < n; i++) {
		int64_t key = key_of(set, uids[i]);

		if (c->ngroups == 0 || c->keys[c->ngroups - 1] != key) {
			c->keys[c->ngroups] = key;
			c->groups[c->ngroups++] = (struct group){uids + i, 0, false};
		}
		c->groups[c->ngroups - 1].n++;
	}
}

/* Notes what has to be written for group ${g}, whose chunk is ${words} so far. */
static void
change_chunk(struct change *c, size_t g, uint64_t *words)
{
	const struct group *group = &c->groups[g];
	int64_t changed = 0;
	size_t n;

	for (size_t i = 0; i < group->n; i++) {
		size_t at = (size_t)(group->uids[i] & (UIDSET_CHUNK - 1));
		uint64_t bit = (uint64_t)1 << (at % 64);

		if (((words[at / 64] & bit) == 0) == c->add) {
			words[at / 64] ^= bit;
			changed++;
		}
	}
	if (changed == 0)
		return;
	c->changed += changed;
	n = count(words);
	if (n == 0) {
		c->drop_keys[c->ndrop++] = c->keys[g];
		return;
	}
	c->put_keys[c->nput] = c->keys[g];
	c->put_n[c->nput] = (int64_t)n;
	c->put_uids[c->nput++] = chunk_write(c->arena, words, n);
}

static bool
change_stored(struct db *w, struct change *c, struct err *e)
{
	const struct col cols[] = {COL_INTS(c->keys)};
	const struct bulk bulk = {cols, ARRAY_LEN(cols), c->ngroups};
	struct rows r;
	bool ok = true;

	if (!db_query(w, SQL_TARGETS_GET_MANY, NO_ARGS, &bulk, &r, e))
		return false;
	while (ok && rows_next(&r)) {
		uint64_t words[BITSET_WORDS] = {0};
		size_t g = (size_t)row_int(&r, 0);

		ok = chunk_read(row_str(&r, 1), c->keys[g], words, e);
		c->groups[g].stored = true;
		if (ok)
			change_chunk(c, g, words);
	}
	return rows_end(&r, e) && ok;
}

static bool
write_back(struct db *w, const struct change *c, int64_t now, struct err *e)
{
	const struct col puts[] = {
		COL_INTS(c->put_keys), COL_INTS(c->put_n), COL_TEXTS(c->put_uids)};
	const struct bulk put = {puts, ARRAY_LEN(puts), c->nput};
	const struct col drops[] = {COL_INTS(c->drop_keys)};
	const struct bulk drop = {drops, ARRAY_LEN(drops), c->ndrop};

	if (c->nput > 0 && !db_exec(w, SQL_TARGETS_PUT, ARGS(V_INT(now)), &put, NULL, e))
		return false;
	return c->ndrop == 0 || db_exec(w, SQL_TARGETS_DROP, NO_ARGS, &drop, NULL, e);
}

static bool
change(struct db *w, struct change *c, int64_t set, const int64_t *uids, size_t n, int64_t now,
	int64_t *changed, struct err *e)
{
	struct arena_mark mark = arena_mark(c->arena);
	bool ok;

	*changed = 0;
	if (n == 0)
		return true;
	group(c, set, uids, n);
	ok = change_stored(w, c, e);
	for (size_t g = 0; ok && c->add && g < c->ngroups; g++) {
		uint64_t words[BITSET_WORDS] = {0};

		if (!c->groups[g].stored)
			change_chunk(c, g, words);
	}
	ok = ok && write_back(w, c, now, e);
	*changed = c->changed;
	arena_rewind(c->arena, mark);
	return ok;
}

/* ---- exported -------------------------------------------------------------------- */

bool
uidset_add(struct db *w, struct arena *a, int64_t set, const int64_t *uids, size_t n,
	int64_t now, int64_t *changed, struct err *e)
{
	struct change c = {.arena = a, .add = true};

	return change(w, &c, set, uids, n, now, changed, e);
}

bool
uidset_remove(struct db *w, struct arena *a, int64_t set, const int64_t *uids, size_t n,
	int64_t *changed, struct err *e)
{
	struct change c = {.arena = a, .add = false};

	return change(w, &c, set, uids, n, 0, changed, e);
}

bool
uidset_clear(struct db *w, int64_t set, struct err *e)
{
	return db_exec(w, SQL_TARGETS_CLEAR,
		ARGS(V_INT(key_of(set, 0)), V_INT(key_of(set, UIDSET_LIMIT - 1))), NO_BULK,
		NULL, e);
}

bool
uidset_has(struct db *db, int64_t set, int64_t uid, bool *out, struct err *e)
{
	int64_t key = key_of(set, uid);
	uint16_t at = (uint16_t)(uid & (UIDSET_CHUNK - 1));
	struct rows r;
	bool ok = true;

	*out = false;
	if (!db_query(db, SQL_TARGETS_GET, ARGS(V_INT(key)), NO_BULK, &r, e))
		return false;
	if (rows_next(&r)) {
		struct str blob = row_str(&r, 0);

		if (is_list(blob))
			*out = list_has(blob, at);
		else if (is_bitmap(blob))
			*out = (((uint8_t)blob.p[1 + at / 8] >> (at % 8)) & 1) != 0;
		else
			ok = damaged(key, e);
	}
	return rows_end(&r, e) && ok;
}

bool
bitset_load(struct bitset *b, struct db *db, int64_t set, struct err *e)
{
	struct rows r;
	bool ok = true;

	if (!db_query(db, SQL_TARGETS_SCAN,
		    ARGS(V_INT(key_of(set, 0)), V_INT(key_of(set, UIDSET_LIMIT - 1))), NO_BULK,
		    &r, e))
		return false;
	while (ok && rows_next(&r)) {
		int64_t key = row_int(&r, 0);
		size_t no = (size_t)(key & ((1 << CHUNK_NO_BITS) - 1));

		ok = chunk_read(row_str(&r, 1), key, bitset_chunk(b, no), e);
	}
	return rows_end(&r, e) && ok;
}

/* Appends the uids of chunk ${key}. */
static void
append_chunk(struct buf *out, int64_t key, const uint64_t *words)
{
	int64_t base = (key & ((1 << CHUNK_NO_BITS) - 1)) * UIDSET_CHUNK;

	for (int64_t w = 0; w < BITSET_WORDS; w++)
		for (uint64_t bits = words[w]; bits != 0; bits &= bits - 1) {
			int64_t uid = base + 64 * w + __builtin_ctzll(bits);

			buf_add(out, &uid, sizeof(uid));
		}
}

bool
uidset_list_many(struct db *db, struct arena *a, const int64_t *sets, size_t n,
	struct uid_list *out, struct err *e)
{
	int64_t *lo = arena_array(a, n, sizeof(*lo)), *hi = arena_array(a, n, sizeof(*hi));
	struct col cols[] = {COL_INTS(lo), COL_INTS(hi)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	size_t *ends = arena_zalloc(a, (n + 1) * sizeof(*ends));
	struct buf all;
	struct rows r;
	bool ok = true;

	for (size_t i = 0; i < n; i++) {
		lo[i] = key_of(sets[i], 0);
		hi[i] = key_of(sets[i], UIDSET_LIMIT - 1);
	}
	buf_init(&all, a, 4096);
	if (n == 0 || !db_query(db, SQL_TARGETS_SCAN_MANY, NO_ARGS, &bulk, &r, e))
		return n == 0;
	while (ok && rows_next(&r)) {
		uint64_t words[BITSET_WORDS] = {0};

		ok = chunk_read(row_str(&r, 2), row_int(&r, 1), words, e);
		append_chunk(&all, row_int(&r, 1), words);
		ends[row_int(&r, 0)] = all.n / sizeof(int64_t);
	}
	if (!rows_end(&r, ok ? e : &(struct err){0}) || !ok)
		return false;
	for (size_t i = 0, from = 0; i < n; i++) {
		ends[i] = MAX_OF(ends[i], from);
		out[i].v = (int64_t *)(void *)all.p + from;
		out[i].n = ends[i] - from;
		from = ends[i];
	}
	return true;
}
