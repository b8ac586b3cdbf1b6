/* task – long work that a client may ask after by id (GET /tasks/{id}).
 *
 * A task is noted in the transaction that promises it, and done by the engine afterwards, in
 * transactions of bounded size.  Tasks are done one after the other in the order in which
 * they were noted, by one process at a time: what undoes another comes after it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "store/db.h"

struct arena;
struct claim;
struct err;

struct task {
	struct str id;
	struct str status; /* "waiting", "running", "completed" or "failed" */
	int64_t created_at, updated_at;
	struct str result; /* JSON object; p == NULL: none, or not completed */
	struct str error;  /* why it failed; p == NULL: it did not */
};

/* What is to be done. */
struct task_work {
	struct str
		kind; /* of a row in engine/clerk.c; p == NULL: nothing, it is done already */
	struct str work;   /* JSON, for that kind to read */
	struct str result; /* JSON object: what will be told once it is completed */
};

/* Notes a task; *id is its new id, in the arena.  Only inside db_write.  Fails: STORE. */
bool task_add(struct db *w, struct arena *, const struct task_work *, struct str *id,
	struct err *) MUST_USE;
/* Fails: NOT_FOUND, STORE. */
bool
task_get(struct db *, struct arena *, struct str id, struct task *out, struct err *) MUST_USE;

/* ---- for who does it ---------------------------------------------------------------- */

struct task_job {
	int64_t no; /* to be claimed with CLAIM_TASK */
	struct str kind, work;
};

/* The oldest task that is not done, unless somebody is at it.  Fails: STORE. */
bool task_next(
	struct db *, struct arena *, struct task_job *out, bool *found, struct err *) MUST_USE;

/* A turn at a task, for the function that does the work. */
struct task_turn {
	struct db *db;
	const struct claim *claim;
	bool (*is_stopping)(void *arg); /* the process ends: leave the rest to the next one */
	void *arg;
};

/* One piece of the work in a transaction of its own, which also keeps the claim.  ${in_line}
 * chooses db_write instead of db_write_beside.  Fails: STALE (the claim was lost, or the
 * process stops), what fn fails with. */
bool
task_write(const struct task_turn *, bool in_line, tx_fn fn, void *arg, struct err *) MUST_USE;

/* For work that only reads for a while: fails with STALE when the process stops. */
bool task_go_on(const struct task_turn *, struct err *) MUST_USE;

/* Moves the claimed task on: it runs, is done, has failed (${why} not NULL).  Fails: STALE. */
bool task_begin(const struct task_turn *, struct err *) MUST_USE;
bool task_end(const struct task_turn *, const struct err *why, struct err *) MUST_USE;
