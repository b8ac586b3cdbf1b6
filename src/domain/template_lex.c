/* template_lex – the words of a template's tags, and the place of what is wrong with them. */
#include "base/arena.h"
#include "base/err.h"
#include "domain/template_int.h"

static void
put_place(struct buf *out, const struct template_place *place)
{
	if (place == NULL)
		return;
	put_place(out, place->up);
	if (place->key.p != NULL)
		buf_printf(out, ".%.*s", STR_ARG(place->key));
	else
		buf_printf(out, "[%zu]", place->index);
}

bool
template_lex_refuse(const struct template_parser *p, size_t at, const char *fmt, ...)
{
	struct template_build *b = p->b;
	struct str why, before = str_sub(p->text, 0, at);
	size_t line = 1, start = 0;
	struct buf place;
	va_list ap;

	va_start(ap, fmt);
	why = arena_vprintf(b->arena, fmt, ap);
	va_end(ap);
	buf_init(&place, b->arena, 64);
	put_place(&place, b->place);
	for (size_t i = str_find(before, '\n', 0); i < at; i = str_find(before, '\n', start)) {
		line++;
		start = i + 1;
	}
	return fail(b->e, ERR_INPUT, "%s%.*s: line %zu, column %zu: %s", b->field,
		STR_ARG(buf_view(&place)), line,
		str_utf8_len(str_sub(before, start, at - start)) + 1, why.p);
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_name_start(char c)
{
	return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool
is_name_part(char c)
{
	return is_name_start(c) || is_digit(c);
}

static char
peek(const struct template_parser *p, size_t ahead)
{
	return p->text.n - p->at > ahead ? p->text.p[p->at + ahead] : '\0';
}

static void
read_name(struct template_parser *p)
{
	while (is_name_part(peek(p, 0)) || (peek(p, 0) == '.' && is_name_part(peek(p, 1))))
		p->at++;
}

/* As in JSON, but without exponents. */
static bool
read_number(struct template_parser *p)
{
	size_t from = p->at;

	if (peek(p, 0) == '-')
		p->at++;
	if (peek(p, 0) == '0' && is_digit(peek(p, 1)))
		return template_lex_refuse(p, from, "a number with a leading zero");
	while (is_digit(peek(p, 0)))
		p->at++;
	if (peek(p, 0) == '.' && is_digit(peek(p, 1)))
		for (p->at++; is_digit(peek(p, 0));)
			p->at++;
	if (is_name_part(peek(p, 0)))
		return template_lex_refuse(p, from, "malformed number");
	return true;
}

static bool
read_string(struct template_parser *p)
{
	char quote = peek(p, 0);
	size_t from = p->at++;

	while (p->at < p->text.n && peek(p, 0) != quote)
		p->at += peek(p, 0) == '\\' ? 2 : 1;
	if (p->at >= p->text.n)
		return template_lex_refuse(p, from, "the quote is never closed");
	p->at++;
	p->tok.text = str_sub(p->text, from + 1, p->at - from - 2);
	return true;
}

static bool
read_symbol(struct template_parser *p)
{
	char c = peek(p, 0);
	size_t n;

	if ((c == '=' || c == '!' || c == '<' || c == '>') && peek(p, 1) == '=') {
		p->at += 2;
		return true;
	}
	if (c != '\0' && strchr("|:(),<>", c) != NULL) {
		p->at++;
		return true;
	}
	n = str_utf8_seq(str_sub(p->text, p->at, p->text.n - p->at));
	return template_lex_refuse(p, p->at, "unexpected \"%.*s\"", (int)n, p->text.p + p->at);
}

char
template_lex_peek(const struct template_parser *p, size_t ahead)
{
	return peek(p, ahead);
}

void
template_lex_skip_blanks(struct template_parser *p)
{
	while (is_blank(peek(p, 0)))
		p->at++;
}

bool
template_lex_next(struct template_parser *p)
{
	struct token *t = &p->tok;
	bool ok = true;

	template_lex_skip_blanks(p);
	if (p->at == p->text.n)
		return template_lex_refuse(
			p, p->opened, "\"{%c\" is never closed", p->close == '%' ? '%' : '{');
	*t = (struct token){.type = TOKEN_SYMBOL, .at = p->at};
	if (peek(p, 0) == p->close && peek(p, 1) == '}') {
		t->type = TOKEN_CLOSE;
		p->at += 2;
	} else if (is_name_start(peek(p, 0))) {
		t->type = TOKEN_NAME;
		read_name(p);
	} else if (is_digit(peek(p, 0)) || (peek(p, 0) == '-' && is_digit(peek(p, 1)))) {
		t->type = TOKEN_NUMBER;
		ok = read_number(p);
	} else if (peek(p, 0) == '"' || peek(p, 0) == '\'') {
		t->type = TOKEN_STRING;
		return read_string(p);
	} else {
		ok = read_symbol(p);
	}
	t->text = str_sub(p->text, t->at, p->at - t->at);
	return ok;
}

bool
template_lex_at_symbol(const struct template_parser *p, const char *symbol)
{
	return p->tok.type == TOKEN_SYMBOL && str_eq(p->tok.text, str_of(symbol));
}

bool
template_lex_at_word(const struct template_parser *p, const char *word)
{
	return p->tok.type == TOKEN_NAME && str_eq(p->tok.text, str_of(word));
}

struct node *
template_lex_unexpected(const struct template_parser *p)
{
	struct str shown = str_sub(p->text, p->tok.at, p->at - p->tok.at);

	template_lex_refuse(p, p->tok.at, "unexpected %s%.*s%s",
		p->tok.type == TOKEN_STRING ? "" : "\"", STR_ARG(shown),
		p->tok.type == TOKEN_STRING ? "" : "\"");
	return NULL;
}
