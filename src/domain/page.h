/* page – one ordered page of a filtered list, and the cursors between pages (api.md §2.2).
 *
 * A cursor carries filter, sort and position, so it stands for itself; it is base64url JSON
 * sealed with an HMAC of the app's secret, bound to the list it came from.  Any change to
 * it is refused with INPUT. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "domain/filter.h"

struct app;
struct arena;
struct db;
struct err;

/* What the client asked for. */
struct page_ask {
	const json_t *filter;  /* NULL = all */
	const json_t *sort;    /* NULL = the list's default */
	int64_t limit;         /* already resolved and checked */
	struct str next, prev; /* p == NULL: absent */
};

/* Reads filter/Filter, sort/Sort, limit, next, prev of a body (NULL: empty).  limit 0 or absent
 * gives ${def}; above ${max}, or next together with prev: INPUT. */
bool page_read(const json_t *body, int64_t def, int64_t max, struct page_ask *out,
	struct err *) MUST_USE;

/* Describes a list. */
struct page_list {
	const char *name; /* literal, seals cursors to this list: "campaigns" */
	struct str scope; /* further binding, e.g. the segment id; may be empty */
	const struct filter_schema *schema;
	/* The query in two halves, so that the sorted columns can be put between them.  The
	 * columns keep their numbers from 0. */
	const char *columns;    /* "c.no, c.id" */
	const char *from_where; /* "campaigns c WHERE c.deleted_at IS NULL"; WHERE is a must */
	const char *default_field; /* sort when none is asked for */
	bool default_descending;
	struct args args; /* parameters $1 … used in from_where */
};

/* Rows are given to ${row} in the order of the page (also for prev).  */
typedef bool (*page_row_fn)(void *arg, struct rows *r, struct err *e);

struct page_links {
	struct str next, prev; /* p == NULL: no such page */
};

/* Runs the query.  Nulls in a sorted column sort first ascending.  The filter and sort of a
 * cursor win over those asked for.  Custom fields cannot be sorted by here.  Fails: INPUT,
 * STORE. */
bool page_run(struct db *, struct arena *, const struct app *, const struct page_list *,
	const struct page_ask *, page_row_fn row, void *arg, struct page_links *out,
	struct err *) MUST_USE;

/* The statement that page_run would run, for looking at its plan. */
bool page_sql(struct db *, struct arena *, const struct app *, const struct page_list *,
	const struct page_ask *, struct buf *sql, struct filter_params *,
	struct err *) MUST_USE;

/* Seals and opens a cursor made of any JSON, for lists that are not SQL (targets, users of
 * a campaign). */
struct str page_seal(struct arena *, const struct app *, const char *list, struct str scope,
	const json_t *body);
bool page_open(struct arena *, const struct app *, const char *list, struct str scope,
	struct str cursor, json_t **out, struct err *) MUST_USE;
