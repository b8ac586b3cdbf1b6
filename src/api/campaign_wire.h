/* campaign_wire – writers of campaigns in answers (api.md §2.1). */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "api/req.h"
#include "base/macros.h"

struct campaign;
struct campaign_page;
struct err;
struct page_links;
struct segment;
struct user;

/* What an answer shows of a campaign besides itself. */
struct campaign_company {
	const struct user *sender;
	const struct segment *segments; /* by segment_ids; no 0: deleted */
};

/* Loads the company of ${n} campaigns with two statements, into r->arena.  Fails: STORE. */
bool campaign_wire_load(struct req *r, const struct campaign *c, size_t n,
	struct campaign_company **out, struct err *e) MUST_USE;
/* A CampaignResponse: the members of the object that is open in r->w. */
void campaign_wire(struct req *r, const struct campaign *c, const struct campaign_page *page,
	const struct campaign_company *company);

/* "users": {next?, prev?} */
void campaign_wire_pager(struct req *r, const struct page_links *links);
