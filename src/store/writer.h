/* writer – the one thread and connection that commits to a SQLite store.
 *
 * Transactions of many callers are run one after the other; those that wait at the same time
 * share one commit (one fsync), each under a savepoint of its own, so that a failing one
 * takes nothing of its neighbours with it. */
#pragma once
#include "store/db.h"

struct writer;

/* ${db}: the writing connection, lent until writer_free(). */
struct writer *writer_new(struct db *db);
/* Ends the thread after what was queued is done. */
void writer_free(struct writer *w);

/* Long ones (db_write_beside) have a commit each, and let all who came meanwhile go first. */
enum writer_turn { WRITER_SHORT, WRITER_LONG };

/* Runs fn(db, arg, e) and returns when its commit is durable, or with its failure. */
bool writer_do(struct writer *w, enum writer_turn turn, tx_fn fn, void *arg, struct err *e);
