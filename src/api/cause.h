/* cause – who asked for what a request does: the request_info of webhooks (api.md §9.5).
 *
 * It is written once, with the events of the request's transactions (db_set_cause), and only
 * where the app has hooks that may tell it. */
#pragma once

#include "base/str.h"

struct req;

/* Who asks, a JSON object in the request's arena: {"type":"client","ip":…}. */
struct str cause_text(struct req *r);

/* Sets what the writes of the request are done for.  Once the caller is known. */
void cause_set(struct req *r);
/* Behind the request: its connection goes to another. */
void cause_clear(struct req *r);
