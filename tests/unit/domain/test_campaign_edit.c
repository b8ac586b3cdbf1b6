/* test_campaign_edit – what a campaign may be and be made into: create, update. */
#include "campaign_fixture.h"
#include "domain/bitset.h"
#include "domain/poll.h"

/* ---- create ---------------------------------------------------------------------- */

static void
create_and_read_back(void **state)
{
	struct fixture *f = *state;
	struct campaign made, got;
	struct err e;

	made = create(f,
		"{\"id\":\"c\",\"name\":\"n\",\"description\":\"d\"," ANN ","
		"\"sender_mode\":\"include\",\"sender_visibility\":\"hidden\","
		"\"create_channels\":true,\"show_channels\":true,\"skip_push\":true,"
		"\"skip_webhook\":true,"
		"\"message_template\":{\"text\":\"{{receiver.name}}\",\"custom\":{\"k\":1.50}},"
		"\"channel_template\":{\"type\":\"messaging\"},"
		"\"segment_ids\":[\"s2\",\"s1\"],\"user_ids\":[]}");
	got = look(f, "c");
	assert_string_equal(told(f, &made), told(f, &got));
	assert_str(got.status, "draft");
	assert_str(got.sender_mode, "include");
	assert_str(got.sender_visibility, "hidden");
	assert_true(
		got.create_channels && got.show_channels && got.skip_push && got.skip_webhook);
	assert_str(got.channel_template, "{\"type\":\"messaging\"}");
	assert_int_equal(got.nsegments, 2);
	assert_str(got.segment_ids[0], "s2");
	assert_str(got.segment_ids[1], "s1");
	assert_int_equal(got.user_set, 0);
	assert_int_equal(got.tallies.n, 0);
	assert_int_equal(got.deleted_at, NO_TIME);
	assert_int_equal(got.created_at, got.updated_at);
	must(campaign_by_no(f->db, &f->arena, made.no, &got, &e), &e);
	assert_string_equal(told(f, &made), told(f, &got));
}

static void
create_with_little(void **state)
{
	struct fixture *f = *state;
	struct campaign c = create(f, "{\"id\":null," BASE "}"), other;

	assert_int_equal(c.id.n, 36);
	assert_str(c.name, "");
	assert_str(c.description, "");
	assert_str(c.sender_mode, "");
	assert_str(c.sender_visibility, "");
	assert_false(c.create_channels || c.show_channels || c.skip_push || c.skip_webhook);
	assert_null(c.channel_template.p);
	assert_int_equal(c.nsegments, 0);
	other = create(
		f, "{\"id\":\"\",\"sender_mode\":\"\",\"sender_visibility\":null," BASE "}");
	assert_int_equal(other.id.n, 36);
	assert_int_not_equal(other.no, c.no);
}

static void
create_refuses(void **state)
{
	static const struct {
		const char *body;
		enum err_code code;
		const char *says;
	} cases[] = {
		{HI, ERR_INPUT, "sender_id"},
		{ANN, ERR_INPUT, "message_template"},
		{ANN ",\"message_template\":{}", ERR_INPUT, "message_template.text"},
		{ANN ",\"message_template\":{\"text\":\"{{\"}", ERR_INPUT, "line 1"},
		{ANN ",\"message_template\":\"hi\"", ERR_INPUT, "message_template"},
		{BASE ",\"segment_ids\":[\"s1\"],\"user_ids\":[\"bob\"]", ERR_INPUT,
			"segment_ids: cannot be used together with user_ids"},
		{BASE ",\"segment_ids\":[null]", ERR_INPUT, "segment_ids[0]: is null"},
		{BASE ",\"segment_ids\":\"s1\"", ERR_INPUT, "segment_ids"},
		{BASE ",\"segment_ids\":[\"s1\",\"none\"]", ERR_NOT_FOUND, "none"},
		{BASE ",\"user_ids\":[\"bob\",7]", ERR_INPUT, "user_ids[1]"},
		{BASE ",\"user_ids\":[\"bob\",\"a b\"]", ERR_INPUT,
			"user_ids[1]: \"a b\" is not a user id"},
		{BASE ",\"create_channels\":true", ERR_INPUT, "channel_template: is required"},
		{BASE ",\"create_channels\":\"yes\"", ERR_INPUT, "create_channels"},
		{BASE ",\"skip_push\":1", ERR_INPUT, "skip_push"},
		{BASE ",\"sender_mode\":\"maybe\"", ERR_INPUT, "sender_mode: \"maybe\""},
		{BASE ",\"sender_visibility\":\"seen\"", ERR_INPUT,
			"sender_visibility: \"seen\""},
		{BASE ",\"name\":7", ERR_INPUT, "name"},
		{HI ",\"sender_id\":\"nobody\"", ERR_NOT_FOUND, "nobody"},
		{ANN ",\"message_template\":{\"text\":\"x\",\"poll_id\":\"none\"}",
			ERR_NOT_FOUND,
			"message_template.poll_id: poll with id none doesn't exist"},
		{BASE ",\"channel_template\":{}", ERR_INPUT, "channel_template.type"},
		{BASE ",\"channel_template\":{\"type\":\"messaging\",\"members\":[\"a\"],"
		      "\"members_template\":[{\"user_id\":\"b\"}]}",
			ERR_INPUT, "members"},
	};
	struct fixture *f = *state;
	struct campaign c;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		must_fail(try_create(f,
				  arena_printf(&f->arena, "{\"id\":\"c\",%s}", cases[i].body).p,
				  &c, &e),
			&e, cases[i].code, cases[i].says);
	must_fail(campaign_get(f->db, &f->arena, STR("c"), &c, &e), &e, ERR_NOT_FOUND, "c");
}

/* The poll must be there when a template names it, and may go afterwards. */
static void
a_poll_is_looked_up_when_it_is_named(void **state)
{
	static const char with_poll[] =
		"{\"id\":\"c\"," ANN ",\"user_ids\":[\"bob\"],"
		"\"message_template\":{\"text\":\"x\",\"poll_id\":\"p\"}}";
	struct fixture *f = *state;
	struct poll_edit d = POLL_EDIT_NONE;
	struct campaign c;
	struct str id;
	struct err e;

	create(f, "{\"id\":\"bare\"," ANN
		  ",\"message_template\":{\"text\":\"x\",\"poll_id\":\"\"}}");
	must_fail(try_update(f, "bare", with_poll, &c, &e), &e, ERR_NOT_FOUND,
		"message_template.poll_id: poll with id p doesn't exist");
	d.id = STR("p");
	d.name = STR("Lunch?");
	must(poll_create(f->db, &f->arena, &d, 1, &id, &e), &e);
	create(f, with_poll);
	update(f, "bare", with_poll);
	must(poll_delete(f->db, &f->arena, STR("p"), 0, &e), &e);
	update(f, "c", "{\"name\":\"x\"}");
	must_fail(try_update(f, "c", with_poll, &c, &e), &e, ERR_NOT_FOUND, "p doesn't exist");
	must(try_start(f, "c", NO_TIME, NO_TIME, &c, &e), &e);
}

static void
limits_of_lists_and_texts(void **state)
{
	struct fixture *f = *state;
	struct campaign c = create(f, with_list(f, "segment_ids", "s1", 25));
	char text[5000];
	struct bitset audience;
	struct err e;

	assert_int_equal(c.nsegments, 25);
	must_fail(try_create(f, with_list(f, "segment_ids", "s1", 26), &c, &e), &e, ERR_INPUT,
		"segment_ids");
	c = create(f, with_list(f, "user_ids", "u%d", 10000));
	bitset_init(&audience);
	must(campaign_audience(f->db, &f->arena, &c, &audience, &e), &e);
	assert_int_equal(bitset_count(&audience), 10000);
	bitset_fini(&audience);
	must_fail(try_create(f, with_list(f, "user_ids", "u%d", 10001), &c, &e), &e, ERR_INPUT,
		"user_ids");
	memset(text, 'x', sizeof(text));
	create(f, arena_printf(&f->arena, "{\"id\":\"%.255s\"," BASE "}", text).p);
	must_fail(try_create(f, arena_printf(&f->arena, "{\"id\":\"%.256s\"," BASE "}", text).p,
			  &c, &e),
		&e, ERR_INPUT, "id");
}

static void
an_id_is_taken_until_deleted(void **state)
{
	struct fixture *f = *state;
	struct campaign first = create(f, "{\"id\":\"c\"," BASE ",\"user_ids\":[\"bob\"]}"), c;
	struct err e;

	must_fail(try_create(f, "{\"id\":\"c\"," BASE "}", &c, &e), &e, ERR_INPUT,
		"\"c\" exists already");
	must(campaign_delete(f->db, &f->arena, STR("c"), &e), &e);
	must_fail(campaign_get(f->db, &f->arena, STR("c"), &c, &e), &e, ERR_NOT_FOUND,
		"campaign with id c doesn't exist");
	must_fail(try_update(f, "c", "{\"name\":\"x\"}", &c, &e), &e, ERR_NOT_FOUND, "c");
	must_fail(try_start(f, "c", NO_TIME, NO_TIME, &c, &e), &e, ERR_NOT_FOUND, "c");
	must_fail(campaign_stop(f->db, &f->arena, STR("c"), &c, &e), &e, ERR_NOT_FOUND, "c");
	must_fail(campaign_delete(f->db, &f->arena, STR("c"), &e), &e, ERR_NOT_FOUND, "c");
	c = create(f, "{\"id\":\"c\"," BASE "}");
	assert_int_not_equal(c.no, first.no);
	assert_int_equal(look(f, "c").user_set, 0);
	must(campaign_by_no(f->db, &f->arena, first.no, &c, &e), &e);
	assert_true(c.deleted_at != NO_TIME);
	must_fail(campaign_by_no(f->db, &f->arena, 999, &c, &e), &e, ERR_NOT_FOUND, "999");
}

/* ---- update ---------------------------------------------------------------------- */

static void
update_is_partial(void **state)
{
	static const char *const edits[] = {"{}", "{\"name\":null}", "{\"id\":\"other\"}",
		"{\"name\":\"n2\"}", "{\"description\":\"\"}", "{\"skip_push\":true}",
		"{\"skip_push\":false,\"show_channels\":true}", "{\"sender_mode\":\"exclude\"}",
		"{\"sender_mode\":\"\"}", "{\"message_template\":{\"text\":\"new\"}}",
		"{\"channel_template\":{\"type\":\"team\"},\"create_channels\":true}",
		"{\"sender_id\":\"cid\"}", "{\"segment_ids\":[\"s3\"]}", "{\"segment_ids\":[]}",
		"{\"user_ids\":[\"bob\"]}", "{\"user_ids\":[],\"segment_ids\":[\"s1\"]}"};
	struct fixture *f = *state;
	struct campaign c, got;
	struct err e;

	create(f, "{\"id\":\"c\",\"name\":\"n\",\"description\":\"d\"," BASE
		  ",\"segment_ids\":[\"s1\",\"s2\"]}");
	for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
		c = update(f, "c", edits[i]);
		got = look(f, "c");
		assert_string_equal(told(f, &c), told(f, &got));
		assert_true(got.updated_at >= got.created_at);
	}
	assert_str(got.name, "n2");
	assert_str(got.description, "");
	assert_false(got.skip_push);
	assert_true(got.show_channels && got.create_channels);
	assert_str(got.sender_mode, "");
	assert_str(got.message_template, "{\"text\":\"new\"}");
	assert_str(got.channel_template, "{\"type\":\"team\"}");
	assert_int_equal(got.nsegments, 1);
	assert_str(got.segment_ids[0], "s1");
	assert_int_equal(got.user_set, 0);
	must_fail(campaign_get(f->db, &f->arena, STR("other"), &c, &e), &e, ERR_NOT_FOUND,
		"other");
}

/* What results must be a campaign, whatever the update says alone; and a refusal changes
 * nothing. */
static void
update_is_checked_as_a_whole(void **state)
{
	static const struct {
		const char *body;
		enum err_code code;
		const char *says;
	} cases[] = {
		{"{\"user_ids\":[\"bob\"]}", ERR_INPUT, "segment_ids"},
		{"{\"create_channels\":true}", ERR_INPUT, "channel_template"},
		{"{\"segment_ids\":[\"none\"],\"name\":\"x\"}", ERR_NOT_FOUND, "none"},
		{"{\"sender_id\":\"none\",\"name\":\"x\"}", ERR_NOT_FOUND, "none"},
		{"{\"message_template\":{\"text\":\"{% if %}\"},\"name\":\"x\"}", ERR_INPUT,
			"message_template.text"},
		{"{\"sender_mode\":\"x\",\"name\":\"x\"}", ERR_INPUT, "sender_mode"},
	};
	struct fixture *f = *state;
	struct campaign before = create(f, "{\"id\":\"c\"," BASE ",\"segment_ids\":[\"s1\"]}");
	struct campaign c;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		must_fail(try_update(f, "c", cases[i].body, &c, &e), &e, cases[i].code,
			cases[i].says);
		c = look(f, "c");
		assert_string_equal(told(f, &c), told(f, &before));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(create_and_read_back),
		TEST(create_with_little),
		TEST(create_refuses),
		TEST(a_poll_is_looked_up_when_it_is_named),
		TEST(limits_of_lists_and_texts),
		TEST(an_id_is_taken_until_deleted),
		TEST(update_is_partial),
		TEST(update_is_checked_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
