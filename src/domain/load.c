/* load – the stored form of parcels under way.
 *
 * Each parcel is four texts (id, type, address, body) and a time; a text is its length plus 1
 * (0: there is none) and its bytes, numbers are varints: seven bits a byte, low bits first, top
 * bit set on all but the last.
 *
 * Stored is a byte that names the format, the length of that, and that deflated: the bodies of
 * a campaign are so alike that a twentieth of it is left, and the log of the store is what a
 * delivery waits for. */
#include "domain/load.h"

#include <zlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "store/db.h"

#define FORMAT 1
/* More is no load of ours. */
#define RAW_MAX ((uint64_t)256 << 20)

static void
put_number(struct buf *out, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_char(out, (char)(v | 0x80));
	buf_char(out, (char)v);
}

static void
put_text(struct buf *out, struct str s)
{
	put_number(out, s.p != NULL ? s.n + 1 : 0);
	if (s.p != NULL)
		buf_str(out, s);
}

void
load_pack(struct buf *out, const struct parcel *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		put_text(out, p[i].id);
		put_text(out, p[i].type);
		put_text(out, p[i].address);
		put_text(out, p[i].body);
		put_number(out, (uint64_t)p[i].at);
	}
}

static bool
take_number(struct str *in, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; in->n > 0 && shift < 64; shift += 7) {
		uint8_t b = (uint8_t)*in->p;

		*in = str_sub(*in, 1, in->n - 1);
		*out |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return true;
	}
	return false;
}

static bool
take_text(struct str *in, struct str *out)
{
	uint64_t n;

	*out = STR_NONE;
	if (!take_number(in, &n) || n > in->n + 1)
		return false;
	if (n == 0)
		return true;
	*out = str_sub(*in, 0, n - 1);
	*in = str_sub(*in, n - 1, in->n - (n - 1));
	return true;
}

bool
load_unpack(struct str blob, struct parcel *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t at;

		if (!take_text(&blob, &out[i].id) || !take_text(&blob, &out[i].type) ||
			!take_text(&blob, &out[i].address) || !take_text(&blob, &out[i].body) ||
			!take_number(&blob, &at))
			return false;
		out[i].at = (int64_t)at;
	}
	return blob.n == 0;
}

void
load_deflate(struct buf *out, struct str blob)
{
	uLongf room = compressBound(blob.n);
	char *at;

	buf_char(out, FORMAT);
	put_number(out, blob.n);
	at = buf_room(out, room);
	if (compress2((Bytef *)at, &room, (const Bytef *)blob.p, blob.n, Z_BEST_SPEED) != Z_OK)
		panic("out of memory: a load of %zu bytes", blob.n);
	out->n += room;
}

bool
load_inflate(struct arena *a, struct str stored, struct str *out)
{
	uint64_t size;
	uLongf n;
	char *at;

	if (stored.n == 0 || stored.p[0] != FORMAT)
		return false;
	stored = str_sub(stored, 1, stored.n - 1);
	if (!take_number(&stored, &size) || size > RAW_MAX)
		return false;
	n = (uLongf)size;
	at = arena_alloc(a, size);
	*out = (struct str){at, size};
	return uncompress((Bytef *)at, &n, (const Bytef *)stored.p, stored.n) == Z_OK &&
	       n == size;
}

/* ---- rows -------------------------------------------------------------------------------- */

bool
load_put(struct db *w, int64_t route, const struct load *loads, size_t n, struct err *e)
{
	/* One at a time: each is about as large as what a statement is given at most. */
	for (size_t i = 0; i < n; i++) {
		int64_t count = (int64_t)loads[i].n;
		struct col cols[] = {COL_INTS(&loads[i].no), COL_INTS(&count),
			COL_INTS(&loads[i].at), COL_TEXTS(&loads[i].parcels)};
		struct bulk bulk = {cols, ARRAY_LEN(cols), 1};

		if (!db_exec(w, SQL_LOAD_INSERT, ARGS(V_INT(route)), &bulk, NULL, e))
			return false;
	}
	return true;
}

bool
load_delete(struct db *w, int64_t route, const int64_t *nos, size_t n, struct err *e)
{
	struct col cols[] = {COL_INTS(nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};

	return n == 0 || db_exec(w, SQL_LOAD_DELETE, ARGS(V_INT(route)), &bulk, NULL, e);
}

bool
load_mark(struct db *w, int64_t route, int64_t no, struct str ended, struct err *e)
{
	return db_exec(w, SQL_LOAD_MARK, ARGS(V_INT(route), V_INT(no), V_BLOB(ended)), NO_BULK,
		NULL, e);
}

bool
load_take_over(struct db *w, struct arena *a, int64_t route, struct load **out, size_t *n,
	struct err *e)
{
	struct rows r;
	struct buf list;

	if (!db_exec(w, SQL_LOAD_TAKE_OVER, ARGS(V_INT(route)), NO_BULK, NULL, e) ||
		!db_query(w, SQL_LOAD_LIST, ARGS(V_INT(route)), NO_BULK, &r, e))
		return false;
	buf_init(&list, a, 8 * sizeof(struct load));
	while (rows_next(&r)) {
		struct load l = {
			.no = row_int(&r, 0),
			.n = (size_t)row_int(&r, 1),
			.at = row_int(&r, 2),
			.tries = row_int(&r, 3),
			.ended = row_null(&r, 4) ? STR_NONE : arena_dup(a, row_str(&r, 4)),
			.parcels = arena_dup(a, row_str(&r, 5)),
		};

		buf_add(&list, &l, sizeof(l));
	}
	*out = (struct load *)(void *)list.p;
	*n = list.n / sizeof(struct load);
	return rows_end(&r, e);
}
