/* hub – who is connected and listens to what; one thread that owns all WebSockets.
 *
 * It knows numbers, ids and bytes: users by uid, channels by number, frames as payloads.  What
 * they mean, and who may connect, is api/realtime's to say.
 *
 * Everything here is thread-safe.  Posts go into a mailbox and reach each connection in the
 * order in which they were posted; what is asked (hub_online, hub_watcher_count …) and who
 * watches what is answered and changed at once, under a lock that is held for a look-up only.
 *
 * Bounds (I-16): HUB_USER_MAX connections a user, HUB_WATCH_MAX channels and as many users a
 * connection watches, HUB_QUEUE_MAX bytes waiting for a connection.  Who reads too slowly for
 * that is closed (HUB_CLOSE_SLOW): a client then connects again and asks for what it missed. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"
#include "net/payload.h"

struct err;
struct hub;
struct hub_conn;

#define HUB_USER_MAX  50                   /* connections of one user */
#define HUB_WATCH_MAX 2000                 /* of a kind; one more ends the oldest watch */
#define HUB_QUEUE_MAX ((size_t)256 * 1024) /* bytes; a single larger payload may wait alone */
#define HUB_TEXT_MAX  ((size_t)16 * 1024)  /* bytes of a message from a client */
#define HUB_ID_LEN    36                   /* connection ids are UUIDs */

/* Close codes: only 1000 keeps stock clients from connecting again (api.md §7.4). */
enum hub_close {
	HUB_CLOSE_FOR_GOOD = 1000,
	HUB_CLOSE_POLICY = 1008, /* token expired, too many frames, silence */
	HUB_CLOSE_RESTART = 1012,
	HUB_CLOSE_SLOW = 1013,
};

struct hub_opts {
	size_t max_connections;
	/* Appends the text of a keep-alive for connection ${id}.  On the hub's thread. */
	void (*keep_alive)(void *arg, struct str id, struct buf *out);
	/* A client's text message: true when it wants a keep-alive back at once.  Borrowed; on
	 * the hub's thread, so it must not wait. */
	bool (*on_text)(void *arg, struct str id, int64_t uid, struct str text);
	/* hub_moves() has something, or the first user is watched.  On any thread, which must
	 * not wait; NULL: whoever wants to know looks by himself. */
	void (*on_move)(void *arg);
	void *arg;
	/* In milliseconds; 0: 30,000 and 90,000 (api.md §7.3).  Tests have less patience. */
	int64_t keep_alive_ms; /* after the last one sent, another is */
	int64_t silence_ms;    /* who says nothing for so long is gone */
};

/* ---- life -------------------------------------------------------------------------- */

/* Starts the thread.  Fails: BUG (no descriptors left). */
bool hub_open(struct hub **out, const struct hub_opts *opts, struct err *e) MUST_USE;
/* Takes nobody in any more, sends everybody HUB_CLOSE_RESTART behind what waits for them, gives
 * them ${drain_ms} to take it, hangs up, ends the thread; the second time: no effect.  Posts
 * have no effect from here on; questions are answered as if nobody were there. */
void hub_stop(struct hub *, int drain_ms);
/* After hub_stop(), and after the last thread that posts has ended. */
void hub_free(struct hub *); /* NULL is legal */

/* ---- connections ------------------------------------------------------------------- */

enum hub_seat { HUB_SEAT_TAKEN, HUB_SEAT_USER_FULL, HUB_SEAT_HUB_FULL, HUB_SEAT_STOPPED };

/* Takes a place for a connection that is about to be upgraded, before its first frame is made
 * of what the store says: whatever is posted in between waits behind that frame.  ${uid} 0: of
 * nobody (anonymous), no post to users reaches it.  ${issued_s}: when its token was made,
 * NO_TIME: nobody knows (HUB_REVOKE).  ${expires_us}: when it is closed (wall clock), NO_TIME:
 * never.  A user who has HUB_USER_MAX connections gets one more only in the place of one that
 * is silent for longer than living clients ever are.  ${*out} must go to hub_adopt() or
 * hub_release(), once. */
enum hub_seat hub_reserve(struct hub *, int64_t uid, int64_t issued_s, int64_t expires_us,
	struct hub_conn **out) MUST_USE;
/* HUB_ID_LEN characters; between hub_reserve() and hub_adopt() only. */
struct str hub_conn_id(const struct hub_conn *);
/* Hands over the socket, which is closed by the hub whatever happens.  ${early}: what the
 * client sent behind its handshake, copied.  ${first}: the first frame; a reference of the
 * caller's that becomes the hub's. */
void
hub_adopt(struct hub *, struct hub_conn *, int fd, struct str early, struct payload *first);
/* The connection never came to be. */
void hub_release(struct hub *, struct hub_conn *);
/* A socket that gets one frame and is closed with ${code}: a client that was refused.  Same
 * ownership as hub_adopt(). */
void hub_refuse(struct hub *, int fd, struct payload *frame, uint16_t code);

/* ---- posting ----------------------------------------------------------------------- */

enum hub_whom {
	HUB_WATCHERS, /* the connections that watch ${channel} */
	HUB_USER,     /* all connections of ${uid} */
	HUB_ABSENT,   /* those of ${uid} that do not watch ${channel} */
	HUB_PRESENT,  /* those of ${uid} that do */
	HUB_UNWATCH, /* payload NULL: the connections of ${uid} stop watching ${channel}; uid 0:
		      * everybody's do */
	HUB_END, /* payload NULL: the connections of ${uid} are closed, by HUB_CLOSE_POLICY */
	HUB_REVOKE, /* the same with those whose token was issued before second ${value}; uid 0:
		     * everybody's */
	HUB_FOLLOW, /* payload NULL: who watches ${channel} watches ${value} from here on */
};

struct hub_post {
	enum hub_whom whom;
	int64_t uid, channel;    /* 0 where ${whom} does not name it */
	struct payload *payload; /* borrowed: the hub takes references of its own */
	int64_t value;           /* as ${whom} says */
};

/* Puts ${n} posts at once (one lock, one wake).  No connection changes what it watches between
 * the posts of one call, so HUB_WATCHERS and HUB_ABSENT of one event reach each connection
 * once. Waits only when the hub has HUB_MAILBOX_MAX posts to deliver first. */
#define HUB_MAILBOX_MAX 65536
void hub_post(struct hub *, const struct hub_post *posts, size_t n);

void hub_post_watchers(struct hub *, int64_t channel, struct payload *);
void hub_post_user(struct hub *, int64_t uid, struct payload *);
void hub_post_absent(struct hub *, int64_t uid, int64_t channel, struct payload *);

/* What is watched besides channels, as numbers that no channel has. */
#define HUB_ROOM_OF_POLL(no)  (-(no))
#define HUB_ROOM_OF_USER(uid) (INT64_MIN + (uid)) /* whether he is there */

/* ---- watching ---------------------------------------------------------------------- */

/* Connection ${id} of ${uid} watches ${n} channels from here on: call it before reading what
 * the client is to know of them, so that no event falls between.  False when that user has no
 * such connection here. */
bool hub_watch(struct hub *, struct str id, int64_t uid, const int64_t *channels, size_t n);
bool hub_unwatch(struct hub *, struct str id, int64_t uid, const int64_t *channels, size_t n);
/* How many connections watch it, here. */
int64_t hub_watcher_count(struct hub *, int64_t channel);
/* The users who watch it, each once, at most ${max}; returns how many. */
size_t hub_watchers(struct hub *, int64_t channel, int64_t *out, size_t max);

/* ---- presence ---------------------------------------------------------------------- */

/* Which of ${uids} (sorted, each once) have a connection here: in order to ${out}, which has
 * room for ${n}; returns how many.  Costs the smaller of both numbers, and nothing (no lock)
 * when nobody is connected. */
size_t hub_online(struct hub *, const int64_t *uids, size_t n, int64_t *out);

struct hub_move {
	int64_t uid;
	bool is_here;    /* now */
	bool is_watched; /* by HUB_ROOM_OF_USER(), here */
};
/* The users whose first connection came or whose last one went since the last call, each once,
 * with how it is now: to the heap, *out is the caller's; returns how many.  Noted are those who
 * are watched, or all while hub_note_all(). */
size_t hub_moves(struct hub *, struct hub_move **out);
void hub_note_all(struct hub *, bool yes);

struct hub_counters {
	int64_t connections;  /* now, without those about to end */
	int64_t users;        /* now */
	int64_t watches;      /* now: of channels and polls */
	int64_t user_watches; /* now */
	int64_t posts;        /* since the start, the same below */
	int64_t frames;       /* put before connections */
	int64_t bytes_sent;   /* to sockets */
	int64_t ended_slow;   /* connections closed because they read too slowly */
	int64_t ended_silent; /* because nothing was heard of them */
	int64_t ended_expired;
	int64_t ended_policy; /* because of what they sent */
	int64_t refused;      /* seats that were not given */
};
void hub_counters(struct hub *, struct hub_counters *out);
