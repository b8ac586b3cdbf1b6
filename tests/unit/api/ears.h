/* ears – clients as the hub sees them: sockets, and what is heard on them. */
#pragma once
#include <sys/socket.h>

#include <poll.h>

#include "../unit.h"
#include "base/clock.h"
#include "base/jr.h"
#include "net/hub.h"

#define PATIENCE_MS 15000

/* One connection of a user. */
struct ear {
	int fd;
	char id[HUB_ID_LEN];
	int64_t uid;
	struct arena *arena;
};

static inline void
be_alive(void *arg UNUSED, struct str id UNUSED, struct buf *out)
{
	buf_str(out, STR("{\"type\":\"health.check\"}"));
}

static inline bool
be_deaf(void *arg UNUSED, struct str id UNUSED, int64_t uid UNUSED, struct str text UNUSED)
{
	return false;
}

static inline struct hub *
open_hub(void)
{
	struct hub_opts opts = {
		.max_connections = 1000, .keep_alive = be_alive, .on_text = be_deaf};
	struct hub *hub;
	struct err e;

	must(hub_open(&hub, &opts, &e), &e);
	return hub;
}

static inline void
read_exactly(int fd, void *to, size_t n)
{
	for (size_t at = 0; at < n;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t got;

		if (poll(&p, 1, PATIENCE_MS) != 1)
			fail_msg("nothing was heard");
		got = read(fd, (char *)to + at, n - at);
		if (got <= 0)
			fail_msg("the connection was closed");
		at += (size_t)got;
	}
}

/* The next frame, a text. */
static inline struct str
hear_text(struct ear *ear)
{
	uint8_t head[2], more[8];
	size_t n, extra;
	char *text;

	read_exactly(ear->fd, head, 2);
	assert_int_equal(head[0], 0x81);
	n = head[1];
	extra = n == 126 ? 2 : n == 127 ? 8 : 0;
	read_exactly(ear->fd, more, extra);
	if (extra > 0)
		n = 0;
	for (size_t i = 0; i < extra; i++)
		n = n << 8 | more[i];
	text = arena_alloc(ear->arena, n + 1);
	read_exactly(ear->fd, text, n);
	return (struct str){text, n};
}

static inline json_t *
hear(struct ear *ear)
{
	json_t *tree;
	struct err e;

	must(jr_parse(ear->arena, hear_text(ear), &tree, &e), &e);
	return tree;
}

static inline struct ear
connect_ear(struct hub *hub, struct arena *a, int64_t uid)
{
	struct ear ear = {.uid = uid, .arena = a};
	struct hub_conn *conn;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(hub_reserve(hub, uid, NO_TIME, NO_TIME, &conn), HUB_SEAT_TAKEN);
	memcpy(ear.id, hub_conn_id(conn).p, HUB_ID_LEN);
	hub_adopt(hub, conn, fds[0], STR_NONE, payload_new(STR("{\"type\":\"first\"}")));
	ear.fd = fds[1];
	hear_text(&ear);
	return ear;
}

static inline void
watch(struct hub *hub, const struct ear *ear, int64_t channel)
{
	assert_true(hub_watch(hub, (struct str){ear->id, HUB_ID_LEN}, ear->uid, &channel, 1));
}

/* A text by its path of keys; "" when it is not there. */
static inline const char *
at(json_t *tree, const char *path)
{
	char key[64];

	for (; tree != NULL && *path != '\0'; path += *path == '.') {
		size_t n = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		tree = json_object_get(tree, key);
		path += n;
	}
	return json_is_string(tree) ? json_string_value(tree) : "";
}

/* The next event is of this type. */
static inline json_t *
hears(struct ear *ear, const char *type)
{
	json_t *event = hear(ear);

	if (strcmp(at(event, "type"), type) != 0)
		print_error("heard %s instead of %s\n", at(event, "type"), type);
	assert_string_equal(at(event, "type"), type);
	return event;
}

/* Nothing was said to him: what is said now is the next that he hears. */
static inline void
hears_nothing(struct hub *hub, struct ear *ear)
{
	struct payload *p = payload_new(STR("{\"type\":\"nothing\"}"));

	hub_post_user(hub, ear->uid, p);
	payload_unref(p);
	hears(ear, "nothing");
}
