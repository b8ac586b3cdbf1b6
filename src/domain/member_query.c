/* member_query – members tested one by one, sorted, cut to a page.  They are looked at slice by
 * slice, so that of each no more than its sort key is kept. */
#include "domain/member_query.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "domain/channel.h"
#include "domain/match.h"
#include "domain/user.h"
#include "store/db.h"

#define SLICE       200
#define SLICE_FIRST ((size_t)256 << 10)
#define SLICE_CAP   ((size_t)32 << 20)

enum which {
	ID,
	NAME,
	EMAIL,
	LAST_ACTIVE,
	CID,
	ROLE,
	INVITE,
	CREATED_AT,
	UPDATED_AT,
	JOINED,
	IS_MODERATOR,
	NEVER, /* what members cannot be: banned, muted */
	OTHER
};

static const struct match_field fields[] = {
	{"id", ID, MATCH_TEXT, MATCH_OPS_TEXT, false},
	{"user_id", ID, MATCH_TEXT, MATCH_OPS_TEXT, true},
	{"name", NAME, MATCH_TEXT, MATCH_OPS_TEXT, true},
	{"user.email", EMAIL, MATCH_TEXT, OP_EQ | OP_IN | OP_AUTOCOMPLETE, false},
	{"last_active", LAST_ACTIVE, MATCH_TIME, MATCH_OPS_NUMBER, true},
	{"cid", CID, MATCH_TEXT, OP_EQ | OP_IN, false},
	{"channel_role", ROLE, MATCH_TEXT, OP_EQ | OP_IN, false},
	{"invite", INVITE, MATCH_TEXT, OP_EQ | OP_IN, false},
	{"created_at", CREATED_AT, MATCH_TIME, MATCH_OPS_NUMBER, true},
	{"updated_at", UPDATED_AT, MATCH_TIME, MATCH_OPS_NUMBER, true},
	{"joined", JOINED, MATCH_BOOL, MATCH_OPS_BOOL, false},
	{"is_moderator", IS_MODERATOR, MATCH_BOOL, MATCH_OPS_BOOL, false},
	{"banned", NEVER, MATCH_BOOL, MATCH_OPS_BOOL, false},
	{"shadow_banned", NEVER, MATCH_BOOL, MATCH_OPS_BOOL, false},
	{"notifications_muted", NEVER, MATCH_BOOL, MATCH_OPS_BOOL, false},
};

static const struct match_field custom = {
	"", OTHER, MATCH_CUSTOM, MATCH_OPS_TEXT | OP_CONTAINS, false};

static const struct match_schema schema = {fields, ARRAY_LEN(fields), &custom};

struct look {
	struct arena *arena;
	const struct channel *channel;
	const struct member *member;
	const struct user *user; /* only when the query speaks of users */
};

/* ---- what a member has ------------------------------------------------------------------- */

static struct str
text_of(const struct look *l, enum which which)
{
	const struct match_at email = {.path = {STR("email")}, .npath = 1};
	struct match_value v;

	switch (which) {
	case ID:
		return l->user->id;
	case NAME:
		return l->user->name;
	case CID:
		return l->channel->cid;
	case ROLE:
		return l->member->role;
	case INVITE:
		return channel_invite(l->member);
	default:
		v = match_custom(l->arena, l->user->custom, &email);
		return v.type == IS_TEXT ? v.s : STR_NONE;
	}
}

static int64_t
number_of(const struct look *l, enum which which)
{
	const struct member *m = l->member;

	switch (which) {
	case LAST_ACTIVE:
		return l->user->last_active;
	case CREATED_AT:
		return m->created_at;
	case UPDATED_AT:
		return m->updated_at;
	case JOINED:
		return m->invited_at == NO_TIME || m->accepted_at != NO_TIME;
	case IS_MODERATOR:
		return str_is(m->role, "channel_moderator");
	default:
		return 0;
	}
}

static struct match_value
value_at(const struct look *l, const struct match_at *at)
{
	const struct match_field *field = at->field;
	struct match_value out = {.type = MATCH_NOTHING};

	if (field->kind == MATCH_CUSTOM)
		return match_custom(l->arena, l->member->custom, at);
	if (field->kind == MATCH_TEXT) {
		out.s = text_of(l, (enum which)field->which);
		out.type = out.s.p ? IS_TEXT : MATCH_NOTHING;
		return out;
	}
	out.i = number_of(l, (enum which)field->which);
	out.type = field->kind == MATCH_BOOL ? IS_BOOL : IS_INT;
	if (field->kind == MATCH_TIME && out.i == NO_TIME)
		out.type = MATCH_NOTHING;
	return out;
}

static bool
meets(const struct match *leaf, const void *thing, bool *out, struct err *e)
{
	const struct look *l = thing;
	struct match_value has = value_at(l, &leaf->at);

	(void)e;
	*out = match_value_meets(l->arena, leaf, &has);
	return true;
}

/* ---- the query -----------------------------------------------------------------------------
 */

struct hit {
	const struct member *member;
	struct match_key key;
	const struct match_order *order;
};

struct query {
	struct db *db;
	struct arena *arena, slice;
	const struct channel *channel;
	struct match *filter;
	struct match_order order;
	bool needs_users;
	struct hit *hits;
	size_t nhits;
};

static bool
speaks_of_users(const struct query *q)
{
	static const enum which of_users[] = {ID, NAME, EMAIL, LAST_ACTIVE};

	for (size_t i = 0; i < ARRAY_LEN(of_users); i++)
		if (match_mentions(q->filter, of_users[i]) ||
			match_order_mentions(&q->order, of_users[i]))
			return true;
	return false;
}

static bool
consider(struct query *q, const struct look *l, struct err *e)
{
	struct arena_mark mark = arena_mark(&q->slice);
	struct hit *hit = &q->hits[q->nhits];
	struct match_value v;
	bool passes;

	if (!match_test(q->filter, meets, l, &passes, e))
		return false;
	if (passes) {
		v = value_at(l, &q->order.at[0]);
		*hit = (struct hit){l->member, match_key_of(&v), &q->order};
		if (hit->key.type == KEY_TEXT)
			hit->key.s = arena_dup(q->arena, hit->key.s);
		q->nhits++;
	}
	arena_rewind(&q->slice, mark);
	return arena_check(q->arena, e);
}

static bool
consider_slice(struct query *q, const struct member *members, size_t n, struct err *e)
{
	int64_t *uids = arena_array(&q->slice, n + 1, sizeof(*uids));
	struct look look = {.arena = &q->slice, .channel = q->channel};
	struct user *users = NULL;

	for (size_t i = 0; i < n; i++)
		uids[i] = members[i].uid;
	if (q->needs_users && !user_by_uids(q->db, &q->slice, uids, n, &users, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		look.member = &members[i];
		look.user = users ? &users[i] : NULL;
		if (!consider(q, &look, e))
			return false;
	}
	return true;
}

static int
cmp_hits(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;
	int c = match_order_cmp(x->order, &x->key, &y->key);

	if (c == 0)
		c = (x->member->created_at > y->member->created_at) -
		    (x->member->created_at < y->member->created_at);
	return c != 0 ? c
		      : (x->member->uid > y->member->uid) - (x->member->uid < y->member->uid);
}

static bool
run(struct db *db, void *arg, struct err *e)
{
	struct query *q = arg;
	struct member *members;
	int64_t total;
	size_t n;

	q->db = db;
	q->nhits = 0;
	if (!channel_members(db, q->arena, q->channel, 0, &members, &n, &total, e))
		return false;
	q->hits = arena_array(q->arena, n + 1, sizeof(*q->hits));
	for (size_t i = 0; i < n; i += SLICE) {
		arena_reset(&q->slice);
		if (!consider_slice(q, members + i, MIN_OF(n - i, (size_t)SLICE), e))
			return false;
	}
	if (q->nhits > 1)
		qsort(q->hits, q->nhits, sizeof(*q->hits), cmp_hits);
	return true;
}

bool
member_query(struct db *db, struct arena *a, const struct channel *c,
	const struct member_query *ask, struct member **out, size_t *n, struct err *e)
{
	struct query q = {.arena = a, .channel = c};
	size_t first;
	bool ok;

	if (!match_compile(db, a, ask->filter, &schema, &q.filter, e) ||
		!match_read_order(ask->sort, &schema, "members", 1, &q.order, e))
		return false;
	if (q.order.n == 0)
		q.order = (struct match_order){
			{match_find(&schema, STR("created_at"))}, {false}, 1};
	q.needs_users = speaks_of_users(&q);
	arena_init(&q.slice, SLICE_FIRST, SLICE_CAP);
	ok = db_read(db, run, &q, e);
	arena_fini(&q.slice);
	if (!ok)
		return false;
	first = MIN_OF((size_t)ask->offset, q.nhits);
	*n = MIN_OF((size_t)ask->limit, q.nhits - first);
	*out = arena_array(a, *n + 1, sizeof(**out));
	for (size_t i = 0; i < *n; i++)
		(*out)[i] = *q.hits[first + i].member;
	return true;
}
