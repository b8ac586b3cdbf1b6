/* watching – connections and the channels and users that requests made with them are about. */
#include "api/watching.h"

#include "api/req.h"
#include "base/err.h"
#include "domain/poll.h"
#include "net/hub.h"

/* Of what is asked for by ${key} somebody has to hear. */
static bool
check_connection(bool is_wanted, const char *key, const struct watching *w, struct err *e)
{
	return !is_wanted || w->connection_id.p != NULL ||
	       fail(e, ERR_INPUT,
		       "%s: needs the connection_id of a WebSocket that is connected", key);
}

bool
watching_read_presence(struct req *r, const json_t *obj, struct watching *out, struct err *e)
{
	*out = (struct watching){.connection_id = req_query(r, "connection_id")};
	if (!jr_bool(obj, "presence", OPTIONAL, &out->presence, e))
		return false;
	if (out->connection_id.p == NULL &&
		!jr_str(obj, "connection_id", OPTIONAL, &out->connection_id, e))
		return false;
	if (out->connection_id.n == 0)
		out->connection_id = STR_NONE;
	return check_connection(out->presence, "presence", out, e);
}

bool
watching_read(struct req *r, const json_t *body, struct watching *out, struct err *e)
{
	bool watch = false;

	if (!jr_bool(body, "watch", OPTIONAL, &watch, e) ||
		!watching_read_presence(r, body, out, e))
		return false;
	out->watch = watch;
	return check_connection(watch, "watch", out, e);
}

static bool
no_connection(const struct watching *w, struct err *e)
{
	return fail(e, ERR_NO_CONNECTION,
		"connection_id: \"%.*s\" is no connection of this user here",
		STR_ARG(w->connection_id));
}

/* It hears of ${n} rooms, if that is wanted. */
static bool
begin(struct req *r, bool is_wanted, const struct watching *w, int64_t viewer,
	const int64_t *rooms, size_t n, struct err *e)
{
	struct hub *hub = r->ctx->hub;

	return !is_wanted || (hub && hub_watch(hub, w->connection_id, viewer, rooms, n)) ||
	       no_connection(w, e);
}

bool
watching_begin(struct req *r, const struct watching *w, int64_t viewer, const int64_t *channels,
	size_t n, struct err *e)
{
	return begin(r, w->watch, w, viewer, channels, n, e);
}

bool
watching_polls(struct req *r, const struct watching *w, int64_t viewer,
	const struct poll *polls, size_t n, struct err *e)
{
	int64_t *rooms = arena_array(r->arena, n + 1, sizeof(*rooms));

	for (size_t i = 0; i < n; i++)
		rooms[i] = HUB_ROOM_OF_POLL(polls[i].no);
	return begin(r, w->watch && n > 0, w, viewer, rooms, n, e);
}

bool
watching_users(struct req *r, const struct watching *w, int64_t viewer, const int64_t *uids,
	size_t n, struct err *e)
{
	int64_t *rooms = arena_array(r->arena, n + 1, sizeof(*rooms));

	for (size_t i = 0; i < n; i++)
		rooms[i] = HUB_ROOM_OF_USER(uids[i]);
	return begin(r, w->presence, w, viewer, rooms, n, e);
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
