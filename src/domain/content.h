/* content – what a campaign sends, compiled: its message and channel templates. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct err;
struct template;

#define CONTENT_TEAM_MAX 1000 /* characters, of the template and of what it renders to */

struct content_member {
	struct str user_id;
	struct str role;   /* p == NULL: the default */
	struct str custom; /* JSON object, or p == NULL */
};

struct content {
	struct template *text;
	/* {"attachments":[…],"custom":{…}}; NULL when it comes out as it stands in the template
	 * for everybody: then no message stores it. */
	struct template *extra;
	struct str poll_id; /* p == NULL: none */
	bool has_channel_template;
	struct str channel_type;         /* "messaging" without a template */
	struct template *channel_id;     /* NULL: the distinct channel of the members */
	struct template *channel_custom; /* NULL: none, or constant */
	struct str constant_custom;      /* JSON object of all its channels; p == NULL: none */
	bool has_team;                   /* it counts only with multi-tenancy */
	struct template *channel_team;   /* NULL: none, or constant */
	struct str constant_team;        /* "" when none */
	struct content_member *members;  /* of members or members_template */
	size_t nmembers;
	bool uses_channel; /* {{ channel… }} stands in text or extra */
};

/* Compiles both templates (JSON objects as stored with a campaign; ${channel_template} may
 * have p == NULL).  All memory is in ${a}, the texts must live as long.  Checks what api.md
 * §2.1 says of them.  Fails: INPUT naming the field and the position. */
bool content_compile(struct arena *a, struct str message_template, struct str channel_template,
	struct content *out, struct err *e) MUST_USE;
