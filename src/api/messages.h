/* messages – reading a message out of a request, for the endpoints that send one along. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "base/macros.h"
#include "domain/message.h"

struct err;
struct req;

/* Reads the message ${obj} of the request ${body} with its author, who must exist: the token's
 * user, else message.user_id or message.user.id, else the body's.  ${is_system}: it tells of
 * what was done, whoever did it.  Fails: INPUT, NOT_FOUND (the author), STORE. */
bool messages_read(struct req *r, const json_t *body, const json_t *obj, bool is_system,
	struct message_draft *out, struct err *e) MUST_USE;
/* Changes what ${obj}, a message again, says of text, type, silent, attachments and custom
 * data; whatever else stands in it is left alone.  Fails: INPUT. */
bool messages_amend(
	struct req *r, const json_t *obj, struct message_draft *draft, struct err *e) MUST_USE;
