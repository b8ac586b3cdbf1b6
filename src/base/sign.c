/* sign – OpenSSL's keys and signatures. */
#include "base/sign.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/crypt.h"
#include "base/err.h"
#include "base/log.h"

#define P256_HALF 32 /* bytes of each number of a signature */

struct sign_key {
	enum sign_alg alg;
	EVP_PKEY *pkey;
};

/* ---- keys ------------------------------------------------------------------------------ */

/* Keys with a password are refused instead of asking for it at a terminal. */
static int
no_password(char *buf UNUSED, int size UNUSED, int writing UNUSED, void *arg UNUSED)
{
	return -1;
}

static bool
is_of(enum sign_alg alg, const EVP_PKEY *pkey)
{
	char group[32] = "";
	size_t n = 0;

	if (alg == SIGN_RS256)
		return EVP_PKEY_is_a(pkey, "RSA");
	return EVP_PKEY_is_a(pkey, "EC") &&
	       EVP_PKEY_get_group_name(pkey, group, sizeof(group), &n) == 1 &&
	       strcmp(group, "prime256v1") == 0;
}

bool
sign_key_read(struct sign_key **out, enum sign_alg alg, struct str pem, struct err *e)
{
	BIO *bio;
	EVP_PKEY *pkey;

	*out = NULL;
	if (pem.n == 0 || pem.n > INT_MAX)
		return fail(e, ERR_INPUT, "expected a private key, got nothing");
	bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (bio == NULL)
		panic("out of memory");
	pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (pkey == NULL)
		return fail(e, ERR_INPUT, "expected a private key in PEM without a password");
	if (!is_of(alg, pkey)) {
		EVP_PKEY_free(pkey);
		return fail(e, ERR_INPUT, "expected a private key of %s",
			alg == SIGN_RS256 ? "RSA" : "the curve P-256");
	}
	*out = malloc(sizeof(**out));
	if (*out == NULL)
		panic("out of memory");
	**out = (struct sign_key){alg, pkey};
	return true;
}

void
sign_key_free(struct sign_key *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

/* ---- tokens ---------------------------------------------------------------------------- */

/* A signature's two numbers side by side (RFC 7518 §3.4) instead of OpenSSL's ASN.1. */
static bool
unwrap_ec(struct arena *a, struct str der, struct str *out)
{
	const unsigned char *p = (const unsigned char *)der.p;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)der.n);
	unsigned char *raw = arena_alloc(a, 2 * P256_HALF);
	bool ok;

	if (sig == NULL)
		return false;
	ok = BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, P256_HALF) == P256_HALF &&
	     BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + P256_HALF, P256_HALF) == P256_HALF;
	ECDSA_SIG_free(sig);
	*out = (struct str){(const char *)raw, 2 * P256_HALF};
	return ok;
}

static bool
sign(struct arena *a, const struct sign_key *key, struct str text, struct str *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const unsigned char *in = (const unsigned char *)text.p;
	unsigned char *raw;
	size_t n = 0;
	bool ok;

	if (ctx == NULL)
		panic("out of memory");
	ok = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
	     EVP_DigestSign(ctx, NULL, &n, in, text.n) == 1;
	if (ok) {
		raw = arena_alloc(a, n);
		ok = EVP_DigestSign(ctx, raw, &n, in, text.n) == 1;
		*out = (struct str){(const char *)raw, n};
	}
	EVP_MD_CTX_free(ctx);
	return ok && (key->alg == SIGN_RS256 || unwrap_ec(a, *out, out));
}

bool
sign_jwt(struct arena *a, const struct sign_key *key, struct str header, struct str claims,
	struct str *out, struct err *e)
{
	struct str h = crypt_b64url(a, header), c = crypt_b64url(a, claims);
	struct str text = arena_printf(a, "%.*s.%.*s", STR_ARG(h), STR_ARG(c)), signature;

	if (!sign(a, key, text, &signature)) {
		ERR_clear_error();
		return fail(e, ERR_BUG, "a token could not be signed");
	}
	signature = crypt_b64url(a, signature);
	*out = arena_printf(a, "%.*s.%.*s", STR_ARG(text), STR_ARG(signature));
	return true;
}

/* ---- certificates ---------------------------------------------------------------------- */

static struct str
text_of(struct arena *a, BIO *bio)
{
	char *p = NULL;
	long n = BIO_get_mem_data(bio, &p);

	return arena_dup(a, (struct str){p, (size_t)n});
}

static bool
write_pem(struct arena *a, EVP_PKEY *pkey, X509 *x509, struct str *cert, struct str *key)
{
	BIO *bio[2] = {BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())};
	bool ok = bio[0] != NULL && bio[1] != NULL && PEM_write_bio_X509(bio[0], x509) == 1 &&
		  PEM_write_bio_PrivateKey(bio[1], pkey, NULL, NULL, 0, NULL, NULL) == 1;

	if (ok) {
		*cert = text_of(a, bio[0]);
		*key = text_of(a, bio[1]);
	}
	BIO_free(bio[0]);
	BIO_free(bio[1]);
	return ok;
}

static bool
unpack(struct arena *a, OSSL_LIB_CTX *ctx, struct str bytes, struct str *cert, struct str *key)
{
	PKCS12 *p12 = PKCS12_init_ex(NID_pkcs7_data, ctx, NULL);
	BIO *bio = BIO_new_mem_buf(bytes.p, (int)bytes.n);
	EVP_PKEY *pkey = NULL;
	X509 *x509 = NULL;
	bool ok = p12 != NULL && bio != NULL && d2i_PKCS12_bio(bio, &p12) != NULL &&
		  PKCS12_parse(p12, "", &pkey, &x509, NULL) == 1 && pkey != NULL &&
		  x509 != NULL && write_pem(a, pkey, x509, cert, key);

	X509_free(x509);
	EVP_PKEY_free(pkey);
	BIO_free(bio);
	PKCS12_free(p12);
	return ok;
}

bool
sign_read_p12(
	struct arena *a, struct str bytes, struct str *cert, struct str *key, struct err *e)
{
	/* A context of its own: the ciphers of old exports are for nothing else. */
	OSSL_LIB_CTX *ctx;
	OSSL_PROVIDER *standard, *legacy;
	bool ok;

	if (bytes.n == 0 || bytes.n > INT_MAX)
		return fail(e, ERR_INPUT, "expected a PKCS #12 file, got nothing");
	if ((ctx = OSSL_LIB_CTX_new()) == NULL)
		panic("out of memory");
	standard = OSSL_PROVIDER_load(ctx, "default");
	legacy = OSSL_PROVIDER_load(ctx, "legacy");
	ok = standard != NULL && unpack(a, ctx, bytes, cert, key);
	if (legacy != NULL)
		OSSL_PROVIDER_unload(legacy);
	if (standard != NULL)
		OSSL_PROVIDER_unload(standard);
	OSSL_LIB_CTX_free(ctx);
	ERR_clear_error();
	return ok || fail(e, ERR_INPUT,
			     "expected a PKCS #12 file without a password, with a certificate "
			     "and its key");
}
