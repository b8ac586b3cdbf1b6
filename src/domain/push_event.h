/* push_event – which events push providers push, and by what template (api.md §6.9): a row for
 * a provider, or for all of its type that have none. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct db;
struct err;

#define PUSH_EVENTS_MAX 500 /* rows: providers × events */

struct push_event {
	struct str provider_type;
	struct str provider_name; /* n == 0: all of the type */
	struct str event_type;    /* "message.new" … */
	bool enabled;
	struct str template; /* p == NULL: the default payload */
	int64_t created_at, updated_at;
};

/* Creates or changes the row that ${body} of a request names; what it does not say stays, and
 * is at first: enabled for new messages, no template.  Fails: INPUT (a field; a template that
 * does not compile, or gives no JSON object), STORE. */
bool push_event_put(struct db *, struct arena *, const json_t *body, struct push_event *out,
	struct err *) MUST_USE;
/* By type, name and event.  Fails: STORE. */
bool push_event_list(
	struct db *, struct arena *, struct push_event **out, size_t *n, struct err *) MUST_USE;
/* The row that counts for a provider (name p == NULL: the one without a name); NULL: none. */
const struct push_event *push_event_for(const struct push_event *, size_t n, struct str type,
	struct str name, struct str event_type);

/* A template that compiles and gives a JSON object for a message of which everything is known.
 * Fails: INPUT naming ${field}. */
bool push_event_check_template(
	struct arena *, struct str text, const char *field, struct err *) MUST_USE;
