/* pg_listen – what the processes on one database tell each other: "look for what is due", "hear
 * what happened".
 *
 * A thread with a connection of its own, which LISTENs and, asked through an eventfd, NOTIFYs:
 * so no transaction pays for it, and many requests in one moment are one notification.
 * Nothing rests on it but speed. */
#include <sys/eventfd.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/pg.h"

/* Between attempts to connect. */
#define FIRST_PAUSE_MS 100
#define LAST_PAUSE_MS  3000

/* Texts that wait to be said: more are lost. */
#define SAYINGS_MAX 1000

struct saying {
	struct saying *next;
	char text[]; /* ends in NUL */
};

struct pg_listener {
	const struct pg_store *store;
	store_wake_fn on_wake;
	void *arg;
	int bell;          /* an eventfd: something is to be said, or this is the end */
	atomic_uint words; /* what is to be said */
	pthread_mutex_t lock;
	struct saying *first,
		**last; /* texts to be said, in order; under the lock, as their number */
	size_t nsayings;
	atomic_bool stopping;
	struct thread thread;
};

static void
ring(struct pg_listener *l)
{
	const uint64_t one = 1;

	while (write(l->bell, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

/* True when it had rung. */
static bool
silence(struct pg_listener *l)
{
	uint64_t n;

	return read(l->bell, &n, sizeof(n)) == (ssize_t)sizeof(n);
}

static bool
command(PGconn *conn, const char *sql)
{
	PGresult *res = PQexec(conn, sql);
	bool ok = PQresultStatus(res) == PGRES_COMMAND_OK;

	PQclear(res);
	return ok;
}

/* How words are spelt.  One that was never heard of is of a newer program. */
static const struct {
	enum store_word word;
	const char *payload, *notify;
} spelling[] = {
	{STORE_WORK, "", "NOTIFY fanfare"},
	{STORE_EVENTS, "events", "NOTIFY fanfare, 'events'"},
};

/* Words that other processes said, while texts are passed on; what this one said comes back,
 * too.
 */
static unsigned
heard(struct pg_listener *l, PGconn *conn)
{
	const struct pg_store *s = l->store;
	unsigned words = 0;
	PGnotify *n;

	for (; (n = PQnotifies(conn)) != NULL; PQfreemem(n)) {
		if (n->be_pid == PQbackendPID(conn))
			continue;
		if (strcmp(n->relname, "fanfare_said") == 0) {
			if (s->on_said != NULL)
				s->on_said(s->said_arg, str_of(n->extra));
			continue;
		}
		for (size_t i = 0; i < ARRAY_LEN(spelling); i++)
			if (strcmp(n->extra, spelling[i].payload) == 0)
				words |= spelling[i].word;
	}
	return words;
}

static struct saying *
take_saying(struct pg_listener *l)
{
	struct saying *s;

	pthread_mutex_lock(&l->lock);
	s = l->first;
	if (s != NULL) {
		l->first = s->next;
		l->nsayings--;
	}
	if (l->first == NULL)
		l->last = &l->first;
	pthread_mutex_unlock(&l->lock);
	return s;
}

static bool
say_texts(struct pg_listener *l, PGconn *conn)
{
	struct saying *s;
	bool ok = true;

	while (ok && (s = take_saying(l)) != NULL) {
		const char *values[] = {s->text};
		PGresult *res = PQexecParams(conn, "SELECT pg_notify('fanfare_said', $1)", 1,
			NULL, values, NULL, NULL, 0);

		ok = PQresultStatus(res) == PGRES_TUPLES_OK;
		PQclear(res);
		free(s);
	}
	return ok;
}

/* False: the connection is lost, and what it took with it must be heard otherwise. */
static bool
say(struct pg_listener *l, PGconn *conn)
{
	unsigned words = atomic_exchange(&l->words, 0);
	bool ok = true;

	for (size_t i = 0; i < ARRAY_LEN(spelling) && ok; i++)
		ok = !(words & spelling[i].word) || command(conn, spelling[i].notify);
	return ok && say_texts(l, conn);
}

/* Until the connection is lost, or the end. */
static void
attend(struct pg_listener *l, PGconn *conn)
{
	while (!atomic_load(&l->stopping)) {
		struct pollfd fds[] = {{.fd = PQsocket(conn), .events = POLLIN},
			{.fd = l->bell, .events = POLLIN}};
		unsigned words;

		if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
			return;
		if (silence(l) && !atomic_load(&l->stopping) && !say(l, conn))
			return;
		if (!PQconsumeInput(conn))
			return;
		words = heard(l, conn);
		if (words != 0)
			l->on_wake(l->arg, words);
	}
}

static void
pause_between(struct pg_listener *l, int failures)
{
	struct pollfd bell = {.fd = l->bell, .events = POLLIN};
	int64_t ms = (int64_t)FIRST_PAUSE_MS << MIN_OF(failures, 8);

	/* What rings meanwhile is lost, but for the end. */
	silence(l);
	if (!atomic_load(&l->stopping))
		poll(&bell, 1, (int)pg_jitter(MIN_OF(ms, (int64_t)LAST_PAUSE_MS)));
}

static void
run(void *arg)
{
	struct pg_listener *l = arg;
	int failures = 0;

	while (!atomic_load(&l->stopping)) {
		struct err e;
		bool ok;
		PGconn *conn = pg_connect(l->store->url, l->store->shown, NULL, &e);

		ok = conn != NULL && command(conn, "LISTEN fanfare") &&
		     command(conn, "LISTEN fanfare_said");
		if (ok) {
			failures = 0;
			/* Said while nobody was listening. */
			l->on_wake(l->arg, STORE_WORK | STORE_EVENTS);
			attend(l, conn);
		}
		PQfinish(conn);
		if (!atomic_load(&l->stopping))
			pause_between(l, failures++);
	}
}

void
pg_listen(struct store *store, store_wake_fn on_wake, void *arg)
{
	struct pg_store *s = (struct pg_store *)store;
	struct pg_listener *l;

	if (s->listener != NULL)
		return;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		panic("out of memory");
	*l = (struct pg_listener){.store = s, .on_wake = on_wake, .arg = arg};
	l->last = &l->first;
	pthread_mutex_init(&l->lock, NULL);
	l->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->bell < 0)
		panic("eventfd: %s", strerror(errno));
	s->listener = l;
	thread_start(&l->thread, "listener", run, l);
}

void
pg_unlisten(struct store *store)
{
	struct pg_store *s = (struct pg_store *)store;
	struct pg_listener *l = s->listener;

	if (l == NULL)
		return;
	atomic_store(&l->stopping, true);
	ring(l);
	thread_join(&l->thread);
	for (struct saying *said; (said = take_saying(l)) != NULL;)
		free(said);
	pthread_mutex_destroy(&l->lock);
	close(l->bell);
	free(l);
	s->listener = NULL;
}

void
pg_wake(struct store *store, enum store_word word)
{
	struct pg_listener *l = ((struct pg_store *)store)->listener;

	if (l == NULL)
		return;
	atomic_fetch_or(&l->words, word);
	ring(l);
}

void
pg_hear(struct store *store, store_said_fn on_said, void *arg)
{
	struct pg_store *s = (struct pg_store *)store;

	s->on_said = on_said;
	s->said_arg = arg;
}

void
pg_say(struct store *store, struct str text)
{
	struct pg_listener *l = ((struct pg_store *)store)->listener;
	struct saying *s;
	bool fits;

	if (l == NULL)
		return;
	s = calloc(1, sizeof(*s) + text.n + 1);
	if (s == NULL)
		panic("out of memory");
	memcpy(s->text, text.p, text.n);
	pthread_mutex_lock(&l->lock);
	fits = l->nsayings < SAYINGS_MAX;
	if (fits) {
		*l->last = s;
		l->last = &s->next;
		l->nsayings++;
	}
	pthread_mutex_unlock(&l->lock);
	if (fits)
		ring(l);
	else
		free(s);
}
