/* signals – events that pass and are kept nowhere, from one process to the clients of another.
 */
#pragma once
#include "base/str.h"

/* What store_hear() is given with the hub: another process's signal, told to who watches here.
 */
void signals_hear(void *hub, struct str text);
