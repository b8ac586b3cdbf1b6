/* audience – whom `fanfare send` is for: segments, listed users, a filter, or everybody. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct client;
struct err;

/* As the command line gives it; exactly one is set. */
struct audience_opts {
	const char *segment; /* "id" or "id,id" */
	const char *users;   /* a file with one id per line, "-", or "id,id" */
	const char *filter;  /* a JSON object */
	bool all_users;
};

/* What goes into the campaign: one of the two lists is empty.  In the arena. */
struct audience {
	struct str *segment_ids;
	size_t nsegments;
	struct str *user_ids;
	size_t nusers;
};

/* Fails: INPUT (not exactly one is set; unreadable file; not a JSON object). */
bool audience_read(struct arena *a, const struct audience_opts *opts, struct audience *out,
	struct err *e) MUST_USE;

/* Makes the segment that the audience needs, if any: for a filter, for everybody, and for
 * more listed users than a campaign takes.  ${name} is the segment's.  Fails: as
 * client_json. */
bool audience_prepare(struct client *c, struct arena *a, const struct audience_opts *opts,
	struct str name, struct audience *audience, struct err *e) MUST_USE;
