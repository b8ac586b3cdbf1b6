/* dispatch – reads the outbox (domain/event.h) in the order of commits and hands it to whoever
 * tells it.  One thread; woken by the process's own commits and by what other processes say.
 *
 * It knows positions, a sink knows what is told to whom.  The one sink there is, clients'
 * sockets (api/live), starts with what is committed after it was there; one that must not miss
 * anything while its process is away would keep its position in the store. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct arena;
struct db;
struct err;
struct event;

struct dispatch_sink {
	/* Whether anybody is there to hear; nothing is read for nobody. */
	bool (*has_ears)(void *arg);
	/* Tells ${events}, in order.  ${a} is emptied afterwards.  On failure (STORE …) the
	 * same ones come again: what was told of them before is the sink's to know. */
	bool (*tell)(void *arg, struct db *, struct arena *a, const struct event *events,
		size_t n, struct err *e);
	/* Tells what passes and is in no outbox: at each wake (engine_look()) and each second,
	 * whether anybody is there or not.  ${a} is emptied before.  NULL: there is no such
	 * thing. */
	bool (*pass)(void *arg, struct db *, struct arena *a, struct err *e);
	void *arg;
};
