/* form – shapes of channel ids that follow from the receiver, so that no channel stores one.
 *
 * kind FORM_AFFIX:    id = prefix + receiver.id + suffix
 * kind FORM_DISTINCT: the distinct channel of the receiver and the uids in prefix ("7,9")
 *
 * A channel of form f that belongs to the user with key u has the number CHANNEL_NO(u, f).
 * Within a type no id fits two affix forms (form_for_affix refuses to make the second), so
 * an id leads to at most one number; distinct forms may meet: see form_meetings(). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct db;
struct err;

#define FORM_BITS         12
#define FORM_MAX          4095 /* form 0 stands for an explicit, stored id */
#define FORM_MAX_DISTINCT 3    /* members of a distinct channel that can be derived */

enum form_kind { FORM_AFFIX, FORM_DISTINCT };

struct form {
	int64_t form;
	struct str type;
	int kind; /* enum form_kind */
	struct str prefix, suffix;
	bool shadowed; /* explicit channels of fitting ids may exist: probe them first */
};

/* Finds the form or makes it.  *ok is false, and *out untouched, when it may not be made
 * (it could clash with another one, or there are FORM_MAX): then ids are stored per channel.
 * Only inside db_write.  Fails: STORE. */
bool form_for_affix(struct db *w, struct arena *, struct str type, struct str prefix,
	struct str suffix, struct form *out, bool *ok, struct err *e) MUST_USE;
/* The same for the distinct channels of a receiver and ${others} (any order, duplicates
 * allowed; 0, 1 or 2 different ones, else *ok is false). */
bool form_for_distinct(struct db *w, struct arena *, struct str type, const int64_t *others,
	size_t n, struct form *out, bool *ok, struct err *e) MUST_USE;

/* By number.  Fails: NOT_FOUND, STORE. */
bool form_get(
	struct db *, struct arena *, int64_t form_no, struct form *out, struct err *e) MUST_USE;

/* What an id fits. */
struct form_fit {
	int64_t form;      /* 0: nothing */
	struct str middle; /* of the id: what stands for the receiver's */
};
/* The affix forms of ${type} that ids fit; out[i] belongs to ids[i].  Fails: STORE. */
bool form_match(struct db *, struct arena *, struct str type, const struct str *ids, size_t n,
	struct form_fit *out, struct err *e) MUST_USE;

/* The others of a distinct form as they are stored; ${uids} are sorted and distinct. */
struct str form_others_text(struct arena *, const int64_t *uids, size_t n);
/* The distinct forms of ${type} by their others: out[i] is the number of others[i], or 0. */
bool form_find_distinct(struct db *, struct str type, const struct str *others, size_t n,
	int64_t *out, struct err *e) MUST_USE;
/* The uids in the prefix of a distinct form; returns how many. */
size_t form_others(const struct form *, int64_t uids[FORM_MAX_DISTINCT - 1]);

/* The receivers for whom CHANNEL_NO(uid, form) need not be the right number of a distinct
 * form: those among its others, and those whose member set is also reached by another form
 * (ann writes to bob, bob writes to ann).  Look each of them up with
 * channel_find_distinct().  *n = 0 for affix forms.  Sorted.  Fails: STORE. */
bool form_meetings(struct db *, struct arena *, const struct form *, int64_t **uids, size_t *n,
	struct err *e) MUST_USE;

/* Notes that explicit channels with ids that fit these forms exist.  Only inside db_write. */
bool form_shadow(struct db *w, const int64_t *forms, size_t n, struct err *e) MUST_USE;

/* ---- distinct ids ------------------------------------------------------------------ */

#define FORM_DISTINCT_PREFIX "!members-"

/* The id of the distinct channel of ${uids}, which are sorted and distinct.  Up to three:
 * each as 9 characters that sort like the numbers; more: a digest of them. */
struct str form_distinct_id(struct arena *, const int64_t *uids, size_t n);
/* Reads the set back; false unless ${id} is a distinct id of at most three members. */
bool form_distinct_read(struct str id, int64_t uids[FORM_MAX_DISTINCT], size_t *n);
/* Sorts and removes duplicates; returns how many are left. */
size_t form_sort_uids(int64_t *uids, size_t n);
