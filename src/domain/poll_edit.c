/* poll_edit – polls as they are changed: created, updated, deleted; their options. */
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/jr.h"
#include "base/jw.h"
#include "domain/event.h"
#include "domain/poll.h"
#include "domain/poll_impl.h"
#include "store/db.h"

/* ---- rules ------------------------------------------------------------------------------ */

/* ${name}: of the field, for the message. */
static bool
check_length(const char *name, struct str s, size_t min, size_t max, struct err *e)
{
	size_t n = str_utf8_len(s);

	if (s.p == NULL)
		return fail(e, ERR_INPUT, "%s: is required", name);
	if (n < min)
		return fail(e, ERR_INPUT, "%s: expected a text, got an empty one", name);
	return n <= max || fail(e, ERR_INPUT, "%s: longer than %zu characters", name, max);
}

static bool
check_option(const struct poll_option *o, struct err *e)
{
	return check_length("text", o->text, 1, POLL_MAX_TEXT, e) &&
	       check_length("id", o->id, 1, POLL_MAX_ID, e);
}

static bool
check_options(const struct poll *p, struct err *e)
{
	size_t custom = p->custom.n;

	if (p->noptions > POLL_MAX_OPTIONS)
		return fail(e, ERR_INPUT, "options: at most %d elements, got %zu",
			POLL_MAX_OPTIONS, p->noptions);
	for (size_t i = 0; i < p->noptions; i++) {
		const struct poll_option *o = &p->options[i];
		char where[32];

		snprintf(where, sizeof(where), "options[%zu]", i);
		if (!check_option(o, e))
			return fail_in(e, where);
		if (poll_option_find(p, o->id) != o)
			return fail(e, ERR_INPUT, "%s.id: \"%.*s\" stands there twice", where,
				STR_ARG(o->id));
		custom += o->custom.n;
	}
	return custom <= POLL_MAX_CUSTOM || fail(e, ERR_INPUT,
						    "custom: %zu bytes of custom data with "
						    "that of the options, at most %d are "
						    "kept",
						    custom, POLL_MAX_CUSTOM);
}

static bool
check(const struct poll *p, struct err *e)
{
	if (!str_is(p->voting_visibility, "public") &&
		!str_is(p->voting_visibility, "anonymous"))
		return fail(e, ERR_INPUT,
			"voting_visibility: expected \"public\" or \"anonymous\", got \"%.*s\"",
			STR_ARG(p->voting_visibility));
	if (p->max_votes_allowed < 0 || p->max_votes_allowed > POLL_MAX_VOTES)
		return fail(e, ERR_INPUT,
			"max_votes_allowed: must be between 1 and %d, got %lld", POLL_MAX_VOTES,
			(long long)p->max_votes_allowed);
	return check_length("id", p->id, 1, POLL_MAX_ID, e) &&
	       check_length("name", p->name, 1, POLL_MAX_NAME, e) &&
	       check_length("description", p->description, 0, POLL_MAX_DESCRIPTION, e) &&
	       check_options(p, e);
}

static bool
may_change(const struct poll *p, int64_t by, struct err *e)
{
	return by == 0 || by == p->creator ||
	       fail(e, ERR_DENIED,
		       "poll with id %.*s can be changed only by the user who created it",
		       STR_ARG(p->id));
}

static bool
load_to_change(struct db *w, struct arena *a, struct str id, int64_t by, struct poll *out,
	struct err *e)
{
	return poll_load(w, a, id, out, e) && may_change(out, by, e);
}

/* ---- what an edit makes of a poll ------------------------------------------------------- */

/* What a new poll has that says nothing; the rest stays. */
static void
reset(struct poll *p)
{
	p->name = p->description = STR("");
	p->voting_visibility = STR("public");
	p->enforce_unique_vote = p->allow_answers = false;
	p->allow_user_suggested_options = p->is_closed = false;
	p->max_votes_allowed = 0;
	p->custom = STR_NONE;
}

static void
merge_flag(int said, bool *flag)
{
	if (said >= 0)
		*flag = said > 0;
}

static bool
merge_custom(struct arena *a, const struct poll_edit *d, struct poll *p, struct err *e)
{
	json_t *stored = NULL, *given = NULL, *all = jr_own(a, json_object());

	if (!d->drop_custom && d->custom.p == NULL && d->nunset == 0)
		return true;
	if (!jr_parse(a, d->drop_custom ? STR("") : p->custom, &stored, e) ||
		!jr_parse(a, d->custom, &given, e))
		return false;
	if (stored != NULL)
		json_object_update(all, stored);
	if (given != NULL)
		json_object_update(all, given);
	for (size_t i = 0; i < d->nunset; i++)
		json_object_del(all, arena_dup(a, d->unset[i]).p);
	p->custom = json_object_size(all) > 0 ? jr_dump(a, all) : STR_NONE;
	return true;
}

static struct str
make_id(struct arena *a)
{
	char uuid[ID_UUID_LEN];

	id_uuid4(uuid);
	return arena_dup(a, (struct str){uuid, sizeof(uuid)});
}

/* The option that ${d} describes: one that ${p} has under its id, or a new one. */
static struct poll_option
merge_option(struct arena *a, const struct poll_option_edit *d, struct poll *p, int64_t now)
{
	const struct poll_option *there = d->id.n > 0 ? poll_option_find(p, d->id) : NULL;
	struct poll_option o = {.id = d->id, .created_at = now};

	if (there != NULL)
		o = *there;
	else
		o.no = p->next_option++;
	if (o.id.n == 0)
		o.id = make_id(a);
	if (d->text.p != NULL)
		o.text = d->text;
	o.custom = d->custom;
	o.updated_at = now;
	return o;
}

/* The options become those of ${d}; *dropped: the numbers of those that go. */
static void
merge_options(struct arena *a, const struct poll_edit *d, struct poll *p, int64_t now,
	int64_t *dropped, size_t *ndropped)
{
	struct poll_option *list = arena_array(a, d->noptions, sizeof(*list));

	for (size_t i = 0; i < d->noptions; i++)
		list[i] = merge_option(a, &d->options[i], p, now);
	for (size_t i = 0; i < p->noptions; i++) {
		bool stays = false;

		for (size_t k = 0; k < d->noptions && !stays; k++)
			stays = list[k].no == p->options[i].no;
		if (!stays)
			dropped[(*ndropped)++] = p->options[i].no;
	}
	p->options = list;
	p->noptions = d->noptions;
}

static bool
merge(struct arena *a, const struct poll_edit *d, struct poll *p, struct err *e)
{
	if (d->name.p != NULL)
		p->name = d->name;
	if (d->description.p != NULL)
		p->description = d->description;
	if (d->voting_visibility.p != NULL)
		p->voting_visibility = d->voting_visibility;
	merge_flag(d->enforce_unique_vote, &p->enforce_unique_vote);
	merge_flag(d->allow_answers, &p->allow_answers);
	merge_flag(d->allow_user_suggested_options, &p->allow_user_suggested_options);
	merge_flag(d->is_closed, &p->is_closed);
	if (d->max_votes_allowed >= 0)
		p->max_votes_allowed = d->max_votes_allowed;
	return merge_custom(a, d, p, e);
}

/* ---- writing ---------------------------------------------------------------------------- */

static bool
put_options(struct db *w, struct arena *a, const struct poll *p, struct err *e)
{
	size_t n = p->noptions;
	int64_t *nos = arena_array(a, n, sizeof(*nos));
	int64_t *created = arena_array(a, n, sizeof(*created));
	int64_t *updated = arena_array(a, n, sizeof(*updated));
	struct str *ids = arena_array(a, n, sizeof(*ids));
	struct str *texts = arena_array(a, n, sizeof(*texts));
	struct str *customs = arena_array(a, n, sizeof(*customs));
	struct col cols[] = {COL_INTS(nos), COL_INTS(created), COL_INTS(updated),
		COL_TEXTS(ids), COL_TEXTS(texts), COL_TEXTS(customs)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};

	for (size_t i = 0; i < n; i++) {
		const struct poll_option *o = &p->options[i];

		nos[i] = o->no;
		created[i] = o->created_at;
		updated[i] = o->updated_at;
		ids[i] = o->id;
		texts[i] = o->text;
		customs[i] = o->custom;
	}
	return n == 0 || db_exec(w, SQL_POLL_OPTIONS_PUT, ARGS(V_INT(p->no)), &bulk, NULL, e);
}

static bool
drop_options(struct db *w, int64_t poll, const int64_t *nos, size_t n, struct err *e)
{
	struct col col = COL_INTS(nos);
	struct bulk bulk = {&col, 1, n};

	return n == 0 || db_exec(w, SQL_POLL_OPTIONS_DROP, ARGS(V_INT(poll)), &bulk, NULL, e);
}

static struct val
limit_val(const struct poll *p)
{
	return p->max_votes_allowed == 0 ? V_NULL : V_INT(p->max_votes_allowed);
}

static bool
put_poll(struct db *w, struct poll *p, int64_t now, struct err *e)
{
	p->updated_at = MAX_OF(now, p->updated_at + 1);
	return db_exec(w, SQL_POLL_REPLACE,
		ARGS(V_INT(p->no), V_TEXT(p->name), V_TEXT(p->description),
			V_TEXT(p->voting_visibility), V_INT(p->enforce_unique_vote),
			limit_val(p), V_INT(p->allow_answers),
			V_INT(p->allow_user_suggested_options), V_INT(p->is_closed),
			V_INT(p->next_option), V_INT(p->updated_at), V_TEXT(p->custom)),
		NO_BULK, NULL, e);
}

/* ---- polls ------------------------------------------------------------------------------ */

/* What the functions below hand to their transactions. */
struct change {
	struct arena *a;
	struct str id;
	const struct poll_edit *edit;
	bool full;
	int64_t by; /* the creator, of a new poll */
	const struct poll_option_edit *option;
	struct str *made;     /* id of what is new */
	struct str option_id; /* of the option to remove */
};

static bool
create_in(struct db *w, void *arg, struct err *e)
{
	struct change *c = arg;
	struct poll p = {.id = c->id, .creator = c->by, .next_option = 1};
	int64_t now = clock_now_us(), other;
	size_t ndropped = 0;
	bool taken;

	reset(&p);
	if (!merge(c->a, c->edit, &p, e))
		return false;
	merge_options(c->a, c->edit, &p, now, NULL, &ndropped);
	if (!check(&p, e) ||
		!db_get_int(w, SQL_POLL_ID_TAKEN, ARGS(V_TEXT(p.id)), &other, &taken, e))
		return false;
	if (taken)
		return fail(e, ERR_INPUT,
			"id: a poll with id %.*s exists, or did; ids of polls are not given "
			"twice",
			STR_ARG(p.id));
	return db_take(w, COUNTER_POLL, 1, &p.no, e) &&
	       db_exec(w, SQL_POLL_INSERT,
		       ARGS(V_INT(p.no), V_TEXT(p.id), V_INT(p.creator), V_TEXT(p.name),
			       V_TEXT(p.description), V_TEXT(p.voting_visibility),
			       V_INT(p.enforce_unique_vote), limit_val(&p),
			       V_INT(p.allow_answers), V_INT(p.allow_user_suggested_options),
			       V_INT(p.is_closed), V_INT(p.next_option), V_INT(now),
			       V_TEXT(p.custom)),
		       NO_BULK, NULL, e) &&
	       put_options(w, c->a, &p, e);
}

bool
poll_create(struct db *db, struct arena *a, const struct poll_edit *edit, int64_t creator,
	struct str *id, struct err *e)
{
	struct change c = {.a = a,
		.id = edit->id.n > 0 ? edit->id : make_id(a),
		.edit = edit,
		.by = creator};

	*id = c.id;
	return db_write(db, create_in, &c, e);
}

/* Who voted unseen stays unseen. */
static bool
check_visibility(
	const struct poll *before, struct poll *p, const struct poll_edit *d, struct err *e)
{
	if (!poll_is_anonymous(before) || before->votes + before->answers == 0)
		return true;
	if (d->voting_visibility.p == NULL)
		p->voting_visibility = before->voting_visibility;
	return !str_is(p->voting_visibility, "public") ||
	       fail(e, ERR_INPUT,
		       "voting_visibility: poll with id %.*s has votes that were cast "
		       "anonymously",
		       STR_ARG(p->id));
}

/* The last statement of the transaction. */
static bool
tell(struct db *w, const struct change *c, const struct poll *p, enum event_kind kind,
	int64_t now, struct err *e)
{
	struct event ev = {.kind = kind, .at = now, .uid = c->by, .object = p->no};
	struct buf b;
	struct jw jw;

	buf_init(&b, c->a, 64);
	jw_init(&jw, &b);
	jw_obj(&jw);
	jw_kstr(&jw, "poll", p->id);
	jw_end_obj(&jw);
	ev.extra = buf_view(&b);
	return event_add(w, &ev, 1, e);
}

static bool
update_in(struct db *w, void *arg, struct err *e)
{
	struct change *c = arg;
	const struct poll_edit *d = c->edit;
	int64_t now = clock_now_us(), *dropped;
	struct poll before, p;
	size_t ndropped = 0;

	if (!load_to_change(w, c->a, c->id, c->by, &before, e))
		return false;
	p = before;
	if (c->full)
		reset(&p);
	if (!merge(c->a, d, &p, e))
		return false;
	dropped = arena_array(c->a, p.noptions, sizeof(*dropped));
	if (c->full || d->has_options)
		merge_options(c->a, d, &p, now, dropped, &ndropped);
	if (!check_visibility(&before, &p, d, e) || !check(&p, e) || !put_poll(w, &p, now, e))
		return false;
	if ((c->full || d->has_options) &&
		(!drop_options(w, p.no, dropped, ndropped, e) || !put_options(w, c->a, &p, e)))
		return false;
	return tell(w, c, &p,
		p.is_closed && !before.is_closed ? EVENT_POLL_CLOSED : EVENT_POLL_UPDATED, now,
		e);
}

bool
poll_update(struct db *db, struct arena *a, struct str id, const struct poll_edit *edit,
	bool full, int64_t by, struct err *e)
{
	struct change c = {.a = a, .id = id, .edit = edit, .full = full, .by = by};

	return db_write(db, update_in, &c, e);
}

static bool
delete_in(struct db *w, void *arg, struct err *e)
{
	struct change *c = arg;
	int64_t now = clock_now_us();
	struct poll p;

	return load_to_change(w, c->a, c->id, c->by, &p, e) &&
	       db_exec(w, SQL_POLL_DELETE, ARGS(V_INT(p.no), V_INT(now)), NO_BULK, NULL, e) &&
	       tell(w, c, &p, EVENT_POLL_DELETED, now, e);
}

bool
poll_delete(struct db *db, struct arena *a, struct str id, int64_t by, struct err *e)
{
	struct change c = {.a = a, .id = id, .by = by};

	return db_write(db, delete_in, &c, e);
}

/* ---- options ---------------------------------------------------------------------------- */

static bool
fail_no_option(const struct poll *p, struct str id, struct err *e)
{
	return fail(e, ERR_NOT_FOUND, "option with id %.*s doesn't exist in poll with id %.*s",
		STR_ARG(id), STR_ARG(p->id));
}

static bool
add_option_in(struct db *w, void *arg, struct err *e)
{
	struct change *c = arg;
	int64_t now = clock_now_us();
	struct poll_option *list, *added;
	struct poll p;

	if (!poll_load(w, c->a, c->id, &p, e) ||
		(!p.allow_user_suggested_options && !may_change(&p, c->by, e)))
		return false;
	if (poll_option_find(&p, c->option->id) != NULL)
		return fail(e, ERR_INPUT, "id: option with id %.*s exists already",
			STR_ARG(c->option->id));
	list = arena_array(c->a, p.noptions + 1, sizeof(*list));
	for (size_t i = 0; i < p.noptions; i++)
		list[i] = p.options[i];
	added = &list[p.noptions];
	*added = merge_option(c->a, c->option, &p, now);
	p.options = list;
	p.noptions++;
	*c->made = added->id;
	return check_option(added, e) && check(&p, e) && put_poll(w, &p, now, e) &&
	       put_options(w, c->a, &p, e) && tell(w, c, &p, EVENT_POLL_UPDATED, now, e);
}

bool
poll_add_option(struct db *db, struct arena *a, struct str id,
	const struct poll_option_edit *option, int64_t by, struct str *option_id, struct err *e)
{
	struct change c = {.a = a, .id = id, .by = by, .option = option, .made = option_id};

	return db_write(db, add_option_in, &c, e);
}

static bool
change_option_in(struct db *w, void *arg, struct err *e)
{
	struct change *c = arg;
	int64_t now = clock_now_us();
	struct poll_option *there;
	struct poll p;

	if (!load_to_change(w, c->a, c->id, c->by, &p, e))
		return false;
	there = (struct poll_option *)poll_option_find(&p, c->option->id);
	if (there == NULL)
		return fail_no_option(&p, c->option->id, e);
	*there = merge_option(c->a, c->option, &p, now);
	return check_option(there, e) && check(&p, e) && put_poll(w, &p, now, e) &&
	       put_options(w, c->a, &p, e) && tell(w, c, &p, EVENT_POLL_UPDATED, now, e);
}

bool
poll_change_option(struct db *db, struct arena *a, struct str id,
	const struct poll_option_edit *option, int64_t by, struct err *e)
{
	struct change c = {.a = a, .id = id, .by = by, .option = option};

	return db_write(db, change_option_in, &c, e);
}

static bool
remove_option_in(struct db *w, void *arg, struct err *e)
{
	struct change *c = arg;
	const struct poll_option *there;
	int64_t now = clock_now_us();
	struct poll p;

	if (!load_to_change(w, c->a, c->id, c->by, &p, e))
		return false;
	there = poll_option_find(&p, c->option_id);
	if (there == NULL)
		return fail_no_option(&p, c->option_id, e);
	return put_poll(w, &p, now, e) && drop_options(w, p.no, &there->no, 1, e) &&
	       tell(w, c, &p, EVENT_POLL_UPDATED, now, e);
}

bool
poll_remove_option(struct db *db, struct arena *a, struct str id, struct str option_id,
	int64_t by, struct err *e)
{
	struct change c = {.a = a, .id = id, .by = by, .option_id = option_id};

	return db_write(db, remove_option_in, &c, e);
}
