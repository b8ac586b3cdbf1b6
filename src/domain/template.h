/* template – {{ receiver.name }} → compiled chunks → appended bytes (api.md §4).
 *
 * Compiled once per campaign, rendered once per recipient without allocating: a template is
 * a flat program of chunks.  Output is never scanned again, so data that contains "{{"
 * stays text (I-27).  Compiled templates are immutable and may be used by many threads. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct err;
struct template;
struct user;

/* What {{ channel.X }} sees. */
struct template_channel {
	struct str id, type, cid, team; /* p == NULL: unset */
	struct str custom;              /* JSON object, name and image included; or NULL */
};

struct template_vars {
	const struct user *sender;
	const struct user *receiver; /* NULL: undefined (channel audiences) */
	const struct template_channel *channel;
	/* Called for each undefined variable with its name as written; may be NULL. */
	void (*undefined)(void *arg, struct str name);
	void *arg;
};

/* Compiles plain text.  ${field} names it in errors: `message_template.text: line 1, column
 * 7: unknown filter "uper"`.  The result lives in ${a}; ${text} must live as long.
 * Fails: INPUT. */
bool template_text(struct arena *a, struct str text, const char *field, struct template **out,
	struct err *e) MUST_USE;

/* Compiles a JSON value: every string value in it (keys are not) is a template; a string
 * that is exactly one {{ expr }} is replaced by the typed value.  Fails: INPUT. */
bool template_json(struct arena *a, struct str json, const char *field, struct template **out,
	struct err *e) MUST_USE;

/* True when the output depends on nothing: rendering once is enough. */
bool template_is_constant(const struct template *t);
/* True when {{ channel … }} is used. */
bool template_uses_channel(const struct template *t);

/* Appends the rendered bytes.  False when more than ${max} bytes came out (the caller
 * fails that recipient with rendered_too_large); ${out} is then cut back. */
bool template_render(
	const struct template *t, const struct template_vars *v, size_t max, struct buf *out);

/* True when ${t} is literal + {{ receiver.id }} + literal for a fixed sender: then *prefix
 * and *suffix (in the arena) say all (docs/decisions/002-derived-channels.md). */
bool template_as_affix(const struct template *t, struct arena *a, const struct user *sender,
	struct str *prefix, struct str *suffix);
