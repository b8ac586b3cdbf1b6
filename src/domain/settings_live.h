/* settings_live – the settings as requests see them: held by the thread, at most a second old.
 *
 * The newest known settings are one counted object.  Each thread that serves requests holds
 * the one it last used, so a request costs two atomic loads; only when the version has risen
 * does it take the lock and the newer one.  On a store that other processes share, the
 * stored version is looked at twice a second, by whichever request comes along. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

struct db;
struct err;
struct settings;
struct settings_live;

/* For ${threads} threads; ${shared}: other processes may change the settings.  Reads them.
 * Fails: STORE. */
bool settings_live_new(struct settings_live **out, struct db *, size_t threads, bool shared,
	struct err *e) MUST_USE;
void settings_live_free(struct settings_live *); /* NULL is legal */

/* What thread ${thread} works with until it calls this again.  ${l} NULL: the defaults.  Fails:
 * STORE, when the store cannot be asked and what is known is too old. */
bool settings_hold(struct settings_live *l, size_t thread, struct db *db,
	const struct settings **out, struct err *e) MUST_USE;

/* Reads them now: after a change by this process.  Fails: STORE. */
bool settings_live_read(struct settings_live *l, struct db *db, struct err *e) MUST_USE;
