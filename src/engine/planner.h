/* planner – fixes the audience of a started campaign and writes its batches. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct arena;
struct claim;
struct config;
struct db;
struct err;

/* Plans the campaign that ${claim} is on: one read snapshot gives the audience (I-2), then all
 * batches are written.  One that can no longer be sent (its template does not compile any more)
 * is stopped and logged.  Fails: STALE (the claim was lost), STORE, UNCERTAIN. */
bool planner_plan(struct db *db, struct arena *a, const struct config *config,
	const struct claim *claim, struct err *e) MUST_USE;
