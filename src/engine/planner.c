/* planner – audience and form of a campaign, then its plan. */
#include "engine/planner.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/err.h"
#include "base/log.h"
#include "domain/bitset.h"
#include "domain/campaign.h"
#include "domain/channel_audience.h"
#include "domain/claim.h"
#include "domain/content.h"
#include "domain/form.h"
#include "domain/ledger.h"
#include "domain/template.h"
#include "domain/user.h"
#include "store/db.h"

/* Which form the channels of a campaign have; 0 when their ids must be stored.  The team of
 * them is fixed on the way. */
struct form_ask {
	struct arena *a;
	const struct campaign *c;
	const struct content *content;
	const struct user *sender;
	int64_t form;
};

/* The members besides the receiver: the sender unless excluded, and the template's. */
static bool
other_members(struct db *db, const struct form_ask *q, int64_t *uids, size_t *n, struct err *e)
{
	const struct content *t = q->content;
	struct str *ids = arena_array(q->a, t->nmembers, sizeof(*ids));

	for (size_t i = 0; i < t->nmembers; i++)
		ids[i] = t->members[i].user_id;
	if (!user_resolve(db, q->a, ids, t->nmembers, uids, e))
		return false;
	*n = 0;
	for (size_t i = 0; i < t->nmembers; i++)
		if (uids[i] != 0)
			uids[(*n)++] = uids[i];
	if (!str_is(q->c->sender_mode, "exclude"))
		uids[(*n)++] = q->sender->uid;
	return true;
}

static bool
form_tx(struct db *w, void *arg, struct err *e)
{
	struct form_ask *q = arg;
	const struct content *t = q->content;
	struct str prefix, suffix;
	struct form form = {0};
	int64_t *uids;
	size_t n;
	bool ok = false;

	if (!db_lock_channels(w, false, e) || !campaign_fix_team(w, q->a, q->c->no, t, e))
		return false;
	if (t->channel_id != NULL) {
		if (template_as_affix(t->channel_id, q->a, q->sender, &prefix, &suffix) &&
			!form_for_affix(
				w, q->a, t->channel_type, prefix, suffix, &form, &ok, e))
			return false;
	} else {
		uids = arena_array(q->a, t->nmembers + 1, sizeof(*uids));
		if (!other_members(w, q, uids, &n, e) ||
			!form_for_distinct(w, q->a, t->channel_type, uids, n, &form, &ok, e))
			return false;
	}
	q->form = ok ? form.form : 0;
	return true;
}

static bool
stop(struct db *db, struct arena *a, const struct campaign *c, const struct err *why,
	struct err *e)
{
	struct campaign stopped;

	log_error("campaign %.*s cannot be sent, stopping it: %s", STR_ARG(c->id), why->msg);
	return campaign_stop(db, a, c->id, &stopped, e);
}

struct planning {
	struct db *db;
	struct arena *a;
	const struct config *config;
	const struct claim *claim;
	struct campaign campaign;
	struct content content;
	struct user sender;
	int64_t audience;
};

static bool
plan_users(struct planning *p, bool *done, struct err *e)
{
	struct form_ask q = {.a = p->a, .c = &p->campaign, .content = &p->content};
	struct bitset audience;
	bool ok;

	q.sender = &p->sender;
	if (!db_write(p->db, form_tx, &q, e))
		return false;
	bitset_init(&audience);
	ok = campaign_audience(p->db, p->a, &p->campaign, &audience, e) &&
	     ledger_plan_claimed(
		     p->db, p->claim, &audience, q.form, p->config->batch_size, done, e);
	p->audience = bitset_count(&audience);
	bitset_fini(&audience);
	return ok;
}

static bool
plan_channels(struct planning *p, bool *done, struct err *e)
{
	struct channel_audience audience;
	int64_t strays = 0;
	bool ok;

	channel_audience_init(&audience);
	ok = channel_audience_load(p->db, p->a, &p->campaign, &audience, e) &&
	     channel_audience_store_strays(
		     p->db, p->a, p->claim, &p->campaign, &audience, &strays, e) &&
	     ledger_plan_channels(p->db, p->claim, &audience.channels, strays,
		     p->config->batch_size, done, e);
	p->audience = audience.channels.n + strays;
	channel_audience_fini(&audience);
	return ok;
}

/* That it does not compile, or that the store refuses its plan, will not go away by itself. */
static bool
is_final(enum err_code code)
{
	return code == ERR_INPUT || code == ERR_UNFIT;
}

static bool
plan(struct planning *p, bool *done, struct err *e)
{
	const struct campaign *c = &p->campaign;
	bool to_channels;

	return content_compile(
		       p->a, c->message_template, c->channel_template, &p->content, e) &&
	       campaign_is_to_channels(p->db, p->a, c, false, &to_channels, e) &&
	       (to_channels ? plan_channels : plan_users)(p, done, e);
}

bool
planner_plan(struct db *db, struct arena *a, const struct config *config,
	const struct claim *claim, struct err *e)
{
	int64_t began = clock_mono_us();
	struct planning p = {.db = db, .a = a, .config = config, .claim = claim};
	const struct campaign *c = &p.campaign;
	bool done = false;

	if (!campaign_by_no(db, a, claim->no, &p.campaign, e) ||
		!user_by_uid(db, a, c->sender, &p.sender, e))
		return false;
	if (!plan(&p, &done, e)) {
		struct err why = *e;

		return is_final(why.code) ? stop(db, a, c, &why, e) : false;
	}
	if (done)
		log_info("campaign %.*s planned: audience=%lld ms=%lld", STR_ARG(c->id),
			(long long)p.audience, (long long)((clock_mono_us() - began) / 1000));
	return true;
}
