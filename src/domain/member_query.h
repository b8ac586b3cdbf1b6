/* member_query – the members of a channel by a filter (api.md §6.2, GET /members). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct arena;
struct channel;
struct db;
struct err;
struct member;

struct member_query {
	const json_t *filter; /* NULL = all */
	const json_t *sort;   /* at most one field; NULL = created_at, oldest first */
	int64_t limit, offset;
};

/* Fails: INPUT, STORE, TOO_LARGE. */
bool member_query(struct db *, struct arena *, const struct channel *,
	const struct member_query *, struct member **out, size_t *n, struct err *e) MUST_USE;
