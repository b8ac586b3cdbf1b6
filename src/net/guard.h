/* guard – which addresses a request that leaves the house may go to (I-18).
 *
 * Private, loopback, link-local, shared, metadata, multicast, documentation and reserved
 * networks are refused, in whatever clothes they come (mapped, NAT64, 6to4, Teredo); the
 * operator opens networks by name (webhook_allow).  The resolved address counts, at each
 * connect: what a URL looks like is judged as well, but only for the sake of an early word. */
#pragma once
#include <sys/socket.h>

#include <stdbool.h>

#include "base/macros.h"
#include "base/str.h"

struct err;
struct guard;

/* ${allow}: networks between commas, "127.0.0.0/8, ::1, fd00::/8"; a bare address is a network
 * of its own.  Fails: INPUT. */
bool guard_new(struct guard **out, const char *allow, struct err *e) MUST_USE;
void guard_free(struct guard *); /* NULL is legal */

/* Only IPv4 and IPv6 pass.  ${g} NULL: nothing was opened. */
bool guard_allows(const struct guard *g, const struct sockaddr *);

/* Whether ${url} may be kept as an address to send to: http or https, a host, no user and no
 * password, and when the host is an address, in any spelling, or a name that always means this
 * machine, one that is allowed.  Other names are judged when they are resolved.  ${field} is
 * named in the failure.  Fails: INPUT. */
bool guard_check_url(
	const struct guard *g, const char *field, struct str url, struct err *e) MUST_USE;
