/* test_hook_pack – what webhooks are told of: which events, of what, with which ids (api.md
 * §9.4, §9.5; I-15). */
#include "../engine/house.h"
#include "api/hook_pack.h"
#include "api/req.h"
#include "base/jr.h"
#include "domain/app.h"
#include "domain/event.h"
#include "domain/membership.h"
#include "domain/message.h"
#include "domain/settings.h"

#define HOOK     "11111111-1111-4111-8111-111111111111"
#define MAX_TOLD 400

static const struct app app = {.id_tag = 0x123456789abcdef};

struct office {
	struct house *h;
	struct ctx ctx;
	struct config config;
	struct hook_pack *pack;
	struct place place;
	/* What was packed since the last step. */
	struct parcel told[MAX_TOLD];
	json_t *bodies[MAX_TOLD];
	size_t n;
	int64_t missed;
};

static int
office_setup(void **state)
{
	struct office *o = calloc(1, sizeof(*o));

	setup((void **)&o->h);
	snprintf(o->config.webhook_dialect, sizeof(o->config.webhook_dialect), "v1");
	o->ctx = (struct ctx){.store = o->h->f->store, .app = &app, .config = &o->config};
	o->pack = hook_pack_new(&o->ctx);
	*state = o;
	return 0;
}

static int
office_teardown(void **state)
{
	struct office *o = *state;

	hook_pack_free(o->pack);
	teardown((void **)&o->h);
	free(o);
	return 0;
}

/* ${rest}: members of the hook, ",…" or "". */
static void
set_hook(struct office *o, const char *types, const char *rest)
{
	struct fixture *f = o->h->f;
	struct str body = arena_printf(&f->arena,
		"{\"event_hooks\":[{\"id\":\"%s\",\"webhook_url\":\"https://hooks.example/\","
		"\"event_types\":%s%s}]}",
		HOOK, types, rest);
	struct err e;

	must(settings_change(f->db, &f->arena, parse(f, body.p), &e), &e);
}

static void
to_the_end(struct office *o)
{
	struct err e;

	o->place.next_key = 0;
	must(event_last(o->h->f->db, &o->place.pos, &e), &e);
}

/* Packs all that is behind ${*at}, at most about ${max} at a time. */
static void
pack_from(struct office *o, const char *ident, struct place *at, size_t max)
{
	struct out_route route = {.kind = ROUTE_WEBHOOK, .ident = str_of(ident)};
	struct fixture *f = o->h->f;
	bool more = true;
	struct err e;

	o->n = 0;
	o->missed = 0;
	while (more) {
		struct packed some;

		must(hook_pack(o->pack, f->db, &f->arena, &route, at, max, &some, &e), &e);
		assert_true(some.n <= max + 2);
		more = some.more;
		o->missed += some.missed;
		for (size_t i = 0; i < some.n; i++) {
			assert_true(o->n < MAX_TOLD);
			o->told[o->n] = some.parcels[i];
			must(jr_parse(&f->arena, some.parcels[i].body, &o->bodies[o->n], &e),
				&e);
			assert_str(some.parcels[i].type,
				json_string_value(json_object_get(o->bodies[o->n], "type")));
			o->n++;
		}
	}
}

static void
pack(struct office *o)
{
	pack_from(o, HOOK, &o->place, 100);
}

static json_t *
value_at(json_t *tree, const char *path)
{
	char key[64];

	for (; tree != NULL && *path != '\0'; path += *path == '.') {
		size_t n = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		tree = json_is_array(tree) ? json_array_get(tree, (size_t)atoi(key))
					   : json_object_get(tree, key);
		path += n;
	}
	return tree;
}

static const char *
text_at(json_t *tree, const char *path)
{
	json_t *v = value_at(tree, path);

	return json_is_string(v) ? json_string_value(v) : "";
}

static int64_t
number_at(json_t *tree, const char *path)
{
	json_t *v = value_at(tree, path);

	if (!json_is_integer(v))
		print_error("no number at %s\n", path);
	assert_true(json_is_integer(v));
	return json_integer_value(v);
}

/* The types that were told, "a b c". */
static void
told(struct office *o, const char *types)
{
	struct buf b;

	buf_init(&b, &o->h->f->arena, 256);
	for (size_t i = 0; i < o->n; i++)
		buf_printf(&b, "%s%.*s", i > 0 ? " " : "", STR_ARG(o->told[i].type));
	buf_printf(&b, "%c", '\0');
	assert_string_equal(b.p, types);
}

static struct message
say(struct office *o, const struct channel *c, const char *author, const char *text)
{
	struct message_draft d = {.text = str_of(text), .author = uid_of(o->h, author)};
	struct fixture *f = o->h->f;
	struct message m;
	struct err e;

	must(message_send(f->db, &f->arena, &app, c, &d, &m, &e), &e);
	return m;
}

/* ---- campaigns ------------------------------------------------------------------------- */

/* Each recipient once, whatever the size of the steps, with the same ids and bodies. */
static void
a_batch_is_told_recipient_by_recipient(void **state)
{
	static const size_t steps[] = {1, 2, 3, 100};
	struct office *o = *state;
	struct place from;
	struct str ids[MAX_TOLD];
	size_t n = 0;

	set_hook(o, "[\"message.new\",\"channel.created\",\"campaign.*\"]", "");
	to_the_end(o);
	from = o->place;
	campaign(o->h, "c1", ALL "," FROM_ANN "," HI "," CREATE "," BY_AFFIX);
	for (size_t s = 0; s < ARRAY_LEN(steps); s++) {
		struct place at = from;
		size_t sent = 0;

		pack_from(o, HOOK, &at, steps[s]);
		assert_int_equal(o->n, 12);
		assert_str(o->told[0].type, "campaign.started");
		assert_str(o->told[11].type, "campaign.completed");
		for (size_t i = 1; i < 11; i += 2) {
			assert_str(o->told[i].type, "channel.created");
			assert_str(o->told[i + 1].type, "message.new");
			assert_string_equal(
				text_at(o->bodies[i], "cid"), text_at(o->bodies[i + 1], "cid"));
			sent++;
		}
		assert_int_equal(sent, 5);
		for (size_t i = 0; i < o->n; i++) {
			if (s > 0)
				assert_true(str_eq(o->told[i].id, ids[i]));
			ids[i] = o->told[i].id;
			for (size_t k = 0; k < i; k++)
				assert_false(str_eq(ids[i], ids[k]));
		}
		n = o->n;
	}
	assert_int_equal(n, 12);
}

static void
envelopes_of_a_campaign(void **state)
{
	struct office *o = *state;
	json_t *made, *sent, *started, *completed;

	set_hook(o, "[]", "");
	to_the_end(o);
	campaign(o->h, "c1", "\"user_ids\":[\"bob\"]," FROM_ANN "," HI "," CREATE "," BY_AFFIX);
	pack(o);
	told(o, "campaign.started channel.created message.new campaign.completed");
	started = o->bodies[0];
	assert_string_equal(text_at(started, "campaign.id"), "c1");
	assert_string_equal(text_at(started, "campaign.status"), "in_progress");
	assert_int_equal(number_at(started, "campaign.stats.stats_messages_sent"), 0);
	assert_true(json_is_object(value_at(started, "custom")));
	made = o->bodies[1];
	assert_string_equal(text_at(made, "cid"), "messaging:bob-ann");
	assert_string_equal(text_at(made, "channel.cid"), "messaging:bob-ann");
	assert_string_equal(text_at(made, "user.id"), "ann");
	assert_int_equal(json_array_size(value_at(made, "channel.members")), 2);
	assert_string_equal(text_at(made, "channel.config.name"), "messaging");
	sent = o->bodies[2];
	assert_string_equal(text_at(sent, "message.text"), "Hi Bob");
	assert_string_equal(text_at(sent, "message.campaign_id"), "c1");
	assert_string_equal(text_at(sent, "message_id"), text_at(sent, "message.id"));
	assert_string_equal(text_at(sent, "user.id"), "ann");
	assert_int_equal(number_at(sent, "user.total_unread_count"), 0);
	assert_int_equal(number_at(sent, "channel_member_count"), 2);
	assert_int_equal(json_array_size(value_at(sent, "members")), 2);
	for (size_t i = 0; i < 2; i++) {
		json_t *m = json_array_get(value_at(sent, "members"), i);
		bool is_bob = strcmp(text_at(m, "user_id"), "bob") == 0;

		assert_int_equal(number_at(m, "user.channel_unread_count"), is_bob);
		assert_int_equal(number_at(m, "user.unread_channels"), is_bob);
	}
	assert_string_equal(text_at(sent, "request_info.type"), "server");
	completed = o->bodies[3];
	assert_string_equal(text_at(completed, "campaign.status"), "completed");
	assert_int_equal(number_at(completed, "campaign.stats.stats_messages_sent"), 1);
}

/* What it generates is not told; that it ran is. */
static void
skip_webhook_silences_what_the_campaign_sends(void **state)
{
	struct office *o = *state;

	set_hook(o, "[]", "");
	to_the_end(o);
	campaign(o->h, "c1",
		ALL "," FROM_ANN "," HI "," CREATE "," BY_AFFIX ",\"skip_webhook\":true");
	pack(o);
	told(o, "campaign.started campaign.completed");
}

static void
an_empty_audience_completes_too(void **state)
{
	struct office *o = *state;

	set_hook(o, "[]", "");
	to_the_end(o);
	campaign(o->h, "c1", "\"user_ids\":[\"nobody\"]," FROM_ANN "," HI);
	pack(o);
	told(o, "campaign.started campaign.completed");
}

/* Ours alone: only who names it hears of it. */
static void
a_stop_is_told_to_who_names_it(void **state)
{
	static const char *const types[] = {"[]", "[\"*\"]", "[\"campaign.stopped\"]"};
	struct office *o = *state;
	struct house *h = o->h;
	struct campaign c;
	struct err e;
	struct place from;

	to_the_end(o);
	from = o->place;
	create(h, "{\"id\":\"c1\"," ALL "," FROM_ANN "," HI "}");
	start_at(h, "c1", clock_now_us() + 3600 * INT64_C(1000000), NO_TIME);
	must(campaign_stop(h->f->db, &h->f->arena, STR("c1"), &c, &e), &e);
	must(campaign_stop(h->f->db, &h->f->arena, STR("c1"), &c, &e), &e);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct place at = from;

		set_hook(o, types[i], "");
		pack_from(o, HOOK, &at, 100);
		told(o, i < 2 ? "" : "campaign.stopped");
	}
	assert_string_equal(text_at(o->bodies[0], "campaign.status"), "stopped");
}

static void
shown_channels_are_told(void **state)
{
	struct office *o = *state;
	struct house *h = o->h;
	struct channel c;
	struct err e;

	set_hook(o, "[\"channel.visible\",\"channel.hidden\"]", "");
	campaign(h, "c1", ALL "," FROM_ANN "," HI "," CREATE "," BY_AFFIX);
	c = channel(h, "bob-ann");
	to_the_end(o);
	must(membership_hide(h->f->db, &h->f->arena, &c, uid_of(h, "bob"), false, &e), &e);
	campaign(h, "c2", ALL "," FROM_ANN "," HI "," BY_AFFIX ",\"show_channels\":true");
	pack(o);
	told(o, "channel.hidden channel.visible");
	assert_string_equal(text_at(o->bodies[1], "cid"), "messaging:bob-ann");
	assert_string_equal(text_at(o->bodies[1], "user.id"), "bob");
}

/* Of channels that were there; also where he had left. */
static void
senders_who_join_are_told(void **state)
{
	struct office *o = *state;
	struct house *h = o->h;

	campaign(h, "c1",
		"\"user_ids\":[\"bob\",\"cid\"]," FROM_ANN "," HI "," CREATE "," BY_AFFIX
		",\"sender_mode\":\"exclude\"");
	set_hook(o, "[\"member.added\",\"channel.created\"]", "");
	to_the_end(o);
	campaign(h, "c2",
		"\"user_ids\":[\"bob\",\"dan\"]," FROM_ANN "," HI "," CREATE "," BY_AFFIX
		",\"sender_mode\":\"include\"");
	campaign(h, "c3",
		"\"user_ids\":[\"bob\",\"dan\"]," FROM_ANN "," HI "," BY_AFFIX
		",\"sender_mode\":\"include\"");
	pack(o);
	told(o, "member.added channel.created");
	assert_string_equal(text_at(o->bodies[0], "member.user_id"), "ann");
	assert_string_equal(text_at(o->bodies[0], "user.id"), "ann");
	assert_string_equal(text_at(o->bodies[0], "channel.cid"), "messaging:bob-ann");
	assert_int_equal(json_array_size(value_at(o->bodies[0], "members")), 2);
	assert_string_equal(text_at(o->bodies[1], "cid"), "messaging:dan-ann");
	run(h,
		"UPDATE members SET removed_at = 1 WHERE uid = (SELECT uid FROM users "
		"WHERE id = 'ann')",
		NO_ARGS);
	campaign(h, "c4",
		"\"user_ids\":[\"bob\"]," FROM_ANN "," HI "," BY_AFFIX
		",\"sender_mode\":\"include\"");
	pack(o);
	told(o, "member.added");
}

/* Not more members than 50, whatever their number is; and all messages, although one is at
 * fault. */
static void
large_channels_and_faulty_ones(void **state)
{
	struct office *o = *state;
	struct house *h = o->h;
	struct buf b;
	json_t *event;

	put_many(h, 70);
	buf_init(&b, &h->f->arena, 4096);
	buf_str(&b, STR("\"channel_template\":{\"type\":\"messaging\",\"id\":"
			"\"{{receiver.id}}-{{sender.id}}\",\"members\":["));
	for (int i = 0; i < 70; i++)
		buf_printf(&b, "%s\"user-%d\"", i > 0 ? "," : "", i);
	buf_printf(&b, "]},%s,%s,%s,%s%c", ALL, FROM_ANN, HI, CREATE, '\0');
	set_hook(o, "[\"message.new\"]", "");
	to_the_end(o);
	campaign(h, "c1", b.p);
	run(h,
		"UPDATE channels SET cid = 'gone:cid' WHERE no = (SELECT channel FROM messages "
		"WHERE text = 'Hi Cid')",
		NO_ARGS);
	pack(o);
	told(o, "message.new message.new message.new message.new");
	assert_int_equal(o->missed, 1);
	for (size_t i = 0; i < o->n; i++) {
		event = o->bodies[i];
		assert_int_equal(number_at(event, "channel_member_count"), 72);
		assert_int_equal(json_array_size(value_at(event, "members")), 50);
		assert_string_equal(text_at(event, "user.id"), "ann");
	}
}

/* ---- single events --------------------------------------------------------------------- */

/* What cannot be told is counted, and holds up nothing. */
static void
faulty_events_are_passed_over(void **state)
{
	struct office *o = *state;
	struct channel x, y;

	set_hook(o, "[\"message.new\"]", "");
	x = API_CHANNEL(o->h, "x", "ann", "bob");
	y = API_CHANNEL(o->h, "y", "ann", "bob");
	to_the_end(o);
	say(o, &y, "ann", "1");
	say(o, &x, "ann", "2");
	say(o, &y, "ann", "3");
	run(o->h, "UPDATE channels SET cid = 'gone:y' WHERE cid = 'messaging:y'", NO_ARGS);
	pack(o);
	told(o, "message.new");
	assert_string_equal(text_at(o->bodies[0], "message.text"), "2");
	assert_int_equal(o->missed, 2);
	pack(o);
	assert_int_equal(o->missed, 0);
}

static void
messages_and_reading(void **state)
{
	struct office *o = *state;
	struct house *h = o->h;
	struct fixture *f = h->f;
	struct channel c;
	struct message m;
	struct err e;

	set_hook(o, "[]", "");
	to_the_end(o);
	c = API_CHANNEL(h, "x", "ann", "bob");
	m = say(o, &c, "ann", "Hi");
	must(message_delete(f->db, &f->arena, &m, false, &e), &e);
	pack(o);
	/* What was deleted since is not told as new. */
	told(o, "channel.created message.deleted");
	assert_string_equal(text_at(o->bodies[0], "channel.id"), "x");
	assert_string_equal(text_at(o->bodies[0], "members.1.user.id"), "bob");
	assert_string_equal(text_at(o->bodies[1], "message.type"), "deleted");
	say(o, &c, "bob", "Ho");
	pack(o);
	told(o, "message.new");
	assert_string_equal(text_at(o->bodies[0], "user.id"), "bob");
	assert_int_equal(number_at(o->bodies[0], "members.0.user.channel_unread_count"), 1);
	pack(o);
	told(o, "");
}

static void
dialects(void **state)
{
	struct office *o = *state;
	json_t *event;
	struct place from;
	struct channel c;

	to_the_end(o);
	from = o->place;
	c = API_CHANNEL(o->h, "x", "ann", "bob");
	say(o, &c, "ann", "Hi");
	for (int i = 0; i < 3; i++) {
		struct place at = from;

		set_hook(o, "[\"message.new\"]", i == 1 ? ",\"payload_dialect\":\"v2\"" : "");
		if (i == 2)
			snprintf(o->config.webhook_dialect, 3, "v2");
		pack_from(o, HOOK, &at, 100);
		told(o, "message.new");
		event = o->bodies[0];
		assert_int_equal(json_is_integer(value_at(event, "created_at")), i > 0);
		assert_int_equal(json_is_integer(value_at(event, "message.created_at")), i > 0);
		assert_int_equal(json_is_object(value_at(event, "custom")), i > 0);
		assert_int_equal(json_is_object(value_at(event, "message.custom")), i > 0);
	}
}

static void
users_who_go_and_come_back(void **state)
{
	const struct user_deletion hard = {
		.user = PURGE_REMOVE, .messages = PURGE_HIDE, .conversations = PURGE_KEEP};
	const struct user_belongings nothing = {0};
	struct office *o = *state;
	struct fixture *f = o->h->f;
	struct str id = STR("bob"), task;
	const struct user_list bob = {.ids = &id, .n = 1};
	struct err e;

	set_hook(o, "[]", "");
	to_the_end(o);
	must(user_deactivate(f->db, &f->arena, &bob, &nothing, &task, &e), &e);
	pack(o);
	told(o, "user.deactivated");
	assert_string_equal(text_at(o->bodies[0], "user.id"), "bob");
	assert_true(json_is_string(value_at(o->bodies[0], "user.deactivated_at")));
	assert_int_equal(json_array_size(value_at(o->bodies[0], "members")), 0);
	must(user_reactivate(f->db, &f->arena, &bob, &nothing, STR_NONE, &task, &e), &e);
	put_users(f, "[{\"id\":\"bob\",\"name\":\"Bobby\"}]", NULL);
	must(user_delete(f->db, &f->arena, &bob, &hard, &task, &e), &e);
	pack(o);
	told(o, "user.reactivated user.updated user.deleted");
	assert_string_equal(text_at(o->bodies[2], "delete_user"), "hard");
	assert_string_equal(text_at(o->bodies[2], "delete_messages"), "soft");
	assert_string_equal(text_at(o->bodies[2], "delete_conversation"), "");
	assert_true(json_is_true(value_at(o->bodies[2], "hard_delete")));
	assert_true(json_is_true(value_at(o->bodies[2], "mark_messages_deleted")));
	assert_true(json_is_false(value_at(o->bodies[2], "delete_conversation_channels")));
}

/* What a connection writes for names its cause; what others write does not. */
static void
who_asked_is_told(void **state)
{
	struct office *o = *state;
	struct db *db = o->h->f->db;
	struct channel c;
	struct message m;
	struct err e;

	set_hook(o, "[\"message.*\",\"channel.*\"]", "");
	to_the_end(o);
	c = API_CHANNEL(o->h, "x", "ann", "bob");
	db_set_cause(db, STR("{\"type\":\"client\",\"sdk\":\"js\"}"));
	m = say(o, &c, "ann", "Hi");
	must(message_delete(db, &o->h->f->arena, &m, true, &e), &e);
	say(o, &c, "ann", "Ho");
	db_set_cause(db, STR_NONE);
	say(o, &c, "ann", "Hu");
	pack(o);
	told(o, "channel.created message.deleted message.new message.new");
	assert_string_equal(text_at(o->bodies[0], "request_info.type"), "server");
	for (size_t i = 1; i < 3; i++) {
		assert_string_equal(text_at(o->bodies[i], "request_info.type"), "client");
		assert_string_equal(text_at(o->bodies[i], "request_info.sdk"), "js");
	}
	assert_true(json_is_true(value_at(o->bodies[1], "hard_delete")));
	assert_string_equal(
		text_at(o->bodies[1], "message_id"), arena_dup(&o->h->f->arena, m.id).p);
	assert_string_equal(text_at(o->bodies[3], "request_info.type"), "server");
}

static void
hooks_hear_what_they_name(void **state)
{
	static const struct {
		const char *types, *rest, *told;
	} table[] = {
		{"[]", "", "channel.created message.new"},
		{"[\"*\"]", "", "channel.created message.new"},
		{"[\"message.*\"]", "", "message.new"},
		{"[\"message.new\",\"user.updated\"]", "", "message.new"},
		{"[\"reaction.new\"]", "", ""},
		{"[]", ",\"product\":\"chat\"", "channel.created message.new"},
		{"[]", ",\"product\":\"video\"", ""},
		{"[]", ",\"hook_type\":\"pending_message\"", ""},
	};
	struct office *o = *state;
	struct place from;
	struct channel c;

	to_the_end(o);
	from = o->place;
	c = API_CHANNEL(o->h, "x", "ann", "bob");
	say(o, &c, "ann", "Hi");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct place at = from;

		set_hook(o, table[i].types, table[i].rest);
		pack_from(o, HOOK, &at, 100);
		told(o, table[i].told);
	}
}

static void
the_old_setting_is_a_hook_too(void **state)
{
	struct office *o = *state;
	struct fixture *f = o->h->f;
	struct channel c;
	struct err e;

	to_the_end(o);
	c = API_CHANNEL(o->h, "x", "ann", "bob");
	say(o, &c, "ann", "Hi");
	/* Nobody named it yet: its place moves on. */
	pack_from(o, "legacy", &o->place, 100);
	told(o, "");
	must(settings_change(f->db, &f->arena,
		     parse(f, "{\"webhook_url\":\"https://hooks.example/\","
			      "\"webhook_events\":[\"message.new\"]}"),
		     &e),
		&e);
	say(o, &c, "ann", "Ho");
	pack_from(o, "legacy", &o->place, 100);
	told(o, "message.new");
	must(settings_change(f->db, &f->arena, parse(f, "{\"webhook_events\":null}"), &e), &e);
	API_CHANNEL(o->h, "y", "ann", "bob");
	pack_from(o, "legacy", &o->place, 100);
	told(o, "channel.created");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, office_setup, office_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_batch_is_told_recipient_by_recipient),
		TEST(envelopes_of_a_campaign),
		TEST(skip_webhook_silences_what_the_campaign_sends),
		TEST(an_empty_audience_completes_too),
		TEST(a_stop_is_told_to_who_names_it),
		TEST(shown_channels_are_told),
		TEST(senders_who_join_are_told),
		TEST(large_channels_and_faulty_ones),
		TEST(faulty_events_are_passed_over),
		TEST(messages_and_reading),
		TEST(dialects),
		TEST(users_who_go_and_come_back),
		TEST(who_asked_is_told),
		TEST(hooks_hear_what_they_name),
		TEST(the_old_setting_is_a_hook_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
