/* task – the rows behind GET /tasks/{id}. */
#include "domain/task.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "domain/claim.h"

bool
task_add(
	struct db *w, struct arena *a, const struct task_work *t, struct str *id, struct err *e)
{
	struct str status = t->kind.p == NULL ? STR("completed") : STR("waiting");
	char uuid[ID_UUID_LEN];
	int64_t no = 0;

	if (!db_take(w, COUNTER_TASK, 1, &no, e))
		return false;
	id_uuid4(uuid);
	*id = arena_dup(a, (struct str){uuid, sizeof(uuid)});
	return db_exec(w, SQL_TASK_INSERT,
		ARGS(V_TEXT(*id), V_INT(no), V_TEXT(status), V_TEXT(t->kind), V_TEXT(t->work),
			V_TEXT(t->result), V_TIME(clock_now_us())),
		NO_BULK, NULL, e);
}

bool
task_get(struct db *db, struct arena *a, struct str id, struct task *out, struct err *e)
{
	struct rows rows;
	bool found;

	if (!db_query(db, SQL_TASK_BY_ID, ARGS(V_TEXT(id)), NO_BULK, &rows, e))
		return false;
	found = rows_next(&rows);
	if (found)
		*out = (struct task){
			.id = arena_dup(a, row_str(&rows, 0)),
			.status = arena_dup(a, row_str(&rows, 1)),
			.created_at = row_time(&rows, 2),
			.updated_at = row_time(&rows, 3),
			.result =
				row_null(&rows, 4) ? STR_NONE : arena_dup(a, row_str(&rows, 4)),
			.error =
				row_null(&rows, 5) ? STR_NONE : arena_dup(a, row_str(&rows, 5)),
		};
	if (!rows_end(&rows, e))
		return false;
	if (!found)
		return fail(e, ERR_NOT_FOUND, "task with id %.*s doesn't exist", STR_ARG(id));
	if (!str_is(out->status, "completed"))
		out->result = STR_NONE;
	return true;
}

bool
task_next(struct db *db, struct arena *a, struct task_job *out, bool *found, struct err *e)
{
	struct rows rows;
	int64_t now;

	if (!db_now(db, &now, e) ||
		!db_query(db, SQL_TASK_NEXT, ARGS(V_INT(now)), NO_BULK, &rows, e))
		return false;
	*found = rows_next(&rows);
	if (*found)
		*out = (struct task_job){
			.no = row_int(&rows, 0),
			.kind = arena_dup(a, row_str(&rows, 1)),
			.work = arena_dup(a, row_str(&rows, 2)),
		};
	return rows_end(&rows, e);
}

/* ---- turns -------------------------------------------------------------------------- */

struct piece {
	const struct claim *claim;
	tx_fn fn;
	void *arg;
};

static bool
write_piece(struct db *w, void *arg, struct err *e)
{
	struct piece *p = arg;

	return claim_keep(w, p->claim, e) && p->fn(w, p->arg, e);
}

bool
task_go_on(const struct task_turn *t, struct err *e)
{
	return t->is_stopping == NULL || !t->is_stopping(t->arg) ||
	       fail(e, ERR_STALE, "the process stops");
}

bool
task_write(const struct task_turn *t, bool in_line, tx_fn fn, void *arg, struct err *e)
{
	struct piece p = {t->claim, fn, arg};

	return task_go_on(t, e) &&
	       (in_line ? db_write : db_write_beside)(t->db, write_piece, &p, e);
}

struct move {
	int64_t no;
	struct str status, error;
};

static bool
move_in(struct db *w, void *arg, struct err *e)
{
	const struct move *m = arg;

	return db_exec(w, SQL_TASK_MOVE,
		ARGS(V_INT(m->no), V_TEXT(m->status), V_TEXT(m->error), V_TIME(clock_now_us())),
		NO_BULK, NULL, e);
}

bool
task_begin(const struct task_turn *t, struct err *e)
{
	struct move m = {t->claim->no, STR("running"), STR_NONE};

	return task_write(t, false, move_in, &m, e);
}

bool
task_end(const struct task_turn *t, const struct err *why, struct err *e)
{
	struct move m = {t->claim->no, STR("completed"), STR_NONE};

	if (why != NULL) {
		m.status = STR("failed");
		m.error = str_of(why->msg);
	}
	return task_write(t, false, move_in, &m, e);
}
