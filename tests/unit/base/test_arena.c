/* test_arena – alignment, growth, the order of cleanups, rewinding. */
#include "base/arena.h"
#include "support.h"

struct trace {
	int order[8];
	size_t n;
};

struct step {
	struct trace *trace;
	int number;
};

static void
record(void *arg)
{
	struct step *s = arg;

	s->trace->order[s->trace->n++] = s->number;
}

static void
memory_is_aligned_and_apart(void **state)
{
	struct {
		unsigned char *p;
		size_t n;
	} got[200];
	struct arena a;
	uint64_t seed = 1;

	(void)state;
	arena_init(&a, 512, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(got); i++) {
		got[i].n = random_below(&seed, 300);
		got[i].p = arena_alloc(&a, got[i].n);
		assert_non_null(got[i].p);
		assert_int_equal((uintptr_t)got[i].p % 16, 0);
		memset(got[i].p, (int)i, got[i].n);
	}
	for (size_t i = 0; i < ARRAY_LEN(got); i++)
		for (size_t k = 0; k < got[i].n; k++)
			assert_int_equal(got[i].p[k], (unsigned char)i);
	arena_fini(&a);
}

static void
zalloc_clears_memory_used_before(void **state)
{
	struct arena a;
	unsigned char *p;

	(void)state;
	arena_init(&a, 1024, 1024);
	memset(arena_alloc(&a, 256), 0xff, 256);
	arena_reset(&a);
	p = arena_zalloc(&a, 256);
	for (size_t i = 0; i < 256; i++)
		assert_int_equal(p[i], 0);
	arena_fini(&a);
}

static void
one_large_allocation_fits(void **state)
{
	struct arena a;
	char *p;

	(void)state;
	arena_init(&a, 64, 1 << 20);
	p = arena_alloc(&a, (size_t)10 << 20);
	p[0] = p[((size_t)10 << 20) - 1] = 'x';
	assert_true(arena_overflowed(&a));
	arena_reset(&a);
	assert_false(arena_overflowed(&a));
	arena_fini(&a);
}

static void
overflow_is_told_above_the_cap_only(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 64, 160);
	arena_alloc(&a, 160);
	assert_false(arena_overflowed(&a));
	arena_alloc(&a, 1);
	assert_true(arena_overflowed(&a));
	arena_fini(&a);
}

static void
copies_end_in_nul(void **state)
{
	struct arena a;
	struct str s;

	(void)state;
	arena_init(&a, 64, 1024);
	s = arena_dup(&a, STR("spring sale"));
	assert_str(s, "spring sale");
	assert_int_equal(s.p[s.n], '\0');
	s = arena_dup(&a, STR(""));
	assert_non_null(s.p);
	assert_int_equal(s.n, 0);
	assert_null(arena_dup(&a, STR_NONE).p);
	s = arena_printf(&a, "%d of %s", 7, "ten");
	assert_str(s, "7 of ten");
	assert_int_equal(s.p[s.n], '\0');
	s = arena_printf(&a, "%05000d", 1);
	assert_int_equal(s.n, 5000);
	arena_fini(&a);
}

static void
cleanups_run_newest_first(void **state)
{
	struct trace t = {.n = 0};
	struct step steps[] = {{&t, 1}, {&t, 2}, {&t, 3}};
	struct arena a;

	(void)state;
	arena_init(&a, 64, 1024);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		arena_defer(&a, record, &steps[i]);
	assert_int_equal(t.n, 0);
	arena_reset(&a);
	assert_int_equal(t.n, 3);
	assert_int_equal(t.order[0], 3);
	assert_int_equal(t.order[2], 1);
	arena_reset(&a);
	assert_int_equal(t.n, 3);
	arena_defer(&a, record, &steps[0]);
	arena_fini(&a);
	assert_int_equal(t.n, 4);
}

static void
rewinding_gives_back_what_came_after_the_mark(void **state)
{
	struct trace t = {.n = 0};
	struct step before = {&t, 1}, after = {&t, 2};
	struct arena_mark m;
	struct arena a;
	char *kept;
	size_t used;

	(void)state;
	arena_init(&a, 256, 1 << 20);
	kept = arena_alloc(&a, 6);
	memcpy(kept, "stays", 6);
	arena_defer(&a, record, &before);
	m = arena_mark(&a);
	used = a.used;
	for (int round = 0; round < 100; round++) {
		t.n = 0;
		arena_defer(&a, record, &after);
		for (size_t i = 0; i < 50; i++)
			memset(arena_alloc(&a, 100), 0xee, 100);
		arena_rewind(&a, m);
		assert_int_equal(t.n, 1);
		assert_int_equal(t.order[0], 2);
		assert_int_equal(a.used, used);
	}
	assert_string_equal(kept, "stays");
	arena_fini(&a);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.order[1], 1);
}

static void
only_the_newest_allocation_extends(void **state)
{
	struct arena a;
	char *older, *newest;

	(void)state;
	arena_init(&a, 4096, 1 << 20);
	older = arena_alloc(&a, 100);
	newest = arena_alloc(&a, 100);
	memset(newest, 'n', 100);
	assert_false(arena_extend(&a, older, 100, 200));
	assert_false(arena_extend(&a, newest, 100, 1 << 20));
	if (arena_extend(&a, newest, 100, 1000)) {
		char *next = arena_alloc(&a, 16);

		assert_true(next >= newest + 1000);
		assert_int_equal(newest[99], 'n');
		assert_int_equal(a.used, 112 + 1008 + 16);
	}
	arena_fini(&a);
}

static void
fini_is_legal_twice(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 64, 64);
	arena_fini(&a);
	arena_fini(&a);
}

static void
ask_for_an_impossible_array(void)
{
	struct arena a;

	arena_init(&a, 64, 64);
	arena_array(&a, SIZE_MAX / 4, 8);
}

static void
ask_for_impossible_bytes(void)
{
	struct arena a;

	arena_init(&a, 64, 64);
	arena_alloc(&a, SIZE_MAX - 3);
}

static void
sizes_are_checked(void **state)
{
	struct arena a;

	(void)state;
	assert_true(dies(ask_for_an_impossible_array));
	assert_true(dies(ask_for_impossible_bytes));
	arena_init(&a, 64, 64);
	assert_non_null(arena_array(&a, 0, 8));
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_aligned_and_apart),
		cmocka_unit_test(zalloc_clears_memory_used_before),
		cmocka_unit_test(one_large_allocation_fits),
		cmocka_unit_test(overflow_is_told_above_the_cap_only),
		cmocka_unit_test(copies_end_in_nul),
		cmocka_unit_test(cleanups_run_newest_first),
		cmocka_unit_test(rewinding_gives_back_what_came_after_the_mark),
		cmocka_unit_test(only_the_newest_allocation_extends),
		cmocka_unit_test(fini_is_legal_twice),
		cmocka_unit_test(sizes_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
