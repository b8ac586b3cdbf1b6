/* campaign_fixture – three users, three segments, and campaigns made of JSON. */
#pragma once
#include "base/clock.h"
#include "domain/campaign.h"
#include "domain/segment.h"
#include "store_fixture.h"

#define HOUR INT64_C(3600000000)

/* Members that every campaign needs. */
#define ANN  "\"sender_id\":\"ann\""
#define HI   "\"message_template\":{\"text\":\"hi\"}"
#define BASE ANN "," HI

/* A program of these is a list of TESTs. */
#define TEST(name) cmocka_unit_test_setup_teardown(name, campaign_setup, fixture_teardown)

static inline int
campaign_setup(void **state)
{
	struct fixture *f;
	struct segment s;
	struct err e;
	static const char *const segments[] = {"s1", "s2", "s3"};

	fixture_setup(state);
	f = *state;
	put_users(f, "[{\"id\":\"ann\"},{\"id\":\"bob\"},{\"id\":\"cid\"}]", NULL);
	for (size_t i = 0; i < ARRAY_LEN(segments); i++) {
		struct segment_change c = {.id = str_of(segments[i]), .type = STR("user")};

		must(segment_create(f->db, &f->arena, &c, &s, &e), &e);
	}
	return 0;
}

static inline bool
try_create(struct fixture *f, const char *body, struct campaign *out, struct err *e)
{
	struct campaign_edit edit;

	return campaign_read_edit(&f->arena, parse(f, body), &edit, e) &&
	       campaign_create(f->db, &f->arena, &edit, out, e);
}

static inline bool
try_update(struct fixture *f, const char *id, const char *body, struct campaign *out,
	struct err *e)
{
	struct campaign_edit edit;

	return campaign_read_edit(&f->arena, parse(f, body), &edit, e) &&
	       campaign_update(f->db, &f->arena, str_of(id), &edit, out, e);
}

static inline struct campaign
create(struct fixture *f, const char *body)
{
	struct campaign c;
	struct err e;

	must(try_create(f, body, &c, &e), &e);
	return c;
}

static inline struct campaign
update(struct fixture *f, const char *id, const char *body)
{
	struct campaign c;
	struct err e;

	must(try_update(f, id, body, &c, &e), &e);
	return c;
}

static inline struct campaign
look(struct fixture *f, const char *id)
{
	struct campaign c;
	struct err e;

	must(campaign_get(f->db, &f->arena, str_of(id), &c, &e), &e);
	return c;
}

static inline bool
try_start(struct fixture *f, const char *id, int64_t scheduled_for, int64_t stop_at,
	struct campaign *out, struct err *e)
{
	struct campaign_start s = {.scheduled_for = scheduled_for, .stop_at = stop_at};

	return campaign_start(f->db, &f->arena, str_of(id), &s, out, e);
}

/* Everything that is said of a campaign, so that two can be compared. */
static inline const char *
told(struct fixture *f, const struct campaign *c)
{
	struct buf b;

	buf_init(&b, &f->arena, 1024);
	buf_printf(&b, "%lld|%.*s|%.*s|%.*s|%.*s|%lld|%.*s|%.*s|%d%d%d%d|%.*s|%.*s|",
		(long long)c->no, STR_ARG(c->id), STR_ARG(c->name), STR_ARG(c->description),
		STR_ARG(c->status), (long long)c->sender, STR_ARG(c->sender_mode),
		STR_ARG(c->sender_visibility), c->create_channels, c->show_channels,
		c->skip_push, c->skip_webhook, STR_ARG(c->message_template),
		STR_ARG(c->channel_template));
	for (size_t i = 0; i < c->nsegments; i++)
		buf_printf(&b, "%.*s,", STR_ARG(c->segment_ids[i]));
	buf_printf(&b, "|%lld|%lld|%lld|%lld|%lld|%lld|%lld|%lld|%d%c", (long long)c->user_set,
		(long long)c->created_at, (long long)c->updated_at, (long long)c->deleted_at,
		(long long)c->scheduled_for, (long long)c->stop_at, (long long)c->started_at,
		(long long)c->completed_at, c->planned, '\0');
	return b.p;
}

/* A list of ${n} strings under ${key}, with what else a campaign needs. */
static inline const char *
with_list(struct fixture *f, const char *key, const char *item, int n)
{
	struct buf b;

	buf_init(&b, &f->arena, 65536);
	buf_printf(&b, "{" BASE ",\"%s\":[", key);
	for (int i = 0; i < n; i++) {
		buf_str(&b, i ? STR(",\"") : STR("\""));
		buf_printf(&b, item, i);
		buf_char(&b, '"');
	}
	buf_printf(&b, "]}%c", '\0');
	return b.p;
}

/* A campaign that has come to the status on the usual way. */
static inline struct campaign
in_status(struct fixture *f, const char *id, const char *status)
{
	struct campaign c = create(f,
		arena_printf(&f->arena, "{\"id\":\"%s\"," BASE ",\"user_ids\":[\"bob\"]}", id)
			.p);
	struct err e;

	if (strcmp(status, "draft") == 0)
		return c;
	must(try_start(f, id,
		     strcmp(status, "scheduled") == 0 ? clock_now_us() + HOUR : NO_TIME,
		     NO_TIME, &c, &e),
		&e);
	if (strcmp(status, "stopped") == 0)
		must(campaign_stop(f->db, &f->arena, str_of(id), &c, &e), &e);
	if (strcmp(status, "completed") == 0)
		sql_run(f->db, "UPDATE campaigns SET status = 'completed' WHERE no = $1",
			ARGS(V_INT(c.no)));
	return look(f, id);
}
