/* test_ledger_orders – no order of steps of two workers, and no race of four, counts or sends
 * twice (I-1, I-4, I-6, I-7, I-9, I-12). */
#include "ledger_fixture.h"

/* ---- every order of steps (I-9, I-12) -------------------------------------------- */

/* Two workers, a campaign of two batches.  What may happen next, and what the world must look
 * like afterwards; the search runs each step inside savepoints of one transaction. */
enum step { CLAIM_A, CLAIM_B, COMMIT_A, COMMIT_B, EXPIRE, RESTART, STOP, STEPS };

#define BATCHES 2
#define DEPTH   7

struct model {
	struct {
		int state, fence;
		bool leased;
	} batch[BATCHES];
	struct {
		int at, fence; /* at −1: has no batch */
	} worker[2];
	bool stopped, completed;
};

struct search {
	struct fixture *f;
	struct db *w;
	int64_t campaign, first_key;
	struct batch held[2];
	int64_t nodes, takeovers, losses, barred;
};

static void
sql(struct search *s, const char *text)
{
	struct statement st = {text, NO_ARGS};
	struct err e;

	must(sql_run_in(s->w, &st, &e), &e);
}

/* The world is that of the model, and keeps its promises whatever the model thinks. */
static void
compare(struct search *s, const struct model *m)
{
	int64_t messages = 0, done = 0, pending;
	struct rows r;
	struct err e;

	must(db_query_text(s->w,
		     STR("SELECT b.state, b.fence, (SELECT COUNT(*) FROM messages m "
			 "WHERE m.key = b.first_key), b.outcomes IS NULL FROM batches b ORDER "
			 "BY "
			 "b.seq"),
		     NO_ARGS, &r, &e),
		&e);
	for (int i = 0; i < BATCHES; i++) {
		assert_true(rows_next(&r));
		assert_int_equal(row_int(&r, 0), m->batch[i].state);
		assert_int_equal(row_int(&r, 1), m->batch[i].fence);
		assert_int_equal(row_int(&r, 2), m->batch[i].state == BATCH_DONE);
		assert_int_equal(row_int(&r, 3), m->batch[i].state != BATCH_DONE);
		messages += row_int(&r, 2);
		done += row_int(&r, 0) == BATCH_DONE;
	}
	must(rows_end(&r, &e), &e);
	must(db_query_text(s->w,
		     STR("SELECT pending, channels_created, status, (SELECT COALESCE(SUM(n), "
			 "0) "
			 "FROM tallies) FROM campaigns"),
		     NO_ARGS, &r, &e),
		&e);
	assert_true(rows_next(&r));
	pending = row_int(&r, 0);
	assert_int_equal(pending, BATCHES - done);
	assert_int_equal(row_int(&r, 1), messages);
	assert_str(row_str(&r, 2), m->stopped     ? "stopped"
				   : m->completed ? "completed"
						  : "in_progress");
	assert_int_equal(row_int(&r, 3) + pending, BATCHES);
	assert_int_equal(m->completed, pending == 0 && !m->stopped);
	must(rows_end(&r, &e), &e);
}

static void
step_claim(struct search *s, struct model *m, int who)
{
	int at = 0;
	bool found, is_open;
	struct err e;

	while (at < BATCHES && (m->batch[at].state == BATCH_DONE || m->batch[at].leased))
		at++;
	is_open = at < BATCHES && !m->stopped && !m->completed;
	must(ledger_claim(s->w, &s->f->arena, LONG_LEASE_MS, &s->held[who], &found, &e), &e);
	assert_int_equal(found, is_open);
	m->worker[who].at = -1;
	if (!found)
		return;
	assert_int_equal(s->held[who].seq, at);
	s->takeovers += m->batch[at].state == BATCH_CLAIMED;
	m->batch[at].state = BATCH_CLAIMED;
	m->batch[at].leased = true;
	m->batch[at].fence++;
	assert_int_equal(s->held[who].fence, m->batch[at].fence);
	m->worker[who].at = at;
	m->worker[who].fence = m->batch[at].fence;
}

static void
step_commit(struct search *s, struct model *m, int who)
{
	static const uint8_t sent[1] = {OUTCOME_SENT};
	int at = m->worker[who].at;
	bool is_ours = m->batch[at].state == BATCH_CLAIMED &&
		       m->batch[at].fence == m->worker[who].fence;
	struct commit c = {&s->held[who], {sent, 1}, false};
	struct err e;
	bool ok;

	sql(s, "SAVEPOINT job");
	ok = commit_in(s->w, &c, &e);
	if (!ok)
		sql(s, "ROLLBACK TO job");
	sql(s, "RELEASE job");
	assert_int_equal(ok, is_ours && !m->stopped);
	assert_int_equal(c.lost, !ok);
	m->worker[who].at = -1;
	if (!ok) {
		assert_int_equal(e.code, ERR_STALE);
		s->losses += !is_ours;
		s->barred += is_ours;
		return;
	}
	m->batch[at].state = BATCH_DONE;
	m->batch[at].leased = false;
	m->completed =
		m->batch[0].state == BATCH_DONE && m->batch[BATCHES - 1].state == BATCH_DONE;
}

/* False: cannot happen here, or would change nothing. */
static bool
take_step(struct search *s, struct model *m, enum step step)
{
	struct err e;
	int64_t changed;

	switch (step) {
	case CLAIM_A:
	case CLAIM_B:
		step_claim(s, m, step - CLAIM_A);
		return true;
	case COMMIT_A:
	case COMMIT_B:
		if (m->worker[step - COMMIT_A].at < 0)
			return false;
		step_commit(s, m, step - COMMIT_A);
		return true;
	case EXPIRE:
		if (!m->batch[0].leased && !m->batch[1].leased)
			return false;
		sql(s, "UPDATE batches SET lease_until = 0");
		m->batch[0].leased = m->batch[1].leased = false;
		return true;
	case RESTART:
		must(db_exec(s->w, SQL_BATCH_RELEASE_ALL, NO_ARGS, NO_BULK, &changed, &e), &e);
		for (int i = 0; i < BATCHES; i++) {
			if (m->batch[i].state == BATCH_CLAIMED)
				m->batch[i].state = BATCH_PLANNED;
			m->batch[i].leased = false;
		}
		return changed > 0;
	default:
		if (m->stopped)
			return false;
		must(db_exec(s->w, SQL_CAMPAIGN_STOP, ARGS(V_INT(s->campaign), V_INT(1)),
			     NO_BULK, &changed, &e),
			&e);
		assert_int_equal(changed, !m->completed);
		m->stopped = !m->completed;
		return changed > 0;
	}
}

/* Depth first; a plain stack of frames, so that the depth is bounded in sight. */
static bool
search_in(struct db *w, void *arg, struct err *e UNUSED)
{
	struct search *s = arg;
	struct frame {
		struct model model;
		struct batch held[2];
		int next;
	} stack[DEPTH + 1] = {{.model = {.worker = {{.at = -1}, {.at = -1}}}}};
	int depth = 0;

	s->w = w;
	sql(s, "SAVEPOINT step");
	while (depth >= 0) {
		struct frame *top = &stack[depth];
		struct model m = top->model;

		if (depth == DEPTH || top->next == STEPS) {
			sql(s, "ROLLBACK TO step");
			sql(s, "RELEASE step");
			depth--;
			continue;
		}
		memcpy(s->held, top->held, sizeof(s->held));
		sql(s, "SAVEPOINT step");
		if (!take_step(s, &m, top->next++)) {
			sql(s, "ROLLBACK TO step");
			sql(s, "RELEASE step");
			continue;
		}
		compare(s, &m);
		s->nodes++;
		depth++;
		stack[depth] = (struct frame){.model = m};
		memcpy(stack[depth].held, s->held, sizeof(s->held));
	}
	return true;
}

static void
all_orders_of_two_workers(void **state)
{
	struct fixture *f = *state;
	struct search s = {.f = f, .campaign = started(f, "c")};
	struct err e;

	assert_true(plan(f, s.campaign, BATCHES, 1, 1));
	must(db_write(f->db, search_in, &s, &e), &e);
	/* That it went where it matters. */
	assert_true(s.nodes > 10000);
	assert_true(s.takeovers > 100);
	assert_true(s.losses > 100);
	assert_true(s.barred > 100);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM messages", NO_ARGS), 0);
}

/* ---- workers that really run at once --------------------------------------------- */

struct racer {
	struct fixture *f;
	struct thread thread;
	uint64_t seed;
	int64_t losses;
};

/* Claims with leases that are over at once, so that everybody takes from everybody. */
static void
race(void *arg)
{
	static const uint8_t sent[4] = {OUTCOME_SENT, OUTCOME_SENT, OUTCOME_SENT, OUTCOME_SENT};
	struct racer *me = arg;
	struct arena arena;
	struct db *db;
	struct err e;

	must(db_open(&db, me->f->store, &e), &e);
	arena_init(&arena, 4096, SIZE_MAX);
	for (;;) {
		struct claim claim = {.arena = &arena, .lease_ms = OVER_LEASE_MS};
		struct commit c = {&claim.batch, {sent, 4}, false};

		arena_reset(&arena);
		must(db_write(db, claim_in, &claim, &e), &e);
		if (!claim.found)
			break;
		if (db_write(db, commit_in, &c, &e))
			continue;
		assert_int_equal(e.code, ERR_STALE);
		assert_true(c.lost);
		me->losses++;
	}
	arena_fini(&arena);
	db_close(db);
}

static void
workers_at_once(void **state)
{
	struct fixture *f = *state;
	int64_t c = started(f, "c");
	struct racer racers[4] = {{.f = f}, {.f = f}, {.f = f}, {.f = f}};
	struct campaign seen;

	assert_true(plan(f, c, 400, 1, 4));
	for (int i = 0; i < 4; i++)
		thread_start(&racers[i].thread, "racer", race, &racers[i]);
	for (int i = 0; i < 4; i++)
		thread_join(&racers[i].thread);
	seen = look(f, c);
	assert_str(seen.status, "completed");
	assert_int_equal(seen.pending, 0);
	assert_int_equal(seen.tallies.sent, 400);
	assert_int_equal(seen.channels_created, 400);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM messages", NO_ARGS), 400);
	assert_int_equal(
		sql_int(f->db, "SELECT COUNT(*) FROM batches WHERE state = 2", NO_ARGS), 100);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(all_orders_of_two_workers),
		TEST(workers_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
