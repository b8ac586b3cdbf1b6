/* hook_wire – events as webhooks say them (api.md §9.4, §9.5).
 *
 * Loading is that of api/event_wire.h; here is which type an event has for webhooks, and what
 * stands in its envelope: besides the event's own things the first HOOK_MEMBERS members of the
 * channel, what users have not read, and who asked for what happened. */
#pragma once
#include "base/macros.h"
#include "domain/event.h"

struct chat_people;
struct err;
struct event_things;
struct member;
struct req;

#define HOOK_MEMBERS 50

/* NULL: webhooks are not told of it. */
const char *hook_type(const struct event *);

/* One complete object where a value is due.  ${t}: with the members to be shown; ${of}: the
 * event's user as a member, NULL: he is none.  Not for events of campaigns. */
void hook_write(struct req *r, const struct event *, const struct event_things *t,
	const struct member *of, const struct chat_people *);

/* The same for events of campaigns; loads what it writes.  *found false: it is gone.  Fails:
 * STORE, TOO_LARGE. */
bool
hook_write_campaign(struct req *r, const struct event *, bool *found, struct err *e) MUST_USE;
