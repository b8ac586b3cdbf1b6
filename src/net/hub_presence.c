/* hub_presence – who is there, and who came and went. */
#include <stdlib.h>

#include "base/log.h"
#include "net/hub_impl.h"

static int
cmp_ints(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Few users in many uids: each user is looked for; the lock is held. */
static size_t
search_users(struct hub *h, const int64_t *uids, size_t n, int64_t *out)
{
	struct person *p;
	size_t nout = 0;

	for (size_t at = 0; (p = intmap_next(&h->list.people, &at)) != NULL;)
		if (bsearch(&p->uid, uids, n, sizeof(*uids), cmp_ints) != NULL)
			out[nout++] = p->uid;
	qsort(out, nout, sizeof(*out), cmp_ints);
	return nout;
}

size_t
hub_online(struct hub *h, const int64_t *uids, size_t n, int64_t *out)
{
	size_t nout = 0;

	if (n == 0 || atomic_load(&h->list.nconns) == 0)
		return 0;
	pthread_mutex_lock(&h->lock);
	if (h->list.people.n < n / 8)
		nout = search_users(h, uids, n, out);
	else
		for (size_t i = 0; i < n; i++)
			if (list_of_user(&h->list, uids[i]) != NULL)
				out[nout++] = uids[i];
	pthread_mutex_unlock(&h->lock);
	return nout;
}

void
hub_moved(struct hub *h, bool moved)
{
	if (moved && h->opts.on_move != NULL)
		h->opts.on_move(h->opts.arg);
}

void
hub_note_all(struct hub *h, bool yes)
{
	pthread_mutex_lock(&h->lock);
	h->list.notes_all = yes;
	pthread_mutex_unlock(&h->lock);
}

size_t
hub_moves(struct hub *h, struct hub_move **out)
{
	struct hub_list *l = &h->list;
	struct hub_move *moves = NULL;
	int64_t uid;
	size_t n;

	pthread_mutex_lock(&h->lock);
	n = l->moved.n;
	if (n > 0 && (moves = malloc(n * sizeof(*moves))) == NULL)
		panic("hub: out of memory");
	for (size_t i = 0, at = 0; i < n && intmap_next_key(&l->moved, &at, &uid); i++)
		moves[i] = (struct hub_move){
			.uid = uid,
			.is_here = list_of_user(l, uid) != NULL,
			.is_watched = intmap_get(&l->rooms, HUB_ROOM_OF_USER(uid)) != NULL,
		};
	intmap_fini(&l->moved);
	pthread_mutex_unlock(&h->lock);
	*out = moves;
	return n;
}
