/* app – the one app of a server: its keys, and the tag inside its message ids. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct db;
struct err;

struct app {
	struct str api_key;
	struct str api_secret;
	uint64_t id_tag; /* 58 random bits; see base/id.h */
};

/* Loads the app, making it at the first start.  ${key} and ${secret} (both or neither) come
 * from the configuration and replace what is stored.  *made is true when a pair was
 * generated, to be printed once.  Fails: INPUT (only one given, secret too short), STORE. */
bool app_load(struct db *db, struct arena *a, struct str key, struct str secret,
	struct app *out, bool *made, struct err *e) MUST_USE;

/* True when the store answers.  Fails: STORE. */
bool app_ready(struct db *db, struct err *e) MUST_USE;
