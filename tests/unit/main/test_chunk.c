/* test_chunk – a stream cut into whole lines, whatever the portions it arrives in. */
#include <errno.h>

#include "../unit.h"
#include "main/chunk.h"

#define MAX 16

struct pipe_input {
	struct chunk_reader reader;
	int write_end;
};

static void
open_pipe(struct pipe_input *in)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	chunk_open(&in->reader, fds[0], MAX);
	in->write_end = fds[1];
}

static void
feed(struct pipe_input *in, const char *text)
{
	assert_int_equal(write(in->write_end, text, strlen(text)), strlen(text));
}

static void
end_input(struct pipe_input *in)
{
	close(in->write_end);
}

static void
close_pipe(struct pipe_input *in)
{
	close(in->reader.fd);
	chunk_close(&in->reader);
}

static void
expect_ready(struct pipe_input *in, const char *text, int64_t first_line, int64_t lines)
{
	struct chunk c;

	assert_int_equal(chunk_next(&in->reader, &c), CHUNK_READY);
	assert_int_equal(c.n, strlen(text));
	assert_memory_equal(c.p, text, c.n);
	assert_int_equal(c.first_line, first_line);
	assert_int_equal(c.lines, lines);
}

static void
expect_state(struct pipe_input *in, enum chunk_state state)
{
	struct chunk c;

	assert_int_equal(chunk_next(&in->reader, &c), state);
}

static void
lines_stay_whole(void **state)
{
	struct pipe_input in;

	(void)state;
	open_pipe(&in);
	feed(&in, "one\ntwo\n");
	expect_state(&in, CHUNK_MORE);
	feed(&in, "three\nfour\nfive\n");
	/* 16 bytes are "one\ntwo\nthree\nfo": the last line waits. */
	expect_ready(&in, "one\ntwo\nthree\n", 1, 3);
	expect_state(&in, CHUNK_MORE);
	end_input(&in);
	expect_ready(&in, "four\nfive\n", 4, 2);
	expect_state(&in, CHUNK_OVER);
	expect_state(&in, CHUNK_OVER);
	close_pipe(&in);
}

static void
last_line_needs_no_newline(void **state)
{
	struct pipe_input in;

	(void)state;
	open_pipe(&in);
	feed(&in, "a\n\nb");
	expect_state(&in, CHUNK_MORE);
	end_input(&in);
	expect_ready(&in, "a\n\nb", 1, 3);
	expect_state(&in, CHUNK_OVER);
	close_pipe(&in);
}

static void
empty_input_is_over(void **state)
{
	struct pipe_input in;

	(void)state;
	open_pipe(&in);
	end_input(&in);
	expect_state(&in, CHUNK_OVER);
	close_pipe(&in);
}

/* A line that does not fit is told by its number, and the lines behind keep theirs. */
static void
long_lines_are_left_out(void **state)
{
	struct pipe_input in;
	struct chunk c;

	(void)state;
	open_pipe(&in);
	feed(&in, "ok\n0123456789abcdefghijklmnopqrstuvwxyz\nnext\n");
	end_input(&in);
	expect_ready(&in, "ok\n", 1, 1);
	while (chunk_next(&in.reader, &c) == CHUNK_MORE)
		;
	assert_int_equal(c.first_line, 2);
	for (;;) {
		enum chunk_state s = chunk_next(&in.reader, &c);

		if (s == CHUNK_MORE)
			continue;
		assert_int_equal(s, CHUNK_READY);
		break;
	}
	assert_int_equal(c.n, strlen("next\n"));
	assert_memory_equal(c.p, "next\n", c.n);
	assert_int_equal(c.first_line, 3);
	expect_state(&in, CHUNK_OVER);
	close_pipe(&in);
}

static void
long_last_line_is_left_out(void **state)
{
	struct pipe_input in;
	enum chunk_state s;
	struct chunk c;

	(void)state;
	open_pipe(&in);
	feed(&in, "0123456789abcdefghijklmnopqrstuvwxyz");
	end_input(&in);
	while ((s = chunk_next(&in.reader, &c)) == CHUNK_MORE)
		;
	assert_int_equal(s, CHUNK_LONG);
	assert_int_equal(c.first_line, 1);
	while ((s = chunk_next(&in.reader, &c)) == CHUNK_MORE)
		;
	assert_int_equal(s, CHUNK_OVER);
	close_pipe(&in);
}

static void
unreadable_input_fails(void **state)
{
	struct chunk_reader r;
	struct chunk c;

	(void)state;
	chunk_open(&r, -1, MAX);
	assert_int_equal(chunk_next(&r, &c), CHUNK_FAILED);
	assert_int_equal(errno, EBADF);
	chunk_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_stay_whole),
		cmocka_unit_test(last_line_needs_no_newline),
		cmocka_unit_test(empty_input_is_over),
		cmocka_unit_test(long_lines_are_left_out),
		cmocka_unit_test(long_last_line_is_left_out),
		cmocka_unit_test(unreadable_input_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
