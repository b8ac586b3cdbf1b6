/* hub_list – who is connected and watches what: users to connections, channels to watches. */
#include <stdlib.h>

#include "base/log.h"
#include "net/hub_impl.h"

static void *
allocate(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL)
		panic("hub: out of memory");
	return p;
}

/* ---- watches ----------------------------------------------------------------------- */

static bool
is_of_user(int64_t channel)
{
	return channel < INT64_MIN / 2;
}

static struct watch_line *
line_of(struct hub_conn *c, int64_t channel)
{
	return is_of_user(channel) ? &c->users : &c->channels;
}

static int64_t *
counter_of(struct hub_list *l, int64_t channel)
{
	return is_of_user(channel) ? &l->nuser_watches : &l->nwatches;
}

static void
end_watch(struct hub_list *l, struct watch *w)
{
	struct hub_conn *c = w->conn;
	struct room *room = w->room;
	struct watch_line *line = line_of(c, room->channel);

	*(w->prev ? &w->prev->next : &room->first) = w->next;
	if (w->next)
		w->next->prev = w->prev;
	*(w->older ? &w->older->newer : &line->oldest) = w->newer;
	*(w->newer ? &w->newer->older : &line->newest) = w->older;
	line->n--;
	intmap_remove(&c->watches, room->channel);
	--*counter_of(l, room->channel);
	if (--room->n == 0) {
		intmap_remove(&l->rooms, room->channel);
		free(room);
	}
	free(w);
}

static void
end_line(struct hub_list *l, struct watch_line *line)
{
	for (struct watch *w = line->oldest, *next; w != NULL; w = next) {
		next = w->newer;
		end_watch(l, w);
	}
}

static struct room *
room_of(struct hub_list *l, int64_t channel)
{
	struct room *room = intmap_get(&l->rooms, channel);

	if (room == NULL) {
		room = allocate(sizeof(*room));
		room->channel = channel;
		intmap_set(&l->rooms, channel, room);
	}
	return room;
}

void
list_watch(struct hub_list *l, struct hub_conn *c, int64_t channel)
{
	struct watch_line *line = line_of(c, channel);
	struct watch *w;

	if (intmap_get(&c->watches, channel) != NULL)
		return;
	if (line->n == HUB_WATCH_MAX)
		end_watch(l, line->oldest);
	w = allocate(sizeof(*w));
	*w = (struct watch){.conn = c, .room = room_of(l, channel), .older = line->newest};
	*(line->newest ? &line->newest->newer : &line->oldest) = w;
	line->newest = w;
	line->n++;
	w->next = w->room->first;
	if (w->next)
		w->next->prev = w;
	w->room->first = w;
	w->room->n++;
	++*counter_of(l, channel);
	intmap_set(&c->watches, channel, w);
}

void
list_unwatch(struct hub_list *l, struct hub_conn *c, int64_t channel)
{
	struct watch *w = intmap_get(&c->watches, channel);

	if (w != NULL)
		end_watch(l, w);
}

void
list_unwatch_all(struct hub_list *l, int64_t channel)
{
	struct room *room = intmap_get(&l->rooms, channel);

	for (struct watch *w = room ? room->first : NULL, *next; w != NULL; w = next) {
		next = w->next;
		end_watch(l, w);
	}
}

/* ---- connections ------------------------------------------------------------------- */

struct hub_conn *
list_of_user(struct hub_list *l, int64_t uid)
{
	struct person *p = uid == 0 ? NULL : intmap_get(&l->people, uid);

	return p ? p->first : NULL;
}

struct hub_conn *
list_find(struct hub_list *l, int64_t uid, struct str id)
{
	struct hub_conn *c = list_of_user(l, uid);

	while (c != NULL && !str_eq(id, (struct str){c->id, HUB_ID_LEN}))
		c = c->next;
	return c;
}

/* For nobody who asks it costs this look. */
static bool
note_move(struct hub_list *l, int64_t uid)
{
	static char moved;

	if (!l->notes_all &&
		(l->nuser_watches == 0 || !intmap_get(&l->rooms, HUB_ROOM_OF_USER(uid))))
		return false;
	intmap_set(&l->moved, uid, &moved);
	return true;
}

bool
list_add(struct hub_list *l, struct hub_conn *c)
{
	struct hub_conn **first = &l->strangers;
	bool moved = false;

	if (c->uid != 0) {
		c->person = intmap_get(&l->people, c->uid);
		if (c->person == NULL) {
			c->person = allocate(sizeof(*c->person));
			c->person->uid = c->uid;
			intmap_set(&l->people, c->uid, c->person);
			moved = note_move(l, c->uid);
		}
		c->person->n++;
		first = &c->person->first;
	}
	c->next = *first;
	if (c->next)
		c->next->prev = c;
	*first = c;
	c->is_listed = true;
	count_one(&l->nconns);
	return moved;
}

bool
list_remove(struct hub_list *l, struct hub_conn *c)
{
	struct person *p = c->person;
	bool moved = false;

	if (!c->is_listed)
		return false;
	end_line(l, &c->channels);
	end_line(l, &c->users);
	*(c->prev ? &c->prev->next : p ? &p->first : &l->strangers) = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->prev = c->next = NULL;
	c->person = NULL;
	c->is_listed = false;
	atomic_fetch_sub(&l->nconns, 1);
	if (p != NULL && --p->n == 0) {
		intmap_remove(&l->people, p->uid);
		moved = note_move(l, p->uid);
		free(p);
	}
	return moved;
}

/* Nobody is in it any more. */
void
list_fini(struct hub_list *l)
{
	intmap_fini(&l->people);
	intmap_fini(&l->rooms);
	intmap_fini(&l->moved);
}
