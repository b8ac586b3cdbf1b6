/* live_impl – what live.c and live_batch.c share. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/req.h"
#include "base/macros.h"
#include "net/hub.h"

struct event;
struct unread;

/* Posts of one call of the hub. */
#define POSTS_MAX 512
/* Users who watch a channel and are told each by himself. */
#define PRESENT_MAX 100

struct live {
	const struct ctx *ctx;
	struct hub *hub;
	/* How far events were told: what comes again after a failure is not told again. */
	int64_t pos;
	int64_t next_key; /* of the batch that is being told: messages before were told; 0: none
			     is */
	struct hub_post posts[POSTS_MAX];
	size_t nposts;
};

/* Telling some events: a request of nobody, which the writers of api/ take, and where its texts
 * go. */
struct telling {
	struct live *live;
	struct req req;
};

/* Adds a post; ${text} is copied.  Those of one message or event are sent together, by
 * live_flush() or when there is no room for the next one's. */
void live_post(struct live *, enum hub_whom, int64_t uid, int64_t channel, struct str text);
/* The same without anything to be said. */
void live_order(struct live *, enum hub_whom, int64_t uid, int64_t channel);
void live_flush(struct live *);
/* Before the first post of what must be sent together: there is room for ${n}. */
void live_room(struct live *, size_t n);

/* Connected members of a channel, sorted, and what each has not read. */
struct live_members {
	const int64_t *uids;
	const struct unread *unread;
	size_t n;
};
/* Posts a text to who watches: where they are few, with what each of them has not read. */
void live_post_watchers(
	struct telling *, int64_t channel, struct str text, const struct live_members *);

/* Tells a batch of a campaign. */
bool live_batch(struct telling *, const struct event *, struct err *e) MUST_USE;
