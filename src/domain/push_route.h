/* push_route – the routes that push providers are (domain/route.h): those of Firebase and Apple
 * by "type:name", and the app's own, without a name, once it has credentials.
 *
 * A provider that its owner disabled, or for which no event is pushed, is off.  One whose
 * credentials were refused is not: what happens meanwhile is kept until they change. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

struct arena;
struct db;
struct err;
struct out_route;

/* What the settings (domain/settings.h) and the tables name at this moment.  Fails: STORE. */
bool push_routes(struct db *, struct arena *, const json_t *settings, struct out_route **out,
	size_t *n, struct err *) MUST_USE;
/* Makes the routes that are named, as the last thing of the db_write that changes them, so that
 * nothing is missed in between, and lets the settings' version rise.  Fails: STORE. */
bool push_routes_make(struct db *w, struct arena *, struct err *) MUST_USE;
/* The same with settings that are about to be stored; ${fresh}: the app's own credentials were
 * given anew. */
bool push_routes_settings(struct db *w, struct arena *, const json_t *settings, bool fresh,
	struct err *) MUST_USE;
