/* outgoing – the endpoints that show how webhooks and pushes go, and what to do about it. */
#include "api/req.h"
#include "api/wire.h"
#include "domain/aside.h"
#include "domain/page.h"
#include "domain/route_report.h"

#define LETTERS_DEFAULT 30
#define LETTERS_MAX     100

/* ---- objects ----------------------------------------------------------------------------- */

static void
write_failures(struct req *r, const struct route_report *p)
{
	jw_kobj(&r->w, "failures");
	for (size_t i = 0; i < p->nfailures; i++) {
		jw_key(&r->w, p->failures[i].why);
		jw_i64(&r->w, p->failures[i].n);
	}
	jw_end_obj(&r->w);
}

static void
write_route(struct req *r, const struct route_report *p)
{
	int64_t lag_ms = p->lag_us / 1000;

	jw_obj(&r->w);
	jw_kstr(&r->w, "kind", route_kind_name(p->route.kind));
	jw_kstr(&r->w, "ident", p->route.ident);
	jw_kbool(&r->w, "enabled", !p->route.is_off);
	req_ktime(r, "created_at", p->created_at);
	req_ktime(r, "paused_at", p->route.paused_at);
	req_ktime(r, "barred_at", p->route.barred_at);
	jw_kstr(&r->w, "barred_reason", p->barred_why);
	jw_ki64(&r->w, "window", p->width);
	jw_ki64(&r->w, "sent", p->sent);
	jw_ki64(&r->w, "failed", p->failed);
	write_failures(r, p);
	jw_ki64(&r->w, "put_aside", p->put_aside);
	jw_ki64(&r->w, "dead", p->dead);
	jw_ki64(&r->w, "dropped", p->dropped);
	jw_ki64(&r->w, "missed", p->missed);
	jw_ki64(&r->w, "behind", p->behind);
	jw_name(&r->w, STR("lag"));
	jw_double(&r->w, (double)lag_ms / 1000);
	jw_end_obj(&r->w);
}

static void
write_letter(struct req *r, const struct aside *s)
{
	jw_obj(&r->w);
	jw_kstr(&r->w, "id", s->parcel.id);
	jw_kstr(&r->w, "type", s->parcel.type);
	req_ktime(r, "created_at", s->parcel.at);
	req_ktime(r, "first_attempt_at", s->first_at);
	req_ktime(r, "died_at", s->due_at);
	jw_ki64(&r->w, "attempts", s->attempts);
	jw_kstr(&r->w, "reason", s->why);
	jw_kstr(&r->w, "body", s->parcel.body);
	jw_end_obj(&r->w);
}

/* ---- handlers ---------------------------------------------------------------------------- */

static bool
list(struct req *r, struct err *e)
{
	struct route_report *reports;
	size_t n;

	if (!route_report(r->db, r->arena, 0, STR_NONE, &reports, &n, e))
		return false;
	jw_karr(&r->w, "routes");
	for (size_t i = 0; i < n; i++)
		write_route(r, &reports[i]);
	jw_end_arr(&r->w);
	return true;
}

/* The route that the path names. */
static bool
find(struct req *r, int64_t *no, struct err *e)
{
	struct str shown = str_clip(r->param[0], 64);
	enum route_kind kind;

	if (!route_kind_read(r->param[0], &kind))
		return fail(e, ERR_INPUT, "kind: expected webhook or push, got \"%.*s\"",
			STR_ARG(shown));
	return route_find(r->db, kind, str_clip(r->param[1], 255), no, e);
}

static bool
switch_route(struct req *r, bool pauses, struct err *e)
{
	struct route_report *reports;
	enum route_kind kind;
	int64_t no;
	size_t n;

	if (!find(r, &no, e) || !route_pause(r->db, no, pauses, e) ||
		!route_kind_read(r->param[0], &kind) ||
		!route_report(r->db, r->arena, (int)kind, r->param[1], &reports, &n, e))
		return false;
	if (n == 0)
		return fail(e, ERR_NOT_FOUND, "the route has gone meanwhile");
	jw_name(&r->w, STR("route"));
	write_route(r, &reports[0]);
	return true;
}

static bool
pause_route(struct req *r, struct err *e)
{
	return switch_route(r, true, e);
}

static bool
resume_route(struct req *r, struct err *e)
{
	return switch_route(r, false, e);
}

static bool
dead(struct req *r, struct err *e)
{
	struct page_ask ask = {.limit = LETTERS_DEFAULT,
		.next = req_query(r, "next"),
		.prev = req_query(r, "prev")};
	struct page_links links;
	struct aside *letters;
	int64_t no;
	size_t n;

	if (!req_query_int(r, "limit", 1, LETTERS_MAX, &ask.limit, e))
		return false;
	if (ask.next.p != NULL && ask.prev.p != NULL)
		return fail(e, ERR_INPUT, "next and prev cannot be given together");
	if (!find(r, &no, e) || !aside_dead_page(r->db, r->arena, r->ctx->app, no, &ask,
					&letters, &n, &links, e))
		return false;
	jw_karr(&r->w, "letters");
	for (size_t i = 0; i < n; i++)
		write_letter(r, &letters[i]);
	jw_end_arr(&r->w);
	wire_links(r, &links);
	return true;
}

static bool
replay(struct req *r, struct err *e)
{
	struct str id = STR_NONE;
	int64_t no, n;
	json_t *body;

	if (!req_body(r, &body, e) || !jr_str_max(body, "id", OPTIONAL, 64, &id, e) ||
		!find(r, &no, e) || !aside_replay(r->db, no, id, &n, e))
		return false;
	jw_ki64(&r->w, "replayed", n);
	return true;
}

static bool
drop(struct req *r, struct err *e)
{
	int64_t no, n;

	if (!find(r, &no, e) || !aside_drop(r->db, no, req_query(r, "id"), &n, e))
		return false;
	jw_ki64(&r->w, "dropped", n);
	return true;
}

#define ADDITION (ROUTE_COMMON | ROUTE_ADDITION)

static const struct route routes[] = {
	{"GET", "/routes", "ListRoutes", list, ADDITION, BODY_NONE,
		"how the webhooks and push providers go"},
	{"POST", "/routes/{kind}/{ident}/pause", "PauseRoute", pause_route, ADDITION, BODY_NONE,
		"send nothing more, and keep what happens"},
	{"POST", "/routes/{kind}/{ident}/resume", "ResumeRoute", resume_route, ADDITION,
		BODY_NONE, "send again, and lift a bar"},
	{"GET", "/routes/{kind}/{ident}/dead", "ListDeadLetters", dead, ADDITION, BODY_NONE,
		"what could not be delivered"},
	{"DELETE", "/routes/{kind}/{ident}/dead", "DropDeadLetters", drop, ADDITION, BODY_NONE,
		"forget what could not be delivered: all, or that of one id"},
	{"POST", "/routes/{kind}/{ident}/replay", "ReplayDeadLetters", replay, ADDITION,
		BODY_SMALL, "try again what could not be delivered: all, or that of one id"},
};

const struct route_group routes_outgoing = {routes, ARRAY_LEN(routes)};
