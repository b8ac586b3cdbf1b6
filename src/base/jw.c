/* jw – the JSON writer: commas, quoting, escaping. */
#include "base/jw.h"

#include <assert.h>
#include <endian.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define DOUBLE_MAX  32             /* bytes a printed double takes at most */

/* Each byte of a word set to ${c}. */
#define REPEAT(c) (UINT64_C(0x0101010101010101) * (c))

static bool
get_bit(const uint8_t *bits, unsigned i)
{
	return bits[i / 8] >> (i % 8) & 1;
}

static void
set_bit(uint8_t *bits, unsigned i, bool on)
{
	uint8_t mask = (uint8_t)(1U << (i % 8));

	bits[i / 8] = (uint8_t)(on ? bits[i / 8] | mask : bits[i / 8] & ~mask);
}

/* The top bit of each byte of ${w} that is below ${c} (≤ 0x80).  Bytes after the first such
 * one may be marked wrongly, the first never. */
static uint64_t
mark_below(uint64_t w, unsigned c)
{
	return (w - REPEAT(c)) & ~w & REPEAT(0x80);
}

/* How many of the next eight bytes, up to the first that is not, are ASCII and need no
 * escape. */
static size_t
plain_in_word(const char *p)
{
	uint64_t w, marks;

	memcpy(&w, p, sizeof(w));
	w = le64toh(w); /* the first byte is the lowest */
	marks = (w & REPEAT(0x80)) | mark_below(w, 0x20) | mark_below(w ^ REPEAT('"'), 1) |
		mark_below(w ^ REPEAT('\\'), 1);
	return marks == 0 ? sizeof(w) : (size_t)__builtin_ctzll(marks) / 8;
}

/* How many bytes at the front of ${s} can be copied as they are. */
static size_t
plain_run(struct str s)
{
	size_t i = 0;

	while (i < s.n) {
		unsigned char c;

		if (s.n - i >= sizeof(uint64_t)) {
			size_t plain = plain_in_word(s.p + i);

			i += plain;
			if (plain == sizeof(uint64_t))
				continue;
		}
		c = (unsigned char)s.p[i];
		if (c >= 0x80) {
			size_t seq = str_utf8_seq(str_sub(s, i, s.n - i));

			if (seq == 0)
				break;
			i += seq;
		} else if (c < 0x20 || c == '"' || c == '\\') {
			break;
		} else {
			i++;
		}
	}
	return i;
}

/* A byte where plain_run stopped. */
static void
escape_byte(struct buf *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[0x20] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
	char u[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

	if (c >= 0x80) {
		buf_str(out, STR(REPLACEMENT));
	} else if (c >= 0x20 || letters[c] != '\0') {
		buf_char(out, '\\');
		buf_char(out, c >= 0x20 ? (char)c : letters[c]);
	} else {
		buf_add(out, u, sizeof(u));
	}
}

/* The comma in front of an item, if one is due. */
static void
begin_item(struct jw *w)
{
	if (w->after_item)
		buf_char(w->out, ',');
	w->after_item = true;
}

static void
begin_value(struct jw *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	assert(!get_bit(w->is_obj, w->depth) && (w->depth > 0 || !w->after_item));
	begin_item(w);
}

static void
open_level(struct jw *w, char bracket, bool is_obj)
{
	begin_value(w);
	assert(w->depth + 1 < JW_MAX_DEPTH);
	w->depth++;
	w->after_item = false;
	set_bit(w->is_obj, w->depth, is_obj);
	buf_char(w->out, bracket);
}

static void
close_level(struct jw *w, char bracket, bool is_obj)
{
	assert(w->depth > 0 && !w->after_key);
	assert(get_bit(w->is_obj, w->depth) == is_obj);
	w->depth--;
	w->after_item = true;
	buf_char(w->out, bracket);
}

static void
put_quoted(struct buf *out, struct str s)
{
	size_t run = plain_run(s);
	char *p = buf_room(out, s.n + 2);

	*p++ = '"';
	if (run > 0)
		memcpy(p, s.p, run);
	out->n += 1 + run;
	if (run < s.n)
		jw_escape(out, str_sub(s, run, s.n - run));
	buf_char(out, '"');
}

void
jw_init(struct jw *w, struct buf *out)
{
	*w = (struct jw){.out = out};
}

void
jw_escape(struct buf *out, struct str s)
{
	while (s.n > 0) {
		size_t run = plain_run(s);

		buf_add(out, s.p, run);
		s = str_sub(s, run, s.n - run);
		if (s.n == 0)
			break;
		escape_byte(out, (unsigned char)s.p[0]);
		s = str_sub(s, 1, s.n - 1);
	}
}

void
jw_obj(struct jw *w)
{
	open_level(w, '{', true);
}

void
jw_end_obj(struct jw *w)
{
	close_level(w, '}', true);
}

void
jw_arr(struct jw *w)
{
	open_level(w, '[', false);
}

void
jw_end_arr(struct jw *w)
{
	close_level(w, ']', false);
}

void
jw_key(struct jw *w, struct str key)
{
	assert(!w->after_key && get_bit(w->is_obj, w->depth));
	begin_item(w);
	put_quoted(w->out, key);
	buf_char(w->out, ':');
	w->after_key = true;
}

void
jw_name(struct jw *w, struct str key)
{
	char *p = buf_room(w->out, key.n + 4), *from = p;

	assert(!w->after_key && get_bit(w->is_obj, w->depth));
	if (w->after_item)
		*p++ = ',';
	*p++ = '"';
	memcpy(p, key.p, key.n);
	p += key.n;
	*p++ = '"';
	*p++ = ':';
	w->out->n += (size_t)(p - from);
	w->after_item = w->after_key = true;
}

void
jw_str(struct jw *w, struct str s)
{
	if (s.p == NULL) {
		jw_null(w);
		return;
	}
	begin_value(w);
	put_quoted(w->out, s);
}

void
jw_i64(struct jw *w, int64_t v)
{
	begin_value(w);
	buf_i64(w->out, v);
}

/* Fifteen digits are exact for what was written with so many; seventeen always are.  Only
 * subnormal numbers may need fewer. */
void
jw_double(struct jw *w, double v)
{
	int digits = fabs(v) < DBL_MIN ? 1 : DBL_DIG;
	char *room;
	int n;

	assert(isfinite(v));
	begin_value(w);
	room = buf_room(w->out, DOUBLE_MAX);
	do
		n = snprintf(room, DOUBLE_MAX, "%.*g", digits, v);
	while (strtod(room, NULL) != v && ++digits <= DBL_DECIMAL_DIG);
	w->out->n += (size_t)n;
}

void
jw_bool(struct jw *w, bool v)
{
	begin_value(w);
	buf_str(w->out, v ? STR("true") : STR("false"));
}

void
jw_null(struct jw *w)
{
	begin_value(w);
	buf_str(w->out, STR("null"));
}

void
jw_raw(struct jw *w, struct str json)
{
	if (json.n == 0) {
		jw_null(w);
		return;
	}
	begin_value(w);
	buf_str(w->out, json);
}

void
jw_members(struct jw *w, struct str json)
{
	struct str s = str_trim(json);

	assert(!w->after_key && get_bit(w->is_obj, w->depth));
	if (s.n == 0)
		return;
	assert(s.n >= 2 && s.p[0] == '{' && s.p[s.n - 1] == '}');
	s = str_trim(str_sub(s, 1, s.n - 2));
	if (s.n == 0)
		return;
	begin_item(w);
	buf_str(w->out, s);
}
