/* template_filter – the filters of the template language; Django's rules where it has any. */
#include <stdio.h>

#include "domain/template_int.h"

#define ELLIPSIS     STR("\xE2\x80\xA6")
#define DATE_DEFAULT STR("N j, Y")
#define PLACES_MAX   30
#define DIGITS_MAX   512 /* of a number being rounded */

/* ---- helpers -------------------------------------------------------------------- */

/* Appends text that may itself stand in the output. */
static void
append(struct template_run *r, const struct value *v)
{
	char *to = buf_room(r->out, v->text.n);
	struct str s = template_eval_view(r, v);

	if (s.n > 0)
		memcpy(to, s.p, s.n);
	r->out->n += s.n;
}

/* The first ${n} bytes from ${from} on of a TEXT. */
static struct value
part_of(struct value v, size_t from, size_t n)
{
	if (v.in_out)
		v.at += from;
	else
		v.text = str_sub(v.text, from, v.text.n - from);
	v.text.n = n;
	return v;
}

/* The end of the code point at ${at}. */
static size_t
char_end(struct str s, size_t at)
{
	size_t n = str_utf8_seq(str_sub(s, at, s.n - at));

	return at + MAX_OF(n, (size_t)1);
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_array(struct value v)
{
	return v.type == VALUE_JSON && v.text.p[0] == '[';
}

/* A whole number, written as a number or as text. */
static bool
integer_of(struct template_run *r, const struct value *v, int64_t *out)
{
	return v != NULL && (v->type == VALUE_NUMBER || v->type == VALUE_TEXT) &&
	       str_to_i64(template_eval_view(r, v), out);
}

/* ---- text ----------------------------------------------------------------------- */

static struct value
map_case(struct template_run *r, struct value in, enum case_mode mode)
{
	struct value v = template_eval_text(r, in);
	size_t at = r->out->n;
	char *to = buf_room(r->out, v.text.n);

	r->out->n += template_case_map(template_eval_view(r, &v), mode, to);
	return template_eval_made(r, VALUE_TEXT, at);
}

static struct value
filter_upper(struct template_run *r, struct value in, const struct value *arg UNUSED)
{
	return map_case(r, in, CASE_UPPER);
}

static struct value
filter_lower(struct template_run *r, struct value in, const struct value *arg UNUSED)
{
	return map_case(r, in, CASE_LOWER);
}

static struct value
filter_title(struct template_run *r, struct value in, const struct value *arg UNUSED)
{
	return map_case(r, in, CASE_TITLE);
}

static struct value
filter_capfirst(struct template_run *r, struct value in, const struct value *arg UNUSED)
{
	return map_case(r, in, CASE_FIRST);
}

static struct value
filter_truncatechars(struct template_run *r, struct value in, const struct value *arg)
{
	struct value v = template_eval_text(r, in);
	struct str s = template_eval_view(r, &v);
	size_t at = r->out->n, keep = 0, end = 0;
	int64_t max;

	if (!integer_of(r, arg, &max))
		return v;
	if (max <= 0)
		return part_of(v, 0, 0);
	for (int64_t chars = 0; end < s.n && chars < max; chars++) {
		keep = end;
		end = char_end(s, end);
	}
	if (end == s.n)
		return v;
	v = part_of(v, 0, keep);
	append(r, &v);
	buf_str(r->out, ELLIPSIS);
	return template_eval_made(r, VALUE_TEXT, at);
}

static struct value
filter_truncatewords(struct template_run *r, struct value in, const struct value *arg)
{
	struct value v = template_eval_text(r, in);
	size_t at = r->out->n, i = 0;
	int64_t max, words = 0;
	struct str s;

	if (!integer_of(r, arg, &max))
		return v;
	buf_room(r->out, v.text.n + 1);
	s = template_eval_view(r, &v);
	for (; max > 0; words++) {
		size_t from;

		while (i < s.n && is_space(s.p[i]))
			i++;
		if (i == s.n || words == max)
			break;
		for (from = i; i < s.n && !is_space(s.p[i]);)
			i++;
		if (words > 0)
			buf_char(r->out, ' ');
		buf_add(r->out, s.p + from, i - from);
	}
	if (max > 0 && i < s.n) {
		buf_char(r->out, ' ');
		buf_str(r->out, ELLIPSIS);
	}
	return template_eval_made(r, VALUE_TEXT, at);
}

static struct value
filter_escape(struct template_run *r, struct value in, const struct value *arg UNUSED)
{
	struct value v = template_eval_text(r, in);
	size_t at = r->out->n;
	struct str s;

	buf_room(r->out, v.text.n * strlen("&quot;"));
	s = template_eval_view(r, &v);
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '&':
			buf_str(r->out, STR("&amp;"));
			break;
		case '<':
			buf_str(r->out, STR("&lt;"));
			break;
		case '>':
			buf_str(r->out, STR("&gt;"));
			break;
		case '"':
			buf_str(r->out, STR("&quot;"));
			break;
		case '\'':
			buf_str(r->out, STR("&#x27;"));
			break;
		default:
			buf_char(r->out, s.p[i]);
			break;
		}
	}
	return template_eval_made(r, VALUE_TEXT, at);
}

static struct value
filter_json(struct template_run *r, struct value in, const struct value *arg UNUSED)
{
	size_t at;

	if (in.type == VALUE_NONE)
		return (struct value){.type = VALUE_TEXT, .text = STR("null")};
	if (in.type == VALUE_ESCAPED) {
		in.type = VALUE_TEXT;
		return in;
	}
	if (in.type != VALUE_TEXT && in.type != VALUE_TIME)
		return template_eval_text(r, in);
	in = template_eval_text(r, in);
	at = r->out->n;
	buf_char(r->out, '"');
	template_eval_escape(r, &in);
	buf_char(r->out, '"');
	return template_eval_made(r, VALUE_TEXT, at);
}

/* ---- any value ------------------------------------------------------------------ */

static struct value
filter_default(struct template_run *r, struct value in, const struct value *arg)
{
	return template_eval_truth(r, &in) ? in : *arg;
}

static struct value
filter_length(struct template_run *r, struct value in, const struct value *arg UNUSED)
{
	struct jscan_value v;
	struct str key;
	size_t n = 0, at = 0;

	if (is_array(in)) {
		while (jscan_next(in.text, &at, &v))
			n++;
	} else if (in.type == VALUE_JSON) {
		while (jscan_next_member(in.text, &at, &key, &v))
			n++;
	} else if (in.type == VALUE_TEXT || in.type == VALUE_ESCAPED) {
		in = template_eval_text(r, in);
		n = str_utf8_len(template_eval_view(r, &in));
	}
	at = r->out->n;
	buf_i64(r->out, (int64_t)n);
	return template_eval_made(r, VALUE_NUMBER, at);
}

static struct value
filter_join(struct template_run *r, struct value in, const struct value *arg)
{
	struct value sep = arg ? template_eval_text(r, *arg) : VALUE_UNDEFINED;
	size_t at = r->out->n, next = 0;
	struct jscan_value item;

	if (!is_array(in))
		return in;
	for (bool first = true; jscan_next(in.text, &next, &item); first = false) {
		size_t mark;
		struct value v;

		if (!first)
			append(r, &sep);
		mark = r->out->n;
		v = template_eval_text(r, template_eval_json(item));
		if (!v.in_out)
			append(r, &v);
		if (template_eval_made(r, VALUE_TEXT, mark).type == VALUE_NONE)
			return VALUE_UNDEFINED;
	}
	return template_eval_made(r, VALUE_TEXT, at);
}

static struct value
filter_first(struct template_run *r, struct value in, const struct value *arg UNUSED)
{
	struct jscan_value v;
	size_t at = 0;

	if (in.type == VALUE_JSON)
		return jscan_next(in.text, &at, &v) ? template_eval_json(v) : VALUE_UNDEFINED;
	if (in.type != VALUE_TEXT && in.type != VALUE_ESCAPED)
		return VALUE_UNDEFINED;
	in = template_eval_text(r, in);
	return in.text.n == 0 ? in : part_of(in, 0, char_end(template_eval_view(r, &in), 0));
}

static struct value
filter_last(struct template_run *r, struct value in, const struct value *arg UNUSED)
{
	struct jscan_value v = {JSCAN_NONE, STR_NONE};
	size_t at = 0, from = 0;
	struct str s;

	if (in.type == VALUE_JSON) {
		while (jscan_next(in.text, &at, &v))
			continue;
		return template_eval_json(v);
	}
	if (in.type != VALUE_TEXT && in.type != VALUE_ESCAPED)
		return VALUE_UNDEFINED;
	in = template_eval_text(r, in);
	s = template_eval_view(r, &in);
	for (at = 0; at < s.n; at = char_end(s, at))
		from = at;
	return part_of(in, from, s.n - from);
}

/* A backslash takes the next letter as it is. */
static struct value
filter_date(struct template_run *r, struct value in, const struct value *arg)
{
	struct value format = {.type = VALUE_TEXT, .text = DATE_DEFAULT};
	size_t at;
	int64_t us;

	if (in.type == VALUE_ESCAPED)
		in = template_eval_text(r, in);
	if (!template_eval_time(r, in, &us))
		return VALUE_UNDEFINED;
	if (arg != NULL)
		format = template_eval_text(r, *arg);
	at = r->out->n;
	for (size_t i = 0; i < format.text.n; i++) {
		struct str f = template_eval_view(r, &format);

		if (f.p[i] == '\\' && i + 1 < f.n)
			buf_char(r->out, f.p[++i]);
		else
			template_date_letter(r->out, f.p[i], us);
	}
	return template_eval_made(r, VALUE_TEXT, at);
}

/* ---- numbers -------------------------------------------------------------------- */

/* -12.5 taken apart, so that rounding sees the digits that people see. */
struct decimal {
	bool negative;
	struct str whole, fraction;
};

static bool
read_decimal(struct str s, struct decimal *d)
{
	size_t i = 0, point;

	d->negative = s.n > 0 && s.p[0] == '-';
	s = str_sub(s, d->negative, s.n - d->negative);
	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	d->whole = str_sub(s, 0, i);
	d->fraction = STR("");
	if (i == 0 || i == s.n)
		return i > 0;
	point = i++;
	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	d->fraction = str_sub(s, point + 1, i - point - 1);
	return s.p[point] == '.' && i == s.n;
}

static bool
is_zeros(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '0')
			return false;
	return true;
}

/* Appends ${d} with exactly ${places} decimals, halves rounded away from zero. */
static void
put_rounded(struct buf *out, const struct decimal *d, size_t places)
{
	size_t n = d->whole.n + places;
	char *to = buf_room(out, n + 3);
	char *digits = to + 2; /* before them: a sign and a carried 1 */
	bool carry = places < d->fraction.n && d->fraction.p[places] >= '5';
	size_t kept = MIN_OF(places, d->fraction.n);

	memcpy(digits, d->whole.p, d->whole.n);
	memset(digits + d->whole.n, '0', places);
	if (kept > 0)
		memcpy(digits + d->whole.n, d->fraction.p, kept);
	for (size_t i = n; carry && i-- > 0;) {
		carry = digits[i] == '9';
		digits[i] = carry ? '0' : (char)(digits[i] + 1);
	}
	if (carry) {
		*--digits = '1';
		n++;
	}
	if (d->negative && !is_zeros((struct str){digits, n})) {
		*--digits = '-';
		n++;
	}
	memmove(to, digits, n);
	if (places > 0) {
		memmove(to + n - places + 1, to + n - places, places);
		to[n - places] = '.';
		n++;
	}
	out->n += n;
}

/* Django's rule for ${places}: negative means "only if there are decimals". */
static struct value
round_to(struct template_run *r, struct value in, int64_t places, enum value_type type)
{
	char digits[DIGITS_MAX];
	struct decimal d;
	struct str s;
	size_t at;

	if (in.type != VALUE_NUMBER && in.type != VALUE_TEXT)
		return VALUE_UNDEFINED;
	s = template_eval_view(r, &in);
	if (in.type == VALUE_NUMBER && !read_decimal(s, &d)) { /* 1e3 */
		int n = snprintf(digits, sizeof(digits), "%.*f", PLACES_MAX, jscan_number(s));

		s = (struct str){digits, (size_t)n};
	}
	if (s.n >= sizeof(digits) || !read_decimal(s, &d))
		return VALUE_UNDEFINED;
	memmove(digits, s.p, s.n); /* out of the output, which moves */
	read_decimal((struct str){digits, s.n}, &d);
	if (places < 0 && is_zeros(d.fraction))
		places = 0;
	places = MIN_OF(places < 0 ? -places : places, PLACES_MAX);
	at = r->out->n;
	put_rounded(r->out, &d, (size_t)places);
	return template_eval_made(r, type, at);
}

static struct value
filter_floatformat(struct template_run *r, struct value in, const struct value *arg)
{
	int64_t places = -1;

	if (arg != NULL && !integer_of(r, arg, &places))
		return in;
	return round_to(r, in, MAX_OF(places, -PLACES_MAX), VALUE_TEXT);
}

/* Jinja's name for it: to a whole number unless told otherwise, and still a number. */
static struct value
filter_round(struct template_run *r, struct value in, const struct value *arg)
{
	int64_t places = 0;

	if (arg != NULL && !integer_of(r, arg, &places))
		return in;
	return round_to(r, in, MAX_OF(places, -PLACES_MAX), VALUE_NUMBER);
}

static const struct template_filter filters[] = {
	{"capfirst", ARG_NONE, filter_capfirst},
	{"date", ARG_OPTIONAL, filter_date},
	{"default", ARG_REQUIRED, filter_default},
	{"escape", ARG_NONE, filter_escape},
	{"first", ARG_NONE, filter_first},
	{"floatformat", ARG_OPTIONAL, filter_floatformat},
	{"join", ARG_OPTIONAL, filter_join},
	{"json", ARG_NONE, filter_json},
	{"last", ARG_NONE, filter_last},
	{"length", ARG_NONE, filter_length},
	{"lower", ARG_NONE, filter_lower},
	{"round", ARG_OPTIONAL, filter_round},
	{"title", ARG_NONE, filter_title},
	{"truncatechars", ARG_REQUIRED, filter_truncatechars},
	{"truncatewords", ARG_REQUIRED, filter_truncatewords},
	{"upper", ARG_NONE, filter_upper},
};

const struct template_filter *
template_filter_find(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(filters); i++)
		if (str_eq(str_of(filters[i].name), name))
			return &filters[i];
	return NULL;
}
