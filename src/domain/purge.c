/* purge – the work of a task on what users leave behind, and their messages. */
#include "domain/purge.h"

#include "base/err.h"
#include "base/jr.h"
#include "base/jw.h"
#include "domain/purge_impl.h"

#define USERS_MAX  1000
#define WALK_SLICE 100 /* campaigns */

/* ---- as JSON ------------------------------------------------------------------------ */

static const struct str modes[] = {
	[PURGE_KEEP] = STR_INIT("keep"),
	[PURGE_HIDE] = STR_INIT("hide"),
	[PURGE_EMPTY] = STR_INIT("empty"),
	[PURGE_REMOVE] = STR_INIT("remove"),
	[PURGE_SHOW] = STR_INIT("show"),
};

bool
purge_has_work(const struct purge *p)
{
	return p->nusers > 0 && (p->messages != PURGE_KEEP || p->conversations != PURGE_KEEP ||
					p->new_owner != 0);
}

struct str
purge_write(struct arena *a, const struct purge *p)
{
	struct buf text;
	struct jw w;

	buf_init(&text, a, 64 + 32 * p->nusers);
	jw_init(&w, &text);
	jw_obj(&w);
	jw_kstr(&w, "messages", modes[p->messages]);
	jw_kstr(&w, "conversations", modes[p->conversations]);
	jw_ki64(&w, "until", p->until);
	jw_ki64(&w, "new_owner", p->new_owner);
	jw_karr(&w, "users");
	for (size_t i = 0; i < p->nusers; i++) {
		jw_obj(&w);
		jw_ki64(&w, "uid", p->users[i].uid);
		jw_ki64(&w, "stamp", p->users[i].stamp);
		jw_end_obj(&w);
	}
	jw_end_arr(&w);
	jw_end_obj(&w);
	return buf_view(&text);
}

static bool
read_mode(const json_t *tree, const char *key, enum purge_mode *out, struct err *e)
{
	struct str name = STR_NONE;

	if (!jr_str(tree, key, REQUIRED, &name, e))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (str_eq(name, modes[i])) {
			*out = (enum purge_mode)i;
			return true;
		}
	return fail(e, ERR_BUG, "%s: unknown mode", key);
}

static bool
read_tree(struct arena *a, const json_t *tree, struct purge *out, struct err *e)
{
	json_t *users = NULL;

	if (!read_mode(tree, "messages", &out->messages, e) ||
		!read_mode(tree, "conversations", &out->conversations, e) ||
		!jr_int(tree, "until", REQUIRED, INT64_MIN, INT64_MAX, &out->until, e) ||
		!jr_int(tree, "new_owner", REQUIRED, 0, INT64_MAX, &out->new_owner, e) ||
		!jr_arr(tree, "users", REQUIRED, USERS_MAX, &users, e))
		return false;
	out->nusers = json_array_size(users);
	out->users = arena_array(a, out->nusers, sizeof(*out->users));
	for (size_t i = 0; i < out->nusers; i++) {
		const json_t *user = json_array_get(users, i);

		if (!jr_int(user, "uid", REQUIRED, 1, INT64_MAX, &out->users[i].uid, e) ||
			!jr_int(user, "stamp", REQUIRED, INT64_MIN, INT64_MAX,
				&out->users[i].stamp, e))
			return false;
	}
	return true;
}

bool
purge_read(struct arena *a, struct str work, struct purge *out, struct err *e)
{
	json_t *tree = NULL;
	struct err why;

	*out = (struct purge){0};
	if (jr_parse(a, work, &tree, &why) && read_tree(a, tree, out, &why))
		return true;
	return fail(e, ERR_BUG, "the work of a purge cannot be read: %s", why.msg);
}

/* ---- keys --------------------------------------------------------------------------- */

bool
purge_slice(struct purge_job *j)
{
	arena_reset(&j->slice);
	return task_go_on(j->turn, j->e);
}

bool
purge_ask(struct purge_job *j, enum sql_id statement, struct args args, const struct bulk *bulk,
	struct purge_keys *out)
{
	struct buf list;
	struct rows r;

	buf_init(&list, &j->slice, PURGE_SLICE * sizeof(int64_t));
	if (!db_query(j->turn->db, statement, args, bulk, &r, j->e))
		return false;
	while (rows_next(&r)) {
		int64_t key = row_int(&r, 0);

		buf_add(&list, &key, sizeof(key));
	}
	*out = (struct purge_keys){(int64_t *)(void *)list.p, list.n / sizeof(int64_t)};
	return rows_end(&r, j->e);
}

struct deed {
	enum sql_id statement;
	struct args args;
	struct purge_keys keys;
};

static bool
do_in(struct db *w, void *arg, struct err *e)
{
	const struct deed *d = arg;
	struct col col = COL_INTS(d->keys.v);

	return db_exec(w, d->statement, d->args, &(struct bulk){&col, 1, d->keys.n}, NULL, e);
}

bool
purge_do(struct purge_job *j, enum sql_id statement, struct args args, struct purge_keys keys)
{
	struct deed d = {statement, args, keys};

	return keys.n == 0 || task_write(j->turn, false, do_in, &d, j->e);
}

/* ---- campaigns ---------------------------------------------------------------------- */

bool
purge_walk_batches(struct purge_job *j, const struct purge_user *u,
	const struct purge_campaign *c, purge_batch_fn fn)
{
	int64_t seq = -1;

	for (;;) {
		struct purge_batch b = {.campaign = c};
		struct rows r;
		bool found;

		if (!purge_slice(j) ||
			!db_query(j->turn->db, SQL_PURGE_NEXT_BATCH,
				ARGS(V_INT(c->no), V_INT(seq)), NO_BULK, &r, j->e))
			return false;
		found = rows_next(&r);
		if (found) {
			seq = row_int(&r, 0);
			b.first_key = row_int(&r, 1);
			b.n = row_int(&r, 2);
			b.uids = arena_dup(&j->slice, row_str(&r, 3));
		}
		if (!rows_end(&r, j->e) || (found && !fn(j, u, &b)))
			return false;
		if (!found)
			return true;
	}
}

bool
purge_walk_sent(struct purge_job *j, const struct purge_user *u, purge_batch_fn fn)
{
	struct purge_campaign some[WALK_SLICE];
	int64_t last = 0;
	size_t n;

	do {
		struct rows r;

		if (!db_query(j->turn->db, SQL_PURGE_CAMPAIGNS_OF_SENDER,
			    ARGS(V_INT(u->uid), V_INT(last), V_INT(WALK_SLICE)), NO_BULK, &r,
			    j->e))
			return false;
		for (n = 0; n < WALK_SLICE && rows_next(&r); n++)
			some[n] = (struct purge_campaign){
				row_int(&r, 0), row_int(&r, 1), row_int(&r, 2) != 0};
		if (!rows_end(&r, j->e))
			return false;
		for (size_t i = 0; i < n; i++)
			if (!purge_walk_batches(j, u, &some[i], fn))
				return false;
		last = n > 0 ? some[n - 1].no : last;
	} while (n == WALK_SLICE);
	return true;
}

/* ---- messages ----------------------------------------------------------------------- */

bool
purge_remove_messages(struct db *w, const struct bulk *keys, struct err *e)
{
	return keys->nrows == 0 ||
	       (db_exec(w, SQL_PURGE_REMOVE_MESSAGE_IDS, NO_ARGS, keys, NULL, e) &&
		       db_exec(w, SQL_PURGE_REMOVE_MESSAGES, NO_ARGS, keys, NULL, e));
}

static bool
remove_in(struct db *w, void *arg, struct err *e)
{
	return purge_remove_messages(w, arg, e);
}

static bool
treat_messages(struct purge_job *j, const struct purge_user *u, struct purge_keys keys)
{
	struct col col = COL_INTS(keys.v);
	struct bulk bulk = {&col, 1, keys.n};

	switch (j->purge->messages) {
	case PURGE_HIDE:
		return purge_do(j, SQL_PURGE_HIDE_MESSAGES, ARGS(V_INT(u->stamp)), keys);
	case PURGE_EMPTY:
		return purge_do(j, SQL_PURGE_EMPTY_MESSAGES, ARGS(V_INT(u->stamp)), keys);
	case PURGE_REMOVE:
		return keys.n == 0 || task_write(j->turn, false, remove_in, &bulk, j->e);
	case PURGE_SHOW:
		return purge_do(j, SQL_PURGE_SHOW_MESSAGES, ARGS(V_INT(u->stamp)), keys);
	default:
		return true;
	}
}

static bool
treat_batch(struct purge_job *j, const struct purge_user *u, const struct purge_batch *b)
{
	struct purge_keys keys;

	return purge_ask(j, SQL_PURGE_KEYS_OF_BATCH,
		       ARGS(V_INT(b->first_key), V_INT(b->first_key + b->n),
			       V_INT(j->purge->until)),
		       NO_BULK, &keys) &&
	       treat_messages(j, u, keys);
}

static bool
messages(struct purge_job *j, const struct purge_user *u)
{
	struct purge_keys keys;
	int64_t last = 0;

	if (j->purge->messages == PURGE_KEEP)
		return true;
	do {
		if (!purge_slice(j) ||
			!purge_ask(j, SQL_PURGE_KEYS_OF_AUTHOR,
				ARGS(V_INT(u->uid), V_INT(last), V_INT(PURGE_SLICE),
					V_INT(j->purge->until)),
				NO_BULK, &keys) ||
			!treat_messages(j, u, keys))
			return false;
		last = keys.n > 0 ? keys.v[keys.n - 1] : last;
	} while (keys.n == PURGE_SLICE);
	return purge_walk_sent(j, u, treat_batch);
}

/* ---- all of it ---------------------------------------------------------------------- */

bool
purge_run(const struct task_turn *turn, struct str work, struct err *e)
{
	struct purge_job j = {.turn = turn, .e = e};
	struct arena whole;
	struct purge p;
	bool ok;

	arena_init(&whole, 4096, SIZE_MAX);
	arena_init(&j.slice, 65536, SIZE_MAX);
	j.purge = &p;
	ok = purge_read(&whole, work, &p, e);
	/* The conversations first: while the messages of campaigns are there. */
	for (size_t i = 0; ok && i < p.nusers; i++)
		ok = purge_conversations(&j, &p.users[i]) && messages(&j, &p.users[i]) &&
		     purge_owned(&j, &p.users[i]);
	arena_fini(&j.slice);
	arena_fini(&whole);
	return ok;
}
