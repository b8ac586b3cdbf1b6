/* purge – what deleted and deactivated users leave behind: their messages, and their
 * conversations, which are the channels of exactly two members.
 *
 * It is the work of a task, done slice by slice.  Nothing of its progress is stored: every
 * slice may be done again, so whoever takes the task over begins at the beginning and passes
 * quickly over what is done. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct err;
struct task_turn;

#define PURGE_KIND STR("purge") /* of tasks */

enum purge_mode {
	PURGE_KEEP,  /* nothing is done */
	PURGE_HIDE,  /* marked as deleted */
	PURGE_EMPTY, /* the same, and the content goes; of messages alone */
	PURGE_REMOVE,
	PURGE_SHOW, /* what PURGE_HIDE did is undone */
};

struct purge_user {
	int64_t uid;
	int64_t stamp; /* what HIDE and EMPTY write as deleted_at, and SHOW looks for */
};

struct purge {
	enum purge_mode messages, conversations;
	int64_t until;     /* what is younger is left alone: they may have begun anew */
	int64_t new_owner; /* uid; gets the channels that they created.  0: nobody */
	struct purge_user *users;
	size_t nusers;
};

/* False when there is nothing for a task to do. */
bool purge_has_work(const struct purge *);
/* As the work of a task, and back.  Fails: BUG (it was not written by purge_write). */
struct str purge_write(struct arena *, const struct purge *);
bool purge_read(struct arena *, struct str work, struct purge *out, struct err *) MUST_USE;

/* Does all of the work.  Fails: STALE (the claim was lost, or the process stops), STORE,
 * UNCERTAIN, BUG. */
bool purge_run(const struct task_turn *, struct str work, struct err *) MUST_USE;
