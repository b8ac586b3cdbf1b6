/* test_intmap – against a plain array, through growing, colliding and shrinking. */
#include "../unit.h"
#include "base/intmap.h"

#define KEYS 3000

static void
test_empty(void **state)
{
	struct intmap m = {0};
	size_t at = 0;

	(void)state;
	assert_null(intmap_get(&m, 1));
	assert_null(intmap_remove(&m, 1));
	assert_null(intmap_next(&m, &at));
	intmap_fini(&m);
}

static void
test_replace(void **state)
{
	struct intmap m = {0};
	int a, b;

	(void)state;
	intmap_set(&m, INT64_MIN, &a);
	intmap_set(&m, INT64_MIN, &b);
	assert_int_equal(m.n, 1);
	assert_ptr_equal(intmap_remove(&m, INT64_MIN), &b);
	assert_int_equal(m.cap, 0);
}

/* Keys as they come: consecutive, and numbers of channels, whose low bits are all alike. */
static void
check_against_array(int64_t scale)
{
	static char values[KEYS];
	bool in[KEYS] = {false};
	struct intmap m = {0};
	unsigned random = 1;
	size_t n = 0;
	int64_t walked;

	for (int step = 0; step < 40 * KEYS; step++) {
		size_t i = (random = random * 1103515245 + 12345) / 65536 % KEYS;
		/* It fills in the first half and empties in the second. */
		bool set = (random / 65536 % 10 < 7) == (step < 20 * KEYS);
		int64_t key = (int64_t)i * scale - KEYS;

		assert_ptr_equal(intmap_get(&m, key), in[i] ? &values[i] : NULL);
		if (set)
			intmap_set(&m, key, &values[i]);
		else
			assert_ptr_equal(intmap_remove(&m, key), in[i] ? &values[i] : NULL);
		n += (size_t)set - (size_t)in[i];
		in[i] = set;
		assert_int_equal(m.n, n);
	}
	for (size_t i = 0; i < KEYS; i++)
		assert_ptr_equal(
			intmap_get(&m, (int64_t)i * scale - KEYS), in[i] ? &values[i] : NULL);
	for (size_t at = 0; intmap_next(&m, &at) != NULL;)
		n--;
	assert_int_equal(n, 0);
	for (size_t at = 0; intmap_next_key(&m, &at, &walked); n++)
		assert_true(in[(walked + KEYS) / scale]);
	assert_int_equal(n, m.n);
	assert_true(m.cap <= 8 * m.n || m.n == 0);
	intmap_fini(&m);
}

static void
test_consecutive(void **state)
{
	(void)state;
	check_against_array(1);
}

static void
test_shifted(void **state)
{
	(void)state;
	check_against_array(4096);
	check_against_array(INT64_C(1) << 40);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_consecutive),
		cmocka_unit_test(test_shifted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
