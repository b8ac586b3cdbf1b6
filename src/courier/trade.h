/* trade – what a courier has to know of those it carries to.  Webhooks are one trade, push is
 * the other; the courier knows loads, attempts and time, a trade knows what is said and how.
 *
 * All functions are called from the courier's one thread, but pack(). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "domain/route.h"

struct arena;
struct db;
struct err;
struct fetch;

enum verdict {
	VERDICT_OK,
	VERDICT_TEMPFAIL, /* again, later */
	VERDICT_PERMFAIL, /* it will never be taken: a dead letter */
	VERDICT_GONE,     /* its address is no longer there: forgotten, and settle() is told */
	VERDICT_BARRED,   /* our credentials are refused: nothing passes until they change */
};

struct judgement {
	enum verdict verdict;
	char why[64]; /* a word or two for counters and lists: "http_503", "timeout" */
	int64_t retry_after_ms; /* asked for by the answer; 0: nothing */
};

struct trade {
	enum route_kind kind;
	unsigned width_max; /* attempts of a route that may be under way at once */

	/* The routes that the settings name at this moment: kind, ident, is_off, changed_at.
	 * Asked every second: cheap when nothing has changed.  Fails: STORE. */
	bool (*routes)(void *arg, struct db *, struct arena *, struct out_route **out,
		size_t *n, struct err *e);

	/* On a thread beside the others, with which it shares nothing that changes.
	 * What is behind ${at} for this route, as parcels, at most about ${max} (those of one
	 * recipient are never divided), and moves ${at} behind what was looked at.  No parcel
	 * and more is legal.  Fails: STORE, TOO_LARGE. */
	bool (*pack)(void *arg, struct db *, struct arena *, const struct out_route *,
		struct place *at, size_t max, struct packed *out, struct err *e);

	/* A request of the trade's own that has to be answered before attempts of the route can
	 * be dressed, such as one for a bearer token: asked before each turn of the route and
	 * sent through the courier's fetcher; while it is under way the parcels wait.  *wanted
	 * false: nothing is missing.  NULL: nothing ever is.  Fails: STORE; INPUT: the
	 * credentials are of no use, which is judged as BARRED. */
	bool (*ask)(void *arg, struct db *, struct arena *a, const struct out_route *,
		struct fetch *out, bool *wanted, struct err *e);
	/* What was answered: OK, TEMPFAIL (asked again, later) or BARRED. */
	void (*asked)(void *arg, const struct out_route *, const struct fetch *answered,
		struct judgement *out);

	/* Method, URL, headers, body and timeout_ms of an attempt (1, 2, …); its texts may live
	 * in
	 * ${a}.
	 * Fails: STORE; INPUT: it cannot be sent as things are, which is judged as TEMPFAIL. */
	bool (*dress)(void *arg, struct db *, struct arena *a, const struct out_route *,
		const struct parcel *, int attempt, struct fetch *out, struct err *e);

	void (*judge)(void *arg, const struct out_route *, const struct parcel *,
		const struct fetch *answered, struct judgement *out);

	/* What GONE means to the store, and BARRED, of the whole route (parcel NULL); inside
	 * the transaction that settles the parcels.  Fails: STORE. */
	bool (*settle)(void *arg, struct db *w, const struct out_route *, const struct parcel *,
		const struct judgement *, struct err *e);

	void *arg;
};
