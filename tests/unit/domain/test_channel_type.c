/* test_channel_type – built-in channel types, changed ones, the app's own. */
#include "chat_fixture.h"
#include "domain/channel_type.h"

static struct channel_type
must_get(struct fixture *f, const char *name)
{
	struct channel_type t;
	struct err e;

	must(channel_type_get(f->db, &f->arena, str_of(name), &t, &e), &e);
	return t;
}

static bool
exists(struct fixture *f, const char *name)
{
	struct err e;
	bool out;

	must(channel_type_exists(f->db, str_of(name), &out, &e), &e);
	return out;
}

static struct str
value(const struct channel_type *t, const char *name)
{
	for (size_t i = 0; i < channel_type_nfields; i++)
		if (strcmp(channel_type_fields[i].name, name) == 0)
			return channel_type_value(t, &channel_type_fields[i]);
	fail_msg("there is no field %s", name);
	return STR_NONE;
}

static void
built_in_types_need_no_row(void **state)
{
	static const char *const names[] = {
		"messaging", "team", "livestream", "gaming", "commerce"};
	struct fixture *f = *state;
	struct channel_type *list;
	struct err e;
	size_t n;

	must(channel_type_list(f->db, &f->arena, &list, &n, &e), &e);
	assert_int_equal(n, ARRAY_LEN(names));
	for (size_t i = 0; i < n; i++) {
		struct channel_type t = must_get(f, names[i]);

		assert_str(list[i].name, names[i]);
		assert_true(exists(f, names[i]));
		assert_int_equal(channel_type_max_message(&t), 5000);
		assert_true(channel_type_flag(&t, "read_events"));
		assert_false(channel_type_flag(&t, "reactions"));
		assert_null(value(&t, "blocklist").p);
	}
	assert_false(exists(f, "chess"));
	must_fail(channel_type_get(f->db, &f->arena, STR("chess"), list, &e), &e, ERR_NOT_FOUND,
		"chess is not a defined channel type");
}

static void
what_was_set_is_merged(void **state)
{
	struct fixture *f = *state;
	struct channel_type t;
	struct err e;

	must(channel_type_update(f->db, &f->arena, STR("team"),
		     parse(f, "{\"max_message_length\":7,\"quotes\":false,\"x\":1}"), &t, &e),
		&e);
	must(channel_type_update(f->db, &f->arena, STR("team"),
		     parse(f, "{\"quotes\":null,\"replies\":false,\"max_message_length\":8.0}"),
		     &t, &e),
		&e);
	t = must_get(f, "team");
	assert_str(t.config, "{\"quotes\":false,\"max_message_length\":8,\"replies\":false}");
	assert_int_equal(channel_type_max_message(&t), 8);
	assert_true(t.updated_at > t.created_at);
	t = must_get(f, "gaming");
	assert_int_equal(channel_type_max_message(&t), 5000);
}

static void
types_of_the_app_come_and_go(void **state)
{
	struct fixture *f = *state;
	struct channel_type t, *list;
	struct world w;
	struct err e;
	size_t n;

	world_make(f, &w);
	must(channel_type_create(f->db, &f->arena, STR("shop"),
		     parse(f, "{\"grants\":{\"user\":[]}}"), &t, &e),
		&e);
	must_fail(channel_type_create(f->db, &f->arena, STR("shop"), NULL, &t, &e), &e,
		ERR_INPUT, "exists already");
	must_fail(channel_type_create(f->db, &f->arena, STR("team"), NULL, &t, &e), &e,
		ERR_INPUT, "exists already");
	must_fail(channel_type_create(f->db, &f->arena, STR("a b"), NULL, &t, &e), &e,
		ERR_INPUT, "no channel type");
	must(channel_type_list(f->db, &f->arena, &list, &n, &e), &e);
	assert_int_equal(n, 6);
	assert_str(list[5].name, "shop");
	must_fail(channel_type_delete(f->db, &f->arena, STR("team"), &e), &e, ERR_INPUT,
		"built-in");
	must_fail(channel_type_delete(f->db, &f->arena, STR("chess"), &e), &e, ERR_NOT_FOUND,
		"not a defined");
	/* A channel of it, and one whose type only begins alike. */
	must(channel_type_create(f->db, &f->arena, STR("sho"), NULL, &t, &e), &e);
	make_channel(f, "shop", "x", w.ann, &w.ann, 1);
	must_fail(channel_type_delete(f->db, &f->arena, STR("shop"), &e), &e, ERR_INPUT,
		"there are channels");
	must(channel_type_delete(f->db, &f->arena, STR("sho"), &e), &e);
	assert_false(exists(f, "sho"));
	assert_true(exists(f, "shop"));
}

static void
texts_keep_to_their_type(void **state)
{
	struct fixture *f = *state;
	struct message_draft d = {.text = STR("12345")};
	struct channel_type t;
	struct channel c;
	struct message m;
	struct world w;
	struct err e;

	world_make(f, &w);
	must(channel_type_create(f->db, &f->arena, STR("brief"),
		     parse(f, "{\"max_message_length\":5}"), &t, &e),
		&e);
	c = make_channel(f, "brief", "x", w.ann, &w.ann, 1);
	d.author = w.ann;
	must_send(f, &c, &d);
	d.text = STR("123456");
	must_fail(message_send(f->db, &f->arena, &test_app, &c, &d, &m, &e), &e, ERR_TOO_LONG,
		"longer than 5 characters");
}

#define with_store(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(built_in_types_need_no_row),
		with_store(what_was_set_is_merged),
		with_store(types_of_the_app_come_and_go),
		with_store(texts_keep_to_their_type),
	};

	return cmocka_run_group_tests_name("channel_type", tests, NULL, NULL);
}
