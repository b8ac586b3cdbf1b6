/* template_case – upper and lower case for the alphabets campaigns are written in. */
#include "domain/template_int.h"

#define SMALL_SIGMA 0x03C3
#define FINAL_SIGMA 0x03C2
#define SHARP_S     0x00DF
#define NOT_UTF8    UINT32_MAX

/* Capitals lo … hi, each with its small letter ${delta} further on.  delta 1: capitals and
 * small letters take turns, beginning with a capital.  No pair differs in UTF-8 length. */
struct case_range {
	uint16_t lo, hi;
	int16_t delta;
};

static const struct case_range ranges[] = {
	{0x0041, 0x005A, 32},   /* ASCII */
	{0x00C0, 0x00D6, 32},   /* Latin-1 */
	{0x00D8, 0x00DE, 32},   /* */
	{0x0100, 0x012F, 1},    /* Latin Extended-A */
	{0x0132, 0x0137, 1},    /* */
	{0x0139, 0x0148, 1},    /* */
	{0x014A, 0x0177, 1},    /* */
	{0x0178, 0x0178, -121}, /* Y with diaeresis */
	{0x0179, 0x017E, 1},    /* */
	{0x01A0, 0x01A5, 1},    /* Vietnamese O with horn */
	{0x01AF, 0x01B0, 1},    /* Vietnamese U with horn */
	{0x01CD, 0x01DC, 1},    /* Pinyin */
	{0x01F8, 0x021F, 1},    /* Romanian, Croatian */
	{0x0386, 0x0386, 38},   /* Greek */
	{0x0388, 0x038A, 37},   /* */
	{0x038C, 0x038C, 64},   /* */
	{0x038E, 0x038F, 63},   /* */
	{0x0391, 0x03A1, 32},   /* */
	{0x03A3, 0x03AB, 32},   /* */
	{0x0400, 0x040F, 80},   /* Cyrillic */
	{0x0410, 0x042F, 32},   /* */
	{0x0460, 0x0481, 1},    /* */
	{0x048A, 0x04BF, 1},    /* */
	{0x04C1, 0x04CE, 1},    /* */
	{0x04D0, 0x052F, 1},    /* */
	{0x0531, 0x0556, 48},   /* Armenian */
	{0x1E00, 0x1E95, 1},    /* Latin Extended Additional */
	{0x1EA0, 0x1EFF, 1},    /* Vietnamese */
};

/* Letters with a partner in one direction only. */
static const struct {
	uint16_t from, to;
	bool up;
} singles[] = {
	{0x00B5, 0x039C, true},  /* micro sign */
	{0x0131, 'I', true},     /* dotless i */
	{0x017F, 'S', true},     /* long s */
	{0x03C2, 0x03A3, true},  /* final sigma */
	{0x0130, 'i', false},    /* I with dot */
	{0x1E9E, 0x00DF, false}, /* capital sharp s */
};

static uint32_t
map_letter(uint32_t c, bool up)
{
	for (size_t i = 0; i < ARRAY_LEN(singles); i++)
		if (singles[i].from == c && singles[i].up == up)
			return singles[i].to;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		uint32_t lo = ranges[i].lo, hi = ranges[i].hi;
		uint32_t delta = (uint32_t)ranges[i].delta; /* wraps when negative */

		if (ranges[i].delta == 1) {
			if (c >= lo && c <= hi)
				return lo + ((c - lo) & ~1U) + (up ? 0 : 1);
		} else if (up ? c - delta >= lo && c - delta <= hi : c >= lo && c <= hi) {
			return up ? c - delta : c + delta;
		}
	}
	return c;
}

static bool
is_letter(uint32_t c)
{
	return c != NOT_UTF8 &&
	       (c == SHARP_S || map_letter(c, true) != c || map_letter(c, false) != c);
}

/* The code point at the start of ${s} and its length; four bytes have no case. */
static uint32_t
decode(struct str s, size_t *len)
{
	const unsigned char *p = (const unsigned char *)s.p;

	*len = str_utf8_seq(s);
	switch (*len) {
	case 1:
		return p[0];
	case 2:
		return (p[0] & 0x1FU) << 6 | (p[1] & 0x3FU);
	case 3:
		return (p[0] & 0x0FU) << 12 | (p[1] & 0x3FU) << 6 | (p[2] & 0x3FU);
	default:
		*len = MAX_OF(*len, (size_t)1);
		return NOT_UTF8;
	}
}

/* Within a word only; "they're" is one word, "O'Neill" two, "1st" one (Django's rule). */
static bool
continues_word(uint32_t before, uint32_t last)
{
	if (last == '\'')
		return before >= 'a' && before <= 'z';
	return is_letter(last) || (last >= '0' && last <= '9');
}

static uint32_t
lower_in_word(uint32_t c, uint32_t last, struct str rest)
{
	uint32_t low = map_letter(c, false);
	size_t len;

	if (low == SMALL_SIGMA && c != low && is_letter(last) &&
		(rest.n == 0 || !is_letter(decode(rest, &len))))
		return FINAL_SIGMA;
	return low;
}

size_t
template_case_map(struct str s, enum case_mode mode, char *to)
{
	uint32_t before = 0, last = 0;
	size_t at = 0, n = 0;

	while (at < s.n) {
		size_t len;
		uint32_t c = decode(str_sub(s, at, s.n - at), &len);
		bool up = mode == CASE_UPPER ||
			  (mode == CASE_TITLE && !continues_word(before, last)) ||
			  (mode == CASE_FIRST && at == 0);

		at += len;
		if (c == NOT_UTF8 || (mode == CASE_FIRST && !up)) {
			memcpy(to + n, s.p + at - len, len);
			n += len;
		} else if (c == SHARP_S && up) {
			to[n++] = 'S';
			to[n++] = mode == CASE_UPPER ? 'S' : 's';
			c = 's';
		} else {
			c = up ? map_letter(c, true)
			       : lower_in_word(c, last, str_sub(s, at, s.n - at));
			n += str_utf8_put(c, to + n);
		}
		before = last;
		last = c;
	}
	return n;
}
