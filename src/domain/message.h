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

#define MESSAGE_MAX_TEXT        5000 /* code points */
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
	int64_t *mentioned; /* uids */
	size_t nmentioned;
	int64_t created_at, updated_at;
	int64_t deleted_at; /* NO_TIME: alive */
};

/* ---- reading ------------------------------------------------------------------------ */

/* By wire id.  Fails: NOT_FOUND ("message with id x doesn't exist"), STORE. */
bool message_get(struct db *, struct arena *, const struct app *, struct str id,
	struct message *out, struct err *e) MUST_USE;

/* Which messages of a channel: the newest, or those on one side of a message. */
struct message_page {
	size_t limit;
	struct str before, after; /* wire ids; p == NULL: no bound, at most one is given */
	bool inclusive;
};
/* In the order oldest → newest.  An unknown bound gives none.  Fails: STORE, TOO_LARGE. */
bool message_list(struct db *, struct arena *, const struct app *, int64_t channel,
	const struct message_page *, struct message **out, size_t *n, struct err *e) MUST_USE;

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
	bool silent;
	bool keep_hidden; /* does not un-hide the channel for its members */
	const int64_t *mentioned;
	size_t nmentioned;
};

/* Sends in a transaction of its own and un-hides the channel for the other members.
 * Fails: INPUT (id taken or of the server's form, sizes), TOO_LONG, NOT_FOUND and DENIED (the
 * poll), STORE. */
bool message_send(struct db *, struct arena *, const struct app *, const struct channel *,
	const struct message_draft *, struct message *out, struct err *e) MUST_USE;
