/* push – the trade: providers as routes, the outbox as parcels, answers as verdicts. */
#include "courier/push.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "courier/push_impl.h"
#include "domain/device.h"
#include "domain/event.h"
#include "domain/push_provider.h"
#include "domain/push_route.h"
#include "domain/settings.h"
#include "net/fetch.h"
#include "store/db.h"

/* Events that are looked at in one call. */
#define EVENTS_MAX 512
/* Under way; Apple allows a thousand.  Where each takes 50 ms, ten thousand a second. */
#define WIDTH_MAX 500

/* The providers as one thread knows them. */
struct book {
	int64_t version; /* of the settings that were read; −1: none were */
	bool offline_only;
	struct out_route *routes;
	struct push_sender *senders; /* of each route */
	size_t n;
	struct arena *memory; /* of the senders; one of the two below */
	struct arena arenas[2];
};

struct push {
	const struct app *app;
	struct hub *hub;
	/* Packing runs beside the rest (trade.h), and shares nothing with it. */
	struct book packing, sending;
};

static struct push_sender *
find_sender(const struct book *b, const struct out_route *r)
{
	for (size_t i = 0; i < b->n; i++)
		if (str_eq(b->senders[i].ident, r->ident))
			return &b->senders[i];
	return NULL;
}

static struct push_sender *
sender_of(const struct push *p, const struct out_route *r)
{
	return find_sender(&p->sending, r);
}

static bool
fail_unknown(const struct out_route *r, struct err *e)
{
	return fail(e, ERR_INPUT, "there is no provider %.*s", STR_ARG(r->ident));
}

/* ---- routes ---------------------------------------------------------------------------- */

/* Reads everything anew; tokens stay. */
static bool
load(struct book *b, struct db *db, struct err *e)
{
	struct arena *memory = b->memory == &b->arenas[0] ? &b->arenas[1] : &b->arenas[0];
	struct push_sender *senders;
	struct out_route *routes;
	struct settings settings;
	size_t n;

	arena_reset(memory);
	if (!settings_load(db, memory, &settings, e) ||
		!push_routes(db, memory, settings.all, &routes, &n, e) ||
		!push_senders_load(db, memory, settings.all, routes, n, &senders, e))
		return false;
	push_senders_inherit(senders, n, b->senders, b->n);
	arena_reset(b->memory);
	b->memory = memory;
	b->version = settings.version;
	b->offline_only = json_is_true(
		json_object_get(settings_of(settings.all, "push_config"), "offline_only"));
	b->routes = routes;
	b->senders = senders;
	b->n = n;
	return true;
}

/* In one snapshot: the version is that of what is read. */
static bool
load_in(struct db *db, void *arg, struct err *e)
{
	return load(arg, db, e);
}

/* What was changed before a message was sent is obeyed by it. */
static bool
refresh(struct book *b, struct db *db, struct err *e)
{
	int64_t version;

	return settings_version(db, &version, e) &&
	       (version == b->version || db_read(db, load_in, b, e));
}

static bool
routes(void *arg, struct db *db, struct arena *a UNUSED, struct out_route **out, size_t *n,
	struct err *e)
{
	struct push *p = arg;

	if (!refresh(&p->sending, db, e))
		return false;
	*out = p->sending.routes;
	*n = p->sending.n;
	return true;
}

/* ---- parcels --------------------------------------------------------------------------- */

/* Goes on in one event, at place->next_key; *done: it is behind us. */
static bool
pack_event(const struct push_work *w, const struct event *ev, struct place *at,
	struct buf *parcels, bool *done, struct err *e)
{
	struct push_work rest = *w;
	struct push_ears ears;

	rest.max -= parcels->n / sizeof(struct parcel);
	if (!push_listen(&rest, ev, at->next_key, &ears, e) ||
		!push_tell(&rest, &ears, ev->at, parcels, e))
		return false;
	*done = ears.is_all;
	at->next_key = ears.is_all ? 0 : ears.next;
	return true;
}

static bool
is_pushed(const struct event *ev)
{
	return ev->kind == EVENT_BATCH || ev->kind == EVENT_MESSAGE_NEW;
}

static bool
pack_events(const struct push_work *w, const struct event *events, size_t n, struct place *at,
	struct buf *parcels, bool *more, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		bool done = true;

		if (is_pushed(&events[i])) {
			if (parcels->n / sizeof(struct parcel) >= w->max)
				*more = true;
			else if (!pack_event(w, &events[i], at, parcels, &done, e))
				return false;
			if (*more || !done) {
				*more = true;
				return true;
			}
		}
		*at = (struct place){.pos = events[i].pos};
	}
	return true;
}

static bool
pack(void *arg, struct db *db, struct arena *a, const struct out_route *route, struct place *at,
	size_t max, struct packed *out, struct err *e)
{
	struct push *p = arg;
	struct push_work w = {.db = db, .arena = a, .app = p->app, .hub = p->hub, .max = max};
	struct event *events;
	struct buf parcels;
	bool anybody = false;
	size_t nevents;

	*out = (struct packed){0};
	if (!refresh(&p->packing, db, e))
		return false;
	w.sender = find_sender(&p->packing, route);
	w.offline_only = p->packing.offline_only;
	/* The settings name it no longer: the courier will learn that soon. */
	if (w.sender == NULL)
		return true;
	if (!event_after(db, a, at->pos, EVENTS_MAX, &events, &nevents, e))
		return false;
	if (nevents == 0)
		return true;
	out->more = nevents == EVENTS_MAX;
	if (!device_any(db, &anybody, e))
		return false;
	if (!anybody) {
		*at = (struct place){.pos = events[nevents - 1].pos};
		return true;
	}
	buf_init(&parcels, a, 64 * sizeof(struct parcel));
	if (!pack_events(&w, events, nevents, at, &parcels, &out->more, e))
		return false;
	out->parcels = (struct parcel *)(void *)parcels.p;
	out->n = parcels.n / sizeof(struct parcel);
	return arena_check(a, e);
}

/* ---- attempts -------------------------------------------------------------------------- */

static bool
ask(void *arg, struct db *db UNUSED, struct arena *a, const struct out_route *r,
	struct fetch *out, bool *wanted, struct err *e)
{
	struct push_sender *s = sender_of(arg, r);

	*wanted = false;
	if (s == NULL)
		return true;
	if (s->trouble.p != NULL)
		return fail(e, ERR_INPUT, "%.*s", STR_ARG(s->trouble));
	return s->service == PUSH_APN || push_fcm_ask(s, a, out, wanted, e);
}

static void
asked(void *arg, const struct out_route *r, const struct fetch *answered, struct judgement *out)
{
	struct push_sender *s = sender_of(arg, r);

	*out = (struct judgement){.verdict = VERDICT_OK};
	if (s != NULL && s->service == PUSH_FIREBASE)
		push_fcm_asked(s, answered, out);
}

static bool
dress(void *arg, struct db *db UNUSED, struct arena *a, const struct out_route *r,
	const struct parcel *parcel, int attempt UNUSED, struct fetch *out, struct err *e)
{
	struct push_sender *s = sender_of(arg, r);

	if (s == NULL)
		return fail_unknown(r, e);
	if (s->trouble.p != NULL)
		return fail(e, ERR_INPUT, "%.*s", STR_ARG(s->trouble));
	return s->service == PUSH_APN ? push_apns_dress(s, a, parcel, out, e)
				      : push_fcm_dress(s, a, parcel, out, e);
}

static void
judge(void *arg, const struct out_route *r, const struct parcel *parcel UNUSED,
	const struct fetch *answered, struct judgement *out)
{
	struct push_sender *s = sender_of(arg, r);

	*out = (struct judgement){.verdict = VERDICT_OK};
	if (s == NULL)
		push_judge_status(answered, out);
	else if (s->service == PUSH_APN)
		push_apns_judge(s, answered, out);
	else
		push_fcm_judge(s, answered, out);
}

/* ---- what answers mean to the store ---------------------------------------------------- */

static bool
settle(void *arg, struct db *w, const struct out_route *r, const struct parcel *parcel,
	const struct judgement *j, struct err *e)
{
	struct push_sender *s = sender_of(arg, r);
	struct arena a;
	bool ok = true;

	if (s == NULL)
		return true;
	if (j->verdict == VERDICT_GONE)
		return device_disable(
			w, s->type, parcel->address, parcel->at, str_of(j->why), e);
	/* The app's own is told of by its route alone. */
	if (j->verdict == VERDICT_BARRED && s->name.p != NULL) {
		arena_init(&a, 4096, SIZE_MAX);
		ok = push_provider_disable(w, &a, s->type, s->name, str_of(j->why), e);
		arena_fini(&a);
	}
	return ok;
}

/* ---- life ------------------------------------------------------------------------------ */

static void
book_init(struct book *b)
{
	arena_init(&b->arenas[0], 16384, SIZE_MAX);
	arena_init(&b->arenas[1], 16384, SIZE_MAX);
	b->memory = &b->arenas[0];
	b->version = -1;
}

static void
book_fini(struct book *b)
{
	arena_fini(&b->arenas[0]);
	arena_fini(&b->arenas[1]);
}

struct push *
push_new(const struct app *app, struct hub *hub)
{
	struct push *p = calloc(1, sizeof(*p));

	if (p == NULL)
		panic("out of memory");
	p->app = app;
	p->hub = hub;
	book_init(&p->packing);
	book_init(&p->sending);
	return p;
}

void
push_free(struct push *p)
{
	if (p == NULL)
		return;
	book_fini(&p->packing);
	book_fini(&p->sending);
	free(p);
}

void
push_trade(struct push *p, struct trade *out)
{
	*out = (struct trade){.kind = ROUTE_PUSH,
		.width_max = WIDTH_MAX,
		.routes = routes,
		.pack = pack,
		.ask = ask,
		.asked = asked,
		.dress = dress,
		.judge = judge,
		.settle = settle,
		.arg = p};
}
