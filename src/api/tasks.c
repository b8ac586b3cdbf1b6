/* tasks – the endpoint that tells how far a task is (api.md §6.1). */
#include "api/req.h"
#include "domain/task.h"

/* ErrorResult; a trace of our stack is nobody's business. */
static void
write_error(struct req *r, struct str why)
{
	jw_kobj(&r->w, "error");
	jw_kstr(&r->w, "type", STR("internal"));
	jw_kstr(&r->w, "description", why);
	jw_kstr(&r->w, "stacktrace", STR(""));
	jw_kstr(&r->w, "version", STR(FANFARE_VERSION));
	jw_end_obj(&r->w);
}

static bool
get(struct req *r, struct err *e)
{
	struct task t;

	if (!task_get(r->db, r->arena, r->param[0], &t, e))
		return false;
	jw_kstr(&r->w, "task_id", t.id);
	jw_kstr(&r->w, "status", t.status);
	req_ktime(r, "created_at", t.created_at);
	req_ktime(r, "updated_at", t.updated_at);
	jw_kraw(&r->w, "result", t.result.p == NULL ? STR("{}") : t.result);
	if (t.error.p != NULL)
		write_error(r, t.error);
	return true;
}

static const struct route routes[] = {
	{"GET", "/tasks/{id}", "GetTask", get, ROUTE_COMMON, BODY_NONE, "ask after a task"},
};

const struct route_group routes_tasks = {routes, ARRAY_LEN(routes)};
