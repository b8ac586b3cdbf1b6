/* test_message – messages of campaigns and of the API: read, listed, sent. */
#include "chat_fixture.h"
#include "domain/message.h"
#include "domain/poll.h"

static struct message
must_get(struct fixture *f, struct str id)
{
	struct message m;
	struct err e;

	must(message_get(f->db, &f->arena, &test_app, id, &m, &e), &e);
	return m;
}

static struct str
id_of(struct fixture *f, int64_t key)
{
	return message_wire_id(&f->arena, &test_app, key, STR_NONE);
}

/* ---- reading --------------------------------------------------------------------------- */

static void
campaign_message_follows_from_its_batch(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct message m;

	world_make(f, &w);
	int64_t both[] = {w.bob, w.carl};
	put_campaign(f, &w, 1, "", "",
		"{\"text\":\"x\",\"attachments\":[{\"type\":\"image\"}],\"poll_id\":\"p\","
		"\"custom\":{\"k\":1,\"campaign_id\":\"forged\"}}",
		"{\"type\":\"messaging\"}");
	put_batch(f, &w, 1, 100, both, 2, T0);
	m = must_get(f, id_of(f, 101));
	assert_int_equal(m.key, 101);
	assert_int_equal(m.channel, CHANNEL_NO(w.carl, w.form.form));
	assert_int_equal(m.author, w.ann);
	assert_int_equal(m.campaign, 1);
	assert_str(m.text, "Hello");
	assert_str(m.type, "regular");
	assert_str(m.attachments, "[{\"type\":\"image\"}]");
	assert_str(m.poll_id, "p");
	assert_str(
		m.custom, "{\"campaign_id\":\"c1\",\"created_by_campaign_id\":\"c1\",\"k\":1}");
	assert_int_equal(m.created_at, T0);

	/* What was rendered for one recipient wins over the template. */
	run_sql(f, "UPDATE messages SET extra = '{\"attachments\":[],\"custom\":{\"k\":2}}' "
		   "WHERE key = 101");
	m = must_get(f, id_of(f, 101));
	assert_str(m.attachments, "[]");
	assert_str(
		m.custom, "{\"campaign_id\":\"c1\",\"created_by_campaign_id\":\"c1\",\"k\":2}");
}

/* Read together, in turns, and one that says for itself between them. */
static void
messages_of_several_campaigns(void **state)
{
	const int64_t keys[] = {100, 200, 101, 201};
	struct fixture *f = *state;
	struct message m[4];
	struct world w;
	struct err e;

	world_make(f, &w);
	int64_t both[] = {w.bob, w.carl};
	put_campaign(f, &w, 1, "", "",
		"{\"text\":\"x\",\"attachments\":[{\"a\":1}],\"poll_id\":\"p\"}",
		"{\"type\":\"messaging\"}");
	put_campaign(f, &w, 2, "", "", "{\"text\":\"x\",\"custom\":{\"k\":2}}",
		"{\"type\":\"messaging\"}");
	put_batch(f, &w, 1, 100, both, 2, T0);
	put_batch(f, &w, 2, 200, both, 2, T0 + 1);
	run_sql(f, "UPDATE messages SET extra = '{\"custom\":{\"own\":1}}' WHERE key = 101");
	must(message_by_keys(f->db, &f->arena, &test_app, keys, 4, m, &e), &e);
	assert_str(m[0].attachments, "[{\"a\":1}]");
	assert_str(m[0].poll_id, "p");
	assert_str(m[0].custom, "{\"campaign_id\":\"c1\",\"created_by_campaign_id\":\"c1\"}");
	assert_null(m[2].attachments.p);
	assert_str(m[2].poll_id, "p");
	assert_str(m[2].custom,
		"{\"campaign_id\":\"c1\",\"created_by_campaign_id\":\"c1\",\"own\":1}");
	for (int i = 1; i < 4; i += 2) {
		assert_int_equal(m[i].campaign, 2);
		assert_null(m[i].attachments.p);
		assert_null(m[i].poll_id.p);
		assert_str(m[i].custom,
			"{\"campaign_id\":\"c2\",\"created_by_campaign_id\":\"c2\",\"k\":2}");
	}
}

static void
unknown_messages_are_not_found(void **state)
{
	struct fixture *f = *state;
	struct message m;
	struct err e;

	must_fail(message_get(f->db, &f->arena, &test_app, STR("nope"), &m, &e), &e,
		ERR_NOT_FOUND, "message with id nope doesn't exist");
	must_fail(message_get(f->db, &f->arena, &test_app, id_of(f, 5), &m, &e), &e,
		ERR_NOT_FOUND, "doesn't exist");
}

/* Four messages; keys are not in the order of time, equal times are ordered by key. */
static struct channel
put_four(struct fixture *f, const struct world *w)
{
	struct channel c = make_channel(f, "messaging", "x", w->ann, &w->ann, 1);

	run_sql(f,
		"INSERT INTO messages (key, channel, created_at, text, author) VALUES "
		"(5, %lld, 10, 'a', 1), (3, %lld, 20, 'b', 1), (4, %lld, 20, 'c', 1), "
		"(1, %lld, 30, 'd', 1)",
		(long long)c.no, (long long)c.no, (long long)c.no, (long long)c.no);
	return c;
}

static void
assert_page(struct fixture *f, const struct channel *c, const struct message_page *page,
	const char *texts)
{
	struct str got = STR("");
	struct message *list;
	struct err e;
	size_t n;

	must(message_list(f->db, &f->arena, &test_app, c->no, page, &list, &n, &e), &e);
	for (size_t i = 0; i < n; i++)
		got = arena_printf(&f->arena, "%.*s%.*s", STR_ARG(got), STR_ARG(list[i].text));
	assert_str(got, texts);
}

static void
lists_run_from_old_to_new(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;

	world_make(f, &w);
	c = put_four(f, &w);
	assert_page(f, &c, &(struct message_page){.limit = 2}, "cd");
	assert_page(f, &c, &(struct message_page){.limit = 9}, "abcd");
	assert_page(f, &c, &(struct message_page){.limit = 9, .floor = 10}, "bcd");
	assert_page(f, &c, &(struct message_page){.limit = 9, .floor = 30}, "");
}

static void
pages_lie_beside_a_message(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c, other;
	struct message_page p = {.limit = 2, .side = PAGE_BEFORE};

	world_make(f, &w);
	c = put_four(f, &w);
	other = make_channel(f, "messaging", "y", w.ann, &w.ann, 1);
	p.id = id_of(f, 4);
	assert_page(f, &c, &p, "ab");
	p.inclusive = true;
	assert_page(f, &c, &p, "bc");
	p = (struct message_page){.limit = 2, .side = PAGE_AFTER, .id = id_of(f, 3)};
	assert_page(f, &c, &p, "cd");
	p.inclusive = true;
	assert_page(f, &c, &p, "bc");
	p.side = PAGE_AROUND;
	assert_page(f, &c, &p, "ab");
	p.limit = 1;
	assert_page(f, &c, &p, "b");
	p.limit = 9;
	assert_page(f, &c, &p, "abcd");
	p.floor = 10;
	assert_page(f, &c, &p, "bcd");
	assert_page(f, &other, &p, "");
	p.id = STR("unknown");
	assert_page(f, &c, &p, "");
}

static void
pages_lie_beside_a_time(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	struct message_page p = {.limit = 9, .side = PAGE_BEFORE, .at = 20};

	world_make(f, &w);
	c = put_four(f, &w);
	assert_page(f, &c, &p, "a");
	p.inclusive = true;
	assert_page(f, &c, &p, "abc");
	p.side = PAGE_AFTER;
	assert_page(f, &c, &p, "bcd");
	p.inclusive = false;
	assert_page(f, &c, &p, "d");
	p.side = PAGE_AROUND;
	p.limit = 3;
	assert_page(f, &c, &p, "abc");
}

/* ---- sending ---------------------------------------------------------------------------- */

static void
make_poll(struct fixture *f, const char *id, int64_t creator)
{
	struct poll_edit d = POLL_EDIT_NONE;
	struct str made;
	struct err e;

	d.id = str_of(id);
	d.name = STR("Lunch?");
	must(poll_create(f->db, &f->arena, &d, creator, &made, &e), &e);
}

static void
what_is_sent_can_be_read(void **state)
{
	struct fixture *f = *state;
	struct message_draft d = {.text = STR("hi"),
		.attachments = STR("[{\"a\":1}]"),
		.custom = STR("{\"mood\":\"good\"}"),
		.silent = true,
		.poll_id = STR("p")};
	struct world w;
	struct channel c;
	struct message m, again;

	world_make(f, &w);
	c = make_channel(f, "messaging", "x", w.ann, &w.ann, 1);
	make_poll(f, "p", w.ann);
	d.author = w.bob;
	d.mentioned = &w.carl;
	d.nmentioned = 1;
	m = must_send(f, &c, &d);
	again = must_get(f, m.id);
	assert_int_equal(again.key, m.key);
	assert_int_equal(again.author, w.bob);
	assert_int_equal(again.campaign, 0);
	assert_str(again.text, "hi");
	assert_str(again.attachments, "[{\"a\":1}]");
	assert_str(again.custom, "{\"mood\":\"good\"}");
	assert_str(again.poll_id, "p");
	assert_true(again.silent);
	assert_int_equal(again.nmentioned, 1);
	assert_int_equal(again.mentioned[0], w.carl);
	assert_int_equal(again.created_at, again.updated_at);
}

static void
polls_must_exist_and_may_have_to_be_ones_own(void **state)
{
	struct fixture *f = *state;
	struct message_draft d = {.text = STR("hi"), .poll_id = STR("p")};
	struct world w;
	struct channel c;
	struct message m;
	struct err e;

	world_make(f, &w);
	c = make_channel(f, "messaging", "x", w.ann, &w.ann, 1);
	d.author = w.bob;
	must_fail(message_send(f->db, &f->arena, &test_app, &c, &d, &m, &e), &e, ERR_NOT_FOUND,
		"message.poll_id: poll with id p doesn't exist");
	make_poll(f, "p", w.ann);
	must_send(f, &c, &d);
	d.own_polls_only = true;
	must_fail(message_send(f->db, &f->arena, &test_app, &c, &d, &m, &e), &e, ERR_DENIED,
		"message.poll_id: poll with id p can be sent only by the user who created it");
	d.author = w.ann;
	must_send(f, &c, &d);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM messages", NO_ARGS), 2);
}

static void
ids_of_clients(void **state)
{
	struct fixture *f = *state;
	struct message_draft d = {.text = STR("hi")};
	struct world w;
	struct channel c;
	struct message m;
	struct err e;

	world_make(f, &w);
	c = make_channel(f, "messaging", "x", w.ann, &w.ann, 1);
	d.author = w.ann;
	d.id = STR("mine");
	m = must_send(f, &c, &d);
	assert_str(m.id, "mine");
	assert_str(must_get(f, STR("mine")).text, "hi");
	must_fail(message_send(f->db, &f->arena, &test_app, &c, &d, &m, &e), &e, ERR_INPUT,
		"mine already exists");
	d.id = STR("a,b");
	must_fail(message_send(f->db, &f->arena, &test_app, &c, &d, &m, &e), &e, ERR_INPUT,
		"message.id");
	d.id = STR("a%b");
	must_fail(message_send(f->db, &f->arena, &test_app, &c, &d, &m, &e), &e, ERR_INPUT,
		"message.id");
	/* Else a client could stand where a message to come will be. */
	d.id = id_of(f, 4711);
	must_fail(message_send(f->db, &f->arena, &test_app, &c, &d, &m, &e), &e, ERR_INPUT,
		"the server makes");
}

static void
long_texts_are_refused(void **state)
{
	struct fixture *f = *state;
	struct message_draft d = {0};
	struct world w;
	struct channel c;
	struct message m;
	struct err e;
	struct buf b;

	world_make(f, &w);
	c = make_channel(f, "messaging", "x", w.ann, &w.ann, 1);
	buf_init(&b, &f->arena, 16);
	for (int i = 0; i < 5000; i++)
		buf_str(&b, STR("é"));
	d.author = w.ann;
	d.text = buf_view(&b);
	must_send(f, &c, &d);
	buf_char(&b, 'x');
	d.text = buf_view(&b);
	must_fail(message_send(f->db, &f->arena, &test_app, &c, &d, &m, &e), &e, ERR_TOO_LONG,
		"message.text");
}

static void
parents_must_be_in_the_channel(void **state)
{
	struct fixture *f = *state;
	struct message_draft d = {.text = STR("hi")};
	struct world w;
	struct channel x, y;
	struct message parent, m;
	struct err e;

	world_make(f, &w);
	x = make_channel(f, "messaging", "x", w.ann, &w.ann, 1);
	y = make_channel(f, "messaging", "y", w.ann, &w.ann, 1);
	d.author = w.ann;
	parent = must_send(f, &x, &d);
	d.parent_id = parent.id;
	m = must_send(f, &x, &d);
	assert_true(str_eq(m.parent_id, parent.id));
	must_fail(message_send(f->db, &f->arena, &test_app, &y, &d, &m, &e), &e, ERR_INPUT,
		"message.parent_id");
}

/* An answer brings the channel back to those who hid it, the campaign's sender included. */
static void
sending_shows_the_channel_to_others(void **state)
{
	struct fixture *f = *state;
	struct message_draft d = {.text = STR("thanks"), .keep_hidden = true};
	struct world w;
	struct channel c;
	struct member one;
	struct err e;
	bool found;

	world_make(f, &w);
	put_campaign(f, &w, 1, "", "hidden", "{\"text\":\"x\"}", "{\"type\":\"messaging\"}");
	put_batch(f, &w, 1, 100, &w.bob, 1, T0);
	c = must_find(f, "messaging", "bob-ann");
	d.author = w.bob;
	must_send(f, &c, &d);
	must(channel_member(f->db, &f->arena, &c, w.ann, &one, &found, &e), &e);
	assert_true(found && one.has_row);
	assert_int_equal(one.hidden_at, T0);
	d.keep_hidden = false;
	must_send(f, &c, &d);
	must(channel_member(f->db, &f->arena, &c, w.ann, &one, &found, &e), &e);
	assert_int_equal(one.hidden_at, NO_TIME);
	/* His own row is not needed: his number leads there. */
	must(channel_member(f->db, &f->arena, &c, w.bob, &one, &found, &e), &e);
	assert_true(found && !one.has_row);
}

static void
large_attachments_are_refused(void **state)
{
	struct fixture *f = *state;
	char *blob = arena_zalloc(&f->arena, MESSAGE_MAX_EXTRA);
	struct message_draft d = {.text = STR("hi"), .custom = STR("{\"a\":1}")};
	struct world w;
	struct channel c;
	struct message m;
	struct err e;

	world_make(f, &w);
	c = make_channel(f, "messaging", "x", w.ann, &w.ann, 1);
	d.author = w.ann;
	memset(blob, 'x', MESSAGE_MAX_EXTRA - 17);
	d.attachments = arena_printf(&f->arena, "[{\"a\":\"%s\"}]", blob);
	must_send(f, &c, &d);
	memset(blob, 'x', MESSAGE_MAX_EXTRA - 16);
	d.attachments = arena_printf(&f->arena, "[{\"a\":\"%s\"}]", blob);
	must_fail(message_send(f->db, &f->arena, &test_app, &c, &d, &m, &e), &e, ERR_INPUT,
		"message.attachments");
}

/* A list stops at the memory of a request, not behind it (I-16). */
static void
lists_stop_when_memory_ends(void **state)
{
	struct fixture *f = *state;
	char *blob = arena_zalloc(&f->arena, 60001);
	struct message_draft d = {.text = STR("hi")};
	struct message_page page = {.limit = 300};
	struct world w;
	struct channel c;
	struct message *list;
	struct arena small;
	struct err e;
	size_t n;

	world_make(f, &w);
	c = make_channel(f, "messaging", "x", w.ann, &w.ann, 1);
	d.author = w.ann;
	memset(blob, 'x', 60000);
	d.attachments = arena_printf(&f->arena, "[{\"a\":\"%s\"}]", blob);
	for (int i = 0; i < 20; i++)
		must_send(f, &c, &d);
	arena_init(&small, 4096, 300000);
	must_fail(message_list(f->db, &small, &test_app, c.no, &page, &list, &n, &e), &e,
		ERR_TOO_LARGE, "too large");
	assert_true(small.used < 400000);
	arena_fini(&small);
}

/* ---- changing --------------------------------------------------------------------------- */

static void
a_campaigns_message_is_changed_alone(void **state)
{
	struct fixture *f = *state;
	struct message_edit edit = {.has_text = true, .text = STR("new")};
	struct world w;
	struct channel c;
	struct message m, other;
	struct err e;

	world_make(f, &w);
	int64_t both[] = {w.bob, w.carl};
	put_campaign(f, &w, 1, "", "",
		"{\"text\":\"x\",\"attachments\":[{\"a\":1}],\"custom\":{\"k\":2}}",
		"{\"type\":\"messaging\"}");
	put_batch(f, &w, 1, 100, both, 2, T0);
	c = must_find(f, "messaging", "bob-ann");
	must(message_update(f->db, &f->arena, &test_app, &c, id_of(f, 100), &edit, &m, &e), &e);
	assert_str(m.text, "new");
	assert_str(m.attachments, "[{\"a\":1}]");
	assert_int_equal(m.campaign, 1);
	edit = (struct message_edit){
		.has_text = true, .has_attachments = true, .has_custom = true};
	edit.text = STR("bare");
	must(message_update(f->db, &f->arena, &test_app, &c, id_of(f, 100), &edit, &m, &e), &e);
	assert_null(m.attachments.p); /* and not the template's */
	assert_str(m.custom, "{\"campaign_id\":\"c1\",\"created_by_campaign_id\":\"c1\"}");
	must(message_get(f->db, &f->arena, &test_app, id_of(f, 101), &other, &e), &e);
	assert_str(other.attachments, "[{\"a\":1}]");
	edit.text = STR("");
	must_fail(message_update(f->db, &f->arena, &test_app, &c, id_of(f, 100), &edit, &m, &e),
		&e, ERR_INPUT, "expected a text");
}

static void
deleted_messages(void **state)
{
	struct fixture *f = *state;
	struct message_page page = {.limit = 9};
	struct message_edit edit = {.has_text = true, .text = STR("x")};
	struct world w;
	struct channel c;
	const int64_t keys[] = {3, 99, 4, 1};
	struct message m, *list, by_key[ARRAY_LEN(keys)];
	struct message_ref *refs;
	int64_t since = 10;
	struct err e;
	size_t n;
	bool found;

	world_make(f, &w);
	c = put_four(f, &w);
	must(message_find(f->db, &f->arena, &test_app, id_of(f, 3), &m, &found, &e), &e);
	must(message_delete(f->db, &f->arena, &m, false, &e), &e);
	must(message_find(f->db, &f->arena, &test_app, id_of(f, 4), &m, &found, &e), &e);
	must(message_delete(f->db, &f->arena, &m, true, &e), &e);
	must(message_list(f->db, &f->arena, &test_app, c.no, &page, &list, &n, &e), &e);
	assert_int_equal(n, 3);
	assert_str(list[1].type, "deleted");
	assert_str(list[1].text, "");
	must_fail(message_get(f->db, &f->arena, &test_app, id_of(f, 3), &m, &e), &e,
		ERR_NOT_FOUND, "doesn't exist");
	must_fail(message_update(f->db, &f->arena, &test_app, &c, id_of(f, 3), &edit, &m, &e),
		&e, ERR_NOT_FOUND, "doesn't exist");
	must(message_find(f->db, &f->arena, &test_app, id_of(f, 3), &m, &found, &e), &e);
	assert_true(found && m.deleted_at != NO_TIME);
	assert_str(m.text, "b");
	must(message_find(f->db, &f->arena, &test_app, id_of(f, 4), &m, &found, &e), &e);
	assert_false(found);
	/* By their keys; what is forgotten has none. */
	must(message_by_keys(f->db, &f->arena, &test_app, keys, ARRAY_LEN(keys), by_key, &e),
		&e);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_int_equal(by_key[i].key, keys[i] == 4 || keys[i] == 99 ? 0 : keys[i]);
	assert_true(by_key[0].deleted_at != NO_TIME && by_key[3].deleted_at == NO_TIME);
	assert_str(by_key[3].text, "d");
	/* Since a time, of those that are there. */
	must(message_since(f->db, &f->arena, &c.no, &since, 1, 9, &refs, &n, &e), &e);
	assert_int_equal(n, 1);
	assert_true(refs[0].key == 1 && refs[0].created_at == 30 && refs[0].channel == 0);
	since = 9;
	must(message_since(f->db, &f->arena, &c.no, &since, 1, 1, &refs, &n, &e), &e);
	assert_int_equal(n, 2); /* more than one */
	/* Pages beside a deleted message still have a place. */
	page = (struct message_page){.limit = 9, .side = PAGE_AFTER, .id = id_of(f, 3)};
	assert_page(f, &c, &page, "d");
}

#define with_store(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(campaign_message_follows_from_its_batch),
		with_store(messages_of_several_campaigns),
		with_store(unknown_messages_are_not_found),
		with_store(lists_run_from_old_to_new),
		with_store(pages_lie_beside_a_message),
		with_store(pages_lie_beside_a_time),
		with_store(a_campaigns_message_is_changed_alone),
		with_store(deleted_messages),
		with_store(what_is_sent_can_be_read),
		with_store(polls_must_exist_and_may_have_to_be_ones_own),
		with_store(ids_of_clients),
		with_store(long_texts_are_refused),
		with_store(parents_must_be_in_the_channel),
		with_store(sending_shows_the_channel_to_others),
		with_store(large_attachments_are_refused),
		with_store(lists_stop_when_memory_ends),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
