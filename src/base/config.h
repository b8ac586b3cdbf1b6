/* config – the server's settings: one table gives flags, environment, file and --help.
 *
 * Precedence (product.md): command line > environment > config file > default.  Secrets have
 * no flag.  The file (--config PATH or FANFARE_CONFIG) has lines `name = value`, '#' starts
 * a comment. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/macros.h"

struct err;

/* name (flag --name, env FANFARE_NAME), type, default, secret?, help */
#define CONFIG_TABLE(X)                                                                        \
	X(store, STR, "sqlite:fanfare.db", 0, "sqlite:PATH or postgresql://USER@HOST/DB")      \
	X(store_wait, INT, "30", 0, "seconds to wait at start for a database server")          \
	X(store_connections, INT, "0", 0, "most connections to PostgreSQL; 0: one a thread")   \
	X(listen, STR, "127.0.0.1:8080", 0, "address and port to serve on")                    \
	X(origins, STR, "", 0, "origins of browser apps that may call: https://HOST,… or *")   \
	X(api_key, STR, "", 1, "API key; when unset the first start makes a pair")             \
	X(api_secret, STR, "", 1, "API secret that signs tokens; environment or file only")    \
	X(webhook_allow, STR, "", 0, "private networks a webhook may reach, e.g. 127.0.0.0/8") \
	X(retry_ladder, STR, "5,30,120,600,1800,3600,7200,14400,21600", 0,                     \
		"seconds between later attempts")                                              \
	X(retry_for, INT, "259200", 0, "seconds after which what fails is a dead letter")      \
	X(webhook_dialect, STR, "v1", 0, "v1 or v2: how webhooks write times and custom data") \
	X(push_ca_file, STR, "", 0, "authorities of push hosts in PEM; unset: the system's")   \
	X(http_threads, INT, "16", 0, "threads that serve HTTP requests (1..256)")             \
	X(connections, INT, "10000", 0, "WebSocket connections at once")                       \
	X(workers, INT, "2", 0, "threads that prepare campaign batches (1..64)")               \
	X(batch_size, INT, "4096", 0, "recipients per batch (1..4096)")                        \
	X(lease_ms, INT, "30000", 0, "how long a claimed batch is believed, in milliseconds")  \
	X(max_lateness, INT, "3600", 0,                                                        \
		"seconds a schedule may be missed and still sent; 0: any")                     \
	X(render_max, INT, "20000", 0, "bytes a rendered message may have")                    \
	X(mau_plan, INT, "0", 0, "users of the plan: 3 campaign messages a month each, or 0")  \
	X(rate_limit, INT, "600000", 0, "calls a minute of each operation and platform")       \
	X(rate_limit_user, INT, "6000", 0, "the same by one user with a token of his, or 0")   \
	X(rate_limits, STR, "", 0, "OPERATION:CALLS,… instead, e.g. SendMessage:1000")         \
	X(log_level, STR, "info", 0, "debug, info, warn or error")

struct config {
#define X(name, type, def, secret, help) CONFIG_FIELD_##type(name);
#define CONFIG_FIELD_STR(name)           char name[512]
#define CONFIG_FIELD_INT(name)           int64_t name
	CONFIG_TABLE(X)
#undef CONFIG_FIELD_STR
#undef CONFIG_FIELD_INT
#undef X
};

/* Fills *c from defaults, file, environment and the arguments after the command's name.
 * Unknown flags, unknown file keys, bad numbers and secrets as flags fail.  Fails: INPUT. */
bool config_load(struct config *c, int argc, char **argv, struct err *e) MUST_USE;
/* The table as the lines of --help. */
void config_help(FILE *out);
