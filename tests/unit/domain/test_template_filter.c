/* test_template_filter – every filter, in both call styles, and Django's rules. */
#include "template_fixture.h"

static void
text_filters(void **state)
{
	static const struct vector v[] = {
		{"{{ receiver.name|upper }}{{ receiver.name|upper() }}", "BOBBOB"},
		{"{{ receiver.name | lower }}{{ receiver.name|lower( ) }}", "bobbob"},
		{"{{ 'stra\xc3\x9f"
		 "e \xc3\xa9\xc5\xa1\xc3\xbf \xce\xac\xcf\x82 \xd0\xb6\xd1\x91 "
		 "\xe1\xba\xbf'|upper }}",
			"STRASSE \xc3\x89\xc5\xa0\xc5\xb8 \xce\x86\xce\xa3 \xd0\x96\xd0\x81 "
			"\xe1\xba\xbe"},
		{"{{ '\xc3\x89\xc5\xa0\xc5\xb8\xc3\x97 \xce\x9f\xce\x94\xce\x9f\xce\xa3 "
		 "\xd0\x96\xd0\x81 \xf0\x9f\x98\x80'|lower }}",
			"\xc3\xa9\xc5\xa1\xc3\xbf\xc3\x97 \xce\xbf\xce\xb4\xce\xbf\xcf\x82 "
			"\xd0\xb6\xd1\x91 \xf0\x9f\x98\x80"},
		{"{{ \"they're HERE 1st o'neill \xc3\xa9t\xc3\xa9\"|title }}",
			"They're Here 1st O'Neill \xc3\x89t\xc3\xa9"},
		{"{{ 'fOO bar'|title() }}", "Foo Bar"},
		{"{{ 'fOO bar'|capfirst }}{{ '\xc3\xa9'|capfirst() }}{{ ''|capfirst }}",
			"FOO bar\xc3\x89"},
		{"{{ 'Jo\xc3\xabl is'|truncatechars:6 }}|{{ 'Jo\xc3\xabl is'|truncatechars(7) "
		 "}}",
			"Jo\xc3\xabl \xe2\x80\xa6|Jo\xc3\xabl is"},
		{"{{ 'abc'|truncatechars:1 }}{{ 'abc'|truncatechars:0 }}", "\xe2\x80\xa6"},
		{"{{ 'abc'|truncatechars:'x' }}{{ ''|truncatechars:3 }}", "abc"},
		{"{{ ' Joel  is\na slug '|truncatewords:2 }}", "Joel is \xe2\x80\xa6"},
		{"{{ ' Joel  is '|truncatewords(2) }}{{ 'a b'|truncatewords:0 }}", "Joel is"},
		{"{{ '<a href=\"x\">&\\'</a>'|escape }}{{ '<'|escape() }}",
			"&lt;a href=&quot;x&quot;&gt;&amp;&#x27;&lt;/a&gt;&lt;"},
		{"{{ receiver.quote|upper|escape|lower }}", "say &quot;hi&quot;\n\xc3\xa9"},
		{"{{ receiver.score|upper }}{{ receiver.vip|upper }}", "42TRUE"},
		{"{{ receiver.unknown|upper|title|escape|truncatechars:3 }}", ""},
	};

	EXPECT((struct fixture *)*state, v);
}

static void
value_filters(void **state)
{
	static const struct vector v[] = {
		{"{{ receiver.nick|default:\"you\" }}", "you"},
		{"{{ receiver.nick|default(\"you\") }}", "you"},
		{"{{ receiver.nick|default : receiver.name }}", "Bob"},
		{"{{ receiver.nick|default(receiver.name|upper) }}!", "BOB!"},
		{"{{ receiver.nick|default(receiver.nick|default:'x'|upper)|lower }}", "x"},
		{"{{ receiver.nothing|default:'d' }}{{ receiver.empty|default:'e' }}", "de"},
		{"{{ receiver.zero|default:'z' }}{{ receiver.none|default:'n' }}", "zn"},
		{"{{ receiver.name|default:'x' }}{{ receiver.score|default:1 }}", "Bob42"},
		{"{{ 'Jo\xc3\xabl'|length }}{{ receiver.quote|length() }}", "410"},
		{"{{ receiver.tags|length }}{{ receiver.address|length }}", "52"},
		{"{{ receiver.nick|length }}{{ receiver.score|length }}", "00"},
		{"{{ receiver.tags|join:', ' }}", "a, b\"c, 3, true, "},
		{"{{ receiver.teams|join(receiver.country|lower) }}", "redusablue"},
		{"{{ receiver.teams|join }}{{ receiver.none|join:',' }}", "redblue"},
		{"{{ receiver.name|join:',' }}", "Bob"},
		{"{{ receiver.teams|first }}{{ receiver.teams|last }}", "redblue"},
		{"{{ receiver.teams|first()|first() }}", "r"},
		{"{{ '\xc3\xa9t\xc3\xa9s'|first }}{{ '\xc3\xa9t\xc3\xa9'|last }}{{ ''|last }}",
			"\xc3\xa9\xc3\xa9"},
		{"{{ receiver.none|first }}{{ receiver.none|last }}{{ receiver.score|first }}",
			""},
		{"{{ receiver.quote|first }}{{ receiver.quote|last }}", "s\xc3\xa9"},
		{"{{ receiver.tags|json }}", "[\"a\",\"b\\\"c\",3,true,null]"},
		{"{{ receiver.quote|json() }}", "\"say \\\"hi\\\"\\n\\u00e9\""},
		{"{{ 'a\"b'|upper|json }}{{ 'c'|json|json }}", "\"A\\\"B\"\"\\\"c\\\"\""},
		{"{{ receiver.nick|json }}{{ receiver.vip|json }}{{ 5|json }}", "nulltrue5"},
		{"{{ receiver.updated_at|json }}", "\"2024-12-30T00:00:00.000000Z\""},
	};

	EXPECT((struct fixture *)*state, v);
}

static void
number_filters(void **state)
{
	static const struct vector v[] = {
		/* the examples of Django's manual */
		{"{{ 34.23234|floatformat }} {{ 34.00000|floatformat }}", "34.2 34"},
		{"{{ 34.26000|floatformat }} {{ 34.23234|floatformat:3 }}", "34.3 34.232"},
		{"{{ 34.00000|floatformat(3) }} {{ 34.26000|floatformat:'3' }}",
			"34.000 34.260"},
		{"{{ 34.23234|floatformat:0 }} {{ 39.56000|floatformat:\"0\" }}", "34 40"},
		{"{{ 34.23234|floatformat:-3 }} {{ 34.00000|floatformat:-3 }}", "34.232 34"},
		{"{{ receiver.half|floatformat:2 }} {{ receiver.numeric|floatformat }}",
			"2.68 34.3"},
		{"{{ 9.999|floatformat:2 }} {{ -0.01|floatformat:1 }}", "10.00 0.0"},
		{"{{ -99.95|floatformat:1 }} {{ 0.5|floatformat:0 }}", "-100.0 1"},
		{"{{ receiver.huge|floatformat }} {{ receiver.huge|floatformat:1 }}",
			"1000 1000.0"},
		{"{{ 1.5|round:'x' }}{{ 'a b'|truncatewords:'x' }}", "1.5a b"},
		{"{{ receiver.name|floatformat }}{{ receiver.nick|floatformat:2 }}", ""},
		{"{{ 1.5|floatformat:'x' }} {{ 1.5|floatformat:900 }}",
			"1.5 1.500000000000000000000000000000"},
		{"{{ receiver.price|round }} {{ receiver.price|round(2) }}", "3 3.14"},
		{"{{ receiver.price|round:1 }} {{ 2.5|round() }}", "3.1 3"},
	};

	EXPECT((struct fixture *)*state, v);
}

static void
dates(void **state)
{
	static const struct vector v[] = {
		{"{{ receiver.created_at|date:'Y-m-d H:i' }}", "2027-01-01 15:04"},
		{"{{ receiver.created_at|date(\"Y-m-d\") }}", "2027-01-01"},
		{"{{ receiver.created_at|date }}", "Jan. 1, 2027"},
		{"{{ receiver.created_at|date:'d j D l S w z t L' }}",
			"01 1 Fri Friday st 5 1 31 False"},
		{"{{ receiver.created_at|date:'m n M b F E N y Y' }}",
			"01 1 Jan jan January January Jan. 27 2027"},
		{"{{ receiver.created_at|date:'a A f g G h H i s u P' }}",
			"p.m. PM 3:04 3 15 03 15 04 05 123456 3:04 p.m."},
		{"{{ receiver.created_at|date:'e T O I Z U' }}",
			"UTC UTC +0000 0 0 1798815845"},
		{"{{ receiver.created_at|date:'c' }}", "2027-01-01T15:04:05.123456+00:00"},
		{"{{ receiver.created_at|date:'r' }}", "Fri, 01 Jan 2027 15:04:05 +0000"},
		{"{{ receiver.created_at|date:'W o' }}", "53 2026"},
		{"{{ receiver.updated_at|date:'W o L z P' }}", "1 2025 True 365 midnight"},
		{"{{ receiver.updated_at|date:'jS \\o\\f F' }}", "30th of December"},
		{"{{ receiver.birthday|date:'j.n.Y l' }}", "1.5.1990 Tuesday"},
		{"{{ receiver.seen|date:'Y-m-d H:i:s.u' }}", "2024-02-29 13:04:05.250000"},
		{"{{ receiver.seen|date:'P f' }}", "1:04 p.m. 1:04"},
		{"{{ '2024-01-02T12:00:00Z'|date:'P a jS' }}", "noon p.m. 2nd"},
		{"{{ '2024-01-03T09:00:00Z'|date:'P f a jS' }}", "9 a.m. 9 a.m. 3rd"},
		{"{{ '1969-12-31T23:59:59Z'|date:'l U' }}", "Wednesday -1"},
		{"{{ receiver.birthday|date:receiver.teams.0|upper }}",
			"TUE, 01 MAY 1990 00:00:00 +0000UTC01"},
		{"{{ receiver.name|date:'Y' }}{{ receiver.score|date }}{{ receiver.nick|date "
		 "}}",
			""},
		{"{{ receiver.quote|date }}{{ receiver.vip|date }}", ""},
		{"{{ '2023-02-29'|date:'Y' }}{{ receiver.last_active|date:'Y' }}", ""},
	};

	EXPECT((struct fixture *)*state, v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEMPLATE_TEST(text_filters),
		TEMPLATE_TEST(value_filters),
		TEMPLATE_TEST(number_filters),
		TEMPLATE_TEST(dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
