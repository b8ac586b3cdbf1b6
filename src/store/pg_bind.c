/* pg_bind – parameters to PostgreSQL's binary formats, and cells of results back. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/pg.h"

/* Types by their fixed numbers (pg_type.dat); libpq's headers do not name them. */
enum {
	OID_UNTYPED = 0, /* the server infers it: text, or json */
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_NAME = 19,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_JSON = 114,
	OID_FLOAT8 = 701,
	OID_UNKNOWN = 705,
	OID_VARCHAR = 1043,
	OID_BYTEA_ARRAY = 1001,
	OID_NUMERIC = 1700
};

#define FORMAT_TEXT   0
#define FORMAT_BINARY 1

/* Where a value lies while d->scratch may still move. */
struct place {
	const char *borrowed; /* NULL: in the scratch, from ${at} on */
	size_t at;
	bool is_null;
};

static void
put_u32(struct buf *b, uint32_t v)
{
	v = htobe32(v);
	buf_add(b, &v, sizeof(v));
}

static void
put_u64(struct buf *b, uint64_t v)
{
	v = htobe64(v);
	buf_add(b, &v, sizeof(v));
}

static uint64_t
double_bits(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

/* ---- one parameter ------------------------------------------------------------------- */

static Oid
type_of_value(const struct val *v)
{
	switch (v->type) {
	case VAL_INT:
		return OID_INT8;
	case VAL_REAL:
		return OID_FLOAT8;
	case VAL_BLOB:
		return OID_BYTEA;
	default:
		return OID_UNTYPED;
	}
}

static bool
is_textual(Oid type)
{
	return type == OID_TEXT || type == OID_VARCHAR || type == OID_JSON ||
	       type == OID_NAME || type == OID_UNKNOWN || type == OID_UNTYPED;
}

/* Types without a case of their own get text, which every type can read. */
static int
put_value(struct buf *b, const struct val *v, Oid type)
{
	if (v->type == VAL_INT && type == OID_INT8) {
		put_u64(b, (uint64_t)v->i);
		return FORMAT_BINARY;
	}
	if (v->type == VAL_INT && type == OID_FLOAT8) {
		put_u64(b, double_bits((double)v->i));
		return FORMAT_BINARY;
	}
	if (v->type == VAL_REAL && type == OID_FLOAT8) {
		put_u64(b, double_bits(v->d));
		return FORMAT_BINARY;
	}
	if (v->type == VAL_INT)
		buf_i64(b, v->i);
	else if (v->type == VAL_REAL)
		buf_printf(b, "%.17g", v->d);
	else
		buf_str(b, v->s);
	buf_char(b, '\0');
	return FORMAT_TEXT;
}

static void
place_value(
	struct pg_params *p, int i, struct place *place, struct pg_db *d, const struct val *v)
{
	Oid type = p->types[i];

	*place = (struct place){.at = d->scratch.n, .is_null = v->type == VAL_NULL};
	p->formats[i] = FORMAT_BINARY;
	p->lengths[i] = 0;
	if (place->is_null)
		return;
	if (v->type == VAL_BLOB || (v->type == VAL_TEXT && is_textual(type))) {
		place->borrowed = v->s.p;
		p->lengths[i] = (int)v->s.n;
		return;
	}
	p->formats[i] = put_value(&d->scratch, v, type);
	p->lengths[i] = (int)(d->scratch.n - place->at);
}

/* ---- arrays --------------------------------------------------------------------------- */

/* One dimension, counted from 1; there may be nulls. */
static void
put_array_head(struct buf *b, size_t n, Oid element)
{
	put_u32(b, n > 0 ? 1 : 0);
	put_u32(b, 1);
	put_u32(b, element);
	if (n == 0)
		return;
	put_u32(b, (uint32_t)n);
	put_u32(b, 1);
}

static void
put_ints(struct buf *b, const int64_t *v, size_t n)
{
	put_array_head(b, n, OID_INT8);
	for (size_t i = 0; i < n; i++) {
		if (v[i] == COL_NULL) {
			put_u32(b, UINT32_MAX);
			continue;
		}
		put_u32(b, sizeof(*v));
		put_u64(b, (uint64_t)v[i]);
	}
}

static void
put_texts(struct buf *b, const struct str *v, size_t n, Oid element)
{
	put_array_head(b, n, element);
	for (size_t i = 0; i < n; i++) {
		if (v[i].p == NULL) {
			put_u32(b, UINT32_MAX);
			continue;
		}
		put_u32(b, (uint32_t)v[i].n);
		buf_str(b, v[i]);
	}
}

static void
place_column(struct pg_params *p, int i, struct place *place, struct pg_db *d,
	const struct col *col, size_t nrows)
{
	struct buf *b = &d->scratch;

	*place = (struct place){.at = b->n};
	if (col->ints != NULL)
		put_ints(b, col->ints, nrows);
	else
		put_texts(b, col->texts, nrows,
			p->types[i] == OID_BYTEA_ARRAY ? OID_BYTEA : OID_TEXT);
	p->formats[i] = FORMAT_BINARY;
	p->lengths[i] = (int)(b->n - place->at);
}

/* ---- all parameters -------------------------------------------------------------------- */

static void *
array(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	if (p == NULL)
		panic("out of memory");
	return p;
}

void
pg_params_make(struct pg_params *p, struct pg_db *d, const Oid *types, struct args args,
	const struct bulk *bulk)
{
	size_t ncols = bulk == NULL ? 0 : bulk->ncols, n = args.n + ncols;
	struct place *places = array(n, sizeof(*places));

	*p = (struct pg_params){.n = (int)n};
	p->types = array(n, sizeof(*p->types));
	p->values = array(n, sizeof(*p->values));
	p->lengths = array(n, sizeof(*p->lengths));
	p->formats = array(n, sizeof(*p->formats));
	d->scratch.n = 0;
	for (size_t i = 0; i < n; i++) {
		if (types != NULL)
			p->types[i] = types[i];
		else
			p->types[i] = type_of_value(&args.v[i]);
		if (i < args.n)
			place_value(p, (int)i, &places[i], d, &args.v[i]);
		else
			place_column(
				p, (int)i, &places[i], d, &bulk->cols[i - args.n], bulk->nrows);
	}
	for (size_t i = 0; i < n; i++)
		if (!places[i].is_null)
			p->values[i] = places[i].borrowed != NULL ? places[i].borrowed
								  : d->scratch.p + places[i].at;
	free(places);
}

void
pg_params_free(struct pg_params *p)
{
	free(p->types);
	free(p->values);
	free(p->lengths);
	free(p->formats);
}

/* ---- cells ----------------------------------------------------------------------------- */

static uint64_t
get_be(const char *p, int n)
{
	uint64_t v = 0;

	for (int i = 0; i < n; i++)
		v = v << 8 | (uint8_t)p[i];
	return v;
}

/* A sum of integers: digits to the base of 10,000 behind a head of four numbers. */
static int64_t
numeric_int(const char *p)
{
	int n = (int)get_be(p, 2), weight = (int16_t)get_be(p + 2, 2);
	bool negative = get_be(p + 4, 2) == 0x4000;
	int64_t v = 0;

	for (int i = 0; i <= weight; i++)
		v = v * 10000 + (i < n ? (int64_t)get_be(p + 8 + 2 * i, 2) : 0);
	return negative ? -v : v;
}

int64_t
pg_cell_int(const PGresult *res, int row, int col)
{
	const char *p = PQgetvalue(res, row, col);

	if (PQgetisnull(res, row, col))
		return 0;
	switch (PQftype(res, col)) {
	case OID_INT8:
		return (int64_t)get_be(p, 8);
	case OID_INT4:
		return (int32_t)get_be(p, 4);
	case OID_INT2:
		return (int16_t)get_be(p, 2);
	case OID_BOOL:
		return *p != 0;
	case OID_NUMERIC:
		return numeric_int(p);
	case OID_FLOAT8:
		return (int64_t)pg_cell_real(res, row, col);
	default:
		panic("store: column %s is read as an integer, its type is %u",
			PQfname(res, col), PQftype(res, col));
	}
}

double
pg_cell_real(const PGresult *res, int row, int col)
{
	uint64_t bits;
	double v;

	if (PQftype(res, col) != OID_FLOAT8)
		return (double)pg_cell_int(res, row, col);
	if (PQgetisnull(res, row, col))
		return 0;
	bits = get_be(PQgetvalue(res, row, col), 8);
	memcpy(&v, &bits, sizeof(v));
	return v;
}

bool
pg_type_is_known(Oid type)
{
	return type == OID_INT8 || type == OID_INT4 || type == OID_INT2 || type == OID_BOOL ||
	       type == OID_NUMERIC || type == OID_FLOAT8 || type == OID_BYTEA ||
	       is_textual(type);
}
