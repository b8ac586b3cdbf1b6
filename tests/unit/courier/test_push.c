/* test_push – which devices hear of which messages, in what words, and that what is packed
 * again is the same (api.md §10). */
#include "domain/channel_type.h"
#include "domain/membership.h"
#include "push_fixture.h"

/* ---- routes ---------------------------------------------------------------------------- */

static void
providers_are_routes(void **state)
{
	struct post *p = *state;
	struct out_route *r;
	size_t n;

	r = routes_of(p, &n);
	assert_int_equal(n, 0);
	put_firebase(p, "main");
	put_apn(p, "ios");
	put_provider(p, "{\"type\":\"huawei\",\"name\":\"h\"}");
	set(p, "{\"firebase_config\":{\"credentials_json\":\"{}\"},"
	       "\"apn_config\":{\"auth_key\":\"k\"}}");
	r = routes_of(p, &n);
	assert_int_equal(n, 4);
	assert_str(r[0].ident, "firebase:");
	assert_str(r[1].ident, "apn:");
	assert_str(r[2].ident, "apn:ios");
	assert_str(r[3].ident, "firebase:main");
	assert_int_equal(r[3].kind, ROUTE_PUSH);
}

/* ---- who ------------------------------------------------------------------------------- */

static void
members_but_the_author(void **state)
{
	struct post *p = *state;
	struct channel c = API_CHANNEL(p->h, "x", "ann", "bob", "cid");
	struct place at = {0};
	struct out_route r;

	put_firebase(p, "main");
	put_device(p, "ann", "a", "firebase", NULL);
	put_device(p, "bob", "b1", "firebase", NULL);
	put_device(p, "bob", "b2", "firebase", "main");
	put_device(p, "bob", "b3", "apn", NULL);
	put_device(p, "dan", "d", "firebase", NULL);
	r = route(p, "firebase:main");
	assert_string_equal(hears(p, &r, &at), "");
	say_text(p, &c, "ann", "Hi");
	assert_string_equal(hears(p, &r, &at), "b1 b2");
	assert_string_equal(hears(p, &r, &at), "");
	say_text(p, &c, "bob", "Ho");
	assert_string_equal(hears(p, &r, &at), "a");
}

/* However large a channel is, only a part of it is read at once (I-28): two calls come to the
 * end of this one. */
static void
large_channels_are_heard_in_parts(void **state)
{
	struct post *p = *state;
	struct fixture *f = p->h->f;
	struct channel c = API_CHANNEL(p->h, "x", "ann");
	struct place at = {0};
	struct packed some;
	struct out_route r;
	struct buf users;
	struct err e;

	buf_init(&users, &f->arena, 1 << 18);
	for (int i = 0; i < CHANNEL_PAIRS_MAX + 5; i++)
		buf_printf(&users, "%s{\"id\":\"u%d\"}", i == 0 ? "[" : ",", i);
	buf_add(&users, "]", 1);
	put_users(f, arena_dup(&f->arena, buf_view(&users)).p, NULL);
	sql_script(
		f, arena_printf(&f->arena,
			   "INSERT INTO members (channel, uid, role, created_at) SELECT %lld, "
			   "uid, 'channel_member', 1 FROM users WHERE id LIKE 'u%%'",
			   (long long)c.no)
			   .p);
	put_firebase(p, "main");
	put_device(p, "ann", "a", "firebase", NULL);
	put_device(p, "u3", "first", "firebase", NULL);
	put_device(p, arena_printf(&f->arena, "u%d", CHANNEL_PAIRS_MAX + 4).p, "last",
		"firebase", NULL);
	r = route(p, "firebase:main");
	say_text(p, &c, "ann", "Hi");
	must(p->trade.pack(p->trade.arg, f->db, &f->arena, &r, &at, 100, &some, &e), &e);
	assert_string_equal(addresses(p, some), "first");
	assert_true(some.more && at.next_key > 0);
	assert_string_equal(hears(p, &r, &at), "last");
	assert_true(at.next_key == 0);
}

/* A name leads to that provider, none to all of the type. */
static void
names_of_providers(void **state)
{
	struct post *p = *state;
	struct channel c = API_CHANNEL(p->h, "x", "ann", "bob");
	struct place at[3] = {0};
	struct out_route main, other, app_own;

	put_firebase(p, "main");
	put_firebase(p, "other");
	set(p, "{\"firebase_config\":{\"credentials_json\":\"{}\"}}");
	put_device(p, "bob", "any", "firebase", NULL);
	put_device(p, "bob", "m", "firebase", "main");
	put_device(p, "bob", "o", "firebase", "other");
	main = route(p, "firebase:main");
	other = route(p, "firebase:other");
	app_own = route(p, "firebase:");
	say_text(p, &c, "ann", "Hi");
	assert_string_equal(hears(p, &main, &at[0]), "any m");
	assert_string_equal(hears(p, &other, &at[1]), "any o");
	assert_string_equal(hears(p, &app_own, &at[2]), "any");
}

static void
what_makes_no_sound(void **state)
{
	struct post *p = *state;
	struct fixture *f = p->h->f;
	struct channel c = API_CHANNEL(p->h, "x", "ann", "bob");
	int64_t ann = uid_of(p->h, "ann"), bob = uid_of(p->h, "bob");
	struct message_draft d = {.text = STR("Hi"), .author = ann, .silent = true};
	struct place at = {0};
	struct message m;
	struct out_route r;
	struct err e;

	put_firebase(p, "main");
	put_device(p, "bob", "b", "firebase", NULL);
	r = route(p, "firebase:main");
	say(p, &c, &d);
	d.silent = false;
	d.skip_push = true;
	say(p, &c, &d);
	assert_string_equal(hears(p, &r, &at), "");
	/* Deleted, or cut off, before it was packed. */
	d.skip_push = false;
	m = say(p, &c, &d);
	must(message_delete(f->db, &f->arena, &m, false, &e), &e);
	assert_string_equal(hears(p, &r, &at), "");
	say(p, &c, &d);
	must(membership_hide(f->db, &f->arena, &c, bob, true, &e), &e);
	assert_string_equal(hears(p, &r, &at), "");
	say(p, &c, &d); /* shows it again */
	assert_string_equal(hears(p, &r, &at), "b");
	d.keep_hidden = true;
	must(membership_hide(f->db, &f->arena, &c, bob, false, &e), &e);
	say(p, &c, &d);
	assert_string_equal(hears(p, &r, &at), "");
	/* An edit does not undo it. */
	d = (struct message_draft){.text = STR("Hi"), .author = ann, .skip_push = true};
	m = say(p, &c, &d);
	must(message_update(f->db, &f->arena, &app, &c, m.id,
		     &(struct message_edit){.has_text = true, .text = STR("Ho")}, &m, &e),
		&e);
	assert_true(m.skip_push);
	assert_string_equal(hears(p, &r, &at), "");
}

static void
types_disabled_devices_and_people(void **state)
{
	struct post *p = *state;
	struct fixture *f = p->h->f;
	struct channel c = API_CHANNEL(p->h, "x", "ann", "bob", "cid");
	const struct str bob = STR("bob");
	const struct user_list list = {.ids = &bob, .n = 1};
	struct user_belongings nothing = {0};
	struct channel_type type;
	struct place at = {0};
	struct str task;
	struct out_route r;
	struct err e;

	put_firebase(p, "main");
	put_device(p, "bob", "b", "firebase", NULL);
	put_device(p, "cid", "c", "firebase", NULL);
	r = route(p, "firebase:main");
	must(user_deactivate(f->db, &f->arena, &list, &nothing, &task, &e), &e);
	say_text(p, &c, "ann", "Hi");
	assert_string_equal(hears(p, &r, &at), "c");
	must(user_reactivate(f->db, &f->arena, &list, &nothing, STR_NONE, &task, &e), &e);
	must(channel_type_update(f->db, &f->arena, STR("messaging"),
		     parse(f, "{\"push_notifications\":false}"), &type, &e),
		&e);
	say_text(p, &c, "ann", "Hi");
	assert_string_equal(hears(p, &r, &at), "");
	must(channel_type_update(f->db, &f->arena, STR("messaging"),
		     parse(f, "{\"push_notifications\":true}"), &type, &e),
		&e);
	say_text(p, &c, "ann", "Hi");
	assert_string_equal(hears(p, &r, &at), "b c");
}

static void
preference(struct post *p, const char *user, int64_t channel, enum push_level level,
	int64_t until, const char *extra)
{
	struct push_preference_edit edit = {.uid = uid_of(p->h, user),
		.channel = channel,
		.has_level = true,
		.level = level,
		.has_until = true,
		.disabled_until = until,
		.extra = str_of(extra)};
	struct fixture *f = p->h->f;
	struct push_preference out;
	struct err e;

	must(push_preference_change(f->db, &f->arena, &edit, 1, &out, &e), &e);
	assert_int_equal(out.level, level);
}

static void
preferences_are_obeyed(void **state)
{
	struct post *p = *state;
	struct channel x = API_CHANNEL(p->h, "x", "ann", "bob"),
		       y = API_CHANNEL(p->h, "y", "ann", "bob");
	int64_t bob = uid_of(p->h, "bob"), now = clock_now_us(), hour = INT64_C(3600000000);
	struct message_draft mention = {.text = STR("Hi"),
		.author = uid_of(p->h, "ann"),
		.mentioned = &bob,
		.nmentioned = 1};
	struct place at = {0};
	struct out_route r;

	put_firebase(p, "main");
	put_device(p, "bob", "b", "firebase", NULL);
	r = route(p, "firebase:main");
	preference(p, "bob", 0, PUSH_LEVEL_NONE, NO_TIME, NULL);
	say_text(p, &x, "ann", "Hi");
	say(p, &x, &mention);
	assert_string_equal(hears(p, &r, &at), "");
	preference(p, "bob", y.no, PUSH_LEVEL_ALL, NO_TIME, NULL);
	say_text(p, &x, "ann", "Hi");
	say_text(p, &y, "ann", "Hi");
	assert_int_equal(pack_all(p, &r, &at, 100).n, 1);
	preference(p, "bob", 0, PUSH_LEVEL_MENTIONS, NO_TIME, NULL);
	say_text(p, &x, "ann", "Hi");
	assert_string_equal(hears(p, &r, &at), "");
	say(p, &x, &mention);
	assert_string_equal(hears(p, &r, &at), "b");
	/* For a while. */
	preference(p, "bob", 0, PUSH_LEVEL_UNSET, now + hour, NULL);
	say_text(p, &y, "ann", "Hi");
	assert_string_equal(hears(p, &r, &at), "");
	preference(p, "bob", 0, PUSH_LEVEL_UNSET, now - hour, NULL);
	say_text(p, &y, "ann", "Hi");
	assert_string_equal(hears(p, &r, &at), "b");
	/* The finer ones. */
	preference(p, "bob", 0, PUSH_LEVEL_UNSET, NO_TIME,
		"{\"chat_preferences\":{\"default_preference\":\"none\","
		"\"direct_mentions\":\"all\"}}");
	say_text(p, &x, "ann", "Hi");
	assert_string_equal(hears(p, &r, &at), "");
	say(p, &x, &mention);
	assert_string_equal(hears(p, &r, &at), "b");
}

static void
replies_go_to_their_thread(void **state)
{
	struct post *p = *state;
	struct channel c = API_CHANNEL(p->h, "x", "ann", "bob", "cid", "dan");
	int64_t ann = uid_of(p->h, "ann"), dan = uid_of(p->h, "dan");
	struct message_draft d = {.text = STR("re"), .author = ann};
	struct place at = {0};
	struct out_route r;

	put_firebase(p, "main");
	put_device(p, "bob", "b", "firebase", NULL);
	put_device(p, "cid", "c", "firebase", NULL);
	put_device(p, "dan", "d", "firebase", NULL);
	r = route(p, "firebase:main");
	d.parent_id = say_text(p, &c, "bob", "root").id;
	assert_string_equal(hears(p, &r, &at), "c d");
	say(p, &c, &d);
	assert_string_equal(hears(p, &r, &at), "b");
	d.author = uid_of(p->h, "cid");
	d.mentioned = &dan;
	d.nmentioned = 1;
	say(p, &c, &d);
	assert_string_equal(hears(p, &r, &at), "b d");
	d.author = ann;
	d.nmentioned = 0;
	say(p, &c, &d);
	assert_string_equal(hears(p, &r, &at), "b c");
}

/* Switched off by a row for the provider, or for its type; disabled by its owner.  Who comes
 * back hears of what is committed from then on. */
static void
events_that_are_switched_off(void **state)
{
	struct post *p = *state;
	struct channel c = API_CHANNEL(p->h, "x", "ann", "bob");
	struct place at;

	put_firebase(p, "main");
	put_device(p, "bob", "b", "firebase", NULL);
	assert_false(route(p, "firebase:main").is_off);
	put_event(p, "{\"event_type\":\"message.new\",\"push_provider_type\":\"firebase\","
		     "\"enable_push\":false}");
	assert_true(route(p, "firebase:main").is_off);
	say_text(p, &c, "ann", "Hi");
	put_event(p, "{\"event_type\":\"message.new\",\"push_provider_type\":\"firebase\","
		     "\"push_provider_name\":\"main\"}");
	assert_false(route(p, "firebase:main").is_off);
	at = stored_place(p, "firebase:main");
	say_text(p, &c, "ann", "Hi");
	assert_string_equal(
		hears(p, &(struct out_route){.ident = STR("firebase:main")}, &at), "b");
	put_event(p, "{\"event_type\":\"message.updated\",\"push_provider_type\":\"firebase\","
		     "\"push_provider_name\":\"main\",\"enable_push\":false}");
	assert_false(route(p, "firebase:main").is_off);
	put_provider(p, "{\"type\":\"firebase\",\"name\":\"main\","
			"\"disabled_at\":\"2026-01-01T00:00:00Z\"}");
	assert_true(route(p, "firebase:main").is_off);
}

/* ---- campaigns ------------------------------------------------------------------------- */

static int
cmp_address(const void *a, const void *b)
{
	return str_cmp(
		((const struct parcel *)a)->address, ((const struct parcel *)b)->address);
}

/* Batches are committed in any order. */
static const char *
sorted(struct post *p, struct packed packed)
{
	size_t bytes = packed.n * sizeof(*packed.parcels);
	struct packed copy = {
		.parcels = arena_alloc(&p->h->f->arena, bytes + 1), .n = packed.n};

	memcpy(copy.parcels, packed.parcels, bytes);
	qsort(copy.parcels, copy.n, sizeof(*copy.parcels), cmp_address);
	return addresses(p, copy);
}

static void
campaigns_to_users(void **state)
{
	struct post *p = *state;
	struct place at = {0}, again = {0};
	struct packed all, one;
	struct out_route r;

	put_firebase(p, "main");
	put_device(p, "ann", "a", "firebase", NULL);
	put_device(p, "bob", "b1", "firebase", NULL);
	put_device(p, "bob", "b2", "firebase", NULL);
	put_device(p, "dan", "d", "firebase", NULL);
	put_device(p, "fay", "f", "firebase", NULL);
	r = route(p, "firebase:main");
	campaign(p->h, "quiet",
		ALL "," FROM_ANN "," HI "," CREATE "," BY_AFFIX ",\"skip_push\":true");
	assert_string_equal(hears(p, &r, &at), "");
	again = at;
	campaign(p->h, "loud", ALL "," FROM_ANN "," HI "," CREATE "," BY_AFFIX);
	all = pack_all(p, &r, &at, 100);
	assert_string_equal(sorted(p, all), "b1 b2 d f");
	/* One at a time, from the same place: the same ids and bodies (I-15). */
	one = pack_all(p, &r, &again, 1);
	assert_int_equal(one.n, all.n);
	for (size_t i = 0; i < all.n; i++) {
		assert_true(str_eq(one.parcels[i].id, all.parcels[i].id));
		assert_true(str_eq(one.parcels[i].body, all.parcels[i].body));
		assert_true(one.parcels[i].at > 0 && one.parcels[i].at == all.parcels[i].at);
		for (size_t k = 0; k < i; k++)
			assert_false(str_eq(all.parcels[i].id, all.parcels[k].id));
	}
	assert_int_equal(at.pos, again.pos);
}

static void
campaigns_to_channels(void **state)
{
	struct post *p = *state;
	struct fixture *f = p->h->f;
	struct str cids[] = {STR("messaging:x"), STR("messaging:y")};
	struct segment_change change = {.id = STR("s"), .type = STR("channel")};
	struct segment segment;
	struct err e;
	struct place at = {0};
	struct out_route r;

	API_CHANNEL(p->h, "x", "ann", "bob", "cid", "dan");
	API_CHANNEL(p->h, "y", "ann", "bob", "eve");
	put_firebase(p, "main");
	put_device(p, "ann", "a", "firebase", NULL);
	put_device(p, "bob", "b", "firebase", NULL);
	put_device(p, "dan", "d", "firebase", NULL);
	put_device(p, "eve", "e", "firebase", NULL);
	r = route(p, "firebase:main");
	must(segment_create(f->db, &f->arena, &change, &segment, &e), &e);
	must(segment_add_targets(f->db, &f->arena, segment.id, cids, 2, &e), &e);
	campaign(p->h, "c", FROM_ANN "," HI ",\"segment_ids\":[\"s\"]");
	assert_string_equal(addresses(p, pack_all(p, &r, &at, 1)), "b d b e");
}

/* ---- words ----------------------------------------------------------------------------- */

static json_t *
at_path(json_t *v, const char *path)
{
	char key[64];

	while (*path != '\0') {
		size_t n = strcspn(path, ".");

		memcpy(key, path, n);
		key[n] = '\0';
		v = json_object_get(v, key);
		path += n + (path[n] == '.');
	}
	return v;
}

static void
reads(json_t *tree, const char *path, const char *want)
{
	json_t *v = at_path(tree, path);

	if (!json_is_string(v) || strcmp(json_string_value(v), want) != 0)
		print_error("%s is %s, not %s\n", path,
			json_is_string(v) ? json_string_value(v) : "no text", want);
	assert_true(json_is_string(v) && strcmp(json_string_value(v), want) == 0);
}

static json_t *
one_body(struct post *p, const char *ident, struct place *at)
{
	struct out_route r = route(p, ident);
	struct packed packed = pack_all(p, &r, at, 100);

	assert_int_equal(packed.n, 1);
	assert_true(packed.parcels[0].body.n <= 4096);
	return parse(p->h->f, arena_dup(&p->h->f->arena, packed.parcels[0].body).p);
}

static void
default_payloads(void **state)
{
	struct post *p = *state;
	struct channel c = API_CHANNEL(p->h, "x", "ann", "bob");
	struct place fcm = {0}, apns = {0};
	struct message m;
	json_t *body;
	char id[256];

	put_firebase(p, "main");
	put_apn(p, "ios");
	put_device(p, "bob", "tok-b", "firebase", NULL);
	put_device(p, "bob", "abcd", "apn", NULL);
	m = say_text(p, &c, "ann", "Hi \"there\"");
	snprintf(id, sizeof(id), "%.*s", STR_ARG(m.id));
	body = one_body(p, "firebase:main", &fcm);
	reads(body, "message.token", "tok-b");
	reads(body, "message.data.version", "v2");
	reads(body, "message.data.sender", "stream.chat");
	reads(body, "message.data.type", "message.new");
	reads(body, "message.data.id", id);
	reads(body, "message.data.message_id", id);
	reads(body, "message.data.channel_type", "messaging");
	reads(body, "message.data.channel_id", "x");
	reads(body, "message.data.cid", "messaging:x");
	reads(body, "message.data.receiver_id", "bob");
	reads(body, "message.android.priority", "high");
	reads(body, "message.apns.payload.aps.alert.title", "New message from Ann");
	reads(body, "message.apns.payload.aps.alert.body", "Hi \"there\"");
	reads(body, "message.apns.payload.aps.sound", "default");
	assert_int_equal(
		json_integer_value(at_path(body, "message.apns.payload.aps.badge")), 1);
	assert_null(at_path(body, "message.notification"));
	body = one_body(p, "apn:ios", &apns);
	reads(body, "aps.alert.title", "You have a new message");
	reads(body, "aps.alert.body", "Hi \"there\"");
	reads(body, "stream.type", "message.new");
	reads(body, "stream.cid", "messaging:x");
	reads(body, "stream.receiver_id", "bob");
	reads(body, "stream.id", id);
	assert_int_equal(json_integer_value(at_path(body, "aps.mutable-content")), 1);
}

/* 150 characters, whatever their bytes; and less where even those are too many. */
static void
long_texts_are_cut(void **state)
{
	struct post *p = *state;
	struct fixture *f = p->h->f;
	struct channel c = API_CHANNEL(p->h, "x", "ann", "bob");
	struct place at = {0};
	struct buf text;
	json_t *body;
	const char *seen;

	put_apn(p, "ios");
	put_device(p, "bob", "abcd", "apn", NULL);
	buf_init(&text, &f->arena, 4096);
	for (int i = 0; i < 1000; i++)
		buf_str(&text, STR("ü"));
	buf_char(&text, '\0');
	say_text(p, &c, "ann", text.p);
	body = one_body(p, "apn:ios", &at);
	seen = json_string_value(at_path(body, "aps.alert.body"));
	assert_int_equal(strlen(seen), 300);
	assert_int_equal(strspn(seen, "ü"), 300);
}

static void
templates_replace_defaults(void **state)
{
	struct post *p = *state;
	struct channel c = API_CHANNEL(p->h, "x", "ann", "bob", "cid");
	struct place fcm = {0}, apns = {0};
	json_t *body;

	put_firebase(p, "main");
	put_apn(p, "ios");
	put_device(p, "bob", "tok-b", "firebase", NULL);
	put_device(p, "bob", "abcd", "apn", NULL);
	put_event(p,
		"{\"event_type\":\"message.new\",\"push_provider_type\":\"firebase\","
		"\"push_provider_name\":\"main\",\"template\":\"{\\\"token\\\":\\\"evil\\\","
		"\\\"data\\\":{\\\"n\\\":{{unread_count}},"
		"\\\"who\\\":\\\"{{implodeMembers otherMembers}}\\\"},\\\"notification\\\":"
		"{\\\"title\\\":\\\"{{sender.name}}: {{message.text}}\\\"}}\"}");
	put_provider(p,
		"{\"type\":\"apn\",\"name\":\"ios\",\"apn_notification_template\":"
		"\"{\\\"aps\\\":{\\\"alert\\\":\\\"{{channel.cid}} {{receiver.id}}\\\"}}\"}");
	say_text(p, &c, "ann", "x\",\"y");
	body = one_body(p, "firebase:main", &fcm);
	reads(body, "message.token", "tok-b");
	reads(body, "message.data.n", "1");
	reads(body, "message.data.who", "Ann, Cid");
	reads(body, "message.notification.title", "Ann: x\",\"y");
	assert_null(at_path(body, "message.apns"));
	body = one_body(p, "apn:ios", &apns);
	reads(body, "aps.alert", "messaging:x bob");
}

#define T(f) cmocka_unit_test_setup_teardown(f, post_setup, post_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(providers_are_routes),
		T(members_but_the_author),
		T(large_channels_are_heard_in_parts),
		T(names_of_providers),
		T(what_makes_no_sound),
		T(types_disabled_devices_and_people),
		T(preferences_are_obeyed),
		T(replies_go_to_their_thread),
		T(events_that_are_switched_off),
		T(campaigns_to_users),
		T(campaigns_to_channels),
		T(default_payloads),
		T(long_texts_are_cut),
		T(templates_replace_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
