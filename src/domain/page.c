/* page – one ordered page of a filtered list, and the cursors between pages.
 *
 * Pages are found by position, not by offset: the condition "behind the last row" on the
 * sorted columns and the tie.  So a page costs the same wherever it is, and rows that come
 * and go move nobody else's. */
#include "domain/page.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "base/crypt.h"
#include "base/err.h"
#include "base/jr.h"
#include "domain/app.h"
#include "store/db.h"

#define SEAL_LEN       16 /* bytes of the HMAC that a cursor carries */
#define CURSOR_VERSION 1
#define MAX_KEYS       (FILTER_MAX_SORTS + 1)

/* One column of the order; the last is the tie. */
struct key {
	const char *sql;
	bool is_text, descending, never_null;
};

struct page {
	struct db *db;
	struct arena *arena;
	const struct app *app;
	const struct page_list *list;
	const json_t *filter, *sort; /* of the cursor, or as asked for */
	int64_t limit;
	bool is_first, backwards;
	struct key keys[MAX_KEYS];
	size_t nkeys;
	struct val at[MAX_KEYS]; /* the position; unused on the first page */
	int first_key_col;
	/* What the rows told. */
	json_t *first, *last; /* positions of the first and the last row shown */
	bool more;            /* rows beyond the page, in its direction */
};

/* ---- cursors --------------------------------------------------------------------- */

static void
seal(struct arena *a, const struct app *app, const char *list, struct str scope,
	struct str json, uint8_t out[CRYPT_SHA256_LEN])
{
	struct buf in;

	buf_init(&in, a, json.n + scope.n + 64);
	buf_str(&in, str_of(list));
	buf_char(&in, '\0');
	buf_str(&in, scope);
	buf_char(&in, '\0');
	buf_str(&in, json);
	crypt_hmac_sha256(app->api_secret, buf_view(&in), out);
}

struct str
page_seal(struct arena *a, const struct app *app, const char *list, struct str scope,
	const json_t *body)
{
	uint8_t mac[CRYPT_SHA256_LEN];
	struct str json = jr_dump(a, body);
	struct buf cursor;

	seal(a, app, list, scope, json, mac);
	buf_init(&cursor, a, json.n + SEAL_LEN);
	buf_str(&cursor, json);
	buf_add(&cursor, mac, SEAL_LEN);
	return crypt_b64url(a, buf_view(&cursor));
}

static bool
fail_cursor(struct err *e)
{
	return fail(e, ERR_INPUT, "next, prev: not a cursor that this list has given out");
}

bool
page_open(struct arena *a, const struct app *app, const char *list, struct str scope,
	struct str cursor, json_t **out, struct err *e)
{
	uint8_t mac[CRYPT_SHA256_LEN];
	struct str raw, json;

	if (!crypt_b64url_read(a, cursor, &raw) || raw.n <= SEAL_LEN)
		return fail_cursor(e);
	json = str_sub(raw, 0, raw.n - SEAL_LEN);
	seal(a, app, list, scope, json, mac);
	if (!crypt_equal(mac, raw.p + json.n, SEAL_LEN))
		return fail_cursor(e);
	return jr_parse(a, json, out, e);
}

/* The cursor behind (or before) the row whose position is ${at}. */
static struct str
make_cursor(const struct page *p, const char *direction, json_t *at)
{
	json_t *body = jr_own(p->arena, json_pack("{s:i, s:s, s:O, s:s}", "v", CURSOR_VERSION,
						"l", p->list->name, "p", at, "d", direction));

	if (p->filter != NULL)
		json_object_set(body, "f", (json_t *)p->filter);
	if (p->sort != NULL)
		json_object_set(body, "s", (json_t *)p->sort);
	return page_seal(p->arena, p->app, p->list->name, p->list->scope, body);
}

/* Takes filter, sort and direction from a cursor; the position follows once the sort is
 * known. */
static bool
open_cursor(struct page *p, struct str cursor, const json_t **position, struct err *e)
{
	json_t *body = NULL;
	const char *direction;

	if (!page_open(p->arena, p->app, p->list->name, p->list->scope, cursor, &body, e))
		return false;
	direction = json_string_value(json_object_get(body, "d"));
	if (json_integer_value(json_object_get(body, "v")) != CURSOR_VERSION ||
		direction == NULL)
		return fail_cursor(e);
	p->filter = json_object_get(body, "f");
	p->sort = json_object_get(body, "s");
	p->backwards = strcmp(direction, "p") == 0;
	p->is_first = false;
	*position = json_object_get(body, "p");
	return true;
}

/* ---- order and position ---------------------------------------------------------- */

static bool
is_text(enum filter_type type)
{
	return type == FILTER_TEXT || type == FILTER_ID_OF_USER;
}

static bool
tie_is_text(const struct filter_schema *schema)
{
	for (size_t i = 0; i < schema->n; i++)
		if (strcmp(schema->fields[i].sql, schema->tie) == 0)
			return is_text(schema->fields[i].type);
	return false;
}

static const struct filter_field *
field_named(const struct filter_schema *schema, const char *name)
{
	for (size_t i = 0; i < schema->n; i++)
		if (strcmp(schema->fields[i].name, name) == 0)
			return &schema->fields[i];
	return NULL;
}

static bool
read_order(struct page *p, struct err *e)
{
	const struct filter_schema *schema = p->list->schema;
	struct filter_sort sorts[FILTER_MAX_SORTS];
	size_t n;

	if (!filter_read_sort(p->sort, schema, sorts, &n, e))
		return false;
	if (n == 0) {
		sorts[0] = (struct filter_sort){
			.field = field_named(schema, p->list->default_field),
			.descending = p->list->default_descending};
		assert(sorts[0].field != NULL);
		n = 1;
	}
	for (size_t i = 0; i < n; i++) {
		const struct filter_field *field = sorts[i].field;

		if (sorts[i].custom.p != NULL)
			return fail(e, ERR_INPUT,
				"sort[%zu].field: %ss cannot be sorted by \"%.*s\"", i,
				schema->subject, (int)MIN_OF(sorts[i].custom.n, (size_t)64),
				sorts[i].custom.p);
		p->keys[p->nkeys++] = (struct key){field->sql, is_text(field->type),
			sorts[i].descending, field->sortable == FILTER_NEVER_NULL};
	}
	p->keys[p->nkeys++] = (struct key){schema->tie, tie_is_text(schema), false, true};
	return true;
}

static bool
read_position(struct page *p, const json_t *position, struct err *e)
{
	if (json_array_size(position) != p->nkeys)
		return fail_cursor(e);
	for (size_t i = 0; i < p->nkeys; i++) {
		const json_t *v = json_array_get(position, i);

		if (json_is_null(v))
			p->at[i] = V_NULL;
		else if (p->keys[i].is_text && json_is_string(v))
			p->at[i] = V_TEXT(jr_text(v));
		else if (!p->keys[i].is_text && json_is_integer(v))
			p->at[i] = V_INT(json_integer_value(v));
		else
			return fail_cursor(e);
	}
	return true;
}

static json_t *
row_position(struct page *p, struct rows *r)
{
	json_t *at = jr_own(p->arena, json_array());

	for (size_t i = 0; i < p->nkeys; i++) {
		int col = p->first_key_col + (int)i;
		json_t *v;

		if (row_null(r, col))
			v = json_null();
		else if (p->keys[i].is_text)
			v = json_stringn(row_str(r, col).p, row_str(r, col).n);
		else
			v = json_integer(row_int(r, col));
		json_array_append_new(at, v);
	}
	return at;
}

/* ---- the query ------------------------------------------------------------------- */

static bool
is_descending(const struct page *p, size_t i)
{
	return p->keys[i].descending != p->backwards;
}

/* "k behind the position": nulls come first ascending, last descending. */
static void
append_behind(const struct page *p, size_t i, int param, struct buf *sql)
{
	const char *k = p->keys[i].sql;
	bool is_null = p->at[i].type == VAL_NULL;

	if (is_descending(p, i) && is_null)
		buf_str(sql, STR("1=0"));
	else if (is_descending(p, i) && p->keys[i].never_null)
		buf_printf(sql, "%s < $%d", k, param);
	else if (is_descending(p, i))
		buf_printf(sql, "(%s < $%d OR %s IS NULL)", k, param, k);
	else if (is_null)
		buf_printf(sql, "%s IS NOT NULL", k);
	else
		buf_printf(sql, "%s > $%d", k, param);
}

/* "k0 behind or equal", which the position implies: an index is searched by a range, but
 * not by an OR.  Nulls that come last cannot be part of a range. */
static void
append_range(const struct page *p, int param, struct buf *sql)
{
	const struct key *k = &p->keys[0];

	if (p->at[0].type == VAL_NULL)
		return;
	if (!is_descending(p, 0))
		buf_printf(sql, "%s >= $%d AND ", k->sql, param);
	else if (k->never_null)
		buf_printf(sql, "%s <= $%d AND ", k->sql, param);
}

/* (k0 behind) OR (k0 equal AND ((k1 behind) OR (k1 equal AND …))) */
static void
append_position(const struct page *p, struct buf *sql, struct filter_params *params)
{
	for (size_t i = 0; i < p->nkeys; i++) {
		const char *k = p->keys[i].sql;
		bool is_null = p->at[i].type == VAL_NULL;
		int param = is_null ? 0 : filter_param(params, p->at[i]);

		if (i == 0)
			append_range(p, param, sql);
		buf_char(sql, '(');
		append_behind(p, i, param, sql);
		if (i + 1 == p->nkeys)
			break;
		if (is_null)
			buf_printf(sql, " OR (%s IS NULL AND ", k);
		else
			buf_printf(sql, " OR (%s = $%d AND ", k, param);
	}
	for (size_t i = 0; i < 2 * p->nkeys - 1; i++)
		buf_char(sql, ')');
}

static void
append_order(const struct page *p, struct buf *sql)
{
	buf_str(sql, STR(" ORDER BY "));
	for (size_t i = 0; i < p->nkeys; i++) {
		const char *nulls = is_descending(p, i) ? " NULLS LAST" : " NULLS FIRST";

		/* Said only where it matters: PostgreSQL does not find an index by it. */
		if (p->keys[i].never_null)
			nulls = "";
		buf_printf(sql, "%s%s%s%s", i > 0 ? ", " : "", p->keys[i].sql,
			is_descending(p, i) ? " DESC" : " ASC", nulls);
	}
}

static void
append_turn(const struct page *p, struct buf *sql)
{
	buf_str(sql, STR(") AS page ORDER BY "));
	for (size_t i = 0; i < p->nkeys; i++)
		buf_printf(sql, "%spage_%zu %s", i > 0 ? ", " : "", i,
			p->keys[i].descending ? "DESC NULLS LAST" : "ASC NULLS FIRST");
}

/* The number of columns in a select list. */
static int
count_columns(const char *list)
{
	int n = 1, depth = 0;
	bool quoted = false;

	for (; *list != '\0'; list++) {
		quoted ^= *list == '\'';
		if (quoted)
			continue;
		depth += (*list == '(') - (*list == ')');
		n += *list == ',' && depth == 0;
	}
	return n;
}

/* One row more than the page shows tells whether there is another page.  A page before is
 * found in reverse and turned around outside; its number of rows comes along, because the
 * additional row is then the first. */
static bool
compose(struct page *p, struct buf *sql, struct filter_params *params, struct err *e)
{
	for (size_t i = 0; i < p->list->args.n; i++)
		filter_param(params, p->list->args.v[i]);
	if (p->backwards)
		buf_str(sql, STR("SELECT page.*, count(*) OVER () FROM ("));
	buf_printf(sql, "SELECT %s", p->list->columns);
	for (size_t i = 0; i < p->nkeys; i++)
		buf_printf(sql, ", %s AS page_%zu", p->keys[i].sql, i);
	buf_printf(sql, " FROM %s AND ", p->list->from_where);
	if (!filter_sql(p->db, p->arena, p->filter, p->list->schema, sql, params, e))
		return false;
	if (!p->is_first) {
		buf_str(sql, STR(" AND "));
		append_position(p, sql, params);
	}
	append_order(p, sql);
	buf_printf(sql, " LIMIT %lld", (long long)p->limit + 1);
	if (p->backwards)
		append_turn(p, sql);
	return true;
}

static bool
read_rows(struct page *p, struct rows *r, page_row_fn row, void *arg, struct err *e)
{
	int64_t shown = p->limit, skip = 0;

	for (int64_t i = 0; rows_next(r); i++) {
		if (i == 0 && p->backwards) {
			int64_t total = row_int(r, p->first_key_col + (int)p->nkeys);

			p->more = total > p->limit;
			skip = p->more;
			shown = total - skip;
		}
		if (i - skip == shown) {
			p->more = true;
			break;
		}
		if (i < skip)
			continue;
		if (i == skip)
			p->first = row_position(p, r);
		if (i - skip == shown - 1)
			p->last = row_position(p, r);
		if (!row(arg, r, e))
			return false;
	}
	return true;
}

static bool
read_cursor_text(const json_t *body, const char *key, struct str *out, struct err *e)
{
	if (!jr_str(body, key, OPTIONAL, out, e))
		return false;
	if (out->n == 0)
		*out = STR_NONE;
	return true;
}

static struct page
begin(struct db *db, struct arena *a, const struct app *app, const struct page_list *list,
	const struct page_ask *ask)
{
	return (struct page){.db = db,
		.arena = a,
		.app = app,
		.list = list,
		.filter = ask->filter,
		.sort = ask->sort,
		.limit = ask->limit,
		.is_first = true,
		.first_key_col = count_columns(list->columns)};
}

static bool
start(struct page *p, const struct page_ask *ask, struct err *e)
{
	const json_t *position = NULL;
	struct str cursor = ask->next.p != NULL ? ask->next : ask->prev;

	if (cursor.p != NULL) {
		if (!open_cursor(p, cursor, &position, e))
			return false;
		if (p->backwards != (ask->prev.p != NULL))
			return fail_cursor(e);
	}
	return read_order(p, e) && (p->is_first || read_position(p, position, e));
}

/* ---- exported -------------------------------------------------------------------- */

bool
page_read(const json_t *body, int64_t def, int64_t max, struct page_ask *out, struct err *e)
{
	static const char *const names[][2] = {{"filter", "Filter"}, {"sort", "Sort"}};
	const json_t *found[ARRAY_LEN(names)] = {NULL};

	*out = (struct page_ask){0};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (size_t k = 0; k < 2 && found[i] == NULL; k++) {
			const json_t *v = json_object_get(body, names[i][k]);

			found[i] = json_is_null(v) ? NULL : v;
		}
	out->filter = found[0];
	out->sort = found[1];
	if (!jr_int(body, "limit", OPTIONAL, 0, max, &out->limit, e) ||
		!read_cursor_text(body, "next", &out->next, e) ||
		!read_cursor_text(body, "prev", &out->prev, e))
		return false;
	if (out->limit == 0)
		out->limit = def;
	if (out->next.p != NULL && out->prev.p != NULL)
		return fail(e, ERR_INPUT, "next, prev: only one of them can be given");
	return true;
}

bool
page_sql(struct db *db, struct arena *a, const struct app *app, const struct page_list *list,
	const struct page_ask *ask, struct buf *sql, struct filter_params *params,
	struct err *e)
{
	struct page p = begin(db, a, app, list, ask);

	return start(&p, ask, e) && compose(&p, sql, params, e);
}

bool
page_run(struct db *db, struct arena *a, const struct app *app, const struct page_list *list,
	const struct page_ask *ask, page_row_fn row, void *arg, struct page_links *out,
	struct err *e)
{
	struct page p = begin(db, a, app, list, ask);
	struct filter_params params;
	struct rows r;
	struct buf sql;
	bool ok;

	*out = (struct page_links){STR_NONE, STR_NONE};
	filter_params_init(&params, a);
	buf_init(&sql, a, 1024);
	if (!start(&p, ask, e) || !compose(&p, &sql, &params, e))
		return false;
	if (!db_query_text(db, buf_view(&sql), (struct args){params.v, params.n}, &r, e))
		return false;
	ok = read_rows(&p, &r, row, arg, e);
	if (!rows_end(&r, e) || !ok)
		return false;
	if (p.last != NULL && (p.backwards || p.more))
		out->next = make_cursor(&p, "n", p.last);
	if (p.first != NULL && (p.backwards ? p.more : !p.is_first))
		out->prev = make_cursor(&p, "p", p.first);
	return true;
}
