/* push_preference – what users want pushed, in all and of single channels (api.md §10). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct db;
struct err;

#define PUSH_PREFERENCES_MAX 100 /* of one call */

/* Stored. */
enum push_level {
	PUSH_LEVEL_UNSET, /* as the user's, for a channel; else as PUSH_LEVEL_ALL */
	PUSH_LEVEL_ALL,
	PUSH_LEVEL_MENTIONS, /* the next two are the same here: there are mentions of users only
			      */
	PUSH_LEVEL_DIRECT_MENTIONS,
	PUSH_LEVEL_ALL_MENTIONS,
	PUSH_LEVEL_NONE,
};

struct push_preference {
	int64_t uid;
	int64_t channel; /* number; 0: all */
	enum push_level level;
	int64_t disabled_until; /* NO_TIME: it is not */
	/* JSON object of what else was said: "call_level", "feeds_level", "chat_preferences"
	 * …; p == NULL: nothing. */
	struct str extra;
};

/* The word on the wire; p == NULL for UNSET. */
struct str push_level_word(enum push_level);
/* "default" is UNSET.  False for what is no level. */
bool push_level_read(struct str word, enum push_level *out);

/* What one call changes of a preference. */
struct push_preference_edit {
	int64_t uid, channel;
	bool has_level, has_until;
	enum push_level level;
	int64_t disabled_until;
	struct str extra; /* members that replace those of the same names; p == NULL: none */
};
/* All or nothing; out[i] is what edits[i] led to, and of two of one user and channel the second
 * changes what the first left.  Fails: STORE. */
bool push_preference_change(struct db *, struct arena *, const struct push_preference_edit *,
	size_t n, struct push_preference *out, struct err *) MUST_USE;

/* Whether users want a message in channels: out[i] is that of uids[i] in channels[i], where
 * mentioned[i] says whether he is.  Fails: STORE. */
bool push_preference_allows(struct db *, struct arena *, const int64_t *uids,
	const int64_t *channels, const bool *mentioned, size_t n, int64_t now, bool *out,
	struct err *) MUST_USE;
