/* live – what connected clients are told of what was committed (api.md §7.6): the sink between
 * the outbox and the hub.
 *
 * What is told is read when it is told, and only when somebody is there to hear it.  Of a
 * channel's members those are told who are among its first 10,000 (channel_members()); beyond,
 * who watches. */
#pragma once

struct ctx;
struct dispatch_sink;
struct hub;
struct live;

/* ${ctx} and ${hub} are borrowed until live_free(). */
struct live *live_new(const struct ctx *ctx, struct hub *hub);
/* After the dispatcher that it was given to has ended.  NULL is legal. */
void live_free(struct live *l);
void live_sink(struct live *l, struct dispatch_sink *out);
