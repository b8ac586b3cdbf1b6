/* pack – sorted integer keys and outcome bytes as small blobs.
 *
 * Keys: strictly increasing int64 >= 0.  Two encodings, the smaller is taken: gaps as
 * varints (1 byte a key when ids are near), or runs of consecutive keys (a few bytes for
 * a dense batch).  Outcomes: one byte a recipient, run-length coded.
 *
 * To change a format: give it a new first byte, keep reading the old one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Appends the packed form of ${keys}[0..n). */
void pack_keys(struct buf *out, const int64_t *keys, size_t n);
/* Unpacks exactly ${n} keys; false when the blob is not that (corrupt). */
bool pack_keys_read(struct str blob, int64_t *keys, size_t n);

void pack_bytes(struct buf *out, const uint8_t *bytes, size_t n);
bool pack_bytes_read(struct str blob, uint8_t *bytes, size_t n);
