/* hook_pack_impl – what hook_pack.c and hook_batch.c share. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/req.h"
#include "base/macros.h"
#include "domain/event.h"
#include "domain/hook_wish.h"
#include "domain/route.h"

struct err;

/* Parcels that are being made. */
struct packing {
	struct req req;    /* of nobody; its arena is emptied behind each step */
	struct arena *out; /* of the parcels */
	struct hook_wish wish;
	struct buf parcels; /* in ${out} */
	size_t n, max;
	int64_t missed;
};

/* Before a body is written: an empty r->w. */
void packing_begin(struct packing *);
/* Adds what was written.  The id follows from the other arguments; ${key}: of the message; 0:
 * there is only one such of the event. */
void
packing_add(struct packing *, const struct event *, int64_t key, int64_t uid, const char *type);

/* Whether something is passed over, since it cannot be told whatever is tried: it must not end
 * all telling.  Counts it, and says so in the log. */
bool packing_pass_over(struct packing *, const struct event *, const struct err *);

/* Packs messages of a batch from ${*next_key} on (0: the first), until there are enough or the
 * step is over; *next_key: the first that is left, 0: none is. */
bool
hook_batch(struct packing *, const struct event *, int64_t *next_key, struct err *e) MUST_USE;
