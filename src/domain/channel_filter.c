/* channel_filter – filters over channels: the fields, and what a channel has there. */
#include "domain/channel_filter.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/jscan.h"
#include "domain/user.h"
#include "store/db.h"

static const struct match_field fields[] = {
	{"cid", CHANNEL_CID, MATCH_TEXT, MATCH_OPS_TEXT, false},
	{"id", CHANNEL_ID, MATCH_TEXT, MATCH_OPS_TEXT, false},
	{"type", CHANNEL_TYPE, MATCH_TEXT, MATCH_OPS_TEXT, false},
	{"created_by_id", CHANNEL_CREATED_BY, MATCH_TEXT, MATCH_OPS_TEXT, false},
	{"team", CHANNEL_TEAM, MATCH_TEXT, MATCH_OPS_TEXT, false},
	{"channel_role", CHANNEL_ROLE, MATCH_TEXT, OP_EQ | OP_IN, false},
	{"invite", CHANNEL_INVITE, MATCH_TEXT, OP_EQ | OP_IN, false},
	{"created_at", CHANNEL_CREATED_AT, MATCH_TIME, MATCH_OPS_NUMBER, true},
	{"updated_at", CHANNEL_UPDATED_AT, MATCH_TIME, MATCH_OPS_NUMBER, true},
	{"last_message_at", CHANNEL_LAST_MESSAGE_AT, MATCH_TIME, MATCH_OPS_NUMBER, true},
	{"last_updated", CHANNEL_LAST_UPDATED, MATCH_TIME, MATCH_OPS_NUMBER, true},
	{"pinned_at", CHANNEL_PINNED_AT, MATCH_TIME, OP_EXISTS, true},
	{"member_count", CHANNEL_MEMBER_COUNT, MATCH_INT, MATCH_OPS_NUMBER, true},
	{"message_count", CHANNEL_MESSAGE_COUNT, MATCH_INT, MATCH_OPS_NUMBER, false},
	{"unread_count", CHANNEL_UNREAD_COUNT, MATCH_INT, MATCH_OPS_NUMBER, true},
	{"frozen", CHANNEL_FROZEN, MATCH_BOOL, MATCH_OPS_BOOL, false},
	{"disabled", CHANNEL_DISABLED, MATCH_BOOL, MATCH_OPS_BOOL, false},
	{"hidden", CHANNEL_HIDDEN, MATCH_BOOL, MATCH_OPS_BOOL, false},
	{"archived", CHANNEL_ARCHIVED, MATCH_BOOL, MATCH_OPS_BOOL, false},
	{"pinned", CHANNEL_PINNED, MATCH_BOOL, MATCH_OPS_BOOL, false},
	{"joined", CHANNEL_JOINED, MATCH_BOOL, MATCH_OPS_BOOL, false},
	{"distinct", CHANNEL_DISTINCT, MATCH_BOOL, MATCH_OPS_BOOL, false},
	{"has_unread", CHANNEL_HAS_UNREAD, MATCH_BOOL, MATCH_OPS_BOOL, true},
	{"muted", CHANNEL_NEVER, MATCH_BOOL, MATCH_OPS_BOOL, false},
	{"blocked", CHANNEL_NEVER, MATCH_BOOL, MATCH_OPS_BOOL, false},
	{"app_banned", CHANNEL_APP_BANNED, MATCH_TEXT, OP_EQ, false},
	{"members", CHANNEL_MEMBERS, MATCH_USERS, OP_EQ | OP_IN | OP_NIN, false},
	{"member.user.name", CHANNEL_MEMBER_NAME, MATCH_TEXT, OP_EQ | OP_AUTOCOMPLETE, false},
	{"filter_tags", CHANNEL_TAGS, MATCH_TAGS, OP_EQ | OP_IN, false},
};

static const struct match_field custom = {
	"", CHANNEL_OTHER, MATCH_CUSTOM, MATCH_OPS_TEXT | OP_CONTAINS, true};

const struct match_schema channel_schema = {fields, ARRAY_LEN(fields), &custom};

/* ---- what a channel has ---------------------------------------------------------------- */

static bool
count_members(const struct channel_look *l, int64_t *out, struct err *e)
{
	struct arena_mark mark = arena_mark(l->arena);
	bool ok = channel_member_count(l->db, l->arena, l->channel, out, e);

	arena_rewind(l->arena, mark);
	return ok;
}

static bool
number_of(const struct channel_look *l, enum channel_which which, int64_t *out, struct err *e)
{
	const struct channel *c = l->channel;
	const struct member *me = l->me;
	bool in = me->uid != 0;

	switch (which) {
	case CHANNEL_CREATED_AT:
		*out = c->created_at;
		return true;
	case CHANNEL_UPDATED_AT:
		*out = c->updated_at;
		return true;
	case CHANNEL_LAST_MESSAGE_AT:
		*out = l->last_message_at;
		return true;
	case CHANNEL_LAST_UPDATED:
		*out = MAX_OF(l->last_message_at, c->created_at);
		return true;
	case CHANNEL_PINNED_AT:
		*out = in ? me->pinned_at : NO_TIME;
		return true;
	case CHANNEL_MEMBER_COUNT:
		return count_members(l, out, e);
	case CHANNEL_MESSAGE_COUNT:
		return channel_message_count(l->db, c, out, e);
	case CHANNEL_UNREAD_COUNT:
		*out = l->unread;
		return true;
	case CHANNEL_HAS_UNREAD:
		*out = l->unread > 0;
		return true;
	case CHANNEL_FROZEN:
		*out = c->frozen;
		return true;
	case CHANNEL_DISABLED:
		*out = c->disabled;
		return true;
	case CHANNEL_HIDDEN:
		*out = in && me->hidden_at != NO_TIME;
		return true;
	case CHANNEL_ARCHIVED:
		*out = in && me->archived_at != NO_TIME;
		return true;
	case CHANNEL_PINNED:
		*out = in && me->pinned_at != NO_TIME;
		return true;
	case CHANNEL_JOINED:
		*out = in && (me->invited_at == NO_TIME || me->accepted_at != NO_TIME);
		return true;
	case CHANNEL_DISTINCT:
		*out = str_starts(c->id, STR(FORM_DISTINCT_PREFIX));
		return true;
	default:
		*out = 0;
		return true;
	}
}

static struct str
text_of(const struct channel_look *l, enum channel_which which)
{
	switch (which) {
	case CHANNEL_CID:
		return l->channel->cid;
	case CHANNEL_ID:
		return l->channel->id;
	case CHANNEL_TYPE:
		return l->channel->type;
	case CHANNEL_TEAM:
		return l->channel->team;
	case CHANNEL_CREATED_BY:
		return l->creator_id;
	case CHANNEL_APP_BANNED:
		return STR("excluded");
	case CHANNEL_INVITE:
		return l->me->uid != 0 ? channel_invite(l->me) : STR_NONE;
	case CHANNEL_ROLE:
		return l->me->uid != 0 ? l->me->role : STR_NONE;
	default:
		return STR_NONE;
	}
}

/* Any field that has one value. */
static bool
value_at(const struct channel_look *l, const struct match_at *at, struct match_value *out,
	struct err *e)
{
	const struct match_field *field = at->field;

	*out = (struct match_value){.type = MATCH_NOTHING};
	if (field->kind == MATCH_CUSTOM) {
		*out = match_custom(l->arena, l->channel->custom, at);
		return true;
	}
	if (field->kind == MATCH_TEXT) {
		out->s = text_of(l, (enum channel_which)field->which);
		out->type = out->s.p ? IS_TEXT : MATCH_NOTHING;
		return true;
	}
	if (!number_of(l, (enum channel_which)field->which, &out->i, e))
		return false;
	out->type = field->kind == MATCH_BOOL ? IS_BOOL : IS_INT;
	if (field->kind == MATCH_TIME && out->i == NO_TIME)
		out->type = MATCH_NOTHING;
	return true;
}

/* ---- testing --------------------------------------------------------------------------- */

static bool
has_uid(const struct match_value *v, size_t n, int64_t uid)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].i == uid)
			return true;
	return false;
}

static bool
members_are(const struct match *n, const struct member *members, size_t nmembers)
{
	for (size_t i = 0; i < nmembers; i++)
		if (!has_uid(n->values, n->nvalues, members[i].uid))
			return false;
	for (size_t i = 0; i < n->nvalues; i++) {
		bool there = false;

		for (size_t k = 0; k < nmembers && !there; k++)
			there = members[k].uid == n->values[i].i;
		if (!there)
			return false;
	}
	return true;
}

/* members: $eq is the whole set, $in any of it. */
static bool
test_members(const struct match *n, const struct channel_look *l, bool *out, struct err *e)
{
	struct member *members, one;
	size_t nmembers;
	int64_t total;
	bool found = false;

	if (n->op == OP_EQ) {
		if (!channel_members(
			    l->db, l->arena, l->channel, 0, &members, &nmembers, &total, e))
			return false;
		*out = members_are(n, members, nmembers);
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

/* Whether the name of any member meets the condition. */
static bool
test_member_names(const struct match *n, const struct channel_look *l, bool *out, struct err *e)
{
	struct member *members;
	struct col col;
	struct bulk bulk = {&col, 1, 0};
	struct rows r;
	int64_t *uids, total;

	*out = false;
	if (!channel_members(l->db, l->arena, l->channel, 0, &members, &bulk.nrows, &total, e))
		return false;
	uids = arena_array(l->arena, bulk.nrows + 1, sizeof(*uids));
	for (size_t i = 0; i < bulk.nrows; i++)
		uids[i] = members[i].uid;
	col = COL_INTS(uids);
	if (bulk.nrows == 0)
		return true;
	if (!db_query(l->db, SQL_MEMBER_NAMES, NO_ARGS, &bulk, &r, e))
		return false;
	while (!*out && rows_next(&r)) {
		struct match_value has = {.type = IS_TEXT, .s = row_str(&r, 0)};

		*out = match_value_meets(l->arena, n, &has);
	}
	return rows_end(&r, e);
}

bool
channel_meets(const struct match *leaf, const void *thing, bool *out, struct err *e)
{
	const struct channel_look *l = thing;
	struct match_value has;

	if (leaf->at.field->which == CHANNEL_MEMBERS)
		return test_members(leaf, l, out, e);
	if (leaf->at.field->which == CHANNEL_MEMBER_NAME)
		return test_member_names(leaf, l, out, e);
	if (leaf->at.field->which == CHANNEL_TAGS) {
		*out = match_tags_meet(l->arena, leaf, l->channel->filter_tags);
		return true;
	}
	if (!value_at(l, &leaf->at, &has, e))
		return false;
	*out = match_value_meets(l->arena, leaf, &has);
	return true;
}

bool
channel_field_needs_origin(const struct match_field *f)
{
	return f->kind == MATCH_CUSTOM || f->which == CHANNEL_MEMBERS ||
	       f->which == CHANNEL_MEMBER_NAME || f->which == CHANNEL_MEMBER_COUNT;
}

bool
channel_filter_needs_origin(const struct match *f)
{
	return match_mentions(f, CHANNEL_OTHER) || match_mentions(f, CHANNEL_MEMBERS) ||
	       match_mentions(f, CHANNEL_MEMBER_NAME) ||
	       match_mentions(f, CHANNEL_MEMBER_COUNT);
}

bool
channel_sort_key(const struct channel_look *l, const struct match_at *at, struct match_key *out,
	struct err *e)
{
	struct match_value has;

	if (!value_at(l, at, &has, e))
		return false;
	*out = match_key_of(&has);
	return true;
}
