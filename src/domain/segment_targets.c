/* segment_targets – the targets of a segment: added, removed, asked for. */
#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "domain/filter.h"
#include "domain/segment.h"
#include "domain/segment_cids.h"
#include "domain/segment_impl.h"
#include "domain/uidset.h"
#include "domain/user.h"
#include "store/db.h"

/* ---- add and remove -------------------------------------------------------------- */

struct change {
	struct arena *a;
	struct str id;
	const struct str *ids;
	size_t n;
};

static bool
get_list(struct db *db, struct arena *a, struct str id, struct segment *s, struct err *e)
{
	if (!segment_get_to_change(db, a, id, s, e))
		return false;
	if (!segment_is_list(s))
		return fail(e, ERR_INPUT,
			"target_ids: segment %.*s is made of %s and takes no targets",
			STR_ARG(id),
			s->all_users             ? "all users"
			: s->all_sender_channels ? "all channels of the sender"
						 : "a filter");
	return true;
}

static bool
grow(struct db *w, const struct segment *s, int64_t by, struct err *e)
{
	int64_t now = MAX_OF(clock_now_us(), s->updated_at + 1);

	return by == 0 || db_exec(w, SQL_SEGMENT_GROW,
				  ARGS(V_INT(s->no), V_INT(by), V_TIME(now)), NO_BULK, NULL, e);
}

/* Targets need not exist, but they must be what could. */
static bool
check_ids(const struct segment *s, const struct change *c, struct err *e)
{
	bool channels = segment_is_of_channels(s);

	for (size_t i = 0; i < c->n; i++) {
		struct str shown = str_clip(c->ids[i], 64);

		if (channels ? segment_cid_valid(c->ids[i]) : id_user_valid(c->ids[i]))
			continue;
		if (channels)
			return fail(e, ERR_INPUT,
				"target_ids[%zu]: \"%.*s\" is no cid (type:id, each 1 to 64 of "
				"A-Z a-z 0-9 _ -)",
				i, STR_ARG(shown));
		return fail(e, ERR_INPUT,
			"target_ids[%zu]: \"%.*s\" is no user id (1 to 255 of A-Z a-z 0-9 "
			"@ _ -)",
			i, STR_ARG(shown));
	}
	return true;
}

static bool
add_in(struct db *w, void *arg, struct err *e)
{
	struct change *c = arg;
	int64_t *uids = arena_array(c->a, c->n, sizeof(*uids));
	struct segment s;
	int64_t added = 0;

	if (!get_list(w, c->a, c->id, &s, e) || !check_ids(&s, c, e))
		return false;
	if (segment_is_of_channels(&s))
		return segment_cids_add(w, c->a, s.no, c->ids, c->n, &added, e) &&
		       grow(w, &s, added, e);
	return user_mention(w, c->a, c->ids, c->n, uids, e) &&
	       uidset_add(w, c->a, s.no, uids, c->n, clock_now_us(), &added, e) &&
	       grow(w, &s, added, e);
}

static bool
remove_in(struct db *w, void *arg, struct err *e)
{
	struct change *c = arg;
	int64_t *uids = arena_array(c->a, c->n, sizeof(*uids));
	struct segment s;
	int64_t removed = 0;
	size_t known = 0;

	if (!get_list(w, c->a, c->id, &s, e))
		return false;
	if (segment_is_of_channels(&s))
		return segment_cids_remove(w, c->a, s.no, c->ids, c->n, &removed, e) &&
		       grow(w, &s, -removed, e);
	if (!user_resolve(w, c->a, c->ids, c->n, uids, e))
		return false;
	for (size_t i = 0; i < c->n; i++)
		if (uids[i] != 0)
			uids[known++] = uids[i];
	return uidset_remove(w, c->a, s.no, uids, known, &removed, e) &&
	       grow(w, &s, -removed, e);
}

static bool
check_count(size_t n, struct err *e)
{
	if (n < 1 || n > SEGMENT_TARGETS_MAX)
		return fail(e, ERR_INPUT, "target_ids: expected 1 to %d elements, got %zu",
			SEGMENT_TARGETS_MAX, n);
	return true;
}

bool
segment_add_targets(struct db *db, struct arena *a, struct str id, const struct str *ids,
	size_t n, struct err *e)
{
	struct change c = {a, id, ids, n};

	return check_count(n, e) && db_write(db, add_in, &c, e);
}

bool
segment_remove_targets(struct db *db, struct arena *a, struct str id, const struct str *ids,
	size_t n, struct err *e)
{
	struct change c = {a, id, ids, n};

	return check_count(n, e) && db_write(db, remove_in, &c, e);
}

/* ---- one target ------------------------------------------------------------------ */

static bool
is_found_by(struct db *db, struct arena *a, const struct segment *s, int64_t uid, bool *out,
	struct err *e)
{
	struct filter_params params;
	struct buf sql;
	struct rows rows;

	filter_params_init(&params, a);
	buf_init(&sql, a, 1024);
	buf_str(&sql, STR("SELECT u.uid FROM "));
	if (!segment_members_sql(db, a, s, USERS_BY_UID, &sql, &params, e))
		return false;
	buf_printf(&sql, " AND u.uid = $%d", filter_param(&params, V_INT(uid)));
	if (!db_query_text(db, buf_view(&sql), (struct args){params.v, params.n}, &rows, e))
		return false;
	*out = rows_next(&rows);
	return rows_end(&rows, e);
}

static bool
has_user(struct db *db, struct arena *a, const struct segment *s, struct str id, bool *out,
	struct err *e)
{
	int64_t uid = 0;

	*out = false;
	if (!user_resolve(db, a, &id, 1, &uid, e))
		return false;
	if (uid == 0)
		return true;
	return segment_is_list(s) ? uidset_has(db, s->no, uid, out, e)
				  : is_found_by(db, a, s, uid, out, e);
}

bool
segment_has_target(
	struct db *db, struct arena *a, struct str id, struct str target, struct err *e)
{
	struct segment s;
	bool has = false;

	if (!segment_get(db, a, id, &s, e))
		return false;
	if (!(segment_is_of_channels(&s) ? segment_has_cid : has_user)(
		    db, a, &s, target, &has, e))
		return false;
	if (!has)
		return fail(e, ERR_NOT_FOUND,
			"target with id %.*s doesn't exist in segment %.*s", STR_ARG(target),
			STR_ARG(id));
	return true;
}
