/* test_push_template – the language of push templates: what comes out, what is refused, and
 * that nothing a user says becomes structure (I-27). */
#include "../base/support.h"
#include "base/jr.h"
#include "domain/push_event.h"
#include "domain/push_template.h"

static const struct push_var vars[] = {
	{"sender", STR_INIT("{\"id\":\"ann\",\"name\":\"Ann\"}")},
	{"message", STR_INIT("{\"text\":\"say \\\"hi\\\"\\nnow\",\"n\":3,\"big\":7,\"ok\":true,"
			     "\"no\":false,\"nil\":null,\"tags\":[\"a\",\"b\"],\"none\":[],"
			     "\"deep\":{\"er\":\"x\"},\"digits\":\"12\",\"wide\":\"äöüß\","
			     "\"braces\":\"{{sender.id}}\"}")},
	{"members",
		STR_INIT("[{\"id\":\"ann\",\"name\":\"Ann\"},{\"id\":\"bob\",\"name\":\"B\"},"
			 "{\"id\":\"cid\"},{\"id\":\"dan\",\"name\":\"Dan\"}]")},
	{"one", STR_INIT("[{\"id\":\"ann\",\"name\":\"A \\\"x\\\"\"}]")},
	{"unread_count", STR_INIT("5")},
};

struct vector {
	const char *text, *want;
};

static struct str
render(struct arena *a, const char *text, bool *ok)
{
	const struct push_template *t;
	struct buf out;
	struct err e;

	must(push_template_compile(a, str_of(text), "template", &t, &e), &e);
	buf_init(&out, a, 64);
	buf_str(&out, STR("<"));
	*ok = push_template_render(t, a, vars, ARRAY_LEN(vars), &out);
	assert_int_equal(out.p[0], '<');
	return str_sub(buf_view(&out), 1, out.n - 1);
}

static void
check(struct arena *a, const struct vector *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool ok;
		struct str got = render(a, v[i].text, &ok);

		if (!str_eq(got, str_of(v[i].want)))
			print_error("%s\n gives %.*s\nwanted %s\n", v[i].text, STR_ARG(got),
				v[i].want);
		assert_true(ok && str_eq(got, str_of(v[i].want)));
	}
}

static void
values(void **state)
{
	static const struct vector v[] = {
		{"", ""},
		{"plain { } text", "plain { } text"},
		{"\"{{sender.name}}\"", "\"Ann\""},
		{"\"{{ sender.name }} {{{sender.id}}}\"", "\"Ann ann\""},
		{"{{sender.name}}", "\"Ann\""},
		{"{\"t\":\"{{message.text}}\"}", "{\"t\":\"say \\\"hi\\\"\\nnow\"}"},
		{"{\"t\":{{message.text}}}", "{\"t\":\"say \\\"hi\\\"\\nnow\"}"},
		{"{{unread_count}}", "5"},
		{"\"{{unread_count}}\"", "\"5\""},
		{"[{{message.ok}},{{message.no}}]", "[true,false]"},
		/* What is missing: nothing in a string, an empty one elsewhere. */
		{"\"{{message.gone}}|{{nobody.at.all}}|{{message.nil}}\"", "\"||\""},
		{"[{{message.gone}},{{message.nil}},{{message.text.more}}]",
			"[\"\",\"\",\"\"]"},
		/* Whole things are not spilled, and have no numbers. */
		{"[{{members}},{{message.deep}},{{message.tags}}]", "[[],{},[]]"},
		{"\"{{message.tags.0}}\"", "\"\""},
		{"{{message.deep.er}}", "\"x\""},
		{"\"a{{! not this }}b{{!-- nor }} this --}}c\"", "\"abc\""},
		/* An escaped quote does not end a string of JSON. */
		{"\"\\\"{{sender.id}}\\\"\"", "\"\\\"ann\\\"\""},
		/* What is written is not read again. */
		{"\"{{message.braces}}\"", "\"{{sender.id}}\""},
		{"\"{{'it}s'}}\"", "\"it}s\""},
		{"{{12}}", "12"},
		{"\"{{\"x\\y\"}}\"", "\"x\\\\y\""},
	};

	check(*state, v, ARRAY_LEN(v));
}

static void
helpers(void **state)
{
	static const struct vector v[] = {
		{"{{json message.tags}}", "[\"a\",\"b\"]"},
		{"{{json message.deep}}", "{\"er\":\"x\"}"},
		{"\"{{json message.deep}}\"", "\"{\\\"er\\\":\\\"x\\\"}\""},
		{"{{json message.gone}}", "null"},
		{"\"{{truncate message.wide 2}}\"", "\"äö...\""},
		{"\"{{truncate message.wide 4}}\"", "\"äöüß\""},
		{"{{truncate message.text 5}}", "\"say \\\"...\""},
		{"\"{{truncate message.text message.n}}\"", "\"say...\""},
		{"\"{{truncate message.gone 5}}\"", "\"\""},
		{"{{remainder members 3}}", "1"},
		{"{{remainder members 9}}", "0"},
		{"{{remainder message.gone 1}}", "0"},
		{"\"{{implodeMembers members}}\"", "\"Ann, B, cid and 1 other(s)\""},
		{"\"{{implodeMembers members limit=1 suffixFmt=\"+%d%s\"}}\"", "\"Ann +3%s\""},
		{"\"{{implodeMembers members limit=4}}\"", "\"Ann, B, cid, Dan\""},
		{"\"{{implodeMembers one}}\"", "\"A \\\"x\\\"\""},
		{"{{implodeMembers message.gone}}", "\"\""},
		{"\"{{implodeMembers members limit=2 suffixFmt='more'}}\"", "\"Ann, B more\""},
	};

	check(*state, v, ARRAY_LEN(v));
}

static void
blocks(void **state)
{
	static const struct vector v[] = {
		{"\"{{#if message.ok}}yes{{else}}no{{/if}}\"", "\"yes\""},
		{"\"{{#if message.gone}}yes{{else}}no{{/if}}\"", "\"no\""},
		{"\"{{#if message.none}}yes{{/if}}{{#if message.tags}}t{{/if}}\"", "\"t\""},
		{"\"{{#unless message.no}}a{{/unless}}{{#unless message.n}}b{{/unless}}\"",
			"\"a\""},
		{"[{{#if message.ok}}\"x\"{{else}}1{{/if}}]", "[\"x\"]"},
		{"\"{{#equal sender.id 'ann'}}={{else}}#{{/equal}}\"", "\"=\""},
		{"\"{{#unequal sender.id \"bob\"}}#{{/unequal}}\"", "\"#\""},
		{"\"{{#equal message.n 3}}3{{/equal}}{{#equal message.digits "
		 "12}}12{{/equal}}\"",
			"\"312\""},
		{"\"{{#equal message.gone message.nil}}=\\n{{/equal}}\"", "\"=\\n\""},
		{"\"{{#ifLt message.n 4}}a{{/ifLt}}{{#ifLte message.n 3}}b{{/ifLte}}"
		 "{{#ifGt message.n 3}}c{{/ifGt}}{{#ifGte message.n 3}}d{{/ifGte}}\"",
			"\"abd\""},
		{"\"{{#ifGt members 3}}many{{/ifGt}}{{#ifLt message.text 3}}x{{/ifLt}}\"",
			"\"many\""},
		{"\"{{#each members}}{{#if @first}}{{else}}, "
		 "{{/if}}{{@index}}{{id}}{{/each}}\"",
			"\"0ann, 1bob, 2cid, 3dan\""},
		{"[{{#each message.tags}}{{this}}{{#unless @last}},{{/unless}}{{/each}}]",
			"[\"a\",\"b\"]"},
		{"\"{{#each message.none}}x{{else}}nobody{{/each}}\"", "\"nobody\""},
		{"\"{{#each members}}{{#each message.tags}}{{this}}{{/each}}{{/each}}\"",
			"\"abababab\""},
		{"\"{{#each members}}{{#ifLte @index 1}}{{this.name}}{{#ifLt @index 1}}, "
		 "{{/ifLt}}{{/ifLte}}{{/each}}\"",
			"\"Ann, B\""},
		{"\"{{#if message.ok}}{{#if message.no}}a{{else}}b{{/if}}{{else}}c{{/if}}\"",
			"\"b\""},
	};

	check(*state, v, ARRAY_LEN(v));
}

static void
what_is_no_template(void **state)
{
	static const struct vector bad[] = {
		{"{{", "character 1: {{ is not closed"},
		{"äö{{sender.name}", "character 3: {{ is not closed"},
		{"{{{x}}", "not closed"},
		{"{{}}", "{{ }} is empty"},
		{"{{upper sender.name}}", "unknown helper \"upper\""},
		{"{{#with x}}{{/with}}", "unknown helper \"with\""},
		{"{{#if x}}", "missing the end of \"if\""},
		{"{{#if x}}{{else}}", "missing the end of \"if\""},
		{"{{#if x}}{{else}}{{else}}{{/if}}", "a second {{else}} of \"if\""},
		{"{{#if x}}{{/each}}", "unexpected end of \"each\""},
		{"{{/if}}", "unexpected end of \"if\""},
		{"{{else}}", "{{else}} outside of a block"},
		{"{{#if}}{{/if}}", "too few arguments for \"if\""},
		{"{{#equal x}}{{/equal}}", "too few arguments for \"equal\""},
		{"{{#if x y}}{{/if}}", "unexpected \"y\""},
		{"{{json x limit=3}}", "unexpected \"limit=3\""},
		{"{{implodeMembers members limit=}}", "unexpected \"limit=\""},
		{"{{members.[0].id}}", "expected a variable, got \"members.[0].id\""},
		{"{{../x}}", "expected a variable"},
		{"{{> partial}}", "expected a variable"},
		{"{{a..b}}", "expected a variable"},
		{"{{a.b.c.d.e.f.g.h.i}}", "expected a variable"},
		{"{{@key}}", "unknown variable \"@key\""},
		{"{{'open}}", "a text is not closed"},
		{"{{#if x}}\"{{/if}}", "two sides of a quote"},
		{"{{#if x}}a{{else}}\"{{/if}}", "two sides of a quote"},
	};
	struct arena *a = *state;
	const struct push_template *t;
	struct buf text;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		must_fail(push_template_compile(a, str_of(bad[i].text), "template", &t, &e), &e,
			ERR_INPUT, bad[i].want);
	buf_init(&text, a, 4096);
	for (int i = 0; i < 17; i++)
		buf_str(&text, STR("{{#if x}}"));
	must_fail(push_template_compile(a, buf_view(&text), "template", &t, &e), &e, ERR_INPUT,
		"too many blocks");
	text.n = 0;
	for (int i = 0; i < 1100; i++)
		buf_str(&text, STR("{{x}}"));
	must_fail(push_template_compile(a, buf_view(&text), "template", &t, &e), &e, ERR_INPUT,
		"more than 1000");
	text.n = 0;
	for (int i = 0; i <= PUSH_TEMPLATE_MAX; i++)
		buf_char(&text, 'x');
	must_fail(push_template_compile(a, buf_view(&text), "x", &t, &e), &e, ERR_INPUT,
		"x: longer than 16384 bytes");
}

/* Neither loops in loops nor long texts make it work for long (I-28). */
static void
results_are_bounded(void **state)
{
	struct arena *a = *state;
	struct buf text;
	bool ok;

	buf_init(&text, a, 4096);
	for (int i = 0; i < 12; i++)
		buf_str(&text, STR("{{#each members}}"));
	for (int i = 0; i < 12; i++)
		buf_str(&text, STR("{{/each}}"));
	buf_char(&text, '\0');
	assert_int_equal(render(a, text.p, &ok).n, 0);
	assert_false(ok);
	text.n = 0;
	for (int i = 0; i < 900; i++)
		buf_str(&text, STR("{{message.text}}"));
	buf_char(&text, '\0');
	assert_int_equal(render(a, text.p, &ok).n, 0);
	assert_false(ok);
}

static void
names(void **state)
{
	struct arena *a = *state;
	const struct push_template *t;
	struct err e;

	must(push_template_compile(a,
		     STR("{{#if x}}a{{else}}{{#equal 1 members}}{{/equal}}{{/if}}"), "t", &t,
		     &e),
		&e);
	assert_true(push_template_names(t, STR("members")));
	assert_true(push_template_names(t, STR("x")));
	assert_false(push_template_names(t, STR("otherMembers")));
}

/* What is kept gives an object, whatever is there. */
static void
templates_give_objects(void **state)
{
	static const struct vector bad[] = {
		{"", "no JSON object"},
		{"[]", "no JSON object"},
		{"{\"a\":\"{{message.text}}}", "no JSON object"},
		{"{\"a\": {{#if message.text}}1{{/if}}}", "no JSON object"},
		{"{\"a\" 1}", "no JSON object"},
		{"{{x", "not closed"},
	};
	struct err e;

	must(push_event_check_template(*state,
		     STR("{\"aps\":{\"alert\":{\"title\":\"{{sender.name}} @ {{channel.id}}\","
			 "\"body\":\"{{truncate message.text "
			 "150}}\"},\"badge\":{{unread_count}},"
			 "\"who\":\"{{implodeMembers otherMembers}}\",\"m\":{{json "
			 "message}}}}"),
		     "template", &e),
		&e);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		must_fail(
			push_event_check_template(*state, str_of(bad[i].text), "template", &e),
			&e, ERR_INPUT, bad[i].want);
}

#define T(f) cmocka_unit_test_setup_teardown(f, arena_setup, arena_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(values),
		T(helpers),
		T(blocks),
		T(what_is_no_template),
		T(results_are_bounded),
		T(names),
		T(templates_give_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
