/* planner – fixes the audience of a started campaign and writes its batches. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct arena;
struct config;
struct db;
struct err;

/* Plans campaign ${no}: one read snapshot gives the audience (I-2), then all batches are
 * written.  One that can no longer be sent (its template does not compile any more) is
 * stopped and logged.  Fails: STORE. */
bool planner_plan(struct db *db, struct arena *a, const struct config *config, int64_t no,
	struct err *e) MUST_USE;
