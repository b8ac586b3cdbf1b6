/* membership – joining, leaving, roles, and what members do with a channel for themselves. */
#include "domain/membership.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/channel.h"
#include "domain/event.h"
#include "domain/patch.h"
#include "store/db.h"

#define MAX_ROLE 64

/* Fields of a member that a patch handles by themselves, and those it must not touch. */
static const char *const own_names[] = {"archived", "pinned", "channel_role"};
static const char *const reserved_names[] = {"archived", "pinned", "channel_role", "user_id",
	"user", "role", "created_at", "updated_at", "deleted_at", "banned", "shadow_banned",
	"notifications_muted", "status", "invited", "invite_accepted_at", "invite_rejected_at",
	"is_moderator", "archived_at", "pinned_at"};

/* ---- joining and leaving ----------------------------------------------------------------- */

/* What a call changes, and where. */
struct changing {
	struct db *w;
	struct arena *arena;
	const struct channel *channel; /* complete */
	const struct membership_edit *edit;
	int64_t now;
	struct buf *told; /* struct event, of what was changed so far */
	struct err *e;
};

static bool
is_told(const struct changing *c, int64_t uid)
{
	const struct event *told = (const struct event *)(const void *)c->told->p;

	for (size_t i = 0; i < c->told->n / sizeof(*told); i++)
		if (told[i].uid == uid && told[i].kind == EVENT_MEMBER_ADDED)
			return true;
	return false;
}

static void
tell(const struct changing *c, enum event_kind kind, int64_t uid)
{
	struct event ev = {.kind = kind, .at = c->now, .channel = c->channel->no, .uid = uid};

	/* Who comes with a role comes once. */
	if (kind != EVENT_MEMBER_UPDATED || !is_told(c, uid))
		buf_add(c->told, &ev, sizeof(ev));
}

/* Adds who is no member yet, of ${n} specs of different users. */
static bool
join(const struct changing *c, struct member_spec *specs, size_t n)
{
	struct member *there = arena_array(c->arena, n + 1, sizeof(*there));
	int64_t *uids = arena_array(c->arena, n + 1, sizeof(*uids));
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		uids[i] = specs[i].uid;
	if (!channel_members_of(c->w, c->arena, c->channel, uids, n, there, c->e))
		return false;
	for (size_t i = 0; i < n; i++)
		if (there[i].uid == 0)
			specs[kept++] = specs[i];
	if (kept > 0 && str_starts(c->channel->id, STR(FORM_DISTINCT_PREFIX)))
		return fail(c->e, ERR_INPUT,
			"add_members: channel %.*s is the one of exactly its members, nobody "
			"can be added",
			STR_ARG(c->channel->cid));
	for (size_t i = 0; i < kept; i++)
		tell(c, EVENT_MEMBER_ADDED, specs[i].uid);
	/* Clocks of several processes differ: nobody joined before the channel was made. */
	return channel_join(c->w, c->arena, c->channel->no, specs, kept,
		MAX_OF(c->now, c->channel->created_at), c->edit->history_hidden, c->e);
}

static bool
is_among(const struct member_spec *specs, size_t n, int64_t uid)
{
	for (size_t i = 0; i < n; i++)
		if (specs[i].uid == uid)
			return true;
	return false;
}

/* Those of add_members, and of the roles that make members; each once. */
static bool
join_all(const struct changing *c)
{
	const struct membership_edit *ed = c->edit;
	size_t n = 0, max = ed->nadd + ed->nroles;
	struct member_spec *specs = arena_array(c->arena, max + 1, sizeof(*specs));

	for (size_t i = 0; i < ed->nadd; i++)
		if (!is_among(specs, n, ed->add[i].uid))
			specs[n++] = ed->add[i];
	for (size_t i = 0; i < ed->nroles; i++)
		if (ed->roles[i].joins && !is_among(specs, n, ed->roles[i].uid))
			specs[n++] = (struct member_spec){.uid = ed->roles[i].uid,
				.role = ed->roles[i].role,
				.hidden_at = NO_TIME,
				.archived_at = NO_TIME};
	return n == 0 || join(c, specs, n);
}

static bool
leave(const struct changing *c)
{
	const struct membership_edit *ed = c->edit;
	struct member *there = arena_array(c->arena, ed->nremove + 1, sizeof(*there));
	int64_t *derived = arena_array(c->arena, 2 * ed->nremove + 1, sizeof(*derived));
	int64_t *others = derived + ed->nremove;
	struct col kept[] = {COL_INTS(derived)}, gone[] = {COL_INTS(others)};
	struct bulk leaving = {kept, 1, 0}, deleted = {gone, 1, 0};
	size_t n;

	for (size_t i = 0; i < ed->nremove; i++)
		others[i] = ed->remove[i];
	n = form_sort_uids(others, ed->nremove);
	if (!channel_members_of(c->w, c->arena, c->channel, others, n, there, c->e))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (there[i].uid == 0)
			continue;
		tell(c, EVENT_MEMBER_REMOVED, there[i].uid);
		if (there[i].derived)
			derived[leaving.nrows++] = there[i].uid;
		else
			others[deleted.nrows++] = there[i].uid;
	}
	return (leaving.nrows == 0 ||
		       db_exec(c->w, SQL_MEMBER_LEAVE,
			       ARGS(V_INT(c->channel->no), V_INT(c->channel->created_at),
				       V_INT(c->now)),
			       &leaving, NULL, c->e)) &&
	       (deleted.nrows == 0 ||
		       db_exec(c->w, SQL_MEMBER_DELETE, ARGS(V_INT(c->channel->no)), &deleted,
			       NULL, c->e));
}

/* Gives roles to members; of one user the last counts. */
static bool
assign(const struct changing *c)
{
	const struct membership_edit *ed = c->edit;
	int64_t *uids = arena_array(c->arena, ed->nroles + 1, sizeof(*uids));
	struct str *roles = arena_array(c->arena, ed->nroles + 1, sizeof(*roles));
	struct member *there = arena_array(c->arena, ed->nroles + 1, sizeof(*there));
	struct col cols[] = {COL_INTS(uids), COL_TEXTS(roles)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), 0};

	for (size_t i = 0; i < ed->nroles; i++) {
		size_t k = 0;

		while (k < bulk.nrows && uids[k] != ed->roles[i].uid)
			k++;
		uids[k] = ed->roles[i].uid;
		roles[k] = ed->roles[i].role;
		bulk.nrows = MAX_OF(bulk.nrows, k + 1);
	}
	if (!channel_members_of(c->w, c->arena, c->channel, uids, bulk.nrows, there, c->e))
		return false;
	for (size_t i = 0; i < bulk.nrows; i++)
		if (there[i].uid == 0)
			return fail(c->e, ERR_INPUT,
				"assign_roles: only members of channel %.*s have a role there",
				STR_ARG(c->channel->cid));
	for (size_t i = 0; i < bulk.nrows; i++)
		tell(c, EVENT_MEMBER_UPDATED, uids[i]);
	return channel_keep_these(c->w, c->arena, c->channel, there, bulk.nrows, c->e) &&
	       db_exec(c->w, SQL_MEMBER_SET_ROLES, ARGS(V_INT(c->channel->no), V_INT(c->now)),
		       &bulk, NULL, c->e);
}

/* Answers an invitation, or takes the answer back. */
static bool
answer(const struct changing *c, int64_t uid, bool accepts)
{
	struct member m;
	bool found;

	if (!channel_member(c->w, c->arena, c->channel, uid, &m, &found, c->e))
		return false;
	if (!found || m.invited_at == NO_TIME)
		return fail(c->e, ERR_INPUT, "%s: the user was not invited to channel %.*s",
			accepts ? "accept_invite" : "reject_invite", STR_ARG(c->channel->cid));
	tell(c, EVENT_MEMBER_UPDATED, uid);
	return db_exec(c->w, SQL_MEMBER_ANSWER,
		ARGS(V_INT(c->channel->no), V_INT(uid), accepts ? V_INT(c->now) : V_NULL,
			accepts ? V_NULL : V_INT(c->now), V_INT(c->now)),
		NO_BULK, NULL, c->e);
}

bool
membership_change(struct db *w, struct arena *a, const struct channel *channel,
	const struct membership_edit *edit, struct err *e)
{
	struct channel full = *channel;
	struct buf told;
	struct changing c = {w, a, &full, edit, clock_now_us(), &told, e};

	buf_init(&told, a, 4 * sizeof(struct event));
	return channel_complete(w, a, &full, 1, e) && join_all(&c) &&
	       (edit->nremove == 0 || leave(&c)) && (edit->nroles == 0 || assign(&c)) &&
	       (edit->accept == 0 || answer(&c, edit->accept, true)) &&
	       (edit->reject == 0 || answer(&c, edit->reject, false)) &&
	       event_add(w, (struct event *)(void *)told.p, told.n / sizeof(struct event), e);
}

/* ---- for themselves ---------------------------------------------------------------------- */

/* The member; he has a row from now on. */
static bool
take_member(struct db *w, struct arena *a, const struct channel *c, int64_t uid,
	struct member *out, struct err *e)
{
	bool found;

	if (!channel_member(w, a, c, uid, out, &found, e))
		return false;
	if (!found)
		return fail(e, ERR_INPUT, "the user is not a member of channel %.*s",
			STR_ARG(c->cid));
	return channel_keep_member(w, a, c, out, e);
}

struct hiding {
	struct arena *arena;
	const struct channel *channel;
	int64_t uid;
	bool hides, clears;
};

static bool
hide_in(struct db *w, void *arg, struct err *e)
{
	const struct hiding *h = arg;
	int64_t now = clock_now_us(), last, upto;
	struct event ev = {.kind = h->hides ? EVENT_CHANNEL_HIDDEN : EVENT_CHANNEL_VISIBLE,
		.channel = h->channel->no,
		.uid = h->uid,
		.extra = h->clears ? STR("{\"clear_history\":true}") : STR_NONE};
	struct member m;

	if (!take_member(w, h->arena, h->channel, h->uid, &m, e) ||
		!channel_last_message_at(w, h->channel, &last, e))
		return false;
	/* Clocks can step back: what is there now is cleared. */
	upto = MAX_OF(now, last);
	ev.at = now;
	return db_exec(w, SQL_MEMBER_HIDE,
		       ARGS(V_INT(h->channel->no), V_INT(h->uid),
			       h->hides ? V_INT(now) : V_NULL, h->clears ? V_INT(upto) : V_NULL,
			       V_INT(now)),
		       NO_BULK, NULL, e) &&
	       event_add(w, &ev, 1, e);
}

bool
membership_hide(struct db *db, struct arena *a, const struct channel *c, int64_t uid,
	bool clear, struct err *e)
{
	struct hiding h = {a, c, uid, true, clear};

	return db_write(db, hide_in, &h, e);
}

bool
membership_show(
	struct db *db, struct arena *a, const struct channel *c, int64_t uid, struct err *e)
{
	struct hiding h = {a, c, uid, false, false};

	return db_write(db, hide_in, &h, e);
}

bool
membership_clear(struct db *w, struct arena *a, const struct channel *c, const int64_t *uids,
	size_t n, int64_t at, struct err *e)
{
	struct member *there = arena_array(a, n + 1, sizeof(*there));
	struct col cols[] = {COL_INTS(uids)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};

	return channel_members_of(w, a, c, uids, n, there, e) &&
	       channel_keep_these(w, a, c, there, n, e) &&
	       db_exec(w, SQL_MEMBER_CLEAR,
		       ARGS(V_INT(c->no), V_INT(at), V_INT(clock_now_us())), &bulk, NULL, e);
}

/* ---- patches ------------------------------------------------------------------------------
 */

struct patching {
	struct arena *arena;
	const struct channel *channel;
	int64_t uid;
	const struct patch *patch;
	bool keeps_role;
	struct member *out;
};

/* archived or pinned: the time it holds since. */
static bool
patch_mark(const struct patch *p, const char *name, int64_t now, int64_t *at, struct err *e)
{
	json_t *value;

	if (!patch_touches(p, name, &value))
		return true;
	if (value != NULL && !json_is_boolean(value))
		return fail(e, ERR_INPUT, "set.%s: expected a boolean, got %s", name,
			jr_type_name(value));
	if (!json_is_true(value))
		*at = NO_TIME;
	else if (*at == NO_TIME)
		*at = now;
	return true;
}

/* *role stays p == NULL when it is not touched. */
static bool
patch_role(const struct patching *p, struct str *role, struct err *e)
{
	json_t *value;

	if (!patch_touches(p->patch, "channel_role", &value))
		return true;
	if (p->keeps_role)
		return fail(e, ERR_DENIED, "set.channel_role: only moderators may change it");
	if (value == NULL)
		*role = STR("channel_member");
	else if (!jr_str_max(p->patch->set, "channel_role", REQUIRED, MAX_ROLE, role, e))
		return fail_in(e, "set");
	if (role->n == 0)
		return fail(e, ERR_INPUT, "set.channel_role: expected a role, got \"\"");
	return true;
}

static bool
patch_in(struct db *w, void *arg, struct err *e)
{
	const struct patching *p = arg;
	int64_t now = clock_now_us();
	struct event ev = {.kind = EVENT_MEMBER_UPDATED,
		.at = now,
		.channel = p->channel->no,
		.uid = p->uid};
	struct str role = STR_NONE;
	struct member *m = p->out;
	bool found;

	if (!take_member(w, p->arena, p->channel, p->uid, m, e) ||
		!patch_mark(p->patch, "archived", now, &m->archived_at, e) ||
		!patch_mark(p->patch, "pinned", now, &m->pinned_at, e) ||
		!patch_role(p, &role, e) ||
		!patch_custom(p->arena, p->patch, m->custom, own_names, ARRAY_LEN(own_names),
			reserved_names, ARRAY_LEN(reserved_names), CHANNEL_CUSTOM_MAX,
			&m->custom, e))
		return false;
	return db_exec(w, SQL_MEMBER_PATCH,
		       ARGS(V_INT(p->channel->no), V_INT(p->uid), V_TEXT(role),
			       V_TIME(m->archived_at), V_TIME(m->pinned_at), V_TEXT(m->custom),
			       V_INT(now)),
		       NO_BULK, NULL, e) &&
	       channel_member(w, p->arena, p->channel, p->uid, m, &found, e) &&
	       event_add(w, &ev, 1, e);
}

bool
membership_patch(struct db *db, struct arena *a, const struct channel *c, int64_t uid,
	const struct patch *patch, bool keeps_role, struct member *out, struct err *e)
{
	struct patching p = {a, c, uid, patch, keeps_role, out};

	return db_write(db, patch_in, &p, e);
}
