/* test_route – ways out of the house: which there are, what lies on them, whose they are (I-9,
 * I-11, I-15). */
#include "base/clock.h"
#include "domain/aside.h"
#include "domain/claim.h"
#include "domain/load.h"
#include "domain/route_report.h"
#include "route_fixture.h"

#define T0 INT64_C(1798761600000000)

static const struct out_route named[] = {
	{.kind = ROUTE_WEBHOOK, .ident = STR_INIT("a"), .changed_at = NO_TIME},
	{.kind = ROUTE_WEBHOOK, .ident = STR_INIT("b"), .changed_at = NO_TIME},
};

static struct route_row *
sync_to(struct fixture *f, const struct out_route *list, size_t n, size_t *out)
{
	struct route_row *rows;
	struct err e;

	name_routes(f, list, n);
	must(route_list(f->db, &f->arena, ROUTE_WEBHOOK, &rows, out, &e), &e);
	return rows;
}

static void
set_last(struct fixture *f, int64_t last)
{
	sql_run(f->db,
		"INSERT INTO counters (name, next) VALUES ('event', $1) ON CONFLICT (name) DO "
		"UPDATE SET next = excluded.next",
		ARGS(V_INT(last + 1)));
}

static void
new_ones_begin_at_the_end_and_others_stay(void **state)
{
	struct fixture *f = *state;
	struct route_row *rows;
	size_t n;

	set_last(f, 7);
	rows = sync_to(f, named, 1, &n);
	assert_int_equal(n, 1);
	assert_str(rows[0].route.ident, "a");
	assert_int_equal(rows[0].route.place.pos, 7);
	assert_int_equal(rows[0].lease_until, 0);
	set_last(f, 9);
	rows = sync_to(f, named, 2, &n);
	assert_int_equal(n, 2);
	assert_int_equal(rows[0].route.place.pos, 7);
	assert_int_equal(rows[1].route.place.pos, 9);
	/* A number is never given again. */
	sync_to(f, named, 1, &n);
	rows = sync_to(f, named, 2, &n);
	assert_int_equal(rows[1].route.no, 3);
	/* Pushes are no webhooks. */
	assert_int_equal(
		sql_int(f->db, "SELECT COUNT(*) FROM routes WHERE kind = 2", NO_ARGS), 0);
}

static void
one_that_comes_back_begins_at_the_end(void **state)
{
	struct out_route off = named[0];
	struct fixture *f = *state;
	struct route_row *rows;
	size_t n;

	set_last(f, 7);
	sync_to(f, named, 1, &n);
	off.is_off = true;
	set_last(f, 20);
	rows = sync_to(f, &off, 1, &n);
	assert_true(rows[0].route.is_off);
	assert_int_equal(rows[0].route.place.pos, 7);
	rows = sync_to(f, named, 1, &n);
	assert_false(rows[0].route.is_off);
	assert_int_equal(rows[0].route.place.pos, 20);
}

struct writing {
	int64_t route;
	struct claim *claim;
	struct route_change change;
	struct load load;
	struct aside aside;
	bool bars;
};

static bool
write_in(struct db *w, void *arg, struct err *e)
{
	struct writing *x = arg;

	return claim_keep(w, x->claim, e) && route_move(w, x->route, &x->change, e) &&
	       (x->load.no == 0 || load_put(w, x->route, &x->load, 1, e)) &&
	       (x->aside.no == 0 || aside_put(w, x->route, &x->aside, 1, e)) &&
	       (!x->bars || route_bar(w, x->route, T0, STR("bad key"), e));
}

static const struct parcel parcels[] = {
	{.id = STR_INIT("id-1"),
		.type = STR_INIT("message.new"),
		.body = STR_INIT("{\"a\":1}"),
		.at = T0},
	{.id = STR_INIT("id-2"),
		.type = STR_INIT("x"),
		.address = STR_INIT("token"),
		.body = STR_INIT(""),
		.at = T0 + 1},
};

static void
loads_are_read_as_they_were_written(void **state)
{
	struct fixture *f = *state;
	struct parcel read[2];
	struct buf blob;

	buf_init(&blob, &f->arena, 16);
	load_pack(&blob, parcels, 2);
	assert_true(load_unpack(buf_view(&blob), read, 2));
	assert_str(read[0].body, "{\"a\":1}");
	assert_null(read[0].address.p);
	assert_str(read[1].address, "token");
	assert_int_equal(read[1].body.n, 0);
	assert_int_equal(read[1].at, T0 + 1);
	assert_false(load_unpack(buf_view(&blob), read, 1));
	for (size_t n = 0; n < blob.n; n++)
		assert_false(load_unpack((struct str){blob.p, n}, read, 2));
}

static void
loads_are_stored_deflated(void **state)
{
	struct fixture *f = *state;
	struct buf blob, stored;
	struct str back;

	buf_init(&blob, &f->arena, 4096);
	for (int i = 0; i < 100; i++)
		load_pack(&blob, parcels, 2);
	buf_init(&stored, &f->arena, 16);
	load_deflate(&stored, buf_view(&blob));
	assert_true(stored.n < blob.n / 10);
	assert_true(load_inflate(&f->arena, buf_view(&stored), &back));
	assert_true(str_eq(back, buf_view(&blob)));
	for (size_t n = 0; n < stored.n; n++)
		assert_false(load_inflate(&f->arena, (struct str){stored.p, n}, &back));
	stored.p[0] = 9;
	assert_false(load_inflate(&f->arena, buf_view(&stored), &back));
}

struct taking {
	int64_t route;
	struct claim *claim;
	struct arena *arena;
	struct load *loads;
	struct aside *asides;
	size_t nloads, nasides;
	int64_t now;
};

static bool
take_over_in(struct db *w, void *arg, struct err *e)
{
	struct taking *t = arg;

	return claim_keep(w, t->claim, e) &&
	       load_take_over(w, t->arena, t->route, &t->loads, &t->nloads, e) &&
	       aside_take_over(w, t->route, e);
}

static bool
take_in(struct db *w, void *arg, struct err *e)
{
	struct taking *t = arg;

	return aside_take(w, t->arena, t->route, t->now, 10, &t->asides, &t->nasides, e);
}

/* A courier that dies leaves its loads and what it had taken; one that comes late changes
 * nothing. */
static void
the_next_courier_goes_on_where_one_died(void **state)
{
	struct fixture *f = *state;
	struct claim first, second;
	struct buf blob;
	struct writing x = {0};
	struct taking t = {.arena = &f->arena, .now = T0};
	struct route_row *rows;
	struct err e;
	size_t n;
	bool got;

	rows = sync_to(f, named, 1, &n);
	x.route = t.route = rows[0].route.no;
	must(claim_take(f->db, CLAIM_ROUTE, x.route, 1, &first, &got, &e), &e);
	assert_true(got);
	buf_init(&blob, &f->arena, 16);
	load_pack(&blob, parcels, 2);
	x.claim = &first;
	x.change = (struct route_change){.before = rows[0].route.place,
		.place = {11, 5},
		.next_no = 3,
		.width = 4,
		.sent = 2};
	x.load = (struct load){.no = 1, .at = T0, .n = 2, .parcels = buf_view(&blob)};
	x.aside = (struct aside){.no = 2,
		.state = ASIDE_WAITS,
		.due_at = T0,
		.first_at = T0 - 1,
		.attempts = 1,
		.why = STR("http_500"),
		.parcel = parcels[0]};
	must(db_write_beside(f->db, write_in, &x, &e), &e);
	must(db_write_beside(f->db, take_in, &t, &e), &e);
	assert_int_equal(t.nasides, 1);
	assert_int_equal(t.asides[0].attempts, 2);
	must(db_write_beside(f->db, take_in, &t, &e), &e);
	assert_int_equal(t.nasides, 0);

	do
		must(claim_take(f->db, CLAIM_ROUTE, x.route, 60000, &second, &got, &e), &e);
	while (!got);
	x.load.no = 9;
	x.aside.no = 0;
	must_fail(db_write_beside(f->db, write_in, &x, &e), &e, ERR_STALE, "claim");
	t.claim = &second;
	must(db_write_beside(f->db, take_over_in, &t, &e), &e);
	assert_int_equal(t.nloads, 1);
	assert_int_equal(t.loads[0].no, 1);
	assert_int_equal(t.loads[0].tries, 2);
	assert_int_equal(t.loads[0].parcels.n, blob.n);
	assert_memory_equal(t.loads[0].parcels.p, blob.p, blob.n);
	must(db_write_beside(f->db, take_in, &t, &e), &e);
	assert_int_equal(t.nasides, 1);
	assert_int_equal(t.asides[0].attempts, 3);
	assert_str(t.asides[0].parcel.body, "{\"a\":1}");
	must(route_list(f->db, &f->arena, ROUTE_WEBHOOK, &rows, &n, &e), &e);
	assert_int_equal(rows[0].route.place.pos, 11);
	assert_int_equal(rows[0].route.place.next_key, 5);
	assert_int_equal(rows[0].next_no, 3);
}

static void
a_bar_is_lifted_by_newer_credentials(void **state)
{
	struct out_route newer = named[0];
	struct fixture *f = *state;
	struct writing x = {.bars = true};
	struct route_row *rows;
	struct claim claim;
	struct err e;
	bool got;
	size_t n;

	rows = sync_to(f, named, 1, &n);
	x.route = rows[0].route.no;
	must(claim_take(f->db, CLAIM_ROUTE, x.route, 60000, &claim, &got, &e), &e);
	x.claim = &claim;
	x.change.before = x.change.place = rows[0].route.place;
	must(db_write_beside(f->db, write_in, &x, &e), &e);
	x.change.before.pos++;
	must_fail(db_write_beside(f->db, write_in, &x, &e), &e, ERR_STALE, "route");
	newer.changed_at = T0;
	rows = sync_to(f, &newer, 1, &n);
	assert_int_equal(rows[0].route.barred_at, T0);
	newer.changed_at = T0 + 1;
	rows = sync_to(f, &newer, 1, &n);
	assert_int_equal(rows[0].route.barred_at, NO_TIME);
}

static bool
trim_in(struct db *w, void *arg, struct err *e)
{
	const int64_t *route = arg;

	return aside_trim_dead(w, *route, e);
}

static void
dead_letters_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct route_report *reports;
	struct route_row *rows;
	struct err e;
	int64_t route, dead;
	size_t n;

	rows = sync_to(f, named, 1, &n);
	route = rows[0].route.no;
	sql_run(f->db,
		"INSERT INTO parcels (route, no, state, due_at, first_at, attempts, why, id, "
		"type, "
		"at, body) WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s "
		"WHERE "
		"i < 10020) SELECT $1, i, 2, i, 0, 1, 'x', 'id', 'x', 0, x'00' FROM s",
		ARGS(V_INT(route)));
	must(db_write(f->db, trim_in, &route, &e), &e);
	dead = sql_int(f->db, "SELECT COUNT(*) FROM parcels", NO_ARGS);
	assert_int_equal(dead, ASIDE_DEAD_MAX);
	assert_int_equal(sql_int(f->db, "SELECT MIN(no) FROM parcels", NO_ARGS), 21);
	must(route_report(f->db, &f->arena, ROUTE_WEBHOOK, STR("a"), &reports, &n, &e), &e);
	assert_int_equal(n, 1);
	assert_int_equal(reports[0].dead, ASIDE_DEAD_MAX);
	assert_int_equal(reports[0].dropped, 20);
}

#define with_store(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(new_ones_begin_at_the_end_and_others_stay),
		with_store(one_that_comes_back_begins_at_the_end),
		with_store(loads_are_read_as_they_were_written),
		with_store(loads_are_stored_deflated),
		with_store(the_next_courier_goes_on_where_one_died),
		with_store(a_bar_is_lifted_by_newer_credentials),
		with_store(dead_letters_are_bounded),
	};

	return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
