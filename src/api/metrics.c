/* metrics – GET /metrics. */
#include "api/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/req.h"
#include "base/clock.h"
#include "base/log.h"
#include "domain/event.h"
#include "domain/outcome.h"
#include "domain/route_report.h"
#include "net/http.h"
#include "net/hub.h"
#include "store/db.h"

#define KEEP_US 2000000

struct metrics {
	pthread_mutex_t lock; /* over all of it; held while it is counted anew */
	int64_t counted_at;   /* monotonic; 0: never */
	struct buf text;      /* of the store */
};

struct metrics *
metrics_new(void)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (m == NULL)
		panic("out of memory: metrics");
	pthread_mutex_init(&m->lock, NULL);
	buf_init(&m->text, NULL, 4096);
	return m;
}

void
metrics_free(struct metrics *m)
{
	if (m == NULL)
		return;
	pthread_mutex_destroy(&m->lock);
	buf_free(&m->text);
	free(m);
}

static void
describe(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP fanfare_%s %s\n# TYPE fanfare_%s %s\n", name, help, name, type);
}

static void
number(struct buf *out, const char *name, const char *type, const char *help, int64_t v)
{
	describe(out, name, type, help);
	buf_printf(out, "fanfare_%s %lld\n", name, (long long)v);
}

/* ---- the store --------------------------------------------------------------------------- */

static bool
count_campaigns(struct db *db, struct buf *out, struct err *e)
{
	int64_t sent = 0;
	struct rows r;
	bool found;

	describe(out, "campaigns", "gauge", "campaigns by status");
	if (!db_query(db, SQL_METRICS_CAMPAIGNS, NO_ARGS, NO_BULK, &r, e))
		return false;
	while (rows_next(&r)) {
		struct str status = row_str(&r, 0);

		buf_printf(out, "fanfare_campaigns{status=\"%.*s\"} %lld\n", STR_ARG(status),
			(long long)row_int(&r, 1));
	}
	if (!rows_end(&r, e) ||
		!db_get_int(db, SQL_METRICS_SENT, ARGS(V_INT(OUTCOME_SENT)), &sent, &found, e))
		return false;
	number(out, "campaign_messages_total", "counter", "messages that campaigns have sent",
		sent);
	return true;
}

/* The labels of a route: idents hold no character that would need escaping in JSON, or are
 * escaped as there. */
static void
begin_route(struct buf *out, const char *name, const struct route_report *p)
{
	buf_printf(out, "fanfare_route_%s{kind=\"%s\",ident=\"", name,
		route_kind_name(p->route.kind).p);
	jw_escape(out, p->route.ident);
	buf_char(out, '"');
}

#define OF(field)                                               \
	static int64_t of_##field(const struct route_report *p) \
	{                                                       \
		return p->field;                                \
	}
OF(sent)
OF(put_aside)
OF(dead)
OF(dropped)
OF(missed)
OF(width)
OF(behind)
#undef OF

static int64_t
of_paused(const struct route_report *p)
{
	return p->route.paused_at != NO_TIME;
}

static int64_t
of_barred(const struct route_report *p)
{
	return p->route.barred_at != NO_TIME;
}

/* What is told of each route by a whole number. */
static const struct {
	const char *name, *type, *help;
	int64_t (*of)(const struct route_report *);
} numbers[] = {
	{"sent_total", "counter", "deliveries that were taken", of_sent},
	{"put_aside", "gauge", "deliveries that wait for another attempt", of_put_aside},
	{"dead_letters", "gauge", "deliveries that were given up", of_dead},
	{"dropped_total", "counter", "dead letters that were too many", of_dropped},
	{"missed_total", "counter", "events that went unread, or could not be told", of_missed},
	{"window", "gauge", "attempts that may be under way", of_width},
	{"behind", "gauge", "positions of the outbox that are not read yet", of_behind},
	{"paused", "gauge", "1: somebody paused it", of_paused},
	{"barred", "gauge", "1: its credentials were refused", of_barred},
};

static void
write_routes(struct buf *out, const struct route_report *list, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		char name[48];

		snprintf(name, sizeof(name), "route_%s", numbers[i].name);
		describe(out, name, numbers[i].type, numbers[i].help);
		for (size_t k = 0; k < n; k++) {
			begin_route(out, numbers[i].name, &list[k]);
			buf_printf(out, "} %lld\n", (long long)numbers[i].of(&list[k]));
		}
	}
	describe(out, "route_lag_seconds", "gauge", "age of the oldest that was not sent yet");
	for (size_t k = 0; k < n; k++) {
		begin_route(out, "lag_seconds", &list[k]);
		buf_printf(out, "} %.3f\n", (double)list[k].lag_us / 1e6);
	}
	describe(out, "route_failed_total", "counter", "attempts that failed, by reason");
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < list[k].nfailures; i++) {
			begin_route(out, "failed_total", &list[k]);
			buf_str(out, STR(",reason=\""));
			jw_escape(out, list[k].failures[i].why);
			buf_printf(out, "\"} %lld\n", (long long)list[k].failures[i].n);
		}
}

static bool
count_store(struct req *r, struct buf *out, struct err *e)
{
	struct route_report *routes;
	int64_t last;
	size_t n;

	if (!count_campaigns(r->db, out, e) || !event_last(r->db, &last, e) ||
		!route_report(r->db, r->arena, 0, STR_NONE, &routes, &n, e))
		return false;
	number(out, "outbox_position", "counter", "the last position of the outbox", last);
	write_routes(out, routes, n);
	return true;
}

/* ---- this process ------------------------------------------------------------------------ */

static void
write_hub(struct buf *out, struct hub *hub)
{
	struct hub_counters c;

	if (hub == NULL)
		return;
	hub_counters(hub, &c);
	number(out, "sockets", "gauge", "WebSocket connections", c.connections);
	number(out, "socket_users", "gauge", "users who are connected", c.users);
	number(out, "socket_watches", "gauge", "channels and polls that connections watch",
		c.watches);
	number(out, "socket_user_watches", "gauge", "users whose presence connections watch",
		c.user_watches);
	number(out, "socket_frames_total", "counter", "frames put before connections",
		c.frames);
	number(out, "socket_bytes_total", "counter", "bytes sent to sockets", c.bytes_sent);
	number(out, "sockets_refused_total", "counter", "connections that found no place",
		c.refused);
	describe(out, "sockets_ended_total", "counter",
		"connections that were ended, by reason");
	buf_printf(out,
		"fanfare_sockets_ended_total{reason=\"slow\"} %lld\n"
		"fanfare_sockets_ended_total{reason=\"silent\"} %lld\n"
		"fanfare_sockets_ended_total{reason=\"expired\"} %lld\n"
		"fanfare_sockets_ended_total{reason=\"policy\"} %lld\n",
		(long long)c.ended_slow, (long long)c.ended_silent, (long long)c.ended_expired,
		(long long)c.ended_policy);
}

static bool
refresh(struct metrics *m, struct req *r, struct err *e)
{
	int64_t now = clock_mono_us();

	if (m->counted_at != 0 && now - m->counted_at < KEEP_US)
		return true;
	m->counted_at = 0;
	m->text.n = 0;
	if (!count_store(r, &m->text, e))
		return false;
	m->counted_at = now;
	return true;
}

static bool
get(struct req *r, struct err *e)
{
	struct metrics *m = r->ctx->metrics;
	bool ok;

	pthread_mutex_lock(&m->lock);
	ok = refresh(m, r, e);
	if (ok)
		buf_str(&r->out, buf_view(&m->text));
	pthread_mutex_unlock(&m->lock);
	if (!ok)
		return false;
	describe(&r->out, "build_info", "gauge", "the program");
	buf_str(&r->out, STR("fanfare_build_info{version=\"" FANFARE_VERSION "\"} 1\n"));
	write_hub(&r->out, r->ctx->hub);
	r->http->content_type = "text/plain; version=0.0.4; charset=utf-8";
	return true;
}

static const struct route routes[] = {
	{"GET", "/metrics", "GetMetrics", get,
		ROUTE_OPEN | ROUTE_ADDITION | ROUTE_RAW_ANSWER | ROUTE_TEXT_ANSWER, BODY_NONE,
		"what is counted, for Prometheus"},
};

const struct route_group routes_metrics = {routes, ARRAY_LEN(routes)};
