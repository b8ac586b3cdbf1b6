/* err – what went wrong, for the caller of the API.
 *
 * Fallible functions return bool and fill a struct err; `return fail(e, ERR_INPUT, …)`
 * is the only way to fail.  Messages speak to the API caller and name the field and the
 * value at fault; operators' details go to the log where the context is known. */
#pragma once
#include <stdbool.h>

#include "base/macros.h"

/* code, HTTP status, code on the wire (api.md §8) */
#define ERR_CODES(X)                                                                        \
	X(INPUT, 400, 4)          /* a field is missing, malformed, contradictory */        \
	X(TOO_LONG, 400, 20)      /* message text above the channel type's limit */         \
	X(DUPLICATE, 400, 6)      /* a name that must be unique is taken */                 \
	X(NOT_FOUND, 404, 16)     /* the named thing does not exist */                      \
	X(METHOD, 405, 4)         /* known path, wrong method */                            \
	X(KEY, 401, 2)            /* unknown api_key */                                     \
	X(AUTH, 401, 5)           /* token missing or malformed */                          \
	X(EXPIRED, 401, 40)       /* exp passed, or revoked */                              \
	X(NOT_YET, 401, 41)       /* nbf in the future */                                   \
	X(BEFORE_ISSUED, 401, 42) /* iat in the future */                                   \
	X(SIGNATURE, 401, 43)     /* signature does not match */                            \
	X(DENIED, 403, 17)        /* user token on a server endpoint */                     \
	X(COOL_DOWN, 403, 60)     /* slow mode: he may send again a little later */         \
	X(TIMEOUT, 408, 23)       /* the query took longer than a request may */            \
	X(NO_CONNECTION, 400, 46) /* no such connection to watch with */                    \
	X(TOO_LARGE, 413, 22)     /* body above the route's limit */                        \
	X(CROWDED, 429, 71)       /* the user has too many connections */                   \
	X(LIMITED, 429, 9)        /* rate limit */                                          \
	X(UNFIT, 400, 4)          /* the store cannot hold a value, tried again or not */   \
	X(BUG, 500, -1)           /* ours */                                                \
	X(STORE, 503, -1)         /* the store failed; nothing was changed */               \
	X(UNCERTAIN, 503, -1) /* commit sent, answer lost; only idempotent callers retry */ \
	X(STALE, 503, -1)     /* a fence or status moved on; internal to the engine */

enum err_code {
	ERR_NONE,
#define X(name, http, wire) ERR_##name,
	ERR_CODES(X)
#undef X
};

struct err {
	enum err_code code;
	char msg[496]; /* cut at the end when longer, on a UTF-8 boundary */
};

/* Always false, so that failing is one statement. */
bool fail(struct err *e, enum err_code code, const char *fmt, ...) PRINTF(3, 4);
/* Puts "${where}." (a field of the caller) in front of a message that names a field;
 * keeps the code.  Always false. */
bool fail_in(struct err *e, const char *where);

#ifdef __clang_analyzer__ /* which does not look into functions of another file */
#define fail(...)    (fail(__VA_ARGS__), false)
#define fail_in(...) (fail_in(__VA_ARGS__), false)
#endif

int err_http(enum err_code code);
int err_wire(enum err_code code);
const char *err_name(enum err_code code);
