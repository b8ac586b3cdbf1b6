/* sqlite_fn – what we add to SQLite's SQL: the virtual table "bulk" and fan_json_cmp().
 * Private to the SQLite driver. */
#pragma once
#include <sqlite3.h>

struct bulk;

/* The rows that statements saying @rows(…) read; one per connection. */
struct bulk_source {
	const struct bulk *now; /* set just before a statement is stepped the first time */
};

/* Registers both on a connection; ${source} must outlive it.  SQLITE_OK or an error. */
int sqlite_fn_register(sqlite3 *h, struct bulk_source *source);
