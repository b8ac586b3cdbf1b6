/* route – a way out of the house: a webhook or a push provider, how far in the outbox it has
 * come, and what is under way on it (docs/decisions/014-couriers.md).
 *
 * Each route reads the outbox from a place of its own, so that one that is dead holds up no
 * other.  What it has read is stored as a *load*, bodies and all, in the transaction that moves
 * its place: from there on each parcel has one id and one body, whatever happens (I-15). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Stored. */
enum route_kind { ROUTE_WEBHOOK = 1, ROUTE_PUSH = 2 };

/* Everything before ${pos} + 1 is behind it; of the event there, if it is a batch, the messages
 * with keys below ${next_key} as well (0: none). */
struct place {
	int64_t pos, next_key;
};

/* (Not "struct route": that is a row of the API's table, api/req.h.) */
struct out_route {
	int64_t no; /* set when it is stored */
	enum route_kind kind;
	/* Of a hook its id ("legacy": webhook_url); of a provider "type:name". */
	struct str ident;
	bool is_off; /* named by the settings, but what happens meanwhile is not for it */
	/* When its credentials changed last: a bar from before is lifted.  NO_TIME: unknown. */
	int64_t changed_at;
	struct place place;
	int64_t paused_at; /* NO_TIME: it is not; what happens meanwhile is kept */
	int64_t barred_at; /* NO_TIME: it is not */
};

/* One thing to be carried: made once, stored before it leaves, the same at each attempt. */
struct parcel {
	struct str id;   /* UUID, following from what it tells: the same whenever it is made */
	struct str type; /* of the event, "message.new" */
	struct str address; /* push: the device's token; p == NULL: the route's own */
	struct str body;    /* JSON */
	int64_t at;         /* when it happened */
};
