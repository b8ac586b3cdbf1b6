/* committed – reading a batch of a campaign that was committed. */
#include "api/committed.h"

#include "api/req.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/pack.h"
#include "domain/channel_type.h"
#include "domain/outcome.h"
#include "store/db.h"

static bool
unpack(struct arena *a, struct rows *r, struct committed *c)
{
	size_t n = (size_t)row_int(r, 0);
	uint8_t *outcomes = arena_zalloc(a, n);

	c->n = (int64_t)n;
	c->recipients = arena_array(a, n, sizeof(*c->recipients));
	c->keys = arena_array(a, n, sizeof(*c->keys));
	if (!pack_keys_read(row_str(r, 1), c->recipients, n) ||
		!pack_bytes_read(row_str(r, 2), outcomes, n))
		return false;
	for (size_t i = 0; i < n; i++)
		c->keys[i] = outcomes[i] == OUTCOME_SENT ? c->event->object + (int64_t)i : 0;
	return true;
}

bool
committed_read(struct req *r, const struct event *ev, struct committed *out, struct err *e)
{
	struct rows rows;
	bool sound = true;

	*out = (struct committed){.event = ev};
	if (!db_query(r->db, SQL_EVENT_BATCH, ARGS(V_INT(ev->object)), NO_BULK, &rows, e))
		return false;
	if (rows_next(&rows)) {
		sound = unpack(r->arena, &rows, out);
		out->at = row_int(&rows, 3);
		out->form = row_int(&rows, 4);
		out->sender = row_int(&rows, 5);
		out->shows_channels = row_int(&rows, 6) != 0;
		out->to_channels = row_int(&rows, 7) != 0;
		out->skips_webhook = row_int(&rows, 8) != 0;
		out->skips_push = row_int(&rows, 9) != 0;
		out->includes_sender = row_int(&rows, 10) != 0;
		out->follows_form = row_int(&rows, 11) != 0;
	}
	if (!rows_end(&rows, e))
		return false;
	return sound ||
	       fail(e, ERR_BUG, "the batch of message %lld is damaged", (long long)ev->object);
}

/* ---- a slice --------------------------------------------------------------------------- */

/* Messages that are still there, in order. */
static bool
load_messages(struct req *r, const int64_t *keys, const int64_t *receivers, size_t n,
	struct committed_slice *s, struct err *e)
{
	size_t kept = 0;

	s->messages = arena_array(r->arena, n + 1, sizeof(*s->messages));
	s->receivers = arena_array(r->arena, n + 1, sizeof(*s->receivers));
	if (!message_by_keys(r->db, r->arena, r->ctx->app, keys, n, s->messages, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s->messages[i].key == 0 || s->messages[i].deleted_at != NO_TIME)
			continue;
		s->receivers[kept] = receivers[i];
		s->messages[kept++] = s->messages[i];
	}
	s->n = kept;
	return true;
}

/* The same with their channels, as far as these are there. */
static bool
load_channels(struct req *r, struct committed_slice *s, struct err *e)
{
	int64_t *nos = arena_array(r->arena, s->n + 1, sizeof(*nos));
	size_t nchannels, kept = 0;

	for (size_t i = 0; i < s->n; i++)
		nos[i] = s->messages[i].channel;
	if (!channel_by_nos(r->db, r->arena, nos, s->n, &s->channels, &nchannels, e) ||
		!chat_complete(r, s->channels, nchannels, e))
		return false;
	s->states = arena_zalloc(r->arena, (nchannels + 1) * sizeof(*s->states));
	for (size_t i = 0; i < s->n && kept < nchannels; i++) {
		if (s->channels[kept].no != s->messages[i].channel)
			continue;
		s->receivers[kept] = s->receivers[i];
		s->messages[kept] = s->messages[i];
		s->states[kept] = (struct chat_state){
			.channel = s->channels[kept],
			.last_message_at = s->messages[i].created_at,
			.is_shared = true,
		};
		kept++;
	}
	s->n = kept;
	return true;
}

static bool
load_types(struct req *r, struct committed_slice *s, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		struct chat_state *state = &s->states[i];

		if (!chat_type(r, state->channel.type, &state->type, e))
			return false;
		if (state->type == NULL)
			return fail(e, ERR_BUG, "channel %.*s is of no type",
				STR_ARG(state->channel.cid));
		if (channel_type_flag(state->type, "count_messages") &&
			!channel_message_count(
				r->db, &state->channel, &state->message_count, e))
			return false;
	}
	return true;
}

bool
committed_load(struct req *r, const struct committed *c, const int64_t *keys,
	const int64_t *receivers, size_t n, struct committed_slice *out, struct err *e)
{
	*out = (struct committed_slice){.batch = c};
	return load_messages(r, keys, receivers, n, out, e) && load_channels(r, out, e) &&
	       load_types(r, out, e) && arena_check(r->arena, e);
}

/* ---- what is told ---------------------------------------------------------------------- */

struct event
committed_event(enum event_kind kind, const struct message *m, int64_t uid)
{
	return (struct event){.kind = kind,
		.at = m->created_at,
		.channel = m->channel,
		.uid = uid,
		.object = m->key};
}

bool
committed_made(const struct committed *c, const struct channel *channel)
{
	return channel->created_at == c->at;
}

bool
committed_joined(
	const struct committed *c, const struct channel *channel, const struct member *m)
{
	return c->includes_sender && m->uid == c->sender && m->created_at == c->at &&
	       !committed_made(c, channel);
}

/* Nothing else has touched his row since. */
bool
committed_showed(const struct committed *c, const struct member *m)
{
	return c->shows_channels && m->has_row && m->hidden_at == NO_TIME &&
	       m->updated_at == c->at;
}
