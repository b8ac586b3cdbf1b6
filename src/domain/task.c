/* task – the rows behind GET /tasks/{id}. */
#include "domain/task.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "store/db.h"

static bool
insert_in(struct db *w, void *arg, struct err *e)
{
	const struct task *t = arg;

	return db_exec(w, SQL_TASK_INSERT,
		ARGS(V_TEXT(t->id), V_TEXT(t->status), V_TIME(t->created_at),
			V_TEXT(t->result)),
		NO_BULK, NULL, e);
}

bool
task_add_done(struct db *db, struct arena *a, struct str result, struct str *id, struct err *e)
{
	char uuid[ID_UUID_LEN];
	struct task t = {
		.status = STR("completed"),
		.created_at = clock_now_us(),
		.result = result,
	};

	id_uuid4(uuid);
	t.id = arena_dup(a, (struct str){uuid, sizeof(uuid)});
	*id = t.id;
	return db_write(db, insert_in, &t, e);
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
		};
	if (!rows_end(&rows, e))
		return false;
	if (!found)
		return fail(e, ERR_NOT_FOUND, "task with id %.*s doesn't exist", STR_ARG(id));
	return true;
}
