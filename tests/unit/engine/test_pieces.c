/* test_pieces – what the store cannot hold, and what is too large to be held in memory at once:
 * the recipients at fault fail, all others get one message (I-1, I-5, I-7, I-16). */
#include <sys/resource.h>

#include "house.h"

#define MANY  200
#define LARGE 1024 /* never divided by the plan */

/* ---- triggers ------------------------------------------------------------------------ */

static bool
is_pg(void)
{
	return getenv("FANFARE_TEST_PG") != NULL;
}

/* From now on the store refuses rows of ${table} of which ${condition} holds (of "new"). */
static void
refuse(struct house *h, const char *table, const char *event, const char *condition)
{
	struct arena *a = &h->f->arena;

	if (is_pg()) {
		run(h,
			"CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql "
			"AS 'BEGIN RAISE EXCEPTION USING ERRCODE = ''22000'', MESSAGE = "
			"''poison''; END'",
			NO_ARGS);
		run(h,
			arena_printf(a,
				"CREATE TRIGGER refuse BEFORE %s ON %s FOR EACH ROW "
				"WHEN (%s) EXECUTE FUNCTION refuse()",
				event, table, condition)
				.p,
			NO_ARGS);
	} else {
		run(h,
			arena_printf(a,
				"CREATE TRIGGER refuse BEFORE %s ON %s WHEN %s BEGIN "
				"SELECT RAISE(ABORT, 'poison'); END",
				event, table, condition)
				.p,
			NO_ARGS);
	}
}

static void
accept(struct house *h, const char *table)
{
	run(h,
		is_pg() ? arena_printf(&h->f->arena, "DROP TRIGGER refuse ON %s", table).p
			: "DROP TRIGGER refuse",
		NO_ARGS);
}

/* ---- users ---------------------------------------------------------------------------- */

/* The engine anew, with other batches. */
static void
set_batches(struct house *h, int64_t batch_size)
{
	engine_stop(h->engine);
	h->config.batch_size = batch_size;
	start_engine(h);
}

/* A segment of the users user-0 … */
static void
make_everybody(struct house *h, int n)
{
	struct segment_change change = {.id = STR("s"), .type = STR("user")};
	struct segment s;
	struct str *ids = arena_array(&h->f->arena, (size_t)n, sizeof(*ids));
	struct err e;

	put_many(h, n);
	must(segment_create(h->f->db, &h->f->arena, &change, &s, &e), &e);
	for (int i = 0; i < n; i++)
		ids[i] = arena_printf(&h->f->arena, "user-%d", i);
	for (int i = 0; i < n; i += 4096)
		must(segment_add_targets(h->f->db, &h->f->arena, s.id, ids + i,
			     (size_t)MIN_OF(n - i, 4096), &e),
			&e);
}

#define TO_S      "\"segment_ids\":[\"s\"]"
#define TO_NAME   "\"message_template\":{\"text\":\"Hi {{receiver.name}}.\"}"
#define POISONOUS "new.text IN ('Hi N7.', 'Hi N150.', 'Hi N151.')"
#define NO_POISON "SELECT COUNT(*) FROM messages WHERE text IN ('Hi N7.','Hi N150.','Hi N151.')"
#define NO_TWICE                                                         \
	"SELECT COUNT(*) FROM (SELECT text FROM messages GROUP BY text " \
	"HAVING COUNT(*) > 1) AS t"

/* Three recipients of four batches are refused: they fail, everybody else gets his message,
 * and they get theirs from the next campaign. */
static void
recipients_that_are_refused(void **state)
{
	struct house *h = *state;
	struct campaign c;

	set_batches(h, 64);
	make_everybody(h, MANY);
	refuse(h, "messages", "INSERT", POISONOUS);
	c = campaign(h, "c", FROM_ANN "," TO_NAME "," CREATE "," BY_AFFIX "," TO_S);
	assert_str(c.status, "completed");
	assert_int_equal(c.audience, MANY);
	assert_int_equal(c.tallies.sent, MANY - 3);
	assert_int_equal(tally(&c, OUTCOME_INTERNAL_ERROR), 3);
	assert_int_equal(c.channels_created, MANY - 3);
	assert_int_equal(value(h, "SELECT COUNT(*) FROM channels", NO_ARGS), MANY - 3);
	assert_int_equal(value(h, "SELECT COUNT(*) FROM messages", NO_ARGS), MANY - 3);
	assert_int_equal(value(h, NO_TWICE, NO_ARGS), 0);
	assert_int_equal(value(h, NO_POISON, NO_ARGS), 0);
	accept(h, "messages");
	c = campaign(h, "d", FROM_ANN "," TO_NAME "," CREATE "," BY_AFFIX "," TO_S);
	assert_int_equal(c.tallies.sent, MANY);
	assert_int_equal(c.channels_created, 3);
}

/* Channels are refused, of which some are stored by their id. */
static void
channels_that_are_refused(void **state)
{
	struct house *h = *state;
	struct campaign c;

	set_batches(h, 64);
	put_users(h->f,
		"[{\"id\":\"x\",\"nick\":\"one\"},{\"id\":\"y\",\"nick\":\"two\"},"
		"{\"id\":\"z\",\"nick\":\"three\"}]",
		NULL);
	refuse(h, "channels", "INSERT", "new.cid = 'messaging:two'");
	c = campaign(h, "c",
		FROM_ANN "," HI "," CREATE "," CHANNEL(
			",\"id\":\"{{receiver.nick}}\"") ",\"user_ids\":[\"x\",\"y\",\"z\"]");
	assert_str(c.status, "completed");
	assert_int_equal(c.form, 0);
	assert_int_equal(c.tallies.sent, 2);
	assert_int_equal(tally(&c, OUTCOME_INTERNAL_ERROR), 1);
	assert_int_equal(messages_in(h, &(struct channel){.no = channel(h, "one").no}), 1);
	assert_int_equal(messages_in(h, &(struct channel){.no = channel(h, "three").no}), 1);
	assert_false(has_channel(h, "two", &(struct channel){0}));
	assert_int_equal(value(h, "SELECT COUNT(*) FROM channel_ids", NO_ARGS), 2);
}

static void
everybody_is_refused(void **state)
{
	struct house *h = *state;
	struct campaign c;

	set_batches(h, 64);
	make_everybody(h, MANY);
	refuse(h, "messages", "INSERT", "new.text LIKE 'Hi%'");
	c = campaign(h, "c", FROM_ANN "," TO_NAME "," CREATE "," BY_AFFIX "," TO_S);
	assert_str(c.status, "completed");
	assert_int_equal(tally(&c, OUTCOME_INTERNAL_ERROR), MANY);
	assert_int_equal(c.channels_created, 0);
	assert_int_equal(value(h, "SELECT COUNT(*) FROM channels", NO_ARGS), 0);
}

/* A campaign to channels; who is in the one refused alone is not reached. */
static void
channels_to_which_nothing_can_be_written(void **state)
{
	static const struct str cids[] = {STR_INIT("messaging:one"), STR_INIT("messaging:two"),
		STR_INIT("messaging:three"), STR_INIT("messaging:four")};
	struct segment_change change = {.id = STR("s"), .type = STR("channel")};
	struct house *h = *state;
	struct segment s;
	struct campaign c;
	struct err e;

	API_CHANNEL(h, "one", "bob", "cid");
	API_CHANNEL(h, "two", "bob", "dan");
	API_CHANNEL(h, "three", "cid");
	API_CHANNEL(h, "four", "eve");
	must(segment_create(h->f->db, &h->f->arena, &change, &s, &e), &e);
	must(segment_add_targets(h->f->db, &h->f->arena, s.id, cids, 4, &e), &e);
	refuse(h, "messages", "INSERT", "new.text = 'to two'");
	c = campaign(h, "c",
		FROM_ANN ",\"message_template\":{\"text\":\"to {{channel.id}}\"}," TO_S);
	assert_str(c.status, "completed");
	assert_true(c.to_channels);
	assert_int_equal(c.tallies.sent, 3);
	assert_int_equal(tally(&c, OUTCOME_INTERNAL_ERROR), 1);
	assert_int_equal(c.users_sent, 3); /* bob, cid, eve */
}

/* Nothing is left of a plan that the store refuses; the campaign does not wait for ever. */
static void
a_plan_that_is_refused(void **state)
{
	struct house *h = *state;
	struct campaign c;

	refuse(h, "batches", "INSERT", "new.n > 0");
	c = campaign(h, "c", FROM_ANN "," HI "," CREATE "," BY_AFFIX "," ALL);
	assert_str(c.status, "stopped");
	assert_int_equal(value(h, "SELECT COUNT(*) FROM batches", NO_ARGS), 0);
}

/* ---- bytes ----------------------------------------------------------------------------- */

static long
peak_kib(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return u.ru_maxrss;
}

/* 48 KB each, a text, attachments and custom data. */
static const char *
large_template(struct house *h)
{
	struct buf out;
	char *text = arena_alloc(&h->f->arena, 4801);

	memset(text, 'x', 4800);
	text[4800] = '\0';
	buf_init(&out, &h->f->arena, 65536);
	buf_printf(&out, "\"message_template\":{\"text\":\"%s\",\"attachments\":[", text);
	for (int i = 0; i < 8; i++)
		buf_printf(&out, "%s{\"title\":\"{{receiver.name}}\",\"text\":\"%s\"}",
			i == 0 ? "" : ",", text);
	buf_printf(&out, "],\"custom\":{\"more\":\"%s\"}}", text);
	buf_char(&out, '\0');
	return out.p;
}

/* 48 MB in one batch of one worker; held in memory is a part of it. */
static void
a_batch_that_is_too_large(void **state)
{
	struct house *h = *state;
	struct campaign c;
	long before;

	h->config.workers = 1;
	h->config.render_max = 60000;
	set_batches(h, LARGE);
	make_everybody(h, LARGE);
	before = peak_kib();
	c = campaign(h, "c",
		arena_printf(&h->f->arena, "%s,%s,%s,%s,%s", FROM_ANN, large_template(h),
			CREATE, BY_AFFIX, TO_S)
			.p);
	assert_str(c.status, "completed");
	assert_int_equal(c.tallies.sent, LARGE);
	assert_int_equal(value(h, "SELECT COUNT(*) FROM batches", NO_ARGS), 1);
	assert_int_equal(value(h, "SELECT COUNT(*) FROM messages", NO_ARGS), LARGE);
	assert_int_equal(value(h,
				 "SELECT COUNT(DISTINCT channel) FROM messages WHERE "
				 "length(CAST(extra AS TEXT)) > 43000",
				 NO_ARGS),
		LARGE);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	/* With the cache of the store, 48 MiB. */
	assert_in_range(peak_kib() - before, 0, 128 * 1024);
#else
	(void)before;
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(recipients_that_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(channels_that_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(everybody_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			channels_to_which_nothing_can_be_written, setup, teardown),
		cmocka_unit_test_setup_teardown(a_plan_that_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_batch_that_is_too_large, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
