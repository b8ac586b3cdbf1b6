/* payload – one encoded WebSocket frame, shared by all connections that it goes to.
 *
 * Frames of a server are not masked, hence the same bytes for everybody: encoded once, counted,
 * never changed.  All functions are thread-safe. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct payload;

/* A text frame; ${text} is copied.  Shared: the caller holds one reference. */
struct payload *payload_new(struct str text);
/* Bytes that are frames already. */
struct payload *payload_of_frames(struct str frames);
/* A close frame with a code and a reason of at most 123 bytes. */
struct payload *payload_close(uint16_t code, struct str reason);

struct payload *payload_ref(struct payload *p);
void payload_unref(struct payload *p); /* NULL is legal */

/* What goes onto the wire; lives as long as the payload. */
struct str payload_bytes(const struct payload *p);
