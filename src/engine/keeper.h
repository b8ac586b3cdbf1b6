/* keeper – renews a claim while its holder is busy reading. */
#pragma once
#include "base/thread.h"
#include "domain/claim.h"

struct store;

struct keeper {
	struct store *store;
	const struct claim *claim;
	struct signal_flag end;
	struct thread thread;
};

/* Renews ${claim} (borrowed until keeper_stop) each third of its lease, on a thread of its
 * own, so that work that lasts longer than a lease is not begun anew elsewhere, again and
 * again.  A store of this process alone needs none and gets none. */
void keeper_start(struct keeper *k, struct store *store, const struct claim *claim);
void keeper_stop(struct keeper *k);
