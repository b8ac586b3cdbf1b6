/* intmap – linear probing, entries moved back on removal so that no tombstones gather. */
#include "base/intmap.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"

#define CAP_MIN 8

/* Keys are mostly consecutive numbers, some shifted left: all their bits must count. */
static size_t
home_of(const struct intmap *m, int64_t key)
{
	uint64_t x = (uint64_t)key;

	x = (x ^ x >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(x ^ x >> 29) & (m->cap - 1);
}

/* The slot of the key, or the free one where it would go. */
static size_t
find(const struct intmap *m, int64_t key)
{
	size_t i = home_of(m, key);

	while (m->slots[i].value != NULL && m->slots[i].key != key)
		i = (i + 1) & (m->cap - 1);
	return i;
}

static void
resize(struct intmap *m, size_t cap)
{
	struct intmap old = *m;

	m->cap = cap;
	m->slots = calloc(cap, sizeof(*m->slots));
	if (m->slots == NULL)
		panic("intmap: no memory for %zu slots", cap);
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].value != NULL)
			m->slots[find(m, old.slots[i].key)] = old.slots[i];
	free(old.slots);
}

void
intmap_fini(struct intmap *m)
{
	free(m->slots);
	*m = (struct intmap){0};
}

void *
intmap_get(const struct intmap *m, int64_t key)
{
	return m->cap == 0 ? NULL : m->slots[find(m, key)].value;
}

void
intmap_set(struct intmap *m, int64_t key, void *value)
{
	size_t i;

	assert(value != NULL);
	if (4 * (m->n + 1) > 3 * m->cap)
		resize(m, m->cap == 0 ? CAP_MIN : 2 * m->cap);
	i = find(m, key);
	m->n += m->slots[i].value == NULL;
	m->slots[i] = (struct intmap_slot){key, value};
}

void *
intmap_remove(struct intmap *m, int64_t key)
{
	size_t mask = m->cap - 1, hole, i;
	void *value;

	if (m->cap == 0)
		return NULL;
	hole = find(m, key);
	value = m->slots[hole].value;
	if (value == NULL)
		return NULL;
	for (i = (hole + 1) & mask; m->slots[i].value != NULL; i = (i + 1) & mask) {
		size_t home = home_of(m, m->slots[i].key);

		/* It may move back only as far as where it belongs. */
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole].value = NULL;
	if (--m->n == 0)
		intmap_fini(m);
	else if (m->cap > CAP_MIN && 8 * m->n < m->cap)
		resize(m, m->cap / 2);
	return value;
}

bool
intmap_next_key(const struct intmap *m, size_t *at, int64_t *key)
{
	for (; *at < m->cap; ++*at)
		if (m->slots[*at].value != NULL) {
			*key = m->slots[(*at)++].key;
			return true;
		}
	return false;
}

void *
intmap_next(const struct intmap *m, size_t *at)
{
	int64_t key;

	return intmap_next_key(m, at, &key) ? m->slots[*at - 1].value : NULL;
}
