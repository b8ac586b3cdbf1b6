/* test_batch – what others make between the preparation of a batch and its transaction: the
 * transaction must notice, and the second try must find it (one channel per cid, I-1). */
#include "domain/channel_place.h"
#include "domain/claim.h"
#include "domain/ledger.h"
#include "engine/batch.h"
#include "engine/planner.h"
#include "engine/sending.h"
#include "house.h"

/* A batch in the hands of a worker. */
struct work {
	struct house *h;
	struct arena arena;
	struct batch batch;
	struct sending sending;
	struct channel_homes homes;
	struct prepared prepared;
	bool lost;
};

/* A house where nothing is done by itself. */
static int
setup_still(void **state)
{
	struct house *h;

	setup(state);
	h = *state;
	engine_stop(h->engine);
	h->engine = NULL;
	h->config.batch_size = 100;
	return 0;
}

static int
teardown_still(void **state)
{
	struct house *h = *state;

	fixture_teardown((void **)&h->f);
	free(h);
	return 0;
}

/* ---- the steps of a worker ------------------------------------------------------- */

static bool
claim_in(struct db *w, void *arg, struct err *e)
{
	struct work *k = arg;
	bool found;

	return ledger_claim(w, &k->arena, 30000, &k->batch, &found, e) &&
	       (found || fail(e, ERR_NOT_FOUND, "no open batch"));
}

/* Plans a campaign; ${body} as in campaign(). */
static struct campaign
plan(struct house *h, const char *id, const char *body)
{
	struct campaign_start start = {.scheduled_for = NO_TIME, .stop_at = NO_TIME};
	struct campaign c;
	struct claim claim;
	struct err e;
	bool got;

	create(h, arena_printf(&h->f->arena, "{\"id\":\"%s\",%s}", id, body).p);
	must(campaign_start(h->f->db, &h->f->arena, str_of(id), &start, &c, &e), &e);
	must(claim_take(h->f->db, CLAIM_PLAN, c.no, 30000, &claim, &got, &e), &e);
	assert_true(got);
	must(planner_plan(h->f->db, &h->f->arena, &h->config, &claim, &e), &e);
	return look(h, id);
}

static void
prepare(struct work *k)
{
	struct err e;

	must(batch_prepare(k->h->f->db, &k->arena, &k->sending, &k->batch, 20000, &k->homes,
		     &k->prepared, &e),
		&e);
}

static bool
write_in(struct db *w, void *arg, struct err *e)
{
	struct work *k = arg;

	return batch_write(w, &k->prepared, &k->lost, e);
}

/* Plans a campaign, claims its batch and prepares it. */
static void
begin(struct work *k, struct house *h, const char *id, const char *body)
{
	struct campaign c = plan(h, id, body);
	struct err e;

	*k = (struct work){.h = h};
	arena_init(&k->arena, 65536, SIZE_MAX);
	must(db_write_beside(h->f->db, claim_in, k, &e), &e);
	assert_int_equal(k->batch.campaign, c.no);
	must(sending_load(&k->sending, h->f->db, c.no, &e), &e);
	prepare(k);
}

/* It is written, and the campaign completed. */
static struct campaign
commit(struct work *k, const char *id)
{
	struct campaign c;
	struct err e;

	must(db_write_beside(k->h->f->db, write_in, k, &e), &e);
	sending_fini(&k->sending);
	arena_fini(&k->arena);
	c = look(k->h, id);
	assert_str(c.status, "completed");
	check_books(k->h);
	return c;
}

/* It collides, and nothing of it stays; then it is prepared and written again. */
static struct campaign
collide_and_commit(struct work *k, const char *id)
{
	static const char counts[] = "SELECT (SELECT COUNT(*) FROM channels) + 1000 * "
				     "(SELECT COUNT(*) FROM members) + 1000000 * "
				     "(SELECT COUNT(*) FROM messages)";
	int64_t before = value(k->h, counts, NO_ARGS);
	struct err e;

	must_fail(db_write_beside(k->h->f->db, write_in, k, &e), &e, ERR_STALE, "");
	assert_false(k->lost);
	assert_int_equal(value(k->h, counts, NO_ARGS), before);
	prepare(k);
	return commit(k, id);
}

/* A campaign that nothing disturbs. */
static struct campaign
send(struct house *h, const char *id, const char *body)
{
	struct work k;

	begin(&k, h, id, body);
	return commit(&k, id);
}

#define TO_BOB_AND_DAN ",\"user_ids\":[\"bob\",\"dan\"]"
/* ann's form of the ids that end in "-ann". */
#define MAKE_FORM(h) \
	send(h, "form", FROM_ANN "," HI "," CREATE "," BY_AFFIX ",\"user_ids\":[\"fay\"]")
#define BY_NICK                                                                     \
	FROM_ANN "," HI "," CREATE "," CHANNEL(",\"id\":\"{{receiver.nick}}-ann\"") \
		TO_BOB_AND_DAN
#define NICKS(b, d)                                       \
	"[{\"id\":\"bob\",\"name\":\"Bob\",\"nick\":\"" b \
	"\"},{\"id\":\"dan\",\"name\":\"Dan\",\"nick\":\"" d "\"}]"

/* ---- ids that are stored ---------------------------------------------------------- */

static void
nothing_happens_meanwhile(void **state)
{
	struct house *h = *state;
	struct campaign c;

	put_users(h->f, NICKS("x", "y"), NULL);
	c = send(h, "c", BY_NICK);
	assert_int_equal(c.form, 0);
	assert_int_equal(c.tallies.sent, 2);
	assert_int_equal(c.channels_created, 2);
}

static void
the_api_stores_the_same_id(void **state)
{
	struct house *h = *state;
	struct channel before;
	struct campaign c;
	struct work k;

	put_users(h->f, NICKS("x", "y"), NULL);
	begin(&k, h, "c", BY_NICK);
	before = API_CHANNEL(h, "x-ann", "cid", "bob");
	c = collide_and_commit(&k, "c");
	assert_int_equal(c.tallies.sent, 2);
	assert_int_equal(c.channels_created, 1);
	assert_int_equal(channel(h, "x-ann").no, before.no);
	MEMBERS(h, &before, "bob", "cid");
	says(h, &before, "Hi Bob");
}

/* The same id by two campaigns at once: the second batch finds what the first has made. */
static void
another_campaign_stores_the_same_ids(void **state)
{
	struct house *h = *state;
	struct campaign c[2];
	struct channel bob;
	struct work k[2];

	put_users(h->f, NICKS("x", "y"), NULL);
	begin(&k[0], h, "one", BY_NICK);
	begin(&k[1], h, "two", BY_NICK);
	c[0] = commit(&k[0], "one");
	c[1] = collide_and_commit(&k[1], "two");
	assert_int_equal(c[0].channels_created, 2);
	assert_int_equal(c[1].channels_created, 0);
	bob = channel(h, "x-ann");
	assert_int_equal(messages_in(h, &bob), 2);
	assert_int_equal(bob.origin, c[0].no);
}

static void
receivers_share_an_id(void **state)
{
	struct house *h = *state;
	struct channel both;
	struct campaign c;

	put_users(h->f, NICKS("x", "x"), NULL);
	c = send(h, "c", BY_NICK);
	assert_int_equal(c.channels_created, 1);
	both = channel(h, "x-ann");
	assert_int_equal(messages_in(h, &both), 2);
	/* Its member is the one it was made for. */
	MEMBERS(h, &both, "ann", "bob");
}

/* The first of those who share an id gets no message, so the channel is the second's. */
static void
the_first_who_shares_an_id_fails(void **state)
{
	struct house *h = *state;
	struct channel both;
	struct campaign c;
	struct buf name;

	buf_init(&name, &h->f->arena, 6000);
	memset(buf_room(&name, 5500), 'n', 5500);
	name.n = 5500;
	put_users(h->f, NICKS("x", "x"), NULL);
	run(h, "UPDATE users SET name = $1 WHERE id = 'bob'", ARGS(V_TEXT(buf_view(&name))));
	c = send(h, "c", BY_NICK);
	assert_int_equal(tally(&c, OUTCOME_MESSAGE_TOO_LONG), 1);
	assert_int_equal(c.tallies.sent, 1);
	both = channel(h, "x-ann");
	MEMBERS(h, &both, "ann", "dan");
}

/* ---- ids that fit a form ---------------------------------------------------------- */

/* Each id leads to a number: the receiver's own, another user's, or none. */
static void
ids_fall_on_numbers(void **state)
{
	struct house *h = *state;
	struct campaign form = MAKE_FORM(h), c;
	struct channel own, foreign, stored;
	struct form f;
	struct err e;

	put_users(h->f, NICKS("bob", "cid"), NULL);
	put_users(h->f, "[{\"id\":\"eve\",\"name\":\"Eve\",\"nick\":\"nobody\"}]", NULL);
	c = send(h, "c",
		FROM_ANN "," HI "," CREATE "," CHANNEL(
			",\"id\":\"{{receiver.nick}}-ann\",\"custom\":{\"a\":1},"
			"\"members_template\":[{\"user_id\":\"fay\","
			"\"channel_role\":\"channel_moderator\"},"
			"{\"user_id\":\"ann\"}]") ",\"sender_visibility\":\"hidden\","
						  "\"user_ids\":[\"bob\",\"dan\",\"eve\"]");
	assert_int_equal(c.form, 0);
	assert_int_equal(c.channels_created, 3);

	own = channel(h, "bob-ann");
	assert_int_equal(own.no, CHANNEL_NO(uid_of(h, "bob"), form.form));
	assert_int_equal(own.origin, c.no);
	assert_str(own.custom, "{\"a\":1}");
	MEMBERS(h, &own, "ann", "bob", "fay");

	/* On cid's number nothing follows, so that nobody takes him for a member. */
	foreign = channel(h, "cid-ann");
	assert_int_equal(foreign.no, CHANNEL_NO(uid_of(h, "cid"), form.form));
	assert_int_equal(foreign.origin, 0);
	assert_int_equal(foreign.creator, uid_of(h, "ann"));
	assert_str(foreign.custom, "{\"a\":1}");
	MEMBERS(h, &foreign, "ann", "dan", "fay");
	assert_int_equal(value(h,
				 "SELECT COUNT(*) FROM members WHERE channel = $1 AND uid = $2 "
				 "AND role = 'channel_moderator' AND hidden_at IS NULL",
				 ARGS(V_INT(foreign.no), V_INT(uid_of(h, "fay")))),
		1);
	assert_int_equal(value(h,
				 "SELECT COUNT(*) FROM members WHERE channel = $1 AND uid = $2 "
				 "AND hidden_at = created_at",
				 ARGS(V_INT(foreign.no), V_INT(uid_of(h, "ann")))),
		1);

	stored = channel(h, "nobody-ann");
	assert_int_equal(CHANNEL_FORM(stored.no), 0);
	assert_int_equal(stored.origin, c.no);
	MEMBERS(h, &stored, "ann", "eve", "fay");
	must(form_get(h->f->db, &h->f->arena, form.form, &f, &e), &e);
	assert_true(f.shadowed);
	says(h, &own, "Hi Bob");
	says(h, &foreign, "Hi Dan");
	says(h, &stored, "Hi Eve");
}

static void
the_api_makes_the_derived_channel(void **state)
{
	struct house *h = *state;
	struct channel before;
	struct campaign c;
	struct work k;

	MAKE_FORM(h);
	put_users(h->f, NICKS("cid", "x"), NULL);
	begin(&k, h, "c", BY_NICK);
	before = API_CHANNEL(h, "cid-ann", "eve", "cid");
	assert_int_not_equal(CHANNEL_FORM(before.no), 0);
	c = collide_and_commit(&k, "c");
	assert_int_equal(c.channels_created, 1);
	assert_int_equal(channel(h, "cid-ann").no, before.no);
	MEMBERS(h, &before, "eve", "cid");
	says(h, &before, "Hi Bob");
}

static void
a_form_comes_up(void **state)
{
	struct house *h = *state;
	struct campaign form, c;
	struct work k;
	struct form f;
	struct err e;

	put_users(h->f, NICKS("bob", "nobody"), NULL);
	begin(&k, h, "c", BY_NICK);
	form = plan(
		h, "form", FROM_ANN "," HI "," CREATE "," BY_AFFIX ",\"user_ids\":[\"fay\"]");
	c = collide_and_commit(&k, "c");
	assert_int_equal(c.channels_created, 2);
	assert_int_equal(channel(h, "bob-ann").no, CHANNEL_NO(uid_of(h, "bob"), form.form));
	must(form_get(h->f->db, &h->f->arena, form.form, &f, &e), &e);
	assert_true(f.shadowed);
}

/* An id fits a form, and the user in it comes up. */
static void
a_user_comes_up(void **state)
{
	struct house *h = *state;
	struct campaign form = MAKE_FORM(h), c;
	struct work k;

	put_users(h->f, NICKS("zoe", "x"), NULL);
	begin(&k, h, "c", BY_NICK);
	put_users(h->f, "[{\"id\":\"zoe\"}]", NULL);
	c = collide_and_commit(&k, "c");
	assert_int_equal(c.channels_created, 2);
	assert_int_equal(channel(h, "zoe-ann").no, CHANNEL_NO(uid_of(h, "zoe"), form.form));
}

/* Somebody began to store an id before the user in it came up, and ends only now. */
static void
an_id_is_stored_that_is_to_be_derived(void **state)
{
	struct house *h = *state;
	struct campaign c;
	struct work k;

	MAKE_FORM(h);
	put_users(h->f, NICKS("cid", "x"), NULL);
	begin(&k, h, "c", BY_NICK);
	run(h, "INSERT INTO channel_ids (cid, no) VALUES ('messaging:cid-ann', 409600)",
		NO_ARGS);
	run(h,
		"INSERT INTO channels (no, origin, created_at, cid) "
		"VALUES (409600, 0, 1, 'messaging:cid-ann')",
		NO_ARGS);
	c = collide_and_commit(&k, "c");
	assert_int_equal(c.channels_created, 1);
	assert_int_equal(channel(h, "cid-ann").no, 409600);
}

/* An id of a form is stored, so the campaign of the form must look for its channels. */
static void
a_form_is_shadowed(void **state)
{
	struct house *h = *state;
	struct channel before;
	struct campaign c;
	struct work k;

	MAKE_FORM(h);
	begin(&k, h, "c", FROM_ANN "," HI "," CREATE "," BY_AFFIX TO_BOB_AND_DAN);
	before = API_CHANNEL(h, "nobody-ann", "eve");
	c = collide_and_commit(&k, "c");
	assert_int_equal(CHANNEL_FORM(before.no), 0);
	assert_int_equal(c.channels_created, 2);
	assert_int_equal(CHANNEL_FORM(channel(h, "bob-ann").no), c.form);
}

/* ---- distinct channels ------------------------------------------------------------ */

/* ann writes to bob, and bob begins to write to ann. */
static void
the_other_side_comes_up(void **state)
{
	struct house *h = *state;
	struct channel both;
	struct campaign c;
	struct work k;

	begin(&k, h, "to-bob", FROM_ANN "," HI "," CREATE "," CHANNEL("") TO_BOB_AND_DAN);
	c = plan(h, "to-ann",
		"\"sender_id\":\"bob\"," HI "," CREATE
		"," CHANNEL("") ",\"user_ids\":[\"ann\",\"fay\"]");
	assert_true(c.form > 0);
	c = collide_and_commit(&k, "to-bob");
	assert_int_equal(c.channels_created, 2);
	both = DISTINCT(h, "ann", "bob");
	MEMBERS(h, &both, "ann", "bob");
	says(h, &both, "Hi Bob");
}

/* Both write at once, each having looked for the other: one of them makes the channel. */
static void
both_sides_write_at_once(void **state)
{
	struct house *h = *state;
	struct channel both;
	struct campaign c;
	struct work k[2];

	send(h, "ann", FROM_ANN "," HI "," CREATE "," CHANNEL("") ",\"user_ids\":[\"fay\"]");
	send(h, "bob",
		"\"sender_id\":\"bob\"," HI "," CREATE
		"," CHANNEL("") ",\"user_ids\":[\"fay\"]");
	begin(&k[0], h, "to-bob", FROM_ANN "," HI "," CREATE "," CHANNEL("") TO_BOB_AND_DAN);
	begin(&k[1], h, "to-ann",
		"\"sender_id\":\"bob\"," HI "," CREATE
		"," CHANNEL("") ",\"user_ids\":[\"ann\",\"eve\"]");
	c = commit(&k[0], "to-bob");
	assert_int_equal(c.channels_created, 2);
	c = collide_and_commit(&k[1], "to-ann");
	assert_int_equal(c.channels_created, 1);
	both = DISTINCT(h, "ann", "bob");
	MEMBERS(h, &both, "ann", "bob");
	assert_int_equal(messages_in(h, &both), 2);
}

/* ---- numbers ------------------------------------------------------------------------ */

/* No home is given twice, whoever asks. */
static void
homes_are_given_once(void **state)
{
	struct house *h = *state;
	struct channel_homes mine = {0}, yours = {0};
	int64_t first, last = 0;
	struct err e;

	for (int i = 0; i < 3; i++) {
		must(channel_homes_take(&mine, h->f->db, 30000, &first, &e), &e);
		assert_true(first > last);
		last = first + 29999;
	}
	must(channel_homes_take(&yours, h->f->db, 100000, &first, &e), &e);
	assert_true(first > last);
	assert_int_equal(yours.left, 0);
	last = first + 99999;
	assert_true(CHANNEL_HOME(API_CHANNEL(h, "x", "ann").no) > last);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_still, teardown_still)
	const struct CMUnitTest tests[] = {
		TEST(nothing_happens_meanwhile),
		TEST(the_api_stores_the_same_id),
		TEST(another_campaign_stores_the_same_ids),
		TEST(receivers_share_an_id),
		TEST(the_first_who_shares_an_id_fails),
		TEST(ids_fall_on_numbers),
		TEST(the_api_makes_the_derived_channel),
		TEST(a_form_comes_up),
		TEST(a_user_comes_up),
		TEST(an_id_is_stored_that_is_to_be_derived),
		TEST(a_form_is_shadowed),
		TEST(the_other_side_comes_up),
		TEST(both_sides_write_at_once),
		TEST(homes_are_given_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
