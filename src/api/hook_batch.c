/* hook_batch – a committed batch of a campaign as webhooks hear of it (api.md §3.4): of each
 * recipient that the channel was made or shown, that the sender joined it, and that the message
 * was sent. */
#include <stdlib.h>

#include "api/committed.h"
#include "api/event_wire.h"
#include "api/hook_pack_impl.h"
#include "api/hook_wire.h"
#include "base/arena.h"
#include "base/err.h"
#include "domain/unread.h"

/* Messages that are loaded together, and slices in one step: they bound memory and time. */
#define SLICE  256
#define SLICES 16
/* Members of several channels that are read at once. */
#define MEMBERS_MAX 65536

/* Types of events that a batch may have, and which of them the hook wants. */
struct wanted {
	bool sent, made, shown, joined;
};

/* Some messages, and who is in their channels. */
struct slice {
	struct committed_slice of;
	struct member *members; /* of message i those from first[i] on */
	size_t *first;
	size_t *nshown; /* of them in the envelope; behind them, others who are needed */
	struct chat_people people;
};

static struct wanted
wanted_of(const struct packing *p, const struct committed *c)
{
	return (struct wanted){
		.sent = hook_wants(&p->wish, STR("message.new")),
		.made = hook_wants(&p->wish, STR("channel.created")),
		.shown = c->shows_channels && hook_wants(&p->wish, STR("channel.visible")),
		.joined = c->includes_sender && hook_wants(&p->wish, STR("member.added")),
	};
}

/* ---- loading --------------------------------------------------------------------------- */

/* Which members are read: those in the envelope, the author, and all where the campaign may
 * have shown the channel to any. */
static void
choose_members(struct slice *s, struct channel *theirs, int64_t *uids,
	const struct channel_pair *pairs, size_t npairs)
{
	const struct committed_slice *of = &s->of;
	size_t n = 0;

	for (size_t i = 0, k = 0; i < of->n; i++) {
		int64_t author = of->messages[i].author;
		bool has_author = author == 0;

		s->first[i] = n;
		for (; k < npairs && pairs[k].channel == i; k++) {
			has_author |= pairs[k].uid == author;
			theirs[n] = of->channels[i];
			uids[n++] = pairs[k].uid;
		}
		s->nshown[i] = MIN_OF(n - s->first[i], (size_t)HOOK_MEMBERS);
		if (has_author)
			continue;
		theirs[n] = of->channels[i];
		uids[n++] = author;
	}
	s->first[of->n] = n;
}

static bool
load_members(struct req *r, struct slice *s, bool all, struct err *e)
{
	struct channel_pair *pairs;
	struct channel *theirs;
	int64_t *uids;
	int64_t *counts = arena_array(r->arena, s->of.n + 1, sizeof(*counts));
	size_t each = all ? CHANNEL_PAIRS_MAX : HOOK_MEMBERS, npairs, max;

	if (!channel_pairs(
		    r->db, r->arena, s->of.channels, s->of.n, 0, each, &pairs, &npairs, e) ||
		!channel_count_pairs(r->db, r->arena, s->of.channels, s->of.n, pairs, npairs,
			each, counts, e))
		return false;
	if (npairs > MEMBERS_MAX && s->of.n > 1)
		return fail(e, ERR_TOO_LARGE, "too many members at once");
	for (size_t i = 0; i < s->of.n; i++)
		s->of.states[i].member_count = counts[i];
	max = npairs + s->of.n;
	theirs = arena_array(r->arena, max + 1, sizeof(*theirs));
	uids = arena_array(r->arena, max + 1, sizeof(*uids));
	s->first = arena_array(r->arena, s->of.n + 1, sizeof(*s->first));
	s->nshown = arena_array(r->arena, s->of.n + 1, sizeof(*s->nshown));
	s->members = arena_zalloc(r->arena, (max + 1) * sizeof(*s->members));
	choose_members(s, theirs, uids, pairs, npairs);
	return channel_members_paired(
		r->db, r->arena, theirs, uids, s->first[s->of.n], s->members, e);
}

static bool
load_people(struct req *r, struct slice *s, struct err *e)
{
	struct chat_people *p = &s->people;

	chat_people_init(p, r);
	for (size_t i = 0; i < s->of.n; i++) {
		chat_people_add(p, s->of.states[i].channel.creator);
		chat_note_message(p, &s->of.messages[i]);
	}
	for (size_t i = 0; i < s->first[s->of.n]; i++)
		chat_people_add(p, s->members[i].uid);
	return chat_people_load(p, r, e) && chat_people_count(p, r, e) &&
	       arena_check(r->arena, e);
}

/* ---- packing --------------------------------------------------------------------------- */

static void
add(struct packing *p, const struct slice *s, size_t i, const struct event *ev,
	const struct event_things *t, const struct member *of)
{
	struct event numbered = *ev;

	packing_begin(p);
	hook_write(&p->req, ev, t, of, &s->people);
	numbered.pos = s->of.batch->event->pos;
	packing_add(
		p, &numbered, s->of.messages[i].key, of != NULL ? of->uid : 0, hook_type(ev));
}

static const struct member *
find_member(const struct slice *s, size_t i, int64_t uid)
{
	for (size_t k = s->first[i]; k < s->first[i + 1]; k++)
		if (s->members[k].uid == uid)
			return &s->members[k];
	return NULL;
}

static void
add_shown(struct packing *p, const struct slice *s, size_t i, struct event_things *t)
{
	for (size_t k = s->first[i]; k < s->first[i + 1]; k++) {
		const struct member *m = &s->members[k];
		struct event shown =
			committed_event(EVENT_CHANNEL_VISIBLE, &t->message, m->uid);

		if (m->uid == 0 || !committed_showed(s->of.batch, m))
			continue;
		t->state.me = *m;
		t->state.is_shared = false;
		add(p, s, i, &shown, t, m);
	}
	t->state.is_shared = true;
}

static void
add_joined(struct packing *p, const struct slice *s, size_t i, struct event_things *t)
{
	const struct member *m = find_member(s, i, s->of.batch->sender);
	struct event joined =
		committed_event(EVENT_MEMBER_ADDED, &t->message, t->message.author);

	if (m == NULL || !committed_joined(s->of.batch, &t->state.channel, m))
		return;
	t->member = *m;
	add(p, s, i, &joined, t, m);
}

static void
pack_message(struct packing *p, const struct slice *s, size_t i, const struct wanted *w)
{
	const struct message *m = &s->of.messages[i];
	struct event_things t = {.state = s->of.states[i], .message = *m, .watchers = -1};
	const struct channel *c = &t.state.channel;
	struct event made = committed_event(EVENT_CHANNEL_CREATED, m, c->creator);
	struct event sent = committed_event(EVENT_MESSAGE_NEW, m, m->author);

	t.state.members = s->members + s->first[i];
	t.state.nmembers = s->nshown[i];
	if (w->made && committed_made(s->of.batch, c))
		add(p, s, i, &made, &t, find_member(s, i, c->creator));
	if (w->joined)
		add_joined(p, s, i, &t);
	if (w->shown)
		add_shown(p, s, i, &t);
	if (w->sent)
		add(p, s, i, &sent, &t, find_member(s, i, m->author));
}

static bool
pack_slice(struct packing *p, const struct committed *c, const struct wanted *w, size_t first,
	size_t n, struct err *e)
{
	struct req *r = &p->req;
	struct slice s = {0};
	int64_t *keys = arena_array(r->arena, n + 1, sizeof(*keys));
	int64_t *nobody = arena_zalloc(r->arena, (n + 1) * sizeof(*nobody));
	size_t nkeys = 0;

	for (size_t i = first; i < first + n; i++)
		if (c->keys[i] != 0)
			keys[nkeys++] = c->keys[i];
	if (nkeys == 0)
		return true;
	if (!committed_load(r, c, keys, nobody, nkeys, &s.of, e) ||
		!load_members(r, &s, w->shown, e) || !load_people(r, &s, e))
		return false;
	for (size_t i = 0; i < s.of.n; i++)
		pack_message(p, &s, i, w);
	return arena_check(r->arena, e);
}

/* As many of ${n} as can be: memory may be too little for all, or one of them be at fault;
 * *done: how many that were. */
static bool
pack_some(struct packing *p, const struct committed *c, const struct wanted *w, size_t first,
	size_t n, size_t *done, struct err *e)
{
	struct arena *a = p->req.arena;

	for (*done = n;; *done /= 2) {
		struct arena_mark mark = arena_mark(a);
		size_t nparcels = p->n, bytes = p->parcels.n;
		bool ok = pack_slice(p, c, w, first, *done, e);

		arena_rewind(a, mark);
		if (ok || e->code == ERR_STORE || *done == 1)
			return ok;
		p->n = nparcels;
		p->parcels.n = bytes;
	}
}

bool
hook_batch(struct packing *p, const struct event *ev, int64_t *next_key, struct err *e)
{
	struct committed c;
	struct wanted w;
	size_t i, each;

	if (!committed_read(&p->req, ev, &c, e))
		return false;
	w = wanted_of(p, &c);
	each = (size_t)(w.sent + w.made + w.shown + w.joined);
	i = *next_key != 0 ? (size_t)(*next_key - ev->object) : 0;
	*next_key = 0;
	if (c.skips_webhook || each == 0)
		return true;
	for (size_t slices = 0; i < (size_t)c.n; slices++) {
		size_t room, n;

		if (p->n >= p->max || slices == SLICES) {
			*next_key = ev->object + (int64_t)i;
			return true;
		}
		room = MAX_OF((p->max - p->n) / each, (size_t)1);
		n = MIN_OF(MIN_OF(room, (size_t)SLICE), (size_t)c.n - i);
		if (!pack_some(p, &c, &w, i, n, &n, e) && !packing_pass_over(p, ev, e))
			return false;
		i += n;
	}
	return true;
}
