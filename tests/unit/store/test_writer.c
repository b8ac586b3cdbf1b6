/* test_writer – commits shared by many, and that only the writer commits and makes checkpoints
 * (I-19). */
#include <sched.h>

#include "base/clock.h"
#include "sqlite_fixture.h"

/* ---- many at once ---------------------------------------------------------------- */

#define WRITERS 8
#define ROUNDS  60

struct crowd {
	struct fixture *f;
	struct thread thread;
	int no;
	atomic_int *ready;
	int failures;
	int64_t taken[ROUNDS];
};

enum fate { FINE, FAILS_AT_ONCE, FAILS_AFTER, HITS_KEY };

struct deed {
	int64_t key;
	enum fate fate;
	int64_t *taken;
};

static bool
do_deed(struct db *w, void *arg, struct err *e)
{
	struct deed *d = arg;

	if (d->fate == FAILS_AT_ONCE)
		return fail(e, ERR_INPUT, "deed %lld", (long long)d->key);
	if (!put(w, d->key, STR("x"), e) || !db_take(w, COUNTER_SEGMENT, 1, d->taken, e))
		return false;
	if (d->fate == FAILS_AFTER)
		return fail(e, ERR_NOT_FOUND, "deed %lld", (long long)d->key);
	return d->fate != HITS_KEY || put(w, 1000000, STR("x"), e);
}

/* Each call has its own result, whatever happens to those it shares a commit with. */
static void
crowd_run(void *arg)
{
	static const enum err_code codes[] = {ERR_NONE, ERR_INPUT, ERR_NOT_FOUND, ERR_STALE};
	struct crowd *me = arg;
	struct err e = {0};
	struct db *db;

	if (!db_open(&db, me->f->store, &e)) {
		me->failures++;
		return;
	}
	atomic_fetch_add(me->ready, 1);
	while (atomic_load(me->ready) < WRITERS)
		continue;
	for (int i = 0; i < ROUNDS; i++) {
		struct deed d = {1 + me->no * ROUNDS + i, (me->no + i * 3) % 4, &me->taken[i]};
		char text[32];
		bool ok = db_write(db, do_deed, &d, &e);

		snprintf(text, sizeof(text), "deed %lld", (long long)d.key);
		me->failures += ok != (d.fate == FINE) || (!ok && e.code != codes[d.fate]) ||
				((d.fate == FAILS_AT_ONCE || d.fate == FAILS_AFTER) &&
					strcmp(e.msg, text) != 0);
		if (d.fate != FINE)
			me->taken[i] = 0;
	}
	db_close(db);
}

static void
a_failure_harms_no_neighbour(void **state)
{
	struct fixture *f = *state;
	struct crowd crowd[WRITERS] = {0};
	atomic_int ready = 0;
	bool seen[WRITERS * ROUNDS + 1] = {false};
	int64_t fine = 0;

	put_one(f, 1000000);
	for (int i = 0; i < WRITERS; i++) {
		crowd[i] = (struct crowd){.f = f, .no = i, .ready = &ready};
		thread_start(&crowd[i].thread, "crowd", crowd_run, &crowd[i]);
	}
	for (int i = 0; i < WRITERS; i++) {
		thread_join(&crowd[i].thread);
		assert_int_equal(crowd[i].failures, 0);
	}
	reopen(f);
	for (int i = 0; i < WRITERS; i++) {
		for (int k = 0; k < ROUNDS; k++) {
			char sql[96];
			int64_t key = 1 + i * ROUNDS + k, taken = crowd[i].taken[k];
			bool is_fine = (i + k * 3) % 4 == FINE;

			snprintf(sql, sizeof(sql),
				"SELECT COUNT(*) FROM messages WHERE key = %lld",
				(long long)key);
			assert_int_equal(value(f->db, sql), is_fine);
			if (!is_fine)
				continue;
			/* Numbers are unique, and those of the failed went back. */
			assert_in_range(taken, 1, WRITERS * ROUNDS / 4);
			assert_false(seen[taken]);
			seen[taken] = true;
			fine++;
		}
	}
	assert_int_equal(fine, WRITERS * ROUNDS / 4);
}

/* ---- turns ------------------------------------------------------------------------- */

#define BATCHES      4  /* threads with long transactions */
#define BATCHES_DONE 40 /* each */
#define CLIENT_CALLS 40 /* at least */

struct turns {
	struct fixture *f;
	struct thread threads[BATCHES];
	atomic_int begun, left, failures;
};

static bool
work_long(struct db *w UNUSED, void *arg, struct err *e UNUSED)
{
	struct turns *t = arg;
	int64_t end = clock_mono_us() + 1000;

	atomic_fetch_add(&t->begun, 1);
	while (clock_mono_us() < end)
		continue;
	return true;
}

static void
run_batches(void *arg)
{
	struct turns *t = arg;
	struct err e;
	struct db *db;

	if (!db_open(&db, t->f->store, &e)) {
		atomic_fetch_add(&t->failures, 1);
	} else {
		for (int i = 0; i < BATCHES_DONE; i++)
			if (!db_write_beside(db, work_long, t, &e))
				atomic_fetch_add(&t->failures, 1);
		db_close(db);
	}
	atomic_fetch_sub(&t->left, 1);
}

static bool
note_begun(struct db *w UNUSED, void *arg, struct err *e UNUSED)
{
	struct turns *t = ((void **)arg)[0];

	*(int *)((void **)arg)[1] = atomic_load(&t->begun);
	return true;
}

/* A client's transaction waits for one batch, not for all that came before it; and batches are
 * done although clients never stop. */
static void
clients_and_batches_take_turns(void **state)
{
	struct turns t = {.f = *state, .left = BATCHES};
	int64_t overtaken = 0, calls = 0;
	struct err e;

	for (int i = 0; i < BATCHES; i++)
		thread_start(&t.threads[i], "batches", run_batches, &t);
	while (atomic_load(&t.left) == BATCHES) {
		int before = atomic_load(&t.begun), then = 0;
		void *arg[] = {&t, &then};

		must(db_write(t.f->db, note_begun, arg, &e), &e);
		overtaken += then - before;
		calls++;
	}
	for (int i = 0; i < BATCHES; i++)
		thread_join(&t.threads[i]);
	assert_int_equal(t.failures, 0);
	assert_int_equal(t.begun, BATCHES * BATCHES_DONE);
	assert_true(calls >= CLIENT_CALLS);
	/* In one line for all it would be three or four each. */
	assert_true(overtaken < 2 * calls);
}

/* ---- only the writer commits and makes checkpoints ------------------------------- */

static bool
pragma_in(struct db *w, void *arg, struct err *e)
{
	int64_t *v = arg;

	return ask(w, "PRAGMA wal_autocheckpoint", &v[0], e) &&
	       ask(w, "PRAGMA query_only", &v[1], e) &&
	       ask(w, "PRAGMA synchronous", &v[2], e) &&
	       ask(w, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &v[3], e);
}

static void
readers_only_read(void **state)
{
	struct fixture *f = *state;
	int64_t reader[4], writer[4];
	struct err e;

	must(pragma_in(f->db, reader, &e), &e);
	must(db_write(f->db, pragma_in, writer, &e), &e);
	/* Nor does a commit of the writer make a checkpoint: that has a turn of its own. */
	assert_int_equal(reader[0], 0);
	assert_int_equal(writer[0], 0);
	assert_int_equal(reader[1], 1);
	assert_int_equal(writer[1], 0);
	/* FULL: a commit survives a power cut (I-19). */
	assert_int_equal(writer[2], 2);
	assert_int_equal(writer[3], 1);
	must_fail(put(f->db, 1, STR("x"), &e), &e, ERR_STORE, "readonly");
	must_fail(ask(f->db, "DELETE FROM messages", &(int64_t){0}, &e), &e, ERR_STORE,
		"readonly");
	put_one(f, 1);
	assert_int_equal(value(f->db, "SELECT COUNT(*) FROM messages"), 1);
}

/* All of a file; the caller frees it. */
static char *
slurp(const char *path, size_t *n)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *p;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*n = (size_t)st.st_size;
	p = malloc(*n + 1);
	assert_int_equal(read(fd, p, *n), (ssize_t)*n);
	close(fd);
	return p;
}

static void
closing_readers_makes_no_checkpoint(void **state)
{
	struct fixture *f = *state;
	size_t n[4];
	char wal[128], *before[2], *after[2];
	struct db *readers[8];
	struct err e;

	snprintf(wal, sizeof(wal), "%s-wal", f->path);
	for (int64_t key = 1; key <= 20; key++)
		put_one(f, key);
	before[0] = slurp(f->path, &n[0]);
	before[1] = slurp(wal, &n[1]);
	assert_true(n[1] > 20 * 16384);
	db_close(f->db);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
			must(db_open(&readers[i], f->store, &e), &e);
			assert_int_equal(
				value(readers[i], "SELECT COUNT(*) FROM messages"), 20);
		}
		for (size_t i = 0; i < ARRAY_LEN(readers); i++)
			db_close(readers[i]);
	}
	after[0] = slurp(f->path, &n[2]);
	after[1] = slurp(wal, &n[3]);
	assert_int_equal(n[0], n[2]);
	assert_memory_equal(before[0], after[0], n[0]);
	assert_int_equal(n[1], n[3]);
	assert_memory_equal(before[1], after[1], n[1]);
	for (int i = 0; i < 2; i++) {
		free(before[i]);
		free(after[i]);
	}
	must(db_open(&f->db, f->store, &e), &e);
	/* The writer, closing last, moves everything home. */
	fixture_close(f);
	assert_int_not_equal(access(wal, F_OK), 0);
	must(store_open(&f->store, f->url, &e), &e);
	must(db_open(&f->db, f->store, &e), &e);
	assert_int_equal(value(f->db, "SELECT COUNT(*) FROM messages"), 20);
}

/* The salt in the header of the log; it changes when a checkpoint let the log start anew. */
static uint64_t
salt_of(const char *path)
{
	uint64_t salt = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &salt, sizeof(salt), 16), sizeof(salt));
	close(fd);
	return salt;
}

#define COMMITTERS 4
#define COMMITS    500 /* each */
#define TEXT_SIZE  40000

struct committer {
	struct fixture *f;
	struct thread thread;
	int no;
	atomic_int *left; /* committers that have not finished */
	int failures;
	int64_t opened;
	char text[TEXT_SIZE];
};

static void
commit_many(void *arg)
{
	struct committer *me = arg;
	struct one one = {.text = {me->text, TEXT_SIZE}};
	struct err e;
	struct db *db;

	memset(me->text, 'a' + me->no, TEXT_SIZE);
	if (!db_open(&db, me->f->store, &e)) {
		me->failures = COMMITS;
	} else {
		for (int i = 0; i < COMMITS; i++) {
			one.key = 1 + i * COMMITTERS + me->no;
			me->failures += !db_write(db, put_in, &one, &e);
		}
		db_close(db);
	}
	atomic_fetch_sub(me->left, 1);
}

/* Opens, reads a moment, closes, on and on; what it counts never goes down. */
static void
read_many(void *arg)
{
	struct committer *me = arg;
	int64_t last = 0;

	while (atomic_load(me->left) > 0) {
		int64_t now = -1;
		struct err e;
		struct db *db;

		if (!db_open(&db, me->f->store, &e)) {
			me->failures++;
			return;
		}
		me->failures +=
			!ask(db, "SELECT COUNT(*) FROM messages", &now, &e) || now < last;
		last = now;
		me->opened++;
		db_close(db);
	}
}

/* The race that old SQLite loses commits to needs a commit beside a checkpoint that another
 * connection starts: with readers coming and going, nothing may be lost. */
static void
no_commit_is_lost(void **state)
{
	static struct committer all[COMMITTERS + 2];
	struct fixture *f = *state;
	atomic_int left = COMMITTERS;
	uint64_t salt;
	struct rows r;
	struct err e;
	char wal[128];

	snprintf(wal, sizeof(wal), "%s-wal", f->path);
	put_one(f, 1000000);
	salt = salt_of(wal);
	for (int i = 0; i < COMMITTERS + 2; i++) {
		all[i].f = f;
		all[i].no = i;
		all[i].left = &left;
		thread_start(&all[i].thread, "commit", i < COMMITTERS ? commit_many : read_many,
			&all[i]);
	}
	for (int i = 0; i < COMMITTERS + 2; i++) {
		thread_join(&all[i].thread);
		assert_int_equal(all[i].failures, 0);
	}
	assert_true(all[COMMITTERS].opened > 10);
	/* Checkpoints were made: the log began anew and did not just grow. */
	assert_true(salt_of(wal) != salt);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(value(f->db, "SELECT COUNT(*) FROM messages"),
			COMMITTERS * COMMITS + 1);
		assert_int_equal(
			value(f->db, "SELECT COUNT(*) FROM messages "
				     "WHERE length(text) = 40000 AND substr(text, 1, 1) = "
				     "char(97 + (key - 1) % 4) AND "
				     "ltrim(text, substr(text, 1, 1)) = ''"),
			COMMITTERS * COMMITS);
		must(db_query_text(f->db, STR("PRAGMA integrity_check"), NO_ARGS, &r, &e), &e);
		assert_true(rows_next(&r));
		assert_same(row_str(&r, 0), STR("ok"));
		must(rows_end(&r, &e), &e);
		reopen(f);
	}
}

/* ---- the log does not grow without end ------------------------------------------- */

#define RELAY      2
#define LARGE      (1 << 20)
#define LARGE_ONES 160

/* Readers in turn, each of whom stays until the next has begun: there always is one. */
struct relay {
	struct fixture *f;
	atomic_int begun;
	atomic_bool is_over;
};

struct runner {
	struct relay *relay;
	struct thread thread;
	int failures;
	int64_t seen;
};

static bool
read_in(struct db *db, void *arg, struct err *e)
{
	struct runner *me = arg;
	struct relay *r = me->relay;
	int64_t now = -1;
	int turn;

	/* The snapshot is taken with the first row. */
	if (!ask(db, "SELECT COUNT(*) FROM messages", &now, e))
		return false;
	turn = atomic_fetch_add(&r->begun, 1);
	while (atomic_load(&r->begun) <= turn + 1 && !atomic_load(&r->is_over))
		sched_yield();
	me->failures += now < me->seen;
	me->seen = now;
	return true;
}

static void
run_relay(void *arg)
{
	struct runner *me = arg;
	struct err e;
	struct db *db;

	must(db_open(&db, me->relay->f->store, &e), &e);
	while (!atomic_load(&me->relay->is_over))
		me->failures += !db_read(db, read_in, me, &e);
	db_close(db);
}

static void
readers_without_end_do_not_let_the_log_grow(void **state)
{
	struct fixture *f = *state;
	struct relay relay = {.f = f};
	struct runner runners[RELAY];
	struct one one = {.text = {calloc(1, LARGE), LARGE}};
	off_t longest = 0;
	struct stat st;
	struct err e;
	char wal[128];

	assert_non_null(one.text.p);
	memset((char *)(uintptr_t)one.text.p, 'x', LARGE);
	snprintf(wal, sizeof(wal), "%s-wal", f->path);
	for (int i = 0; i < RELAY; i++) {
		runners[i] = (struct runner){.relay = &relay};
		thread_start(&runners[i].thread, "relay", run_relay, &runners[i]);
	}
	for (one.key = 1; one.key <= LARGE_ONES; one.key++) {
		must(db_write(f->db, put_in, &one, &e), &e);
		assert_int_equal(stat(wal, &st), 0);
		longest = MAX_OF(longest, st.st_size);
	}
	atomic_store(&relay.is_over, true);
	for (int i = 0; i < RELAY; i++) {
		thread_join(&runners[i].thread);
		assert_int_equal(runners[i].failures, 0);
	}
	assert_true(atomic_load(&relay.begun) > LARGE_ONES);
	if (longest >= 100 * LARGE)
		print_error("the log grew to %lld bytes\n", (long long)longest);
	assert_true(longest < 100 * LARGE);
	assert_int_equal(value(f->db, "SELECT COUNT(*) FROM messages"), LARGE_ONES);
	free((char *)(uintptr_t)one.text.p);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_failure_harms_no_neighbour),
		TEST(clients_and_batches_take_turns),
		TEST(readers_only_read),
		TEST(closing_readers_makes_no_checkpoint),
		TEST(no_commit_is_lost),
		TEST(readers_without_end_do_not_let_the_log_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
