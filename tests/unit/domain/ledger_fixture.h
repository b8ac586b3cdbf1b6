/* ledger_fixture – campaigns that wait for a plan, and the transactions of a worker. */
#pragma once
#include "base/pack.h"
#include "base/thread.h"
#include "domain/bitset.h"
#include "domain/campaign.h"
#include "domain/ledger.h"
#include "store_fixture.h"

#define LONG_LEASE_MS 600000
#define OVER_LEASE_MS (-1) /* has run out before the claim is committed */

/* ---- helpers --------------------------------------------------------------------- */

/* A campaign that is in_progress and waits for its plan. */
static inline int64_t
started(struct fixture *f, const char *id)
{
	struct campaign_start now = {.scheduled_for = NO_TIME, .stop_at = NO_TIME};
	struct campaign_edit edit = {
		.id = str_of(id),
		.sender_id = STR("ann"),
		.message_template = STR("{\"text\":\"hi\"}"),
		.create_channels = -1,
		.show_channels = -1,
		.skip_push = -1,
		.skip_webhook = -1,
		.user_ids = &STR("bob"),
		.nusers = 1,
		.has_users = true,
	};
	struct campaign c;
	struct err e;

	put_users(f, "[{\"id\":\"ann\"}]", NULL);
	must(campaign_create(f->db, &f->arena, &edit, &c, &e), &e);
	must(campaign_start(f->db, &f->arena, c.id, &now, &c, &e), &e);
	return c.no;
}

static inline struct campaign
look(struct fixture *f, int64_t no)
{
	struct campaign c;
	struct err e;

	must(campaign_by_no(f->db, &f->arena, no, &c, &e), &e);
	return c;
}

static inline void
stop(struct fixture *f, int64_t no)
{
	struct campaign c = look(f, no);
	struct err e;

	must(campaign_stop(f->db, &f->arena, c.id, &c, &e), &e);
}

/* ${n} uids from 1 on, every ${step}th. */
static inline void
audience_of(struct bitset *b, int64_t n, int64_t step)
{
	bitset_init(b);
	for (int64_t i = 0; i < n; i++)
		bitset_add(b, 1 + i * step);
}

static inline bool
plan(struct fixture *f, int64_t campaign, int64_t n, int64_t step, int64_t batch_size)
{
	struct bitset audience;
	struct err e;
	bool done;

	audience_of(&audience, n, step);
	must(ledger_plan(f->db, campaign, &audience, 5, batch_size, &done, &e), &e);
	bitset_fini(&audience);
	return done;
}

struct claim {
	struct arena *arena;
	int64_t lease_ms;
	struct batch batch;
	bool found;
};

static inline bool
claim_in(struct db *w, void *arg, struct err *e)
{
	struct claim *c = arg;

	return ledger_claim(w, c->arena, c->lease_ms, &c->batch, &c->found, e);
}

struct commit {
	const struct batch *batch;
	struct batch_result result;
	bool lost;
};

/* As a worker does it: the message of every recipient who is sent to, between the halves. */
static inline bool
commit_in(struct db *w, void *arg, struct err *e)
{
	struct commit *c = arg;

	if (!ledger_commit_begin(w, c->batch, &c->result, 7, &c->lost, e))
		return false;
	for (int64_t i = 0; i < c->batch->n; i++) {
		struct statement s = {"INSERT INTO messages (key, channel, created_at, text) "
				      "VALUES ($1, 1, 0, 'x')",
			ARGS(V_INT(c->batch->first_key + i))};

		if (c->result.outcomes[i] == OUTCOME_SENT && !sql_run_in(w, &s, e))
			return false;
	}
	return ledger_commit_end(w, c->batch, &c->result, 7, &c->lost, e);
}
