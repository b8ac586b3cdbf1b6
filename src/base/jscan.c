/* jscan – finds values in JSON text by walking over it. */
#include "base/jscan.h"

#include <stdlib.h>

#define NUMBER_MAX 512 /* longer than any double in plain notation */

static size_t
skip_blank(struct str s, size_t at)
{
	while (at < s.n &&
		(s.p[at] == ' ' || s.p[at] == '\n' || s.p[at] == '\t' || s.p[at] == '\r'))
		at++;
	return at;
}

/* From the opening quote to behind the closing one. */
static size_t
skip_string(struct str s, size_t at)
{
	for (at++; at < s.n; at++) {
		if (s.p[at] == '"')
			return at + 1;
		if (s.p[at] == '\\')
			at++;
	}
	return s.n;
}

/* Iterative: stored data may be nested deeper than a thread's stack should follow. */
static size_t
skip_container(struct str s, size_t at)
{
	size_t depth = 0;

	while (at < s.n) {
		switch (s.p[at]) {
		case '"':
			at = skip_string(s, at);
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (--depth == 0)
				return at + 1;
			break;
		default:
			break;
		}
		at++;
	}
	return s.n;
}

static size_t
skip_word(struct str s, size_t at)
{
	while (at < s.n && s.p[at] != ',' && s.p[at] != ']' && s.p[at] != '}' &&
		(unsigned char)s.p[at] > ' ')
		at++;
	return at;
}

enum jscan_type
jscan_type_of(struct str json)
{
	char first = json.n > 0 ? json.p[0] : '\0';

	switch (first) {
	case '"':
		return JSCAN_STRING;
	case '{':
		return JSCAN_OBJECT;
	case '[':
		return JSCAN_ARRAY;
	case 't':
		return JSCAN_TRUE;
	case 'f':
		return JSCAN_FALSE;
	case 'n':
		return JSCAN_NULL;
	default:
		return first == '-' || (first >= '0' && first <= '9') ? JSCAN_NUMBER
								      : JSCAN_NONE;
	}
}

/* Reads the value at *at and moves behind it. */
static bool
take_value(struct str s, size_t *at, struct jscan_value *out)
{
	size_t from = *at, end;

	if (from >= s.n)
		return false;
	out->type = jscan_type_of(str_sub(s, from, s.n - from));
	switch (out->type) {
	case JSCAN_NONE:
		return false;
	case JSCAN_STRING:
		end = skip_string(s, from);
		break;
	case JSCAN_OBJECT:
	case JSCAN_ARRAY:
		end = skip_container(s, from);
		break;
	default:
		end = skip_word(s, from);
		break;
	}
	out->raw = str_sub(s, from, end - from);
	*at = end;
	return true;
}

/* Moves *at onto the next item of a container; false at its end. */
static bool
next_item(struct str s, size_t *at, char open)
{
	size_t i = skip_blank(s, *at);

	if (i >= s.n || s.p[i] != (*at == 0 ? open : ','))
		return false;
	i = skip_blank(s, i + 1);
	if (i >= s.n || s.p[i] == ']' || s.p[i] == '}')
		return false;
	*at = i;
	return true;
}

static bool
read_hex4(struct str s, size_t at, uint32_t *out)
{
	uint32_t v = 0;

	if (at > s.n || s.n - at < 4)
		return false;
	for (size_t i = 0; i < 4; i++) {
		char c = s.p[at + i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

/* A \u escape; *at is behind the 'u'.  Half a surrogate pair becomes U+FFFD. */
static size_t
decode_unicode(struct str s, size_t *at, char to[4])
{
	uint32_t c, low;

	if (!read_hex4(s, *at, &c)) {
		*at = s.n;
		return str_utf8_put(0xFFFD, to);
	}
	*at += 4;
	if (c < 0xD800 || c > 0xDFFF)
		return str_utf8_put(c, to);
	if (c < 0xDC00 && s.n - *at >= 6 && s.p[*at] == '\\' && s.p[*at + 1] == 'u' &&
		read_hex4(s, *at + 2, &low) && low >= 0xDC00 && low <= 0xDFFF) {
		*at += 6;
		return str_utf8_put(0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00), to);
	}
	return str_utf8_put(0xFFFD, to);
}

/* The escape whose backslash is at *at, as UTF-8; moves behind it. */
static size_t
decode_escape(struct str s, size_t *at, char to[4])
{
	static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
	const char *hit;
	char c;

	if (*at + 1 >= s.n) {
		*at = s.n;
		return 0;
	}
	c = s.p[*at + 1];
	*at += 2;
	if (c == 'u')
		return decode_unicode(s, at, to);
	hit = memchr(names, c, sizeof(names) - 1);
	to[0] = hit ? values[hit - names] : c;
	return 1;
}

static bool
has_escape(struct str s)
{
	return s.n > 0 && memchr(s.p, '\\', s.n) != NULL;
}

static bool
escaped_is(struct str raw, struct str key)
{
	size_t at = 0, done = 0;

	while (at < raw.n) {
		char one[4];
		size_t n = 1;

		if (raw.p[at] == '\\')
			n = decode_escape(raw, &at, one);
		else
			one[0] = raw.p[at++];
		if (key.n - done < n || memcmp(key.p + done, one, n) != 0)
			return false;
		done += n;
	}
	return done == key.n;
}

static bool
key_is(struct str raw, struct str key)
{
	if (raw.n < key.n) /* escapes only ever shrink */
		return false;
	if (raw.n == key.n)
		return str_eq(raw, key) && !has_escape(raw);
	return has_escape(raw) && escaped_is(raw, key);
}

static struct str
inside_quotes(struct str raw)
{
	if (raw.n < 2 || raw.p[0] != '"')
		return STR("");
	return str_sub(raw, 1, raw.n - 2);
}

bool
jscan_next(struct str array, size_t *at, struct jscan_value *out)
{
	return next_item(array, at, '[') && take_value(array, at, out);
}

bool
jscan_next_member(struct str object, size_t *at, struct str *key, struct jscan_value *out)
{
	size_t end;

	if (!next_item(object, at, '{') || object.p[*at] != '"')
		return false;
	end = skip_string(object, *at);
	if (end - *at < 2)
		return false;
	*key = str_sub(object, *at + 1, end - *at - 2);
	end = skip_blank(object, end);
	if (end >= object.n || object.p[end] != ':')
		return false;
	*at = skip_blank(object, end + 1);
	return take_value(object, at, out);
}

struct jscan_value
jscan_member(struct str json, struct str key)
{
	struct jscan_value v;
	struct str name;
	size_t at = 0;

	while (jscan_next_member(json, &at, &name, &v))
		if (key_is(name, key))
			return v;
	return (struct jscan_value){JSCAN_NONE, STR_NONE};
}

struct jscan_value
jscan_path(struct str json, const struct str *keys, size_t n)
{
	struct jscan_value v = {JSCAN_NONE, json};
	size_t at = skip_blank(json, 0);

	if (n == 0 && !take_value(json, &at, &v))
		v.raw = STR_NONE;
	for (size_t i = 0; i < n; i++)
		v = jscan_member(v.raw, keys[i]);
	return v;
}

void
jscan_unescape(struct buf *out, struct str raw)
{
	struct str s = inside_quotes(raw);
	size_t at = 0;

	while (at < s.n) {
		size_t end = str_find(s, '\\', at);

		buf_add(out, s.p + at, end - at);
		at = end;
		if (at < s.n)
			out->n += decode_escape(s, &at, buf_room(out, 4));
	}
}

struct str
jscan_text(struct arena *a, struct jscan_value v)
{
	struct buf b;

	if (v.type != JSCAN_STRING)
		return STR_NONE;
	buf_init(&b, a, v.raw.n);
	jscan_unescape(&b, v.raw);
	return buf_view(&b);
}

bool
jscan_plain(struct str raw, struct str *text)
{
	if (has_escape(raw))
		return false;
	*text = inside_quotes(raw);
	return true;
}

double
jscan_number(struct str raw)
{
	char text[NUMBER_MAX];
	size_t n = MIN_OF(raw.n, sizeof(text) - 1);

	if (n == 0)
		return 0;
	memcpy(text, raw.p, n);
	text[n] = '\0';
	return strtod(text, NULL);
}
