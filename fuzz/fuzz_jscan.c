/* fuzz_jscan – any bytes: no crash; JSON that a parser takes: the same members. */
#include <jansson.h>
#include <stdlib.h>

#include "base/jscan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

/* Touches everything a caller could touch. */
static void
walk(struct jscan_value v, int depth, struct buf *scratch)
{
	struct jscan_value kid;
	struct str key, text;
	size_t at = 0;

	if (v.type == JSCAN_NUMBER)
		jscan_number(v.raw);
	if (v.type == JSCAN_STRING && !jscan_plain(v.raw, &text)) {
		scratch->n = 0;
		jscan_unescape(scratch, v.raw);
		require(scratch->n <= v.raw.n);
	}
	if (depth == 0)
		return;
	while (jscan_next(v.raw, &at, &kid))
		walk(kid, depth - 1, scratch);
	at = 0;
	while (jscan_next_member(v.raw, &at, &key, &kid))
		walk(kid, depth - 1, scratch);
}

static void
compare(json_t *want, struct str got)
{
	const char *key;
	json_t *v;

	json_object_foreach(want, key, v)
	{
		struct jscan_value found = jscan_member(got, str_of(key));
		json_t *again = json_loadb(found.raw.p, found.raw.n,
			JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

		require(again != NULL && json_equal(again, v));
		json_decref(again);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	const struct str keys[] = {STR("a"), STR("b")};
	struct buf scratch;
	json_t *tree;

	buf_init(&scratch, NULL, 64);
	walk((struct jscan_value){JSCAN_NONE, text}, 4, &scratch);
	jscan_path(text, keys, 2);
	jscan_path(text, NULL, 0);
	jscan_unescape(&scratch, text);
	tree = json_loadb(text.p ? text.p : "", size, JSON_REJECT_DUPLICATES, NULL);
	if (tree != NULL && str_find(text, '\0', 0) == size) /* jansson skips some NULs */
		compare(tree, text);
	json_decref(tree);
	buf_free(&scratch);
	return 0;
}
