/* serve – the server: config → store → app → engine → http, and back in reverse. */
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/before_send.h"
#include "api/cors.h"
#include "api/hook_pack.h"
#include "api/limit.h"
#include "api/live.h"
#include "api/metrics.h"
#include "api/openapi.h"
#include "api/presence.h"
#include "api/realtime.h"
#include "api/req.h"
#include "api/routes.h"
#include "api/signals.h"
#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "courier/courier.h"
#include "courier/push.h"
#include "courier/webhook.h"
#include "domain/app.h"
#include "domain/settings_live.h"
#include "engine/dispatch.h"
#include "engine/engine.h"
#include "main/command.h"
#include "main/opening.h"
#include "net/guard.h"
#include "net/http.h"
#include "net/hub.h"
#include "store/db.h"

#define DRAIN_MS        10000
#define GOODBYE_MS      2000 /* for WebSockets to take their close frames */
#define DELIVERY_MS     7000 /* for what is on its way outside */
#define MAX_CONNECTIONS 4096
/* A database that goes away during the start is waited for so often. */
#define START_TRIES 5
/* One descriptor a connection, and some for the store, the engine and the couriers. */
#define MORE_FILES 1280

/* Blocks the signals that end the server, for the threads to come as well, and returns a
 * descriptor that tells when one arrived; -1 on failure. */
static int
catch_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Returns the signal that asks to stop. */
static int
wait_for_signal(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof info) != (ssize_t)sizeof info)
		if (errno != EINTR)
			return SIGTERM;
	return (int)info.ssi_signo;
}

/* A second Ctrl-C while draining ends the process at once; the store does not mind. */
static void
obey_next_interrupt(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Makes room for ${sockets} descriptors besides those of HTTP; returns for how many there is.
 */
static size_t
raise_file_limit(size_t sockets)
{
	const size_t others = MAX_CONNECTIONS + MORE_FILES, wanted = others + sockets;
	struct rlimit r;
	size_t n;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return sockets;
	if (r.rlim_cur < wanted) {
		r.rlim_cur = MIN_OF(r.rlim_max, (rlim_t)wanted);
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
	/* Where there are few, half of them. */
	n = r.rlim_cur >= 2 * others ? r.rlim_cur - others : r.rlim_cur / 2;
	n = MIN_OF(n, sockets);
	if (n < sockets)
		log_warn("only %zu of %zu WebSocket connections: the limit of open files is "
			 "%llu",
			n, sockets, (unsigned long long)r.rlim_cur);
	return n;
}

static bool
load_config(struct config *config, int argc, char **argv, struct err *e)
{
	enum log_level level;

	if (!config_load(config, argc, argv, e))
		return false;
	if (!log_parse_level(config->log_level, &level))
		return fail(e, ERR_INPUT,
			"log_level: \"%s\" is none of debug, info, warn, error",
			config->log_level);
	log_set_level(level);
	if (strcmp(config->webhook_dialect, "v1") != 0 &&
		strcmp(config->webhook_dialect, "v2") != 0)
		return fail(e, ERR_INPUT, "webhook_dialect: \"%s\" is none of v1, v2",
			config->webhook_dialect);
	return cors_check(str_of(config->origins), e);
}

/* Loads the app's keys through a connection of its own.  A pair made here is printed at
 * once: nobody will see it again, even if the start fails further on. */
static bool
load_app(struct store *store, const struct config *config, struct arena *a, struct app *app,
	struct err *e)
{
	struct db *db;
	bool made = false;
	bool ok;

	if (!db_open(&db, store, e))
		return false;
	ok = app_load(
		db, a, str_of(config->api_key), str_of(config->api_secret), app, &made, e);
	db_close(db);
	if (ok && made) {
		printf("a key pair was made for this store; it is shown this once:\n"
		       "  export FANFARE_API_KEY=%.*s\n"
		       "  export FANFARE_API_SECRET=%.*s\n",
			STR_ARG(app->api_key), STR_ARG(app->api_secret));
		fflush(stdout);
	}
	return ok;
}

/* e->code is ERR_NONE when a signal ended it. */
static bool
open_store_and_app(struct store **store, const struct config *config, int signals,
	struct arena *a, struct app *app, struct err *e)
{
	for (int tries = 1;; tries++) {
		if (!open_store(store, config, signals, e))
			return false;
		if (load_app(*store, config, a, app, e))
			return true;
		store_close(*store);
		if (e->code != ERR_STORE || tries == START_TRIES)
			return false;
	}
}

static void
close_dbs(struct db **dbs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		db_close(dbs[i]);
	free(dbs);
}

static struct db **
open_dbs(struct store *store, size_t n, struct err *e)
{
	struct db **dbs = calloc(n, sizeof(struct db *));

	if (!dbs)
		panic("no memory for %zu connections", n);
	for (size_t i = 0; i < n; i++) {
		if (!db_open(&dbs[i], store, e)) {
			close_dbs(dbs, i);
			return NULL;
		}
	}
	return dbs;
}

static bool
listen_http(struct http **http, struct ctx *ctx, struct err *e)
{
	const struct http_opts opts = {
		.listen = ctx->config->listen,
		.threads = (unsigned)ctx->config->http_threads,
		.max_connections = MAX_CONNECTIONS,
		.body_limit = req_body_limit,
		.admit = req_admit,
		.handle = req_handle,
		.refuse = req_refuse,
		.arg = ctx,
	};

	return http_start(http, &opts, e);
}

static bool
open_hub(struct ctx *ctx, size_t connections, struct err *e)
{
	struct hub_opts opts = {.max_connections = connections};

	ctx->presence = presence_new(ctx);
	realtime_hub_opts(&opts);
	opts.on_move = presence_wake;
	opts.arg = ctx->presence;
	return hub_open(&ctx->hub, &opts, e);
}

static bool
make_limit(struct limit **out, struct arena *a, const struct config *config, struct err *e)
{
	const struct limit_opts opts = {
		.operations = routes_operations(a),
		.nroutes = routes_count(),
		.per_minute = config->rate_limit,
		.per_user = config->rate_limit_user,
		.overrides = config->rate_limits,
	};

	return limit_new(out, &opts, e);
}

/* With what tells clients of all that happens. */
static bool
start_engine(struct ctx *ctx, struct live **live, struct err *e)
{
	struct dispatch_sink sink;

	store_hear(ctx->store, signals_hear, ctx);
	if (!engine_start(&ctx->engine, ctx->store, ctx->config, e))
		return false;
	presence_start(ctx->presence, ctx->engine);
	*live = live_new(ctx, ctx->hub);
	live_sink(*live, &sink);
	engine_dispatch(ctx->engine, &sink);
	return true;
}

/* What leaves the house. */
struct couriers {
	struct guard *guard;
	struct hook_pack *pack;
	struct webhooks *webhooks;
	struct push *push;
	struct courier *for_webhooks, *for_push;
};

static void
stop_couriers(struct couriers *c)
{
	courier_stop(c->for_webhooks, DELIVERY_MS);
	courier_stop(c->for_push, DELIVERY_MS);
	webhooks_free(c->webhooks);
	hook_pack_free(c->pack);
	push_free(c->push);
}

static bool
start_couriers(struct couriers *c, struct ctx *ctx, struct err *e)
{
	struct webhook_opts opts = {.app = ctx->app, .pack = hook_pack};
	struct courier_opts courier_opts = {
		.store = ctx->store,
		.guard = ctx->guard,
		.name = "webhooks",
		.retry_ladder = ctx->config->retry_ladder,
		.retry_for_s = ctx->config->retry_for,
		.lease_ms = ctx->config->lease_ms,
	};
	struct trade trade;

	opts.pack_arg = c->pack = hook_pack_new(ctx);
	c->webhooks = webhooks_new(&opts, &trade);
	if (!courier_start(&c->for_webhooks, &trade, &courier_opts, e))
		return false;
	engine_hear(ctx->engine, courier_wake, c->for_webhooks);

	c->push = push_new(ctx->app, ctx->hub);
	push_trade(c->push, &trade);
	courier_opts.name = "push";
	if (ctx->config->push_ca_file[0] != '\0')
		courier_opts.ca_file = ctx->config->push_ca_file;
	if (!courier_start(&c->for_push, &trade, &courier_opts, e))
		return false;
	engine_hear(ctx->engine, courier_wake, c->for_push);
	return true;
}

/* What requests need besides the store. */
static void
make_desk(struct ctx *ctx, struct buf *openapi, size_t threads)
{
	*openapi = openapi_document();
	ctx->openapi = buf_view(openapi);
	ctx->origins = str_of(ctx->config->origins);
	ctx->metrics = metrics_new();
	ctx->before_send = before_send_new(ctx->guard, threads);
}

static void
free_desk(struct ctx *ctx, struct buf *openapi)
{
	metrics_free(ctx->metrics);
	before_send_free(ctx->before_send);
	buf_free(openapi);
}

static void
serve_until_signal(const struct http *http, int signals)
{
	int signal_no;

	printf("listening on http://%s\n", http_address(http));
	fflush(stdout);
	signal_no = wait_for_signal(signals);
	log_info("stopping signal=%d", signal_no);
	obey_next_interrupt();
}

static int
run(int argc, char **argv)
{
	struct config config;
	struct arena arena;
	struct app app;
	struct ctx ctx = {.config = &config, .app = &app};
	struct live *live;
	struct couriers couriers = {0};
	struct http *http;
	struct buf openapi;
	struct err e;
	size_t threads, sockets;
	int signals;
	int status = COMMAND_FAILED;

	if (!load_config(&config, argc, argv, &e))
		return command_fail(COMMAND_USAGE, "%s", e.msg);
	threads = (size_t)config.http_threads;
	umask(S_IRWXG | S_IRWXO); /* the store holds the API secret */
	sockets = raise_file_limit((size_t)config.connections);
	if ((signals = catch_signals()) < 0)
		return command_fail(COMMAND_FAILED, "signals: %s", strerror(errno));
	arena_init(&arena, 4096, SIZE_MAX);

	if (!guard_new(&couriers.guard, config.webhook_allow, &e) ||
		!make_limit(&ctx.limit, &arena, &config, &e)) {
		status = COMMAND_USAGE;
		goto err0;
	}
	if (!open_store_and_app(&ctx.store, &config, signals, &arena, &app, &e)) {
		status = e.code == ERR_NONE ? COMMAND_OK : COMMAND_FAILED;
		goto err0;
	}
	if (!(ctx.dbs = open_dbs(ctx.store, threads, &e)))
		goto err1;
	if (!settings_live_new(
		    &ctx.settings, ctx.dbs[0], threads, !store_is_exclusive(ctx.store), &e))
		goto err2;
	if (!open_hub(&ctx, sockets, &e))
		goto err2;
	ctx.guard = couriers.guard;
	if (!start_engine(&ctx, &live, &e))
		goto err3;
	if (!start_couriers(&couriers, &ctx, &e))
		goto err4;
	make_desk(&ctx, &openapi, threads);
	if (!listen_http(&http, &ctx, &e))
		goto err5;

	serve_until_signal(http, signals);
	status = COMMAND_OK;

	/* First, so that clients go elsewhere while requests finish. */
	hub_stop(ctx.hub, GOODBYE_MS);
	http_stop(http, DRAIN_MS);
err5:
	free_desk(&ctx, &openapi);
err4:
	engine_stop(ctx.engine);
	live_free(live);
	stop_couriers(&couriers);
err3:
	hub_stop(ctx.hub, 0);
	hub_free(ctx.hub);
err2:
	presence_free(ctx.presence);
	settings_live_free(ctx.settings);
	close_dbs(ctx.dbs, threads);
err1:
	store_close(ctx.store);
err0:
	guard_free(couriers.guard);
	limit_free(ctx.limit);
	arena_fini(&arena);
	close(signals);
	return status == COMMAND_OK ? status : command_fail(status, "%s", e.msg);
}

static void
more(FILE *out)
{
	fputs("\nsettings (command line > environment > file > default):\n", out);
	config_help(out);
	fputs("\nSIGTERM or Ctrl-C lets running requests finish and exits 0; campaigns go on "
	      "at\n"
	      "the next start, where they were.\n",
		out);
}

const struct command command_serve = {
	.name = "serve",
	.args = "[--SETTING VALUE …]",
	.summary = "run the server",
	.more = more,
	.run = run,
};
