/* campaign_wire – writers of campaigns in answers (api.md §2.1). */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "api/req.h"
#include "base/macros.h"

struct campaign;
struct page_links;
struct user;

/* The users of a campaign that an answer shows. */
struct campaign_page {
	const struct user *users;
	size_t n;
};

/* A CampaignResponse: the members of the object that is open in r->w.  Fails: STORE. */
bool campaign_wire(struct req *r, const struct campaign *c, const struct campaign_page *page,
	struct err *e) MUST_USE;

/* "users": {next?, prev?} */
void campaign_wire_pager(struct req *r, const struct page_links *links);
