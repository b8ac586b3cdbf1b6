/* test_engine – what becomes of recipients and of campaigns, by a real engine on a store on
 * disk (I-1, I-5, I-6, I-7, I-12). */
#include "house.h"

/* ---- what becomes of recipients -------------------------------------------------- */

static void
reasons_to_skip(void **state)
{
	struct house *h = *state;
	struct campaign c;
	struct err e;

	campaign(h, "before", FROM_ANN "," HI "," CREATE "," BY_AFFIX "," ALL);
	run(h, "UPDATE users SET deactivated_at = 1 WHERE id = 'bob'", NO_ARGS);
	must(delete_users(h->f, &STR("cid"), 1, PURGE_HIDE, &e), &e);
	run(h, "UPDATE channels SET disabled = 1 WHERE no >> 12 = $1",
		ARGS(V_INT(uid_of(h, "dan"))));
	run(h, "UPDATE channels SET frozen = 1 WHERE no >> 12 = $1",
		ARGS(V_INT(uid_of(h, "eve"))));
	run(h, "UPDATE channels SET deleted_at = 1 WHERE no >> 12 = $1",
		ARGS(V_INT(uid_of(h, "fay"))));
	put_users(h->f, "[{\"id\":\"new\"}]", NULL);
	c = campaign(h, "c",
		FROM_ANN "," HI "," BY_AFFIX ",\"create_channels\":false,\"user_ids\":["
			 "\"ann\",\"bob\",\"cid\",\"dan\",\"eve\",\"fay\",\"new\",\"ghost\"]");
	assert_str(c.status, "completed");
	assert_int_equal(c.audience, 8);
	assert_int_equal(tally(&c, OUTCOME_IS_SENDER), 1);
	assert_int_equal(tally(&c, OUTCOME_USER_DEACTIVATED), 1);
	assert_int_equal(tally(&c, OUTCOME_NO_SUCH_USER), 2);
	assert_int_equal(tally(&c, OUTCOME_CHANNEL_DISABLED), 1);
	assert_int_equal(tally(&c, OUTCOME_NO_CHANNEL), 2);
	/* Frozen channels are sent to. */
	assert_int_equal(c.tallies.sent, 1);
	assert_int_equal(c.channels_created, 0);
}

static void
only_the_sender(void **state)
{
	struct house *h = *state;
	struct campaign c = campaign(
		h, "c", FROM_ANN "," HI "," CREATE "," BY_AFFIX ",\"user_ids\":[\"ann\"]");

	assert_str(c.status, "completed");
	assert_int_equal(tally(&c, OUTCOME_IS_SENDER), 1);
	assert_int_equal(c.tallies.sent, 0);
	assert_int_equal(c.channels_created, 0);
}

static void
nobody_at_all(void **state)
{
	struct segment_change change = {.id = STR("empty"), .type = STR("user")};
	struct house *h = *state;
	struct segment s;
	struct campaign c;
	struct err e;

	must(segment_create(h->f->db, &h->f->arena, &change, &s, &e), &e);
	c = campaign(
		h, "c", FROM_ANN "," HI "," CREATE "," BY_AFFIX ",\"segment_ids\":[\"empty\"]");
	assert_str(c.status, "completed");
	assert_int_equal(c.audience, 0);
}

static void
ids_that_overflow(void **state)
{
	struct house *h = *state;
	struct campaign c;

	/* 60 + "-ann" is 64 and fits, one more does not; nor does what no channel id may be. */
	put_users(h->f,
		"[{\"id\":\"u12345678901234567890123456789012345678901234567890123456789\"},"
		"{\"id\":\"v123456789012345678901234567890123456789012345678901234567890\"},"
		"{\"id\":\"at@example-com\"}]",
		NULL);
	c = campaign(h, "c",
		FROM_ANN
		"," HI "," CREATE "," BY_AFFIX
		",\"user_ids\":[\"u1234567890123456789012345678901234567890123456789012345"
		"6789\",\"v123456789012345678901234567890123456789012345678901234567890\","
		"\"at@example-com\",\"bob\"]");
	assert_int_equal(tally(&c, OUTCOME_INVALID_CHANNEL_ID), 2);
	assert_int_equal(c.tallies.sent, 2);
	assert_int_equal(c.channels_created, 2);
}

/* A user whose custom field "bio" has ${n} times ${what}. */
static void
put_talker(struct house *h, const char *id, const char *what, size_t n)
{
	struct buf b;

	buf_init(&b, &h->f->arena, n * 4 + 64);
	buf_printf(&b, "[{\"id\":\"%s\",\"bio\":\"", id);
	for (size_t i = 0; i < n; i++)
		buf_str(&b, str_of(what));
	buf_printf(&b, "\"}]%c", '\0');
	put_users(h->f, b.p, NULL);
}

#define BIO "\"message_template\":{\"text\":\"{{receiver.bio}}{{receiver.bio}}\"}"

static void
texts_too_long(void **state)
{
	struct house *h = *state;
	struct campaign c;

	put_talker(h, "fits", "x", 2500);
	put_talker(h, "fits-too", "\xc3\xa9", 2500);
	put_talker(h, "long", "x", 2501);
	put_talker(h, "longer", "\xc3\xa9", 2501);
	c = campaign(h, "c",
		FROM_ANN "," CREATE "," BY_AFFIX "," BIO
			 ",\"user_ids\":[\"fits\",\"fits-too\",\"long\",\"longer\"]");
	assert_int_equal(c.tallies.sent, 2);
	assert_int_equal(tally(&c, OUTCOME_MESSAGE_TOO_LONG), 2);
	assert_int_equal(c.channels_created, 2);
	assert_int_equal(value(h, "SELECT MIN(length(text)) FROM messages", NO_ARGS), 5000);
	assert_int_equal(value(h, "SELECT MAX(length(text)) FROM messages", NO_ARGS), 5000);
}

static void
texts_too_large(void **state)
{
	struct house *h = *state;
	struct campaign c;

	engine_stop(h->engine);
	h->config.render_max = 1000;
	start_engine(h);
	put_talker(h, "fits", "x", 500);
	put_talker(h, "large", "x", 501);
	c = campaign(h, "c",
		FROM_ANN "," CREATE "," BY_AFFIX "," BIO
			 ",\"user_ids\":[\"large\",\"fits\",\"bob\"]");
	assert_int_equal(c.tallies.sent, 2);
	assert_int_equal(tally(&c, OUTCOME_RENDERED_TOO_LARGE), 1);
	assert_int_equal(c.channels_created, 2);
	/* In attachments as well. */
	c = campaign(h, "extra",
		FROM_ANN "," CREATE "," BY_AFFIX
			 ",\"message_template\":{\"text\":\"x\",\"custom\":{\"b\":"
			 "\"{{receiver.bio}}{{receiver.bio}}\"}},"
			 "\"user_ids\":[\"large\",\"bob\"]");
	assert_int_equal(c.tallies.sent, 1);
	assert_int_equal(tally(&c, OUTCOME_RENDERED_TOO_LARGE), 1);
}

static void
extra_is_stored_when_it_varies(void **state)
{
	struct house *h = *state;

	campaign(h, "constant",
		FROM_ANN "," CREATE "," BY_AFFIX ",\"user_ids\":[\"bob\",\"cid\"],"
			 "\"message_template\":{\"text\":\"x\",\"custom\":{\"k\":\"v\"},"
			 "\"attachments\":[{\"type\":\"image\"}]}");
	assert_int_equal(
		value(h, "SELECT COUNT(*) FROM messages WHERE extra IS NULL", NO_ARGS), 2);
	campaign(h, "varies",
		FROM_ANN "," CREATE "," BY_AFFIX ",\"user_ids\":[\"bob\",\"cid\"],"
			 "\"message_template\":{\"text\":\"x\",\"custom\":{\"k\":\"{{receiver."
			 "name}}\"}}");
	assert_int_equal(value(h,
				 "SELECT COUNT(*) FROM messages WHERE CAST(extra AS TEXT) = "
				 "'{\"custom\":{\"k\":\"Bob\"}}'",
				 NO_ARGS),
		1);
	assert_int_equal(
		value(h, "SELECT COUNT(*) FROM messages WHERE extra IS NULL", NO_ARGS), 2);
}

static void
custom_of_new_channels(void **state)
{
	struct house *h = *state;
	struct channel c;

	campaign(h, "constant",
		FROM_ANN "," HI "," CREATE ",\"user_ids\":[\"bob\"]," CHANNEL(
			",\"id\":\"{{receiver.id}}-k\",\"custom\":{\"k\":\"v\"}"));
	c = channel(h, "bob-k");
	assert_str(c.custom, "{\"k\":\"v\"}");
	assert_int_equal(
		value(h, "SELECT COUNT(*) FROM channels WHERE custom IS NULL", NO_ARGS), 1);
	campaign(h, "varies",
		FROM_ANN "," HI "," CREATE ",\"user_ids\":[\"bob\",\"cid\"]," CHANNEL(
			",\"id\":\"{{receiver.id}}-k\",\"custom\":{\"k\":\"{{receiver.name}}"
			"\"}"));
	c = channel(h, "bob-k");
	assert_str(c.custom, "{\"k\":\"v\"}"); /* only when creating */
	c = channel(h, "cid-k");
	assert_str(c.custom, "{\"k\":\"Cid\"}");
	campaign(h, "stored",
		FROM_ANN "," HI "," CREATE ",\"user_ids\":[\"bob\"]," CHANNEL(
			",\"id\":\"{{receiver.name}}-s\",\"custom\":{\"k\":\"{{receiver.name}}"
			"\"}"));
	c = channel(h, "Bob-s");
	assert_str(c.custom, "{\"k\":\"Bob\"}");
}

/* Channels whose ids are stored are looked up one by one; their custom data is that of the
 * campaign that made them. */
static void
custom_of_stored_channels(void **state)
{
	struct house *h = *state;
	struct channel c;

	campaign(h, "makes",
		FROM_ANN "," HI "," CREATE ",\"user_ids\":[\"bob\",\"cid\"]," CHANNEL(
			",\"id\":\"{{receiver.name}}-s\",\"custom\":{\"k\":\"v\"}"));
	campaign(h, "reads",
		FROM_ANN "," CREATE ",\"user_ids\":[\"bob\",\"cid\"],"
			 "\"message_template\":{\"text\":\"k={{channel.k}}\"}," CHANNEL(
				 ",\"id\":\"{{receiver.name}}-s\",\"custom\":{\"k\":\"w\"}"));
	c = channel(h, "Bob-s");
	says(h, &c, "k=v");
	c = channel(h, "Cid-s");
	says(h, &c, "k=v");
}

/* ---- the life of campaigns ------------------------------------------------------- */

#define MANY 600

/* A campaign to MANY users that is not yet started. */
static void
create_many(struct house *h, const char *id, const char *template)
{
	struct buf b;

	buf_init(&b, &h->f->arena, 16 * MANY + 400);
	buf_printf(&b, "{\"id\":\"%s\"," FROM_ANN "," HI "," CREATE ",%s,\"user_ids\":[", id,
		template);
	for (int i = 0; i < MANY; i++)
		buf_printf(&b, "%s\"user-%d\"", i ? "," : "", i);
	buf_printf(&b, "]}%c", '\0');
	create(h, b.p);
}

/* Waits for the first messages, so that what follows falls into the sending. */
static void
await_sending(struct house *h)
{
	int64_t end = clock_mono_us() + DEADLINE_US;

	while (value(h, "SELECT COUNT(*) FROM messages", NO_ARGS) == 0)
		assert_true(clock_mono_us() < end);
}

static void
stop_is_a_barrier(void **state)
{
	struct house *h = *state;
	struct campaign c;
	int64_t sent;
	struct err e;

	engine_stop(h->engine);
	h->config.batch_size = 1;
	start_engine(h);
	put_many(h, MANY);
	create_many(h, "c", BY_AFFIX);
	start_at(h, "c", NO_TIME, NO_TIME);
	await_sending(h);
	must(campaign_stop(h->f->db, &h->f->arena, STR("c"), &c, &e), &e);
	sent = value(h, "SELECT COUNT(*) FROM messages", NO_ARGS);
	/* Another campaign passes through all workers meanwhile. */
	campaign(h, "other",
		FROM_ANN "," HI "," CREATE "," CHANNEL("") ",\"user_ids\":[\"bob\",\"cid\"]");
	engine_stop(h->engine);
	h->engine = NULL;
	c = look(h, "c");
	assert_str(c.status, "stopped");
	assert_int_equal(
		value(h, "SELECT COUNT(*) FROM messages", NO_ARGS), sent + 2); /* I-12 */
	assert_int_equal(c.tallies.sent, sent);
	assert_int_equal(c.pending, MANY - sent);
	assert_int_equal(c.channels_created, sent);
	check_books(h);
}

static void
an_engine_goes_on_where_one_ended(void **state)
{
	struct house *h = *state;
	struct campaign c;

	engine_stop(h->engine);
	h->config.batch_size = 3;
	start_engine(h);
	put_many(h, MANY);
	create_many(h, "c", BY_AFFIX);
	start_at(h, "c", NO_TIME, NO_TIME);
	await_sending(h);
	for (int i = 0; i < 5; i++) {
		engine_stop(h->engine);
		check_books(h);
		/* As a worker that died left it: claimed for long, where nobody else can have
		 * claimed it; else until its lease is over. */
		run(h,
			"UPDATE batches SET state = 1, lease_until = $1 "
			"WHERE state = 0 AND seq % 2 = 0",
			ARGS(V_INT(store_is_exclusive(h->f->store) ? 9000000000000000 : 1)));
		start_engine(h);
	}
	c = finished(h, "c");
	assert_str(c.status, "completed");
	assert_int_equal(c.tallies.sent, MANY);
	assert_int_equal(c.channels_created, MANY);
	assert_int_equal(
		value(h, "SELECT COUNT(DISTINCT channel) FROM messages", NO_ARGS), MANY);
}

static void
campaigns_at_once(void **state)
{
	static const char *const templates[] = {BY_AFFIX, CHANNEL(""),
		CHANNEL(",\"id\":\"{{receiver.name}}-x\""), BY_AFFIX, CHANNEL("")};
	struct house *h = *state;
	int64_t made = 0;

	put_many(h, MANY);
	for (size_t i = 0; i < ARRAY_LEN(templates); i++) {
		const char *id = arena_printf(&h->f->arena, "c%zu", i).p;

		create_many(h, id, templates[i]);
		start_at(h, id, NO_TIME, NO_TIME);
	}
	for (size_t i = 0; i < ARRAY_LEN(templates); i++) {
		struct campaign c = finished(h, arena_printf(&h->f->arena, "c%zu", i).p);

		assert_str(c.status, "completed");
		assert_int_equal(c.tallies.sent, MANY);
		made += c.channels_created;
	}
	/* Each shape once, whichever campaign was there first. */
	assert_int_equal(made, 3 * MANY);
	assert_int_equal(value(h, "SELECT COUNT(*) FROM channels", NO_ARGS), 3 * MANY);
}

static void
what_is_due(void **state)
{
	struct house *h = *state;
	struct campaign c;
	int64_t now = clock_now_us();

	create(h, "{\"id\":\"later\"," FROM_ANN "," HI "," CREATE "," BY_AFFIX "," ALL "}");
	create(h, "{\"id\":\"never\"," FROM_ANN "," HI "," CREATE "," BY_AFFIX "," ALL "}");
	start_at(h, "never", now + 3600000000, now + 7200000000);
	start_at(h, "later", now + 300000, NO_TIME);
	c = finished(h, "later");
	assert_str(c.status, "completed");
	assert_true(c.started_at >= now + 300000);
	assert_int_equal(c.tallies.sent, 5);
	assert_str(look(h, "never").status, "scheduled");
}

/* One that cannot be sent any more stops; the rest goes on (I-5, I-8). */
static void
a_broken_campaign_harms_no_other(void **state)
{
	struct house *h = *state;
	struct campaign c;

	create(h, "{\"id\":\"broken\"," FROM_ANN "," HI "," CREATE "," BY_AFFIX "," ALL "}");
	run(h, "UPDATE campaigns SET message_template = '{\"text\":\"{% never %}\"}'", NO_ARGS);
	start_at(h, "broken", NO_TIME, NO_TIME);
	c = campaign(h, "fine", FROM_ANN "," HI "," CREATE "," BY_AFFIX "," ALL);
	assert_int_equal(c.tallies.sent, 5);
	assert_str(finished(h, "broken").status, "stopped");
}

/* The sender is gone when it starts: his messages are his still. */
static void
a_sender_who_was_deleted(void **state)
{
	struct house *h = *state;
	struct campaign c;
	struct err e;

	create(h, "{\"id\":\"orphan\"," FROM_ANN "," HI "," CREATE "," BY_AFFIX "," ALL "}");
	must(delete_users(h->f, &STR("ann"), 1, PURGE_REMOVE, &e), &e);
	start_at(h, "orphan", NO_TIME, NO_TIME);
	c = campaign(h, "fine", "\"sender_id\":\"fay\"," HI "," CREATE "," BY_AFFIX "," ALL);
	assert_int_equal(c.tallies.sent, 4);
	c = finished(h, "orphan");
	assert_int_equal(c.pending == 0, campaign_is(&c, "completed"));
}

/* Recipients whose list cannot be read fail, the others of the campaign do not. */
static void
a_damaged_batch_ends_too(void **state)
{
	struct house *h = *state;
	struct campaign c;

	log_set_level(LOG_ERROR + 1);
	engine_stop(h->engine);
	h->config.batch_size = 1;
	start_engine(h);
	put_many(h, MANY);
	create_many(h, "damaged", BY_AFFIX);
	start_at(h, "damaged", NO_TIME, NO_TIME);
	await_sending(h);
	run(h,
		"UPDATE batches SET uids = x'09' WHERE state = 0 AND seq = "
		"(SELECT MAX(seq) FROM batches WHERE state = 0)",
		NO_ARGS);
	assert_int_equal(
		value(h, "SELECT COUNT(*) FROM batches WHERE uids = x'09'", NO_ARGS), 1);
	c = finished(h, "damaged");
	assert_str(c.status, "completed");
	assert_int_equal(c.tallies.sent, MANY - 1);
	assert_int_equal(tally(&c, OUTCOME_INTERNAL_ERROR), 1);
	assert_int_equal(c.channels_created, MANY - 1);
	c = campaign(h, "fine", FROM_ANN "," HI "," CREATE "," BY_AFFIX "," ALL);
	assert_int_equal(c.tallies.sent, 5);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(reasons_to_skip),
		TEST(only_the_sender),
		TEST(nobody_at_all),
		TEST(ids_that_overflow),
		TEST(texts_too_long),
		TEST(texts_too_large),
		TEST(extra_is_stored_when_it_varies),
		TEST(custom_of_new_channels),
		TEST(custom_of_stored_channels),
		TEST(stop_is_a_barrier),
		TEST(an_engine_goes_on_where_one_ended),
		TEST(campaigns_at_once),
		TEST(what_is_due),
		TEST(a_broken_campaign_harms_no_other),
		TEST(a_sender_who_was_deleted),
		TEST(a_damaged_batch_ends_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
