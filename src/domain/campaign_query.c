/* campaign_query – pages of campaigns, and pages of the users a campaign lists. */
#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/bitset.h"
#include "domain/campaign.h"
#include "domain/page.h"
#include "domain/uidset.h"
#include "domain/user.h"
#include "store/db.h"

/* Listed users that one statement puts into order. */
#define LISTED_AT_ONCE 65536

/* api.md §2.3.7. */
static const struct filter_field fields[] = {
	{"id", FILTER_TEXT, OP_SCALAR, "c.id", FILTER_NEVER_NULL},
	{"name", FILTER_TEXT, OP_SCALAR, "c.name", FILTER_NEVER_NULL},
	{"sender_id", FILTER_TEXT, OP_SCALAR,
		"(SELECT u.id FROM users u WHERE u.uid = c.sender)", true},
	{"status", FILTER_TEXT, OP_SCALAR, "c.status", FILTER_NEVER_NULL},
	{"segments", FILTER_LINK, OP_CONTAINS | OP_EQ | OP_IN,
		"EXISTS (SELECT 1 FROM campaign_segments s WHERE s.campaign = c.no "
		"AND s.segment_id IN %s)",
		false},
	{"created_at", FILTER_TIME, OP_SCALAR, "c.created_at", FILTER_NEVER_NULL},
	{"updated_at", FILTER_TIME, OP_SCALAR, "c.updated_at", FILTER_NEVER_NULL},
};

static const struct filter_schema schema = {
	.subject = "campaign",
	.fields = fields,
	.n = ARRAY_LEN(fields),
	.tie = "c.id",
};

struct found {
	int64_t *no;
	size_t n;
};

static bool
collect(void *arg, struct rows *r, struct err *e UNUSED)
{
	struct found *f = arg;

	f->no[f->n++] = row_int(r, 0);
	return true;
}

struct query {
	struct arena *a;
	const struct app *app;
	const struct page_ask *ask;
	struct campaign **out;
	size_t *n;
	struct page_links *links;
};

static bool
query_in(struct db *db, void *arg, struct err *e)
{
	static const struct page_list list = {
		.name = "campaigns",
		.schema = &schema,
		.columns = "c.no",
		.from_where = "campaigns c WHERE c.deleted_at IS NULL",
		.default_field = "created_at",
		.default_descending = true,
	};
	const struct query *q = arg;
	struct found f = {.no = arena_array(q->a, (size_t)q->ask->limit, sizeof(int64_t))};

	if (!page_run(db, q->a, q->app, &list, q->ask, collect, &f, q->links, e))
		return false;
	*q->out = arena_array(q->a, f.n, sizeof(**q->out));
	*q->n = f.n;
	return campaign_by_nos(db, q->a, f.no, f.n, *q->out, e);
}

/* One snapshot for the page and what it shows of each campaign. */
bool
campaign_query(struct db *db, struct arena *a, const struct app *app,
	const struct page_ask *ask, struct campaign **out, size_t *n, struct page_links *links,
	struct err *e)
{
	struct query q = {a, app, ask, out, n, links};

	return db_read(db, query_in, &q, e);
}

/* ---- users ----------------------------------------------------------------------------- */

/* The uids of a stored set: at most CAMPAIGN_MAX_USERS. */
static bool
load_listed(
	struct db *db, struct arena *a, int64_t set, int64_t **uids, size_t *n, struct err *e)
{
	struct bitset members;
	bool ok;

	bitset_init(&members);
	ok = bitset_load(&members, db, set, e);
	*n = ok ? (size_t)bitset_count(&members) : 0;
	*uids = arena_array(a, *n, sizeof(**uids));
	for (int64_t i = 0, from = 0; i < (int64_t)*n; i++) {
		(*uids)[i] = bitset_next(&members, from);
		from = (*uids)[i] + 1;
	}
	bitset_fini(&members);
	return ok;
}

/* A position in a list of users: their ids lie behind / before it. */
struct position {
	struct str id; /* p == NULL: the beginning */
	bool before;
};

static bool
read_position(struct arena *a, const struct app *app, const struct campaign *c,
	const struct page_ask *ask, struct position *out, struct err *e)
{
	struct str cursor = ask->next.p != NULL ? ask->next : ask->prev;
	json_t *at;

	*out = (struct position){.id = STR_NONE, .before = ask->prev.p != NULL};
	if (cursor.p == NULL)
		return true;
	if (!page_open(a, app, "campaign_users", c->id, cursor, &at, e) ||
		!jr_str(at, out->before ? "before" : "after", OPTIONAL, &out->id, e))
		return false;
	return out->id.p != NULL || fail(e, ERR_INPUT, "%s: is not a cursor of this direction",
					    out->before ? "prev" : "next");
}

static struct str
seal(struct arena *a, const struct app *app, const struct campaign *c, const char *key,
	struct str id)
{
	json_t *at = json_pack("{s:s%}", key, id.p, id.n);
	struct str cursor = page_seal(a, app, "campaign_users", c->id, at);

	json_decref(at);
	return cursor;
}

/* Up to ${limit} of ${listed} from the position on, in the order of their ids. */
static bool
page_of(struct db *db, const int64_t *listed, size_t nlisted, const struct position *from,
	int64_t limit, int64_t *uids, size_t *n, struct err *e)
{
	struct col col = COL_INTS(listed);
	struct bulk bulk = {&col, 1, nlisted};
	struct str id = from->id.p != NULL ? from->id : STR("");
	struct rows r;

	*n = 0;
	if (!db_query(db, from->before ? SQL_CAMPAIGN_USERS_BEFORE : SQL_CAMPAIGN_USERS_AFTER,
		    ARGS(V_TEXT(id), V_INT(limit)), &bulk, &r, e))
		return false;
	while (rows_next(&r))
		uids[(*n)++] = row_int(&r, 0);
	for (size_t i = 0; from->before && i < *n / 2; i++) {
		int64_t swap = uids[i];

		uids[i] = uids[*n - 1 - i];
		uids[*n - 1 - i] = swap;
	}
	return rows_end(&r, e);
}

bool
campaign_users(struct db *db, struct arena *a, const struct app *app, const struct campaign *c,
	const struct page_ask *ask, struct user **out, size_t *n, struct page_links *links,
	struct err *e)
{
	struct position from;
	int64_t *listed, *uids;
	size_t nlisted, limit = (size_t)ask->limit;
	bool more;

	*links = (struct page_links){STR_NONE, STR_NONE};
	*n = 0;
	*out = NULL;
	if (c->user_set == 0)
		return true;
	/* One more than the page, to know whether it goes on. */
	uids = arena_array(a, limit + 1, sizeof(*uids));
	if (!read_position(a, app, c, ask, &from, e) ||
		!load_listed(db, a, c->user_set, &listed, &nlisted, e) ||
		!page_of(db, listed, nlisted, &from, ask->limit + 1, uids, n, e))
		return false;
	more = *n > limit;
	if (more) {
		*n = limit;
		uids += from.before;
	}
	if (!user_by_uids(db, a, uids, *n, out, e))
		return false;
	if (*n > 0 && (more || from.before))
		links->next = seal(a, app, c, "after", (*out)[*n - 1].id);
	if (*n > 0 && (from.before ? more : from.id.p != NULL))
		links->prev = seal(a, app, c, "before", (*out)[0].id);
	return true;
}

/* ---- users of many -------------------------------------------------------------------- */

/* The first users of lists from..to, in the order of their ids: appended to ${uids}. */
static bool
first_of(struct db *db, struct arena *a, const struct uid_list *lists, size_t from, size_t to,
	int64_t limit, int64_t *uids, struct campaign_page *pages, struct err *e)
{
	struct buf column[2];
	struct col cols[2];
	struct bulk bulk = {cols, ARRAY_LEN(cols), 0};
	struct rows r;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(column); i++)
		buf_init(&column[i], a, 1024);
	for (size_t i = from; i < to; i++)
		for (size_t k = 0; k < lists[i].n; k++, bulk.nrows++) {
			buf_add(&column[0], &(int64_t){(int64_t)i}, sizeof(int64_t));
			buf_add(&column[1], &lists[i].v[k], sizeof(int64_t));
		}
	if (bulk.nrows == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(column); i++)
		cols[i] = COL_INTS((const int64_t *)(const void *)column[i].p);
	if (!db_query(db, SQL_CAMPAIGN_FIRST_USERS, ARGS(V_INT(limit)), &bulk, &r, e))
		return false;
	while (rows_next(&r)) {
		pages[row_int(&r, 0)].n++;
		uids[n++] = row_int(&r, 1);
	}
	return rows_end(&r, e);
}

bool
campaign_users_of_many(struct db *db, struct arena *a, const struct campaign *c, size_t n,
	int64_t limit, struct campaign_page *out, struct err *e)
{
	int64_t *sets = arena_array(a, n, sizeof(*sets));
	struct uid_list *lists = arena_array(a, n, sizeof(*lists));
	int64_t *uids = arena_array(a, n * (size_t)limit, sizeof(*uids));
	struct user *users;
	size_t nusers = 0;

	for (size_t i = 0; i < n; i++) {
		sets[i] = c[i].user_set; /* 0: one without targets */
		out[i] = (struct campaign_page){0};
	}
	if (!uidset_list_many(db, a, sets, n, lists, e))
		return false;
	for (size_t from = 0, to; from < n; from = to) {
		size_t rows = lists[from].n;

		for (to = from + 1; to < n && rows + lists[to].n <= LISTED_AT_ONCE; to++)
			rows += lists[to].n;
		if (!first_of(db, a, lists, from, to, limit, uids + nusers, out, e))
			return false;
		for (size_t i = from; i < to; i++)
			nusers += out[i].n;
	}
	if (!user_by_uids(db, a, uids, nusers, &users, e))
		return false;
	for (size_t i = 0; i < n; users += out[i++].n)
		out[i].users = users;
	return true;
}
