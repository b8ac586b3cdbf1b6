/* crypt – digests, random bytes and text encodings (OpenSSL behind a narrow face). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;

#define CRYPT_SHA256_LEN 32

void crypt_sha256(struct str in, uint8_t out[CRYPT_SHA256_LEN]);
void crypt_hmac_sha256(struct str key, struct str in, uint8_t out[CRYPT_SHA256_LEN]);
/* The same for who signs much with one key: what follows from the key is kept.  One thread at a
 * time. */
struct crypt_mac *crypt_mac_new(struct str key);
void crypt_mac_free(struct crypt_mac *m); /* NULL is legal */
/* Of the ${n} parts, one behind the other. */
void crypt_mac_sum(
	struct crypt_mac *m, const struct str *parts, size_t n, uint8_t out[CRYPT_SHA256_LEN]);
/* Only where a protocol asks for it: proves nothing. */
#define CRYPT_SHA1_LEN 20
void crypt_sha1(struct str in, uint8_t out[CRYPT_SHA1_LEN]);
/* Time depends on the length only (I-26). */
bool crypt_equal(const void *a, const void *b, size_t n);
/* Ends the process when the kernel gives none. */
void crypt_random(void *out, size_t n);

/* base64url without padding; decoding refuses padding, other alphabets and non-canonical
 * trailing bits (I-25). */
struct str crypt_b64url(struct arena *a, struct str in);
bool crypt_b64url_read(struct arena *a, struct str in, struct str *out);
/* base64 with padding: 4 characters for each 3 bytes begun, not NUL-terminated. */
#define CRYPT_BASE64_LEN(n) (((n) + 2) / 3 * 4)
void crypt_base64(struct str in, char *out);
/* As files have it: line ends and blanks do not matter, nor whether there is padding. */
bool crypt_base64_read(struct arena *a, struct str in, struct str *out);
/* Lower-case hex. */
struct str crypt_hex(struct arena *a, struct str in);
