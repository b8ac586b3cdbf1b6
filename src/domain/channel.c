/* channel – finding and making channels: explicit ones by cid, derived ones by their form. */
#include "domain/channel.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/jscan.h"
#include "base/jw.h"
#include "domain/channel_origin.h"
#include "domain/channel_place.h"
#include "domain/channel_type.h"
#include "domain/event.h"
#include "domain/user.h"
#include "store/db.h"

/* Rows of members that one transaction clears away. */
#define CLEAR_MAX 10000

static struct str
tags_of(struct arena *a, struct str extra)
{
	struct jscan_value v = {JSCAN_NONE, STR_NONE};

	if (extra.p != NULL)
		v = jscan_member(extra, STR("filter_tags"));
	return v.type == JSCAN_ARRAY ? arena_dup(a, v.raw) : STR_NONE;
}

static int64_t
cooldown_of(struct str extra)
{
	struct jscan_value v = {JSCAN_NONE, STR_NONE};
	int64_t s;

	if (extra.p != NULL)
		v = jscan_member(extra, STR("cooldown"));
	return v.type == JSCAN_NUMBER && str_to_i64(v.raw, &s) ? s : 0;
}

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
	out->truncated_at = row_time(r, 20);
	out->filter_tags = tags_of(a, row_str(r, 21));
	out->cooldown = cooldown_of(row_str(r, 21));
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

/* What keeps stored cids unique; p == NULL: none is stored. */
static bool
insert_cid(struct db *w, struct str cid, int64_t no, struct err *e)
{
	struct col cols[] = {COL_TEXTS(&cid), COL_INTS(&no)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), 1};

	return cid.p == NULL || db_exec(w, SQL_CHANNEL_IDS_INSERT, NO_ARGS, &bulk, NULL, e);
}

/* All members of the spec. */
static bool
insert_members(
	struct db *w, struct arena *a, int64_t no, const struct channel_spec *s, struct err *e)
{
	return channel_join(w, a, no, s->members, s->nmembers, s->created_at, NO_TIME, e);
}

/* ---- names -------------------------------------------------------------------------- */

struct str
channel_cid(struct arena *a, struct str type, struct str id)
{
	char *cid = arena_alloc(a, type.n + 1 + id.n);

	memcpy(cid, type.p, type.n);
	cid[type.n] = ':';
	memcpy(cid + type.n + 1, id.p, id.n);
	return (struct str){cid, type.n + 1 + id.n};
}

struct str
channel_distinct_id(struct arena *a, const int64_t *uids, size_t n)
{
	int64_t *sorted = arena_array(a, n + 1, sizeof(*sorted));

	if (n > 0)
		memcpy(sorted, uids, n * sizeof(*sorted));
	return form_distinct_id(a, sorted, form_sort_uids(sorted, n));
}

/* The id given, or the distinct one of the members. */
static struct str
id_of_spec(struct arena *a, const struct channel_spec *s)
{
	int64_t *uids = arena_array(a, s->nmembers + 1, sizeof(*uids));

	if (s->id.p != NULL)
		return s->id;
	for (size_t i = 0; i < s->nmembers; i++)
		uids[i] = s->members[i].uid;
	return channel_distinct_id(a, uids, s->nmembers);
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
	return channel_cid(a, f->type, id);
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

/* Those whose ids are stored; the others are left as they are. */
static bool
find_stored(struct db *db, struct arena *a, struct str type, const struct str *ids, size_t n,
	struct channel *out, struct err *e)
{
	struct str *cids = arena_array(a, n, sizeof(*cids));
	struct col cols[] = {COL_TEXTS(cids)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;

	for (size_t i = 0; i < n; i++)
		cids[i] = channel_cid(a, type, ids[i]);
	if (!db_query(db, SQL_CHANNEL_BY_CIDS, NO_ARGS, &bulk, &r, e))
		return false;
	while (!arena_overflowed(a) && rows_next(&r))
		channel_from_row(&r, a, &out[row_int(&r, 19)]);
	return rows_end(&r, e) && arena_check(a, e);
}

/* Those on numbers that their ids lead to; ids[i] belongs to out[whose[i]]. */
static bool
find_placed(struct db *db, struct arena *a, const struct channel_place *places,
	const size_t *whose, size_t n, struct channel *out, struct err *e)
{
	int64_t *nos = arena_array(a, n * FORM_MAX_DISTINCT, sizeof(*nos));
	struct channel *hits;
	size_t nnos = 0, nhits, h = 0;

	for (size_t i = 0; i < n; i++)
		for (int64_t k = 0; k < places[i].nnos; k++)
			nos[nnos++] = places[i].nos[k];
	if (!channel_by_nos(db, a, nos, nnos, &hits, &nhits, e))
		return false;
	/* Hits are in the order of nos; of a channel's numbers one is taken. */
	for (size_t i = 0; i < n; i++)
		for (int64_t k = 0; k < places[i].nnos; k++)
			if (h < nhits && hits[h].no == places[i].nos[k])
				out[whose[i]] = hits[h++];
	return true;
}

bool
channel_find_many(struct db *db, struct arena *a, struct str type, const struct str *ids,
	size_t n, struct channel *out, struct channel_place *places, struct err *e)
{
	struct channel_place *rest_places = arena_array(a, n, sizeof(*rest_places));
	struct str *rest = arena_array(a, n, sizeof(*rest));
	size_t *whose = arena_array(a, n, sizeof(*whose)), nrest = 0;

	for (size_t i = 0; i < n; i++) {
		out[i] = (struct channel){0};
		places[i] = (struct channel_place){0};
	}
	if (n > 0 && !find_stored(db, a, type, ids, n, out, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (out[i].no != 0)
			continue;
		rest[nrest] = ids[i];
		whose[nrest++] = i;
	}
	if (!channel_places(db, a, type, rest, nrest, rest_places, e))
		return false;
	for (size_t i = 0; i < nrest; i++)
		places[whose[i]] = rest_places[i];
	return find_placed(db, a, rest_places, whose, nrest, out, e);
}

bool
channel_find(struct db *db, struct arena *a, struct str type, struct str id,
	struct channel *out, bool *found, struct err *e)
{
	struct channel_place place;

	*found = false;
	if (!id_type_valid(type) || !id_channel_valid(id))
		return true;
	if (!channel_find_many(db, a, type, &id, 1, out, &place, e))
		return false;
	*found = out->no != 0;
	return true;
}

bool
channel_find_distinct(struct db *db, struct arena *a, struct str type, const int64_t *uids,
	size_t n, struct channel *out, bool *found, struct err *e)
{
	return channel_find(db, a, type, channel_distinct_id(a, uids, n), out, found, e);
}

bool
channel_check_type(struct db *db, struct str type, struct err *e)
{
	bool exists;

	if (!channel_type_exists(db, type, &exists, e))
		return false;
	if (!exists)
		return fail(
			e, ERR_NOT_FOUND, "channel type \"%.*s\" doesn't exist", STR_ARG(type));
	return true;
}

bool
channel_get(struct db *db, struct arena *a, struct str type, struct str id, struct channel *out,
	struct err *e)
{
	bool found;

	if (!channel_check_type(db, type, e) || !channel_find(db, a, type, id, out, &found, e))
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
channel_last_message_at(struct db *db, const struct channel *c, int64_t *out, struct err *e)
{
	struct rows r;

	*out = NO_TIME;
	if (!db_query(db, SQL_CHANNEL_LAST_MESSAGE, ARGS(V_INT(c->no)), NO_BULK, &r, e))
		return false;
	if (rows_next(&r))
		*out = row_time(&r, 0);
	if (*out <= c->truncated_at)
		*out = NO_TIME;
	return rows_end(&r, e);
}

bool
channel_message_count(struct db *db, const struct channel *c, int64_t *out, struct err *e)
{
	bool found;

	return db_get_int(db, SQL_CHANNEL_MESSAGE_COUNT,
		ARGS(V_INT(c->no), V_INT(c->truncated_at), V_INT(CHANNEL_MAX_MESSAGE_COUNT)),
		out, &found, e);
}

struct str
channel_extra(struct arena *a, struct str tags, int64_t cooldown)
{
	struct buf b;
	struct jw w;

	if (tags.p == NULL && cooldown == 0)
		return STR_NONE;
	buf_init(&b, a, tags.n + 64);
	jw_init(&w, &b);
	jw_obj(&w);
	if (tags.p != NULL)
		jw_kraw(&w, "filter_tags", tags);
	if (cooldown != 0)
		jw_ki64(&w, "cooldown", cooldown);
	jw_end_obj(&w);
	return buf_view(&b);
}

bool
channel_last_messages(struct db *db, const int64_t *nos, size_t n, int64_t *out, struct err *e)
{
	struct col cols[] = {COL_INTS(nos)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;

	if (n == 0)
		return true;
	if (!db_query(db, SQL_CHANNEL_LAST_MESSAGES, NO_ARGS, &bulk, &r, e))
		return false;
	while (rows_next(&r))
		out[row_int(&r, 0)] = row_time(&r, 1);
	return rows_end(&r, e);
}

/* ---- making ------------------------------------------------------------------------- */

static bool
create_at(struct db *w, struct arena *a, const struct channel_spec *s,
	const struct channel_place *place, int64_t *no, struct err *e)
{
	struct str cid = STR_NONE;
	int64_t home;

	*no = place->nos[0];
	if (place->nnos == 0) {
		if (!db_take(w, COUNTER_CHANNEL, 1, &home, e) ||
			!form_shadow(w, &place->shadows, place->shadows != 0, e))
			return false;
		*no = CHANNEL_NO(home, 0);
		cid = channel_cid(a, s->type, id_of_spec(a, s));
	}
	return insert_cid(w, cid, *no, e) &&
	       db_exec(w, SQL_CHANNEL_INSERT,
		       ARGS(V_INT(*no), V_INT(s->created_at), V_TEXT(cid), V_INT(s->creator),
			       V_TEXT(s->team), V_TEXT(s->custom),
			       s->frozen ? V_INT(1) : V_NULL, s->disabled ? V_INT(1) : V_NULL,
			       V_TEXT(channel_extra(a, s->filter_tags, 0))),
		       NO_BULK, NULL, e) &&
	       insert_members(w, a, *no, s, e);
}

bool
channel_create(
	struct db *w, struct arena *a, const struct channel_spec *s, int64_t *no, struct err *e)
{
	struct str id = id_of_spec(a, s);
	struct channel_place place;

	return channel_places(w, a, s->type, &id, 1, &place, e) &&
	       create_at(w, a, s, &place, no, e);
}

struct goc {
	struct arena *arena;
	const struct channel_spec *spec;
	struct str id;
	struct channel *out;
	bool made;
	bool alone; /* no batch is written meanwhile */
	bool again; /* there is more to clear away first, or it must be done alone */
};

/* Makes a deleted channel anew.  It keeps its number, and with it rows of members, which go
 * first, some at a time, and messages, which are cut off. */
static bool
revive(struct db *w, struct goc *g, struct err *e)
{
	const struct channel_spec *s = g->spec;
	const struct channel *old = g->out;
	int64_t cleared = 0, last, at;

	if (!db_exec(w, SQL_CHANNEL_CLEAR_MEMBERS, ARGS(V_INT(old->no), V_INT(CLEAR_MAX)),
		    NO_BULK, &cleared, e))
		return false;
	g->again = cleared == CLEAR_MAX;
	if (g->again)
		return true;
	if (!channel_last_message_at(w, old, &last, e))
		return false;
	at = MAX_OF(MAX_OF(s->created_at, last), MAX_OF(old->truncated_at, old->deleted_at));
	return db_exec(w, SQL_CHANNEL_REVIVE,
		       ARGS(V_INT(old->no), V_INT(at), V_INT(s->creator), V_TEXT(s->team),
			       V_TEXT(s->custom), s->frozen ? V_INT(1) : V_NULL,
			       s->disabled ? V_INT(1) : V_NULL,
			       V_TEXT(channel_extra(g->arena, s->filter_tags, 0)), V_INT(at)),
		       NO_BULK, NULL, e) &&
	       insert_members(w, g->arena, old->no, s, e);
}

/* Beside batches that are being written: the unique keys of the number and of the cid tell of a
 * channel that one of them makes, and who makes forms, or stores ids that fit one, is alone.
 * So is this where no key would tell. */
static bool
tell_created(struct db *w, const struct goc *g, struct err *e)
{
	struct event ev = {
		.kind = EVENT_CHANNEL_CREATED,
		.at = g->out->created_at,
		.channel = g->out->no,
		.uid = g->spec->creator,
	};

	return event_add(w, &ev, 1, e);
}

static bool
get_or_create(struct db *w, void *arg, struct err *e)
{
	struct goc *g = arg;
	const struct channel_spec *s = g->spec;
	struct channel_place place;
	bool found;
	int64_t no;

	g->made = g->again = false;
	if (!db_lock_channels(w, !g->alone, e) ||
		!channel_find_many(w, g->arena, s->type, &g->id, 1, g->out, &place, e))
		return false;
	no = g->out->no;
	found = no != 0;
	if (found && g->out->deleted_at == NO_TIME)
		return true;
	if (!g->alone && (found || place.shadows != 0)) {
		g->alone = g->again = true;
		return true;
	}
	g->made = true;
	if (found ? !revive(w, g, e) : !create_at(w, g->arena, s, &place, &no, e))
		return false;
	return channel_by_no(w, g->arena, no, g->out, &found, e) &&
	       (g->again || tell_created(w, g, e));
}

bool
channel_get_or_create(struct db *db, struct arena *a, const struct channel_spec *s,
	struct channel *out, bool *made, struct err *e)
{
	struct goc g = {.arena = a, .spec = s, .id = id_of_spec(a, s), .out = out};

	do {
		if (db_write(db, get_or_create, &g, e))
			continue;
		/* It was made by a batch at the same moment. */
		if (e->code != ERR_STALE || g.alone)
			return false;
		g.alone = g.again = true;
	} while (g.again);
	*made = g.made;
	return true;
}
