/* watching – what a request says of the connection that is to hear of its channels and users.
 */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct err;
struct poll;
struct req;

/* {watch, presence} with connection_id in the query or in the body. */
struct watching {
	bool watch, presence;
	struct str connection_id; /* p == NULL: none */
};

/* Fails: INPUT. */
bool
watching_read(struct req *r, const json_t *body, struct watching *out, struct err *e) MUST_USE;
/* The same for a request that shows users alone: ${obj} says presence. */
bool watching_read_presence(
	struct req *r, const json_t *obj, struct watching *out, struct err *e) MUST_USE;
/* The connection watches the channels from here on, if that is wanted: before they are read for
 * the answer, so that nothing falls between.  Fails: NO_CONNECTION. */
bool watching_begin(struct req *r, const struct watching *, int64_t viewer,
	const int64_t *channels, size_t n, struct err *e) MUST_USE;
/* The same for polls of messages that it was told of. */
bool watching_polls(struct req *r, const struct watching *, int64_t viewer,
	const struct poll *polls, size_t n, struct err *e) MUST_USE;
/* The same for users whom it is shown: it hears who of them comes and goes. */
bool watching_users(struct req *r, const struct watching *, int64_t viewer, const int64_t *uids,
	size_t n, struct err *e) MUST_USE;
/* Ends it.  Fails: NO_CONNECTION. */
bool watching_end(struct req *r, const struct watching *, int64_t viewer, int64_t channel,
	struct err *e) MUST_USE;
