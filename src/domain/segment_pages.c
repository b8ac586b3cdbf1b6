/* segment_pages – the targets of a segment, page by page.
 *
 * A page of a list is found in one of three ways: the ids of an $in are looked up; a small
 * set is gathered whole, sorted and cut; else the index of ids is walked from the page's
 * position, and each user tested for membership.  What is expected to cost less is taken:
 * gathering costs the set's size, walking the page divided by the set's density.  Members
 * whose ids lie together make that estimate wrong, so a walk gives up in time and gathers.
 * Lists of channels stand in the order of the wire: segment_cids.c reads them off. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/filter.h"
#include "domain/page.h"
#include "domain/segment.h"
#include "domain/segment_impl.h"
#include "domain/uidset.h"
#include "domain/user.h"
#include "store/db.h"

#define LIST_NAME      "targets"
#define KEY_CHUNK_BITS 24   /* of targets.key, see 001_init.sql */
#define GATHER_BLOCK   4096 /* uids looked up by one statement */
#define GATHER_PAGES   8    /* that many are kept before they are sorted and cut */
#define GATHER_COST    8    /* a look-up by uid against a step along the index */
#define WALK_PATIENCE  4    /* times the expected steps, then a walk gives up */
#define PROBES_MAX     64   /* membership asked one by one, above the set is loaded */
#define ABOVE_ALL_IDS  "~"  /* ids are of [A-Za-z0-9@_-] */

static const struct filter_field fields[] = {
	{"target_id", FILTER_TEXT, OP_EQ | OP_RANGE | OP_IN, "i.id", FILTER_NEVER_NULL},
};

static const struct filter_schema schema = {
	.subject = "target",
	.fields = fields,
	.n = ARRAY_LEN(fields),
	.tie = "i.id",
};

/* ---- which ids a filter lets through --------------------------------------------- */

static bool
is_in(struct str id, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (str_eq(id, jr_text(json_array_get(list, i))))
			return true;
	return false;
}

/* As in narrow_by(), the filter is known to be right. */
static bool
passes_op(const char *op, const json_t *v, struct str id)
{
	int c;

	if (strcmp(op, "$in") == 0)
		return is_in(id, v);
	c = str_cmp(id, jr_text(v));
	if (strcmp(op, "$eq") == 0)
		return c == 0;
	if (op[1] == 'g')
		return c > 0 || (c == 0 && op[3] == 'e');
	return c < 0 || (c == 0 && op[3] == 'e');
}

static bool
passes(const json_t *filter, struct str id)
{
	json_t *tree = (json_t *)filter, *v, *part; /* jansson's iterators are not const */
	const char *key, *op;

	json_object_foreach(tree, key, v)
	{
		bool any = false, all = true;

		if (json_is_array(v)) {
			for (size_t i = 0; i < json_array_size(v); i++) {
				bool one = passes(json_array_get(v, i), id);

				any = any || one;
				all = all && one;
			}
		} else if (json_is_object(v)) {
			json_object_foreach(v, op, part) all = all && passes_op(op, part, id);
		} else {
			all = passes_op("$eq", v, id);
		}
		if (strcmp(key, "$or") == 0 ? !any : strcmp(key, "$nor") == 0 ? any : !all)
			return false;
	}
	return true;
}

bool
segment_range_has(const struct segment_range *r, struct str id)
{
	int low = r->low.p == NULL ? 1 : str_cmp(id, r->low);
	int high = r->high.p == NULL ? -1 : str_cmp(id, r->high);

	return (low > 0 || (low == 0 && !r->low_excluded)) &&
	       (high < 0 || (high == 0 && !r->high_excluded)) &&
	       (r->rest == NULL || passes(r->rest, id));
}

static void
raise_low(struct segment_range *r, struct str id, bool excluded)
{
	int c = r->low.p == NULL ? 1 : str_cmp(id, r->low);

	if (c > 0)
		r->low_excluded = false;
	if (c >= 0) {
		r->low = id;
		r->low_excluded = r->low_excluded || excluded;
	}
}

static void
lower_high(struct segment_range *r, struct str id, bool excluded)
{
	int c = r->high.p == NULL ? -1 : str_cmp(id, r->high);

	if (c < 0)
		r->high_excluded = false;
	if (c <= 0) {
		r->high = id;
		r->high_excluded = r->high_excluded || excluded;
	}
}

static void
only_listed(struct segment_range *r, struct str *ids, size_t n)
{
	size_t kept = 0;

	qsort(ids, n, sizeof(*ids), str_cmp_qsort);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && str_eq(ids[kept - 1], ids[i]))
			continue;
		if (r->listed && bsearch(&ids[i], r->list, r->nlist, sizeof(*ids),
					 str_cmp_qsort) == NULL)
			continue;
		ids[kept++] = ids[i];
	}
	r->listed = true;
	r->list = ids;
	r->nlist = kept;
}

/* The filter was checked against the schema: operators and types are known to be right. */
static void
narrow_by(struct arena *a, const char *op, const json_t *v, struct segment_range *r)
{
	struct str *ids;
	size_t n = json_is_array(v) ? json_array_size(v) : 1;

	if (strcmp(op, "$gt") == 0 || strcmp(op, "$gte") == 0) {
		raise_low(r, jr_text(v), op[3] == '\0');
	} else if (strcmp(op, "$lt") == 0 || strcmp(op, "$lte") == 0) {
		lower_high(r, jr_text(v), op[3] == '\0');
	} else {
		ids = arena_array(a, n, sizeof(*ids));
		for (size_t i = 0; i < n; i++)
			ids[i] = jr_text(json_is_array(v) ? json_array_get(v, i) : v);
		only_listed(r, ids, n);
	}
}

/* ${part} of the whole filter: conditions and $and narrow the range, $or and $nor cannot. */
static void
narrow(struct arena *a, const json_t *whole, const json_t *part, struct segment_range *r)
{
	json_t *tree = (json_t *)part, *v, *inner;
	const char *key, *op;
	size_t i;

	json_object_foreach(tree, key, v)
	{
		if (strcmp(key, "$and") == 0) {
			json_array_foreach(v, i, inner) narrow(a, whole, inner, r);
		} else if (strcmp(key, "target_id") != 0) {
			r->rest = whole;
		} else if (json_is_object(v)) {
			json_object_foreach(v, op, inner) narrow_by(a, op, inner, r);
		} else {
			narrow_by(a, "$eq", v, r);
		}
	}
}

/* ---- the three ways to a page ---------------------------------------------------- */

static int
compare_found(const void *a, const void *b)
{
	return str_cmp(
		((const struct segment_found *)a)->id, ((const struct segment_found *)b)->id);
}

static int
compare_found_back(const void *a, const void *b)
{
	return compare_found(b, a);
}

void
segment_search_cut(struct segment_search *s, size_t n)
{
	qsort(s->found, n, sizeof(*s->found),
		s->descending ? compare_found_back : compare_found);
	s->n = MIN_OF(n, s->want);
}

static bool
has_member(struct segment_search *s, const struct bitset *set, int64_t uid, bool *out,
	struct err *e)
{
	if (set == NULL)
		return uidset_has(s->db, s->segment->no, uid, out, e);
	*out = bitset_has(set, uid);
	return true;
}

static bool
look_up_in(struct segment_search *s, const struct bitset *set, struct err *e)
{
	const struct segment_range *r = &s->range;
	int64_t *uids = arena_array(s->a, r->nlist, sizeof(*uids));
	size_t n = 0;
	bool has;

	s->found = arena_array(s->a, r->nlist, sizeof(*s->found));
	if (!user_resolve(s->db, s->a, r->list, r->nlist, uids, e))
		return false;
	for (size_t i = 0; i < r->nlist; i++) {
		if (uids[i] == 0 || !segment_range_has(r, r->list[i]))
			continue;
		if (!has_member(s, set, uids[i], &has, e))
			return false;
		if (has)
			s->found[n++] =
				(struct segment_found){.id = r->list[i], .uid = uids[i]};
	}
	segment_search_cut(s, n);
	return true;
}

static bool
look_up(struct segment_search *s, struct err *e)
{
	struct bitset set;
	bool ok;

	if (s->range.nlist <= PROBES_MAX)
		return look_up_in(s, NULL, e);
	bitset_init(&set);
	ok = bitset_load(&set, s->db, s->segment->no, e) && look_up_in(s, &set, e);
	bitset_fini(&set);
	return ok;
}

/* What gathering has kept so far.  Names are copied from one arena to the other when the
 * rest is thrown away, so that only some pages of them are in memory. */
struct gathering {
	struct arena names[2];
	int at; /* names[at] is in use */
	size_t kept;
	struct str last; /* of a full page: who is behind cannot be on it; p == NULL: none */
};

static bool
is_behind(const struct segment_search *s, const struct gathering *g, struct str id)
{
	int c = g->last.p == NULL ? 0 : str_cmp(id, g->last);

	return s->descending ? c < 0 : c > 0;
}

/* Keeps the first page only. */
static void
keep_best(struct segment_search *s, struct gathering *g)
{
	struct arena *into = &g->names[1 - g->at];

	segment_search_cut(s, g->kept);
	g->kept = s->n;
	for (size_t i = 0; i < g->kept; i++)
		s->found[i].id = arena_dup(into, s->found[i].id);
	arena_reset(&g->names[g->at]);
	g->at = 1 - g->at;
	g->last = s->found[g->kept - 1].id;
}

/* Names the uids of one block and keeps those inside the range. */
static bool
gather_block(struct segment_search *s, struct gathering *g, const int64_t *uids, size_t n,
	struct err *e)
{
	struct col col = COL_INTS(uids);
	struct bulk bulk = {&col, 1, n};
	struct rows rows;

	if (!db_query(s->db, SQL_USER_IDS, NO_ARGS, &bulk, &rows, e))
		return false;
	while (rows_next(&rows)) {
		struct str id = row_str(&rows, 1);

		if (segment_range_has(&s->range, id) && !is_behind(s, g, id))
			s->found[g->kept++] =
				(struct segment_found){.id = arena_dup(&g->names[g->at], id),
					.uid = uids[row_int(&rows, 0)]};
	}
	if (g->kept > GATHER_PAGES * s->want)
		keep_best(s, g);
	return rows_end(&rows, e);
}

static bool
gather_all(
	struct segment_search *s, struct gathering *g, const struct bitset *set, struct err *e)
{
	int64_t uids[GATHER_BLOCK], uid = bitset_next(set, 0);
	size_t n = 0;

	s->found = arena_array(s->a, GATHER_PAGES * s->want + GATHER_BLOCK, sizeof(*s->found));
	while (uid >= 0) {
		uids[n++] = uid;
		uid = bitset_next(set, uid + 1);
		if (n < GATHER_BLOCK && uid >= 0)
			continue;
		if (!gather_block(s, g, uids, n, e))
			return false;
		n = 0;
	}
	segment_search_cut(s, g->kept);
	for (size_t i = 0; i < s->n; i++)
		s->found[i].id = arena_dup(s->a, s->found[i].id);
	return true;
}

static bool
gather(struct segment_search *s, const struct bitset *set, struct err *e)
{
	struct gathering g = {.at = 0};
	bool ok;

	for (size_t i = 0; i < ARRAY_LEN(g.names); i++)
		arena_init(&g.names[i], 4096, SIZE_MAX);
	ok = gather_all(s, &g, set, e);
	for (size_t i = 0; i < ARRAY_LEN(g.names); i++)
		arena_fini(&g.names[i]);
	return ok;
}

/* At most ${patience} steps; *done: the page was found. */
static bool
walk(struct segment_search *s, const struct bitset *set, double patience, bool *done,
	struct err *e)
{
	const struct segment_range *r = &s->range;
	enum sql_id statement = s->descending ? SQL_SEGMENT_WALK_DOWN : SQL_SEGMENT_WALK_UP;
	struct str low = r->low.p == NULL ? STR("") : r->low;
	struct str high = r->high.p == NULL ? STR(ABOVE_ALL_IDS) : r->high;
	struct rows rows;

	s->found = arena_array(s->a, s->want, sizeof(*s->found));
	if (!db_query(s->db, statement, ARGS(V_TEXT(low), V_TEXT(high)), NO_BULK, &rows, e))
		return false;
	*done = true;
	while (s->n < s->want && rows_next(&rows)) {
		int64_t uid = row_int(&rows, 0);

		*done = patience-- > 0;
		if (!*done)
			break;
		if (!bitset_has(set, uid) || !segment_range_has(r, row_str(&rows, 1)))
			continue;
		s->found[s->n++] = (struct segment_found){
			.id = arena_dup(s->a, row_str(&rows, 1)), .uid = uid};
	}
	return rows_end(&rows, e);
}

/* The cheaper way first.  A walk along the whole index need not give up when gathering
 * costs as much. */
static bool
walk_or_gather(struct segment_search *s, const struct bitset *set, int64_t users, struct err *e)
{
	double size = (double)bitset_count(set), gathering = size * GATHER_COST;
	double steps = size == 0 ? 0 : (double)s->want * (double)users / size;
	double patience = (double)INT64_MAX;
	bool done = false;

	if (size == 0)
		return true;
	if (gathering < (double)users)
		patience = WALK_PATIENCE * steps;
	if (gathering > steps && !walk(s, set, patience, &done, e))
		return false;
	if (done)
		return true;
	s->n = 0;
	return gather(s, set, e);
}

static bool
search_list(struct segment_search *s, struct err *e)
{
	struct bitset set;
	int64_t users = 0;
	bool found, ok;

	if (s->range.listed)
		return look_up(s, e);
	bitset_init(&set);
	ok = bitset_load(&set, s->db, s->segment->no, e) &&
	     db_get_int(s->db, SQL_SEGMENT_USERS_ESTIMATE, NO_ARGS, &users, &found, e) &&
	     walk_or_gather(s, &set, users, e);
	bitset_fini(&set);
	return ok;
}

/* ---- pages ----------------------------------------------------------------------- */

struct targets {
	struct arena *a;
	const struct segment *segment;
	struct segment_target *out;
	size_t n;
};

/* When each chunk of the set was begun, by chunk number. */
struct chunk_time {
	int64_t chunk, created_at;
};

static int
compare_chunks(const void *a, const void *b)
{
	int64_t x = ((const struct chunk_time *)a)->chunk;
	int64_t y = ((const struct chunk_time *)b)->chunk;

	return (x > y) - (x < y);
}

static bool
load_chunk_times(struct segment_search *s, struct chunk_time **out, size_t *n, struct err *e)
{
	int64_t first = s->segment->no << KEY_CHUNK_BITS;
	struct buf times;
	struct rows rows;

	buf_init(&times, s->a, 64 * sizeof(**out));
	if (!db_query(s->db, SQL_SEGMENT_CHUNKS,
		    ARGS(V_INT(first), V_INT(first + ((int64_t)1 << KEY_CHUNK_BITS))), NO_BULK,
		    &rows, e))
		return false;
	while (rows_next(&rows)) {
		struct chunk_time t = {row_int(&rows, 0), row_time(&rows, 1)};

		buf_add(&times, &t, sizeof(t));
	}
	*n = times.n / sizeof(**out);
	*out = arena_array(s->a, *n, sizeof(**out));
	if (*n > 0)
		memcpy(*out, times.p, times.n);
	return rows_end(&rows, e);
}

static bool
fill_targets(struct segment_search *s, struct targets *t, struct err *e)
{
	struct chunk_time *times;
	size_t ntimes;

	t->out = arena_array(s->a, s->n, sizeof(*t->out));
	t->n = s->n;
	if (segment_is_of_channels(s->segment)) {
		for (size_t i = 0; i < s->n; i++)
			t->out[i] =
				(struct segment_target){s->found[i].id, s->found[i].created_at};
		return true;
	}
	if (s->n == 0)
		return true;
	if (!load_chunk_times(s, &times, &ntimes, e))
		return false;
	for (size_t i = 0; i < s->n; i++) {
		struct chunk_time key = {s->found[i].uid >> UIDSET_CHUNK_BITS, 0};
		struct chunk_time *hit =
			bsearch(&key, times, ntimes, sizeof(*times), compare_chunks);

		t->out[i].id = s->found[i].id;
		t->out[i].created_at = hit == NULL ? s->segment->updated_at : hit->created_at;
	}
	return true;
}

/* What a page's cursor says: filter, sort direction, the id next to which it begins. */
struct position {
	const json_t *filter;
	bool descending;
	struct str id; /* p == NULL: the first page */
};

static bool
read_position(struct arena *a, const struct app *app, struct str scope,
	const struct page_ask *ask, struct position *out, struct err *e)
{
	struct filter_sort sorts[FILTER_MAX_SORTS];
	struct str cursor = ask->next.p != NULL ? ask->next : ask->prev;
	json_t *said = NULL;
	size_t nsorts = 0;

	*out = (struct position){.filter = ask->filter};
	if (cursor.p != NULL) {
		json_t *filter = NULL;

		if (!page_open(a, app, LIST_NAME, scope, cursor, &said, e) ||
			!jr_obj(said, "f", OPTIONAL, &filter, e) ||
			!jr_bool(said, "d", REQUIRED, &out->descending, e) ||
			!jr_str(said, "p", REQUIRED, &out->id, e))
			return false;
		out->filter = filter;
		return true;
	}
	if (!filter_read_sort(ask->sort, &schema, sorts, &nsorts, e))
		return false;
	out->descending = nsorts > 0 && sorts[0].descending;
	return true;
}

static struct str
make_cursor(struct arena *a, const struct app *app, struct str scope,
	const struct position *pos, struct str id)
{
	json_t *body = jr_own(a, json_object());

	if (pos->filter != NULL)
		json_object_set(body, "f", (json_t *)pos->filter); /* counts references */
	json_object_set_new(body, "d", json_boolean(pos->descending));
	json_object_set_new(body, "p", json_stringn(id.p, id.n));
	return page_seal(a, app, LIST_NAME, scope, body);
}

static void
reverse(struct segment_found *found, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct segment_found swap = found[i];

		found[i] = found[n - 1 - i];
		found[n - 1 - i] = swap;
	}
}

static bool
query_list(struct segment_search *s, const struct app *app, const struct page_ask *ask,
	struct targets *t, struct page_links *links, struct err *e)
{
	struct str scope = s->segment->id;
	bool back = ask->prev.p != NULL, more, before, after;
	struct position pos;

	if (!read_position(s->a, app, scope, ask, &pos, e))
		return false;
	if (!filter_check(s->db, s->a, pos.filter, &schema, e))
		return false;
	narrow(s->a, pos.filter, pos.filter, &s->range);
	s->descending = pos.descending != back;
	if (pos.id.p != NULL && s->descending)
		lower_high(&s->range, pos.id, true);
	else if (pos.id.p != NULL)
		raise_low(&s->range, pos.id, true);
	s->want = (size_t)ask->limit + 1;
	if (!(segment_is_of_channels(s->segment) ? segment_search_cids : search_list)(s, e))
		return false;
	more = s->n == s->want;
	s->n = MIN_OF(s->n, (size_t)ask->limit);
	if (back)
		reverse(s->found, s->n);
	before = back ? more : pos.id.p != NULL;
	after = back || more;
	*links = (struct page_links){0};
	if (before && s->n > 0)
		links->prev = make_cursor(s->a, app, scope, &pos, s->found[0].id);
	if (after && s->n > 0)
		links->next = make_cursor(s->a, app, scope, &pos, s->found[s->n - 1].id);
	return fill_targets(s, t, e);
}

static bool
collect(void *arg, struct rows *r, struct err *e UNUSED)
{
	struct targets *t = arg;

	t->out[t->n++] = (struct segment_target){
		.id = arena_dup(t->a, row_str(r, 1)),
		.created_at = t->segment->created_at,
	};
	return true;
}

static bool
query_dynamic(struct db *db, const struct app *app, const struct page_ask *ask,
	struct targets *t, struct page_links *links, struct err *e)
{
	struct filter_params params;
	struct page_list list = {
		.name = LIST_NAME,
		.scope = t->segment->id,
		.schema = &schema,
		.columns = "i.uid, i.id",
		.default_field = "target_id",
	};
	struct buf from;

	filter_params_init(&params, t->a);
	buf_init(&from, t->a, 1024);
	if (!segment_members_sql(db, t->a, t->segment, USERS_BY_ID, &from, &params, e))
		return false;
	buf_char(&from, '\0');
	list.from_where = from.p;
	list.args = (struct args){params.v, params.n};
	t->out = arena_array(t->a, (size_t)ask->limit, sizeof(*t->out));
	return page_run(db, t->a, app, &list, ask, collect, t, links, e);
}

bool
segment_query_targets(struct db *db, struct arena *a, const struct app *app, struct str id,
	const struct page_ask *ask, struct segment_target **out, size_t *n,
	struct page_links *links, struct err *e)
{
	struct segment s;
	struct targets t = {.a = a, .segment = &s};
	struct segment_search search = {.db = db, .a = a, .segment = &s};

	if (!segment_get(db, a, id, &s, e))
		return false;
	if (segment_is_list(&s) || segment_is_of_channels(&s)
			? !query_list(&search, app, ask, &t, links, e)
			: !query_dynamic(db, app, ask, &t, links, e))
		return false;
	*out = t.out;
	*n = t.n;
	return true;
}
