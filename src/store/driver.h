/* driver – what an engine implements; private to store/.
 *
 * A driver embeds struct store and struct db as the first member of its own. */
#pragma once
#include "base/err.h"
#include "store/db.h"

struct driver {
	bool exclusive; /* see store_is_exclusive() */
	size_t slice_rows;
	bool (*store_open)(struct store **out, const char *url, const struct store_opts *opts,
		struct err *e);
	void (*store_close)(struct store *s);
	bool (*open)(struct db **out, struct store *s, struct err *e);
	void (*close)(struct db *db);
	void (*set_deadline)(struct db *db, int64_t mono_us);
	bool (*read)(struct db *db, tx_fn fn, void *arg, struct err *e);
	bool (*write)(struct db *db, tx_fn fn, void *arg, struct err *e);
	bool (*write_long)(struct db *db, tx_fn fn, void *arg, struct err *e);
	bool (*write_beside)(struct db *db, tx_fn fn, void *arg, struct err *e);
	bool (*attempt)(struct db *db, tx_fn fn, void *arg, struct err *e);
	/* NULL: no lock, the clock of this machine. */
	bool (*lock)(struct db *db, bool shared, struct err *e);
	bool (*now)(struct db *db, int64_t *us, struct err *e);
	/* NULL: there are no other processes. */
	void (*listen)(struct store *s, store_wake_fn on_wake, void *arg);
	void (*unlisten)(struct store *s);
	void (*wake)(struct store *s, enum store_word word);
	void (*hear)(struct store *s, store_said_fn on_said, void *arg);
	void (*say)(struct store *s, struct str text);
	bool (*exec)(struct db *db, enum sql_id id, struct args args, const struct bulk *bulk,
		int64_t *changed, struct err *e);
	bool (*query)(struct db *db, enum sql_id id, struct args args, const struct bulk *bulk,
		struct rows *out, struct err *e);
	bool (*query_text)(struct db *db, struct str sql, struct args args, struct rows *out,
		struct err *e);
	bool (*rows_next)(struct rows *r);
	bool (*rows_end)(struct rows *r, struct err *e);
	int64_t (*row_int)(struct rows *r, int col);
	double (*row_real)(struct rows *r, int col);
	struct str (*row_str)(struct rows *r, int col);
	bool (*row_null)(struct rows *r, int col);
	void (*json_cmp)(struct buf *sql, const struct json_test *t);
	void (*json_order)(struct buf *sql, const char *column, int key_param, bool descending);
	void (*probe)(struct buf *sql, const char *table, const char *alias, const char *on);
};

struct store {
	const struct driver *driver;
};

struct db {
	const struct driver *driver;
	struct store *store;
	bool has_written; /* see db_take_written() */
	struct str cause; /* see db_set_cause() */
};

extern const struct driver driver_sqlite, driver_pg;
