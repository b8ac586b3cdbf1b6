/* poll_wire – polls, options and votes as clients read them (api.md §6.7).
 *
 * Each writes one complete object where a value is due.  In an anonymous poll no vote names
 * its user. */
#pragma once

struct chat_people;
struct poll;
struct poll_option;
struct poll_vote;
struct req;

/* Notes the users that poll_wire() names. */
void poll_wire_note(struct chat_people *, const struct poll *);
void poll_wire_note_vote(struct chat_people *, const struct poll *, const struct poll_vote *);

void poll_wire(struct req *r, const struct poll *, const struct chat_people *);
void poll_wire_option(struct req *r, const struct poll *, const struct poll_option *);
void poll_wire_vote(struct req *r, const struct poll *, const struct poll_vote *,
	const struct chat_people *);
