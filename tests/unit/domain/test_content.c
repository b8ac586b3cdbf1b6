/* test_content – the templates of a campaign: what compiles, what varies, what is refused. */
#include "domain/content.h"
#include "domain/template.h"
#include "store_fixture.h"

#define TEXT "{\"text\":\"hi\"}"

static struct content
compile(struct arena *a, const char *message, const char *channel)
{
	struct content c;
	struct err e;

	must(content_compile(a, str_of(message), str_of(channel), &c, &e), &e);
	return c;
}

static void
refuses(struct arena *a, const char *message, const char *channel, const char *text)
{
	struct content c;
	struct err e;
	bool ok = content_compile(a, str_of(message), str_of(channel), &c, &e);

	if (ok)
		print_error("%s %s is accepted\n", message, channel != NULL ? channel : "");
	must_fail(ok, &e, ERR_INPUT, text);
}

/* ---- messages -------------------------------------------------------------------- */

static void
text_alone(void **state)
{
	struct content c = compile(*state, TEXT, NULL);

	assert_non_null(c.text);
	assert_null(c.extra);
	assert_false(c.has_channel_template);
	assert_str(c.channel_type, "messaging");
	assert_null(c.channel_id);
	assert_int_equal(c.nmembers, 0);
	assert_false(c.uses_channel);
	assert_null(c.poll_id.p);
}

/* It is no part of what is rendered: no message stores it. */
static void
a_poll_is_named_once(void **state)
{
	struct content c =
		compile(*state, "{\"text\":\"x\",\"poll_id\":\"{{receiver.id}}\"}", NULL);

	assert_str(c.poll_id, "{{receiver.id}}");
	assert_null(c.extra);
	c = compile(*state, "{\"text\":\"x\",\"poll_id\":\"\"}", NULL);
	assert_null(c.poll_id.p);
}

/* What is the same for everybody is read from the campaign and stored with no message. */
static void
extra_constant_or_not(void **state)
{
	static const struct {
		const char *message;
		bool varies;
	} cases[] = {
		{"{\"text\":\"x\",\"custom\":{}}", false},
		{"{\"text\":\"x\",\"attachments\":[]}", false},
		{"{\"text\":\"x\",\"attachments\":null,\"custom\":null}", false},
		{"{\"text\":\"{{receiver.name}}\",\"custom\":{\"a\":1}}", false},
		{"{\"text\":\"x\",\"custom\":{\"a\":{\"b\":[1,2.5,null,true,\"{c}\"]}}}",
			false},
		{"{\"text\":\"x\",\"attachments\":[{\"type\":\"image\"}]}", false},
		{"{\"text\":\"x\",\"custom\":{\"{{receiver.id}}\":\"keys stay\"}}", false},
		{"{\"text\":\"x\",\"custom\":{\"a\":\"{{receiver.id}}\"}}", true},
		{"{\"text\":\"x\",\"custom\":{\"a\":{\"b\":[\"{{sender.id}}\"]}}}", true},
		{"{\"text\":\"x\",\"attachments\":[{\"title\":\"{{receiver.name}}\"}]}", true},
		{"{\"text\":\"x\",\"custom\":{\"a\":\"{% if receiver.x %}{% endif %}\"}}",
			true},
		/* Constant, yet it does not come out as it stands. */
		{"{\"text\":\"x\",\"custom\":{\"a\":\"{# gone #}b\"}}", true},
		{"{\"text\":\"x\",\"custom\":{\"a\":\"{% raw %}{{b}}{% endraw %}\"}}", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct content c = compile(*state, cases[i].message, NULL);

		if ((c.extra != NULL) != cases[i].varies)
			print_error("%s\n", cases[i].message);
		assert_int_equal(c.extra != NULL, cases[i].varies);
	}
}

static void
use_of_the_channel_is_known(void **state)
{
	assert_true(compile(*state, "{\"text\":\"{{channel.id}}\"}", NULL).uses_channel);
	assert_true(compile(*state, "{\"text\":\"{{Channel.cid}}\"}", NULL).uses_channel);
	assert_true(compile(*state, "{\"text\":\"{% if channel.team %}x{% endif %}\"}", NULL)
			    .uses_channel);
	assert_true(
		compile(*state, "{\"text\":\"x\",\"custom\":{\"a\":\"{{channel.id}}\"}}", NULL)
			.uses_channel);
	assert_false(compile(*state, "{\"text\":\"{{receiver.channel}}\"}", NULL).uses_channel);
	assert_false(compile(*state, "{\"text\":\"channel\"}", NULL).uses_channel);
}

static void
messages_refused(void **state)
{
	static const struct {
		const char *message, *says;
	} cases[] = {
		{"{}", "message_template.text"},
		{"{\"text\":null}", "message_template.text"},
		{"{\"text\":7}", "message_template.text"},
		{"{\"text\":\"x\",\"attachments\":{}}", "message_template.attachments"},
		{"{\"text\":\"x\",\"attachments\":[{},7]}", "message_template.attachments[1]"},
		{"{\"text\":\"x\",\"custom\":[]}", "message_template.custom"},
		{"{\"text\":\"x\",\"poll_id\":7}", "message_template.poll_id"},
		{"{\"text\":\"x\",\"searchable\":\"yes\"}", "message_template.searchable"},
		{"{\"text\":\"a\\nbc {{ receiver.name\"}", "message_template.text: line 2"},
		{"{\"text\":\"{% for x in y %}\"}", "message_template.text: line 1, column 4"},
		{"{\"text\":\"{{ receiver.name|nothing }}\"}", "nothing"},
		{"{\"text\":\"{% if receiver.x %}\"}", "message_template.text"},
		{"{\"text\":\"x\",\"custom\":{\"deep\":{\"er\":\"{{\"}}}", "custom.deep.er"},
		{"{\"text\":\"x\",\"attachments\":[{},{\"t\":\"{% x %}\"}]}",
			"attachments[1].t"},
	};
	struct buf many;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		refuses(*state, cases[i].message, NULL, cases[i].says);
	for (int n = 30; n <= 31; n++) {
		struct content c;
		struct err e;
		bool ok;

		buf_init(&many, *state, 256);
		buf_str(&many, STR("{\"text\":\"x\",\"attachments\":["));
		for (int i = 0; i < n; i++)
			buf_str(&many, i ? STR(",{}") : STR("{}"));
		buf_str(&many, STR("]}"));
		ok = content_compile(*state, buf_view(&many), STR_NONE, &c, &e);
		if (n == 30)
			must(ok, &e);
		else
			must_fail(ok, &e, ERR_INPUT, "message_template.attachments");
	}
}

/* ---- channels -------------------------------------------------------------------- */

static void
channel_of_a_type(void **state)
{
	struct content c = compile(*state, TEXT, "{\"type\":\"team\"}");

	assert_true(c.has_channel_template);
	assert_str(c.channel_type, "team");
	assert_null(c.channel_id);
	assert_null(c.channel_custom);
	c = compile(*state, TEXT, "{\"type\":\"team\",\"id\":\"{{receiver.id}}-x\"}");
	assert_non_null(c.channel_id);
	c = compile(*state, TEXT, "{\"type\":\"team\",\"id\":\"\"}");
	assert_null(c.channel_id);
}

static void
channel_custom_constant_or_not(void **state)
{
	assert_null(compile(*state, TEXT, "{\"type\":\"team\",\"custom\":{}}").channel_custom);
	assert_null(compile(*state, TEXT, "{\"type\":\"team\",\"custom\":{\"a\":\"b\"}}")
			    .channel_custom);
	assert_non_null(compile(
		*state, TEXT, "{\"type\":\"team\",\"custom\":{\"a\":\"{{sender.id}}\"}}")
				.channel_custom);
}

static void
team_constant_or_not(void **state)
{
	static const struct {
		const char *team, *constant; /* NULL: it varies */
	} cases[] = {
		{"red", "red"},
		{"{# nothing #}", ""},
		{"r{{ 'e' }}d", "red"},
		{"{{ receiver.squad }}", NULL},
		{"{{ sender.id }}-x", NULL},
	};
	struct content c = compile(*state, TEXT, "{\"type\":\"team\",\"team\":\"\"}");

	assert_false(c.has_team);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		c = compile(*state, TEXT,
			arena_printf(
				*state, "{\"type\":\"team\",\"team\":\"%s\"}", cases[i].team)
				.p);
		assert_true(c.has_team);
		assert_int_equal(c.channel_team == NULL, cases[i].constant != NULL);
		if (cases[i].constant != NULL)
			assert_str(c.constant_team, cases[i].constant);
	}
	refuses(*state, TEXT, "{\"type\":\"team\",\"team\":\"{{ x\"}",
		"channel_template.team: ");
}

static void
members_of_both_shapes(void **state)
{
	struct content c =
		compile(*state, TEXT, "{\"type\":\"team\",\"members\":[\"ann\",\"bob\"]}");

	assert_int_equal(c.nmembers, 2);
	assert_str(c.members[0].user_id, "ann");
	assert_str(c.members[1].user_id, "bob");
	assert_null(c.members[0].role.p);
	assert_null(c.members[0].custom.p);
	c = compile(*state, TEXT,
		"{\"type\":\"team\",\"members\":[],\"members_template\":["
		"{\"user_id\":\"ann\",\"channel_role\":\"channel_moderator\"},"
		"{\"user_id\":\"bob\",\"custom\":{\"a\":\"{{not rendered}}\"}}]}");
	assert_int_equal(c.nmembers, 2);
	assert_str(c.members[0].role, "channel_moderator");
	assert_null(c.members[0].custom.p);
	assert_null(c.members[1].role.p);
	assert_str(c.members[1].custom, "{\"a\":\"{{not rendered}}\"}");
}

static void
channels_refused(void **state)
{
	static const struct {
		const char *channel, *says;
	} cases[] = {
		{"{}", "channel_template.type"},
		{"{\"type\":7}", "channel_template.type"},
		{"{\"type\":\"a b\"}", "channel_template.type: \"a b\""},
		{"{\"type\":\"\"}", "channel_template.type"},
		{"{\"type\":\"team\",\"id\":7}", "channel_template.id"},
		{"{\"type\":\"team\",\"id\":\"{{receiver.id\"}", "channel_template.id: line 1"},
		{"{\"type\":\"team\",\"team\":7}", "channel_template.team"},
		{"{\"type\":\"team\",\"custom\":7}", "channel_template.custom"},
		{"{\"type\":\"team\",\"custom\":{\"a\":\"{% x %}\"}}",
			"channel_template.custom"},
		{"{\"type\":\"team\",\"members\":[\"a\"],\"members_template\":[{\"user_id\":"
		 "\"b\"}]}",
			"channel_template.members: cannot be used together with"},
		{"{\"type\":\"team\",\"members\":[\"a\",7]}", "channel_template.members[1]"},
		{"{\"type\":\"team\",\"members\":[\"a\",\"b c\"]}", "\"b c\" is not a user id"},
		{"{\"type\":\"team\",\"members\":{}}", "channel_template.members"},
		{"{\"type\":\"team\",\"members_template\":[7]}",
			"channel_template.members_template[0]"},
		{"{\"type\":\"team\",\"members_template\":[{\"user_id\":\"a\"},{}]}",
			"channel_template.members_template[1].user_id"},
		{"{\"type\":\"team\",\"members_template\":[{\"user_id\":\"a\",\"channel_role\":"
		 "7}]}",
			"channel_template.members_template[0].channel_role"},
		{"{\"type\":\"team\",\"members_template\":[{\"user_id\":\"a\",\"custom\":[]}]}",
			"channel_template.members_template[0].custom"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		refuses(*state, TEXT, cases[i].channel, cases[i].says);
}

static void
as_many_members_as_allowed(void **state)
{
	static const char *const keys[] = {"members", "members_template"};

	for (int k = 0; k < 4; k++) {
		int n = 1000 + k / 2;
		struct content c;
		struct buf b;
		struct err e;
		bool ok;

		buf_init(&b, *state, 32768);
		buf_printf(&b, "{\"type\":\"team\",\"%s\":[", keys[k % 2]);
		for (int i = 0; i < n; i++)
			buf_printf(&b, k % 2 ? "%s{\"user_id\":\"u%d\"}" : "%s\"u%d\"",
				i ? "," : "", i);
		buf_str(&b, STR("]}"));
		ok = content_compile(*state, STR(TEXT), buf_view(&b), &c, &e);
		if (n == 1000) {
			must(ok, &e);
			assert_int_equal(c.nmembers, 1000);
		} else {
			must_fail(ok, &e, ERR_INPUT, keys[k % 2]);
		}
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)
	const struct CMUnitTest tests[] = {
		TEST(text_alone),
		TEST(a_poll_is_named_once),
		TEST(extra_constant_or_not),
		TEST(use_of_the_channel_is_known),
		TEST(messages_refused),
		TEST(channel_of_a_type),
		TEST(channel_custom_constant_or_not),
		TEST(team_constant_or_not),
		TEST(members_of_both_shapes),
		TEST(channels_refused),
		TEST(as_many_members_as_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
