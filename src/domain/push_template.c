/* push_template – the compiler: text to a tree of nodes, in one pass. */
#include "base/arena.h"
#include "base/err.h"
#include "base/jw.h"
#include "domain/push_template_impl.h"

#define NODES_MAX 1000
#define KEYS_MAX  8

struct parser {
	struct arena *arena;
	struct str text;
	size_t at;
	const char *field;
	bool in_string; /* of JSON */
	size_t nnodes;
	unsigned depth;
	struct err *e;
};

static const struct helper {
	const char *name;
	enum push_helper helper;
	size_t nargs;
	bool is_block;
} helpers[] = {
	{"json", PUSH_JSON, 1, false},
	{"truncate", PUSH_TRUNCATE, 2, false},
	{"remainder", PUSH_REMAINDER, 2, false},
	{"implodeMembers", PUSH_IMPLODE, 1, false},
	{"if", PUSH_IF, 1, true},
	{"unless", PUSH_UNLESS, 1, true},
	{"each", PUSH_EACH, 1, true},
	{"equal", PUSH_EQUAL, 2, true},
	{"unequal", PUSH_UNEQUAL, 2, true},
	{"ifLt", PUSH_LT, 2, true},
	{"ifLte", PUSH_LTE, 2, true},
	{"ifGt", PUSH_GT, 2, true},
	{"ifGte", PUSH_GTE, 2, true},
};

/* What is between two braces, still to be understood. */
struct tag {
	size_t at; /* in the text */
	struct str inside;
	size_t read; /* of inside */
};

/* ---- words ----------------------------------------------------------------------------- */

/* ${at}: where, in bytes from the beginning. */
static bool
refuse(const struct parser *p, size_t at, const char *what, struct str word)
{
	struct str shown = str_clip(word, 40);
	size_t character = str_utf8_len(str_sub(p->text, 0, at)) + 1;

	if (word.p == NULL)
		return fail(
			p->e, ERR_INPUT, "%s: character %zu: %s", p->field, character, what);
	return fail(p->e, ERR_INPUT, "%s: character %zu: %s \"%.*s\"", p->field, character,
		what, STR_ARG(shown));
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next word of a tag; a quoted one ends with its quote.  n 0: there is none. */
static struct str
next_word(struct tag *t)
{
	struct str s = t->inside;
	size_t from;
	char quote = 0;

	while (t->read < s.n && is_space(s.p[t->read]))
		t->read++;
	from = t->read;
	for (; t->read < s.n; t->read++) {
		char c = s.p[t->read];

		if (quote == 0 && is_space(c))
			break;
		if (c == quote)
			quote = 0;
		else if (quote == 0 && (c == '"' || c == '\''))
			quote = c;
	}
	return str_sub(s, from, t->read - from);
}

static bool
is_key(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '_' || c == '-' || (c & 0x80)))
			return false;
	}
	return s.n > 0;
}

static bool
read_path(struct parser *p, const struct tag *t, struct str word, struct push_arg *out)
{
	struct str rest = word;

	if (word.n > 0 && word.p[0] == '@') {
		if (!str_is(word, "@index") && !str_is(word, "@first") &&
			!str_is(word, "@last"))
			return refuse(p, t->at, "unknown variable", word);
		out->keys = arena_array(p->arena, 1, sizeof(*out->keys));
		out->keys[out->nkeys++] = word;
		return true;
	}
	out->keys = arena_array(p->arena, KEYS_MAX, sizeof(*out->keys));
	for (;;) {
		size_t dot = str_find(rest, '.', 0);
		struct str key = str_sub(rest, 0, dot);

		if (!is_key(key) || out->nkeys == KEYS_MAX)
			return refuse(p, t->at, "expected a variable, got", word);
		out->keys[out->nkeys++] = key;
		if (dot == rest.n)
			return true;
		rest = str_sub(rest, dot + 1, rest.n - dot - 1);
	}
}

static bool
read_arg(struct parser *p, const struct tag *t, struct str word, struct push_arg *out)
{
	int64_t number;
	struct buf text;

	if (word.n >= 2 && (word.p[0] == '"' || word.p[0] == '\'')) {
		if (word.p[word.n - 1] != word.p[0])
			return refuse(p, t->at, "a text is not closed:", word);
		buf_init(&text, p->arena, word.n + 16);
		buf_char(&text, '"');
		jw_escape(&text, str_sub(word, 1, word.n - 2));
		buf_char(&text, '"');
		out->constant = (struct jscan_value){JSCAN_STRING, buf_view(&text)};
	} else if (str_to_i64(word, &number)) {
		out->constant = (struct jscan_value){JSCAN_NUMBER, word};
	} else if (str_is(word, "true")) {
		out->constant = (struct jscan_value){JSCAN_TRUE, word};
	} else if (str_is(word, "false")) {
		out->constant = (struct jscan_value){JSCAN_FALSE, word};
	} else {
		return read_path(p, t, word, out);
	}
	return true;
}

/* limit=3, suffixFmt="and %d other(s)" */
static bool
read_option(struct parser *p, const struct tag *t, struct str word, struct push_node *out)
{
	size_t equals = str_find(word, '=', 0);
	struct str name = str_sub(word, 0, equals);
	struct str value =
		equals < word.n ? str_sub(word, equals + 1, word.n - equals - 1) : STR_NONE;

	if (out->helper == PUSH_IMPLODE && value.n > 0 && str_is(name, "limit"))
		return read_arg(p, t, value, &out->limit);
	if (out->helper == PUSH_IMPLODE && value.n > 0 && str_is(name, "suffixFmt"))
		return read_arg(p, t, value, &out->suffix);
	return refuse(p, t->at, "unexpected", word);
}

static const struct helper *
find_helper(struct str name, bool is_block)
{
	for (size_t i = 0; i < ARRAY_LEN(helpers); i++)
		if (helpers[i].is_block == is_block && str_eq(name, str_of(helpers[i].name)))
			return &helpers[i];
	return NULL;
}

static bool
read_args(struct parser *p, struct tag *t, const struct helper *h, struct push_node *out)
{
	struct str word;

	out->helper = h->helper;
	for (size_t i = 0; i < h->nargs; i++) {
		word = next_word(t);
		if (word.n == 0)
			return refuse(p, t->at, "too few arguments for", str_of(h->name));
		if (!read_arg(p, t, word, &out->args[i]))
			return false;
	}
	while ((word = next_word(t)).n > 0)
		if (!read_option(p, t, word, out))
			return false;
	return true;
}

/* ---- nodes ----------------------------------------------------------------------------- */

static struct push_node *
add_node(struct parser *p, struct push_node ***end)
{
	struct push_node *node = arena_zalloc(p->arena, sizeof(*node));

	node->quoted = p->in_string;
	p->nnodes++;
	**end = node;
	*end = &node->next;
	return node;
}

/* Text up to the next tag; follows where strings begin and end. */
static void
read_text(struct parser *p, struct push_node ***end)
{
	size_t from = p->at;

	while (p->at < p->text.n) {
		char c = p->text.p[p->at];

		if (c == '{' && p->at + 1 < p->text.n && p->text.p[p->at + 1] == '{')
			break;
		if (c == '\\' && p->in_string && p->at + 1 < p->text.n)
			p->at++;
		else if (c == '"')
			p->in_string = !p->in_string;
		p->at++;
	}
	if (p->at > from)
		add_node(p, end)->text = str_sub(p->text, from, p->at - from);
}

static size_t
find_end(struct str text, size_t from, struct str end)
{
	for (size_t i = from; i + end.n <= text.n; i++)
		if (memcmp(text.p + i, end.p, end.n) == 0)
			return i;
	return text.n;
}

/* {{ … }}, {{{ … }}} or {{!-- … --}} */
static bool
read_tag(struct parser *p, struct tag *out)
{
	struct str rest = str_sub(p->text, p->at, p->text.n - p->at);
	struct str end = str_starts(rest, STR("{{{"))     ? STR("}}}")
			 : str_starts(rest, STR("{{!--")) ? STR("--}}")
							  : STR("}}");
	size_t begin = end.n == 3 ? 3 : 2, stop = find_end(rest, begin, end);

	*out = (struct tag){.at = p->at};
	if (stop == rest.n)
		return refuse(p, p->at, "{{ is not closed", STR_NONE);
	out->inside = str_trim(str_sub(rest, begin, stop - begin));
	p->at += stop + end.n;
	return true;
}

static bool
parse_nodes(struct parser *p, struct str block, struct push_node **first, struct str *ended_by);

/* {{#name …}} … {{else}} … {{/name}}; ${t} is behind the name. */
static bool
parse_block(struct parser *p, struct tag *t, struct str name, struct push_node ***end)
{
	const struct helper *h = find_helper(name, true);
	bool in_string = p->in_string;
	struct push_node *node;
	struct str ended_by = STR_NONE;

	if (h == NULL)
		return refuse(p, t->at, "unknown helper", name);
	node = add_node(p, end);
	if (!read_args(p, t, h, node))
		return false;
	if (++p->depth > PUSH_TEMPLATE_DEEP)
		return refuse(p, t->at, "too many blocks inside one another:", name);
	if (!parse_nodes(p, name, &node->body, &ended_by))
		return false;
	if (p->in_string != in_string)
		return refuse(
			p, p->at, "a block begins and ends on two sides of a quote:", name);
	if (str_is(ended_by, "else") && !parse_nodes(p, name, &node->otherwise, &ended_by))
		return false;
	if (str_is(ended_by, "else"))
		return refuse(p, p->at, "a second {{else}} of", name);
	if (p->in_string != in_string)
		return refuse(
			p, p->at, "a block begins and ends on two sides of a quote:", name);
	p->depth--;
	return true;
}

static bool
parse_expression(struct parser *p, struct tag *t, struct push_node ***end)
{
	struct str word = next_word(t);
	const struct helper *h = find_helper(word, false);
	struct push_node *node = add_node(p, end);

	if (word.n == 0)
		return refuse(p, t->at, "{{ }} is empty", STR_NONE);
	if (h != NULL)
		return read_args(p, t, h, node);
	if (!read_arg(p, t, word, &node->args[0]))
		return false;
	return next_word(t).n == 0 || refuse(p, t->at, "unknown helper", word);
}

/* Up to the end of ${block} (p == NULL: of the text), or to its {{else}}. */
static bool
parse_nodes(struct parser *p, struct str block, struct push_node **first, struct str *ended_by)
{
	struct push_node **end = first;
	struct tag t;

	for (;;) {
		struct str word;

		read_text(p, &end);
		if (p->at == p->text.n)
			return block.p == NULL || refuse(p, p->at, "missing the end of", block);
		if (!read_tag(p, &t))
			return false;
		if (p->nnodes > NODES_MAX)
			return refuse(p, t.at, "more than 1000 expressions", STR_NONE);
		if (str_starts(t.inside, STR("!")))
			continue;
		if (str_starts(t.inside, STR("#")) || str_starts(t.inside, STR("/"))) {
			bool begins = t.inside.p[0] == '#';

			t.read = 1;
			word = next_word(&t);
			if (begins) {
				if (!parse_block(p, &t, word, &end))
					return false;
				continue;
			}
			*ended_by = STR("/");
			return (block.p != NULL && str_eq(word, block)) ||
			       refuse(p, t.at, "unexpected end of", word);
		}
		if (str_is(t.inside, "else")) {
			*ended_by = t.inside;
			return block.p != NULL ||
			       refuse(p, t.at, "{{else}} outside of a block", STR_NONE);
		}
		if (!parse_expression(p, &t, &end))
			return false;
	}
}

bool
push_template_compile(struct arena *a, struct str text, const char *field,
	const struct push_template **out, struct err *e)
{
	struct push_template *t = arena_zalloc(a, sizeof(*t));
	struct parser p = {.arena = a, .text = text, .field = field, .e = e};
	struct str ended_by = STR_NONE;

	if (text.n > PUSH_TEMPLATE_MAX)
		return fail(e, ERR_INPUT, "%s: longer than %d bytes", field, PUSH_TEMPLATE_MAX);
	*out = t;
	return parse_nodes(&p, STR_NONE, &t->first, &ended_by);
}

/* ---- what it names --------------------------------------------------------------------- */

static bool
arg_names(const struct push_arg *arg, struct str root)
{
	return arg->nkeys > 0 && str_eq(arg->keys[0], root);
}

static bool
names(const struct push_node *node, struct str root)
{
	for (; node != NULL; node = node->next) {
		if (arg_names(&node->args[0], root) || arg_names(&node->args[1], root) ||
			names(node->body, root) || names(node->otherwise, root))
			return true;
	}
	return false;
}

bool
push_template_names(const struct push_template *t, struct str root)
{
	return names(t->first, root);
}
