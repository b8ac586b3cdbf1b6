/* channel_batch – one batch of a campaign to channels: prepared outside any transaction,
 * written in one.  Recipients are channels that exist, so nothing is looked for and nothing
 * made. */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/pack.h"
#include "domain/bitset.h"
#include "domain/channel.h"
#include "domain/channel_origin.h"
#include "domain/channel_type.h"
#include "domain/reach.h"
#include "domain/template.h"
#include "engine/batch.h"
#include "engine/sending.h"
#include "store/db.h"

/* ---- preparing ----------------------------------------------------------------------- */

/* A piece of the output buffer, which may move while it grows. */
struct piece {
	size_t at, n;
	bool is_set;
};

/* One message as rendered. */
struct rendered {
	enum outcome outcome; /* SENT, or why it cannot be */
	struct piece text, extra;
};

struct preparing {
	struct db *db;
	struct sending *s;
	struct prepared *p;
	/* Those that exist, in the order of their numbers; in front those that get a message.
	 */
	struct channel *channels;
	size_t nchannels;
	struct channel_type *types;
	size_t ntypes;
	struct rendered *rendered; /* of each message */
};

/* How long a text in channels of the type may be. */
static size_t
max_chars(const struct preparing *q, struct str type)
{
	struct channel_type standard = {.name = type};
	size_t i = 0;

	while (i < q->ntypes && !str_eq(q->types[i].name, type))
		i++;
	return (size_t)channel_type_max_message(i < q->ntypes ? &q->types[i] : &standard);
}

static bool
render_piece(struct preparing *q, const struct template *t,
	const struct template_channel *channel, struct piece *out)
{
	struct template_vars vars = {.sender = &q->s->sender, .channel = channel};

	*out = (struct piece){.at = q->p->out->n, .is_set = t != NULL};
	if (t != NULL && !template_render(t, &vars, q->p->max_bytes, q->p->out))
		return false;
	out->n = q->p->out->n - out->at;
	return true;
}

static struct rendered
render(struct preparing *q, const struct channel *c)
{
	struct template_channel view = {.id = c->id,
		.type = c->type,
		.cid = c->cid,
		.team = c->team.p == NULL && c->from != NULL ? c->from->team : c->team,
		.custom = c->custom};
	struct rendered r = {.outcome = OUTCOME_SENT};
	size_t before = q->p->out->n;

	if (!render_piece(q, q->s->content.text, &view, &r.text) ||
		!render_piece(q, q->s->content.extra, &view, &r.extra)) {
		r.outcome = OUTCOME_RENDERED_TOO_LARGE;
		q->p->out->n = before;
	}
	return r;
}

/* What the channel gets.  What says nothing of it is rendered once for all of them. */
static struct rendered
message_for(struct preparing *q, const struct channel *c)
{
	bool is_shared = !q->s->content.uses_channel && q->p->nmessages > 0;
	size_t before = q->p->out->n, max = max_chars(q, c->type);
	struct rendered r = is_shared ? q->rendered[0] : render(q, c);
	struct str text = {q->p->out->p + r.text.at, r.text.n};

	if (r.outcome == OUTCOME_SENT && text.n > max && str_utf8_len(text) > max) {
		r.outcome = OUTCOME_MESSAGE_TOO_LONG;
		q->p->out->n = before;
	}
	return r;
}

/* Gives recipient ${i} his outcome and, when that is SENT, the place of the next message. */
static void
prepare_one(struct preparing *q, size_t i, struct channel *c)
{
	struct prepared *p = q->p;
	size_t m = p->nmessages;

	if (c == NULL || c->deleted_at != NO_TIME) {
		p->outcomes[i] = OUTCOME_NO_SUCH_CHANNEL;
		return;
	}
	if (c->disabled) {
		p->outcomes[i] = OUTCOME_CHANNEL_DISABLED;
		return;
	}
	q->rendered[m] = message_for(q, c);
	p->outcomes[i] = (uint8_t)q->rendered[m].outcome;
	if (q->rendered[m].outcome != OUTCOME_SENT)
		return;
	p->key[m] = p->batch->first_key + (int64_t)i;
	p->channel[m] = c->no;
	q->channels[m] = *c; /* behind or at its own place: those before are done with */
	p->nmessages++;
}

static struct str
text_of(const struct preparing *q, struct piece piece)
{
	return piece.is_set ? (struct str){q->p->out->p + piece.at, piece.n} : STR_NONE;
}

/* The output does not move any more: places become text. */
static void
settle(struct preparing *q)
{
	struct prepared *p = q->p;

	for (size_t m = 0; m < p->nmessages; m++) {
		p->text[m] = text_of(q, q->rendered[m].text);
		p->extra[m] = text_of(q, q->rendered[m].extra);
	}
}

/* Who gets the messages: everybody in the channels but their author. */
static bool
find_reached(struct preparing *q, struct err *e)
{
	struct prepared *p = q->p;
	struct bitset members;
	int64_t uid = -1, sender = q->s->sender.uid;
	bool ok;

	bitset_init(&members);
	ok = reach_members(q->db, p->arena, q->channels, p->nmessages, &members, e);
	p->reached = arena_array(p->arena, (size_t)bitset_count(&members), sizeof(int64_t));
	while (ok && (uid = bitset_next(&members, uid + 1)) >= 0)
		if (uid != sender)
			p->reached[p->nreached++] = uid;
	bitset_fini(&members);
	return ok;
}

static void
allocate(struct preparing *q, struct arena *a, size_t n)
{
	struct prepared *p = q->p;

	p->uids = arena_array(a, n, sizeof(int64_t));
	p->outcomes = arena_zalloc(a, n);
	p->key = arena_array(a, n, sizeof(int64_t));
	p->channel = arena_array(a, n, sizeof(int64_t));
	p->text = arena_array(a, n, sizeof(struct str));
	p->extra = arena_array(a, n, sizeof(struct str));
	q->rendered = arena_array(a, n + 1, sizeof(*q->rendered));
	prepared_out_init(p, n * 64);
}

bool
channel_batch_prepare(struct db *db, struct arena *a, struct sending *s, const struct batch *b,
	size_t max_bytes, struct prepared *out, struct err *e)
{
	struct preparing q = {.db = db, .s = s, .p = out};
	struct channel_origins origins;

	*out = (struct prepared){.batch = b,
		.sending = s,
		.arena = a,
		.n = (size_t)b->n,
		.max_bytes = max_bytes};
	allocate(&q, a, out->n);
	if (!pack_keys_read(b->uids, out->uids, out->n))
		return fail(e, ERR_BUG, "batch %lld/%lld: the list of recipients is damaged",
			(long long)b->campaign, (long long)b->seq);
	channel_origins_init(&origins, a);
	/* Before anything is looked at: what is removed from now on makes us look again. */
	if (!channel_type_list(db, a, &q.types, &q.ntypes, e) ||
		!channel_removals(db, &out->removals, e) ||
		!channel_by_nos(db, a, out->uids, out->n, &q.channels, &q.nchannels, e) ||
		!channel_origins_give(&origins, db, q.channels, q.nchannels, e))
		return false;
	for (size_t i = 0, k = 0; i < out->n; i++) {
		bool there = k < q.nchannels && q.channels[k].no == out->uids[i];

		prepare_one(&q, i, there ? &q.channels[k] : NULL);
		k += there;
		if (!prepared_has_room(out, e))
			return false;
	}
	settle(&q);
	return find_reached(&q, e);
}

/* ---- writing ------------------------------------------------------------------------- */

/* What options ask of channels that exist (api.md §3.2). */
static bool
write_members(struct db *w, const struct prepared *p, int64_t now, struct err *e)
{
	const struct campaign *c = &p->sending->campaign;
	struct col cols[] = {COL_INTS(p->channel)};
	struct bulk channels = {cols, ARRAY_LEN(cols), p->nmessages};

	if (str_is(c->sender_mode, "include") &&
		!db_exec(w, SQL_BATCH_INCLUDE_SENDER, ARGS(V_INT(c->sender), V_INT(now)),
			&channels, NULL, e))
		return false;
	return !c->show_channels ||
	       (db_exec(w, SQL_CHANNEL_BATCH_UNHIDE_SENDERS, ARGS(V_INT(c->sender)), &channels,
			NULL, e) &&
		       db_exec(w, SQL_CHANNEL_BATCH_UNHIDE, ARGS(V_INT(c->sender), V_INT(now)),
			       &channels, NULL, e));
}

static bool
write_messages(struct db *w, const struct prepared *p, int64_t now, struct err *e)
{
	struct col cols[] = {COL_INTS(p->key), COL_INTS(p->channel), COL_TEXTS(p->text),
		COL_TEXTS(p->extra)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), p->nmessages};

	return p->nmessages == 0 ||
	       (write_members(w, p, now, e) &&
		       db_exec_rows(w, SQL_BATCH_INSERT_MESSAGES, ARGS(V_INT(now)), &bulk, e));
}

bool
channel_batch_write_chat(struct db *w, struct prepared *p, int64_t now, struct err *e)
{
	return batch_check_removals(w, p, p->channel, p->nmessages, e) &&
	       write_messages(w, p, now, e);
}

bool
channel_batch_write(struct db *w, struct prepared *p, bool *lost, struct err *e)
{
	struct batch_result result = {.outcomes = p->outcomes};
	/* Here, behind all earlier commits: whoever marked a channel read before this moment
	 * has not seen the message (api.md §3.5). */
	int64_t now = clock_now_us();

	*lost = false;
	return ledger_commit_begin(w, p->batch, &result, now, lost, e) &&
	       channel_batch_write_chat(w, p, now, e) &&
	       ledger_commit_end(w, p->batch, &result, now, lost, e) &&
	       reach_add(w, p->arena, p->batch->campaign, p->reached, p->nreached, now, e);
}
