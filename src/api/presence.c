/* presence – from the moves that the hub notes to what who looks on is told. */
#include "api/presence.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "api/req.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/intmap.h"
#include "base/log.h"
#include "domain/user.h"
#include "engine/engine.h"
#include "net/hub.h"
#include "store/db.h"

/* Who is back within this time was never away: stock clients try twice in it. */
#define AWAY_US 5000000

/* So often other processes hear that somebody looks at users here, and so long it holds. */
#define ASK_US     5000000
#define BELIEVE_US (3 * INT64_C(5000000))

/* Users told of with one statement. */
#define TELL_MAX 128
/* Moves of other processes that wait: more are lost, as signals are. */
#define HEARD_MAX 65536

/* Texts between processes: "presence asks", "presence +17 -18": 17 came, 18 went. */
#define WORD_ASKS STR("presence asks")
#define WORD_MOVE STR("presence")
/* " -9223372036854775808" */
#define MOVE_LEN 21

/* A user who is to be told of. */
struct mover {
	int64_t uid;
	int64_t due_us;
	bool is_here;
	bool is_hearsay; /* another process said that he went */
};

struct presence {
	const struct ctx *ctx;
	_Atomic(struct engine *) engine; /* NULL: not there yet */

	pthread_mutex_t lock; /* of what other processes said */
	struct buf heard;     /* int64_t: uids who came, and below zero those who went */
	int64_t asked_until_us;

	/* The dispatcher's thread alone. */
	struct intmap movers; /* uid → struct mover */
	int64_t next_us;      /* the first of them is due; INT64_MAX: none */
	int64_t asked_at_us;  /* when we said last that we ask */
	bool others_ask;
};

/* ---- who moves -----------------------------------------------------------------------------
 */

static void
forget(struct presence *p, int64_t uid)
{
	free(intmap_remove(&p->movers, uid));
}

static void
expect(struct presence *p, struct mover mover)
{
	struct mover *m = intmap_get(&p->movers, mover.uid);

	if (m == NULL) {
		m = malloc(sizeof(*m));
		if (m == NULL)
			panic("presence: out of memory");
		intmap_set(&p->movers, mover.uid, m);
	}
	*m = mover;
	p->next_us = MIN_OF(p->next_us, mover.due_us);
}

static void
came(struct presence *p, int64_t uid, int64_t now_us)
{
	const struct mover *m = intmap_get(&p->movers, uid);

	/* Back before he was missed.  But who was elsewhere may have come before it was told to
	 * us: to be told twice of him harms less than never. */
	if (m != NULL && !m->is_here && !m->is_hearsay)
		forget(p, uid);
	else
		expect(p, (struct mover){.uid = uid, .due_us = now_us, .is_here = true});
}

static void
went(struct presence *p, int64_t uid, int64_t now_us, bool is_hearsay)
{
	const struct mover *m = intmap_get(&p->movers, uid);

	if (m == NULL || m->is_here)
		expect(p, (struct mover){.uid = uid,
				  .due_us = now_us + AWAY_US,
				  .is_hearsay = is_hearsay});
}

/* To ${said}, for other processes, as they are. */
static void
see_moves(struct presence *p, int64_t now_us, struct buf *said)
{
	struct hub_move *moves;
	size_t n = hub_moves(p->ctx->hub, &moves);

	for (size_t i = 0; i < n; i++) {
		const struct hub_move *m = &moves[i];
		int64_t word = m->is_here ? m->uid : -m->uid;

		buf_add(said, &word, sizeof(word));
		if (m->is_watched && m->is_here)
			came(p, m->uid, now_us);
		else if (m->is_watched)
			went(p, m->uid, now_us, false);
	}
	free(moves);
}

static void
see_word(struct presence *p, int64_t word, int64_t now_us, struct buf *said)
{
	struct hub *hub = p->ctx->hub;
	int64_t uid = word < 0 ? -word : word, found;
	bool is_here = hub_online(hub, &uid, 1, &found) == 1;

	/* Who has left another process is still here: its clients are to know. */
	if (is_here && word < 0)
		buf_add(said, &uid, sizeof(uid));
	if (is_here || hub_watcher_count(hub, HUB_ROOM_OF_USER(uid)) == 0)
		return;
	if (word < 0)
		went(p, uid, now_us, true);
	else
		came(p, uid, now_us);
}

/* ---- other processes ------------------------------------------------------------------------
 */

static void
note_ask(struct presence *p)
{
	pthread_mutex_lock(&p->lock);
	p->asked_until_us = clock_mono_us() + BELIEVE_US;
	pthread_mutex_unlock(&p->lock);
}

static void
note_word(struct presence *p, int64_t word)
{
	pthread_mutex_lock(&p->lock);
	if (p->heard.n < HEARD_MAX * sizeof(word))
		buf_add(&p->heard, &word, sizeof(word));
	pthread_mutex_unlock(&p->lock);
}

/* "+17" or "-18". */
static bool
read_word(struct str s, int64_t *out)
{
	bool went_away = str_starts(s, STR("-"));

	if (!went_away && !str_starts(s, STR("+")))
		return false;
	if (!str_to_i64(str_sub(s, 1, s.n - 1), out) || *out <= 0)
		return false;
	if (went_away)
		*out = -*out;
	return true;
}

bool
presence_hear(struct presence *p, struct str text)
{
	int64_t word;

	if (!str_starts(text, WORD_MOVE))
		return false;
	if (str_eq(text, WORD_ASKS))
		note_ask(p);
	for (size_t at = 0, end; at < text.n; at = end + 1) {
		end = str_find(text, ' ', at);
		if (read_word(str_sub(text, at, end - at), &word))
			note_word(p, word);
	}
	presence_wake(p);
	return true;
}

static void
see_heard(struct presence *p, int64_t now_us, struct buf *said)
{
	struct buf heard;
	bool asks;

	pthread_mutex_lock(&p->lock);
	heard = p->heard;
	buf_init(&p->heard, NULL, 0);
	asks = p->asked_until_us > now_us;
	pthread_mutex_unlock(&p->lock);
	for (size_t at = 0; at < heard.n; at += sizeof(int64_t)) {
		int64_t word;

		memcpy(&word, heard.p + at, sizeof(word));
		see_word(p, word, now_us, said);
	}
	buf_free(&heard);
	if (asks != p->others_ask)
		hub_note_all(p->ctx->hub, asks);
	p->others_ask = asks;
}

static void
say(struct presence *p, struct arena *a, const struct buf *words)
{
	struct buf text;

	buf_init(&text, a, 0);
	for (size_t at = 0; at < words->n; at += sizeof(int64_t)) {
		int64_t word;

		if (text.n == 0)
			buf_str(&text, WORD_MOVE);
		memcpy(&word, words->p + at, sizeof(word));
		buf_printf(&text, " %+lld", (long long)word);
		if (text.n + MOVE_LEN <= STORE_SAID_MAX && at + sizeof(word) < words->n)
			continue;
		store_say(p->ctx->store, buf_view(&text));
		text.n = 0;
	}
}

static void
ask(struct presence *p, int64_t now_us)
{
	struct hub_counters counters;

	if (now_us - p->asked_at_us < ASK_US)
		return;
	hub_counters(p->ctx->hub, &counters);
	if (counters.user_watches == 0)
		return;
	p->asked_at_us = now_us;
	store_say(p->ctx->store, WORD_ASKS);
}

/* ---- telling --------------------------------------------------------------------------------
 */

static struct payload *
make_event(struct req *r, const struct user *u, bool is_here)
{
	buf_init(&r->out, r->arena, 2048);
	jw_init(&r->w, &r->out);
	jw_obj(&r->w);
	jw_kstr(&r->w, "type", STR("user.presence.changed"));
	req_ktime(r, "created_at", clock_now_us());
	jw_name(&r->w, STR("user"));
	wire_user_seen(r, u, is_here);
	jw_end_obj(&r->w);
	return payload_new(buf_view(&r->out));
}

static bool
tell_some(struct presence *p, struct req *r, const int64_t *uids, size_t n, struct err *e)
{
	struct hub_post posts[TELL_MAX];
	struct hub *hub = p->ctx->hub;
	struct user *users;
	size_t nposts = 0;

	if (!user_by_uids(r->db, r->arena, uids, n, &users, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct mover *m = intmap_get(&p->movers, uids[i]);

		/* Of the invisible nothing is told; and some are deleted for good. */
		if (users[i].uid != 0 && !wire_user_is_invisible(&users[i]))
			posts[nposts++] = (struct hub_post){.whom = HUB_WATCHERS,
				.channel = HUB_ROOM_OF_USER(uids[i]),
				.payload = make_event(r, &users[i], m->is_here)};
		forget(p, uids[i]);
	}
	hub_post(hub, posts, nposts);
	for (size_t i = 0; i < nposts; i++)
		payload_unref(posts[i].payload);
	return arena_check(r->arena, e);
}

/* Those who are due and still looked at; the others are forgotten.  *next_us: when the first of
 * the rest is due. */
static size_t
find_due(struct presence *p, struct arena *a, int64_t now_us, int64_t **out, int64_t *next_us)
{
	int64_t *uids = arena_array(a, p->movers.n + 1, sizeof(*uids));
	const struct mover *m;
	size_t ndue = 0, n = 0;

	*next_us = INT64_MAX;
	for (size_t at = 0; (m = intmap_next(&p->movers, &at)) != NULL;)
		if (m->due_us <= now_us)
			uids[ndue++] = m->uid;
		else
			*next_us = MIN_OF(*next_us, m->due_us);
	for (size_t i = 0; i < ndue; i++)
		if (hub_watcher_count(p->ctx->hub, HUB_ROOM_OF_USER(uids[i])) > 0)
			uids[n++] = uids[i];
		else
			forget(p, uids[i]);
	*out = uids;
	return n;
}

static bool
tell_due(struct presence *p, struct db *db, struct arena *a, int64_t now_us, struct err *e)
{
	struct req r = {.ctx = p->ctx, .arena = a, .db = db};
	int64_t *uids, next_us;
	size_t n;

	if (now_us < p->next_us)
		return true;
	n = find_due(p, a, now_us, &uids, &next_us);
	for (size_t i = 0; i < n; i += TELL_MAX) {
		struct arena_mark mark = arena_mark(a);
		bool ok = tell_some(p, &r, uids + i, MIN_OF(n - i, (size_t)TELL_MAX), e);

		arena_rewind(a, mark);
		if (!ok)
			return false;
	}
	p->next_us = next_us;
	return true;
}

bool
presence_tell(struct presence *p, struct db *db, struct arena *a, struct err *e)
{
	int64_t now_us = clock_mono_us();
	struct buf said;

	buf_init(&said, a, 256);
	see_moves(p, now_us, &said);
	see_heard(p, now_us, &said);
	if (p->others_ask)
		say(p, a, &said);
	ask(p, now_us);
	return tell_due(p, db, a, now_us, e);
}

/* ---- life ---------------------------------------------------------------------------- */

struct presence *
presence_new(const struct ctx *ctx)
{
	struct presence *p = calloc(1, sizeof(*p));

	if (p == NULL)
		panic("out of memory");
	p->ctx = ctx;
	p->next_us = INT64_MAX;
	p->asked_at_us = INT64_MIN / 2;
	pthread_mutex_init(&p->lock, NULL);
	buf_init(&p->heard, NULL, 0);
	return p;
}

void
presence_free(struct presence *p)
{
	struct mover *m;

	if (p == NULL)
		return;
	for (size_t at = 0; (m = intmap_next(&p->movers, &at)) != NULL;)
		free(m);
	intmap_fini(&p->movers);
	buf_free(&p->heard);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void
presence_start(struct presence *p, struct engine *engine)
{
	atomic_store(&p->engine, engine);
}

void
presence_wake(void *presence)
{
	struct presence *p = presence;
	struct engine *engine = atomic_load(&p->engine);

	if (engine != NULL)
		engine_look(engine);
}
