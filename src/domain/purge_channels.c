/* purge_channels – conversations of users: found through their numbers, their members and the
 * campaigns that made them, then hidden, removed or shown again. */
#include "base/err.h"
#include "base/pack.h"
#include "domain/channel.h"
#include "domain/channel_origin.h"
#include "domain/purge.h"
#include "domain/purge_impl.h"
#include "domain/user.h"

#define WALK_SLICE 100 /* campaigns */

/* Those of ${nos} that are conversations of the user. */
static bool
keep_conversations(struct purge_job *j, const struct purge_user *u, struct purge_keys nos,
	struct purge_keys *out)
{
	struct channel *channels;
	bool *is_pair;
	size_t n;

	*out = (struct purge_keys){nos.v, 0};
	if (!channel_by_nos(j->turn->db, &j->slice, nos.v, nos.n, &channels, &n, j->e))
		return false;
	is_pair = arena_array(&j->slice, n, sizeof(*is_pair));
	if (!channel_complete(j->turn->db, &j->slice, channels, n, j->e) ||
		!channel_are_pairs(j->turn->db, &j->slice, channels, n, u->uid, is_pair, j->e))
		return false;
	for (size_t i = 0; i < n; i++)
		if (is_pair[i] && channels[i].created_at <= j->purge->until)
			out->v[out->n++] = channels[i].no;
	return true;
}

/* Some messages of some channels, and the channels that have no others. */
struct removal {
	struct purge_keys nos, keys;
	bool hides; /* the channels first: they still have messages */
	int64_t stamp;
	int64_t gone; /* channels */
};

/* Workers that found one of the channels must look again (engine/batch_write.c). */
static bool
remove_in(struct db *w, void *arg, struct err *e)
{
	struct removal *d = arg;
	struct col no = COL_INTS(d->nos.v), key = COL_INTS(d->keys.v);
	struct bulk nos = {&no, 1, d->nos.n}, keys = {&key, 1, d->keys.n};
	int64_t ignored;

	if (!db_lock_channels(w, false, e) || !db_take(w, COUNTER_REMOVAL, 1, &ignored, e))
		return false;
	if (d->hides &&
		!db_exec(w, SQL_PURGE_HIDE_CHANNELS, ARGS(V_INT(d->stamp)), &nos, NULL, e))
		return false;
	return purge_remove_messages(w, &keys, e) &&
	       db_exec(w, SQL_PURGE_REMOVE_CHANNEL_IDS, NO_ARGS, &nos, NULL, e) &&
	       db_exec(w, SQL_PURGE_REMOVE_CHANNELS, NO_ARGS, &nos, &d->gone, e) &&
	       db_exec(w, SQL_PURGE_REMOVE_MEMBERS, NO_ARGS, &nos, NULL, e);
}

/* Most often once round.  More messages than a slice, or those that come meanwhile, take
 * longer: the channels are hidden then, so that it ends. */
static bool
remove_channels(struct purge_job *j, const struct purge_user *u, struct purge_keys nos)
{
	struct col col = COL_INTS(nos.v);
	struct bulk bulk = {&col, 1, nos.n};
	struct arena_mark mark = arena_mark(&j->slice);
	int64_t gone = 0;

	for (int round = 0; gone < (int64_t)nos.n; round++) {
		struct removal d = {.nos = nos, .stamp = u->stamp};

		arena_rewind(&j->slice, mark);
		if (!purge_ask(j, SQL_PURGE_KEYS_OF_CHANNELS, ARGS(V_INT(PURGE_SLICE)), &bulk,
			    &d.keys))
			return false;
		d.hides = round > 0 || d.keys.n == PURGE_SLICE;
		if (!task_write(j->turn, true, remove_in, &d, j->e))
			return false;
		gone += d.gone;
		/* Somebody else removed the others. */
		if (d.keys.n == 0 && round > 0)
			break;
	}
	return true;
}

static bool
treat_channels(struct purge_job *j, const struct purge_user *u, struct purge_keys nos)
{
	if (!keep_conversations(j, u, nos, &nos))
		return false;
	if (nos.n == 0)
		return true;
	switch (j->purge->conversations) {
	case PURGE_HIDE:
		return purge_do(j, SQL_PURGE_HIDE_CHANNELS, ARGS(V_INT(u->stamp)), nos);
	case PURGE_REMOVE:
		return remove_channels(j, u, nos);
	case PURGE_SHOW:
		return purge_do(j, SQL_PURGE_SHOW_CHANNELS, ARGS(V_INT(u->stamp)), nos);
	default:
		return true;
	}
}

/* ---- sources ------------------------------------------------------------------------ */

/* Channels of his own number. */
static bool
of_home(struct purge_job *j, const struct purge_user *u)
{
	int64_t last = CHANNEL_NO(u->uid, 0);
	struct purge_keys nos;
	size_t n;

	do {
		if (!purge_slice(j) ||
			!purge_ask(j, SQL_PURGE_CHANNELS_OF_HOME,
				ARGS(V_INT(last), V_INT(CHANNEL_NO(u->uid, FORM_MAX)),
					V_INT(PURGE_SLICE)),
				NO_BULK, &nos))
			return false;
		n = nos.n;
		last = n > 0 ? nos.v[n - 1] : last;
		if (!treat_channels(j, u, nos))
			return false;
	} while (n == PURGE_SLICE);
	return true;
}

/* Channels where he has a row. */
static bool
of_rows(struct purge_job *j, const struct purge_user *u)
{
	struct purge_keys nos;
	int64_t last = 0;
	size_t n;

	do {
		if (!purge_slice(j) ||
			!purge_ask(j, SQL_PURGE_CHANNELS_OF_MEMBER,
				ARGS(V_INT(u->uid), V_INT(last), V_INT(PURGE_SLICE)), NO_BULK,
				&nos))
			return false;
		n = nos.n;
		last = n > 0 ? nos.v[n - 1] : last;
		if (!treat_channels(j, u, nos))
			return false;
	} while (n == PURGE_SLICE);
	return true;
}

/* Channels that a campaign made for the receivers of one batch. */
static bool
of_batch(struct purge_job *j, const struct purge_user *u, const struct purge_batch *b)
{
	int64_t form = b->campaign->form;
	int64_t *uids = arena_array(&j->slice, (size_t)b->n, sizeof(*uids));
	struct col col = COL_INTS(uids);
	struct bulk bulk = {&col, 1, (size_t)b->n};
	struct purge_keys all;

	if (!b->campaign->is_member)
		return true;
	if (!pack_keys_read(b->uids, uids, (size_t)b->n))
		return fail(j->e, ERR_BUG, "batch of campaign %lld: the list is damaged",
			(long long)b->campaign->no);
	for (int64_t i = 0; form != 0 && i < b->n; i++)
		uids[i] = CHANNEL_NO(uids[i], form);
	if (!purge_ask(j,
		    form != 0 ? SQL_PURGE_CHANNELS_BY_NUMBER : SQL_PURGE_CHANNELS_OF_RECEIVERS,
		    ARGS(V_INT(b->campaign->no)), &bulk, &all))
		return false;
	for (size_t at = 0; at < all.n; at += PURGE_SLICE) {
		struct arena_mark mark = arena_mark(&j->slice);
		struct purge_keys some = {all.v + at, MIN_OF(all.n - at, (size_t)PURGE_SLICE)};

		if (!treat_channels(j, u, some))
			return false;
		arena_rewind(&j->slice, mark);
	}
	return true;
}

/* Campaigns whose channel template names him. */
static bool
of_templates(struct purge_job *j, const struct purge_user *u, struct user *user)
{
	struct purge_campaign some[WALK_SLICE];
	struct buf pattern;
	int64_t last = 0;
	size_t looked, n;
	bool ok = true;

	buf_init(&pattern, NULL, 512);
	buf_printf(&pattern, "%%\"%.*s\"%%", STR_ARG(user->id));
	do {
		struct rows r;

		looked = n = 0;
		ok = purge_slice(j) &&
		     db_query(j->turn->db, SQL_PURGE_CAMPAIGNS_OF_MEMBER,
			     ARGS(V_TEXT(buf_view(&pattern)), V_INT(last), V_INT(WALK_SLICE)),
			     NO_BULK, &r, j->e);
		if (!ok)
			break;
		for (; looked < WALK_SLICE && rows_next(&r); looked++) {
			last = row_int(&r, 0);
			if (channel_template_names(&j->slice, row_str(&r, 2), user->id, NULL))
				some[n++] = (struct purge_campaign){last, row_int(&r, 1), true};
		}
		ok = rows_end(&r, j->e);
		for (size_t i = 0; ok && i < n; i++)
			ok = purge_walk_batches(j, u, &some[i], of_batch);
	} while (ok && looked == WALK_SLICE);
	buf_free(&pattern);
	return ok;
}

/* ---- exported ----------------------------------------------------------------------- */

bool
purge_conversations(struct purge_job *j, const struct purge_user *u)
{
	struct arena mine;
	struct user user;
	bool ok;

	if (j->purge->conversations == PURGE_KEEP)
		return true;
	arena_init(&mine, 4096, SIZE_MAX);
	ok = user_by_uid(j->turn->db, &mine, u->uid, &user, j->e) && of_home(j, u) &&
	     of_rows(j, u) && purge_walk_sent(j, u, of_batch) && of_templates(j, u, &user);
	arena_fini(&mine);
	return ok;
}

bool
purge_owned(struct purge_job *j, const struct purge_user *u)
{
	struct purge_keys nos;
	int64_t last = 0;

	if (j->purge->new_owner == 0)
		return true;
	do {
		if (!purge_slice(j) ||
			!purge_ask(j, SQL_PURGE_CHANNELS_OF_CREATOR,
				ARGS(V_INT(u->uid), V_INT(last), V_INT(PURGE_SLICE)), NO_BULK,
				&nos) ||
			!purge_do(j, SQL_PURGE_GIVE_CHANNELS,
				ARGS(V_INT(j->purge->new_owner), V_INT(u->uid)), nos))
			return false;
		last = nos.n > 0 ? nos.v[nos.n - 1] : last;
	} while (nos.n == PURGE_SLICE);
	return true;
}
