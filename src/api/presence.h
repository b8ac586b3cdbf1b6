/* presence – who came and who went, told to whoever looks at him: user.presence.changed
 * (api.md §7.6).
 *
 * The hub notes who moved, of those that somebody looks at; the dispatcher's thread, which may
 * read the store, tells of it.  Who goes is missed for some seconds before it is told, so that
 * a page which loads anew, or a network that blinks, says nothing.
 *
 * Of several processes on a store each knows its own connections.  Those where somebody looks
 * at users say so every few seconds; as long as they do, the others tell them who moves
 * (store_say()).  Who has left one process and is with another is said to be there by that
 * one. */
#pragma once
#include <stdbool.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct ctx;
struct db;
struct engine;
struct err;
struct presence;

/* ${ctx} is borrowed until presence_free(); its hub may come later. */
struct presence *presence_new(const struct ctx *ctx);
/* After hub, dispatcher and listener have ended.  NULL is legal. */
void presence_free(struct presence *p);
/* Whose dispatcher tells of it: once, when it is there. */
void presence_start(struct presence *p, struct engine *engine);

/* "There is something to look at": what the hub is given as on_move.  On any thread. */
void presence_wake(void *presence);
/* Takes what another process said; false when that is of something else. */
bool presence_hear(struct presence *p, struct str text);
/* Tells of all that is due.  On the dispatcher's thread alone; what is not told after a failure
 * is told by the next call.  Fails: STORE. */
bool presence_tell(struct presence *p, struct db *, struct arena *a, struct err *e) MUST_USE;
