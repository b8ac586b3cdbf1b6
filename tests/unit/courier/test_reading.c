/* test_reading – whose turn it is to be read for, and which answers count: a courier without
 * its own thread, whose trade packs what the test tells it to, on the real thread beside it. */
#include <semaphore.h>

#include "../unit_store.h"
#include "base/clock.h"
#include "base/log.h"
#include "courier/haul.h"

#define ASKED_MAX 64
/* Loads of a route that are under way before no more is read: those of reading.c. */
#define LOADS 8

/* A question that was put to the trade. */
struct asked {
	char ident[8];
	struct place at;
	size_t max;
};

struct desk {
	struct fixture *f;
	struct courier c;
	struct asked asked[ASKED_MAX];
	_Atomic size_t n;
	/* How it is answered: by one parcel, unless the route is the one that fails. */
	const char *faulty;
	enum err_code code;
	int64_t missed;
	bool waits; /* for the test, having begun */
	sem_t begun, may_end;
};

static bool
pack(void *arg, struct db *db UNUSED, struct arena *a UNUSED, const struct out_route *r,
	struct place *at, size_t max, struct packed *out, struct err *e)
{
	static struct parcel parcel = {.id = STR_INIT("id"),
		.type = STR_INIT("message.new"),
		.body = STR_INIT("{}"),
		.at = 5};
	struct desk *d = arg;
	size_t n = atomic_load(&d->n);

	if (n == ASKED_MAX)
		panic("it asks and asks");
	d->asked[n] = (struct asked){.at = *at, .max = max};
	snprintf(d->asked[n].ident, sizeof(d->asked[n].ident), "%.*s", STR_ARG(r->ident));
	atomic_store(&d->n, n + 1);
	if (d->waits) {
		sem_post(&d->begun);
		sem_wait(&d->may_end);
	}
	if (str_eq(r->ident, str_of(d->faulty)))
		return fail(e, d->code, "as it was told");
	at->pos++;
	*out = (struct packed){.parcels = &parcel, .n = 1, .missed = d->missed, .more = true};
	return true;
}

static int
setup(void **state)
{
	const struct fetcher_opts opts = {.connect_timeout_ms = 1000};
	struct desk *d = calloc(1, sizeof(*d));
	struct err e;

	fixture_setup((void **)&d->f);
	d->faulty = "";
	sem_init(&d->begun, 0, 0);
	sem_init(&d->may_end, 0, 0);
	d->c.opts = (struct courier_opts){.store = d->f->store, .name = "test"};
	d->c.trade = (struct trade){.width_max = 64, .pack = pack, .arg = d};
	must(fetcher_new(&d->c.fetcher, &opts, &e), &e);
	must(reading_start(&d->c, &e), &e);
	*state = d;
	return 0;
}

static int
teardown(void **state)
{
	struct desk *d = *state;

	d->waits = false;
	sem_post(&d->may_end);
	reading_stop(&d->c);
	while (d->c.hauls != NULL) {
		struct haul *h = d->c.hauls;

		d->c.hauls = h->next;
		haul_free(h);
	}
	fetcher_free(d->c.fetcher);
	sem_destroy(&d->begun);
	sem_destroy(&d->may_end);
	fixture_teardown((void **)&d->f);
	free(d);
	return 0;
}

/* A route that is served here, takes much, and has more to read. */
static struct haul *
serve(struct desk *d, const char *ident, int64_t pos)
{
	const struct route_row row = {.route = {.ident = str_of(ident),
					      .place = {.pos = pos},
					      .paused_at = NO_TIME,
					      .barred_at = NO_TIME}};
	struct haul *h = haul_new(&d->c, &row);

	h->is_held = true;
	h->kept_until = INT64_MAX;
	h->window.width = d->c.trade.width_max;
	h->next = d->c.hauls;
	d->c.hauls = h;
	return h;
}

/* Asks, and leaves the answer under way. */
static void
begin(struct desk *d)
{
	d->waits = true;
	reading_go_on(&d->c);
	sem_wait(&d->begun);
}

/* Lets what is under way be answered; it is not taken yet. */
static void
answer(struct desk *d)
{
	sem_post(&d->may_end);
	while (!atomic_load(&d->c.reader.is_done))
		fetcher_next(d->c.fetcher, 1000);
}

/* Takes the answer to what is under way, and leaves the next one so. */
static void
step(struct desk *d)
{
	answer(d);
	begin(d);
}

/* Until nothing is to be read. */
static void
read_all(struct desk *d)
{
	d->waits = false;
	reading_go_on(&d->c);
	while (d->c.reader.haul != NULL) {
		fetcher_next(d->c.fetcher, 1000);
		reading_go_on(&d->c);
	}
}

static size_t
times(const struct desk *d, const char *ident)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += strcmp(d->asked[i].ident, ident) == 0;
	return n;
}

/* ---- turns ------------------------------------------------------------------------------ */

static void
routes_take_turns(void **state)
{
	struct desk *d = *state;
	struct haul *a = serve(d, "a", 100), *b = serve(d, "b", 200);
	const char *first;

	read_all(d);
	assert_int_equal(d->n, 2 * LOADS);
	first = d->asked[0].ident;
	for (size_t i = 0; i < d->n; i++) {
		bool is_a = strcmp(d->asked[i].ident, "a") == 0;

		assert_true((strcmp(d->asked[i].ident, first) == 0) == (i % 2 == 0));
		assert_int_equal(d->asked[i].at.pos, (is_a ? 100 : 200) + i / 2);
	}
	assert_int_equal(a->nfreights, LOADS);
	assert_int_equal(b->nfreights, LOADS);
	assert_int_equal(a->packed.pos, 100 + LOADS);
	assert_true(a->has_more && a->pending_since != 0);
}

/* A third that comes later is the next one. */
static void
who_waits_for_longest_is_next(void **state)
{
	struct desk *d = *state;

	serve(d, "a", 0);
	serve(d, "b", 0);
	begin(d);
	step(d);
	serve(d, "c", 0);
	step(d);
	assert_string_equal(d->asked[2].ident, "c");
	answer(d);
	read_all(d);
	assert_int_equal(times(d, "a"), LOADS);
	assert_int_equal(times(d, "b"), LOADS);
	assert_int_equal(times(d, "c"), LOADS);
}

static void
who_has_no_room_is_not_read_for(void **state)
{
	struct desk *d = *state;
	struct haul *shut = serve(d, "shut", 0), *paused = serve(d, "paused", 0);

	shut->window.width = 0; /* one load, to probe with */
	paused->route.paused_at = 1;
	serve(d, "a", 0);
	read_all(d);
	assert_int_equal(times(d, "shut"), 1);
	assert_int_equal(times(d, "paused"), 0);
	assert_int_equal(times(d, "a"), LOADS);
}

static void
a_failing_store_holds_up_that_route_alone(void **state)
{
	struct desk *d = *state;
	struct haul *a = serve(d, "a", 0);

	serve(d, "b", 0);
	d->faulty = "a";
	d->code = ERR_STORE;
	read_all(d);
	assert_int_equal(times(d, "a"), 1);
	assert_int_equal(times(d, "b"), LOADS);
	assert_true(a->has_more && a->pack_at > clock_mono_us());
	assert_int_equal(a->packed.pos, 0);
	/* Its time has come. */
	d->faulty = "";
	a->pack_at = 0;
	read_all(d);
	assert_int_equal(a->packed.pos, LOADS);
}

/* What is too much at once is packed in smaller pieces; what cannot be packed by itself is
 * passed over and counted. */
static void
too_much_is_packed_in_pieces(void **state)
{
	static const size_t maxima[] = {
		LOAD_MAX, LOAD_MAX / 4, LOAD_MAX / 16, LOAD_MAX / 64, 1};
	struct desk *d = *state;
	struct haul *a = serve(d, "a", 7);

	d->faulty = "a";
	d->code = ERR_TOO_LARGE;
	begin(d);
	for (size_t i = 0; i < ARRAY_LEN(maxima); i++) {
		assert_int_equal(d->asked[i].max, maxima[i]);
		assert_int_equal(d->asked[i].at.pos, 7);
		assert_int_equal(a->missed, 0);
		step(d);
	}
	assert_int_equal(a->missed, 1);
	assert_int_equal(d->asked[5].at.pos, 8);
	assert_int_equal(d->asked[5].max, LOAD_MAX);
}

/* ---- what happens meanwhile ---------------------------------------------------------------
 */

/* A question is under way, of which the answer will say that 3 were passed over. */
static void
begin_alone(struct desk *d)
{
	d->missed = 3;
	begin(d);
	assert_ptr_equal(d->c.reader.haul, d->c.hauls);
	/* Nobody waits for it. */
	reading_go_on(&d->c);
	assert_int_equal(d->n, 1);
}

static void
what_was_packed_counts_where_it_was_asked_for(void **state)
{
	struct desk *d = *state;
	struct haul *a = serve(d, "a", 10);

	begin_alone(d);
	/* Paused meanwhile: it is kept, and nothing more is read. */
	a->route.paused_at = 1;
	answer(d);
	read_all(d);
	assert_int_equal(d->n, 1);
	assert_int_equal(a->nfreights, 1);
	assert_int_equal(a->packed.pos, 11);
	assert_int_equal(a->missed, 3);
}

static void
a_place_that_moved_meanwhile_is_read_anew(void **state)
{
	struct desk *d = *state;
	struct haul *a = serve(d, "a", 10);

	begin_alone(d);
	a->packed = (struct place){.pos = 50};
	answer(d);
	assert_non_null(d->c.reader.load);
	begin(d);
	assert_int_equal(a->nfreights, 0);
	assert_int_equal(a->packed.pos, 50);
	assert_int_equal(a->missed, 0);
	assert_int_equal(a->pending_since, 0);
	assert_int_equal(d->n, 2);
	assert_int_equal(d->asked[1].at.pos, 50);
	answer(d);
	read_all(d);
	assert_int_equal(a->packed.pos, 50 + LOADS);
}

/* Within a batch, too. */
static void
so_is_one_that_moved_within_its_event(void **state)
{
	struct desk *d = *state;
	struct haul *a = serve(d, "a", 10);

	begin_alone(d);
	a->packed.next_key = 5;
	step(d);
	assert_int_equal(a->nfreights, 0);
	assert_int_equal(d->asked[1].at.next_key, 5);
}

/* Switched off and on, taken by another, or of unknown state after a COMMIT: whoever has the
 * route reads it from what is stored. */
static void
nothing_is_added_to_a_route_that_was_lost(void **state)
{
	struct desk *d = *state;
	struct haul *a = serve(d, "a", 10);

	begin_alone(d);
	a->is_lost = true;
	answer(d);
	read_all(d);
	assert_int_equal(d->n, 1);
	assert_int_equal(a->nfreights, 0);
	assert_int_equal(a->packed.pos, 10);
	assert_int_equal(a->missed, 0);
	assert_null(d->c.reader.haul);
}

/* What was handed over before is not given up with the question that nobody answers any more.
 */
static void
the_end_comes_before_the_answer(void **state)
{
	struct desk *d = *state;
	struct haul *a = serve(d, "a", 0);

	begin(d);
	answer(d);
	/* It does not hear of the next question. */
	signal_stop(&d->c.reader.asked);
	thread_join(&d->c.reader.thread);
	reading_go_on(&d->c);
	assert_int_equal(a->nfreights, 1);
	assert_ptr_equal(d->c.reader.haul, a);
	assert_null(d->c.reader.load);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(routes_take_turns),
		T(who_waits_for_longest_is_next),
		T(who_has_no_room_is_not_read_for),
		T(a_failing_store_holds_up_that_route_alone),
		T(too_much_is_packed_in_pieces),
		T(what_was_packed_counts_where_it_was_asked_for),
		T(a_place_that_moved_meanwhile_is_read_anew),
		T(so_is_one_that_moved_within_its_event),
		T(nothing_is_added_to_a_route_that_was_lost),
		T(the_end_comes_before_the_answer),
	};

	return cmocka_run_group_tests_name("reading", tests, NULL, NULL);
}
