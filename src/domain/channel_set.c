/* channel_set – a set of channel numbers in memory. */
#include "domain/channel_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "domain/channel.h"

#define CHUNK_BITS 15
#define CHUNK      (1 << CHUNK_BITS) /* homes */
#define WORDS      (CHUNK / 64)
#define LIST_MAX   (WORDS * 4) /* offsets; as many take the space of the bits */

struct chunk {
	union {
		uint16_t *list; /* sorted */
		uint64_t *bits;
	};
	uint16_t n, cap; /* of the list */
	bool has_bits;
};

struct channel_form {
	struct chunk *chunks;
	size_t nchunks;
};

static void *
must_have(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

/* ---- one chunk ------------------------------------------------------------------------- */

/* Where the offset is in the list, or belongs. */
static size_t
place_of(const struct chunk *c, unsigned at)
{
	size_t lo = 0, hi = c->n;

	if (hi > 0 && c->list[hi - 1] < at)
		return hi; /* most come in order */
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c->list[mid] < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
turn_into_bits(struct chunk *c)
{
	uint64_t *bits = must_have(calloc(WORDS, sizeof(*bits)));

	for (size_t i = 0; i < c->n; i++)
		bits[c->list[i] / 64] |= (uint64_t)1 << (c->list[i] % 64);
	free(c->list);
	c->bits = bits;
	c->has_bits = true;
}

/* False when it was there. */
static bool
chunk_add(struct chunk *c, unsigned at)
{
	uint64_t bit = (uint64_t)1 << (at % 64);
	size_t place;

	if (!c->has_bits) {
		place = place_of(c, at);
		if (place < c->n && c->list[place] == at)
			return false;
		if (c->n < LIST_MAX) {
			if (c->n == c->cap) {
				c->cap = (uint16_t)MAX_OF(8, 2 * c->cap);
				c->list =
					must_have(realloc(c->list, c->cap * sizeof(*c->list)));
			}
			memmove(c->list + place + 1, c->list + place,
				(c->n++ - place) * sizeof(*c->list));
			c->list[place] = (uint16_t)at;
			return true;
		}
		turn_into_bits(c);
	}
	if ((c->bits[at / 64] & bit) != 0)
		return false;
	c->bits[at / 64] |= bit;
	return true;
}

/* The next offset >= ${from}, or −1. */
static int
chunk_next(const struct chunk *c, unsigned from)
{
	uint64_t mask = ~(((uint64_t)1 << (from % 64)) - 1);
	size_t place;

	if (!c->has_bits) {
		place = place_of(c, from);
		return place < c->n ? c->list[place] : -1;
	}
	for (size_t w = from / 64; w < WORDS; w++, mask = ~(uint64_t)0)
		if ((c->bits[w] & mask) != 0)
			return (int)(w * 64) + __builtin_ctzll(c->bits[w] & mask);
	return -1;
}

/* ---- the set --------------------------------------------------------------------------- */

static struct chunk *
chunk_for(struct channel_form *h, size_t no)
{
	size_t n = MAX_OF(no + 1, 2 * h->nchunks);

	assert(n > no); /* homes are far fewer than bytes */
	if (no >= h->nchunks) {
		h->chunks = must_have(realloc(h->chunks, n * sizeof(*h->chunks)));
		memset(h->chunks + h->nchunks, 0, (n - h->nchunks) * sizeof(*h->chunks));
		h->nchunks = n;
	}
	return &h->chunks[no];
}

/* The next home >= ${from} of the form, or −1. */
static int64_t
next_home(const struct channel_form *h, int64_t from)
{
	unsigned at = (unsigned)(from & (CHUNK - 1));

	for (size_t i = (size_t)(from >> CHUNK_BITS); i < h->nchunks; i++, at = 0) {
		int hit = chunk_next(&h->chunks[i], at);

		if (hit >= 0)
			return (int64_t)i << CHUNK_BITS | hit;
	}
	return -1;
}

void
channel_set_init(struct channel_set *s)
{
	*s = (struct channel_set){0};
}

void
channel_set_fini(struct channel_set *s)
{
	for (size_t f = 0; s->forms != NULL && f <= FORM_MAX; f++) {
		for (size_t i = 0; i < s->forms[f].nchunks; i++)
			free(s->forms[f].chunks[i].bits);
		free(s->forms[f].chunks);
	}
	free(s->forms);
	*s = (struct channel_set){0};
}

void
channel_set_add(struct channel_set *s, int64_t no)
{
	int64_t home = CHANNEL_HOME(no);

	assert(no >= 0);
	if (s->forms == NULL)
		s->forms = must_have(calloc(FORM_MAX + 1, sizeof(*s->forms)));
	s->n += chunk_add(chunk_for(&s->forms[CHANNEL_FORM(no)], (size_t)(home >> CHUNK_BITS)),
		(unsigned)(home & (CHUNK - 1)));
}

bool
channel_set_has(const struct channel_set *s, int64_t no)
{
	int64_t home = CHANNEL_HOME(no);

	return no > 0 && s->forms != NULL &&
	       next_home(&s->forms[CHANNEL_FORM(no)], home) == home;
}

/* ---- walking ---------------------------------------------------------------------------- */

/* Moves the number in front down to where it belongs. */
static void
sink(struct channel_walk *w, size_t i)
{
	for (;;) {
		size_t least = i;
		int64_t swap = w->heap[i];

		for (size_t kid = 2 * i + 1; kid <= 2 * i + 2 && kid < w->n; kid++)
			if (w->heap[kid] < w->heap[least])
				least = kid;
		if (least == i)
			return;
		w->heap[i] = w->heap[least];
		w->heap[least] = swap;
		i = least;
	}
}

/* The number that follows in the form, or −1. */
static int64_t
next_of_form(const struct channel_set *s, int64_t form, int64_t from_home)
{
	int64_t home = next_home(&s->forms[form], from_home);

	return home < 0 ? -1 : CHANNEL_NO(home, form);
}

void
channel_walk_init(struct channel_walk *w, const struct channel_set *s)
{
	*w = (struct channel_walk){.set = s};
	if (s->forms == NULL)
		return;
	w->heap = must_have(malloc((FORM_MAX + 1) * sizeof(*w->heap)));
	for (int64_t form = 0; form <= FORM_MAX; form++) {
		int64_t no = next_of_form(s, form, 0);

		if (no >= 0)
			w->heap[w->n++] = no;
	}
	for (size_t i = w->n / 2; i-- > 0;)
		sink(w, i);
}

void
channel_walk_fini(struct channel_walk *w)
{
	free(w->heap);
	*w = (struct channel_walk){0};
}

int64_t
channel_walk_next(struct channel_walk *w)
{
	int64_t no, follows;

	if (w->n == 0)
		return -1;
	no = w->heap[0];
	follows = next_of_form(w->set, CHANNEL_FORM(no), CHANNEL_HOME(no) + 1);
	w->heap[0] = follows >= 0 ? follows : w->heap[--w->n];
	sink(w, 0);
	return no;
}
