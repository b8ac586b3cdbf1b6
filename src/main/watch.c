/* watch – follows a campaign to its end and tells what became of it. */
#include "main/watch.h"

#include <sys/signalfd.h>

#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"
#include "main/command.h"
#include "main/progress.h"
#include "main/remote.h"
#include "main/text.h"
#include "net/client.h"

#define SECOND INT64_C(1000000)

/* Short campaigns are seen to the tenth of a second, long ones cost fewer calls. */
#define POLL_SHORT_MS 100
#define POLL_LONG_MS  250
#define SHORT_US      (2 * SECOND)

/* How long a server may be away, for example while it is restarted. */
#define AWAY_MAX_US (60 * SECOND)

/* A campaign as one poll saw it; borrowed from that poll's arena. */
struct view {
	struct str status;
	bool paused;
	int64_t audience, pending, sent, channels;
	int64_t started_at, completed_at; /* NO_TIME until then */
	int64_t scheduled_for;
	json_t *skipped, *failed; /* {reason: number} or NULL */
};

int
watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Waits up to ${timeout_ms}; true when a signal has arrived. */
static bool
interrupted(int signals, int timeout_ms)
{
	struct pollfd p = {.fd = signals, .events = POLLIN};

	return poll(&p, 1, timeout_ms) > 0;
}

static bool
look(struct client *c, struct arena *a, struct str id, struct view *v, struct err *e)
{
	/* One user a page: the list of users is not looked at. */
	struct str path = arena_printf(a, "/campaigns/%.*s?limit=1", STR_ARG(id));
	json_t *root, *campaign, *stats;

	*v = (struct view){
		.started_at = NO_TIME, .completed_at = NO_TIME, .scheduled_for = NO_TIME};
	return client_json(c, a, "GET", path, STR_NONE, &root, e) &&
	       jr_obj(root, "campaign", REQUIRED, &campaign, e) &&
	       jr_str(campaign, "status", REQUIRED, &v->status, e) &&
	       jr_bool(campaign, "paused", OPTIONAL, &v->paused, e) &&
	       jr_time(campaign, "scheduled_for", OPTIONAL, &v->scheduled_for, e) &&
	       jr_obj(campaign, "stats", REQUIRED, &stats, e) &&
	       jr_int(stats, "audience", REQUIRED, 0, INT64_MAX, &v->audience, e) &&
	       jr_int(stats, "pending", REQUIRED, 0, INT64_MAX, &v->pending, e) &&
	       jr_int(stats, "stats_messages_sent", REQUIRED, 0, INT64_MAX, &v->sent, e) &&
	       jr_int(stats, "stats_channels_created", REQUIRED, 0, INT64_MAX, &v->channels,
		       e) &&
	       jr_time(stats, "stats_started_at", OPTIONAL, &v->started_at, e) &&
	       jr_time(stats, "stats_completed_at", OPTIONAL, &v->completed_at, e) &&
	       jr_obj(stats, "skipped", OPTIONAL, &v->skipped, e) &&
	       jr_obj(stats, "failed", OPTIONAL, &v->failed, e);
}

static int64_t
sum_of(json_t *reasons)
{
	int64_t sum = 0;
	const char *key;
	json_t *n;

	json_object_foreach(reasons, key, n)
	{
		sum += json_integer_value(n);
	}
	return sum;
}

static void
print_row(const char *what, int64_t n, const char *note)
{
	char number[TEXT_MAX];

	printf("  %-9s %12s%s%s\n", what, text_count(n, number), *note ? "  " : "", note);
}

/* A number and, if it is not 0, its parts by reason. */
static void
print_reasons(const char *what, json_t *reasons)
{
	char number[TEXT_MAX];
	const char *separator = "  ";
	const char *key;
	json_t *n;

	printf("  %-9s %12s", what, text_count(sum_of(reasons), number));
	json_object_foreach(reasons, key, n)
	{
		printf("%s%s %s", separator, key, text_count(json_integer_value(n), number));
		separator = ", ";
	}
	putchar('\n');
}

static void
print_outcome(struct str id, const struct view *v)
{
	int64_t took = v->completed_at - v->started_at;
	char span[TEXT_MAX], rate[TEXT_MAX];

	printf("campaign %.*s %.*s\n", STR_ARG(id), STR_ARG(v->status));
	print_row("audience", v->audience, "");
	print_row("sent", v->sent, "");
	print_reasons("skipped", v->skipped);
	print_reasons("failed", v->failed);
	if (v->pending > 0)
		print_row("not sent", v->pending, "stopped before their turn");
	print_row("channels", v->channels, "created");
	if (v->started_at == NO_TIME || v->completed_at == NO_TIME)
		return;
	printf("  %-9s %12s  %s messages/s\n", "took", text_span(took, span),
		text_count(
			(int64_t)((double)v->sent * SECOND / (double)MAX_OF(took, 1)), rate));
}

static int
say_interrupted(struct progress *p, struct str id)
{
	struct str url = remote_url();

	progress_end(p);
	fprintf(stderr,
		"The campaign goes on without this command.  To stop it:\n"
		"  curl -X POST -H \"Authorization: $(fanfare token)\" \\\n"
		"    \"%.*s/campaigns/%.*s/stop?api_key=$FANFARE_API_KEY\"\n",
		STR_ARG(url), STR_ARG(id));
	return COMMAND_INTERRUPTED;
}

/* A plain line, once, about a state in which nothing moves. */
static void
tell_state(struct progress *p, const struct view *v, bool *told)
{
	char at[CLOCK_RFC3339_LEN];

	if (*told)
		return;
	*told = true;
	progress_end(p);
	if (v->paused) {
		fprintf(stderr, "the campaign is paused\n");
		return;
	}
	clock_to_rfc3339(v->scheduled_for, at);
	fprintf(stderr, "the campaign is scheduled for %.*s\n", CLOCK_RFC3339_LEN, at);
}

/* Shows one poll; true when the campaign has ended. */
static bool
show(struct progress *p, const struct view *v, bool *told, int64_t now_us)
{
	int64_t handled = v->audience - v->pending;

	/* A draft here: the start was never answered, and did not arrive either. */
	if (str_is(v->status, "completed") || str_is(v->status, "stopped") ||
		str_is(v->status, "draft"))
		return true;
	if (v->paused || (str_is(v->status, "scheduled") && v->scheduled_for != NO_TIME)) {
		tell_state(p, v, told);
		return false;
	}
	*told = false;
	progress_update(p, handled,
		v->audience > 0 ? (double)handled / (double)v->audience : -1, now_us);
	return false;
}

static int
finish(struct progress *p, struct str id, const struct view *v)
{
	progress_end(p);
	print_outcome(id, v);
	return str_is(v->status, "completed") ? COMMAND_OK : COMMAND_FAILED;
}

int
watch_campaign(struct client *c, struct str id, int signals)
{
	int64_t began = clock_mono_us(), seen = began, now;
	bool told = false, away = false;
	struct progress p;
	struct arena a;
	struct view v;
	struct err e;
	int status;

	progress_init(&p, stderr, "sending", "handled", began);
	arena_init(&a, 16384, SIZE_MAX);
	client_watch(c, signals);
	do {
		arena_reset(&a);
		if (look(c, &a, id, &v, &e)) {
			seen = now = clock_mono_us();
			away = false;
			if (show(&p, &v, &told, now)) {
				status = finish(&p, id, &v);
				goto out;
			}
			continue;
		}
		now = clock_mono_us();
		if (interrupted(signals, 0))
			break;
		if (!remote_may_return(&e) || now - seen > AWAY_MAX_US) {
			progress_end(&p);
			status = remote_fail(&e, "the campaign cannot be watched any more");
			goto out;
		}
		if (!away) {
			progress_end(&p);
			fprintf(stderr, "fanfare: %s; waiting for the server\n", e.msg);
		}
		away = true;
	} while (!interrupted(signals, now - began < SHORT_US ? POLL_SHORT_MS : POLL_LONG_MS));
	status = say_interrupted(&p, id);
out:
	client_watch(c, -1);
	arena_fini(&a);
	return status;
}
