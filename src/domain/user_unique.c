/* user_unique – names that nobody else may have (enforce_unique_usernames, api.md §6.8).
 *
 * Names are entered into user_names by the hash of name and scope (the app, or a team) in the
 * transaction that writes the user; those of users who were there before are entered slice by
 * slice once the setting is switched on.  Entries are hints: what counts is the user's row.
 * So nothing must be removed when a name is given up, and names that were equal before stay. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/crypt.h"
#include "base/err.h"
#include "base/jscan.h"
#include "domain/settings.h"
#include "domain/user.h"
#include "domain/user_impl.h"
#include "store/db.h"

#define SLICE 5000 /* uids looked at in one transaction */

/* A name in one scope. */
struct entry {
	int64_t hash, uid;
	size_t user; /* whose */
	struct str name;
	struct str team; /* p == NULL: the whole app */
};

struct entries {
	struct buf list; /* of struct entry, in an arena */
};

static struct entry *
all_of(const struct entries *l, size_t *n)
{
	*n = l->list.n / sizeof(struct entry);
	return (struct entry *)(void *)l->list.p;
}

/* The length in front tells where the team ends and the name begins. */
static int64_t
hash_of(struct str name, struct str team)
{
	uint8_t digest[CRYPT_SHA256_LEN];
	struct buf text;
	int64_t out;

	buf_init(&text, NULL, name.n + team.n + 24);
	buf_printf(&text, "%zu:%.*s%.*s", team.n, STR_ARG(team), STR_ARG(name));
	crypt_sha256(buf_view(&text), digest);
	buf_free(&text);
	memcpy(&out, digest, sizeof(out));
	return out & INT64_MAX;
}

static void
add(struct entries *l, size_t user, int64_t uid, struct str name, struct str team)
{
	struct entry *e = (struct entry *)(void *)buf_room(&l->list, sizeof(*e));

	*e = (struct entry){hash_of(name, team), uid, user, name, team};
	l->list.n += sizeof(*e);
}

/* The entries of one user: one, or one for each of his teams. */
static void
add_user(struct entries *l, enum unique_names mode, size_t user, int64_t uid, struct str name,
	struct str teams)
{
	struct jscan_value team;

	if (name.n == 0)
		return;
	if (mode == UNIQUE_APP) {
		add(l, user, uid, name, STR_NONE);
		return;
	}
	for (size_t at = 0; teams.p != NULL && jscan_next(teams, &at, &team);)
		add(l, user, uid, name, jscan_text(l->list.arena, team));
}

static bool
has_team(struct arena *a, struct str teams, struct str team)
{
	struct arena_mark mark = arena_mark(a);
	struct jscan_value v;
	bool found = false;

	for (size_t at = 0; teams.p != NULL && !found && jscan_next(teams, &at, &v);)
		found = str_eq(jscan_text(a, v), team);
	arena_rewind(a, mark);
	return found;
}

static bool
enter(struct db *w, struct arena *a, const struct entries *l, struct err *e)
{
	size_t n;
	const struct entry *v = all_of(l, &n);
	int64_t *hashes = arena_array(a, n + 1, sizeof(*hashes));
	int64_t *uids = arena_array(a, n + 1, sizeof(*uids));
	struct col cols[] = {COL_INTS(hashes), COL_INTS(uids)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};

	for (size_t i = 0; i < n; i++) {
		hashes[i] = v[i].hash;
		uids[i] = v[i].uid;
	}
	return n == 0 || db_exec(w, SQL_UNIQUE_NAMES_ADD, NO_ARGS, &bulk, NULL, e);
}

/* ---- writes ------------------------------------------------------------------------------ */

/* Users about to be written. */
struct claim {
	struct arena *a;
	struct user *const *users;
	size_t n;
	enum unique_names mode;
	bool *keeps; /* user i is called what he was called, in the same teams */
	struct entries entries;
};

static bool
refuse(const struct claim *c, const struct entry *entry, struct err *e)
{
	struct str id = c->users[entry->user]->id, name = str_clip(entry->name, 64);

	if (c->mode == UNIQUE_TEAM)
		return fail(e, ERR_DUPLICATE,
			"users.%.*s.name: \"%.*s\" is the name of another user of team "
			"\"%.*s\"",
			STR_ARG(id), STR_ARG(name), STR_ARG(entry->team));
	return fail(e, ERR_DUPLICATE, "users.%.*s.name: \"%.*s\" is the name of another user",
		STR_ARG(id), STR_ARG(name));
}

/* Who keeps his name may, whoever else has it. */
static bool
find_keepers(struct db *w, struct claim *c, struct err *e)
{
	int64_t *uids = arena_array(c->a, c->n, sizeof(*uids));
	struct col col = COL_INTS(uids);
	struct bulk bulk = {&col, 1, c->n};
	struct rows r;

	c->keeps = arena_zalloc(c->a, c->n * sizeof(*c->keeps));
	for (size_t i = 0; i < c->n; i++)
		uids[i] = c->users[i]->uid;
	if (!db_query(w, SQL_UNIQUE_NAMES_BEFORE, NO_ARGS, &bulk, &r, e))
		return false;
	while (rows_next(&r)) {
		size_t i = (size_t)row_int(&r, 0);

		c->keeps[i] =
			str_eq(row_str(&r, 1), c->users[i]->name) &&
			(c->mode == UNIQUE_APP || str_eq(row_str(&r, 2), c->users[i]->teams));
	}
	return rows_end(&r, e);
}

static int
cmp_entry(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->hash != y->hash)
		return (x->hash > y->hash) - (x->hash < y->hash);
	return (x->user > y->user) - (x->user < y->user);
}

/* Two of those that are written now. */
static bool
check_each_other(const struct claim *c, struct err *e)
{
	size_t n;
	struct entry *v = all_of(&c->entries, &n);

	if (n > 1)
		qsort(v, n, sizeof(*v), cmp_entry);
	for (size_t i = 1; i < n; i++)
		if (v[i].hash == v[i - 1].hash && v[i].uid != v[i - 1].uid &&
			str_eq(v[i].name, v[i - 1].name) && str_eq(v[i].team, v[i - 1].team))
			return refuse(c, &v[i], e);
	return true;
}

/* True for a user who is called otherwise from now on. */
static bool
changes_too(const struct claim *c, int64_t uid)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->users[i]->uid == uid)
			return !c->keeps[i];
	return false;
}

static bool
check_others(struct db *w, const struct claim *c, struct err *e)
{
	size_t n;
	const struct entry *v = all_of(&c->entries, &n), *taken = NULL;
	int64_t *ints[2];
	struct str *names = arena_array(c->a, n + 1, sizeof(*names));
	struct col cols[3] = {[2] = COL_TEXTS(names)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;

	for (size_t k = 0; k < ARRAY_LEN(ints); k++) {
		ints[k] = arena_array(c->a, n + 1, sizeof(*ints[k]));
		cols[k] = COL_INTS(ints[k]);
	}
	for (size_t i = 0; i < n; i++) {
		ints[0][i] = v[i].hash;
		ints[1][i] = v[i].uid;
		names[i] = v[i].name;
	}
	if (n == 0)
		return true;
	if (!db_query(w, SQL_UNIQUE_NAMES_TAKEN, NO_ARGS, &bulk, &r, e))
		return false;
	while (taken == NULL && rows_next(&r)) {
		const struct entry *entry = &v[row_int(&r, 0)];

		if ((c->mode == UNIQUE_APP || has_team(c->a, row_str(&r, 2), entry->team)) &&
			!changes_too(c, row_int(&r, 1)))
			taken = entry;
	}
	return rows_end(&r, e) && (taken == NULL || refuse(c, taken, e));
}

bool
user_unique_mode(struct db *w, enum unique_names *out, struct err *e)
{
	int64_t mode = UNIQUE_NO;
	bool found, ok;

	ok = db_get_int(w, SQL_SETTINGS_UNIQUE_NAMES, NO_ARGS, &mode, &found, e);
	*out = (enum unique_names)mode;
	return ok;
}

bool
user_unique_claim(struct db *w, struct arena *a, enum unique_names mode,
	struct user *const *users, size_t n, struct err *e)
{
	struct claim c = {.a = a, .users = users, .n = n, .mode = mode};

	if (mode == UNIQUE_NO || n == 0)
		return true;
	if (!find_keepers(w, &c, e))
		return false;
	buf_init(&c.entries.list, a, n * sizeof(struct entry));
	for (size_t i = 0; i < n; i++)
		if (!c.keeps[i])
			add_user(&c.entries, c.mode, i, users[i]->uid, users[i]->name,
				users[i]->teams);
	return check_each_other(&c, e) && check_others(w, &c, e) && enter(w, a, &c.entries, e);
}

/* ---- those who were there before --------------------------------------------------------- */

struct fill {
	struct arena *a;
	bool more;
};

static bool
enter_slice(struct db *w, struct fill *f, enum unique_names mode, int64_t from, struct err *e)
{
	struct entries l;
	struct rows r;

	buf_init(&l.list, f->a, SLICE * sizeof(struct entry));
	if (!db_query(w, SQL_UNIQUE_NAMES_SLICE, ARGS(V_INT(from), V_INT(from + SLICE)),
		    NO_BULK, &r, e))
		return false;
	while (rows_next(&r))
		add_user(&l, mode, 0, row_int(&r, 0), row_str(&r, 1), row_str(&r, 2));
	return rows_end(&r, e) && enter(w, f->a, &l, e);
}

/* What is to be done is looked up anew: other processes fill, too. */
static bool
fill_in(struct db *w, void *arg, struct err *e)
{
	struct fill *f = arg;
	enum unique_names mode;
	int64_t from = 0, end = 0;
	bool found;

	arena_reset(f->a);
	if (!db_get_int(w, SQL_UNIQUE_NAMES_DUE, NO_ARGS, &from, &f->more, e))
		return false;
	if (!f->more)
		return true;
	if (!user_unique_mode(w, &mode, e) ||
		!db_get_int(w, SQL_UNIQUE_NAMES_END, NO_ARGS, &end, &found, e) ||
		!enter_slice(w, f, mode, from, e))
		return false;
	f->more = from + SLICE <= end;
	return db_exec(w, SQL_SETTINGS_NAMES_FROM, ARGS(f->more ? V_INT(from + SLICE) : V_NULL),
		NO_BULK, NULL, e);
}

bool
user_unique_fill(struct db *db, struct arena *a, bool *more, struct err *e)
{
	struct fill f = {.a = a};
	int64_t from;

	if (!db_get_int(db, SQL_UNIQUE_NAMES_DUE, NO_ARGS, &from, more, e))
		return false;
	if (!*more)
		return true;
	if (!db_write(db, fill_in, &f, e))
		return false;
	*more = f.more;
	return true;
}
