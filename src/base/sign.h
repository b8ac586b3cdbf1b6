/* sign – what private keys are for: JSON web tokens signed with them (RS256, ES256), and the
 * certificates of clients (OpenSSL behind a narrow face). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct err;
struct sign_key;

enum sign_alg { SIGN_RS256, SIGN_ES256 };

/* Reads a private key of the algorithm's kind (RSA; EC on P-256) from PEM.  Fails: INPUT. */
bool
sign_key_read(struct sign_key **out, enum sign_alg alg, struct str pem, struct err *e) MUST_USE;
void sign_key_free(struct sign_key *); /* NULL is legal */

/* The token of a header and claims, both JSON objects.  Fails: BUG. */
bool sign_jwt(struct arena *, const struct sign_key *, struct str header, struct str claims,
	struct str *out, struct err *e) MUST_USE;

/* The certificate and key in a PKCS #12 file without a password, as PEM in the arena; those of
 * old exports, too.  Fails: INPUT. */
bool sign_read_p12(struct arena *, struct str bytes, struct str *cert, struct str *key,
	struct err *e) MUST_USE;
