/* batch_seek – from recipients to ids, from ids to channels. */
#include "engine/batch_seek.h"

#include <stdlib.h>

#include "base/arena.h"
#include "domain/channel.h"
#include "domain/channel_place.h"
#include "engine/batch.h"
#include "engine/sending.h"

void
batch_seek_put_off(struct seek *k, const struct prepared *p, size_t i,
	const struct user *receiver, struct str id)
{
	struct arena *a = p->arena;
	struct sought *s;
	struct user *u;

	if (k->sought == NULL)
		k->sought = arena_array(a, p->n, sizeof(*k->sought));
	s = &k->sought[k->nsought++];
	*s = (struct sought){.i = i, .receiver = *receiver, .id = arena_dup(a, id)};
	u = &s->receiver;
	u->id = arena_dup(a, u->id);
	u->name = arena_dup(a, u->name);
	u->image = arena_dup(a, u->image);
	u->role = arena_dup(a, u->role);
	u->language = arena_dup(a, u->language);
	u->teams = arena_dup(a, u->teams);
	u->custom = arena_dup(a, u->custom);
}

static int
cmp_sought(const void *a, const void *b)
{
	const struct sought *x = *(struct sought *const *)a, *y = *(struct sought *const *)b;

	return str_cmp(x->id, y->id);
}

/* Every id once.  Sorted, so that all who store ids do so in one order: transactions that
 * want the same ones wait for each other, but never in a circle. */
static void
collect_targets(struct seek *k, struct arena *a)
{
	struct sought **sorted = arena_array(a, k->nsought, sizeof(struct sought *));

	for (size_t i = 0; i < k->nsought; i++)
		sorted[i] = &k->sought[i];
	qsort(sorted, k->nsought, sizeof(struct sought *), cmp_sought);
	k->targets = arena_array(a, k->nsought, sizeof(*k->targets));
	for (size_t i = 0; i < k->nsought; i++) {
		if (i == 0 || !str_eq(sorted[i]->id, sorted[i - 1]->id))
			k->targets[k->ntargets++] = (struct target){.id = sorted[i]->id};
		sorted[i]->target = &k->targets[k->ntargets - 1];
	}
}

static void
add_absent(struct absent *list, struct arena *a, size_t max, struct str id,
	const struct channel_place *place)
{
	if (list->ids == NULL) {
		list->ids = arena_array(a, max, sizeof(*list->ids));
		list->places = arena_array(a, max, sizeof(*list->places));
	}
	list->ids[list->n] = id;
	list->places[list->n++] = *place;
}

static struct spot
spot_of(const struct channel *c)
{
	return (struct spot){
		.no = c->no,
		.exists = true,
		.deleted = c->deleted_at != NO_TIME,
		.disabled = c->disabled,
		.team = c->team,
		.custom = c->custom,
		.origin = c->origin,
	};
}

/* What is to be made: on the number that follows from its id, or on one of its own. */
static bool
place_absent(struct seek *k, struct db *db, struct channel_homes *homes, struct prepared *p,
	const struct channel_place *places, struct err *e)
{
	size_t n = k->ntargets;
	int64_t home;

	for (size_t t = 0; t < n; t++) {
		struct target *target = &k->targets[t];

		if (target->spot.exists)
			continue;
		target->is_stored = places[t].nnos == 0;
		target->shadows = places[t].shadows;
		target->spot.no = places[t].nos[0];
		add_absent(target->is_stored ? &p->to_store : &p->to_derive, p->arena, n,
			target->id, &places[t]);
	}
	if (p->to_store.n == 0)
		return true;
	if (!channel_homes_take(homes, db, (int64_t)p->to_store.n, &home, e))
		return false;
	for (size_t t = 0; t < n; t++)
		if (k->targets[t].is_stored)
			k->targets[t].spot.no = CHANNEL_NO(home++, 0);
	return true;
}

bool
batch_seek_find(struct seek *k, struct db *db, struct channel_homes *homes, struct prepared *p,
	struct err *e)
{
	struct str type = p->sending->content.channel_type;
	struct arena *a = p->arena;
	struct channel_place *places;
	struct channel *found;
	struct str *ids;

	collect_targets(k, a);
	ids = arena_array(a, k->ntargets, sizeof(*ids));
	found = arena_array(a, k->ntargets, sizeof(*found));
	places = arena_array(a, k->ntargets, sizeof(*places));
	for (size_t t = 0; t < k->ntargets; t++)
		ids[t] = k->targets[t].id;
	if (!channel_find_many(db, a, type, ids, k->ntargets, found, places, e))
		return false;
	for (size_t t = 0; t < k->ntargets; t++)
		if (found[t].no != 0)
			k->targets[t].spot = spot_of(&found[t]);
	return place_absent(k, db, homes, p, places, e);
}

void
batch_seek_list(const struct seek *k, struct prepared *p)
{
	struct str type = p->sending->content.channel_type;
	struct new_channels *list = &p->stored;

	p->shadows = arena_array(p->arena, k->ntargets, sizeof(*p->shadows));
	for (size_t t = 0; t < k->ntargets; t++) {
		const struct target *target = &k->targets[t];

		if (!target->is_stored || !target->is_made)
			continue;
		list->no[list->n] = target->spot.no;
		list->maker[list->n] = target->maker;
		list->cid[list->n++] = channel_cid(p->arena, type, target->id);
		if (target->shadows != 0)
			p->shadows[p->nshadows++] = target->shadows;
	}
	p->nshadows = form_sort_uids(p->shadows, p->nshadows);
}
