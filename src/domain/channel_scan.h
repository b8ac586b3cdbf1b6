/* channel_scan – all channels that a filter lets through, and all that somebody is in, however
 * many there are: for audiences.  Pages for clients are in channel_query.c. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct arena;
struct channel;
struct channel_set;
struct db;
struct err;

typedef bool (*channel_visit_fn)(void *arg, const struct channel *, struct err *e);

/* Calls visit for each living channel that the filter lets through, once each, at the moment of
 * the call; nobody looks, so all that depends on a viewer (hidden, joined, unread) is false.
 * The channel is borrowed for the call.  Memory is that of a slice.  Fails: INPUT, STORE, what
 * visit fails with. */
bool channel_scan(struct db *, const json_t *filter, channel_visit_fn visit, void *arg,
	struct err *e) MUST_USE;
/* The same for one channel: whether it lives and is let through. */
bool channel_scan_one(struct db *, const json_t *filter, const struct channel *, bool *out,
	struct err *e) MUST_USE;
/* Adds the living channels that the user is a member of, by a row or because of the campaign
 * that made them.  Fails: STORE. */
bool
channel_scan_member(struct db *, int64_t uid, struct channel_set *out, struct err *e) MUST_USE;
