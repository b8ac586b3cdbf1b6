/* test_ws – the protocol of RFC 6455 as a server speaks it, byte by byte and at once. */
#include "../unit.h"
#include "frames.h"
#include "net/payload.h"
#include "net/ws.h"

#define TEXT_MAX 1000

struct feed {
	struct ws *ws;
	struct buf texts; /* of all messages, each with a '|' behind */
	struct buf out;
	unsigned nframes;
};

static void
on_text(void *arg, struct str text)
{
	struct feed *f = arg;

	buf_str(&f->texts, text);
	buf_char(&f->texts, '|');
}

static int
setup(void **state)
{
	struct feed *f = calloc(1, sizeof(*f));
	const struct ws_opts opts = {.text_max = TEXT_MAX, .on_text = on_text, .arg = f};

	assert_non_null(f);
	f->ws = ws_new(&opts);
	buf_init(&f->texts, NULL, 64);
	buf_init(&f->out, NULL, 64);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct feed *f = *state;

	ws_free(f->ws);
	buf_free(&f->texts);
	buf_free(&f->out);
	free(f);
	return 0;
}

/* Feeds ${b} in pieces of ${step} bytes, and empties it. */
static enum ws_verdict
feed(struct feed *f, struct buf *b, size_t step)
{
	enum ws_verdict v = WS_OPEN;
	unsigned n;

	for (size_t at = 0; at < b->n && v == WS_OPEN; at += step) {
		v = ws_feed(
			f->ws, (struct str){b->p + at, MIN_OF(step, b->n - at)}, &f->out, &n);
		f->nframes += n;
	}
	b->n = 0;
	return v;
}

/* The close code in the last frame of the answer. */
static int
answered_code(const struct feed *f)
{
	const unsigned char *p = (const unsigned char *)f->out.p;
	size_t at = 0, last = 0;

	assert_true(f->out.n >= 4);
	while (at < f->out.n) {
		last = at;
		assert_true(p[at + 1] < 126);
		at += 2 + (size_t)p[at + 1];
	}
	assert_int_equal(at, f->out.n);
	assert_int_equal(p[last], 0x88);
	return p[last + 2] << 8 | p[last + 3];
}

/* ---- handshake ------------------------------------------------------------------------ */

/* The example of RFC 6455 §1.3. */
static const struct ws_request example = {STR_INIT("GET"), STR_INIT("websocket"),
	STR_INIT("keep-alive, Upgrade"), STR_INIT("13"), STR_INIT("dGhlIHNhbXBsZSBub25jZQ==")};

static void
test_handshake(void **state)
{
	struct ws_request q = example;
	char accept[WS_ACCEPT_LEN];
	struct err e;

	(void)state;
	must(ws_handshake(&q, accept, &e), &e);
	assert_memory_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WS_ACCEPT_LEN);
	q.upgrade = STR("h2c, WebSocket");
	q.connection = STR("upgrade");
	must(ws_handshake(&q, accept, &e), &e);
}

static void
test_handshake_refused(void **state)
{
	static const struct {
		size_t field;
		struct str value;
		const char *text;
	} cases[] = {
		{offsetof(struct ws_request, method), STR_INIT("POST"), "Upgrade"},
		{offsetof(struct ws_request, upgrade), {NULL, 0}, "Upgrade"},
		{offsetof(struct ws_request, upgrade), STR_INIT("websockets"), "Upgrade"},
		{offsetof(struct ws_request, connection), {NULL, 0}, "Connection"},
		{offsetof(struct ws_request, connection), STR_INIT("close"), "Connection"},
		{offsetof(struct ws_request, version), {NULL, 0}, "Version"},
		{offsetof(struct ws_request, version), STR_INIT("8"), "Version"},
		{offsetof(struct ws_request, key), {NULL, 0}, "Key"},
		{offsetof(struct ws_request, key), STR_INIT("dGhlIHNhbXBsZSBub25jZQ"), "Key"},
		{offsetof(struct ws_request, key), STR_INIT("dGhlIHNhbXBs!SBub25jZQ=="), "Key"},
		{offsetof(struct ws_request, key), STR_INIT("dGhlIHNhbXBsZSBub25jZQ=A"), "Key"},
	};
	char accept[WS_ACCEPT_LEN];
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ws_request q = example;

		memcpy((char *)&q + cases[i].field, &cases[i].value, sizeof(struct str));
		must_fail(ws_handshake(&q, accept, &e), &e, ERR_INPUT, cases[i].text);
	}
}

/* ---- frames --------------------------------------------------------------------------- */

static void
test_messages(void **state)
{
	static const size_t steps[] = {1, 3, 1 << 20};
	struct feed *f = *state;
	static char large[TEXT_MAX];
	struct buf b;

	memset(large, 'l', sizeof(large));
	buf_init(&b, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		f->texts.n = f->out.n = f->nframes = 0;
		frame_add(&b, TEXT, STR("hello"));
		frame_add(&b, TEXT, STR(""));
		frame_raw(&b, TEXT, true, STR("gr\xc3"));
		frame_add(&b, PING, STR("p"));
		frame_raw(&b, 0x80, true, STR("\xbc\xc3\x9f"));
		frame_add(&b, PONG, STR(""));
		frame_add(&b, TEXT, (struct str){large, sizeof(large)});
		assert_int_equal(feed(f, &b, steps[i]), WS_OPEN);
		assert_int_equal(f->nframes, 7);
		assert_int_equal(f->texts.n, 5 + 1 + 1 + 6 + 1 + sizeof(large) + 1);
		assert_memory_equal(f->texts.p, "hello||gr\xc3\xbc\xc3\x9f|lll", 17);
		/* The pong, unmasked. */
		assert_int_equal(f->out.n, 3);
		assert_memory_equal(f->out.p, "\x8a\x01p", 3);
	}
	buf_free(&b);
}

static void
test_close(void **state)
{
	struct feed *f = *state;
	struct buf b;

	buf_init(&b, NULL, 0);
	frame_add(&b, CLOSE,
		STR("\x03\xe8"
		    "bye"));
	frame_add(&b, TEXT, STR("not heard"));
	assert_int_equal(feed(f, &b, 1 << 20), WS_CLOSED);
	assert_int_equal(answered_code(f), 1000);
	assert_int_equal(f->texts.n, 0);
	buf_free(&b);
}

static void
test_close_without_code(void **state)
{
	struct feed *f = *state;
	struct buf b;

	buf_init(&b, NULL, 0);
	frame_add(&b, CLOSE, STR(""));
	assert_int_equal(feed(f, &b, 1), WS_CLOSED);
	assert_int_equal(f->out.n, 2);
	assert_memory_equal(f->out.p, "\x88\x00", 2);
	buf_free(&b);
}

/* Whatever breaks the protocol ends in a close frame with the code that says how. */
static void
test_broken(void **state)
{
	static char large[TEXT_MAX + 1], control[126];
	static const struct {
		const char *what;
		unsigned first;
		bool masked;
		struct str data;
		int code;
	} cases[] = {
		{"unmasked", 0x81, false, STR_INIT("hi"), 1002},
		{"unmasked ping", 0x89, false, STR_INIT(""), 1002},
		{"reserved bit 1", 0xc1, true, STR_INIT("hi"), 1002},
		{"reserved bit 3", 0x91, true, STR_INIT("hi"), 1002},
		{"opcode 3", 0x83, true, STR_INIT("hi"), 1002},
		{"opcode 15", 0x8f, true, STR_INIT(""), 1002},
		{"continuation of nothing", 0x80, true, STR_INIT("hi"), 1002},
		{"ping in fragments", 0x09, true, STR_INIT("hi"), 1002},
		{"large ping", 0x89, true, {control, sizeof(control)}, 1002},
		{"large close", 0x88, true, {control, sizeof(control)}, 1002},
		{"no UTF-8", 0x81, true, STR_INIT("a\xff"), 1007},
		{"surrogate", 0x81, true, STR_INIT("\xed\xa0\x80"), 1007},
		{"UTF-8 cut off", 0x81, true, STR_INIT("a\xc3"), 1007},
		{"too large", 0x81, true, {large, sizeof(large)}, 1009},
		{"binary", 0x82, true, STR_INIT("hi"), 1003},
		{"close of one byte", 0x88, true, STR_INIT("\x03"), 1002},
		{"close code 1005", 0x88, true, STR_INIT("\x03\xed"), 1002},
		{"close code 0", 0x88, true, STR_INIT("\0\0"), 1002},
		{"close reason no UTF-8", 0x88, true, STR_INIT("\x03\xe8\xff"), 1007},
	};
	struct feed *f;
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t step = 1; step <= 4096; step *= 4096) {
			void *one;

			setup(&one);
			f = one;
			frame_raw(&b, cases[i].first, cases[i].masked, cases[i].data);
			frame_add(&b, TEXT, STR("not heard"));
			if (feed(f, &b, step) != WS_BROKEN || answered_code(f) != cases[i].code)
				fail_msg("%s, step %zu", cases[i].what, step);
			assert_int_equal(f->texts.n, 0);
			teardown(&one);
		}
	}
	buf_free(&b);
}

/* A length that nobody could send is refused before anything is stored. */
static void
test_claims(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		int code;
	} cases[] = {
		{"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\1\2\3\4x", 15, 1009},
		{"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\2\3\4", 14, 1002},
		{"\x81\xff\0\0\0\1\0\0\0\0\1\2\3\4x", 15, 1009},
		{"\x81\xfe\0\5\1\2\3\4", 8, 1002}, /* not the shortest form */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct feed *f;
		unsigned n;
		void *one;

		setup(&one);
		f = one;
		if (ws_feed(f->ws, (struct str){cases[i].bytes, cases[i].n}, &f->out, &n) !=
				WS_BROKEN ||
			answered_code(f) != cases[i].code)
			fail_msg("case %zu", i);
		teardown(&one);
	}
}

static void
test_text_in_text(void **state)
{
	struct feed *f = *state;
	struct buf b;

	buf_init(&b, NULL, 0);
	frame_raw(&b, TEXT, true, STR("begun"));
	frame_add(&b, TEXT, STR("another"));
	assert_int_equal(feed(f, &b, 1 << 20), WS_BROKEN);
	assert_int_equal(answered_code(f), 1002);
	buf_free(&b);
}

/* Empty ones as well: bytes alone do not bound them. */
static void
test_fragments_for_ever(void **state)
{
	struct feed *f = *state;
	struct buf b;

	buf_init(&b, NULL, 0);
	frame_raw(&b, TEXT, true, STR(""));
	for (int i = 0; i < WS_FRAGMENTS_MAX - 1; i++)
		frame_raw(&b, 0, true, STR(""));
	assert_int_equal(feed(f, &b, 1 << 20), WS_OPEN);
	frame_raw(&b, 0, true, STR(""));
	assert_int_equal(feed(f, &b, 1 << 20), WS_BROKEN);
	assert_int_equal(answered_code(f), 1008);
	buf_free(&b);
}

static void
test_fragments_too_large_together(void **state)
{
	static char piece[TEXT_MAX / 4];
	struct feed *f = *state;
	struct buf b;

	memset(piece, 'x', sizeof(piece));
	buf_init(&b, NULL, 0);
	frame_raw(&b, TEXT, true, (struct str){piece, sizeof(piece)});
	for (int i = 0; i < 4; i++)
		frame_raw(&b, 0, true, (struct str){piece, sizeof(piece)});
	assert_int_equal(feed(f, &b, 1 << 20), WS_BROKEN);
	assert_int_equal(answered_code(f), 1009);
	buf_free(&b);
}

/* ---- payloads ------------------------------------------------------------------------- */

static void
test_payload(void **state)
{
	static const size_t sizes[] = {0, 1, 125, 126, 65535, 65536};
	static char text[65536];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct payload *p = payload_new((struct str){text, sizes[i]});
		struct str bytes = payload_bytes(p);
		size_t head = sizes[i] < 126 ? 2 : sizes[i] < 65536 ? 4 : 10;
		const unsigned char *b = (const unsigned char *)bytes.p;

		assert_int_equal(bytes.n, head + sizes[i]);
		assert_int_equal(b[0], 0x81);
		assert_int_equal(b[1], head == 2 ? sizes[i] : head == 4 ? 126 : 127);
		if (head == 10)
			assert_memory_equal(b + 2, "\0\0\0\0\0\1\0\0", 8);
		payload_unref(payload_ref(p));
		payload_unref(p);
	}
	payload_unref(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake),
		cmocka_unit_test(test_handshake_refused),
		cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_without_code, setup, teardown),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_claims),
		cmocka_unit_test_setup_teardown(test_text_in_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fragments_for_ever, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_fragments_too_large_together, setup, teardown),
		cmocka_unit_test(test_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
