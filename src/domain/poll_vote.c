/* poll_vote – votes: cast and removed. */
#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/jw.h"
#include "domain/app.h"
#include "domain/event.h"
#include "domain/poll.h"
#include "domain/poll_impl.h"
#include "store/db.h"

/* Ids of votes have the form of those of messages: another tag keeps them apart. */
#define VOTE_TAG UINT64_C(0x2a5f0c3196e7d84)

/* ---- rows and ids ----------------------------------------------------------------------- */

static struct str
wire_id(struct arena *a, const struct app *app, int64_t key)
{
	char id[ID_UUID_LEN];

	id_from_key(app->id_tag ^ VOTE_TAG, key, id);
	return arena_dup(a, (struct str){id, sizeof(id)});
}

bool
poll_vote_key(const struct app *app, struct str id, int64_t *key)
{
	return id_to_key(app->id_tag ^ VOTE_TAG, id, key);
}

bool
poll_vote_from_row(struct rows *r, struct arena *a, const struct app *app, const struct poll *p,
	struct poll_vote *out)
{
	*out = (struct poll_vote){
		.key = row_int(r, 1),
		.poll = p->no,
		.uid = row_int(r, 2),
		.option = row_int(r, 3),
		.cast_at = row_int(r, 4),
	};
	for (size_t i = 0; i < p->noptions && out->option_id.p == NULL; i++)
		if (p->options[i].no == out->option)
			out->option_id = p->options[i].id;
	if (out->option != 0 && out->option_id.p == NULL)
		return false;
	if (out->option == 0)
		out->answer = arena_dup(a, row_str(r, 5));
	out->id = wire_id(a, app, out->key);
	return true;
}

/* ---- casting ---------------------------------------------------------------------------- */

/* What the transactions below are given. */
struct voting {
	struct arena *a;
	const struct app *app;
	struct str id; /* of the poll */
	const struct poll_choice *choice;
	struct str vote_id;
	const struct poll_carrier *in;
	int64_t uid; /* who votes; who removes, or 0 */
	struct poll_vote *out;
	enum event_kind *became; /* 0: nothing has changed */
};

/* A vote that is there is read when it is told; of one that is gone the event says what it was.
 */
static struct str
describe(const struct voting *v)
{
	const struct poll_vote *vote = v->out;
	struct buf b;
	struct jw w;

	buf_init(&b, v->a, 128);
	jw_init(&w, &b);
	jw_obj(&w);
	jw_kstr(&w, "poll", v->id);
	jw_kstr(&w, "vote", vote->id);
	if (*v->became == EVENT_VOTE_REMOVED && vote->option_id.p != NULL)
		jw_kstr(&w, "option", vote->option_id);
	else if (*v->became == EVENT_VOTE_REMOVED)
		jw_kstr(&w, "answer", vote->answer);
	jw_end_obj(&w);
	return buf_view(&b);
}

static bool
tell(struct db *w, const struct voting *v, struct err *e)
{
	struct event ev = {.kind = *v->became, .at = clock_now_us(), .uid = v->out->uid};

	if (*v->became == 0 || v->in == NULL)
		return true;
	ev.channel = v->in->channel;
	ev.object = v->in->message;
	ev.extra = describe(v);
	return event_add(w, &ev, 1, e);
}

static bool
load_open(struct db *w, const struct voting *v, struct poll *p, struct err *e)
{
	if (!poll_load(w, v->a, v->id, p, e))
		return false;
	return !p->is_closed ||
	       fail(e, ERR_INPUT, "poll with id %.*s is closed for votes", STR_ARG(p->id));
}

/* Moves the number of votes for an option, or of answers. */
static bool
count(struct db *w, const struct poll *p, int64_t option, int64_t by, struct err *e)
{
	if (option == 0)
		return db_exec(w, SQL_POLL_COUNT_ANSWER, ARGS(V_INT(p->no), V_INT(by)), NO_BULK,
			NULL, e);
	return db_exec(w, SQL_POLL_COUNT_VOTE, ARGS(V_INT(p->no), V_INT(option), V_INT(by)),
		NO_BULK, NULL, e);
}

static bool
insert(struct db *w, const struct voting *v, const struct poll *p, struct err *e)
{
	struct poll_vote *vote = v->out;

	if (!db_take(w, COUNTER_VOTE, 1, &vote->key, e))
		return false;
	vote->id = wire_id(v->a, v->app, vote->key);
	*v->became = EVENT_VOTE_CAST;
	return db_exec(w, SQL_POLL_VOTE_INSERT,
		       ARGS(V_INT(vote->key), V_INT(p->no), V_INT(vote->uid),
			       V_INT(vote->option), V_INT(vote->cast_at), V_TEXT(vote->answer)),
		       NO_BULK, NULL, e) &&
	       count(w, p, vote->option, 1, e);
}

/* The vote takes the place of ${old}, and its key. */
static bool
replace(struct db *w, const struct voting *v, const struct poll *p, const struct poll_vote *old,
	struct err *e)
{
	struct poll_vote *vote = v->out;

	vote->key = old->key;
	vote->id = old->id;
	*v->became = EVENT_VOTE_CHANGED;
	if (!db_exec(w, SQL_POLL_VOTE_CHANGE,
		    ARGS(V_INT(vote->key), V_INT(p->no), V_INT(vote->option),
			    V_INT(vote->cast_at), V_TEXT(vote->answer)),
		    NO_BULK, NULL, e))
		return false;
	return old->option == vote->option ||
	       (count(w, p, old->option, -1, e) && count(w, p, vote->option, 1, e));
}

static bool
drop(struct db *w, const struct poll *p, const struct poll_vote *vote, struct err *e)
{
	return db_exec(w, SQL_POLL_VOTE_DELETE, ARGS(V_INT(vote->key), V_INT(p->no)), NO_BULK,
		       NULL, e) &&
	       count(w, p, vote->option, -1, e);
}

static bool
cast_answer(struct db *w, const struct voting *v, const struct poll *p, struct err *e)
{
	struct str text = v->choice->answer;

	if (!p->allow_answers)
		return fail(e, ERR_INPUT,
			"vote.answer_text: poll with id %.*s takes no answers", STR_ARG(p->id));
	if (text.n == 0 || str_utf8_len(text) > POLL_MAX_TEXT)
		return fail(e, ERR_INPUT, "vote.answer_text: expected 1 to %d characters",
			POLL_MAX_TEXT);
	v->out->answer = text;
	for (size_t i = 0; i < p->own.n; i++)
		if (p->own.v[i].option == 0)
			return replace(w, v, p, &p->own.v[i], e);
	return insert(w, v, p, e);
}

/* Only one vote is left where votes are unique, though more may have been cast before they
 * were made so: the one for the same option, or the oldest. */
static bool
cast_unique(struct db *w, const struct voting *v, const struct poll *p, struct err *e)
{
	const struct poll_vote *kept = NULL, *own = p->own.v;

	for (size_t i = 0; i < p->own.n; i++)
		if (own[i].option != 0 && (kept == NULL || own[i].option == v->out->option))
			kept = &own[i];
	if (kept == NULL)
		return insert(w, v, p, e);
	for (size_t i = 0; i < p->own.n; i++)
		if (own[i].option != 0 && &own[i] != kept && !drop(w, p, &own[i], e))
			return false;
	if (kept->option != v->out->option)
		return replace(w, v, p, kept, e);
	*v->out = *kept;
	return true;
}

static bool
cast_vote(struct db *w, const struct voting *v, const struct poll *p, struct err *e)
{
	const struct poll_option *option = poll_option_find(p, v->choice->option_id);
	int64_t votes = 0;

	if (option == NULL)
		return fail(e, ERR_NOT_FOUND,
			"vote.option_id: option with id %.*s doesn't exist in poll with id "
			"%.*s",
			STR_ARG(v->choice->option_id), STR_ARG(p->id));
	v->out->option = option->no;
	v->out->option_id = option->id;
	if (p->enforce_unique_vote)
		return cast_unique(w, v, p, e);
	for (size_t i = 0; i < p->own.n; i++) {
		if (p->own.v[i].option == option->no) {
			*v->out = p->own.v[i];
			return true;
		}
		votes += p->own.v[i].option != 0;
	}
	if (p->max_votes_allowed != 0 && votes >= p->max_votes_allowed)
		return fail(e, ERR_INPUT,
			"vote: the user has %lld votes in poll with id %.*s, which allows %lld",
			(long long)votes, STR_ARG(p->id), (long long)p->max_votes_allowed);
	return insert(w, v, p, e);
}

static bool
cast_in(struct db *w, void *arg, struct err *e)
{
	const struct voting *v = arg;
	struct poll p;

	if (!load_open(w, v, &p, e) || !poll_load_own(w, v->a, v->app, &p, 1, v->uid, e))
		return false;
	*v->out = (struct poll_vote){.poll = p.no, .uid = v->uid, .cast_at = clock_now_us()};
	*v->became = 0;
	return (v->choice->answer.p != NULL ? cast_answer(w, v, &p, e)
					    : cast_vote(w, v, &p, e)) &&
	       tell(w, v, e);
}

bool
poll_cast_vote(struct db *db, struct arena *a, const struct app *app, struct str id,
	const struct poll_choice *choice, const struct poll_carrier *in, int64_t uid,
	struct poll_vote *out, struct err *e)
{
	enum event_kind became;
	struct voting v = {.a = a,
		.app = app,
		.id = id,
		.choice = choice,
		.in = in,
		.uid = uid,
		.out = out,
		.became = &became};

	return db_write(db, cast_in, &v, e);
}

/* ---- removing --------------------------------------------------------------------------- */

static bool
find_vote(
	struct db *w, const struct voting *v, const struct poll *p, bool *found, struct err *e)
{
	struct rows r;
	int64_t key;

	*found = false;
	if (!poll_vote_key(v->app, v->vote_id, &key))
		return true;
	if (!db_query(w, SQL_POLL_VOTE_BY_KEY, ARGS(V_INT(key), V_INT(p->no)), NO_BULK, &r, e))
		return false;
	if (rows_next(&r))
		*found = poll_vote_from_row(&r, v->a, v->app, p, v->out);
	return rows_end(&r, e);
}

static bool
remove_in(struct db *w, void *arg, struct err *e)
{
	const struct voting *v = arg;
	struct poll p;
	bool found;

	if (!load_open(w, v, &p, e) || !find_vote(w, v, &p, &found, e))
		return false;
	if (!found)
		return fail(e, ERR_NOT_FOUND,
			"vote with id %.*s doesn't exist in poll with id %.*s",
			STR_ARG(v->vote_id), STR_ARG(p.id));
	if (v->uid != 0 && v->uid != v->out->uid)
		return fail(e, ERR_DENIED, "vote with id %.*s was cast by another user",
			STR_ARG(v->vote_id));
	*v->became = EVENT_VOTE_REMOVED;
	return drop(w, &p, v->out, e) && tell(w, v, e);
}

bool
poll_remove_vote(struct db *db, struct arena *a, const struct app *app, struct str id,
	struct str vote_id, const struct poll_carrier *in, int64_t by, struct poll_vote *out,
	struct err *e)
{
	enum event_kind became;
	struct voting v = {.a = a,
		.app = app,
		.id = id,
		.vote_id = vote_id,
		.in = in,
		.uid = by,
		.out = out,
		.became = &became};

	return db_write(db, remove_in, &v, e);
}
