/* send – creates, starts and watches a campaign. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/jr.h"
#include "base/jw.h"
#include "main/audience.h"
#include "main/command.h"
#include "main/remote.h"
#include "main/watch.h"
#include "net/client.h"

enum {
	SENDER,
	SEGMENT,
	USERS,
	FILTER,
	ALL_USERS,
	TEXT,
	CUSTOM,
	ATTACHMENTS,
	NAME,
	CREATE_CHANNELS,
	CHANNEL_TYPE,
	CHANNEL_ID,
	CHANNEL_CUSTOM,
	SHOW_CHANNELS,
	SENDER_MODE,
	SENDER_VISIBILITY,
	SKIP_PUSH,
	SKIP_WEBHOOK,
	AT,
	STOP_AT,
	NO_WAIT,
	OPTIONS
};

static const struct opt opts[OPTIONS] = {
	[SENDER] = {"sender", "ID", "the user who sends; needed"},
	[SEGMENT] = {"segment", "ID[,ID…]", "to the targets of segments"},
	[USERS] = {"users", "FILE|ID,ID…", "to these users; a file has one id per line"},
	[FILTER] = {"filter", "JSON", "to the users a filter matches: {\"country\": \"NO\"}"},
	[ALL_USERS] = {"all-users", NULL, "to everybody"},
	[TEXT] = {"text", "TEMPLATE", "the message: 'Hi {{receiver.name}}'; needed"},
	[CUSTOM] = {"custom", "JSON", "custom data of the message"},
	[ATTACHMENTS] = {"attachments", "JSON", "a list of attachments"},
	[NAME] = {"name", "TEXT", "the campaign's name"},
	[CREATE_CHANNELS] = {"create-channels", NULL, "make channels that are missing"},
	[CHANNEL_TYPE] = {"channel-type", "TYPE", "their type (messaging)"},
	[CHANNEL_ID] = {"channel-id", "TEMPLATE", "their id: '{{receiver.id}}-{{sender.id}}'"},
	[CHANNEL_CUSTOM] = {"channel-custom", "JSON", "custom data of new channels"},
	[SHOW_CHANNELS] = {"show-channels", NULL, "show hidden channels to the receivers"},
	[SENDER_MODE] = {"sender-mode", "MODE", "exclude or include the sender as a member"},
	[SENDER_VISIBILITY] = {"sender-visibility", "HOW", "hidden or archived for the sender"},
	[SKIP_PUSH] = {"skip-push", NULL, "no push"},
	[SKIP_WEBHOOK] = {"skip-webhook", NULL, "no webhooks for messages and channels"},
	[AT] = {"at", "TIME", "start then: 2027-01-01T10:00:00Z"},
	[STOP_AT] = {"stop-at", "TIME", "stop then, whatever is left"},
	[NO_WAIT] = {"no-wait", NULL, "print the campaign's id and do not watch"},
};

/* Options whose text is JSON of one kind. */
static const struct {
	int opt;
	json_type type;
	const char *kind;
} json_opts[] = {
	{CUSTOM, JSON_OBJECT, "an object"},
	{ATTACHMENTS, JSON_ARRAY, "a list"},
	{CHANNEL_CUSTOM, JSON_OBJECT, "an object"},
};

struct send {
	struct client *client;
	struct arena *arena;
	const char *value[OPTIONS];
	struct audience_opts whom;
	struct audience audience;
	struct str id; /* of the campaign, made here so that a lost answer loses nothing */
};

static bool
check_json(struct send *s, struct err *e)
{
	struct err why;
	json_t *root;

	for (size_t i = 0; i < ARRAY_LEN(json_opts); i++) {
		const char *name = opts[json_opts[i].opt].name;
		const char *text = s->value[json_opts[i].opt];

		if (!text)
			continue;
		if (!jr_parse(s->arena, str_of(text), &root, &why))
			return fail(e, ERR_INPUT, "--%s: %s", name, why.msg);
		if (!root || json_typeof(root) != json_opts[i].type)
			return fail(e, ERR_INPUT, "--%s: expected %s, got %s", name,
				json_opts[i].kind, jr_type_name(root));
	}
	return true;
}

static bool
check_time(const struct send *s, int opt, struct err *e)
{
	int64_t us;

	if (!s->value[opt] || clock_from_rfc3339(str_of(s->value[opt]), &us))
		return true;
	return fail(e, ERR_INPUT, "--%s: \"%s\" is no time such as 2027-01-01T10:00:00Z",
		opts[opt].name, s->value[opt]);
}

/* Everything about the arguments that can be known without the server. */
static bool
check(struct send *s, struct err *e)
{
	static const int needed[] = {SENDER, TEXT};

	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!s->value[needed[i]])
			return fail(e, ERR_INPUT, "--%s is needed", opts[needed[i]].name);
	s->whom = (struct audience_opts){
		.segment = s->value[SEGMENT],
		.users = s->value[USERS],
		.filter = s->value[FILTER],
		.all_users = s->value[ALL_USERS] != NULL,
	};
	return check_json(s, e) && check_time(s, AT, e) && check_time(s, STOP_AT, e) &&
	       audience_read(s->arena, &s->whom, &s->audience, e);
}

static void
put_text(struct jw *w, const struct send *s, const char *key, int opt)
{
	if (s->value[opt])
		jw_kstr(w, key, str_of(s->value[opt]));
}

static void
put_json(struct jw *w, const struct send *s, const char *key, int opt)
{
	if (s->value[opt])
		jw_kraw(w, key, str_of(s->value[opt]));
}

static void
put_flag(struct jw *w, const struct send *s, const char *key, int opt)
{
	if (s->value[opt])
		jw_kbool(w, key, true);
}

static void
put_ids(struct jw *w, const char *key, const struct str *ids, size_t n)
{
	if (n == 0)
		return;
	jw_karr(w, key);
	for (size_t i = 0; i < n; i++)
		jw_str(w, ids[i]);
	jw_end_arr(w);
}

static void
put_message(struct jw *w, const struct send *s)
{
	jw_kobj(w, "message_template");
	put_text(w, s, "text", TEXT);
	put_json(w, s, "custom", CUSTOM);
	put_json(w, s, "attachments", ATTACHMENTS);
	jw_end_obj(w);
}

static void
put_channel(struct jw *w, const struct send *s)
{
	const char *type = s->value[CHANNEL_TYPE] ? s->value[CHANNEL_TYPE] : "messaging";

	put_flag(w, s, "create_channels", CREATE_CHANNELS);
	put_flag(w, s, "show_channels", SHOW_CHANNELS);
	if (!s->value[CREATE_CHANNELS] && !s->value[CHANNEL_TYPE] && !s->value[CHANNEL_ID])
		return;
	jw_kobj(w, "channel_template");
	jw_kstr(w, "type", str_of(type));
	put_text(w, s, "id", CHANNEL_ID);
	put_json(w, s, "custom", CHANNEL_CUSTOM);
	jw_end_obj(w);
}

static struct str
campaign_body(const struct send *s)
{
	char now[CLOCK_RFC3339_LEN];
	struct buf b;
	struct jw w;

	clock_to_rfc3339(clock_now_us(), now);
	buf_init(&b, s->arena, 1024);
	jw_init(&w, &b);
	jw_obj(&w);
	jw_kstr(&w, "id", s->id);
	if (s->value[NAME])
		put_text(&w, s, "name", NAME);
	else
		jw_kstr(&w, "name",
			arena_printf(s->arena, "sent %.*s", CLOCK_RFC3339_LEN, now));
	put_text(&w, s, "sender_id", SENDER);
	put_text(&w, s, "sender_mode", SENDER_MODE);
	put_text(&w, s, "sender_visibility", SENDER_VISIBILITY);
	put_ids(&w, "segment_ids", s->audience.segment_ids, s->audience.nsegments);
	put_ids(&w, "user_ids", s->audience.user_ids, s->audience.nusers);
	put_message(&w, s);
	put_channel(&w, s);
	put_flag(&w, s, "skip_push", SKIP_PUSH);
	put_flag(&w, s, "skip_webhook", SKIP_WEBHOOK);
	jw_end_obj(&w);
	return buf_view(&b);
}

static struct str
start_body(const struct send *s)
{
	struct buf b;
	struct jw w;

	buf_init(&b, s->arena, 128);
	jw_init(&w, &b);
	jw_obj(&w);
	put_text(&w, s, "scheduled_for", AT);
	put_text(&w, s, "stop_at", STOP_AT);
	jw_end_obj(&w);
	return buf_view(&b);
}

static bool
create(struct send *s, struct err *e)
{
	struct str segment_name = arena_printf(s->arena, "audience of %.*s", STR_ARG(s->id));

	return audience_prepare(s->client, s->arena, &s->whom, segment_name, &s->audience, e) &&
	       client_json(s->client, s->arena, "POST", STR("/campaigns"), campaign_body(s),
		       NULL, e);
}

static bool
start(struct send *s, struct err *e)
{
	struct str path = arena_printf(s->arena, "/campaigns/%.*s/start", STR_ARG(s->id));

	return client_json(s->client, s->arena, "POST", path, start_body(s), NULL, e);
}

static int
send_campaign(struct send *s)
{
	char id[ID_UUID_LEN];
	struct err e;
	int signals;

	id_uuid4(id);
	s->id = arena_dup(s->arena, (struct str){id, sizeof id});
	if (!create(s, &e))
		return remote_fail(&e, "the campaign could not be created");
	/* Before the start Ctrl-C means "do not send"; after it, "do not watch". */
	if ((signals = watch_signals()) < 0)
		return command_fail(COMMAND_FAILED, "signals cannot be caught");
	if (!start(s, &e) && e.code != ERR_UNCERTAIN)
		return remote_fail(&e, "the campaign could not be started");
	if (s->value[NO_WAIT]) {
		printf("%.*s\n", STR_ARG(s->id));
		return COMMAND_OK;
	}
	return watch_campaign(s->client, s->id, signals);
}

static int
run(int argc, char **argv)
{
	struct send s = {0};
	struct arena a;
	struct err e;
	int status;

	if (!command_read(&command_send, &argc, argv, s.value, &e))
		return command_fail(COMMAND_USAGE, "%s", e.msg);
	if (argc > 0)
		return command_fail(
			COMMAND_USAGE, "send takes options only, not \"%s\"", argv[0]);
	arena_init(&a, 65536, SIZE_MAX);
	s.arena = &a;
	if (!check(&s, &e) || !remote_open(&s.client, &a, &e)) {
		status = command_fail(COMMAND_USAGE, "%s", e.msg);
	} else {
		status = send_campaign(&s);
		client_free(s.client);
	}
	arena_fini(&a);
	return status;
}

static void
more(FILE *out)
{
	fputs("\nText, custom data, channel id and channel custom data are templates over "
	      "receiver,\n"
	      "sender and channel.  More than 10,000 listed users are sent to through a "
	      "segment,\n"
	      "as are --filter and --all-users.  Ctrl-C ends the watching, not the campaign.\n"
	      "Exits 0 when the campaign completed, 1 when it was stopped or could not be "
	      "sent.\n",
		out);
}

const struct command command_send = {
	.name = "send",
	.args = "--sender ID --text TEMPLATE AUDIENCE [OPTIONS]",
	.summary = "create, start and watch a campaign",
	.opts = opts,
	.nopts = OPTIONS,
	.more = more,
	.run = run,
};
