/* hook_pack – from the outbox to the bodies of webhooks. */
#include "api/hook_pack.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/event_wire.h"
#include "api/hook_pack_impl.h"
#include "api/hook_wire.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/id.h"
#include "base/log.h"
#include "domain/app.h"
#include "domain/settings.h"
#include "store/db.h"

/* Events that are looked at in one call. */
#define LOOK_MAX 128

struct hook_pack {
	const struct ctx *ctx;
	struct arena scratch;
	struct settings settings; /* as far as they are known, in ${kept} */
	struct arena kept;
};

/* ---- parcels --------------------------------------------------------------------------- */

void
packing_begin(struct packing *p)
{
	buf_init(&p->req.out, p->req.arena, 8192);
	jw_init(&p->req.w, &p->req.out);
}

static struct str
make_id(struct packing *p, const struct event *ev, int64_t key, int64_t uid, const char *type)
{
	char text[160], uuid[ID_UUID_LEN];
	int n = snprintf(text, sizeof(text), "%llx/%lld/%lld/%lld/%s",
		(unsigned long long)p->req.ctx->app->id_tag, (long long)ev->pos, (long long)key,
		(long long)uid, type);

	id_from_text((struct str){text, (size_t)n}, uuid);
	return arena_dup(p->out, (struct str){uuid, sizeof(uuid)});
}

void
packing_add(
	struct packing *p, const struct event *ev, int64_t key, int64_t uid, const char *type)
{
	struct parcel parcel = {
		.id = make_id(p, ev, key, uid, type),
		.type = str_of(type),
		.body = arena_dup(p->out, buf_view(&p->req.out)),
		.at = ev->at,
	};

	buf_add(&p->parcels, &parcel, sizeof(parcel));
	p->n++;
}

bool
packing_pass_over(struct packing *p, const struct event *ev, const struct err *e)
{
	if (e->code == ERR_STORE)
		return false;
	p->missed++;
	log_error("event %lld, or a part of it, is not told to webhooks: %s",
		(long long)ev->pos, e->msg);
	return true;
}

/* ---- single events --------------------------------------------------------------------- */

static bool
load_people(struct req *r, struct event_things *t, struct chat_people *people, struct err *e)
{
	struct chat_state *s = &t->state;

	s->nmembers = MIN_OF(s->nmembers, (size_t)HOOK_MEMBERS);
	for (size_t i = 0; i < s->nmembers; i++)
		chat_people_add(people, s->members[i].uid);
	return chat_people_load(people, r, e) && chat_people_count(people, r, e);
}

static bool
pack_event(struct packing *p, const struct event *ev, struct err *e)
{
	const char *type = hook_type(ev);
	struct req *r = &p->req;
	struct event_things t;
	struct chat_people people;
	bool found;

	chat_people_init(&people, r);
	chat_people_add(&people, ev->uid);
	if (!event_load(r, ev, &people, &t, &found, e))
		return false;
	if (!found)
		return true;
	if (!load_people(r, &t, &people, e))
		return false;
	packing_begin(p);
	hook_write(r, ev, &t, &t.member, &people);
	if (!arena_check(r->arena, e))
		return false;
	packing_add(p, ev, 0, 0, type);
	return true;
}

static bool
pack_campaign(struct packing *p, const struct event *ev, struct err *e)
{
	bool found;

	packing_begin(p);
	if (!hook_write_campaign(&p->req, ev, &found, e))
		return false;
	if (found)
		packing_add(p, ev, 0, 0, hook_type(ev));
	return true;
}

static bool
pack_one(struct packing *p, const struct event *ev, int64_t *next_key, struct err *e)
{
	const char *type = hook_type(ev);

	switch (ev->kind) {
	case EVENT_BATCH:
		return hook_batch(p, ev, next_key, e);
	case EVENT_CAMPAIGN_STARTED:
	case EVENT_CAMPAIGN_COMPLETED:
	case EVENT_CAMPAIGN_STOPPED:
		return !hook_wants(&p->wish, str_of(type)) || pack_campaign(p, ev, e);
	default:
		return type == NULL || !hook_wants(&p->wish, str_of(type)) ||
		       pack_event(p, ev, e);
	}
}

/* ---- the way through the outbox -------------------------------------------------------- */

/* One call: what it was asked for. */
struct call {
	struct hook_pack *pack;
	struct arena *a;
	const struct out_route *route;
	struct place *at;
	size_t max;
	struct packed *out;
};

static bool
pack_events(struct packing *p, const struct event *events, size_t n, struct place *at,
	size_t *done, struct err *e)
{
	struct arena *a = p->req.arena;

	for (*done = 0; *done < n && p->n < p->max; (*done)++) {
		const struct event *ev = &events[*done];
		struct arena_mark mark = arena_mark(a);
		int64_t next_key = ev->pos == at->pos + 1 ? at->next_key : 0;
		bool ok = pack_one(p, ev, &next_key, e);

		arena_rewind(a, mark);
		if (!ok && !packing_pass_over(p, ev, e))
			return false;
		if (ok && next_key != 0) {
			*at = (struct place){ev->pos - 1, next_key};
			return true;
		}
		*at = (struct place){ev->pos, 0};
	}
	return true;
}

static bool
know_settings(struct hook_pack *h, struct db *db, struct err *e)
{
	int64_t version;

	if (!settings_version(db, &version, e))
		return false;
	if (h->settings.all != NULL && h->settings.version == version)
		return true;
	h->settings.all = NULL;
	arena_reset(&h->kept);
	return settings_load(db, &h->kept, &h->settings, e);
}

static enum dialect
dialect_of(const struct ctx *ctx, const struct hook_wish *wish)
{
	struct str said =
		wish->dialect.n > 0 ? wish->dialect : str_of(ctx->config->webhook_dialect);

	return str_is(said, "v2") ? DIALECT_V2 : DIALECT_V1;
}

static bool
pack_in(struct db *db, void *arg, struct err *e)
{
	struct call *c = arg;
	struct hook_pack *h = c->pack;
	struct packing p = {
		.req = {.ctx = h->ctx, .arena = &h->scratch, .db = db},
		.out = c->a,
		.max = c->max,
	};
	struct place at = *c->at;
	const struct channel_type *any;
	struct event *events;
	/* What is left of a batch is enough for a call. */
	size_t look = at.next_key != 0 ? 1 : LOOK_MAX, n, done = 0;
	bool is_there;

	arena_reset(&h->scratch);
	if (!know_settings(h, db, e) ||
		!event_after(db, &h->scratch, at.pos, look, &events, &n, e))
		return false;
	is_there = hook_wish(h->settings.all, c->route->ident, &p.wish);
	p.req.dialect = dialect_of(h->ctx, &p.wish);
	buf_init(&p.parcels, c->a, 64 * sizeof(struct parcel));
	/* All types are read with the first; they must outlast what is loaded for one event. */
	if (!chat_type(&p.req, STR(""), &any, e))
		return false;
	if (is_there && !pack_events(&p, events, n, &at, &done, e))
		return false;
	if (!is_there && n > 0)
		at = (struct place){events[(done = n) - 1].pos, 0};
	*c->at = at;
	*c->out = (struct packed){
		.parcels = (struct parcel *)(void *)p.parcels.p,
		.n = p.n,
		.missed = p.missed,
		.more = done < n || n == look,
	};
	return true;
}

bool
hook_pack(void *arg, struct db *db, struct arena *a, const struct out_route *route,
	struct place *at, size_t max, struct packed *out, struct err *e)
{
	struct call c = {arg, a, route, at, max, out};

	return db_read(db, pack_in, &c, e);
}

struct hook_pack *
hook_pack_new(const struct ctx *ctx)
{
	struct hook_pack *h = calloc(1, sizeof(*h));

	if (h == NULL)
		panic("out of memory");
	h->ctx = ctx;
	arena_init(&h->scratch, 1 << 20, (size_t)1 << 28);
	arena_init(&h->kept, 4096, SIZE_MAX);
	return h;
}

void
hook_pack_free(struct hook_pack *h)
{
	if (h == NULL)
		return;
	arena_fini(&h->scratch);
	arena_fini(&h->kept);
	free(h);
}
