/* cause – writing request_info. */
#include "api/cause.h"

#include "api/req.h"
#include "domain/settings.h"
#include "net/http.h"
#include "store/db.h"

/* Of what clients say of themselves. */
#define SAID_MAX 256

static bool
has_hooks(const struct settings *s)
{
	return s != NULL && (jr_text(settings_of(s->all, "webhook_url")).n > 0 ||
				    json_array_size(settings_of(s->all, "event_hooks")) > 0);
}

static void
write_said(struct jw *w, const char *key, struct str said)
{
	if (said.p != NULL)
		jw_kstr(w, key, str_clip(said, SAID_MAX));
}

struct str
cause_text(struct req *r)
{
	struct str sdk = http_header(r->in, "X-Stream-Client");
	struct buf b;
	struct jw w;

	/* Browsers set no headers of a WebSocket. */
	if (sdk.p == NULL)
		sdk = http_query(r->in, "X-Stream-Client");
	buf_init(&b, r->arena, 256);
	jw_init(&w, &b);
	jw_obj(&w);
	jw_kstr(&w, "type",
		r->user_id.p != NULL || r->is_anonymous ? STR("client") : STR("server"));
	write_said(&w, "ip", http_peer(r->in));
	write_said(&w, "user_agent", http_header(r->in, "User-Agent"));
	write_said(&w, "sdk", sdk);
	jw_end_obj(&w);
	return buf_view(&b);
}

void
cause_set(struct req *r)
{
	bool reads = str_is(r->in->method, "GET") && !(r->route->flags & ROUTE_SOCKET);

	if (r->db != NULL)
		db_set_cause(
			r->db, reads || !has_hooks(r->settings) ? STR_NONE : cause_text(r));
}

void
cause_clear(struct req *r)
{
	if (r->db != NULL)
		db_set_cause(r->db, STR_NONE);
}
