/* poll_wire – polls, options and votes as clients read them. */
#include "api/poll_wire.h"

#include "api/chat_wire.h"
#include "api/req.h"
#include "api/wire.h"
#include "domain/poll.h"
#include "domain/user.h"

static const char *const poll_keys[] = {"id", "name", "description", "voting_visibility",
	"enforce_unique_vote", "max_votes_allowed", "allow_user_suggested_options",
	"allow_answers", "is_closed", "vote_count", "answers_count", "options",
	"vote_counts_by_option", "latest_votes_by_option", "latest_answers", "own_votes",
	"created_by_id", "created_by", "created_at", "updated_at"};

static const char *const option_keys[] = {
	"id", "text", "poll_id", "position", "vote_count", "created_at", "updated_at"};

void
poll_wire_note_vote(
	struct chat_people *people, const struct poll *p, const struct poll_vote *vote)
{
	if (!poll_is_anonymous(p))
		chat_people_add(people, vote->uid);
}

void
poll_wire_note(struct chat_people *people, const struct poll *p)
{
	chat_people_add(people, p->creator);
	for (size_t i = 0; i < p->latest.n; i++)
		poll_wire_note_vote(people, p, &p->latest.v[i]);
	for (size_t i = 0; i < p->own.n; i++)
		poll_wire_note_vote(people, p, &p->own.v[i]);
}

static void
write_user(struct req *r, const char *id_key, const char *key, int64_t uid,
	const struct chat_people *people)
{
	const struct user *u = chat_people_find(people, uid);

	if (u == NULL)
		return;
	jw_kstr(&r->w, id_key, u->id);
	jw_name(&r->w, str_of(key));
	wire_user(r, u);
}

/* The clients of v1 tell answers by their text; those of v2 expect an option_id always. */
void
poll_wire_vote(struct req *r, const struct poll *p, const struct poll_vote *vote,
	const struct chat_people *people)
{
	bool is_answer = vote->option == 0;

	jw_obj(&r->w);
	jw_kstr(&r->w, "id", vote->id);
	jw_kstr(&r->w, "poll_id", p->id);
	if (!is_answer || r->dialect == DIALECT_V2)
		jw_kstr(&r->w, "option_id", is_answer ? STR("") : vote->option_id);
	if (is_answer)
		jw_kstr(&r->w, "answer_text", vote->answer);
	jw_kbool(&r->w, "is_answer", is_answer);
	if (!poll_is_anonymous(p))
		write_user(r, "user_id", "user", vote->uid, people);
	req_ktime(r, "created_at", vote->cast_at);
	req_ktime(r, "updated_at", vote->cast_at);
	jw_end_obj(&r->w);
}

void
poll_wire_option(struct req *r, const struct poll *p, const struct poll_option *o)
{
	jw_obj(&r->w);
	jw_kstr(&r->w, "id", o->id);
	jw_kstr(&r->w, "text", o->text);
	if (r->dialect == DIALECT_V1) {
		jw_kstr(&r->w, "poll_id", p->id);
		jw_ki64(&r->w, "position", o - p->options);
		jw_ki64(&r->w, "vote_count", o->votes);
		req_ktime(r, "created_at", o->created_at);
		req_ktime(r, "updated_at", o->updated_at);
	}
	chat_write_custom(r, o->custom, option_keys, ARRAY_LEN(option_keys));
	jw_end_obj(&r->w);
}

/* Options nobody voted for are left out: clients take whatever has the most votes for the
 * winners, even if that is none. */
static void
write_counts(struct req *r, const struct poll *p)
{
	jw_ki64(&r->w, "vote_count", p->votes);
	jw_ki64(&r->w, "answers_count", p->answers);
	jw_kobj(&r->w, "vote_counts_by_option");
	for (size_t i = 0; i < p->noptions; i++) {
		if (p->options[i].votes == 0)
			continue;
		jw_key(&r->w, p->options[i].id);
		jw_i64(&r->w, p->options[i].votes);
	}
	jw_end_obj(&r->w);
}

/* p->latest has the votes of one option in a row, answers last. */
static void
write_latest(struct req *r, const struct poll *p, const struct chat_people *people)
{
	const struct poll_vote *vote = p->latest.v, *end = vote + p->latest.n;

	jw_kobj(&r->w, "latest_votes_by_option");
	while (vote < end && vote->option != 0) {
		int64_t option = vote->option;

		jw_key(&r->w, vote->option_id);
		jw_arr(&r->w);
		for (; vote < end && vote->option == option; vote++)
			poll_wire_vote(r, p, vote, people);
		jw_end_arr(&r->w);
	}
	jw_end_obj(&r->w);
	jw_karr(&r->w, "latest_answers");
	for (; vote < end; vote++)
		poll_wire_vote(r, p, vote, people);
	jw_end_arr(&r->w);
}

static void
write_settings(struct req *r, const struct poll *p)
{
	jw_kstr(&r->w, "id", p->id);
	jw_kstr(&r->w, "name", p->name);
	jw_kstr(&r->w, "description", p->description);
	jw_kstr(&r->w, "voting_visibility", p->voting_visibility);
	jw_kbool(&r->w, "enforce_unique_vote", p->enforce_unique_vote);
	if (p->max_votes_allowed != 0)
		jw_ki64(&r->w, "max_votes_allowed", p->max_votes_allowed);
	else if (r->dialect == DIALECT_V1)
		jw_knull(&r->w, "max_votes_allowed");
	jw_kbool(&r->w, "allow_user_suggested_options", p->allow_user_suggested_options);
	jw_kbool(&r->w, "allow_answers", p->allow_answers);
	jw_kbool(&r->w, "is_closed", p->is_closed);
}

void
poll_wire(struct req *r, const struct poll *p, const struct chat_people *people)
{
	jw_obj(&r->w);
	write_settings(r, p);
	jw_karr(&r->w, "options");
	for (size_t i = 0; i < p->noptions; i++)
		poll_wire_option(r, p, &p->options[i]);
	jw_end_arr(&r->w);
	write_counts(r, p);
	write_latest(r, p, people);
	jw_karr(&r->w, "own_votes");
	for (size_t i = 0; i < p->own.n; i++)
		poll_wire_vote(r, p, &p->own.v[i], people);
	jw_end_arr(&r->w);
	write_user(r, "created_by_id", "created_by", p->creator, people);
	req_ktime(r, "created_at", p->created_at);
	req_ktime(r, "updated_at", p->updated_at);
	chat_write_custom(r, p->custom, poll_keys, ARRAY_LEN(poll_keys));
	jw_end_obj(&r->w);
}
