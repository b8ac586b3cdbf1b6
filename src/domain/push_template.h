/* push_template – what a push says: JSON with {{ expressions }}, a subset of handlebars (api.md
 * §10), compiled once and rendered for each device.
 *
 * Another language than that of campaigns (domain/template.h).  Where an expression stands
 * inside a JSON string its text is escaped, elsewhere it is written as a JSON value, so what
 * users say never becomes structure (I-27).  Compiled templates are immutable. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct err;
struct push_template;

#define PUSH_TEMPLATE_MAX  16384 /* bytes */
#define PUSH_RENDERED_MAX  8192  /* bytes of a result */
#define PUSH_TEMPLATE_DEEP 16    /* blocks inside one another */

/* The result and ${text} live in ${a}.  ${field} names it in errors.  Fails: INPUT
 * (`template: character 17: unknown helper "upper"`). */
bool push_template_compile(struct arena *a, struct str text, const char *field,
	const struct push_template **out, struct err *e) MUST_USE;
/* Whether it names a variable: "members". */
bool push_template_names(const struct push_template *, struct str root);

/* A variable: any JSON value. */
struct push_var {
	const char *name;
	struct str json;
};
/* Appends what comes out.  False when that is too much, or too much work; ${out} is then cut
 * back.  ${a} is for scratch. */
bool push_template_render(const struct push_template *, struct arena *a,
	const struct push_var *vars, size_t n, struct buf *out);
