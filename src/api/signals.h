/* signals – events that pass and are kept nowhere, from one process to the clients of another.
 */
#pragma once
#include "base/str.h"

/* What store_hear() is given with the struct ctx: another process's signal, told to who watches
 * here, or its word of who is there (api/presence.h). */
void signals_hear(void *ctx, struct str text);
