/* test_campaign – what a campaign may be and become: create, update, every verb in every
 * status, what is due, whom it is for (I-2, I-3, I-13). */
#include "domain/app.h"
#include "domain/bitset.h"
#include "domain/campaign.h"
#include "domain/page.h"
#include "domain/poll.h"
#include "domain/segment.h"
#include "store_fixture.h"

#define HOUR INT64_C(3600000000)

static const struct app app = {.api_secret = {"0123456789abcdef0123456789abcdef", 32}};

/* ---- helpers --------------------------------------------------------------------- */

static int
setup(void **state)
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

static bool
try_create(struct fixture *f, const char *body, struct campaign *out, struct err *e)
{
	struct campaign_edit edit;

	return campaign_read_edit(&f->arena, parse(f, body), &edit, e) &&
	       campaign_create(f->db, &f->arena, &edit, out, e);
}

static bool
try_update(struct fixture *f, const char *id, const char *body, struct campaign *out,
	struct err *e)
{
	struct campaign_edit edit;

	return campaign_read_edit(&f->arena, parse(f, body), &edit, e) &&
	       campaign_update(f->db, &f->arena, str_of(id), &edit, out, e);
}

static struct campaign
create(struct fixture *f, const char *body)
{
	struct campaign c;
	struct err e;

	must(try_create(f, body, &c, &e), &e);
	return c;
}

static struct campaign
update(struct fixture *f, const char *id, const char *body)
{
	struct campaign c;
	struct err e;

	must(try_update(f, id, body, &c, &e), &e);
	return c;
}

static struct campaign
look(struct fixture *f, const char *id)
{
	struct campaign c;
	struct err e;

	must(campaign_get(f->db, &f->arena, str_of(id), &c, &e), &e);
	return c;
}

static bool
try_start(struct fixture *f, const char *id, int64_t scheduled_for, int64_t stop_at,
	struct campaign *out, struct err *e)
{
	struct campaign_start s = {.scheduled_for = scheduled_for, .stop_at = stop_at};

	return campaign_start(f->db, &f->arena, str_of(id), &s, out, e);
}

/* Everything that is said of a campaign, so that two can be compared. */
static const char *
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

#define ANN  "\"sender_id\":\"ann\""
#define HI   "\"message_template\":{\"text\":\"hi\"}"
#define BASE ANN "," HI

/* ---- create ---------------------------------------------------------------------- */

static void
create_and_read_back(void **state)
{
	struct fixture *f = *state;
	struct campaign made, got;
	struct err e;

	made = create(f,
		"{\"id\":\"c\",\"name\":\"n\",\"description\":\"d\"," ANN ","
		"\"sender_mode\":\"include\",\"sender_visibility\":\"hidden\","
		"\"create_channels\":true,\"show_channels\":true,\"skip_push\":true,"
		"\"skip_webhook\":true,"
		"\"message_template\":{\"text\":\"{{receiver.name}}\",\"custom\":{\"k\":1.50}},"
		"\"channel_template\":{\"type\":\"messaging\"},"
		"\"segment_ids\":[\"s2\",\"s1\"],\"user_ids\":[]}");
	got = look(f, "c");
	assert_string_equal(told(f, &made), told(f, &got));
	assert_str(got.status, "draft");
	assert_str(got.sender_mode, "include");
	assert_str(got.sender_visibility, "hidden");
	assert_true(
		got.create_channels && got.show_channels && got.skip_push && got.skip_webhook);
	assert_str(got.channel_template, "{\"type\":\"messaging\"}");
	assert_int_equal(got.nsegments, 2);
	assert_str(got.segment_ids[0], "s2");
	assert_str(got.segment_ids[1], "s1");
	assert_int_equal(got.user_set, 0);
	assert_int_equal(got.tallies.n, 0);
	assert_int_equal(got.deleted_at, NO_TIME);
	assert_int_equal(got.created_at, got.updated_at);
	must(campaign_by_no(f->db, &f->arena, made.no, &got, &e), &e);
	assert_string_equal(told(f, &made), told(f, &got));
}

static void
create_with_little(void **state)
{
	struct fixture *f = *state;
	struct campaign c = create(f, "{\"id\":null," BASE "}"), other;

	assert_int_equal(c.id.n, 36);
	assert_str(c.name, "");
	assert_str(c.description, "");
	assert_str(c.sender_mode, "");
	assert_str(c.sender_visibility, "");
	assert_false(c.create_channels || c.show_channels || c.skip_push || c.skip_webhook);
	assert_null(c.channel_template.p);
	assert_int_equal(c.nsegments, 0);
	other = create(
		f, "{\"id\":\"\",\"sender_mode\":\"\",\"sender_visibility\":null," BASE "}");
	assert_int_equal(other.id.n, 36);
	assert_int_not_equal(other.no, c.no);
}

static void
create_refuses(void **state)
{
	static const struct {
		const char *body;
		enum err_code code;
		const char *says;
	} cases[] = {
		{HI, ERR_INPUT, "sender_id"},
		{ANN, ERR_INPUT, "message_template"},
		{ANN ",\"message_template\":{}", ERR_INPUT, "message_template.text"},
		{ANN ",\"message_template\":{\"text\":\"{{\"}", ERR_INPUT, "line 1"},
		{ANN ",\"message_template\":\"hi\"", ERR_INPUT, "message_template"},
		{BASE ",\"segment_ids\":[\"s1\"],\"user_ids\":[\"bob\"]", ERR_INPUT,
			"segment_ids: cannot be used together with user_ids"},
		{BASE ",\"segment_ids\":[null]", ERR_INPUT, "segment_ids[0]: is null"},
		{BASE ",\"segment_ids\":\"s1\"", ERR_INPUT, "segment_ids"},
		{BASE ",\"segment_ids\":[\"s1\",\"none\"]", ERR_NOT_FOUND, "none"},
		{BASE ",\"user_ids\":[\"bob\",7]", ERR_INPUT, "user_ids[1]"},
		{BASE ",\"user_ids\":[\"bob\",\"a b\"]", ERR_INPUT,
			"user_ids[1]: \"a b\" is not a user id"},
		{BASE ",\"create_channels\":true", ERR_INPUT, "channel_template: is required"},
		{BASE ",\"create_channels\":\"yes\"", ERR_INPUT, "create_channels"},
		{BASE ",\"skip_push\":1", ERR_INPUT, "skip_push"},
		{BASE ",\"sender_mode\":\"maybe\"", ERR_INPUT, "sender_mode: \"maybe\""},
		{BASE ",\"sender_visibility\":\"seen\"", ERR_INPUT,
			"sender_visibility: \"seen\""},
		{BASE ",\"name\":7", ERR_INPUT, "name"},
		{HI ",\"sender_id\":\"nobody\"", ERR_NOT_FOUND, "nobody"},
		{ANN ",\"message_template\":{\"text\":\"x\",\"poll_id\":\"none\"}",
			ERR_NOT_FOUND,
			"message_template.poll_id: poll with id none doesn't exist"},
		{BASE ",\"channel_template\":{}", ERR_INPUT, "channel_template.type"},
		{BASE ",\"channel_template\":{\"type\":\"messaging\",\"members\":[\"a\"],"
		      "\"members_template\":[{\"user_id\":\"b\"}]}",
			ERR_INPUT, "members"},
	};
	struct fixture *f = *state;
	struct campaign c;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		must_fail(try_create(f,
				  arena_printf(&f->arena, "{\"id\":\"c\",%s}", cases[i].body).p,
				  &c, &e),
			&e, cases[i].code, cases[i].says);
	must_fail(campaign_get(f->db, &f->arena, STR("c"), &c, &e), &e, ERR_NOT_FOUND, "c");
}

/* The poll must be there when a template names it, and may go afterwards. */
static void
a_poll_is_looked_up_when_it_is_named(void **state)
{
	static const char with_poll[] =
		"{\"id\":\"c\"," ANN ",\"user_ids\":[\"bob\"],"
		"\"message_template\":{\"text\":\"x\",\"poll_id\":\"p\"}}";
	struct fixture *f = *state;
	struct poll_edit d = POLL_EDIT_NONE;
	struct campaign c;
	struct str id;
	struct err e;

	create(f, "{\"id\":\"bare\"," ANN
		  ",\"message_template\":{\"text\":\"x\",\"poll_id\":\"\"}}");
	must_fail(try_update(f, "bare", with_poll, &c, &e), &e, ERR_NOT_FOUND,
		"message_template.poll_id: poll with id p doesn't exist");
	d.id = STR("p");
	d.name = STR("Lunch?");
	must(poll_create(f->db, &f->arena, &d, 1, &id, &e), &e);
	create(f, with_poll);
	update(f, "bare", with_poll);
	must(poll_delete(f->db, &f->arena, STR("p"), 0, &e), &e);
	update(f, "c", "{\"name\":\"x\"}");
	must_fail(try_update(f, "c", with_poll, &c, &e), &e, ERR_NOT_FOUND, "p doesn't exist");
	must(try_start(f, "c", NO_TIME, NO_TIME, &c, &e), &e);
}

/* A list of ${n} strings under ${key}, with what else a campaign needs. */
static const char *
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

static void
limits_of_lists_and_texts(void **state)
{
	struct fixture *f = *state;
	struct campaign c = create(f, with_list(f, "segment_ids", "s1", 25));
	char text[5000];
	struct bitset audience;
	struct err e;

	assert_int_equal(c.nsegments, 25);
	must_fail(try_create(f, with_list(f, "segment_ids", "s1", 26), &c, &e), &e, ERR_INPUT,
		"segment_ids");
	c = create(f, with_list(f, "user_ids", "u%d", 10000));
	bitset_init(&audience);
	must(campaign_audience(f->db, &f->arena, &c, &audience, &e), &e);
	assert_int_equal(bitset_count(&audience), 10000);
	bitset_fini(&audience);
	must_fail(try_create(f, with_list(f, "user_ids", "u%d", 10001), &c, &e), &e, ERR_INPUT,
		"user_ids");
	memset(text, 'x', sizeof(text));
	create(f, arena_printf(&f->arena, "{\"id\":\"%.255s\"," BASE "}", text).p);
	must_fail(try_create(f, arena_printf(&f->arena, "{\"id\":\"%.256s\"," BASE "}", text).p,
			  &c, &e),
		&e, ERR_INPUT, "id");
}

static void
an_id_is_taken_until_deleted(void **state)
{
	struct fixture *f = *state;
	struct campaign first = create(f, "{\"id\":\"c\"," BASE ",\"user_ids\":[\"bob\"]}"), c;
	struct err e;

	must_fail(try_create(f, "{\"id\":\"c\"," BASE "}", &c, &e), &e, ERR_INPUT,
		"\"c\" exists already");
	must(campaign_delete(f->db, &f->arena, STR("c"), &e), &e);
	must_fail(campaign_get(f->db, &f->arena, STR("c"), &c, &e), &e, ERR_NOT_FOUND,
		"campaign with id c doesn't exist");
	must_fail(try_update(f, "c", "{\"name\":\"x\"}", &c, &e), &e, ERR_NOT_FOUND, "c");
	must_fail(try_start(f, "c", NO_TIME, NO_TIME, &c, &e), &e, ERR_NOT_FOUND, "c");
	must_fail(campaign_stop(f->db, &f->arena, STR("c"), &c, &e), &e, ERR_NOT_FOUND, "c");
	must_fail(campaign_delete(f->db, &f->arena, STR("c"), &e), &e, ERR_NOT_FOUND, "c");
	c = create(f, "{\"id\":\"c\"," BASE "}");
	assert_int_not_equal(c.no, first.no);
	assert_int_equal(look(f, "c").user_set, 0);
	must(campaign_by_no(f->db, &f->arena, first.no, &c, &e), &e);
	assert_true(c.deleted_at != NO_TIME);
	must_fail(campaign_by_no(f->db, &f->arena, 999, &c, &e), &e, ERR_NOT_FOUND, "999");
}

/* ---- update ---------------------------------------------------------------------- */

static void
update_is_partial(void **state)
{
	static const char *const edits[] = {"{}", "{\"name\":null}", "{\"id\":\"other\"}",
		"{\"name\":\"n2\"}", "{\"description\":\"\"}", "{\"skip_push\":true}",
		"{\"skip_push\":false,\"show_channels\":true}", "{\"sender_mode\":\"exclude\"}",
		"{\"sender_mode\":\"\"}", "{\"message_template\":{\"text\":\"new\"}}",
		"{\"channel_template\":{\"type\":\"team\"},\"create_channels\":true}",
		"{\"sender_id\":\"cid\"}", "{\"segment_ids\":[\"s3\"]}", "{\"segment_ids\":[]}",
		"{\"user_ids\":[\"bob\"]}", "{\"user_ids\":[],\"segment_ids\":[\"s1\"]}"};
	struct fixture *f = *state;
	struct campaign c, got;
	struct err e;

	create(f, "{\"id\":\"c\",\"name\":\"n\",\"description\":\"d\"," BASE
		  ",\"segment_ids\":[\"s1\",\"s2\"]}");
	for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
		c = update(f, "c", edits[i]);
		got = look(f, "c");
		assert_string_equal(told(f, &c), told(f, &got));
		assert_true(got.updated_at >= got.created_at);
	}
	assert_str(got.name, "n2");
	assert_str(got.description, "");
	assert_false(got.skip_push);
	assert_true(got.show_channels && got.create_channels);
	assert_str(got.sender_mode, "");
	assert_str(got.message_template, "{\"text\":\"new\"}");
	assert_str(got.channel_template, "{\"type\":\"team\"}");
	assert_int_equal(got.nsegments, 1);
	assert_str(got.segment_ids[0], "s1");
	assert_int_equal(got.user_set, 0);
	must_fail(campaign_get(f->db, &f->arena, STR("other"), &c, &e), &e, ERR_NOT_FOUND,
		"other");
}

/* What results must be a campaign, whatever the update says alone; and a refusal changes
 * nothing. */
static void
update_is_checked_as_a_whole(void **state)
{
	static const struct {
		const char *body;
		enum err_code code;
		const char *says;
	} cases[] = {
		{"{\"user_ids\":[\"bob\"]}", ERR_INPUT, "segment_ids"},
		{"{\"create_channels\":true}", ERR_INPUT, "channel_template"},
		{"{\"segment_ids\":[\"none\"],\"name\":\"x\"}", ERR_NOT_FOUND, "none"},
		{"{\"sender_id\":\"none\",\"name\":\"x\"}", ERR_NOT_FOUND, "none"},
		{"{\"message_template\":{\"text\":\"{% if %}\"},\"name\":\"x\"}", ERR_INPUT,
			"message_template.text"},
		{"{\"sender_mode\":\"x\",\"name\":\"x\"}", ERR_INPUT, "sender_mode"},
	};
	struct fixture *f = *state;
	struct campaign before = create(f, "{\"id\":\"c\"," BASE ",\"segment_ids\":[\"s1\"]}");
	struct campaign c;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		must_fail(try_update(f, "c", cases[i].body, &c, &e), &e, cases[i].code,
			cases[i].says);
		c = look(f, "c");
		assert_string_equal(told(f, &c), told(f, &before));
	}
}

/* ---- every verb in every status -------------------------------------------------- */

enum verb { UPDATE, START, SCHEDULE, STOP, DELETE, VERBS };

static const char *const statuses[] = {
	"draft", "scheduled", "in_progress", "completed", "stopped"};

/* What comes of it; NULL: refused, "": gone. */
static const char *const outcomes[][VERBS] = {
	/*                UPDATE       START          SCHEDULE     STOP         DELETE */
	/* draft */ {"draft", "in_progress", "scheduled", NULL, ""},
	/* scheduled */ {"scheduled", NULL, NULL, "stopped", ""},
	/* in_progress */ {NULL, NULL, NULL, "stopped", NULL},
	/* completed */ {NULL, NULL, NULL, "completed", ""},
	/* stopped */ {NULL, NULL, NULL, "stopped", ""},
};

/* A campaign that has come to the status on the usual way. */
static struct campaign
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

static bool
act(struct fixture *f, const char *id, enum verb verb, struct campaign *out, struct err *e)
{
	switch (verb) {
	case UPDATE:
		return try_update(f, id, "{\"message_template\":{\"text\":\"new\"}}", out, e);
	case START:
		return try_start(f, id, NO_TIME, NO_TIME, out, e);
	case SCHEDULE:
		return try_start(f, id, clock_now_us() + HOUR, NO_TIME, out, e);
	case STOP:
		return campaign_stop(f->db, &f->arena, str_of(id), out, e);
	default:
		return campaign_delete(f->db, &f->arena, str_of(id), e);
	}
}

static void
every_verb_in_every_status(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(statuses) * VERBS; i++) {
		const char *from = statuses[i / VERBS], *to = outcomes[i / VERBS][i % VERBS];
		const char *id = arena_printf(&f->arena, "c%zu", i).p;
		struct campaign before = in_status(f, id, from), out, after;
		struct err e = {0};
		bool ok = act(f, id, i % VERBS, &out, &e);

		if (ok != (to != NULL))
			print_error("%s, verb %zu: %s\n", from, i % VERBS, ok ? "ok" : e.msg);
		if (to == NULL) {
			must_fail(ok, &e, ERR_INPUT, id);
			after = look(f, id);
			assert_string_equal(told(f, &after), told(f, &before));
		} else if (*to == '\0') {
			must(ok, &e);
			must_fail(campaign_get(f->db, &f->arena, str_of(id), &after, &e), &e,
				ERR_NOT_FOUND, id);
		} else {
			must(ok, &e);
			after = look(f, id);
			assert_str(after.status, to);
			assert_string_equal(told(f, &after), told(f, &out));
		}
	}
}

static void
a_start_says_when(void **state)
{
	struct fixture *f = *state;
	int64_t now = clock_now_us();
	struct campaign c;
	struct err e;

	in_status(f, "a", "draft");
	must(try_start(f, "a", now - HOUR, NO_TIME, &c, &e), &e);
	assert_str(c.status, "in_progress");
	assert_int_equal(c.scheduled_for, now - HOUR);
	assert_true(c.started_at >= now);
	in_status(f, "b", "draft");
	must(try_start(f, "b", now + HOUR, now + 2 * HOUR, &c, &e), &e);
	assert_str(c.status, "scheduled");
	assert_int_equal(c.scheduled_for, now + HOUR);
	assert_int_equal(c.stop_at, now + 2 * HOUR);
	assert_int_equal(c.started_at, NO_TIME);
	in_status(f, "c", "draft");
	must_fail(try_start(f, "c", NO_TIME, now - HOUR, &c, &e), &e, ERR_INPUT, "stop_at");
	must_fail(try_start(f, "c", now - 2 * HOUR, now - HOUR, &c, &e), &e, ERR_INPUT,
		"stop_at");
	must_fail(try_start(f, "c", now + 2 * HOUR, now + HOUR, &c, &e), &e, ERR_INPUT,
		"stop_at");
	must_fail(try_start(f, "c", now + HOUR, now + HOUR, &c, &e), &e, ERR_INPUT, "stop_at");
	assert_str(look(f, "c").status, "draft");
	must(try_start(f, "c", now - 2 * HOUR, now + HOUR, &c, &e), &e);
	assert_str(c.status, "in_progress");
	create(f, "{\"id\":\"d\"," BASE "}");
	must_fail(try_start(f, "d", NO_TIME, NO_TIME, &c, &e), &e, ERR_INPUT, "segment_ids");
	update(f, "d", "{\"segment_ids\":[\"s1\"]}");
	must(try_start(f, "d", NO_TIME, NO_TIME, &c, &e), &e);
}

/* ---- what is due ----------------------------------------------------------------- */

static void
due_within(struct fixture *f, int64_t now, int64_t late_us, int64_t moved, int64_t next)
{
	int64_t m, n;
	struct err e;

	must(campaign_due(f->db, now, late_us, &m, &n, &e), &e);
	assert_int_equal(m, moved);
	assert_int_equal(n, next);
}

static void
due(struct fixture *f, int64_t now, int64_t moved, int64_t next)
{
	due_within(f, now, 0, moved, next);
}

static void
starts_and_stops_that_are_due(void **state)
{
	struct fixture *f = *state;
	int64_t t = clock_now_us();
	struct campaign c;
	struct err e;

	due(f, t, 0, NO_TIME);
	for (const char *id = "abcd"; *id != '\0'; id++)
		in_status(f, (char[]){*id, '\0'}, "draft");
	must(try_start(f, "a", t + HOUR, NO_TIME, &c, &e), &e);
	must(try_start(f, "b", t + 2 * HOUR, t + 4 * HOUR, &c, &e), &e);
	must(try_start(f, "c", NO_TIME, t + 3 * HOUR, &c, &e), &e);
	must(try_start(f, "d", t + 5 * HOUR, t + 6 * HOUR, &c, &e), &e);
	due(f, t, 0, t + HOUR);
	due(f, t + HOUR - 1, 0, t + HOUR);
	due(f, t + HOUR, 1, t + 2 * HOUR);
	c = look(f, "a");
	assert_str(c.status, "in_progress");
	assert_int_equal(c.started_at, t + HOUR);
	due(f, t + HOUR, 0, t + 2 * HOUR);
	due(f, t + 3 * HOUR, 2, t + 4 * HOUR);
	assert_str(look(f, "b").status, "in_progress");
	assert_str(look(f, "c").status, "stopped");
	due(f, t + 4 * HOUR, 1, t + 5 * HOUR);
	assert_str(look(f, "b").status, "stopped");
	/* Slept through both: it never starts. */
	due(f, t + 7 * HOUR, 1, NO_TIME);
	c = look(f, "d");
	assert_str(c.status, "stopped");
	assert_int_equal(c.started_at, NO_TIME);
	assert_str(look(f, "a").status, "in_progress");
}

/* I-23: a schedule that was slept through is not made up for, and says so. */
static void
late_schedules_are_stated(void **state)
{
	struct fixture *f = *state;
	int64_t t = clock_now_us();
	struct campaign c;
	struct err e;

	for (const char *id = "abc"; *id != '\0'; id++)
		in_status(f, (char[]){*id, '\0'}, "draft");
	must(try_start(f, "a", t + HOUR, NO_TIME, &c, &e), &e);
	must(try_start(f, "b", t + 3 * HOUR, NO_TIME, &c, &e), &e);
	must(try_start(f, "c", t + 2 * HOUR, t + 3 * HOUR, &c, &e), &e);
	due_within(f, t + 4 * HOUR, HOUR, 3, NO_TIME);
	c = look(f, "a");
	assert_str(c.status, "stopped");
	assert_str(c.stop_reason, "missed_schedule");
	assert_int_equal(c.started_at, NO_TIME);
	/* Just in time. */
	c = look(f, "b");
	assert_str(c.status, "in_progress");
	assert_null(c.stop_reason.p);
	c = look(f, "c");
	assert_str(c.status, "stopped");
	assert_str(c.stop_reason, "stop_at");
}

static void
nothing_deleted_is_due(void **state)
{
	struct fixture *f = *state;
	struct campaign c = in_status(f, "a", "scheduled");
	struct err e;

	must(campaign_delete(f->db, &f->arena, STR("a"), &e), &e);
	due(f, c.scheduled_for + HOUR, 0, NO_TIME);
	must(campaign_by_no(f->db, &f->arena, c.no, &c, &e), &e);
	assert_str(c.status, "stopped");
	assert_int_equal(c.started_at, NO_TIME);
}

static void
the_oldest_without_a_plan(void **state)
{
	struct fixture *f = *state;
	int64_t no;
	bool found;
	struct campaign a, b;
	struct err e;

	must(campaign_unplanned(f->db, &no, &found, &e), &e);
	assert_false(found);
	in_status(f, "x", "scheduled");
	in_status(f, "y", "stopped");
	a = in_status(f, "a", "in_progress");
	b = in_status(f, "b", "in_progress");
	must(campaign_unplanned(f->db, &no, &found, &e), &e);
	assert_true(found);
	assert_int_equal(no, a.no);
	sql_run(f->db, "UPDATE campaigns SET planned = 1 WHERE no = $1", ARGS(V_INT(a.no)));
	must(campaign_unplanned(f->db, &no, &found, &e), &e);
	assert_int_equal(no, b.no);
}

/* ---- the audience ---------------------------------------------------------------- */

static void
audience_is(struct fixture *f, const char *id, const struct str *ids, size_t n)
{
	struct campaign c = look(f, id);
	int64_t uids[8];
	struct bitset b;
	struct err e;

	bitset_init(&b);
	must(campaign_audience(f->db, &f->arena, &c, &b, &e), &e);
	assert_int_equal(bitset_count(&b), n);
	must(user_resolve(f->db, &f->arena, ids, n, uids, &e), &e);
	for (size_t i = 0; i < n; i++)
		assert_true(bitset_has(&b, uids[i]));
	bitset_fini(&b);
}

static void
audiences(void **state)
{
	static const struct str people[] = {
		STR_INIT("ann"), STR_INIT("bob"), STR_INIT("ghost"), STR_INIT("cid")};
	struct fixture *f = *state;
	struct err e;

	must(segment_add_targets(f->db, &f->arena, STR("s1"), people, 3, &e), &e);
	must(segment_add_targets(f->db, &f->arena, STR("s2"), people + 1, 3, &e), &e);
	create(f, "{\"id\":\"seg\"," BASE ",\"segment_ids\":[\"s1\",\"s2\",\"s1\",\"s3\"]}");
	audience_is(f, "seg", people, 4);
	/* A segment deleted meanwhile has no targets (api.md §2.5.4). */
	must(segment_delete(f->db, &f->arena, STR("s2"), &e), &e);
	audience_is(f, "seg", people, 3);
	must(segment_delete(f->db, &f->arena, STR("s1"), &e), &e);
	audience_is(f, "seg", people, 0);
	create(f,
		"{\"id\":\"list\"," BASE ",\"user_ids\":[\"bob\",\"ghost\",\"bob\",\"ann\"]}");
	audience_is(f, "list", people, 3);
	update(f, "list", "{\"user_ids\":[\"ann\",\"bob\"]}");
	audience_is(f, "list", people, 2);
	update(f, "list", "{\"name\":\"other\"}");
	audience_is(f, "list", people, 2);
	update(f, "list", "{\"user_ids\":[]}");
	audience_is(f, "list", people, 0);
}

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
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(create_and_read_back),
		TEST(create_with_little),
		TEST(create_refuses),
		TEST(a_poll_is_looked_up_when_it_is_named),
		TEST(limits_of_lists_and_texts),
		TEST(an_id_is_taken_until_deleted),
		TEST(update_is_partial),
		TEST(update_is_checked_as_a_whole),
		TEST(every_verb_in_every_status),
		TEST(a_start_says_when),
		TEST(starts_and_stops_that_are_due),
		TEST(late_schedules_are_stated),
		TEST(nothing_deleted_is_due),
		TEST(the_oldest_without_a_plan),
		TEST(audiences),
		TEST(pages_of_users),
		TEST(users_of_segments_are_not_listed),
		TEST(queries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
