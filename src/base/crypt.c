/* crypt – OpenSSL's digests and random bytes; base64url and hex by hand. */
#include "base/crypt.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/arena.h"
#include "base/log.h"

static const char b64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* OpenSSL refuses or misreads NULL even where the length is 0. */
static const unsigned char *
bytes_of(struct str s)
{
	return (const unsigned char *)(s.p ? s.p : "");
}

/* −1 for characters outside the alphabet. */
static int
b64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

void
crypt_sha256(struct str in, uint8_t out[CRYPT_SHA256_LEN])
{
	if (EVP_Digest(bytes_of(in), in.n, out, NULL, EVP_sha256(), NULL) != 1)
		panic("SHA-256 failed");
}

void
crypt_sha1(struct str in, uint8_t out[CRYPT_SHA1_LEN])
{
	if (EVP_Digest(bytes_of(in), in.n, out, NULL, EVP_sha1(), NULL) != 1)
		panic("SHA-1 failed");
}

void
crypt_hmac_sha256(struct str key, struct str in, uint8_t out[CRYPT_SHA256_LEN])
{
	if (key.n > INT_MAX)
		panic("HMAC key of %zu bytes", key.n);
	if (HMAC(EVP_sha256(), bytes_of(key), (int)key.n, bytes_of(in), in.n, out, NULL) ==
		NULL)
		panic("HMAC-SHA-256 failed");
}

struct crypt_mac {
	EVP_MAC *mac;
	EVP_MAC_CTX *ctx; /* with the key */
};

struct crypt_mac *
crypt_mac_new(struct str key)
{
	char digest[] = OSSL_DIGEST_NAME_SHA2_256;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	struct crypt_mac *m = calloc(1, sizeof(*m));

	if (m == NULL)
		panic("out of memory");
	m->mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	m->ctx = EVP_MAC_CTX_new(m->mac);
	if (EVP_MAC_init(m->ctx, bytes_of(key), key.n, params) != 1)
		panic("HMAC-SHA-256 failed");
	return m;
}

void
crypt_mac_free(struct crypt_mac *m)
{
	if (m == NULL)
		return;
	EVP_MAC_CTX_free(m->ctx);
	EVP_MAC_free(m->mac);
	free(m);
}

void
crypt_mac_sum(
	struct crypt_mac *m, const struct str *parts, size_t n, uint8_t out[CRYPT_SHA256_LEN])
{
	size_t len;
	bool ok = EVP_MAC_init(m->ctx, NULL, 0, NULL) == 1;

	for (size_t i = 0; i < n && ok; i++)
		ok = EVP_MAC_update(m->ctx, bytes_of(parts[i]), parts[i].n) == 1;
	if (!ok || EVP_MAC_final(m->ctx, out, &len, CRYPT_SHA256_LEN) != 1)
		panic("HMAC-SHA-256 failed");
}

bool
crypt_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void
crypt_random(void *out, size_t n)
{
	if (n > INT_MAX || RAND_bytes(out, (int)n) != 1)
		panic("no random bytes to be had (%zu wanted)", n);
}

struct str
crypt_b64url(struct arena *a, struct str in)
{
	size_t n = in.n / 3 * 4 + (in.n % 3 ? in.n % 3 + 1 : 0);
	char *out = arena_alloc(a, n + 1);
	const unsigned char *p = bytes_of(in);
	uint32_t bits = 0; /* only the lowest ${have} count */
	unsigned have = 0;
	size_t at = 0;

	for (size_t i = 0; i < in.n; i++) {
		bits = bits << 8 | p[i];
		for (have += 8; have >= 6; have -= 6)
			out[at++] = b64_digits[bits >> (have - 6) & 63];
	}
	if (have > 0)
		out[at++] = b64_digits[bits << (6 - have) & 63];
	out[at] = '\0';
	return (struct str){out, at};
}

bool
crypt_b64url_read(struct arena *a, struct str in, struct str *out)
{
	size_t n = in.n / 4 * 3 + (in.n % 4 ? in.n % 4 - 1 : 0);
	uint32_t bits = 0;
	unsigned have = 0;
	size_t at = 0;
	char *p;

	if (in.n % 4 == 1)
		return false;
	p = arena_alloc(a, n + 1);
	for (size_t i = 0; i < in.n; i++) {
		int v = b64_value(in.p[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			p[at++] = (char)(bits >> have & 0xff);
		}
	}
	/* Bits that encode nothing must be zero, else one value had several texts. */
	if ((bits & ((1U << have) - 1)) != 0)
		return false;
	p[at] = '\0';
	*out = (struct str){p, at};
	return true;
}

void
crypt_base64(struct str in, char *out)
{
	unsigned char four[5]; /* OpenSSL puts a NUL behind */

	for (size_t at = 0; at < in.n; at += 3, out += 4) {
		EVP_EncodeBlock(four, bytes_of(in) + at, (int)MIN_OF(in.n - at, (size_t)3));
		memcpy(out, four, 4);
	}
}

bool
crypt_base64_read(struct arena *a, struct str in, struct str *out)
{
	char *url = arena_alloc(a, in.n + 1);
	size_t n = 0, padding = 0;

	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		padding += c == '=';
		if (c == '-' || c == '_' || (c != '=' && padding > 0) || padding > 2)
			return false;
		url[n++] = (char)(c == '+' ? '-' : c == '/' ? '_' : c);
	}
	return crypt_b64url_read(a, (struct str){url, n - padding}, out);
}

struct str
crypt_hex(struct arena *a, struct str in)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = bytes_of(in);
	char *out = arena_alloc(a, 2 * in.n + 1);

	for (size_t i = 0; i < in.n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * in.n] = '\0';
	return (struct str){out, 2 * in.n};
}
