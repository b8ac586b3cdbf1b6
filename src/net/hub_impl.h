/* hub_impl – what the files of hub share with each other and with nobody else. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/intmap.h"
#include "base/thread.h"
#include "net/hub.h"
#include "net/loop.h"

struct person;
struct watch;
struct ws;

/* ---- the list: who is here and watches what ----------------------------------------- */

/* Every function of it wants the hub's lock held. */
struct hub_list {
	struct intmap people;       /* uid → struct person */
	struct intmap rooms;        /* channel → struct room */
	struct hub_conn *strangers; /* of uid 0 */
	int64_t nwatches;           /* of channels and polls */
	int64_t nuser_watches;
	struct intmap moved; /* uids: who came or went, for hub_moves() */
	bool notes_all;
	atomic_llong nconns; /* may be read without the lock */
};

/* One user's connections. */
struct person {
	int64_t uid;
	struct hub_conn *first;
	unsigned n;
};

/* One channel's, poll's or user's watches. */
struct room {
	int64_t channel;
	struct watch *first;
	int64_t n;
};

struct watch {
	struct hub_conn *conn;
	struct room *room;
	struct watch *prev, *next;   /* of the room */
	struct watch *older, *newer; /* of its line */
};

/* What one connection watches of a kind, in the order in which it began. */
struct watch_line {
	struct watch *oldest, *newest;
	size_t n;
};

void list_fini(struct hub_list *);
/* True when hub_moves() has something since. */
bool list_add(struct hub_list *, struct hub_conn *) MUST_USE;
/* With all that it watches; no effect when it is not in the list.  The same. */
bool list_remove(struct hub_list *, struct hub_conn *) MUST_USE;
/* NULL: no such connection of that user. */
struct hub_conn *list_find(struct hub_list *, int64_t uid, struct str id);
struct hub_conn *list_of_user(struct hub_list *, int64_t uid);
void list_watch(struct hub_list *, struct hub_conn *, int64_t channel);
void list_unwatch(struct hub_list *, struct hub_conn *, int64_t channel);
void list_unwatch_all(struct hub_list *, int64_t channel);

/* ---- connections -------------------------------------------------------------------- */

enum conn_state {
	CONN_SEATED, /* its socket is still to come */
	CONN_OPEN,
	CONN_ENDING, /* our close frame is the last in its queue */
	CONN_GONE,   /* the socket is closed */
};

/* What waits for a socket, in a ring. */
struct conn_queue {
	struct payload **ring;
	size_t cap; /* 0 or a power of two */
	size_t first, n;
	size_t bytes; /* of all of them that are not sent */
	size_t sent;  /* bytes of the first one */
};

struct hub_conn {
	struct hub *hub;
	char id[HUB_ID_LEN];
	int64_t uid;
	int64_t issued_s;      /* of its token; NO_TIME: nobody knows */
	int64_t expires_us;    /* wall clock; NO_TIME: never */
	atomic_llong heard_ms; /* monotonic: when a whole frame came last */
	atomic_bool is_open;   /* its socket has come */

	/* Under the hub's lock. */
	bool is_listed;
	struct person *person;        /* NULL: of nobody */
	struct hub_conn *prev, *next; /* of the person */
	struct intmap watches;        /* channel → struct watch */
	struct watch_line channels, users;

	/* The hub's thread alone. */
	enum conn_state state;
	int fd; /* −1: none */
	struct ws *ws;
	struct conn_queue queue;
	struct loop_timer timer;
	struct hub_conn *all_prev, *all_next; /* of those with a socket */
	struct hub_conn *work_next;           /* of those to be flushed */
	bool has_work, wants_write;
	bool is_pinged;       /* wants a keep-alive back */
	bool is_agreed;       /* both have said goodbye: the socket closes when all is sent */
	bool is_broken;       /* what it sends is not to be understood */
	bool is_lost;         /* its socket failed */
	uint16_t doom;        /* close code it is to end with; 0: none */
	int64_t alive_ms;     /* when the last keep-alive was put */
	int64_t close_by_ms;  /* CONN_ENDING: when the socket is closed at last */
	int64_t allowance;    /* frames that it may still send */
	int64_t allowance_ms; /* when that was reckoned */
};

struct hub_conn *conn_new(struct hub *, int64_t uid, int64_t issued_s, int64_t expires_us);
/* Out of the list, without a socket. */
void conn_free(struct hub_conn *);
/* The socket has come; the first frame goes in front of what waits. */
void conn_open(struct hub_conn *, int fd, struct str early, struct payload *first);
/* The same for one that ends at once, behind ${frame}. */
void conn_refuse(struct hub_conn *, int fd, struct payload *frame, uint16_t code);
/* Puts a payload (borrowed) behind what waits; it is sent by conn_work().  The lock may be
 * held: for whom too much waits is only marked. */
void conn_push(struct hub_conn *, struct payload *);
/* Marks it: it ends with this code when conn_work() comes to it. */
void conn_doom(struct hub_conn *, uint16_t code);
/* Says goodbye behind what waits, or (${at_once}) instead of it. */
void conn_end(struct hub_conn *, uint16_t code, struct str why, bool at_once);
/* The socket is closed; the memory goes at the end of the turn. */
void conn_hang_up(struct hub_conn *);
void conn_read(struct hub_conn *);
/* conn_work() is to look at it, this turn. */
void conn_want_work(struct hub_conn *);
/* Sends what can be sent, ends what is marked; the caller took it off the list of work. */
void conn_work(struct hub_conn *);
void conn_on_timer(struct hub_conn *);

/* ---- the hub ------------------------------------------------------------------------ */

/* What list_add() or list_remove() said, once the lock is given back. */
void hub_moved(struct hub *, bool moved);

#define HUB_PIECE (16 * 1024) /* bytes read from a socket at once */

struct mail;

struct hub {
	struct hub_opts opts;
	struct thread thread;
	struct loop loop;

	pthread_mutex_t lock; /* of the list */
	struct hub_list list;

	/* The mailbox, under a lock of its own; neither is taken with the other held. */
	pthread_mutex_t box_lock;
	pthread_cond_t has_room;
	struct mail *box;
	size_t nbox, box_cap;
	bool is_closed;        /* nobody reads it any more */
	atomic_bool is_ending; /* no seats, no posts */
	atomic_int drain_ms;

	/* The hub's thread alone. */
	struct hub_conn *all; /* with a socket */
	size_t nall;
	struct hub_conn *work;  /* to be flushed */
	struct hub_conn *grave; /* to be freed at the end of the turn */
	struct buf scratch;     /* texts and frames of ours */
	char piece[HUB_PIECE];
	int64_t now_ms; /* monotonic, of this turn */

	struct {
		atomic_llong seats; /* given, whose socket is not closed yet */
		atomic_llong posts, frames, bytes_sent;
		atomic_llong ended_slow, ended_silent, ended_expired, ended_policy, refused;
	} count;
};

static inline void
count_one(atomic_llong *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}
