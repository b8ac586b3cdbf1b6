/* test_campaign_query – finding campaigns, and the users that one lists. */
#include "campaign_fixture.h"
#include "domain/app.h"
#include "domain/page.h"

static const struct app app = {.api_secret = {"0123456789abcdef0123456789abcdef", 32}};

/* ---- pages of the listed users --------------------------------------------------- */

#define LISTED 23

static void
pages_of_users(void **state)
{
	struct fixture *f = *state;
	struct campaign c = create(f, with_list(f, "user_ids", "user-%02d", LISTED)), other;
	struct page_links links, back;
	struct page_ask ask = {.limit = 5};
	struct user *users, *again;
	size_t n, m, seen = 0;
	char id[16];
	struct err e;

	put_users(f, "[{\"id\":\"user-03\",\"name\":\"Three\"}]", NULL);
	do {
		must(campaign_users(f->db, &f->arena, &app, &c, &ask, &users, &n, &links, &e),
			&e);
		assert_int_equal(n, MIN_OF(5, LISTED - seen));
		assert_int_equal(links.prev.p != NULL, seen > 0);
		assert_int_equal(links.next.p != NULL, seen + n < LISTED);
		for (size_t i = 0; i < n; i++) {
			snprintf(id, sizeof(id), "user-%02zu", seen + i);
			assert_str(users[i].id, id);
			assert_int_equal(users[i].created_at != NO_TIME, seen + i == 3);
		}
		if (links.prev.p != NULL) {
			struct page_ask prev = {.limit = 5, .prev = links.prev};

			must(campaign_users(
				     f->db, &f->arena, &app, &c, &prev, &again, &m, &back, &e),
				&e);
			assert_int_equal(m, 5);
			snprintf(id, sizeof(id), "user-%02zu", seen - 5);
			assert_str(again[0].id, id);
			assert_non_null(back.next.p);
		}
		seen += n;
		ask.next = links.next;
	} while (links.next.p != NULL);
	assert_int_equal(seen, LISTED);
	/* Not a cursor; not one of this campaign; not one of this direction. */
	ask.next = STR("nonsense");
	must_fail(campaign_users(f->db, &f->arena, &app, &c, &ask, &users, &n, &links, &e), &e,
		ERR_INPUT, "next");
	ask.next = back.next;
	other = create(f, with_list(f, "user_ids", "user-%02d", LISTED));
	must_fail(campaign_users(f->db, &f->arena, &app, &other, &ask, &users, &n, &links, &e),
		&e, ERR_INPUT, "next");
	ask = (struct page_ask){.limit = 5, .prev = back.next};
	must_fail(campaign_users(f->db, &f->arena, &app, &c, &ask, &users, &n, &links, &e), &e,
		ERR_INPUT, "prev");
}

static void
users_of_segments_are_not_listed(void **state)
{
	struct fixture *f = *state;
	struct campaign c = create(f, "{" BASE ",\"segment_ids\":[\"s1\"]}");
	struct page_ask ask = {.limit = 5};
	struct page_links links;
	struct user *users;
	size_t n;
	struct err e;

	must(campaign_users(f->db, &f->arena, &app, &c, &ask, &users, &n, &links, &e), &e);
	assert_int_equal(n, 0);
	assert_null(links.next.p);
	assert_null(links.prev.p);
}

/* ---- query ----------------------------------------------------------------------- */

/* The ids found, joined by blanks. */
static void
finds(struct fixture *f, const char *filter, const char *sort, const char *wanted)
{
	struct page_ask ask = {.filter = filter != NULL ? parse(f, filter) : NULL,
		.sort = sort != NULL ? parse(f, sort) : NULL,
		.limit = 30};
	struct page_links links;
	struct campaign *found;
	struct buf b;
	size_t n;
	struct err e;

	must(campaign_query(f->db, &f->arena, &app, &ask, &found, &n, &links, &e), &e);
	buf_init(&b, &f->arena, 64);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s%.*s", i ? " " : "", STR_ARG(found[i].id));
	assert_str(buf_view(&b), wanted);
}

static void
queries(void **state)
{
	struct fixture *f = *state;
	struct page_ask ask = {.filter = parse(f, "{\"text\":\"x\"}"), .limit = 30};
	struct page_links links;
	struct campaign *found;
	size_t n;
	struct err e;

	create(f, "{\"id\":\"a\",\"name\":\"z\"," BASE ",\"segment_ids\":[\"s1\",\"s2\"]}");
	create(f, "{\"id\":\"b\",\"name\":\"y\",\"sender_id\":\"bob\"," HI
		  ",\"segment_ids\":[\"s2\"]}");
	in_status(f, "c", "scheduled");
	in_status(f, "gone", "draft");
	must(campaign_delete(f->db, &f->arena, STR("gone"), &e), &e);
	finds(f, NULL, NULL, "c b a");
	finds(f, "{\"id\":{\"$eq\":\"b\"}}", NULL, "b");
	finds(f, "{\"id\":\"gone\"}", NULL, "");
	finds(f, "{\"status\":{\"$in\":[\"scheduled\",\"stopped\"]}}", NULL, "c");
	finds(f, "{\"sender_id\":\"bob\"}", NULL, "b");
	finds(f, "{\"segments\":{\"$in\":[\"s2\"]}}", NULL, "b a");
	finds(f, "{\"segments\":{\"$contains\":\"s1\"}}", NULL, "a");
	finds(f, NULL, "[{\"field\":\"name\",\"direction\":-1}]", "a b c");
	must_fail(campaign_query(f->db, &f->arena, &app, &ask, &found, &n, &links, &e), &e,
		ERR_INPUT, "text");
}

/* A page shows of each campaign what a call for it alone shows. */
static void
many_are_as_each_alone(void **state)
{
	static const char *const listed[] = {"[]", "[\"dan\"]",
		"[\"eve\",\"ann\",\"dan\",\"bob\"]", "[\"x9\",\"x1\",\"ann\"]"};
	struct fixture *f = *state;
	struct page_ask ask = {.limit = 3}, all = {.limit = 30};
	struct campaign_page pages[8];
	struct page_links links;
	struct campaign *found;
	size_t n;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(listed); i++)
		create(f, arena_printf(&f->arena, "{" BASE ",\"id\":\"u%zu\",\"user_ids\":%s}",
				  i, listed[i])
				  .p);
	create(f, "{" BASE ",\"id\":\"s\",\"segment_ids\":[\"s2\",\"s1\"]}");
	sql_script(f, "INSERT INTO tallies SELECT no, 1, 7 FROM campaigns WHERE id = 'u2'");
	sql_script(f, "INSERT INTO tallies SELECT no, 16, 2 FROM campaigns WHERE id = 'u2'");
	must(campaign_query(f->db, &f->arena, &app, &all, &found, &n, &links, &e), &e);
	assert_int_equal(n, 5);
	must(campaign_users_of_many(f->db, &f->arena, found, n, ask.limit, pages, &e), &e);
	for (size_t i = 0; i < n; i++) {
		struct campaign one;
		struct user *users;
		size_t nusers;

		must(campaign_get(f->db, &f->arena, found[i].id, &one, &e), &e);
		assert_int_equal(one.no, found[i].no);
		assert_int_equal(one.nsegments, found[i].nsegments);
		for (size_t k = 0; k < one.nsegments; k++)
			assert_true(str_eq(one.segment_ids[k], found[i].segment_ids[k]));
		assert_int_equal(one.tallies.n, found[i].tallies.n);
		assert_int_equal(one.tallies.sent, found[i].tallies.sent);
		assert_int_equal(one.users_sent, found[i].users_sent);
		must(campaign_users(
			     f->db, &f->arena, &app, &one, &ask, &users, &nusers, &links, &e),
			&e);
		assert_int_equal(nusers, pages[i].n);
		for (size_t k = 0; k < nusers; k++)
			assert_true(str_eq(users[k].id, pages[i].users[k].id));
	}
	assert_true(str_is(found[0].id, "s") && found[0].nsegments == 2);
	assert_true(str_is(found[2].id, "u2") && found[2].tallies.n == 2);
	assert_int_equal(pages[2].n, 3);
	assert_int_equal(pages[4].n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_of_users),
		TEST(users_of_segments_are_not_listed),
		TEST(queries),
		TEST(many_are_as_each_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
