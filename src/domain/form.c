/* form – shapes of channel ids: finding, making without clashes, matching. */
#include "domain/form.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/crypt.h"
#include "base/err.h"
#include "base/id.h"
#include "store/db.h"

#define CHANNEL_ID_MAX 64
/* Explicit channels looked at before a new form is taken to be shadowed. */
#define SHADOW_LOOK 10000

/* In the order of ASCII, so that encodings sort like the numbers. */
static const char alphabet[] =
	"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

#define UID_CHARS 9 /* of 6 bits */

static void
form_from_row(struct rows *r, struct arena *a, struct form *out)
{
	out->form = row_int(r, 0);
	out->type = arena_dup(a, row_str(r, 1));
	out->kind = (int)row_int(r, 2);
	out->prefix = arena_dup(a, row_str(r, 3));
	out->suffix = arena_dup(a, row_str(r, 4));
	out->shadowed = row_int(r, 5) != 0;
}

static bool
query(struct db *db, struct arena *a, enum sql_id sql, struct args args, struct form **out,
	size_t *n, struct err *e)
{
	struct buf list;
	struct rows r;

	buf_init(&list, a, 16 * sizeof(struct form));
	if (!db_query(db, sql, args, NO_BULK, &r, e))
		return false;
	while (rows_next(&r)) {
		struct form f;

		form_from_row(&r, a, &f);
		buf_add(&list, &f, sizeof(f));
	}
	*out = (struct form *)(void *)list.p;
	*n = list.n / sizeof(struct form);
	return rows_end(&r, e);
}

static bool
query_all(struct db *db, struct arena *a, struct str type, enum form_kind kind,
	struct form **out, size_t *n, struct err *e)
{
	return query(db, a, SQL_FORM_LIST, ARGS(V_TEXT(type), V_INT(kind)), out, n, e);
}

/* Whether some text fits both prefix1 * suffix1 and prefix2 * suffix2. */
static bool
can_clash(struct str prefix1, struct str suffix1, struct str prefix2, struct str suffix2)
{
	return (str_starts(prefix1, prefix2) || str_starts(prefix2, prefix1)) &&
	       (str_ends(suffix1, suffix2) || str_ends(suffix2, suffix1));
}

/* Whether explicit channels stand, or may stand, where the form's ids would. */
static bool
look_for_shadow(
	struct db *w, struct arena *a, const struct form *f, bool *shadowed, struct err *e)
{
	struct str start = f->kind == FORM_AFFIX ? f->prefix : STR(FORM_DISTINCT_PREFIX);
	struct str lo = arena_printf(a, "%.*s:%.*s", STR_ARG(f->type), STR_ARG(start));
	struct str hi = arena_printf(a, "%.*s\x7f", STR_ARG(lo));
	struct rows r;

	if (!db_query(w, SQL_FORM_EXPLICIT,
		    ARGS(V_TEXT(lo), V_TEXT(hi), V_TEXT(f->suffix), V_INT(SHADOW_LOOK + 1)),
		    NO_BULK, &r, e))
		return false;
	*shadowed = rows_next(&r) && (row_int(&r, 0) > SHADOW_LOOK || row_int(&r, 1) != 0);
	return rows_end(&r, e);
}

/* Gives the shape in *f a number. */
static bool
make(struct db *w, struct arena *a, struct form *f, bool *ok, struct err *e)
{
	int64_t last = 0;
	bool found;

	*ok = false;
	if (!db_get_int(w, SQL_FORM_LAST, NO_ARGS, &last, &found, e))
		return false;
	if (last >= FORM_MAX)
		return true;
	f->form = last + 1;
	if (!look_for_shadow(w, a, f, &f->shadowed, e))
		return false;
	if (!db_exec(w, SQL_FORM_INSERT,
		    ARGS(V_INT(f->form), V_TEXT(f->type), V_INT(f->kind), V_TEXT(f->prefix),
			    V_TEXT(f->suffix), V_INT(f->shadowed)),
		    NO_BULK, NULL, e))
		return false;
	*ok = true;
	return true;
}

static bool
is_id_text(struct str s)
{
	return s.n == 0 || (s.p[0] != '!' && id_channel_valid(s));
}

static bool
has_uid(const int64_t *uids, size_t n, int64_t uid)
{
	for (size_t i = 0; i < n; i++)
		if (uids[i] == uid)
			return true;
	return false;
}

static int
cmp_uid(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* ---- matching ----------------------------------------------------------------------- */

static int
cmp_size(size_t x, size_t y)
{
	return (x > y) - (x < y);
}

/* Forms of one shape – prefixes of one length, suffixes of one length – stand together. */
static int
cmp_shape(const struct form *x, const struct form *y)
{
	int c = cmp_size(x->prefix.n, y->prefix.n);

	return c != 0 ? c : cmp_size(x->suffix.n, y->suffix.n);
}

static int
cmp_affixes(const void *a, const void *b)
{
	const struct form *x = a, *y = b;
	int c = cmp_shape(x, y);

	if (c == 0)
		c = str_cmp(x->prefix, y->prefix);
	return c != 0 ? c : str_cmp(x->suffix, y->suffix);
}

/* Sorts forms; ends[k] is where the k-th shape ends.  Returns how many shapes there are. */
static size_t
sort_by_shape(struct form *forms, size_t n, size_t *ends)
{
	size_t nshapes = 0;

	if (n > 1)
		qsort(forms, n, sizeof(*forms), cmp_affixes);
	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || cmp_shape(&forms[i], &forms[i + 1]) != 0)
			ends[nshapes++] = i + 1;
	return nshapes;
}

static struct form_fit
fit(const struct form *forms, const size_t *ends, size_t nshapes, struct str id)
{
	if (id.n > 0 && id.p[0] == '!')
		return (struct form_fit){0}; /* what the server makes */
	for (size_t k = 0; k < nshapes; k++) {
		const struct form *first = &forms[k > 0 ? ends[k - 1] : 0], *hit;
		size_t before = first->prefix.n, after = first->suffix.n;
		struct form key;

		if (before + after >= id.n)
			continue;
		key.prefix = str_sub(id, 0, before);
		key.suffix = str_sub(id, id.n - after, after);
		hit = bsearch(&key, first, (size_t)(&forms[ends[k]] - first), sizeof(key),
			cmp_affixes);
		if (hit != NULL)
			return (struct form_fit){
				hit->form, str_sub(id, before, id.n - before - after)};
	}
	return (struct form_fit){0};
}

/* ---- exported ----------------------------------------------------------------------- */

struct str
form_others_text(struct arena *a, const int64_t *uids, size_t n)
{
	struct buf b;

	buf_init(&b, a, 48);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_char(&b, ',');
		buf_i64(&b, uids[i]);
	}
	return buf_view(&b);
}

bool
form_for_affix(struct db *w, struct arena *a, struct str type, struct str prefix,
	struct str suffix, struct form *out, bool *ok, struct err *e)
{
	struct form f = {.type = arena_dup(a, type), .kind = FORM_AFFIX};
	struct form *others;
	size_t n;

	f.prefix = arena_dup(a, prefix.p ? prefix : STR(""));
	f.suffix = arena_dup(a, suffix.p ? suffix : STR(""));
	*ok = false;
	if (!is_id_text(f.prefix) || !is_id_text(f.suffix) ||
		f.prefix.n + f.suffix.n >= CHANNEL_ID_MAX)
		return true;
	if (!query_all(w, a, type, FORM_AFFIX, &others, &n, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (str_eq(others[i].prefix, f.prefix) && str_eq(others[i].suffix, f.suffix)) {
			*out = others[i];
			*ok = true;
			return true;
		}
	}
	for (size_t i = 0; i < n; i++)
		if (can_clash(f.prefix, f.suffix, others[i].prefix, others[i].suffix))
			return true;
	if (!make(w, a, &f, ok, e))
		return false;
	if (*ok)
		*out = f;
	return true;
}

bool
form_for_distinct(struct db *w, struct arena *a, struct str type, const int64_t *others,
	size_t n, struct form *out, bool *ok, struct err *e)
{
	struct form f = {.type = arena_dup(a, type), .kind = FORM_DISTINCT, .suffix = STR("")};
	int64_t *sorted = arena_array(a, n + 1, sizeof(*sorted));

	*ok = false;
	if (n > 0)
		memcpy(sorted, others, n * sizeof(*sorted));
	n = form_sort_uids(sorted, n);
	if (n >= FORM_MAX_DISTINCT)
		return true;
	f.prefix = form_others_text(a, sorted, n);
	if (!form_find_distinct(w, type, &f.prefix, 1, &f.form, e))
		return false;
	if (f.form != 0) {
		*ok = true;
		return form_get(w, a, f.form, out, e);
	}
	if (!make(w, a, &f, ok, e))
		return false;
	if (*ok)
		*out = f;
	return true;
}

bool
form_get(struct db *db, struct arena *a, int64_t form_no, struct form *out, struct err *e)
{
	struct form *forms;
	size_t n;

	if (!query(db, a, SQL_FORM_GET, ARGS(V_INT(form_no)), &forms, &n, e))
		return false;
	if (n == 0)
		return fail(e, ERR_NOT_FOUND, "form %lld doesn't exist", (long long)form_no);
	*out = forms[0];
	return true;
}

bool
form_match(struct db *db, struct arena *a, struct str type, const struct str *ids, size_t n,
	struct form_fit *out, struct err *e)
{
	struct form *forms;
	size_t nforms, nshapes, *ends;
	bool ok = true;

	if (n == 1) /* A store may have thousands of forms. */
		ok = query(db, a, SQL_FORM_MATCH, ARGS(V_TEXT(type), V_TEXT(ids[0])), &forms,
			&nforms, e);
	else if (n > 1)
		ok = query_all(db, a, type, FORM_AFFIX, &forms, &nforms, e);
	if (!ok || n == 0)
		return ok;
	ends = arena_array(a, nforms, sizeof(*ends));
	nshapes = sort_by_shape(forms, nforms, ends);
	for (size_t i = 0; i < n; i++)
		out[i] = fit(forms, ends, nshapes, ids[i]);
	return true;
}

bool
form_find_distinct(struct db *db, struct str type, const struct str *others, size_t n,
	int64_t *out, struct err *e)
{
	struct col cols[] = {COL_TEXTS(others)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	struct rows r;

	if (n == 0)
		return true;
	memset(out, 0, n * sizeof(*out));
	if (!db_query(
		    db, SQL_FORM_FIND, ARGS(V_TEXT(type), V_INT(FORM_DISTINCT)), &bulk, &r, e))
		return false;
	while (rows_next(&r))
		out[row_int(&r, 0)] = row_int(&r, 1);
	return rows_end(&r, e);
}

size_t
form_others(const struct form *f, int64_t uids[FORM_MAX_DISTINCT - 1])
{
	struct str text = f->prefix;
	size_t n = 0;

	for (size_t at = 0; at < text.n && n < FORM_MAX_DISTINCT - 1; n++) {
		size_t end = str_find(text, ',', at);

		if (!str_to_i64(str_sub(text, at, end - at), &uids[n]))
			break;
		at = end + 1;
	}
	return n;
}

bool
form_meetings(struct db *db, struct arena *a, const struct form *f, int64_t **uids, size_t *n,
	struct err *e)
{
	int64_t own[FORM_MAX_DISTINCT - 1], theirs[FORM_MAX_DISTINCT - 1];
	struct form *forms;
	size_t nforms, nown;

	*n = 0;
	*uids = NULL;
	if (f->kind != FORM_DISTINCT)
		return true;
	if (!query_all(db, a, f->type, FORM_DISTINCT, &forms, &nforms, e))
		return false;
	nown = form_others(f, own);
	*uids = arena_array(a, nforms + nown + 1, sizeof(**uids));
	for (size_t i = 0; i < nown; i++)
		(*uids)[(*n)++] = own[i];
	/* {r} ∪ own = {r'} ∪ theirs, with r outside own and r' outside theirs, has a
	 * solution iff exactly one of theirs is not in own: that one is r. */
	for (size_t i = 0; i < nforms; i++) {
		size_t ntheirs = form_others(&forms[i], theirs), strangers = 0;
		int64_t stranger = 0;

		for (size_t k = 0; k < ntheirs; k++) {
			if (!has_uid(own, nown, theirs[k])) {
				stranger = theirs[k];
				strangers++;
			}
		}
		if (ntheirs == nown && strangers == 1)
			(*uids)[(*n)++] = stranger;
	}
	*n = form_sort_uids(*uids, *n);
	return true;
}

bool
form_shadow(struct db *w, const int64_t *forms, size_t n, struct err *e)
{
	struct col cols[] = {COL_INTS(forms)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};

	return n == 0 || db_exec(w, SQL_FORM_SHADOW, NO_ARGS, &bulk, NULL, e);
}

size_t
form_sort_uids(int64_t *uids, size_t n)
{
	size_t kept = 0;

	if (n > 1)
		qsort(uids, n, sizeof(*uids), cmp_uid);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || uids[i] != uids[kept - 1])
			uids[kept++] = uids[i];
	return kept;
}

struct str
form_distinct_id(struct arena *a, const int64_t *uids, size_t n)
{
	uint8_t digest[CRYPT_SHA256_LEN];
	struct buf b;

	buf_init(&b, a, CHANNEL_ID_MAX);
	buf_str(&b, STR(FORM_DISTINCT_PREFIX));
	if (n <= FORM_MAX_DISTINCT) {
		for (size_t i = 0; i < n; i++)
			for (int shift = 6 * (UID_CHARS - 1); shift >= 0; shift -= 6)
				buf_char(&b, alphabet[(uids[i] >> shift) & 63]);
		return buf_view(&b);
	}
	crypt_sha256(form_others_text(a, uids, n), digest);
	buf_str(&b, crypt_b64url(a, (struct str){(const char *)digest, sizeof(digest)}));
	return buf_view(&b);
}

bool
form_distinct_read(struct str id, int64_t uids[FORM_MAX_DISTINCT], size_t *n)
{
	struct str prefix = STR(FORM_DISTINCT_PREFIX), rest;

	if (!str_starts(id, prefix))
		return false;
	rest = str_sub(id, prefix.n, id.n - prefix.n);
	if (rest.n == 0 || rest.n % UID_CHARS != 0 || rest.n > UID_CHARS * FORM_MAX_DISTINCT)
		return false;
	*n = rest.n / UID_CHARS;
	for (size_t i = 0; i < *n; i++) {
		uids[i] = 0;
		for (size_t k = 0; k < UID_CHARS; k++) {
			const char *at = memchr(alphabet, rest.p[i * UID_CHARS + k], 64);

			if (at == NULL)
				return false;
			uids[i] = uids[i] << 6 | (at - alphabet);
		}
		if (uids[i] == 0 || (i > 0 && uids[i] <= uids[i - 1]))
			return false;
	}
	return true;
}
