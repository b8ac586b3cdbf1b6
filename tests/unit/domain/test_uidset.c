/* test_uidset – stored sets against a plain model, both chunk formats, damage, bitsets. */
#include "base/clock.h"
#include "domain/uidset.h"
#include "store_fixture.h"

static uint64_t seed = 88172645463325252u;

static uint64_t
next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

enum what { ADD, REMOVE, CLEAR, PUT };

struct job {
	struct arena *arena;
	enum what what;
	int64_t set;
	const int64_t *uids;
	size_t n;
	struct str blob; /* PUT: as the chunk of the set */
	int64_t changed;
};

static bool
run(struct db *w, void *arg, struct err *e)
{
	struct job *j = arg;
	const int64_t key = j->set << 24, one = 1;
	const struct col cols[] = {COL_INTS(&key), COL_INTS(&one), COL_TEXTS(&j->blob)};
	const struct bulk bulk = {cols, ARRAY_LEN(cols), 1};

	switch (j->what) {
	case ADD:
		return uidset_add(w, j->arena, j->set, j->uids, j->n, 1, &j->changed, e);
	case REMOVE:
		return uidset_remove(w, j->arena, j->set, j->uids, j->n, &j->changed, e);
	case CLEAR:
		return uidset_clear(w, j->set, e);
	default:
		return db_exec(w, SQL_TARGETS_PUT, ARGS(V_INT(1)), &bulk, NULL, e);
	}
}

static int64_t
work(struct fixture *f, struct job j)
{
	struct err e;

	j.arena = &f->arena;
	must(db_write(f->db, run, &j, &e), &e);
	return j.changed;
}

static void
load(struct fixture *f, struct bitset *b, int64_t set)
{
	struct err e;

	bitset_init(b);
	must(bitset_load(b, f->db, set, &e), &e);
}

static bool
has(struct fixture *f, int64_t set, int64_t uid)
{
	struct err e;
	bool out;

	must(uidset_has(f->db, set, uid, &out, &e), &e);
	return out;
}

/* What one unbroken walk says equals what is counted. */
static void
check_walk(const struct bitset *b)
{
	int64_t n = 0, at = -1;

	while ((at = bitset_next(b, at + 1)) >= 0) {
		assert_true(bitset_has(b, at));
		n++;
	}
	assert_int_equal(bitset_count(b), n);
}

static void
bitsets(void **state UNUSED)
{
	static const int64_t uids[] = {0, 1, 63, 64, 32767, 32768, 40000, 5000000};
	struct bitset b;
	int64_t at = -1;

	bitset_init(&b);
	assert_int_equal(-1, bitset_next(&b, 0));
	assert_false(bitset_has(&b, 7));
	for (size_t i = ARRAY_LEN(uids); i-- > 0;)
		bitset_add(&b, uids[i]);
	bitset_add(&b, 64);
	assert_int_equal(ARRAY_LEN(uids), bitset_count(&b));
	for (size_t i = 0; i < ARRAY_LEN(uids); i++) {
		at = bitset_next(&b, at + 1);
		assert_int_equal(uids[i], at);
		assert_int_equal(at, bitset_next(&b, at));
	}
	assert_int_equal(-1, bitset_next(&b, at + 1));
	assert_int_equal(-1, bitset_next(&b, INT64_C(1) << 38));
	assert_int_equal(0, bitset_next(&b, -5));
	assert_false(bitset_has(&b, -1));
	assert_false(bitset_has(&b, INT64_C(1) << 38));
	bitset_fini(&b);
	bitset_fini(&b);
}

static void
add_and_remove(void **state)
{
	struct fixture *f = *state;
	static const int64_t uids[] = {70000, 3, 3, 1, 40000, UIDSET_LIMIT - 1, 0};
	struct bitset b;

	assert_int_equal(6, work(f, (struct job){.what = ADD, .set = 1, .uids = uids, .n = 7}));
	assert_int_equal(0, work(f, (struct job){.what = ADD, .set = 1, .uids = uids, .n = 7}));
	assert_int_equal(1, work(f, (struct job){.what = ADD, .set = 2, .uids = uids, .n = 1}));
	assert_int_equal(0, work(f, (struct job){.what = ADD, .set = 2, .uids = NULL, .n = 0}));
	assert_true(has(f, 1, UIDSET_LIMIT - 1));
	assert_true(has(f, 1, 3));
	assert_false(has(f, 1, 2));
	assert_true(has(f, 2, 70000));
	assert_false(has(f, 2, 3));
	assert_false(has(f, 3, 70000));
	assert_int_equal(
		2, work(f, (struct job){.what = REMOVE, .set = 1, .uids = uids, .n = 3}));
	assert_int_equal(
		0, work(f, (struct job){.what = REMOVE, .set = 1, .uids = uids, .n = 3}));
	assert_false(has(f, 1, 3));
	assert_true(has(f, 1, 1));
	work(f, (struct job){.what = CLEAR, .set = 1});
	assert_false(has(f, 1, 1));
	assert_false(has(f, 1, UIDSET_LIMIT - 1));
	load(f, &b, 1);
	assert_int_equal(0, bitset_count(&b));
	bitset_fini(&b);
	load(f, &b, 2);
	assert_int_equal(1, bitset_count(&b));
	bitset_fini(&b);
}

/* One chunk from empty over the list and the bitmap to full, and back to no row. */
static void
formats(void **state)
{
	struct fixture *f = *state;
	int64_t *uids = arena_array(&f->arena, UIDSET_CHUNK, sizeof(*uids));
	static const size_t steps[] = {1, 2047, 2048, 2049, UIDSET_CHUNK};
	struct bitset b;

	for (size_t i = 0; i < UIDSET_CHUNK; i++)
		uids[i] = UIDSET_CHUNK * 5 + (int64_t)(i * 7919 % UIDSET_CHUNK);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		work(f, (struct job){.what = ADD, .set = 9, .uids = uids, .n = steps[i]});
		load(f, &b, 9);
		assert_int_equal(steps[i], bitset_count(&b));
		for (size_t k = 0; k < UIDSET_CHUNK; k += 17) {
			assert_int_equal(k < steps[i], bitset_has(&b, uids[k]));
			assert_int_equal(k < steps[i], has(f, 9, uids[k]));
		}
		check_walk(&b);
		bitset_fini(&b);
	}
	for (size_t i = ARRAY_LEN(steps); i-- > 0;) {
		size_t keep = i == 0 ? 0 : steps[i - 1];

		assert_int_equal(steps[i] - keep, work(f, (struct job){.what = REMOVE,
								  .set = 9,
								  .uids = uids + keep,
								  .n = UIDSET_CHUNK - keep}));
		load(f, &b, 9);
		assert_int_equal(keep, bitset_count(&b));
		bitset_fini(&b);
	}
}

/* Random adds and removes over a few chunks, against one byte per uid. */
static void
model(void **state)
{
	enum { SPACE = 3 * UIDSET_CHUNK + 100, CALL = 4000 };
	struct fixture *f = *state;
	uint8_t *in = calloc(1, SPACE);
	int64_t *uids = calloc(CALL, sizeof(*uids));
	struct bitset b;

	for (int round = 0; round < 60; round++) {
		bool add = next_random() % 5 < 3;
		size_t n = next_random() % CALL;
		int64_t want = 0;

		for (size_t i = 0; i < n; i++) {
			uids[i] = (int64_t)(next_random() % SPACE);
			want += in[uids[i]] != add;
			in[uids[i]] = add;
		}
		assert_int_equal(want, work(f, (struct job){.what = add ? ADD : REMOVE,
						       .set = 77,
						       .uids = uids,
						       .n = n}));
	}
	load(f, &b, 77);
	for (int64_t i = 0; i < SPACE; i++)
		assert_int_equal(in[i], bitset_has(&b, i));
	check_walk(&b);
	bitset_fini(&b);
	free(uids);
	free(in);
}

static void
unions(void **state)
{
	struct fixture *f = *state;
	static const int64_t one[] = {1, 2, 100000}, two[] = {2, 3};
	struct bitset b;
	struct err e;

	work(f, (struct job){.what = ADD, .set = 20, .uids = one, .n = 3});
	work(f, (struct job){.what = ADD, .set = 21, .uids = two, .n = 2});
	load(f, &b, 20);
	assert_true(bitset_load(&b, f->db, 21, &e));
	assert_int_equal(4, bitset_count(&b));
	bitset_fini(&b);
}

/* A damaged chunk is told, never read beyond its end. */
static void
damage(void **state)
{
	struct fixture *f = *state;
	const struct str blobs[] = {
		STR(""), STR("\x03zz"), STR("\x01z"), STR("\x02zz"), STR("\x01\xff\xff")};
	static const int64_t uid = 5;

	for (size_t i = 0; i < ARRAY_LEN(blobs); i++) {
		struct bitset b;
		struct err e = {0};
		bool out;
		struct job add = {&f->arena, ADD, 30, &uid, 1, STR_NONE, 0};

		work(f, (struct job){.what = PUT, .set = 30, .blob = blobs[i]});
		bitset_init(&b);
		assert_false(bitset_load(&b, f->db, 30, &e));
		assert_int_equal(ERR_STORE, e.code);
		assert_false(db_write(f->db, run, &add, &e));
		assert_int_equal(ERR_STORE, e.code);
		assert_true(!uidset_has(f->db, 30, uid, &out, &e) || !out);
		bitset_fini(&b);
	}
}

/* Calls of 10,000, as the API allows; FAN_BENCH prints the figure. */
static void
speed(void **state)
{
	enum { CALL = 10000, CALLS = 20 };
	struct fixture *f = *state;
	int64_t *uids = calloc(CALL, sizeof(*uids)), total = 0, start, took;
	struct bitset b;

	start = clock_mono_us();
	for (int c = 0; c < CALLS; c++) {
		for (int i = 0; i < CALL; i++)
			uids[i] = (int64_t)(next_random() % 1000000);
		total += work(f, (struct job){.what = ADD, .set = 40, .uids = uids, .n = CALL});
	}
	took = clock_mono_us() - start;
	load(f, &b, 40);
	assert_int_equal(total, bitset_count(&b));
	if (getenv("FAN_BENCH") != NULL)
		print_message("# uidset_add with its commit: %.2f M/s\n",
			(double)(CALL * CALLS) / (double)took);
	bitset_fini(&b);
	free(uids);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bitsets),
		cmocka_unit_test(add_and_remove),
		cmocka_unit_test(formats),
		cmocka_unit_test(model),
		cmocka_unit_test(unions),
		cmocka_unit_test(damage),
		cmocka_unit_test(speed),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
