/* user_state – users who go and come back: deleted, restored, deactivated, reactivated.
 *
 * What a call says of the users themselves is done when it returns.  Their messages and
 * conversations can be millions, so they are left to a task (domain/purge.h), which is noted
 * in the same transaction. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"
#include "domain/purge.h"

struct arena;
struct db;
struct err;

#define USER_STATES_MAX 100 /* users of one call */

/* Whom a call is about: all of them or, when one is refused, none. */
struct user_list {
	const struct str *ids; /* may name one twice */
	size_t n;
	bool wants_task; /* note a task although nothing is left for it to do */
};

struct user_deletion {
	enum purge_mode user;          /* HIDE; EMPTY and REMOVE forget what was stored, too */
	enum purge_mode messages;      /* KEEP, HIDE, EMPTY or REMOVE */
	enum purge_mode conversations; /* KEEP, HIDE or REMOVE */
	struct str new_owner; /* of the channels of who is removed; p == NULL: nobody */
};

/* What is hidden with those who are deactivated, and shown again with them. */
struct user_belongings {
	bool messages, conversations;
};

/* *task is the id of the task, p == NULL when there is none.  All four fail: NOT_FOUND
 * (unknown, or deleted), INPUT, STORE.  Who comes back must not take a name that has become
 * somebody else's where names are unique: then DUPLICATE. */

/* Who is deleted already can only be deleted again to forget him. */
bool user_delete(struct db *, struct arena *, const struct user_list *,
	const struct user_deletion *, struct str *task, struct err *) MUST_USE;
/* Only who was hidden; what was his is not brought back.  INPUT: he is not deleted, or was
 * forgotten. */
bool user_restore(struct db *, struct arena *, const struct user_list *, struct err *) MUST_USE;
/* Who is deactivated already stays so. */
bool user_deactivate(struct db *, struct arena *, const struct user_list *,
	const struct user_belongings *, struct str *task, struct err *) MUST_USE;
/* ${name}: of the one user of the list, p == NULL keeps it.  INPUT: he is not deactivated. */
bool user_reactivate(struct db *, struct arena *, const struct user_list *,
	const struct user_belongings *, struct str name, struct str *task,
	struct err *) MUST_USE;
