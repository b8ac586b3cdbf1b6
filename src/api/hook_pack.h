/* hook_pack – what is behind a webhook's place in the outbox, as bodies to be sent: the
 * function `pack` of the webhooks' trade (courier/trade.h).
 *
 * What is told is read when it is packed: who was deleted meanwhile, message or channel, is not
 * told of.  Whatever is packed again has the same ids (I-15); bodies are the courier's to keep.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "domain/route.h"

struct arena;
struct ctx;
struct db;
struct err;
struct hook_pack;

/* ${ctx} is borrowed until hook_pack_free().  For one thread. */
struct hook_pack *hook_pack_new(const struct ctx *ctx);
void hook_pack_free(struct hook_pack *); /* NULL is legal */

/* ${arg}: the struct hook_pack.  A route that the settings do not name is told nothing: its
 * place moves on.  Fails: STORE. */
bool hook_pack(void *arg, struct db *, struct arena *, const struct out_route *,
	struct place *at, size_t max, struct packed *out, struct err *e) MUST_USE;
