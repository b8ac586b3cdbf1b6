/* user_state – users deleted, restored, deactivated and reactivated. */
#include "domain/user_state.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jscan.h"
#include "base/jw.h"
#include "domain/event.h"
#include "domain/task.h"
#include "domain/user.h"
#include "domain/user_impl.h"
#include "store/db.h"

/* One call, inside its transaction. */
struct change {
	struct arena *a;
	const struct user_list *list;
	const struct user_deletion *deletion;     /* of a deletion */
	const struct user_belongings *belongings; /* of (de)activations */
	struct str name;
	struct str *task;
	/* Each user once, as he was before. */
	struct user *users;
	int64_t *uids;
	size_t n;
	int64_t now;
};

/* ---- steps --------------------------------------------------------------------------- */

static size_t
drop_doubles(int64_t *uids, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < kept && uids[k] != uids[i])
			k++;
		if (k == kept)
			uids[kept++] = uids[i];
	}
	return kept;
}

static bool
fail_unknown(struct str id, struct err *e)
{
	return fail(e, ERR_NOT_FOUND, "user with id %.*s doesn't exist", STR_ARG(id));
}

/* All of them must have been created once. */
static bool
load(struct db *w, struct change *c, struct err *e)
{
	const struct user_list *list = c->list;

	c->now = clock_now_us();
	c->uids = arena_array(c->a, list->n, sizeof(*c->uids));
	if (!user_resolve(w, c->a, list->ids, list->n, c->uids, e))
		return false;
	for (size_t i = 0; i < list->n; i++)
		if (c->uids[i] == 0)
			return fail_unknown(list->ids[i], e);
	c->n = drop_doubles(c->uids, list->n);
	if (!user_by_uids(w, c->a, c->uids, c->n, &c->users, e))
		return false;
	for (size_t i = 0; i < c->n; i++)
		if (c->users[i].created_at == NO_TIME)
			return fail_unknown(c->users[i].id, e);
	return true;
}

static bool
load_live(struct db *w, struct change *c, struct err *e)
{
	if (!load(w, c, e))
		return false;
	for (size_t i = 0; i < c->n; i++)
		if (!user_is_live(&c->users[i]))
			return fail_unknown(c->users[i].id, e);
	return true;
}

/* Runs one of the statements that set a mark. */
static bool
mark(struct db *w, const struct change *c, enum sql_id statement, struct args args,
	struct err *e)
{
	struct col col = COL_INTS(c->uids);

	return db_exec(w, statement, args, &(struct bulk){&col, 1, c->n}, NULL, e);
}

/* Who comes back, or comes back under another name, must not take one that has become somebody
 * else's. */
static bool
claim_names(struct db *w, const struct change *c, struct err *e)
{
	struct user **users = arena_array(c->a, c->n, sizeof(*users));
	enum unique_names mode;

	for (size_t i = 0; i < c->n; i++)
		users[i] = &c->users[i];
	return user_unique_mode(w, &mode, e) &&
	       user_unique_claim(w, c->a, mode, users, c->n, e);
}

static struct str
task_result(const struct change *c)
{
	struct buf text;
	struct jw w;

	buf_init(&text, c->a, 64 * c->n);
	jw_init(&w, &text);
	jw_obj(&w);
	for (size_t i = 0; i < c->n; i++) {
		jw_key(&w, c->users[i].id);
		jw_obj(&w);
		jw_kstr(&w, "status", STR("ok"));
		jw_end_obj(&w);
	}
	jw_end_obj(&w);
	return buf_view(&text);
}

/* Leaves the rest to a task.  ${old_stamp} gives the time that a user was marked with before,
 * NO_TIME: he is marked now. */
static bool
leave(struct db *w, struct change *c, struct purge *p,
	int64_t (*old_stamp)(const struct user *), struct err *e)
{
	struct task_work t = {.result = task_result(c)};

	*c->task = STR_NONE;
	p->until = c->now;
	p->users = arena_array(c->a, c->n, sizeof(*p->users));
	p->nusers = c->n;
	for (size_t i = 0; i < c->n; i++) {
		int64_t stamp = old_stamp(&c->users[i]);

		p->users[i] =
			(struct purge_user){c->uids[i], stamp != NO_TIME ? stamp : c->now};
	}
	if (purge_has_work(p)) {
		t.kind = PURGE_KIND;
		t.work = purge_write(c->a, p);
	}
	if (t.kind.p == NULL && !c->list->wants_task)
		return true;
	return task_add(w, c->a, &t, c->task, e);
}

static int64_t
deleted_at(const struct user *u)
{
	return u->deleted_at;
}

static int64_t
deactivated_at(const struct user *u)
{
	return u->deactivated_at;
}

/* What is told of a deletion besides: how much of him went. */
static void
write_deletion(struct jw *w, const struct user_deletion *d)
{
	static const char *const words[] = {
		[PURGE_HIDE] = "soft",
		[PURGE_EMPTY] = "pruning",
		[PURGE_REMOVE] = "hard",
	};
	const struct {
		const char *key;
		enum purge_mode mode;
	} parts[] = {{"user", d->user}, {"messages", d->messages},
		{"conversations", d->conversations}};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (parts[i].mode != PURGE_KEEP)
			jw_kstr(w, parts[i].key, str_of(words[parts[i].mode]));
}

/* His clients have to hear of it, on all processes: they are hung up upon.  ${became}: NULL, he
 * only changed. */
static bool
tell(struct db *w, const struct change *c, const char *became, struct err *e)
{
	struct event *events = arena_array(c->a, c->n + 1, sizeof(*events));
	struct str extra = STR_NONE;
	struct buf b;
	struct jw out;

	if (became != NULL) {
		buf_init(&b, c->a, 128);
		jw_init(&out, &b);
		jw_obj(&out);
		jw_kstr(&out, "became", str_of(became));
		if (c->deletion != NULL)
			write_deletion(&out, c->deletion);
		jw_end_obj(&out);
		extra = buf_view(&b);
	}
	for (size_t i = 0; i < c->n; i++)
		events[i] = (struct event){.kind = EVENT_USER_UPDATED,
			.at = c->now,
			.uid = c->uids[i],
			.extra = extra};
	return event_add(w, events, c->n, e);
}

/* ---- deletion ------------------------------------------------------------------------ */

/* The uid of the new owner; 0: there is none to be. */
static bool
find_owner(struct db *w, const struct change *c, int64_t *uid, struct err *e)
{
	struct str id = c->deletion->new_owner;
	struct user owner;

	*uid = 0;
	if (id.p == NULL)
		return true;
	if (!user_get(w, c->a, id, &owner, e))
		return false;
	for (size_t i = 0; i < c->n; i++)
		if (c->uids[i] == owner.uid)
			return fail(e, ERR_INPUT,
				"new_channel_owner_id: user \"%.*s\" is among those to be "
				"deleted",
				STR_ARG(id));
	if (c->deletion->user == PURGE_REMOVE)
		*uid = owner.uid;
	return true;
}

static bool
delete_in(struct db *w, void *arg, struct err *e)
{
	struct change *c = arg;
	const struct user_deletion *d = c->deletion;
	struct purge p = {.messages = d->messages, .conversations = d->conversations};

	if (!load(w, c, e) || !find_owner(w, c, &p.new_owner, e))
		return false;
	for (size_t i = 0; i < c->n; i++)
		if (c->users[i].deleted_at != NO_TIME && d->user == PURGE_HIDE)
			return fail_unknown(c->users[i].id, e);
	if (!mark(w, c, SQL_USER_DELETE, ARGS(V_INT(c->now)), e))
		return false;
	if (d->user != PURGE_HIDE &&
		(!mark(w, c, SQL_USER_FORGET, NO_ARGS, e) ||
			!mark(w, c, SQL_DEVICE_FORGET, NO_ARGS, e) ||
			!mark(w, c, SQL_PUSH_PREFERENCE_FORGET, NO_ARGS, e)))
		return false;
	return leave(w, c, &p, deleted_at, e) && tell(w, c, "deleted", e);
}

bool
user_delete(struct db *db, struct arena *a, const struct user_list *list,
	const struct user_deletion *d, struct str *task, struct err *e)
{
	struct change c = {.a = a, .list = list, .deletion = d, .task = task};

	return db_write(db, delete_in, &c, e);
}

static bool
is_forgotten(const struct user *u)
{
	return u->extra.p != NULL &&
	       jscan_member(u->extra, STR("forgotten")).type == JSCAN_TRUE;
}

static bool
restore_in(struct db *w, void *arg, struct err *e)
{
	struct change *c = arg;

	if (!load(w, c, e))
		return false;
	for (size_t i = 0; i < c->n; i++) {
		const struct user *u = &c->users[i];

		if (u->deleted_at == NO_TIME)
			return fail(e, ERR_INPUT,
				"user \"%.*s\" is not deleted, it can't be restored",
				STR_ARG(u->id));
		if (is_forgotten(u))
			return fail(e, ERR_INPUT,
				"user \"%.*s\" was deleted with its data, it can't be restored",
				STR_ARG(u->id));
	}
	return claim_names(w, c, e) && mark(w, c, SQL_USER_RESTORE, ARGS(V_INT(c->now)), e) &&
	       tell(w, c, NULL, e);
}

bool
user_restore(struct db *db, struct arena *a, const struct user_list *list, struct err *e)
{
	struct change c = {.a = a, .list = list};

	return db_write(db, restore_in, &c, e);
}

/* ---- deactivation -------------------------------------------------------------------- */

static struct purge
purge_of(const struct user_belongings *b, enum purge_mode mode)
{
	return (struct purge){
		.messages = b->messages ? mode : PURGE_KEEP,
		.conversations = b->conversations ? mode : PURGE_KEEP,
	};
}

static bool
deactivate_in(struct db *w, void *arg, struct err *e)
{
	struct change *c = arg;
	struct purge p = purge_of(c->belongings, PURGE_HIDE);

	return load_live(w, c, e) && mark(w, c, SQL_USER_DEACTIVATE, ARGS(V_INT(c->now)), e) &&
	       leave(w, c, &p, deactivated_at, e) && tell(w, c, "deactivated", e);
}

bool
user_deactivate(struct db *db, struct arena *a, const struct user_list *list,
	const struct user_belongings *b, struct str *task, struct err *e)
{
	struct change c = {.a = a, .list = list, .belongings = b, .task = task};

	return db_write(db, deactivate_in, &c, e);
}

static bool
reactivate_in(struct db *w, void *arg, struct err *e)
{
	struct change *c = arg;
	struct purge p = purge_of(c->belongings, PURGE_SHOW);

	if (!load_live(w, c, e))
		return false;
	for (size_t i = 0; i < c->n; i++)
		if (c->users[i].deactivated_at == NO_TIME)
			return fail(e, ERR_INPUT,
				"user \"%.*s\" is not deactivated, it can't be reactivated",
				STR_ARG(c->users[i].id));
	if (!mark(w, c, SQL_USER_REACTIVATE, ARGS(V_INT(c->now)), e))
		return false;
	if (c->name.p != NULL) {
		c->users[0].name = c->name;
		if (!claim_names(w, c, e) ||
			!db_exec(w, SQL_USER_RENAME, ARGS(V_INT(c->uids[0]), V_TEXT(c->name)),
				NO_BULK, NULL, e))
			return false;
	}
	return leave(w, c, &p, deactivated_at, e) && tell(w, c, "reactivated", e);
}

bool
user_reactivate(struct db *db, struct arena *a, const struct user_list *list,
	const struct user_belongings *b, struct str name, struct str *task, struct err *e)
{
	struct change c = {.a = a, .list = list, .belongings = b, .name = name, .task = task};

	return db_write(db, reactivate_in, &c, e);
}
