/* purge_impl – what the files of purge share with each other and with nobody else. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/macros.h"
#include "domain/task.h"

struct err;
struct purge;
struct purge_user;

#define PURGE_SLICE 512 /* rows of one transaction; a batch of a campaign is one, too */

/* A purge at work. */
struct purge_job {
	const struct task_turn *turn;
	const struct purge *purge;
	struct arena slice; /* emptied by each slice */
	struct err *e;
};

/* Begins a slice: empties its arena.  Fails when the process stops. */
bool purge_slice(struct purge_job *) MUST_USE;

/* Numbers that a statement gave, in the arena of the slice. */
struct purge_keys {
	int64_t *v;
	size_t n;
};
bool purge_ask(struct purge_job *, enum sql_id, struct args, const struct bulk *,
	struct purge_keys *out) MUST_USE;
/* Does ${statement} to the rows of these keys, in one transaction. */
bool
purge_do(struct purge_job *, enum sql_id statement, struct args, struct purge_keys) MUST_USE;

/* Removes messages with their ids, by their keys.  Only inside a write. */
bool purge_remove_messages(struct db *w, const struct bulk *keys, struct err *) MUST_USE;

/* A campaign whose channels or messages are a user's. */
struct purge_campaign {
	int64_t no, form;
	bool is_member; /* of the channels that it made */
};
/* A batch of it, while the walk stands there. */
struct purge_batch {
	const struct purge_campaign *campaign;
	int64_t first_key, n;
	struct str uids; /* packed */
};
typedef bool (*purge_batch_fn)(
	struct purge_job *, const struct purge_user *, const struct purge_batch *);
/* Goes through all batches of the campaigns that the user sends. */
bool purge_walk_sent(struct purge_job *, const struct purge_user *, purge_batch_fn) MUST_USE;
/* The same for one campaign. */
bool purge_walk_batches(struct purge_job *, const struct purge_user *,
	const struct purge_campaign *, purge_batch_fn) MUST_USE;

/* Treats the conversations of one user; gives away the channels that he created. */
bool purge_conversations(struct purge_job *, const struct purge_user *) MUST_USE;
bool purge_owned(struct purge_job *, const struct purge_user *) MUST_USE;
