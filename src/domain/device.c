/* device – devices of users, as they are registered and listed. */
#include "domain/device.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "domain/push_provider.h"
#include "store/db.h"

static void
device_from_row(struct rows *r, struct arena *a, struct device *out)
{
	*out = (struct device){
		.uid = row_int(r, 1),
		.id = arena_dup(a, row_str(r, 2)),
		.provider = arena_dup(a, row_str(r, 3)),
		.provider_name = row_null(r, 4) ? STR_NONE : arena_dup(a, row_str(r, 4)),
		.hardware_id = row_null(r, 5) ? STR_NONE : arena_dup(a, row_str(r, 5)),
		.voip = row_int(r, 6) != 0,
		.created_at = row_time(r, 7),
		.disabled_at = row_time(r, 8),
		.disabled_reason = row_null(r, 9) ? STR_NONE : arena_dup(a, row_str(r, 9)),
	};
}

/* ---- changes ------------------------------------------------------------------------- */

static bool
check_text(const char *name, struct str s, struct err *e)
{
	if (s.n < 1 || s.n > DEVICE_ID_MAX)
		return fail(e, ERR_INPUT, "%s: expected 1 to %d bytes, got %zu", name,
			DEVICE_ID_MAX, s.n);
	return true;
}

static bool
check(const struct device *d, struct err *e)
{
	return check_text("id", d->id, e) && push_type_check("push_provider", d->provider, e) &&
	       (d->hardware_id.p == NULL || check_text("hardware_id", d->hardware_id, e));
}

static bool
add_in(struct db *w, void *arg, struct err *e)
{
	const struct device *d = arg;

	if (d->provider_name.p != NULL) {
		struct str shown = str_clip(d->provider_name, 64);
		bool exists;

		if (!push_provider_exists(w, d->provider, d->provider_name, &exists, e))
			return false;
		if (!exists)
			return fail(e, ERR_INPUT,
				"push_provider_name: there is no %.*s provider named \"%.*s\"",
				STR_ARG(d->provider), STR_ARG(shown));
	}
	return db_exec(w, SQL_DEVICE_PUT,
		       ARGS(V_INT(d->uid), V_TEXT(d->id), V_TEXT(d->provider),
			       V_TEXT(d->provider_name), V_TEXT(d->hardware_id), V_INT(d->voip),
			       V_TIME(clock_now_us())),
		       NO_BULK, NULL, e) &&
	       db_exec(w, SQL_DEVICE_EVICT, ARGS(V_INT(d->uid), V_INT(DEVICE_MAX)), NO_BULK,
		       NULL, e);
}

bool
device_add(struct db *db, const struct device *d, struct err *e)
{
	struct device copy = *d;

	return check(d, e) && db_write(db, add_in, &copy, e);
}

struct removal {
	int64_t uid;
	struct str id;
};

static bool
remove_in(struct db *w, void *arg, struct err *e)
{
	const struct removal *d = arg;
	struct str shown = str_clip(d->id, 64);
	int64_t gone = 0;

	if (!db_exec(w, SQL_DEVICE_DELETE, ARGS(V_INT(d->uid), V_TEXT(d->id)), NO_BULK, &gone,
		    e))
		return false;
	return gone > 0 ||
	       fail(e, ERR_NOT_FOUND, "device with id %.*s doesn't exist", STR_ARG(shown));
}

bool
device_remove(struct db *db, int64_t uid, struct str id, struct err *e)
{
	struct removal d = {uid, id};

	return db_write(db, remove_in, &d, e);
}

/* ---- lists --------------------------------------------------------------------------- */

bool
device_list(struct db *db, struct arena *a, int64_t uid, struct device **out, size_t *n,
	struct err *e)
{
	struct device *list = arena_array(a, DEVICE_MAX, sizeof(*list));
	struct rows r;

	*out = list;
	*n = 0;
	if (!db_query(db, SQL_DEVICE_LIST, ARGS(V_INT(uid)), NO_BULK, &r, e))
		return false;
	while (*n < DEVICE_MAX && rows_next(&r))
		device_from_row(&r, a, &list[(*n)++]);
	return rows_end(&r, e);
}

bool
device_list_many(struct db *db, struct arena *a, const int64_t *uids, size_t n,
	struct device **out, size_t **first, struct err *e)
{
	struct col col = COL_INTS(uids);
	struct bulk bulk = {&col, 1, n};
	size_t *at = arena_zalloc(a, (n + 1) * sizeof(*at)), user = 0;
	struct buf list;
	struct rows r;

	*first = at;
	*out = NULL;
	if (n == 0)
		return true;
	buf_init(&list, a, 8 * sizeof(struct device));
	if (!db_query(db, SQL_DEVICE_LIST_MANY, NO_ARGS, &bulk, &r, e))
		return false;
	while (!arena_overflowed(a) && rows_next(&r)) {
		struct device d;

		device_from_row(&r, a, &d);
		while (user < (size_t)row_int(&r, 0))
			at[++user] = list.n / sizeof(d);
		buf_add(&list, &d, sizeof(d));
	}
	while (user < n)
		at[++user] = list.n / sizeof(struct device);
	*out = (struct device *)(void *)list.p;
	return rows_end(&r, e) && arena_check(a, e);
}

/* ---- pushing --------------------------------------------------------------------------- */

bool
device_served(struct db *db, struct arena *a, struct str provider, struct str name,
	const int64_t *uids, size_t n, struct device_ref **out, size_t *nout, struct err *e)
{
	struct col col = COL_INTS(uids);
	struct bulk bulk = {&col, 1, n};
	struct buf list;
	struct rows r;

	*out = NULL;
	*nout = 0;
	if (n == 0)
		return true;
	buf_init(&list, a, 16 * sizeof(struct device_ref));
	if (!db_query(
		    db, SQL_DEVICE_SERVED, ARGS(V_TEXT(provider), V_TEXT(name)), &bulk, &r, e))
		return false;
	while (!arena_overflowed(a) && rows_next(&r)) {
		struct device_ref d = {(size_t)row_int(&r, 0), arena_dup(a, row_str(&r, 1))};

		buf_add(&list, &d, sizeof(d));
	}
	*out = (struct device_ref *)(void *)list.p;
	*nout = list.n / sizeof(struct device_ref);
	return rows_end(&r, e) && arena_check(a, e);
}

bool
device_any(struct db *db, bool *out, struct err *e)
{
	int64_t one;

	return db_get_int(db, SQL_DEVICE_ANY, NO_ARGS, &one, out, e);
}

bool
device_disable(struct db *w, struct str provider, struct str id, int64_t since,
	struct str reason, struct err *e)
{
	return db_exec(w, SQL_DEVICE_DISABLE,
		ARGS(V_TEXT(provider), V_TEXT(id), V_TIME(since), V_TIME(clock_now_us()),
			V_TEXT(reason)),
		NO_BULK, NULL, e);
}
