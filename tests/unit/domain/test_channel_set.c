/* test_channel_set – the set against a sorted list of numbers. */
#include "../unit.h"
#include "domain/channel.h"
#include "domain/channel_set.h"

#define MAX 60000

struct model {
	int64_t nos[MAX];
	size_t n;
};

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The walk gives what was added, in order, each once; has() agrees. */
static void
check(struct channel_set *set, struct model *m)
{
	struct channel_walk walk;
	size_t kept = 0;

	qsort(m->nos, m->n, sizeof(int64_t), compare);
	for (size_t i = 0; i < m->n; i++)
		if (i == 0 || m->nos[i] != m->nos[i - 1])
			m->nos[kept++] = m->nos[i];
	assert_int_equal(set->n, kept);
	channel_walk_init(&walk, set);
	for (size_t i = 0; i < kept; i++) {
		assert_int_equal(channel_walk_next(&walk), m->nos[i]);
		assert_true(channel_set_has(set, m->nos[i]));
		if (i + 1 == kept || m->nos[i + 1] != m->nos[i] + 1)
			assert_false(channel_set_has(set, m->nos[i] + 1));
	}
	assert_int_equal(channel_walk_next(&walk), -1);
	assert_int_equal(channel_walk_next(&walk), -1);
	channel_walk_fini(&walk);
}

static void
add(struct channel_set *set, struct model *m, int64_t home, int64_t form)
{
	channel_set_add(set, CHANNEL_NO(home, form));
	m->nos[m->n++] = CHANNEL_NO(home, form);
}

static void
empty(void **state)
{
	struct channel_set set;
	struct model m = {.n = 0};

	(void)state;
	channel_set_init(&set);
	assert_false(channel_set_has(&set, CHANNEL_NO(1, 1)));
	assert_false(channel_set_has(&set, 0));
	check(&set, &m);
	channel_set_fini(&set);
}

/* ${n} random numbers out of so many homes and forms, then so many in order. */
static void
fill(int64_t homes, int64_t forms, size_t n)
{
	struct model *m = calloc(1, sizeof(*m));
	struct channel_set set;

	srandom(7);
	channel_set_init(&set);
	for (size_t i = 0; i < n; i++)
		add(&set, m, 1 + random() % homes, random() % forms);
	check(&set, m);
	for (size_t i = 0; i < n; i++)
		add(&set, m, 1 + (int64_t)i, forms - 1);
	check(&set, m);
	channel_set_fini(&set);
	free(m);
}

static void
lists(void **state)
{
	(void)state;
	fill(1000000, 3, 900);
	fill(100000000, 4096, 3000);
}

/* Chunks turn from lists into bits at 2,048 homes, in any order of adding. */
static void
bits(void **state)
{
	(void)state;
	fill(32768, 1, 2047);
	fill(32768, 1, 2048);
	fill(32768, 1, 2049);
	fill(40000, 4, 25000);
	fill(66000, 2, 29000);
}

static void
edges(void **state)
{
	const int64_t homes[] = {0, 1, 63, 64, 32767, 32768, 65535, 65536, INT64_C(1) << 32};
	struct channel_set set;
	struct model m = {.n = 0};

	(void)state;
	channel_set_init(&set);
	for (size_t i = 0; i < ARRAY_LEN(homes); i++) {
		add(&set, &m, homes[i], FORM_MAX);
		if (homes[i] > 0)
			add(&set, &m, homes[i], 0);
	}
	check(&set, &m);
	channel_set_fini(&set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(lists),
		cmocka_unit_test(bits),
		cmocka_unit_test(edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
