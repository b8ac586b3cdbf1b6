/* routes – the table of everything the outside can ask. */
#pragma once
#include <stdbool.h>

#include "api/req.h"

/* What a path and method lead to. */
struct route_match {
	const struct route *route; /* NULL: no such route or wrong method */
	size_t no;                 /* its place in the table, from 0 */
	enum dialect dialect;
	struct str param[3]; /* decoded, in the arena */
	struct str allow;    /* wrong method: the value for Allow, else p == NULL */
};

/* ${path} as sent: split on '/' first, then %XX decoded per part (api.md §1.4). */
void routes_match(struct arena *a, struct str method, struct str path, struct route_match *out);

/* How large a body the route takes; a size fit for an error when there is no such route. */
size_t routes_body_max(struct str method, struct str path);

/* How many rows the table has. */
size_t routes_count(void);

/* The operation id of every row, by its number; NULL for the open ones, which no limit counts.
 * In the arena. */
const char **routes_operations(struct arena *a);

/* Walks the whole table, for docs and tests: false at the end. */
bool routes_each(size_t *at, const struct route **out);
