/* command – what a command of the program is, and how its arguments are read.
 *
 * Each command is one file that exports one const struct command; main.c lists them.  The
 * same option table serves reading and --help. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/macros.h"

struct err;

/* Exit statuses of every command. */
enum { COMMAND_OK = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2, COMMAND_INTERRUPTED = 130 };

struct opt {
	const char *name; /* without the dashes */
	const char *arg;  /* what the value is called; NULL: a flag without value */
	const char *help;
};

struct command {
	const char *name;
	const char *args;    /* the synopsis after the name */
	const char *summary; /* one line */
	const struct opt *opts;
	size_t nopts;
	void (*more)(FILE *out);           /* further help below the options; NULL: none */
	int (*run)(int argc, char **argv); /* the arguments after the name → exit status */
};

extern const struct command command_serve, command_migrate, command_token, command_import,
	command_send, command_inbox;

/* Reads `--name value`, `--name=value` and `--flag` by the table of ${cmd}.  values[i] is
 * the text of opts[i] ("" for a flag), untouched when not given.  The other arguments are
 * moved to the front of ${argv} and *argc becomes their number; `--` ends the options.
 * Fails: INPUT (unknown, twice, value missing). */
bool command_read(const struct command *cmd, int *argc, char **argv, const char **values,
	struct err *e) MUST_USE;

/* What `fanfare NAME --help` prints. */
void command_help(const struct command *cmd, FILE *out);

/* "1h", "90s", "15m", "7d" → seconds, at least 1.  Fails: INPUT. */
bool command_seconds(const char *text, int64_t *seconds, struct err *e) MUST_USE;

/* Prints "fanfare: …" to standard error; returns ${status}, so that failing is one
 * statement. */
int command_fail(int status, const char *fmt, ...) PRINTF(2, 3);
