/* committed – a committed batch of a campaign as those who tell of it read it: who got which
 * message, and slices of the messages with their channels.
 *
 * The batch row is the outbox: what was sent to whom follows from it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/chat_wire.h"
#include "base/macros.h"
#include "domain/event.h"

struct err;
struct req;

struct committed {
	const struct event *event;
	/* Of its campaign. */
	int64_t form, sender;
	bool shows_channels, to_channels, skips_webhook, skips_push, includes_sender;
	bool follows_form; /* each receiver's channel has the number that the form gives him */
	int64_t n;
	int64_t *recipients; /* uids; numbers of channels of a campaign to channels */
	int64_t *keys;       /* of each one's message; 0: he got none */
	int64_t at;          /* when they were sent */
};

/* *out is in r->arena; n 0: it is gone.  Fails: STORE, BUG (the row is damaged). */
bool committed_read(
	struct req *r, const struct event *, struct committed *out, struct err *e) MUST_USE;

/* Some of its messages, and what belongs to them; in order. */
struct committed_slice {
	const struct committed *batch;
	struct message *messages;
	struct chat_state *states; /* of each message; members are not loaded */
	struct channel *channels;  /* the same ones again, side by side */
	int64_t *receivers;        /* as they were given */
	size_t n;
};
/* Loads ${n} messages.  What is gone by now drops out, message or channel.  Fails: STORE,
 * TOO_LARGE. */
bool committed_load(struct req *r, const struct committed *, const int64_t *keys,
	const int64_t *receivers, size_t n, struct committed_slice *out,
	struct err *e) MUST_USE;

/* What one message is told as: the event as if it stood in the outbox by itself. */
struct event committed_event(enum event_kind kind, const struct message *m, int64_t uid);
/* Whether the channel of a message was made with it. */
bool committed_made(const struct committed *, const struct channel *);
/* Whether the campaign made the sender a member of the channel, which was there. */
bool committed_joined(const struct committed *, const struct channel *, const struct member *);
/* Whether the campaign un-hid the channel for the member. */
bool committed_showed(const struct committed *, const struct member *);
