/* load – parcels that were read and are being carried, stored as one row (domain/route.h). */
#pragma once
#include "domain/route.h"

#define LOAD_MAX 256 /* parcels, about */

struct load {
	int64_t no;    /* of its route's numbers */
	int64_t at;    /* when the oldest of it happened */
	int64_t tries; /* how often it was taken up, this time counted */
	size_t n;
	struct str ended; /* a byte for each parcel, not 0: it has ended; p == NULL: none has */
	struct str parcels; /* packed and deflated */
};

/* Appends the parcels, one behind the other. */
void load_pack(struct buf *out, const struct parcel *, size_t n);
/* Reads exactly ${n}, whose texts point into ${blob}; false when it is not that (corrupt). */
bool load_unpack(struct str blob, struct parcel *out, size_t n);
/* Appends the stored form of what was packed, and reads it; false when it is not that. */
void load_deflate(struct buf *out, struct str blob);
bool load_inflate(struct arena *, struct str stored, struct str *out) MUST_USE;

/* Inside the transaction that moves the route's place.  Fails: STORE. */
bool
load_put(struct db *w, int64_t route, const struct load *, size_t n, struct err *e) MUST_USE;
bool
load_delete(struct db *w, int64_t route, const int64_t *nos, size_t n, struct err *e) MUST_USE;
/* Notes which of its parcels have ended, before its courier goes.  Fails: STORE. */
bool
load_mark(struct db *w, int64_t route, int64_t no, struct str ended, struct err *e) MUST_USE;
/* What a courier before left, taken up by another; in the arena.  Inside a transaction.  Fails:
 * STORE. */
bool load_take_over(struct db *w, struct arena *, int64_t route, struct load **out, size_t *n,
	struct err *e) MUST_USE;
