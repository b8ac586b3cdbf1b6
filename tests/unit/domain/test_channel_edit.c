/* test_channel_edit – channels changed, cut off, deleted, made anew; and what is forgotten of
 * those deleted hard (domain/oblivion.h). */
#include "chat_fixture.h"
#include "domain/oblivion.h"
#include "domain/patch.h"
#include "domain/read.h"
#include "domain/task.h"
#include "domain/unread.h"

#define TEMPLATE                                                             \
	"{\"type\":\"messaging\",\"id\":\"{{receiver.id}}-ann\",\"custom\":" \
	"{\"colour\":\"red\"}}"

static struct message
say(struct fixture *f, const struct channel *c, int64_t author)
{
	struct message_draft d = {.text = STR("x"), .author = author};

	return must_send(f, c, &d);
}

static size_t
count_messages(struct fixture *f, const struct channel *c)
{
	struct message_page page = {.limit = 100, .floor = channel_floor(c, NULL)};
	struct message *list;
	struct err e;
	size_t n;

	must(message_list(f->db, &f->arena, &test_app, c->no, &page, &list, &n, &e), &e);
	return n;
}

/* Bob's channel of campaign 1. */
static struct channel
put_derived(struct fixture *f, struct world *w)
{
	world_make(f, w);
	put_campaign(f, w, 1, "", "", "{\"text\":\"x\"}", TEMPLATE);
	put_batch(f, w, 1, 100, &w->bob, 1, clock_now_us() - 1000 * SECOND);
	return must_find(f, "messaging", "bob-ann");
}

static struct channel
must_cut(struct fixture *f, const struct channel *c, struct channel_cut cut)
{
	struct channel out;
	struct err e;

	must(channel_truncate(f->db, &f->arena, c, &cut, &out, &e), &e);
	return out;
}

static struct channel
again(struct fixture *f, const struct channel *c)
{
	struct channel out;
	struct err e;
	bool found;

	must(channel_by_no(f->db, &f->arena, c->no, &out, &found, &e), &e);
	assert_true(found);
	must(channel_complete(f->db, &f->arena, &out, 1, &e), &e);
	return out;
}

static void
data_of_the_campaign_is_replaced_or_patched(void **state)
{
	struct fixture *f = *state;
	struct channel_edit edit = {.has_data = true, .frozen = 1, .disabled = -1};
	struct str unset[] = {STR("colour")};
	struct patch p = {.set = parse(f, "{\"deep.a\":1}")};
	struct world w;
	struct channel c, out;
	struct err e;

	c = put_derived(f, &w);
	edit.members.history_hidden = NO_TIME;
	must(channel_patch(f->db, &f->arena, &c, &p, 0, &out, &e), &e);
	assert_str(again(f, &c).custom, "{\"colour\":\"red\",\"deep\":{\"a\":1}}");
	p = (struct patch){.unset = unset, .nunset = 1};
	must(channel_patch(f->db, &f->arena, &c, &p, 0, &out, &e), &e);
	assert_str(again(f, &c).custom, "{\"deep\":{\"a\":1}}");
	must(channel_update(f->db, &f->arena, &c, &edit, &out, &e), &e);
	out = again(f, &c);
	assert_str(out.custom, "{}"); /* and not the template's */
	assert_true(out.frozen && !out.disabled);
	assert_true(out.updated_at > out.created_at);
	assert_int_equal(out.origin, 1);
}

static void
a_team_of_the_campaign_can_be_taken_away(void **state)
{
	struct fixture *f = *state;
	struct channel_edit edit = {.frozen = -1, .disabled = -1};
	struct world w;
	struct channel c, out;
	struct err e;

	c = put_derived(f, &w);
	edit.members.history_hidden = NO_TIME;
	run_sql(f, "UPDATE campaigns SET team = 'red'");
	must(channel_update(f->db, &f->arena, &c, &edit, &out, &e), &e);
	assert_str(again(f, &c).team, "red");
	edit.has_team = true;
	must(channel_update(f->db, &f->arena, &c, &edit, &out, &e), &e);
	assert_null(again(f, &c).team.p);
}

static void
tags_are_a_set(void **state)
{
	struct fixture *f = *state;
	struct str add[] = {STR("a"), STR("b"), STR("a")}, remove[] = {STR("b"), STR("z")};
	struct channel_edit edit = {
		.frozen = -1, .disabled = -1, .add_tags = add, .nadd_tags = 3};
	struct world w;
	struct channel c, out;
	struct err e;

	c = put_derived(f, &w);
	edit.members.history_hidden = NO_TIME;
	must(channel_update(f->db, &f->arena, &c, &edit, &out, &e), &e);
	assert_str(again(f, &c).filter_tags, "[\"a\",\"b\"]");
	edit.remove_tags = remove;
	edit.nremove_tags = 2;
	edit.nadd_tags = 0;
	must(channel_update(f->db, &f->arena, &c, &edit, &out, &e), &e);
	assert_str(again(f, &c).filter_tags, "[\"a\"]");
}

static void
what_is_cut_off_is_nowhere(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct member bob;
	struct read_state s;
	struct message m;
	struct err e;
	int64_t last, unread, count;
	bool found;

	c = put_derived(f, &w);
	m = say(f, &c, w.ann);
	c = must_cut(f, &c, (struct channel_cut){.at = NO_TIME});
	assert_true(c.truncated_at >= m.created_at);
	assert_int_equal(count_messages(f, &c), 0);
	must(channel_last_message_at(f->db, &c, &last, &e), &e);
	assert_int_equal(last, NO_TIME);
	must(channel_message_count(f->db, &c, &count, &e), &e);
	assert_int_equal(count, 0);
	must(channel_member(f->db, &f->arena, &c, w.bob, &bob, &found, &e), &e);
	must(unread_count(f->db, &c, &bob, &unread, &e), &e);
	assert_int_equal(unread, 0);
	must_fail(read_mark(f->db, &f->arena, &test_app, &c, w.bob, m.id, &s, &e), &e,
		ERR_NOT_FOUND, "doesn't exist");
	must(read_mark(f->db, &f->arena, &test_app, &c, w.bob, STR_NONE, &s, &e), &e);
	assert_int_equal(sql_int(f->db, "SELECT users_read FROM campaigns", NO_ARGS), 0);
	say(f, &c, w.ann);
	assert_int_equal(count_messages(f, &c), 1);
}

static void
a_cut_never_goes_back_nor_ahead(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct message first, second;

	c = put_derived(f, &w);
	first = say(f, &c, w.ann);
	second = say(f, &c, w.ann);
	c = must_cut(f, &c, (struct channel_cut){.at = second.created_at - 1});
	assert_int_equal(count_messages(f, &c), 1);
	c = must_cut(f, &c, (struct channel_cut){.at = first.created_at - 1});
	assert_int_equal(count_messages(f, &c), 1);
	c = must_cut(f, &c, (struct channel_cut){.at = INT64_MAX});
	assert_true(c.truncated_at <= clock_now_us());
	/* A clock that steps back: what is new is never cut off. */
	run_sql(f, "UPDATE channels SET truncated_at = %lld",
		(long long)clock_now_us() + 1000 * (long long)SECOND);
	c = again(f, &c);
	first = say(f, &c, w.ann);
	assert_true(first.created_at > c.truncated_at);
	assert_int_equal(count_messages(f, &c), 1);
}

static struct channel
revive(struct fixture *f, const struct world *w, const char *id)
{
	struct member_spec member = {
		.uid = w->dora, .hidden_at = NO_TIME, .archived_at = NO_TIME};
	struct channel_spec spec = {.type = STR("messaging"),
		.id = str_of(id),
		.creator = w->carl,
		.created_at = clock_now_us(),
		.custom = STR("{\"n\":1}"),
		.members = &member,
		.nmembers = 1};
	struct channel c;
	struct err e;
	bool made;

	must(channel_get_or_create(f->db, &f->arena, &spec, &c, &made, &e), &e);
	assert_true(made);
	return again(f, &c);
}

static void
assert_begun_anew(struct fixture *f, const struct world *w, const struct channel *c)
{
	struct member *members;
	struct err e;
	int64_t total;
	size_t n;

	assert_int_equal(c->deleted_at, NO_TIME);
	assert_int_equal(c->origin, 0);
	assert_int_equal(c->creator, w->carl);
	assert_str(c->custom, "{\"n\":1}");
	assert_int_equal(count_messages(f, c), 0);
	must(channel_members(f->db, &f->arena, c, 0, &members, &n, &total, &e), &e);
	assert_int_equal(n, 1);
	assert_int_equal(members[0].uid, w->dora);
}

static void
a_deletion_notes_its_task(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct channel_deletion d = {.n = 1};
	struct task task;
	struct str id;
	struct err e;

	c = put_derived(f, &w);
	d.nos = &c.no;
	must(channel_delete(f->db, &f->arena, &d, STR("{\"x\":{}}"), &id, &e), &e);
	must(task_get(f->db, &f->arena, id, &task, &e), &e);
	assert_str(task.status, "completed");
	assert_str(task.result, "{\"x\":{}}");
	assert_true(again(f, &c).deleted_at != NO_TIME);
}

static void
a_deleted_channel_begins_anew(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel derived, stored, c;
	struct err e;

	derived = put_derived(f, &w);
	int64_t both[] = {w.ann, w.bob};
	stored = make_channel(f, "messaging", "x", w.ann, both, 2);
	say(f, &derived, w.ann);
	say(f, &stored, w.ann);
	int64_t nos[] = {derived.no, stored.no};

	must_delete(f, nos, 2, false);
	must_fail(channel_get(f->db, &f->arena, STR("messaging"), STR("x"), &c, &e), &e,
		ERR_NOT_FOUND, "doesn't exist");
	c = revive(f, &w, "bob-ann");
	assert_int_equal(c.no, derived.no);
	assert_begun_anew(f, &w, &c);
	c = revive(f, &w, "x");
	assert_int_equal(c.no, stored.no);
	assert_begun_anew(f, &w, &c);
	say(f, &c, w.dora);
	assert_int_equal(count_messages(f, &c), 1);
}

/* More members than one transaction clears away. */
static void
many_members_are_cleared_in_pieces(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;

	world_make(f, &w);
	c = make_channel(f, "messaging", "x", w.ann, &w.ann, 1);
	run_sql(f,
		"INSERT INTO members (channel, uid, role, created_at) "
		"WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < "
		"21500) SELECT %lld, i, 'channel_member', 1 FROM n",
		(long long)c.no);
	must_delete(f, &c.no, 1, false);
	c = revive(f, &w, "x");
	assert_begun_anew(f, &w, &c);
}

static void
forget_all(struct fixture *f)
{
	struct err e;
	bool more = true;

	for (int i = 0; more; i++) {
		assert_true(i < 100);
		must(oblivion_step(f->db, &f->arena, &more, &e), &e);
	}
}

static void
hard_deletions_are_forgotten(void **state)
{
	struct fixture *f = *state;
	struct message_draft d = {.text = STR("secret"), .id = STR("own")};
	struct world w;
	struct channel c, other;
	struct message kept;
	struct err e;

	c = put_derived(f, &w);
	other = make_channel(f, "messaging", "y", w.ann, &w.ann, 1);
	kept = say(f, &other, w.ann);
	d.author = w.bob;
	must_send(f, &c, &d);
	/* More messages than one piece. */
	run_sql(f,
		"INSERT INTO messages (key, channel, created_at, text, author) "
		"WITH RECURSIVE n(i) AS (SELECT 10000 UNION ALL SELECT i + 1 FROM n WHERE i < "
		"16000) SELECT i, %lld, i, 'secret', 1 FROM n",
		(long long)c.no);
	must_delete(f, &c.no, 1, true);
	forget_all(f);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM oblivion", NO_ARGS), 0);
	assert_int_equal(
		sql_int(f->db, "SELECT COUNT(*) FROM messages WHERE text = 'secret'", NO_ARGS),
		0);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM members WHERE channel = $1",
				 ARGS(V_INT(c.no))),
		0);
	/* The campaign's message is proof that it was sent once (I-1). */
	assert_int_equal(sql_int(f->db,
				 "SELECT COUNT(*) FROM messages WHERE key = 100 AND channel = "
				 "0 AND text = ''",
				 NO_ARGS),
		1);
	must(message_get(f->db, &f->arena, &test_app, kept.id, &kept, &e), &e);
}

static void
a_hard_cut_forgets_only_what_it_cut(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct message kept;

	c = put_derived(f, &w);
	say(f, &c, w.ann);
	c = must_cut(f, &c, (struct channel_cut){.at = NO_TIME, .hard = true});
	kept = say(f, &c, w.ann);
	forget_all(f);
	assert_int_equal(count_messages(f, &c), 1);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM messages WHERE channel = $1",
				 ARGS(V_INT(c.no))),
		1);
	assert_int_equal(sql_int(f->db, "SELECT key FROM messages WHERE channel = $1",
				 ARGS(V_INT(c.no))),
		kept.key);
}

/* Deleted hard and made anew before anything was forgotten: the new life stays. */
static void
a_new_life_is_not_forgotten(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;

	c = put_derived(f, &w);
	say(f, &c, w.ann);
	must_delete(f, &c.no, 1, true);
	c = revive(f, &w, "bob-ann");
	say(f, &c, w.dora);
	forget_all(f);
	assert_int_equal(count_messages(f, &c), 1);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM members WHERE channel = $1",
				 ARGS(V_INT(c.no))),
		1);
}

#define with_store(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(data_of_the_campaign_is_replaced_or_patched),
		with_store(a_team_of_the_campaign_can_be_taken_away),
		with_store(tags_are_a_set),
		with_store(what_is_cut_off_is_nowhere),
		with_store(a_cut_never_goes_back_nor_ahead),
		with_store(a_deletion_notes_its_task),
		with_store(a_deleted_channel_begins_anew),
		with_store(many_members_are_cleared_in_pieces),
		with_store(hard_deletions_are_forgotten),
		with_store(a_hard_cut_forgets_only_what_it_cut),
		with_store(a_new_life_is_not_forgotten),
	};

	return cmocka_run_group_tests_name("channel_edit", tests, NULL, NULL);
}
