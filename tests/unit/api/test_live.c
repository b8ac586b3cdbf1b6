/* test_live – what clients hear of what was committed, through the dispatcher and the hub: who
 * is told what, and who is not (api.md §7.6). */
#include "../engine/house.h"
#include "api/live.h"
#include "api/req.h"
#include "base/id.h"
#include "domain/app.h"
#include "domain/channel_edit.h"
#include "domain/event.h"
#include "domain/membership.h"
#include "domain/message.h"
#include "domain/read.h"
#include "ears.h"
#include "engine/dispatch.h"

static const struct app app = {.id_tag = 0x123456789abcdef};

struct hall {
	struct house *h;
	struct ctx ctx;
	struct hub *hub;
	struct live *live;
};

static int
hall_setup(void **state)
{
	struct hall *hall = calloc(1, sizeof(*hall));
	struct dispatch_sink sink;

	setup((void **)&hall->h);
	hall->hub = open_hub();
	hall->ctx = (struct ctx){.store = hall->h->f->store, .app = &app};
	hall->live = live_new(&hall->ctx, hall->hub);
	live_sink(hall->live, &sink);
	engine_dispatch(hall->h->engine, &sink);
	*state = hall;
	return 0;
}

static int
hall_teardown(void **state)
{
	struct hall *hall = *state;

	hub_stop(hall->hub, 100);
	teardown((void **)&hall->h);
	hub_free(hall->hub);
	live_free(hall->live);
	free(hall);
	return 0;
}

static struct ear
ear_of(struct hall *hall, const char *id)
{
	return connect_ear(hall->hub, &hall->h->f->arena, uid_of(hall->h, id));
}

/* The dispatcher may begin where it finds the end: it must have begun before anything is told.
 */
static void
settle(struct hall *hall, struct ear *ear)
{
	struct user_patch patch = {.set = parse(hall->h->f, "{\"name\":\"x\"}")};
	struct fixture *f = hall->h->f;
	struct user user, *out;
	struct err e;

	must(user_by_uid(f->db, &f->arena, ear->uid, &user, &e), &e);
	patch.id = user.id;
	for (int i = 0; i < 500; i++) {
		struct pollfd p = {.fd = ear->fd, .events = POLLIN};

		must(user_patch(f->db, &f->arena, &patch, 1, false, &out, &e), &e);
		engine_tell(hall->h->engine);
		if (poll(&p, 1, 30) == 1)
			break;
	}
	/* As often as it was told. */
	patch.set = parse(f, "{\"name\":\"last\"}");
	must(user_patch(f->db, &f->arena, &patch, 1, false, &out, &e), &e);
	engine_tell(hall->h->engine);
	while (strcmp(at(hears(ear, "user.updated"), "user.name"), "last") != 0)
		continue;
}

static void
done(struct hall *hall)
{
	engine_tell(hall->h->engine);
}

static struct message
send_to(struct hall *hall, const struct channel *c, const char *author, const char *text)
{
	struct message_draft d = {.text = str_of(text), .author = uid_of(hall->h, author)};
	struct fixture *f = hall->h->f;
	struct message m;
	struct err e;

	must(message_send(f->db, &f->arena, &app, c, &d, &m, &e), &e);
	return m;
}

static struct message
say(struct hall *hall, const struct channel *c, const char *author, const char *text)
{
	struct message m = send_to(hall, c, author, text);

	done(hall);
	return m;
}

/* The next of this type; what is deleted at once may be heard before or not at all. */
static json_t *
hears_message(struct ear *ear, const char *type)
{
	for (;;) {
		json_t *event = hear(ear);

		if (strcmp(at(event, "type"), "message.deleted") == 0 ||
			strcmp(at(event, "message.text"), "gone") == 0)
			continue;
		assert_string_equal(at(event, "type"), type);
		return event;
	}
}

static int64_t
number(json_t *event, const char *key)
{
	json_t *v = json_object_get(event, key);

	assert_true(json_is_integer(v));
	return json_integer_value(v);
}

/* ---- messages ------------------------------------------------------------------------ */

static void
messages_go_to_watchers_and_absent_members(void **state)
{
	struct hall *hall = *state;
	struct fixture *f = hall->h->f;
	struct ear bob = ear_of(hall, "bob"), cid = ear_of(hall, "cid");
	struct ear dan = ear_of(hall, "dan"), eve = ear_of(hall, "eve");
	struct message_edit edit = {.has_text = true, .text = STR("Ho")};
	struct channel c;
	struct message m;
	json_t *event;
	struct err e;

	settle(hall, &bob);
	c = API_CHANNEL(hall->h, "x", "ann", "bob", "cid");
	watch(hall->hub, &bob, c.no);
	watch(hall->hub, &eve, c.no); /* no member, but there */
	done(hall);
	event = hears(&cid, "notification.added_to_channel");
	assert_string_equal(at(event, "member.user_id"), "cid");
	assert_string_equal(at(event, "channel.cid"), "messaging:x");
	m = say(hall, &c, "ann", "Hi");
	event = hears(&bob, "message.new");
	assert_string_equal(at(event, "cid"), "messaging:x");
	assert_string_equal(at(event, "channel_id"), "x");
	assert_string_equal(at(event, "channel_type"), "messaging");
	assert_string_equal(at(event, "message.text"), "Hi");
	assert_string_equal(at(event, "message.user.id"), "ann");
	assert_string_equal(at(event, "user.id"), "ann");
	assert_string_equal(at(event, "created_at"), at(event, "message.created_at"));
	assert_string_equal(at(event, "message_id"), at(event, "message.id"));
	assert_int_equal(number(event, "watcher_count"), 2);
	assert_int_equal(number(event, "total_unread_count"), 1);
	assert_int_equal(number(event, "unread_channels"), 1);
	assert_int_equal(number(event, "channel_member_count"), 3);
	assert_null(json_object_get(hears(&eve, "message.new"), "unread_count"));
	event = hears(&cid, "notification.message_new");
	assert_string_equal(at(event, "message.text"), "Hi");
	assert_string_equal(at(event, "channel.cid"), "messaging:x");
	assert_string_equal(at(event, "channel.config.name"), "messaging");
	/* What differs between its readers is not said. */
	assert_null(json_object_get(json_object_get(event, "channel"), "hidden"));
	assert_int_equal(number(event, "total_unread_count"), 1);
	assert_int_equal(number(event, "unread_count"), 1);
	assert_int_equal(number(event, "unread_channels"), 1);
	must(message_update(f->db, &f->arena, &app, &c, m.id, &edit, &m, &e), &e);
	done(hall);
	assert_string_equal(at(hears(&bob, "message.updated"), "message.text"), "Ho");
	must(message_delete(f->db, &f->arena, &m, false, &e), &e);
	done(hall);
	event = hears(&bob, "message.deleted");
	assert_string_equal(at(event, "message.type"), "deleted");
	assert_string_equal(at(event, "message.text"), "");
	assert_true(json_is_false(json_object_get(event, "hard_delete")));
	must(message_delete(f->db, &f->arena, &m, true, &e), &e);
	done(hall);
	event = hears(&bob, "message.deleted");
	assert_true(json_is_true(json_object_get(event, "hard_delete")));
	assert_int_equal(m.id.n, strlen(at(event, "message.id")));
	assert_memory_equal(m.id.p, at(event, "message.id"), m.id.n);
	hears_nothing(hall->hub, &cid);
	hears_nothing(hall->hub, &dan);
}

/* Many events that are told at once: each message in its place, to whom it belongs. */
static void
messages_are_told_together(void **state)
{
	enum { ROUNDS = 50 };
	struct hall *hall = *state;
	struct fixture *f = hall->h->f;
	struct ear bob = ear_of(hall, "bob"), cid = ear_of(hall, "cid");
	struct channel both, own;
	struct message gone;
	char text[16];
	struct err e;

	settle(hall, &bob);
	both = API_CHANNEL(hall->h, "both", "ann", "bob", "cid");
	own = API_CHANNEL(hall->h, "own", "ann", "bob");
	watch(hall->hub, &bob, both.no);
	done(hall);
	hears(&cid, "notification.added_to_channel");
	hears(&bob, "notification.added_to_channel");
	for (int i = 0; i < ROUNDS; i++) {
		snprintf(text, sizeof(text), "%d", i);
		send_to(hall, &both, "ann", text);
		gone = send_to(hall, &both, "ann", "gone");
		must(message_delete(f->db, &f->arena, &gone, true, &e), &e);
		send_to(hall, &own, "cid", text);
	}
	done(hall);
	for (int i = 0; i < ROUNDS; i++) {
		json_t *event = hears_message(&bob, "message.new");

		snprintf(text, sizeof(text), "%d", i);
		assert_string_equal(at(event, "cid"), "messaging:both");
		assert_string_equal(at(event, "message.text"), text);
		event = hears_message(&bob, "notification.message_new");
		assert_string_equal(at(event, "cid"), "messaging:own");
		assert_string_equal(at(event, "message.text"), text);
		assert_int_equal(number(event, "channel_member_count"), 2);
		event = hears_message(&cid, "notification.message_new");
		assert_string_equal(at(event, "cid"), "messaging:both");
		assert_string_equal(at(event, "message.text"), text);
	}
}

static void
reading_is_told_to_both_sides(void **state)
{
	struct hall *hall = *state;
	struct fixture *f = hall->h->f;
	struct ear ann = ear_of(hall, "ann"), bob = ear_of(hall, "bob"),
		   other = ear_of(hall, "bob");
	int64_t uid = uid_of(hall->h, "bob");
	struct read_state s;
	struct channel c;
	struct message m;
	json_t *event;
	struct err e;

	settle(hall, &ann);
	c = API_CHANNEL(hall->h, "x", "ann", "bob");
	watch(hall->hub, &ann, c.no);
	watch(hall->hub, &bob, c.no);
	m = say(hall, &c, "ann", "Hi");
	hears(&ann, "message.new");
	hears(&bob, "message.new");
	hears(&other, "notification.added_to_channel");
	hears(&other, "notification.message_new");
	must(read_mark(f->db, &f->arena, &app, &c, uid, STR_NONE, &s, &e), &e);
	done(hall);
	event = hears(&ann, "message.read");
	assert_string_equal(at(event, "user.id"), "bob");
	assert_true(str_eq(str_of(at(event, "last_read_message_id")), m.id));
	hears(&bob, "message.read");
	event = hears(&bob, "notification.mark_read");
	assert_int_equal(number(event, "total_unread_count"), 0);
	assert_int_equal(number(event, "unread_channels"), 0);
	assert_string_equal(at(event, "channel.id"), "x");
	hears(&other, "notification.mark_read");
	must(read_unmark(f->db, &f->arena, &app, &c, uid, m.id, NO_TIME, &e), &e);
	done(hall);
	event = hears(&bob, "notification.mark_unread");
	assert_true(str_eq(str_of(at(event, "first_unread_message_id")), m.id));
	assert_int_equal(number(event, "unread_messages"), 1);
	assert_int_equal(number(event, "unread_channels"), 1);
	assert_true(strlen(at(event, "last_read_at")) > 0);
	hears_nothing(hall->hub, &ann);
}

/* ---- channels ------------------------------------------------------------------------ */

static void
hiding_is_told_to_who_hides(void **state)
{
	struct hall *hall = *state;
	struct fixture *f = hall->h->f;
	struct ear ann = ear_of(hall, "ann"), bob = ear_of(hall, "bob");
	int64_t uid = uid_of(hall->h, "bob");
	struct message_draft d = {
		.text = STR("x"), .author = uid_of(hall->h, "ann"), .keep_hidden = true};
	struct message m;
	struct channel c;
	json_t *event;
	struct err e;

	settle(hall, &bob);
	c = API_CHANNEL(hall->h, "x", "ann", "bob");
	watch(hall->hub, &ann, c.no);
	done(hall);
	hears(&bob, "notification.added_to_channel");
	must(membership_hide(f->db, &f->arena, &c, uid, true, &e), &e);
	done(hall);
	event = hears(&bob, "channel.hidden");
	assert_true(json_is_true(json_object_get(event, "clear_history")));
	assert_true(json_is_true(json_object_get(json_object_get(event, "channel"), "hidden")));
	assert_string_equal(at(event, "user.id"), "bob");
	/* What keeps it hidden does not call him. */
	must(message_send(f->db, &f->arena, &app, &c, &d, &m, &e), &e);
	done(hall);
	hears(&ann, "message.new");
	must(membership_show(f->db, &f->arena, &c, uid, &e), &e);
	done(hall);
	event = hears(&bob, "channel.visible");
	assert_true(
		json_is_false(json_object_get(json_object_get(event, "channel"), "hidden")));
	hears_nothing(hall->hub, &ann);
}

static void
update(struct hall *hall, const struct channel *c, const struct channel_edit *edit)
{
	struct fixture *f = hall->h->f;
	struct channel out;
	struct err e;

	must(channel_update(f->db, &f->arena, c, edit, &out, &e), &e);
	done(hall);
}

static void
members_come_and_go(void **state)
{
	struct hall *hall = *state;
	struct ear bob = ear_of(hall, "bob"), cid = ear_of(hall, "cid");
	int64_t uid = uid_of(hall->h, "cid");
	struct member_spec spec = {.uid = uid, .hidden_at = NO_TIME, .archived_at = NO_TIME};
	struct member_role role = {.uid = uid, .role = STR("channel_moderator")};
	struct channel_edit edit = {.frozen = -1,
		.disabled = -1,
		.by = uid_of(hall->h, "ann"),
		.members = {.history_hidden = NO_TIME}};
	struct channel c;
	json_t *event;

	settle(hall, &bob);
	c = API_CHANNEL(hall->h, "x", "ann", "bob");
	watch(hall->hub, &bob, c.no);
	edit.members.add = &spec;
	edit.members.nadd = 1;
	update(hall, &c, &edit);
	event = hears(&bob, "member.added");
	assert_string_equal(at(event, "member.user_id"), "cid");
	assert_string_equal(at(event, "user.id"), "cid");
	assert_int_equal(number(event, "channel_member_count"), 3);
	hears(&cid, "notification.added_to_channel");
	watch(hall->hub, &cid, c.no);
	edit.members = (struct membership_edit){
		.roles = &role, .nroles = 1, .history_hidden = NO_TIME};
	update(hall, &c, &edit);
	event = hears(&bob, "member.updated");
	assert_string_equal(at(event, "member.channel_role"), "channel_moderator");
	hears(&cid, "member.updated");
	edit.members = (struct membership_edit){
		.remove = &uid, .nremove = 1, .history_hidden = NO_TIME};
	update(hall, &c, &edit);
	event = hears(&bob, "member.removed");
	assert_string_equal(at(event, "member.user_id"), "cid");
	assert_string_equal(at(event, "user.id"), "cid");
	hears(&cid, "member.removed");
	/* Who left does not hear the rest. */
	say(hall, &c, "ann", "psst");
	hears(&bob, "message.new");
	hears_nothing(hall->hub, &cid);
}

static void
channels_change_and_go(void **state)
{
	struct hall *hall = *state;
	struct fixture *f = hall->h->f;
	struct ear bob = ear_of(hall, "bob"), cid = ear_of(hall, "cid");
	struct channel_edit edit = {.frozen = 1,
		.disabled = -1,
		.has_data = true,
		.custom = STR("{\"colour\":\"red\"}"),
		.by = uid_of(hall->h, "ann"),
		.members = {.history_hidden = NO_TIME}};
	struct channel_cut cut = {.at = NO_TIME, .by = edit.by};
	struct channel_deletion deletion = {.n = 1, .by = edit.by};
	struct channel c, out;
	json_t *event;
	struct err e;

	settle(hall, &bob);
	c = API_CHANNEL(hall->h, "x", "ann", "bob", "cid");
	watch(hall->hub, &bob, c.no);
	update(hall, &c, &edit);
	hears(&cid, "notification.added_to_channel");
	event = hears(&bob, "channel.updated");
	assert_string_equal(at(event, "channel.colour"), "red");
	assert_string_equal(at(event, "user.id"), "ann");
	must(channel_truncate(f->db, &f->arena, &c, &cut, &out, &e), &e);
	done(hall);
	assert_true(strlen(at(hears(&bob, "channel.truncated"), "channel.truncated_at")) > 0);
	hears(&cid, "notification.channel_truncated");
	deletion.nos = &c.no;
	must(channel_delete(f->db, &f->arena, &deletion, STR_NONE, NULL, &e), &e);
	done(hall);
	event = hears(&bob, "channel.deleted");
	assert_true(strlen(at(event, "channel.deleted_at")) > 0);
	hears(&cid, "notification.channel_deleted");
	hears_nothing(hall->hub, &bob);
	assert_int_equal(hub_watcher_count(hall->hub, c.no), 0);
}

/* ---- campaigns ----------------------------------------------------------------------- */

/* Each recipient who is there hears once of the channel and once of the message, whatever the
 * size of the batches; the others cost nothing. */
static void
campaigns_reach_who_is_there(void **state)
{
	struct hall *hall = *state;
	struct house *h = hall->h;
	struct ear bob = ear_of(hall, "bob"), dan = ear_of(hall, "dan"),
		   again = ear_of(hall, "dan"), ann = ear_of(hall, "ann"),
		   fay = ear_of(hall, "fay");
	struct ear *told[] = {&bob, &dan, &again};
	struct channel c;
	json_t *event;

	settle(hall, &bob);
	campaign(h, "c1", ALL "," FROM_ANN "," HI "," CREATE "," BY_AFFIX);
	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		event = hears(told[i], "notification.added_to_channel");
		assert_string_equal(at(event, "member.user_id"), i == 0 ? "bob" : "dan");
		assert_string_equal(at(event, "channel.created_by.id"), "ann");
		event = hears(told[i], "notification.message_new");
		assert_string_equal(at(event, "message.text"), i == 0 ? "Hi last" : "Hi Dan");
		assert_string_equal(at(event, "message.created_by_campaign_id"), "c1");
		assert_string_equal(
			at(event, "cid"), i == 0 ? "messaging:bob-ann" : "messaging:dan-ann");
		assert_string_equal(at(event, "user.id"), "ann");
		assert_int_equal(number(event, "total_unread_count"), 1);
		assert_int_equal(number(event, "channel_member_count"), 2);
		assert_int_equal(json_array_size(json_object_get(
					 json_object_get(event, "channel"), "members")),
			2);
	}
	hears(&fay, "notification.added_to_channel");
	hears(&fay, "notification.message_new"); /* of the last batch */
	/* Into the channels that are there now, of which two are watched. */
	c = channel(h, "dan-ann");
	watch(hall->hub, &dan, c.no);
	watch(hall->hub, &ann, channel(h, "fay-ann").no);
	campaign(h, "c2", ALL "," FROM_ANN "," HI "," CREATE "," BY_AFFIX);
	assert_int_equal(number(hears(&bob, "notification.message_new"), "unread_count"), 2);
	event = hears(&dan, "message.new");
	assert_string_equal(at(event, "message.text"), "Hi Dan");
	assert_int_equal(number(event, "unread_count"), 2);
	hears(&again, "notification.message_new");
	/* The sender hears where he looks. */
	assert_string_equal(at(hears(&ann, "message.new"), "message.text"), "Hi Fay");
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		hears_nothing(hall->hub, told[i]);
	hears_nothing(hall->hub, &ann);
}

/* A channel that was there has a number of its own, whatever the form of its id says. */
static void
campaigns_are_heard_in_channels_of_their_own_numbers(void **state)
{
	struct hall *hall = *state;
	struct house *h = hall->h;
	struct ear ann = ear_of(hall, "ann");
	struct channel c;

	settle(hall, &ann);
	c = API_CHANNEL(h, "dan-ann", "ann", "dan");
	done(hall);
	hears(&ann, "notification.added_to_channel");
	watch(hall->hub, &ann, c.no);
	campaign(h, "c1", ALL "," FROM_ANN "," HI "," CREATE "," BY_AFFIX);
	assert_string_equal(at(hears(&ann, "message.new"), "message.text"), "Hi Dan");
	hears_nothing(hall->hub, &ann);
}

static void
hidden_channels_stay_silent_unless_shown(void **state)
{
	struct hall *hall = *state;
	struct house *h = hall->h;
	struct ear bob = ear_of(hall, "bob"), eve = ear_of(hall, "eve");
	struct channel c;
	json_t *event;
	struct err e;

	settle(hall, &bob);
	campaign(h, "c1", ALL "," FROM_ANN "," HI "," CREATE "," BY_AFFIX);
	hears(&bob, "notification.added_to_channel");
	hears(&bob, "notification.message_new");
	hears(&eve, "notification.added_to_channel");
	hears(&eve, "notification.message_new");
	c = channel(h, "bob-ann");
	must(membership_hide(h->f->db, &h->f->arena, &c, uid_of(h, "bob"), false, &e), &e);
	done(hall);
	hears(&bob, "channel.hidden");
	campaign(h, "c2", ALL "," FROM_ANN "," HI "," CREATE "," BY_AFFIX);
	hears(&eve, "notification.message_new"); /* and he would have been told before */
	hears_nothing(hall->hub, &bob);
	campaign(h, "c3",
		ALL "," FROM_ANN "," HI ",\"show_channels\":true," CREATE "," BY_AFFIX);
	event = hears(&bob, "channel.visible");
	assert_string_equal(at(event, "user.id"), "bob");
	assert_string_equal(at(event, "channel.cid"), "messaging:bob-ann");
	hears(&bob, "notification.message_new");
	hears(&eve, "notification.message_new");
	hears_nothing(hall->hub, &eve);
}

static void
campaigns_to_channels(void **state)
{
	struct hall *hall = *state;
	struct house *h = hall->h;
	struct ear ann = ear_of(hall, "ann"), bob = ear_of(hall, "bob"),
		   cid = ear_of(hall, "cid");
	const struct segment_change change = {
		.id = STR("s"), .type = STR("channel"), .all_sender_channels = true};
	struct segment segment;
	struct channel x;
	struct err e;

	settle(hall, &bob);
	x = API_CHANNEL(h, "x", "ann", "bob", "cid");
	API_CHANNEL(h, "y", "ann", "cid");
	done(hall);
	hears(&ann, "notification.added_to_channel");
	hears(&ann, "notification.added_to_channel");
	hears(&bob, "notification.added_to_channel");
	hears(&cid, "notification.added_to_channel");
	hears(&cid, "notification.added_to_channel");
	watch(hall->hub, &bob, x.no);
	must(segment_create(h->f->db, &h->f->arena, &change, &segment, &e), &e);
	campaign(h, "c",
		"\"segment_ids\":[\"s\"]," FROM_ANN ",\"message_template\":{\"text\":\"All\"}");
	assert_string_equal(at(hears(&bob, "message.new"), "message.text"), "All");
	assert_string_equal(at(hears(&cid, "notification.message_new"), "channel_id"), "x");
	assert_string_equal(at(hears(&cid, "notification.message_new"), "channel_id"), "y");
	hears_nothing(hall->hub, &ann);
	hears_nothing(hall->hub, &bob);
	hears_nothing(hall->hub, &cid);
}

/* What the campaign gave its channel is read once for many turns: not so when that failed. */
static void
nothing_is_kept_that_was_read_by_half(void **state)
{
	struct hall *hall = *state;
	struct house *h = hall->h;
	struct fixture *f = h->f;
	struct hub *hub = open_hub();
	struct live *live = live_new(&hall->ctx, hub);
	struct dispatch_sink sink;
	struct event *events;
	struct ear bob;
	struct channel c;
	json_t *event;
	size_t n;
	struct err e;
	int64_t last;

	live_sink(live, &sink);
	campaign(h, "c1",
		ALL "," FROM_ANN "," HI "," CREATE "," CHANNEL(
			",\"id\":\"{{receiver.id}}-{{sender.id}}\",\"members\":[\"cid\"]"));
	c = channel(h, "bob-ann");
	bob = connect_ear(hub, &f->arena, uid_of(h, "bob"));
	must(event_last(f->db, &last, &e), &e);
	for (int i = 0; i < 3; i++) {
		send_to(hall, &c, "ann", "x");
		must(event_after(f->db, &f->arena, last, 1, &events, &n, &e), &e);
		last = events[0].pos;
		if (i == 0) {
			/* Where the members of the template are looked up. */
			sql_script(f, "ALTER TABLE user_ids RENAME TO elsewhere");
			assert_false(sink.tell(sink.arg, f->db, &f->arena, events, n, &e));
			assert_int_equal(e.code, ERR_STORE);
			sql_script(f, "ALTER TABLE elsewhere RENAME TO user_ids");
		}
		must(sink.tell(sink.arg, f->db, &f->arena, events, n, &e), &e);
		event = hears(&bob, "notification.message_new");
		assert_int_equal(number(event, "channel_member_count"), 3);
	}
	hears_nothing(hub, &bob);
	hub_stop(hub, 100);
	live_free(live);
	hub_free(hub);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, hall_setup, hall_teardown)
	const struct CMUnitTest tests[] = {
		TEST(messages_go_to_watchers_and_absent_members),
		TEST(messages_are_told_together),
		TEST(reading_is_told_to_both_sides),
		TEST(hiding_is_told_to_who_hides),
		TEST(members_come_and_go),
		TEST(channels_change_and_go),
		TEST(campaigns_reach_who_is_there),
		TEST(campaigns_are_heard_in_channels_of_their_own_numbers),
		TEST(hidden_channels_stay_silent_unless_shown),
		TEST(campaigns_to_channels),
		TEST(nothing_is_kept_that_was_read_by_half),
	};

	return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
