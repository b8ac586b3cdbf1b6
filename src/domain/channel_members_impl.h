/* channel_members_impl – what follows for members from a channel's campaign; private to
 * domain/channel_*.c. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "domain/channel.h"

struct channel_origin;

/* The receiver, of whom the channel is. */
static inline bool
channel_is_home(const struct channel *c, int64_t uid)
{
	return c->origin != 0 && CHANNEL_FORM(c->no) != 0 && uid == CHANNEL_HOME(c->no);
}

static inline bool
channel_is_sender(const struct channel *c, int64_t uid)
{
	return c->sender_is_member && uid == c->sender;
}
