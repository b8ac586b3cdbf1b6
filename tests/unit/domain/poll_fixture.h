/* poll_fixture – polls and votes for tests, and words to make and to look at them. */
#pragma once
#include "chat_fixture.h"
#include "domain/page.h"
#include "domain/poll.h"

static const struct app app = {
	.api_secret = {"0123456789abcdef0123456789abcdef", 32}, .id_tag = 0x123456789abcdef};

/* Options with the ids a, b, c …, whose texts are A, B, C …; the text ends the list. */
static inline struct poll_edit
lettered(struct fixture *f, const char *letters)
{
	struct poll_edit d = POLL_EDIT_NONE;

	d.id = STR("p");
	d.name = STR("Lunch?");
	d.drop_custom = true;
	d.has_options = true;
	d.noptions = strlen(letters);
	d.options = arena_zalloc(&f->arena, d.noptions * sizeof(*d.options) + 1);
	for (size_t i = 0; i < d.noptions; i++) {
		d.options[i].id = arena_printf(&f->arena, "%c", letters[i]);
		d.options[i].text = arena_printf(&f->arena, "%c", letters[i] - 'a' + 'A');
	}
	return d;
}

static inline struct poll
get(struct fixture *f, const char *id, int64_t viewer)
{
	struct poll p;
	struct err e;

	must(poll_get(f->db, &f->arena, &app, str_of(id), viewer, &p, &e), &e);
	return p;
}

static inline void
create(struct fixture *f, const struct poll_edit *d, int64_t creator)
{
	struct str id;
	struct err e;

	must(poll_create(f->db, &f->arena, d, creator, &id, &e), &e);
}

static inline bool
try_vote(struct fixture *f, const char *poll, const char *option, int64_t uid,
	struct poll_vote *out, struct err *e)
{
	struct poll_choice choice = {.option_id = str_of(option)};

	return poll_cast_vote(f->db, &f->arena, &app, str_of(poll), &choice, NULL, uid, out, e);
}

static inline struct poll_vote
vote(struct fixture *f, const char *poll, const char *option, int64_t uid)
{
	struct poll_vote out;
	struct err e;

	must(try_vote(f, poll, option, uid, &out, &e), &e);
	return out;
}

static inline bool
try_answer(struct fixture *f, const char *poll, const char *text, int64_t uid,
	struct poll_vote *out, struct err *e)
{
	struct poll_choice choice = {.answer = str_of(text)};

	return poll_cast_vote(f->db, &f->arena, &app, str_of(poll), &choice, NULL, uid, out, e);
}

static inline struct poll_vote
answer(struct fixture *f, const char *poll, const char *text, int64_t uid)
{
	struct poll_vote out;
	struct err e;

	must(try_answer(f, poll, text, uid, &out, &e), &e);
	return out;
}

static inline int64_t
votes_of(const struct poll *p, const char *option)
{
	const struct poll_option *o = poll_option_find(p, str_of(option));

	assert_non_null(o);
	return o->votes;
}

/* The ids of the options, in their order, as one text. */
static inline struct str
letters_of(struct fixture *f, const struct poll *p)
{
	struct buf b;

	buf_init(&b, &f->arena, 16);
	for (size_t i = 0; i < p->noptions; i++)
		buf_str(&b, p->options[i].id);
	return buf_view(&b);
}

static inline void
update(struct fixture *f, const char *id, const struct poll_edit *d, bool full)
{
	struct err e;

	must(poll_update(f->db, &f->arena, str_of(id), d, full, 0, &e), &e);
}

/* What is counted must be what is there: every number from the votes themselves. */
static inline void
recount(struct fixture *f, const char *id)
{
	struct poll p = get(f, id, 0);
	int64_t votes = 0;

	for (size_t i = 0; i < p.noptions; i++) {
		int64_t n = sql_int(f->db,
			"SELECT COUNT(*) FROM poll_votes WHERE poll = $1 AND option = $2",
			ARGS(V_INT(p.no), V_INT(p.options[i].no)));

		assert_int_equal(p.options[i].votes, n);
		votes += n;
	}
	assert_int_equal(p.votes, votes);
	assert_int_equal(p.answers,
		sql_int(f->db, "SELECT COUNT(*) FROM poll_votes WHERE poll = $1 AND option = 0",
			ARGS(V_INT(p.no))));
}

static inline int64_t *
put_voters(struct fixture *f, size_t n)
{
	struct str *ids = arena_array(&f->arena, n, sizeof(*ids));
	int64_t *uids = arena_array(&f->arena, n, sizeof(*uids));

	for (size_t i = 0; i < n; i++)
		ids[i] = arena_printf(&f->arena, "v%03zu", i);
	mention(f, ids, n, uids);
	return uids;
}
