/* batch_prepare – who gets what: every recipient of a batch gets an outcome, a channel and a
 * rendered message, outside any transaction.
 *
 * One ordered query drives the loop and each recipient is rendered while his row is at hand,
 * so the database's memory is borrowed and nothing is copied but the output.  Memory of the
 * slow ways (stored ids, look-ups) is given back with the batch. */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/jscan.h"
#include "base/pack.h"
#include "domain/channel.h"
#include "domain/form.h"
#include "domain/template.h"
#include "engine/batch.h"
#include "engine/sending.h"
#include "store/db.h"

#define MAX_MESSAGE_CHARS 5000 /* config.max_message_length of the built-in types */
#define MAX_CHANNEL_ID    64

/* A piece of the output buffer, which may move while it grows. */
struct piece {
	size_t at, n;
	bool is_set;
};

struct preparing {
	struct db *db;
	struct sending *s;
	struct prepared *p;
	struct buf out;                             /* rendered text of all recipients */
	struct piece *text, *extra, *custom, *team; /* custom, team: of new_no[i] */
	/* Of the recipient at hand. */
	struct user receiver;
	int64_t channel; /* 0: to be made */
	bool exists, deleted, disabled;
	struct template_channel view;
	struct arena scratch; /* for what is looked up or rendered only for him */
	/* What channels of one origin share, for each origin that was met. */
	struct origin {
		int64_t campaign;
		struct str custom, team;
	} * origins;
	size_t norigins, origins_cap;
	/* Places in p->slow by hash of the key, plus 1; 0: free. */
	uint32_t *slots;
	size_t nslots;
	char id[MAX_CHANNEL_ID + 1], cid[2 * MAX_CHANNEL_ID + 2];
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

/* Finds the channel of the recipient's id or member set where the number does not tell. */
static bool
find_channel(struct preparing *q, int64_t *origin, struct err *e)
{
	struct sending *s = q->s;
	struct channel found;
	bool is_there;

	if (s->content.channel_id != NULL) {
		if (!channel_find(q->db, &q->scratch, s->content.channel_type, q->view.id,
			    &found, &is_there, e))
			return false;
	} else {
		int64_t *set = arena_array(&q->scratch, s->nmembers + 1, sizeof(*set));

		memcpy(set, s->members, s->nmembers * sizeof(*set));
		set[s->nmembers] = q->receiver.uid;
		if (!channel_find_distinct(q->db, &q->scratch, s->content.channel_type, set,
			    form_sort_uids(set, s->nmembers + 1), &found, &is_there, e))
			return false;
	}
	q->exists = is_there;
	q->channel = is_there ? found.no : 0;
	q->deleted = is_there && found.deleted_at != NO_TIME;
	q->disabled = is_there && found.disabled;
	if (!is_there && s->content.channel_id == NULL)
		set_distinct_id(q);
	if (is_there) {
		*origin = found.origin;
		q->view.id = found.id;
		q->view.custom = found.custom;
		q->view.team = found.team;
	}
	return true;
}

/* The custom data and the team that a campaign gave its channels; p == NULL: none. */
static bool
load_origin(struct preparing *q, struct origin *o, struct err *e)
{
	struct jscan_value v = {0};
	struct rows r;

	o->custom = o->team = STR_NONE;
	if (!db_query(q->db, SQL_CHANNEL_TEMPLATE, ARGS(V_INT(o->campaign)), NO_BULK, &r, e))
		return false;
	if (rows_next(&r)) {
		o->team = arena_dup(q->p->arena, row_str(&r, 1));
		if (!row_null(&r, 0))
			v = jscan_member(row_str(&r, 0), STR("custom"));
	}
	if (v.type == JSCAN_OBJECT)
		o->custom = arena_dup(q->p->arena, v.raw);
	return rows_end(&r, e);
}

/* Fills in what the channel has from the campaign that made it. */
static bool
view_origin(struct preparing *q, int64_t campaign, struct err *e)
{
	size_t i = 0;

	if (campaign == 0 || (q->view.custom.p != NULL && q->view.team.p != NULL))
		return true;
	while (i < q->norigins && q->origins[i].campaign != campaign)
		i++;
	if (i == q->origins_cap) {
		struct origin *grown;

		q->origins_cap = q->origins_cap * 2 + 8;
		grown = arena_array(q->p->arena, q->origins_cap, sizeof(*grown));
		if (i > 0)
			memcpy(grown, q->origins, i * sizeof(*grown));
		q->origins = grown;
	}
	if (i == q->norigins) {
		q->origins[i].campaign = campaign;
		if (!load_origin(q, &q->origins[i], e))
			return false;
		q->norigins++;
	}
	if (q->view.custom.p == NULL)
		q->view.custom = q->origins[i].custom;
	if (q->view.team.p == NULL)
		q->view.team = q->origins[i].team;
	return true;
}

/* Where the message goes: number, existence, id.  *outcome stays PENDING when it can. */
static bool
locate_channel(struct preparing *q, struct rows *r, enum outcome *outcome, struct err *e)
{
	struct sending *s = q->s;
	bool by_number = s->form.form != 0 && !sending_must_find(s, q->receiver.uid);
	int64_t origin = 0;

	q->view = (struct template_channel){.type = s->content.channel_type};
	if (s->content.channel_id != NULL &&
		!(s->form.form != 0 ? compose_id(q) : render_id(q))) {
		*outcome = OUTCOME_INVALID_CHANNEL_ID;
		return true;
	}
	if (by_number) {
		q->channel = CHANNEL_NO(q->receiver.uid, s->form.form);
		q->exists = !row_null(r, 13);
		q->disabled = row_int(r, 14) != 0;
		q->deleted = !row_null(r, 15);
		q->view.team = row_str(r, 16);
		q->view.custom = row_str(r, 17);
		origin = row_int(r, 18);
	} else if (!find_channel(q, &origin, e)) {
		return false;
	}
	if (q->exists && s->content.uses_channel && !view_origin(q, origin, e))
		return false;
	if (q->deleted || (!q->exists && !s->campaign.create_channels))
		*outcome = OUTCOME_NO_CHANNEL;
	else if (q->exists && q->disabled)
		*outcome = OUTCOME_CHANNEL_DISABLED;
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

/* Whether the campaign gives each channel a team of its own. */
static bool
has_own_teams(const struct preparing *q)
{
	return q->s->campaign.team.p != NULL && q->s->content.channel_team != NULL;
}

/* Fills in what {{ channel }} may show besides: id, cid, and the custom data and team that a
 * channel still to be made will have.  False: that is too large. */
static bool
complete_view(struct preparing *q)
{
	const struct template_vars vars = {.sender = &q->s->sender, .receiver = &q->receiver};
	const struct content *t = &q->s->content;
	struct str type = q->view.type;
	struct buf custom, team;

	if (!q->exists && t->channel_custom == NULL) {
		q->view.custom = t->constant_custom;
	} else if (!q->exists) {
		buf_init(&custom, &q->scratch, 256);
		if (!template_render(t->channel_custom, &vars, q->p->max_bytes, &custom))
			return false;
		q->view.custom = buf_view(&custom);
	}
	if (!q->exists) {
		q->view.team = sending_team(q->s);
		buf_init(&team, &q->scratch, 64);
		if (has_own_teams(q) && !render_team(q, &team))
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
	out->at = q->out.n;
	if (t != NULL && !template_render(t, &vars, q->p->max_bytes, &q->out))
		return false;
	out->n = q->out.n - out->at;
	return true;
}

/* Text and extra of the recipient at hand, into the place of the next message. */
static enum outcome
render(struct preparing *q)
{
	size_t m = q->p->nmessages, before = q->out.n;
	struct str text;

	if (q->s->content.uses_channel && !complete_view(q))
		return OUTCOME_RENDERED_TOO_LARGE;
	if (!render_piece(q, q->s->content.text, &q->text[m]) ||
		!render_piece(q, q->s->content.extra, &q->extra[m])) {
		q->out.n = before;
		return OUTCOME_RENDERED_TOO_LARGE;
	}
	text = (struct str){q->out.p + q->text[m].at, q->text[m].n};
	if (text.n > MAX_MESSAGE_CHARS && str_utf8_len(text) > MAX_MESSAGE_CHARS) {
		q->out.n = before;
		return OUTCOME_MESSAGE_TOO_LONG;
	}
	return OUTCOME_SENT;
}

/* The slot of a key: that of its channel, or the free one where it belongs. */
static uint32_t *
slot_of(struct preparing *q, struct str key)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */
	size_t i;

	if (q->slots == NULL) {
		q->nslots = 2 * BATCH_MAX;
		q->slots = arena_zalloc(q->p->arena, q->nslots * sizeof(*q->slots));
	}
	for (size_t k = 0; k < key.n; k++)
		hash = (hash ^ (uint8_t)key.p[k]) * 1099511628211u;
	i = hash % q->nslots;
	while (q->slots[i] != 0 && !str_eq(q->p->slow[q->slots[i] - 1].key, key))
		i = (i + 1) % q->nslots;
	return &q->slots[i];
}

/* Remembers a channel to be made one by one; equal ids of a batch are one channel. */
static void
add_slow(struct preparing *q, size_t message, struct str custom, struct str team)
{
	struct prepared *p = q->p;
	uint32_t *slot = slot_of(q, q->view.id);
	struct slow_channel *c;

	if (*slot == 0) {
		struct str key = arena_dup(p->arena, q->view.id);

		p->slow[p->nslow++] = (struct slow_channel){
			.key = key,
			.id = q->s->content.channel_id != NULL ? key : STR_NONE,
			.receiver = q->receiver.uid,
			.custom = arena_dup(p->arena, custom),
			.team = arena_dup(p->arena, team),
		};
		*slot = (uint32_t)p->nslow;
	}
	c = &p->slow[*slot - 1];
	if (c->nmessages == c->cap) {
		size_t *grown = arena_array(p->arena, c->cap * 2 + 1, sizeof(*grown));

		if (c->nmessages > 0)
			memcpy(grown, c->messages, c->nmessages * sizeof(*grown));
		c->messages = grown;
		c->cap = c->cap * 2 + 1;
	}
	c->messages[c->nmessages++] = message;
}

static struct str
text_of(const struct preparing *q, struct piece piece)
{
	return piece.is_set ? (struct str){q->out.p + piece.at, piece.n} : STR_NONE;
}

/* The channel of message ${m}: there, to be made by number, or to be made one by one. */
static enum outcome
place(struct preparing *q, size_t m)
{
	struct prepared *p = q->p;
	struct piece custom = {0}, team = {0};

	p->channel[m] = q->channel;
	if (q->exists) {
		p->old_channel[p->nold] = q->channel;
		p->old_receiver[p->nold++] = q->receiver.uid;
		return OUTCOME_SENT;
	}
	if (!render_piece(q, q->s->content.channel_custom, &custom))
		return OUTCOME_RENDERED_TOO_LARGE;
	team = (struct piece){.at = q->out.n, .is_set = has_own_teams(q)};
	if (team.is_set && !render_team(q, &q->out))
		return OUTCOME_RENDERED_TOO_LARGE;
	team.n = q->out.n - team.at;
	if (q->channel != 0) {
		q->custom[p->nnew] = custom;
		q->team[p->nnew] = team;
		p->new_no[p->nnew++] = q->channel;
	} else {
		add_slow(q, m, text_of(q, custom), text_of(q, team));
	}
	return OUTCOME_SENT;
}

static bool
prepare_one(struct preparing *q, struct rows *r, size_t i, struct err *e)
{
	struct prepared *p = q->p;
	enum outcome outcome;
	size_t m = p->nmessages;

	read_recipient(r, &q->receiver);
	q->channel = 0;
	q->exists = q->deleted = q->disabled = false;
	outcome = judge_receiver(q, p->uids[i]);
	if (outcome == OUTCOME_PENDING && !locate_channel(q, r, &outcome, e))
		return false;
	if (outcome == OUTCOME_PENDING)
		outcome = render(q);
	if (outcome == OUTCOME_SENT)
		outcome = place(q, m);
	if (outcome == OUTCOME_SENT) {
		p->key[m] = p->batch->first_key + (int64_t)i;
		p->receiver[m] = q->receiver.uid;
		p->nmessages++;
	}
	p->outcomes[i] = (uint8_t)outcome;
	return true;
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
	for (size_t i = 0; i < p->nnew; i++) {
		p->new_custom[i] = text_of(q, q->custom[i]);
		if (p->new_team != NULL)
			p->new_team[i] = text_of(q, q->team[i]);
	}
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
	p->new_no = arena_array(a, n, sizeof(int64_t));
	p->new_custom = arena_array(a, n, sizeof(struct str));
	if (has_own_teams(q))
		p->new_team = arena_array(a, n, sizeof(struct str));
	p->old_channel = arena_array(a, n, sizeof(int64_t));
	p->old_receiver = arena_array(a, n, sizeof(int64_t));
	p->slow = arena_array(a, n, sizeof(struct slow_channel));
	q->text = arena_array(a, n, sizeof(struct piece));
	q->extra = arena_array(a, n, sizeof(struct piece));
	q->custom = arena_array(a, n, sizeof(struct piece));
	q->team = arena_array(a, n, sizeof(struct piece));
	buf_init(&q->out, a, n * 192 + 4096);
}

bool
batch_prepare(struct db *db, struct arena *a, struct sending *s, const struct batch *b,
	size_t max_bytes, struct prepared *out, struct err *e)
{
	struct preparing q = {.db = db, .s = s, .p = out};
	struct col col;
	struct bulk bulk = {&col, 1, (size_t)b->n};
	struct rows r;
	bool ok = true;
	size_t i = 0;

	*out = (struct prepared){.batch = b,
		.sending = s,
		.arena = a,
		.n = (size_t)b->n,
		.max_bytes = max_bytes};
	allocate(&q, a, out->n);
	if (!pack_keys_read(b->uids, out->uids, out->n))
		return fail(e, ERR_BUG, "batch %lld/%lld: the list of recipients is damaged",
			(long long)b->campaign, (long long)b->seq);
	col = COL_INTS(out->uids);
	/* Before anything is looked at: what is removed from now on makes us look again. */
	if (!channel_removals(db, &out->removals, e) || !sending_refresh(s, db, a, e) ||
		!db_query(db, SQL_BATCH_RECIPIENTS, ARGS(V_INT(s->form.form)), &bulk, &r, e))
		return false;
	arena_init(&q.scratch, 16384, SIZE_MAX);
	while (ok && i < out->n && rows_next(&r)) {
		ok = prepare_one(&q, &r, i++, e);
		if (q.scratch.used > 0)
			arena_reset(&q.scratch);
	}
	arena_fini(&q.scratch);
	if (!rows_end(&r, ok ? e : &(struct err){0}) || !ok)
		return false;
	settle(&q);
	return true;
}

void
batch_give_up(struct arena *a, struct sending *s, const struct batch *b, struct prepared *out)
{
	*out = (struct prepared){.batch = b, .sending = s, .arena = a, .n = (size_t)b->n};
	out->outcomes = arena_array(a, out->n, sizeof(uint8_t));
	memset(out->outcomes, OUTCOME_INTERNAL_ERROR, out->n);
}
