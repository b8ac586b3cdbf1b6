/* channel_origin – channel templates of campaigns, read once for all their channels. */
#include "domain/channel_origin.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/jscan.h"
#include "domain/channel.h"
#include "domain/user.h"
#include "store/db.h"

/* ---- templates ----------------------------------------------------------------------- */

/* A JSON array of ids or of {user_id, channel_role, custom}; p == NULL: none. */
static struct str members_of(struct str template)
{
	struct jscan_value list = jscan_member(template, STR("members"));

	if (list.type != JSCAN_ARRAY)
		list = jscan_member(template, STR("members_template"));
	return list.type == JSCAN_ARRAY ? list.raw : STR_NONE;
}

static struct str
id_of(struct arena *a, struct jscan_value member)
{
	if (member.type == JSCAN_OBJECT)
		member = jscan_member(member.raw, STR("user_id"));
	return jscan_text(a, member);
}

/* False when there are none. */
static bool
read_details(struct arena *a, struct jscan_value member, struct named_details *out)
{
	struct jscan_value role, custom;

	*out = (struct named_details){STR_NONE, STR_NONE};
	if (member.type != JSCAN_OBJECT)
		return false;
	role = jscan_member(member.raw, STR("channel_role"));
	custom = jscan_member(member.raw, STR("custom"));
	if (role.type == JSCAN_STRING && role.raw.n > 2)
		out->role = jscan_text(a, role);
	if (custom.type == JSCAN_OBJECT)
		out->custom = arena_dup(a, custom.raw);
	return out->role.p != NULL || out->custom.p != NULL;
}

struct str channel_template_custom(struct str template)
{
	struct jscan_value custom = jscan_member(template, STR("custom"));

	return custom.type == JSCAN_OBJECT ? custom.raw : STR_NONE;
}

bool
channel_template_names(
	struct arena *a, struct str template, struct str user_id, struct named_details *details)
{
	struct str list = members_of(template);
	struct jscan_value v;

	for (size_t at = 0; list.p != NULL && jscan_next(list, &at, &v);) {
		struct arena_mark mark = arena_mark(a);
		bool same = str_eq(id_of(a, v), user_id);

		arena_rewind(a, mark);
		if (!same)
			continue;
		if (details != NULL)
			read_details(a, v, details);
		return true;
	}
	return false;
}

/* ---- one origin ---------------------------------------------------------------------- */

static int
cmp_named(const void *a, const void *b)
{
	const struct named_member *x = *(const struct named_member *const *)a;
	const struct named_member *y = *(const struct named_member *const *)b;

	if (x->uid != y->uid)
		return (x->uid > y->uid) - (x->uid < y->uid);
	return (x > y) - (x < y);
}

/* Fills by_uid; who is named again is unknown from then on. */
static void
index_named(struct channel_origin *o)
{
	size_t n = 0;

	for (size_t i = 0; i < o->nnamed; i++)
		if (o->named[i].uid != 0)
			o->by_uid[n++] = &o->named[i];
	if (n > 1)
		qsort(o->by_uid, n, sizeof(*o->by_uid), cmp_named);
	for (size_t i = 0; i < n; i++) {
		const struct named_member *m = o->by_uid[i];

		if (o->nknown > 0 && o->by_uid[o->nknown - 1]->uid == m->uid)
			o->named[m - o->named].uid = 0;
		else
			o->by_uid[o->nknown++] = m;
	}
}

static bool
resolve(struct db *db, struct arena *a, struct str list, struct channel_origin *o,
	struct err *e)
{
	struct arena_mark mark = arena_mark(a);
	struct str *ids = arena_array(a, o->nnamed, sizeof(*ids));
	int64_t *uids = arena_array(a, o->nnamed, sizeof(*uids));
	struct jscan_value v;
	size_t n = 0;
	bool ok;

	for (size_t at = 0; jscan_next(list, &at, &v); n++) {
		ids[n] = id_of(a, v);
		if (ids[n].p == NULL)
			ids[n] = STR("");
	}
	ok = user_resolve(db, a, ids, n, uids, e);
	for (size_t i = 0; ok && i < n; i++)
		o->named[i].uid = uids[i];
	arena_rewind(a, mark);
	return ok;
}

/* The template is borrowed. */
static bool
read_origin(struct db *db, struct arena *a, struct str template, struct channel_origin *o,
	struct err *e)
{
	struct str list = members_of(template);
	struct jscan_value v;
	size_t n = 0;

	o->custom = arena_dup(a, channel_template_custom(template));
	for (size_t at = 0; list.p != NULL && jscan_next(list, &at, &v);)
		o->nnamed++;
	if (o->nnamed == 0)
		return true;
	o->named = arena_zalloc(a, o->nnamed * sizeof(*o->named));
	o->by_uid = arena_array(a, o->nnamed, sizeof(*o->by_uid));
	if (!resolve(db, a, list, o, e))
		return false;
	for (size_t at = 0; jscan_next(list, &at, &v); n++) {
		struct named_details details, *kept;

		if (!read_details(a, v, &details))
			continue;
		kept = arena_alloc(a, sizeof(*kept));
		*kept = details;
		o->named[n].details = kept;
	}
	index_named(o);
	return true;
}

const struct named_member *
channel_origin_find(const struct channel_origin *o, int64_t uid)
{
	size_t lo = 0, hi = o->nknown;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (o->by_uid[mid]->uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < o->nknown && o->by_uid[lo]->uid == uid ? o->by_uid[lo] : NULL;
}

/* ---- many ---------------------------------------------------------------------------- */

static struct channel_origin *
seen(const struct channel_origins *s, int64_t no)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->v[mid]->no < no)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n && s->v[lo]->no == no ? s->v[lo] : NULL;
}

static int
cmp_origin(const void *a, const void *b)
{
	const struct channel_origin *x = *(struct channel_origin *const *)a;
	const struct channel_origin *y = *(struct channel_origin *const *)b;

	return (x->no > y->no) - (x->no < y->no);
}

/* Makes places for new origins, which stay empty where there is no template. */
static struct channel_origin *
add_places(struct channel_origins *s, const int64_t *nos, size_t n)
{
	struct channel_origin *new = arena_zalloc(s->arena, n * sizeof(*new));

	if (s->n + n > s->cap) {
		size_t cap = MAX_OF(2 * s->cap, s->n + n);
		struct channel_origin **grown =
			arena_array(s->arena, cap, sizeof(struct channel_origin *));

		if (s->n > 0)
			memcpy(grown, s->v, s->n * sizeof(struct channel_origin *));
		s->v = grown;
		s->cap = cap;
	}
	for (size_t i = 0; i < n; i++) {
		new[i].no = nos[i];
		s->v[s->n++] = &new[i];
	}
	qsort(s->v, s->n, sizeof(struct channel_origin *), cmp_origin);
	return new;
}

static bool
load(struct channel_origins *s, struct db *db, const int64_t *nos, size_t n, struct err *e)
{
	struct channel_origin *new = add_places(s, nos, n);
	struct col cols[] = {COL_INTS(nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;
	bool ok = true;

	if (!db_query(db, SQL_CHANNEL_TEMPLATES, NO_ARGS, &bulk, &r, e))
		return false;
	while (ok && rows_next(&r)) {
		struct channel_origin *o = &new[row_int(&r, 0)];

		if (row_str(&r, 2).n > 0)
			o->team = arena_dup(s->arena, row_str(&r, 2));
		ok = read_origin(db, s->arena, row_str(&r, 1), o, e) &&
		     arena_check(s->arena, e);
	}
	return rows_end(&r, ok ? e : &(struct err){0}) && ok;
}

/* Nothing is allocated where all were seen: origins may be kept for many calls. */
static bool
load_new(struct channel_origins *s, struct db *db, const struct channel *channels, size_t n,
	struct err *e)
{
	int64_t *nos = NULL;
	size_t nnew = 0;

	for (size_t i = 0; i < n; i++) {
		if (channels[i].origin == 0 || seen(s, channels[i].origin) != NULL)
			continue;
		if (nos == NULL)
			nos = arena_array(s->arena, n, sizeof(*nos));
		nos[nnew++] = channels[i].origin;
	}
	return nnew == 0 || load(s, db, nos, form_sort_uids(nos, nnew), e);
}

void
channel_origins_init(struct channel_origins *s, struct arena *a)
{
	*s = (struct channel_origins){.arena = a};
}

bool
channel_origins_give(struct channel_origins *s, struct db *db, struct channel *channels,
	size_t n, struct err *e)
{
	if (!load_new(s, db, channels, n, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		struct channel *c = &channels[i];

		if (c->origin == 0 || c->from != NULL)
			continue;
		c->from = seen(s, c->origin);
		if (c->custom.p == NULL)
			c->custom = c->from->custom;
	}
	return true;
}
