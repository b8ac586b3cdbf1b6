/* before_send – asking the app's owner, and taking the answer. */
#include "api/before_send.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "api/cause.h"
#include "api/chat_wire.h"
#include "api/messages.h"
#include "api/req.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/id.h"
#include "base/log.h"
#include "courier/seal.h"
#include "domain/settings.h"
#include "net/fetch.h"
#include "store/db.h"

#define TIMEOUT_MS 1500
/* Of an answer: a message and what surrounds it. */
#define ANSWER_MAX ((size_t)64 * 1024)
/* What goes wrong is logged so often. */
#define LOG_EVERY_US 10000000
/* After so many calls in a row without an answer nobody is asked for so long. */
#define SILENCES_MAX 5
#define PAUSE_US     10000000

struct before_send {
	const struct guard *guard;
	size_t nthreads;
	_Atomic size_t waiting;
	_Atomic int silences;       /* calls in a row without an answer */
	_Atomic int64_t paused_to;  /* monotonic */
	_Atomic int64_t logged_at;  /* the same */
	struct fetcher *fetchers[]; /* each by its thread; NULL: nothing was asked yet */
};

/* ---- what is said ----------------------------------------------------------------------- */

/* The message as it would be sent. */
static struct message
preview(const struct channel *c, const struct message_draft *d)
{
	int64_t now = clock_now_us();

	return (struct message){
		.channel = c->no,
		.id = d->id,
		.text = d->text,
		.author = d->author,
		.type = d->type.p != NULL ? d->type : STR("regular"),
		.attachments = d->attachments,
		.custom = d->custom,
		.parent_id = d->parent_id,
		.poll_id = d->poll_id,
		.silent = d->silent,
		.mentioned = (int64_t *)(uintptr_t)d->mentioned,
		.nmentioned = d->nmentioned,
		.created_at = now,
		.updated_at = now,
		.deleted_at = NO_TIME,
	};
}

/* ${q}: a request like ours whose answer is the question. */
static bool
write_question(struct req *q, struct req *r, const struct channel *c, const struct message *m,
	struct err *e)
{
	const struct chat_limits limits = {.members = 1};
	struct chat_people people;
	struct chat_state state;

	chat_people_init(&people, q);
	if (!chat_load(q, c, &limits, 0, &people, &state, e))
		return false;
	chat_note_message(&people, m);
	if (!chat_people_load(&people, q, e))
		return false;
	buf_init(&q->out, q->arena, 4096);
	jw_init(&q->w, &q->out);
	jw_obj(&q->w);
	jw_name(&q->w, STR("message"));
	chat_write_message(q, m, &state, &people, false);
	chat_write_user(q, "user", m->author, &people);
	jw_name(&q->w, STR("channel"));
	chat_write_channel(q, &state, &people);
	jw_kraw(&q->w, "request_info", cause_text(r));
	jw_end_obj(&q->w);
	return arena_check(q->arena, e);
}

/* ---- the call --------------------------------------------------------------------------- */

static void
complain(struct before_send *b, const char *why)
{
	int64_t now = clock_mono_us(), last = atomic_load(&b->logged_at);

	if ((last == 0 || now - last > LOG_EVERY_US) &&
		atomic_compare_exchange_strong(&b->logged_at, &last, now))
		log_warn("before_message_send_hook: messages pass unasked: %s", why);
}

/* One call more shows, after the pause, whether it answers again. */
static void
note_silence(struct before_send *b)
{
	if (atomic_fetch_add(&b->silences, 1) + 1 < SILENCES_MAX)
		return;
	atomic_store(&b->silences, SILENCES_MAX - 1);
	atomic_store(&b->paused_to, clock_mono_us() + PAUSE_US);
}

static struct fetcher *
fetcher_of(struct before_send *b, unsigned thread, int timeout_ms)
{
	const struct fetcher_opts opts = {.guard = b->guard, .connect_timeout_ms = timeout_ms};
	struct err e;

	if (b->fetchers[thread] == NULL && !fetcher_new(&b->fetchers[thread], &opts, &e)) {
		complain(b, e.msg);
		b->fetchers[thread] = NULL;
	}
	return b->fetchers[thread];
}

/* The body of the answer; p == NULL: none that counts. */
static struct str
call(struct before_send *b, struct req *r, const char *url, int timeout_ms, struct str body)
{
	struct fetcher *f = fetcher_of(b, r->thread, timeout_ms);
	struct fetch fetch = {.method = "POST",
		.url = url,
		.body = body,
		.timeout_ms = timeout_ms,
		.room = arena_alloc(r->arena, ANSWER_MAX),
		.room_max = ANSWER_MAX};
	char id[ID_UUID_LEN];
	struct seal *seal;

	if (f == NULL)
		return STR_NONE;
	id_uuid4(id);
	seal = seal_new(r->ctx->app);
	seal_headers(seal, r->arena, (struct str){id, sizeof(id)}, body, 1, fetch.headers);
	seal_free(seal);
	fetch_begin(f, &fetch);
	if (fetcher_next(f, timeout_ms + 1000) == NULL) {
		/* It must not write to what is ours any more. */
		fetcher_free(f);
		b->fetchers[r->thread] = NULL;
		complain(b, "no end of a call");
		return STR_NONE;
	}
	if (fetch.end != FETCH_ANSWERED) {
		complain(b, fetch.why);
		note_silence(b);
		return STR_NONE;
	}
	atomic_store(&b->silences, 0);
	if (fetch.status < 200 || fetch.status >= 300) {
		complain(b, "it does not answer 200");
		return STR_NONE;
	}
	return fetch.reply;
}

static bool
may_wait(struct before_send *b)
{
	if (clock_mono_us() < atomic_load(&b->paused_to))
		return false;
	if (atomic_fetch_add(&b->waiting, 1) < MAX_OF(b->nthreads / 2, (size_t)1))
		return true;
	atomic_fetch_sub(&b->waiting, 1);
	complain(b, "half of the threads wait for it");
	return false;
}

/* ---- the answer ------------------------------------------------------------------------- */

/* {"message": {…}}: what it names is changed; one of type "error" is a refusal. */
static bool
take_answer(struct req *q, struct str answer, const struct channel *c,
	struct message_draft *draft, bool *refused, struct message *refusal, struct err *e)
{
	struct message_draft amended = *draft;
	json_t *tree, *obj;

	if (answer.n == 0)
		return true;
	if (!jr_parse(q->arena, answer, &tree, e))
		return false;
	obj = json_object_get(tree, "message");
	if (!json_is_object(obj))
		return true;
	*refused = str_is(jr_text(json_object_get(obj, "type")), "error");
	if (*refused) {
		*refusal = preview(c, draft);
		refusal->type = STR("error");
		refusal->text = STR("");
		if (json_is_string(json_object_get(obj, "text")))
			refusal->text = jr_text(json_object_get(obj, "text"));
		return true;
	}
	if (!messages_amend(q, obj, &amended, e))
		return false;
	*draft = amended;
	return true;
}

static const char *
url_of(const struct req *r)
{
	const json_t *all = r->settings != NULL ? r->settings->all : NULL;
	struct str url = jr_text(settings_of(all, "before_message_send_hook_url"));

	return url.n > 0 ? arena_dup(r->arena, url).p : NULL;
}

static int
timeout_of(const struct req *r)
{
	json_int_t ms = json_integer_value(
		settings_of(r->settings->all, "before_message_send_hook_attempt_timeout_ms"));

	return ms > 0 ? (int)ms : TIMEOUT_MS;
}

bool
before_send_ask(struct req *r, const struct channel *c, struct message_draft *draft,
	bool *refused, struct message *refusal, struct err *e)
{
	struct before_send *b = r->ctx->before_send;
	const char *url = b != NULL ? url_of(r) : NULL;
	struct req q = *r;
	struct message m;
	struct str answer;
	struct err bad;

	*refused = false;
	if (url == NULL || !may_wait(b))
		return true;
	q.dialect =
		strcmp(r->ctx->config->webhook_dialect, "v2") == 0 ? DIALECT_V2 : DIALECT_V1;
	q.user_id = STR_NONE;
	/* What is asked for has the name that it will have. */
	if (draft->id.p == NULL) {
		char id[ID_UUID_LEN];

		id_uuid4(id);
		draft->id = arena_dup(r->arena, (struct str){id, sizeof(id)});
	}
	m = preview(c, draft);
	if (!write_question(&q, r, c, &m, e)) {
		atomic_fetch_sub(&b->waiting, 1);
		return false;
	}
	answer = call(b, r, url, timeout_of(r), buf_view(&q.out));
	atomic_fetch_sub(&b->waiting, 1);
	/* The time that was waited is not the store's. */
	db_set_deadline(r->db, clock_mono_us() + REQ_QUERY_MAX_US);
	if (!take_answer(&q, answer, c, draft, refused, refusal, &bad))
		complain(b, bad.msg);
	return true;
}

/* ---- life ------------------------------------------------------------------------------- */

struct before_send *
before_send_new(const struct guard *guard, size_t threads)
{
	struct before_send *b = calloc(1, sizeof(*b) + threads * sizeof(b->fetchers[0]));

	if (b == NULL)
		panic("out of memory");
	b->guard = guard;
	b->nthreads = threads;
	return b;
}

void
before_send_free(struct before_send *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->nthreads; i++)
		fetcher_free(b->fetchers[i]);
	free(b);
}
