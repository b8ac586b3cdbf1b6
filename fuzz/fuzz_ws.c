/* fuzz_ws – no bytes of a client crash the reading of frames; what comes out is text within the
 * limit, and answers that are whole, unmasked frames. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "net/ws.h"

#define TEXT_MAX 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
require(bool claim)
{
	if (!claim)
		abort();
}

static void
on_text(void *arg, struct str text)
{
	(void)arg;
	require(text.n <= TEXT_MAX && str_utf8_valid(text));
}

/* All answers are short: pongs and closes. */
static void
check_answers(const struct buf *out)
{
	const unsigned char *p = (const unsigned char *)out->p;
	size_t at = 0;

	while (at < out->n) {
		require(out->n - at >= 2 && (p[at] == 0x8a || p[at] == 0x88));
		require(p[at + 1] <= 125);
		at += 2 + (size_t)p[at + 1];
	}
	require(at == out->n);
}

/* The first byte says in pieces of which size the rest comes. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct ws_opts opts = {.text_max = TEXT_MAX, .on_text = on_text};
	enum ws_verdict verdict = WS_OPEN;
	size_t step = n > 0 && data[0] ? data[0] : 1;
	struct buf out;
	struct ws *w;
	unsigned frames;

	w = ws_new(&opts);
	buf_init(&out, NULL, 64);
	for (size_t at = 1; at < n && verdict == WS_OPEN; at += step) {
		size_t len = n - at < step ? n - at : step;

		verdict = ws_feed(w, (struct str){(const char *)data + at, len}, &out, &frames);
	}
	check_answers(&out);
	buf_free(&out);
	ws_free(w);
	return 0;
}
