/* remote – the running server that a command talks to, as the environment names it. */
#pragma once
#include <stdbool.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct client;
struct err;

/* Opens the server at FANFARE_URL with a server token made from FANFARE_API_KEY and
 * FANFARE_API_SECRET.  Fails: INPUT, naming the variable. */
bool remote_open(struct client **out, struct arena *a, struct err *e) MUST_USE;

/* The value of an environment variable that must be set; ${why} is the rest of the
 * message.  Fails: INPUT. */
bool remote_env(const char *name, const char *why, struct str *out, struct err *e) MUST_USE;

/* Where the server is looked for, without a '/' at the end. */
struct str remote_url(void);

/* True when a call that failed so may succeed later: the server is away, restarting or
 * busy. */
bool remote_may_return(const struct err *e);

/* Prints why a call to the server failed, with where it was looked for when it was never
 * reached; returns COMMAND_FAILED. */
int remote_fail(const struct err *e, const char *doing);
