/* pg_pool – the connections of a process: borrowed, given back, lost, made anew. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "store/pg.h"

/* How long to wait for a session to come back.  Clients of the API give up after 3 s; a 503
 * that comes before tells them more. */
#define WAIT_S 2

/* Pauses between attempts to connect: doubled from the first to the last, then each time a
 * random half less, so that many processes do not come back in one moment. */
#define FIRST_PAUSE_MS 50
#define LAST_PAUSE_MS  2000
/* Between looks of a starting program for a server that does not answer yet. */
#define START_PAUSE_MS 1000

/* Somebody who waits for a session, on his own stack. */
struct waiter {
	pthread_cond_t served;
	struct pg_session *session; /* handed over; NULL: none yet */
	bool may_connect;           /* instead: one was closed, there is room for a new one */
	struct waiter *next;
};

struct pg_pool {
	const char *url, *shown;
	int64_t max; /* 0: no limit */
	pthread_mutex_t lock;
	/* Below: under the lock. */
	int64_t count;                /* sessions, borrowed, idle or being connected */
	struct pg_session *idle;      /* the last one given back first: few stay warm */
	struct waiter *first, **last; /* who waits, in order */
	int failures;                 /* attempts to connect that failed in a row */
	bool trying;                  /* somebody is at the next one */
	int64_t next_try;             /* clock_mono_us */
};

static struct pg_pool *
pool_of(const struct pg_db *d)
{
	return ((const struct pg_store *)d->base.store)->pool;
}

struct pg_pool *
pg_pool_new(const char *url, const char *shown, int64_t max)
{
	struct pg_pool *p = calloc(1, sizeof(*p));

	if (p == NULL || pthread_mutex_init(&p->lock, NULL) != 0)
		panic("out of memory");
	p->url = url;
	p->shown = shown;
	p->max = max;
	p->last = &p->first;
	return p;
}

static void
session_free(struct pg_session *s)
{
	for (int i = 0; i < SQL_COUNT; i++)
		for (int bite = 0; bite < PG_BITES; bite++)
			free(s->stmts[i][bite].types);
	PQfinish(s->conn);
	free(s);
}

static void
sessions_free(struct pg_session *s)
{
	while (s != NULL) {
		struct pg_session *next = s->next;

		session_free(s);
		s = next;
	}
}

void
pg_pool_free(struct pg_pool *p)
{
	if (p == NULL)
		return;
	sessions_free(p->idle);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* ---- waiting (all under the lock) ------------------------------------------------------ */

static struct waiter *
next_waiter(struct pg_pool *p)
{
	struct waiter *w = p->first;

	if (w == NULL)
		return NULL;
	p->first = w->next;
	if (p->first == NULL)
		p->last = &p->first;
	pthread_cond_signal(&w->served);
	return w;
}

static void
leave_queue(struct pg_pool *p, struct waiter *w)
{
	struct waiter **at = &p->first;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (p->last == &w->next)
		p->last = at;
}

/* False: nothing came in time. */
static bool
wait_in_queue(struct pg_pool *p, struct waiter *w)
{
	pthread_condattr_t attr;
	struct timespec until;
	int rc = 0;
	bool served;

	if (pthread_condattr_init(&attr) != 0 ||
		pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0 ||
		pthread_cond_init(&w->served, &attr) != 0)
		panic("out of memory");
	pthread_condattr_destroy(&attr);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WAIT_S;
	*p->last = w;
	p->last = &w->next;
	while (w->session == NULL && !w->may_connect && rc == 0)
		rc = pthread_cond_timedwait(&w->served, &p->lock, &until);
	served = w->session != NULL || w->may_connect;
	if (!served)
		leave_queue(p, w);
	pthread_cond_destroy(&w->served);
	return served;
}

/* ${n} sessions are no more: as many may be made by those who wait. */
static void
make_room(struct pg_pool *p, int64_t n)
{
	for (p->count -= n; n > 0; n--) {
		struct waiter *w = next_waiter(p);

		if (w == NULL)
			return;
		w->may_connect = true;
		p->count++;
	}
}

/* ---- connecting ------------------------------------------------------------------------ */

/* While the server is away one thread at a time asks for it (*alone), the others fail at
 * once. */
static bool
may_try(struct pg_pool *p, bool *alone)
{
	bool may;

	pthread_mutex_lock(&p->lock);
	*alone = p->failures > 0;
	may = !*alone || (!p->trying && clock_mono_us() >= p->next_try);
	p->trying = p->trying || (may && *alone);
	pthread_mutex_unlock(&p->lock);
	return may;
}

/* Attempts that began before the first of them failed count as one. */
static void
note_failure(struct pg_pool *p, bool alone)
{
	int64_t pause;

	if (!alone && p->failures > 0)
		return;
	pause = (int64_t)FIRST_PAUSE_MS << MIN_OF(p->failures, 10);
	p->failures++;
	p->next_try = clock_mono_us() + pg_jitter(MIN_OF(pause, (int64_t)LAST_PAUSE_MS)) * 1000;
}

static struct pg_session *
try_to_connect(struct pg_pool *p, bool *hopeless, struct err *e)
{
	PGconn *conn = pg_connect(p->url, p->shown, hopeless, e);
	struct pg_session *s;

	if (conn == NULL)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		panic("out of memory");
	s->conn = conn;
	return s;
}

/* The room for it was taken before; it is given up on failure. */
static bool
connect_new(struct pg_pool *p, struct pg_db *d, bool *hopeless, struct err *e)
{
	bool alone, tries = may_try(p, &alone);

	if (hopeless != NULL)
		*hopeless = false;
	if (tries)
		d->s = try_to_connect(p, hopeless, e);
	else
		fail(e, ERR_STORE, "store %s: cannot be reached; trying again soon", p->shown);
	pthread_mutex_lock(&p->lock);
	if (tries && alone)
		p->trying = false;
	if (d->s != NULL)
		p->failures = 0;
	else if (tries)
		note_failure(p, alone);
	if (d->s == NULL)
		make_room(p, 1);
	pthread_mutex_unlock(&p->lock);
	return d->s != NULL;
}

/* A session that is new to this process: the schema may have changed since the last one. */
static bool
connect_checked(struct pg_pool *p, struct pg_db *d, struct err *e)
{
	if (!connect_new(p, d, NULL, e))
		return false;
	if (pg_check_version(d, e))
		return true;
	pg_drop(d);
	return false;
}

/* Under the lock.  The one that ${d} had last, where its statements are prepared, and of the
 * others the last one given back; NULL: none is idle. */
static struct pg_session *
take_idle(struct pg_pool *p, const struct pg_db *d)
{
	struct pg_session **at = &p->idle, *s;

	while (*at != NULL && (*at)->whose != d)
		at = &(*at)->next;
	if (*at == NULL)
		at = &p->idle;
	s = *at;
	if (s != NULL)
		*at = s->next;
	return s;
}

/* ---- exported -------------------------------------------------------------------------- */

bool
pg_take(struct pg_db *d, struct err *e)
{
	struct pg_pool *p = pool_of(d);
	struct waiter w = {.next = NULL};
	bool served = true;

	if (d->s != NULL)
		return true;
	pthread_mutex_lock(&p->lock);
	d->s = take_idle(p, d);
	if (d->s == NULL && (p->max == 0 || p->count < p->max)) {
		p->count++;
	} else if (d->s == NULL) {
		served = wait_in_queue(p, &w);
		d->s = w.session;
	}
	pthread_mutex_unlock(&p->lock);
	if (!served)
		return fail(e, ERR_STORE, "all %lld connections to the database are busy",
			(long long)p->max);
	return d->s != NULL || connect_checked(p, d, e);
}

bool
pg_take_patiently(struct pg_db *d, const struct store_opts *opts, struct err *e)
{
	int64_t until = clock_mono_us() + opts->wait_ms * 1000;
	struct pg_pool *p = pool_of(d);
	bool hopeless;

	for (;;) {
		pthread_mutex_lock(&p->lock);
		p->count++;
		p->failures = 0;
		pthread_mutex_unlock(&p->lock);
		if (connect_new(p, d, &hopeless, e))
			return true;
		if (hopeless || clock_mono_us() >= until ||
			(opts->go_on != NULL && !opts->go_on(opts->arg, e->msg)))
			return false;
		pg_sleep(START_PAUSE_MS);
	}
}

void
pg_drop(struct pg_db *d)
{
	struct pg_pool *p = pool_of(d);

	if (d->s == NULL)
		return;
	session_free(d->s);
	d->s = NULL;
	pthread_mutex_lock(&p->lock);
	make_room(p, 1);
	pthread_mutex_unlock(&p->lock);
}

/* Closes all that are idle. */
static void
drop_idle(struct pg_pool *p)
{
	struct pg_session *dead;
	int64_t n = 0;

	pthread_mutex_lock(&p->lock);
	dead = p->idle;
	p->idle = NULL;
	for (const struct pg_session *s = dead; s != NULL; s = s->next)
		n++;
	make_room(p, n);
	pthread_mutex_unlock(&p->lock);
	sessions_free(dead);
}

void
pg_give(struct pg_db *d)
{
	struct pg_pool *p = pool_of(d);
	struct pg_session *s = d->s;
	struct waiter *w;

	if (s == NULL)
		return;
	if (pg_is_lost(d) || s->broken) {
		bool lost = pg_is_lost(d);

		pg_drop(d);
		if (lost)
			drop_idle(p);
		return;
	}
	d->s = NULL;
	s->whose = d;
	pthread_mutex_lock(&p->lock);
	w = next_waiter(p);
	if (w != NULL) {
		w->session = s;
	} else {
		s->next = p->idle;
		p->idle = s;
	}
	pthread_mutex_unlock(&p->lock);
}
