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

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct db;
struct err;

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

/* What there was to carry behind a place, as far as it was looked at once. */
struct packed {
	struct parcel *parcels;
	size_t n;
	/* Events, or single messages of a batch, that were passed over: they cannot be told,
	 * whatever is tried. */
	int64_t missed;
	bool more; /* behind them, perhaps */
};

/* A route as its row says, for who serves it. */
struct route_row {
	struct out_route route;
	int64_t nudged; /* rises when its parcels were changed from outside */
	int64_t next_no;
	int64_t lease_until; /* of who serves it, by the store's clock; 0: nobody */
};

/* Makes the routes of a kind those that are named: new ones begin at the outbox' end, as do
 * those that come back from being off; those that nobody names any more go away with all that
 * is under way on them.  Inside the db_write that changes, or reads, what is named: so nothing
 * is missed, and nothing that was named meanwhile goes away.  Fails: STORE. */
bool route_sync_in(struct db *w, struct arena *, enum route_kind, const struct out_route *named,
	size_t n, struct err *e) MUST_USE;
/* All of a kind, by number.  Fails: STORE. */
bool route_list(struct db *, struct arena *, enum route_kind, struct route_row **out, size_t *n,
	struct err *e) MUST_USE;

/* What was done on a route since the last time. */
struct route_change {
	struct place before, place; /* where it was, where it is now */
	int64_t next_no, width;
	int64_t sent, failed, dead, missed; /* missed: passed over, since they cannot be told */
};

/* Inside the transaction that begins with claim_keep().  Fails: STALE (it is no longer there,
 * or was off and began anew), STORE. */
bool route_move(struct db *w, int64_t no, const struct route_change *, struct err *e) MUST_USE;
/* Counts failed attempts by their reason, each named once.  Fails: STORE. */
bool route_fail(struct db *w, int64_t no, const struct str *why, const int64_t *counts,
	size_t n, struct err *e) MUST_USE;
/* Nothing passes until its credentials change.  Fails: STORE. */
bool route_bar(struct db *w, int64_t no, int64_t now, struct str why, struct err *e) MUST_USE;
