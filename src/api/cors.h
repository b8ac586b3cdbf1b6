/* cors – browser apps of other origins: which may call, and what browsers want to hear of that
 * before they let them.
 *
 * None may unless the setting ${origins} names them.  Nothing here goes by cookies: who calls
 * is told by the token alone, so a listed origin gains no rights, only the right to ask. */
#pragma once
#include <stdbool.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct err;
struct http_in;
struct http_out;

/* Whether ${origins} is a list as the setting takes it:
 * "https://a.example,http://localhost:3000",
 * "*" for all, "" for none.  Fails: INPUT. */
bool cors_check(struct str origins, struct err *e) MUST_USE;

/* Adds what a browser must read in the answer, when the origin it names is among ${origins}.
 * True: it only asked whether it may, and that is answered. */
bool
cors_answer(struct arena *, struct str origins, const struct http_in *in, struct http_out *out);
