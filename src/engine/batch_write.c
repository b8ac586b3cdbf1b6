/* batch_write – one batch in one transaction: channels, members, messages, outcomes, counters.
 *
 * All inserts are plain: a second message for a recipient hits the primary key of messages, a
 * channel made meanwhile hits that of channels; the transaction rolls back and the batch is
 * prepared again (I-1).  Nothing is hidden by DO NOTHING. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "domain/channel.h"
#include "engine/batch.h"
#include "engine/sending.h"
#include "store/db.h"

static bool
write_new_channels(struct db *w, const struct prepared *p, int64_t now, struct err *e)
{
	bool teamed = p->new_team != NULL;
	struct col cols[] = {
		COL_INTS(p->new_no), COL_TEXTS(p->new_custom), COL_TEXTS(p->new_team)};
	struct bulk bulk = {cols, teamed ? 3 : 2, p->nnew};

	return p->nnew == 0 ||
	       db_exec(w, teamed ? SQL_BATCH_INSERT_TEAMED : SQL_BATCH_INSERT_CHANNELS,
		       ARGS(V_INT(p->sending->campaign.no), V_INT(now)), &bulk, NULL, e);
}

/* The members a new channel gets besides its receiver, as they would be derived. */
static struct member_spec *
member_specs(const struct prepared *p, int64_t receiver, int64_t now, size_t *n)
{
	const struct sending *s = p->sending;
	struct member_spec *specs = arena_array(p->arena, s->nmembers + 1, sizeof(*specs));

	specs[0] = (struct member_spec){
		.uid = receiver, .hidden_at = NO_TIME, .archived_at = NO_TIME};
	*n = 1;
	for (size_t i = 0; i < s->nmembers; i++) {
		bool is_sender = s->members[i] == s->sender.uid;

		if (s->members[i] == receiver)
			continue;
		specs[(*n)++] = (struct member_spec){
			.uid = s->members[i],
			.role = s->member_specs[i].role,
			.custom = s->member_specs[i].custom,
			.hidden_at =
				is_sender && str_is(s->campaign.sender_visibility, "hidden")
					? now
					: NO_TIME,
			.archived_at =
				is_sender && str_is(s->campaign.sender_visibility, "archived")
					? now
					: NO_TIME,
		};
	}
	return specs;
}

/* Makes one channel; it must not be there (the preparation did not find it). */
static bool
write_slow_channel(struct db *w, struct prepared *p, struct slow_channel *c, int64_t now,
	int64_t *no, struct err *e)
{
	const struct sending *s = p->sending;
	struct channel_spec spec = {
		.type = s->content.channel_type,
		.id = c->id,
		.creator = s->sender.uid,
		.created_at = now,
		.team = c->team,
		.full_team = c->team.p != NULL ? c->team : sending_team(s),
		.custom = c->custom,
		.full_custom = c->custom,
		.origin = s->campaign.no,
		.receiver = c->receiver,
	};
	struct channel found;
	bool is_there;

	spec.members = member_specs(p, c->receiver, now, &spec.nmembers);
	if (c->id.p != NULL) {
		if (!channel_find(w, p->arena, spec.type, c->id, &found, &is_there, e))
			return false;
	} else {
		int64_t *set = arena_array(p->arena, spec.nmembers, sizeof(*set));

		for (size_t k = 0; k < spec.nmembers; k++)
			set[k] = spec.members[k].uid;
		if (!channel_find_distinct(w, p->arena, spec.type, set,
			    form_sort_uids(set, spec.nmembers), &found, &is_there, e))
			return false;
	}
	if (is_there)
		return fail(e, ERR_STALE, "a channel was made meanwhile");
	return channel_create(w, p->arena, &spec, no, e);
}

/* Channels whose id is stored, or whose number had to be looked up. */
static bool
write_slow_channels(struct db *w, struct prepared *p, int64_t now, struct err *e)
{
	for (size_t i = 0; i < p->nslow; i++) {
		struct slow_channel *c = &p->slow[i];
		struct arena_mark mark = arena_mark(p->arena);
		int64_t no;

		if (!write_slow_channel(w, p, c, now, &no, e))
			return false;
		arena_rewind(p->arena, mark);
		for (size_t k = 0; k < c->nmessages; k++)
			p->channel[c->messages[k]] = no;
	}
	return true;
}

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

	return p->nmessages == 0 ||
	       db_exec(w, SQL_BATCH_INSERT_MESSAGES, ARGS(V_INT(now)), &bulk, NULL, e);
}

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

/* Channels that were found may have been removed since; a message must not be without one. */
static bool
check_removals(struct db *w, const struct prepared *p, struct err *e)
{
	struct col col = COL_INTS(p->old_channel);
	int64_t removals = 0, there = 0;
	struct rows r;

	if (p->nold == 0)
		return true;
	if (!channel_removals(w, &removals, e))
		return false;
	if (removals == p->removals)
		return true;
	if (!db_query(w, SQL_BATCH_COUNT_CHANNELS, NO_ARGS, &(struct bulk){&col, 1, p->nold},
		    &r, e))
		return false;
	if (rows_next(&r))
		there = row_int(&r, 0);
	if (!rows_end(&r, e))
		return false;
	return there == (int64_t)p->nold ||
	       fail(e, ERR_STALE, "a channel was removed meanwhile");
}

bool
batch_write(struct db *w, struct prepared *p, bool *lost, struct err *e)
{
	struct batch_result result = {
		.outcomes = p->outcomes, .channels_created = (int64_t)(p->nnew + p->nslow)};
	int64_t now;

	*lost = false;
	/* Channels that are looked for and then made need that nobody else makes them. */
	if (!db_lock_channels(w, p->nslow == 0, e))
		return false;
	/* Taken here, behind all earlier commits: whoever marked a channel read before this
	 * moment has not seen the message (api.md §3.5). */
	now = clock_now_us();
	return ledger_commit_begin(w, p->batch, &result, now, lost, e) &&
	       check_meetings(w, p, e) && check_removals(w, p, e) &&
	       write_new_channels(w, p, now, e) && write_slow_channels(w, p, now, e) &&
	       write_old_channels(w, p, now, e) && write_messages(w, p, now, e) &&
	       ledger_commit_end(w, p->batch, &result, now, lost, e);
}
