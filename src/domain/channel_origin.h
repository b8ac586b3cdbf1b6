/* channel_origin – what channels have from the channel template of the campaign that made
 * them: custom data and members.
 *
 * Thousands of channels follow from one campaign and a template names up to 1,000 members,
 * so a template is read once and its channels share what was read. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct channel;
struct db;
struct err;

/* A member that the template names. */
struct named_member {
	int64_t uid; /* 0: unknown, or named before */
	const struct named_details {
		struct str role;   /* p == NULL: "channel_member" */
		struct str custom; /* JSON object, or p == NULL */
	} * details;               /* NULL: neither */
};

struct channel_origin {
	int64_t no;                 /* of the campaign */
	struct str custom;          /* JSON object, or p == NULL */
	struct str team;            /* of all its channels; p == NULL: none */
	struct named_member *named; /* in the order of the template */
	size_t nnamed;
	const struct named_member **by_uid; /* the known ones, each once */
	size_t nknown;
};

/* NULL when the template does not name the user. */
const struct named_member *channel_origin_find(const struct channel_origin *, int64_t uid);

/* ---- origins in memory ---------------------------------------------------------------- */

/* Those that one task has seen, sorted by no. */
struct channel_origins {
	struct arena *arena;
	struct channel_origin **v;
	size_t n, cap;
};

void channel_origins_init(struct channel_origins *, struct arena *);
/* Completes channels, reading what was not seen yet.  After a failure nothing in it is to be
 * used.  Fails: STORE, TOO_LARGE. */
bool channel_origins_give(struct channel_origins *, struct db *, struct channel *channels,
	size_t n, struct err *e) MUST_USE;

/* ---- templates ------------------------------------------------------------------------ */

/* Its custom data, raw; p == NULL: none. */
struct str channel_template_custom(struct str template);
/* Whether it has the user among its members; *details (may be NULL) is copied to the arena.
 * Nothing else is kept there. */
bool channel_template_names(
	struct arena *, struct str template, struct str user_id, struct named_details *details);
