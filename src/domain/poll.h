/* poll – questions with options that users vote on, and the votes (api.md §6.7).
 *
 * A poll stands for itself: messages, and the template of a campaign, name it by its id, and
 * any number of them may.  What is counted stands in the rows of the options and of the poll,
 * and moves with the vote in one transaction, so that no reading has to count votes.
 *
 * A vote is for an option, or it is an answer: a text of the user's own.  A user has at most
 * one vote for an option and one answer in a poll.  A vote that takes the place of another
 * keeps its key, and with it its id; its time is that of the change. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/str.h"

struct app;
struct arena;
struct db;
struct err;
struct page_ask;
struct page_links;

#define POLL_MAX_ID          255 /* characters; the same below */
#define POLL_MAX_NAME        1024
#define POLL_MAX_DESCRIPTION 4096
#define POLL_MAX_TEXT        1024 /* of an option, of an answer */
#define POLL_MAX_OPTIONS     100
#define POLL_MAX_VOTES       10   /* what max_votes_allowed may be */
#define POLL_MAX_CUSTOM      5120 /* bytes of custom data of the poll and its options together */
#define POLL_LATEST          10   /* votes shown of each option, and answers */

struct poll_option {
	int64_t no; /* inside the poll, from 1; never given twice */
	struct str id, text;
	struct str custom; /* JSON object, or p == NULL */
	int64_t votes;
	int64_t created_at, updated_at;
};

struct poll_vote {
	int64_t key;
	struct str id; /* on the wire */
	int64_t poll, uid;
	int64_t option;       /* number; 0: an answer */
	struct str option_id; /* p == NULL: an answer */
	struct str answer;    /* its text; p == NULL: a vote for an option */
	int64_t cast_at;
};

struct poll_votes {
	struct poll_vote *v;
	size_t n;
};

struct poll {
	int64_t no;
	struct str id, name, description;
	struct str voting_visibility; /* "public", "anonymous" */
	int64_t creator;              /* uid */
	bool enforce_unique_vote, allow_answers, allow_user_suggested_options, is_closed;
	int64_t max_votes_allowed; /* 0: no limit */
	struct str custom;         /* JSON object, or p == NULL */
	int64_t created_at, updated_at;
	struct poll_option *options; /* in the order in which they are shown */
	size_t noptions;
	int64_t next_option; /* number of the next one */
	int64_t votes;       /* for options */
	int64_t answers;
	/* Filled in by poll_list, poll_get and poll_query alone. */
	struct poll_votes latest; /* up to POLL_LATEST of each option, newest first, in the
				   * order of the options; then the answers */
	struct poll_votes own;    /* of the viewer, in the order of time */
};

static inline bool
poll_is_anonymous(const struct poll *p)
{
	return !str_is(p->voting_visibility, "public");
}

/* NULL when there is none. */
const struct poll_option *poll_option_find(const struct poll *, struct str id);

/* ---- reading ---------------------------------------------------------------------------- */

/* The polls of ${ids}, all different, in their order; those that do not exist
 * drop out.  All of one moment, in the same few statements whatever their number.
 * ${viewer}: uid, or 0.  Fails: STORE, TOO_LARGE for the arena. */
bool poll_list(struct db *, struct arena *, const struct app *, const struct str *ids, size_t n,
	int64_t viewer, struct poll **out, size_t *nout, struct err *e) MUST_USE;
/* One.  Fails: NOT_FOUND, STORE. */
bool poll_get(struct db *, struct arena *, const struct app *, struct str id, int64_t viewer,
	struct poll *out, struct err *e) MUST_USE;
/* A page of polls, those of ${creator} alone unless 0.  Fails: INPUT, STORE, TOO_LARGE. */
bool poll_query(struct db *, struct arena *, const struct app *, const struct page_ask *,
	int64_t creator, int64_t viewer, struct poll **out, size_t *n, struct page_links *,
	struct err *e) MUST_USE;
/* Whether a message of ${sender} (0: of anybody) may carry the poll.  Fails: NOT_FOUND, DENIED
 * (it is another's), STORE. */
bool poll_check(struct db *, struct str id, int64_t sender, struct err *e) MUST_USE;

/* ---- changing --------------------------------------------------------------------------- */

struct poll_option_edit {
	struct str id;     /* p == NULL or empty: to be made */
	struct str text;   /* p == NULL: not said */
	struct str custom; /* JSON object, or p == NULL: none */
};

/* What a client says of a poll. */
struct poll_edit {
	struct str id;                                   /* p == NULL or empty: to be made */
	struct str name, description, voting_visibility; /* p == NULL: not said */
	int enforce_unique_vote, allow_answers;          /* −1: not said */
	int allow_user_suggested_options, is_closed;     /* −1: not said */
	int64_t max_votes_allowed;                       /* −1: not said, 0: no limit */
	bool has_options;
	struct poll_option_edit *options; /* all of them, in their order */
	size_t noptions;
	/* Custom data: first what is stored goes (drop_custom), then the members of ${custom}
	 * (JSON object, or p == NULL) come, then those named leave. */
	bool drop_custom;
	struct str custom;
	const struct str *unset;
	size_t nunset;
};
/* Nothing is said. */
#define POLL_EDIT_NONE                                 \
	((struct poll_edit){.enforce_unique_vote = -1, \
		.allow_answers = -1,                   \
		.allow_user_suggested_options = -1,    \
		.is_closed = -1,                       \
		.max_votes_allowed = -1})

/* *id: of the new poll, in the arena.  Fails: INPUT (also when the id is or was taken), STORE.
 */
bool poll_create(struct db *, struct arena *, const struct poll_edit *, int64_t creator,
	struct str *id, struct err *e) MUST_USE;

/* Below, ${by} is the uid of a user who may only change what is his, or 0 for the server. */

/* ${full}: what is not said becomes what it is in a new poll, else it stays.  Options that are
 * named by their id keep their votes; those that are not named go.  Fails: NOT_FOUND, DENIED,
 * INPUT, STORE. */
bool poll_update(struct db *, struct arena *, struct str id, const struct poll_edit *,
	bool full, int64_t by, struct err *e) MUST_USE;
/* Fails: NOT_FOUND, DENIED, STORE. */
bool
poll_delete(struct db *, struct arena *, struct str id, int64_t by, struct err *e) MUST_USE;

/* Anybody may add one where the poll allows it.  *option_id: of the new one, in the arena.
 * Fails: NOT_FOUND, DENIED, INPUT, STORE. */
bool
poll_add_option(struct db *, struct arena *, struct str id, const struct poll_option_edit *,
	int64_t by, struct str *option_id, struct err *e) MUST_USE;
/* Text and custom data become what ${edit} says.  Fails: NOT_FOUND, DENIED, INPUT, STORE. */
bool poll_change_option(struct db *, struct arena *, struct str id,
	const struct poll_option_edit *, int64_t by, struct err *e) MUST_USE;
/* With its votes.  Fails: NOT_FOUND, DENIED, STORE. */
bool poll_remove_option(struct db *, struct arena *, struct str id, struct str option_id,
	int64_t by, struct err *e) MUST_USE;

/* ---- votes ------------------------------------------------------------------------------ */

/* What a user chooses: an option or an answer, the other has p == NULL. */
struct poll_choice {
	struct str option_id, answer;
};

/* The message in which somebody votes, for those who hear of it. */
struct poll_carrier {
	int64_t message, channel; /* key, number */
};

/* ${in}: NULL: nobody hears of it.  An answer replaces the user's earlier one; a vote all his
 * others where the poll enforces unique votes.  The same vote again changes nothing.  Fails:
 * NOT_FOUND (poll, option), INPUT (closed, no answers, too many votes, length), STORE. */
bool poll_cast_vote(struct db *, struct arena *, const struct app *, struct str id,
	const struct poll_choice *, const struct poll_carrier *in, int64_t uid,
	struct poll_vote *out, struct err *e) MUST_USE;
/* ${by}: whose vote it must be, 0: anybody's.  *out: as it was.  Fails: NOT_FOUND, DENIED,
 * INPUT (closed), STORE. */
bool poll_remove_vote(struct db *, struct arena *, const struct app *, struct str id,
	struct str vote_id, const struct poll_carrier *in, int64_t by, struct poll_vote *out,
	struct err *e) MUST_USE;
/* A page of votes, *p without latest and own ones.  Votes of an anonymous poll cannot be looked
 * for by user.  Fails: NOT_FOUND, INPUT, STORE, TOO_LARGE. */
bool poll_query_votes(struct db *, struct arena *, const struct app *, struct str id,
	const struct page_ask *, struct poll *p, struct poll_vote **out, size_t *n,
	struct page_links *, struct err *e) MUST_USE;
