/* webhook – attempts and answers. */
#include "courier/webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/log.h"
#include "courier/seal.h"
#include "domain/hook.h"
#include "domain/settings.h"
#include "net/fetch.h"

#define TIMEOUT_MS 6000
#define WIDTH_MAX  64
#define GZIP_BITS  (15 + 16)
#define GZIP_LEVEL 1

/* A hook as it is set now. */
struct target {
	struct str ident;
	const char *url;
	int timeout_ms;
};

struct webhooks {
	struct webhook_opts opts;
	struct arena arena; /* what was read of the settings */
	int64_t version;    /* of them; −1: not read yet */
	struct out_route *routes;
	struct target *targets; /* by the numbers of ${routes} */
	size_t n;
	bool compresses;
	z_stream zip;
	struct seal *seal;
};

/* ---- the settings ------------------------------------------------------------------------ */

static const json_t *
find_hook(const json_t *all, struct str ident)
{
	const json_t *hooks = json_object_get(all, "event_hooks");

	for (size_t i = 0; i < json_array_size(hooks); i++)
		if (str_eq(jr_text(json_object_get(json_array_get(hooks, i), "id")), ident))
			return json_array_get(hooks, i);
	return all; /* the legacy one: its URL is a setting by itself */
}

static void
read_target(struct webhooks *h, const json_t *all, struct str ident, struct target *out)
{
	const json_t *hook = find_hook(all, ident);
	int64_t timeout_ms = json_integer_value(json_object_get(hook, "timeout_ms"));

	out->ident = ident;
	out->url = arena_dup(&h->arena, jr_text(json_object_get(hook, "webhook_url"))).p;
	out->timeout_ms = timeout_ms > 0 ? (int)timeout_ms : TIMEOUT_MS;
}

static bool
read_settings(struct webhooks *h, struct db *db, struct err *e)
{
	struct settings s;
	int64_t version;

	if (!settings_version(db, &version, e))
		return false;
	if (version == h->version)
		return true;
	h->version = -1;
	h->n = 0;
	arena_reset(&h->arena);
	if (!settings_load(db, &h->arena, &s, e))
		return false;
	h->compresses = json_is_true(json_object_get(s.all, "enable_hook_payload_compression"));
	hook_routes(&h->arena, s.all, &h->routes, &h->n);
	h->targets = arena_array(&h->arena, h->n, sizeof(*h->targets));
	for (size_t i = 0; i < h->n; i++)
		read_target(h, s.all, h->routes[i].ident, &h->targets[i]);
	h->version = s.version;
	return true;
}

static bool
list_routes(void *arg, struct db *db, struct arena *a UNUSED, struct out_route **out, size_t *n,
	struct err *e)
{
	struct webhooks *h = arg;

	if (!read_settings(h, db, e))
		return false;
	*out = h->routes;
	*n = h->n;
	return true;
}

static bool
pack(void *arg, struct db *db, struct arena *a, const struct out_route *route, struct place *at,
	size_t max, struct packed *out, struct err *e)
{
	const struct webhooks *h = arg;

	return h->opts.pack(h->opts.pack_arg, db, a, route, at, max, out, e);
}

/* ---- an attempt -------------------------------------------------------------------------- */

static struct str
zip(struct webhooks *h, struct arena *a, struct str body)
{
	z_stream *z = &h->zip;
	struct buf out;

	if (deflateReset(z) != Z_OK)
		panic("zlib: reset");
	buf_init(&out, a, deflateBound(z, body.n) + 1);
	z->next_in = (Bytef *)(uintptr_t)body.p;
	z->avail_in = (uInt)body.n;
	z->next_out = (Bytef *)out.p;
	z->avail_out = (uInt)out.cap;
	if (deflate(z, Z_FINISH) != Z_STREAM_END)
		panic("zlib: a body of %zu bytes", body.n);
	return (struct str){out.p, out.cap - z->avail_out};
}

static const struct target *
find_target(const struct webhooks *h, struct str ident)
{
	for (size_t i = 0; i < h->n; i++)
		if (str_eq(h->targets[i].ident, ident))
			return &h->targets[i];
	return NULL;
}

static bool
dress(void *arg, struct db *db UNUSED, struct arena *a, const struct out_route *route,
	const struct parcel *p, int attempt, struct fetch *out, struct err *e)
{
	struct webhooks *h = arg;
	const struct target *target = find_target(h, route->ident);

	if (target == NULL)
		return fail(e, ERR_INPUT, "the hook is gone");
	out->method = "POST";
	out->url = target->url;
	out->timeout_ms = target->timeout_ms;
	out->body = h->compresses ? zip(h, a, p->body) : p->body;
	seal_headers(h->seal, a, p->id, p->body, attempt, out->headers);
	if (h->compresses)
		out->headers[SEAL_HEADERS] = "Content-Encoding: gzip";
	return true;
}

/* api.md §9.3: 2xx is success; 408, 429 and 5xx are tried again, other 4xx are not.  Redirects
 * are not followed, and may be gone the next time. */
static void
judge_status(int status, struct judgement *out)
{
	bool is_ok = status >= 200 && status < 300;
	bool is_final = status >= 400 && status < 500 && status != 408 && status != 429;

	out->verdict = is_ok ? VERDICT_OK : is_final ? VERDICT_PERMFAIL : VERDICT_TEMPFAIL;
	if (!is_ok)
		snprintf(out->why, sizeof(out->why), "http_%d", status);
}

static void
judge(void *arg UNUSED, const struct out_route *route UNUSED, const struct parcel *p UNUSED,
	const struct fetch *f, struct judgement *out)
{
	static const char *const words[] = {
		[FETCH_TIMEOUT] = "timeout",
		[FETCH_REFUSED] = "address_refused",
		[FETCH_BROKEN] = "network",
	};

	*out = (struct judgement){.verdict = VERDICT_TEMPFAIL,
		.retry_after_ms = MIN_OF(f->retry_after_s, INT64_C(1000000)) * 1000};
	if (f->end == FETCH_ANSWERED)
		judge_status(f->status, out);
	else
		snprintf(out->why, sizeof(out->why), "%s", words[f->end]);
}

/* ---- life -------------------------------------------------------------------------------- */

struct webhooks *
webhooks_new(const struct webhook_opts *opts, struct trade *out)
{
	struct webhooks *h = calloc(1, sizeof(*h));

	if (h == NULL || deflateInit2(&h->zip, GZIP_LEVEL, Z_DEFLATED, GZIP_BITS, 8,
				 Z_DEFAULT_STRATEGY) != Z_OK)
		panic("out of memory: webhooks");
	h->opts = *opts;
	h->version = -1;
	h->seal = seal_new(opts->app);
	arena_init(&h->arena, 4096, SIZE_MAX);
	*out = (struct trade){
		.kind = ROUTE_WEBHOOK,
		.width_max = WIDTH_MAX,
		.routes = list_routes,
		.pack = pack,
		.dress = dress,
		.judge = judge,
		.arg = h,
	};
	return h;
}

void
webhooks_free(struct webhooks *h)
{
	if (h == NULL)
		return;
	deflateEnd(&h->zip);
	seal_free(h->seal);
	arena_fini(&h->arena);
	free(h);
}
