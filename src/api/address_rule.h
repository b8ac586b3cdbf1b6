/* address_rule – which addresses an app may name to be called (net/guard.h). */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "base/macros.h"

struct err;
struct req;

/* Looks at the texts that are URLs among the settings of an app: what else is wrong with them
 * is found by settings_change().  Fails: INPUT naming the field. */
bool address_rule_app(const struct req *r, const json_t *settings, struct err *e) MUST_USE;
/* The same for a push provider; hosts may come without a scheme. */
bool address_rule_provider(const struct req *r, const json_t *provider, struct err *e) MUST_USE;
