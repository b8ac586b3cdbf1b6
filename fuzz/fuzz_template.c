/* fuzz_template – template × user: no crash, no output beyond the limit, the same output
 * twice, and from JSON always JSON (F27, I-27).
 *
 * Input: the template, NUL, the receiver's name, NUL, the receiver's custom data. */
#include <jansson.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/jw.h"
#include "domain/template.h"
#include "domain/user.h"

#define OUTPUT_MAX 5000

static const char some_custom[] =
	"{\"a\":1,\"b\":-2.50,\"c\":\"x\\n\\u00e9\\\"\",\"d\":[1,\"two\",null,[],\"{{a}}\"],"
	"\"e\":{\"f\":{\"g\":true}},\"h\":false,\"i\":null,\"j\":\"2024-02-29T01:02:03Z\","
	"\"k\":\"\xd0\x96\xc3\xa9\xce\xa3\xc3\x9f they're\"}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

/* Takes the bytes before the next NUL. */
static struct str
take(struct str *rest)
{
	size_t n = str_find(*rest, '\0', 0);
	struct str s = str_sub(*rest, 0, n);

	n = MIN_OF(n + 1, rest->n);
	*rest = str_sub(*rest, n, rest->n - n);
	return s;
}

static void
count(void *arg, struct str name)
{
	size_t *n = arg;

	*n += name.n;
}

static bool
render_twice(const struct template *t, const struct user *receiver, struct buf *out)
{
	const struct user sender = {
		.id = STR("ann"), .custom = STR("{\"x\":\"y\"}"), .created_at = 1};
	const struct template_channel channel = {
		.id = STR("c"), .type = STR("messaging"), .custom = STR("{\"name\":\"n\"}")};
	size_t undefined = 0, between;
	struct template_vars vars = {&sender, receiver, &channel, count, &undefined};
	bool ok = template_render(t, &vars, OUTPUT_MAX, out);

	require(out->n <= OUTPUT_MAX);
	between = out->n;
	require(template_render(t, &vars, OUTPUT_MAX, out) == ok);
	require(out->n == 2 * between);
	require(memcmp(out->p, out->p + between, between) == 0);
	out->n = between;
	return ok;
}

static void
try_text(struct arena *a, struct str text, const struct user *receiver)
{
	struct str prefix, suffix;
	struct template *t;
	struct buf out;
	struct err e;

	if (!template_text(a, text, "text", &t, &e))
		return;
	buf_init(&out, a, 1);
	if (!render_twice(t, receiver, &out))
		return;
	if (str_find(text, '{', 0) == text.n)
		require(str_eq(buf_view(&out), text));
	if (template_as_affix(t, a, receiver, &prefix, &suffix))
		require(!template_is_constant(t));
}

static void
try_json(struct arena *a, struct str text, const struct user *receiver)
{
	struct buf json, out;
	struct template *t;
	json_t *tree;
	struct err e;

	buf_init(&json, a, 64);
	buf_str(&json, STR("{\"k\":[\""));
	jw_escape(&json, text);
	buf_str(&json, STR("\"]}"));
	if (!template_json(a, buf_view(&json), "json", &t, &e))
		return;
	buf_init(&out, a, 1);
	if (!render_twice(t, receiver, &out))
		return;
	tree = json_loadb(out.p, out.n, JSON_REJECT_DUPLICATES, NULL);
	require(tree != NULL);
	json_decref(tree);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size}, text = take(&rest);
	struct user receiver = {.id = STR("bob"),
		.name = take(&rest),
		.teams = STR("[\"red\",\"blue\"]"),
		.custom = str_of(some_custom),
		.created_at = 1735516800000000,
		.updated_at = NO_TIME,
		.last_active = NO_TIME};
	struct arena a;
	json_t *custom;
	struct err e;

	arena_init(&a, 65536, SIZE_MAX);
	if (jr_parse(&a, rest, &custom, &e) && json_is_object(custom))
		receiver.custom = jr_dump(&a, custom);
	try_text(&a, text, &receiver);
	try_json(&a, text, &receiver);
	arena_fini(&a);
	return 0;
}
