/* template_fixture – two users, a channel, and templates rendered for them. */
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include "../base/support.h"
#include "base/arena.h"
#include "base/err.h"
#include "domain/template.h"
#include "domain/user.h"

#define ROOM 65536 /* more than any output here, unless the limit is the matter */

struct fixture {
	struct arena arena;
	struct user sender, receiver;
	struct template_channel channel;
	struct template_vars vars;
	char undefined[256]; /* names reported, comma-separated */
};

struct vector {
	const char *text, *want;
};

static const char custom[] =
	"{\"country\":\"USA\",\"score\":42,\"price\":3.14159,\"half\":2.675,\"huge\":1e3,"
	"\"zero\":0,\"vip\":true,\"off\":false,\"nothing\":null,\"empty\":\"\","
	"\"quote\":\"say \\\"hi\\\"\\n\\u00e9\",\"birthday\":\"1990-05-01\","
	"\"seen\":\"2024-02-29T15:04:05.25+02:00\",\"numeric\":\"34.26\","
	"\"tags\":[\"a\",\"b\\\"c\",3,true,null],\"none\":[],\"blank\":{},"
	"\"address\":{\"city\":\"Z\\u00fcrich\",\"geo\":{\"lat\":47.4}},"
	"\"id\":\"not this one\",\"evil\":\"{{ sender.secret }}{% if %}\"}";

static inline int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	arena_init(&f->arena, 4096, SIZE_MAX);
	f->sender = (struct user){.id = STR("ann"),
		.name = STR("Ann"),
		.custom = STR("{\"secret\":\"s3cret\",\"shop\":\"acme\"}"),
		.teams = STR("[]"),
		.created_at = NO_TIME,
		.updated_at = NO_TIME,
		.last_active = NO_TIME};
	f->receiver = (struct user){.id = STR("bob"),
		.name = STR("Bob"),
		.teams = STR("[\"red\",\"blue\"]"),
		.custom = str_of(custom),
		.created_at = INT64_C(1798815845123456), /* 2027-01-01T15:04:05.123456Z */
		.updated_at = INT64_C(1735516800000000), /* 2024-12-30T00:00:00Z */
		.last_active = NO_TIME};
	f->channel = (struct template_channel){.id = STR("c1"),
		.type = STR("messaging"),
		.cid = STR("messaging:c1"),
		.custom = STR("{\"name\":\"News\",\"size\":3}")};
	f->vars = (struct template_vars){
		.sender = &f->sender, .receiver = &f->receiver, .channel = &f->channel};
	*state = f;
	return 0;
}

static inline int
teardown(void **state)
{
	struct fixture *f = *state;

	arena_fini(&f->arena);
	free(f);
	return 0;
}

static inline struct template *
compile(struct fixture *f, struct str text, bool json)
{
	struct template *t = NULL;
	struct err e = {.msg = ""};

	if (!(json ? template_json(&f->arena, text, "f", &t, &e)
		   : template_text(&f->arena, text, "f", &t, &e)))
		fail_msg("%.*s: %s", STR_ARG(text), e.msg);
	return t;
}

/* Through a heap buffer that starts tiny, so that growing moves it again and again. */
static inline struct str
render(struct fixture *f, const struct template *t)
{
	struct str s;
	struct buf out;

	buf_init(&out, NULL, 0);
	buf_str(&out, STR("<"));
	assert_true(template_render(t, &f->vars, ROOM, &out));
	assert_int_equal(out.p[0], '<');
	s = arena_dup(&f->arena, str_sub(buf_view(&out), 1, out.n - 1));
	buf_free(&out);
	return s;
}

static inline void
expect(struct fixture *f, const struct vector *v, size_t n, bool json)
{
	bool ok = true;

	for (size_t i = 0; i < n; i++) {
		struct str got = render(f, compile(f, str_of(v[i].text), json));

		if (!str_eq(got, str_of(v[i].want))) {
			print_error(
				"%s\n  gives  %s\n  wanted %s\n", v[i].text, got.p, v[i].want);
			ok = false;
		}
	}
	assert_true(ok);
}

#define TEMPLATE_TEST(name)     cmocka_unit_test_setup_teardown(name, setup, teardown)
#define EXPECT(f, vectors)      expect((f), (vectors), ARRAY_LEN(vectors), false)
#define EXPECT_JSON(f, vectors) expect((f), (vectors), ARRAY_LEN(vectors), true)
