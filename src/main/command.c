/* command – reading arguments by a table, and printing the table as help. */
#include "main/command.h"

#include <stdarg.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

/* A century; keeps sums with the present time far from overflow. */
#define SECONDS_MAX ((int64_t)100 * 366 * 86400)

/* The row named by the ${n} bytes at ${name}; cmd->nopts when there is none. */
static size_t
find_opt(const struct command *cmd, const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < cmd->nopts; i++)
		if (strlen(cmd->opts[i].name) == n && memcmp(cmd->opts[i].name, name, n) == 0)
			break;
	return i;
}

/* Reads the option at argv[*at]; *at moves on to its value when that is the next argument. */
static bool
read_opt(const struct command *cmd, int argc, char **argv, int *at, const char **values,
	struct err *e)
{
	const char *name = argv[*at] + 2;
	size_t n = strcspn(name, "=");
	bool joined = name[n] == '=';
	size_t i = find_opt(cmd, name, n);

	if (i == cmd->nopts)
		return fail(e, ERR_INPUT, "%s has no option --%.*s", cmd->name, (int)n, name);
	if (values[i])
		return fail(e, ERR_INPUT, "--%s is given twice", cmd->opts[i].name);
	if (!cmd->opts[i].arg) {
		if (joined)
			return fail(e, ERR_INPUT, "--%s takes no value", cmd->opts[i].name);
		values[i] = "";
		return true;
	}
	if (joined) {
		values[i] = name + n + 1;
		return true;
	}
	if (*at + 1 >= argc)
		return fail(e, ERR_INPUT, "--%s needs a value: %s", cmd->opts[i].name,
			cmd->opts[i].arg);
	values[i] = argv[++*at];
	return true;
}

bool
command_read(
	const struct command *cmd, int *argc, char **argv, const char **values, struct err *e)
{
	bool options_over = false;
	int kept = 0;

	for (int i = 0; i < *argc; i++) {
		if (!options_over && strcmp(argv[i], "--") == 0)
			options_over = true;
		else if (options_over || argv[i][0] != '-' || argv[i][1] == '\0')
			argv[kept++] = argv[i];
		else if (argv[i][1] != '-')
			return fail(e, ERR_INPUT, "%s has no option %s", cmd->name, argv[i]);
		else if (!read_opt(cmd, *argc, argv, &i, values, e))
			return false;
	}
	*argc = kept;
	return true;
}

void
command_help(const struct command *cmd, FILE *out)
{
	fprintf(out, "usage: fanfare %s%s%s\n\n%s\n", cmd->name, *cmd->args ? " " : "",
		cmd->args, cmd->summary);
	if (cmd->nopts > 0)
		fputs("\noptions:\n", out);
	for (size_t i = 0; i < cmd->nopts; i++) {
		const struct opt *o = &cmd->opts[i];
		const char *arg = o->arg ? o->arg : "";
		int wide = (int)(strlen(o->name) + str_utf8_len(str_of(arg)));

		fprintf(out, "  --%s %s%*s  %s\n", o->name, arg, MAX_OF(23 - wide, 0), "",
			o->help);
	}
	if (cmd->more)
		cmd->more(out);
}

bool
command_seconds(const char *text, int64_t *seconds, struct err *e)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	struct str s = str_of(text);
	int64_t n;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (s.n < 2 || s.p[s.n - 1] != units[i].letter)
			continue;
		if (!str_to_i64(str_sub(s, 0, s.n - 1), &n) || n < 1 ||
			n > SECONDS_MAX / units[i].seconds)
			break;
		*seconds = n * units[i].seconds;
		return true;
	}
	return fail(e, ERR_INPUT, "\"%s\" is no duration such as 90s, 15m, 1h or 7d", text);
}

int
command_fail(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("fanfare: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return status;
}
