/* test_event – the outbox: what each change leaves in it, in which order it can be read, what
 * is kept (I-10). */
#include "base/thread.h"
#include "chat_fixture.h"
#include "domain/event.h"
#include "domain/ledger.h"
#include "domain/membership.h"
#include "domain/patch.h"
#include "domain/read.h"
#include "route_fixture.h"

#define DAY (86400 * SECOND)

/* Everything that came behind ${pos}, which moves on. */
static struct event *
heard(struct fixture *f, int64_t *pos, size_t *n)
{
	struct event *events;
	struct err e;
	int64_t last;

	must(event_after(f->db, &f->arena, *pos, 1000, &events, n, &e), &e);
	must(event_last(f->db, &last, &e), &e);
	for (size_t i = 0; i < *n; i++)
		assert_int_equal(events[i].pos, *pos + 1 + (int64_t)i);
	*pos += (int64_t)*n;
	assert_int_equal(*pos, last);
	return events;
}

/* The only one. */
static struct event
only(struct fixture *f, int64_t *pos, enum event_kind kind, int64_t channel, int64_t uid)
{
	struct event *events;
	size_t n;

	events = heard(f, pos, &n);
	assert_int_equal(n, 1);
	assert_int_equal(events[0].kind, kind);
	assert_int_equal(events[0].channel, channel);
	assert_int_equal(events[0].uid, uid);
	assert_true(events[0].at > 0);
	return events[0];
}

static void
start(struct fixture *f, struct world *w, struct channel *c, int64_t *pos)
{
	size_t n;

	world_make(f, w);
	int64_t both[] = {w->ann, w->bob};
	*pos = 0;
	heard(f, pos, &n);
	assert_int_equal(n, 0); /* nobody had these users before */
	*c = make_channel(f, "messaging", "x", w->ann, both, 2);
	only(f, pos, EVENT_CHANNEL_CREATED, c->no, w->ann);
	make_channel(f, "messaging", "x", w->ann, both, 2);
	heard(f, pos, &n);
	assert_int_equal(n, 0); /* it was there */
}

static void
messages_tell(void **state)
{
	struct fixture *f = *state;
	struct message_draft d = {.text = STR("x")};
	struct message_edit edit = {.has_text = true, .text = STR("y")};
	struct message m, changed;
	struct event ev;
	struct world w;
	struct channel c;
	int64_t pos;
	struct err e;
	size_t n;

	start(f, &w, &c, &pos);
	d.author = w.ann;
	m = must_send(f, &c, &d);
	ev = only(f, &pos, EVENT_MESSAGE_NEW, c.no, w.ann);
	assert_int_equal(ev.object, m.key);
	assert_int_equal(ev.at, m.created_at);
	assert_null(ev.extra.p);
	must(message_update(f->db, &f->arena, &test_app, &c, m.id, &edit, &changed, &e), &e);
	assert_int_equal(only(f, &pos, EVENT_MESSAGE_UPDATED, c.no, w.ann).object, m.key);
	must(message_delete(f->db, &f->arena, &m, false, &e), &e);
	ev = only(f, &pos, EVENT_MESSAGE_DELETED, c.no, w.ann);
	assert_int_equal(ev.object, m.key);
	assert_null(ev.extra.p);
	d.id = STR("a \"b\"");
	m = must_send(f, &c, &d);
	heard(f, &pos, &n);
	must(message_delete(f->db, &f->arena, &m, true, &e), &e);
	ev = only(f, &pos, EVENT_MESSAGE_DELETED, c.no, w.ann);
	assert_str(ev.extra, "{\"id\":\"a \\\"b\\\"\",\"hard\":true}");
	/* What failed is not told. */
	d.id = STR("bad,id");
	assert_false(message_send(f->db, &f->arena, &test_app, &c, &d, &m, &e));
	d.id = STR_NONE;
	d.parent_id = STR("nowhere");
	assert_false(message_send(f->db, &f->arena, &test_app, &c, &d, &m, &e));
	heard(f, &pos, &n);
	assert_int_equal(n, 0);
}

static void
marks_tell(void **state)
{
	struct fixture *f = *state;
	struct message_draft d = {.text = STR("x")};
	struct read_state s;
	struct message m;
	struct event ev;
	struct world w;
	struct channel c;
	int64_t pos;
	struct err e;
	size_t n;

	start(f, &w, &c, &pos);
	must(read_mark(f->db, &f->arena, &test_app, &c, w.bob, STR_NONE, &s, &e), &e);
	ev = only(f, &pos, EVENT_READ, c.no, w.bob);
	assert_int_equal(ev.object, 0);
	d.author = w.ann;
	m = must_send(f, &c, &d);
	heard(f, &pos, &n);
	must(read_mark_all(f->db, &f->arena, &test_app, w.bob, &e), &e);
	ev = only(f, &pos, EVENT_READ, c.no, w.bob);
	assert_int_equal(ev.object, m.key);
	must(read_unmark(f->db, &f->arena, &test_app, &c, w.bob, m.id, NO_TIME, &e), &e);
	ev = only(f, &pos, EVENT_UNREAD, c.no, w.bob);
	assert_int_equal(ev.object, m.key);
	/* It is unread already. */
	must(read_unmark(f->db, &f->arena, &test_app, &c, w.bob, m.id, NO_TIME, &e), &e);
	heard(f, &pos, &n);
	assert_int_equal(n, 0);
}

static void
members_tell(void **state)
{
	struct fixture *f = *state;
	struct channel_edit edit = {.frozen = -1, .disabled = -1};
	struct member_spec add[2] = {{.hidden_at = NO_TIME, .archived_at = NO_TIME}};
	struct member_role role = {.role = STR("channel_moderator"), .joins = true};
	struct channel c, out;
	struct event *events;
	struct world w;
	int64_t pos;
	struct err e;
	size_t n;

	start(f, &w, &c, &pos);
	add[1] = add[0];
	add[0].uid = w.bob; /* is one already */
	add[1].uid = w.carl;
	role.uid = w.dora;
	edit.by = w.ann;
	edit.members = (struct membership_edit){
		.add = add, .nadd = 2, .roles = &role, .nroles = 1, .history_hidden = NO_TIME};
	must(channel_update(f->db, &f->arena, &c, &edit, &out, &e), &e);
	events = heard(f, &pos, &n);
	assert_int_equal(n, 2);
	assert_int_equal(events[0].kind, EVENT_MEMBER_ADDED);
	assert_int_equal(events[0].uid, w.carl);
	assert_int_equal(events[1].kind, EVENT_MEMBER_ADDED);
	assert_int_equal(events[1].uid, w.dora);
	/* Who is in it only changes; who is not does not leave. */
	role.uid = w.carl;
	edit.members.nadd = 0;
	edit.members.remove = (const int64_t[]){w.dora, w.dora, 4711};
	edit.members.nremove = 3;
	edit.has_data = true;
	must(channel_update(f->db, &f->arena, &c, &edit, &out, &e), &e);
	events = heard(f, &pos, &n);
	assert_int_equal(n, 3);
	assert_int_equal(events[0].kind, EVENT_MEMBER_REMOVED);
	assert_int_equal(events[0].uid, w.dora);
	assert_int_equal(events[1].kind, EVENT_MEMBER_UPDATED);
	assert_int_equal(events[1].uid, w.carl);
	assert_int_equal(events[2].kind, EVENT_CHANNEL_UPDATED);
	assert_int_equal(events[2].uid, w.ann);
	assert_int_equal(events[2].channel, c.no);
}

static void
channels_tell(void **state)
{
	struct fixture *f = *state;
	struct channel_cut cut = {.at = NO_TIME};
	struct channel_deletion deletion = {.n = 1};
	struct patch pinned = {.set = parse(f, "{\"pinned\":true}")};
	struct patch frozen = {.set = parse(f, "{\"frozen\":true}")};
	struct channel c, out;
	struct member m;
	struct world w;
	struct event ev;
	int64_t pos;
	struct err e;

	start(f, &w, &c, &pos);
	must(membership_hide(f->db, &f->arena, &c, w.bob, true, &e), &e);
	ev = only(f, &pos, EVENT_CHANNEL_HIDDEN, c.no, w.bob);
	assert_str(ev.extra, "{\"clear_history\":true}");
	must(membership_show(f->db, &f->arena, &c, w.bob, &e), &e);
	assert_null(only(f, &pos, EVENT_CHANNEL_VISIBLE, c.no, w.bob).extra.p);
	must(membership_hide(f->db, &f->arena, &c, w.bob, false, &e), &e);
	assert_null(only(f, &pos, EVENT_CHANNEL_HIDDEN, c.no, w.bob).extra.p);
	must(membership_patch(f->db, &f->arena, &c, w.bob, &pinned, true, &m, &e), &e);
	only(f, &pos, EVENT_MEMBER_UPDATED, c.no, w.bob);
	must(channel_patch(f->db, &f->arena, &c, &frozen, w.ann, &out, &e), &e);
	only(f, &pos, EVENT_CHANNEL_UPDATED, c.no, w.ann);
	cut.by = w.ann;
	must(channel_truncate(f->db, &f->arena, &c, &cut, &out, &e), &e);
	only(f, &pos, EVENT_CHANNEL_TRUNCATED, c.no, w.ann);
	deletion.nos = &c.no;
	deletion.by = w.ann;
	must(channel_delete(f->db, &f->arena, &deletion, STR_NONE, NULL, &e), &e);
	only(f, &pos, EVENT_CHANNEL_DELETED, c.no, w.ann);
}

static void
users_tell(void **state)
{
	struct fixture *f = *state;
	struct user_patch patch = {.id = STR("bob"), .set = parse(f, "{\"name\":\"Bob\"}")};
	struct user *out;
	struct world w;
	struct channel c;
	int64_t pos;
	struct err e;

	start(f, &w, &c, &pos);
	put_users(f, "[{\"id\":\"new\"},{\"id\":\"ann\",\"name\":\"Ann\"}]", NULL);
	only(f, &pos, EVENT_USER_UPDATED, 0, w.ann);
	must(user_patch(f->db, &f->arena, &patch, 1, false, &out, &e), &e);
	only(f, &pos, EVENT_USER_UPDATED, 0, w.bob);
}

/* ---- order --------------------------------------------------------------------------- */

#define WRITERS 4
#define WRITES  40

/* Transactions beside each other, as workers commit batches. */
struct teller {
	struct fixture *f;
	struct thread thread;
	int64_t uid, done;
	bool beside, ok;
};

static bool
tell_in(struct db *w, void *arg, struct err *e)
{
	struct teller *t = arg;
	struct event ev[3];

	for (size_t i = 0; i < ARRAY_LEN(ev); i++)
		ev[i] = (struct event){.kind = EVENT_USER_UPDATED,
			.at = 1,
			.uid = t->uid,
			.object = t->done * 3 + (int64_t)i + 1};
	return event_add(w, ev, ARRAY_LEN(ev), e);
}

static void
tell_often(void *arg)
{
	struct teller *t = arg;
	struct db *db;
	struct err e;

	t->ok = db_open(&db, t->f->store, &e);
	for (t->done = 0; t->ok && t->done < WRITES; t->done++)
		t->ok = t->beside ? db_write_beside(db, tell_in, t, &e)
				  : db_write(db, tell_in, t, &e);
	db_close(db);
}

/* Who reads while others commit, and goes on from the last that he saw, misses none. */
static void
positions_appear_in_their_order(void **state)
{
	struct fixture *f = *state;
	struct teller tellers[WRITERS];
	int64_t pos = 0, objects[WRITERS] = {0}, all = INT64_C(3) * WRITERS * WRITES;

	for (size_t i = 0; i < WRITERS; i++) {
		tellers[i] =
			(struct teller){.f = f, .uid = (int64_t)i + 1, .beside = i % 2 == 0};
		thread_start(&tellers[i].thread, "teller", tell_often, &tellers[i]);
	}
	while (pos < all) {
		struct event *events;
		struct err e;
		size_t n;

		arena_reset(&f->arena);
		must(event_after(f->db, &f->arena, pos, 7, &events, &n, &e), &e);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(events[i].pos, ++pos);
			assert_int_equal(events[i].object, ++objects[events[i].uid - 1]);
		}
	}
	for (size_t i = 0; i < WRITERS; i++) {
		thread_join(&tellers[i].thread);
		assert_true(tellers[i].ok);
		assert_int_equal(objects[i], 3 * WRITES);
	}
}

static bool
tell_and_fail(struct db *w, void *arg, struct err *e)
{
	struct event ev = {.kind = EVENT_USER_UPDATED, .at = 1, .uid = 1};

	(void)arg;
	return event_add(w, &ev, 1, e) && fail(e, ERR_STALE, "no");
}

/* Nothing is told, and no position is lost. */
static void
what_is_rolled_back_is_not_told(void **state)
{
	struct fixture *f = *state;
	struct world w;
	struct channel c;
	int64_t pos;
	struct err e;
	size_t n;

	start(f, &w, &c, &pos);
	assert_false(db_write(f->db, tell_and_fail, NULL, &e));
	heard(f, &pos, &n);
	assert_int_equal(n, 0);
	must(membership_show(f->db, &f->arena, &c, w.bob, &e), &e);
	only(f, &pos, EVENT_CHANNEL_VISIBLE, c.no, w.bob);
}

/* ---- what is kept --------------------------------------------------------------------- */

struct adding {
	struct event *events;
	size_t n;
};

static bool
add_in(struct db *w, void *arg, struct err *e)
{
	struct adding *a = arg;

	return event_add(w, a->events, a->n, e);
}

/* ${n} events, one a second from ${at} on, of channels 1 to 3 in turn. */
static void
add_many(struct fixture *f, int64_t at, size_t n)
{
	struct adding a = {arena_array(&f->arena, n, sizeof(struct event)), n};
	struct err e;

	for (size_t i = 0; i < n; i++)
		a.events[i] = (struct event){.kind = EVENT_CHANNEL_UPDATED,
			.at = at + (int64_t)i * SECOND,
			.channel = 1 + (int64_t)i % 3};
	must(db_write(f->db, add_in, &a, &e), &e);
}

static void
old_ones_go_some_at_a_time(void **state)
{
	struct fixture *f = *state;
	int64_t now = T0 + EVENT_KEEP_DAYS * DAY, last;
	struct err e;
	bool more = true;
	int rounds = 0;

	add_many(f, T0 - 9000 * SECOND, 9100);
	for (; more; rounds++) {
		must(event_trim(f->db, now, &more, &e), &e);
		assert_true(rounds < 5);
	}
	assert_int_equal(rounds, 4);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM events", NO_ARGS), 100);
	assert_int_equal(sql_int(f->db, "SELECT MIN(pos) FROM events", NO_ARGS), 9001);
	/* Positions go on where they were, even when none is left. */
	must(event_trim(f->db, now + DAY, &more, &e), &e);
	assert_true(more);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM events", NO_ARGS), 0);
	must(event_trim(f->db, now + DAY, &more, &e), &e);
	assert_false(more);
	must(event_last(f->db, &last, &e), &e);
	assert_int_equal(last, 9100);
	add_many(f, T0, 1);
	assert_int_equal(sql_int(f->db, "SELECT MIN(pos) FROM events", NO_ARGS), 9101);
}

static void
too_many_go_whatever_their_age(void **state)
{
	struct fixture *f = *state;
	struct err e;
	bool more;

	add_many(f, T0, 10);
	sql_run(f->db, "UPDATE counters SET next = next + $1 WHERE name = 'event'",
		ARGS(V_INT(EVENT_KEEP_MAX - 7)));
	must(event_trim(f->db, T0, &more, &e), &e);
	assert_true(more);
	assert_int_equal(sql_int(f->db, "SELECT MIN(pos) FROM events", NO_ARGS), 4);
	must(event_trim(f->db, T0, &more, &e), &e);
	assert_false(more);
}

/* However many there are, none that a route has still to read; after 30 days they go, and it is
 * counted. */
static void
what_a_route_has_not_read_stays_for_a_while(void **state)
{
	struct out_route named = {.kind = ROUTE_WEBHOOK, .ident = STR("h")};
	struct fixture *f = *state;
	struct err e;
	bool more;

	add_many(f, T0, 2);
	name_routes(f, &named, 1);
	add_many(f, T0, 8);
	sql_run(f->db, "UPDATE counters SET next = next + $1 WHERE name = 'event'",
		ARGS(V_INT(EVENT_KEEP_MAX - 2)));
	must(event_trim(f->db, T0, &more, &e), &e);
	assert_int_equal(sql_int(f->db, "SELECT MIN(pos) FROM events", NO_ARGS), 3);
	must(event_trim(f->db, T0, &more, &e), &e);
	assert_false(more);
	assert_int_equal(sql_int(f->db, "SELECT missed FROM routes", NO_ARGS), 0);
	must(event_trim(f->db, T0 + 31 * DAY, &more, &e), &e);
	assert_int_equal(sql_int(f->db, "SELECT COUNT(*) FROM events", NO_ARGS), 0);
	assert_int_equal(sql_int(f->db, "SELECT missed FROM routes", NO_ARGS), 8);
	/* One that is off has nothing to miss. */
	named.is_off = true;
	name_routes(f, &named, 1);
	add_many(f, T0, 8);
	must(event_trim(f->db, T0 + 31 * DAY, &more, &e), &e);
	assert_int_equal(sql_int(f->db, "SELECT missed FROM routes", NO_ARGS), 8);
}

static void
events_of_channels(void **state)
{
	static const int64_t nos[] = {3, 1, 9};
	struct fixture *f = *state;
	struct event *events;
	struct err e;
	size_t n;

	add_many(f, T0, 30);
	must(event_of_channels(f->db, &f->arena, nos, 3, T0 + 9 * SECOND, 100, &events, &n, &e),
		&e);
	assert_int_equal(n, 13); /* of 10 to 29 those that are 0 or 2 modulo 3 */
	for (size_t i = 0; i < n; i++) {
		assert_true(events[i].at > T0 + 9 * SECOND && events[i].channel != 2);
		assert_true(i == 0 || events[i].pos > events[i - 1].pos);
	}
	must(event_of_channels(f->db, &f->arena, nos, 3, T0, 5, &events, &n, &e), &e);
	assert_int_equal(n, 6);
	must(event_of_channels(f->db, &f->arena, nos, 0, T0, 5, &events, &n, &e), &e);
	assert_int_equal(n, 0);
}

#define with_store(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(messages_tell),
		with_store(marks_tell),
		with_store(members_tell),
		with_store(channels_tell),
		with_store(users_tell),
		with_store(positions_appear_in_their_order),
		with_store(what_is_rolled_back_is_not_told),
		with_store(old_ones_go_some_at_a_time),
		with_store(too_many_go_whatever_their_age),
		with_store(what_a_route_has_not_read_stays_for_a_while),
		with_store(events_of_channels),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
