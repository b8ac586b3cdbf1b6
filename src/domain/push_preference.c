/* push_preference – rows of push_preferences. */
#include "domain/push_preference.h"

#include <jansson.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/jscan.h"
#include "store/db.h"

static const char *const words[] = {[PUSH_LEVEL_ALL] = "all",
	[PUSH_LEVEL_MENTIONS] = "mentions",
	[PUSH_LEVEL_DIRECT_MENTIONS] = "direct_mentions",
	[PUSH_LEVEL_ALL_MENTIONS] = "all_mentions",
	[PUSH_LEVEL_NONE] = "none"};

struct str
push_level_word(enum push_level level)
{
	return str_of(words[level]);
}

bool
push_level_read(struct str word, enum push_level *out)
{
	*out = PUSH_LEVEL_UNSET;
	for (size_t i = PUSH_LEVEL_ALL; i < ARRAY_LEN(words); i++)
		if (str_eq(word, str_of(words[i])))
			*out = (enum push_level)i;
	return *out != PUSH_LEVEL_UNSET || str_is(word, "default");
}

static struct push_preference
from_row(struct rows *r, struct arena *a)
{
	return (struct push_preference){
		.channel = row_int(r, 1),
		.level = (enum push_level)row_int(r, 2),
		.disabled_until = row_time(r, 3),
		.extra = row_null(r, 4) ? STR_NONE : arena_dup(a, row_str(r, 4)),
	};
}

/* ---- changes --------------------------------------------------------------------------- */

struct change {
	struct arena *arena;
	const struct push_preference_edit *edits;
	size_t n;
	struct push_preference *out;
};

/* What is stored of each, before the change. */
static bool
load(struct db *w, const struct change *c, struct err *e)
{
	int64_t *uids = arena_array(c->arena, c->n + 1, sizeof(*uids));
	int64_t *channels = arena_array(c->arena, c->n + 1, sizeof(*channels));
	struct col cols[] = {COL_INTS(uids), COL_INTS(channels)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), c->n};
	struct rows r;

	for (size_t i = 0; i < c->n; i++) {
		uids[i] = c->edits[i].uid;
		channels[i] = c->edits[i].channel;
		c->out[i] = (struct push_preference){.disabled_until = NO_TIME};
	}
	if (!db_query(w, SQL_PUSH_PREFERENCE_GET, NO_ARGS, &bulk, &r, e))
		return false;
	while (rows_next(&r)) {
		size_t i = (size_t)row_int(&r, 0);
		struct push_preference p = from_row(&r, c->arena);

		if (p.channel == channels[i])
			c->out[i] = p;
	}
	for (size_t i = 0; i < c->n; i++) {
		c->out[i].uid = uids[i];
		c->out[i].channel = channels[i];
	}
	return rows_end(&r, e);
}

static bool
merge_extra(struct arena *a, struct str with, struct str *extra, struct err *e)
{
	json_t *old, *new;

	if (with.p == NULL)
		return true;
	if (extra->p == NULL) {
		*extra = with;
		return true;
	}
	if (!jr_parse(a, *extra, &old, e) || !jr_parse(a, with, &new, e))
		return false;
	json_object_update(old, new);
	*extra = jr_dump(a, old);
	return true;
}

static bool
store(struct db *w, const struct change *c, struct err *e)
{
	size_t n = 0;
	int64_t *v = arena_array(c->arena, 4 * (c->n + 1), sizeof(*v));
	int64_t *uid = v, *channel = v + c->n, *level = channel + c->n, *until = level + c->n;
	struct str *extra = arena_array(c->arena, c->n + 1, sizeof(*extra));
	struct col cols[] = {COL_INTS(uid), COL_INTS(channel), COL_INTS(level), COL_INTS(until),
		COL_TEXTS(extra)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), 0};

	for (size_t i = 0; i < c->n; i++) {
		const struct push_preference *p = &c->out[i];
		bool again = false;

		for (size_t k = i + 1; k < c->n; k++)
			again = again ||
				(c->out[k].uid == p->uid && c->out[k].channel == p->channel);
		if (again)
			continue;
		uid[n] = p->uid;
		channel[n] = p->channel;
		level[n] = p->level;
		until[n] = p->disabled_until == NO_TIME ? COL_NULL : p->disabled_until;
		extra[n++] = p->extra;
	}
	bulk.nrows = n;
	return db_exec(w, SQL_PUSH_PREFERENCE_PUT, NO_ARGS, &bulk, NULL, e);
}

static bool
change_in(struct db *w, void *arg, struct err *e)
{
	const struct change *c = arg;

	if (!load(w, c, e))
		return false;
	for (size_t i = 0; i < c->n; i++) {
		const struct push_preference_edit *edit = &c->edits[i];
		struct push_preference *p = &c->out[i];

		for (size_t k = i; k-- > 0;)
			if (c->out[k].uid == p->uid && c->out[k].channel == p->channel) {
				*p = c->out[k];
				break;
			}
		if (edit->has_level)
			p->level = edit->level;
		if (edit->has_until)
			p->disabled_until = edit->disabled_until;
		if (!merge_extra(c->arena, edit->extra, &p->extra, e))
			return false;
	}
	return store(w, c, e);
}

bool
push_preference_change(struct db *db, struct arena *a, const struct push_preference_edit *edits,
	size_t n, struct push_preference *out, struct err *e)
{
	struct change c = {a, edits, n, out};

	return n == 0 || db_write(db, change_in, &c, e);
}

/* ---- asking ---------------------------------------------------------------------------- */

/* "all" or "none" of a finer preference; −1: it says nothing. */
static int
finer(const struct push_preference *p, const char *name)
{
	struct str keys[] = {STR("chat_preferences"), str_of(name)};
	struct jscan_value v;

	if (p->extra.p == NULL)
		return -1;
	v = jscan_path(p->extra, keys, ARRAY_LEN(keys));
	return v.type == JSCAN_STRING ? !str_is(v.raw, "\"none\"") : -1;
}

/* Whether it lets the message pass; −1: it says nothing. */
static int
decide(const struct push_preference *p, bool is_mentioned)
{
	int said = is_mentioned ? finer(p, "direct_mentions") : -1;

	if (said < 0)
		said = finer(p, "default_preference");
	if (said >= 0)
		return said;
	switch (p->level) {
	case PUSH_LEVEL_UNSET:
		return -1;
	case PUSH_LEVEL_ALL:
		return 1;
	case PUSH_LEVEL_NONE:
		return 0;
	default:
		return is_mentioned;
	}
}

bool
push_preference_allows(struct db *db, struct arena *a, const int64_t *uids,
	const int64_t *channels, const bool *mentioned, size_t n, int64_t now, bool *out,
	struct err *e)
{
	struct col cols[] = {COL_INTS(uids), COL_INTS(channels)};
	struct bulk bulk = {cols, ARRAY_LEN(cols), n};
	int8_t *by_user = arena_array(a, n + 1, 1), *by_channel = arena_array(a, n + 1, 1);
	struct rows r;

	memset(by_user, -1, n + 1);
	memset(by_channel, -1, n + 1);
	memset(out, 1, n);
	if (n == 0)
		return true;
	if (!db_query(db, SQL_PUSH_PREFERENCE_GET, NO_ARGS, &bulk, &r, e))
		return false;
	while (rows_next(&r)) {
		size_t i = (size_t)row_int(&r, 0);
		struct push_preference p = from_row(&r, a);
		int said = decide(&p, mentioned[i]);

		if (p.channel == 0)
			by_user[i] = (int8_t)said;
		else
			by_channel[i] = (int8_t)said;
		if (p.disabled_until != NO_TIME && p.disabled_until > now)
			out[i] = false;
	}
	/* What he said of the channel counts more than what he said of all. */
	for (size_t i = 0; i < n; i++)
		if ((by_channel[i] >= 0 ? by_channel[i] : by_user[i]) == 0)
			out[i] = false;
	return rows_end(&r, e);
}
