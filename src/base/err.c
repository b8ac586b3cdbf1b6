/* err – filling in a failure, and the tables behind its code. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#undef fail /* what err.h tells the analyzer */
#undef fail_in

static const struct {
	int http;
	int wire;
	const char *name;
} codes[] = {[ERR_NONE] = {200, 0, "NONE"},
#define X(name, http, wire) [ERR_##name] = {http, wire, #name},
	ERR_CODES(X)
#undef X
};

static void
set_message(struct err *e, const char *text)
{
	struct str s = str_clip(str_of(text), sizeof(e->msg) - 1);

	memcpy(e->msg, s.p, s.n);
	e->msg[s.n] = '\0';
}

/* Formats beside e->msg, since an argument may be that very text. */
bool
fail(struct err *e, enum err_code code, const char *fmt, ...)
{
	char text[2 * sizeof(e->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	e->code = code;
	set_message(e, text);
	return false;
}

bool
fail_in(struct err *e, const char *where)
{
	return fail(e, e->code, "%s.%s", where, e->msg);
}

int
err_http(enum err_code code)
{
	return codes[code].http;
}

int
err_wire(enum err_code code)
{
	return codes[code].wire;
}

const char *
err_name(enum err_code code)
{
	return codes[code].name;
}
