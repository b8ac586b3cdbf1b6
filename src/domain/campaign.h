/* campaign – the intention to send one message to an audience: options, status, stats.
 *
 *      create            start              last batch
 *   ──────────▶ draft ─────────▶ in_progress ─────────▶ completed
 *                 │                ▲      │
 *          start  │                │ due  │ stop, stop_at
 *  (scheduled_for)▼                │      ▼
 *             scheduled ───────────┘   stopped ◀── stop, stop_at ── scheduled
 *
 * A status moves by compare-and-set inside a write transaction, and in_progress is entered
 * at most once (I-3). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/str.h"

struct app;
struct arena;
struct bitset;
struct capacity;
struct content;
struct db;
struct err;
struct page_ask;
struct page_links;
struct user;

#define CAMPAIGN_MAX_SEGMENTS    25
#define CAMPAIGN_MAX_USERS       10000
#define CAMPAIGN_MAX_ATTACHMENTS 30
#define CAMPAIGN_MAX_MEMBERS     1000

/* How many recipients ended how. */
struct campaign_tally {
	int64_t outcome; /* enum outcome */
	int64_t n;
};

struct campaign_tallies {
	struct campaign_tally *v;
	size_t n;
	int64_t sent;
};

/* All of it is of one moment: the counters and the tallies add up (I-7). */
struct campaign {
	int64_t no;
	struct str id, name, description;
	struct str status;      /* "draft" "scheduled" "in_progress" "completed" "stopped" */
	int64_t sender;         /* uid */
	struct str sender_mode; /* "", "exclude", "include" */
	struct str sender_visibility; /* "", "hidden", "archived" */
	bool create_channels, show_channels, skip_push, skip_webhook;
	/* Seconds that a webhook may lag before further batches wait; 0: any. */
	int64_t max_webhook_lag;
	struct str message_template; /* JSON object as given */
	struct str channel_template; /* the same, or p == NULL */
	struct str *segment_ids;
	size_t nsegments;
	int64_t user_set; /* set of listed users (domain/uidset.h); 0: none */
	int64_t created_at, updated_at, deleted_at;
	int64_t scheduled_for, stop_at, started_at, completed_at; /* NO_TIME: unset */
	struct str stop_reason; /* "stop_at", "missed_schedule"; p == NULL: by hand, or not */
	/* Of the plan; 0 before it. */
	int64_t form;    /* of the channels it creates (domain/form.h); 0: ids are stored */
	struct str team; /* of the channels it creates; p == NULL: none, "": each its own */
	bool planned;
	int64_t audience, pending;
	int64_t channels_created, users_read;
	bool to_channels;   /* the audience is channels; false before the plan */
	int64_t users_sent; /* of channels: the members reached */
	struct campaign_tallies tallies;
};

static inline bool
campaign_is(const struct campaign *c, const char *status)
{
	return str_eq(c->status, str_of(status));
}

/* ---- reading and changing ----------------------------------------------------------- */

/* What a create or update says; absent fields keep their value. */
struct campaign_edit {
	struct str id; /* create only */
	struct str name, description, sender_id, sender_mode, sender_visibility;
	struct str message_template, channel_template;
	int create_channels, show_channels, skip_push, skip_webhook; /* −1: absent */
	int64_t max_webhook_lag;                                     /* −1: absent */
	struct str *segment_ids;
	size_t nsegments;
	bool has_segments;
	struct str *user_ids;
	size_t nusers;
	bool has_users;
};

#define CAMPAIGN_LAG_MAX (30 * 86400) /* seconds */
/* Reads the body of create and update, checking types, sizes and enums.  Fails: INPUT. */
bool campaign_read_edit(
	struct arena *, const json_t *body, struct campaign_edit *out, struct err *e) MUST_USE;

/* Creates a draft.  The merged result must be a valid campaign: templates compile, sender and
 * segments exist, and so does the poll of a template that is given.  Fails: INPUT, NOT_FOUND,
 * STORE. */
bool campaign_create(struct db *, struct arena *, const struct campaign_edit *,
	struct campaign *out, struct err *e) MUST_USE;
/* Only in draft and scheduled.  Fails: INPUT, NOT_FOUND, STORE. */
bool campaign_update(struct db *, struct arena *, struct str id, const struct campaign_edit *,
	struct campaign *out, struct err *e) MUST_USE;

/* Fails: NOT_FOUND, STORE.  by_no: deleted ones too; by_nos: many of one moment, in the order
 * of their numbers; find: *found false instead of NOT_FOUND. */
bool campaign_get(struct db *, struct arena *, struct str id, struct campaign *out,
	struct err *e) MUST_USE;
bool campaign_find(struct db *, struct arena *, struct str id, struct campaign *out,
	bool *found, struct err *e) MUST_USE;
bool campaign_by_no(
	struct db *, struct arena *, int64_t no, struct campaign *out, struct err *e) MUST_USE;
bool campaign_by_nos(struct db *, struct arena *, const int64_t *nos, size_t n,
	struct campaign *out, struct err *e) MUST_USE;

/* A page of campaigns (api.md §2.3.7). */
bool campaign_query(struct db *, struct arena *, const struct app *, const struct page_ask *,
	struct campaign **out, size_t *n, struct page_links *links, struct err *e) MUST_USE;

/* A page of the listed users by id; ids that are no users are there too
 * (created_at NO_TIME).  Positions are ids; ask->next and prev are cursors made here. */
bool campaign_users(struct db *, struct arena *, const struct app *, const struct campaign *,
	const struct page_ask *, struct user **out, size_t *n, struct page_links *links,
	struct err *e) MUST_USE;

/* The first ${limit} listed users of each of many campaigns, as campaign_users() gives them. */
struct campaign_page {
	struct user *users;
	size_t n;
};
bool campaign_users_of_many(struct db *, struct arena *, const struct campaign *, size_t n,
	int64_t limit, struct campaign_page *out, struct err *e) MUST_USE;

/* ---- the life of it ------------------------------------------------------------------ */

struct campaign_start {
	int64_t scheduled_for, stop_at; /* NO_TIME: absent */
	int64_t max_webhook_lag;        /* −1: as the campaign says */
	/* NULL: not limited.  Its limit is given; what the audience of this moment leaves of it
	 * is told, also when it is too little. */
	struct capacity *capacity;
};

/* Draft → in_progress, or scheduled when scheduled_for is ahead.  The audience is fixed and
 * the sending done by the engine: wake it.  With a capacity the audience is counted, which can
 * take seconds.  Fails: INPUT, NOT_FOUND, DENIED (capacity), STORE. */
bool campaign_start(struct db *, struct arena *, struct str id, const struct campaign_start *,
	struct campaign *out, struct err *e) MUST_USE;
/* After its commit no further message of the campaign becomes visible (I-12).  Stopped and
 * completed ones stay as they are.  Fails: INPUT (draft), NOT_FOUND, STORE. */
bool campaign_stop(struct db *, struct arena *, struct str id, struct campaign *out,
	struct err *e) MUST_USE;
/* Fails: INPUT (in_progress), NOT_FOUND, STORE. */
bool campaign_delete(struct db *, struct arena *, struct str id, struct err *e) MUST_USE;

/* ---- for the engine ------------------------------------------------------------------ */

/* Starts what is due and stops what has run out at ${now}; what was due more than ${late_us}
 * ago (0: any time) is stopped as missed (I-23).  *next is when to look again (NO_TIME: nothing
 * is scheduled), *moved how many changed.  Fails: STORE. */
bool campaign_due(struct db *, int64_t now, int64_t late_us, int64_t *moved, int64_t *next,
	struct err *e) MUST_USE;
/* The oldest campaign that is in_progress without a plan. */
bool campaign_unplanned(struct db *, int64_t *no, bool *found, struct err *e) MUST_USE;
/* Fixes the team of the channels it will create: of ${content}, when multi-tenancy is on at
 * this moment (api.md §6.11).  Only inside db_write, before the plan.  Fails: STORE. */
bool campaign_fix_team(struct db *w, struct arena *, int64_t no, const struct content *,
	struct err *e) MUST_USE;
/* True from the start to the plan: the audience is not fixed yet.  Fails: STORE. */
bool campaign_awaits_plan(struct db *, int64_t no, bool *out, struct err *e) MUST_USE;
/* Its audience at this moment, as uids; channels: domain/channel_audience.h.  Fails: STORE. */
bool campaign_audience(struct db *, struct arena *, const struct campaign *, struct bitset *out,
	struct err *e) MUST_USE;
