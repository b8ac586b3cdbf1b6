/* opening – opens the store for a command, with an operator who wants to know. */
#include "main/opening.h"

#include <poll.h>
#include <string.h>

#include "base/config.h"
#include "base/err.h"
#include "base/log.h"
#include "store/db.h"

struct opening {
	int signals;
	bool interrupted;
	struct err told; /* what was logged last */
};

static bool
go_on(void *arg, const char *why)
{
	struct opening *o = arg;
	struct pollfd p = {.fd = o->signals, .events = POLLIN};

	if (strcmp(why, o->told.msg) != 0) {
		log_warn("waiting for the database: %s", why);
		fail(&o->told, ERR_STORE, "%s", why);
	}
	o->interrupted = o->signals != NO_SIGNALS && poll(&p, 1, 0) > 0;
	return !o->interrupted;
}

bool
open_store(struct store **out, const struct config *config, int signals, struct err *e)
{
	struct opening o = {.signals = signals};
	const struct store_opts opts = {.wait_ms = config->store_wait * 1000,
		.connections = config->store_connections,
		.go_on = go_on,
		.arg = &o};
	bool ok = store_open_with(out, config->store, &opts, e);

	if (!ok && o.interrupted)
		e->code = ERR_NONE;
	return ok;
}
