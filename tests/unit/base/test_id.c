/* test_id – ids of messages there and back, and who may be called what. */
#include <inttypes.h>

#include "base/id.h"
#include "support.h"

#define TAG UINT64_C(0x2a5a5a5a5a5a5a5) /* 58 bits */

static struct str
as_str(const char id[ID_UUID_LEN])
{
	return (struct str){id, ID_UUID_LEN};
}

static void
assert_form(const char id[ID_UUID_LEN], char version)
{
	for (size_t i = 0; i < ID_UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		assert_int_equal(id[i] == '-', dash);
		if (!dash)
			assert_non_null(memchr("0123456789abcdef", id[i], 16));
	}
	assert_int_equal(id[14], version);
	assert_non_null(memchr("89ab", id[19], 4));
}

static void
random_uuids(void **state)
{
	char a[ID_UUID_LEN], b[ID_UUID_LEN];
	int64_t key;

	(void)state;
	for (int i = 0; i < 100; i++) {
		id_uuid4(a);
		id_uuid4(b);
		assert_form(a, '4');
		assert_memory_not_equal(a, b, sizeof(a));
		assert_false(id_to_key(TAG, as_str(a), &key));
	}
}

static void
keys_known_answers(void **state)
{
	char id[ID_UUID_LEN];

	(void)state;
	id_from_key(0, 0, id);
	assert_str(as_str(id), "00000000-0000-8000-8000-000000000000");
	id_from_key(0, 1, id);
	assert_str(as_str(id), "00000000-0000-8000-8000-000000000001");
	id_from_key(0, INT64_MAX, id);
	assert_str(as_str(id), "00000000-0000-8001-bfff-ffffffffffff");
	id_from_key(UINT64_MAX, -1, id);
	assert_str(as_str(id), "ffffffff-ffff-8fff-bfff-ffffffffffff");
	id_from_key(1, 0, id);
	assert_str(as_str(id), "00000000-0000-8004-8000-000000000000");
	id_from_key(UINT64_C(1) << 57, 0, id);
	assert_str(as_str(id), "80000000-0000-8000-8000-000000000000");
}

static void
keys_read_back_and_sort(void **state)
{
	static const int64_t edges[] = {0, 1, INT64_MAX, INT64_MIN, -1, INT64_C(1) << 61,
		INT64_C(1) << 62, (INT64_C(1) << 62) - 1};
	uint64_t seed = 8;

	(void)state;
	for (size_t i = 0; i < 5000; i++) {
		uint64_t tag = next_random(&seed) >> 6;
		int64_t key = i < ARRAY_LEN(edges) ? edges[i] : (int64_t)next_random(&seed);
		int64_t other = (int64_t)next_random(&seed) & INT64_MAX, back = 0;
		char id[ID_UUID_LEN], next[ID_UUID_LEN];

		id_from_key(tag, key, id);
		assert_form(id, '8');
		assert_true(id_to_key(tag, as_str(id), &back));
		assert_true(back == key);
		assert_false(id_to_key(tag ^ UINT64_C(1) << (i % 58), as_str(id), &back));
		id_from_key(tag, key & INT64_MAX, id);
		id_from_key(tag, other, next);
		assert_int_equal(memcmp(id, next, sizeof(id)) < 0, (key & INT64_MAX) < other);
	}
}

static void
other_texts_are_no_keys(void **state)
{
	char id[ID_UUID_LEN], changed[ID_UUID_LEN + 1];
	int64_t key = 42;

	(void)state;
	id_from_key(TAG, 0xabcdef, id);
	memcpy(changed, id, ID_UUID_LEN);
	changed[ID_UUID_LEN] = '0';
	assert_false(id_to_key(TAG, (struct str){changed, ID_UUID_LEN + 1}, &key));
	assert_false(id_to_key(TAG, (struct str){id, ID_UUID_LEN - 1}, &key));
	assert_false(id_to_key(TAG, STR_NONE, &key));
	for (size_t i = 0; i < ID_UUID_LEN; i++) {
		static const char wrong[] = "-gGA +_\0";

		for (size_t k = 0; k < sizeof(wrong); k++) {
			memcpy(changed, id, ID_UUID_LEN);
			changed[i] = wrong[k];
			if (wrong[k] != id[i])
				assert_false(id_to_key(TAG, as_str(changed), &key));
		}
	}
	memcpy(changed, id, ID_UUID_LEN);
	changed[14] = '7';
	assert_false(id_to_key(TAG, as_str(changed), &key));
	memcpy(changed, id, ID_UUID_LEN);
	changed[19] = 'c';
	assert_false(id_to_key(TAG, as_str(changed), &key));
	assert_int_equal(key, 42);
	assert_true(id_to_key(TAG, as_str(id), &key));
	assert_int_equal(key, 0xabcdef);
}

/* ${valid} for every length up to 300, and the bytes it takes. */
static void
check_rule(bool (*valid)(struct str), size_t max, const char *extra)
{
	char text[301];

	memset(text, 'a', sizeof(text));
	for (size_t n = 0; n < sizeof(text); n++)
		assert_int_equal(valid((struct str){text, n}), n >= 1 && n <= max);
	for (int c = 0; c < 256; c++) {
		char two[] = {'a', (char)c};
		bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9');

		assert_int_equal(valid((struct str){two, 2}),
			alnum || (c != 0 && strchr(extra, c) != NULL));
	}
	assert_false(valid(STR_NONE));
}

static void
of_texts(void **state)
{
	char a[ID_UUID_LEN], b[ID_UUID_LEN];

	(void)state;
	id_from_text(STR("a"), a);
	assert_form(a, '8');
	assert_str(as_str(a), "ca978112-ca1b-8dca-bac2-31b39a23dc4d");
	id_from_text(STR("b"), b);
	assert_memory_not_equal(a, b, sizeof(a));
}

static void
ids_of_clients(void **state)
{
	(void)state;
	check_rule(id_user_valid, 255, "@_-");
	check_rule(id_channel_valid, 64, "_-");
	check_rule(id_type_valid, 64, "_-");
	assert_true(id_channel_valid(STR("!members-0a_Z")));
	assert_false(id_channel_valid(STR("!")));
	assert_false(id_channel_valid(STR("!!a")));
	assert_false(id_channel_valid(STR("a!")));
	assert_false(id_type_valid(STR("!a")));
	assert_false(id_user_valid(STR("!a")));
	assert_false(id_user_valid(STR("ü")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_uuids),
		cmocka_unit_test(keys_known_answers),
		cmocka_unit_test(keys_read_back_and_sort),
		cmocka_unit_test(other_texts_are_no_keys),
		cmocka_unit_test(of_texts),
		cmocka_unit_test(ids_of_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
