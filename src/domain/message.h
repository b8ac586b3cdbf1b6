/* message – messages: those of campaigns, whose details follow from the batch their key is
 * in, and those sent through the API. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/str.h"

struct app;
struct arena;
struct channel;
struct db;
struct err;

#define MESSAGE_MAX_ATTACHMENTS 30
#define MESSAGE_MAX_CUSTOM      5120  /* bytes */
#define MESSAGE_MAX_EXTRA       65536 /* bytes of attachments and custom data */
#define MESSAGE_MAX_MENTIONS    25
#define MESSAGE_MAX_ID          255

struct message {
	int64_t key;
	int64_t channel; /* number */
	struct str id;   /* on the wire */
	struct str text;
	int64_t author;         /* uid */
	int64_t campaign;       /* no, or 0 */
	struct str type;        /* "regular" … */
	struct str attachments; /* JSON array; p == NULL: none */
	/* JSON object, for campaign messages with campaign_id and created_by_campaign_id
	 * (api.md §3.3); p == NULL: none. */
	struct str custom;
	struct str parent_id, poll_id; /* p == NULL: none */
	bool silent;
	bool skip_push;     /* of a campaign's message its campaign says it */
	int64_t *mentioned; /* uids */
	size_t nmentioned;
	int64_t created_at, updated_at;
	int64_t deleted_at; /* NO_TIME: alive */
};

/* ---- reading ------------------------------------------------------------------------ */

/* By wire id, deleted ones too: look at deleted_at.  Fails: STORE. */
bool message_find(struct db *, struct arena *, const struct app *, struct str id,
	struct message *out, bool *found, struct err *e) MUST_USE;
/* Many by their keys, deleted ones too: out[i] belongs to keys[i], key 0 where there is none.
 * Fails: STORE, TOO_LARGE. */
bool message_by_keys(struct db *, struct arena *, const struct app *, const int64_t *keys,
	size_t n, struct message *out, struct err *e) MUST_USE;
/* Fails: NOT_FOUND ("message with id x doesn't exist", as a deleted one), STORE. */
bool message_get(struct db *, struct arena *, const struct app *, struct str id,
	struct message *out, struct err *e) MUST_USE;

/* Which messages of a channel: the newest, or those before, after or around a place. */
struct message_page {
	size_t limit;
	enum { PAGE_NEWEST, PAGE_BEFORE, PAGE_AFTER, PAGE_AROUND } side;
	struct str id;  /* the place is that of a message, else (p == NULL) a time */
	int64_t at;     /* that time */
	bool inclusive; /* before, after: what stands at the place is there too */
	int64_t floor;  /* messages up to this time are not there; 0 or NO_TIME: no limit */
};
/* In the order oldest → newest, deleted ones included but blank.  An unknown place gives none.
 * Fails: STORE, TOO_LARGE. */
bool message_list(struct db *, struct arena *, const struct app *, int64_t channel,
	const struct message_page *, struct message **out, size_t *n, struct err *e) MUST_USE;

/* Where a message stands. */
struct message_ref {
	int64_t key, created_at;
	size_t channel; /* index of it */
};
/* Messages of many channels that came after since[i] and were not deleted, in no order.  More
 * than
 * ${max}: *n is ${max} + 1 and which they are says nothing.  Fails: STORE. */
bool message_since(struct db *, struct arena *, const int64_t *channels, const int64_t *since,
	size_t nchannels, size_t max, struct message_ref **out, size_t *n,
	struct err *e) MUST_USE;

/* Takes away what a deleted message said. */
void message_blank(struct message *);

/* The wire id of a message key; ${stored} is messages.id (p == NULL: derived). */
struct str message_wire_id(struct arena *, const struct app *, int64_t key, struct str stored);

/* ---- sending ------------------------------------------------------------------------ */

struct message_draft {
	struct str id; /* p == NULL: the server makes one */
	struct str text;
	int64_t author;
	struct str type;        /* p == NULL: "regular" */
	struct str attachments; /* JSON array, or p == NULL */
	struct str custom;      /* JSON object, or p == NULL */
	struct str parent_id, poll_id;
	bool own_polls_only; /* the poll must be one that the author created */
	bool silent, skip_push;
	int64_t cooldown; /* seconds since the author's last message there; 0: whenever */
	bool keep_hidden; /* does not un-hide the channel for its members */
	const int64_t *mentioned;
	size_t nmentioned;
};

/* Whether a message could be sent, as far as that can be told before: when something else is
 * done first.  Fails: as message_send(). */
bool message_check(struct db *, struct arena *, const struct app *, const struct channel *,
	const struct message_draft *, struct err *e) MUST_USE;
/* Sends in a transaction of its own and un-hides the channel for the other members.
 * Fails: INPUT (id taken or of the server's form, sizes), TOO_LONG, NOT_FOUND and DENIED (the
 * poll), COOL_DOWN, STORE. */
bool message_send(struct db *, struct arena *, const struct app *, const struct channel *,
	const struct message_draft *, struct message *out, struct err *e) MUST_USE;

/* ---- changing ----------------------------------------------------------------------- */

struct patch;

/* What changes of a message; the rest stays. */
struct message_edit {
	bool has_text, has_attachments, has_mentioned, has_custom;
	struct str text;
	struct str attachments; /* JSON array, or p == NULL: none */
	struct str custom;      /* JSON object, or p == NULL: none */
	const int64_t *mentioned;
	size_t nmentioned;
	const struct patch *patch; /* of custom data; NULL: none */
};

/* Changes a message of the channel.  Fails: NOT_FOUND, INPUT, TOO_LONG, STORE. */
bool message_update(struct db *, struct arena *, const struct app *, const struct channel *,
	struct str id, const struct message_edit *, struct message *out,
	struct err *e) MUST_USE;

/* Deletes a message: soft ones stay in their channel, blank; hard ones are forgotten.  Fails:
 * STORE. */
bool message_delete(
	struct db *, struct arena *, const struct message *, bool hard, struct err *e) MUST_USE;
