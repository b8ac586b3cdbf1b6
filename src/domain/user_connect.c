/* user_connect – a user as his own client says: made, changed, seen. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/event.h"
#include "domain/user.h"
#include "domain/user_impl.h"
#include "store/db.h"

/* So exactly last_active is kept: a client that comes and goes writes nothing. */
#define SEEN_AFTER_US INT64_C(60000000)

/* What only the server may say of a user, and what it tells itself. */
static const char *const not_his[] = {"id", "role", "teams", "teams_role", "created_at",
	"updated_at", "deleted_at", "deactivated_at", "last_active", "online", "banned",
	"shadow_banned", "ban_expires", "bypass_moderation", "revoke_tokens_issued_before",
	"devices", "mutes", "channel_mutes", "blocked_user_ids", "total_unread_count",
	"unread_count", "unread_channels", "unread_threads", "latest_hidden_channels",
	"push_notifications", "avg_response_time", "anon"};

struct connecting {
	struct arena *a;
	struct str id;
	json_t *said; /* what he may say, without his id */
	struct user *out;
	bool tells; /* he became another: his other clients have to hear of it */
};

static json_t *
sayable(struct arena *a, const json_t *details)
{
	json_t *out = jr_own(a, json_object()), *v;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t)details, key, v)
	{
		bool is_his = !json_is_null(v);

		for (size_t i = 0; i < ARRAY_LEN(not_his) && is_his; i++)
			is_his = strcmp(key, not_his[i]) != 0;
		if (is_his)
			json_object_set(out, key, v);
	}
	return out;
}

static bool
is_same(const struct user *a, const struct user *b)
{
	return str_eq(a->name, b->name) && str_eq(a->image, b->image) &&
	       str_eq(a->language, b->language) && str_eq(a->custom, b->custom) &&
	       str_eq(a->extra, b->extra);
}

/* The user as he is with what he says; *changed: that is something new. */
static bool
apply(const struct connecting *c, const struct user *before, struct user *out, bool *changed,
	struct err *e)
{
	const struct user_patch patch = {.id = before->id, .set = c->said};
	struct user as_is;
	/* Stored text may have its keys in another order: both go the same way. */
	if (!user_apply_patch(
		    c->a, before, &(struct user_patch){.id = before->id}, false, &as_is, e) ||
		!user_apply_patch(c->a, before, &patch, false, out, e))
		return fail_in(e, "user_details");
	*changed = !is_same(&as_is, out);
	return true;
}

static bool
make(struct db *w, const struct connecting *c, int64_t uid, int64_t now, struct err *e)
{
	struct user *u = c->out;
	enum unique_names unique;

	json_object_set_new(c->said, "id", json_stringn(c->id.p, c->id.n));
	if (!user_read(c->a, c->said, false, u, e))
		return fail_in(e, "user_details");
	json_object_del(c->said, "id");
	u->uid = uid;
	u->created_at = u->updated_at = now;
	return user_unique_mode(w, &unique, e) &&
	       user_unique_claim(w, c->a, unique, &u, 1, e) &&
	       user_put(w, c->a, SQL_USER_BEGIN, &u, 1, now, e);
}

static bool
change(struct db *w, struct connecting *c, const struct user *before, int64_t now,
	struct err *e)
{
	struct user *u = c->out;
	enum unique_names unique;
	bool changed;

	if (!apply(c, before, u, &changed, e))
		return false;
	if (!changed) {
		*u = *before;
		return true;
	}
	u->updated_at = now;
	c->tells = true;
	return user_unique_mode(w, &unique, e) &&
	       user_unique_claim(w, c->a, unique, &u, 1, e) &&
	       user_put(w, c->a, SQL_USER_REPLACE, &u, 1, now, e);
}

static bool
refuse_deleted(const struct user *u, struct err *e)
{
	return u->deleted_at == NO_TIME ||
	       fail(e, ERR_NOT_FOUND, "the user %.*s was deleted", STR_ARG(u->id));
}

static bool
connect_in(struct db *w, void *arg, struct err *e)
{
	struct connecting *c = arg;
	int64_t now = clock_now_us();
	struct user_numbers num;
	struct event told;
	struct user before;
	bool is_new;

	c->tells = false;
	if (!user_number(w, c->a, &c->id, 1, true, &num, e))
		return false;
	is_new = num.uids[0] >= num.first_new;
	if (!is_new &&
		(!user_by_uid(w, c->a, num.uids[0], &before, e) || !refuse_deleted(&before, e)))
		return false;
	is_new = is_new || before.created_at == NO_TIME;
	if (!(is_new ? make(w, c, num.uids[0], now, e) : change(w, c, &before, now, e)))
		return false;
	c->out->last_active = now;
	if (!db_exec(w, SQL_USER_SEEN, ARGS(V_INT(c->out->uid), V_INT(now)), NO_BULK, NULL, e))
		return false;
	told = (struct event){.kind = EVENT_USER_UPDATED, .at = now, .uid = c->out->uid};
	return !c->tells || event_add(w, &told, 1, e);
}

/* Whether nothing is to be written; *out is the user then. */
static bool
is_up_to_date(struct db *db, const struct connecting *c, bool *out, struct err *e)
{
	struct user before, after;
	bool changed;
	int64_t uid;

	*out = false;
	if (!user_resolve(db, c->a, &c->id, 1, &uid, e))
		return false;
	if (uid == 0)
		return true;
	if (!user_by_uid(db, c->a, uid, &before, e) || !refuse_deleted(&before, e))
		return false;
	if (before.created_at == NO_TIME)
		return true;
	if (!apply(c, &before, &after, &changed, e))
		return false;
	*out = !changed && before.last_active != NO_TIME &&
	       before.last_active > clock_now_us() - SEEN_AFTER_US;
	*c->out = before;
	return true;
}

bool
user_connect(struct db *db, struct arena *a, struct str id, const json_t *details,
	struct user *out, struct err *e)
{
	struct connecting c = {a, id, sayable(a, details), out, false};
	bool done;

	return is_up_to_date(db, &c, &done, e) && (done || db_write(db, connect_in, &c, e));
}
