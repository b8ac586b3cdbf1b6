/* test_template – the language of api.md §4: every element, every error with its place, and
 * that data stays data (I-27, F27). */
#include <jansson.h>

#include "template_fixture.h"

static void
appendix_c(void **state)
{
	static const struct vector v[] = {
		{"{Hello}", "{Hello}"},
		{"Hi {{ receiver.name }} I'm {{ sender.name }}!", "Hi Bob I'm Ann!"},
		{"{{receiver.id}}-{{sender.id}}", "bob-ann"},
	};

	EXPECT((struct fixture *)*state, v);
}

static void
text_and_comments(void **state)
{
	static const struct vector v[] = {
		{"", ""},
		{"plain } }} %} #} text {", "plain } }} %} #} text {"},
		{"{ {a} { { }", "{ {a} { { }"},
		{"a{# {{ no such | thing }} {% #}b{#\n#}c", "abc"},
		{"{% raw %}{{ receiver.name }}{% if %}{{% endraw %}!",
			"{{ receiver.name }}{% if %}{!"},
		{"{%verbatim%} {% raw %}{% endraw %} {%  endverbatim  %}",
			" {% raw %}{% endraw %} "},
		{"{%raw%}{%endraw%}", ""},
		{"{\"a\": {\"b\": 1}}", "{\"a\": {\"b\": 1}}"},
	};

	EXPECT((struct fixture *)*state, v);
}

static void
variables(void **state)
{
	static const struct vector v[] = {
		{"{{receiver.id}}{{receiver.name}}{{ receiver.image }}", "bobBob"},
		{"{{\n\treceiver.role\n}}[{{ receiver.language }}]", "user[]"},
		{"{{ receiver.teams }}", "[\"red\",\"blue\"]"},
		{"{{ receiver.teams.1 }}{{ receiver.teams.2 }}", "blue"},
		{"{{ receiver.created_at }}", "2027-01-01T15:04:05.123456Z"},
		{"{{ receiver.last_active }}", ""},
		{"{{ Receiver.name }}{{ SENDER.name }}{{ChaNNel.id}}", "BobAnnc1"},
		{"{{ receiver.Name }}", ""}, /* only roots are so forgiving */
		{"{{ receiver.country }}{{ receiver.custom.country }}", "USAUSA"},
		{"{{ receiver.custom.id }}", "not this one"},
		{"{{ receiver.address.city }} {{receiver.address.geo.lat}}",
			"Z\xc3\xbcrich 47.4"},
		{"{{ receiver.custom.address.geo }}", "{\"lat\":47.4}"},
		{"{{ receiver.tags.1 }}{{ receiver.tags.9 }}{{ receiver.tags.x }}", "b\"c"},
		{"{{ receiver.quote }}", "say \"hi\"\n\xc3\xa9"},
		{"{{ receiver.score }} {{ receiver.vip }} {{ receiver.off }}", "42 true false"},
		{"{{ receiver.nothing }}", ""},
		{"{{ channel.type }} {{ channel.cid }} {{ channel.team }}",
			"messaging messaging:c1 "},
		{"{{ channel.name }} {{ channel.custom.size }}", "News 3"},
		{"{{ receiver }}{{ custom }}{{ foo.bar }}{{ receiver.name.x }}", ""},
		{"{{ \"text }} 'x' \\\" \\\\ \\n\" }}{{ 'it\\'s' }}",
			"text }} 'x' \" \\ \\nit's"},
		{"{{ 12 }} {{ -3.50 }} {{ true }} {{ False }} {{ none }}",
			"12 -3.50 true false "},
	};

	EXPECT((struct fixture *)*state, v);
}

static void
conditions(void **state)
{
	static const struct vector v[] = {
		{"{% if receiver.vip %}yes{% endif %}.", "yes."},
		{"{% if receiver.off %}yes{% else %}no{% endif %}", "no"},
		{"{%if receiver.score < 10%}a{%elif receiver.score<50%}b{%elif "
		 "true%}c{%else%}d{%endif%}",
			"b"},
		{"{% if false %}a{% elif false %}b{% else %}c{% endif %}", "c"},
		{"{% if false %}a{% elif false %}b{% endif %}", ""},
		{"{% if true %}1{% if false %}2{% else %}3{% if true %}4{% endif %}{% endif "
		 "%}5{% else %}"
		 "6{% endif %}7",
			"13457"},
		{"{% if receiver.nick %}a{% endif %}{% if receiver.empty %}b{% endif %}"
		 "{% if receiver.zero %}c{% endif %}{% if receiver.none %}d{% endif %}"
		 "{% if receiver.blank %}e{% endif %}{% if receiver.nothing %}f{% endif %}",
			""},
		{"{% if receiver.name %}a{% endif %}{% if receiver.tags %}b{% endif %}"
		 "{% if receiver.score %}c{% endif %}{% if receiver.address %}d{% endif %}"
		 "{% if receiver.created_at %}e{% endif %}{% if receiver.quote %}f{% endif %}",
			"abcdef"},
		{"{% if receiver.name|lower == 'bob' and not receiver.off %}x{% endif %}", "x"},
		{"{% if (receiver.off or receiver.vip) and (true) %}x{% endif %}", "x"},
		{"{% if receiver.tags|length > 4 %}{{ receiver.name|upper }}{% endif %}!",
			"BOB!"},
		{"{{ receiver.nick or receiver.name }} {{ receiver.off and 1 }}", "Bob false"},
		{"{{ receiver.nick|upper or receiver.name|upper }}", "BOB"},
	};

	EXPECT((struct fixture *)*state, v);
}

static void
operators(void **state)
{
	static const char *const yes[] = {"1 == 1.0", "1 != 2", "1 < 2", "2 > 1", "1 <= 1",
		"2 >= 2", "'a' < 'b'", "'b' > 'a'", "'a' <= 'a'", "'B' < 'a'", "true == 1",
		"none == none", "receiver.nick == none", "receiver.nick != 'x'",
		"receiver.score == 42", "receiver.huge == 1000", "receiver.country == \"USA\"",
		"receiver.quote == 'say \"hi\"\n\xc3\xa9'",
		"receiver.tags == receiver.custom.tags", "'a' in receiver.tags",
		"'b\"c' in receiver.tags", "3 in receiver.tags", "none in receiver.tags",
		"'z' not in receiver.tags", "'SA' in receiver.country",
		"'' in receiver.country", "'city' in receiver.address",
		"'hi' in receiver.quote", "receiver.quote in receiver.quote",
		"'x' not in receiver.nick", "receiver.created_at > '2026-12-31'",
		"receiver.seen < receiver.created_at",
		"receiver.created_at == '2027-01-01T16:04:05.123456+01:00'",
		"9007199254740993 > 9007199254740992", "not false", "not not true",
		"not 1 == 2", "false or true", "true and true", "true or false and false",
		"not false and true", "(1 == 1) == true", "-1 < 0", "'1' in '123'",
		"receiver.name|upper in 'ABOB'", "receiver.teams|first == 'red'"};
	static const char *const no[] = {"1 == '1'", "1 < '2'", "'a' == none", "1 != 1",
		"2 < 1", "1 > 2", "2 <= 1", "1 >= 2", "none < 1", "none >= none and false",
		"1 in 1", "1 in '1'", "'x' in receiver.nick", "receiver.tags < receiver.tags",
		"receiver.address == receiver.tags", "receiver.created_at == receiver.name",
		"receiver.created_at < 'soon'", "(true or false) and false",
		"'geo.lat' in receiver.address", "true and false", "false or false",
		"not true"};
	struct fixture *f = *state;

	for (int want = 0; want < 2; want++) {
		const char *const *list = want ? yes : no;

		for (size_t i = 0; i < (want ? ARRAY_LEN(yes) : ARRAY_LEN(no)); i++) {
			struct str s =
				arena_printf(&f->arena, "{%% if %s %%}1{%% endif %%}", list[i]);

			s = render(f, compile(f, s, false));
			if (!str_eq(s, want ? STR("1") : STR("")))
				fail_msg("%s is %s", list[i], want ? "false" : "true");
		}
	}
}

static void
refusals(void **state)
{
	static const struct vector v[] = {
		{"Hello {{", "line 1, column 7: \"{{\" is never closed"},
		{"a\nb {{ receiver.name", "line 2, column 3: \"{{\" is never closed"},
		{"\xc3\xa9\xf0\x9f\x98\x80 {% if true",
			"line 1, column 4: \"{%\" is never closed"},
		{"x {# y", "line 1, column 3: \"{#\" is never closed"},
		{"x{% if true %}y", "line 1, column 2: \"if\" is never closed"},
		{"{% raw %}{% endif %}", "line 1, column 1: \"raw\" is never closed"},
		{"{% verbatim %}{% endraw %}",
			"line 1, column 1: \"verbatim\" is never closed"},
		{"{{ \"abc }}", "line 1, column 4: the quote is never closed"},
		{"{{ 'abc\\", "line 1, column 4: the quote is never closed"},
		{"{{ receiver.name|uper }}", "line 1, column 18: unknown filter \"uper\""},
		{"{{ receiver.name|upper:1 }}",
			"line 1, column 18: filter \"upper\" takes no argument"},
		{"{{ receiver.name|default }}",
			"line 1, column 18: filter \"default\" needs an argument"},
		{"{{ receiver.name|default() }}",
			"line 1, column 18: filter \"default\" needs an argument"},
		{"{{ receiver.name|default('a', 'b') }}",
			"line 1, column 29: unexpected \",\""},
		{"{{ receiver.name|default: }}", "line 1, column 27: unexpected \"}}\""},
		{"{{ receiver.name| }}", "line 1, column 19: unexpected \"}}\""},
		{"{{ receiver.name|'x' }}", "line 1, column 18: unexpected 'x'"},
		{"{% for x in y %}{% endfor %}", "line 1, column 4: unknown tag \"for\""},
		{"{% include 'x' %}", "line 1, column 4: unknown tag \"include\""},
		{"{%- if true -%}", "line 1, column 3: unexpected \"-\""},
		{"{% %}", "line 1, column 4: unexpected \"%}\""},
		{"{% endif %}", "line 1, column 1: \"endif\" without \"if\""},
		{"{% elif 1 %}", "line 1, column 1: \"elif\" without \"if\""},
		{" {% else %}", "line 1, column 2: \"else\" without \"if\""},
		{"{% if 1 %}{% else %}{% else %}{% endif %}",
			"line 1, column 21: \"else\" after \"else\""},
		{"{% if 1 %}{% else %}{% elif 1 %}{% endif %}",
			"line 1, column 21: \"elif\" after \"else\""},
		{"{% endraw %}", "line 1, column 4: unknown tag \"endraw\""},
		{"{% if %}{% endif %}", "line 1, column 7: unexpected \"%}\""},
		{"{% if 1 %}{% endif x %}", "line 1, column 20: unexpected \"x\""},
		{"{% if 1 %}{% else x %}{% endif %}", "line 1, column 19: unexpected \"x\""},
		{"{% raw x %}{% endraw %}", "line 1, column 8: unexpected \"x\""},
		{"{{}}", "line 1, column 3: unexpected \"}}\""},
		{"{{ receiver name }}", "line 1, column 13: unexpected \"name\""},
		{"{{ receiver..name }}", "line 1, column 12: unexpected \".\""},
		{"{{ receiver.first-name }}", "line 1, column 18: unexpected \"-\""},
		{"{{ receiver.name } }", "line 1, column 18: unexpected \"}\""},
		{"{{ receiver.name %}", "line 1, column 18: unexpected \"%\""},
		{"{{{ receiver.name }}}", "line 1, column 3: unexpected \"{\""},
		{"{{ 1 = 1 }}", "line 1, column 6: unexpected \"=\""},
		{"{{ 1 < 2 < 3 }}", "line 1, column 10: unexpected \"<\""},
		{"{{ 1 not 2 }}", "line 1, column 10: unexpected \"2\""},
		{"{{ and }}", "line 1, column 4: unexpected \"and\""},
		{"{{ 1 and }}", "line 1, column 10: unexpected \"}}\""},
		{"{{ (1 }}", "line 1, column 7: unexpected \"}}\""},
		{"{{ 1) }}", "line 1, column 5: unexpected \")\""},
		{"{{ 007 }}", "line 1, column 4: a number with a leading zero"},
		{"{{ 1e5 }}", "line 1, column 4: malformed number"},
		{"{{ \xc3\xa9\xe2\x82\xac.x ? }}", "line 1, column 9: unexpected \"?\""},
		{"{{ a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q }}",
			"line 1, column 4: more than 16 names in a variable"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct template *t = NULL;
		struct err e;
		struct str got,
			want = arena_printf(&f->arena, "message_template.text: %s", v[i].want);

		if (template_text(
			    &f->arena, str_of(v[i].text), "message_template.text", &t, &e))
			fail_msg("%s is accepted", v[i].text);
		assert_int_equal(e.code, ERR_INPUT);
		got = str_of(e.msg);
		if (!str_eq(got, want))
			fail_msg("%s\n  says   %s\n  wanted %s", v[i].text, e.msg, want.p);
	}
}

/* ${n} times ${unit} */
static void
put_times(struct buf *b, size_t n, const char *unit)
{
	while (n-- > 0)
		buf_str(b, str_of(unit));
}

static bool
compiles(struct fixture *f, const struct buf *b)
{
	struct template *t;
	struct err e;

	return template_text(&f->arena, buf_view(b), "f", &t, &e);
}

static void
bounds(void **state)
{
	struct fixture *f = *state;

	for (size_t n = 31; n < 35; n++) {
		struct buf b;

		buf_init(&b, &f->arena, 0);
		put_times(&b, n, "{% if true %}");
		put_times(&b, n, "{% endif %}");
		assert_int_equal(compiles(f, &b), n <= 32);
		b.n = 0;
		buf_str(&b, STR("{{ "));
		put_times(&b, n, "(");
		buf_str(&b, STR("1"));
		put_times(&b, n, ")");
		buf_str(&b, STR(" }}"));
		assert_int_equal(compiles(f, &b), n <= 32);
		b.n = 0;
		buf_str(&b, STR("{{ "));
		put_times(&b, n, "not ");
		buf_str(&b, STR("1 }}"));
		assert_int_equal(compiles(f, &b), n <= 32);
		b.n = 0;
		buf_str(&b, STR("{{ "));
		put_times(&b, n, "1|default(");
		buf_str(&b, STR("1"));
		put_times(&b, n, ")");
		buf_str(&b, STR(" }}"));
		assert_int_equal(compiles(f, &b), n <= 32);
		b.n = 0;
		buf_str(&b, STR("{{ 'a'"));
		put_times(&b, n, "|upper");
		buf_str(&b, STR(" }}"));
		assert_int_equal(compiles(f, &b), n <= 32);
	}
}

static void
long_texts(void **state)
{
	struct fixture *f = *state;
	struct template *t;
	struct err e;
	struct buf b;

	buf_init(&b, &f->arena, 1 << 21);
	put_times(&b, 65536, "x");
	assert_true(compiles(f, &b));
	buf_char(&b, 'x');
	assert_false(template_text(&f->arena, buf_view(&b), "f", &t, &e));
	assert_string_equal(e.msg, "f: line 1, column 1: longer than 65536 bytes");

	b.n = 0; /* long chains do not nest */
	buf_str(&b, STR("{{ 0"));
	put_times(&b, 5900, " or 0 and 1");
	buf_str(&b, STR("}}"));
	assert_str(render(f, compile(f, buf_view(&b), false)), "0");

	b.n = 0; /* 10^5 tags in many texts */
	buf_str(&b, STR("[\"\""));
	for (int i = 0; i < 50; i++) {
		buf_str(&b, STR(",\""));
		put_times(&b, 2000, "{{a}}");
		buf_str(&b, STR("\""));
	}
	buf_str(&b, STR("]"));
	t = compile(f, buf_view(&b), true);
	assert_int_equal(render(f, t).n, 4 + 50 * 3);

	b.n = 0;
	put_times(&b, 1 << 20, " ");
	buf_str(&b, STR("1"));
	assert_false(template_json(&f->arena, buf_view(&b), "f", &t, &e));
	assert_string_equal(e.msg, "f: longer than 1048576 bytes");
}

static void
typed_substitution(void **state)
{
	static const struct vector v[] = {
		{"\"{{ receiver.score }}\"", "42"},
		{"\"{{receiver.vip}}\"", "true"},
		{"\"{{ receiver.tags }}\"", "[\"a\",\"b\\\"c\",3,true,null]"},
		{"\"{{ receiver.address }}\"",
			"{\"city\":\"Z\\u00fcrich\",\"geo\":{\"lat\":47.4}}"},
		{"\"{{ receiver.name }}\"", "\"Bob\""},
		{"\"{{ receiver.quote }}\"", "\"say \\\"hi\\\"\\n\\u00e9\""},
		{"\"{{ receiver.nick }}\"", "\"\""},
		{"\"{{ receiver.nothing }}\"", "\"\""},
		{"\"{{ custom }}\"", "\"\""},
		{"\"{{ receiver.created_at }}\"", "\"2027-01-01T15:04:05.123456Z\""},
		{"\"{{ receiver.name|upper }}\"", "\"BOB\""},
		{"\"{{ receiver.quote|upper }}\"", "\"SAY \\\"HI\\\"\\n\xc3\x89\""},
		{"\"{{ receiver.tags|length }}\"", "5"},
		{"\"{{ receiver.price|round(2) }}\"", "3.14"},
		{"\"{{ receiver.price|floatformat:2 }}\"", "\"3.14\""},
		{"\"{{ receiver.nick|default:receiver.tags }}\"",
			"[\"a\",\"b\\\"c\",3,true,null]"},
		{"\"{{ receiver.score > 5 }}\"", "true"},
		{"\" {{ receiver.score }}\"", "\" 42\""},
		{"\"{{ receiver.score }} \"", "\"42 \""},
		{"\"{{ receiver.score }}{{ receiver.score }}\"", "\"4242\""},
		{"\"{{ receiver.tags }}!\"", "\"[\\\"a\\\",\\\"b\\\\\\\"c\\\",3,true,null]!\""},
		{"\"a {{ receiver.quote }}\"", "\"a say \\\"hi\\\"\\n\\u00e9\""},
		{"\"a {{ receiver.quote|lower }}\"", "\"a say \\\"hi\\\"\\n\xc3\xa9\""},
		{"\"{% if receiver.vip %}\\\"1\\\"{% endif %}\"", "\"\\\"1\\\"\""},
		{"\"{# c #}{{ receiver.score }}\"", "\"42\""},
		{"\"{% raw %}{{ x }}{% endraw %}\"", "\"{{ x }}\""},
		{"\"{{ \\\"a\\\\\\\"b\\\" }}\"", "\"a\\\"b\""},
		{"{\"{{ receiver.id }}\":[1, "
		 "2.5,null,true,\"{{receiver.id}}\",{\"k\":\"-{{sender.id}}\"}]}",
			"{\"{{ receiver.id }}\":[1,2.5,null,true,\"bob\",{\"k\":\"-ann\"}]}"},
		{"{}", "{}"},
		{"[]", "[]"},
		{"\"\"", "\"\""},
		{"\"{Hello}\"", "\"{Hello}\""},
		{"null", "null"},
		{"{\"a\\\"b\":\"\\u00e9\\n\"}", "{\"a\\\"b\":\"\xc3\xa9\\n\"}"},
	};
	struct fixture *f = *state;
	struct template *t;
	struct err e;

	EXPECT_JSON(f, v);
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		json_t *tree = json_loads(v[i].want, JSON_DECODE_ANY, NULL);

		assert_non_null(tree);
		json_decref(tree);
	}
	assert_false(template_json(&f->arena,
		STR("{\"attachments\":[{},{\"title\":\"ok\",\"text\":\"\\n{{ a|b }}\"}]}"),
		"message_template", &t, &e));
	assert_string_equal(e.msg, "message_template.attachments[1].text: line 2, column 6: "
				   "unknown filter \"b\"");
	assert_false(template_json(&f->arena, STR("{\"a\":"), "custom", &t, &e));
	assert_int_equal(strncmp(e.msg, "custom: invalid JSON", 20), 0);
}

/* I-27: what users chose as their names is never read as a template or as JSON. */
static void
data_stays_data(void **state)
{
	static const struct vector text[] = {
		{"Hi {{ receiver.name }}", "Hi {{ sender.secret }}\"}],\\{% if"},
		{"{{ receiver.evil }}", "{{ sender.secret }}{% if %}"},
		{"{{ receiver.name|lower }}{{ receiver.evil|upper }}",
			"{{ sender.secret }}\"}],\\{% if{{ SENDER.SECRET }}{% IF %}"},
		{"{{ '{{ sender.secret }}' }}", "{{ sender.secret }}"},
	};
	static const struct vector json[] = {
		{"\"{{ receiver.name }}\"", "\"{{ sender.secret }}\\\"}],\\\\{% if\""},
		{"[\"a{{ receiver.name }}\"]", "[\"a{{ sender.secret }}\\\"}],\\\\{% if\"]"},
		{"[\"a{{ receiver.name|lower }}\"]",
			"[\"a{{ sender.secret }}\\\"}],\\\\{% if\"]"},
		{"\"{{ receiver.name|lower }}\"", "\"{{ sender.secret }}\\\"}],\\\\{% if\""},
	};
	struct fixture *f = *state;

	f->receiver.name = STR("{{ sender.secret }}\"}],\\{% if");
	EXPECT(f, text);
	EXPECT_JSON(f, json);
}

static void
note_undefined(void *arg, struct str name)
{
	struct fixture *f = arg;
	size_t n = strlen(f->undefined);

	snprintf(f->undefined + n, sizeof(f->undefined) - n, "%.*s,", STR_ARG(name));
}

static void
undefined_is_reported(void **state)
{
	struct fixture *f = *state;
	struct template *t = compile(f,
		STR("{{ receiver.first_name }}{{ Receiver.name }}{{receiver.nothing|default:1}}"
		    "{{ receiver.image }}{% if foo.bar %}{{ sender.x }}{% endif %}{{ "
		    "CHANNEL.team }}"),
		false);

	f->vars.undefined = note_undefined;
	f->vars.arg = f;
	assert_str(render(f, t), "Bob1");
	assert_string_equal(f->undefined,
		"receiver.first_name,receiver.nothing,receiver.image,foo.bar,CHANNEL.team,");

	f->undefined[0] = '\0';
	f->vars.receiver = NULL;
	f->vars.channel = NULL;
	f->vars.sender = NULL;
	assert_str(render(f, compile(f, STR("{{receiver.id}}{{sender.id}}{{channel.id}}."),
				     false)),
		".");
	assert_string_equal(f->undefined, "receiver.id,sender.id,channel.id,");
}

static void
output_is_capped(void **state)
{
	struct fixture *f = *state;
	struct template *t =
		compile(f, STR("12345{{ receiver.name }}{{ receiver.nick }}"), false);
	char big[4096];
	struct buf out, list;

	buf_init(&out, &f->arena, 0);
	buf_str(&out, STR("before"));
	assert_true(template_render(t, &f->vars, 8, &out));
	assert_str(buf_view(&out), "before12345Bob");
	out.n = 6;
	assert_false(template_render(t, &f->vars, 7, &out));
	assert_str(buf_view(&out), "before");
	assert_false(template_render(t, &f->vars, 0, &out));
	assert_int_equal(out.n, 6);

	/* Each json doubles the backslashes of the one before. */
	memset(big, '"', sizeof(big));
	f->receiver.name = (struct str){big, sizeof(big)};
	t = compile(f,
		STR("{{ receiver.name|json|json|json|json|json|json|json|json|json|json|json"
		    "|json|json|json|json|json|json|json|json|json|json|json|json|length }}"),
		false);
	assert_false(template_render(t, &f->vars, 5000, &out));
	assert_str(buf_view(&out), "before");
	assert_true(out.cap < 4 << 20);
	/* The way may be longer than the result. */
	t = compile(f, STR("{{ receiver.name|escape|length }}"), false);
	assert_true(template_render(t, &f->vars, 5, &out));
	assert_str(buf_view(&out), "before24576");

	/* A long separator between many elements. */
	buf_init(&list, &f->arena, 0);
	buf_str(&list, STR("{\"list\":[0"));
	put_times(&list, 2000, ",0");
	buf_str(&list, STR("]}"));
	f->receiver.custom = buf_view(&list);
	out.n = 6;
	t = compile(f, STR("{{ receiver.list|join:receiver.name|length }}"), false);
	assert_false(template_render(t, &f->vars, 5000, &out));
	assert_str(buf_view(&out), "before");
	assert_true(out.cap < 4 << 20);
}

static void
what_it_depends_on(void **state)
{
	static const struct {
		const char *text;
		bool constant, channel;
	} v[] = {
		{"Hello {# {{ channel.id }} #} {x}", true, false},
		{"{% if 1 == 1 %}{{ 'a'|upper }}{% endif %}", true, false},
		{"{{ receiver.id }}", false, false},
		{"{{ foo }}", false, false},
		{"{% if Channel.name %}x{% endif %}", false, true},
		{"{{ sender.x|default:channel.id }}", false, true},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct template *t = compile(f, str_of(v[i].text), false);

		assert_int_equal(template_is_constant(t), v[i].constant);
		assert_int_equal(template_uses_channel(t), v[i].channel);
	}
}

static void
affixes(void **state)
{
	static const struct {
		const char *text, *prefix, *suffix; /* NULL: none */
	} v[] = {
		{"{{receiver.id}}", "", ""},
		{"news-{{ receiver.id }}", "news-", ""},
		{"{{ Receiver.id }}-{{sender.id}}", "", "-ann"},
		{"{{ sender.custom.shop }}_{{receiver.id}}_{{ sender.shop|upper }}", "acme_",
			"_ACME"},
		{"{% if sender.shop %}x{{ receiver.id }}{% else %}{{ receiver.id }}y{% endif "
		 "%}",
			"x", ""},
		{"{% if sender.nope %}x{{ receiver.id }}{% else %}{{ receiver.id }}y{% endif "
		 "%}",
			"", "y"},
		{"a{{ foo }}{# c #}{{ receiver.id }}{% raw %}{b}{% endraw %}", "a", "{b}"},
		{"plain", NULL, NULL},
		{"{{ sender.id }}", NULL, NULL},
		{"{{ receiver.id }}{{ receiver.id }}", NULL, NULL},
		{"{{ receiver.id|upper }}", NULL, NULL},
		{"{{ receiver.name }}", NULL, NULL},
		{"{{ receiver.id }}{{ receiver.name }}", NULL, NULL},
		{"{{ receiver.id }}{{ channel.id }}", NULL, NULL},
		{"{{ receiver.custom.id }}", NULL, NULL},
		{"{{ receiver.id.x }}{{ receiver.id }}", NULL, NULL},
		{"{% if receiver.vip %}x{% endif %}{{ receiver.id }}", NULL, NULL},
		{"{% if sender.nope %}{{ receiver.id }}{% endif %}", NULL, NULL},
	};
	struct fixture *f = *state;
	struct str prefix, suffix;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct template *t = compile(f, str_of(v[i].text), false);
		bool is = template_as_affix(t, &f->arena, &f->sender, &prefix, &suffix);

		if (is != (v[i].prefix != NULL))
			fail_msg("%s: wrong verdict", v[i].text);
		if (is) {
			assert_str(prefix, v[i].prefix);
			assert_str(suffix, v[i].suffix);
			assert_str(render(f, t),
				arena_printf(&f->arena, "%sbob%s", v[i].prefix, v[i].suffix).p);
		}
	}
	assert_false(template_as_affix(compile(f, STR("\"{{receiver.id}}\""), true), &f->arena,
		&f->sender, &prefix, &suffix));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEMPLATE_TEST(appendix_c),
		TEMPLATE_TEST(text_and_comments),
		TEMPLATE_TEST(variables),
		TEMPLATE_TEST(conditions),
		TEMPLATE_TEST(operators),
		TEMPLATE_TEST(refusals),
		TEMPLATE_TEST(bounds),
		TEMPLATE_TEST(long_texts),
		TEMPLATE_TEST(typed_substitution),
		TEMPLATE_TEST(data_stays_data),
		TEMPLATE_TEST(undefined_is_reported),
		TEMPLATE_TEST(output_is_capped),
		TEMPLATE_TEST(what_it_depends_on),
		TEMPLATE_TEST(affixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
