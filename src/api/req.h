/* req – one API request: what a handler reads from and writes to.
 *
 * A handler is four paragraphs: read input, call the domain, signal the engine, write the
 * members of the answer into r->w.  req.c opens and closes the root object, adds
 * "duration", picks the status (POST, PUT: 201, else 200; api.md §0.4) and turns a failure
 * into the error body of api.md §8.  Nothing is sent before the handler returned. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/jw.h"
#include "base/str.h"

struct app;
struct before_send;
struct channel_origins;
struct channel_type;
struct config;
struct db;
struct engine;
struct guard;
struct hub;
struct http_in;
struct http_out;
struct limit;
struct metrics;
struct presence;
struct settings;
struct settings_live;
struct store;

/* What every request may need; built once in main/serve.c, immutable afterwards. */
struct ctx {
	struct store *store;
	const struct config *config;
	const struct app *app;
	struct engine *engine;
	struct db **dbs;                 /* one connection per HTTP thread */
	struct limit *limit;             /* NULL: calls are not counted */
	struct settings_live *settings;  /* NULL: nobody changed them */
	struct hub *hub;                 /* NULL: nobody can connect */
	struct before_send *before_send; /* NULL: the owner is not asked */
	const struct guard *guard;       /* which addresses may be called; NULL: public ones */
	struct presence *presence;       /* NULL: nobody looks who is there */
	struct metrics *metrics;         /* what GET /metrics counted last */
	struct str openapi;              /* the description of everything served */
	struct str origins;              /* of browser apps that may call (api/cors.h) */
};

/* The JavaScript clients give up after 3 s (api.md §1.1): what the queries of a request may
 * take. */
#define REQ_QUERY_MAX_US 2500000

/* v1: RFC 3339 times, custom fields flattened.  v2 (paths under /api/v2): integer
 * nanoseconds, nested custom (api.md §0.4). */
enum dialect { DIALECT_V1, DIALECT_V2 };

struct route;

struct req {
	const struct ctx *ctx;
	struct arena *arena;
	struct db *db; /* this thread's connection */
	const struct route *route;
	const struct http_in *in;
	struct http_out *http;
	enum dialect dialect;
	struct str param[3]; /* decoded {…} parts of the path, in order */
	json_t *body;        /* NULL when there was none */
	struct str raw_body; /* for routes that read it themselves */
	struct str user_id;  /* of a user token; p == NULL: server-side, no permission checks */
	bool is_anonymous;   /* neither: only where the route allows it */
	int64_t issued_s;    /* iat of the token; NO_TIME: there is none */
	int64_t expires_at;  /* when the token ends; NO_TIME: never, or there is none */
	unsigned thread;
	const struct settings *settings; /* set once the caller is known; not for open routes */
	struct channel_type *types;      /* all of them, once they were asked for (chat_type) */
	size_t ntypes;
	struct str
		*configs; /* of each type, as chat_write_channel() writes it; NULL: not kept */
	struct channel_origins *origins; /* NULL: not kept */
	struct jw w;                     /* the answer's root object is open */
	bool tells_failure; /* on failure, what is in w becomes part of the error body */
	struct buf out;
	int status; /* 0: the default of the method */
};

typedef bool (*handler_fn)(struct req *r, struct err *e);

/* Path patterns are those of v1; v2 adds /api/v2/chat or /api/v2 (COMMON) in front. */
enum route_flags {
	ROUTE_CHAT = 0,          /* v2 prefix /api/v2/chat */
	ROUTE_COMMON = 1,        /* v2 prefix /api/v2: users, tasks, app … */
	ROUTE_OPEN = 2,          /* no api_key, no token: /healthz */
	ROUTE_CLIENT = 4,        /* a user token may call it too */
	ROUTE_RAW_BODY = 8,      /* the handler reads raw_body itself */
	ROUTE_RAW_ANSWER = 16,   /* the handler writes the whole answer into r->out */
	ROUTE_ADDITION = 32,     /* not part of the API that this one mirrors (api.md §12) */
	ROUTE_ANONYMOUS = 64,    /* the api_key alone is enough */
	ROUTE_SOCKET = 128,      /* becomes a WebSocket; v1 only */
	ROUTE_TEXT_ANSWER = 256, /* the answer is plain text */
};

struct route {
	const char *method;
	const char *path; /* "/segments/{id}/target/{target_id}" */
	const char *name; /* operation id of errors, "SegmentTargetExists" */
	handler_fn handler;
	unsigned flags;
	size_t body_max; /* bytes */
	const char *summary;
};

/* One group per file of api/; routes.c lists the groups. */
struct route_group {
	const struct route *routes;
	size_t n;
};
extern const struct route_group routes_users, routes_user_state, routes_tasks, routes_devices,
	routes_segments, routes_campaigns, routes_channels, routes_channel_update,
	routes_channel_types, routes_members, routes_reads, routes_messages, routes_polls,
	routes_rates, routes_apps, routes_ops, routes_realtime, routes_sync, routes_signals,
	routes_outgoing, routes_metrics, routes_pushes;

#define KIB          ((size_t)1024)
#define BODY_NONE    (16 * KIB)
#define BODY_SMALL   (256 * KIB)
#define BODY_DEFAULT (2048 * KIB)
#define BODY_LARGE   (8 * 1024 * KIB)

/* A decoded query parameter; p == NULL when absent or empty. */
struct str req_query(const struct req *r, const char *name);
/* An integer query parameter in [lo, hi]; *out untouched when absent. */
bool req_query_int(const struct req *r, const char *name, int64_t lo, int64_t hi, int64_t *out,
	struct err *e) MUST_USE;
bool req_query_bool(const struct req *r, const char *name, bool *out, struct err *e) MUST_USE;
/* The body, which must be an object; an absent one gives an empty object. */
bool req_body(struct req *r, json_t **obj, struct err *e) MUST_USE;
/* Adds a header to the answer, whatever it will be. */
void req_header_int(struct req *r, const char *name, int64_t value);
/* The user a call is made for: the token's user, else body user_id, user.id, else query
 * user_id; p == NULL when nobody. */
bool req_acting_user(struct req *r, const json_t *body, struct str *id, struct err *e) MUST_USE;

/* ---- wire forms that depend on the dialect ---------------------------------------- */

/* A time in the dialect's form; NO_TIME writes null. */
void req_ktime(struct req *r, const char *key, int64_t us);
/* The same, left out when NO_TIME. */
void req_ktime_opt(struct req *r, const char *key, int64_t us);
/* Custom data (a JSON object text, or p == NULL): members of the open object (v1) or a
 * nested "custom" object (v2). */
void req_custom(struct req *r, struct str custom);

/* Called by http.c's handler hook: auth, routing, handler, answer. */
void req_handle(void *ctx, unsigned thread, const struct http_in *in, struct arena *arena,
	struct http_out *out);
bool req_admit(void *ctx, unsigned thread, const struct http_in *in, struct arena *arena,
	struct http_out *out);
size_t req_body_limit(void *ctx, struct str method, struct str path);
void
req_refuse(void *ctx, int status, const char *why, struct arena *arena, struct http_out *out);
