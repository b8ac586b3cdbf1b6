/* channel_members – who is in a channel: what follows from its campaign, merged with rows. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "domain/channel.h"
#include "domain/channel_members_impl.h"
#include "domain/channel_origin.h"
#include "domain/user.h"
#include "store/db.h"

/* Rows of one channel that are looked at. */
#define MAX_ROWS    10000

#define ROLE_MEMBER STR("channel_member")

/* A row of members. */
struct member_row {
	struct member m;
	bool has_role; /* else it only keeps what a derived member did */
	bool removed;
};

static void
row_of_member(struct rows *r, struct arena *a, struct member_row *out)
{
	struct str role = row_str(r, 1);

	*out = (struct member_row){.has_role = role.p != NULL, .removed = !row_null(r, 10)};
	out->m = (struct member){.uid = row_int(r, 0), .has_row = true};
	out->m.role = role.p ? arena_dup(a, role) : ROLE_MEMBER;
	out->m.created_at = row_int(r, 2);
	out->m.updated_at = row_null(r, 3) ? out->m.created_at : row_int(r, 3);
	out->m.last_read = row_time(r, 4);
	out->m.last_read_key = row_int(r, 5);
	out->m.hidden_at = row_time(r, 6);
	out->m.cleared_at = row_time(r, 7);
	out->m.archived_at = row_time(r, 8);
	out->m.pinned_at = row_time(r, 9);
	out->m.custom = arena_dup(a, row_str(r, 11));
	out->m.invited_at = row_time(r, 12);
	out->m.accepted_at = row_time(r, 13);
	out->m.rejected_at = row_time(r, 14);
	out->m.delivered_at = row_time(r, 15);
	out->m.delivered_key = row_int(r, 16);
	out->m.read_upto = row_time(r, 17);
}

static struct member
derived_member(const struct channel *c, int64_t uid)
{
	struct member m = {.uid = uid, .derived = true, .role = ROLE_MEMBER};
	bool sends = channel_is_sender(c, uid);

	m.created_at = m.updated_at = c->created_at;
	m.last_read = m.read_upto = NO_TIME;
	m.hidden_at = m.cleared_at = m.archived_at = m.pinned_at = NO_TIME;
	m.invited_at = m.accepted_at = m.rejected_at = m.delivered_at = NO_TIME;
	if (sends && str_is(c->sender_visibility, "hidden"))
		m.hidden_at = c->created_at;
	if (sends && str_is(c->sender_visibility, "archived"))
		m.archived_at = c->created_at;
	return m;
}

static struct member
named_member(const struct channel *c, int64_t uid, const struct named_details *details)
{
	struct member m = derived_member(c, uid);

	if (details != NULL && details->role.p != NULL)
		m.role = details->role;
	if (details != NULL)
		m.custom = details->custom;
	return m;
}

/* What the channel has from its campaign; one that is not complete is completed aside. */
static bool
origin_of(struct db *db, struct arena *a, const struct channel *c,
	const struct channel_origin **out, struct err *e)
{
	struct channel aside = *c;

	if (c->from == NULL && !channel_complete(db, a, &aside, 1, e))
		return false;
	*out = aside.from;
	return true;
}

/* The members that follow from the campaign, each once: receiver, sender, template. */
static bool
derive(struct db *db, struct arena *a, const struct channel *c, struct member **out, size_t *n,
	struct err *e)
{
	const struct channel_origin *o;

	*n = 0;
	*out = NULL;
	if (c->origin == 0)
		return true;
	if (!origin_of(db, a, c, &o, e))
		return false;
	*out = arena_array(a, o->nnamed + 2, sizeof(**out));
	if (CHANNEL_FORM(c->no) != 0)
		(*out)[(*n)++] = derived_member(c, CHANNEL_HOME(c->no));
	if (c->sender_is_member && !channel_is_home(c, c->sender))
		(*out)[(*n)++] = derived_member(c, c->sender);
	for (size_t i = 0; i < o->nnamed; i++) {
		const struct named_member *m = &o->named[i];

		if (m->uid != 0 && !channel_is_home(c, m->uid) && !channel_is_sender(c, m->uid))
			(*out)[(*n)++] = named_member(c, m->uid, m->details);
	}
	return true;
}

/* ---- one user ------------------------------------------------------------------------- */

/* Whether the template makes him a member of a channel, and how. */
struct naming {
	bool is_named;
	struct named_details details;
};

/* Whether only the template can tell that the user is a member. */
static bool
needs_template(const struct channel *c, int64_t uid)
{
	return c->origin != 0 && !channel_is_home(c, uid) && !channel_is_sender(c, uid);
}

static size_t
place_of(const int64_t *nos, size_t n, int64_t no)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (nos[mid] < no)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
user_id_of(struct db *db, struct arena *a, int64_t uid, struct str *out, struct err *e)
{
	struct col cols[] = {COL_INTS(&uid)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), 1};
	struct rows r;

	*out = STR_NONE;
	if (!db_query(db, SQL_USER_IDS, NO_ARGS, &bulk, &r, e))
		return false;
	if (rows_next(&r))
		*out = arena_dup(a, row_str(&r, 1));
	return rows_end(&r, e);
}

/* Reads which of the campaigns ${nos} name the user. */
static bool
read_namings(struct db *db, struct arena *a, const int64_t *nos, size_t n, int64_t uid,
	struct naming *out, struct err *e)
{
	struct col cols[] = {COL_INTS(nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct str id;
	struct rows r;

	if (!user_id_of(db, a, uid, &id, e))
		return false;
	if (id.p == NULL)
		return true;
	if (!db_query(db, SQL_CHANNEL_TEMPLATES, NO_ARGS, &bulk, &r, e))
		return false;
	while (rows_next(&r)) {
		struct naming *m = &out[row_int(&r, 0)];

		m->is_named = channel_template_names(a, row_str(&r, 1), id, &m->details);
	}
	return rows_end(&r, e);
}

/* How the template of a complete channel names the user. */
static struct naming
naming_of(const struct channel *c, int64_t uid)
{
	const struct named_member *m = NULL;
	struct naming out = {0};

	if (needs_template(c, uid))
		m = channel_origin_find(c->from, uid);
	out.is_named = m != NULL;
	if (m != NULL && m->details != NULL)
		out.details = *m->details;
	return out;
}

/* How the templates of ${channels} name one user: out[i] belongs to channels[i].  Templates
 * of channels that are not complete are searched for his id, each once. */
static bool
find_namings(struct db *db, struct arena *a, const struct channel *channels, size_t n,
	int64_t uid, struct naming *out, struct err *e)
{
	int64_t *nos = arena_array(a, n + 1, sizeof(*nos));
	struct naming *read;
	size_t nnos = 0;

	for (size_t i = 0; i < n; i++)
		if (needs_template(&channels[i], uid) && channels[i].from == NULL)
			nos[nnos++] = channels[i].origin;
	nnos = form_sort_uids(nos, nnos);
	read = arena_zalloc(a, (nnos + 1) * sizeof(*read));
	if (nnos > 0 && !read_namings(db, a, nos, nnos, uid, read, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct channel *c = &channels[i];

		if (needs_template(c, uid) && c->from == NULL)
			out[i] = read[place_of(nos, nnos, c->origin)];
		else
			out[i] = naming_of(c, uid);
	}
	return true;
}

/* ---- rows ----------------------------------------------------------------------------- */

/* Puts what a row says over a derived member.  False: he has left. */
static bool
overlay(struct member *m, const struct member_row *row)
{
	struct str role = row->has_role ? row->m.role : m->role;
	struct str custom = row->m.custom.p ? row->m.custom : m->custom;

	if (row->removed)
		return false;
	*m = row->m;
	m->derived = true;
	m->role = role;
	m->custom = custom;
	return true;
}

static bool
read_rows(struct db *db, struct arena *a, int64_t no, struct member_row **out, size_t *n,
	struct err *e)
{
	struct buf list;
	struct rows r;

	*n = 0;
	buf_init(&list, a, 8 * sizeof(struct member_row));
	if (!db_query(db, SQL_MEMBER_ROWS, ARGS(V_INT(no), V_INT(MAX_ROWS)), NO_BULK, &r, e))
		return false;
	while (!arena_overflowed(a) && rows_next(&r)) {
		struct member_row row;

		row_of_member(&r, a, &row);
		buf_add(&list, &row, sizeof(row));
	}
	*out = (struct member_row *)(void *)list.p;
	*n = list.n / sizeof(struct member_row);
	return rows_end(&r, e) && arena_check(a, e);
}

static int
cmp_members(const void *a, const void *b)
{
	const struct member *x = *(struct member *const *)a;
	const struct member *y = *(struct member *const *)b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* Puts the rows, sorted by uid, over the derived members; who has left gets uid 0.  Returns
 * how many rows are of others and moves them to the front. */
static size_t
merge(struct arena *a, struct member *derived, size_t nderived, struct member_row *rows,
	size_t nrows)
{
	struct member **sorted = arena_array(a, nderived + 1, sizeof(struct member *));
	size_t others = 0, d = 0;

	for (size_t i = 0; i < nderived; i++)
		sorted[i] = &derived[i];
	if (nderived > 1)
		qsort(sorted, nderived, sizeof(struct member *), cmp_members);
	for (size_t i = 0; i < nrows; i++) {
		while (d < nderived && sorted[d]->uid < rows[i].m.uid)
			d++;
		if (d == nderived || sorted[d]->uid != rows[i].m.uid)
			rows[others++] = rows[i];
		else if (!overlay(sorted[d++], &rows[i]))
			sorted[d - 1]->uid = 0;
	}
	return others;
}

struct str
channel_invite(const struct member *m)
{
	if (m->invited_at == NO_TIME)
		return STR("member");
	if (m->accepted_at != NO_TIME)
		return STR("accepted");
	return m->rejected_at != NO_TIME ? STR("rejected") : STR("pending");
}

/* ---- exported ----------------------------------------------------------------------- */

bool
channel_members(struct db *db, struct arena *a, const struct channel *c, size_t max,
	struct member **out, size_t *n, int64_t *total, struct err *e)
{
	struct member *derived, *all;
	struct member_row *rows;
	size_t nderived, nrows, kept = 0;
	bool is_cut;

	if (!derive(db, a, c, &derived, &nderived, e) ||
		!read_rows(db, a, c->no, &rows, &nrows, e))
		return false;
	is_cut = nrows == MAX_ROWS;
	nrows = merge(a, derived, nderived, rows, nrows);
	all = arena_array(a, nderived + nrows + 1, sizeof(*all));
	for (size_t i = 0; i < nderived; i++)
		if (derived[i].uid != 0)
			all[kept++] = derived[i];
	for (size_t i = 0; i < nrows; i++)
		if (rows[i].has_role && !rows[i].removed)
			all[kept++] = rows[i].m;
	*out = all;
	*n = max != 0 && kept > max ? max : kept;
	*total = (int64_t)kept;
	return !is_cut || channel_member_count(db, a, c, total, e);
}

bool
channel_member_count(
	struct db *db, struct arena *a, const struct channel *c, int64_t *out, struct err *e)
{
	struct channel aside = *c;

	return (c->origin == 0 || origin_of(db, a, c, &aside.from, e)) &&
	       channel_member_counts(db, a, &aside, 1, out, e);
}

/* What follows for ${uid} and his row (NULL: none) together say.  False: he is not in it. */
static bool
combine(const struct channel *c, int64_t uid, const struct naming *naming,
	const struct member_row *row, struct member *out)
{
	if (uid == 0 || (row != NULL && row->removed))
		return false;
	if (channel_is_home(c, uid) || channel_is_sender(c, uid) || naming->is_named) {
		*out = named_member(c, uid, naming->is_named ? &naming->details : NULL);
		return row == NULL || overlay(out, row);
	}
	if (row == NULL || !row->has_role)
		return false;
	*out = row->m;
	return true;
}

bool
channel_member(struct db *db, struct arena *a, const struct channel *c, int64_t uid,
	struct member *out, bool *found, struct err *e)
{
	struct member_row row;
	struct naming naming;
	struct rows r;
	bool has_row = false;

	*found = false;
	if (!find_namings(db, a, c, 1, uid, &naming, e) ||
		!db_query(db, SQL_MEMBER_ROW, ARGS(V_INT(c->no), V_INT(uid)), NO_BULK, &r, e))
		return false;
	if (rows_next(&r)) {
		row_of_member(&r, a, &row);
		has_row = true;
	}
	*found = combine(c, uid, &naming, has_row ? &row : NULL, out);
	return rows_end(&r, e);
}

bool
channel_members_of(struct db *db, struct arena *a, const struct channel *c, const int64_t *uids,
	size_t n, struct member *out, struct err *e)
{
	struct member_row *rows = arena_zalloc(a, (n + 1) * sizeof(*rows));
	struct col cols[] = {COL_INTS(uids)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct channel full = *c;
	struct rows r;

	if (n == 0)
		return true;
	if ((full.origin != 0 && !origin_of(db, a, c, &full.from, e)) ||
		!db_query(db, SQL_MEMBER_ROWS_OF, ARGS(V_INT(c->no)), &bulk, &r, e))
		return false;
	while (!arena_overflowed(a) && rows_next(&r))
		row_of_member(&r, a, &rows[row_int(&r, 18)]);
	for (size_t i = 0; i < n; i++) {
		struct naming naming = naming_of(&full, uids[i]);
		bool has_row = rows[i].m.uid != 0;

		if (!combine(&full, uids[i], &naming, has_row ? &rows[i] : NULL, &out[i]))
			out[i].uid = 0;
	}
	return rows_end(&r, e) && arena_check(a, e);
}

bool
channel_members_paired(struct db *db, struct arena *a, const struct channel *channels,
	const int64_t *uids, size_t n, struct member *out, struct err *e)
{
	struct member_row *rows = arena_zalloc(a, (n + 1) * sizeof(*rows));
	int64_t *nos = arena_array(a, n + 1, sizeof(*nos));
	struct col cols[] = {COL_INTS(nos), COL_INTS(uids)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;

	if (n == 0)
		return true;
	for (size_t i = 0; i < n; i++)
		nos[i] = channels[i].no;
	if (!db_query(db, SQL_MEMBER_ROWS_OF_PAIRS, NO_ARGS, &bulk, &r, e))
		return false;
	while (!arena_overflowed(a) && rows_next(&r))
		row_of_member(&r, a, &rows[row_int(&r, 18)]);
	for (size_t i = 0; i < n; i++) {
		struct naming naming = naming_of(&channels[i], uids[i]);
		bool has_row = rows[i].m.uid != 0;

		if (!combine(
			    &channels[i], uids[i], &naming, has_row ? &rows[i] : NULL, &out[i]))
			out[i].uid = 0;
	}
	return rows_end(&r, e) && arena_check(a, e);
}

bool
channel_member_in_many(struct db *db, struct arena *a, const struct channel *channels, size_t n,
	int64_t uid, struct member *out, struct err *e)
{
	int64_t *nos = arena_array(a, n + 1, sizeof(*nos));
	struct member_row **rows = arena_zalloc(a, (n + 1) * sizeof(struct member_row *));
	struct naming *namings = arena_array(a, n + 1, sizeof(*namings));
	struct col cols[] = {COL_INTS(nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;

	if (n == 0)
		return true;
	for (size_t i = 0; i < n; i++)
		nos[i] = channels[i].no;
	if (!find_namings(db, a, channels, n, uid, namings, e) ||
		!db_query(db, SQL_MEMBER_ROWS_OF_USER, ARGS(V_INT(uid)), &bulk, &r, e))
		return false;
	while (!arena_overflowed(a) && rows_next(&r)) {
		struct member_row *row = arena_alloc(a, sizeof(*row));

		row_of_member(&r, a, row);
		rows[row_int(&r, 18)] = row;
	}
	for (size_t i = 0; i < n; i++)
		if (!combine(&channels[i], uid, &namings[i], rows[i], &out[i]))
			out[i].uid = 0;
	return rows_end(&r, e) && arena_check(a, e);
}

bool
channel_join(struct db *w, struct arena *a, int64_t no, const struct member_spec *specs,
	size_t n, int64_t at, int64_t cleared_at, struct err *e)
{
	int64_t *uids = arena_array(a, 4 * n + 1, sizeof(*uids)), *hidden = uids + n;
	int64_t *archived = uids + 2 * n, *invited = uids + 3 * n;
	struct str *roles = arena_array(a, 2 * n + 1, sizeof(*roles)), *customs = roles + n;
	struct col cols[] = {COL_INTS(uids), COL_TEXTS(roles), COL_INTS(hidden),
		COL_INTS(archived), COL_INTS(invited), COL_TEXTS(customs)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), 0};

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < bulk.nrows && uids[k] != specs[i].uid)
			k++;
		if (k < bulk.nrows)
			continue; /* the first counts */
		uids[k] = specs[i].uid;
		roles[k] = specs[i].role.p ? specs[i].role : ROLE_MEMBER;
		hidden[k] = specs[i].hidden_at;
		archived[k] = specs[i].archived_at;
		invited[k] = specs[i].is_invited ? at : COL_NULL;
		customs[k] = specs[i].custom;
		bulk.nrows++;
	}
	return n == 0 ||
	       db_exec(w, SQL_MEMBER_JOIN, ARGS(V_INT(no), V_INT(at), V_TIME(cleared_at)),
		       &bulk, NULL, e);
}

static bool
insert_rows(struct db *w, const struct channel *c, const struct member *members, size_t n,
	struct arena *a, struct err *e)
{
	int64_t *uids = arena_array(a, n + 1, sizeof(*uids));
	int64_t *hidden = arena_array(a, n + 1, sizeof(*hidden));
	int64_t *archived = arena_array(a, n + 1, sizeof(*archived));
	struct str *none = arena_zalloc(a, (n + 1) * sizeof(*none));
	struct col cols[] = {COL_INTS(uids), COL_TEXTS(none), COL_INTS(hidden),
		COL_INTS(archived), COL_TEXTS(none)};
	struct bulk rows = {cols, ARRAY_LEN(cols), n};

	for (size_t i = 0; i < n; i++) {
		uids[i] = members[i].uid;
		hidden[i] = members[i].hidden_at;
		archived[i] = members[i].archived_at;
	}
	return n == 0 || db_exec(w, SQL_MEMBER_INSERT, ARGS(V_INT(c->no), V_INT(c->created_at)),
				 &rows, NULL, e);
}

bool
channel_keep_members(struct db *w, struct arena *a, const struct channel *c, struct err *e)
{
	struct member *derived;
	size_t n, kept = 0;

	if (!derive(w, a, c, &derived, &n, e))
		return false;
	/* The home user finds the channel by its number. */
	for (size_t i = 0; i < n; i++)
		if (CHANNEL_FORM(c->no) == 0 || derived[i].uid != CHANNEL_HOME(c->no))
			derived[kept++] = derived[i];
	return insert_rows(w, c, derived, kept, a, e);
}

bool
channel_keep_member(struct db *w, struct arena *a, const struct channel *c,
	const struct member *m, struct err *e)
{
	return m->has_row || insert_rows(w, c, m, 1, a, e);
}

bool
channel_keep_these(struct db *w, struct arena *a, const struct channel *c,
	const struct member *m, size_t n, struct err *e)
{
	struct member *lacking = arena_array(a, n + 1, sizeof(*lacking));
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (m[i].uid != 0 && !m[i].has_row)
			lacking[k++] = m[i];
	return insert_rows(w, c, lacking, k, a, e);
}

bool
channel_show(struct db *w, struct arena *a, const struct channel *c, int64_t except_uid,
	int64_t now, struct err *e)
{
	/* A sender who is hidden by his campaign has no row yet that could say otherwise. */
	if (c->sender_is_member && str_is(c->sender_visibility, "hidden") &&
		c->sender != except_uid) {
		struct member m = derived_member(c, c->sender);

		if (!insert_rows(w, c, &m, 1, a, e))
			return false;
	}
	return db_exec(w, SQL_MEMBER_SHOW, ARGS(V_INT(c->no), V_INT(except_uid), V_INT(now)),
		NO_BULK, NULL, e);
}
