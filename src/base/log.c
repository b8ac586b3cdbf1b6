/* log – formats a line on the stack and gives it to the kernel in one piece. */
#include "base/log.h"

#include <execinfo.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

/* A write of up to PIPE_BUF bytes is never mixed with those of other threads or processes. */
#define LINE_MAX_BYTES PIPE_BUF
#define CUT_MARK       "..."
#define BACKTRACE_MAX  64
#define PIECE_MAX      4 /* bytes of one character, escaped */

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* One of the house's few globals: set once by main, read everywhere. */
static _Atomic int min_level = LOG_INFO;

struct line {
	char text[LINE_MAX_BYTES];
	size_t n;
};

static void
put(struct line *l, const char *p, size_t n)
{
	memcpy(l->text + l->n, p, n);
	l->n += n;
}

/* How the control byte ${c}, or one that is not UTF-8, is written. */
static size_t
name_byte(unsigned char c, char out[PIECE_MAX])
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[0x20] = {['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r'};

	out[0] = '\\';
	if (c < 0x20 && letters[c] != '\0') {
		out[1] = letters[c];
		return 2;
	}
	out[1] = 'x';
	out[2] = hex[c >> 4];
	out[3] = hex[c & 15];
	return 4;
}

/* Copies the character at the front of ${s}, escaped when it could end the line or drive a
 * terminal: C0 and C1 controls, DEL, bytes that are not UTF-8, and the backslash itself.
 * Returns the number of bytes read. */
static size_t
escape_one(struct str s, char out[PIECE_MAX], size_t *len)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t seq = str_utf8_seq(s);

	if (seq == 0 || c < 0x20 || c == 0x7f) {
		*len = name_byte(c, out);
		return 1;
	}
	if (c == 0xc2 && (unsigned char)s.p[1] < 0xa0) {
		*len = name_byte((unsigned char)s.p[1], out);
		return seq;
	}
	memcpy(out, s.p, seq);
	*len = seq;
	if (c == '\\')
		out[(*len)++] = '\\';
	return seq;
}

static void
put_escaped(struct line *l, struct str s)
{
	size_t limit = sizeof(l->text) - (sizeof(CUT_MARK) - 1) - 1;

	for (size_t i = 0; i < s.n;) {
		char piece[PIECE_MAX];
		size_t len;

		i += escape_one(str_sub(s, i, s.n - i), piece, &len);
		if (l->n + len > limit) {
			put(l, CUT_MARK, sizeof(CUT_MARK) - 1);
			return;
		}
		put(l, piece, len);
	}
}

static void write_line(const char *level, const char *fmt, va_list ap) PRINTF(2, 0);

/* A line that cannot be written is lost: there is no better place to tell. */
static void
write_line(const char *level, const char *fmt, va_list ap)
{
	char message[LINE_MAX_BYTES];
	struct line l = {.n = CLOCK_RFC3339_LEN};
	ssize_t done;

	vsnprintf(message, sizeof(message), fmt, ap);
	clock_to_rfc3339(clock_now_us(), l.text);
	put(&l, " ", 1);
	put(&l, level, strlen(level));
	put(&l, " ", 1);
	put_escaped(&l, str_of(message));
	put(&l, "\n", 1);
	done = write(STDERR_FILENO, l.text, l.n);
	(void)done;
}

void
log_set_level(enum log_level min)
{
	min_level = (int)min;
}

bool
log_parse_level(const char *name, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	return false;
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if ((int)level < min_level)
		return;
	va_start(ap, fmt);
	write_line(level_names[level], fmt, ap);
	va_end(ap);
}

void
panic(const char *fmt, ...)
{
	void *frames[BACKTRACE_MAX];
	va_list ap;

	va_start(ap, fmt);
	write_line("panic", fmt, ap);
	va_end(ap);
	backtrace_symbols_fd(frames, backtrace(frames, BACKTRACE_MAX), STDERR_FILENO);
	abort();
}
