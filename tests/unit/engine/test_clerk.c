/* test_clerk – what a purge leaves of the channels and messages of users, and that no message
 * is ever without its channel. */
#include "domain/channel_place.h"
#include "domain/claim.h"
#include "domain/ledger.h"
#include "domain/purge.h"
#include "domain/task.h"
#include "engine/batch.h"
#include "engine/planner.h"
#include "engine/sending.h"
#include "house.h"

#define LEASE_MS 30000

static void
purge(struct house *h, const char *id, enum purge_mode messages, enum purge_mode conversations)
{
	const struct str who = str_of(id);
	const struct user_list list = {.ids = &who, .n = 1};
	const struct user_deletion d = {
		.user = PURGE_REMOVE, .messages = messages, .conversations = conversations};
	int64_t end = clock_mono_us() + DEADLINE_US;
	struct str task;
	struct task t;
	struct err e;

	must(user_delete(h->f->db, &h->f->arena, &list, &d, &task, &e), &e);
	engine_wake(h->engine);
	do {
		must(task_get(h->f->db, &h->f->arena, task, &t, &e), &e);
		assert_false(str_is(t.status, "failed"));
		if (clock_mono_us() > end)
			fail_msg("the task does not end");
		usleep(500);
	} while (!str_is(t.status, "completed"));
}

static int64_t
messages_of(struct house *h, const char *campaign)
{
	return value(h,
		"SELECT COUNT(*) FROM messages m JOIN batches b ON m.key >= b.first_key AND "
		"m.key < b.first_key + b.n JOIN campaigns c ON c.no = b.campaign "
		"WHERE c.id = $1 AND m.deleted_at IS NULL",
		ARGS(V_TEXT(str_of(campaign))));
}

static int64_t
channels_left(struct house *h)
{
	return value(h, "SELECT COUNT(*) FROM channels WHERE deleted_at IS NULL", NO_ARGS);
}

static int64_t
orphans(struct house *h)
{
	return value(h,
		"SELECT COUNT(*) FROM messages m WHERE NOT EXISTS "
		"(SELECT 1 FROM channels c WHERE c.no = m.channel)",
		NO_ARGS);
}

/* Of every shape that a campaign's channels can have. */
static void
conversations_of_a_sender(void **state)
{
	static const char *const shapes[] = {
		BY_AFFIX, CHANNEL(""), CHANNEL(",\"id\":\"{{receiver.id|upper}}\"")};
	struct house *h = *state;

	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		char id[] = {'c', (char)('0' + i), '\0'};

		campaign(h, id,
			arena_printf(
				&h->f->arena, FROM_ANN "," HI "," CREATE ",%s," ALL, shapes[i])
				.p);
	}
	campaign(h, "three",
		FROM_ANN "," HI "," CREATE "," CHANNEL(",\"id\":\"three-{{receiver.id}}\","
						       "\"members\":[\"fay\"]") ",\"user_ids\":"
										"[\"bob\"]");
	assert_int_equal(channels_left(h), 16);
	purge(h, "ann", PURGE_KEEP, PURGE_REMOVE);
	assert_int_equal(channels_left(h), 1);
	assert_int_equal(value(h, "SELECT COUNT(*) FROM channels", NO_ARGS), 1);
	assert_int_equal(messages_of(h, "three"), 1);
	assert_int_equal(value(h, "SELECT COUNT(*) FROM messages", NO_ARGS), 1);
	assert_int_equal(orphans(h), 0);
	/* Ids that were stored are free again; "three-bob" is one that stays. */
	assert_int_equal(value(h, "SELECT COUNT(*) FROM channel_ids", NO_ARGS), 1);
	API_CHANNEL(h, "BOB", "bob", "cid");
}

static void
messages_in_every_mode(void **state)
{
	static const struct {
		enum purge_mode mode;
		int64_t rows, texts;
	} cases[] = {{PURGE_HIDE, 5, 5}, {PURGE_EMPTY, 5, 0}, {PURGE_REMOVE, 0, 0}};
	struct house *h = *state;
	struct campaign c;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		put_users(h->f, "[{\"id\":\"ann\",\"name\":\"Ann\"}]", NULL);
		campaign(h, (char[]){'m', (char)('0' + i), '\0'},
			FROM_ANN "," HI "," CREATE "," BY_AFFIX "," ALL);
		campaign(h, (char[]){'o', (char)('0' + i), '\0'},
			"\"sender_id\":\"bob\"," HI "," CREATE "," BY_AFFIX
			",\"user_ids\":[\"ann\",\"cid\"]");
		purge(h, "ann", cases[i].mode, PURGE_KEEP);
		c = look(h, (char[]){'m', (char)('0' + i), '\0'});
		assert_int_equal(messages_of(h, c.id.p), 0);
		assert_int_equal(messages_of(h, (char[]){'o', (char)('0' + i), '\0'}), 2);
		assert_int_equal(
			value(h,
				"SELECT COUNT(*) FROM messages m JOIN batches b ON m.key >= "
				"b.first_key AND m.key < b.first_key + b.n WHERE b.campaign = "
				"$1",
				ARGS(V_INT(c.no))),
			cases[i].rows);
		assert_int_equal(
			value(h,
				"SELECT COUNT(*) FROM messages m JOIN batches b ON m.key >= "
				"b.first_key AND m.key < b.first_key + b.n WHERE b.campaign = "
				"$1 AND m.text <> ''",
				ARGS(V_INT(c.no))),
			cases[i].texts);
	}
}

/* ---- removed between preparation and writing ---------------------------------------- */

struct writing {
	struct house *h;
	struct batch batch;
	bool found;
	struct prepared prepared;
	bool lost;
};

static bool
claim_in(struct db *w, void *arg, struct err *e)
{
	struct writing *x = arg;

	return ledger_claim(w, &x->h->f->arena, LEASE_MS, &x->batch, &x->found, e);
}

static bool
write_in(struct db *w, void *arg, struct err *e)
{
	struct writing *x = arg;

	return batch_write(w, &x->prepared, &x->lost, e);
}

/* A worker has found the channels of its recipients, then they are removed: it prepares again
 * and makes them anew. */
static void
a_worker_does_not_trust_what_was_removed(void **state)
{
	struct house *h = *state;
	struct arena *a = &h->f->arena;
	struct writing x = {.h = h};
	struct task_turn turn = {.db = h->f->db};
	struct purge_user user = {.uid = uid_of(h, "bob"), .stamp = 1};
	struct purge p = {PURGE_KEEP, PURGE_REMOVE, 0, 0, &user, 1};
	struct channel_homes homes = {0};
	struct sending s;
	struct claim claim;
	bool got;
	struct err e;

	campaign(h, "before", FROM_ANN "," HI "," CREATE "," BY_AFFIX "," ALL);
	create(h, "{\"id\":\"c\"," FROM_ANN "," HI "," CREATE "," BY_AFFIX "," ALL "}");
	engine_stop(h->engine);
	h->engine = NULL;
	sql_script(h->f, "UPDATE campaigns SET status = 'in_progress' WHERE id = 'c'");
	h->config.batch_size = 8;
	must(claim_take(h->f->db, CLAIM_PLAN, look(h, "c").no, LEASE_MS, &claim, &got, &e), &e);
	must(planner_plan(h->f->db, a, &h->config, &claim, &e), &e);
	must(db_write_beside(h->f->db, claim_in, &x, &e), &e);
	assert_true(x.found);
	must(sending_load(&s, h->f->db, x.batch.campaign, &e), &e);
	must(batch_prepare(h->f->db, a, &s, &x.batch, 20000, &homes, &x.prepared, &e), &e);
	assert_int_equal(x.prepared.nold, 5);

	must(claim_take(h->f->db, CLAIM_TASK, 1, LEASE_MS, &claim, &got, &e), &e);
	turn.claim = &claim;
	p.until = clock_now_us();
	must(purge_run(&turn, purge_write(a, &p), &e), &e);
	assert_int_equal(channels_left(h), 4);
	must_fail(db_write_beside(h->f->db, write_in, &x, &e), &e, ERR_STALE, "removed");
	assert_false(x.lost);

	must(batch_prepare(h->f->db, a, &s, &x.batch, 20000, &homes, &x.prepared, &e), &e);
	assert_int_equal(x.prepared.nold, 4);
	must(db_write_beside(h->f->db, write_in, &x, &e), &e);
	assert_int_equal(channels_left(h), 5);
	assert_int_equal(orphans(h), 0);
	assert_int_equal(messages_of(h, "c"), 5);
	sending_fini(&s);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(conversations_of_a_sender),
		TEST(messages_in_every_mode),
		TEST(a_worker_does_not_trust_what_was_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
