/* test_sign – tokens are checked with what OpenSSL thinks of their keys, and p12 files are made
 * on the spot. */
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/crypt.h"
#include "base/sign.h"
#include "support.h"

static struct str
pem_of(struct arena *a, EVP_PKEY *pkey, const char *password)
{
	BIO *bio = BIO_new(BIO_s_mem());
	const EVP_CIPHER *cipher = password != NULL ? EVP_aes_128_cbc() : NULL;
	char *p;
	long n;
	struct str out;

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, cipher, password,
				 password != NULL ? (int)strlen(password) : 0, NULL, NULL),
		1);
	n = BIO_get_mem_data(bio, &p);
	out = arena_dup(a, (struct str){p, (size_t)n});
	BIO_free(bio);
	return out;
}

/* The three parts of a token. */
static void
split(struct str token, struct str part[3], struct str *signed_text)
{
	size_t one = str_find(token, '.', 0), two = str_find(token, '.', one + 1);

	assert_true(two < token.n);
	part[0] = str_sub(token, 0, one);
	part[1] = str_sub(token, one + 1, two - one - 1);
	part[2] = str_sub(token, two + 1, token.n - two - 1);
	*signed_text = str_sub(token, 0, two);
}

static bool
verify(EVP_PKEY *pkey, struct str text, const unsigned char *sig, size_t n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1 &&
		  EVP_DigestVerify(ctx, sig, n, (const unsigned char *)text.p, text.n) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

/* Numbers side by side back into ASN.1. */
static bool
verify_ec(EVP_PKEY *pkey, struct str text, struct str raw)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	const unsigned char *p = (const unsigned char *)raw.p;
	unsigned char *der = NULL;
	int n;
	bool ok;

	assert_int_equal(raw.n, 64);
	assert_int_equal(
		ECDSA_SIG_set0(sig, BN_bin2bn(p, 32, NULL), BN_bin2bn(p + 32, 32, NULL)), 1);
	n = i2d_ECDSA_SIG(sig, &der);
	ok = verify(pkey, text, der, (size_t)n);
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	return ok;
}

static void
tokens_verify(void **state)
{
	struct arena *a = *state;
	EVP_PKEY *rsa = EVP_RSA_gen(2048), *ec = EVP_EC_gen("P-256");
	struct sign_key *key;
	struct str token, part[3], text, raw;
	struct err e;

	must(sign_key_read(&key, SIGN_RS256, pem_of(a, rsa, NULL), &e), &e);
	must(sign_jwt(a, key, STR("{\"alg\":\"RS256\"}"), STR("{\"iss\":\"x\"}"), &token, &e),
		&e);
	split(token, part, &text);
	assert_true(crypt_b64url_read(a, part[0], &raw));
	assert_str(raw, "{\"alg\":\"RS256\"}");
	assert_true(crypt_b64url_read(a, part[1], &raw));
	assert_str(raw, "{\"iss\":\"x\"}");
	assert_true(crypt_b64url_read(a, part[2], &raw));
	assert_true(verify(rsa, text, (const unsigned char *)raw.p, raw.n));
	sign_key_free(key);

	/* Many: a number with zeros in front must still have its 32 bytes. */
	must(sign_key_read(&key, SIGN_ES256, pem_of(a, ec, NULL), &e), &e);
	for (int i = 0; i < 600; i++) {
		must(sign_jwt(a, key, STR("{\"alg\":\"ES256\"}"), STR("{}"), &token, &e), &e);
		split(token, part, &text);
		assert_true(crypt_b64url_read(a, part[2], &raw));
		assert_true(verify_ec(ec, text, raw));
	}
	sign_key_free(key);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
}

static void
keys_of_no_use(void **state)
{
	struct arena *a = *state;
	EVP_PKEY *rsa = EVP_RSA_gen(1024), *p384 = EVP_EC_gen("P-384");
	struct sign_key *key;
	struct err e;

	must_fail(sign_key_read(&key, SIGN_RS256, STR(""), &e), &e, ERR_INPUT, "nothing");
	must_fail(
		sign_key_read(&key, SIGN_RS256, STR("-----BEGIN PRIVATE KEY-----\nMII\n"), &e),
		&e, ERR_INPUT, "PEM");
	must_fail(sign_key_read(&key, SIGN_ES256, pem_of(a, rsa, NULL), &e), &e, ERR_INPUT,
		"P-256");
	must_fail(sign_key_read(&key, SIGN_ES256, pem_of(a, p384, NULL), &e), &e, ERR_INPUT,
		"P-256");
	must_fail(sign_key_read(&key, SIGN_RS256, pem_of(a, p384, NULL), &e), &e, ERR_INPUT,
		"RSA");
	must_fail(sign_key_read(&key, SIGN_RS256, pem_of(a, rsa, "secret"), &e), &e, ERR_INPUT,
		"without a password");
	assert_null(key);
	sign_key_free(NULL);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(p384);
}

static struct str
make_p12(struct arena *a, EVP_PKEY *pkey, const char *password)
{
	X509 *x = X509_new();
	unsigned char *der = NULL;
	PKCS12 *p12;
	struct str out;
	int n;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, pkey);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
		(const unsigned char *)"push", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	assert_true(X509_sign(x, pkey, EVP_sha256()) > 0);
	p12 = PKCS12_create(password, "push", pkey, x, NULL, 0, 0, 0, 0, 0);
	assert_non_null(p12);
	n = i2d_PKCS12(p12, &der);
	out = arena_dup(a, (struct str){(char *)der, (size_t)n});
	OPENSSL_free(der);
	PKCS12_free(p12);
	X509_free(x);
	return out;
}

static void
p12_files(void **state)
{
	struct arena *a = *state;
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	struct str cert, key;
	struct sign_key *read;
	struct err e;

	must(sign_read_p12(a, make_p12(a, pkey, ""), &cert, &key, &e), &e);
	assert_true(str_starts(cert, STR("-----BEGIN CERTIFICATE-----\n")));
	must(sign_key_read(&read, SIGN_ES256, key, &e), &e);
	sign_key_free(read);
	must_fail(sign_read_p12(a, make_p12(a, pkey, "x"), &cert, &key, &e), &e, ERR_INPUT,
		"without a password");
	must_fail(sign_read_p12(a, STR("no such thing"), &cert, &key, &e), &e, ERR_INPUT,
		"PKCS #12");
	must_fail(sign_read_p12(a, STR(""), &cert, &key, &e), &e, ERR_INPUT, "nothing");
	EVP_PKEY_free(pkey);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tokens_verify, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(keys_of_no_use, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(p12_files, arena_setup, arena_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
