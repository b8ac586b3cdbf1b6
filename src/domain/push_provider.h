/* push_provider – the push services that an app has named, with what is needed to use them. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct db;
struct err;

#define PUSH_PROVIDERS_MAX 25
#define PUSH_NAME_MAX      36 /* characters */

struct push_provider {
	struct str type; /* "firebase", "apn", "huawei" or "xiaomi" */
	struct str name;
	struct str settings; /* JSON object of what was given besides, by its wire names */
	int64_t created_at, updated_at;
};

/* What may stand in the settings. */
enum push_setting_kind { PUSH_TEXT, PUSH_FLAG, PUSH_TIME /* microseconds */ };
struct push_setting {
	const char *name;
	enum push_setting_kind kind;
	bool is_secret; /* never told to anybody */
};
extern const struct push_setting push_settings[];
extern const size_t push_nsettings;

/* Fails: INPUT naming ${field}. */
bool push_type_check(const char *field, struct str type, struct err *) MUST_USE;

/* Creates the provider that ${obj} of a request describes, or changes what it says of one that
 * exists and keeps the rest (an empty text takes a setting away).  Fails: INPUT, STORE. */
bool push_provider_put(struct db *, struct arena *, const json_t *obj,
	struct push_provider *out, struct err *) MUST_USE;
/* Whether it was disabled because its credentials were refused. */
bool push_provider_is_barred(const json_t *settings);
/* By type and name.  Fails: STORE. */
bool push_provider_list(struct db *, struct arena *, struct push_provider **out, size_t *n,
	struct err *) MUST_USE;
/* Fails: NOT_FOUND, STORE. */
bool push_provider_remove(
	struct db *, struct arena *, struct str type, struct str name, struct err *) MUST_USE;
/* Notes that its credentials were refused, until they change; one that is disabled, was changed
 * meanwhile or is gone stays as it is.  Only inside a write transaction.  Fails: STORE. */
bool push_provider_disable(struct db *w, struct arena *, struct str type, struct str name,
	struct str reason, struct err *) MUST_USE;
bool push_provider_exists(
	struct db *, struct str type, struct str name, bool *out, struct err *) MUST_USE;
