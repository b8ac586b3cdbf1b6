/* live_impl – what live.c and live_batch.c share. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/req.h"
#include "base/macros.h"
#include "domain/channel_origin.h"
#include "net/hub.h"

struct committed;
struct event;
struct unread;

/* Posts of one call of the hub. */
#define POSTS_MAX 512
/* Users who watch a channel and are told each by himself. */
#define PRESENT_MAX 100

/* A new message that somebody may hear of. */
struct heard {
	int64_t pos; /* of the event that tells of it */
	int64_t key;
	const struct committed *batch; /* NULL: it was sent through the API */
	bool is_open;                  /* to whoever is in the channel, not to a receiver */
	int64_t receiver;              /* who is connected; 0: he is not, or there is none */
};

struct live {
	const struct ctx *ctx;
	struct hub *hub;
	/* How far events were told: what comes again after a failure is not told again. */
	int64_t pos;
	/* Of the event behind that, messages before this one were told; 0: none was. */
	int64_t next_key;
	/* As they were a moment ago: types with their texts, and what channels have from the
	 * campaigns that made them. */
	struct arena kept;
	struct channel_type *types;
	size_t ntypes;
	struct str *configs;
	struct channel_origins origins;
	int64_t kept_since; /* clock_mono_us; 0: nothing is */
	/* Found and not told yet; owned. */
	struct heard *heard;
	size_t nheard, heard_cap;
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

/* Finds the messages of a batch that somebody may hear of (live_hear()).  ${out} is borrowed
 * until they are told; what it points to is not. */
bool live_batch(
	struct telling *, const struct event *, struct committed *out, struct err *e) MUST_USE;
void live_hear(struct live *, const struct heard *);

/* Whether such events are told together. */
bool live_is_messages(const struct event *);
/* Tells of the messages of events that stand behind each other, all of which
 * live_is_messages(): of at least one, and of *ntold.  What is told is loaded together, so that
 * it costs the same few statements whatever there is to be caught up with. */
bool live_messages(struct telling *, const struct event *, size_t n, size_t *ntold,
	struct err *e) MUST_USE;
