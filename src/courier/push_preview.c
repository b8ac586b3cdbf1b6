/* push_preview – what a push would say, for who sets it up. */
#include "base/arena.h"
#include "base/err.h"
#include "courier/push.h"
#include "courier/push_impl.h"
#include "domain/push_route.h"
#include "domain/route.h"
#include "domain/settings.h"

#define MEMBERS_MAX 100

/* What a message is about, as far as it is known. */
struct example {
	struct message message;
	struct channel channel;
	struct user sender;
	struct unread unread;
	struct user *members;
	size_t nmembers;
};

static void
make_up(const struct user *receiver, struct example *x)
{
	x->message = (struct message){.id = STR("an-example"),
		.text = STR("Hello, this is an example."),
		.type = STR("regular"),
		.author = receiver->uid,
		.deleted_at = NO_TIME};
	x->channel = (struct channel){.type = STR("messaging"),
		.id = STR("an-example"),
		.cid = STR("messaging:an-example")};
	x->sender = *receiver;
	x->members = &x->sender;
	x->nmembers = 1;
}

static bool
load_members(struct db *db, struct arena *a, struct example *x, struct err *e)
{
	struct member *members;
	struct user *users;
	int64_t total, *uids;
	size_t n;

	if (!channel_members(db, a, &x->channel, MEMBERS_MAX, &members, &n, &total, e))
		return false;
	uids = arena_array(a, n + 1, sizeof(*uids));
	for (size_t i = 0; i < n; i++)
		uids[i] = members[i].uid;
	if (!user_by_uids(db, a, uids, n, &users, e))
		return false;
	x->members = users;
	x->nmembers = n;
	return true;
}

static bool
load(struct db *db, struct arena *a, const struct push_question *q, struct example *x,
	struct err *e)
{
	bool found = false;

	*x = (struct example){0};
	if (!unread_of_users(db, a, &q->receiver->uid, 1, &x->unread, e))
		return false;
	if (q->message == NULL) {
		make_up(q->receiver, x);
		return true;
	}
	x->message = *q->message;
	if (!channel_by_no(db, a, x->message.channel, &x->channel, &found, e))
		return false;
	if (!found)
		return fail(e, ERR_NOT_FOUND, "message with id %.*s doesn't exist",
			STR_ARG(x->message.id));
	return channel_complete(db, a, &x->channel, 1, e) &&
	       user_by_uid(db, a, x->message.author, &x->sender, e) &&
	       load_members(db, a, x, e);
}

/* They were checked before. */
static void
replace(struct arena *a, struct str text, const struct push_template **at)
{
	struct err ignored;

	if (text.p != NULL && !push_template_compile(a, text, "template", at, &ignored))
		*at = NULL;
}

static struct str
body_of(struct arena *a, const struct push_question *q, const struct push_sender *sender,
	const struct example *x)
{
	const struct push_scene scene = {.message = &x->message,
		.channel = &x->channel,
		.sender = &x->sender,
		.receiver = q->receiver,
		.unread = &x->unread,
		.members = x->members,
		.nmembers = x->nmembers};
	struct push_sender s = *sender;

	if (s.service == PUSH_APN && q->apn_template.p != NULL) {
		s.whole = NULL;
		replace(a, q->apn_template, &s.apn);
	}
	if (s.service == PUSH_FIREBASE &&
		(q->firebase_template.p != NULL || q->firebase_data_template.p != NULL)) {
		s.whole = NULL;
		replace(a, q->firebase_template, &s.notification);
		replace(a, q->firebase_data_template, &s.data);
	}
	return push_body(a, &s, &scene, STR("…"));
}

bool
push_preview(struct db *db, struct arena *a, const struct push_question *q,
	struct push_answer **out, size_t *n, struct err *e)
{
	struct push_sender *senders;
	struct out_route *routes;
	struct settings settings;
	struct example x;
	size_t nroutes;

	if (!settings_load(db, a, &settings, e) ||
		!push_routes(db, a, settings.all, &routes, &nroutes, e) ||
		!push_senders_load(db, a, settings.all, routes, nroutes, &senders, e) ||
		!load(db, a, q, &x, e))
		return false;
	*out = arena_array(a, nroutes + 1, sizeof(**out));
	*n = 0;
	for (size_t i = 0; i < nroutes; i++) {
		const struct push_sender *s = &senders[i];

		if ((q->type.p != NULL && !str_eq(s->type, q->type)) ||
			(q->name.p != NULL && !str_eq(s->name, q->name)))
			continue;
		(*out)[(*n)++] = (struct push_answer){
			.type = s->type,
			.name = s->name,
			.trouble = routes[i].is_off ? STR("it is disabled") : s->trouble,
			.body = body_of(a, q, s, &x),
		};
	}
	return true;
}
