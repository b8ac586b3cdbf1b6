/* user_impl – what the files of user share with each other and with nobody else. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "domain/settings.h"
#include "store/sql_table.h"

struct arena;
struct db;
struct err;
struct user;
struct user_patch;

/* Inner keys for a list of ids; ids that stand there twice have one key. */
struct user_numbers {
	int64_t *uids;     /* of ids[i] */
	uint32_t *order;   /* places of the ids in byte order, equal ids in order of input */
	uint32_t *lead;    /* for each i the first place with the same id */
	int64_t first_new; /* keys from here on were taken by this call, without rows yet */
	size_t nnew;
};

/* New ids get their keys in order of input, or in byte order, and stand in the directory; the
 * caller makes their rows of users.  Only inside db_write.  Fails: STORE. */
bool user_number(struct db *w, struct arena *, const struct str *ids, size_t n, bool by_input,
	struct user_numbers *out, struct err *) MUST_USE;

/* Whether names are to be unique at this moment; part of the transaction, so that no write
 * misses that the setting was switched on. */
bool user_unique_mode(struct db *w, enum unique_names *out, struct err *) MUST_USE;
/* Writes users, who have their uids, by one of the two upserts of user.sql.  Only inside
 * db_write.  Fails: STORE. */
bool user_put(struct db *w, struct arena *, enum sql_id statement, struct user *const *users,
	size_t n, int64_t now, struct err *) MUST_USE;
/* Refuses names that others have, and enters those of ${users}, who are about to be written and
 * whose uids are known.  Only inside db_write.  Fails: DUPLICATE, STORE. */
bool user_unique_claim(struct db *w, struct arena *, enum unique_names,
	struct user *const *users, size_t n, struct err *) MUST_USE;

/* The user as it is after the patch; its times and keys are those of ${u}. */
bool user_apply_patch(struct arena *, const struct user *u, const struct user_patch *,
	bool nested_custom, struct user *out, struct err *) MUST_USE;
