/* channel – finding and making channels: explicit ones by cid, derived ones by their form. */
#include "domain/channel.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "domain/channel_origin.h"
#include "domain/user.h"
#include "store/db.h"

static const char *const types[] = {"messaging", "team", "livestream", "gaming", "commerce"};

static void
channel_from_row(struct rows *r, struct arena *a, struct channel *out)
{
	struct str mode = row_str(r, 17);
	struct form f = {.type = arena_dup(a, row_str(r, 11)), .kind = (int)row_int(r, 12)};
	size_t colon;

	*out = (struct channel){.no = row_int(r, 0), .origin = row_int(r, 1)};
	out->created_at = row_int(r, 2);
	out->cid = arena_dup(a, row_str(r, 3));
	out->creator = row_null(r, 4) ? row_int(r, 16) : row_int(r, 4);
	out->updated_at = row_null(r, 5) ? out->created_at : row_int(r, 5);
	out->team = row_str(r, 6).n > 0 ? arena_dup(a, row_str(r, 6)) : STR_NONE;
	out->custom = arena_dup(a, row_str(r, 7));
	out->frozen = row_int(r, 8) != 0;
	out->disabled = row_int(r, 9) != 0;
	out->deleted_at = row_time(r, 10);
	if (out->cid.p == NULL) {
		f.prefix = arena_dup(a, row_str(r, 13));
		f.suffix = arena_dup(a, row_str(r, 14));
		out->cid = channel_cid_of(a, &f, row_str(r, 15), CHANNEL_HOME(out->no));
	}
	colon = str_find(out->cid, ':', 0);
	out->type = str_sub(out->cid, 0, colon);
	out->id = str_sub(out->cid, colon + 1, out->cid.n - colon - 1);
	if (out->origin == 0)
		return;
	out->sender = row_int(r, 16);
	out->sender_is_member = !str_is(mode, "exclude");
	out->sender_visibility = arena_dup(a, row_str(r, 18));
}

/* The members of a distinct channel but the one at ${skip}. */
static size_t
all_but(const int64_t *uids, size_t n, size_t skip, int64_t out[FORM_MAX_DISTINCT])
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (i != skip)
			out[kept++] = uids[i];
	return kept;
}

/* The number that ${id} has, or would have, as a derived channel; *no 0: none.  With ${w}
 * true a channel of that id is about to be stored: note it when only the user is missing. */
static bool
derived_no(struct db *db, struct arena *a, struct str type, struct str id, bool w, int64_t *no,
	struct err *e)
{
	struct form f;
	struct str middle;
	int64_t uid = 0;
	bool found;

	*no = 0;
	if (!form_match(db, a, type, id, &f, &middle, &found, e))
		return false;
	if (!found)
		return true;
	if (!user_resolve(db, a, &middle, 1, &uid, e))
		return false;
	if (uid != 0)
		*no = CHANNEL_NO(uid, f.form);
	return uid != 0 || !w || form_shadow(db, f.form, e);
}

/* The numbers that a distinct channel can have, one per member whose form exists. */
static bool
distinct_nos(struct db *db, struct arena *a, struct str type, const int64_t *uids, size_t n,
	int64_t nos[FORM_MAX_DISTINCT], size_t *nnos, struct err *e)
{
	int64_t others[FORM_MAX_DISTINCT];

	*nnos = 0;
	for (size_t i = 0; i < n; i++) {
		struct form f;
		bool found;

		if (!form_find_distinct(
			    db, a, type, others, all_but(uids, n, i, others), &f, &found, e))
			return false;
		if (found)
			nos[(*nnos)++] = CHANNEL_NO(uids[i], f.form);
	}
	return true;
}

/* Where a channel to be made is stored.  *cid gets p == NULL when it is derived. */
static bool
place(struct db *w, struct arena *a, const struct channel_spec *s, int64_t *no, struct str *cid,
	struct err *e)
{
	int64_t *uids = arena_array(a, s->nmembers + 1, sizeof(*uids));
	int64_t nos[FORM_MAX_DISTINCT], home = 0;
	size_t nnos = 0, n;
	struct str id = s->id;

	*no = 0;
	*cid = STR_NONE;
	if (id.p == NULL) {
		for (size_t i = 0; i < s->nmembers; i++)
			uids[i] = s->members[i].uid;
		n = form_sort_uids(uids, s->nmembers);
		if (n <= FORM_MAX_DISTINCT &&
			!distinct_nos(w, a, s->type, uids, n, nos, &nnos, e))
			return false;
		if (nnos > 0)
			*no = nos[0];
		id = form_distinct_id(a, uids, n);
	} else if (!derived_no(w, a, s->type, id, true, no, e)) {
		return false;
	}
	if (*no != 0)
		return true;
	if (!db_take(w, COUNTER_CHANNEL, 1, &home, e))
		return false;
	*no = CHANNEL_NO(home, 0);
	*cid = arena_printf(a, "%.*s:%.*s", STR_ARG(s->type), STR_ARG(id));
	return true;
}

/* What keeps stored cids unique; p == NULL: none is stored. */
static bool
insert_cid(struct db *w, struct str cid, int64_t no, struct err *e)
{
	struct col cols[] = {COL_TEXTS(&cid), COL_INTS(&no)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), 1};

	return cid.p == NULL || db_exec(w, SQL_CHANNEL_IDS_INSERT, NO_ARGS, &bulk, NULL, e);
}

static bool
insert_members(struct db *w, struct arena *a, int64_t no, const struct channel_spec *s,
	int64_t only, struct err *e)
{
	size_t n = s->nmembers, k = 0;
	int64_t *uids = arena_array(a, n + 1, sizeof(*uids));
	int64_t *hidden = arena_array(a, n + 1, sizeof(*hidden));
	int64_t *archived = arena_array(a, n + 1, sizeof(*archived));
	struct str *roles = arena_array(a, n + 1, sizeof(*roles));
	struct str *customs = arena_array(a, n + 1, sizeof(*customs));
	struct col cols[] = {COL_INTS(uids), COL_TEXTS(roles), COL_INTS(hidden),
		COL_INTS(archived), COL_TEXTS(customs)};
	struct bulk rows = {cols, ARRAY_LEN(cols), 0};

	for (size_t i = 0; i < n; i++) {
		const struct member_spec *m = &s->members[i];

		if (only != 0 && m->uid != only)
			continue;
		uids[k] = m->uid;
		roles[k] = m->role.p ? m->role : STR("channel_member");
		hidden[k] = m->hidden_at;
		archived[k] = m->archived_at;
		customs[k++] = m->custom;
	}
	rows.nrows = k;
	return k == 0 || db_exec(w, SQL_MEMBER_INSERT, ARGS(V_INT(no), V_INT(s->created_at)),
				 &rows, NULL, e);
}

/* ---- names -------------------------------------------------------------------------- */

bool
channel_type_exists(struct str type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_eq(type, str_of(types[i])))
			return true;
	return false;
}

struct str
channel_distinct_id(struct arena *a, const int64_t *uids, size_t n)
{
	int64_t *sorted = arena_array(a, n + 1, sizeof(*sorted));

	if (n > 0)
		memcpy(sorted, uids, n * sizeof(*sorted));
	return form_distinct_id(a, sorted, form_sort_uids(sorted, n));
}

struct str
channel_cid_of(struct arena *a, const struct form *f, struct str home_user_id, int64_t home_uid)
{
	int64_t uids[FORM_MAX_DISTINCT] = {home_uid};
	struct str id;
	size_t n = 1;

	if (f->kind == FORM_AFFIX)
		return arena_printf(a, "%.*s:%.*s%.*s%.*s", STR_ARG(f->type),
			STR_ARG(f->prefix), STR_ARG(home_user_id), STR_ARG(f->suffix));
	n += form_others(f, uids + 1);
	id = form_distinct_id(a, uids, form_sort_uids(uids, n));
	return arena_printf(a, "%.*s:%.*s", STR_ARG(f->type), STR_ARG(id));
}

/* ---- finding ------------------------------------------------------------------------ */

bool
channel_by_nos(struct db *db, struct arena *a, const int64_t *nos, size_t n,
	struct channel **out, size_t *nout, struct err *e)
{
	struct col cols[] = {COL_INTS(nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct channel *found = arena_array(a, n + 1, sizeof(*found));
	struct rows r;
	size_t kept = 0;

	*out = found;
	*nout = 0;
	if (n == 0)
		return true;
	for (size_t i = 0; i < n; i++)
		found[i].no = 0;
	if (!db_query(db, SQL_CHANNEL_BY_NOS, NO_ARGS, &bulk, &r, e))
		return false;
	while (!arena_overflowed(a) && rows_next(&r))
		channel_from_row(&r, a, &found[row_int(&r, 19)]);
	for (size_t i = 0; i < n; i++)
		if (found[i].no != 0)
			found[kept++] = found[i];
	*nout = kept;
	return rows_end(&r, e) && arena_check(a, e);
}

bool
channel_by_no(struct db *db, struct arena *a, int64_t no, struct channel *out, bool *found,
	struct err *e)
{
	struct channel *c;
	size_t n;

	*found = false;
	if (!channel_by_nos(db, a, &no, 1, &c, &n, e))
		return false;
	if (n == 1) {
		*out = *c;
		*found = true;
	}
	return true;
}

bool
channel_complete(
	struct db *db, struct arena *a, struct channel *channels, size_t n, struct err *e)
{
	struct channel_origins origins;

	channel_origins_init(&origins, a);
	return channel_origins_give(&origins, db, channels, n, e);
}

static bool
find_explicit(struct db *db, struct arena *a, struct str type, struct str id,
	struct channel *out, bool *found, struct err *e)
{
	struct str cid = arena_printf(a, "%.*s:%.*s", STR_ARG(type), STR_ARG(id));
	struct rows r;

	*found = false;
	if (!db_query(db, SQL_CHANNEL_BY_CID, ARGS(V_TEXT(cid)), NO_BULK, &r, e))
		return false;
	if (rows_next(&r)) {
		channel_from_row(&r, a, out);
		*found = true;
	}
	return rows_end(&r, e);
}

bool
channel_find_distinct(struct db *db, struct arena *a, struct str type, const int64_t *uids,
	size_t n, struct channel *out, bool *found, struct err *e)
{
	int64_t *sorted = arena_array(a, n + 1, sizeof(*sorted)), nos[FORM_MAX_DISTINCT];
	struct channel *hits;
	size_t nnos, nhits;

	if (n > 0)
		memcpy(sorted, uids, n * sizeof(*sorted));
	n = form_sort_uids(sorted, n);
	if (!find_explicit(db, a, type, form_distinct_id(a, sorted, n), out, found, e))
		return false;
	if (*found || n > FORM_MAX_DISTINCT)
		return true;
	if (!distinct_nos(db, a, type, sorted, n, nos, &nnos, e) ||
		!channel_by_nos(db, a, nos, nnos, &hits, &nhits, e))
		return false;
	if (nhits > 0) {
		*out = hits[0];
		*found = true;
	}
	return true;
}

bool
channel_find(struct db *db, struct arena *a, struct str type, struct str id,
	struct channel *out, bool *found, struct err *e)
{
	int64_t uids[FORM_MAX_DISTINCT], no;
	size_t n;

	*found = false;
	if (!id_type_valid(type) || !id_channel_valid(id))
		return true;
	if (form_distinct_read(id, uids, &n))
		return channel_find_distinct(db, a, type, uids, n, out, found, e);
	if (!find_explicit(db, a, type, id, out, found, e))
		return false;
	if (*found)
		return true;
	if (!derived_no(db, a, type, id, false, &no, e))
		return false;
	return no == 0 || channel_by_no(db, a, no, out, found, e);
}

bool
channel_get(struct db *db, struct arena *a, struct str type, struct str id, struct channel *out,
	struct err *e)
{
	bool found;

	if (!channel_type_exists(type))
		return fail(
			e, ERR_NOT_FOUND, "channel type \"%.*s\" doesn't exist", STR_ARG(type));
	if (!channel_find(db, a, type, id, out, &found, e))
		return false;
	if (!found || out->deleted_at != NO_TIME)
		return fail(e, ERR_NOT_FOUND, "channel with cid %.*s:%.*s doesn't exist",
			STR_ARG(type), STR_ARG(id));
	return true;
}

bool
channel_removals(struct db *db, int64_t *out, struct err *e)
{
	bool found;

	*out = 0;
	return db_get_int(db, SQL_CHANNEL_REMOVALS, NO_ARGS, out, &found, e);
}

bool
channel_last_message_at(struct db *db, int64_t no, int64_t *out, struct err *e)
{
	struct rows r;

	*out = NO_TIME;
	if (!db_query(db, SQL_CHANNEL_LAST_MESSAGE, ARGS(V_INT(no)), NO_BULK, &r, e))
		return false;
	if (rows_next(&r))
		*out = row_time(&r, 0);
	return rows_end(&r, e);
}

/* ---- making ------------------------------------------------------------------------- */

/* What a channel of a campaign must store when it cannot point to the campaign. */
static bool
copy_origin(struct db *w, struct arena *a, const struct channel_spec *s, struct str *team,
	struct str *custom, struct err *e)
{
	struct rows r;

	*team = s->full_team;
	*custom = s->full_custom;
	if (custom->p != NULL)
		return true;
	if (!db_query(w, SQL_CHANNEL_TEMPLATE, ARGS(V_INT(s->origin)), NO_BULK, &r, e))
		return false;
	if (rows_next(&r))
		*custom = arena_dup(a, channel_template_custom(row_str(&r, 0)));
	return rows_end(&r, e);
}

bool
channel_create(
	struct db *w, struct arena *a, const struct channel_spec *s, int64_t *no, struct err *e)
{
	struct str cid, team = s->team, custom = s->custom;
	int64_t origin = s->origin, only = 0;
	bool rows = true;

	if (!place(w, a, s, no, &cid, e))
		return false;
	/* Members follow from the campaign when the number says who the receiver is; a stored
	 * id does not, so he gets a row.  On another user's number nothing can follow. */
	if (origin != 0 && cid.p == NULL && CHANNEL_HOME(*no) == s->receiver)
		rows = false;
	else if (origin != 0 && cid.p != NULL)
		only = s->receiver;
	else if (origin != 0) {
		origin = 0;
		if (!copy_origin(w, a, s, &team, &custom, e))
			return false;
	}
	if (!insert_cid(w, cid, *no, e) ||
		!db_exec(w, SQL_CHANNEL_INSERT,
			ARGS(V_INT(*no), V_INT(origin), V_INT(s->created_at), V_TEXT(cid),
				origin == 0 ? V_INT(s->creator) : V_NULL, V_TEXT(team),
				V_TEXT(custom), s->frozen ? V_INT(1) : V_NULL,
				s->disabled ? V_INT(1) : V_NULL),
			NO_BULK, NULL, e))
		return false;
	return !rows || insert_members(w, a, *no, s, only, e);
}

struct goc {
	struct arena *arena;
	const struct channel_spec *spec;
	struct channel *out;
	bool made;
};

static bool
get_or_create(struct db *w, void *arg, struct err *e)
{
	struct goc *g = arg;
	const struct channel_spec *s = g->spec;
	int64_t *uids = arena_array(g->arena, s->nmembers + 1, sizeof(*uids)), no;
	bool found;

	g->made = false;
	if (!db_lock_channels(w, false, e))
		return false;
	for (size_t i = 0; i < s->nmembers; i++)
		uids[i] = s->members[i].uid;
	if (s->id.p ? !channel_find(w, g->arena, s->type, s->id, g->out, &found, e)
		    : !channel_find_distinct(
			      w, g->arena, s->type, uids, s->nmembers, g->out, &found, e))
		return false;
	if (found && g->out->deleted_at != NO_TIME)
		return fail(e, ERR_INPUT, "channel %.*s was deleted", STR_ARG(g->out->cid));
	if (found)
		return true;
	g->made = true;
	return channel_create(w, g->arena, s, &no, e) &&
	       channel_by_no(w, g->arena, no, g->out, &found, e);
}

bool
channel_get_or_create(struct db *db, struct arena *a, const struct channel_spec *s,
	struct channel *out, bool *made, struct err *e)
{
	struct goc g = {.arena = a, .spec = s, .out = out};

	if (!db_write(db, get_or_create, &g, e))
		return false;
	*made = g.made;
	return true;
}
