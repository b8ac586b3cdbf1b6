/* chat_wire – channels, members, messages and read states as clients read them. */
#include "api/chat_wire.h"

#include <stdlib.h>

#include "api/chat_read.h"
#include "api/poll_wire.h"
#include "api/req.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/jscan.h"
#include "domain/channel_origin.h"
#include "domain/channel_type.h"
#include "domain/unread.h"
#include "domain/user.h"
#include "net/hub.h"

static const char *const channel_keys[] = {"id", "type", "cid", "created_at", "updated_at",
	"deleted_at", "created_by", "last_message_at", "frozen", "disabled", "member_count",
	"team", "hidden", "muted", "truncated_at", "own_capabilities", "config", "blocked",
	"members", "cooldown", "message_count", "filter_tags", "custom"};

static const char *const member_keys[] = {"user_id", "user", "role", "channel_role",
	"created_at", "updated_at", "banned", "shadow_banned", "notifications_muted", "status",
	"pinned_at", "archived_at", "invited", "invite_accepted_at", "invite_rejected_at",
	"is_moderator", "custom"};

static const char *const message_keys[] = {"id", "cid", "text", "html", "type", "user",
	"attachments", "latest_reactions", "own_reactions", "reaction_counts",
	"reaction_scores", "reaction_groups", "reply_count", "deleted_reply_count",
	"mentioned_users", "mentioned_channel", "mentioned_here", "silent", "shadowed",
	"pinned", "pinned_at", "pinned_by", "pin_expires", "created_at", "updated_at",
	"deleted_at", "restricted_visibility", "poll_id", "poll", "parent_id", "channel",
	"custom"};

/* What cannot be yet, and so is constant: in messages, in members, in channels. */
#define NO_REACTIONS                                                         \
	"{\"latest_reactions\":[],\"own_reactions\":[],"                     \
	"\"restricted_visibility\":[],\"reaction_counts\":{},"               \
	"\"reaction_scores\":{},\"reaction_groups\":null,\"reply_count\":0," \
	"\"deleted_reply_count\":0}"
#define NO_MARKS                                                  \
	"{\"mentioned_channel\":false,\"mentioned_here\":false,"  \
	"\"shadowed\":false,\"pinned\":false,\"pinned_at\":null," \
	"\"pinned_by\":null,\"pin_expires\":null}"
#define NOT_BANNED "{\"banned\":false,\"shadow_banned\":false,\"notifications_muted\":false}"
#define NOT_MUTED  "{\"blocked\":false,\"muted\":false}"

static bool
is_among(struct str key, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(key, str_of(names[i])))
			return true;
	return false;
}

void
chat_write_custom(struct req *r, struct str custom, const char *const *names, size_t n)
{
	struct jscan_value v;
	struct str key;

	if (r->dialect == DIALECT_V2) {
		req_custom(r, custom);
		return;
	}
	for (size_t at = 0; custom.p != NULL && jscan_next_member(custom, &at, &key, &v);) {
		struct buf plain;

		buf_init(&plain, r->arena, key.n + 1);
		jscan_unescape(&plain, (struct str){key.p - 1, key.n + 2});
		if (is_among(buf_view(&plain), names, n))
			continue;
		jw_key(&r->w, buf_view(&plain));
		jw_raw(&r->w, v.raw);
	}
}

static void
write_empty(struct req *r, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		jw_karr(&r->w, keys[i]);
		jw_end_arr(&r->w);
	}
}

static void
write_opt(struct req *r, const char *key, struct str s)
{
	if (s.p != NULL)
		jw_kstr(&r->w, key, s);
}

void
chat_write_user(struct req *r, const char *key, int64_t uid, const struct chat_people *people)
{
	const struct user *u = chat_people_find(people, uid);
	size_t from;
	struct str *kept;

	if (u == NULL)
		return;
	jw_name(&r->w, str_of(key));
	kept = people->texts == NULL ? NULL : &people->texts[u - people->users];
	if (kept != NULL && kept->p != NULL) {
		jw_raw(&r->w, *kept);
		return;
	}
	from = r->out.n;
	wire_user(r, u);
	if (kept != NULL)
		*kept = arena_dup(r->arena, str_sub(buf_view(&r->out), from, r->out.n - from));
}

/* ---- people ---------------------------------------------------------------------------- */

void
chat_people_init(struct chat_people *p, struct req *r)
{
	*p = (struct chat_people){0};
	buf_init(&p->wanted, r->arena, 64 * sizeof(int64_t));
	buf_init(&p->wanted_polls, r->arena, 4 * sizeof(struct str));
}

void
chat_people_add(struct chat_people *p, int64_t uid)
{
	if (uid != 0)
		buf_add(&p->wanted, &uid, sizeof(uid));
}

/* Messages of one campaign all name the same poll. */
static bool
load_polls(struct chat_people *p, struct req *r, struct err *e)
{
	struct str *ids = (struct str *)(void *)p->wanted_polls.p;
	size_t all = p->wanted_polls.n / sizeof(*ids), n = 0;

	if (all == 0)
		return true;
	qsort(ids, all, sizeof(*ids), str_cmp_qsort);
	for (size_t i = 0; i < all; i++)
		if (n == 0 || !str_eq(ids[i], ids[n - 1]))
			ids[n++] = ids[i];
	if (!poll_list(
		    r->db, r->arena, r->ctx->app, ids, n, p->viewer, &p->polls, &p->npolls, e))
		return false;
	for (size_t i = 0; i < p->npolls; i++)
		poll_wire_note(p, &p->polls[i]);
	return true;
}

const struct poll *
chat_people_poll(const struct chat_people *p, struct str id)
{
	size_t lo = 0, hi = p->npolls;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (str_cmp(p->polls[mid].id, id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < p->npolls && str_eq(p->polls[lo].id, id) ? &p->polls[lo] : NULL;
}

bool
chat_people_load(struct chat_people *p, struct req *r, struct err *e)
{
	if (!load_polls(p, r, e))
		return false;
	p->uids = (int64_t *)(void *)p->wanted.p;
	p->n = form_sort_uids(p->uids, p->wanted.n / sizeof(int64_t));
	return p->n == 0 || user_by_uids(r->db, r->arena, p->uids, p->n, &p->users, e);
}

bool
chat_people_count(struct chat_people *p, struct req *r, struct err *e)
{
	p->unread = arena_array(r->arena, p->n + 1, sizeof(*p->unread));
	return unread_of_users(r->db, r->arena, p->uids, p->n, p->unread, e);
}

void
chat_people_keep(struct chat_people *p, struct req *r)
{
	p->texts = arena_zalloc(r->arena, (p->n + 1) * sizeof(*p->texts));
}

/* Its place among them; p->n: there is no such user. */
static size_t
place_of_user(const struct chat_people *p, int64_t uid)
{
	size_t lo = 0, hi = p->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->uids[mid] < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < p->n && p->uids[lo] == uid && p->users[lo].uid == uid ? lo : p->n;
}

const struct user *
chat_people_find(const struct chat_people *p, int64_t uid)
{
	size_t i = place_of_user(p, uid);

	return i < p->n ? &p->users[i] : NULL;
}

const struct unread *
chat_people_unread(const struct chat_people *p, int64_t uid)
{
	size_t i = place_of_user(p, uid);

	return p->unread != NULL && i < p->n ? &p->unread[i] : NULL;
}

/* ---- loading ----------------------------------------------------------------------------- */

void
chat_note_message(struct chat_people *p, const struct message *m)
{
	chat_people_add(p, m->author);
	for (size_t i = 0; i < m->nmentioned; i++)
		chat_people_add(p, m->mentioned[i]);
	if (m->poll_id.p != NULL)
		buf_add(&p->wanted_polls, &m->poll_id, sizeof(m->poll_id));
}

bool
chat_types(struct req *r, struct arena *a, struct err *e)
{
	r->configs = NULL;
	return channel_type_list(r->db, a, &r->types, &r->ntypes, e);
}

bool
chat_type(struct req *r, struct str name, const struct channel_type **out, struct err *e)
{
	*out = NULL;
	if (r->types == NULL && !chat_types(r, r->arena, e))
		return false;
	for (size_t i = 0; i < r->ntypes && *out == NULL; i++)
		if (str_eq(r->types[i].name, name))
			*out = &r->types[i];
	return true;
}

static bool
load_type(struct req *r, struct chat_state *s, struct err *e)
{
	if (!chat_type(r, s->channel.type, &s->type, e))
		return false;
	/* Types with channels are not deleted. */
	return s->type != NULL ||
	       fail(e, ERR_BUG, "channel %.*s is of no type", STR_ARG(s->channel.cid));
}

static bool
load_members(struct req *r, const struct chat_limits *l, int64_t viewer, struct chat_state *s,
	struct err *e)
{
	struct member *all, *shown;
	size_t n, first;
	bool found, shows_me = false;

	if (!channel_members(r->db, r->arena, &s->channel, 0, &all, &n, &s->member_count, e))
		return false;
	first = MIN_OF(l->members_offset, n);
	s->members = all + first;
	s->nmembers = MIN_OF(l->members, n - first);
	if (viewer != 0 &&
		!channel_member(r->db, r->arena, &s->channel, viewer, &s->me, &found, e))
		return false;
	if (viewer == 0 || !found)
		s->me.uid = 0;
	shown = arena_array(r->arena, s->nmembers + 1, sizeof(*shown));
	s->nreads = s->nmembers;
	for (size_t i = 0; i < s->nmembers; i++) {
		shown[i] = s->members[i];
		shows_me = shows_me || shown[i].uid == s->me.uid;
	}
	if (s->me.uid != 0 && !shows_me)
		shown[s->nreads++] = s->me;
	return read_states(
		r->db, r->arena, r->ctx->app, &s->channel, shown, s->nreads, &s->reads, e);
}

bool
chat_load(struct req *r, const struct channel *c, const struct chat_limits *l, int64_t viewer,
	struct chat_people *p, struct chat_state *s, struct err *e)
{
	struct message_page page = l->messages;

	*s = (struct chat_state){.channel = *c};
	p->viewer = viewer;
	if (!load_type(r, s, e) || !chat_complete(r, &s->channel, 1, e) ||
		!channel_last_message_at(r->db, c, &s->last_message_at, e) ||
		!load_members(r, l, viewer, s, e))
		return false;
	if (channel_type_flag(s->type, "count_messages") &&
		!channel_message_count(r->db, c, &s->message_count, e))
		return false;
	page.floor = channel_floor(c, s->me.uid != 0 ? &s->me : NULL);
	if (!message_list(
		    r->db, r->arena, r->ctx->app, c->no, &page, &s->messages, &s->nmessages, e))
		return false;
	chat_people_add(p, c->creator);
	chat_people_add(p, s->me.uid);
	for (size_t i = 0; i < s->nmembers; i++)
		chat_people_add(p, s->members[i].uid);
	for (size_t i = 0; i < s->nmessages; i++)
		chat_note_message(p, &s->messages[i]);
	return arena_check(r->arena, e);
}

/* ---- writing ------------------------------------------------------------------------------
 */

void
chat_write_type(struct req *r, const struct channel_type *t, bool is_config)
{
	jw_kstr(&r->w, "name", t->name);
	for (size_t i = 0; i < channel_type_nfields; i++) {
		const struct channel_type_field *f = &channel_type_fields[i];
		struct str value = channel_type_value(t, f);

		if (value.p != NULL && (f->is_config || !is_config))
			jw_kraw(&r->w, f->name, value);
	}
	jw_karr(&r->w, "commands"); /* there are none */
	jw_end_arr(&r->w);
	req_ktime(r, "created_at", t->created_at);
	req_ktime(r, "updated_at", t->updated_at);
}

bool
chat_complete(struct req *r, struct channel *channels, size_t n, struct err *e)
{
	if (r->origins != NULL)
		return channel_origins_give(r->origins, r->db, channels, n, e);
	return channel_complete(r->db, r->arena, channels, n, e);
}

void
chat_keep_configs(struct req *r, struct arena *a)
{
	struct str *configs = arena_array(a, r->ntypes + 1, sizeof(*configs));

	for (size_t i = 0; i < r->ntypes; i++) {
		buf_init(&r->out, a, 2048);
		jw_init(&r->w, &r->out);
		jw_obj(&r->w);
		chat_write_type(r, &r->types[i], true);
		jw_end_obj(&r->w);
		configs[i] = buf_view(&r->out);
	}
	r->configs = configs;
}

static void
write_config(struct req *r, const struct channel_type *t)
{
	if (r->configs != NULL) {
		jw_kraw(&r->w, "config", r->configs[t - r->types]);
		return;
	}
	jw_kobj(&r->w, "config");
	chat_write_type(r, t, true);
	jw_end_obj(&r->w);
}

/* What the caller may do, as far as the program can do it. */
static void
write_capabilities(struct req *r, const struct chat_state *s)
{
	const struct channel *c = &s->channel;
	bool open = !c->frozen && !c->disabled;
	bool polls = channel_type_flag(s->type, "polls");
	const struct {
		const char *name;
		bool is_there;
	} all[] = {
		{"cast-poll-vote", open && polls},
		{"delete-own-message", !c->disabled},
		{"delivery-events", channel_type_flag(s->type, "delivery_events")},
		{"leave-channel", s->me.uid != 0},
		{"query-poll-votes", polls},
		{"quote-message", channel_type_flag(s->type, "quotes")},
		{"read-events", channel_type_flag(s->type, "read_events")},
		{"send-message", open},
		{"send-poll", open && polls},
		{"send-reply", open && channel_type_flag(s->type, "replies")},
		{"send-custom-events", channel_type_flag(s->type, "custom_events")},
		{"skip-slow-mode", chat_is_moderator(&s->me, c)},
		{"typing-events", channel_type_flag(s->type, "typing_events")},
		{"update-own-message", open},
		{"update-channel", chat_is_moderator(&s->me, c)},
		{"update-channel-members", chat_is_moderator(&s->me, c)},
	};

	jw_karr(&r->w, "own_capabilities");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].is_there)
			jw_str(&r->w, str_of(all[i].name));
	jw_end_arr(&r->w);
}

static void
write_channel_members(
	struct req *r, const struct chat_state *s, const struct chat_people *people)
{
	const struct channel *c = &s->channel;

	jw_kstr(&r->w, "id", c->id);
	jw_kstr(&r->w, "type", c->type);
	jw_kstr(&r->w, "cid", c->cid);
	req_ktime(r, "created_at", c->created_at);
	req_ktime(r, "updated_at", c->updated_at);
	req_ktime_opt(r, "deleted_at", c->deleted_at);
	req_ktime_opt(r, "last_message_at", s->last_message_at);
	/* A channel that began anew was cut off before. */
	if (c->truncated_at > c->created_at)
		req_ktime(r, "truncated_at", c->truncated_at);
	chat_write_user(r, "created_by", c->creator, people);
	jw_kbool(&r->w, "frozen", c->frozen);
	jw_kbool(&r->w, "disabled", c->disabled);
	jw_members(&r->w, STR(NOT_MUTED));
	if (!s->is_shared)
		jw_kbool(&r->w, "hidden", s->me.uid != 0 && s->me.hidden_at != NO_TIME);
	jw_ki64(&r->w, "member_count", s->member_count);
	if (channel_type_flag(s->type, "count_messages"))
		jw_ki64(&r->w, "message_count", s->message_count);
	write_opt(r, "team", c->team);
	if (c->cooldown > 0)
		jw_ki64(&r->w, "cooldown", c->cooldown);
	if (c->filter_tags.p != NULL)
		jw_kraw(&r->w, "filter_tags", c->filter_tags);
	if (r->user_id.p != NULL)
		write_capabilities(r, s);
	write_config(r, s->type);
	chat_write_custom(r, c->custom, channel_keys, ARRAY_LEN(channel_keys));
}

void
chat_write_channel(struct req *r, const struct chat_state *s, const struct chat_people *people)
{
	jw_obj(&r->w);
	write_channel_members(r, s, people);
	jw_end_obj(&r->w);
}

void
chat_write_channel_full(
	struct req *r, const struct chat_state *s, const struct chat_people *people)
{
	jw_obj(&r->w);
	write_channel_members(r, s, people);
	jw_karr(&r->w, "members");
	for (size_t i = 0; i < s->nmembers; i++)
		chat_write_member(r, &s->members[i], &s->channel, people);
	jw_end_arr(&r->w);
	jw_end_obj(&r->w);
}

static void
write_unread_of(struct req *r, const struct unread *u, int64_t channel, const struct member *m)
{
	int64_t here = 0;

	wire_unread(r, u);
	for (size_t i = 0; i < u->n && channel != 0; i++)
		if (u->list[i].no == channel)
			here = u->list[i].count;
	if (channel != 0)
		jw_ki64(&r->w, "channel_unread_count", here);
	if (m != NULL && m->uid != 0)
		req_ktime_opt(r, "channel_last_read_at", m->last_read);
}

void
chat_write_counted(struct req *r, const char *key, int64_t uid, int64_t channel,
	const struct member *m, const struct chat_people *people)
{
	const struct user *u = chat_people_find(people, uid);
	const struct unread *unread = chat_people_unread(people, uid);

	if (u == NULL || unread == NULL) {
		chat_write_user(r, key, uid, people);
		return;
	}
	jw_kobj(&r->w, key);
	wire_user_members(r, u);
	write_unread_of(r, unread, channel, m);
	jw_end_obj(&r->w);
}

void
chat_write_member(struct req *r, const struct member *m, const struct channel *c,
	const struct chat_people *people)
{
	const struct user *u = chat_people_find(people, m->uid);
	struct str role = STR("member");

	if (m->uid == c->creator)
		role = STR("owner");
	else if (str_is(m->role, "channel_moderator"))
		role = STR("moderator");
	jw_obj(&r->w);
	if (u != NULL)
		jw_kstr(&r->w, "user_id", u->id);
	chat_write_counted(r, "user", m->uid, c->no, m, people);
	jw_kstr(&r->w, "role", role);
	jw_kstr(&r->w, "channel_role", m->role);
	req_ktime(r, "created_at", m->created_at);
	req_ktime(r, "updated_at", m->updated_at);
	jw_members(&r->w, STR(NOT_BANNED));
	jw_kbool(&r->w, "is_moderator", str_is(m->role, "channel_moderator"));
	jw_kstr(&r->w, "status", channel_invite(m));
	if (m->invited_at != NO_TIME)
		jw_kbool(&r->w, "invited", true);
	req_ktime_opt(r, "invite_accepted_at", m->accepted_at);
	req_ktime_opt(r, "invite_rejected_at", m->rejected_at);
	req_ktime(r, "pinned_at", m->pinned_at);
	req_ktime(r, "archived_at", m->archived_at);
	chat_write_custom(r, m->custom, member_keys, ARRAY_LEN(member_keys));
	jw_end_obj(&r->w);
}

static void
write_reads(struct req *r, const struct chat_state *s, const struct chat_people *people)
{
	jw_karr(&r->w, "read");
	for (size_t i = 0; i < s->nreads; i++) {
		const struct read_state *state = &s->reads[i];

		/* Clients stumble over a state without its user. */
		if (chat_people_find(people, state->uid) == NULL)
			continue;
		jw_obj(&r->w);
		chat_write_user(r, "user", state->uid, people);
		req_ktime(r, "last_read", state->last_read);
		jw_ki64(&r->w, "unread_messages", state->unread);
		write_opt(r, "last_read_message_id", state->last_message_id);
		req_ktime_opt(r, "last_delivered_at", state->delivered_at);
		write_opt(r, "last_delivered_message_id", state->delivered_message_id);
		jw_end_obj(&r->w);
	}
	jw_end_arr(&r->w);
}

void
chat_write_message(struct req *r, const struct message *m, const struct chat_state *s,
	const struct chat_people *people, bool with_channel)
{
	const struct poll *poll = chat_people_poll(people, m->poll_id);

	jw_obj(&r->w);
	jw_kstr(&r->w, "id", m->id);
	jw_kstr(&r->w, "cid", s->channel.cid);
	jw_kstr(&r->w, "text", m->text);
	jw_kstr(&r->w, "html", STR(""));
	jw_kstr(&r->w, "type", m->type);
	chat_write_user(r, "user", m->author, people);
	jw_kraw(&r->w, "attachments", m->attachments.p ? m->attachments : STR("[]"));
	jw_members(&r->w, STR(NO_REACTIONS));
	jw_karr(&r->w, "mentioned_users");
	for (size_t i = 0; i < m->nmentioned; i++) {
		const struct user *u = chat_people_find(people, m->mentioned[i]);

		if (u != NULL)
			wire_user(r, u);
	}
	jw_end_arr(&r->w);
	jw_members(&r->w, STR(NO_MARKS));
	jw_kbool(&r->w, "silent", m->silent);
	req_ktime(r, "created_at", m->created_at);
	req_ktime(r, "updated_at", m->updated_at);
	req_ktime_opt(r, "deleted_at", m->deleted_at);
	write_opt(r, "parent_id", m->parent_id);
	write_opt(r, "poll_id", m->poll_id);
	if (poll != NULL) {
		jw_name(&r->w, STR("poll"));
		poll_wire(r, poll, people);
	}
	if (with_channel) {
		jw_name(&r->w, STR("channel"));
		chat_write_channel(r, s, people);
	}
	chat_write_custom(r, m->custom, message_keys, ARRAY_LEN(message_keys));
	jw_end_obj(&r->w);
}

void
chat_write_state(struct req *r, const struct chat_state *s, const struct chat_people *people)
{
	static const char *const lists[] = {
		"pinned_messages", "threads", "watchers", "pending_messages"};

	jw_name(&r->w, STR("channel"));
	chat_write_channel(r, s, people);
	jw_karr(&r->w, "members");
	for (size_t i = 0; i < s->nmembers; i++)
		chat_write_member(r, &s->members[i], &s->channel, people);
	jw_end_arr(&r->w);
	jw_karr(&r->w, "messages");
	/* A text too large is thrown away anyway (chat_load, query). */
	for (size_t i = 0; i < s->nmessages && !arena_overflowed(r->arena); i++)
		chat_write_message(r, &s->messages[i], s, people, false);
	jw_end_arr(&r->w);
	write_reads(r, s, people);
	write_empty(r, lists, ARRAY_LEN(lists));
	if (s->me.uid != 0) {
		jw_name(&r->w, STR("membership"));
		chat_write_member(r, &s->me, &s->channel, people);
		req_ktime_opt(r, "hide_messages_before", s->me.cleared_at);
	}
	jw_ki64(&r->w, "watcher_count",
		r->ctx->hub ? hub_watcher_count(r->ctx->hub, s->channel.no) : 0);
	jw_kbool(&r->w, "hidden", s->me.uid != 0 && s->me.hidden_at != NO_TIME);
}
