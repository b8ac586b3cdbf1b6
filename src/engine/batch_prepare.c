/* batch_prepare – who gets what: every recipient of a batch gets an outcome, a channel and a
 * rendered message, outside any transaction.
 *
 * One ordered query drives the loop and each recipient is rendered while his row is at hand,
 * so the database's memory is borrowed and nothing is copied but the output.  Only those whose
 * channel is known by its id alone are put off, and come when all ids were looked for. */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/pack.h"
#include "domain/channel.h"
#include "domain/channel_origin.h"
#include "domain/form.h"
#include "domain/template.h"
#include "engine/batch.h"
#include "engine/batch_seek.h"
#include "engine/sending.h"
#include "store/db.h"

#define MAX_CHANNEL_ID 64

/* A piece of the output buffer, which may move while it grows. */
struct piece {
	size_t at, n;
	bool is_set;
};

struct preparing {
	struct db *db;
	struct sending *s;
	struct prepared *p;
	/* Of each message; custom and team are those of the channel made for it. */
	struct piece *text, *extra, *custom, *team;
	/* Of the recipient at hand. */
	struct user receiver;
	struct template_channel view;
	struct arena scratch; /* for what is rendered only for him */
	char id[MAX_CHANNEL_ID + 1], cid[2 * MAX_CHANNEL_ID + 2];
	struct channel_origins origins; /* those of channels that were met */
	struct channel_homes *homes;
	struct seek seek;
};

static void
read_recipient(struct rows *r, struct user *u)
{
	*u = (struct user){
		.uid = row_int(r, 0),
		.id = row_str(r, 1),
		.name = row_str(r, 2),
		.image = row_str(r, 3),
		.role = row_str(r, 4),
		.language = row_str(r, 5),
		.teams = row_str(r, 6),
		.custom = row_str(r, 7),
		.created_at = row_time(r, 8),
		.updated_at = row_time(r, 9),
		.last_active = row_time(r, 10),
		.deactivated_at = row_time(r, 11),
		.deleted_at = row_time(r, 12),
		.revoked_before = NO_TIME,
	};
}

/* Reasons that lie in the receiver alone. */
static enum outcome
judge_receiver(const struct preparing *q, int64_t uid)
{
	if (uid == q->s->sender.uid)
		return OUTCOME_IS_SENDER;
	if (!user_is_live(&q->receiver))
		return OUTCOME_NO_SUCH_USER;
	if (q->receiver.deactivated_at != NO_TIME)
		return OUTCOME_USER_DEACTIVATED;
	return OUTCOME_PENDING;
}

/* Ids with a leading '!' are made by the server alone. */
static bool
is_valid_id(struct str id)
{
	return id_channel_valid(id) && id.p[0] != '!';
}

/* The id of an affix form, and what {{ channel }} sees.  False: no valid channel id. */
static bool
compose_id(struct preparing *q)
{
	const struct form *f = &q->s->form;
	struct str user = q->receiver.id;
	size_t n = f->prefix.n + user.n + f->suffix.n;

	if (n > MAX_CHANNEL_ID)
		return false;
	memcpy(q->id, f->prefix.p, f->prefix.n);
	memcpy(q->id + f->prefix.n, user.p, user.n);
	memcpy(q->id + f->prefix.n + user.n, f->suffix.p, f->suffix.n);
	q->view.id = (struct str){q->id, n};
	return is_valid_id(q->view.id);
}

/* Renders the id template; arbitrary templates only. */
static bool
render_id(struct preparing *q)
{
	struct template_vars vars = {.sender = &q->s->sender, .receiver = &q->receiver};
	struct buf id;

	buf_init(&id, &q->scratch, MAX_CHANNEL_ID + 1);
	if (!template_render(q->s->content.channel_id, &vars, MAX_CHANNEL_ID, &id))
		return false;
	q->view.id = buf_view(&id);
	return is_valid_id(q->view.id);
}

/* The id of the distinct channel of the recipient and the other members. */
static void
set_distinct_id(struct preparing *q)
{
	int64_t *set = arena_array(&q->scratch, q->s->nmembers + 1, sizeof(*set));

	memcpy(set, q->s->members, q->s->nmembers * sizeof(*set));
	set[q->s->nmembers] = q->receiver.uid;
	q->view.id = channel_distinct_id(&q->scratch, set, q->s->nmembers + 1);
}

/* Gives the recipient's channel its id where that counts.  False: no valid one. */
static bool
name_channel(struct preparing *q, bool by_number)
{
	q->view = (struct template_channel){.type = q->s->content.channel_type};
	if (q->s->content.channel_id != NULL)
		return q->s->form.form != 0 ? compose_id(q) : render_id(q);
	if (!by_number)
		set_distinct_id(q);
	return true;
}

/* Reasons that lie in the channel. */
static enum outcome
judge_spot(const struct preparing *q, const struct spot *s)
{
	if (s->deleted || (!s->exists && !q->s->campaign.create_channels))
		return OUTCOME_NO_CHANNEL;
	if (s->exists && s->disabled)
		return OUTCOME_CHANNEL_DISABLED;
	return OUTCOME_PENDING;
}

/* What {{ channel }} shows of one that exists: its custom data and its team may stand in the
 * campaign that made it. */
static bool
view_channel(struct preparing *q, const struct spot *s, struct err *e)
{
	struct channel c = {.origin = s->origin, .custom = s->custom, .team = s->team};

	if ((c.custom.p == NULL || c.team.p == NULL) &&
		!channel_origins_give(&q->origins, q->db, &c, 1, e))
		return false;
	if (c.team.p == NULL && c.from != NULL)
		c.team = c.from->team;
	q->view.custom = c.custom;
	q->view.team = c.team;
	return true;
}

/* Appends the team of a channel still to be made, when each has its own.  False: it is too
 * long. */
static bool
render_team(struct preparing *q, struct buf *out)
{
	const struct template_vars vars = {.sender = &q->s->sender, .receiver = &q->receiver};
	size_t at = out->n;

	return template_render(q->s->content.channel_team, &vars, q->p->max_bytes, out) &&
	       str_utf8_len((struct str){out->p + at, out->n - at}) <= CONTENT_TEAM_MAX;
}

/* Fills in what {{ channel }} may show besides: id, cid, and the custom data and team that a
 * channel still to be made will have.  False: that is too large. */
static bool
complete_view(struct preparing *q, const struct spot *s)
{
	const struct template_vars vars = {.sender = &q->s->sender, .receiver = &q->receiver};
	const struct content *t = &q->s->content;
	struct str type = q->view.type;
	struct buf custom, team;

	if (!s->exists && t->channel_custom == NULL) {
		q->view.custom = t->constant_custom;
	} else if (!s->exists) {
		buf_init(&custom, &q->scratch, 256);
		if (!template_render(t->channel_custom, &vars, q->p->max_bytes, &custom))
			return false;
		q->view.custom = buf_view(&custom);
	}
	if (!s->exists) {
		q->view.team = sending_team(q->s);
		buf_init(&team, &q->scratch, 64);
		if (q->p->has_own_teams && !render_team(q, &team))
			return false;
		if (team.n > 0)
			q->view.team = buf_view(&team);
	}
	if (q->view.id.p == NULL)
		set_distinct_id(q);
	memcpy(q->cid, type.p, type.n);
	q->cid[type.n] = ':';
	memcpy(q->cid + type.n + 1, q->view.id.p, q->view.id.n);
	q->view.cid = (struct str){q->cid, type.n + 1 + q->view.id.n};
	return true;
}

static bool
render_piece(struct preparing *q, const struct template *t, struct piece *out)
{
	struct template_vars vars = {
		.sender = &q->s->sender, .receiver = &q->receiver, .channel = &q->view};

	out->is_set = t != NULL;
	out->at = q->p->out->n;
	if (t != NULL && !template_render(t, &vars, q->p->max_bytes, q->p->out))
		return false;
	out->n = q->p->out->n - out->at;
	return true;
}

/* Text and extra of the recipient at hand, into the place of the next message. */
static enum outcome
render(struct preparing *q, const struct spot *s)
{
	size_t m = q->p->nmessages, before = q->p->out->n;
	struct str text;

	if (q->s->content.uses_channel && !complete_view(q, s))
		return OUTCOME_RENDERED_TOO_LARGE;
	if (!render_piece(q, q->s->content.text, &q->text[m]) ||
		!render_piece(q, q->s->content.extra, &q->extra[m])) {
		q->p->out->n = before;
		return OUTCOME_RENDERED_TOO_LARGE;
	}
	text = (struct str){q->p->out->p + q->text[m].at, q->text[m].n};
	if (text.n > q->s->max_chars && str_utf8_len(text) > q->s->max_chars) {
		q->p->out->n = before;
		return OUTCOME_MESSAGE_TOO_LONG;
	}
	return OUTCOME_SENT;
}

static void
allocate_channels(struct new_channels *list, struct arena *a, size_t n)
{
	list->no = arena_array(a, n, sizeof(int64_t));
	list->maker = arena_array(a, n, sizeof(size_t));
	list->receiver = arena_array(a, n, sizeof(int64_t));
	list->custom = arena_array(a, n, sizeof(struct str));
	list->team = arena_array(a, n, sizeof(struct str));
	list->cid = arena_array(a, n, sizeof(struct str));
}

/* What only the channel made for message ${m} has.  False: that is too large. */
static bool
render_channel(struct preparing *q, size_t m)
{
	struct piece *team = &q->team[m];

	if (!render_piece(q, q->s->content.channel_custom, &q->custom[m]))
		return false;
	*team = (struct piece){.at = q->p->out->n, .is_set = q->p->has_own_teams};
	if (team->is_set && !render_team(q, q->p->out))
		return false;
	team->n = q->p->out->n - team->at;
	return true;
}

/* The channel of message ${m}: there, or to be made.  ${t}: NULL when known by its number. */
static enum outcome
place(struct preparing *q, const struct spot *s, struct target *t, size_t m)
{
	struct prepared *p = q->p;
	struct new_channels *list;

	p->channel[m] = s->no;
	if (s->exists) {
		p->old_channel[p->nold] = s->no;
		p->old_receiver[p->nold++] = q->receiver.uid;
		return OUTCOME_SENT;
	}
	if (t != NULL && t->is_made)
		return OUTCOME_SENT;
	if (!render_channel(q, m))
		return OUTCOME_RENDERED_TOO_LARGE;
	if (t == NULL || !t->is_stored) {
		list = CHANNEL_HOME(s->no) == q->receiver.uid ? &p->own : &p->foreign;
		list->no[list->n] = s->no;
		list->maker[list->n++] = m;
	}
	if (t != NULL) {
		t->is_made = true;
		t->maker = m;
	}
	return OUTCOME_SENT;
}

/* Recipient ${i}, at hand, gets his message into the channel at ${s}. */
static bool
deliver(struct preparing *q, size_t i, const struct spot *s, struct target *t, struct err *e)
{
	struct prepared *p = q->p;
	enum outcome outcome = judge_spot(q, s);
	size_t m = p->nmessages;

	if (outcome == OUTCOME_PENDING && s->exists && q->s->content.uses_channel &&
		!view_channel(q, s, e))
		return false;
	if (outcome == OUTCOME_PENDING)
		outcome = render(q, s);
	if (outcome == OUTCOME_SENT)
		outcome = place(q, s, t, m);
	if (outcome == OUTCOME_SENT) {
		p->key[m] = p->batch->first_key + (int64_t)i;
		p->receiver[m] = q->receiver.uid;
		p->nmessages++;
	}
	p->outcomes[i] = (uint8_t)outcome;
	return true;
}

/* The channel in the row, be it there or not. */
static struct spot
spot_of_row(const struct preparing *q, struct rows *r)
{
	return (struct spot){
		.no = CHANNEL_NO(q->receiver.uid, q->s->form.form),
		.exists = !row_null(r, 13),
		.disabled = row_int(r, 14) != 0,
		.deleted = !row_null(r, 15),
		.team = row_str(r, 16),
		.custom = row_str(r, 17),
		.origin = row_int(r, 18),
	};
}

static bool
prepare_one(struct preparing *q, struct rows *r, size_t i, struct err *e)
{
	struct prepared *p = q->p;
	bool by_number = q->s->form.form != 0 && !sending_must_find(q->s, p->uids[i]);
	enum outcome outcome;
	struct spot spot;

	read_recipient(r, &q->receiver);
	outcome = judge_receiver(q, p->uids[i]);
	if (outcome == OUTCOME_PENDING && !name_channel(q, by_number))
		outcome = OUTCOME_INVALID_CHANNEL_ID;
	p->outcomes[i] = (uint8_t)outcome;
	if (outcome == OUTCOME_PENDING && !by_number)
		batch_seek_put_off(&q->seek, p, i, &q->receiver, q->view.id);
	if (outcome != OUTCOME_PENDING || !by_number)
		return true;
	spot = spot_of_row(q, r);
	return deliver(q, i, &spot, NULL, e);
}

static bool
prepare_in_row_order(struct preparing *q, struct err *e)
{
	struct col cols[] = {COL_INTS(q->p->uids)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), q->p->n};
	struct rows r;
	bool ok = true;

	if (!db_query(q->db, SQL_BATCH_RECIPIENTS, ARGS(V_INT(q->s->form.form)), &bulk, &r, e))
		return false;
	for (size_t i = 0; ok && i < q->p->n && rows_next(&r); i++) {
		ok = prepare_one(q, &r, i, e) && prepared_has_room(q->p, e);
		if (q->scratch.used > 0)
			arena_reset(&q->scratch);
	}
	return rows_end(&r, ok ? e : &(struct err){0}) && ok;
}

/* Those who were put off. */
static bool
prepare_the_rest(struct preparing *q, struct err *e)
{
	struct seek *k = &q->seek;
	bool ok = true;

	if (k->nsought == 0)
		return true;
	if (!batch_seek_find(k, q->db, q->homes, q->p, e))
		return false;
	allocate_channels(&q->p->stored, q->p->arena, k->ntargets);
	allocate_channels(&q->p->foreign, q->p->arena, k->ntargets);
	for (size_t i = 0; ok && i < k->nsought; i++) {
		struct sought *s = &k->sought[i];

		q->receiver = s->receiver;
		q->view = (struct template_channel){
			.type = q->s->content.channel_type, .id = s->id};
		ok = deliver(q, s->i, &s->target->spot, s->target, e) &&
		     prepared_has_room(q->p, e);
		if (q->scratch.used > 0)
			arena_reset(&q->scratch);
	}
	batch_seek_list(k, q->p);
	return ok;
}

static struct str
text_of(const struct preparing *q, struct piece piece)
{
	return piece.is_set ? (struct str){q->p->out->p + piece.at, piece.n} : STR_NONE;
}

/* ${custom}, ${team}: of those who have none of their own. */
static void
settle_channels(
	struct preparing *q, struct new_channels *list, struct str custom, struct str team)
{
	for (size_t k = 0; k < list->n; k++) {
		size_t m = list->maker[k];

		list->receiver[k] = q->p->receiver[m];
		list->custom[k] = q->custom[m].is_set ? text_of(q, q->custom[m]) : custom;
		list->team[k] = q->team[m].is_set ? text_of(q, q->team[m]) : team;
	}
}

/* The output does not move any more: places become text. */
static void
settle(struct preparing *q)
{
	struct prepared *p = q->p;

	for (size_t m = 0; m < p->nmessages; m++) {
		p->text[m] = text_of(q, q->text[m]);
		p->extra[m] = text_of(q, q->extra[m]);
	}
	settle_channels(q, &p->own, STR_NONE, STR_NONE);
	settle_channels(q, &p->stored, STR_NONE, STR_NONE);
	settle_channels(q, &p->foreign, q->s->content.constant_custom, sending_team(q->s));
}

static void
allocate(struct preparing *q, struct arena *a, size_t n)
{
	struct prepared *p = q->p;

	p->uids = arena_array(a, n, sizeof(int64_t));
	p->outcomes = arena_array(a, n, sizeof(uint8_t));
	p->key = arena_array(a, n, sizeof(int64_t));
	p->channel = arena_array(a, n, sizeof(int64_t));
	p->receiver = arena_array(a, n, sizeof(int64_t));
	p->text = arena_array(a, n, sizeof(struct str));
	p->extra = arena_array(a, n, sizeof(struct str));
	p->old_channel = arena_array(a, n, sizeof(int64_t));
	p->old_receiver = arena_array(a, n, sizeof(int64_t));
	allocate_channels(&p->own, a, n);
	q->text = arena_array(a, n, sizeof(struct piece));
	q->extra = arena_array(a, n, sizeof(struct piece));
	q->custom = arena_array(a, n, sizeof(struct piece));
	q->team = arena_array(a, n, sizeof(struct piece));
	prepared_out_init(p, n * 192 + 4096);
}

static void
free_out(void *buf)
{
	buf_free(buf);
}

void
prepared_out_init(struct prepared *p, size_t cap)
{
	p->out = arena_alloc(p->arena, sizeof(*p->out));
	buf_init(p->out, NULL, cap);
	arena_defer(p->arena, free_out, p->out);
	p->used_before = p->arena->used;
}

bool
prepared_has_room(const struct prepared *p, struct err *e)
{
	size_t bytes = p->arena->used - p->used_before + p->out->n;

	return p->n == 1 || bytes <= BATCH_BYTES ||
	       fail(e, ERR_UNFIT, "a batch needs more than %zu bytes", BATCH_BYTES);
}

bool
batch_prepare(struct db *db, struct arena *a, struct sending *s, const struct batch *b,
	size_t max_bytes, struct channel_homes *homes, struct prepared *out, struct err *e)
{
	struct preparing q = {.db = db, .s = s, .p = out, .homes = homes};
	bool ok;

	*out = (struct prepared){.batch = b,
		.sending = s,
		.arena = a,
		.n = (size_t)b->n,
		.has_own_teams = s->campaign.team.p != NULL && s->content.channel_team != NULL,
		.max_bytes = max_bytes};
	allocate(&q, a, out->n);
	channel_origins_init(&q.origins, a);
	if (!pack_keys_read(b->uids, out->uids, out->n))
		return fail(e, ERR_BUG, "batch %lld/%lld: the list of recipients is damaged",
			(long long)b->campaign, (long long)b->seq);
	/* Before anything is looked at: what is removed from now on makes us look again. */
	if (!channel_removals(db, &out->removals, e) || !sending_refresh(s, db, a, e))
		return false;
	arena_init(&q.scratch, 16384, SIZE_MAX);
	ok = prepare_in_row_order(&q, e) && prepare_the_rest(&q, e);
	arena_fini(&q.scratch);
	if (ok)
		settle(&q);
	return ok;
}

void
batch_give_up(struct arena *a, struct sending *s, const struct batch *b, struct prepared *out)
{
	*out = (struct prepared){.batch = b, .sending = s, .arena = a, .n = (size_t)b->n};
	out->outcomes = arena_array(a, out->n, sizeof(uint8_t));
	memset(out->outcomes, OUTCOME_INTERNAL_ERROR, out->n);
}
