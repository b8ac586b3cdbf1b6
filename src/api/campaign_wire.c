/* campaign_wire – CampaignResponse, its stats and its embedded segments. */
#include "api/campaign_wire.h"

#include "api/wire.h"
#include "base/arena.h"
#include "domain/campaign.h"
#include "domain/outcome.h"
#include "domain/page.h"
#include "domain/segment.h"
#include "domain/user.h"

static void
wire_reasons(
	struct jw *w, const char *key, const struct campaign_tallies *t, enum outcome_kind kind)
{
	jw_kobj(w, key);
	for (size_t i = 0; i < t->n; i++)
		if (outcome_kind(t->v[i].outcome) == kind)
			jw_ki64(w, outcome_reason(t->v[i].outcome), t->v[i].n);
	jw_end_obj(w);
}

static double
progress(const struct campaign *c)
{
	if (c->audience == 0)
		return campaign_is(c, "completed") ? 1 : 0;
	return (double)(c->audience - c->pending) / (double)c->audience;
}

/* The names of the SDKs and those of the documentation, always both (api.md §5 row 2). */
static void
wire_stats(struct req *r, const struct campaign *c)
{
	const struct campaign_tallies *t = &c->tallies;
	static const char *const progress_keys[] = {"progress", "stats_progress"};
	struct jw *w = &r->w;

	jw_kobj(w, "stats");
	for (size_t i = 0; i < ARRAY_LEN(progress_keys); i++) {
		jw_name(w, str_of(progress_keys[i]));
		jw_double(w, progress(c));
	}
	jw_ki64(w, "stats_channels_created", c->channels_created);
	jw_ki64(w, "channels_created", c->channels_created);
	jw_ki64(w, "stats_messages_sent", t->sent);
	jw_ki64(w, "messages_sent", t->sent);
	jw_ki64(w, "stats_users_sent", c->users_sent);
	jw_ki64(w, "stats_users_read", c->users_read);
	req_ktime(r, "stats_started_at", c->started_at);
	req_ktime(r, "started_at", c->started_at);
	req_ktime(r, "stats_completed_at", c->completed_at);
	req_ktime(r, "completed_at", c->completed_at);
	jw_ki64(w, "audience", c->audience);
	jw_ki64(w, "pending", c->pending);
	wire_reasons(w, "skipped", t, KIND_SKIPPED);
	wire_reasons(w, "failed", t, KIND_FAILED);
	jw_end_obj(w);
}

/* Deleted segments drop out of "segments" but stay in "segment_ids". */
static void
wire_segments(struct req *r, const struct campaign *c, const struct segment *segments)
{
	jw_karr(&r->w, "segments");
	for (size_t i = 0; i < c->nsegments; i++)
		if (segments[i].no != 0)
			wire_segment(r, &segments[i]);
	jw_end_arr(&r->w);
}

static void
wire_users(struct req *r, const struct campaign_page *page)
{
	jw_karr(&r->w, "user_ids");
	for (size_t i = 0; i < page->n; i++)
		jw_str(&r->w, page->users[i].id);
	jw_end_arr(&r->w);
	jw_karr(&r->w, "users");
	for (size_t i = 0; i < page->n; i++)
		if (user_is_live(&page->users[i]))
			wire_user(r, &page->users[i]);
	jw_end_arr(&r->w);
}

static void
wire_options(struct req *r, const struct campaign *c)
{
	struct jw *w = &r->w;

	jw_kstr(w, "sender_mode", c->sender_mode);
	jw_kstr(w, "sender_visibility", c->sender_visibility);
	jw_kbool(w, "create_channels", c->create_channels);
	jw_kbool(w, "show_channels", c->show_channels);
	jw_kbool(w, "skip_push", c->skip_push);
	jw_kbool(w, "skip_webhook", c->skip_webhook);
	if (c->max_webhook_lag > 0)
		jw_ki64(w, "max_webhook_lag", c->max_webhook_lag);
	jw_kraw(w, "message_template", c->message_template);
	if (c->channel_template.p != NULL)
		jw_kraw(w, "channel_template", c->channel_template);
}

bool
campaign_wire_load(struct req *r, const struct campaign *c, size_t n,
	struct campaign_company **out, struct err *e)
{
	struct campaign_company *all = arena_array(r->arena, n, sizeof(*all));
	int64_t *uids = arena_array(r->arena, n, sizeof(*uids));
	struct segment *segments;
	struct user *senders;
	struct str *ids;
	size_t nids = 0, k = 0;

	for (size_t i = 0; i < n; i++) {
		uids[i] = c[i].sender;
		nids += c[i].nsegments;
	}
	ids = arena_array(r->arena, nids, sizeof(*ids));
	segments = arena_array(r->arena, nids, sizeof(*segments));
	for (size_t i = 0; i < n; i++)
		for (size_t s = 0; s < c[i].nsegments; s++)
			ids[k++] = c[i].segment_ids[s];
	if (!user_by_uids(r->db, r->arena, uids, n, &senders, e) ||
		!segment_by_ids(r->db, r->arena, ids, nids, segments, e))
		return false;
	for (size_t i = 0; i < n; segments += c[i++].nsegments)
		all[i] = (struct campaign_company){&senders[i], segments};
	*out = all;
	return true;
}

void
campaign_wire(struct req *r, const struct campaign *c, const struct campaign_page *page,
	const struct campaign_company *company)
{
	const struct user *sender = company->sender;
	struct jw *w = &r->w;

	jw_kstr(w, "id", c->id);
	jw_kstr(w, "name", c->name);
	jw_kstr(w, "description", c->description);
	jw_kstr(w, "status", c->status);
	jw_kstr(w, "sender_id", sender->id);
	if (user_is_live(sender)) {
		jw_name(w, STR("sender"));
		wire_user(r, sender);
	}
	wire_options(r, c);
	jw_karr(w, "segment_ids");
	for (size_t i = 0; i < c->nsegments; i++)
		jw_str(w, c->segment_ids[i]);
	jw_end_arr(w);
	wire_segments(r, c, company->segments);
	wire_users(r, page);
	req_ktime_opt(r, "scheduled_for", c->scheduled_for);
	req_ktime_opt(r, "stop_at", c->stop_at);
	if (c->stop_reason.p != NULL)
		jw_kstr(w, "stop_reason", c->stop_reason);
	req_ktime(r, "created_at", c->created_at);
	req_ktime(r, "updated_at", c->updated_at);
	wire_stats(r, c);
}

void
campaign_wire_pager(struct req *r, const struct page_links *links)
{
	jw_kobj(&r->w, "users");
	wire_links(r, links);
	jw_end_obj(&r->w);
}
