/* template_parse – from the text of a template to its program. */
#include "base/arena.h"
#include "base/err.h"
#include "base/jw.h"
#include "domain/template_int.h"

#define NO_CHUNK SIZE_MAX

/* ---- the program ---------------------------------------------------------------- */

static size_t
emit(struct template_build *b, struct chunk c)
{
	struct template *t = b->t;

	if (t->nchunks == b->chunk_cap) {
		size_t cap = MAX_OF(2 * b->chunk_cap, (size_t)8);
		struct chunk *grown = arena_array(b->arena, cap, sizeof(*grown));

		if (t->nchunks > 0)
			memcpy(grown, t->chunks, t->nchunks * sizeof(*grown));
		t->chunks = grown;
		b->chunk_cap = cap;
	}
	t->chunks[t->nchunks] = c;
	return t->nchunks++;
}

void
template_parse_flush(struct template_build *b)
{
	struct str s = buf_view(&b->literal);

	if (s.n == 0)
		return;
	emit(b, (struct chunk){.op = CHUNK_LITERAL, .literal = arena_dup(b->arena, s)});
	b->literal.n = 0;
}

static size_t
emit_op(struct template_parser *p, enum chunk_op op, const struct node *expr)
{
	template_parse_flush(p->b);
	return emit(p->b, (struct chunk){.op = op, .expr = expr});
}

static void
emit_literal(struct template_parser *p, size_t from, size_t to)
{
	struct str s = str_sub(p->text, from, to - from);

	if (p->json)
		jw_escape(&p->b->literal, s);
	else
		buf_str(&p->b->literal, s);
}

/* ---- expressions ---------------------------------------------------------------- */

static struct node *parse_expr(struct template_parser *p);

static struct node *
new_node(const struct template_parser *p, enum node_type type, struct node *first)
{
	struct node *n = arena_zalloc(p->b->arena, sizeof(*n));

	n->type = type;
	n->first = first;
	return n;
}

static struct node *
new_literal(const struct template_parser *p, struct value v)
{
	struct node *n = new_node(p, NODE_LITERAL, NULL);

	n->literal = v;
	return n;
}

static bool
go_deeper(struct template_parser *p)
{
	if (p->depth == TEMPLATE_EXPR_DEPTH)
		return template_lex_refuse(p, p->tok.at,
			"expression nested deeper than %d levels", TEMPLATE_EXPR_DEPTH);
	p->depth++;
	return true;
}

/* \\, \" and \' mean their second character; any other backslash stays (dates use it). */
static struct str
unescape(const struct template_parser *p, struct str s)
{
	char *to;
	size_t n = 0;

	if (str_find(s, '\\', 0) == s.n)
		return s;
	to = arena_alloc(p->b->arena, s.n);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n &&
			(s.p[i + 1] == '\\' || s.p[i + 1] == '"' || s.p[i + 1] == '\''))
			i++;
		to[n++] = s.p[i];
	}
	return (struct str){to, n};
}

static enum variable_root
root_of(struct str name)
{
	if (str_ieq(name, STR("sender")))
		return ROOT_SENDER;
	if (str_ieq(name, STR("receiver")))
		return ROOT_RECEIVER;
	if (str_ieq(name, STR("channel")))
		return ROOT_CHANNEL;
	return ROOT_UNKNOWN;
}

/* FIELD_NOTHING: not built in, so it is the name of a custom field. */
static enum variable_field
field_of(enum variable_root root, struct str name)
{
	static const struct {
		const char *name;
		enum variable_field field;
		bool of_user, of_channel;
	} fields[] = {
		{"id", FIELD_ID, true, true},
		{"custom", FIELD_CUSTOM, true, true},
		{"name", FIELD_NAME, true, false},
		{"image", FIELD_IMAGE, true, false},
		{"role", FIELD_ROLE, true, false},
		{"language", FIELD_LANGUAGE, true, false},
		{"teams", FIELD_TEAMS, true, false},
		{"created_at", FIELD_CREATED_AT, true, false},
		{"updated_at", FIELD_UPDATED_AT, true, false},
		{"last_active", FIELD_LAST_ACTIVE, true, false},
		{"type", FIELD_TYPE, false, true},
		{"cid", FIELD_CID, false, true},
		{"team", FIELD_TEAM, false, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if ((root == ROOT_CHANNEL ? fields[i].of_channel : fields[i].of_user) &&
			str_eq(str_of(fields[i].name), name))
			return fields[i].field;
	return FIELD_NOTHING;
}

static struct node *
parse_variable(struct template_parser *p)
{
	struct str parts[TEMPLATE_PATH_MAX], name = p->tok.text, *path;
	struct node *n = new_node(p, NODE_VARIABLE, NULL);
	struct variable *v = &n->variable;
	size_t nparts = 0, skip = 2;

	for (size_t from = 0; from <= name.n; nparts++) {
		size_t dot = str_find(name, '.', from);

		if (nparts == TEMPLATE_PATH_MAX) {
			template_lex_refuse(p, p->tok.at, "more than %d names in a variable",
				TEMPLATE_PATH_MAX);
			return NULL;
		}
		parts[nparts] = str_sub(name, from, dot - from);
		from = dot + 1;
	}
	*v = (struct variable){.root = root_of(parts[0]), .name = name};
	if (v->root != ROOT_UNKNOWN && nparts > 1) {
		v->field = field_of(v->root, parts[1]);
		if (v->field == FIELD_NOTHING) {
			v->field = FIELD_CUSTOM;
			skip = 1;
		}
		v->npath = nparts - skip;
		path = arena_array(p->b->arena, MAX_OF(v->npath, (size_t)1), sizeof(*path));
		for (size_t i = 0; i < v->npath; i++)
			path[i] = parts[skip + i];
		v->path = path;
	}
	p->b->t->uses_variables = true;
	p->b->t->uses_channel |= v->root == ROOT_CHANNEL;
	p->b->t->uses_receiver |= v->root == ROOT_RECEIVER;
	return n;
}

static struct node *
parse_name(struct template_parser *p)
{
	static const char *const reserved[] = {"and", "or", "not", "in"};

	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (template_lex_at_word(p, reserved[i]))
			return template_lex_unexpected(p);
	if (template_lex_at_word(p, "true") || template_lex_at_word(p, "True"))
		return new_literal(p, (struct value){.type = VALUE_BOOL, .truth = true});
	if (template_lex_at_word(p, "false") || template_lex_at_word(p, "False"))
		return new_literal(p, (struct value){.type = VALUE_BOOL});
	if (template_lex_at_word(p, "none") || template_lex_at_word(p, "None"))
		return new_literal(p, VALUE_UNDEFINED);
	return parse_variable(p);
}

/* A literal or a variable. */
static struct node *
parse_simple(struct template_parser *p)
{
	struct value v = {.text = p->tok.text};
	struct node *n;

	switch (p->tok.type) {
	case TOKEN_NAME:
		n = parse_name(p);
		break;
	case TOKEN_NUMBER:
		v.type = VALUE_NUMBER;
		n = new_literal(p, v);
		break;
	case TOKEN_STRING:
		v.type = VALUE_TEXT;
		v.text = unescape(p, v.text);
		n = new_literal(p, v);
		break;
	default:
		return template_lex_unexpected(p);
	}
	return n != NULL && template_lex_next(p) ? n : NULL;
}

/* From behind the '(' to behind the ')'. */
static struct node *
parse_inside(struct template_parser *p)
{
	struct node *n;

	if (!go_deeper(p) || (n = parse_expr(p)) == NULL)
		return NULL;
	p->depth--;
	if (!template_lex_at_symbol(p, ")"))
		return template_lex_unexpected(p);
	return template_lex_next(p) ? n : NULL;
}

/* The argument in either style; *arg = NULL for none. */
static bool
parse_argument(struct template_parser *p, struct node **arg)
{
	*arg = NULL;
	if (template_lex_at_symbol(p, ":"))
		return template_lex_next(p) && (*arg = parse_simple(p)) != NULL;
	if (!template_lex_at_symbol(p, "("))
		return true;
	if (!template_lex_next(p))
		return false;
	return template_lex_at_symbol(p, ")") ? template_lex_next(p)
					      : (*arg = parse_inside(p)) != NULL;
}

/* From the name of the filter to behind its argument. */
static struct node *
parse_filter(struct template_parser *p)
{
	struct node *n = new_node(p, NODE_FILTER, NULL);
	struct token name = p->tok;

	if (name.type != TOKEN_NAME)
		return template_lex_unexpected(p);
	n->filter = template_filter_find(name.text);
	if (n->filter == NULL) {
		template_lex_refuse(p, name.at, "unknown filter \"%.*s\"", STR_ARG(name.text));
		return NULL;
	}
	if (!template_lex_next(p) || !parse_argument(p, &n->first))
		return NULL;
	if (n->first == NULL && n->filter->arg == ARG_REQUIRED) {
		template_lex_refuse(
			p, name.at, "filter \"%s\" needs an argument", n->filter->name);
		return NULL;
	}
	if (n->first != NULL && n->filter->arg == ARG_NONE) {
		template_lex_refuse(
			p, name.at, "filter \"%s\" takes no argument", n->filter->name);
		return NULL;
	}
	return n;
}

static struct node *
parse_operand(struct template_parser *p)
{
	if (!template_lex_at_symbol(p, "("))
		return parse_simple(p);
	return template_lex_next(p) ? parse_inside(p) : NULL;
}

static struct node *
parse_filtered(struct template_parser *p)
{
	struct node *n = parse_operand(p), *last = n;

	if (n == NULL || !template_lex_at_symbol(p, "|"))
		return n;
	n = new_node(p, NODE_FILTERED, n);
	for (unsigned i = 0; template_lex_at_symbol(p, "|"); i++) {
		if (i == TEMPLATE_CHAIN_MAX) {
			template_lex_refuse(p, p->tok.at, "more than %d filters on a value",
				TEMPLATE_CHAIN_MAX);
			return NULL;
		}
		if (!template_lex_next(p) || (last->next = parse_filter(p)) == NULL)
			return NULL;
		last = last->next;
	}
	return n;
}

/* Moves behind a comparison operator; false on an error.  NODE_LITERAL: there is none. */
static bool
take_operator(struct template_parser *p, enum node_type *op)
{
	static const struct {
		const char *symbol;
		enum node_type op;
	} operators[] = {{"==", NODE_EQ}, {"!=", NODE_NE}, {"<", NODE_LT}, {">", NODE_GT},
		{"<=", NODE_LE}, {">=", NODE_GE}};

	*op = NODE_LITERAL;
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if (template_lex_at_symbol(p, operators[i].symbol))
			*op = operators[i].op;
	if (template_lex_at_word(p, "in"))
		*op = NODE_IN;
	if (template_lex_at_word(p, "not")) {
		*op = NODE_NOT_IN;
		if (!template_lex_next(p))
			return false;
		if (!template_lex_at_word(p, "in")) {
			template_lex_unexpected(p);
			return false;
		}
	}
	return *op == NODE_LITERAL || template_lex_next(p);
}

static struct node *
parse_comparison(struct template_parser *p)
{
	struct node *n = parse_filtered(p);
	enum node_type op;

	if (n == NULL || !take_operator(p, &op))
		return NULL;
	if (op == NODE_LITERAL)
		return n;
	n->next = parse_filtered(p);
	return n->next != NULL ? new_node(p, op, n) : NULL;
}

static struct node *
parse_not(struct template_parser *p)
{
	struct node *n;

	if (!template_lex_at_word(p, "not"))
		return parse_comparison(p);
	if (!go_deeper(p) || !template_lex_next(p) || (n = parse_not(p)) == NULL)
		return NULL;
	p->depth--;
	return new_node(p, NODE_NOT, n);
}

static struct node *
parse_chain(struct template_parser *p, enum node_type type, const char *word,
	struct node *(*operand)(struct template_parser *))
{
	struct node *n = operand(p), *last = n;

	if (n == NULL || !template_lex_at_word(p, word))
		return n;
	n = new_node(p, type, n);
	while (template_lex_at_word(p, word)) {
		if (!template_lex_next(p) || (last->next = operand(p)) == NULL)
			return NULL;
		last = last->next;
	}
	return n;
}

static struct node *
parse_and(struct template_parser *p)
{
	return parse_chain(p, NODE_AND, "and", parse_not);
}

static struct node *
parse_expr(struct template_parser *p)
{
	return parse_chain(p, NODE_OR, "or", parse_and);
}

/* ---- tags ----------------------------------------------------------------------- */

static bool
expect_close(struct template_parser *p)
{
	if (p->tok.type == TOKEN_CLOSE)
		return true;
	template_lex_unexpected(p);
	return false;
}

static void
patch_branch(struct template_parser *p, struct template_if *f)
{
	if (f->unless != NO_CHUNK)
		p->b->t->chunks[f->unless].target = p->b->t->nchunks;
	f->unless = NO_CHUNK;
}

/* The condition up to the end of its tag, and the jump over its branch. */
static bool
parse_condition(struct template_parser *p, struct template_if *f)
{
	struct node *expr;

	if (!template_lex_next(p) || (expr = parse_expr(p)) == NULL || !expect_close(p))
		return false;
	f->unless = emit_op(p, CHUNK_JUMP_UNLESS, expr);
	return true;
}

static bool
parse_if(struct template_parser *p)
{
	struct template_if *f = &p->ifs[p->nifs];

	if (p->nifs == TEMPLATE_IF_DEPTH)
		return template_lex_refuse(
			p, p->opened, "ifs nested deeper than %d levels", TEMPLATE_IF_DEPTH);
	p->nifs++;
	*f = (struct template_if){.at = p->opened, .unless = NO_CHUNK, .ends = NO_CHUNK};
	return parse_condition(p, f);
}

/* {% elif %} and {% else %}. */
static bool
parse_else(struct template_parser *p, bool again)
{
	struct template_if *f;
	size_t jump;

	if (p->nifs == 0 || p->ifs[p->nifs - 1].unless == NO_CHUNK)
		return template_lex_refuse(p, p->opened, "\"%s\" %s", again ? "elif" : "else",
			p->nifs == 0 ? "without \"if\"" : "after \"else\"");
	f = &p->ifs[p->nifs - 1];
	jump = emit_op(p, CHUNK_JUMP, NULL);
	p->b->t->chunks[jump].target = f->ends;
	f->ends = jump;
	patch_branch(p, f);
	if (again)
		return parse_condition(p, f);
	return template_lex_next(p) && expect_close(p);
}

static bool
parse_endif(struct template_parser *p)
{
	struct chunk *chunks;
	struct template_if *f;

	if (p->nifs == 0)
		return template_lex_refuse(p, p->opened, "\"endif\" without \"if\"");
	template_parse_flush(p->b);
	f = &p->ifs[--p->nifs];
	patch_branch(p, f);
	chunks = p->b->t->chunks;
	for (size_t i = f->ends; i != NO_CHUNK;) {
		size_t next = chunks[i].target;

		chunks[i].target = p->b->t->nchunks;
		i = next;
	}
	return template_lex_next(p) && expect_close(p);
}

/* Moves behind the tag that is nothing but ${name}, if one begins at the cursor. */
static bool
skip_tag(struct template_parser *p, const char *name)
{
	size_t from = p->at, n = strlen(name);

	p->at += 2;
	template_lex_skip_blanks(p);
	if (p->text.n - p->at >= n && memcmp(p->text.p + p->at, name, n) == 0) {
		p->at += n;
		template_lex_skip_blanks(p);
		if (template_lex_peek(p, 0) == '%' && template_lex_peek(p, 1) == '}') {
			p->at += 2;
			return true;
		}
	}
	p->at = from;
	return false;
}

static bool
parse_raw(struct template_parser *p, const char *end)
{
	size_t from;

	if (!template_lex_next(p) || !expect_close(p))
		return false;
	from = p->at;
	for (;;) {
		size_t stop;

		p->at = str_find(p->text, '{', p->at);
		stop = p->at;
		if (stop == p->text.n)
			return template_lex_refuse(
				p, p->opened, "\"%s\" is never closed", end + strlen("end"));
		if (template_lex_peek(p, 1) == '%' && skip_tag(p, end)) {
			emit_literal(p, from, stop);
			return true;
		}
		p->at = stop + 1;
	}
}

static bool
parse_tag(struct template_parser *p)
{
	p->close = '%';
	if (!template_lex_next(p))
		return false;
	if (template_lex_at_word(p, "if"))
		return parse_if(p);
	if (template_lex_at_word(p, "elif"))
		return parse_else(p, true);
	if (template_lex_at_word(p, "else"))
		return parse_else(p, false);
	if (template_lex_at_word(p, "endif"))
		return parse_endif(p);
	if (template_lex_at_word(p, "raw"))
		return parse_raw(p, "endraw");
	if (template_lex_at_word(p, "verbatim"))
		return parse_raw(p, "endverbatim");
	if (p->tok.type == TOKEN_NAME)
		return template_lex_refuse(
			p, p->tok.at, "unknown tag \"%.*s\"", STR_ARG(p->tok.text));
	template_lex_unexpected(p);
	return false;
}

static bool
is_receiver_id(const struct node *n)
{
	return n->type == NODE_VARIABLE && n->variable.root == ROOT_RECEIVER &&
	       n->variable.field == FIELD_ID && n->variable.npath == 0;
}

static bool
parse_output(struct template_parser *p)
{
	struct template *t = p->b->t;
	bool used = t->uses_receiver;
	enum chunk_op op = CHUNK_TEXT;
	struct node *expr;

	p->close = '}';
	if (!template_lex_next(p) || (expr = parse_expr(p)) == NULL || !expect_close(p))
		return false;
	if (p->json) {
		p->typed = p->opened == 0 && p->at == p->text.n;
		if (p->opened == 0 && !p->typed)
			buf_char(&p->b->literal, '"');
		op = p->typed ? CHUNK_TYPED : CHUNK_STRING;
	} else if (is_receiver_id(expr)) {
		t->uses_receiver = used;
		op = CHUNK_RECEIVER_ID;
	}
	emit_op(p, op, expr);
	return true;
}

static bool
parse_comment(struct template_parser *p)
{
	const char *end = memmem(p->text.p + p->at, p->text.n - p->at, "#}", 2);

	if (end == NULL)
		return template_lex_refuse(p, p->opened, "\"{#\" is never closed");
	p->at = (size_t)(end - p->text.p) + 2;
	return true;
}

/* What begins with the brace at the cursor; a brace on its own is text. */
static bool
parse_brace(struct template_parser *p)
{
	char next = template_lex_peek(p, 1);

	p->opened = p->at;
	p->depth = 0;
	if (next != '{' && next != '%' && next != '#') {
		emit_literal(p, p->at, p->at + 1);
		p->at++;
		return true;
	}
	p->at += 2;
	return next == '{' ? parse_output(p) : next == '%' ? parse_tag(p) : parse_comment(p);
}

bool
template_parse_text(struct template_build *b, struct str text, bool json)
{
	struct template_parser p = {.b = b, .text = text, .json = json};

	if (text.n > TEMPLATE_TEXT_MAX)
		return template_lex_refuse(&p, 0, "longer than %zu bytes", TEMPLATE_TEXT_MAX);
	if (json && !str_starts(text, STR("{{"))) /* else parse_output knows */
		buf_char(&b->literal, '"');
	while (p.at < text.n) {
		size_t brace = str_find(text, '{', p.at);

		emit_literal(&p, p.at, brace);
		p.at = brace;
		if (brace < text.n && !parse_brace(&p))
			return false;
	}
	if (p.nifs > 0)
		return template_lex_refuse(&p, p.ifs[p.nifs - 1].at, "\"if\" is never closed");
	if (json && !p.typed)
		buf_char(&b->literal, '"');
	return true;
}
