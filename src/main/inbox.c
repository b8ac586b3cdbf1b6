/* inbox – prints the latest messages in the channels of one user. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/jw.h"
#include "main/command.h"
#include "main/remote.h"
#include "main/text.h"
#include "net/client.h"

/* The most channels one query gives (api.md §6.2). */
#define CHANNELS_MAX  30
#define LIMIT_DEFAULT 10
#define LIMIT_MAX     100

enum { LIMIT, OPTIONS };

static const struct opt opts[OPTIONS] = {
	[LIMIT] = {"limit", "N", "how many messages, 1 to 100 (10)"},
};

struct line {
	struct str at; /* RFC 3339 of one width, so it sorts as text */
	struct str cid, from, text;
};

static int
newest_first(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return str_cmp(y->at, x->at);
}

static struct str
query_body(struct arena *a, struct str user, int64_t limit)
{
	struct buf b;
	struct jw w;

	buf_init(&b, a, 256);
	jw_init(&w, &b);
	jw_obj(&w);
	jw_kobj(&w, "filter_conditions");
	jw_kobj(&w, "members");
	jw_karr(&w, "$in");
	jw_str(&w, user);
	jw_end_arr(&w);
	jw_end_obj(&w);
	jw_end_obj(&w);
	jw_karr(&w, "sort");
	jw_obj(&w);
	jw_kstr(&w, "field", STR("last_message_at"));
	jw_ki64(&w, "direction", -1);
	jw_end_obj(&w);
	jw_end_arr(&w);
	jw_kbool(&w, "state", true);
	jw_ki64(&w, "limit", CHANNELS_MAX);
	jw_ki64(&w, "message_limit", limit);
	jw_kstr(&w, "user_id", user);
	jw_end_obj(&w);
	return buf_view(&b);
}

static bool
read_message(const json_t *message, struct line *out, struct err *e)
{
	json_t *user = NULL;

	*out = (struct line){.from = STR("?"), .text = STR("")};
	if (!jr_str(message, "created_at", REQUIRED, &out->at, e) ||
		!jr_str(message, "cid", OPTIONAL, &out->cid, e) ||
		!jr_str(message, "text", OPTIONAL, &out->text, e) ||
		!jr_obj(message, "user", OPTIONAL, &user, e))
		return false;
	if (!user)
		return true;
	/* People are shown by name when they have one. */
	return jr_str(user, "id", OPTIONAL, &out->from, e) &&
	       jr_str(user, "name", OPTIONAL, &out->from, e);
}

/* All messages of all channels of the answer, newest first. */
static bool
collect(struct arena *a, const json_t *root, struct line **out, size_t *n, struct err *e)
{
	json_t *channels, *messages, *channel, *message;
	size_t i, j, room = 0;

	if (!jr_arr(root, "channels", REQUIRED, SIZE_MAX, &channels, e))
		return false;
	json_array_foreach(channels, i, channel)
	{
		room += json_array_size(json_object_get(channel, "messages"));
	}
	*out = arena_array(a, room ? room : 1, sizeof **out);
	*n = 0;
	json_array_foreach(channels, i, channel)
	{
		if (!jr_arr(channel, "messages", REQUIRED, SIZE_MAX, &messages, e))
			return false;
		json_array_foreach(messages, j, message)
		{
			if (!read_message(message, &(*out)[(*n)++], e))
				return false;
		}
	}
	qsort(*out, *n, sizeof **out, newest_first);
	return true;
}

static void
print_line(const struct line *l)
{
	/* Seconds are enough for people: "2027-01-01T10:00:00". */
	printf("%.*s  ", (int)MIN_OF(l->at.n, (size_t)19), l->at.p);
	text_print(stdout, l->cid, "");
	printf("\n  ");
	text_print(stdout, l->from, "");
	printf(": ");
	text_print(stdout, l->text, "    ");
	printf("\n");
}

static bool
fetch_inbox(struct client *c, struct arena *a, struct str user, int64_t limit,
	struct line **lines, size_t *n, struct err *e)
{
	json_t *root;

	return client_json(
		       c, a, "POST", STR("/channels"), query_body(a, user, limit), &root, e) &&
	       collect(a, root, lines, n, e);
}

static int
run(int argc, char **argv)
{
	const char *value[OPTIONS] = {0};
	int64_t limit = LIMIT_DEFAULT;
	struct line *lines;
	struct client *c;
	struct arena a;
	struct err e;
	size_t n;
	int status = COMMAND_OK;

	if (!command_read(&command_inbox, &argc, argv, value, &e))
		return command_fail(COMMAND_USAGE, "%s", e.msg);
	if (argc != 1)
		return command_fail(COMMAND_USAGE, "inbox needs one user id");
	if (value[LIMIT] &&
		(!str_to_i64(str_of(value[LIMIT]), &limit) || limit < 1 || limit > LIMIT_MAX))
		return command_fail(COMMAND_USAGE, "--limit: \"%s\" is no number from 1 to %d",
			value[LIMIT], LIMIT_MAX);
	arena_init(&a, 65536, SIZE_MAX);
	if (!remote_open(&c, &a, &e)) {
		arena_fini(&a);
		return command_fail(COMMAND_USAGE, "%s", e.msg);
	}
	if (!fetch_inbox(c, &a, str_of(argv[0]), limit, &lines, &n, &e))
		status = remote_fail(&e, "inbox");
	else if (n == 0)
		puts("no messages");
	else
		for (size_t i = 0; i < MIN_OF(n, (size_t)limit); i++)
			print_line(&lines[i]);
	client_free(c);
	arena_fini(&a);
	return status;
}

const struct command command_inbox = {
	.name = "inbox",
	.args = "USER [--limit N]",
	.summary = "print the latest messages in a user's channels",
	.opts = opts,
	.nopts = OPTIONS,
	.run = run,
};
