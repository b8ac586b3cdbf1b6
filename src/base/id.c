/* id – UUIDs and the alphabets of ids.
 *
 * A UUID has 122 free bits around its version (4 bits) and variant (2 bits).  Those of a
 * message key are filled from the top, the tag first:
 *
 *	tag 57..10 (48) | version 8 | tag 9..0 (10) key 63..62 (2) | variant 2 | key 61..0 (62)
 *
 * so the key stands in the low bits in plain order: ids of one store sort as their keys. */
#include "base/id.h"

#include <endian.h>
#include <string.h>

#include "base/crypt.h"

#define TAG_MASK     ((UINT64_C(1) << 58) - 1)
#define KEY_LOW_MASK ((UINT64_C(1) << 62) - 1)
#define VARIANT      (UINT64_C(2) << 62)
#define VERSION(n)   (UINT64_C(n) << 12)
#define VERSION_MASK VERSION(15)
#define USER_MAX     255
#define CHANNEL_MAX  64
#define TYPE_MAX     64

static bool
is_dash_at(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

static void
put_uuid(uint64_t high, uint64_t low, char out[ID_UUID_LEN])
{
	static const char digits[] = "0123456789abcdef";
	unsigned nibble = 0;

	for (size_t i = 0; i < ID_UUID_LEN; i++) {
		uint64_t half = nibble < 16 ? high : low;

		if (is_dash_at(i)) {
			out[i] = '-';
			continue;
		}
		out[i] = digits[half >> (60 - 4 * (nibble % 16)) & 15];
		nibble++;
	}
}

/* Lower case only: one id has one text. */
static bool
read_uuid(struct str s, uint64_t *high, uint64_t *low)
{
	uint64_t half[2] = {0, 0};
	unsigned nibble = 0;

	if (s.n != ID_UUID_LEN)
		return false;
	for (size_t i = 0; i < ID_UUID_LEN; i++) {
		char c = s.p[i];
		unsigned v;

		if (is_dash_at(i)) {
			if (c != '-')
				return false;
			continue;
		}
		if (c >= '0' && c <= '9')
			v = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = (unsigned)(c - 'a') + 10;
		else
			return false;
		half[nibble / 16] = half[nibble / 16] << 4 | v;
		nibble++;
	}
	*high = half[0];
	*low = half[1];
	return true;
}

static bool
is_id_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

/* ${also} is one more character that is allowed. */
static bool
all_id_chars(struct str s, char also)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_id_char(s.p[i]) && s.p[i] != also)
			return false;
	return true;
}

void
id_uuid4(char out[ID_UUID_LEN])
{
	uint64_t half[2];

	crypt_random(half, sizeof(half));
	half[0] = (half[0] & ~VERSION_MASK) | VERSION(4);
	half[1] = (half[1] & KEY_LOW_MASK) | VARIANT;
	put_uuid(half[0], half[1], out);
}

void
id_from_text(struct str text, char out[ID_UUID_LEN])
{
	uint8_t digest[CRYPT_SHA256_LEN];
	uint64_t high, low;

	crypt_sha256(text, digest);
	memcpy(&high, digest, sizeof(high));
	memcpy(&low, digest + sizeof(high), sizeof(low));
	high = be64toh(high);
	low = be64toh(low);
	put_uuid((high & ~VERSION_MASK) | VERSION(8), (low & KEY_LOW_MASK) | VARIANT, out);
}

void
id_from_key(uint64_t tag, int64_t key, char out[ID_UUID_LEN])
{
	uint64_t t = tag & TAG_MASK;
	uint64_t k = (uint64_t)key;

	put_uuid(t >> 10 << 16 | VERSION(8) | (t & 0x3ff) << 2 | k >> 62,
		VARIANT | (k & KEY_LOW_MASK), out);
}

void
id_from_digest(const uint8_t digest[16], char out[ID_UUID_LEN])
{
	uint64_t half[2] = {0, 0};

	for (size_t i = 0; i < 16; i++)
		half[i / 8] = half[i / 8] << 8 | digest[i];
	put_uuid((half[0] & ~VERSION_MASK) | VERSION(8), (half[1] & KEY_LOW_MASK) | VARIANT,
		out);
}

bool
id_to_key(uint64_t tag, struct str s, int64_t *key)
{
	uint64_t high, low;

	if (!read_uuid(s, &high, &low))
		return false;
	if ((high & VERSION_MASK) != VERSION(8) || (low & ~KEY_LOW_MASK) != VARIANT)
		return false;
	if ((high >> 16 << 10 | (high >> 2 & 0x3ff)) != (tag & TAG_MASK))
		return false;
	*key = (int64_t)((high & 3) << 62 | (low & KEY_LOW_MASK));
	return true;
}

bool
id_user_valid(struct str s)
{
	return s.n >= 1 && s.n <= USER_MAX && all_id_chars(s, '@');
}

bool
id_channel_valid(struct str s)
{
	struct str rest = s;

	if (s.n > CHANNEL_MAX)
		return false;
	if (s.n > 0 && s.p[0] == '!')
		rest = str_sub(s, 1, s.n - 1);
	return rest.n >= 1 && all_id_chars(rest, '_');
}

bool
id_type_valid(struct str s)
{
	return s.n >= 1 && s.n <= TYPE_MAX && all_id_chars(s, '_');
}
