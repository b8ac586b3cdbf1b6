/* campaigns – the campaign endpoints (api.md §2.3). */
#include "api/campaign_wire.h"
#include "api/req.h"
#include "api/wire.h"
#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/campaign.h"
#include "domain/capacity.h"
#include "domain/page.h"
#include "domain/user.h"
#include "engine/engine.h"
#include "store/db.h"

#define CAMPAIGNS_DEFAULT  30
#define CAMPAIGNS_MAX      100
#define USERS_MAX          1000
#define USER_LIMIT_DEFAULT 10
#define PLAN_WAIT_MS       1500

/* What is shown of one campaign. */
static bool
load_one(struct req *r, const struct campaign *c, const struct page_ask *ask,
	struct campaign_page *page, struct page_links *links, struct campaign_company **company,
	struct err *e)
{
	return campaign_users(r->db, r->arena, r->ctx->app, c, ask, &page->users, &page->n,
		       links, e) &&
	       campaign_wire_load(r, c, 1, company, e);
}

/* The campaign as "campaign", with the page of users that ${ask} wants. */
static bool
reply_page(struct req *r, const struct campaign *c, const struct page_ask *ask,
	struct page_links *links, struct err *e)
{
	struct campaign_company *company;
	struct campaign_page page;

	if (!load_one(r, c, ask, &page, links, &company, e))
		return false;
	jw_kobj(&r->w, "campaign");
	campaign_wire(r, c, &page, company);
	jw_end_obj(&r->w);
	return true;
}

static const struct page_ask first_page = {.limit = USERS_MAX};

static bool
reply(struct req *r, const struct campaign *c, struct err *e)
{
	struct page_links links;

	if (!reply_page(r, c, &first_page, &links, e))
		return false;
	campaign_wire_pager(r, &links);
	return true;
}

/* v2 describes update and stop as a bare campaign, v1 reads "campaign": v2 gets both. */
static bool
reply_dual(struct req *r, const struct campaign *c, struct err *e)
{
	struct campaign_company *company;
	struct campaign_page page;
	struct page_links links;

	if (r->dialect == DIALECT_V1)
		return reply(r, c, e);
	if (!load_one(r, c, &first_page, &page, &links, &company, e))
		return false;
	jw_kobj(&r->w, "campaign");
	campaign_wire(r, c, &page, company);
	jw_end_obj(&r->w);
	campaign_wire(r, c, &page, company);
	return true;
}

static bool
create(struct req *r, struct err *e)
{
	struct campaign_edit edit;
	struct campaign c;
	json_t *body, *inner = NULL;

	/* The 2022 generation wraps the body; harmless to accept (api.md §2.3.8). */
	if (!req_body(r, &body, e) || !jr_obj(body, "campaign", OPTIONAL, &inner, e) ||
		!campaign_read_edit(r->arena, inner != NULL ? inner : body, &edit, e) ||
		!campaign_create(r->db, r->arena, &edit, &c, e))
		return false;
	return reply(r, &c, e);
}

static bool
get(struct req *r, struct err *e)
{
	struct page_ask ask = {.next = req_query(r, "next"), .prev = req_query(r, "prev")};
	struct page_links links;
	struct campaign c;

	if (!req_query_int(r, "limit", 0, USERS_MAX, &ask.limit, e))
		return false;
	if (ask.next.p != NULL && ask.prev.p != NULL)
		return fail(e, ERR_INPUT, "next: cannot be used together with prev");
	if (ask.limit == 0)
		ask.limit = USERS_MAX;
	if (!campaign_get(r->db, r->arena, r->param[0], &c, e) ||
		!reply_page(r, &c, &ask, &links, e))
		return false;
	campaign_wire_pager(r, &links);
	/* Copies at the root, where the Python documentation looks (api.md §5 row 6). */
	wire_links(r, &links);
	return true;
}

static bool
update(struct req *r, struct err *e)
{
	struct campaign_edit edit;
	struct campaign c;
	json_t *body;

	if (!req_body(r, &body, e) || !campaign_read_edit(r->arena, body, &edit, e) ||
		!campaign_update(r->db, r->arena, r->param[0], &edit, &c, e))
		return false;
	return reply_dual(r, &c, e);
}

static void
show_capacity(struct req *r, const struct capacity *c)
{
	req_header_int(r, "X-Message-Capacity-Limit", c->limit);
	req_header_int(r, "X-Message-Capacity-Used", c->used);
	req_header_int(r, "X-Message-Capacity-Left", c->left);
}

/* The numbers as a member of the error body. */
static void
tell_capacity(struct req *r, const struct capacity *c)
{
	jw_kobj(&r->w, "capacity");
	jw_ki64(&r->w, "limit", c->limit);
	jw_ki64(&r->w, "used", c->used);
	jw_ki64(&r->w, "left", c->left);
	jw_ki64(&r->w, "audience", c->audience);
	req_ktime(r, "resets_at", c->resets_at);
	jw_end_obj(&r->w);
	r->tells_failure = true;
}

/* Starts it within the capacity of the plan, when there is one. */
static bool
start_within_plan(
	struct req *r, const struct campaign_start *opts, struct campaign *c, struct err *e)
{
	struct capacity capacity = {.limit = r->ctx->config->mau_plan * CAPACITY_PER_USER};
	struct campaign_start within = *opts;
	bool ok;

	if (capacity.limit == 0)
		return campaign_start(r->db, r->arena, r->param[0], opts, c, e);
	within.capacity = &capacity;
	/* As much work as the plan will be: a large audience must not be refused for its size
	 * alone. */
	db_set_deadline(r->db, 0);
	ok = campaign_start(r->db, r->arena, r->param[0], &within, c, e);
	if (ok || capacity.is_exceeded)
		show_capacity(r, &capacity);
	if (!ok && capacity.is_exceeded)
		tell_capacity(r, &capacity);
	return ok;
}

static bool
start(struct req *r, struct err *e)
{
	struct campaign_start opts = {
		.scheduled_for = NO_TIME, .stop_at = NO_TIME, .max_webhook_lag = -1};
	struct campaign c;
	json_t *body;

	if (!req_body(r, &body, e) ||
		!jr_time(body, "scheduled_for", OPTIONAL, &opts.scheduled_for, e) ||
		!jr_time(body, "stop_at", OPTIONAL, &opts.stop_at, e) ||
		!jr_int(body, "max_webhook_lag", OPTIONAL, 0, CAMPAIGN_LAG_MAX,
			&opts.max_webhook_lag, e) ||
		!start_within_plan(r, &opts, &c, e))
		return false;
	engine_wake(r->ctx->engine);
	/* What a caller does to its segments after this answer must not change the audience
	 * (I-2).  Audiences of many millions take longer: segment.c guards them. */
	if (campaign_is(&c, "in_progress"))
		(void)engine_wait_planned(r->ctx->engine, r->db, c.no, PLAN_WAIT_MS);
	return reply(r, &c, e);
}

static bool
stop(struct req *r, struct err *e)
{
	struct campaign c;

	if (!campaign_stop(r->db, r->arena, r->param[0], &c, e))
		return false;
	return reply_dual(r, &c, e);
}

static bool delete (struct req *r, struct err *e)
{
	return campaign_delete(r->db, r->arena, r->param[0], e);
}

static bool
query(struct req *r, struct err *e)
{
	int64_t user_limit = USER_LIMIT_DEFAULT;
	struct campaign_company *company;
	struct campaign_page *pages;
	struct page_links links;
	struct campaign *found;
	struct page_ask ask;
	json_t *body;
	size_t n;

	if (!req_body(r, &body, e) ||
		!page_read(body, CAMPAIGNS_DEFAULT, CAMPAIGNS_MAX, &ask, e) ||
		!jr_int(body, "user_limit", OPTIONAL, 0, USERS_MAX, &user_limit, e) ||
		!campaign_query(r->db, r->arena, r->ctx->app, &ask, &found, &n, &links, e))
		return false;
	if (user_limit == 0)
		user_limit = USER_LIMIT_DEFAULT;
	pages = arena_array(r->arena, n, sizeof(*pages));
	if (!campaign_users_of_many(r->db, r->arena, found, n, user_limit, pages, e) ||
		!campaign_wire_load(r, found, n, &company, e))
		return false;
	jw_karr(&r->w, "campaigns");
	for (size_t i = 0; i < n; i++) {
		jw_obj(&r->w);
		campaign_wire(r, &found[i], &pages[i], &company[i]);
		jw_end_obj(&r->w);
	}
	jw_end_arr(&r->w);
	wire_links(r, &links);
	return true;
}

static const struct route routes[] = {
	{"POST", "/campaigns", "CreateCampaign", create, ROUTE_CHAT, BODY_DEFAULT,
		"create a campaign"},
	{"POST", "/campaigns/query", "QueryCampaigns", query, ROUTE_CHAT, BODY_SMALL,
		"find campaigns"},
	{"GET", "/campaigns/{id}", "GetCampaign", get, ROUTE_CHAT, BODY_NONE,
		"a campaign with a page of its users"},
	{"PUT", "/campaigns/{id}", "UpdateCampaign", update, ROUTE_CHAT, BODY_DEFAULT,
		"change a draft or scheduled campaign"},
	{"DELETE", "/campaigns/{id}", "DeleteCampaign", delete, ROUTE_CHAT, BODY_NONE,
		"delete a campaign"},
	{"POST", "/campaigns/{id}/start", "StartCampaign", start, ROUTE_CHAT, BODY_NONE,
		"start or schedule a campaign"},
	{"POST", "/campaigns/{id}/stop", "StopCampaign", stop, ROUTE_CHAT, BODY_NONE,
		"stop a campaign"},
};

const struct route_group routes_campaigns = {routes, ARRAY_LEN(routes)};
