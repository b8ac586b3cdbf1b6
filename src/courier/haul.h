/* haul – a route as it is served here: what is under way on it, and how it goes; private to
 * courier/. */
#pragma once
#include <stdatomic.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/thread.h"
#include "courier/courier.h"
#include "courier/ladder.h"
#include "courier/trade.h"
#include "courier/window.h"
#include "domain/claim.h"
#include "domain/load.h"
#include "net/fetch.h"

/* Reasons of failures that are told apart between two turns. */
#define REASONS_MAX 16

enum item_state { ITEM_WAITS, ITEM_AWAY, ITEM_ENDED };

/* A parcel under way. */
struct item {
	struct parcel parcel; /* in its freight's blob */
	enum item_state state;
	bool was_aside;   /* has a row of its own */
	int64_t no;       /* of that row; of a load's parcel once it gets one */
	int64_t first_at; /* NO_TIME: not tried yet */
	int64_t attempts; /* begun so far */
	int64_t due_at;   /* ENDED, not taken: when again; NO_TIME: never, it is dead */
	struct judgement judgement; /* once it ENDED */
};

/* Parcels that came together: a load, or some that were put aside. */
struct freight {
	struct freight *next;
	int64_t no; /* of the load; 0: they were put aside */
	int64_t at; /* when the oldest happened */
	bool is_stored;
	struct buf blob, stored; /* as they are in memory, and in the row of the load */
	size_t n, begun, ended;
	struct item items[];
};

struct reason {
	char why[sizeof(((struct judgement *)NULL)->why)];
	int64_t n;
};

struct haul {
	struct haul *next;
	struct out_route route;
	char *ident; /* that of ${route} */
	struct claim claim;
	bool is_held; /* the claim was taken, and what lay there was read */
	bool is_lost; /* the route is gone, or another has it: forgotten once nothing is away */
	int64_t kept_until; /* monotonic; until then the claim is ours for sure */
	int64_t renew_at;   /* monotonic */
	int64_t nudged;

	struct window window;
	struct freight *freights;
	size_t nfreights;
	size_t away; /* attempts under way */

	struct place packed; /* read up to there; route.place: stored up to there */
	bool has_more;       /* behind it, perhaps */
	uint64_t read_turn;  /* the later it was read for, the higher */
	int64_t pack_at;     /* monotonic; not before: something failed */
	size_t pack_max;
	int64_t next_no;

	int64_t aside;  /* parcels put aside */
	int64_t due_at; /* wall; when the first of them is due; NO_TIME: never */
	bool must_look; /* at them: they were changed from outside */

	/* Since the last turn. */
	int64_t sent, failed, dead, missed;
	struct reason reasons[REASONS_MAX];
	size_t nreasons;
	int64_t pending_since; /* monotonic; 0: there is nothing to write */
	char bar_why[sizeof(((struct judgement *)NULL)->why)]; /* "": it need not be barred */

	/* The trade's own request (trade.h: ask). */
	struct fetch asking;
	struct arena ask_arena;
	bool is_asking;
	int64_t ask_at, ask_pause_us;
};

/* One under way. */
struct attempt {
	struct attempt *next;    /* in the free list */
	struct attempt *sibling; /* in that of all */
	struct fetch fetch;
	struct haul *haul;
	struct freight *freight;
	struct item *item;
	uint64_t no; /* of the window */
	struct arena arena;
};

/* Who packs loads, and for whom at the moment. */
struct reader {
	struct haul *haul; /* NULL: nothing was asked for */
	uint64_t turn;
	_Atomic bool is_done; /* until then what follows is the thread's */
	struct out_route route;
	struct place from, to;
	size_t max;
	struct freight *load; /* NULL: nothing is to be told */
	int64_t missed;
	bool more, ok;
	struct err err; /* unless ok */
	struct thread thread;
	struct signal_flag asked;
	struct db *db;
	struct arena arena;
};

struct courier {
	struct courier_opts opts;
	struct trade trade;
	struct ladder ladder;
	struct thread thread;
	struct fetcher *fetcher;
	struct db *db;
	struct arena arena, turn_arena;
	bool is_exclusive;
	_Atomic bool is_told, is_stopping;
	_Atomic int64_t drain_until;        /* monotonic */
	int64_t looked_at;                  /* monotonic */
	int64_t look_at, read_at, write_at; /* monotonic; not before */
	int64_t log_at; /* monotonic; failures before are not logged again */
	struct haul *hauls;
	struct reader reader;
	struct attempt *idle, *all;
	size_t away;
};

/* ---- haul.c ---- */

struct haul *haul_new(struct courier *, const struct route_row *);
void haul_free(struct haul *);
/* Parcels as they are to be carried; their texts are copied. */
struct freight *freight_new(const struct parcel *, size_t n);
void freight_free(struct freight *);
void haul_add(struct haul *, struct freight *);
/* Notes how an item ended. */
void haul_end_item(struct courier *, struct haul *, struct freight *, struct item *,
	const struct judgement *, bool was_reached);
/* Nothing passes any more until it is lifted. */
void haul_bar(struct haul *, const char *why);
/* Whether anything may be begun or read on it now. */
bool haul_is_open(const struct haul *, int64_t now);
/* The next parcel that waits and is stored; NULL: none. */
struct item *haul_next_item(struct haul *, struct freight **out);
void haul_touch(struct haul *);

/* ---- turn.c ---- */

/* When the haul has something to write; INT64_MAX: never. */
int64_t turn_due(const struct courier *, const struct haul *, int64_t now);
/* One transaction for all that has something to write: settles what ended, stores what was
 * read, takes what is due again, renews claims.  ${last}: before the end, half-ended freights
 * too, and nothing is taken.  Fails: STORE, UNCERTAIN. */
bool turn_write(struct courier *, bool last, struct err *e) MUST_USE;
/* Takes over what lies on a route whose claim was just taken.  Fails: STALE, STORE, UNCERTAIN.
 */
bool turn_take_over(struct courier *, struct haul *, struct err *e) MUST_USE;

/* ---- look.c ---- */

/* What the settings name, which routes there are, and which of them are served here.  Fails:
 * STORE, UNCERTAIN. */
bool look_around(struct courier *, struct err *e) MUST_USE;
/* What is put aside on hauls where that has changed.  Fails: STORE. */
bool look_aside(struct courier *, struct err *e) MUST_USE;

/* ---- reading.c ---- */

/* Fails: STORE. */
bool reading_start(struct courier *, struct err *e) MUST_USE;
/* Once the courier's thread has ended. */
void reading_stop(struct courier *);
/* Takes what was packed, and has more packed where there is room. */
void reading_go_on(struct courier *);
/* When there is something to read for a haul by itself; monotonic. */
int64_t reading_at(const struct courier *, const struct haul *, int64_t now);

/* ---- carry.c ---- */

/* Begins what may be begun. */
void carry_begin(struct courier *);
void carry_ended(struct courier *, struct fetch *);
/* Until when nothing happens by itself; monotonic. */
int64_t carry_until(struct courier *, int64_t now);
/* Logs a failure of the store, but not again and again. */
void courier_complain(struct courier *, const struct err *);
