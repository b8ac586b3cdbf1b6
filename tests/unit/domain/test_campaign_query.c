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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_of_users),
		TEST(users_of_segments_are_not_listed),
		TEST(queries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
