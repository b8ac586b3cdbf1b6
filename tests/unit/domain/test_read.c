/* test_read – read marks, unread counts, and the campaigns' users_read (I-7). */
#include "chat_fixture.h"
#include "domain/message.h"
#include "domain/read.h"
#include "domain/unread.h"

static struct read_state
must_mark(struct fixture *f, const struct channel *c, int64_t uid, struct str id)
{
	struct read_state s;
	struct err e;

	must(read_mark(f->db, &f->arena, &test_app, c, uid, id, &s, &e), &e);
	return s;
}

static struct message
say(struct fixture *f, const struct channel *c, int64_t author, bool silent, struct str parent)
{
	struct message_draft d = {
		.text = STR("x"), .author = author, .silent = silent, .parent_id = parent};

	return must_send(f, c, &d);
}

static int64_t
unread(struct fixture *f, const struct channel *c, int64_t uid)
{
	struct member m;
	struct err e;
	int64_t n;
	bool found;

	must(channel_member(f->db, &f->arena, c, uid, &m, &found, &e), &e);
	assert_true(found);
	must(unread_count(f->db, c, &m, &n, &e), &e);
	return n;
}

static void
others_messages_are_unread_until_marked(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct message last;
	struct read_state s;

	world_make(f, &w);
	int64_t both[] = {w.ann, w.bob};
	c = make_channel(f, "messaging", "x", w.ann, both, 2);
	last = say(f, &c, w.ann, false, STR_NONE);
	say(f, &c, w.ann, true, STR_NONE);
	say(f, &c, w.ann, false, last.id);
	last = say(f, &c, w.ann, false, STR_NONE);
	assert_int_equal(unread(f, &c, w.bob), 2); /* not the silent one, not the reply */
	assert_int_equal(unread(f, &c, w.ann), 0);
	s = must_mark(f, &c, w.bob, STR_NONE);
	assert_int_equal(s.uid, w.bob);
	assert_int_equal(s.unread, 0);
	assert_true(str_eq(s.last_message_id, last.id));
	assert_true(s.last_read >= last.created_at);
	assert_int_equal(unread(f, &c, w.bob), 0);
	say(f, &c, w.ann, false, STR_NONE);
	assert_int_equal(unread(f, &c, w.bob), 1);
}

static void
marks_up_to_a_message_never_go_back(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c, other;
	struct message first, second, elsewhere;
	struct read_state s;
	struct err e;

	world_make(f, &w);
	int64_t both[] = {w.ann, w.bob};
	c = make_channel(f, "messaging", "x", w.ann, both, 2);
	other = make_channel(f, "messaging", "y", w.ann, both, 2);
	first = say(f, &c, w.ann, false, STR_NONE);
	second = say(f, &c, w.ann, false, STR_NONE);
	say(f, &c, w.ann, false, STR_NONE);
	elsewhere = say(f, &other, w.ann, false, STR_NONE);
	s = must_mark(f, &c, w.bob, second.id);
	assert_int_equal(s.unread, 1);
	s = must_mark(f, &c, w.bob, first.id);
	assert_int_equal(s.unread, 1);
	assert_true(str_eq(s.last_message_id, second.id));
	must_fail(read_mark(f->db, &f->arena, &test_app, &c, w.bob, elsewhere.id, &s, &e), &e,
		ERR_NOT_FOUND, "doesn't exist");
	must_fail(read_mark(f->db, &f->arena, &test_app, &c, w.dora, STR_NONE, &s, &e), &e,
		ERR_INPUT, "not a member");
}

/* I-7: users_read counts every recipient once, and only recipients. */
static void
campaign_counts_each_reader_once(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel bobs, carls;

	world_make(f, &w);
	int64_t both[] = {w.bob, w.carl};
	put_campaign(f, &w, 1, "", "", "{\"text\":\"x\"}", "{\"type\":\"messaging\"}");
	put_batch(f, &w, 1, 100, both, 2, T0 - 100000 * SECOND);
	bobs = must_find(f, "messaging", "bob-ann");
	carls = must_find(f, "messaging", "carl-ann");
	assert_int_equal(unread(f, &bobs, w.bob), 1);
	assert_int_equal(unread(f, &bobs, w.ann), 0);
	must_mark(f, &bobs, w.ann, STR_NONE);
	assert_int_equal(sql_int(f->db, "SELECT users_read FROM campaigns", NO_ARGS), 0);
	must_mark(f, &bobs, w.bob, STR_NONE);
	must_mark(f, &bobs, w.bob, STR_NONE);
	assert_int_equal(unread(f, &bobs, w.bob), 0);
	assert_int_equal(sql_int(f->db, "SELECT users_read FROM campaigns", NO_ARGS), 1);
	assert_int_equal(sql_int(f->db, "SELECT reads = x'01' FROM batches", NO_ARGS), 1);
	must_mark(f, &carls, w.carl, message_wire_id(&f->arena, &test_app, 101, STR_NONE));
	assert_int_equal(sql_int(f->db, "SELECT users_read FROM campaigns", NO_ARGS), 2);
	assert_int_equal(sql_int(f->db, "SELECT reads = x'03' FROM batches", NO_ARGS), 1);
}

static void
a_mark_before_the_message_does_not_count_it(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct message early;
	int64_t now = clock_now_us();

	world_make(f, &w);
	put_campaign(f, &w, 1, "", "", "{\"text\":\"x\"}", "{\"type\":\"messaging\"}");
	c = make_channel(f, "messaging", "bob-ann", w.ann, &w.bob, 1);
	early = say(f, &c, w.ann, false, STR_NONE);
	put_batch(f, &w, 1, 100, &w.bob, 1, now + 1000 * SECOND);
	must_mark(f, &c, w.bob, early.id);
	assert_int_equal(sql_int(f->db, "SELECT users_read FROM campaigns", NO_ARGS), 0);
	/* A clock that stepped back does not lose the read. */
	must_mark(f, &c, w.bob, STR_NONE);
	assert_int_equal(sql_int(f->db, "SELECT users_read FROM campaigns", NO_ARGS), 1);
	assert_int_equal(unread(f, &c, w.bob), 0);
}

/* A message has the time of when its transaction began, and may be committed behind a mark of a
 * later time: whoever set it has not seen the message. */
static void
a_late_commit_is_unread(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c, empty;
	struct message early;
	struct read_state s;
	struct unread all;
	struct err e;
	int64_t at;

	world_make(f, &w);
	put_campaign(f, &w, 1, "", "", "{\"text\":\"x\"}", "{\"type\":\"messaging\"}");
	c = make_channel(f, "messaging", "bob-ann", w.ann, &w.bob, 1);
	empty = make_channel(f, "messaging", "carl-ann", w.ann, &w.carl, 1);
	early = say(f, &c, w.ann, false, STR_NONE);
	at = early.created_at + 1;
	while (clock_now_us() <= at)
		continue;
	s = must_mark(f, &c, w.bob, STR_NONE);
	must_mark(f, &empty, w.carl, STR_NONE);
	assert_true(s.last_read > at);
	put_batch(f, &w, 1, 100, (int64_t[]){w.bob, w.carl}, 2, at);
	assert_int_equal(unread(f, &c, w.bob), 1);
	assert_int_equal(unread(f, &empty, w.carl), 1);
	must(unread_of_users(f->db, &f->arena, &w.bob, 1, &all, &e), &e);
	assert_int_equal(all.messages, 1);
	s = must_mark(f, &c, w.bob, early.id);
	assert_int_equal(s.unread, 1);
	assert_int_equal(sql_int(f->db, "SELECT users_read FROM campaigns", NO_ARGS), 0);
	s = must_mark(f, &c, w.bob, STR_NONE);
	assert_int_equal(s.unread, 0);
	assert_int_equal(sql_int(f->db, "SELECT users_read FROM campaigns", NO_ARGS), 1);
	must_mark(f, &empty, w.carl, STR_NONE);
	assert_int_equal(unread(f, &empty, w.carl), 0);
	assert_int_equal(sql_int(f->db, "SELECT users_read FROM campaigns", NO_ARGS), 2);
}

/* A mark must not undo what the campaign made of the sender's membership. */
static void
marking_keeps_the_channel_hidden(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct member m;
	struct err e;
	bool found;

	world_make(f, &w);
	put_campaign(f, &w, 1, "", "archived", "{\"text\":\"x\"}", "{\"type\":\"messaging\"}");
	put_batch(f, &w, 1, 100, &w.bob, 1, T0);
	c = must_find(f, "messaging", "bob-ann");
	must_mark(f, &c, w.ann, STR_NONE);
	must(channel_member(f->db, &f->arena, &c, w.ann, &m, &found, &e), &e);
	assert_true(found && m.has_row && m.derived);
	assert_int_equal(m.archived_at, T0);
	assert_int_not_equal(m.last_read, NO_TIME);
}

static void
states_of_many_members_agree_with_single_counts(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct member *members;
	struct read_state *states;
	struct err e;
	int64_t total;
	size_t n;

	world_make(f, &w);
	int64_t all[] = {w.ann, w.bob, w.carl, w.dora};
	c = make_channel(f, "messaging", "x", w.ann, all, 4);
	for (size_t i = 0; i < 7; i++) {
		say(f, &c, all[i % 3], false, STR_NONE);
		if (i == 3)
			must_mark(f, &c, w.dora, STR_NONE);
	}
	must(channel_members(f->db, &f->arena, &c, 0, &members, &n, &total, &e), &e);
	must(read_states(f->db, &f->arena, &test_app, &c, members, n, &states, &e), &e);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(states[i].unread, unread(f, &c, members[i].uid));
	assert_int_equal(states[0].unread, 4); /* ann wrote three of seven */
	assert_int_equal(states[3].unread, 3);
	assert_non_null(states[3].last_message_id.p);
	assert_null(states[0].last_message_id.p);
}

/* Campaigns 1 and 2 of ann's to bob and carl, in the past. */
static void
put_two(struct fixture *f, struct world *w, struct channel *bobs, struct channel *carls)
{
	int64_t now = clock_now_us();

	world_make(f, w);
	int64_t both[] = {w->bob, w->carl};
	for (int no = 1; no <= 2; no++) {
		put_campaign(f, w, no, "", "", "{\"text\":\"x\"}", "{\"type\":\"messaging\"}");
		put_batch(f, w, no, 100 * no, both, 2, now - (10 - no) * 100 * SECOND);
	}
	*bobs = must_find(f, "messaging", "bob-ann");
	*carls = must_find(f, "messaging", "carl-ann");
}

static int64_t
readers(struct fixture *f, int no)
{
	return sql_int(
		f->db, "SELECT users_read FROM campaigns WHERE no = $1", ARGS(V_INT(no)));
}

/* I-7: many channels at once count as one after the other, each user once a campaign. */
static void
many_channels_at_once(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel channels[2], carls;
	struct message early;
	struct err e;

	put_two(f, &w, &channels[0], &carls);
	int64_t both[] = {w.ann, w.bob};
	channels[1] = make_channel(f, "messaging", "x", w.ann, both, 2);
	early = say(f, &channels[1], w.ann, false, STR_NONE);
	say(f, &channels[1], w.ann, false, STR_NONE);
	struct str ids[] = {STR_NONE, early.id};

	must(read_mark_many(f->db, &f->arena, &test_app, channels, ids, 2, w.bob, &e), &e);
	assert_int_equal(unread(f, &channels[0], w.bob), 0);
	assert_int_equal(unread(f, &channels[1], w.bob), 1);
	assert_int_equal(readers(f, 1), 1);
	assert_int_equal(readers(f, 2), 1);
	must(read_mark_many(f->db, &f->arena, &test_app, channels, ids, 2, w.bob, &e), &e);
	assert_int_equal(readers(f, 1), 1);
	/* All or nothing: carl is not in the second. */
	channels[0] = carls;
	must_fail(read_mark_many(f->db, &f->arena, &test_app, channels, ids, 2, w.carl, &e), &e,
		ERR_INPUT, "not a member");
	assert_int_equal(readers(f, 1), 1);
	must(read_mark_all(f->db, &f->arena, &test_app, w.carl, &e), &e);
	assert_int_equal(unread(f, &carls, w.carl), 0);
	assert_int_equal(readers(f, 1), 2);
	assert_int_equal(readers(f, 2), 2);
	must(read_mark_all(f->db, &f->arena, &test_app, w.carl, &e), &e);
	must(read_mark_all(f->db, &f->arena, &test_app, w.dora, &e), &e);
	assert_int_equal(readers(f, 1), 2);
}

/* One channel for all recipients of a batch: the bit is the reader's own. */
static void
a_shared_channel_counts_its_readers(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;

	world_make(f, &w);
	int64_t all[] = {w.ann, w.bob, w.carl, w.dora}, sent[] = {w.bob, w.carl, w.dora};
	c = make_channel(f, "messaging", "hall", w.ann, all, 4);
	put_campaign(f, &w, 1, "", "", "{\"text\":\"x\"}", "{\"type\":\"messaging\"}");
	put_batch(f, &w, 1, 100, sent, 3, T0 - 100000 * SECOND);
	run_sql(f, "UPDATE messages SET channel = %lld", (long long)c.no);
	must_mark(f, &c, w.dora, STR_NONE);
	must_mark(f, &c, w.ann, STR_NONE);
	assert_int_equal(readers(f, 1), 1);
	assert_int_equal(sql_int(f->db, "SELECT reads = x'04' FROM batches", NO_ARGS), 1);
	must_mark(f, &c, w.bob, STR_NONE);
	assert_int_equal(sql_int(f->db, "SELECT reads = x'05' FROM batches", NO_ARGS), 1);
	assert_int_equal(readers(f, 1), 2);
}

static void
marks_are_taken_back(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c, other;
	struct message m[3];
	struct read_state s;
	struct err e;

	world_make(f, &w);
	int64_t both[] = {w.ann, w.bob};
	c = make_channel(f, "messaging", "x", w.ann, both, 2);
	other = make_channel(f, "messaging", "y", w.ann, both, 2);
	for (int i = 0; i < 3; i++)
		m[i] = say(f, &c, w.ann, false, STR_NONE);
	must_mark(f, &c, w.bob, STR_NONE);
	must(read_unmark(f->db, &f->arena, &test_app, &c, w.bob, m[1].id, 0, &e), &e);
	assert_int_equal(unread(f, &c, w.bob), 2);
	/* Never forward. */
	must(read_unmark(f->db, &f->arena, &test_app, &c, w.bob, m[2].id, 0, &e), &e);
	assert_int_equal(unread(f, &c, w.bob), 2);
	s = must_mark(f, &c, w.bob, m[1].id);
	assert_int_equal(s.unread, 1);
	must(read_unmark(f->db, &f->arena, &test_app, &c, w.bob, STR_NONE, m[0].created_at, &e),
		&e);
	assert_int_equal(unread(f, &c, w.bob), 3);
	must_fail(read_unmark(f->db, &f->arena, &test_app, &other, w.bob, m[0].id, 0, &e), &e,
		ERR_NOT_FOUND, "doesn't exist");
	must_fail(read_unmark(f->db, &f->arena, &test_app, &c, w.dora, m[0].id, 0, &e), &e,
		ERR_INPUT, "not a member");
}

/* I-7: whoever read it has read it, however often he takes the mark back. */
static void
taking_back_counts_nothing_twice(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel bobs, carls;
	struct err e;

	put_two(f, &w, &bobs, &carls);
	for (int i = 0; i < 3; i++) {
		must_mark(f, &bobs, w.bob, STR_NONE);
		assert_int_equal(readers(f, 1), 1);
		assert_int_equal(readers(f, 2), 1);
		must(read_unmark(f->db, &f->arena, &test_app, &bobs, w.bob,
			     message_wire_id(&f->arena, &test_app, 100, STR_NONE), 0, &e),
			&e);
		assert_int_equal(unread(f, &bobs, w.bob), 2);
		assert_int_equal(readers(f, 1), 1);
	}
}

static void
deliveries_are_noted(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel channels[2], carls;
	struct read_state *states;
	struct member bob;
	struct err e;
	bool found;

	put_two(f, &w, &channels[0], &carls);
	channels[1] = make_channel(f, "messaging", "x", w.ann, &w.ann, 1);
	int64_t keys[] = {200, 1};

	must(read_deliver(f->db, &f->arena, channels, keys, 2, w.bob, &e), &e);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM members WHERE uid = $1",
				 ARGS(V_INT(w.bob))),
		1);
	must(channel_member(f->db, &f->arena, &channels[0], w.bob, &bob, &found, &e), &e);
	assert_true(found && bob.delivered_at != NO_TIME);
	assert_int_equal(bob.last_read, NO_TIME);
	must(read_states(f->db, &f->arena, &test_app, &channels[0], &bob, 1, &states, &e), &e);
	assert_true(str_eq(states[0].delivered_message_id,
		message_wire_id(&f->arena, &test_app, 200, STR_NONE)));
	assert_int_equal(states[0].unread, 2);
}

#define with_store(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(others_messages_are_unread_until_marked),
		with_store(marks_up_to_a_message_never_go_back),
		with_store(campaign_counts_each_reader_once),
		with_store(a_mark_before_the_message_does_not_count_it),
		with_store(a_late_commit_is_unread),
		with_store(marking_keeps_the_channel_hidden),
		with_store(states_of_many_members_agree_with_single_counts),
		with_store(many_channels_at_once),
		with_store(a_shared_channel_counts_its_readers),
		with_store(marks_are_taken_back),
		with_store(taking_back_counts_nothing_twice),
		with_store(deliveries_are_noted),
	};

	return cmocka_run_group_tests_name("read", tests, NULL, NULL);
}
