/* test_channel_campaigns – campaigns to channels by a real engine on a store on disk: outcomes,
 * books, whom they reach (I-1, I-2, I-5, I-6, I-7, I-12). */
#include "domain/reach.h"
#include "house.h"

#define MANY 200

static void
make_segment(struct house *h, const char *id, const char *const cids[], size_t n)
{
	struct segment_change change = {.id = str_of(id), .type = STR("channel")};
	struct segment s;
	struct err e;

	must(segment_create(h->f->db, &h->f->arena, &change, &s, &e), &e);
	for (size_t i = 0; i < n; i++)
		must(segment_add_targets(h->f->db, &h->f->arena, s.id,
			     &(struct str){cids[i], strlen(cids[i])}, 1, &e),
			&e);
}

#define SEGMENT(h, id, ...)                                \
	make_segment(h, id, (const char *[]){__VA_ARGS__}, \
		sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))

#define TO(s)    "\"segment_ids\":[\"" s "\"]"
#define TEXT(s)  "\"message_template\":{\"text\":\"" s "\"}"
#define ONE_MANY "messaging:user-%d-many"

/* A channel for each of MANY users, made by a campaign of eve's, all listed in segment "many".
 */
static void
make_many(struct house *h)
{
	struct segment_change change = {
		.id = STR("everybody"), .type = STR("user"), .all_users = true};
	char cids[MANY][40];
	const char *list[MANY];
	struct segment s;
	struct err e;

	put_many(h, MANY);
	must(segment_create(h->f->db, &h->f->arena, &change, &s, &e), &e);
	campaign(h, "make",
		"\"sender_id\":\"eve\"," TEXT("x") "," CREATE "," CHANNEL(
			",\"id\":\"{{receiver.id}}-many\"") "," TO("everybody"));
	for (int i = 0; i < MANY; i++) {
		snprintf(cids[i], sizeof(cids[i]), ONE_MANY, i);
		list[i] = cids[i];
	}
	make_segment(h, "many", list, MANY);
}

/* ---- what becomes of channels ------------------------------------------------------------ */

static void
outcomes(void **state)
{
	struct house *h = *state;
	struct channel one, two;
	struct campaign c;

	one = API_CHANNEL(h, "one", "ann", "bob", "cid");
	two = API_CHANNEL(h, "two", "bob", "dan");
	API_CHANNEL(h, "off", "bob");
	API_CHANNEL(h, "gone", "bob");
	run(h, "UPDATE channels SET frozen = 1 WHERE no = $1", ARGS(V_INT(two.no)));
	run(h, "UPDATE channels SET disabled = 1 WHERE cid = 'messaging:off'", NO_ARGS);
	run(h, "UPDATE channels SET deleted_at = 1 WHERE cid = 'messaging:gone'", NO_ARGS);
	SEGMENT(h, "s", "messaging:one", "messaging:two", "messaging:off", "messaging:gone",
		"messaging:never");
	c = campaign(
		h, "c", FROM_ANN "," TEXT("{{receiver.name}}to {{channel.id}}") "," TO("s"));
	assert_str(c.status, "completed");
	assert_true(c.to_channels);
	assert_int_equal(c.audience, 5);
	assert_int_equal(c.tallies.sent, 2);
	assert_int_equal(tally(&c, OUTCOME_CHANNEL_DISABLED), 1);
	assert_int_equal(tally(&c, OUTCOME_NO_SUCH_CHANNEL), 2);
	assert_int_equal(c.users_sent, 3); /* bob, cid, dan */
	assert_int_equal(c.channels_created, 0);
	says(h, &one, "to one");
	says(h, &two, "to two");
	MEMBERS(h, &two, "bob", "dan");
}

static void
nothing_but_strays(void **state)
{
	struct house *h = *state;
	struct campaign c;

	SEGMENT(h, "s", "messaging:never", "team:ever");
	c = campaign(h, "c", FROM_ANN "," TEXT("x") "," TO("s"));
	assert_str(c.status, "completed");
	assert_int_equal(c.audience, 2);
	assert_int_equal(c.pending, 0);
	assert_int_equal(tally(&c, OUTCOME_NO_SUCH_CHANNEL), 2);
}

/* A channel that goes between plan and batch. */
static void
channels_that_go(void **state)
{
	struct house *h = *state;
	struct campaign c;
	int64_t no;

	no = API_CHANNEL(h, "one", "bob").no;
	API_CHANNEL(h, "two", "bob");
	SEGMENT(h, "s", "messaging:one", "messaging:two");
	/* Nobody claims: the batch waits while it seems to be somebody else's. */
	engine_stop(h->engine);
	h->config.workers = 0;
	start_engine(h);
	create(h, "{\"id\":\"c\"," FROM_ANN "," TEXT("x") "," TO("s") "}");
	start_at(h, "c", NO_TIME, NO_TIME);
	assert_true(engine_wait_planned(h->engine, h->f->db, look(h, "c").no, 20000));
	run(h, "UPDATE channels SET deleted_at = 1 WHERE no = $1", ARGS(V_INT(no)));
	engine_stop(h->engine);
	h->config.workers = 3;
	start_engine(h);
	c = finished(h, "c");
	assert_int_equal(c.audience, 2);
	assert_int_equal(c.tallies.sent, 1);
	assert_int_equal(tally(&c, OUTCOME_NO_SUCH_CHANNEL), 1);
}

/* ---- whom it reaches --------------------------------------------------------------------- */

static void
members_of_derived_channels(void **state)
{
	struct house *h = *state;
	struct campaign c;
	struct channel left;

	make_many(h);
	left = channel(h, "user-7-many");
	run(h,
		"INSERT INTO members (channel, uid, created_at, removed_at) VALUES ($1, $2, 1, "
		"2), "
		"($1, $3, 1, 2)",
		ARGS(V_INT(left.no), V_INT(uid_of(h, "user-7")), V_INT(uid_of(h, "eve"))));
	c = campaign(h, "c", FROM_ANN "," TEXT("x") "," TO("many"));
	assert_int_equal(c.tallies.sent, MANY);
	/* All but user-7, who has left; eve, who is in the others. */
	assert_int_equal(c.users_sent, MANY);
	c = campaign(h, "own", "\"sender_id\":\"eve\"," TEXT("x") "," TO("many"));
	assert_int_equal(c.users_sent, MANY - 1);
}

struct reading {
	struct fixture *f;
	struct reach reach;
	int64_t uid;
	bool first;
};

static bool
read_tx(struct db *w, void *arg, struct err *e)
{
	struct reading *r = arg;

	return reach_read(w, &r->f->arena, &r->reach, r->uid, 1, &r->first, e);
}

static bool
reads(struct house *h, const char *id, const char *user)
{
	struct reading r = {.f = h->f, .uid = uid_of(h, user)};
	struct err e;

	must(reach_get(h->f->db, look(h, id).no, &r.reach, &e), &e);
	must(db_write(h->f->db, read_tx, &r, &e), &e);
	return r.first;
}

static void
readers_count_once(void **state)
{
	struct house *h = *state;

	API_CHANNEL(h, "one", "ann", "bob");
	API_CHANNEL(h, "two", "bob", "cid");
	SEGMENT(h, "s", "messaging:one", "messaging:two");
	assert_int_equal(campaign(h, "c", FROM_ANN "," TEXT("x") "," TO("s")).users_sent, 2);
	assert_true(reads(h, "c", "bob"));
	assert_false(reads(h, "c", "bob"));
	assert_false(reads(h, "c", "ann"));
	assert_false(reads(h, "c", "eve"));
	assert_true(reads(h, "c", "cid"));
}

/* ---- many ------------------------------------------------------------------------------ */

static void
stop_is_a_barrier_and_engines_go_on(void **state)
{
	struct house *h = *state;
	struct campaign c;
	struct err e;
	int64_t after;

	make_many(h);
	create(h, "{\"id\":\"c\"," FROM_ANN "," TEXT("x") "," TO("many") "}");
	start_at(h, "c", NO_TIME, NO_TIME);
	must(campaign_stop(h->f->db, &h->f->arena, STR("c"), &c, &e), &e);
	after = value(h, "SELECT COUNT(*) FROM messages", NO_ARGS);
	create(h, "{\"id\":\"d\"," FROM_ANN "," TEXT("{{channel.cid}}") "," TO("many") "}");
	start_at(h, "d", NO_TIME, NO_TIME);
	for (int i = 0; i < 10 && !campaign_is(&c, "completed"); i++) {
		engine_stop(h->engine);
		start_engine(h);
		c = look(h, "d");
	}
	c = finished(h, "d");
	assert_int_equal(c.tallies.sent, MANY);
	assert_int_equal(c.users_sent, MANY + 1);
	assert_int_equal(value(h, "SELECT COUNT(*) FROM messages", NO_ARGS), after + MANY);
	assert_int_equal(value(h,
				 "SELECT COUNT(*) FROM (SELECT channel FROM messages WHERE key "
				 ">= (SELECT "
				 "MIN(first_key) FROM batches WHERE campaign = $1) GROUP BY "
				 "channel) AS x",
				 ARGS(V_INT(c.no))),
		MANY);
}

/* A segment that was deleted, and made again of the other type, until the time came. */
static void
mixed_when_it_is_due(void **state)
{
	struct segment_change change = {.id = STR("t"), .type = STR("user")};
	struct house *h = *state;
	struct segment s;
	struct campaign c;
	struct err e;

	SEGMENT(h, "s", "messaging:never");
	SEGMENT(h, "t", "messaging:ever");
	create(h, "{\"id\":\"c\"," FROM_ANN "," TEXT("x") ",\"segment_ids\":[\"s\",\"t\"]}");
	start_at(h, "c", clock_now_us() + 3600 * INT64_C(1000000), NO_TIME);
	must(segment_delete(h->f->db, &h->f->arena, STR("t"), &e), &e);
	must(segment_create(h->f->db, &h->f->arena, &change, &s, &e), &e);
	log_set_level(LOG_ERROR + 1);
	run(h, "UPDATE campaigns SET scheduled_for = 1", NO_ARGS);
	engine_wake(h->engine);
	c = finished(h, "c");
	log_set_level(LOG_ERROR);
	assert_str(c.status, "stopped");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(outcomes),
		TEST(nothing_but_strays),
		TEST(channels_that_go),
		TEST(members_of_derived_channels),
		TEST(readers_count_once),
		TEST(stop_is_a_barrier_and_engines_go_on),
		TEST(mixed_when_it_is_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
