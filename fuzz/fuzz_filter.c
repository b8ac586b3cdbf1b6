/* fuzz_filter – any JSON as a filter and as a sort: refused with INPUT, or SQL that the store
 * runs; never anything else (F25, F28). */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/filter.h"
#include "store/db.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct filter_field fields[] = {
	{"id", FILTER_TEXT, OP_SCALAR | OP_NE | OP_NIN | OP_AUTOCOMPLETE, "u.id", true},
	{"created_at", FILTER_TIME, OP_SCALAR | OP_NE | OP_NIN, "u.created_at", true},
	{"n", FILTER_INT, OP_SCALAR | OP_NE | OP_NIN, "u.updated_at", true},
	{"banned", FILTER_BOOL, OP_SCALAR | OP_NE | OP_NIN, "0", false},
	{"teams", FILTER_TEXT_LIST, OP_EQ | OP_NE | OP_IN | OP_NIN | OP_CONTAINS, "u.teams",
		false},
	{"team", FILTER_CUSTOM_OR_LIST, OP_CUSTOM | OP_NE | OP_NIN, "u.teams", false},
	{"username", FILTER_JSON, OP_CUSTOM | OP_AUTOCOMPLETE, "u.custom", false},
	{"roles", FILTER_LINK, OP_CONTAINS | OP_EQ | OP_IN | OP_NIN,
		"EXISTS (SELECT 1 FROM members m WHERE m.channel = u.uid AND m.role IN %s)",
		false},
};

static const struct filter_schema schema = {
	.subject = "user",
	.fields = fields,
	.n = ARRAY_LEN(fields),
	.custom = "u.custom",
	.tie = "u.id",
};

static void
expect(bool ok, const struct err *e)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_filter: %s\n", e->msg);
	abort();
}

static void
run(struct db *db, struct arena *a, const json_t *filter, const json_t *sort)
{
	struct filter_sort sorts[FILTER_MAX_SORTS];
	struct filter_params params;
	struct buf sql;
	struct rows r;
	struct err e = {0};
	size_t n = 0;

	filter_params_init(&params, a);
	buf_init(&sql, a, 256);
	buf_str(&sql, STR("SELECT u.uid FROM users u WHERE "));
	if (!filter_sql(db, a, filter, &schema, &sql, &params, &e) ||
		!filter_read_sort(sort, &schema, sorts, &n, &e)) {
		expect(e.code == ERR_INPUT && e.msg[0] != '\0', &e);
		return;
	}
	buf_str(&sql, STR(" ORDER BY "));
	filter_order(db, &sql, &params, &schema, sorts, n);
	expect(db_query_text(db, buf_view(&sql), (struct args){params.v, params.n}, &r, &e),
		&e);
	while (rows_next(&r))
		continue;
	expect(rows_end(&r, &e), &e);
}

/* An empty store: what matters is that the statement can be prepared and run.  Its files go
 * at once, they stay as long as they are open. */
static struct db *
open_store(void)
{
	static const char *const files[] = {"x.db", "x.db-wal", "x.db-shm", "x.db.lock"};
	char dir[] = "/tmp/fuzz-filter-XXXXXX", url[64];
	struct arena a;
	struct store *store;
	struct db *db;
	struct err e = {0};

	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(url, sizeof(url), "sqlite:%s/x.db", dir);
	expect(store_open(&store, url, &e), &e);
	expect(db_open(&db, store, &e), &e);
	arena_init(&a, 4096, SIZE_MAX);
	run(db, &a, NULL, NULL);
	arena_fini(&a);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(url, sizeof(url), "%s/%s", dir, files[i]);
		unlink(url);
	}
	rmdir(dir);
	return db;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct db *db;
	struct arena a;
	struct err e;
	json_t *v;

	if (db == NULL)
		db = open_store();
	arena_init(&a, 65536, SIZE_MAX);
	if (jr_parse(&a, (struct str){(const char *)data, size}, &v, &e)) {
		run(db, &a, v, NULL);
		run(db, &a, NULL, v);
	}
	arena_fini(&a);
	return 0;
}
