/* loop – epoll, an eventfd, and timers in the slots of a wheel. */
#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#define EVENTS_MAX 256

bool
loop_init(struct loop *l, int64_t tick_ms, struct err *e)
{
	struct epoll_event on_wake = {.events = EPOLLIN};

	*l = (struct loop){.tick_ms = tick_ms, .tick = clock_mono_us() / 1000 / tick_ms};
	for (size_t i = 0; i < LOOP_SLOTS; i++)
		l->slots[i].prev = l->slots[i].next = &l->slots[i];
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epoll >= 0 && l->wake >= 0 &&
		epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->wake, &on_wake) == 0)
		return true;
	fail(e, ERR_BUG, "event loop: %s", strerror(errno));
	loop_fini(l);
	return false;
}

void
loop_fini(struct loop *l)
{
	if (l->epoll >= 0)
		close(l->epoll);
	if (l->wake >= 0)
		close(l->wake);
}

/* ---- descriptors ------------------------------------------------------------------- */

bool
loop_add(struct loop *l, int fd, void *of)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = of};

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

void
loop_remove(struct loop *l, int fd)
{
	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void
loop_want_write(struct loop *l, int fd, void *of, bool wanted)
{
	struct epoll_event event = {
		.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = of};

	if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, fd, &event) != 0)
		panic("event loop: descriptor %d: %s", fd, strerror(errno));
}

void
loop_wake(struct loop *l)
{
	const uint64_t one = 1;

	/* It can only fail when it is full, which wakes as well. */
	if (write(l->wake, &one, sizeof(one)) < 0 && errno != EAGAIN)
		panic("event loop: %s", strerror(errno));
}

/* How long until the first slot that has a timer; < 0: there is none. */
static int64_t
until_timer_ms(const struct loop *l, int64_t now_ms)
{
	if (l->ntimers == 0)
		return -1;
	for (int64_t tick = l->tick;; tick++) {
		const struct loop_timer *slot = &l->slots[tick & (LOOP_SLOTS - 1)];

		if (slot->next != slot)
			return MAX_OF(tick * l->tick_ms - now_ms, 0);
	}
}

size_t
loop_wait(struct loop *l, struct loop_event *out, size_t max, int64_t max_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t wait_ms = until_timer_ms(l, clock_mono_us() / 1000);
	uint64_t wakes;
	size_t nout = 0;
	int n;

	if (max_ms >= 0 && (wait_ms < 0 || max_ms < wait_ms))
		wait_ms = max_ms;
	n = epoll_wait(l->epoll, events, (int)MIN_OF(max, (size_t)EVENTS_MAX),
		(int)MIN_OF(wait_ms, INT32_MAX));
	if (n < 0 && errno != EINTR)
		panic("event loop: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr == NULL) {
			(void)!read(l->wake, &wakes, sizeof(wakes));
			continue;
		}
		out[nout++] = (struct loop_event){
			.of = events[i].data.ptr,
			.readable = events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR),
			.writable = events[i].events & EPOLLOUT,
		};
	}
	return nout;
}

/* ---- timers ------------------------------------------------------------------------ */

void
loop_timer_clear(struct loop *l, struct loop_timer *t)
{
	if (t->next == NULL)
		return;
	t->prev->next = t->next;
	t->next->prev = t->prev;
	*t = (struct loop_timer){0};
	l->ntimers--;
}

void
loop_timer_set(struct loop *l, struct loop_timer *t, int64_t at_ms)
{
	int64_t tick = (at_ms + l->tick_ms - 1) / l->tick_ms;
	struct loop_timer *slot;

	/* Never in the slot at hand, which would be told for ever. */
	tick = MAX_OF(MIN_OF(tick, l->tick + LOOP_SLOTS - 1), l->tick + 1);
	slot = &l->slots[tick & (LOOP_SLOTS - 1)];
	loop_timer_clear(l, t);
	t->prev = slot->prev;
	t->next = slot;
	slot->prev->next = t;
	slot->prev = t;
	l->ntimers++;
}

struct loop_timer *
loop_due(struct loop *l, int64_t now_ms)
{
	int64_t now = now_ms / l->tick_ms;

	while (l->tick <= now) {
		struct loop_timer *slot = &l->slots[l->tick & (LOOP_SLOTS - 1)];

		if (slot->next != slot) {
			struct loop_timer *t = slot->next;

			loop_timer_clear(l, t);
			return t;
		}
		l->tick++;
	}
	return NULL;
}
