/* sending – a campaign as a worker needs it: loaded and compiled once, used for many
 * batches.  Each worker has its own, so nothing is shared. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "domain/campaign.h"
#include "domain/content.h"
#include "domain/form.h"
#include "domain/user.h"

struct db;
struct err;

struct sending {
	struct arena arena; /* owns everything below */
	struct campaign campaign;
	struct content content;
	struct user sender;
	size_t max_chars; /* of a text in channels of the type */
	int64_t *members; /* uids of the template's members that exist, then the sender's when
			   * he is a member of new channels */
	struct content_member *member_specs; /* beside members; the sender's is empty */
	size_t nmembers;
	/* Looked up anew for each batch, since the API may add channels meanwhile. */
	struct form form;  /* form.form 0: ids are stored per channel */
	int64_t *meetings; /* see form_meetings(); sorted */
	size_t nmeetings;
};

/* Loads campaign ${no}.  Fails: INPUT (does not compile), STORE. */
bool sending_load(struct sending *s, struct db *db, int64_t no, struct err *e) MUST_USE;
void sending_fini(struct sending *s);
/* Refreshes form and meetings; the memory is in ${a}. */
bool sending_refresh(struct sending *s, struct db *db, struct arena *a, struct err *e) MUST_USE;
/* The team that all channels it makes have; p == NULL: none. */
static inline struct str
sending_team(const struct sending *s)
{
	return s->campaign.team.n > 0 ? s->campaign.team : STR_NONE;
}
/* True for receivers whose channel must be looked up by id, not by number. */
bool sending_must_find(const struct sending *s, int64_t uid);
