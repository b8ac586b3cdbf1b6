/* membership – who comes into a channel, who leaves it, what he is there, and what he does with
 * it for himself (hide, archive, pin).
 *
 * A derived member (domain/channel.h) has a row as soon as he does something; when he leaves,
 * the row says so. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct channel;
struct db;
struct err;
struct member;
struct member_spec;
struct patch;

struct member_role {
	int64_t uid;
	struct str role;
	bool joins; /* becomes a member when he is none, else that is an error */
};

/* Changes of one call, made in this order. */
struct membership_edit {
	const struct member_spec *add; /* who is a member already stays as he is */
	size_t nadd;
	const int64_t *remove; /* who is none does not matter */
	size_t nremove;
	const struct member_role *roles; /* of one user the last counts */
	size_t nroles;
	int64_t accept, reject; /* uid that answers an invitation; 0: nobody */
	int64_t history_hidden; /* for who is added: messages up to then; NO_TIME: see all */
};

/* Only inside db_write.  Fails: INPUT (a distinct channel gets no members; no such member or
 * invitation), STORE. */
bool membership_change(struct db *w, struct arena *, const struct channel *,
	const struct membership_edit *, struct err *e) MUST_USE;

/* Hides the channel from the lists of one member until a message comes; ${clear}: what is there
 * now is hidden for good.  Fails: INPUT (no member), STORE. */
bool membership_hide(struct db *, struct arena *, const struct channel *, int64_t uid,
	bool clear, struct err *e) MUST_USE;
bool membership_show(struct db *, struct arena *, const struct channel *, int64_t uid,
	struct err *e) MUST_USE;
/* Hides messages up to ${at} from some members.  Only inside db_write. */
bool membership_clear(struct db *w, struct arena *, const struct channel *, const int64_t *uids,
	size_t n, int64_t at, struct err *e) MUST_USE;

/* Changes one member: archived, pinned, channel_role (unless ${keeps_role}), custom data.
 * Fails: INPUT (a path or value; no member), DENIED (the role), STORE. */
bool membership_patch(struct db *, struct arena *, const struct channel *, int64_t uid,
	const struct patch *, bool keeps_role, struct member *out, struct err *e) MUST_USE;
