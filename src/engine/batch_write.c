/* batch_write – one batch in one transaction: channels, members, messages, outcomes, counters.
 *
 * All inserts are plain: a second message for a recipient hits the primary key of messages, a
 * channel made meanwhile hits that of channels; the transaction rolls back and the batch is
 * prepared again (I-1).  Nothing is hidden by DO NOTHING. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "domain/channel.h"
#include "domain/channel_place.h"
#include "engine/batch.h"
#include "engine/sending.h"
#include "store/db.h"

/* ---- new channels ------------------------------------------------------------------ */

static bool
write_own_channels(struct db *w, const struct prepared *p, int64_t now, struct err *e)
{
	bool teamed = p->has_own_teams;
	struct col cols[] = {
		COL_INTS(p->own.no), COL_TEXTS(p->own.custom), COL_TEXTS(p->own.team)};
	struct bulk bulk = {cols, teamed ? 3 : 2, p->own.n};

	return db_exec_rows(w, teamed ? SQL_BATCH_INSERT_TEAMED : SQL_BATCH_INSERT_CHANNELS,
		ARGS(V_INT(p->sending->campaign.no), V_INT(now)), &bulk, e);
}

/* Their receivers, who do not follow from the numbers. */
static bool
write_receivers(struct db *w, const struct new_channels *list, int64_t now, struct err *e)
{
	struct col cols[] = {COL_INTS(list->no), COL_INTS(list->receiver)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), list->n};

	return db_exec(w, SQL_BATCH_INSERT_RECEIVERS, ARGS(V_INT(now)), &bulk, NULL, e);
}

/* In the order of their ids (batch_seek.c). */
static bool
write_stored_channels(struct db *w, const struct prepared *p, int64_t now, struct err *e)
{
	const struct new_channels *list = &p->stored;
	struct col cols[] = {COL_TEXTS(list->cid), COL_INTS(list->no), COL_TEXTS(list->custom),
		COL_TEXTS(list->team)};
	struct bulk ids = {cols, 2, list->n}, channels = {cols, 4, list->n};

	return list->n == 0 || (db_exec(w, SQL_CHANNEL_IDS_INSERT, NO_ARGS, &ids, NULL, e) &&
				       db_exec_rows(w, SQL_BATCH_INSERT_STORED,
					       ARGS(V_INT(p->sending->campaign.no), V_INT(now)),
					       &channels, e) &&
				       form_shadow(w, p->shadows, p->nshadows, e) &&
				       write_receivers(w, list, now, e));
}

/* The members that follow from the campaign where something can. */
static bool
write_foreign_members(struct db *w, const struct prepared *p, int64_t now, struct err *e)
{
	const struct sending *s = p->sending;
	struct col cols[] = {COL_INTS(p->foreign.no), COL_INTS(p->foreign.receiver)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), p->foreign.n};

	for (size_t i = 0; i < s->nmembers; i++) {
		const struct content_member *m = &s->member_specs[i];
		struct str role = m->role.p != NULL ? m->role : STR("channel_member");
		struct str visibility = s->members[i] == s->sender.uid
						? s->campaign.sender_visibility
						: STR("");

		if (!db_exec(w, SQL_BATCH_INSERT_MEMBER,
			    ARGS(V_INT(s->members[i]), V_TEXT(role), V_TEXT(m->custom),
				    V_INT(now), V_TEXT(visibility)),
			    &bulk, NULL, e))
			return false;
	}
	return true;
}

static bool
write_foreign_channels(struct db *w, const struct prepared *p, int64_t now, struct err *e)
{
	struct col cols[] = {COL_INTS(p->foreign.no), COL_TEXTS(p->foreign.custom),
		COL_TEXTS(p->foreign.team)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), p->foreign.n};

	return p->foreign.n == 0 ||
	       (db_exec_rows(w, SQL_BATCH_INSERT_FOREIGN,
			ARGS(V_INT(p->sending->sender.uid), V_INT(now)), &bulk, e) &&
		       write_receivers(w, &p->foreign, now, e) &&
		       write_foreign_members(w, p, now, e));
}

/* ---- messages and the rest --------------------------------------------------------- */

/* What options ask of channels that existed. */
static bool
write_old_channels(struct db *w, const struct prepared *p, int64_t now, struct err *e)
{
	const struct campaign *c = &p->sending->campaign;
	struct col cols[] = {COL_INTS(p->old_channel), COL_INTS(p->old_receiver)};
	struct bulk channels = {cols, 1, p->nold}, pairs = {cols, 2, p->nold};

	if (p->nold == 0)
		return true;
	if (str_is(c->sender_mode, "include") &&
		!db_exec(w, SQL_BATCH_INCLUDE_SENDER, ARGS(V_INT(c->sender), V_INT(now)),
			&channels, NULL, e))
		return false;
	return !c->show_channels ||
	       db_exec(w, SQL_BATCH_SHOW_CHANNELS, ARGS(V_INT(now)), &pairs, NULL, e);
}

static bool
write_messages(struct db *w, const struct prepared *p, int64_t now, struct err *e)
{
	struct col cols[] = {COL_INTS(p->key), COL_INTS(p->channel), COL_TEXTS(p->text),
		COL_TEXTS(p->extra)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), p->nmessages};

	return db_exec_rows(w, SQL_BATCH_INSERT_MESSAGES, ARGS(V_INT(now)), &bulk, e);
}

/* ---- what must still hold ---------------------------------------------------------- */

/* Distinct channels can be reached by the forms of two senders (ann writes to bob, bob to
 * ann): a form made since the preparation may lead to one of ours. */
static bool
check_meetings(struct db *w, const struct prepared *p, struct err *e)
{
	const struct sending *s = p->sending;
	struct form form;
	int64_t *uids;
	size_t n;

	if (s->form.form == 0 || p->nmessages == 0)
		return true;
	if (!form_get(w, p->arena, s->form.form, &form, e) ||
		!form_meetings(w, p->arena, &form, &uids, &n, e))
		return false;
	if (n != s->nmeetings || form.shadowed != s->form.shadowed)
		return fail(e, ERR_STALE, "a form was made meanwhile");
	return true;
}

bool
batch_check_removals(struct db *w, const struct prepared *p, const int64_t *channels, size_t n,
	struct err *e)
{
	struct col col = COL_INTS(channels);
	struct bulk bulk = {&col, 1, n};
	int64_t removals = 0, there = 0;
	struct rows r;

	if (n == 0)
		return true;
	if (!channel_removals(w, &removals, e))
		return false;
	if (removals == p->removals)
		return true;
	if (!db_query(w, SQL_BATCH_COUNT_CHANNELS, NO_ARGS, &bulk, &r, e))
		return false;
	if (rows_next(&r))
		there = row_int(&r, 0);
	if (!rows_end(&r, e))
		return false;
	return there == (int64_t)n || fail(e, ERR_STALE, "a channel was removed meanwhile");
}

/* Ids that lead to no channel must still lead to the same place: because of a form that came
 * up, or of a user in an id, others would make the channel elsewhere. */
static bool
check_places(const struct absent *list, const struct channel_place *now, struct err *e)
{
	for (size_t i = 0; i < list->n; i++)
		if (!channel_place_eq(&list->places[i], &now[i]))
			return fail(e, ERR_STALE, "the place of a channel changed meanwhile");
	return true;
}

/* Channels made meanwhile are found by unique keys, save those that were stored under an id of
 * which the preparation saw that it is to be derived: these have no place any more. */
static bool
check_absent(struct db *w, const struct prepared *p, struct err *e)
{
	const struct absent *store = &p->to_store, *derive = &p->to_derive;
	size_t max = MAX_OF(store->n, derive->n);
	struct channel_place *places = arena_array(p->arena, max, sizeof(*places));
	struct channel *found = arena_array(p->arena, derive->n, sizeof(*found));
	struct str type = p->sending->content.channel_type;

	return channel_places(w, p->arena, type, store->ids, store->n, places, e) &&
	       check_places(store, places, e) &&
	       channel_find_many(w, p->arena, type, derive->ids, derive->n, found, places, e) &&
	       check_places(derive, places, e);
}

bool
batch_write_chat(struct db *w, struct prepared *p, int64_t now, struct err *e)
{
	return check_meetings(w, p, e) &&
	       batch_check_removals(w, p, p->old_channel, p->nold, e) &&
	       check_absent(w, p, e) && write_own_channels(w, p, now, e) &&
	       write_stored_channels(w, p, now, e) && write_foreign_channels(w, p, now, e) &&
	       write_old_channels(w, p, now, e) && write_messages(w, p, now, e);
}

bool
batch_needs_alone(const struct prepared *p)
{
	return p->foreign.n > 0 || p->nshadows > 0;
}

bool
batch_write(struct db *w, struct prepared *p, bool *lost, struct err *e)
{
	struct batch_result result = {
		.outcomes = p->outcomes, .channels_created = prepared_channels(p)};
	struct arena_mark mark = arena_mark(p->arena);
	int64_t now;
	bool ok;

	*lost = false;
	if (!db_lock_channels(w, !batch_needs_alone(p), e))
		return false;
	/* Taken here, behind all earlier commits: whoever marked a channel read before this
	 * moment has not seen the message (api.md §3.5). */
	now = clock_now_us();
	ok = ledger_commit_begin(w, p->batch, &result, now, lost, e) &&
	     batch_write_chat(w, p, now, e) &&
	     ledger_commit_end(w, p->batch, &result, now, lost, e);
	arena_rewind(p->arena, mark);
	return ok;
}
