/* seal – the headers of what is sent to the app's owner, which prove who sends it (api.md
 * §9.2, and Standard Webhooks). */
#pragma once
#include <stddef.h>

#include "base/str.h"

struct app;
struct arena;
struct seal;

/* For one thread at a time.  ${app} is borrowed. */
struct seal *seal_new(const struct app *app);
void seal_free(struct seal *s); /* NULL is legal */

#define SEAL_HEADERS 11

/* Puts SEAL_HEADERS headers ("Name: value") for ${body}, before it is compressed, into
 * ${out}; they live in the arena.  ${attempt}: 1, 2, … */
void seal_headers(struct seal *, struct arena *, struct str id, struct str body, int attempt,
	const char **out);
