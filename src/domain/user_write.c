/* user_write – users as they are written: replaced and patched. */
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "domain/event.h"
#include "domain/user.h"
#include "domain/user_impl.h"
#include "store/db.h"

#define PUT_COLS 10

/* Both take the same columns. */
bool
user_put(struct db *w, struct arena *a, enum sql_id statement, struct user *const *users,
	size_t n, int64_t now, struct err *e)
{
	struct arena_mark mark = arena_mark(a);
	struct str *texts[8];
	int64_t *uids, *revoked;
	struct col cols[PUT_COLS];
	bool ok;

	if (n == 0)
		return true;
	uids = arena_array(a, n, sizeof(*uids));
	revoked = arena_array(a, n, sizeof(*revoked));
	for (size_t c = 0; c < ARRAY_LEN(texts); c++) {
		texts[c] = arena_array(a, n, sizeof(*texts[c]));
		cols[1 + c] = COL_TEXTS(texts[c]);
	}
	cols[0] = COL_INTS(uids);
	cols[PUT_COLS - 1] = COL_INTS(revoked);
	for (size_t i = 0; i < n; i++) {
		const struct user *u = users[i];

		uids[i] = u->uid;
		revoked[i] = u->revoked_before;
		texts[0][i] = u->id;
		texts[1][i] = u->name;
		texts[2][i] = u->image;
		texts[3][i] = u->role;
		texts[4][i] = u->language;
		texts[5][i] = u->teams;
		texts[6][i] = u->custom;
		texts[7][i] = u->extra;
	}
	ok = db_exec(
		w, statement, ARGS(V_INT(now)), &(struct bulk){cols, PUT_COLS, n}, NULL, e);
	arena_rewind(a, mark);
	return ok;
}

/* What the rows of ${uids} say already; users[places[i]] belongs to uids[i]. */
static bool
read_marks(struct db *w, const int64_t *uids, const uint32_t *places, size_t n,
	struct user *users, struct err *e)
{
	struct col col = COL_INTS(uids);
	struct bulk bulk = {&col, 1, n};
	struct rows rows;

	if (n == 0)
		return true;
	if (!db_query(w, SQL_USER_MARKS, NO_ARGS, &bulk, &rows, e))
		return false;
	while (rows_next(&rows)) {
		struct user *u = &users[places[row_int(&rows, 0)]];

		u->created_at = row_time(&rows, 1);
		u->last_active = row_time(&rows, 2);
		u->deactivated_at = row_time(&rows, 3);
		u->deleted_at = row_time(&rows, 4);
		u->revoked_before = row_time(&rows, 5);
	}
	return rows_end(&rows, e);
}

/* Who had the user before has to hear of what he became. */
static bool
tell(struct db *w, struct arena *a, struct user *const *users, size_t n, int64_t now,
	struct err *e)
{
	struct event *events = arena_array(a, n + 1, sizeof(*events));

	for (size_t i = 0; i < n; i++)
		events[i] = (struct event){
			.kind = EVENT_USER_UPDATED, .at = now, .uid = users[i]->uid};
	return event_add(w, events, n, e);
}

/* ---- upsert ---------------------------------------------------------------------- */

struct upsert {
	struct arena *a;
	struct user *users;
	size_t n;
};

static bool
find_existing(struct db *w, struct upsert *up, struct user_numbers *num, struct err *e)
{
	int64_t *uids = arena_array(up->a, up->n, sizeof(*uids));
	uint32_t *places = arena_array(up->a, up->n, sizeof(*places));
	size_t known = 0;

	for (size_t k = 0; k < up->n; k++) {
		uint32_t i = num->order[k];
		struct user *u = &up->users[i];

		u->uid = num->uids[i];
		u->created_at = u->last_active = u->deactivated_at = NO_TIME;
		u->deleted_at = u->revoked_before = NO_TIME;
		if (u->uid < num->first_new) {
			uids[known] = u->uid;
			places[known++] = i;
		}
	}
	return read_marks(w, uids, places, known, up->users, e);
}

/* A deleted user is created anew under its old key. */
static bool
begins_now(struct user *u, int64_t now)
{
	u->updated_at = now;
	if (user_is_live(u))
		return false;
	u->created_at = now;
	u->last_active = u->deactivated_at = u->deleted_at = NO_TIME;
	return true;
}

static bool
upsert_in(struct db *w, void *arg, struct err *e)
{
	struct upsert *up = arg;
	struct str *ids = arena_array(up->a, up->n, sizeof(*ids));
	struct user **begin = arena_array(up->a, up->n, sizeof(*begin));
	struct user **replace = arena_array(up->a, up->n, sizeof(*replace));
	struct user **written = arena_array(up->a, up->n, sizeof(*written));
	bool *overtaken = arena_zalloc(up->a, up->n * sizeof(*overtaken));
	size_t nbegin = 0, nreplace = 0;
	int64_t now = clock_now_us();
	enum unique_names unique;
	struct user_numbers num;

	for (size_t i = 0; i < up->n; i++)
		ids[i] = up->users[i].id;
	if (!user_number(w, up->a, ids, up->n, true, &num, e) || !find_existing(w, up, &num, e))
		return false;
	for (size_t k = 1; k < up->n; k++)
		overtaken[num.order[k - 1]] =
			num.lead[num.order[k - 1]] == num.lead[num.order[k]];
	for (size_t i = 0; i < up->n; i++) {
		struct user *u = &up->users[i];
		bool begins = begins_now(u, now);

		if (overtaken[i])
			continue;
		if (begins)
			begin[nbegin++] = u;
		else
			replace[nreplace++] = u;
	}
	memcpy(written, begin, nbegin * sizeof(*begin));
	memcpy(written + nbegin, replace, nreplace * sizeof(*replace));
	return user_unique_mode(w, &unique, e) &&
	       user_unique_claim(w, up->a, unique, written, nbegin + nreplace, e) &&
	       user_put(w, up->a, SQL_USER_BEGIN, begin, nbegin, now, e) &&
	       user_put(w, up->a, SQL_USER_REPLACE, replace, nreplace, now, e) &&
	       (up->n > USER_UPSERT_MAX || tell(w, up->a, replace, nreplace, now, e));
}

bool
user_upsert(struct db *db, struct arena *a, struct user *users, size_t n, struct err *e)
{
	struct upsert up = {a, users, n};

	return n == 0 ||
	       (n > USER_UPSERT_MAX ? db_write_long : db_write)(db, upsert_in, &up, e);
}

/* ---- partial update -------------------------------------------------------------- */

struct patching {
	struct arena *a;
	const struct user_patch *patches;
	size_t n;
	bool nested_custom;
	struct user *out;
};

/* One after the other, since the same user may be named twice. */
static bool
patch_in(struct db *w, void *arg, struct err *e)
{
	struct patching *p = arg;
	struct user **changed = arena_array(p->a, p->n + 1, sizeof(*changed));
	int64_t now = clock_now_us();
	enum unique_names unique;

	if (!user_unique_mode(w, &unique, e))
		return false;
	for (size_t i = 0; i < p->n; i++) {
		struct user *out = &p->out[i], before;
		char where[32];

		if (!user_get(w, p->a, p->patches[i].id, &before, e))
			return false;
		if (!user_apply_patch(
			    p->a, &before, &p->patches[i], p->nested_custom, out, e)) {
			snprintf(where, sizeof(where), "users[%zu]", i);
			return fail_in(e, where);
		}
		out->updated_at = now;
		if (!user_unique_claim(w, p->a, unique, &out, 1, e) ||
			!user_put(w, p->a, SQL_USER_REPLACE, &out, 1, now, e))
			return false;
		changed[i] = out;
	}
	return tell(w, p->a, changed, p->n, now, e);
}

bool
user_patch(struct db *db, struct arena *a, const struct user_patch *patches, size_t n,
	bool nested_custom, struct user **out, struct err *e)
{
	struct patching p = {a, patches, n, nested_custom, NULL};

	p.out = arena_zalloc(a, MAX_OF(n, 1) * sizeof(*p.out));
	*out = p.out;
	return n == 0 || db_write(db, patch_in, &p, e);
}
