/* channel_type – channel types: reading, changing, and the fields they have. */
#include "domain/channel_type.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/jr.h"
#include "base/jscan.h"
#include "store/db.h"

/* Built-in types come with the program. */
#define BUILT_IN_SINCE (1704067200 * INT64_C(1000000))
#define TEXT_MAX       255

static const struct str built_in[] = {STR_INIT("messaging"), STR_INIT("team"),
	STR_INIT("livestream"), STR_INIT("gaming"), STR_INIT("commerce")};

/* What the program can do is on, everything else off, so that clients do not offer it. */
const struct channel_type_field channel_type_fields[] = {
	{"typing_events", TYPE_FLAG, "true", true, 0, NULL},
	{"read_events", TYPE_FLAG, "true", true, 0, NULL},
	{"connect_events", TYPE_FLAG, "false", true, 0, NULL},
	{"delivery_events", TYPE_FLAG, "true", true, 0, NULL},
	{"search", TYPE_FLAG, "false", true, 0, NULL},
	{"reactions", TYPE_FLAG, "false", true, 0, NULL},
	{"replies", TYPE_FLAG, "true", true, 0, NULL},
	{"quotes", TYPE_FLAG, "true", true, 0, NULL},
	{"mutes", TYPE_FLAG, "false", true, 0, NULL},
	{"uploads", TYPE_FLAG, "false", true, 0, NULL},
	{"url_enrichment", TYPE_FLAG, "false", true, 0, NULL},
	{"custom_events", TYPE_FLAG, "true", true, 0, NULL},
	{"push_notifications", TYPE_FLAG, "true", true, 0, NULL},
	{"reminders", TYPE_FLAG, "false", true, 0, NULL},
	{"mark_messages_pending", TYPE_FLAG, "false", true, 0, NULL},
	{"polls", TYPE_FLAG, "true", true, 0, NULL},
	{"count_messages", TYPE_FLAG, "false", true, 0, NULL},
	{"shared_locations", TYPE_FLAG, "false", true, 0, NULL},
	{"user_message_reminders", TYPE_FLAG, "false", true, 0, NULL},
	{"skip_last_msg_update_for_system_msgs", TYPE_FLAG, "false", true, 0, NULL},
	{"message_retention", TYPE_TEXT, "\"infinite\"", true, 0, NULL},
	{"max_message_length", TYPE_NUMBER, "5000", true, CHANNEL_TYPE_MAX_MESSAGE, NULL},
	{"automod", TYPE_WORD, "\"disabled\"", true, 0, " disabled simple AI "},
	{"automod_behavior", TYPE_WORD, "\"flag\"", true, 0, " flag block shadow_block "},
	{"automod_thresholds", TYPE_OBJECT, NULL, true, 0, NULL},
	{"blocklist", TYPE_TEXT, NULL, true, 0, NULL},
	{"blocklist_behavior", TYPE_WORD, "\"flag\"", true, 0, " flag block shadow_block "},
	{"blocklists", TYPE_ARRAY, NULL, true, 0, NULL},
	{"allowed_flag_reasons", TYPE_ARRAY, NULL, true, 0, NULL},
	{"push_level", TYPE_WORD, NULL, true, 0,
		" all all_mentions mentions direct_mentions none "},
	{"chat_preferences", TYPE_OBJECT, NULL, true, 0, NULL},
	{"partition_size", TYPE_NUMBER, NULL, true, INT32_MAX, NULL},
	{"partition_ttl", TYPE_TEXT, NULL, true, 0, NULL},
	{"grants", TYPE_OBJECT, "{}", false, 0, NULL},
	{"permissions", TYPE_ARRAY, "[]", false, 0, NULL},
};
const size_t channel_type_nfields = ARRAY_LEN(channel_type_fields);

struct str
channel_type_value(const struct channel_type *t, const struct channel_type_field *f)
{
	struct jscan_value v = {JSCAN_NONE, STR_NONE};

	if (t->config.p != NULL)
		v = jscan_member(t->config, str_of(f->name));
	return v.type != JSCAN_NONE ? v.raw : str_of(f->standard);
}

static struct str
value_named(const struct channel_type *t, const char *name)
{
	for (size_t i = 0; i < channel_type_nfields; i++)
		if (strcmp(channel_type_fields[i].name, name) == 0)
			return channel_type_value(t, &channel_type_fields[i]);
	return STR_NONE;
}

int64_t
channel_type_max_message(const struct channel_type *t)
{
	int64_t max = 0;

	return str_to_i64(value_named(t, "max_message_length"), &max) ? max : 0;
}

bool
channel_type_flag(const struct channel_type *t, const char *field)
{
	return str_is(value_named(t, field), "true");
}

static size_t
place_built_in(struct str name)
{
	size_t i = 0;

	while (i < ARRAY_LEN(built_in) && !str_eq(built_in[i], name))
		i++;
	return i;
}

static bool
is_built_in(struct str name)
{
	return place_built_in(name) < ARRAY_LEN(built_in);
}

/* ---- reading ------------------------------------------------------------------------- */

static void
type_from_row(struct rows *r, struct arena *a, struct channel_type *out)
{
	*out = (struct channel_type){
		.name = arena_dup(a, row_str(r, 0)),
		.config = arena_dup(a, row_str(r, 1)),
		.created_at = row_int(r, 2),
		.updated_at = row_int(r, 3),
	};
}

bool
channel_type_list(
	struct db *db, struct arena *a, struct channel_type **out, size_t *n, struct err *e)
{
	size_t max = ARRAY_LEN(built_in) + CHANNEL_TYPES_MAX;
	struct channel_type *list = arena_array(a, max, sizeof(*list));
	struct rows r;

	*out = list;
	for (*n = 0; *n < ARRAY_LEN(built_in); ++*n)
		list[*n] = (struct channel_type){
			built_in[*n], STR_NONE, BUILT_IN_SINCE, BUILT_IN_SINCE};
	if (!db_query(db, SQL_CHANNEL_TYPE_LIST, NO_ARGS, NO_BULK, &r, e))
		return false;
	while (*n < max && rows_next(&r)) {
		size_t i = place_built_in(row_str(&r, 0));

		type_from_row(&r, a, &list[i < ARRAY_LEN(built_in) ? i : *n]);
		*n += i == ARRAY_LEN(built_in);
	}
	return rows_end(&r, e);
}

/* The row of a type, stored or built-in. */
static bool
find(struct db *db, struct arena *a, struct str name, struct channel_type *out, bool *found,
	bool *has_row, struct err *e)
{
	struct rows r;

	if (!db_query(db, SQL_CHANNEL_TYPE_BY_NAME, ARGS(V_TEXT(name)), NO_BULK, &r, e))
		return false;
	*has_row = rows_next(&r);
	*found = *has_row || is_built_in(name);
	if (*has_row)
		type_from_row(&r, a, out);
	else
		*out = (struct channel_type){
			arena_dup(a, name), STR_NONE, BUILT_IN_SINCE, BUILT_IN_SINCE};
	return rows_end(&r, e);
}

static bool
get(struct db *db, struct arena *a, struct str name, struct channel_type *out, bool *has_row,
	struct err *e)
{
	bool found;

	if (!find(db, a, name, out, &found, has_row, e))
		return false;
	if (!found)
		return fail(
			e, ERR_NOT_FOUND, "%.*s is not a defined channel type", STR_ARG(name));
	return true;
}

bool
channel_type_get(struct db *db, struct arena *a, struct str name, struct channel_type *out,
	struct err *e)
{
	bool has_row;

	return get(db, a, name, out, &has_row, e);
}

bool
channel_type_exists(struct db *db, struct str name, bool *out, struct err *e)
{
	int64_t one;

	*out = is_built_in(name);
	return *out ||
	       db_get_int(db, SQL_CHANNEL_TYPE_EXISTS, ARGS(V_TEXT(name)), &one, out, e);
}

/* ---- what a request says --------------------------------------------------------------- */

static bool
read_word(const json_t *body, const struct channel_type_field *f, struct err *e)
{
	struct str word = STR_NONE;
	char padded[40];

	if (!jr_str(body, f->name, REQUIRED, &word, e))
		return false;
	snprintf(padded, sizeof(padded), " %.*s ", (int)MIN_OF(word.n, (size_t)32), word.p);
	if (word.n == 0 || word.n > 32 || strchr(word.p, ' ') != NULL ||
		strstr(f->words, padded) == NULL)
		return fail(e, ERR_INPUT, "%s: expected one of%.*s, got \"%.*s\"", f->name,
			(int)strlen(f->words) - 1, f->words, STR_ARG(str_clip(word, 64)));
	return true;
}

/* Checks a field that is there. */
static bool
check_field(const json_t *body, const struct channel_type_field *f, struct err *e)
{
	struct str text;
	json_t *tree;
	int64_t number;
	bool flag;

	switch (f->kind) {
	case TYPE_FLAG:
		return jr_bool(body, f->name, REQUIRED, &flag, e);
	case TYPE_NUMBER:
		return jr_int(body, f->name, REQUIRED, 1, f->max, &number, e);
	case TYPE_WORD:
		return read_word(body, f, e);
	case TYPE_TEXT:
		return jr_str_max(body, f->name, REQUIRED, TEXT_MAX, &text, e);
	case TYPE_OBJECT:
		return jr_obj(body, f->name, REQUIRED, &tree, e);
	case TYPE_ARRAY:
		return jr_arr(body, f->name, REQUIRED, SIZE_MAX, &tree, e);
	}
	return true;
}

/* ${config} with the fields of ${body} put over it. */
static bool
merge(struct arena *a, const json_t *body, struct str *config, struct err *e)
{
	json_t *doc = NULL;

	if (!jr_parse(a, config->p ? *config : STR("{}"), &doc, e))
		return false;
	for (size_t i = 0; i < channel_type_nfields; i++) {
		const struct channel_type_field *f = &channel_type_fields[i];
		json_t *v = json_object_get(body, f->name);

		if (v == NULL || json_is_null(v))
			continue;
		if (!check_field(body, f, e))
			return false;
		if (f->kind == TYPE_NUMBER && json_is_real(v))
			v = jr_own(a, json_integer((json_int_t)json_real_value(v)));
		json_object_set(doc, f->name, v);
	}
	*config = jr_dump(a, doc);
	if (config->n > CHANNEL_TYPE_MAX_CONFIG)
		return fail(e, ERR_INPUT, "the configuration is larger than %d bytes of JSON",
			CHANNEL_TYPE_MAX_CONFIG);
	return true;
}

/* ---- changing -------------------------------------------------------------------------- */

struct changing {
	struct arena *arena;
	struct str name;
	const json_t *body;
	struct channel_type *out;
};

static bool
insert(struct db *w, const struct channel_type *t, struct err *e)
{
	return db_exec(w, SQL_CHANNEL_TYPE_INSERT,
		ARGS(V_TEXT(t->name), V_TEXT(t->config), V_INT(t->created_at),
			V_INT(t->updated_at)),
		NO_BULK, NULL, e);
}

static bool
create_in(struct db *w, void *arg, struct err *e)
{
	struct changing *c = arg;
	struct channel_type *types;
	bool found, has_row;
	size_t n;

	if (!find(w, c->arena, c->name, c->out, &found, &has_row, e))
		return false;
	if (found)
		return fail(e, ERR_INPUT, "name: channel type \"%.*s\" exists already",
			STR_ARG(c->name));
	if (!channel_type_list(w, c->arena, &types, &n, e))
		return false;
	if (n >= ARRAY_LEN(built_in) + CHANNEL_TYPES_MAX)
		return fail(e, ERR_INPUT, "name: there are %d channel types already",
			CHANNEL_TYPES_MAX);
	c->out->created_at = c->out->updated_at = clock_now_us();
	return merge(c->arena, c->body, &c->out->config, e) && insert(w, c->out, e);
}

bool
channel_type_create(struct db *db, struct arena *a, struct str name, const json_t *body,
	struct channel_type *out, struct err *e)
{
	struct changing c = {a, name, body, out};

	if (!id_type_valid(name))
		return fail(e, ERR_INPUT,
			"name: \"%.*s\" is no channel type (1 to 64 of A-Z a-z 0-9 _ -)",
			STR_ARG(name));
	return db_write(db, create_in, &c, e);
}

static bool
update_in(struct db *w, void *arg, struct err *e)
{
	struct changing *c = arg;
	struct channel_type *t = c->out;
	bool has_row;

	if (!get(w, c->arena, c->name, t, &has_row, e) ||
		!merge(c->arena, c->body, &t->config, e))
		return false;
	t->updated_at = clock_now_us();
	if (!has_row)
		return insert(w, t, e);
	return db_exec(w, SQL_CHANNEL_TYPE_UPDATE,
		ARGS(V_TEXT(t->name), V_TEXT(t->config), V_INT(t->updated_at)), NO_BULK, NULL,
		e);
}

bool
channel_type_update(struct db *db, struct arena *a, struct str name, const json_t *body,
	struct channel_type *out, struct err *e)
{
	struct changing c = {a, name, body, out};

	return db_write(db, update_in, &c, e);
}

/* Whether there are channels of the type, or a campaign is about to make some. */
static bool
is_used(struct db *w, struct arena *a, struct str name, bool *out, struct err *e)
{
	struct str lo = arena_printf(a, "%.*s:", STR_ARG(name));
	struct str hi = arena_printf(a, "%.*s;", STR_ARG(name));
	struct str named = arena_printf(a, "%%\"type\":\"%.*s\"%%", STR_ARG(name));
	int64_t forms = 0, channels = 0, campaigns = 0;
	bool found;

	if (!db_get_int(w, SQL_CHANNEL_TYPE_FORMS, ARGS(V_TEXT(name)), &forms, &found, e) ||
		!db_get_int(w, SQL_CHANNEL_TYPE_CAMPAIGNS, ARGS(V_TEXT(named)), &campaigns,
			&found, e) ||
		!db_get_int(w, SQL_FORM_EXPLICIT,
			ARGS(V_TEXT(lo), V_TEXT(hi), V_TEXT(STR("")), V_INT(1)), &channels,
			&found, e))
		return false;
	*out = forms + channels + campaigns > 0;
	return true;
}

static bool
delete_in(struct db *w, void *arg, struct err *e)
{
	struct changing *c = arg;
	struct channel_type t;
	bool has_row, used;

	if (!get(w, c->arena, c->name, &t, &has_row, e))
		return false;
	if (is_built_in(c->name))
		return fail(e, ERR_INPUT, "%.*s is a built-in channel type", STR_ARG(c->name));
	if (!is_used(w, c->arena, c->name, &used, e))
		return false;
	if (used)
		return fail(e, ERR_INPUT,
			"there are channels of the type %.*s, or campaigns that make some",
			STR_ARG(c->name));
	return db_exec(w, SQL_CHANNEL_TYPE_DELETE, ARGS(V_TEXT(c->name)), NO_BULK, NULL, e);
}

bool
channel_type_delete(struct db *db, struct arena *a, struct str name, struct err *e)
{
	struct changing c = {a, name, NULL, NULL};

	return db_write(db, delete_in, &c, e);
}
