/* push_tell – of those who may hear of messages, who does (api.md §10), and the parcels for
 * their devices.  Everything is loaded for all of them together. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crypt.h"
#include "base/id.h"
#include "courier/push_impl.h"
#include "domain/app.h"
#include "domain/channel_type.h"
#include "domain/device.h"
#include "domain/form.h"
#include "domain/push_preference.h"
#include "net/hub.h"

/* Replies of a thread that are looked through for who takes part. */
#define REPLIES_MAX 300
/* Members that a template is shown. */
#define MEMBERS_MAX 100

/* One message, and where it stands. */
struct place_of_message {
	struct message message;
	struct channel channel;
	bool is_told;
	int64_t *participants; /* of its thread; NULL: it is in none */
	size_t nparticipants;
	struct user *members; /* for templates; else none */
	size_t nmembers;
};

struct telling {
	const struct push_work *work;
	const struct push_ears *ears;
	struct place_of_message *messages;
	size_t nmessages;
	/* Of each ear. */
	size_t *message; /* its index */
	bool *hears, *mentioned;
	int64_t *uids;
	struct unread *unread;
	/* All users, in the order of their numbers. */
	int64_t *user_uids;
	struct user *users;
	size_t nusers;
};

static int
cmp_uid(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static bool
is_among(const int64_t *uids, size_t n, int64_t uid)
{
	for (size_t i = 0; i < n; i++)
		if (uids[i] == uid)
			return true;
	return false;
}

/* ---- messages -------------------------------------------------------------------------- */

static bool
load_messages(struct telling *t, struct err *e)
{
	const struct push_work *w = t->work;
	size_t n = t->ears->n;
	int64_t *keys = arena_array(w->arena, n + 1, sizeof(*keys));
	struct message *messages;

	t->message = arena_array(w->arena, n + 1, sizeof(*t->message));
	for (size_t i = 0; i < n; i++) {
		int64_t key = t->ears->v[i].key;

		if (t->nmessages == 0 || keys[t->nmessages - 1] != key)
			keys[t->nmessages++] = key;
		t->message[i] = t->nmessages - 1;
	}
	messages = arena_array(w->arena, t->nmessages + 1, sizeof(*messages));
	if (!message_by_keys(w->db, w->arena, w->app, keys, t->nmessages, messages, e))
		return false;
	t->messages = arena_zalloc(w->arena, (t->nmessages + 1) * sizeof(*t->messages));
	for (size_t i = 0; i < t->nmessages; i++) {
		const struct message *m = &messages[i];

		t->messages[i].message = *m;
		t->messages[i].is_told =
			m->key != 0 && m->deleted_at == NO_TIME && !m->silent && !m->skip_push;
	}
	return true;
}

static bool
load_channels(struct telling *t, struct err *e)
{
	const struct push_work *w = t->work;
	int64_t *nos = arena_array(w->arena, t->nmessages + 1, sizeof(*nos));
	struct channel *channels;
	size_t n;

	for (size_t i = 0; i < t->nmessages; i++)
		nos[i] = t->messages[i].message.channel;
	if (!channel_by_nos(w->db, w->arena, nos, t->nmessages, &channels, &n, e) ||
		!channel_complete(w->db, w->arena, channels, n, e))
		return false;
	for (size_t i = 0, k = 0; i < t->nmessages; i++) {
		struct place_of_message *m = &t->messages[i];
		bool is_there = k < n && channels[k].no == nos[i];

		m->is_told = m->is_told && is_there && channels[k].deleted_at == NO_TIME;
		if (is_there)
			m->channel = channels[k++];
	}
	return true;
}

/* Types that push nothing. */
static bool
ask_types(struct telling *t, struct err *e)
{
	const struct push_work *w = t->work;
	struct channel_type *types;
	size_t n;

	if (!channel_type_list(w->db, w->arena, &types, &n, e))
		return false;
	for (size_t i = 0; i < t->nmessages; i++)
		for (size_t k = 0; k < n; k++)
			if (str_eq(types[k].name, t->messages[i].channel.type) &&
				!channel_type_flag(&types[k], "push_notifications"))
				t->messages[i].is_told = false;
	return true;
}

/* Replies are for those who take part in their thread. */
static bool
load_thread(const struct push_work *w, struct place_of_message *m, struct err *e)
{
	struct message_page page = {.limit = REPLIES_MAX,
		.side = PAGE_AFTER,
		.id = m->message.parent_id,
		.inclusive = true};
	struct message *list;
	size_t n;

	if (!message_list(w->db, w->arena, w->app, m->channel.no, &page, &list, &n, e))
		return false;
	m->participants = arena_array(w->arena, n + 1, sizeof(*m->participants));
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].id, page.id) || str_eq(list[i].parent_id, page.id))
			m->participants[m->nparticipants++] = list[i].author;
	return true;
}

/* ---- who hears ------------------------------------------------------------------------- */

static void
begin_ears(struct telling *t)
{
	struct arena *a = t->work->arena;
	size_t n = t->ears->n;

	t->hears = arena_array(a, n + 1, sizeof(*t->hears));
	t->mentioned = arena_array(a, n + 1, sizeof(*t->mentioned));
	t->uids = arena_array(a, n + 1, sizeof(*t->uids));
	for (size_t i = 0; i < n; i++) {
		const struct place_of_message *m = &t->messages[t->message[i]];
		int64_t uid = t->ears->v[i].uid;

		t->uids[i] = uid;
		t->mentioned[i] = is_among(m->message.mentioned, m->message.nmentioned, uid);
		t->hears[i] = m->is_told && uid != m->message.author &&
			      (m->participants == NULL || t->mentioned[i] ||
				      is_among(m->participants, m->nparticipants, uid));
	}
}

/* Members who see the message in their lists. */
static bool
ask_members(struct telling *t, struct err *e)
{
	const struct push_work *w = t->work;
	size_t n = t->ears->n;
	struct channel *channels = arena_array(w->arena, n + 1, sizeof(*channels));
	struct member *members = arena_array(w->arena, n + 1, sizeof(*members));
	int64_t *uids = arena_array(w->arena, n + 1, sizeof(*uids));
	size_t *whose = arena_array(w->arena, n + 1, sizeof(*whose)), k = 0;

	for (size_t i = 0; i < n; i++) {
		if (!t->hears[i])
			continue;
		whose[k] = i;
		uids[k] = t->uids[i];
		channels[k++] = t->messages[t->message[i]].channel;
	}
	if (!channel_members_paired(w->db, w->arena, channels, uids, k, members, e))
		return false;
	for (size_t i = 0; i < k; i++) {
		const struct message *m = &t->messages[t->message[whose[i]]].message;

		t->hears[whose[i]] = members[i].uid != 0 && members[i].hidden_at == NO_TIME &&
				     m->created_at > channel_floor(&channels[i], &members[i]);
	}
	return true;
}

static bool
ask_preferences(struct telling *t, struct err *e)
{
	const struct push_work *w = t->work;
	size_t n = t->ears->n;
	int64_t *channels = arena_array(w->arena, n + 1, sizeof(*channels));
	bool *allowed = arena_array(w->arena, n + 1, sizeof(*allowed));

	for (size_t i = 0; i < n; i++)
		channels[i] = t->messages[t->message[i]].channel.no;
	if (!push_preference_allows(w->db, w->arena, t->uids, channels, t->mentioned, n,
		    clock_now_us(), allowed, e))
		return false;
	for (size_t i = 0; i < n; i++)
		t->hears[i] = t->hears[i] && allowed[i];
	return true;
}

/* Where the owner wants it so, who is connected hears of it by his socket alone. */
static void
ask_hub(struct telling *t)
{
	const struct push_work *w = t->work;
	size_t n = t->ears->n;
	int64_t *uids = arena_array(w->arena, n + 1, sizeof(*uids));
	int64_t *online = arena_array(w->arena, n + 1, sizeof(*online));

	if (!w->offline_only || w->hub == NULL)
		return;
	memcpy(uids, t->uids, n * sizeof(*uids));
	n = hub_online(w->hub, uids, form_sort_uids(uids, n), online);
	for (size_t i = 0; i < t->ears->n; i++)
		if (bsearch(&t->uids[i], online, n, sizeof(*online), cmp_uid) != NULL)
			t->hears[i] = false;
}

/* ---- people ---------------------------------------------------------------------------- */

static const struct user *
user_of(const struct telling *t, int64_t uid)
{
	const int64_t *at =
		bsearch(&uid, t->user_uids, t->nusers, sizeof(*t->user_uids), cmp_uid);

	return at != NULL ? &t->users[at - t->user_uids] : NULL;
}

static bool
load_users(struct telling *t, const struct channel_pair *pairs, size_t npairs, struct err *e)
{
	const struct push_work *w = t->work;
	size_t n = 0;
	int64_t *uids =
		arena_array(w->arena, t->ears->n + t->nmessages + npairs + 1, sizeof(*uids));

	for (size_t i = 0; i < t->ears->n; i++)
		if (t->hears[i])
			uids[n++] = t->uids[i];
	for (size_t i = 0; i < t->nmessages; i++)
		if (t->messages[i].message.author != 0)
			uids[n++] = t->messages[i].message.author;
	for (size_t i = 0; i < npairs; i++)
		uids[n++] = pairs[i].uid;
	t->nusers = form_sort_uids(uids, n);
	t->user_uids = uids;
	if (!user_by_uids(w->db, w->arena, uids, t->nusers, &t->users, e))
		return false;
	for (size_t i = 0; i < t->ears->n; i++) {
		const struct user *u = t->hears[i] ? user_of(t, t->uids[i]) : NULL;

		t->hears[i] = u != NULL && user_is_live(u) && u->deactivated_at == NO_TIME;
	}
	return true;
}

/* Who is in the channels, for templates that name them. */
static bool
find_members(struct telling *t, struct channel_pair **pairs, size_t *n, struct err *e)
{
	const struct push_work *w = t->work;
	struct channel *channels = arena_array(w->arena, t->nmessages + 1, sizeof(*channels));
	size_t *whose = arena_array(w->arena, t->nmessages + 1, sizeof(*whose));
	size_t k = 0;

	*n = 0;
	if (!push_wants_members(w->sender))
		return true;
	for (size_t i = 0; i < t->nmessages; i++) {
		if (!t->messages[i].is_told)
			continue;
		whose[k] = i;
		channels[k++] = t->messages[i].channel;
	}
	if (!channel_pairs(w->db, w->arena, channels, k, 0, MEMBERS_MAX, pairs, n, e))
		return false;
	for (size_t i = 0; i < *n; i++)
		(*pairs)[i].channel = whose[(*pairs)[i].channel];
	return true;
}

static void
place_members(struct telling *t, const struct channel_pair *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct place_of_message *m = &t->messages[pairs[i].channel];
		const struct user *u = user_of(t, pairs[i].uid);

		if (m->members == NULL)
			m->members =
				arena_array(t->work->arena, MEMBERS_MAX, sizeof(*m->members));
		if (u != NULL && u->uid != 0)
			m->members[m->nmembers++] = *u;
	}
}

/* What each of those who hear has not read. */
static bool
load_unread(struct telling *t, struct err *e)
{
	const struct push_work *w = t->work;
	size_t n = t->ears->n, k = 0;
	int64_t *uids = arena_array(w->arena, n + 1, sizeof(*uids));
	struct unread *counts = arena_array(w->arena, n + 1, sizeof(*counts));

	t->unread = arena_zalloc(w->arena, (n + 1) * sizeof(*t->unread));
	for (size_t i = 0; i < n; i++)
		if (t->hears[i])
			uids[k++] = t->uids[i];
	k = form_sort_uids(uids, k);
	if (!unread_of_users(w->db, w->arena, uids, k, counts, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		const int64_t *at = bsearch(&t->uids[i], uids, k, sizeof(*uids), cmp_uid);

		if (t->hears[i] && at != NULL)
			t->unread[i] = counts[at - uids];
	}
	return true;
}

/* ---- parcels --------------------------------------------------------------------------- */

/* The same whenever it is made again, and for no other device or provider. */
static struct str
parcel_id(const struct push_work *w, int64_t key, struct str device)
{
	char id[ID_UUID_LEN];
	uint8_t digest[CRYPT_SHA256_LEN];
	struct str ident = w->sender->ident;
	uint64_t tag = w->app->id_tag;

	crypt_sha256(arena_printf(w->arena, "%llx %llx %.*s %.*s", (unsigned long long)tag,
			     (unsigned long long)key, STR_ARG(ident), STR_ARG(device)),
		digest);
	id_from_digest(digest, id);
	return arena_dup(w->arena, (struct str){id, sizeof(id)});
}

static void
write_parcels(struct telling *t, size_t i, int64_t at, struct buf *parcels)
{
	const struct push_work *w = t->work;
	const struct place_of_message *m = &t->messages[t->message[i]];
	const struct push_ear *ear = &t->ears->v[i];
	struct push_scene scene = {
		.message = &m->message,
		.channel = &m->channel,
		.sender = user_of(t, m->message.author),
		.receiver = user_of(t, ear->uid),
		.unread = &t->unread[i],
		.is_mentioned = t->mentioned[i],
		.members = m->members,
		.nmembers = m->nmembers,
	};

	for (size_t d = ear->first; d < ear->first + ear->n; d++) {
		struct str device = t->ears->devices[d].id;
		struct parcel p = {
			.id = parcel_id(w, ear->key, device),
			.type = STR(PUSH_EVENT),
			.address = device,
			.body = push_body(w->arena, w->sender, &scene, device),
			.at = at,
		};

		buf_add(parcels, &p, sizeof(p));
	}
}

bool
push_tell(const struct push_work *w, const struct push_ears *ears, int64_t at,
	struct buf *parcels, struct err *e)
{
	struct telling t = {.work = w, .ears = ears};
	struct channel_pair *pairs = NULL;
	size_t npairs;

	if (ears->n == 0)
		return true;
	if (!load_messages(&t, e) || !load_channels(&t, e) || !ask_types(&t, e))
		return false;
	for (size_t i = 0; i < t.nmessages; i++)
		if (t.messages[i].is_told && t.messages[i].message.parent_id.p != NULL &&
			!load_thread(w, &t.messages[i], e))
			return false;
	begin_ears(&t);
	if (!ask_members(&t, e) || !ask_preferences(&t, e))
		return false;
	ask_hub(&t);
	if (!find_members(&t, &pairs, &npairs, e) || !load_users(&t, pairs, npairs, e) ||
		!load_unread(&t, e))
		return false;
	place_members(&t, pairs, npairs);
	for (size_t i = 0; i < ears->n && !arena_overflowed(w->arena); i++)
		if (t.hears[i])
			write_parcels(&t, i, at, parcels);
	return arena_check(w->arena, e);
}
