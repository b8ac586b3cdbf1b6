/* wire – objects of the wire that several handlers write (api.md §2.1, §6.1).
 *
 * Each writes one complete JSON object where a value is due, in the dialect of the request. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct device;
struct page_links;
struct req;
struct segment;
struct unread;
struct user;

/* UserResponse: what stands inside other objects. */
void wire_user(struct req *r, const struct user *u);
/* The same, with what another says of his being there. */
void wire_user_seen(struct req *r, const struct user *u, bool is_online);
/* Whether he is never to be shown as online. */
bool wire_user_is_invisible(const struct user *u);
/* As wire_user(), as members of the open object. */
void wire_user_members(struct req *r, const struct user *u);
/* What he has not read: members of the open object. */
void wire_unread(struct req *r, const struct unread *unread);
/* FullUserResponse: what the user endpoints answer; with his devices and what he has not read.
 */
void wire_user_full(struct req *r, const struct user *u, const struct device *devices,
	size_t ndevices, const struct unread *unread);
/* "devices" as a member of the open object. */
void wire_devices(struct req *r, const struct user *u, const struct device *devices, size_t n);

/* SegmentResponse; also the Segment inside a campaign. */
void wire_segment(struct req *r, const struct segment *s);

/* "next" and "prev" as members of the open object, each left out when there is no page. */
void wire_links(struct req *r, const struct page_links *links);
