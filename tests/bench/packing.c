/* packing – how fast what webhooks are told of a store's outbox is packed: packing STORE [MAX].
 * It sets the store's webhook_url. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/hook_pack.h"
#include "api/req.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/jr.h"
#include "base/log.h"
#include "domain/app.h"
#include "domain/settings.h"
#include "store/db.h"

/* Parcels that a courier asks for at a time. */
#define LOAD 256

static void
must(bool ok, const struct err *e)
{
	if (ok)
		return;
	fprintf(stderr, "packing: %s\n", e->msg);
	exit(1);
}

static double
cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Packs all; *bytes: of the bodies. */
static size_t
pack_all(struct hook_pack *pack, struct db *db, size_t most, size_t *bytes)
{
	struct out_route route = {.kind = ROUTE_WEBHOOK, .ident = STR("legacy")};
	struct place at = {0, 0};
	struct arena a;
	bool more = true;
	size_t all = 0;
	struct err e;

	*bytes = 0;
	arena_init(&a, 1 << 20, SIZE_MAX);
	while (more && all < most) {
		struct packed some;

		arena_reset(&a);
		must(hook_pack(pack, db, &a, &route, &at, LOAD, &some, &e), &e);
		for (size_t i = 0; i < some.n; i++)
			*bytes += some.parcels[i].body.n;
		all += some.n;
		more = some.more;
	}
	arena_fini(&a);
	return all;
}

int
main(int argc, char **argv)
{
	struct config config = {.webhook_dialect = "v1"};
	struct ctx ctx = {.config = &config};
	struct hook_pack *pack;
	struct store *store;
	struct arena a;
	struct app app;
	struct db *db;
	json_t *settings;
	double began;
	size_t n, bytes;
	bool made;
	struct err e;

	if (argc < 2) {
		fprintf(stderr, "usage: packing STORE [MAX]\n");
		return 2;
	}
	log_set_level(LOG_ERROR);
	arena_init(&a, 65536, SIZE_MAX);
	must(store_open(&store, argv[1], &e) && db_open(&db, store, &e), &e);
	must(app_load(db, &a, STR(""), STR(""), &app, &made, &e), &e);
	must(jr_parse(&a, STR("{\"webhook_url\":\"https://hooks.example/\"}"), &settings, &e) &&
			settings_change(db, &a, settings, &e),
		&e);
	ctx.store = store;
	ctx.app = &app;
	pack = hook_pack_new(&ctx);
	began = cpu_seconds();
	n = pack_all(pack, db, argc > 2 ? strtoull(argv[2], NULL, 10) : SIZE_MAX, &bytes);
	began = cpu_seconds() - began;
	printf("%zu parcels of %zu bytes, %.0f parcels/s of CPU time\n", n,
		n > 0 ? bytes / n : 0, (double)n / began);
	hook_pack_free(pack);
	db_close(db);
	store_close(store);
	arena_fini(&a);
	return 0;
}
