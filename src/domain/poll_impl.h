/* poll_impl – what the files of poll share with each other and with nobody else. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct app;
struct arena;
struct db;
struct err;
struct poll;
struct poll_vote;
struct rows;

/* The poll and its options, without votes.  Fails: NOT_FOUND, STORE. */
bool
poll_load(struct db *, struct arena *, struct str id, struct poll *out, struct err *e) MUST_USE;
/* The votes of a user, only those for options that are there.  Fails: STORE. */
bool poll_load_own(struct db *, struct arena *, const struct app *, struct poll *polls,
	size_t n, int64_t uid, struct err *e) MUST_USE;

/* Columns from 1 as all statements of votes select them: key, uid, option, cast_at, answer.
 * False when the option is not (or no longer) there. */
bool poll_vote_from_row(struct rows *, struct arena *, const struct app *, const struct poll *,
	struct poll_vote *out);
/* The key of a vote's wire id; false when it cannot be one. */
bool poll_vote_key(const struct app *, struct str id, int64_t *key);
