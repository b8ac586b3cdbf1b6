/* poll – polls as they are read: one, many, pages. */
#include "domain/poll.h"

#include "base/arena.h"
#include "base/err.h"
#include "domain/filter.h"
#include "domain/page.h"
#include "domain/poll_impl.h"
#include "store/db.h"

/* api.md §6.7; the fields that the clients offer. */
static const struct filter_field fields[] = {
	{"id", FILTER_TEXT, OP_EQ | OP_IN, "p.id", FILTER_NEVER_NULL},
	{"poll_id", FILTER_TEXT, OP_EQ | OP_IN, "p.id", FILTER_NEVER_NULL},
	{"name", FILTER_TEXT, OP_EQ | OP_IN, "p.name", FILTER_NEVER_NULL},
	{"voting_visibility", FILTER_TEXT, OP_EQ, "p.voting_visibility", FILTER_NEVER_NULL},
	{"max_votes_allowed", FILTER_INT, OP_EQ | OP_NE | OP_RANGE, "p.max_votes_allowed",
		true},
	{"allow_user_suggested_options", FILTER_BOOL, OP_EQ, "p.allow_user_suggested_options",
		FILTER_NEVER_NULL},
	{"allow_answers", FILTER_BOOL, OP_EQ, "p.allow_answers", FILTER_NEVER_NULL},
	{"is_closed", FILTER_BOOL, OP_EQ, "p.is_closed", FILTER_NEVER_NULL},
	{"created_by_id", FILTER_TEXT, OP_EQ | OP_IN,
		"(SELECT u.id FROM users u WHERE u.uid = p.creator)", true},
	{"created_at", FILTER_TIME, OP_EQ | OP_RANGE, "p.created_at", FILTER_NEVER_NULL},
	{"updated_at", FILTER_TIME, OP_EQ | OP_RANGE, "p.updated_at", FILTER_NEVER_NULL},
};

static const struct filter_schema schema = {
	.subject = "poll",
	.fields = fields,
	.n = ARRAY_LEN(fields),
	.tie = "p.id",
};

/* ---- rows ------------------------------------------------------------------------------- */

static void
head_from_row(struct rows *r, struct arena *a, struct poll *out)
{
	*out = (struct poll){
		.no = row_int(r, 1),
		.id = arena_dup(a, row_str(r, 2)),
		.creator = row_int(r, 3),
		.name = arena_dup(a, row_str(r, 4)),
		.description = arena_dup(a, row_str(r, 5)),
		.voting_visibility = arena_dup(a, row_str(r, 6)),
		.enforce_unique_vote = row_int(r, 7) != 0,
		.max_votes_allowed = row_int(r, 8),
		.allow_answers = row_int(r, 9) != 0,
		.allow_user_suggested_options = row_int(r, 10) != 0,
		.is_closed = row_int(r, 11) != 0,
		.answers = row_int(r, 12),
		.next_option = row_int(r, 13),
		.created_at = row_int(r, 14),
		.updated_at = row_int(r, 15),
		.custom = row_null(r, 16) ? STR_NONE : arena_dup(a, row_str(r, 16)),
	};
}

static void
option_from_row(struct rows *r, struct arena *a, struct poll_option *out)
{
	*out = (struct poll_option){
		.no = row_int(r, 1),
		.votes = row_int(r, 2),
		.created_at = row_int(r, 3),
		.updated_at = row_int(r, 4),
		.id = arena_dup(a, row_str(r, 5)),
		.text = arena_dup(a, row_str(r, 6)),
		.custom = row_null(r, 7) ? STR_NONE : arena_dup(a, row_str(r, 7)),
	};
}

/* ---- polls and options ------------------------------------------------------------------ */

static bool
load_heads(struct db *db, struct arena *a, const struct str *ids, size_t n, struct poll *polls,
	size_t *nout, struct err *e)
{
	struct col col = COL_TEXTS(ids);
	struct bulk bulk = {&col, 1, n};
	struct rows r;

	*nout = 0;
	for (size_t i = 0; i < n; i++)
		polls[i].no = 0;
	if (!db_query(db, SQL_POLL_BY_IDS, NO_ARGS, &bulk, &r, e))
		return false;
	while (!arena_overflowed(a) && rows_next(&r))
		head_from_row(&r, a, &polls[row_int(&r, 0)]);
	if (!rows_end(&r, e))
		return false;
	for (size_t i = 0; i < n; i++)
		if (polls[i].no != 0)
			polls[(*nout)++] = polls[i];
	return arena_check(a, e);
}

static const int64_t *
numbers_of(struct arena *a, const struct poll *polls, size_t n)
{
	int64_t *nos = arena_array(a, n, sizeof(*nos));

	for (size_t i = 0; i < n; i++)
		nos[i] = polls[i].no;
	return nos;
}

/* Rows come poll by poll, so all lie in one array, of which each poll has a piece. */
static bool
load_options(struct db *db, struct arena *a, struct poll *polls, size_t n, struct err *e)
{
	struct col col = COL_INTS(numbers_of(a, polls, n));
	struct bulk bulk = {&col, 1, n};
	struct poll_option *next;
	struct rows r;
	struct buf all;

	buf_init(&all, a, 8 * sizeof(struct poll_option));
	if (!db_query(db, SQL_POLL_OPTIONS_OF, NO_ARGS, &bulk, &r, e))
		return false;
	while (!arena_overflowed(a) && rows_next(&r)) {
		struct poll *p = &polls[row_int(&r, 0)];
		struct poll_option option;

		option_from_row(&r, a, &option);
		buf_add(&all, &option, sizeof(option));
		p->noptions++;
		p->votes += option.votes;
	}
	next = (struct poll_option *)(void *)all.p;
	for (size_t i = 0; i < n; i++) {
		polls[i].options = next;
		next += polls[i].noptions;
	}
	return rows_end(&r, e) && arena_check(a, e);
}

static bool
load(struct db *db, struct arena *a, const struct str *ids, size_t n, struct poll *polls,
	size_t *nout, struct err *e)
{
	return load_heads(db, a, ids, n, polls, nout, e) &&
	       (*nout == 0 || load_options(db, a, polls, *nout, e));
}

static bool
fail_unknown(struct str id, struct err *e)
{
	return fail(e, ERR_NOT_FOUND, "poll with id %.*s doesn't exist", STR_ARG(id));
}

bool
poll_load(struct db *db, struct arena *a, struct str id, struct poll *out, struct err *e)
{
	size_t n;

	return load(db, a, &id, 1, out, &n, e) && (n == 1 || fail_unknown(id, e));
}

const struct poll_option *
poll_option_find(const struct poll *p, struct str id)
{
	for (size_t i = 0; i < p->noptions; i++)
		if (str_eq(p->options[i].id, id))
			return &p->options[i];
	return NULL;
}

/* ---- votes ------------------------------------------------------------------------------ */

/* Answers are none of the options. */
static size_t
count_voted(const struct poll *p)
{
	size_t n = p->answers > 0;

	for (size_t i = 0; i < p->noptions; i++)
		n += p->options[i].votes > 0;
	return n;
}

/* Takes the votes of a query whose row ${ord} asked for votes of of[ord]; what was asked of one
 * poll stands together, so all lie in one array, of which each poll has a piece. */
static bool
take_votes(struct rows *r, struct arena *a, const struct app *app, struct poll *const *of,
	size_t n, bool are_own, struct err *e)
{
	struct poll_vote vote, *next;
	struct buf all;

	buf_init(&all, a, 8 * sizeof(vote));
	while (!arena_overflowed(a) && rows_next(r)) {
		struct poll *p = of[row_int(r, 0)];

		if (!poll_vote_from_row(r, a, app, p, &vote))
			continue;
		buf_add(&all, &vote, sizeof(vote));
		(are_own ? &p->own : &p->latest)->n++;
	}
	next = (struct poll_vote *)(void *)all.p;
	for (size_t i = 0; i < n; i++) {
		struct poll_votes *votes = are_own ? &of[i]->own : &of[i]->latest;

		if (i > 0 && of[i] == of[i - 1])
			continue;
		votes->v = next;
		next += votes->n;
	}
	return rows_end(r, e) && arena_check(a, e);
}

static bool
load_latest(struct db *db, struct arena *a, const struct app *app, struct poll *polls, size_t n,
	struct err *e)
{
	size_t max = 0, asked = 0;
	int64_t *nos, *options;
	struct poll **of;
	struct rows r;

	for (size_t i = 0; i < n; i++)
		max += count_voted(&polls[i]);
	if (max == 0)
		return true;
	nos = arena_array(a, max, sizeof(*nos));
	options = arena_array(a, max, sizeof(*options));
	of = arena_array(a, max, sizeof(struct poll *));
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k <= polls[i].noptions; k++) {
			bool is_option = k < polls[i].noptions;

			if ((is_option ? polls[i].options[k].votes : polls[i].answers) == 0)
				continue;
			nos[asked] = polls[i].no;
			options[asked] = is_option ? polls[i].options[k].no : 0;
			of[asked++] = &polls[i];
		}
	}
	return db_query(db, SQL_POLL_VOTES_LATEST, ARGS(V_INT(POLL_LATEST)),
		       &(struct bulk){(const struct col[]){COL_INTS(nos), COL_INTS(options)}, 2,
			       asked},
		       &r, e) &&
	       take_votes(&r, a, app, of, asked, false, e);
}

bool
poll_load_own(struct db *db, struct arena *a, const struct app *app, struct poll *polls,
	size_t n, int64_t uid, struct err *e)
{
	struct poll **of = arena_array(a, n, sizeof(struct poll *));
	struct col col = COL_INTS(numbers_of(a, polls, n));
	struct bulk bulk = {&col, 1, n};
	struct rows r;

	for (size_t i = 0; i < n; i++)
		of[i] = &polls[i];
	return db_query(db, SQL_POLL_VOTES_OF_USER, ARGS(V_INT(uid)), &bulk, &r, e) &&
	       take_votes(&r, a, app, of, n, true, e);
}

/* ---- exported --------------------------------------------------------------------------- */

struct listing {
	struct arena *a;
	const struct app *app;
	const struct str *ids;
	size_t n;
	int64_t viewer;
	struct poll *polls;
	size_t *nout;
};

static bool
list_in(struct db *db, void *arg, struct err *e)
{
	struct listing *l = arg;

	if (!load(db, l->a, l->ids, l->n, l->polls, l->nout, e))
		return false;
	return *l->nout == 0 ||
	       (load_latest(db, l->a, l->app, l->polls, *l->nout, e) &&
		       (l->viewer == 0 || poll_load_own(db, l->a, l->app, l->polls, *l->nout,
						  l->viewer, e)));
}

bool
poll_list(struct db *db, struct arena *a, const struct app *app, const struct str *ids,
	size_t n, int64_t viewer, struct poll **out, size_t *nout, struct err *e)
{
	struct listing l = {a, app, ids, n, viewer, arena_array(a, n, sizeof(**out)), nout};

	*out = l.polls;
	*nout = 0;
	return n == 0 || db_read(db, list_in, &l, e);
}

bool
poll_get(struct db *db, struct arena *a, const struct app *app, struct str id, int64_t viewer,
	struct poll *out, struct err *e)
{
	struct poll *found;
	size_t n;

	if (!poll_list(db, a, app, &id, 1, viewer, &found, &n, e))
		return false;
	if (n == 0)
		return fail_unknown(id, e);
	*out = found[0];
	return true;
}

bool
poll_check(struct db *db, struct str id, int64_t sender, struct err *e)
{
	int64_t creator;
	bool found;

	if (!db_get_int(db, SQL_POLL_CREATOR, ARGS(V_TEXT(id)), &creator, &found, e))
		return false;
	if (!found)
		return fail_unknown(id, e);
	return sender == 0 || sender == creator ||
	       fail(e, ERR_DENIED,
		       "poll with id %.*s can be sent only by the user who created it",
		       STR_ARG(id));
}

struct query {
	struct arena *a;
	const struct app *app;
	const struct page_ask *ask;
	int64_t creator, viewer;
	struct poll **out;
	size_t *n;
	struct page_links *links;
	struct str *ids; /* of the page */
	size_t nids;
};

static bool
collect(void *arg, struct rows *r, struct err *e UNUSED)
{
	struct query *q = arg;

	q->ids[q->nids++] = arena_dup(q->a, row_str(r, 0));
	return true;
}

static bool
query_in(struct db *db, void *arg, struct err *e)
{
	static const char all[] = "polls p WHERE p.deleted_at IS NULL";
	static const char own[] = "polls p WHERE p.deleted_at IS NULL AND p.creator = $1";
	struct query *q = arg;
	struct val creator = V_INT(q->creator);
	struct page_list list = {
		.name = "polls",
		.schema = &schema,
		.columns = "p.id",
		.from_where = q->creator == 0 ? all : own,
		.default_field = "created_at",
		.default_descending = true,
		.args = {&creator, q->creator != 0},
	};

	return page_run(db, q->a, q->app, &list, q->ask, collect, q, q->links, e) &&
	       poll_list(db, q->a, q->app, q->ids, q->nids, q->viewer, q->out, q->n, e);
}

bool
poll_query(struct db *db, struct arena *a, const struct app *app, const struct page_ask *ask,
	int64_t creator, int64_t viewer, struct poll **out, size_t *n, struct page_links *links,
	struct err *e)
{
	struct query q = {a, app, ask, creator, viewer, out, n, links,
		arena_array(a, (size_t)ask->limit, sizeof(struct str)), 0};

	return db_read(db, query_in, &q, e);
}
