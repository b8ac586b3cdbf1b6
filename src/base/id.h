/* id – identifiers that the server makes, and the rules for those of clients. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct arena;

#define ID_UUID_LEN 36

/* A random UUID (version 4), lower case. */
void id_uuid4(char out[ID_UUID_LEN]);

/* A UUID (version 8) that follows from a text: the same whenever it is made. */
void id_from_text(struct str text, char out[ID_UUID_LEN]);

/* The wire form of a message key: a UUID of version 8 that carries ${tag} (the store's own
 * 58 random bits) and the key.  A pure function, so ids survive restarts; it can be
 * computed, so access is decided by permission and never by secrecy of an id. */
void id_from_key(uint64_t tag, int64_t key, char out[ID_UUID_LEN]);
/* False unless ${s} has exactly that form and carries ${tag}. */
bool id_to_key(uint64_t tag, struct str s, int64_t *key);

/* A UUID of version 8 filled from the beginning of a digest: the same for the same text, and
 * for no other. */
void id_from_digest(const uint8_t digest[16], char out[ID_UUID_LEN]);

/* User ids: 1..255 of [A-Za-z0-9@_-] (api.md §6.1). */
bool id_user_valid(struct str s);
/* Channel ids: 1..64 of [A-Za-z0-9_-], with an optional leading '!' (api.md §6.2). */
bool id_channel_valid(struct str s);
/* Channel types: 1..64 of [A-Za-z0-9_-]. */
bool id_type_valid(struct str s);
