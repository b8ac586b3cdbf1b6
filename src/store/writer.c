/* writer – groups write transactions into commits. */
#include "store/writer.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/sqlite.h"

/* At most this many transactions share a commit, so that none waits for long. */
#define GROUP_MAX 32

/* One caller's transaction; on the caller's stack. */
struct job {
	tx_fn fn;
	void *arg;
	struct err *e;
	bool ok;
	bool done;
	struct job *next;
};

struct queue {
	struct job *first, **last;
};

struct writer {
	struct db *db;
	struct thread thread;
	pthread_mutex_t lock;
	pthread_cond_t queued;  /* a job came, or stop */
	pthread_cond_t served;  /* jobs are done */
	struct queue queues[2]; /* by enum writer_turn */
	enum writer_turn next;  /* whose turn it is when both wait */
	bool stop;
};

/* Runs one job inside the open transaction.  The first of a group needs no savepoint: when
 * it fails, nothing else is lost by starting the transaction anew.  False when the
 * transaction itself is broken (*e of all jobs is then set by the caller). */
static bool
run_job(struct writer *w, struct job *j, bool first, struct err *broken)
{
	if (!first && !sqlite_run(w->db, "SAVEPOINT job", broken))
		return false;
	j->ok = j->fn(w->db, j->arg, j->e);
	if (first)
		return j->ok || (sqlite_run(w->db, "ROLLBACK", broken) &&
					sqlite_run(w->db, "BEGIN IMMEDIATE", broken));
	if (!j->ok && !sqlite_run(w->db, "ROLLBACK TO job", broken))
		return false;
	return sqlite_run(w->db, "RELEASE job", broken);
}

/* Commits a group; every job learns its own result. */
static void
run_group(struct writer *w, struct job *group)
{
	struct err broken, ignored;
	bool sound = sqlite_run(w->db, "BEGIN IMMEDIATE", &broken);

	for (struct job *j = group; j != NULL && sound; j = j->next)
		sound = run_job(w, j, j == group, &broken);
	sound = sound && sqlite_run(w->db, "COMMIT", &broken);
	if (sound)
		return;
	/* Already rolled back by SQLite itself in some cases: then this says so, harmlessly. */
	if (!sqlite_run(w->db, "ROLLBACK", &ignored))
		ignored.code = ERR_NONE;
	for (struct job *j = group; j != NULL; j = j->next) {
		if (j->ok || j->e->code == ERR_NONE)
			fail(j->e, ERR_STORE, "%s", broken.msg);
		j->ok = false;
	}
}

/* Cuts up to ${max} jobs from a queue; NULL when there is none. */
static struct job *
take(struct queue *q, int max)
{
	struct job *group = q->first, *j = group;

	if (group == NULL)
		return NULL;
	for (int n = 1; n < max && j->next != NULL; n++)
		j = j->next;
	q->first = j->next;
	if (q->first == NULL)
		q->last = &q->first;
	j->next = NULL;
	return group;
}

static enum writer_turn
other(enum writer_turn turn)
{
	return turn == WRITER_SHORT ? WRITER_LONG : WRITER_SHORT;
}

/* Short and long ones take turns: a client waits for one batch at most, and a batch for one
 * group of clients. */
static struct job *
take_group(struct writer *w)
{
	enum writer_turn turn = w->queues[w->next].first != NULL ? w->next : other(w->next);

	w->next = other(turn);
	return take(&w->queues[turn], turn == WRITER_SHORT ? GROUP_MAX : 1);
}

/* A checkpoint is a long one: true when it had its turn. */
static bool
make_checkpoint(struct writer *w)
{
	if (!sqlite_checkpoint_due(w->db) ||
		(w->next == WRITER_SHORT && w->queues[WRITER_SHORT].first != NULL))
		return false;
	w->next = WRITER_SHORT;
	pthread_mutex_unlock(&w->lock);
	sqlite_checkpoint(w->db);
	pthread_mutex_lock(&w->lock);
	return true;
}

static void
serve(void *arg)
{
	struct writer *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct job *group, *next;

		if (make_checkpoint(w))
			continue;
		group = take_group(w);
		if (group == NULL && w->stop)
			break;
		if (group == NULL) {
			pthread_cond_wait(&w->queued, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		run_group(w, group);
		pthread_mutex_lock(&w->lock);
		/* A job's memory is its caller's again once done is set. */
		for (; group != NULL; group = next) {
			next = group->next;
			group->done = true;
		}
		pthread_cond_broadcast(&w->served);
	}
	pthread_mutex_unlock(&w->lock);
}

bool
writer_do(struct writer *w, enum writer_turn turn, tx_fn fn, void *arg, struct err *e)
{
	struct job j = {.fn = fn, .arg = arg, .e = e};
	struct queue *q = &w->queues[turn];

	e->code = ERR_NONE;
	pthread_mutex_lock(&w->lock);
	*q->last = &j;
	q->last = &j.next;
	pthread_cond_signal(&w->queued);
	while (!j.done)
		pthread_cond_wait(&w->served, &w->lock);
	pthread_mutex_unlock(&w->lock);
	return j.ok;
}

struct writer *
writer_new(struct db *db)
{
	struct writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		panic("out of memory");
	w->db = db;
	for (size_t i = 0; i < ARRAY_LEN(w->queues); i++)
		w->queues[i].last = &w->queues[i].first;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->queued, NULL);
	pthread_cond_init(&w->served, NULL);
	thread_start(&w->thread, "store-writer", serve, w);
	return w;
}

void
writer_free(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->queued);
	pthread_mutex_unlock(&w->lock);
	thread_join(&w->thread);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->queued);
	pthread_cond_destroy(&w->served);
	free(w);
}
