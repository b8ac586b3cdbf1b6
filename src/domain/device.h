/* device – where push notifications of a user go: the tokens that his devices registered. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct db;
struct err;

#define DEVICE_ID_MAX 255 /* bytes */
#define DEVICE_MAX    25  /* per user; one more drives out the one seen longest ago */

struct device {
	int64_t uid;
	struct str id;
	struct str provider;      /* "firebase", "apn", "huawei" or "xiaomi" */
	struct str provider_name; /* p == NULL: any of that type */
	struct str hardware_id;   /* p == NULL: unknown */
	bool voip;
	int64_t created_at;
	int64_t disabled_at;        /* NO_TIME: it is not */
	struct str disabled_reason; /* p == NULL: none */
};

/* Registers ${d}, or registers it again (created_at stays; what disabled it is forgotten).
 * Fails: INPUT (id, provider, unknown provider_name), STORE. */
bool device_add(struct db *, const struct device *d, struct err *) MUST_USE;
/* The oldest first.  Fails: STORE. */
bool device_list(struct db *, struct arena *, int64_t uid, struct device **out, size_t *n,
	struct err *) MUST_USE;
/* Fails: NOT_FOUND, STORE. */
bool device_remove(struct db *, int64_t uid, struct str id, struct err *) MUST_USE;

/* The devices of many users: those of uids[i] are out[first[i]] up to out[first[i + 1]], so
 * *first has n + 1 elements.  Fails: STORE, TOO_LARGE. */
bool device_list_many(struct db *, struct arena *, const int64_t *uids, size_t n,
	struct device **out, size_t **first, struct err *) MUST_USE;

/* What a push provider is to reach: the devices of many users that are not disabled and name
 * it, or none of its type (${name} p == NULL: a provider without a name, which serves those
 * only). In the order of ${uids}.  Fails: STORE, TOO_LARGE. */
struct device_ref {
	size_t user; /* its index */
	struct str id;
};
bool device_served(struct db *, struct arena *, struct str provider, struct str name,
	const int64_t *uids, size_t n, struct device_ref **out, size_t *nout,
	struct err *) MUST_USE;
/* Whether anybody has a device.  Fails: STORE. */
bool device_any(struct db *, bool *out, struct err *) MUST_USE;
/* Notes that the push service does not know the token any more, unless the device was
 * registered after ${since}.  Only inside a write transaction.  Fails: STORE. */
bool device_disable(struct db *w, struct str provider, struct str id, int64_t since,
	struct str reason, struct err *) MUST_USE;
