/* reading – from the outbox to loads.
 *
 * The trade is asked on a thread beside the courier's: what comes next is packed while what was
 * packed is sent.  One question at a time; the answer counts only if the haul
 * still stands where it stood when it was asked. */
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "courier/haul.h"
#include "store/db.h"

/* So many loads of a route may be under way, of about so many bytes each, and so many of its
 * parcels may be put aside, before nothing more is read. */
#define LOADS_MAX  8
#define LOAD_BYTES ((size_t)1 << 20)
#define LOAD_LEAST 16
#define ASIDE_MAX  1024
/* After a failure of the store. */
#define RETRY_US 500000

/* ---- the question and its answer --------------------------------------------------------- */

static void
answer(struct courier *c)
{
	struct reader *r = &c->reader;
	struct packed packed = {0};

	arena_reset(&r->arena);
	r->to = r->from;
	r->ok = c->trade.pack(
		c->trade.arg, r->db, &r->arena, &r->route, &r->to, r->max, &packed, &r->err);
	r->more = packed.more;
	r->missed = packed.missed;
	if (r->ok && packed.n > 0) {
		r->load = freight_new(packed.parcels, packed.n);
		load_deflate(&r->load->stored, buf_view(&r->load->blob));
	}
	atomic_store(&r->is_done, true);
}

static void
run(void *arg)
{
	struct courier *c = arg;
	struct reader *r = &c->reader;
	uint64_t seen = 0;

	while (signal_wait(&r->asked, &seen, -1)) {
		answer(c);
		fetcher_wake(c->fetcher);
	}
}

static void
ask(struct courier *c, struct haul *h)
{
	struct reader *r = &c->reader;

	r->haul = h;
	r->route = h->route;
	r->from = h->packed;
	r->max = h->pack_max;
	/* The end may come before the answer. */
	r->load = NULL;
	atomic_store(&r->is_done, false);
	/* What is told from here on is news. */
	h->has_more = false;
	h->read_turn = ++r->turn;
	signal_raise(&r->asked);
}

static void
add_load(struct haul *h, struct freight *f)
{
	size_t fit = LOAD_BYTES / (f->blob.n / f->n + 1);

	f->no = h->next_no++;
	haul_add(h, f);
	h->pack_max = MIN_OF(MAX_OF(fit, (size_t)LOAD_LEAST), (size_t)LOAD_MAX);
}

/* What cannot be packed because it is too much at once is packed in smaller pieces; a piece
 * that cannot be packed by itself is left out and counted. */
static void
read_less(struct haul *h, const struct err *e)
{
	if (h->pack_max > 1) {
		h->pack_max = MAX_OF(h->pack_max / 4, (size_t)1);
		return;
	}
	log_error("courier: event %lld is not told to %s: %s", (long long)h->packed.pos + 1,
		h->ident, e->msg);
	h->packed = (struct place){h->packed.pos + 1, 0};
	h->pack_max = LOAD_MAX;
	h->missed++;
	haul_touch(h);
}

static void
fail_reading(struct courier *c, struct haul *h, const struct err *e)
{
	h->has_more = true;
	if (e->code == ERR_TOO_LARGE) {
		read_less(h, e);
		return;
	}
	courier_complain(c, e);
	h->pack_at = clock_mono_us() + RETRY_US;
}

static bool
is_same(struct place a, struct place b)
{
	return a.pos == b.pos && a.next_key == b.next_key;
}

static void
take(struct courier *c)
{
	struct reader *r = &c->reader;
	struct haul *h = r->haul;

	r->haul = NULL;
	if (h->is_lost || !is_same(r->from, h->packed)) {
		if (r->load != NULL)
			freight_free(r->load);
		h->has_more = true;
		return;
	}
	if (!r->ok) {
		fail_reading(c, h, &r->err);
		return;
	}
	if (!is_same(r->to, h->packed))
		haul_touch(h);
	h->packed = r->to;
	h->missed += r->missed;
	h->has_more = h->has_more || r->more;
	if (r->load != NULL)
		add_load(h, r->load);
}

/* ---- whose turn it is -------------------------------------------------------------------- */

static bool
has_room(const struct haul *h)
{
	/* As much as it has shown to take: of one that does not answer, what it is probed with.
	 */
	size_t max = MIN_OF(1 + h->window.width / 8, (size_t)LOADS_MAX);

	return h->nfreights < max && h->aside < ASIDE_MAX;
}

/* The one that was read for longest ago. */
static struct haul *
next_haul(const struct courier *c, int64_t now)
{
	struct haul *next = NULL;

	for (struct haul *h = c->hauls; h != NULL; h = h->next)
		if (h->has_more && has_room(h) && haul_is_open(h, now) && now >= h->pack_at &&
			(next == NULL || h->read_turn < next->read_turn))
			next = h;
	return next;
}

void
reading_go_on(struct courier *c)
{
	struct reader *r = &c->reader;
	struct haul *h;

	for (;;) {
		if (r->haul != NULL && !atomic_load(&r->is_done))
			return;
		if (r->haul != NULL)
			take(c);
		h = next_haul(c, clock_mono_us());
		if (h == NULL)
			return;
		ask(c, h);
	}
}

int64_t
reading_at(const struct courier *c, const struct haul *h, int64_t now)
{
	if (c->reader.haul != NULL || !h->has_more || !has_room(h))
		return INT64_MAX;
	return MAX_OF(h->pack_at, now);
}

bool
reading_start(struct courier *c, struct err *e)
{
	struct reader *r = &c->reader;

	if (!db_open(&r->db, c->opts.store, e))
		return false;
	arena_init(&r->arena, 1 << 16, SIZE_MAX);
	signal_init(&r->asked);
	thread_start(&r->thread, "packing", run, c);
	return true;
}

void
reading_stop(struct courier *c)
{
	struct reader *r = &c->reader;

	signal_stop(&r->asked);
	thread_join(&r->thread);
	signal_fini(&r->asked);
	arena_fini(&r->arena);
	db_close(r->db);
	if (r->haul != NULL && r->load != NULL)
		freight_free(r->load);
}
