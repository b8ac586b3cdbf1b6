/* sending – loads and compiles a campaign for a worker. */
#include "engine/sending.h"

#include "base/err.h"
#include "domain/channel_type.h"
#include "store/db.h"

static bool
load_members(struct sending *s, struct db *db, struct err *e)
{
	const struct content *t = &s->content;
	struct str *ids = arena_array(&s->arena, t->nmembers, sizeof(*ids));
	int64_t *uids = arena_array(&s->arena, t->nmembers + 1, sizeof(*uids));

	for (size_t i = 0; i < t->nmembers; i++)
		ids[i] = t->members[i].user_id;
	s->members = arena_array(&s->arena, t->nmembers + 1, sizeof(*s->members));
	s->member_specs = arena_array(&s->arena, t->nmembers + 1, sizeof(*s->member_specs));
	s->nmembers = 0;
	if (!user_resolve(db, &s->arena, ids, t->nmembers, uids, e))
		return false;
	for (size_t i = 0; i < t->nmembers; i++) {
		if (uids[i] == 0)
			continue;
		s->member_specs[s->nmembers] = t->members[i];
		s->members[s->nmembers++] = uids[i];
	}
	if (!str_is(s->campaign.sender_mode, "exclude")) {
		s->member_specs[s->nmembers] = (struct content_member){0};
		s->members[s->nmembers++] = s->sender.uid;
	}
	return true;
}

static bool
load_max_chars(struct sending *s, struct db *db, struct err *e)
{
	struct channel_type type;

	if (!channel_type_get(db, &s->arena, s->content.channel_type, &type, e))
		return false;
	s->max_chars = (size_t)channel_type_max_message(&type);
	return true;
}

bool
sending_load(struct sending *s, struct db *db, int64_t no, struct err *e)
{
	*s = (struct sending){0};
	arena_init(&s->arena, 16384, SIZE_MAX);
	if (campaign_by_no(db, &s->arena, no, &s->campaign, e) &&
		user_by_uid(db, &s->arena, s->campaign.sender, &s->sender, e) &&
		content_compile(&s->arena, s->campaign.message_template,
			s->campaign.channel_template, &s->content, e) &&
		load_members(s, db, e) && load_max_chars(s, db, e))
		return true;
	sending_fini(s);
	return false;
}

void
sending_fini(struct sending *s)
{
	arena_fini(&s->arena);
	*s = (struct sending){0};
}

bool
sending_refresh(struct sending *s, struct db *db, struct arena *a, struct err *e)
{
	s->form = (struct form){0};
	s->meetings = NULL;
	s->nmeetings = 0;
	if (s->campaign.form == 0)
		return true;
	return form_get(db, a, s->campaign.form, &s->form, e) &&
	       form_meetings(db, a, &s->form, &s->meetings, &s->nmeetings, e);
}

bool
sending_must_find(const struct sending *s, int64_t uid)
{
	size_t lo = 0, hi = s->nmeetings;

	if (s->form.shadowed)
		return true;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->meetings[mid] < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->nmeetings && s->meetings[lo] == uid;
}
