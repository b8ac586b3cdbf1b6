/* test_channels – where the messages of a campaign go: new channels of every kind, and those
 * that are there. */
#include "base/thread.h"
#include "house.h"

/* ---- where messages go ----------------------------------------------------------- */

static void
derived_channels(void **state)
{
	struct house *h = *state;
	struct campaign c = campaign(h, "c", FROM_ANN "," HI "," CREATE "," BY_AFFIX "," ALL);
	struct channel bob;

	assert_str(c.status, "completed");
	assert_true(c.form > 0);
	assert_int_equal(c.audience, 5);
	assert_int_equal(c.tallies.sent, 5);
	assert_int_equal(c.channels_created, 5);
	assert_true(c.started_at <= c.completed_at);
	bob = channel(h, "bob-ann");
	assert_int_equal(bob.no, CHANNEL_NO(uid_of(h, "bob"), c.form));
	assert_int_equal(bob.origin, c.no);
	assert_int_equal(bob.creator, uid_of(h, "ann"));
	assert_str(bob.cid, "messaging:bob-ann");
	MEMBERS(h, &bob, "ann", "bob");
	says(h, &bob, "Hi Bob");
	assert_int_equal(messages_in(h, &bob), 1);
	assert_int_equal(
		value(h, "SELECT COUNT(*) FROM channels WHERE cid IS NOT NULL", NO_ARGS), 0);
	assert_int_equal(value(h, "SELECT COUNT(*) FROM members", NO_ARGS), 0);
}

static void
distinct_channels(void **state)
{
	struct house *h = *state;
	struct campaign c =
		campaign(h, "c", FROM_ANN "," HI "," CREATE "," CHANNEL("") "," ALL);
	struct channel bob;

	assert_int_equal(c.tallies.sent, 5);
	assert_int_equal(c.channels_created, 5);
	bob = DISTINCT(h, "bob", "ann");
	assert_int_equal(bob.id.n, DISTINCT_ID_LEN(2));
	MEMBERS(h, &bob, "ann", "bob");
	says(h, &bob, "Hi Bob");
	assert_int_equal(messages_in(h, &bob), 1);
	assert_int_equal(channel(h, arena_dup(&h->f->arena, bob.id).p).no, bob.no);
}

static void
distinct_channels_without_the_sender(void **state)
{
	struct house *h = *state;
	struct campaign c = campaign(h, "c",
		FROM_ANN "," HI "," CREATE "," CHANNEL("") "," ALL
							   ",\"sender_mode\":\"exclude\"");
	struct channel bob;

	assert_int_equal(c.channels_created, 5);
	bob = DISTINCT(h, "bob");
	MEMBERS(h, &bob, "bob");
	says(h, &bob, "Hi Bob");
}

static void
distinct_channels_of_many(void **state)
{
	struct house *h = *state;
	struct campaign c = campaign(h, "three",
		FROM_ANN "," HI "," CREATE "," CHANNEL(
			",\"members\":[\"fay\"]") ",\"user_ids\":[\"bob\",\"cid\"]");
	struct channel bob;

	assert_true(c.form > 0);
	assert_int_equal(c.channels_created, 2);
	bob = DISTINCT(h, "bob", "ann", "fay");
	MEMBERS(h, &bob, "ann", "bob", "fay");
	says(h, &bob, "Hi Bob");
	c = campaign(h, "four",
		FROM_ANN "," HI "," CREATE "," CHANNEL(
			",\"members\":[\"fay\",\"eve\"]") ",\"user_ids\":[\"bob\",\"cid\"]");
	assert_int_equal(c.form, 0);
	assert_int_equal(c.channels_created, 2);
	bob = DISTINCT(h, "bob", "ann", "fay", "eve");
	MEMBERS(h, &bob, "ann", "bob", "fay", "eve");
	says(h, &bob, "Hi Bob");
}

/* Receivers who are members of the template share the one channel of the same people. */
static void
distinct_channels_with_receivers_as_members(void **state)
{
	struct house *h = *state;
	struct campaign c = campaign(h, "c",
		FROM_ANN "," HI "," CREATE "," CHANNEL(
			",\"members\":[\"bob\",\"cid\"]") ",\"user_ids\":[\"bob\",\"cid\"]");
	struct channel all;

	assert_str(c.status, "completed");
	assert_int_equal(c.tallies.sent, 2);
	assert_int_equal(c.channels_created, 1);
	all = DISTINCT(h, "ann", "bob", "cid");
	MEMBERS(h, &all, "ann", "bob", "cid");
	assert_int_equal(messages_in(h, &all), 2);
}

static void
distinct_channel_with_one_receiver_as_member(void **state)
{
	struct house *h = *state;
	struct campaign c = campaign(h, "c",
		FROM_ANN "," HI "," CREATE "," CHANNEL(
			",\"members\":[\"bob\"]") ",\"user_ids\":[\"bob\",\"cid\"]");
	struct channel bob, cid;

	assert_int_equal(c.tallies.sent, 2);
	assert_int_equal(c.channels_created, 2);
	bob = DISTINCT(h, "ann", "bob");
	cid = DISTINCT(h, "ann", "bob", "cid");
	MEMBERS(h, &bob, "ann", "bob");
	MEMBERS(h, &cid, "ann", "bob", "cid");
	says(h, &bob, "Hi Bob");
	says(h, &cid, "Hi Cid");
}

static void
stored_ids(void **state)
{
	struct house *h = *state;
	struct campaign c;
	struct channel bob;

	put_users(h->f,
		"[{\"id\":\"bob-2\",\"name\":\"Bob\"},{\"id\":\"odd\",\"name\":\"not an id\"}]",
		NULL);
	c = campaign(h, "c",
		FROM_ANN "," HI "," CREATE "," CHANNEL(
			",\"id\":\"{{receiver.name}}-x\"") ",\"user_ids\":[\"bob\",\"cid\","
							   "\"odd\",\"bob-2\"]");
	assert_int_equal(c.form, 0);
	assert_int_equal(c.tallies.sent, 3);
	assert_int_equal(tally(&c, OUTCOME_INVALID_CHANNEL_ID), 1);
	assert_int_equal(c.channels_created, 2);
	bob = channel(h, "Bob-x");
	assert_int_equal(bob.origin, c.no);
	assert_int_equal(CHANNEL_FORM(bob.no), 0);
	assert_int_equal(messages_in(h, &bob), 2);
	says(h, &bob, "Hi Bob");
	MEMBERS(h, &bob, "ann", "bob");
}

static void
one_channel_for_all(void **state)
{
	struct house *h = *state;
	struct campaign c;
	struct channel lobby;

	put_many(h, 40);
	create(h, "{\"id\":\"c\"," FROM_ANN "," HI "," CREATE
		  "," CHANNEL(",\"id\":\"lobby\"") ",\"segment_ids\":[]}");
	run(h,
		"INSERT INTO segments (no, id, type, name, description, all_users, "
		"all_sender_channels, size, size_due, created_at, updated_at) "
		"VALUES (900, 'all', 'user', '', '', 1, 0, 0, 0, 1, 1)",
		NO_ARGS);
	run(h, "INSERT INTO campaign_segments VALUES (1, 0, 'all')", NO_ARGS);
	start_at(h, "c", NO_TIME, NO_TIME);
	c = finished(h, "c");
	/* Workers meet in the one channel: whoever is second prepares again. */
	assert_int_equal(c.audience, 46);
	assert_int_equal(c.tallies.sent, 45);
	assert_int_equal(tally(&c, OUTCOME_IS_SENDER), 1);
	assert_int_equal(c.channels_created, 1);
	lobby = channel(h, "lobby");
	assert_int_equal(messages_in(h, &lobby), 45);
	assert_int_equal(value(h, "SELECT COUNT(*) FROM channels", NO_ARGS), 1);
}

/* ---- the same ids at the same time ------------------------------------------------ */

#define CROWD    300
#define EVERYONE (CROWD + 5) /* but ann */
#define BY_NAME  FROM_ANN "," HI "," CREATE "," CHANNEL(",\"id\":\"{{receiver.name}}-x\"")

/* Everybody has his channel, and there are no others. */
static void
has_one_each(struct house *h, int64_t messages)
{
	static const char channels[] = "SELECT COUNT(*) FROM channels";
	static const char ids[] = "SELECT COUNT(*) FROM channel_ids i JOIN channels c "
				  "ON c.no = i.no AND c.cid = i.cid";
	static const char odd[] = "SELECT COUNT(*) FROM (SELECT channel FROM messages "
				  "GROUP BY channel HAVING COUNT(*) <> $1) AS odd";

	assert_int_equal(value(h, channels, NO_ARGS), EVERYONE);
	assert_int_equal(value(h, ids, NO_ARGS), EVERYONE);
	assert_int_equal(value(h, odd, ARGS(V_INT(messages))), 0);
}

static void
put_crowd(struct house *h)
{
	put_many(h, CROWD);
	run(h,
		"INSERT INTO segments (no, id, type, name, description, all_users, "
		"all_sender_channels, size, size_due, created_at, updated_at) "
		"VALUES (900, 'all', 'user', '', '', 1, 0, 0, 0, 1, 1)",
		NO_ARGS);
}

/* Two campaigns on two processes (here: engines) make the same channels: whoever is second with
 * a batch finds those of the first. */
static void
two_campaigns_store_the_same_ids(void **state)
{
	struct house *h = *state;
	struct engine *other;
	struct campaign one, two;
	struct err e;

	put_crowd(h);
	must(engine_start(&other, h->f->store, &h->config, &e), &e);
	create(h, "{\"id\":\"one\"," BY_NAME ",\"segment_ids\":[\"all\"]}");
	create(h, "{\"id\":\"two\"," BY_NAME ",\"segment_ids\":[\"all\"]}");
	start_at(h, "one", NO_TIME, NO_TIME);
	start_at(h, "two", NO_TIME, NO_TIME);
	engine_wake(other);
	one = finished(h, "one");
	two = finished(h, "two");
	engine_stop(other);
	assert_int_equal(one.form, 0);
	assert_int_equal(one.tallies.sent, EVERYONE);
	assert_int_equal(two.tallies.sent, EVERYONE);
	assert_int_equal(one.channels_created + two.channels_created, EVERYONE);
	has_one_each(h, 2);
}

#define CLIENTS 3

struct client {
	struct house *h;
	struct thread thread;
	const char *id; /* of the channel of user i, NULL: his distinct one with ann */
	int64_t uids[CROWD];
	int64_t nos[CROWD];
	int64_t made;
	bool ok;
	struct err e;
};

/* Gets or creates the channels of all, from the last to the first, as the API does. */
static void
get_or_create_all(void *arg)
{
	struct client *c = arg;
	struct arena a;
	struct db *db;

	c->ok = db_open(&db, c->h->f->store, &c->e);
	if (!c->ok)
		return;
	arena_init(&a, 4096, SIZE_MAX);
	for (int i = CROWD - 1; i >= 0 && c->ok; i--) {
		const struct member_spec pair[] = {
			{.uid = 1, .hidden_at = NO_TIME, .archived_at = NO_TIME},
			{.uid = c->uids[i], .hidden_at = NO_TIME, .archived_at = NO_TIME}};
		struct channel_spec spec = {.type = STR("messaging"),
			.id = c->id != NULL ? arena_printf(&a, c->id, i) : STR_NONE,
			.creator = 1,
			.created_at = clock_now_us(),
			.members = pair,
			.nmembers = c->id != NULL ? 0 : 2};
		struct channel out;
		bool made;

		c->ok = channel_get_or_create(db, &a, &spec, &out, &made, &c->e);
		if (c->ok) {
			c->nos[i] = out.no;
			c->made += made;
		}
		arena_reset(&a);
	}
	arena_fini(&a);
	db_close(db);
}

/* Clients make the channels of all while a campaign does: each is made once, and each call
 * answers with the one that there is. */
static struct campaign
race(struct house *h, const char *template, const char *id)
{
	struct client *clients = arena_zalloc(&h->f->arena, CLIENTS * sizeof(*clients));
	int64_t made = 0;
	struct campaign c;

	put_crowd(h);
	for (int k = 0; k < CLIENTS; k++) {
		clients[k] = (struct client){.h = h, .id = id};
		for (int i = 0; i < CROWD; i++)
			clients[k].uids[i] =
				uid_of(h, arena_printf(&h->f->arena, "user-%d", i).p);
	}
	create(h, arena_printf(
			  &h->f->arena, "{\"id\":\"c\",%s,\"segment_ids\":[\"all\"]}", template)
			  .p);
	start_at(h, "c", NO_TIME, NO_TIME);
	for (int k = 0; k < CLIENTS; k++)
		thread_start(&clients[k].thread, "client", get_or_create_all, &clients[k]);
	c = finished(h, "c");
	for (int k = 0; k < CLIENTS; k++) {
		thread_join(&clients[k].thread);
		must(clients[k].ok, &clients[k].e);
		made += clients[k].made;
		assert_memory_equal(clients[k].nos, clients[0].nos, sizeof(clients[k].nos));
	}
	assert_int_equal(c.tallies.sent, EVERYONE);
	assert_int_equal(c.channels_created + made, EVERYONE);
	assert_int_equal(value(h, "SELECT COUNT(*) FROM channels", NO_ARGS), EVERYONE);
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(messages_in(h, &(struct channel){.no = clients[0].nos[i]}), 1);
	return c;
}

static void
the_api_stores_the_same_ids(void **state)
{
	assert_int_equal(race(*state, BY_NAME, "N%d-x").form, 0);
	has_one_each(*state, 1);
}

/* Some are stored before the form is there, the others derived. */
static void
the_api_derives_the_same_ids(void **state)
{
	const char *const template = FROM_ANN "," HI "," CREATE "," BY_AFFIX;

	assert_int_not_equal(race(*state, template, "user-%d-ann").form, 0);
}

static void
the_api_makes_the_same_distinct_channels(void **state)
{
	const char *const template = FROM_ANN "," HI "," CREATE "," CHANNEL("");

	assert_int_not_equal(race(*state, template, NULL).form, 0);
}

static void
names_of_the_channel(void **state)
{
	static const struct {
		const char *template, *text;
	} cases[] = {
		{CHANNEL(",\"id\":\"{{receiver.id}}-a\""), "messaging:bob-a bob-a messaging"},
		{CHANNEL(",\"id\":\"{{receiver.name}}-b\""), "messaging:Bob-b Bob-b messaging"},
		{CHANNEL(",\"id\":\"c\""), "messaging:c c messaging"},
	};
	struct house *h = *state;
	struct channel bob;
	struct arena *a = &h->f->arena;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int again = 0; again < 2; again++) {
			campaign(h, arena_printf(a, "c%zu%d", i, again).p,
				arena_printf(a,
					FROM_ANN
					"," CREATE ",\"user_ids\":[\"bob\"],%s,"
					"\"message_template\":{\"text\":\"{{channel.cid}} "
					"{{channel.id}} {{channel.type}}\"}",
					cases[i].template)
					.p);
			assert_int_equal(
				value(h, "SELECT COUNT(*) FROM messages WHERE text = $1",
					ARGS(V_TEXT(str_of(cases[i].text)))),
				again + 1);
		}
	}
	for (int again = 0; again < 2; again++) {
		campaign(h, again ? "d1" : "d0",
			FROM_ANN "," CREATE "," CHANNEL(
				"") ",\"user_ids\":[\"bob\"],"
				    "\"message_template\":{\"text\":\"{{channel.cid}}\"}");
		bob = DISTINCT(h, "ann", "bob");
		says(h, &bob, arena_dup(a, bob.cid).p);
		assert_int_equal(messages_in(h, &bob), again + 1);
	}
}

/* ---- channels that are there ----------------------------------------------------- */

static void
a_second_campaign_makes_none(void **state)
{
	static const char *const templates[] = {BY_AFFIX, CHANNEL(""),
		CHANNEL(",\"id\":\"{{receiver.name}}-x\""), CHANNEL(",\"id\":\"lobby\""),
		CHANNEL(",\"members\":[\"fay\",\"eve\"]")};
	struct house *h = *state;
	struct arena *a = &h->f->arena;

	for (size_t i = 0; i < ARRAY_LEN(templates); i++) {
		const char *body = arena_printf(a,
			FROM_ANN "," HI "," CREATE ",%s,\"user_ids\":[\"bob\","
				 "\"cid\",\"dan\"]",
			templates[i])
					   .p;
		struct campaign c[2];
		int64_t channels[2];

		for (int k = 0; k < 2; k++) {
			c[k] = campaign(h, arena_printf(a, "c%zu-%d", i, k).p, body);
			assert_int_equal(c[k].tallies.sent, 3);
			channels[k] = value(h, "SELECT COUNT(*) FROM channels", NO_ARGS);
		}
		assert_true(c[0].channels_created > 0);
		assert_int_equal(c[1].channels_created, 0);
		assert_int_equal(channels[0], channels[1]);
		assert_int_equal(value(h,
					 "SELECT COUNT(*) FROM (SELECT channel FROM messages "
					 "GROUP BY channel HAVING COUNT(*) % 2 <> 0) AS odd",
					 NO_ARGS),
			0);
	}
}

static void
two_who_write_to_each_other(void **state)
{
	struct house *h = *state;
	struct campaign c;
	struct channel both;

	c = campaign(h, "to-bob",
		FROM_ANN "," HI "," CREATE "," CHANNEL("") ",\"user_ids\":[\"bob\",\"cid\"]");
	assert_int_equal(c.channels_created, 2);
	c = campaign(h, "to-ann",
		"\"sender_id\":\"bob\"," HI "," CREATE
		"," CHANNEL("") ",\"user_ids\":[\"ann\",\"cid\"]");
	assert_int_equal(c.tallies.sent, 2);
	assert_int_equal(c.channels_created, 1);
	both = DISTINCT(h, "ann", "bob");
	assert_int_equal(messages_in(h, &both), 2);
	MEMBERS(h, &both, "ann", "bob");
	says(h, &both, "Hi Ann");
	/* And again from ann, now that both forms are there. */
	c = campaign(h, "to-bob-2",
		FROM_ANN "," HI "," CREATE "," CHANNEL("") ",\"user_ids\":[\"bob\",\"cid\"]");
	assert_int_equal(c.channels_created, 0);
	assert_int_equal(messages_in(h, &both), 3);
}

/* The channel is made on the number of the other's form, where nothing can be derived. */
static void
the_form_of_the_other_is_there_first(void **state)
{
	struct house *h = *state;
	struct campaign c;
	struct channel both;

	campaign(h, "bob-to-cid",
		"\"sender_id\":\"bob\"," HI "," CREATE
		"," CHANNEL("") ",\"user_ids\":[\"cid\"]");
	c = campaign(h, "ann-to-bob",
		FROM_ANN "," HI "," CREATE "," CHANNEL("") ",\"user_ids\":[\"bob\"]");
	assert_int_equal(c.channels_created, 1);
	both = DISTINCT(h, "ann", "bob");
	MEMBERS(h, &both, "ann", "bob");
	assert_int_equal(both.creator, uid_of(h, "ann"));
	says(h, &both, "Hi Bob");
}

static void
channels_of_the_api_are_used(void **state)
{
	struct house *h = *state;
	struct channel before = API_CHANNEL(h, "bob-ann", "cid", "bob"), after;
	struct campaign c;

	/* There before the form: it is shadowed and looked through. */
	c = campaign(h, "one",
		FROM_ANN "," HI "," CREATE "," BY_AFFIX ","
			 "\"user_ids\":[\"bob\",\"cid\"]");
	assert_true(c.form > 0);
	assert_int_equal(c.tallies.sent, 2);
	assert_int_equal(c.channels_created, 1);
	assert_int_equal(channel(h, "bob-ann").no, before.no);
	assert_int_equal(messages_in(h, &before), 1);
	MEMBERS(h, &before, "bob", "cid");
	/* There before the second campaign, behind the form: as its row. */
	after = API_CHANNEL(h, "dan-ann", "cid", "dan");
	assert_int_equal(after.no, CHANNEL_NO(uid_of(h, "dan"), c.form));
	c = campaign(h, "two",
		FROM_ANN "," HI "," CREATE "," BY_AFFIX ",\"user_ids\":[\"bob\",\"dan\"]");
	assert_int_equal(c.tallies.sent, 2);
	assert_int_equal(c.channels_created, 0);
	says(h, &before, "Hi Bob");
	says(h, &after, "Hi Dan");
	assert_int_equal(messages_in(h, &before), 2);
	MEMBERS(h, &after, "cid", "dan");
}

static void
distinct_channels_of_the_api_are_used(void **state)
{
	struct house *h = *state;
	struct channel before = API_CHANNEL(h, NULL, "bob", "ann"), after;
	struct campaign c = campaign(h, "one",
		FROM_ANN "," HI "," CREATE "," CHANNEL("") ","
							   "\"user_ids\":[\"bob\",\"cid\"]");

	assert_int_equal(c.channels_created, 1);
	assert_int_equal(DISTINCT(h, "ann", "bob").no, before.no);
	says(h, &before, "Hi Bob");
	after = API_CHANNEL(h, NULL, "dan", "ann");
	c = campaign(h, "two",
		FROM_ANN "," HI "," CREATE "," CHANNEL("") ",\"user_ids\":[\"bob\",\"dan\"]");
	assert_int_equal(c.channels_created, 0);
	says(h, &after, "Hi Dan");
	assert_int_equal(messages_in(h, &before), 2);
}

static void
modes_of_the_sender(void **state)
{
	struct house *h = *state;
	struct campaign c;
	struct channel bob = API_CHANNEL(h, "bob-ann", "cid", "bob"), cid;

	campaign(h, "unset", FROM_ANN "," HI "," CREATE "," BY_AFFIX ",\"user_ids\":[\"bob\"]");
	MEMBERS(h, &bob, "bob", "cid");
	c = campaign(h, "exclude",
		FROM_ANN "," HI "," CREATE "," BY_AFFIX ",\"user_ids\":[\"bob\",\"cid\"],"
			 "\"sender_mode\":\"exclude\"");
	assert_int_equal(c.channels_created, 1);
	MEMBERS(h, &bob, "bob", "cid");
	cid = channel(h, "cid-ann");
	MEMBERS(h, &cid, "cid");
	for (int again = 0; again < 2; again++) {
		campaign(h, again ? "include2" : "include",
			FROM_ANN "," HI "," CREATE "," BY_AFFIX
				 ",\"user_ids\":[\"bob\",\"cid\","
				 "\"dan\"],\"sender_mode\":\"include\"");
		MEMBERS(h, &bob, "ann", "bob", "cid");
		MEMBERS(h, &cid, "ann", "cid");
	}
	cid = channel(h, "dan-ann");
	MEMBERS(h, &cid, "ann", "dan");
}

/* The sender left a channel that a campaign of his had made: include brings him back. */
static void
include_brings_the_sender_back(void **state)
{
	struct house *h = *state;
	struct channel bob;

	campaign(h, "one", FROM_ANN "," HI "," CREATE "," BY_AFFIX ",\"user_ids\":[\"bob\"]");
	bob = channel(h, "bob-ann");
	run(h,
		"INSERT INTO members (channel, uid, created_at, removed_at) VALUES ($1, $2, 1, "
		"1)",
		ARGS(V_INT(bob.no), V_INT(uid_of(h, "ann"))));
	MEMBERS(h, &bob, "bob");
	campaign(h, "two",
		FROM_ANN "," HI "," CREATE "," BY_AFFIX ",\"user_ids\":[\"bob\"],"
			 "\"sender_mode\":\"include\"");
	MEMBERS(h, &bob, "ann", "bob");
}

static void
hidden_channels_are_shown(void **state)
{
	static const char hide[] = "INSERT INTO members (channel, uid, created_at, hidden_at) "
				   "VALUES ($1, $2, 1, 1)";
	static const char hidden[] = "SELECT COUNT(*) FROM members WHERE hidden_at IS NOT NULL";
	struct house *h = *state;
	struct channel bob;

	campaign(h, "one", FROM_ANN "," HI "," CREATE "," BY_AFFIX ",\"user_ids\":[\"bob\"]");
	bob = channel(h, "bob-ann");
	run(h, hide, ARGS(V_INT(bob.no), V_INT(uid_of(h, "bob"))));
	run(h, hide, ARGS(V_INT(bob.no), V_INT(uid_of(h, "ann"))));
	campaign(h, "two", FROM_ANN "," HI "," CREATE "," BY_AFFIX ",\"user_ids\":[\"bob\"]");
	assert_int_equal(value(h, hidden, NO_ARGS), 2);
	campaign(h, "three",
		FROM_ANN "," HI "," CREATE "," BY_AFFIX ",\"user_ids\":[\"bob\"],"
			 "\"show_channels\":true");
	/* For the receiver alone. */
	assert_int_equal(value(h, hidden, NO_ARGS), 1);
	assert_int_equal(
		value(h, "SELECT uid FROM members WHERE hidden_at IS NOT NULL", NO_ARGS),
		uid_of(h, "ann"));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(derived_channels),
		TEST(distinct_channels),
		TEST(distinct_channels_without_the_sender),
		TEST(distinct_channels_of_many),
		TEST(distinct_channel_with_one_receiver_as_member),
		TEST(stored_ids),
		TEST(one_channel_for_all),
		TEST(two_campaigns_store_the_same_ids),
		TEST(the_api_stores_the_same_ids),
		TEST(the_api_derives_the_same_ids),
		TEST(the_api_makes_the_same_distinct_channels),
		TEST(names_of_the_channel),
		TEST(a_second_campaign_makes_none),
		TEST(two_who_write_to_each_other),
		TEST(the_form_of_the_other_is_there_first),
		TEST(channels_of_the_api_are_used),
		TEST(distinct_channels_of_the_api_are_used),
		TEST(modes_of_the_sender),
		TEST(include_brings_the_sender_back),
		TEST(hidden_channels_are_shown),
		TEST(distinct_channels_with_receivers_as_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
