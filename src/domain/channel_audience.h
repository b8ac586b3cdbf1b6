/* channel_audience – the channels of a campaign to channels, fixed in one snapshot (I-2). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "domain/campaign.h"
#include "domain/channel_set.h"

struct arena;
struct claim;
struct db;
struct err;

/* Whether the segments of a campaign are of channels.  Those that do not exist (any more) count
 * for nothing, unless they ${must_exist}.  Fails: INPUT (some are of users, some of channels),
 * NOT_FOUND, STORE. */
bool campaign_is_to_channels(struct db *, struct arena *, const struct campaign *,
	bool must_exist, bool *to_channels, struct err *e) MUST_USE;

struct channel_audience {
	struct channel_set channels;
	/* How many cids of each segment's list are no channels. */
	int64_t missing[CAMPAIGN_MAX_SEGMENTS];
};

void channel_audience_init(struct channel_audience *);
void channel_audience_fini(struct channel_audience *);
/* The union of its segments at this moment.  Fails: STORE. */
bool channel_audience_load(struct db *, struct arena *, const struct campaign *,
	struct channel_audience *out, struct err *e) MUST_USE;
/* Stores, in transactions of the claim's holder, which listed cids were no channels when the
 * audience was loaded, each once; *n: how many.  No list changes before the campaign is planned
 * (segment_get_to_change), so what is read of them is what was.  Those that an unfinished plan
 * left are dropped.  Fails: STALE, STORE, UNCERTAIN. */
bool channel_audience_store_strays(struct db *, struct arena *, const struct claim *,
	const struct campaign *, const struct channel_audience *, int64_t *n,
	struct err *e) MUST_USE;
