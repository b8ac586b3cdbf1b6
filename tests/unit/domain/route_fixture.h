/* route_fixture – the webhooks that settings would name, straight into a store. */
#pragma once
#include "domain/route.h"
#include "store_fixture.h"

struct naming {
	struct arena *arena;
	const struct out_route *named;
	size_t n;
};

static inline bool
name_in(struct db *w, void *arg, struct err *e)
{
	const struct naming *x = arg;

	return route_sync_in(w, x->arena, ROUTE_WEBHOOK, x->named, x->n, e);
}

/* From now on these are all that are named. */
static inline void
name_routes(struct fixture *f, const struct out_route *named, size_t n)
{
	struct naming x = {&f->arena, named, n};
	struct err e;

	must(db_write(f->db, name_in, &x, &e), &e);
}
