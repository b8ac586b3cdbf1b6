/* fuzz_push_template – push template × what a user says: no crash, no result beyond the limit,
 * the same result twice, and no text that turns JSON into something else (I-27, I-28).
 *
 * Input: the template, NUL, a text that a user wrote. */
#include <jansson.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/jw.h"
#include "domain/push_template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static bool
render(struct arena *a, const struct push_template *t, struct str text, struct str *out)
{
	struct buf quoted, result;
	struct push_var vars[] = {
		{"message", STR_NONE},
		{"members", STR_INIT("[{\"id\":\"a\",\"name\":\"A\"},{\"id\":\"b\"}]")},
		{"unread_count", STR_INIT("3")},
	};
	bool ok;

	buf_init(&quoted, a, text.n + 32);
	buf_str(&quoted, STR("{\"text\":\""));
	jw_escape(&quoted, text);
	buf_str(&quoted, STR("\"}"));
	vars[0].json = buf_view(&quoted);
	buf_init(&result, a, 256);
	ok = push_template_render(t, a, vars, ARRAY_LEN(vars), &result);
	*out = buf_view(&result);
	require(out->n <= PUSH_RENDERED_MAX && (ok || out->n == 0));
	return ok;
}

static bool
is_json(struct arena *a, struct str s)
{
	json_t *tree;
	struct err e;

	return jr_parse(a, s, &tree, &e) && tree != NULL;
}

/* Without blocks, what comes out is of one shape whatever the text is. */
static bool has_blocks(struct str template)
{
	for (size_t i = 0; i + 2 < template.n; i++)
		if (memcmp(template.p + i, "{{", 2) == 0)
			for (size_t k = i + 2; k < template.n && k < i + 16; k++)
				if (template.p[k] == '#')
					return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str all = {(const char *)data, size};
	size_t n = str_find(all, '\0', 0);
	struct str template = str_sub(all, 0, n), text = STR("x"), once, twice, plain;
	const struct push_template *t;
	struct arena a;
	struct err e;

	/* No text of a request has a NUL. */
	if (n < size)
		text = str_sub(all, n + 1, str_find(all, '\0', n + 1) - n - 1);
	arena_init(&a, 65536, SIZE_MAX);
	if (push_template_compile(&a, template, "template", &t, &e)) {
		bool ok = render(&a, t, text, &once);

		require(render(&a, t, text, &twice) == ok && str_eq(once, twice));
		if (ok && text.n > 0 && str_utf8_valid(template) && !has_blocks(template) &&
			render(&a, t, STR("x"), &plain) && is_json(&a, plain))
			require(is_json(&a, once));
	} else {
		require(e.code == ERR_INPUT);
	}
	arena_fini(&a);
	return 0;
}
