/* pack – the two formats of keys and the two of bytes.
 *
 * The first byte of a blob names its format; numbers are varints (seven bits a byte, low
 * bits first, top bit set on all but the last).
 *
 *	GAPS	the first key, then each distance to the key before, minus 1
 *	RUNS	pairs: where a run begins (first run: its first key; later ones: the
 *		distance to the last key before, minus 2), its length minus 1
 *	RLE	pairs: a byte, how often it stands in a row minus 1 (varint)
 *	PLAIN	the bytes
 *
 * Numbers cannot encode what may not be (repeated keys, runs that touch), and a blob must
 * end exactly with its last element. */
#include "base/pack.h"

#include <assert.h>

#define VARINT_MAX 10 /* bytes of a 64-bit number */

enum format { GAPS = 1, RUNS, RLE, PLAIN };

/* A cursor over a blob; never passes its end. */
struct reader {
	const uint8_t *p, *end;
};

static size_t
varint_len(uint64_t v)
{
	return (70 - (size_t)__builtin_clzll(v | 1)) / 7;
}

static uint8_t *
put_varint(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

static bool
read_varint(struct reader *r, uint64_t *out)
{
	uint64_t v = 0;

	for (unsigned shift = 0; r->p < r->end && shift < 7 * VARINT_MAX; shift += 7) {
		uint8_t b = *r->p++;

		if (shift == 63 && b > 1)
			return false;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80) {
			*out = v;
			return true;
		}
	}
	return false;
}

/* The number of elements from ${at} on that belong to one run. */
static size_t
key_run(const int64_t *keys, size_t n, size_t at)
{
	size_t i = at + 1;

	while (i < n && keys[i] == keys[i - 1] + 1)
		i++;
	return i - at;
}

static size_t
byte_run(const uint8_t *bytes, size_t n, size_t at)
{
	size_t i = at + 1;

	while (i < n && bytes[i] == bytes[at])
		i++;
	return i - at;
}

static uint64_t
gap_before(const int64_t *keys, size_t i)
{
	return i == 0 ? (uint64_t)keys[0] : (uint64_t)(keys[i] - keys[i - 1] - 1);
}

static uint64_t
run_distance(const int64_t *keys, size_t i)
{
	return i == 0 ? (uint64_t)keys[0] : (uint64_t)(keys[i] - keys[i - 1] - 2);
}

/* Measures both encodings; also the place where the order of keys is checked. */
static void
measure_keys(const int64_t *keys, size_t n, size_t *gaps, size_t *runs)
{
	*gaps = *runs = 0;
	assert(n == 0 || keys[0] >= 0);
	for (size_t i = 0; i < n; i++) {
		assert(i == 0 || keys[i] > keys[i - 1]);
		*gaps += varint_len(gap_before(keys, i));
	}
	for (size_t i = 0; i < n;) {
		size_t len = key_run(keys, n, i);

		*runs += varint_len(run_distance(keys, i)) + varint_len(len - 1);
		i += len;
	}
}

static void
commit(struct buf *out, const uint8_t *end, size_t room)
{
	size_t written = (size_t)(end - (const uint8_t *)(out->p + out->n));

	assert(written <= room);
	out->n += written;
}

static bool
open_blob(struct str blob, struct reader *r, enum format *format)
{
	if (blob.n == 0)
		return false;
	r->p = (const uint8_t *)blob.p;
	r->end = r->p + blob.n;
	*format = (enum format) * r->p++;
	return true;
}

/* ${last} + ${distance}, when that is still a key.  ${last} may be −1 or −2, in front of the
 * first one: unsigned arithmetic is right for these too. */
static bool
step(int64_t last, uint64_t distance, int64_t *key)
{
	if (distance > (uint64_t)INT64_MAX - (uint64_t)last)
		return false;
	*key = (int64_t)((uint64_t)last + distance);
	return true;
}

static bool
read_gaps(struct reader *r, int64_t *keys, size_t n)
{
	int64_t last = -1;

	for (size_t i = 0; i < n; i++) {
		uint64_t gap;

		if (!read_varint(r, &gap) || gap > INT64_MAX)
			return false;
		if (!step(last, gap + 1, &keys[i]))
			return false;
		last = keys[i];
	}
	return true;
}

static bool
read_runs(struct reader *r, int64_t *keys, size_t n)
{
	int64_t last = -2;

	for (size_t i = 0; i < n;) {
		uint64_t distance, more;
		int64_t first, end;

		if (!read_varint(r, &distance) || distance > INT64_MAX)
			return false;
		if (!read_varint(r, &more) || more >= n - i)
			return false;
		if (!step(last, distance + 2, &first) || !step(first, more, &end))
			return false;
		for (uint64_t k = 0; k <= more; k++)
			keys[i++] = first + (int64_t)k;
		last = end;
	}
	return true;
}

static bool
read_rle(struct reader *r, uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n;) {
		uint64_t more;
		uint8_t b;

		if (r->p == r->end)
			return false;
		b = *r->p++;
		if (!read_varint(r, &more) || more >= n - i)
			return false;
		memset(bytes + i, b, (size_t)more + 1);
		i += (size_t)more + 1;
	}
	return true;
}

static bool
read_plain(struct reader *r, uint8_t *bytes, size_t n)
{
	if ((size_t)(r->end - r->p) != n)
		return false;
	if (n > 0)
		memcpy(bytes, r->p, n);
	r->p = r->end;
	return true;
}

void
pack_keys(struct buf *out, const int64_t *keys, size_t n)
{
	size_t gaps, runs, room;
	uint8_t *p;

	measure_keys(keys, n, &gaps, &runs);
	room = 1 + MIN_OF(gaps, runs);
	p = (uint8_t *)buf_room(out, room);
	if (gaps <= runs) {
		*p++ = GAPS;
		for (size_t i = 0; i < n; i++)
			p = put_varint(p, gap_before(keys, i));
	} else {
		*p++ = RUNS;
		for (size_t i = 0; i < n;) {
			size_t len = key_run(keys, n, i);

			p = put_varint(p, run_distance(keys, i));
			p = put_varint(p, len - 1);
			i += len;
		}
	}
	commit(out, p, room);
}

bool
pack_keys_read(struct str blob, int64_t *keys, size_t n)
{
	enum format format;
	struct reader r;

	if (!open_blob(blob, &r, &format))
		return false;
	if (format == GAPS)
		return read_gaps(&r, keys, n) && r.p == r.end;
	if (format == RUNS)
		return read_runs(&r, keys, n) && r.p == r.end;
	return false;
}

void
pack_bytes(struct buf *out, const uint8_t *bytes, size_t n)
{
	size_t rle = 0, room;
	uint8_t *p;

	for (size_t i = 0, len; i < n; i += len) {
		len = byte_run(bytes, n, i);
		rle += 1 + varint_len(len - 1);
	}
	room = 1 + MIN_OF(rle, n);
	p = (uint8_t *)buf_room(out, room);
	if (rle <= n) {
		*p++ = RLE;
		for (size_t i = 0, len; i < n; i += len) {
			len = byte_run(bytes, n, i);
			*p++ = bytes[i];
			p = put_varint(p, len - 1);
		}
	} else {
		*p++ = PLAIN;
		memcpy(p, bytes, n);
		p += n;
	}
	commit(out, p, room);
}

bool
pack_bytes_read(struct str blob, uint8_t *bytes, size_t n)
{
	enum format format;
	struct reader r;

	if (!open_blob(blob, &r, &format))
		return false;
	if (format == RLE)
		return read_rle(&r, bytes, n) && r.p == r.end;
	if (format == PLAIN)
		return read_plain(&r, bytes, n);
	return false;
}
