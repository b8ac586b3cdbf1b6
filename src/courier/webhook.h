/* webhook – the trade of webhooks: how a parcel is sent and what an answer means (api.md §9).
 */
#pragma once
#include "courier/trade.h"

struct app;
struct webhooks;

struct webhook_opts {
	const struct app *app;
	/* What is said (trade.h: pack), and its argument; borrowed. */
	bool (*pack)(void *arg, struct db *, struct arena *, const struct out_route *,
		struct place *at, size_t max, struct packed *out, struct err *e);
	void *pack_arg;
};

/* ${out} is usable until webhooks_free(). */
struct webhooks *webhooks_new(const struct webhook_opts *opts, struct trade *out);
void webhooks_free(struct webhooks *); /* NULL is legal */
