/* house – a store, an engine on it and six users, and words to say what campaigns did there. */
#pragma once
#include "../domain/store_fixture.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "domain/campaign.h"
#include "domain/channel.h"
#include "domain/outcome.h"
#include "domain/segment.h"
#include "engine/engine.h"

#define DEADLINE_US 20000000

/* "!members-" and nine characters a member. */
#define DISTINCT_ID_LEN(n) (9 + 9 * (n))

struct house {
	struct fixture *f;
	struct config config;
	struct engine *engine;
};

/* ---- helpers --------------------------------------------------------------------- */

static inline void
start_engine(struct house *h)
{
	struct err e;

	must(engine_start(&h->engine, h->f->store, &h->config, &e), &e);
}

static inline int
setup(void **state)
{
	struct house *h = calloc(1, sizeof(*h));

	log_set_level(LOG_ERROR);
	fixture_setup((void **)&h->f);
	h->config = (struct config){
		.workers = 3, .batch_size = 4, .lease_ms = 30000, .render_max = 20000};
	start_engine(h);
	put_users(h->f,
		"[{\"id\":\"ann\",\"name\":\"Ann\"},{\"id\":\"bob\",\"name\":\"Bob\"},"
		"{\"id\":\"cid\",\"name\":\"Cid\"},{\"id\":\"dan\",\"name\":\"Dan\"},"
		"{\"id\":\"eve\",\"name\":\"Eve\"},{\"id\":\"fay\",\"name\":\"Fay\"}]",
		NULL);
	*state = h;
	return 0;
}

static inline int
teardown(void **state)
{
	struct house *h = *state;

	engine_stop(h->engine);
	fixture_teardown((void **)&h->f);
	free(h);
	return 0;
}

static inline int64_t
value(struct house *h, const char *sql, struct args args)
{
	return sql_int(h->f->db, sql, args);
}

/* What no function of the domain does yet. */
static inline void
run(struct house *h, const char *sql, struct args args)
{
	sql_run(h->f->db, sql, args);
}

static inline int64_t
uid_of(struct house *h, const char *id)
{
	int64_t uid = value(h, "SELECT uid FROM users WHERE id = $1", ARGS(V_TEXT(str_of(id))));

	assert_true(uid > 0);
	return uid;
}

/* Users user-0 … */
static inline void
put_many(struct house *h, int n)
{
	struct buf b;

	buf_init(&b, &h->f->arena, 64 * (size_t)n);
	for (int i = 0; i < n; i++)
		buf_printf(&b, "%s{\"id\":\"user-%d\",\"name\":\"N%d\"}", i ? "," : "[", i, i);
	buf_printf(&b, "]%c", '\0');
	put_users(h->f, b.p, NULL);
}

static inline struct campaign
look(struct house *h, const char *id)
{
	struct campaign c;
	struct err e;

	must(campaign_get(h->f->db, &h->f->arena, str_of(id), &c, &e), &e);
	return c;
}

/* Creates a campaign from the body of a request. */
static inline void
create(struct house *h, const char *body)
{
	struct campaign_edit edit;
	struct campaign c;
	struct err e;

	must(campaign_read_edit(&h->f->arena, parse(h->f, body), &edit, &e), &e);
	must(campaign_create(h->f->db, &h->f->arena, &edit, &c, &e), &e);
}

static inline void
start_at(struct house *h, const char *id, int64_t scheduled_for, int64_t stop_at)
{
	struct campaign_start start = {.scheduled_for = scheduled_for, .stop_at = stop_at};
	struct campaign c;
	struct err e;

	must(campaign_start(h->f->db, &h->f->arena, str_of(id), &start, &c, &e), &e);
	engine_wake(h->engine);
}

/* Sums that hold at any moment, of all campaigns: what is counted is what is there (I-7). */
static inline void
check_books(struct house *h)
{
	assert_int_equal(value(h,
				 "SELECT COUNT(*) FROM campaigns c WHERE c.planned = 1 AND "
				 "c.audience <> "
				 "c.pending + COALESCE((SELECT SUM(t.n) FROM tallies t "
				 "WHERE t.campaign = c.no), 0)",
				 NO_ARGS),
		0);
	assert_int_equal(value(h,
				 "SELECT COUNT(*) FROM campaigns c WHERE COALESCE((SELECT t.n "
				 "FROM tallies t "
				 "WHERE t.campaign = c.no AND t.outcome = 1), 0) <> "
				 "(SELECT COUNT(*) FROM messages m JOIN batches b ON m.key >= "
				 "b.first_key "
				 "AND m.key < b.first_key + b.n WHERE b.campaign = c.no)",
				 NO_ARGS),
		0);
	assert_int_equal(value(h,
				 "SELECT COUNT(*) FROM messages m WHERE NOT EXISTS "
				 "(SELECT 1 FROM channels c WHERE c.no = m.channel)",
				 NO_ARGS),
		0);
	assert_int_equal(
		value(h,
			"SELECT COUNT(*) FROM campaigns c WHERE (c.status = 'completed') <> "
			"(c.planned = 1 AND c.pending = 0) AND c.status <> 'stopped'",
			NO_ARGS),
		0);
}

/* Polls until it is completed or stopped; the deadline is for a machine that is very busy. */
static inline struct campaign
finished(struct house *h, const char *id)
{
	int64_t end = clock_mono_us() + DEADLINE_US;
	struct campaign c;

	for (;;) {
		struct arena_mark mark = arena_mark(&h->f->arena);
		bool done;

		c = look(h, id);
		done = campaign_is(&c, "completed") || campaign_is(&c, "stopped");
		if (done)
			break;
		arena_rewind(&h->f->arena, mark);
		if (clock_mono_us() > end) {
			/* Nor may its worker, so there is no tidying up. */
			print_error("campaign %s does not end (I-5)\n", id);
			_exit(1);
		}
		usleep(500);
	}
	check_books(h);
	return c;
}

/* Creates, starts and waits: ${body} is without the outer braces and the id. */
static inline struct campaign
campaign(struct house *h, const char *id, const char *body)
{
	create(h, arena_printf(&h->f->arena, "{\"id\":\"%s\",%s}", id, body).p);
	start_at(h, id, NO_TIME, NO_TIME);
	return finished(h, id);
}

static inline int64_t
tally(const struct campaign *c, enum outcome outcome)
{
	for (size_t i = 0; i < c->tallies.n; i++)
		if (c->tallies.v[i].outcome == outcome)
			return c->tallies.v[i].n;
	return 0;
}

static inline bool
has_channel(struct house *h, const char *id, struct channel *out)
{
	bool found;
	struct err e;

	must(channel_find(
		     h->f->db, &h->f->arena, STR("messaging"), str_of(id), out, &found, &e),
		&e);
	return found;
}

static inline struct channel
channel(struct house *h, const char *id)
{
	struct channel c;
	struct err e;

	if (!has_channel(h, id, &c)) {
		print_error("there is no channel %s\n", id);
		assert_true(false);
	}
	must(channel_complete(h->f->db, &h->f->arena, &c, 1, &e), &e);
	return c;
}

/* The distinct channel of up to four users. */
static inline struct channel
distinct(struct house *h, const char *const ids[], size_t n)
{
	struct channel c;
	int64_t uids[4];
	bool found;
	struct err e;

	for (size_t i = 0; i < n; i++)
		uids[i] = uid_of(h, ids[i]);
	must(channel_find_distinct(h->f->db, &h->f->arena, STR("messaging"), uids,
		     form_sort_uids(uids, n), &c, &found, &e),
		&e);
	assert_true(found);
	return c;
}

/* Its members are exactly these. */
static inline void
has_members(struct house *h, const struct channel *c, const char *const ids[], size_t n)
{
	struct member *members;
	size_t count;
	int64_t total;
	struct err e;

	must(channel_members(h->f->db, &h->f->arena, c, 0, &members, &count, &total, &e), &e);
	assert_int_equal(count, n);
	assert_int_equal(total, n);
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < count && members[k].uid != uid_of(h, ids[i]))
			k++;
		if (k == count)
			print_error("%s is no member of %.*s\n", ids[i], STR_ARG(c->cid));
		assert_true(k < count);
	}
}

#define MEMBERS(h, channel, ...)                               \
	has_members(h, channel, (const char *[]){__VA_ARGS__}, \
		sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))
#define DISTINCT(h, ...)                           \
	distinct(h, (const char *[]){__VA_ARGS__}, \
		sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))

static inline int64_t
messages_in(struct house *h, const struct channel *c)
{
	return value(h, "SELECT COUNT(*) FROM messages WHERE channel = $1", ARGS(V_INT(c->no)));
}

/* The newest message in it reads so. */
static inline void
says(struct house *h, const struct channel *c, const char *text)
{
	struct rows r;
	struct err e;

	must(db_query_text(h->f->db,
		     STR("SELECT text FROM messages WHERE channel = $1 ORDER BY key DESC"),
		     ARGS(V_INT(c->no)), &r, &e),
		&e);
	assert_true(rows_next(&r));
	assert_str(row_str(&r, 0), text);
	must(rows_end(&r, &e), &e);
}

/* A channel as the API makes it; ${id} NULL: distinct. */
static inline struct channel
api_channel(struct house *h, const char *id, const char *const members[], size_t n)
{
	struct member_spec specs[4] = {0};
	struct channel_spec spec = {.type = STR("messaging"),
		.id = id == NULL ? STR_NONE : str_of(id),
		.creator = uid_of(h, members[0]),
		.created_at = clock_now_us(),
		.members = specs,
		.nmembers = n};
	struct channel out;
	bool made;
	struct err e;

	for (size_t i = 0; i < n; i++)
		specs[i] = (struct member_spec){.uid = uid_of(h, members[i]),
			.hidden_at = NO_TIME,
			.archived_at = NO_TIME};
	must(channel_get_or_create(h->f->db, &h->f->arena, &spec, &out, &made, &e), &e);
	assert_true(made);
	return out;
}

#define API_CHANNEL(h, id, ...)                           \
	api_channel(h, id, (const char *[]){__VA_ARGS__}, \
		sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))

#define ALL        "\"user_ids\":[\"bob\",\"cid\",\"dan\",\"eve\",\"fay\"]"
#define FROM_ANN   "\"sender_id\":\"ann\""
#define HI         "\"message_template\":{\"text\":\"Hi {{receiver.name}}\"}"
#define CREATE     "\"create_channels\":true"
#define CHANNEL(s) "\"channel_template\":{\"type\":\"messaging\"" s "}"
#define BY_AFFIX   CHANNEL(",\"id\":\"{{receiver.id}}-{{sender.id}}\"")
