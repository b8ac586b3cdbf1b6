/* before_send – the owner's word on a message before it is sent (api.md §9.6).
 *
 * Where the app has a before_message_send_hook_url, it is told of each message that a call is
 * about to send, and the caller waits: the answer may change the message, or refuse it.  What
 * does not come in time, or says nothing, lets the message pass.
 *
 * Who waits holds a thread, and the connections that are on it.  So at most half of them wait
 * at a time, and an endpoint that did not answer several times in a row is left alone for some
 * seconds: messages pass unasked then.  Messages of campaigns are not asked for. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

struct before_send;
struct channel;
struct err;
struct guard;
struct message;
struct message_draft;
struct req;

/* For ${threads} threads of HTTP; ${guard} is borrowed. */
struct before_send *before_send_new(const struct guard *guard, size_t threads);
void before_send_free(struct before_send *); /* NULL is legal */

/* Asks, if that is set, and changes ${draft} as it is told.  *refused true: it must not be
 * sent, and ${refusal} is what its author is shown in its place.  Fails: STORE, TOO_LARGE. */
bool before_send_ask(struct req *r, const struct channel *, struct message_draft *draft,
	bool *refused, struct message *refusal, struct err *e) MUST_USE;
