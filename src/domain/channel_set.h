/* channel_set – a set of channel numbers in memory: the audience of a campaign to channels.
 *
 * A number is home << 12 | form.  Channels of one form are dense in their homes, those of
 * different forms are not: so each form has chunks of 32,768 homes, and a chunk is a bit per
 * home, or sorted 16-bit offsets where that is smaller.  Two bytes a channel at most, a bit
 * where they are dense.  Memory that cannot be had ends the process. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct channel_form; /* of one form */

struct channel_set {
	struct channel_form *forms; /* by number; NULL: all are empty */
	int64_t n;
};

void channel_set_init(struct channel_set *);
void channel_set_fini(struct channel_set *);
void channel_set_add(struct channel_set *, int64_t no);
bool channel_set_has(const struct channel_set *, int64_t no);

/* Goes through a set, which must not change meanwhile, in the order of the numbers. */
struct channel_walk {
	const struct channel_set *set;
	int64_t *heap; /* the next number of each form that has one; the least is in front */
	size_t n;
};

void channel_walk_init(struct channel_walk *, const struct channel_set *);
void channel_walk_fini(struct channel_walk *);
/* The next number, or −1. */
int64_t channel_walk_next(struct channel_walk *);
