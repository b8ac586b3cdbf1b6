/* oblivion – forgetting messages and members of channels that were deleted hard. */
#include "domain/oblivion.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "store/db.h"

/* Rows that one transaction forgets. */
#define PIECE 4096

bool
oblivion_add(struct db *w, const int64_t *channels, size_t n, int64_t upto, struct err *e)
{
	struct col cols[] = {COL_INTS(channels)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};

	return n == 0 || db_exec(w, SQL_OBLIVION_ADD, ARGS(V_INT(upto)), &bulk, NULL, e);
}

bool
oblivion_take(struct db *w, const int64_t *keys, size_t n, struct err *e)
{
	struct col cols[] = {COL_INTS(keys)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};

	return n == 0 ||
	       (db_exec(w, SQL_OBLIVION_BLANK, ARGS(V_INT(clock_now_us())), &bulk, NULL, e) &&
		       db_exec(w, SQL_PURGE_REMOVE_MESSAGE_IDS, NO_ARGS, &bulk, NULL, e) &&
		       db_exec(w, SQL_OBLIVION_DELETE, NO_ARGS, &bulk, NULL, e));
}

struct piece {
	struct arena *arena;
	bool found;
};

static bool
next(struct db *w, int64_t *channel, int64_t *upto, bool *found, struct err *e)
{
	struct rows r;

	if (!db_query(w, SQL_OBLIVION_NEXT, NO_ARGS, NO_BULK, &r, e))
		return false;
	*found = rows_next(&r);
	if (*found) {
		*channel = row_int(&r, 0);
		*upto = row_int(&r, 1);
	}
	return rows_end(&r, e);
}

/* Forgets some messages of the channel; *n: how many. */
static bool
take_messages(
	struct db *w, struct arena *a, int64_t channel, int64_t upto, size_t *n, struct err *e)
{
	int64_t *keys = arena_array(a, PIECE, sizeof(*keys));
	struct rows r;

	*n = 0;
	if (!db_query(w, SQL_OBLIVION_KEYS, ARGS(V_INT(channel), V_INT(upto), V_INT(PIECE)),
		    NO_BULK, &r, e))
		return false;
	while (*n < PIECE && rows_next(&r))
		keys[(*n)++] = row_int(&r, 0);
	return rows_end(&r, e) && oblivion_take(w, keys, *n, e);
}

static bool
step(struct db *w, void *arg, struct err *e)
{
	struct piece *p = arg;
	int64_t channel, upto, members;
	size_t n;

	if (!next(w, &channel, &upto, &p->found, e))
		return false;
	if (!p->found)
		return true;
	if (!take_messages(w, p->arena, channel, upto, &n, e))
		return false;
	if (n == PIECE)
		return true;
	if (!db_exec(w, SQL_OBLIVION_MEMBERS, ARGS(V_INT(channel), V_INT(PIECE)), NO_BULK,
		    &members, e))
		return false;
	return members == PIECE || db_exec(w, SQL_OBLIVION_DONE,
					   ARGS(V_INT(channel), V_INT(upto)), NO_BULK, NULL, e);
}

bool
oblivion_step(struct db *db, struct arena *a, bool *more, struct err *e)
{
	struct piece p = {.arena = a};
	int64_t channel, upto;

	/* Nearly always there is nothing, which takes no transaction to see. */
	if (!next(db, &channel, &upto, more, e))
		return false;
	if (!*more)
		return true;
	if (!db_write(db, step, &p, e))
		return false;
	*more = p.found;
	return true;
}
