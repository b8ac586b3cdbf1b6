/* segment_cids – segments of channels: their lists, who is in them, how many. */
#include "domain/segment_cids.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/jr.h"
#include "domain/channel.h"
#include "domain/channel_place.h"
#include "domain/channel_scan.h"
#include "domain/channel_set.h"
#include "domain/segment.h"
#include "domain/segment_impl.h"
#include "store/db.h"

#define PAGE  1024  /* cids of a list looked at by one statement */
#define SWEEP 10000 /* rows of a deleted list that go in one transaction */

/* ---- cids ------------------------------------------------------------------------------ */

bool
segment_cid_valid(struct str cid)
{
	size_t colon = str_find(cid, ':', 0);

	return colon < cid.n && id_type_valid(str_sub(cid, 0, colon)) &&
	       id_channel_valid(str_sub(cid, colon + 1, cid.n - colon - 1));
}

/* The channels of ${cids}, all of one type; nos[i] is 0 where none lives. */
static bool
resolve_type(struct db *db, struct arena *a, struct str type, const struct str *cids, size_t n,
	int64_t *nos, struct err *e)
{
	struct str *ids = arena_array(a, n, sizeof(*ids));
	struct channel *found = arena_array(a, n, sizeof(*found));
	struct channel_place *places = arena_array(a, n, sizeof(*places));

	for (size_t i = 0; i < n; i++)
		ids[i] = str_sub(cids[i], type.n + 1, cids[i].n - type.n - 1);
	if (!channel_find_many(db, a, type, ids, n, found, places, e))
		return false;
	for (size_t i = 0; i < n; i++)
		nos[i] = found[i].deleted_at == NO_TIME ? found[i].no : 0;
	return true;
}

/* The same for sorted cids, so that those of a type stand together. */
static bool
resolve(struct db *db, struct arena *a, const struct str *cids, size_t n, int64_t *nos,
	struct err *e)
{
	for (size_t from = 0, to = 0; from < n; from = to) {
		struct str start = str_sub(cids[from], 0, str_find(cids[from], ':', 0) + 1);

		while (to < n && str_starts(cids[to], start))
			to++;
		if (!resolve_type(db, a, str_sub(start, 0, start.n - 1), cids + from, to - from,
			    nos + from, e))
			return false;
	}
	return true;
}

/* A page of a list, with the channels of its cids. */
struct page {
	struct arena arena; /* owns the cids */
	struct str cids[PAGE];
	int64_t nos[PAGE]; /* 0: no channel */
	size_t n;
};

static bool
next_page(struct db *db, int64_t segment, struct page *p, struct err *e)
{
	char last[SEGMENT_CID_MAX];
	struct str after = STR("");
	struct rows r;

	if (p->n > 0) {
		after = p->cids[p->n - 1];
		memcpy(last, after.p, after.n);
		after.p = last;
	}
	arena_reset(&p->arena);
	p->n = 0;
	if (!db_query(db, SQL_CIDS_PAGE, ARGS(V_INT(segment), V_TEXT(after), V_INT(PAGE)),
		    NO_BULK, &r, e))
		return false;
	while (p->n < PAGE && rows_next(&r))
		p->cids[p->n++] = arena_dup(&p->arena, row_str(&r, 0));
	return rows_end(&r, e) && resolve(db, &p->arena, p->cids, p->n, p->nos, e);
}

/* ---- changing a list --------------------------------------------------------------------- */

static struct bulk
sorted_bulk(struct arena *a, const struct str *ids, size_t n, struct col *col)
{
	struct str *sorted = arena_array(a, n, sizeof(*sorted));

	memcpy(sorted, ids, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), str_cmp_qsort);
	*col = COL_TEXTS(sorted);
	return (struct bulk){col, 1, n};
}

bool
segment_cids_add(struct db *w, struct arena *a, int64_t segment, const struct str *cids,
	size_t n, int64_t *added, struct err *e)
{
	struct col col;
	struct bulk bulk = sorted_bulk(a, cids, n, &col);

	return db_exec(
		w, SQL_CIDS_ADD, ARGS(V_INT(segment), V_TIME(clock_now_us())), &bulk, added, e);
}

bool
segment_cids_remove(struct db *w, struct arena *a, int64_t segment, const struct str *cids,
	size_t n, int64_t *removed, struct err *e)
{
	struct col col;
	struct bulk bulk = sorted_bulk(a, cids, n, &col);

	return db_exec(w, SQL_CIDS_REMOVE, ARGS(V_INT(segment)), &bulk, removed, e);
}

struct sweeping {
	int64_t segment, swept;
};

static bool
sweep_tx(struct db *w, void *arg, struct err *e)
{
	struct sweeping *s = arg;

	return db_exec(w, SQL_CIDS_SWEEP, ARGS(V_INT(s->segment), V_INT(SWEEP)), NO_BULK,
		&s->swept, e);
}

bool
segment_cids_sweep(struct db *db, int64_t segment, struct err *e)
{
	struct sweeping s = {segment, 1};

	while (s.swept > 0)
		if (!db_write(db, sweep_tx, &s, e))
			return false;
	return true;
}

/* ---- who is in it ------------------------------------------------------------------------ */

static bool
read_filter(struct arena *a, const struct segment *s, json_t **out, struct err *e)
{
	return jr_parse(a, s->filter, out, e);
}

static bool
load_list(struct db *db, const struct segment *s, struct channel_set *out, int64_t *missing,
	struct err *e)
{
	struct page *p = malloc(sizeof(*p));
	bool ok;

	if (p == NULL)
		abort();
	p->n = 0;
	arena_init(&p->arena, 65536, SIZE_MAX);
	do {
		ok = next_page(db, s->no, p, e);
		for (size_t i = 0; ok && i < p->n; i++) {
			if (p->nos[i] != 0)
				channel_set_add(out, p->nos[i]);
			else
				++*missing;
		}
	} while (ok && p->n == PAGE);
	arena_fini(&p->arena);
	free(p);
	return ok;
}

static bool
add_channel(void *arg, const struct channel *c, struct err *e UNUSED)
{
	channel_set_add(arg, c->no);
	return true;
}

bool
segment_load_channels(struct db *db, struct arena *a, const struct segment *s, int64_t sender,
	struct channel_set *out, int64_t *missing, struct err *e)
{
	json_t *filter;

	*missing = 0;
	if (s->deleted_at != NO_TIME)
		return true;
	if (segment_is_list(s))
		return load_list(db, s, out, missing, e);
	if (s->all_sender_channels)
		return channel_scan_member(db, sender, out, e);
	return read_filter(a, s, &filter, e) && channel_scan(db, filter, add_channel, out, e);
}

bool
segment_walk_missing(struct db *db, const struct segment *s, const struct channel_set *fixed,
	segment_missing_fn fn, void *arg, struct err *e)
{
	struct page *p = malloc(sizeof(*p));
	struct str missing[PAGE];
	bool ok;

	if (p == NULL)
		abort();
	p->n = 0;
	arena_init(&p->arena, 65536, SIZE_MAX);
	do {
		size_t n = 0;

		ok = next_page(db, s->no, p, e);
		for (size_t i = 0; ok && i < p->n; i++)
			if (!channel_set_has(fixed, p->nos[i]))
				missing[n++] = p->cids[i];
		ok = ok && (n == 0 || fn(arg, missing, n, e));
	} while (ok && p->n == PAGE);
	arena_fini(&p->arena);
	free(p);
	return ok;
}

static bool
count_channel(void *arg, const struct channel *c UNUSED, struct err *e UNUSED)
{
	++*(int64_t *)arg;
	return true;
}

bool
segment_count_channels(
	struct db *db, struct arena *a, const struct segment *s, int64_t *out, struct err *e)
{
	json_t *filter;

	*out = 0;
	return read_filter(a, s, &filter, e) && channel_scan(db, filter, count_channel, out, e);
}

static bool
is_let_through(struct db *db, struct arena *a, const struct segment *s, struct str cid,
	bool *out, struct err *e)
{
	size_t colon = str_find(cid, ':', 0);
	struct channel c;
	json_t *filter;
	bool found;

	*out = false;
	if (!channel_find(db, a, str_sub(cid, 0, colon),
		    str_sub(cid, colon + 1, cid.n - colon - 1), &c, &found, e))
		return false;
	return !found ||
	       (read_filter(a, s, &filter, e) && channel_scan_one(db, filter, &c, out, e));
}

bool
segment_has_cid(struct db *db, struct arena *a, const struct segment *s, struct str cid,
	bool *out, struct err *e)
{
	struct col col = COL_TEXTS(&cid);
	struct bulk bulk = {&col, 1, 1};
	struct rows r;

	*out = false;
	if (s->all_sender_channels)
		return fail(e, ERR_INPUT,
			"segment %.*s is made of all channels of the sender, who is known "
			"only in a campaign",
			STR_ARG(s->id));
	if (!segment_cid_valid(cid))
		return true;
	if (!segment_is_list(s))
		return is_let_through(db, a, s, cid, out, e);
	if (!db_query(db, SQL_CIDS_FIND, ARGS(V_INT(s->no)), &bulk, &r, e))
		return false;
	*out = rows_next(&r);
	return rows_end(&r, e);
}

/* ---- pages ------------------------------------------------------------------------------ */

/* A listed cid that the page asks for by name. */
static bool
look_up(struct segment_search *q, struct err *e)
{
	const struct segment_range *range = &q->range;
	struct col col = COL_TEXTS(range->list);
	struct bulk bulk = {&col, 1, range->nlist};
	struct rows r;
	size_t n = 0;

	q->found = arena_array(q->a, range->nlist, sizeof(*q->found));
	if (!db_query(q->db, SQL_CIDS_FIND, ARGS(V_INT(q->segment->no)), &bulk, &r, e))
		return false;
	while (rows_next(&r)) {
		struct str cid = range->list[row_int(&r, 0)];

		if (segment_range_has(range, cid))
			q->found[n++] = (struct segment_found){
				.id = cid, .created_at = row_time(&r, 1)};
	}
	segment_search_cut(q, n);
	return rows_end(&r, e);
}

/* Takes what is let through of the rows between ${low} and ${high}, both included; *last is the
 * last row, and not taken when it comes again.  *more: there may be others. */
static bool
walk_page(struct segment_search *q, struct str low, struct str high, struct str *last,
	bool *more, struct err *e)
{
	int64_t limit = (int64_t)q->want + 2, n = 0;
	char seen[SEGMENT_CID_MAX];
	struct str id = STR_NONE;
	struct rows r;

	if (!db_query(q->db, q->descending ? SQL_CIDS_DOWN : SQL_CIDS_UP,
		    ARGS(V_INT(q->segment->no), V_TEXT(low), V_TEXT(high), V_INT(limit)),
		    NO_BULK, &r, e))
		return false;
	for (; q->n < q->want && rows_next(&r); n++) {
		id = row_str(&r, 0);
		memcpy(seen, id.p, id.n);
		id.p = seen;
		if (!segment_range_has(&q->range, id) || str_eq(id, *last))
			continue;
		q->found[q->n++] = (struct segment_found){
			.id = arena_dup(q->a, id), .created_at = row_time(&r, 1)};
	}
	*more = n == limit && q->n < q->want;
	if (*more)
		*last = arena_dup(q->a, id);
	return rows_end(&r, e);
}

static bool
walk(struct segment_search *q, struct err *e)
{
	const struct segment_range *range = &q->range;
	struct str low = range->low.p == NULL ? STR("") : range->low;
	struct str high = range->high.p == NULL ? STR("~") : range->high;
	struct str last = STR_NONE;
	bool more = true;

	q->found = arena_array(q->a, q->want, sizeof(*q->found));
	while (more) {
		if (!walk_page(q, low, high, &last, &more, e))
			return false;
		*(q->descending ? &high : &low) = last;
	}
	return true;
}

static bool
is_listed(const struct segment_range *range, struct str cid)
{
	return !range->listed ||
	       (range->nlist > 0 && bsearch(&cid, range->list, range->nlist, sizeof(cid),
					    str_cmp_qsort) != NULL);
}

/* What a filter lets through, as it comes; sorted and cut to a page whenever all places are
 * taken.  Each place has room for a cid, which goes with it when places are sorted. */
struct gathering {
	struct segment_search *q;
	size_t kept, cap;
};

static bool
gather(void *arg, const struct channel *c, struct err *e UNUSED)
{
	struct gathering *g = arg;
	struct segment_search *q = g->q;
	struct segment_found *place;

	if (!segment_range_has(&q->range, c->cid) || !is_listed(&q->range, c->cid))
		return true;
	if (g->kept == g->cap) {
		segment_search_cut(q, g->kept);
		g->kept = q->n;
	}
	place = &q->found[g->kept++];
	memcpy((char *)(uintptr_t)place->id.p, c->cid.p, c->cid.n);
	place->id.n = c->cid.n;
	return true;
}

static bool
gather_matches(struct segment_search *q, struct err *e)
{
	struct gathering g = {q, 0, 2 * q->want + PAGE};
	char *room = arena_array(q->a, g.cap, SEGMENT_CID_MAX);
	json_t *filter;

	q->found = arena_array(q->a, g.cap, sizeof(*q->found));
	for (size_t i = 0; i < g.cap; i++)
		q->found[i] = (struct segment_found){.id = {room + i * SEGMENT_CID_MAX, 0},
			.created_at = q->segment->created_at};
	if (!read_filter(q->a, q->segment, &filter, e) ||
		!channel_scan(q->db, filter, gather, &g, e))
		return false;
	segment_search_cut(q, g.kept);
	return true;
}

bool
segment_search_cids(struct segment_search *q, struct err *e)
{
	const struct segment *s = q->segment;

	if (s->all_sender_channels)
		return fail(e, ERR_INPUT,
			"segment %.*s is made of all channels of the sender, who is known "
			"only in a campaign",
			STR_ARG(s->id));
	if (!segment_is_list(s))
		return gather_matches(q, e);
	return q->range.listed ? look_up(q, e) : walk(q, e);
}
