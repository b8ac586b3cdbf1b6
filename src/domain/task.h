/* task – long work that a client may ask after by id (GET /tasks/{id}). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct db;
struct err;

struct task {
	struct str id;
	struct str status; /* "completed"; others come with work that outlives its request */
	int64_t created_at, updated_at;
	struct str result; /* JSON object; p == NULL: none */
};

/* Notes work that is done already; *id is its new id.  Fails: STORE. */
bool task_add_done(
	struct db *, struct arena *, struct str result, struct str *id, struct err *) MUST_USE;
/* Fails: NOT_FOUND, STORE. */
bool
task_get(struct db *, struct arena *, struct str id, struct task *out, struct err *) MUST_USE;
