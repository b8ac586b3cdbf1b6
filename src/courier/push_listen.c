/* push_listen – who may hear of an event: members with devices that a provider serves, found in
 * pieces, so that neither a batch nor a large channel is ever held as a whole.
 *
 * A place within an event is the recipient's index in the batch and, where one recipient is a
 * channel of many, the member with whom to go on.  For who has no device only an index is
 * looked at. */
#include "base/arena.h"
#include "base/err.h"
#include "base/pack.h"
#include "courier/push_impl.h"
#include "domain/channel.h"
#include "domain/device.h"
#include "domain/event.h"
#include "domain/outcome.h"
#include "store/db.h"

#define UID_BITS 40
#define UID_MASK ((INT64_C(1) << UID_BITS) - 1)
/* Users whose devices are looked for at once. */
#define USERS_STEP 1024
/* Channels whose members are. */
#define CHANNELS_STEP 64

static int64_t
place_of(size_t index, int64_t uid)
{
	return (int64_t)index << UID_BITS | uid;
}

/* ---- collecting ------------------------------------------------------------------------ */

struct gathering {
	const struct push_work *work;
	struct buf ears, devices;
	bool is_full;
	int64_t next;
};

static size_t
ndevices(const struct gathering *g)
{
	return g->devices.n / sizeof(struct device_ref);
}

/* Those of some candidates who have devices, until there are enough. */
static bool
add_some(struct gathering *g, const struct push_ear *list, size_t n, struct err *e)
{
	const struct push_work *w = g->work;
	const struct push_sender *s = w->sender;
	int64_t *uids = arena_array(w->arena, n + 1, sizeof(*uids));
	struct device_ref *refs;
	size_t nrefs, i = 0;

	for (size_t k = 0; k < n; k++)
		uids[k] = list[k].uid;
	if (!device_served(w->db, w->arena, s->type, s->name, uids, n, &refs, &nrefs, e))
		return false;
	while (i < nrefs) {
		struct push_ear ear = list[refs[i].user];

		ear.first = ndevices(g);
		if (ear.first >= w->max) {
			g->is_full = true;
			g->next = ear.where;
			return true;
		}
		for (; i + ear.n < nrefs && refs[i + ear.n].user == refs[i].user; ear.n++)
			buf_add(&g->devices, &refs[i + ear.n], sizeof(*refs));
		buf_add(&g->ears, &ear, sizeof(ear));
		i += ear.n;
	}
	return arena_check(w->arena, e);
}

static bool
add(struct gathering *g, const struct push_ear *list, size_t n, struct err *e)
{
	for (size_t i = 0; i < n && !g->is_full; i += USERS_STEP)
		if (!add_some(g, list + i, MIN_OF(n - i, (size_t)USERS_STEP), e))
			return false;
	return true;
}

/* ---- a batch --------------------------------------------------------------------------- */

struct batch {
	int64_t first; /* key */
	size_t n;
	int64_t *recipients; /* uids, or numbers of channels */
	uint8_t *outcomes;
	bool skips_push, to_channels;
	int64_t sender;
};

static bool
read_batch(const struct push_work *w, int64_t first, struct batch *out, struct err *e)
{
	struct arena *a = w->arena;
	bool sound = true;
	struct rows r;

	*out = (struct batch){.first = first};
	if (!db_query(w->db, SQL_PUSH_BATCH, ARGS(V_INT(first)), NO_BULK, &r, e))
		return false;
	if (rows_next(&r)) {
		out->n = (size_t)row_int(&r, 0);
		out->recipients = arena_array(a, out->n, sizeof(*out->recipients));
		out->outcomes = arena_zalloc(a, out->n + 1);
		sound = pack_keys_read(row_str(&r, 1), out->recipients, out->n) &&
			pack_bytes_read(row_str(&r, 2), out->outcomes, out->n);
		out->skips_push = row_int(&r, 3) != 0;
		out->sender = row_int(&r, 4);
		out->to_channels = row_int(&r, 5) != 0;
	}
	if (!rows_end(&r, e))
		return false;
	return sound ||
	       fail(e, ERR_BUG, "the batch of message %lld is damaged", (long long)first);
}

static bool
listen_users(struct gathering *g, const struct batch *b, size_t from, struct err *e)
{
	struct push_ear *list = arena_array(g->work->arena, b->n + 1, sizeof(*list));
	size_t n = 0;

	for (size_t i = from; i < b->n; i++)
		if (b->outcomes[i] == OUTCOME_SENT && b->recipients[i] != b->sender)
			list[n++] = (struct push_ear){.where = place_of(i, 0),
				.key = b->first + (int64_t)i,
				.uid = b->recipients[i]};
	return add(g, list, n, e);
}

/* Members of some channels, of the first from a uid on; ${index} and ${keys} say what the
 * channels are. */
static bool
listen_members(struct gathering *g, const int64_t *nos, const size_t *index,
	const int64_t *keys, size_t n, int64_t from, int64_t author, struct err *e)
{
	const struct push_work *w = g->work;
	struct channel *channels;
	struct channel_pair *pairs;
	struct push_ear *list;
	size_t nchannels, npairs, nlist = 0, of_channel = 0;
	size_t *which = arena_array(w->arena, n + 1, sizeof(*which));
	int64_t rest = 0; /* where a channel goes on that is too large for once */

	if (!channel_by_nos(w->db, w->arena, nos, n, &channels, &nchannels, e) ||
		!channel_complete(w->db, w->arena, channels, nchannels, e) ||
		!channel_pairs(w->db, w->arena, channels, nchannels, from, CHANNEL_PAIRS_MAX,
			&pairs, &npairs, e))
		return false;
	for (size_t i = 0, k = 0; i < n && k < nchannels; i++)
		if (nos[i] == channels[k].no)
			which[k++] = i;
	list = arena_array(w->arena, npairs + 1, sizeof(*list));
	for (size_t i = 0; i < npairs && rest == 0; i++) {
		size_t c = which[pairs[i].channel];

		of_channel =
			i > 0 && pairs[i - 1].channel == pairs[i].channel ? of_channel + 1 : 1;
		if (of_channel == CHANNEL_PAIRS_MAX)
			rest = place_of(index[c], pairs[i].uid + 1);
		if (pairs[i].uid != author)
			list[nlist++] =
				(struct push_ear){.where = place_of(index[c], pairs[i].uid),
					.key = keys[c],
					.uid = pairs[i].uid};
	}
	if (!add(g, list, nlist, e))
		return false;
	if (rest != 0 && !g->is_full) {
		g->is_full = true;
		g->next = rest;
	}
	return true;
}

static bool
listen_channels(struct gathering *g, const struct batch *b, int64_t from, struct err *e)
{
	int64_t nos[CHANNELS_STEP], keys[CHANNELS_STEP], uid = from & UID_MASK;
	size_t index[CHANNELS_STEP], i = (size_t)(from >> UID_BITS);

	while (i < b->n && !g->is_full) {
		/* One that was begun goes on by itself. */
		size_t n = 0, max = uid != 0 ? 1 : CHANNELS_STEP;

		for (; i < b->n && n < max; i++) {
			if (b->outcomes[i] != OUTCOME_SENT)
				continue;
			nos[n] = b->recipients[i];
			keys[n] = b->first + (int64_t)i;
			index[n++] = i;
		}
		if (!listen_members(g, nos, index, keys, n, uid, b->sender, e))
			return false;
		uid = 0;
	}
	return true;
}

/* ---- an event -------------------------------------------------------------------------- */

static bool
listen_message(struct gathering *g, const struct event *ev, int64_t from, struct err *e)
{
	const size_t index = 0;

	return listen_members(
		g, &ev->channel, &index, &ev->object, 1, from & UID_MASK, ev->uid, e);
}

static bool
listen_batch(struct gathering *g, const struct event *ev, int64_t from, struct err *e)
{
	struct batch b;

	if (!read_batch(g->work, ev->object, &b, e))
		return false;
	if (b.skips_push)
		return true;
	return b.to_channels ? listen_channels(g, &b, from, e)
			     : listen_users(g, &b, (size_t)(from >> UID_BITS), e);
}

bool
push_listen(const struct push_work *w, const struct event *ev, int64_t from,
	struct push_ears *out, struct err *e)
{
	struct gathering g = {.work = w};

	buf_init(&g.ears, w->arena, 64 * sizeof(struct push_ear));
	buf_init(&g.devices, w->arena, 64 * sizeof(struct device_ref));
	if (!(ev->kind == EVENT_BATCH ? listen_batch(&g, ev, from, e)
				      : listen_message(&g, ev, from, e)))
		return false;
	*out = (struct push_ears){
		.v = (struct push_ear *)(void *)g.ears.p,
		.n = g.ears.n / sizeof(struct push_ear),
		.devices = (const struct device_ref *)(const void *)g.devices.p,
		.is_all = !g.is_full,
		.next = g.next,
	};
	return arena_check(w->arena, e);
}
