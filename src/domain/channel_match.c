/* channel_match – the testing half of channel_filter: what a channel has against a condition.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/jscan.h"
#include "domain/channel_filter.h"
#include "domain/channel_filter_impl.h"
#include "domain/read.h"

/* ---- what a channel has ---------------------------------------------------------------- */

static bool
count_unread(const struct channel_look *l, int64_t *out, struct err *e)
{
	*out = 0;
	return l->me->uid == 0 || read_unread(l->db, l->arena, l->channel, l->me, out, e);
}

static bool
number_of(const struct channel_look *l, enum which which, int64_t *out, struct err *e)
{
	const struct channel *c = l->channel;
	const struct member *me = l->me;
	struct arena_mark mark;
	bool in = me->uid != 0, ok;

	switch (which) {
	case CREATED_AT:
		*out = c->created_at;
		return true;
	case UPDATED_AT:
		*out = c->updated_at;
		return true;
	case LAST_MESSAGE_AT:
		*out = l->last_message_at;
		return true;
	case LAST_UPDATED:
		*out = MAX_OF(l->last_message_at, c->created_at);
		return true;
	case PINNED_AT:
		*out = in ? me->pinned_at : NO_TIME;
		return true;
	case MEMBER_COUNT:
		mark = arena_mark(l->arena);
		ok = channel_member_count(l->db, l->arena, c, out, e);
		arena_rewind(l->arena, mark);
		return ok;
	case UNREAD_COUNT:
		return count_unread(l, out, e);
	case HAS_UNREAD:
		if (!count_unread(l, out, e))
			return false;
		*out = *out > 0;
		return true;
	case FROZEN:
		*out = c->frozen;
		return true;
	case DISABLED:
		*out = c->disabled;
		return true;
	case HIDDEN:
		*out = in && me->hidden_at != NO_TIME;
		return true;
	case ARCHIVED:
		*out = in && me->archived_at != NO_TIME;
		return true;
	case PINNED:
		*out = in && me->pinned_at != NO_TIME;
		return true;
	case JOINED:
		*out = in;
		return true;
	case DISTINCT:
		*out = str_starts(c->id, STR(FORM_DISTINCT_PREFIX));
		return true;
	case CREATED_BY:
		*out = c->creator;
		return true;
	default:
		*out = 0;
		return true;
	}
}

static struct str
text_of(const struct channel_look *l, enum which which)
{
	switch (which) {
	case CID:
		return l->channel->cid;
	case ID:
		return l->channel->id;
	case TYPE:
		return l->channel->type;
	case TEAM:
		return l->channel->team;
	default:
		return l->me->uid != 0 ? l->me->role : STR_NONE;
	}
}

static struct value
value_of_json(struct arena *a, struct jscan_value v)
{
	struct value out = {.type = NOTHING};

	switch (v.type) {
	case JSCAN_NONE:
	case JSCAN_NULL:
		break;
	case JSCAN_STRING:
		out.type = IS_TEXT;
		out.s = jscan_text(a, v);
		break;
	case JSCAN_NUMBER:
		out.type = str_to_i64(v.raw, &out.i) ? IS_INT : IS_REAL;
		out.d = jscan_number(v.raw);
		break;
	case JSCAN_TRUE:
	case JSCAN_FALSE:
		out.type = IS_BOOL;
		out.i = v.type == JSCAN_TRUE;
		break;
	default:
		out.type = IS_JSON;
		out.s = v.raw;
		break;
	}
	return out;
}

/* Any field but the members. */
static bool
value_at(const struct channel_look *l, const struct channel_field *at, struct value *out,
	struct err *e)
{
	const struct field *field = at->field;

	*out = (struct value){.type = NOTHING};
	if (field->kind == CUSTOM) {
		if (l->channel->custom.p != NULL)
			*out = value_of_json(
				l->arena, jscan_path(l->channel->custom, at->path, at->npath));
		return true;
	}
	if (field->kind == TEXT) {
		out->s = text_of(l, field->which);
		out->type = out->s.p ? IS_TEXT : NOTHING;
		return true;
	}
	if (!number_of(l, field->which, &out->i, e))
		return false;
	out->d = (double)out->i;
	out->type = field->kind == BOOL ? IS_BOOL : IS_INT;
	if ((field->kind == TIME && out->i == NO_TIME) || (field->kind == USER && out->i == 0))
		out->type = NOTHING;
	return true;
}

/* ---- testing --------------------------------------------------------------------------- */

static bool
is_number(const struct value *v)
{
	return v->type == IS_INT || v->type == IS_REAL;
}

/* False when the two cannot be compared. */
static bool
compare(const struct value *a, const struct value *b, int *order)
{
	if (a->type == IS_TEXT && b->type == IS_TEXT) {
		*order = str_cmp(a->s, b->s);
		return true;
	}
	if (a->type == b->type && (a->type == IS_INT || a->type == IS_BOOL)) {
		*order = (a->i > b->i) - (a->i < b->i);
		return true;
	}
	if (is_number(a) && is_number(b)) {
		*order = (a->d > b->d) - (a->d < b->d);
		return true;
	}
	return false;
}

static bool
equals(struct arena *arena, const struct value *has, const struct value *want)
{
	json_t *tree;
	struct err ignored;
	int order;

	if (has->type == IS_JSON && want->type == IS_JSON)
		return jr_parse(arena, has->s, &tree, &ignored) && tree != NULL &&
		       json_equal(tree, want->json);
	return compare(has, want, &order) && order == 0;
}

/* Whether a word of ${text} begins with ${start}; ASCII case does not matter. */
static bool
has_word(struct str text, struct str start)
{
	for (size_t i = 0; start.n <= text.n && i <= text.n - start.n; i++) {
		if ((i == 0 || text.p[i - 1] == ' ') &&
			str_ieq(str_sub(text, i, start.n), start))
			return true;
	}
	return false;
}

static bool
contains(struct arena *arena, const struct value *has, const struct value *want)
{
	struct jscan_value item;

	if (has->type == IS_TEXT && want->type == IS_TEXT)
		return memmem(has->s.p, has->s.n, want->s.p, want->s.n) != NULL;
	if (has->type != IS_JSON || has->s.p[0] != '[')
		return false;
	for (size_t at = 0; jscan_next(has->s, &at, &item);) {
		struct value v = value_of_json(arena, item);

		if (equals(arena, &v, want))
			return true;
	}
	return false;
}

static bool
test_value(struct arena *arena, const struct channel_filter *n, const struct value *has)
{
	const struct value *want = n->values;
	int order = 0;
	bool comparable, any = false;

	switch (n->op) {
	case OP_EXISTS:
		return (has->type != NOTHING) == (want->i != 0);
	case OP_IN:
	case OP_NIN:
		for (size_t i = 0; i < n->nvalues && !any; i++)
			any = equals(arena, has, &want[i]);
		return any == (n->op == OP_IN);
	case OP_EQ:
		return equals(arena, has, want);
	case OP_NE:
		return !equals(arena, has, want);
	case OP_CONTAINS:
		return contains(arena, has, want);
	case OP_AUTOCOMPLETE:
		return has->type == IS_TEXT && want->type == IS_TEXT &&
		       has_word(has->s, want->s);
	default:
		break;
	}
	comparable = compare(has, want, &order);
	return comparable &&
	       ((n->op == OP_GT && order > 0) || (n->op == OP_GTE && order >= 0) ||
		       (n->op == OP_LT && order < 0) || (n->op == OP_LTE && order <= 0));
}

static bool
has_uid(const struct value *v, size_t n, int64_t uid)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].i == uid)
			return true;
	return false;
}

/* members: $eq is the whole set, $in any of it. */
static bool
test_members(
	const struct channel_filter *n, const struct channel_look *l, bool *out, struct err *e)
{
	struct member *members, one;
	size_t nmembers;
	int64_t total;
	bool found = false;

	if (n->op == OP_EQ) {
		size_t inside = 0;

		if (!channel_members(
			    l->db, l->arena, l->channel, 0, &members, &nmembers, &total, e))
			return false;
		for (size_t i = 0; i < nmembers; i++)
			inside += has_uid(n->values, n->nvalues, members[i].uid);
		*out = inside == nmembers;
		for (size_t i = 0; i < n->nvalues && *out; i++) {
			bool there = false;

			for (size_t k = 0; k < nmembers && !there; k++)
				there = members[k].uid == n->values[i].i;
			*out = there;
		}
		return true;
	}
	for (size_t i = 0; i < n->nvalues && !found; i++) {
		if (l->me->uid != 0 && l->me->uid == n->values[i].i)
			found = true;
		else if (!channel_member(
				 l->db, l->arena, l->channel, n->values[i].i, &one, &found, e))
			return false;
	}
	*out = found == (n->op == OP_IN);
	return true;
}

static bool
test(const struct channel_filter *n, const struct channel_look *l, bool *out, struct err *e)
{
	struct value has;

	if (n->at.field->kind == USERS)
		return test_members(n, l, out, e);
	if (!value_at(l, &n->at, &has, e))
		return false;
	*out = test_value(l->arena, n, &has);
	return true;
}

/* Depth is bounded by compile(). */
bool
channel_filter_test(
	const struct channel_filter *n, const struct channel_look *l, bool *out, struct err *e)
{
	if (n->kind == TEST)
		return test(n, l, out, e);
	for (size_t i = 0; i < n->nkids; i++) {
		bool kid;

		if (!channel_filter_test(&n->kids[i], l, &kid, e))
			return false;
		if (kid != (n->kind == ALL)) {
			*out = n->kind == ANY;
			return true;
		}
	}
	*out = n->kind != ANY;
	return true;
}

/* ---- sorting --------------------------------------------------------------------------- */

bool
channel_sort_key(const struct channel_look *l, const struct channel_field *at,
	struct channel_key *out, struct err *e)
{
	struct value has;

	*out = (struct channel_key){.type = KEY_NONE};
	if (!value_at(l, at, &has, e))
		return false;
	switch (has.type) {
	case NOTHING:
		break;
	case IS_BOOL:
	case IS_INT:
	case IS_REAL:
		out->type = has.type == IS_BOOL ? KEY_BOOL : KEY_NUMBER;
		out->d = has.d;
		out->i = has.i;
		if (has.type == IS_REAL && has.d > -0x1p62 && has.d < 0x1p62)
			out->i = (int64_t)has.d;
		break;
	case IS_TEXT:
		out->type = KEY_TEXT;
		out->s = has.s;
		break;
	case IS_JSON:
		out->type = KEY_OTHER;
		break;
	}
	return true;
}

int
channel_key_cmp(const struct channel_key *a, const struct channel_key *b)
{
	if (a->type != b->type)
		return (a->type > b->type) - (a->type < b->type);
	if (a->type == KEY_TEXT)
		return str_cmp(a->s, b->s);
	if (a->type == KEY_NONE || a->type == KEY_OTHER)
		return 0;
	if (a->d != b->d)
		return a->d > b->d ? 1 : -1;
	return (a->i > b->i) - (a->i < b->i);
}
