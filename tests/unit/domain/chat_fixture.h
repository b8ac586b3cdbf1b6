/* chat_fixture – users, a campaign of ann's and what it sent, written straight into a store. */
#pragma once
#include "base/clock.h"
#include "base/id.h"
#include "base/pack.h"
#include "domain/app.h"
#include "domain/channel.h"
#include "domain/channel_edit.h"
#include "domain/form.h"
#include "domain/message.h"
#include "store_fixture.h"

#define SECOND INT64_C(1000000)
#define T0     (1800000000 * SECOND) /* when the campaign sent */

static const struct app test_app = {.id_tag = 0x123456789abcdef};

struct world {
	int64_t ann, bob, carl, dora;
	struct form form; /* messaging: "" + receiver.id + "-ann" */
};

struct form_make {
	struct arena *a;
	struct form *out;
	bool ok;
};

static inline bool
form_make_in(struct db *w, void *arg, struct err *e)
{
	struct form_make *m = arg;

	return form_for_affix(
		w, m->a, STR("messaging"), STR(""), STR("-ann"), m->out, &m->ok, e);
}

/* Four users and ann's form. */
static inline void
world_make(struct fixture *f, struct world *w)
{
	struct form_make m = {&f->arena, &w->form, false};
	struct user *u;
	struct err e;

	u = put_users(f,
		"[{\"id\":\"ann\"},{\"id\":\"bob\"},{\"id\":\"carl\"},{\"id\":\"dora\"}]",
		NULL);
	w->ann = u[0].uid;
	w->bob = u[1].uid;
	w->carl = u[2].uid;
	w->dora = u[3].uid;
	must(db_write(f->db, form_make_in, &m, &e), &e);
	assert_true(m.ok);
}

static inline void
run_sql(struct fixture *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sql_script(f, arena_vprintf(&f->arena, fmt, ap).p);
	va_end(ap);
}

/* Campaign ${no} of ann's that creates channels of her form. */
static inline void
put_campaign(struct fixture *f, const struct world *w, int no, const char *mode,
	const char *visibility, const char *message, const char *channel)
{
	run_sql(f,
		"INSERT INTO campaigns (no, id, name, description, status, sender, "
		"sender_mode, "
		"sender_visibility, create_channels, show_channels, skip_push, skip_webhook, "
		"message_template, channel_template, user_set, created_at, updated_at, form, "
		"planned, audience, pending, channels_created, users_read) VALUES (%d, 'c%d', "
		"'', "
		"'', 'completed', %lld, '%s', '%s', 1, 0, 0, 0, '%s', '%s', 0, 1, 1, %lld, 1, "
		"0, "
		"0, 0, 0)",
		no, no, (long long)w->ann, mode, visibility, message, channel,
		(long long)w->form.form);
}

/* A done batch of campaign ${no} to ${uids}, with channels (unless they exist) and messages. */
static inline void
put_batch(struct fixture *f, const struct world *w, int no, int64_t first_key,
	const int64_t *uids, size_t n, int64_t at)
{
	struct buf packed;
	struct str hex;

	buf_init(&packed, &f->arena, 64);
	pack_keys(&packed, uids, n);
	hex = STR("");
	for (size_t i = 0; i < packed.n; i++)
		hex = arena_printf(&f->arena, "%s%02x", hex.p, (unsigned char)packed.p[i]);
	run_sql(f,
		"INSERT INTO batches (campaign, seq, first_ord, n, first_key, uids, state, "
		"fence, "
		"lease_until) VALUES (%d, 0, 0, %zu, %lld, x'%s', 2, 1, 0)",
		no, n, (long long)first_key, hex.p);
	for (size_t i = 0; i < n; i++) {
		long long channel = (long long)CHANNEL_NO(uids[i], w->form.form);

		run_sql(f,
			"INSERT INTO channels (no, origin, created_at) VALUES (%lld, %d, %lld) "
			"ON CONFLICT DO NOTHING",
			channel, no, (long long)at);
		run_sql(f,
			"INSERT INTO messages (key, channel, created_at, text) VALUES (%lld, "
			"%lld, "
			"%lld, 'Hello')",
			(long long)first_key + (long long)i, channel, (long long)at);
	}
}

static inline struct channel
must_find(struct fixture *f, const char *type, const char *id)
{
	struct channel c;
	struct err e;
	bool found;

	must(channel_find(f->db, &f->arena, str_of(type), str_of(id), &c, &found, &e), &e);
	assert_true(found);
	return c;
}

/* Creates a channel as the API does; ids that are NULL make it distinct. */
static inline struct channel
make_channel(struct fixture *f, const char *type, const char *id, int64_t creator,
	const int64_t *uids, size_t n)
{
	struct member_spec *members = arena_zalloc(&f->arena, (n + 1) * sizeof(*members));
	struct channel_spec spec = {.type = str_of(type),
		.id = str_of(id),
		.creator = creator,
		.created_at = T0,
		.members = members,
		.nmembers = n};
	struct channel c;
	struct err e;
	bool made;

	for (size_t i = 0; i < n; i++)
		members[i] = (struct member_spec){
			.uid = uids[i], .hidden_at = NO_TIME, .archived_at = NO_TIME};
	must(channel_get_or_create(f->db, &f->arena, &spec, &c, &made, &e), &e);
	return c;
}

static inline struct message
must_send(struct fixture *f, const struct channel *c, const struct message_draft *d)
{
	struct message m;
	struct err e;

	must(message_send(f->db, &f->arena, &test_app, c, d, &m, &e), &e);
	return m;
}

static inline void
must_delete(struct fixture *f, const int64_t *nos, size_t n, bool hard)
{
	struct channel_deletion d = {.nos = nos, .n = n, .hard = hard};
	struct err e;

	must(channel_delete(f->db, &f->arena, &d, STR_NONE, NULL, &e), &e);
}
