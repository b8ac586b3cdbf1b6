/* opening – opening the store that the settings name, and telling why that takes time. */
#pragma once
#include <stdbool.h>

#include "base/macros.h"

struct config;
struct err;
struct store;

#define NO_SIGNALS (-1)

/* Waits as long as the settings say; each reason to wait is logged once.  ${signals}: a
 * signalfd that ends the waiting when it can be read; then it fails with e->code ERR_NONE.
 * Fails: as store_open_with(). */
bool open_store(
	struct store **out, const struct config *config, int signals, struct err *e) MUST_USE;
