/* push – the trade of push services: Firebase (FCM v1) and Apple (APNs), each provider a route.
 *
 * What is pushed are new messages: of each batch of a campaign those to receivers who have
 * devices, of the API those to the channel's members (docs/push.md has the rules).  A parcel is
 * one message for one device; its id follows from both, so that what is carried twice is shown
 * once. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

struct app;
struct arena;
struct db;
struct err;
struct hub;
struct message;
struct push;
struct trade;
struct user;

/* ${app} and ${hub} (NULL: nobody is ever online) are borrowed until push_free(). */
struct push *push_new(const struct app *app, struct hub *hub);
void push_free(struct push *); /* NULL is legal */
/* For one courier: all its functions are called from one thread. */
void push_trade(struct push *, struct trade *out);

/* ---- trying it out (api.md §6.9, check_push) -------------------------------------------- */

struct push_question {
	const struct user *receiver;
	const struct message *message; /* NULL: an example */
	struct str type, name;         /* providers to look at; p == NULL: all */
	/* Instead of those that are set; p == NULL: those. */
	struct str apn_template, firebase_template, firebase_data_template;
};
/* A provider as it would be used. */
struct push_answer {
	struct str type, name; /* name p == NULL: the app's own */
	struct str trouble;    /* p == NULL: none is known */
	struct str body;       /* for a device "…" */
};
/* What the receiver's devices would be sent, by each provider.  Asks no service.  Fails: STORE.
 */
bool push_preview(struct db *, struct arena *, const struct push_question *,
	struct push_answer **out, size_t *n, struct err *e) MUST_USE;
