/* channel_edit – changing, cutting off and deleting channels.
 *
 * Whatever the size of a channel, these are marks in its row: messages up to truncated_at are
 * not there any more, a deleted channel is not there at all.  What is deleted hard is forgotten
 * afterwards, piece by piece (domain/oblivion.h). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "domain/membership.h"

struct arena;
struct channel;
struct db;
struct err;
struct patch;

#define CHANNEL_MAX_TAGS    10
#define CHANNEL_MAX_CHANGES 100 /* members in a list of one call */

struct channel_edit {
	struct membership_edit members;
	/* Fields of data; custom is replaced when there is data at all. */
	bool has_data;
	struct str custom; /* JSON object, or p == NULL: none */
	bool has_team;
	struct str team;         /* p == NULL: none */
	int8_t frozen, disabled; /* −1: as before */
	bool has_cooldown;
	int64_t cooldown; /* seconds; 0: none */
	const struct str *add_tags, *remove_tags;
	size_t nadd_tags, nremove_tags;
	int64_t by; /* uid, to be told; 0: nobody knows.  The same below */
};

/* Makes all changes of one call in one transaction; *out is the channel afterwards.  Fails:
 * INPUT, NOT_FOUND (deleted meanwhile), STORE. */
bool channel_update(struct db *, struct arena *, const struct channel *,
	const struct channel_edit *, struct channel *out, struct err *e) MUST_USE;
/* frozen, disabled, team, filter_tags, cooldown and custom data by path. */
bool channel_patch(struct db *, struct arena *, const struct channel *, const struct patch *,
	int64_t by, struct channel *out, struct err *e) MUST_USE;

/* A list of tags as it is stored.  Fails: INPUT ("filter_tags…"). */
bool
channel_check_tags(struct arena *, const json_t *list, struct str *out, struct err *e) MUST_USE;

struct channel_cut {
	int64_t at; /* messages up to then; NO_TIME: all that are there */
	bool hard;  /* forget them, too */
	/* Only for these members; n 0: for everybody. */
	const int64_t *uids;
	size_t nuids;
	int64_t by;
};
/* Fails: NOT_FOUND, STORE. */
bool channel_truncate(struct db *, struct arena *, const struct channel *,
	const struct channel_cut *, struct channel *out, struct err *e) MUST_USE;

struct channel_deletion {
	const int64_t *nos;
	size_t n;
	bool hard; /* forget their content, too */
	int64_t by;
};
/* Deletes channels in one transaction, and notes a task in it that is done, with ${result} (a
 * JSON object); *task is its id.  p == NULL: without a task, task may be NULL.  Fails: STORE.
 */
bool channel_delete(struct db *, struct arena *, const struct channel_deletion *,
	struct str result, struct str *task, struct err *e) MUST_USE;
