/* test_unread – what users have not read, over all their channels: the counts of many agree
 * with those of one. */
#include "chat_fixture.h"
#include "domain/channel_edit.h"
#include "domain/membership.h"
#include "domain/read.h"
#include "domain/unread.h"

static void
say(struct fixture *f, const struct channel *c, int64_t author, bool silent)
{
	struct message_draft d = {.text = STR("x"), .author = author, .silent = silent};

	must_send(f, c, &d);
}

static int64_t
one(struct fixture *f, const struct channel *c, int64_t uid)
{
	struct member m;
	struct err e;
	int64_t n;
	bool found;

	must(channel_member(f->db, &f->arena, c, uid, &m, &found, &e), &e);
	if (!found)
		return 0;
	must(unread_count(f->db, c, &m, &n, &e), &e);
	return n;
}

static struct unread
of(struct fixture *f, int64_t uid)
{
	struct unread u;
	struct err e;

	must(unread_of_users(f->db, &f->arena, &uid, 1, &u, &e), &e);
	return u;
}

/* Whether many counts at once, and the sums, are those of each channel. */
static void
assert_agree(struct fixture *f, const struct channel *channels, size_t n, const int64_t *uids,
	size_t nusers)
{
	struct unread *all = arena_array(&f->arena, nusers, sizeof(*all));
	struct err e;

	must(unread_of_users(f->db, &f->arena, uids, nusers, all, &e), &e);
	for (size_t u = 0; u < nusers; u++) {
		int64_t sum = 0;
		size_t with = 0;

		for (size_t i = 0; i < n; i++) {
			int64_t count = one(f, &channels[i], uids[u]), seen = 0;

			for (size_t k = 0; k < all[u].n; k++)
				if (all[u].list[k].no == channels[i].no)
					seen = all[u].list[k].count;
			assert_int_equal(seen, count);
			sum += count;
			with += count > 0;
		}
		assert_int_equal(all[u].messages, sum);
		assert_int_equal(all[u].n, with);
		for (size_t k = 1; k < all[u].n; k++)
			assert_true(all[u].list[k - 1].newest_at >= all[u].list[k].newest_at);
	}
}

static void
many_agree_with_one(void **state)
{
	struct fixture *f = *state;
	struct read_state s;
	struct world w;
	struct channel c[4];
	struct err e;

	world_make(f, &w);
	int64_t all[] = {w.ann, w.bob, w.carl, w.dora}, both[] = {w.bob, w.carl};
	put_campaign(f, &w, 1, "", "", "{\"text\":\"x\"}", "{\"type\":\"messaging\"}");
	put_batch(f, &w, 1, 100, both, 2, T0 - 100000 * SECOND);
	c[0] = must_find(f, "messaging", "bob-ann");
	c[1] = must_find(f, "messaging", "carl-ann");
	c[2] = make_channel(f, "messaging", "x", w.ann, all, 4);
	c[3] = make_channel(f, "messaging", "y", w.ann, all, 3);
	assert_agree(f, c, 4, all, 4);
	for (int i = 0; i < 12; i++) {
		say(f, &c[i % 4], all[i % 3], i % 5 == 0);
		if (i % 3 == 0)
			must(read_mark(f->db, &f->arena, &test_app, &c[2], all[i % 4], STR_NONE,
				     &s, &e),
				&e);
		assert_agree(f, c, 4, all, 4);
	}
}

static void
what_is_gone_counts_no_more(void **state)
{
	struct fixture *f = *state;
	struct channel_cut cut = {.at = NO_TIME};
	struct world w;
	struct channel c, x, out;
	struct err e;

	world_make(f, &w);
	int64_t both[] = {w.ann, w.bob};
	put_campaign(f, &w, 1, "", "", "{\"text\":\"x\"}", "{\"type\":\"messaging\"}");
	put_batch(f, &w, 1, 100, &w.bob, 1, T0 - 100000 * SECOND);
	c = must_find(f, "messaging", "bob-ann");
	x = make_channel(f, "messaging", "x", w.ann, both, 2);
	say(f, &x, w.ann, false);
	assert_int_equal(of(f, w.bob).messages, 2);
	must(membership_hide(f->db, &f->arena, &x, w.bob, true, &e), &e);
	assert_int_equal(of(f, w.bob).messages, 1);
	must(channel_truncate(f->db, &f->arena, &c, &cut, &out, &e), &e);
	assert_int_equal(of(f, w.bob).messages, 0);
	say(f, &out, w.ann, false);
	assert_int_equal(of(f, w.bob).messages, 1);
	must_delete(f, &c.no, 1, false);
	assert_int_equal(of(f, w.bob).n, 0);
}

/* A user with more channels than are counted costs no more than those. */
static void
counts_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct world w;
	int64_t *nos;
	struct err e;
	size_t n;

	world_make(f, &w);
	run_sql(f, "INSERT INTO channels (no, origin, created_at, cid) "
		   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
		   "1500) "
		   "SELECT (1000 + i) * 4096, 0, 1, 'messaging:b' || i FROM n");
	run_sql(f,
		"INSERT INTO members (channel, uid, role, created_at) "
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
		"1500) "
		"SELECT (1000 + i) * 4096, %lld, 'channel_member', 1 FROM n",
		(long long)w.bob);
	run_sql(f,
		"INSERT INTO messages (key, channel, created_at, text, author) "
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
		"1500) "
		"SELECT i, (1000 + i) * 4096, 5, 'x', %lld FROM n",
		(long long)w.ann);
	assert_int_equal(of(f, w.bob).messages, UNREAD_MAX_CHANNELS);
	must(unread_channels(f->db, &f->arena, w.bob, &nos, &n, &e), &e);
	assert_int_equal(n, 1500);
	must(read_mark_all(f->db, &f->arena, &test_app, w.bob, &e), &e);
	assert_int_equal(of(f, w.bob).messages, 0);
}

#define with_store(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(many_agree_with_one),
		with_store(what_is_gone_counts_no_more),
		with_store(counts_are_bounded),
	};

	return cmocka_run_group_tests_name("unread", tests, NULL, NULL);
}
