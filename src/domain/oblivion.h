/* oblivion – forgets what was deleted hard, piece by piece.
 *
 * The message of a campaign keeps its row, without content and outside of every channel: its
 * key is the proof that it was sent once (I-1).  Others lose their rows. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct arena;
struct db;
struct err;

/* Notes that the messages of channels up to ${upto} are to be forgotten.  Only inside
 * db_write. */
bool oblivion_add(
	struct db *w, const int64_t *channels, size_t n, int64_t upto, struct err *e) MUST_USE;
/* Forgets the messages with these keys at once (few).  Only inside db_write. */
bool oblivion_take(struct db *w, const int64_t *keys, size_t n, struct err *e) MUST_USE;
/* Does a piece of what was noted; *more: there was some.  Fails: STORE. */
bool oblivion_step(struct db *, struct arena *, bool *more, struct err *e) MUST_USE;
