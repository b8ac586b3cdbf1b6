/* test_read – read marks, unread counts, and the campaigns' users_read (I-7). */
#include "chat_fixture.h"
#include "domain/message.h"
#include "domain/read.h"

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
	must(read_unread(f->db, &f->arena, c, &m, &n, &e), &e);
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

#define with_store(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(others_messages_are_unread_until_marked),
		with_store(marks_up_to_a_message_never_go_back),
		with_store(campaign_counts_each_reader_once),
		with_store(a_mark_before_the_message_does_not_count_it),
		with_store(marking_keeps_the_channel_hidden),
		with_store(states_of_many_members_agree_with_single_counts),
	};

	return cmocka_run_group_tests_name("read", tests, NULL, NULL);
}
