/* store_fixture – a fresh store for a test of the domain, and users to put into it. */
#pragma once
#include "../unit_store.h"
#include "base/jr.h"
#include "domain/user.h"
#include "domain/user_state.h"

static inline json_t *
parse(struct fixture *f, const char *text)
{
	json_t *tree;
	struct err e;

	must(jr_parse(&f->arena, str_of(text), &tree, &e), &e);
	return tree;
}

/* Creates or replaces the users of a JSON array, in the v1 shape. */
static inline struct user *
put_users(struct fixture *f, const char *json, size_t *n)
{
	json_t *list = parse(f, json);
	size_t count = json_array_size(list);
	struct user *users = arena_zalloc(&f->arena, count * sizeof(*users));
	struct err e;

	for (size_t i = 0; i < count; i++)
		must(user_read(&f->arena, json_array_get(list, i), false, &users[i], &e), &e);
	must(user_upsert(f->db, &f->arena, users, count, &e), &e);
	if (n != NULL)
		*n = count;
	return users;
}

struct mention {
	struct arena *a;
	const struct str *ids;
	size_t n;
	int64_t *uids;
};

static inline bool
mention_in(struct db *w, void *arg, struct err *e)
{
	struct mention *m = arg;

	return user_mention(w, m->a, m->ids, m->n, m->uids, e);
}

static inline void
mention(struct fixture *f, const struct str *ids, size_t n, int64_t *uids)
{
	struct mention m = {&f->arena, ids, n, uids};
	struct err e;

	must(db_write(f->db, mention_in, &m, &e), &e);
}

/* Deletes users and nothing of theirs. */
static inline bool
delete_users(
	struct fixture *f, const struct str *ids, size_t n, enum purge_mode mode, struct err *e)
{
	const struct user_list list = {.ids = ids, .n = n};
	const struct user_deletion deletion = {.user = mode};
	struct str task;

	return user_delete(f->db, &f->arena, &list, &deletion, &task, e);
}
