/* import – streams users into a running server, with a progress bar. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/log.h"
#include "main/chunk.h"
#include "main/command.h"
#include "main/progress.h"
#include "main/remote.h"
#include "main/text.h"
#include "net/client.h"

#define CHUNK_MAX    ((size_t)4 << 20)
#define IN_FLIGHT    2
#define LISTED_MAX   10 /* failed lines shown */
#define ATTEMPTS_MAX 10
#define RETRY_MS     100 /* doubled with each attempt … */
#define RETRY_MAX_MS 5000
#define TICK_MS      100

enum upload_state { UPLOAD_FREE, UPLOAD_FLYING, UPLOAD_WAITING };

/* A chunk on its way.  The same lines may arrive twice; an import does not mind. */
struct upload {
	enum upload_state state;
	char *body; /* on the heap, CHUNK_MAX */
	struct chunk chunk;
	struct client_call call;
	unsigned attempts;
	int64_t retry_us; /* WAITING: when to try again */
};

struct failure {
	int64_t line;
	struct str reason;
};

struct import {
	struct client *client;
	struct arena *arena; /* lives as long as the import: reasons of failures */
	struct chunk_reader reader;
	struct upload upload[IN_FLIGHT];
	struct progress progress;
	int64_t size; /* of the input in bytes; 0: not known */
	int64_t done; /* bytes answered for */
	int64_t imported, failed;
	struct failure listed[LISTED_MAX];
	size_t nlisted;
	bool is_over; /* the input was read to its end */
	bool told_retry;
};

static void
list_failure(struct import *im, int64_t line, struct str reason)
{
	if (im->nlisted < LISTED_MAX)
		im->listed[im->nlisted++] =
			(struct failure){.line = line, .reason = arena_dup(im->arena, reason)};
}

static void
begin(struct import *im, struct upload *u)
{
	u->state = UPLOAD_FLYING;
	u->call.method = "POST";
	u->call.path = STR("/users/import");
	u->call.body = (struct str){u->body, u->chunk.n};
	u->call.is_ndjson = true;
	client_begin(im->client, &u->call);
}

static bool
is_blank(const struct chunk *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (!strchr(" \t\r\n", c->p[i]) || c->p[i] == '\0')
			return false;
	return true;
}

/* Reads once from the input, if it has something; starts ${u} when a chunk is complete. */
static bool
feed(struct import *im, struct upload *u, struct err *e)
{
	struct pollfd p = {.fd = im->reader.fd, .events = POLLIN};
	struct chunk chunk;

	if (poll(&p, 1, 0) <= 0)
		return true;
	switch (chunk_next(&im->reader, &chunk)) {
	case CHUNK_READY:
		if (is_blank(&chunk)) { /* the server would ask where the users are */
			im->done += (int64_t)chunk.n;
			return true;
		}
		memcpy(u->body, chunk.p, chunk.n);
		u->chunk = chunk;
		u->attempts = 0;
		begin(im, u);
		return true;
	case CHUNK_MORE:
		return true;
	case CHUNK_LONG:
		im->failed++;
		list_failure(im, chunk.first_line, STR("longer than 1 MiB"));
		return true;
	case CHUNK_OVER:
		im->is_over = true;
		return true;
	case CHUNK_FAILED:
		break;
	}
	return fail(e, ERR_INPUT, "the input cannot be read: %s", strerror(errno));
}

/* Adds an answer {"imported", "failed_count", "failed": [{"line", "reason"}]}. */
static bool
count_answer(struct import *im, const struct upload *u, const json_t *root, struct err *e)
{
	int64_t imported, failed, line;
	json_t *list = NULL, *item;
	struct str reason;
	size_t i;

	if (!jr_int(root, "imported", REQUIRED, 0, INT64_MAX, &imported, e) ||
		!jr_int(root, "failed_count", REQUIRED, 0, INT64_MAX, &failed, e) ||
		!jr_arr(root, "failed", OPTIONAL, SIZE_MAX, &list, e))
		return false;
	im->imported += imported;
	im->failed += failed;
	im->done += (int64_t)u->chunk.n;
	json_array_foreach(list, i, item)
	{
		if (!jr_int(item, "line", REQUIRED, 1, INT64_MAX, &line, e) ||
			!jr_str(item, "reason", REQUIRED, &reason, e))
			return false;
		list_failure(im, u->chunk.first_line + line - 1, reason);
	}
	return true;
}

static void
plan_retry(struct import *im, struct upload *u, const struct err *e)
{
	int64_t wait_ms = MIN_OF((int64_t)RETRY_MS << u->attempts, (int64_t)RETRY_MAX_MS);

	u->attempts++;
	u->state = UPLOAD_WAITING;
	u->retry_us = clock_mono_us() + wait_ms * 1000;
	if (!im->told_retry) {
		progress_end(&im->progress);
		fprintf(stderr, "fanfare: %s; trying again\n", e->msg);
	}
	im->told_retry = true;
}

/* Handles the end of a call. */
static bool
settle(struct import *im, struct upload *u, struct err *e)
{
	struct arena a;
	json_t *root;
	bool ok;

	arena_init(&a, 4096, SIZE_MAX);
	ok = client_read(&u->call, &a, &root, e);
	if (ok) {
		u->state = UPLOAD_FREE;
		im->told_retry = false;
		ok = count_answer(im, u, root, e);
	} else if (remote_may_return(e) && u->attempts < ATTEMPTS_MAX) {
		plan_retry(im, u, e);
		ok = true;
	}
	arena_fini(&a);
	return ok;
}

static struct upload *
upload_of(struct import *im, const struct client_call *call)
{
	for (size_t i = 0; i < IN_FLIGHT; i++)
		if (&im->upload[i].call == call)
			return &im->upload[i];
	panic("an answer to no upload");
}

/* Starts what can be started; *idle is a free upload that waits for input, or NULL, and
 * *busy the number of those on their way. */
static bool
start_uploads(struct import *im, const struct upload **idle, size_t *busy, struct err *e)
{
	int64_t now = clock_mono_us();

	*idle = NULL;
	*busy = 0;
	for (size_t i = 0; i < IN_FLIGHT; i++) {
		struct upload *u = &im->upload[i];

		if (u->state == UPLOAD_WAITING && u->retry_us <= now)
			begin(im, u);
		if (u->state == UPLOAD_FREE && !im->is_over && !feed(im, u, e))
			return false;
		if (u->state != UPLOAD_FREE)
			++*busy;
		else if (!im->is_over)
			*idle = u;
	}
	return true;
}

static bool
transfer(struct import *im, struct err *e)
{
	const struct upload *idle;
	struct client_call *call;
	size_t busy;

	for (;;) {
		if (!start_uploads(im, &idle, &busy, e))
			return false;
		if (im->is_over && busy == 0)
			return true;
		client_watch(im->client, idle ? im->reader.fd : -1);
		call = client_next(im->client, TICK_MS);
		if (call && !settle(im, upload_of(im, call), e))
			return false;
		progress_update(&im->progress, im->imported + im->failed,
			im->size > 0 ? (double)im->done / (double)im->size : -1,
			clock_mono_us());
	}
}

static int
by_line(const void *a, const void *b)
{
	const struct failure *x = a, *y = b;

	return (x->line > y->line) - (x->line < y->line);
}

static void
report(struct import *im, int64_t took_us)
{
	char number[TEXT_MAX], failed[TEXT_MAX], span[TEXT_MAX], rate[TEXT_MAX];
	double per_second = (double)im->imported * 1e6 / (double)MAX_OF(took_us, 1);

	qsort(im->listed, im->nlisted, sizeof *im->listed, by_line);
	for (size_t i = 0; i < im->nlisted; i++) {
		fprintf(stderr, "line %" PRId64 ": ", im->listed[i].line);
		text_print(stderr, im->listed[i].reason, "  ");
		fputc('\n', stderr);
	}
	if (im->failed > (int64_t)im->nlisted)
		fprintf(stderr, "… and %s more lines\n",
			text_count(im->failed - (int64_t)im->nlisted, number));
	printf("imported %s users", text_count(im->imported, number));
	if (im->failed > 0)
		printf(", %s lines failed,", text_count(im->failed, failed));
	printf(" in %s (%s/s)\n", text_span(took_us, span),
		text_count((int64_t)per_second, rate));
}

/* The whole import from an open input. */
static int
import_users(struct client *client, struct arena *a, int fd)
{
	int64_t began = clock_mono_us();
	struct import im = {.client = client, .arena = a};
	struct stat st;
	struct err e;
	bool ok;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		im.size = st.st_size;
	chunk_open(&im.reader, fd, CHUNK_MAX);
	progress_init(&im.progress, stderr, "importing", "users", began);
	for (size_t i = 0; i < IN_FLIGHT; i++)
		if (!(im.upload[i].body = malloc(CHUNK_MAX)))
			panic("no memory for a chunk");

	ok = transfer(&im, &e);

	progress_end(&im.progress);
	for (size_t i = 0; i < IN_FLIGHT; i++) {
		client_finish(client, &im.upload[i].call);
		free(im.upload[i].body);
	}
	chunk_close(&im.reader);
	report(&im, clock_mono_us() - began);
	if (!ok)
		return remote_fail(&e, "import stopped");
	return im.failed > 0 ? COMMAND_FAILED : COMMAND_OK;
}

static int
run(int argc, char **argv)
{
	struct client *client;
	struct arena a;
	struct err e;
	int fd = STDIN_FILENO;
	int status;

	if (!command_read(&command_import, &argc, argv, NULL, &e))
		return command_fail(COMMAND_USAGE, "%s", e.msg);
	if (argc != 2 || strcmp(argv[0], "users") != 0)
		return command_fail(COMMAND_USAGE, "usage: fanfare import users FILE.ndjson|-");
	arena_init(&a, 4096, SIZE_MAX);
	if (!remote_open(&client, &a, &e)) {
		status = command_fail(COMMAND_USAGE, "%s", e.msg);
		goto err0;
	}
	if (strcmp(argv[1], "-") != 0 && (fd = open(argv[1], O_RDONLY | O_CLOEXEC)) < 0) {
		status = command_fail(COMMAND_FAILED, "%s: %s", argv[1], strerror(errno));
		goto err1;
	}
	status = import_users(client, &a, fd);
	if (fd != STDIN_FILENO)
		close(fd);
err1:
	client_free(client);
err0:
	arena_fini(&a);
	return status;
}

static void
more(FILE *out)
{
	fputs("\nEach line is one user, as in the API: {\"id\": \"ann\", \"name\": \"Ann\", "
	      "…}; further\n"
	      "members are custom data.  A user that exists is replaced.  Lines go to the "
	      "server in\n"
	      "pieces, two at a time, and are tried again when it cannot be reached; so a "
	      "user\n"
	      "should have one line only.  Exits 1 when a line was refused.\n",
		out);
}

const struct command command_import = {
	.name = "import",
	.args = "users FILE.ndjson|-",
	.summary = "stream users into the running server",
	.more = more,
	.run = run,
};
