/* batch_seek – channels of a batch that are known by their id alone: their recipients are put
 * off until all ids are there, which are then looked for together.  Private to batch_*.c. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "domain/user.h"

struct channel_homes;
struct db;
struct err;
struct prepared;

/* Where the message of a recipient goes. */
struct spot {
	int64_t no;
	bool exists, deleted, disabled;
	struct str team, custom; /* of one that exists; no custom: see its origin's */
	int64_t origin;
};

/* An id that was looked for; equal ids of a batch are one. */
struct target {
	struct str id;
	struct spot spot;
	/* Of one that is to be made. */
	bool is_stored;  /* else derived */
	int64_t shadows; /* see struct channel_place */
	bool is_made;    /* for message ${maker} */
	size_t maker;
};

/* A recipient who was put off. */
struct sought {
	size_t i;             /* his place in the batch */
	struct user receiver; /* texts in the batch's arena */
	struct str id;
	struct target *target; /* set by batch_seek_find() */
};

/* Zeroed is ready. */
struct seek {
	struct sought *sought; /* in the order of the batch */
	size_t nsought;
	struct target *targets; /* sorted by id */
	size_t ntargets;
};

/* Keeps recipient ${i} of ${p}, copying what is borrowed. */
void batch_seek_put_off(struct seek *, const struct prepared *p, size_t i,
	const struct user *receiver, struct str id);
/* Finds the targets, gives numbers to those that are absent, and notes these in ${p}.  Fails:
 * STORE, UNCERTAIN. */
bool batch_seek_find(struct seek *, struct db *db, struct channel_homes *, struct prepared *p,
	struct err *e) MUST_USE;
/* Lists the stored channels that were made, once all messages are there. */
void batch_seek_list(const struct seek *, struct prepared *p);
