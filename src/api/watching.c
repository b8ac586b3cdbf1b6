/* watching – connections and the channels that requests made with them are about. */
#include "api/watching.h"

#include "api/req.h"
#include "base/err.h"
#include "domain/poll.h"
#include "net/hub.h"

bool
watching_read(struct req *r, const json_t *body, struct watching *out, struct err *e)
{
	bool presence = false;

	*out = (struct watching){.connection_id = req_query(r, "connection_id")};
	if (!jr_bool(body, "watch", OPTIONAL, &out->watch, e) ||
		!jr_bool(body, "presence", OPTIONAL, &presence, e))
		return false;
	if (out->connection_id.p == NULL &&
		!jr_str(body, "connection_id", OPTIONAL, &out->connection_id, e))
		return false;
	if (out->connection_id.n == 0)
		out->connection_id = STR_NONE;
	return !out->watch || out->connection_id.p != NULL ||
	       fail(e, ERR_INPUT,
		       "watch: needs the connection_id of a WebSocket that is connected");
}

static bool
no_connection(const struct watching *w, struct err *e)
{
	return fail(e, ERR_NO_CONNECTION,
		"connection_id: \"%.*s\" is no connection of this user here",
		STR_ARG(w->connection_id));
}

bool
watching_begin(struct req *r, const struct watching *w, int64_t viewer, const int64_t *channels,
	size_t n, struct err *e)
{
	struct hub *hub = r->ctx->hub;

	return !w->watch || (hub && hub_watch(hub, w->connection_id, viewer, channels, n)) ||
	       no_connection(w, e);
}

bool
watching_polls(struct req *r, const struct watching *w, int64_t viewer,
	const struct poll *polls, size_t n, struct err *e)
{
	int64_t *rooms = arena_array(r->arena, n + 1, sizeof(*rooms));

	for (size_t i = 0; i < n; i++)
		rooms[i] = HUB_ROOM_OF_POLL(polls[i].no);
	return n == 0 || watching_begin(r, w, viewer, rooms, n, e);
}

bool
watching_end(
	struct req *r, const struct watching *w, int64_t viewer, int64_t channel, struct err *e)
{
	struct hub *hub = r->ctx->hub;

	if (w->connection_id.p == NULL)
		return fail(e, ERR_INPUT, "connection_id: is required");
	return (hub && hub_unwatch(hub, w->connection_id, viewer, &channel, 1)) ||
	       no_connection(w, e);
}
