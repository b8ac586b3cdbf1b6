/* test_presence – who is told that somebody came or went, here and at other processes
 * (api.md §7.6). */
#include "../domain/store_fixture.h"
#include "api/presence.h"
#include "api/req.h"
#include "ears.h"

struct porch {
	struct fixture *f;
	struct ctx ctx;
	struct hub *hub;
	struct ear looker;
};

static int64_t
uid_of(struct porch *p, const char *id)
{
	struct user u;
	struct err e;

	must(user_get(p->f->db, &p->f->arena, str_of(id), &u, &e), &e);
	return u.uid;
}

/* ann looks at all the others. */
static int
porch_setup(void **state)
{
	struct porch *p = calloc(1, sizeof(*p));
	const char *const others[] = {"bob", "cid", "dan"};

	fixture_setup((void **)&p->f);
	put_users(p->f,
		"[{\"id\":\"ann\"},{\"id\":\"bob\",\"name\":\"Bob\"},{\"id\":\"cid\"},"
		"{\"id\":\"dan\",\"invisible\":true}]",
		NULL);
	p->hub = open_hub();
	p->ctx = (struct ctx){.store = p->f->store, .hub = p->hub};
	p->ctx.presence = presence_new(&p->ctx);
	p->looker = connect_ear(p->hub, &p->f->arena, uid_of(p, "ann"));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		watch(p->hub, &p->looker, HUB_ROOM_OF_USER(uid_of(p, others[i])));
	*state = p;
	return 0;
}

static int
porch_teardown(void **state)
{
	struct porch *p = *state;

	hub_stop(p->hub, 100);
	presence_free(p->ctx.presence);
	hub_free(p->hub);
	fixture_teardown((void **)&p->f);
	free(p);
	return 0;
}

static struct ear
come(struct porch *p, const char *id)
{
	return connect_ear(p->hub, &p->f->arena, uid_of(p, id));
}

/* Until the hub knows that he is gone. */
static void
go(struct porch *p, struct ear *ear)
{
	int64_t found;

	close(ear->fd);
	for (int tries = 0; hub_online(p->hub, &ear->uid, 1, &found) == 1; tries++) {
		assert_true(tries < 20000);
		usleep(1000);
	}
}

/* What the dispatcher does at each turn. */
static void
turn(struct porch *p)
{
	struct arena a;
	struct err e;

	arena_init(&a, 4096, SIZE_MAX);
	must(presence_tell(p->ctx.presence, p->f->db, &a, &e), &e);
	arena_fini(&a);
}

static void
must_hear(struct porch *p, const char *id, bool online)
{
	json_t *event = hears(&p->looker, "user.presence.changed");

	assert_string_equal(at(event, "user.id"), id);
	assert_true(json_is_boolean(json_object_get(json_object_get(event, "user"), "online")));
	assert_int_equal(
		json_is_true(json_object_get(json_object_get(event, "user"), "online")),
		online);
}

static void
must_be_quiet(struct porch *p)
{
	turn(p);
	hears_nothing(p->hub, &p->looker);
}

/* As other processes say it; ${sign} 0: the text alone. */
static void
said(struct porch *p, char sign, const char *id)
{
	char text[64];

	snprintf(text, sizeof(text), "presence %c%lld", sign, (long long)uid_of(p, id));
	assert_true(presence_hear(p->ctx.presence, str_of(text)));
}

/* Turns until he is missed; returns after how many microseconds. */
static int64_t
until_missed(struct porch *p, const char *id)
{
	int64_t since = clock_mono_us();
	struct pollfd heard = {.fd = p->looker.fd, .events = POLLIN};

	do {
		turn(p);
		assert_true(clock_mono_us() - since < 20000000);
	} while (poll(&heard, 1, 20) == 0);
	must_hear(p, id, false);
	return clock_mono_us() - since;
}

static void
told_who_comes(void **state)
{
	struct porch *p = *state;
	struct ear bob, cid;

	must_be_quiet(p);
	bob = come(p, "bob");
	turn(p);
	must_hear(p, "bob", true);
	must_be_quiet(p);
	cid = come(p, "cid");
	turn(p);
	must_hear(p, "cid", true);
	hears_nothing(p->hub, &bob);
	hears_nothing(p->hub, &cid);
	go(p, &bob);
	go(p, &cid);
}

static void
told_nothing_of_the_invisible(void **state)
{
	struct porch *p = *state;
	struct ear dan = come(p, "dan");

	must_be_quiet(p);
	go(p, &dan);
	must_be_quiet(p);
	said(p, '+', "dan");
	must_be_quiet(p);
}

static void
who_is_back_in_time_was_never_away(void **state)
{
	struct porch *p = *state;
	struct ear bob = come(p, "bob");

	turn(p);
	must_hear(p, "bob", true);
	for (int i = 0; i < 3; i++) {
		go(p, &bob);
		must_be_quiet(p);
		bob = come(p, "bob");
		must_be_quiet(p);
	}
	go(p, &bob);
	assert_true(until_missed(p, "bob") > 4900000);
	must_be_quiet(p);
	bob = come(p, "bob");
	turn(p);
	must_hear(p, "bob", true);
	go(p, &bob);
}

/* Who stops looking before it is due is told nothing, and nothing is kept of it. */
static void
nobody_looks_any_more(void **state)
{
	struct porch *p = *state;
	struct ear bob = come(p, "bob");
	const int64_t rooms[] = {HUB_ROOM_OF_USER(bob.uid)};

	assert_true(hub_unwatch(
		p->hub, (struct str){p->looker.id, HUB_ID_LEN}, p->looker.uid, rooms, 1));
	must_be_quiet(p);
	go(p, &bob);
}

static void
other_processes_are_heard(void **state)
{
	struct porch *p = *state;
	struct ear bob;

	said(p, '+', "bob");
	turn(p);
	must_hear(p, "bob", true);
	/* He moves over, or is at both: he is there. */
	said(p, '-', "bob");
	must_be_quiet(p);
	bob = come(p, "bob");
	turn(p);
	must_hear(p, "bob", true);
	said(p, '+', "bob");
	must_be_quiet(p);
	said(p, '-', "bob");
	must_be_quiet(p);
	go(p, &bob);
	must_be_quiet(p);
	said(p, '+', "bob");
	must_be_quiet(p);
	said(p, '-', "bob");
	assert_true(until_missed(p, "bob") > 4900000);
}

/* Who came to another process before it heard that we ask: the first that we hear is that he
 * went. */
static void
who_went_unseen_is_seen_to_come(void **state)
{
	struct porch *p = *state;

	for (int i = 0; i < 3; i++) {
		said(p, '-', "bob");
		must_be_quiet(p);
		said(p, '+', "bob");
		turn(p);
		must_hear(p, "bob", true);
	}
	said(p, '-', "bob");
	assert_true(until_missed(p, "bob") > 4900000);
}

/* Where others ask, all who move are noted for them. */
static void
others_ask(void **state)
{
	struct porch *p = *state;
	struct hub_move *moves;
	struct ear bob, ann;

	assert_true(presence_hear(p->ctx.presence, STR("presence asks")));
	must_be_quiet(p);
	ann = come(p, "ann"); /* a second connection */
	assert_int_equal(hub_moves(p->hub, &moves), 0);
	bob = come(p, "bob");
	go(p, &bob);
	close(ann.fd);
	assert_int_equal(hub_moves(p->hub, &moves), 1);
	assert_int_equal(moves[0].uid, bob.uid);
	free(moves);
}

static void
nonsense_is_ignored(void **state)
{
	static const char *const texts[] = {"presence", "presence ", "presence +", "presence -",
		"presence 17", "presence +0", "presence -0", "presence --17", "presence +-17",
		"presence +99999999999999999999", "presence +x -y", "presence asks me",
		"presence -9223372036854775808", "presence +9223372036854775807",
		"presence +999999  -999998"};
	struct porch *p = *state;
	struct buf many;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_true(presence_hear(p->ctx.presence, str_of(texts[i])));
	/* What is not of presence is another's. */
	assert_false(presence_hear(p->ctx.presence, STR("")));
	assert_false(presence_hear(p->ctx.presence, STR("17 {\"type\":\"presence\"}")));
	must_be_quiet(p);
	/* More than can wait are lost, and no more than those. */
	buf_init(&many, NULL, 1 << 20);
	buf_str(&many, STR("presence"));
	for (int i = 0; i < 70000; i++)
		buf_printf(&many, " +%d", 1000000 + i);
	assert_true(presence_hear(p->ctx.presence, buf_view(&many)));
	buf_free(&many);
	must_be_quiet(p);
	said(p, '+', "bob");
	turn(p);
	must_hear(p, "bob", true);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, porch_setup, porch_teardown)
	const struct CMUnitTest tests[] = {
		T(told_who_comes),
		T(told_nothing_of_the_invisible),
		T(who_is_back_in_time_was_never_away),
		T(nobody_looks_any_more),
		T(other_processes_are_heard),
		T(who_went_unseen_is_seen_to_come),
		T(others_ask),
		T(nonsense_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
