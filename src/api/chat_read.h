/* chat_read – what requests say of channels, members and messages, and whether they may. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct channel;
struct err;
struct member;
struct member_spec;
struct message;
struct patch;
struct req;

/* The uid of the acting user (req_acting_user), 0 when there is none.  Fails: NOT_FOUND (no
 * such user), INPUT, STORE. */
bool chat_viewer(struct req *r, const json_t *body, int64_t *uid, struct err *e) MUST_USE;
/* A user token only reaches channels its user is in or made, unless the app checks no
 * permissions.  Fails: DENIED, STORE. */
bool chat_check_access(
	struct req *r, const struct channel *, int64_t viewer, struct err *e) MUST_USE;
/* Whether a member speaks for the channel: its creator, or a moderator. */
bool chat_is_moderator(const struct member *, const struct channel *);
/* A user token changes channels only where its user is one, unless the app checks no
 * permissions.  Fails: DENIED, STORE. */
bool chat_check_moderator(
	struct req *r, const struct channel *, int64_t viewer, struct err *e) MUST_USE;
/* The message of a path and its channel, when ${viewer} may see it; deleted ones too.  Fails:
 * NOT_FOUND, DENIED, STORE. */
bool chat_find_message(struct req *r, struct str id, int64_t viewer, struct message *m,
	struct channel *c, struct err *e) MUST_USE;
/* The custom data of an object in a request: "custom" (v2), or every key that is not in
 * ${reserved} (v1); p == NULL when there is none.  At most ${max} bytes.  Fails: INPUT. */
bool chat_read_custom(struct req *r, const json_t *obj, const char *const *reserved, size_t n,
	size_t max, struct str *out, struct err *e) MUST_USE;

/* The same of the data of a channel. */
bool chat_read_channel_custom(
	struct req *r, const json_t *data, struct str *out, struct err *e) MUST_USE;
/* {set, unset}.  Fails: INPUT. */
bool
chat_read_patch(struct req *r, const json_t *body, struct patch *out, struct err *e) MUST_USE;

/* Members as a request lists them, at most CHANNEL_MAX_MEMBERS. */
struct chat_members {
	struct str *ids;
	struct member_spec *specs; /* uid is set by chat_resolve_members() */
	size_t n;
};
/* Reads obj[key]: ids, {user_id, channel_role, custom} or {user: {id}}.  Fails: INPUT. */
bool chat_read_members(struct req *r, const json_t *obj, const char *key,
	struct chat_members *out, struct err *e) MUST_USE;
/* Fills in the uids and drops who is named again; every user must exist.  ${what} names the
 * list in messages.  Fails: INPUT, STORE. */
bool chat_resolve_members(
	struct req *r, const char *what, struct chat_members *, struct err *e) MUST_USE;
/* The uids of ids that must be users. */
bool chat_resolve_users(struct req *r, const char *what, const struct str *ids, size_t n,
	int64_t *uids, struct err *e) MUST_USE;
/* The channels of many cids, with a few statements for each type; out[i].no is 0 where there is
 * none, and deleted ones are found.  Fails: STORE, TOO_LARGE. */
bool chat_find_cids(struct req *r, const struct str *cids, size_t n, struct channel *out,
	struct err *e) MUST_USE;
/* channel_get() by cid.  Fails: INPUT (no cid), NOT_FOUND, STORE. */
bool chat_get_cid(struct req *r, const char *where, struct str cid, struct channel *out,
	struct err *e) MUST_USE;
