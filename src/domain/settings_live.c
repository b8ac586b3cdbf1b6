/* settings_live – one counted snapshot of the settings, replaced when their version rises. */
#include "domain/settings_live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "domain/settings.h"

#define LOOK_AFTER_US 400000
#define MAX_AGE_US    900000

struct snapshot {
	struct settings settings; /* in ${arena} */
	struct arena arena;
	size_t holders; /* under the lock */
};

struct settings_live {
	pthread_mutex_t lock; /* over ${current} and the holders of snapshots */
	struct snapshot *current;
	_Atomic int64_t version; /* of ${current} */
	bool shared;
	_Atomic int64_t seen_at; /* monotonic; until then no newer version was there */
	_Atomic bool looking;
	size_t nthreads;
	struct snapshot *held[]; /* each by its thread; NULL: nothing yet */
};

/* Under the lock. */
static void
release(struct snapshot *s)
{
	if (s == NULL || --s->holders > 0)
		return;
	arena_fini(&s->arena);
	free(s);
}

static bool
load(struct db *db, struct snapshot **out, struct err *e)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (s == NULL)
		panic("out of memory: settings");
	arena_init(&s->arena, 4096, SIZE_MAX);
	s->holders = 1;
	if (settings_load(db, &s->arena, &s->settings, e)) {
		*out = s;
		return true;
	}
	release(s);
	return false;
}

bool
settings_live_read(struct settings_live *l, struct db *db, struct err *e)
{
	struct snapshot *fresh;

	if (l == NULL)
		return true;
	if (!load(db, &fresh, e))
		return false;
	pthread_mutex_lock(&l->lock);
	/* Whoever read before, and is late, does not bring an older one back. */
	if (l->current == NULL || fresh->settings.version > l->current->settings.version) {
		struct snapshot *old = l->current;

		l->current = fresh;
		atomic_store(&l->version, fresh->settings.version);
		fresh = old;
	}
	release(fresh);
	pthread_mutex_unlock(&l->lock);
	return true;
}

bool
settings_live_new(
	struct settings_live **out, struct db *db, size_t threads, bool shared, struct err *e)
{
	struct settings_live *l = calloc(1, sizeof(*l) + threads * sizeof(struct snapshot *));

	if (l == NULL)
		panic("out of memory: settings");
	pthread_mutex_init(&l->lock, NULL);
	l->nthreads = threads;
	l->shared = shared;
	atomic_store(&l->seen_at, clock_mono_us());
	if (!settings_live_read(l, db, e)) {
		settings_live_free(l);
		return false;
	}
	*out = l;
	return true;
}

void
settings_live_free(struct settings_live *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->nthreads; i++)
		release(l->held[i]);
	release(l->current);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* Asks the store for the version at ${now}, and reads what is newer. */
static bool
look(struct settings_live *l, struct db *db, int64_t now, struct err *e)
{
	int64_t version;

	if (!settings_version(db, &version, e) ||
		(version > atomic_load(&l->version) && !settings_live_read(l, db, e)))
		return false;
	atomic_store(&l->seen_at, now);
	return true;
}

/* One request looks for all; those that find what is known too old look for themselves. */
static bool
look_in_time(struct settings_live *l, struct db *db, struct err *e)
{
	int64_t now = clock_mono_us(), age = now - atomic_load(&l->seen_at);
	bool mine, ok;

	if (age < LOOK_AFTER_US)
		return true;
	mine = !atomic_exchange(&l->looking, true);
	if (!mine && age < MAX_AGE_US)
		return true;
	ok = look(l, db, now, e);
	if (mine)
		atomic_store(&l->looking, false);
	return ok || age < MAX_AGE_US;
}

bool
settings_hold(struct settings_live *l, size_t thread, struct db *db,
	const struct settings **out, struct err *e)
{
	static const struct settings defaults = {.revoked_before = NO_TIME};
	struct snapshot **held;

	*out = &defaults;
	if (l == NULL)
		return true;
	if (l->shared && !look_in_time(l, db, e))
		return false;
	held = &l->held[thread];
	if (*held == NULL || (*held)->settings.version != atomic_load(&l->version)) {
		pthread_mutex_lock(&l->lock);
		release(*held);
		*held = l->current;
		(*held)->holders++;
		pthread_mutex_unlock(&l->lock);
	}
	*out = &(*held)->settings;
	return true;
}
