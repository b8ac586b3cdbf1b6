/* ops – what operators and probes ask: is it alive, can it serve. */
#include "api/req.h"
#include "base/macros.h"
#include "domain/app.h"

static bool
healthz(struct req *r, struct err *e)
{
	(void)e;
	jw_kstr(&r->w, "status", STR("ok"));
	return true;
}

/* Clients call it to have a connection before they need one. */
static bool
hi(struct req *r, struct err *e)
{
	(void)r;
	(void)e;
	return true;
}

static bool
readyz(struct req *r, struct err *e)
{
	if (!app_ready(r->db, e))
		return false;
	jw_kstr(&r->w, "status", STR("ready"));
	return true;
}

static bool
openapi(struct req *r, struct err *e)
{
	(void)e;
	buf_str(&r->out, r->ctx->openapi);
	return true;
}

static const struct route routes[] = {
	{"GET", "/healthz", "Healthz", healthz, ROUTE_OPEN | ROUTE_ADDITION, BODY_NONE,
		"answers as long as the process lives"},
	{"GET", "/hi", "Hi", hi, ROUTE_OPEN, BODY_NONE,
		"nothing: opens a connection that the next call finds warm"},
	{"GET", "/readyz", "Readyz", readyz, ROUTE_OPEN | ROUTE_ADDITION, BODY_NONE,
		"answers 200 when requests can be served"},
	{"GET", "/openapi.json", "GetOpenAPI", openapi,
		ROUTE_OPEN | ROUTE_ADDITION | ROUTE_RAW_ANSWER, BODY_NONE,
		"the description of everything served"},
};

const struct route_group routes_ops = {routes, ARRAY_LEN(routes)};
