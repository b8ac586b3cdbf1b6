/* test_pack – what is packed unpacks, is small, and damage is noticed. */
#include <stdlib.h>

#include "base/pack.h"
#include "support.h"

#define MOST 4096

/* Packs and unpacks; returns the size of the blob. */
static size_t
round_trip(const int64_t *keys, size_t n)
{
	/* Sized exactly, so that AddressSanitizer sees a write behind the end. */
	int64_t *back = malloc(n * sizeof(*back) + 1);
	struct buf b;
	size_t size;

	assert_non_null(back);
	buf_init(&b, NULL, 0);
	buf_str(&b, STR("before"));
	pack_keys(&b, keys, n);
	assert_true(pack_keys_read(str_sub(buf_view(&b), 6, b.n - 6), back, n));
	for (size_t i = 0; i < n; i++)
		assert_true(back[i] == keys[i]);
	size = b.n - 6;
	buf_free(&b);
	free(back);
	return size;
}

static void
edges_round_trip(void **state)
{
	static const int64_t ends[] = {0, INT64_MAX};
	static const int64_t last_two[] = {INT64_MAX - 1, INT64_MAX};
	static const int64_t touching[] = {0, 1, 2, 4, 5, 7};

	(void)state;
	assert_int_equal(round_trip(NULL, 0), 1);
	assert_int_equal(round_trip(&ends[0], 1), 2);
	round_trip(&ends[1], 1);
	round_trip(ends, 2);
	round_trip(last_two, 2);
	round_trip(touching, ARRAY_LEN(touching));
}

static void
dense_keys_take_a_few_bytes(void **state)
{
	int64_t keys[MOST];

	(void)state;
	for (size_t i = 0; i < MOST; i++)
		keys[i] = 123456789 + (int64_t)i;
	assert_true(round_trip(keys, MOST) <= 8);
	for (size_t i = MOST / 2; i < MOST; i++)
		keys[i] += 1000;
	assert_true(round_trip(keys, MOST) <= 12);
}

static void
near_keys_take_a_byte_each(void **state)
{
	int64_t keys[MOST];
	uint64_t seed = 9;

	(void)state;
	keys[0] = 1000000;
	for (size_t i = 1; i < MOST; i++)
		keys[i] = keys[i - 1] + 2 + (int64_t)random_below(&seed, 100);
	assert_true(round_trip(keys, MOST) <= MOST + 3);
}

static size_t
random_keys(uint64_t *seed, int64_t *keys)
{
	size_t n = random_below(seed, 300);
	unsigned width = (unsigned)random_below(seed, 50);
	size_t chance = 1 + random_below(seed, 20);
	int64_t last = -1;

	for (size_t i = 0; i < n; i++) {
		if (random_below(seed, chance) == 0)
			last += (int64_t)(next_random(seed) & ((UINT64_C(1) << width) - 1));
		keys[i] = ++last;
	}
	return n;
}

static void
random_keys_round_trip(void **state)
{
	int64_t keys[300];
	uint64_t seed = 10;

	(void)state;
	for (int round = 0; round < 3000; round++)
		round_trip(keys, random_keys(&seed, keys));
}

/* Whatever the damage: false, or keys that are in order; never a crash. */
static void
damaged_keys_are_noticed(void **state)
{
	int64_t keys[300], back[300];
	uint64_t seed = 11;
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 0);
	for (int round = 0; round < 20000; round++) {
		size_t n = random_keys(&seed, keys);
		char *copy;

		b.n = 0;
		pack_keys(&b, keys, n);
		assert_false(pack_keys_read(buf_view(&b), back, n + 1 > 300 ? n - 1 : n + 1));
		copy = malloc(b.n);
		assert_non_null(copy);
		memcpy(copy, b.p, b.n);
		assert_false(pack_keys_read((struct str){copy, b.n - 1}, back, n));
		copy[random_below(&seed, b.n)] = (char)next_random(&seed);
		if (pack_keys_read((struct str){copy, b.n}, back, n))
			for (size_t i = 0; i < n; i++)
				assert_true(back[i] >= 0 && (i == 0 || back[i] > back[i - 1]));
		free(copy);
	}
	buf_free(&b);
}

static void
handmade_nonsense_is_refused(void **state)
{
	static const struct {
		struct str blob;
		size_t n;
	} cases[] = {
		{{NULL, 0}, 0}, {{"\x00", 1}, 0}, {{"\x05\x01", 2}, 1}, {{"\x01", 1}, 1},
		{{"\x01\x01\x01", 3}, 1}, {{"\x01\x80", 2}, 1},
		{{"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, 1}, /* above INT64_MAX */
		{{"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11}, 1}, /* above 64 bits */
		{{"\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 12}, 1},
		{{"\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00", 11},
			2},               /* the sum overflows */
		{{"\x02\x00\x02", 3}, 2}, /* run longer than n */
		{{"\x02\x00\x01", 3}, 3},
		{{"\x02\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}, 2},
		{{"\x02\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01", 11}, 2},
		{{"\x03\x00\x01", 3}, 2}, /* bytes, not keys */
	};
	int64_t keys[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (pack_keys_read(cases[i].blob, keys, cases[i].n))
			fail_msg("case %zu was accepted", i);
}

static void
bytes_round_trip_and_damage(void **state)
{
	uint8_t bytes[500], back[500];
	uint64_t seed = 12;
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 0);
	for (int round = 0; round < 20000; round++) {
		size_t n = random_below(&seed, sizeof(bytes));
		size_t chance = 1 + random_below(&seed, 200);

		bytes[0] = 1;
		for (size_t i = 1; i < n; i++)
			bytes[i] = random_below(&seed, chance) ? bytes[i - 1]
							       : (uint8_t)next_random(&seed);
		b.n = 0;
		pack_bytes(&b, bytes, n);
		assert_true(b.n <= n + 1);
		assert_true(pack_bytes_read(buf_view(&b), back, n));
		if (n > 0)
			assert_memory_equal(back, bytes, n);
		assert_false(pack_bytes_read(buf_view(&b), back, n + 1));
		assert_false(pack_bytes_read((struct str){b.p, b.n - 1}, back, n));
		b.p[random_below(&seed, b.n)] = (char)next_random(&seed);
		(void)pack_bytes_read(buf_view(&b), back, n);
	}
	buf_free(&b);
}

static void
equal_outcomes_take_four_bytes(void **state)
{
	uint8_t bytes[MOST], back[MOST];
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 0);
	memset(bytes, 1, sizeof(bytes));
	pack_bytes(&b, bytes, sizeof(bytes));
	assert_true(b.n <= 4);
	assert_false(pack_bytes_read(STR_NONE, back, 0));
	assert_false(pack_bytes_read(STR("\x01\x01"), back, 1));
	assert_false(pack_bytes_read(STR("\x03\x01\x02"), back, 2));
	assert_false(pack_bytes_read(STR("\x03\x01"), back, 1));
	buf_free(&b);
}

static void
pack_equal_keys(void)
{
	static const int64_t keys[] = {1, 1};
	struct buf b;

	buf_init(&b, NULL, 0);
	pack_keys(&b, keys, 2);
}

static void
pack_negative_key(void)
{
	static const int64_t keys[] = {-1};
	struct buf b;

	buf_init(&b, NULL, 0);
	pack_keys(&b, keys, 1);
}

static void
misuse_is_caught(void **state)
{
	(void)state;
	assert_true(dies(pack_equal_keys));
	assert_true(dies(pack_negative_key));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges_round_trip),
		cmocka_unit_test(dense_keys_take_a_few_bytes),
		cmocka_unit_test(near_keys_take_a_byte_each),
		cmocka_unit_test(random_keys_round_trip),
		cmocka_unit_test(damaged_keys_are_noticed),
		cmocka_unit_test(handmade_nonsense_is_refused),
		cmocka_unit_test(bytes_round_trip_and_damage),
		cmocka_unit_test(equal_outcomes_take_four_bytes),
		cmocka_unit_test(misuse_is_caught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
