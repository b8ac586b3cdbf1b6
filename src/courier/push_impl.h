/* push_impl – what the files of the push trade share. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "courier/trade.h"
#include "domain/channel.h"
#include "domain/message.h"
#include "domain/push_template.h"
#include "domain/unread.h"
#include "domain/user.h"

struct app;
struct device_ref;
struct event;
struct hub;
struct push_provider;
struct settings;
struct sign_key;

#define PUSH_EVENT      "message.new" /* the one that is pushed */
#define PUSH_BODY_MAX   4096          /* bytes, at both services */
#define PUSH_TEXT_MAX   150           /* characters of a message that are shown */
#define PUSH_TIMEOUT_MS 10000         /* of an attempt */

/* ---- senders --------------------------------------------------------------------------- */

enum push_service { PUSH_FIREBASE, PUSH_APN };

/* What a service wants to see with each request. */
#define PUSH_TOKEN_MAX 2048 /* bytes */
struct push_token {
	char bytes[PUSH_TOKEN_MAX];
	size_t n;                  /* 0: none */
	int64_t made_us, until_us; /* by the wall clock */
	bool is_proven;            /* something was taken with it */
};

/* A provider as it is used; lives until the settings change. */
struct push_sender {
	struct str ident; /* of its route: "firebase:main", "apn:" for the one without a name */
	enum push_service service;
	struct str type, name;   /* name p == NULL: that of the app's settings */
	struct str trouble;      /* why its credentials are of no use; p == NULL: they are */
	struct str host;         /* "https://…" without a slash at its end */
	uint8_t credentials[32]; /* a digest of them */
	struct sign_key *key;
	struct push_token token;
	/* What replaces the default payload, or its parts; NULL: nothing. */
	const struct push_template *whole, *data, *notification, *apn;
	/* Firebase's service account. */
	struct str project, email, key_id, token_uri;
	/* Of APNs; without cert a token is signed: key_id, team. */
	struct str topic, team, cert, cert_key;
};

/* Those of all routes, beside them, in ${a}.  Fails: STORE. */
bool push_senders_load(struct db *, struct arena *a, const json_t *settings,
	const struct out_route *routes, size_t n, struct push_sender **out,
	struct err *e) MUST_USE;
/* Tokens of ${from} go over to those whose credentials are the same. */
void push_senders_inherit(
	struct push_sender *to, size_t n, const struct push_sender *from, size_t m);

static inline struct str
push_token_text(const struct push_token *t)
{
	return (struct str){t->bytes, t->n};
}

/* A new one; false when it is too long, or cannot stand in a header. */
bool push_token_set(struct push_token *, struct str text, int64_t made_us, int64_t until_us);

/* ---- who hears of it ------------------------------------------------------------------- */

/* A member with devices, and the message for him.  Where: the place within the event at which
 * it comes, in the order of packing. */
struct push_ear {
	int64_t where;
	int64_t key, uid;
	size_t first, n; /* his devices */
};

struct push_ears {
	struct push_ear *v;
	size_t n;
	const struct device_ref *devices;
	bool is_all;  /* nobody behind them hears of the event */
	int64_t next; /* where to go on, unless is_all */
};

struct push_work {
	struct db *db;
	struct arena *arena;
	const struct app *app;
	struct hub *hub;
	const struct push_sender *sender;
	bool offline_only;
	size_t max; /* parcels, about */
};

/* Members with devices of the sender from place ${from} of an event on.  Fails: STORE,
 * TOO_LARGE. */
bool push_listen(const struct push_work *, const struct event *, int64_t from,
	struct push_ears *out, struct err *e) MUST_USE;

/* ---- what is said ---------------------------------------------------------------------- */

/* All that a payload may tell. */
struct push_scene {
	const struct message *message;
	const struct channel *channel;
	const struct user *sender, *receiver;
	const struct unread *unread;
	bool is_mentioned;
	const struct user *members; /* for templates that name them */
	size_t nmembers;
};

/* Whether a template of the sender names the members. */
bool push_wants_members(const struct push_sender *);
/* The payload for one device, at most PUSH_BODY_MAX bytes where its parts can be cut. */
struct str push_body(struct arena *, const struct push_sender *, const struct push_scene *,
	struct str device);

/* Drops those who are not to be told, and writes the parcels for the others.  Fails: STORE,
 * TOO_LARGE. */
bool push_tell(const struct push_work *, const struct push_ears *, int64_t at,
	struct buf *parcels, struct err *e) MUST_USE;

/* ---- the services ---------------------------------------------------------------------- */

/* As the functions of a trade. */
bool push_fcm_ask(struct push_sender *, struct arena *a, struct fetch *out, bool *wanted,
	struct err *e) MUST_USE;
void push_fcm_asked(struct push_sender *, const struct fetch *, struct judgement *out);
bool push_fcm_dress(struct push_sender *, struct arena *a, const struct parcel *,
	struct fetch *out, struct err *e) MUST_USE;
void push_fcm_judge(struct push_sender *, const struct fetch *, struct judgement *out);
bool push_apns_dress(struct push_sender *, struct arena *a, const struct parcel *,
	struct fetch *out, struct err *e) MUST_USE;
void push_apns_judge(struct push_sender *, const struct fetch *, struct judgement *out);

/* What is the same everywhere: requests without an answer, and statuses; redirects are not
 * followed, so they are failures that may pass. */
void push_judge_status(const struct fetch *, struct judgement *out);
/* The word of a judgement. */
void push_say(struct judgement *, struct str why);
/* Whether it was this token that was shown. */
bool push_was_sent_with(const struct fetch *f, const struct push_token *token);
